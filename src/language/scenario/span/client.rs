//! `client`: the CLIENT span that stands around a call, in the caller's service.

use super::error_condition;
use crate::language::diagnostic::Problem;
use crate::language::scenario::fields::{Context, Fields};
use crate::language::scenario::{Attribute, Client, Kind, Scalar, Span, Value, dist, value};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, Node as ExprNode, Part, Template};
use crate::language::yaml::{self, Core, Entry, Style, core};

/// The attribute that says whom a client calls.
const SERVER_ADDRESS: &str = "server.address";

/// How long a request or an answer is on its way where nothing else is written, ns: at least, and at most.
const NETWORK: (u64, u64) = (200_000, 1_000_000);

/// `true`, `false`, or `{network_ms, operation, attributes, error_conditions}`, for a call of `server`.
pub fn client(cx: &mut Context, entry: &Entry, server: &Span) -> Option<Client> {
    let (node, at) = (&*entry.value, entry.key.loc);
    let client = match &node.kind {
        yaml::Kind::Scalar { text, style: Style::Plain } if matches!(core(text), Core::Bool(_)) => {
            (core(text) == Core::Bool(true)).then(|| with_address(plain(server, at)))?
        }
        yaml::Kind::Mapping(_) => {
            let known = ["network_ms", "operation", "attributes", "error_conditions"];
            let fields = Fields::read(cx, node, "`client`", &known)?;
            let operation = fields.optional("operation").and_then(|node| cx.template("`operation`", node));
            let mut client = plain(server, at);
            client.copies_operation = operation.is_none();
            if let Some(node) = fields.optional("network_ms") {
                client.network = dist::ms(cx, "`network_ms`", node)?;
            }
            client.span.operation = operation.unwrap_or(client.span.operation);
            client.span.attributes = value::attributes(cx, fields.optional("attributes"));
            client.span.error_conditions =
                super::list(cx, &fields, "error_conditions", "`error_conditions`", error_condition);
            with_address(client)
        }
        _ => {
            cx.mistyped("`client`", "true, false or a mapping", node, None);
            return None;
        }
    };
    if server.kind != Kind::Server {
        cx.report(Problem::ClientOfNoServer, at);
        return None;
    }
    Some(client)
}

/// The client of a call of `server` of which nothing is written; `at`: the place of its key.
fn plain(server: &Span, at: Loc) -> Client {
    let span = Span {
        // It is the caller's.
        service: Located::new(String::new(), at),
        operation: server.operation.clone(),
        kind: Kind::Client,
        delay: None,
        attributes: vec![],
        events: vec![],
        error_conditions: vec![],
        calls: vec![],
        export: None,
        links: vec![],
        loc: at,
    };
    let (min, max) = NETWORK;
    let network = dist::Dist { form: dist::Form::Uniform { min, max }, max, loc: at };
    Client { span, copies_operation: true, network }
}

/// Gives a client that says nothing of its server's address the name of the service that it calls.
fn with_address(mut client: Client) -> Client {
    let loc = client.span.loc;
    if !client.span.attributes.iter().any(|attribute| attribute.key.value == SERVER_ADDRESS) {
        let path = ["callee", "service", "name"].map(String::from).to_vec();
        let name = ExprNode { value: Box::new(Expr::Path(path)), loc };
        let template = Template { parts: vec![Part::Expr(name)], loc };
        let value = Value::Scalar(Scalar::Expr(template));
        client.span.attributes.push(Attribute { key: Located::new(SERVER_ADDRESS.into(), loc), value });
    }
    client
}
