//! The failure of spans.

use super::evaluate::Evaluation;
use crate::plan::{BlockId, ErrorId};
use crate::trace::{FailureRecord, NONE, Value};

/// The cause of a span's failure.
pub(super) struct Origin {
    /// The block of the instruction that fails the span.
    pub block: BlockId,
    pub inst: u32,
    pub error: ErrorId,
    /// Whether the failure adds an exception event.
    pub exception: bool,
}

/// Fails a span at `time` (in ns since 1970); an earlier failure of it is replaced.
pub(super) fn record(e: &mut Evaluation, origin: Origin, span: u32, time: u64) {
    let Origin { block, inst, error, exception } = origin;
    let plan = &e.code.plan;
    let form = &plan.errors[error.index()];
    let r#type = e.text(form.r#type);
    let r#type = if r#type.is_absent() { Value::text(0, 0) } else { r#type };
    let message = form.message.map_or(Value::ABSENT, |message| e.text(message));
    let failed = &mut e.trace.spans[span as usize];
    let record = FailureRecord { time, block, inst, error, r#type, message, exception };
    match failed.failure {
        NONE => {
            failed.failure = e.trace.failures.len() as u32;
            e.trace.failures.push(record);
        }
        failure => e.trace.failures[failure as usize] = record,
    }
    let (row, first) = (failed.attrs, e.code.entry(failed.block).attrs.0);
    if let Some(attr) = plan.error_type_attr(failed.block) {
        e.trace.attrs[(row + attr.0 - first) as usize].value = r#type;
    }
    for (attr, value) in &form.attributes {
        let value = e.value(*value);
        e.trace.attrs[(row + attr.0 - first) as usize].value = value;
    }
    // The exports of a failed span are withdrawn; spans that it called may have exported since.
    e.trace.exports.retain(|export| export.span != span);
}
