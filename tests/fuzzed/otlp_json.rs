//! Any bytes as OTLP JSON. As a stream, every span in it is decoded, or there is damage at a place inside. As one request,
//! it has the same spans in protobuf.

use tracegen::otlp::json;
use tracegen::otlp::request::{ResourceSpans, ScopeSpans, for_each_span, to_protobuf};
use tracegen::otlp::stream::{Found, Groups};
use tracegen::otlp::text::Value;

pub fn run(bytes: &[u8]) {
    let mut groups = Groups::new(bytes);
    let mut spans = 0_u64;
    while let Some(found) = groups.read().expect("memory can be read") {
        match found {
            Found::Group(at, group) => {
                assert!(bytes[at as usize..].starts_with(group.text));
                spans += decoded(group);
            }
            Found::Damaged(damage) => assert!(damage.offset <= bytes.len() as u64, "{damage}"),
        }
    }
    if let Ok(request) = to_protobuf(bytes, 1 << 20) {
        let mut found = 0;
        let read = for_each_span(&request, |_, _| {
            found += 1;
            Ok(())
        });
        assert!(read.is_ok() && found <= spans, "{found} of {spans}");
    }
}

/// Returns the number of spans of a `ResourceSpans` that can be decoded.
fn decoded(group: Value<'_>) -> u64 {
    let mut spans = 0;
    let Ok(group) = ResourceSpans::read(group) else { return 0 };
    for scope in group.scope_spans().map_while(Result::ok) {
        let Ok(scope) = ScopeSpans::read(scope) else { continue };
        for span in scope.spans().map_while(Result::ok) {
            let message = json::message::<json::Ids, json::Ids>(Some(span));
            spans += 1;
            drop(message.map(json::Ids::known));
        }
    }
    spans
}
