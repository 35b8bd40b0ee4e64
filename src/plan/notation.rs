//! The notation of values, expressions and times in the listing. Expressions are in prefix notation: a name, its
//! parameters, its operands. An operand with operands of its own is in parentheses unless nothing can follow it.

use super::{AttrId, Chance, Constant, Expr, ExprId, Operator, Program, TextId};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt::{self, Display, Formatter};

/// The program that is shown need not be verified: an id that is out of range is shown as the id.
impl Program {
    /// Formats an expression with all its operands.
    pub(super) fn show_expr(&self, id: ExprId) -> impl Display {
        Shown { program: self, id, around: Around::Nothing, names: &[] }
    }

    /// Formats an expression with all its operands, in which slots have these names.
    pub(super) fn show_named<'a>(&'a self, id: ExprId, names: &'a [String]) -> impl Display + 'a {
        Shown { program: self, id, around: Around::Nothing, names }
    }

    /// Formats an expression next to others.
    pub(super) fn show_operand(&self, id: ExprId) -> impl Display {
        Shown { program: self, id, around: Around::Others, names: &[] }
    }

    pub(super) fn show_constant(&self, value: &Constant) -> impl Display {
        fmt::from_fn(move |f| constant(f, self, value))
    }

    /// Formats a text as a name.
    pub(super) fn show_name(&self, id: TextId) -> impl Display {
        fmt::from_fn(move |f| match self.texts.get(id.index()) {
            Some(text) => name(text).fmt(f),
            None => id.fmt(f),
        })
    }

    /// Formats a text in quotes.
    pub(super) fn show_text(&self, id: TextId) -> impl Display {
        fmt::from_fn(move |f| match self.texts.get(id.index()) {
            Some(text) => write!(f, "{text:?}"),
            None => id.fmt(f),
        })
    }

    /// Formats the key of a computed attribute.
    pub(super) fn show_key(&self, id: AttrId) -> impl Display {
        fmt::from_fn(move |f| match self.attrs.get(id.index()) {
            Some(key) => self.show_name(*key).fmt(f),
            None => id.fmt(f),
        })
    }

    /// Formats a constant text as a name, and any other expression in parentheses.
    pub(super) fn show_name_expr(&self, id: ExprId) -> impl Display {
        fmt::from_fn(move |f| match self.exprs.get(id.index()) {
            Some(Expr::Const { value: Constant::Text(text) }) => self.show_name(*text).fmt(f),
            _ => write!(f, "({})", self.show_expr(id)),
        })
    }
}

/// Formats a name, which is quoted if it could be mistaken for anything else.
pub(super) fn name(text: &str) -> impl Display {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    let bare = !text.is_empty() && text.chars().all(plain);
    fmt::from_fn(move |f| if bare { f.write_str(text) } else { write!(f, "{text:?}") })
}

/// Formats a time in the largest unit in which it is at least 1: `250us`, `1.5ms`, `2s`.
pub(super) fn duration(ns: u64) -> impl Display {
    fmt::from_fn(move |f| {
        let (unit, name) = match ns {
            1_000_000_000.. => (1_000_000_000, "s"),
            1_000_000.. | 0 => (1_000_000, "ms"),
            1_000.. => (1_000, "us"),
            _ => (1, "ns"),
        };
        write!(f, "{}", ns / unit)?;
        if !ns.is_multiple_of(unit) {
            let digits = format!("{:0width$}", ns % unit, width = unit.ilog10() as usize);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str(name)
    })
}

/// Formats a chance as the shortest percentage that gives the same chance.
pub(super) fn percent(chance: Chance) -> impl Display {
    fmt::from_fn(move |f| {
        let percent = chance.percent();
        for digits in 0..12 {
            let text = format!("{percent:.digits$}");
            if text.parse().is_ok_and(|p: f64| p <= 100.0 && Chance::from_percent(p) == chance) {
                return write!(f, "{text}%");
            }
        }
        write!(f, "{percent}%")
    })
}

fn constant(f: &mut Formatter<'_>, program: &Program, value: &Constant) -> fmt::Result {
    match value {
        Constant::Bool(v) => write!(f, "{v}"),
        Constant::Int(v) => write!(f, "{v}"),
        Constant::Double(v) => write!(f, "{v:?}"),
        Constant::Text(id) => program.show_text(*id).fmt(f),
        Constant::Bytes(bytes) => write!(f, "bytes {}", STANDARD.encode(bytes)),
        Constant::Map(entries) => {
            f.write_str("{")?;
            for (i, (key, value)) in entries.iter().enumerate() {
                write!(f, "{}{} = ", if i > 0 { ", " } else { "" }, program.show_name(*key))?;
                constant(f, program, value)?;
            }
            f.write_str("}")
        }
        Constant::List(items) => {
            f.write_str("[")?;
            for (i, item) in items.iter().enumerate() {
                f.write_str(if i > 0 { ", " } else { "" })?;
                constant(f, program, item)?;
            }
            f.write_str("]")
        }
    }
}

/// Writes `units` of 10^-digits as a decimal.
fn fixed(f: &mut Formatter<'_>, units: i64, digits: u8) -> fmt::Result {
    let (sign, size, unit) =
        (if units < 0 { "-" } else { "" }, units.unsigned_abs(), 10_u64.saturating_pow(digits.into()));
    write!(f, "{sign}{}", size / unit)?;
    if digits > 0 { write!(f, ".{:0width$}", size % unit, width = digits.into()) } else { Ok(()) }
}

/// The surroundings of an expression.
#[derive(Clone, Copy, PartialEq)]
enum Around {
    Nothing,
    /// There is a name before it, and nothing after it.
    Name,
    /// There are other operands next to it.
    Others,
}

struct Shown<'a> {
    program: &'a Program,
    id: ExprId,
    around: Around,
    /// The names of slots; a slot without a name is shown as its id.
    names: &'a [String],
}

impl Shown<'_> {
    fn operand(&self, id: ExprId, around: Around) -> Shown<'_> {
        Shown { program: self.program, id, around, names: self.names }
    }

    fn row(&self, f: &mut Formatter<'_>, items: &[ExprId]) -> fmt::Result {
        f.write_str("[")?;
        for (i, item) in items.iter().enumerate() {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, self.operand(*item, Around::Nothing))?;
        }
        f.write_str("]")
    }

    fn bare(&self, f: &mut Formatter<'_>, expr: &Expr) -> fmt::Result {
        match expr {
            Expr::Const { value } => return constant(f, self.program, value),
            Expr::List { items } | Expr::Array { items } => return self.row(f, items),
            Expr::Map { keys, values } => {
                f.write_str("{")?;
                for (i, (key, value)) in keys.iter().zip(values).enumerate() {
                    let (key, value) = (self.program.show_name(*key), self.operand(*value, Around::Nothing));
                    write!(f, "{}{key} = {value}", if i > 0 { ", " } else { "" })?;
                }
                return f.write_str("}");
            }
            Expr::Slot { slot } => {
                return match self.names.get(slot.index()) {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{slot}"),
                };
            }
            Expr::Binary { operator, left, right } => {
                let (left, right) = (self.operand(*left, Around::Others), self.operand(*right, Around::Others));
                return write!(f, "{left} {} {right}", symbol(*operator));
            }
            Expr::In { operand, items } => {
                write!(f, "{} in ", self.operand(*operand, Around::Others))?;
                return self.row(f, items);
            }
            Expr::If { condition, then, otherwise } => {
                let [condition, then, otherwise] =
                    [*condition, *then, *otherwise].map(|id| self.operand(id, Around::Others));
                return write!(f, "{then} if {condition} else {otherwise}");
            }
            Expr::Lookup { operand, items } => {
                write!(f, "lookup {} {{", self.operand(*operand, Around::Others))?;
                for (i, pair) in items.chunks(2).enumerate() {
                    f.write_str(if i > 0 { ", " } else { "" })?;
                    pair.iter().enumerate().try_for_each(|(k, item)| {
                        write!(f, "{}{}", if k > 0 { ": " } else { "" }, self.operand(*item, Around::Others))
                    })?;
                }
                return f.write_str("}");
            }
            Expr::RandomWeighted { items, weights } => {
                f.write_str("weighted")?;
                for (weight, item) in weights.iter().zip(items) {
                    write!(f, " {weight} {}", self.operand(*item, Around::Others))?;
                }
                return Ok(());
            }
            _ => head(f, self.program, expr)?,
        }
        let around = if expr.operands().count() == 1 { Around::Name } else { Around::Others };
        expr.operands().try_for_each(|id| write!(f, " {}", self.operand(id, around)))
    }
}

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(expr) = self.program.exprs.get(self.id.index()) else { return self.id.fmt(f) };
        let closed = match expr {
            Expr::Const { .. } | Expr::List { .. } | Expr::Array { .. } | Expr::Map { .. } | Expr::Slot { .. } => true,
            Expr::RandomInt { .. } | Expr::RandomFloat { .. } | Expr::RandomBool { .. } => false,
            Expr::RandomHex { .. } | Expr::RandomZipf { .. } | Expr::Linked { .. } => false,
            Expr::Concat { .. } => false,
            expr => expr.operands().next().is_none(),
        };
        let infix = matches!(expr, Expr::Binary { .. } | Expr::In { .. } | Expr::If { .. });
        let bare = match self.around {
            Around::Nothing => true,
            Around::Name => !infix,
            Around::Others => closed,
        };
        if bare { self.bare(f, expr) } else { write!(f, "({})", self.operand(self.id, Around::Nothing)) }
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Or => "or",
        Operator::And => "and",
        Operator::Eq => "==",
        Operator::Ne => "!=",
        Operator::Lt => "<",
        Operator::Le => "<=",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::Add => "+",
        Operator::Sub => "-",
        Operator::Mul => "*",
        Operator::Div => "/",
        Operator::Rem => "%",
    }
}

/// Writes the name of an expression and its parameters.
fn head(f: &mut Formatter<'_>, program: &Program, expr: &Expr) -> fmt::Result {
    let name = match expr {
        Expr::Const { .. }
        | Expr::List { .. }
        | Expr::Array { .. }
        | Expr::Map { .. }
        | Expr::Binary { .. }
        | Expr::In { .. }
        | Expr::If { .. }
        | Expr::Lookup { .. }
        | Expr::Slot { .. }
        | Expr::RandomWeighted { .. } => {
            unreachable!("written in a form of their own")
        }
        Expr::RandomInt { min, max } => return write!(f, "int {min} {max}"),
        Expr::RandomFloat { min, max, digits } => {
            f.write_str("float ")?;
            fixed(f, *min, *digits)?;
            f.write_str(" ")?;
            return fixed(f, *max, *digits);
        }
        Expr::RandomFloatBetween { digits, .. } => return write!(f, "float_between {digits}"),
        Expr::RandomBool { chance } => return write!(f, "bool {}", percent(*chance)),
        Expr::RandomHex { digits } => return write!(f, "hex {digits}"),
        Expr::RandomHexUpTo { max, .. } => return write!(f, "hex_up_to {max}"),
        Expr::RandomText { max, .. } => return write!(f, "words_up_to {max}"),
        Expr::RandomZipf { n, s } => return write!(f, "zipf {n} {s}"),
        Expr::Linked { key } => return write!(f, "linked {}", program.show_name(*key)),
        Expr::Incident { incident } => return write!(f, "{incident}"),
        Expr::Round { digits, .. } => return write!(f, "round {digits}"),
        Expr::Pad { width, .. } => return write!(f, "pad {width}"),
        Expr::StableHex { digits, .. } => return write!(f, "stable_hex {digits}"),
        Expr::Text { .. } => "text",
        Expr::Concat { .. } => "concat",
        Expr::RandomIntBetween { .. } => "int_between",
        Expr::RandomChoice { .. } => "choice",
        Expr::RandomUuid => "uuid",
        Expr::RandomIpv4 => "ipv4",
        Expr::RandomIpv6 => "ipv6",
        Expr::RandomUserAgent => "user_agent",
        Expr::RandomNormal { .. } => "normal",
        Expr::RandomLognormal { .. } => "lognormal",
        Expr::RandomExp { .. } => "exp",
        Expr::RandomPareto { .. } => "pareto",
        Expr::TimeUnix => "time.now",
        Expr::TimeUnixMs => "time.unix_ms",
        Expr::TimeUnixNano => "time.unix_nano",
        Expr::TimeIso => "time.iso",
        Expr::TraceId => "trace.id",
        Expr::TraceIndex => "trace.index",
        Expr::SpanId => "span.id",
        Expr::InstanceIndex => "instance.index",
        Expr::LinkedKey => "linked_key",
        Expr::Upper { .. } => "upper",
        Expr::Lower { .. } => "lower",
        Expr::Default { .. } => "default",
        Expr::ToInt { .. } => "to_int",
        Expr::ToDouble { .. } => "to_double",
        Expr::ToBool { .. } => "to_bool",
        Expr::Clamp { .. } => "clamp",
        Expr::Omit { .. } => "omit",
        Expr::StableUuid { .. } => "stable_uuid",
        Expr::StableIpv4 { .. } => "stable_ipv4",
        Expr::StablePick { .. } => "stable_pick",
        Expr::Nth { .. } => "nth",
        Expr::Not { .. } => "not",
        Expr::Neg { .. } => "neg",
    };
    f.write_str(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixture::{self, Maker};
    use crate::plan::{Plan, SlotId};

    #[test]
    fn times_are_short() {
        let text = |ns| duration(ns).to_string();
        let times = [0, 1, 250_000, 1_500_000, 999_999_999, 2_000_000_000, 90_000_000_001];
        assert_eq!(times.map(text), ["0ms", "1ns", "250us", "1.5ms", "999.999999ms", "2s", "90.000000001s"]);
    }

    #[test]
    fn percents_are_short_and_exact() {
        for percent_text in ["0%", "2%", "0.5%", "33.3%", "99.99%", "100%"] {
            let percent_number = percent_text.trim_end_matches('%').parse().unwrap();
            assert_eq!(percent(Chance::from_percent(percent_number)).to_string(), percent_text);
        }
        for units in [1, 3, (1 << 32) - 1, (1 << 31) + 1] {
            let text = percent(Chance(units)).to_string();
            assert_eq!(Chance::from_percent(text.trim_end_matches('%').parse().unwrap()), Chance(units), "{text}");
        }
    }

    #[test]
    fn names_are_quoted_if_they_must_be() {
        let text = |name_text| name(name_text).to_string();
        let names = ["user.id", "api-gateway", "a b", "", "a\"b", "line\nfeed", "日本", "#x", "(x)"];
        let shown =
            ["user.id", "api-gateway", "\"a b\"", "\"\"", "\"a\\\"b\"", "\"line\\nfeed\"", "日本", "\"#x\"", "\"(x)\""];
        assert_eq!(names.map(text), shown);
    }

    #[test]
    fn expressions_read_in_one_way_only() {
        let mut m = Maker { program: fixture::program() };
        let slot = m.expr(Expr::Slot { slot: SlotId(0) });
        let uuid = m.expr(Expr::RandomUuid);
        let int = m.expr(Expr::RandomInt { min: -1, max: 9 });
        let text = m.expr(Expr::Text { operand: int });
        let one = m.expr(Expr::Const { value: Constant::Int(1) });
        let a = m.constant("a \"quoted\" text");
        let list = Constant::List([Constant::Double(1.0), Constant::Double(-0.5)].into());
        let list = m.expr(Expr::Const { value: list });
        let sum = m.expr(Expr::Binary { operator: Operator::Add, left: slot, right: int });
        let float = m.expr(Expr::RandomFloat { min: -5, max: 1_250, digits: 2 });
        let cases = [
            (Expr::Concat { parts: [a, uuid, text].into() }, r#"concat "a \"quoted\" text" uuid (text int -1 9)"#),
            (Expr::Binary { operator: Operator::Mul, left: sum, right: one }, "(slot0 + (int -1 9)) * 1"),
            (Expr::Not { operand: sum }, "not (slot0 + (int -1 9))"),
            (Expr::Neg { operand: text }, "neg text int -1 9"),
            (Expr::In { operand: slot, items: [sum, one].into() }, "slot0 in [slot0 + (int -1 9), 1]"),
            (Expr::Default { operand: slot, or: list }, "default slot0 [1.0, -0.5]"),
            (Expr::Round { operand: float, digits: 1 }, "round 1 float -0.05 12.50"),
            (
                Expr::RandomWeighted { items: [a, int].into(), weights: [9.0, 0.5].into() },
                r#"weighted 9 "a \"quoted\" text" 0.5 (int -1 9)"#,
            ),
            (Expr::List { items: [int, uuid].into() }, "[int -1 9, uuid]"),
            (Expr::StablePick { operand: slot, items: [one, int].into() }, "stable_pick slot0 1 (int -1 9)"),
            (Expr::RandomBool { chance: Chance::from_percent(12.5) }, "bool 12.5%"),
            (Expr::If { condition: slot, then: int, otherwise: one }, "(int -1 9) if slot0 else 1"),
            (
                Expr::Lookup { operand: slot, items: [one, int, a, uuid].into() },
                r#"lookup slot0 {1: (int -1 9), "a \"quoted\" text": uuid}"#,
            ),
            (Expr::RandomText { count: int, max: 9 }, "words_up_to 9 int -1 9"),
            (Expr::RandomHexUpTo { count: slot, max: 64 }, "hex_up_to 64 slot0"),
            (Expr::Nth { operand: int, items: [one, uuid].into() }, "nth (int -1 9) 1 uuid"),
            (Expr::Binary { operator: Operator::Rem, left: int, right: one }, "(int -1 9) % 1"),
        ];
        for (expr, shown) in cases {
            let mut program = m.program.clone();
            program.exprs.push(expr);
            let id = ExprId(program.exprs.len() as u32 - 1);
            assert_eq!(Plan::verify(program).unwrap().show_expr(id).to_string(), shown);
        }
    }
}
