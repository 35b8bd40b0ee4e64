//! Short files that ask for much: compiling them takes bounded memory and work, and the diagnostic names the place.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tracegen::compiler::{Compiled, compile_loaded};
use tracegen::language::budget::Budget;
use tracegen::language::source::Sources;
use tracegen::language::{load_texts, load_texts_within};

/// The address space of a compilation in KiB: stacks, the binary itself, and some more.
const ADDRESS_SPACE: u32 = 1_500_000;

/// Returns the codes that `tracegen compile` reports for the files of a directory, in a process with bounded memory.
fn codes_in_bounded_memory(directory: &Path) -> Vec<String> {
    let script = format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" compile --check --format json \"$1\"");
    let tracegen = env!("CARGO_BIN_EXE_tracegen");
    let output = Command::new("sh").args(["-c", &script, tracegen]).arg(directory).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{:?}: {stderr}", output.status);
    let diagnostics: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let codes = diagnostics.as_array().unwrap().iter().map(|found| found["code"].as_str().unwrap().to_owned());
    let mut codes: Vec<String> = codes.collect();
    codes.dedup();
    codes
}

fn codes_of(text: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("a.yaml"), text).unwrap();
    codes_in_bounded_memory(directory.path())
}

/// Makes a scenario with these lines in its `vars`, and these in its only span.
fn scenario(vars: &str, span: &str) -> String {
    format!("name: a\nvars:\n{vars}root_span:\n  service: s\n  operation: o\n{span}")
}

/// Makes `levels` vars, each of which contains the previous one twice.
fn doubling(first: &str, levels: usize) -> String {
    let mut vars = format!("  v0: {first}\n");
    for level in 1..=levels {
        let before = level - 1;
        writeln!(vars, "  v{level}: \"<<v{before}>><<v{before}>>\"").unwrap();
    }
    vars
}

#[test]
fn a_text_that_doubles_is_refused_where_it_becomes_too_long() {
    let text = scenario(&doubling("aaaaaaaaaa", 27), "");
    let (sources, compiled) = compile_loaded(load_texts(vec![("a.yaml".into(), text.clone())]));
    let [beyond] = &compiled.diagnostics[..] else { panic!("{:?}", compiled.diagnostics) };
    assert_eq!(beyond.problem.code(), "E0609");
    // 10 bytes that are doubled 17 times make 1.3 MB, which is exceeded in the second half of v17.
    assert_eq!(sources.text(beyond.at), "v16");
    assert_eq!(codes_of(&text), ["E0609"]);
}

#[test]
fn a_long_text_in_many_places_is_refused() {
    let attributes: String = (0..1_000).map(|i| format!("    k{i}: \"{i}<<v16>>\"\n")).collect();
    let text = scenario(&doubling("aaaaaaaaaa", 16), &format!("  attributes:\n{attributes}"));
    assert_eq!(codes_of(&text), ["E0609"]);
}

/// Half a megabyte would become a gigabyte.
#[test]
fn a_long_text_that_aliases_repeat_is_refused() {
    let vars = format!("  long: &long \"{}\"\n", "x".repeat(500_000));
    let attributes: String = (0..2_000).map(|i| format!("    k{i}: *long\n")).collect();
    assert_eq!(codes_of(&scenario(&vars, &format!("  attributes:\n{attributes}"))), ["E0110"]);
}

#[test]
fn a_long_list_in_many_places_is_refused() {
    let list = format!("  list: [{}]\n", "1, ".repeat(50_000));
    let attributes: String = (0..2_000).map(|i| format!("    k{i}: <<{i} in list>>\n")).collect();
    assert_eq!(codes_of(&scenario(&list, &format!("  attributes:\n{attributes}"))), ["E0609"]);
}

#[test]
fn a_long_list_of_a_service_with_many_instances_is_refused() {
    let list = "1, ".repeat(50_000);
    let services = format!("services: {{s: {{instances: 1000, attributes: {{a: [{list}]}}}}}}\nscenarios:\n- ");
    assert_eq!(codes_of(&(services + "{name: a, root_span: {service: s, operation: o}}")), ["E0609"]);
}

/// Neither 2^60 parts nor a chain of 60,000 vars is followed to its end.
#[test]
fn a_key_of_very_many_parts_is_looked_at_in_part() {
    let key = "  export_context_as: \"<<v60>>\"\n";
    let random = scenario(&doubling("<<random.uuid>>", 60), key);
    assert_eq!(codes_of(&random), ["E0609"], "the text is longer than a trace's may be");
    let mut chain = "  v0: <<random.uuid>>\n".to_owned();
    for level in 1..60_000 {
        writeln!(chain, "  v{level}: \"x<<v{}>>\"", level - 1).unwrap();
    }
    assert_eq!(codes_of(&scenario(&chain, "  export_context_as: \"<<v59999>>\"\n")), ["E0609"]);
}

/// Makes 300 keys and 900 globs of 500 bytes, which can only be told apart by comparing all of them.
fn links_that_take_long() -> String {
    let mut text = "scenarios:\n".to_owned();
    let wild = "*a".repeat(240);
    for i in 0..300 {
        let key = format!("<<random.uuid>>{i}{}<<random.uuid>>", "ab".repeat(220));
        writeln!(text, "- {{name: e{i}, root_span: {{service: s, operation: o, export_context_as: \"{key}\"}}}}")
            .unwrap();
    }
    for i in 0..900 {
        let glob = format!("*{wild}{i}*");
        writeln!(text, "- {{name: l{i}, root_span: {{service: s, operation: o, link_from_context: \"{glob}\"}}}}")
            .unwrap();
    }
    text
}

#[test]
fn comparing_globs_with_keys_is_bounded_work() {
    assert_eq!(codes_of(&links_that_take_long()), ["E0611"]);
}

#[test]
fn many_links_to_many_keys_are_found_in_proportion_to_them() {
    let mut text = "scenarios:\n".to_owned();
    for i in 0..1_500 {
        writeln!(text, "- {{name: e{i}, root_span: {{service: s, operation: o, export_context_as: \"k{i}-<<random.uuid>>\"}}}}\n- {{name: l{i}, root_span: {{service: s, operation: o, link_from_context: \"k{i}-*\"}}}}").unwrap();
    }
    assert_eq!(codes_of(&text), [""; 0]);
    // All link to all with the same glob, so there are no more sources than keys, and no more edges than scenarios.
    let all = text.replace("link_from_context: \"k", "link_from_context: \"k*\" #");
    let all: String = all.lines().map(|line| line.replace(" #", "}} #") + "\n").collect();
    assert_eq!(codes_of(&all), [""; 0]);
}

#[test]
fn files_share_the_services_of_their_directory() {
    let directory = tempfile::tempdir().unwrap();
    let services: String = (0..20_000).map(|i| format!("- s{i}\n")).collect();
    fs::write(directory.path().join("_base.yaml"), format!("services:\n{services}")).unwrap();
    for i in 0..500 {
        let text =
            format!("services: [t{i}]\nscenarios:\n- {{name: a{i}, root_span: {{service: t{i}, operation: o}}}}\n");
        fs::write(directory.path().join(format!("{i}.yaml")), text).unwrap();
    }
    // No span is of the base's services, which is reported for the first hundred.
    assert_eq!(codes_in_bounded_memory(directory.path()), ["W0503"]);
}

#[test]
fn mistakes_are_counted_no_further_than_they_are_shown() {
    let unknown = format!("  attributes:\n    a: \"{}\"\n", "<<x>>".repeat(10_000));
    let text = scenario(&doubling("a", 1), &unknown);
    let (_, compiled) = compile(&text, Budget::default());
    assert_eq!(compiled.diagnostics.len(), 1_001);
    assert_eq!(codes_of(&text), ["E0401", "E0118"]);
    let mistyped = format!("scenarios:\n{}", "- 5\n".repeat(400_000));
    assert_eq!(codes_of(&mistyped), ["E0203", "E0118"]);
    let aliases = (0..20_000).map(|i| format!("- &anchor{i} x\n- *anchr{i}\n")).collect::<String>();
    assert_eq!(codes_of(&aliases).last().unwrap(), "E0118");
}

fn compile(text: &str, budget: Budget) -> (Sources, Compiled) {
    compile_loaded(load_texts_within(vec![("a.yaml".into(), text.into())], budget))
}

#[test]
fn a_compile_ends_when_its_budget_does() {
    let large: String = (0..3_000)
        .map(|i| format!("- {{name: a{i}, root_span: {{service: s, operation: \"<<random.int(1, {i})>>\"}}}}\n"))
        .collect();
    for text in [large, links_that_take_long()] {
        for budget in [Budget::lasting(Duration::ZERO), Budget::lasting(Duration::from_millis(20))] {
            let (_, compiled) = compile(&text, budget);
            assert!(compiled.plan.is_none());
            let codes: Vec<_> = compiled.diagnostics.iter().map(|found| found.problem.code()).collect();
            assert_eq!(codes, ["E0610"]);
        }
        let cancelled = Budget::lasting(Duration::from_secs(3_600));
        let handle = cancelled.clone();
        let stopped = std::thread::spawn(move || compile(&text, cancelled));
        std::thread::sleep(Duration::from_millis(20));
        handle.cancel();
        let (_, compiled) = stopped.join().unwrap();
        assert_eq!(compiled.diagnostics[0].problem.message(), "compiling was cancelled before it ended");
    }
}

/// Makes shared spans, each of which calls the previous one twice.
fn doubling_spans(levels: usize) -> String {
    let mut spans = "spans:\n  s0: {service: s, operation: o}\n".to_owned();
    for level in 1..=levels {
        let before = level - 1;
        writeln!(spans, "  s{level}: {{service: s, operation: o, calls: [{{use: s{before}}}, {{use: s{before}}}]}}")
            .unwrap();
    }
    spans
}

#[test]
fn shared_spans_that_double_are_refused_where_they_are_used() {
    let calls = "root_span: {service: s, operation: o, calls: [{use: s62}]}\n";
    assert_eq!(codes_of(&format!("{}name: a\n{calls}", doubling_spans(62))), ["E0606"]);
    // Each scenario has as many as it may have, but there are more scenarios of that size than allowed.
    let mut text = format!("{}scenarios:\n", doubling_spans(12));
    for scenario in 0..500 {
        writeln!(text, "  - {{name: n{scenario}, root_span: {{use: s12}}}}").unwrap();
    }
    assert_eq!(codes_of(&text), ["E0707"]);
}

#[test]
fn a_long_chain_of_shared_spans_is_refused_at_its_first_link_too_many() {
    let mut text = "spans:\n  s0: {service: s, operation: o}\n".to_owned();
    for level in 1..20_000 {
        writeln!(text, "  s{level}: {{use: s{}}}", level - 1).unwrap();
    }
    let (_, compiled) =
        compile_loaded(load_texts(vec![("a.yaml".into(), text + "name: a\nroot_span: {use: s19999}\n")]));
    let codes: Vec<_> = compiled.diagnostics.iter().map(|found| found.problem.code()).collect();
    assert_eq!(codes, ["E0706"]);
}

#[test]
fn a_large_shared_span_that_is_used_often_is_refused() {
    let attributes: String = (0..1_000).map(|i| format!("      a{i}: {i}\n")).collect();
    let uses = "    - {use: large}\n".repeat(4_300);
    let large = format!("spans:\n  large:\n    service: s\n    operation: o\n    attributes:\n{attributes}");
    assert_eq!(
        codes_of(&format!("{large}name: a\nroot_span:\n  service: s\n  operation: o\n  calls:\n{uses}")),
        ["E0707"]
    );
    let long = format!("spans:\n  long: {{service: s, operation: '{}'}}\n", "<<service.name>>".repeat(4_000));
    let uses = "    - {use: long}\n".repeat(2_100);
    assert_eq!(
        codes_of(&format!("{long}name: a\nroot_span:\n  service: s\n  operation: o\n  calls:\n{uses}")),
        ["E0707"]
    );
}
