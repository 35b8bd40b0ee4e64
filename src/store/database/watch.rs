//! Supervision of ClickHouse: it is tried until it can be used, and checked while it is used.

use super::Outage;
use crate::clock::now;
use crate::store::{ClickHouse, Store, StoreError};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The first wait between tries of an outage.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The last wait between tries, up to which they grow.
const LAST_WAIT: Duration = Duration::from_secs(10);
/// The time between two checks of a store in use.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A ClickHouse store under supervision.
pub struct Watched(Arc<Shared>);

struct Shared {
    store: ClickHouse,
    /// The current outage; `None` while the store is in use.
    outage: Mutex<Option<Outage>>,
    /// A lock, so that only one check runs at a time.
    checking: tokio::sync::Mutex<()>,
    /// A signal to end the supervision.
    ended: Notify,
}

impl Watched {
    /// Starts the supervision.
    ///
    /// # Errors
    /// The system gives no threads.
    pub fn start(store: ClickHouse) -> Result<Watched, StoreError> {
        let failed = |e: std::io::Error| StoreError::Failed(format!("can't watch ClickHouse: {e}"));
        let untried = Outage {
            since: now(),
            cause: StoreError::Unreachable("not reached yet".into()),
            tries: 0,
            next_try: now(),
        };
        let shared = Arc::new(Shared {
            store,
            outage: Mutex::new(Some(untried)),
            checking: tokio::sync::Mutex::default(),
            ended: Notify::new(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        std::thread::Builder::new()
            .name("watch".into())
            .spawn({
                let shared = shared.clone();
                move || {
                    runtime.block_on(async {
                        tokio::select! {
                            () = shared.watch() => {}
                            () = shared.ended.notified() => {}
                        }
                    });
                    // A name look-up can't be interrupted, but nobody waits for it.
                    runtime.shutdown_background();
                }
            })
            .map_err(failed)?;
        Ok(Watched(shared))
    }

    pub fn store(&self) -> &ClickHouse {
        &self.0.store
    }

    pub fn is_in_use(&self) -> bool {
        self.0.outage.lock().is_none()
    }

    pub fn outage(&self) -> Option<Outage> {
        self.0.outage.lock().clone()
    }

    /// Checks the store now, and returns whether it can be used.
    pub async fn check(&self) -> bool {
        self.0.check().await
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.ended.notify_one();
    }
}

impl Shared {
    async fn watch(&self) {
        loop {
            if self.check().await {
                // The next check notices a fault that prevents this.
                let _ = self.store.catch_up().await;
            }
            // An extra try in between delays the next one.
            loop {
                let due = self.outage.lock().as_ref().map(|outage| outage.next_try.saturating_sub(now()));
                match due {
                    Some(0) => break,
                    Some(left) => tokio::time::sleep(Duration::from_nanos(left)).await,
                    None => {
                        tokio::time::sleep(LOOK_EVERY).await;
                        break;
                    }
                }
            }
        }
    }

    async fn check(&self) -> bool {
        let _one = self.checking.lock().await;
        let result = self.store.connect().await;
        let mut outage = self.outage.lock();
        match (result, &mut *outage) {
            (Ok(()), _) => *outage = None,
            (Err(cause), None) => {
                let next_try = now() + FIRST_WAIT.as_nanos() as u64;
                *outage = Some(Outage { since: now(), cause, tries: 1, next_try });
            }
            (Err(cause), Some(outage)) => {
                outage.cause = cause;
                outage.tries += 1;
                let wait = FIRST_WAIT.saturating_mul(1 << (outage.tries - 1).min(10)).min(LAST_WAIT);
                outage.next_try = now() + wait.as_nanos() as u64;
            }
        }
        outage.is_none()
    }
}
