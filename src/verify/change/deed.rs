//! The kinds of changes, each with exactly the effect that the collector's processors have.

use super::field::{Field, Place, Selector, Text, insert};
use super::hash::Hash;
use super::pattern::{LINES, MASK, Pattern};
use crate::condition::{Condition, EventValue, SpanValue};
use crate::plan::SpanKind;
use crate::trace::{OwnedDatum, Status, StoredSpan};

/// A change of a span.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    Set(Setting),
    Delete(Selector),
    /// The value of an attribute is put into another field, and the attribute is removed.
    Move {
        place: Place,
        key: String,
        to: Field,
    },
    Hash(Selector, Hash),
    /// What the pattern finds in a text becomes asterisks; without a pattern the whole value, whatever its type.
    Mask(Selector, Option<Pattern>),
    /// All that the pattern finds in a text is replaced.
    Replace(Selector, Pattern, String),
    /// A text is cut to at most this number of bytes, between characters.
    Truncate(Selector, usize),
    /// At most `most` attributes are kept: those with the keys of `first` before the others, which are kept in order.
    Limit {
        place: Place,
        most: usize,
        first: Vec<String>,
    },
    /// Only the attributes with these keys are kept.
    Keep(Place, Vec<String>),
    /// The events for which the condition holds are removed.
    DropEvents(Condition<EventValue>),
    /// The span does not arrive if the condition holds.
    DropSpan(Condition<SpanValue>),
    /// The field that a report names so must be there, with any value. It speaks of the span as it arrives.
    Any(String),
}

/// A field and the value that it gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Kind(SpanKind),
    /// The status, whose message is kept if there is one and `None` is given.
    Failed(Option<String>),
    Status(Status),
    Text(Text, String),
    Attribute(Place, String, OwnedDatum),
    /// The value is put together from others. It is not set if one of them is absent.
    Computed(Field, Vec<Piece>),
}

/// A part of a value that is put together.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(String),
    Value(Field),
}

/// What a change did to a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// There was nothing to change.
    None,
    Changed,
    Dropped,
}

impl Effect {
    fn of(changed: bool) -> Effect {
        if changed { Effect::Changed } else { Effect::None }
    }
}

impl Deed {
    /// Changes a span.
    pub fn apply(&self, span: &mut StoredSpan) -> Effect {
        Effect::of(match self {
            Deed::Set(setting) => setting.apply(span),
            Deed::Delete(selector) => selector.remove(span),
            Deed::Move { place, key, to } => shift(span, *place, key, to),
            Deed::Hash(selector, hash) => selector.edit(span, |value| {
                *value = OwnedDatum::Text(hash.of(value));
                true
            }),
            Deed::Mask(selector, pattern) => selector.edit(span, |value| mask(value, pattern.as_ref())),
            Deed::Replace(selector, pattern, by) => {
                selector.edit(span, |value| edit_text(value, |text| pattern.replaced(text, by)))
            }
            Deed::Truncate(selector, bytes) => selector.edit(span, |value| {
                edit_text(value, |text| {
                    (text.len() > *bytes).then(|| text[..text.floor_char_boundary(*bytes)].to_string())
                })
            }),
            Deed::Limit { place, most, first } => limit(span, *place, *most, first),
            Deed::Keep(place, keys) => retain(span, *place, |key| keys.iter().any(|kept| kept == key)),
            Deed::DropEvents(condition) => {
                let before = span.events.len();
                span.events.retain(|event| !condition.holds(event));
                span.events.len() < before
            }
            Deed::DropSpan(condition) => return if condition.holds(span) { Effect::Dropped } else { Effect::None },
            Deed::Any(_) => true,
        })
    }

    /// Reports whether it can change the field that a report names so.
    pub fn names(&self, field: &str) -> bool {
        match self {
            Deed::Set(Setting::Kind(_)) => Field::Kind.is(field),
            Deed::Set(Setting::Failed(_) | Setting::Status(_)) => Field::Status.is(field),
            Deed::Set(Setting::Text(text, _)) => Selector::Text(*text).covers(field),
            Deed::Set(Setting::Attribute(place, key, _)) => place.key(field) == Some(key),
            Deed::Delete(selector)
            | Deed::Hash(selector, _)
            | Deed::Mask(selector, _)
            | Deed::Replace(selector, ..)
            | Deed::Truncate(selector, _) => selector.covers(field),
            Deed::Set(Setting::Computed(to, _)) => to.is(field),
            Deed::Move { place, key, to } => to.is(field) || place.key(field) == Some(key),
            Deed::Limit { place, .. } | Deed::Keep(place, _) => place.key(field).is_some(),
            Deed::DropEvents(_) => field == "events",
            Deed::DropSpan(_) => false,
            Deed::Any(name) => name == field,
        }
    }
}

impl Setting {
    fn apply(&self, span: &mut StoredSpan) -> bool {
        match self {
            Setting::Kind(kind) => span.kind = *kind,
            Setting::Failed(None) if matches!(span.status, Status::Error(_)) => {}
            Setting::Failed(message) => span.status = Status::Error(message.clone().unwrap_or_default()),
            Setting::Status(status) => span.status = status.clone(),
            Setting::Text(text, value) => {
                return Selector::Text(*text).edit(span, |old| {
                    *old = OwnedDatum::Text(value.clone());
                    true
                });
            }
            Setting::Attribute(place, key, value) => {
                let lists = place.count(span);
                (0..lists).for_each(|at| insert(place.list(span, at), key, value.clone()));
                return lists > 0;
            }
            Setting::Computed(to, pieces) => {
                let mut set = false;
                for at in 0..to.count(span) {
                    if let Some(value) = computed(pieces, span, at) {
                        to.put(span, at, value);
                        set = true;
                    }
                }
                return set;
            }
        }
        true
    }
}

/// Puts a value together: one field alone keeps its type, and anything else is a text.
fn computed(pieces: &[Piece], span: &mut StoredSpan, at: usize) -> Option<OwnedDatum> {
    if let [Piece::Value(field)] = pieces {
        return field.value(span, at);
    }
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text += part,
            Piece::Value(field) => text += &field.value(span, at)?.as_datum().to_string(),
        }
    }
    Some(OwnedDatum::Text(text))
}

fn shift(span: &mut StoredSpan, place: Place, key: &str, to: &Field) -> bool {
    let mut moved = false;
    for at in 0..place.count(span) {
        let list = place.list(span, at);
        if let Some(found) = list.iter().position(|(other, _)| other == key) {
            let value = list.remove(found).1;
            to.put(span, at, value);
            moved = true;
        }
    }
    moved
}

fn mask(value: &mut OwnedDatum, pattern: Option<&Pattern>) -> bool {
    match (pattern, &value) {
        (Some(pattern), _) => edit_text(value, |text| pattern.masked(text)),
        (None, OwnedDatum::Text(_)) => edit_text(value, |text| LINES.masked(text)),
        // What is not a text has an empty one for the redaction processor.
        (None, _) => {
            *value = OwnedDatum::Text(MASK.into());
            true
        }
    }
}

fn edit_text(value: &mut OwnedDatum, edit: impl Fn(&str) -> Option<String>) -> bool {
    let OwnedDatum::Text(text) = value else { return false };
    let Some(edited) = edit(text) else { return false };
    *text = edited;
    true
}

/// Keeps the attributes that `keeps` accepts, and returns whether there were others.
fn retain(span: &mut StoredSpan, place: Place, mut keeps: impl FnMut(&str) -> bool) -> bool {
    let mut removed = false;
    for at in 0..place.count(span) {
        let list = place.list(span, at);
        let before = list.len();
        list.retain(|(key, _)| keeps(key));
        removed |= list.len() < before;
    }
    removed
}

fn limit(span: &mut StoredSpan, place: Place, most: usize, first: &[String]) -> bool {
    let mut removed = false;
    for at in 0..place.count(span) {
        let list = place.list(span, at);
        if list.len() <= most {
            continue;
        }
        let is_first = |key: &String| first.contains(key);
        let mut room = most.saturating_sub(list.iter().filter(|(key, _)| is_first(key)).count());
        list.retain(|(key, _)| {
            let kept = is_first(key) || room > 0;
            room -= (kept && !is_first(key)) as usize;
            kept
        });
        removed = true;
    }
    removed
}
