//! From what was found to the verdict, which never says more than is known.

use super::Fidelity;
use super::allowance::Allowance;
use super::alterations::is_overflow;
use super::fault::Fault;
use super::policy::Policy;
use super::report::{Report, Verdict};
use crate::text::listed;

/// What a report does not tell of how much is known.
pub struct Knowledge {
    /// Arrivals of any span.
    pub seen: u64,
    /// When each trace began is known to the ns, and so that what differs was changed on the way.
    pub schedule: bool,
    pub fidelity: Fidelity,
    /// How the source says that there is nothing in it.
    pub nothing: Option<String>,
}

/// The verdict on a report.
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
    // What is there and wrong is so, whatever else there may be.
    match (present.is_empty(), because.is_empty()) {
        (true, true) if missing.is_empty() => Verdict::Clean,
        (true, false) => Verdict::Unchecked { because },
        (false, false) => Verdict::Short { of: present, unchecked: because },
        (_, true) => {
            let mut of = [missing, present].concat();
            of.sort_unstable();
            Verdict::Short { of, unchecked: vec![] }
        }
    }
}

/// What is allowed, and of which there was nothing.
pub fn unused(report: &Report) -> Vec<Allowance> {
    // Of the fields beyond those that are told apart, any may be the one.
    let overflow = report.fields.iter().any(|field| field.allowed && is_overflow(field));
    let is_used = |allowance: &Allowance| match allowance {
        Allowance::Fault(Fault::Altered) => report.altered > 0,
        Allowance::Fault(fault) => amount(*fault, report) > 0,
        Allowance::Field(_) => overflow || report.fields.iter().any(|field| allowance.covers(&field.field)),
        Allowance::Damaged => !report.damage.is_empty(),
    };
    report.policy.allow.iter().filter(|allowance| !is_used(allowance)).cloned().collect()
}

/// Spans that are so; of a sample, 1 if it is not what was to arrive.
fn amount(fault: Fault, report: &Report) -> u64 {
    match fault {
        Fault::Lost => report.lost,
        Fault::Duplicated => report.duplicated,
        Fault::Altered => report.altered_not_allowed,
        Fault::Invented => report.invented,
        Fault::Orphaned => report.orphaned,
        Fault::Unexpected if report.policy.deny_unexpected => report.unexpected.unwrap_or_default(),
        Fault::Unexpected => 0,
        Fault::Sample => report.sampled.is_some_and(|sampled| !sampled.holds) as u64,
    }
}

/// Why nothing can be said where nothing of the run is there: the source, or the manifest, may be the wrong one.
fn absence(report: &Report, knowledge: &Knowledge) -> Option<String> {
    if report.expected == 0 && report.unknown.is_empty() {
        return Some("the run has sent no span: there is nothing to check".into());
    }
    let none_is_due = report.policy.samples_nothing() && report.lost == 0 && report.expected > 0;
    let nothing = match (knowledge.seen, &knowledge.nothing) {
        _ if report.delivered > 0 || none_is_due => return None,
        (0, Some(nothing)) => nothing,
        (0, None) if knowledge.fidelity == Fidelity::Jaeger => "the source has none of the run's traces",
        (0, None) => "the source has no spans at all",
        _ => {
            "there is nothing of this run, and all that there is is of others: is this the manifest, or are these the seed and \
             the start, of what was sent here?"
        }
    };
    Some(nothing.into())
}

/// What may be in a part that could not be read, and is not let pass. `missing`: something is.
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
        .then(|| format!("what could not be read may hold {listed} (`--allow damaged` takes it for nothing)"))
}
