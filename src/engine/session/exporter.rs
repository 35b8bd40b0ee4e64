//! Traces of a session on their way to a collector, which may come and go.

use super::state::{ExporterState, SettingsError};
use crate::engine::outbox::Outbox;
use crate::export::deliver::{Account, Delivery, Monitor, Options};
use crate::export::target::{Protocol, Target};
use crate::export::{Batch, Encode, Json, Protobuf};
use crate::interpreter::Run;
use std::time::Duration;

/// Batches that wait for a collector that is away.
const QUEUE: usize = 16;
/// The longest that generation is held up by one that is slow.
const HOLD_UP: Duration = Duration::from_millis(100);

pub struct Exporter {
    delivery: Delivery,
    protocol: Protocol,
}

/// Tells how an exporter does.
pub struct Watch {
    monitor: Monitor,
    endpoint: String,
    protocol: &'static str,
}

impl Exporter {
    pub fn start(target: Target) -> Result<(Exporter, Watch), SettingsError> {
        let protocol = target.protocol;
        let endpoint = target.url.to_string().trim_end_matches('/').to_string();
        let options = Options { queue: QUEUE, wait: Duration::MAX, lost: Duration::MAX, ..Options::default() };
        let delivery = Delivery::start(target, options).map_err(|e| SettingsError(e.to_string()))?;
        let watch = Watch {
            monitor: delivery.monitor(),
            endpoint,
            protocol: match protocol {
                Protocol::Grpc => "OTLP/gRPC",
                Protocol::HttpProtobuf => "OTLP/HTTP protobuf",
                Protocol::HttpJson => "OTLP/HTTP JSON",
            },
        };
        Ok((Exporter { delivery, protocol }, watch))
    }

    /// For the traces of `run`: encoders know their plan.
    pub fn outbox(&self, run: &Run) -> Outbox {
        let encoder: Box<dyn Encode> = match self.protocol {
            Protocol::HttpJson => Box::new(Json::new(run.resources())),
            Protocol::Grpc | Protocol::HttpProtobuf => Box::new(Protobuf::new(run.plan(), run.resources())),
        };
        Outbox::new(encoder)
    }

    pub fn send(&self, outbox: &mut Outbox, batches: Vec<Batch>) {
        for batch in batches {
            if let Some(body) = self.delivery.offer(batch, HOLD_UP) {
                outbox.recycle(body);
            }
        }
    }

    /// Send what has waited for long enough, unless nothing is taken: batches then leave when they are full, so that an
    /// outage is held in few of them.
    pub fn flush_if_due(&self, outbox: &mut Outbox, now: u64) {
        if outbox.flush_at() > now {
            return;
        }
        if self.delivery.has_room() {
            self.flush(outbox);
        } else {
            outbox.put_off(now);
        }
    }

    pub fn flush(&self, outbox: &mut Outbox) {
        let last = outbox.flush();
        self.send(outbox, last);
    }

    /// Wait for what is on its way, no longer than `wait`; the account, closed.
    pub fn finish(self, wait: Duration) -> Account {
        self.delivery.finish_within(wait)
    }
}

impl Watch {
    pub fn state(&self) -> ExporterState {
        let standing = self.monitor.standing();
        ExporterState {
            endpoint: self.endpoint.clone(),
            protocol: self.protocol.into(),
            link: standing.link,
            account: self.monitor.account(),
            last_error: standing.last_error,
            recovered: standing.recovered,
            latency: standing.latency,
        }
    }
}
