//! The account: what was generated, and where all of it is.

use crate::engine::SessionState;
use crate::export::deliver;
use crate::store::{DatabaseStatus, StoreError, TraceCounts, Written};
use crate::text::grouped;
use crate::trace::{Amount, Loss};
use crate::web::format::share;
use std::collections::BTreeMap;

pub type Counts = Result<TraceCounts, StoreError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Spans,
    Traces,
}

pub struct Account {
    pub unit: Unit,
    /// The name of the total: generated, or handed to the store.
    pub whole: &'static str,
    pub generated: String,
    pub parts: Vec<Part>,
    /// The sum of the parts, and whether it equals the total.
    pub sum: String,
    pub closes: bool,
    /// The total was counted independently of its parts, so their equality is meaningful.
    pub checked: bool,
    pub causes: Vec<Cause>,
    /// A note on the destination of traces, for people who did not configure an exporter.
    pub note: &'static str,
}

/// A part of what was generated.
pub struct Part {
    pub name: &'static str,
    /// The colour: `ok`, `warn`, `err` or `bar`.
    pub colour: &'static str,
    pub amount: String,
    pub share: String,
    /// The position on the bar in per cent; empty for an empty part.
    pub from: String,
    pub width: String,
}

pub struct Cause {
    pub colour: &'static str,
    pub text: String,
    pub amount: String,
}

/// The smallest visible part in per cent.
const LEAST: f64 = 0.4;

impl Account {
    pub fn of(state: &SessionState, database: &DatabaseStatus, counts: &Counts, unit: Unit) -> Account {
        match (&state.exporter, &database.written) {
            (Some(exporter), _) => Account::delivered(&exporter.account, unit),
            (None, Some(written)) => Account::written(written, unit),
            (None, None) => Account::kept(state, counts, unit),
        }
    }

    fn delivered(account: &deliver::Account, unit: Unit) -> Account {
        let count_of = |amount: Amount| if unit == Unit::Spans { amount.spans } else { amount.traces };
        let parts = [
            ("Delivered", "ok", count_of(account.delivered)),
            ("Rejected", "warn", count_of(account.total_rejected())),
            ("Undelivered", "err", count_of(account.total_undelivered())),
            ("In flight", "bar", count_of(account.in_flight)),
        ];
        let mut all: Vec<Cause> = causes(&account.undelivered, "err", count_of).collect();
        all.extend(causes(&account.rejected, "warn", count_of));
        if count_of(account.resent_unknown) > 0 {
            let text = "Sent again after an unknown outcome: the receiver may have these twice".into();
            all.push(Cause { colour: "bar", text, amount: grouped(count_of(account.resent_unknown)) });
        }
        Account { causes: all, checked: true, ..Account::new(count_of(account.generated), &parts, unit) }
    }

    /// Makes the account of the store's own writer to ClickHouse.
    fn written(written: &Written, unit: Unit) -> Account {
        let count_of = |amount: Amount| if unit == Unit::Spans { amount.spans } else { amount.traces };
        let lost = count_of(written.total_lost());
        let (waiting, done) = (count_of(written.waiting), count_of(written.written));
        let parts = [("Written", "ok", done), ("Lost", "err", lost), ("Waiting", "bar", waiting)];
        let causes = causes(&written.lost, "err", count_of);
        let account = Account::new(waiting + done + lost, &parts, unit);
        let note =
            "No exporter is set: traces are written to ClickHouse, but for those made while it was out of reach.";
        Account { whole: "For ClickHouse", causes: causes.collect(), note, ..account }
    }

    fn kept(state: &SessionState, counts: &Counts, unit: Unit) -> Account {
        let (generated, kept) = match (unit, counts) {
            (Unit::Spans, Ok(counts)) => (state.spans, counts.total_spans),
            (Unit::Traces, Ok(counts)) => (state.traces, counts.total_traces),
            (Unit::Spans, Err(_)) => (state.spans, 0),
            (Unit::Traces, Err(_)) => (state.traces, 0),
        };
        // The store is read later than the session.
        let generated = generated.max(kept);
        let parts = [("Kept", "ok", kept), ("Let go as the oldest", "bar", generated - kept)];
        let note = "No exporter is set: traces are kept in memory. OTEL_EXPORTER_OTLP_ENDPOINT sets one.";
        Account { note, ..Account::new(generated, &parts, unit) }
    }

    fn new(generated: u64, parts: &[(&'static str, &'static str, u64)], unit: Unit) -> Account {
        let percent = |amount: u64| match amount {
            0 => 0.0,
            amount => (amount as f64 * 100.0 / generated.max(1) as f64).max(LEAST),
        };
        let whole: f64 = parts.iter().map(|(.., amount)| percent(*amount)).sum::<f64>().max(1.0);
        let mut from = 0.0;
        let part = |&(name, colour, amount): &(&'static str, &'static str, u64)| {
            let width = percent(amount) * 100.0 / whole;
            from += width;
            Part {
                name,
                colour,
                amount: grouped(amount),
                share: share(amount, generated),
                from: format!("{:.2}", from - width),
                width: format!("{width:.2}"),
            }
        };
        let terms: Vec<String> = parts.iter().map(|(.., amount)| grouped(*amount)).collect();
        let sum: u64 = parts.iter().map(|(.., amount)| amount).sum();
        Account {
            unit,
            whole: "Generated",
            generated: grouped(generated),
            sum: format!("{} = {}", terms.join(" + "), grouped(sum)),
            closes: sum == generated,
            checked: false,
            parts: parts.iter().map(part).collect(),
            causes: vec![],
            note: "",
        }
    }

    /// Describes the account for people who do not see the bar.
    pub fn summary(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(|p| format!("{} {}", p.share, p.name.to_lowercase())).collect();
        parts.join(", ")
    }
}

fn causes<'l>(
    losses: &'l BTreeMap<String, Loss>,
    colour: &'static str,
    count_of: impl Fn(Amount) -> u64 + 'l,
) -> impl Iterator<Item = Cause> + 'l {
    losses.iter().map(move |(name, loss)| Cause {
        colour,
        text: if loss.message.is_empty() { name.clone() } else { format!("{name}: {}", loss.message) },
        amount: grouped(count_of(loss.amount)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_shown_with_its_causes() {
        let mut account = deliver::Account {
            generated: Amount { spans: 89_604, traces: 12_000 },
            delivered: Amount { spans: 87_116, traces: 11_600 },
            in_flight: Amount { spans: 292, traces: 60 },
            ..deliver::Account::default()
        };
        let loss = |spans, traces, message: &str| Loss { amount: Amount { spans, traces }, message: message.into() };
        account.rejected.insert("partial success".into(), loss(212, 40, "attribute too long"));
        account.undelivered.insert("queue full".into(), loss(1_984, 300, ""));
        let told = Account::delivered(&account, Unit::Spans);
        assert!(told.closes);
        assert_eq!(told.sum, "87,116 + 212 + 1,984 + 292 = 89,604");
        let causes: Vec<&str> = told.causes.iter().map(|c| c.text.as_str()).collect();
        assert_eq!(causes, ["queue full", "partial success: attribute too long"]);
        assert_eq!(told.summary(), "97.2 % delivered, 0.2 % rejected, 2.2 % undelivered, 0.3 % in flight");
        let end = told.parts.last().unwrap();
        let end = end.from.parse::<f64>().unwrap() + end.width.parse::<f64>().unwrap();
        assert!((end - 100.0).abs() < 0.1, "{end}");
        assert_eq!(Account::delivered(&account, Unit::Traces).generated, "12,000");
        account.generated.spans += 1;
        assert!(!Account::delivered(&account, Unit::Spans).closes);
    }

    #[test]
    fn an_empty_account_is_shown() {
        let told = Account::delivered(&deliver::Account::default(), Unit::Spans);
        assert!(told.closes);
        assert!(told.parts.iter().all(|part| part.width == "0.00" && part.share == "0.0 %"));
        let amount = |spans| Amount { spans, traces: 1 };
        let mut written = Written { waiting: amount(1), written: amount(2), ..Written::default() };
        written.lost.insert("timeout".into(), Loss { amount: amount(3), message: "no answer".into() });
        let told = Account::written(&written, Unit::Spans);
        assert_eq!(
            (told.generated.as_str(), told.closes, told.causes[0].text.as_str()),
            ("6", true, "timeout: no answer")
        );
        assert_eq!(Account::written(&written, Unit::Traces).generated, "3");
    }
}
