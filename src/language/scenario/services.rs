//! The services in force for a file: its directory's and its own.

use std::collections::HashMap;
use std::sync::Arc;

use super::Service;
use crate::language::diagnostic::{Diagnostic, Problem, Role};

/// Services by name, in the order they were first named.
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

    /// All services: the directory's that the file says nothing new of, then the file's own.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        let shared = self.base.iter().flat_map(|base| &base.list);
        shared.filter(|service| !self.places.contains_key(&service.name.value)).chain(&self.list)
    }

    /// The services that the file itself lists, or else says something new of.
    pub fn own(&self) -> &[Service] {
        &self.list
    }

    /// The services of the directory, where the file has some of its own beside them.
    pub fn base(&self) -> Option<&Arc<Services>> {
        self.base.as_ref()
    }

    /// The services of a file in a directory whose own are `base`.
    pub fn beside(base: Arc<Services>) -> Services {
        Services { base: Some(base), ..Services::default() }
    }

    /// Adds a service. A name that is there already must say nothing new: two sets of properties are an error, which is
    /// returned.
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
