//! The step from an expression to a condition. Every mistake is reported once; what is made from it becomes `None`.

mod function;

use super::term::Term;
use super::vocabulary::Vocabulary;
use crate::language::diagnostic::{Diagnostic, Problem, nearest};
use crate::language::source::Loc;
use crate::language::template::{Binary, Expr, Node, Unary};
use crate::plan::{Number, Operator};

/// What is known of a value's type when compiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Int,
    Double,
    Text,
    /// The type is known only when the condition is evaluated.
    Unknown,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Bool => "a boolean",
            Kind::Int => "an int",
            Kind::Double => "a double",
            Kind::Text => "text",
            Kind::Unknown => "of no known type",
        }
    }

    fn is_number(self) -> bool {
        matches!(self, Kind::Int | Kind::Double)
    }

    fn or(self, other: Kind) -> Kind {
        match (self, other) {
            (a, b) if a == b => a,
            (a, b) if a.is_number() && b.is_number() => Kind::Double,
            _ => Kind::Unknown,
        }
    }
}

/// A checked part of a condition.
pub struct Typed<V> {
    pub term: Term<V>,
    pub kind: Kind,
}

/// The values of a kind of subject: a trace, a span or an event.
pub trait Subject: Sized {
    /// The subject as a message calls it, such as "a span".
    const OWNER: &'static str;

    /// Returns the names of all values that have one of their own.
    fn names() -> Vec<&'static str>;

    /// Returns the value that a path names, or `None` if it is an unknown one.
    fn named(path: &str, known: &Vocabulary) -> Option<(Self, Kind)>;

    /// Returns the keys of the attributes that a path may begin with.
    fn keys(known: &Vocabulary) -> Vec<&str>;

    /// Returns what to write instead of an unknown name.
    fn hint(name: &str, known: &Vocabulary) -> Option<String>;

    /// Compiles a call of a function that only this kind of subject has; `None` if there is no such function.
    fn call(compiler: &mut Compiler<'_>, name: &str, loc: Loc, arguments: &[Node]) -> Option<Option<Typed<Self>>>;

    /// Returns the least and the greatest number that this can be; `None` if it may be absent, or they are not known.
    fn range(&self, known: &Vocabulary) -> Option<(Number, Number)>;

    /// Returns the texts of which this is always one, with the word for them; `None` if they are not known.
    fn among<'k>(&self, known: &'k Vocabulary) -> Option<(&'static str, Vec<&'k str>)>;
}

/// The compiler of conditions.
pub struct Compiler<'a> {
    pub known: &'a Vocabulary,
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl Compiler<'_> {
    /// Compiles a whole condition, which is true or false.
    pub fn condition<V: Subject>(&mut self, node: &Node) -> Option<Term<V>> {
        let typed = self.term(node)?;
        self.truth("a condition", typed, node.loc)
    }

    /// Reports a problem, and returns `None`.
    pub fn fail<T>(&mut self, problem: Problem, at: Loc) -> Option<T> {
        self.diagnostics.push(Diagnostic::new(problem, at));
        None
    }

    pub fn term<V: Subject>(&mut self, node: &Node) -> Option<Typed<V>> {
        let loc = node.loc;
        match &*node.value {
            // It has been reported.
            Expr::Error => None,
            Expr::Bool(value) => typed(Term::Bool(*value), Kind::Bool),
            Expr::Int(value) => typed(Term::Number(Number::Int(*value)), Kind::Int),
            Expr::Double(value) => typed(Term::Number(Number::Double(*value)), Kind::Double),
            Expr::Text(value) => typed(Term::Text(value.clone()), Kind::Text),
            Expr::List(_) => self.operand("a condition", "a single value", "a list", loc),
            Expr::Map(_) => self.operand("a condition", "a single value", "a map", loc),
            Expr::Path(path) => self.path(&path.join("."), loc),
            Expr::Call { path, arguments } => self.call(&path.join("."), loc, arguments),
            Expr::Filter { input, name, arguments } => self.filter(input, name, arguments, loc),
            Expr::If { condition, then, otherwise } => {
                let (decides, a, b) = (self.term(condition), self.term(then), self.term(otherwise));
                let decides = decides.and_then(|decides| self.truth("if", decides, condition.loc));
                let (condition, a, b) = (Box::new(decides?), a?, b?);
                let kind = a.kind.or(b.kind);
                typed(Term::If { condition, then: Box::new(a.term), otherwise: Box::new(b.term) }, kind)
            }
            Expr::Unary { operator: Unary::Not, operand } => {
                let term = self.term(operand)?;
                typed(Term::Not(Box::new(self.truth("not", term, operand.loc)?)), Kind::Bool)
            }
            Expr::Unary { operator: Unary::Neg, operand } => {
                let term = self.term(operand)?;
                let kind = term.kind;
                typed(Term::Neg(Box::new(self.number("-", term, operand.loc)?)), kind)
            }
            Expr::Binary { operator: Binary::In, left, right } => self.one_of(left, right, loc),
            Expr::Binary { operator, left, right } => self.binary(*operator, left, right, loc),
        }
    }

    fn path<V: Subject>(&mut self, name: &str, loc: Loc) -> Option<Typed<V>> {
        if let Some((value, kind)) = V::named(name, self.known) {
            return typed(Term::Read(value), kind);
        }
        self.unknown(name, loc)
    }

    /// Reports a name that stands for no value, and returns `None`.
    pub fn unknown<V: Subject>(&mut self, name: &str, loc: Loc) -> Option<Typed<V>> {
        let hint = V::hint(name, self.known);
        let names = V::names().into_iter().chain(V::keys(self.known));
        let nearest = if hint.is_none() { nearest(name, names) } else { None };
        self.fail(Problem::UnknownValue { name: name.to_owned(), owner: V::OWNER, nearest, hint }, loc)
    }

    fn one_of<V: Subject>(&mut self, left: &Node, right: &Node, loc: Loc) -> Option<Typed<V>> {
        let operand = self.term::<V>(left);
        let Expr::List(items) = &*right.value else { return self.fail(Problem::NotAList { usage: "in" }, right.loc) };
        let items = Vec::from_iter(items.iter().map(|item| (self.term::<V>(item), item.loc)));
        let operand = operand?;
        let mut terms = vec![];
        for (item, item_loc) in items {
            let item = item?;
            self.comparable("in", &operand, &item, loc)?;
            self.possible(&operand.term, &item.term, item_loc);
            terms.push(item.term);
        }
        typed(Term::In(Box::new(operand.term), terms), Kind::Bool)
    }

    fn binary<V: Subject>(&mut self, operator: Binary, left: &Node, right: &Node, loc: Loc) -> Option<Typed<V>> {
        let (a, b) = (self.term::<V>(left), self.term::<V>(right));
        let (a, b) = (a?, b?);
        let (operator, sign) = (operator_of(operator), operator.sign());
        match operator {
            Operator::And | Operator::Or => {
                let (a, b) = (self.truth(sign, a, left.loc), self.truth(sign, b, right.loc));
                let (a, b) = (Box::new(a?), Box::new(b?));
                typed(if operator == Operator::And { Term::And(a, b) } else { Term::Or(a, b) }, Kind::Bool)
            }
            Operator::Eq | Operator::Ne | Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge => {
                self.comparable(sign, &a, &b, loc)?;
                if matches!(operator, Operator::Eq | Operator::Ne) {
                    self.possible(&a.term, &b.term, right.loc);
                    self.possible(&b.term, &a.term, left.loc);
                }
                typed(Term::Compare(operator, Box::new(a.term), Box::new(b.term)), Kind::Bool)
            }
            Operator::Add if a.kind == Kind::Text || b.kind == Kind::Text => {
                for (typed, loc) in [(&a, left.loc), (&b, right.loc)] {
                    if !matches!(typed.kind, Kind::Text | Kind::Unknown) {
                        return self.fail(Problem::JoinedWithText { found: typed.kind.name() }, loc);
                    }
                }
                typed(Term::Arithmetic(operator, Box::new(a.term), Box::new(b.term)), Kind::Text)
            }
            Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem => {
                let kind = if operator == Operator::Div { Kind::Double } else { a.kind.or(b.kind) };
                let (a, b) = (self.number(sign, a, left.loc), self.number(sign, b, right.loc));
                typed(Term::Arithmetic(operator, Box::new(a?), Box::new(b?)), kind)
            }
        }
    }

    fn operand<T>(
        &mut self,
        operator: &'static str,
        expected: &'static str,
        found: &'static str,
        at: Loc,
    ) -> Option<T> {
        self.fail(Problem::OperandType { operator, expected, found, quoted: false }, at)
    }

    fn truth<V>(&mut self, operator: &'static str, typed: Typed<V>, loc: Loc) -> Option<Term<V>> {
        match typed.kind {
            Kind::Bool | Kind::Unknown => Some(typed.term),
            found if operator == "a condition" => self.fail(Problem::NotACondition { found: found.name() }, loc),
            found => self.operand(operator, "true or false", found.name(), loc),
        }
    }

    fn number<V>(&mut self, operator: &'static str, typed: Typed<V>, loc: Loc) -> Option<Term<V>> {
        match typed.kind {
            Kind::Int | Kind::Double | Kind::Unknown => Some(typed.term),
            found => self.operand(operator, "a number", found.name(), loc),
        }
    }

    /// Compiles an argument that is a text.
    fn text<V: Subject>(&mut self, usage: &'static str, node: &Node) -> Option<Term<V>> {
        let typed = self.term(node)?;
        match typed.kind {
            Kind::Text | Kind::Unknown => Some(typed.term),
            found => {
                let problem = Problem::ArgumentType { usage, expected: "text", found: found.name(), quoted: false };
                self.fail(problem, node.loc)
            }
        }
    }

    fn comparable<V>(&mut self, sign: &'static str, a: &Typed<V>, b: &Typed<V>, loc: Loc) -> Option<()> {
        let ordered = !matches!(sign, "==" | "!=" | "in");
        if ordered && (a.kind == Kind::Bool || b.kind == Kind::Bool) {
            return self.operand(sign, "a number or text", Kind::Bool.name(), loc);
        }
        let alike = a.kind == b.kind || a.kind.is_number() && b.kind.is_number();
        if alike || a.kind == Kind::Unknown || b.kind == Kind::Unknown {
            return Some(());
        }
        let (left, right) = (a.kind.name(), b.kind.name());
        self.fail(Problem::Incomparable { left, right, quoted: false }, loc)
    }

    /// Warns if a value is compared with a text that it never is.
    fn possible<V: Subject>(&mut self, value: &Term<V>, text: &Term<V>, at: Loc) {
        let (Term::Read(value), Term::Text(text)) = (value, text) else { return };
        let Some((subject, among)) = value.among(self.known).filter(|(_, among)| !among.contains(&text.as_str()))
        else {
            return;
        };
        let nearest = nearest(text, among.iter().copied());
        let among = among.into_iter().take(MOST_NAMED).map(String::from).collect();
        let problem = Problem::NeverThisValue { subject, value: text.clone(), nearest, among };
        self.diagnostics.push(Diagnostic::new(problem, at));
    }
}

/// The maximum number of values that a message names.
const MOST_NAMED: usize = 8;

fn typed<V>(term: Term<V>, kind: Kind) -> Option<Typed<V>> {
    Some(Typed { term, kind })
}

fn operator_of(operator: Binary) -> Operator {
    match operator {
        Binary::Or => Operator::Or,
        Binary::And => Operator::And,
        Binary::Eq | Binary::In => Operator::Eq,
        Binary::Ne => Operator::Ne,
        Binary::Lt => Operator::Lt,
        Binary::Le => Operator::Le,
        Binary::Gt => Operator::Gt,
        Binary::Ge => Operator::Ge,
        Binary::Add => Operator::Add,
        Binary::Sub => Operator::Sub,
        Binary::Mul => Operator::Mul,
        Binary::Div => Operator::Div,
        Binary::Rem => Operator::Rem,
    }
}
