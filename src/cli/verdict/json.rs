//! The report as JSON.

use crate::cli::source::Background;
use crate::verify::Report;
use serde::Serialize;

/// The reports on several runs.
#[derive(Serialize)]
struct Reports<'r> {
    runs: Vec<Named<'r>>,
}

/// A report with the name of the manifest that it is about.
#[derive(Serialize)]
struct Named<'r> {
    manifest: &'r str,
    #[serde(flatten)]
    report: &'r Report,
}

/// Returns the report on one run as an object, or those on several as a list in the field `runs`.
///
/// # Errors
/// A value can't be written as JSON.
pub fn text(results: &[(Report, Background)]) -> serde_json::Result<String> {
    let text = match results {
        [(report, _)] => serde_json::to_string_pretty(report),
        _ => {
            let runs = results.iter().map(|(report, background)| Named {
                manifest: background.manifest.as_deref().unwrap_or_default(),
                report,
            });
            serde_json::to_string_pretty(&Reports { runs: runs.collect() })
        }
    };
    Ok(text? + "\n")
}
