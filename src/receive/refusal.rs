//! Refusals of requests, in the terms of gRPC and of HTTP.

use hyper::StatusCode;
use std::time::Duration;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The reason why a request is refused, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub status: StatusCode,
    pub message: String,
    /// The time after which the request should be sent again.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    fn new(code: Code, status: StatusCode, message: impl Into<String>) -> Refusal {
        Refusal { code, status, message: message.into(), retry_after: None }
    }

    pub fn damaged(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::InvalidArgument, StatusCode::BAD_REQUEST, message)
    }

    /// Refuses a request of more than `max_bytes` bytes.
    pub fn too_large(max_bytes: usize) -> Refusal {
        let message = format!("a request may have at most {max_bytes} bytes");
        Refusal::new(Code::ResourceExhausted, StatusCode::PAYLOAD_TOO_LARGE, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::Unimplemented, StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    }

    /// Refuses a request to a path at which nothing is accepted.
    pub fn no_such_path(message: impl Into<String>) -> Refusal {
        Refusal::new(Code::Unimplemented, StatusCode::NOT_FOUND, message)
    }

    pub fn method() -> Refusal {
        let message = "traces must be sent with POST";
        Refusal::new(Code::Unimplemented, StatusCode::METHOD_NOT_ALLOWED, message)
    }

    pub fn too_slow(patience: Duration) -> Refusal {
        let message = format!("the request was not sent within {} s", patience.as_secs());
        Refusal::new(Code::DeadlineExceeded, StatusCode::REQUEST_TIMEOUT, message)
    }

    /// Refuses a request that should be sent again.
    pub fn unavailable(message: impl Into<String>, retry_after: Option<Duration>) -> Refusal {
        let refusal = Refusal::new(Code::Unavailable, StatusCode::SERVICE_UNAVAILABLE, message);
        Refusal { retry_after, ..refusal }
    }

    /// Returns the refusal as a gRPC status.
    pub fn grpc(&self) -> Status {
        match self.retry_after {
            None => Status::new(self.code, &self.message),
            wait => Status::with_error_details(self.code, &self.message, ErrorDetails::with_retry_info(wait)),
        }
    }
}
