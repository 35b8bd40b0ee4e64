//! A small program with most constructs of a plan, for tests to use or to break.

use super::*;

const MS: u64 = 1_000_000;

/// A maker of programs: every call adds an entry to a table and returns its id.
#[derive(Default)]
pub(crate) struct Maker {
    pub program: Program,
}

impl Maker {
    pub fn text(&mut self, text: &str) -> TextId {
        let texts = &mut self.program.texts;
        let at = texts.iter().position(|t| t == text).unwrap_or_else(|| {
            texts.push(text.into());
            texts.len() - 1
        });
        TextId(at as u32)
    }

    pub fn expr(&mut self, expr: Expr) -> ExprId {
        self.program.exprs.push(expr);
        ExprId(self.program.exprs.len() as u32 - 1)
    }

    pub fn constant(&mut self, text: &str) -> ExprId {
        let id = self.text(text);
        self.expr(Expr::Const { value: Constant::Text(id) })
    }

    pub fn slot(&mut self, slot: u32) -> ExprId {
        self.expr(Expr::Slot { slot: SlotId(slot) })
    }

    /// Adds a service with one instance, whose only attribute is its name.
    pub fn service(&mut self, name: &str) -> ServiceId {
        let (text, key, value) = (self.text(name), self.text("service.name"), self.constant(name));
        let first_resource = ResourceId(self.program.resources.len() as u32);
        self.program.resources.push(Resource { attributes: vec![(key, value)] });
        self.program.services.push(Service {
            name: text,
            first_resource,
            instances: 1,
            rollouts: vec![],
            resolution: None,
        });
        ServiceId(self.program.services.len() as u32 - 1)
    }

    pub fn attr(&mut self, key: &str) -> AttrId {
        let key = self.text(key);
        self.program.attrs.push(key);
        AttrId(self.program.attrs.len() as u32 - 1)
    }
}

/// Returns the form of a block that makes a span.
pub(crate) fn span(program: &mut Program, block: usize) -> &mut SpanForm {
    match &mut program.blocks[block].form {
        Form::Span(form) => form,
        Form::Group(_) => panic!("block {block} is a group"),
    }
}

/// Returns a program of two scenarios: an order whose second span exports a context, and a shipment that links to it.
pub(crate) fn program() -> Program {
    let mut m = Maker::default();
    m.program.semantics = SEMANTICS;
    let (gateway, orders, shipping) =
        (m.service("api-gateway"), m.service("order-service"), m.service("shipping-service"));
    let number = m.expr(Expr::RandomInt { min: 1_000, max: 9_999 });
    let user = m.expr(Expr::Text { operand: number });
    let (prefix, uuid) = (m.constant("order-"), m.expr(Expr::RandomUuid));
    let order = m.expr(Expr::Concat { parts: [prefix, uuid].into() });
    let slots = ["user_id", "order_id", "export_context_as"].map(String::from).to_vec();
    let name = m.text("E-commerce Order Processing");
    let vars = vec![(SlotId(0), user), (SlotId(1), order)];
    m.program.scenarios.push(Scenario { name, weight: 15.0, slots, vars, root: BlockId(0), trace_state: None });

    let (method, post) = (m.text("http.request.method"), m.text("POST"));
    let name = m.text("POST /api/v1/orders");
    let user_attr = m.attr("user.id");
    let user = m.slot(0);
    let (r#type, message) = (m.constant("RateLimitExceeded"), m.constant("API rate limit exceeded for user."));
    m.program.errors.push(Error { r#type, message: Some(message), attributes: vec![], delay: None });
    m.program.blocks.push(Block {
        form: Form::Span(SpanForm {
            name: Some(name),
            constants: vec![(method, Constant::Text(post))],
            attrs: AttrRange { first: user_attr.0, count: 1 },
            ..SpanForm::new(gateway, SpanKind::Server)
        }),
        code: vec![
            Inst::Attr { attr: user_attr, value: user },
            Inst::Delay { min: 5 * MS, max: 15 * MS },
            Inst::Roll,
            Inst::Fail { chance: Chance::from_percent(2.0), error: ErrorId(0), target: 4 },
            Inst::SkipIfFailed { target: 6 },
            Inst::Call { block: BlockId(1), spec: None },
            Inst::End,
        ],
    });

    let order_attr = m.attr("order.id");
    let type_attr = m.attr("error.type");
    let event_attr = m.attr("order.total");
    let (order, none) = (m.slot(1), m.constant("none"));
    let total = m.expr(Expr::RandomFloat { min: 1_000, max: 99_999, digits: 2 });
    let event_name = m.constant("order.validated");
    m.program.events.push(Event::plain(event_name, vec![(event_attr, total)]));
    let process = m.constant("process ");
    let name = m.expr(Expr::Concat { parts: [process, order].into() });
    m.program.blocks.push(Block {
        form: Form::Span(SpanForm {
            attrs: AttrRange { first: order_attr.0, count: 2 },
            ..SpanForm::new(orders, SpanKind::Producer)
        }),
        code: vec![
            Inst::Attr { attr: order_attr, value: order },
            Inst::Attr { attr: type_attr, value: none },
            Inst::Name { value: name },
            Inst::Set { slot: SlotId(2), value: order },
            Inst::Export { key: SlotId(2) },
            Inst::Delay { min: 1_500_000, max: 1_500_000 },
            Inst::Event { event: EventId(0) },
            Inst::End,
        ],
    });

    let name = m.text("Shipping");
    m.program.scenarios.push(Scenario {
        name,
        weight: 0.5,
        slots: vec![],
        vars: vec![],
        root: BlockId(2),
        trace_state: None,
    });
    let (glob, key, name) = (m.text("order-*"), m.text("order.id"), m.text("ship"));
    m.program.links.push(Link::plain(glob, vec![BlockId(1)]));
    let linked_attr = m.attr("order.id");
    let linked = m.expr(Expr::Linked { key });
    m.program.blocks.push(Block {
        form: Form::Span(SpanForm {
            name: Some(name),
            attrs: AttrRange { first: linked_attr.0, count: 1 },
            ..SpanForm::new(shipping, SpanKind::Consumer)
        }),
        code: vec![
            Inst::Link { link: LinkId(0) },
            Inst::Attr { attr: linked_attr, value: linked },
            Inst::Delay { min: 0, max: 2_000 * MS },
            Inst::End,
        ],
    });
    m.program
}

/// Returns the program above, verified.
pub(crate) fn plan() -> Plan {
    Plan::verify(program()).expect("the fixture is valid")
}
