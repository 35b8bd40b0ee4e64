//! The layout: the blocks, spans and items of a scenario in order, and the scopes of vars. Each use of a shared span is
//! replaced by its body here.

use super::made::Layers;
use super::{BlockKind, BlockNode, ItemNode, Names, Scope, Site, VarNode};
use crate::compiler::report::Report;
use crate::language::scenario::{Body, Item, List, Span, Var};
use crate::language::source::Loc;
use foldhash::{HashMap, HashMapExt};

/// A block that is still to be added.
struct Waiting<'m> {
    body: Callable<'m>,
    /// The item that calls it.
    caller: Option<usize>,
    /// The span that calls it.
    span: Option<usize>,
    scope: usize,
}

/// The kinds of blocks that an item calls.
enum Callable<'m> {
    Span(&'m Span),
    /// The span that a client calls.
    Server(usize, Layers<'m>),
    Group(&'m List),
    /// The sequence of an item that repeats and has terms for each turn.
    Turn(&'m Item),
}

impl<'m> ItemNode<'m> {
    /// Makes the node of an item, which does not repeat and has no terms yet.
    fn new(item: &'m Item, list: usize, scope: usize) -> ItemNode<'m> {
        ItemNode {
            item,
            list,
            repeats: false,
            has_words: false,
            wrapper: None,
            callee: None,
            handles: false,
            vars: Vec::new(),
            reads_index: false,
            reads_count: false,
            reads_attempt: false,
            scope,
        }
    }
}

impl<'m> Names<'m> {
    /// Adds a scope with these vars inside the outer one; `site` returns the site of each var's value.
    pub(super) fn add_vars(&mut self, outer: Option<usize>, vars: &'m [Var], site: impl Fn(usize) -> Site) -> usize {
        let (scope, body) = (self.scopes.len(), outer.and_then(|outer| self.scopes[outer].body));
        let mut known = HashMap::with_capacity(vars.len());
        for var in vars {
            known.entry(var.name.value.as_str()).or_insert(self.vars.len());
            self.vars.push(VarNode {
                name: &var.name,
                value: &var.value,
                site: site(scope),
                is_read: false,
                is_parameter: false,
            });
        }
        self.scopes.push(Scope { outer, vars: known, body });
        scope
    }

    /// Adds the blocks of the scenario, without recursion, because a list of steps is as deep as it is long.
    pub(super) fn add_blocks(&mut self, scope: usize, report: &mut Report) {
        let mut waiting = vec![Waiting { body: Callable::Span(&self.scenario.root), caller: None, span: None, scope }];
        while let Some(Waiting { body, caller, span, scope }) = waiting.pop() {
            let block = self.blocks.len();
            if let Some(caller) = caller {
                self.items[caller].callee = Some(block);
            }
            let first = waiting.len();
            match body {
                Callable::Span(model) => {
                    let mut layers = self.layers(model, scope);
                    match (layers.client(), span) {
                        (Some(client), Some(parent)) => {
                            let own = self.add_client(client, &mut layers, parent, block, report);
                            self.push_block(BlockKind::Span(own), own, caller, scope, client.loc);
                            waiting.extend(self.add_request(own, layers));
                        }
                        (_, parent) => waiting.extend(self.add_span_block(layers, parent, caller, report)),
                    }
                }
                Callable::Server(client, layers) => {
                    // A client does not change the meanings of names below it.
                    let parent = self.spans[client].parent;
                    waiting.extend(self.add_span_block(layers, parent, caller, report));
                    let server = self.blocks[block].span;
                    self.spans[server].client = Some(client);
                }
                Callable::Group(list) => {
                    let kind = match &list.pool {
                        None => BlockKind::Sequence,
                        Some(pool) => BlockKind::Parallel(pool.max.unwrap_or(0)),
                    };
                    self.push_block(kind, span.unwrap_or(0), caller, scope, list.loc);
                    waiting.extend(list.items.iter().filter_map(|item| self.add_item(item, block, scope)));
                }
                Callable::Turn(item) => {
                    self.push_block(BlockKind::Sequence, span.unwrap_or(0), caller, scope, item.loc);
                    waiting.extend(self.add_turn(item, block, scope, caller));
                }
            }
            waiting[first..].reverse();
        }
    }

    /// Adds a span, its block and the items of its list, and returns the blocks that they call.
    fn add_span_block(
        &mut self,
        mut layers: Layers<'m>,
        parent: Option<usize>,
        caller: Option<usize>,
        report: &mut Report,
    ) -> Vec<Waiting<'m>> {
        let block = self.blocks.len();
        let (own, calls) = (self.add_span(&mut layers, parent, block, report), layers.calls());
        self.push_block(BlockKind::Span(own), own, caller, calls.scope, layers.loc());
        calls.part.iter().filter_map(|item| self.add_item(item, block, calls.scope)).collect()
    }

    /// Adds the request of a client, which is the only item of its list, and returns the span that it calls, made of
    /// `layers`.
    fn add_request(&mut self, client: usize, layers: Layers<'m>) -> Option<Waiting<'m>> {
        let block = self.spans[client].block;
        let (caller, scope) = (&self.items[self.blocks[block].caller?], self.blocks[block].scope);
        let caller = Some(self.push_item(ItemNode::new(caller.item, block, scope)));
        self.blocks[block].propagates = true;
        self.blocks[block].reads_outcome = Some(self.blocks[block].loc);
        Some(Waiting { body: Callable::Server(client, layers), caller, span: Some(client), scope })
    }

    fn push_block(&mut self, kind: BlockKind, span: usize, caller: Option<usize>, scope: usize, loc: Loc) {
        self.blocks.push(BlockNode {
            kind,
            span,
            caller,
            items: Vec::new(),
            reads_outcome: None,
            propagates: false,
            reads_propagated: None,
            scope,
            loc,
        });
    }

    /// Adds an item of the list of `block`, and returns the block that it calls.
    fn add_item(&mut self, item: &'m Item, block: usize, scope: usize) -> Option<Waiting<'m>> {
        let has_words =
            !item.vars.is_empty() || item.when.is_some() || item.probability.is_some() || item.propagate.is_some();
        let is_work = matches!(item.body, Body::Work(_));
        let side_by_side = matches!(self.blocks[block].kind, BlockKind::Parallel(_));
        let is_wrapped =
            if is_work { side_by_side || item.repeat.is_some() } else { item.repeat.is_some() && has_words };
        if !is_wrapped {
            return self.add_turn(item, block, scope, None);
        }
        let at = self.push_item(ItemNode::new(item, block, scope));
        self.items[at].repeats = item.repeat.is_some();
        Some(Waiting { body: Callable::Turn(item), caller: Some(at), span: Some(self.blocks[block].span), scope })
    }

    /// Adds an item of the list of `block` with its terms for each turn, and returns the block that it calls. `wrapper` is
    /// the node that repeats it, if that is another one.
    fn add_turn(&mut self, item: &'m Item, block: usize, scope: usize, wrapper: Option<usize>) -> Option<Waiting<'m>> {
        let (first_var, at) = (self.vars.len(), self.items.len());
        let scope = match item.vars.is_empty() {
            true => scope,
            false => self.add_vars(Some(scope), &item.vars, |_| Site::Turn { item: at }),
        };
        let vars = (first_var..self.vars.len()).collect();
        let repeats = wrapper.is_none() && item.repeat.is_some();
        let node = ItemNode { repeats, has_words: true, wrapper, vars, ..ItemNode::new(item, block, scope) };
        self.push_item(node);
        let body = match &item.body {
            Body::Span(span) => Callable::Span(span),
            Body::Group(list) => Callable::Group(list),
            Body::Work(_) => return None,
        };
        Some(Waiting { body, caller: Some(at), span: Some(self.blocks[block].span), scope })
    }

    fn push_item(&mut self, node: ItemNode<'m>) -> usize {
        let at = self.items.len();
        self.blocks[node.list].items.push(at);
        self.items.push(node);
        at
    }
}
