//! Merging the manifests of a run's shards into one.

use super::{Era, Manifest, Selection, Totals, whole};
use std::collections::BTreeMap;
use std::fmt;

/// The result of a merge.
#[derive(Debug)]
pub struct Merged {
    /// The manifest with the traces of the shards that were given.
    pub manifest: Manifest,
    /// The number of shards that the run has.
    pub shard_count: u64,
    /// The shards that were not given, ascending.
    pub missing: Vec<u64>,
}

/// The reasons why manifests can't be merged. Manifests are named as they were given.
#[derive(Debug, PartialEq, Eq)]
pub enum MergeError {
    /// No manifest was given.
    Nothing,
    /// The manifest is that of a whole run.
    NotAShard(String),
    /// Two manifests differ in something that the shards of a run have in common.
    OtherRun { name: String, first: String, differs: &'static str },
    /// Two manifests contain the same shard.
    Twice { name: String, first: String, shard: (u64, u64) },
    /// The totals of this manifest and those before it exceed 64 bits.
    TooMuch { name: String },
}

impl std::error::Error for MergeError {}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MergeError::Nothing => write!(f, "there is no manifest to merge"),
            MergeError::NotAShard(name) => {
                write!(f, "{name} belongs to a whole run: only runs with --shard can be merged")
            }
            MergeError::OtherRun { name, first, differs } => {
                write!(f, "{name} belongs to another run than {first}: its {differs} differs")
            }
            MergeError::TooMuch { name } => write!(
                f,
                "{name}: its totals and those of the manifests before it are more than can be counted; was one of them edited, or \
                 is it damaged?"
            ),
            MergeError::Twice { name, first, shard: (k, n) } => {
                write!(f, "{name} has shard {k}/{n}, and so has {first}: was it run twice, or given twice?")
            }
        }
    }
}

impl Manifest {
    /// Merges the manifests of shards, each with the name that it is known by. The result of an earlier merge can be merged
    /// again. If all shards are given and sent all their traces, the result is as if one process had made the whole run.
    /// The run has ended if all shards have.
    ///
    /// Each manifest must be consistent in itself, which [`crate::journal::Archive::open`] checks.
    ///
    /// # Errors
    /// The manifests are not different shards of one run, or their totals exceed what can be counted.
    pub fn merge(parts: Vec<(String, Manifest)>) -> Result<Merged, MergeError> {
        let (first_name, first) = parts.first().ok_or(MergeError::Nothing)?;
        let not_a_shard = |name: &String| MergeError::NotAShard(name.clone());
        let (shard_count, _) = shards(first).ok_or_else(|| not_a_shard(first_name))?;
        let mut eras: BTreeMap<u64, (&String, Era)> = BTreeMap::new();
        for (name, part) in &parts {
            let (n, own) = shards(part).ok_or_else(|| not_a_shard(name))?;
            if let Some(differs) = difference(first, part).or((n != shard_count).then_some("number of shards")) {
                return Err(MergeError::OtherRun { name: name.clone(), first: first_name.clone(), differs });
            }
            for era in own {
                let shard = era.shard;
                if let Some((first, _)) = eras.insert(shard.0, (name, era)) {
                    return Err(MergeError::Twice { name: name.clone(), first: first.clone(), shard });
                }
            }
        }
        let missing: Vec<u64> = (0..shard_count).filter(|k| !eras.contains_key(k)).collect();
        let eras: Vec<Era> = eras.into_values().map(|(_, era)| era).collect();
        let one = if missing.is_empty() { as_one(&eras) } else { None };
        let ended = totals(&parts)?;
        let manifest = Manifest {
            selection: Selection { shard: whole(), ..first.selection },
            eras: one.map_or(eras, |era| vec![era]),
            ended,
            destination: None,
            ..first.clone()
        };
        Ok(Merged { manifest, shard_count, missing })
    }
}

/// Returns the sum of the totals of all parts, or `None` if one of them has not ended.
fn totals(parts: &[(String, Manifest)]) -> Result<Option<Totals>, MergeError> {
    let mut all: Option<Totals> = None;
    for (name, part) in parts {
        let Some(totals) = &part.ended else { return Ok(None) };
        let sum = match &all {
            Some(before) => before.checked_add(totals).filter(Totals::is_plausible),
            None => Some(totals.clone()),
        };
        all = Some(sum.ok_or_else(|| MergeError::TooMuch { name: name.clone() })?);
    }
    Ok(all)
}

/// Returns the number of shards of the manifest's run, and the eras of those that it contains.
fn shards(manifest: &Manifest) -> Option<(u64, Vec<Era>)> {
    let shard_count = manifest.selection.shard.1;
    match &manifest.eras[..] {
        [era] if shard_count > 1 => Some((shard_count, vec![Era { shard: manifest.selection.shard, ..era.clone() }])),
        [era, ..] if era.shard.1 > 1 => Some((era.shard.1, manifest.eras.clone())),
        _ => None,
    }
}

/// Returns the name of a property in which two manifests of shards must not differ, but do.
fn difference(first: &Manifest, second: &Manifest) -> Option<&'static str> {
    let [a, b] = [first, second].map(|manifest| &manifest.eras[0]);
    let differ = [
        (first.seed != second.seed, "seed"),
        (a.plan != b.plan || a.weights != b.weights, "plan"),
        (a.epoch != b.epoch, "schedule (--start, --rate, --interval, --lanes, --arrivals)"),
        (first.sending != second.sending, "way of sending (--send, --batch-delay, --late)"),
        (first.selection.count != second.selection.count, "--count"),
        (first.selection.started_before != second.selection.started_before, "end (--duration, --until)"),
    ];
    differ.into_iter().find(|(differ, _)| *differ).map(|(_, subject)| subject)
}

/// Returns the era of the whole run if the given shards are all shards and ended alike.
fn as_one(eras: &[Era]) -> Option<Era> {
    let era = Era { shard: whole(), ..eras.first()?.clone() };
    eras.iter().all(|other| (other.end, other.stopped) == (era.end, era.stopped)).then_some(era)
}

#[cfg(test)]
mod tests {
    use super::super::ManifestError;
    use super::*;
    use crate::interpreter::{Arrivals, Run, Schedule};
    use crate::journal::{Archive, Ending, Totals};
    use crate::plan::fixture;
    use std::sync::Arc;

    const OPENING: u64 = 1_767_225_600_000_000_000;
    const SECOND: u64 = 1_000_000_000;

    /// Makes shard `k` of 3 of a run of 60 traces, one a second; `stopped` is the time of its stop in seconds after the
    /// start.
    fn shard(k: u64, stopped: Option<u64>) -> (String, Manifest) {
        let schedule = Schedule::new(OPENING, Arrivals::Even { count: 1, per_ns: SECOND }).unwrap();
        let run = Run::new(Arc::new(fixture::plan()), 42, schedule.clone());
        let selection = Selection { count: Some(60), started_before: None, shard: (k, 3) };
        let stopped = stopped.map(|s| OPENING + s * SECOND);
        let end = if stopped.is_some() { 40 } else { 60 };
        let ending = Ending { stopped, end, schedule: schedule.into() };
        let totals = Totals { traces: 10 + k, spans: 100, time: OPENING + k, account: Some(Default::default()) };
        let manifest = Archive::of(&run, selection, Some(&ending)).manifest(Some(totals));
        (format!("{k}.json"), manifest)
    }

    fn merged(parts: impl IntoIterator<Item = (String, Manifest)>) -> Merged {
        let merged = Manifest::merge(parts.into_iter().collect()).unwrap();
        let mut bytes = vec![];
        merged.manifest.write(&mut bytes).unwrap();
        let read = Manifest::read(&bytes[..]).unwrap();
        assert_eq!(read, merged.manifest);
        Archive::open(&read).unwrap();
        merged
    }

    #[test]
    fn complete_shards_merge_to_the_whole_run() {
        let merged = merged([shard(2, None), shard(0, None), shard(1, None)]);
        let [era] = &merged.manifest.eras[..] else { panic!("{merged:?}") };
        assert_eq!((merged.manifest.selection.shard, era.shard, era.end), ((0, 1), (0, 1), Some(60)));
        let ended = merged.manifest.ended.clone().unwrap();
        assert_eq!((ended.traces, ended.spans, ended.time, merged.missing.len()), (33, 300, OPENING + 2, 0));
        assert!(ended.account.is_some());
        let archive = Archive::open(&merged.manifest).unwrap();
        assert!((0..60).all(|index| archive.era(index).is_some()) && archive.era(60).is_none());
    }

    #[test]
    fn a_shard_that_was_stopped_keeps_its_own_end() {
        let merged = merged([shard(0, None), shard(1, Some(20)), shard(2, Some(30))]);
        let archive = Archive::open(&merged.manifest).unwrap();
        for (index, stopped) in [(57, None), (37, Some(20)), (38, Some(30))] {
            assert_eq!(archive.era(index).unwrap().stopped, stopped.map(|s| OPENING + s * SECOND), "{index}");
        }
        assert!(archive.era(40).is_none() && archive.era(41).is_none() && archive.era(42).is_some());
    }

    #[test]
    fn missing_shards_are_named_and_their_traces_do_not_belong_to_the_run() {
        let some = merged([shard(2, None), shard(0, Some(20))]);
        assert_eq!((some.shard_count, &some.missing[..]), (3, &[1][..]));
        let mut archive = Archive::open(&some.manifest).unwrap();
        assert_eq!(archive.missing_shards(), 1);
        assert!(archive.remake(0).is_some() && archive.remake(1).is_none() && archive.remake(2).is_some());
        // A merged manifest can be merged with further ones.
        let whole = merged([("some".into(), some.manifest), shard(1, None)]);
        assert_eq!((whole.missing.len(), whole.manifest.eras.len()), (0, 3));
        assert_eq!(whole.manifest.ended.map(|totals| totals.traces), Some(33));
    }

    #[test]
    fn a_shard_that_has_not_ended_leaves_the_run_open() {
        let mut open = shard(1, None);
        (open.1.ended, open.1.eras[0].end) = (None, None);
        let merged = merged([shard(0, None), open, shard(2, None)]);
        assert_eq!((merged.manifest.ended, merged.manifest.eras[1].end), (None, None));
    }

    #[test]
    fn totals_that_no_run_can_have_are_refused() {
        let with = |k, traces| {
            let mut part = shard(k, None);
            part.1.ended = Some(Totals { traces, ..Totals::default() });
            part
        };
        let most = (1 << 63) - 1;
        let sum = |parts| Manifest::merge(parts).map(|merged| merged.manifest.ended.unwrap().traces);
        assert_eq!(sum(vec![with(0, most - 1), with(1, 1)]), Ok(most));
        let error = sum(vec![with(0, most - 1), with(1, 1), with(2, 1)]).unwrap_err();
        assert_eq!(error, MergeError::TooMuch { name: "2.json".into() });
        let read = |traces| {
            let mut bytes = vec![];
            with(0, traces).1.write(&mut bytes).unwrap();
            Manifest::read(&bytes[..])
        };
        assert!(read(most).is_ok());
        assert!(matches!(read(most + 1), Err(ManifestError::Totals)));
    }

    #[test]
    fn manifests_of_other_runs_are_refused() {
        let edited = |edit: fn(&mut Manifest)| {
            let mut other = shard(1, None);
            edit(&mut other.1);
            Manifest::merge(vec![shard(0, None), other]).unwrap_err().to_string()
        };
        let other = |subject: &str| format!("1.json belongs to another run than 0.json: its {subject}");
        for (edit, said) in [
            ((|m| m.seed = 43) as fn(&mut Manifest), other("seed")),
            (|m| m.eras[0].plan = "other".into(), other("plan")),
            (|m| m.eras[0].epoch.opening += 1, other("schedule")),
            (|m| m.selection.count = Some(61), other("--count")),
            (|m| m.selection.started_before = Some(1), other("end")),
            (|m| m.selection.shard = (1, 4), other("number of shards")),
            (|m| m.selection.shard = (0, 3), "1.json has shard 0/3, and so has 0.json".into()),
            (|m| m.selection.shard = (0, 1), "1.json belongs to a whole run".into()),
            (|m| m.eras.clear(), "1.json belongs to a whole run".into()),
        ] {
            assert!(edited(edit).starts_with(&said), "{} / {said}", edited(edit));
        }
        assert_eq!(Manifest::merge(vec![]).unwrap_err(), MergeError::Nothing);
    }

    #[test]
    fn merged_shards_that_were_edited_are_refused() {
        let whole = || merged([shard(0, None), shard(1, Some(20)), shard(2, Some(30))]).manifest;
        for edit in [
            (|m| m.eras[1].shard.0 = 0) as fn(&mut Manifest),
            |m| m.eras[1].shard = (3, 3),
            |m| m.eras[1].shard.1 = 4,
            |m| m.eras[1].epoch.first = 1,
            |m| m.eras[0].shard = (0, 1),
            |m| m.selection.shard = (1, 3),
            |m| m.eras.swap(1, 2),
        ] {
            let mut manifest = whole();
            edit(&mut manifest);
            assert!(Archive::open(&manifest).is_err(), "{manifest:?}");
        }
    }
}
