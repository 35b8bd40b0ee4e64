//! The names that the traces of a run can have, against which conditions are checked.

use crate::plan::{ERROR_TYPE, Plan, ScenarioId};
use crate::trace::{EXCEPTION_MESSAGE, EXCEPTION_TYPE};
use std::collections::BTreeSet;

/// The names that occur in the traces of one or several plans. Without a plan, nothing is known, and every name may occur.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// The keys of spans' attributes.
    pub attributes: BTreeSet<String>,
    /// The keys of resources' attributes.
    pub resources: BTreeSet<String>,
    /// The keys of events' attributes.
    pub events: BTreeSet<String>,
    pub services: BTreeSet<String>,
    pub scenarios: BTreeSet<String>,
    /// The maximum number of spans of a trace.
    pub(super) most_spans: u32,
    /// The maximum duration of a trace in ns.
    pub(super) longest: u64,
}

impl Vocabulary {
    /// Returns the names in the traces of these plans.
    pub fn of<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> Vocabulary {
        let mut known = Vocabulary::default();
        plans.into_iter().for_each(|plan| known.add(plan));
        known
    }

    /// Reports whether no plan is known.
    pub fn is_empty(&self) -> bool {
        self.scenarios.is_empty()
    }

    /// Returns the maximum duration of a trace in ns, and the maximum number of its spans; `None` if they are not known.
    pub fn bound(&self) -> Option<(u64, u32)> {
        (!self.is_empty() && self.longest < u64::MAX).then_some((self.longest, self.most_spans))
    }

    /// Adds the names of a plan.
    fn add(&mut self, plan: &Plan) {
        let text = |id| plan.text(id).to_string();
        self.scenarios.extend(plan.scenarios.iter().map(|scenario| text(scenario.name)));
        self.services.extend(plan.services.iter().map(|service| text(service.name)));
        let resources = plan.resources.iter().flat_map(|resource| &resource.attributes);
        self.resources.extend(resources.map(|(key, _)| text(*key)));
        let key = |attr| plan.attr_key(attr).to_string();
        for form in plan.blocks.iter().filter_map(|block| block.span()) {
            self.attributes.extend(form.constants.iter().map(|(key, _)| text(*key)));
            self.attributes.extend(form.attrs.ids().map(key));
        }
        if !plan.errors.is_empty() {
            self.attributes.insert(ERROR_TYPE.into());
            self.events.extend([EXCEPTION_TYPE, EXCEPTION_MESSAGE].map(String::from));
        }
        let events = plan.events.iter().flat_map(|event| &event.attributes);
        self.events.extend(events.map(|(attr, _)| key(*attr)));
        // A malformation may add spans, and move them.
        let malformed = !plan.malformations.is_empty();
        let longest = if malformed { u64::MAX } else { plan.duration_bound() };
        self.longest = self.longest.max(longest);
        let bounds = (0..plan.scenarios.len() as u32).map(|scenario| plan.bound(ScenarioId(scenario)).max_spans);
        let most = if malformed { u32::MAX } else { bounds.max().unwrap_or(0) };
        self.most_spans = self.most_spans.max(most);
    }
}
