//! The policy: what a pipeline is meant to let through, and which faults are permitted.

use super::allowance::Allowance;
use super::fault::Fault;
use serde::Serialize;
use std::collections::BTreeSet;

/// The confidence of the interval for a sample without a stated tolerance.
const CONFIDENCE: f64 = 0.9999;

/// What has to arrive, and which faults are permitted. By default everything arrives as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Policy {
    /// Every trace with a failed span must arrive whole; any other trace may be missing as a whole.
    pub keep_errors: bool,
    /// The share of the traces that need not arrive which is expected to arrive.
    pub sample: Option<Sample>,
    /// The faults and changes that are permitted.
    pub allow: BTreeSet<Allowance>,
    /// Spans that do not belong to the run are a fault.
    pub deny_unexpected: bool,
}

/// A sample of traces.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// The expected share of traces, 0 to 1.
    pub share: f64,
    /// The permitted deviation from the share; `None` for the 99.99 % interval of the binomial distribution.
    pub tolerance: Option<f64>,
}

impl Policy {
    /// Reports whether traces may be missing as a whole.
    pub fn samples(&self) -> bool {
        self.keep_errors || self.sample.is_some()
    }

    /// Reports whether a trace must arrive, given whether it failed.
    pub fn requires(&self, failed: bool) -> bool {
        !self.samples() || self.keep_errors && failed
    }

    /// Reports whether none of the traces that need not arrive is expected.
    pub fn samples_nothing(&self) -> bool {
        self.sample.is_some_and(|sample| sample.share == 0.0)
    }

    /// Reports whether the fault is permitted.
    pub fn allows(&self, fault: Fault) -> bool {
        self.allow.contains(&Allowance::Fault(fault))
    }

    /// Reports whether a field may be altered.
    pub fn allows_change(&self, field: &str) -> bool {
        self.allows(Fault::Altered) || self.allow.iter().any(|allowance| allowance.covers(field))
    }
}

impl Sample {
    /// Reports whether `arrived` of `traces` traces are such a sample.
    pub fn holds(&self, arrived: u64, traces: u64) -> bool {
        match self.tolerance {
            Some(_) if traces == 0 => true,
            Some(tolerance) => (arrived as f64 / traces as f64 - self.share).abs() <= tolerance,
            None => tail(arrived, traces, self.share) >= (1.0 - CONFIDENCE) / 2.0,
        }
    }
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
    fn failed_traces_are_required_and_others_unless_the_policy_samples() {
        let policy = |keep_errors, sample| Policy { keep_errors, sample, ..Policy::default() };
        let sample = Some(Sample { share: 0.1, tolerance: None });
        for (policy, clean, failed) in [
            (policy(false, None), true, true),
            (policy(true, None), false, true),
            (policy(false, sample), false, false),
            (policy(true, sample), false, true),
        ] {
            assert_eq!((policy.requires(false), policy.requires(true)), (clean, failed), "{policy:?}");
        }
    }
}
