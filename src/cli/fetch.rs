//! One document from an HTTP server.

use super::environment;
use crate::engine::Manifest;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Request, StatusCode};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// For a document; from the first byte sent to the last received.
const PATIENCE: Duration = Duration::from_secs(30);

/// The body at an `http` or `https` URL, no longer than a manifest; `SERVER_TOKEN` goes with the request.
///
/// # Errors
/// In words.
pub fn get(url: &str) -> Result<Bytes, String> {
    match ask(url, PATIENCE)? {
        (StatusCode::OK, body) => Ok(body),
        (StatusCode::UNAUTHORIZED, _) => Err("it wants a token: set SERVER_TOKEN to that of the server".into()),
        (status, _) => Err(format!("it answers {status}")),
    }
}

/// The same, whatever the answer's status.
///
/// # Errors
/// In words, also where the answer takes longer than `patience`.
pub fn ask(url: &str, patience: Duration) -> Result<(StatusCode, Bytes), String> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        match timeout(patience, answer_at(url)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
        }
    })
}

async fn answer_at(url: &str) -> Result<(StatusCode, Bytes), String> {
    let mut request = Request::get(url).body(Empty::<Bytes>::new()).map_err(|e| e.to_string())?;
    if let Some(token) = environment::text("SERVER_TOKEN") {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| "SERVER_TOKEN holds what no header can".to_string())?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
    }
    let provider = rustls::crypto::ring::default_provider();
    let connector = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
    let connector = connector.map_err(|e| format!("no trusted certificates: {e}"))?.https_or_http().enable_http1();
    let client = Client::builder(TokioExecutor::new()).build(connector.build());
    let answer = client.request(request).await.map_err(|e| innermost(&e))?;
    let status = answer.status();
    let limit = Manifest::MOST_BYTES as usize;
    let body = Limited::new(answer.into_body(), limit).collect().await;
    body.map(|body| (status, body.to_bytes())).map_err(|e| innermost(&*e))
}

/// What stands behind an error says more than the error.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |e| e.source()).last().map(ToString::to_string).unwrap_or_default()
}
