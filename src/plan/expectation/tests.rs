use super::*;
use crate::plan::fixture;
use crate::plan::{AttrRange, Chance, ErrorId, Form, Inst, Program, SpanForm};

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

/// Returns the fixture with other instructions in its first block; its second block never fails.
fn with(code: Vec<Inst>) -> Plan {
    let mut program: Program = fixture::program();
    let attr = program.blocks[0].code[0];
    program.blocks[0].code = [vec![attr], code].concat();
    Plan::verify(program).expect("a valid plan")
}

fn fail(percent: f64, target: u32) -> Inst {
    Inst::Fail { chance: Chance::from_percent(percent), error: ErrorId(0), target }
}

#[test]
fn a_hit_makes_no_calls() {
    let expected = fixture::plan().expectation(ScenarioId(0)).unwrap();
    near(expected.failed, 0.02);
    near(expected.spans, 1.98);
    let [root, called] = &expected.blocks[..] else { panic!("{expected:?}") };
    assert_eq!((root.block, called.block, &called.hits), (BlockId(0), BlockId(1), &vec![]));
    assert_eq!((root.hits[0].block, root.hits[0].pc), (BlockId(0), 3));
    near(root.failed, 0.02);
    near(called.runs, 0.98);
}

#[test]
fn conditions_of_one_roll_add_up() {
    let call = Inst::Call { block: BlockId(1), spec: None };
    let plan = with(vec![Inst::Roll, fail(10.0, 5), fail(25.0, 5), call, Inst::End]);
    let expected = plan.expectation(ScenarioId(0)).unwrap();
    near(expected.failed, 0.35);
    near(expected.blocks[0].hits[1].share.unwrap(), 0.25);
    near(expected.blocks[1].runs, 0.65);
}

#[test]
fn rolls_multiply_and_a_failed_span_may_go_on() {
    let call = Inst::Call { block: BlockId(1), spec: None };
    let code = vec![Inst::Roll, fail(50.0, 3), Inst::Roll, fail(20.0, 6), call, Inst::End];
    let expected = with(code).expectation(ScenarioId(0)).unwrap();
    near(expected.failed, 1.0 - 0.5 * 0.8);
    near(expected.blocks[0].failed, 1.0 - 0.5 * 0.8);
    near(expected.blocks[1].runs, 0.8);
    near(expected.spans, 1.8);
}

#[test]
fn a_condition_that_always_hits_leaves_nothing_to_the_next() {
    let plan =
        with(vec![Inst::Roll, fail(100.0, 5), fail(0.0, 5), Inst::Call { block: BlockId(1), spec: None }, Inst::End]);
    let expected = plan.expectation(ScenarioId(0)).unwrap();
    near(expected.failed, 1.0);
    near(expected.spans, 1.0);
    near(expected.blocks[0].hits[1].share.unwrap(), 0.0);
}

#[test]
fn an_extent_is_of_what_can_happen() {
    // Part 0 contains all blocks, and each block is a part.
    let extent = |plan: &Plan, part: usize| {
        let expected =
            plan.expectation_by_part(ScenarioId(0), &InForce::new(), |block| vec![0, 1 + block.index()]).unwrap();
        expected.extents.get(&part).copied().unwrap_or(Extent::NOTHING)
    };
    let (all, called) = (|plan: &Plan| extent(plan, 0), |plan: &Plan| extent(plan, 2));
    let plan = fixture::plan();
    assert_eq!((all(&plan).min, all(&plan).max), (1, 2));
    near(all(&plan).none, 0.0);
    assert_eq!((called(&plan).min, called(&plan).max), (0, 1));
    near(called(&plan).none, 0.02);
    let call = Inst::Call { block: BlockId(1), spec: None };
    let never = with(vec![Inst::Roll, fail(0.0, 4), call, Inst::End]);
    assert_eq!(all(&never), Extent { min: 2, max: 2, none: 0.0 });
    let always = with(vec![Inst::Roll, fail(100.0, 4), call, Inst::End]);
    assert_eq!(called(&always), Extent { min: 0, max: 0, none: 1.0 });
}

/// Returns the fixture with many copies of an idle block next to its second one, each called once by the first block.
fn calling(copies: u32, code: impl Fn(u32) -> Vec<Inst>) -> Plan {
    let mut program: Program = fixture::program();
    let attr = program.blocks[0].code[0];
    let mut called = program.blocks[1].clone();
    called.code = vec![Inst::End];
    let form = called.span().unwrap().clone();
    called.form =
        Form::Span(SpanForm { name: program.blocks[0].span().unwrap().name, attrs: AttrRange::default(), ..form });
    let first = program.blocks.len() as u32;
    program.blocks.extend((1..copies).map(|_| called.clone()));
    program.blocks[0].code = [vec![attr], code(first)].concat();
    Plan::verify(program).expect("a valid plan")
}

/// A part whose calls are on different ways is followed as a whole, and adjacent calls of a part are followed as one.
#[test]
fn parts_are_followed_wherever_they_are_called() {
    let call = |block: u32| Inst::Call { block: BlockId(block), spec: None };
    let plan = calling(4, |first| {
        vec![
            call(1),
            Inst::Roll,
            fail(10.0, 5),
            call(first),
            Inst::Roll,
            fail(50.0, 9),
            call(first + 1),
            call(first + 2),
            Inst::End,
        ]
    });
    let first = plan.blocks.len() as u32 - 3;
    // The blocks of a part, the minimum and maximum number of its spans, and the probability that there are none.
    let parts: [(&[u32], u32, u32, f64); 6] = [
        (&[0, 1, first, first + 1, first + 2], 2, 5, 0.0),
        (&[1, first], 1, 2, 0.0),
        (&[first, first + 2], 0, 2, 0.1 * 0.5),
        (&[first + 1, first + 2], 0, 2, 0.5),
        (&[first + 1], 0, 1, 0.5),
        (&[1], 1, 1, 0.0),
    ];
    let of_block = |block: BlockId| (0..6).filter(|part| parts[*part].0.contains(&block.0)).collect::<Vec<_>>();
    let extents = plan.expectation_by_part(ScenarioId(0), &InForce::new(), of_block).unwrap().extents;
    for (part, (_, min, max, none)) in parts.into_iter().enumerate() {
        let found = extents[&part];
        assert_eq!((found.min, found.max), (min, max), "part {part}");
        near(found.none, none);
    }
}
