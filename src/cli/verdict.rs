//! The flags for the policy of a verification, and the output of its report.

mod human;
mod json;
mod junit;
mod words;

use super::output::{print, print_styled};
use super::source::Background;
use super::{Exit, Failure};
use crate::verify::{Allowance, Policy, Report, Sample, Verdict};
use clap::{Args, ValueEnum};

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
    /// of the other traces), `sample=10%` (a share of them that chance explains)
    #[arg(long, value_name = "POLICY", value_parser = expectation)]
    pub expect: Vec<Expectation>,
    /// Faults to tolerate: `lost`, `duplicated`, `altered`, `altered=FIELD` (only this field; `altered=resource.k8s.*` is
    /// every field whose name begins so), `invented`, `orphaned`, `damaged` (unreadable data is taken to hold nothing)
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

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Expectation {
    KeepErrors,
    Sample(Sample),
}

impl VerdictFlags {
    /// Returns the policy that the flags describe.
    ///
    /// # Errors
    /// `--expect sample` is given twice.
    pub fn policy(&self) -> Result<Policy, Failure> {
        let allow = self.allow.iter().cloned().collect();
        let mut policy = Policy { deny_unexpected: self.deny.is_some(), allow, ..Policy::default() };
        for expectation in &self.expect {
            match expectation {
                Expectation::KeepErrors => policy.keep_errors = true,
                Expectation::Sample(sample) if policy.sample.is_none() => policy.sample = Some(*sample),
                Expectation::Sample(_) => return Err(Failure::usage("only one sample can be expected")),
            }
        }
        Ok(policy)
    }

    /// Reports whether any of the flags makes sense only if the run is known.
    pub fn wants_run(&self) -> bool {
        self.format == Format::Junit
            || self.details
            || self.deny.is_some()
            || !self.expect.is_empty()
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
    let allowed = "expected `keep-errors`, `sample=10%` or `sample=10%+-1`";
    if text == "keep-errors" {
        return Ok(Expectation::KeepErrors);
    }
    let sample = text.strip_prefix("sample=").ok_or(allowed)?;
    let (share, tolerance) = match sample.split_once('±').or_else(|| sample.split_once("+-")) {
        Some((share, tolerance)) => (share, Some(tolerance)),
        None => (sample, None),
    };
    let per_cent = |text: &str| match text.trim().parse::<f64>() {
        Ok(figure) if (0.0..=100.0).contains(&figure) => Ok(figure / 100.0),
        _ => Err(format!("`{text}` is not a number from 0 to 100; {allowed}")),
    };
    let share = per_cent(share.trim().strip_suffix('%').ok_or(allowed)?)?;
    let tolerance = tolerance.map(|text| per_cent(text.trim().trim_end_matches('%'))).transpose()?;
    Ok(Expectation::Sample(Sample { share, tolerance }))
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
        for text in ["", "sample=10", "sample=", "sample=101%", "sample=10%±x", "sample=-1%", "errors"] {
            assert!(expectation(text).is_err(), "{text}");
        }
    }
}
