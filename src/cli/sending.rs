//! The flags for how spans leave.

use super::{Failure, parse};
use crate::journal::{Sending, Unit};
use crate::plan::Plan;
use crate::text::listed;
use crate::text::quantity::{self, SECOND, format_duration};
use clap::{Args, ValueEnum};

/// The time between the batches of a service instance, as in the SDKs of OpenTelemetry.
const BATCH_DELAY: u64 = 5 * SECOND;
/// The maximum number of services that an error lists.
const SHOWN: usize = 12;

/// The flags for how spans leave.
#[derive(Args, Default)]
pub struct SendingFlags {
    /// What leaves together: each trace when its last span has ended, or each span when it has ended itself, in the next
    /// batch of its service instance, as SDKs send them [default: traces]
    #[arg(long, value_enum, value_name = "WHAT")]
    send: Option<UnitFlag>,
    /// With --send spans, the time between the batches of a service instance, which also leave at 512 spans [default: 5s]
    #[arg(long, value_name = "D", value_parser = parse::positive_duration)]
    batch_delay: Option<u64>,
    /// Hold back the spans of a service for D: payment-service=30s, 'db-*=2m'; can be repeated
    #[arg(long, value_name = "SERVICE=D", value_parser = late)]
    late: Vec<(String, u64)>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum UnitFlag {
    Traces,
    Spans,
}

/// Parses the value of `--late`.
fn late(text: &str) -> Result<(String, u64), String> {
    let (service, time) =
        text.rsplit_once('=').ok_or("expected a service, or a glob over services, and a time, as `payment=30s`")?;
    match quantity::duration(time)? {
        late if late > Sending::MAX_LATE => Err(format!("at most {}", format_duration(Sending::MAX_LATE))),
        late => Ok((service.into(), late)),
    }
}

impl SendingFlags {
    /// Returns the way of sending that the flags ask for.
    ///
    /// # Errors
    /// The flags contradict each other, a time is out of range, or the plan has no such service.
    pub fn resolve(&self, plan: &Plan) -> Result<Sending, Failure> {
        let unit = match (self.send, self.batch_delay) {
            (Some(UnitFlag::Spans), Some(delay)) if delay > Sending::MAX_BATCH_DELAY => {
                let most = format_duration(Sending::MAX_BATCH_DELAY);
                return Err(Failure::usage(format!("--batch-delay {}: at most {most}", format_duration(delay))));
            }
            (Some(UnitFlag::Spans), delay) => Unit::Spans { batch_delay: delay.unwrap_or(BATCH_DELAY) },
            (_, Some(_)) => {
                return Err(Failure::usage(
                    "--batch-delay needs --send spans: a trace that leaves as a whole waits for none",
                ));
            }
            (_, None) => Unit::Traces,
        };
        let mut sending = Sending { unit, ..Sending::default() };
        for (service, late) in &self.late {
            let alone = Sending { late: [(service.clone(), 1)].into(), ..Sending::default() };
            if alone.late_services(plan).next().is_none() {
                let problem = format!("--late {service}={}: there is no such service", format_duration(*late));
                let mut names: Vec<&str> = plan.services.iter().map(|service| plan.text(service.name)).collect();
                let more = names.len().saturating_sub(SHOWN);
                names.truncate(SHOWN);
                let more = if more > 0 { format!(", and {more} more") } else { String::new() };
                return Err(Failure::usage(format!("{problem}; there are {}{more}", listed(&names, "and"))));
            }
            let longest = sending.late.entry(service.clone()).or_default();
            *longest = (*longest).max(*late);
        }
        sending.late.retain(|_, late| *late > 0);
        Ok(sending)
    }
}

/// Returns the flags that ask for a way of sending.
pub fn flags(sending: &Sending) -> Vec<String> {
    let mut flags = vec![];
    if let Unit::Spans { batch_delay } = sending.unit {
        flags.push("--send spans".into());
        flags.push(format!("--batch-delay {}", format_duration(batch_delay)));
    }
    let late = |(service, late): (&String, &u64)| format!("{service}={}", format_duration(*late));
    flags.extend(sending.late.iter().map(late).map(|late| format!("--late {}", super::words::quoted(&late))));
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lateness_of_a_service() {
        assert_eq!(late("payment=30s"), Ok(("payment".into(), 30 * SECOND)));
        assert_eq!(late("a=b=500ms"), Ok(("a=b".into(), SECOND / 2)));
        for text in ["", "payment", "payment=", "payment=x", "payment=25h"] {
            assert!(late(text).is_err(), "{text}");
        }
    }

    #[test]
    fn flags_read_back() {
        let sending = Sending {
            unit: Unit::Spans { batch_delay: 1_500_000_000 },
            late: [("db-*".to_string(), 90 * SECOND)].into(),
        };
        assert_eq!(flags(&sending), ["--send spans", "--batch-delay 1500ms", "--late 'db-*=90s'"]);
        assert!(flags(&Sending::default()).is_empty());
    }
}
