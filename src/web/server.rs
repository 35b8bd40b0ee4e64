//! Connections: plain hyper, HTTP/1.1. Slow and idle clients are let go, bodies are bounded.

use super::request::{Fields, Request};
use super::response::{self, Response};
use super::{App, route};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use percent_encoding::percent_decode_str;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Most bytes of a body: a scenario in the playground.
const BODY: usize = 1 << 20;
/// For a request's head, and for its body.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// # Errors
    /// The address is in use or not this machine's.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Server> {
        Ok(Server { listener: TcpListener::bind(address).await? })
    }

    /// Where it listens; the port is chosen where 0 was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answer until `end`, then let requests under way finish.
    pub async fn run(self, app: Arc<App>, end: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        tokio::spawn({
            let app = app.clone();
            async move { app.live.watch(&app).await }
        });
        tokio::pin!(end);
        loop {
            let stream = tokio::select! {
                () = &mut end => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    // out of file descriptors: those that are open end some time
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                },
            };
            let _ = stream.set_nodelay(true);
            let app = app.clone();
            let service = service_fn(move |request| {
                let app = app.clone();
                async move { Ok::<_, Infallible>(answer(&app, request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .serve_connection(TokioIo::new(stream), service);
            let connection = graceful.watch(connection);
            tokio::spawn(async move { drop(connection.await) });
        }
        app.live.close();
        let _ = timeout(PATIENCE, graceful.shutdown()).await;
    }
}

async fn answer(app: &Arc<App>, request: hyper::Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let body = match timeout(PATIENCE, Limited::new(body, BODY).collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(e)) if e.is::<LengthLimitError>() => return refuse(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => return refuse(StatusCode::BAD_REQUEST),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT),
    };
    let request = Request {
        path: percent_decode_str(head.uri.path()).decode_utf8_lossy().into_owned(),
        query: Fields::parse(head.uri.query().unwrap_or_default()),
        method: head.method,
        headers: head.headers,
        body,
    };
    let is_head = request.method == Method::HEAD;
    let response = route::respond(app, request).await;
    if is_head { response.map(|_| http_body_util::Empty::new().boxed()) } else { response }
}

fn refuse(status: StatusCode) -> Response {
    response::with(status, "text/plain; charset=utf-8", format!("{status}\n"))
}
