//! The subcommand `tracegen explain`, which computes the statistics of a plan's traces.

mod human;
mod json;

use super::output::print;
use super::pace::{self, Pace};
use super::{Exit, Failure, scenarios};
use crate::explain::{Explanation, explain};
use crate::interpreter::{Arrivals, Run, Schedule};
use crate::language::source;
use crate::text::quantity::{self, Rate, SECOND};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

/// Show what scenarios will produce: shares, spans, failures, bytes and durations, before anything is sent
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen explain                                scenarios and services
  tracegen explain scenarios --rate 100/s         with numbers per second
  tracegen explain --by operation orders.yaml     by span name; a computed name is shown as its template
  tracegen explain --by edge                      calls from service to service
  tracegen explain orders.plan --format json | jq '.services[] | {service, failure_probability}'

Shares, numbers of spans and failures follow from the plan and are exact: every value that a condition
reads is taken into account. Durations and bytes are those of a sample: the first traces that
`tracegen run --seed 42` makes. A figure with ~ can't be computed, because a condition reads a value with
very many possibilities, or a timeout may be reached. It is also that of the sample, ± its 99.9 % interval.

JSON has all parts: total, scenarios, services, operations, edges. Each has
  exact                        whether shares, spans and failures are computed, not those of the sample
  intervals_99_9               the ends of the 99.9 % interval of each figure of the sample
  share                        the share of all traces, or of all spans, 0 to 1 like all probabilities
  traces_share                 the share of traces that are of the scenario, or have such a span
  spans_per_trace              min, mean, max: in a trace of the scenario, or such spans in any trace
  failure_probability          of a trace, or of a span
  own_time_ns                  the exact mean of a span's own work; null if that is computed from values,
                               so that no formula gives it: see duration_ns, which is of the sample
  bytes_per_trace, _per_span   the mean size in OTLP protobuf, without resources
  duration_ns                  p50, p90, p99
and with --rate traces_per_second, spans_per_second, bytes_per_second, and failed_traces_per_second or
failed_spans_per_second.")]
pub struct Explain {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also show numbers per second, if traces come at this rate: 50, 50/s, 100/m
    #[arg(long, value_name = "R", value_parser = quantity::rate)]
    rate: Option<Rate>,
    /// The tables to print, in this order
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_values = ["scenario", "service"])]
    by: Vec<By>,
    /// Seed of the sample
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Number of traces in the sample; 0 shows only exact figures
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(..=1_000_000_000))]
    samples: u64,
    /// Format of the output; JSON has all tables
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
    /// Print the text of the shared spans that every scenario file may use, and nothing else
    #[arg(long, exclusive = true)]
    prelude: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Scenario,
    Service,
    Operation,
    Edge,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

/// The start of the sample: 2026-01-01T00:00:00Z, in ns.
const START: u64 = 1_767_225_600 * SECOND;

impl Explain {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        if self.prelude {
            print(source::prelude())?;
            return Ok(Exit::Done);
        }
        self.check_paths()?;
        let plan = Arc::new(scenarios::plan(&scenarios::paths(self.paths.clone()))?);
        let arrivals = match pace::resolve(self.rate, None, None)? {
            Pace::Even { count, period: per } => Arrivals::Even { count, per_ns: per },
            Pace::Interval { min, max, lanes } => Arrivals::Interval { min_ns: min, max_ns: max, lanes },
            Pace::Max => {
                return Err(Failure::usage("--rate max is no figure: give what it comes to, as --rate 5000/s"));
            }
        };
        let rate = self.rate.map(|_| arrivals.mean_rate());
        let schedule = Schedule::new(START, arrivals).map_err(|e| Failure::usage(e.to_string()))?;
        let run = Arc::new(Run::new(plan, self.seed, schedule));
        let explanation = self.explain(&run);
        print(&match self.format {
            Format::Human => human::text(&self, &explanation, rate),
            Format::Json => json::text(&self, &explanation, &run, rate),
        })?;
        Ok(Exit::Done)
    }

    /// Refuses a path that is the name of a table, as in `--by scenario service`.
    fn check_paths(&self) -> Result<(), Failure> {
        let is_table = |path: &&PathBuf| path.to_str().is_some_and(|word| By::from_str(word, false).is_ok());
        let Some(word) = self.paths.iter().find(|path| is_table(path) && !path.exists()) else { return Ok(()) };
        let word = word.display();
        let commas = "several tables are named with commas, as `--by scenario,service`";
        Err(Failure::usage(format!("there is no file `{word}`: {commas}")))
    }

    fn explain(&self, run: &Arc<Run>) -> Explanation {
        // A sample that is made quickly shows no bar.
        let bar = ProgressBar::with_draw_target(Some(self.samples), ProgressDrawTarget::stderr_with_hz(4));
        let style = ProgressStyle::with_template("[{bar:28}]  {human_pos} / {human_len} traces   eta {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let explanation = explain(run, self.samples, threads, &|traces| bar.inc(traces));
        bar.finish_and_clear();
        explanation
    }
}
