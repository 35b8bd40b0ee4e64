//! Functions and filters.

use super::{Compiler, Kind, Subject, Typed, typed};
use crate::condition::term::{Conversion, Term, TextTest};
use crate::language::diagnostic::{Problem, nearest};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, Node};
use regex::RegexBuilder;

/// The maximum size in bytes of a compiled regex, and of what is kept while it searches.
const REGEX_BYTES: usize = 1 << 20;

const FUNCTIONS: [&str; 5] = ["matches", "contains", "starts_with", "ends_with", "has"];
const FILTERS: [&str; 7] = ["default", "int", "double", "bool", "text", "lower", "upper"];

impl Compiler<'_> {
    pub(super) fn call<V: Subject>(&mut self, name: &str, loc: Loc, arguments: &[Node]) -> Option<Typed<V>> {
        if let Some(typed) = V::call(self, name, loc, arguments) {
            return typed;
        }
        let test = match name {
            "matches" => return self.matches(loc, arguments),
            "has" => {
                let [operand] = self.arguments("has(x)", loc, arguments)?;
                return typed(Term::Has(Box::new(self.term(operand)?.term)), Kind::Bool);
            }
            "contains" => (TextTest::Contains, "contains(x, 'part')"),
            "starts_with" => (TextTest::StartsWith, "starts_with(x, 'begin')"),
            "ends_with" => (TextTest::EndsWith, "ends_with(x, 'end')"),
            _ => {
                let nearest = nearest(name, FUNCTIONS.into_iter().chain(["any", "all", "count", "attribute"]));
                return self.fail(Problem::UnknownFunction { name: name.to_owned(), nearest }, loc);
            }
        };
        let (test, usage) = test;
        let [operand, part] = self.arguments(usage, loc, arguments)?;
        let (operand, part) = (self.text(usage, operand), self.text(usage, part));
        typed(Term::Test(test, Box::new(operand?), Box::new(part?)), Kind::Bool)
    }

    fn matches<V: Subject>(&mut self, loc: Loc, arguments: &[Node]) -> Option<Typed<V>> {
        let usage = "matches(x, 'regex')";
        let [operand, pattern] = self.arguments(usage, loc, arguments)?;
        let (operand, written) = (self.text(usage, operand), self.written(usage, pattern));
        let built = RegexBuilder::new(written?).size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).build();
        match built {
            Ok(regex) => typed(Term::Matches(Box::new(operand?), regex), Kind::Bool),
            Err(error) => self.fail(Problem::BadRegex { reason: reason(&error) }, pattern.loc),
        }
    }

    /// Returns the text of an argument that must be written out.
    pub fn written<'n>(&mut self, usage: &'static str, node: &'n Node) -> Option<&'n str> {
        match &*node.value {
            Expr::Text(text) => Some(text),
            Expr::Error => None,
            _ => {
                let (expected, found) = ("a text that is written out", "something else");
                self.fail(Problem::ArgumentType { usage, expected, found, quoted: false }, node.loc)
            }
        }
    }

    /// Returns the arguments of a call, if it has as many as it takes.
    pub fn arguments<'n, const N: usize>(
        &mut self,
        usage: &'static str,
        loc: Loc,
        arguments: &'n [Node],
    ) -> Option<&'n [Node; N]> {
        let found = arguments.len();
        match arguments.try_into() {
            Ok(arguments) => Some(arguments),
            Err(_) => self.fail(Problem::ArgumentCount { usage, least: N, most: N, found }, loc),
        }
    }

    pub(super) fn filter<V: Subject>(
        &mut self,
        input: &Node,
        name: &Located<String>,
        arguments: &[Node],
        loc: Loc,
    ) -> Option<Typed<V>> {
        let operand = self.term::<V>(input);
        let (conversion, usage, kind) = match name.value.as_str() {
            "default" => {
                let [otherwise] = self.arguments("x | default('none')", loc, arguments)?;
                let (operand, otherwise) = (operand?, self.term(otherwise)?);
                let kind = operand.kind.or(otherwise.kind);
                return typed(Term::Default(Box::new(operand.term), Box::new(otherwise.term)), kind);
            }
            "int" => (Conversion::Int, "x | int", Kind::Int),
            "double" => (Conversion::Double, "x | double", Kind::Double),
            "bool" => (Conversion::Bool, "x | bool", Kind::Bool),
            "text" => (Conversion::Text, "x | text", Kind::Text),
            "lower" => (Conversion::Lower, "x | lower", Kind::Text),
            "upper" => (Conversion::Upper, "x | upper", Kind::Text),
            other => {
                let problem = Problem::UnknownFilter { name: other.to_owned(), nearest: nearest(other, FILTERS) };
                return self.fail(problem, name.loc);
            }
        };
        let [] = self.arguments(usage, loc, arguments)?;
        typed(Term::Convert(conversion, Box::new(operand?.term)), kind)
    }
}

/// Returns the reason why a regex is refused, in one line.
fn reason(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it takes too much memory: make it shorter, or its repetitions fewer".into(),
        error => {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    }
}
