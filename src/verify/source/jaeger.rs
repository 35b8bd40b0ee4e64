//! A source that asks Jaeger's HTTP API for the traces of the run by their ids, because the API cannot list all traces.

mod answer;

use super::{SourceError, watch::Watch};
use crate::clock;
use crate::journal::Archive;
use crate::plan::ScenarioId;
use crate::verify::Verifier;
use crate::verify::extent::{indices, started_before};
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The number of requests in flight.
const IN_FLIGHT: usize = 8;
/// The maximum number of ids in a request.
const IDS: usize = 32;
/// The maximum number of spans that a request should return.
const SPANS: u32 = 8_192;
/// The maximum length of an answer in bytes.
const ANSWER_BYTES: usize = 128 << 20;
/// The number of answers that are read or processed at a time; others wait in the network.
const ANSWERS: usize = 2;
/// The maximum length in bytes of an answer without traces: a list of services, or an error.
const SHORT_BYTES: usize = 4 << 20;
/// The time allowed for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The number of attempts after the first.
const RETRIES: usize = 3;
const FORM: &str = "its URL is as http://localhost:16686";

#[derive(Clone)]
struct Jaeger {
    /// The API's URL without a `/` at the end.
    base: String,
    client: legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// A semaphore with [`ANSWERS`] permits.
    room: Arc<Semaphore>,
}

/// An answer, and the permit for the memory that it takes.
struct Body {
    bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// The reason why there is no answer.
struct Fault {
    reason: String,
    /// The fault may pass, so that another attempt makes sense.
    passing: bool,
}

/// Shows every span of the run that Jaeger has to the verifier.
///
/// # Errors
/// Jaeger is out of reach, or its answers can't be read.
pub async fn read(url: &str, verifier: &mut Verifier, look: &mut dyn FnMut(&Verifier)) -> Result<(), SourceError> {
    if url.contains('@') {
        return Err(SourceError("Jaeger has no user accounts: its URL must not contain a user".into()));
    }
    // The part behind the `?` may contain a key, which must not be shown.
    let shown = url.split('?').next().unwrap_or_default();
    let explained = |fault: Fault| SourceError(format!("Jaeger at {shown}: {}", fault.reason));
    let jaeger = Jaeger::new(url).map_err(explained)?;
    let mut watch = Watch::new(look);
    let services = watch.until(verifier, jaeger.get("/api/services".into(), SHORT_BYTES)).await.map_err(explained)?;
    if answer::is_empty_list(&services.bytes).map_err(Fault::no_jaeger).map_err(explained)? {
        verifier.found_nothing(format!("Jaeger at {shown}: it holds no trace at all"));
        return Ok(());
    }
    let (mut paths, mut under_way) = (paths(verifier.archive()), JoinSet::new());
    drop(services);
    loop {
        while under_way.len() < IN_FLIGHT
            && let Some(path) = paths.next()
        {
            let jaeger = jaeger.clone();
            under_way.spawn(async move { jaeger.get(path, ANSWER_BYTES).await });
        }
        let Some(joined) = watch.until(verifier, under_way.join_next()).await else { return Ok(()) };
        let body = joined.map_err(|e| SourceError(e.to_string()))?.map_err(explained)?;
        let read = answer::for_each_span(&body.bytes, |trace, span| verifier.observe(trace, &span, None));
        read.map_err(Fault::no_jaeger).map_err(explained)?;
    }
}

/// Returns the paths that together ask for all traces of the run. If the run goes on, those are the traces that have
/// started.
fn paths(archive: &Archive) -> impl Iterator<Item = String> + use<> {
    let mut archive = archive.clone();
    let mut indices = indices(started_before(&archive, clock::now())).peekable();
    std::iter::from_fn(move || {
        let run = archive.run(*indices.peek()?)?;
        let max_bytes = |scenario: ScenarioId| run.plan().bound(scenario).max_spans;
        // Without `raw`, Jaeger moves times where a child seems to begin before its parent, and leaves out copies.
        let mut path = "/api/traces?raw=true".to_string();
        let mut spans = 0;
        for _ in 0..IDS {
            let Some(index) = indices.next_if(|_| spans < SPANS) else { break };
            spans += max_bytes(run.scenario(index));
            let _ = write!(path, "&traceID={:032x}", u128::from_be_bytes(run.identity().trace_id(index)));
        }
        Some(path)
    })
}

impl Fault {
    fn passing(reason: String) -> Fault {
        Fault { reason, passing: true }
    }

    fn lasting(reason: impl Into<String>) -> Fault {
        Fault { reason: reason.into(), passing: false }
    }

    fn no_jaeger(error: impl std::fmt::Display) -> Fault {
        Fault::lasting(format!("not an answer of Jaeger's HTTP API ({error}); {FORM}"))
    }
}

impl Jaeger {
    fn new(url: &str) -> Result<Jaeger, Fault> {
        let base = url.trim_end_matches('/');
        let is_http = base.starts_with("http://") || base.starts_with("https://");
        if !is_http || base.parse::<Uri>().is_ok_and(|uri| uri.query().is_some()) {
            return Err(Fault::lasting(FORM));
        }
        let provider = rustls::crypto::ring::default_provider();
        let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let connector = connector.map_err(|e| Fault::lasting(format!("no trusted certificates: {e}")))?;
        let connector = connector.https_or_http().enable_http1().build();
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(IN_FLIGHT).build(connector);
        Ok(Jaeger { base: base.into(), client, room: Arc::new(Semaphore::new(ANSWERS)) })
    }

    /// Returns the body at a path, of at most `max_bytes` bytes. A fault that may pass is tried again.
    async fn get(&self, path: String, max_bytes: usize) -> Result<Body, Fault> {
        let attempt = || async {
            let answer = timeout(PATIENCE, self.attempt(&path, max_bytes)).await;
            answer.unwrap_or_else(|_| Err(Fault::passing(format!("no answer within {} s", PATIENCE.as_secs()))))
        };
        let waits = ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(RETRIES);
        attempt.retry(waits).when(|fault| fault.passing).await
    }

    async fn attempt(&self, path: &str, max_bytes: usize) -> Result<Body, Fault> {
        let uri: Uri =
            format!("{}{path}", self.base).parse().map_err(|e| Fault::lasting(format!("not a URL ({e})")))?;
        let request = Request::get(uri).body(Empty::new()).map_err(|e| Fault::lasting(e.to_string()))?;
        let answer = self.client.request(request).await.map_err(|e| Fault::passing(innermost(&e)))?;
        let status = answer.status();
        let max_bytes = if status == StatusCode::OK { max_bytes } else { SHORT_BYTES };
        let room = self.room.clone().acquire_owned().await.map_err(|e| Fault::lasting(e.to_string()))?;
        let body = Limited::new(answer.into_body(), max_bytes).collect().await;
        let bytes = match body {
            Ok(body) => body.to_bytes(),
            Err(e) if e.is::<LengthLimitError>() => {
                return Err(Fault::lasting(format!("it answers with more than {} MiB", max_bytes >> 20)));
            }
            Err(e) => return Err(Fault::passing(innermost(&*e))),
        };
        match status {
            StatusCode::OK => Ok(Body { bytes, _room: room }),
            status => {
                let said = answer::problem(&bytes).unwrap_or_else(|| FORM.into());
                let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                Err(Fault { reason: format!("it answers {status}; {said}"), passing })
            }
        }
    }
}

/// Returns the message of the innermost cause, which says more than the error itself.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |e| e.source()).last().map(ToString::to_string).unwrap_or_default()
}
