//! The instrumentation scope of a service or a span: `scope: {name, version}`.

use super::InstrumentationScope;
use super::fields::{Context, Fields};
use crate::language::yaml::Node;

/// Reads the instrumentation scope of a field.
pub fn scope(cx: &mut Context, fields: &Fields) -> Option<InstrumentationScope> {
    let node: &Node = fields.optional("scope")?;
    let fields = Fields::read(cx, node, "a scope", &["name", "version"])?;
    let name = fields.required(cx, "name").and_then(|entry| cx.text("`name`", &entry.value));
    let version = fields.get("version").and_then(|entry| cx.text("`version`", &entry.value));
    Some(InstrumentationScope { name: name?, version })
}
