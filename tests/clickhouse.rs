//! The ClickHouse store against a real server, also with the rows of the real collector.

mod support {
    pub mod binary;
    pub mod clickhouse;
    pub mod collector;
    pub mod contract;
    pub mod gateway;
    pub mod pki;
    pub mod ports;
}

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::binary::tracegen;
use support::clickhouse::{Server, ask};
use support::collector::{Collector, Output};
use support::contract::{Corpus, SECOND, answers, is_empty};
use support::pki::Pki;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tracegen::store::{
    ClickHouse, Connection, Database, MemoryLimits, Patience, Store, StoreError, TimeRange, TraceQuery, Wanted, Writer,
    WriterOptions, create_database,
};
use tracegen::trace::{Attributes, OwnedDatum, StoredTrace};

/// Fills a store with the corpus.
async fn filled(connection: &Connection, corpus: &Corpus) -> ClickHouse {
    let store = ClickHouse::writing(connection.clone()).expect("a client");
    store.connect().await.expect("reached");
    for trace in &corpus.traces {
        store.add_trace(&corpus.origin, trace).expect("taken");
    }
    store.disconnect().await;
    let written = store.written().expect("it writes");
    let spans: usize = corpus.traces.iter().map(|trace| trace.spans.len()).sum();
    assert_eq!((written.written.spans, written.written.traces), (spans as u64, corpus.traces.len() as u64));
    assert!(written.waiting.spans == 0 && written.lost.is_empty(), "{written:?}");
    store
}

/// Removes what ClickHouse does not keep: attributes become text, and there are no flags and no scenario.
fn as_kept(mut trace: StoredTrace) -> StoredTrace {
    let as_text = |attributes: &mut Attributes| {
        attributes.iter_mut().for_each(|(_, value)| *value = OwnedDatum::Text(value.as_datum().to_string()));
    };
    trace.scenario = None;
    for span in &mut trace.spans {
        span.flags = None;
        as_text(&mut span.resource);
        as_text(&mut span.attributes);
        span.events.iter_mut().for_each(|event| as_text(&mut event.attributes));
        span.links.iter_mut().for_each(|link| as_text(&mut link.attributes));
    }
    trace
}

/// Compares every `step`th trace, field by field.
async fn whole(store: &impl Store, corpus: &Corpus, step: usize) {
    whole_but(store, corpus, step, |trace| trace).await;
}

async fn whole_but(store: &impl Store, corpus: &Corpus, step: usize, change: fn(StoredTrace) -> StoredTrace) {
    for trace in corpus.traces.iter().step_by(step) {
        let expected = as_kept(StoredTrace::of(corpus.origin.view(trace)).expect("a small trace"));
        let found = store.trace(trace.id).await.expect("an answer").expect("kept");
        assert_eq!(change(found), change(expected));
    }
}

/// Sorts attributes by their keys, as the collector's exporter does.
fn sorted(mut trace: StoredTrace) -> StoredTrace {
    let sort = |attributes: &mut Attributes| attributes.sort_by(|(one, _), (other, _)| one.cmp(other));
    for span in &mut trace.spans {
        sort(&mut span.resource);
        sort(&mut span.attributes);
        span.events.iter_mut().for_each(|event| sort(&mut event.attributes));
        span.links.iter_mut().for_each(|link| sort(&mut link.attributes));
    }
    trace
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract() {
    let Some(server) = Server::start() else { return };
    let (connection, corpus) = (server.fresh(), Corpus::new());
    let store = ClickHouse::writing(connection.clone()).expect("a client");
    store.connect().await.expect("the schema is made");
    is_empty(&store).await;
    let store = filled(&connection, &corpus).await;
    answers(&store, &corpus).await;
    whole(&store, &corpus, 7).await;
    // Every row is written twice, as after an insert with an unknown outcome. The answers are the same, except for the
    // number of rows.
    let again = filled(&connection, &corpus).await;
    whole(&again, &corpus, 7).await;
    let page = again.fetch_unique_traces(&TraceQuery::default()).await.expect("a page");
    assert_eq!(page, store.fetch_unique_traces(&TraceQuery::default()).await.expect("a page"));
    assert_eq!(page.total, corpus.traces.len() as u64);
}

/// Makes a corpus over four and a half days, a trace each 1,000 s.
fn of_days() -> Corpus {
    Corpus::spread(include_str!("support/shop.yaml"), 2_000 * SECOND)
}

/// Sums of hours are as exact as one pass. The ranges begin and end in the middle of hours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_the_contract_over_days() {
    let Some(server) = Server::start() else { return };
    let (connection, corpus) = (server.fresh(), of_days());
    let store = filled(&connection, &corpus).await;
    answers(&store, &corpus).await;
    // The second time, the answers come from the counted hours.
    answers(&store, &corpus).await;
    let again = filled(&connection, &corpus).await;
    let counts = again.get_trace_counts().await.expect("counts");
    assert_eq!(counts.total_traces, corpus.traces.len() as u64, "a trace that was written twice is one");
    assert_eq!(store.get_trace_counts().await, Ok(counts), "what came in between is seen");
}

/// Returns the number of rows that the server has read so far, including those of its own tables.
async fn rows_read(connection: &Connection) -> u64 {
    let rows = ask(connection, "SELECT value FROM system.events WHERE event = 'SelectedRows'").await;
    rows.trim().parse().expect("a number")
}

/// Pages and their event stream read each span of a table that others write only once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_is_not_read_again() {
    let Some(server) = Server::start() else { return };
    let (connection, corpus) = (server.fresh(), of_days());
    let writer = filled(&connection, &corpus).await;
    // The table has many copies of each span, in parts of the same size.
    let table = format!("{}.otel_traces", connection.database);
    ask(&connection, &format!("INSERT INTO {table} SELECT t.* FROM {table} AS t CROSS JOIN numbers(40) AS n")).await;
    ask(&connection, &format!("SYSTEM STOP MERGES {table}")).await;
    let rows: u64 = ask(&connection, &format!("SELECT count() FROM {table}")).await.trim().parse().expect("a number");
    let database = database(&connection, false);
    database.connect().await.expect("reached");
    until("all is counted", async || database.status().counting.is_none()).await;
    let all = TimeRange::default();
    let ask_all = async || {
        let counts = database.get_trace_counts().await.expect("counts");
        assert_eq!((counts.total_traces, counts.counted_from), (corpus.traces.len() as u64, None));
        database.get_service_names().await.expect("names");
        database.get_operation_names(None).await.expect("names");
        database.overview(&TraceQuery::default()).await.expect("an overview");
        database.services(all, None).await.expect("services");
        database.arrived().await.expect("in use")
    };
    let first = ask_all().await;
    let before = rows_read(&connection).await;
    assert_eq!(ask_all().await, first);
    let read = rows_read(&connection).await - before;
    assert!(read < rows / 10, "{read} rows were read again, of {rows}");

    // For a new trace, the event stream reads only that trace, and pages read its hour.
    let newest = corpus.traces.last().expect("traces");
    writer.add_trace(&corpus.origin, newest).expect("taken");
    writer.disconnect().await;
    let before = rows_read(&connection).await;
    assert_eq!(database.arrived().await, Some(first + 1));
    let read = rows_read(&connection).await - before;
    assert!(read < rows / 10, "{read} rows were read for one trace, of {rows}");
    let before = rows_read(&connection).await;
    assert_eq!(ask_all().await, first + 1);
    let read = rows_read(&connection).await - before;
    assert!(read < rows, "{read} rows were read for the newest hour, of {rows}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_the_real_collector_are_read_field_by_field() {
    let Some(server) = Server::start() else { return };
    let (connection, corpus) = (server.fresh(), Corpus::new());
    let output = Output::ClickHouse { tcp_port: server.tcp_port, database: connection.database.clone() };
    let Some(mut collector) = Collector::start(output) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.yaml");
    std::fs::write(&file, include_str!("support/shop.yaml")).expect("written");
    // The corpus becomes a run of its own.
    tracegen()
        .args(["run", "--seed", "7", "--start", "2026-01-01T00:00:00Z", "--rate", "2/s", "--count"])
        .arg(corpus.traces.len().to_string())
        .args(["--protocol", "grpc", "--endpoint", &collector.grpc_url()])
        .arg(&file)
        .timeout(Duration::from_secs(60))
        .assert()
        .success();
    collector.stop();
    let store = ClickHouse::reading(connection.clone()).expect("a client");
    store.connect().await.expect("its schema is ours");
    whole_but(&store, &corpus, 1, sorted).await;
    answers(&store, &corpus).await;

    let ours = server.fresh();
    ClickHouse::writing(ours.clone()).expect("a client").connect().await.expect("the schema is made");
    for table in ["otel_traces", "otel_traces_trace_id_ts", "otel_traces_trace_id_ts_mv"] {
        let theirs = ask(&connection, &format!("SHOW CREATE TABLE {}.{table}", connection.database)).await;
        let made = ask(&ours, &format!("SHOW CREATE TABLE {}.{table}", ours.database)).await;
        assert_eq!(made.replace(&ours.database, &connection.database), theirs, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_of_a_query_becomes_part_of_the_statement() {
    let Some(server) = Server::start() else { return };
    let (connection, corpus) = (server.fresh(), Corpus::new());
    let store = filled(&connection, &corpus).await;
    let long = "ab'".repeat(20_000);
    for text in [
        "' OR 1 --",
        "\\",
        "\\'",
        "'",
        "\"",
        "`",
        "?",
        "??",
        "?fields",
        "{x:String}",
        "%s",
        "\0",
        "\n",
        "\u{2028}",
        ";",
        "') UNION ALL SELECT * FROM system.users --",
        "'; DROP TABLE otel_traces; --",
        "/*",
        "\u{fffd}",
        "🦀",
        &long,
    ] {
        let some = || Some(text.to_string());
        for query in [
            TraceQuery { service: some(), ..TraceQuery::default() },
            TraceQuery { operation: some(), ..TraceQuery::default() },
            TraceQuery { id_prefix: some(), ..TraceQuery::default() },
            TraceQuery { attributes: vec![(text.into(), text.into())], ..TraceQuery::default() },
            TraceQuery { attributes: vec![("text".into(), text.into())], ..TraceQuery::default() },
            TraceQuery { text: Some(format!("{text}no such words")), ..TraceQuery::default() },
        ] {
            let page = store.fetch_unique_traces(&query).await.expect("an answer");
            assert_eq!(page.total, 0, "{query:?}");
            assert_eq!(store.overview(&query).await.expect("an answer").traces, 0, "{query:?}");
        }
        assert_eq!(store.get_operation_names(Some(text)).await, Ok(vec![]));
    }
    let far = TraceQuery {
        min_duration: Some(u64::MAX),
        offset: u64::MAX,
        limit: u32::MAX,
        range: TimeRange { from: Some(0), until: Some(u64::MAX) },
        ..TraceQuery::default()
    };
    assert_eq!(store.fetch_unique_traces(&far).await.expect("an answer").total, 0);
    let counts = store.get_trace_counts().await.expect("counts");
    assert_eq!(counts.total_traces, corpus.traces.len() as u64, "all is still there");
}

fn database(connection: &Connection, written: bool) -> std::sync::Arc<Database> {
    create_database(&Wanted { memory: MemoryLimits::new(100), clickhouse: Some(connection.clone()), written })
        .expect("threads")
}

async fn cause(connection: &Connection) -> StoreError {
    let database = database(connection, false);
    database.connect().await.expect("memory serves");
    database.status().outage.expect("an outage").cause
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_server_are_explained() {
    let Some(server) = Server::start() else { return };
    let fresh = server.fresh();
    let StoreError::Schema(why) = cause(&fresh).await else { panic!("no tables") };
    assert!(why.starts_with("there is no table test_") && why.contains("--exporter clickhouse"), "{why}");

    ClickHouse::writing(fresh.clone()).expect("a client").connect().await.expect("made");
    let right = Connection { user: "reader".into(), password: "secret".into(), ..fresh.clone() };
    ClickHouse::reading(right.clone()).expect("a client").connect().await.expect("the right password");
    let StoreError::Refused(why) = cause(&Connection { password: "guess".into(), ..right }).await else {
        panic!("the wrong password")
    };
    assert!(why.contains("Authentication failed") && !why.contains("guess"), "{why}");

    let closed = Connection { port: 1, ..fresh.clone() };
    let StoreError::Unreachable(why) = cause(&closed).await else { panic!("nothing is there") };
    assert!(why.to_lowercase().contains("refused"), "{why}");

    ask(
        &fresh,
        &format!("ALTER TABLE {}.otel_traces MODIFY COLUMN StatusMessage LowCardinality(String)", fresh.database),
    )
    .await;
    let StoreError::Schema(why) = cause(&fresh).await else { panic!("another type") };
    assert!(why.starts_with("column StatusMessage of ") && why.contains("must be String"), "{why}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stands_in_while_it_is_away() {
    let Some(mut server) = Server::start() else { return };
    let (connection, corpus) = (server.fresh(), Corpus::new());
    let database = database(&connection, true);
    database.connect().await.expect("reached");
    let status = database.status();
    assert_eq!((status.outage, status.wanted), (None, Some(connection.to_string())));
    let add = |from: usize, to: usize| {
        for trace in &corpus.traces[from..to] {
            database.add_trace(&corpus.origin, trace).expect("kept");
        }
    };
    let total = async || database.fetch_unique_traces(&TraceQuery::default()).await.expect("a page").total;
    add(0, 50);
    until("the first are written", async || total().await == 50).await;
    assert_eq!(database.status().memory.traces, 0);

    server.kill();
    assert_eq!(total().await, 0, "memory answers at once, and has nothing yet");
    let outage = database.status().outage.expect("an outage");
    assert!(matches!(outage.cause, StoreError::Unreachable(_)) && outage.next_try > outage.since, "{outage:?}");
    add(50, 60);
    assert_eq!(total().await, 10, "fed meanwhile");

    server.restart();
    until("it comes back by itself", async || database.status().outage.is_none()).await;
    assert_eq!(total().await, 50, "what it had, and nothing copied over");
    add(60, 70);
    until("it is written again", async || total().await == 60).await;
    let written = database.status().written.expect("it writes");
    assert_eq!((written.written.traces, written.waiting.traces, written.lost.len()), (60, 0, 0), "{written:?}");
}

/// Waits up to 30 s.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(120), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn run(connection: &Connection) -> assert_cmd::Command {
    let mut command = tracegen();
    command
        .args(["run", "--exporter", "clickhouse", "--seed", "7", "--summary", "json"])
        .env("DATABASE_HOST", &connection.host)
        .env("DATABASE_PORT", connection.port.to_string())
        .env("CLICKHOUSE_DATABASE", &connection.database)
        .arg(support::binary::scenarios())
        .timeout(Duration::from_secs(60));
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_writes_what_its_account_says() {
    let Some(server) = Server::start() else { return };
    let connection = server.fresh();
    let output = run(&connection).args(["--count", "5000"]).assert().success();
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!(summary["delivered"], summary["generated"], "{summary}");
    let store = ClickHouse::reading(connection).expect("a client");
    store.connect().await.expect("made by the run");
    let counts = store.get_trace_counts().await.expect("counts");
    assert_eq!(
        (summary["delivered"]["traces"].as_u64(), summary["delivered"]["spans"].as_u64()),
        (Some(counts.total_traces), Some(counts.total_spans)),
        "{summary}"
    );
    assert_eq!(counts.total_traces, 5_000);
}

/// A value that was put into a row is reported, even if it is not a valid id or status.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_put_into_a_row_are_reported_even_if_they_cannot_be_read() {
    let Some(server) = Server::start() else { return };
    let (sent, folder) = (server.fresh(), tempfile::tempdir().expect("a folder"));
    let manifest = folder.path().join("run.json");
    run(&sent)
        .args(["--count", "200", "--rate", "100/s", "--start", "2026-01-01", "--manifest"])
        .arg(&manifest)
        .assert()
        .success();
    let changed = "ParentSpanId = '' AND StatusCode != 'Error' AND empty(`Links.TraceId`)";
    let link = "['no id'] AS `Links.TraceId`, ['0123456789abcdef'] AS `Links.SpanId`, [''] AS `Links.TraceState`, \
                [map()] AS `Links.Attributes`";
    for (field, put) in [
        ("links", link),
        ("links", &link.replace("no id", "+1234567890123456789012345678901")),
        ("parent_span_id", "'no id' AS ParentSpanId"),
        ("status", "'it is fine' AS StatusMessage"),
        ("status", "'Splendid' AS StatusCode"),
    ] {
        let (connection, from) = (server.fresh(), &sent.database);
        ClickHouse::writing(connection.clone()).expect("a client").connect().await.expect("the schema is made");
        let into = format!("INSERT INTO {}.otel_traces", connection.database);
        ask(&connection, &format!("{into} SELECT * FROM {from}.otel_traces WHERE NOT ({changed})")).await;
        ask(
            &connection,
            &format!("{into} SELECT * REPLACE ({put}) FROM (SELECT * FROM {from}.otel_traces WHERE {changed})"),
        )
        .await;
        let count = ask(&connection, &format!("SELECT count() FROM {from}.otel_traces WHERE {changed}")).await;
        let count: u64 = count.trim().parse().expect("a number");
        let url = format!("clickhouse=http://127.0.0.1:{}/{}", connection.port, connection.database);
        let output =
            tracegen().args(["verify", "--format", "json", "--from", &url, "--manifest"]).arg(&manifest).output();
        let output = output.expect("it runs");
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let fields = serde_json::json!([report["fields"][0]["field"], report["altered"], report["lost"]]);
        assert_eq!((output.status.code(), fields), (Some(1), serde_json::json!([field, count, 0])), "{put}: {report}");
    }
}

/// A proxy answers while the server behind it is away, or ClickHouse reports an error that passes. No span is lost, and
/// spans that may be there twice are reported.
#[test]
fn faults_that_pass_are_waited_for() {
    use support::gateway::{Fate, Gateway};
    let Some(server) = Server::start() else { return };
    const PAGE: &str = "<html><head><title>502 Bad Gateway</title></head></html>";
    let inserts = |n| match n {
        0 => Fate::Answered(502, PAGE),
        1 => Fate::Answered(500, "Code: 999. Coordination::Exception: Connection loss. (KEEPER_EXCEPTION)"),
        2 => Fate::Answered(503, "no healthy upstream"),
        3 => Fate::Answered(500, "Code: 439. DB::Exception: Cannot schedule a task. (CANNOT_SCHEDULE_TASK)"),
        4 => Fate::PassedOnAnd(504, "<h1>504 Gateway Timeout</h1>"),
        _ => Fate::PassedOn,
    };
    let others = |n| if n < 2 { Fate::Answered(503, "") } else { Fate::PassedOn };
    let connection = server.fresh();
    let gateway = Gateway::start(connection.port, inserts, others);
    let behind = Connection { port: gateway.port, ..connection.clone() };
    let output = run(&behind).args(["--count", "1000"]).assert().success();
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!(summary["delivered"], summary["generated"], "{summary}");
    assert_eq!(summary["retries"]["insert"], 7, "{summary}");
    let delivered = summary["delivered"]["spans"].as_u64().expect("a number");
    let resent = summary["resent_after_unknown_outcome"]["spans"].as_u64().expect("a number");
    let database = &connection.database;
    let statement = format!("SELECT count(), uniqExact(SpanId) FROM {database}.otel_traces");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let counts = runtime.block_on(ask(&connection, &statement));
    let counts: Vec<u64> = counts.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    assert_eq!(counts[1], delivered);
    assert!(counts[0] > delivered && counts[0] - delivered <= resent, "{counts:?} {summary}");
    // A permanent error is not retried.
    let forbidden =
        Gateway::start(connection.port, |_| Fate::Answered(403, "<h1>403 Forbidden</h1>"), |_| Fate::PassedOn);
    let behind = Connection { port: forbidden.port, ..server.fresh() };
    let output = run(&behind).args(["--count", "10"]).assert().code(1);
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    assert_eq!(summary["retries"], serde_json::json!({}), "{summary}");
}

/// The printed commands contain the URL of the database, and no password.
#[test]
fn a_run_is_repeated_into_the_same_database() {
    let Some(server) = Server::start() else { return };
    let connection = server.fresh();
    let output = run(&connection).args(["--count", "20"]).assert().success();
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    let line = summary["repeat"].as_str().expect("a command").to_string();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_tracegen"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().expect("a folder").display());
    let again = std::process::Command::new("sh").args(["-c", &line]).env("PATH", path).output().expect("a shell");
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains(&connection.to_string()), "{line}: {said}");
}

#[test]
fn a_run_that_can_not_write_says_so() {
    let Some(server) = Server::start() else { return };
    let refused = Connection { port: 1, ..server.fresh() };
    let output = run(&refused).args(["--count", "50", "--wait", "300ms"]).assert().code(1);
    let error = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(error.contains("nothing answers at ClickHouse, test_") && error.contains("out of reach"), "{error}");
    let output = run(&server.fresh()).args(["--count", "50"]).env("DATABASE_PASSWORD", "guess").assert().code(1);
    let error = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(error.contains("refused: Code: 194") && !error.contains("guess"), "{error}");
    let output = run(&server.fresh()).env("DATABASE_PORT", "http").assert().code(2);
    let error = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(error.contains("DATABASE_PORT=`http`: expected a port"), "{error}");
}

/// Starts a TLS proxy for a port of localhost, and returns its own port.
async fn behind_tls(to: u16, pki: &Pki) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let acceptor = TlsAcceptor::from(Arc::new(pki.server(false)));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate disconnects.
                let Ok(mut client) = acceptor.accept(stream).await else { return };
                let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await.expect("it runs");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_needs_a_certificate_that_the_system_trusts() {
    let Some(server) = Server::start() else { return };
    let (plain, pki) = (server.fresh(), Pki::new("ours"));
    let port = behind_tls(plain.port, &pki).await;
    let manifest = tempfile::NamedTempFile::new().expect("a file");
    let over_tls = |command: &mut assert_cmd::Command| {
        command
            .env("DATABASE_HOST", "https://localhost")
            .env("DATABASE_PORT", port.to_string())
            .env("DATABASE_NAME", &plain.database)
            .env("SSL_CERT_FILE", pki.authority_file());
    };
    let mut trusting = run(&plain);
    over_tls(trusting.args(["--count", "500", "--start", "2026-01-01", "--manifest"]).arg(manifest.path()));
    trusting.assert().success();
    let mut verify = tracegen();
    over_tls(verify.args(["verify", "--from", "clickhouse", "--manifest"]).arg(manifest.path()));
    let output = verify.assert().success();
    let said = String::from_utf8_lossy(&output.get_output().stdout).into_owned();
    assert!(said.ends_with("nothing is lost, doubled or changed\n"), "{said}");
    let mut doubting = run(&plain);
    over_tls(doubting.args(["--count", "50", "--wait", "300ms"]));
    let output = doubting.env("SSL_CERT_FILE", Pki::new("theirs").authority_file()).assert().code(1);
    let error = String::from_utf8_lossy(&output.get_output().stderr).into_owned();
    assert!(error.contains("certificate"), "{error}");
}

/// Whatever happens to the server, nothing that was acknowledged is missing, and the account closes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back_has_all_that_was_written() {
    let Some(mut server) = Server::start() else { return };
    let (connection, corpus) = (server.fresh(), Corpus::new());
    let patience = Patience { first: Duration::from_secs(10), lost: Duration::from_secs(60) };
    let options = WriterOptions { patience: Some(patience), full: None, observer: Box::new(|_| {}) };
    let writer = std::sync::Arc::new(Writer::start(connection.clone(), options).expect("a thread"));
    let feed = std::thread::spawn({
        let (writer, corpus) = (writer.clone(), Corpus::new());
        move || {
            for trace in &corpus.traces {
                assert!(writer.add(corpus.origin.view(trace)));
                std::thread::sleep(Duration::from_millis(10));
            }
            writer.finish()
        }
    });
    until("some is written", async || writer.account().inserts > 0).await;
    server.kill();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    server.restart();
    let written = tokio::task::spawn_blocking(|| feed.join().expect("it ends")).await.expect("it ends");
    assert_eq!((written.written.traces, written.waiting.traces), (corpus.traces.len() as u64, 0), "{written:?}");
    assert!(written.lost.is_empty() && written.retries > 0, "{written:?}");
    let store = ClickHouse::reading(connection).expect("a client");
    whole(&store, &corpus, 7).await;
    let counts = store.get_trace_counts().await.expect("counts");
    assert!(counts.total_spans <= written.written.spans + written.again.spans, "{counts:?} {written:?}");
}

/// What no well-behaved SDK sends is stored span for span, and every trace is read back as it was sent, or said to be too large.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn malformed_traces_are_stored_and_read() {
    let Some(server) = Server::start() else { return };
    let connection = server.fresh();
    let variables = [
        ("DATABASE_HOST", connection.host.clone()),
        ("DATABASE_PORT", connection.port.to_string()),
        ("DATABASE_USER", connection.user.clone()),
        ("DATABASE_NAME", connection.database.clone()),
    ];
    let output = tracegen()
        .args(["run", "--seed", "42", "--count", "60", "--quiet", "--summary", "json", "--exporter", "clickhouse"])
        .arg("scenarios/examples/edge_cases.yaml")
        .envs(variables)
        .assert()
        .success();
    let summary: serde_json::Value = serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    let spans = summary["delivered"]["spans"].as_u64().or(summary["spans"].as_u64()).expect("spans");
    let counted = ask(&connection, &format!("SELECT count() FROM {}.otel_traces", connection.database)).await;
    assert_eq!(counted.trim(), spans.to_string());
    let store = ClickHouse::reading(connection.clone()).expect("a client");
    store.connect().await.expect("reached");
    let page = store.fetch_unique_traces(&TraceQuery { limit: 100, ..TraceQuery::default() }).await.expect("an answer");
    assert!(page.total >= 50, "{}", page.total);
    for trace in &page.traces {
        match store.trace(trace.id).await {
            Ok(found) => assert!(!found.expect("kept").spans.is_empty()),
            Err(error) => assert!(matches!(error, StoreError::TooLarge(_)), "{error}"),
        }
    }
    store.services(TimeRange::default(), None).await.expect("a report");
}
