//! Delivery of batches to a target, with an account of every span.
//!
//! Callers are plain threads; requests run on a small runtime of their own. Memory is bounded: there are at most `queue` +
//! `in_flight` batches, one more for each thread that waits in [`Delivery::send`], and with gzip the compressed body of
//! each request in flight.
//!
//! A request that fails in a way that the OTLP specification calls retryable is sent again until it gets through, the
//! target is given up (after 10 s if nothing ever answered, 5 min after it was lost), or the delivery is stopped. A single
//! batch that fails for that long is given up alone. [`Delivery::offer`] has a limit on how long it waits;
//! long as that is given up alone. [`Delivery::offer`] instead of [`Delivery::send`] never waits for longer than it is told.

mod account;
mod courier;
mod event;
mod health;
mod retry;

pub use account::Account;
pub use event::{DeliveryEvent, Observer};
pub use health::{Link, Standing};

use super::{
    Batch,
    outcome::Cause,
    target::{Compression, Protocol, Target, TargetError},
};
use crate::trace::Amount;
use courier::{Courier, Phase};
use std::{sync::Arc, time::Duration};
use tokio::{
    runtime::{Builder, Runtime},
    sync::mpsc::{
        self,
        error::{SendTimeoutError, TrySendError},
    },
    task::JoinSet,
    time::timeout,
};

/// The maximum number of requests at the same time, and of batches that wait.
const MOST: usize = 256;

/// Options of a delivery.
pub struct Options {
    /// The number of requests at the same time; if unset, 2 over gRPC and 4 over HTTP.
    pub in_flight: Option<usize>,
    /// The number of batches that can wait.
    pub queue: usize,
    /// The time to wait for a target that has never answered; `Duration::MAX` is without end.
    pub wait: Duration,
    /// The time to wait for a target that has answered before; `Duration::MAX` is without end. It also limits a request if
    /// the target sets no time-out.
    pub lost: Duration,
    /// The receiver of events.
    pub observer: Observer,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            in_flight: None,
            queue: 8,
            wait: Duration::from_secs(10),
            lost: Duration::from_secs(300),
            observer: Box::new(|_| {}),
        }
    }
}

/// A running delivery. If it is dropped before [`Delivery::finish`], it stops at once.
pub struct Delivery {
    courier: Arc<Courier>,
    queue: Option<mpsc::Sender<Batch>>,
    workers: JoinSet<()>,
    runtime: Option<Runtime>,
}

/// A handle for watching and stopping a delivery from other threads.
#[derive(Clone)]
pub struct Monitor(Arc<Courier>);

impl Delivery {
    /// Starts a delivery. The first connection is made with the first batch.
    ///
    /// # Errors
    /// A certificate can't be used, or the system gives no threads.
    pub fn start(target: Target, options: Options) -> Result<Delivery, TargetError> {
        let by_protocol = if target.protocol == Protocol::Grpc { 2 } else { 4 };
        let in_flight = options.in_flight.unwrap_or(by_protocol).clamp(1, MOST);
        let waiting = options.queue.clamp(1, MOST);
        // One thread carries several million spans a second, but compression takes more time than sending.
        let threads = if target.compression == Compression::Gzip { in_flight.min(4) } else { 1 };
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("deliver")
            .enable_all()
            .build()
            .map_err(|e| TargetError::runtime(e.to_string()))?;
        let (queue, batches) = mpsc::channel(waiting);
        let batches = Arc::new(tokio::sync::Mutex::new(batches));
        let courier = Arc::new(Courier::new(&target, options, in_flight, in_flight + waiting)?);
        let mut workers = JoinSet::new();
        for _ in 0..in_flight {
            let (courier, batches) = (courier.clone(), batches.clone());
            let work = async move {
                loop {
                    let next = batches.lock().await.recv().await;
                    let Some(batch) = next else { break };
                    courier.carry(batch).await;
                }
            };
            workers.spawn_on(work, runtime.handle());
        }
        Ok(Delivery { courier, queue: Some(queue), workers, runtime: Some(runtime) })
    }

    /// Hands over a batch, and blocks while the queue is full. Returns the memory of an earlier batch, emptied, if there is
    /// any. Once [`Monitor::is_over`], the batch is undelivered at once.
    ///
    /// It must not be called from asynchronous code.
    pub fn send(&self, batch: Batch) -> Option<Vec<u8>> {
        let amount = batch.amount();
        self.courier.account().generate(amount);
        let refused = match (self.courier.over(), &self.queue) {
            (None, Some(queue)) => match queue.blocking_send(batch) {
                Ok(()) => return self.courier.spare.lock().pop(),
                Err(back) => back.0,
            },
            _ => batch,
        };
        let cause = self.courier.over().unwrap_or_else(Phase::stopped);
        self.lose(refused, amount, &cause)
    }

    /// Hands over a batch as [`Delivery::send`] does, but counts it as undelivered if it finds no room within `limit`, or
    /// at once while the target is down.
    pub fn offer(&self, batch: Batch, limit: Duration) -> Option<Vec<u8>> {
        let amount = batch.amount();
        self.courier.account().generate(amount);
        let down = self.courier.health.standing().link == Link::Down;
        let limit = if down { Duration::ZERO } else { limit };
        let (refused, full) = match (self.courier.over(), &self.queue, &self.runtime) {
            (None, Some(queue), Some(runtime)) => match queue.try_send(batch) {
                Ok(()) => return self.courier.spare.lock().pop(),
                Err(TrySendError::Closed(batch)) => (batch, false),
                Err(TrySendError::Full(batch)) => match runtime.block_on(queue.send_timeout(batch, limit)) {
                    Ok(()) => return self.courier.spare.lock().pop(),
                    Err(SendTimeoutError::Closed(batch)) => (batch, false),
                    Err(SendTimeoutError::Timeout(batch)) => (batch, true),
                },
            },
            _ => (batch, false),
        };
        let full = full.then(|| match down {
            true => Cause::new("queue full, collector away", ""),
            false => Cause::new("queue full, collector too slow", ""),
        });
        let cause = full.or_else(|| self.courier.over()).unwrap_or_else(Phase::stopped);
        self.lose(refused, amount, &cause)
    }

    /// Reports whether the queue has room for a batch now.
    pub fn has_room(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.capacity() > 0)
    }

    fn lose(&self, refused: Batch, amount: Amount, cause: &Cause) -> Option<Vec<u8>> {
        self.courier.account().lose(amount, cause);
        let mut body = refused.body;
        body.clear();
        Some(body)
    }

    pub fn monitor(&self) -> Monitor {
        Monitor(self.courier.clone())
    }

    /// Waits until every batch is delivered, rejected or given up, and returns the final account.
    ///
    /// It must not be called from asynchronous code.
    pub fn finish(self) -> Account {
        self.close(None)
    }

    /// Does the same as [`Delivery::finish`], but counts what is not delivered within `limit` as undelivered.
    pub fn finish_within(self, limit: Duration) -> Account {
        self.close(Some(limit))
    }

    fn close(mut self, limit: Option<Duration>) -> Account {
        self.queue = None;
        if let Some(runtime) = &self.runtime {
            let (workers, courier) = (&mut self.workers, &self.courier);
            runtime.block_on(async {
                let all = async { while workers.join_next().await.is_some() {} };
                match limit {
                    None => all.await,
                    Some(limit) => {
                        tokio::pin!(all);
                        if timeout(limit, &mut all).await.is_err() {
                            courier.stop();
                            all.await;
                        }
                    }
                }
            });
        }
        self.courier.account().clone()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.courier.stop();
        if let Some(runtime) = self.runtime.take() {
            // A name look-up can't be interrupted, but nobody waits for it.
            runtime.shutdown_background();
        }
    }
}

impl Monitor {
    /// Returns the current account.
    pub fn account(&self) -> Account {
        self.0.account().clone()
    }

    /// Returns what is known of the target.
    pub fn standing(&self) -> Standing {
        self.0.health.standing()
    }

    /// Reports whether nothing more will be delivered, because the target was given up or the delivery stopped.
    pub fn is_over(&self) -> bool {
        self.0.over().is_some()
    }

    /// Stops at once. What is not acknowledged yet is undelivered, and [`Delivery::finish`] returns at once.
    pub fn abort(&self) {
        self.0.stop();
    }
}
