//! Conditions on traces, spans and events, which say what a rule of a policy is for.
//!
//! A condition is an expression of the template language. It is compiled once (`compile`) to a typed tree (`term`) over the
//! values that a trace, a span or an event has (`values`), and is then evaluated without an allocation, unless one of its
//! filters makes a new text.
//!
//! A value may be absent: an attribute that a span does not have, or the root of a trace whose root was not sent. A
//! comparison with it is false, except for `!=`, which always says the opposite of `==`. The same holds for values of
//! different types. An absent value counts as false where true or false is needed.

mod compile;
mod names;
mod outlook;
mod subject;
mod term;
mod values;
mod vocabulary;

pub use outlook::Outlook;
pub use subject::{SentTrace, Span};
pub use values::{EventValue, SpanValue, TraceValue};
pub use vocabulary::Vocabulary;

use crate::language::diagnostic::Diagnostic;
use crate::language::source::Loc;
use crate::language::template::{Template, bare};
use crate::language::yaml::{Offsets, Style};
use crate::trace::StoredEvent;
use compile::{Compiler, Subject};
use serde::{Serialize, Serializer};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use term::{Term, Value};

/// A condition on what has the values `V`.
pub struct Condition<V> {
    term: Arc<Term<V>>,
    /// The expression as it was written, in one line.
    text: Arc<str>,
}

impl<V: Subject> Condition<V> {
    /// Compiles the expression that a template consists of; `text` is how it was written. Returns `None` if it is wrong,
    /// which is reported. Names are checked against the vocabulary.
    pub fn compile(
        text: &str,
        template: &Template,
        known: &Vocabulary,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Condition<V>> {
        let term = Compiler { known, diagnostics }.condition(template.single()?)?;
        let text = Vec::from_iter(text.trim().lines().map(str::trim)).join(" ");
        Some(Condition { term: Arc::new(term), text: text.into() })
    }

    /// Parses and compiles the expression in a part of a text that is no YAML, such as a flag.
    pub fn parse(
        source: &str,
        loc: Loc,
        known: &Vocabulary,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Condition<V>> {
        let text = &source[loc.range()];
        let offsets = Offsets::new(source, loc, Style::Plain, text);
        let template = bare(text, loc, &offsets, diagnostics);
        Condition::compile(text, &template, known, diagnostics)
    }
}

impl<V: Subject + fmt::Debug> Condition<V> {
    /// Returns whether the condition can hold for what the plans with this vocabulary make.
    pub fn outlook(&self, known: &Vocabulary) -> Outlook {
        outlook::outlook(&self.term, known)
    }
}

impl Condition<TraceValue> {
    /// Returns the condition that a span of the trace has failed.
    pub fn failed() -> Condition<TraceValue> {
        Condition { term: Arc::new(Term::Read(TraceValue::Failed)), text: "failed".into() }
    }

    /// Reports whether it holds for the traces of a scenario; `None` if that depends on more than the scenario.
    pub fn of_scenario(&self, scenario: &str) -> Option<bool> {
        let is_open = Cell::new(false);
        let holds = self.term.holds(&|value| match value {
            TraceValue::Scenario => Value::text(scenario),
            _ => {
                is_open.set(true);
                Value::Absent
            }
        });
        (!is_open.get()).then_some(holds)
    }

    /// Reports whether it holds for a trace as it was sent.
    pub fn holds(&self, trace: &SentTrace<'_, impl Fn(usize) -> bool>) -> bool {
        self.term.holds(&|value| value.of(trace))
    }
}

impl Condition<SpanValue> {
    /// Reports whether it holds for a span.
    pub fn holds(&self, span: &impl Span) -> bool {
        self.term.holds(&|value| value.of(span))
    }
}

impl Condition<EventValue> {
    /// Reports whether it holds for an event of a span.
    pub fn holds(&self, event: &StoredEvent) -> bool {
        self.term.holds(&|value| value.of(event))
    }
}

impl<V> Clone for Condition<V> {
    fn clone(&self) -> Self {
        Condition { term: self.term.clone(), text: self.text.clone() }
    }
}

impl<V> fmt::Display for Condition<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<V> fmt::Debug for Condition<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.text)
    }
}

impl<V> PartialEq for Condition<V> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<V> Serialize for Condition<V> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
