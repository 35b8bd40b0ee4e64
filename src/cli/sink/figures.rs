//! The figures of a sink as text for people: the page while it runs, and the summary.

use super::judge::Judge;
use super::trial::Trial;
use crate::receive::{Account, Amount, Faults};
use crate::text::foreign::foreign;
use crate::text::{bytes, count, duration, grouped};
use crate::verify::{Census, Progress};
use serde_json::{Value, json};

/// The maximum number of services that are named in the summary, those with the most spans.
const MOST_SERVICES: usize = 20;

/// Returns the lines of the page while the sink runs.
pub fn page(judge: &Judge, account: &Account, asked: &Faults) -> Vec<String> {
    let mut lines = vec![row("received", received(&judge.census))];
    lines.extend(late(&judge.census));
    if let Some(progress) = judge.trial.as_ref().and_then(Trial::progress) {
        let Progress { delivered, duplicated, altered, leaked, invented, unexpected, .. } = progress;
        let mut rows = vec![("delivered", delivered), ("duplicated", duplicated), ("altered", altered)];
        rows.extend([("invented", invented), ("unexpected", unexpected)]);
        rows.extend((leaked > 0).then_some(("leaked", leaked)));
        let rows = Vec::from_iter(rows.into_iter().map(|(name, spans)| (name, grouped(spans))));
        let width = rows.iter().map(|(_, figure)| figure.len()).max().unwrap_or(0);
        lines.extend(rows.into_iter().map(|(name, figure)| row(name, format!("{figure:>width$}"))));
    }
    lines.extend(faults(account, asked));
    lines
}

/// Returns the summary of a sink that only counts.
pub fn summary(judge: &Judge, account: &Account, asked: &Faults) -> String {
    let census = &judge.census;
    let mut lines = vec![received(census)];
    lines.extend((census.failed > 0).then(|| row("failed", count(census.failed, "span"))));
    lines.extend(late(census));
    lines.extend(faults(account, asked));
    lines.extend(services(census));
    lines.join("\n") + "\n"
}

/// Returns the figures that are not part of the verdict.
pub fn beside_verdict(judge: &Judge, account: &Account, asked: &Faults) -> String {
    let mut lines = vec![received(&judge.census)];
    lines.extend(faults(account, asked));
    lines.join("\n") + "\n"
}

fn received(census: &Census) -> String {
    let (spans, roots) = (count(census.spans, "span"), count(census.roots, "root span"));
    format!("{spans}, {roots} in {}, {}", count(census.requests, "request"), bytes(census.bytes))
}

fn late(census: &Census) -> Option<String> {
    let late = census.lateness();
    let [p50, p99, max] = [late.p50, late.p99, late.max].map(duration);
    (late.count > 0).then(|| row("late", format!("p50 {p50}, p99 {p99}, max {max} after a span's end")))
}

/// Returns lines about requests that were not accepted.
fn faults(account: &Account, asked: &Faults) -> Vec<String> {
    let injected = injected(account, asked).map(|subject| row("injected", subject));
    let (requests, last) = (count(account.refused, "request"), &account.last_refusal);
    let refused = (account.refused > 0).then(|| row("refused", format!("{requests}, the last one: {}", foreign(last))));
    injected.into_iter().chain(refused).collect()
}

/// Returns a line for each service, those with the most spans first.
fn services(census: &Census) -> Vec<String> {
    let mut services: Vec<(&String, &u64)> = census.services.iter().collect();
    services.sort_by_key(|(name, spans)| (std::cmp::Reverse(**spans), *name));
    let width = services.first().map_or(0, |(_, spans)| grouped(**spans).len());
    let shown = services.iter().take(MOST_SERVICES);
    let mut lines: Vec<String> =
        shown.map(|(name, spans)| format!("  {:>width$} {}", grouped(**spans), foreign(name))).collect();
    if let Some(more) = services.len().checked_sub(MOST_SERVICES).filter(|more| *more > 0) {
        lines.push(format!("  and {}", count(more as u64, "more service")));
    }
    lines
}

/// Returns a line about the injected faults, with every kind that was asked for, even if it did not occur; `None` if none
/// was asked for.
pub fn injected(account: &Account, asked: &Faults) -> Option<String> {
    let injected = &account.injected;
    let said = |share: f64, amount: Amount, kind: &str| {
        let Amount { requests, spans } = amount;
        (share > 0.0).then(|| format!("{} {kind} ({})", count(requests, "request"), count(spans, "span")))
    };
    let rejected = || {
        let Amount { requests, spans } = injected.rejected;
        format!("{} rejected of {}", count(spans, "span"), count(requests, "request"))
    };
    let parts = [
        said(asked.unavailable, injected.unavailable, "unavailable"),
        said(asked.drop, injected.dropped, "dropped"),
        said(asked.reset, injected.reset, "reset"),
        (asked.partial > 0.0).then(rejected),
        asked.delay.map(|_| format!("{} delayed", count(injected.delayed.requests, "request"))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub fn row(name: &str, value: impl std::fmt::Display) -> String {
    format!("  {name:<12} {value}")
}

pub fn as_json(judge: &Judge, account: &Account) -> Value {
    let census = &judge.census;
    let late = census.lateness();
    let late = (late.count > 0).then(|| json!({"p50": late.p50, "p99": late.p99, "max": late.max}));
    json!({
        "received": {
            "requests": census.requests,
            "bytes": census.bytes,
            "spans": census.spans,
            "root_spans": census.roots,
            "failed_spans": census.failed,
            "services": census.services,
            "lateness_ns": late,
        },
        "injected": account.injected,
        "refused_requests": account.refused,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receive::Injected;

    #[test]
    fn a_requested_fault_is_reported_even_if_it_did_not_occur() {
        let asked = Faults { drop: 0.01, partial: 0.5, ..Faults::default() };
        let rejected = Amount { requests: 2, spans: 7 };
        let account = Account { injected: Injected { rejected, ..Injected::default() }, ..Account::default() };
        let said = injected(&account, &asked);
        assert_eq!(said.as_deref(), Some("0 requests dropped (0 spans), 7 spans rejected of 2 requests"));
        assert_eq!(injected(&account, &Faults::default()), None);
    }
}
