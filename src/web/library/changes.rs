//! What people change while the server runs, on top of the scenario files: incidents that they start, and the chances of error
//! conditions. Each change makes another plan, so that it is in the manifest and can be replayed.

use crate::explain::causes;
use crate::language::scenario::Model;
use crate::language::scenario::incident::At;
use crate::plan::{BlockId, Chance, IncidentId, Inst, Plan, Program, ScenarioId};
use crate::text::quantity::SECOND;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// The name of the file in memory that has the incidents that are made up.
pub const FILE: &str = "incidents made up here";
/// The longest time for which an incident is started, in ns: a day.
pub const LONGEST: u64 = 24 * 3_600 * SECOND;
/// The number of incidents of the past that are kept.
const KEPT: usize = 200;
/// The number of incidents that can be going on at the same time.
const MOST: usize = 20;

/// The changes that are in use.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The incidents that were started, in that order.
    started: Vec<Started>,
    /// The chances that differ from those of the files, 0 to 1.
    chances: BTreeMap<Condition, f64>,
    past: VecDeque<Episode>,
}

/// An incident that was started.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    pub name: String,
    /// The time at which it opened, and at which it will close, in ns since 1970.
    pub from: u64,
    pub to: u64,
    /// What it does; `None` if it is one of the files'.
    pub made: Option<Effect>,
}

/// The effect of an incident that is made up, and the spans that it is for. Texts are globs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    pub service: Option<String>,
    pub operation: Option<String>,
    pub scenario: Option<String>,
    pub instance: Option<u32>,
    /// The factor of spans' times.
    pub times: Option<f64>,
    /// The time that is added to spans' own work, in ms.
    pub add_ms: Option<f64>,
    /// The share of spans that fail, in per cent, and the type of their error.
    pub errors: Option<(f64, String)>,
    pub down: bool,
}

/// A time in which an incident was in force that was started here.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    pub name: String,
    /// The time from which to before which it was in force, in ns since 1970.
    pub from: u64,
    pub to: u64,
    /// The services whose spans it changed.
    pub services: Vec<String>,
}

/// An error condition with a chance, found by names that stay when files change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    pub scenario: String,
    pub service: String,
    pub operation: String,
    pub error: String,
    /// Its number among those of the same names, from 0 on.
    pub number: usize,
}

/// The reason why something is not changed, as shown to the person who asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field that is wrong; empty for the whole.
    pub field: &'static str,
    pub message: String,
    /// It would be possible at another time, or has happened already.
    pub is_conflict: bool,
}

impl Refusal {
    pub fn of(field: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { field, message: message.into(), is_conflict: false }
    }

    pub fn conflict(message: impl Into<String>) -> Refusal {
        Refusal { field: "", message: message.into(), is_conflict: true }
    }
}

impl Changes {
    pub fn started(&self) -> &[Started] {
        &self.started
    }

    pub fn past(&self) -> impl Iterator<Item = &Episode> {
        self.past.iter()
    }

    pub fn chances(&self) -> &BTreeMap<Condition, f64> {
        &self.chances
    }

    /// Reports whether the plan is that of the files alone.
    pub fn is_empty(&self) -> bool {
        self.started.is_empty() && self.chances.is_empty()
    }

    /// Starts an incident of the files, or one that is made up. `plan` is in use.
    ///
    /// # Errors
    /// The files have no such incident, or one of this name; it is going on already; or too many are.
    pub fn start(&mut self, started: Started, plan: &Plan) -> Result<(), Refusal> {
        let Started { name, made, .. } = &started;
        if let Some(Started { to, .. }) = self.started.iter().find(|other| other.name == *name) {
            let until = crate::web::format::stamp(*to, "%H:%M:%S");
            return Err(Refusal::conflict(format!("`{name}` has been started already, until {until}: end it first.")));
        }
        if self.started.len() == MOST {
            return Err(Refusal::conflict(format!("{MOST} incidents are going on: end one of them first.")));
        }
        if made.is_none() && id_of(plan, name).is_none() {
            return Err(Refusal::of("name", format!("The scenario files have no incident `{name}`.")));
        }
        self.started.push(started);
        Ok(())
    }

    /// Ends an incident that was started, at `now`, in ns since 1970.
    ///
    /// # Errors
    /// It was not started.
    pub fn end(&mut self, name: &str, now: u64, plan: &Plan) -> Result<(), Refusal> {
        let at = self.started.iter().position(|started| started.name == name);
        let at =
            at.ok_or_else(|| Refusal::of("name", format!("No incident `{name}` was started here, or it is over.")))?;
        self.over(at, now, plan);
        Ok(())
    }

    /// Takes out what is over by `now`, in ns since 1970, and reports whether there is any.
    pub fn expire(&mut self, now: u64, plan: &Plan) -> bool {
        let before = self.started.len();
        while let Some(at) = self.started.iter().position(|started| started.to <= now) {
            self.over(at, now, plan);
        }
        self.started.len() < before
    }

    /// Moves an incident to the past.
    fn over(&mut self, at: usize, now: u64, plan: &Plan) {
        let Started { name, from, to, .. } = self.started.remove(at);
        let services = id_of(plan, &name).map_or_else(Vec::new, |id| services(plan, id));
        if self.past.len() == KEPT {
            self.past.pop_front();
        }
        self.past.push_back(Episode { name, from, to: to.min(now), services });
    }

    /// Sets the chance of an error condition, 0 to 1; `None` for that of its file.
    pub fn set(&mut self, condition: Condition, chance: Option<f64>) {
        match chance {
            Some(chance) => drop(self.chances.insert(condition, chance)),
            None => drop(self.chances.remove(&condition)),
        }
    }

    /// Takes the chances of the files again.
    pub fn forget_chances(&mut self) {
        self.chances.clear();
    }

    /// Returns the file with the incidents that are made up, in a run that started at `start`, in ns since 1970. YAML holds what
    /// JSON does.
    pub fn file(&self, start: u64) -> Option<String> {
        let made: Vec<Value> = self.started.iter().filter_map(|s| Some(document(s, s.made.as_ref()?, start))).collect();
        (!made.is_empty()).then(|| json!({ "incidents": made }).to_string())
    }

    /// Moves the incidents of the files that were started to the time for which they were.
    pub fn apply(&self, model: &mut Model, start: u64) {
        for started in self.started.iter().filter(|started| started.made.is_none()) {
            for incident in model.incidents.iter_mut().filter(|incident| incident.name.value == started.name) {
                incident.at = At::AfterStart(started.from.saturating_sub(start));
                incident.length = started.to - started.from;
                incident.every = None;
            }
        }
    }

    /// Returns the plan with the chances, of those error conditions that it has, and those that they have in the files.
    ///
    /// # Errors
    /// The chances of a span's conditions sum to more than 1.
    pub fn with_chances(&self, plan: Plan) -> Result<(Plan, BTreeMap<Condition, f64>), Refusal> {
        let mut in_files = BTreeMap::new();
        if self.chances.is_empty() {
            return Ok((plan, in_files));
        }
        let mut program: Program = (*plan).clone();
        for Adjustable { condition, block, pc, chance } in conditions(&plan) {
            let Some(wanted) = self.chances.get(&condition) else { continue };
            if let Some(Inst::Fail { chance: own, .. }) = program.blocks[block.index()].code.get_mut(pc) {
                *own = Chance::from_percent(wanted * 100.0);
            }
            in_files.insert(condition, chance);
        }
        let too_much = "The error conditions of one span would have more than 100 % together: lower some of them.";
        let plan = Plan::verify(program).map_err(|_| Refusal::of("", too_much))?;
        Ok((plan, in_files))
    }

    /// Keeps only the changes for which `works` is true of those kept before it with it. Returns the names of the incidents that
    /// were left out.
    pub fn keep_those(&mut self, mut works: impl FnMut(&Changes) -> bool, now: u64, plan: &Plan) -> Vec<String> {
        let all = std::mem::take(&mut self.started);
        let mut lost = vec![];
        for started in all {
            let name = started.name.clone();
            self.started.push(started);
            if !works(self) {
                self.over(self.started.len() - 1, now, plan);
                lost.push(name);
            }
        }
        lost
    }
}

/// Returns the document of an incident that is made up.
fn document(started: &Started, effect: &Effect, start: u64) -> Value {
    let ms = |ns: u64| format!("{}ms", ns.div_ceil(1_000_000));
    let mut incident = json!({
        "name": started.name,
        "at": format!("+{}", ms(started.from.saturating_sub(start))),
        "for": ms(started.to - started.from),
    });
    let select = json!({
        "service": effect.service,
        "operation": effect.operation,
        "scenario": effect.scenario,
        "instance": effect.instance,
    });
    let select: serde_json::Map<_, _> = select
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, v)| !v.is_null())
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    if !select.is_empty() {
        incident["select"] = select.into();
    }
    let mut latency = serde_json::Map::new();
    latency.extend(effect.times.map(|times| ("times".to_string(), json!(times))));
    latency.extend(effect.add_ms.map(|ms| ("add_ms".to_string(), json!(ms))));
    if !latency.is_empty() {
        incident["latency"] = latency.into();
    }
    if let Some((percent, error)) = &effect.errors {
        // The type is a text as it is, and no template.
        let error = error.replace("<<", "\\<<").replace("{{", "\\{{");
        incident["error_conditions"] = json!([{ "probability": format!("{percent}%"), "type": error }]);
    }
    if effect.down {
        incident["down"] = true.into();
    }
    incident
}

/// The place of an error condition with a chance.
pub struct Adjustable {
    pub condition: Condition,
    pub block: BlockId,
    pub pc: usize,
    /// The chance, 0 to 1.
    pub chance: f64,
}

/// Returns the error conditions with a chance, in the plan's order.
pub fn conditions(plan: &Plan) -> Vec<Adjustable> {
    plan.scenario_ids().flat_map(|id| conditions_of(plan, id)).collect()
}

/// Returns the error conditions of a scenario that have a chance.
fn conditions_of(plan: &Plan, id: ScenarioId) -> Vec<Adjustable> {
    let mut found: Vec<Adjustable> = vec![];
    for &block in plan.blocks_of(id) {
        let mut rolled = false;
        for (pc, inst) in plan.block(block).code.iter().enumerate() {
            // A list of conditions has one roll, if any of them has a chance.
            rolled = match inst {
                Inst::Roll => true,
                Inst::Test { .. } | Inst::Fail { .. } => rolled,
                _ => false,
            };
            let Inst::Fail { chance, .. } = inst else { continue };
            if !rolled {
                continue;
            }
            let span = plan.span_block(block);
            let mut condition = Condition {
                scenario: plan.scenario_name(id).into(),
                service: plan.service_of(span).into(),
                operation: plan.operation(span),
                error: plan.failure_name(block, pc),
                number: 0,
            };
            while found.iter().any(|other| other.condition == condition) {
                condition.number += 1;
            }
            found.push(Adjustable { condition, block, pc, chance: chance.0 as f64 / Chance::ONE.0 as f64 });
        }
    }
    found
}

/// Returns the incident of a name.
pub fn id_of(plan: &Plan, name: &str) -> Option<IncidentId> {
    plan.incident_ids().find(|id| plan.text(plan.incidents[id.index()].name) == name)
}

/// Returns the services whose spans an incident changes.
pub fn services(plan: &Plan, incident: IncidentId) -> Vec<String> {
    let mut services: Vec<String> = causes(plan, incident).into_iter().map(|cause| cause.service).collect();
    services.dedup();
    services
}
