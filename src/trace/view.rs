//! A trace read as telemetry. This is the only place that knows the order of attributes and what a failure adds.

use super::{EXCEPTION, EXCEPTION_MESSAGE, EXCEPTION_TYPE, FLAGS_REMOTE, FailureRecord, NONE};
use super::{LinkRecord, Read, SpanRecord, Trace, Value, flags};
use crate::plan::{Constant, ERROR_TYPE, Plan, ResourceId, SpanForm, SpanKind, TextId};
use std::sync::Arc;

/// The attributes of every service instance of a run, which are computed once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// The attributes of each resource, in the order they are sent.
    pub attributes: Vec<Vec<(String, OwnedDatum)>>,
}

impl Resources {
    /// Returns the attributes of a resource, in the order they are sent.
    pub fn get(&self, id: ResourceId) -> impl Iterator<Item = (&str, Datum<'_>)> {
        self.attributes[id.index()].iter().map(|(key, value)| (key.as_str(), value.as_datum()))
    }
}

/// The plan and resources that are needed to read the traces of a run, shared by all holders of traces.
#[derive(Clone, Debug)]
pub struct Origin {
    pub plan: Arc<Plan>,
    pub resources: Resources,
}

impl Origin {
    /// Returns a trace of the run, ready to be read.
    pub fn view<'a>(&'a self, trace: &'a Trace) -> View<'a> {
        View { plan: &self.plan, resources: &self.resources, trace }
    }
}

/// A value that owns its content.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnedDatum {
    Text(String),
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
    List(Vec<OwnedDatum>),
    Map(Vec<(String, OwnedDatum)>),
}

impl OwnedDatum {
    /// Returns the value in the form in which it is sent.
    pub fn as_datum(&self) -> Datum<'_> {
        match self {
            OwnedDatum::Text(v) => Datum::Text(v),
            OwnedDatum::Int(v) => Datum::Int(*v),
            OwnedDatum::Double(v) => Datum::Double(*v),
            OwnedDatum::Bool(v) => Datum::Bool(*v),
            OwnedDatum::Bytes(v) => Datum::Bytes(v),
            OwnedDatum::List(items) => Datum::List(Items::Owned(items)),
            OwnedDatum::Map(entries) => Datum::Map(Entries::Owned(entries)),
        }
    }
}

/// A value in the form in which it is sent.
#[derive(Clone, Copy, Debug)]
pub enum Datum<'a> {
    Text(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
    Bytes(&'a [u8]),
    List(Items<'a>),
    Map(Entries<'a>),
}

impl Datum<'_> {
    /// Returns a copy that owns its content.
    pub fn to_owned(self) -> OwnedDatum {
        match self {
            Datum::Text(v) => OwnedDatum::Text(v.to_string()),
            Datum::Int(v) => OwnedDatum::Int(v),
            Datum::Double(v) => OwnedDatum::Double(v),
            Datum::Bool(v) => OwnedDatum::Bool(v),
            Datum::Bytes(v) => OwnedDatum::Bytes(v.to_vec()),
            Datum::List(items) => OwnedDatum::List(items.iter().map(Datum::to_owned).collect()),
            Datum::Map(entries) => {
                OwnedDatum::Map(entries.iter().map(|(key, value)| (key.to_string(), value.to_owned())).collect())
            }
        }
    }
}

/// The elements of a list, which are not copied.
#[derive(Clone, Copy, Debug)]
pub enum Items<'a> {
    Owned(&'a [OwnedDatum]),
    Constants(&'a Plan, &'a [Constant]),
    Values(View<'a>, &'a [Value]),
}

impl<'a> Items<'a> {
    /// Iterates over the elements in order.
    pub fn iter(self) -> impl Iterator<Item = Datum<'a>> {
        let len = match self {
            Items::Owned(items) => items.len(),
            Items::Constants(_, items) => items.len(),
            Items::Values(_, items) => items.len(),
        };
        (0..len).filter_map(move |i| match self {
            Items::Owned(items) => Some(items[i].as_datum()),
            Items::Constants(plan, items) => Some(constant(plan, &items[i])),
            Items::Values(view, items) => view.datum(items[i]),
        })
    }
}

/// The entries of a map, as they are stored.
#[derive(Clone, Copy, Debug)]
pub enum Entries<'a> {
    Owned(&'a [(String, OwnedDatum)]),
    Constants(&'a Plan, &'a [(TextId, Constant)]),
    /// Each key before its value.
    Values(View<'a>, &'a [Value]),
}

impl<'a> Entries<'a> {
    /// Iterates over the keys with their values, in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Datum<'a>)> {
        let len = match self {
            Entries::Owned(entries) => entries.len(),
            Entries::Constants(_, entries) => entries.len(),
            Entries::Values(_, row) => row.len() / 2,
        };
        (0..len).filter_map(move |i| match self {
            Entries::Owned(entries) => Some((entries[i].0.as_str(), entries[i].1.as_datum())),
            Entries::Constants(plan, entries) => Some((plan.text(entries[i].0), constant(plan, &entries[i].1))),
            Entries::Values(view, row) => Some((view.text(row[2 * i]), view.datum(row[2 * i + 1])?)),
        })
    }
}

/// Returns a constant of the plan in the form in which it is sent.
pub fn constant<'a>(plan: &'a Plan, constant: &'a Constant) -> Datum<'a> {
    match constant {
        Constant::Bool(v) => Datum::Bool(*v),
        Constant::Int(v) => Datum::Int(*v),
        Constant::Double(v) => Datum::Double(*v),
        Constant::Text(id) => Datum::Text(plan.text(*id)),
        Constant::Bytes(v) => Datum::Bytes(v),
        Constant::List(items) => Datum::List(Items::Constants(plan, items)),
        Constant::Map(entries) => Datum::Map(Entries::Constants(plan, entries)),
    }
}

/// A trace with everything that is needed to read it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub plan: &'a Plan,
    pub resources: &'a Resources,
    pub trace: &'a Trace,
}

impl<'a> View<'a> {
    /// Returns the name of the trace's scenario.
    pub fn scenario(self) -> &'a str {
        self.plan.scenario_name(self.trace.scenario)
    }

    /// Iterates over all spans that are sent: a parent before its children, siblings in order.
    pub fn spans(self) -> impl Iterator<Item = SpanView<'a>> {
        let sent = move |ordinal: &usize| self.trace.is_sent(*ordinal);
        (0..self.trace.spans.len()).filter(sent).map(move |ordinal| self.span(ordinal))
    }

    /// Returns the span with this ordinal.
    pub fn span(self, ordinal: usize) -> SpanView<'a> {
        SpanView { view: self, ordinal }
    }

    /// Returns a value of the trace in the form in which it is sent, or `None` if it is absent.
    pub fn datum(self, value: Value) -> Option<Datum<'a>> {
        Some(match value.read() {
            Read::Text { at, len } => Datum::Text(utf8(&self.trace.text.as_slice()[at..at + len])),
            Read::Const { text, .. } => Datum::Text(self.plan.text(text)),
            Read::Int(v) => Datum::Int(v),
            Read::Double { value, .. } => Datum::Double(value),
            Read::Bool(v) => Datum::Bool(v),
            Read::List { at, len } => Datum::List(Items::Values(self, &self.trace.values[at..at + len])),
            Read::Map { at, len } => Datum::Map(Entries::Values(self, &self.trace.values[at..at + 2 * len])),
            Read::Bytes { at, len } => Datum::Bytes(&self.trace.text.as_slice()[at..at + len]),
            Read::Absent => return None,
        })
    }

    /// Returns a text of the trace, or an empty text if the value is not one.
    pub fn text(self, value: Value) -> &'a str {
        utf8(self.bytes(value).unwrap_or_default())
    }

    /// Returns the bytes of a text, which are UTF-8, or `None` if the value is not a text.
    pub fn bytes(self, value: Value) -> Option<&'a [u8]> {
        match value.read() {
            Read::Text { at, len } => Some(&self.trace.text.as_slice()[at..at + len]),
            Read::Const { text, .. } => Some(self.plan.text(text).as_bytes()),
            _ => None,
        }
    }
}

fn utf8(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the interpreter writes UTF-8")
}

/// A span of a trace.
#[derive(Clone, Copy, Debug)]
pub struct SpanView<'a> {
    pub view: View<'a>,
    pub ordinal: usize,
}

/// An event of a span.
pub struct EventView<'a> {
    /// The time in ns since 1970.
    pub time: u64,
    pub name: &'a str,
    /// The attributes, in the order they are sent.
    pub attributes: Vec<(&'a str, Datum<'a>)>,
}

/// A link to another span; attributes in the order they are sent.
pub struct LinkView<'a> {
    pub trace_id: [u8; 16],
    pub span_id: u64,
    pub flags: u32,
    pub trace_state: &'a str,
    pub attributes: Vec<(&'a str, Datum<'a>)>,
}

impl<'a> SpanView<'a> {
    /// Returns the record of the span.
    pub fn record(self) -> &'a SpanRecord {
        &self.view.trace.spans[self.ordinal]
    }

    /// Returns the attributes of an event or a link, which are adjacent.
    fn row(self, first: u32, end: u32) -> Vec<(&'a str, Datum<'a>)> {
        let View { plan, trace, .. } = self.view;
        let records = trace.attrs[first as usize..end as usize].iter();
        records.filter_map(|r| Some((plan.attr_key(r.attr), self.view.datum(r.value)?))).collect()
    }

    fn form(self) -> &'a SpanForm {
        self.view.plan.span(self.record().block)
    }

    /// Returns the parent, or `None` for the root. It may be one that is not sent.
    pub fn parent(self) -> Option<SpanView<'a>> {
        let parent = self.record().parent;
        (parent != NONE).then(|| self.view.span(parent as usize))
    }

    /// Returns the name of the span.
    pub fn name(self) -> &'a str {
        self.view.text(self.record().name)
    }

    /// Returns the kind of the span.
    pub fn kind(self) -> SpanKind {
        self.form().kind
    }

    /// Returns the name of the span's service.
    pub fn service(self) -> &'a str {
        self.view.plan.service_of(self.record().block)
    }

    /// Returns the name and the version of the span's instrumentation scope; the version may be empty.
    pub fn scope(self) -> (&'a str, &'a str) {
        self.view.plan.scope_of(self.record().block)
    }

    /// Returns the W3C trace state, which may be empty.
    pub fn trace_state(self) -> &'a str {
        self.view.plan.trace_state(self.view.trace.scenario)
    }

    /// Returns the span flags of OTLP.
    pub fn flags(self) -> u32 {
        flags(self.view.plan, self.record().block)
    }

    /// Iterates over all attributes: constant ones, then computed ones, then those that tracegen adds.
    pub fn attributes(self) -> impl Iterator<Item = (&'a str, Datum<'a>)> {
        let (plan, form) = (self.view.plan, self.form());
        let constants = form.constants.iter().map(move |(key, value)| (plan.text(*key), constant(plan, value)));
        constants.chain(self.computed_attributes())
    }

    /// Iterates over the attributes that differ from span to span: computed ones, then those that tracegen adds.
    pub fn computed_attributes(self) -> impl Iterator<Item = (&'a str, Datum<'a>)> {
        let SpanView { view, .. } = self;
        let (plan, record, form) = (view.plan, self.record(), self.form());
        let computed = &view.trace.attrs[record.attrs as usize..][..form.attrs.count as usize];
        let computed = computed.iter().filter_map(move |r| Some((plan.attr_key(r.attr), view.datum(r.value)?)));
        let is_own = plan.error_type_attr(record.block).is_some();
        let added = self.failure().filter(|_| !is_own).map(|(r#type, _)| (ERROR_TYPE, Datum::Text(r#type)));
        computed.chain(added)
    }

    /// Returns the attribute with a key, as [`SpanView::attributes`] has it.
    pub fn attribute(self, key: &str) -> Option<Datum<'a>> {
        let SpanView { view, .. } = self;
        let (plan, record, form) = (view.plan, self.record(), self.form());
        if let Some((_, value)) = form.constants.iter().find(|(other, _)| plan.text(*other) == key) {
            return Some(constant(plan, value));
        }
        let computed = &view.trace.attrs[record.attrs as usize..][..form.attrs.count as usize];
        match computed.iter().find(|record| plan.attr_key(record.attr) == key) {
            Some(record) => view.datum(record.value),
            None if key == ERROR_TYPE => self.failure().map(|(r#type, _)| Datum::Text(r#type)),
            None => None,
        }
    }

    /// Reports whether the span has the status OK.
    pub fn is_ok(self) -> bool {
        self.form().ok && self.record().failure == NONE
    }

    /// Returns the type and the message of the failure if the span failed; its status is ERROR then, and otherwise OK
    /// ([`SpanView::is_ok`]) or unset.
    pub fn failure(self) -> Option<(&'a str, &'a str)> {
        let failure = self.record().failure;
        (failure != NONE).then(|| {
            let failure = &self.view.trace.failures[failure as usize];
            (self.view.text(failure.r#type), self.view.text(failure.message))
        })
    }

    /// Returns the span's own events in order, then the exception event of its failure.
    pub fn events(self) -> Vec<EventView<'a>> {
        let SpanView { view, .. } = self;
        let mut events = vec![];
        let mut next = self.record().event;
        while next != NONE {
            let event = &view.trace.events[next as usize];
            let (time, attributes) = (event.happened(self.record().end), self.row(event.attrs, event.attrs_end));
            events.push(EventView { time, name: view.text(event.name), attributes });
            next = event.next;
        }
        if self.record().failure != NONE {
            let failure = &view.trace.failures[self.record().failure as usize];
            events.extend(failure.exception.then(|| exception(view, failure)));
        }
        events
    }

    /// Iterates over the links to other spans. A context that was exported counts as remote wherever it is read.
    pub fn links(self) -> impl Iterator<Item = LinkView<'a>> {
        let links = &self.view.trace.links;
        let mut next = self.record().link;
        std::iter::from_fn(move || {
            let link = (next != NONE).then(|| &links[next as usize])?;
            next = link.next;
            let attributes = self.row(link.attrs, link.attrs_end);
            let trace_state = self.view.plan.trace_state(link.scenario);
            let LinkRecord { trace_id, span_id, .. } = *link;
            Some(LinkView { trace_id, span_id, flags: FLAGS_REMOTE, trace_state, attributes })
        })
    }
}

/// Makes the event of a failure, by the semantic conventions for exceptions.
fn exception<'a>(view: View<'a>, failure: &FailureRecord) -> EventView<'a> {
    let mut attributes = vec![(EXCEPTION_TYPE, Datum::Text(view.text(failure.r#type)))];
    if !failure.message.is_absent() {
        attributes.push((EXCEPTION_MESSAGE, Datum::Text(view.text(failure.message))));
    }
    EventView { time: failure.time, name: EXCEPTION, attributes }
}
