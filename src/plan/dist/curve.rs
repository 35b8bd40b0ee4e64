//! Continuous distributions as curves: the time as a function of the share of all times that are shorter.

use super::{DistForm, Percentile};
use crate::plan::distribution::{self, normal, normal_share};

/// The inverse CDF of a form that has one, prepared for many evaluations.
#[derive(Clone, Debug)]
pub enum Curve {
    /// The distribution of `low * e^(sigma * (z - z_low))`, where z is normally distributed.
    Lognormal {
        low: f64,
        z_low: f64,
        sigma: f64,
    },
    /// Pairs of a share and a time.
    Points(Box<[(f64, f64)]>),
    Normal {
        mean: f64,
        stddev: f64,
    },
    Exponential {
        mean: f64,
    },
    Pareto {
        min: f64,
        alpha: f64,
    },
}

impl Curve {
    /// Makes the curve of a form, or returns `None` if the form is a mix or computed.
    pub fn new(form: &DistForm) -> Option<Curve> {
        let point = |point: &Percentile| (point.percent / 100.0, point.time as f64);
        Some(match form {
            DistForm::Uniform { min, max } => Curve::Points([(0.0, *min as f64), (1.0, *max as f64)].into()),
            DistForm::Lognormal { low, high } => {
                let ((low_share, low), (high_share, high)) = (point(low), point(high));
                let (z_low, z_high) = (normal(low_share), normal(high_share));
                Curve::Lognormal { low, z_low, sigma: libm::log(high / low) / (z_high - z_low) }
            }
            DistForm::Points { points } => Curve::Points(points.iter().map(point).collect()),
            DistForm::Normal { mean, stddev } => Curve::Normal { mean: *mean as f64, stddev: *stddev as f64 },
            DistForm::Exponential { mean } => Curve::Exponential { mean: *mean as f64 },
            DistForm::Pareto { min, alpha } => Curve::Pareto { min: *min as f64, alpha: *alpha },
            DistForm::Mix { .. } | DistForm::Computed { .. } | DistForm::Changed { .. } => return None,
        })
    }

    /// Returns the time, in ns, below which this share of all times lies, 0 < `share` < 1. The time is not cut to the
    /// maximum.
    pub fn at(&self, share: f64) -> f64 {
        match self {
            Curve::Lognormal { low, z_low, sigma } => low * libm::exp(sigma * (normal(share) - z_low)),
            Curve::Points(points) => {
                let next = points.partition_point(|(at, _)| *at <= share).clamp(1, points.len() - 1);
                let ((from, low), (to, high)) = (points[next - 1], points[next]);
                low + (high - low) * ((share - from) / (to - from))
            }
            Curve::Normal { mean, stddev } => mean + stddev * normal(share),
            Curve::Exponential { mean } => distribution::exponential(share, *mean).unwrap_or(0.0),
            Curve::Pareto { min, alpha } => distribution::pareto(share, *min, *alpha).unwrap_or(0.0),
        }
    }

    /// Returns the mean of all times in ns, where negative ones count as 0 and those above `max` as `max`.
    pub fn mean(&self, max: f64) -> f64 {
        match self {
            Curve::Lognormal { low, z_low, sigma } => {
                let median = low * libm::exp(-sigma * z_low);
                let cut = libm::log(max / median) / sigma;
                let beyond = sigma - cut;
                let within = if *sigma < 30.0 {
                    median * libm::exp(sigma * sigma / 2.0) * normal_share(-beyond)
                } else {
                    // The same value if its factors leave the range of a double: an asymptotic series of the share.
                    let series = 1.0 - 1.0 / (beyond * beyond);
                    max * libm::exp(-cut * cut / 2.0) / (beyond * libm::sqrt(std::f64::consts::TAU)) * series
                };
                within + max * normal_share(-cut)
            }
            Curve::Points(points) => {
                let parts = points.windows(2).map(|pair| {
                    let ((from, low), (to, high)) = (pair[0], pair[1]);
                    let mean = if high <= max {
                        (low + high) / 2.0
                    } else if low >= max {
                        max
                    } else {
                        let within = (max - low) / (high - low);
                        within * (low + max) / 2.0 + (1.0 - within) * max
                    };
                    (to - from) * mean
                });
                parts.sum()
            }
            Curve::Normal { mean, stddev } if *stddev == 0.0 => mean.clamp(0.0, max),
            Curve::Normal { mean, stddev } => {
                let (from, to) = (-mean / stddev, (max - mean) / stddev);
                let between = normal_share(to) - normal_share(from);
                let bell = |z: f64| libm::exp(-z * z / 2.0) / libm::sqrt(std::f64::consts::TAU);
                mean * between + stddev * (bell(from) - bell(to)) + max * normal_share(-to)
            }
            Curve::Exponential { mean } => -mean * libm::expm1(-max / mean),
            Curve::Pareto { min, .. } if max <= *min => max,
            Curve::Pareto { min, alpha } => {
                // The integral of the share of longer times, from 0 to `max`.
                let log = libm::log(max / min);
                let t = (1.0 - alpha) * log;
                min + min * log * if t == 0.0 { 1.0 } else { libm::expm1(t) / t }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn at(percent: f64, ms: u64) -> Percentile {
        Percentile { percent, time: ms * MS }
    }

    fn curves() -> Vec<Curve> {
        let points = [at(0.0, 1), at(50.0, 5), at(90.0, 20), at(100.0, 500)].into();
        let forms = [
            DistForm::Uniform { min: MS, max: 15 * MS },
            DistForm::Lognormal { low: at(50.0, 5), high: at(99.0, 80) },
            DistForm::Lognormal { low: at(10.0, 5), high: at(99.9, 80) },
            DistForm::Lognormal { low: at(50.0, 5), high: at(50.1, 80) },
            DistForm::Points { points },
            DistForm::Normal { mean: 5 * MS, stddev: MS },
            DistForm::Normal { mean: 0, stddev: 5 * MS },
            DistForm::Normal { mean: 5 * MS, stddev: 0 },
            DistForm::Exponential { mean: 40 * MS },
            DistForm::Pareto { min: 5 * MS, alpha: 1.5 },
            DistForm::Pareto { min: 5 * MS, alpha: 1.0 },
            DistForm::Pareto { min: 5 * MS, alpha: 0.1 },
        ];
        forms.iter().map(|form| Curve::new(form).unwrap()).collect()
    }

    #[test]
    fn percentiles_are_where_they_are_written() {
        for [low, high] in
            [[at(50.0, 5), at(99.0, 80)], [at(1.0, 3), at(99.99, 4)], [at(0.01, 1), at(0.02, 86_400_000)]]
        {
            let curve = Curve::new(&DistForm::Lognormal { low, high }).unwrap();
            for point in [low, high] {
                let found = curve.at(point.percent / 100.0);
                assert!((found / point.time as f64 - 1.0).abs() < 1e-12, "{found} is not {point:?}");
            }
        }
        let points = [at(0.0, 1), at(50.0, 5), at(90.0, 20), at(100.0, 500)];
        let curve = Curve::new(&DistForm::Points { points: points.into() }).unwrap();
        for (share, ms) in [(0.0, 1.0), (0.25, 3.0), (0.5, 5.0), (0.7, 12.5), (0.9, 20.0), (0.95, 260.0), (1.0, 500.0)]
        {
            assert!((curve.at(share) / 1e6 - ms).abs() < 1e-9, "{share}: {}", curve.at(share));
        }
    }

    #[test]
    fn a_curve_never_falls() {
        for curve in curves() {
            let times: Vec<f64> = (1..10_000).map(|i| curve.at(i as f64 / 10_000.0)).collect();
            assert!(times.is_sorted(), "{curve:?}");
        }
    }

    /// The mean is the area under the curve, whether cut or not.
    #[test]
    fn means_are_exact() {
        // The integral is taken over the logarithm of the share of longer times, so that a long tail is covered.
        let (parts, end) = (200_000, 36.0);
        for curve in curves() {
            for max in [3_600_000.0, 100.0, 12.0, 3.0, 0.0].map(|ms: f64| ms * 1e6) {
                let logs = (0..parts).map(|i| (i as f64 + 0.5) / parts as f64 * end);
                let times = logs.map(|log| curve.at(-libm::expm1(-log)).clamp(0.0, max) * libm::exp(-log));
                let area = times.sum::<f64>() / parts as f64 * end;
                let mean = curve.mean(max);
                assert!((mean - area).abs() <= 1e-4 * area, "{curve:?} to {max}: {mean} is not {area}");
            }
        }
    }
}
