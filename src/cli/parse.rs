//! The values of flags: rates, intervals, times, durations, shards.

use jiff::{SignedDuration, Span, Timestamp};

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// The longest duration a flag takes: a year.
const LONGEST: u64 = 366 * 86_400 * SECOND;

/// How fast traces start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// `count` traces every `per` ns.
    Of { count: u64, per: u64 },
    /// As fast as they can be made and taken.
    Max,
}

/// `50`, `50/s`, `0.5/s`, `100/m`, `20/h`, `max`.
pub fn rate(text: &str) -> Result<Rate, String> {
    let allowed = "expected traces per second, minute or hour, as `50`, `0.5/s`, `100/m` or `1/h`, or `max`";
    if text == "max" {
        return Ok(Rate::Max);
    }
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let mut per = match unit.trim() {
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        _ => return Err(allowed.into()),
    };
    // As a fraction, so that the schedule is exact: 0.5/s is 5 traces every 10 s.
    let number = number.trim().replace('_', "");
    let (whole, decimals) = number.split_once('.').unwrap_or((&number, ""));
    let digits = format!("{whole}{decimals}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) || decimals.len() > 6 {
        return Err(allowed.into());
    }
    let count: u64 = digits.parse().map_err(|_| allowed.to_string())?;
    per *= 10u64.pow(decimals.len() as u32);
    if count == 0 {
        return Err("a rate must be above 0".into());
    }
    if count as u128 * SECOND as u128 > per as u128 * 100_000_000 {
        return Err(
            "a rate of more than 100,000,000 traces a second is out of range; `max` is as fast as it goes".into()
        );
    }
    Ok(Rate::Of { count, per })
}

/// As [`rate`] reads it, where `per` is a second, a minute or an hour times a power of ten.
pub fn format_rate(count: u64, per: u64) -> String {
    let units = [("s", SECOND), ("m", 60 * SECOND), ("h", 3_600 * SECOND)];
    let found =
        units.iter().find_map(|(unit, ns)| (0..=6).find(|d| ns * 10u64.pow(*d) == per).map(|d| (*unit, d as usize)));
    let Some((unit, decimals)) = found else { return format!("{count} in {}", format_duration(per)) };
    let digits = format!("{count:0width$}", width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    if rest.is_empty() { format!("{whole}/{unit}") } else { format!("{whole}.{rest}/{unit}") }
}

/// A duration in ns: `500ms`, `10s`, `1m 30s`, `1h`; a bare number is seconds.
pub fn duration(text: &str) -> Result<u64, String> {
    let allowed = "expected a duration, as `500ms`, `10s`, `5m` or `1h30m`";
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds_to_ns(seconds).ok_or_else(|| allowed.into());
    }
    let duration: SignedDuration = match text.parse() {
        Ok(duration) => duration,
        // Days and weeks are of 24 hours here: there is no time zone.
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

/// ns in the largest unit that keeps the figure whole, as [`duration`] reads it.
pub fn format_duration(ns: u64) -> String {
    let units = [("h", 3_600 * SECOND), ("m", 60 * SECOND), ("s", SECOND), ("ms", 1_000_000), ("us", 1_000)];
    let fits = units.into_iter().find(|(_, unit)| ns.is_multiple_of(*unit));
    fits.map_or(format!("{ns}ns"), |(name, unit)| format!("{}{name}", ns / unit))
}

/// A duration above 0, in ns.
pub fn positive_duration(text: &str) -> Result<u64, String> {
    match duration(text)? {
        0 => Err("must be above 0".into()),
        ns => Ok(ns),
    }
}

/// Seconds, as `0.5`, to ns.
pub fn seconds(text: &str) -> Result<u64, String> {
    text.parse().ok().and_then(seconds_to_ns).ok_or_else(|| "expected seconds, as `0.5`".into())
}

fn seconds_to_ns(seconds: f64) -> Option<u64> {
    (seconds >= 0.0 && seconds <= (LONGEST / SECOND) as f64).then(|| (seconds * SECOND as f64).round() as u64)
}

/// `0.5..2` (seconds) or `500ms..2s`, in ns.
pub fn interval(text: &str) -> Result<(u64, u64), String> {
    let allowed = "expected the shortest and longest gap between traces, as `0.5..2` (seconds) or `500ms..2s`";
    let (min, max) = text.split_once("..").ok_or(allowed)?;
    let (min, max) = (duration(min.trim()).map_err(|_| allowed)?, duration(max.trim()).map_err(|_| allowed)?);
    checked_interval(min, max)
}

/// The two ends hold together.
pub fn checked_interval(min: u64, max: u64) -> Result<(u64, u64), String> {
    if min > max {
        return Err("the shortest gap is longer than the longest".into());
    }
    if max == 0 {
        return Err("the longest gap must be above 0".into());
    }
    Ok((min, max))
}

/// A time, as ns since 1970: RFC 3339, a UTC date, `now`, or relative to now as `-7d`, `+10m`.
pub fn time(text: &str, now: u64) -> Result<u64, String> {
    let allowed = "expected a time, as `2026-01-01T00:00:00Z`, `2026-01-01`, `now`, `-7d` or `+10m`";
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = text.strip_prefix('-') {
        return now.checked_sub(duration(ago)?).ok_or_else(|| "that is before 1970".into());
    }
    if let Some(ahead) = text.strip_prefix('+') {
        return Ok(now + duration(ahead)?);
    }
    let timestamp: Timestamp = match text.parse() {
        Ok(timestamp) => timestamp,
        Err(_) => format!("{text}T00:00:00Z").parse().map_err(|_| allowed.to_string())?,
    };
    // Room for what a trace can last, far below where ns since 1970 would overflow an int64.
    u64::try_from(timestamp.as_nanosecond())
        .ok()
        .filter(|ns| *ns < 1 << 62)
        .ok_or_else(|| "that time is out of range: 1970 to 2116".into())
}

/// ns since 1970 as RFC 3339, with as many decimals as it takes.
pub fn format_time(ns: u64) -> String {
    Timestamp::from_nanosecond(ns as i128).map(|t| t.to_string()).unwrap_or_else(|_| ns.to_string())
}

/// Which traces of the whole this process makes: those whose index leaves `k` when divided by `n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub k: u64,
    pub n: u64,
}

/// `K/N`, 0 <= K < N.
pub fn shard(text: &str) -> Result<Shard, String> {
    let allowed = "expected K/N with K from 0 to N - 1, as `0/3`";
    let (k, n) = text.split_once('/').ok_or(allowed)?;
    let (k, n) = (k.parse().map_err(|_| allowed)?, n.parse().map_err(|_| allowed)?);
    if k < n && n <= 1_000_000 { Ok(Shard { k, n }) } else { Err(allowed.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, expected) in [
            ("50", Ok(Rate::Of { count: 50, per: SECOND })),
            ("50/s", Ok(Rate::Of { count: 50, per: SECOND })),
            ("0.5/s", Ok(Rate::Of { count: 5, per: 10 * SECOND })),
            ("100/m", Ok(Rate::Of { count: 100, per: 60 * SECOND })),
            ("1/h", Ok(Rate::Of { count: 1, per: 3_600 * SECOND })),
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
            let Ok(Rate::Of { count, per }) = rate(text) else { panic!("{text}") };
            assert_eq!(format_rate(count, per), text);
        }
        assert_eq!(format_rate(3, SECOND / 2), "3 in 500ms");
    }

    #[test]
    fn durations_and_intervals() {
        assert_eq!(duration("500ms"), Ok(SECOND / 2));
        assert_eq!(duration("1m30s"), Ok(90 * SECOND));
        assert_eq!(duration("2"), Ok(2 * SECOND));
        assert_eq!(duration("7d"), Ok(7 * 86_400 * SECOND));
        assert_eq!(interval("0.5..2"), Ok((SECOND / 2, 2 * SECOND)));
        assert_eq!(interval("500ms..2s"), Ok((SECOND / 2, 2 * SECOND)));
        for (ns, text) in [(SECOND / 2, "500ms"), (90 * SECOND, "90s"), (7_200 * SECOND, "2h"), (1_001, "1001ns")] {
            assert_eq!((format_duration(ns).as_str(), duration(text)), (text, Ok(ns)));
        }
        for text in ["", "x", "-1s", "1e30", "NaN", "inf", "9999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for text in ["", "1", "2..1", "0..0", "a..b", ".."] {
            assert!(interval(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        let now = 1_700_000_000 * SECOND;
        assert_eq!(time("now", now), Ok(now));
        assert_eq!(time("-7d", now), Ok(now - 7 * 86_400 * SECOND));
        assert_eq!(time("+10m", now), Ok(now + 600 * SECOND));
        assert_eq!(time("2023-11-14T22:13:20Z", now), Ok(now));
        assert_eq!(time("2023-11-14", now), Ok(now - now % (86_400 * SECOND)));
        assert_eq!(time(&format_time(now + 123_000_000), 0), Ok(now + 123_000_000));
        for text in ["", "yesterday", "1969-01-01", "9999-01-01", "-9999999d"] {
            assert!(time(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn shards() {
        assert_eq!(shard("2/3"), Ok(Shard { k: 2, n: 3 }));
        for text in ["", "3/3", "1", "a/b", "-1/2", "0/0"] {
            assert!(shard(text).is_err(), "{text}");
        }
    }
}
