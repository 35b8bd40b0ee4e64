//! Comparison of a span as it was generated with the same span as it arrived.

use super::Fidelity;
use crate::trace::{Attributes, Datum, OwnedDatum, Status, StoredEvent, StoredLink, StoredSpan};
use std::fmt::Write;

/// The number of characters of a value that are shown.
const SHOWN: usize = 120;
/// The text that is shown for a missing field.
pub const ABSENT: &str = "(absent)";

/// A field that did not arrive as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field's name, such as `name`, `attributes.http.method`, `resource.service.version` or `events.time`.
    pub field: String,
    /// The value that was sent, as people read it.
    pub expected: String,
    /// The value that arrived, as people read it.
    pub found: String,
    /// The declared change that is not as it was declared; `None` if no change is declared for the field.
    pub blame: Option<Blame>,
}

/// The declared change to which a difference is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blame {
    /// The number of the rule in the policy.
    pub rule: usize,
    /// The rule is for the span, and has set what is expected. Otherwise it would have changed the field of other spans.
    pub is_for_span: bool,
}

impl Difference {
    /// Makes a difference. Long values are cut: from the beginning, or from where the two values begin to differ.
    pub fn new(field: impl Into<String>, expected: &str, found: &str) -> Difference {
        let alike = expected.chars().zip(found.chars()).take_while(|(e, f)| e == f);
        let same: usize = alike.clone().map(|(c, _)| c.len_utf8()).sum();
        let [expected, found] = match alike.count() {
            SHOWN.. => [expected, found].map(|text| format!("..{} behind {same} same bytes", shown(&text[same..]))),
            _ => [shown(expected), shown(found)],
        };
        Difference { field: field.into(), expected, found, blame: None }
    }
}

/// Returns all fields in which `found` differs from `expected`, each once, in the order of their names. Fields that the
/// source does not keep are left out, and times are compared in units of `precision` ns if that is coarser than the source.
/// `unstored` holds differences in fields that a [`StoredSpan`] has no place for.
pub fn compare(
    expected: &StoredSpan,
    found: &StoredSpan,
    unstored: Vec<Difference>,
    fidelity: Fidelity,
    precision: u64,
) -> Vec<Difference> {
    let unit = fidelity.nanoseconds().max(precision);
    let mut comparison = Comparison { fidelity, unit, differences: vec![] };
    comparison.span(expected, found);
    unstored.into_iter().for_each(|difference| comparison.add(difference));
    let mut differences = comparison.differences;
    differences.sort_by(|a, b| a.field.cmp(&b.field));
    differences.dedup_by(|later, earlier| later.field == earlier.field);
    differences
}

struct Comparison {
    fidelity: Fidelity,
    /// The unit in which times are compared, in ns.
    unit: u64,
    differences: Vec<Difference>,
}

impl Comparison {
    fn differ(&mut self, field: impl Into<String>, expected: &str, found: &str) {
        self.differences.push(Difference::new(field, expected, found));
    }

    /// Adds a difference that was found outside of the comparison. Its value is the more precise one. It is dropped where
    /// the whole list that contains the field differs: then no part of the list was sent that could have been altered.
    fn add(&mut self, difference: Difference) {
        let list =
            difference.field.split_once('.').map(|(list, _)| list).filter(|list| ["events", "links"].contains(list));
        let known =
            self.differences.iter_mut().find(|known| known.field == difference.field || Some(&*known.field) == list);
        match known {
            Some(known) if known.field == difference.field => known.found = difference.found,
            Some(_) => {}
            None => self.differences.push(difference),
        }
    }

    fn text(&mut self, field: &str, expected: &str, found: &str) {
        if expected != found {
            self.differ(field, expected, found);
        }
    }

    fn time(&mut self, field: &str, expected: u64, found: u64) {
        let unit = self.unit;
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
            self.differ("kind", expected.kind.name(), found.kind.name());
        }
        self.time("start", expected.start, found.start);
        match self.fidelity {
            Fidelity::Jaeger => self.time("duration", expected.duration, found.duration),
            Fidelity::Otlp | Fidelity::ClickHouse => {
                let end = |span: &StoredSpan| span.start.wrapping_add(span.duration);
                self.time("end", end(expected), end(found));
            }
        }
        if expected.status != found.status {
            self.differ("status", &status(&expected.status), &status(&found.status));
        }
        self.attributes("attributes.", &expected.attributes, &found.attributes);
        self.events(&expected.events, &found.events);
        self.links(&expected.links, &found.links);
        self.attributes("resource.", &expected.resource, &found.resource);
        if self.fidelity != Fidelity::Otlp {
            // In OTLP the service name is an attribute of the resource.
            self.text("service", &expected.service, &found.service);
        }
        self.text("scope.name", &expected.scope.name, &found.scope.name);
        self.text("scope.version", &expected.scope.version, &found.scope.version);
        if self.fidelity == Fidelity::Otlp && expected.flags != found.flags {
            let flags = |span: &StoredSpan| format!("{:#x}", span.flags.unwrap_or_default());
            self.differ("flags", &flags(expected), &flags(found));
        }
        self.text("trace_state", &expected.trace_state, &found.trace_state);
    }

    /// Compares attributes as maps, because their order has no meaning.
    fn attributes(&mut self, prefix: &str, expected: &Attributes, found: &Attributes) {
        if expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| e.0 == f.0 && self.same(&e.1, &f.1))
        {
            return;
        }
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
                let key = expected.or(found).map_or("", |pair| &pair.0);
                let [e, f] = distinguished(expected.map(|pair| &pair.1), found.map(|pair| &pair.1));
                self.differ(format!("{prefix}{key}"), &e, &f);
            }
        }
    }

    fn same(&self, expected: &OwnedDatum, found: &OwnedDatum) -> bool {
        match (self.fidelity, expected, found) {
            (_, OwnedDatum::Double(e), OwnedDatum::Double(f)) => e == f || e.is_nan() && f.is_nan(),
            (Fidelity::Jaeger, OwnedDatum::Bytes(_), OwnedDatum::Text(found)) => as_text(expected) == *found,
            (
                Fidelity::ClickHouse | Fidelity::Jaeger,
                OwnedDatum::List(_) | OwnedDatum::Map(_),
                OwnedDatum::Text(found),
            ) => same_json(&as_text(expected), found),
            (Fidelity::ClickHouse, _, OwnedDatum::Text(found)) => as_text(expected) == *found,
            // They are compared as a map, because their order means nothing.
            (_, OwnedDatum::Map(e), OwnedDatum::Map(f)) => {
                let same = |(e, f): (&(String, OwnedDatum), &(String, OwnedDatum))| e.0 == f.0 && self.same(&e.1, &f.1);
                e.len() == f.len() && sorted(e).into_iter().zip(sorted(f)).all(same)
            }
            (_, OwnedDatum::List(e), OwnedDatum::List(f)) => {
                e.len() == f.len() && e.iter().zip(f).all(|(e, f)| self.same(e, f))
            }
            _ => expected == found,
        }
    }

    fn events(&mut self, expected: &[StoredEvent], found: &[StoredEvent]) {
        if expected.len() != found.len() {
            let names = |events: &[StoredEvent]| listed(events.iter().map(|event| format!("{:?}", event.name)));
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
            return self.differ("links", &listed(e.into_iter()), &listed(f.into_iter()));
        }
        // Jaeger's answers contain only the targets of links.
        if self.fidelity == Fidelity::Jaeger {
            return;
        }
        for (expected, found) in expected.iter().zip(found) {
            self.text("links.trace_state", &expected.trace_state, &found.trace_state);
            self.attributes("links.attributes.", &expected.attributes, &found.attributes);
        }
    }
}

/// Returns the pairs in the order of their keys.
fn sorted(pairs: &Attributes) -> Vec<&(String, OwnedDatum)> {
    let mut pairs = Vec::from_iter(pairs);
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

/// Returns the event as Jaeger stores it, where an attribute `event` replaces the name.
fn renamed(mut event: StoredEvent) -> StoredEvent {
    if let Some(at) = event.attributes.iter().position(|(key, _)| key == "event") {
        event.name = match &event.attributes[at].1 {
            OwnedDatum::Text(_) | OwnedDatum::List(_) | OwnedDatum::Map(_) => as_text(&event.attributes.remove(at).1),
            _ => String::new(),
        };
    }
    event
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
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

/// Returns two different values as text, with their types where the texts are the same.
fn distinguished(expected: Option<&OwnedDatum>, found: Option<&OwnedDatum>) -> [String; 2] {
    let values = [expected, found].map(|datum| datum.map_or(ABSENT.into(), value));
    match (expected, found) {
        (Some(expected), Some(found)) if values[0] == values[1] => {
            [expected, found].map(|datum| format!("{} ({})", value(datum), type_of(datum)))
        }
        _ => values,
    }
}

/// Returns the name of the value's type in OTLP.
fn type_of(datum: &OwnedDatum) -> String {
    match datum {
        OwnedDatum::Text(_) => "string".into(),
        OwnedDatum::Int(_) => "int".into(),
        OwnedDatum::Double(_) => "double".into(),
        OwnedDatum::Bool(_) => "bool".into(),
        OwnedDatum::Bytes(_) => "bytes".into(),
        OwnedDatum::Map(_) => "map".into(),
        OwnedDatum::List(items) => {
            let mut types: Vec<String> = items.iter().map(type_of).collect();
            types.dedup();
            format!("array of {}", if types.is_empty() { "nothing".into() } else { types.join(", ") })
        }
    }
}

/// Returns a value as text. Strings are quoted, so that `"1"` and `1` differ.
fn value(value: &OwnedDatum) -> String {
    match value.as_datum() {
        Datum::Text(text) => format!("{text:?}"),
        datum => datum.to_string(),
    }
}

/// Compares values after decoding, because versions of the writer differ in which characters they escape.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(value: OwnedDatum) -> Attributes {
        vec![("n".into(), value)]
    }

    /// Returns the texts that are shown for an attribute that was sent as `expected` and arrived as `found`.
    fn said(expected: OwnedDatum, found: OwnedDatum) -> Option<(String, String)> {
        let mut comparison = Comparison { fidelity: Fidelity::Otlp, unit: 1, differences: vec![] };
        comparison.attributes("attributes.", &pair(expected), &pair(found));
        comparison.differences.pop().map(|difference| (difference.expected, difference.found))
    }

    #[test]
    fn values_that_read_the_same_are_told_apart_by_their_types() {
        use OwnedDatum::{Bool, Double, Int, List, Text};
        let pair = |e: &str, f: &str| Some((e.to_string(), f.to_string()));
        assert_eq!(said(Int(1), Double(1.0)), pair("1 (int)", "1 (double)"));
        assert_eq!(said(Int(1), Text("1".into())), pair("1", "\"1\""));
        assert_eq!(said(Bool(true), Text("true".into())), pair("true", "\"true\""));
        let lists = pair("[1] (array of int)", "[1] (array of double)");
        assert_eq!(said(List(vec![Int(1)]), List(vec![Double(1.0)])), lists);
        assert_eq!(said(Int(1), Int(1)), None);
    }

    #[test]
    fn long_values_are_shown_from_where_they_part() {
        let long = "é".repeat(SHOWN);
        let difference = Difference::new("name", &format!("{long}a"), &format!("{long}b"));
        let behind = format!("behind {} same bytes", 2 * SHOWN);
        assert_eq!((difference.expected, difference.found), (format!("..a {behind}"), format!("..b {behind}")));
        let short = Difference::new("name", "a", &"b".repeat(200));
        assert_eq!((short.expected.as_str(), short.found.ends_with(".. (200 bytes)")), ("a", true));
    }
}
