//! Figures as people read them on a page.

use crate::store::TraceId;

pub use crate::text::{count, duration, grouped, three_figures};

/// A part of a whole, `13.8 %`; `0 %` for nothing of nothing.
pub fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

/// `14:32:08.214`, UTC.
pub fn clock(ns: u64) -> String {
    stamp(ns, "%H:%M:%S%.3f")
}

/// `2026-03-14 14:32:07.902`, UTC.
pub fn date_time(ns: u64) -> String {
    stamp(ns, "%Y-%m-%d %H:%M:%S%.3f")
}

/// By a `strftime` format, UTC.
pub fn stamp(ns: u64, format: &str) -> String {
    let time = jiff::Timestamp::from_nanosecond(ns as i128).unwrap_or(jiff::Timestamp::MAX);
    time.to_zoned(jiff::tz::TimeZone::UTC).strftime(format).to_string()
}

/// 32 hexadecimal digits.
pub fn trace_id(id: TraceId) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

/// 16 hexadecimal digits.
pub fn span_id(id: u64) -> String {
    format!("{id:016x}")
}

/// A segment of a path or a value of a query.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// `None`: not 32 hexadecimal digits, or all zero.
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
    fn ids_are_read_as_they_are_written() {
        let id = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
        assert_eq!(parse_trace_id(&trace_id(id)), Some(id));
        for bad in ["", "0", &"0".repeat(32), &"g".repeat(32), &"+".repeat(32), &"1".repeat(33)] {
            assert_eq!(parse_trace_id(bad), None);
        }
        assert_eq!(clock(1_000_000_000_000_000_000), "01:46:40.000");
    }
}
