//! Cuts a text into passages: at Markdown's headings, then at blank lines, at lines, at words, at characters, whichever
//! comes first that keeps a passage within its size.

/// A part of a text that says one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// The heading above it, without its signs.
    pub(crate) heading: &'a str,
    pub(crate) text: &'a str,
}

/// Where a text may be cut, the best place first.
const CUTS: [&str; 4] = ["\n\n", "\n", ". ", " "];

/// The pieces of `text`, in order, none longer than `max_bytes` [at least 4] and none blank. Together they hold all of it but
/// blanks.
pub(crate) fn split(text: &str, max_bytes: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for (heading, section) in sections(text) {
        let mut rest = section.trim();
        while !rest.is_empty() {
            let (text, more) = rest.split_at(cut(rest, max_bytes));
            pieces.push(Piece {
                heading,
                text: text.trim_end(),
            });
            rest = more.trim_start();
        }
    }
    pieces
}

/// The sections of a text with their headings, which are part of them. Signs inside of fenced code are no headings.
fn sections(text: &str) -> Vec<(&str, &str)> {
    let mut starts = vec![(0, "")];
    let (mut at, mut fenced) = (0_usize, false);
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if let (false, Some(heading)) = (fenced, heading(line)) {
            starts.push((at, heading));
        }
        at = at.saturating_add(line.len());
    }
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .map(|(start, _)| *start)
        .chain([text.len()])
        .collect();
    let sections = starts.into_iter().zip(ends);
    sections
        .map(|((start, heading), end)| (heading, text.get(start..end).unwrap_or_default()))
        .collect()
}

fn heading(line: &str) -> Option<&str> {
    let signs = line.bytes().take_while(|byte| *byte == b'#').count();
    let title = line.get(signs..).filter(|_| (1..=6).contains(&signs))?;
    title
        .starts_with(' ')
        .then(|| title.trim().trim_end_matches('#').trim())
}

/// The end of the longest good beginning of `text`; never 0.
fn cut(text: &str, max_bytes: usize) -> usize {
    if text.len() <= max_bytes {
        return text.len();
    }
    let end = text.floor_char_boundary(max_bytes);
    let window = text.get(..end).unwrap_or(text);
    let mut places = CUTS
        .iter()
        .filter_map(|mark| Some(window.rfind(mark)?.saturating_add(mark.len())));
    // A cut close to the beginning would leave a scrap.
    let good = places.find(|place| *place > end / 2).unwrap_or(end);
    match good {
        0 => text.ceil_char_boundary(1),
        good => good,
    }
}

#[cfg(test)]
mod tests;
