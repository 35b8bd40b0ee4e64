//! A client of either OTLP protocol.

use super::{
    grpc, http,
    outcome::Outcome,
    target::{Protocol, Target, TargetError},
};
use bytes::Bytes;
use std::time::Duration;

pub(super) enum Client {
    Grpc(grpc::Client),
    Http(http::Client),
}

impl Client {
    /// Makes a client for up to `in_flight` requests at the same time.
    ///
    /// # Errors
    /// A certificate can't be used.
    pub fn new(target: &Target, in_flight: usize) -> Result<Client, TargetError> {
        Ok(match target.protocol {
            Protocol::Grpc => Client::Grpc(grpc::Client::new(target)?),
            Protocol::HttpProtobuf | Protocol::HttpJson => Client::Http(http::Client::new(target, in_flight)?),
        })
    }

    /// Returns the bytes to send for a request body. They are made once, and sent as often as needed.
    pub fn prepare(&self, body: &Bytes) -> Bytes {
        match self {
            Client::Grpc(client) => client.prepare(body),
            Client::Http(client) => client.prepare(body),
        }
    }

    /// Sends a request, and returns within `limit` what became of it.
    pub async fn export(&self, prepared: Bytes, limit: Duration) -> Outcome {
        match self {
            Client::Grpc(client) => client.export(prepared, limit).await,
            Client::Http(client) => client.export(prepared, limit).await,
        }
    }
}
