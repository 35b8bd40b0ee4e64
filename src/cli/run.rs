//! `tracegen run`: flags to a job, the job to its end, the account of it.

mod exporter;
mod monitor;
mod progress;
mod rows;
mod summary;
mod terminal;
mod timing;

use super::parse::{self, Rate, Shard};
use super::{Exit, Failure, environment, scenarios};
use crate::engine::{self, Job};
use crate::text::count;
use clap::{Args, ValueEnum};
use exporter::Exporter;
use monitor::Messages;
use std::path::PathBuf;
use std::sync::Arc;
use timing::Timing;

/// Replay a plan: the same seed and start give the same traces, byte for byte
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen run --exporter stdout                          traces as they happen, without a collector
  tracegen run --seed 42 --count 100000                   to the collector at localhost:4317
  tracegen run --rate 5000/s --duration 1m                a load test, with the rate that was achieved
  tracegen run --seed 42 --start 2026-01-01T00:00:00Z --count 10000 --exporter file=a.bin
  tracegen run --seed 42 --start 2026-01-01 --duration 1h --rate 100/s --shard 0/3
  tracegen run orders.plan --rate max --endpoint http://localhost:4318

With --count alone the traces are spread over the last minute. Without --count, --duration and --until a run goes on until
it is interrupted. Collector variables (OTEL_EXPORTER_OTLP_ENDPOINT, _PROTOCOL, _HEADERS, _TIMEOUT, _COMPRESSION,
_CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE, _INSECURE, and the same with _TRACES_) are read as the OTLP specification
says; TRACE_INTERVAL_MIN, TRACE_INTERVAL_MAX and TRACE_NUM_WORKERS give --interval and --lanes; DATABASE_HOST,
DATABASE_PORT, DATABASE_USER, DATABASE_PASSWORD and DATABASE_NAME say where ClickHouse is.")]
pub struct Run {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What all choices and values follow from [default: drawn, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Stop after N traces
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1 << 48))]
    count: Option<u64>,
    /// Only traces that start within D of the start: 30s, 5m, 1h30m
    #[arg(long, value_name = "D", value_parser = parse::positive_duration)]
    duration: Option<u64>,
    /// Traces a second, minute or hour (50, 50/s, 100/m, 1/h), or `max`
    #[arg(long, value_name = "R", value_parser = parse::rate, conflicts_with_all = ["interval", "lanes"])]
    rate: Option<Rate>,
    /// Gaps between the traces of a lane, uniform: 0.5..2 (seconds), 500ms..2s [default: 0.5..2]
    #[arg(long, value_name = "MIN..MAX", value_parser = parse::interval)]
    interval: Option<(u64, u64)>,
    /// When the schedule starts: a time (RFC 3339), a date, `now`, -7d, +10m; the past goes out at full speed [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    start: Option<String>,
    /// Only traces that start before a time: as --start
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    until: Option<String>,
    /// Make only every N-th trace, from the K-th on; the N shards together are the whole
    #[arg(long, value_name = "K/N", value_parser = parse::shard)]
    shard: Option<Shard>,
    /// Independent sequences of gaps; part of the schedule [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=crate::interpreter::MAX_LANES as i64))]
    lanes: Option<u32>,
    /// Threads to generate on; never changes a byte [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// How starts are spread at a rate [default: constant]
    #[arg(long, value_enum, value_name = "HOW")]
    arrivals: Option<ArrivalsFlag>,
    /// Where traces go: otlp, stdout, file=PATH (.jsonl is OTLP JSON, anything else length-prefixed protobuf, - is stdout), clickhouse, none
    #[arg(long, value_name = "WHERE", default_value = "otlp", value_parser = exporter::parse)]
    exporter: Exporter,
    /// The collector [default: OTEL_EXPORTER_OTLP_ENDPOINT or http://localhost:4317]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// grpc, http/protobuf or http/json [default: OTEL_EXPORTER_OTLP_PROTOCOL, or grpc at port 4317, else http/protobuf]
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// A header of every request; may be given several times
    #[arg(long, value_name = "K=V")]
    header: Vec<String>,
    /// How long to wait for a collector that has never answered [default: 10s]
    #[arg(long, value_name = "D", value_parser = parse::duration)]
    wait: Option<u64>,
    /// Print the account on stdout in this form
    #[arg(long, value_enum, value_name = "FORM")]
    summary: Option<SummaryFlag>,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ArrivalsFlag {
    /// Evenly
    Constant,
    /// As independent requests arrive
    Poisson,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SummaryFlag {
    Json,
}

impl Run {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let paths = scenarios::paths(self.paths.clone());
        let plan = Arc::new(scenarios::plan(&paths)?);
        let seed = self.seed.unwrap_or_else(super::draw_seed);
        let now = engine::now() / 1_000_000 * 1_000_000;
        let timing = Timing::resolve(&self, now, plan.duration_bound())?;
        let run = Arc::new(crate::interpreter::Run::new(plan.clone(), seed, timing.schedule.clone()));
        let messages = Messages::new();
        let opened = exporter::open(&self, &run, messages.observer())?;
        self.say(|| {
            let shard = self.shard.map_or(String::new(), |s| format!(", shard {}/{}", s.k, s.n));
            let scenarios = count(plan.scenarios.len() as u64, "scenario");
            format!("seed {seed}, plan {}, {scenarios}{shard} -> {}", plan.digest_short(), opened.destination)
        });
        if let Some(note) = environment::without_effect() {
            self.say(|| note);
        }
        let job = Job {
            run,
            selection: timing.selection,
            threads: if opened.one_thread { 1 } else { self.threads() },
            at_full_speed: timing.at_full_speed,
            ordered: opened.ordered,
        };
        let outcome = monitor::run(&self, &job, opened, &timing, messages)?;
        summary::show(&self, &outcome, &timing, &paths, seed)?;
        Ok(self.exit(&outcome))
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
        let endless = self.count.is_none() && self.duration.is_none() && self.until.is_none();
        match outcome {
            o if o.lost() => Exit::Wrong,
            o if o.interrupted && !endless => Exit::Interrupted,
            _ => Exit::Done,
        }
    }
}
