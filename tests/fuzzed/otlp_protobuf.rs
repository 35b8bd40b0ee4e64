//! Any bytes as a request in protobuf: its spans are found, and keeping all or none of them works.

use tracegen::otlp::request::for_each_span;
use tracegen::otlp::write::retain;

pub fn run(bytes: &[u8]) {
    let count = |request: &[u8]| {
        let mut spans = 0_u64;
        for_each_span(request, |_, _| {
            spans += 1;
            Ok(())
        })
        .map(|()| spans)
    };
    let mut kept = vec![];
    let Ok(spans) = count(bytes) else { return };
    // Parts other than the spans may still be damaged.
    if retain(bytes, &mut kept, || true).is_ok() {
        assert_eq!(count(&kept), Ok(spans));
        let mut none = vec![];
        assert_eq!((retain(bytes, &mut none, || false), count(&none)), (Ok(spans), Ok(0)));
    }
}
