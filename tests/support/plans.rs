//! Plans made by hand, for tests that must not depend on the language.

use tracegen::plan::*;

const MS: u64 = 1_000_000;

/// A maker of programs: each call adds what its name says.
#[derive(Default)]
pub struct Maker {
    pub program: Program,
}

/// A span to be made. Empty fields are left out of its code.
#[derive(Clone, Default)]
pub struct Node {
    pub service: &'static str,
    pub kind: Option<SpanKind>,
    pub name: &'static str,
    pub link: Option<LinkId>,
    pub constants: Vec<(&'static str, &'static str)>,
    pub attrs: Vec<(&'static str, ExprId)>,
    /// The key, which is stored in the scenario's last slot.
    pub export: Option<ExprId>,
    /// ms
    pub delay: (u64, u64),
    /// Further parts of its own time.
    pub times: Vec<DistId>,
    /// The percentage, type and message of each error.
    pub errors: Vec<(f64, &'static str, &'static str)>,
    pub events: Vec<(&'static str, Vec<(&'static str, ExprId)>)>,
    pub calls: Vec<Node>,
}

impl Maker {
    pub fn new() -> Self {
        Maker { program: Program { semantics: SEMANTICS, ..Program::default() } }
    }

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

    pub fn int_text(&mut self, min: i64, max: i64) -> ExprId {
        let operand = self.expr(Expr::RandomInt { min, max });
        self.expr(Expr::Text { operand })
    }

    pub fn concat(&mut self, parts: &[ExprId]) -> ExprId {
        self.expr(Expr::Concat { parts: parts.into() })
    }

    fn attr(&mut self, key: &str) -> AttrId {
        let key = self.text(key);
        self.program.attrs.push(key);
        AttrId(self.program.attrs.len() as u32 - 1)
    }

    /// Returns the service of this name, which is made with one instance when it is first used.
    pub fn service(&mut self, name: &str) -> ServiceId {
        let text = self.text(name);
        if let Some(at) = self.program.services.iter().position(|s| s.name == text) {
            return ServiceId(at as u32);
        }
        self.service_of(name, 1)
    }

    /// Makes a service with several instances.
    pub fn service_of(&mut self, name: &str, instances: u32) -> ServiceId {
        let text = self.text(name);
        let (key, id) = (self.text("service.name"), self.text("service.instance.id"));
        let first_resource = ResourceId(self.program.resources.len() as u32);
        for instance in 0..instances {
            let value = self.constant(name);
            let operand = self.constant(&format!("{name} {instance}"));
            let uuid = self.expr(Expr::StableUuid { operand });
            self.program.resources.push(Resource { attributes: vec![(key, value), (id, uuid)] });
        }
        self.program.services.push(Service {
            name: text,
            first_resource,
            instances,
            rollouts: vec![],
            resolution: None,
        });
        ServiceId(self.program.services.len() as u32 - 1)
    }

    pub fn dist(&mut self, form: DistForm, max: u64) -> DistId {
        self.program.dists.push(Dist { form, max });
        DistId(self.program.dists.len() as u32 - 1)
    }

    pub fn link(&mut self, glob: &str, sources: &[BlockId]) -> LinkId {
        let glob = self.text(glob);
        self.program.links.push(Link::plain(glob, sources.to_vec()));
        LinkId(self.program.links.len() as u32 - 1)
    }

    /// Makes a scenario, and returns the root's block. Vars are stored in the slots 0, 1, .. in order.
    pub fn scenario(&mut self, name: &str, weight: f64, vars: &[ExprId], root: Node) -> BlockId {
        let name = self.text(name);
        let slots = vec!["slot".into(); vars.len() + 1];
        let vars: Vec<_> = vars.iter().enumerate().map(|(i, id)| (SlotId(i as u32), *id)).collect();
        let key = SlotId(vars.len() as u32);
        let root = self.block(root, key);
        self.program.scenarios.push(Scenario { name, weight, slots, vars, root, trace_state: None });
        root
    }

    fn block(&mut self, node: Node, key: SlotId) -> BlockId {
        let id = BlockId(self.program.blocks.len() as u32);
        let service = self.service(node.service);
        let name = self.text(node.name);
        let constants = node.constants.iter().map(|(k, v)| (self.text(k), Constant::Text(self.text(v)))).collect();
        let first = self.program.attrs.len() as u32;
        let attrs: Vec<_> = node.attrs.iter().map(|(k, value)| (self.attr(k), *value)).collect();
        let span = SpanForm {
            name: Some(name),
            constants,
            attrs: AttrRange { first, count: attrs.len() as u32 },
            ..SpanForm::new(service, node.kind.unwrap_or(SpanKind::Internal))
        };
        self.program.blocks.push(Block { form: Form::Span(span), code: vec![] });
        let mut code = vec![];
        code.extend(node.link.map(|link| Inst::Link { link }));
        code.extend(attrs.into_iter().map(|(attr, value)| Inst::Attr { attr, value }));
        if let Some(value) = node.export {
            code.extend([Inst::Set { slot: key, value }, Inst::Export { key }]);
        }
        if node.delay.1 > 0 {
            code.push(Inst::Delay { min: node.delay.0 * MS, max: node.delay.1 * MS });
        }
        code.extend(node.times.into_iter().map(|dist| Inst::DelayDist { dist }));
        if !node.errors.is_empty() {
            code.push(Inst::Roll);
            let target = (code.len() + node.errors.len()) as u32;
            for (percent, r#type, message) in node.errors {
                let (r#type, message) = (self.constant(r#type), Some(self.constant(message)));
                self.program.errors.push(Error { r#type, message, attributes: vec![], delay: None });
                let error = ErrorId(self.program.errors.len() as u32 - 1);
                code.push(Inst::Fail { chance: Chance::from_percent(percent), error, target });
            }
        }
        for (name, attributes) in node.events {
            let name = self.constant(name);
            let attributes = attributes.into_iter().map(|(k, value)| (self.attr(k), value)).collect();
            self.program.events.push(Event::plain(name, attributes));
            code.push(Inst::Event { event: EventId(self.program.events.len() as u32 - 1) });
        }
        if !node.calls.is_empty() {
            code.push(Inst::SkipIfFailed { target: (code.len() + 1 + node.calls.len()) as u32 });
            for call in node.calls {
                code.push(Inst::Call { block: self.block(call, key), spec: None });
            }
        }
        code.push(Inst::End);
        self.program.blocks[id.index()].code = code;
        id
    }

    pub fn plan(self) -> Plan {
        Plan::verify(self.program).expect("a valid plan")
    }
}

/// Returns the plan of the order in the original README: a chain of six spans, each of which can fail.
pub fn ecommerce() -> Plan {
    let mut m = Maker::new();
    let user = m.int_text(1000, 9999);
    let (prefix, uuid) = (m.constant("order-"), m.expr(Expr::RandomUuid));
    let order = m.concat(&[prefix, uuid]);
    let item = m.int_text(100, 999);
    let amount = m.expr(Expr::RandomFloat { min: 1000, max: 50_000, digits: 2 });
    let amount = m.expr(Expr::Text { operand: amount });
    let (user_id, order_id, item_id) = (m.slot(0), m.slot(1), m.slot(2));
    let client = Node { kind: Some(SpanKind::Client), ..Node::default() };
    let notify = Node {
        service: "notification-service",
        name: "send_order_confirmation",
        constants: vec![("notification.type", "email")],
        attrs: vec![("user.id", user_id)],
        delay: (30, 80),
        errors: vec![(6.0, "EmailDeliveryFailed", "Failed to send order confirmation email.")],
        ..client.clone()
    };
    let ship = Node {
        service: "fulfillment-service",
        name: "create_shipment",
        constants: vec![("shipping.method", "standard")],
        attrs: vec![("order.id", order_id)],
        delay: (50, 150),
        errors: vec![(4.0, "FulfillmentFailed", "Unable to create shipment for order.")],
        calls: vec![notify],
        ..client.clone()
    };
    let pay = Node {
        service: "payment-service",
        name: "process_payment",
        constants: vec![("payment.method", "credit_card")],
        attrs: vec![("payment.amount", amount)],
        delay: (200, 500),
        errors: vec![
            (10.0, "PaymentDeclined", "Payment was declined by the bank."),
            (3.0, "FraudDetected", "Transaction flagged as fraudulent."),
            (2.0, "PaymentTimeout", "Payment gateway timed out."),
        ],
        calls: vec![ship],
        ..client.clone()
    };
    let stock = Node {
        service: "inventory-service",
        name: "check_item_availability",
        constants: vec![("db.system", "postgresql")],
        attrs: vec![("item.id", item_id)],
        delay: (20, 80),
        errors: vec![
            (8.0, "OutOfStock", "Requested item is out of stock."),
            (3.0, "DatabaseTimeout", "Inventory database query timed out."),
        ],
        calls: vec![pay],
        ..client.clone()
    };
    let auth = Node {
        service: "auth-service",
        name: "validate_user_session",
        attrs: vec![("user.id", user_id)],
        delay: (10, 30),
        errors: vec![
            (5.0, "InvalidSession", "User session is invalid or expired."),
            (1.0, "AuthServiceDown", "Authentication service is unavailable."),
        ],
        calls: vec![stock],
        ..client
    };
    let root = Node {
        service: "api-gateway",
        kind: Some(SpanKind::Server),
        name: "POST /api/v1/orders",
        constants: vec![("http.method", "POST")],
        attrs: vec![("user.id", user_id), ("order.id", order_id)],
        delay: (5, 15),
        errors: vec![(2.0, "RateLimitExceeded", "API rate limit exceeded for user.")],
        calls: vec![auth],
        ..Node::default()
    };
    m.scenario("E-commerce Order Processing", 15.0, &[user, order, item], root);
    m.plan()
}

/// Returns a plan with constructs that the order does not use: typed values, lists, texts of slots, events with attributes,
/// long texts, several calls, several instances.
pub fn wide() -> Plan {
    let mut m = Maker::new();
    m.service_of("front", 3);
    m.service_of("back", 2);
    let signed = m.expr(Expr::RandomInt { min: -5, max: 5 });
    let price = m.expr(Expr::RandomFloat { min: -100, max: 100, digits: 2 });
    let (item, operand, long) = (m.constant("item "), m.constant(" of "), m.constant(&"0123456789".repeat(30)));
    let uuid = m.expr(Expr::RandomUuid);
    let (n, text, x) = (m.slot(0), m.slot(1), m.slot(2));
    let var = m.concat(&[item, n, operand, uuid, operand, uuid, operand, uuid]);
    let joined = m.concat(&[item, n, operand, text, long, x]);
    let list = m.expr(Expr::List { items: [n, n, signed].into() });
    let yes = m.expr(Expr::RandomBool { chance: Chance::from_percent(30.0) });
    let attrs = vec![("n", n), ("x", x), ("yes", yes), ("text", joined), ("list", list), ("price", price)];
    let events = vec![("first", vec![("n", n), ("long", text)]), ("second", vec![]), ("third", vec![("x", x)])];
    let node = |service, name, percent, kind| Node {
        service,
        name,
        kind: Some(kind),
        constants: vec![("k", "v")],
        attrs: attrs.clone(),
        delay: (1, 9000),
        errors: vec![(percent, "Kind", "message")],
        events: events.clone(),
        ..Node::default()
    };
    let mut root = node("front", "root", 1.0, SpanKind::Server);
    root.calls = vec![
        node("back", "one", 50.0, SpanKind::Server),
        node("front", "two", 100.0, SpanKind::Internal),
        node("back", "three", 0.0, SpanKind::Client),
    ];
    m.scenario("wide", 1.0, &[signed, var, price], root);
    m.plan()
}

/// Returns a plan of producers whose second span exports a context, and consumers whose second span links to one.
pub fn linked() -> Plan {
    let mut m = Maker::new();
    let (prefix, uuid) = (m.constant("order-"), m.expr(Expr::RandomUuid));
    let order = m.concat(&[prefix, uuid]);
    let id = m.slot(0);
    let publish = Node {
        service: "orders",
        name: "publish",
        kind: Some(SpanKind::Producer),
        constants: vec![("messaging.system", "kafka")],
        attrs: vec![("order.id", id)],
        export: Some(id),
        delay: (5, 200),
        errors: vec![(20.0, "BrokerDown", "no broker")],
        ..Node::default()
    };
    let root = Node { service: "orders", name: "order", delay: (1, 50), calls: vec![publish], ..Node::default() };
    let root = m.scenario("producer", 3.0, &[order], root);
    let link = m.link("order-*", &[BlockId(root.0 + 1)]);
    let [operand, system, none] = ["order.id", "messaging.system", "no.such"].map(|key| {
        let key = m.text(key);
        m.expr(Expr::Linked { key })
    });
    let key = m.expr(Expr::LinkedKey);
    let process = Node {
        service: "shipping",
        name: "process",
        kind: Some(SpanKind::Consumer),
        link: Some(link),
        attrs: vec![("order.id", operand), ("messaging.system", system), ("none", none), ("key", key)],
        export: Some(operand),
        delay: (10, 100),
        ..Node::default()
    };
    let root = Node { service: "shipping", name: "poll", delay: (1, 2), calls: vec![process], ..Node::default() };
    let root = m.scenario("consumer", 1.0, &[], root);
    // A third scenario links to the consumer, whose key is that of the producer.
    let link = m.link("order-????????-*", &[BlockId(root.0 + 1)]);
    let operand = m.text("order.id");
    let operand = m.expr(Expr::Linked { key: operand });
    let root = Node {
        service: "mail",
        name: "notify",
        kind: Some(SpanKind::Consumer),
        link: Some(link),
        attrs: vec![("order.id", operand)],
        delay: (1, 30),
        ..Node::default()
    };
    m.scenario("mailer", 1.0, &[], root);
    m.plan()
}

/// Returns a plan with a span for each form of a distribution, and two for mixes.
pub fn timed() -> Plan {
    let mut m = Maker::new();
    let rows = m.expr(Expr::RandomInt { min: -5, max: 40 });
    let cold = m.expr(Expr::RandomBool { chance: Chance::from_percent(30.0) });
    let (rows_slot, cold_slot) = (m.slot(0), m.slot(1));
    let hour = 3_600_000 * MS;
    let at = |percent, ms: u64| Percentile { percent, time: ms * MS };
    let fixed = m.dist(DistForm::Uniform { min: 7 * MS, max: 7 * MS }, 7 * MS);
    let uniform = m.dist(DistForm::Uniform { min: MS, max: 5 * MS }, 5 * MS);
    let lognormal = m.dist(DistForm::Lognormal { low: at(50.0, 5), high: at(99.0, 80) }, 200 * MS);
    let points = [at(0.0, 1), at(50.0, 5), at(90.0, 20), at(100.0, 500)].into();
    let points = m.dist(DistForm::Points { points }, 500 * MS);
    let normal = m.dist(DistForm::Normal { mean: 2 * MS, stddev: 2 * MS }, hour);
    let exponential = m.dist(DistForm::Exponential { mean: 40 * MS }, hour);
    let pareto = m.dist(DistForm::Pareto { min: 5 * MS, alpha: 0.9 }, 5_000 * MS);
    let computed = m.dist(DistForm::Computed { value: rows_slot, unit: MS }, hour);
    let weighted = [(95.0, uniform), (4.0, lognormal), (1.0, fixed)].into();
    let mix = m.dist(DistForm::Mix { conditional: [].into(), weighted }, 100 * MS);
    let conditional = [(cold_slot, exponential), (cold_slot, fixed)].into();
    let weighted = [(1.0, computed), (1.0, points)].into();
    let decided = m.dist(DistForm::Mix { conditional, weighted }, 500 * MS);
    let node = |name, time| Node { service: "clock", name, times: vec![time], ..Node::default() };
    let calls = [
        ("uniform", uniform),
        ("lognormal", lognormal),
        ("points", points),
        ("normal", normal),
        ("exponential", exponential),
        ("pareto", pareto),
        ("computed", computed),
        ("mix", mix),
        ("decided", decided),
    ];
    let calls = calls.map(|(name, time)| node(name, time)).into();
    let root = Node { calls, ..node("fixed", fixed) };
    m.scenario("timed", 1.0, &[rows, cold], root);
    m.plan()
}
