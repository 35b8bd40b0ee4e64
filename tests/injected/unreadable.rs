//! Sources that are missing, wrong, or contain the traces of others: there is no verdict, and never a wrong one.

use crate::support::collector::{Collector, Output};
use crate::support::jaeger::Jaeger;
use crate::{Run, assert_counts, assert_verdict, clickhouse, rows_of, sql, url_of};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// Starts a server that answers every connection with the same bytes, and returns its port.
fn answering(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(answer);
        }
    });
    port
}

/// Starts a proxy for `port` that returns at most `max_bytes` bytes of an answer, and returns its own port.
fn cutting(port: u16, max_bytes: usize) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let own = listener.local_addr().expect("bound").port();
    let left = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(max_bytes));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
            let pairs =
                [(stream.try_clone(), server.try_clone(), false), (server.try_clone(), stream.try_clone(), true)];
            for (from, to, counted) in pairs {
                let (Ok(mut from), Ok(mut to), left) = (from, to, left.clone()) else { return };
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut bytes) {
                        use std::sync::atomic::Ordering::Relaxed;
                        let cut =
                            counted && left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(read)).is_err();
                        if cut || to.write_all(&bytes[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(std::net::Shutdown::Both);
                    let _ = from.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
    own
}

/// Asserts that the run is not checked, for that reason.
#[track_caller]
fn assert_unchecked(run: &Run, from: &str, reason: &str) {
    let (out, said, exit) = run.verify(from, &[]);
    // A store that can't be read gives no report, while an empty one gives a report that says so.
    assert!(exit == 3 && (said.contains(reason) || out.contains(reason)), "{from}: {exit}\n{out}{said}");
    assert!(!out.contains("nothing is lost"), "{from}: {out}");
}

fn port_of(url: &str) -> u16 {
    url.rsplit([':', '/']).find_map(|part| part.parse().ok()).expect("a port")
}

#[test]
fn clickhouse_out_of_reach_refusing_strange_cut_or_empty() {
    let Some(server) = clickhouse() else { return };
    let connection = server.fresh();
    let Some(mut collector) = Collector::with(vec![rows_of(server, &connection)], &[]) else { return };
    let run = Run::sent(9, 500, "grpc", &collector.grpc_url());
    collector.stop();
    let url = url_of(&connection);
    let (host, database) = url.rsplit_once('/').expect("a database");
    let nowhere = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("bound");
    assert_unchecked(&run, &format!("clickhouse=http://{nowhere}"), "Connection refused");
    assert_unchecked(&run, &format!("{host}/not_there"), "there is no table not_there.otel_traces");
    let wrong = format!("{host}/{database}").replace("http://", "http://reader:wrong@");
    assert_unchecked(&run, &wrong, "Authentication failed");
    let html = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>");
    assert_unchecked(&run, &format!("clickhouse=http://127.0.0.1:{html}"), "what is asked is its HTTP interface");
    // The server is gone after a part of the rows.
    let cut = cutting(connection.port, 100_000);
    assert_unchecked(&run, &format!("clickhouse=http://127.0.0.1:{cut}/{database}"), "broken off after ");
    sql(&connection, "TRUNCATE TABLE otel_traces");
    assert_unchecked(&run, &url, "it holds no span that starts between 20");
    sql(&connection, "ALTER TABLE otel_traces MODIFY COLUMN StatusMessage LowCardinality(String)");
    assert_unchecked(&run, &url, "column StatusMessage of");
}

#[test]
fn other_peoples_traces_are_told_apart() {
    let Some(server) = clickhouse() else { return };
    let connection = server.fresh();
    let Some(mut collector) = Collector::with(vec![rows_of(server, &connection), Output::Json], &[]) else { return };
    let ours = Run::sent(10, 300, "grpc", &collector.grpc_url());
    let others = Run::sent(11, 200, "grpc", &collector.grpc_url());
    let again = Run::sent(10, 400, "grpc", &collector.grpc_url());
    collector.stop();
    // The third run begins as the first did. Its first traces are the same, and the others were never sent by the first
    // run.
    let beyond = again.delivered - ours.delivered;
    for from in [url_of(&connection), collector.file().display().to_string()] {
        let (report, exit) = ours.verified(&from, &["--allow", "duplicates"]);
        assert_verdict(&report, exit, &[]);
        assert_counts(&report, [ours.delivered, ours.delivered, 0, ours.delivered, 0, 0]);
        assert_eq!(report["unexpected"], others.delivered + beyond, "{report:#}");
        assert_eq!(report["strangers"]["foreign"]["spans"], others.delivered, "{report:#}");
        assert_eq!(report["strangers"]["never_sent"]["spans"], beyond, "{report:#}");
        let (report, exit) = ours.verified(&from, &["--allow", "duplicates", "--deny", "unexpected"]);
        assert_verdict(&report, exit, &["unexpected"]);
    }
}

#[test]
fn jaeger_out_of_reach_strange_failing_cut_or_empty() {
    let Some(mut jaeger) = Jaeger::start() else { return };
    let Some(mut collector) = Collector::with(vec![Output::Otlp { port: jaeger.otlp_port() }], &[]) else { return };
    let run = Run::sent(12, 500, "grpc", &collector.grpc_url());
    jaeger.wait_for(run.delivered);
    collector.stop();
    let Some(empty) = Jaeger::start() else { return };
    assert_unchecked(&run, &format!("jaeger={}", empty.url()), "it holds no trace at all");
    let html = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>");
    assert_unchecked(&run, &format!("jaeger=http://127.0.0.1:{html}"), "not an answer of Jaeger's HTTP API");
    let missing = answering(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_unchecked(&run, &format!("jaeger=http://127.0.0.1:{missing}"), "it answers 404 Not Found");
    let failing = answering(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    assert_unchecked(&run, &format!("jaeger=http://127.0.0.1:{failing}"), "it answers 503 Service Unavailable");
    assert_unchecked(&run, &format!("jaeger={}/somewhere", jaeger.url()), "not an answer of Jaeger's HTTP API");
    let cut = cutting(port_of(&jaeger.url()), 1_000_000);
    assert_unchecked(&run, &format!("jaeger=http://127.0.0.1:{cut}"), "Jaeger at http://127.0.0.1");
    jaeger.kill();
    assert_unchecked(&run, &format!("jaeger={}", jaeger.url()), "Connection refused");
}
