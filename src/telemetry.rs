//! tracegen's metrics of itself: one list, which is served as text to scrapers and sent over OTLP through the SDK.
//!
//! Names and units follow OpenTelemetry's conventions. In the text they follow those of Prometheus, by the rules with which
//! a collector translates them: both yield `tracegen_export_spans_total` for `tracegen.export.spans`.

mod figures;
mod otlp;
mod prometheus;

pub use figures::{RunState, of_run, of_session};
pub use otlp::Telemetry;
pub use prometheus::text;

use crate::histogram::Percentiles;

/// A metric with its values at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    name: &'static str,
    kind: Kind,
    /// The UCUM unit; empty if there is none.
    unit: &'static str,
    description: &'static str,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A value that only grows.
    Counter,
    Gauge,
    /// Points by `quantile`, with the number of observations.
    Summary(u64),
}

#[derive(Clone, Debug, PartialEq)]
struct Point {
    attributes: Vec<(&'static str, String)>,
    value: f64,
}

impl Metric {
    fn new(name: &'static str, kind: Kind, unit: &'static str, description: &'static str) -> Metric {
        Metric { name, kind, unit, description, points: vec![] }
    }

    fn counter(name: &'static str, unit: &'static str, description: &'static str, value: u64) -> Metric {
        Metric::new(name, Kind::Counter, unit, description).with([], value as f64)
    }

    fn gauge(name: &'static str, unit: &'static str, description: &'static str, value: f64) -> Metric {
        Metric::new(name, Kind::Gauge, unit, description).with([], value)
    }

    /// Makes a gauge that is 1 for true and 0 for false.
    fn flag(name: &'static str, description: &'static str, value: bool) -> Metric {
        Metric::gauge(name, "", description, f64::from(u8::from(value)))
    }

    fn summary(name: &'static str, description: &'static str, percentiles: Percentiles) -> Metric {
        let quantiles = [("0.5", percentiles.p50), ("0.99", percentiles.p99), ("1", percentiles.max)];
        let metric = Metric::new(name, Kind::Summary(percentiles.count), "s", description);
        quantiles.into_iter().fold(metric, |metric, (quantile, ns)| metric.with([("quantile", quantile)], seconds(ns)))
    }

    fn with<const N: usize>(mut self, attributes: [(&'static str, &str); N], value: f64) -> Metric {
        let attributes = attributes.map(|(key, text)| (key, text.to_string())).into();
        self.points.push(Point { attributes, value });
        self
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
