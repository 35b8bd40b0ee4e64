//! Values as text, for pages and searches. The text is the same that the OpenTelemetry Collector makes of a value where
//! only text has a place.

use super::Datum;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Display, Formatter, Write};

impl Display for Datum<'_> {
    /// Writes a text unchanged, a double as JavaScript writes it, bytes in base64, and a list or a map as JSON, with the keys of
    /// a map in order.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Datum::Text(text) => f.write_str(text),
            Datum::Int(v) => v.fmt(f),
            Datum::Bool(v) => v.fmt(f),
            Datum::Double(v) => double(*v, f),
            Datum::List(items) => {
                f.write_char('[')?;
                for (i, item) in items.iter().enumerate() {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    json(item, f)?;
                }
                f.write_char(']')
            }
            Datum::Map(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                f.write_char('{')?;
                for (i, (key, value)) in entries.into_iter().enumerate() {
                    f.write_str(if i > 0 { "," } else { "" })?;
                    quoted(key, f)?;
                    f.write_char(':')?;
                    json(value, f)?;
                }
                f.write_char('}')
            }
            Datum::Bytes(bytes) => f.write_str(&STANDARD.encode(bytes)),
        }
    }
}

/// Writes a value that is an element of a list or a map.
fn json(value: Datum<'_>, f: &mut Formatter<'_>) -> fmt::Result {
    match value {
        Datum::Text(text) => quoted(text, f),
        Datum::Bytes(bytes) => quoted(&STANDARD.encode(bytes), f),
        other => other.fmt(f),
    }
}

fn double(v: f64, f: &mut Formatter<'_>) -> fmt::Result {
    if v == 0.0 || !v.is_finite() || (1e-6..1e21).contains(&v.abs()) {
        return v.fmt(f);
    }
    let text = format!("{v:e}");
    let positive = v.abs() > 1.0;
    f.write_str(&if positive { text.replace('e', "e+") } else { text })
}

/// Writes a text as Go quotes it. Go escapes two characters more than JSON demands, because JavaScript took them for line
/// ends.
fn quoted(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    let json = serde_json::Value::from(text).to_string();
    f.write_str(&json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"))
}

#[cfg(test)]
mod tests {
    use crate::trace::OwnedDatum;

    #[test]
    fn values_are_written_as_the_collector_writes_them() {
        let list = |items: &[OwnedDatum]| OwnedDatum::List(items.to_vec());
        let text = |text: &str| OwnedDatum::Text(text.into());
        for (value, written) in [
            (text("a \"b\" <c>"), "a \"b\" <c>"),
            (OwnedDatum::Int(-42), "-42"),
            (OwnedDatum::Bool(true), "true"),
            (OwnedDatum::Double(5.0), "5"),
            (OwnedDatum::Double(0.1), "0.1"),
            (OwnedDatum::Double(-0.0), "-0"),
            (OwnedDatum::Double(1e20), "100000000000000000000"),
            (OwnedDatum::Double(-1.5e21), "-1.5e+21"),
            (OwnedDatum::Double(1e-6), "0.000001"),
            (OwnedDatum::Double(2.5e-7), "2.5e-7"),
            (list(&[]), "[]"),
            (list(&[text("a\"\n"), text("b")]), r#"["a\"\n","b"]"#),
            (list(&[text("\u{2028}<&>\u{2029}")]), r#"["\u2028<&>\u2029"]"#),
            (list(&[OwnedDatum::Double(1.0), OwnedDatum::Double(0.5)]), "[1,0.5]"),
            (OwnedDatum::Bytes(vec![0, 255, 16]), "AP8Q"),
            (list(&[OwnedDatum::Bytes(vec![1]), list(&[]), OwnedDatum::Int(3)]), r#"["AQ==",[],3]"#),
            (
                OwnedDatum::Map(vec![("b".into(), list(&[text("x")])), ("a\"".into(), OwnedDatum::Map(vec![]))]),
                r#"{"a\"":{},"b":["x"]}"#,
            ),
        ] {
            assert_eq!(value.as_datum().to_string(), written);
        }
    }
}
