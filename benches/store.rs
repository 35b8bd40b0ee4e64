//! A benchmark of every question that a page asks of ClickHouse, with 10 M and with 40 M spans of all scenarios over seven
//! days in the collector's table, on a real server of its own: `make bench-store`.
//!
//! Before each question as many traces are added at the end as in ten seconds of the week. `SPANS="10 40"` gives the sizes
//! in millions, `ROUNDS=100` how often each question is asked in turn, and `SERVER=127.0.0.1:8123` a running server, whose
//! databases `spans_10m` and so on are filled if they are empty.

#[path = "../tests/support/clickhouse.rs"]
mod clickhouse_server;
#[path = "../tests/support/ports.rs"]
mod ports;

use clickhouse_server::{Server, ask};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tracegen::interpreter::{Arrivals, Interpreter, Run, Schedule};
use tracegen::store::{
    Connection, Database, MemoryLimits, Order, Patience, Store, TimeRange, TraceQuery, Wanted, Writer, WriterOptions,
    create_database,
};
use tracegen::trace::{Trace, TraceId};
use tracegen::{compiler, language};

const SECOND: u64 = 1_000_000_000;
/// 2026-03-02T00:00:00Z.
const OPENING: u64 = 1_772_409_600 * SECOND;
const WEEK: u64 = 7 * 86_400 * SECOND;
/// The number of traces that are generated; the others are copies of them with ids and times of their own.
const TRACES: u64 = 20_160;
/// The approximate number of spans in those traces.
const SPANS: u64 = 168_000;
/// The number of copies that follow each other in the week.
const BEHIND: u64 = 60;
/// The number of stretches of ten seconds into which the traces are cut for coming in.
const STRETCHES: u64 = 1_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let sizes = variable("SPANS", "10 40");
    let rounds: usize = variable("ROUNDS", "100").parse().expect("ROUNDS: a number");
    let (own, at);
    let base = match std::env::var("SERVER") {
        Ok(place) => {
            at = Connection::parse(&place).expect("SERVER: HOST:PORT");
            at
        }
        Err(_) => {
            own = Server::start();
            let Some(server) = &own else { return };
            server.fresh()
        }
    };
    println!("load {}", load());
    let mut table: BTreeMap<usize, (&'static str, Vec<[f64; 4]>)> = BTreeMap::new();
    for millions in sizes.split_whitespace().map(|size| size.parse::<u64>().expect("SPANS: millions")) {
        let connection = Connection { database: format!("spans_{millions}m"), ..base.clone() };
        fill(&connection, millions).await;
        for (at, (name, figures)) in measure(&connection, millions, rounds).await.into_iter().enumerate() {
            table.entry(at).or_insert((name, vec![])).1.push(figures);
        }
    }
    println!(
        "load {}; p50, p99 and the server's work in ms, rows read; for {sizes} M spans; p99 of the last by the first",
        load()
    );
    for (name, sizes) in table.values() {
        print!("| {name} |");
        sizes.iter().for_each(|[p50, p99, work, rows]| print!(" {p50:.0} | {p99:.0} | {work:.0} | {rows:.0} |"));
        let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
        println!(" {:.2} |", last[1] / first[1]);
    }
}

/// Returns the number of copies at the same time, so that the rate grows with the size, and the time does not.
fn beside(millions: u64) -> u64 {
    (millions * 1_000_000).div_ceil(SPANS * BEHIND)
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.into())
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().into()
}

/// Writes a week of spans as a collector would have written them: in order of time, batch by batch.
async fn fill(connection: &Connection, millions: u64) {
    let database = &connection.database;
    let there = ask(connection, &format!("EXISTS TABLE {database}.otel_traces")).await;
    if there.trim() == "1" {
        let count: u64 = ask(connection, &format!("SELECT count() FROM {database}.otel_traces"))
            .await
            .trim()
            .parse()
            .expect("a number");
        assert!(count >= millions * 1_000_000, "{database} is there, with {count} spans: drop it");
        return;
    }
    let began = Instant::now();
    let (beside, step) = (beside(millions), WEEK / BEHIND);
    tokio::task::block_in_place(|| write(connection, step));
    let base = format!(
        "CREATE TABLE {database}.base ENGINE = MergeTree ORDER BY Timestamp AS SELECT * FROM {database}.otel_traces"
    );
    ask(connection, &base).await;
    ask(connection, &format!("TRUNCATE TABLE {database}.otel_traces")).await;
    ask(connection, &format!("TRUNCATE TABLE {database}.otel_traces_trace_id_ts")).await;
    for copy in 0..BEHIND * beside {
        insert(connection, copy, 1, copy / beside * step / 1_000_000, "1").await;
    }
    println!("{database}: filled in {:.0?}", began.elapsed());
}

/// Writes the traces of one step of the week.
fn write(connection: &Connection, step: u64) {
    let loaded = language::load(&["scenarios".into()]);
    let (_, compiled) = compiler::compile_loaded(loaded);
    let plan = compiled.plan.expect("the shipped scenarios compile");
    let schedule = Schedule::new(OPENING, Arrivals::Even { count: TRACES, per_ns: step }).expect("a sound schedule");
    let run = std::sync::Arc::new(Run::new(std::sync::Arc::new(plan), 7, schedule));
    let patience = Patience { first: Duration::from_secs(60), lost: Duration::from_secs(60) };
    let options = WriterOptions { patience: Some(patience), full: None, observer: Box::new(|_| {}) };
    let writer = Writer::start(connection.clone(), options).expect("a writer");
    let (mut interpreter, mut trace) = (Interpreter::new(&run), Trace::default());
    for index in 0..TRACES {
        interpreter.trace(index, &mut trace);
        assert!(writer.add(run.origin().view(&trace)));
    }
    assert!(writer.finish().lost.is_empty());
}

/// Inserts copies of all generated traces, or of some, `later` ms later, several at the same time.
async fn insert(connection: &Connection, salt: u64, copies: u64, later: u64, condition: &str) {
    let database = &connection.database;
    let statement = format!(
        "INSERT INTO {database}.otel_traces SELECT made.* REPLACE (Timestamp + toIntervalMillisecond({later}) AS Timestamp, \
         lower(hex(sipHash128(TraceId, {salt} + number))) AS TraceId, \
         leftPad(lower(hex(sipHash64(SpanId, {salt} + number))), 16, '0') AS SpanId, \
         if(ParentSpanId = '', '', leftPad(lower(hex(sipHash64(ParentSpanId, {salt} + number))), 16, '0')) AS ParentSpanId, \
         arrayMap(t -> lower(hex(sipHash128(t, {salt} + number))), `Links.TraceId`) AS `Links.TraceId`, \
         arrayMap(s -> leftPad(lower(hex(sipHash64(s, {salt} + number))), 16, '0'), `Links.SpanId`) AS `Links.SpanId`, \
         arrayMap(t -> t + toIntervalMillisecond({later}), `Events.Timestamp`) AS `Events.Timestamp`) \
         FROM (SELECT * FROM {database}.base WHERE {condition}) AS made CROSS JOIN numbers({copies}) AS copy SETTINGS prefer_column_name_to_alias = 1"
    );
    ask(connection, &statement).await;
}

fn percentile(mut figures: Vec<f64>, percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[(figures.len() * percent).div_ceil(100) - 1]
}

/// Returns for each question p50 and p99 in ms, the server's work in ms of a core (p50), and the number of rows read.
async fn measure(connection: &Connection, millions: u64, rounds: usize) -> Vec<(&'static str, [f64; 4])> {
    let wanted = Wanted { memory: MemoryLimits::new(1), clickhouse: Some(connection.clone()), written: false };
    let database = create_database(&wanted).expect("threads");
    let began = Instant::now();
    database.connect().await.expect("reached");
    database.get_trace_counts().await.expect("counts");
    println!("{}: the first page after {:.1?}", connection.database, began.elapsed());
    while database.status().counting.is_some() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{}: all is counted after {:.1?}", connection.database, began.elapsed());
    while ask(connection, "SELECT count() FROM system.merges").await.trim() != "0" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let newest = database.fetch_unique_traces(&TraceQuery::default()).await.expect("a page").traces.remove(0);
    let count = questions(0).len();
    let (mut times, mut work, mut rows) = (vec![vec![]; count], vec![vec![]; count], vec![vec![]; count]);
    for round in 0..rounds {
        for at in 0..count {
            let now = come_in(connection, (round * count + at) as u64, millions).await;
            let (_, question) = questions(now).swap_remove(at);
            let before = spent(connection).await;
            let began = Instant::now();
            question.ask(&database, newest.id).await;
            times[at].push(began.elapsed().as_secs_f64() * 1e3);
            let after = spent(connection).await;
            rows[at].push((after[0] - before[0]) as f64);
            work[at].push((after[1] - before[1]) as f64 / 1e3);
        }
    }
    let figures = times.into_iter().zip(work).zip(rows).map(|((times, work), rows)| {
        [percentile(times.clone(), 50), percentile(times, 99), percentile(work, 50), percentile(rows, 50)]
    });
    questions(0).into_iter().map(|(name, _)| name).zip(figures).collect()
}

/// Adds the traces of the next ten seconds behind the week, as many as in ten seconds of it. Time goes on with `turn`.
/// Returns the time until which traces have come in, in ns since 1970.
async fn come_in(connection: &Connection, turn: u64, millions: u64) -> u64 {
    const LENGTH: u64 = 10 * SECOND;
    // Each turn adds another stretch of the generated traces.
    let (from, later) = (turn % STRETCHES * LENGTH, WEEK + turn / STRETCHES * STRETCHES * LENGTH);
    let time = |at: u64| format!("fromUnixTimestamp64Nano(toInt64({}))", OPENING + at);
    let condition = format!(
        "TraceId IN (SELECT TraceId FROM {}.base WHERE ParentSpanId = '' AND Timestamp >= {} AND Timestamp < {})",
        connection.database,
        time(from),
        time(from + LENGTH)
    );
    insert(connection, 1_000_000 + turn * 1_000, beside(millions), later / 1_000_000, &condition).await;
    OPENING + from + later + LENGTH
}

/// Returns the number of rows that the server has read so far, and the us of a core that it has spent.
async fn spent(connection: &Connection) -> [u64; 2] {
    let events = "SELECT sumIf(value, event = 'SelectedRows'), sumIf(value, event = 'OSCPUVirtualTimeMicroseconds') \
                  FROM system.events";
    let figures = ask(connection, events).await;
    let mut figures = figures.split_whitespace().map(|figure| figure.parse().expect("a number"));
    [(); 2].map(|()| figures.next().expect("two figures"))
}

enum Question {
    Page(TraceQuery),
    Overview(TraceQuery),
    Services(TimeRange),
    Counts,
    ServiceNames,
    OperationNames,
    Trace,
    Links,
    Arrived,
}

impl Question {
    async fn ask(&self, database: &Database, id: TraceId) {
        match self {
            Question::Page(query) => drop(database.fetch_unique_traces(query).await.expect("a page")),
            Question::Overview(query) => drop(database.overview(query).await.expect("an overview")),
            Question::Services(range) => drop(database.services(*range, None).await.expect("services")),
            Question::Counts => drop(database.get_trace_counts().await.expect("counts")),
            Question::ServiceNames => drop(database.get_service_names().await.expect("names")),
            Question::OperationNames => drop(database.get_operation_names(None).await.expect("names")),
            Question::Trace => drop(database.trace(id).await.expect("an answer").expect("a trace")),
            Question::Links => drop(database.links_to(id).await.expect("links")),
            Question::Arrived => drop(database.arrived().await.expect("ClickHouse is in use")),
        }
    }
}

/// Makes the questions. `now` is the time until which traces have come in, in ns since 1970.
fn questions(now: u64) -> Vec<(&'static str, Question)> {
    use Question::*;
    const MINUTE: u64 = 60 * SECOND;
    let none = TraceQuery::default;
    let last =
        |minutes: u64| TimeRange { from: Some(now.saturating_sub(minutes * MINUTE) / MINUTE * MINUTE), until: None };
    let past = now.saturating_sub(4 * WEEK / 7);
    let past = TimeRange { from: Some(past), until: Some(past + 10 * 60 * MINUTE) };
    let text = |text: &str| Some(text.to_string());
    let pair = |key: &str, value: &str| vec![(key.to_string(), value.to_string())];
    let service = || TraceQuery { service: text("api-gateway"), ..none() };
    let failed = || TraceQuery { failed: Some(true), ..none() };
    vec![
        ("what is new (event stream)", Arrived),
        ("counts", Counts),
        ("services' names", ServiceNames),
        ("operations' names", OperationNames),
        ("list, 15 min", Page(TraceQuery { range: last(15), ..none() })),
        ("list, 1 d", Page(TraceQuery { range: last(1_440), ..none() })),
        ("list, all", Page(none())),
        ("list, all, page 100", Page(TraceQuery { offset: 3_000, ..none() })),
        ("list, all, oldest", Page(TraceQuery { order: Order::Oldest, ..none() })),
        ("list, all, longest", Page(TraceQuery { order: Order::Longest, ..none() })),
        ("list, all, shortest", Page(TraceQuery { order: Order::Shortest, ..none() })),
        ("list, 10 h of four days ago", Page(TraceQuery { range: past, ..none() })),
        ("list, a service", Page(service())),
        ("list, a service, longest", Page(TraceQuery { order: Order::Longest, ..service() })),
        ("list, no such service", Page(TraceQuery { service: text("nobody"), ..none() })),
        ("list, failed", Page(failed())),
        ("list, failed, oldest", Page(TraceQuery { order: Order::Oldest, ..failed() })),
        ("list, not failed", Page(TraceQuery { failed: Some(false), ..none() })),
        (
            "list, from 100 to 900 ms",
            Page(TraceQuery { min_duration: Some(100_000_000), max_duration: Some(900_000_000), ..none() }),
        ),
        ("list, an attribute", Page(TraceQuery { attributes: pair("http.request.method", "POST"), ..none() })),
        ("list, an attribute of none", Page(TraceQuery { attributes: pair("user.id", "nobody"), ..none() })),
        ("list, a text", Page(TraceQuery { text: text("order"), ..none() })),
        ("list, a text of none", Page(TraceQuery { text: text("no such words"), ..none() })),
        ("list, part of an id", Page(TraceQuery { id_prefix: text("4c6d4c6d"), ..none() })),
        ("charts, 15 min", Overview(TraceQuery { range: last(15), ..none() })),
        ("charts, 1 h", Overview(TraceQuery { range: last(60), ..none() })),
        ("charts, 6 h", Overview(TraceQuery { range: last(360), ..none() })),
        ("charts, all", Overview(none())),
        ("charts, 10 h of four days ago", Overview(TraceQuery { range: past, ..none() })),
        ("charts, a service", Overview(service())),
        ("charts, failed", Overview(failed())),
        ("services, 15 min", Services(last(15))),
        ("services, 1 h", Services(last(60))),
        ("services, 6 h", Services(last(360))),
        ("services, 1 d", Services(last(1_440))),
        ("services, all", Services(TimeRange::default())),
        ("services, 10 h of four days ago", Services(past)),
        ("a trace", Trace),
        ("links to it", Links),
    ]
}
