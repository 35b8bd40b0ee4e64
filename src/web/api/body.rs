//! Bodies in JSON, read field by field: what is wrong is told with its place and with what is allowed there.

use super::Problem;
use crate::language::diagnostic::nearest;
use crate::web::words::listed_as_code;
use serde_json::{Map, Value};

/// An object, and where it stands in the body.
pub struct Object<'a> {
    fields: &'a Map<String, Value>,
    /// `pace.rate`; empty for the whole body.
    place: String,
}

/// The value of a body.
///
/// # Errors
/// It is no JSON.
pub fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|e| wrong(format!("The body is no JSON: {e}.")))
}

fn wrong(message: String) -> Problem {
    Problem::parameter("body", message)
}

impl<'a> Object<'a> {
    /// The body as an object with no other fields than `allowed`.
    ///
    /// # Errors
    /// It is none, or has others.
    pub fn new(value: &'a Value, allowed: &[&str]) -> Result<Object<'a>, Problem> {
        Object::at(String::new(), value, allowed)
    }

    fn at(place: String, value: &'a Value, allowed: &[&str]) -> Result<Object<'a>, Problem> {
        let here = if place.is_empty() { "the body".into() } else { format!("`{place}`") };
        let names = listed_as_code(allowed, "and");
        let Some(fields) = value.as_object() else {
            return Err(wrong(format!("Expected an object in {here}, with any of {names}.")));
        };
        match fields.keys().find(|name| !allowed.contains(&name.as_str())) {
            None => Ok(Object { fields, place }),
            Some(name) => Err(wrong(match nearest(name, allowed.iter().copied()) {
                Some(meant) => format!("There is no `{name}` in {here}; did you mean `{meant}`?"),
                None => format!("There is no `{name}` in {here}. Allowed: {names}."),
            })),
        }
    }

    fn place(&self, name: &str) -> String {
        if self.place.is_empty() { name.into() } else { format!("{}.{name}", self.place) }
    }

    /// # Errors
    /// It is no object, or has other fields than `allowed`.
    pub fn object(&self, name: &str, allowed: &[&str]) -> Result<Option<Object<'a>>, Problem> {
        self.fields.get(name).map(|value| Object::at(self.place(name), value, allowed)).transpose()
    }

    /// # Errors
    /// It is no whole number that fits.
    pub fn whole<N: TryFrom<u64>>(&self, name: &str) -> Result<Option<N>, Problem> {
        self.read(name, "a whole number from 0", |value| N::try_from(value.as_u64()?).ok())
    }

    /// # Errors
    /// It is no text.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Problem> {
        self.read(name, "a text", Value::as_str)
    }

    /// # Errors
    /// It is none of the words.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<&'a str>, Problem> {
        let allowed = listed_as_code(words, "or");
        self.read(name, &allowed, |value| value.as_str().filter(|text| words.contains(text)))
    }

    /// The fields of an object, whatever their names, as numbers.
    ///
    /// # Errors
    /// It is no object, or one of them is no number.
    pub fn numbers<C: FromIterator<(String, f64)>>(&self, name: &str) -> Result<Option<C>, Problem> {
        let Some(value) = self.fields.get(name) else { return Ok(None) };
        let place = self.place(name);
        let fields = value.as_object().ok_or_else(|| wrong(format!("Expected an object in `{place}`.")))?;
        let number = |(name, value): (&String, &Value)| match value.as_f64() {
            Some(number) => Ok((name.clone(), number)),
            None => Err(wrong(format!("Expected a number in `{place}` for `{name}`."))),
        };
        fields.iter().map(number).collect::<Result<C, Problem>>().map(Some)
    }

    fn read<T>(&self, name: &str, allowed: &str, read: impl Fn(&'a Value) -> Option<T>) -> Result<Option<T>, Problem> {
        let read = |value| read(value).ok_or_else(|| wrong(format!("Expected {allowed} in `{}`.", self.place(name))));
        self.fields.get(name).map(read).transpose()
    }
}
