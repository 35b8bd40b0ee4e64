//! OTLP into the process: gRPC and HTTP on any port, protobuf and JSON, plain and gzip; and what a bad receiver does.
//!
//! A request goes `server` -> `exchange`, which reads it (`grpc` and `http` know how each is spoken), lets the `fault` that is
//! drawn for it happen, and hands the others on as an [`Arrival`]. It is answered when whoever takes arrivals has said what it
//! thinks of it: who is too fast waits. Memory is bounded: [`SLOTS`] requests at a time are read and taken, each of at most
//! [`Options::most_bytes`], twice while it is unpacked; of the others, no more than the windows of HTTP/2 let through. Who sends
//! nothing, or stalls, holds neither a connection nor a slot that another could have.

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

/// Requests that are read or taken at a time, in all connections together.
pub const SLOTS: usize = 16;

/// Where something has come, more is on its way for so long: until then a connection or a slot is not given to another.
const WELCOME: Patience = Patience { first: Duration::from_secs(1), later: Duration::from_secs(1) };

/// How requests are received.
#[derive(Clone, Debug)]
pub struct Options {
    /// Largest request, bytes, before and after it is unpacked.
    pub most_bytes: usize,
    pub faults: Faults,
}

/// An `ExportTraceServiceRequest` in protobuf, not looked into.
#[derive(Debug)]
pub struct Arrival {
    pub body: Bytes,
    /// When it was read whole, ns since 1970.
    pub at: u64,
    reply: oneshot::Sender<Result<(), Complaint>>,
}

/// Why an arrival is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// It is damaged: it is not to be sent again.
    Damaged(String),
    /// Nothing is wrong with it: it is to be sent again.
    NotNow(String),
}

impl Arrival {
    /// Answer the request. One that is dropped without is told to come again.
    pub fn answer(self, with: Result<(), Complaint>) {
        // The sender may have hung up.
        let _ = self.reply.send(with);
    }
}
