//! The checks of single distributions.

use super::parameters::weighted;
use super::rule::{Checked, expr, require, within};
use super::violation::{Fault, Place};
use super::violations::Found;
use crate::plan::{Dist, DistForm, DistId, Percentile, Program, limits};

pub(super) fn dists(program: &Program, found: &mut Found) {
    for (i, dist) in program.dists.iter().enumerate() {
        let place = Place::Dist(DistId(i as u32));
        for id in dist.exprs() {
            found.check(expr(program, place, id));
        }
        for part in dist.parts() {
            found.check(part_of(program, place, i, part));
        }
        found.check(require(place, dist.max <= limits::DELAY, "a delay is at most 24 h"));
        found.check(form(place, dist));
    }
}

/// Checks a part of the distribution at position `at`.
fn part_of(program: &Program, place: Place, at: usize, part: DistId) -> Checked {
    within(place, "dist", part.0, program.dists.len())?;
    if part.index() >= at {
        return Err(place.broken(Fault::Part { part }));
    }
    match (&program.dists[at].form, &program.dists[part.index()].form) {
        (_, DistForm::Changed { .. }) => require(place, false, "what is changed is no part of another distribution"),
        (DistForm::Mix { .. }, DistForm::Mix { .. }) => require(place, false, "no part of a mix is a mix"),
        _ => Ok(()),
    }
}

/// Checks the parameters of a distribution's form.
pub(super) fn form(place: Place, dist: &Dist) -> Checked {
    match &dist.form {
        DistForm::Uniform { min, max } => {
            require(place, min <= max, "min is greater than max")?;
            ends_by(place, *max, dist.max)
        }
        DistForm::Lognormal { low, high } => {
            rising(place, &[*low, *high])?;
            require(place, low.time > 0, "a lognormal percentile is over 0")?;
            let inside = low.percent > 0.0 && high.percent < 100.0;
            require(place, inside, "lognormal percentiles are over 0 and below 100")
        }
        DistForm::Points { points } => {
            rising(place, points)?;
            let (first, last) = (points.first(), points.last());
            let whole = first.is_some_and(|p| p.percent == 0.0) && last.is_some_and(|p| p.percent == 100.0);
            require(place, whole, "points go from 0 to 100 percent")?;
            ends_by(place, last.map_or(0, |last| last.time), dist.max)
        }
        DistForm::Normal { .. } => Ok(()),
        DistForm::Exponential { mean } => {
            require(place, (1..=limits::DELAY).contains(mean), "a mean is over 0 and at most 24 h")
        }
        DistForm::Pareto { min, alpha } => {
            require(place, (1..=limits::DELAY).contains(min), "a Pareto scale is over 0 and at most 24 h")?;
            require(place, alpha.is_finite() && *alpha > 0.0, "a Pareto shape is over 0")
        }
        DistForm::Mix { weighted: parts, .. } => weighted(place, parts.iter().map(|(weight, _)| *weight)),
        DistForm::Computed { unit, .. } => {
            require(place, (1..=limits::DELAY).contains(unit), "a unit of time is over 0 and at most 24 h")
        }
        DistForm::Changed { changes, .. } => changes.iter().try_for_each(|change| {
            let is_factor = change.times.is_finite() && change.times >= 0.0;
            require(place, is_factor, "a factor is a finite number, at least 0")
        }),
    }
}

/// Checks that percentiles are in ascending order, and no two are the same.
fn rising(place: Place, points: &[Percentile]) -> Checked {
    let sound = points.iter().all(|p| (0.0..=100.0).contains(&p.percent) && p.time <= limits::DELAY);
    require(place, sound, "a percentile is 0 to 100, its time at most 24 h")?;
    let rising = points.windows(2).all(|pair| pair[0].percent < pair[1].percent && pair[0].time < pair[1].time);
    require(place, rising, "percentiles and their times rise")
}

/// Checks that a form with an end of its own ends by the end of its distribution, which would cut it otherwise.
fn ends_by(place: Place, end: u64, max: u64) -> Checked {
    require(place, max <= end, "a distribution's max is beyond the end of its form")
}
