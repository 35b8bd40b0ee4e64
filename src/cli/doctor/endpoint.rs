//! The check of the endpoint: whether its name is known, something listens, and it accepts traces from this machine.

use super::clock::ClockReading;
use super::report::Finding;
use super::{Doctor, PATIENCE};
use crate::cli::environment;
use crate::clock::now;
use crate::export::target::{Protocol, Target};
use crate::export::{Answer, Probe, probe};
use crate::text::host;
use hyper::Uri;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

/// The time allowed for a name look-up, and for a connection.
const BRIEF: Duration = Duration::from_secs(2);
/// The time allowed for trying another protocol or port that may be the right one.
const ASIDE: Duration = Duration::from_millis(1_500);

/// The findings about the endpoint, and its clock if it answered with a time.
pub struct Checked {
    pub findings: Vec<Finding>,
    pub time: Option<ClockReading>,
}

impl Checked {
    /// Returns the finding that the endpoint could not be checked because its variables can't be read.
    pub fn not() -> Checked {
        Checked::with(Finding::note("endpoint", "not checked, as its variables can't be read"))
    }

    fn with(finding: Finding) -> Checked {
        Checked { findings: vec![finding], time: None }
    }
}

pub async fn check(doctor: &Doctor, target: &Target) -> Checked {
    let url = &target.url;
    let (name, port) = (url.host().unwrap_or_default(), port(url));
    let bare = host::bare(name);
    let known = timeout(BRIEF, lookup_host((bare, port))).await;
    let unknown = match known {
        Ok(Ok(mut addresses)) => addresses.next().is_none().then(|| "it has no address".to_string()),
        Ok(Err(e)) => Some(e.to_string()),
        Err(_) => Some(format!("no answer within {} s", BRIEF.as_secs())),
    };
    if let Some(reason) = unknown {
        let finding = format!("{target}: the name `{bare}` is not known ({reason})");
        return Checked::with(
            Finding::fix("endpoint", finding).advise("set the endpoint to a name this machine knows"),
        );
    }
    match timeout(BRIEF, TcpStream::connect((bare, port))).await {
        Ok(Ok(_)) => {}
        Ok(Err(e)) => return Checked::with(nobody(doctor, target, &e.kind().to_string()).await),
        Err(_) => {
            let reason = format!("no connection within {} s", BRIEF.as_secs());
            return Checked::with(nobody(doctor, target, &reason).await);
        }
    }
    let asked = now();
    let Probe { answer, date } = match probe(target, PATIENCE).await {
        Ok(probe) => probe,
        Err(e) => return Checked::with(Finding::fix("endpoint", e.to_string())),
    };
    let time = date.and_then(|date| u64::try_from(date.as_nanosecond()).ok()).map(|date| {
        // A date has whole seconds only.
        let half = 500_000_000;
        ClockReading { theirs: date + half, error: half, asked, answered: now() }
    });
    Checked { findings: vec![finding(doctor, target, answer).await], time }
}

fn port(url: &Uri) -> u16 {
    url.port_u16().unwrap_or(if url.scheme_str() == Some("https") { 443 } else { 80 })
}

/// Returns the finding that nothing listens at the target.
async fn nobody(doctor: &Doctor, target: &Target, reason: &str) -> Finding {
    let elsewhere = neighbour(doctor, target).await;
    if target.is_default && elsewhere.is_none() {
        let finding = format!("nothing at {target}, where `tracegen run` sends by default ({reason})");
        let advice = "start a collector, or set OTEL_EXPORTER_OTLP_ENDPOINT; `tracegen serve` and `tracegen run --exporter \
                      stdout` need none";
        return Finding::note("endpoint", finding).advise(advice);
    }
    let advice = elsewhere.unwrap_or_else(|| "start the collector, or set the endpoint to where it listens".into());
    Finding::fix("endpoint", format!("nothing at {target}: {reason}")).advise(advice)
}

async fn finding(doctor: &Doctor, target: &Target, answer: Answer) -> Finding {
    let tls = if target.url.scheme_str() == Some("https") { ", by TLS with a certificate that is trusted" } else { "" };
    match answer {
        Answer::Taken { message } if message.is_empty() => {
            Finding::ok("endpoint", format!("{target} takes traces{tls}"))
        }
        Answer::Taken { message } => {
            Finding::note("endpoint", format!("{target} takes traces{tls}, and says: {message}"))
        }
        Answer::Forbidden { cause } => {
            let advice = match target.headers.is_empty() {
                true => "set OTEL_EXPORTER_OTLP_HEADERS, as authorization=Bearer%20TOKEN",
                false => "the headers that are set are not those it wants: see OTEL_EXPORTER_OTLP_HEADERS and --header",
            };
            Finding::fix("endpoint", format!("{target} wants other credentials: {cause}")).advise(advice)
        }
        Answer::Refused { cause, passing: true } => {
            let advice = "what it hands on to may be out of reach: its log says more; tracegen would try again";
            Finding::fix("endpoint", format!("{target} takes nothing at the moment: {cause}")).advise(advice)
        }
        Answer::Refused { cause, passing: false } => {
            let other = other_protocol(doctor, target).await;
            let advice = other.unwrap_or_else(|| match target.protocol {
                Protocol::Grpc => {
                    "it must have OTLP's service for traces: an otlp receiver in a pipeline of traces".into()
                }
                _ => "is it a receiver of OTLP, and the path right? /v1/traces is appended to \
                      OTEL_EXPORTER_OTLP_ENDPOINT, but not to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
                    .into(),
            });
            Finding::fix("endpoint", format!("{target} refuses: {cause}")).advise(advice)
        }
        Answer::Untrusted { cause } => Finding::fix("endpoint", format!("{target}: no TLS: {cause}")),
        Answer::Silent { cause, connected } => {
            let other = other_protocol(doctor, target).await;
            let advice = match (other, connected) {
                (Some(other), _) => other,
                (None, true) if !tls.is_empty() && target.certificates.client.is_none() => {
                    "if it asks for a client certificate, set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY"
                        .into()
                }
                (None, true) => "something listens there that does not speak OTLP as configured".into(),
                (None, false) => "it takes no connection now, and did a moment ago: is it starting?".into(),
            };
            Finding::fix("endpoint", format!("{target}: {cause}")).advise(advice)
        }
    }
}

/// Returns what to set if the same port accepts the other protocol, or the usual port of the other protocol does.
async fn other_protocol(doctor: &Doctor, target: &Target) -> Option<String> {
    let other = other(target.protocol);
    let (here, beside) = tokio::join!(takes(doctor, target, port(&target.url), other), neighbour(doctor, target));
    let subject = if other == Protocol::Grpc { "gRPC" } else { "OTLP over HTTP" };
    let here = here.map(|_| format!("it speaks {subject}: set {}", setting(doctor, "--protocol", "PROTOCOL", other)));
    here.or(beside)
}

/// Tries the other one of the two usual ports: 4317 for gRPC, 4318 for HTTP.
async fn neighbour(doctor: &Doctor, target: &Target) -> Option<String> {
    let (port, protocol) = match port(&target.url) {
        4317 => (4318, Protocol::HttpProtobuf),
        4318 => (4317, Protocol::Grpc),
        _ => return None,
    };
    let endpoint = takes(doctor, target, port, protocol).await?;
    let both =
        [setting(doctor, "--endpoint", "ENDPOINT", &endpoint), setting(doctor, "--protocol", "PROTOCOL", protocol)];
    Some(format!("port {port} takes {protocol}: set {}", both.join(" ")))
}

/// Returns the endpoint if that port of the target's host accepts the protocol.
async fn takes(doctor: &Doctor, target: &Target, port: u16, protocol: Protocol) -> Option<String> {
    let (scheme, host) = (target.url.scheme_str()?, target.url.host()?);
    let endpoint = format!("{scheme}://{host}:{port}");
    let flags = doctor.flags(Some((endpoint.clone(), &protocol.to_string())));
    let target = Target::resolve(flags, &environment::text).ok()?;
    let Probe { answer, .. } = probe(&target, ASIDE).await.ok()?;
    // A receiver that demands credentials speaks the protocol.
    matches!(answer, Answer::Taken { .. } | Answer::Forbidden { .. }).then_some(endpoint)
}

fn other(protocol: Protocol) -> Protocol {
    if protocol == Protocol::Grpc { Protocol::HttpProtobuf } else { Protocol::Grpc }
}

/// Returns the setting in the form in which it was given: by flag, or by the variable in effect.
fn setting(doctor: &Doctor, flag: &str, variable: &str, value: impl std::fmt::Display) -> String {
    let by_flag = if flag == "--protocol" { doctor.protocol.is_some() } else { doctor.endpoint.is_some() };
    let of_traces = format!("OTEL_EXPORTER_OTLP_TRACES_{variable}");
    match by_flag {
        true => format!("{flag} {value}"),
        false if environment::text(&of_traces).is_some() => format!("{of_traces}={value}"),
        false => format!("OTEL_EXPORTER_OTLP_{variable}={value}"),
    }
}
