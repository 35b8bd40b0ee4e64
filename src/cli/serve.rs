//! The subcommand `tracegen serve`: the engine, the store and the UI, until it is told to end.

pub(super) mod address;
mod herald;
mod level;
pub(super) mod options;

use super::load::LoadFlags;
use super::pace::ArrivalsFlag;
use super::parse;
use super::run::{open_manifest, rows};
use super::sending::SendingFlags;
use super::{Exit, Failure, account, memory, output, scenarios, sending};
use crate::clock;
use crate::engine::{Session, SessionOptions, SessionState};
use crate::export::deliver::Account;
use crate::journal::{ManifestFile, Sending};
use crate::plan::Plan;
use crate::store::{Store, create_database};
use crate::telemetry;
use crate::text::quantity::{self, Rate};
use crate::text::{count, duration, foreign};
use crate::web::{App, Cache, Host, Library, Live, Setting, SettingValue, Token};
use clap::Args;
use herald::Herald;
use level::Level;
use options::Options;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The time allowed for delivering what was generated, at the end, in ns.
const DRAIN: u64 = 6 * quantity::SECOND;
/// The time allowed for everything after the server has closed. Together with the farewell to clients it is less than 10 s
/// from the signal on.
const LAST: Duration = Duration::from_secs(7);

/// Generate traces in real time and show them on a web page: http://localhost:8000
#[derive(Args, Default)]
#[command(after_help = "Examples:
  tracegen serve                                  the scenarios in `scenarios`, traces in memory
  tracegen serve --seed 42 --rate 20/s            at a steady rate
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 tracegen serve     and to a collector
  OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 tracegen serve --send spans --late payment-service=30s
  DATABASE_TYPE=clickhouse tracegen serve         shows what is in ClickHouse
  SERVER_HOST=0.0.0.0 SERVER_TOKEN=... tracegen serve       for other machines, which need the token

Changed scenario files are compiled and used while it runs; if they don't compile, the previous plan stays in use.

Variables: DATABASE_TYPE (inmemory, clickhouse), DATABASE_HOST, _PORT, _USER, _PASSWORD, _NAME, INMEMORY_MAX_TRACES,
INMEMORY_MAX_MIB, TRACE_INTERVAL_MIN, TRACE_INTERVAL_MAX, TRACE_NUM_WORKERS, SERVER_HOST, SERVER_PORT, SERVER_NAMES, SERVER_TOKEN,
TRACE_FETCH_LIMIT, CARD_DISPLAY_LIMIT, STATUS_UPDATE_INTERVAL, JAEGER_URL, LOG_LEVEL (error, warn, info, debug), and the collector variables
of `tracegen run`. OTEL_METRICS_EXPORTER=otlp sends the figures of /metrics over OTLP. The status page shows the values that
are in effect.")]
pub struct Serve {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Seed of all random choices and values [default: a random one, which is printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Number of traces a second, minute or hour: 50, 50/s, 100/m; in place of the files' load, except for scenarios with one
    /// of their own
    #[arg(long, value_name = "R", value_parser = quantity::rate, conflicts_with_all = ["interval", "lanes"])]
    rate: Option<Rate>,
    /// Gaps between the traces of a lane, uniformly distributed: 0.5..2 (seconds), 500ms..2s [default: 0.5..2]
    #[arg(long, value_name = "MIN..MAX", value_parser = parse::interval)]
    interval: Option<(u64, u64)>,
    /// Number of lanes: independent sequences of gaps [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=crate::interpreter::MAX_LANES as i64))]
    lanes: Option<u32>,
    /// How trace starts are distributed at a --rate [default: constant]
    #[arg(long, value_enum, value_name = "HOW")]
    arrivals: Option<ArrivalsFlag>,
    #[command(flatten)]
    sending: SendingFlags,
    #[command(flatten)]
    load: LoadFlags,
    /// Where to listen: an address or name of this machine [default: SERVER_HOST or 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The port; 0 takes a free one [default: SERVER_PORT or 8000]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// Keep a manifest in this file, from which the traces can be made again
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// The time allowed for the store to answer before the banner is printed.
const FIRST_TRY: Duration = Duration::from_millis(500);

impl Serve {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let paths = scenarios::paths(self.paths.clone());
        let edition = scenarios::edition(&paths)?;
        memory::take_small_pages();
        let (mut options, mut bad) = Options::resolve(&self, &paths, Some(&edition.plan));
        if let Some(last) = bad.pop() {
            // All failures are printed, a line each; the last one is returned like any other.
            bad.into_iter().for_each(|failure| output::say(failure.message));
            return Err(Failure::usage(last.message));
        }
        let sending = self.sending(&mut options, &edition.plan)?;
        let manifest = self.manifest.as_deref().map(open_manifest).transpose()?.map(Arc::new);
        let failed = |e: std::io::Error| Failure::impossible(format!("no threads to serve with: {e}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
        let exit = runtime.block_on(async {
            let (server, ip) = address::bind(&options.host, options.port).await?;
            let address = server.address().map_err(failed)?;
            let no_random = |e: getrandom::Error| Failure::impossible(format!("no random numbers: {e}"));
            let token = options.token.clone().map(Token::new).transpose().map_err(no_random)?;
            let database = create_database(&options.database);
            let database = database.map_err(|e| Failure::impossible(e.to_string()))?;
            // The banner then shows which store is in use. A longer connection attempt goes on in the background.
            let _ = tokio::time::timeout(FIRST_TRY, database.try_now()).await;
            let session = Session::start(SessionOptions {
                plan: edition.plan.clone(),
                seed: options.seed,
                settings: options.settings.clone(),
                target: options.target.clone(),
                sending,
                database: database.clone(),
                clock: Arc::new(clock::Process),
            });
            let session = session.map_err(|e| Failure::usage(e.to_string()))?;
            let library = Library::new(paths.clone(), edition, session.opening());
            let app = Arc::new(App {
                session,
                database,
                library: Arc::new(library),
                live: Live::default(),
                cache: Cache::default(),
                host: Host::new(&options.host, &options.names, ip),
                token,
                url: address::url(ip, address.port()),
                jaeger: options.jaeger.clone(),
                fetch_limit: options.fetch_limit,
                card_limit: options.card_limit,
                status_interval: options.status_interval,
                configuration: options.configuration,
            });
            let level = options.level;
            let herald = Herald::new(app.clone(), level, manifest.clone());
            herald.banner(&paths, &options.host);
            let told = app.clone();
            let read = move || telemetry::of_session(&told.session.state(), &told.database.status());
            let tell = move |text| herald::say(level, Level::Warn, text);
            let telemetry = options.metrics.map(|wanted| wanted.start(tell, read)).transpose()?;
            let end = Arc::new(Notify::new());
            let mut watch = tokio::spawn(herald.watch(end.clone()));
            server.run(app.clone(), herald::ending()).await;
            let until = Instant::now() + LAST;
            // A manifest that is being written must not overwrite the last one.
            end.notify_one();
            if timeout_at(until - LAST / 2, &mut watch).await.is_err() {
                watch.abort();
            }
            let exit = self.finish(app, manifest, until).await;
            if let Some(telemetry) = telemetry {
                let _ = timeout_at(until, tokio::task::spawn_blocking(|| telemetry.finish())).await;
            }
            exit
        });
        // Work on other threads, such as a compilation, is not waited for.
        runtime.shutdown_background();
        exit
    }

    /// Resolves how spans leave for the collector, and shows it with the other options.
    ///
    /// # Errors
    /// The flags can't be used, or there is no collector.
    fn sending(&self, options: &mut Options, plan: &Plan) -> Result<Sending, Failure> {
        let sending = self.sending.resolve(plan)?;
        if !sending.is_default() {
            if options.target.is_none() {
                return Err(Failure::usage(
                    "--send spans and --late need a collector (OTEL_EXPORTER_OTLP_ENDPOINT): the store takes whole traces",
                ));
            }
            let value = SettingValue::Shown(sending::flags(&sending).join(" "));
            options.configuration.push(Setting { name: "how spans leave", value, source: "flag" });
        }
        Ok(sending)
    }

    /// Delivers what was generated as far as possible until `deadline`, and reports what became of it.
    async fn finish(
        &self,
        app: Arc<App>,
        manifest: Option<Arc<ManifestFile>>,
        deadline: Instant,
    ) -> Result<Exit, Failure> {
        let draining = app.clone();
        let drained = tokio::task::spawn_blocking(move || draining.session.finish(DRAIN));
        let state = match timeout_at(deadline, drained).await {
            Ok(state) => state.map_err(|e| Failure::impossible(format!("generation broke off: {e}")))?,
            Err(_) => app.session.state(),
        };
        let _ = timeout_at(deadline, app.database.disconnect()).await;
        if let Some(file) = manifest {
            file.save(&app.session.manifest()).map_err(|e| Failure::impossible(format!("--manifest: {e}")))?;
        }
        let written = app.database.status().written;
        // There is either an exporter or a ClickHouse that tracegen writes to, not both.
        let account = state.exporter.as_ref().map(|exporter| exporter.account.clone()).or(written.map(rows::account));
        output::tell(foreign::message(&summary(&state, account.as_ref())));
        Ok(if account.is_some_and(|account| !account.is_whole()) { Exit::Wrong } else { Exit::Done })
    }
}

fn summary(state: &SessionState, account: Option<&Account>) -> String {
    let took = clock::now().saturating_sub(state.began);
    let made = format!("{}, {} in {}", count(state.traces, "trace"), count(state.spans, "span"), duration(took));
    let mut lines = vec![made];
    lines.extend(account.into_iter().flat_map(account::lines));
    lines.join("\n") + "\n"
}
