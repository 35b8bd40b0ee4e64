//! Clients: the parts that can be resolved only after the server that they call.

use super::incident::Part;
use super::{Resolver, State, new_slot};
use crate::compiler::expression::Typed;
use crate::compiler::names::Step;
use crate::compiler::report::Report;
use crate::compiler::typed::{Act, Block, Body, Item, List};
use crate::compiler::types::{Kind, Type};
use crate::plan::{Answer, AnswerId, CallSpec, Exchange, Expr};

impl<'m> Resolver<'m> {
    /// Completes the block of the client at `at`: its request, the attributes that read the answer, and the conditions
    /// after it.
    pub(super) fn client(&mut self, state: &mut State<'_, 'm>, at: usize, block: &mut Block, report: &mut Report) {
        if let Some(list) = self.request(state, at, report) {
            block.list = list;
        }
        let late = match state.client.take() {
            Some(mut draft) => {
                for step in state.names.spans[at].late_steps() {
                    if let Step::Attribute(attribute) = *step {
                        self.attribute(state, &mut draft, attribute, report);
                    }
                }
                draft.steps
            }
            None => vec![],
        };
        let end_conditions = self.conditions(state, at, true, report);
        if let Body::Span(span) = &mut block.body {
            (span.late, span.end_conditions) = (late, end_conditions);
        }
    }

    /// Returns the only call of the client at `at`, whose failure is always passed on.
    fn request(&mut self, state: &mut State<'_, 'm>, at: usize, report: &mut Report) -> Option<List> {
        let names = state.names;
        let (node, loc) = (&names.spans[at], names.spans[at].place);
        let item = &names.items[*names.blocks[node.block].items.first()?];
        let request = node.request.as_ref()?;
        let outcome = self.outcome(state, loc);
        state.values.outcomes[node.block] = Some(outcome);
        let network = self.dist(state, request.network.site(at, None), request.network.part, report);
        let network = self.under_incidents(state, at, Part::Other, network, report);
        let network = network.map(|network| self.tables.dist(network));
        let first_answer = AnswerId(self.tables.program.answers.len() as u32);
        let server = request.server;
        for (i, attribute) in names.spans[server].attributes.iter().enumerate() {
            let key = attribute.model.key.value.as_str();
            let attr = state.rows[server].get(key).filter(|_| attribute.is_sent);
            let Some(&attr) = attr else { continue };
            let slot = new_slot(state, &format!("callee.attributes.{key}"), None, attribute.model.key.loc);
            self.tables.program.answers.push(Answer { attr, slot });
            let kind = state.values.spans[server].attributes[i].map_or(Kind::Unknown, |typed| typed.ty.kind);
            // An error may replace it by a value of another type.
            let is_replaced = names.spans[server].replaced.contains(&key);
            let kind = if is_replaced && kind != Kind::Int { Kind::Unknown } else { kind };
            let expr = self.tables.expr(Expr::Slot { slot });
            let typed = Typed { expr, ty: Type { kind, optional: false }, quoted: None };
            state.values.answers.insert((server, i), typed);
        }
        let answers = self.tables.program.answers.len() as u32 - first_answer.0;
        let exchange = Exchange { network: network?, first_answer, answers };
        let down = self.down(state, server);
        let spec = CallSpec { exchange: Some(exchange), outcome: Some(outcome), down, ..CallSpec::default() };
        let call = Act::Call { block: state.block(item.callee?), spec: Some(self.tables.spec(spec)) };
        let item = Item {
            steps: vec![],
            when: None,
            chance: None,
            act: call,
            propagation: Some(self.callees_failure(outcome, loc)),
            inner: None,
            handles: None,
            loc,
        };
        Some(List { initial: self.before(outcome).into(), items: vec![item], failing: None })
    }
}
