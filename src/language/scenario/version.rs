//! The field `version` of a service: one version, or several that its instances share.

use super::choice;
use super::fields::{Context, Fields};
use crate::language::diagnostic::Problem;
use crate::language::source::{Loc, Located};
use crate::language::yaml::{Kind, Node};

/// The version of a service.
#[derive(Clone, Debug)]
pub enum Version {
    One(Located<String>),
    Shared(Shares),
}

/// Versions that the instances of a service share.
#[derive(Clone, Debug)]
pub struct Shares {
    /// The versions, at least one.
    pub versions: Vec<Located<String>>,
    /// As many weights as versions, with a finite sum above 0.
    pub weights: Vec<f64>,
    pub loc: Loc,
}

impl Shares {
    /// Returns the number of instances of each version, by the largest remainder method.
    pub fn counts(&self, instances: u32) -> Vec<u32> {
        let sum: f64 = self.weights.iter().sum();
        let quotas: Vec<f64> = self.weights.iter().map(|weight| weight / sum * f64::from(instances)).collect();
        let mut counts: Vec<u32> = quotas.iter().map(|quota| quota.floor() as u32).collect();
        let mut by_remainder: Vec<usize> = (0..quotas.len()).filter(|at| quotas[*at] > 0.0).collect();
        // Of equal remainders the first one comes first.
        by_remainder.sort_by(|a, b| quotas[*b].fract().total_cmp(&quotas[*a].fract()));
        let left = instances.saturating_sub(counts.iter().sum());
        by_remainder.into_iter().cycle().take(left as usize).for_each(|at| counts[at] += 1);
        counts
    }
}

/// Reads a version; every scalar in it is taken as it is spelt.
pub(super) fn version(cx: &mut Context, node: &Node) -> Option<Version> {
    if !matches!(node.kind, Kind::Mapping(_)) {
        return cx.text("`version`", node).map(Version::One);
    }
    let fields = Fields::read(cx, node, "a choice", &["choice", "weights"])?;
    let list = &fields.required(cx, "choice")?.value;
    let Kind::Sequence(items) = &list.kind else {
        cx.mistyped("`choice`", "a list", list, None);
        return None;
    };
    if items.is_empty() {
        cx.report(Problem::Empty { subject: "`choice`".into() }, list.loc);
        return None;
    }
    let versions: Vec<_> = items.iter().map(|item| cx.text("a version", item)).collect();
    let versions = versions.into_iter().collect::<Option<Vec<Located<String>>>>();
    let weights = match fields.get("weights") {
        Some(entry) => choice::weights(cx, &entry.value, items.len())?,
        None => vec![1.0; items.len()],
    };
    Some(Version::Shared(Shares { versions: versions?, weights, loc: node.loc }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::source::START;

    #[test]
    fn versions_are_shared_by_largest_remainder() {
        let counts = |weights: &[f64], instances| {
            let versions = weights.iter().map(|_| Located::new(String::new(), START)).collect();
            Shares { versions, weights: weights.to_vec(), loc: START }.counts(instances)
        };
        assert_eq!(counts(&[9.0, 1.0], 10), [9, 1]);
        assert_eq!(counts(&[9.0, 1.0], 3), [3, 0]);
        assert_eq!(counts(&[1.0, 1.0, 1.0], 4), [2, 1, 1]);
        assert_eq!(counts(&[5.0, 3.0, 2.0], 7), [4, 2, 1]);
        assert_eq!(counts(&[0.0, 1.0], 5), [0, 5]);
        assert_eq!(counts(&[1e-300, 1e300], 10_000), [0, 10_000]);
        for instances in 1..200 {
            assert_eq!(counts(&[0.1, 0.7, 0.2, 1.3], instances).iter().sum::<u32>(), instances);
        }
    }
}
