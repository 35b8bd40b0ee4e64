//! A receiver of OTLP over gRPC and HTTP on any port, in protobuf or JSON, plain or gzip, which can also play a faulty
//! receiver.
//!
//! A request goes from `server` to `exchange`, which reads it (`grpc` and `http` know the two protocols), applies the
//! `fault` that is drawn for it, and otherwise hands it on as an [`Arrival`]. It is answered when the consumer of arrivals
//! has judged it, so senders that are too fast have to wait. Memory is bounded: at most [`SLOTS`] requests are read and
//! processed at a time, each of at most [`Options::max_bytes`], twice that while it is decompressed; other requests can
//! send no more than the HTTP/2 windows allow. A client that sends nothing, or stalls, keeps neither a connection nor a
//! slot that another client needs.

mod exchange;
mod fault;
mod grpc;
mod http;
mod refusal;
mod server;

pub use exchange::{Account, Books};
pub use fault::{Amount, Faults, Injected};
pub use server::Receiver;

use crate::seats::Patience;
use bytes::Bytes;
use std::time::Duration;
use tokio::sync::oneshot;

/// The number of requests that are read or processed at a time, in all connections together.
pub const SLOTS: usize = 16;

/// The time for which more data is expected after some has come. Until it is over, a connection or a slot is not given to
/// another client.
const WELCOME: Patience = Patience { first: Duration::from_secs(1), later: Duration::from_secs(1) };

/// Options for receiving requests.
#[derive(Clone, Debug)]
pub struct Options {
    /// The maximum size of a request in bytes, before and after decompression.
    pub max_bytes: usize,
    pub faults: Faults,
}

/// An `ExportTraceServiceRequest` in protobuf, not decoded.
#[derive(Debug)]
pub struct Arrival {
    pub body: Bytes,
    /// The time when the request was completely read, in ns since 1970.
    pub time: u64,
    reply: oneshot::Sender<Result<(), Complaint>>,
}

/// The reason why a consumer does not accept an arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// The request is damaged, and must not be sent again.
    Damaged(String),
    /// Nothing is wrong with the request, and it should be sent again.
    NotNow(String),
}

impl Arrival {
    /// Answers the request. The sender of a request that is dropped without an answer is told to send it again.
    pub fn answer(self, result: Result<(), Complaint>) {
        // The sender may have hung up.
        let _ = self.reply.send(result);
    }
}
