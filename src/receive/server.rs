//! Connections: plain hyper, HTTP/1.1 and HTTP/2 without TLS.

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

/// Connections at a time; the one that has been idle longest makes room for another.
const CONNECTIONS: u32 = 256;
/// For the first request on a connection, and for the next one: longer than the clients of OTLP keep idle connections. What a
/// connection sends that is no whole request is not waited for longer than that, whatever it speaks.
const PATIENCE: Patience = Patience { first: Duration::from_secs(30), later: Duration::from_secs(120) };
/// How long requests under way may take at the end.
const END_PATIENCE: Duration = Duration::from_secs(10);
/// What an HTTP/2 request may send before it is read, bytes. The window of a connection has room for all its requests: none
/// that waits for its turn holds up one that is read.
const WINDOW: u32 = 512 << 10;

/// Takes requests at its addresses.
pub struct Receiver {
    listeners: Vec<TcpListener>,
    exchange: Arc<Exchange>,
}

impl Receiver {
    /// What it takes is to be fetched from the other end, and answered.
    pub fn new(listeners: Vec<TcpListener>, options: Options) -> (Receiver, mpsc::Receiver<Arrival>) {
        let (send, arrivals) = mpsc::channel(SLOTS);
        (Receiver { listeners, exchange: Arc::new(Exchange::new(options, send)) }, arrivals)
    }

    pub fn books(&self) -> Books {
        self.exchange.books()
    }

    /// Answer until `end`, then let requests under way finish. Every arrival has to be answered meanwhile.
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
            // Out of file descriptors: those that are open end some time.
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
        // What goes wrong with a connection is its client's to know.
        _ = watcher.watch(builder.serve_connection(TokioIo::new(stream), service)) => {}
        // Closed with nothing lingering, a connection is reset.
        () = cut.notified() => drop(twin.set_zero_linger()),
        // It has been idle for long, or its seat is wanted.
        () = seat.given_up(PATIENCE) => {}
    }
}

/// A connection, and a second handle on it.
fn twins(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let twin = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(twin)?))
}
