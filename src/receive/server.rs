//! The connections of the receiver, over plain hyper: HTTP/1.1 and HTTP/2 without TLS.

use super::exchange::{Books, Exchange};
use super::{Arrival, Options, SLOTS, WELCOME};
use crate::seats::{Patience, Seat, Seats};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The maximum number of connections. When it is reached, the connection that has been idle longest makes room for a new
/// one.
const CONNECTIONS: u32 = 256;
/// The time allowed for the first request on a connection, and for each further one. It is longer than OTLP clients keep
/// idle connections. Data that is not a whole request after that time ends the connection.
const PATIENCE: Patience = Patience { first: Duration::from_secs(30), later: Duration::from_secs(120) };
/// The time that requests under way may take at the end.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// The number of bytes that an HTTP/2 request may send before it is read. The window of a connection has room for all of
/// its requests, so a request that waits for its turn does not block one that is read.
const WINDOW: u32 = 512 << 10;

/// An OTLP receiver with its addresses.
pub struct Receiver {
    listeners: Vec<TcpListener>,
    exchange: Arc<Exchange>,
}

impl Receiver {
    /// Makes a receiver. Its arrivals come out of the returned channel, and must each be answered.
    pub fn new(listeners: Vec<TcpListener>, options: Options) -> (Receiver, mpsc::Receiver<Arrival>) {
        let (send, arrivals) = mpsc::channel(SLOTS);
        (Receiver { listeners, exchange: Arc::new(Exchange::new(options, send)) }, arrivals)
    }

    pub fn books(&self) -> Books {
        self.exchange.books()
    }

    /// Serves requests until `end` completes, then lets requests under way finish. Every arrival must be answered
    /// meanwhile.
    pub async fn run(self, end: impl Future<Output = ()>) {
        let seats = Arc::new(Seats::new(CONNECTIONS, WELCOME));
        let (connected, mut connections) = mpsc::channel(1);
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(accept(listener, seats.clone(), connected.clone()));
        }
        let graceful = GracefulShutdown::new();
        let mut end = pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                Some((stream, seat)) = connections.recv() => {
                    tokio::spawn(serve(stream, seat, self.exchange.clone(), graceful.watcher()));
                }
            }
        }
        accepting.shutdown().await;
        let _ = timeout(END_PATIENCE, graceful.shutdown()).await;
    }
}

async fn accept(listener: TcpListener, seats: Arc<Seats>, connected: mpsc::Sender<(TcpStream, Arc<Seat>)>) {
    loop {
        let seat = seats.take().await;
        match listener.accept().await {
            Ok((stream, _)) => drop(connected.send((stream, seat)).await),
            // There are no file descriptors left; open connections will end and free some.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(stream: TcpStream, seat: Arc<Seat>, exchange: Arc<Exchange>, watcher: Watcher) {
    let _ = stream.set_nodelay(true);
    let Ok((stream, twin)) = twins(stream) else { return };
    seat.moved();
    let cut = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (exchange, cut, seat) = (exchange.clone(), cut.clone(), seat.clone());
        async move { Ok::<_, Infallible>(exchange.answer(request, &seat, &cut).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE.later);
    builder
        .http2()
        .max_concurrent_streams(SLOTS as u32)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * SLOTS as u32);
    tokio::select! {
        // Errors of a connection concern its client only.
        _ = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)) => {}
        // A connection that is closed without lingering is reset.
        () = cut.notified() => drop(twin.set_zero_linger()),
        // The connection has been idle for too long, or its seat is needed.
        () = seat.given_up(PATIENCE) => {}
    }
}

/// Returns two handles on one connection.
fn twins(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let twin = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(twin)?))
}
