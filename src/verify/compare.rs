//! One span as it was made against the same span as it arrived.

use super::Fidelity;
use crate::store::{Attributes, Status, StoredEvent, StoredLink, StoredSpan};
use crate::trace::{Datum, OwnedDatum};
use std::fmt::Write;

/// Characters of a value that is shown.
const SHOWN: usize = 120;
const ABSENT: &str = "(absent)";

/// A field that is not as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `name`, `attributes.http.method`, `resource.service.version`, `events.time`, ...
    pub field: String,
    pub expected: String,
    pub found: String,
}

impl Difference {
    /// Values as people read them, cut where they are long.
    pub fn new(field: impl Into<String>, expected: &str, found: &str) -> Difference {
        Difference { field: field.into(), expected: shown(expected), found: shown(found) }
    }
}

/// All fields in which `found` is not as `expected`, of those that the source keeps.
pub fn compare(expected: &StoredSpan, found: &StoredSpan, fidelity: Fidelity) -> Vec<Difference> {
    let mut comparison = Comparison { fidelity, differences: vec![] };
    comparison.span(expected, found);
    comparison.differences
}

struct Comparison {
    fidelity: Fidelity,
    differences: Vec<Difference>,
}

impl Comparison {
    fn differ(&mut self, field: impl Into<String>, expected: &str, found: &str) {
        self.differences.push(Difference::new(field, expected, found));
    }

    fn text(&mut self, field: &str, expected: &str, found: &str) {
        if expected != found {
            self.differ(field, expected, found);
        }
    }

    fn time(&mut self, field: &str, expected: u64, found: u64) {
        let unit = self.fidelity.nanoseconds();
        if expected / unit != found / unit {
            self.differ(field, &(expected / unit * unit).to_string(), &found.to_string());
        }
    }

    fn span(&mut self, expected: &StoredSpan, found: &StoredSpan) {
        let span_id = |id: Option<u64>| id.map_or(ABSENT.into(), |id| format!("{id:016x}"));
        if expected.parent != found.parent {
            self.differ("parent_span_id", &span_id(expected.parent), &span_id(found.parent));
        }
        self.text("name", &expected.name, &found.name);
        if expected.kind != found.kind {
            let name = |span: &StoredSpan| span.kind.map_or("UNSPECIFIED", |kind| kind.name());
            self.differ("kind", name(expected), name(found));
        }
        self.time("start", expected.start, found.start);
        match self.fidelity {
            Fidelity::Jaeger => self.time("duration", expected.duration, found.duration),
            Fidelity::Otlp | Fidelity::ClickHouse => self.time("end", expected.end(), found.end()),
        }
        if expected.status != found.status {
            self.differ("status", &status(&expected.status), &status(&found.status));
        }
        self.attributes("attributes.", &expected.attributes, &found.attributes);
        self.events(&expected.events, &found.events);
        self.links(&expected.links, &found.links);
        self.attributes("resource.", &expected.resource, &found.resource);
        if self.fidelity != Fidelity::Otlp {
            // In OTLP it is an attribute of the resource.
            self.text("service", &expected.service, &found.service);
        }
        self.text("scope.name", &expected.scope, &found.scope);
        if self.fidelity == Fidelity::Otlp && expected.flags != found.flags {
            let flags = |span: &StoredSpan| format!("{:#x}", span.flags.unwrap_or_default());
            self.differ("flags", &flags(expected), &flags(found));
        }
        self.text("trace_state", &expected.trace_state, &found.trace_state);
    }

    /// As a map: their order means nothing.
    fn attributes(&mut self, prefix: &str, expected: &Attributes, found: &Attributes) {
        if expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| e.0 == f.0 && self.same(&e.1, &f.1))
        {
            return;
        }
        let sorted = |attributes| {
            let mut pairs: Vec<&(String, OwnedDatum)> = Vec::from_iter(attributes);
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            pairs
        };
        let (expected, found) = (sorted(expected), sorted(found));
        let (mut e, mut f) = (expected.into_iter().peekable(), found.into_iter().peekable());
        loop {
            let order = match (e.peek(), f.peek()) {
                (Some(e), Some(f)) => e.0.cmp(&f.0),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (None, None) => return,
            };
            let expected = e.next_if(|_| order.is_le());
            let found = f.next_if(|_| order.is_ge());
            let same = expected.zip(found).is_some_and(|(e, f)| self.same(&e.1, &f.1));
            if !same {
                let value = |pair: Option<&(String, OwnedDatum)>| pair.map_or(ABSENT.into(), |pair| value(&pair.1));
                let key = expected.or(found).map_or("", |pair| &pair.0);
                self.differ(format!("{prefix}{key}"), &value(expected), &value(found));
            }
        }
    }

    fn same(&self, expected: &OwnedDatum, found: &OwnedDatum) -> bool {
        match (self.fidelity, expected, found) {
            (_, OwnedDatum::Double(e), OwnedDatum::Double(f)) => e == f || e.is_nan() && f.is_nan(),
            (Fidelity::ClickHouse | Fidelity::Jaeger, OwnedDatum::List(_), OwnedDatum::Text(found)) => {
                same_json(&as_text(expected), found)
            }
            (Fidelity::ClickHouse, _, OwnedDatum::Text(found)) => as_text(expected) == *found,
            (_, OwnedDatum::List(e), OwnedDatum::List(f)) => {
                e.len() == f.len() && e.iter().zip(f).all(|(e, f)| self.same(e, f))
            }
            _ => expected == found,
        }
    }

    fn events(&mut self, expected: &[StoredEvent], found: &[StoredEvent]) {
        if expected.len() != found.len() {
            let names = |events: &[StoredEvent]| listed(events.iter().map(|event| event.name.as_str()));
            return self.differ("events", &names(expected), &names(found));
        }
        for (expected, found) in expected.iter().zip(found) {
            let expected = if self.fidelity == Fidelity::Jaeger { &renamed(expected.clone()) } else { expected };
            self.time("events.time", expected.time, found.time);
            self.text("events.name", &expected.name, &found.name);
            self.attributes("events.attributes.", &expected.attributes, &found.attributes);
        }
    }

    fn links(&mut self, expected: &[StoredLink], found: &[StoredLink]) {
        let target = |link: &StoredLink| format!("{:032x}/{:016x}", u128::from_be_bytes(link.trace_id), link.span_id);
        let targets = |links: &[StoredLink]| links.iter().map(target).collect::<Vec<_>>();
        let (e, f) = (targets(expected), targets(found));
        if e != f {
            return self.differ("links", &listed(e.iter().map(|t| &**t)), &listed(f.iter().map(|t| &**t)));
        }
        for (expected, found) in expected.iter().zip(found) {
            self.text("links.trace_state", &expected.trace_state, &found.trace_state);
            self.attributes("links.attributes.", &expected.attributes, &found.attributes);
        }
    }
}

/// As Jaeger has it: an attribute `event` takes the place of the name.
fn renamed(mut event: StoredEvent) -> StoredEvent {
    if let Some(at) = event.attributes.iter().position(|(key, _)| key == "event") {
        event.name = match &event.attributes[at].1 {
            OwnedDatum::Text(_) | OwnedDatum::List(_) => as_text(&event.attributes.remove(at).1),
            _ => String::new(),
        };
    }
    event
}

fn listed<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let items: Vec<&str> = items.collect();
    if items.is_empty() { "(none)".into() } else { items.join(", ") }
}

fn status(status: &Status) -> String {
    match status {
        Status::Unset => "Unset".into(),
        Status::Ok => "Ok".into(),
        Status::Error(message) if message.is_empty() => "Error".into(),
        Status::Error(message) => format!("Error: {message}"),
    }
}

/// With quotes where it is text: `"1"` and `1` are told apart.
fn value(value: &OwnedDatum) -> String {
    match value.as_datum() {
        Datum::Text(text) => format!("{text:?}"),
        datum => datum.to_string(),
    }
}

/// Which characters are escaped depends on the version of what wrote it.
fn same_json(expected: &str, found: &str) -> bool {
    let parsed = |text| serde_json::from_str::<serde_json::Value>(text).ok();
    expected == found || parsed(expected).is_some_and(|expected| parsed(found) == Some(expected))
}

fn as_text(value: &OwnedDatum) -> String {
    value.as_datum().to_string()
}

fn shown(text: &str) -> String {
    let mut out: String = text.chars().take(SHOWN).collect();
    if out.len() < text.len() {
        let _ = write!(out, ".. ({} bytes)", text.len());
    }
    out
}
