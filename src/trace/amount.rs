//! How much of a run: spans and traces, and why some did not arrive.

use serde::{Deserialize, Serialize};
use std::iter::Sum;
use std::ops::AddAssign;

/// How many spans and traces there are. A trace counts where the last of its spans does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub spans: u64,
    pub traces: u64,
}

impl Amount {
    /// The sum of two amounts; `None`: it is beyond 64 bits.
    pub fn checked_add(self, other: Amount) -> Option<Amount> {
        let spans = self.spans.checked_add(other.spans)?;
        Some(Amount { spans, traces: self.traces.checked_add(other.traces)? })
    }
}

/// A sum beyond 64 bits, which only a damaged manifest asks for, stays at the most there can be.
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

/// How much one cause kept from arriving.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    #[serde(flatten)]
    pub amount: Amount,
    /// The words in which the peer or the system first told of the cause; may be empty.
    pub message: String,
}
