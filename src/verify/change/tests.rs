//! Tests of the changes' effects, and of how they are read.

mod reading;

use super::*;
use crate::condition::Vocabulary;
use crate::language::source::{FileId, Loc};
use crate::plan::SpanKind;
use crate::trace::{OwnedDatum, Scope, Status, StoredEvent, StoredSpan};

/// Returns the changes that flags declare.
fn changes(flags: &[&str]) -> Changes {
    let mut rules = vec![];
    for flag in flags {
        let (loc, mut found) = (Loc { file: FileId(0), start: 0, end: flag.len() as u32 }, vec![]);
        let rule = read_flag(flag, loc, &mut Vocabulary::default(), &mut found);
        assert!(found.is_empty(), "{flag}: {found:?}");
        rules.push(rule.expect(flag));
    }
    Changes::new(rules)
}

fn text(text: &str) -> OwnedDatum {
    OwnedDatum::Text(text.into())
}

fn attributes(pairs: &[(&str, OwnedDatum)]) -> Vec<(String, OwnedDatum)> {
    pairs.iter().map(|(key, value)| (key.to_string(), value.clone())).collect()
}

fn span() -> StoredSpan {
    StoredSpan {
        id: 1,
        parent: Some(2),
        name: "POST /orders/17".into(),
        kind: SpanKind::Server,
        service: "cart".into(),
        scope: Scope { name: "tracegen".into(), version: "1".into() },
        trace_state: String::new(),
        flags: Some(1),
        start: 5,
        duration: 7,
        status: Status::Unset,
        resource: attributes(&[("service.name", text("cart")), ("host.name", text("a1"))]),
        attributes: attributes(&[
            ("user.email", text("ada@example.com")),
            ("user.tier", text("vip")),
            ("items", OwnedDatum::Int(3)),
            ("sum", OwnedDatum::Double(2.5)),
            ("http.route", text("/orders/{id}")),
        ]),
        events: vec![
            StoredEvent { time: 6, name: "retry".into(), attributes: attributes(&[("n", OwnedDatum::Int(1))]) },
            StoredEvent { time: 7, name: "done".into(), attributes: attributes(&[("note", text("für Ada"))]) },
        ],
        links: vec![],
    }
}

/// Returns the span after the changes; `None` if it is dropped.
fn changed(flags: &[&str]) -> Option<StoredSpan> {
    let mut span = span();
    changes(flags).apply(&mut span, &mut vec![]).then_some(span)
}

/// Returns an attribute of the span after the changes.
fn after(flags: &[&str], key: &str) -> Option<OwnedDatum> {
    let span = changed(flags).expect("not dropped");
    span.attributes.into_iter().find(|(other, _)| other == key).map(|(_, value)| value)
}

#[test]
fn set_puts_values_of_any_type_into_any_field() {
    assert_eq!(after(&["set(user.tier, 'basic')"], "user.tier"), Some(text("basic")));
    assert_eq!(after(&["set(items, 4)"], "items"), Some(OwnedDatum::Int(4)));
    let list = OwnedDatum::List(vec![OwnedDatum::Bool(true), OwnedDatum::Double(0.5)]);
    assert_eq!(after(&["set('new-one', [true, 0.5])"], "new-one"), Some(list));
    let span = changed(&[
        "set(name, 'x')",
        "set(kind, 'CLIENT')",
        "set(status, 'error: late')",
        "set(scope.version, '')",
        "set(resource.service.name, 'basket')",
        "set(events.name, 'e')",
        "set(events.attributes.n, 0)",
    ]);
    let span = span.unwrap();
    assert_eq!((span.name.as_str(), span.kind), ("x", SpanKind::Client));
    assert_eq!((span.status, span.scope.version.as_str()), (Status::Error("late".into()), ""));
    assert_eq!((span.service.as_str(), &span.resource[0].1), ("basket", &text("basket")));
    assert!(span.events.iter().all(|event| event.name == "e"));
    let n = |event: &StoredEvent| {
        event.attributes.iter().filter(|(key, _)| key == "n").map(|pair| pair.1.clone()).next_back()
    };
    assert_eq!(span.events.iter().map(n).collect::<Vec<_>>(), vec![Some(OwnedDatum::Int(0)); 2]);
}

#[test]
fn a_value_is_put_together_from_others_unless_one_is_absent() {
    let name = |flag| changed(&[flag]).unwrap().name;
    assert_eq!(name("set(name, '<<user.tier>>: <<items>> of <<name>>')"), "vip: 3 of POST /orders/17");
    assert_eq!(name("set(name, '<<user.tier>> <<user.age>>')"), "POST /orders/17");
    assert_eq!(after(&["set(copy, '<<items>>')"], "copy"), Some(OwnedDatum::Int(3)));
    let span = changed(&["set(events.name, '<<events.name>> at <<resource.host.name>>')"]).unwrap();
    assert_eq!(span.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["retry at a1", "done at a1"]);
}

#[test]
fn attributes_are_deleted_renamed_and_moved() {
    let keys = |flags: &[&str]| Vec::from_iter(changed(flags).unwrap().attributes.into_iter().map(|(key, _)| key));
    assert_eq!(keys(&["delete(items, sum)"]), ["user.email", "user.tier", "http.route"]);
    assert_eq!(keys(&["delete('user.*')"]), ["items", "sum", "http.route"]);
    assert_eq!(keys(&["rename(items, sum)"]), ["user.email", "user.tier", "sum", "http.route"]);
    assert_eq!(after(&["rename(items, sum)"], "sum"), Some(OwnedDatum::Int(3)));
    assert_eq!(keys(&["rename(absent, items)"]).len(), 5);
    let span =
        changed(&["move(user.tier, resource.user.tier)", "move(resource.service.name, attributes.service)"]).unwrap();
    assert_eq!(span.resource, attributes(&[("host.name", text("a1")), ("user.tier", text("vip"))]));
    assert_eq!((span.service.as_str(), &span.attributes.last().unwrap().1), ("", &text("cart")));
    assert_eq!(changed(&["move(http.route, name)"]).unwrap().name, "/orders/{id}");
}

#[test]
fn values_are_hashed_masked_and_replaced() {
    let md5 = after(&["hash_md5(user.email)"], "user.email");
    assert_eq!(md5, Some(text("3e3417d7ef77d5932a6734b916515ed5")));
    assert_eq!(after(&["mask(user.email)"], "user.email"), Some(text("****")));
    assert_eq!(after(&["mask(items)"], "items"), Some(text("****")));
    assert_eq!(after(&["mask(user.email, '[^@]+')"], "user.email"), Some(text("****@****")));
    assert_eq!(after(&["mask(attributes, '[0-9]')"], "items"), Some(OwnedDatum::Int(3)));
    let replaced = changed(&[r"replace(name, '/orders/\\d+', '/orders/{id}')"]).unwrap();
    assert_eq!(replaced.name, "POST /orders/{id}");
}

#[test]
fn texts_are_cut_between_characters_and_lists_of_attributes_in_their_order() {
    assert_eq!(after(&["truncate(user.email, 3)"], "user.email"), Some(text("ada")));
    let span = changed(&["truncate(events.attributes, 2)", "truncate(attributes, 3)"]).unwrap();
    assert_eq!(span.events[1].attributes[0].1, text("f"));
    assert_eq!((&span.attributes[1].1, &span.attributes[2].1), (&text("vip"), &OwnedDatum::Int(3)));
    let keys = |flag| Vec::from_iter(changed(&[flag]).unwrap().attributes.into_iter().map(|(key, _)| key));
    assert_eq!(keys("limit(attributes, 2)"), ["user.email", "user.tier"]);
    assert_eq!(keys("limit(attributes, 2, http.route, absent)"), ["user.email", "http.route"]);
    assert_eq!(keys("limit(attributes, 5)").len(), 5);
    assert_eq!(keys("keep_keys(attributes, sum, absent)"), ["sum"]);
}

#[test]
fn events_and_spans_are_dropped_where_a_condition_holds() {
    assert_eq!(changed(&["drop_events(name == 'retry')"]).unwrap().events[0].name, "done");
    assert_eq!(changed(&["drop_events(n > 5)"]).unwrap().events.len(), 2);
    assert_eq!(changed(&["drop_spans(kind == 'SERVER' and items > 2)"]), None);
    assert_eq!(changed(&["drop_spans(kind == 'CLIENT')"]), Some(span()));
}

#[test]
fn a_rule_sees_the_span_as_the_rules_before_it_left_it() {
    assert_eq!(after(&["set(items, 9) when user.tier == 'vip'"], "items"), Some(OwnedDatum::Int(9)));
    assert_eq!(after(&["set(items, 9) when user.tier == 'basic'"], "items"), Some(OwnedDatum::Int(3)));
    let two = ["delete(user.tier)", "set(items, 9) when user.tier == 'vip'"];
    assert_eq!(after(&two, "items"), Some(OwnedDatum::Int(3)));
    let insert = ["set(region, 'eu') when not has(region)", "set(region, 'us') when not has(region)"];
    assert_eq!(after(&insert, "region"), Some(text("eu")));
}
