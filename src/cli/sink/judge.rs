//! What becomes of an arrival: it is counted, and held against a run where one is known.

use super::trial::Trial;
use crate::cli::source;
use crate::clock;
use crate::receive::{Arrival, Complaint};
use crate::verify::{Census, Policy};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Where arrivals are taken, on a thread of its own; others look on.
#[derive(Clone)]
pub struct Bench(Arc<Mutex<Judge>>);

pub struct Judge {
    pub census: Census,
    /// `None`: it is only counted.
    pub trial: Option<Trial>,
}

impl Bench {
    /// `manifest`: of the run that arrivals are of.
    pub fn new(manifest: Option<String>, policy: Policy) -> Bench {
        let trial = manifest.map(|manifest| Trial::new(manifest, policy));
        let judge = Judge { census: Census::since(clock::now()), trial };
        Bench(Arc::new(Mutex::new(judge)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Judge> {
        self.0.lock()
    }

    /// Ask the URL of the manifest what it says now; blocks, and nobody else meanwhile.
    pub fn ask(&self) {
        let url = self.lock().trial.as_ref().and_then(|trial| trial.url().map(str::to_string));
        let Some(url) = url else { return };
        let known = source::known(&url);
        if let Some(trial) = &mut self.lock().trial {
            // What it says at the end is what counts.
            let _ = trial.learn(known);
        }
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
    fn take(&mut self, Arrival { body, at, .. }: &Arrival) -> Result<(), Complaint> {
        if let Some(trial) = &mut self.trial {
            trial.catch_up().map_err(Complaint::NotNow)?;
        }
        self.census.request(body, *at).map_err(|e| Complaint::Damaged(e.to_string()))?;
        match &mut self.trial {
            Some(trial) => trial.request(body, *at).map_err(Complaint::Damaged),
            None => Ok(()),
        }
    }
}
