//! Connections: plain hyper, HTTP/1.1. Slow and idle clients are let go, what they send and are sent is bounded.

mod patient;
mod room;
mod sending;

use super::request::Request;
use super::response::{self, Response};
use super::{App, route};
use crate::seats::{Patience, Seat, Seats};
use crate::text::grouped;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use patient::Patient;
use room::{BODY, Room};
use sending::Sending;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

/// Connections at a time; with the files and connections of stores and exporters, below the 1,024 files that a process
/// usually may open.
const CONNECTIONS: u32 = 512;
/// The first request of a connection that was just accepted is on its way for so long; one that was answered may be asked to
/// leave at once.
const WELCOME: Patience = Patience { first: Duration::from_secs(3), later: Duration::ZERO };
/// Most bytes of a request's head.
const HEAD: usize = 64 << 10;
/// For a request's head, for its body, for each part of a response, and for the next request on a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// For requests under way, when the server ends.
const FAREWELL: Duration = Duration::from_secs(2);

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

    /// Answers until `end`, then lets requests under way finish, within two seconds.
    pub async fn run(self, app: Arc<App>, end: impl Future<Output = ()>) {
        let (seats, room) = (Seats::new(CONNECTIONS, WELCOME), Arc::new(Room::default()));
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
                    Ok((stream, _)) => drop(tokio::spawn(serve(app.clone(), room.clone(), stream, seat))),
                    // out of file descriptors: those that are open end some time
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
            }
        }
        drop(self.listener);
        app.live.close();
        seats.close(FAREWELL).await;
        watch.abort();
    }
}

async fn serve(app: Arc<App>, room: Arc<Room>, stream: TcpStream, seat: Arc<Seat>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (app, room, busy) = (app.clone(), room.clone(), seat.busy());
        async move {
            let (response, held) = answer(&app, &room, request).await;
            Ok::<_, Infallible>(response.map(|body| Sending { body, _busy: busy, _held: held }))
        }
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
        // a request that has come is answered, also where the seat is asked for in the same moment
        biased;
        // what goes wrong with a connection is its client's to know
        _ = connection.as_mut() => return,
        () = seat.asked() => {}
    }
    if !seat.is_idle() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

async fn answer(
    app: &Arc<App>,
    room: &Room,
    request: hyper::Request<Incoming>,
) -> (Response, Option<OwnedSemaphorePermit>) {
    let (head, body) = request.into_parts();
    let mut request = Request::new(head);
    let gzip = response::takes_gzip(&request.headers);
    let mut unread = !body.is_end_stream();
    let mut response = match route::check(app, &request).await {
        Err(response) => response,
        Ok(()) if !request.takes_body() => route::respond(app, request).await,
        Ok(()) => match timeout(PATIENCE, room.read(body)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT)) {
            Err(status) => refuse(app, &request, status),
            Ok(read) => {
                unread = false;
                request.body = read.bytes;
                let response = route::respond(app, request).await;
                drop(read.held);
                response
            }
        },
    };
    if gzip {
        response = response::compressed(response).await;
    }
    if unread {
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    }
    room.hold(response)
}

/// Of a request whose body is not read to its end.
fn refuse(app: &App, request: &Request, status: StatusCode) -> Response {
    let why = match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!("A body may have {} bytes.", grouped(BODY as u64)),
        StatusCode::REQUEST_TIMEOUT => format!("The body was not sent within {} s.", PATIENCE.as_secs()),
        StatusCode::SERVICE_UNAVAILABLE => "Others send too much at the moment: try again in a few seconds.".into(),
        _ => "The body can't be read.".into(),
    };
    route::refuse(app, request, status, &why)
}
