//! An OTLP receiver that fails on demand. It speaks gRPC and HTTP on one port, with or without TLS.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::ports;
use super::requests::span_ids;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use std::{
    collections::HashSet,
    io::Read,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    runtime::Runtime,
    sync::Notify,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// The reaction of the peer to a request.
#[derive(Clone)]
pub enum Answer {
    /// Accept the spans and acknowledge them.
    Take,
    /// Accept the spans, and acknowledge them after a while.
    TakeAfter(Duration),
    /// Report that some spans were rejected, and keep the others.
    Partial { rejected: usize, message: &'static str },
    /// Answer with a gRPC status.
    Grpc(tonic::Status),
    /// Answer with an HTTP status and a header.
    Http(u16, Option<(&'static str, String)>),
    /// Never answer.
    Hang,
    /// Accept the spans, then close the connection instead of answering.
    TakeAndClose,
    /// Accept the spans, and still give another answer: a status of gRPC or HTTP.
    TakeAnd(Box<Answer>),
    /// Accept the spans, and break off the body of the acknowledgement, or never end it.
    TakeAndBreakOff { stalls: bool },
    /// Answer with a status of 200 and a body as from a proxy.
    Page { content_type: &'static str, body: &'static str },
}

/// The properties of a request.
#[derive(Clone)]
pub struct Arrived {
    pub at: Instant,
    pub path: String,
    pub headers: HeaderMap,
}

/// A request that was accepted.
#[derive(Clone, Copy)]
pub struct Taken {
    /// The time when the request had arrived, in ns since 1970.
    pub at: u64,
    /// The latest end of a span in the request, in ns since 1970.
    pub last_end: u64,
}

type Script = dyn Fn(usize) -> Answer + Send + Sync;

struct State {
    script: Box<Script>,
    spans: Mutex<Vec<u64>>,
    requests: Mutex<Vec<Arrived>>,
    taken: Mutex<Vec<Taken>>,
    /// The number of requests that are being answered now, and its maximum so far.
    open: Mutex<(usize, usize)>,
}

/// The address and manner of listening.
#[derive(Default)]
pub struct Listen {
    /// The port; 0 for any free one.
    pub port: u16,
    pub tls: Option<ServerConfig>,
    /// The number of connections, from the first on, that are accepted and never read.
    pub deaf: usize,
}

/// A peer. When it is dropped it is gone at once: its port and connections are closed.
pub struct Peer {
    pub address: SocketAddr,
    scheme: &'static str,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

impl Peer {
    /// Starts a peer. `script` decides on each request by its number, from 0.
    pub fn start(script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Peer {
        Peer::start_at(Listen::default(), script)
    }

    pub fn start_at(listen: Listen, script: impl Fn(usize) -> Answer + Send + Sync + 'static) -> Peer {
        let Listen { port, tls, mut deaf } = listen;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        // A peer that comes back after it was gone must get its port again.
        let port = if port == 0 { ports::free::<1>()[0] } else { port };
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port))).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Box::new(script),
            spans: Mutex::default(),
            requests: Mutex::default(),
            taken: Mutex::default(),
            open: Mutex::default(),
        });
        let scheme = if tls.is_some() { "https" } else { "http" };
        let tls = tls.map(|mut config| {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            TlsAcceptor::from(Arc::new(config))
        });
        let shared = state.clone();
        runtime.spawn(async move {
            let mut unread = vec![];
            while let Ok((stream, _)) = listener.accept().await {
                if deaf > 0 {
                    deaf -= 1;
                    unread.push(stream);
                    continue;
                }
                let (state, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, state).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, state).await;
                            }
                        }
                    }
                });
            }
        });
        Peer { address, scheme, state, runtime: Some(runtime) }
    }

    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// Returns the ids of all accepted spans, including repetitions.
    pub fn spans(&self) -> Vec<u64> {
        self.state.spans.lock().unwrap().clone()
    }

    /// Ends the peer, and returns the spans that it accepted until then.
    pub fn into_spans(mut self) -> Vec<u64> {
        self.stop();
        self.spans()
    }

    fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }

    pub fn distinct_spans(&self) -> HashSet<u64> {
        self.spans().into_iter().collect()
    }

    pub fn requests(&self) -> Vec<Arrived> {
        self.state.requests.lock().unwrap().clone()
    }

    pub fn taken(&self) -> Vec<Taken> {
        self.state.taken.lock().unwrap().clone()
    }

    pub fn most_open(&self) -> usize {
        self.state.open.lock().unwrap().1
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<State>) {
    let close = Arc::new(Notify::new());
    let service = {
        let close = close.clone();
        service_fn(move |request| answer(request, state.clone(), close.clone()))
    };
    let builder = Builder::new(TokioExecutor::new());
    tokio::select! {
        _ = builder.serve_connection(TokioIo::new(stream), service) => {}
        () = close.notified() => {}
    }
}

type Body = BoxBody<Bytes, std::io::Error>;

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
    close: Arc<Notify>,
) -> Result<Response<Body>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let number = {
        let mut requests = state.requests.lock().unwrap();
        requests.push(Arrived { at: Instant::now(), path: parts.uri.path().into(), headers: parts.headers.clone() });
        requests.len() - 1
    };
    let body = body.collect().await?.to_bytes();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    let request = decode(&parts.headers, &body);
    let ids = span_ids(&request);
    let spans = request.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans);
    let last_end = spans.map(|span| span.end_time_unix_nano).max().unwrap_or_default();
    state.taken.lock().unwrap().push(Taken { at, last_end });
    let is_grpc = parts.headers[header::CONTENT_TYPE] == "application/grpc";
    let answer = (state.script)(number);
    {
        let mut open = state.open.lock().unwrap();
        open.0 += 1;
        open.1 = open.1.max(open.0);
    }
    if let Answer::TakeAfter(wait) = answer {
        tokio::time::sleep(wait).await;
    }
    let answer = match answer {
        Answer::TakeAnd(refusal) => {
            state.spans.lock().unwrap().extend(&ids);
            *refusal
        }
        answer => answer,
    };
    let response = match answer {
        Answer::TakeAnd(_) => panic!("two answers were scripted"),
        Answer::TakeAndBreakOff { stalls } => {
            state.spans.lock().unwrap().extend(ids);
            let body = Full::from(&b"{"[..]).map_err(|never| match never {}).boxed();
            let mut response =
                Response::new(Cut { body, stalls, wait: Box::pin(tokio::time::sleep(CUT_AFTER)) }.boxed());
            response.headers_mut().insert(header::CONTENT_TYPE, parts.headers[header::CONTENT_TYPE].clone());
            response
        }
        Answer::Page { content_type, body } => {
            let mut response = Response::new(Full::from(body).map_err(|never| match never {}).boxed());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        }
        Answer::Take | Answer::TakeAfter(_) => {
            state.spans.lock().unwrap().extend(ids);
            success(&parts.headers, ExportTraceServiceResponse { partial_success: Some(Default::default()) })
        }
        Answer::Partial { rejected, message } => {
            state.spans.lock().unwrap().extend(&ids[rejected.min(ids.len())..]);
            let partial = ExportTracePartialSuccess { rejected_spans: rejected as i64, error_message: message.into() };
            success(&parts.headers, ExportTraceServiceResponse { partial_success: Some(partial) })
        }
        Answer::Grpc(status) => {
            assert!(is_grpc, "a gRPC status was scripted for HTTP");
            let mut response = Response::new(empty());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            status.add_header(response.headers_mut()).unwrap();
            response
        }
        Answer::Http(status, header) => {
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some((name, value)) = header {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        }
        Answer::Hang => std::future::pending().await,
        Answer::TakeAndClose => {
            state.spans.lock().unwrap().extend(ids);
            close.notify_one();
            std::future::pending().await
        }
    };
    state.open.lock().unwrap().0 -= 1;
    Ok(response)
}

fn decode(headers: &HeaderMap, body: &[u8]) -> ExportTraceServiceRequest {
    let content_type = headers[header::CONTENT_TYPE].to_str().unwrap();
    if content_type == "application/grpc" {
        let (compressed, message) = (body[0] == 1, &body[5..]);
        assert_eq!(u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize, message.len());
        assert!(!compressed || headers["grpc-encoding"] == "gzip");
        let message = if compressed { gunzip(message) } else { message.to_vec() };
        return ExportTraceServiceRequest::decode(&message[..]).unwrap();
    }
    let body =
        if headers.get(header::CONTENT_ENCODING).is_some_and(|e| e == "gzip") { gunzip(body) } else { body.to_vec() };
    match content_type {
        "application/x-protobuf" => ExportTraceServiceRequest::decode(&body[..]).unwrap(),
        "application/json" => serde_json::from_slice(&body).unwrap(),
        other => panic!("content type {other}"),
    }
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = vec![];
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed()
}

/// The delay after which the head of the answer has been sent, before its body is cut off.
const CUT_AFTER: Duration = Duration::from_millis(50);

/// A body that does not end properly.
struct Cut {
    body: Body,
    stalls: bool,
    wait: Pin<Box<tokio::time::Sleep>>,
}

impl hyper::body::Body for Cut {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, std::io::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) if self.stalls => Poll::Pending,
            Poll::Ready(None) => {
                self.wait.as_mut().poll(context).map(|()| Some(Err(std::io::Error::other("cut off on purpose"))))
            }
            frame => frame,
        }
    }
}

fn success(request: &HeaderMap, message: ExportTraceServiceResponse) -> Response<Body> {
    let content_type = request[header::CONTENT_TYPE].clone();
    let body = match content_type.to_str().unwrap() {
        "application/grpc" => {
            let message = message.encode_to_vec();
            let mut framed = BytesMut::new();
            framed.put_u8(0);
            framed.put_u32(message.len() as u32);
            framed.put_slice(&message);
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
            Full::new(framed.freeze())
                .with_trailers(async { Some(Ok(trailers)) })
                .map_err(|never| match never {})
                .boxed()
        }
        "application/json" => {
            Full::new(serde_json::to_vec(&message).unwrap().into()).map_err(|never| match never {}).boxed()
        }
        _ => Full::new(message.encode_to_vec().into()).map_err(|never| match never {}).boxed(),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}
