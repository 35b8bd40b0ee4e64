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
/// How long a seat may take to become free before the next one is asked for.
const ROOM: Duration = Duration::from_millis(50);

pub struct Seats {
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Weak<Seat>>>,
}

/// A connection's. Free when it is dropped.
pub struct Seat {
    _permit: OwnedSemaphorePermit,
    /// Since when it waits for a request; `None`: it is being answered.
    idle: Mutex<Option<Instant>>,
    leave: Notify,
}

impl Default for Seats {
    fn default() -> Self {
        Seats { free: Arc::new(Semaphore::new(MOST as usize)), taken: Mutex::default() }
    }
}

impl Seats {
    /// Waits while all are taken by connections that are being answered.
    pub async fn take(&self) -> Arc<Seat> {
        let permit = loop {
            if self.free.available_permits() == 0 {
                self.ask_idlest();
            }
            if let Ok(Ok(permit)) = timeout(ROOM, self.free.clone().acquire_owned()).await {
                break permit;
            }
        };
        let seat = Arc::new(Seat { _permit: permit, idle: Mutex::new(Some(Instant::now())), leave: Notify::new() });
        let mut taken = self.taken.lock();
        taken.retain(|seat| seat.strong_count() > 0);
        taken.push(Arc::downgrade(&seat));
        seat
    }

    fn ask_idlest(&self) {
        let seats = self.taken.lock().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        let idle = seats.iter().filter_map(|seat| Some((*seat.idle.lock())?).map(|since| (since, seat)));
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
