//! The receiver: everything that is sent to it arrives in any encoding, refusals have reasons, and injected faults agree
//! with the counts of the sender and of what arrived.

mod support {
    pub mod requests;
}

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use support::requests::{ALL_PROTOCOLS, batch, request, span_ids};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tracegen::export::deliver::{Account, Delivery, Options as DeliveryOptions};
use tracegen::export::target::{Protocol, Target, TargetFlags};
use tracegen::receive::{Amount, Arrival, Books, Complaint, Faults, Options, Receiver, SLOTS};

const SPANS: u64 = 100;
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

type Requests = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

/// A running receiver, and the requests that it took.
struct Station {
    url: String,
    books: Books,
    taken: Requests,
    end: oneshot::Sender<()>,
    server: tokio::task::JoinHandle<()>,
    taker: JoinHandle<()>,
    runtime: Runtime,
}

impl Station {
    fn start(faults: Faults) -> Station {
        let taken = Requests::default();
        let keep = taken.clone();
        let take = move |arrival: Arrival| {
            let request = ExportTraceServiceRequest::decode(arrival.body.clone());
            let said = request.map(|request| keep.lock().unwrap().push(request));
            arrival.answer(said.map_err(|e| Complaint::Damaged(e.to_string())));
        };
        Station::start_with(Options { max_bytes: 1 << 20, faults }, taken, take)
    }

    fn start_with(options: Options, taken: Requests, mut take: impl FnMut(Arrival) + Send + 'static) -> Station {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (receiver, mut arrivals) = Receiver::new(vec![listener], options);
        let (books, (end, ended)) = (receiver.books(), oneshot::channel());
        let server = runtime.spawn(receiver.run(async { drop(ended.await) }));
        let taker = std::thread::spawn(move || {
            while let Some(arrival) = arrivals.blocking_recv() {
                take(arrival);
            }
        });
        Station { url, books, taken, end, server, taker, runtime }
    }

    /// Ends the receiver, and returns its requests in the order of their first spans.
    fn end(self) -> (Vec<ExportTraceServiceRequest>, tracegen::receive::Account) {
        self.end.send(()).unwrap();
        self.runtime.block_on(self.server).unwrap();
        self.taker.join().unwrap();
        let mut taken = std::mem::take(&mut *self.taken.lock().unwrap());
        taken.sort_by_key(|request| span_ids(request).first().copied());
        (taken, self.books.account())
    }

    /// Delivers `batches` requests, as a client of tracegen does.
    fn deliver(&self, protocol: Protocol, compression: &str, batches: u64) -> Account {
        let flags = TargetFlags {
            endpoint: Some(self.url.clone()),
            protocol: Some(protocol.to_string()),
            ..TargetFlags::default()
        };
        let env = |name: &str| (name == "OTEL_EXPORTER_OTLP_COMPRESSION").then(|| compression.to_string());
        let options = DeliveryOptions { wait: Duration::MAX, lost: Duration::MAX, ..DeliveryOptions::default() };
        let delivery = Delivery::start(Target::resolve(flags, &env).unwrap(), options).unwrap();
        (0..batches).for_each(|n| drop(delivery.send(batch(protocol, n * SPANS..(n + 1) * SPANS))));
        delivery.finish()
    }

    /// Sends one request, and returns the status of the answer, headers and trailers together, and the body.
    fn call(&self, http2: bool, request: Request<Full<Bytes>>) -> (StatusCode, HeaderMap, Bytes) {
        let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
        self.runtime.block_on(async {
            let (head, body) = client.request(request).await.unwrap().into_parts();
            let body = body.collect().await.unwrap();
            let mut headers = head.headers;
            headers.extend(body.trailers().cloned().unwrap_or_default());
            (head.status, headers, body.to_bytes())
        })
    }

    fn request(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Request<Full<Bytes>> {
        let mut builder = Request::builder().method(Method::POST).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Full::new(Bytes::copy_from_slice(body))).unwrap()
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    packed.write_all(plain).unwrap();
    packed.finish().unwrap()
}

fn framed(compressed: u8, message: &[u8]) -> Vec<u8> {
    [&[compressed], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

fn ids(requests: &[ExportTraceServiceRequest]) -> Vec<u64> {
    requests.iter().flat_map(span_ids).collect()
}

#[test]
fn requests_arrive_in_every_encoding() {
    for protocol in ALL_PROTOCOLS {
        for compression in ["none", "gzip"] {
            let station = Station::start(Faults::default());
            let account = station.deliver(protocol, compression, 20);
            assert!(account.is_whole() && account.retries.is_empty(), "{protocol}, {compression}: {account:#?}");
            let (taken, books) = station.end();
            let sent: Vec<_> = (0..20).map(|n| request(n * SPANS..(n + 1) * SPANS)).collect();
            assert!(taken == sent, "{protocol}, {compression}: not what was sent");
            assert_eq!((books.requests, books.refused), (20, 0));
            assert_eq!(books.injected, Default::default());
        }
    }
}

#[test]
fn unacceptable_requests_are_refused_with_the_reason() {
    let station = Station::start(Faults::default());
    let (protobuf, json) = ("application/x-protobuf", "application/json");
    let whole = request(0..5).encode_to_vec();
    let large = vec![0; (1 << 20) + 1];
    let bomb = gzip(&vec![0; 8 << 20]);
    let typed = |of| vec![("content-type", of)];
    let packed = |of, how| vec![("content-type", of), ("content-encoding", how)];
    for (path, headers, body, status, why) in [
        ("/v1/metrics", typed(protobuf), &whole[..], 404, "traces are accepted at /v1/traces"),
        ("/v1/traces", vec![], &whole, 415, "application/x-protobuf or application/json"),
        ("/v1/traces", typed("text/plain"), &whole, 415, "application/x-protobuf or application/json"),
        ("/v1/traces", packed(protobuf, "zstd"), &whole, 415, "only gzip"),
        ("/v1/traces", packed(protobuf, "gzip"), &whole, 400, "not gzip"),
        ("/v1/traces", typed(protobuf), &whole[..20], 400, "decode"),
        ("/v1/traces", typed(json), b"{\"resourceSpans\":[", 400, "not OTLP JSON"),
        ("/v1/traces", typed(protobuf), &large, 413, "1048576 bytes"),
        ("/v1/traces", packed(json, "gzip"), &bomb, 413, "1048576 bytes"),
    ] {
        let (found, _, body) = station.call(false, station.request(path, &headers, body));
        let said = String::from_utf8_lossy(&body).into_owned();
        assert!(found == status && said.contains(why), "{path} {headers:?}: {found} {said}");
    }
    let get = Request::get(format!("{}/v1/traces", station.url)).body(Full::default()).unwrap();
    assert_eq!(station.call(false, get).0, 405);
    let (status, headers, _) = station.call(false, station.request("/v1/traces", &typed(protobuf), &whole));
    assert!(status == 200 && headers[CONTENT_TYPE] == protobuf);
    let (taken, books) = station.end();
    assert_eq!((taken, books.refused), (vec![request(0..5)], 10));
}

#[test]
fn an_unacceptable_call_gets_a_status_with_the_reason() {
    let station = Station::start(Faults::default());
    let grpc = ("content-type", "application/grpc");
    let whole = request(0..5).encode_to_vec();
    let packed = framed(1, &gzip(&whole));
    // The codes of gRPC are 3 INVALID_ARGUMENT, 8 RESOURCE_EXHAUSTED, 12 UNIMPLEMENTED.
    for (path, headers, body, code) in [
        ("/opentelemetry.proto.collector.logs.v1.LogsService/Export", vec![grpc], framed(0, &whole), "12"),
        (EXPORT, vec![grpc], vec![], "3"),
        (EXPORT, vec![grpc], framed(0, &whole)[..40].to_vec(), "3"),
        (EXPORT, vec![grpc], framed(0, &whole[..40]), "3"),
        (EXPORT, vec![grpc], packed.clone(), "12"),
        (EXPORT, vec![grpc, ("grpc-encoding", "zstd")], packed.clone(), "12"),
        (EXPORT, vec![grpc, ("grpc-encoding", "gzip")], framed(1, &whole), "3"),
        (EXPORT, vec![grpc], framed(0, &vec![0; 1 << 20]), "8"),
        (EXPORT, vec![grpc, ("grpc-encoding", "gzip")], framed(1, &gzip(&vec![0; 8 << 20])), "8"),
        (EXPORT, vec![grpc, ("grpc-encoding", "gzip")], packed, "0"),
        (EXPORT, vec![("content-type", "application/grpc+proto")], framed(0, &whole), "0"),
    ] {
        let (status, found, _) = station.call(true, station.request(path, &headers, &body));
        assert!(status == 200 && found["grpc-status"] == code, "{path} {headers:?}: {status} {found:?}");
    }
    let (taken, books) = station.end();
    assert_eq!((taken, books.refused), (vec![request(0..5); 2], 9));
}

#[test]
fn a_client_that_is_refused_for_now_comes_again() {
    for protocol in ALL_PROTOCOLS {
        // Over HTTP, a second is the shortest wait that can be demanded.
        let wait = if protocol == Protocol::Grpc { Duration::from_millis(20) } else { Duration::ZERO };
        let faults = Faults { seed: 3, unavailable: 0.3, retry_after: wait, ..Faults::default() };
        let station = Station::start(faults);
        let account = station.deliver(protocol, "none", 20);
        // A sender cannot know whether an unavailable receiver has accepted the spans.
        assert!(account.is_whole() && account.resent_unknown.spans > 0, "{protocol}: {account:#?}");
        let (taken, books) = station.end();
        assert!(ids(&taken).into_iter().eq(0..20 * SPANS), "{protocol}: lost or doubled");
        let refused = books.injected.unavailable;
        assert!(refused.requests > 2 && refused.spans == refused.requests * SPANS, "{protocol}: {refused:?}");
        assert_eq!(account.retries.values().sum::<u64>(), refused.requests, "{protocol}: {account:#?}");
        assert_eq!(books.requests, 20 + refused.requests);
    }
}

#[test]
fn the_wait_before_the_next_try_is_announced() {
    let faults = Faults { unavailable: 1.0, retry_after: Duration::from_millis(1_500), ..Faults::default() };
    let station = Station::start(faults);
    let whole = request(0..5).encode_to_vec();
    let post = station.request("/v1/traces", &[("content-type", "application/json")], b"{}");
    let (status, headers, body) = station.call(false, post);
    assert_eq!((status.as_u16(), &headers["retry-after"]), (503, &"2".parse().unwrap()));
    assert_eq!(body, r#"{"code":14,"message":"unavailable on purpose"}"#);
    let post = station.request(EXPORT, &[("content-type", "application/grpc")], &framed(0, &whole));
    let (_, headers, _) = station.call(true, post);
    use tonic_types::StatusExt;
    let status = tonic::Status::from_header_map(&headers).unwrap();
    let asked = status.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!((status.code(), asked), (tonic::Code::Unavailable, Some(Duration::from_millis(1_500))));
}

#[test]
fn dropped_requests_are_acknowledged_counted_and_repeat_with_the_seed() {
    let faults = |seed| Faults { seed, drop: 0.2, ..Faults::default() };
    let run = |seed, protocol| {
        let station = Station::start(faults(seed));
        let account = station.deliver(protocol, "none", 60);
        assert!(account.is_whole() && account.retries.is_empty(), "{account:#?}");
        let (taken, books) = station.end();
        let Amount { requests, spans } = books.injected.dropped;
        assert!(requests > 2 && spans == requests * SPANS);
        assert_eq!(ids(&taken).len() as u64 + spans, 60 * SPANS);
        requests
    };
    let first = run(1, Protocol::Grpc);
    assert_eq!(first, run(1, Protocol::HttpJson));
}

#[test]
fn rejected_spans_agree_with_the_count_of_the_sender() {
    for protocol in ALL_PROTOCOLS {
        let station = Station::start(Faults { seed: 5, partial: 0.1, ..Faults::default() });
        let account = station.deliver(protocol, "gzip", 30);
        let (taken, books) = station.end();
        let rejected = books.injected.rejected;
        assert!((200..400).contains(&rejected.spans) && rejected.requests == 30, "{protocol}: {rejected:?}");
        assert_eq!(account.total_rejected().spans, rejected.spans, "{protocol}: {account:#?}");
        assert_eq!(ids(&taken).len() as u64, account.delivered.spans);
    }
}

#[test]
fn a_reset_leaves_the_outcome_unknown_to_the_sender() {
    for protocol in ALL_PROTOCOLS {
        let station = Station::start(Faults { seed: 2, reset: 0.1, ..Faults::default() });
        let account = station.deliver(protocol, "none", 20);
        assert!(account.is_whole(), "{protocol}: {account:#?}");
        let (taken, books) = station.end();
        let reset = books.injected.reset;
        assert!(reset.requests > 0, "{protocol}");
        let mut times = BTreeMap::<u64, u64>::new();
        ids(&taken).into_iter().for_each(|id| *times.entry(id).or_default() += 1);
        assert!(times.keys().copied().eq(0..20 * SPANS), "{protocol}: lost");
        let copies = times.values().sum::<u64>() - times.len() as u64;
        let doubled = times.values().filter(|times| **times > 1).count() as u64;
        if protocol == Protocol::Grpc {
            // Other calls were under way on the connection.
            assert!(copies >= reset.spans && account.resent_unknown.spans >= doubled, "{reset:?} {account:#?}");
        } else {
            assert_eq!((copies, account.resent_unknown.spans), (reset.spans, doubled), "{protocol}: {account:#?}");
            assert!(account.retries.contains_key("connection reset"), "{protocol}: {account:#?}");
        }
    }
}

#[test]
fn answers_are_delayed_and_arrivals_are_not() {
    let delay = Duration::from_secs(2);
    let station = Station::start(Faults { delay: Some((delay, delay)), ..Faults::default() });
    let taken = station.taken.clone();
    let watch = std::thread::spawn(move || {
        let began = Instant::now();
        while taken.lock().unwrap().is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        began.elapsed()
    });
    let began = Instant::now();
    assert!(station.deliver(Protocol::Grpc, "none", 1).is_whole());
    assert!(began.elapsed() >= delay);
    let arrived = watch.join().unwrap();
    assert!(arrived < began.elapsed() - delay / 2, "after {arrived:?}");
    assert_eq!(station.end().1.injected.delayed, Amount { requests: 1, spans: SPANS });
}

/// It holds for any number of senders and connections.
#[test]
fn senders_that_are_too_fast_wait() {
    let (seen, waiting) = std::sync::mpsc::channel();
    let take = move |arrival: Arrival| seen.send(arrival).unwrap();
    let options = Options { max_bytes: 1 << 20, faults: Faults::default() };
    let station = Station::start_with(options, Requests::default(), take);
    // There are as many requests on a connection as it takes at a time, large enough to fill the windows.
    let (url, body) = (station.url.clone(), framed(0, &request(0..4_000).encode_to_vec()));
    let senders: Vec<_> = (0..3)
        .map(|_| {
            let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
            let calls = (0..SLOTS).map(|_| {
                let request = Request::post(format!("{url}{EXPORT}")).header("content-type", "application/grpc");
                let call = client.request(request.body(Full::new(Bytes::from(body.clone()))).unwrap());
                station
                    .runtime
                    .spawn(async { call.await.unwrap().into_body().collect().await.unwrap().trailers().cloned() })
            });
            calls.collect::<Vec<_>>()
        })
        .collect();
    let patience = Duration::from_secs(120);
    let mut held: Vec<Arrival> = (0..SLOTS).map(|_| waiting.recv_timeout(patience).expect("room for it")).collect();
    assert!(waiting.recv_timeout(Duration::from_millis(300)).is_err(), "more than there is room for");
    for left in (0..3 * SLOTS).rev() {
        held.pop().expect("one is held").answer(Ok(()));
        if left >= SLOTS {
            held.push(waiting.recv_timeout(patience).expect("the next one"));
        }
    }
    for call in senders.into_iter().flatten() {
        let trailers = station.runtime.block_on(call).unwrap().expect("trailers");
        assert_eq!(trailers["grpc-status"], "0");
    }
    assert_eq!(station.end().1.requests, 3 * SLOTS as u64);
}

#[test]
fn requests_without_a_consumer_are_to_be_sent_again() {
    let mut first = true;
    let taken = Requests::default();
    let keep = taken.clone();
    let take = move |arrival: Arrival| match std::mem::take(&mut first) {
        true => arrival.answer(Err(Complaint::NotNow("not yet".into()))),
        false => {
            keep.lock().unwrap().push(ExportTraceServiceRequest::decode(arrival.body.clone()).unwrap());
            arrival.answer(Ok(()));
        }
    };
    let station = Station::start_with(Options { max_bytes: 1 << 20, faults: Faults::default() }, taken, take);
    let account = station.deliver(Protocol::Grpc, "none", 1);
    assert!(account.is_whole() && account.retries["UNAVAILABLE"] == 1, "{account:#?}");
    let (taken, books) = station.end();
    assert_eq!((taken.len(), books.refused, &*books.last_refusal), (1, 1, "not yet"));
}

/// Afterwards nothing listens any more.
#[test]
fn requests_under_way_are_answered_at_the_end() {
    let delay = Duration::from_secs(1);
    let station = Station::start(Faults { delay: Some((delay, delay)), ..Faults::default() });
    let client = Client::builder(TokioExecutor::new()).build_http();
    let post =
        || station.request("/v1/traces", &[("content-type", "application/x-protobuf")], &request(0..5).encode_to_vec());
    let call = station.runtime.spawn(client.request(post()));
    while station.taken.lock().unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let later = client.request(post());
    station.end.send(()).unwrap();
    station.runtime.block_on(station.server).unwrap();
    assert_eq!(station.runtime.block_on(call).unwrap().unwrap().status(), 200);
    assert!(station.runtime.block_on(later).is_err());
    station.taker.join().unwrap();
    assert_eq!(station.taken.lock().unwrap().len(), 1);
}
