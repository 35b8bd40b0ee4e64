//! What becomes of an arrival: it is counted.

use crate::receive::{Arrival, Complaint};
use crate::verify::Census;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Takes arrivals on a thread of its own; read by others while it does.
#[derive(Clone, Default)]
pub struct Bench(Arc<Mutex<Judge>>);

#[derive(Default)]
pub struct Judge {
    pub census: Census,
}

impl Bench {
    pub fn lock(&self) -> MutexGuard<'_, Judge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take arrivals until there can be no more.
    pub fn take_all(&self, mut arrivals: mpsc::Receiver<Arrival>) {
        while let Some(arrival) = arrivals.blocking_recv() {
            let said = self.lock().take(&arrival);
            arrival.answer(said);
        }
    }
}

impl Judge {
    fn take(&mut self, arrival: &Arrival) -> Result<(), Complaint> {
        let damaged = |e: &dyn std::error::Error| Complaint::Damaged(e.to_string());
        self.census.request(&arrival.body, arrival.at).map_err(|e| damaged(&e))
    }
}
