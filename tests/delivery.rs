//! Delivery to peers that fail in every possible way: the account closes, and nothing that it calls delivered is missing.

mod support {
    pub mod peer;
    pub mod ports;
    pub mod requests;
}

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};
use support::{
    peer::{Answer, Listen, Peer},
    requests::{ALL_PROTOCOLS, batch},
};
use tonic_types::StatusExt;
use tracegen::export::{
    deliver::{Account, Delivery, DeliveryEvent, Options},
    target::{Protocol, Target, TargetFlags},
};
use tracegen::trace::Amount;

const MS: Duration = Duration::from_millis(1);
const SPANS: u64 = 100;

type Events = Arc<Mutex<Vec<DeliveryEvent>>>;

fn target(url: &str, protocol: Protocol, vars: &[(&str, &str)]) -> Target {
    let flags =
        TargetFlags { endpoint: Some(url.into()), protocol: Some(protocol.to_string()), ..TargetFlags::default() };
    let env = |name: &str| {
        vars.iter().find(|(n, _)| format!("OTEL_EXPORTER_OTLP_{n}") == name).map(|(_, value)| value.to_string())
    };
    Target::resolve(flags, &env).unwrap()
}

fn options(wait: Duration, lost: Duration) -> (Options, Events) {
    let events = Events::default();
    let seen = events.clone();
    let observer = Box::new(move |event| seen.lock().unwrap().push(event));
    (Options { wait, lost, observer, ..Options::default() }, events)
}

/// Makes options with patience that no test outlasts.
fn patient() -> Options {
    options(Duration::MAX, Duration::MAX).0
}

fn send_all(delivery: &Delivery, protocol: Protocol, batches: u64) {
    for n in 0..batches {
        delivery.send(batch(protocol, n * SPANS..(n + 1) * SPANS));
    }
}

fn deliver(target: Target, options: Options, batches: u64) -> Account {
    let protocol = target.protocol;
    let delivery = Delivery::start(target, options).unwrap();
    send_all(&delivery, protocol, batches);
    let account = delivery.finish();
    assert_eq!(account.generated, Amount { spans: batches * SPANS, traces: batches * SPANS / 5 });
    assert_closed(&account);
    account
}

fn assert_closed(account: &Account) {
    assert_eq!(account.in_flight, Amount::default(), "{account:#?}");
    let mut sum = account.delivered;
    sum += account.total_rejected();
    sum += account.total_undelivered();
    assert_eq!(sum, account.generated, "{account:#?}");
}

/// Asserts that everything is delivered and has arrived, and that repetitions are accounted for.
fn assert_all_arrived(account: &Account, peer: &Peer) {
    assert!(account.is_whole(), "{account:#?}");
    let spans = peer.spans();
    let distinct = peer.distinct_spans();
    assert_eq!(distinct.len() as u64, account.generated.spans);
    assert!(spans.len() - distinct.len() <= account.resent_unknown.spans as usize, "{account:#?}");
}

#[test]
fn everything_arrives_with_headers_in_every_protocol_plain_and_compressed() {
    for protocol in ALL_PROTOCOLS {
        for compression in ["none", "gzip"] {
            let peer = Peer::start(|_| Answer::Take);
            let vars = [("COMPRESSION", compression), ("HEADERS", "x-tenant=a%20b,authorization=secret")];
            let account = deliver(target(&peer.url(), protocol, &vars), patient(), 20);
            assert_all_arrived(&account, &peer);
            assert_eq!((account.requests, account.resent_unknown), (20, Amount::default()));
            let wanted = match protocol {
                Protocol::Grpc => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
                _ => "/v1/traces",
            };
            for request in peer.requests() {
                assert_eq!(request.path, wanted);
                assert_eq!(request.headers["x-tenant"], "a b");
                assert_eq!(request.headers["authorization"], "secret");
                assert!(request.headers["user-agent"].to_str().unwrap().starts_with("tracegen/"));
                let encoding = request.headers.get("content-encoding").or(request.headers.get("grpc-encoding"));
                assert_eq!(encoding.is_some_and(|e| e == "gzip"), compression == "gzip", "{protocol} {compression}");
            }
        }
    }
}

#[test]
fn a_small_request_leaves_at_once() {
    // A request that is held back until a packet is full would leave after 200 ms.
    for protocol in ALL_PROTOCOLS {
        let leave_at_once = || {
            let peer = Peer::start(|_| Answer::Take);
            let began = Instant::now();
            let account = deliver(target(&peer.url(), protocol, &[]), Options { in_flight: Some(1), ..patient() }, 30);
            assert!(account.is_whole(), "{account:#?}");
            began.elapsed() < 3_000 * MS
        };
        // A busy machine may be late, but not every time.
        assert!((0..5).any(|_| leave_at_once()), "{protocol}: 30 requests");
    }
}

#[test]
fn retryable_failures_are_retried() {
    use tonic::{Code, Status};
    for code in
        [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::DataLoss]
    {
        let peer = Peer::start(move |n| if n < 3 { Answer::Grpc(Status::new(code, "later")) } else { Answer::Take });
        let account = deliver(target(&peer.url(), Protocol::Grpc, &[]), patient(), 4);
        assert_all_arrived(&account, &peer);
        assert_eq!(account.retries.values().sum::<u64>(), 3, "{code:?}");
        assert!(account.resent_unknown.spans > 0, "{code:?}: it may have been taken");
    }
    for status in [429, 502, 503, 504] {
        let peer = Peer::start(move |n| if n < 3 { Answer::Http(status, None) } else { Answer::Take });
        let account = deliver(target(&peer.url(), Protocol::HttpProtobuf, &[]), patient(), 4);
        assert_all_arrived(&account, &peer);
        assert_eq!(account.retries.values().sum::<u64>(), 3, "{status}");
        assert_eq!(account.resent_unknown.spans > 0, status != 429, "{status}");
    }
}

#[test]
fn spans_that_were_accepted_and_refused_all_the_same_are_no_fault_of_the_pipeline() {
    for protocol in ALL_PROTOCOLS {
        let refusal = match protocol {
            Protocol::Grpc => Answer::Grpc(tonic::Status::unavailable("an exporter behind it is away")),
            _ => Answer::Http(503, None),
        };
        let peer = Peer::start(move |n| if n < 2 { Answer::TakeAnd(refusal.clone().into()) } else { Answer::Take });
        let account = deliver(target(&peer.url(), protocol, &[]), patient(), 20);
        assert_all_arrived(&account, &peer);
        assert!(peer.spans().len() > 2_000, "{protocol}: some are there twice, as the account says");
    }
}

#[test]
fn an_acknowledgement_that_breaks_off_counts() {
    for protocol in [Protocol::HttpProtobuf, Protocol::HttpJson] {
        for stalls in [false, true] {
            let peer = Peer::start(move |n| if n == 0 { Answer::TakeAndBreakOff { stalls } } else { Answer::Take });
            let account = deliver(target(&peer.url(), protocol, &[("TIMEOUT", "700")]), patient(), 3);
            assert_all_arrived(&account, &peer);
            assert_eq!(peer.spans().len(), 300, "{protocol}: nothing is sent again");
            assert!(account.retries.is_empty(), "{account:#?}");
        }
    }
}

#[test]
fn a_receiver_that_demands_no_wait_is_not_called_without_a_pause() {
    let past = "Sun, 06 Nov 1994 08:49:37 GMT";
    let zero = || tonic_types::ErrorDetails::with_retry_info(Some(Duration::ZERO));
    let status = tonic::Status::with_error_details(tonic::Code::Unavailable, "now", zero());
    for (protocol, answer) in [
        (Protocol::HttpProtobuf, Answer::Http(503, Some(("retry-after", "0".into())))),
        (Protocol::HttpJson, Answer::Http(429, Some(("retry-after", past.into())))),
        (Protocol::Grpc, Answer::Grpc(status)),
    ] {
        let peer = Peer::start(move |_| answer.clone());
        let (options, _) = options(1_500 * MS, 1_500 * MS);
        let account = deliver(target(&peer.url(), protocol, &[]), Options { in_flight: Some(1), ..options }, 1);
        assert_eq!(account.total_undelivered().spans, SPANS);
        // The waits are at least 0.1 s, 0.2 s, 0.4 s and 0.8 s.
        assert!(peer.requests().len() <= 6, "{protocol}: {} requests in 1.5 s", peer.requests().len());
    }
}

#[test]
fn a_log_in_page_is_not_an_acknowledgement() {
    for (content_type, body, reason) in [
        ("text/html", "<html>log in</html>", "its content type is text/html"),
        ("application/x-protobuf", "<html>log in</html>", "its protobuf can't be decoded"),
    ] {
        let peer = Peer::start(move |_| Answer::Page { content_type, body });
        let account = deliver(target(&peer.url(), Protocol::HttpProtobuf, &[]), patient(), 2);
        let rejected = &account.rejected["HTTP 200 OK without an OTLP response"];
        assert_eq!(rejected.amount.spans, 200, "{account:#?}");
        assert!(rejected.message.starts_with(reason), "{account:#?}");
    }
}

#[test]
fn the_wait_that_the_receiver_demands_is_observed() {
    let gaps = |peer: &Peer| {
        let requests = peer.requests();
        requests[1].at - requests[0].at
    };
    let peer = Peer::start(|n| match n {
        0 => Answer::Http(429, Some(("retry-after", "1".into()))),
        _ => Answer::Take,
    });
    let account = deliver(target(&peer.url(), Protocol::HttpJson, &[]), patient(), 1);
    assert_all_arrived(&account, &peer);
    assert!((1_000 * MS..5_000 * MS).contains(&gaps(&peer)), "{:?}", gaps(&peer));
    assert!(account.longest_wait_ms >= 1000);

    let details = || tonic_types::ErrorDetails::with_retry_info(Some(700 * MS));
    let exhausted = move || tonic::Status::with_error_details(tonic::Code::ResourceExhausted, "slowly", details());
    let peer = Peer::start(move |n| if n == 0 { Answer::Grpc(exhausted()) } else { Answer::Take });
    let account = deliver(target(&peer.url(), Protocol::Grpc, &[]), patient(), 1);
    assert_all_arrived(&account, &peer);
    assert!((700 * MS..5_000 * MS).contains(&gaps(&peer)), "{:?}", gaps(&peer));
    assert_eq!(account.retries["RESOURCE_EXHAUSTED"], 1);
}

#[test]
fn a_receiver_that_asks_to_wait_is_left_alone_by_all_requests() {
    let peer = Peer::start(|n| match n {
        0 => Answer::Http(503, Some(("retry-after", "1".into()))),
        _ => Answer::TakeAfter(50 * MS),
    });
    let account = deliver(target(&peer.url(), Protocol::HttpProtobuf, &[]), patient(), 40);
    assert_all_arrived(&account, &peer);
    let requests = peer.requests();
    let early = requests.iter().filter(|r| r.at < requests[0].at + 1_000 * MS).count();
    assert!(early <= 8, "4 are under way when it asks, each may have been followed by one: {early}");
}

#[test]
fn a_silent_connection_is_abandoned() {
    for protocol in ALL_PROTOCOLS {
        // Over HTTP every request has a connection of its own; over gRPC all share one.
        let deaf = if protocol == Protocol::Grpc { 1 } else { 4 };
        let peer = Peer::start_at(Listen { deaf, ..Listen::default() }, |_| Answer::Take);
        let begun = Instant::now();
        let account = deliver(target(&peer.url(), protocol, &[("TIMEOUT", "400")]), patient(), 10);
        assert_all_arrived(&account, &peer);
        assert!(begun.elapsed() < 60_000 * MS, "{protocol}: {:?}", begun.elapsed());
    }
}

#[test]
fn partial_success_is_read() {
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start(|n| match n {
            0 => Answer::Partial { rejected: 7, message: "too old" },
            1 => Answer::Partial { rejected: 0, message: "deprecated" },
            _ => Answer::Take,
        });
        let (options, events) = options(60_000 * MS, 60_000 * MS);
        let account = deliver(target(&peer.url(), protocol, &[]), Options { in_flight: Some(1), ..options }, 3);
        assert_eq!(account.delivered, Amount { spans: 293, traces: 53 });
        assert_eq!(account.rejected["partial success"].amount, Amount { spans: 7, traces: 7 });
        assert_eq!(account.rejected["partial success"].message, "too old");
        assert_eq!(peer.distinct_spans().len(), 293);
        let events: Vec<String> = events.lock().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(
            events[0].contains("partial success: too old") && events[1].ends_with("warns: deprecated"),
            "{events:?}"
        );
    }
}

#[test]
fn what_is_refused_for_good_is_rejected_with_its_cause() {
    let too_large = tonic::Status::resource_exhausted("grpc: received message larger than max (9 vs. 4)");
    let peer = Peer::start(move |n| if n == 1 { Answer::Grpc(too_large.clone()) } else { Answer::Take });
    let account = deliver(target(&peer.url(), Protocol::Grpc, &[]), patient(), 3);
    assert_eq!(account.delivered.spans, 200);
    assert!(account.rejected["RESOURCE_EXHAUSTED"].message.contains("larger than max"));
    assert_eq!(peer.distinct_spans().len(), 200);

    let peer = Peer::start(|n| if n == 1 { Answer::Http(413, None) } else { Answer::Take });
    let account = deliver(target(&peer.url(), Protocol::HttpProtobuf, &[]), patient(), 3);
    assert_eq!(account.rejected["HTTP 413 Payload Too Large"].amount, Amount { spans: 100, traces: 20 });
    assert_eq!(peer.requests().len(), 3, "not sent again");

    let peer = Peer::start(|_| Answer::Http(307, Some(("location", "http://elsewhere/".into()))));
    let account = deliver(target(&peer.url(), Protocol::HttpJson, &[]), patient(), 1);
    assert!(account.rejected["HTTP 307 Temporary Redirect"].message.contains("http://elsewhere/"));
}

#[test]
fn a_peer_that_hangs_does_not_keep_the_account_open() {
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start(|_| Answer::Hang);
        let (options, events) = options(1_000 * MS, 60_000 * MS);
        let begun = Instant::now();
        let account = deliver(target(&peer.url(), protocol, &[("TIMEOUT", "300")]), options, 20);
        assert!(begun.elapsed() < 60_000 * MS, "{:?}", begun.elapsed());
        assert_eq!(account.undelivered["timeout"].amount.spans, 2_000, "{account:#?}");
        assert!(account.resent_unknown.spans > 0 && account.retries["timeout"] > 0);
        let events = events.lock().unwrap();
        let told = |wanted: fn(&DeliveryEvent) -> bool| events.iter().filter(|e| wanted(e)).count();
        assert_eq!(told(|e| matches!(e, DeliveryEvent::Unreachable { .. })), 1, "{events:?}");
        assert_eq!(told(|e| matches!(e, DeliveryEvent::GaveUp { .. })), 1, "{events:?}");
    }
}

#[test]
fn a_peer_that_hangs_without_a_limit_is_cut_off() {
    let peer = Peer::start(|_| Answer::Hang);
    let (options, _) = options(500 * MS, 500 * MS);
    let account = deliver(target(&peer.url(), Protocol::Grpc, &[("TIMEOUT", "0")]), options, 3);
    assert_eq!(account.total_undelivered().spans, 300);
}

#[test]
fn a_peer_that_hangs_for_a_while_is_found_again() {
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start(|n| if n < 4 { Answer::Hang } else { Answer::Take });
        let account = deliver(target(&peer.url(), protocol, &[("TIMEOUT", "300")]), patient(), 10);
        assert_all_arrived(&account, &peer);
    }
}

#[test]
fn a_connection_closed_instead_of_an_answer_is_an_unknown_outcome() {
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start(|n| if n == 2 { Answer::TakeAndClose } else { Answer::Take });
        let account = deliver(target(&peer.url(), protocol, &[]), patient(), 10);
        assert_all_arrived(&account, &peer);
        assert!(account.resent_unknown.spans >= SPANS, "{protocol}: {account:#?}");
        assert!(peer.spans().len() > 1_000, "{protocol}: the batch was taken twice");
    }
}

#[test]
fn a_peer_that_comes_up_late_gets_everything() {
    for protocol in ALL_PROTOCOLS {
        let port = Peer::start(|_| Answer::Take).address.port();
        // The patience with a lost target must not shorten that with one that is not there yet.
        let (options, events) = options(10_000 * MS, 300 * MS);
        let url = format!("http://localhost:{port}");
        let late = thread::spawn(move || {
            thread::sleep(700 * MS);
            Peer::start_at(Listen { port, ..Listen::default() }, |_| Answer::Take)
        });
        let account = deliver(target(&url, protocol, &[]), options, 20);
        assert_all_arrived(&account, &late.join().unwrap());
        assert_eq!(account.resent_unknown, Amount::default(), "nothing was sent before");
        let events = events.lock().unwrap();
        assert_eq!(events.len(), 2, "{events:?}");
        let told = events[0].to_string();
        assert!(told.starts_with(&format!("nothing answers at {url}")), "{told}");
        assert!(told.ends_with("(connection refused), trying again for 10 s"), "{told}");
        assert!(matches!(&events[1], DeliveryEvent::Recovered { .. }), "{events:?}");
    }
}

#[test]
fn an_absent_target_is_given_up() {
    let port = Peer::start(|_| Answer::Take).address.port();
    let (options, events) = options(600 * MS, 60_000 * MS);
    let target = target(&format!("http://localhost:{port}"), Protocol::Grpc, &[]);
    let begun = Instant::now();
    let delivery = Delivery::start(target, options).unwrap();
    let monitor = delivery.monitor();
    // There is more than the queue holds, and senders must not be left waiting.
    send_all(&delivery, Protocol::Grpc, 50);
    assert!(monitor.is_over());
    assert!((600 * MS..60_000 * MS).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let account = delivery.finish();
    assert_closed(&account);
    assert_eq!(
        account.undelivered["connection refused"].amount,
        Amount { spans: 5_000, traces: 1_000 },
        "{account:#?}"
    );
    assert_eq!(events.lock().unwrap().len(), 2);
}

#[test]
fn a_peer_that_dies_for_good_is_given_up() {
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start(|_| Answer::TakeAfter(5 * MS));
        let (options, events) = options(60_000 * MS, 3_000 * MS);
        let delivery = Delivery::start(target(&peer.url(), protocol, &[]), options).unwrap();
        send_all(&delivery, protocol, 30);
        let taken = peer.into_spans();
        let died = Instant::now();
        for n in 30..60 {
            delivery.send(batch(protocol, n * SPANS..(n + 1) * SPANS));
        }
        let account = delivery.finish();
        assert!(died.elapsed() < 60_000 * MS, "{:?}", died.elapsed());
        assert_closed(&account);
        assert!((1_000..=taken.len() as u64).contains(&account.delivered.spans), "{} {account:#?}", taken.len());
        assert!(account.total_undelivered().spans >= 2_000, "{account:#?}");
        let events = events.lock().unwrap();
        assert!(events.iter().any(|e| matches!(e, DeliveryEvent::Lost { .. })), "{events:?}");
        assert!(events.iter().any(|e| matches!(e, DeliveryEvent::GaveUp { .. })), "{events:?}");
    }
}

#[test]
fn a_peer_that_is_restarted_gets_the_rest() {
    for protocol in ALL_PROTOCOLS {
        let mut peer = Peer::start(|_| Answer::TakeAfter(2 * MS));
        let (url, port) = (peer.url(), peer.address.port());
        let delivery = Delivery::start(target(&url, protocol, &[]), patient()).unwrap();
        let sender = thread::spawn(move || {
            send_all(&delivery, protocol, 200);
            delivery.finish()
        });
        let mut taken = vec![];
        for _ in 0..3 {
            thread::sleep(60 * MS);
            // The peer is counted after its end, when nothing is accepted any more.
            let state = peer.into_spans();
            taken.extend(state);
            thread::sleep(30 * MS);
            peer = Peer::start_at(Listen { port, ..Listen::default() }, |_| Answer::TakeAfter(2 * MS));
        }
        let account = sender.join().unwrap();
        assert_closed(&account);
        assert!(account.is_whole(), "{account:#?}");
        taken.extend(peer.spans());
        let distinct: std::collections::HashSet<u64> = taken.iter().copied().collect();
        assert_eq!(distinct.len() as u64, 200 * SPANS, "{protocol}: something called delivered is missing");
        assert!((taken.len() - distinct.len()) as u64 <= account.resent_unknown.spans, "{protocol}: {account:#?}");
    }
}

#[test]
fn memory_is_bounded_and_stopping_is_prompt() {
    for protocol in ALL_PROTOCOLS {
        let peer = Peer::start(|_| Answer::Hang);
        let options = Options { queue: 3, in_flight: Some(2), ..patient() };
        let delivery = Delivery::start(target(&peer.url(), protocol, &[]), options).unwrap();
        let monitor = delivery.monitor();
        let (done, closed) = mpsc::channel();
        thread::spawn(move || {
            send_all(&delivery, protocol, 40);
            done.send(delivery.finish()).unwrap();
        });
        let begun = Instant::now();
        while monitor.account().generated.spans < 6 * SPANS && begun.elapsed() < 60_000 * MS {
            thread::sleep(5 * MS);
        }
        thread::sleep(500 * MS);
        let account = monitor.account();
        assert_eq!(account.generated.spans, 6 * SPANS, "3 wait, 2 are under way, 1 is in the sender's hands");
        assert_eq!(account.in_flight, account.generated);
        assert!(!monitor.is_over());
        monitor.abort();
        let account = closed.recv_timeout(60_000 * MS).expect("the account closes at once");
        assert_closed(&account);
        assert_eq!(account.undelivered["stopped"].amount.spans, 40 * SPANS);
    }
}

#[test]
fn draining_can_be_limited() {
    let peer = Peer::start(|n| if n < 2 { Answer::Take } else { Answer::Hang });
    let target = target(&peer.url(), Protocol::HttpProtobuf, &[]);
    let delivery = Delivery::start(target, Options { in_flight: Some(1), ..patient() }).unwrap();
    send_all(&delivery, Protocol::HttpProtobuf, 5);
    let begun = Instant::now();
    let account = delivery.finish_within(400 * MS);
    assert!((400 * MS..60_000 * MS).contains(&begun.elapsed()));
    assert_closed(&account);
    assert_eq!((account.delivered.spans, account.undelivered["stopped"].amount.spans), (200, 300));
}

#[test]
fn dropping_a_delivery_does_not_wait() {
    let peer = Peer::start(|_| Answer::Hang);
    let delivery = Delivery::start(target(&peer.url(), Protocol::Grpc, &[]), patient()).unwrap();
    send_all(&delivery, Protocol::Grpc, 4);
    let monitor = delivery.monitor();
    let begun = Instant::now();
    drop(delivery);
    assert!(begun.elapsed() < 60_000 * MS);
    assert!(monitor.is_over());
}

#[test]
fn several_requests_are_under_way_and_memory_comes_back() {
    for (protocol, in_flight) in [(Protocol::Grpc, 2), (Protocol::HttpProtobuf, 4)] {
        let peer = Peer::start(|_| Answer::TakeAfter(20 * MS));
        let delivery = Delivery::start(target(&peer.url(), protocol, &[]), patient()).unwrap();
        let recycled = (0..60).filter(|n| {
            let memory = delivery.send(batch(protocol, n * SPANS..(n + 1) * SPANS));
            assert!(memory.as_ref().is_none_or(|m| m.is_empty() && m.capacity() > 0));
            memory.is_some()
        });
        assert!(recycled.count() > 20, "{protocol}");
        assert_all_arrived(&delivery.finish(), &peer);
        assert_eq!(peer.most_open(), in_flight, "{protocol}");
    }
}

#[test]
fn a_port_that_says_nothing_or_nonsense_is_given_up() {
    // Any authority will do, because no peer gets as far as showing a certificate.
    let authority = tempfile::NamedTempFile::new().unwrap();
    let certificate = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap().cert;
    fs::write(authority.path(), certificate.pem()).unwrap();
    for protocol in ALL_PROTOCOLS {
        for scheme in ["http", "https"] {
            for answer in ["", "SSH-2.0-nonsense\r\n"] {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let url = format!("{scheme}://localhost:{}", listener.local_addr().unwrap().port());
                let peer = thread::spawn(move || {
                    let mut kept = vec![];
                    // The thread ends with the test process.
                    while let Ok((mut stream, _)) = listener.accept() {
                        let _ = stream.write_all(answer.as_bytes());
                        kept.push(stream);
                    }
                });
                let (options, _) = options(500 * MS, 500 * MS);
                let begun = Instant::now();
                let vars = [("TIMEOUT", "200"), ("CERTIFICATE", authority.path().to_str().unwrap())];
                let account = deliver(target(&url, protocol, &vars), options, 5);
                assert_eq!(account.total_undelivered(), account.generated, "{protocol} {scheme}: {account:#?}");
                assert!(begun.elapsed() < 60_000 * MS, "{protocol} {scheme}: {:?}", begun.elapsed());
                assert!(!peer.is_finished());
            }
        }
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_the_end() {
    // An HTTP status of 200 acknowledges the request; the body is cut off at a limit, although the header announces more
    // than a disk holds.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 64 * 1024]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n").unwrap();
        let mut written = 0;
        while let Ok(bytes) = stream.write(&[0; 64 * 1024]) {
            written += bytes;
            assert!(written < 1 << 30, "it reads for ever");
        }
    });
    let account = deliver(target(&url, Protocol::HttpProtobuf, &[]), patient(), 1);
    assert!(account.is_whole(), "{account:#?}");
    peer.join().unwrap();
}

#[test]
fn a_delivery_can_be_shared_between_threads() {
    let peer = Peer::start(|_| Answer::Take);
    let delivery = Delivery::start(target(&peer.url(), Protocol::Grpc, &[]), patient()).unwrap();
    thread::scope(|scope| {
        for part in 0..4 {
            let delivery = &delivery;
            scope.spawn(move || {
                for n in part * 25..(part + 1) * 25 {
                    delivery.send(batch(Protocol::Grpc, n * SPANS..(n + 1) * SPANS));
                }
            });
        }
    });
    let account = delivery.finish();
    assert_eq!(account.generated.spans, 100 * SPANS);
    assert_all_arrived(&account, &peer);
}
