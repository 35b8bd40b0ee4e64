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

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.spans += other.spans;
        self.traces += other.traces;
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
