//! What a receiver says to a request without a span: whether traces would arrive.

use super::outcome::{Cause, Failure, Outcome};
use super::target::{Protocol, Target, TargetError};
use super::{grpc, http};
use bytes::Bytes;
use jiff::Timestamp;
use std::time::Duration;

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub answer: Answer,
    /// When it answered, by its own clock; to the second, and only over HTTP.
    pub date: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Traces would be taken; it may say something all the same.
    Taken { message: String },
    /// It wants other credentials.
    Forbidden { cause: String },
    /// It answers, and refuses: for good, or for the time being.
    Refused { cause: String, passing: bool },
    /// TLS did not come about.
    Untrusted { cause: String },
    /// No connection, or one that broke or stayed silent. `connected`: there was one.
    Silent { cause: String, connected: bool },
}

/// Send `target` a request without a span, and wait so long for the answer. From a tokio runtime.
///
/// # Errors
/// A certificate file that can't be used.
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
