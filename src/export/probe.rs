//! A probe that sends a receiver a request without spans, to find out whether traces would be accepted.

use super::outcome::{Cause, Failure, Outcome};
use super::target::{Protocol, Target, TargetError};
use super::{grpc, http};
use bytes::Bytes;
use jiff::Timestamp;
use std::time::Duration;

/// The result of a probe.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub answer: Answer,
    /// The time of the answer by the receiver's clock, in whole seconds; only over HTTP.
    pub date: Option<Timestamp>,
}

/// The answer to a probe.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Traces would be accepted; there may be a message all the same.
    Taken { message: String },
    /// The receiver demands other credentials.
    Forbidden { cause: String },
    /// The receiver answers and refuses, for good or (`passing`) for now.
    Refused { cause: String, passing: bool },
    /// No TLS connection could be made.
    Untrusted { cause: String },
    /// There was no connection, or (`connected`) one that broke or stayed silent.
    Silent { cause: String, connected: bool },
}

/// Sends `target` a request without spans, and waits up to `patience` for the answer.
///
/// # Errors
/// A certificate file can't be used.
///
/// # Panics
/// It is called outside of a Tokio runtime.
pub async fn probe(target: &Target, patience: Duration) -> Result<Probe, TargetError> {
    let (outcome, date) = match target.protocol {
        Protocol::Grpc => {
            let client = grpc::Client::new(target)?;
            (client.export(client.prepare(&Bytes::new()), patience).await, None)
        }
        protocol => {
            let client = http::Client::new(target, 1)?;
            let empty = if protocol == Protocol::HttpJson { "{}" } else { "" };
            client.export_dated(client.prepare(&Bytes::from_static(empty.as_bytes())), patience).await
        }
    };
    Ok(Probe { answer: outcome.into(), date })
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Answer {
        match outcome {
            Outcome::Accepted { message, .. } => Answer::Taken { message },
            Outcome::Rejected(cause) if is_forbidden(&cause) => Answer::Forbidden { cause: cause.to_string() },
            Outcome::Rejected(cause) => Answer::Refused { cause: cause.to_string(), passing: false },
            Outcome::Failed(Failure { cause, answered: true, .. }) => {
                Answer::Refused { cause: cause.to_string(), passing: true }
            }
            Outcome::Failed(failure) if failure.cause.name == Cause::TLS => {
                Answer::Untrusted { cause: failure.cause.message }
            }
            Outcome::Failed(failure) => Answer::Silent { connected: failure.unknown, cause: failure.cause.to_string() },
        }
    }
}

fn is_forbidden(cause: &Cause) -> bool {
    matches!(cause.name.as_str(), "UNAUTHENTICATED" | "PERMISSION_DENIED")
        || cause.name.starts_with("HTTP 401")
        || cause.name.starts_with("HTTP 403")
}
