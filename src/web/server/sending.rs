//! A response that is being sent.

use crate::seats::Busy;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// A response's body; its connection is busy until it is sent.
pub struct Sending<B> {
    pub body: B,
    pub _busy: Busy,
    /// The permit for the memory that the body takes.
    pub _held: Option<OwnedSemaphorePermit>,
}

impl<B: Body<Data = Bytes, Error = Infallible> + Unpin> Body for Sending<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
