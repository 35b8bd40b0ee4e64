//! Tests of shared spans: the spans that their uses make, and the names that can be read in them.

use support::spans::{MS, Span, compile, each_trace};
use tracegen::compiler::compile_loaded;
use tracegen::language::load_texts;

mod support {
    pub mod spans;
}

/// Returns the first `count` traces of a scenario file with this text.
fn traces(text: &str, count: u64) -> Vec<Vec<Span>> {
    let mut all = vec![];
    each_trace(compile(text), count, |_, _, spans| all.push(spans));
    all
}

fn codes(files: &[(&str, &str)]) -> Vec<&'static str> {
    let files = files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    compile_loaded(load_texts(files)).1.diagnostics.iter().map(|found| found.problem.code()).collect()
}

/// A use of a shared span and the same span written out give the same plan.
#[test]
fn a_use_is_what_it_would_be_written_out() {
    let used = "spans:
  base: {service: stock, kind: SERVER, delay_ms: 5, attributes: {a: 1, b: 2}, events: [{name: e}], error_conditions: [{probability: 1, type: A}]}
  shared: {use: base, operation: reserve, attributes: {b: 3, c: 4}, error_conditions: [{probability: 2, type: B}]}
name: a
root_span:
  service: shop
  operation: root
  calls:
    - {use: shared, delay_ms: 7, attributes: {d: 5, a: 6}, events: [{name: f}], error_conditions: [{probability: 3, type: C}]}
";
    let written = "name: a
root_span:
  service: shop
  operation: root
  calls:
    - service: stock
      operation: reserve
      kind: SERVER
      delay_ms: 7
      attributes: {a: 6, b: 3, c: 4, d: 5}
      events: [{name: f}, {name: e}]
      error_conditions: [{probability: 3, type: C}, {probability: 2, type: B}, {probability: 1, type: A}]
";
    assert_eq!(compile(used).digest(), compile(written).digest());
}

const PARAMETERS: &str = "spans:
  shared:
    vars: {given: , own: <<given>>-<<parent.attributes.user>>, drawn: <<random.uuid>>}
    operation: <<given>> <<own>>
    attributes: {drawn: <<drawn>>, again: <<drawn>>}
    calls: [{service: t, operation: below <<given>>}]
name: a
vars: {given: outer}
root_span:
  service: s
  operation: root
  attributes: {user: u}
  calls:
    - {use: shared, with: {given: <<given>>1}, repeat: 2}
    - {use: shared, service: other, with: {given: 2, drawn: x}}
";

#[test]
fn parameters_are_given_once_a_call_and_defaults_read_what_is_given() {
    let spans = &traces(PARAMETERS, 1)[0];
    let names: Vec<(&str, &str)> = spans.iter().map(|span| (&*span.service, &*span.name)).collect();
    let turn = [("s", "outer1 outer1-u"), ("t", "below outer1")];
    assert_eq!(names[1..5], [turn, turn].concat());
    assert_eq!(names[5..], [("other", "2 2-u"), ("t", "below 2")]);
    let drawn: Vec<&str> = [1, 3, 5].map(|at| spans[at].attribute("drawn")).into();
    assert!(drawn[0] != drawn[1] && drawn[2] == "x", "{drawn:?}");
    assert!([1, 3, 5].iter().all(|at| spans[*at].attribute("again") == spans[*at].attribute("drawn")));
}

#[test]
fn each_attempt_draws_its_parameters_anew() {
    let text = "name: a
root_span:
  service: s
  operation: root
  calls:
    - use: http.server
      service: t
      with: {route: /, status: {choice: [200, 503]}}
      retry: {attempts: 2}
";
    let mut second = std::collections::BTreeSet::new();
    for spans in traces(text, 100) {
        let statuses: Vec<&str> = spans.iter().filter(|span| span.service == "t").map(status).collect();
        assert!(statuses.len() == if statuses[0] == "503" { 2 } else { 1 }, "{statuses:?}");
        second.extend(statuses.get(1).map(|status| status.to_string()));
        let resent = |span: &&Span| span.service == "s" && span.attributes.contains_key("http.request.resend_count");
        assert_eq!(spans.iter().filter(resent).count(), statuses.len() - 1);
    }
    assert_eq!(second.len(), 2);
}

fn status(span: &Span) -> &str {
    span.attribute("http.response.status_code")
}

fn error_type(span: &Span) -> &str {
    span.error.as_ref().map_or("", |error| &error.0)
}

/// By the semantic conventions a server fails from 500 on, and its client from 400 on; a failure that is passed on is a
/// 500, unless the scenario says something else.
#[test]
fn status_codes_and_errors_of_the_prelude_agree() {
    let text = "name: a
vars: {status: {choice: [200, 404, 503]}, how: {choice: [0, 1, 2]}}
root_span:
  use: http.server
  service: shop
  with: {route: /}
  calls:
    - {when: how == 0, use: http.server, service: stock, with: {route: /stock, status: <<status>>}}
    - {when: how == 1, use: http.server, service: stock, with: {route: /stock, status: <<status>>}, propagate: true}
    - when: how == 2
      use: http.server
      service: stock
      with: {route: /stock, status: <<status>>}
      propagate: {type: Gone, attributes: {http.response.status_code: 410}}
";
    let mut seen = std::collections::BTreeSet::new();
    for spans in traces(text, 200) {
        let [root, client, server] = &spans[..] else { panic!("{spans:?}") };
        let status_of = |span| (status(span).to_owned(), error_type(span).to_owned());
        let fails = |least: &str| if status(server) >= least { status(server).to_owned() } else { String::new() };
        assert_eq!(error_type(server), fails("500"));
        assert_eq!(status_of(client), (status(server).into(), fails("400")));
        assert_eq!(client.attribute("url.full"), "https://stock/stock");
        seen.insert((status(server).to_owned(), status_of(root)));
    }
    let of_root = |server: &str| -> Vec<(String, String)> {
        seen.iter().filter(|(status, _)| status == server).map(|(_, root)| root.clone()).collect()
    };
    let owned = |all: &[(&str, &str)]| all.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect::<Vec<_>>();
    assert_eq!(of_root("200"), owned(&[("200", "")]));
    assert_eq!(of_root("404"), owned(&[("200", ""), ("410", "Gone"), ("500", "500")]));
    assert_eq!(of_root("503"), owned(&[("200", ""), ("410", "Gone"), ("500", "500")]));
}

#[test]
fn a_timed_out_rpc_fails_its_client_alone() {
    let text = "name: a
root_span:
  service: shop
  operation: root
  calls: [{use: rpc.server, service: rates, with: {method: r.R/Get}, delay_ms: 50, timeout_ms: 10}]
";
    let spans = &traces(text, 1)[0];
    let [_, client, server] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(
        (error_type(client), client.attribute("rpc.response.status_code")),
        ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    );
    assert_eq!((error_type(server), server.attribute("rpc.response.status_code")), ("", "OK"));
    assert!(client.end - client.start == 10 * MS && server.end > client.end);
}

#[test]
fn names_are_looked_up_where_they_are_written() {
    let base =
        ("_base.yaml", "services: [s]\nspans:\n  inner: {operation: of base}\n  outer: {use: inner, service: s}\n");
    let own = "spans: {inner: {operation: own}}\nname: a\nroot_span: {use: outer, calls: [{use: inner}]}\n";
    let files = [base, ("a.yaml", own)];
    assert_eq!(codes(&files), ["W0702"]);
    let files = files.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect();
    let plan = compile_loaded(load_texts(files)).1.plan.unwrap();
    each_trace(plan, 1, |_, _, spans| {
        assert_eq!([&*spans[0].name, &*spans[1].name], ["of base", "own"]);
    });
}

/// The body of a shared span depends only on its parameters and on explicit paths, not on the place that uses it.
#[test]
fn a_body_knows_nothing_of_the_place_that_uses_it() {
    let body = |expression: &str| {
        format!(
            "spans: {{shared: {{vars: {{p: 1}}, service: t, operation: '<<p>> <<{expression}>>'}}}}
name: a
vars: {{outer: 1}}
root_span:
  service: s
  operation: root <<outer>>
  attributes: {{above: 1}}
  calls:
    - {{use: shared, repeat: 2, vars: {{item: 1}}, attributes: {{beside: <<item>>}}, retry: {{attempts: 2}}}}
    - {{use: shared}}
"
        )
    };
    for (expression, expected) in [
        ("outer", "E0401"),
        ("vars.outer", "E0402"),
        ("item", "E0401"),
        ("above", "E0401"),
        ("beside", "E0401"),
        ("parent.attributes.above", ""),
        ("root.attributes.above", ""),
        ("repeat.index", ""),
        ("retry.attempt", ""),
        ("error", "E0404"),
    ] {
        let found = codes(&[("a.yaml", &body(expression))]);
        assert_eq!(found.first().copied().unwrap_or(""), expected, "{expression}");
    }
    let names = |expression: &str| -> Vec<String> {
        traces(&body(expression), 1)[0].iter().skip(1).map(|span| span.name.clone()).collect()
    };
    assert_eq!(names("repeat.index"), ["1 0", "1 1", "1 0"]);
    assert_eq!(names("repeat.count"), ["1 2", "1 2", "1 1"]);
}

/// A step, a root, and the calls of a shared span can be made from shared spans.
#[test]
fn steps_are_made_from_shared_spans_too() {
    let text = "name: a
steps:
  - {use: http.server, service: shop, with: {route: /a}}
  - {use: http.server, service: stock, with: {route: /b}}
  - {use: db.query, with: {collection: items}}
";
    let spans = &traces(text, 1)[0];
    let names: Vec<(&str, &str)> = spans.iter().map(|span| (&*span.service, &*span.name)).collect();
    assert_eq!(names, [("shop", "GET /a"), ("shop", "GET"), ("stock", "GET /b"), ("stock", "SELECT items")]);
}
