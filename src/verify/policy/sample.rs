//! Samples of traces, and whether a number of traces is one.

use serde::Serialize;
use std::fmt;

/// The confidence of the interval for a sample without a stated tolerance.
const CONFIDENCE: f64 = 0.9999;

/// A sample of traces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// The expected share of traces, 0 to 1.
    pub share: f64,
    /// The permitted deviation from the share; `None` for the 99.99 % interval of the binomial distribution.
    pub tolerance: Option<f64>,
}

impl Sample {
    /// Parses `10%`, or `10% +-1` for a tolerance of 1 per cent of all.
    pub fn parse(text: &str) -> Option<Sample> {
        let (share, tolerance) = match text.split_once('±').or_else(|| text.split_once("+-")) {
            Some((share, tolerance)) => (share, Some(tolerance)),
            None => (text, None),
        };
        let share = per_cent(share.trim().strip_suffix('%')?)?;
        let tolerance = match tolerance {
            Some(text) => Some(per_cent(text.trim().trim_end_matches('%'))?),
            None => None,
        };
        Some(Sample { share, tolerance })
    }

    /// Reports whether `arrived` of `traces` traces are such a sample.
    pub fn holds(&self, arrived: u64, traces: u64) -> bool {
        match self.tolerance {
            Some(_) if traces == 0 => true,
            Some(tolerance) => (arrived as f64 / traces as f64 - self.share).abs() <= tolerance,
            None => tail(arrived, traces, self.share) >= (1.0 - CONFIDENCE) / 2.0,
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", figure(self.share))?;
        self.tolerance.map_or(Ok(()), |tolerance| write!(f, " +-{}", figure(tolerance)))
    }
}

/// Parses a number from 0 to 100 that stands before a `%`, and returns the share.
fn per_cent(text: &str) -> Option<f64> {
    let figure: f64 = text.trim().parse().ok()?;
    (0.0..=100.0).contains(&figure).then_some(figure / 100.0)
}

/// Returns a share in per cent, without the last digits that no one wrote.
fn figure(share: f64) -> f64 {
    (share * 1e10).round() / 1e8
}

/// Returns the probability that `k` or a more extreme number of `n` trials succeed, each with probability `p`: at most `k`
/// if `k` lies below the mean, else at least `k`.
fn tail(k: u64, n: u64, p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return if k == if p <= 0.0 { 0 } else { n } { 1.0 } else { 0.0 };
    }
    let ln_factorial = |x: u64| libm::lgamma(x as f64 + 1.0);
    let ways = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k);
    let mut term = (ways + k as f64 * p.ln() + (n - k) as f64 * (-p).ln_1p()).exp();
    let (mut sum, mut i, odds) = (term, k, p / (1.0 - p));
    // The sum goes away from the mean, where terms only become smaller.
    let few = (k as f64) < n as f64 * p;
    while term > sum * 1e-16 && i != if few { 0 } else { n } {
        if few {
            term *= i as f64 / ((n - i + 1) as f64 * odds);
            i -= 1;
        } else {
            term *= (n - i) as f64 * odds / (i + 1) as f64;
            i += 1;
        }
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_have_the_values_of_the_textbook() {
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} is not {b}");
        // Ten throws of a fair coin give at most two heads, and at least eight.
        near(tail(2, 10, 0.5), 56.0 / 1024.0);
        near(tail(8, 10, 0.5), 56.0 / 1024.0);
        near(tail(0, 1_000, 0.01), 0.99f64.powi(1_000));
        near(tail(10, 10, 0.9), 0.9f64.powi(10));
        assert_eq!((tail(0, 7, 0.0), tail(1, 7, 0.0), tail(7, 7, 1.0), tail(6, 7, 1.0)), (1.0, 0.0, 1.0, 0.0));
        assert!((0.45..0.55).contains(&tail(1_000_000, 10_000_000, 0.1)));
    }

    #[test]
    fn a_sample_holds_within_its_tolerance_or_within_chance() {
        let about = Sample { share: 0.1, tolerance: Some(0.01) };
        assert!(about.holds(95, 1_000) && about.holds(110, 1_000) && !about.holds(111, 1_000) && about.holds(0, 0));
        let exact = Sample { share: 0.1, tolerance: None };
        assert!(exact.holds(10_000, 100_000) && exact.holds(10_350, 100_000) && !exact.holds(10_400, 100_000));
        assert!(exact.holds(0, 10) && !exact.holds(10, 10) && exact.holds(0, 0));
    }

    #[test]
    fn a_sample_is_read_in_its_notation() {
        for (text, share, tolerance) in [
            ("10%", 0.1, None),
            ("10% ± 1%", 0.1, Some(0.01)),
            ("10%+-1", 0.1, Some(0.01)),
            (" 0.1 % +-0.02", 0.001, Some(0.0002)),
            ("100%", 1.0, None),
        ] {
            let sample = Sample::parse(text).unwrap();
            assert_eq!(sample, Sample { share, tolerance }, "{text}");
            assert_eq!(Sample::parse(&sample.to_string()), Some(sample), "{text}");
        }
        for text in ["", "10", "101%", "-1%", "10%+-x", "x%", "10% of all", "nan%", "10%+-"] {
            assert_eq!(Sample::parse(text), None, "{text}");
        }
    }
}
