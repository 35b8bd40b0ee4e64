//! The parts of a span that a change names, as a report names them: `user.id`, `resource.k8s.*`, `scope.name`.

use crate::trace::{Attributes, OwnedDatum, StoredEvent, StoredSpan};
use std::fmt;

/// A kind of attributes of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Span,
    Resource,
    /// The attributes of each event.
    Events,
}

/// A field that is a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Name,
    ScopeName,
    ScopeVersion,
    TraceState,
    /// The name of each event.
    EventName,
}

/// A field of a span; one of its events is a field of each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    Kind,
    Status,
    Text(Text),
    Attribute(Place, String),
}

/// A field, or a family of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    Text(Text),
    Attribute(Place, String),
    /// All attributes whose keys begin with this.
    Family(Place, String),
}

/// The fields that are compared, but that no change can set.
pub const OTHERS: [&str; 17] = [
    "start",
    "end",
    "duration",
    "parent_span_id",
    "flags",
    "events",
    "events.time",
    "links",
    "links.trace_state",
    "links.flags",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
    "resource.schema_url",
    "resource.dropped_attributes_count",
    "scope.schema_url",
    "scope.attributes",
];

impl Place {
    pub const ALL: [Place; 3] = [Place::Span, Place::Resource, Place::Events];

    /// Returns the beginning of the names of the attributes.
    pub fn prefix(self) -> &'static str {
        match self {
            Place::Span => "attributes.",
            Place::Resource => "resource.",
            Place::Events => "events.attributes.",
        }
    }

    /// Returns the name of the attributes as a whole.
    pub fn name(self) -> &'static str {
        self.prefix().trim_end_matches('.')
    }

    /// Returns the key in the name of an attribute of this place.
    pub fn key(self, name: &str) -> Option<&str> {
        name.strip_prefix(self.prefix()).filter(|key| !key.is_empty())
    }

    /// Returns the number of lists of attributes that a span has here.
    pub fn count(self, span: &StoredSpan) -> usize {
        if self == Place::Events { span.events.len() } else { 1 }
    }

    /// Returns a list of attributes of a span by its number, which matters only for events.
    pub fn list(self, span: &mut StoredSpan, at: usize) -> &mut Attributes {
        match self {
            Place::Span => &mut span.attributes,
            Place::Resource => &mut span.resource,
            Place::Events => &mut span.events[at].attributes,
        }
    }
}

impl Text {
    const ALL: [Text; 5] = [Text::Name, Text::ScopeName, Text::ScopeVersion, Text::TraceState, Text::EventName];

    fn name(self) -> &'static str {
        match self {
            Text::Name => "name",
            Text::ScopeName => "scope.name",
            Text::ScopeVersion => "scope.version",
            Text::TraceState => "trace_state",
            Text::EventName => "events.name",
        }
    }

    fn count(self, span: &StoredSpan) -> usize {
        if self == Text::EventName { span.events.len() } else { 1 }
    }

    fn text(self, span: &mut StoredSpan, at: usize) -> &mut String {
        match self {
            Text::Name => &mut span.name,
            Text::ScopeName => &mut span.scope.name,
            Text::ScopeVersion => &mut span.scope.version,
            Text::TraceState => &mut span.trace_state,
            Text::EventName => &mut span.events[at].name,
        }
    }
}

impl Field {
    /// Reads the name of a field. A name that is not one of the span's own is the key of an attribute.
    ///
    /// # Errors
    /// There can't be such a field, or no change can set it; the error is what to write instead.
    pub fn parse(name: &str) -> Result<Field, String> {
        match Selector::parse(name) {
            _ if name == "kind" => Ok(Field::Kind),
            _ if name == "status" => Ok(Field::Status),
            Ok(Selector::Text(text)) => Ok(Field::Text(text)),
            Ok(Selector::Attribute(place, key)) => Ok(Field::Attribute(place, key)),
            Ok(Selector::Family(..)) => Err("one field, as `user.id` or `resource.host.name`, and not several".into()),
            Err(instead) => Err(instead),
        }
    }

    /// Reports whether each event has the field.
    pub fn is_of_events(&self) -> bool {
        matches!(self, Field::Text(Text::EventName) | Field::Attribute(Place::Events, _))
    }

    /// Returns the number of times that a span has the field.
    pub fn count(&self, span: &StoredSpan) -> usize {
        if self.is_of_events() { span.events.len() } else { 1 }
    }

    /// Reports whether a report names the field so.
    pub fn is(&self, name: &str) -> bool {
        match self {
            Field::Kind => name == "kind",
            Field::Status => name == "status",
            Field::Text(text) => name == text.name(),
            Field::Attribute(place, key) => place.key(name) == Some(key),
        }
    }

    /// Returns the value in a span, or in one of its events; `None` if it has none, or if it is not a text or an attribute.
    pub fn value(&self, span: &mut StoredSpan, at: usize) -> Option<OwnedDatum> {
        match self {
            Field::Text(text) => Some(OwnedDatum::Text(text.text(span, at).clone())),
            Field::Attribute(place, key) => {
                place.list(span, at).iter().find(|(other, _)| other == key).map(|(_, value)| value.clone())
            }
            Field::Kind | Field::Status => None,
        }
    }

    /// Puts a value into a span, or into one of its events: a new attribute stands last.
    pub fn put(&self, span: &mut StoredSpan, at: usize, value: OwnedDatum) {
        match self {
            Field::Text(text) => {
                let value = match value {
                    OwnedDatum::Text(text) => text,
                    other => other.as_datum().to_string(),
                };
                *text.text(span, at) = value;
            }
            Field::Attribute(place, key) => insert(place.list(span, at), key, value),
            Field::Kind | Field::Status => {}
        }
    }

    /// Reports whether a span has the field; all of its events for a field of events.
    pub fn is_in(&self, span: &StoredSpan) -> bool {
        let has = |list: &Attributes, key: &String| list.iter().any(|(other, _)| other == key);
        match self {
            Field::Attribute(Place::Span, key) => has(&span.attributes, key),
            Field::Attribute(Place::Resource, key) => has(&span.resource, key),
            Field::Attribute(Place::Events, key) => {
                span.events.iter().all(|event: &StoredEvent| has(&event.attributes, key))
            }
            Field::Text(_) | Field::Kind | Field::Status => true,
        }
    }
}

impl Selector {
    /// Reads the name of a field or of a family. A name that is not one of the span's own is the key of an attribute.
    ///
    /// # Errors
    /// There can't be such a field, or no change can set it; the error is what to write instead.
    pub fn parse(name: &str) -> Result<Selector, String> {
        if let Some(text) = Text::ALL.into_iter().find(|text| text.name() == name) {
            return Ok(Selector::Text(text));
        }
        if let Some(place) = Place::ALL.into_iter().find(|place| place.name() == name) {
            return Ok(Selector::Family(place, String::new()));
        }
        let family = name.strip_suffix('*');
        let inside = family.unwrap_or(name);
        if inside.contains('*') || family.is_some_and(|inside| !inside.ends_with('.')) {
            return Err("a star only at the end, behind a point: `resource.k8s.*`".into());
        }
        let of = |place: Place| match family {
            Some(family) => Some(Selector::Family(place, family.strip_prefix(place.prefix())?.into())),
            None => Some(Selector::Attribute(place, place.key(name)?.into())),
        };
        if OTHERS.contains(&name) || ["kind", "status"].contains(&name) {
            return Err("a text or an attribute; `any` and `--allow altered=` take every field".into());
        }
        if let Some(selector) = Place::ALL.into_iter().find_map(of) {
            return Ok(selector);
        }
        match name.split_once('.').map_or(name, |(first, _)| first) {
            "" => Err("the name of a field, as `user.id`, `resource.host.name` or `name`".into()),
            "service" if name == "service" => {
                Err("`resource.service.name`, which is where a span has its service".into())
            }
            "scope" => Err(format!("`scope.name` or `scope.version`; an attribute is `attributes.{name}`")),
            "events" => Err(format!("`events.name` or `events.attributes.KEY`; an attribute is `attributes.{name}`")),
            "links" => Err(format!("no change touches links; an attribute is `attributes.{name}`")),
            "resources" | "resouce" | "ressource" | "attribute" | "atributes" if name.contains('.') => {
                let place = if name.starts_with('r') { Place::Resource } else { Place::Span };
                let key = name.split_once('.').map_or("", |(_, key)| key);
                Err(format!("`{}{key}`; an attribute with this key is `attributes.{name}`", place.prefix()))
            }
            _ => Ok(match family {
                Some(family) => Selector::Family(Place::Span, family.into()),
                None => Selector::Attribute(Place::Span, name.into()),
            }),
        }
    }

    /// Calls `edit` with each value, and returns whether one of them was edited, which it reports.
    pub fn edit(&self, span: &mut StoredSpan, mut edit: impl FnMut(&mut OwnedDatum) -> bool) -> bool {
        let mut edited = false;
        match self {
            Selector::Text(text) => {
                for at in 0..text.count(span) {
                    let text = text.text(span, at);
                    let mut value = OwnedDatum::Text(std::mem::take(text));
                    edited |= edit(&mut value);
                    if let OwnedDatum::Text(value) = value {
                        *text = value;
                    }
                }
            }
            Selector::Attribute(place, _) | Selector::Family(place, _) => {
                for at in 0..place.count(span) {
                    let selected = place.list(span, at).iter_mut().filter(|(key, _)| self.selects(key));
                    selected.for_each(|(_, value)| edited |= edit(value));
                }
            }
        }
        edited
    }

    /// Removes the attributes, and returns whether there were any.
    pub fn remove(&self, span: &mut StoredSpan) -> bool {
        let (Selector::Attribute(place, _) | Selector::Family(place, _)) = self else { return false };
        let mut removed = false;
        for at in 0..place.count(span) {
            let list = place.list(span, at);
            let before = list.len();
            list.retain(|(key, _)| !self.selects(key));
            removed |= list.len() < before;
        }
        removed
    }

    /// Reports whether an attribute with this key, in the selector's place, is one of those.
    pub fn selects(&self, key: &str) -> bool {
        match self {
            Selector::Attribute(_, own) => key == own,
            Selector::Family(_, family) => key.starts_with(family.as_str()),
            Selector::Text(_) => false,
        }
    }

    /// Reports whether the field that a report names so is one of those.
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Selector::Text(text) => name == text.name(),
            Selector::Attribute(place, _) | Selector::Family(place, _) => {
                place.key(name).is_some_and(|key| self.selects(key))
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Field::Kind => f.write_str("kind"),
            Field::Status => f.write_str("status"),
            Field::Text(text) => f.write_str(text.name()),
            Field::Attribute(place, key) => write!(f, "{}{key}", place.prefix()),
        }
    }
}

/// Sets an attribute; a new one stands last.
pub fn insert(list: &mut Attributes, key: &str, value: OwnedDatum) {
    match list.iter_mut().find(|(other, _)| other == key) {
        Some((_, old)) => *old = value,
        None => list.push((key.into(), value)),
    }
}
