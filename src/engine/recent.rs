//! The traces that were generated last, kept because the spans of a trace leave at different times.

use crate::interpreter::Interpreter;
use crate::trace::Trace;

/// The number of traces that are kept; a trace is in the slot of its index modulo this.
const SLOTS: u64 = 1_024;
/// The approximate maximum size of all traces that are kept, in bytes; when it is exceeded, all are dropped.
const MOST_BYTES: usize = 64 << 20;

/// The traces that were generated last.
pub struct Recent {
    /// The index of the trace in each slot; `u64::MAX` if there is none.
    indices: Vec<u64>,
    traces: Vec<Trace>,
    bytes: usize,
}

impl Recent {
    pub fn new() -> Recent {
        let traces = std::iter::repeat_with(Trace::default).take(SLOTS as usize).collect();
        Recent { indices: vec![u64::MAX; SLOTS as usize], traces, bytes: 0 }
    }

    /// Returns the trace with this index, which `interpreter` generates if it is not kept.
    pub fn get(&mut self, interpreter: &mut Interpreter, index: u64) -> &Trace {
        let slot = (index % SLOTS) as usize;
        if self.indices[slot] != index {
            if self.bytes > MOST_BYTES {
                self.indices.fill(u64::MAX);
                self.traces.fill_with(Trace::default);
                self.bytes = 0;
            }
            let trace = &mut self.traces[slot];
            let before = trace.bytes();
            interpreter.trace(index, trace);
            self.bytes = self.bytes + trace.bytes() - before;
            self.indices[slot] = index;
        }
        &self.traces[slot]
    }
}
