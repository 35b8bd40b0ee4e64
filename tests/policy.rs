//! Policies on the command line: what `verify` says of them in each format, and that nothing is judged by a wrong one.

mod support {
    pub mod binary;
    pub mod folder;
}

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use support::binary::tracegen;
use support::folder::Folder;

const TRACES: &str = "1500";

fn shop() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/examples/shop.yaml").display().to_string()
}

/// Makes a run in a folder, with all of its spans in `all.jsonl`.
fn made() -> Folder {
    let folder = Folder::new();
    tracegen()
        .args(["run", "--seed", "42", "--start", "2026-01-01", "--rate", "100/s", "--count", TRACES, "--quiet"])
        .arg(format!("--exporter=file={}", folder.path("all.jsonl").display()))
        .arg("--manifest")
        .arg(folder.path("run.json"))
        .arg(shop())
        .assert()
        .success();
    folder
}

/// Verifies a file of the folder, and returns stdout, stderr and the exit status.
fn verify(folder: &Folder, file: &str, args: &[&str]) -> (String, String, i32) {
    let mut command = tracegen();
    command.args(["verify", "--quiet", "--manifest"]).arg(folder.path("run.json")).arg("--from").arg(folder.path(file));
    let output = command.args(args).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("a status"))
}

/// Writes the lines of all spans with the traces left out for which `is_out` holds.
fn without(folder: &Folder, file: &str, is_out: impl Fn(&str) -> bool) {
    let mut requests = vec![];
    for line in fs::read_to_string(folder.path("all.jsonl")).expect("a file").lines() {
        let mut request: Value = serde_json::from_str(line).expect("JSON");
        for group in request["resourceSpans"].as_array_mut().expect("a list") {
            for scope in group["scopeSpans"].as_array_mut().expect("a list") {
                let spans = scope["spans"].as_array_mut().expect("a list");
                spans.retain(|span| !is_out(span["traceId"].as_str().expect("an id")));
            }
        }
        requests.push(request.to_string());
    }
    fs::write(folder.path(file), requests.join("\n") + "\n").expect("written");
}

/// Returns the ids of the traces whose root has this route.
fn traces_of(folder: &Folder, route: &str) -> Vec<String> {
    let mut ids = vec![];
    for line in fs::read_to_string(folder.path("all.jsonl")).expect("a file").lines() {
        let request: Value = serde_json::from_str(line).expect("JSON");
        let scopes = request["resourceSpans"].as_array().into_iter().flatten();
        let scopes = scopes.flat_map(|group| group["scopeSpans"].as_array().into_iter().flatten());
        for span in scopes.flat_map(|scope| scope["spans"].as_array().into_iter().flatten()) {
            let is_root = span["parentSpanId"].as_str().is_none_or(str::is_empty);
            if is_root && span["attributes"].to_string().contains(&format!("\"stringValue\":\"{route}\"")) {
                ids.push(span["traceId"].as_str().expect("an id").to_string());
            }
        }
    }
    ids
}

const POLICY: &str = "\
# What the pipeline does.
traces:
  - drop: root.http.route == '/articles/{article}' and not failed
  - keep: duration_ms >= 1001
  - keep: >-
      any(service == 'card-service'
      and failed)
  - {sample: any, when: failed}
allow: [duplicated]
x-owner: team-shop
";

#[test]
fn a_line_a_rule_in_every_format() {
    let folder = made();
    fs::write(folder.path("policy.yaml"), POLICY).expect("written");
    let policy = folder.path("policy.yaml").display().to_string();
    let pages = traces_of(&folder, "/articles/{article}");
    without(&folder, "kept.jsonl", |id| pages.iter().any(|page| page == id));
    let (text, said, status) = verify(&folder, "kept.jsonl", &["--policy", &policy]);
    assert_eq!((status, said.as_str()), (0, ""), "{text}");
    let rules = Vec::from_iter(text.lines().filter(|line| line.contains(" of ") && line.contains(": ")));
    let begin = [
        "  drop root.http.route == '/articles/{article}' and not failed: 0 of ",
        "  keep duration_ms >= 1001: ",
        "  keep any(service == 'card-service' and failed): ",
        "  sample any when failed: ",
        "  keep all others: ",
    ];
    assert!(rules.len() == 5 && begin.iter().zip(&rules).all(|(begin, line)| line.starts_with(begin)), "{text}");
    assert!(
        text.contains("\n  leaked              0\n") && text.contains("nothing was let pass by `--allow duplicated`")
    );

    // All has arrived, which the first rule forbids.
    let (text, _, status) = verify(&folder, "all.jsonl", &["--policy", &policy, "--format", "json"]);
    let report: Value = serde_json::from_str(&text).expect(&text);
    assert_eq!((status, &report["verdict"]["of"]), (1, &serde_json::json!(["leaked"])));
    let rules = report["rules"].as_array().expect("rules");
    let holds = Vec::from_iter(rules.iter().map(|rule| rule["holds"].as_bool()));
    assert_eq!(holds, [Some(false), Some(true), Some(true), Some(true), Some(true)], "{rules:#?}");
    let sum: u64 = rules.iter().filter_map(|rule| rule["traces"].as_u64()).sum();
    assert_eq!(sum.to_string(), TRACES);
    assert_eq!(report["leaked"], report["scenarios"]["Shop: article page"]["leaked"]);
    let (xml, _, _) = verify(&folder, "all.jsonl", &["--policy", &policy, "--format", "junit"]);
    let case = "<testcase classname=\"tracegen.policy\" name=\"drop root.http.route == '/articles/{article}' and not failed\">";
    assert!(xml.contains(case) && xml.contains("<failure type=\"rule\" message=\""), "{xml}");
    assert!(xml.contains("<testsuite name=\"tracegen verify\" tests=\"13\" failures=\"2\" errors=\"0\""), "{xml}");
    let (_, _, status) = verify(&folder, "all.jsonl", &["--policy", &policy, "--allow", "leaked"]);
    assert_eq!(status, 0);
}

#[test]
fn flags_stand_before_files_and_a_sample_of_the_rest_at_the_end() {
    let folder = made();
    fs::write(folder.path("policy.yaml"), "traces: [{keep: failed}, {keep: spans > 20}]\n").expect("written");
    let policy = folder.path("policy.yaml").display().to_string();
    let args = ["--expect", "sample=100%", "--expect", "keep: spans > 30", "--policy", &policy, "--format", "json"];
    let (text, said, status) = verify(&folder, "all.jsonl", &args);
    let report: Value = serde_json::from_str(&text).expect(&said);
    let rules = report["policy"]["rules"].as_array().expect("rules");
    assert_eq!(rules, &["keep spans > 30", "keep failed", "keep spans > 20", "sample 100%"]);
    assert_eq!((status, &report["policy"]["keep_errors"]), (0, &Value::Bool(true)));
}

#[test]
fn nothing_is_judged_by_a_wrong_policy() {
    let folder = made();
    let deep = format!("traces:\n  - keep: {}true{}\n", "(".repeat(300), ")".repeat(300));
    let nested = format!("traces: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    // A megabyte of rules, each of which is wrong.
    let large = format!("traces:\n{}", "  - keep: root.no.such.key == 'x'\n".repeat(31_000));
    let many = format!("traces:\n{}", "  - keep: spans > 5\n".repeat(60_000));
    let bombs = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\n\
                 d: &d [*c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d]\ntraces: [*e, *e, *e, *e, *e]\n";
    for (name, text, says) in [
        ("a number", b"5\n".to_vec(), "a policy takes a mapping of fields"),
        ("nothing", b"".to_vec(), "error[E0218]"),
        ("two documents", b"traces: []\n---\ntraces: []\n".to_vec(), "one document"),
        ("no YAML", b"traces: [\n".to_vec(), "error[E0107]"),
        ("no text", b"traces: [\xff]\n".to_vec(), "error[E0105]"),
        ("a rule that is a text", b"traces: [keep failed]\n".to_vec(), "a rule takes a mapping of fields"),
        ("one rule", b"traces: {keep: failed}\n".to_vec(), "`traces` takes a list of rules"),
        ("an expression that is deep", deep.into(), "error[E0305]"),
        ("lists that are deep", nested.into(), "error[E0108]"),
        ("a large file", large.into(), "error[E0901]"),
        ("very many rules", many.into(), "error[E0905]"),
        ("an alias bomb", bombs.into(), "error["),
    ] {
        fs::write(folder.path("policy.yaml"), text).expect("written");
        let policy = folder.path("policy.yaml").display().to_string();
        let begun = Instant::now();
        let (text, said, status) = verify(&folder, "all.jsonl", &["--policy", &policy, "--format", "json"]);
        assert_eq!((status, text.as_str()), (2, ""), "{name}: {said}");
        let located = said.contains(&format!("--> {policy}"));
        assert!(said.contains(says) && located && said.contains("nothing was judged"), "{name}: {said}");
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {:?}", begun.elapsed());
    }
    let missing = folder.path("none.yaml").display().to_string();
    let directory = folder.path("").display().to_string();
    for (policy, says) in [(missing, "there is no such file"), (directory, "a directory")] {
        let (text, said, status) = verify(&folder, "all.jsonl", &["--policy", &policy]);
        assert!(status == 2 && text.is_empty() && said.contains(says), "{said}");
    }
    for (flag, says) in [
        ("keep: duratoin_ms > 5", "--expect:1:7"),
        ("keep:", "error[E0303]"),
        ("keep: root.name > 5", "error[E0510]"),
        ("sample: 110%", "error[E0906]"),
        ("sample: 10% when spans", "error[E0903]"),
        ("keep: any(order.total > 5)", "error[E0901]"),
    ] {
        let (text, said, status) = verify(&folder, "all.jsonl", &["--expect", flag]);
        assert!(status == 2 && text.is_empty() && said.contains(says), "{flag}: {said}");
    }
    let (_, said, status) = verify(&folder, "all.jsonl", &["--expect", "rate <= 5 spans/s"]);
    assert!(status == 2 && said.contains("only `tracegen sink` sees"), "{said}");
}

#[test]
fn a_rule_that_can_never_hold_is_a_warning() {
    let folder = made();
    let (text, said, status) = verify(&folder, "all.jsonl", &["--expect", "keep: duration_ms > 800000"]);
    assert!(said.contains("warning[W0902]") && said.contains("a trace lasts at most 24.6 s"), "{said}");
    assert!(status == 0 && text.contains("keep duration_ms > 800000: no trace of the run"), "{text}");
}

/// `explain` counts the same traces as `verify`.
#[test]
fn explain_tells_how_many_traces_a_rule_decides_on() {
    let folder = made();
    let rules = ["failed", "duration_ms >= 301", "any(shop.sum > 100)", "root.http.response.status_code == 201"];
    let mut explain = tracegen();
    explain.args(["explain", "--samples", TRACES, "--format", "json", &shop()]);
    explain.args(rules.iter().flat_map(|rule| ["--where", rule]));
    let explained: Value = serde_json::from_slice(&explain.assert().success().get_output().stdout).expect("JSON");
    let flags = Vec::from_iter(rules.iter().map(|rule| format!("keep: {rule}")));
    let mut args = vec!["--format", "json"];
    flags.iter().for_each(|flag| args.extend(["--expect", flag]));
    let report: Value = serde_json::from_str(&verify(&folder, "all.jsonl", &args).0).expect("JSON");
    let all: f64 = TRACES.parse().expect("a number");
    for at in 0..=rules.len() {
        let first = explained["where"][at]["first_share"].as_f64().expect("a share");
        let traces = report["rules"][at]["traces"].as_f64().expect("a count");
        assert!((first * all - traces).abs() < 1e-6, "{at}: {explained:#} {report:#}");
        assert!(traces > 5.0, "{at}: {traces}");
    }
    for (condition, traces, spans) in
        [("spans > 1000", 0.0, 0.0), ("duration_ms >= 0", 1.0, 1.0), ("scenario == 'Shop: order'", 0.2, -1.0)]
    {
        let output =
            tracegen().args(["explain", "--samples", "0", "--format", "json", "--where", condition, &shop()]).assert();
        let explained: Value = serde_json::from_slice(&output.success().get_output().stdout).expect("JSON");
        let of = &explained["where"][0];
        assert_eq!(of["traces_share"].as_f64(), Some(traces), "{condition}: {of:#}");
        assert!(spans < 0.0 || of["spans_share"].as_f64() == Some(spans), "{condition}: {of:#}");
    }
    let wrong = tracegen().args(["explain", "--where", "duratoin_ms > 5", &shop()]).assert().code(2);
    let said = String::from_utf8_lossy(&wrong.get_output().stderr).into_owned();
    assert!(said.contains("--where:1:1") && said.contains("did you mean `duration_ms`?"), "{said}");
}
