//! The rates at which spans, traces and bytes arrive, and the limits that are expected of them.

use super::Exit;
use crate::text::{count, duration, three_figures};
use crate::verify::Census;
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

const SECOND: u64 = 1_000_000_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Spans,
    /// Root spans.
    Traces,
    Bytes,
}

const UNITS: [(Unit, &str); 3] = [(Unit::Spans, "spans/s"), (Unit::Traces, "traces/s"), (Unit::Bytes, "bytes/s")];

/// An expected limit of a rate, such as `rate <= 100 spans/s`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpectedRate {
    /// The limit is on the most that comes in any second of the clock, instead of on the mean.
    is_of_peak: bool,
    /// The limit is the least, instead of the most.
    is_least: bool,
    limit: f64,
    unit: Unit,
}

impl FromStr for ExpectedRate {
    type Err = ();

    fn from_str(text: &str) -> Result<ExpectedRate, ()> {
        let (is_of_peak, rest) = match (text.strip_prefix("rate"), text.strip_prefix("peak")) {
            (Some(rest), _) => (false, rest.trim_start()),
            (None, Some(rest)) => (true, rest.trim_start()),
            (None, None) => return Err(()),
        };
        let (is_least, rest) = match (rest.strip_prefix("<="), rest.strip_prefix(">=")) {
            (Some(rest), _) => (false, rest.trim()),
            (None, Some(rest)) => (true, rest.trim()),
            (None, None) => return Err(()),
        };
        let (unit, figure) = UNITS.iter().find_map(|(unit, name)| Some((*unit, rest.strip_suffix(name)?))).ok_or(())?;
        let limit: f64 = figure.trim().parse().map_err(drop)?;
        if !(limit.is_finite() && limit >= 0.0) {
            return Err(());
        }
        Ok(ExpectedRate { is_of_peak, is_least, limit, unit })
    }
}

impl fmt::Display for ExpectedRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = if self.is_of_peak { "peak" } else { "rate" };
        let sign = if self.is_least { ">=" } else { "<=" };
        write!(f, "{subject} {sign} {} {}", self.limit, self.unit.name())
    }
}

impl Unit {
    fn name(self) -> &'static str {
        UNITS.iter().find(|(unit, _)| *unit == self).map_or("", |(_, name)| name)
    }

    fn of(self, amounts: [u64; 3]) -> u64 {
        amounts[UNITS.iter().position(|(unit, _)| *unit == self).unwrap_or(0)]
    }
}

/// The rates so far. Amounts are in the order of [`UNITS`].
#[derive(Default)]
pub struct Rates {
    /// The arrival of the first and of the last request, in ns since 1970.
    extent: Option<(u64, u64)>,
    all: [u64; 3],
    /// The second in which the last request arrived, and what has arrived in it.
    second: (u64, [u64; 3]),
    /// The most that has arrived in a second.
    peak: [u64; 3],
}

impl Rates {
    /// Counts what a census has counted since the last call, which arrived at `time`, in ns since 1970.
    pub fn count(&mut self, census: &Census, time: u64) {
        let now = [census.spans, census.roots, census.bytes];
        let second = time / SECOND;
        if self.second.0 != second {
            self.second = (second, [0; 3]);
        }
        for (at, now) in now.into_iter().enumerate() {
            self.second.1[at] += now - self.all[at];
            self.peak[at] = self.peak[at].max(self.second.1[at]);
        }
        self.all = now;
        let (first, last) = self.extent.unwrap_or((time, time));
        self.extent = Some((first.min(time), last.max(time)));
    }

    /// Returns the time over which the means are taken, in ns: from the first request to the last, and a second for the
    /// last.
    fn time(&self) -> Option<u64> {
        self.extent.map(|(first, last)| last - first + SECOND)
    }

    fn mean(&self, unit: Unit) -> Option<f64> {
        Some(unit.of(self.all) as f64 * SECOND as f64 / self.time()? as f64)
    }

    /// Reports whether a rate is as expected; `None` if nothing has arrived.
    fn holds(&self, expected: &ExpectedRate) -> Option<bool> {
        let mean = self.mean(expected.unit)?;
        let rate = if expected.is_of_peak { expected.unit.of(self.peak) as f64 } else { mean };
        Some(if expected.is_least { rate >= expected.limit } else { rate <= expected.limit })
    }

    /// Returns a line on each expected rate.
    pub fn lines(&self, expected: &[ExpectedRate]) -> String {
        let line = |expected: &ExpectedRate| {
            let (Some(holds), Some(mean), Some(time)) = (self.holds(expected), self.mean(expected.unit), self.time())
            else {
                return format!("not checked: {expected}: nothing has arrived\n");
            };
            let wrong = if holds { "" } else { "rate: " };
            let (mean, peak) = (three_figures(mean), expected.unit.of(self.peak));
            let (unit, time) = (expected.unit.name(), duration(time));
            let peak = count(peak, unit.trim_end_matches("s/s"));
            format!("{wrong}{expected}: {mean} {unit} in the mean of {time}, at most {peak} in a second\n")
        };
        expected.iter().map(line).collect()
    }

    pub fn as_json(&self, expected: &[ExpectedRate]) -> Value {
        let of = |expected: &ExpectedRate| {
            json!({
                "expected": expected.to_string(),
                "mean": self.mean(expected.unit),
                "peak": expected.unit.of(self.peak),
                "time_ns": self.time(),
                "holds": self.holds(expected),
            })
        };
        expected.iter().map(of).collect()
    }

    /// Returns how the command ends: a rate that is not as expected beats everything but what is wrong already.
    pub fn exit(&self, expected: &[ExpectedRate], exit: Exit) -> Exit {
        let is = |subject: Option<bool>| expected.iter().any(|expected| self.holds(expected) == subject);
        match exit {
            Exit::Wrong => Exit::Wrong,
            _ if is(Some(false)) => Exit::Wrong,
            _ if is(None) => Exit::Impossible,
            exit => exit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(arrivals: &[(u64, u64)]) -> Rates {
        let (mut rates, mut census) = (Rates::default(), Census::default());
        for (time, spans) in arrivals {
            census.spans += spans;
            rates.count(&census, *time);
        }
        rates
    }

    #[test]
    fn a_limit_is_on_the_mean_or_on_the_most_of_a_second() {
        let half = SECOND / 2;
        // 100, 100, 40 and 0 in four seconds of the clock.
        let rates = rates(&[(0, 60), (half, 40), (SECOND, 100), (3 * SECOND, 20), (3 * SECOND + half, 20)]);
        let holds = |text: &str| rates.holds(&text.parse().unwrap());
        assert_eq!(rates.mean(Unit::Spans), Some(240.0 / 4.5));
        for (text, expected) in [
            ("rate <= 54 spans/s", true),
            ("rate <= 53 spans/s", false),
            ("rate >= 53 spans/s", true),
            ("peak <= 100 spans/s", true),
            ("peak <= 99 spans/s", false),
            ("peak >= 101 spans/s", false),
            ("rate <= 0 traces/s", true),
        ] {
            assert_eq!(holds(text), Some(expected), "{text}");
        }
        assert_eq!(Rates::default().holds(&"rate <= 5 bytes/s".parse().unwrap()), None);
    }

    #[test]
    fn a_limit_is_read_in_its_notation() {
        for text in ["rate <= 100 spans/s", "peak >= 2.5 traces/s", "rate <= 1000000 bytes/s"] {
            assert_eq!(text.parse::<ExpectedRate>().unwrap().to_string(), text);
        }
        assert_eq!("rate<=5spans/s".parse::<ExpectedRate>().unwrap().to_string(), "rate <= 5 spans/s");
        for text in [
            "",
            "rate",
            "rate <= spans/s",
            "rate = 5 spans/s",
            "rate <= 5",
            "rate <= -5 spans/s",
            "rate <= inf spans/s",
            "speed <= 5 spans/s",
        ] {
            assert_eq!(text.parse::<ExpectedRate>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_broken_limit_ends_in_failure() {
        let (some, none) = (rates(&[(0, 60)]), Rates::default());
        let limits = |text: &str| [text.parse::<ExpectedRate>().unwrap()];
        assert_eq!(some.exit(&limits("rate <= 60 spans/s"), Exit::Done), Exit::Done);
        assert_eq!(some.exit(&limits("rate <= 59 spans/s"), Exit::Impossible), Exit::Wrong);
        assert_eq!(none.exit(&limits("rate <= 59 spans/s"), Exit::Done), Exit::Impossible);
        assert_eq!(some.exit(&[], Exit::Interrupted), Exit::Interrupted);
    }
}
