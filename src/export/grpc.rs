//! OTLP/gRPC: tonic over a shared HTTP/2 connection, with a codec that sends bodies as they are.

use super::{
    outcome::{Cause, Failure, Outcome, shorten},
    target::{Compression, Target, TargetError},
    tls::{self, Version},
};
use bytes::{Buf, BufMut, Bytes};
use hyper::{HeaderMap, Uri, header, header::HeaderValue, http::uri::PathAndQuery};
use hyper_util::{
    client::legacy::{self, Client as Pool},
    rt::TokioExecutor,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use std::{error::Error, sync::Mutex, time::Duration};
use tonic::{
    Code, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataMap,
};
use tonic_types::StatusExt;

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Longest answer that is read, bytes.
const ANSWER_BYTES: usize = 256 * 1024;

type Channel = Grpc<Pool<tls::Connector, tonic::body::Body>>;

pub(super) struct Client {
    connector: tls::Connector,
    origin: Uri,
    metadata: HeaderMap,
    timeout: Option<Duration>,
    gzip: bool,
    channel: Mutex<Channel>,
}

impl Client {
    pub fn new(target: &Target) -> Result<Self, TargetError> {
        let mut metadata = target.headers.clone();
        metadata.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(super::USER_AGENT));
        let connector = tls::connector(target, Version::Http2)?;
        let gzip = target.compression == Compression::Gzip;
        let channel = Mutex::new(channel(connector.clone(), target.url.clone(), gzip));
        Ok(Client { connector, origin: target.url.clone(), metadata, timeout: target.timeout, gzip, channel })
    }

    /// Leave the connection: requests from now on open a new one. For when nothing comes back on it any more.
    pub fn reconnect(&self) {
        let fresh = channel(self.connector.clone(), self.origin.clone(), self.gzip);
        *self.channel.lock().unwrap_or_else(|e| e.into_inner()) = fresh;
    }

    pub async fn export(&self, body: Bytes) -> Outcome {
        let mut answer = self.call(body.clone()).await;
        // Without another's connection, it takes one of its own to learn why.
        if answer.as_ref().is_err_and(waited_in_vain) {
            answer = self.call(body).await;
        }
        match answer {
            Ok(answer) => {
                let partial = answer.partial_success.unwrap_or_default();
                let rejected_spans = u64::try_from(partial.rejected_spans).unwrap_or(0);
                Outcome::Accepted { rejected_spans, message: shorten(&partial.error_message) }
            }
            Err(status) => refused(&status),
        }
    }

    async fn call(&self, body: Bytes) -> Result<ExportTraceServiceResponse, Status> {
        let mut channel = self.channel.lock().unwrap_or_else(|e| e.into_inner()).clone();
        let mut request = tonic::Request::new(body);
        *request.metadata_mut() = MetadataMap::from_headers(self.metadata.clone());
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        Ok(channel.unary(request, PathAndQuery::from_static(EXPORT), RawCodec).await?.into_inner())
    }
}

fn channel(connector: tls::Connector, origin: Uri, gzip: bool) -> Channel {
    let pool = Pool::builder(TokioExecutor::new()).http2_only(true).build(connector);
    // Answers may be compressed, too, once the request is: without accepting that, tonic fails requests that went through.
    let channel = Grpc::with_origin(pool, origin)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(ANSWER_BYTES);
    if gzip { channel.send_compressed(CompressionEncoding::Gzip) } else { channel }
}

/// It waited for the connection that another request was making, and that came to nothing: a failure to connect that no
/// failure of the system stands behind.
fn waited_in_vain(status: &Status) -> bool {
    let sources = || std::iter::successors(status.source(), |&e| e.source());
    sources().any(|e| e.downcast_ref().is_some_and(legacy::Error::is_connect))
        && !sources().any(|e| e.is::<std::io::Error>())
}

/// What is retried is the OTLP specification's ("OTLP/gRPC Response", table of retryable codes).
fn refused(status: &Status) -> Outcome {
    // A status with a source was made on this side, of a connection that failed.
    if let Some(source) = status.source() {
        return Outcome::Failed(Failure::transport(source));
    }
    let cause = Cause::new(name(status.code()), status.message());
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Cancelled | Code::DeadlineExceeded => {
            Outcome::Failed(Failure { cause, unknown: true, answered: true, wait })
        }
        Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => {
            Outcome::Failed(Failure { cause, unknown: false, answered: true, wait })
        }
        Code::ResourceExhausted if wait.is_some() => {
            Outcome::Failed(Failure { cause, unknown: false, answered: true, wait })
        }
        _ => Outcome::Rejected(cause),
    }
}

/// As the gRPC documents write it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The request is bytes already; the answer is small.
struct RawCodec;

struct RawEncoder;

struct AnswerDecoder;

impl Codec for RawCodec {
    type Encode = Bytes;
    type Decode = ExportTraceServiceResponse;
    type Encoder = RawEncoder;
    type Decoder = AnswerDecoder;

    fn encoder(&mut self) -> RawEncoder {
        RawEncoder
    }

    fn decoder(&mut self) -> AnswerDecoder {
        AnswerDecoder
    }
}

impl Encoder for RawEncoder {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, body: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.reserve(body.len());
        into.put(body);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(256, super::BATCH_BYTES)
    }
}

impl Decoder for AnswerDecoder {
    type Item = ExportTraceServiceResponse;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        let answer = from.copy_to_bytes(from.remaining());
        // The status acknowledges; an answer that can't be read as OTLP rejects nothing.
        Ok(Some(ExportTraceServiceResponse::decode(answer).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn only_the_specified_codes_are_retried() {
        let retried: Vec<&str> = (0..17)
            .map(Code::from_i32)
            .filter(|code| matches!(refused(&Status::new(*code, "")), Outcome::Failed(_)))
            .map(name)
            .collect();
        let specified = ["CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"];
        assert_eq!(retried, specified);
    }

    #[test]
    fn resource_exhausted_is_retried_with_retry_info_only() {
        let delay = Duration::from_millis(1500);
        let details = ErrorDetails::with_retry_info(Some(delay));
        let status = Status::with_error_details(Code::ResourceExhausted, "slow down", details);
        let Outcome::Failed(failure) = refused(&status) else { panic!("it says when to come back") };
        assert_eq!((failure.wait, failure.unknown), (Some(delay), false));
    }

    proptest::proptest! {
        #[test]
        fn no_status_panics(code in 0i32..20, message in ".{0,400}", details in proptest::collection::vec(0u8.., 0..80)) {
            refused(&Status::with_details(Code::from_i32(code), message, details.into()));
        }
    }
}
