//! The checks of the sources of traces.

use super::dists;
use super::rule::{Checked, require, within};
use super::violation::Place;
use super::violations::Found;
use crate::plan::{Dist, DistForm, Point, Program, SourceForm, limits};

pub(super) fn load(program: &Program, found: &mut Found) {
    let (mut before, mut peak) = (None, 0.0);
    for (at, source) in program.load.iter().enumerate() {
        let place = Place::Source(at);
        let rises = before.is_none_or(|before| before < source.scenario);
        found.check(require(place, rises, "sources are in the order of their scenarios, one for each"));
        before = Some(source.scenario);
        if let Some(scenario) = source.scenario {
            found.check(within(place, "scenario", scenario.0, program.scenarios.len()));
        }
        if found.check(form(place, &source.form)).is_some() {
            let changes = program.rate_changes(source) <= limits::RATE_CHANGES;
            found.check(require(place, changes, "a rate changes at most 100,000 times until its changes repeat"));
        }
        peak += match source.form {
            SourceForm::Rate { .. } => program.peak_rate(source),
            SourceForm::Job { every, .. } => 1e9 / every as f64,
        };
    }
    // This is also false if the sum is not a number.
    let is_possible = peak <= limits::LOAD_RATE;
    found.check(require(Place::Program, is_possible, "all sources make at most 100,000,000 traces a second"));
}

fn form(place: Place, form: &SourceForm) -> Checked {
    match form {
        SourceForm::Rate { points, cycle, .. } => rate(place, points, *cycle),
        SourceForm::Job { every, at, jitter } => {
            let possible = (limits::JOB_EVERY..=limits::LOAD_TIME).contains(every);
            require(place, possible, "a job starts every 1 ms to 100 years")?;
            require(place, at < every, "a job begins within its period")?;
            jitter.as_ref().map_or(Ok(()), |jitter| self::jitter(place, jitter, *every))
        }
    }
}

fn rate(place: Place, points: &[Point], cycle: Option<u64>) -> Checked {
    let last = points.last().map_or(0, |last| last.at);
    require(place, points.first().is_some_and(|first| first.at == 0), "the first point is at 0")?;
    require(place, points.windows(2).all(|two| two[0].at <= two[1].at), "points are in the order of their times")?;
    require(place, points.windows(3).all(|three| three[0].at < three[2].at), "at most two points are at one time")?;
    require(place, last <= limits::LOAD_TIME, "a load changes for at most 100 years")?;
    if let Some(cycle) = cycle {
        require(place, (1..=limits::LOAD_TIME).contains(&cycle), "a cycle lasts 1 ns to 100 years")?;
        require(place, last <= cycle, "a point is beyond the cycle")?;
    }
    // A rate that holds for no time makes no trace.
    let lasts = |at: usize| points.get(at + 1).map_or(cycle.is_none_or(|cycle| last < cycle), |p| p.at > points[at].at);
    let comes = |at: usize| at > 0 && points[at].at > points[at - 1].at;
    let some = (0..points.len()).any(|at| points[at].rate > 0 && (lasts(at) || comes(at)));
    require(place, some, "some rate is above 0")
}

fn jitter(place: Place, jitter: &Dist, every: u64) -> Checked {
    let is_plain = !matches!(jitter.form, DistForm::Mix { .. } | DistForm::Computed { .. } | DistForm::Changed { .. });
    require(place, is_plain, "a jitter reads no value and is no mix")?;
    require(place, jitter.max <= limits::DELAY, "a delay is at most 24 h")?;
    dists::form(place, jitter)?;
    require(place, jitter.max < every, "a jitter is shorter than the time between two starts")
}
