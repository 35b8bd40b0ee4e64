//! A look at a span as the interpreter has it, which finds most of those that no change touches, without a copy.

use super::Changes;
use super::deed::{Deed, Setting};
use super::field::{Place, Selector, Text};
use crate::trace::{Datum, NONE, SpanView, StoredSpan};

/// What a look at a span finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// No rule changes the span, but for its resource as `SharedChanges` has it.
    Untouched,
    /// A rule, the one with this number, drops the span as it was sent.
    Dropped(usize),
    /// A rule may change the span.
    Touched,
}

impl Changes {
    /// Looks at a span as it was sent. As long as nothing has changed it, every rule sees the span as it is, but for
    /// changes of its resource, which no condition reads.
    pub fn glance(&self, span: SpanView<'_>) -> Glance {
        for (number, rule) in self.rules.iter().enumerate() {
            if self.is_shared[number] {
                continue;
            }
            if rule.when.as_ref().is_some_and(|when| !when.holds(&span)) {
                continue;
            }
            for deed in &rule.deeds {
                match deed {
                    Deed::DropSpan(condition) if condition.holds(&span) => return Glance::Dropped(number),
                    deed if deed.may_touch(span) => return Glance::Touched,
                    _ => {}
                }
            }
        }
        Glance::Untouched
    }

    /// Returns the number of the rule that drops a span; `None` if it must arrive.
    pub fn dropper(&self, span: SpanView<'_>) -> Option<usize> {
        match self.glance(span) {
            Glance::Untouched => None,
            Glance::Dropped(rule) => Some(rule),
            Glance::Touched => {
                let mut turns = vec![];
                let arrives = self.apply(&mut StoredSpan::of(span), &mut turns);
                (!arrives).then(|| turns.iter().rposition(|turn| *turn == super::Turn::Done).unwrap_or_default())
            }
        }
    }
}

impl Deed {
    /// Reports whether it changes the span. It may also say so where it does not.
    fn may_touch(&self, span: SpanView<'_>) -> bool {
        match self {
            Deed::DropSpan(_) => false,
            Deed::Any(_) | Deed::Set(Setting::Kind(_) | Setting::Failed(_) | Setting::Status(_)) => true,
            Deed::Set(Setting::Text(text, _)) => *text != Text::EventName || has_events(span),
            Deed::Set(Setting::Attribute(place, ..)) => *place != Place::Events || has_events(span),
            Deed::Delete(selector) | Deed::Hash(selector, _) | Deed::Mask(selector, None) => {
                has(span, selector, |_| true)
            }
            Deed::Mask(selector, Some(pattern)) | Deed::Replace(selector, pattern, _) => {
                has(span, selector, |text| pattern.is_in(text))
            }
            Deed::Truncate(selector, bytes) => has(span, selector, |text| text.len() > *bytes),
            Deed::Set(Setting::Computed(to, _)) => !to.is_of_events() || has_events(span),
            Deed::Move { place: Place::Span, key, .. } => span.attribute(key).is_some(),
            Deed::Move { place, key, .. } => has_key(span, *place, |other| other == key),
            Deed::Limit { place: Place::Span, most, .. } => span.attributes().count() > *most,
            Deed::Limit { place: Place::Resource, .. } => true,
            Deed::Keep(place @ (Place::Span | Place::Resource), keys) => {
                has_key(span, *place, |key| keys.iter().all(|kept| kept != key))
            }
            Deed::Limit { place: Place::Events, .. } | Deed::Keep(Place::Events, _) | Deed::DropEvents(_) => {
                has_events(span)
            }
        }
    }
}

fn has_events(span: SpanView<'_>) -> bool {
    span.record().event != NONE || span.record().failure != NONE
}

/// Reports whether a span has one of the selected fields with a text that `is_edited` accepts, or with another value.
fn has(span: SpanView<'_>, selector: &Selector, is_edited: impl Fn(&str) -> bool) -> bool {
    let value = |value: Datum<'_>| if let Datum::Text(text) = value { is_edited(text) } else { true };
    match selector {
        Selector::Text(Text::Name) => is_edited(span.name()),
        Selector::Text(Text::ScopeName) => is_edited(span.scope().0),
        Selector::Text(Text::ScopeVersion) => is_edited(span.scope().1),
        Selector::Text(Text::TraceState) => is_edited(span.trace_state()),
        // Unlike the iterator, this decodes no other attribute.
        Selector::Attribute(Place::Span, key) => span.attribute(key).is_some_and(value),
        Selector::Family(Place::Span, _) => span.attributes().any(|(key, datum)| selector.selects(key) && value(datum)),
        // An earlier rule may have changed the resource.
        Selector::Attribute(Place::Resource, _) | Selector::Family(Place::Resource, _) => true,
        Selector::Text(Text::EventName)
        | Selector::Attribute(Place::Events, _)
        | Selector::Family(Place::Events, _) => has_events(span),
    }
}

fn has_key(span: SpanView<'_>, place: Place, is: impl Fn(&str) -> bool) -> bool {
    match place {
        Place::Span => span.attributes().any(|(key, _)| is(key)),
        // An earlier rule may have changed the resource.
        Place::Resource => true,
        Place::Events => has_events(span),
    }
}
