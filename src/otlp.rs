//! OTLP as others write it, in protobuf or JSON, read where it stands: any bytes are taken, nothing is decoded that is not asked
//! for, and what decoding makes is bounded by [`MOST_PARTS`], not by what a text of some bytes may unfold to.

pub mod damage;
pub mod json;
pub mod request;
pub mod stream;
pub mod text;
pub mod wire;
pub mod write;

/// Most messages inside of one that is decoded whole: the attributes, events, links and nested values of a span, a resource or a
/// scope. One takes up to some hundred bytes in memory, and as few as two on its way.
pub const MOST_PARTS: usize = 65_536;
