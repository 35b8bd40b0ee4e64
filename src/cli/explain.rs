//! The subcommand `tracegen explain`, which computes the statistics of a plan's traces.

mod held;
mod human;
mod json;
mod malformed;
mod moment;

use super::load::LoadFlags;
use super::output::print;
use super::pace::{self, Pace};
use super::parse;
use super::{Exit, Failure, scenarios};
use crate::clock;
use crate::condition::{Condition, TraceValue, Vocabulary};
use crate::explain::{Explanation, Held, Question, Rates, explain, held, impacts, timeline};
use crate::interpreter::{Arrivals, Epoch, LoadTerms, Run, Schedule, ScheduleError};
use crate::language::source::{self, Loc, Sources};
use crate::plan::{InForce, Plan, Source, SourceForm};
use crate::text::count;
use crate::text::quantity::{self, Rate};
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
  tracegen explain --incidents                    what each incident causes, and what it touches
  tracegen explain --at +15m --by operation       while those incidents are in force that are so 15 minutes
                                                  after the start
  tracegen explain --start 2026-01-01 --window 2026-01-01..2026-01-02 --step 5m --format json
  tracegen explain --where failed --where 'duration_ms > 800' --where \"any(user.tier == 'vip')\"
                                                  what a tail sampler with these rules keeps

Shares, numbers of spans and failures follow from the plan and are exact: every value that a condition
reads is taken into account. Durations and bytes are those of a sample: the first traces that
`tracegen run --seed 42` makes. A figure with ~ can't be computed, because a condition reads a value with
very many possibilities, or a timeout may be reached. It is also that of the sample, ± its 99.9 % interval.

The figures are those without incidents and at the mean of the load, unless --at or --window says otherwise.
A span belongs to the step in which it starts, and the incidents that are in force then act on it. Numbers per
second are those of the load at that time, or in that step. A step in which a window opens or closes, or a
scheduled job starts, or that is nearer to one than the longest trace of the samples lasts, has a sample of
its own, and so has one before which another rate held.

A condition of --where is one of a policy (docs/policies.md): `duration_ms > 800`, `any(status == 'error' and service == 'cart')`.
In JSON, `where` has for each: condition, exact, traces_share, spans_share, first_share; the last one is for no condition.

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
and with --rate or a load traces_per_second, spans_per_second, bytes_per_second, and failed_traces_per_second
or failed_spans_per_second. With a load that changes, load has mean_per_second and peak_per_second.")]
pub struct Explain {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also show numbers per second, if traces come at this rate: 50, 50/s, 100/m; scenarios with a load of their own keep it
    /// [default: the load of the files, if they have one]
    #[arg(long, value_name = "R", value_parser = quantity::rate)]
    rate: Option<Rate>,
    #[command(flatten)]
    load: LoadFlags,
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
    /// The figures at a time: as in RFC 3339, a date, or +15m for so long after the start of the run
    #[arg(long, value_name = "T", conflicts_with_all = ["window", "incidents"])]
    at: Option<String>,
    /// The figures step by step from one time to another, each given like --at
    #[arg(long, value_name = "FROM..TO", conflicts_with = "incidents")]
    window: Option<String>,
    /// Length of a step
    #[arg(long, value_name = "D", requires = "window", default_value = "1m", value_parser = parse::positive_duration)]
    step: u64,
    /// When the run starts, from which windows such as +10m are counted: a time (RFC 3339), a date, `now`, -7d
    #[arg(long, value_name = "T", allow_hyphen_values = true, default_value = "2026-01-01")]
    start: String,
    /// Show each incident: its windows, its root causes, and what becomes of the spans that it touches
    #[arg(long)]
    incidents: bool,
    /// Show for which share of the traces a condition holds, and how many of all spans they have; given several times, also
    /// for which share each is the first that holds
    #[arg(long = "where", value_name = "CONDITION", conflicts_with_all = ["window", "incidents"])]
    conditions: Vec<String>,
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

/// The load of the files, in traces per second.
#[derive(Clone, Copy)]
struct Load {
    mean: f64,
    /// The rate if all loads are at their highest, and all incidents in force that raise them.
    peak: f64,
}

impl Load {
    /// Returns the load of a run with one epoch, if its traces come by a load whose rate changes.
    fn of(plan: &Plan, epoch: &Epoch) -> Option<Load> {
        let factor = epoch.load?.factor as f64 / LoadTerms::ONE as f64;
        let is_in_use = |source: &&Source| source.scenario.is_some() || epoch.arrivals == Arrivals::Load;
        let peak = |source: &Source| match source.form {
            SourceForm::Rate { .. } => plan.peak_rate(source) * factor,
            SourceForm::Job { .. } => plan.peak_rate(source),
        };
        let others = if epoch.arrivals == Arrivals::Load { 0.0 } else { epoch.arrivals.mean_rate() };
        let peak = others + plan.load.iter().filter(is_in_use).map(peak).sum::<f64>();
        let mean: f64 = epoch.mean_rates(plan).iter().sum();
        (peak > mean * 1.001).then_some(Load { mean, peak })
    }
}

impl Explain {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        if self.prelude {
            print(source::prelude())?;
            return Ok(Exit::Done);
        }
        self.check_paths()?;
        let plan = self.load.weigh(Arc::new(scenarios::plan(&scenarios::paths(self.paths.clone()))?))?;
        let factor = self.load.factor(&plan)?;
        let arrivals = match pace::resolve(self.rate, None, None, plan.shared_source().is_some())? {
            Pace::Even { count, period: per } => Arrivals::Even { count, per_ns: per },
            Pace::Interval { min, max, lanes } => Arrivals::Interval { min_ns: min, max_ns: max, lanes },
            Pace::Load => Arrivals::Load,
            Pace::Max => {
                return Err(Failure::usage("--rate max is no figure: give what it comes to, as --rate 5000/s"));
            }
        };
        let start = parse::time(&self.start, clock::now())
            .map_err(|e| Failure::usage(format!("--start `{}`: {e}", self.start)))?;
        let load = (!plan.load.is_empty()).then_some(LoadTerms { anchor: start, factor });
        let epoch = Epoch { first: 0, opening: start, arrivals, load };
        let rates = epoch.mean_rates(&plan);
        let rate = (self.rate.is_some() || arrivals == Arrivals::Load).then(|| rates.iter().sum());
        let schedule = Schedule::of(epoch).map_err(|e| Failure::usage(e.to_string()))?;
        if self.incidents {
            return self.incidents(&plan, epoch);
        }
        if let Some(window) = &self.window {
            return self.window(window, &plan, epoch, rate);
        }
        if let Some(at) = &self.at {
            return self.at(self.time("--at", at, start)?, &plan, epoch, rate);
        }
        let load = Load::of(&plan, &epoch);
        let run = Arc::new(Run::under(plan.clone(), self.seed, schedule, &InForce::new()));
        self.show(&plan, &run, rate, load, None)
    }

    /// Shows the figures at a time, in ns since 1970. `rate` is the mean of the run, if it is to be shown.
    fn at(&self, at: u64, plan: &Arc<Plan>, epoch: Epoch, rate: Option<f64>) -> Result<Exit, Failure> {
        let wrong = |e: ScheduleError| Failure::usage(e.to_string());
        let mut rates = Rates::new(plan, self.seed, epoch).map_err(wrong)?;
        let now = rates.at(at);
        let in_force = Run::new(plan.clone(), self.seed, Schedule::of(epoch).map_err(wrong)?).in_force(at);
        // Where nothing comes, the other figures are those of what comes at other times.
        let mixed = rates.plan_at(&now).or_else(|| rates.plan_at(&rates.mean())).unwrap_or_else(|| plan.clone());
        let pace = Arrivals::Even { count: 1, per_ns: quantity::SECOND };
        let schedule = match plan.load.is_empty() {
            true => Schedule::of(epoch),
            false => Schedule::new(epoch.opening, pace),
        };
        let run = Arc::new(Run::under(mixed, self.seed, schedule.map_err(wrong)?, &in_force));
        let rate = rate.map(|mean| if plan.load.is_empty() { mean } else { now.iter().sum() });
        self.show(plan, &run, rate, Load::of(plan, &epoch), Some((at, &in_force)))
    }

    /// Shows the figures of a run, whose plan is `plan` but for how often its scenarios come. `at` is the time of the figures in
    /// ns since 1970, with the incidents that are in force, if a time is given.
    fn show(
        &self,
        plan: &Plan,
        run: &Arc<Run>,
        rate: Option<f64>,
        load: Option<Load>,
        at: Option<(u64, &InForce)>,
    ) -> Result<Exit, Failure> {
        let conditions = self.conditions(plan)?;
        let explanation = self.explain(run);
        let held = self.held(run, &conditions, &explanation);
        print(&match (self.format, at) {
            (Format::Human, _) if !held.is_empty() => held::text(self, &held, rate),
            (Format::Human, None) => human::text(self, &explanation, plan, rate, load),
            (Format::Human, Some((at, in_force))) => {
                moment::head(plan, at, in_force) + "\n" + &human::text(self, &explanation, plan, rate, load)
            }
            (Format::Json, at) => json::text(self, &explanation, &held, plan, rate, load, at),
        })?;
        Ok(Exit::Done)
    }

    /// Parses a time, which may be given relative to the start of the run.
    fn time(&self, flag: &str, text: &str, start: u64) -> Result<u64, Failure> {
        parse::time(text, start).map_err(|e| Failure::usage(format!("{flag} `{text}`: {e}")))
    }

    /// Shows the figures step by step.
    fn window(&self, text: &str, plan: &Arc<Plan>, epoch: Epoch, rate: Option<f64>) -> Result<Exit, Failure> {
        let start = epoch.opening;
        let allowed = "--window takes FROM..TO, as `2026-01-01T09:00:00Z..2026-01-01T10:00:00Z` or `+0s..+1h`";
        let (from, to) = text.split_once("..").ok_or_else(|| Failure::usage(allowed))?;
        let (from, to) = (self.time("--window", from, start)?, self.time("--window", to, start)?);
        if from < start || to <= from {
            return Err(Failure::usage("--window begins at or after the start of the run, and ends after that"));
        }
        if (to - from).div_ceil(self.step) > MOST_STEPS {
            return Err(Failure::usage(format!(
                "--window has more than {MOST_STEPS} steps: make them longer by --step"
            )));
        }
        if self.samples == 0 {
            return Err(Failure::usage("--window needs samples"));
        }
        let threads = threads();
        let (plan, step, samples) = (plan.clone(), self.step, self.samples);
        let question = Question { plan, seed: self.seed, epoch, from, to, step, samples, threads };
        let bar = bar(None);
        let timeline = timeline(&question, &|traces| bar.inc(traces));
        bar.finish_and_clear();
        let timeline = timeline.map_err(|e| Failure::usage(e.to_string()))?;
        print(&match self.format {
            Format::Human => moment::timeline(self, &question.plan, &timeline, rate),
            Format::Json => json::timeline(self, &question, &timeline, rate),
        })?;
        Ok(Exit::Done)
    }

    /// Shows each incident with its causes and its impact.
    fn incidents(&self, plan: &Arc<Plan>, epoch: Epoch) -> Result<Exit, Failure> {
        let start = epoch.opening;
        let bar = bar(None);
        let impacts = impacts(plan, self.seed, epoch, self.samples, threads(), &|traces| bar.inc(traces));
        bar.finish_and_clear();
        let impacts = impacts.map_err(|e| Failure::usage(e.to_string()))?;
        print(&match self.format {
            Format::Human => moment::incidents(self, plan, &impacts, start),
            Format::Json => json::incidents(self, plan, &impacts, start),
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

    /// Compiles the conditions of `--where`.
    fn conditions(&self, plan: &Plan) -> Result<Vec<Condition<TraceValue>>, Failure> {
        let known = Vocabulary::of([plan]);
        let (mut sources, mut diagnostics) = (Sources::default(), vec![]);
        let mut compiled = vec![];
        for text in &self.conditions {
            let loc = Loc { file: sources.add("--where".into(), text.clone()), start: 0, end: text.len() as u32 };
            compiled.extend(Condition::parse(text, loc, &known, &mut diagnostics));
        }
        scenarios::print_diagnostics(&sources, &diagnostics);
        match self.conditions.len() - compiled.len() {
            0 => Ok(compiled),
            wrong => Err(Failure::usage(format!("{} of --where can't be used", count(wrong as u64, "condition")))),
        }
    }

    /// Counts for how many traces each condition holds; nothing if there is none.
    fn held(&self, run: &Arc<Run>, conditions: &[Condition<TraceValue>], explanation: &Explanation) -> Vec<Held> {
        if conditions.is_empty() {
            return vec![];
        }
        let bar = bar(Some(self.samples));
        let held = held(run, conditions, explanation, self.samples, threads(), &|traces| bar.inc(traces));
        bar.finish_and_clear();
        held
    }

    fn explain(&self, run: &Arc<Run>) -> Explanation {
        let bar = bar(Some(self.samples));
        let explanation = explain(run, self.samples, threads(), &|traces| bar.inc(traces));
        bar.finish_and_clear();
        explanation
    }
}

/// The maximum number of steps of a window.
const MOST_STEPS: u64 = 100_000;

fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Makes the progress bar for a number of traces, if it is known. A sample that is made quickly shows none.
fn bar(traces: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(traces, ProgressDrawTarget::stderr_with_hz(4));
    let style = ProgressStyle::with_template(match traces {
        Some(_) => "[{bar:28}]  {human_pos} / {human_len} traces   eta {eta}",
        None => "{spinner}  {human_pos} traces",
    });
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
    bar
}
