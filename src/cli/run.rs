//! The subcommand `tracegen run`: from flags to a job, through the job, to its account.

mod destination;
pub(super) mod exporter;
mod monitor;
pub(super) mod outlet;
mod progress;
mod resume;
pub(super) mod rows;
mod summary;
mod terminal;

use super::sending::SendingFlags;
use super::timing::{Timing, TimingFlags};
use super::{Exit, Failure, environment, load, memory, metrics, output, scenarios};
use crate::clock;
use crate::disk;
use crate::engine::{self, Job, Sent};
use crate::journal::{Archive, Manifest, ManifestFile, Selection, Sending, Totals};
use crate::text::count;
use clap::{Args, ValueEnum};
use exporter::{Exporter, ExporterFlags};
use monitor::Messages;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Replay a plan: the same seed and start give the same traces, byte for byte
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen run --exporter stdout                          traces in real time, without a collector
  tracegen run --seed 42 --count 100000                   to the collector at localhost:4317
  tracegen run --rate 5000/s --duration 1m                a load test, which reports the achieved rate
  tracegen run --seed 42 --start 2026-01-01T00:00:00Z --count 10000 --exporter file=a.bin
  tracegen run --seed 42 --start 2026-01-01 --duration 1h --rate 100/s --shard 0/3
  tracegen run --count 1000 --manifest run.json           and then: tracegen replay 17 --manifest run.json
  tracegen run --start -7d --rate 50/s                    the last week at full speed, then in real time; --until now stops at the present
  tracegen run --resume run.json                          the rest of a run that was stopped
  tracegen run --send spans --late payment-service=30s    spans as SDKs send them, for tail samplers and block splits
  tracegen run --load-factor 2 --scenario 'Checkout*'     twice the load of the files, of some scenarios only
  tracegen run orders.plan --rate max --endpoint http://localhost:4318

Traces start as the `load` of the files says, or else as --interval does. --rate, --interval, --lanes, TRACE_INTERVAL_MIN and
TRACE_INTERVAL_MAX replace the load that scenarios share; those with a load of their own keep it. With --rate max all come as
often as on average. With --count alone the traces are spread over the last minute, or are the last ones of the load. Without --count, --duration and --until a run goes on until
it is interrupted. A stopped run with --manifest can be continued with --resume: no trace is sent twice, none is left out, and
a file is appended to. The collector variables (OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL, _HEADERS, _TIMEOUT, _COMPRESSION,
_CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE, _INSECURE, and the same with _TRACES_) mean what the OTLP specification says.
With OTEL_METRICS_EXPORTER=otlp tracegen's own metrics are sent too, every OTEL_METRIC_EXPORT_INTERVAL ms and at the end, to the
endpoint that the same variables with _METRICS_ name. TRACE_INTERVAL_MIN and TRACE_INTERVAL_MAX stand for --interval, and
TRACE_NUM_WORKERS for --lanes; DATABASE_HOST, DATABASE_PORT, DATABASE_USER, DATABASE_PASSWORD and DATABASE_NAME name the
ClickHouse database.")]
pub struct Run {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Seed of all random choices and values [default: a random one, which is printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    timing: TimingFlags,
    /// Number of generating threads, which never changes the output [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    sending: SendingFlags,
    #[command(flatten)]
    exporter: ExporterFlags,
    /// Write a manifest, from which these traces can be made again, at the start and at the end [default with --resume: its
    /// FILE]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Continue the stopped run that wrote this manifest, with what it has not sent
    #[arg(long, value_name = "FILE", conflicts_with_all = ["paths", "seed", "count", "duration", "rate", "interval", "start",
        "until", "shard", "lanes", "arrivals", "scenarios", "weights", "load_factor", "send", "batch_delay", "late"])]
    resume: Option<PathBuf>,
    /// Print a summary of the run on stdout in this format
    #[arg(long, value_enum, value_name = "FORM")]
    summary: Option<SummaryFlag>,
    /// Print only errors
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SummaryFlag {
    Json,
}

/// A run that is about to start, new or resumed.
pub(super) struct Prepared {
    run: Arc<crate::interpreter::Run>,
    timing: Timing,
    sending: Sending,
    paths: Vec<PathBuf>,
    sent: Sent,
    /// The totals of the run before it was stopped.
    totals: Option<Totals>,
}

impl Prepared {
    /// Returns the line that is printed at the beginning, with the destination of the traces.
    fn summary(&self, destination: &str) -> String {
        let shard = match self.timing.selection.shard {
            (_, 1) => String::new(),
            (k, n) => format!(", shard {k}/{n}"),
        };
        let again = match &self.totals {
            None => String::new(),
            Some(totals) => format!(", resumed after {}", count(totals.traces, "trace")),
        };
        let (seed, plan) = (self.run.seed(), self.run.plan());
        let scenarios = count(plan.scenarios.len() as u64, "scenario");
        format!("seed {seed}, plan {}, {scenarios}{shard}{again} -> {destination}", plan.digest_short())
    }
}

/// Claims the file that a manifest is written to.
///
/// # Errors
/// The file can't be written, another run writes it, or it holds something else that would be lost.
pub(super) fn open_manifest(path: &Path) -> Result<ManifestFile, Failure> {
    let name = path.display();
    if disk::holds_other(path, "{\"format\":") {
        let problem = "its content is not a manifest, and would be lost: name another file, or remove it";
        return Err(Failure::usage(format!("--manifest {name}: {problem}")));
    }
    ManifestFile::open(path).map_err(|e| match e.kind() {
        ErrorKind::ResourceBusy => {
            Failure::usage(format!("--manifest {name}: another run is writing it: name another file"))
        }
        _ => Failure::impossible(format!("can't write {name}: {e}")),
    })
}

/// Returns the callback that appends new epochs to the manifest at full speed, so that arriving traces can be verified
/// during the run.
fn journal(file: Arc<ManifestFile>, run: Arc<crate::interpreter::Run>) -> engine::OnEpoch {
    Arc::new(move |schedule| {
        if file.lacks(schedule.epochs().len()) {
            file.append(Archive::so_far(&run, Selection::default(), schedule).eras());
        }
    })
}

impl Run {
    pub(super) fn execute(mut self) -> Result<Exit, Failure> {
        let Some(prepared) = self.prepare()? else { return Ok(Exit::Done) };
        let Prepared { run, timing, sending, .. } = &prepared;
        self.check_files(&prepared)?;
        memory::take_small_pages();
        let metrics = metrics::wanted()?;
        let messages = Messages::new();
        let manifest = self.manifest.as_deref().map(open_manifest).transpose()?.map(Arc::new);
        let opened = outlet::open(&self.exporter, Exporter::Otlp, run, messages.observer())?;
        let destination = opened.destination.clone();
        self.say(|| prepared.summary(&opened.name));
        let idle = load::without_load(run.plan(), &run.schedule().epochs()[0]);
        environment::without_effect().into_iter().chain(idle).for_each(|note| self.say(|| note));
        let written = |ending, totals| Manifest {
            full_speed: timing.at_full_speed,
            destination: Some(destination.clone()),
            ..Archive::of(run, timing.selection, ending).sending(sending.clone()).manifest(totals)
        };
        let save = |written: &dyn Fn() -> Manifest| match &manifest {
            Some(file) => file.save(&written()).map_err(|e| self.not_written(&e)),
            None => Ok(()),
        };
        save(&|| written(None, None))?;
        let job = Job {
            run: run.clone(),
            selection: timing.selection,
            threads: if opened.one_thread { 1 } else { self.threads() },
            at_full_speed: timing.at_full_speed,
            ordered: opened.ordered,
            sending: sending.clone(),
            sent: prepared.sent,
            clock: Arc::new(clock::Process),
            on_epoch: manifest.clone().filter(|_| timing.at_full_speed).map(|file| journal(file, run.clone())),
        };
        let outcome = monitor::run(&self, &job, opened, timing, messages, metrics)?;
        save(&|| {
            let engine::Figures { traces, spans, .. } = outcome.figures;
            let now = Totals { traces, spans, time: clock::now(), account: Some(outcome.account.clone()) };
            // The totals of a manifest that was read leave room for those of this run.
            let all = prepared.totals.iter().try_fold(now, |sum, before| sum.checked_add(before));
            written(Some(&outcome.ending), all)
        })?;
        summary::show(&self, &outcome, &prepared, &destination)?;
        Ok(self.exit(&outcome, timing))
    }

    /// Checks that all files that are read and written are different.
    ///
    /// # Errors
    /// Two of them are the same.
    fn check_files(&self, prepared: &Prepared) -> Result<(), Failure> {
        let written = [
            match &self.exporter.exporter {
                Some(Exporter::File(path)) => Some(("--exporter file=", path)),
                _ => None,
            },
            self.manifest.as_ref().map(|path| ("--manifest ", path)),
        ];
        let read = prepared.paths.iter().map(|path| ("", path));
        let all: Vec<(&str, &PathBuf)> = written.into_iter().flatten().chain(read).collect();
        for (at, (subject, one)) in all.iter().enumerate().filter(|(_, (subject, _))| !subject.is_empty()) {
            if let Some((other_what, other)) = all[at + 1..].iter().find(|(_, other)| disk::is_same(one, other)) {
                let (one, other) = (one.display(), other.display());
                return Err(Failure::usage(format!(
                    "{subject}{one} and {other_what}{other} are one file: name another"
                )));
            }
        }
        Ok(())
    }

    fn not_written(&self, error: &std::io::Error) -> Failure {
        let path = self.manifest.as_deref().unwrap_or(Path::new("the manifest"));
        Failure::impossible(format!("can't write {}: {error}", path.display()))
    }

    /// Prepares the run; returns `None` if nothing is left to run.
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
        if let Some(destination) = &stopped.destination {
            destination::go_on(&mut self.exporter, destination).map_err(|failure| Failure {
                message: format!("{}: {}", path.display(), failure.message),
                ..failure
            })?;
        }
        self.manifest.get_or_insert(path);
        let resume::Stopped { run, timing, sending, sent, totals, .. } = stopped;
        Ok(Some(Prepared { run, timing, sending, paths: vec![], sent, totals: Some(totals) }))
    }

    fn prepare_new(&self) -> Result<Prepared, Failure> {
        let paths = scenarios::paths(self.paths.clone());
        let plan = self.timing.load.weigh(Arc::new(scenarios::plan(&paths)?))?;
        let seed = self.seed.unwrap_or_else(super::draw_seed);
        let now = clock::now() / 1_000_000 * 1_000_000;
        let sending = self.sending.resolve(&plan)?;
        let longest = plan.duration_bound() + sending.longest_wait(&plan);
        let timing = Timing::resolve(&self.timing, self.seed.is_some(), now, &plan, longest)?;
        let run = Arc::new(crate::interpreter::Run::new(plan, seed, timing.schedule.clone()));
        Ok(Prepared { run, timing, sending, paths, sent: Sent::default(), totals: None })
    }

    fn say(&self, line: impl FnOnce() -> String) {
        if !self.quiet {
            output::say(line());
        }
    }

    fn threads(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |n| n.get());
        self.threads.map_or_else(cores, |n| n as usize)
    }

    /// Returns how the run ended. Rejected or undelivered spans take precedence over an interruption; an endless run that
    /// was stopped is done.
    fn exit(&self, outcome: &monitor::Outcome, timing: &Timing) -> Exit {
        let endless = timing.selection.count.is_none() && timing.selection.started_before.is_none();
        match outcome {
            o if o.lost() => Exit::Wrong,
            o if o.interrupted && !endless => Exit::Interrupted,
            _ => Exit::Done,
        }
    }
}
