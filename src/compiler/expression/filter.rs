//! The filters: `value | name(arguments)`.

use super::argument::{Argument, Signature};
use super::function::either;
use super::{Expressions, Typed};
use crate::compiler::types::{Kind, Type};
use crate::language::diagnostic::{Problem, Role};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr as Ast, Node};
use crate::plan::{Expr, limits};
use std::collections::HashMap;

const fn signature(name: &'static str, usage: &'static str, arguments: usize) -> Signature {
    Signature { name, usage, least: arguments, most: arguments }
}

const FILTERS: [Signature; 17] = [
    signature("upper", "upper", 0),
    signature("lower", "lower", 0),
    signature("default", "default(x)", 1),
    signature("round", "round(n)", 1),
    signature("pad", "pad(n)", 1),
    signature("int", "int", 0),
    signature("double", "double", 0),
    signature("bool", "bool", 0),
    signature("text", "text", 0),
    signature("clamp", "clamp(min, max)", 2),
    signature("omit", "omit(x)", 1),
    signature("uuid", "uuid", 0),
    signature("hex", "hex(n)", 1),
    signature("ipv4", "ipv4", 0),
    signature("pick", "pick(['a', 'b'])", 1),
    signature("lookup", "lookup({'a': 1, 'b': 2})", 1),
    signature("nth", "nth(['a', 'b'])", 1),
];

impl Expressions<'_> {
    pub(super) fn filter(
        &mut self,
        input: &Node,
        name: &Located<String>,
        arguments: &[Node],
        loc: Loc,
    ) -> Option<Typed> {
        let input = self.argument(input);
        let Some(signature) = FILTERS.iter().find(|f| f.name == name.value) else {
            let nearest = self.report.nearest(&name.value, FILTERS.iter().map(|f| f.name));
            return self.fail(Problem::UnknownFilter { name: name.value.clone(), nearest }, name.loc);
        };
        self.count(signature, arguments.len(), name.loc)?;
        let input = input?;
        let Typed { expr: operand, ty, .. } = input.typed;
        let same = |kind| Type { kind, optional: ty.optional };
        if ty.kind.is_opaque() && signature.name != "default" {
            return self.wrong_type(signature, "a single value", ty.kind, input);
        }
        match (signature.name, arguments) {
            ("upper", _) => {
                let operand = self.cast_to_text(input.typed, input.loc)?.expr;
                self.add(Expr::Upper { operand }, same(Kind::Text))
            }
            ("lower", _) => {
                let operand = self.cast_to_text(input.typed, input.loc)?.expr;
                self.add(Expr::Lower { operand }, same(Kind::Text))
            }
            ("default", [or]) => {
                let or = self.node(or)?;
                let ty = Type { kind: ty.kind.or(or.ty.kind), optional: or.ty.optional };
                self.add(Expr::Default { operand, or: or.expr }, ty)
            }
            ("round", [digits]) => {
                let digits = self.known_int(signature, digits, 0, limits::DECIMALS.into())? as u8;
                self.numeric(signature, input)?;
                self.add(Expr::Round { operand, digits }, same(Kind::Double))
            }
            ("pad", [width]) => {
                let width = self.known_int(signature, width, 0, limits::WIDTH.into())? as u32;
                self.add(Expr::Pad { operand, width }, same(Kind::Text))
            }
            ("int", _) if ty.kind == Kind::Int => Some(input.typed),
            ("int", _) => self.add(Expr::ToInt { operand }, same(Kind::Int)),
            ("double", _) if ty.kind == Kind::Double => Some(input.typed),
            ("double", _) => self.add(Expr::ToDouble { operand }, same(Kind::Double)),
            ("bool", _) if ty.kind == Kind::Bool => Some(input.typed),
            ("bool", _) => self.add(Expr::ToBool { operand }, same(Kind::Bool)),
            ("text", _) => self.cast_to_text(input.typed, input.loc),
            ("clamp", [min, max]) => {
                let (a, b) = (self.number_argument(signature, min), self.number_argument(signature, max));
                self.numeric(signature, input)?;
                let (a, b) = (a?, b?);
                if let (Some(min), Some(max)) = (self.number_of(a), self.number_of(b))
                    && min > max
                {
                    let problem = Problem::ArgumentsUpsideDown {
                        usage: signature.usage,
                        min: min.to_string(),
                        max: max.to_string(),
                    };
                    return self.fail(problem, loc);
                }
                let kind = ty.kind.or(a.typed.ty.kind).or(b.typed.ty.kind);
                let optional = ty.optional || a.typed.ty.optional || b.typed.ty.optional;
                self.add(Expr::Clamp { operand, min: a.typed.expr, max: b.typed.expr }, Type { kind, optional })
            }
            ("omit", [value]) => {
                let value = self.argument(value)?;
                let present = Typed { ty: ty.kind.into(), ..input.typed };
                self.comparable("==", (present, input.loc), (value.typed, value.loc), loc)?;
                if self.is_kept(operand, value.typed.expr) {
                    return Some(input.typed);
                }
                self.add(Expr::Omit { operand, value: value.typed.expr }, Type { kind: ty.kind, optional: true })
            }
            ("uuid", _) => self.add(Expr::StableUuid { operand }, same(Kind::Text)),
            ("hex", [digits]) => {
                let digits = self.known_int(signature, digits, 1, limits::WIDTH.into())? as u32;
                self.add(Expr::StableHex { operand, digits }, same(Kind::Text))
            }
            ("ipv4", _) => self.add(Expr::StableIpv4 { operand }, same(Kind::Text)),
            ("pick", [items]) => {
                let items = self.items(signature.usage, items)?;
                let picked = either(&items);
                let items = items.iter().map(|(item, _)| item.expr).collect();
                let ty = Type { optional: picked.optional || ty.optional, ..picked };
                self.add(Expr::StablePick { operand, items }, ty)
            }
            ("lookup", [entries]) => self.lookup(signature, input, entries),
            ("nth", [items]) => {
                if !matches!(ty.kind, Kind::Int | Kind::Unknown) {
                    return self.wrong_type(signature, "an int", ty.kind, input);
                }
                let items = self.items(signature.usage, items)?;
                let kind = either(&items).kind;
                let items = items.iter().map(|(item, _)| item.expr).collect();
                self.add(Expr::Nth { operand, items }, Type { kind, optional: true })
            }
            // The table has no other name, and each has the arguments that the table lists.
            _ => None,
        }
    }

    /// Compiles `value | lookup({key: value, ..})`.
    fn lookup(&mut self, signature: &'static Signature, input: Argument, node: &Node) -> Option<Typed> {
        let Ast::Map(entries) = &*node.value else {
            let argument = self.argument(node)?;
            return self.wrong_type(signature, "a mapping of values to values", argument.typed.ty.kind, argument);
        };
        if entries.is_empty() {
            return self.fail(Problem::EmptyList { usage: signature.usage }, node.loc);
        }
        let (mut items, mut values) = (Vec::with_capacity(2 * entries.len()), Vec::with_capacity(entries.len()));
        let mut seen = HashMap::new();
        // An input that may be absent is not a mistake, because the looked-up value may be absent, too.
        let operand = Typed { ty: input.typed.ty.kind.into(), ..input.typed };
        let mut whole = true;
        for (key_node, value_node) in entries {
            let (key, value) = (self.node(key_node), self.node(value_node));
            let (Some(key), Some(value)) = (key, value) else {
                whole = false;
                continue;
            };
            if self.comparable("==", (operand, input.loc), (key, key_node.loc), key_node.loc).is_none() {
                whole = false;
            } else if self.tables.constant_of(key.expr).is_none() {
                self.fail::<()>(Problem::KeyNotConstant, key_node.loc);
                whole = false;
            } else if let Some(first) = seen.insert(key.expr, key_node.loc) {
                self.report.add_related(Problem::DuplicateChoice, key_node.loc, Role::First, [first]);
                whole = false;
            }
            items.extend([key.expr, value.expr]);
            values.push((value, value_node.loc));
        }
        if !whole {
            return None;
        }
        let kind = either(&values).kind;
        self.add(Expr::Lookup { operand: operand.expr, items: items.into() }, Type { kind, optional: true })
    }

    fn numeric(&mut self, signature: &'static Signature, input: Argument) -> Option<()> {
        if input.typed.ty.kind.may_be_number() {
            return Some(());
        }
        self.wrong_type(signature, "a number", input.typed.ty.kind, input)
    }
}
