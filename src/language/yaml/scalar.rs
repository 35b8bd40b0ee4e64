//! The types of plain scalars: the core schema of [YAML 1.2.2](https://yaml.org/spec/1.2.2/#103-core-schema).

/// A plain scalar's type and value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Core {
    Null,
    Bool(bool),
    Int(i64),
    /// A finite double.
    Double(f64),
    /// A number that is not finite, or does not fit into 64 bits.
    OutOfRange,
    Text,
}

/// Resolves a plain scalar.
pub fn core(text: &str) -> Core {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Core::Null,
        "true" | "True" | "TRUE" => return Core::Bool(true),
        "false" | "False" | "FALSE" => return Core::Bool(false),
        _ => {}
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return integer(digits, 8);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return integer(digits, 16);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Core::OutOfRange;
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().map_or(Core::OutOfRange, Core::Int);
    }
    if !is_float(unsigned) {
        return Core::Text;
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Core::Double(value),
        Ok(_) => Core::OutOfRange,
        Err(_) => Core::Text,
    }
}

fn integer(digits: &str, radix: u32) -> Core {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Core::Text;
    }
    i64::from_str_radix(digits, radix).map_or(Core::OutOfRange, Core::Int)
}

/// Reports whether a text has the form `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let some = !whole.is_empty() || !fraction.is_empty();
    some && digits(whole) && digits(fraction) && exponent.is_none_or(|e| !e.is_empty() && digits(e))
}

/// Reports whether a text contains the beginning of an expression.
pub fn is_template(text: &str) -> bool {
    // Most texts are too short for a fast search to pay off.
    text.as_bytes().windows(2).any(|two| matches!(two, b"<<" | b"{{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_by_the_core_schema() {
        for (text, core_type) in [
            ("", Core::Null),
            ("~", Core::Null),
            ("nUll", Core::Text),
            ("True", Core::Bool(true)),
            ("yes", Core::Text),
            ("0o17", Core::Int(15)),
            ("0x1F", Core::Int(31)),
            ("0x", Core::Text),
            ("0777", Core::Int(777)),
            ("+200", Core::Int(200)),
            ("-9223372036854775808", Core::Int(i64::MIN)),
            ("9223372036854775808", Core::OutOfRange),
            ("1e3", Core::Double(1000.0)),
            (".5", Core::Double(0.5)),
            ("1.", Core::Double(1.0)),
            (".", Core::Text),
            ("1e", Core::Text),
            ("1e400", Core::OutOfRange),
            ("-.inf", Core::OutOfRange),
            (".nan", Core::OutOfRange),
            ("1_000", Core::Text),
            ("1.2.3", Core::Text),
            ("inf", Core::Text),
            ("-", Core::Text),
        ] {
            assert_eq!(core(text), core_type, "{text}");
        }
    }
}
