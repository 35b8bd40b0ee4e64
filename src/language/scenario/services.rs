//! The services that a file may name: its directory's and its own.

use std::collections::HashMap;
use std::sync::Arc;

use super::Service;
use crate::language::diagnostic::{Diagnostic, Problem, Role};

/// Services by name, in the order in which they were first named.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// Those of the directory, which many files share.
    base: Option<Arc<Services>>,
    list: Vec<Service>,
    places: HashMap<String, usize>,
}

impl Services {
    pub fn get(&self, name: &str) -> Option<&Service> {
        match self.places.get(name) {
            Some(&place) => Some(&self.list[place]),
            None => self.base.as_ref()?.get(name),
        }
    }

    /// Returns all services: those of the directory that the file does not redefine, then the file's own.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        let shared = self.base.iter().flat_map(|base| &base.list);
        shared.filter(|service| !self.places.contains_key(&service.name.value)).chain(&self.list)
    }

    /// Returns the services that the file itself lists or redefines.
    pub fn own(&self) -> &[Service] {
        &self.list
    }

    /// Returns the services of the directory, if the file has services of its own, too.
    pub fn base(&self) -> Option<&Arc<Services>> {
        self.base.as_ref()
    }

    /// Makes the services of a file in a directory with the services `base`.
    pub fn beside(base: Arc<Services>) -> Services {
        Services { base: Some(base), ..Services::default() }
    }

    /// Adds a service. If there is already one with this name but other properties, the diagnostic about it is returned.
    pub fn add(&mut self, service: Service) -> Option<Diagnostic> {
        match self.get(&service.name.value) {
            Some(_) if is_bare(&service) => {}
            Some(known) if !is_bare(known) => {
                let problem = Problem::DuplicateService { name: service.name.value };
                return Some(Diagnostic::new(problem, service.name.loc).related(Role::First, known.name.loc));
            }
            _ => match self.places.get(&service.name.value) {
                Some(&place) => self.list[place] = service,
                None => {
                    self.places.insert(service.name.value.clone(), self.list.len());
                    self.list.push(service);
                }
            },
        }
        None
    }
}

fn is_bare(service: &Service) -> bool {
    service.version.is_none()
        && service.namespace.is_none()
        && service.instances.is_none()
        && service.scope.is_none()
        && service.attributes.is_empty()
}
