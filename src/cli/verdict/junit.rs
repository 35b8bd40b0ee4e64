//! The report as JUnit XML, which CI systems show, with a case for each check and for each rule. It uses only elements and attributes that
//! all schemas have in common.

use super::words::{changed, is_broken, is_wrong, judged, said};
use crate::cli::source::Background;
use crate::verify::{Fault, Report};
use std::fmt::Write;

/// The number of cases of a suite, and of those among them that ended in each way.
#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

/// Returns the reports as suites, one for each run. Each of several has the name of its manifest in its own.
pub fn text(results: &[(Report, Background)]) -> String {
    let (mut suites, mut all) = (String::new(), Counts::default());
    for (report, background) in results {
        let (cases, Counts { tests, failures, errors, skipped }) = cases(report, background);
        let name = background.manifest.as_deref().filter(|_| results.len() > 1);
        let name = name.map(|name| format!(" {}", escaped(name))).unwrap_or_default();
        let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"");
        let _ = write!(suites, "  <testsuite name=\"tracegen verify{name}\" {counts}>\n{cases}  </testsuite>\n");
        all.tests += tests;
        all.failures += failures;
        all.errors += errors;
    }
    let counts = format!("tests=\"{}\" failures=\"{}\" errors=\"{}\"", all.tests, all.failures, all.errors);
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n{suites}</testsuites>\n")
}

/// Returns the cases of a run's suite as XML, and how many there are.
fn cases(report: &Report, background: &Background) -> (String, Counts) {
    let (faults, unchecked) = (report.verdict.faults(), report.verdict.unchecked());
    let (mut cases, mut counts) = (String::new(), Counts::default());
    let is_checked = |check: &Fault| match check {
        Fault::Sample => report.sampled.is_some(),
        Fault::Leaked => report.leaked > 0 || report.policy.may_leak(),
        _ => true,
    };
    let checks = Fault::ALL.into_iter().filter(is_checked);
    for check in checks {
        counts.tests += 1;
        let _ = write!(cases, "    <testcase classname=\"tracegen.verify\" name=\"{}\"", check.name());
        if faults.contains(&check) {
            counts.failures += 1;
            let message = escaped(&said(check, report, background));
            let kind = check.name();
            let _ = writeln!(cases, ">\n      <failure type=\"{kind}\" message=\"{message}\"/>\n    </testcase>");
        } else if check == Fault::Unexpected && report.unexpected.is_none() {
            counts.skipped += 1;
            let message = "this source can't list what it has";
            let _ = writeln!(cases, ">\n      <skipped message=\"{message}\"/>\n    </testcase>");
        } else if !unchecked.is_empty() {
            counts.errors += 1;
            let message = escaped(&unchecked.join("; "));
            let _ = writeln!(cases, ">\n      <error type=\"unchecked\" message=\"{message}\"/>\n    </testcase>");
        } else {
            cases += "/>\n";
        }
    }
    let rules = report.rules.iter().map(|rule| (&rule.rule, is_broken(rule, faults), judged(rule)));
    let changes = report.changes.iter().map(|change| (&change.rule, is_wrong(change, faults), changed(change)));
    for (rule, is_broken, judged) in rules.chain(changes) {
        counts.tests += 1;
        let _ = write!(cases, "    <testcase classname=\"tracegen.policy\" name=\"{}\"", escaped(rule));
        if is_broken {
            counts.failures += 1;
            let message = escaped(&judged);
            let _ = writeln!(cases, ">\n      <failure type=\"rule\" message=\"{message}\"/>\n    </testcase>");
        } else if !unchecked.is_empty() {
            counts.errors += 1;
            let message = escaped(&unchecked.join("; "));
            let _ = writeln!(cases, ">\n      <error type=\"unchecked\" message=\"{message}\"/>\n    </testcase>");
        } else {
            cases += "/>\n";
        }
    }
    (cases, counts)
}

/// Returns a text as the value of an attribute. Characters that XML does not allow are left out.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' | '\t' | '\r' => out.push(' '),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_a_valid_attribute() {
        assert_eq!(escaped("a<b> & \"c\"\n\u{0}\u{ffff}d"), "a&lt;b&gt; &amp; &quot;c&quot; d");
    }
}
