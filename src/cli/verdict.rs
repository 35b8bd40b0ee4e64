//! The flags for the policy of a verification, and the output of its report.

mod human;
mod json;
mod junit;
mod words;

use super::output::{print, print_styled};
use super::parse::positive_duration;
use super::rates::ExpectedRate;
use super::source::Background;
use super::{Exit, Failure, scenarios};
use crate::condition::Vocabulary;
use crate::language::diagnostic::Severity;
use crate::text::count;
use crate::verify::{Allowance, Policy, PolicyReader, Report, Sample, Verdict};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// The flags for the policy of a verification and for its report.
#[derive(Args)]
pub struct VerdictFlags {
    /// Format of the report on stdout
    #[arg(long, value_enum, value_name = "FORM", default_value = "human")]
    pub format: Format,
    /// Also show the counts of each scenario and service, and the failed traces compared with those the plan lets expect
    #[arg(long)]
    pub details: bool,
    /// What must arrive of a sampled run: `keep-errors` (every trace with a failed span), `sample=10%+-1` (9 to 11 per cent
    /// of the other traces), `sample=10%` (a share of them that chance explains), or a rule as in a policy file: `keep:
    /// duration_ms > 800`, `drop: root.http.route == '/healthz'`, `sample: 10% when service == 'cart'`
    #[arg(long, value_name = "RULE", value_parser = expectation)]
    pub expect: Vec<Expectation>,
    /// What the pipeline is meant to do, in a file: which traces arrive, and which faults are tolerated; see docs/policies.md.
    /// The rules of --expect come before those of files
    #[arg(long = "policy", value_name = "FILE")]
    pub policies: Vec<PathBuf>,
    /// A change that the pipeline is meant to make: `set(resource.env, 'staging')`, `delete(payment.card) when service ==
    /// 'cart'`, `sha256(user.email)`, `drop_spans(kind == 'CLIENT')`; all of them are in docs/policies.md. Several are made in
    /// their order, behind those of files
    #[arg(long = "change", value_name = "CHANGE")]
    pub changes: Vec<String>,
    /// The unit in which times are compared, for a store that rounds them down: `1us`, `1ms`
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    pub precision: Option<u64>,
    /// Faults to tolerate: `lost`, `duplicated`, `altered`, `altered=FIELD` (only this field; `altered=resource.k8s.*` is
    /// every field whose name begins so), `invented`, `leaked` (what the policy drops), `orphaned`, `damaged` (unreadable data is taken to hold nothing)
    #[arg(long, value_name = "FAULT", value_parser = str::parse::<Allowance>)]
    pub allow: Vec<Allowance>,
    /// What else is a fault: `unexpected`, spans that are not of the run
    #[arg(long, value_enum, value_name = "WHAT")]
    pub deny: Option<Deny>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Human,
    Json,
    Junit,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Deny {
    Unexpected,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expectation {
    KeepErrors,
    /// A sample of the traces that no rule is for.
    Sample(Sample),
    /// A rule for traces, which is read once the run is known.
    Rule(String),
    /// A limit of the rate at which something arrives.
    Rate(ExpectedRate),
}

impl VerdictFlags {
    /// Returns the policy that the flags and the files describe, for runs with this vocabulary. Mistakes and warnings are
    /// printed.
    ///
    /// # Errors
    /// There is a mistake, or `--expect sample` is given twice.
    pub fn policy(&self, known: &Vocabulary) -> Result<Policy, Failure> {
        let mut reader = PolicyReader::new(known);
        if self.expect.iter().filter(|expectation| matches!(expectation, Expectation::Sample(_))).count() > 1 {
            return Err(Failure::usage("only one sample of the rest can be expected"));
        }
        for expectation in &self.expect {
            match expectation {
                Expectation::KeepErrors => reader.keep_errors("--expect", "keep-errors"),
                Expectation::Sample(sample) => reader.sample_rest(*sample),
                Expectation::Rule(text) => reader.rule("--expect", text),
                // It is checked where something arrives.
                Expectation::Rate(_) => {}
            }
        }
        self.policies.iter().for_each(|path| reader.file(path));
        self.changes.iter().for_each(|change| reader.change("--change", change));
        self.precision.into_iter().for_each(|precision| reader.precision(precision));
        self.allow.iter().cloned().for_each(|allowance| reader.allow(allowance));
        if self.deny.is_some() {
            reader.deny_unexpected();
        }
        let policy = reader.finish();
        let PolicyReader { sources, diagnostics, .. } = &reader;
        scenarios::print_diagnostics(sources, diagnostics);
        let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity() == Severity::Error).count();
        let nothing = || Failure::usage(format!("{} in the policy, nothing was judged", count(errors as u64, "error")));
        policy.ok_or_else(nothing)
    }

    /// Returns the expected limits of rates.
    pub fn rates(&self) -> Vec<ExpectedRate> {
        let rates = self.expect.iter().filter_map(|expectation| match expectation {
            Expectation::Rate(rate) => Some(rate.clone()),
            _ => None,
        });
        rates.collect()
    }

    /// Reports whether the policy has conditions, whose names can be checked against those of the run.
    pub fn has_conditions(&self) -> bool {
        !self.policies.is_empty()
            || !self.changes.is_empty()
            || self.expect.iter().any(|expectation| matches!(expectation, Expectation::Rule(_)))
    }

    /// Reports whether any of the flags makes sense only if the run is known.
    pub fn wants_run(&self) -> bool {
        self.format == Format::Junit
            || self.details
            || self.deny.is_some()
            || self.expect.iter().any(|expectation| !matches!(expectation, Expectation::Rate(_)))
            || !self.policies.is_empty()
            || !self.changes.is_empty()
            || self.precision.is_some()
            || !self.allow.is_empty()
    }

    /// Prints the reports on one run or several, and returns how the command ends: a fault in any of them beats what could
    /// not be checked.
    ///
    /// # Errors
    /// Stdout can't be written.
    pub fn show(&self, results: &[(Report, Background)]) -> Result<Exit, Failure> {
        let text = match self.format {
            Format::Human => human::text(results, self.details),
            Format::Json => json::text(results).map_err(|e| Failure::impossible(e.to_string()))?,
            Format::Junit => junit::text(results),
        };
        match self.format {
            Format::Human => print_styled(&text)?,
            Format::Json | Format::Junit => print(&text)?,
        }
        let exits = results.iter().map(|(report, _)| exit(report));
        let severity = |exit: &Exit| match exit {
            Exit::Wrong => 2,
            Exit::Impossible => 1,
            _ => 0,
        };
        Ok(exits.max_by_key(severity).unwrap_or(Exit::Done))
    }
}

pub fn exit(report: &Report) -> Exit {
    match report.verdict {
        Verdict::Clean => Exit::Done,
        Verdict::Short { .. } => Exit::Wrong,
        Verdict::Unchecked { .. } => Exit::Impossible,
    }
}

fn expectation(text: &str) -> Result<Expectation, String> {
    let allowed = "expected `keep-errors`, `sample=10%`, `sample=10%+-1`, or a rule such as `keep: duration_ms > 800`";
    let is_rule = |word: &str| text.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with(':'));
    if text.starts_with("rate") || text.starts_with("peak") {
        let allowed = "expected `rate <= 100 spans/s` or `peak <= 100 spans/s`, with spans, traces or bytes";
        return text.parse().map(Expectation::Rate).map_err(|()| allowed.into());
    }
    match text.strip_prefix("sample=") {
        Some(sample) => Sample::parse(sample).map(Expectation::Sample).ok_or_else(|| allowed.into()),
        None if text == "keep-errors" => Ok(Expectation::KeepErrors),
        None if ["keep", "drop", "sample"].into_iter().any(is_rule) => Ok(Expectation::Rule(text.into())),
        None => Err(allowed.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_in_their_notation() {
        let sample = |share, tolerance| Ok(Expectation::Sample(Sample { share, tolerance }));
        assert_eq!(expectation("keep-errors"), Ok(Expectation::KeepErrors));
        assert_eq!(expectation("sample=10%"), sample(0.1, None));
        for text in ["sample=10%±1", "sample=10%+-1", "sample= 10% ± 1%"] {
            assert_eq!(expectation(text), sample(0.1, Some(0.01)), "{text}");
        }
        for rule in ["keep: failed", "drop : spans > 9", "sample: 10% when failed"] {
            assert_eq!(expectation(rule), Ok(Expectation::Rule(rule.into())));
        }
        for text in ["", "sample=10", "sample=", "sample=101%", "sample=10%±x", "sample=-1%", "errors", "kept: failed"]
        {
            assert!(expectation(text).is_err(), "{text}");
        }
    }
}
