//! A test for each invariant, by its number: break one thing in a valid program, and see it named. Then programs with
//! anything changed.

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
fn invariant_1_semantics_and_sizes() {
    assert_eq!(broken(|p| p.semantics += 1), Place::Program.broken(Fault::Semantics { found: SEMANTICS + 1 }));
    let (count, max) = (limits::TABLE as u64 + 1, limits::TABLE as u64);
    let too_many = broken(|p| p.attrs = vec![TextId(0); limits::TABLE + 1]);
    assert_eq!(too_many, Place::Program.broken(Fault::TooMany { what: "computed attributes", count, max }));
    let row = || Expr::Concat { parts: vec![ExprId(0); limits::TABLE / 2 + 1].into() };
    assert!(matches!(broken(|p| p.exprs.extend([row(), row()])).fault, Fault::TooMany { what: "operands", .. }));
    let slots = broken(|p| p.scenarios[1].slots = vec![TextId(0); limits::SLOTS + 1]);
    assert_eq!(slots.place, Place::Scenario(ScenarioId(1)));
}

#[test]
fn invariant_2_every_id_is_in_range() {
    type Edit = fn(&mut Program);
    let edits: &[(Place, &str, Edit)] = &[
        (Place::Service(ServiceId(1)), "text", |p| p.services[1].name = TextId(999)),
        (Place::Service(ServiceId(2)), "resource", |p| p.services[2].instances = 2),
        (Place::Resource(ResourceId(0)), "text", |p| p.resources[0].attributes[0].0 = TextId(999)),
        (Place::Resource(ResourceId(0)), "expr", |p| p.resources[0].attributes[0].1 = ExprId(999)),
        (Place::Expr(ExprId(0)), "text", |p| p.exprs[0] = Expr::Const { value: Constant::Text(TextId(999)) }),
        (Place::Attr(AttrId(1)), "text", |p| p.attrs[1] = TextId(999)),
        (Place::Event(EventId(0)), "expr", |p| p.events[0].name = ExprId(999)),
        (Place::Event(EventId(0)), "attr", |p| p.events[0].attributes[0].0 = AttrId(999)),
        (Place::Event(EventId(0)), "expr", |p| p.events[0].attributes[0].1 = ExprId(999)),
        (Place::Error(ErrorId(0)), "expr", |p| p.errors[0].r#type = ExprId(999)),
        (Place::Error(ErrorId(0)), "expr", |p| p.errors[0].message = Some(ExprId(999))),
        (Place::Link(LinkId(0)), "text", |p| p.links[0].glob = TextId(999)),
        (Place::Link(LinkId(0)), "block", |p| p.links[0].sources[0] = BlockId(999)),
        (Place::Scenario(ScenarioId(0)), "text", |p| p.scenarios[0].name = TextId(999)),
        (Place::Scenario(ScenarioId(0)), "text", |p| p.scenarios[0].slots[0] = TextId(999)),
        (Place::Scenario(ScenarioId(0)), "slot", |p| p.scenarios[0].vars[0].0 = SlotId(999)),
        (Place::Scenario(ScenarioId(0)), "expr", |p| p.scenarios[0].vars[0].1 = ExprId(999)),
        (Place::Scenario(ScenarioId(0)), "block", |p| p.scenarios[0].root = BlockId(999)),
        (Place::Block(BlockId(0)), "service", |p| p.blocks[0].span.service = ServiceId(999)),
        (Place::Block(BlockId(0)), "text", |p| p.blocks[0].span.name = Some(TextId(999))),
        (Place::Block(BlockId(0)), "text", |p| p.blocks[0].span.constants[0].1 = Constant::Text(TextId(999))),
        (Place::Block(BlockId(2)), "attr", |p| p.blocks[2].span.attrs.count = 2),
        (Place::Block(BlockId(2)), "attr", |p| p.blocks[2].span.attrs = AttrRange { first: u32::MAX, count: u32::MAX }),
        (inst(0, 0), "expr", |p| p.blocks[0].code[0] = Inst::Attr { attr: AttrId(0), value: ExprId(999) }),
        (inst(0, 3), "error", |p| {
            p.blocks[0].code[3] = Inst::Fail { chance: Chance(0), error: ErrorId(999), target: 4 };
        }),
        (inst(0, 5), "block", |p| p.blocks[0].code[5] = Inst::Call { block: BlockId(999) }),
        (inst(1, 2), "expr", |p| p.blocks[1].code[2] = Inst::Name { value: ExprId(999) }),
        (inst(1, 3), "slot", |p| p.blocks[1].code[3] = Inst::Set { slot: SlotId(3), value: ExprId(0) }),
        (inst(1, 4), "slot", |p| p.blocks[1].code[4] = Inst::Export { key: SlotId(3) }),
        (inst(1, 6), "event", |p| p.blocks[1].code[6] = Inst::Event { event: EventId(999) }),
        (inst(2, 0), "link", |p| p.blocks[2].code[0] = Inst::Link { link: LinkId(999) }),
    ];
    for (n, (place, table, edit)) in edits.iter().enumerate() {
        let found = broken(edit);
        assert_eq!(found.place, *place, "edit {n}: {found}");
        assert!(matches!(found.fault, Fault::OutOfRange { what, .. } if what == *table), "edit {n}: {found}");
    }
}

#[test]
fn invariant_3_texts() {
    let text = fixture::program().texts[1].clone();
    let twice = broken(|p| p.texts.push(text.clone()));
    assert_eq!(twice.fault, Fault::Twice { what: "text", text });
    let long = broken(|p| p.texts.push("x".repeat(limits::TEXT_BYTES + 1)));
    assert!(matches!(long.fault, Fault::TooMany { what: "bytes of text", .. }));
    let all = broken(|p| p.texts.extend((0..64).map(|i| format!("{i}{}", "x".repeat(limits::TEXT_BYTES - 2)))));
    assert_eq!(all.place, Place::Program);
    type Edit = fn(&mut Program, TextId);
    let edits: [(&'static str, Edit); 5] = [
        ("a service's name", |p, empty| p.services[0].name = empty),
        ("a scenario's name", |p, empty| p.scenarios[0].name = empty),
        ("an attribute's key", |p, empty| p.attrs[0] = empty),
        ("an attribute's key", |p, empty| p.blocks[0].span.constants[0].0 = empty),
        ("an attribute's key", |p, empty| p.resources[0].attributes[0].0 = empty),
    ];
    for (what, edit) in edits {
        let found = broken(|p| {
            p.texts.push(String::new());
            edit(p, TextId(p.texts.len() as u32 - 1));
        });
        assert_eq!(found.fault, Fault::Empty { what });
    }
}

#[test]
fn invariant_4_resources_follow_one_another() {
    let none = broken(|p| p.services[0].instances = 0);
    assert_eq!(none, Place::Service(ServiceId(0)).broken(Fault::Range("a service has at least one instance")));
    let swapped = broken(|p| p.services[1].first_resource = ResourceId(0));
    assert_eq!(swapped, Place::Service(ServiceId(1)).broken(Fault::ResourceOrder { expected: 1 }));
    let left_over = broken(|p| p.resources.push(Resource { attributes: vec![] }));
    assert_eq!(left_over.place, Place::Resource(ResourceId(3)));
}

#[test]
fn invariant_5_attributes_have_one_owner_and_keys_are_unique() {
    let shared = broken(|p| p.blocks[2].span.attrs = p.blocks[1].span.attrs);
    assert_eq!(shared, Place::Block(BlockId(2)).broken(Fault::Attribute { attr: 1 }));
    let with_event = broken(|p| p.events[0].attributes[0].0 = AttrId(0));
    assert_eq!(with_event, Place::Block(BlockId(0)).broken(Fault::Attribute { attr: 0 }));
    let twice = |what: &str| Fault::Twice { what: "attribute", text: what.into() };
    let both = broken(|p| p.attrs[0] = p.blocks[0].span.constants[0].0);
    assert_eq!(both, Place::Block(BlockId(0)).broken(twice("http.request.method")));
    let computed = broken(|p| p.attrs[2] = p.attrs[1]);
    assert_eq!(computed, Place::Block(BlockId(1)).broken(twice("order.id")));
    let resource = broken(|p| {
        let first = p.resources[0].attributes[0];
        p.resources[0].attributes.push(first);
    });
    assert_eq!(resource, Place::Resource(ResourceId(0)).broken(twice("service.name")));
    let event = broken(|p| {
        p.attrs.push(p.attrs[3]);
        p.events[0].attributes.push((AttrId(p.attrs.len() as u32 - 1), ExprId(0)));
    });
    assert_eq!(event, Place::Event(EventId(0)).broken(twice("order.total")));
}

#[test]
fn invariant_6_operands_stand_before() {
    let found = broken(|p| p.exprs[0] = Expr::Not { of: ExprId(0) });
    assert_eq!(found, Place::Expr(ExprId(0)).broken(Fault::Operand { operand: ExprId(0) }));
    let chain = |depth: u16| {
        let mut program = fixture::program();
        program.exprs.push(Expr::TraceIndex);
        for _ in 1..depth {
            let of = ExprId(program.exprs.len() as u32 - 1);
            program.exprs.push(Expr::Neg { of });
        }
        let value = ExprId(program.exprs.len() as u32 - 1);
        program.scenarios[0].vars.push((SlotId(2), value));
        Plan::verify(program)
    };
    assert!(chain(limits::EXPR_DEPTH).is_ok());
    assert_eq!(chain(limits::EXPR_DEPTH + 1).unwrap_err().fault, Fault::ExprDepth);
}

#[test]
fn invariant_7_parameters_are_in_range() {
    let zero = ExprId(0);
    let wrong = [
        Expr::RandomInt { min: 2, max: 1 },
        Expr::RandomFloat { min: 2, max: 1, digits: 0 },
        Expr::RandomFloat { min: 1, max: 2, digits: 16 },
        Expr::RandomFloatBetween { min: zero, max: zero, digits: 16 },
        Expr::RandomBool { chance: Chance(Chance::ONE.0 + 1) },
        Expr::RandomChoice { items: [].into() },
        Expr::RandomWeighted { items: [].into(), weights: [].into() },
        Expr::RandomWeighted { items: [zero].into(), weights: [1.0, 2.0].into() },
        Expr::RandomWeighted { items: [zero].into(), weights: [-1.0].into() },
        Expr::RandomWeighted { items: [zero].into(), weights: [f64::NAN].into() },
        Expr::RandomWeighted { items: [zero].into(), weights: [f64::INFINITY].into() },
        Expr::RandomWeighted { items: [zero, zero].into(), weights: [f64::MAX, f64::MAX].into() },
        Expr::RandomHex { digits: 0 },
        Expr::RandomHex { digits: 1_025 },
        Expr::StableHex { of: zero, digits: 0 },
        Expr::StableHex { of: zero, digits: 1_025 },
        Expr::StablePick { of: zero, items: [].into() },
        Expr::Round { of: zero, digits: 16 },
        Expr::Pad { of: zero, width: 1_025 },
        Expr::RandomZipf { n: 0, s: 1.0 },
        Expr::RandomZipf { n: limits::ZIPF_N + 1, s: 1.0 },
        Expr::RandomZipf { n: 9, s: 0.0 },
        Expr::RandomZipf { n: 9, s: 10.5 },
        Expr::RandomZipf { n: 9, s: f64::NAN },
        Expr::Const { value: Constant::Double(f64::NAN) },
        Expr::Const { value: Constant::List([Constant::Double(f64::INFINITY)].into()) },
    ];
    for expr in wrong {
        let found = with_var(|_| expr.clone()).expect_err(&format!("{expr:?}"));
        assert!(matches!(found.fault, Fault::Range(_)), "{expr:?}: {found}");
    }
    let weightless = Expr::RandomWeighted { items: [zero].into(), weights: [0.0].into() };
    assert_eq!(with_var(|_| weightless).unwrap_err().fault, Fault::NoWeight);
    let mixed = Constant::List([Constant::Int(1), Constant::Bool(true)].into());
    let nested = Constant::List([Constant::List([].into())].into());
    for value in [mixed, nested] {
        assert_eq!(with_var(|_| Expr::Const { value: value.clone() }).unwrap_err().fault, Fault::MixedList);
        let constant = broken(|p| p.blocks[0].span.constants[0].1 = value);
        assert_eq!(constant, Place::Block(BlockId(0)).broken(Fault::MixedList));
    }
}

#[test]
fn invariant_8_vars_and_resources_read_only_what_is_there() {
    let key = TextId(0);
    for expr in [Expr::SpanId, Expr::Linked { key }, Expr::LinkedKey] {
        assert!(matches!(with_var(|_| expr.clone()).unwrap_err().fault, Fault::NotHere(_)), "{expr:?}");
    }
    for expr in [Expr::Slot { slot: SlotId(0) }, Expr::RandomUuid, Expr::TimeIso, Expr::TraceIndex, Expr::SpanId] {
        let found = broken(|p| p.exprs[0] = expr.clone());
        assert_eq!(found.place, Place::Resource(ResourceId(0)));
        assert!(matches!(found.fault, Fault::NotHere(_)), "{expr:?}: {found}");
    }
    let stable = valid(|p| {
        p.exprs.push(Expr::StableUuid { of: ExprId(0) });
        let (key, value) = (p.attrs[0], ExprId(p.exprs.len() as u32 - 1));
        p.resources[0].attributes.push((key, value));
    });
    assert_eq!(stable.resources[0].attributes.len(), 2);
}

#[test]
fn invariant_9_evaluation_and_text_have_an_end() {
    // Each is the one before twice: 2^30 evaluations in 30 expressions.
    let doubled = with_var(|maker| {
        let mut last = maker.expr(Expr::TraceIndex);
        for _ in 0..30 {
            last = maker.expr(Expr::Binary { operator: Operator::Mul, left: last, right: last });
        }
        Expr::Text { of: last }
    });
    assert!(matches!(doubled.unwrap_err().fault, Fault::TooMany { what: "expressions to evaluate", .. }));
    let long = with_var(|maker| {
        let part = maker.constant(&"x".repeat(limits::TEXT_BYTES));
        Expr::Concat { parts: vec![part; 257].into() }
    });
    assert!(matches!(long.unwrap_err().fault, Fault::TooMany { what: "bytes of text in a trace", .. }));
    // The same by way of a slot that is set again and again.
    let slot = broken(|p| {
        p.exprs.push(Expr::Slot { slot: SlotId(1) });
        let twice = ExprId(p.exprs.len() as u32 - 1);
        p.exprs.push(Expr::Concat { parts: [twice, twice].into() });
        let value = ExprId(p.exprs.len() as u32 - 1);
        p.scenarios[0].vars.extend([(SlotId(1), value); 30]);
    });
    assert_eq!(slot.place, Place::Scenario(ScenarioId(0)));
    assert!(matches!(slot.fault, Fault::TooMany { what: "bytes of text in a trace", .. }));
}

#[test]
fn invariant_10_scenarios() {
    assert_eq!(broken(|p| p.scenarios.clear()), Place::Program.broken(Fault::NoScenario));
    let twice = broken(|p| p.scenarios[1].name = p.scenarios[0].name);
    assert!(matches!(twice.fault, Fault::Twice { what: "scenario", .. }));
    let no_weight = broken(|p| p.scenarios.iter_mut().for_each(|s| s.weight = 0.0));
    assert_eq!(no_weight, Place::Program.broken(Fault::NoWeight));
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let found = broken(|p| p.scenarios[1].weight = weight);
        assert_eq!(found.place, Place::Scenario(ScenarioId(1)), "{found}");
    }
    assert!(matches!(broken(|p| p.scenarios.iter_mut().for_each(|s| s.weight = f64::MAX)).fault, Fault::Range(_)));
}

/// The fixture with `n` more blocks under its third, each called by the one `caller` says.
fn with_calls(n: u32, caller: impl Fn(u32) -> u32) -> Result<Plan, Violation> {
    let mut program = fixture::program();
    let form = SpanForm { attrs: AttrRange::default(), ..program.blocks[2].span.clone() };
    for block in 3..3 + n {
        program.blocks.push(Block { span: form.clone(), code: vec![Inst::End] });
        let code = &mut program.blocks[caller(block) as usize].code;
        code.insert(code.len() - 1, Inst::Call { block: BlockId(block) });
    }
    Plan::verify(program)
}

#[test]
fn invariant_11_calls_form_trees() {
    let called = |block| Fault::CalledTwice { block: BlockId(block) };
    let twice = broken(|p| p.blocks[0].code.insert(5, Inst::Call { block: BlockId(1) }));
    assert_eq!(twice, inst(0, 6).broken(called(1)));
    let root = broken(|p| p.blocks[1].code.insert(7, Inst::Call { block: BlockId(2) }));
    assert_eq!(root.fault, called(2));
    let itself = broken(|p| p.blocks[2].code.insert(3, Inst::Call { block: BlockId(2) }));
    assert_eq!(itself, inst(2, 3).broken(called(2)));
    let two_roots = broken(|p| p.scenarios[1].root = BlockId(0));
    assert_eq!(two_roots, Place::Scenario(ScenarioId(1)).broken(called(0)));
    let never = broken(|p| p.blocks[0].code[5] = Inst::Roll);
    assert_eq!(never.fault, Fault::NeverCalled);
    let cycle = with_calls(2, |block| if block == 3 { 2 } else { block });
    assert_eq!(cycle.unwrap_err(), Place::Block(BlockId(4)).broken(Fault::NeverCalled));
    let depth = limits::CALL_DEPTH as u32;
    assert!(with_calls(depth - 1, |block| block - 1).is_ok());
    assert_eq!(with_calls(depth, |block| block - 1).unwrap_err().fault, Fault::CallDepth);
}

#[test]
fn invariant_12_spans_and_time_are_bounded() {
    assert_eq!(with_calls(9_999, |_| 2).unwrap().bound(ScenarioId(1)).max_spans, 10_000);
    let found = with_calls(10_000, |_| 2).unwrap_err();
    assert_eq!(found, Place::Scenario(ScenarioId(1)).broken(Fault::Spans { max: 10_001 }));
    let upside_down = broken(|p| p.blocks[2].code[2] = Inst::Delay { min: 2, max: 1 });
    assert_eq!(upside_down, inst(2, 2).broken(Fault::Range("min is greater than max")));
    let long = broken(|p| p.blocks[2].code[2] = Inst::Delay { min: 0, max: limits::DELAY + 1 });
    assert_eq!(long, inst(2, 2).broken(Fault::Range("a delay is at most 24 h")));
    let day = Inst::Delay { min: 0, max: limits::DELAY };
    let days = |n: usize| move |p: &mut Program| drop(p.blocks[2].code.splice(2..3, vec![day; n]));
    let most = (limits::DURATION / limits::DELAY) as usize;
    assert_eq!(valid(days(most)).duration_bound(), most as u64 * limits::DELAY);
    assert_eq!(broken(days(most + 1)), inst(2, most + 2).broken(Fault::Duration));
}

#[test]
fn invariant_13_code_ends_and_goes_forward() {
    assert_eq!(broken(|p| p.blocks[0].code.clear()), Place::Block(BlockId(0)).broken(Fault::End));
    let cut = broken(|p| {
        p.blocks[2].code.pop();
    });
    assert_eq!(cut, inst(2, 2).broken(Fault::End));
    assert_eq!(broken(|p| p.blocks[2].code.insert(1, Inst::End)), inst(2, 1).broken(Fault::End));
    for target in [0, 4, 7, u32::MAX] {
        let found = broken(|p| p.blocks[0].code[4] = Inst::SkipIfFailed { target });
        assert_eq!(found, inst(0, 4).broken(Fault::Jump { target }));
        let fail = Inst::Fail { chance: Chance(1), error: ErrorId(0), target };
        assert_eq!(broken(|p| p.blocks[0].code[4] = fail), inst(0, 4).broken(Fault::Jump { target }));
    }
}

#[test]
fn invariant_14_slots_are_written_before_they_are_read() {
    let unwritten = |slot| Fault::Unwritten { slot: SlotId(slot) };
    let vars = broken(|p| p.scenarios[0].vars.clear());
    assert_eq!(vars, inst(0, 0).broken(unwritten(0)));
    let order = broken(|p| {
        p.exprs[6] = Expr::Slot { slot: SlotId(1) };
        p.exprs[7] = Expr::Text { of: ExprId(6) };
        p.scenarios[0].vars[0].1 = ExprId(7);
    });
    assert_eq!(order.fault, unwritten(1));
    let export = broken(|p| {
        p.blocks[1].code.remove(3);
    });
    assert_eq!(export, inst(1, 3).broken(unwritten(2)));

    // Slot 2 is read in the root's child, and set by the root: before the call, where a jump can leave it out, and after.
    let set_in_root = |at: usize, target: u32| {
        move |p: &mut Program| {
            let value = p.scenarios[0].vars[0].1;
            p.blocks[1].code.remove(3);
            p.blocks[0].code.insert(at, Inst::Set { slot: SlotId(2), value });
            for (pc, inst) in p.blocks[0].code.iter_mut().enumerate() {
                match inst {
                    Inst::Fail { target: t, .. } => *t = target,
                    Inst::SkipIfFailed { target: t } => *t = 7,
                    _ => assert!(pc < 8),
                }
            }
        }
    };
    valid(set_in_root(3, 5));
    assert_eq!(broken(set_in_root(4, 5)), inst(1, 3).broken(unwritten(2)));
    valid(set_in_root(4, 4));
    assert_eq!(broken(set_in_root(6, 5)), inst(1, 3).broken(unwritten(2)));

    // What a called span writes is not taken for written in its caller.
    let by_child = broken(|p| p.blocks[0].code.insert(6, Inst::Export { key: SlotId(2) }));
    assert_eq!(by_child, inst(0, 6).broken(unwritten(2)));
    // Nor in another scenario.
    let other = broken(|p| {
        p.scenarios[1].slots.push(TextId(0));
        p.blocks[2].code.insert(0, Inst::Export { key: SlotId(0) });
    });
    assert_eq!(other, inst(2, 0).broken(unwritten(0)));
    // A failure's message and an event are read where they happen.
    let message = broken(|p| {
        p.exprs.push(Expr::Slot { slot: SlotId(2) });
        p.errors[0].message = Some(ExprId(p.exprs.len() as u32 - 1));
    });
    assert_eq!(message, inst(0, 3).broken(unwritten(2)));
    let event = broken(|p| {
        p.exprs.push(Expr::Slot { slot: SlotId(2) });
        p.events[0].name = ExprId(p.exprs.len() as u32 - 1);
        p.blocks[1].code[3..7].rotate_right(1);
    });
    assert_eq!(event, inst(1, 3).broken(unwritten(2)));
}

#[test]
fn invariant_15_a_block_writes_its_own_attributes() {
    for attr in [1, 999] {
        let found = broken(|p| p.blocks[0].code[0] = Inst::Attr { attr: AttrId(attr), value: ExprId(0) });
        assert_eq!(found, inst(0, 0).broken(Fault::Attribute { attr }));
    }
}

#[test]
fn invariant_16_a_span_has_one_name() {
    let none = broken(|p| p.blocks[0].span.name = None);
    assert_eq!(none, inst(0, 1).broken(Fault::Name("the span has no name on every way here")));
    let late = broken(|p| p.blocks[1].code[2..6].rotate_left(1));
    assert_eq!(late, inst(1, 4).broken(Fault::Name("the span has no name on every way here")));
    let second = Fault::Name("the span already has a name");
    let twice = broken(|p| {
        let name = p.blocks[1].code[2];
        p.blocks[1].code.insert(3, name);
    });
    assert_eq!(twice, inst(1, 3).broken(second.clone()));
    let both = broken(|p| p.blocks[1].span.name = Some(TextId(0)));
    assert_eq!(both, inst(1, 2).broken(second));
    let left_out = broken(|p| {
        let jump = Inst::Fail { chance: Chance(1), error: ErrorId(0), target: 4 };
        p.blocks[1].code.splice(2..2, [Inst::Roll, jump]);
        p.blocks[1].code[3] = Inst::Fail { chance: Chance(1), error: ErrorId(0), target: 5 };
    });
    assert_eq!(left_out, inst(1, 7).broken(Fault::Name("the span has no name on every way here")));
}

#[test]
fn invariant_17_chances_are_rolled_for_and_sum_to_one() {
    let not_rolled = broken(|p| p.blocks[0].code[2] = Inst::Delay { min: 0, max: 0 });
    assert_eq!(not_rolled, inst(0, 3).broken(Fault::NotRolled));
    let fail = |chance| Inst::Fail { chance: Chance(chance), error: ErrorId(0), target: 6 };
    let half = Chance::ONE.0 / 2;
    let chances = |chances: [u64; 2]| {
        move |p: &mut Program| {
            p.blocks[0].code[4] = Inst::Roll;
            p.blocks[0].code.splice(3..4, chances.map(fail));
        }
    };
    valid(chances([half, half]));
    assert_eq!(broken(chances([half, half + 1])), inst(0, 4).broken(Fault::ChanceSum));
    assert_eq!(broken(chances([half, u64::MAX])), inst(0, 4).broken(Fault::ChanceSum));
    // A new roll begins a new sum.
    valid(|p| {
        p.blocks[0].code[4] = Inst::Roll;
        p.blocks[0].code.splice(3..4, [fail(Chance::ONE.0), Inst::Roll, fail(Chance::ONE.0)]);
    });
}

#[test]
fn invariant_18_no_constant_error_type_where_a_span_can_fail() {
    let error_type = |p: &mut Program| p.attrs[2];
    let found = broken(|p| p.blocks[0].span.constants[0].0 = error_type(p));
    assert_eq!(found, Place::Block(BlockId(0)).broken(Fault::ConstantErrorType));
    valid(|p| {
        let key = error_type(p);
        p.blocks[2].span.constants.push((key, Constant::Bool(true)));
    });
}

#[test]
fn invariant_19_one_link_and_one_export_before_they_are_read() {
    let link = broken(|p| p.blocks[2].code.insert(1, Inst::Link { link: LinkId(0) }));
    assert_eq!(link, inst(2, 1).broken(Fault::Second { what: "link" }));
    let export = broken(|p| {
        let export = p.blocks[1].code[4];
        p.blocks[1].code.insert(5, export);
    });
    assert_eq!(export, inst(1, 5).broken(Fault::Second { what: "export" }));
    let early = broken(|p| p.blocks[2].code.swap(0, 1));
    assert_eq!(early.place, inst(2, 0));
    assert!(matches!(early.fault, Fault::NotHere(_)));
    let left_out = broken(|p| {
        let jump = Inst::Fail { chance: Chance(1), error: ErrorId(0), target: 3 };
        p.blocks[2].code.splice(0..0, [Inst::Roll, jump]);
    });
    assert_eq!(left_out.place, inst(2, 3));
}

#[test]
fn invariant_20_links_have_sources_that_export() {
    let none = broken(|p| p.links[0].sources.clear());
    assert_eq!(none, Place::Link(LinkId(0)).broken(Fault::NoSource));
    let no_export = broken(|p| p.links[0].sources.push(BlockId(0)));
    assert_eq!(no_export, Place::Link(LinkId(0)).broken(Fault::NoExport { block: BlockId(0) }));
    let many = |n: u32| {
        let mut program = fixture::program();
        let form = SpanForm { attrs: AttrRange::default(), ..program.blocks[2].span.clone() };
        for block in 3..3 + n {
            program.blocks.push(Block { span: form.clone(), code: vec![Inst::Link { link: LinkId(0) }, Inst::End] });
            program.blocks[2].code.insert(3, Inst::Call { block: BlockId(block) });
        }
        Plan::verify(program)
    };
    assert!(many(limits::LINKS - 1).is_ok());
    let found = many(limits::LINKS).unwrap_err();
    assert_eq!(found.place, Place::Scenario(ScenarioId(1)));
    assert!(matches!(found.fault, Fault::TooMany { what: "links", count: 65, max: 64 }));
}

/// `n` scenarios, each linking to the one before; the first, if `circle`, to the last.
fn chain(n: u32, circle: bool) -> Result<Plan, Violation> {
    let mut m = Maker { program: fixture::program() };
    let value = m.constant("key");
    let form = SpanForm { attrs: AttrRange::default(), ..m.program.blocks[2].span.clone() };
    for i in 0..n {
        let (name, block) = (TextId(m.program.texts.len() as u32), m.program.blocks.len() as u32);
        m.program.texts.push(format!("chain {i}"));
        let (slots, root) = (vec![name], BlockId(block));
        m.program.scenarios.push(Scenario { name, weight: 1.0, slots, vars: vec![], root });
        let mut code = vec![Inst::Set { slot: SlotId(0), value }, Inst::Export { key: SlotId(0) }, Inst::End];
        if i > 0 || circle {
            let source = if i > 0 { block - 1 } else { block + n - 1 };
            m.program.links.push(Link { glob: name, sources: vec![BlockId(source)] });
            code.insert(0, Inst::Link { link: LinkId(m.program.links.len() as u32 - 1) });
        }
        m.program.blocks.push(Block { span: form.clone(), code });
    }
    Plan::verify(m.program)
}

#[test]
fn invariant_21_links_go_back_but_not_far() {
    assert!(chain(limits::LINK_CHAIN + 1, false).is_ok());
    assert_eq!(chain(limits::LINK_CHAIN + 2, false).unwrap_err().fault, Fault::LinkChain);
    assert_eq!(chain(60_000, false).unwrap_err().fault, Fault::LinkChain);
    assert_eq!(chain(1, true).unwrap_err().fault, Fault::LinkCycle);
    assert_eq!(chain(3, true).unwrap_err().fault, Fault::LinkCycle);
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
