//! What tracegen tells of itself: one list of metrics, read by scrapers as text and sent over OTLP through the SDK.
//!
//! Names and units are OpenTelemetry's; the text has them as Prometheus does, by the rules with which a collector
//! translates them: `tracegen.export.spans` is `tracegen_export_spans_total` in both.

mod figures;
mod otlp;
mod prometheus;

pub use figures::{RunState, of_run, of_session};
pub use otlp::Telemetry;
pub use prometheus::text;

use crate::histogram::Percentiles;

/// A metric with its figures at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    name: &'static str,
    kind: Kind,
    /// UCUM; empty where there is none.
    unit: &'static str,
    description: &'static str,
    points: Vec<Point>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Only grows.
    Counter,
    Gauge,
    /// Points by `quantile`, of so many observations.
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

    /// 1 for yes.
    fn flag(name: &'static str, description: &'static str, value: bool) -> Metric {
        Metric::gauge(name, "", description, f64::from(u8::from(value)))
    }

    fn summary(name: &'static str, description: &'static str, of: Percentiles) -> Metric {
        let quantiles = [("0.5", of.p50), ("0.99", of.p99), ("1", of.max)];
        let metric = Metric::new(name, Kind::Summary(of.count), "s", description);
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
