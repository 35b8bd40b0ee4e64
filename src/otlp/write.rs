//! A protobuf writer for which a message may begin before its length is known.

use super::wire::{Fields, Malformed, Value};

/// The number of bytes that every length takes. It is the maximum, so that nothing has to be moved when the length becomes
/// known.
const LENGTH_BYTES: usize = 5;
/// The wire type of a field that holds a message, a string or bytes.
const DELIMITED: u8 = 2;

/// A message that has been begun and must be ended. It holds the offset at which the message's content begins.
#[must_use]
pub struct Open(usize);

/// Begins a message in field `number`, 1 to 15.
pub fn begin(out: &mut Vec<u8>, number: u8) -> Open {
    out.push(number << 3 | DELIMITED);
    out.extend([0; LENGTH_BYTES]);
    Open(out.len())
}

/// Ends a message. It contains everything that was written since it began, which must be less than 4 GiB.
pub fn end(out: &mut [u8], Open(begun): Open) {
    let length = out.len() - begun;
    for i in 0..LENGTH_BYTES {
        let more = if i + 1 < LENGTH_BYTES { 0x80 } else { 0 };
        out[begun - LENGTH_BYTES + i] = (length >> (7 * i)) as u8 & 0x7f | more;
    }
}

/// Writes a message, a string or bytes to field `number`, 1 to 15.
pub fn field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    let open = begin(out, number);
    out.extend_from_slice(bytes);
    end(out, open);
}

/// Copies a request without the spans for which `keep` returns false, and returns how many were left out.
///
/// # Errors
/// The bytes are not an `ExportTraceServiceRequest`.
pub fn retain(request: &[u8], out: &mut Vec<u8>, mut keep: impl FnMut() -> bool) -> Result<u64, Malformed> {
    copy(request, &[1, 2, 2], out, &mut keep)
}

/// Copies a message without the spans that `keep` rejects. `path` holds the field numbers that lead from the message to its
/// spans.
fn copy(message: &[u8], path: &[u8], out: &mut Vec<u8>, keep: &mut dyn FnMut() -> bool) -> Result<u64, Malformed> {
    let (mut fields, mut left_out) = (Fields(message), 0);
    loop {
        let before = fields.0;
        let Some(field) = fields.next() else { return Ok(left_out) };
        match (field?, path) {
            ((number, Value::Delimited(inner)), [wanted, rest @ ..]) if number == u64::from(*wanted) => {
                if !rest.is_empty() {
                    let open = begin(out, *wanted);
                    left_out += copy(inner, rest, out, keep)?;
                    end(out, open);
                    continue;
                }
                if !keep() {
                    left_out += 1;
                    continue;
                }
            }
            _ => {}
        }
        out.extend_from_slice(&before[..before.len() - fields.0.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    #[test]
    fn filtering_a_request_leaves_the_kept_spans_unchanged() {
        let span = |id: u8| Span { span_id: vec![id; 8], name: "n".repeat(id.into()), ..Default::default() };
        let scope = |ids: std::ops::Range<u8>| ScopeSpans { spans: ids.map(span).collect(), ..Default::default() };
        let scope_spans = vec![scope(0..100), scope(100..101), scope(101..200)];
        let resource_spans = vec![ResourceSpans { scope_spans, schema_url: "s".into(), ..Default::default() }];
        let mut request = ExportTraceServiceRequest { resource_spans };
        let (mut out, mut n) = (vec![], 0);
        let left_out = retain(&request.encode_to_vec(), &mut out, || {
            n += 1;
            n % 3 == 0
        });
        let mut n = 0;
        request.resource_spans[0].scope_spans.iter_mut().for_each(|scope| {
            scope.spans.retain(|_| {
                n += 1;
                n % 3 == 0
            });
        });
        assert_eq!((left_out, ExportTraceServiceRequest::decode(&*out).unwrap()), (Ok(134), request));
        assert_eq!(retain(b"\x0a\x05", &mut vec![], || true), Err(Malformed));
    }
}
