//! Start, stop, pause, and the settings that can be changed while the engine runs.

use super::body::{self, Object};
use super::{Problem, ok, status};
use crate::engine::{Pace, Settings};
use crate::interpreter::LoadTerms;
use crate::plan::Plan;
use crate::store::report::SECOND;
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::Response;
use crate::web::settings;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// [`Settings`] in the form in which they are sent.
#[derive(Serialize)]
pub struct Sent {
    pace: SentPace,
    lanes: u32,
    /// The factor by which the load of the files is multiplied.
    load_factor: f64,
    /// The weights by scenario name; scenarios that are not listed have the weight that their file gives.
    weights: BTreeMap<String, f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum SentPace {
    Rate {
        count: u64,
        per_ns: u64,
        arrivals: &'static str,
    },
    Interval {
        min_ns: u64,
        max_ns: u64,
    },
    /// As the load of the files says.
    Load {},
}

/// The names of the distributions of arrivals at a rate.
const SPREADS: [&str; 2] = ["constant", "poisson"];

pub fn act(app: &App, action: &str) -> Response {
    settings::steer(&app.session, action);
    ok(&status::of(app))
}

pub fn settings(app: &App) -> Sent {
    let settings = app.session.settings();
    let by_load = settings.is_by_load(&app.session.plan());
    let Settings { pace, lanes, factor, weights, .. } = settings;
    let pace = match pace {
        _ if by_load => SentPace::Load {},
        Pace::Rate { count, per_ns, poisson } => {
            SentPace::Rate { count, per_ns, arrivals: SPREADS[usize::from(poisson)] }
        }
        Pace::Interval { min_ns, max_ns } => SentPace::Interval { min_ns, max_ns },
    };
    Sent { pace, lanes, load_factor: factor as f64 / LoadTerms::ONE as f64, weights }
}

/// Changes the settings as the body says.
///
/// # Errors
/// The body is wrong, or the plan can't have the settings.
pub fn change(app: &App, request: &Request) -> Result<Response, Problem> {
    let settings = read(&body::parse(&request.body)?, app.session.settings(), &app.session.plan())?;
    app.session.apply(settings).map_err(|e| Problem::parameter("body", e.to_string()))?;
    Ok(ok(&self::settings(app)))
}

/// Reads settings; fields that are not given stay as in `current`.
fn read(body: &Value, current: Settings, plan: &Plan) -> Result<Settings, Problem> {
    let given = Object::new(body, &["pace", "lanes", "load_factor", "weights"])?;
    let pace = given.object("pace", &["rate", "interval", "load"])?;
    let by_load = pace.as_ref().map(|pace| pace.object("load", &[])).transpose()?.flatten().is_some();
    if by_load && plan.shared_source().is_none() {
        return Err(Problem::parameter("body", "`pace.load`: no scenario file has a load that scenarios share."));
    }
    let by_files = if pace.is_some() { by_load } else { current.by_files };
    let pace = pace.filter(|_| !by_load);
    Ok(Settings {
        pace: pace.map_or(Ok(current.pace), |pace| read_pace(&pace, current.pace))?,
        lanes: given.whole("lanes")?.unwrap_or(current.lanes),
        by_files,
        factor: given.number("load_factor", "a number above 0", factor)?.unwrap_or(current.factor),
        weights: given.numbers("weights")?.unwrap_or(current.weights),
    })
}

/// Converts a factor to millionths.
fn factor(factor: f64) -> Option<u64> {
    let millionths = (factor * LoadTerms::ONE as f64).round();
    (1.0..=LoadTerms::MAX_FACTOR as f64).contains(&millionths).then_some(millionths as u64)
}

fn read_pace(given: &Object, current: Pace) -> Result<Pace, Problem> {
    let rate = given.object("rate", &["count", "per_ns", "arrivals"])?;
    let interval = given.object("interval", &["min_ns", "max_ns"])?;
    let missing = |message: &str| Problem::parameter("body", message);
    match (rate, interval) {
        (Some(rate), None) => {
            let (now, spread) = match current {
                Pace::Rate { count, poisson, .. } => (Some(count), poisson),
                Pace::Interval { .. } => (None, false),
            };
            let count = rate.whole("count")?.or(now);
            let spread = rate.word("arrivals", &SPREADS)?.map_or(spread, |word| word == SPREADS[1]);
            let per_ns = rate.whole("per_ns")?.unwrap_or(SECOND);
            let count = count.ok_or_else(|| {
                missing("`pace.rate` needs a `count`, the number of traces in `per_ns` (default: a second).")
            })?;
            Ok(Pace::Rate { count, per_ns, poisson: spread })
        }
        (None, Some(interval)) => {
            let (min, max) = match current {
                Pace::Interval { min_ns, max_ns } => (Some(min_ns), Some(max_ns)),
                Pace::Rate { .. } => (None, None),
            };
            let ends = (interval.whole("min_ns")?.or(min)).zip(interval.whole("max_ns")?.or(max));
            let (min_ns, max_ns) = ends.ok_or_else(|| missing("`pace.interval` needs `min_ns` and `max_ns`."))?;
            Ok(Pace::Interval { min_ns, max_ns })
        }
        _ => Err(missing("`pace` must have one of `rate`, `interval` and `load`.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture;
    use serde_json::json;

    fn settings() -> Settings {
        Settings {
            pace: Pace::Rate { count: 20, per_ns: 60 * SECOND, poisson: true },
            lanes: 4,
            by_files: false,
            factor: LoadTerms::ONE,
            weights: [("Search".to_string(), 7.0)].into(),
        }
    }

    fn changed(body: Value) -> Settings {
        read(&body, settings(), &fixture::plan()).unwrap()
    }

    #[test]
    fn fields_that_are_not_given_stay() {
        assert_eq!(changed(json!({})), settings());
        assert_eq!(changed(json!({ "load_factor": 2.5 })), Settings { factor: 2_500_000, ..settings() });
        assert_eq!(changed(json!({ "lanes": 9 })), Settings { lanes: 9, ..settings() });
        assert!(changed(json!({ "weights": {} })).weights.is_empty(), "the weights are given as a whole");
        let rate = |count, per_ns, poisson| Pace::Rate { count, per_ns, poisson };
        assert_eq!(changed(json!({ "pace": { "rate": { "count": 50 } } })).pace, rate(50, SECOND, true));
        assert_eq!(changed(json!({ "pace": { "rate": { "arrivals": "constant" } } })).pace, rate(20, SECOND, false));
        let interval = json!({ "pace": { "interval": { "min_ns": 1, "max_ns": 2 } } });
        let at_intervals = read(&interval, settings(), &fixture::plan()).unwrap();
        assert_eq!(at_intervals.pace, Pace::Interval { min_ns: 1, max_ns: 2 });
        let wider = json!({ "pace": { "interval": { "max_ns": 9 } } });
        let wider = read(&wider, at_intervals, &fixture::plan()).unwrap();
        assert_eq!(wider.pace, Pace::Interval { min_ns: 1, max_ns: 9 });
    }

    #[test]
    fn an_error_names_the_field_and_what_is_allowed() {
        for (body, said) in [
            (json!([]), "Expected an object in the body, with any of `pace`, `lanes`, `load_factor` and `weights`."),
            (json!({ "pase": {} }), "There is no `pase` in the body; did you mean `pace`?"),
            (
                json!({ "colour": 1 }),
                "There is no `colour` in the body. Allowed: `pace`, `lanes`, `load_factor` and `weights`.",
            ),
            (json!({ "pace": 7 }), "Expected an object in `pace`, with any of `rate`, `interval` and `load`."),
            (json!({ "pace": null }), "Expected an object in `pace`, with any of `rate`, `interval` and `load`."),
            (json!({ "lanes": null }), "Expected a whole number from 0 in `lanes`."),
            (json!({ "pace": {} }), "`pace` must have one of `rate`, `interval` and `load`."),
            (json!({ "pace": { "load": {} } }), "`pace.load`: no scenario file has a load that scenarios share."),
            (json!({ "load_factor": 0 }), "Expected a number above 0 in `load_factor`."),
            (json!({ "pace": { "rate": { "count": "x" } } }), "Expected a whole number from 0 in `pace.rate.count`."),
            (
                json!({ "pace": { "rate": { "counts": 1 } } }),
                "There is no `counts` in `pace.rate`; did you mean `count`?",
            ),
            (
                json!({ "pace": { "rate": { "arrivals": 1 } } }),
                "Expected `constant` or `poisson` in `pace.rate.arrivals`.",
            ),
            (json!({ "pace": { "interval": {} } }), "`pace.interval` needs `min_ns` and `max_ns`."),
            (json!({ "lanes": 5_000_000_000_u64 }), "Expected a whole number from 0 in `lanes`."),
            (json!({ "weights": [1] }), "Expected an object in `weights`."),
            (json!({ "weights": { "a": "b" } }), "Expected a number in `weights` for `a`."),
        ] {
            assert_eq!(read(&body, settings(), &fixture::plan()).unwrap_err().message, said, "{body}");
        }
    }
}
