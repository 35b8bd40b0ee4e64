//! A limit on the answers of a server. It is needed because the `clickhouse` crate collects a row, and the text of an
//! error, for as long as more of it comes.

use hyper::Uri;
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

/// A limit on how much a connection receives after something was sent on it, or after a complete row.
#[derive(Clone)]
pub struct Meter {
    max_bytes: u64,
    /// The number of complete rows.
    rows: Arc<AtomicU64>,
}

impl Meter {
    /// Makes a meter for `max_bytes` bytes; a connection reads less than 1 MiB ahead of them.
    pub fn new(max_bytes: u64) -> Meter {
        Meter { max_bytes, rows: Arc::default() }
    }

    /// Records a complete row, so that the next one may be as long again. It requires that only one statement runs at a
    /// time.
    pub fn row(&self) {
        self.rows.fetch_add(1, Ordering::Relaxed);
    }
}

/// The error for an answer that is too long.
#[derive(Debug)]
pub struct Endless {
    max_bytes: u64,
}

impl Endless {
    /// Returns the [`Endless`] error among the causes of an error.
    pub fn behind<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Endless> {
        let mut next = Some(error);
        while let Some(error) = next {
            let io = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            if let Some(endless) = io.and_then(|inner| inner.downcast_ref()) {
                return Some(endless);
            }
            next = error.source();
        }
        None
    }
}

impl Error for Endless {}

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it answers with more than {} MiB in one piece", self.max_bytes >> 20)
    }
}

/// A connector whose connections are metered.
#[derive(Clone)]
pub struct Metered<C> {
    pub connector: C,
    pub meter: Meter,
}

impl<C> Service<Uri> for Metered<C>
where
    C: Service<Uri>,
    C::Response: Read + Write + Unpin + Send + 'static,
    C::Future: Send + 'static,
{
    type Response = TokioIo<Stream<C::Response>>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.connector.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, meter) = (self.connector.call(uri), self.meter.clone());
        Box::pin(async move {
            let stream = TokioIo::new(connecting.await?);
            Ok(TokioIo::new(Stream { stream, meter, rows: 0, read: 0 }))
        })
    }
}

/// A connection that fails when an answer is too long.
pub struct Stream<S> {
    stream: TokioIo<S>,
    meter: Meter,
    /// The meter's number of rows at the last read.
    rows: u64,
    /// The number of bytes since that row was complete.
    read: u64,
}

impl<S: Connection> Connection for Stream<S> {
    fn connected(&self) -> Connected {
        self.stream.inner().connected()
    }
}

impl<S: Read + Unpin> AsyncRead for Stream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let rows = self.meter.rows.load(Ordering::Relaxed);
        if rows != self.rows {
            (self.rows, self.read) = (rows, 0);
        }
        self.read += (buffer.filled().len() - before) as u64;
        if self.read > self.meter.max_bytes {
            return Poll::Ready(Err(io::Error::other(Endless { max_bytes: self.meter.max_bytes })));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Write + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.read = 0;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.read = 0;
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    /// Makes a metered connection of 1,000 bytes, and its other end.
    fn metered() -> (Stream<TokioIo<DuplexStream>>, Meter, DuplexStream) {
        let (near, far) = tokio::io::duplex(1 << 20);
        let meter = Meter::new(1_000);
        let stream = TokioIo::new(TokioIo::new(near));
        (Stream { stream, meter: meter.clone(), rows: 0, read: 0 }, meter, far)
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_an_error_that_is_recognized() {
        let (mut stream, _, mut far) = metered();
        far.write_all(&[1; 1_001]).await.unwrap();
        let mut taken = [0; 1_001];
        stream.read_exact(&mut taken[..1_000]).await.unwrap();
        let error = stream.read_exact(&mut taken[1_000..]).await.unwrap_err();
        assert_eq!(Endless::behind(&error).map(|endless| endless.max_bytes), Some(1_000));
        assert!(Endless::behind(&io::Error::other("reset")).is_none());
    }

    #[tokio::test]
    async fn a_statement_and_a_row_reset_the_meter() {
        let (mut stream, meter, mut far) = metered();
        far.write_all(&[1; 5_000]).await.unwrap();
        let mut taken = [0; 900];
        for round in 0..5 {
            stream.read_exact(&mut taken).await.unwrap();
            if round % 2 == 0 {
                stream.write_all(b"SELECT").await.unwrap();
            } else {
                meter.row();
            }
        }
    }
}
