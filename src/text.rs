//! Figures and words as people read and write them, on the terminal and on pages.

pub mod foreign;
pub mod host;
pub mod quantity;

/// Formats a number with its noun: `1 error`, `2 errors`, `1,234 errors`.
pub fn count(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// Joins words: `a`, `a and b`, `a, b and c`, with "and" as `last`.
pub fn listed(items: &[impl AsRef<str>], last: &str) -> String {
    let mut listed = String::new();
    for (at, item) in items.iter().enumerate() {
        match items.len() - at {
            _ if at == 0 => {}
            1 => listed.extend([" ", last, " "]),
            _ => listed.push_str(", "),
        }
        listed.push_str(item.as_ref());
    }
    listed
}

/// Formats `1234567` as `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a number with three figures and a unit: `406 k`, `1.52 M`.
pub fn scaled(n: f64) -> String {
    let (value, unit) = match n {
        // A number that would be rounded to 1,000 of a unit becomes 1 of the next.
        n if n < 999.5 => (n, ""),
        n if n < 999.5e3 => (n / 1e3, " k"),
        n if n < 999.5e6 => (n / 1e6, " M"),
        n => (n / 1e9, " G"),
    };
    format!("{}{unit}", three_figures(value))
}

/// Formats a number of bytes: `512 B`, `1.40 MB`.
pub fn bytes(n: u64) -> String {
    if n < 1_000 { format!("{n} B") } else { scaled(n as f64) + "B" }
}

/// Formats a number with three figures: `9.81`, `66.6`, `617`.
pub fn three_figures(value: f64) -> String {
    match value {
        v if v >= 99.95 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

/// Formats a duration in ns: `4.20 ms`, `1.52 s`, `2 min 5 s`.
pub fn duration(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..999_500 => format!("{} µs", three_figures(ns as f64 / 1e3)),
        999_500..999_500_000 => format!("{} ms", three_figures(ns as f64 / 1e6)),
        999_500_000..60_000_000_000 => format!("{} s", three_figures(ns as f64 / 1e9)),
        _ => {
            let seconds = ns / 1_000_000_000;
            let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
            match hours {
                0 => format!("{minutes} min {seconds} s"),
                _ => format!("{hours} h {minutes} min"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_well() {
        for (items, expected) in
            [(&[][..], ""), (&["a"], "a"), (&["a", "b"], "a or b"), (&["a", "b", "c", "d"], "a, b, c or d")]
        {
            assert_eq!(listed(items, "or"), expected);
        }
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(count(1, "trace"), "1 trace");
        assert_eq!(count(100_000, "trace"), "100,000 traces");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(scaled(406_310.0), "406 k");
        assert_eq!(scaled(71_200_000.0), "71.2 M");
        assert_eq!(scaled(7.0), "7.00");
        assert_eq!(scaled(999_499.0), "999 k");
        assert_eq!(scaled(999_500.0), "1.00 M");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_400_000), "1.40 MB");
        assert_eq!(duration(4_200_000), "4.20 ms");
        assert_eq!(duration(999_499), "999 µs");
        assert_eq!(duration(999_500), "1.00 ms");
        assert_eq!(duration(1_520_000_000), "1.52 s");
        assert_eq!(duration(125_000_000_000), "2 min 5 s");
        assert_eq!(duration(7_260_000_000_000), "2 h 1 min");
    }
}
