//! Figures with their precision.

/// The normal quantile of the 99.9 % interval.
pub const Z: f64 = 3.290_526_731_491_926;

/// A figure with its precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// The figure follows from the plan.
    Exact(f64),
    /// The figure is that of a sample; its 99.9 % interval is from `low` to `high`.
    Sampled { value: f64, low: f64, high: f64 },
    /// The figure does not follow from the plan, and the sample is missing or contains nothing of it.
    Unknown,
}

impl Figure {
    /// Returns the figure itself.
    pub fn value(self) -> Option<f64> {
        match self {
            Figure::Exact(value) | Figure::Sampled { value, .. } => Some(value),
            Figure::Unknown => None,
        }
    }

    /// Returns the interval of a sampled figure.
    pub fn interval(self) -> Option<(f64, f64)> {
        if let Figure::Sampled { low, high, .. } = self { Some((low, high)) } else { None }
    }

    /// Reports whether the figure follows from the plan.
    pub fn is_exact(self) -> bool {
        matches!(self, Figure::Exact(_))
    }

    /// Returns the product with an exact factor.
    pub fn times(self, factor: f64) -> Figure {
        match self {
            Figure::Exact(value) => Figure::Exact(value * factor),
            Figure::Sampled { value, low, high } => {
                Figure::Sampled { value: value * factor, low: low * factor, high: high * factor }
            }
            Figure::Unknown => Figure::Unknown,
        }
    }

    /// Returns the Wilson interval of a probability with `hits` in `trials` independent trials.
    pub fn of_trials(hits: u64, trials: u64) -> Figure {
        if trials == 0 {
            return Figure::Unknown;
        }
        let (n, value) = (trials as f64, hits as f64 / trials as f64);
        let scale = 1.0 + Z * Z / n;
        let middle = (value + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (value * (1.0 - value) / n + Z * Z / (4.0 * n * n)).sqrt();
        // At the ends the interval is exact, which rounding would miss.
        let low = if hits == 0 { 0.0 } else { middle - half };
        let high = if hits == trials { 1.0 } else { middle + half };
        Figure::Sampled { value, low, high }
    }
}

/// The sums of two numbers over many traces, from which the ratio of their means follows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ratio {
    pub above: u64,
    pub below: u64,
    /// The sums of the squares and of the products.
    pub above_squared: u64,
    pub below_squared: u64,
    pub product: u64,
}

impl Ratio {
    /// Adds a trace.
    pub fn add(&mut self, above: u64, below: u64) {
        self.above += above;
        self.below += below;
        self.above_squared += above * above;
        self.below_squared += below * below;
        self.product += above * below;
    }

    pub fn merge(&mut self, other: &Ratio) {
        self.above += other.above;
        self.below += other.below;
        self.above_squared += other.above_squared;
        self.below_squared += other.below_squared;
        self.product += other.product;
    }

    /// Returns the ratio with the normal interval of a ratio of means. Numbers of one trace depend on each other; those of
    /// different traces do not.
    pub fn figure(&self, traces: u64) -> Figure {
        if self.below == 0 || traces == 0 {
            return Figure::Unknown;
        }
        let value = self.above as f64 / self.below as f64;
        let residual =
            self.above_squared as f64 - 2.0 * value * self.product as f64 + value * value * self.below_squared as f64;
        let half = Z * residual.max(0.0).sqrt() / self.below as f64;
        // If all traces are alike, an unseen event may be as frequent as possible without being seen.
        let unseen = Z * Z / (traces as f64 + Z * Z) * value.max(1.0);
        let half = if half > 0.0 { half } else { unseen };
        Figure::Sampled { value, low: (value - half).max(0.0), high: value + half }
    }

    /// Returns the same for a share.
    pub fn share(&self, traces: u64) -> Figure {
        match self.figure(traces) {
            Figure::Sampled { value, low, high } => Figure::Sampled { value, low, high: high.min(1.0) },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_trials_is_that_of_wilson() {
        let near = |figure: Figure, expected: (f64, f64)| {
            let (low, high) = figure.interval().unwrap();
            assert!((low - expected.0).abs() < 5e-4 && (high - expected.1).abs() < 5e-4, "{low} {high}");
        };
        // (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), with z² = 10.8276.
        near(Figure::of_trials(100, 1_000), (0.0729, 0.1357));
        near(Figure::of_trials(0, 100), (0.0, 0.0977));
        near(Figure::of_trials(5, 5), (0.3159, 1.0));
        assert_eq!(Figure::of_trials(0, 0), Figure::Unknown);
    }

    #[test]
    fn a_ratio_considers_that_spans_of_a_trace_depend_on_each_other() {
        // Every second trace has two spans which both fail or both succeed, so the uncertainty is that of single spans.
        let (mut pairs, mut single) = (Ratio::default(), Ratio::default());
        for trace in 0..1_000 {
            pairs.add(2 * (trace % 2), 2);
            single.add(trace % 2, 1);
        }
        assert_eq!(pairs.figure(1_000), single.figure(1_000));
        let (low, high) = single.figure(1_000).interval().unwrap();
        assert!((high - low - 2.0 * Z * (0.25_f64 / 1_000.0).sqrt()).abs() < 1e-9, "{low} {high}");
        let mut never = Ratio::default();
        (0..1_000).for_each(|_| never.add(0, 1));
        assert!(never.share(1_000).interval().unwrap().1 > 0.01);
    }
}
