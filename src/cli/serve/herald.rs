//! Reports of events on stderr while the server runs. The reporter also watches the scenario files and keeps the manifest
//! up to date.

use super::level::Level;
use crate::cli::clock_watch::ClockWatch;
use crate::cli::scenarios::shown;
use crate::cli::signal::Signals;
use crate::cli::{environment, output};
use crate::clock;
use crate::engine::{Pace, Phase, SessionState};
use crate::export::deliver::Link;
use crate::journal::{Manifest, ManifestFile};
use crate::store::{DatabaseStatus, MemoryLimits};
use crate::text::foreign::foreign;
use crate::text::{self, count};
use crate::web::{App, Change};
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

/// The time between two looks at the files, the session and the store.
const LOOK: Duration = Duration::from_secs(1);

/// The reporter of events, which looks for them once a second.
pub struct Herald {
    app: Arc<App>,
    level: Level,
    manifest: Option<Arc<ManifestFile>>,
}

/// The states that were last reported, so that only changes are reported.
#[derive(Default)]
struct Known {
    phase: Option<Phase>,
    link: Option<Link>,
    /// The time since which the store is out of reach, in ns since 1970.
    outage: Option<u64>,
    manifest: Option<Manifest>,
    clock: ClockWatch,
}

impl Herald {
    pub fn new(app: Arc<App>, level: Level, manifest: Option<Arc<ManifestFile>>) -> Herald {
        Herald { app, level, manifest }
    }

    fn say(&self, level: Level, line: impl Display) {
        say(self.level, level, line);
    }

    /// Prints the banner: the address of the server and the settings in effect.
    pub fn banner(&self, paths: &[PathBuf], host: &str) {
        let state = self.app.session.state();
        let paths = shown(paths);
        let exporter = match &state.exporter {
            Some(exporter) => format!("{} ({})", exporter.endpoint, exporter.protocol),
            None => "none: OTEL_EXPORTER_OTLP_ENDPOINT is not set".into(),
        };
        output::tell(format_args!("tracegen {} at {}\n", env!("TRACEGEN_VERSION"), self.app.url));
        for (name, value) in [
            ("plan", format!("{}, {} from {}", state.plan.digest_short(), scenarios(&state.plan), paths)),
            ("seed", state.seed.to_string()),
            ("pace", pace(&state)),
            ("store", store(&self.app.database.status())),
            ("exporter", exporter),
        ] {
            output::tell(format_args!("  {name:<9} {}\n", foreign(&value)));
        }
        if let Some(note) = environment::without_effect() {
            self.say(Level::Info, note);
        }
        if self.app.token.is_none() && !self.app.host.is_loopback() {
            let line = format!(
                "{host} can be reached by other machines and no SERVER_TOKEN is set: whoever finds it can read and stop this"
            );
            self.say(Level::Warn, line);
        }
    }

    /// Reports events until `end` is notified. A manifest that is being written by then is completed.
    pub async fn watch(self, end: Arc<Notify>) {
        let mut known = Known { phase: Some(Phase::Running), ..Known::default() };
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = end.notified() => return,
                _ = looks.tick() => {}
            }
            self.look_at_files().await;
            self.look_at_session(&mut known);
            self.look_at_store(&mut known);
            if let Some(news) = known.clock.news() {
                self.say(Level::Warn, news);
            }
            self.keep_manifest(&mut known).await;
        }
    }

    /// Compiles the scenario files if they changed, on a thread of its own, because requests would have to wait otherwise.
    async fn look_at_files(&self) {
        let library = self.app.library.clone();
        let app = self.app.clone();
        let poll = move || library.poll(clock::now(), |plan| app.session.replace_plan(plan));
        let change = tokio::task::spawn_blocking(poll).await;
        let change = change.unwrap_or(Change::None);
        if !matches!(change, Change::None) {
            self.app.cache.clear();
        }
        match change {
            Change::None => {}
            Change::Over { lost } => self.say_lost(&lost),
            Change::Compiled { plan, same, lost } => {
                self.say_lost(&lost);
                let text = match same {
                    true => "scenario files changed, the plan did not".into(),
                    false => format!("scenarios changed: plan {}, {}", plan.digest_short(), scenarios(&plan)),
                };
                self.say(Level::Info, text);
            }
            Change::Broken { errors } => {
                let errors = count(errors as u64, "error");
                let page = format!("{}/scenarios", self.app.url);
                self.say(Level::Warn, format!("scenarios do not compile ({errors}, see {page}), the last plan stays"));
            }
        }
    }

    /// Reports incidents that are over because the files have changed.
    fn say_lost(&self, lost: &[String]) {
        for name in lost {
            let why = "the scenario files no longer have what it is for";
            self.say(Level::Warn, format!("incident {} is over: {why}", foreign(name)));
        }
    }

    fn look_at_session(&self, known: &mut Known) {
        let state = self.app.session.state();
        if known.phase != Some(state.phase) {
            known.phase = Some(state.phase);
            let phase = match state.phase {
                Phase::Running => "running",
                Phase::Paused => "paused",
                Phase::Stopped => "stopped",
            };
            self.say(Level::Info, format!("generation is {phase} at trace {}", state.next_index));
        }
        let Some(exporter) = &state.exporter else { return };
        let before = known.link.replace(exporter.link);
        match exporter.link {
            Link::Down if before != Some(Link::Down) => {
                let cause = exporter.last_error.as_ref().map_or("no answer", |(_, cause)| cause);
                let line = format!("{} is out of reach ({cause}); generation goes on, trying again", exporter.endpoint);
                self.say(Level::Warn, line);
            }
            Link::Connected if before == Some(Link::Down) => {
                self.say(Level::Warn, format!("{} answers again", exporter.endpoint));
            }
            _ => {}
        }
    }

    fn look_at_store(&self, known: &mut Known) {
        let status = self.app.database.status();
        let since = status.outage.as_ref().map(|outage| outage.since);
        if since == known.outage {
            return;
        }
        match (&status.outage, &status.wanted) {
            (Some(outage), Some(wanted)) => {
                let line =
                    format!("{wanted} is out of reach ({}); traces are kept in memory, trying again", outage.cause);
                self.say(Level::Warn, line);
            }
            (None, Some(wanted)) => self.say(Level::Warn, format!("{wanted} is in use again")),
            _ => {}
        }
        known.outage = since;
    }

    async fn keep_manifest(&self, known: &mut Known) {
        let Some(file) = self.manifest.clone() else { return };
        let manifest = self.app.session.manifest();
        if known.manifest.as_ref() == Some(&manifest) {
            return;
        }
        let saved = manifest.clone();
        match tokio::task::spawn_blocking(move || file.save(&saved)).await {
            Ok(Err(e)) => self.say(Level::Error, format!("--manifest: {e}")),
            _ => {
                self.say(Level::Debug, "manifest written");
                known.manifest = Some(manifest);
            }
        }
    }
}

/// Prints a line of `level` if that is wanted.
pub fn say(wanted: Level, level: Level, line: impl Display) {
    if level <= wanted {
        let kind = if level <= Level::Warn { format!("{level}: ") } else { String::new() };
        output::say(format_args!("{kind}{line}"));
    }
}

fn scenarios(plan: &crate::plan::Plan) -> String {
    count(plan.scenarios.len() as u64, "scenario")
}

fn pace(state: &SessionState) -> String {
    use crate::text::quantity::{format_duration, format_rate};
    match state.settings.pace {
        _ if state.settings.is_by_load(&state.plan) => {
            format!("as the scenario files say, now {}/s", text::three_figures(state.target_rate))
        }
        Pace::Rate { count, per_ns, poisson } => {
            format!("{}{}", format_rate(count, per_ns), if poisson { ", Poisson" } else { ", evenly" })
        }
        Pace::Interval { min_ns, max_ns } => format!(
            "{} to {} between traces, {}",
            format_duration(min_ns),
            format_duration(max_ns),
            count(state.settings.lanes.into(), "lane")
        ),
    }
}

fn store(status: &DatabaseStatus) -> String {
    let MemoryLimits { traces, bytes } = status.memory.limits;
    let memory = format!("memory, the last {} in {} at most", count(traces as u64, "trace"), text::bytes(bytes));
    match (&status.wanted, &status.outage) {
        (None, _) => memory,
        (Some(wanted), None) => wanted.clone(),
        (Some(wanted), Some(outage)) => format!("{memory}; {wanted} is out of reach ({})", outage.cause),
    }
}

/// Waits for a signal that asks the server to stop.
pub async fn ending() {
    match Signals::listen() {
        Ok(signals) => signals.first().await,
        Err(e) => {
            output::say(format_args!("can't listen for signals: {e}"));
            std::future::pending().await
        }
    }
    output::say("stopping; ended traces are still delivered (signal again to stop at once)");
}
