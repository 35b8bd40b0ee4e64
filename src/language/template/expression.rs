//! Parses the text between `<<` and `>>` to a syntax tree.

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};
use pest::iterators::Pair;

use super::{Binary, Expr, MAX_DEPTH, Node, Unary};
use crate::language::diagnostic::{Diagnostic, Problem};
use crate::language::source::{Loc, Located};
use crate::language::yaml::Offsets;
use crate::text::listed;

#[derive(pest_derive::Parser)]
#[grammar = "../grammar/template.pest"]
pub struct TemplateParser;

/// Parses an expression, which begins at byte `base` of the text of `offsets`.
pub fn parse(text: &str, base: usize, offsets: &Offsets) -> Result<Node, Box<Diagnostic>> {
    let builder = Builder { base, offsets };
    // This is checked before the parser, which is recursive, sees the text.
    if let Some(at) = too_deep(text) {
        return Err(builder.too_deep(builder.loc(at, at + 1)));
    }
    let pairs = TemplateParser::parse(Rule::expression, text).map_err(|error| builder.bad(text, &error))?;
    let value = pairs.flat_map(Pair::into_inner).find(|pair| pair.as_rule() == Rule::value);
    match value {
        Some(value) => Ok(builder.value(value)?.node),
        None => Err(builder.problem(Problem::EmptyExpression { open: "<<" }, builder.loc(0, text.len()))),
    }
}

/// Builds what [`parse`] returns from the `value` of a text that is parsed as a whole.
pub fn build(value: Pair<Rule>, offsets: &Offsets) -> Result<Node, Box<Diagnostic>> {
    Ok(Builder { base: 0, offsets }.value(value)?.node)
}

/// Returns the place where brackets open more than [`MAX_DEPTH`] levels.
pub fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, b) in text.bytes().enumerate() {
        match b {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Some(at);
        }
    }
    None
}

/// A node and the number of levels of its tree.
struct Built {
    node: Node,
    depth: usize,
}

type Result_ = Result<Built, Box<Diagnostic>>;

struct Builder<'a> {
    base: usize,
    offsets: &'a Offsets,
}

impl Builder<'_> {
    fn loc(&self, start: usize, end: usize) -> Loc {
        self.offsets.loc(self.base + start, self.base + end)
    }

    fn at(&self, pair: &Pair<Rule>) -> Loc {
        // A pair includes the white space before an operator that did not follow.
        let start = pair.as_span().start();
        self.loc(start, start + pair.as_str().trim_end().len())
    }

    fn problem(&self, problem: Problem, loc: Loc) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(problem, loc))
    }

    fn too_deep(&self, loc: Loc) -> Box<Diagnostic> {
        self.problem(Problem::TemplateTooLarge { subject: "levels in an expression", limit: MAX_DEPTH }, loc)
    }

    fn node(&self, expr: Expr, loc: Loc, below: usize) -> Result_ {
        if below >= MAX_DEPTH {
            return Err(self.too_deep(loc));
        }
        Ok(Built { node: Located::new(Box::new(expr), loc), depth: below + 1 })
    }

    fn value(&self, pair: Pair<Rule>) -> Result_ {
        let mut inner = pair.into_inner();
        let mut built = self.branches(inner.next().expect("a value has an operand"))?;
        for filter in inner {
            let end = self.at(&filter).end;
            let mut parts = filter.into_inner();
            let name = parts.next().expect("a filter has a name");
            let name = Located::new(name.as_str().to_owned(), self.at(&name));
            let (arguments, depth) = self.arguments(parts.next())?;
            let loc = Loc { end, ..built.node.loc };
            let below = built.depth.max(depth);
            built = self.node(Expr::Filter { input: built.node, name, arguments }, loc, below)?;
        }
        Ok(built)
    }

    /// Builds one value, or several with the conditions under which each is chosen.
    fn branches(&self, pair: Pair<Rule>) -> Result_ {
        if pair.as_rule() != Rule::branches {
            return self.binary(pair);
        }
        let operands = pair.into_inner().filter(|pair| pair.as_rule() == Rule::or);
        let mut operands = operands.map(|operand| self.binary(operand)).collect::<Result<Vec<_>, _>>()?;
        let mut built = operands.pop().expect("a value has an operand");
        while let (Some(condition), Some(then)) = (operands.pop(), operands.pop()) {
            let loc = Loc { end: built.node.loc.end, ..then.node.loc };
            let below = built.depth.max(condition.depth).max(then.depth);
            let expr = Expr::If { condition: condition.node, then: then.node, otherwise: built.node };
            built = self.node(expr, loc, below)?;
        }
        Ok(built)
    }

    /// Builds `or`, `and`, `not`, `comparison`, `sum`, `product` and `unary`: operands with operators between them.
    fn binary(&self, pair: Pair<Rule>) -> Result_ {
        match pair.as_rule() {
            Rule::not => self.prefix(pair, Unary::Not),
            Rule::unary => self.prefix(pair, Unary::Neg),
            Rule::lone | Rule::primary => self.primary(pair),
            _ => {
                let mut inner = pair.into_inner();
                let mut left = self.binary(inner.next().expect("an operation has an operand"))?;
                while let (Some(sign), Some(right)) = (inner.next(), inner.next()) {
                    let right = self.binary(right)?;
                    let loc = Loc { end: right.node.loc.end, ..left.node.loc };
                    let below = left.depth.max(right.depth);
                    let expr = Expr::Binary { operator: operator(sign.as_str()), left: left.node, right: right.node };
                    left = self.node(expr, loc, below)?;
                }
                Ok(left)
            }
        }
    }

    fn prefix(&self, pair: Pair<Rule>, operator: Unary) -> Result_ {
        let loc = self.at(&pair);
        let mut inner = pair.into_inner();
        let first = inner.next().expect("a prefix or an operand");
        let Some(operand) = inner.next() else { return self.binary(first) };
        // The least integer has no positive counterpart, so the sign is part of the number.
        let number = operand.clone().into_inner().next().filter(|inner| inner.as_rule() == Rule::number);
        if operator == Unary::Neg
            && let Some(number) = number
        {
            return self.number(&format!("-{}", number.as_str()), loc);
        }
        let operand = self.binary(operand)?;
        self.node(Expr::Unary { operator, operand: operand.node }, loc, operand.depth)
    }

    fn primary(&self, pair: Pair<Rule>) -> Result_ {
        let loc = self.at(&pair);
        let mut inner = pair.into_inner();
        let inner_pair = inner.next().expect("a primary has content");
        match inner_pair.as_rule() {
            Rule::number => self.number(inner_pair.as_str(), loc),
            Rule::boolean => self.node(Expr::Bool(inner_pair.as_str() == "true"), loc, 0),
            Rule::literal => {
                let text = inner_pair.into_inner().next().map_or_else(String::new, |text| unescape(text.as_str()));
                self.node(Expr::Text(text), loc, 0)
            }
            Rule::group => {
                let value = inner_pair.into_inner().next().expect("a group has a value");
                let built = self.value(value)?;
                Ok(Built { node: Located::new(built.node.value, loc), ..built })
            }
            Rule::list => {
                let (items, depth) = self.values(inner_pair)?;
                self.node(Expr::List(items), loc, depth)
            }
            Rule::map => {
                let (mut pairs, mut depth) = (vec![], 0);
                for pair in inner_pair.into_inner().filter(|pair| pair.as_rule() == Rule::pair) {
                    let mut pair = pair.into_inner();
                    let key = self.value(pair.next().expect("a pair has a key"))?;
                    let value = self.value(pair.next().expect("a pair has a value"))?;
                    depth = depth.max(key.depth).max(value.depth);
                    pairs.push((key.node, value.node));
                }
                self.node(Expr::Map(pairs), loc, depth)
            }
            Rule::incident => {
                let literal = inner_pair.into_inner().next().and_then(|literal| literal.into_inner().next());
                let name = literal.map_or_else(String::new, |text| unescape(text.as_str()));
                self.node(Expr::Path(vec!["incident".into(), name]), loc, 0)
            }
            Rule::attribute | Rule::path => self.reference(inner_pair.as_str(), inner.next(), loc),
            _ => {
                let mut reference = inner_pair.into_inner();
                let path = reference.next().expect("a reference has a path");
                self.reference(path.as_str(), reference.next(), loc)
            }
        }
    }

    fn reference(&self, path: &str, arguments: Option<Pair<Rule>>, loc: Loc) -> Result_ {
        let path = path.split('.').map(str::to_owned).collect();
        if arguments.is_none() {
            return self.node(Expr::Path(path), loc, 0);
        }
        let (arguments, depth) = self.arguments(arguments)?;
        self.node(Expr::Call { path, arguments }, loc, depth)
    }

    fn arguments(&self, pair: Option<Pair<Rule>>) -> Result<(Vec<Node>, usize), Box<Diagnostic>> {
        pair.map_or(Ok((vec![], 0)), |pair| self.values(pair))
    }

    fn values(&self, pair: Pair<Rule>) -> Result<(Vec<Node>, usize), Box<Diagnostic>> {
        let (mut nodes, mut depth) = (vec![], 0);
        for value in pair.into_inner().filter(|pair| pair.as_rule() == Rule::value) {
            let built = self.value(value)?;
            depth = depth.max(built.depth);
            nodes.push(built.node);
        }
        Ok((nodes, depth))
    }

    fn number(&self, text: &str, loc: Loc) -> Result_ {
        let out_of_range = || self.problem(Problem::LiteralOutOfRange { value: text.to_owned() }, loc);
        let expr = if text.contains(['.', 'e', 'E']) {
            let value = text.parse().ok().filter(|value: &f64| value.is_finite());
            Expr::Double(value.ok_or_else(out_of_range)?)
        } else {
            Expr::Int(text.parse().map_err(|_| out_of_range())?)
        };
        self.node(expr, loc, 0)
    }

    fn bad(&self, text: &str, error: &Error<Rule>) -> Box<Diagnostic> {
        let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
        let rest = &text[at..];
        let rules = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
            ErrorVariant::CustomError { .. } => &[],
        };
        let found = word(rest);
        let loc = match found {
            // At the end, the place is that of the closing sign.
            "" => self.loc(text.len(), text.len() + 2),
            _ => self.loc(at, at + found.len()),
        };
        let problem =
            Problem::BadExpression { expected: expected(rules), found: found.to_owned(), hint: hint(text, at) };
        self.problem(problem, loc)
    }
}

fn operator(sign: &str) -> Binary {
    match sign {
        "or" => Binary::Or,
        "and" => Binary::And,
        "==" => Binary::Eq,
        "!=" => Binary::Ne,
        "<" => Binary::Lt,
        "<=" => Binary::Le,
        ">" => Binary::Gt,
        ">=" => Binary::Ge,
        "in" => Binary::In,
        "+" => Binary::Add,
        "-" => Binary::Sub,
        "*" => Binary::Mul,
        "%" => Binary::Rem,
        _ => Binary::Div,
    }
}

/// Replaces `\n` and `\t` by those characters, and a backslash before anything else by what follows it.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(other) => other,
                None => '\\',
            },
            _ => c,
        });
    }
    out
}

/// Returns the word, number or sign at the beginning.
fn word(rest: &str) -> &str {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let Some(first) = rest.chars().next() else { return "" };
    let end = match rest.find(|c| !in_word(c)) {
        Some(0) if ["<<", "{{", "&&", "||", "==", "!="].iter().any(|sign| rest.starts_with(sign)) => 2,
        Some(0) => first.len_utf8(),
        Some(end) => end,
        None => rest.len(),
    };
    &rest[..end]
}

fn expected(rules: &[Rule]) -> String {
    let mut names: Vec<&str> = vec![];
    for rule in rules {
        let name = match rule {
            Rule::close_group => "`)`",
            Rule::close_list => "`]`",
            Rule::close_map => "`}`",
            Rule::name => "a filter's name",
            Rule::EOI => "the end",
            Rule::pair => "a key and its value",
            Rule::or_word | Rule::and_word | Rule::compare | Rule::add | Rule::multiply => "an operator",
            Rule::filter | Rule::if_word => "an operator",
            Rule::else_word => "`else`",
            Rule::arguments => continue,
            _ => "a value",
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // An operator may follow any value, so a missing bracket is more informative.
    if names.iter().any(|name| name.starts_with('`')) {
        names.retain(|name| *name != "an operator");
    }
    names.sort_by_key(|name| *name == "the end");
    if names.is_empty() { "something else".into() } else { listed(&names, "or") }
}

const PERCENTAGE: &str = "a percentage is a plain number here: `random.bool(5)`";

fn hint(text: &str, at: usize) -> Option<&'static str> {
    let rest = &text[at..];
    let before = text[..at].trim_end();
    for (sign, hint) in [
        ("&&", "write `and`"),
        ("||", "write `or`"),
        ("==", "a comparison stands between two values, and only one of them"),
        ("=", "write `==` to compare"),
        ("!", "write `not x`, or `!=` to compare"),
        ("?", "write `b if a else c`"),
        ("%", PERCENTAGE),
        ("<<", "one expression cannot stand in another; for the two characters write `\\<<`"),
        ("{{", "one expression cannot stand in another; for the two characters write `\\{{`"),
        ("$", "names are written without a sign: `user_id`"),
        ("'", "a quote opens a literal text and must be closed"),
        ("\"", "a quote opens a literal text and must be closed"),
    ] {
        if rest.starts_with(sign) {
            return Some(hint);
        }
    }
    if before.ends_with('%') {
        return Some(PERCENTAGE);
    }
    if rest.starts_with(|c: char| c.is_ascii_digit()) && before.len() == at {
        return Some("a number is written with digits and at most one dot: `1000`, `0.5`, `1e3`");
    }
    before.ends_with("not").then_some("after `not` stands a comparison or a value; put brackets around more")
}
