//! A plan made ready to run: what the machine needs of a block in one place, and the tables of its expressions.

use super::link::Links;
use super::stable::Stable;
use super::tables::Tables;
use crate::plan::{AttrId, BlockId, Plan, ResourceId, ServiceId, SpanKind};
use crate::trace::Value;
use std::sync::Arc;

pub(super) struct Code {
    pub plan: Arc<Plan>,
    pub tables: Tables,
    pub stable: Stable,
    pub links: Links,
    entries: Box<[Entry]>,
    /// Slots of the scenario that has most.
    pub slots: usize,
}

/// How a block's span begins.
pub(super) struct Entry {
    /// The constant name, else an empty text that an instruction replaces.
    pub name: Value,
    /// First of the block's computed attributes, and their number.
    pub attrs: AttrId,
    pub attr_count: u32,
    /// The service's instances.
    pub resource: ResourceId,
    pub instances: u32,
    /// SERVER or CONSUMER: runs on an instance of its own.
    pub arrives: bool,
}

impl Code {
    pub fn new(plan: &Arc<Plan>, seed: u64) -> Self {
        let entry = |span: &crate::plan::SpanForm| {
            let ServiceId(service) = span.service;
            let service = &plan.services[service as usize];
            Entry {
                name: span.name.map_or(Value::text(0, 0), |name| Value::constant(plan.text_at(name))),
                attrs: AttrId(span.attrs.first),
                attr_count: span.attrs.count,
                resource: service.first_resource,
                instances: service.instances,
                arrives: matches!(span.kind, SpanKind::Server | SpanKind::Consumer),
            }
        };
        Code {
            tables: Tables::new(plan),
            stable: Stable::new(seed),
            links: Links::new(plan),
            entries: plan.blocks.iter().map(|block| entry(&block.span)).collect(),
            slots: plan.scenarios.iter().map(|s| s.slots.len()).max().unwrap_or(0),
            plan: plan.clone(),
        }
    }

    #[inline(always)]
    pub fn entry(&self, block: BlockId) -> &Entry {
        &self.entries[block.index()]
    }
}
