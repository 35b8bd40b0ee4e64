//! Drawn times. [`crate::plan::dist`] says what each distribution draws.

use super::Evaluation;
use super::convert::double;
use crate::interpreter::dist::{Source, whole};
use crate::plan::{Change, DistId};

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
            Source::Computed { value, unit } => {
                let value = self.value(*value);
                whole(double(value).unwrap_or(0.0) * unit)
            }
            Source::Changed { base, changes } => self.changed(*base, changes),
            source => source.drawn(|| drawn.unwrap_or_else(|| self.random.u64())),
        };
        time.min(dist.max).min(cut)
    }
}

impl Evaluation<'_> {
    /// Draws a time from `base`, as far as it is not changed, and returns it in ns.
    fn changed(&mut self, mut base: DistId, changes: &[Change]) -> u64 {
        let (mut factor, mut added) = (1.0, 0_u64);
        for change in changes {
            if self.holds(change.when) {
                base = change.base.unwrap_or(base);
                factor *= change.times;
                added = added.saturating_add(change.add.map_or(0, |add| self.time(add)));
            }
        }
        let time = self.time(base);
        let time = if factor == 1.0 { time } else { whole(time as f64 * factor) };
        time.saturating_add(added)
    }
}
