//! The metrics as observable instruments of the SDK, whose reader collects them at an interval and once more at the end.

use super::{Kind, Metric};
use crate::export::MetricExporter;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, MeterProvider};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::resource::EnvResourceDetector;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// A sender of metrics to a collector, with threads of its own.
pub struct Telemetry(SdkMeterProvider);

impl Telemetry {
    /// Starts sending the metrics that `read` returns at each `interval`; they must be the same metrics each time. They
    /// describe this process, so `OTEL_RESOURCE_ATTRIBUTES` applies here, and nowhere else.
    pub fn start(
        exporter: MetricExporter,
        interval: Duration,
        service_name: Option<String>,
        read: impl Fn() -> Vec<Metric> + Send + Sync + 'static,
    ) -> Telemetry {
        let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource(service_name)).build();
        let meter = provider.meter("tracegen");
        let metrics = read();
        let (read, latest) = (Arc::new(read), Arc::new(Mutex::new(vec![])));
        for (at, Metric { name, kind, unit, description, .. }) in metrics.into_iter().enumerate() {
            let (read, latest) = (read.clone(), latest.clone());
            let observe = move |instrument: &dyn AsyncInstrument<f64>| {
                let mut latest = latest.lock();
                // The SDK reads the instruments in this order. The first one reads for all, so that the values of a
                // collection fit together.
                if at == 0 {
                    *latest = read();
                }
                for point in latest.iter().filter(|metric| metric.name == name).flat_map(|metric| &metric.points) {
                    let attributes = point.attributes.iter();
                    let attributes: Vec<_> = attributes.map(|(key, text)| KeyValue::new(*key, text.clone())).collect();
                    instrument.observe(point.value, &attributes);
                }
            };
            match kind {
                Kind::Counter => drop(
                    meter
                        .f64_observable_counter(name)
                        .with_unit(unit)
                        .with_description(description)
                        .with_callback(observe)
                        .build(),
                ),
                Kind::Gauge | Kind::Summary(_) => drop(
                    meter
                        .f64_observable_gauge(name)
                        .with_unit(unit)
                        .with_description(description)
                        .with_callback(observe)
                        .build(),
                ),
            }
        }
        Telemetry(provider)
    }

    /// Sends the last values, which takes at most 5 s.
    pub fn finish(self) {
        // The exporter has reported what went wrong.
        let _ = self.0.shutdown();
    }
}

fn resource(service_name: Option<String>) -> Resource {
    let own = [KeyValue::new("service.name", "tracegen"), KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
    let resource = Resource::builder_empty()
        .with_attributes(own)
        .with_attributes(instance_id().map(|id| KeyValue::new("service.instance.id", id)))
        .with_detector(Box::new(EnvResourceDetector::new()));
    match service_name {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// Returns a random UUID, which tells the counters of several processes apart, or `None` if the system gives no random
/// numbers.
fn instance_id() -> Option<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(uuid::Builder::from_random_bytes(random).into_uuid().to_string())
}
