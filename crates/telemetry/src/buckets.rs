//! Bounds of histograms, in seconds: the ones that dashboards of other gateways use, so that ours can stand beside them.

/// A whole request: 10 ms, doubling to 82 s.
pub const DURATION: [f64; 14] = [
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
];

/// From a request to its first token.
pub const TTFT: [f64; 16] = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// What we add to a request ourselves: 50 us to 100 ms.
pub const OVERHEAD: [f64; 10] = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1];

#[cfg(test)]
mod tests;
