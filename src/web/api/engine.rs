//! Start, stop, pause, and the settings that can be changed while it runs.

use super::{Problem, ok, status};
use crate::engine::{Pace, Settings};
use crate::web::App;
use crate::web::request::Request;
use crate::web::response::Response;
use crate::web::settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// [`Settings`] as they are sent.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sent {
    pace: SentPace,
    /// As it is, where it is not given.
    #[serde(default)]
    lanes: Option<u32>,
    /// By scenario name; the others have the weight that their file gives.
    #[serde(default)]
    weights: BTreeMap<String, f64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum SentPace {
    Rate { count: u64, per_ns: u64, arrivals: Spread },
    Interval { min_ns: u64, max_ns: u64 },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Spread {
    Constant,
    Poisson,
}

pub fn act(app: &App, action: &str) -> Response {
    settings::steer(&app.session, action);
    ok(&status::of(app))
}

pub fn settings(app: &App) -> Sent {
    let Settings { pace, lanes, weights } = app.session.settings();
    let pace = match pace {
        Pace::Rate { count, per_ns, poisson } => {
            SentPace::Rate { count, per_ns, arrivals: if poisson { Spread::Poisson } else { Spread::Constant } }
        }
        Pace::Interval { min_ns, max_ns } => SentPace::Interval { min_ns, max_ns },
    };
    Sent { pace, lanes: Some(lanes), weights }
}

pub fn change(app: &App, request: &Request) -> Result<Response, Problem> {
    let sent: Sent = serde_json::from_slice(&request.body).map_err(|e| Problem::parameter("body", e.to_string()))?;
    let pace = match sent.pace {
        SentPace::Rate { count, per_ns, arrivals } => {
            Pace::Rate { count, per_ns, poisson: matches!(arrivals, Spread::Poisson) }
        }
        SentPace::Interval { min_ns, max_ns } => Pace::Interval { min_ns, max_ns },
    };
    let lanes = sent.lanes.unwrap_or_else(|| app.session.settings().lanes);
    let settings = Settings { pace, lanes, weights: sent.weights };
    app.session.apply(settings).map_err(|e| Problem::parameter("body", e.to_string()))?;
    Ok(ok(&self::settings(app)))
}
