//! The content of the listing as JSON for tools, which `compile --emit json` prints. It has names in place of ids, and
//! expressions and instructions as in the listing. It is not a plan file, and can't be read back.

use super::{BlockId, Form, Group, Plan, ScenarioId, Service};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};

#[derive(Serialize)]
struct Document<'a> {
    plan: String,
    semantics: u32,
    /// The source that the scenarios without a load of their own share, as in the listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<String>,
    scenarios: Vec<ScenarioJson<'a>>,
    /// The distributions in the order of their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dists: Vec<String>,
    /// The incidents with their windows, in the order of their ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    incidents: Vec<String>,
    services: Vec<ServiceJson<'a>>,
}

#[derive(Serialize)]
struct ServiceJson<'a> {
    name: &'a str,
    /// The attributes of each instance, and then those of the versions that instances run while incidents are in force.
    instances: Vec<BTreeMap<&'a str, String>>,
}

#[derive(Serialize)]
struct ScenarioJson<'a> {
    name: &'a str,
    weight: f64,
    /// The scenario's share of all traces that have no load of their own, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
    /// The scenario's own load, as in the listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<String>,
    min_spans: u32,
    max_spans: u32,
    max_duration_ns: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    slots: Vec<Slot<'a>>,
    root: BlockJson<'a>,
}

#[derive(Serialize)]
struct Slot<'a> {
    name: &'a str,
    /// The expression of the value, if the slot is that of a var.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

#[derive(Serialize)]
struct BlockJson<'a> {
    block: u32,
    /// The block's group, if it makes no span.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// The name and the version of the instrumentation scope, if it is not tracegen's.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<[&'a str; 2]>,
    /// Whether spans that don't fail have the status OK.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    /// The latest end of the block, in ns from the trace's start.
    max_end_ns: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    constants: BTreeMap<&'a str, String>,
    code: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<BlockJson<'a>>,
}

impl Plan {
    /// Writes the plan as indented JSON: scenarios with their spans as a tree, and services with the attributes of their
    /// instances.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write_json(&self, mut to: impl Write) -> io::Result<()> {
        let sharing = self.scenario_ids().filter(|id| self.own_source(*id).is_none());
        let sum = sharing.map(|id| self.scenarios[id.index()].weight).sum();
        let scenarios = self.scenario_ids().map(|scenario| self.scenario_json(scenario, sum));
        let load = self.shared_source().map(|source| self.show_source(source).to_string());
        let document = Document {
            plan: self.digest_hex(),
            semantics: self.semantics,
            load,
            scenarios: scenarios.collect(),
            dists: self.dists.iter().map(|dist| self.show_dist(dist).to_string()).collect(),
            incidents: self.incidents.iter().map(|incident| self.show_incident(incident).to_string()).collect(),
            services: self.services.iter().map(|service| self.service_json(service)).collect(),
        };
        serde_json::to_writer_pretty(&mut to, &document)?;
        writeln!(to)
    }

    fn service_json(&self, service: &Service) -> ServiceJson<'_> {
        let instances = service.resources().map(|resource| {
            let attributes = self.resources[resource.index()].attributes.iter();
            attributes.map(|(key, value)| (self.text(*key), self.show_expr(*value).to_string())).collect()
        });
        ServiceJson { name: self.text(service.name), instances: instances.collect() }
    }

    fn scenario_json(&self, id: ScenarioId, sum: f64) -> ScenarioJson<'_> {
        let (scenario, bound) = (&self.scenarios[id.index()], self.bound(id));
        let slots = scenario.slots.iter().map(|name| Slot { name, value: None });
        let mut slots: Vec<Slot> = slots.collect();
        for (slot, value) in &scenario.vars {
            slots[slot.index()].value = Some(self.show_expr(*value).to_string());
        }
        ScenarioJson {
            name: self.scenario_name(id),
            weight: scenario.weight,
            share: self.own_source(id).is_none().then_some(scenario.weight / sum),
            load: self.own_load(id),
            min_spans: bound.min_spans,
            max_spans: bound.max_spans,
            max_duration_ns: bound.duration,
            trace_state: self.trace_state(id),
            slots,
            root: self.block_json(scenario.root),
        }
    }

    /// Returns a block with those that it calls. The recursion is as deep as calls are, which the verifier limits.
    fn block_json(&self, id: BlockId) -> BlockJson<'_> {
        let block = self.block(id);
        let (span, group) = match &block.form {
            Form::Span(span) => (Some(span), None),
            Form::Group(group) => (None, Some(*group)),
        };
        let constants = span.into_iter().flat_map(|span| &span.constants);
        BlockJson {
            block: id.0,
            group,
            service: span.map(|span| self.service_name(span.service)),
            kind: span.map(|span| span.kind.name()),
            scope: span.and_then(|span| span.scope).map(|_| <[&str; 2]>::from(self.scope_of(id))),
            ok: span.is_some_and(|span| span.ok),
            name: span.and_then(|span| span.name).map(|name| self.text(name)),
            max_end_ns: self.end_bound(id),
            constants: constants.map(|(key, v)| (self.text(*key), self.show_constant(v).to_string())).collect(),
            code: block.code.iter().map(|inst| self.show_inst(inst).to_string()).collect(),
            calls: block.calls().map(|block| self.block_json(block)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::fixture;
    use serde_json::Value;

    #[test]
    fn the_json_says_what_the_listing_says() {
        let mut bytes = vec![];
        fixture::plan().write_json(&mut bytes).unwrap();
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(json["plan"], fixture::plan().digest_hex());
        let order = &json["scenarios"][0];
        assert_eq!(order["share"], 15.0 / 15.5);
        assert_eq!((&order["min_spans"], &order["max_spans"]), (&1.into(), &2.into()));
        assert_eq!(order["max_duration_ns"], 16_500_000);
        assert_eq!(order["slots"][1], serde_json::json!({"name": "order_id", "value": "concat \"order-\" uuid"}));
        assert_eq!(order["slots"][2], serde_json::json!({"name": "export_context_as"}));
        assert_eq!(order["root"]["constants"]["http.request.method"], "\"POST\"");
        let called = &order["root"]["calls"][0];
        assert_eq!((&called["service"], &called["kind"]), (&"order-service".into(), &"PRODUCER".into()));
        assert_eq!(called.get("name"), None);
        let listing = fixture::plan().listing().to_string();
        for root in [&order["root"], called, &json["scenarios"][1]["root"]] {
            for line in root["code"].as_array().unwrap() {
                assert!(listing.contains(line.as_str().unwrap()), "{line}");
            }
        }
        assert_eq!(json["services"][2]["instances"][0]["service.name"], "\"shipping-service\"");
    }
}
