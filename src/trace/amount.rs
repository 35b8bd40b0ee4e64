//! Amounts of spans and traces, and the reasons why some did not arrive.

use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::AddAssign;

/// A number of spans and of traces. A trace is counted with the last of its spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub spans: u64,
    pub traces: u64,
}

impl Amount {
    /// Returns the sum of two amounts, or `None` if it exceeds 64 bits.
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        let spans = self.spans.checked_add(other.spans)?;
        Some(Amount { spans, traces: self.traces.checked_add(other.traces)? })
    }
}

/// A sum that exceeds 64 bits, which only a damaged manifest leads to, is capped.
impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.spans = self.spans.saturating_add(other.spans);
        self.traces = self.traces.saturating_add(other.traces);
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::default(), |mut sum, amount| {
            sum += amount;
            sum
        })
    }
}

/// The amount that did not arrive for one cause.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    #[serde(flatten)]
    pub amount: Amount,
    /// The first message of the peer or the system about the cause; may be empty.
    pub message: String,
}
