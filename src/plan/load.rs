//! The load: when traces of which scenarios start, as far as the scenario files say so.

use super::Program;
use super::dist::Dist;
use super::id::ScenarioId;
use super::incident::{DAY, Incident, Opening, RateChange};
use super::notation::duration;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display};

/// The number of units of a rate in one trace a day. With hundred-thousandths, rates such as `40/s`, `100/m` and `1/d` are
/// whole numbers of units.
const UNITS_A_DAY: u64 = 100_000;
/// The number of units of a rate in one trace a second.
pub const UNITS_A_SECOND: u64 = UNITS_A_DAY * 86_400;
/// The mass of one trace: a rate of one unit has a mass of 1 in each ns.
pub const TRACE_MASS: u128 = UNITS_A_SECOND as u128 * 1_000_000_000;

/// A source of traces. A scenario has at most one of its own, and the others share at most one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The scenario whose traces arrive; `None` for all scenarios that have no source of their own, by weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<ScenarioId>,
    pub form: SourceForm,
}

/// When the traces of a source start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceForm {
    /// Traces arrive at a rate that is linear between points.
    Rate {
        /// Whether they arrive at random, as a Poisson process, and not evenly.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        poisson: bool,
        /// The points in the order of their times, the first one at 0. Of two at one time the second one holds from then
        /// on. The last rate goes on until the cycle is over, or without an end.
        points: Vec<Point>,
        /// The length in ns of the cycle in which the points repeat, whose phase is 0 at 1970-01-01T00:00:00Z. Without one,
        /// times are counted from the beginning of the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cycle: Option<u64>,
    },
    /// One trace starts at each of the times `at`, `at + every`, `at + 2 every`, ... (in ns since 1970).
    Job {
        every: u64,
        at: u64,
        /// The time by which a start is later, drawn for each. It is below `every`, so that starts stay in order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jitter: Option<Dist>,
    },
}

/// A rate at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The time in ns since the cycle, or the run, began.
    pub at: u64,
    /// The rate in units: 8,640,000,000 are one trace a second.
    pub rate: u64,
}

impl SourceForm {
    /// Returns the mean rate in traces per second: of a cycle, or else of the time up to the last point.
    pub fn mean_rate(&self) -> f64 {
        let (points, cycle) = match self {
            SourceForm::Rate { points, cycle, .. } => (points, cycle),
            SourceForm::Job { every, .. } => return 1e9 / *every as f64,
        };
        let last = points.last().map_or(Point { at: 0, rate: 0 }, |last| *last);
        let end = cycle.unwrap_or(last.at);
        if end == 0 {
            return per_second(last.rate as f64);
        }
        let area = |[from, to]: [Point; 2]| (from.rate as f64 + to.rate as f64) / 2.0 * (to.at - from.at) as f64;
        let between: f64 = points.windows(2).map(|pair| area([pair[0], pair[1]])).sum();
        per_second((between + last.rate as f64 * (end - last.at) as f64) / end as f64)
    }

    /// Returns the highest rate in traces per second.
    pub fn peak_rate(&self) -> f64 {
        match self {
            SourceForm::Rate { points, .. } => {
                per_second(points.iter().map(|point| point.rate).max().unwrap_or(0) as f64)
            }
            SourceForm::Job { .. } => self.mean_rate(),
        }
    }
}

/// Converts a rate in units to traces per second.
fn per_second(units: f64) -> f64 {
    units / UNITS_A_SECOND as f64
}

impl Program {
    /// Returns the factor by which the weight of its scenario multiplies a source: the weight, but a scheduled job, which
    /// has no rate, only is or is not.
    pub fn own_factor(&self, source: &Source) -> f64 {
        let scenario = source.scenario.and_then(|scenario| self.scenarios.get(scenario.index()));
        let weight = scenario.map_or(1.0, |scenario| scenario.weight);
        match source.form {
            SourceForm::Rate { .. } => weight,
            SourceForm::Job { .. } => f64::from(u8::from(weight > 0.0)),
        }
    }

    /// Returns the changes of rates that affect a source, with the incidents that make them.
    pub fn changes<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = (&'a Incident, &'a RateChange)> {
        let changes = self.incidents.iter().filter_map(|incident| Some((incident, incident.rate.as_ref()?)));
        let is_rate = matches!(source.form, SourceForm::Rate { .. });
        changes.filter(move |(_, change)| {
            let shares = |scenario: &ScenarioId| self.own_source(*scenario).is_none();
            let affects_shared = || change.scenarios.is_empty() || change.scenarios.iter().any(shares);
            is_rate && source.scenario.map_or_else(affects_shared, |scenario| change.affects(scenario))
        })
    }

    /// Returns the highest rate of a source in traces per second, with the weight of its scenario, if all incidents that raise
    /// it are in force at that time.
    pub fn peak_rate(&self, source: &Source) -> f64 {
        let raised: f64 = self.changes(source).map(|(_, change)| change.times.max(1.0)).product();
        source.form.peak_rate() * self.own_factor(source) * raised
    }

    /// Returns an upper bound on the number of stretches of time in which a source's rate changes evenly, in a table of them
    /// that repeats.
    pub fn rate_changes(&self, source: &Source) -> u128 {
        let SourceForm::Rate { points, cycle, .. } = &source.form else { return 0 };
        let last = points.last().map_or(0, |last| last.at);
        let (mut settled, mut period, mut changes) = (if cycle.is_some() { 0 } else { last }, cycle.map(u128::from), 0);
        let mut periods = vec![];
        for (incident, _) in self.changes(source) {
            let windows = incident.windows(0);
            // A run may start at any time of the day.
            let waits = if let (Opening::TimeOfDay(_), None) = (incident.at, incident.every) { DAY } else { 0 };
            settled = settled.max(windows.settled().saturating_add(waits));
            changes += 2;
            if let Some(every) = windows.period() {
                period = Some(period.map_or(every.into(), |period| lcm(period, every.into())));
                periods.push(every);
            }
        }
        if changes == 0 {
            return points.len() as u128;
        }
        let time = settled as u128 + period.unwrap_or(0);
        let repeated: u128 = periods.into_iter().map(|every| 2 * (time / every as u128 + 1)).sum();
        let turns = cycle.map_or(1, |cycle| time / cycle as u128 + 1);
        changes + repeated + turns * (points.len() as u128 + 1)
    }

    /// Returns the source of the scenario itself, if it has one.
    pub fn own_source(&self, scenario: ScenarioId) -> Option<&Source> {
        let at = self.load.binary_search_by_key(&Some(scenario), |source| source.scenario).ok()?;
        Some(&self.load[at])
    }

    /// Returns in the words of the listing when the traces of a scenario start, if it has a source of its own.
    pub fn own_load(&self, scenario: ScenarioId) -> Option<String> {
        self.own_source(scenario).map(|source| self.show_source(source).to_string())
    }

    /// Returns the source that the scenarios without one of their own share, if there is one.
    pub fn shared_source(&self) -> Option<&Source> {
        self.load.first().filter(|source| source.scenario.is_none())
    }

    /// Returns for each scenario whether it has a source of its own.
    pub fn have_own_source(&self) -> Vec<bool> {
        let mut own = vec![false; self.scenarios.len()];
        for scenario in self.load.iter().filter_map(|source| source.scenario) {
            own[scenario.index()] = true;
        }
        own
    }

    /// Formats when the traces of a source start.
    pub(super) fn show_source<'a>(&'a self, source: &'a Source) -> impl Display + 'a {
        fmt::from_fn(move |f| match &source.form {
            SourceForm::Rate { poisson, points, cycle } => {
                f.write_str(if *poisson { "poisson" } else { "constant" })?;
                let mut before = None;
                for point in points {
                    match before {
                        None => write!(f, " {}", rate(point.rate))?,
                        Some(at) => write!(f, " for {} {}", duration(point.at.saturating_sub(at)), rate(point.rate))?,
                    }
                    before = Some(point.at);
                }
                cycle.map_or(Ok(()), |cycle| write!(f, " cycle {}", duration(cycle)))
            }
            SourceForm::Job { every, at, jitter } => {
                write!(f, "every {} at {}", duration(*every), duration(*at))?;
                jitter.as_ref().map_or(Ok(()), |jitter| write!(f, " jitter {}", self.show_dist(jitter)))
            }
        })
    }
}

/// Returns the least common multiple of two periods, at most 2^126.
pub fn lcm(one: u128, other: u128) -> u128 {
    let (mut a, mut b) = (one, other);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    (one / a.max(1)).saturating_mul(other).min(1 << 126)
}

/// Formats a rate in the shortest unit of time in which it has at most five decimals: `40/s`, `100/m`, `1/d`.
fn rate(units: u64) -> impl Display {
    fmt::from_fn(move |f| {
        // A day has the last word, because every rate has five decimals in it.
        let names = [("s", 86_400), ("m", 1_440), ("h", 24), ("d", 1)];
        let fitting = names.into_iter().find(|(_, parts)| units.is_multiple_of(*parts));
        let (name, parts) = fitting.unwrap_or(("d", 1));
        let (whole, rest) = (units / parts / UNITS_A_DAY, units / parts % UNITS_A_DAY);
        write!(f, "{whole}")?;
        if rest > 0 {
            write!(f, ".{}", format!("{rest:05}").trim_end_matches('0'))?;
        }
        write!(f, "/{name}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_shown_as_it_is_written() {
        let second = UNITS_A_SECOND;
        let shown = [40 * second, second / 2, second * 100 / 60, second / 3_600, UNITS_A_DAY, 0, 1].map(rate);
        let shown = shown.map(|rate| rate.to_string());
        assert_eq!(shown, ["40/s", "0.5/s", "100/m", "1/h", "1/d", "0/s", "0.00001/d"]);
    }

    #[test]
    fn the_mean_is_the_area_below_the_rate() {
        let second = UNITS_A_SECOND;
        let point = |at: u64, rate: u64| Point { at, rate: rate * second };
        let mean =
            |points: &[Point], cycle| SourceForm::Rate { poisson: false, points: points.into(), cycle }.mean_rate();
        assert_eq!(mean(&[point(0, 7)], None), 7.0);
        assert_eq!(mean(&[point(0, 0), point(10, 20)], None), 10.0);
        assert_eq!(mean(&[point(0, 0), point(10, 20)], Some(20)), 15.0);
        assert_eq!(mean(&[point(0, 0), point(10, 0), point(10, 4), point(20, 4)], Some(20)), 2.0);
        let job = SourceForm::Job { every: 500_000_000, at: 0, jitter: None };
        assert_eq!((job.mean_rate(), job.peak_rate()), (2.0, 2.0));
    }
}
