//! What one file says, and which services and shared spans may be named in it.

use super::services::Services;
use super::shared::Library;
use super::{Scenario, Scope};
use crate::language::diagnostic::Diagnostic;
use crate::language::source::{FileId, Loc};
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
    pub shared: Arc<Library>,
}

impl Contents {
    /// Notes that a part of the file can't be read, which may have held services and shared spans.
    pub fn mark_short(&mut self) {
        self.services_unsure = true;
        Arc::make_mut(&mut self.shared).mark_short();
    }
}

/// What may be named in a file, which says these things, in a directory whose base file says others.
pub fn scope(file: FileId, base: Option<&Contents>, own: &mut Contents, diagnostics: &mut Vec<Diagnostic>) -> Scope {
    let (services, lists) = services_in_force(base, own, diagnostics);
    let mut shared = std::mem::take(&mut own.shared);
    if let Some(base) = base {
        if shared.own().is_empty() && !shared.is_short() {
            shared = base.shared.clone();
        } else {
            Arc::make_mut(&mut shared).put_above(&base.shared);
        }
    }
    Scope { file, services, lists, shared }
}

/// The services that a file's spans may name, and where the lists stand. `None` where there is no list, or where one could
/// not be read in full: then no service can be said to be missing.
fn services_in_force(
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
