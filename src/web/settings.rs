//! The engine's settings as sent by a form: names and values on top of the settings in use.
//!
//! The names are `pace` (`rate`, `interval`, or `load`, which is as the files say), `rate` (such as `12` or `100/m`), `arrivals` (`even` or `poisson`), `min`
//! and `max` (such as `0.5` seconds or `500ms`), `lanes`, and `weight.NAME` for each scenario (empty: as its file says).
//! Values that are not named stay unchanged.

use super::request::Fields;
use crate::engine::{Observed, Pace, Session, Settings};
use crate::interpreter::MAX_LANES;
use crate::text::quantity::{self, Rate};

/// The prefix of a weight's name before the scenario's name.
pub const WEIGHT: &str = "weight.";

/// A field that can't be read, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub field: String,
    pub message: String,
}

/// Carries out the action at an address behind `engine/`.
pub fn steer(session: &Session, action: &str) {
    match action {
        "start" => session.resume(),
        "pause" => session.pause(),
        _ => session.stop(),
    }
}

/// Reads settings from a form.
///
/// # Errors
/// Fields are wrong; all problems are returned, in the order of the fields above.
pub fn read(form: &Fields, current: &Settings, scenarios: &[Observed]) -> Result<Settings, Vec<Problem>> {
    let mut reading = Reading { form, problems: vec![] };
    let (rate, poisson, gaps) = match current.pace {
        Pace::Rate { count, per_ns, poisson } => (Some((count, per_ns)), poisson, None),
        Pace::Interval { min_ns, max_ns } => (None, false, Some((min_ns, max_ns))),
    };
    let chosen = reading.part("pace", |text| match text {
        "rate" => Ok(Chosen::Rate),
        "interval" => Ok(Chosen::Interval),
        "load" => Ok(Chosen::Load),
        _ => Err("expected `rate`, `interval` or `load`".into()),
    });
    let by_files = chosen.map_or(current.by_files, |chosen| chosen == Chosen::Load);
    let at_a_rate = match chosen {
        Some(Chosen::Rate) => true,
        Some(Chosen::Interval) => false,
        Some(Chosen::Load) | None => rate.is_some(),
    };
    let pace = match at_a_rate {
        _ if chosen == Some(Chosen::Load) => Some(current.pace),
        true => {
            let rate = reading.part("rate", rate_of).or(rate);
            let poisson = reading.choice("arrivals", "even", "poisson").unwrap_or(poisson);
            rate.map(|(count, per_ns)| Pace::Rate { count, per_ns, poisson })
        }
        false => {
            let min = reading.part("min", quantity::duration).or(gaps.map(|gaps| gaps.0));
            let max = reading.part("max", quantity::duration).or(gaps.map(|gaps| gaps.1));
            let checked = min.zip(max).map(|(min, max)| quantity::checked_interval(min, max));
            let gaps = checked.and_then(|checked| checked.map_err(|message| reading.problem("max", message)).ok());
            gaps.map(|(min_ns, max_ns)| Pace::Interval { min_ns, max_ns })
        }
    };
    if pace.is_none() && reading.problems.is_empty() {
        let (field, message) = match at_a_rate {
            true => ("rate", "how many traces a second, as `12`"),
            false => ("min", "the shortest and the longest gap in seconds, as `0.5` and `2`"),
        };
        reading.problem(field, message.into());
    }
    let lanes = reading.part("lanes", |text| match text.parse() {
        Ok(lanes) if (1..=MAX_LANES).contains(&lanes) => Ok(lanes),
        _ => Err(format!("expected a whole number from 1 to {MAX_LANES}")),
    });
    let weights = reading.weights(current, scenarios);
    match pace {
        Some(pace) if reading.problems.is_empty() => {
            let (lanes, factor) = (lanes.unwrap_or(current.lanes), current.factor);
            Ok(Settings { pace, lanes, by_files, factor, weights })
        }
        _ => Err(reading.problems),
    }
}

/// The pace that a form chooses.
#[derive(Clone, Copy, PartialEq)]
enum Chosen {
    Rate,
    Interval,
    Load,
}

fn rate_of(text: &str) -> Result<(u64, u64), String> {
    match quantity::rate(text)? {
        Rate::Fixed { count, period: per } => Ok((count, per)),
        Rate::Max => Err("`max` is for `tracegen run`; a number, as `1000` or `100/m`".into()),
    }
}

struct Reading<'a> {
    form: &'a Fields,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, field: &str, message: String) {
        self.problems.push(Problem { field: field.into(), message });
    }

    /// Returns a field as parsed by `read`, if it is given and valid.
    fn part<T>(&mut self, field: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        read(self.form.get(field)?).map_err(|message| self.problem(field, message)).ok()
    }

    /// Returns whether a field has the second of two values.
    fn choice(&mut self, field: &str, first: &str, second: &str) -> Option<bool> {
        self.part(field, |text| match text {
            text if text == first => Ok(false),
            text if text == second => Ok(true),
            _ => Err(format!("expected `{first}` or `{second}`")),
        })
    }

    fn weights(&mut self, current: &Settings, scenarios: &[Observed]) -> std::collections::BTreeMap<String, f64> {
        let mut weights = current.weights.clone();
        weights.retain(|name, _| scenarios.iter().any(|s| s.name == *name));
        for (field, text) in &self.form.0 {
            let Some(name) = field.strip_prefix(WEIGHT) else { continue };
            let Some(scenario) = scenarios.iter().find(|s| s.name == name) else {
                self.problem(field, format!("there is no scenario `{name}`"));
                continue;
            };
            let weight = match text.trim() {
                "" => Some(scenario.file_weight),
                text => text.parse().ok().filter(|w: &f64| w.is_finite() && *w >= 0.0),
            };
            match weight {
                Some(weight) if weight == scenario.file_weight => drop(weights.remove(name)),
                Some(weight) => drop(weights.insert(name.into(), weight)),
                None => self.problem(field, "expected a number from 0, as `15`; 0 switches it off".into()),
            }
        }
        let weight = |s: &Observed| weights.get(&s.name).copied().unwrap_or(s.file_weight);
        if self.problems.is_empty() && scenarios.iter().all(|s| weight(s) == 0.0) {
            self.problem("weights", "at least one scenario needs a weight above 0".into());
        }
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn settings() -> Settings {
        Settings {
            pace: Pace::Interval { min_ns: SECOND / 2, max_ns: 2 * SECOND },
            lanes: 4,
            by_files: false,
            factor: 1_000_000,
            weights: Default::default(),
        }
    }

    fn scenarios() -> Vec<Observed> {
        let of = |name: &str, file_weight| Observed { name: name.into(), file_weight, ..Observed::default() };
        vec![of("Order & pay", 15.0), of("Search", 2.0)]
    }

    fn read(form: &str, current: &Settings) -> Result<Settings, Vec<Problem>> {
        super::read(&Fields::parse(form), current, &scenarios())
    }

    fn wrong(form: &str) -> Vec<String> {
        read(form, &settings()).unwrap_err().into_iter().map(|p| p.field).collect()
    }

    #[test]
    fn fields_that_are_not_named_stay_unchanged() {
        let mut current = settings();
        current.weights.insert("Search".into(), 7.0);
        assert_eq!(read("", &current), Ok(current.clone()));
        let at_a_rate = read("pace=rate&rate=12&arrivals=poisson", &current).unwrap();
        assert_eq!(at_a_rate.pace, Pace::Rate { count: 12, per_ns: SECOND, poisson: true });
        assert_eq!(at_a_rate.weights, current.weights);
        let faster = read("rate=100%2Fm&lanes=9", &at_a_rate).unwrap();
        assert_eq!(faster.pace, Pace::Rate { count: 100, per_ns: 60 * SECOND, poisson: true });
        assert_eq!(faster.lanes, 9);
        let back = read("pace=interval&min=500ms&max=1&arrivals=even&rate=nonsense", &faster).unwrap();
        assert_eq!(back.pace, Pace::Interval { min_ns: SECOND / 2, max_ns: SECOND }, "the other pace is not read");
    }

    #[test]
    fn the_load_of_the_files_can_be_left_and_come_back_to() {
        let by_load = read("pace=load&rate=nonsense&min=x", &settings()).unwrap();
        assert_eq!(by_load, Settings { by_files: true, ..settings() });
        assert_eq!(read("lanes=4", &by_load), Ok(by_load.clone()));
        let at_a_rate = read("pace=rate&rate=3", &by_load).unwrap();
        assert_eq!(
            (at_a_rate.by_files, at_a_rate.pace),
            (false, Pace::Rate { count: 3, per_ns: SECOND, poisson: false })
        );
    }

    #[test]
    fn weights_are_kept_where_they_differ_from_the_file() {
        let one = read("weight.Search=0.5&weight.Order+%26+pay=15", &settings()).unwrap();
        assert_eq!(one.weights, [("Search".to_string(), 0.5)].into());
        assert!(read("weight.Search=", &one).unwrap().weights.is_empty());
    }

    #[test]
    fn each_mistake_is_reported_at_its_field() {
        assert_eq!(wrong("pace=rate"), ["rate"]);
        assert_eq!(wrong("pace=rate&rate=max"), ["rate"]);
        assert_eq!(wrong("pace=rate&rate=0&arrivals=bursts&lanes=0"), ["rate", "arrivals", "lanes"]);
        assert_eq!(wrong("pace=sometimes"), ["pace"]);
        assert_eq!(wrong("min=3"), ["max"]);
        assert_eq!(wrong("min=x&max=y&lanes=70000"), ["min", "max", "lanes"]);
        assert_eq!(wrong("weight.Search=-1&weight.Nobody=1"), ["weight.Search", "weight.Nobody"]);
        assert_eq!(wrong("weight.Search=NaN"), ["weight.Search"]);
        assert_eq!(wrong("weight.Search=0&weight.Order+%26+pay=0"), ["weights"]);
        let mut current = settings();
        current.pace = Pace::Rate { count: 1, per_ns: SECOND, poisson: false };
        let missing = read("pace=interval", &current).unwrap_err();
        assert_eq!(missing[0].field, "min");
    }
}
