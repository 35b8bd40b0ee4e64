//! The run that traces belong to, given by a manifest or by the flags of the run.

use super::timing::{Timing, TimingFlags};
use super::words::{naming, quoted};
use super::{Failure, fetch, scenarios};
use crate::clock;
use crate::export::deliver::Account;
use crate::interpreter::{MAX_TIME, Run};
use crate::journal::{Archive, Ending, Manifest, Selection};
use clap::Args;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// A run, and what is known of it beyond its traces.
pub struct Known {
    pub archive: Archive,
    pub background: Background,
}

/// What is known of a run beyond its traces.
#[derive(Default)]
pub struct Background {
    /// The words that name the run behind `tracegen replay TRACE`.
    pub words: String,
    /// The manifest as it is shown to people; `None` if the run is given by its flags.
    pub manifest: Option<String>,
    /// The run's own account of its delivery; `None` if it is not known.
    pub account: Option<Account>,
    /// The start of the last trace that the flags ask for, in ns since 1970; `None` if they have no end, or a manifest is
    /// used.
    pub last_start: Option<u64>,
}

/// The flags that name a run.
#[derive(Args)]
pub struct Source {
    /// The manifest that the run wrote: a file, or a URL (of a running serve: http://localhost:8000/api/manifest). It can be
    /// given for each of several runs
    #[arg(long = "manifest", value_name = "FILE|URL", required_unless_present = "seed", conflicts_with = "seed")]
    pub manifests: Vec<String>,
    /// The run's seed; the other flags and paths of the run have to be given too
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub timing: TimingFlags,
}

impl Source {
    /// Opens the runs: one for each manifest, or the one that the flags describe.
    ///
    /// # Errors
    /// A manifest or the scenarios are out of reach or damaged, or do not compile; or two manifests are of the same run.
    pub fn open(&self, paths: Vec<PathBuf>) -> Result<Vec<Known>, Failure> {
        if self.manifests.is_empty() {
            return Ok(vec![self.open_flags(self.seed.unwrap_or_default(), &scenarios::paths(paths))?]);
        }
        if !paths.is_empty() || self.timing.is_given() {
            return Err(Failure::usage(
                "a manifest holds plan and schedule: no PATH and no schedule beside --manifest",
            ));
        }
        let mut runs: Vec<Known> = vec![];
        for source in &self.manifests {
            let shown = fetch::shown(source);
            let run = known(source).map_err(|e| Failure::impossible(format!("{shown}: {e}")))?;
            if let Some(at) = runs.iter().position(|other| other.archive.is_of_same_run(&run.archive)) {
                return Err(Failure::usage(format!(
                    "{} and {shown} are of the same run: give its latest manifest, and merge those of shards with \
                     `tracegen merge`",
                    fetch::shown(&self.manifests[at])
                )));
            }
            runs.push(run);
        }
        Ok(runs)
    }

    fn open_flags(&self, seed: u64, paths: &[PathBuf]) -> Result<Known, Failure> {
        let plan = self.timing.load.weigh(Arc::new(scenarios::plan(paths)?))?;
        let timing = Timing::resolve(&self.timing, true, clock::now(), &plan, plan.duration_bound())?;
        let Some(schedule) = &timing.repeat else {
            return Err(Failure::usage("a run with --rate max makes its schedule while it runs: give its --manifest"));
        };
        let words = naming(paths, seed, schedule);
        let run = Run::new(plan, seed, timing.schedule);
        let last = last_trace(&run, timing.selection);
        // With flags, all traces that they ask for are taken to be generated.
        let ending = last.map(|(end, _)| Ending { stopped: None, end, schedule: run.schedule().clone() });
        let archive = Archive::of(&run, timing.selection, ending.as_ref());
        Ok(Known {
            archive,
            background: Background { words, last_start: last.map(|(_, start)| start), ..Background::default() },
        })
    }
}

/// Returns the index after the last trace of a selection, and the start of the last one in ns since 1970, or `None` if
/// there is no last one.
fn last_trace(run: &Run, Selection { count, started_before: before, .. }: Selection) -> Option<(u64, u64)> {
    let mut starts = run.starts();
    // A load may end, so that no trace starts any more.
    let before = before.or((starts.rate(MAX_TIME) == 0.0).then_some(MAX_TIME + 1));
    let before = before.map(|before| {
        let last = before.checked_sub(1).and_then(|time| starts.last_at_or_before(0, time));
        last.map_or(0, |last| last + 1)
    });
    let end = count.into_iter().chain(before).min()?;
    Some((end, end.checked_sub(1).map_or(0, |last| starts.start(last))))
}

/// Reads the run of a manifest, at a URL or in a file.
///
/// # Errors
/// The manifest can't be read, or contradicts itself; the error explains why.
pub fn known(source: &str) -> Result<Known, String> {
    let manifest = manifest(source)?;
    let archive = Archive::open(&manifest).map_err(|e| e.to_string())?;
    let account = manifest.ended.and_then(|totals| totals.account);
    let words = format!("--manifest {}", quoted(source));
    let background = Background { words, manifest: Some(fetch::shown(source)), account, last_start: None };
    Ok(Known { archive, background })
}

/// Reads a manifest, at a URL or in a file.
///
/// # Errors
/// The manifest can't be read; the error explains why.
pub fn manifest(source: &str) -> Result<Manifest, String> {
    let manifest = if is_url(source) {
        Manifest::read(&*fetch::get(source)?)
    } else {
        Manifest::read(File::open(source).map_err(|e| e.to_string())?)
    };
    manifest.map_err(|e| e.to_string())
}

pub fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// Parses a trace id: 32 hexadecimal digits.
pub fn trace_id(text: &str) -> Option<[u8; 16]> {
    let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits.then(|| u128::from_str_radix(text, 16).ok().map(u128::to_be_bytes)).flatten()
}
