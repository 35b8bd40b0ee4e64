//! Parsers for the values of flags: intervals, times, durations, shards.

use jiff::Timestamp;

use crate::text::quantity::{checked_interval, duration};

/// Parses a duration above 0 and returns it in ns.
///
/// # Errors
/// The text is not such a duration.
pub fn positive_duration(text: &str) -> Result<u64, String> {
    match duration(text)? {
        0 => Err("must be above 0".into()),
        ns => Ok(ns),
    }
}

/// Parses `0.5..2` (seconds) or `500ms..2s` and returns both ends in ns.
///
/// # Errors
/// The text is not such an interval.
pub fn interval(text: &str) -> Result<(u64, u64), String> {
    let allowed = "expected the shortest and longest gap between traces, as `0.5..2` (seconds) or `500ms..2s`";
    let (min, max) = text.split_once("..").ok_or(allowed)?;
    let (min, max) = (duration(min.trim()).map_err(|_| allowed)?, duration(max.trim()).map_err(|_| allowed)?);
    checked_interval(min, max)
}

/// Parses a time and returns it in ns since 1970. The text may be a time in RFC 3339, a UTC date, `now`, or a duration
/// relative to `now` such as `-7d` or `+10m`.
///
/// # Errors
/// The text is not such a time, or out of range.
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
    // The limit is far below the largest int64, so that adding the duration of a trace never overflows.
    u64::try_from(timestamp.as_nanosecond())
        .ok()
        .filter(|ns| *ns < 1 << 62)
        .ok_or_else(|| "that time is out of range: 1970 to 2116".into())
}

/// Formats ns since 1970 in RFC 3339, with as many decimals as needed.
pub fn format_time(ns: u64) -> String {
    Timestamp::from_nanosecond(ns as i128).map(|t| t.to_string()).unwrap_or_else(|_| ns.to_string())
}

/// A shard of a run: the traces whose index, divided by `n`, leaves the remainder `k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub k: u64,
    pub n: u64,
}

/// Parses `K/N` with 0 <= K < N.
///
/// # Errors
/// The text is not such a shard.
pub fn shard(text: &str) -> Result<Shard, String> {
    let allowed = "expected K/N with K from 0 to N - 1, as `0/3`";
    let (k, n) = text.split_once('/').ok_or(allowed)?;
    let (k, n) = (k.parse().map_err(|_| allowed)?, n.parse().map_err(|_| allowed)?);
    if k < n && n <= 1_000_000 { Ok(Shard { k, n }) } else { Err(allowed.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::quantity::{SECOND, format_duration};

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
