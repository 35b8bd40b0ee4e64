//! What came and what was done to it, as people read it: the page while it goes on, and the summary.

use super::judge::Judge;
use super::trial::Trial;
use crate::receive::{Account, Amount};
use crate::text::{bytes, count, duration, grouped};
use crate::verify::{Census, Progress};
use serde_json::{Value, json};

/// Services that are named in the summary, those with the most spans.
const MOST_SERVICES: usize = 20;

/// Of the page, while it goes on.
pub fn page(judge: &Judge, account: &Account) -> Vec<String> {
    let mut lines = vec![row("received", received(&judge.census))];
    lines.extend(late(&judge.census));
    if let Some(progress) = judge.trial.as_ref().and_then(Trial::progress) {
        let Progress { delivered, duplicated, altered, unexpected, .. } = progress;
        let figures = [delivered, duplicated, altered, unexpected].map(grouped);
        let width = figures.iter().map(String::len).max().unwrap_or(0);
        let rows = ["delivered", "duplicated", "altered", "unexpected"].into_iter().zip(figures);
        lines.extend(rows.map(|(name, figure)| row(name, format!("{figure:>width$}"))));
    }
    lines.extend(faults(account));
    lines
}

/// All that came, where it is only counted.
pub fn summary(judge: &Judge, account: &Account) -> String {
    let census = &judge.census;
    let mut lines = vec![received(census)];
    lines.extend((census.failed > 0).then(|| row("failed", count(census.failed, "span"))));
    lines.extend(late(census));
    lines.extend(faults(account));
    lines.extend(services(census));
    lines.join("\n") + "\n"
}

/// What a verdict does not say.
pub fn beside_verdict(judge: &Judge, account: &Account) -> String {
    let mut lines = vec![received(&judge.census)];
    lines.extend(faults(account));
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

/// What was done to requests instead of taking them.
fn faults(account: &Account) -> Vec<String> {
    let injected = injected(account).map(|what| row("injected", what));
    let (requests, last) = (count(account.refused, "request"), &account.last_refusal);
    let refused = (account.refused > 0).then(|| row("refused", format!("{requests}, the last one: {last}")));
    injected.into_iter().chain(refused).collect()
}

/// A service a line, those with the most spans first.
fn services(census: &Census) -> Vec<String> {
    let mut services: Vec<(&String, &u64)> = census.services.iter().collect();
    services.sort_by_key(|(name, spans)| (std::cmp::Reverse(**spans), *name));
    let width = services.first().map_or(0, |(_, spans)| grouped(**spans).len());
    let shown = services.iter().take(MOST_SERVICES);
    let mut lines: Vec<String> = shown.map(|(name, spans)| format!("  {:>width$} {name}", grouped(**spans))).collect();
    if let Some(more) = services.len().checked_sub(MOST_SERVICES).filter(|more| *more > 0) {
        lines.push(format!("  and {}", count(more as u64, "more service")));
    }
    lines
}

/// What was done on purpose, in one line; `None`: nothing.
pub fn injected(account: &Account) -> Option<String> {
    let injected = &account.injected;
    let said = |amount: Amount, what: &str| {
        let Amount { requests, spans } = amount;
        (requests > 0).then(|| format!("{} {what} ({})", count(requests, "request"), count(spans, "span")))
    };
    let rejected = injected.rejected;
    let parts = [
        said(injected.unavailable, "unavailable"),
        said(injected.dropped, "dropped"),
        said(injected.reset, "reset"),
        (rejected.requests > 0)
            .then(|| format!("{} rejected of {}", count(rejected.spans, "span"), count(rejected.requests, "request"))),
        (injected.delayed.requests > 0).then(|| format!("{} delayed", count(injected.delayed.requests, "request"))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

pub fn row(name: &str, what: impl std::fmt::Display) -> String {
    format!("  {name:<12} {what}")
}

pub fn as_json(judge: &Judge, account: &Account) -> Value {
    let census = &judge.census;
    let late = census.lateness();
    json!({
        "received": {
            "requests": census.requests,
            "bytes": census.bytes,
            "spans": census.spans,
            "root_spans": census.roots,
            "failed_spans": census.failed,
            "services": census.services,
            "lateness_ns": {"p50": late.p50, "p99": late.p99, "max": late.max},
        },
        "injected": account.injected,
        "refused_requests": account.refused,
    })
}
