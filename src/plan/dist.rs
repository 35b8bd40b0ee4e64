//! Distributions of times, such as those of a span's own work.
//!
//! A sample is drawn by inverse CDF: one 64-bit draw becomes a number in (0, 1), and the sample is the time below which
//! this share of all times lies. A mix takes one 32-bit draw before that, whichever of its parts is chosen. Fixed and
//! computed times take no draw, except that in a mix the draw is made and ignored. The number of draws therefore never
//! depends on a value.

mod curve;

pub use curve::Curve;

use super::id::{DistId, ExprId};
use super::notation::duration;
use super::{Change, Program};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// A distribution of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dist {
    pub form: DistForm,
    /// The longest time in ns, to which longer ones are cut. A form with an end of its own has no later one.
    pub max: u64,
}

/// How a time is drawn. All times are in ns; negative ones count as 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DistForm {
    /// Uniform from `min` to `max`, both included.
    Uniform { min: u64, max: u64 },
    /// The lognormal distribution with two given percentiles.
    Lognormal { low: Percentile, high: Percentile },
    /// Uniform between neighbouring percentiles, which reach from 0 to 100.
    Points { points: Box<[Percentile]> },
    /// The normal distribution.
    Normal { mean: u64, stddev: u64 },
    /// The exponential distribution.
    Exponential { mean: u64 },
    /// The Pareto distribution (type I) of scale `min` and shape `alpha`.
    Pareto { min: u64, alpha: f64 },
    /// One of several distributions, which come before this one and are not mixes themselves: the first one whose condition
    /// is true (all conditions are evaluated, in order), or if none is true, one chosen by weight.
    Mix { conditional: Box<[(ExprId, DistId)]>, weighted: Box<[(f64, DistId)]> },
    /// The value of the expression times `unit` ns, or 0 if it is not a number.
    Computed { value: ExprId, unit: u64 },
    /// Another distribution, as changed by those changes whose conditions hold, which are evaluated in order: the time is
    /// drawn from the base, or from the one that takes its place, after all times to add; it is multiplied by all factors,
    /// and then the times to add are added. All distributions come before this one, and are not changed themselves.
    Changed { base: DistId, changes: Box<[Change]> },
}

/// A time below which a percentage of all times lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Percentile {
    /// The percentage, 0 to 100.
    pub percent: f64,
    /// The time in ns.
    pub time: u64,
}

impl Dist {
    /// Returns the distributions of which this one is made.
    pub fn parts(&self) -> impl Iterator<Item = DistId> {
        let (conditional, weighted, base, changes) = match &self.form {
            DistForm::Mix { conditional, weighted } => (&conditional[..], &weighted[..], None, &[][..]),
            DistForm::Changed { base, changes } => (&[][..], &[][..], Some(*base), &changes[..]),
            _ => (&[][..], &[][..], None, &[][..]),
        };
        let mixed = conditional.iter().map(|(_, part)| *part).chain(weighted.iter().map(|(_, part)| *part));
        let changed = changes.iter().flat_map(|change| change.base.into_iter().chain(change.add));
        mixed.chain(base).chain(changed)
    }

    /// Returns the expressions that the distribution itself evaluates, in order: its conditions, or the one that computes
    /// the time.
    pub fn exprs(&self) -> impl Iterator<Item = ExprId> {
        let (conditional, value, changes) = match &self.form {
            DistForm::Mix { conditional, .. } => (&conditional[..], None, &[][..]),
            DistForm::Computed { value, .. } => (&[][..], Some(*value), &[][..]),
            DistForm::Changed { changes, .. } => (&[][..], None, &changes[..]),
            _ => (&[][..], None, &[][..]),
        };
        conditional.iter().map(|(when, _)| *when).chain(value).chain(changes.iter().map(|change| change.when))
    }

    /// Returns the expressions that the distribution itself evaluates, mutably.
    pub fn exprs_mut(&mut self) -> impl Iterator<Item = &mut ExprId> {
        let (conditional, value, changes) = match &mut self.form {
            DistForm::Mix { conditional, .. } => (&mut conditional[..], None, &mut [][..]),
            DistForm::Computed { value, .. } => (&mut [][..], Some(value), &mut [][..]),
            DistForm::Changed { changes, .. } => (&mut [][..], None, &mut changes[..]),
            _ => (&mut [][..], None, &mut [][..]),
        };
        let changes = changes.iter_mut().map(|change| &mut change.when);
        conditional.iter_mut().map(|(when, _)| when).chain(value).chain(changes)
    }
}

impl Program {
    /// Returns all expressions that may be evaluated when a distribution is sampled: its own, and then those of its parts.
    pub(super) fn evaluated_by(&self, dist: DistId) -> impl Iterator<Item = ExprId> {
        self.made_of(dist).into_iter().flat_map(|dist| self.dists[dist.index()].exprs())
    }

    /// Returns a distribution, its parts, and the parts of these. A mix has no parts that have parts, and what is changed
    /// is not changed before.
    pub(super) fn made_of(&self, dist: DistId) -> Vec<DistId> {
        let parts: Vec<DistId> = self.dists[dist.index()].parts().collect();
        let inner = parts.iter().flat_map(|part| self.dists[part.index()].parts());
        std::iter::once(dist).chain(parts.iter().copied()).chain(inner).collect()
    }
}

impl Program {
    /// Returns the mean of the times of a distribution in ns, if those longer than `max` are cut to it, or `None` if it
    /// depends on values.
    pub(super) fn mean_time(&self, dist: DistId, max: u64) -> Option<f64> {
        let dist = &self.dists[dist.index()];
        let max = max.min(dist.max);
        match &dist.form {
            DistForm::Mix { conditional, weighted } if conditional.is_empty() => {
                let sum: f64 = weighted.iter().map(|(weight, _)| weight).sum();
                let parts = weighted.iter().map(|(weight, part)| Some(weight / sum * self.mean_time(*part, max)?));
                parts.sum()
            }
            form => Some(Curve::new(form)?.mean(max as f64)),
        }
    }
}

impl Program {
    /// Returns the least and the longest time of a distribution in ns, as far as they follow from its form.
    pub fn time_range(&self, dist: DistId) -> (u64, u64) {
        let dist = &self.dists[dist.index()];
        let min = match &dist.form {
            DistForm::Uniform { min, .. } | DistForm::Pareto { min, .. } => *min,
            DistForm::Points { points } => points.first().map_or(0, |first| first.time),
            DistForm::Mix { .. } => dist.parts().map(|part| self.time_range(part).0).min().unwrap_or(0),
            DistForm::Changed { base, changes } => {
                let bases = changes.iter().filter_map(|change| change.base).chain([*base]);
                let least = bases.map(|base| self.time_range(base).0).min().unwrap_or(0);
                let shorter = changes.iter().map(|change| change.times.min(1.0)).product::<f64>();
                (least as f64 * shorter) as u64
            }
            _ => 0,
        };
        (min.min(dist.max), dist.max)
    }
}

/// The program that is shown need not be verified.
impl Program {
    /// Formats a distribution.
    pub(super) fn show_dist(&self, dist: &Dist) -> impl Display {
        fmt::from_fn(move |f| {
            let point = |at: &Percentile| format!("p{} {}", at.percent, duration(at.time));
            let mut end = None;
            match &dist.form {
                DistForm::Uniform { min, max } if min == max => write!(f, "{}", duration(*min))?,
                DistForm::Uniform { min, max } => write!(f, "uniform {} {}", duration(*min), duration(*max))?,
                DistForm::Lognormal { low, high } => write!(f, "lognormal {} {}", point(low), point(high))?,
                DistForm::Points { points } => {
                    f.write_str("points")?;
                    points.iter().try_for_each(|at| write!(f, " {}", point(at)))?;
                }
                DistForm::Normal { mean, stddev } => {
                    write!(f, "normal mean {} stddev {}", duration(*mean), duration(*stddev))?;
                }
                DistForm::Exponential { mean } => write!(f, "exp mean {}", duration(*mean))?,
                DistForm::Pareto { min, alpha } => write!(f, "pareto min {} alpha {alpha}", duration(*min))?,
                DistForm::Mix { conditional, weighted } => {
                    f.write_str("mix")?;
                    for (when, part) in conditional {
                        write!(f, " when {} {part}", self.show_operand(*when))?;
                    }
                    weighted.iter().try_for_each(|(weight, part)| write!(f, " {weight} {part}"))?;
                    end = dist.parts().filter_map(|part| self.dists.get(part.index())).map(|part| part.max).max();
                }
                DistForm::Computed { value, unit } => {
                    write!(f, "{} times {}", self.show_operand(*value), duration(*unit))?;
                }
                DistForm::Changed { base, changes } => {
                    write!(f, "{base}")?;
                    for Change { when, base, times, add } in changes {
                        write!(f, " when {}", self.show_operand(*when))?;
                        base.map_or(Ok(()), |base| write!(f, " {base}"))?;
                        if *times != 1.0 {
                            write!(f, " x{times}")?;
                        }
                        add.map_or(Ok(()), |add| write!(f, " + {add}"))?;
                    }
                }
            }
            match (&dist.form, end) {
                (DistForm::Uniform { .. } | DistForm::Points { .. }, _) => Ok(()),
                (DistForm::Mix { .. }, Some(end)) if end <= dist.max => Ok(()),
                _ => write!(f, " max {}", duration(dist.max)),
            }
        })
    }
}
