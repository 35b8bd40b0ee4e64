//! The account of a run: for people on stderr, as JSON on stdout.

use super::destination::command;
use super::monitor::Outcome;
use super::{Prepared, Run, SummaryFlag};
use crate::cli::output::{print, tell};
use crate::cli::sending;
use crate::cli::timing::Timing;
use crate::cli::words::{naming, quoted};
use crate::cli::{Failure, account, parse};
use crate::journal::Destination;
use crate::text::{count, duration, foreign, scaled};
use serde_json::{Value, json};

/// The commands that continue or repeat a run.
pub struct Commands {
    /// The command that sends all traces again; `None` if only a manifest can repeat them.
    pub repeat: Option<String>,
    /// The command that sends the remaining traces; `None` if there are none, or they are unknown.
    pub resume: Option<String>,
    /// The commands need headers, which may be secret and are not shown.
    pub headers: bool,
}

impl Commands {
    pub fn new(run: &Run, outcome: &Outcome, prepared: &Prepared, destination: &Destination) -> Commands {
        let seed = prepared.run.seed();
        let flags =
            prepared.timing.repeat.as_ref().map(|flags| [&flags[..], &sending::flags(&prepared.sending)].concat());
        let repeat =
            flags.map(|flags| command(&format!("run {}", naming(&prepared.paths, seed, &flags)), destination, true));
        let manifest = run.manifest.as_ref().filter(|_| outcome.ending.stopped.is_some());
        let resume = manifest
            .map(|path| command(&format!("run --resume {}", quoted(&path.display().to_string())), destination, false));
        Commands { repeat, resume, headers: !run.exporter.header.is_empty() }
    }
}

/// Prints the account, and the commands that continue or repeat the run.
///
/// # Errors
/// Stdout can't be written.
pub fn show(run: &Run, outcome: &Outcome, prepared: &Prepared, destination: &Destination) -> Result<(), Failure> {
    let commands = Commands::new(run, outcome, prepared, destination);
    // A run that falls short says so even with `--quiet`.
    if !run.quiet || outcome.lost() {
        tell(foreign::message(&for_people(outcome, prepared, &commands)));
    }
    if run.summary == Some(SummaryFlag::Json) {
        print(&format!("{:#}\n", as_json(outcome, &prepared.timing, &commands, prepared.run.seed())))?;
    }
    Ok(())
}

fn for_people(outcome: &Outcome, prepared: &Prepared, commands: &Commands) -> String {
    let (timing, by_trace) = (&prepared.timing, prepared.sending.is_by_trace(prepared.run.plan()));
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
            if by_trace { "not ended" } else { "not whole" },
            count(outcome.figures.pending, "trace")
        ));
    }
    if outcome.figures.full > 0 {
        lines.push("  generation waited: too many traces had begun and not ended".into());
    }
    lines.extend(commands.resume.iter().map(|command| format!("go on with: {command}")));
    lines.extend(commands.repeat.iter().map(|command| format!("repeat with: {command}")));
    if commands.headers && (commands.resume.is_some() || commands.repeat.is_some()) {
        lines.push("  (and with the --header flags of this run, which are not shown)".into());
    }
    lines.join("\n") + "\n"
}

/// Returns `712` as `712 `, and leaves `71.2 M` unchanged, because a unit follows.
fn with_space(figure: &str) -> String {
    if figure.ends_with(|c: char| c.is_ascii_digit()) { format!("{figure} ") } else { figure.into() }
}

/// Returns the requested and the achieved rate in traces a second.
fn rates(outcome: &Outcome, timing: &Timing) -> Option<(f64, f64)> {
    let (target, figures) = (timing.target?, &outcome.figures);
    let virtual_time = figures.reached.checked_sub(timing.start)?;
    let real_time = figures.reached_at.checked_sub(timing.start)?;
    (virtual_time > 0).then(|| (target, target * virtual_time as f64 / real_time.max(virtual_time) as f64))
}

fn as_json(outcome: &Outcome, timing: &Timing, commands: &Commands, seed: u64) -> Value {
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
        "repeat": commands.repeat,
        "resume": commands.resume,
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
