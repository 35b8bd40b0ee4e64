//! When traces start: flags and variables to a schedule and a selection.

use super::Run;
use crate::cli::pace::{self, Pace};
use crate::cli::parse::{self, SECOND, Shard};
use crate::cli::{Failure, environment};
use crate::engine::{self, Selection};
use crate::interpreter::{Arrivals, Schedule};

/// When which traces start.
pub struct Timing {
    /// Of the schedule, ns since 1970.
    pub start: u64,
    pub schedule: Schedule,
    pub selection: Selection,
    pub at_full_speed: bool,
    /// Traces a second, if a rate was asked for and the run goes on in real time.
    pub target: Option<f64>,
    /// The flags that give the same schedule and selection again; `None` at full speed, which only a manifest repeats.
    pub repeat: Option<Vec<String>>,
}

impl Timing {
    /// `now` in ns since 1970 (whole ms, so that the line to repeat with is short), `longest` the longest a trace of the plan can last, ns.
    pub fn resolve(run: &Run, now: u64, longest: u64) -> Result<Timing, Failure> {
        let time = |flag: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => parse::time(text, now).map(Some).map_err(|e| Failure::usage(format!("{flag} `{text}`: {e}"))),
        };
        let (given_start, until) = (time("--start", &run.start)?, time("--until", &run.until)?);
        let spread = run.count.filter(|_| {
            run.rate.is_none()
                && run.interval.is_none()
                && run.duration.is_none()
                && run.start.is_none()
                && !["TRACE_INTERVAL_MIN", "TRACE_INTERVAL_MAX"].iter().any(|name| environment::text(name).is_some())
        });
        let pace = match spread {
            Some(count) => Pace::Even { count, per: 60 * SECOND },
            None => pace::resolve(run.rate, run.interval, run.lanes)?,
        };
        let full_speed = matches!(pace, Pace::Max);
        let poisson = run.arrivals == Some(super::ArrivalsFlag::Poisson);
        if poisson && !matches!(pace, Pace::Even { .. }) {
            return Err(Failure::usage("--arrivals poisson needs a rate: --rate 50/s"));
        }
        let shard = run.shard.unwrap_or(Shard { k: 0, n: 1 });
        if run.shard.is_some() {
            if full_speed {
                return Err(Failure::usage(
                    "--shard can't be combined with --rate max: its schedule is made as it runs",
                ));
            }
            if run.seed.is_none() || run.start.is_none() {
                return Err(Failure::usage("--shard needs --seed and --start, the same for every shard"));
            }
        }
        if full_speed && run.start.is_some() {
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
        let ends = [run.duration.map(|d| start.saturating_add(d)), until];
        let before = ends.into_iter().flatten().min();
        if until.is_some_and(|until| until <= start) {
            return Err(Failure::usage(format!(
                "--until {} is not after the start, {}",
                parse::format_time(until.unwrap_or_default()),
                parse::format_time(start)
            )));
        }
        let (arrivals, flags, target) = match pace {
            Pace::Even { count, per } if poisson => {
                let flags = vec![format!("--rate {}", format_rate(count, per)), "--arrivals poisson".into()];
                (Arrivals::Poisson { count, per_ns: per }, flags, Some((count, per)))
            }
            Pace::Even { count, per } => {
                let flags = vec![format!("--rate {}", format_rate(count, per))];
                (Arrivals::Even { count, per_ns: per }, flags, spread.is_none().then_some((count, per)))
            }
            Pace::Interval { min, max, lanes } => {
                let flags = vec![
                    format!("--interval {}..{}", parse::format_duration(min), parse::format_duration(max)),
                    format!("--lanes {lanes}"),
                ];
                (Arrivals::Interval { min_ns: min, max_ns: max, lanes }, flags, None)
            }
            Pace::Max => (engine::FIRST_ARRIVALS, vec![], None),
        };
        let repeat = (!full_speed).then(|| {
            let mut repeat = vec![format!("--start {}", parse::format_time(start))];
            repeat.extend(flags);
            repeat.extend(run.count.map(|count| format!("--count {count}")));
            repeat.extend(run.duration.map(|d| format!("--duration {}", parse::format_duration(d))));
            repeat.extend(until.map(|until| format!("--until {}", parse::format_time(until))));
            repeat.extend(run.shard.map(|Shard { k, n }| format!("--shard {k}/{n}")));
            repeat
        });
        Ok(Timing {
            start,
            schedule: Schedule::new(start, arrivals).map_err(|e| Failure::usage(e.to_string()))?,
            selection: Selection { count: run.count, before, shard: (shard.k, shard.n) },
            at_full_speed: full_speed,
            target: target
                .filter(|_| start >= now)
                .map(|(count, per)| count as f64 / (per as f64 / SECOND as f64) / shard.n as f64),
            repeat,
        })
    }
}

/// As `parse::rate` reads it: `per` is a second, a minute or an hour times a power of ten.
fn format_rate(count: u64, per: u64) -> String {
    let units = [("s", SECOND), ("m", 60 * SECOND), ("h", 3_600 * SECOND)];
    let (unit, decimals) = units
        .iter()
        .find_map(|(unit, ns)| (0..=6).find(|d| ns * 10u64.pow(*d) == per).map(|d| (*unit, d as usize)))
        .expect("a rate comes from parse::rate");
    let digits = format!("{count:0width$}", width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    if rest.is_empty() { format!("{whole}/{unit}") } else { format!("{whole}.{rest}/{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::parse::Rate;

    #[test]
    fn a_rate_reads_back_as_the_same_schedule() {
        for text in ["50/s", "0.5/s", "100000/m", "1/h", "1.5/h", "1.123457/s"] {
            let Ok(Rate::Of { count, per }) = parse::rate(text) else { panic!("{text}") };
            assert_eq!(format_rate(count, per), text);
        }
    }
}
