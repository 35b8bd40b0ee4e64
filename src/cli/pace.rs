//! The pace of traces: `--rate`, `--interval` and `--lanes`, and the variables with the same meaning.

use super::{Failure, environment};
use crate::interpreter::MAX_LANES;
use crate::text::quantity::{self, Rate, SECOND};
use clap::ValueEnum;

/// The default minimum and maximum gap between the traces of a lane, in ns.
pub const INTERVAL: (u64, u64) = (SECOND / 2, 2 * SECOND);
/// The default number of lanes.
pub const LANES: u32 = 4;

/// The distribution of starts at a given rate.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ArrivalsFlag {
    /// At equal distances
    Constant,
    /// At random times, like independent requests
    Poisson,
}

/// The pace of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// `count` traces every `period` ns.
    Even { count: u64, period: u64 },
    /// Gaps of `min` to `max` ns in each lane.
    Interval { min: u64, max: u64, lanes: u32 },
    /// As many traces as can be generated and sent.
    Max,
    /// As the load of the files says.
    Load,
}

/// Resolves the pace from flags, or else variables, or else the load of the files if they have one (`by_load`), or else the
/// default.
///
/// # Errors
/// A variable has a bad value.
pub fn resolve(
    rate: Option<Rate>,
    interval: Option<(u64, u64)>,
    lanes: Option<u32>,
    by_load: bool,
) -> Result<Pace, Failure> {
    match (rate, interval) {
        (Some(Rate::Max), _) => return Ok(Pace::Max),
        (Some(Rate::Fixed { count, period }), _) => return Ok(Pace::Even { count, period }),
        (None, Some((min, max))) => return Ok(Pace::Interval { min, max, lanes: self::lanes(lanes)? }),
        (None, None) => {}
    }
    let min = environment::value("TRACE_INTERVAL_MIN", quantity::seconds)?;
    let max = environment::value("TRACE_INTERVAL_MAX", quantity::seconds)?;
    let (min, max) = match (min, max) {
        (None, None) if by_load && lanes.is_none() => return Ok(Pace::Load),
        (None, None) => INTERVAL,
        (Some(min), None) => (min, INTERVAL.1.max(min)),
        (None, Some(max)) => (INTERVAL.0.min(max), max),
        (Some(min), Some(max)) => (min, max),
    };
    let (min, max) = quantity::checked_interval(min, max)
        .map_err(|e| Failure::usage(format!("TRACE_INTERVAL_MIN and TRACE_INTERVAL_MAX: {e}")))?;
    Ok(Pace::Interval { min, max, lanes: self::lanes(lanes)? })
}

fn lanes(flag: Option<u32>) -> Result<u32, Failure> {
    let variable = environment::value("TRACE_NUM_WORKERS", |text| match text.parse() {
        Ok(lanes) if (1..=MAX_LANES).contains(&lanes) => Ok(lanes),
        _ => Err(format!("expected a number of lanes, 1 to {MAX_LANES}")),
    })?;
    Ok(flag.or(variable).unwrap_or(LANES))
}
