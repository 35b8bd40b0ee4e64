//! `tracegen run`: flags to a job, the job to its end, the account of it.

pub(super) mod exporter;
mod monitor;
mod progress;
mod resume;
pub(super) mod rows;
pub(super) mod summary;
mod terminal;
pub(super) mod timing;

use super::{Exit, Failure, environment, memory, metrics, scenarios};
use crate::engine::{self, Archive, Job, Manifest, Sent, Totals};
use crate::text::count;
use clap::{Args, ValueEnum};
use exporter::{Exporter, ExporterFlags};
use monitor::Messages;
use std::path::PathBuf;
use std::sync::Arc;
use timing::{Timing, TimingFlags};

/// Replay a plan: the same seed and start give the same traces, byte for byte
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen run --exporter stdout                          traces as they happen, without a collector
  tracegen run --seed 42 --count 100000                   to the collector at localhost:4317
  tracegen run --rate 5000/s --duration 1m                a load test, with the rate that was achieved
  tracegen run --seed 42 --start 2026-01-01T00:00:00Z --count 10000 --exporter file=a.bin
  tracegen run --seed 42 --start 2026-01-01 --duration 1h --rate 100/s --shard 0/3
  tracegen run --count 1000 --manifest run.json           and then: tracegen replay 17 --manifest run.json
  tracegen run --start -7d --rate 50/s                    a week at full speed, then on as it happens; --until now ends it there
  tracegen run --resume run.json                          the rest of a run that was stopped
  tracegen run orders.plan --rate max --endpoint http://localhost:4318

With --count alone the traces are spread over the last minute. Without --count, --duration and --until a run goes on until
it is interrupted. A run with --manifest that was stopped is taken up again with --resume: no trace is sent twice, none is left
out, a file is continued. Collector variables (OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL, _HEADERS, _TIMEOUT, _COMPRESSION,
_CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE, _INSECURE, and the same with _TRACES_) are read as the OTLP specification
says. OTEL_METRICS_EXPORTER=otlp sends tracegen's own metrics besides, every OTEL_METRIC_EXPORT_INTERVAL ms and at the end, to
where the same variables with _METRICS_ point. TRACE_INTERVAL_MIN, TRACE_INTERVAL_MAX and TRACE_NUM_WORKERS give --interval and --lanes; DATABASE_HOST,
DATABASE_PORT, DATABASE_USER, DATABASE_PASSWORD and DATABASE_NAME say where ClickHouse is.")]
pub struct Run {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What all choices and values follow from [default: drawn, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    timing: TimingFlags,
    /// Threads to generate on; never changes a byte [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    exporter: ExporterFlags,
    /// Write what it takes to make these traces again, at the start and once more at the end [default with --resume: its FILE]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Make the rest of a run that was stopped and wrote this manifest: what had not ended then, and what was still to come
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "seed", "count", "duration", "rate", "interval", "start",
        "until", "shard", "lanes", "arrivals"])]
    resume: Option<PathBuf>,
    /// Print the account on stdout in this form
    #[arg(long, value_enum, value_name = "FORM")]
    summary: Option<SummaryFlag>,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SummaryFlag {
    Json,
}

/// What is to be run, new or taken up again.
struct Prepared {
    run: Arc<crate::interpreter::Run>,
    timing: Timing,
    paths: Vec<PathBuf>,
    sent: Sent,
    /// What it came to before.
    totals: Option<Totals>,
}

impl Run {
    pub(super) fn execute(mut self) -> Result<Exit, Failure> {
        let Some(Prepared { run, timing, paths, sent, totals }) = self.prepare()? else { return Ok(Exit::Done) };
        memory::take_small_pages();
        let metrics = metrics::wanted()?;
        let messages = Messages::new();
        let opened = exporter::open(&self.exporter, Exporter::Otlp, &run, messages.observer())?;
        self.say(|| {
            let shard = match timing.selection.shard {
                (_, 1) => String::new(),
                (k, n) => format!(", shard {k}/{n}"),
            };
            let again = match &totals {
                None => String::new(),
                Some(totals) => format!(", resumed after {}", count(totals.traces, "trace")),
            };
            let (seed, plan) = (run.seed(), run.plan());
            let scenarios = count(plan.scenarios.len() as u64, "scenario");
            format!("seed {seed}, plan {}, {scenarios}{shard}{again} -> {}", plan.digest_short(), opened.destination)
        });
        if let Some(note) = environment::without_effect() {
            self.say(|| note);
        }
        let journal = |ending, totals| Manifest {
            full_speed: timing.at_full_speed,
            ..Archive::of(&run, timing.selection, ending).manifest(totals)
        };
        self.write_manifest(|| journal(None, None))?;
        let job = Job {
            run: run.clone(),
            selection: timing.selection,
            threads: if opened.one_thread { 1 } else { self.threads() },
            at_full_speed: timing.at_full_speed,
            ordered: opened.ordered,
            sent,
            journal: self.journal(&run, &timing),
        };
        let outcome = monitor::run(&self, &job, opened, &timing, messages, metrics)?;
        self.write_manifest(|| {
            let engine::Figures { traces, spans, .. } = outcome.figures;
            let now = Totals { traces, spans, at: engine::now(), account: Some(outcome.account.clone()) };
            journal(Some(&outcome.ending), Some(totals.into_iter().fold(now, Totals::and)))
        })?;
        summary::show(&self, &outcome, &timing, &paths, run.seed())?;
        Ok(self.exit(&outcome, &timing))
    }

    /// At full speed the manifest gets the schedule as it grows, so that what arrives can be verified meanwhile.
    fn journal(&self, run: &Arc<crate::interpreter::Run>, timing: &Timing) -> Option<engine::Journal> {
        let path = self.manifest.clone().filter(|_| timing.at_full_speed)?;
        let (run, selection) = (run.clone(), timing.selection);
        Some(Arc::new(move |schedule| {
            let manifest = Archive::so_far(&run, selection, schedule).manifest(None);
            // What can't be written is told of at the end, when it is written once more.
            let _ = Manifest { full_speed: true, ..manifest }.save(&path);
        }))
    }

    /// `None`: there is nothing left to run.
    fn prepare(&mut self) -> Result<Option<Prepared>, Failure> {
        let Some(path) = self.resume.clone() else { return self.prepare_new().map(Some) };
        let Some(stopped) = resume::open(&path)? else {
            self.say(|| format!("{}: its run is complete, nothing is left to send", path.display()));
            return Ok(None);
        };
        if let Some(losses) = stopped.losses() {
            self.say(|| losses);
        }
        self.exporter.append = true;
        self.manifest.get_or_insert(path);
        let resume::Stopped { run, timing, sent, totals } = stopped;
        Ok(Some(Prepared { run, timing, paths: vec![], sent, totals: Some(totals) }))
    }

    fn prepare_new(&self) -> Result<Prepared, Failure> {
        let paths = scenarios::paths(self.paths.clone());
        let plan = Arc::new(scenarios::plan(&paths)?);
        let seed = self.seed.unwrap_or_else(super::draw_seed);
        let now = engine::now() / 1_000_000 * 1_000_000;
        let timing = Timing::resolve(&self.timing, self.seed.is_some(), now, plan.duration_bound())?;
        let run = Arc::new(crate::interpreter::Run::new(plan, seed, timing.schedule.clone()));
        Ok(Prepared { run, timing, paths, sent: Sent::default(), totals: None })
    }

    fn write_manifest(&self, manifest: impl FnOnce() -> Manifest) -> Result<(), Failure> {
        let Some(path) = &self.manifest else { return Ok(()) };
        manifest().save(path).map_err(|e| Failure::impossible(format!("can't write {}: {e}", path.display())))
    }

    fn say(&self, line: impl FnOnce() -> String) {
        if !self.quiet {
            anstream::eprintln!("tracegen: {}", line());
        }
    }

    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
        self.threads.map_or_else(cores, |n| n as usize)
    }

    /// Anything rejected or undelivered beats an interruption; an endless run that was stopped is done.
    fn exit(&self, outcome: &monitor::Outcome, timing: &Timing) -> Exit {
        let endless = timing.selection.count.is_none() && timing.selection.before.is_none();
        match outcome {
            o if o.lost() => Exit::Wrong,
            o if o.interrupted && !endless => Exit::Interrupted,
            _ => Exit::Done,
        }
    }
}
