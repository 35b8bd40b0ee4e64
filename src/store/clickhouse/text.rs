//! An attribute's value as the text that the collector's exporter makes of it.

use crate::trace::Datum;
use std::fmt::Write;

/// Append it.
pub fn write(value: Datum<'_>, out: &mut String) {
    match value {
        Datum::Text(text) => out.push_str(text),
        Datum::Int(v) => drop(write!(out, "{v}")),
        Datum::Bool(v) => drop(write!(out, "{v}")),
        Datum::Double(v) => double(v, out),
        list => json(list, out),
    }
}

/// As JavaScript writes a number: the shortest that reads back, with an exponent where it is far from 1.
fn double(v: f64, out: &mut String) {
    let far = v != 0.0 && !(1e-6..1e21).contains(&v.abs());
    let _ = match v {
        v if v.is_nan() => write!(out, "NaN"),
        v if v.is_infinite() => write!(out, "{}Infinity", if v < 0.0 { "-" } else { "" }),
        v if far && v.abs() >= 1.0 => write!(out, "{}", format!("{v:e}").replace('e', "e+")),
        v if far => write!(out, "{v:e}"),
        v => write!(out, "{v}"),
    };
}

fn json(value: Datum<'_>, out: &mut String) {
    match value {
        Datum::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                json(item, out);
            }
            out.push(']');
        }
        // Line separators are escaped there, for what reads JSON as JavaScript.
        Datum::Text(text) => {
            let text = serde_json::Value::from(text).to_string();
            out.push_str(&text.replace('\u{2028}', r"\u2028").replace('\u{2029}', r"\u2029"));
        }
        other => write(other, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Items, OwnedDatum};

    fn text(value: Datum<'_>) -> String {
        let mut out = String::new();
        write(value, &mut out);
        out
    }

    #[test]
    fn numbers() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (143.35, "143.35"),
            (5.0, "5"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.5e300, "-1.5e+300"),
            (1e-6, "0.000001"),
            (2.5e-7, "2.5e-7"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(Datum::Double(value)), expected);
        }
        assert_eq!(text(Datum::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(text(Datum::Bool(true)), "true");
    }

    #[test]
    fn lists_are_json() {
        let items = [OwnedDatum::Text("a\"<b>\u{2028}".into()), OwnedDatum::Double(1e21), OwnedDatum::Bool(false)];
        assert_eq!(text(Datum::List(Items::Owned(&items))), r#"["a\"<b>\u2028",1e+21,false]"#);
    }
}
