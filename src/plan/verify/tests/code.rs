//! Tests of invariants 11 to 21: calls, bounds, code, links.

use super::*;

/// Returns the fixture with `n` more blocks below its third one; `caller` returns which block calls each of them.
fn with_calls(n: u32, caller: impl Fn(u32) -> u32) -> Result<Plan, Violation> {
    let mut program = fixture::program();
    let form = SpanForm { attrs: AttrRange::default(), ..program.blocks[2].span().unwrap().clone() };
    for block in 3..3 + n {
        program.blocks.push(Block { form: Form::Span(form.clone()), code: vec![Inst::End] });
        let code = &mut program.blocks[caller(block) as usize].code;
        code.insert(code.len() - 1, Inst::Call { block: BlockId(block), spec: None });
    }
    verified(program)
}

#[test]
fn invariant_11_calls_form_trees() {
    let called = |block| Fault::CalledTwice { block: BlockId(block) };
    let twice = broken(|p| p.blocks[0].code.insert(5, Inst::Call { block: BlockId(1), spec: None }));
    assert_eq!(twice, inst(0, 6).broken(called(1)));
    let root = broken(|p| p.blocks[1].code.insert(7, Inst::Call { block: BlockId(2), spec: None }));
    assert_eq!(root.fault, called(2));
    let itself = broken(|p| p.blocks[2].code.insert(3, Inst::Call { block: BlockId(2), spec: None }));
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
    let turns = |max: u32| {
        move |p: &mut Program| {
            let count = ExprId(p.exprs.len() as u32);
            p.exprs.push(Expr::Const { value: Constant::Int(3) });
            let repeat = Repeat { count, max, index: None, total: None, until: None };
            p.specs = vec![CallSpec { repeat: Some(repeat), ..CallSpec::default() }];
            let form = SpanForm { attrs: AttrRange::default(), ..span(p, 2).clone() };
            let called = |code| Block { form: Form::Span(form.clone()), code };
            let call = |block| Inst::Call { block: BlockId(block), spec: Some(CallSpecId(0)) };
            p.blocks.extend([called(vec![call(4), Inst::End]), called(vec![Inst::End])]);
            p.blocks[2].code.insert(3, call(3));
        }
    };
    // The spans are the root, the turns of its callee, and the turns of each of these.
    assert_eq!(
        valid(turns(255)).bound(ScenarioId(1)),
        Bound { min_spans: 1 + 3 + 9, max_spans: 65_281, duration: 2_000_000_000 }
    );
    let found = broken(turns(256));
    assert_eq!(found, Place::Scenario(ScenarioId(1)).broken(Fault::Spans { max: 65_793, factors: vec![256, 256] }));
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

/// Returns an edit after which the fixture's third block is a client that calls a server with these terms and reads an
/// answer.
fn with_client(change: impl Fn(&mut Program)) -> impl Fn(&mut Program) {
    move |p: &mut Program| {
        let slots = p.scenarios[1].slots.len() as u32;
        p.scenarios[1].slots.extend(["error", "error.type", "error.message", "answer"].map(String::from));
        let [failed, r#type, message, slot] = [0, 1, 2, 3].map(|at| SlotId(slots + at));
        let (attr, value) = (AttrId(p.attrs.len() as u32), ExprId(p.exprs.len() as u32));
        p.attrs.push(p.services[0].name);
        p.exprs.push(Expr::Const { value: Constant::Bool(false) });
        p.dists.push(Dist { form: DistForm::Uniform { min: 1, max: 5 }, max: 5 });
        p.answers.push(Answer { attr, slot });
        let exchange = Exchange { network: DistId(p.dists.len() as u32 - 1), first_answer: AnswerId(0), answers: 1 };
        let outcome = Some(Outcome { failed, r#type, message });
        p.specs = vec![CallSpec { exchange: Some(exchange), outcome, ..CallSpec::default() }];
        let server =
            SpanForm { kind: SpanKind::Server, attrs: AttrRange { first: attr.0, count: 1 }, ..span(p, 2).clone() };
        p.blocks.push(Block { form: Form::Span(server), code: vec![Inst::Attr { attr, value }, Inst::End] });
        span(p, 2).kind = SpanKind::Client;
        let set = |slot| Inst::Set { slot, value };
        let call = Inst::Call { block: BlockId(3), spec: Some(CallSpecId(0)) };
        p.blocks[2].code.splice(3..3, [set(failed), set(r#type), set(message), call]);
        change(p);
    }
}

#[test]
fn a_request_is_a_clients_to_a_server_and_brings_what_is_the_servers() {
    valid(with_client(|_| {}));
    let at = inst(2, 6);
    let rule = "a CLIENT sends a request, to a SERVER";
    assert_eq!(broken(with_client(|p| span(p, 2).kind = SpanKind::Internal)), at.broken(Fault::Range(rule)));
    assert_eq!(broken(with_client(|p| span(p, 3).kind = SpanKind::Consumer)), at.broken(Fault::Range(rule)));
    let foreign = broken(with_client(|p| p.answers[0].attr = AttrId(0)));
    assert_eq!(foreign, at.broken(Fault::Attribute { attr: 0 }));
    let spec = |change: fn(&mut CallSpec)| broken(with_client(move |p| change(&mut p.specs[0])));
    let of_spec = |rule| Place::CallSpec(CallSpecId(0)).broken(Fault::Range(rule));
    assert_eq!(spec(|spec| spec.outcome = None), of_spec("a request has an outcome"));
    let alone = of_spec("a request has no other terms than its outcome");
    assert_eq!(spec(|spec| spec.wait = spec.exchange.map(|exchange| exchange.network)), alone);
    for (first, answers) in [(0, 2), (1, 1), (u32::MAX, u32::MAX)] {
        let found = broken(with_client(move |p| {
            let exchange = p.specs[0].exchange.as_mut().unwrap();
            (exchange.first_answer, exchange.answers) = (AnswerId(first), answers);
        }));
        assert!(matches!(found.fault, Fault::OutOfRange { subject: "answer", len: 1, .. }), "{found}");
    }
    let early = broken(with_client(|p| {
        let answer = p.exprs.len() as u32;
        p.exprs.push(Expr::Slot { slot: p.answers[0].slot });
        p.blocks[2].code.insert(6, Inst::Set { slot: p.answers[0].slot, value: ExprId(answer) });
    }));
    assert!(matches!(early.fault, Fault::Unwritten { .. }), "{early}");
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
        p.exprs[7] = Expr::Text { operand: ExprId(6) };
        p.scenarios[0].vars[0].1 = ExprId(7);
    });
    assert_eq!(order.fault, unwritten(1));
    let export = broken(|p| {
        p.blocks[1].code.remove(3);
    });
    assert_eq!(export, inst(1, 3).broken(unwritten(2)));

    // The root's child reads slot 2, which the root sets before the call, where a jump can leave it out, or after it.
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

    // Slots written by a called span do not count as written in its caller.
    let by_child = broken(|p| p.blocks[0].code.insert(6, Inst::Export { key: SlotId(2) }));
    assert_eq!(by_child, inst(0, 6).broken(unwritten(2)));
    // They do not count in another scenario either.
    let other = broken(|p| {
        p.scenarios[1].slots.push("more".into());
        p.blocks[2].code.insert(0, Inst::Export { key: SlotId(0) });
    });
    assert_eq!(other, inst(2, 0).broken(unwritten(0)));
    // The message of a failure and an event read slots where they happen.
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

/// A failure may take longer than the work that it replaces.
#[test]
fn invariant_12_the_time_of_a_failure_counts() {
    let delayed = |p: &mut Program| {
        p.dists = vec![Dist { form: DistForm::Uniform { min: 0, max: 40_000_000 }, max: 40_000_000 }];
        p.errors[0].delay = Some(DistId(0));
    };
    let refused = |p: &mut Program| {
        delayed(p);
        p.blocks[0].code[1..4].rotate_left(1);
        p.blocks[0].code[2] = Inst::Fail { chance: Chance::from_percent(2.0), error: ErrorId(0), target: 4 };
    };
    assert_eq!(valid(delayed).bound(ScenarioId(0)).duration, 15_000_000 + 40_000_000 + 1_500_000);
    assert_eq!(valid(refused).bound(ScenarioId(0)).duration, 40_000_000 + 1_500_000);
    let passed_on = broken(|p| {
        delayed(p);
        p.blocks[0].code.insert(6, Inst::Propagate { error: ErrorId(0), target: 7 });
    });
    assert_eq!(passed_on, inst(0, 6).broken(Fault::Range("only a `fail` has an error that takes time")));
}

#[test]
fn invariant_16_a_span_has_one_name() {
    let none = broken(|p| span(p, 0).name = None);
    assert_eq!(none, inst(0, 1).broken(Fault::Name("the span has no name on every way here")));
    let late = broken(|p| p.blocks[1].code[2..6].rotate_left(1));
    assert_eq!(late, inst(1, 4).broken(Fault::Name("the span has no name on every way here")));
    let second = Fault::Name("the span already has a name");
    let twice = broken(|p| {
        let name = p.blocks[1].code[2];
        p.blocks[1].code.insert(3, name);
    });
    assert_eq!(twice, inst(1, 3).broken(second.clone()));
    let both = broken(|p| span(p, 1).name = Some(TextId(0)));
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
    let found = broken(|p| span(p, 0).constants[0].0 = error_type(p));
    assert_eq!(found, Place::Block(BlockId(0)).broken(Fault::ConstantErrorType));
    valid(|p| {
        let key = error_type(p);
        span(p, 2).constants.push((key, Constant::Bool(true)));
    });
}

#[test]
fn invariant_19_links_before_they_are_read_and_one_export() {
    let export = broken(|p| {
        let export = p.blocks[1].code[4];
        p.blocks[1].code.insert(5, export);
    });
    assert_eq!(export, inst(1, 5).broken(Fault::Second { subject: "export" }));
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
        let form = SpanForm { attrs: AttrRange::default(), ..program.blocks[2].span().unwrap().clone() };
        for block in 3..3 + n {
            program
                .blocks
                .push(Block { form: Form::Span(form.clone()), code: vec![Inst::Link { link: LinkId(0) }, Inst::End] });
            program.blocks[2].code.insert(3, Inst::Call { block: BlockId(block), spec: None });
        }
        verified(program)
    };
    assert!(many(limits::LINKS - 1).is_ok());
    let found = many(limits::LINKS).unwrap_err();
    assert_eq!(found.place, Place::Scenario(ScenarioId(1)));
    assert!(matches!(found.fault, Fault::TooMany { subject: "links", count: 65, max: 64 }));
}

/// Returns the fixture with a link in its second scenario to its own trace, from one block to another one that exports.
fn within_a_trace(from: u32, to: u32) -> Result<Plan, Violation> {
    let mut m = Maker { program: fixture::program() };
    let (name, glob) = (m.text("s"), m.text("k"));
    let value = m.expr(Expr::Const { value: Constant::Text(name) });
    for block in 3..6 {
        let form = Form::Span(SpanForm { attrs: AttrRange::default(), ..span(&mut m.program, 2).clone() });
        let mut code = vec![Inst::Set { slot: SlotId(0), value }, Inst::Export { key: SlotId(0) }, Inst::End];
        if block == from {
            code.insert(0, Inst::Link { link: LinkId(1) });
        }
        m.program.blocks.push(Block { form, code });
    }
    m.program.scenarios[1].slots.push("key".into());
    let call = |block| Inst::Call { block: BlockId(block), spec: None };
    m.program.blocks[2].code.splice(3..3, [call(3), call(4)]);
    m.program.blocks[4].code.insert(2, call(5));
    m.program.links.push(Link { same_trace: true, ..Link::plain(glob, vec![BlockId(to)]) });
    verified(m.program)
}

#[test]
fn invariant_20_a_link_within_a_trace_leads_back() {
    for (from, to) in [(4, 3), (5, 3)] {
        assert!(within_a_trace(from, to).is_ok(), "{from} to {to}");
    }
    for (from, to) in [(3, 4), (3, 3), (5, 4), (4, 1)] {
        let found = within_a_trace(from, to).unwrap_err();
        assert_eq!(found, inst(from, 0).broken(Fault::LinkAhead { block: BlockId(to) }), "{from} to {to}");
    }
}

#[test]
fn invariant_20_how_many_spans_a_link_finds_is_bounded() {
    let count = |max| move |p: &mut Program| p.links[0].count = Some(LinkCount { value: ExprId(0), max });
    valid(count(limits::LINKED));
    for max in [0, limits::LINKED + 1] {
        let fault = Fault::Range("a link finds 1 to 1,000 spans");
        assert_eq!(broken(count(max)), Place::Link(LinkId(0)).broken(fault));
    }
    let lag = broken(|p| p.links[0].lag = Some(DistId(0)));
    assert!(matches!(lag.fault, Fault::OutOfRange { subject: "dist", .. }));
    // A link in a loop is looked for in every turn.
    let dear = broken(|p| {
        let count = ExprId(p.exprs.len() as u32);
        p.exprs.push(Expr::Const { value: Constant::Int(9) });
        let repeat = Repeat { count, max: limits::TURNS, index: None, total: None, until: None };
        p.specs = vec![CallSpec { repeat: Some(repeat), ..CallSpec::default() }];
        let form = Form::Span(SpanForm { attrs: AttrRange::default(), ..span(p, 2).clone() });
        p.blocks.push(Block { form, code: vec![Inst::Link { link: LinkId(0) }, Inst::End] });
        p.blocks[2].code.insert(3, Inst::Call { block: BlockId(3), spec: Some(CallSpecId(0)) });
        p.links[0].count = Some(LinkCount { value: ExprId(0), max: limits::LINKED });
    });
    let subject = "spans to be made again to find the links of a trace";
    assert!(matches!(dear.fault, Fault::TooMany { subject: found, .. } if found == subject), "{}", dear.fault);
}

#[test]
fn invariant_24_an_event_has_so_many_turns() {
    let turns = |max: u32, until: Option<SlotId>| {
        move |p: &mut Program| {
            let count = ExprId(p.exprs.len() as u32);
            p.exprs.push(Expr::Const { value: Constant::Int(3) });
            p.events[0].repeat = Some(Repeat { count, max, index: Some(SlotId(2)), total: None, until });
        }
    };
    valid(turns(limits::TURNS, None));
    let place = Place::Event(EventId(0));
    let fault = Fault::Range("an event has 1 to 10,000 turns");
    assert_eq!(broken(turns(0, None)), place.broken(fault.clone()));
    assert_eq!(broken(turns(limits::TURNS + 1, None)), place.broken(fault));
    let ended = broken(turns(3, Some(SlotId(2))));
    assert_eq!(ended, place.broken(Fault::Range("nothing ends the turns of an event")));
    let chance = broken(|p| p.events[0].chance = Some(Chance((1 << 32) + 1)));
    assert_eq!(chance, place.broken(Fault::Range("a chance is at most 100 %")));
    let often = broken(|p| {
        turns(limits::TURNS, None)(p);
        let event = Inst::Event { event: EventId(0) };
        p.blocks[1].code.splice(7..7, vec![event; 1_700]);
    });
    assert!(matches!(often.fault, Fault::TooMany { .. }), "{}", often.fault);
}

/// Returns `n` scenarios, each of which links to the one before. If `circle`, the first one links to the last one.
fn chain(n: u32, circle: bool) -> Result<Plan, Violation> {
    let mut m = Maker { program: fixture::program() };
    let value = m.constant("key");
    let form = SpanForm { attrs: AttrRange::default(), ..m.program.blocks[2].span().unwrap().clone() };
    for i in 0..n {
        let (name, block) = (TextId(m.program.texts.len() as u32), m.program.blocks.len() as u32);
        m.program.texts.push(format!("chain {i}"));
        let (slots, root) = (vec!["key".to_string()], BlockId(block));
        m.program.scenarios.push(Scenario { name, weight: 1.0, slots, vars: vec![], root, trace_state: None });
        let mut code = vec![Inst::Set { slot: SlotId(0), value }, Inst::Export { key: SlotId(0) }, Inst::End];
        if i > 0 || circle {
            let source = if i > 0 { block - 1 } else { block + n - 1 };
            m.program.links.push(Link::plain(name, vec![BlockId(source)]));
            code.insert(0, Inst::Link { link: LinkId(m.program.links.len() as u32 - 1) });
        }
        m.program.blocks.push(Block { form: Form::Span(form.clone()), code });
    }
    verified(m.program)
}

#[test]
fn invariant_21_links_go_back_but_not_far() {
    assert!(chain(limits::LINK_CHAIN + 1, false).is_ok());
    assert_eq!(chain(limits::LINK_CHAIN + 2, false).unwrap_err().fault, Fault::LinkChain);
    assert_eq!(chain(60_000, false).unwrap_err().fault, Fault::LinkChain);
    assert_eq!(chain(1, true).unwrap_err().fault, Fault::LinkCycle);
    assert_eq!(chain(3, true).unwrap_err().fault, Fault::LinkCycle);
}

/// A link is examined once, however many scenarios follow it; examining it for each of them would take 10^11 steps.
#[test]
fn a_link_with_many_sources_that_many_scenarios_follow_is_looked_at_once() {
    let mut m = Maker { program: fixture::program() };
    m.program.links[0].sources = vec![BlockId(1); 1 << 21];
    let form = SpanForm { attrs: AttrRange::default(), ..m.program.blocks[2].span().unwrap().clone() };
    for i in 0..50_000 {
        let (name, root) = (TextId(m.program.texts.len() as u32), BlockId(m.program.blocks.len() as u32));
        m.program.texts.push(format!("linking {i}"));
        m.program.scenarios.push(Scenario { name, weight: 1.0, slots: vec![], vars: vec![], root, trace_state: None });
        m.program
            .blocks
            .push(Block { form: Form::Span(form.clone()), code: vec![Inst::Link { link: LinkId(0) }, Inst::End] });
    }
    assert!(verified(m.program).is_ok());
}
