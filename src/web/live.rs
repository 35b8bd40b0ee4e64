//! Live updates by server-sent events. The session is examined once for all pages that listen.

use super::App;
use super::response::{self, Body, Response};
use crate::engine::Phase;
use crate::export::deliver::Link;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// The maximum number of streams; further clients are asked to come back.
const STREAMS: usize = 256;
/// The time between two looks at the session.
const LOOK: Duration = Duration::from_millis(200);
/// The minimum time between two `traces` events.
const TRACES: Duration = Duration::from_secs(1);
/// The time between comments, which keep proxies from closing a stream and reveal dead clients.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The live updates of a server.
pub struct Live {
    beat: watch::Sender<Beat>,
    free: Arc<Semaphore>,
}

/// The next content of the streams. Each part is sent when it has changed.
#[derive(Clone, Default)]
struct Beat {
    status: Option<Arc<str>>,
    traces: Option<u64>,
    is_over: bool,
}

/// The data of a `status` event.
#[derive(Serialize)]
struct Pulse {
    #[serde(flatten)]
    condition: Condition,
    /// The achieved rate in traces a second.
    rate: f64,
    /// The number of traces since the session began.
    traces: u64,
    /// The number of spans since the session began.
    spans: u64,
}

/// The part of the status that is sent at once when it changes.
#[derive(Clone, PartialEq, Serialize)]
struct Condition {
    phase: Phase,
    /// The shortened digest of the plan in use.
    plan: String,
    /// The scenario files do not compile in their current state.
    broken: bool,
    /// The reason why the selected store is not in use.
    outage: Option<String>,
    exporter: Option<Link>,
}

impl Default for Live {
    fn default() -> Self {
        Live { beat: watch::Sender::default(), free: Arc::new(Semaphore::new(STREAMS)) }
    }
}

impl Live {
    /// Ends all streams, also future ones.
    pub fn close(&self) {
        self.beat.send_modify(|beat| beat.is_over = true);
    }

    /// Examines the session while anyone listens, until the updates are closed.
    pub async fn watch(&self, app: &App) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let status_interval = Duration::from_nanos(app.status_interval);
        let (mut told, mut told_at) = (None, Instant::now());
        let (mut seen, mut seen_at) = (None, Instant::now());
        while !self.beat.borrow().is_over {
            looks.tick().await;
            if self.beat.receiver_count() == 0 {
                (told, seen) = (None, None);
                continue;
            }
            let pulse = Pulse::of(app);
            if told.as_ref() != Some(&pulse.condition) || told_at.elapsed() >= status_interval {
                let text = serde_json::to_string(&pulse).unwrap_or_default();
                self.beat.send_modify(|beat| beat.status = Some(text.into()));
                (told, told_at) = (Some(pulse.condition), Instant::now());
            }
            if seen.is_none() || seen_at.elapsed() >= TRACES {
                let traces = arrived(app, pulse.traces).await;
                if seen != Some(traces) {
                    self.beat.send_modify(|beat| beat.traces = Some(traces));
                    (seen, seen_at) = (Some(traces), Instant::now());
                }
            }
        }
    }
}

/// Returns a count that grows with the visible traces: those made here, or those in the store that others write.
async fn arrived(app: &App, made: u64) -> u64 {
    app.database.arrived().await.unwrap_or(made)
}

impl Pulse {
    fn of(app: &App) -> Pulse {
        let state = app.session.state();
        let condition = Condition {
            phase: state.phase,
            plan: state.plan.digest_short(),
            broken: app.library.shelf().broken.is_some(),
            outage: app.database.status().outage.map(|outage| outage.cause.to_string()),
            exporter: state.exporter.map(|exporter| exporter.link),
        };
        Pulse { condition, rate: state.achieved_rate, traces: state.traces, spans: state.spans }
    }
}

/// Answers `GET /api/events`, or returns `None` if there are too many streams.
pub fn events(app: &App) -> Option<Response> {
    let permit = app.live.free.clone().try_acquire_owned().ok()?;
    let beats = app.live.beat.subscribe();
    let (sender, body) = Channel::new(4);
    tokio::spawn(async move {
        // An error means that the client is gone or the server ends, so nothing is left to do.
        let _ = tell(beats, sender).await;
        drop(permit);
    });
    Some(response::of(StatusCode::OK, "text/event-stream", Body::new(body.boxed())))
}

async fn tell(
    mut beats: watch::Receiver<Beat>,
    mut sender: Sender<Bytes>,
) -> Result<(), http_body_util::channel::SendError> {
    sender.send_data(Bytes::from_static(b"retry: 2000\n\n")).await?;
    let mut last = Beat::default();
    loop {
        let next = match timeout(HEARTBEAT, beats.changed()).await {
            Ok(Ok(())) => beats.borrow_and_update().clone(),
            Ok(Err(_)) => return Ok(()),
            Err(_) => {
                sender.send_data(Bytes::from_static(b":\n\n")).await?;
                continue;
            }
        };
        if next.is_over {
            return Ok(());
        }
        if let Some(status) = next.status.as_ref().filter(|_| next.status != last.status) {
            sender.send_data(format!("event: status\ndata: {status}\n\n").into()).await?;
        }
        if let Some(traces) = next.traces.filter(|_| next.traces != last.traces) {
            sender.send_data(format!("event: traces\ndata: {{\"traces\":{traces}}}\n\n").into()).await?;
        }
        last = next;
    }
}
