//! The subcommand `tracegen verify`: what a pipeline lost, duplicated or changed.

mod progress;

use super::source::{Known, Source};
use super::verdict::VerdictFlags;
use super::{Exit, Failure, database, memory, parse, signal};
use crate::clock::now;
use crate::condition::Vocabulary;
use crate::store::Connection;
use crate::verify::{self, Verifier};
use clap::Args;
use progress::Display;
use std::fs;
use std::path::PathBuf;

/// Compare what arrived with what was sent: what is lost, duplicated, altered
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen verify --manifest run.json --from traces.json            what the collector's file exporter wrote
  tracegen verify --manifest run.json --from traces*.json.gz        several files, JSON or protobuf, gzip or zstd
  tracegen verify --manifest run.json --from clickhouse=http://localhost:8123
  tracegen verify --manifest run.json --from jaeger=http://localhost:16686
  tracegen run --seed 42 --count 1000 --start 2026-01-01 --rate 100/s --exporter file=- |
    tracegen verify --seed 42 --count 1000 --start 2026-01-01 --rate 100/s --from -
  tracegen verify --manifest run.json --from kept.json --expect keep-errors --expect sample=10%+-1
  tracegen verify --manifest run.json --from kept.json --policy policy.yaml
  tracegen verify --manifest run.json --from kept.json --expect \"drop: root.http.route == '/healthz'\" \\
    --expect 'keep: failed or duration_ms >= 801' --expect 'sample: 10%'
  tracegen verify --manifest run.json --from out.json --change 'delete(payment.card)' --change 'sha256(user.email) when failed'
  tracegen verify --manifest mon.json --manifest tue.json --from clickhouse --deny unexpected   all that is in one place

Of the rules of --expect and --policy the first that holds decides on a trace; a trace without one must arrive whole. If a rule
samples, a trace must arrive whole or not at all; a part of a trace is loss. Memory: 4 bytes for each trace of the
run, and 2 bytes and 1 bit for each span of the traces that arrived. Merge the manifests of shards first: `tracegen merge`.

With several manifests each run gets its own report, and the source is read once for each. Spans of the other runs are expected,
so `--deny unexpected` finds what belongs to none of them. The exit status is that of the worst report: 1 beats 3 beats 0.

An allowance covers exactly what it names: `--allow altered=attributes.user` only that field, `altered=resource.k8s.*` every field
whose name begins with `resource.k8s.`. An allowance that was not needed is reported. A span that the run never sent is a fault
if it is in one of the run's traces; in other traces it is ignored, unless `--deny unexpected` is given.

Exit status: 0 nothing is lost, duplicated, altered or invented beyond what is allowed; 1 something is; 3 it could not be checked:
the source is out of reach, or has nothing of the run; the run has sent nothing, goes on, or was killed before it wrote its end;
damage may hide something; the report can't be written. What is certainly wrong is reported all the same, with exit status 1.")]
pub struct Verify {
    /// Where the traces are: `clickhouse` (by DATABASE_HOST and the like), `clickhouse=URL`, `jaeger=URL`, OTLP files, or `-`
    /// for standard input
    #[arg(long, value_name = "SOURCE", required = true, num_args = 1)]
    from: Vec<String>,
    /// With --manifest: more OTLP files; with --seed: the run's scenario files or directories
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
        if let Some(rate) = self.verdict.rates().first() {
            return Err(Failure::usage(format!("`--expect {rate}`: only `tracegen sink` sees how fast spans arrive")));
        }
        let (files, scenarios) = match self.source.manifests.is_empty() {
            false => (self.paths, vec![]),
            true => (vec![], self.paths),
        };
        let from = source(&self.from, files)?;
        let runs = self.source.open(scenarios)?;
        let known = Vocabulary::of(runs.iter().flat_map(|run| run.archive.plans()));
        let policy = self.verdict.policy(&known)?;
        if runs.len() > 1 {
            can_be_read_again(&from)?;
        }
        memory::take_small_pages();
        signal::end_at_once("no verdict")?;
        let identities = Vec::from_iter(runs.iter().map(|run| run.archive.identity().clone()));
        let mut results = vec![];
        for (at, Known { archive, background }) in runs.into_iter().enumerate() {
            let mut verifier = Verifier::new(archive, from.fidelity(), policy.clone());
            let others = identities.iter().enumerate().filter(|(other, _)| *other != at);
            verifier.expect_companions(others.map(|(_, identity)| identity.clone()));
            let name = background.manifest.clone().filter(|_| identities.len() > 1);
            let mut display = Display::new(self.quiet, name);
            let read = from.read(&mut verifier, &mut |verifier| display.update(verifier));
            display.finish();
            read.map_err(|e| Failure::impossible(format!("{e}: not checked")))?;
            if let Some(until) = background.last_start.filter(|until| *until > now()) {
                let until = parse::format_time(until);
                verifier.unknown(format!(
                    "by its flags the run goes on until {until}: missing spans can't be counted as lost"
                ));
            }
            results.push((verifier.finish(), background));
        }
        self.verdict.show(&results)
    }
}

/// Checks that a source can be read once for each of several runs.
///
/// # Errors
/// It is standard input or a pipe, which can be read only once.
fn can_be_read_again(from: &verify::Source) -> Result<(), Failure> {
    let pipe = match from {
        verify::Source::Stdin => "standard input".into(),
        verify::Source::Files(paths) => {
            let is_pipe = |path: &&PathBuf| fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
            match paths.iter().find(is_pipe) {
                Some(path) => path.display().to_string(),
                None => return Ok(()),
            }
        }
        verify::Source::ClickHouse(_) | verify::Source::Jaeger(_) => return Ok(()),
    };
    Err(Failure::usage(format!(
        "{pipe} can be read only once, and the source is read for each of several manifests: save the traces to a file"
    )))
}

/// Returns the source that `--from` names; only files can be several.
fn source(from: &[String], files: Vec<PathBuf>) -> Result<verify::Source, Failure> {
    let is_store = |word: &String| {
        matches!(word.as_str(), "-" | "clickhouse")
            || matches!(word.split_once('='), Some(("clickhouse" | "jaeger", _)))
    };
    if !from.iter().any(is_store) {
        return Ok(verify::Source::Files(from.iter().map(PathBuf::from).chain(files).collect()));
    }
    let [only] = from else { return Err(Failure::usage("a store or `-` can't be combined with another --from")) };
    if !files.is_empty() {
        // The part behind the `=` may contain a password.
        let store = only.split_once('=').map_or(only.as_str(), |(store, _)| store);
        return Err(Failure::usage(format!("files can't be combined with --from {store}")));
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
