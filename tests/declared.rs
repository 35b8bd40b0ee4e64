//! The changes that real processors of the collector make, declared in a policy: what they do is clean, and a declaration
//! that says something else is found out.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod folder;
    pub mod ports;
}

use serde_json::Value;
use std::path::Path;
use support::binary::tracegen;
use support::collector::{Branch, Collector};
use support::folder::Folder;

const SCENARIO: &str = "
services:
  web: {version: 1.0.0}
  cart: {version: 2.1.0}
scenarios:
  - name: Order
    root_span:
      service: web
      operation: POST /orders/<<random.int(1, 999)>>
      kind: SERVER
      delay_ms: [1, 5]
      attributes:
        http.request.method: POST
        http.route: /orders/{id}
        user.email: user<<random.int(1, 99)>>@example.com
        user.id: <<random.int(1, 500) | int>>
        user.vip: <<random.bool(20)>>
        payment.card: 4111<<random.int(100000000000, 999999999999)>>
        payment.sum: <<random.float(1, 99)>>
        note: <<random.choice(['schnell bitte für Ömer und Zoë', 'short'])>>
      error_conditions: [{probability: 10, type: Declined, message: the card is declined}]
      events:
        - {name: stock.reserved, attributes: {sku: 'A-<<random.int(1, 9)>>'}}
        - {name: paid, attributes: {card: '4111<<random.int(100000000000, 999999999999)>>'}}
      calls:
        - service: web
          operation: load cart
          kind: CLIENT
          delay_ms: [1, 2]
          attributes: {host.name: 'node-<<random.int(1, 3)>>', cart.items: '<<random.int(1, 9) | int>>'}
          calls:
            - service: cart
              operation: GET /carts
              kind: SERVER
              delay_ms: [1, 2]
              attributes: {host.name: cart-1, user.email: 'user<<random.int(1, 99)>>@example.com'}
";

/// A pipeline, the policy that declares what it does, and declarations that say something else.
struct Case {
    name: &'static str,
    /// The kinds of its processors, with their configurations.
    processors: &'static [(&'static str, &'static str)],
    policy: &'static str,
    /// Texts of the policy, each with what stands there instead, and the fault that is found then.
    wrong: &'static [(&'static str, &'static str, &'static str)],
}

const CASES: &[Case] = &[
    Case {
        name: "attributes",
        processors: &[(
            "attributes",
            "{actions: [{key: env, value: staging, action: insert}, {key: user.id, value: 0, action: insert}, \
             {key: cart.items, value: 1, action: update}, {key: region, value: 5, action: upsert}, \
             {key: http.route, value: /orders, action: upsert}, {key: payment.card, action: delete}, \
             {key: user.email, action: hash}, {key: payment.sum, action: hash}, {key: user.vip, action: hash}, \
             {key: origin, from_attribute: host.name, action: insert}]}",
        )],
        policy: "
spans:
  - set: {env: staging}
    when: not has(env)
  - set: {user.id: 0}
    when: not has(user.id)
  - set: {cart.items: 1}
    when: has(cart.items)
  - set: {region: 5, http.route: /orders}
  - delete: payment.card
  - sha256: [user.email, payment.sum, user.vip]
  - set: {origin: <<host.name>>}
",
        wrong: &[
            ("env: staging", "env: production", "altered"),
            ("region: 5", "region: '5'", "altered"),
            ("not has(user.id)", "has(user.id)", "altered"),
            ("delete: payment.card", "delete: payment.sum", "altered"),
            ("sha256: [user.email, ", "sha256: [", "altered"),
            ("sha256", "sha1", "altered"),
            ("<<host.name>>", "<<name>>", "altered"),
        ],
    },
    Case {
        name: "resource",
        processors: &[(
            "resource",
            "{attributes: [{key: deployment.environment.name, value: staging, action: upsert}, \
             {key: service.version, action: delete}, {key: service.name, value: shop, action: update}]}",
        )],
        policy: "
spans:
  - set: {resource.deployment.environment.name: staging, resource.service.name: shop}
  - delete: resource.service.version
",
        wrong: &[
            ("staging", "stagging", "altered"),
            (", resource.service.name: shop", "", "altered"),
            ("service.version", "service.instance.id", "altered"),
            ("  - delete", "  - mask", "altered"),
        ],
    },
    Case {
        name: "transform",
        processors: &[(
            "transform",
            "{error_mode: ignore, trace_statements: [{statements: [\
             'set(span.attributes[\"user.hash\"], SHA256(span.attributes[\"user.email\"]))', \
             'set(span.attributes[\"user.email\"], MD5(span.attributes[\"user.email\"]))', \
             'delete_key(span.attributes, \"payment.sum\")', \
             'replace_pattern(span.name, \"^POST /orders/([0-9]+)$$\", \"order $$1\")', \
             'set(span.attributes[\"tier\"], \"vip\") where span.attributes[\"user.vip\"] == true', \
             'truncate_all(span.attributes, 20)', \
             'set(span.kind, SPAN_KIND_INTERNAL) where span.kind == SPAN_KIND_CLIENT', \
             'set(span.status.code, STATUS_CODE_OK) where span.status.code == STATUS_CODE_UNSET', \
             'set(resource.attributes[\"team\"], \"pay\") where resource.attributes[\"service.name\"] == \"web\"']}, \
             {statements: ['set(spanevent.attributes[\"seen\"], true)']}]}",
        )],
        policy: "
spans:
  - set: {resource.team: pay}
    when: service == 'web'
  - set: {user.hash: <<user.email>>}
  - sha256: user.hash
  - hash_md5: user.email
  - delete: payment.sum
  - replace: {name: ['^POST /orders/([0-9]+)$', 'order $1']}
  - set: {tier: vip}
    when: user.vip
  - truncate: {attributes: 20}
  - set: {kind: INTERNAL}
    when: kind == 'CLIENT'
  - set: {status: ok}
    when: status == 'unset'
  - set: {events.attributes.seen: true}
",
        wrong: &[
            ("attributes: 20", "attributes: 21", "altered"),
            ("'order $1'", "'order $0'", "altered"),
            ("    when: user.vip\n", "", "altered"),
            ("kind: INTERNAL", "kind: PRODUCER", "altered"),
            ("status: ok", "status: error", "altered"),
            ("seen: true", "seen: 'true'", "altered"),
            ("hash_md5", "sha1", "altered"),
            ("service == 'web'", "service == 'cart'", "altered"),
            ("  - delete: payment.sum\n", "", "altered"),
        ],
    },
    Case {
        name: "limits",
        processors: &[(
            "transform/limits",
            "{error_mode: ignore, trace_statements: ['limit(span.attributes, 3, [\"payment.sum\"])', \
             'delete_matching_keys(span.attributes, \"^http\\\\.r\")', \
             'keep_keys(resource.attributes, [\"service.name\"])', \
             'replace_all_patterns(span.attributes, \"value\", \"@.*$$\", \"@...\")']}",
        )],
        policy: "
spans:
  - limit: {attributes: [3, payment.sum]}
  - delete: http.*
  - keep_keys: {resource: [service.name]}
  - replace: {attributes: ['@.*$', '@...']}
",
        wrong: &[
            ("[3, payment.sum]", "3", "altered"),
            ("[3,", "[4,", "altered"),
            ("[service.name]", "[service.name, service.version]", "altered"),
            ("http.*", "http.request.method", "altered"),
            ("'@...'", "'@..'", "altered"),
        ],
    },
    Case {
        name: "span",
        processors: &[
            ("span", "{name: {from_attributes: [http.request.method, user.id], separator: '::'}}"),
            ("span/to", "{name: {to_attributes: {rules: ['^GET /(?P<what>[a-z]+)$$']}}}"),
            (
                "span/status",
                "{include: {match_type: strict, services: [cart]}, status: {code: Error, description: no}}",
            ),
        ],
        policy: "
spans:
  - set: {name: '<<http.request.method>>::<<user.id>>'}
  - set: {what: <<name>>}
    when: matches(name, '^GET /([a-z]+)$')
  - replace: {what: ['^GET /', '']}
  - replace: {name: ['^GET /[a-z]+$', 'GET /{what}']}
  - set: {status: 'error: no'}
    when: service == 'cart'
",
        wrong: &[
            ("::", ":", "altered"),
            ("{what}'", "what'", "altered"),
            ("error: no", "error: yes", "altered"),
            ("  - replace: {what: ['^GET /', '']}\n", "", "altered"),
        ],
    },
    Case {
        name: "redaction",
        processors: &[(
            "redaction",
            "{allow_all_keys: true, blocked_values: ['4[0-9]{15}'], blocked_key_patterns: ['email'], summary: debug}",
        )],
        policy: "
spans:
  - set: {redaction.masked.keys: 'payment.card,user.email', redaction.masked.count: 2}
    when: has(payment.card)
  - set: {redaction.masked.keys: user.email, redaction.masked.count: 1}
    when: has(user.email) and not has(payment.card)
  - mask: user.email
  - mask: {payment.card: '4[0-9]{15}'}
allow: [altered=events.attributes.*]
",
        wrong: &[
            ("masked.count: 2", "masked.count: 1", "altered"),
            ("  - mask: user.email\n", "", "altered"),
            (" and not has(payment.card)", "", "altered"),
        ],
    },
    Case {
        name: "redaction-silent",
        processors: &[(
            "redaction/silent",
            "{allow_all_keys: true, blocked_values: ['4[0-9]{15}', 'user[0-9]+'], summary: silent}",
        )],
        policy: "
spans:
  - mask: {attributes: ['4[0-9]{15}'], events.attributes: '4[0-9]{15}'}
  - mask: {user.email: 'user[0-9]+'}
",
        wrong: &[
            (", events.attributes: '4[0-9]{15}'", "", "altered"),
            ("'user[0-9]+'", "'user[0-9]'", "altered"),
            ("mask: {user.email: 'user[0-9]+'}", "mask: user.email", "altered"),
        ],
    },
    Case {
        name: "groupbyattrs",
        processors: &[("groupbyattrs", "{keys: [host.name, cart.items]}")],
        policy: "
spans:
  - move: {host.name: resource.host.name, cart.items: resource.cart.items}
",
        wrong: &[
            (", cart.items: resource.cart.items", "", "altered"),
            ("resource.host.name", "resource.host.id", "altered"),
        ],
    },
    Case {
        name: "filter",
        processors: &[(
            "filter",
            "{error_mode: ignore, traces: {span: ['kind == SPAN_KIND_CLIENT and attributes[\"host.name\"] != \"node-1\"'], \
             spanevent: ['name == \"stock.reserved\"']}}",
        )],
        policy: "
spans:
  - drop_spans: kind == 'CLIENT' and host.name != 'node-1'
  - drop_events: name == 'stock.reserved'
",
        wrong: &[
            (" and host.name != 'node-1'", "", "leaked"),
            ("!= 'node-1'", "== 'node-2'", "lost"),
            ("'stock.reserved'", "'paid'", "altered"),
            ("  - drop_events: name == 'stock.reserved'\n", "", "altered"),
        ],
    },
];

/// Verifies what a pipeline wrote by a policy. Returns the report and the exit status.
fn verified(folder: &Folder, file: &Path, policy: &str) -> (Value, i32) {
    let path = folder.path("policy.yaml");
    std::fs::write(&path, policy).expect("written");
    let mut command = tracegen();
    command.args(["verify", "--quiet", "--format", "json", "--manifest"]).arg(folder.path("run.json"));
    let output = command.arg("--policy").arg(path).arg("--from").arg(file).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.stdout.is_empty(), "{policy}\n{said}");
    (serde_json::from_slice(&output.stdout).expect(&said), output.status.code().expect("a status"))
}

#[test]
fn what_real_processors_change_is_clean_as_declared_and_found_where_it_is_declared_wrongly() {
    let branch = |case: &Case| Branch {
        name: case.name,
        processors: case.processors.iter().map(|(name, config)| (name.to_string(), config.to_string())).collect(),
    };
    let Some(mut collector) = Collector::with_branches(CASES.iter().map(branch).collect()) else { return };
    let folder = Folder::new();
    std::fs::write(folder.path("order.yaml"), SCENARIO).expect("written");
    tracegen()
        .args(["run", "--seed", "42", "--start", "2026-01-01", "--rate", "100/s", "--count", "300", "--quiet"])
        .args(["--protocol", "grpc", "--endpoint", &collector.grpc_url(), "--manifest"])
        .arg(folder.path("run.json"))
        .arg(folder.path("order.yaml"))
        .assert()
        .success();
    collector.stop();
    for Case { name, policy, wrong, .. } in CASES {
        let file = collector.branch_file(name);
        let (report, status) = verified(&folder, &file, policy);
        assert_eq!(status, 0, "{name}: {report:#}");
        for change in report["changes"].as_array().expect("a list") {
            assert!(change["spans"].as_u64() > Some(0) && change["wrong"] == 0, "{name}: {change}");
        }
        for (right, other, fault) in *wrong {
            let policy = policy.replacen(right, other, 1);
            let (report, status) = verified(&folder, &file, &policy);
            let faults = report["verdict"]["of"].as_array().expect("faults");
            assert!(faults.contains(&Value::from(*fault)) && status == 1, "{name}: {other}: {report:#}");
        }
    }
}

#[test]
fn a_report_has_a_line_and_a_test_case_for_each_change_and_a_mistake_is_shown_before_anything_is_judged() {
    let folder = Folder::new();
    std::fs::write(folder.path("order.yaml"), SCENARIO).expect("written");
    tracegen()
        .args([
            "run",
            "--seed",
            "42",
            "--start",
            "2026-01-01",
            "--rate",
            "100/s",
            "--count",
            "50",
            "--quiet",
            "--manifest",
        ])
        .arg(folder.path("run.json"))
        .arg(format!("--exporter=file={}", folder.path("sent.jsonl").display()))
        .arg(folder.path("order.yaml"))
        .assert()
        .success();
    let verified = |flags: &[&str]| {
        let mut command = tracegen();
        command.args(["verify", "--quiet", "--manifest"]).arg(folder.path("run.json"));
        let output = command.arg("--from").arg(folder.path("sent.jsonl")).args(flags).output().expect("it runs");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let deleted = ["--change", "delete(payment.card) when user.vip", "--change", "set(env, 'x') when name == 'none'"];
    let (status, human, _) = verified(&deleted);
    assert_eq!(status, Some(1), "{human}");
    for line in [
        "otherwise than declared",
        "and not (absent), by `delete(payment.card) when user.vip`",
        "set(env, 'x') when name == 'none': no span that arrived is changed by it",
    ] {
        assert!(human.contains(line), "{line}: {human}");
    }
    let (_, junit, _) = verified(&[&deleted[..], &["--format", "junit"]].concat());
    let failed = "<testcase classname=\"tracegen.policy\" name=\"delete(payment.card) when user.vip\">\n      <failure type=\"rule\"";
    assert!(junit.contains(failed), "{junit}");
    assert!(junit.contains("name=\"set(env, 'x') when name == 'none'\"/>"), "{junit}");
    let (status, stdout, stderr) = verified(&["--change", "delte(payment.card)", "--change", "replace(name, '(', '')"]);
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "{stderr}");
    for said in ["--change:1:1", "did you mean `delete`?", "unclosed group", "2 errors in the policy"] {
        assert!(stderr.contains(said), "{said}: {stderr}");
    }
}
