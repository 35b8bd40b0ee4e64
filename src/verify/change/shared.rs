//! Changes of resources alone, for all spans. They are made once for each resource of a run, so that spans that no other
//! change touches are still compared by their bytes.

use super::deed::{Deed, Effect, Setting};
use super::field::{Place, Selector};
use super::{Changes, Rule, Turn};
use crate::plan::ResourceId;
use crate::trace::{Resources, StoredSpan};

/// The resources of a run after the changes.
pub struct SharedChanges {
    pub resources: Resources,
    /// What each rule did to a span of the resource that no other rule touches.
    turns: Vec<Vec<Turn>>,
}

impl SharedChanges {
    /// Returns what the rules did to a span of a resource that no rule touches which is not for all spans of the resource.
    pub fn turns(&self, resource: ResourceId) -> &[Turn] {
        &self.turns[resource.index()]
    }
}

impl Changes {
    /// Makes the changes that are of resources alone.
    pub fn shared(&self, resources: &Resources) -> SharedChanges {
        let (mut changed, mut turns) = (Resources::default(), vec![]);
        for attributes in &resources.attributes {
            let mut span = StoredSpan { resource: attributes.clone(), ..StoredSpan::empty() };
            turns.push(Vec::from_iter(self.rules.iter().zip(self.is_shared.iter()).map(|(rule, is_shared)| {
                let made = *is_shared
                    && rule.deeds.iter().fold(false, |made, deed| (deed.apply(&mut span) == Effect::Changed) | made);
                if made { Turn::Done } else { Turn::Passed }
            })));
            changed.attributes.push(span.resource);
        }
        SharedChanges { resources: changed, turns }
    }
}

/// Returns for each rule whether it changes resources alone, and those of all spans. None does where a condition reads the
/// resource: then the order of the rules matters.
pub fn shared(rules: &[Rule]) -> Vec<bool> {
    let is_shared = |rule: &Rule| rule.when.is_none() && rule.deeds.iter().all(is_of_resource);
    let renames_services = rules
        .iter()
        .filter(|rule| is_shared(rule))
        .any(|rule| rule.deeds.iter().any(|deed| deed.names("resource.service.name")));
    let reads = |condition: String| condition.contains("resource") || renames_services && condition.contains("service");
    let is_read = rules.iter().any(|rule| {
        let drops =
            rule.deeds.iter().any(|deed| matches!(deed, Deed::DropSpan(condition) if reads(condition.to_string())));
        drops || rule.when.as_ref().is_some_and(|when| reads(when.to_string()))
    });
    rules.iter().map(|rule| !is_read && is_shared(rule)).collect()
}

fn is_of_resource(deed: &Deed) -> bool {
    match deed {
        Deed::Set(Setting::Attribute(place, ..)) | Deed::Limit { place, .. } | Deed::Keep(place, _) => {
            *place == Place::Resource
        }
        Deed::Delete(selector)
        | Deed::Hash(selector, _)
        | Deed::Mask(selector, _)
        | Deed::Replace(selector, ..)
        | Deed::Truncate(selector, _) => {
            matches!(selector, Selector::Attribute(Place::Resource, _) | Selector::Family(Place::Resource, _))
        }
        _ => false,
    }
}
