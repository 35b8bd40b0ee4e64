//! The comparison, one span at a time.

use super::Fidelity;
use crate::engine::Archive;
use crate::store::{StoredSpan, TraceId};

/// Takes what a source gives, in any order, and says what it comes to. Memory is bounded by the length of the run: some bits a
/// span.
pub struct Verifier {
    archive: Archive,
    fidelity: Fidelity,
}

impl Verifier {
    pub fn new(archive: Archive, fidelity: Fidelity) -> Verifier {
        Verifier { archive, fidelity }
    }

    /// One span as a source gives it; `arrived`: when, ns since 1970, where the source knows.
    pub fn observe(&mut self, trace: TraceId, span: &StoredSpan, arrived: Option<u64>) {
        let _ = (self.archive.identify(trace), self.fidelity, span, arrived);
    }

    /// An `ExportTraceServiceRequest` in protobuf.
    ///
    /// # Errors
    /// It is damaged; the spans before that place count.
    pub fn request(&mut self, body: &[u8], arrived: Option<u64>) -> Result<(), prost::DecodeError> {
        let _ = (body, arrived);
        Ok(())
    }
}
