//! ClickHouse, tried again and again: while it can't be used until it can, while it is used to see that it still is.

use super::Outage;
use crate::clock::now;
use crate::store::{ClickHouse, Store, StoreError};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Between the tries of an outage, growing from the first to the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at a store in use.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub struct Watched(Arc<Shared>);

struct Shared {
    store: ClickHouse,
    /// `None`: it is in use.
    outage: Mutex<Option<Outage>>,
    /// Only one check at a time.
    checking: tokio::sync::Mutex<()>,
    /// The end of it.
    over: Notify,
}

impl Watched {
    /// # Errors
    /// A system that gives no threads.
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
            over: Notify::new(),
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
                            () = shared.over.notified() => {}
                        }
                    });
                    // A name look-up can't be interrupted; nobody waits for it.
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

    /// Try it now; whether it can be used.
    pub async fn check(&self) -> bool {
        self.0.check().await
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.over.notify_one();
    }
}

impl Shared {
    async fn watch(&self) {
        loop {
            if self.check().await {
                // what keeps it from that is seen at the next look
                let _ = self.store.catch_up().await;
            }
            // A try that was asked for in between puts off the next one.
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
