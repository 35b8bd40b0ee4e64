//! Durations and times as people write them in a filter.

use jiff::civil;
use jiff::tz::TimeZone;

const SECOND: u64 = 1_000_000_000;

/// The time ranges that can be selected, with their labels.
pub const RANGES: [(&str, &str); 5] =
    [("15m", "Last 15 min"), ("1h", "Last hour"), ("6h", "Last 6 hours"), ("1d", "Last day"), ("all", "All")];

/// Parses a duration and returns it in ns; a number without a unit is in ms.
///
/// # Errors
/// The text is not such a duration.
pub fn duration(text: &str) -> Result<u64, String> {
    let allowed = || "milliseconds, or with a unit as 200us, 1.5s".to_string();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let value: f64 = text[..digits].parse().map_err(|_| allowed())?;
    let unit = match text[digits..].trim() {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "" | "ms" => 1e6,
        "s" => 1e9,
        "m" | "min" => 60e9,
        _ => return Err(allowed()),
    };
    Ok((value * unit).round() as u64)
}

/// Parses a range and returns its length in ns; `None` for all time.
///
/// # Errors
/// The text is not such a range.
pub fn range(text: &str) -> Result<Option<u64>, String> {
    if text == "all" {
        return Ok(None);
    }
    length(text).map(Some).ok_or_else(|| "a time as 30s, 15m, 1h, 2d, or `all`".into())
}

/// Parses a length such as `15m`, and returns it in ns.
fn length(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)?.checked_mul(SECOND)
}

/// Parses a time and returns it in ns since 1970. It may be in RFC 3339, a date and time or a time of today (UTC), or
/// relative to `now` such as `-15m`.
///
/// # Errors
/// The text is not such a time.
pub fn moment(text: &str, now: u64) -> Result<u64, String> {
    let allowed = "a time as 14:32:07, 2026-03-14 14:32, 2026-03-14T14:32:07Z (UTC), or -15m".to_string();
    if let Some(ago) = text.strip_prefix('-') {
        return Ok(now.saturating_sub(length(ago).ok_or(allowed)?));
    }
    // The `+` of an offset arrives as a space if it was not encoded.
    let instant = text.parse().or_else(|_| text.replace(' ', "+").parse::<jiff::Timestamp>());
    let instant = instant.ok().or_else(|| civil_time(text, now)?.to_zoned(TimeZone::UTC).ok().map(|z| z.timestamp()));
    instant.and_then(|i| u64::try_from(i.as_nanosecond()).ok()).ok_or(allowed)
}

fn civil_time(text: &str, now: u64) -> Option<civil::DateTime> {
    text.parse::<civil::DateTime>().ok().or_else(|| {
        let today = jiff::Timestamp::from_nanosecond(now as i128).ok()?.to_zoned(TimeZone::UTC).date();
        Some(today.to_datetime(text.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_are_milliseconds_without() {
        let read = [("200us", 200_000), ("250", 250_000_000), ("1.5s", 1_500_000_000), ("2 min", 120 * SECOND)];
        for (text, ns) in read.into_iter().chain([("0", 0), ("17ns", 17), (".5ms", 500_000)]) {
            assert_eq!(duration(text), Ok(ns), "{text}");
        }
        for bad in ["", "-1", "1e9", "ms", "1 hour", "NaN", "1.2.3"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert_eq!(duration("99999999999999999999s"), Ok(u64::MAX), "no overflow");
    }

    #[test]
    fn ranges_are_whole_numbers_of_a_unit() {
        assert_eq!(range("15m"), Ok(Some(900 * SECOND)));
        assert_eq!(range("all"), Ok(None));
        for bad in ["", "m", "15", "-15m", "1.5h", "99999999999999999d", "15µ"] {
            assert!(range(bad).is_err(), "{bad}");
        }
        assert!(RANGES.iter().all(|(value, _)| range(value).is_ok()));
    }

    #[test]
    fn times_are_of_today_unless_they_have_a_date() {
        // The time is 2026-03-14 14:32:07.5.
        let now = 1_773_498_727_500_000_000;
        let seconds = |text| moment(text, now).map(|ns| ns as i64 / SECOND as i64 - 1_773_498_727);
        assert_eq!(seconds("14:32:07"), Ok(0));
        assert_eq!(seconds("14:32"), Ok(-7));
        assert_eq!(seconds("-15m"), Ok(-900));
        assert_eq!(seconds("2026-03-14T14:32:08Z"), Ok(1));
        assert_eq!(seconds("2026-03-14T15:32:08+01:00"), Ok(1));
        assert_eq!(seconds("2026-03-14T15:32:08 01:00"), Ok(1), "a `+` that was read as a space");
        assert_eq!(seconds("2026-03-13 14:32:07"), Ok(-86_400));
        for bad in ["", "yesterday", "25:00", "-", "-1x", "1969-01-01T00:00:00Z", "+15m"] {
            assert!(moment(bad, now).is_err(), "{bad}");
        }
    }
}
