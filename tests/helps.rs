//! Every help of a diagnostic is followed here: the file is changed as it says, and the mistake is gone.

use std::fs;
use std::path::Path;

use tracegen::compiler::compile_loaded;
use tracegen::condition::Vocabulary;
use tracegen::language::diagnostic::Diagnostic;
use tracegen::language::load_texts;
use tracegen::language::source::Sources;
use tracegen::verify::PolicyReader;

#[path = "support/policies.rs"]
mod policies;

const INPUTS: &str = "tests/diagnostics";

/// For each input, in the order of its helps: the old text and the new one. A "did you mean" is followed without an entry.
#[rustfmt::skip]
const FOLLOWED: &[(&str, &[(&str, &str)])] = &[
    ("E0106-control-character", &[("a\0b", r#""a\x00b""#)]),
    ("E0107-syntax", &[
        ("first: second", r#""first: second""#),
        (r#"default("q")"#, "default('q')"),
        (r#""\<<x>>""#, r#""\\<<x>>""#),
        ("{{id}}/orders", r#""{{id}}/orders""#),
        ("%5", r#""%5""#),
        ("@home", r#""@home""#),
        ("`x`", r#""`x`""#),
        (": - x", r#": "- x""#),
        ("'a' == b", r#""'a' == b""#),
        (">= 500", r#"">= 500""#),
        ("\tservice", "  service"),
        ("<<random.weighted({'a': 9})>>x: y", r#""<<random.weighted({'a': 9})>>x: y""#),
        ("/a/{id}}", r#""/a/{id}"}"#),
        ("  root_span: {service: shop, operation: o}", "root_span: {service: shop, operation: o}"),
        ("{{random.weighted({'a': 9, 'b': 1})}}", r#""{{random.weighted({'a': 9, 'b': 1})}}""#),
        ("[1, 2}", "[1, 2]}"),
        (r#""abc"#, r#""abc""#),
    ]),
    ("E0110-alias-bomb", &[("&i ", "")]),
    ("E0111-factor", &[("*3", "x3")]),
    ("E0111-unknown-alias", &[("*all", "'*all'")]),
    ("E0201-incident", &[
        ("start: +10m", "at: +10m"),
        ("duration: 5m", "for: 5m"),
        ("repeat: 1h", "every: 1h"),
        ("service: shop, errors: 30", "select: {service: shop}, errors: 30"),
        ("errors: 30", "error_conditions: [{probability: 30, type: timeout}]"),
        ("delay: 5", "delay_ms: 5"),
        ("    incidents: []\n", ""),
    ]),
    ("E0114-tag", &[("!not x", "not x"), ("!!int 5", "'!!int 5'")]),
    ("E0116-key-not-text", &[("[a, b]", r#""[a, b]""#)]),
    ("E0117-bad-merge", &[("<<: GET", "b: &name {c: 1}\n    <<: *name")]),
    ("E0201-unknown-field", &[
        ("  when: error\n", ""),
        ("duration:", "delay_ms:"),
        ("  services: [shop]\n", ""),
    ]),
    ("E0201-load", &[
        ("duration:", "for:"),
        ("target:", "rate:"),
        ("cron: 24h", "every: 24h"),
        ("jitter:", "jitter_ms:"),
        (", load: {rate: 40/s}", ""),
    ]),
    ("E0203-load", &[("40/s", "{rate: 40/s}"), ("max", "5000/s"), ("600", "600s")]),
    ("E0801-nothing-arrives", &[("rate: 0}]", "rate: 40/s}]"), ("0/s}", "40/s}")]),
    ("E0802-stages-without-time", &[("stages: [{for: 0s, rate: 40/s}]", "rate: 40/s")]),
    ("E0803-cycle-of-stages", &[("60/s}]", "60/s}, {for: 4h, rate: 5/s}]")]),
    ("E0804-at-beyond-period", &[("02:15", "00:15")]),
    ("E0805-jitter-too-long", &[("p99: 4000", "p99: 4000, max: 20000")]),
    ("E0806-jitter-of-values", &[(r#""<<random.int(1, 9)>>""#, "[1, 9]"), ("{mix: [{weight: 1, ms: 5}]}", "5")]),
    ("E0807-second-load", &[("load: {rate: 5/s}\n", "")]),
    ("E0808-stage-table", &[
        ("stages: day.csv, cycle: 24h", "rate: 5/s"),
        ("stages: week.csv", "rate: 5/s"),
        ("stages: fast.csv", "rate: 5/s"),
    ]),
    ("E0809-load-too-high", &[("60000000/s}]", "6/s}]")]),
    ("W0801-unused-load", &[("load: {rate: 40/s}\n", "")]),
    ("E0201-distribution", &[
        ("{min: 5, max: 15}", "[5, 15]"),
        ("median", "p50"),
        ("sd:", "stddev:"),
        ("50:", "p50:"),
        ("99:", "p99:"),
        ("p101", "p99"),
        ("avg", "mean"),
        ("{weight: 1, ms: 5}", "{mix: [{weight: 1, ms: 5}]}"),
        ("{weight: 1, ms: 5}", "{mix: [{weight: 1, ms: 5}]}"),
    ]),
    ("E0202-missing-field", &[("nothing else\n", "nothing else\n  steps: [{service: shop, operation: o}]\n")]),
    ("E0203-mistyped", &[
        (r#""5""#, "5"),
        ("1_000", "1000"),
        ("a: {b: c}", "a.b: c"),
    ]),
    ("E0203-incident", &[
        ("at: 10m", "at: +10m"),
        ("at: +10,", "at: +10s,"),
        ("for: 5}", "for: 5s}"),
        ("latency: 3", "latency: x3"),
        ("latency: +200", "latency: {add_ms: 200}"),
        ("down: 1", "down: true"),
    ]),
    ("E0203-link", &[(", trace: another", ""), ("5s", "5000"), (", at: start", "")]),
    ("E0203-time", &[
        ("20ms", "20"),
        ("5-20", "[5, 20]"),
        ("1.5s", "1.5"),
        (r#"[1, "<<size>>"]"#, "<<random.float(1, 5) + size>>"),
        ("about <<size>>", "<<size>>"),
        (r#""5""#, "5"),
    ]),
    ("E0206-range-upside-down", &[("[15, 5]", "[5, 15]")]),
    ("E0210-schema-version", &[("schema_version: 2", "schema_version: 1")]),
    ("E0211-null-value", &[
        ("a:", "a: ''"),
        ("null", "''"),
        ("~", "''"),
        ("[1, null]", "[1, '']"),
        ("    e:", "    e: ''"),
    ]),
    ("E0211-stray-key", &[
        ("/search?a=1,2", r#""/search?a=1,2""#),
        ("codes: {200:95}", "codes.200: 95"),
        ("404:5", "404: 5"),
    ]),
    ("E0514-nested-list", &[("<<[tags]>>", "[<<tags>>]")]),
    ("E0212-mixed-list", &[
        ("[1, two, 3]", "['1', 'two', '3']"),
        ("[1, 2.5]", "[1.0, 2.5]"),
        ("yes", "true"),
        ("[yes, true]", "['yes', 'true']"),
    ]),
    ("E0214-step-with-calls", &[
        ("    calls:\n      - {service: shop, operation: a}", "  - {service: shop, operation: a}"),
    ]),
    ("E0216-reserved-name", &[("random:", "my_random:"), ("time.zone:", "my_time.zone:")]),
    ("E0217-bad-var-name", &[("user-id", "user_id"), ("1st", "first"), ("not:", "negated:")]),
    ("E0221-scenario-in-base", &[("scenarios:\n  - name: Orders\n    root_span: {service: shop, operation: GET /}\n", "")]),
    ("E0213-distribution", &[("1e308, ms: 5}, {weight: 1e308", "1, ms: 5}, {weight: 1")]),
    ("E0224-distribution-form", &[
        ("{}", "{exp: 5}"),
        ("{max: 5}", "{exp: 5}"),
        ("mean: 5, p50", "p50"),
    ]),
    ("E0225-percentile-set", &[
        ("{p50: 5}", "{p0: 1, p50: 5, p100: 80}"),
        ("{p50: 5, p90: 20, p99: 80}", "{p0: 1, p50: 5, p90: 20, p100: 80}"),
        ("p99: 80", "p99: 80, p100: 500"),
    ]),
    ("E0226-nested-mix", &[("{mix: [{weight: 1, ms: 80}]}", "80")]),
    ("E0227-mix-without-weight", &[("{when: not cold, ms: 5}", "{weight: 1, ms: 5}")]),
    ("E0228-needs-max", &[("p99: 7200", "p99: 7200, max: 14400"), ("exp: 5400000", "exp: 5400000, max: 86400000")]),
    ("E0229-choice-weights", &[
        ("[1, 9, 90]", "[1, 9]"),
        ("[1, two, true]", "['1', 'two', 'true']"),
        ("[1, 2]}}", "[1]}}"),
    ]),
    ("E0230-row-columns", &[
        ("{country: US}", "{country: US, currency: USD}"),
        (", vat: 20", ""),
        ("{a: 1}, {a: one}", "{a: '1'}, {a: 'one'}"),
    ]),
    ("E0231-rows-in-attribute", &[("{choice: [{country: DE}, {country: US}]}", "DE")]),
    ("E0411-row-not-a-value", &[("<<market>>", "<<market.country>>"), ("<<vars.market>>", "<<vars.market.country>>")]),
    ("E0302-five-mistakes", &[("<<id", "<<id>>"), ("[15, 5]", "[5, 15]")]),
    ("E0302-unclosed", &[
        ("cout << x", r"cout \<< x"),
        ("{{id", r"\{{id"),
        ("<<user's>>", "<<'user'>>"),
        ("<<open", "<<open>>"),
    ]),
    ("E0303-bad-expression", &[
        ("&&", "and"),
        ("a = b", "a == b"),
        ("c ? d", "d if c else a"),
        ("1_000", "1000"),
        ("2, %", "2"),
        ("<<not>>", "<<not a>>"),
        ("a ! b", "a != b"),
    ]),
    ("E0307-template-as-key", &[("<<x>>: 5", "x: <<x>>"), ("'a-{{x}}': 6", "a: 'a-{{x}}'")]),
    ("E0309-wrong-close", &[("<<x}}", "<<x>>"), ("{{x>>", "{{x}}")]),
    ("E0310-braces-are-mapping", &[("{{user_id}}", r#""{{user_id}}""#), ("{{random.int(1, 9)}}", "<<random.int(1, 9)>>")]),
    ("E0311-cut-at-comma", &[
        ("<<random.int(1, 9)>>", r#""<<random.int(1, 9) | int>>""#),
        ("<<random.float(1, 9, 3)>>", r#""<<random.float(1, 9, 3) | double>>""#),
        ("<<pad(1, 5)>>", r#""<<pad(1, 5)>>""#),
    ]),
    ("E0403-unknown-attribute", &[("parent.attributes.user.id", "user.id")]),
    ("E0404-not-available", &[
        ("shop: {", "shop: {instances: 3, "),
        ("<<trace.id>>", "<<service.name>>"),
        ("b: <<context_key>>", "b: <<context_key>>\n      export_context_as: k"),
        ("shop: {", "shop: {instances: 3, "),
        ("<<retry.attempt>>", "<<parent.attributes.retry.attempt>>"),
        ("shop: {", "shop: {version: 1.4.0, "),
        ("shop: {", "shop: {instances: 3, "),
    ]),
    ("E0404-links", &[("<<count>>", "<<size>>"), ("<<context_key>>", "<<linked.context_key>>")]),
    ("E0405-not-a-value", &[
        ("<<vars>>", "<<vars.x>>"),
        ("<<parent.user>>", "<<parent.attributes.user>>"),
        ("<<scenario>>", "<<scenario.name>>"),
        ("<<service.kind>>", "<<service.name>>"),
        ("<<linked.user>>", "<<linked.attributes.user>>"),
        ("<<context_key.x>>", "<<context_key>>"),
    ]),
    ("E0406-variable-cycle", &[("<<b>>", "1"), ("<<d>>", "1")]),
    ("E0407-attribute-cycle", &[("b: <<a>>", "b: <<parent.attributes.a>>"), ("key: <<context_key>>", "key: 1")]),
    ("E0409-duplicate-scenario", &[("name: checkout", "name: another")]),
    ("E0410-service-attribute-taken", &[("service.name: shop, ", ""), (", service.version: 2", "")]),
    ("E0501-argument-count", &[
        ("random.int(5)", "random.int(5, 9)"),
        ("random.uuid(1)", "random.uuid"),
        ("random.float(1)", "random.float(1, 2, 3)"),
        ("a | round", "a | round(2)"),
        ("time.now(1, 2)", "time.now"),
    ]),
    ("E0502-argument-type", &[
        ("'1'", "1"),
        ("random.int(5, 9)", "random.int(5, 9) | int"),
        ("9 / 2", "9 / 2 | int"),
        ("name | round(2)", "2.25 | round(2)"),
        ("<<random.weighted(['a', 'b'])>>", r#""<<random.weighted({'a': 9, 'b': 1})>>""#),
        ("'often'", "5"),
    ]),
    ("E0503-argument-not-constant", &[("'x': size", "'x': 9")]),
    ("E0504-argument-range", &[
        ("hex(0)", "hex(8)"),
        ("zipf(100, 0)", "zipf(100, 1)"),
        ("bool(101)", "bool(50)"),
        ("(0.001, 0.002)", "(0.001, 0.002, 3)"),
        ("(80, 5)", "(5, 80)"),
        ("exp(-1)", "exp(1)"),
        ("(5, -1)", "(5, 1)"),
        ("(5, 0)", "(5, 1)"),
        ("1e12, 15", "1e12, 2"),
    ]),
    ("E0505-arguments-upside-down", &[("(9, 1)", "(1, 9)"), ("(2.5, -1)", "(-1, 2.5)"), ("clamp(9, 1)", "clamp(1, 9)")]),
    ("E0506-not-a-list", &[
        ("('a', 'b')", "(['a', 'b'])"),
        ("('a')", "(['a'])"),
        ("in 'gold'", "in ['gold']"),
        ("pick(5)", "pick(['a', 'b'])"),
    ]),
    ("E0507-empty-list", &[("[]", "['a', 'b']")]),
    ("E0510-incomparable", &[
        ("random.int(200, 599)", "random.int(200, 599) | int"),
        ("random.bool ==", "(random.bool | text) =="),
        ("random.int(1, 9) in", "(random.int(1, 9) | text) in"),
    ]),
    ("E0519-key-not-constant", &[
        ("1: 'CHF'", "'1': 'CHF'"),
        ("{}", "{'ch': 'CHF'}"),
        ("lookup('ch')", "lookup({'ch': 1})"),
        ("country | nth", "1 | nth"),
        ("<<1 | nth(['a']) ==", "<<(1 | nth(['a']) | default('b')) =="),
    ]),
    ("E0520-unbounded", &[
        ("size)", "(size | clamp(0, 100)))"),
        ("size + dice)", "(size + dice | clamp(0, 100)))"),
        ("dice * 1000000", "dice * 1000"),
        ("dice * 1000)", "dice)"),
        ("-1", "1"),
        ("'long'", "5"),
        ("dice / 2", "dice / 2 | int"),
    ]),
    ("E0412-unknown-column", &[("+ 1", "+ 'x'")]),
    ("E0511-time", &[("random.int(1, 9)", "random.int(1, 9) | int")]),
    ("E0511-operand-type", &[("random.int(200, 599)", "random.int(200, 599) | int")]),
    ("E0512-joined-with-text", &[("random.zipf(9, 1)", "(random.zipf(9, 1) | text)")]),
    ("E0513-list-in-text", &[(r#""<<tags>>""#, "<<tags>>"), ("tags <<tags>>", "<<tags>>")]),
    ("E0518-weight-overflow", &[("1e308, 'silver': 1e308", "1, 'silver': 1"), ("1e308", "1")]),
    ("E0601-linked-without-link", &[("  attributes:", "  link_from_context: order-*\n  attributes:")]),
    ("E0602-glob-matches-nothing", &[("orders-*", "order-*")]),
    ("E0602-nothing-before", &[
        ("calls:\n", "calls:\n      - {service: shop, operation: first, export_context_as: picked/0}\n"),
        ("packed/*", "picked/*"),
    ]),
    ("E0603-link-cycle", &[
        (", link_from_context: b-*", ""),
        (", link_from_context: \"c-?\"}", "}\n- name: other\n  root_span: {service: shop, operation: o, link_from_context: \"c-?\"}"),
    ]),
    ("E0604-unknown-linked-attribute", &[]),
    ("E0242-client-of-no-server", &[
        ("client: true", "kind: SERVER\n      client: true"),
        ("      client: {}\n", ""),
    ]),
    ("E0404-callee", &[("<<callee.name>>", "<<callee.service.name>>")]),
    ("E0414-operation-of-callee", &[("client: true", "client: {operation: GET}")]),
    ("E0241-word-of-call", &[("timeout_ms: 20\n      ", ""), ("propagate: true, ", "")]),
    ("E0240-delay-of-group", &[("5\n      parallel", "5\n    - parallel")]),
    ("E0232-table-unreadable", &[("markets.csv", "[{country: DE}]")]),
    ("E0233-table-row", &[("markets.csv", "[{country: DE}]")]),
    ("E0234-table-head", &[("markets.csv", "[{country: DE}]")]),
    ("E0412-table-weights", &[
        ("markets.csv, weights: shares", "[{country: DE}]"),
        ("markets.csv, weights: country", "[{share: 1}]"),
        ("markets.csv, weights: [1, 2]", "[{share: 1}]"),
    ]),
    ("E0244-trace-state", &[("th:8", "ot=th:8"), (r#", trace_state: "a=1""#, "")]),
    ("W0206-version-of-none", &[("instances: 3", "instances: 30")]),
    ("E0203-form", &[(", status: error", "")]),
    ("E0203-bytes", &[(r#""no base64""#, "AP8Q")]),
    ("E0243-delay-at-end", &[(", delay_ms: 5", "")]),
    ("E0413-no-call-before", &[("when: error, ", ""), ("when: ok, ", "")]),
    ("E0530-turns-without-bound", &[
        ("<<size>>", r#""<<size | clamp(0, 20) | int>>""#),
        ("<<many>>", r#""<<many | clamp(0, 20) | int>>""#),
    ]),
    ("E0530-links-without-bound", &[
        ("<<size>>", r#""<<size | clamp(0, 20) | int>>""#),
        ("<<many>>", r#""<<many | clamp(0, 20) | int>>""#),
        ("<<size>>", r#""<<size | clamp(0, 20) | int>>""#),
    ]),
    ("E0612-trace-too-large", &[("repeat: 250", "repeat: 25")]),
    ("E0605-link-chain", &[(", link_from_context: k3", "")]),
    ("E0607-all-weights-zero", &[("weight: 0", "weight: 1")]),
    ("E0201-near-misses", &[
        ("name: GET /", "operation: GET /"),
        ("span_kind", "kind"),
        ("tags", "attributes"),
        ("    error_rate: 5\n", "    error_conditions: [{probability: 1, type: Timeout}]\n"),
        ("links", "link_from_context"),
        ("duration", "delay_ms"),
        ("children", "calls"),
        ("if: error", "when: error"),
        ("on_error: skip", "when: error"),
        ("retries: 3", "retry: {attempts: 3}"),
        ("times: 2", "repeat: 2"),
        ("probability: 5", "weight: 5"),
        ("variables", "vars"),
        ("rate: 5", "probability: 5"),
        ("error_type", "type"),
        ("    timeout_ms: 50\n", ""),
        ("    when: error\n", ""),
    ]),
    ("E0203-near-misses", &[("10%", "10"), ("retry: 3", "retry: {attempts: 3}")]),
    ("E0215-near-miss", &[("database", "CLIENT")]),
    ("E0215-unknown-kind", &[("remote", "CLIENT")]),
    ("W0205-quoted-integer", &[
        (r#""<<random.zipf(9, 1)>>""#, r#""<<random.zipf(9, 1) | int>>""#),
        (r#""<<random.choice([200, 404])>>""#, "<<random.choice([200, 404])>>"),
    ]),
    ("W0302-shell-template", &[("${user}", "<<user>>"), ("${vars.user}", "<<vars.user>>")]),
    ("W0504-server-calls-server", &[("kind: SERVER}", "kind: SERVER, client: true}"), ("kind: SERVER}", "kind: SERVER, client: false}")]),
    ("E0404-given", &[("      link_from_context: stock/*\n", "")]),
    ("E0701-unknown-shared", &[("{use: charge, service: payment}", "{use: reserve}")]),
    ("E0703-missing-parameter", &[
        ("use: http.server\n", "use: http.server\n    with: {route: /reservations}\n"),
        ("use: reserve\n", "use: reserve\n  with: {sku: 5}\n"),
        ("{use: db.query}", "{use: db.query, with: {collection: orders}}"),
    ]),
    ("E0850-malform-computed", &[("<<random.int(1, 5)>>", "[1, 5]")]),
    ("E0851-malforms-nothing", &[("service: cart", "service: shop")]),
    ("E0704-use-cycle", &[("a: {use: b}", "a: {use: fine}"), (", calls: [{use: itself}]", "")]),
    ("E0705-calls-twice", &[(", calls: [{service: stock, operation: p}]", "")]),
    ("E0510-in-the-prelude", &[("\"200\"", "200"), ("'fine'", "200")]),
    ("W0502-unused-var", &[(", note: none", ""), (", unread: 5", ""), (", price: 5", "")]),
    ("W0503-unused-service", &[(", payment", "")]),
    ("W0701-unused-shared", &[
        ("  used by none: {use: of one}\n", ""),
        ("  of one: {service: shop, operation: o}\n", ""),
        ("spans: {of no scenario: {service: shop, operation: o}}\n", ""),
    ]),
    ("W0702-hides-shared", &[("  query:", "  other:"), ("  http.server:", "  http.other:")]),
    ("W0101-comment-hides-template", &[("order #<<id>>", r#""order #<<id>>""#)]),
    ("W0103-unused-anchor", &[("&amp sand", "'&amp sand'")]),
    ("W0201-fractional-percent", &[("0.05", "5")]),
    ("W0202-leading-zero", &[("01099", r#""01099""#)]),
    ("E0820-duplicate-incident", &[("slow, at: +1h", "slower, at: +1h")]),
    ("E0821-selects-nothing", &[
        ("*-database", "*-service"),
        ("PUT *", "GET *"),
        ("Refund*", "Order*"),
        ("instance: 3", "instance: 2"),
    ]),
    ("E0822-every-below-for", &[("every: 1h", "every: 2h")]),
    ("E0823-root-down", &[("down: true", "error_conditions: [{probability: 100, type: unavailable}]")]),
    ("E0203-rate-of-incident", &[("rate: 2}", "rate: x2}")]),
    ("E0809-raised-too-high", &[("x300", "x3")]),
    ("E0825-no-rate", &[("incidents:", "load: {rate: 40/s}\nincidents:")]),
    ("E0826-rate-changes-too-often", &[("every: 61s", "every: 60s")]),
    ("E0824-unknown-incident", &[("{name: sale,", "{name: outage, at: +1h, for: 5m}\n  - {name: sale,")]),
    ("W0820-incident-without-effect", &[
        ("select: {service: shop}", "select: {service: shop}, latency: x2"),
        ("    when: user.tier == 'vip'\n", ""),
    ]),
    ("W0203-looks-boolean", &[("yes", "true"), ("off", r#""off""#)]),
    ("W0204-looks-like-version", &[("1.10", r#""1.10""#)]),
    ("W0301-newline-after-expression", &[("a: |", "a: >-")]),
    ("W0501-may-be-absent", &[
        ("<<linked.attributes.id>>", "<<(linked.attributes.id | default('none'))>>"),
        ("9 / random.int(0, 3)", "(9 / random.int(0, 3) | default('none'))"),
        ("linked.attributes.id ==", "(linked.attributes.id | default('none')) =="),
    ]),
];

/// The same for the policies of `tests/policies`.
#[rustfmt::skip]
const FOLLOWED_IN_POLICIES: &[(&str, &[(&str, &str)])] = &[
    ("E0201-unknown-field", &[("if: failed", "when: failed"), ("rules: []\n", "")]),
    ("E0203-change", &[
        ("{shop.basket: true}", "shop.basket"),
        ("set: {start: 5}", "any: start"),
        ("5", "'5'"),
        ("rename: {name: was}", "set: {was: <<name>>}"),
        ("[orders]", "['orders', '{id}']"),
        ("name", "attributes"),
        ("long", "32"),
        (", delete: shop.sum", ""),
        ("when: failed", "delete: shop.basket"),
        ("[kind]", "kind == 'CLIENT'"),
        ("resource.*", "resource.k8s.pod.name"),
        ("shop.basket", "delete: shop.basket"),
        ("fast", "1us"),
    ]),
    ("E0510-incomparable", &[("root.name >", "(root.name | int) >"), ("status ==", "(status | int) ==")]),
    ("E0901-unknown-value", &[
        ("drop: http.route", "drop: root.http.route"),
        ("root.http.rout ", "root.http.route "),
        ("service.version", "resource.service.version"),
        ("any(spans > 5)", "spans > 5"),
    ]),
    ("E0903-not-a-condition", &[("duration_ms", "duration_ms > 800"), ("drop: scenario", "drop: spans > 5")]),
    ("E0904-rule-form", &[("when: failed", "keep: failed"), (", drop: spans > 5", ""), ("{}", "keep: failed")]),
    ("E0906-bad-share", &[("110%", "10%"), ("0.1", "10% +-1")]),
    ("W0901-never-this-value", &[("'Checkout'", "'Shop: order'"), ("'failed'", "'error'")]),
    ("W0902-rule-never-holds", &[
        ("800000", "800"),
        ("spans > 9", "spans > 3"),
    ]),
    ("W0903-rule-behind-last", &[("  - sample: 10%\n  - keep: duration_ms > 800", "  - keep: duration_ms > 800\n  - sample: 10%")]),
];

type Files = Vec<(String, String)>;

/// Returns the input as it is given to the compiler: a file, or those of a directory.
fn files(path: &Path) -> Files {
    let read = |path: &Path| {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        (path.display().to_string(), text)
    };
    if path.is_file() {
        return vec![read(path)];
    }
    let mut paths: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn diagnostics(files: &Files) -> (Sources, Vec<Diagnostic>) {
    let (sources, compiled) = compile_loaded(load_texts(files.clone()));
    (sources, compiled.diagnostics)
}

/// Returns the files with `new` in place of the first `old` after the beginning of the diagnostic's line, or else of the
/// first one in the file.
fn edited(files: &Files, sources: &Sources, found: &Diagnostic, old: &str, new: &str) -> Files {
    let file = sources.file(found.at.file);
    let mut files = files.clone();
    let (_, text) = files.iter_mut().find(|(name, _)| *name == file.name).unwrap();
    let line = text[..found.at.start as usize].rfind('\n').map_or(0, |newline| newline + 1);
    let at = text[line..].find(old).map(|at| line + at).or_else(|| text.find(old));
    let at = at.unwrap_or_else(|| panic!("{}: no `{old}`", file.name));
    text.replace_range(at..at + old.len(), new);
    files
}

#[test]
fn a_mistake_is_gone_when_its_help_is_followed() {
    let mut inputs: Vec<_> = fs::read_dir(INPUTS).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.sort();
    let mut wrong = vec![];
    let mut followed = 0;
    for input in inputs {
        let stem = input.file_stem().unwrap().to_string_lossy().into_owned();
        let rest = FOLLOWED.iter().find(|(name, _)| *name == stem).map_or(&[][..], |(_, edits)| edits);
        let mut edits = rest.iter();
        let files = files(&input);
        let (sources, before) = diagnostics(&files);
        for found in before.iter().filter(|found| found.problem.help().is_some()) {
            let help = found.problem.help().unwrap();
            let edit = match found.problem.misspelt() {
                Some(edit) => edit,
                None => match edits.next() {
                    Some(edit) => *edit,
                    None => {
                        wrong.push(format!("{stem}: not followed: {help}"));
                        continue;
                    }
                },
            };
            let (_, after) = diagnostics(&edited(&files, &sources, found, edit.0, edit.1));
            let count = |all: &[Diagnostic]| all.iter().filter(|other| other.problem == found.problem).count();
            if count(&after) >= count(&before) {
                wrong.push(format!("{stem}: {help}: still {} after {edit:?}", found.problem.message()));
            }
            followed += 1;
        }
        wrong.extend(edits.map(|edit| format!("{stem}: no help for {edit:?}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(followed > 120, "only {followed}");
}

/// Reads a policy as the text of a file.
fn policy_diagnostics(files: &Files, known: &Vocabulary) -> (Sources, Vec<Diagnostic>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("policy.yaml");
    fs::write(&path, &files[0].1).unwrap();
    let mut reader = PolicyReader::new(known);
    reader.file(&path);
    reader.finish();
    let mut sources = Sources::default();
    sources.add(files[0].0.clone(), files[0].1.clone());
    (sources, reader.diagnostics)
}

#[test]
fn a_mistake_in_a_policy_is_gone_when_its_help_is_followed() {
    let known = policies::vocabulary();
    let mut wrong = vec![];
    for input in policies::inputs() {
        let stem = input.file_stem().unwrap().to_string_lossy().into_owned();
        let rest = FOLLOWED_IN_POLICIES.iter().find(|(name, _)| *name == stem).map_or(&[][..], |(_, edits)| edits);
        let mut edits = rest.iter();
        let files = files(&input);
        let (sources, before) = policy_diagnostics(&files, &known);
        assert!(!before.is_empty(), "{stem}");
        for found in before.iter().filter(|found| found.problem.help().is_some()) {
            let help = found.problem.help().unwrap();
            let Some(edit) = found.problem.misspelt().or_else(|| edits.next().copied()) else {
                wrong.push(format!("{stem}: not followed: {help}"));
                continue;
            };
            let (_, after) = policy_diagnostics(&edited(&files, &sources, found, edit.0, edit.1), &known);
            let count = |all: &[Diagnostic]| all.iter().filter(|other| other.problem == found.problem).count();
            if count(&after) >= count(&before) {
                wrong.push(format!("{stem}: {help}: still {} after {edit:?}", found.problem.message()));
            }
        }
        wrong.extend(edits.map(|edit| format!("{stem}: no help for {edit:?}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
