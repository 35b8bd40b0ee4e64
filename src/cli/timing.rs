//! The time of traces: from flags and variables to a schedule and a selection.

use crate::cli::pace::{self, ArrivalsFlag, Pace};
use crate::cli::parse::{self, Shard};
use crate::cli::{Failure, environment};
use crate::engine;
use crate::interpreter::{Arrivals, Schedule};
use crate::journal::Selection;
use crate::text::quantity::{self, Rate, SECOND, format_rate};
use clap::Args;

/// The flags for the schedule and the selection of traces.
#[derive(Args)]
pub struct TimingFlags {
    /// Stop after N traces
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1 << 48))]
    pub count: Option<u64>,
    /// Only traces that start within D of the start: 30s, 5m, 1h30m
    #[arg(long, value_name = "D", value_parser = parse::positive_duration)]
    pub duration: Option<u64>,
    /// Traces a second, minute or hour (50, 50/s, 100/m, 1/h), or `max`
    #[arg(long, value_name = "R", value_parser = quantity::rate, conflicts_with_all = ["interval", "lanes"])]
    pub rate: Option<Rate>,
    /// Gaps between the traces of a lane, uniform: 0.5..2 (seconds), 500ms..2s [default: 0.5..2]
    #[arg(long, value_name = "MIN..MAX", value_parser = parse::interval)]
    pub interval: Option<(u64, u64)>,
    /// When the schedule starts: a time (RFC 3339), a date, `now`, -7d, +10m; the past goes out at full speed [default: now]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub start: Option<String>,
    /// Only traces that start before a time: as --start
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Make only every N-th trace, from the K-th on; the N shards together are the whole
    #[arg(long, value_name = "K/N", value_parser = parse::shard)]
    pub shard: Option<Shard>,
    /// Independent sequences of gaps; part of the schedule [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=crate::interpreter::MAX_LANES as i64))]
    pub lanes: Option<u32>,
    /// How starts are spread at a rate [default: constant]
    #[arg(long, value_enum, value_name = "HOW")]
    pub arrivals: Option<ArrivalsFlag>,
}

impl TimingFlags {
    /// Reports whether any flag is given.
    pub fn is_given(&self) -> bool {
        let TimingFlags { count, duration, rate, interval, start, until, shard, lanes, arrivals } = self;
        let numbers = count.or(*duration).is_some() || lanes.is_some() || shard.is_some();
        numbers || rate.is_some() || interval.is_some() || start.is_some() || until.is_some() || arrivals.is_some()
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
    /// Resolves the flags. `now` is in ns since 1970, in whole ms so that the command to repeat the run is short. `longest`
    /// is the maximum duration of a trace of the plan in ns. `seeded`: a seed is given.
    ///
    /// # Errors
    /// The flags contradict each other or have bad values.
    pub fn resolve(flags: &TimingFlags, seeded: bool, now: u64, longest: u64) -> Result<Timing, Failure> {
        let time = |flag: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => parse::time(text, now).map(Some).map_err(|e| Failure::usage(format!("{flag} `{text}`: {e}"))),
        };
        let (given_start, until) = (time("--start", &flags.start)?, time("--until", &flags.until)?);
        let spread = flags.count.filter(|_| {
            flags.rate.is_none()
                && flags.interval.is_none()
                && flags.duration.is_none()
                && flags.start.is_none()
                && !["TRACE_INTERVAL_MIN", "TRACE_INTERVAL_MAX"].iter().any(|name| environment::text(name).is_some())
        });
        let pace = match spread {
            Some(count) => Pace::Even { count, period: 60 * SECOND },
            None => pace::resolve(flags.rate, flags.interval, flags.lanes)?,
        };
        let full_speed = matches!(pace, Pace::Max);
        let poisson = flags.arrivals == Some(ArrivalsFlag::Poisson);
        if poisson && !matches!(pace, Pace::Even { .. }) {
            return Err(Failure::usage("--arrivals poisson needs a rate: --rate 50/s"));
        }
        let shard = flags.shard.unwrap_or(Shard { k: 0, n: 1 });
        if flags.shard.is_some() {
            if full_speed {
                return Err(Failure::usage(
                    "--shard can't be combined with --rate max: its schedule is made while it runs",
                ));
            }
            if !seeded || flags.start.is_none() {
                return Err(Failure::usage("--shard needs --seed and --start, the same for every shard"));
            }
        }
        if full_speed && flags.start.is_some() {
            return Err(Failure::usage(
                "--start can't be combined with --rate max, which always ends now; use --rate R",
            ));
        }
        let start = match (given_start, spread, full_speed) {
            (Some(start), ..) => start,
            (None, Some(_), _) => now.saturating_sub(longest.min(engine::LONGEST_REACH) + 60 * SECOND),
            (None, None, true) => now.saturating_sub(longest.min(engine::LONGEST_REACH)),
            (None, None, false) => now,
        };
        let ends = [flags.duration.map(|d| start.saturating_add(d)), until];
        let before = ends.into_iter().flatten().min();
        if until.is_some_and(|until| until <= start) {
            return Err(Failure::usage(format!(
                "--until {} is not after the start, {}",
                parse::format_time(until.unwrap_or_default()),
                parse::format_time(start)
            )));
        }
        let (arrivals, words, target) = match pace {
            Pace::Even { count, period: per } if poisson => {
                let words = vec![format!("--rate {}", format_rate(count, per)), "--arrivals poisson".into()];
                (Arrivals::Poisson { count, per_ns: per }, words, Some((count, per)))
            }
            Pace::Even { count, period: per } => {
                let words = vec![format!("--rate {}", format_rate(count, per))];
                (Arrivals::Even { count, per_ns: per }, words, spread.is_none().then_some((count, per)))
            }
            Pace::Interval { min, max, lanes } => {
                let words = vec![
                    format!("--interval {}..{}", quantity::format_duration(min), quantity::format_duration(max)),
                    format!("--lanes {lanes}"),
                ];
                (Arrivals::Interval { min_ns: min, max_ns: max, lanes }, words, None)
            }
            Pace::Max => (engine::FIRST_ARRIVALS, vec![], None),
        };
        let repeat = (!full_speed).then(|| {
            let mut repeat = vec![format!("--start {}", parse::format_time(start))];
            repeat.extend(words);
            repeat.extend(flags.count.map(|count| format!("--count {count}")));
            repeat.extend(flags.duration.map(|d| format!("--duration {}", quantity::format_duration(d))));
            repeat.extend(until.map(|until| format!("--until {}", parse::format_time(until))));
            repeat.extend(flags.shard.map(|Shard { k, n }| format!("--shard {k}/{n}")));
            repeat
        });
        Ok(Timing {
            start,
            schedule: Schedule::new(start, arrivals).map_err(|e| Failure::usage(e.to_string()))?,
            selection: Selection { count: flags.count, started_before: before, shard: (shard.k, shard.n) },
            at_full_speed: full_speed,
            target: target
                .filter(|_| start >= now)
                .map(|(count, per)| count as f64 / (per as f64 / SECOND as f64) / shard.n as f64),
            repeat,
        })
    }
}
