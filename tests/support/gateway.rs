//! A proxy before a ClickHouse server, which passes requests on, and answers some inserts itself.
#![allow(dead_code, reason = "each test takes what it needs")]

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The treatment of a request.
#[derive(Clone, Copy)]
pub enum Fate {
    PassedOn,
    /// The request is answered with this status and body, and not passed on.
    Answered(u16, &'static str),
    /// The request is passed on, and still answered with this status and body.
    PassedOnAnd(u16, &'static str),
}

/// A proxy, which ends when it is dropped.
pub struct Gateway {
    pub port: u16,
    _runtime: Runtime,
}

struct State {
    server_port: u16,
    insert: fn(usize) -> Fate,
    other: fn(usize) -> Fate,
    inserts: AtomicUsize,
    others: AtomicUsize,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Gateway {
    /// Starts a proxy before the server at a port of localhost. `insert` decides on each insert by its number from 0, and
    /// `other` on all other requests.
    pub fn start(server_port: u16, insert: fn(usize) -> Fate, other: fn(usize) -> Fate) -> Gateway {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (inserts, others) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let state = Arc::new(State { server_port, insert, other, inserts, others, client });
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = state.clone();
                let service = service_fn(move |request| answer(state.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Gateway { port, _runtime: runtime }
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let is_insert = parts.uri.query().is_some_and(|query| query.contains("INSERT"));
    let fate = match is_insert {
        true => (state.insert)(state.inserts.fetch_add(1, Ordering::SeqCst)),
        false => (state.other)(state.others.fetch_add(1, Ordering::SeqCst)),
    };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let to: Uri = format!("http://127.0.0.1:{}{path}", state.server_port).parse().unwrap();
    let pass_on = async {
        parts.uri = to;
        let answer = state.client.request(Request::from_parts(parts, Full::new(body))).await.unwrap();
        let (parts, body) = answer.into_parts();
        Response::from_parts(parts, Full::new(body.collect().await.unwrap().to_bytes()))
    };
    let own = |status: u16, text: &'static str| {
        let mut answer = Response::new(Full::from(text));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        answer
    };
    Ok(match fate {
        Fate::PassedOn => pass_on.await,
        Fate::Answered(status, text) => own(status, text),
        Fate::PassedOnAnd(status, text) => {
            pass_on.await;
            own(status, text)
        }
    })
}
