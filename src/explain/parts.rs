//! The parts of a plan's traces that are told apart, and which of them each block's spans belong to.

use super::Subject;
use crate::plan::{BlockId, Plan, ScenarioId};
use std::collections::BTreeMap;

pub struct Parts {
    /// All traces, then the scenarios in the plan's order, then the parts of spans.
    pub subjects: Vec<Subject>,
    /// By block: the parts that its spans belong to.
    of_block: Vec<Vec<usize>>,
    /// By scenario: its blocks, each before those it calls.
    pub blocks: Vec<Vec<BlockId>>,
}

/// All traces.
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
        let mut parts = Parts {
            subjects: vec![Subject::Total],
            of_block: vec![vec![]; plan.blocks.len()],
            blocks: vec![vec![]; plan.scenarios.len()],
        };
        let scenarios = plan.scenarios.iter().map(|s| Subject::Scenario { scenario: plan.text(s.name).into() });
        parts.subjects.extend(scenarios);
        let mut known = BTreeMap::new();
        for (s, scenario) in plan.scenarios.iter().enumerate() {
            let mut open = vec![(scenario.root, None)];
            while let Some((block, caller)) = open.pop() {
                parts.blocks[s].push(block);
                let service = plan.text(plan.services[plan.block(block).span.service.index()].name);
                let operation = plan.operation(ScenarioId(s as u32), block);
                parts.add(&mut known, block, Subject::Service { service: service.into() });
                parts.add(&mut known, block, Subject::Operation { service: service.into(), operation });
                if let Some(caller) = caller.filter(|caller| *caller != service) {
                    let (caller, callee) = (String::from(caller), service.into());
                    parts.add(&mut known, block, Subject::Edge { caller, callee });
                }
                open.extend(plan.calls_of(block).rev().map(|called| (called, Some(service))));
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
