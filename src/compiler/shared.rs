//! Shared spans: which one a name means, how large it is when it is used, and mistakes in its uses. [`super::names`]
//! inserts their bodies where they are used.

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;

use super::order;
use super::report::Report;
use crate::language::diagnostic::{Problem, Role};
use crate::language::scenario::shared::{Definition, Library, Use};
use crate::language::scenario::{Body, Item, Model, Span, prelude};
use crate::language::source::{Loc, PRELUDE};
use foldhash::{HashMap, HashMapExt};

/// Facts about the shared spans of all files.
pub struct Shared<'m> {
    model: &'m Model,
    /// The extents of shared spans, by the places of their names. Those in a cycle, and those that use them, are left out.
    extents: HashMap<Loc, Extent>,
    /// The work of selecting spans by incidents so far, in all scenarios.
    pub selecting: AtomicU64,
}

/// The maximum size of a shared span where it is used, without the span that is made from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    /// The number of spans and groups that it calls, including clients.
    pub blocks: usize,
    /// The depth of these below the block that calls the span.
    pub depth: usize,
    /// The amount that there is to compile in it and in all that it uses.
    pub values: usize,
    /// The number of shared spans that are made from one another, including itself.
    layers: usize,
}

/// A shared span, and the shared spans that names in it mean.
type Found<'m> = (&'m Library, &'m Definition);

/// Returns the shared span that a name means: that of its own file, or else of its directory, or else of the prelude.
fn look_up<'m>(library: &'m Library, name: &str) -> Option<Found<'m>> {
    library.get(name).or_else(|| prelude::library().get(name))
}

/// The maximum number of shared spans that are made from one another.
const LAYERS: usize = 64;

impl<'m> Shared<'m> {
    /// Checks all shared spans, and their uses in each other.
    pub fn new(model: &'m Model, report: &mut Report) -> Shared<'m> {
        let mut shared = Shared { model, extents: HashMap::new(), selecting: AtomicU64::new(0) };
        let definitions = shared.definitions();
        let at: HashMap<Loc, usize> =
            definitions.iter().enumerate().map(|(at, (_, definition))| (definition.name.loc, at)).collect();
        let needs: Vec<Vec<usize>> = (definitions.iter())
            .map(|definition| {
                let mut needs: Vec<usize> = uses_in(*definition).map(|(_, used)| at[&used.name.loc]).collect();
                needs.sort_unstable();
                needs.dedup();
                needs
            })
            .collect();
        let order = order::sort(&needs);
        for cycle in &order.cycles {
            let name = |&at: &usize| &definitions[at].1.name;
            let path = cycle.iter().map(|at| name(at).value.clone()).collect();
            let others = cycle[1..].iter().map(|at| name(at).loc).take(8);
            report.add_related(Problem::UseCycle { path }, name(&cycle[0]).loc, Role::Member, others);
        }
        for at in order.nodes {
            // Those that depend on a cycle come after all others.
            let is_known = |&other: &usize| shared.extents.contains_key(&definitions[other].1.name.loc);
            if needs[at].iter().all(is_known) {
                shared.add_extent(definitions[at], report);
            }
        }
        for (library, definition) in definitions {
            shared.check_name(library, definition, report);
            each_span(&definition.span, |span, _| shared.check(library, span, report));
        }
        shared
    }

    /// Returns the shared spans that a file may use.
    pub fn library(&self, scope: usize) -> &'m Library {
        &self.model.scopes[scope].shared
    }

    /// Returns the shared span that a name means, if it is usable.
    pub fn find(&self, library: &'m Library, name: &str) -> Option<Found<'m>> {
        look_up(library, name).filter(|(_, definition)| self.extents.contains_key(&definition.name.loc))
    }

    /// Returns the extent of the shared span that is used here, if it is usable.
    pub fn extent(&self, library: &'m Library, used: &Use) -> Option<Extent> {
        let (_, definition) = self.find(library, &used.name.value)?;
        self.extents.get(&definition.name.loc).copied()
    }

    /// Returns all shared spans, including those of directories and of the prelude.
    fn definitions(&self) -> Vec<Found<'m>> {
        let mut seen = HashSet::new();
        let mut definitions = Vec::new();
        let files = self.model.scopes.iter().map(|scope| &*scope.shared);
        for file in files.chain([prelude::library()]) {
            // Those of a directory apply to every file in it.
            let layers = std::iter::successors(Some(file), |library| library.base());
            for library in layers.take_while(|library| seen.insert(*library as *const Library)) {
                definitions.extend(library.own().iter().map(|definition| (library, definition)));
            }
        }
        definitions
    }

    /// Computes the extent of a shared span. Those of all shared spans that it uses must be known.
    fn add_extent(&mut self, (library, definition): Found<'m>, report: &mut Report) {
        let client = usize::from(has_client(&definition.span));
        let mut extent = Extent { values: definition.weight, layers: 1, blocks: client, depth: client };
        each_span(&definition.span, |span, depth| {
            let Some(other) = span.shared.as_ref().and_then(|used| self.extent(library, used)) else { return };
            extent.blocks = extent.blocks.saturating_add(other.blocks);
            extent.values = extent.values.saturating_add(other.values);
            extent.depth = extent.depth.max(client + depth + other.depth);
            if depth == 0 {
                extent.layers += other.layers;
            }
        });
        each_item(&definition.span, |item, depth| {
            extent.blocks = extent.blocks.saturating_add(blocks(item));
            extent.depth = extent.depth.max(client + depth);
        });
        match &definition.span.shared {
            Some(used) if extent.layers > LAYERS => {
                report.add(Problem::UsesTooLong { limit: LAYERS }, used.name.loc);
            }
            _ => {
                self.extents.insert(definition.name.loc, extent);
            }
        }
    }

    /// Reports a shared span that hides another one.
    fn check_name(&self, library: &'m Library, definition: &Definition, report: &mut Report) {
        let name = &definition.name;
        if name.loc.file == PRELUDE {
            return;
        }
        let of_base = library.base().and_then(|base| base.get(&name.value));
        if let Some((_, hidden)) = of_base.or_else(|| prelude::library().get(&name.value)) {
            let problem = Problem::HidesShared { name: name.value.clone(), is_prelude: of_base.is_none() };
            report.add_related(problem, name.loc, Role::First, [hidden.name.loc]);
        }
    }

    /// Reports mistakes in the use of a shared span by a span: in the name, the parameters, the calls.
    pub fn check(&self, library: &'m Library, span: &Span, report: &mut Report) {
        let Some(used) = &span.shared else { return };
        let Some((_, definition)) = look_up(library, &used.name.value) else {
            if library.is_short() {
                report.poison();
                return;
            }
            let layers = std::iter::successors(Some(library), |library| library.base());
            let all = layers.chain([prelude::library()]).flat_map(|library| library.own());
            let nearest = report.nearest(&used.name.value, all.map(|definition| definition.name.value.as_str()));
            report.add(Problem::UnknownShared { name: used.name.value.clone(), nearest }, used.name.loc);
            return;
        };
        let mut misspelt = Vec::new();
        let parameters = || definition.parameters.iter().map(|parameter| parameter.name.value.as_str());
        let unknown = used.with.iter().filter(|_| !definition.lacks_names);
        for given in unknown.filter(|given| !parameters().any(|name| name == given.name.value)) {
            let nearest = report.nearest(&given.name.value, parameters());
            misspelt.extend(nearest.clone());
            let (name, shared) = (given.name.value.clone(), used.name.value.clone());
            let problem = Problem::UnknownParameter { name, shared, nearest };
            report.add_related(problem, given.name.loc, Role::Definition, [definition.name.loc]);
        }
        for parameter in definition.parameters.iter().filter(|parameter| parameter.default.is_none()) {
            let name = &parameter.name.value;
            if !misspelt.contains(name) && !used.with.iter().any(|given| given.name.value == *name) {
                let problem = Problem::MissingParameter { name: name.clone(), shared: used.name.value.clone() };
                report.add_related(problem, used.name.loc, Role::Definition, [parameter.name.loc]);
            }
        }
        if let Some(first) = span.calls.first() {
            let with_calls = self.layers(library, span).find(|(_, definition)| !definition.span.calls.is_empty());
            if let Some((_, definition)) = with_calls {
                let problem = Problem::CallsTwice { shared: definition.name.value.clone() };
                report.add_related(problem, first.loc, Role::Definition, [definition.name.loc]);
            }
        }
    }

    /// Returns the shared spans from which a span is made.
    fn layers(&self, library: &'m Library, span: &Span) -> impl Iterator<Item = Found<'m>> {
        let first = span.shared.as_ref().and_then(|used| self.find(library, &used.name.value));
        std::iter::successors(first, |(library, definition)| {
            self.find(library, &definition.span.shared.as_ref()?.name.value)
        })
    }

    /// Reports the shared spans that no scenario uses, except those that may be used by files which were not read.
    pub fn check_unused(&self, report: &mut Report) {
        let mut used: HashSet<Loc> = HashSet::new();
        let mut waiting: Vec<Found<'m>> = Vec::new();
        for scenario in &self.model.scenarios {
            let library = self.library(scenario.scope);
            each_span(&scenario.root, |span, _| {
                waiting.extend(span.shared.as_ref().and_then(|used| look_up(library, &used.name.value)));
            });
        }
        while let Some(found) = waiting.pop() {
            if used.insert(found.1.name.loc) {
                waiting.extend(uses_in(found));
            }
        }
        for (_, definition) in self.definitions() {
            let name = &definition.name;
            let is_ours = name.loc.file != PRELUDE && !self.model.partial.contains(&name.loc.file);
            if is_ours && !used.contains(&name.loc) {
                report.add_unused(Problem::UnusedShared { name: name.value.clone() }, name.loc);
            }
        }
    }
}

/// Returns the shared spans that a shared span uses.
fn uses_in<'m>((library, definition): Found<'m>) -> impl Iterator<Item = Found<'m>> {
    let mut found = Vec::new();
    each_span(&definition.span, |span, _| {
        found.extend(span.shared.as_ref().and_then(|used| look_up(library, &used.name.value)));
    });
    found.into_iter()
}

/// Calls `f` with a span and all spans written below it, and with the depth of each one's block below that of the first.
pub fn each_span<'m>(span: &'m Span, mut f: impl FnMut(&'m Span, usize)) {
    f(span, 0);
    each_item(span, |item, depth| {
        if let Body::Span(span) = &item.body {
            f(span, depth);
        }
    });
}

/// Calls `f` with all items written below a span, in order, and with the depth of the block that each calls below that of
/// the span. There is no recursion, because steps can be nested as deeply as there are steps.
pub fn each_item<'m>(span: &'m Span, mut f: impl FnMut(&'m Item, usize)) {
    let mut waiting: Vec<(&Item, usize)> = span.calls.iter().rev().map(|item| (item, 0)).collect();
    while let Some((item, above)) = waiting.pop() {
        let depth = above + blocks(item);
        f(item, depth);
        let items = match &item.body {
            Body::Span(span) => &span.calls[..],
            Body::Group(list) => &list.items[..],
            Body::Work(_) => &[],
        };
        waiting.extend(items.iter().rev().map(|item| (item, depth)));
    }
}

/// Returns the number of blocks of an item itself: a repeated one may need a group around it, and a call may have a client.
pub fn blocks(item: &Item) -> usize {
    let client = if let Body::Span(span) = &item.body { has_client(span) } else { false };
    1 + usize::from(item.repeat.is_some()) + usize::from(client)
}

fn has_client(span: &Span) -> bool {
    span.client.as_ref().is_some_and(|client| client.is_wanted)
}
