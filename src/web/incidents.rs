//! The incidents of the plan in use: when they are in force, and how people start and end them.

use super::App;
pub use super::library::changes::Episode;
use super::library::changes::{self, Changes, Condition, Effect, Refusal, Started};
use crate::clock;
use crate::explain::causes;
use crate::plan::{Plan, Window};
use crate::text::listed;
use crate::text::quantity::SECOND;
use std::sync::Arc;

/// The type of the error with which spans fail if none is given.
pub const ERROR: &str = "incident";
/// The number of windows that are shown at a time.
const MOST_WINDOWS: usize = 200;
const MINUTE: f64 = 60.0 * SECOND as f64;

/// An incident of the plan in use.
pub struct Entry {
    pub name: String,
    pub origin: Origin,
    /// The window that is open, or that opens next; `None` if there is no more.
    pub window: Option<Window>,
    pub is_in_force: bool,
    /// The length of a window, and the time from one to the next if there are several, in ns.
    pub length: u64,
    pub every: Option<u64>,
    /// What it changes: the service, the operation and the changes in words.
    pub causes: Vec<(String, String, String)>,
    /// What it makes of rates, in words.
    pub rate: Option<String>,
}

/// Where an incident comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The scenario files have it.
    File,
    /// The scenario files have it, and it was started by hand.
    Started,
    /// It was made up by hand.
    Made,
}

impl Origin {
    pub fn word(self) -> &'static str {
        match self {
            Origin::File => "file",
            Origin::Started => "started",
            Origin::Made => "made",
        }
    }
}

/// Something that is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// An incident of the files is to be in force for so many minutes.
    Start { name: String, minutes: f64 },
    /// One that is made up is to be in force for so many minutes. Without a name it gets one.
    Make { name: Option<String>, minutes: f64, effect: Effect },
    /// One that was started is to end.
    End { name: String },
}

/// Returns the incidents of the plan in use, those first that are in force, then those that open next.
pub fn entries(app: &App, now: u64) -> Vec<Entry> {
    let shelf = app.library.shelf();
    let (plan, start) = (&shelf.good.plan, app.session.opening());
    let mut entries: Vec<Entry> = plan
        .incident_ids()
        .map(|id| {
            let incident = &plan.incidents[id.index()];
            let name = plan.text(incident.name).to_owned();
            let origin = match shelf.changes.started().iter().find(|started| started.name == name) {
                Some(started) if started.made.is_some() => Origin::Made,
                Some(_) => Origin::Started,
                None => Origin::File,
            };
            let windows = incident.windows(start);
            let window = windows.between(now, u64::MAX).next();
            let of_cause = |cause: crate::explain::Cause| {
                let changes: Vec<String> = cause.changes.iter().map(ToString::to_string).collect();
                (cause.service, cause.operation, listed(&changes, "and"))
            };
            Entry {
                name,
                origin,
                window,
                is_in_force: windows.contain(now),
                length: incident.length,
                every: incident.every,
                causes: causes(plan, id).into_iter().map(of_cause).collect(),
                rate: incident.rate.as_ref().map(|change| {
                    let names: Vec<&str> = change.scenarios.iter().map(|id| plan.scenario_name(*id)).collect();
                    let of = if names.is_empty() { "all scenarios".into() } else { listed(&names, "and") };
                    format!("{} times the rate of {of}", change.times)
                }),
            }
        })
        .collect();
    entries.sort_by_key(|entry| (!entry.is_in_force, entry.window.map_or(u64::MAX, |window| window.start)));
    entries
}

/// Returns the number of incidents that are in force.
pub fn in_force(app: &App) -> usize {
    let (shelf, now) = (app.library.shelf(), clock::now());
    let incidents = shelf.good.plan.incidents.iter();
    incidents.filter(|incident| incident.windows(app.session.opening()).contain(now)).count()
}

/// Returns when incidents were in force from `from` to before `to`, in ns since 1970, the earliest first. What comes later than
/// now is no part of it.
pub fn episodes(app: &App, from: u64, to: u64) -> Vec<Episode> {
    let shelf = app.library.shelf();
    let (plan, start) = (&shelf.good.plan, app.session.opening());
    // Before the run there were no windows.
    let (from, to) = (from.max(start), to.min(clock::now()));
    let mut episodes: Vec<Episode> =
        shelf.changes.past().filter(|past| past.from < to && past.to > from).cloned().collect();
    for id in plan.incident_ids() {
        let incident = &plan.incidents[id.index()];
        let mut windows = incident.windows(start).between(from, to).peekable();
        if windows.peek().is_none() {
            continue;
        }
        let (name, services) = (plan.text(incident.name), changes::services(plan, id));
        let of_window = |Window { start, end }| {
            let services = services.clone();
            Episode { name: name.into(), from: start, to: end, services }
        };
        episodes.extend(windows.take(MOST_WINDOWS).map(of_window));
    }
    episodes.sort_by_key(|episode| episode.from);
    episodes.truncate(MOST_WINDOWS);
    episodes
}

/// Does what is wished.
///
/// # Errors
/// It is not possible; nothing is changed.
pub async fn carry_out(app: &Arc<App>, wish: Wish) -> Result<(), Refusal> {
    let change = |changes: &mut Changes, plan: &Plan, now| match wish {
        Wish::Start { name, minutes } => {
            let to = now + length(minutes)?;
            changes.start(Started { name, from: now, to, made: None }, plan)
        }
        Wish::Make { name, minutes, effect } => {
            let to = now + length(minutes)?;
            if (&effect.times, &effect.add_ms, &effect.errors, effect.down) == (&None, &None, &None, false) {
                let problem = "Say what it does: how much longer spans take, how many fail, or that they are down.";
                return Err(Refusal::of("", problem));
            }
            let name = name.unwrap_or_else(|| name_of(&effect, changes, plan));
            changes.start(Started { name, from: now, to, made: Some(effect) }, plan)
        }
        Wish::End { name } => changes.end(&name, now, plan),
    };
    make(app, change).await
}

/// Makes a change, at the time that is passed to it, in ns since 1970. The scenario files are compiled with it, on a thread on
/// which that may take its time.
///
/// # Errors
/// It is not possible; nothing is changed.
async fn make(
    app: &Arc<App>,
    change: impl FnOnce(&mut Changes, &Plan, u64) -> Result<(), Refusal> + Send + 'static,
) -> Result<(), Refusal> {
    let app = app.clone();
    let made = move || {
        let now = clock::now();
        let change = |changes: &mut Changes, plan: &Plan| change(changes, plan, now);
        app.library.change(now, change, |plan| app.session.replace_plan(plan))?;
        app.cache.clear();
        Ok(())
    };
    let broke_off = |_| Err(Refusal::conflict("The change broke off: try again."));
    tokio::task::spawn_blocking(made).await.unwrap_or_else(broke_off)
}

/// Returns the error conditions of the plan in use that have a chance, each with its chance and that of its file, in per cent.
pub fn conditions(app: &App) -> Vec<(Condition, f64, f64)> {
    let shelf = app.library.shelf();
    let conditions = changes::conditions(&shelf.good.plan).into_iter().map(|at| {
        // A chance is kept with more digits than people write.
        let percent = |chance: f64| (chance * 1e8).round() / 1e6;
        let in_file = shelf.in_files.get(&at.condition).copied().unwrap_or(at.chance);
        (at.condition, percent(at.chance), percent(in_file))
    });
    conditions.collect()
}

/// Sets the chances of error conditions in per cent, or takes those of their files again.
///
/// # Errors
/// There is no such condition, or a chance is not possible; nothing is changed.
pub async fn set_chances(app: &Arc<App>, wanted: Vec<(Condition, Option<f64>)>) -> Result<(), Refusal> {
    let change = |changes: &mut Changes, plan: &Plan, _| {
        let known = changes::conditions(plan);
        for (condition, percent) in wanted {
            if !known.iter().any(|at| at.condition == condition) {
                let Condition { scenario, operation, error, .. } = condition;
                let problem = format!("`{operation}` in `{scenario}` has no error `{error}` with a chance.");
                return Err(Refusal::of("", problem));
            }
            if percent.is_some_and(|percent| !(0.0..=100.0).contains(&percent)) {
                return Err(Refusal::of("", "A chance is a percentage from 0 to 100."));
            }
            changes.set(condition, percent.map(|percent| percent / 100.0));
        }
        Ok(())
    };
    make(app, change).await
}

/// Converts minutes to ns.
fn length(minutes: f64) -> Result<u64, Refusal> {
    let most = changes::LONGEST as f64 / MINUTE;
    match minutes > 0.0 && minutes <= most {
        true => Ok(((minutes * MINUTE) as u64).max(1_000_000)),
        false => Err(Refusal::of("minutes", format!("An incident lasts more than 0 and at most {most} minutes."))),
    }
}

/// Returns a name for an incident that has none: that of what it is for, with a number if there is one already.
fn name_of(effect: &Effect, changes: &Changes, plan: &Plan) -> String {
    let of = [&effect.operation, &effect.service, &effect.scenario].into_iter().flatten().next();
    let subject = match effect {
        Effect { down: true, .. } => "down",
        Effect { errors: Some(_), .. } => "fails",
        _ => "slow",
    };
    let name = format!("{} {subject}", of.map_or("everything", |of| of));
    let is_started = |name: &str| changes.started().iter().any(|started| started.name == name);
    let is_taken = |name: &str| changes::id_of(plan, name).is_some() || is_started(name);
    let mut numbers = (2..).map(|number| format!("{name} {number}"));
    if is_taken(&name) { numbers.find(|name| !is_taken(name)).unwrap_or(name) } else { name }
}
