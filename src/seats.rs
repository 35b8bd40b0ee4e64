//! Who is served: so many at a time; who has been idle longest makes room for who comes.

use parking_lot::Mutex;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Who has just come, or moved, is not idle for so long: the next part is on its way.
const WELCOME: Duration = Duration::from_secs(1);
/// How long a seat may take to become free before the next one is asked for.
const ROOM: Duration = Duration::from_millis(50);

/// A number of seats.
pub struct Seats {
    most: u32,
    free: Arc<Semaphore>,
    taken: Mutex<Vec<Weak<Seat>>>,
}

/// One of them, taken. Free when it is dropped.
pub struct Seat {
    _permit: OwnedSemaphorePermit,
    state: Mutex<State>,
    leave: Notify,
}

struct State {
    /// How much is under way on it that is not its holder's to speed up.
    busy: usize,
    /// It has been busy before.
    served: bool,
    /// When something came last.
    moved: Instant,
}

/// How long a seat may be idle while nobody waits for it.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before it was busy for the first time.
    pub first: Duration,
    pub later: Duration,
}

impl Seats {
    pub fn new(most: u32) -> Seats {
        Seats { most, free: Arc::new(Semaphore::new(most as usize)), taken: Mutex::default() }
    }

    /// Waits its turn while all are taken by who is busy, or was not idle for long enough.
    pub async fn take(&self) -> Arc<Seat> {
        let mut free = pin!(self.free.clone().acquire_owned());
        let permit = loop {
            if self.free.available_permits() == 0 {
                self.ask_idlest();
            }
            tokio::select! {
                biased;
                // The semaphore is never closed.
                Ok(permit) = &mut free => break permit,
                () = sleep(ROOM) => {}
            }
        };
        let state = Mutex::new(State { busy: 0, served: false, moved: Instant::now() });
        let seat = Arc::new(Seat { _permit: permit, state, leave: Notify::new() });
        let mut taken = self.taken.lock();
        taken.retain(|seat| seat.strong_count() > 0);
        taken.push(Arc::downgrade(&seat));
        seat
    }

    fn ask_idlest(&self) {
        let seats = self.taken.lock().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        let idle = seats.iter().filter_map(|seat| Some((seat.idle_since()?, seat)));
        if let Some((_, seat)) = idle.min_by_key(|(since, _)| *since).filter(|(since, _)| since.elapsed() >= WELCOME) {
            seat.leave.notify_one();
        }
    }

    /// Asks everybody to leave, and waits for it, no longer than `wait`.
    pub async fn close(&self, wait: Duration) {
        self.taken.lock().iter().filter_map(Weak::upgrade).for_each(|seat| seat.leave.notify_one());
        let _ = timeout(wait, self.free.acquire_many(self.most)).await;
    }
}

impl Seat {
    /// Returns when the seat is asked for.
    pub async fn asked(&self) {
        self.leave.notified().await;
    }

    /// Returns when it has been idle for too long, or was when the seat was asked for.
    pub async fn given_up(&self, patience: Patience) {
        loop {
            let asked = tokio::select! {
                () = self.leave.notified() => true,
                () = sleep_until(self.waits_until(patience)) => false,
            };
            if self.is_idle() && (asked || self.waits_until(patience) <= Instant::now()) {
                return;
            }
        }
    }

    /// Until when it may be idle; while it is busy that moves on.
    fn waits_until(&self, patience: Patience) -> Instant {
        let State { busy, served, moved } = *self.state.lock();
        let from = if busy > 0 { Instant::now() } else { moved };
        from + if served { patience.later } else { patience.first }
    }

    /// `None`: it is busy.
    fn idle_since(&self) -> Option<Instant> {
        let State { busy, moved, .. } = *self.state.lock();
        (busy == 0).then_some(moved)
    }

    pub fn is_idle(&self) -> bool {
        self.idle_since().is_some()
    }

    /// Something came, which shows that its holder goes on.
    pub fn moved(&self) {
        self.state.lock().moved = Instant::now();
    }

    /// Busy from now on, until what this returns is dropped.
    pub fn busy(self: &Arc<Seat>) -> Busy {
        let mut state = self.state.lock();
        (state.busy, state.served) = (state.busy + 1, true);
        Busy(self.clone())
    }
}

/// While it lives its seat is busy.
pub struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        (state.busy, state.moved) = (state.busy - 1, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_time<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { timeout(Duration::from_secs(60), work).await.expect("in time") })
    }

    #[test]
    fn who_is_idle_longest_makes_room_and_who_is_busy_stays() {
        in_time(async {
            let seats = Seats::new(3);
            let [busy, idle, moved] = [seats.take().await, seats.take().await, seats.take().await];
            let work = busy.busy();
            sleep(Duration::from_millis(10)).await;
            moved.moved();
            let asked = async {
                idle.asked().await;
                drop(idle);
            };
            let (_new, ()) = tokio::join!(seats.take(), asked);
            drop(work);
            assert!(busy.is_idle() && moved.is_idle());
        });
    }

    #[test]
    fn who_has_just_come_is_not_sent_away() {
        in_time(async {
            let seats = Seats::new(1);
            let began = Instant::now();
            let first = seats.take().await;
            let leaves = async {
                first.asked().await;
                assert!(began.elapsed() >= WELCOME, "{:?}", began.elapsed());
                drop(first);
            };
            tokio::join!(seats.take(), leaves);
        });
    }

    #[test]
    fn patience_ends_and_work_extends_it() {
        in_time(async {
            let seats = Seats::new(1);
            let seat = seats.take().await;
            let patience = Patience { first: Duration::from_millis(20), later: Duration::from_secs(3_600) };
            let work = seat.busy();
            assert!(timeout(Duration::from_millis(100), seat.given_up(patience)).await.is_err(), "it is busy");
            drop(work);
            assert!(timeout(Duration::from_millis(100), seat.given_up(patience)).await.is_err(), "it was served");
            drop(seat);
            seats.take().await.given_up(patience).await;
        });
    }
}
