//! The field `client`: the CLIENT span around a call, in the caller's service.

use super::error_condition;
use crate::language::scenario::fields::{Context, Fields};
use crate::language::scenario::{Attribute, Client, Scalar, Value, dist, value};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, Node as ExprNode, Part, Template};
use crate::language::yaml::{self, Core, Entry, Style, core};

/// The attribute with the address of the server.
const SERVER_ADDRESS: &str = "server.address";

/// Reads `true`, `false`, or `{network_ms, operation, attributes, error_conditions}`.
pub fn client(cx: &mut Context, entry: &Entry) -> Option<Client> {
    let (node, loc) = (&*entry.value, entry.key.loc);
    let plain = |is_wanted| Client {
        is_wanted,
        operation: None,
        attributes: vec![],
        address: address(loc),
        error_conditions: vec![],
        network: None,
        loc,
    };
    match &node.kind {
        yaml::Kind::Scalar { text, style: Style::Plain } if matches!(core(text), Core::Bool(_)) => {
            Some(plain(core(text) == Core::Bool(true)))
        }
        yaml::Kind::Mapping(_) => {
            let known = ["network_ms", "operation", "attributes", "error_conditions"];
            let fields = Fields::read(cx, node, "`client`", &known)?;
            Some(Client {
                operation: fields.optional("operation").and_then(|node| cx.template("`operation`", node)),
                attributes: value::attributes(cx, fields.optional("attributes")),
                error_conditions: super::list(cx, &fields, "error_conditions", "`error_conditions`", error_condition),
                network: fields.optional("network_ms").and_then(|node| dist::ms(cx, "`network_ms`", node)),
                ..plain(true)
            })
        }
        _ => {
            cx.mistyped("`client`", "true, false or a mapping", node, None);
            None
        }
    }
}

/// Returns the default attribute for the server's address: the name of the service that is called.
fn address(loc: Loc) -> Attribute {
    let path = ["callee", "service", "name"].map(String::from).to_vec();
    let name = ExprNode { value: Box::new(Expr::Path(path)), loc };
    let value = Value::Scalar(Scalar::Expr(Template { parts: vec![Part::Expr(name)], loc }));
    Attribute { key: Located::new(SERVER_ADDRESS.into(), loc), value }
}
