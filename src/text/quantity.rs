//! Rates and durations as people write them: on the command line, in variables and in forms.

use jiff::{SignedDuration, Span};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// The longest duration that is accepted: a year.
const LONGEST: u64 = 366 * 86_400 * SECOND;

/// The rate at which traces start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// `count` traces every `period` ns.
    Fixed { count: u64, period: u64 },
    /// As many traces as can be generated and sent.
    Max,
}

/// Parses a rate: `50`, `50/s`, `0.5/s`, `100/m`, `20/h`, `max`.
///
/// # Errors
/// The text is not a rate, or out of range; the error says what is expected.
pub fn rate(text: &str) -> Result<Rate, String> {
    let allowed = "expected traces per second, minute or hour, as `50`, `0.5/s`, `100/m` or `1/h`, or `max`";
    if text == "max" {
        return Ok(Rate::Max);
    }
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let mut period = match unit.trim() {
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        _ => return Err(allowed.into()),
    };
    // The rate is a fraction, so that the schedule is exact: 0.5/s is 5 traces every 10 s.
    let number = number.trim().replace('_', "");
    let (whole, decimals) = number.split_once('.').unwrap_or((&number, ""));
    let digits = format!("{whole}{decimals}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || decimals.len() > 6 {
        return Err(allowed.into());
    }
    let count: u64 = digits.parse().map_err(|_| allowed.to_string())?;
    period *= 10u64.pow(decimals.len() as u32);
    if count == 0 {
        return Err("a rate must be above 0".into());
    }
    if count as u128 * SECOND as u128 > period as u128 * 100_000_000 {
        return Err(
            "a rate of more than 100,000,000 traces a second is out of range; use `max` for as fast as possible".into(),
        );
    }
    Ok(Rate::Fixed { count, period })
}

/// Parses a duration and returns it in ns: `500ms`, `10s`, `1m 30s`, `1h`; a bare number is in seconds.
///
/// # Errors
/// The text is not a duration, or out of range; the error says what is expected.
pub fn duration(text: &str) -> Result<u64, String> {
    let allowed = "expected a duration, as `500ms`, `10s`, `5m` or `1h30m`";
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds_to_ns(seconds).ok_or_else(|| allowed.into());
    }
    let duration: SignedDuration = match text.parse() {
        Ok(duration) => duration,
        // Days and weeks are of 24 hours here, because there is no time zone.
        Err(_) => text
            .parse::<Span>()
            .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
            .map_err(|_| allowed.to_string())?,
    };
    match u64::try_from(duration.as_nanos()) {
        Ok(ns) if ns <= LONGEST => Ok(ns),
        Ok(_) => Err("a duration of more than a year is out of range".into()),
        Err(_) => Err("a duration can't be negative".into()),
    }
}

/// Formats ns in the largest unit that keeps the figure whole, so that [`duration`] can read it.
pub fn format_duration(ns: u64) -> String {
    let units = [("h", 3_600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1_000_000), ("us", 1_000)];
    let fits = units.into_iter().find(|(_, unit)| ns.is_multiple_of(*unit));
    fits.map_or(format!("{ns}ns"), |(name, unit)| format!("{}{name}", ns / unit))
}

/// Parses seconds, such as `0.5`, and returns ns.
///
/// # Errors
/// The text is not a number of seconds.
pub fn seconds(text: &str) -> Result<u64, String> {
    text.parse().ok().and_then(seconds_to_ns).ok_or_else(|| "expected seconds, as `0.5`".into())
}

fn seconds_to_ns(seconds: f64) -> Option<u64> {
    (seconds >= 0.0 && seconds <= (LONGEST / SECOND) as f64).then(|| (seconds * SECOND as f64).round() as u64)
}

/// Returns the two ends of an interval if they fit together.
///
/// # Errors
/// The minimum exceeds the maximum, or the maximum is 0.
pub fn checked_interval(min: u64, max: u64) -> Result<(u64, u64), String> {
    if min > max {
        return Err("the shortest gap is longer than the longest".into());
    }
    if max == 0 {
        return Err("the longest gap must be above 0".into());
    }
    Ok((min, max))
}

/// Formats a rate so that [`rate`] can read it. It is exact if `period` is a second, a minute or an hour times a power of
/// ten.
pub fn format_rate(count: u64, period: u64) -> String {
    let units = [("s", SECOND), ("m", 60 * SECOND), ("h", 3_600 * SECOND)];
    let fits = |ns: u64| (0..=6).find(|d| ns * 10u64.pow(*d) == period);
    let Some((unit, decimals)) = units.iter().find_map(|(unit, ns)| Some((unit, fits(*ns)? as usize))) else {
        return format!("{}/s", count as f64 * SECOND as f64 / period as f64);
    };
    let digits = format!("{count:0width$}", width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    if rest.is_empty() { format!("{whole}/{unit}") } else { format!("{whole}.{rest}/{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, expected) in [
            ("50", Ok(Rate::Fixed { count: 50, period: SECOND })),
            ("50/s", Ok(Rate::Fixed { count: 50, period: SECOND })),
            ("0.5/s", Ok(Rate::Fixed { count: 5, period: 10 * SECOND })),
            ("100/m", Ok(Rate::Fixed { count: 100, period: 60 * SECOND })),
            ("1/h", Ok(Rate::Fixed { count: 1, period: 3_600 * SECOND })),
            ("max", Ok(Rate::Max)),
        ] {
            assert_eq!(rate(text), expected, "{text}");
        }
        for text in ["", "fast", "5/d", "-1", "0", "0.0/s", "1e9", "1/s/s", "999999999999/s", "1.1234567"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_reads_back_as_the_same_schedule() {
        for text in ["50/s", "0.5/s", "100000/m", "1/h", "1.5/h", "1.123457/s"] {
            let Ok(Rate::Fixed { count, period }) = rate(text) else { panic!("{text}") };
            assert_eq!(format_rate(count, period), text);
        }
        assert_eq!(format_rate(3, 2 * SECOND), "1.5/s");
    }
}
