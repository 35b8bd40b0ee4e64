//! Scenarios at full size, each for one kind of system: they compile without diagnostics, run, and are as large as they
//! say.

use std::path::Path;
use tracegen::compiler::compile_loaded;
use tracegen::language;
use tracegen::language::diagnostic::render;
use tracegen::plan::ScenarioId;

mod support {
    #[allow(dead_code)]
    pub mod spans;
}

/// The file, the scenario, and the maximum number of spans of its traces.
const BOUNDS: [(&str, &str, u64); 10] = [
    ("checkout", "checkout", 30),
    ("order-pipeline", "place order", 7),
    ("order-pipeline", "fulfil batch", 43),
    ("search", "product search", 24),
    ("llm-agent", "support agent", 57),
    ("nightly-batch", "nightly reconciliation", 312),
    ("grpc-mesh", "home feed", 50),
    ("database", "read product", 2),
    ("database", "list products", 3),
    ("database", "update product", 6),
];

#[test]
fn each_compiles_runs_and_is_bounded() {
    let mut wrong = vec![];
    for file in ["checkout", "order-pipeline", "search", "llm-agent", "nightly-batch", "grpc-mesh", "database"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reference/{file}.yaml"));
        let (sources, compiled) = compile_loaded(language::load(&[path]));
        let found = render::human(&sources, &compiled.diagnostics, false);
        let Some(plan) = compiled.plan else {
            wrong.push(format!("{file}:\n{found}"));
            continue;
        };
        if !found.is_empty() {
            wrong.push(format!("{file}:\n{found}"));
        }
        for (at, scenario) in plan.scenarios.iter().enumerate() {
            let name = plan.text(scenario.name);
            let expected = BOUNDS.iter().find(|(of, scenario, _)| *of == file && *scenario == name);
            let spans = u64::from(plan.bound(ScenarioId(at as u32)).max_spans);
            if expected.is_none_or(|(.., most)| *most != spans) {
                wrong.push(format!("{file}: {name}: {spans} spans, not {expected:?}"));
            }
        }
        support::spans::each_trace(plan, 200, |_, _, spans| assert!(!spans.is_empty()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
