//! Surges: what incidents make of the rates at which scenarios start, while they are in force.

use crate::plan::{IncidentId, Plan, RateChange, ScenarioId, Windows, lcm};

/// The surges of a run, in the order of their incidents.
#[derive(Clone)]
pub(super) struct Surges(Box<[(IncidentId, Windows, RateChange)]>);

impl Surges {
    /// Returns the surges of a run that starts at `start`, in ns since 1970, if `is_wanted` holds for what they change.
    pub fn new(plan: &Plan, start: u64, is_wanted: impl Fn(&RateChange) -> bool) -> Surges {
        let incidents = plan.incidents.iter().zip(plan.incident_ids());
        let surges = incidents.filter_map(|(incident, id)| {
            let change = incident.rate.clone().filter(&is_wanted)?;
            Some((id, incident.windows(start), change))
        });
        Surges(surges.collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the incidents of the surges at `time`, in ns since 1970, into `out`, which is cleared before.
    pub fn in_force(&self, time: u64, out: &mut Vec<IncidentId>) {
        out.clear();
        out.extend(self.0.iter().filter(|(_, windows, _)| windows.contain(time)).map(|(id, _, _)| *id));
    }

    /// Returns the factor of a scenario's rate at `time`, in ns since 1970.
    pub fn factor(&self, scenario: ScenarioId, time: u64) -> f64 {
        let affecting = self.0.iter().filter(|(_, windows, change)| change.affects(scenario) && windows.contain(time));
        affecting.map(|(_, _, change)| change.times).product()
    }

    /// Returns the first time after `time` at which a factor may change, if there is one.
    pub fn next_change(&self, time: u64) -> Option<u64> {
        self.0.iter().filter_map(|(_, windows, _)| windows.next_change(time)).min()
    }

    /// Returns the time after which the factors repeat, or never change, in ns since 1970.
    pub fn settled(&self) -> u64 {
        self.0.iter().map(|(_, windows, _)| windows.settled()).max().unwrap_or(0)
    }

    /// Returns the period in which the factors repeat, in ns, if they do.
    pub fn period(&self) -> Option<u128> {
        self.0.iter().filter_map(|(_, windows, _)| windows.period()).map(u128::from).reduce(lcm)
    }
}
