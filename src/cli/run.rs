//! `tracegen run`: flags to a job, the job to its end, the account of it.

pub(super) mod exporter;
mod monitor;
mod progress;
mod recent;
pub(super) mod rows;
pub(super) mod summary;
mod terminal;
pub(super) mod timing;

use super::{Exit, Failure, environment, memory, metrics, scenarios};
use crate::engine::{self, Archive, Job, Manifest, Totals};
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
  tracegen run orders.plan --rate max --endpoint http://localhost:4318

With --count alone the traces are spread over the last minute. Without --count, --duration and --until a run goes on until
it is interrupted. Collector variables (OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL, _HEADERS, _TIMEOUT, _COMPRESSION,
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
    /// Write what it takes to make these traces again, at the start and once more at the end
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
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

impl Run {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let paths = scenarios::paths(self.paths.clone());
        let plan = Arc::new(scenarios::plan(&paths)?);
        memory::take_small_pages();
        let seed = self.seed.unwrap_or_else(super::draw_seed);
        let now = engine::now() / 1_000_000 * 1_000_000;
        let timing = Timing::resolve(&self.timing, self.seed.is_some(), now, plan.duration_bound())?;
        let run = Arc::new(crate::interpreter::Run::new(plan.clone(), seed, timing.schedule.clone()));
        let metrics = metrics::wanted()?;
        let messages = Messages::new();
        let opened = exporter::open(&self.exporter, Exporter::Otlp, &run, messages.observer())?;
        self.say(|| {
            let shard = self.timing.shard.map_or(String::new(), |s| format!(", shard {}/{}", s.k, s.n));
            let scenarios = count(plan.scenarios.len() as u64, "scenario");
            format!("seed {seed}, plan {}, {scenarios}{shard} -> {}", plan.digest_short(), opened.destination)
        });
        if let Some(note) = environment::without_effect() {
            self.say(|| note);
        }
        self.write_manifest(|| Archive::of(&run, timing.selection, None).manifest(None))?;
        let job = Job {
            run,
            selection: timing.selection,
            threads: if opened.one_thread { 1 } else { self.threads() },
            at_full_speed: timing.at_full_speed,
            ordered: opened.ordered,
        };
        let outcome = monitor::run(&self, &job, opened, &timing, messages, metrics)?;
        self.write_manifest(|| {
            let engine::Figures { traces, spans, .. } = outcome.figures;
            let totals = Totals { traces, spans, at: engine::now() };
            Archive::of(&job.run, timing.selection, Some(&outcome.ending)).manifest(Some(totals))
        })?;
        summary::show(&self, &outcome, &timing, &paths, seed)?;
        Ok(self.exit(&outcome))
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
    fn exit(&self, outcome: &monitor::Outcome) -> Exit {
        let TimingFlags { count, duration, until, .. } = &self.timing;
        let endless = count.is_none() && duration.is_none() && until.is_none();
        match outcome {
            o if o.lost() => Exit::Wrong,
            o if o.interrupted && !endless => Exit::Interrupted,
            _ => Exit::Done,
        }
    }
}
