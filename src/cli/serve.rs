//! `tracegen serve`: the engine, the store and the UI, until it is told to end.

use super::pace::{self, Pace};
use super::parse::{self, Rate};
use super::{Exit, Failure, database, environment, scenarios};
use crate::engine::{self, Session, SessionOptions, Settings};
use crate::export::target::{Target, TargetFlags};
use crate::store::create_database;
use crate::web::{App, Library, Live, Server, Token};
use clap::Args;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// Generate traces and show them on a web page as they come: http://localhost:8000
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen serve                                  the scenarios in `scenarios`, traces in memory
  tracegen serve --seed 42 --rate 20/s            at a steady rate
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 tracegen serve     and to a collector
  DATABASE_TYPE=clickhouse tracegen serve         shows what is in ClickHouse

Variables: DATABASE_TYPE (inmemory, clickhouse), DATABASE_HOST, _PORT, _USER, _PASSWORD, _NAME, INMEMORY_MAX_TRACES,
TRACE_INTERVAL_MIN, TRACE_INTERVAL_MAX, TRACE_NUM_WORKERS, SERVER_HOST, SERVER_PORT, SERVER_TOKEN, TRACE_FETCH_LIMIT,
CARD_DISPLAY_LIMIT, STATUS_UPDATE_INTERVAL, JAEGER_URL, and the collector variables of `tracegen run`.")]
pub struct Serve {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// What all choices and values follow from [default: drawn, and printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Traces a second, minute or hour: 50, 50/s, 100/m
    #[arg(long, value_name = "R", value_parser = parse::rate, conflicts_with_all = ["interval", "lanes"])]
    rate: Option<Rate>,
    /// Gaps between the traces of a lane, uniform: 0.5..2 (seconds), 500ms..2s [default: 0.5..2]
    #[arg(long, value_name = "MIN..MAX", value_parser = parse::interval)]
    interval: Option<(u64, u64)>,
    /// Independent sequences of gaps [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=crate::interpreter::MAX_LANES as i64))]
    lanes: Option<u32>,
}

impl Serve {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let paths = scenarios::paths(self.paths.clone());
        let edition = scenarios::edition(&paths)?;
        let seed = self.seed.unwrap_or_else(super::draw_seed);
        let settings = settings(pace::resolve(self.rate, self.interval, self.lanes)?)?;
        let port = environment::value("SERVER_PORT", str::parse::<u16>)?.unwrap_or(8000);
        let host = environment::text("SERVER_HOST").unwrap_or_else(|| "127.0.0.1".into());
        let address: SocketAddr =
            format!("{host}:{port}").parse().map_err(|e| Failure::usage(format!("SERVER_HOST=`{host}`: {e}")))?;
        let target = match environment::text("OTEL_EXPORTER_OTLP_ENDPOINT") {
            Some(_) => Some(
                Target::resolve(TargetFlags::default(), &environment::text)
                    .map_err(|e| Failure::usage(e.to_string()))?,
            ),
            None => None,
        };
        let wanted = database::wanted(target.is_some())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::impossible(e.to_string()))?;
        runtime.block_on(async {
            let server = Server::bind(address).await.map_err(|e| Failure::impossible(format!("{address}: {e}")))?;
            let address = server.address().map_err(|e| Failure::impossible(e.to_string()))?;
            let database = create_database(&wanted).map_err(|e| Failure::impossible(e.to_string()))?;
            let plan = edition.plan.clone();
            let session = Session::start(SessionOptions { plan, seed, settings, target, database: database.clone() })
                .map_err(|e| Failure::usage(e.to_string()))?;
            let url = format!("http://localhost:{}", address.port());
            anstream::eprintln!("tracegen: seed {seed}, {url}");
            let app = Arc::new(App {
                session,
                database,
                library: Arc::new(Library::new(paths, edition)),
                live: Live::default(),
                configuration: vec![],
                token: environment::text("SERVER_TOKEN").map(Token::new),
                jaeger: environment::text("JAEGER_URL"),
                fetch_limit: environment::value("TRACE_FETCH_LIMIT", str::parse::<u32>)?.unwrap_or(30),
                card_limit: environment::value("CARD_DISPLAY_LIMIT", str::parse::<u32>)?.unwrap_or(10),
                status_interval: environment::value("STATUS_UPDATE_INTERVAL", parse::seconds)?
                    .unwrap_or(2 * parse::SECOND),
                url,
            });
            server.run(app, async { drop(tokio::signal::ctrl_c().await) }).await;
            Ok(Exit::Done)
        })
    }
}

fn settings(pace: Pace) -> Result<Settings, Failure> {
    let (pace, lanes) = match pace {
        Pace::Even { count, per } => (engine::Pace::Rate { count, per_ns: per, poisson: false }, 4),
        Pace::Interval { min, max, lanes } => (engine::Pace::Interval { min_ns: min, max_ns: max }, lanes),
        Pace::Max => {
            return Err(Failure::usage("--rate max is for `tracegen run`; give serve a rate, as --rate 1000/s"));
        }
    };
    Ok(Settings { pace, lanes, weights: BTreeMap::new() })
}
