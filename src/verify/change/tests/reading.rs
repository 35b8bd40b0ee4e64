//! Tests of how changes are read, and of what is said of mistakes.

use super::*;
use crate::language::diagnostic::Diagnostic;

/// Reads a flag, and returns the rule and the mistakes.
fn read(flag: &str, known: &mut Vocabulary) -> (Option<Rule>, Vec<Diagnostic>) {
    let (loc, mut diagnostics) = (Loc { file: FileId(0), start: 0, end: flag.len() as u32 }, vec![]);
    let rule = read_flag(flag, loc, known, &mut diagnostics);
    (rule, diagnostics)
}

/// Returns the code, the place, the message and the help of each mistake in a flag.
fn mistakes(flag: &str) -> Vec<String> {
    let (rule, diagnostics) = read(flag, &mut Vocabulary::default());
    assert_eq!(rule.is_some(), diagnostics.is_empty(), "{flag}: {diagnostics:?}");
    let said = |diagnostic: Diagnostic| {
        let place = &flag[diagnostic.at.range()];
        let help = diagnostic.problem.help().unwrap_or_default();
        format!("{} `{place}` {}; {help}", diagnostic.problem.code(), diagnostic.problem.message())
    };
    diagnostics.into_iter().map(said).collect()
}

#[test]
fn mistakes_have_a_place_and_a_way_out() {
    for (flag, place, way_out) in [
        ("delte(user.email)", "`delte`", "`delete`"),
        ("delete()", "`delete()`", "`delete(user.email)`"),
        ("set(user.email)", "`set(user.email)`", "set(resource.env, 'staging')"),
        ("set(env, staging)", "`staging`", "'staging'"),
        ("set(scope.nam, 'x')", "`scope.nam`", "`scope.name`"),
        ("set(start, 1)", "`start`", "`any`"),
        ("set(service, 'x')", "`service`", "`resource.service.name`"),
        ("set(name, 5)", "`5`", "a text"),
        ("set(kind, 'SERVR')", "`'SERVR'`", "`SERVER`"),
        ("set(status, 'good')", "`'good'`", "`unset`"),
        ("delete(name)", "`name`", "set(name, '')"),
        ("delete('user*')", "`'user*'`", "behind a point"),
        ("delete(resouce.k8s.pod)", "`resouce.k8s.pod`", "`resource.k8s.pod`"),
        ("rename(name, was)", "`name`", "attributes"),
        ("rename(a, a)", "`a`", "two different fields"),
        ("move(a, events.attributes.a)", "`events.attributes.a`", "both fields"),
        ("replace(name, '(a', 'b')", "`'(a'`", "unclosed group"),
        ("replace(name, 'a')", "`'a'`", "replace(name, "),
        ("truncate(attributes, -1)", "`-1`", "truncate(attributes, 32)"),
        ("limit(name, 3)", "`name`", "limit(attributes, 8)"),
        ("limit(attributes, 1, a, b)", "", "limit(attributes, 8)"),
        ("any('resource.*')", "`'resource.*'`", "one field"),
        ("drop_spans(5)", "`5`", "compare"),
        ("drop_events(name == 5)", "`name == 5`", ""),
        ("delete(a) if b", "`if b`", "when"),
        ("delete(a) when b >", "", ""),
        ("user.email", "`user.email`", "delete(user.email)"),
        ("delete(", "", ""),
        ("", "", ""),
        ("set(name, '<<1 + 1>>')", "`1 + 1`", "names of fields"),
        ("set(name, '<<events.name>>')", "", "events only for events"),
    ] {
        let found = mistakes(flag);
        assert_eq!(found.len(), 1, "{flag}: {found:?}");
        assert!(found[0].contains(place) && found[0].contains(way_out), "{flag}: {}", found[0]);
    }
    assert_eq!(mistakes("rename(kind, status) when nope(").len(), 2, "all mistakes are reported");
}

#[test]
fn an_attribute_that_no_span_has_is_warned_of_unless_a_change_makes_it() {
    let mut known = Vocabulary::default();
    known.scenarios.insert("Shop".into());
    known.attributes.insert("user.email".into());
    let mut codes = |flag: &str| Vec::from_iter(read(flag, &mut known).1.iter().map(|found| found.problem.code()));
    assert_eq!(codes("delete(user.email)"), [""; 0]);
    assert_eq!(codes("delete(user.emial)"), ["W0901"]);
    assert_eq!(codes("set(region, 'eu') when not has(region)"), [""; 0]);
    assert_eq!(codes("rename(region, user.region) when region == 'eu'"), [""; 0]);
    assert_eq!(codes("delete(user.region)"), [""; 0]);
}

#[test]
fn a_rule_is_shown_as_it_was_written() {
    let declared = changes(&["delete(user.email)  when\n  user.tier == 'vip'", "set(a, 1)"]);
    assert_eq!([declared.text(0), declared.text(1)], ["delete(user.email) when user.tier == 'vip'", "set(a, 1)"]);
    assert_eq!(
        serde_json::to_string(&declared).unwrap(),
        r#"["delete(user.email) when user.tier == 'vip'","set(a, 1)"]"#
    );
}
