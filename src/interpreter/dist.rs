//! Distributions of times, prepared for sampling.

use super::random::{scaled, unit};
use super::tables::cumulative;
use crate::plan::{Change, Curve, Dist, DistForm, DistId, ExprId, Plan};

/// All distributions of a plan, by their ids.
pub(super) struct Dists(Box<[Prepared]>);

pub(super) struct Prepared {
    pub source: Source,
    /// The longest time in ns.
    pub max: u64,
}

/// How a time is drawn.
pub(super) enum Source {
    /// Uniform over `min..=min + range`.
    Uniform {
        min: u64,
        range: u64,
    },
    Curve(Curve),
    Mix {
        conditional: Box<[(ExprId, DistId)]>,
        weighted: Box<[DistId]>,
        /// The ends of the parts' shares, in units of 2^-32.
        ends: Box<[u64]>,
    },
    /// The value of an expression, in units of `unit` ns.
    Computed {
        value: ExprId,
        unit: f64,
    },
    Changed {
        base: DistId,
        changes: Box<[Change]>,
    },
}

impl Source {
    /// Returns the time in ns that a 64-bit draw gives, without the cut at the maximum; it is 0 for a mix, and for a
    /// computed or changed time.
    #[inline(always)]
    pub fn drawn(&self, draw: impl FnOnce() -> u64) -> u64 {
        match self {
            Source::Uniform { min, range: 0 } => *min,
            Source::Uniform { min, range } => min + scaled(draw(), *range),
            Source::Curve(curve) => whole(curve.at(unit(draw()))),
            Source::Mix { .. } | Source::Computed { .. } | Source::Changed { .. } => 0,
        }
    }
}

/// Returns the nearest whole number of ns, at least 0.
pub(super) fn whole(time: f64) -> u64 {
    // The cast limits a value that is out of range to the nearest valid one.
    libm::round(time) as u64
}

impl Prepared {
    /// Returns the time that a 64-bit draw gives, in ns; it is 0 for a mix, and for a computed or changed time.
    pub fn draw(&self, draw: u64) -> u64 {
        self.source.drawn(|| draw).min(self.max)
    }
}

impl Dists {
    pub fn new(plan: &Plan) -> Self {
        Dists(plan.dists.iter().map(prepare).collect())
    }

    pub fn get(&self, id: DistId) -> &Prepared {
        &self.0[id.index()]
    }
}

/// Prepares a distribution for sampling.
pub(super) fn prepare(dist: &Dist) -> Prepared {
    let source = match &dist.form {
        DistForm::Uniform { min, max } => Source::Uniform { min: *min, range: max - min },
        DistForm::Computed { value, unit } => Source::Computed { value: *value, unit: *unit as f64 },
        DistForm::Mix { conditional, weighted } => {
            let weights: Vec<f64> = weighted.iter().map(|(weight, _)| *weight).collect();
            let weighted = weighted.iter().map(|(_, part)| *part).collect();
            Source::Mix { conditional: conditional.clone(), weighted, ends: cumulative(&weights) }
        }
        DistForm::Changed { base, changes } => Source::Changed { base: *base, changes: changes.clone() },
        DistForm::Lognormal { .. } | DistForm::Points { .. } | DistForm::Normal { .. } => curve(&dist.form),
        DistForm::Exponential { .. } | DistForm::Pareto { .. } => curve(&dist.form),
    };
    Prepared { source, max: dist.max }
}

fn curve(form: &DistForm) -> Source {
    Source::Curve(Curve::new(form).expect("only mixes and what is computed have no curve"))
}
