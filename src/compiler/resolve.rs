//! Resolves scenarios to the typed tree: values get their types and, if others read them, slots; spans get their services
//! and the numbers of their blocks. The meanings of names and the order of evaluation were found by [`super::names`].

mod client;
mod dist;
mod event;
mod incident;
mod link;
mod list;
mod span;

use super::expression::{Expressions, Scope, SpanValues, Typed, Values};
use super::link::{Export, Piece, Use};
use super::names::{BlockKind, Names, Site};
use super::report::Report;
use super::service::Services;
use super::tables::Tables;
use super::typed::{self, Block, Body, List, Slot};
use crate::language::budget::{Budget, Spent};
use crate::language::source::Loc;
use crate::plan::{AttrId, BlockId, ErrorId, Expr, ExprId, LinkId, SlotId, TextId};
use foldhash::{HashMap, HashMapExt};

/// The maximum number of parts of a key to examine, because vars of vars can be joined from an enormous number.
const MOST_PARTS: usize = 1_000;

/// The state that all scenarios share while they are resolved.
pub struct Resolver<'m> {
    pub tables: Tables,
    pub services: Services<'m>,
    /// The spans that export a context.
    pub exports: Vec<Export>,
    /// The spans that link.
    pub links: Vec<Use>,
    link_ids: HashMap<TextId, LinkId>,
    error_ids: HashMap<span::Terms, ErrorId>,
}

/// The state of the scenario that is being resolved.
struct State<'t, 'm> {
    names: &'t Names<'m>,
    /// The scenario's position among all.
    scenario: usize,
    /// The root's block; the others follow in their order.
    root: BlockId,
    values: Values,
    /// For each span: the attributes that a failure may set or replace, and those that its client reads.
    rows: Vec<HashMap<&'m str, AttrId>>,
    /// The client whose server is still to come.
    client: Option<span::Draft>,
    slots: Vec<Slot>,
}

impl State<'_, '_> {
    fn block(&self, at: usize) -> BlockId {
        BlockId(self.root.0 + at as u32)
    }
}

impl<'m> Resolver<'m> {
    pub fn new(services: Services<'m>) -> Resolver<'m> {
        Resolver {
            tables: Tables::new(),
            services,
            exports: Vec::new(),
            links: Vec::new(),
            link_ids: HashMap::new(),
            error_ids: HashMap::new(),
        }
    }

    /// Resolves the scenario at a position among all, whose root has the block `root`. The remainder is left out when the
    /// report is full.
    ///
    /// # Errors
    /// The budget is spent.
    pub fn scenario(
        &mut self,
        scenario: usize,
        root: BlockId,
        names: &Names<'m>,
        budget: &Budget,
        report: &mut Report,
    ) -> Result<typed::Scenario, Spent> {
        let model = names.scenario;
        let spans = names.spans.iter().map(|node| SpanValues::new(node.attributes.len(), node.events.len()));
        let spans = spans.collect();
        let values = Values {
            vars: vec![None; names.vars.len()],
            spans,
            turns: vec![(None, None); names.items.len()],
            attempts: vec![None; names.items.len()],
            outcomes: vec![None; names.blocks.len()],
            failing: vec![None; names.blocks.len()],
            propagated: vec![None; names.blocks.len()],
            answers: HashMap::new(),
        };
        let rows = vec![HashMap::new(); names.spans.len()];
        let mut state = State { names, scenario, root, values, rows, client: None, slots: Vec::new() };
        let mut vars = Vec::new();
        for &at in &names.var_order {
            budget.check()?;
            vars.extend(self.var(&mut state, at, report));
        }
        let mut blocks = Vec::with_capacity(names.blocks.len());
        for (at, node) in names.blocks.iter().enumerate() {
            budget.check()?;
            if report.is_full() {
                break;
            }
            report.enter(names.uses_around(at));
            let span = match node.kind {
                BlockKind::Span(span) => Some((span, self.span(&mut state, span, report))),
                BlockKind::Sequence | BlockKind::Parallel(_) => None,
            };
            let is_client = |span: usize| names.spans[span].request.is_some();
            let waits = span.as_ref().is_some_and(|(span, _)| is_client(*span));
            let list = if waits { List::default() } else { self.list(&mut state, at, report) };
            let body = match span {
                Some((at, mut span)) => {
                    span.end_conditions = if waits { None } else { self.conditions(&state, at, true, report) };
                    span.end_events = self.events(&mut state, at, true, report);
                    let outcome = state.values.outcomes[names.spans[at].block];
                    let outcome = outcome.filter(|_| span.conditions.is_some() && !span.end_events.is_empty());
                    span.without_calls = outcome.map_or_else(Vec::new, |outcome| self.absent(outcome));
                    Body::Span(Box::new(span))
                }
                None => Body::Group(self.group(&state, at)),
            };
            blocks.push(Block { id: state.block(at), body, list, loc: node.loc });
            if let BlockKind::Span(span) = node.kind
                && let Some(client) = names.spans[span].client
            {
                let block = &mut blocks[names.spans[client].block];
                self.client(&mut state, client, block, report);
            }
        }
        report.enter(vec![]);
        Ok(typed::Scenario {
            name: self.tables.text(&model.name.value),
            weight: model.weight.as_ref().map_or(1.0, |weight| weight.value),
            slots: state.slots,
            vars,
            blocks,
            trace_state: model.root.trace_state.as_ref().map(|state| self.tables.text(&state.value)),
            loc: model.loc,
        })
    }

    fn expressions<'a>(&'a mut self, state: &'a State<'_, 'm>, site: Site, report: &'a mut Report) -> Expressions<'a> {
        let scope = Scope::Trace { names: state.names, site, values: &state.values, slots: &state.slots };
        Expressions::new(&mut self.tables, report, scope)
    }

    /// Evaluates a var, and returns its slot with its value, or `None` if it is constant, or a parameter that is stored
    /// already.
    fn var(&mut self, state: &mut State<'_, 'm>, at: usize, report: &mut Report) -> Option<(SlotId, ExprId)> {
        let var = &state.names.vars[at];
        let typed = self.expressions(state, var.site, report).value(var.value)?;
        let is_kept = var.is_parameter && self.slot_of(typed.expr).is_some();
        if is_kept || self.tables.constant_of(typed.expr).is_some() {
            state.values.vars[at] = Some(typed);
            return None;
        }
        let slot = new_slot(state, &var.name.value, Some(typed.expr), var.name.loc);
        state.values.vars[at] = Some(self.read_slot(slot, typed));
        Some((slot, typed.expr))
    }

    /// Returns the expression by which later expressions read a value that is stored in a slot.
    fn read_slot(&mut self, slot: SlotId, typed: Typed) -> Typed {
        Typed { expr: self.tables.expr(Expr::Slot { slot }), ..typed }
    }

    /// Returns the parts of a text as far as they are known when compiling. If there are very many, only the first ones are
    /// examined.
    fn pieces(&mut self, text: ExprId, slots: &[Slot], place: Loc, report: &mut Report) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut waiting = vec![text];
        for _ in 0..MOST_PARTS {
            let Some(part) = waiting.pop() else { return pieces };
            if let Some(text) = self.tables.constant_text(part) {
                let bytes = text.len();
                match pieces.last_mut() {
                    Some(Piece::Text(last)) => last.push_str(&text),
                    _ if text.is_empty() => {}
                    _ => pieces.push(Piece::Text(text.into_owned())),
                }
                if let Err(fault) = self.tables.join(bytes) {
                    report.beyond(&fault, place);
                    return pieces;
                }
                continue;
            }
            match &self.tables.program.exprs[part.index()] {
                Expr::Concat { parts } => waiting.extend(parts.iter().rev()),
                Expr::Text { operand } => waiting.push(*operand),
                Expr::Slot { slot } if let Some(value) = slots[slot.index()].value => waiting.push(value),
                _ if pieces.last() == Some(&Piece::Any) => {}
                _ => pieces.push(Piece::Any),
            }
        }
        if !waiting.is_empty() && pieces.last() != Some(&Piece::Any) {
            pieces.push(Piece::Any);
        }
        pieces
    }
}

fn new_slot(state: &mut State, name: &str, value: Option<ExprId>, loc: Loc) -> SlotId {
    let slot = SlotId(state.slots.len() as u32);
    state.slots.push(Slot { name: name.to_owned(), value, loc });
    slot
}
