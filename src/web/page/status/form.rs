//! The form of the engine's settings.

use crate::engine::{Pace, SessionState};
use crate::text::quantity::{SECOND, format_rate};
use crate::web::format::share;
use crate::web::request::Fields;
use crate::web::settings::{Problem, WEIGHT};

/// The values in the fields.
pub struct Form {
    pub at_a_rate: bool,
    /// Whether the load of the files applies; `None` if they have none that scenarios share.
    pub by_load: Option<bool>,
    pub rate: String,
    pub poisson: bool,
    pub min: String,
    pub max: String,
    pub lanes: String,
    pub weights: Vec<Weight>,
    problems: Vec<Problem>,
}

pub struct Weight {
    pub field: String,
    pub scenario: String,
    pub value: String,
    /// The weight in the scenario's file.
    pub in_file: String,
    /// The observed share of the traces.
    pub observed: String,
    pub bar: String,
}

impl Form {
    /// Returns the form with the settings in use.
    pub fn of(state: &SessionState) -> Form {
        let settings = &state.settings;
        let seconds = |ns: u64| (ns as f64 / SECOND as f64).to_string();
        let (rate, gaps) = match settings.pace {
            Pace::Rate { count, per_ns, .. } => (format_rate(count, per_ns), None),
            Pace::Interval { min_ns, max_ns } => (String::new(), Some((min_ns, max_ns))),
        };
        let (min, max) = gaps.unwrap_or((SECOND / 2, 2 * SECOND));
        let traces: u64 = state.scenarios.iter().map(|s| s.traces).sum();
        let weight = |s: &crate::engine::Observed| Weight {
            field: format!("{WEIGHT}{}", s.name),
            scenario: s.name.clone(),
            value: settings.weights.get(&s.name).copied().unwrap_or(s.file_weight).to_string(),
            in_file: s.file_weight.to_string(),
            observed: share(s.traces, traces),
            bar: format!("{:.1}", s.traces as f64 * 100.0 / traces.max(1) as f64),
        };
        Form {
            at_a_rate: gaps.is_none(),
            by_load: state.plan.shared_source().map(|_| settings.by_files),
            // A rate of the same mean is suggested for switching to it.
            rate: match gaps {
                Some(_) => format!("{:.2}", state.target_rate).trim_end_matches('0').trim_end_matches('.').into(),
                None => rate.strip_suffix("/s").map(String::from).unwrap_or(rate),
            },
            poisson: matches!(settings.pace, Pace::Rate { poisson: true, .. }),
            min: seconds(min),
            max: seconds(max),
            lanes: settings.lanes.to_string(),
            weights: state.scenarios.iter().map(weight).collect(),
            problems: vec![],
        }
    }

    /// Returns the form as it was sent, with its problems.
    pub fn again(state: &SessionState, given: &Fields, problems: Vec<Problem>) -> Form {
        let form = Form::of(state);
        let kept = |name: &str, value: String| match given.0.iter().rev().find(|(n, _)| n == name) {
            Some((_, given)) => given.clone(),
            None => value,
        };
        Form {
            at_a_rate: given.get("pace").map_or(form.at_a_rate, |pace| pace == "rate"),
            by_load: form.by_load.map(|by_load| given.get("pace").map_or(by_load, |pace| pace == "load")),
            rate: kept("rate", form.rate),
            poisson: given.get("arrivals").map_or(form.poisson, |arrivals| arrivals == "poisson"),
            min: kept("min", form.min),
            max: kept("max", form.max),
            lanes: kept("lanes", form.lanes),
            weights: form.weights.into_iter().map(|w| Weight { value: kept(&w.field, w.value), ..w }).collect(),
            problems,
        }
    }

    /// Returns what is wrong with a field.
    pub fn wrong(&self, field: &str) -> Option<&str> {
        Some(&self.problems.iter().find(|p| p.field == field)?.message)
    }

    /// Returns the problems that belong to no shown field.
    pub fn others(&self) -> impl Iterator<Item = &Problem> {
        let shown = |p: &&Problem| {
            matches!(&*p.field, "rate" | "min" | "max" | "lanes") || self.weights.iter().any(|w| w.field == p.field)
        };
        self.problems.iter().filter(move |p| !shown(p))
    }

    pub fn is_wrong(&self) -> bool {
        !self.problems.is_empty()
    }
}
