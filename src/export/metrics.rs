//! The export of tracegen's own metrics to an OTLP receiver: `opentelemetry-otlp` sends them, over connections like those
//! of traces.

use super::USER_AGENT;
use super::outcome::{Failure, shorten};
use super::target::{Compression, DEFAULT_TIMEOUT, Protocol, Target, TargetError};
use super::tls::{self, Version};
use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{HeaderValue, USER_AGENT as USER_AGENT_HEADER};
use hyper::{HeaderMap, Request, Response};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    Compression as Packed, MetricExporter as Sender, Protocol as Spoken, RetryPolicy, WithExportConfig, WithHttpConfig,
    WithTonicConfig,
};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::{Temporality, data::ResourceMetrics, exporter::PushMetricExporter};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::transport::Endpoint;

/// The maximum length of an answer that is read, in bytes.
const ANSWER_BYTES: usize = 256 << 10;

/// A function that shows a message to the user; it must not block.
pub type Report = Box<dyn Fn(String) + Send + Sync>;

/// An exporter for the SDK's metric reader. Failed requests are not sent again, because later figures include the earlier
/// ones.
pub struct MetricExporter {
    sender: Sender,
    url: String,
    /// The reason why the last request over HTTP failed, which the sender does not report.
    cause: Arc<Mutex<Option<String>>>,
    /// A failure has been reported.
    reported: AtomicBool,
    report: Report,
    /// The runtime with the connections, because the thread of the SDK's reader is not one of tokio's. `None` once the
    /// exporter is dropped.
    runtime: Option<Runtime>,
}

impl MetricExporter {
    /// Makes an exporter. `report` is called with the first failure only.
    ///
    /// # Errors
    /// A certificate can't be used, or the system gives no threads.
    pub fn new(target: &Target, temporality: Temporality, report: Report) -> Result<MetricExporter, TargetError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("metrics")
            .enable_all()
            .build()
            .map_err(|e| TargetError::runtime(e.to_string()))?;
        let cause = Arc::default();
        let sender = match target.protocol {
            Protocol::Grpc => grpc(target, temporality, &runtime)?,
            Protocol::HttpProtobuf => http(target, Spoken::HttpBinary, temporality, &runtime, &cause)?,
            Protocol::HttpJson => http(target, Spoken::HttpJson, temporality, &runtime, &cause)?,
        };
        let url = target.url.to_string().trim_end_matches('/').to_string();
        Ok(MetricExporter { sender, url, cause, reported: AtomicBool::new(false), report, runtime: Some(runtime) })
    }
}

fn grpc(target: &Target, temporality: Temporality, runtime: &Runtime) -> Result<Sender, TargetError> {
    let limit = target.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let connector = tls::connector(target, Version::Http2)?;
    let channel = {
        let _inside = runtime.enter();
        Endpoint::from(target.url.clone()).timeout(limit).connect_with_connector_lazy(connector)
    };
    let mut sender = Sender::builder()
        .with_temporality(temporality)
        .with_tonic()
        .with_channel(channel)
        .with_metadata(MetadataMap::from_headers(headers(target)))
        .with_timeout(limit)
        .with_retry_policy(RetryPolicy::disabled());
    if target.compression == Compression::Gzip {
        sender = sender.with_compression(Packed::Gzip);
    }
    sender.build().map_err(|e| TargetError::runtime(e.to_string()))
}

fn http(
    target: &Target,
    spoken: Spoken,
    temporality: Temporality,
    runtime: &Runtime,
    cause: &Arc<Mutex<Option<String>>>,
) -> Result<Sender, TargetError> {
    let limit = target.timeout.unwrap_or(DEFAULT_TIMEOUT);
    let connector = tls::connector(target, Version::Http1)?;
    let pool = Pool::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    let client =
        Client { pool, headers: headers(target), limit, cause: cause.clone(), runtime: runtime.handle().clone() };
    let mut sender = Sender::builder()
        .with_temporality(temporality)
        .with_http()
        .with_http_client(client)
        .with_endpoint(target.url.to_string())
        .with_protocol(spoken)
        .with_timeout(limit)
        .with_retry_policy(RetryPolicy::disabled());
    if target.compression == Compression::Gzip {
        sender = sender.with_compression(Packed::Gzip);
    }
    sender.build().map_err(|e| TargetError::runtime(e.to_string()))
}

/// Returns the user's headers and tracegen's user agent.
fn headers(target: &Target) -> HeaderMap {
    let mut headers = target.headers.clone();
    headers.entry(USER_AGENT_HEADER).or_insert(HeaderValue::from_static(USER_AGENT));
    headers
}

impl PushMetricExporter for MetricExporter {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let sent = self.sender.export(metrics).await;
        let cause = self.cause.lock().take();
        if let Err(error) = &sent
            && !self.reported.swap(true, Ordering::Relaxed)
        {
            let why = cause.unwrap_or_else(|| shorten(&reason(error)));
            (self.report)(format!("metrics don't reach {} ({why}); traces are not affected", self.url));
        }
        sent
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.sender.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.sender.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.sender.temporality()
    }
}

/// Returns the message of an SDK error without the SDK's framing.
fn reason(error: &OTelSdkError) -> String {
    match error {
        OTelSdkError::InternalFailure(reason) => reason.clone(),
        other => other.to_string(),
    }
}

impl Drop for MetricExporter {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The exporter may be dropped in asynchronous code, which must not wait.
            runtime.shutdown_background();
        }
    }
}

/// A client that sends the exporter's requests over HTTP/1.1.
struct Client {
    pool: Pool<tls::Connector, Full<Bytes>>,
    headers: HeaderMap,
    /// The time allowed for a request, from its first byte to the last of its answer.
    limit: Duration,
    cause: Arc<Mutex<Option<String>>>,
    runtime: Handle,
}

/// The debug output omits the headers, which may hold secrets.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        request.headers_mut().extend(self.headers.clone());
        let (pool, limit) = (self.pool.clone(), self.limit);
        let answer = async move {
            let (head, body) = pool.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        let sent = self.runtime.spawn(async move { timeout(limit, answer).await }).await?;
        let failure = match sent {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => Failure::transport(&*error),
            Err(_) => Failure::timeout(limit),
        };
        let cause = failure.cause.to_string();
        *self.cause.lock() = Some(cause.clone());
        Err(cause.into())
    }
}
