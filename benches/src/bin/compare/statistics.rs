//! Medians, quantiles and spreads of what was measured.

use std::fmt;

/// What was measured, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sample(Vec<f64>);

/// The median and the range of a sample; `{:.1}` shows them with a digit behind the point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

// === impl Sample ===

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Sample(values)
    }
}

impl Sample {
    /// The least value that so great a share of the sample does not exceed; 0 of an empty sample.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        let value = self.0.get(rank.clamp(1, self.0.len().max(1)) - 1);
        value.copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn spread(&self) -> Spread {
        Spread {
            median: self.median(),
            least: self.quantile(0.0),
            most: self.quantile(1.0),
        }
    }
}

// === impl Spread ===

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { median, least, most } = *self;
        let digits = f.precision().unwrap_or(2);
        write!(f, "{median:.digits$} ({least:.digits$}-{most:.digits$})")
    }
}

#[cfg(test)]
mod tests;
