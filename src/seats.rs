//! Seats for clients: only so many are served at a time, and the one that has been idle longest makes room for a new one.

use parking_lot::Mutex;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The time that a seat may take to become free before the next one is asked for.
const ROOM: Duration = Duration::from_millis(50);

/// A limited number of seats.
pub struct Seats {
    count: u32,
    welcome: Patience,
    free: Arc<Semaphore>,
    /// The seats that are taken.
    taken: Mutex<Vec<Weak<Seat>>>,
}

/// A seat that is taken. It becomes free when it is dropped.
pub struct Seat {
    _permit: OwnedSemaphorePermit,
    /// The time for which the seat may be idle before it is asked for.
    welcome: Patience,
    state: Mutex<State>,
    leave: Notify,
}

#[derive(Clone, Copy)]
struct State {
    /// The number of pieces of work under way that the seat's holder can't speed up.
    busy: usize,
    /// The seat has been busy before.
    served: bool,
    /// The time when something last came.
    moved: Instant,
}

/// The time for which a seat may be idle.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The time before the seat was busy for the first time.
    pub first: Duration,
    /// The time after the seat was busy.
    pub later: Duration,
}

impl State {
    /// Returns the time until which the seat may be idle, or `None` if it is busy.
    fn idle_until(&self, patience: Patience) -> Option<Instant> {
        (self.busy == 0).then_some(self.moved + if self.served { patience.later } else { patience.first })
    }
}

impl Seats {
    /// Makes `count` free seats. While others wait for a seat, one that has been idle for longer than `welcome` is asked
    /// for.
    pub fn new(count: u32, welcome: Patience) -> Seats {
        Seats { count, welcome, free: Arc::new(Semaphore::new(count as usize)), taken: Mutex::default() }
    }

    /// Takes a seat. Waits while all are taken by holders that are busy, or have not been idle for long enough.
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
        let seat = Arc::new(Seat { _permit: permit, welcome: self.welcome, state, leave: Notify::new() });
        let mut taken = self.taken.lock();
        taken.retain(|seat| seat.strong_count() > 0);
        taken.push(Arc::downgrade(&seat));
        seat
    }

    fn ask_idlest(&self) {
        let now = Instant::now();
        let seats = self.taken.lock().iter().filter_map(Weak::upgrade).collect::<Vec<_>>();
        let idle = seats.iter().filter_map(|seat| Some((seat.state().idle_until(self.welcome)?, seat)));
        if let Some((_, seat)) = idle.min_by_key(|(until, _)| *until).filter(|(until, _)| *until <= now) {
            seat.leave.notify_one();
        }
    }

    /// Asks all holders to leave, and waits for that, up to `wait`.
    pub async fn close(&self, wait: Duration) {
        self.taken.lock().iter().filter_map(Weak::upgrade).for_each(|seat| seat.leave.notify_one());
        let _ = timeout(wait, self.free.acquire_many(self.count)).await;
    }
}

impl Seat {
    /// Completes when the seat is asked for.
    pub async fn asked(&self) {
        self.leave.notified().await;
    }

    /// Completes when the seat has been idle for longer than `patience`, or is asked for and still idle for longer than its
    /// welcome: something may have come since it was asked for.
    pub async fn given_up(&self, patience: Patience) {
        loop {
            // While the seat is busy, the end of its patience moves on.
            let until = self.state().idle_until(patience).unwrap_or_else(|| Instant::now() + patience.later);
            let allowed = tokio::select! {
                () = self.leave.notified() => self.welcome,
                () = sleep_until(until) => patience,
            };
            if self.state().idle_until(allowed).is_some_and(|until| until <= Instant::now()) {
                return;
            }
        }
    }

    fn state(&self) -> State {
        *self.state.lock()
    }

    /// Reports whether no work is under way on the seat.
    pub fn is_idle(&self) -> bool {
        self.state().busy == 0
    }

    /// Records that something came, which shows that the holder goes on.
    pub fn moved(&self) {
        self.state.lock().moved = Instant::now();
    }

    /// Makes the seat busy until the returned value is dropped.
    pub fn busy(self: &Arc<Seat>) -> Busy {
        let mut state = self.state.lock();
        (state.busy, state.served) = (state.busy + 1, true);
        Busy(self.clone())
    }
}

/// A guard that keeps its seat busy.
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

    const WELCOME: Patience = Patience { first: Duration::from_secs(3), later: Duration::from_secs(1) };
    const MS: Duration = Duration::from_millis(1);

    async fn is_asked(seat: &Seat) -> bool {
        timeout(MS, seat.asked()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_seat_makes_room_and_busy_ones_stay() {
        let seats = Seats::new(3, WELCOME);
        let [busy, idle, moved] = [seats.take().await, seats.take().await, seats.take().await];
        let work = busy.busy();
        sleep(MS).await;
        moved.moved();
        let asked = async {
            idle.asked().await;
            drop(idle);
        };
        let (_new, ()) = tokio::join!(seats.take(), asked);
        drop(work);
        assert!(busy.is_idle() && moved.is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_seat_that_was_just_taken_or_served_is_not_asked_for() {
        let seats = Seats::new(1, WELCOME);
        for (served, welcome) in [(false, WELCOME.first), (true, WELCOME.later)] {
            let seat = seats.take().await;
            if served {
                drop(seat.busy());
            }
            let began = Instant::now();
            let leaves = async {
                seat.asked().await;
                let took = began.elapsed();
                assert!(took >= welcome && took <= welcome + 2 * ROOM, "{took:?}");
                drop(seat);
            };
            tokio::join!(seats.take(), leaves);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_seat_whose_welcome_ends_first_is_asked_first() {
        let seats = Seats::new(3, Patience { later: Duration::ZERO, ..WELCOME });
        let [first, second, third] = [seats.take().await, seats.take().await, seats.take().await];
        seats.ask_idlest();
        assert!(!is_asked(&first).await && !is_asked(&second).await && !is_asked(&third).await);
        drop(second.busy());
        seats.ask_idlest();
        assert!(is_asked(&second).await && !is_asked(&first).await);
        drop(second);
        let _busy = first.busy();
        sleep(WELCOME.first).await;
        seats.ask_idlest();
        assert!(is_asked(&third).await && !is_asked(&first).await);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_work_extends_it() {
        let seats = Seats::new(1, WELCOME);
        let seat = seats.take().await;
        let patience = Patience { first: 20 * MS, later: Duration::from_secs(3_600) };
        let work = seat.busy();
        assert!(timeout(100 * MS, seat.given_up(patience)).await.is_err(), "it is busy");
        drop(work);
        assert!(timeout(100 * MS, seat.given_up(patience)).await.is_err(), "it was served");
        drop(seat);
        seats.take().await.given_up(patience).await;
    }

    /// A seat that waits for its connection is idle while nothing comes. A request that comes then must be served.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_comes_after_the_seat_was_asked_for_is_served() {
        let seats = Seats::new(1, WELCOME);
        let seat = seats.take().await;
        sleep(2 * WELCOME.first).await;
        seats.ask_idlest();
        seat.moved();
        let patience = Patience { first: Duration::from_secs(30), later: Duration::from_secs(120) };
        assert!(timeout(WELCOME.first, seat.given_up(patience)).await.is_err());
    }
}
