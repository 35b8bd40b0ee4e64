//! The impact of an incident: its root causes, and what becomes of all services, operations and edges while it is in force.

use super::cause::{Cause, causes};
use super::rates::Rates;
use super::{Explanation, Figure, Part, explain};
use crate::interpreter::{Arrivals, Epoch, Run, Schedule, ScheduleError};
use crate::plan::{InForce, IncidentId, Plan};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The impact of an incident.
#[derive(Clone, Debug, PartialEq)]
pub struct Impact {
    pub incident: IncidentId,
    pub causes: Vec<Cause>,
    /// What it makes of rates: the factor, and the scenarios; none are named if it is for all.
    pub rate: Option<(f64, Vec<String>)>,
    /// The number of traces per second, on average, while no incident is in force, and while this one is.
    pub rates: [f64; 2],
    /// The parts that it touches, in the order of an explanation.
    pub touched: Vec<Touched>,
}

/// A part that an incident touches.
#[derive(Clone, Debug, PartialEq)]
pub struct Touched {
    /// The part while no incident is in force, and while this one is.
    pub before: Part,
    pub during: Part,
    /// The figures that differ.
    pub signals: Vec<Signal>,
}

/// A figure that people watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// The number of spans.
    Rate,
    /// The share of spans that fail.
    Errors,
    /// The percentiles of durations.
    Latency,
}

/// The relative difference above which a percentile of durations differs. A histogram is off by up to 0.2 %, and the tails
/// of two samples differ by some per cent.
const NOTICEABLE: f64 = 0.05;

/// Returns the impact of every incident in a run of one epoch, each as if it were the only one. `progress` is called now and
/// then, on any thread, with the number of further traces that have been generated.
///
/// # Errors
/// The epoch is impossible.
pub fn impacts(
    plan: &Arc<Plan>,
    seed: u64,
    epoch: Epoch,
    samples: u64,
    threads: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Impact>, ScheduleError> {
    let rates = Rates::new(plan, seed, epoch)?;
    let mean = rates.mean();
    let under = |in_force: &InForce, by: &[f64]| {
        let schedule = Schedule::new(epoch.opening, Arrivals::Even { count: 1, per_ns: 1_000_000_000 })?;
        let plan = rates.plan_at(by).or(rates.plan_at(&mean)).unwrap_or_else(|| plan.clone());
        let run = Run::under(plan, seed, schedule, in_force);
        Ok(explain(&Arc::new(run), samples, threads, progress))
    };
    let before = under(&InForce::new(), &mean)?;
    let incidents = plan.incident_ids();
    let impact = |incident| {
        let by = rates.mean_during(incident);
        let during = under(&InForce::from([incident]), &by)?;
        let change = plan.incidents[incident.index()].rate.as_ref();
        let rate = change.map(|change| {
            let names = change.scenarios.iter().map(|id| plan.scenario_name(*id).to_owned());
            (change.times, names.collect())
        });
        let rates = [mean.iter().sum(), by.iter().sum()];
        let touched = touched(&before, &during, rates);
        Ok(Impact { incident, causes: causes(plan, incident), rate, rates, touched })
    };
    incidents.map(impact).collect()
}

fn touched(before: &Explanation, during: &Explanation, rates: [f64; 2]) -> Vec<Touched> {
    let pairs = before.parts.iter().filter_map(|before| {
        let during = during.parts.iter().find(|part| part.subject == before.subject)?;
        Some((before, during))
    });
    let touched = pairs.map(|(before, during)| {
        let signals = signals(before, during, rates);
        Touched { before: before.clone(), during: during.clone(), signals }
    });
    touched.filter(|touched| !touched.signals.is_empty()).collect()
}

/// Returns the signals that move. `rates` are those of all traces, before and during the incident.
fn signals(before: &Part, during: &Part, rates: [f64; 2]) -> Vec<Signal> {
    let mut signals = vec![];
    // Without a change of rates, what stays the same is the number for each trace, whatever the rate is.
    let [earlier, later] = if rates[0] == rates[1] { [1.0; 2] } else { rates };
    if differ(before.frequency().times(earlier), during.frequency().times(later)) {
        signals.push(Signal::Rate);
    }
    if differ(before.failed, during.failed) {
        signals.push(Signal::Errors);
    }
    let slower = before.durations.zip(during.durations).is_some_and(|(before, during)| {
        let pairs = [(before.p50, during.p50), (before.p90, during.p90), (before.p99, during.p99)];
        pairs.into_iter().any(|(a, b)| a.abs_diff(b) as f64 > NOTICEABLE * a.max(1) as f64)
    });
    if slower {
        signals.push(Signal::Latency);
    }
    signals
}

/// Reports whether two figures certainly differ.
fn differ(one: Figure, other: Figure) -> bool {
    let range = |figure: Figure| match figure {
        Figure::Exact(value) => Some((value, value)),
        Figure::Sampled { low, high, .. } => Some((low, high)),
        Figure::Unknown => None,
    };
    let Some(((low, high), (other_low, other_high))) = range(one).zip(range(other)) else { return false };
    // Sums of parts of 1 are off by rounding.
    let tolerance = 1e-9 * high.max(other_high);
    low > other_high + tolerance || other_low > high + tolerance
}
