//! The constant bytes of a plan's spans in protobuf, made once. A span is mostly a copy of them, with its ids and times set
//! into the copy.

use super::wire::{self, delimited};
use crate::plan::{
    AttrId, BlockId, Constant, ERROR_TYPE, Error, ErrorId, Event, EventId, Expr, ExprId, Malform, Plan, SCOPE,
    SpanKind, TextId,
};
use crate::trace::{Bytes, Datum, EXCEPTION, EXCEPTION_MESSAGE, EXCEPTION_TYPE, OwnedDatum, Resources, Texts, Value};
use crate::trace::{constant, flags};

/// The tag of a span's attributes. This tag and the next ones are those of message `Span` in
/// `opentelemetry/proto/trace/v1/trace.proto`.
pub const ATTRIBUTE: u8 = delimited(9);
/// The tag of a span's events.
pub const EVENT: u8 = delimited(11);
/// The tag of a span's links.
pub const LINK: u8 = delimited(13);
/// The tag of a span's status.
pub const STATUS: u8 = delimited(15);
/// The tag of an event's attributes.
pub const EVENT_ATTRIBUTE: u8 = delimited(3);
/// A link's attributes.
pub const LINK_ATTRIBUTE: u8 = delimited(4);

/// The maximum length of all forms together, in bytes. What exceeds it is encoded anew for each span: a short plan can use
/// a long text in many places.
const POOL_MAX: usize = 64 << 20;

/// The maximum length of a text, in bytes, for which all lengths of its attribute fit in one byte.
const SHORT: usize = 127;

/// The forms of a plan, by the plan's ids.
pub struct Forms {
    pub pool: Bytes,
    /// The texts that can be the value of an attribute whose lengths all fit in one byte.
    pub texts: Texts,
    pub spans: Vec<SpanForm>,
    attrs: Vec<AttrForm>,
    /// The key of attributes whose texts are not UTF-8 on the wire.
    not_utf8: Option<TextId>,
    errors: Vec<Option<ErrorForm>>,
    events: Vec<Option<EventForm>>,
}

/// The form of a block's span: `2a name  30 kind  39 start[8]  41 end[8]  4a.. constant attributes`.
#[derive(Clone, Copy)]
pub struct SpanForm {
    /// The offset of the form in the pool.
    pub offset: u32,
    /// The length of the form in bytes.
    pub len: u32,
    /// The offset in the form of the byte after `39`, where the start goes.
    pub start_at: u32,
    /// The maximum length of a span of this form, in bytes, without a computed name, long values, events, links and a
    /// failure.
    pub max_len: usize,
    /// The span flags of OTLP.
    pub flags: u32,
    /// The number of computed attributes.
    pub attrs: u32,
    /// The number of bytes that the length of the last span of this form took, which is the guess for the next one.
    pub width: u8,
    /// The form contains the name, which is constant.
    pub has_name: bool,
    /// The form contains the constant attributes.
    pub has_constants: bool,
    /// One of the computed attributes is `error.type`, so that a failure adds none.
    pub has_error_type: bool,
    /// Whether its status is OK unless it fails.
    pub is_ok: bool,
    /// Whether its traces have a trace state.
    pub has_trace_state: bool,
}

/// The form of an attribute: `4a KV  0a key  12 AV`. The value follows: `0a len text`, `18 int`, `21 double` or `10 bool`.
#[derive(Clone, Copy)]
pub struct AttrForm {
    /// The offset of the form in the pool.
    pub offset: u32,
    /// The length of the form in bytes.
    pub len: u32,
    /// The length of KV without AV.
    pub base: u32,
    /// The length below which a text leaves all three lengths in one byte, as all scalars do; 0 if the key is too long for
    /// that.
    pub limit: u32,
}

/// The form of a failure whose type and message are constant: its attribute, `exception` event and status, one after
/// another.
#[derive(Clone, Copy)]
pub struct ErrorForm {
    /// The offset of the form in the pool.
    pub offset: u32,
    /// The length of the attribute in bytes.
    pub attribute_len: u32,
    /// The length of the event in bytes.
    pub event_len: u32,
    /// The length of the status in bytes.
    pub status_len: u32,
    /// The offset in the event of its eight bytes of time.
    pub time_at: u32,
}

/// The beginning of an event with a constant name: `5a 00  09 time[8]  12 name`.
#[derive(Clone, Copy)]
pub struct EventForm {
    /// The offset of the form in the pool.
    pub offset: u32,
    /// The length of the form in bytes.
    pub len: u32,
    /// The name, as a value of the plan.
    pub name: Value,
}

impl Forms {
    pub fn new(plan: &Plan) -> Forms {
        let texts = Texts::new(plan, SHORT);
        let pool = Bytes::default();
        let not_utf8 = plan.malformations.iter().find_map(|malformation| match malformation.kind {
            Malform::InvalidUtf8 { key } => Some(key),
            _ => None,
        });
        let mut forms = Forms { pool, texts, spans: vec![], attrs: vec![], not_utf8, errors: vec![], events: vec![] };
        for key in &plan.attrs {
            // Without a form, each value is encoded on its own.
            let form = match not_utf8 == Some(*key) {
                true => AttrForm { offset: 0, len: 0, base: 0, limit: 0 },
                false => forms.attr(plan.text(*key)),
            };
            forms.attrs.push(form);
        }
        for error in &plan.errors {
            let form = forms.error(plan, error);
            forms.errors.push(form);
        }
        for event in &plan.events {
            let form = forms.event(plan, event);
            forms.events.push(form);
        }
        for block in plan.block_ids() {
            let form = forms.span(plan, block);
            forms.spans.push(form);
        }
        forms
    }

    #[inline(always)]
    pub fn attr_form(&self, attr: AttrId) -> &AttrForm {
        &self.attrs[attr.index()]
    }

    /// Reports whether the text of an attribute is not UTF-8 on the wire.
    pub fn is_not_utf8(&self, plan: &Plan, attr: AttrId) -> bool {
        self.not_utf8.is_some() && self.not_utf8 == Some(plan.attrs[attr.index()])
    }

    /// Returns the form of a failure, or `None` if its type or message is computed, or too long.
    pub fn error_form(&self, error: ErrorId) -> Option<ErrorForm> {
        self.errors[error.index()]
    }

    /// Returns the form of an event, or `None` if its name is computed, or too long.
    pub fn event_form(&self, event: EventId) -> Option<EventForm> {
        *self.events.get(event.index())?
    }

    fn fits(&self, more: usize) -> bool {
        self.pool.len() + more <= POOL_MAX
    }

    fn attr(&mut self, key: &str) -> AttrForm {
        let offset = self.pool.len() as u32;
        // KV has the length base + 2 + text, which must be below 128. The longest scalar takes 11 bytes.
        let base = key.len() + 4 - 2 * key.is_empty() as usize;
        if base + 11 >= 128 || !self.fits(base + 2) {
            return AttrForm { offset, len: 0, base: 0, limit: 0 };
        }
        self.pool.append(&[ATTRIBUTE, 0]);
        wire::text(&mut self.pool, delimited(1), key.as_bytes());
        self.pool.append(&[delimited(2), 0]);
        AttrForm { offset, len: base as u32 + 2, base: base as u32, limit: 126 - base as u32 }
    }

    fn error(&mut self, plan: &Plan, error: &Error) -> Option<ErrorForm> {
        let text = |expr| Some(plan.text(constant_text(plan, expr)?));
        let r#type = text(error.r#type)?;
        let message = match error.message {
            Some(message) => Some(text(message)?),
            None => None,
        };
        if !self.fits(2 * r#type.len() + 2 * message.map_or(0, str::len) + 256) {
            return None;
        }
        let pool = &mut self.pool;
        let offset = pool.len();
        error_type(pool, r#type);
        let event_at = pool.len();
        exception(pool, u64::MAX, r#type, message);
        let status_at = pool.len();
        error_status(pool, message);
        let time_at = pool.as_slice()[event_at..].windows(8).position(|bytes| bytes == [0xff; 8])?;
        Some(ErrorForm {
            offset: offset as u32,
            attribute_len: (event_at - offset) as u32,
            event_len: (status_at - event_at) as u32,
            status_len: (pool.len() - status_at) as u32,
            time_at: time_at as u32,
        })
    }

    fn event(&mut self, plan: &Plan, event: &Event) -> Option<EventForm> {
        let name = constant_text(plan, event.name)?;
        let text = plan.text(name);
        if !self.fits(text.len() + 32) {
            return None;
        }
        let offset = self.pool.len();
        begin(&mut self.pool, EVENT);
        wire::fixed64(&mut self.pool, 0x09, u64::MAX);
        wire::text(&mut self.pool, delimited(2), text.as_bytes());
        let len = (self.pool.len() - offset) as u32;
        Some(EventForm { offset: offset as u32, len, name: Value::constant(plan, name) })
    }

    fn span(&mut self, plan: &Plan, block: BlockId) -> SpanForm {
        let form = plan.span(block);
        let offset = self.pool.len();
        let name = form.name.map(|name| plan.text(name)).filter(|name| self.fits(name.len()));
        if let Some(name) = name {
            wire::text(&mut self.pool, delimited(5), name.as_bytes());
        }
        if form.kind != SpanKind::Unspecified {
            self.pool.append(&[0x30, form.kind as u8]);
        }
        self.pool.append(&[0x39]);
        let start_at = self.pool.len() - offset;
        self.pool.append(&[0; 8]);
        self.pool.append(&[0x41]);
        self.pool.append(&[0; 8]);
        let constants = form.constants.iter().map(|(key, value)| (plan.text(*key), constant(plan, value)));
        let has_constants = self.fits(constants.clone().map(|(key, value)| wire::attribute_len(key, value)).sum());
        if has_constants {
            constants.for_each(|(key, value)| wire::attribute(&mut self.pool, ATTRIBUTE, key, value));
        }
        let len = self.pool.len() - offset;
        let attrs: usize = form.attrs.ids().map(|attr| self.attr_form(attr).len as usize + 128).sum();
        SpanForm {
            offset: offset as u32,
            len: len as u32,
            start_at: start_at as u32,
            max_len: len + attrs + 128,
            attrs: form.attrs.count,
            flags: flags(plan, block),
            width: 2,
            has_name: name.is_some(),
            has_constants,
            has_error_type: plan.error_type_attr(block).is_some(),
            is_ok: form.ok,
            has_trace_state: !plan.trace_state(plan.scenario_of(block)).is_empty(),
        }
    }
}

fn constant_text(plan: &Plan, expr: ExprId) -> Option<TextId> {
    match &plan.exprs[expr.index()] {
        Expr::Const { value: Constant::Text(id) } => Some(*id),
        _ => None,
    }
}

/// Returns what stands before the spans of each resource: the `Resource`, field 1 of `ResourceSpans`.
pub fn resource_heads(resources: &Resources) -> Vec<Vec<u8>> {
    let head = |attributes: &Vec<(String, OwnedDatum)>| {
        let mut body = Bytes::default();
        for (key, value) in attributes {
            wire::attribute(&mut body, delimited(1), key, value.as_datum());
        }
        let mut head = Bytes::default();
        wire::open(&mut head, delimited(1), body.len());
        head.append(body.as_slice());
        head.as_slice().to_vec()
    };
    resources.attributes.iter().map(head).collect()
}

/// Returns the encoded heads of tracegen's scope and of the plan's scopes, in the order of their ids: the
/// `InstrumentationScope`, field 1 of `ScopeSpans`.
pub fn scope_heads(plan: &Plan) -> Vec<Vec<u8>> {
    let text = |id| plan.text(id);
    let head = |name: &str, version: &str| {
        let mut head = Bytes::default();
        let base = begin(&mut head, delimited(1));
        wire::text(&mut head, delimited(1), name.as_bytes());
        wire::text(&mut head, delimited(2), version.as_bytes());
        end(&mut head, base, 1);
        head.as_slice().to_vec()
    };
    let own = plan.scopes.iter().map(|scope| head(text(scope.name), scope.version.map_or("", text)));
    std::iter::once(head(SCOPE, "")).chain(own).collect()
}

/// Appends the attribute that a failure adds.
pub fn error_type(out: &mut Bytes, r#type: &str) {
    wire::attribute(out, ATTRIBUTE, ERROR_TYPE, Datum::Text(r#type));
}

/// Appends the event of a failure at `time`, by the semantic conventions for exceptions.
pub fn exception(out: &mut Bytes, time: u64, r#type: &str, message: Option<&str>) {
    let base = begin(out, EVENT);
    wire::fixed64(out, 0x09, time);
    wire::text(out, delimited(2), EXCEPTION.as_bytes());
    wire::attribute(out, EVENT_ATTRIBUTE, EXCEPTION_TYPE, Datum::Text(r#type));
    if let Some(message) = message {
        wire::attribute(out, EVENT_ATTRIBUTE, EXCEPTION_MESSAGE, Datum::Text(message));
    }
    end(out, base, 1);
}

/// Appends the status ERROR.
pub fn error_status(out: &mut Bytes, message: Option<&str>) {
    let base = begin(out, STATUS);
    wire::text(out, delimited(2), message.unwrap_or_default().as_bytes());
    out.append(&[0x18, 2]);
    end(out, base, 1);
}

/// Appends the tag of a message whose length is not known yet, and one byte for the length. [`end`] sets it.
pub fn begin(out: &mut Bytes, tag: u8) -> usize {
    out.append(&[tag, 0]);
    out.len() - 1
}

/// Sets the length of the message that runs from behind the `width` bytes at `offset` to the end of `out`. Returns the
/// number of bytes that the length takes; if that is not `width`, the message is moved.
#[inline(always)]
pub fn end(out: &mut Bytes, offset: usize, width: usize) -> usize {
    let n = out.len() - offset - width;
    if width == 2 && (1 << 7..1 << 14).contains(&n) {
        out.set(offset, [n as u8 | 0x80, (n >> 7) as u8]);
        2
    } else if width == 1 && n < 1 << 7 {
        out.set(offset, [n as u8]);
        1
    } else {
        end_any(out, offset, width, n)
    }
}

#[cold]
#[inline(never)]
fn end_any(out: &mut Bytes, offset: usize, width: usize, n: usize) -> usize {
    let (bytes, size) = wire::varint(n as u64);
    if size != width {
        out.shift(offset + width, size as isize - width as isize);
    }
    for (i, byte) in bytes[..size].iter().enumerate() {
        out.set(offset + i, [*byte]);
    }
    size
}
