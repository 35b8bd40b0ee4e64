//! JSON bodies, read field by field. An error names the field and what is allowed there.

use super::Problem;
use crate::language::diagnostic::nearest;
use crate::web::words::listed_as_code;
use serde_json::{Map, Value};

/// An object in the body.
pub struct Object<'a> {
    fields: &'a Map<String, Value>,
    /// The path of the object in the body, such as `pace.rate`; empty for the body itself.
    place: String,
}

/// Parses a body.
///
/// # Errors
/// The body is not JSON.
pub fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|e| wrong(format!("The body is not JSON: {e}.")))
}

fn wrong(message: String) -> Problem {
    Problem::parameter("body", message)
}

impl<'a> Object<'a> {
    /// Returns the body as an object whose fields are all in `allowed`.
    ///
    /// # Errors
    /// The body is not an object, or has other fields.
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

    /// Returns an object in a field, whose fields must all be in `allowed`.
    ///
    /// # Errors
    /// The field is not an object, or has other fields.
    pub fn object(&self, name: &str, allowed: &[&str]) -> Result<Option<Object<'a>>, Problem> {
        self.fields.get(name).map(|value| Object::at(self.place(name), value, allowed)).transpose()
    }

    /// Returns the objects in a list, whose fields must all be in `allowed`.
    ///
    /// # Errors
    /// The field is missing or no list of objects, or one of these has other fields.
    pub fn objects(&self, name: &str, allowed: &[&str]) -> Result<Vec<Object<'a>>, Problem> {
        let list = self.read(name, "a list of objects", Value::as_array)?;
        let list = list.ok_or_else(|| wrong(format!("Expected a list of objects in `{}`.", self.place(name))))?;
        let object = |(at, value)| Object::at(format!("{}[{at}]", self.place(name)), value, allowed);
        list.iter().enumerate().map(object).collect()
    }

    /// Returns a truth value in a field.
    ///
    /// # Errors
    /// The field is not `true` or `false`.
    pub fn truth(&self, name: &str) -> Result<Option<bool>, Problem> {
        self.read(name, "true or false", Value::as_bool)
    }

    /// Returns a whole number in a field.
    ///
    /// # Errors
    /// The field is not a whole number in the range of `N`.
    pub fn whole<N: TryFrom<u64>>(&self, name: &str) -> Result<Option<N>, Problem> {
        self.read(name, "a whole number from 0", |value| N::try_from(value.as_u64()?).ok())
    }

    /// Returns a number in a field, as `read` converts it; `allowed` says in words what can be converted.
    ///
    /// # Errors
    /// The field is not such a number.
    pub fn number<N>(&self, name: &str, allowed: &str, read: impl Fn(f64) -> Option<N>) -> Result<Option<N>, Problem> {
        self.read(name, allowed, |value| read(value.as_f64()?))
    }

    /// Returns a string in a field.
    ///
    /// # Errors
    /// The field is not a string.
    pub fn text(&self, name: &str) -> Result<Option<&'a str>, Problem> {
        self.read(name, "a text", Value::as_str)
    }

    /// Returns a string in a field that is one of `words`.
    ///
    /// # Errors
    /// The field is not one of them.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<&'a str>, Problem> {
        let allowed = listed_as_code(words, "or");
        self.read(name, &allowed, |value| value.as_str().filter(|text| words.contains(text)))
    }

    /// Returns the fields of an object as numbers, whatever their names are.
    ///
    /// # Errors
    /// The field is not an object, or one of its fields is not a number.
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
