//! Export of a session's traces to a collector, which may be away at times.

use super::state::{ExporterState, SettingsError};
use crate::engine::outbox::Outbox;
use crate::export::deliver::{Account, Delivery, Monitor, Options};
use crate::export::target::{Protocol, Target};
use crate::export::{Batch, Encode, Json, Protobuf};
use crate::interpreter::Run;
use std::time::Duration;

/// The number of batches that wait for a collector that is away.
const QUEUE: usize = 16;
/// The maximum time for which a slow collector holds up generation.
const HOLD_UP: Duration = Duration::from_millis(100);

/// A delivery to a collector, which outlives the eras of a session.
pub struct Exporter {
    delivery: Delivery,
    protocol: Protocol,
}

/// An observer of an exporter.
pub struct Watch {
    monitor: Monitor,
    endpoint: String,
    protocol: &'static str,
}

impl Exporter {
    /// Starts a delivery to the target.
    ///
    /// # Errors
    /// A certificate can't be used, or the system gives no threads.
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

    /// Makes an outbox for the traces of `run`; an encoder is bound to a plan.
    pub fn outbox(&self, run: &Run) -> Outbox {
        let encoder: Box<dyn Encode> = match self.protocol {
            Protocol::HttpJson => Box::new(Json::new(run.plan(), run.resources())),
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

    /// Sends a batch that has waited long enough, unless the collector is away. Then batches are sent when they are full,
    /// so that few of them hold the traces of an outage.
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

    /// Waits up to `wait` for what is on its way, and returns the final account.
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
