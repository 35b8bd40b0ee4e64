//! The check of the environment variables: which are set, which can't be read, and which look like misspelled ones.

use super::report::Finding;
use crate::cli::{Failure, environment};
use crate::text::count;
use std::collections::BTreeSet;
use strsim::damerau_levenshtein;

/// The variables that tracegen reads, except those of the collector.
const READ: [&str; 33] = [
    "CARD_DISPLAY_LIMIT",
    "CLICKHOUSE_DATABASE",
    "CLICKHOUSE_HOST",
    "CLICKHOUSE_PASSWORD",
    "CLICKHOUSE_PORT",
    "CLICKHOUSE_USER",
    "DATABASE_HOST",
    "DATABASE_NAME",
    "DATABASE_PASSWORD",
    "DATABASE_PORT",
    "DATABASE_TYPE",
    "DATABASE_USER",
    "INMEMORY_MAX_MIB",
    "INMEMORY_MAX_TRACES",
    "JAEGER_URL",
    "LOG_LEVEL",
    "MAX_TEMPLATE_ITERATIONS",
    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
    "OTEL_LOG_LEVEL",
    "OTEL_METRICS_EXPORTER",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_SERVICE_NAME",
    "SCENARIOS_DIR",
    "SCENARIOS_PATH",
    "SERVER_HOST",
    "SERVER_NAMES",
    "SERVER_PORT",
    "SERVER_TOKEN",
    "STATUS_UPDATE_INTERVAL",
    "TRACE_FETCH_LIMIT",
    "TRACE_INTERVAL_MAX",
    "TRACE_INTERVAL_MIN",
    "TRACE_NUM_WORKERS",
];

/// The ends of the variables that begin with `OTEL_EXPORTER_OTLP_`, optionally followed by `TRACES_` or `METRICS_`.
const OF_COLLECTOR: [&str; 9] = [
    "CERTIFICATE",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
    "COMPRESSION",
    "ENDPOINT",
    "HEADERS",
    "INSECURE",
    "PROTOCOL",
    "TIMEOUT",
];

/// The prefixes of variables for other signals, which may be set for other programs.
const OTHER_SIGNALS: [&str; 2] = ["OTEL_EXPORTER_OTLP_LOGS_", "OTEL_EXPORTER_OTLP_PROFILES_"];

/// The minimum length of a name that is checked for misspelling; shorter names are similar to too many others.
const SHORTEST: usize = 8;

fn known() -> BTreeSet<String> {
    let of_collector = ["", "TRACES_", "METRICS_"]
        .into_iter()
        .flat_map(|signal| OF_COLLECTOR.into_iter().map(move |name| format!("OTEL_EXPORTER_OTLP_{signal}{name}")));
    READ.map(String::from).into_iter().chain(of_collector).collect()
}

/// Returns the findings. `bad` holds the variables that could not be read.
pub fn check(bad: &[Failure]) -> Vec<Finding> {
    let known = known();
    let mut findings: Vec<Finding> = bad.iter().map(|failure| Finding::fix("variables", &failure.message)).collect();
    if bad.is_empty() {
        let set: Vec<&String> = known.iter().filter(|name| environment::text(name).is_some()).collect();
        findings.push(Finding::ok(
            "variables",
            match set.len() {
                0 => "none is set".into(),
                n => format!("{} set, and can be read: {}", count(n as u64, "variable"), joined(&set)),
            },
        ));
    }
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    findings.extend(names.filter_map(|name| {
        let meant = meant(&name, &known)?;
        Some(Finding::note("variables", format!("{name} is set, and not read: did you mean {meant}?")))
    }));
    findings.extend(environment::without_effect().map(|said| Finding::note("variables", said)));
    if environment::text("DATABASE_TYPE").is_none() {
        let of_database =
            ["DATABASE_HOST", "CLICKHOUSE_HOST"].into_iter().find(|name| environment::text(name).is_some());
        findings.extend(of_database.map(|name| {
            let advice = "set DATABASE_TYPE=clickhouse for `tracegen serve` to use it";
            Finding::note("variables", format!("{name} is set, and DATABASE_TYPE is not")).advise(advice)
        }));
    }
    findings
}

fn joined(names: &[&String]) -> String {
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Returns the variable that `name` is a misspelling of.
fn meant<'a>(name: &str, known: &'a BTreeSet<String>) -> Option<&'a String> {
    if name.len() < SHORTEST || known.contains(name) || OTHER_SIGNALS.iter().any(|signal| name.starts_with(signal)) {
        return None;
    }
    let upper = name.to_uppercase();
    let near = known.iter().filter(|known| known.len() >= SHORTEST);
    let near = near.map(|known| (damerau_levenshtein(&upper, known), known));
    near.min_by_key(|(distance, _)| *distance).filter(|(distance, _)| *distance <= 2).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_misspelled_name_is_recognized() {
        let known = known();
        let meant = |name: &str| meant(name, &known).map(String::as_str);
        assert_eq!(meant("OTEL_EXPORTER_OTLP_ENDPONT"), Some("OTEL_EXPORTER_OTLP_ENDPOINT"));
        assert_eq!(meant("DATABSE_TYPE"), Some("DATABASE_TYPE"));
        assert_eq!(meant("database_type"), Some("DATABASE_TYPE"));
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_SDK_DISABLED", "PATH"] {
            assert_eq!(meant(name), None, "{name}");
        }
    }

    /// Every name that the files of the command line read from the environment must be known to the check.
    #[test]
    fn all_variables_that_are_read_are_known() {
        let (known, mut read) = (known(), 0);
        let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli")];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for call in ["environment::value(\"", "environment::text(\"", "table.number(\""] {
                for name in text.split(call).skip(1).filter_map(|rest| rest.split('"').next()) {
                    read += usize::from(!name.is_empty());
                    assert!(name.is_empty() || known.contains(name), "{name} of {}", path.display());
                }
            }
        }
        assert!(read > 15, "only {read} are read");
    }
}
