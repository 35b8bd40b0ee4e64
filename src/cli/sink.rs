//! The subcommand `tracegen sink`: a receiver at the end of a pipeline, which verifies what arrives, and can fail on purpose.

mod faults;
mod figures;
mod judge;
mod limits;
mod page;
mod trial;

use super::output::{print, tell};
use super::signal::Signals;
use super::verdict::{self, Format, VerdictFlags};
use super::{Exit, Failure, memory, parse};
use crate::condition::Vocabulary;
use crate::receive::{Account, Faults, Options, Receiver};
use crate::text::listed;
use clap::Args;
use faults::FaultFlags;
use judge::{Bench, Judge};
use limits::Limits;
use page::Page;
use serde_json::json;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};
use trial::{Concluded, Trial};

const GRPC: &str = "127.0.0.1:4317";
const HTTP: &str = "127.0.0.1:4318";
/// The time between two updates of the screen, and between two checks of the limits.
const REDRAW: Duration = Duration::from_millis(100);
/// The time allowed at the end for connections that have not been closed.
const END_PATIENCE: Duration = Duration::from_secs(1);

/// Receive traces at the end of a pipeline, verify them as they arrive, and fail on purpose if asked to
#[derive(Args)]
#[command(after_help = "Examples:
  tracegen sink                                     what arrives at ports 4317 (gRPC) and 4318 (HTTP)?
  tracegen sink --manifest run.json --until-idle 5s
    and in another terminal, to a collector that exports to the sink:
  tracegen run --manifest run.json --count 100000 --endpoint http://localhost:14317
  tracegen sink --manifest run.json --unavailable 5% --delay 50ms..200ms
                                                    does the collector keep what it can't deliver?
  tracegen sink --manifest run.json --reset 1% --allow duplicated
                                                    .. and send again what it may have delivered?
  tracegen sink --until-idle 10s --expect 'rate <= 100 spans/s'
                                                    does the rate limit hold? The mean, or with `peak` the most of a second
  tracegen sink --manifest run.json --drop 3%       does the alert see what is lost behind the collector?

Both addresses accept OTLP/gRPC and OTLP/HTTP, protobuf or JSON, plain or gzip. The manifest need not exist yet: until it does,
senders are told to try again later. It is read again when the file changes, and at the end. While a run goes on, spans that
have not arrived may still be sent, so they can't be called lost. --until-idle therefore waits until the run has ended, and from
then on until nothing has arrived for that long; --wait limits how long it waits for the first request, and for the end of a run
of which nothing arrives any more.

Faults are drawn for each request by its number, so they repeat with --seed. They are counted and printed apart from the verdict,
which takes no account of them. Delays are measured only for spans that ended after the sink started, in a run that goes on:
spans of the past are not late. A request whose connection was reset has been received, so sending it again duplicates its spans.

Memory: 16 requests at a time, as large as --max-request allows, and 8 MiB a connection for requests that wait; with a manifest
also as much as `tracegen verify` takes. Senders that are too fast have to wait.

Exit status: 0 done, or nothing lost, duplicated, altered or invented; 1 something is; 3 it could not be checked, because the run
has not ended or nothing of it has arrived; 130 interrupted before --for, --until-idle or --count was reached. Two signals within
half a second count as one; a second one ends the command at once, without a verdict.")]
pub struct Sink {
    /// Where to listen for OTLP/gRPC; port 0 takes a free one [default: 127.0.0.1:4317, unless --listen-http is given alone]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Where to listen for OTLP/HTTP [default: 127.0.0.1:4318, unless --listen is given alone]
    #[arg(long, value_name = "HOST:PORT")]
    listen_http: Option<String>,
    /// Verify what arrives against the run that writes this manifest: a file, or a URL (of a running serve:
    /// http://localhost:8000/api/manifest)
    #[arg(long, value_name = "FILE|URL")]
    manifest: Option<String>,
    /// End after this time
    #[arg(long = "for", value_name = "D", value_parser = parse::positive_duration)]
    duration: Option<u64>,
    /// End when nothing has arrived for this time, after the first request and, with --manifest, after the run's end
    #[arg(long, value_name = "D", value_parser = parse::positive_duration)]
    until_idle: Option<u64>,
    /// With --until-idle: how long to wait for the first request, and for the run's end while nothing arrives
    #[arg(long, value_name = "D", default_value = "1m", value_parser = parse::positive_duration)]
    wait: u64,
    /// End when this many spans have arrived
    #[arg(long, value_name = "SPANS", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Largest request, MiB
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    max_request: u32,
    /// Print only errors and the result
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    verdict: VerdictFlags,
    #[command(flatten)]
    faults: FaultFlags,
}

impl Sink {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        if self.manifest.is_none() && self.verdict.wants_run() {
            return Err(Failure::usage("there is a verdict only on a run: give its --manifest"));
        }
        if let Some(manifest) = &self.manifest {
            trial::can_be_read_again(manifest).map_err(|e| Failure::usage(format!("--manifest {manifest}: {e}")))?;
        }
        let policy = self.verdict.policy(&self.vocabulary())?;
        memory::take_small_pages();
        let faults = self.faults.resolve()?;
        let options = Options { max_bytes: (self.max_request as usize) << 20, faults: faults.clone() };
        let failed = |e: std::io::Error| Failure::impossible(format!("no threads to receive with: {e}"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(failed)?;
        let listeners = runtime.block_on(self.bind())?;
        let signals = {
            let _inside = runtime.enter();
            Signals::listen().map_err(failed)?
        };
        let mut page = Page::new(self.quiet, faults.clone());
        let at: Vec<String> = listeners.iter().filter_map(|l| Some(l.local_addr().ok()?.to_string())).collect();
        page.say(&format!("listening at {}", listed(&at, "and")));
        if self.faults.is_given() {
            page.say(&format!("faults follow from --seed {}", faults.seed));
        }
        let (receiver, arrivals) = Receiver::new(listeners, options);
        let (bench, books) = (Bench::new(self.manifest.clone(), policy), receiver.books());
        let worker = {
            let bench = bench.clone();
            std::thread::Builder::new().name("judge".into()).spawn(move || bench.take_all(arrivals)).map_err(failed)?
        };
        let interrupted = self.receive(&runtime, receiver, signals, &bench, &mut page);
        // All arrivals are there when the last connection has ended.
        runtime.shutdown_timeout(END_PATIENCE);
        worker.join().map_err(|_| Failure::impossible("taking requests broke off"))?;
        page.finish();
        self.conclude(&mut bench.lock(), &books.account(), &faults, interrupted)
    }

    /// Returns the names that the run's traces can have, as far as the manifest is there yet.
    fn vocabulary(&self) -> Vocabulary {
        let manifest = self.manifest.as_ref().filter(|_| self.verdict.has_conditions());
        let run = manifest.and_then(|manifest| trial::known(manifest).ok());
        Vocabulary::of(run.iter().flat_map(|run| run.archive.plans()))
    }

    async fn bind(&self) -> Result<Vec<TcpListener>, Failure> {
        let addresses = match (&self.listen, &self.listen_http) {
            (None, None) => vec![(GRPC, "--listen"), (HTTP, "--listen-http")],
            (grpc, http) => {
                let grpc = grpc.iter().map(|address| (&address[..], "--listen"));
                grpc.chain(http.iter().map(|address| (&address[..], "--listen-http"))).collect()
            }
        };
        let mut listeners = vec![];
        for (address, flag) in addresses {
            let listener = TcpListener::bind(address).await;
            listeners.push(listener.map_err(|e| cannot_listen(address, flag, &e))?);
        }
        Ok(listeners)
    }

    /// Receives until a limit is reached or a signal comes, and returns whether it was a signal.
    fn receive(&self, runtime: &Runtime, receiver: Receiver, signals: Signals, bench: &Bench, page: &mut Page) -> bool {
        let books = receiver.books();
        runtime.block_on(async {
            let (end, ended) = oneshot::channel::<()>();
            let mut server = tokio::spawn(receiver.run(async { drop(ended.await) }));
            let (mut signal, mut end) = (Box::pin(signals.first()), Some(end));
            let mut tick = interval(REDRAW);
            tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
            let (mut limits, mut signalled, mut interrupted) = (self.limits(), false, false);
            loop {
                tokio::select! {
                    () = &mut signal, if !signalled => {
                        page.say("stopping; requests under way are still received (signal again to stop at once)");
                        interrupted = end.take().is_some();
                        signalled = true;
                    }
                    _ = tick.tick() => {
                        let account = books.account();
                        let mut judge = bench.lock();
                        if let Some(trial) = &mut judge.trial {
                            trial.look();
                        }
                        page.update(&judge, &account);
                        limits.learn(&judge, account.requests);
                        if limits.ask_for_the_end() {
                            let bench = bench.clone();
                            // Only the manifest's content at the end counts.
                            tokio::task::spawn_blocking(move || drop(bench.ask()));
                        }
                        if limits.are_reached() {
                            end = None;
                        }
                    }
                    _ = &mut server => return interrupted,
                }
            }
        })
    }

    fn limits(&self) -> Limits {
        let duration = |ns: Option<u64>| ns.map(Duration::from_nanos);
        Limits::new(self.count, duration(self.duration), duration(self.until_idle), Duration::from_nanos(self.wait))
    }

    fn conclude(
        &self,
        judge: &mut Judge,
        account: &Account,
        faults: &Faults,
        interrupted: bool,
    ) -> Result<Exit, Failure> {
        let concluded = judge.trial.take().map(Trial::conclude);
        let rates = self.verdict.rates();
        if self.verdict.format == Format::Json {
            let report = concluded.as_ref().and_then(|concluded| concluded.as_ref().ok());
            let mut result = report.map_or(json!({}), |concluded| json!(concluded.report));
            result["sink"] = figures::as_json(judge, account);
            if !rates.is_empty() {
                result["sink"]["rates"] = judge.rates.as_json(&rates);
            }
            print(&format!("{result:#}\n"))?;
        } else if concluded.is_none() {
            print(&figures::summary(judge, account, faults))?;
        } else if !self.quiet {
            tell(figures::beside_verdict(judge, account, faults));
        }
        let exit = match concluded {
            None => Exit::Done,
            Some(Err(why)) => return Err(Failure::impossible(format!("{why}: not checked"))),
            Some(Ok(Concluded { report, .. })) if self.verdict.format == Format::Json => verdict::exit(&report),
            Some(Ok(Concluded { report, background })) => self.verdict.show(&[(report, background)])?,
        };
        match self.verdict.format {
            Format::Human => print(&judge.rates.lines(&rates))?,
            // They are no part of the report on a run.
            Format::Junit => tell(judge.rates.lines(&rates)),
            Format::Json => {}
        }
        let exit = judge.rates.exit(&rates, exit);
        let bounded = self.count.or(self.duration).or(self.until_idle).is_some();
        Ok(if interrupted && bounded && exit == Exit::Done { Exit::Interrupted } else { exit })
    }
}

fn cannot_listen(address: &str, flag: &str, error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::AddrInUse => Failure::impossible(format!(
            "{address} is in use, perhaps by a collector; take another one: {flag} 127.0.0.1:14317 (port 0 finds a free one)"
        )),
        ErrorKind::InvalidInput => {
            Failure::usage(format!("{flag} `{address}`: expected a host and a port, as 127.0.0.1:4317"))
        }
        _ => Failure::impossible(format!("can't listen at {address}: {error}")),
    }
}
