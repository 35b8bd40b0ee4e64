//! The subcommand `tracegen replay`, which generates one trace of a run again.

use super::output::say;
use super::run::exporter::{Exporter, ExporterFlags};
use super::run::outlet;
use super::source::{Known, Source, trace_id};
use super::{Exit, Failure};
use crate::engine::Output;
use crate::interpreter::MAX_INDEX;
use crate::journal::{Archive, Identified};
use crate::text::count;
use clap::Args;
use std::path::PathBuf;

/// Generate one trace of a run again, byte for byte
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen replay 17 --manifest run.json          trace 17 of what `tracegen run --manifest run.json` made
  tracegen replay 4bf92f3577b34da6a3ce929d0e0e4736 --manifest http://localhost:8000/api/manifest
  tracegen replay 17 --seed 42 --start 2026-01-01T00:00:00Z --rate 1000/m
  tracegen replay 4bf92f3577b34da6a3ce929d0e0e4736 --manifest monday.json --manifest tuesday.json
  tracegen replay 17 --manifest run.json --exporter otlp --endpoint http://localhost:4317
  tracegen replay 17 --manifest run.json --exporter file=17.jsonl

Without a manifest, give the same seed, scenarios and schedule as the run was given; the line that `tracegen run` prints at its
end names them. SERVER_TOKEN is sent to a server that asks for it.")]
pub struct Replay {
    /// The trace: its index, counted from 0, or its id
    #[arg(value_name = "INDEX|TRACE_ID", value_parser = which)]
    trace: TraceRef,
    /// Scenario files or directories of a run that is named by its seed
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    exporter: ExporterFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TraceRef {
    Index(u64),
    Id([u8; 16]),
}

fn which(text: &str) -> Result<TraceRef, String> {
    match trace_id(text) {
        Some(id) => Ok(TraceRef::Id(id)),
        None => match text.parse() {
            Ok(index) if index < MAX_INDEX => Ok(TraceRef::Index(index)),
            Ok(_) => Err(format!("a run has traces 0 to {} at most", MAX_INDEX - 1)),
            Err(_) => Err("expected an index, or an id of 32 hexadecimal digits".into()),
        },
    }
}

impl Replay {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let (mut archive, index) = find(self.source.open(self.paths)?, self.trace)?;
        let Some((run, trace)) = archive.remake(index) else {
            return Err(Failure::impossible(format!("the run has no trace {index}")));
        };
        match archive.unsent(&archive.dues(run.plan()), &trace).len() {
            0 => {}
            all if all == trace.spans.len() => {
                say(format_args!("trace {index} had not ended when the run was stopped: it was not sent"));
            }
            some => {
                let spans = count(trace.spans.len() as u64, "span");
                say(format_args!(
                    "{some} of the {spans} of trace {index} were not due when the run was stopped: not sent"
                ));
            }
        }
        let observer = Box::new(say);
        let opened = outlet::open(&self.exporter, Exporter::Stdout, &run, observer)?;
        // The trace is written batch by batch, because a constant of the plan may be in it many times. The account tells
        // what became of each batch.
        let mut send = |batch| drop(opened.sink.send(batch));
        let mut encoder = (opened.encoder)();
        encoder.add(run.origin().view(&trace), &mut send);
        encoder.flush(&mut send);
        let account = opened.sink.finish();
        let failed = account.rejected.iter().chain(&account.undelivered).filter(|(cause, _)| *cause != "reader gone");
        let mut exit = Exit::Done;
        for (cause, loss) in failed {
            say(format_args!("{} spans not delivered: {cause} {}", loss.amount.spans, loss.message));
            exit = Exit::Wrong;
        }
        Ok(exit)
    }
}

/// Returns the run to which a trace belongs, and the trace's index.
///
/// # Errors
/// The id is of none of the runs, or an index is given for several runs.
fn find(runs: Vec<Known>, trace: TraceRef) -> Result<(Archive, u64), Failure> {
    let several = runs.len() > 1;
    let mut other_run = None;
    for Known { archive, .. } in runs {
        match trace {
            TraceRef::Index(_) if several => {
                return Err(Failure::usage("each of several runs has a trace with that index: give the trace's id"));
            }
            TraceRef::Index(index) => return Ok((archive, index)),
            TraceRef::Id(id) => match archive.identify(id) {
                Identified::Ours { index } => return Ok((archive, index)),
                Identified::OtherRun { tag, index } => other_run = Some((tag, index)),
                Identified::Foreign => {}
            },
        }
    }
    Err(Failure::impossible(match other_run {
        Some((tag, index)) => format!(
            "that is trace {index} of another run with this seed, of tag {tag:08x}: give that run's manifest, or its \
             scenarios and schedule, --start included"
        ),
        None if several => "that id was not made with the seed of any of these runs".into(),
        None => "that id was not made with this seed".into(),
    }))
}
