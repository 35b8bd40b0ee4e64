//! Connections over plain hyper, HTTP/1.1. Slow and idle clients are dropped, and what they send and receive is bounded.

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

/// The maximum number of connections. Together with the files and connections of stores and exporters it is below the 1,024
/// files that a process usually may open.
const CONNECTIONS: u32 = 512;
/// The time for which the first request of a new connection is waited for. A connection whose request was answered may be
/// asked to leave at once.
const WELCOME: Patience = Patience { first: Duration::from_secs(3), later: Duration::ZERO };
/// The maximum length of a request's head in bytes.
const HEAD: usize = 64 << 10;
/// The time allowed for a request's head, for its body, for each part of a response, and for the next request on a
/// connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// The time allowed for requests under way when the server ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server that is bound to an address.
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// Binds to an address.
    ///
    /// # Errors
    /// The address is in use, or not one of this machine.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Server> {
        Ok(Server { listener: TcpListener::bind(address).await? })
    }

    /// Returns the address at which the server listens; port 0 was replaced by a free one.
    ///
    /// # Errors
    /// The system reports an error.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests until `end` completes, then lets requests under way finish, within two seconds.
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
                    // There are no file descriptors left; open connections will end and free some.
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
        // A request that has come is answered, even if the seat is asked for at the same moment.
        biased;
        // Errors of a connection concern its client only.
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

/// Makes the response to a request whose body is not read to its end.
fn refuse(app: &App, request: &Request, status: StatusCode) -> Response {
    let why = match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!("A body may have at most {} bytes.", grouped(BODY as u64)),
        StatusCode::REQUEST_TIMEOUT => format!("The body was not sent within {} s.", PATIENCE.as_secs()),
        StatusCode::SERVICE_UNAVAILABLE => "Others send too much at the moment: try again in a few seconds.".into(),
        _ => "The body can't be read.".into(),
    };
    route::refuse(app, request, status, &why)
}
