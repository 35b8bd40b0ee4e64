//! The export of tracegen's own metrics, by `OTEL_METRICS_EXPORTER=otlp` and the other standard variables.

use super::{Failure, environment};
use crate::export::target::Target;
use crate::export::{MetricExporter, Temporality};
use crate::telemetry::{Metric, Telemetry};
use std::time::Duration;

/// The time between two exports by default, as the OpenTelemetry specification says.
const INTERVAL: Duration = Duration::from_secs(60);

/// The export of metrics that the environment variables select.
pub struct Wanted {
    pub target: Target,
    interval: Duration,
    temporality: Temporality,
}

/// Reads the environment variables, and returns `None` if they select no export.
///
/// # Errors
/// A variable has a bad value.
pub fn wanted() -> Result<Option<Wanted>, Failure> {
    let exporter = environment::value("OTEL_METRICS_EXPORTER", |text| match text {
        "otlp" => Ok(true),
        "none" => Ok(false),
        _ => Err("expected otlp or none; for Prometheus, `tracegen serve` has /metrics"),
    })?;
    if exporter != Some(true) {
        return Ok(None);
    }
    let interval = environment::value("OTEL_METRIC_EXPORT_INTERVAL", |text| match text.parse() {
        Ok(ms @ 1..=86_400_000) => Ok(Duration::from_millis(ms)),
        _ => Err("expected whole milliseconds, 1 to 86400000"),
    })?;
    let temporality = environment::value("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", |text| {
        text.parse().map_err(|()| "expected cumulative, delta or lowmemory")
    })?;
    let target = Target::of_metrics(&environment::text).map_err(|e| Failure::usage(e.to_string()))?;
    Ok(Some(Wanted { target, interval: interval.unwrap_or(INTERVAL), temporality: temporality.unwrap_or_default() }))
}

impl Wanted {
    /// Starts sending the metrics that `read` returns. `report` is called with the first failure.
    ///
    /// # Errors
    /// The target can't be used.
    pub fn start(
        self,
        report: impl Fn(String) + Send + Sync + 'static,
        read: impl Fn() -> Vec<Metric> + Send + Sync + 'static,
    ) -> Result<Telemetry, Failure> {
        let exporter = MetricExporter::new(&self.target, self.temporality, Box::new(report));
        let exporter = exporter.map_err(|e| Failure::usage(e.to_string()))?;
        Ok(Telemetry::start(exporter, self.interval, environment::text("OTEL_SERVICE_NAME"), read))
    }
}
