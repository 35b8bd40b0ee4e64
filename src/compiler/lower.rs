//! Scenarios to program: slots, blocks, instructions, in the order of evaluation that the language pins.

mod code;
mod span;

use super::expression::{Expressions, Scope, Typed, Values};
use super::link::{self, Piece};
use super::report::Report;
use super::resolve::{Site, Tree};
use super::service::Services;
use super::source_map::{ScenarioSource, SourceMap};
use super::tables::Tables;
use crate::language::budget::{Budget, Spent};
use crate::language::source::Loc;
use crate::plan::{BlockId, ErrorId, Expr, ExprId, LinkId, ScenarioId, SlotId, TextId};
use foldhash::{HashMap, HashMapExt};

/// Parts of a key that are looked at: vars of vars can be joined of more than can be counted.
const MOST_PARTS: usize = 1_000;

/// What lowering makes beside the tables.
pub struct Lowering<'m> {
    pub tables: Tables,
    pub services: Services<'m>,
    pub map: SourceMap,
    pub exports: Vec<link::Export>,
    pub links: Vec<link::Use>,
    link_ids: HashMap<TextId, LinkId>,
    error_ids: HashMap<(ExprId, Option<ExprId>), ErrorId>,
}

/// The scenario being lowered.
struct State<'t, 'm> {
    tree: &'t Tree<'m>,
    scenario: ScenarioId,
    /// The root's block; the others follow as [`Tree::spans`] does.
    root: BlockId,
    values: Values,
    /// By slot: its name, and the expression that fills it.
    slots: Vec<(String, ExprId)>,
    /// By slot: where it was written.
    places: Vec<Loc>,
}

impl<'m> Lowering<'m> {
    /// For `trees`: as many blocks as they have spans.
    pub fn new(services: Services<'m>, trees: &[Tree<'m>]) -> Lowering<'m> {
        let (mut tables, mut map) = (Tables::new(), SourceMap::default());
        let spans = trees.iter().map(|tree| tree.spans.len()).sum();
        // The largest tables of all: growing them would copy them again and again.
        tables.program.blocks.reserve_exact(spans);
        map.blocks.reserve_exact(spans);
        Lowering {
            tables,
            services,
            map,
            exports: Vec::new(),
            links: Vec::new(),
            link_ids: HashMap::new(),
            error_ids: HashMap::new(),
        }
    }

    /// Lowers a scenario; the rest of it is left out once the report is full.
    ///
    /// # Errors
    ///
    /// The budget is spent.
    pub fn scenario(&mut self, tree: &Tree<'m>, budget: &Budget, report: &mut Report) -> Result<(), Spent> {
        let scenario = tree.scenario;
        let mut state = State {
            tree,
            scenario: ScenarioId(self.tables.program.scenarios.len() as u32),
            root: BlockId(self.tables.program.blocks.len() as u32),
            values: Values {
                vars: vec![None; scenario.vars.len()],
                attributes: tree.spans.iter().map(|node| vec![None; node.span.attributes.len()]).collect(),
                context_keys: vec![None; tree.spans.len()],
                linked: vec![Vec::new(); tree.spans.len()],
            },
            slots: Vec::new(),
            places: Vec::new(),
        };
        let mut vars = Vec::new();
        for &var in &tree.var_order {
            budget.check()?;
            let model = &scenario.vars[var];
            let Some(typed) = self.expressions(&state, Site::Var, report).value(&model.value) else { continue };
            let read = if self.tables.constant_of(typed.expr).is_some() {
                typed
            } else {
                let slot = self.new_slot(&mut state, &model.name.value, typed.expr, model.name.loc);
                vars.push((slot, typed.expr));
                self.read_slot(slot, typed)
            };
            state.values.vars[var] = Some(read);
        }
        for span in 0..tree.spans.len() {
            budget.check()?;
            if report.is_full() {
                return Ok(());
            }
            self.span(&mut state, span, report);
        }
        let name = self.tables.text(&scenario.name.value);
        self.map.scenarios.push(ScenarioSource { scenario: scenario.loc, slots: state.places });
        self.tables.program.scenarios.push(crate::plan::Scenario {
            name,
            weight: scenario.weight.as_ref().map_or(1.0, |weight| weight.value),
            slots: state.slots.into_iter().map(|(name, _)| name).collect(),
            vars,
            root: state.root,
        });
        Ok(())
    }

    fn expressions<'a>(&'a mut self, state: &'a State<'_, 'm>, site: Site, report: &'a mut Report) -> Expressions<'a> {
        let scope = Scope::Trace { tree: state.tree, site, values: &state.values };
        Expressions::new(&mut self.tables, report, scope)
    }

    fn new_slot(&mut self, state: &mut State, name: &str, value: ExprId, place: Loc) -> SlotId {
        let slot = SlotId(state.slots.len() as u32);
        state.places.push(place);
        state.slots.push((name.to_string(), value));
        slot
    }

    /// What later expressions use for a value that is kept in a slot.
    fn read_slot(&mut self, slot: SlotId, typed: Typed) -> Typed {
        Typed { expr: self.tables.expr(Expr::Slot { slot }), ..typed }
    }

    /// What is known of a text when compiling. Of a text that is joined of very many, only what its first ones say.
    fn pieces(&mut self, text: ExprId, slots: &[(String, ExprId)], place: Loc, report: &mut Report) -> Vec<Piece> {
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
                Expr::Text { of } => waiting.push(*of),
                Expr::Slot { slot } => waiting.push(slots[slot.index()].1),
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
