//! The report as text for people.

use super::words::{self, per_cent, share};
use crate::cli::source::Background;
use crate::text::foreign::foreign;
use crate::text::{count, duration, grouped};
use crate::verify::{Fault, Report, Tally, Verdict};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// The maximum number of altered fields, and of pieces of damage, that are shown.
const SHOWN: usize = 10;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const OPEN: Style = AnsiColor::Yellow.on_default();

const HEADING: Style = Style::new().bold();

/// Returns the reports one below the other. Each of several has the name of its manifest as a heading.
pub fn text(results: &[(Report, Background)], details: bool) -> String {
    if let [(report, background)] = results {
        return one(report, background, details);
    }
    let several = results.iter().map(|(report, background)| {
        let name = background.manifest.as_deref().unwrap_or_default();
        format!("{HEADING}{}{HEADING:#}\n{}", foreign(name), one(report, background, details))
    });
    Vec::from_iter(several).join("\n")
}

fn one(report: &Report, background: &Background, details: bool) -> String {
    let mut out = String::new();
    let (spans, traces) = (count(report.expected, "span"), count(report.traces.expected, "trace"));
    let _ = writeln!(out, "{spans} expected, {traces}");
    counts(&mut out, report, background);
    rules(&mut out, report);
    fields(&mut out, report);
    shortened(&mut out, "damaged", &report.damage, |damage| damage.clone());
    if !report.not_compared.is_empty() {
        let _ = writeln!(out, "  not compared in this source: {}", foreign(&report.not_compared.join("; ")));
    }
    if let Some(unused) = words::unused(report) {
        let _ = writeln!(out, "  {}", foreign(&unused));
    }
    if details {
        tables(&mut out, report);
    }
    verdict(&mut out, report, background);
    out
}

fn counts(out: &mut String, report: &Report, background: &Background) {
    let lost = words::losses(report).unwrap_or_default();
    let unexpected = words::strangers(report);
    let may_lack = report.sampled.is_some() || report.policy.drops();
    let sampled = may_lack.then(|| {
        let traces = count(report.traces.sampled_out, "trace");
        let which = if report.policy.drops() { "are dropped, or need not arrive" } else { "need not arrive" };
        (Some(report.sampled_out), format!("in {traces} that {which}"))
    });
    // Without certainty that they are lost, spans are only known to be missing.
    let missing = if report.verdict.unchecked().is_empty() { "lost" } else { "missing" };
    let mut rows = vec![("delivered", Some(report.delivered), String::new()), (missing, Some(report.lost), lost)];
    if report.lost > 0
        && let undelivered @ Some(1..) = words::undelivered(background)
    {
        rows.push(("", undelivered, "of the run were not delivered by tracegen itself".into()));
    }
    rows.extend(sampled.map(|(spans, note)| ("sampled out", spans, note)));
    let copies = if report.copies > 0 { words::copies(report.copies) } else { String::new() };
    rows.push(("duplicated", Some(report.duplicated), copies));
    if report.duplicated > 0
        && let resent @ Some(1..) = background.account.as_ref().map(|own| own.resent_unknown.spans)
    {
        rows.push(("", resent, "were sent again by tracegen itself after an unknown outcome".into()));
    }
    let allowed = match report.altered - report.altered_not_allowed {
        0 => String::new(),
        allowed if allowed == report.altered => "only where it is allowed".into(),
        _ => format!("{} where it is not allowed", grouped(report.altered_not_allowed)),
    };
    rows.push(("altered", Some(report.altered), allowed));
    let invented = report.strangers.invented.examples.join(", ");
    rows.push(("invented", Some(report.invented), invented));
    if report.leaked > 0 || report.policy.may_leak() {
        rows.push(("leaked", Some(report.leaked), String::new()));
    }
    let orphans = if report.orphaned > 0 { "their parents are among the lost" } else { "" };
    rows.push(("orphaned", Some(report.orphaned), orphans.into()));
    let unchecked = || "not checked: this source can't list what it has".to_string();
    rows.push(("unexpected", report.unexpected, if report.unexpected.is_some() { unexpected } else { unchecked() }));
    if report.strangers.companions.spans > 0 {
        let note = "of the other manifests, which is expected".into();
        rows.push(("", Some(report.strangers.companions.spans), note));
    }
    let width = rows.iter().filter_map(|row| row.1).map(|n| grouped(n).len()).max().unwrap_or(0).max(9);
    for (name, n, note) in rows {
        let row = format!("  {name:<11} {:>width$}   {}", n.map_or("-".into(), grouped), foreign(&note));
        let _ = writeln!(out, "{}", row.trim_end());
    }
    if let Some(late) = report.late {
        let (p50, p99, max) = (duration(late.p50), duration(late.p99), duration(late.max));
        let _ = writeln!(out, "  late        p50 {p50}, p99 {p99}, max {max} after a span's end");
    }
}

/// Writes a line for each rule for traces, and for each declared change.
fn rules(out: &mut String, report: &Report) {
    let faults = report.verdict.faults();
    let rules = report.rules.iter().map(|rule| (&rule.rule, words::is_broken(rule, faults), words::judged(rule)));
    let changes = report.changes.iter();
    let changes = changes.map(|change| (&change.rule, words::is_wrong(change, faults), words::changed(change)));
    for (rule, is_broken, judged) in rules.chain(changes) {
        let color = if is_broken { BAD } else { Style::new() };
        let _ = writeln!(out, "  {color}{}{color:#}: {judged}", foreign(rule));
    }
}

fn fields(out: &mut String, report: &Report) {
    for (name, allowed) in [("altered", false), ("allowed", true)] {
        let fields = Vec::from_iter(report.fields.iter().filter(|field| field.allowed == allowed));
        shortened(out, name, &fields, |field| {
            let spans = count(field.spans, "span");
            format!("{} in {spans}: {}   {}/{}", field.field, words::became(field), field.trace_id, field.span_id)
        });
    }
}

/// Writes the first items of a list, a line each.
fn shortened<T>(out: &mut String, name: &str, items: &[T], line: impl Fn(&T) -> String) {
    for item in items.iter().take(SHOWN) {
        let _ = writeln!(out, "  {name}: {}", foreign(&line(item)));
    }
    if items.len() > SHOWN {
        let _ = writeln!(out, "  {name}: and {} more; --format json has all", grouped((items.len() - SHOWN) as u64));
    }
}

/// A column of counts: its name, and its figure of a row.
type Column = (&'static str, fn(&Tally) -> u64);

fn tables(out: &mut String, report: &Report) {
    let names = report.scenarios.keys().chain(report.services.keys());
    let width = names.map(|name| console::measure_text_width(&foreign(name).to_string())).max().unwrap_or(0).max(8);
    let mut columns: Vec<Column> = vec![
        ("expected", |t| t.expected),
        ("delivered", |t| t.delivered),
        ("lost", |t| t.lost),
        ("duplicated", |t| t.duplicated),
        ("altered", |t| t.altered),
        ("orphaned", |t| t.orphaned),
    ];
    if report.policy.may_leak() {
        columns.push(("leaked", |t| t.leaked));
    }
    let head: String = columns.iter().map(|(name, _)| format!("{name:>11}")).collect();
    let failed = if report.sampled.is_some() { "failed of kept" } else { "failed" };
    let across = failed.len().max(7);
    let _ = writeln!(out, "\n{:<width$} {}  {failed:>across$}   by the plan", "scenario", head);
    let figures =
        |tally: &Tally| columns.iter().map(|(_, of)| format!("{:>11}", grouped(of(tally)))).collect::<String>();
    let padded = |name: &str| {
        let shown = foreign(name).to_string();
        console::pad_str(&shown, width, console::Alignment::Left, None).into_owned()
    };
    for (name, scenario) in &report.scenarios {
        let failed = share(scenario.failed, scenario.traces);
        let failing = scenario.failing.map_or("unknown".into(), per_cent);
        let _ = writeln!(out, "{} {}  {failed:>across$}   {failing:>11}", padded(name), figures(&scenario.spans));
    }
    let _ = writeln!(out, "\n{:<width$} {}", "service", head);
    for (name, tally) in &report.services {
        let _ = writeln!(out, "{} {}", padded(name), figures(tally));
    }
    let _ = writeln!(out);
}

fn verdict(out: &mut String, report: &Report, background: &Background) {
    if report.verdict == Verdict::Clean {
        let Report { lost, duplicated, altered, invented, leaked, sampled_out, .. } = report;
        let faults = lost + duplicated + altered + invented + leaked + sampled_out;
        let spotless = faults == 0 && report.damage.is_empty();
        let but = match (spotless, report.changes.is_empty()) {
            (true, true) => "",
            (true, false) => " beyond what is declared",
            (false, _) => " beyond what is allowed",
        };
        let _ = writeln!(out, "{GOOD}nothing is lost, doubled or changed{but}{GOOD:#}");
    }
    let faults = report.verdict.faults();
    for fault in faults {
        if *fault == Fault::Orphaned && faults.contains(&Fault::Lost) {
            continue;
        }
        let _ = writeln!(out, "{BAD}{}{BAD:#}: {}", fault.name(), foreign(&words::said(*fault, report, background)));
    }
    for why in report.verdict.unchecked() {
        let _ = writeln!(out, "{OPEN}not checked{OPEN:#}: {}", foreign(why));
    }
}
