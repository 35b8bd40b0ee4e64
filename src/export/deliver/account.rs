//! The account of a delivery, which says of every generated span what became of it.

use crate::export::outcome::Cause;
use crate::trace::{Amount, Loss};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// The account of a delivery. In spans and in traces, it always holds that generated = delivered + rejected + undelivered +
/// in flight.
///
/// A receiver that rejects some spans of a batch does not say to which traces they belong. Then as many traces as spans
/// count as rejected, up to all traces of the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub generated: Amount,
    /// What the receiver acknowledged.
    pub delivered: Amount,
    /// What the receiver refused for good, by cause.
    pub rejected: BTreeMap<String, Loss>,
    /// What was not acknowledged, by the last cause. Where the outcome is unknown, the receiver may have some of it.
    pub undelivered: BTreeMap<String, Loss>,
    /// What waits, is under way, or is going to be sent again.
    pub in_flight: Amount,
    /// What was sent again after an unknown outcome (time-out, broken connection), so that the receiver may have it twice.
    pub resent_unknown: Amount,
    /// The number of requests that were sent again, by cause.
    pub retries: BTreeMap<String, u64>,
    /// The longest wait before a request was sent again, in ms.
    pub longest_wait_ms: u64,
    /// The number of requests that were acknowledged.
    pub requests: u64,
    /// The length of the acknowledged bodies before compression, in bytes.
    pub bytes: u64,
}

impl Account {
    pub fn total_rejected(&self) -> Amount {
        total(&self.rejected)
    }

    pub fn total_undelivered(&self) -> Amount {
        total(&self.undelivered)
    }

    /// Reports whether everything that was generated is delivered.
    pub fn is_whole(&self) -> bool {
        self.delivered == self.generated
    }

    pub(super) fn generate(&mut self, amount: Amount) {
        self.generated += amount;
        self.in_flight += amount;
    }

    /// Counts an acknowledged batch of which `rejected_spans` were rejected. Returns whether this is the first rejection
    /// with its cause.
    pub(super) fn deliver(&mut self, amount: Amount, rejected_spans: u64, message: &str, bytes: u64) -> bool {
        self.land(amount);
        self.requests += 1;
        self.bytes += bytes;
        let spans = rejected_spans.min(amount.spans);
        let traces = match spans {
            0 => 0,
            all if all == amount.spans => amount.traces,
            some => some.min(amount.traces),
        };
        self.delivered += Amount { spans: amount.spans - spans, traces: amount.traces - traces };
        spans > 0 && book(&mut self.rejected, Amount { spans, traces }, "partial success", message)
    }

    /// Counts a rejected batch. Returns whether it is the first with its cause.
    pub(super) fn reject(&mut self, amount: Amount, cause: &Cause) -> bool {
        self.land(amount);
        book(&mut self.rejected, amount, &cause.name, &cause.message)
    }

    pub(super) fn lose(&mut self, amount: Amount, cause: &Cause) {
        self.land(amount);
        book(&mut self.undelivered, amount, &cause.name, &cause.message);
    }

    pub(super) fn retry(&mut self, cause: &Cause, wait: Duration) {
        *self.retries.entry(cause.name.clone()).or_default() += 1;
        self.longest_wait_ms = self.longest_wait_ms.max(wait.as_millis() as u64);
    }

    pub(super) fn resend_unknown(&mut self, amount: Amount) {
        self.resent_unknown += amount;
    }

    fn land(&mut self, amount: Amount) {
        self.in_flight.spans -= amount.spans;
        self.in_flight.traces -= amount.traces;
    }
}

impl Account {
    /// Returns the sum of the accounts of two deliveries of one run, or `None` if a number exceeds 64 bits.
    pub fn checked_add(&self, other: &Account) -> Option<Account> {
        Some(Account {
            generated: self.generated.checked_add(other.generated)?,
            delivered: self.delivered.checked_add(other.delivered)?,
            rejected: losses_of_both(&self.rejected, &other.rejected)?,
            undelivered: losses_of_both(&self.undelivered, &other.undelivered)?,
            in_flight: self.in_flight.checked_add(other.in_flight)?,
            resent_unknown: self.resent_unknown.checked_add(other.resent_unknown)?,
            retries: retries_of_both(&self.retries, &other.retries)?,
            longest_wait_ms: self.longest_wait_ms.max(other.longest_wait_ms),
            requests: self.requests.checked_add(other.requests)?,
            bytes: self.bytes.checked_add(other.bytes)?,
        })
    }
}

/// Returns the sum of the losses of two deliveries, by cause. Where both have a message for a cause, the first one's is
/// kept.
fn losses_of_both(first: &BTreeMap<String, Loss>, second: &BTreeMap<String, Loss>) -> Option<BTreeMap<String, Loss>> {
    let mut sum = first.clone();
    for (cause, loss) in second {
        match sum.get_mut(cause) {
            Some(known) => known.amount = known.amount.checked_add(loss.amount)?,
            None => drop(sum.insert(cause.clone(), loss.clone())),
        }
    }
    Some(sum)
}

fn retries_of_both(first: &BTreeMap<String, u64>, second: &BTreeMap<String, u64>) -> Option<BTreeMap<String, u64>> {
    let mut sum = first.clone();
    for (cause, requests) in second {
        let known = sum.entry(cause.clone()).or_default();
        *known = known.checked_add(*requests)?;
    }
    Some(sum)
}

fn total(losses: &BTreeMap<String, Loss>) -> Amount {
    losses.values().map(|loss| loss.amount).sum()
}

fn book(losses: &mut BTreeMap<String, Loss>, amount: Amount, cause: &str, message: &str) -> bool {
    let known = losses.contains_key(cause);
    let loss = losses.entry(cause.to_string()).or_insert_with(|| Loss { message: message.into(), ..Loss::default() });
    loss.amount += amount;
    !known
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn balance(account: &Account) -> Amount {
        let mut sum = account.delivered;
        sum += account.total_rejected();
        sum += account.total_undelivered();
        sum += account.in_flight;
        sum
    }

    proptest! {
        #[test]
        fn the_account_balances_after_every_entry(
            batches in prop::collection::vec((0u64..20_000, 0u64..5_000, 0u8..4, 0u64..30_000, 0usize..3), 0..60)
        ) {
            let mut account = Account::default();
            let mut closed = Amount::default();
            for (spans, traces, fate, rejected, cause) in batches {
                let amount = Amount { spans, traces };
                let cause = Cause::new(["timeout", "UNAVAILABLE", "HTTP 413"][cause], "why");
                account.generate(amount);
                prop_assert_eq!(balance(&account), account.generated);
                match fate {
                    0 => { account.deliver(amount, rejected, "", 1); }
                    1 => { account.reject(amount, &cause); }
                    2 => account.lose(amount, &cause),
                    _ => {
                        account.retry(&cause, Duration::from_millis(rejected));
                        account.resend_unknown(amount);
                    }
                }
                if fate < 3 {
                    closed += amount;
                }
                prop_assert_eq!(balance(&account), account.generated);
                prop_assert_eq!(account.in_flight.spans, account.generated.spans - closed.spans);
                prop_assert!(account.is_whole() == (account.delivered == account.generated));
            }
        }
    }

    #[test]
    fn accounts_add_up_cause_by_cause() {
        let of = |cause: &str, spans| {
            let (mut account, cause) = (Account::default(), Cause::new(cause, "why"));
            account.generate(Amount { spans, traces: 1 });
            account.retry(&cause, Duration::from_millis(spans));
            account.reject(Amount { spans: spans - 1, traces: 1 }, &cause);
            account.lose(Amount { spans: 1, traces: 0 }, &cause);
            account
        };
        let sum = of("timeout", 5).checked_add(&of("UNAVAILABLE", 7)).unwrap();
        let sum = sum.checked_add(&of("timeout", 3)).unwrap();
        assert_eq!(balance(&sum), sum.generated);
        assert_eq!((sum.generated, sum.longest_wait_ms), (Amount { spans: 15, traces: 3 }, 7));
        assert_eq!(sum.rejected["timeout"].amount, Amount { spans: 6, traces: 2 });
        assert_eq!((sum.undelivered["UNAVAILABLE"].amount.spans, sum.retries["timeout"]), (1, 2));
    }

    #[test]
    fn sums_beyond_64_bits_are_refused() {
        let most = Amount { spans: u64::MAX, traces: 1 };
        let loss = || BTreeMap::from([("timeout".to_string(), Loss { amount: most, message: String::new() })]);
        let account = Account { generated: Amount { spans: 1, traces: 1 }, ..Account::default() };
        assert!(account.checked_add(&account).is_some());
        for full in [
            Account { generated: most, ..account.clone() },
            Account { delivered: most, ..account.clone() },
            Account { rejected: loss(), ..account.clone() },
            Account { undelivered: loss(), ..account.clone() },
            Account { in_flight: most, ..account.clone() },
            Account { resent_unknown: most, ..account.clone() },
            Account { retries: BTreeMap::from([("timeout".into(), u64::MAX)]), ..account.clone() },
            Account { requests: u64::MAX, ..account.clone() },
            Account { bytes: u64::MAX, ..account.clone() },
        ] {
            assert_eq!(full.checked_add(&full), None, "{full:?}");
        }
        assert_eq!(Account { rejected: loss(), ..account }.total_rejected(), most);
    }

    #[test]
    fn a_partial_success_rejects_at_most_as_many_traces_as_spans() {
        let mut account = Account::default();
        account.generate(Amount { spans: 20, traces: 5 });
        account.generate(Amount { spans: 10, traces: 5 });
        assert!(account.deliver(Amount { spans: 10, traces: 5 }, 3, "no", 1));
        assert_eq!(account.delivered, Amount { spans: 7, traces: 2 });
        assert!(!account.deliver(Amount { spans: 10, traces: 5 }, 99, "never", 1), "not the first");
        assert_eq!(account.delivered, Amount { spans: 7, traces: 2 });
        assert_eq!(account.rejected["partial success"].message, "no");
        assert_eq!(account.in_flight, Amount { spans: 10, traces: 0 });
    }
}
