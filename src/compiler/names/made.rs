//! The parts of which a span is made: its own text, and the shared spans that it uses. Earlier parts take precedence:
//! scalars replace, attributes are merged by their keys, and error conditions and events come first.

use std::sync::LazyLock;

use super::{AttributeNode, BodyNode, ConditionNode, Names, RequestNode, Scope, Scoped, Site, SpanNode, VarNode};
use crate::compiler::report::{Report, UsedAt};
use crate::language::diagnostic::Problem;
use crate::language::scenario::dist::{Dist, Form};
use crate::language::scenario::shared::Definition;
use crate::language::scenario::{Attribute, Client, ErrorCondition, Item, Kind, Link, Scalar, Span, Value, Var};
use crate::language::source::{Loc, Located, START};
use crate::language::template::{self, Template};
use foldhash::{HashMap, HashMapExt};

/// A span, and the shared spans of which it is made.
pub(super) struct Layers<'m> {
    /// The span itself, followed by its shared spans.
    list: Vec<Layer<'m>>,
    /// Whether all of the shared spans exist.
    is_whole: bool,
    /// The parameters.
    given: Vec<usize>,
}

/// A span, or one of its shared spans, and the scope of its text.
#[derive(Clone, Copy)]
struct Layer<'m> {
    span: &'m Span,
    scope: usize,
}

/// The defaults for parts that are not written, or wrong and reported.
struct Unwritten {
    service: Located<String>,
    operation: Template,
    value: Value,
    network: Dist,
}

/// The minimum and maximum time that a request or an answer takes by default, in ns.
const NETWORK: (u64, u64) = (200_000, 1_000_000);

static UNWRITTEN: LazyLock<Unwritten> = LazyLock::new(|| {
    let broken = || Template { parts: vec![template::error(START)], loc: START };
    let (min, max) = NETWORK;
    Unwritten {
        service: Located::new(String::new(), START),
        operation: broken(),
        value: Value::Scalar(Scalar::Expr(broken())),
        network: Dist { form: Form::Uniform { min, max }, max, loc: START },
    }
});

impl<'m> Names<'m> {
    /// Returns the parts of the next span, which is written in `scope`.
    pub(super) fn layers(&mut self, model: &'m Span, scope: usize) -> Layers<'m> {
        let (span, first_parameter) = (self.spans.len(), self.vars.len());
        let mut list = vec![Layer { span: model, scope }];
        let (mut last, mut is_whole) = (list[0], true);
        while let Some(used) = &last.span.shared {
            let outer = self.scopes[last.scope].body;
            let library = outer.map_or(self.library, |body| self.bodies[body].library);
            let Some((library, definition)) = self.shared.find(library, &used.name.value) else {
                is_whole = false;
                break;
            };
            self.lacks_names |= definition.lacks_names;
            let places = UsedAt { definition: definition.span.loc, place: used.name.loc };
            self.bodies.push(BodyNode { span, layer: list.len(), outer, library, places });
            let scope = self.add_parameters(definition, &used.with, span, last.scope);
            last = Layer { span: &definition.span, scope };
            list.push(last);
        }
        Layers { list, is_whole, given: (first_parameter..self.vars.len()).collect() }
    }

    /// Adds the scope of the last body, in which the parameters of the shared span are defined. The values of those that
    /// are given are in the scope `outer`.
    fn add_parameters(&mut self, definition: &'m Definition, with: &'m [Var], span: usize, outer: usize) -> usize {
        let scope = self.scopes.len();
        let mut known = HashMap::with_capacity(definition.parameters.len());
        for parameter in &definition.parameters {
            let given = with.iter().find(|given| given.name.value == parameter.name.value);
            let (value, scope) = match (given, &parameter.default) {
                (Some(given), _) => (&given.value, outer),
                (None, Some(default)) => (default, scope),
                (None, None) => (&UNWRITTEN.value, scope),
            };
            known.entry(parameter.name.value.as_str()).or_insert(self.vars.len());
            let site = Site::Given { span, scope };
            self.vars.push(VarNode { name: &parameter.name, value, site, is_read: false, is_parameter: true });
        }
        self.scopes.push(Scope { outer: None, vars: known, body: Some(self.bodies.len() - 1) });
        scope
    }

    /// Adds the span of `block`, and returns its number.
    pub(super) fn add_span(
        &mut self,
        layers: &mut Layers<'m>,
        parent: Option<usize>,
        block: usize,
        report: &mut Report,
    ) -> usize {
        let own = layers.list[0];
        let service = layers.list.iter().find_map(|layer| layer.span.service.as_ref());
        let service = service.or_else(|| Some(self.spans[parent?].service));
        let operation = layers.first(|span| span.operation.as_ref());
        let place = match (&own.span.service, &own.span.shared) {
            (Some(service), _) => service.loc,
            (None, Some(shared)) => shared.name.loc,
            (None, None) => own.span.loc,
        };
        let missing = [("service", service.is_none()), ("operation", operation.is_none())];
        for (field, _) in missing.into_iter().filter(|(_, is_missing)| *is_missing && layers.is_whole) {
            report.enter(self.uses_of(self.scopes[own.scope].body));
            report.add(Problem::MissingField { field, owner: "a span" }, place);
        }
        let mut node = SpanNode::new(service.unwrap_or(&UNWRITTEN.service), layers.kind(), block, place);
        node.operation = operation.unwrap_or(node.operation);
        node.scope = layers.list.iter().find_map(|layer| layer.span.scope.as_ref());
        node.ok = layers.list.iter().any(|layer| layer.span.ok);
        node.delay = layers.first(|span| span.delay.as_ref());
        (node.attributes, node.attributes_at) = layers.attributes(|span| &span.attributes);
        node.events = layers.all(|span| &span.events);
        node.error_conditions = layers.conditions(|span| &span.error_conditions);
        node.own_scope = own.scope;
        node.export = layers.first(|span| span.export.as_ref());
        node.links = layers.links();
        node.event_reads = vec![(false, false); node.events.len()];
        node.declines_client = layers.says_of_client().is_some_and(|client| !client.is_wanted);
        self.push_span(node, layers, parent)
    }

    /// Adds the client of a span, which is the span of `block`, and returns its number.
    pub(super) fn add_client(
        &mut self,
        client: &'m Client,
        layers: &mut Layers<'m>,
        parent: usize,
        block: usize,
        report: &mut Report,
    ) -> usize {
        if layers.kind() != Kind::Server && layers.is_whole {
            let own = layers.list[0];
            report.enter(self.uses_of(layers.body(self).or(self.scopes[own.scope].body)));
            report.add(Problem::ClientOfNoServer, client.loc);
        }
        let own = layers.first(|span| wanted(span)?.operation.as_ref());
        let copied = || layers.first(|span| span.operation.as_ref());
        let scope = layers.list[0].scope;
        let mut node = SpanNode::new(self.spans[parent].service, Kind::Client, block, client.loc);
        node.operation = own.or_else(copied).unwrap_or(node.operation);
        (node.attributes, node.attributes_at) = layers.attributes(|span| wanted(span).map_or(&[], |c| &c.attributes));
        let address = client.address.key.value.as_str();
        if !node.attributes_at.contains_key(address) {
            node.attributes_at.insert(address, node.attributes.len());
            node.attributes.push(AttributeNode::new(&client.address, scope, 0));
        }
        node.error_conditions = layers.conditions(|span| wanted(span).map_or(&[], |client| &client.error_conditions));
        node.own_scope = scope;
        node.request = Some(RequestNode {
            server: self.spans.len() + 1,
            network: (layers.first(|span| wanted(span)?.network.as_ref()))
                .unwrap_or(Scoped { part: &UNWRITTEN.network, scope }),
            copies_operation: own.is_none(),
            lacks_operation: false,
        });
        self.push_span(node, layers, Some(parent))
    }

    /// Adds a span that is made of these layers. Of a client and its span, the one that comes first takes the parameters.
    fn push_span(&mut self, node: SpanNode<'m>, layers: &mut Layers<'m>, parent: Option<usize>) -> usize {
        let (given, body) = (std::mem::take(&mut layers.given), layers.body(self));
        self.spans.push(SpanNode { given, body, parent, ..node });
        self.spans.len() - 1
    }
}

/// Returns the client that a span asks for, if any.
fn wanted(span: &Span) -> Option<&Client> {
    span.client.as_deref().filter(|client| client.is_wanted)
}

impl<'m> Layers<'m> {
    /// Returns the client of the span. The first layer that mentions a client decides whether there is one.
    pub fn client(&self) -> Option<&'m Client> {
        self.says_of_client().filter(|client| client.is_wanted)
    }

    fn says_of_client(&self) -> Option<&'m Client> {
        self.list.iter().find_map(|layer| layer.span.client.as_deref())
    }

    /// Returns the calls of the span.
    pub fn calls(&self) -> Scoped<&'m [Item]> {
        let calls = self.first(|span| Some(&span.calls[..]).filter(|calls| !calls.is_empty()));
        calls.unwrap_or(Scoped { part: &[], scope: self.list[0].scope })
    }

    /// Returns the place of the span.
    pub fn loc(&self) -> Loc {
        self.list[0].span.loc
    }

    /// Returns the links of the first layer that has any.
    fn links(&self) -> Vec<Scoped<&'m Link>> {
        let first = self.list.iter().find(|layer| !layer.span.links.is_empty());
        let links = first.into_iter().flat_map(|layer| layer.span.links.iter().map(|part| (part, layer.scope)));
        links.map(|(part, scope)| Scoped { part, scope }).collect()
    }

    fn kind(&self) -> Kind {
        self.list.iter().find_map(|layer| layer.span.kind).unwrap_or(Kind::Internal)
    }

    /// Returns the body of the last shared span, or else the body that contains the span.
    fn body(&self, names: &Names) -> Option<usize> {
        self.list.last().and_then(|layer| names.scopes[layer.scope].body)
    }

    /// Returns a part of the first layer that has it.
    fn first<T: ?Sized>(&self, part: impl Fn(&'m Span) -> Option<&'m T>) -> Option<Scoped<&'m T>> {
        self.list.iter().find_map(|layer| Some(Scoped { part: part(layer.span)?, scope: layer.scope }))
    }

    /// Returns a part of all layers.
    fn all<T>(&self, parts: impl Fn(&'m Span) -> &'m [T]) -> Vec<Scoped<&'m T>> {
        let of_layer = |layer: &Layer<'m>| {
            let scope = layer.scope;
            parts(layer.span).iter().map(move |part| Scoped { part, scope })
        };
        self.list.iter().flat_map(of_layer).collect()
    }

    /// Returns the error conditions of all layers.
    fn conditions(&self, parts: impl Fn(&'m Span) -> &'m [ErrorCondition]) -> Vec<ConditionNode<'m>> {
        self.all(parts).into_iter().map(|written| ConditionNode { written, incident: None }).collect()
    }

    /// Returns the attributes of all layers, those of the last one first. An attribute that is replaced keeps its place.
    fn attributes(
        &self,
        parts: impl Fn(&'m Span) -> &'m [Attribute],
    ) -> (Vec<AttributeNode<'m>>, HashMap<&'m str, usize>) {
        let count = parts(self.list[0].span).len();
        let mut attributes: Vec<AttributeNode> = Vec::with_capacity(count);
        let mut places = HashMap::with_capacity(count);
        for (number, layer) in self.list.iter().enumerate().rev() {
            for model in parts(layer.span) {
                let place = *places.entry(model.key.value.as_str()).or_insert(attributes.len());
                match attributes.get_mut(place) {
                    Some(before) => *before = AttributeNode::new(model, layer.scope, before.layer),
                    None => attributes.push(AttributeNode::new(model, layer.scope, number)),
                }
            }
        }
        (attributes, places)
    }
}

impl<'m> SpanNode<'m> {
    /// Makes a span of which nothing else is known yet.
    fn new(service: &'m Located<String>, kind: Kind, block: usize, place: Loc) -> SpanNode<'m> {
        SpanNode {
            service,
            operation: Scoped { part: &UNWRITTEN.operation, scope: 0 },
            kind,
            scope: None,
            ok: false,
            delay: None,
            attributes: Vec::new(),
            events: Vec::new(),
            error_conditions: Vec::new(),
            incidents: Vec::new(),
            own_scope: 0,
            export: None,
            links: Vec::new(),
            link_reads: Vec::new(),
            event_reads: Vec::new(),
            client: None,
            declines_client: false,
            request: None,
            given: Vec::new(),
            parent: None,
            block,
            attributes_at: HashMap::new(),
            linked: Vec::new(),
            linked_at: HashMap::new(),
            order: Vec::new(),
            replaced: Vec::new(),
            body: None,
            place,
        }
    }
}

impl<'m> AttributeNode<'m> {
    fn new(model: &'m Attribute, scope: usize, layer: usize) -> AttributeNode<'m> {
        AttributeNode { model, scope, layer, is_read: false, is_sent: false, is_late: false }
    }
}
