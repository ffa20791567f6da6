//! Tables in Markdown, as they stand in `BENCHMARKS.md`. A row is printed once it is measured: a run takes minutes.

/// A table with so many columns.
#[derive(Debug)]
pub(crate) struct Table<const N: usize>;

// === impl Table ===

impl<const N: usize> Table<N> {
    /// Prints its title and its head.
    pub(crate) fn begin(title: &str, columns: [&str; N]) -> Self {
        println!(
            "\n### {title}\n\n{}\n{}",
            line(&columns),
            line(&["---"; N]).replace(' ', "")
        );
        Table
    }

    pub(crate) fn row(&self, cells: [String; N]) {
        println!("{}", line(&cells));
    }
}

fn line<S: AsRef<str>>(cells: &[S]) -> String {
    let cells: Vec<&str> = cells.iter().map(S::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}

/// Microseconds, with a digit behind the point up to 1000 of them.
pub(crate) fn us(us: f64) -> String {
    match us.abs() < 1000.0 {
        true => format!("{us:.1} us"),
        false => format!("{:.2} ms", us / 1000.0),
    }
}

pub(crate) fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Thousands of bytes; fewer than none is possible, where memory was given back.
pub(crate) fn kb(bytes: f64) -> String {
    format!("{:.1} KB", bytes / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_border_around_each_cell() {
        assert_eq!(line(&["what", "", "x"]), "| what |  | x |");
        assert_eq!(line::<&str>(&["a"]), "| a |");
    }

    #[test]
    fn figures_have_their_units() {
        assert_eq!(
            [0.04, 999.94, 1500.0, -5174.7].map(us),
            ["0.0 us", "999.9 us", "1.50 ms", "-5.17 ms"]
        );
        assert_eq!(
            [mb(13_260_000), kb(20_480.0), kb(-512.0)],
            ["13.3 MB", "20.5 KB", "-0.5 KB"]
        );
    }
}
