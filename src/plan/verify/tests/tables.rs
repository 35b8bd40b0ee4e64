//! Invariants 1 to 10: tables, expressions, scenarios.

use super::*;

#[test]
fn invariant_1_semantics_and_sizes() {
    assert_eq!(broken(|p| p.semantics += 1), Place::Program.broken(Fault::Semantics { found: SEMANTICS + 1 }));
    let (count, max) = (limits::TABLE as u64 + 1, limits::TABLE as u64);
    let too_many = broken(|p| p.attrs = vec![TextId(0); limits::TABLE + 1]);
    assert_eq!(too_many, Place::Program.broken(Fault::TooMany { what: "computed attributes", count, max }));
    let row = || Expr::Concat { parts: vec![ExprId(0); limits::TABLE / 2 + 1].into() };
    assert!(matches!(broken(|p| p.exprs.extend([row(), row()])).fault, Fault::TooMany { what: "operands", .. }));
    let slots = broken(|p| p.scenarios[1].slots = vec![String::new(); limits::SLOTS + 1]);
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
        verified(program)
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
