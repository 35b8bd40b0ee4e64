//! Reading OTLP that other programs wrote, in protobuf or JSON, without copying it. Any input is accepted, only requested
//! parts are decoded, and the memory that decoding needs is bounded by [`MOST_PARTS`], however much a small input expands
//! to.

pub mod damage;
pub mod json;
pub mod request;
pub mod scan;
pub mod stream;
pub mod text;
pub mod wire;
pub mod write;

/// The maximum number of messages inside one message that is decoded whole: the attributes, events, links and nested values
/// of a span, a resource or a scope. A part takes up to some hundred bytes in memory, but can be as short as two encoded
/// bytes.
pub const MOST_PARTS: usize = 65_536;
