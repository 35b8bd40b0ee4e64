//! Metrics through the SDK: observable instruments, collected by its reader at an interval and once more at the end.

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

/// Metrics on their way to a collector, on threads of their own.
pub struct Telemetry(SdkMeterProvider);

impl Telemetry {
    /// Every `interval`, send what `read` gives: the same metrics each time. They are this process's own, so
    /// `OTEL_RESOURCE_ATTRIBUTES` counts here, if nowhere else.
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
                // The SDK asks in this order: the first reads for all, so that the figures of a collection fit together.
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

    /// Send the last figures; takes 5 s at most.
    pub fn finish(self) {
        // What went wrong has been told by the exporter.
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

/// A random UUID, so that the counters of several processes are told apart; `None`: the system gives no random numbers.
fn instance_id() -> Option<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Some(uuid::Builder::from_random_bytes(random).into_uuid().to_string())
}
