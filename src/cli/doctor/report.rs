//! The findings, as text for people and as JSON for programs.

use crate::text::foreign::foreign;
use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::fmt::Write;

/// The result of a check.
#[derive(Debug, Serialize)]
pub struct Finding {
    check: &'static str,
    verdict: Verdict,
    finding: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Something that may be intended.
    Note,
    Fix,
}

impl Finding {
    pub fn ok(check: &'static str, finding: impl Into<String>) -> Finding {
        Finding { check, verdict: Verdict::Ok, finding: finding.into(), advice: None }
    }

    pub fn note(check: &'static str, finding: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Note, ..Finding::ok(check, finding) }
    }

    pub fn fix(check: &'static str, finding: impl Into<String>) -> Finding {
        Finding { verdict: Verdict::Fix, ..Finding::ok(check, finding) }
    }

    pub fn advise(self, advice: impl Into<String>) -> Finding {
        Finding { advice: Some(advice.into()), ..self }
    }

    pub fn is_to_fix(&self) -> bool {
        self.verdict == Verdict::Fix
    }
}

/// Returns the findings for people: a line each, and a second line with the advice if there is one.
pub fn human(findings: &[Finding], colors: ColorChoice) -> String {
    let mut out = String::new();
    for Finding { check, verdict, finding, advice } in findings {
        let (word, color) = match verdict {
            Verdict::Ok => ("ok", AnsiColor::Green),
            Verdict::Note => ("note", AnsiColor::Yellow),
            Verdict::Fix => ("fix", AnsiColor::Red),
        };
        let style = if colors == ColorChoice::Never { Style::new() } else { color.on_default() };
        let _ = writeln!(out, "{style}{word:<4}{style:#}  {check:<9}  {}", foreign(finding));
        if let Some(advice) = advice {
            let _ = writeln!(out, "{:17}{}", "", foreign(advice));
        }
    }
    let wrong = findings.iter().filter(|finding| finding.is_to_fix()).count();
    match wrong {
        0 => out + "\nnothing to fix\n",
        1 => out + "\n1 thing to fix\n",
        n => format!("{out}\n{n} things to fix\n"),
    }
}

pub fn json(findings: &[Finding]) -> String {
    let wrong = findings.iter().filter(|finding| finding.is_to_fix()).count();
    format!("{:#}\n", serde_json::json!({ "checks": findings, "to_fix": wrong }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_has_a_line_and_its_advice_another() {
        let findings = [Finding::ok("clock", "fine"), Finding::fix("port", "in\x1buse").advise("take another one")];
        let text = "ok    clock      fine\nfix   port       in\\u{1b}use\n                 take another one\n\n1 thing to fix\n";
        assert_eq!(human(&findings, ColorChoice::Never), text);
        assert!(human(&findings, ColorChoice::Always).contains("\x1b[31mfix"));
        assert!(json(&findings).contains(r#""verdict": "fix""#));
        assert!(human(&[], ColorChoice::Never).ends_with("nothing to fix\n"));
    }
}
