//! Plans and traces for tests: of random shape, with every kind of record that the types can express.

use super::{Batch, Encode};
use crate::plan::*;
use crate::trace::{
    AttrRecord, EventRecord, FailureRecord, LinkRecord, NONE, OwnedDatum, Resources, SpanRecord, SpanView, Trace,
    Value, View,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// A plan, its resources, and traces of it.
#[derive(Debug)]
pub struct Fixture {
    pub plan: Plan,
    pub resources: Resources,
    pub traces: Vec<Trace>,
}

impl Fixture {
    pub fn views(&self) -> impl Iterator<Item = View<'_>> {
        self.traces.iter().map(|trace| View { plan: &self.plan, resources: &self.resources, trace })
    }

    pub fn spans(&self) -> Vec<SpanView<'_>> {
        self.views().flat_map(View::spans).collect()
    }

    /// All batches that `encoder` makes of the traces.
    pub fn batches(&self, encoder: &mut impl Encode) -> Vec<Batch> {
        let mut batches = vec![];
        self.views().for_each(|view| encoder.add(view, &mut |batch| batches.push(batch)));
        encoder.flush(&mut |batch| batches.push(batch));
        batches
    }
}

/// Builds a program by name, one table row at a time.
#[derive(Default)]
pub struct Builder {
    pub program: Program,
}

impl Builder {
    pub fn new() -> Builder {
        Builder { program: Program { semantics: SEMANTICS, ..Default::default() } }
    }

    pub fn text(&mut self, text: &str) -> TextId {
        let texts = &mut self.program.texts;
        let at = texts.iter().position(|t| t == text).unwrap_or_else(|| {
            texts.push(text.to_string());
            texts.len() - 1
        });
        TextId(at as u32)
    }

    pub fn expr(&mut self, expr: Expr) -> ExprId {
        self.program.exprs.push(expr);
        ExprId(self.program.exprs.len() as u32 - 1)
    }

    pub fn service(&mut self, name: &str, instances: u32) -> ServiceId {
        let name = self.text(name);
        let first_resource = ResourceId(self.program.resources.len() as u32);
        self.program.services.push(Service { name, first_resource, instances });
        self.program.resources.extend((0..instances).map(|_| Resource { attributes: vec![] }));
        ServiceId(self.program.services.len() as u32 - 1)
    }

    /// A constant condition; without a message if that is empty.
    pub fn error(&mut self, r#type: &str, message: &str) -> ErrorId {
        let mut text = |text: &str| {
            let id = self.text(text);
            self.expr(Expr::Const { value: Constant::Text(id) })
        };
        let error = Error { r#type: text(r#type), message: (!message.is_empty()).then(|| text(message)) };
        self.program.errors.push(error);
        ErrorId(self.program.errors.len() as u32 - 1)
    }

    pub fn attrs<'a>(&mut self, keys: impl IntoIterator<Item = &'a str>) -> AttrRange {
        let first = self.program.attrs.len() as u32;
        for key in keys {
            let key = self.text(key);
            self.program.attrs.push(key);
        }
        AttrRange { first, count: self.program.attrs.len() as u32 - first }
    }

    pub fn block(&mut self, span: SpanForm, code: Vec<Inst>) -> BlockId {
        self.program.blocks.push(Block { span, code });
        BlockId(self.program.blocks.len() as u32 - 1)
    }

    /// One scenario, whose root is block 0.
    pub fn plan(mut self, scenario: &str) -> Plan {
        let name = self.text(scenario);
        self.program.scenarios.push(Scenario { name, weight: 1.0, slots: vec![], vars: vec![], root: BlockId(0) });
        Plan::verify(self.program).expect("the fixture is a sound program")
    }
}

/// A value before it has a place.
#[derive(Clone, Debug)]
enum Loose {
    Text(String),
    Const(Index),
    Int(i64),
    Double(f64),
    Bool(bool),
    List(Vec<Loose>),
    Absent,
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "\\PC{0,12}",
        2 => "[\\x00-\\x7f]{0,8}",
        2 => (90usize..140).prop_map(|n| "x".repeat(n)),
        1 => (16_100usize..16_500).prop_map(|n| "y".repeat(n)),
    ]
}

fn ints() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), (0u32..63).prop_map(|shift| 1 << shift), (0u32..63).prop_map(|s| (1 << s) - 1), -3i64..3]
}

fn doubles() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>().prop_filter("finite", |v| v.is_finite()), Just(-0.0), (-9i32..9).prop_map(f64::from)]
}

fn values() -> impl Strategy<Value = Loose> {
    let list = prop_oneof![
        vec(texts().prop_map(Loose::Text), 0..4),
        vec(ints().prop_map(Loose::Int), 0..20),
        vec(doubles().prop_map(Loose::Double), 0..4),
        vec(any::<bool>().prop_map(Loose::Bool), 0..4),
    ];
    prop_oneof![
        4 => texts().prop_map(Loose::Text),
        3 => any::<Index>().prop_map(Loose::Const),
        3 => ints().prop_map(Loose::Int),
        2 => doubles().prop_map(Loose::Double),
        2 => any::<bool>().prop_map(Loose::Bool),
        1 => list.prop_map(Loose::List),
        1 => Just(Loose::Absent),
    ]
}

#[derive(Clone, Debug)]
struct BlockShape {
    service: Index,
    kind: SpanKind,
    name: Option<String>,
    constants: Vec<Loose>,
    /// Lengths of the keys.
    attrs: Vec<usize>,
    error_type: bool,
    parent: Index,
}

fn blocks() -> impl Strategy<Value = BlockShape> {
    let kind = prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer)
    ];
    let name = proptest::option::of(texts().prop_filter("not empty", |name| !name.is_empty()));
    let keys = vec(prop_oneof![8 => 0usize..20, 2 => 100usize..125], 0..6);
    let shape = (any::<Index>(), kind, name, vec(values(), 0..4), keys, any::<bool>(), any::<Index>());
    shape.prop_map(|(service, kind, name, constants, attrs, error_type, parent)| BlockShape {
        service,
        kind,
        name,
        constants,
        attrs,
        error_type,
        parent,
    })
}

#[derive(Clone, Debug)]
struct EventShape {
    time: u64,
    name: String,
    values: Vec<Loose>,
}

#[derive(Clone, Debug)]
struct SpanShape {
    block: Index,
    parent: Option<Index>,
    instance: Index,
    id: u64,
    times: (u64, u64),
    name: Loose,
    values: Vec<Loose>,
    failure: Option<(u64, Index, String, Option<String>)>,
    events: Vec<EventShape>,
    links: Vec<([u8; 16], u64)>,
}

fn times() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(0), 9 => 1..1u64 << 62]
}

fn spans() -> impl Strategy<Value = SpanShape> {
    let event =
        (times(), texts(), vec(values(), 0..3)).prop_map(|(time, name, values)| EventShape { time, name, values });
    let failure = (times(), any::<Index>(), texts(), proptest::option::of(texts()));
    let name = prop_oneof![texts().prop_map(Loose::Text), any::<Index>().prop_map(Loose::Const)];
    let place = (any::<Index>(), proptest::option::of(any::<Index>()), any::<Index>(), 1..u64::MAX);
    let content = (
        (times(), times()),
        name,
        vec(values(), 7),
        proptest::option::of(failure),
        vec(event, 0..3),
        vec((any::<[u8; 16]>(), 1..u64::MAX), 0..3),
    );
    (place, content).prop_map(|((block, parent, instance, id), (times, name, values, failure, events, links))| {
        SpanShape { block, parent, instance, id, times, name, values, failure, events, links }
    })
}

/// Random plans with random traces.
pub fn fixtures() -> impl Strategy<Value = Fixture> {
    let services = vec((1u32..4, vec((".{1,8}", values()), 0..4)), 1..4);
    let errors = vec(("\\PC{1,20}", "\\PC{0,200}", any::<bool>()), 1..4);
    let traces = vec((any::<[u8; 16]>(), vec(spans(), 1..8)), 1..12);
    (services, vec(blocks(), 1..6), errors, traces).prop_map(|(services, blocks, errors, traces)| {
        let mut builder = Builder::new();
        let mut resources = Resources::default();
        for (i, (instances, attributes)) in services.iter().enumerate() {
            builder.service(&format!("service-{i}"), *instances);
            for instance in 0..*instances {
                let own = ("service.instance.id".to_string(), OwnedDatum::Int(instance.into()));
                let rest = attributes.iter().map(|(key, value)| Some((key.clone(), owned(value)?)));
                resources.attributes.push(rest.chain([Some(own)]).flatten().collect());
            }
        }
        for (i, (r#type, message, computed)) in errors.iter().enumerate() {
            let error = builder.error(r#type, message);
            if *computed {
                let id = builder.text(&format!("type {i}"));
                let of = builder.expr(Expr::Const { value: Constant::Text(id) });
                builder.program.errors[error.index()].r#type = builder.expr(Expr::Upper { of });
            }
        }
        add_blocks(&mut builder, &blocks);
        let plan = builder.plan("random");
        let traces = traces.into_iter().enumerate().map(|(i, (id, spans))| {
            let mut trace = Trace { index: i as u64, id, ..Default::default() };
            spans.iter().for_each(|span| add_span(&plan, &mut trace, span));
            trace.start = trace.spans.iter().map(|span| span.start).min().unwrap_or(0);
            trace.end = trace.spans.iter().map(|span| span.end).max().unwrap_or(0);
            trace
        });
        let traces = traces.collect();
        Fixture { plan, resources, traces }
    })
}

/// The value by itself; texts of the plan are left out.
fn owned(value: &Loose) -> Option<OwnedDatum> {
    Some(match value {
        Loose::Text(v) => OwnedDatum::Text(v.clone()),
        Loose::Int(v) => OwnedDatum::Int(*v),
        Loose::Double(v) => OwnedDatum::Double(*v),
        Loose::Bool(v) => OwnedDatum::Bool(*v),
        Loose::List(items) => OwnedDatum::List(items.iter().filter_map(owned).collect()),
        Loose::Const(_) | Loose::Absent => return None,
    })
}

fn constant(builder: &mut Builder, value: &Loose) -> Option<Constant> {
    Some(match value {
        Loose::Text(v) => Constant::Text(builder.text(v)),
        Loose::Int(v) => Constant::Int(*v),
        Loose::Double(v) => Constant::Double(*v),
        Loose::Bool(v) => Constant::Bool(*v),
        Loose::List(items) => Constant::List(items.iter().filter_map(|item| constant(builder, item)).collect()),
        Loose::Const(_) | Loose::Absent => return None,
    })
}

fn add_blocks(builder: &mut Builder, shapes: &[BlockShape]) {
    let services = builder.program.services.len();
    // A child's parent stands before it.
    let mut calls = vec![vec![]; shapes.len()];
    for i in 1..shapes.len() {
        calls[shapes[i].parent.index(i)].push(Inst::Call { block: BlockId(i as u32) });
    }
    for (i, (shape, calls)) in shapes.iter().zip(calls).enumerate() {
        let constants = shape.constants.iter().enumerate().filter_map(|(k, value)| {
            let value = constant(builder, value)?;
            Some((builder.text(&format!("constant.{k}")), value))
        });
        let constants = constants.collect();
        let mut keys: Vec<String> =
            shape.attrs.iter().enumerate().map(|(k, len)| format!("{i}.{k}.{}", "k".repeat(*len))).collect();
        if shape.error_type {
            keys.insert(keys.len() / 2, "error.type".into());
        }
        let attrs = builder.attrs(keys.iter().map(String::as_str));
        let name = shape.name.as_ref().map(|name| builder.text(name));
        let mut code = vec![];
        if name.is_none() {
            let text = builder.text("computed");
            let value = builder.expr(Expr::Const { value: Constant::Text(text) });
            code.push(Inst::Name { value });
        }
        code.extend(calls);
        code.push(Inst::End);
        let service = ServiceId(shape.service.index(services) as u32);
        builder.block(SpanForm { service, kind: shape.kind, name, constants, attrs }, code);
    }
}

fn put_text(trace: &mut Trace, text: &str) -> Value {
    let at = trace.text.len();
    trace.text.append(text.as_bytes());
    Value::text(at, trace.text.len())
}

fn put(plan: &Plan, trace: &mut Trace, value: &Loose) -> Value {
    match value {
        Loose::Text(v) => put_text(trace, v),
        Loose::Const(at) => Value::constant(plan.text_at(TextId(at.index(plan.texts.len()) as u32))),
        Loose::Int(v) => Value::int(*v),
        Loose::Double(v) => Value::double(*v),
        Loose::Bool(v) => Value::bool(*v),
        Loose::List(items) => {
            let items: Vec<Value> = items.iter().map(|item| put(plan, trace, item)).collect();
            let at = trace.values.len();
            trace.values.extend(items);
            Value::list(at, trace.values.len() - at)
        }
        Loose::Absent => Value::ABSENT,
    }
}

fn add_span(plan: &Plan, trace: &mut Trace, shape: &SpanShape) {
    let block = BlockId(shape.block.index(plan.blocks.len()) as u32);
    let form = &plan.block(block).span;
    let service = &plan.services[form.service.index()];
    let name = match form.name {
        Some(name) => Value::constant(plan.text_at(name)),
        None => put(plan, trace, &shape.name),
    };
    let attrs = trace.attrs.len() as u32;
    for (attr, value) in form.attrs.ids().zip(&shape.values) {
        let value = put(plan, trace, value);
        trace.attrs.push(AttrRecord { attr, value });
    }
    let mut failure = NONE;
    if let Some((time, error, r#type, message)) = &shape.failure {
        let error = ErrorId(error.index(plan.errors.len()) as u32);
        let of = |expr: ExprId| match &plan.exprs[expr.index()] {
            Expr::Const { value: Constant::Text(id) } => Some(Value::constant(plan.text_at(*id))),
            _ => None,
        };
        let form = &plan.errors[error.index()];
        let r#type = of(form.r#type).unwrap_or_else(|| put_text(trace, r#type));
        let message = match (form.message, message) {
            (Some(expr), _) => of(expr).unwrap_or(Value::ABSENT),
            (None, _) => Value::ABSENT,
        };
        failure = trace.failures.len() as u32;
        trace.failures.push(FailureRecord { time: *time, error, r#type, message });
    }
    let (mut event, mut link) = (NONE, NONE);
    for shape in shape.events.iter().rev() {
        let name = put_text(trace, &shape.name);
        let attrs = trace.attrs.len() as u32;
        for (i, value) in shape.values.iter().enumerate() {
            // Any key will do.
            let keys = plan.attrs.len().max(1);
            if plan.attrs.is_empty() {
                break;
            }
            let value = put(plan, trace, value);
            trace.attrs.push(AttrRecord { attr: AttrId((i % keys) as u32), value });
        }
        let attrs_end = trace.attrs.len() as u32;
        trace.events.push(EventRecord { time: shape.time, name, event: EventId(0), attrs, attrs_end, next: event });
        event = trace.events.len() as u32 - 1;
    }
    for (trace_id, span_id) in &shape.links {
        trace.links.push(LinkRecord { trace_id: *trace_id, span_id: *span_id, next: link });
        link = trace.links.len() as u32 - 1;
    }
    let parent = match &shape.parent {
        Some(parent) if !trace.spans.is_empty() => parent.index(trace.spans.len()) as u32,
        _ => NONE,
    };
    let instance = shape.instance.index(service.instances as usize) as u32;
    trace.spans.push(SpanRecord {
        id: shape.id,
        start: shape.times.0,
        end: shape.times.1,
        name,
        block,
        resource: ResourceId(service.first_resource.0 + instance),
        parent,
        attrs,
        failure,
        event,
        link,
    });
}

/// The trace of an order whose payment is declined, as a person would draw it.
pub fn checkout() -> Fixture {
    let mut builder = Builder::new();
    let spans = [
        ("api-gateway", "POST /api/v1/orders", SpanKind::Server, 0, 497_200),
        ("auth-service", "validate_user_session", SpanKind::Client, 11_300, 497_200),
        ("inventory", "check_item_availability", SpanKind::Client, 33_800, 497_200),
        ("payment", "process_payment", SpanKind::Client, 98_000, 497_200),
    ];
    let error = builder.error("PaymentDeclined", "Card declined by issuer.");
    let key = builder.text("http.request.method");
    let post = builder.text("POST");
    let mut names = vec![];
    for (i, (service, name, kind, ..)) in spans.iter().enumerate() {
        let service = builder.service(service, 1);
        let name = builder.text(name);
        names.push(name);
        let constants = if i == 0 { vec![(key, Constant::Text(post))] } else { vec![] };
        let attrs = builder.attrs(if i == 3 { vec!["order.total", "order.items"] } else { vec![] });
        let code = match i {
            3 => vec![Inst::End],
            _ => vec![Inst::Call { block: BlockId(i as u32 + 1) }, Inst::End],
        };
        builder.block(SpanForm { service, kind: *kind, name: Some(name), constants, attrs }, code);
    }
    let plan = builder.plan("E-commerce Order Processing");
    let start = 1_767_225_600_000_000_000;
    let id = 0x8c1f_0e6a_2b9d_4753_5a1c_7e90_d4f3_b628u128;
    let mut trace = Trace { id: id.to_be_bytes(), start, end: start + 497_200_000, ..Default::default() };
    for (i, (.., from, to)) in spans.iter().enumerate() {
        trace.spans.push(SpanRecord {
            id: 0xa0 + i as u64,
            start: start + from * 1_000,
            end: start + to * 1_000,
            name: Value::constant(plan.text_at(names[i])),
            block: BlockId(i as u32),
            resource: ResourceId(i as u32),
            parent: (i as u32).wrapping_sub(1),
            attrs: 0,
            failure: if i == 3 { 0 } else { NONE },
            event: NONE,
            link: if i == 3 { 0 } else { NONE },
        });
    }
    for (attr, value) in plan.block(BlockId(3)).span.attrs.ids().zip([Value::fixed(250.0, 2), Value::int(3)]) {
        trace.attrs.push(AttrRecord { attr, value });
    }
    trace.links.push(LinkRecord { trace_id: [9; 16], span_id: 9, next: NONE });
    let text = |id: ExprId| match &plan.exprs[id.index()] {
        Expr::Const { value: Constant::Text(id) } => Value::constant(plan.text_at(*id)),
        _ => Value::ABSENT,
    };
    let form = &plan.errors[error.index()];
    let (r#type, message) = (text(form.r#type), form.message.map_or(Value::ABSENT, text));
    trace.failures.push(FailureRecord { time: start + 497_200_000, error, r#type, message });
    let name = |service: &Service| ("service.name".to_string(), OwnedDatum::Text(plan.text(service.name).to_string()));
    let resources = Resources { attributes: plan.services.iter().map(|service| vec![name(service)]).collect() };
    Fixture { plan, resources, traces: vec![trace] }
}
