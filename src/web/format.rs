//! Figures on a page.

use crate::text::duration;
use crate::trace::TraceId;

/// Formats a part of a whole, such as `13.8 %`; `0 %` if the whole is 0.
pub fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

/// Formats a part of a whole as an SVG attribute, such as `44.25%`.
pub fn percent(part: f64, whole: f64) -> String {
    let percent = if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
    format!("{}%", (percent * 100.0).round() / 100.0)
}

/// Formats a length of time without decimals: `10 s`, `15 min`, `2 h`.
pub fn length(ns: u64) -> String {
    match ns / 1_000_000_000 {
        0 => duration(ns),
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// Formats a time in UTC as `14:32:08.214`.
pub fn clock(ns: u64) -> String {
    stamp(ns, "%H:%M:%S%.3f")
}

/// Formats a time in UTC as `2026-03-14 14:32:07.902`.
pub fn date_time(ns: u64) -> String {
    stamp(ns, "%Y-%m-%d %H:%M:%S%.3f")
}

/// Returns the note behind figures that do not cover everything that was asked for.
pub fn counted_since(ns: u64) -> String {
    format!("; only traces and spans since {} UTC are counted", stamp(ns, "%Y-%m-%d %H:%M"))
}

/// Formats a time in UTC by a `strftime` format.
pub fn stamp(ns: u64, format: &str) -> String {
    let time = jiff::Timestamp::from_nanosecond(ns as i128).unwrap_or(jiff::Timestamp::MAX);
    time.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
}

/// Formats a trace id with 32 hexadecimal digits.
pub fn trace_id(id: TraceId) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

/// Formats a span id with 16 hexadecimal digits.
pub fn span_id(id: u64) -> String {
    format!("{id:016x}")
}

/// Returns the name of a span, or a placeholder if it is empty.
pub fn named(name: &str) -> &str {
    if name.is_empty() { NAMELESS } else { name }
}

/// The placeholder for an empty name.
pub const NAMELESS: &str = "(no name)";

/// Encodes a text as a segment of a path or a value of a query.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Parses a trace id; `None` if the text is not 32 hexadecimal digits, or all of them are 0.
pub fn parse_trace_id(text: &str) -> Option<TraceId> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let id = u128::from_str_radix(text, 16).ok()?;
    (id != 0).then(|| id.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_lengths_read_well() {
        assert_eq!(percent(1.0, 3.0), "33.33%");
        assert_eq!(percent(1.0, 0.0), "0%");
        assert_eq!(length(0), "0 ns");
        assert_eq!(length(10_000_000_000), "10 s");
        assert_eq!(length(600_000_000_000), "10 min");
        assert_eq!(length(21_600_000_000_000), "6 h");
        assert_eq!(length(172_800_000_000_000), "2 d");
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
        assert_eq!(parse_trace_id(&trace_id(id)), Some(id));
        for bad in ["", "0", &"0".repeat(32), &"g".repeat(32), &"+".repeat(32), &"1".repeat(33)] {
            assert_eq!(parse_trace_id(bad), None);
        }
        assert_eq!(clock(1_000_000_000_000_000_000), "01:46:40.000");
    }
}
