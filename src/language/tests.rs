//! Tests of the language as a whole, from texts to models and diagnostics.

use super::scenario::dist::Form;
use super::scenario::{Body, Kind, Scalar, Value};
use super::template::{Expr, Part};
use super::*;
use crate::language::scenario::Scope;

fn load_one(text: &str) -> Loaded {
    load_texts(vec![("test.yaml".into(), text.into())])
}

fn codes(loaded: &Loaded) -> Vec<&'static str> {
    loaded.diagnostics.iter().map(|diagnostic| diagnostic.problem.code()).collect()
}

/// Returns the codes of the diagnostics of a scenario whose root span has `fields`, indented by four.
fn span_codes(fields: &str) -> Vec<&'static str> {
    codes(&load_one(&format!("name: a\nroot_span:\n    service: s\n    operation: o\n{fields}")))
}

#[test]
fn steps_nest() {
    let loaded = load_one(
        "scenario_name: A\nsteps:\n  - {service: a, operation: one, kind: client, delay_ms: [0.5, 2]}\n  - {service: b, operation: two}\n",
    );
    assert_eq!(codes(&loaded), [""; 0]);
    let root = &loaded.model.scenarios[0].root;
    assert_eq!(root.service.as_ref().unwrap().value, "a");
    assert_eq!(root.kind, Some(Kind::Client));
    let Form::Uniform { min, max } = root.delay.as_ref().unwrap().form else { panic!() };
    assert_eq!((min, max), (500_000, 2_000_000));
    let Body::Span(called) = &root.calls[0].body else { panic!() };
    assert_eq!(called.operation.as_ref().unwrap().constant(), Some("two"));
}

#[test]
fn scalars_keep_their_types() {
    let loaded = load_one(
        "name: a\nroot_span:\n  service: 007\n  operation: 1.10\n  attributes:\n    a: 5\n    b: '5'\n    c: <<x>>\n    d: '<<x>>'\n    e: >-\n      <<random.int(1,\n      2)>>\n    f: x-{{ x }}\n    g: [1, 2]\n    h: true\n    i: 0x10\n",
    );
    assert_eq!(codes(&loaded), [""; 0]);
    let root = &loaded.model.scenarios[0].root;
    assert_eq!(root.service.as_ref().unwrap().value, "007");
    assert_eq!(root.operation.as_ref().unwrap().constant(), Some("1.10"));
    let shapes: String = root
        .attributes
        .iter()
        .map(|attribute| match &attribute.value {
            Value::Scalar(Scalar::Bool(_)) => 'b',
            Value::Scalar(Scalar::Int(_)) => 'i',
            Value::Scalar(Scalar::Double(_)) => 'd',
            Value::Scalar(Scalar::Text(_)) => 't',
            Value::Scalar(Scalar::Expr(_)) => 'e',
            Value::List { .. } => 'l',
            Value::Map { .. } => 'm',
            Value::Bytes(_) => 'b',
            Value::Choice(_) => 'c',
        })
        .collect();
    assert_eq!(shapes, "itetetlbi");
}

#[test]
fn expressions_are_located_in_the_file() {
    let text = "name: a\nroot_span:\n  service: s\n  operation: \"\\u00e9 <<vars.x | upper>>\"\n";
    let loaded = load_one(text);
    let Part::Expr(node) = &loaded.model.scenarios[0].root.operation.as_ref().unwrap().parts[1] else { panic!() };
    assert_eq!(loaded.sources.text(node.loc), "vars.x | upper");
    let Expr::Filter { input, name, .. } = &*node.value else { panic!() };
    assert_eq!(loaded.sources.text(input.loc), "vars.x");
    assert_eq!(loaded.sources.text(name.loc), "upper");
}

#[test]
fn what_was_reported_is_still_there() {
    let loaded = load_one("name: a\nroot_span:\n  service: s\n  attributes: {a: <<f(1, 2)>>, b: 1}\n");
    assert_eq!(codes(&loaded), ["E0202", "E0311"]);
    let root = &loaded.model.scenarios[0].root;
    assert!(root.operation.as_ref().unwrap().is_broken());
    assert_eq!(root.attributes.iter().map(|a| a.key.value.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn bases_go_with_their_directories() {
    let span = |service: &str| format!("name: x\nroot_span: {{service: {service}, operation: o}}\n");
    let loaded = load_texts(vec![
        ("one/a.yaml".into(), span("s")),
        ("one/_base.yaml".into(), "schema_version: 1\nservices: [s, t]\n".into()),
        ("two/a.yaml".into(), span("s")),
    ]);
    assert_eq!(codes(&loaded), [""; 0]);
    let names = |scope: &Scope| scope.services.as_ref().map(|services| services.iter().count());
    assert_eq!(loaded.model.scopes.iter().map(names).collect::<Vec<_>>(), [Some(2), None]);
}

#[test]
fn a_list_that_was_not_read_hides_no_service() {
    let loaded = load_texts(vec![
        ("_base.yaml".into(), "services: [s\n".into()),
        ("a.yaml".into(), "name: x\nroot_span: {service: s, operation: o}\n".into()),
    ]);
    assert_eq!(codes(&loaded), ["E0107"]);
    assert!(loaded.model.scopes[0].services.is_none());
}

#[test]
fn later_documents_survive_a_syntax_error() {
    let loaded = load_one("name: a\nroot_span: [\n---\nname: b\nroot_span: {service: s, operation: o}\n---\nname: c\n");
    assert_eq!(codes(&loaded), ["E0107", "E0202"]);
    assert_eq!(loaded.model.scenarios.len(), 1);
}

#[test]
fn merge_keys_and_aliases() {
    let loaded = load_one(
        "- name: a\n  root_span: &root\n    service: s\n    operation: o\n    attributes: {a: 1}\n- name: b\n  root_span: {<<: *root, operation: p}\n",
    );
    assert_eq!(codes(&loaded), [""; 0]);
    let root = &loaded.model.scenarios[1].root;
    assert_eq!((root.operation.as_ref().unwrap().constant(), root.attributes.len()), (Some("p"), 1));
}

#[test]
fn expressions_are_read_wherever_they_stand() {
    let attribute = |value: &str| span_codes(&format!("    attributes: {{a: {value}}}\n"));
    // Maps may be closed where the template is, and brackets in the text around it are not levels.
    assert_eq!(attribute("\"{{random.weighted({'a': {'b': 1}})}}\""), [""; 0]);
    assert_eq!(attribute(&format!("\"{}<<x>>\"", "(".repeat(100))), [""; 0]);
    // Each broken expression has its own mistake.
    assert_eq!(attribute("\"<<a b>> <<c>> {{(}} << >>\""), ["E0303", "E0303", "E0304"]);
}

#[test]
fn percentages() {
    let conditions = |p: &str| span_codes(&format!("    error_conditions: [{{probability: {p}, type: t}}]\n"));
    for good in ["5", "0.5%", "'0.5 %'", "100", "0"] {
        assert_eq!(conditions(good), [""; 0], "{good}");
    }
    for (bad, code) in [("-1", "E0208"), ("100.5%", "E0208"), ("0.05", "W0201"), ("'5'", "E0203"), ("~", "E0203")] {
        assert_eq!(conditions(bad), [code], "{bad}");
    }
}
