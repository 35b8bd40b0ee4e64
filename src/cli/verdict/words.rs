//! The description of each fault in a line.

use crate::cli::parse::format_time;
use crate::cli::source::Background;
use crate::text::{count, grouped, listed};
use crate::verify::{AlteredField, ChangeTally, Declared, Fate, Fault, Judged, Report, Sample, Stranger};

/// A tenth of a second in ns, the precision of times in reports.
const TENTH: u64 = 100_000_000;

/// Describes a fault, and how to look at an example.
pub fn said(fault: Fault, report: &Report, background: &Background) -> String {
    match fault {
        Fault::Lost => lost(report, background),
        Fault::Duplicated => {
            format!("{} arrived more than once, {}", count(report.duplicated, "span"), copies(report.copies))
        }
        Fault::Altered => altered(report, background),
        Fault::Invented => {
            let first =
                report.strangers.invented.examples.first().map_or(String::new(), |first| format!(", as {first}"));
            format!("{} in traces of the run, which never sent {}{first}", are(report.invented), them(report.invented))
        }
        Fault::Leaked => {
            let spans = report.leaked;
            format!("{} arrived that the policy drops", count(spans, "span"))
        }
        Fault::Orphaned => format!("{} arrived without the parent", count(report.orphaned, "span")),
        Fault::Unexpected => format!("{} not of this run", are(report.unexpected.unwrap_or_default())),
        Fault::Sample => {
            let missed = report.rules.iter().filter_map(|rule| Some(missed(rule, rule.missed_sample()?)));
            Vec::from_iter(missed).join("; ")
        }
    }
}

/// Describes what is missing, and who may have lost it.
fn lost(report: &Report, background: &Background) -> String {
    let Some(losses) = &report.losses else { return String::new() };
    let missing = match losses.whole_traces == losses.traces {
        true => count(losses.traces, "trace"),
        false => format!("{} of {}", count(report.lost, "span"), count(losses.traces, "trace")),
    };
    let said = match undelivered(background) {
        Some(0) => format!("the pipeline dropped {missing}"),
        Some(own) if own >= report.lost => {
            format!(
                "{missing} did not arrive, no more than the {} that tracegen itself did not deliver",
                count(own, "span")
            )
        }
        Some(own) => format!(
            "{missing} did not arrive; tracegen itself did not deliver {}, so the pipeline dropped at least {}",
            count(own, "span"),
            count(report.lost - own, "span")
        ),
        None => format!("{missing} did not arrive; how much of it tracegen itself did not deliver is not known"),
    };
    format!("{said}. first: {}", replay(&losses.first_trace, background))
}

/// Returns the number of spans that a receiver rejected or did not acknowledge; `None` if it is unknown.
pub fn undelivered(background: &Background) -> Option<u64> {
    background.account.as_ref().map(|own| own.total_rejected().spans + own.total_undelivered().spans)
}

/// The maximum number of fields that are named in a line.
const NAMED: usize = 3;

/// Describes the changes that are not permitted.
fn altered(report: &Report, background: &Background) -> String {
    let fields = Vec::from_iter(report.fields.iter().filter(|field| !field.allowed));
    let Some(first) = fields.first() else { return String::new() };
    let mut named = Vec::from_iter(fields.iter().take(NAMED).map(|field| field.field.clone()));
    if fields.len() > NAMED {
        named.push(count((fields.len() - NAMED) as u64, "more field"));
    }
    let spans = count(report.altered_not_allowed, "span");
    format!("{spans} changed, in {}. first: {}", listed(&named, "and"), replay(&first.trace_id, background))
}

/// Returns a line about allowances that matched nothing.
pub fn unused(report: &Report) -> Option<String> {
    let unused = Vec::from_iter(report.unused_allowances.iter().map(|allowance| format!("`--allow {allowance}`")));
    (!unused.is_empty()).then(|| format!("nothing was let pass by {}", listed(&unused, "and")))
}

fn are(spans: u64) -> String {
    format!("{} {}", count(spans, "span"), if spans == 1 { "is" } else { "are" })
}

fn them(spans: u64) -> &'static str {
    if spans == 1 { "it" } else { "them" }
}

fn replay(trace: &str, background: &Background) -> String {
    format!("tracegen replay {trace} {}", background.words)
}

pub fn copies(copies: u64) -> String {
    if copies == 1 { "1 copy".into() } else { format!("{} copies", grouped(copies)) }
}

/// Describes what arrived of a sample, and what was expected.
fn missed(rule: &Judged, expected: Sample) -> String {
    let arrived = format!("{} of {}", share(rule.arrived(), rule.traces), count(rule.traces, "trace"));
    let tolerance = expected.tolerance.map_or(String::new(), |tolerance| format!(" ± {}", figure(tolerance)));
    format!("{arrived} arrived, {}{tolerance} % were to", figure(expected.share))
}

/// Describes what became of the traces that a rule decides on.
pub fn judged(rule: &Judged) -> String {
    let Judged { traces, whole, partly, .. } = *rule;
    if traces == 0 {
        return "no trace of the run".into();
    }
    let partly = if partly == 0 { String::new() } else { format!(", {} in part", grouped(partly)) };
    let all = grouped(traces);
    match rule.fate {
        Fate::Keep => format!("{} of {all} whole{partly}", grouped(whole)),
        Fate::Drop => format!("{} of {all} arrived{partly}", grouped(rule.arrived())),
        Fate::Sample(_) => {
            format!("{} of {all} arrived, {}{partly}", grouped(rule.arrived()), share(rule.arrived(), traces))
        }
    }
}

/// Describes what became of a declared change.
pub fn changed(change: &ChangeTally) -> String {
    let spans = count(change.spans, "span");
    match (change.spans, change.wrong) {
        (0, 0) => "no span that arrived is changed by it".into(),
        (_, 0) => format!("{spans} as declared"),
        (_, wrong) => format!("{spans}, and {} otherwise than declared", grouped(wrong)),
    }
}

/// Reports whether a declared change is among the faults of a verdict.
pub fn is_wrong(change: &ChangeTally, faults: &[Fault]) -> bool {
    change.wrong > 0 && (faults.contains(&Fault::Altered) || faults.contains(&Fault::Leaked))
}

/// Describes what became of a field's value, and which declared change says otherwise.
pub fn became(field: &AlteredField) -> String {
    let AlteredField { expected, found, .. } = field;
    match &field.declared {
        None => format!("{expected} became {found}"),
        Some(Declared { rule, for_these_spans: true }) => format!("{found} and not {expected}, by `{rule}`"),
        Some(Declared { rule, for_these_spans: false }) => {
            format!("{expected} became {found}, and `{rule}` is for other spans")
        }
    }
}

/// Reports whether a rule is broken by one of the faults of a verdict.
pub fn is_broken(rule: &Judged, faults: &[Fault]) -> bool {
    let by: &[Fault] = match rule.fate {
        Fate::Keep => &[Fault::Lost],
        Fate::Drop => &[Fault::Leaked],
        Fate::Sample(_) => &[Fault::Lost, Fault::Sample],
    };
    !rule.holds && by.iter().any(|fault| faults.contains(fault))
}

/// Formats a share in per cent, without trailing zeros.
fn figure(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Formats a part of a whole in per cent, or `-` if the whole is 0.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".into() } else { per_cent(part as f64 / whole as f64) }
}

pub fn per_cent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Describes where and when spans were lost.
pub fn losses(report: &Report) -> Option<String> {
    let losses = report.losses.as_ref()?;
    let mut services = report.services.iter().filter(|(_, tally)| tally.lost > 0).map(|(name, _)| name);
    let place = match (services.next(), services.count()) {
        (Some(only), 0) => format!("all at {only}"),
        (_, others) => format!("at {}", count(others as u64 + 1, "service")),
    };
    let (first, last) = (time(losses.first_start), time(losses.last_start));
    // The day is shown once if it is the same.
    let last = match (first.split_once('T'), last.split_once('T')) {
        (Some((day, _)), Some((same, time))) if day == same => time.to_string(),
        _ => last,
    };
    let when = if first.ends_with(&last) { first } else { format!("{first} .. {last}") };
    let failed = match losses.failed_traces {
        0 => String::new(),
        all if all == losses.traces => " that had failed".into(),
        some => format!(" ({} had failed)", grouped(some)),
    };
    Some(format!("in {}{failed}, {place}, {when}", count(losses.traces, "trace")))
}

fn time(ns: u64) -> String {
    format_time(ns / TENTH * TENTH)
}

/// Describes the spans that do not belong to the run.
pub fn strangers(report: &Report) -> String {
    let strangers = &report.strangers;
    let kinds = [
        (&strangers.foreign, "not made with this seed"),
        (&strangers.other_runs, "of other runs with this seed"),
        (&strangers.never_sent, "in traces with ids of this run that it never sent"),
    ];
    let some: Vec<(&Stranger, &str)> = kinds.into_iter().filter(|(stranger, _)| stranger.spans > 0).collect();
    match some[..] {
        [] => String::new(),
        [(_, only)] => only.into(),
        _ => Vec::from_iter(some.iter().map(|(of, subject)| format!("{} {subject}", grouped(of.spans)))).join(", "),
    }
}
