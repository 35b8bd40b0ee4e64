//! `tracegen verify`: what a pipeline lost, doubled or changed.

mod progress;

use super::source::{Known, Source};
use super::verdict::VerdictFlags;
use super::{Exit, Failure, database, memory, signal};
use crate::store::Connection;
use crate::verify::{self, Verifier};
use clap::Args;
use progress::Display;
use std::path::PathBuf;

/// Hold what arrived against what was sent: what is lost, doubled, changed
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen verify --manifest run.json --from traces.json            what the collector's file exporter wrote
  tracegen verify --manifest run.json --from traces*.json.gz        several files, JSON or protobuf, gzip or zstd
  tracegen verify --manifest run.json --from clickhouse=http://localhost:8123
  tracegen verify --manifest run.json --from jaeger=http://localhost:16686
  tracegen run --seed 42 --count 1000 --start 2026-01-01 --rate 100/s --exporter file=- |
    tracegen verify --seed 42 --count 1000 --start 2026-01-01 --rate 100/s --from -
  tracegen verify --manifest run.json --from kept.json --expect keep-errors --expect sample=10%+-1

A trace arrives whole or not at all where a policy samples; a part of one is loss. Memory: 4 bytes a trace, and 2 bytes and a
bit a span of those that arrived. Shards' manifests are merged first: `tracegen merge`.

Exit status: 0 nothing is lost, doubled or changed beyond what is allowed; 1 something is; 3 it could not be checked: a source
out of reach or empty, a damaged file that may hold what is missing, a run that has not written its end.")]
pub struct Verify {
    /// Where the traces are: `clickhouse` (by DATABASE_HOST and the like), `clickhouse=URL`, `jaeger=URL`, OTLP files, or `-`
    /// for standard input
    #[arg(long, value_name = "SOURCE", required = true, num_args = 1)]
    from: Vec<String>,
    /// With --manifest more OTLP files; with --seed the run's scenario files or directories
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    verdict: VerdictFlags,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Verify {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let policy = self.verdict.policy()?;
        let (files, scenarios) = match self.source.manifest {
            Some(_) => (self.paths, vec![]),
            None => (vec![], self.paths),
        };
        let from = source(&self.from, files)?;
        let Known { archive, background } = self.source.open(scenarios)?;
        memory::take_small_pages();
        signal::end_at_once("no verdict")?;
        let mut verifier = Verifier::new(archive, from.fidelity());
        let mut display = Display::new(self.quiet);
        let read = from.read(&mut verifier, &mut |verifier| display.update(verifier));
        display.finish();
        read.map_err(|e| Failure::impossible(format!("{e}: not checked")))?;
        let report = verifier.finish(&policy);
        self.verdict.show(&report, &background)
    }
}

/// What `--from` names; only files can be several.
fn source(from: &[String], files: Vec<PathBuf>) -> Result<verify::Source, Failure> {
    let is_store = |word: &String| {
        matches!(word.as_str(), "-" | "clickhouse")
            || matches!(word.split_once('='), Some(("clickhouse" | "jaeger", _)))
    };
    if !from.iter().any(is_store) {
        return Ok(verify::Source::Files(from.iter().map(PathBuf::from).chain(files).collect()));
    }
    let [only] = from else { return Err(Failure::usage("beside a store or `-` there can be no other --from")) };
    if !files.is_empty() {
        return Err(Failure::usage(format!("beside --from {only} no files are read")));
    }
    Ok(match only.split_once('=') {
        Some(("clickhouse", url)) => {
            let connection = Connection::parse(url).map_err(|e| Failure::usage(format!("--from clickhouse: {e}")))?;
            verify::Source::ClickHouse(connection)
        }
        Some((_, url)) => verify::Source::Jaeger(url.into()),
        None if only == "clickhouse" => verify::Source::ClickHouse(database::connection()?),
        None => verify::Source::Stdin,
    })
}
