//! The writer, which inserts rows into ClickHouse in batches in the background, and accounts for every span.

use super::client::{Connection, Fault, within};
use super::encode::{Rows, statement};
use super::schema;
use crate::store::StoreError;
use crate::trace::{Amount, Loss, View};
use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use clickhouse::Client;
use lz4_flex::frame::FrameEncoder;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The number of spans at which a batch is inserted.
const BATCH_SPANS: u64 = 20_000;
/// The number of bytes at which a batch is inserted.
const BATCH_BYTES: usize = 16 << 20;
/// The time after which a batch is inserted, from its first trace on.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// The number of batches that wait besides the one under way.
const MOST_WAITING: usize = 2;
/// The time after which a thread without work looks up.
const IDLE: Duration = Duration::from_secs(3_600);

/// Options of a writer.
pub struct WriterOptions {
    /// The time until the server is given up; `None` for no limit.
    pub patience: Option<Patience>,
    /// The time that a caller waits while the buffer is full; `None` if it waits until the server is given up.
    pub full: Option<Duration>,
    /// The receiver of the first fault of each outage. It is called on the writer's thread, and must not block.
    pub observer: Box<dyn Fn(WriterFault) + Send>,
}

/// The time for which a server that takes nothing is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The time for a server that has never answered.
    pub first: Duration,
    /// The time for a server that has answered before.
    pub lost: Duration,
}

/// The report of a server that takes nothing.
#[derive(Clone, Debug)]
pub struct WriterFault {
    pub cause: StoreError,
    /// The server had answered before.
    pub answered: bool,
    /// The time for which it is tried; `None` for no limit.
    pub trying_for: Option<Duration>,
}

/// The account of every span that was handed over: it is waiting, written or lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// What is not acknowledged yet.
    pub waiting: Amount,
    /// What is acknowledged.
    pub written: Amount,
    /// What was lost, by cause, with the server's first message.
    pub lost: BTreeMap<String, Loss>,
    /// What was written again after an unknown outcome, so that it may be there twice.
    pub again: Amount,
    /// The number of inserts that were acknowledged.
    pub inserts: u64,
    /// The number of inserts that were tried again.
    pub retries: u64,
    /// The longest wait before an insert was tried again.
    pub longest_wait: Duration,
}

impl Written {
    pub fn total_lost(&self) -> Amount {
        self.lost.values().map(|loss| loss.amount).sum()
    }
}

/// A thread that inserts what is handed over. If it is dropped before [`Writer::finish`], it stops at once.
pub struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    /// A signal that something has changed for which the thread, or a caller, waits.
    changed: Condvar,
    /// The time that a caller waits while the buffer is full.
    full: Option<Duration>,
    stop: tokio::sync::watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    open: Rows,
    open_since: Option<Instant>,
    full: Vec<Rows>,
    account: Written,
    /// No more rows will come.
    closing: bool,
    /// Nothing more is taken, for this cause and with this message.
    over: Option<(String, String)>,
}

impl Writer {
    /// Starts a writer.
    ///
    /// # Errors
    /// The system has no trusted certificates where https is used, or gives no threads.
    pub fn start(connection: Connection, options: WriterOptions) -> Result<Writer, StoreError> {
        let failed = |e: std::io::Error| StoreError::Failed(format!("can't start to write: {e}"));
        // Both are made before the thread, so that a failure is reported at once.
        let client = connection.client(true)?.with_header("Content-Encoding", "lz4");
        let server = connection.client(false)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, _) = tokio::sync::watch::channel(false);
        let WriterOptions { patience, full, observer } = options;
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), full, stop });
        let thread = std::thread::Builder::new().name("clickhouse".into()).spawn({
            let shared = shared.clone();
            move || {
                let (answered, reported, ready, number) = (false, false, false, 0);
                let mut work =
                    Work { shared, connection, server, client, patience, observer, answered, reported, ready, number };
                while let Some(rows) = work.shared.next() {
                    runtime.block_on(work.insert(rows));
                }
                // A name look-up can't be interrupted, but nobody waits for it.
                runtime.shutdown_background();
            }
        });
        Ok(Writer { shared, thread: Mutex::new(Some(thread.map_err(failed)?)) })
    }

    /// Hands over a trace, which is inserted together with others. Waits while the buffer is full, and returns whether the
    /// trace was taken.
    ///
    /// It must not be called from asynchronous code.
    pub fn add(&self, view: View<'_>) -> bool {
        self.take(|open| open.add(view))
    }

    /// Hands over rows in the same way as [`Writer::add`] a trace, and empties them; they keep their memory.
    ///
    /// It must not be called from asynchronous code.
    pub fn send(&self, rows: &mut Rows) -> bool {
        self.take(|open| open.append(rows))
    }

    fn take(&self, add: impl FnOnce(&mut Rows)) -> bool {
        let mut state = self.shared.state.lock();
        let before = state.open.amount();
        add(&mut state.open);
        let (spans, traces) = (state.open.spans - before.spans, state.open.traces - before.traces);
        state.account.waiting += Amount { spans, traces };
        if state.open.is_full() || state.over.is_some() {
            let rows = std::mem::take(&mut state.open);
            state.open_since = None;
            return self.shared.queue(state, rows);
        }
        if state.open_since.is_none() {
            state.open_since = Some(Instant::now());
            self.shared.changed.notify_all();
        }
        true
    }

    pub fn account(&self) -> Written {
        self.shared.state.lock().account.clone()
    }

    /// Reports whether nothing more is taken, because the server was given up.
    pub fn is_over(&self) -> bool {
        self.shared.state.lock().over.is_some()
    }

    /// Gives up at once what is not acknowledged.
    pub fn abort(&self) {
        self.shared.give_up("stopped", "");
    }

    /// Waits until everything is written or lost, and returns the final account.
    ///
    /// It must not be called from asynchronous code.
    pub fn finish(&self) -> Written {
        self.shared.state.lock().closing = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
        self.account()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.state.lock().closing = true;
        self.abort();
    }
}

impl Rows {
    /// Reports whether there is enough for an insert.
    pub fn is_full(&self) -> bool {
        self.spans >= BATCH_SPANS || self.body.len() >= BATCH_BYTES
    }
}

impl Shared {
    fn queue(&self, mut state: MutexGuard<'_, State>, rows: Rows) -> bool {
        let deadline = self.full.map(|full| Instant::now() + full);
        while state.over.is_none() && state.full.len() >= MOST_WAITING {
            let left = deadline.map_or(IDLE, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                state.lose(&rows, "buffer full", "");
                return false;
            }
            self.changed.wait_for(&mut state, left);
        }
        if let Some((cause, message)) = state.over.clone() {
            state.lose(&rows, &cause, &message);
            return false;
        }
        state.full.push(rows);
        self.changed.notify_all();
        true
    }

    /// Returns the next batch when it is due, or `None` if there is none and no more comes.
    fn next(&self) -> Option<Rows> {
        let mut state = self.state.lock();
        loop {
            if !state.full.is_empty() {
                let rows = state.full.remove(0);
                self.changed.notify_all();
                return Some(rows);
            }
            let due = state.open_since.map(|since| since + FLUSH_AFTER);
            let left = due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()));
            if state.open_since.is_some() && (state.closing || left.is_zero()) {
                state.open_since = None;
                return Some(std::mem::take(&mut state.open));
            }
            if state.closing {
                return None;
            }
            self.changed.wait_for(&mut state, left);
        }
    }

    /// Takes nothing more, and counts what waits as lost.
    fn give_up(&self, cause: &str, message: &str) {
        let mut state = self.state.lock();
        state.over.get_or_insert_with(|| (cause.into(), message.into()));
        let open = std::mem::take(&mut state.open);
        state.open_since = None;
        for rows in std::mem::take(&mut state.full).into_iter().chain([open]) {
            state.lose(&rows, cause, message);
        }
        drop(state);
        self.stop.send_replace(true);
        self.changed.notify_all();
    }
}

impl State {
    fn land(&mut self, rows: &Rows) {
        self.account.waiting.spans -= rows.spans;
        self.account.waiting.traces -= rows.traces;
    }

    fn lose(&mut self, rows: &Rows, cause: &str, message: &str) {
        if rows.spans > 0 {
            self.land(rows);
            let entry = self.account.lost.entry(cause.into());
            entry.or_insert_with(|| Loss { message: message.into(), ..Loss::default() }).amount += rows.amount();
        }
    }
}

/// The state of the thread.
struct Work {
    shared: Arc<Shared>,
    connection: Connection,
    /// A client without a database, for as long as the database does not exist.
    server: Client,
    client: Client,
    patience: Option<Patience>,
    observer: Box<dyn Fn(WriterFault) + Send>,
    /// The server has answered before.
    answered: bool,
    /// The current outage has been reported.
    reported: bool,
    /// The tables exist.
    ready: bool,
    /// The number of the batch.
    number: u64,
}

impl Work {
    async fn insert(&mut self, mut rows: Rows) {
        self.number += 1;
        // A server that keeps the tokens of the last inserts does not take the same batch twice.
        let token = format!("tracegen-{}-{}", crate::clock::now(), self.number);
        let mut waits = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(100))
            .with_max_delay(Duration::from_secs(5))
            .with_factor(2.0)
            .with_jitter()
            .without_max_times()
            .build();
        let (began, mut again) = (Instant::now(), false);
        let mut stop = self.shared.stop.subscribe();
        let body = match packed(&std::mem::take(&mut rows.body)) {
            Ok(body) => body,
            Err(error) => return self.shared.state.lock().lose(&rows, "failed", &error.to_string()),
        };
        loop {
            let attempt = tokio::select! {
                attempt = self.attempt(body.clone(), &token) => attempt,
                _ = stop.wait_for(|stop| *stop) => return self.shared.state.lock().lose(&rows, "stopped", ""),
            };
            let fault = match attempt {
                Ok(()) => {
                    (self.answered, self.reported) = (true, false);
                    let mut state = self.shared.state.lock();
                    state.land(&rows);
                    state.account.written += rows.amount();
                    state.account.inserts += 1;
                    return;
                }
                Err(fault) => fault,
            };
            let patience = self.patience.map(|p| if self.answered { p.lost } else { p.first });
            if fault.passing && !std::mem::replace(&mut self.reported, true) {
                let (cause, answered) = (fault.error.clone(), self.answered);
                (self.observer)(WriterFault { cause, answered, trying_for: patience });
            }
            self.answered |= !matches!(fault.error, StoreError::Unreachable(_));
            self.ready = false;
            let (cause, message) = (cause(&fault.error), fault.error.to_string());
            let wait = waits.next().unwrap_or_default();
            let for_good = matches!(fault.error, StoreError::Refused(_) | StoreError::Schema(_))
                || fault.passing && patience.is_some_and(|patience| began.elapsed() + wait > patience);
            if for_good || !fault.passing {
                self.shared.state.lock().lose(&rows, cause, &message);
                if for_good && self.patience.is_some() {
                    self.shared.give_up(cause, &message);
                }
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.wait_for(|stop| *stop) => return self.shared.state.lock().lose(&rows, cause, &message),
            }
            let mut state = self.shared.state.lock();
            state.account.retries += 1;
            state.account.longest_wait = state.account.longest_wait.max(wait);
            if fault.unknown && !std::mem::replace(&mut again, true) {
                state.account.again += rows.amount();
            }
        }
    }

    /// Creates the tables if they do not exist.
    async fn prepare(&self) -> Result<(), Fault> {
        schema::create(&self.server, &self.connection.database).await?;
        schema::check(&self.server, &self.connection.database).await
    }

    async fn attempt(&mut self, body: Bytes, token: &str) -> Result<(), Fault> {
        if !self.ready {
            // Nothing has been inserted yet, even if the state of the tables is unknown.
            self.prepare().await.map_err(|fault| Fault { unknown: false, ..fault })?;
            self.ready = true;
        }
        let mut insert = self
            .client
            .insert_formatted_with(statement())
            .with_setting("insert_deduplication_token", token)
            .with_setting("async_insert", "0");
        within(async {
            insert.send(body).await?;
            insert.end().await
        })
        .await
    }
}

/// Compresses a body with LZ4.
fn packed(body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = FrameEncoder::new(vec![]);
    encoder.write_all(body)?;
    Ok(encoder.finish()?.into())
}

fn cause(error: &StoreError) -> &'static str {
    match error {
        StoreError::Unreachable(_) => "out of reach",
        StoreError::Refused(_) => "refused",
        StoreError::Schema(_) => "wrong schema",
        StoreError::Failed(_) | StoreError::TooLarge(_) => "failed",
    }
}
