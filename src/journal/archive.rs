//! The traces of a run, made again: from a journal to the run that stood behind an index or an id.

use super::manifest::{Era, Manifest, ManifestError, Plans, Totals};
use super::{Ending, Selection};
use crate::interpreter::{Epoch, Identity, Interpreter, MAX_INDEX, Run, Schedule, ScheduleError};
use crate::plan::{Plan, Violations};
use crate::trace::Trace;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Eras that a session keeps, and so with [`Plans::MOST`]; beyond them the oldest but the first, which the tag follows from, are
/// forgotten.
const MOST_ERAS: usize = 10_000;
/// Most shards of a run, as `--shard` takes them.
const MOST_SHARDS: u64 = 1_000_000;
/// Runs kept ready: an index is likely to be near the last that was asked for.
const READY: usize = 4;

/// The journal of a run, ready to be asked.
#[derive(Clone)]
pub struct Archive {
    identity: Identity,
    seed: u64,
    selection: Selection,
    /// In order.
    eras: Vec<Era>,
    plans: BTreeMap<String, Arc<Plan>>,
    /// There are epochs by what was achieved, of which only a run that has ended tells.
    full_speed: bool,
    /// By the first index of their era.
    ready: VecDeque<(u64, Arc<Run>)>,
}

/// What a trace id is to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// Trace `index` of it.
    Ours { index: u64 },
    /// Of another run with the same seed.
    OtherRun { tag: u32, index: u64 },
    /// Not made with this seed.
    Foreign,
}

impl Archive {
    /// Of a run, as it is about to begin or as it ended.
    pub fn of(run: &Run, selection: Selection, ending: Option<&Ending>) -> Archive {
        let mut archive = Archive::so_far(run, selection, ending.map_or(run.schedule(), |ending| &ending.schedule));
        if let Some(ending) = ending {
            archive.end(ending.end);
            ending.stopped.into_iter().for_each(|time| archive.stop(0, time));
        }
        archive
    }

    /// Of a run that goes on, with the epochs it has come to.
    pub fn so_far(run: &Run, selection: Selection, schedule: &Schedule) -> Archive {
        let mut archive = Archive::new(run, selection);
        schedule.epochs().iter().for_each(|epoch| archive.begin(*epoch, run.plan(), BTreeMap::new()));
        archive
    }

    /// Of a run in which no era has begun.
    pub(crate) fn new(run: &Run, selection: Selection) -> Archive {
        Archive {
            identity: run.identity().clone(),
            seed: run.seed(),
            selection,
            eras: vec![],
            plans: BTreeMap::new(),
            full_speed: false,
            ready: VecDeque::new(),
        }
    }

    /// From what a run has written down.
    ///
    /// # Errors
    /// The parts of the manifest don't belong together.
    pub fn open(manifest: &Manifest) -> Result<Archive, ManifestError> {
        let Manifest { seed, tag, selection, eras, plans: documents, .. } = manifest;
        for (k, n) in [selection.shard].into_iter().chain(eras.iter().map(|era| era.shard)) {
            if k >= n || n > MOST_SHARDS {
                return Err(ManifestError::Shard(k, n));
            }
        }
        // Before anything is done with each.
        if !of_shards(eras) && eras.len() > MOST_ERAS {
            return Err(ManifestError::TooMany { eras: MOST_ERAS });
        }
        let mut plans = BTreeMap::new();
        for (digest, file) in documents.iter() {
            let plan = Plan::read_file(file.as_bytes())
                .map_err(|error| ManifestError::Plan { digest: digest.into(), error })?;
            if plan.digest_hex() != digest {
                return Err(ManifestError::Digest { written: digest.into(), found: plan.digest_hex() });
            }
            plans.insert(digest.into(), Arc::new(plan));
        }
        if of_shards(eras) {
            check_shards(eras, selection)?
        } else {
            check_order(eras)?
        }
        let epochs: Vec<Epoch> = eras.iter().map(|era| era.epoch).collect();
        Schedule::try_from(epochs).map_err(ManifestError::Schedule)?;
        let mut archive = Archive {
            identity: Identity::new(*seed, 0),
            seed: *seed,
            selection: *selection,
            eras: eras.clone(),
            plans,
            full_speed: manifest.full_speed,
            ready: VecDeque::new(),
        };
        for era in &archive.eras {
            archive.plan_of(era)?;
        }
        let Era { epoch, .. } = archive.eras[0];
        let plan = archive.plan_of(&archive.eras[0])?;
        let run = Run::new(plan, *seed, only(epoch).map_err(ManifestError::Schedule)?);
        let found = format!("{:08x}", run.tag());
        if *tag != found {
            return Err(ManifestError::Tag { written: tag.clone(), found });
        }
        archive.identity = run.identity().clone();
        Ok(archive)
    }

    /// What a run would write down.
    pub fn manifest(&self, ended: Option<Totals>) -> Manifest {
        Manifest {
            format: Manifest::FORMAT,
            tracegen: env!("CARGO_PKG_VERSION").into(),
            seed: self.seed,
            tag: format!("{:08x}", self.identity.tag()),
            selection: self.selection,
            full_speed: self.full_speed,
            eras: self.eras.clone(),
            plans: self.plans.iter().map(|(digest, plan)| (digest.clone(), plan.document())).collect(),
            destination: None,
            ended,
        }
    }

    /// How many shards of the run its merged manifest lacks.
    pub fn missing_shards(&self) -> u64 {
        let of = self.eras.first().map_or(1, |era| era.shard.1);
        if of > 1 { of - self.eras.len() as u64 } else { 0 }
    }

    /// What an id is to this run; an index may lie beyond its end.
    pub fn identify(&self, id: [u8; 16]) -> Identified {
        match self.identity.decode(id) {
            Some((tag, index)) if tag == self.identity.tag() => Identified::Ours { index },
            Some((tag, index)) => Identified::OtherRun { tag, index },
            None => Identified::Foreign,
        }
    }

    /// The era of trace `index`; `None`: the run has no such trace, or it is forgotten.
    pub fn era(&self, index: u64) -> Option<&Era> {
        let (k, n) = self.selection.shard;
        let at = match of_shards(&self.eras) {
            true => self.eras.binary_search_by_key(&(index % self.eras[0].shard.1), |era| era.shard.0).ok()?,
            false => self.eras.partition_point(|era| era.epoch.first <= index).checked_sub(1)?,
        };
        let selected = index % n == k && index < self.selection.count.unwrap_or(MAX_INDEX).min(MAX_INDEX);
        Some(&self.eras[at]).filter(|era| selected && era.contains(index))
    }

    /// In order.
    pub fn eras(&self) -> &[Era] {
        &self.eras
    }

    /// Which traces of it were made.
    pub fn selection(&self) -> Selection {
        self.selection
    }

    /// What its starts follow from, beside the eras.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Its traces were made as fast as they could be.
    pub fn at_full_speed(&self) -> bool {
        self.full_speed
    }

    /// Whether a trace, as it was made again, has been sent: one that had not ended at the stop was not.
    pub fn sent(&self, trace: &Trace) -> bool {
        let stopped = self.era(trace.index).map_or(Some(0), |era| era.stopped);
        self.selection.before.is_none_or(|before| trace.start < before) && stopped.is_none_or(|time| trace.end <= time)
    }

    /// The plan of trace `index`, with the weights of its files.
    pub(crate) fn plan(&self, index: u64) -> Option<&Arc<Plan>> {
        self.plans.get(&self.era(index)?.plan)
    }

    /// The run that trace `index` is of.
    pub fn run(&mut self, index: u64) -> Option<Arc<Run>> {
        let era = self.era(index)?;
        let first = era.epoch.first;
        if let Some((_, run)) = self.ready.iter().find(|(of, _)| *of == first) {
            return Some(run.clone());
        }
        let plan = self.plan_of(era).ok()?;
        let run = Run::with_tag(plan, self.seed, only(era.epoch).ok()?, self.identity.tag());
        let run = Arc::new(run);
        self.keep(first, run.clone());
        Some(run)
    }

    /// The run with all its epochs; `None`: its plan or weights changed on the way.
    pub fn whole_run(&self) -> Option<Run> {
        let first = self.eras.first()?;
        let same = self.eras.iter().all(|era| (&era.plan, &era.weights) == (&first.plan, &first.weights));
        let epochs: Vec<Epoch> = self.eras.iter().map(|era| era.epoch).collect();
        let schedule = Schedule::try_from(epochs).ok().filter(|_| same)?;
        Some(Run::new(self.plan_of(first).ok()?, self.seed, schedule))
    }

    /// Trace `index`, as it was. `None`: the run has no such trace.
    pub fn remake(&mut self, index: u64) -> Option<(Arc<Run>, Trace)> {
        let run = self.run(index)?;
        let mut trace = Trace::default();
        Interpreter::new(&run).trace(index, &mut trace);
        let before = self.selection.before.is_none_or(|before| trace.start < before);
        before.then_some((run, trace))
    }

    /// From trace `epoch.first` on, `plan` with `weights` holds and traces arrive so. An era without any trace is
    /// forgotten, unless it is the first: the tag follows from it.
    pub(crate) fn begin(&mut self, epoch: Epoch, plan: &Arc<Plan>, weights: BTreeMap<String, f64>) {
        self.end(epoch.first);
        if self.eras.len() > 1 && self.eras.last().is_some_and(|era| era.epoch.first == epoch.first) {
            self.eras.pop();
            self.forget_unused_plans();
        }
        self.ready.retain(|(first, _)| *first != epoch.first);
        let digest = plan.digest_hex();
        self.plans.entry(digest.clone()).or_insert_with(|| plan.clone());
        self.eras.push(Era { epoch, plan: digest, weights, end: None, stopped: None, shard: (0, 1) });
    }

    /// Forget what is too much to keep for as long as a session may go on.
    pub(crate) fn forget(&mut self) {
        while self.eras.len() > MOST_ERAS || self.plans.len() > Plans::MOST {
            self.eras.remove(1);
            self.forget_unused_plans();
        }
    }

    fn forget_unused_plans(&mut self) {
        let used: BTreeSet<&str> = self.eras.iter().map(|era| era.plan.as_str()).collect();
        self.plans.retain(|digest, _| used.contains(digest.as_str()));
    }

    /// Keep the run of the era that begins with trace `first` ready.
    pub(crate) fn keep(&mut self, first: u64, run: Arc<Run>) {
        self.ready.push_front((first, run));
        self.ready.truncate(READY);
    }

    /// The last era has ended before trace `end`.
    pub(crate) fn end(&mut self, end: u64) {
        if let Some(era) = self.eras.last_mut() {
            era.end.get_or_insert(end);
        }
    }

    /// Of the last era, ns since 1970.
    pub(crate) fn last_opening(&self) -> u64 {
        self.eras.last().map_or(0, |era| era.epoch.opening)
    }

    /// Of the eras from trace `first` on, what had not ended at `time` was not sent.
    pub(crate) fn stop(&mut self, first: u64, time: u64) {
        let from = self.eras.partition_point(|era| era.epoch.first < first);
        for era in &mut self.eras[from..] {
            era.stopped.get_or_insert(time);
        }
    }

    fn plan_of(&self, era: &Era) -> Result<Arc<Plan>, ManifestError> {
        let first = era.epoch.first;
        let Some(plan) = self.plans.get(&era.plan) else {
            return Err(ManifestError::NoPlan { first, digest: era.plan.clone() });
        };
        weighted(plan, &era.weights)
            .map_err(|violation| ManifestError::Weights { first, problem: violation.to_string() })
    }
}

/// They are those of merged shards.
fn of_shards(eras: &[Era]) -> bool {
    eras.first().is_some_and(|era| era.shard.1 > 1)
}

/// Each begins where those before it have ended.
fn check_order(eras: &[Era]) -> Result<(), ManifestError> {
    let mut next = 0;
    for (i, era) in eras.iter().enumerate() {
        let first = era.epoch.first;
        let goes_on = era.end.is_none() && i + 1 < eras.len();
        let ends_early = era.end.is_some_and(|end| end < first);
        if first < next || (i == 0 && first != 0) || goes_on || ends_early || era.shard != (0, 1) {
            return Err(ManifestError::Order { first });
        }
        next = era.end.unwrap_or(first);
    }
    Ok(())
}

/// One a shard, by shard, of the same epoch and plan: they differ in their ends alone.
fn check_shards(eras: &[Era], selection: &Selection) -> Result<(), ManifestError> {
    let Era { epoch, plan, weights, shard: (_, n), .. } = &eras[0];
    let ascend = eras.windows(2).all(|two| two[0].shard.0 < two[1].shard.0);
    let same = |era: &Era| (&era.epoch, &era.plan, &era.weights, &era.shard.1) == (epoch, plan, weights, n);
    if selection.shard == (0, 1) && epoch.first == 0 && ascend && eras.iter().all(same) {
        Ok(())
    } else {
        Err(ManifestError::Shards)
    }
}

/// A plan with some of its weights replaced, by scenario name.
pub(crate) fn weighted(plan: &Arc<Plan>, weights: &BTreeMap<String, f64>) -> Result<Arc<Plan>, Violations> {
    if weights.is_empty() {
        return Ok(plan.clone());
    }
    let scenarios = plan.scenarios.iter();
    let all = scenarios.map(|s| weights.get(plan.text(s.name)).copied().unwrap_or(s.weight));
    plan.with_weights(all).map(Arc::new)
}

/// A schedule in which `epoch` is the last. What comes after it means nothing to its traces, nor what came before.
pub(crate) fn only(epoch: Epoch) -> Result<Schedule, ScheduleError> {
    let mut schedule = Schedule::new(epoch.opening, epoch.arrivals)?;
    if epoch.first > 0 {
        schedule.push_epoch(epoch)?;
    }
    Ok(schedule)
}

#[cfg(test)]
mod tests;
