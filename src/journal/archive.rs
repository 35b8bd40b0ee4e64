//! The archive of a run, which regenerates the traces of its journal.

use super::manifest::{Era, Manifest, ManifestError, Plans, Totals};
use super::{Dues, Ending, Selection, Sending};
use crate::interpreter::{Beginning, Epoch, Identity, Interpreter, MAX_INDEX, Run, Schedule, ScheduleError, Starts};
use crate::plan::{Plan, Violations};
use crate::trace::{NEVER, Trace};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The maximum number of eras that a session keeps, like [`Plans::MOST`] for plans. Beyond it the oldest are forgotten, but
/// never the first, from which the tag follows.
const MOST_ERAS: usize = 10_000;
/// The maximum number of shards of a run, which is also the limit of `--shard`.
const MOST_SHARDS: u64 = 1_000_000;
/// The number of runs that are kept ready, because an index is likely to be near the last one that was asked for.
const READY: usize = 4;

/// The journal of a run, ready for questions.
#[derive(Clone)]
pub struct Archive {
    identity: Identity,
    /// The opening of the first epoch, in ns since 1970.
    start: u64,
    seed: u64,
    selection: Selection,
    sending: Sending,
    /// The eras in their order.
    eras: Vec<Era>,
    plans: BTreeMap<String, Arc<Plan>>,
    /// Epochs were added by what was achieved, so only a run that has ended knows all of them.
    full_speed: bool,
    /// The runs that are kept ready, with the first index of their era.
    ready: VecDeque<(u64, Arc<Run>)>,
}

/// The relation of a trace id to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identified {
    /// The id of trace `index` of the run.
    Ours { index: u64 },
    /// The id of a trace of another run with the same seed.
    OtherRun { tag: u32, index: u64 },
    /// An id that was not made with this seed.
    Foreign,
}

impl Archive {
    /// Makes the archive of a run that is about to begin, or that has ended.
    pub fn of(run: &Run, selection: Selection, ending: Option<&Ending>) -> Archive {
        let mut archive = Archive::so_far(run, selection, ending.map_or(run.schedule(), |ending| &ending.schedule));
        if let Some(ending) = ending {
            archive.end(ending.end);
            ending.stopped.into_iter().for_each(|time| archive.stop(0, time));
        }
        archive
    }

    /// Makes the archive of a run that goes on, with the epochs so far.
    pub fn so_far(run: &Run, selection: Selection, schedule: &Schedule) -> Archive {
        let mut archive = Archive::new(run, selection);
        schedule.epochs().iter().for_each(|epoch| archive.begin(*epoch, run.plan(), BTreeMap::new()));
        archive
    }

    /// Makes the archive of a run in which no era has begun.
    pub(crate) fn new(run: &Run, selection: Selection) -> Archive {
        Archive {
            identity: run.identity().clone(),
            start: run.beginning().start,
            seed: run.seed(),
            selection,
            sending: Sending::default(),
            eras: vec![],
            plans: BTreeMap::new(),
            full_speed: false,
            ready: VecDeque::new(),
        }
    }

    /// Sets how the spans of the run leave; by default each trace leaves as a whole.
    pub fn sending(self, sending: Sending) -> Archive {
        Archive { sending, ..self }
    }

    /// Opens what a run has written down.
    ///
    /// # Errors
    /// The parts of the manifest contradict each other.
    pub fn open(manifest: &Manifest) -> Result<Archive, ManifestError> {
        let Manifest { seed, tag, selection, eras, plans: documents, .. } = manifest;
        for (k, n) in [selection.shard].into_iter().chain(eras.iter().map(|era| era.shard)) {
            if k >= n || n > MOST_SHARDS {
                return Err(ManifestError::Shard(k, n));
            }
        }
        // The number is limited before the eras are processed one by one.
        if !are_of_shards(eras) && eras.len() > MOST_ERAS {
            return Err(ManifestError::TooMany { eras: MOST_ERAS });
        }
        if !manifest.sending.is_sound() {
            return Err(ManifestError::Sending);
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
        if are_of_shards(eras) {
            check_shards(eras, selection)?
        } else {
            check_order(eras)?
        }
        let epochs: Vec<Epoch> = eras.iter().map(|era| era.epoch).collect();
        Schedule::try_from(epochs).map_err(ManifestError::Schedule)?;
        let mut archive = Archive {
            identity: Identity::new(*seed, 0),
            start: eras[0].epoch.opening,
            seed: *seed,
            selection: *selection,
            sending: manifest.sending.clone(),
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

    /// Returns the manifest that the run would write.
    pub fn manifest(&self, ended: Option<Totals>) -> Manifest {
        Manifest {
            format: Manifest::FORMAT,
            tracegen: env!("CARGO_PKG_VERSION").into(),
            seed: self.seed,
            tag: format!("{:08x}", self.identity.tag()),
            selection: self.selection,
            sending: self.sending.clone(),
            full_speed: self.full_speed,
            eras: self.eras.clone(),
            plans: self.plans.iter().map(|(digest, plan)| (digest.clone(), plan.document())).collect(),
            destination: None,
            ended,
        }
    }

    /// Returns the ids of the run.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Reports whether the other archive is of the same run: its traces have the same ids.
    pub fn is_of_same_run(&self, other: &Archive) -> bool {
        (self.seed, self.identity.tag()) == (other.seed, other.identity.tag())
    }

    /// Returns the number of the run's shards that are missing in its merged manifest.
    pub fn missing_shards(&self) -> u64 {
        let of = self.eras.first().map_or(1, |era| era.shard.1);
        if of > 1 { of - self.eras.len() as u64 } else { 0 }
    }

    /// Returns the relation of an id to this run; an index may lie beyond the run's end.
    pub fn identify(&self, id: [u8; 16]) -> Identified {
        match self.identity.decode(id) {
            Some((tag, index)) if tag == self.identity.tag() => Identified::Ours { index },
            Some((tag, index)) => Identified::OtherRun { tag, index },
            None => Identified::Foreign,
        }
    }

    /// Returns the era of trace `index`, or `None` if the run has no such trace or has forgotten it.
    pub fn era(&self, index: u64) -> Option<&Era> {
        let (k, n) = self.selection.shard;
        let at = match are_of_shards(&self.eras) {
            true => self.eras.binary_search_by_key(&(index % self.eras[0].shard.1), |era| era.shard.0).ok()?,
            false => self.eras.partition_point(|era| era.epoch.first <= index).checked_sub(1)?,
        };
        let selected = index % n == k && index < self.selection.count.unwrap_or(MAX_INDEX).min(MAX_INDEX);
        Some(&self.eras[at]).filter(|era| selected && era.contains(index))
    }

    /// Returns the eras in their order.
    pub fn eras(&self) -> &[Era] {
        &self.eras
    }

    /// Returns which traces of the run were generated.
    pub fn selection(&self) -> Selection {
        self.selection
    }

    /// Returns the seed, which together with the eras determines all starts.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Reports whether the run's traces were generated at full speed.
    pub fn at_full_speed(&self) -> bool {
        self.full_speed
    }

    /// Returns when the spans of a plan's traces were due.
    pub fn dues(&self, plan: &Plan) -> Dues {
        self.sending.dues(plan)
    }

    /// Returns the ordinals of the spans of a regenerated trace that were not sent, ascending: those that were not due at
    /// the stop or are never sent, or all if the trace was not selected. `dues` are those of the trace's plan.
    pub fn unsent(&self, dues: &Dues, trace: &Trace) -> Vec<u32> {
        let selected = self.selection.started_before.is_none_or(|time| trace.start < time);
        let stopped = self.era(trace.index).filter(|_| selected).map_or(Some(0), |era| era.stopped);
        let stopped = match stopped {
            None if trace.leaves.is_empty() => return vec![],
            None => NEVER - 1,
            Some(stopped) => stopped,
        };
        (0..trace.spans.len()).filter(|at| dues.due(trace, *at) > stopped).map(|at| at as u32).collect()
    }

    /// Returns the plans of the run.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.plans.values().map(|plan| &**plan)
    }

    /// Returns the plan of trace `index`, with the weights that its file gives.
    pub(crate) fn plan(&self, index: u64) -> Option<&Arc<Plan>> {
        self.plans.get(&self.era(index)?.plan)
    }

    /// Returns a run that can generate trace `index`.
    pub fn run(&mut self, index: u64) -> Option<Arc<Run>> {
        let era = self.era(index)?;
        let first = era.epoch.first;
        if let Some((_, run)) = self.ready.iter().find(|(of, _)| *of == first) {
            return Some(run.clone());
        }
        let plan = self.plan_of(era).ok()?;
        let began = Beginning { tag: self.identity.tag(), start: self.start };
        let run = Run::going_on(plan, self.seed, only(era.epoch).ok()?, began);
        let run = Arc::new(run);
        self.keep(first, run.clone());
        Some(run)
    }

    /// Returns the starts of an era's traces, which must be one of the archive's.
    pub fn starts(&self, era: &Era) -> Option<Starts> {
        Some(Starts::new(&self.plan_of(era).ok()?, self.seed, only(era.epoch).ok()?, self.start))
    }

    /// Returns the run with all its epochs, or `None` if its plan or weights changed during the run.
    pub fn whole_run(&self) -> Option<Run> {
        let first = self.eras.first()?;
        let same = self.eras.iter().all(|era| (&era.plan, &era.weights) == (&first.plan, &first.weights));
        let epochs: Vec<Epoch> = self.eras.iter().map(|era| era.epoch).collect();
        let schedule = Schedule::try_from(epochs).ok().filter(|_| same)?;
        Some(Run::new(self.plan_of(first).ok()?, self.seed, schedule))
    }

    /// Regenerates trace `index`, or returns `None` if the run has no such trace.
    pub fn remake(&mut self, index: u64) -> Option<(Arc<Run>, Trace)> {
        let run = self.run(index)?;
        let mut trace = Trace::default();
        Interpreter::new(&run).trace(index, &mut trace);
        let selected = self.selection.started_before.is_none_or(|time| trace.start < time);
        selected.then_some((run, trace))
    }

    /// Begins an era: from trace `epoch.first` on, `plan` with `weights` applies, and traces arrive as the epoch says. An
    /// era without any trace is dropped, unless it is the first, from which the tag follows.
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

    /// Forgets the oldest eras and plans, so that a session without end takes bounded memory.
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

    /// Keeps the run of the era that begins with trace `first` ready.
    pub(crate) fn keep(&mut self, first: u64, run: Arc<Run>) {
        self.ready.push_front((first, run));
        self.ready.truncate(READY);
    }

    /// Ends the last era before trace `end`.
    pub(crate) fn end(&mut self, end: u64) {
        if let Some(era) = self.eras.last_mut() {
            era.end.get_or_insert(end);
        }
    }

    /// Returns the opening of the last era, in ns since 1970.
    pub(crate) fn last_opening(&self) -> u64 {
        self.eras.last().map_or(0, |era| era.epoch.opening)
    }

    /// Records that, from the era with trace `first` on, traces that had not ended at `time` were not sent.
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

/// Reports whether the eras are those of merged shards.
fn are_of_shards(eras: &[Era]) -> bool {
    eras.first().is_some_and(|era| era.shard.1 > 1)
}

/// Checks that each era begins after the ones before it have ended.
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

/// Checks that there is one era for each shard, in their order, and that they differ only in their ends.
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

/// Returns a plan with some weights replaced, by scenario name.
pub(crate) fn weighted(plan: &Arc<Plan>, weights: &BTreeMap<String, f64>) -> Result<Arc<Plan>, Violations> {
    if weights.is_empty() {
        return Ok(plan.clone());
    }
    let scenarios = plan.scenarios.iter();
    let all = scenarios.map(|s| weights.get(plan.text(s.name)).copied().unwrap_or(s.weight));
    plan.with_weights(all).map(Arc::new)
}

/// Makes a schedule of one epoch. The epochs before and after it do not affect its traces.
pub(crate) fn only(epoch: Epoch) -> Result<Schedule, ScheduleError> {
    let mut schedule = Schedule::of(Epoch { first: 0, ..epoch })?;
    if epoch.first > 0 {
        schedule.push_epoch(epoch)?;
    }
    Ok(schedule)
}

#[cfg(test)]
mod tests;
