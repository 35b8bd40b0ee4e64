//! Values of OTLP JSON, in all the forms in which they are written.

use crate::otlp::MOST_PARTS;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A number, or a string that holds one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Either<N> {
    Number(N),
    Text(String),
}

impl<N: FromStr<Err: fmt::Display>> Either<N> {
    /// Returns the number from either form.
    ///
    /// # Errors
    /// The string is not a number of type `N`.
    fn number<E: Error>(self) -> Result<N, E> {
        match self {
            Either::Number(number) => Ok(number),
            Either::Text(text) => text.parse().map_err(E::custom),
        }
    }
}

/// A signed 64-bit integer, which may be written as a string.
pub struct Int(pub i64);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Int, D::Error> {
        Either::deserialize(from)?.number().map(Int)
    }
}

/// A floating-point number; `NaN` and `Infinity` are written as strings.
pub struct Double(pub f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Double, D::Error> {
        Either::deserialize(from)?.number().map(Double)
    }
}

/// Reads a field whose `null` means the same as an absent field.
///
/// # Errors
/// The value is not a `T`.
pub fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Reads an unsigned 64-bit integer, which may be written as a string; `null` is read as 0.
///
/// # Errors
/// The value is neither such an integer nor `null`.
pub fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    Option::deserialize(from)?.map_or(Ok(0), Either::number)
}

/// Reads an id. OTLP writes ids in hexadecimal; protobuf's JSON mapping, which Tempo uses, writes them in base64. The
/// length tells the two apart.
///
/// # Errors
/// The value is neither a string in one of these encodings nor `null`.
pub fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let Some(text) = Option::<Cow<'de, str>>::deserialize(from)? else { return Ok(vec![]) };
    if matches!(text.len(), 11 | 12 | 22 | 24)
        && let Ok(id) = from_base64(&text)
        && matches!(id.len(), 8 | 16)
    {
        return Ok(id);
    }
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.ok_or_else(|| D::Error::custom("an id is neither hexadecimal nor base64"))?;
    Ok(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

/// Bytes written in base64, with or without padding.
pub struct Base64(pub Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Base64, D::Error> {
        from_base64(&Cow::<'de, str>::deserialize(from)?).map(Base64).map_err(D::Error::custom)
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('='))
}

/// Reads a list of strings, of at most [`MOST_PARTS`] items.
///
/// # Errors
/// The value is neither such a list nor `null`, or the list is longer.
pub fn texts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    struct Texts;
    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {MOST_PARTS} texts")
        }

        fn visit_unit<E: Error>(self) -> Result<Vec<String>, E> {
            Ok(vec![])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<String>, A::Error> {
            let mut texts = vec![];
            while let Some(text) = items.next_element()? {
                if texts.len() == MOST_PARTS {
                    return Err(A::Error::invalid_length(MOST_PARTS + 1, &self));
                }
                texts.push(text);
            }
            Ok(texts)
        }
    }
    from.deserialize_any(Texts)
}

/// Reads an enum, written as its number or as one of `names`, which are listed in the order of their numbers from 0.
fn named<'de, D: Deserializer<'de>>(from: D, names: &[&str]) -> Result<i32, D::Error> {
    match Option::deserialize(from)? {
        None => Ok(0),
        Some(Either::Number(v)) => Ok(v),
        Some(Either::Text(text)) => match names.iter().position(|name| *name == text) {
            Some(number) => Ok(number as i32),
            None => Err(D::Error::custom(format!("`{text}` is not one of {}", names.join(", ")))),
        },
    }
}

/// Reads the kind of a span.
///
/// # Errors
/// The value is neither a number nor the name of a span kind.
pub fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    named(
        from,
        &[
            "SPAN_KIND_UNSPECIFIED",
            "SPAN_KIND_INTERNAL",
            "SPAN_KIND_SERVER",
            "SPAN_KIND_CLIENT",
            "SPAN_KIND_PRODUCER",
            "SPAN_KIND_CONSUMER",
        ],
    )
}

/// Reads the code of a status.
///
/// # Errors
/// The value is neither a number nor the name of a status code.
pub fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    named(from, &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"])
}
