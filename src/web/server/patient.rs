//! A connection whose client must keep reading what it is sent. At the end of the connection, incoming bytes are discarded
//! for a while, because closing a connection while its client sends would lose the last response.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// The maximum number of bytes that are discarded at the end.
const FORGOTTEN: usize = 16 << 20;
/// The maximum time for which bytes are discarded at the end.
const LINGER: Duration = Duration::from_secs(2);

/// A connection that fails when its client does not read.
pub struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// The time at which a waiting write fails.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The state after the last byte was sent.
    linger: Option<Linger>,
}

/// The end of a connection on which nothing more will be sent.
struct Linger {
    deadline: Pin<Box<Sleep>>,
    forgotten: usize,
}

impl Patient {
    /// Makes a connection whose writes fail if they make no progress for `patience`.
    pub fn new(stream: TcpStream, patience: Duration) -> Patient {
        Patient { stream, patience, deadline: None, linger: None }
    }

    fn write<T>(
        &mut self,
        cx: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<Result<T>>,
    ) -> Poll<Result<T>> {
        if let ready @ Poll::Ready(_) = step(Pin::new(&mut self.stream), cx) {
            self.deadline = None;
            return ready;
        }
        let patience = self.patience;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not take its response")))
    }
}

impl AsyncRead for Patient {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        self.write(cx, |stream, cx| stream.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.write(cx, |stream, cx| stream.poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.linger.is_none() {
            ready!(self.write(cx, |stream, cx| stream.poll_shutdown(cx)))?;
        }
        let Patient { stream, linger, .. } = &mut *self;
        let linger = linger.get_or_insert_with(|| Linger { deadline: Box::pin(sleep(LINGER)), forgotten: 0 });
        let mut bytes = [0; 8 << 10];
        while linger.forgotten < FORGOTTEN && linger.deadline.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => linger.forgotten += buf.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
