//! How fast the questions of the pages are answered with many spans in the table (`make test-long`).

use std::time::{Duration, Instant};
use tracegen::store::*;

#[tokio::test]
#[ignore = "takes minutes"]
async fn speed() {
    let connection = Connection {
        host: "127.0.0.1".into(),
        port: 18123,
        user: "default".into(),
        password: String::new(),
        database: "otel".into(),
        https: false,
    };
    let store = ClickHouse::new(connection).unwrap();
    store.connect().await.unwrap();
    let minute = 60_000_000_000u64;
    let now = 1795379979402000000u64;
    let range = TimeRange { from: Some(now - 15 * minute), until: None };
    let reps: usize = std::env::var("REPS").ok().and_then(|r| r.parse().ok()).unwrap_or(1);
    let plain = TraceQuery::default;
    let page = store.fetch_unique_traces(&plain()).await.unwrap();
    println!("{:#?}", &page.traces[0]);
    let id = page.traces[0].id;
    println!("{:?}", store.trace(id).await.unwrap().unwrap().spans[0]);
    macro_rules! time {
        ($name:expr, $e:expr) => {{
            let mut times = vec![];
            let mut last = String::new();
            for _ in 0..reps {
                let t = Instant::now();
                let r = $e.await;
                times.push(t.elapsed());
                last = match r {
                    Ok(r) => format!("{r:?}"),
                    Err(e) => format!("ERR {e}"),
                };
            }
            times.sort();
            let f = |d: Duration| d.as_millis();
            println!(
                "{:<28} median {:>5} max {:>5} ms  {}",
                $name,
                f(times[reps / 2]),
                f(times[reps - 1]),
                last.chars().take(150).collect::<String>()
            );
        }};
    }
    let queries: Vec<(&str, TraceQuery)> = vec![
        ("newest", plain()),
        ("newest, 15 min", TraceQuery { range, ..plain() }),
        ("longest", TraceQuery { order: Order::Longest, ..plain() }),
        ("page 100", TraceQuery { offset: 3000, ..plain() }),
        ("service", TraceQuery { service: Some("api-gateway".into()), ..plain() }),
        ("failed", TraceQuery { failed: Some(true), ..plain() }),
        ("not failed", TraceQuery { failed: Some(false), ..plain() }),
        ("duration", TraceQuery { min_duration: Some(100_000_000), max_duration: Some(900_000_000), ..plain() }),
        ("common attribute", TraceQuery { attributes: vec![("http.request.method".into(), "POST".into())], ..plain() }),
        ("rare attribute", TraceQuery { attributes: vec![("user.id".into(), "u-1".into())], ..plain() }),
        ("text", TraceQuery { text: Some("timeout".into()), ..plain() }),
        ("text, 15 min", TraceQuery { range, text: Some("timeout".into()), ..plain() }),
        ("id prefix", TraceQuery { id_prefix: Some("4c6d".into()), ..plain() }),
    ];
    for (name, query) in &queries {
        time!(name, async { store.fetch_unique_traces(query).await.map(|p| (p.total, p.traces.len())) });
    }
    time!("counts", store.get_trace_counts());
    time!("services", store.get_service_names());
    time!("operations", store.get_operation_names(Some("api-gateway")));
    time!("overview", store.overview(&plain()));
    time!("overview 15", store.overview(&TraceQuery { range, ..plain() }));
    time!("overview failed", store.overview(&TraceQuery { failed: Some(true), ..plain() }));
    time!("services report", store.services(TimeRange::default(), None));
    time!("services report 15", store.services(range, None));
    time!("edges", async { store.services(range, None).await.map(|r| (r.edges_sampled, r.edges)) });
    time!("trace", async { store.trace(id).await.map(|t| t.map(|t| t.spans.len())) });
    time!("links", store.links_to(id));
}
