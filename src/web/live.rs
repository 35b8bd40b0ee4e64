//! What is live: server-sent events. One look at the session a moment serves all pages that listen.

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

/// Streams at a time; more are asked to come back.
const STREAMS: usize = 256;
/// Between two looks at the session.
const LOOK: Duration = Duration::from_millis(200);
/// The least time between two `traces` events.
const TRACES: Duration = Duration::from_secs(1);
/// Between comments that keep proxies and dead clients honest.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub struct Live {
    beat: watch::Sender<Beat>,
    free: Arc<Semaphore>,
}

/// What the streams say next: each part is sent when it is another than before.
#[derive(Clone, Default)]
struct Beat {
    status: Option<Arc<str>>,
    traces: Option<u64>,
    over: bool,
}

/// The data of a `status` event.
#[derive(Serialize)]
struct Pulse {
    #[serde(flatten)]
    condition: Condition,
    /// Traces a second, as achieved.
    rate: f64,
    /// Since the session began.
    traces: u64,
    spans: u64,
}

/// The part of it that is told at once when it changes.
#[derive(Clone, PartialEq, Serialize)]
struct Condition {
    phase: Phase,
    /// Digest of the plan in use, shortened.
    plan: String,
    /// The scenario files do not compile as they are.
    broken: bool,
    /// Why the store that was asked for is not in use.
    outage: Option<String>,
    exporter: Option<Link>,
}

impl Default for Live {
    fn default() -> Self {
        Live { beat: watch::Sender::default(), free: Arc::new(Semaphore::new(STREAMS)) }
    }
}

impl Live {
    /// End all streams, and those to come.
    pub fn close(&self) {
        self.beat.send_modify(|beat| beat.over = true);
    }

    /// Look at the session, as long as anyone listens, until it is closed.
    pub async fn watch(&self, app: &App) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let status_interval = Duration::from_nanos(app.status_interval);
        let (mut told, mut told_at) = (None, Instant::now());
        let (mut seen, mut seen_at) = (None, Instant::now());
        while !self.beat.borrow().over {
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

/// A count that grows with the traces there are to see: those made here, or those in the store that others write.
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

/// `GET /api/events`; `None`: there are too many streams.
pub fn events(app: &App) -> Option<Response> {
    let permit = app.live.free.clone().try_acquire_owned().ok()?;
    let beats = app.live.beat.subscribe();
    let (sender, body) = Channel::new(4);
    tokio::spawn(async move {
        // the client is gone, or the server ends: nothing is left to do
        let _ = tell(beats, sender).await;
        drop(permit);
    });
    Some(response::of(StatusCode::OK, "text/event-stream", Body::new(body.boxed())))
}

async fn tell(
    mut beats: watch::Receiver<Beat>,
    mut to: Sender<Bytes>,
) -> Result<(), http_body_util::channel::SendError> {
    to.send_data(Bytes::from_static(b"retry: 2000\n\n")).await?;
    let mut last = Beat::default();
    loop {
        let next = match timeout(HEARTBEAT, beats.changed()).await {
            Ok(Ok(())) => beats.borrow_and_update().clone(),
            Ok(Err(_)) => return Ok(()),
            Err(_) => {
                to.send_data(Bytes::from_static(b":\n\n")).await?;
                continue;
            }
        };
        if next.over {
            return Ok(());
        }
        if let Some(status) = next.status.as_ref().filter(|_| next.status != last.status) {
            to.send_data(format!("event: status\ndata: {status}\n\n").into()).await?;
        }
        if let Some(traces) = next.traces.filter(|_| next.traces != last.traces) {
            to.send_data(format!("event: traces\ndata: {{\"traces\":{traces}}}\n\n").into()).await?;
        }
        last = next;
    }
}
