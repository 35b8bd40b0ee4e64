//! Services and their resources. Only services that a span uses are added to the program, in the order of first use.

use super::expression::{Expressions, Scope};
use super::report::Report;
use super::tables::{Tables, at_most};
use crate::language::budget::{Budget, Spent};
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::version::Version;
use crate::language::scenario::{InstrumentationScope, Model, Service};
use crate::language::source::{Loc, Located};
use crate::plan::{ExprId, IncidentId, Resource, ResourceId, Rollout, ServiceId, TextId, glob, limits};
use foldhash::{HashMap, HashMapExt};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

type Attributes = Vec<(TextId, ExprId)>;

pub struct Services<'m> {
    pub model: &'m Model,
    /// The services by the places where they are listed: a base file's services are in the scope of every file next to it.
    listed: HashMap<Loc, Option<ServiceId>>,
    /// The services by their definitions: equal definitions in two places are one service.
    known: HashMap<(TextId, Option<u64>, Vec<Attributes>), ServiceId>,
    /// The number of attributes of all resources so far.
    attributes: usize,
}

impl<'m> Services<'m> {
    pub fn new(model: &'m Model) -> Services<'m> {
        Services { model, listed: HashMap::new(), known: HashMap::new(), attributes: 0 }
    }

    /// Returns the service that a span names. An empty name is wrong, which has been reported.
    pub fn find(
        &mut self,
        scope: usize,
        name: &Located<String>,
        tables: &mut Tables,
        report: &mut Report,
    ) -> Option<ServiceId> {
        let in_force = self.model.scopes.get(scope)?;
        if name.value.is_empty() {
            report.poison();
            return None;
        }
        let Some(services) = &in_force.services else {
            let mut resources = vec![resource(&name.value, None, None, None, tables, report)];
            let (rollouts, versions): (_, Vec<&str>) = self.rollouts(&name.value, 1).into_iter().unzip();
            for version in versions {
                resources.push(resource(&name.value, None, None, Some(version), tables, report));
            }
            return self.add(&name.value, None, resources, rollouts, tables);
        };
        let Some(service) = services.get(&name.value) else {
            let nearest = report.nearest(&name.value, services.iter().map(|s| s.name.value.as_str()));
            let problem = Problem::UnknownService { name: name.value.clone(), nearest };
            report.add_related(problem, name.loc, Role::List, in_force.lists.iter().copied());
            return None;
        };
        if let Some(&id) = self.listed.get(&service.name.loc) {
            return id;
        }
        let id = self.lower(service, tables, report);
        self.listed.insert(service.name.loc, id);
        id
    }

    /// Returns the instrumentation scope of spans of a service that name no other one, or `None` for tracegen's.
    pub fn scope(&self, scope: usize, name: &str) -> Option<&'m InstrumentationScope> {
        self.model.scopes.get(scope)?.services.as_ref()?.get(name)?.scope.as_ref()
    }

    fn lower(&mut self, service: &'m Service, tables: &mut Tables, report: &mut Report) -> Option<ServiceId> {
        let instances = service.instances.as_ref().map_or(1, |n| n.value);
        let versions = versions(service, instances, report);
        let version = |instance: u32| versions.get(instance as usize).copied();
        if let Some(instances) = &service.instances
            && tables.program.resources.len() + instances.value as usize > limits::TABLE
        {
            let fault = format!("more than {} instances of services", limits::TABLE);
            report.add(Problem::BeyondLimits { fault }, instances.loc);
            return None;
        }
        let rollouts = self.rollouts(&service.name.value, instances);
        let first = listed_resource(service, 0, version(0), tables, report);
        // All instances have the same number of values.
        let values: usize = first.iter().map(|(_, value)| 1 + tables.elements(*value)).sum();
        let resources = instances as usize + rollouts.len();
        self.attributes += first.len() * resources;
        let attributes = at_most("resource attributes", self.attributes as u64, limits::TABLE as u64);
        if let Err(fault) = attributes.and_then(|()| tables.repeat(values * resources)) {
            report.beyond(&fault, service.name.loc);
            return None;
        }
        let others = (1..instances).map(|at| listed_resource(service, at, version(at), tables, report));
        let mut resources: Vec<Attributes> = std::iter::once(first).chain(others).collect();
        for (rollout, version) in &rollouts {
            resources.push(listed_resource(service, rollout.instance, Some(version), tables, report));
        }
        let rollouts = rollouts.into_iter().map(|(rollout, _)| rollout).collect();
        let resolution = service.clock_resolution.as_ref().map(|resolution| resolution.value);
        self.add(&service.name.value, resolution, resources, rollouts, tables)
    }

    /// Returns the versions that the instances of a service run while incidents are in force.
    fn rollouts(&self, service: &str, instances: u32) -> Vec<(Rollout, &'m str)> {
        let rolling = self.model.incidents.iter().enumerate().filter_map(|(at, incident)| {
            let version = incident.version.as_ref()?;
            let glob = incident.select.as_ref().and_then(|select| select.service.as_ref());
            let is_selected = glob.is_none_or(|glob| glob::matches(&glob.value, service));
            is_selected.then_some((IncidentId(at as u32), incident, version.value.as_str()))
        });
        let mut rollouts = vec![];
        for (incident, written, version) in rolling {
            let all = (0..instances).filter(|_| written.instances().is_empty());
            let some = written.instances().iter().map(|instance| instance.value).filter(|number| *number < instances);
            rollouts.extend(all.chain(some).map(|instance| (Rollout { incident, instance }, version)));
        }
        rollouts.sort_by_key(|(rollout, _)| (rollout.instance, rollout.incident));
        rollouts.dedup_by_key(|(rollout, _)| *rollout);
        rollouts
    }

    /// Adds a service with the resources of its instances and then those of its rollouts.
    fn add(
        &mut self,
        name: &str,
        resolution: Option<u64>,
        resources: Vec<Attributes>,
        rollouts: Vec<Rollout>,
        tables: &mut Tables,
    ) -> Option<ServiceId> {
        let name = tables.text(name);
        let instances = (resources.len() - rollouts.len()) as u32;
        let key = (name, resolution, resources);
        if let Some(&id) = self.known.get(&key) {
            return Some(id);
        }
        let program = &mut tables.program;
        let id = ServiceId(program.services.len() as u32);
        program.services.push(crate::plan::Service {
            name,
            first_resource: ResourceId(program.resources.len() as u32),
            instances,
            rollouts,
            resolution,
        });
        program.resources.extend(key.2.iter().map(|attributes| Resource { attributes: attributes.clone() }));
        self.known.insert(key, id);
        Some(id)
    }

    /// Checks the services that no span uses, too, and reports their mistakes if there are no others. The results are
    /// discarded.
    ///
    /// # Errors
    /// The budget is spent.
    pub fn check_unused(&mut self, budget: &Budget, report: &mut Report) -> Result<(), Spent> {
        let mut scratch = Tables::new();
        let mut seen = HashSet::new();
        let is_right = !report.failed();
        for scope in &self.model.scopes {
            // A directory's services are in the scope of every file in it.
            let layers = std::iter::successors(scope.services.as_ref(), |services| services.base());
            for service in layers.take_while(|services| seen.insert(Arc::as_ptr(services))).flat_map(|s| s.own()) {
                budget.check()?;
                let Entry::Vacant(unused) = self.listed.entry(service.name.loc) else { continue };
                if !service.attributes.is_empty() {
                    listed_resource(service, 0, None, &mut scratch, report);
                    unused.insert(None);
                }
                if is_right && !self.model.partial.contains(&service.name.loc.file) {
                    report.add_unused(Problem::UnusedService { name: service.name.value.clone() }, service.name.loc);
                }
            }
        }
        Ok(())
    }
}

/// Returns the version of each instance, which is empty if the service has none. Instances of the same version are
/// adjacent, in file order.
fn versions<'s>(service: &'s Service, instances: u32, report: &mut Report) -> Vec<&'s str> {
    match &service.version {
        None => vec![],
        Some(Version::One(version)) => vec![&version.value; instances as usize],
        Some(Version::Shared(shares)) => {
            let counts = shares.counts(instances);
            for (version, _) in shares.versions.iter().zip(&counts).filter(|(_, count)| **count == 0) {
                let problem = Problem::VersionOfNone { version: version.value.clone(), instances };
                report.add(problem, version.loc);
            }
            let versions = shares.versions.iter().zip(counts);
            versions.flat_map(|(version, count)| std::iter::repeat_n(version.value.as_str(), count as usize)).collect()
        }
    }
}

fn listed_resource(
    service: &Service,
    instance: u32,
    version: Option<&str>,
    tables: &mut Tables,
    report: &mut Report,
) -> Attributes {
    let id = instance_id(service, instance);
    let instance = service.instances.is_some().then_some((instance, id.as_str()));
    resource(&service.name.value, Some(service), instance, version, tables, report)
}

/// Returns the resource attributes in the order in which they are sent: OpenTelemetry's own, then the user's.
fn resource(
    name: &str,
    service: Option<&Service>,
    instance: Option<(u32, &str)>,
    version: Option<&str>,
    tables: &mut Tables,
    report: &mut Report,
) -> Attributes {
    let mut attributes = Vec::new();
    let mut text = |key: &str, value: &str| {
        attributes.push((tables.text(key), tables.text_constant(value)));
    };
    text("service.name", name);
    if let Some(version) = version {
        text("service.version", version);
    }
    let Some(service) = service else { return attributes };
    if let Some(namespace) = &service.namespace {
        text("service.namespace", &namespace.value);
    }
    if let Some((_, id)) = instance {
        text("service.instance.id", id);
    }
    for attribute in &service.attributes {
        let key = &attribute.key;
        let field = match key.value.as_str() {
            "service.name" => Some("name"),
            "service.version" if version.is_some() || service.version.is_some() => Some("version"),
            "service.namespace" if service.namespace.is_some() => Some("namespace"),
            "service.instance.id" if instance.is_some() => Some("instances"),
            _ => None,
        };
        if let Some(field) = field {
            report.add(Problem::ServiceAttributeTaken { key: key.value.clone(), field }, key.loc);
            continue;
        }
        let scope = Scope::Service { name, instance };
        if let Some(typed) = Expressions::new(tables, report, scope).value(&attribute.value) {
            attributes.push((tables.text(&key.value), typed.expr));
        }
    }
    attributes
}

/// Returns a UUID in version 4 layout (RFC 9562), which is the same wherever and whenever it is made, because the
/// specification asks for a stable `service.instance.id`. It is made from the SHA-256 of namespace, name and number, each
/// after its length.
fn instance_id(service: &Service, instance: u32) -> String {
    let namespace = service.namespace.as_ref().map_or("", |n| n.value.as_str());
    let mut hash = Sha256::new();
    for text in [namespace, service.name.value.as_str()] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(instance.to_be_bytes());
    let hash = hash.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
