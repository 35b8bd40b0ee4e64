//! The services in force for a file: its directory's and its own.

use std::collections::HashMap;
use std::sync::Arc;

use super::Service;
use super::read::Contents;
use crate::language::diagnostic::{Diagnostic, Problem, Role};
use crate::language::source::Loc;

/// Services by name, in the order they were first named.
#[derive(Clone, Debug, Default)]
pub struct Services {
    list: Vec<Service>,
    places: HashMap<String, usize>,
}

impl Services {
    pub fn get(&self, name: &str) -> Option<&Service> {
        self.places.get(name).map(|&place| &self.list[place])
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Service> {
        self.list.iter()
    }

    /// Adds a service. A name that is there already must say nothing new: two sets of properties are an error.
    pub fn add(&mut self, service: Service, diagnostics: &mut Vec<Diagnostic>) {
        let Some(&place) = self.places.get(&service.name.value) else {
            self.places.insert(service.name.value.clone(), self.list.len());
            return self.list.push(service);
        };
        let known = &mut self.list[place];
        if is_bare(known) {
            *known = service;
        } else if !is_bare(&service) {
            let problem = Problem::DuplicateService { name: service.name.value };
            diagnostics.push(Diagnostic::new(problem, service.name.loc).related(Role::First, known.name.loc));
        }
    }
}

fn is_bare(service: &Service) -> bool {
    service.version.is_none()
        && service.namespace.is_none()
        && service.instances.is_none()
        && service.attributes.is_empty()
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
    // Most files have none of their own, and share the list of their directory.
    let mut services = base.services.clone();
    for service in own.services.iter() {
        Arc::make_mut(&mut services).add(service.clone(), diagnostics);
    }
    (Some(services), lists)
}
