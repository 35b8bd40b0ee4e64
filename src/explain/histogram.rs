//! Durations, counted: 256 buckets a power of two, so a percentile is off by at most 0.2 %. Sums of counts are the same in any
//! order, so histograms of several threads make one.

const STEPS: u32 = 8;
const ROW: usize = 1 << STEPS;

/// ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
}

/// Takes memory only for the powers of two that there are.
#[derive(Clone, Default)]
pub struct Histogram {
    rows: Vec<Option<Box<[u64; ROW]>>>,
    range: Option<(u64, u64)>,
}

impl Histogram {
    /// One more, of `ns`.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        let (row, step) = bucket(ns);
        self.row(row)[step] += 1;
        self.cover(ns, ns);
    }

    pub fn merge(&mut self, other: &Histogram) {
        for (at, row) in other.rows.iter().enumerate() {
            if let Some(row) = row {
                self.row(at).iter_mut().zip(row.iter()).for_each(|(own, other)| *own += other);
            }
        }
        if let Some((min, max)) = other.range {
            self.cover(min, max);
        }
    }

    fn row(&mut self, at: usize) -> &mut [u64; ROW] {
        if self.rows.len() <= at {
            self.rows.resize(at + 1, None);
        }
        self.rows[at].get_or_insert_with(|| Box::new([0; ROW]))
    }

    fn cover(&mut self, min: u64, max: u64) {
        let (least, most) = self.range.unwrap_or((min, max));
        self.range = Some((least.min(min), most.max(max)));
    }

    /// By nearest rank; `None` of none.
    pub fn percentiles(&self) -> Option<Percentiles> {
        let (min, max) = self.range?;
        let buckets = || self.rows.iter().enumerate().flat_map(|(at, row)| row.iter().map(move |row| (at, row)));
        let count: u64 = buckets().flat_map(|(_, row)| row.iter()).sum();
        let at = |percent: u64| {
            let mut left = (count as u128 * percent as u128).div_ceil(100);
            for (at, row) in buckets() {
                for (step, n) in row.iter().enumerate() {
                    if left <= *n as u128 {
                        return middle(at, step).clamp(min, max);
                    }
                    left -= *n as u128;
                }
            }
            max
        };
        Some(Percentiles { p50: at(50), p90: at(90), p99: at(99) })
    }
}

/// Below 256 each figure has its own; a row of them is a power of two.
fn bucket(ns: u64) -> (usize, usize) {
    let above = (u64::BITS - ns.leading_zeros()).saturating_sub(STEPS + 1);
    let row = if ns < ROW as u64 { 0 } else { above as usize + 1 };
    (row, (ns >> above) as usize & (ROW - 1))
}

fn middle(row: usize, step: usize) -> u64 {
    let Some(above) = row.checked_sub(1) else { return step as u64 };
    ((ROW + step) as u64) << above | (1 << above) >> 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_off_by_little() {
        assert_eq!(Histogram::default().percentiles(), None);
        let (mut all, mut other) = (Histogram::default(), Histogram::default());
        for k in 1..=10_000u64 {
            if k % 3 == 0 { &mut all } else { &mut other }.record(k * k * 1_000);
        }
        all.merge(&other);
        let Percentiles { p50, p90, p99 } = all.percentiles().unwrap();
        for (found, k) in [(p50, 5_000.0), (p90, 9_000.0), (p99, 9_900.0)] {
            let exact: f64 = k * k * 1_000.0;
            assert!((found as f64 / exact - 1.0).abs() < 0.002, "{found} is not {exact}");
        }
    }

    #[test]
    fn every_figure_lies_in_its_bucket() {
        for ns in [0, 1, 255, 256, 257, 511, 512, 65_537, 1_000_000_007, u64::MAX - 1, u64::MAX] {
            let (row, step) = bucket(ns);
            let middle = middle(row, step);
            assert_eq!(bucket(middle), (row, step), "{ns}");
            assert!(middle.abs_diff(ns) <= ns / 512 + 1, "{ns} is near {middle}");
        }
    }

    #[test]
    fn what_is_constant_is_told_as_it_is() {
        let mut histogram = Histogram::default();
        (0..9).for_each(|_| histogram.record(1_234_567));
        assert_eq!(histogram.percentiles(), Some(Percentiles { p50: 1_234_567, p90: 1_234_567, p99: 1_234_567 }));
    }
}
