//! The parts of a plan's traces, and the parts to which the spans of each block belong.

use super::Subject;
use crate::plan::{BlockId, Plan, ScenarioId};
use std::collections::BTreeMap;

pub struct Parts {
    /// All traces, then the scenarios in the plan's order, then the parts of spans.
    pub subjects: Vec<Subject>,
    /// The parts to which the spans of each block belong.
    of_block: Vec<Vec<usize>>,
}

/// The index of the part with all traces.
pub const TOTAL: usize = 0;

pub fn rank(subject: &Subject) -> usize {
    match subject {
        Subject::Total => 0,
        Subject::Scenario { .. } => 1,
        Subject::Service { .. } => 2,
        Subject::Operation { .. } => 3,
        Subject::Edge { .. } => 4,
    }
}

impl Parts {
    pub fn of(plan: &Plan) -> Parts {
        let mut parts = Parts { subjects: vec![Subject::Total], of_block: vec![vec![]; plan.blocks.len()] };
        let scenarios = plan.scenario_ids().map(|id| Subject::Scenario { scenario: plan.scenario_name(id).into() });
        parts.subjects.extend(scenarios);
        let mut known = BTreeMap::new();
        for scenario in plan.scenario_ids() {
            for &block in plan.spans_of(scenario) {
                let (service, operation) = (plan.service_of(block), plan.operation(block));
                parts.add(&mut known, block, Subject::Service { service: service.into() });
                parts.add(&mut known, block, Subject::Operation { service: service.into(), operation });
                let caller = plan.parent_of(block).map(|parent| plan.service_of(parent));
                if let Some(caller) = caller.filter(|caller| *caller != service) {
                    let (caller, callee) = (caller.into(), service.into());
                    parts.add(&mut known, block, Subject::Edge { caller, callee });
                }
            }
        }
        parts
    }

    fn add(&mut self, known: &mut BTreeMap<Subject, usize>, block: BlockId, subject: Subject) {
        let next = self.subjects.len();
        let at = *known.entry(subject).or_insert_with_key(|subject| {
            self.subjects.push(subject.clone());
            next
        });
        self.of_block[block.index()].push(at);
    }

    pub fn of_scenario(&self, scenario: ScenarioId) -> usize {
        TOTAL + 1 + scenario.index()
    }

    pub fn of_block(&self, block: BlockId) -> &[usize] {
        &self.of_block[block.index()]
    }
}
