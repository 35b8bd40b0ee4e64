//! Pages that many ask for at once are made once: an answer serves all who ask for the same within a moment.

use super::response::{self, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes};
use hyper::http::response::Parts;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer holds. Shorter than what a person notices on a page that is live.
const HOLDS: Duration = Duration::from_millis(100);
/// Answers that are kept, and the largest of them: 16 MiB at worst.
const MOST: usize = 64;
const LARGEST: u64 = 256 << 10;

#[derive(Default)]
pub struct Cache(Mutex<HashMap<String, Arc<Slot>>>);

/// Who holds the lock makes the answer; the others wait for it.
type Slot = tokio::sync::Mutex<Option<Kept>>;

struct Kept {
    made: Instant,
    head: Parts,
    body: Bytes,
}

impl Cache {
    /// What was answered to `key` a moment ago, else what `make` gives.
    pub async fn answer(&self, key: String, make: impl Future<Output = Response>) -> Response {
        let slot = self.slot(key);
        let mut kept = slot.lock().await;
        if let Some(Kept { head, body, .. }) = kept.as_ref().filter(|kept| kept.made.elapsed() < HOLDS) {
            return Response::from_parts(head.clone(), Full::new(body.clone()).boxed());
        }
        let (head, body) = make.await.into_parts();
        if body.size_hint().exact().is_none_or(|bytes| bytes > LARGEST) {
            *kept = None;
            return Response::from_parts(head, body);
        }
        let body = response::whole(body).await;
        *kept = Some(Kept { made: Instant::now(), head: head.clone(), body: body.clone() });
        Response::from_parts(head, Full::new(body).boxed())
    }

    fn slot(&self, key: String) -> Arc<Slot> {
        let mut slots = self.0.lock();
        if slots.len() >= MOST && !slots.contains_key(&key) {
            let holds = |slot: &Arc<Slot>| match slot.try_lock() {
                Ok(kept) => kept.as_ref().is_some_and(|kept| kept.made.elapsed() < HOLDS),
                // being made
                Err(_) => true,
            };
            slots.retain(|_, slot| holds(slot));
            if slots.len() >= MOST {
                slots.clear();
            }
        }
        slots.entry(key).or_default().clone()
    }

    /// Something was changed: what was answered before does not hold any more.
    pub fn clear(&self) {
        self.0.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::StatusCode;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn an_answer_is_made_once_a_moment() {
        let (cache, made) = (Cache::default(), AtomicUsize::new(0));
        let ask = async |key: &str| {
            let make = async { response::text(StatusCode::OK, &made.fetch_add(1, Ordering::Relaxed).to_string()) };
            let body = cache.answer(key.into(), make).await.into_body();
            String::from_utf8(response::whole(body).await.to_vec()).unwrap()
        };
        // Where the test was held up for longer than an answer holds, it is tried again.
        let kept = loop {
            let began = Instant::now();
            let (first, again, other) = (ask("/a").await, ask("/a").await, ask("/b").await);
            if began.elapsed() < HOLDS {
                assert!(first == again && again != other, "{first} {again} {other}");
                break first;
            }
        };
        cache.clear();
        let cleared = ask("/a").await;
        assert_ne!(cleared, kept);
        tokio::time::sleep(HOLDS).await;
        assert_ne!(ask("/a").await, cleared);
        for other in 0..3 * MOST {
            ask(&format!("/{other}")).await;
        }
        assert!(cache.0.lock().len() <= MOST);
    }
}
