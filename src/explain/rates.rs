//! How often the traces of each scenario start, and plans whose traces come as often as at a time.

use crate::interpreter::{Arrivals, Epoch, LoadTerms, Schedule, ScheduleError, Starts};
use crate::plan::{IncidentId, Plan, Point, Program, ScenarioId, Source, SourceForm, UNITS_A_SECOND};
use std::sync::Arc;

const SECOND: u64 = 1_000_000_000;
/// The length in ns of the burst that stands for a start of a scheduled job.
const BURST: u64 = 1_000_000;
/// The number of starts of a job from which on they count as even.
const MANY: u64 = 1_000;

/// The rates of a run's scenarios over time.
pub struct Rates {
    plan: Arc<Plan>,
    epoch: Epoch,
    starts: Starts,
}

/// Shares of scenarios, so coarse that nobody notices a difference between two that are equal.
pub type Mix = Vec<i16>;

impl Rates {
    /// Makes the rates of a run by its plan, its seed and its only epoch.
    ///
    /// # Errors
    /// The epoch is impossible.
    pub fn new(plan: &Arc<Plan>, seed: u64, epoch: Epoch) -> Result<Rates, ScheduleError> {
        let starts = Starts::new(plan, seed, Schedule::of(epoch)?, epoch.opening);
        Ok(Rates { plan: plan.clone(), epoch, starts })
    }

    /// Returns the mean rates of scenarios in traces per second, without incidents.
    pub fn mean(&self) -> Vec<f64> {
        self.epoch.mean_rates(&self.plan)
    }

    /// Returns the mean rates of scenarios in traces per second while this incident is in force, and no other.
    pub fn mean_during(&self, incident: IncidentId) -> Vec<f64> {
        let mut rates = self.mean();
        let Some(change) = &self.plan.incidents[incident.index()].rate else { return rates };
        for id in self.plan.scenario_ids().filter(|id| change.affects(*id)) {
            let source = match self.plan.own_source(id) {
                Some(source) => self.epoch.load.and(Some(source)),
                None if self.epoch.arrivals == Arrivals::Load => self.plan.shared_source(),
                None => None,
            };
            if source.is_some_and(|source| matches!(source.form, SourceForm::Rate { .. })) {
                rates[id.index()] *= change.times;
            }
        }
        rates
    }

    /// Returns the rates of scenarios at a time in ns since 1970.
    pub fn at(&mut self, time: u64) -> Vec<f64> {
        self.starts.rates(time)
    }

    /// Returns the mean rates of scenarios from `from` to before `to`, in ns since 1970.
    pub fn between(&mut self, from: u64, to: u64) -> Vec<f64> {
        let seconds = to.saturating_sub(from).max(1) as f64 / SECOND as f64;
        self.starts.expected(from, to).into_iter().map(|count| count / seconds).collect()
    }

    /// Reports whether traces come alike from `from` to before `to` and in the margin before, in ns since 1970: the rates are
    /// nearly the same, and no job starts.
    pub fn is_steady(&mut self, from: u64, to: u64, margin: u64) -> bool {
        if self.plan.load.is_empty() {
            return true;
        }
        let opening = from.saturating_sub(margin).max(self.epoch.opening);
        let is_job = |source: &&Source| matches!(source.form, SourceForm::Job { .. });
        let jobs = self.plan.load.iter().filter(is_job);
        let is_quiet =
            jobs.into_iter().all(|job| jobs_between(&job.form, opening, to).is_none_or(|starts| starts.is_empty()));
        is_quiet
            && (opening == from || {
                let (before, during) = (self.between(opening, from), self.between(from, to));
                before.iter().zip(&during).all(|(before, during)| (before - during).abs() <= 0.02 * before.max(*during))
            })
    }

    /// Returns a plan without a load whose traces come at these rates, in traces per second, or `None` if none comes.
    pub fn plan_at(&self, rates: &[f64]) -> Option<Arc<Plan>> {
        if self.plan.load.is_empty() {
            return Some(self.plan.clone());
        }
        let mut program: Program = (**self.plan).clone();
        program.load.clear();
        program.scenarios.iter_mut().zip(rates).for_each(|(scenario, rate)| scenario.weight = *rate);
        Plan::verify(program).ok().map(Arc::new)
    }

    /// Returns a plan and a schedule of about so many traces, which start from `opening` to before `to` (in ns since 1970) as
    /// they do in the run, but closer together; or `None` if none does.
    pub fn replica(&mut self, opening: u64, to: u64, samples: u64) -> Option<(Arc<Plan>, Schedule)> {
        if self.plan.load.is_empty() {
            let arrivals = Arrivals::Even { count: samples, per_ns: to - opening };
            return Some((self.plan.clone(), Schedule::new(opening, arrivals).ok()?));
        }
        let count: f64 = self.starts.expected(opening, to).iter().sum();
        let factor = (samples as f64 / count * LoadTerms::ONE as f64).round();
        if !factor.is_finite() {
            return None;
        }
        let anchor = self.epoch.load.map_or(self.epoch.opening, |load| load.anchor);
        let mut program: Program = (**self.plan).clone();
        if self.epoch.arrivals != Arrivals::Load {
            self.share_evenly(&mut program);
        }
        for source in &mut program.load {
            let form = std::mem::replace(&mut source.form, even(0));
            let (form, comes) = without_chance(form, anchor, opening, to);
            source.form = form;
            if let (Some(scenario), false) = (source.scenario, comes) {
                program.scenarios[scenario.index()].weight = 0.0;
            }
        }
        let factor = (factor as u64).clamp(1, LoadTerms::MAX_FACTOR);
        let load = Some(LoadTerms { anchor, factor });
        let plan = Plan::verify(program).ok()?;
        Some((plan.into(), Schedule::of(Epoch { first: 0, opening, arrivals: Arrivals::Load, load }).ok()?))
    }

    /// Puts an even rate, which no incident multiplies, in the place of what scenarios share.
    fn share_evenly(&self, program: &mut Program) {
        let own: Vec<ScenarioId> = program.load.iter().filter_map(|source| source.scenario).collect();
        for change in program.incidents.iter_mut().filter_map(|incident| incident.rate.as_mut()) {
            let affected = own.iter().copied().filter(|id| change.affects(*id)).collect();
            change.scenarios = affected;
        }
        program.incidents.iter_mut().for_each(|i| i.rate = i.rate.take().filter(|change| !change.scenarios.is_empty()));
        program.load.retain(|source| source.scenario.is_some());
        let rate = (self.epoch.arrivals.mean_rate() * UNITS_A_SECOND as f64).round() as u64;
        if own.len() < program.scenarios.len() {
            program.load.insert(0, Source { scenario: None, form: even(rate) });
        }
    }
}

/// Returns a measure of the shares of rates: equal ones differ by a few per cent at most.
pub fn mix(rates: &[f64]) -> Mix {
    let sum: f64 = rates.iter().sum();
    let step = |rate: &f64| if *rate > 0.0 { (libm::log(rate / sum) * 50.0).round() as i16 } else { i16::MIN };
    rates.iter().map(step).collect()
}

fn even(rate: u64) -> SourceForm {
    SourceForm::Rate { poisson: false, points: vec![Point { at: 0, rate }], cycle: None }
}

/// Returns the times from `from` to before `to` for which a job is scheduled, in ns since 1970; `None` for many.
fn jobs_between(form: &SourceForm, from: u64, to: u64) -> Option<Vec<u64>> {
    let SourceForm::Job { every, at, jitter } = form else { return Some(vec![]) };
    let latest = jitter.as_ref().map_or(0, |jitter| jitter.max);
    let first = from.saturating_sub(latest).saturating_sub(*at).div_ceil(*every);
    let times = (first..).map(|number| at + number * every).take_while(|time| *time < to);
    let times: Vec<u64> = times.take(MANY as usize).collect();
    ((times.len() as u64) < MANY).then_some(times)
}

/// Returns a form without chance, whose traces come from `opening` to before `to` as often, and whether any does. Times of points
/// are counted from `anchor`. All times are in ns since 1970.
fn without_chance(form: SourceForm, anchor: u64, opening: u64, to: u64) -> (SourceForm, bool) {
    let (every, length) = match form {
        SourceForm::Rate { points, cycle, .. } => return (SourceForm::Rate { poisson: false, points, cycle }, true),
        SourceForm::Job { every, ref jitter, .. } => (every, jitter.as_ref().map_or(0, |jitter| jitter.max).max(BURST)),
    };
    let unit = |length: u64| (UNITS_A_SECOND as u128 * SECOND as u128 / length as u128) as u64;
    let Some(times) = jobs_between(&form, opening, to) else { return (even(unit(every)), true) };
    let length = length.min(every);
    let rate = unit(length);
    let mut points = vec![Point { at: 0, rate: 0 }];
    for at in times.into_iter().map(|time| time.saturating_sub(anchor)) {
        let end = at + length;
        match points.pop() {
            // It begins when the one before ends, or with the run.
            Some(last) if last.at == at && points.is_empty() => {}
            Some(last) if last.at == at => drop(points.pop()),
            last => points.extend(last.into_iter().chain([Point { at, rate: 0 }])),
        }
        points.extend([Point { at, rate }, Point { at: end, rate }, Point { at: end, rate: 0 }]);
    }
    match points.len() {
        1 => (even(1), false),
        _ => (SourceForm::Rate { poisson: false, points, cycle: None }, true),
    }
}
