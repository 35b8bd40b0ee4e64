//! TCP to this machine, with less in the system. A collector on the same machine is what a load test often sends to, and there
//! the sender is also charged with the work of the network:
//!
//! - Congestion control is Reno's. There is nothing to control, but BBR, the default of some systems, paces all the same:
//!   a timer for each piece, which costs more than to send it. It has to be chosen before connecting.
//! - The frames of an HTTP/2 body, 16 KiB each, fill packets of 64 KiB, in place of one each (`MSG_MORE`, send(2)).

use super::tls::Version;
use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector},
    rt::TokioIo,
};
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg, sockopt};
use std::{
    error::Error,
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};
use tower_service::Service;

/// What is at least as long is a frame that another may follow: HTTP/2's smallest limit of a frame's payload (RFC 9113, 4.2).
const FRAME_BYTES: usize = 16_384;

/// Connects as `elsewhere` does to any other machine.
#[derive(Clone)]
pub(super) struct Connector {
    elsewhere: HttpConnector,
    /// For one address.
    timeout: Duration,
    gathers: bool,
}

impl Connector {
    pub fn new(elsewhere: HttpConnector, timeout: Duration, version: Version) -> Connector {
        Connector { elsewhere, timeout, gathers: version == Version::Http2 }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.elsewhere.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let Connector { timeout, gathers, .. } = *self;
        match url.port_u16().filter(|_| is_loopback(host)) {
            Some(port) => {
                let host = host.to_string();
                Box::pin(async move { Ok(TokioIo::new(Stream::new(connect(&host, port, timeout).await?, gathers))) })
            }
            None => {
                let connecting = self.elsewhere.call(url);
                Box::pin(async { Ok(TokioIo::new(Stream::new(connecting.await?.into_inner(), false))) })
            }
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// To the first of the host's addresses that takes it.
async fn connect(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let mut error = io::ErrorKind::AddrNotAvailable.into();
    for address in lookup_host((host, port)).await? {
        match timeout(limit, connect_to(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(e)) => error = e,
            Err(e) => error = e.into(),
        }
    }
    Err(error)
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Where a system does not let us, what it has works too.
    let _ = sockopt::set_tcp_congestion(&socket, "reno");
    socket.set_nodelay(true)?;
    socket.connect(address).await
}

pub(super) struct Stream {
    tcp: TcpStream,
    /// Whether a frame is held back until its packet is full.
    gathers: bool,
    held: Held,
}

/// What the system holds back.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    Nothing,
    /// A frame that was just written: h2 flushes after each.
    Written,
    /// The same, flushed once. If nothing follows until the next flush, it was the last.
    Flushed,
}

impl Stream {
    fn new(tcp: TcpStream, gathers: bool) -> Stream {
        Stream { tcp, gathers, held: Held::Nothing }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.tcp.connected()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(context, to)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let holds = self.gathers && bytes.iter().map(|part| part.len()).sum::<usize>() >= FRAME_BYTES;
        if !holds {
            // It pushes what was held back.
            self.held = Held::Nothing;
            return Pin::new(&mut self.tcp).poll_write_vectored(context, bytes);
        }
        loop {
            ready!(self.tcp.poll_write_ready(context))?;
            let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
            let send = || Ok(sendmsg(&self.tcp, bytes, &mut SendAncillaryBuffer::default(), flags)?);
            match self.tcp.try_io(Interest::WRITABLE, send) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.held = Held::Written;
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.held = match self.held {
            Held::Nothing => Held::Nothing,
            Held::Written => Held::Flushed,
            Held::Flushed => {
                // Said again, it pushes what is held back (tcp(7)).
                self.tcp.set_nodelay(true)?;
                Held::Nothing
            }
        };
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        runtime::{Builder, Runtime},
    };

    const MS: Duration = Duration::from_millis(1);

    fn runtime() -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    /// A stream to this machine, and its other end.
    async fn pair(version: Version) -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port()).parse().unwrap();
        let stream = Connector::new(HttpConnector::new(), 1000 * MS, version).call(url).await.unwrap().into_inner();
        (stream, listener.accept().await.unwrap().0)
    }

    /// What comes within this time, in bytes.
    async fn came(peer: &mut TcpStream, within: Duration) -> usize {
        let (mut bytes, mut buffer) = (0, vec![0; 1 << 16]);
        let all = async {
            while let Ok(n @ 1..) = peer.read(&mut buffer).await {
                bytes += n;
            }
        };
        let _ = timeout(within, all).await;
        bytes
    }

    #[test]
    fn to_this_machine_there_is_no_pacing() {
        runtime().block_on(async {
            let (stream, _peer) = pair(Version::Http1).await;
            assert_eq!(sockopt::tcp_congestion(&stream.tcp).unwrap(), "reno");
        });
        for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["collector", "10.0.0.1", "localhost.example.org", "::", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_frame_waits_for_the_next_until_nothing_follows() {
        runtime().block_on(async {
            let (mut stream, mut peer) = pair(Version::Http2).await;
            // The system holds it for 200 ms; where the test was held up for that long, it is tried again.
            for _ in 0..20 {
                let began = Instant::now();
                stream.write_all(&[1; FRAME_BYTES]).await.unwrap();
                stream.flush().await.unwrap();
                let early = came(&mut peer, 20 * MS).await;
                stream.flush().await.unwrap();
                let flushed = came(&mut peer, 20 * MS).await;
                if began.elapsed() < 150 * MS {
                    assert_eq!((early, flushed), (0, FRAME_BYTES));
                    return;
                }
                came(&mut peer, 300 * MS).await;
            }
            panic!("the machine is too busy to tell");
        });
    }

    #[test]
    fn what_is_shorter_than_a_frame_takes_along_what_was_held_back() {
        runtime().block_on(async {
            let (mut stream, mut peer) = pair(Version::Http2).await;
            stream.write_all(&[1; FRAME_BYTES]).await.unwrap();
            stream.write_all(&[1; 100]).await.unwrap();
            assert_eq!(came(&mut peer, 100 * MS).await, FRAME_BYTES + 100);
        });
    }

    #[test]
    fn nothing_is_held_back_over_http_1() {
        runtime().block_on(async {
            let (mut stream, mut peer) = pair(Version::Http1).await;
            stream.write_all(&[1; FRAME_BYTES]).await.unwrap();
            assert_eq!(came(&mut peer, 100 * MS).await, FRAME_BYTES);
        });
    }

    #[test]
    fn where_nothing_listens_the_systems_error_is_kept() {
        runtime().block_on(async {
            let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
            let error = connect("localhost", port, 1000 * MS).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        });
    }
}
