//! Tests of invariants 1 to 10: tables, expressions, scenarios.

use super::*;
use crate::plan::{Change, Incident, IncidentId, Opening, Rollout, incident::DAY};

#[test]
fn invariant_1_semantics_and_sizes() {
    assert_eq!(broken(|p| p.semantics += 1), Place::Program.broken(Fault::Semantics { found: SEMANTICS + 1 }));
    let (count, max) = (limits::TABLE as u64 + 1, limits::TABLE as u64);
    let too_many = broken(|p| p.attrs = vec![TextId(0); limits::TABLE + 1]);
    assert_eq!(too_many, Place::Program.broken(Fault::TooMany { subject: "computed attributes", count, max }));
    let row = || Expr::Concat { parts: vec![ExprId(0); limits::TABLE / 2 + 1].into() };
    assert!(matches!(broken(|p| p.exprs.extend([row(), row()])).fault, Fault::TooMany { subject: "operands", .. }));
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
        (Place::Block(BlockId(0)), "service", |p| span(p, 0).service = ServiceId(999)),
        (Place::Block(BlockId(0)), "text", |p| span(p, 0).name = Some(TextId(999))),
        (Place::Block(BlockId(0)), "text", |p| span(p, 0).constants[0].1 = Constant::Text(TextId(999))),
        (Place::Block(BlockId(2)), "attr", |p| span(p, 2).attrs.count = 2),
        (Place::Block(BlockId(2)), "attr", |p| span(p, 2).attrs = AttrRange { first: u32::MAX, count: u32::MAX }),
        (inst(0, 0), "expr", |p| p.blocks[0].code[0] = Inst::Attr { attr: AttrId(0), value: ExprId(999) }),
        (inst(0, 3), "error", |p| {
            p.blocks[0].code[3] = Inst::Fail { chance: Chance(0), error: ErrorId(999), target: 4 };
        }),
        (inst(0, 5), "block", |p| p.blocks[0].code[5] = Inst::Call { block: BlockId(999), spec: None }),
        (inst(1, 2), "expr", |p| p.blocks[1].code[2] = Inst::Name { value: ExprId(999) }),
        (inst(1, 3), "slot", |p| p.blocks[1].code[3] = Inst::Set { slot: SlotId(3), value: ExprId(0) }),
        (inst(1, 4), "slot", |p| p.blocks[1].code[4] = Inst::Export { key: SlotId(3) }),
        (inst(1, 6), "event", |p| p.blocks[1].code[6] = Inst::Event { event: EventId(999) }),
        (inst(2, 0), "link", |p| p.blocks[2].code[0] = Inst::Link { link: LinkId(999) }),
    ];
    for (n, (place, table, edit)) in edits.iter().enumerate() {
        let found = broken(edit);
        assert_eq!(found.place, *place, "edit {n}: {found}");
        assert!(matches!(found.fault, Fault::OutOfRange { subject, .. } if subject == *table), "edit {n}: {found}");
    }
}

#[test]
fn invariant_3_texts() {
    let text = fixture::program().texts[1].clone();
    let twice = broken(|p| p.texts.push(text.clone()));
    assert_eq!(twice.fault, Fault::Twice { subject: "text", text });
    let long = broken(|p| p.texts.push("x".repeat(limits::TEXT_BYTES + 1)));
    assert!(matches!(long.fault, Fault::TooMany { subject: "bytes of text", .. }));
    let all = broken(|p| p.texts.extend((0..64).map(|i| format!("{i}{}", "x".repeat(limits::TEXT_BYTES - 2)))));
    assert_eq!(all.place, Place::Program);
    type Edit = fn(&mut Program, TextId);
    let edits: [(&'static str, Edit); 5] = [
        ("a service's name", |p, empty| p.services[0].name = empty),
        ("a scenario's name", |p, empty| p.scenarios[0].name = empty),
        ("an attribute's key", |p, empty| p.attrs[0] = empty),
        ("an attribute's key", |p, empty| span(p, 0).constants[0].0 = empty),
        ("an attribute's key", |p, empty| p.resources[0].attributes[0].0 = empty),
    ];
    for (subject, edit) in edits {
        let found = broken(|p| {
            p.texts.push(String::new());
            edit(p, TextId(p.texts.len() as u32 - 1));
        });
        assert_eq!(found.fault, Fault::Empty { subject });
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
    let shared = broken(|p| p.blocks[2].form = Form::Span(SpanForm { attrs: span(p, 1).attrs, ..span(p, 2).clone() }));
    assert_eq!(shared, Place::Block(BlockId(2)).broken(Fault::Attribute { attr: 1 }));
    let with_event = broken(|p| p.events[0].attributes[0].0 = AttrId(0));
    assert_eq!(with_event, Place::Block(BlockId(0)).broken(Fault::Attribute { attr: 0 }));
    let twice = |subject: &str| Fault::Twice { subject: "attribute", text: subject.into() };
    let both = broken(|p| p.attrs[0] = span(p, 0).constants[0].0);
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
    let found = broken(|p| p.exprs[0] = Expr::Not { operand: ExprId(0) });
    assert_eq!(found, Place::Expr(ExprId(0)).broken(Fault::Operand { operand: ExprId(0) }));
    let chain = |depth: u16| {
        let mut program = fixture::program();
        program.exprs.push(Expr::TraceIndex);
        for _ in 1..depth {
            let operand = ExprId(program.exprs.len() as u32 - 1);
            program.exprs.push(Expr::Neg { operand });
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
        Expr::RandomHexUpTo { count: zero, max: 1_025 },
        Expr::RandomText { count: zero, max: (1 << 20) + 1 },
        Expr::RandomHex { digits: 0 },
        Expr::RandomHex { digits: 1_025 },
        Expr::StableHex { operand: zero, digits: 0 },
        Expr::StableHex { operand: zero, digits: 1_025 },
        Expr::StablePick { operand: zero, items: [].into() },
        Expr::Lookup { operand: zero, items: [].into() },
        Expr::Lookup { operand: zero, items: [zero].into() },
        Expr::Lookup { operand: zero, items: [ExprId(6), zero].into() },
        Expr::Nth { operand: zero, items: [].into() },
        Expr::Round { operand: zero, digits: 16 },
        Expr::Pad { operand: zero, width: 1_025 },
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
    let nested = |depth| (1..depth).fold(Constant::List([].into()), |inner, _| Constant::List([inner].into()));
    assert!(with_var(|_| Expr::Const { value: nested(limits::NESTING) }).is_ok());
    let too_deep = Fault::Range("lists and maps stand at most 15 deep in each other");
    let value = nested(limits::NESTING + 1);
    assert_eq!(with_var(|_| Expr::Const { value: value.clone() }).unwrap_err().fault, too_deep);
    let constant = broken(|p| span(p, 0).constants[0].1 = value);
    assert_eq!(constant, Place::Block(BlockId(0)).broken(too_deep));
    let twice = |text: &str| Fault::Twice { subject: "key", text: text.into() };
    let map = with_var(|m| {
        let key = m.text("k");
        Expr::Const { value: Constant::Map([(key, Constant::Int(1)), (key, Constant::Bytes([1].into()))].into()) }
    });
    assert_eq!(map.unwrap_err().fault, twice("k"));
    let computed = |keys: usize| {
        with_var(|m| {
            let key = m.text("k");
            Expr::Map { keys: vec![key; keys].into(), values: vec![ExprId(0); 2].into() }
        })
    };
    assert_eq!(computed(2).unwrap_err().fault, twice("k"));
    assert_eq!(computed(1).unwrap_err().fault, Fault::Range("there must be a key for each value"));
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
        p.exprs.push(Expr::StableUuid { operand: ExprId(0) });
        let (key, value) = (p.attrs[0], ExprId(p.exprs.len() as u32 - 1));
        p.resources[0].attributes.push((key, value));
    });
    assert_eq!(stable.resources[0].attributes.len(), 2);
}

#[test]
fn invariant_9_evaluation_and_text_have_an_end() {
    // Each expression uses the one before twice, which makes 2^30 evaluations in 30 expressions.
    let doubled = with_var(|maker| {
        let mut last = maker.expr(Expr::TraceIndex);
        for _ in 0..30 {
            last = maker.expr(Expr::Binary { operator: Operator::Mul, left: last, right: last });
        }
        Expr::Text { operand: last }
    });
    assert!(matches!(doubled.unwrap_err().fault, Fault::TooMany { subject: "expressions to evaluate", .. }));
    let long = with_var(|maker| {
        let part = maker.constant(&"x".repeat(limits::TEXT_BYTES));
        Expr::Concat { parts: vec![part; 257].into() }
    });
    assert!(matches!(long.unwrap_err().fault, Fault::TooMany { subject: "bytes of text in a trace", .. }));
    // The same happens with a slot that is set repeatedly.
    let slot = broken(|p| {
        p.exprs.push(Expr::Slot { slot: SlotId(1) });
        let twice = ExprId(p.exprs.len() as u32 - 1);
        p.exprs.push(Expr::Concat { parts: [twice, twice].into() });
        let value = ExprId(p.exprs.len() as u32 - 1);
        p.scenarios[0].vars.extend([(SlotId(1), value); 30]);
    });
    assert_eq!(slot.place, Place::Scenario(ScenarioId(0)));
    assert!(matches!(slot.fault, Fault::TooMany { subject: "bytes of text in a trace", .. }));
}

#[test]
fn invariant_10_scenarios() {
    assert_eq!(broken(|p| p.scenarios.clear()), Place::Program.broken(Fault::NoScenario));
    let twice = broken(|p| p.scenarios[1].name = p.scenarios[0].name);
    assert!(matches!(twice.fault, Fault::Twice { subject: "scenario", .. }));
    let no_weight = broken(|p| p.scenarios.iter_mut().for_each(|s| s.weight = 0.0));
    assert_eq!(no_weight, Place::Program.broken(Fault::NoWeight));
    for weight in [-1.0, f64::NAN, f64::INFINITY] {
        let found = broken(|p| p.scenarios[1].weight = weight);
        assert_eq!(found.place, Place::Scenario(ScenarioId(1)), "{found}");
    }
    assert!(matches!(broken(|p| p.scenarios.iter_mut().for_each(|s| s.weight = f64::MAX)).fault, Fault::Range(_)));
}

/// Returns the fixture with these distributions; its third block draws from the last one.
fn with_dists(dists: impl IntoIterator<Item = (DistForm, u64)>) -> Result<Plan, Violation> {
    let mut program = fixture::program();
    program.dists = dists.into_iter().map(|(form, max)| Dist { form, max }).collect();
    program.blocks[2].code[2] = Inst::DelayDist { dist: DistId(program.dists.len() as u32 - 1) };
    verified(program)
}

#[test]
fn invariant_22_distributions_have_sound_parameters() {
    let at = |percent, time| Percentile { percent, time };
    let lognormal = |low, high| DistForm::Lognormal { low, high };
    let points = |points: &[Percentile]| DistForm::Points { points: points.into() };
    let day = limits::DELAY;
    let sound = [
        (DistForm::Uniform { min: 0, max: 0 }, 0),
        (DistForm::Uniform { min: 1, max: day }, day),
        (lognormal(at(0.001, 1), at(99.999, day)), 5),
        (points(&[at(0.0, 0), at(100.0, 1)]), 1),
        (points(&[at(0.0, 0), at(99.0, 1), at(99.5, 2), at(100.0, 3)]), 2),
        (DistForm::Normal { mean: 0, stddev: u64::MAX }, day),
        (DistForm::Exponential { mean: 1 }, 0),
        (DistForm::Pareto { min: 1, alpha: 1e-300 }, day),
        (DistForm::Computed { value: ExprId(0), unit: 1 }, day),
    ];
    for (form, max) in sound {
        let plan = with_dists([(form.clone(), max)]).unwrap_or_else(|found| panic!("{form:?}: {found}"));
        assert_eq!(plan.bound(ScenarioId(1)).duration, max, "{form:?}");
    }
    let broken = [
        (DistForm::Uniform { min: 2, max: 1 }, 1, "min is greater than max"),
        (DistForm::Uniform { min: 0, max: 1 }, 2, "a distribution's max is beyond the end of its form"),
        (DistForm::Uniform { min: 0, max: day + 1 }, day + 1, "a delay is at most 24 h"),
        (lognormal(at(50.0, 0), at(99.0, 5)), 5, "a lognormal percentile is over 0"),
        (lognormal(at(50.0, 5), at(99.0, 5)), 5, "percentiles and their times rise"),
        (lognormal(at(99.0, 5), at(50.0, 6)), 5, "percentiles and their times rise"),
        (lognormal(at(0.0, 5), at(50.0, 6)), 5, "lognormal percentiles are over 0 and below 100"),
        (lognormal(at(5.0, 5), at(100.0, 6)), 5, "lognormal percentiles are over 0 and below 100"),
        (lognormal(at(50.0, 5), at(99.0, day + 1)), 5, "a percentile is 0 to 100, its time at most 24 h"),
        (lognormal(at(f64::NAN, 5), at(99.0, 6)), 5, "a percentile is 0 to 100, its time at most 24 h"),
        (points(&[]), 0, "points go from 0 to 100 percent"),
        (points(&[at(0.0, 1)]), 1, "points go from 0 to 100 percent"),
        (points(&[at(1.0, 1), at(100.0, 2)]), 1, "points go from 0 to 100 percent"),
        (points(&[at(0.0, 1), at(100.0, 2)]), 3, "a distribution's max is beyond the end of its form"),
        (DistForm::Exponential { mean: 0 }, 1, "a mean is over 0 and at most 24 h"),
        (DistForm::Pareto { min: 0, alpha: 1.0 }, 1, "a Pareto scale is over 0 and at most 24 h"),
        (DistForm::Pareto { min: 1, alpha: 0.0 }, 1, "a Pareto shape is over 0"),
        (DistForm::Pareto { min: 1, alpha: f64::INFINITY }, 1, "a Pareto shape is over 0"),
        (DistForm::Computed { value: ExprId(0), unit: 0 }, 1, "a unit of time is over 0 and at most 24 h"),
        (DistForm::Mix { conditional: [].into(), weighted: [].into() }, 1, "all weights are 0"),
    ];
    for (form, max, rule) in broken {
        let found = with_dists([(form.clone(), max)]).expect_err("a parameter is out of range");
        assert_eq!((found.place, found.fault.to_string()), (Place::Dist(DistId(0)), rule.into()), "{form:?}");
    }
}

#[test]
fn invariant_22_the_parts_of_a_mix_stand_before_it_and_are_no_mixes() {
    let fixed = || (DistForm::Uniform { min: 1, max: 1 }, 1);
    let mix = |part| (DistForm::Mix { conditional: [].into(), weighted: [(1.0, DistId(part))].into() }, 1);
    let when = |when, part| {
        let conditional = [(ExprId(when), DistId(part))].into();
        (DistForm::Mix { conditional, weighted: [(1.0, DistId(0))].into() }, 1)
    };
    assert!(with_dists([fixed(), mix(0)]).is_ok() && with_dists([fixed(), when(0, 0)]).is_ok());
    let at = |dist| Place::Dist(DistId(dist));
    let itself = with_dists([fixed(), mix(1)]).unwrap_err();
    assert_eq!(itself, at(1).broken(Fault::Part { part: DistId(1) }));
    assert_eq!(with_dists([mix(1), fixed()]).unwrap_err(), at(0).broken(Fault::Part { part: DistId(1) }));
    assert!(matches!(with_dists([mix(9)]).unwrap_err().fault, Fault::OutOfRange { subject: "dist", id: 9, len: 1 }));
    assert!(matches!(with_dists([fixed(), when(0, 9)]).unwrap_err().fault, Fault::OutOfRange { subject: "dist", .. }));
    assert!(matches!(
        with_dists([fixed(), when(999, 0)]).unwrap_err().fault,
        Fault::OutOfRange { subject: "expr", .. }
    ));
    let nested = with_dists([fixed(), mix(0), mix(1)]).unwrap_err();
    assert_eq!(nested, at(2).broken(Fault::Range("no part of a mix is a mix")));
    let computed = (DistForm::Computed { value: ExprId(999), unit: 1 }, 1);
    assert!(matches!(with_dists([computed]).unwrap_err().fault, Fault::OutOfRange { subject: "expr", .. }));
    let missing = broken(|p| p.blocks[2].code[2] = Inst::DelayDist { dist: DistId(0) });
    assert_eq!((missing.place, missing.fault.to_string()), (inst(2, 2), "dist0 is out of range, there are 0".into()));
}

#[test]
fn invariant_25_what_is_changed_is_sound() {
    let fixed = || (DistForm::Uniform { min: 1, max: 1 }, 1);
    let changed = |base, times, add: Option<u32>| {
        let change = Change { when: ExprId(0), base: None, times, add: add.map(DistId) };
        (DistForm::Changed { base: DistId(base), changes: [change].into() }, 5)
    };
    let plan = with_dists([fixed(), changed(0, 3.0, Some(0))]).unwrap();
    assert_eq!(plan.bound(ScenarioId(1)).duration, 5);
    let at = |dist| Place::Dist(DistId(dist));
    for times in [-1.0, f64::NAN, f64::INFINITY] {
        let found = with_dists([fixed(), changed(0, times, None)]).unwrap_err();
        assert_eq!(found, at(1).broken(Fault::Range("a factor is a finite number, at least 0")));
    }
    let twice = with_dists([fixed(), changed(0, 2.0, None), changed(1, 2.0, None)]).unwrap_err();
    assert_eq!(twice, at(2).broken(Fault::Range("what is changed is no part of another distribution")));
    let itself = with_dists([fixed(), changed(0, 2.0, Some(1))]).unwrap_err();
    assert_eq!(itself, at(1).broken(Fault::Part { part: DistId(1) }));
}

#[test]
fn invariant_26_incidents_have_windows() {
    let year = limits::WINDOW;
    let incident = |at, length, every| Incident { name: TextId(0), at, length, every, rate: None };
    let with = |incidents: Vec<Incident>| broken(|p| p.incidents = incidents);
    let start = Opening::AfterStart(0);
    let at = Place::Incident(IncidentId(0));
    for (incident, rule) in [
        (incident(start, 0, None), "a window lasts 1 ns to a year"),
        (incident(start, year + 1, None), "a window lasts 1 ns to a year"),
        (incident(start, 2, Some(1)), "windows do not overlap, and come at least once a year"),
        (incident(start, 2, Some(year + 1)), "windows do not overlap, and come at least once a year"),
        (incident(Opening::TimeOfDay(DAY), 1, None), "a window opens at a time of day, or within a year of the start"),
        (
            incident(Opening::AfterStart(year + 1), 1, None),
            "a window opens at a time of day, or within a year of the start",
        ),
    ] {
        assert_eq!(with(vec![incident.clone()]), at.broken(Fault::Range(rule)), "{incident:?}");
    }
    let twice = with(vec![incident(start, 1, None), incident(start, 2, None)]);
    assert!(matches!(twice.fault, Fault::Twice { subject: "incident", .. }), "{twice}");
    let missing = broken(|p| p.exprs.push(Expr::Incident { incident: IncidentId(3) }));
    assert!(matches!(missing.fault, Fault::OutOfRange { subject: "incident", id: 3, len: 0 }), "{missing}");
}

#[test]
fn invariant_26_rollouts_have_resources_in_order() {
    let incident =
        |name| Incident { name: TextId(name), at: Opening::AfterStart(0), length: 1, every: None, rate: None };
    let with = |rollouts: &[(u32, u32)]| {
        let mut program = fixture::program();
        program.incidents = vec![incident(0), incident(1)];
        let rollout =
            |(incident, instance): &(u32, u32)| Rollout { incident: IncidentId(*incident), instance: *instance };
        let service = program.services.last_mut().unwrap();
        service.rollouts = rollouts.iter().map(rollout).collect();
        let own = program.resources[service.first_resource.index()].clone();
        program.resources.extend(rollouts.iter().map(|_| own.clone()));
        verified(program)
    };
    assert!(with(&[(0, 0), (1, 0)]).is_ok());
    let at = Place::Service(ServiceId(2));
    let rule = at.broken(Fault::Range("rollouts are in the order of instances and incidents"));
    assert_eq!(with(&[(1, 0), (0, 0)]).unwrap_err(), rule);
    assert_eq!(with(&[(1, 0), (1, 0)]).unwrap_err(), rule);
    let fault = |rollouts: &[(u32, u32)]| with(rollouts).unwrap_err().fault;
    assert!(matches!(fault(&[(2, 0)]), Fault::OutOfRange { subject: "incident", id: 2, len: 2 }));
    assert!(matches!(fault(&[(0, 1)]), Fault::OutOfRange { subject: "instance", id: 1, len: 1 }));
}

/// The expressions of a distribution are checked where it is sampled, like all other expressions.
#[test]
fn a_distribution_reads_what_its_instruction_may() {
    let mut m = Maker { program: fixture::program() };
    let slot = m.slot(1);
    let computed = |value| Dist { form: DistForm::Computed { value, unit: 1 }, max: 1 };
    m.program.dists = vec![computed(slot)];
    m.program.scenarios[1].slots = vec!["a".into(), "b".into()];
    m.program.blocks[2].code[2] = Inst::DelayDist { dist: DistId(0) };
    assert_eq!(verified(m.program.clone()).unwrap_err(), inst(2, 2).broken(Fault::Unwritten { slot: SlotId(1) }));
    // The conditions and parts of a mix are checked, too.
    let fixed = Dist { form: DistForm::Uniform { min: 1, max: 1 }, max: 1 };
    let weighted = |part| [(1.0, DistId(part))].into();
    let conditional = [(slot, DistId(1))].into();
    for form in [
        DistForm::Mix { conditional: [].into(), weighted: weighted(0) },
        DistForm::Mix { conditional, weighted: weighted(1) },
    ] {
        m.program.dists = vec![computed(slot), fixed.clone(), Dist { form, max: 1 }];
        m.program.blocks[2].code[2] = Inst::DelayDist { dist: DistId(2) };
        assert_eq!(verified(m.program.clone()).unwrap_err(), inst(2, 2).broken(Fault::Unwritten { slot: SlotId(1) }));
    }
}

#[test]
fn invariant_25_malformations() {
    type Edit = fn(&mut Malformation);
    let edits: &[(&str, Edit)] = &[
        ("a chance is at most 100 %", |m| m.chance = Chance((1 << 32) + 1)),
        ("blocks are ascending, at least one", |m| m.blocks = vec![]),
        ("blocks are ascending, at least one", |m| m.blocks = vec![BlockId(1), BlockId(0)]),
        ("blocks are ascending, at least one", |m| m.blocks = vec![BlockId(0), BlockId(0)]),
        ("an oversized attribute has 1 to 1,048,576 bytes", |m| {
            m.kind = Malform::OversizedAttribute { key: TextId(0), bytes: 0 };
        }),
        ("an oversized attribute has 1 to 1,048,576 bytes", |m| {
            m.kind = Malform::OversizedAttribute { key: TextId(0), bytes: 1_048_577 };
        }),
    ];
    let with = |edit: Edit| {
        broken(|p| {
            let blocks = vec![BlockId(0), BlockId(1)];
            p.malformations.push(Malformation { kind: Malform::Duplicate, chance: Chance::ONE, blocks });
            edit(&mut p.malformations[0]);
        })
    };
    for (rule, edit) in edits {
        assert_eq!(with(*edit), Place::Malformation(0).broken(Fault::Range(rule)));
    }
    let out_of_range = |edit: Edit, table: &str| {
        let found = with(edit);
        assert_eq!(found.place, Place::Malformation(0));
        assert!(matches!(found.fault, Fault::OutOfRange { subject, .. } if subject == table), "{found}");
    };
    out_of_range(|m| m.blocks = vec![BlockId(999)], "block");
    out_of_range(|m| m.kind = Malform::Late { by: DistId(999) }, "dist");
    out_of_range(|m| m.kind = Malform::InvalidUtf8 { key: TextId(999) }, "text");
    let coarse = broken(|p| p.services[0].resolution = Some(0));
    assert_eq!(coarse, Place::Service(ServiceId(0)).broken(Fault::Range("a clock's resolution is 1 ns to 1 min")));
    let computed = broken(|p| {
        p.dists.push(Dist { form: DistForm::Computed { value: ExprId(0), unit: 1 }, max: 5 });
        let by = DistId(p.dists.len() as u32 - 1);
        p.malformations.push(Malformation {
            kind: Malform::Late { by },
            chance: Chance::ONE,
            blocks: vec![BlockId(0)],
        });
    });
    let rule = "the time of a malformation depends on no value";
    assert_eq!(computed, Place::Malformation(0).broken(Fault::Range(rule)));
}
