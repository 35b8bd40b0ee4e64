//! A test for each invariant, by its number: one thing in a valid program is broken, and the violation must name it. Others
//! test programs with anything changed.

mod code;
mod load;
mod tables;

use super::*;
use crate::plan::fixture::{self, Maker, span};
use crate::plan::*;
use proptest::prelude::*;

/// Returns the violations of a program, without the listing of their places.
fn violations(program: Program) -> Vec<Violation> {
    let found = Plan::verify(program).map(|_| ()).expect_err("an invariant is broken");
    found.iter().map(|violation| Violation { shown: String::new(), ..violation.clone() }).collect()
}

/// Returns the first violation of the fixture after an edit.
fn broken(edit: impl FnOnce(&mut Program)) -> Violation {
    let mut program = fixture::program();
    edit(&mut program);
    violations(program).remove(0)
}

fn valid(edit: impl FnOnce(&mut Program)) -> Plan {
    let mut program = fixture::program();
    edit(&mut program);
    Plan::verify(program).expect("the edit breaks nothing")
}

/// Returns the plan, or the first violation.
fn verified(program: Program) -> Result<Plan, Violation> {
    Plan::verify(program).map_err(|found| {
        let first = found.iter().next().expect("a violation");
        Violation { shown: String::new(), ..first.clone() }
    })
}

/// Returns the fixture with a var of this value in its first scenario, in slot 2.
fn with_var(expr: impl FnOnce(&mut Maker) -> Expr) -> Result<Plan, Violation> {
    let mut maker = Maker { program: fixture::program() };
    let expr = expr(&mut maker);
    let value = maker.expr(expr);
    maker.program.scenarios[0].vars.push((SlotId(2), value));
    verified(maker.program)
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
fn a_violation_names_its_place() {
    let text = |edit: fn(&mut Program)| {
        let mut program = fixture::program();
        edit(&mut program);
        Plan::verify(program).expect_err("the edit breaks an invariant").to_string()
    };
    assert_eq!(
        text(|p| p.blocks[0].code[4] = Inst::SkipIfFailed { target: 2 }),
        "block0 instruction 4 `failed -> 2`: the jump to 2 must go forward and stay in the block"
    );
    assert_eq!(text(|p| p.semantics = 7), "the plan has semantics 7, this tracegen has 1: compile the scenarios again");
}

/// There is a fault in each table and in each stage that is still checked, and there are several in one block.
#[test]
fn all_violations_are_told_at_once_with_their_instructions() {
    let mut program = fixture::program();
    program.services[0].instances = 0;
    program.scenarios[1].weight = -1.0;
    program.blocks[0].code[1] = Inst::Delay { min: 2, max: 1 };
    program.blocks[0].code[2] = Inst::Delay { min: 0, max: 0 };
    program.blocks[1].code.remove(3);
    let export = program.blocks[1].code[3];
    program.blocks[1].code.insert(4, export);
    insta::assert_snapshot!(Plan::verify(program).unwrap_err(), @r#"
    8 violations
      service0: a service has at least one instance
      service1: the resources of a service follow those of the one before: 0 expected
      scenario1: a weight is a finite number, at least 0
      block0 instruction 1 `delay  2ns 1ns`: min is greater than max
      block1 instruction 4 `export slot2`: a second `export` in the block
      block0 instruction 3 `fail   2% RateLimitExceeded "API rate limit exceeded for user." -> 4`: `fail` without a `roll` on every way here
      block1 instruction 3 `export slot2`: slot2 is read, but not written on every way here
      block1 instruction 4 `export slot2`: slot2 is read, but not written on every way here
    "#);
}

/// The target of an invalid id, jump or call is not followed, so its violations are not reported.
#[test]
fn what_only_follows_from_a_violation_is_not_told() {
    let mut program = fixture::program();
    program.blocks[0].code[5] = Inst::Call { block: BlockId(999), spec: None };
    program.blocks[1].code[2] = Inst::Name { value: ExprId(999) };
    insta::assert_snapshot!(Plan::verify(program).unwrap_err(), @r#"
    2 violations
      block0 instruction 5 `call   block999`: block999 is out of range, there are 3
      block1 instruction 2 `name   expr999`: expr999 is out of range, there are 18
    "#);
    let mut program = fixture::program();
    program.blocks[0].code[5] = Inst::Call { block: BlockId(0), spec: None };
    insta::assert_snapshot!(Plan::verify(program).unwrap_err(), @r#"
    2 violations
      block0 instruction 5 `call   block0`: block0 is already called elsewhere, or is a root
      block1: no scenario's root leads here
    "#);
}

/// The number of violations, and what is shown of each, take limited memory.
#[test]
fn of_very_many_violations_some_are_kept_and_all_are_counted() {
    let mut program = fixture::program();
    let operand = ExprId(program.exprs.len() as u32);
    program.exprs.push(Expr::Neg { operand });
    program.blocks[2].code.splice(2..2, (0..5_000).map(|_| Inst::Name { value: operand }));
    let found = Plan::verify(program.clone()).unwrap_err();
    assert_eq!((found.iter().len(), found.count()), (1, 1), "an operand that goes round in a circle comes first");
    program.exprs.pop();
    let found = Plan::verify(program).unwrap_err();
    assert_eq!((found.iter().len(), found.count()), (100, 5_000));
    assert!(found.to_string().ends_with("\n  and 4900 more"), "{found}");
}

/// A violation contains only the beginning of a text that occurs twice.
#[test]
fn a_long_text_is_told_by_its_beginning() {
    let found = broken(|p| {
        let long = "k".repeat(100_000);
        p.texts.push(long);
        let key = TextId(p.texts.len() as u32 - 1);
        (p.attrs[1], p.attrs[2]) = (key, key);
    });
    assert_eq!(found, Place::Block(BlockId(1)).broken(Fault::Twice { subject: "attribute", text: "k".repeat(80) }));
}

/// A cycle of operands is shown as far as it fits on a line.
#[test]
fn an_instruction_that_has_no_end_is_cut() {
    let mut program = fixture::program();
    let operand = ExprId(program.exprs.len() as u32);
    program.exprs.push(Expr::Neg { operand });
    program.blocks[2].code[1] = Inst::Attr { attr: AttrId(999), value: operand };
    let found = Plan::verify(program).unwrap_err();
    let shown = &found.iter().last().expect("two violations").shown;
    assert!(
        shown.starts_with("attr   attr999 = neg neg neg") && shown.ends_with("...") && shown.len() < 170,
        "{shown}"
    );
}

/// Replaces number, text or bool `n` of a JSON tree by `value`; `n` is taken modulo their number.
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
