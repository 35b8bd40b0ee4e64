use super::{Compiled, compile_loaded};
use crate::language::load_texts;
use crate::plan::{Constant, Expr, ExprId, Inst, Plan, ScenarioId, TextId};

fn compile_texts(files: &[(&str, &str)]) -> Compiled {
    compile_loaded(load_texts(files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect())).1
}

fn plan(text: &str) -> Plan {
    let compiled = compile_texts(&[("a.yaml", text)]);
    let messages: Vec<_> = compiled.diagnostics.iter().map(|d| (d.problem.code(), d.problem.message())).collect();
    compiled.plan.unwrap_or_else(|| panic!("{messages:?}"))
}

/// Returns the codes of all diagnostics, in order.
fn codes(text: &str) -> Vec<&'static str> {
    compile_texts(&[("a.yaml", text)]).diagnostics.iter().map(|d| d.problem.code()).collect()
}

/// Returns a scenario of one span that contains these lines.
fn one_span(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!("name: a\nroot_span:\n  service: s\n  operation: o\n{lines}")
}

fn code(plan: &Plan, block: usize) -> String {
    let shown: Vec<String> = plan.blocks[block].code.iter().map(|inst| inst_text(plan, inst)).collect();
    shown.join("; ")
}

fn inst_text(plan: &Plan, inst: &Inst) -> String {
    match *inst {
        Inst::Set { slot, value } => format!("set {slot} {}", value_text(plan, value)),
        Inst::Attr { attr, value } => format!("attr {} {}", plan.attr_key(attr), value_text(plan, value)),
        Inst::Name { value } => format!("name {}", value_text(plan, value)),
        ref other => serde_json::to_value(other).unwrap()["op"].as_str().unwrap().to_owned(),
    }
}

fn value_text(plan: &Plan, id: ExprId) -> String {
    match &plan.exprs[id.index()] {
        Expr::Const { value: Constant::Text(text) } => format!("{:?}", plan.text(*text)),
        Expr::Slot { slot } => slot.to_string(),
        Expr::Concat { parts } => {
            let parts: Vec<String> = parts.iter().map(|part| value_text(plan, *part)).collect();
            format!("concat({})", parts.join(" "))
        }
        other => serde_json::to_value(other).unwrap()["op"].as_str().unwrap().to_owned(),
    }
}

fn text_id(plan: &Plan, text: &str) -> TextId {
    TextId(plan.texts.iter().position(|t| t == text).unwrap() as u32)
}

#[test]
fn own_attributes_are_read_but_the_one_being_defined_is_its_ancestors() {
    let plan = plan(
        "name: a
steps:
  - {service: s, operation: \"GET /<<user_id>>\", attributes: {user_id: <<random.uuid>>}}
  - service: t
    operation: \"POST /<<user_id>>\"
    attributes: {user_id: \"<<user_id>>\"}
",
    );
    assert_eq!(code(&plan, 0), r#"set slot0 random_uuid; attr user_id slot0; name concat("GET /" slot0); call; end"#);
    assert_eq!(code(&plan, 1), r#"attr user_id slot0; name concat("POST /" slot0); end"#);
}

#[test]
fn attributes_are_evaluated_in_the_order_of_their_references_ties_in_file_order() {
    let plan =
        plan(&one_span("attributes:\n  a: <<c>>\n  b: <<random.bool>>\n  c: <<random.ipv4>>\n  d: <<random.ipv6>>\n"));
    assert_eq!(
        code(&plan, 0),
        "attr b random_bool; set slot0 random_ipv4; attr c slot0; attr a slot0; attr d random_ipv6; end"
    );
    let keys: Vec<_> = plan.blocks[0].attrs().ids().map(|id| plan.attr_key(id)).collect();
    assert_eq!(keys, ["a", "b", "c", "d"]);
}

#[test]
fn constants_are_folded_and_what_nothing_uses_is_left_out() {
    let plan = plan(
        "name: shop
vars: {region: eu, unused: <<1>>}
root_span:
  service: s
  operation: \"<<scenario.name>>/<<service.name>>/<<vars.region>>\"
  attributes: {k: v, n: 5}
  calls:
    - {service: s, operation: o, attributes: {copy: \"<<parent.attributes.k>>\", sum: \"x<<parent.attributes.n>>\"}}
",
    );
    assert_eq!(plan.blocks[0].span().unwrap().name, Some(text_id(&plan, "shop/s/eu")));
    assert_eq!(code(&plan, 0), "call; end");
    assert_eq!(code(&plan, 1), r#"attr copy "v"; attr sum "x5"; end"#);
    assert!(plan.scenarios[0].slots.is_empty());
    assert!(!plan.texts.iter().any(|text| text == "eu"));
}

#[test]
fn instructions_stand_in_the_pinned_order_and_events_come_after_a_hit_too() {
    let plan = plan(&one_span(
        "delay_ms: [1, 2]
events: [{name: e, attributes: {x: \"<<random.uuid>>\", y: 1}}]
error_conditions: [{probability: 10, type: T, message: m}, {probability: 5, type: U}]
export_context_as: \"key-<<random.uuid>>\"
attributes: {error.type: none, k: \"<<context_key>>\"}
calls: [{service: s, operation: p, delay_ms: 0}]
",
    ));
    let ops = code(&plan, 0);
    assert_eq!(
        ops,
        "attr error.type \"none\"; set slot0 concat(\"key-\" random_uuid); export; attr k slot0; delay; roll; fail; fail; \
         event; skip_if_failed; call; end"
    );
    let Inst::Fail { target, .. } = plan.blocks[0].code[6] else { panic!() };
    assert_eq!(plan.blocks[0].code[target as usize], Inst::Event { event: crate::plan::EventId(0) });
    assert_eq!(code(&plan, 1), "end");
    let keys: Vec<_> = plan.events[0].attributes.iter().map(|(attr, _)| plan.attr_key(*attr)).collect();
    assert_eq!(keys, ["y", "x"]);
}

#[test]
fn quoted_expressions_are_text_unless_their_last_filter_says_what_they_are() {
    let plan = plan(&one_span(
        "attributes:\n  a: \"<<random.int(1, 2)>>\"\n  b: \"<<random.int(1, 2) | int>>\"\n  c: <<random.int(1, 2)>>\n",
    ));
    assert_eq!(code(&plan, 0), "attr a text; attr b random_int; attr c random_int; end");
}

#[test]
fn probabilities_that_sum_to_all_never_round_to_more() {
    let conditions: Vec<String> = (0..7).map(|i| format!("{{probability: {}, type: T{i}}}", 100.0 / 7.0)).collect();
    let plan = plan(&one_span(&format!("error_conditions: [{}]\n", conditions.join(", "))));
    let sum: u64 =
        (plan.blocks[0].code.iter()).map(|inst| if let Inst::Fail { chance, .. } = inst { chance.0 } else { 0 }).sum();
    assert!(sum <= 1 << 32 && sum > (1 << 32) - 8);
}

#[test]
fn links_find_the_spans_whose_keys_can_match_and_keep_what_is_read_in_slots() {
    let compiled = compile_texts(&[(
        "a.yaml",
        "- name: produce
  vars: {id: \"order-<<random.uuid>>\"}
  root_span: {service: s, operation: o, attributes: {order.id: \"<<id>>\"}, export_context_as: \"<<id>>\"}
- name: other
  root_span: {service: s, operation: o, export_context_as: \"invoice-<<random.uuid>>\"}
- name: consume
  root_span:
    service: s
    operation: o
    link_from_context: order-*
    calls:
      - {service: s, operation: o, attributes: {k: <<linked.attributes.order.id>>, c: <<linked.context_key>>}}
",
    )]);
    assert_eq!(compiled.diagnostics, []);
    let plan = compiled.plan.unwrap();
    assert_eq!(plan.links.len(), 1);
    assert_eq!(plan.links[0].sources, [plan.scenarios[0].root]);
    assert_eq!(code(&plan, 2), "link; set slot0 linked; set slot1 linked_key; call; end");
    assert_eq!(code(&plan, 3), "attr k slot0; attr c slot1; end");
}

#[test]
fn a_service_is_one_resource_an_instance_and_alike_in_two_directories_it_is_one_service() {
    let base = "services: {a: {version: 1.10, instances: 2, attributes: {host.name: \"h-<<instance.index>>\"}}, b: {}}";
    let compiled = compile_texts(&[
        ("x/_base.yaml", base),
        ("x/1.yaml", "name: one\nroot_span: {service: a, operation: o}"),
        ("y/_base.yaml", base),
        ("y/1.yaml", "name: two\nroot_span: {service: a, operation: o, calls: [{service: b, operation: o}]}"),
        ("z/_base.yaml", "services: {a: {version: 2}}"),
        ("z/1.yaml", "name: three\nroot_span: {service: a, operation: o}"),
    ]);
    let plan = compiled.plan.unwrap();
    let services: Vec<_> = plan.services.iter().map(|s| (plan.text(s.name), s.instances)).collect();
    assert_eq!(services, [("a", 2), ("b", 1), ("a", 1)]);
    let resource = |i: usize| -> Vec<(&str, String)> {
        plan.resources[i].attributes.iter().map(|(k, v)| (plan.text(*k), value_text(&plan, *v))).collect()
    };
    assert_eq!(
        resource(1),
        [
            ("service.name", "\"a\"".to_owned()),
            ("service.version", "\"1.10\"".to_owned()),
            // These ids are pinned, because the same service must have the same instances everywhere and always.
            ("service.instance.id", "\"5882a773-c48e-4fa8-801a-94587fca0d4c\"".to_owned()),
            ("host.name", "\"h-1\"".to_owned()),
        ]
    );
    assert_eq!(resource(2).len(), 1);
}

#[test]
fn the_source_map_has_a_place_for_each_instruction() {
    let text = "name: a
vars: {x: <<random.uuid>>}
root_span: {service: s, operation: o, delay_ms: 5, attributes: {k: v, y: <<x>>}}";
    let compiled = compile_texts(&[("a.yaml", text)]);
    let plan = compiled.plan.unwrap();
    let written: Vec<_> = plan.scenario_listing(ScenarioId(0)).into_iter().skip(1).collect();
    let written = written.iter().map(|line| &text[compiled.map.find(line.place).unwrap().range()]);
    let span = &text[text.rfind("{service").unwrap()..];
    assert_eq!(written.collect::<Vec<_>>(), ["x", span, "k", "y", "5", span]);
}

#[test]
fn five_mistakes_are_five_errors_and_nothing_follows_from_them() {
    let text = one_span(
        "attributes:
  a: <<vrs.x>>
  b: <<a>>
  c: \"<<random.imt(1)>>-<<c2>>\"
  d: <<random.int(9, 1)>>
  e: <<d>>
  f: <<parent.attributes.x>>
",
    );
    assert_eq!(codes(&text), ["E0401", "E0301", "E0401", "E0505", "E0404"]);
}

#[test]
fn deep_and_wide_scenarios_are_refused_with_a_place() {
    let step = "  - {service: s, operation: o}\n";
    assert_eq!(codes(&format!("name: a\nsteps:\n{}", step.repeat(65))), ["E0220"]);
    assert_eq!(codes(&format!("name: a\nsteps:\n{}", step.repeat(20_000))), ["E0220"]);
    let call = "    - {service: s, operation: o}\n";
    let wide = format!("name: a\nroot_span:\n  service: s\n  operation: o\n  calls:\n{}", call.repeat(10_000));
    assert_eq!(codes(&wide), ["E0606"]);
}

#[test]
fn equal_inputs_give_equal_programs() {
    let text =
        "name: a\nvars: {x: <<random.uuid>>, y: <<random.uuid>>}\nroot_span: {service: s, operation: <<x>>/<<y>>}";
    assert_eq!(*plan(text), *plan(text));
    assert_eq!(plan(text).exprs.iter().filter(|e| **e == Expr::RandomUuid).count(), 1);
}
