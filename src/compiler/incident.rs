//! Incidents: their windows. What they change of spans is resolved with the spans that they select, and what they change of
//! rates with the load.

use super::tables::Tables;
use crate::language::scenario::incident::{At, Incident};
use crate::plan::{self, Opening};

/// Adds the windows of all incidents to the program.
pub fn add(incidents: &[Incident], tables: &mut Tables) {
    for incident in incidents {
        let name = tables.text(&incident.name.value);
        let at = match incident.at {
            At::AfterStart(after) => Opening::AfterStart(after),
            At::TimeOfDay(time) => Opening::TimeOfDay(time),
        };
        let Incident { length, every, .. } = *incident;
        tables.program.incidents.push(plan::Incident { name, at, length, every, rate: None });
    }
}
