//! The manifests of a run's shards, merged into that of the run.

use super::{Era, Manifest, Selection, Totals, whole};
use std::collections::BTreeMap;
use std::fmt;

/// Shards of one run.
#[derive(Debug)]
pub struct Merged {
    /// Has the traces of the shards that are there.
    pub manifest: Manifest,
    /// How many shards the run has.
    pub of: u64,
    /// Those that are not there, ascending.
    pub missing: Vec<u64>,
}

/// Why manifests are not the shards of one run; by the names they were given.
#[derive(Debug, PartialEq, Eq)]
pub enum MergeError {
    /// There is none.
    Nothing,
    /// It is of a whole run.
    NotAShard(String),
    /// The two differ in this.
    OtherRun { name: String, first: String, differs: &'static str },
    /// Both have this shard.
    Twice { name: String, first: String, shard: (u64, u64) },
    /// What it came to, and those before it, is more than 64 bits count.
    TooMuch { name: String },
}

impl std::error::Error for MergeError {}

impl fmt::Display for MergeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MergeError::Nothing => write!(f, "there is no manifest to merge"),
            MergeError::NotAShard(name) => {
                write!(f, "{name} is of a whole run: only what has run with --shard is merged")
            }
            MergeError::OtherRun { name, first, differs } => {
                write!(f, "{name} is of another run than {first}: its {differs} is another one")
            }
            MergeError::TooMuch { name } => write!(
                f,
                "{name}: with what the manifests before it came to, it is more than can be counted; was one of them edited, or \
                 is it damaged?"
            ),
            MergeError::Twice { name, first, shard: (k, n) } => {
                write!(f, "{name} has shard {k}/{n}, and so has {first}: was it run twice, or given twice?")
            }
        }
    }
}

impl Manifest {
    /// Merge the manifests of shards, each with the name it is known by; what was merged before can be merged again. Where all
    /// shards are there and sent all their traces, it is as if one process had made the whole run. It has ended if all have.
    ///
    /// Each is taken to belong together, which [`crate::journal::Archive::open`] sees.
    ///
    /// # Errors
    /// They are not different shards of one run, or together come to more than can be counted.
    pub fn merge(parts: Vec<(String, Manifest)>) -> Result<Merged, MergeError> {
        let (first_name, first) = parts.first().ok_or(MergeError::Nothing)?;
        let not_a_shard = |name: &String| MergeError::NotAShard(name.clone());
        let (of, _) = shards(first).ok_or_else(|| not_a_shard(first_name))?;
        let mut eras: BTreeMap<u64, (&String, Era)> = BTreeMap::new();
        for (name, part) in &parts {
            let (n, own) = shards(part).ok_or_else(|| not_a_shard(name))?;
            if let Some(differs) = difference(first, part).or((n != of).then_some("number of shards")) {
                return Err(MergeError::OtherRun { name: name.clone(), first: first_name.clone(), differs });
            }
            for era in own {
                let shard = era.shard;
                if let Some((first, _)) = eras.insert(shard.0, (name, era)) {
                    return Err(MergeError::Twice { name: name.clone(), first: first.clone(), shard });
                }
            }
        }
        let missing: Vec<u64> = (0..of).filter(|k| !eras.contains_key(k)).collect();
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
        Ok(Merged { manifest, of, missing })
    }
}

/// What the parts came to together; `None`: one of them has not ended.
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

/// How many shards its run has, and the eras of those that it has.
fn shards(manifest: &Manifest) -> Option<(u64, Vec<Era>)> {
    let of = manifest.selection.shard.1;
    match &manifest.eras[..] {
        [era] if of > 1 => Some((of, vec![Era { shard: manifest.selection.shard, ..era.clone() }])),
        [era, ..] if era.shard.1 > 1 => Some((era.shard.1, manifest.eras.clone())),
        _ => None,
    }
}

/// What two manifests of shards differ in, where they should not.
fn difference(one: &Manifest, other: &Manifest) -> Option<&'static str> {
    let [a, b] = [one, other].map(|manifest| &manifest.eras[0]);
    let differ = [
        (one.seed != other.seed, "seed"),
        (a.plan != b.plan || a.weights != b.weights, "plan"),
        (a.epoch != b.epoch, "schedule (--start, --rate, --interval, --lanes, --arrivals)"),
        (one.selection.count != other.selection.count, "--count"),
        (one.selection.before != other.selection.before, "end (--duration, --until)"),
    ];
    differ.into_iter().find(|(differ, _)| *differ).map(|(_, what)| what)
}

/// All shards of a run that ended alike.
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

    /// Shard `k` of 3 of 60 traces, one a second; stopped when `stopped` seconds had passed.
    fn shard(k: u64, stopped: Option<u64>) -> (String, Manifest) {
        let schedule = Schedule::new(OPENING, Arrivals::Even { count: 1, per_ns: SECOND }).unwrap();
        let run = Run::new(Arc::new(fixture::plan()), 42, schedule.clone());
        let selection = Selection { count: Some(60), before: None, shard: (k, 3) };
        let stopped = stopped.map(|s| OPENING + s * SECOND);
        let end = if stopped.is_some() { 40 } else { 60 };
        let ending = Ending { stopped, end, schedule: schedule.into() };
        let totals = Totals { traces: 10 + k, spans: 100, at: OPENING + k, account: Some(Default::default()) };
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
    fn whole_shards_are_the_whole_run() {
        let merged = merged([shard(2, None), shard(0, None), shard(1, None)]);
        let [era] = &merged.manifest.eras[..] else { panic!("{merged:?}") };
        assert_eq!((merged.manifest.selection.shard, era.shard, era.end), ((0, 1), (0, 1), Some(60)));
        let ended = merged.manifest.ended.clone().unwrap();
        assert_eq!((ended.traces, ended.spans, ended.at, merged.missing.len()), (33, 300, OPENING + 2, 0));
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
    fn what_is_missing_is_said_and_not_of_the_run() {
        let some = merged([shard(2, None), shard(0, Some(20))]);
        assert_eq!((some.of, &some.missing[..]), (3, &[1][..]));
        let mut archive = Archive::open(&some.manifest).unwrap();
        assert_eq!(archive.missing_shards(), 1);
        assert!(archive.remake(0).is_some() && archive.remake(1).is_none() && archive.remake(2).is_some());
        // And what was merged can be merged on.
        let whole = merged([("some".into(), some.manifest), shard(1, None)]);
        assert_eq!((whole.missing.len(), whole.manifest.eras.len()), (0, 3));
        assert_eq!(whole.manifest.ended.map(|totals| totals.traces), Some(33));
    }

    #[test]
    fn one_that_has_not_ended_leaves_the_run_open() {
        let mut open = shard(1, None);
        (open.1.ended, open.1.eras[0].end) = (None, None);
        let merged = merged([shard(0, None), open, shard(2, None)]);
        assert_eq!((merged.manifest.ended, merged.manifest.eras[1].end), (None, None));
    }

    #[test]
    fn counts_that_no_run_comes_to_are_refused() {
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
    fn others_are_refused() {
        let edited = |edit: fn(&mut Manifest)| {
            let mut other = shard(1, None);
            edit(&mut other.1);
            Manifest::merge(vec![shard(0, None), other]).unwrap_err().to_string()
        };
        let other = |what: &str| format!("1.json is of another run than 0.json: its {what}");
        for (edit, said) in [
            ((|m| m.seed = 43) as fn(&mut Manifest), other("seed")),
            (|m| m.eras[0].plan = "other".into(), other("plan")),
            (|m| m.eras[0].epoch.opening += 1, other("schedule")),
            (|m| m.selection.count = Some(61), other("--count")),
            (|m| m.selection.before = Some(1), other("end")),
            (|m| m.selection.shard = (1, 4), other("number of shards")),
            (|m| m.selection.shard = (0, 3), "1.json has shard 0/3, and so has 0.json".into()),
            (|m| m.selection.shard = (0, 1), "1.json is of a whole run".into()),
            (|m| m.eras.clear(), "1.json is of a whole run".into()),
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
