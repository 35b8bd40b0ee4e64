//! The report as JUnit XML, which CI systems show, with a case for each check. It uses only elements and attributes that
//! all schemas have in common.

use super::words::said;
use crate::cli::source::Background;
use crate::verify::{Fault, Report};
use std::fmt::Write;

pub fn text(report: &Report, background: &Background) -> String {
    let (faults, unchecked) = (report.verdict.faults(), report.verdict.unchecked());
    let (mut cases, mut failures, mut errors, mut skipped) = (String::new(), 0, 0, 0);
    let checks = Fault::ALL.into_iter().filter(|check| *check != Fault::Sample || report.sampled.is_some());
    let checks: Vec<Fault> = checks.collect();
    for check in &checks {
        let _ = write!(cases, "    <testcase classname=\"tracegen.verify\" name=\"{}\"", check.name());
        if faults.contains(check) {
            failures += 1;
            let message = escaped(&said(*check, report, background));
            let kind = check.name();
            let _ = writeln!(cases, ">\n      <failure type=\"{kind}\" message=\"{message}\"/>\n    </testcase>");
        } else if *check == Fault::Unexpected && report.unexpected.is_none() {
            skipped += 1;
            let message = "this source can't list what it has";
            let _ = writeln!(cases, ">\n      <skipped message=\"{message}\"/>\n    </testcase>");
        } else if !unchecked.is_empty() {
            errors += 1;
            let message = escaped(&unchecked.join("; "));
            let _ = writeln!(cases, ">\n      <error type=\"unchecked\" message=\"{message}\"/>\n    </testcase>");
        } else {
            cases += "/>\n";
        }
    }
    let tests = checks.len();
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  \
         <testsuite name=\"tracegen verify\" {counts} skipped=\"{skipped}\">\n{cases}  </testsuite>\n</testsuites>\n"
    )
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
