//! The flags for faults of the receiver.

use crate::cli::Failure;
use crate::receive::Faults;
use crate::text::quantity;
use clap::Args;
use std::time::Duration;

#[derive(Args)]
#[command(next_help_heading = "Faults")]
pub struct FaultFlags {
    /// Delay each answer: by 100ms, or by 50ms..200ms, uniformly distributed
    #[arg(long, value_name = "D|MIN..MAX", value_parser = delay)]
    delay: Option<(Duration, Duration)>,
    /// Refuse a share of the requests temporarily: UNAVAILABLE in gRPC, 503 in HTTP
    #[arg(long, value_name = "P%", value_parser = share)]
    unavailable: Option<f64>,
    /// Time after which a refused request should be sent again, in HTTP whole seconds; 0: none is named [default: 1s]
    #[arg(long, value_name = "D", value_parser = quantity::duration, requires = "unavailable")]
    retry_after: Option<u64>,
    /// Reject a share of the spans, and say so in the answer: OTLP's partial success
    #[arg(long, value_name = "P%", value_parser = share)]
    partial: Option<f64>,
    /// Acknowledge a share of the requests, but discard them
    #[arg(long, value_name = "P%", value_parser = share)]
    drop: Option<f64>,
    /// Receive a share of the requests, but reset their connections instead of answering
    #[arg(long, value_name = "P%", value_parser = share)]
    reset: Option<f64>,
    /// Seed of the random choice of faults [default: a random one, which is printed]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl FaultFlags {
    /// Returns the faults.
    ///
    /// # Errors
    /// The shares of failing requests add up to more than 100%.
    pub fn resolve(&self) -> Result<Faults, Failure> {
        let share = |share: Option<f64>| share.unwrap_or_default();
        let faults = Faults {
            seed: self.seed.unwrap_or_else(crate::cli::draw_seed),
            unavailable: share(self.unavailable),
            drop: share(self.drop),
            reset: share(self.reset),
            partial: share(self.partial),
            retry_after: self.retry_after.map_or(Duration::from_secs(1), Duration::from_nanos),
            delay: self.delay,
        };
        if faults.unavailable + faults.drop + faults.reset > 1.0 + 1e-9 {
            return Err(Failure::usage(
                "--unavailable, --drop and --reset are shares of all requests: at most 100% together",
            ));
        }
        Ok(faults)
    }

    /// Reports whether any flag is given.
    pub fn is_given(&self) -> bool {
        let shares = [self.unavailable, self.partial, self.drop, self.reset];
        self.delay.is_some() || shares.into_iter().any(|share| share.is_some())
    }
}

/// Parses `5%` and returns 0.05.
fn share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
    let percent: Option<f64> = percent.filter(|percent| (0.0..=100.0).contains(percent));
    percent.map(|percent| percent / 100.0).ok_or_else(|| "expected a share from 0% to 100%, as `5%` or `0.1%`".into())
}

fn delay(text: &str) -> Result<(Duration, Duration), String> {
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let (min, max) = (quantity::duration(min.trim())?, quantity::duration(max.trim())?);
    if min > max {
        return Err("the shortest delay is longer than the longest".into());
    }
    Ok((Duration::from_nanos(min), Duration::from_nanos(max)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages() {
        for (text, expected) in [("5%", 0.05), ("0.1%", 0.001), ("0%", 0.0), ("100 %", 1.0)] {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for text in ["", "5", "0.05", "-1%", "101%", "NaN%", "inf%", "%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_delay_is_a_duration_or_two() {
        let ms = Duration::from_millis;
        assert_eq!(delay("100ms"), Ok((ms(100), ms(100))));
        assert_eq!(delay("50ms .. 0.2"), Ok((ms(50), ms(200))));
        for text in ["", "..", "1s..", "2s..1s", "-1s"] {
            assert!(delay(text).is_err(), "{text}");
        }
    }
}
