//! The samplers of the real collector, each configured as people do it: a policy that declares what it does is clean, and
//! one that declares something else is not.

mod support {
    pub mod binary;
    pub mod collector;
    pub mod folder;
    pub mod ports;
    pub mod sink;
}

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;
use support::binary::tracegen;
use support::collector::{Branch, Collector, Output};
use support::folder::Folder;
use support::sink::Sink;

const SHOP: &str = "
services: [web, stock, payment]
scenarios:
  - name: Order
    weight: 6
    root_span:
      service: web
      operation: POST /orders
      kind: SERVER
      delay_ms: {p50: 60, p99: 900}
      attributes:
        http.route: /orders
        user.tier: <<random.choice(['free', 'vip'])>>
        order.items: <<random.int(1, 9)>>
        order.gift: <<random.bool(30)>>
      calls:
        - {repeat: [1, 5], service: stock, operation: reserve, delay_ms: [1, 20]}
        - {service: payment, operation: charge, kind: CLIENT, error_conditions: [{probability: 10, type: declined}]}
  - name: Article
    weight: 3
    root_span: {service: web, operation: GET /articles, status: ok, kind: SERVER, attributes: {http.route: /articles}}
  - name: Health
    weight: 2
    root_span: {service: web, operation: GET /healthz, attributes: {http.route: /healthz}}
";

/// A processor with a policy that declares what it does, and one that declares something else, which breaks these faults.
struct Sampler {
    name: &'static str,
    /// The policies of a tail sampler, or all of a processor's configuration.
    config: &'static str,
    right: &'static [&'static str],
    wrong: &'static [&'static str],
    faults: &'static [&'static str],
}

const TAIL: &[Sampler] = &[
    Sampler {
        name: "latency",
        config: "{name: p, type: latency, latency: {threshold_ms: 300}}",
        right: &["keep: duration_ms >= 301", "drop: true"],
        wrong: &["keep: duration_ms >= 30.1", "drop: true"],
        faults: &["lost"],
    },
    Sampler {
        name: "string",
        config: "{name: p, type: string_attribute, string_attribute: {key: user.tier, values: [vip]}}",
        right: &["keep: any(user.tier == 'vip')", "drop: true"],
        wrong: &["keep: any(user.tier != 'free')", "drop: true"],
        faults: &["lost"],
    },
    Sampler {
        name: "regex",
        config: "{name: p, type: string_attribute, string_attribute: {key: http.route, values: ['^/(orders|articles)$'], \
                 enabled_regex_matching: true}}",
        right: &["keep: any(matches(http.route, '^/(orders|articles)$'))", "drop: true"],
        wrong: &["keep: any(matches(http.route, '^/orders$'))", "drop: true"],
        faults: &["leaked"],
    },
    Sampler {
        name: "numeric",
        config: "{name: p, type: numeric_attribute, numeric_attribute: {key: order.items, min_value: 4, max_value: 7}}",
        right: &["keep: any(order.items >= 4 and order.items <= 7)", "drop: true"],
        wrong: &["keep: any(order.items > 4 and order.items <= 8)", "drop: true"],
        faults: &["lost", "leaked"],
    },
    Sampler {
        name: "boolean",
        config: "{name: p, type: boolean_attribute, boolean_attribute: {key: order.gift, value: true}}",
        right: &["keep: any(order.gift)", "drop: true"],
        wrong: &["keep: any(not order.gift)", "drop: true"],
        faults: &["lost"],
    },
    Sampler {
        name: "spans",
        config: "{name: p, type: span_count, span_count: {min_spans: 3, max_spans: 5}}",
        right: &["keep: spans >= 3 and spans <= 5", "drop: true"],
        wrong: &["keep: spans >= 3", "drop: true"],
        faults: &["lost"],
    },
    Sampler {
        name: "status",
        config: "{name: p, type: status_code, status_code: {status_codes: [ERROR, OK]}}",
        right: &["keep: any(status in ['error', 'ok'])", "drop: true"],
        wrong: &["keep: failed", "drop: true"],
        faults: &["leaked"],
    },
    Sampler {
        name: "and",
        config: "{name: p, type: and, and: {and_sub_policy: [\
                 {name: slow, type: latency, latency: {threshold_ms: 100}}, \
                 {name: vip, type: string_attribute, string_attribute: {key: user.tier, values: [vip]}}]}}",
        right: &["keep: duration_ms >= 101 and any(user.tier == 'vip')", "drop: true"],
        wrong: &["keep: duration_ms >= 101 or any(user.tier == 'vip')", "drop: true"],
        faults: &["lost"],
    },
    Sampler {
        name: "not",
        config: "{name: p, type: not, not: {not_sub_policy: \
                 {name: q, type: string_attribute, string_attribute: {key: http.route, values: [/healthz]}}}}",
        right: &["keep: not any(http.route == '/healthz')", "drop: true"],
        wrong: &["keep: any(http.route == '/healthz')", "drop: true"],
        faults: &["lost", "leaked"],
    },
    Sampler {
        name: "drop",
        config: "{name: p, type: drop, drop: {drop_sub_policy: [\
                 {name: q, type: string_attribute, string_attribute: {key: http.route, values: [/healthz]}}]}}, \
                 {name: rest, type: always_sample}",
        right: &["drop: root.http.route == '/healthz'"],
        wrong: &["drop: root.http.route == '/articles'"],
        faults: &["lost", "leaked"],
    },
    Sampler {
        name: "ottl",
        config: "{name: p, type: ottl_condition, ottl_condition: {error_mode: ignore, span: \
                 ['attributes[\"order.items\"] > 6 and kind == SPAN_KIND_SERVER']}}",
        right: &["keep: any(order.items > 6 and kind == 'SERVER')", "drop: true"],
        wrong: &["keep: any(order.items > 6 and kind == 'CLIENT')", "drop: true"],
        faults: &["leaked"],
    },
    Sampler {
        name: "probabilistic",
        config: "{name: e, type: status_code, status_code: {status_codes: [ERROR]}}, \
                 {name: p, type: probabilistic, probabilistic: {sampling_percentage: 25}}",
        right: &["keep: failed", "sample: 25%"],
        wrong: &["keep: failed", "sample: 2.5%"],
        faults: &["sample"],
    },
];

const HEAD: &[Sampler] = &[Sampler {
    name: "head",
    config: "{sampling_percentage: 25}",
    right: &["sample: 25%"],
    wrong: &["sample: 52%"],
    faults: &["sample"],
}];

/// The time after the first span of a trace at which a tail sampler decides.
const DECISION: Duration = Duration::from_secs(2);

fn tail_sampling(policies: &str) -> String {
    format!("{{decision_wait: {}s, num_traces: 100000, policies: [{policies}]}}", DECISION.as_secs())
}

/// Verifies a file, and returns the faults and the whole report.
fn faults(folder: &Folder, file: &Path, rules: &[&str]) -> (Vec<String>, Value) {
    let mut command = tracegen();
    // The probabilistic sampler notes in the trace state what it has decided by.
    command.args(["verify", "--quiet", "--format", "json", "--allow", "altered=trace_state", "--manifest"]);
    command.arg(folder.path("run.json"));
    command.args(rules.iter().flat_map(|rule| ["--expect", rule]));
    let output = command.arg("--from").arg(file).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout).expect(&said);
    let faults = report["verdict"]["of"].as_array().map_or(&[][..], Vec::as_slice);
    let faults = Vec::from_iter(faults.iter().map(|fault| fault.as_str().expect("a name").to_string()));
    assert_eq!(output.status.code(), Some(i32::from(!faults.is_empty())), "{report:#}");
    (faults, report)
}

#[test]
fn samplers_are_clean_by_the_policy_that_declares_them_and_by_no_other() {
    let tail = TAIL.iter().map(|sampler| Branch {
        name: sampler.name,
        processors: vec![(format!("tail_sampling/{}", sampler.name), tail_sampling(sampler.config))],
    });
    let head = HEAD.iter().map(|sampler| Branch {
        name: sampler.name,
        processors: vec![(format!("probabilistic_sampler/{}", sampler.name), sampler.config.into())],
    });
    let Some(mut collector) = Collector::with_branches(tail.chain(head).collect()) else { return };
    let folder = Folder::new();
    fs::write(folder.path("shop.yaml"), SHOP).expect("written");
    tracegen()
        .args(["run", "--seed", "42", "--start", "2026-01-01", "--rate", "100/s", "--count", "2000", "--quiet"])
        .args(["--protocol", "grpc", "--endpoint", &collector.grpc_url(), "--manifest"])
        .arg(folder.path("run.json"))
        .arg(folder.path("shop.yaml"))
        .assert()
        .success();
    sleep(DECISION + Duration::from_secs(3));
    collector.stop();
    std::thread::scope(|scope| {
        for sampler in TAIL.iter().chain(HEAD) {
            let (folder, file) = (&folder, collector.branch_file(sampler.name));
            scope.spawn(move || {
                let (found, report) = faults(folder, &file, sampler.right);
                assert!(found.is_empty(), "{}: {report:#}", sampler.name);
                let rules = report["rules"].as_array().expect("rules");
                assert!(rules.iter().all(|rule| rule["traces"].as_u64() > Some(30)), "{}: {rules:#?}", sampler.name);
                let (found, report) = faults(folder, &file, sampler.wrong);
                assert_eq!(found, sampler.faults, "{}: {report:#}", sampler.name);
            });
        }
    });
}

/// Limits of a rate that hold behind a sampler, and one that does not.
struct Limiter {
    config: &'static str,
    right: [&'static str; 2],
    wrong: &'static str,
}

const LIMITERS: [Limiter; 2] = [
    Limiter {
        config: "{name: p, type: rate_limiting, rate_limiting: {spans_per_second: 50, burst_capacity: 50}}",
        right: ["rate <= 65 spans/s", "rate >= 25 spans/s"],
        wrong: "rate <= 20 spans/s",
    },
    Limiter {
        config: "{name: p, type: composite, composite: {max_total_spans_per_second: 60, policy_order: [errors, rest], \
                 composite_sub_policy: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}, \
                 {name: rest, type: always_sample}], \
                 rate_allocation: [{policy: errors, percent: 50}, {policy: rest, percent: 50}]}}",
        right: ["rate <= 75 spans/s", "rate >= 20 spans/s"],
        wrong: "rate <= 15 spans/s",
    },
];

#[test]
fn limits_of_rates_are_seen_where_spans_arrive() {
    std::thread::scope(|scope| {
        for Limiter { config, right, wrong } in LIMITERS {
            scope.spawn(move || {
                let expected = right.into_iter().chain([wrong, "sample: any"]);
                let flags: Vec<&str> = expected.flat_map(|expected| ["--expect", expected]).collect();
                let mut sink = Sink::verifying(&[&flags[..], &["--until-idle", "5s"]].concat());
                let sampling: &'static str = tail_sampling(config).leak();
                let output = vec![Output::Otlp { port: sink.port() }];
                let Some(collector) = Collector::with(output, &[("tail_sampling", sampling)]) else { return };
                let folder = Folder::new();
                fs::write(folder.path("shop.yaml"), SHOP).expect("written");
                tracegen()
                    .args(["run", "--seed", "42", "--rate", "80/s", "--duration", "8s", "--quiet"])
                    .args(["--protocol", "grpc", "--endpoint", &collector.grpc_url(), "--manifest"])
                    .arg(sink.manifest())
                    .arg(folder.path("shop.yaml"))
                    .assert()
                    .success();
                let (status, result) = sink.wait();
                let rates = &result["sink"]["rates"];
                let holds = [0, 1, 2].map(|at| rates[at]["holds"].as_bool());
                assert_eq!(holds, [Some(true), Some(true), Some(false)], "{config}: {rates:#}");
                // Only the rate is wrong.
                assert_eq!((status, result["verdict"]["is"].as_str()), (1, Some("clean")), "{config}: {result:#}");
            });
        }
    });
}
