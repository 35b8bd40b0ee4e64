//! The fields of shared spans and of their uses: `spans`, `use` and `with`.

use super::{SHARED_FIELDS, item, partial};
use crate::language::diagnostic::{Diagnostic, Problem, Role};
use crate::language::scenario::fields::{Context, Fields};
use crate::language::scenario::shared::{Definition, Library, Use};
use crate::language::scenario::value;
use crate::language::source::Located;
use crate::language::yaml::{Entry, Kind, Node};

/// Adds the shared spans of `spans: {name: span}` to a library.
pub fn read(cx: &mut Context, node: &Node, library: &mut Library) {
    let Kind::Mapping(entries) = &node.kind else {
        if !node.is_null() {
            cx.mistyped("`spans`", "a mapping of names to spans", node, None);
            library.mark_short();
        }
        return;
    };
    for Entry { key, value } in entries {
        let name = Located::new(key.value.to_string(), key.loc);
        if name.value.is_empty() {
            cx.report(Problem::Empty { subject: "a shared span's name".into() }, name.loc);
            continue;
        }
        let Some(definition) = definition(cx, name, value) else {
            library.mark_short();
            continue;
        };
        let name = definition.name.clone();
        if let Some(first) = library.add(definition) {
            let problem = Problem::DuplicateKey { key: name.value };
            cx.add(Diagnostic::new(problem, name.loc).related(Role::First, first.name.loc));
        }
    }
}

fn definition(cx: &mut Context, name: Located<String>, node: &Node) -> Option<Definition> {
    let misspelt_before = cx.misspelt_names;
    let fields = Fields::read(cx, node, "a shared span", &SHARED_FIELDS)?;
    let parameters = value::parameters(cx, fields.optional("vars"));
    let mut span = partial(cx, &fields);
    span.calls = item::calls(cx, &fields, 2);
    let lacks_names = cx.misspelt_names > misspelt_before;
    Some(Definition { name, parameters, span, lacks_names, weight: weight(node) })
}

/// The number of bytes of text that count as a value; one or two expressions have about as many.
const BYTES_A_VALUE: usize = 16;

/// Returns the amount that there is to compile in a node: its values, plus an amount for the length of its texts.
fn weight(node: &Node) -> usize {
    match &node.kind {
        Kind::Broken => 1,
        Kind::Scalar { text, .. } => 1 + text.len() / BYTES_A_VALUE,
        Kind::Sequence(items) => items.iter().map(|item| weight(item)).fold(1, usize::saturating_add),
        Kind::Mapping(entries) => {
            let weights = entries.iter().map(|entry| 1 + entry.key.value.len() / BYTES_A_VALUE + weight(&entry.value));
            weights.fold(1, usize::saturating_add)
        }
    }
}

/// Reads `use` and `with`.
pub(super) fn used(cx: &mut Context, fields: &Fields) -> Option<Use> {
    let with = fields.optional("with");
    let Some(entry) = fields.get("use") else {
        if let Some(with) = with.filter(|_| !fields.is_misspelt("use")) {
            cx.report(Problem::MissingField { field: "use", owner: "a span with `with`" }, with.loc);
        }
        return None;
    };
    let name = cx.text("`use`", &entry.value)?;
    Some(Use { name, with: value::with(cx, with) })
}
