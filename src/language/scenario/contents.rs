//! What one file says, and which services its spans may name.

use super::Scenario;
use super::services::Services;
use crate::language::diagnostic::Diagnostic;
use crate::language::source::Loc;
use std::sync::Arc;

/// What one file says.
#[derive(Default)]
pub struct Contents {
    pub scenarios: Vec<Scenario>,
    pub services: Arc<Services>,
    /// Where the `services` keys stand.
    pub lists: Vec<Loc>,
    /// A list of services may be missing or short for a mistake that was reported.
    pub services_unsure: bool,
}

/// The services that a file's spans may name, and where the lists stand. `None` where there is no list, or where one could
/// not be read in full: then no service can be said to be missing.
pub fn in_force(
    base: Option<&Contents>,
    own: &Contents,
    diagnostics: &mut Vec<Diagnostic>,
) -> (Option<Arc<Services>>, Vec<Loc>) {
    let mut lists = base.map_or_else(Vec::new, |base| base.lists.clone());
    lists.extend(&own.lists);
    if lists.is_empty() || own.services_unsure || base.is_some_and(|base| base.services_unsure) {
        return (None, lists);
    }
    let Some(base) = base else { return (Some(own.services.clone()), lists) };
    if own.services.own().is_empty() {
        return (Some(base.services.clone()), lists);
    }
    let mut services = Services::beside(base.services.clone());
    for service in own.services.own() {
        diagnostics.extend(services.add(service.clone()));
    }
    (Some(Arc::new(services)), lists)
}
