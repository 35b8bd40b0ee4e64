//! Connections: plain hyper, HTTP/1.1. Slow and idle clients are let go, what they send is bounded.

mod patient;
mod seats;

use super::request::{Fields, Request};
use super::response::{self, Response};
use super::{App, route};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use patient::Patient;
use percent_encoding::percent_decode_str;
use seats::{Seat, Seats, Sending};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// Most bytes of a request's head, and of its body: a scenario in the playground.
const HEAD: usize = 64 << 10;
const BODY: usize = 1 << 20;
/// Of a body that is too large, so many bytes are read and forgotten: a client that still sends does not hear its answer.
const FORGOTTEN: usize = 16 << 20;
/// For a request's head, for its body, for each part of a response, and for the next request on a connection.
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
        let seats = Seats::default();
        let watch = tokio::spawn({
            let app = app.clone();
            async move { app.live.watch(&app).await }
        });
        let mut end = pin!(end);
        loop {
            let next = async {
                let seat = seats.take().await;
                (self.listener.accept().await, seat)
            };
            tokio::select! {
                () = &mut end => break,
                (accepted, seat) = next => match accepted {
                    Ok((stream, _)) => drop(tokio::spawn(serve(app.clone(), stream, seat))),
                    // out of file descriptors: those that are open end some time
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
            }
        }
        drop(self.listener);
        app.live.close();
        seats.close(PATIENCE).await;
        let _ = watch.await;
    }
}

async fn serve(app: Arc<App>, stream: TcpStream, seat: Arc<Seat>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (app, busy) = (app.clone(), seat.busy());
        async move { Ok::<_, Infallible>(answer(&app, request).await.map(|body| Sending { body, _busy: busy })) }
    });
    let stream = TokioIo::new(Patient::new(stream, PATIENCE));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(HEAD)
            .serve_connection(stream, service)
    );
    tokio::select! {
        // what goes wrong with a connection is its client's to know
        _ = connection.as_mut() => return,
        () = seat.asked() => {}
    }
    if !seat.is_idle() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn answer(app: &Arc<App>, request: hyper::Request<Incoming>) -> Response {
    let (head, body) = request.into_parts();
    let gzip = response::takes_gzip(&head.headers);
    let response = match timeout(PATIENCE, read(body)).await {
        Ok(Ok(body)) => {
            let request = Request {
                path: percent_decode_str(head.uri.path()).decode_utf8_lossy().into_owned(),
                target: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_string(),
                query: Fields::parse(head.uri.query().unwrap_or_default()),
                method: head.method,
                headers: head.headers,
                body,
            };
            route::respond(app, request).await
        }
        Ok(Err(status)) => refuse(app, head.uri.path(), status),
        Err(_) => refuse(app, head.uri.path(), StatusCode::REQUEST_TIMEOUT),
    };
    if gzip { response::compressed(response).await } else { response }
}

async fn read(mut body: Incoming) -> Result<Bytes, StatusCode> {
    let (mut kept, mut total) = (vec![], 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        total += data.len();
        if total > FORGOTTEN {
            break;
        }
        if total > BODY {
            kept = vec![];
        } else {
            kept.extend_from_slice(&data);
        }
    }
    if total > BODY { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(kept.into()) }
}

/// Before the request could be read.
fn refuse(app: &App, path: &str, status: StatusCode) -> Response {
    let why = match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!("A body may have {} bytes.", crate::text::grouped(BODY as u64)),
        StatusCode::REQUEST_TIMEOUT => format!("The body was not sent within {} s.", PATIENCE.as_secs()),
        _ => "The body can't be read.".into(),
    };
    let mut response = route::refuse(app, path, status, &why);
    // what is left of the body is not read
    response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    response
}
