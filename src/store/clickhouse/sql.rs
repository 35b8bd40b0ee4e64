//! A statement under construction: its text, and the values bound to it.

use serde::Serialize;

/// A text with a `?` for each value. Anything from outside is a value, never text.
#[derive(Clone, Default)]
pub struct Sql {
    text: String,
    values: Vec<Value>,
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(i64),
    Texts(Vec<String>),
}

impl Sql {
    pub fn new(text: &str) -> Sql {
        Sql { text: text.into(), values: vec![] }
    }

    pub fn push(&mut self, text: &str) -> &mut Sql {
        self.text.push_str(text);
        self
    }

    pub fn append(&mut self, other: Sql) -> &mut Sql {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
        self
    }

    /// Binds a text to the next `?`.
    pub fn text(&mut self, value: &str) -> &mut Sql {
        self.values.push(Value::Text(value.into()));
        self
    }

    /// Binds a number to the next `?`; one beyond the range of Int64 is bound as its maximum.
    pub fn number(&mut self, value: u64) -> &mut Sql {
        self.values.push(Value::Number(i64::try_from(value).unwrap_or(i64::MAX)));
        self
    }

    /// Binds a list of texts to the next `?`.
    pub fn texts(&mut self, values: Vec<String>) -> &mut Sql {
        self.values.push(Value::Texts(values));
        self
    }

    pub fn query(&self, client: &clickhouse::Client) -> clickhouse::query::Query {
        self.values.iter().fold(client.query(&self.text), |query, value| query.bind(value))
    }
}
