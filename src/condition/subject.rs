//! What conditions are about: traces as they were sent, and spans in either form.

use crate::plan::SpanKind;
use crate::trace::{Datum, NONE, SpanView, Status, StoredSpan, View};

/// A span, as far as conditions read it.
pub trait Span {
    fn name(&self) -> &str;
    fn kind(&self) -> SpanKind;
    /// Returns the name of the service.
    fn service(&self) -> &str;
    /// Returns `unset`, `ok` or `error`.
    fn status(&self) -> &'static str;
    /// Returns the duration in ns, which is 0 if the span ends before its start.
    fn duration(&self) -> u64;
    /// Reports whether the span has no parent.
    fn is_root(&self) -> bool;
    /// Returns the name and the version of the instrumentation scope.
    fn scope(&self) -> (&str, &str);
    fn attribute(&self, key: &str) -> Option<Datum<'_>>;
    fn resource(&self, key: &str) -> Option<Datum<'_>>;
}

impl Span for SpanView<'_> {
    fn name(&self) -> &str {
        SpanView::name(*self)
    }

    fn kind(&self) -> SpanKind {
        SpanView::kind(*self)
    }

    fn service(&self) -> &str {
        SpanView::service(*self)
    }

    fn status(&self) -> &'static str {
        match self.record().failure != NONE {
            true => "error",
            false if self.is_ok() => "ok",
            false => "unset",
        }
    }

    fn duration(&self) -> u64 {
        self.record().duration()
    }

    fn is_root(&self) -> bool {
        self.record().parent == NONE
    }

    fn scope(&self) -> (&str, &str) {
        SpanView::scope(*self)
    }

    fn attribute(&self, key: &str) -> Option<Datum<'_>> {
        SpanView::attribute(*self, key)
    }

    fn resource(&self, key: &str) -> Option<Datum<'_>> {
        let mut attributes = self.view.resources.get(self.record().resource);
        attributes.find(|(other, _)| *other == key).map(|(_, value)| value)
    }
}

impl Span for StoredSpan {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> SpanKind {
        self.kind
    }

    fn service(&self) -> &str {
        &self.service
    }

    fn status(&self) -> &'static str {
        match self.status {
            Status::Error(_) => "error",
            Status::Ok => "ok",
            Status::Unset => "unset",
        }
    }

    fn duration(&self) -> u64 {
        self.lasts()
    }

    fn is_root(&self) -> bool {
        self.parent.is_none()
    }

    fn scope(&self) -> (&str, &str) {
        (&self.scope.name, &self.scope.version)
    }

    fn attribute(&self, key: &str) -> Option<Datum<'_>> {
        self.attributes.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_datum())
    }

    fn resource(&self, key: &str) -> Option<Datum<'_>> {
        self.resource.iter().find(|(other, _)| other == key).map(|(_, value)| value.as_datum())
    }
}

/// A trace as it was sent: conditions do not see spans that were not.
pub struct SentTrace<'a, F> {
    view: View<'a>,
    /// Reports whether the span with an ordinal was sent.
    is_sent: F,
    /// The first span without a parent; `None` if none was sent.
    root: Option<SpanView<'a>>,
}

impl<'a, F: Fn(usize) -> bool> SentTrace<'a, F> {
    /// Makes a trace of which the spans were sent whose ordinals `is_sent` accepts.
    pub fn new(view: View<'a>, is_sent: F) -> Self {
        let root = view.spans().find(|span| span.is_root() && is_sent(span.ordinal));
        SentTrace { view, is_sent, root }
    }

    /// Iterates over the spans that were sent.
    pub fn spans(&self) -> impl Iterator<Item = SpanView<'a>> {
        self.view.spans().filter(|span| (self.is_sent)(span.ordinal))
    }

    /// Returns the root; `None` if it was not sent.
    pub fn root(&self) -> Option<&SpanView<'a>> {
        self.root.as_ref()
    }

    /// Returns the name of the scenario.
    pub fn scenario(&self) -> &str {
        self.view.scenario()
    }

    /// Reports whether a span failed.
    pub fn failed(&self) -> bool {
        self.spans().any(|span| span.record().failure != NONE)
    }

    /// Returns the time from the first start of a span to the last end of one, in ns.
    pub fn duration(&self) -> u64 {
        let ends = self.spans().map(|span| span.record().end).max();
        let starts = self.spans().map(|span| span.record().start).min();
        ends.unwrap_or(0).saturating_sub(starts.unwrap_or(0))
    }
}
