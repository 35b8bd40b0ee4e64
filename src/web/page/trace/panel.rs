//! The panel with everything about one span.

use super::failure::{self, Why};
use super::links::{self, LinkRow};
use super::tree::Tree;
use super::waterfall::offset;
use crate::engine::Located;
use crate::text;
use crate::trace::{Attributes, OwnedDatum, Scope, Status, StoredSpan, StoredTrace};
use crate::web::palette::Palette;
use crate::web::{App, format};

pub struct Panel {
    pub id: String,
    pub class: &'static str,
    pub service: String,
    pub kind: &'static str,
    pub name: String,
    pub failure: Option<Failure>,
    /// Names and figures.
    pub figures: [(&'static str, String); 4],
    pub attributes: Vec<Attribute>,
    pub events: Vec<Event>,
    /// The links, each with its own attributes.
    pub links: Vec<(LinkRow, Vec<Attribute>)>,
    pub why: Option<Why>,
    pub resource: Vec<Attribute>,
    /// Name, text, and the span that it leads to.
    pub identity: Vec<(&'static str, String, Option<String>)>,
}

pub struct Failure {
    pub r#type: String,
    pub message: String,
}

pub struct Attribute {
    pub key: String,
    pub value: String,
    /// The type, such as `int`; `None` for a text.
    pub r#type: Option<&'static str>,
    pub bad: bool,
}

pub struct Event {
    pub name: String,
    pub at: String,
    pub bad: bool,
    pub attributes: Vec<Attribute>,
}

impl Panel {
    pub async fn new(
        app: &App,
        trace: &StoredTrace,
        tree: &Tree<'_>,
        palette: &Palette,
        located: Option<&Located>,
        span: usize,
    ) -> Panel {
        let record = &tree.spans[span];
        let links = links::of(app, trace, record, palette).await;
        let own: u64 = tree.own_work(span).iter().map(|(from, to)| to - from).sum();
        Panel {
            id: format::span_id(record.id),
            class: palette.class(&record.service),
            service: record.service.clone(),
            kind: record.kind.name(),
            name: format::named(&record.name).into(),
            failure: failed_with(record),
            figures: [
                ("Start", offset(record.start - tree.start)),
                ("Duration", text::duration(record.lasts())),
                ("Own work", text::duration(own)),
                ("Of trace", format::share(record.lasts(), (tree.end - tree.start).max(1))),
            ],
            attributes: attributes(&record.attributes),
            events: record
                .events
                .iter()
                .map(|e| Event {
                    name: e.name.clone(),
                    at: if e.time >= tree.start {
                        format!("at {}", offset(e.time - tree.start))
                    } else {
                        "before the trace".into()
                    },
                    bad: e.name == "exception",
                    attributes: attributes(&e.attributes),
                })
                .collect(),
            links: links.into_iter().map(with_attributes).collect(),
            why: located.filter(|_| record.failed()).and_then(|located| failure::why(app, located, record.id)),
            resource: attributes(&record.resource),
            identity: identity(tree, span),
        }
    }
}

fn with_attributes(link: LinkRow) -> (LinkRow, Vec<Attribute>) {
    let attributes = attributes(&link.attributes);
    (link, attributes)
}

fn failed_with(span: &StoredSpan) -> Option<Failure> {
    let Status::Error(message) = &span.status else { return None };
    let of = |attributes: &Attributes, key: &str| {
        attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_datum().to_string())
    };
    let exception = || span.events.iter().rev().find_map(|e| of(&e.attributes, "exception.type"));
    let r#type = of(&span.attributes, "error.type").or_else(exception).unwrap_or_else(|| "Error".into());
    Some(Failure { r#type, message: message.clone() })
}

fn identity(tree: &Tree<'_>, span: usize) -> Vec<(&'static str, String, Option<String>)> {
    let (record, node) = (&tree.spans[span], &tree.nodes[span]);
    let mut rows = vec![("span id", format::span_id(record.id), None)];
    rows.push(match (record.parent.map(format::span_id), node.parent) {
        (None, _) => ("parent", "none: a root".into(), None),
        (Some(parent), Some(_)) => ("parent", parent.clone(), Some(parent)),
        (Some(parent), None) => ("parent", format!("{parent}, not there"), None),
    });
    rows.push(("flags", record.flags.map_or_else(|| "not kept by the store".into(), flags), None));
    let Scope { name, version } = &record.scope;
    for (name, value) in [("trace state", &record.trace_state), ("scope", name), ("scope version", version)] {
        if !value.is_empty() {
            rows.push((name, value.clone(), None));
        }
    }
    rows.push(("started", format!("{} UTC", format::date_time(record.start)), None));
    rows
}

/// Describes the span flags of OTLP.
fn flags(flags: u32) -> String {
    let bits = [(0x1, "sampled"), (0x2, "random"), (0x200, "remote parent")];
    // Bit 8 says whether bit 9 is known.
    let set = bits.iter().filter(|(bit, _)| flags & bit != 0 && (*bit != 0x200 || flags & 0x100 != 0));
    let words = set.map(|(_, word)| *word).collect::<Vec<_>>();
    format!("{flags:#05x} {}", words.join(", ")).trim_end().into()
}

fn attributes(attributes: &Attributes) -> Vec<Attribute> {
    let attribute = |(key, value): &(String, OwnedDatum)| Attribute {
        value: value.as_datum().to_string(),
        r#type: match value {
            OwnedDatum::Text(_) => None,
            OwnedDatum::Int(_) => Some("int"),
            OwnedDatum::Double(_) => Some("double"),
            OwnedDatum::Bool(_) => Some("bool"),
            OwnedDatum::Bytes(_) => Some("bytes"),
            OwnedDatum::List(_) => Some("list"),
            OwnedDatum::Map(_) => Some("map"),
        },
        bad: matches!(key.as_str(), "error.type" | "exception.type"),
        key: key.clone(),
    };
    attributes.iter().map(attribute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_described() {
        assert_eq!(flags(0x103), "0x103 sampled, random");
        assert_eq!(flags(0x303), "0x303 sampled, random, remote parent");
        assert_eq!(flags(0), "0x000");
    }

    #[test]
    fn a_failure_shows_its_type_if_there_is_one() {
        let mut span = super::super::tree::tests::span((1, 0, 0, 1));
        assert!(failed_with(&span).is_none());
        span.status = Status::Error("no answer".into());
        let failure = |span: &StoredSpan| failed_with(span).map(|f| (f.r#type, f.message)).unwrap();
        assert_eq!(failure(&span), ("Error".into(), "no answer".into()));
        span.attributes = vec![("error.type".into(), OwnedDatum::Text("Timeout".into()))];
        assert_eq!(failure(&span).0, "Timeout");
    }
}
