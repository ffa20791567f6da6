use super::*;

#[test]
fn bounds_rise_and_a_registry_takes_them() {
    for bounds in [&DURATION[..], &TTFT, &OVERHEAD] {
        assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{bounds:?}");
        let options = prometheus::HistogramOpts::new("orchestrator_x_seconds", "x").buckets(bounds.to_vec());
        assert!(prometheus::Histogram::with_opts(options).is_ok());
    }
}

#[test]
fn the_bounds_of_a_duration_double() {
    for (n, bound) in (0_u8..).zip(DURATION) {
        assert!((bound - 0.01 * 2_f64.powi(i32::from(n))).abs() < 1e-9, "{bound}");
    }
}
