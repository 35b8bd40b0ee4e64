//! Who is connected: so many at a time; who has been idle longest makes room for who comes.

use hyper::body::{Body, Bytes, Frame, SizeHint};
use parking_lot::Mutex;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

/// Connections at a time; with the files and connections of stores and exporters, below the 1,024 files that a process
/// usually may open.
const MOST: u32 = 512;
/// A connection that was just accepted is not idle: its first request is on the way for so long.
const WELCOME: Duration = Duration::from_secs(3);
/// How long a seat may take to become free before the next one is asked for.
const ROOM: Duration = Duration::from_millis(50);

pub struct Seats {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Weak<Seat>>>,
}

/// A connection's. Free when it is dropped.
pub struct Seat {
    _permit: OwnedSemaphorePermit,
    /// From when on it may be asked to leave, as it waits for a request; `None`: it is being answered.
    idle: Mutex<Option<Instant>>,
    leave: Notify,
}

impl Default for Seats {
    fn default() -> Self {
        Seats { free: Arc::new(Semaphore::new(MOST as usize)), taken: Mutex::default() }
    }
}

impl Seats {
    /// Waits while all are taken by connections that are being answered, or have just come.
    pub async fn take(&self) -> Arc<Seat> {
        let permit = loop {
            if self.free.available_permits() == 0 {
                self.ask_idlest(Instant::now());
            }
            if let Ok(Ok(permit)) = timeout(ROOM, self.free.clone().acquire_owned()).await {
                break permit;
            }
        };
        let idle = Mutex::new(Some(Instant::now() + WELCOME));
        let seat = Arc::new(Seat { _permit: permit, idle, leave: Notify::new() });
        let mut taken = self.taken.lock();
        taken.retain(|seat| seat.strong_count() > 0);
        taken.push(Arc::downgrade(&seat));
        seat
    }

    fn ask_idlest(&self, now: Instant) {
        let seats = self.taken.lock().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        let since = |seat: &Seat| seat.idle.lock().filter(|since| *since <= now);
        let idle = seats.iter().filter_map(|seat| Some((since(seat)?, seat)));
        if let Some((_, seat)) = idle.min_by_key(|(since, _)| *since) {
            seat.leave.notify_one();
        }
    }

    /// Everybody leaves: who is idle at once, who is being answered after that. Waits for it.
    pub async fn close(&self, wait: Duration) {
        self.taken.lock().iter().filter_map(Weak::upgrade).for_each(|seat| seat.leave.notify_one());
        let _ = timeout(wait, self.free.acquire_many(MOST)).await;
    }
}

impl Seat {
    /// Until its seat is asked for.
    pub async fn asked(&self) {
        self.leave.notified().await;
    }

    pub fn is_idle(&self) -> bool {
        self.idle.lock().is_some()
    }

    /// Being answered from now on, until what this gives is dropped.
    pub fn busy(self: &Arc<Seat>) -> Busy {
        *self.idle.lock() = None;
        Busy(self.clone())
    }
}

pub struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.idle.lock() = Some(Instant::now());
    }
}

/// A response's body: its connection is busy until it is sent.
pub struct Sending<B> {
    pub body: B,
    pub _busy: Busy,
    /// The room that the body takes.
    pub _held: Option<OwnedSemaphorePermit>,
}

impl<B: Body<Data = Bytes, Error = Infallible> + Unpin> Body for Sending<B> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_asked(seat: &Seat) -> bool {
        timeout(Duration::from_millis(1), seat.asked()).await.is_ok()
    }

    #[tokio::test]
    async fn who_has_just_come_is_not_asked_to_leave() {
        let seats = Seats::default();
        let (first, second, third) = (seats.take().await, seats.take().await, seats.take().await);
        let now = Instant::now();
        seats.ask_idlest(now);
        assert!(!is_asked(&first).await && !is_asked(&second).await && !is_asked(&third).await);
        // who has been answered may be asked at once
        drop(second.busy());
        seats.ask_idlest(Instant::now());
        assert!(is_asked(&second).await && !is_asked(&first).await);
        // and who says nothing for long, the longest first, but not who is being answered
        drop(second);
        let busy = first.busy();
        seats.ask_idlest(now + WELCOME);
        assert!(is_asked(&third).await && !is_asked(&first).await);
        drop(busy);
    }
}
