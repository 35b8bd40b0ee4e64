//! The groups of spans in a request: those of one resource and one instrumentation scope are together.

use crate::plan::{BlockId, Plan, ResourceId, ScopeId, ServiceId};
use crate::trace::SpanRecord;
use std::collections::HashMap;

/// The groups of a plan's spans.
pub(super) struct Layout {
    /// For each block, the number of its group on resource 0, even if there is none; groups of one service are in the order
    /// of its resources.
    firsts: Box<[u32]>,
    /// The resource and the scope of each group; `None` for tracegen's scope.
    groups: Box<[(ResourceId, Option<ScopeId>)]>,
}

impl Layout {
    pub fn new(plan: &Plan) -> Layout {
        // For tracegen's scope there is a group for each resource.
        let resources = 0..plan.resources.len() as u32;
        let mut groups: Vec<_> = resources.map(|resource| (ResourceId(resource), None)).collect();
        let mut firsts: HashMap<(ServiceId, ScopeId), u32> = HashMap::new();
        let first = |block: BlockId| {
            let form = plan.span(block);
            let Some(scope) = form.scope else { return 0 };
            let service = &plan.services[form.service.index()];
            *firsts.entry((form.service, scope)).or_insert_with(|| {
                let first = (groups.len() as u32).wrapping_sub(service.first_resource.0);
                groups.extend(service.resources().map(|resource| (resource, Some(scope))));
                first
            })
        };
        let firsts = plan.block_ids().map(first).collect();
        Layout { firsts, groups: groups.into() }
    }

    /// Returns the number of a span's group.
    #[inline(always)]
    pub fn group(&self, span: &SpanRecord) -> usize {
        self.firsts[span.block.index()].wrapping_add(span.resource.0) as usize
    }

    /// Returns the resources and scopes of all groups.
    pub fn groups(&self) -> &[(ResourceId, Option<ScopeId>)] {
        &self.groups
    }
}
