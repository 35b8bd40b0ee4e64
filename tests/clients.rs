//! Tests of clients: the pair of spans that a call over a network makes, its times, and the answer that the client reads.

use support::spans::{MS, Span, compile, each_trace};

mod support {
    pub mod spans;
}

/// Returns the first `count` traces of a root in `shop` with this one call, which has the further fields `more`.
fn traces(server: &str, more: &str, count: u64) -> Vec<Vec<Span>> {
    let plan = compile(&format!(
        "name: a\nroot_span:\n  service: shop\n  operation: root\n  attributes: {{http.route: /root}}\n  calls:
    - service: payment\n      kind: SERVER\n{server}{more}"
    ));
    let mut all = vec![];
    each_trace(plan, count, |_, _, spans| all.push(spans));
    all
}

/// Returns the service, the name, the start and the end in ms, and the type of the error of each span.
fn shown(spans: &[Span]) -> Vec<(&str, &str, u64, u64, &str)> {
    spans.iter().map(|s| (&*s.service, &*s.name, s.start / MS, s.end / MS, error_type(s))).collect()
}

fn error_type(span: &Span) -> &str {
    span.error.as_ref().map_or("", |error| &error.0)
}

const CHARGE: &str = "      operation: charge\n      delay_ms: 10\n";

#[test]
fn a_client_stands_around_its_server_with_the_network_between_them() {
    let spans = &traces(CHARGE, "      client: {network_ms: 2}\n", 1)[0];
    let expected = [("shop", "root", 0, 14, ""), ("shop", "charge", 0, 14, ""), ("payment", "charge", 2, 12, "")];
    assert_eq!(shown(spans), expected);
    assert_eq!((spans[1].parent, spans[2].parent), (Some(0), Some(1)));
    assert_eq!(spans[1].attribute("server.address"), "payment");
}

#[test]
fn the_network_takes_a_fifth_of_a_millisecond_to_one_each_way_unless_told() {
    let (mut least, mut most) = (u64::MAX, 0);
    for spans in traces(CHARGE, "      client: true\n", 2_000) {
        for way in [spans[2].start - spans[1].start, spans[1].end - spans[2].end] {
            (least, most) = (least.min(way), most.max(way));
        }
    }
    assert!((200_000..202_000).contains(&least) && (998_000..=1_000_000).contains(&most), "{least} {most}");
    assert_eq!(traces(CHARGE, "      client: false\n", 1)[0].len(), 2);
}

/// A server that answers with the status 200, 404 or 503. The server fails with 503, and its client with 404 and 503.
const STATUSES: &str = "      operation: charge
      delay_ms: 10
      attributes: {http.response.status_code: {choice: [200, 404, 503]}, constant: fixed}
      error_conditions: [{at: end, when: http.response.status_code >= 500, type: <<http.response.status_code>>, message: no}]
";
const READS: &str = "      client:
        operation: POST
        network_ms: 1
        attributes: {before: 1, status: <<callee.attributes.http.response.status_code>>, also: <<status>>, fixed: <<callee.attributes.constant>>, name: <<callee.service.name>>}
        error_conditions: [{at: end, when: status >= 400, type: http <<status>>}]
";

#[test]
fn a_client_reads_the_answer_and_judges_for_itself() {
    let mut seen = std::collections::BTreeSet::new();
    for spans in traces(STATUSES, READS, 60) {
        let [_, client, server] = &spans[..] else { panic!("{spans:?}") };
        let status = server.attribute("http.response.status_code");
        assert_eq!((client.attribute("status"), client.attribute("also")), (status, status));
        assert_eq!((client.attribute("fixed"), client.attribute("name")), ("fixed", "payment"));
        assert_eq!((client.name.as_str(), client.attribute("before")), ("POST", "1"));
        let error = |span: &Span| span.error.clone().map(|(kind, _, exceptions)| (kind, exceptions));
        let fails = |least: &str, kind: String| (status >= least).then_some((kind, 1));
        assert_eq!(error(server), fails("500", status.into()));
        assert_eq!(error(client), fails("400", format!("http {status}")));
        seen.insert(status.to_owned());
    }
    assert_eq!(seen.len(), 3);
}

#[test]
fn a_failed_server_fails_its_client_and_nobody_else() {
    let server =
        "      operation: charge\n      error_conditions: [{probability: 100, type: Declined, message: no money}]\n";
    let spans = &traces(server, "      client: true\n", 1)[0];
    let error = |exceptions| Some(("Declined".to_owned(), "no money".to_owned(), exceptions));
    assert_eq!([&spans[0].error, &spans[1].error, &spans[2].error], [&None, &error(0), &error(1)]);
    let spans = &traces(server, "      client: true\n      propagate: true\n", 1)[0];
    assert_eq!(spans[0].error, error(0));
}

#[test]
fn an_answer_that_an_error_of_the_server_changed_is_what_the_client_reads() {
    let server = "      operation: charge
      attributes: {http.response.status_code: 200}
      calls: [{service: db, operation: q, error_conditions: [{probability: 100, type: Down}]}]
      error_conditions: [{at: end, when: error, type: '500', attributes: {http.response.status_code: 500}}]
";
    let client = "      client: {attributes: {status: <<callee.attributes.http.response.status_code>>}}\n";
    assert_eq!(traces(server, client, 1)[0][1].attribute("status"), "500");
}

#[test]
fn what_fails_before_it_is_sent_reaches_no_server() {
    let client = "      client:
        network_ms: 3
        attributes: {status: <<callee.attributes.http.response.status_code>>}
        error_conditions: [{probability: 50, type: ConnectionRefused}]
";
    let (mut refused, mut answered) = (0, 0);
    for spans in traces(STATUSES, client, 200) {
        match spans.len() {
            2 => {
                assert_eq!((spans[1].error.as_ref().unwrap().0.as_str(), spans[1].end), ("ConnectionRefused", 0));
                // No value of the trace before is read.
                assert_eq!(spans[1].attribute("status"), "");
                refused += 1;
            }
            _ => {
                assert_ne!(spans[1].attribute("status"), "");
                answered += 1;
            }
        }
    }
    assert!(refused > 60 && answered > 60, "{refused} {answered}");
}

#[test]
fn a_client_gives_up_in_time_and_its_server_goes_on() {
    let server = "      operation: charge\n      delay_ms: 50\n      attributes: {http.response.status_code: 200}\n";
    let client = "      client:
        network_ms: 2
        attributes: {status: <<callee.attributes.http.response.status_code>>}
        error_conditions: [{at: end, when: error.type == 'timeout', type: DEADLINE_EXCEEDED, attributes: {rpc.response.status_code: DEADLINE_EXCEEDED}}]
      timeout_ms: 20
      propagate: true
";
    let spans = &traces(server, client, 1)[0];
    let expected = [
        ("shop", "root", 0, 20, "DEADLINE_EXCEEDED"),
        ("shop", "charge", 0, 20, "DEADLINE_EXCEEDED"),
        ("payment", "charge", 2, 52, ""),
    ];
    assert_eq!(shown(spans), expected);
    // The answer never came.
    assert_eq!(spans[1].attribute("status"), "");
    assert_eq!(spans[1].attribute("rpc.response.status_code"), "DEADLINE_EXCEEDED");
    // Without an error condition of its own, a client has the type of the timeout.
    let spans = &traces(server, "      client: {network_ms: 2}\n      timeout_ms: 20\n", 1)[0];
    assert_eq!(shown(spans)[1], ("shop", "charge", 0, 20, "timeout"));
    // An answer that is on its way at the timeout comes too late.
    let spans = &traces(CHARGE, "      client: {network_ms: 6}\n      timeout_ms: 20\n", 1)[0];
    assert_eq!(shown(spans)[1..], [("shop", "charge", 0, 20, "timeout"), ("payment", "charge", 6, 16, "")]);
    let spans = &traces(CHARGE, "      client: {network_ms: 5}\n      timeout_ms: 20\n", 1)[0];
    assert_eq!(shown(spans)[1..], [("shop", "charge", 0, 20, ""), ("payment", "charge", 5, 15, "")]);
}

#[test]
fn a_request_that_arrives_after_the_time_makes_no_span_of_the_server() {
    let spans = &traces(CHARGE, "      client: {network_ms: 30}\n      timeout_ms: 20\n", 1)[0];
    assert_eq!(shown(spans)[1..], [("shop", "charge", 0, 20, "timeout")]);
}

#[test]
fn each_attempt_is_a_pair_and_reads_its_own_answer() {
    let more = "      retry: {attempts: 3, backoff_ms: 10, when: error.type != 'http 404'}\n";
    for spans in traces(STATUSES, &format!("{READS}{more}"), 60) {
        let pairs = &spans[1..];
        assert_eq!(pairs.len() % 2, 0);
        for pair in pairs.chunks(2) {
            assert_eq!(pair[0].attribute("status"), pair[1].attribute("http.response.status_code"));
        }
        let statuses: Vec<&str> = pairs.chunks(2).map(|pair| pair[0].attribute("status")).collect();
        let (last, earlier) = statuses.split_last().unwrap();
        assert!(
            earlier.iter().all(|status| *status == "503") && (*last != "503" || earlier.len() == 2),
            "{statuses:?}"
        );
    }
}

/// A span's deadline ends the spans that it calls in the same process. A client is such a span, but its server is not.
#[test]
fn a_client_ends_with_the_span_around_it() {
    let plan = compile(
        "name: a\nroot_span:\n  service: shop\n  operation: root\n  calls:
    - service: shop
      operation: handler
      timeout_ms: 20
      calls: [{service: payment, operation: charge, kind: SERVER, delay_ms: 50, client: {network_ms: 1}}, {service: shop, operation: never}]
",
    );
    each_trace(plan, 1, |_, _, spans| {
        let expected = [
            ("shop", "root", 0, 20, ""),
            ("shop", "handler", 0, 20, "timeout"),
            ("shop", "charge", 0, 20, "timeout"),
            ("payment", "charge", 1, 51, ""),
        ];
        assert_eq!(shown(&spans), expected);
    });
}

#[test]
fn a_client_changes_nothing_of_what_names_mean_below_it() {
    let server = "      operation: charge <<parent.attributes.http.route>>
      attributes: {route: <<http.route>>}
";
    let client = "      client: {operation: POST, attributes: {http.route: /client}}\n";
    let (with, without) = (traces(server, client, 1), traces(server, "", 1));
    assert_eq!((with[0][2].name.as_str(), with[0][2].attribute("route")), ("charge /root", "/root"));
    assert_eq!((&with[0][2].name, &with[0][2].attributes), (&without[0][1].name, &without[0][1].attributes));
}
