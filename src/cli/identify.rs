//! The subcommand `tracegen identify`, which tells which traces ids stand for.

use super::output::print;
use super::parse::format_time;
use super::source::{Known, Source, trace_id};
use super::{Exit, Failure, scenarios};
use crate::interpreter::{Arrivals, Identity, Run, Schedule};
use crate::journal::Identified;
use crate::text::foreign::foreign;
use crate::text::{count, duration};
use clap::Args;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Find out whether trace ids are of a run, and which of its traces they name
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen identify --manifest run.json 4bf92f3577b34da6a3ce929d0e0e4736
  tracegen identify --manifest monday.json --manifest tuesday.json ID ID
  tracegen identify --seed 42 ID ID ID            by the seed alone: of the run or not, index, tag of the run
  tracegen identify --seed 42 orders.yaml ID      also the scenario, unless scenarios have loads of their own
  tracegen identify --seed 42 --start 2026-01-01T00:00:00Z --rate 50/s orders.yaml ID
                                                  also the start of the trace; the tag is checked

One in 2^48 foreign ids is mistaken for an id of the run. Exit status 1: some id is not of the run.")]
pub struct Identify {
    /// Trace ids (32 hexadecimal digits); anything else is a scenario file or directory
    #[arg(value_name = "ID|PATH", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    source: Source,
}

type Id = [u8; 16];

impl Identify {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let (ids, paths): (Vec<&String>, Vec<&String>) = self.words.iter().partition(|w| trace_id(w).is_some());
        let ids: Vec<Id> = ids.into_iter().filter_map(|word| trace_id(word)).collect();
        let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
        if ids.is_empty() {
            return Err(Failure::usage("no trace id is given: it has 32 hexadecimal digits"));
        }
        let timing = &self.source.timing;
        if self.source.manifests.is_empty() && timing.is_given() && timing.start.is_none() {
            return Err(Failure::usage("a schedule is known only with its --start"));
        }
        let by_seed = self.source.seed.filter(|_| timing.start.is_none());
        let (text, all_ours) = match by_seed {
            Some(seed) => identify_by_seed(seed, paths, &ids)?,
            None => identify(self.source.open(paths)?, &ids),
        };
        print(&text)?;
        Ok(if all_ours { Exit::Done } else { Exit::Wrong })
    }
}

/// Identifies ids in runs that are known completely.
fn identify(mut runs: Vec<Known>, ids: &[Id]) -> (String, bool) {
    let (mut out, mut all_ours) = (String::new(), true);
    for id in ids {
        let answers = runs.iter_mut().map(|run| (run.archive.identify(*id), run));
        // The run to which the id belongs knows most of it, then one with the same seed.
        let closest = answers.min_by_key(|(identified, _)| match identified {
            Identified::Ours { .. } => 0,
            Identified::OtherRun { .. } => 1,
            Identified::Foreign => 2,
        });
        let (line, ours) = match closest {
            Some((Identified::Ours { index }, Known { archive, background })) => match archive.remake(index) {
                Some((run, trace)) => {
                    let view = run.origin().view(&trace);
                    let (spans, lasts) = (count(trace.spans.len() as u64, "span"), duration(trace.end - trace.start));
                    let start = format_time(trace.start);
                    let subject =
                        format!("trace {index}, {}, {spans}, started {start}, lasts {lasts}", foreign(view.scenario()));
                    (format!("{subject}\n  tracegen replay {index} {}", background.words), true)
                }
                None => (format!("trace {index}, which the run did not make"), false),
            },
            Some((Identified::OtherRun { tag, index }, _)) => {
                (format!("trace {index} of another run with this seed, of tag {tag:08x}"), false)
            }
            Some((Identified::Foreign, _)) | None => ("not made with this seed".into(), false),
        };
        all_ours &= ours;
        let _ = writeln!(out, "{}  {line}", hex(id));
    }
    (out, all_ours)
}

/// Identifies ids by a seed, and a plan if there is one.
fn identify_by_seed(seed: u64, paths: Vec<PathBuf>, ids: &[Id]) -> Result<(String, bool), Failure> {
    let run = match paths.is_empty() {
        true => None,
        false => {
            let plan = Arc::new(scenarios::plan(&paths)?);
            // For the scenario of most plans' traces it makes no difference when they start.
            let any = Schedule::new(0, Arrivals::Even { count: 1, per_ns: 1 });
            Some(Run::new(plan, seed, any.map_err(|e| Failure::usage(e.to_string()))?))
        }
    };
    let identity = Identity::new(seed, 0);
    let (mut out, mut all_ours) = (String::new(), true);
    for id in ids {
        let line = match identity.decode(*id) {
            Some((tag, index)) => {
                let scenario = run.as_ref().map(|run| match run.schedule_decides_scenarios() {
                    true => ", of a scenario that depends on the schedule: give its --start, or a --manifest".into(),
                    false => {
                        let plan = run.plan();
                        format!(", {}", foreign(plan.text(plan.scenarios[run.scenario(index).index()].name)))
                    }
                });
                format!("trace {index} of the run with tag {tag:08x}{}", scenario.unwrap_or_default())
            }
            None => {
                all_ours = false;
                "not made with this seed".into()
            }
        };
        let _ = writeln!(out, "{}  {line}", hex(id));
    }
    Ok((out, all_ours))
}

fn hex(id: &Id) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}
