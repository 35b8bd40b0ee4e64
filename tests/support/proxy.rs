//! A proxy between tracegen and a collector that speaks OTLP/HTTP, damages requests as a faulty pipeline would, and counts
//! what it did by decoding them with `opentelemetry-proto`.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, server::conn::http1};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The treatment of a request.
#[derive(Clone, Copy)]
pub enum Fate {
    Forwarded,
    /// The request is acknowledged and dropped.
    Dropped,
    Twice,
    /// The request is passed on without the spans for which this is true.
    Without(fn(&Span) -> bool),
}

/// The numbers of spans that were treated.
#[derive(Clone, Default)]
pub struct Done {
    pub forwarded: u64,
    pub dropped: Vec<Span>,
    pub doubled: u64,
}

/// A proxy, which ends when it is dropped.
pub struct Proxy {
    port: u16,
    done: Arc<Mutex<Done>>,
    _runtime: Runtime,
}

struct State {
    /// The address to which requests are passed on.
    to: String,
    fate: Box<dyn Fn(usize) -> Fate + Send + Sync>,
    requests: Mutex<usize>,
    done: Arc<Mutex<Done>>,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Proxy {
    /// Starts a proxy. `fate` decides on each request by its number, from 0. `collector` is the address for OTLP/HTTP,
    /// without the path.
    pub fn start(collector: &str, fate: impl Fn(usize) -> Fate + Send + Sync + 'static) -> Proxy {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let done = Arc::<Mutex<Done>>::default();
        let state = Arc::new(State {
            to: format!("{collector}/v1/traces"),
            fate: Box::new(fate),
            requests: Mutex::default(),
            done: done.clone(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        });
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = state.clone();
                let service = service_fn(move |request| answer(state.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Proxy { port, done, _runtime: runtime }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn done(&self) -> Done {
        self.done.lock().unwrap().clone()
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut decoded = ExportTraceServiceRequest::decode(body.clone()).unwrap();
    let number = {
        let mut requests = state.requests.lock().unwrap();
        *requests += 1;
        *requests - 1
    };
    let fate = (state.fate)(number);
    let mut dropped = vec![];
    for spans in decoded.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).map(|scope| &mut scope.spans) {
        dropped.extend(spans.extract_if(.., |span| match fate {
            Fate::Forwarded | Fate::Twice => false,
            Fate::Dropped => true,
            Fate::Without(which) => which(span),
        }));
    }
    let left = decoded.resource_spans.iter().flat_map(|r| &r.scope_spans).map(|scope| scope.spans.len() as u64).sum();
    let (body, times) = match fate {
        Fate::Forwarded => (body, 1),
        Fate::Twice => (body, 2),
        Fate::Dropped => (body, 0),
        Fate::Without(_) => (decoded.encode_to_vec().into(), 1),
    };
    for _ in 0..times {
        let request = Request::post(&state.to).header("content-type", "application/x-protobuf");
        let request = request.body(Full::new(body.clone())).unwrap();
        // tracegen retries if the collector is away.
        if !state.client.request(request).await.is_ok_and(|answer| answer.status().is_success()) {
            let mut answer = Response::new(Full::default());
            *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            return Ok(answer);
        }
    }
    let mut done = state.done.lock().unwrap();
    done.forwarded += left;
    done.doubled += if times == 2 { left } else { 0 };
    done.dropped.append(&mut dropped);
    Ok(Response::new(Full::default()))
}
