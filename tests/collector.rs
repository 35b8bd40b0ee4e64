//! Delivery to a real OpenTelemetry Collector, compared with what it writes.

mod support {
    pub mod collector;
    pub mod ports;
    pub mod requests;
}

use std::{collections::HashSet, fs, sync::mpsc, thread, time::Duration};
use support::{
    collector::{Collector, Output, read_delimited},
    requests::{ALL_PROTOCOLS, batch, request, span_ids},
};
use tracegen::export::{
    deliver::{Account, Delivery, DeliveryEvent, Options},
    file::{Existing, FileSink},
    target::{Protocol, Target, TargetFlags},
};

const SPANS: u64 = 500;

fn start(collector: &Collector, protocol: Protocol, compression: &str) -> Delivery {
    let endpoint = if protocol == Protocol::Grpc { collector.grpc_url() } else { collector.http_url() };
    let flags =
        TargetFlags { endpoint: Some(endpoint), protocol: Some(protocol.to_string()), ..TargetFlags::default() };
    let env = |name: &str| (name == "OTEL_EXPORTER_OTLP_COMPRESSION").then(|| compression.to_string());
    Delivery::start(Target::resolve(flags, &env).unwrap(), Options::default()).unwrap()
}

fn send_all(delivery: &Delivery, protocol: Protocol, batches: u64) {
    for n in 0..batches {
        delivery.send(batch(protocol, n * SPANS..(n + 1) * SPANS));
    }
}

fn assert_whole(account: &Account) {
    assert!(account.is_whole() && account.in_flight.spans == 0, "{account:#?}");
}

#[test]
fn the_collector_writes_what_was_sent() {
    for protocol in ALL_PROTOCOLS {
        for compression in ["none", "gzip"] {
            let Some(mut collector) = Collector::start(Output::Json) else { return };
            let delivery = start(&collector, protocol, compression);
            send_all(&delivery, protocol, 20);
            let account = delivery.finish();
            assert_whole(&account);
            assert!(account.retries.is_empty(), "{account:#?}");
            collector.stop();
            let mut written = collector.requests();
            written.sort_by_key(|request| span_ids(request)[0]);
            let sent: Vec<_> = (0..20).map(|n| request(n * SPANS..(n + 1) * SPANS)).collect();
            assert!(written == sent, "{protocol}, {compression}: not what was sent");
        }
    }
}

#[test]
fn files_are_as_its_file_exporter_writes_them() {
    let Some(mut collector) = Collector::start(Output::Protobuf) else { return };
    let delivery = start(&collector, Protocol::Grpc, "none");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ours.bin");
    let mut ours = FileSink::open(&path, Existing::Kept).unwrap();
    let batch = batch(Protocol::Grpc, 0..SPANS);
    ours.write(&batch).unwrap();
    delivery.send(batch);
    assert_whole(&delivery.finish());
    collector.stop();
    let written = ours.finish().unwrap();
    let ours = fs::read(path).unwrap();
    assert_eq!(ours.len() as u64, written);
    // The collector encodes anew, so the bytes of a request may differ, but not framing and content.
    assert_eq!(read_delimited(&ours), [request(0..SPANS)]);
    assert_eq!(collector.requests(), [request(0..SPANS)]);
}

#[test]
fn nothing_delivered_is_missing_after_the_collector_was_killed() {
    for protocol in ALL_PROTOCOLS {
        let Some(mut collector) = Collector::start(Output::Json) else { return };
        let delivery = start(&collector, protocol, "none");
        let monitor = delivery.monitor();
        let sender = thread::spawn(move || {
            for n in 0..150 {
                delivery.send(batch(protocol, n * SPANS..(n + 1) * SPANS));
                thread::sleep(Duration::from_millis(5));
            }
            delivery.finish()
        });
        for at in [30, 80] {
            while monitor.account().delivered.spans < at * SPANS {
                thread::sleep(Duration::from_millis(2));
            }
            collector.kill();
            thread::sleep(Duration::from_millis(200));
            collector.restart();
        }
        let account = sender.join().unwrap();
        assert_whole(&account);
        assert!(!account.retries.is_empty(), "the kills went by unnoticed");
        collector.stop();
        let ids: Vec<u64> = collector.requests().iter().flat_map(span_ids).collect();
        let distinct: HashSet<u64> = ids.iter().copied().collect();
        let missing = (0..150 * SPANS).filter(|id| !distinct.contains(id)).count();
        assert_eq!(missing, 0, "{protocol}: {account:#?}");
        let twice = (ids.len() - distinct.len()) as u64;
        assert!(twice <= account.resent_unknown.spans, "{protocol}: {twice} twice, {account:#?}");
    }
}

#[test]
fn a_request_beyond_its_limit_is_rejected_with_the_reason() {
    let Some(collector) = Collector::start(Output::Json) else { return };
    let delivery = start(&collector, Protocol::Grpc, "none");
    delivery.send(batch(Protocol::Grpc, 0..60_000));
    delivery.send(batch(Protocol::Grpc, 60_000..60_010));
    let account = delivery.finish();
    assert_eq!((account.delivered.spans, account.total_rejected().spans), (10, 60_000), "{account:#?}");
    assert!(account.rejected["RESOURCE_EXHAUSTED"].message.contains("larger than max"), "{account:#?}");
}

#[test]
fn the_wrong_protocol_for_a_port_is_reported() {
    let Some(collector) = Collector::start(Output::Json) else { return };
    for (endpoint, protocol, help) in [
        (collector.http_url(), Protocol::Grpc, "use --protocol http/protobuf"),
        (collector.grpc_url(), Protocol::HttpProtobuf, "use --protocol grpc"),
    ] {
        let flags =
            TargetFlags { endpoint: Some(endpoint), protocol: Some(protocol.to_string()), ..TargetFlags::default() };
        let (tell, told) = mpsc::channel();
        let observer = Box::new(move |event: DeliveryEvent| tell.send(event.to_string()).unwrap());
        let options = Options { wait: Duration::from_secs(1), observer, ..Options::default() };
        let delivery = Delivery::start(Target::resolve(flags, &|_| None).unwrap(), options).unwrap();
        send_all(&delivery, protocol, 3);
        let account = delivery.finish();
        assert_eq!(account.total_undelivered(), account.generated, "{account:#?}");
        let first = told.recv().unwrap();
        assert!(first.starts_with("nothing answers at ") && first.contains(help), "{first}");
    }
}
