//! A connection whose other side has to take what it is sent: some of it, every so often. At its end, what still comes is
//! forgotten for a while: a connection that is closed while its client sends takes the last response with it.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// Most bytes that are forgotten at the end, and for how long.
const FORGOTTEN: usize = 16 << 20;
const LINGER: Duration = Duration::from_secs(2);

pub struct Patient {
    stream: TcpStream,
    patience: Duration,
    /// When a write that waits has waited too long.
    deadline: Option<Pin<Box<Sleep>>>,
    /// At the end.
    linger: Option<Linger>,
}

/// A connection on which nothing more will be sent.
struct Linger {
    until: Pin<Box<Sleep>>,
    forgotten: usize,
}

impl Patient {
    /// A write fails that makes no progress for `patience`.
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
        let linger = linger.get_or_insert_with(|| Linger { until: Box::pin(sleep(LINGER)), forgotten: 0 });
        let mut bytes = [0; 8 << 10];
        while linger.forgotten < FORGOTTEN && linger.until.as_mut().poll(cx).is_pending() {
            let mut buf = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => linger.forgotten += buf.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
