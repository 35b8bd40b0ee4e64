//! A test for each invariant, by its number: break one thing in a valid program, and see it named. Then programs with
//! anything changed.

mod code;
mod tables;

use super::*;
use crate::plan::fixture::{self, Maker};
use crate::plan::*;
use proptest::prelude::*;

fn broken(edit: impl FnOnce(&mut Program)) -> Violation {
    let mut program = fixture::program();
    edit(&mut program);
    Plan::verify(program).expect_err("the edit breaks an invariant")
}

fn valid(edit: impl FnOnce(&mut Program)) -> Plan {
    let mut program = fixture::program();
    edit(&mut program);
    Plan::verify(program).expect("the edit breaks nothing")
}

/// The fixture with a var of this value in its first scenario, in slot 2.
fn with_var(expr: impl FnOnce(&mut Maker) -> Expr) -> Result<Plan, Violation> {
    let mut maker = Maker { program: fixture::program() };
    let expr = expr(&mut maker);
    let value = maker.expr(expr);
    maker.program.scenarios[0].vars.push((SlotId(2), value));
    Plan::verify(maker.program)
}

fn inst(block: u32, pc: usize) -> Place {
    Place::Instruction(BlockId(block), pc)
}

#[test]
fn the_fixture_is_valid_and_its_bounds_are_known() {
    let plan = fixture::plan();
    let ms = 1_000_000;
    assert_eq!(plan.bound(ScenarioId(0)), Bound { min_spans: 1, max_spans: 2, duration: 15 * ms + 1_500_000 });
    assert_eq!(plan.bound(ScenarioId(1)), Bound { min_spans: 1, max_spans: 1, duration: 2_000 * ms });
    assert_eq!(plan.duration_bound(), 2_000 * ms);
    assert_eq!(plan.end_bound(BlockId(0)), 15 * ms + 1_500_000);
    assert_eq!(plan.end_bound(BlockId(1)), 15 * ms + 1_500_000);
    assert_eq!(plan.error_type_attr(BlockId(0)), None);
    assert_eq!(plan.attr_key(plan.error_type_attr(BlockId(1)).unwrap()), "error.type");
}

#[test]
fn a_text_is_found_in_the_pool_with_slack_behind() {
    let plan = fixture::plan();
    for id in (0..plan.texts.len() as u32).map(TextId) {
        let (at, len) = plan.text_at(id);
        assert_eq!(&plan.text_pool()[at as usize..][..len as usize], plan.text(id).as_bytes());
        assert!(plan.text_pool().len() >= (at + len) as usize + Plan::SLACK);
    }
}

#[test]
fn a_violation_names_its_place() {
    let text = |edit: fn(&mut Program)| broken(edit).to_string();
    assert_eq!(
        text(|p| p.blocks[0].code[4] = Inst::SkipIfFailed { target: 2 }),
        "block0 instruction 4: the jump to 2 must go forward and stay in the block"
    );
    assert_eq!(text(|p| p.semantics = 7), "the plan has semantics 7, this tracegen has 1: compile the scenarios again");
}

/// Puts `value` in the place of the `n`th number, text or bool of a JSON tree, counted around.
fn replace_leaf(json: &mut serde_json::Value, n: usize, value: &serde_json::Value) {
    fn leaves<'a>(json: &'a mut serde_json::Value, found: &mut Vec<&'a mut serde_json::Value>) {
        match json {
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| leaves(item, found)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| leaves(field, found)),
            leaf => found.push(leaf),
        }
    }
    let mut found = vec![];
    leaves(json, &mut found);
    let n = n % found.len();
    *found[n] = value.clone();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn a_program_with_anything_changed_is_refused_or_has_bounds(
        edits in prop::collection::vec((any::<usize>(), prop_oneof![
            (0_u64..12).prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
        ]), 1..4),
        dropped in prop::option::of((0_usize..3, 0_usize..8)),
    ) {
        let mut json = serde_json::to_value(fixture::program()).unwrap();
        for (n, value) in &edits {
            replace_leaf(&mut json, *n, value);
        }
        if let Ok(mut program) = serde_json::from_value::<Program>(json) {
            if let Some((block, pc)) = dropped
                && pc < program.blocks[block].code.len()
            {
                program.blocks[block].code.remove(pc);
            }
            if let Ok(plan) = Plan::verify(program) {
                for id in (0..plan.scenarios.len() as u32).map(ScenarioId) {
                    let bound = plan.bound(id);
                    prop_assert!(1 <= bound.min_spans && bound.min_spans <= bound.max_spans);
                    prop_assert!(bound.duration == plan.end_bound(plan.scenarios[id.index()].root));
                }
            }
        }
    }
}
