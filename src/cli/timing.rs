//! The time of traces: from flags and variables to a schedule and a selection.

use crate::cli::load::LoadFlags;
use crate::cli::pace::{self, ArrivalsFlag, Pace};
use crate::cli::parse::{self, Shard};
use crate::cli::{Failure, environment};
use crate::engine;
use crate::interpreter::{Arrivals, Epoch, LoadTerms, Schedule, ScheduleError, Starts};
use crate::journal::Selection;
use crate::plan::Plan;
use crate::text::quantity::{self, Rate, SECOND, format_rate};
use clap::Args;
use std::sync::Arc;

/// The flags for the schedule and the selection of traces.
#[derive(Args)]
pub struct TimingFlags {
    /// Stop after N traces
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1 << 48))]
    pub count: Option<u64>,
    /// Only traces that start within D of the start: 30s, 5m, 1h30m
    #[arg(long, value_name = "D", value_parser = parse::positive_duration)]
    pub duration: Option<u64>,
    /// Number of traces a second, minute or hour (50, 50/s, 100/m, 1/h), or `max`; in place of the files' load, except for
    /// scenarios with one of their own
    #[arg(long, value_name = "R", value_parser = quantity::rate, conflicts_with_all = ["interval", "lanes"])]
    pub rate: Option<Rate>,
    /// Gaps between the traces of a lane, uniformly distributed: 0.5..2 (seconds), 500ms..2s [default: 0.5..2]
    #[arg(long, value_name = "MIN..MAX", value_parser = parse::interval)]
    pub interval: Option<(u64, u64)>,
    /// When the schedule starts: a time (RFC 3339), a date, `now`, -7d, +10m; traces of the past are sent at full speed
    /// [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub start: Option<String>,
    /// Only traces that start before this time, given like --start
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Only every N-th trace, from the K-th on (counted from 0); the N shards together are the whole run
    #[arg(long, value_name = "K/N", value_parser = parse::shard)]
    pub shard: Option<Shard>,
    /// Number of lanes: independent sequences of gaps, which are part of the schedule [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=crate::interpreter::MAX_LANES as i64))]
    pub lanes: Option<u32>,
    /// How trace starts are distributed at a --rate [default: constant]
    #[arg(long, value_enum, value_name = "HOW")]
    pub arrivals: Option<ArrivalsFlag>,
    #[command(flatten)]
    pub load: LoadFlags,
}

impl TimingFlags {
    /// Reports whether any flag is given.
    pub fn is_given(&self) -> bool {
        let TimingFlags { count, duration, rate, interval, start, until, shard, lanes, arrivals, load } = self;
        let numbers = count.or(*duration).is_some() || lanes.is_some() || shard.is_some();
        let others = arrivals.is_some() || load.is_given();
        numbers || others || rate.is_some() || interval.is_some() || start.is_some() || until.is_some()
    }
}

/// The schedule of a run, and the selection of its traces.
pub struct Timing {
    /// The start of the schedule in ns since 1970.
    pub start: u64,
    pub schedule: Schedule,
    pub selection: Selection,
    pub at_full_speed: bool,
    /// The requested rate in traces a second, if there is one and the run goes on in real time.
    pub target: Option<f64>,
    /// The flags that give the same schedule and selection again; `None` at full speed, which only a manifest can repeat.
    pub repeat: Option<Vec<String>>,
}

impl Timing {
    /// Resolves the flags. `now` is in ns since 1970, in whole ms so that the command to repeat the run is short. `plan`
    /// has the weights of the flags already. `longest` is the maximum time in ns from the start of a trace until nothing of it is
    /// left to send. `seeded`: a seed is given.
    ///
    /// # Errors
    /// The flags contradict each other or have bad values.
    pub fn resolve(
        flags: &TimingFlags,
        seeded: bool,
        now: u64,
        plan: &Arc<Plan>,
        longest: u64,
    ) -> Result<Timing, Failure> {
        let time = |flag: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => parse::time(text, now).map(Some).map_err(|e| Failure::usage(format!("{flag} `{text}`: {e}"))),
        };
        let (given_start, until) = (time("--start", &flags.start)?, time("--until", &flags.until)?);
        let all_own = plan.have_own_source().iter().all(|own| *own);
        let by_load = all_own || plan.shared_source().is_some();
        let spread = flags.spread_count();
        let pace = match spread {
            Some(count) if !by_load => Pace::Even { count, period: 60 * SECOND },
            _ => pace::resolve(flags.rate, flags.interval, flags.lanes, by_load)?,
        };
        flags.check(pace, seeded)?;
        if all_own && !matches!(pace, Pace::Load | Pace::Max) {
            let problem = "every scenario has a load of its own, so a rate, an interval or lanes are for none";
            return Err(Failure::usage(format!("{problem}: --load-factor multiplies all loads, --weight one")));
        }
        let terms = LoadTerms { anchor: 0, factor: flags.load.factor(plan)? };
        let at_full_speed = pace == Pace::Max;
        let reach = longest.min(engine::LONGEST_REACH);
        let start = match (given_start, spread) {
            (Some(start), _) => start,
            (None, Some(count)) if pace == Pace::Load => start_before(plan, terms, count, now.saturating_sub(reach)),
            (None, Some(_)) if !by_load => now.saturating_sub(reach + 60 * SECOND),
            _ if at_full_speed => now.saturating_sub(reach),
            _ => now,
        };
        if let Some(until) = until.filter(|until| *until <= start) {
            let (until, start) = (parse::format_time(until), parse::format_time(start));
            return Err(Failure::usage(format!("--until {until} is not after the start, {start}")));
        }
        let ends = [flags.duration.map(|d| start.saturating_add(d)), until];
        let (arrivals, mut words) = arrivals(pace, flags.is_poisson());
        words.extend(flags.load.words());
        let shard = flags.shard.unwrap_or(Shard { k: 0, n: 1 });
        let selection = Selection {
            count: flags.count,
            started_before: ends.into_iter().flatten().min(),
            shard: (shard.k, shard.n),
        };
        let target = match pace {
            Pace::Even { count, period } if start >= now && (spread.is_none() || flags.is_poisson()) => {
                Some(count as f64 / (period as f64 / SECOND as f64) / shard.n as f64)
            }
            _ => None,
        };
        let load = (!plan.load.is_empty() && !at_full_speed).then_some(LoadTerms { anchor: start, ..terms });
        let schedule = Schedule::of(Epoch { first: 0, opening: start, arrivals, load });
        Ok(Timing {
            start,
            schedule: schedule.map_err(|e| Failure::usage(e.to_string()))?,
            selection,
            at_full_speed,
            target,
            repeat: (!at_full_speed).then(|| flags.repeat(start, until, words)),
        })
    }
}

impl TimingFlags {
    fn is_poisson(&self) -> bool {
        self.arrivals == Some(ArrivalsFlag::Poisson)
    }

    /// Returns the count if nothing else is given, so that the traces are spread over a minute.
    fn spread_count(&self) -> Option<u64> {
        let is_alone =
            self.rate.is_none() && self.interval.is_none() && self.duration.is_none() && self.start.is_none();
        let is_set = |name: &&str| environment::text(name).is_some();
        self.count.filter(|_| is_alone && !["TRACE_INTERVAL_MIN", "TRACE_INTERVAL_MAX"].iter().any(is_set))
    }

    /// Checks that the flags fit together.
    ///
    /// # Errors
    /// Two of them contradict each other, or one needs another.
    fn check(&self, pace: Pace, seeded: bool) -> Result<(), Failure> {
        let at_full_speed = pace == Pace::Max;
        let problem = if self.is_poisson() && !matches!(pace, Pace::Even { .. }) {
            "--arrivals poisson needs a rate: --rate 50/s"
        } else if self.shard.is_some() && at_full_speed {
            "--shard can't be combined with --rate max: its schedule is made while it runs"
        } else if self.shard.is_some() && (!seeded || self.start.is_none()) {
            "--shard needs --seed and --start, the same for every shard"
        } else if self.start.is_some() && at_full_speed {
            "--start can't be combined with --rate max, which always ends now; use --rate R"
        } else {
            return Ok(());
        };
        Err(Failure::usage(problem))
    }

    /// Returns the flags that give the same schedule and selection again; `words` are those of the pace.
    fn repeat(&self, start: u64, until: Option<u64>, words: Vec<String>) -> Vec<String> {
        let mut repeat = vec![format!("--start {}", parse::format_time(start))];
        repeat.extend(words);
        repeat.extend(self.count.map(|count| format!("--count {count}")));
        repeat.extend(self.duration.map(|d| format!("--duration {}", quantity::format_duration(d))));
        repeat.extend(until.map(|until| format!("--until {}", parse::format_time(until))));
        repeat.extend(self.shard.map(|Shard { k, n }| format!("--shard {k}/{n}")));
        repeat
    }
}

/// Returns the arrivals of a pace, and the flags that give it again.
fn arrivals(pace: Pace, poisson: bool) -> (Arrivals, Vec<String>) {
    match pace {
        Pace::Even { count, period } if poisson => (
            Arrivals::Poisson { count, per_ns: period },
            vec![format!("--rate {}", format_rate(count, period)), "--arrivals poisson".into()],
        ),
        Pace::Even { count, period } => {
            (Arrivals::Even { count, per_ns: period }, vec![format!("--rate {}", format_rate(count, period))])
        }
        Pace::Interval { min, max, lanes } => {
            let interval = [min, max].map(quantity::format_duration).join("..");
            (
                Arrivals::Interval { min_ns: min, max_ns: max, lanes },
                vec![format!("--interval {interval}"), format!("--lanes {lanes}")],
            )
        }
        Pace::Max => (engine::FIRST_ARRIVALS, vec![]),
        Pace::Load => (Arrivals::Load, vec![]),
    }
}

/// Returns the latest time, in whole ms, from which on the load of a plan has `count` starts by `end`, or as many as it ever
/// has. All times are in ns since 1970.
fn start_before(plan: &Arc<Plan>, terms: LoadTerms, count: u64, end: u64) -> u64 {
    const MS: u64 = 1_000_000;
    // Any seed will do: the number of starts in a time hardly depends on it.
    let starts = |opening: u64| -> Result<u64, ScheduleError> {
        let load = Some(LoadTerms { anchor: opening, ..terms });
        let schedule = Schedule::of(Epoch { first: 0, opening, arrivals: Arrivals::Load, load })?;
        Ok(Starts::new(plan, 0, schedule, opening).last_at_or_before(0, end).map_or(0, |last| last + 1))
    };
    let count = starts(0).map_or(count, |all| all.min(count));
    let (mut low, mut high) = (0, end / MS);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if starts(middle * MS).is_ok_and(|found| found >= count) { low = middle } else { high = middle }
    }
    low * MS
}
