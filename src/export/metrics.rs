//! tracegen's own metrics to an OTLP receiver: the SDK's reader collects, the clients that deliver traces send.

use super::{
    client::Client,
    outcome::Outcome,
    target::{DEFAULT_TIMEOUT, Protocol, Target, TargetError},
};
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_sdk::{
    error::{OTelSdkError, OTelSdkResult},
    metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter},
};
use prost::Message;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::runtime::{Builder, Runtime};

/// What is to be told to a person; must not block.
pub type Tell = Box<dyn Fn(String) + Send + Sync>;

/// Sends what the SDK's reader collects. What does not get through is not sent again: the next figures tell more.
pub struct MetricExporter {
    client: Arc<Client>,
    url: String,
    json: bool,
    timeout: Duration,
    temporality: Temporality,
    /// `None` once it is dropped.
    runtime: Option<Runtime>,
    told: AtomicBool,
    tell: Tell,
}

impl MetricExporter {
    /// `tell` gets the first thing that goes wrong, and no other.
    ///
    /// # Errors
    /// A certificate that can't be used, or a system that gives no threads.
    pub fn new(target: &Target, temporality: Temporality, tell: Tell) -> Result<MetricExporter, TargetError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("metrics")
            .enable_all()
            .build()
            .map_err(|e| TargetError::runtime(e.to_string()))?;
        Ok(MetricExporter {
            client: Arc::new(Client::new(target, 1)?),
            url: target.url.to_string().trim_end_matches('/').to_string(),
            json: target.protocol == Protocol::HttpJson,
            timeout: target.timeout.unwrap_or(DEFAULT_TIMEOUT),
            temporality,
            runtime: Some(runtime),
            told: AtomicBool::new(false),
            tell,
        })
    }

    async fn send(&self, body: Vec<u8>) -> Result<(), String> {
        let (client, limit) = (self.client.clone(), self.timeout);
        let request = async move { client.export(client.prepare(&Bytes::from(body)), limit).await };
        let Some(runtime) = &self.runtime else { return Ok(()) };
        match runtime.spawn(request).await.map_err(|e| e.to_string())? {
            Outcome::Accepted { rejected_spans: 0, .. } => Ok(()),
            Outcome::Accepted { rejected_spans, message } => Err(format!("{rejected_spans} rejected: {message}")),
            Outcome::Rejected(cause) => Err(cause.to_string()),
            Outcome::Failed(failure) => Err(failure.cause.to_string()),
        }
    }
}

impl PushMetricExporter for MetricExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let request = ExportMetricsServiceRequest::from(metrics);
        let body = match self.json {
            true => serde_json::to_vec(&request).map_err(|e| OTelSdkError::InternalFailure(e.to_string()))?,
            false => request.encode_to_vec(),
        };
        self.send(body).await.map_err(|problem| {
            if !self.told.swap(true, Ordering::Relaxed) {
                (self.tell)(format!("metrics don't reach {} ({problem}); traces are not affected", self.url));
            }
            OTelSdkError::InternalFailure(problem)
        })
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        self.temporality
    }
}

impl Drop for MetricExporter {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Whoever drops it may be asynchronous code, which must not wait.
            runtime.shutdown_background();
        }
    }
}
