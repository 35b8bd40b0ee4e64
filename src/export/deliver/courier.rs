//! The courier, which sends one batch at a time in each of its tasks, tries until the outcome is final, and accounts for
//! it.

use super::{
    Options,
    account::Account,
    event::{DeliveryEvent, LONGEST_PATIENCE, Observer},
    health::Health,
    retry::{self, News, Patience, Reach},
};
use crate::export::{
    Batch,
    client::Client,
    outcome::{Cause, Failure, Outcome},
    target::{Protocol, Target, TargetError},
};
use crate::trace::Amount;
use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};

/// The maximum time for which requests under way go on after the target was given up.
const GRACE: Duration = Duration::from_secs(10);

/// The limit of a request if neither the target nor the patience with it sets one.
const LONGEST_REQUEST: Duration = Duration::from_secs(300);

/// The state of a delivery.
#[derive(Clone)]
pub(super) enum Phase {
    Running,
    GivenUp(Cause),
    Stopped,
}

impl Phase {
    pub fn stopped() -> Cause {
        Cause::new("stopped", "")
    }
}

/// The state that all tasks of a delivery share.
pub(super) struct Courier {
    client: Client,
    /// The likely reason if a connection breaks before the target has ever answered.
    hint: &'static str,
    url: String,
    /// The limit of one request.
    timeout: Duration,
    /// The time for which one batch is tried.
    patience: Duration,
    phase: watch::Sender<Phase>,
    account: Mutex<Account>,
    reach: Mutex<Reach>,
    pub health: Health,
    /// The memory of finished batches, emptied.
    pub spare: Mutex<Vec<Vec<u8>>>,
    /// The maximum number of bodies in `spare`.
    max_spare: usize,
    warned: AtomicBool,
    observer: Observer,
}

/// Returns the likely reason for a connection that breaks before anything came back.
fn hint(target: &Target) -> &'static str {
    // With TLS 1.3, a receiver that demands a certificate completes the handshake and then closes, and often sends nothing
    // more.
    if target.url.scheme_str() == Some("https") && target.certificates.client.is_none() {
        "; if the peer asks for a client certificate, set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY"
    } else if target.protocol == Protocol::Grpc {
        "; if the peer speaks OTLP over HTTP, use --protocol http/protobuf"
    } else {
        "; if the peer speaks gRPC, use --protocol grpc"
    }
}

impl Courier {
    /// Makes a courier that carries up to `in_flight` batches at the same time, and keeps the memory of up to `max_spare`.
    ///
    /// # Errors
    /// A certificate can't be used.
    pub fn new(target: &Target, options: Options, in_flight: usize, max_spare: usize) -> Result<Self, TargetError> {
        let (first, lost) = (options.wait.min(LONGEST_PATIENCE), options.lost.min(LONGEST_PATIENCE));
        Ok(Courier {
            client: Client::new(target, in_flight)?,
            hint: hint(target),
            url: target.url.to_string().trim_end_matches('/').to_string(),
            timeout: target.timeout.unwrap_or(lost.min(LONGEST_REQUEST)),
            patience: lost.max(first),
            phase: watch::Sender::new(Phase::Running),
            account: Mutex::default(),
            reach: Mutex::new(Reach::new(Patience { first, lost })),
            health: Health::default(),
            spare: Mutex::default(),
            max_spare,
            warned: AtomicBool::new(false),
            observer: options.observer,
        })
    }

    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock()
    }

    /// Returns why nothing more will be delivered; `None` while the delivery goes on.
    pub fn over(&self) -> Option<Cause> {
        match &*self.phase.borrow() {
            Phase::Running => None,
            Phase::GivenUp(cause) => Some(cause.clone()),
            Phase::Stopped => Some(Phase::stopped()),
        }
    }

    pub fn stop(&self) {
        self.phase.send_replace(Phase::Stopped);
    }

    fn give_up(&self, cause: &Cause) {
        let first = self.phase.send_if_modified(|phase| {
            let running = matches!(phase, Phase::Running);
            if running {
                *phase = Phase::GivenUp(cause.clone());
            }
            running
        });
        if first {
            (self.observer)(DeliveryEvent::GaveUp { url: self.url.clone(), cause: cause.to_string() });
        }
    }

    /// Returns when nothing more will be sent.
    async fn wait_over(&self) {
        let mut phase = self.phase.subscribe();
        // Waiting fails only if there is no sender, and `self` holds one.
        let _ = phase.wait_for(|phase| !matches!(phase, Phase::Running)).await;
    }

    /// Returns when requests under way must be abandoned.
    async fn wait_cut(&self) {
        let mut phase = self.phase.subscribe();
        self.wait_over().await;
        tokio::select! {
            _ = phase.wait_for(|phase| matches!(phase, Phase::Stopped)) => {}
            () = sleep(GRACE) => {}
        }
    }

    /// Sends a batch until its outcome is final, and accounts for it.
    pub async fn carry(&self, batch: Batch) {
        let amount = batch.amount();
        let body = Bytes::from(batch.body);
        let fate = self.try_until_done(&body, amount).await;
        let news = {
            let mut account = self.account();
            match &fate {
                Fate::Delivered { rejected_spans, message } => account
                    .deliver(amount, *rejected_spans, message, body.len() as u64)
                    .then(|| Cause::new("partial success", message)),
                Fate::Rejected(cause) => account.reject(amount, cause).then(|| cause.clone()),
                Fate::Undelivered(cause) => {
                    account.lose(amount, cause);
                    None
                }
            }
        };
        if let Some(cause) = news {
            (self.observer)(DeliveryEvent::Rejected { url: self.url.clone(), cause: cause.to_string() });
        }
        if let Fate::Delivered { rejected_spans: 0, message } = fate
            && !message.is_empty()
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            (self.observer)(DeliveryEvent::Warned { url: self.url.clone(), message });
        }
        self.keep(body);
    }

    async fn try_until_done(&self, body: &Bytes, amount: Amount) -> Fate {
        if let Some(cause) = self.over() {
            return Fate::Undelivered(cause);
        }
        let prepared = self.client.prepare(body);
        let mut backoff = retry::backoff();
        let mut failing_since = None;
        let mut resent_unknown = false;
        loop {
            let outcome = tokio::select! {
                outcome = self.attempt(prepared.clone()) => outcome,
                () = self.wait_cut() => return Fate::Undelivered(self.over().unwrap_or_else(Phase::stopped)),
            };
            let failure = match outcome {
                Outcome::Failed(failure) => self.explain(failure),
                Outcome::Accepted { rejected_spans, message } => {
                    self.succeeded();
                    return Fate::Delivered { rejected_spans, message };
                }
                Outcome::Rejected(cause) => {
                    self.succeeded();
                    self.health.refused(&cause);
                    return Fate::Rejected(cause);
                }
            };
            let now = Instant::now();
            let deadline = self.failed(&failure, now).min(*failing_since.get_or_insert(now) + self.patience);
            if now >= deadline {
                return Fate::Undelivered(failure.cause);
            }
            let wait = retry::wait(&failure, &mut backoff).min(deadline - now);
            tokio::select! {
                () = self.pause(wait, deadline) => {}
                () = self.wait_over() => return Fate::Undelivered(failure.cause),
            }
            let mut account = self.account();
            account.retry(&failure.cause, now.elapsed());
            if failure.unknown && !resent_unknown {
                resent_unknown = true;
                account.resend_unknown(amount);
            }
        }
    }

    /// Waits for `wait`, or longer if the receiver asked any request to wait longer, but not beyond the deadline.
    async fn pause(&self, wait: Duration, deadline: Instant) {
        sleep(wait).await;
        let not_before = self.reach.lock().not_before;
        if let Some(until) = not_before {
            sleep_until(until.min(deadline)).await;
        }
    }

    async fn attempt(&self, prepared: Bytes) -> Outcome {
        let not_before = {
            let mut reach = self.reach.lock();
            reach.begin(Instant::now());
            reach.not_before
        };
        if let Some(until) = not_before {
            sleep_until(until).await;
        }
        let sent = Instant::now();
        let outcome = self.client.export(prepared, self.timeout).await;
        if !matches!(outcome, Outcome::Failed(Failure { answered: false, .. })) {
            self.health.answered_after(sent.elapsed());
        }
        outcome
    }

    fn explain(&self, mut failure: Failure) -> Failure {
        if failure.is_broken_connection() && !self.reach.lock().answered {
            failure.cause.message.push_str(self.hint);
        }
        failure
    }

    fn succeeded(&self) {
        self.health.up();
        let out = self.reach.lock().succeeded(Instant::now());
        if let Some(after) = out
            && self.over().is_none()
        {
            (self.observer)(DeliveryEvent::Recovered { url: self.url.clone(), after });
        }
    }

    /// Records a failure. Returns the time until which to try; if it has passed, the target is given up.
    fn failed(&self, failure: &Failure, now: Instant) -> Instant {
        self.health.down(&failure.cause);
        let verdict = self.reach.lock().failed(failure, now);
        let (url, cause) = (self.url.clone(), failure.cause.to_string());
        let trying_for = verdict.deadline.saturating_duration_since(now);
        match verdict.news {
            Some(News::Unreachable) => (self.observer)(DeliveryEvent::Unreachable { url, cause, trying_for }),
            Some(News::Lost) => (self.observer)(DeliveryEvent::Lost { url, cause, trying_for }),
            None => {}
        }
        if now >= verdict.deadline {
            self.give_up(&failure.cause);
        }
        verdict.deadline
    }

    /// Keeps the memory of a body for the next batch, unless the connection still uses it.
    fn keep(&self, body: Bytes) {
        if body.is_unique() {
            let mut memory = Vec::from(body);
            memory.clear();
            let mut spare = self.spare.lock();
            if spare.len() < self.max_spare {
                spare.push(memory);
            }
        }
    }
}

/// The final outcome of a batch.
enum Fate {
    Delivered { rejected_spans: u64, message: String },
    Rejected(Cause),
    Undelivered(Cause),
}
