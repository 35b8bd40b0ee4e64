//! The listing of each plan compiled from `tests/plans`, compared with its snapshot.

use std::path::PathBuf;
use tracegen::compiler;
use tracegen::language;
use tracegen::language::diagnostic::render;

/// Returns the scenario files; the tables are next to them.
fn inputs() -> Vec<PathBuf> {
    let mut inputs: Vec<PathBuf> = std::fs::read_dir("tests/plans").unwrap().map(|e| e.unwrap().path()).collect();
    inputs.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    inputs.sort();
    inputs
}

#[test]
fn listings() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots/plans");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let inputs = inputs();
    assert!(inputs.len() >= 5);
    for input in inputs {
        let (sources, compiled) = compiler::compile_loaded(language::load(std::slice::from_ref(&input)));
        let found = render::human(&sources, &compiled.diagnostics, false);
        let plan = compiled.plan.unwrap_or_else(|| panic!("{found}"));
        assert_eq!(found, "");
        let name = input.file_stem().unwrap().to_string_lossy().into_owned();
        settings.bind(|| insta::assert_snapshot!(name, plan.listing()));
    }
}

/// Words that are valid somewhere, which are inserted anywhere.
const WORDS: [&str; 58] = [
    "<<vars.a>>",
    "<<random.uuid>>",
    "<<parent.attributes.user.id>>",
    "<<root.attributes.first>>",
    "<<linked.attributes.order.id>>",
    "<<context_key>>",
    "<<1 / limit>>",
    "<<random.choice([1, 'a'])>>",
    "<<random.int(a, b) | default(tags)>>",
    "<<not first>>",
    "\"<<last>>\"",
    "error.type",
    "-1",
    "0",
    "1e308",
    "''",
    "[a, b]",
    "{}",
    "probability: 100",
    "export_context_as: k",
    "link_from_context: '*'",
    "instances: 3",
    "attributes",
    "user.id",
    "{p50: 5, p99: 80}",
    "{mix: [{weight: 1, ms: <<rows>>}, {when: cold, ms: 5}], max: 5}",
    "when: not cold",
    "max: 0",
    "delay_ms: <<random.normal(5, limit)>>",
    "{choice: [1, 2], weights: [0, 1]}",
    "{choice: [{a: 1}, {a: 2}]}",
    "<<n % 0 if coin else market.vat>>",
    "<<random.text(n)>>",
    "<<n | nth([1, 'a'])>>",
    "at: end",
    "at_ms: <<repeat.index * 5>>",
    "repeat: <<n>>",
    "when: ok",
    "trace: same",
    "count: <<n>>",
    "lag_ms: [1, 9]",
    "{map: {a: <<n>>, b: [1, x]}}",
    "{bytes: AP8Q}",
    "[[<<n>>], a]",
    "delay_ms: 5",
    "status: ok",
    "scope: {name: a}",
    "filler: {count: 2, values: 3, length: 4}",
    "use: http.server",
    "use: statement",
    "use: reserve",
    "with: {route: /, status: <<n>>}",
    "client: true",
    "client: false",
    "kind: SERVER",
    "<<callee.attributes.http.response.status_code>>",
    "{at: end, when: error.propagated, type: T}",
    "<<retry.attempt>>",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    /// However an input is changed, it is compiled or refused, and the verifier never refuses the compiler's result.
    #[test]
    fn changed_inputs_are_compiled_or_refused(
        input in 0..21usize,
        changes in proptest::collection::vec((0..10_000usize, 0..24usize, 0..WORDS.len()), 1..4),
    ) {
        let texts = [
            include_str!("plans/ecommerce_order.yaml"),
            include_str!("plans/expressions.yaml"),
            include_str!("plans/links.yaml"),
            include_str!("plans/order.yaml"),
            include_str!("plans/service_foo.yaml"),
            include_str!("plans/times.yaml"),
            include_str!("plans/values.yaml"),
            include_str!("plans/choices.yaml"),
            include_str!("plans/instances.yaml"),
            include_str!("plans/refusals.yaml"),
            include_str!("plans/events.yaml"),
            include_str!("plans/batches.yaml"),
            include_str!("plans/forms.yaml"),
            include_str!("plans/nested.yaml"),
            include_str!("plans/filler.yaml"),
            include_str!("plans/shared.yaml"),
            include_str!("plans/shared.yaml"),
            include_str!("plans/prelude.yaml"),
            include_str!("plans/clients.yaml"),
            include_str!("plans/failures.yaml"),
            include_str!("plans/groups.yaml"),
        ];
        // The text is cut between words, so that most changes affect the scenario, not its YAML syntax.
        let mut words: Vec<&str> = texts[input].split_inclusive([' ', '\n', ':', '.', ',', '(']).collect();
        for (at, cut, word) in changes {
            let at = at % words.len();
            let end = (at + cut % 3).min(words.len() - 1);
            words.splice(at..end, (cut < 16).then_some(WORDS[word]));
        }
        let text = words.concat();
        let (_, compiled) = compiler::compile_loaded(language::load_texts(vec![("a.yaml".into(), text.clone())]));
        let codes: Vec<_> = compiled.diagnostics.iter().map(|d| (d.problem.code(), d.problem.message())).collect();
        proptest::prop_assert!(!codes.iter().any(|(code, _)| *code == "E0699"), "{text}\n{codes:?}");
        let refused = codes.iter().any(|(code, _)| code.starts_with('E'));
        proptest::prop_assert_eq!(compiled.plan.is_none(), refused, "{}\n{:?}", text, codes);
    }
}
