//! Text search in values.

use crate::trace::Datum;
use std::fmt::{self, Write};

/// A text that is searched for, ignoring case.
pub struct Needle(String);

impl Needle {
    pub fn new(text: &str) -> Needle {
        Needle(text.to_lowercase())
    }

    pub fn is_in(&self, text: &str) -> bool {
        let needle = self.0.as_bytes();
        if text.is_ascii() {
            return needle.is_empty()
                || text.as_bytes().windows(needle.len()).any(|part| part.eq_ignore_ascii_case(needle));
        }
        text.to_lowercase().contains(&self.0)
    }

    pub fn is_in_datum(&self, datum: Datum<'_>) -> bool {
        match datum {
            Datum::Text(text) => self.is_in(text),
            other => self.is_in(&other.to_string()),
        }
    }
}

/// Reports whether the text of a value is `text`.
pub fn reads(datum: Datum<'_>, text: &str) -> bool {
    /// The part of the text that is still expected.
    struct Expected<'a>(&'a str);

    impl Write for Expected<'_> {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
            Ok(())
        }
    }

    let mut expected = Expected(text);
    write!(expected, "{datum}").is_ok() && expected.0.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::OwnedDatum;

    #[test]
    fn case_is_ignored_in_any_script() {
        let is_in = |needle: &str, text: &str| Needle::new(needle).is_in(text);
        assert!(is_in("DECLINED", "Card declined by issuer") && is_in("issuer", "Card declined by ISSUER"));
        assert!(is_in("größe", "Die GRÖSSE? nein, die GRÖßE") && is_in("ŁÓDŹ", "łódź"));
        assert!(is_in("", "") && is_in("", "a") && is_in("", "ä"));
        assert!(!is_in("a", "") && !is_in("abc", "ab") && !is_in("ab", "a b"));
        assert!(Needle::new("E+2").is_in_datum(Datum::Double(1e22)), "a number by its text");
    }

    #[test]
    fn a_value_is_compared_by_its_text() {
        assert!(reads(Datum::Int(12), "12") && !reads(Datum::Int(12), "1") && !reads(Datum::Int(12), "123"));
        assert!(reads(Datum::Double(5.0), "5") && reads(Datum::Bool(false), "false") && reads(Datum::Text(""), ""));
        let list = OwnedDatum::List(vec![OwnedDatum::Text("a".into()), OwnedDatum::Text("b".into())]);
        assert!(reads(list.as_datum(), r#"["a","b"]"#) && !reads(list.as_datum(), "a"));
    }
}
