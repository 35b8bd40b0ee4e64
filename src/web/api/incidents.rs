//! Incidents and the chances of error conditions, which people change while the engine runs.

use super::body::{self, Object};
use super::{Problem, nanos, ok};
use crate::clock;
use crate::web::App;
use crate::web::incidents::{self, Wish};
use crate::web::library::changes::{Condition, Effect, Refusal};
use crate::web::request::Request;
use crate::web::response::Response;
use hyper::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        match refusal.is_conflict {
            true => Problem::new(StatusCode::CONFLICT, refusal.message),
            false => Problem::parameter("body", refusal.message),
        }
    }
}

/// Returns the incidents of the plan in use, and those of the past that were started here.
pub fn list(app: &App) -> Value {
    let now = clock::now();
    let entries = incidents::entries(app, now).into_iter().map(|entry| {
        let changes = entry.causes.iter().map(
            |(service, operation, subject)| json!({ "service": service, "operation": operation, "change": subject }),
        );
        json!({
            "name": entry.name,
            "origin": entry.origin.word(),
            "in_force": entry.is_in_force,
            "window": entry.window.map(|window| json!({ "from": nanos(window.start), "to": nanos(window.end) })),
            "for_ns": nanos(entry.length),
            "every_ns": entry.every.map(nanos),
            "changes": changes.collect::<Vec<_>>(),
            "rate": entry.rate,
        })
    });
    let shelf = app.library.shelf();
    let past = shelf.changes.past().map(
        |past| json!({ "name": past.name, "from": nanos(past.from), "to": nanos(past.to), "services": past.services }),
    );
    json!({ "now": nanos(now), "incidents": entries.collect::<Vec<_>>(), "past": past.collect::<Vec<_>>() })
}

/// Starts or ends an incident as the body says.
///
/// # Errors
/// The body is wrong, or it is not possible.
pub async fn act(app: &Arc<App>, request: &Request) -> Result<Response, Problem> {
    let wish = read(&body::parse(&request.body)?)?;
    incidents::carry_out(app, wish).await?;
    Ok(ok(&list(app)))
}

fn read(body: &Value) -> Result<Wish, Problem> {
    let given = Object::new(body, &["start", "make", "end"])?;
    let (start, end) = (given.object("start", &["name", "minutes"])?, given.object("end", &["name"])?);
    let make =
        given.object("make", &["name", "minutes", "select", "times", "add_ms", "errors", "error_type", "down"])?;
    let needed = |name: &str, owner: &str| Problem::parameter("body", format!("`{owner}` needs `{name}`."));
    let minutes = |object: &Object, owner: &str| {
        object.number("minutes", "a number", Some)?.ok_or_else(|| needed("minutes", owner))
    };
    let name = |object: &Object, owner: &str| {
        let name = object.text("name")?.map(str::to_owned);
        name.ok_or_else(|| needed("name", owner))
    };
    match (start, make, end) {
        (Some(start), None, None) => {
            Ok(Wish::Start { name: name(&start, "start")?, minutes: minutes(&start, "start")? })
        }
        (None, Some(make), None) => Ok(Wish::Make {
            name: make.text("name")?.map(str::to_owned),
            minutes: minutes(&make, "make")?,
            effect: effect(&make)?,
        }),
        (None, None, Some(end)) => Ok(Wish::End { name: name(&end, "end")? }),
        _ => Err(Problem::parameter("body", "The body must have one of `start`, `make` and `end`.")),
    }
}

fn effect(make: &Object) -> Result<Effect, Problem> {
    let select = make.object("select", &["service", "operation", "scenario", "instance"])?;
    let mut effect = Effect {
        times: make.number("times", "a number", Some)?,
        add_ms: make.number("add_ms", "a number", Some)?,
        down: make.truth("down")?.unwrap_or(false),
        ..Effect::default()
    };
    if let Some(select) = select {
        let text = |name: &str| Ok::<_, Problem>(select.text(name)?.map(str::to_owned));
        (effect.service, effect.operation) = (text("service")?, text("operation")?);
        (effect.scenario, effect.instance) = (text("scenario")?, select.whole("instance")?);
    }
    let error = make.text("error_type")?.unwrap_or(incidents::ERROR);
    effect.errors = make.number("errors", "a number", Some)?.map(|percent| (percent, error.to_owned()));
    Ok(effect)
}

/// Returns the error conditions that have a chance.
pub fn conditions(app: &App) -> Value {
    let conditions = incidents::conditions(app).into_iter().map(|(condition, percent, in_file)| {
        let Condition { scenario, service, operation, error, number } = condition;
        json!({
            "scenario": scenario,
            "service": service,
            "operation": operation,
            "error": error,
            "number": number,
            "percent": percent,
            "percent_in_file": in_file,
        })
    });
    json!({ "conditions": conditions.collect::<Vec<_>>() })
}

/// Changes chances as the body says.
///
/// # Errors
/// The body is wrong, or the plan can't have the chances.
pub async fn change(app: &Arc<App>, request: &Request) -> Result<Response, Problem> {
    let body = body::parse(&request.body)?;
    let given = Object::new(&body, &["conditions"])?;
    let mut wanted = vec![];
    for one in given.objects("conditions", &["scenario", "service", "operation", "error", "number", "percent"])? {
        let text = |name: &str| {
            let text = one.text(name)?.map(str::to_owned);
            text.ok_or_else(|| Problem::parameter("body", format!("A condition needs `{name}`.")))
        };
        let condition = Condition {
            scenario: text("scenario")?,
            service: text("service")?,
            operation: text("operation")?,
            error: text("error")?,
            number: one.whole("number")?.unwrap_or(0),
        };
        wanted.push((condition, one.number("percent", "a number from 0 to 100", Some)?));
    }
    incidents::set_chances(app, wanted).await?;
    Ok(ok(&conditions(app)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_one_thing() {
        let start = read(&json!({ "start": { "name": "slow", "minutes": 5 } })).unwrap();
        assert_eq!(start, Wish::Start { name: "slow".into(), minutes: 5.0 });
        assert_eq!(read(&json!({ "end": { "name": "slow" } })).unwrap(), Wish::End { name: "slow".into() });
        let made = json!({ "make": {
            "minutes": 0.5, "select": { "service": "pay*", "instance": 2 }, "times": 3, "errors": 20, "down": false,
        } });
        let effect = Effect {
            service: Some("pay*".into()),
            instance: Some(2),
            times: Some(3.0),
            errors: Some((20.0, incidents::ERROR.into())),
            ..Effect::default()
        };
        assert_eq!(read(&made).unwrap(), Wish::Make { name: None, minutes: 0.5, effect });
    }

    #[test]
    fn an_error_names_the_field_and_what_is_allowed() {
        for (body, said) in [
            (json!({}), "The body must have one of `start`, `make` and `end`."),
            (json!({ "start": {}, "end": {} }), "The body must have one of `start`, `make` and `end`."),
            (json!({ "begin": {} }), "There is no `begin` in the body. Allowed: `start`, `make` and `end`."),
            (json!({ "start": { "minutes": 1 } }), "`start` needs `name`."),
            (json!({ "start": { "name": "a" } }), "`start` needs `minutes`."),
            (json!({ "make": { "minutes": "x" } }), "Expected a number in `make.minutes`."),
            (json!({ "make": { "minutes": 1, "down": 1 } }), "Expected true or false in `make.down`."),
            (
                json!({ "make": { "minutes": 1, "select": { "servce": "a" } } }),
                "There is no `servce` in `make.select`; did you mean `service`?",
            ),
        ] {
            assert_eq!(read(&body).unwrap_err().message, said, "{body}");
        }
    }
}
