//! A fault or change that a policy permits, in the notation of the command line.

use super::fault::Fault;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A fault or change that a policy permits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowance {
    Fault(Fault),
    /// A change of the field with this name. A name that ends with `.*` covers every field whose name begins with the part
    /// before the star.
    Field(String),
    /// An unreadable part of the source, which is then assumed to hold nothing.
    Damaged,
}

const FAULTS: [Fault; 6] =
    [Fault::Lost, Fault::Duplicated, Fault::Altered, Fault::Invented, Fault::Leaked, Fault::Orphaned];
const DAMAGED: &str = "damaged";
/// Prefixes of field names that are not field names themselves.
const FAMILIES: [&str; 5] = ["attributes", "resource", "scope", "events.attributes", "links.attributes"];

impl Allowance {
    /// Reports whether the allowance permits a change of the field.
    pub fn covers(&self, field: &str) -> bool {
        let Allowance::Field(name) = self else { return false };
        match name.strip_suffix('*') {
            Some(family) => field.strip_prefix(family).is_some_and(|rest| !rest.is_empty()),
            None => name == field,
        }
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowance::Fault(fault) => f.write_str(fault.name()),
            Allowance::Field(name) => write!(f, "altered={name}"),
            Allowance::Damaged => f.write_str(DAMAGED),
        }
    }
}

impl Serialize for Allowance {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Allowance, String> {
        if let Some(name) = text.strip_prefix("altered=") {
            return field(name);
        }
        // Both words are in common use.
        let word = if text == "duplicates" { "duplicated" } else { text };
        match FAULTS.into_iter().find(|fault| fault.name() == word) {
            Some(fault) => Ok(Allowance::Fault(fault)),
            None if word == DAMAGED => Ok(Allowance::Damaged),
            None => {
                Err("expected lost, duplicated, altered, altered=FIELD, invented, leaked, orphaned or damaged".into())
            }
        }
    }
}

fn field(name: &str) -> Result<Allowance, String> {
    let inner = name.strip_suffix(".*").unwrap_or(name);
    match name {
        _ if inner.is_empty() || inner.ends_with('*') => {
            Err("expected the name of a field, as `attributes.user.id`, or a family of them, as `resource.k8s.*`; all \
                 changes are allowed by `altered`"
                .into())
        }
        _ if FAMILIES.contains(&name) => {
            Err(format!("no field has the name `{name}`: `altered={name}.*` covers all fields that begin with it"))
        }
        _ => Ok(Allowance::Field(name.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(allowed: &str, fields: &[&str]) -> Vec<bool> {
        let allowance: Allowance = allowed.parse().unwrap();
        assert_eq!(allowance.to_string(), allowed);
        fields.iter().map(|field| allowance.covers(field)).collect()
    }

    #[test]
    fn a_name_covers_one_field_and_a_star_covers_its_subfields() {
        let environment = ["resource.deployment.environment", "resource.deployment.environment.name"];
        assert_eq!(covered("altered=resource.deployment.environment", &environment), [true, false]);
        assert_eq!(covered("altered=resource.deployment.environment.*", &environment), [false, true]);
        assert_eq!(covered("altered=attributes.user", &["attributes.user", "attributes.user.id"]), [true, false]);
        let kubernetes =
            ["resource.k8s.pod.name", "resource.k8s", "resource.k8s.", "resource.k8sx.pod", "attributes.k8s.a"];
        assert_eq!(covered("altered=resource.k8s.*", &kubernetes), [true, false, false, false, false]);
        assert_eq!(covered("altered=events.*", &["events", "events.time"]), [false, true]);
        assert_eq!(covered("altered", &["name"]), [false]);
    }

    #[test]
    fn a_name_that_no_field_has_is_refused_with_help() {
        for (text, way_out) in [
            ("altered=", "as `resource.k8s.*`"),
            ("altered=*", "by `altered`"),
            ("altered=.*", "by `altered`"),
            ("altered=resource.k8s*", "as `resource.k8s.*`"),
            ("altered=attributes", "`altered=attributes.*`"),
            ("altered=resource", "`altered=resource.*`"),
            ("unexpected", "expected lost, duplicated"),
            ("", "expected lost, duplicated"),
        ] {
            let error = text.parse::<Allowance>().unwrap_err();
            assert!(error.contains(way_out), "{text}: {error}");
        }
        assert_eq!("duplicates".parse(), Ok(Allowance::Fault(Fault::Duplicated)));
        assert_eq!("damaged".parse(), Ok(Allowance::Damaged));
    }
}
