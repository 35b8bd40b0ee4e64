//! The layout: the blocks, spans and items of a scenario in their order, and where its vars are known.

use super::{BlockKind, BlockNode, ItemNode, Names, Scope, SpanNode, VarNode};
use crate::language::scenario::{Body, Client, Item, List, Span, Var};
use foldhash::{HashMap, HashMapExt};

/// A block that is yet to be added.
struct Waiting<'m> {
    body: Callable<'m>,
    /// The item that calls it.
    caller: Option<usize>,
    /// The span that calls it.
    span: Option<usize>,
    scope: usize,
}

/// What an item calls.
enum Callable<'m> {
    Span(&'m Span),
    /// The client of the item that stands around this span.
    Client(&'m Client, &'m Item, &'m Span),
    Group(&'m List),
    /// The sequence of an item that repeats and has words for each turn.
    Turn(&'m Item),
}

impl<'m> ItemNode<'m> {
    /// An item that neither repeats nor has words yet.
    fn new(item: &'m Item, list: usize, scope: usize) -> ItemNode<'m> {
        ItemNode {
            item,
            list,
            repeats: false,
            has_words: false,
            is_request: false,
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
    /// Adds a scope in which these vars are known beside those of the outer one.
    pub(super) fn add_scope(&mut self, outer: Option<usize>, vars: &'m [Var]) -> usize {
        let mut known = HashMap::with_capacity(vars.len());
        for var in vars {
            known.entry(var.name.value.as_str()).or_insert(self.vars.len());
            self.vars.push(VarNode { var });
        }
        self.scopes.push(Scope { outer, vars: known });
        self.scopes.len() - 1
    }

    /// Adds the blocks of the scenario. Without recursion: a list of steps is as deep as it is long.
    pub(super) fn add_blocks(&mut self, scope: usize) {
        let mut waiting = vec![Waiting { body: Callable::Span(&self.scenario.root), caller: None, span: None, scope }];
        while let Some(Waiting { body, caller, span, scope }) = waiting.pop() {
            let block = self.blocks.len();
            if let Some(caller) = caller {
                self.items[caller].callee = Some(block);
            }
            let (kind, loc) = match body {
                Callable::Span(model) => (BlockKind::Span(self.add_span(model, span, block, scope)), model.loc),
                Callable::Client(client, ..) => {
                    (BlockKind::Span(self.add_span(&client.span, span, block, scope)), client.span.loc)
                }
                Callable::Group(list) => match &list.pool {
                    None => (BlockKind::Sequence, list.loc),
                    Some(pool) => (BlockKind::Parallel(pool.max.unwrap_or(0)), list.loc),
                },
                Callable::Turn(item) => (BlockKind::Sequence, item.loc),
            };
            if let (Some(caller), BlockKind::Span(server), Some(client)) = (caller, kind, span)
                && self.items[caller].is_request
            {
                self.spans[client].server = Some(server);
                self.spans[server].client = Some(client);
                // A client changes nothing of what names mean below it.
                self.spans[server].parent = self.spans[client].parent;
            }
            let span = if let BlockKind::Span(own) = kind { own } else { span.unwrap_or(0) };
            self.blocks.push(BlockNode {
                kind,
                span,
                caller,
                items: Vec::new(),
                reads_outcome: None,
                propagates: false,
                loc,
            });
            let first = waiting.len();
            match body {
                Callable::Span(model) => {
                    waiting.extend(model.calls.iter().filter_map(|item| self.add_item(item, block, scope)));
                }
                Callable::Group(list) => {
                    waiting.extend(list.items.iter().filter_map(|item| self.add_item(item, block, scope)));
                }
                Callable::Client(_, item, server) => {
                    let node = ItemNode { is_request: true, ..ItemNode::new(item, block, scope) };
                    let caller = Some(self.push_item(node));
                    self.blocks[block].propagates = true;
                    self.blocks[block].reads_outcome = Some(loc);
                    waiting.push(Waiting {
                        body: Callable::Span(server),
                        caller,
                        span: Some(self.blocks[block].span),
                        scope,
                    });
                }
                Callable::Turn(item) => waiting.extend(self.add_turn(item, block, scope, caller)),
            }
            waiting[first..].reverse();
        }
    }

    fn add_span(&mut self, span: &'m Span, parent: Option<usize>, block: usize, scope: usize) -> usize {
        let mut attributes = HashMap::with_capacity(span.attributes.len());
        for (i, attribute) in span.attributes.iter().enumerate() {
            attributes.entry(attribute.key.value.as_str()).or_insert(i);
        }
        self.spans.push(SpanNode {
            span,
            parent,
            block,
            attributes,
            read: vec![false; span.attributes.len()],
            sent: vec![false; span.attributes.len()],
            late: vec![false; span.attributes.len()],
            client: None,
            server: None,
            lacks_operation: false,
            linked: Vec::new(),
            linked_at: HashMap::new(),
            link_reads: Vec::new(),
            event_reads: vec![(false, false); span.events.len()],
            order: Vec::new(),
            replaced: Vec::new(),
            scope,
        });
        self.spans.len() - 1
    }

    /// Adds an item of the list of `block`. Returns what it calls.
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

    /// Adds an item of the list of `block` with the words for each turn; `wrapper`: the item that repeats it, if that is another.
    /// Returns what it calls.
    fn add_turn(&mut self, item: &'m Item, block: usize, scope: usize, wrapper: Option<usize>) -> Option<Waiting<'m>> {
        let first_var = self.vars.len();
        let scope = if item.vars.is_empty() { scope } else { self.add_scope(Some(scope), &item.vars) };
        let vars = (first_var..self.vars.len()).collect();
        let repeats = wrapper.is_none() && item.repeat.is_some();
        let node = ItemNode { repeats, has_words: true, wrapper, vars, ..ItemNode::new(item, block, scope) };
        let at = self.push_item(node);
        let body = match &item.body {
            Body::Span(span) => match &item.client {
                Some(client) => Callable::Client(client, item, span),
                None => Callable::Span(span),
            },
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
