//! The contents of one file, and the services and shared spans that may be named in it.

use super::incident::Incident;
use super::load::Load;
use super::malform::Malform;
use super::services::Services;
use super::shared::Library;
use super::{Scenario, Scope};
use crate::language::diagnostic::Diagnostic;
use crate::language::source::{FileId, Loc};
use std::sync::Arc;

/// The contents of one file.
#[derive(Default)]
pub struct Contents {
    pub scenarios: Vec<Scenario>,
    pub services: Arc<Services>,
    /// The places of the `services` keys.
    pub lists: Vec<Loc>,
    /// Whether a list of services may be missing or incomplete because of a reported mistake.
    pub services_unsure: bool,
    pub shared: Arc<Library>,
    pub incidents: Vec<Incident>,
    /// The loads of the file, of which there should be at most one.
    pub loads: Vec<Load>,
    pub malform: Vec<Malform>,
}

impl Contents {
    /// Notes that a part of the file can't be read, which may contain services and shared spans.
    pub fn mark_short(&mut self) {
        self.services_unsure = true;
        Arc::make_mut(&mut self.shared).mark_short();
    }
}

/// Returns what may be named in a file with these contents, in a directory whose base file has the contents `base`.
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
    let mut malform = base.map_or_else(Vec::new, |base| base.malform.clone());
    malform.append(&mut own.malform);
    Scope { file, services, lists, shared, malform }
}

/// Returns the services that a file's spans may name, and the places of the lists, or `None` if there is no list, or one
/// could not be read completely, so that no service can be called missing.
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
