//! What becomes of an arrival: it is counted, and held against a run where one is known.

use super::trial::{self, Trial};
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

    /// Read what the manifest says now, which may take as long as a server does; nobody else waits for it.
    ///
    /// # Errors
    /// It says nothing, for the reason that is given.
    pub fn ask(&self) -> Result<(), String> {
        let manifest = self.lock().trial.as_ref().map(|trial| trial.manifest().to_string());
        let Some(manifest) = manifest else { return Ok(()) };
        let known = trial::known(&manifest);
        self.lock().trial.as_mut().map_or(Ok(()), |trial| trial.learn(known))
    }

    /// Take arrivals until there can be no more.
    pub fn take_all(&self, mut arrivals: mpsc::Receiver<Arrival>) {
        while let Some(arrival) = arrivals.blocking_recv() {
            let lacks_run = self.lock().trial.as_mut().is_some_and(|trial| !trial.look());
            let known = if lacks_run { self.ask().map_err(Complaint::NotNow) } else { Ok(()) };
            let said = known.and_then(|()| self.lock().take(&arrival));
            arrival.answer(said);
        }
    }
}

impl Judge {
    fn take(&mut self, Arrival { body, time, .. }: &Arrival) -> Result<(), Complaint> {
        self.census.request(body, *time).map_err(|e| Complaint::Damaged(e.to_string()))?;
        match &mut self.trial {
            Some(trial) => trial.request(body, *time).map_err(Complaint::Damaged),
            None => Ok(()),
        }
    }
}
