//! The step from the report's counts to a verdict, which never claims more than is known.

use super::Fidelity;
use super::allowance::Allowance;
use super::alterations::is_overflow;
use super::fault::Fault;
use super::judged::Judged;
use super::policy::{Fate, Policy};
use super::report::{Report, Verdict};
use crate::text::listed;

/// What is known beyond a report's counts.
pub struct Knowledge {
    /// The number of spans that arrived, of this run or not.
    pub seen: u64,
    /// The start of each trace is known exactly, so that any difference was made on the way.
    pub schedule: bool,
    pub fidelity: Fidelity,
    /// The explanation of a source that is empty; `None` where the source has spans.
    pub empty_source: Option<String>,
}

/// Returns the verdict on a report.
pub fn verdict(report: &Report, knowledge: &Knowledge) -> Verdict {
    let mut because = report.unknown.clone();
    because.extend(absence(report, knowledge));
    let found = Fault::ALL.into_iter().filter(|fault| amount(*fault, report) > 0 && !report.policy.allows(*fault));
    let (missing, mut present): (Vec<Fault>, Vec<Fault>) =
        found.partition(|fault| matches!(fault, Fault::Lost | Fault::Orphaned | Fault::Sample));
    because.extend(hidden(report, !missing.is_empty()));
    if !knowledge.schedule {
        present.clear();
    }
    // What arrived and is wrong stays wrong, whatever else could not be checked.
    match (present.is_empty(), because.is_empty()) {
        (true, true) if missing.is_empty() => Verdict::Clean,
        (true, false) => Verdict::Unchecked { because },
        (false, false) => Verdict::Short { faults: present, unchecked: because },
        (_, true) => {
            let mut faults = [missing, present].concat();
            faults.sort_unstable();
            Verdict::Short { faults, unchecked: vec![] }
        }
    }
}

/// Returns the allowances that matched nothing.
pub fn unused(report: &Report) -> Vec<Allowance> {
    // Fields beyond the counted ones may have matched it.
    let overflow = report.fields.iter().any(|field| field.allowed && is_overflow(field));
    let is_used = |allowance: &Allowance| match allowance {
        Allowance::Fault(Fault::Altered) => report.altered > 0,
        Allowance::Fault(fault) => amount(*fault, report) > 0,
        Allowance::Field(_) => overflow || report.fields.iter().any(|field| allowance.covers(&field.field)),
        Allowance::Damaged => !report.damage.is_empty(),
    };
    report.policy.allow.iter().filter(|allowance| !is_used(allowance)).cloned().collect()
}

/// Returns the number of spans with the fault; for a sample, 1 if it is not as expected.
fn amount(fault: Fault, report: &Report) -> u64 {
    match fault {
        Fault::Lost => report.lost,
        Fault::Duplicated => report.duplicated,
        Fault::Altered => report.altered_not_allowed,
        Fault::Invented => report.invented,
        Fault::Leaked => report.leaked,
        Fault::Orphaned => report.orphaned,
        Fault::Unexpected if report.policy.deny_unexpected => report.unexpected.unwrap_or_default(),
        Fault::Unexpected => 0,
        Fault::Sample => report.sampled.is_some_and(|sampled| !sampled.holds) as u64,
    }
}

/// Returns the reason why nothing can be said if no span of the run arrived: the source or the manifest may be the wrong
/// one.
fn absence(report: &Report, knowledge: &Knowledge) -> Option<String> {
    if report.expected == 0 && report.changes.iter().any(|change| change.spans > 0) {
        // All that was sent is dropped.
        return None;
    }
    if report.expected == 0 && report.unknown.is_empty() {
        return Some("the run has sent no span: there is nothing to check".into());
    }
    let none_is_due = none_may_arrive(report) && report.lost == 0 && report.expected > 0;
    let reason = match (knowledge.seen, &knowledge.empty_source) {
        _ if report.delivered > 0 || none_is_due => return None,
        (0, Some(empty_source)) => empty_source,
        (0, None) if knowledge.fidelity == Fidelity::Jaeger => "the source has none of the run's traces",
        (0, None) => "the source has no spans at all",
        _ => {
            "nothing of this run arrived, only spans of others: do the manifest, or the seed and the start, belong to \
             what was sent here?"
        }
    };
    Some(reason.into())
}

/// Reports whether the policy lets no trace of the run arrive, except for those that have.
fn none_may_arrive(report: &Report) -> bool {
    let is_out = |rule: &Judged| match rule.fate {
        Fate::Drop => true,
        Fate::Sample(sample) => sample.is_some_and(|sample| sample.share == 0.0),
        Fate::Keep => rule.traces == rule.whole,
    };
    !report.rules.is_empty() && report.rules.iter().all(is_out)
}

/// Returns what an unreadable part of the source may hide, unless damage is permitted. `missing`: some spans have not
/// arrived.
fn hidden(report: &Report, missing: bool) -> Option<String> {
    let Policy { allow, deny_unexpected, .. } = &report.policy;
    if report.damage.is_empty() || allow.contains(&Allowance::Damaged) {
        return None;
    }
    let open = |fault| !report.policy.allows(fault);
    let parts = [
        (missing, "what is missing"),
        (open(Fault::Duplicated), "more copies"),
        (open(Fault::Altered), "changed spans"),
        (open(Fault::Invented), "invented ones"),
        (*deny_unexpected, "spans of others"),
    ];
    let parts = Vec::from_iter(parts.into_iter().filter(|(may_be, _)| *may_be).map(|(_, part)| part));
    let listed = listed(&parts, "and");
    (!parts.is_empty())
        .then(|| format!("what could not be read may hold {listed} (`--allow damaged` assumes that it holds nothing)"))
}
