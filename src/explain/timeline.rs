//! The statistics of spans over time, step by step, while incidents come and go and rates change.
//!
//! A span belongs to the step in which it starts. If the same incidents are in force in a step and for a while before and
//! after it, and traces come alike, its statistics are those of traces under these incidents, mixed by the rates of their
//! scenarios in the step. Samples are taken once for each set of incidents and each mix. The while is the margin, which is
//! the duration of the longest trace of the samples. In any other step, traces meet the beginning or the end of a window on
//! their way, or come in another number than before, so its statistics are those of a sample of its own: of the traces that
//! start in the step and in the margin before it, those spans that start in the step.

use super::exact::Expected;
use super::rates::{Mix, Rates, mix};
use super::sample::{self, Period, Seen};
use super::{Explanation, Parts};
use crate::interpreter::{Arrivals, Beginning, Epoch, Run, Schedule, ScheduleError};
use crate::plan::{InForce, Plan};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

/// The number of samples that are kept for steps to come.
const KEPT: usize = 32;

/// A question about a time. All times are in ns since 1970.
pub struct Question {
    pub plan: Arc<Plan>,
    /// The seed of the samples.
    pub seed: u64,
    /// The epoch of the run, which starts with it.
    pub epoch: Epoch,
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
    /// Whether they are in force in all of it, and in the margins before and after it, no others are, and traces come alike.
    pub is_steady: bool,
    /// The number of traces that start in it, per second.
    pub rate: f64,
    pub explanation: Arc<Explanation>,
}

/// The work on an answer.
struct Work<'a> {
    question: &'a Question,
    progress: &'a (dyn Fn(u64) + Sync),
    parts: Parts,
    rates: Rates,
    expected: BTreeMap<InForce, Expected>,
    sampled: BTreeMap<(InForce, Mix), Vec<Seen>>,
    /// The explanations of steady steps, with their incidents and rates, which others are likely to share.
    explained: Vec<(InForce, Vec<f64>, Arc<Explanation>)>,
}

/// Answers a question. `progress` is called now and then, on any thread, with the number of further traces that have been
/// generated.
///
/// # Errors
/// The time is out of the range of schedules, or the epoch is impossible.
pub fn timeline(question: &Question, progress: &(dyn Fn(u64) + Sync)) -> Result<Timeline, ScheduleError> {
    let Question { plan, seed, epoch, from, to, step, .. } = question;
    let start = epoch.opening;
    let run = Run::new(plan.clone(), *seed, Schedule::of(*epoch)?);
    let mut work = Work {
        question,
        progress,
        parts: Parts::of(plan),
        rates: Rates::new(plan, *seed, *epoch)?,
        expected: BTreeMap::new(),
        sampled: BTreeMap::new(),
        explained: vec![],
    };
    let bounds: Vec<(u64, u64)> = steps(*from, *to, *step).collect();
    // The margin is the longest of all samples, so these are taken first, with all scenarios that come at any time.
    let (mean, mut longest) = (work.rates.mean(), 0);
    for (from, to) in &bounds {
        for time in [*from].into_iter().chain(edges(&run, *from, *to)) {
            longest = longest.max(work.steady(&run.in_force(time), &mean)?.longest);
        }
    }
    // A histogram rounds, by less than a per cent.
    let margin = longest + longest / 100;
    let mut steps = Vec::with_capacity(bounds.len());
    for (from, to) in bounds {
        let mut in_force = run.in_force(from);
        let rates = work.rates.between(from, to);
        let is_steady = from >= start.saturating_add(margin)
            && edges(&run, from.saturating_sub(margin), to.saturating_add(margin)).next().is_none()
            && work.rates.is_steady(from, to, margin);
        let explanation = match is_steady {
            true => work.steady(&in_force, &rates)?,
            false => {
                in_force.extend(edges(&run, from, to).flat_map(|time| run.in_force(time)));
                work.unsteady(from.saturating_sub(margin).max(start).min(to - 1), Period { from, to })?
            }
        };
        steps.push(Step { from, to, in_force, is_steady, rate: rates.iter().sum(), explanation });
    }
    Ok(Timeline { steps, margin })
}

impl Work<'_> {
    /// Returns the explanation of traces that come at these rates while these incidents are in force.
    fn steady(&mut self, in_force: &InForce, rates: &[f64]) -> Result<Arc<Explanation>, ScheduleError> {
        let Question { plan, seed, epoch, samples, threads, .. } = self.question;
        // Of a time in which nothing comes, the figures are those of what comes at other times.
        let mean = self.rates.mean();
        let rates = if rates.iter().any(|rate| *rate > 0.0) { rates } else { &mean[..] };
        let known = self.explained.iter().find(|(of, by, _)| (of, &by[..]) == (in_force, rates));
        if let Some((_, _, explanation)) = known {
            return Ok(explanation.clone());
        }
        let key = (in_force.clone(), mix(rates));
        if !self.sampled.contains_key(&key) {
            if self.sampled.len() == KEPT {
                self.sampled.clear();
            }
            let plan = self.rates.plan_at(rates).unwrap_or_else(|| plan.clone());
            let pace = Arrivals::Even { count: 1, per_ns: 1_000_000_000 };
            let run = Arc::new(Run::under(plan, *seed, Schedule::new(epoch.opening, pace)?, in_force));
            let seen = sample::take(&run, &self.parts, *samples, *threads, None, self.progress);
            self.sampled.insert(key.clone(), seen);
        }
        let parts = &self.parts;
        let expected = self.expected.entry(in_force.clone()).or_insert_with(|| Expected::new(plan, in_force, parts));
        let exact = expected.figures(plan, rates, parts);
        let explanation = Arc::new(Explanation::of(parts, Some(exact), &self.sampled[&key], *samples));
        if self.explained.len() == KEPT {
            self.explained.clear();
        }
        self.explained.push((in_force.clone(), rates.to_vec(), explanation.clone()));
        Ok(explanation)
    }

    /// Returns the explanation of the spans that start in a period, of the traces that start from `opening` on.
    fn unsteady(&mut self, opening: u64, period: Period) -> Result<Arc<Explanation>, ScheduleError> {
        let Question { seed, epoch, samples, threads, .. } = self.question;
        let Some((plan, schedule)) = self.rates.replica(opening, period.to, *samples) else {
            let mean = self.rates.mean();
            return self.steady(&InForce::new(), &mean);
        };
        let began = Beginning { tag: 0, start: epoch.opening };
        let run = Arc::new(Run::going_on(plan, *seed, schedule, began));
        let last = run.starts().last_at_or_before(0, period.to - 1);
        let count = last.map_or(0, |last| last + 1).min(samples.saturating_mul(2));
        let seen = sample::take(&run, &self.parts, count, *threads, Some(period), self.progress);
        Ok(Arc::new(Explanation::of(&self.parts, None, &seen, count)))
    }
}

/// Returns the steps from `from` to before `to`.
fn steps(from: u64, to: u64, step: u64) -> impl Iterator<Item = (u64, u64)> {
    let count = to.saturating_sub(from).div_ceil(step);
    (0..count).map(move |at| (from + at * step, (from + at * step).saturating_add(step).min(to)))
}

/// Returns the times at which a window of any incident opens or closes, after `from` and before `to`.
fn edges(run: &Run, from: u64, to: u64) -> impl Iterator<Item = u64> + '_ {
    let windows = run.plan().incident_ids().flat_map(move |incident| run.windows(incident).between(from, to));
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
