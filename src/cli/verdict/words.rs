//! What a report says of each fault, in a line.

use crate::cli::parse::format_time;
use crate::cli::source::Background;
use crate::text::{count, grouped};
use crate::verify::{Fault, Report, Sampled, Stranger};

/// Of the reports' times, ns: a tenth of a second.
const TENTH: u64 = 100_000_000;

/// The word of a fault, as the report's keys have it.
pub fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Lost => "lost",
        Fault::Duplicated => "duplicated",
        Fault::Altered => "altered",
        Fault::Orphaned => "orphaned",
        Fault::Unexpected => "unexpected",
        Fault::Sample => "sample",
    }
}

/// What a fault comes to, with the way to look at it.
pub fn said(fault: Fault, report: &Report, background: &Background) -> String {
    match fault {
        Fault::Lost => {
            let Some(losses) = &report.losses else { return String::new() };
            let what = match losses.whole_traces == losses.traces {
                true => count(losses.traces, "trace"),
                false => format!("{} of {}", count(report.lost, "span"), count(losses.traces, "trace")),
            };
            format!("the pipeline dropped {what}. first: {}", replay(&losses.first_trace, background))
        }
        Fault::Duplicated => {
            format!("{} arrived more than once, {}", count(report.duplicated, "span"), copies(report.copies))
        }
        Fault::Altered => {
            let Some(first) = report.fields.first() else { return String::new() };
            let spans = count(report.altered, "span");
            format!("{spans} changed, mostly {}. first: {}", first.field, replay(&first.trace_id, background))
        }
        Fault::Orphaned => format!("{} arrived without the parent", count(report.orphaned, "span")),
        Fault::Unexpected => format!("{} not of this run", are(report.unexpected.unwrap_or_default())),
        Fault::Sample => report.sampled.map(sample).unwrap_or_default(),
    }
}

fn are(spans: u64) -> String {
    format!("{} {}", count(spans, "span"), if spans == 1 { "is" } else { "are" })
}

fn replay(trace: &str, background: &Background) -> String {
    format!("tracegen replay {trace} {}", background.words)
}

pub fn copies(copies: u64) -> String {
    if copies == 1 { "1 copy".into() } else { format!("{} copies", grouped(copies)) }
}

/// What arrived of a sample, and what was to.
pub fn sample(Sampled { traces, arrived, expected, .. }: Sampled) -> String {
    let arrived = format!("{} of {}", share(arrived, traces), count(traces, "trace"));
    match expected {
        Some(sample) => {
            let tolerance = sample.tolerance.map_or(String::new(), |tolerance| format!(" ± {}", figure(tolerance)));
            format!("{arrived} arrived, {}{tolerance} % were to", figure(sample.share))
        }
        None => format!("{arrived} that need not arrive did"),
    }
}

/// Per cent, without needless zeros.
fn figure(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

pub fn share(part: u64, whole: u64) -> String {
    per_cent(part as f64 / whole.max(1) as f64)
}

pub fn per_cent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Where and when spans were lost.
pub fn losses(report: &Report) -> Option<String> {
    let losses = report.losses.as_ref()?;
    let mut services = report.services.iter().filter(|(_, tally)| tally.lost > 0).map(|(name, _)| name);
    let place = match (services.next(), services.count()) {
        (Some(only), 0) => format!("all at {only}"),
        (_, others) => format!("at {}", count(others as u64 + 1, "service")),
    };
    let (first, last) = (time(losses.first_start), time(losses.last_start));
    // The day once, where it is the same.
    let last = match (first.split_once('T'), last.split_once('T')) {
        (Some((day, _)), Some((same, time))) if day == same => time.to_string(),
        _ => last,
    };
    let when = if first.ends_with(&last) { first } else { format!("{first} .. {last}") };
    Some(format!("in {}, {place}, {when}", count(losses.traces, "trace")))
}

fn time(ns: u64) -> String {
    format_time(ns / TENTH * TENTH)
}

/// Whose the spans are that are not of the run.
pub fn strangers(report: &Report) -> String {
    let strangers = &report.strangers;
    let kinds = [
        (&strangers.foreign, "not made with this seed"),
        (&strangers.other_runs, "of other runs with this seed"),
        (&strangers.never_sent, "with ids of this run that it never sent"),
    ];
    let some: Vec<(&Stranger, &str)> = kinds.into_iter().filter(|(stranger, _)| stranger.spans > 0).collect();
    match some[..] {
        [] => String::new(),
        [(_, only)] => only.into(),
        _ => Vec::from_iter(some.iter().map(|(of, what)| format!("{} {what}", grouped(of.spans)))).join(", "),
    }
}
