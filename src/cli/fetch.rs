//! Fetching a document from an HTTP server.

use super::environment;
use crate::journal::Manifest;
use crate::text::host;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::net::IpAddr;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// The time allowed for a document, from the first byte sent to the last one received.
const PATIENCE: Duration = Duration::from_secs(30);

/// Fetches the body at an `http` or `https` URL, which may be no longer than a manifest. `SERVER_TOKEN` is sent if the URL
/// leads to that server.
///
/// # Errors
/// The document can't be fetched; the error explains why in words.
pub fn get(url: &str) -> Result<Bytes, String> {
    let parsed: Uri = url.parse().map_err(|e| format!("not a URL ({e})"))?;
    let token = environment::text("SERVER_TOKEN");
    let known = token.is_some();
    let token = token.filter(|_| is_own_server(&parsed));
    let sent = token.is_some();
    match ask_with(parsed, token, PATIENCE)? {
        (StatusCode::OK, body) => Ok(body),
        (StatusCode::UNAUTHORIZED, _) if known && !sent => {
            Err("it wants a token, and SERVER_TOKEN goes only to the server that \
             SERVER_HOST (and SERVER_PORT) name, else to this machine: set SERVER_HOST to the server's name"
                .into())
        }
        (StatusCode::UNAUTHORIZED, _) => Err("it wants a token: set SERVER_TOKEN to that of the server".into()),
        (status, _) => Err(format!("it answers {status}")),
    }
}

/// Fetches the body at a URL, whatever the status of the answer, without a token.
///
/// # Errors
/// There is no answer, or it takes longer than `patience`; the error explains it in words.
pub fn ask(url: &str, patience: Duration) -> Result<(StatusCode, Bytes), String> {
    ask_with(url.parse().map_err(|e| format!("not a URL ({e})"))?, None, patience)
}

/// Returns a URL without a password in it, or the name of a file unchanged.
pub fn shown(source: &str) -> String {
    let Some((scheme, rest)) = source.split_once("://") else { return source.into() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => source.into(),
    }
}

/// Reports whether a URL leads to the server named by `SERVER_HOST` and `SERVER_PORT`, to which `SERVER_TOKEN` belongs. If
/// they are unset, they mean this machine and any port.
fn is_own_server(url: &Uri) -> bool {
    let host = environment::text("SERVER_HOST").unwrap_or("localhost".into());
    let port = environment::text("SERVER_PORT").and_then(|port| port.parse().ok()).filter(|port| *port > 0);
    leads_to(url, &host, port)
}

fn leads_to(url: &Uri, host: &str, port: Option<u16>) -> bool {
    let place = |host: &str| {
        let bare = host::bare(host).to_ascii_lowercase();
        let here = bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback() || ip.is_unspecified());
        if here { "localhost".to_string() } else { bare }
    };
    let default = if url.scheme_str() == Some("https") { 443 } else { 80 };
    place(url.host().unwrap_or_default()) == place(host)
        && port.is_none_or(|port| port == url.port_u16().unwrap_or(default))
}

fn ask_with(url: Uri, token: Option<String>, patience: Duration) -> Result<(StatusCode, Bytes), String> {
    if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("user and password can't stand in the URL; SERVER_TOKEN is sent to a server that wants it".into());
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    runtime.block_on(async {
        match timeout(patience, answer_at(url, token)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", patience.as_secs())),
        }
    })
}

async fn answer_at(url: Uri, token: Option<String>) -> Result<(StatusCode, Bytes), String> {
    let mut request = Request::get(url).body(Empty::<Bytes>::new()).map_err(|e| e.to_string())?;
    if let Some(token) = token {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let mut value = value.map_err(|_| "SERVER_TOKEN has characters that no header can hold".to_string())?;
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

/// Returns the message of the innermost cause, which says more than the error itself.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |e| e.source()).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_to_its_server_only() {
        for (url, host, port, expected) in [
            ("http://localhost:8000/api/manifest", "localhost", None, true),
            ("http://127.0.0.1:1234", "localhost", None, true),
            ("http://[::1]:8000", "0.0.0.0", None, true),
            ("http://localhost:8001", "127.0.0.1", Some(8000), false),
            ("http://evil.example:8000/api/manifest", "localhost", None, false),
            ("http://localhost.evil.example:8000", "localhost", None, false),
            ("http://10.0.0.1:8000", "0.0.0.0", None, false),
            ("https://Traces.example/api/manifest", "traces.example", None, true),
            ("https://traces.example/api/manifest", "traces.example", Some(443), true),
            ("http://traces.example/api/manifest", "traces.example", Some(8000), false),
        ] {
            assert_eq!(leads_to(&url.parse().unwrap(), host, port), expected, "{url} {host}");
        }
    }

    #[test]
    fn a_password_is_neither_shown_nor_sent() {
        for (source, expected) in [
            ("http://me:secret@host:1/a?b@c", "http://***@host:1/a?b@c"),
            ("https://a@b:secret@host", "https://***@host"),
            ("http://host/a@b", "http://host/a@b"),
            ("run@home.json", "run@home.json"),
        ] {
            assert_eq!(shown(source), expected);
        }
        let refused = get("http://me:secret@localhost:1/api/manifest").unwrap_err();
        assert!(refused.contains("can't stand in the URL") && !refused.contains("secret"), "{refused}");
    }
}
