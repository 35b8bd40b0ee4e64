//! A cache for answers that many ask for at once: an answer serves all who ask for the same within a moment.

use super::response::{self, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes};
use hyper::http::response::Parts;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The time for which an answer is reused. It is shorter than what a person notices on a live page.
const HOLDS: Duration = Duration::from_millis(100);
/// The maximum number of answers that are kept.
const MOST: usize = 64;
/// The maximum length of an answer that is kept, in bytes; together they take at most 16 MiB.
const LARGEST: u64 = 256 << 10;

/// The answers of the last moment.
#[derive(Default)]
pub struct Cache(Mutex<HashMap<String, Arc<Slot>>>);

/// A place for an answer. The task that holds the lock makes the answer, and others wait for it.
type Slot = tokio::sync::Mutex<Option<Kept>>;

struct Kept {
    made: Instant,
    head: Parts,
    body: Bytes,
}

impl Cache {
    /// Returns the answer for `key` if it was made a moment ago, and otherwise makes it with `make`.
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
                // The answer is being made.
                Err(_) => true,
            };
            slots.retain(|_, slot| holds(slot));
            if slots.len() >= MOST {
                slots.clear();
            }
        }
        slots.entry(key).or_default().clone()
    }

    /// Drops all answers, because something was changed.
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
    async fn an_answer_is_made_once_within_a_moment() {
        let (cache, made) = (Cache::default(), AtomicUsize::new(0));
        let ask = async |key: &str| {
            let make = async { response::text(StatusCode::OK, &made.fetch_add(1, Ordering::Relaxed).to_string()) };
            let body = cache.answer(key.into(), make).await.into_body();
            String::from_utf8(response::whole(body).await.to_vec()).unwrap()
        };
        // The test is repeated if it was delayed for longer than an answer is reused.
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
