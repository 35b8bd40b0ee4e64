//! Times that are known but for the draw.

use crate::language::scenario::dist::{Form, Percentile as Point};
use crate::plan::{DistForm, Percentile};

/// Returns the form of a distribution that depends on no values, or `None` for others.
pub fn without_values(form: &Form) -> Option<DistForm> {
    Some(match form {
        Form::Uniform { min, max } => DistForm::Uniform { min: *min, max: *max },
        Form::Lognormal { low, high } => DistForm::Lognormal { low: percentile(low), high: percentile(high) },
        Form::Points(points) => DistForm::Points { points: points.iter().map(percentile).collect() },
        Form::Normal { mean, stddev } => DistForm::Normal { mean: *mean, stddev: *stddev },
        Form::Exponential { mean } => DistForm::Exponential { mean: *mean },
        Form::Pareto { min, alpha } => DistForm::Pareto { min: *min, alpha: *alpha },
        Form::Computed { .. } | Form::Mix { .. } => return None,
    })
}

fn percentile(point: &Point) -> Percentile {
    Percentile { percent: point.percent, time: point.time }
}
