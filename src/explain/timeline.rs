//! The statistics of spans over time, step by step, while incidents come and go.
//!
//! A span belongs to the step in which it starts. If the same incidents are in force in a step and for a while before and
//! after it, its statistics are those of traces under these incidents, which are computed once for each set of incidents.
//! The while is the margin, which is the duration of the longest trace of the samples. In any other step, traces meet the
//! beginning or the end of a window on their way, so its statistics are those of a sample of its own: of the traces that
//! start in the step and in the margin before it, those spans that start in the step.

use super::sample::{self, Period};
use super::{Explanation, Parts, explain};
use crate::interpreter::{Arrivals, Beginning, Run, Schedule, ScheduleError};
use crate::plan::{InForce, IncidentId, Plan};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// A question about a time. All times are in ns since 1970.
pub struct Question {
    pub plan: Arc<Plan>,
    /// The seed of the samples.
    pub seed: u64,
    /// The start of the run, from which the windows of incidents follow.
    pub start: u64,
    /// The steps reach from here to before `to`.
    pub from: u64,
    pub to: u64,
    /// The length of a step in ns, at least 1; the last one may be shorter.
    pub step: u64,
    /// The number of traces in each sample, at least 1.
    pub samples: u64,
    pub threads: NonZeroUsize,
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    pub steps: Vec<Step>,
    /// The margin in ns.
    pub margin: u64,
}

/// A step of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The step reaches from here to before `to`, in ns since 1970.
    pub from: u64,
    pub to: u64,
    /// The incidents that are in force in the step, or in a part of it.
    pub in_force: InForce,
    /// Whether they are in force in all of it, and in the margins before and after it, and no others are.
    pub is_steady: bool,
    pub explanation: Arc<Explanation>,
}

/// Answers a question. `progress` is called now and then, on any thread, with the number of further traces that have been
/// generated.
///
/// # Errors
/// The time is out of the range of schedules.
pub fn timeline(question: &Question, progress: &(dyn Fn(u64) + Sync)) -> Result<Timeline, ScheduleError> {
    let Question { plan, seed, start, from, to, step, samples, threads } = question;
    let pace = Arrivals::Even { count: 1, per_ns: 1_000_000_000 };
    let run = Run::new(plan.clone(), *seed, Schedule::new(*start, pace)?);
    let mut states: BTreeMap<InForce, Arc<Explanation>> = BTreeMap::new();
    let mut state = |in_force: &InForce| -> Result<Arc<Explanation>, ScheduleError> {
        if let Some(known) = states.get(in_force) {
            return Ok(known.clone());
        }
        let run = Run::under(plan.clone(), *seed, Schedule::new(*start, pace)?, in_force);
        let explanation = Arc::new(explain(&Arc::new(run), *samples, *threads, progress));
        states.insert(in_force.clone(), explanation.clone());
        Ok(explanation)
    };
    let bounds: Vec<(u64, u64)> = steps(*from, *to, *step).collect();
    // The margin is the longest of all samples, so these are taken first.
    for (from, to) in &bounds {
        for time in [*from].into_iter().chain(edges(&run, *from, *to)) {
            state(&run.in_force(time))?;
        }
    }
    let longest = states.values().map(|explanation| explanation.longest).max().unwrap_or(0);
    // A histogram rounds, by less than a per cent.
    let margin = longest + longest / 100;
    let parts = Parts::of(plan);
    let mut steps = Vec::with_capacity(bounds.len());
    for (from, to) in bounds {
        let mut in_force = run.in_force(from);
        let is_steady = from >= start.saturating_add(margin)
            && edges(&run, from.saturating_sub(margin), to.saturating_add(margin)).next().is_none();
        let explanation = match states.get(&in_force).filter(|_| is_steady) {
            Some(steady) => steady.clone(),
            None => {
                in_force.extend(edges(&run, from, to).flat_map(|time| run.in_force(time)));
                let opening = from.saturating_sub(margin).max(*start).min(to - 1);
                let arrivals = Arrivals::Even { count: *samples, per_ns: to - opening };
                let began = Beginning { tag: 0, start: *start };
                let run = Arc::new(Run::going_on(plan.clone(), *seed, Schedule::new(opening, arrivals)?, began));
                let period = Period { from, to };
                let seen = sample::take(&run, &parts, *samples, *threads, Some(period), progress);
                Arc::new(Explanation::of(&parts, None, &seen, *samples))
            }
        };
        steps.push(Step { from, to, in_force, is_steady, explanation });
    }
    Ok(Timeline { steps, margin })
}

/// Returns the steps from `from` to before `to`.
fn steps(from: u64, to: u64, step: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = to.saturating_sub(from).div_ceil(step);
    (0..count).map(move |at| (from + at * step, (from + at * step).saturating_add(step).min(to)))
}

/// Returns the times at which a window of any incident opens or closes, after `from` and before `to`.
fn edges(run: &Run, from: u64, to: u64) -> impl Iterator<Item = u64> + '_ {
    let incidents = (0..run.plan().incidents.len()).map(|at| IncidentId(at as u32));
    let windows = incidents.flat_map(move |incident| run.windows(incident).between(from, to));
    windows.flat_map(|window| [window.start, window.end]).filter(move |time| (from + 1..to).contains(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_cover_the_time_without_gaps() {
        assert_eq!(steps(10, 40, 10).collect::<Vec<_>>(), [(10, 20), (20, 30), (30, 40)]);
        assert_eq!(steps(10, 35, 20).collect::<Vec<_>>(), [(10, 30), (30, 35)]);
        assert_eq!(steps(10, 10, 20).count(), 0);
    }
}
