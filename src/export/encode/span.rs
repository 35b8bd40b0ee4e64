//! The encoding of one span. The common case is inlined in the encoder's loop; rare parts are in functions of their own,
//! out of line.

use super::form::{self, ATTRIBUTE, AttrForm, EVENT, EVENT_ATTRIBUTE, Forms, LINK, LINK_ATTRIBUTE, STATUS, SpanForm};
use super::wire::{self, delimited};
use crate::trace::{AttrRecord, Bytes, FLAGS_REMOTE, NONE, Read, SpanRecord, Value, View, constant};

/// The text of a malformed attribute: "café" in Latin-1, which is not UTF-8. Decoders that replace what is not valid make
/// [`crate::trace::NOT_UTF8`] of it.
const NOT_UTF8: &[u8] = b"caf\xe9";

/// The bytes before the form: `0a 10 trace_id[16]  12 08 span_id[8]  22 08 parent_span_id[8]`.
const IDS: [u8; 38] = {
    let mut ids = [0; 38];
    (ids[0], ids[1]) = (delimited(1), 16);
    (ids[18], ids[19]) = (delimited(2), 8);
    (ids[28], ids[29]) = (delimited(4), 8);
    ids
};
const TRACE_ID: usize = 2;
const SPAN_ID: usize = 20;
const PARENT_SPAN_ID: usize = 30;
/// The length of the same bytes without a parent.
const ROOT_IDS: usize = 28;

/// Appends `record` as field 2 of `ScopeSpans`.
#[inline(always)]
pub fn span(out: &mut Bytes, forms: &mut Forms, view: View<'_>, record: &SpanRecord) {
    let form = &forms.spans[record.block.index()];
    out.room(form.max_len);
    let base = out.len();
    let width = form.width as usize;
    out.put([delimited(2), 0, 0, 0], 1 + width);

    // The ids go straight into the copy. If they were assembled elsewhere, they would be read back before the processor has
    // stored them.
    let at = out.len();
    let is_root = record.parent == NONE;
    out.put(IDS, if is_root { ROOT_IDS } else { IDS.len() });
    let ids: &mut [u8; IDS.len()] = out.window(at);
    ids[TRACE_ID..TRACE_ID + 16].copy_from_slice(&view.trace.id);
    ids[SPAN_ID..SPAN_ID + 8].copy_from_slice(&record.id.to_be_bytes());
    if !is_root {
        let parent = &view.trace.spans[record.parent as usize];
        ids[PARENT_SPAN_ID..].copy_from_slice(&parent.id.to_be_bytes());
    }

    if form.has_trace_state {
        trace_state(out, form, view, is_root);
    }
    if !form.has_name {
        name(out, form, view, record.name);
    }
    let at = out.len();
    out.copy::<64>(forms.pool.padded(), form.offset as usize, form.len as usize);
    let times: &mut [u8; 17] = out.window(at + form.start_at as usize);
    times[..8].copy_from_slice(&record.start.to_le_bytes());
    times[9..].copy_from_slice(&record.end.to_le_bytes());
    if (record.start == 0) | (record.end == 0) | !form.has_constants {
        rare(out, at + form.start_at as usize, form, view, record);
    }

    let attrs = &view.trace.attrs[record.attrs as usize..][..form.attrs as usize];
    for attr in attrs {
        attribute::<ATTRIBUTE>(out, forms, form.max_len, view, attr);
    }
    if (record.failure & record.event & record.link != NONE) | form.is_ok {
        rest(out, forms, form, view, record);
    }
    let [a, b, c, d] = form.flags.to_le_bytes();
    // The flags are field 16 of type `fixed32`.
    out.put([0x85, 0x01, a, b, c, d], 6);
    let used = form::end(out, base + 1, width);
    if used != width {
        forms.spans[record.block.index()].width = used.min(3) as u8;
    }
}

/// Appends a computed attribute, unless it is absent. If it took much room, makes room for `max_len` more bytes.
#[inline(always)]
fn attribute<const TAG: u8>(out: &mut Bytes, forms: &Forms, max_len: usize, view: View<'_>, record: &AttrRecord) {
    let form = forms.attr_form(record.attr);
    let base = out.len();
    let size = if let Some((at, n)) = record.value.short_text(form.limit) {
        key(out, forms, form);
        out.put([delimited(1), n as u8], 2);
        out.copy::<64>(view.trace.text.padded(), at, n);
        n + 2
    } else {
        match record.value.read() {
            Read::Const { text, len } if len < form.limit as usize => {
                key(out, forms, form);
                out.put([delimited(1), len as u8], 2);
                forms.texts.copy::<64>(out, text, len);
                len + 2
            }
            Read::Int(v) if form.limit != 0 => {
                key(out, forms, form);
                int(out, v)
            }
            Read::Double { value, .. } if form.limit != 0 => {
                key(out, forms, form);
                out.put([0x21], 1);
                out.put(value.to_le_bytes(), 8);
                9
            }
            Read::Bool(v) if form.limit != 0 => {
                key(out, forms, form);
                out.put([0x10, v as u8], 2);
                2
            }
            Read::Absent => return,
            _ => return long_attribute(out, TAG, forms, max_len, view, record),
        }
    };
    out.set(base, [TAG, form.base as u8 + size as u8]);
    out.set(base + form.len as usize - 1, [size as u8]);
}

#[inline(always)]
fn key(out: &mut Bytes, forms: &Forms, form: &AttrForm) {
    out.copy::<32>(forms.pool.padded(), form.offset as usize, form.len as usize);
}

/// Appends an int as the field of an `AnyValue`, and returns the number of bytes.
#[inline(always)]
fn int(out: &mut Bytes, v: i64) -> usize {
    if (0..1 << 28).contains(&v) {
        // Seven bits go to each byte, all four at once.
        let v = v as u64;
        let n = wire::varint_len(v);
        let spread = v & 0x7f | (v & 0x3f80) << 1 | (v & 0x1f_c000) << 2 | (v & 0xfe0_0000) << 3;
        let more = 0x8080_8080 & ((1 << (8 * (n - 1))) - 1);
        out.put((0x18 | (spread | more) << 8).to_le_bytes(), n + 1);
        n + 1
    } else {
        let (bytes, n) = wire::varint(v as u64);
        out.put([0x18], 1);
        out.put(bytes, n);
        n + 1
    }
}

/// Appends an attribute with a long text, a list, a long key, or a text that is not UTF-8.
#[cold]
#[inline(never)]
fn long_attribute(out: &mut Bytes, tag: u8, forms: &Forms, max_len: usize, view: View<'_>, record: &AttrRecord) {
    let key = view.plan.attr_key(record.attr);
    if forms.is_not_utf8(view.plan, record.attr) && view.bytes(record.value).is_some() {
        wire::text_attribute(out, tag, key, NOT_UTF8);
    } else if let Some(text) = view.bytes(record.value) {
        wire::text_attribute(out, tag, key, text);
    } else if let Some(value) = view.datum(record.value) {
        wire::attribute(out, tag, key, value);
    }
    out.room(max_len);
}

/// Inserts the trace state before the parent's id, which is already there.
#[cold]
#[inline(never)]
fn trace_state(out: &mut Bytes, form: &SpanForm, view: View<'_>, is_root: bool) {
    let state = view.plan.trace_state(view.trace.scenario);
    let parent = if is_root { 0 } else { IDS.len() - ROOT_IDS };
    let at = out.len() - parent;
    wire::text(out, delimited(3), state.as_bytes());
    out.append_within(at, parent);
    out.shift(at + parent, -(parent as isize));
    out.room(form.max_len);
}

#[cold]
#[inline(never)]
fn name(out: &mut Bytes, form: &SpanForm, view: View<'_>, name: Value) {
    wire::text(out, delimited(5), view.bytes(name).unwrap_or_default());
    out.room(form.max_len);
}

/// Corrects a span whose start or end is 0, which is left out, and appends constants that are too long for the form.
/// `start_at` is the offset of the byte behind the start's tag.
#[cold]
#[inline(never)]
fn rare(out: &mut Bytes, start_at: usize, form: &SpanForm, view: View<'_>, record: &SpanRecord) {
    if record.end == 0 {
        out.shift(start_at + 17, -9);
    }
    if record.start == 0 {
        out.shift(start_at + 8, -9);
    }
    if !form.has_constants {
        for (key, value) in &view.plan.span(record.block).constants {
            wire::attribute(out, ATTRIBUTE, view.plan.text(*key), constant(view.plan, value));
        }
    }
    out.room(form.max_len);
}

/// Appends the failure, the events and the links.
#[inline(never)]
fn rest(out: &mut Bytes, forms: &Forms, form: &SpanForm, view: View<'_>, record: &SpanRecord) {
    let failure = (record.failure != NONE).then(|| &view.trace.failures[record.failure as usize]);
    // The event in a form always has a time.
    let failure = failure.map(|failure| (failure, forms.error_form(failure.error).filter(|_| failure.time != 0)));
    let from_form = |out: &mut Bytes, at: u32, len: u32| {
        out.room(len as usize);
        out.copy::<64>(forms.pool.padded(), at as usize, len as usize);
    };
    if let Some((failure, error)) = failure
        && !form.has_error_type
    {
        match error {
            Some(error) => from_form(out, error.offset, error.attribute_len),
            None => form::error_type(out, view.text(failure.r#type)),
        }
    }
    let mut next = record.event;
    while next != NONE {
        next = event(out, forms, view, next, record.end);
    }
    let message = |value| (!Value::is_absent(value)).then(|| view.text(value));
    match failure.filter(|(failure, _)| failure.exception) {
        Some((failure, Some(error))) => {
            let at = out.len();
            from_form(out, error.offset + error.attribute_len, error.event_len);
            out.set(at + error.time_at as usize, failure.time.to_le_bytes());
        }
        Some((failure, None)) => {
            form::exception(out, failure.time, view.text(failure.r#type), message(failure.message));
        }
        None => {}
    }
    let mut next = record.link;
    while next != NONE {
        next = link(out, forms, view, next);
    }
    match failure {
        Some((_, Some(error))) => {
            from_form(out, error.offset + error.attribute_len + error.event_len, error.status_len)
        }
        Some((failure, None)) => form::error_status(out, message(failure.message)),
        None if form.is_ok => out.append(&[STATUS, 2, 0x18, 1]),
        None => {}
    }
    out.room(16);
}

/// Appends an event of a span that ended at `end`, and returns the index of the span's next event.
fn event(out: &mut Bytes, forms: &Forms, view: View<'_>, event: u32, end: u64) -> u32 {
    let record = &view.trace.events[event as usize];
    let (at, time) = (out.len(), record.happened(end));
    match forms.event_form(record.event).filter(|form| form.name == record.name && time != 0) {
        Some(form) => {
            out.room(form.len as usize);
            out.copy::<64>(forms.pool.padded(), form.offset as usize, form.len as usize);
            out.set(at + 3, time.to_le_bytes());
        }
        None => {
            form::begin(out, EVENT);
            wire::fixed64(out, 0x09, time);
            wire::text(out, delimited(2), view.bytes(record.name).unwrap_or_default());
        }
    }
    row::<EVENT_ATTRIBUTE>(out, forms, view, record.attrs, record.attrs_end);
    form::end(out, at + 1, 1);
    record.next
}

/// Appends the attributes of an event or a link.
fn row<const TAG: u8>(out: &mut Bytes, forms: &Forms, view: View<'_>, first: u32, end: u32) {
    for attr in &view.trace.attrs[first as usize..end as usize] {
        out.room(256);
        attribute::<TAG>(out, forms, 0, view, attr);
    }
}

/// Appends a link, and returns the index of the span's next link.
fn link(out: &mut Bytes, forms: &Forms, view: View<'_>, link: u32) -> u32 {
    let record = &view.trace.links[link as usize];
    let at = form::begin(out, LINK);
    out.append(&[delimited(1), 16]);
    out.append(&record.trace_id);
    out.append(&[delimited(2), 8]);
    out.append(&record.span_id.to_be_bytes());
    wire::text(out, delimited(3), view.plan.trace_state(record.scenario).as_bytes());
    row::<LINK_ATTRIBUTE>(out, forms, view, record.attrs, record.attrs_end);
    // The flags are field 6 of type `fixed32`.
    out.append(&[0x35]);
    out.append(&FLAGS_REMOTE.to_le_bytes());
    form::end(out, at, 1);
    record.next
}
