//! Plans and traces for tests, made by hand or at random (`random`).

mod random;

pub(super) use crate::plan::fixture::Maker;
pub use random::{fixtures, plain_fixtures};

use super::{Batch, Encode};
use crate::plan::*;
use crate::trace::{
    AttrRecord, FailureRecord, LinkRecord, NONE, OwnedDatum, Resources, SpanRecord, SpanView, Trace, Value, View,
};

/// A plan with its resources and with traces of it.
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

    /// Returns all batches that `encoder` makes of the traces.
    pub fn batches(&self, encoder: &mut impl Encode) -> Vec<Batch> {
        let mut batches = vec![];
        self.views().for_each(|view| encoder.add(view, &mut |batch| batches.push(batch)));
        encoder.flush(&mut |batch| batches.push(batch));
        batches
    }
}

/// Adds a service whose resources have no attributes.
pub(super) fn service(make: &mut Maker, name: &str, instances: u32) -> ServiceId {
    let name = make.text(name);
    let first_resource = ResourceId(make.program.resources.len() as u32);
    make.program.services.push(Service { name, first_resource, instances, rollouts: vec![], resolution: None });
    make.program.resources.extend((0..instances).map(|_| Resource { attributes: vec![] }));
    ServiceId(make.program.services.len() as u32 - 1)
}

/// Adds a constant error condition; an empty `message` means none.
pub(super) fn error(make: &mut Maker, r#type: &str, message: &str) -> ErrorId {
    let r#type = make.constant(r#type);
    let message = (!message.is_empty()).then(|| make.constant(message));
    make.program.errors.push(Error { r#type, message, attributes: vec![], delay: None });
    ErrorId(make.program.errors.len() as u32 - 1)
}

pub(super) fn attrs(make: &mut Maker, keys: &[impl AsRef<str>]) -> AttrRange {
    let first = make.program.attrs.len() as u32;
    keys.iter().for_each(|key| _ = make.attr(key.as_ref()));
    AttrRange { first, count: keys.len() as u32 }
}

pub(super) fn block(make: &mut Maker, span: SpanForm, code: Vec<Inst>) -> BlockId {
    make.program.blocks.push(Block { form: Form::Span(span), code });
    BlockId(make.program.blocks.len() as u32 - 1)
}

/// Makes a plan with one scenario, whose root is block 0.
pub(super) fn plan(make: Maker, scenario: &str) -> Plan {
    plan_of(make, scenario, None)
}

fn plan_of(mut make: Maker, scenario: &str, trace_state: Option<TextId>) -> Plan {
    let name = make.text(scenario);
    make.program.semantics = SEMANTICS;
    make.program.scenarios.push(Scenario {
        name,
        weight: 1.0,
        slots: vec![],
        vars: vec![],
        root: BlockId(0),
        trace_state,
    });
    Plan::verify(make.program).expect("the fixture is a sound program")
}

/// Returns the value of an expression if it is a constant text.
pub fn constant_text(plan: &Plan, expr: ExprId) -> Option<Value> {
    match &plan.exprs[expr.index()] {
        Expr::Const { value: Constant::Text(id) } => Some(Value::constant(plan, *id)),
        _ => None,
    }
}

/// Makes the trace of an order whose payment is declined.
pub fn checkout() -> Fixture {
    let mut make = Maker::default();
    let spans = [
        ("api-gateway", "POST /api/v1/orders", SpanKind::Server, 0, 497_200),
        ("auth-service", "validate_user_session", SpanKind::Client, 11_300, 497_200),
        ("inventory", "check_item_availability", SpanKind::Client, 33_800, 497_200),
        ("payment", "process_payment", SpanKind::Client, 98_000, 497_200),
    ];
    let error = error(&mut make, "PaymentDeclined", "Card declined by issuer.");
    let key = make.text("http.request.method");
    let post = make.text("POST");
    let mut names = vec![];
    for (i, (service_name, name, kind, ..)) in spans.iter().enumerate() {
        let service = service(&mut make, service_name, 1);
        let name = make.text(name);
        names.push(name);
        let constants = if i == 0 { vec![(key, Constant::Text(post))] } else { vec![] };
        let attrs = attrs(&mut make, if i == 3 { &["order.total", "order.items"] } else { &[][..] });
        let code = match i {
            3 => vec![Inst::End],
            _ => vec![Inst::Call { block: BlockId(i as u32 + 1), spec: None }, Inst::End],
        };
        block(&mut make, SpanForm { name: Some(name), constants, attrs, ..SpanForm::new(service, *kind) }, code);
    }
    let plan = plan(make, "E-commerce Order Processing");
    let start = 1_767_225_600_000_000_000;
    let id = 0x8c1f_0e6a_2b9d_4753_5a1c_7e90_d4f3_b628u128;
    let mut trace = Trace { id: id.to_be_bytes(), start, end: start + 497_200_000, ..Default::default() };
    for (i, (.., from, to)) in spans.iter().enumerate() {
        trace.spans.push(SpanRecord {
            id: 0xa0 + i as u64,
            start: start + from * 1_000,
            end: start + to * 1_000,
            name: Value::constant(&plan, names[i]),
            block: BlockId(i as u32),
            resource: ResourceId(i as u32),
            parent: (i as u32).wrapping_sub(1),
            attrs: 0,
            failure: if i == 3 { 0 } else { NONE },
            event: NONE,
            link: if i == 3 { 0 } else { NONE },
        });
    }
    for (attr, value) in plan.span(BlockId(3)).attrs.ids().zip([Value::fixed(250.0, 2), Value::int(3)]) {
        trace.attrs.push(AttrRecord { attr, value });
    }
    trace.links.push(LinkRecord {
        trace_id: [9; 16],
        span_id: 9,
        scenario: ScenarioId(0),
        attrs: 0,
        attrs_end: 0,
        next: NONE,
    });
    let form = &plan.errors[error.index()];
    let (r#type, message) =
        (constant_text(&plan, form.r#type).unwrap(), form.message.and_then(|m| constant_text(&plan, m)).unwrap());
    trace.failures.push(FailureRecord {
        time: start + 497_200_000,
        block: BlockId(0),
        inst: 0,
        error,
        r#type,
        message,
        exception: true,
    });
    let name = |service: &Service| ("service.name".to_string(), OwnedDatum::Text(plan.text(service.name).to_string()));
    let resources = Resources { attributes: plan.services.iter().map(|service| vec![name(service)]).collect() };
    Fixture { plan, resources, traces: vec![trace] }
}
