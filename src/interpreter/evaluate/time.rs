//! Drawn times. [`crate::plan::dist`] says what each distribution draws.

use super::Evaluation;
use super::convert::double;
use crate::interpreter::dist::Source;
use crate::interpreter::random::{scaled, unit};
use crate::plan::DistId;

impl Evaluation<'_> {
    /// Draws a time from a distribution and returns it in ns.
    #[inline(never)]
    pub fn time(&mut self, id: DistId) -> u64 {
        let dists = &self.code.dists;
        let (mut dist, mut drawn) = (dists.get(id), None);
        let cut = dist.max;
        if let Source::Mix { conditional, weighted, ends } = &dist.source {
            let mut part = None;
            for (when, candidate) in conditional {
                // All conditions are evaluated, so that the number of draws is always the same.
                let holds = self.holds(*when);
                part = part.or(holds.then_some(*candidate));
            }
            let pick = u64::from(self.random.u32());
            let at = ends.partition_point(|end| *end <= pick).min(weighted.len() - 1);
            drawn = Some(self.random.u64());
            dist = dists.get(part.unwrap_or(weighted[at]));
        }
        let time = match &dist.source {
            Source::Uniform { min, range: 0 } => *min,
            Source::Uniform { min, range } => min + scaled(drawn.unwrap_or_else(|| self.random.u64()), *range),
            Source::Curve(curve) => whole(curve.at(unit(drawn.unwrap_or_else(|| self.random.u64())))),
            Source::Computed { value, unit } => {
                let value = self.value(*value);
                whole(double(value).unwrap_or(0.0) * unit)
            }
            Source::Mix { .. } => unreachable!("no mix is a part of a mix"),
        };
        time.min(dist.max).min(cut)
    }
}

/// Returns the nearest whole number of ns, at least 0.
fn whole(time: f64) -> u64 {
    // The cast limits a value that is out of range to the nearest valid one.
    libm::round(time) as u64
}
