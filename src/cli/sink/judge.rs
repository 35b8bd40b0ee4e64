//! The processing of arrivals, which are counted, and verified if a run is given.

use super::trial::{self, Trial};
use crate::cli::rates::Rates;
use crate::clock;
use crate::receive::{Arrival, Complaint};
use crate::verify::{Census, Policy};
use parking_lot::{Mutex, MutexGuard};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A shared handle on the judge, which takes arrivals on a thread of its own.
#[derive(Clone)]
pub struct Bench(Arc<Mutex<Judge>>);

/// The state of a sink.
pub struct Judge {
    pub census: Census,
    pub rates: Rates,
    /// The verification; `None` if arrivals are only counted.
    pub trial: Option<Trial>,
}

impl Bench {
    /// Makes a judge that verifies arrivals against the run of `manifest`, or only counts them if that is `None`.
    pub fn new(manifest: Option<String>, policy: Policy) -> Bench {
        let trial = manifest.map(|manifest| Trial::new(manifest, policy));
        let judge = Judge { census: Census::since(clock::now()), rates: Rates::default(), trial };
        Bench(Arc::new(Mutex::new(judge)))
    }

    pub fn lock(&self) -> MutexGuard<'_, Judge> {
        self.0.lock()
    }

    /// Reads the manifest again. That may take long if a server has to answer, so the judge is not locked meanwhile.
    ///
    /// # Errors
    /// The manifest can't be used; the error explains why.
    pub fn ask(&self) -> Result<(), String> {
        let manifest = self.lock().trial.as_ref().map(|trial| trial.manifest().to_string());
        let Some(manifest) = manifest else { return Ok(()) };
        let known = trial::known(&manifest);
        self.lock().trial.as_mut().map_or(Ok(()), |trial| trial.learn(known))
    }

    /// Judges and answers arrivals until the channel is closed.
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
        self.rates.count(&self.census, *time);
        match &mut self.trial {
            Some(trial) => trial.request(body, *time).map_err(Complaint::Damaged),
            None => Ok(()),
        }
    }
}
