//! The subcommand `tracegen doctor`, which finds what would keep tracegen from working here.

mod clock;
mod endpoint;
mod machine;
mod report;
mod variables;

use super::output::print;
use super::serve::{self, Serve, options::Options};
use super::{Exit, Failure, environment, scenarios};
use crate::export::target::{Target, TargetFlags};
use crate::store::{ClickHouse, Connection, Store, StoreError, Wanted};
use crate::text::{self, count};
use clap::{Args, ValueEnum};
use report::Finding;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// Check what tracegen depends on at this machine, and say what to fix
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen doctor
  tracegen doctor --endpoint https://collector.example:4317 orders.yaml
  OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20... tracegen doctor
  tracegen doctor --format json | jq '.checks[] | select(.verdict == \"fix\")'

It checks the variables (also for misspelt names), the scenarios, the endpoint (name, connection, TLS,
credentials: a request without a span is sent), the clock, the store, the port of `tracegen serve`, and the
limits of this machine. Nothing is changed, and it takes less than ten seconds.

`fix` marks what has to be put right, `note` what may be intended. Exit status: 0 nothing to fix; 1 something
is to fix.")]
pub struct Doctor {
    /// Scenario files or directories, or one plan file [default: SCENARIOS_DIR, SCENARIOS_PATH or `scenarios`]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// URL of the collector [default: OTEL_EXPORTER_OTLP_ENDPOINT or http://localhost:4317]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// grpc, http/protobuf or http/json [default: OTEL_EXPORTER_OTLP_PROTOCOL, or grpc at port 4317, else http/protobuf]
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<String>,
    /// A header for every request; can be repeated
    #[arg(long, value_name = "K=V")]
    header: Vec<String>,
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Human,
    Json,
}

/// The time allowed for the store and for the endpoint's answer. The checks run at the same time.
const PATIENCE: Duration = Duration::from_secs(3);

impl Doctor {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let clock = clock::Watch::start();
        let paths = scenarios::paths(self.paths.clone());
        let (options, bad) = Options::resolve(&Serve::default(), &paths, None);
        let target = Target::resolve(self.flags(None), &environment::text);
        if let Err(e) = &target
            && e.setting.starts_with("--")
        {
            return Err(Failure::usage(e.to_string()));
        }
        let mut findings = variables::check(&bad);
        findings.push(check_scenarios(&paths));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|e| Failure::impossible(format!("no threads to check with: {e}")))?;
        let database = options.database.clone();
        let (of_endpoint, (store, store_time), port) = runtime.block_on(async {
            let endpoint = async {
                match &target {
                    Ok(target) => endpoint::check(&self, target).await,
                    Err(_) => endpoint::Checked::not(),
                }
            };
            tokio::join!(endpoint, check_store(&database), check_port(&options.host, options.port, &options.token))
        });
        findings.extend(of_endpoint.findings);
        findings.push(clock.check(of_endpoint.time.or(store_time)));
        findings.extend([store, port, machine::check()]);
        // A pending name look-up must not delay the end.
        runtime.shutdown_background();
        print(&match self.format {
            Format::Human => report::human(&findings, anstream::AutoStream::choice(&std::io::stdout())),
            Format::Json => report::json(&findings),
        })?;
        Ok(if findings.iter().any(Finding::is_to_fix) { Exit::Wrong } else { Exit::Done })
    }

    /// Returns the flags of the target. `instead` replaces the endpoint and protocol that were given.
    fn flags(&self, instead: Option<(String, &str)>) -> TargetFlags {
        let (endpoint, protocol) = match instead {
            Some((endpoint, protocol)) => (Some(endpoint), Some(protocol.into())),
            None => (self.endpoint.clone(), self.protocol.clone()),
        };
        TargetFlags { endpoint, protocol, headers: self.header.clone() }
    }
}

/// Checks the scenarios. Their diagnostics go to stderr, as with `compile`.
fn check_scenarios(paths: &[PathBuf]) -> Finding {
    match scenarios::plan(paths) {
        Ok(plan) => {
            let scenarios = count(plan.scenarios.len() as u64, "scenario");
            Finding::ok("scenarios", format!("{scenarios}, plan {}", plan.digest_short()))
        }
        Err(failure) => {
            let advice = "name others as PATH or in SCENARIOS_DIR; `tracegen compile --check` shows what is wrong";
            Finding::fix("scenarios", format!("{}: {}", scenarios::shown(paths), failure.message)).advise(advice)
        }
    }
}

/// Checks the store, and reads its clock.
async fn check_store(wanted: &Wanted) -> (Finding, Option<clock::ClockReading>) {
    let Some(connection) = &wanted.clickhouse else {
        let kept = count(wanted.memory.traces as u64, "trace");
        let most = text::bytes(wanted.memory.bytes);
        let finding = format!("the newest {kept} in memory, in {most} at most (DATABASE_TYPE=inmemory)");
        return (Finding::ok("store", finding), None);
    };
    let reached = async {
        let store = ClickHouse::reading(connection.clone())?;
        let reading = clock::ClockReading::by(store.time()).await?;
        Ok::<_, StoreError>((reading, store.connect().await))
    };
    match timeout(PATIENCE, reached).await {
        Err(_) => (unreachable(connection, &format!("no answer within {} s", PATIENCE.as_secs())), None),
        Ok(Err(error)) => (store_finding(connection, wanted, error), None),
        Ok(Ok((reading, Err(error)))) => (store_finding(connection, wanted, error), Some(reading)),
        Ok(Ok((reading, Ok(())))) => (Finding::ok("store", connection.to_string()), Some(reading)),
    }
}

fn unreachable(connection: &Connection, reason: &str) -> Finding {
    let advice = "start ClickHouse, or set DATABASE_HOST and DATABASE_PORT to its HTTP interface (8123; 9000 is its native \
                  protocol); until then `tracegen serve` shows what is in memory";
    Finding::fix("store", format!("{connection}: {reason}")).advise(advice)
}

fn store_finding(connection: &Connection, wanted: &Wanted, error: StoreError) -> Finding {
    match error {
        StoreError::Unreachable(reason) => unreachable(connection, &reason),
        StoreError::Refused(reason) => {
            Finding::fix("store", format!("{connection}: {reason}")).advise("set DATABASE_USER and DATABASE_PASSWORD")
        }
        StoreError::Schema(reason) if wanted.written => {
            let advice = "`tracegen serve` makes what is missing when it starts, and leaves what is there as it is";
            Finding::note("store", format!("{connection}: {reason}")).advise(advice)
        }
        StoreError::Schema(reason) | StoreError::Failed(reason) | StoreError::TooLarge(reason) => {
            Finding::fix("store", format!("{connection}: {reason}"))
        }
    }
}

async fn check_port(host: &str, port: u16, token: &Option<String>) -> Finding {
    match timeout(PATIENCE, serve::address::bind(host, port)).await {
        Err(_) => Finding::fix("port", format!("SERVER_HOST=`{host}`: the name is looked up for too long")),
        Ok(Err(failure)) => Finding::fix("port", failure.message),
        Ok(Ok((_, ip))) if !ip.is_loopback() && token.is_none() => {
            let finding = format!("{host}:{port} is free, and other machines can reach it");
            Finding::note("port", finding).advise("set SERVER_TOKEN, so that not everyone can read and stop it")
        }
        Ok(Ok(_)) if port == 0 => Finding::ok("port", format!("{host}, any that is free (SERVER_PORT=0)")),
        Ok(Ok(_)) => Finding::ok("port", format!("{host}:{port} is free")),
    }
}
