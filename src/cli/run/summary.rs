//! The account of a run: for people on stderr, as JSON on stdout.

use super::monitor::Outcome;
use super::{Run, SummaryFlag, Timing};
use crate::cli::{Failure, account, parse, print, scenarios};
use crate::text::{count, duration, scaled};
use serde_json::{Value, json};
use std::path::PathBuf;

pub fn show(run: &Run, outcome: &Outcome, timing: &Timing, paths: &[PathBuf], seed: u64) -> Result<(), Failure> {
    let repeat = timing.repeat.as_ref().map(|flags| format!("tracegen run {}", words(paths, seed, flags)));
    let resume = run.manifest.as_ref().filter(|_| outcome.ending.stopped.is_some());
    let resume = resume.map(|path| format!("tracegen run --resume {}", quoted(&path.display().to_string())));
    if !run.quiet {
        anstream::eprint!("{}", for_people(outcome, timing, repeat.as_deref(), resume.as_deref()));
    }
    if run.summary == Some(SummaryFlag::Json) {
        let summary = format!("{:#}\n", as_json(outcome, timing, repeat.as_deref(), resume.as_deref(), seed));
        print(&summary)?;
    }
    Ok(())
}

fn for_people(outcome: &Outcome, timing: &Timing, repeat: Option<&str>, resume: Option<&str>) -> String {
    let account = &outcome.account;
    let seconds = outcome.took.as_secs_f64().max(1e-9);
    let mut lines = vec![format!(
        "{}, {} in {} ({} spans/s, {}B/s)",
        count(account.generated.traces, "trace"),
        count(account.generated.spans, "span"),
        duration(outcome.took.as_nanos() as u64),
        scaled(account.generated.spans as f64 / seconds),
        with_space(&scaled(outcome.figures.bytes as f64 / seconds)),
    )];
    lines.extend(account::lines(account));
    if let Some((target, achieved)) = rates(outcome, timing) {
        let late = outcome.figures.lateness;
        lines.push(format!(
            "  {:<12} {achieved:.1} traces/s of {target} ({:.2} %), lateness p50 {}, p99 {}, max {}",
            "achieved",
            100.0 * achieved / target,
            duration(late.p50),
            duration(late.p99),
            duration(late.max)
        ));
    }
    if outcome.interrupted && outcome.figures.pending > 0 {
        lines.push(format!(
            "  {:<12} {} when it was stopped, not sent",
            "not ended",
            count(outcome.figures.pending, "trace")
        ));
    }
    if outcome.figures.full > 0 {
        lines.push("  generation waited: too many traces had begun and not ended".into());
    }
    lines.extend(resume.map(|command| format!("go on with: {command}")));
    lines.extend(repeat.map(|command| format!("repeat with: {command}")));
    lines.join("\n") + "\n"
}

/// `71.2 M` as `71.2 M`, `712` as `712 `: the unit follows.
fn with_space(figure: &str) -> String {
    if figure.ends_with(|c: char| c.is_ascii_digit()) { format!("{figure} ") } else { figure.into() }
}

/// Traces a second that were asked for, and that were begun.
fn rates(outcome: &Outcome, timing: &Timing) -> Option<(f64, f64)> {
    let (target, figures) = (timing.target?, &outcome.figures);
    let virtual_time = figures.reached.checked_sub(timing.start)?;
    let real_time = figures.reached_at.checked_sub(timing.start)?;
    (virtual_time > 0).then(|| (target, target * virtual_time as f64 / real_time.max(virtual_time) as f64))
}

fn as_json(outcome: &Outcome, timing: &Timing, repeat: Option<&str>, resume: Option<&str>, seed: u64) -> Value {
    let account = &outcome.account;
    let late = outcome.figures.lateness;
    let mut summary = json!({
        "seed": seed,
        "generated": account.generated,
        "delivered": account.delivered,
        "rejected": account.total_rejected(),
        "rejected_by_cause": account.rejected,
        "undelivered": account.total_undelivered(),
        "undelivered_by_cause": account.undelivered,
        "resent_after_unknown_outcome": account.resent_unknown,
        "retries": account.retries,
        "longest_wait_ms": account.longest_wait_ms,
        "requests": account.requests,
        "bytes": outcome.figures.bytes,
        "seconds": outcome.took.as_secs_f64(),
        "interrupted": outcome.interrupted,
        "not_ended_traces": if outcome.interrupted { outcome.figures.pending } else { 0 },
        "repeat": repeat,
        "resume": resume,
    });
    if !timing.at_full_speed {
        summary["start"] = json!(parse::format_time(timing.start));
    }
    if let Some((target, achieved)) = rates(outcome, timing) {
        summary["rate"] = json!({"target": target, "achieved": achieved});
    }
    if late.count > 0 {
        summary["lateness_ns"] = json!({"p50": late.p50, "p99": late.p99, "max": late.max, "traces": late.count});
    }
    summary
}

/// What names these traces on a command line: paths, seed and schedule.
pub fn words(paths: &[PathBuf], seed: u64, flags: &[String]) -> String {
    let mut words = vec![];
    if !scenarios::is_default(paths) {
        words.extend(paths.iter().map(|path| quoted(&path.display().to_string())));
    }
    words.push(format!("--seed {seed}"));
    words.extend(flags.iter().cloned());
    words.join(" ")
}

/// As a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
