//! Carries batches to a target and keeps the account.
//!
//! Callers are plain threads; requests run on a small runtime of the delivery's own. Memory is bounded: at most
//! `queue` + `in_flight` batches, and one for each thread that waits in [`Delivery::send`]; with gzip over HTTP the
//! compressed body of each request in flight besides, over gRPC a framed copy.
//!
//! A request that fails in a way the OTLP specification calls retryable is sent again until it gets through, the target is
//! given up (10 s if nothing ever answered, 5 min after it was lost), or the delivery is stopped. A batch that fails for as
//! long as that is given up alone.

mod account;
mod event;
mod retry;

pub use account::{Account, Amount, Loss};
pub use event::{DeliveryEvent, Observer};

use super::{
    Batch, grpc, http,
    outcome::{Cause, Failure, Outcome},
    target::{Protocol, Target, TargetError},
};
use bytes::Bytes;
use retry::{News, Patience, Reach};
use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

/// Longest that requests under way go on after the target was given up.
const GRACE: Duration = Duration::from_secs(10);

/// How to deliver.
pub struct Options {
    /// Requests at the same time; unset: 2 over gRPC, 4 over HTTP.
    pub in_flight: Option<usize>,
    /// Batches that wait.
    pub queue: usize,
    /// Patience with a target that has not answered yet.
    pub wait: Duration,
    /// Patience with one that has. Also the limit of a request when the target sets none.
    pub lost: Duration,
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

/// A running delivery. Dropped unfinished, it stops at once.
pub struct Delivery {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Batch>>,
    workers: JoinSet<()>,
    runtime: Option<Runtime>,
}

/// Watches a delivery, and can stop it, from other threads.
#[derive(Clone)]
pub struct Monitor(Arc<Shared>);

impl Delivery {
    /// Start; the first connection is made with the first batch.
    ///
    /// # Errors
    /// A certificate that can't be used, or a system that gives no threads.
    pub fn start(target: Target, options: Options) -> Result<Delivery, TargetError> {
        let is_grpc = target.protocol == Protocol::Grpc;
        let in_flight = options.in_flight.unwrap_or(if is_grpc { 2 } else { 4 }).max(1);
        let client = match target.protocol {
            Protocol::Grpc => Client::Grpc(grpc::Client::new(&target)?),
            Protocol::HttpProtobuf | Protocol::HttpJson => Client::Http(http::Client::new(&target, in_flight)?),
        };
        // One thread carries several million spans a second; compression takes more than sending does.
        let threads = if target.compression == super::target::Compression::Gzip { in_flight.min(4) } else { 1 };
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("deliver")
            .enable_all()
            .build()
            .map_err(|e| TargetError::runtime(e.to_string()))?;
        let (queue, batches) = mpsc::channel(options.queue.max(1));
        let batches = Arc::new(tokio::sync::Mutex::new(batches));
        let may_want_certificate = target.url.scheme_str() == Some("https") && target.certificates.client.is_none();
        let shared = Arc::new(Shared {
            client,
            may_want_certificate,
            url: target.url.to_string().trim_end_matches('/').to_string(),
            timeout: target.timeout.unwrap_or(options.lost),
            patience: options.lost,
            phase: watch::Sender::new(Phase::Running),
            account: Mutex::default(),
            reach: Mutex::new(Reach::new(Patience { first: options.wait, lost: options.lost })),
            spare: Mutex::default(),
            most_spare: in_flight + options.queue,
            warned: AtomicBool::new(false),
            observer: options.observer,
        });
        let mut workers = JoinSet::new();
        for _ in 0..in_flight {
            let (shared, batches) = (shared.clone(), batches.clone());
            let work = async move {
                loop {
                    let next = batches.lock().await.recv().await;
                    let Some(batch) = next else { break };
                    shared.carry(batch).await;
                }
            };
            workers.spawn_on(work, runtime.handle());
        }
        Ok(Delivery { shared, queue: Some(queue), workers, runtime: Some(runtime) })
    }

    /// Hand over a batch; blocks while the queue is full. Returns the memory of an earlier one, empty, if there is any.
    /// Once [`Monitor::is_over`], the batch is undelivered at once.
    ///
    /// Not to be called from asynchronous code.
    pub fn send(&self, batch: Batch) -> Option<Vec<u8>> {
        let amount = amount(&batch);
        self.shared.account().generate(amount);
        let refused = match (self.shared.over(), &self.queue) {
            (None, Some(queue)) => match queue.blocking_send(batch) {
                Ok(()) => return lock(&self.shared.spare).pop(),
                Err(back) => back.0,
            },
            _ => batch,
        };
        let cause = self.shared.over().unwrap_or_else(Phase::stopped);
        self.shared.account().lose(amount, &cause);
        let mut body = refused.body;
        body.clear();
        Some(body)
    }

    pub fn monitor(&self) -> Monitor {
        Monitor(self.shared.clone())
    }

    /// Wait until every batch is delivered, rejected or given up, and close the account.
    ///
    /// Not to be called from asynchronous code.
    pub fn finish(self) -> Account {
        self.close(None)
    }

    /// As [`Delivery::finish`], but what is not delivered after `limit` is undelivered.
    pub fn finish_within(self, limit: Duration) -> Account {
        self.close(Some(limit))
    }

    fn close(mut self, limit: Option<Duration>) -> Account {
        self.queue = None;
        if let Some(runtime) = &self.runtime {
            let (workers, shared) = (&mut self.workers, &self.shared);
            runtime.block_on(async {
                let all = async { while workers.join_next().await.is_some() {} };
                match limit {
                    None => all.await,
                    Some(limit) => {
                        tokio::pin!(all);
                        if timeout(limit, &mut all).await.is_err() {
                            shared.stop();
                            all.await;
                        }
                    }
                }
            });
        }
        self.shared.account().clone()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(runtime) = self.runtime.take() {
            // A name look-up can't be interrupted; nobody waits for it.
            runtime.shutdown_background();
        }
    }
}

impl Monitor {
    /// How it stands now.
    pub fn account(&self) -> Account {
        self.0.account().clone()
    }

    /// The target was given up, or the delivery stopped: nothing more will be delivered.
    pub fn is_over(&self) -> bool {
        self.0.over().is_some()
    }

    /// Stop at once: what is not acknowledged yet is undelivered. [`Delivery::finish`] then returns at once, too.
    pub fn abort(&self) {
        self.0.stop();
    }
}

#[derive(Clone)]
enum Phase {
    Running,
    GivenUp(Cause),
    Stopped,
}

impl Phase {
    fn stopped() -> Cause {
        Cause::new("stopped", "")
    }
}

enum Client {
    Grpc(grpc::Client),
    Http(http::Client),
}

struct Shared {
    client: Client,
    /// TLS, without a certificate of ours.
    may_want_certificate: bool,
    url: String,
    /// For one request.
    timeout: Duration,
    /// With one batch.
    patience: Duration,
    phase: watch::Sender<Phase>,
    account: Mutex<Account>,
    reach: Mutex<Reach>,
    /// Memory of batches that are done, empty.
    spare: Mutex<Vec<Vec<u8>>>,
    most_spare: usize,
    warned: AtomicBool,
    observer: Observer,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn amount(batch: &Batch) -> Amount {
    Amount { spans: batch.spans, traces: batch.traces }
}

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }

    /// Why nothing more will be delivered, if so.
    fn over(&self) -> Option<Cause> {
        match &*self.phase.borrow() {
            Phase::Running => None,
            Phase::GivenUp(cause) => Some(cause.clone()),
            Phase::Stopped => Some(Phase::stopped()),
        }
    }

    fn stop(&self) {
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
        // Fails only without a sender, and `self` holds one.
        let _ = phase.wait_for(|phase| !matches!(phase, Phase::Running)).await;
    }

    /// Returns when a request under way is to be left.
    async fn wait_cut(&self) {
        let mut phase = self.phase.subscribe();
        self.wait_over().await;
        tokio::select! {
            _ = phase.wait_for(|phase| matches!(phase, Phase::Stopped)) => {}
            () = sleep(GRACE) => {}
        }
    }

    /// See a batch to its end, and account for it.
    async fn carry(&self, batch: Batch) {
        let amount = amount(&batch);
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
        let prepared = match &self.client {
            Client::Http(client) => client.prepare(body),
            Client::Grpc(_) => body.clone(),
        };
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

    /// Wait, and on for as long as the receiver asked any request to, but not beyond the deadline.
    async fn pause(&self, wait: Duration, deadline: Instant) {
        sleep(wait).await;
        let not_before = lock(&self.reach).not_before;
        if let Some(until) = not_before {
            sleep_until(until.min(deadline)).await;
        }
    }

    async fn attempt(&self, prepared: Bytes) -> Outcome {
        let not_before = {
            let mut reach = lock(&self.reach);
            reach.begin(Instant::now());
            reach.not_before
        };
        if let Some(until) = not_before {
            sleep_until(until).await;
        }
        let request = async {
            match &self.client {
                Client::Grpc(client) => client.export(prepared).await,
                Client::Http(client) => client.export(prepared).await,
            }
        };
        match timeout(self.timeout, request).await {
            Ok(outcome) => outcome,
            Err(_) => {
                if let Client::Grpc(client) = &self.client {
                    client.reconnect();
                }
                Outcome::Failed(Failure::timeout(self.timeout))
            }
        }
    }

    /// With TLS 1.3, a receiver that wants a certificate completes the handshake, then closes; often no more is seen of it.
    fn explain(&self, mut failure: Failure) -> Failure {
        if self.may_want_certificate && failure.is_broken_connection() && !lock(&self.reach).answered {
            failure.cause.message.push_str(
                "; if the peer asks for a client certificate, set OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY",
            );
        }
        failure
    }

    fn succeeded(&self) {
        let out = lock(&self.reach).succeeded(Instant::now());
        if let Some(after) = out {
            (self.observer)(DeliveryEvent::Recovered { url: self.url.clone(), after });
        }
    }

    /// Returns until when to try. If that has passed, the target is given up.
    fn failed(&self, failure: &Failure, now: Instant) -> Instant {
        let verdict = lock(&self.reach).failed(failure, now);
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

    /// Keep a body's memory for the next batch, unless the connection still holds on to it.
    fn keep(&self, body: Bytes) {
        if body.is_unique() {
            let mut memory = Vec::from(body);
            memory.clear();
            let mut spare = lock(&self.spare);
            if spare.len() < self.most_spare {
                spare.push(memory);
            }
        }
    }
}

/// How a batch ended.
enum Fate {
    Delivered { rejected_spans: u64, message: String },
    Rejected(Cause),
    Undelivered(Cause),
}
