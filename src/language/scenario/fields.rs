//! The fields of mappings, and scalars read as texts, templates or numbers.

mod meant;

use std::borrow::Cow;

use self::meant::meant;
use crate::language::diagnostic::{Diagnostic, Problem, Role, nearest, short};
use crate::language::source::{Loc, Located};
use crate::language::template::{self, Memo, Template};
use crate::language::yaml::{Core, Entry, Kind, Node, Offsets, Style, core, is_template};
use crate::language::{Limits, MAX_FOUND};

/// The file that is being read.
pub struct Context<'a> {
    pub text: &'a str,
    pub limits: Limits<'a>,
    pub templates: Memo,
    /// The number of mappings so far in which `vars` or `attributes` are misspelt.
    pub misspelt_names: usize,
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl Context<'_> {
    pub fn report(&mut self, problem: Problem, at: Loc) {
        self.add(Diagnostic::new(problem, at));
    }

    pub fn add(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_FOUND {
            self.diagnostics.push(diagnostic);
        }
    }

    pub fn mistyped(&mut self, subject: &str, expected: &'static str, node: &Node, instead: Option<String>) {
        if !matches!(node.kind, Kind::Broken) {
            let problem = Problem::Mistyped { subject: subject.to_owned(), expected, found: describe(node), instead };
            self.report(problem, node.loc);
        }
    }

    /// Reads a constant text; `subject` names it. Returns `None`, and reports the mistake, if it is not constant.
    pub fn text(&mut self, subject: &str, node: &Node) -> Option<Located<String>> {
        let template = self.template(subject, node)?;
        match template.constant() {
            Some(text) => Some(Located::new(text.to_owned(), node.loc)),
            None if template.is_broken() => None,
            None => {
                self.report(Problem::TemplateNotAllowed { subject: subject.to_owned() }, node.loc);
                None
            }
        }
    }

    /// Reads a text field, which is the spelling of any scalar and must not be empty.
    pub fn template(&mut self, subject: &str, node: &Node) -> Option<Template> {
        let Kind::Scalar { text, style } = &node.kind else {
            self.mistyped(subject, "text", node, None);
            return None;
        };
        if node.is_null() || text.is_empty() {
            self.report(Problem::Empty { subject: subject.to_owned() }, node.loc);
            return None;
        }
        Some(self.parse(text, *style, node.loc))
    }

    /// Parses the template of a scalar. When the budget is spent, or there are too many mistakes, the template is a broken
    /// one, because parsing takes most of the time.
    pub fn parse(&mut self, text: &str, style: Style, loc: Loc) -> Template {
        if is_template(text) && (self.diagnostics.len() >= MAX_FOUND || self.limits.budget.is_spent()) {
            return Template { parts: vec![template::error(loc)], loc };
        }
        let offsets = Offsets::new(self.text, loc, style, text);
        self.templates.parse(text, loc, &offsets, self.diagnostics)
    }

    /// Reads a condition: an expression, bare or in `<<...>>`.
    pub fn condition(&mut self, subject: &str, node: &Node) -> Option<Template> {
        let Kind::Scalar { text, style } = &node.kind else {
            self.mistyped(subject, "an expression", node, None);
            return None;
        };
        if node.is_null() || text.trim().is_empty() {
            self.report(Problem::Empty { subject: subject.to_owned() }, node.loc);
            return None;
        }
        let begun = text.trim_start();
        if !begun.starts_with("<<") && !begun.starts_with("{{") {
            let offsets = Offsets::new(self.text, node.loc, *style, text);
            return Some(template::bare(text, node.loc, &offsets, self.diagnostics));
        }
        let template = self.parse(text, *style, node.loc);
        if template.single().is_none() {
            self.mistyped(subject, "one expression", node, None);
            return None;
        }
        Some(template)
    }

    /// Reads a number as a double.
    pub fn number(&mut self, subject: &str, expected: &'static str, node: &Node) -> Option<f64> {
        let Kind::Scalar { text, style } = &node.kind else {
            self.mistyped(subject, expected, node, None);
            return None;
        };
        match if *style == Style::Plain { core(text) } else { Core::Text } {
            Core::Int(value) => Some(value as f64),
            Core::Double(value) => Some(value),
            Core::OutOfRange => {
                self.report(Problem::NumberOutOfRange { value: short(text), range: "a finite number" }, node.loc);
                None
            }
            _ => {
                let instead = if is_template(text) {
                    Some("this version of tracegen takes no template here".into())
                } else {
                    meant_number(text).map(|number| format!("write {number}"))
                };
                self.mistyped(subject, expected, node, instead);
                None
            }
        }
    }
}

/// Returns the number that a text means, for a hint.
fn meant_number(text: &str) -> Option<String> {
    let cleaned: String = text.trim().trim_end_matches([' ', '%']).chars().filter(|c| *c != '_').collect();
    (cleaned.len() < 32 && matches!(core(&cleaned), Core::Int(_) | Core::Double(_))).then_some(cleaned)
}

/// The fields of a mapping.
pub struct Fields<'n> {
    owner: &'static str,
    /// The place of the mapping.
    pub loc: Loc,
    entries: &'n [Entry<'n>],
    /// Fields that are not missing, but misspelt.
    misspelt: Vec<String>,
    /// Whether there is an unknown field, which may be one that seems to be missing.
    has_unknown: bool,
}

/// The fields that all items of `calls` have in common.
pub const ITEM_WORDS: [&str; 10] =
    ["repeat", "vars", "when", "probability", "wait_ms", "async", "timeout_ms", "retry", "propagate", "client"];

/// Reports whether a field may be used for anything, such as anchors.
pub fn is_free(field: &str) -> bool {
    field.starts_with("x-")
}

impl<'n> Fields<'n> {
    /// Reads the fields of `node`, each of which must be in `known`; `owner` names the mapping ("a span").
    pub fn read(cx: &mut Context, node: &'n Node<'n>, owner: &'static str, known: &[&'static str]) -> Option<Self> {
        let Kind::Mapping(entries) = &node.kind else {
            cx.mistyped(owner, "a mapping of fields", node, None);
            return None;
        };
        let mut misspelt = vec![];
        let mut has_unknown = false;
        for entry in entries {
            let field = &*entry.key.value;
            if !known.contains(&field) && !is_free(field) {
                let meant = meant(field, owner);
                let hint = meant.as_ref().map(|meant| meant.hint).or_else(|| stray(cx.text, &entry.key));
                let suggest = hint.is_none() && cx.diagnostics.len() < cx.limits.suggestions;
                let nearest = if suggest { nearest(field, known.iter().copied()) } else { None };
                misspelt.extend(nearest.clone());
                misspelt.extend(meant.and_then(|meant| meant.field).map(String::from));
                has_unknown = true;
                cx.report(Problem::UnknownField { field: short(field), owner, nearest, hint }, entry.key.loc);
            }
        }
        // The names in templates may be defined in these.
        if misspelt.iter().any(|field| matches!(&**field, "vars" | "attributes")) {
            cx.misspelt_names += 1;
        }
        Some(Fields { owner, loc: node.loc, entries, misspelt, has_unknown })
    }

    pub fn get(&self, field: &str) -> Option<&'n Entry<'n>> {
        self.entries.iter().find(|entry| &*entry.key.value == field)
    }

    /// Returns the value of an optional field; an empty one counts as left out.
    pub fn optional(&self, field: &str) -> Option<&'n Node<'n>> {
        self.get(field).map(|entry| &*entry.value).filter(|node| !node.is_null())
    }

    pub fn required(&self, cx: &mut Context, field: &'static str) -> Option<&'n Entry<'n>> {
        let entry = self.get(field);
        if entry.is_none() {
            self.missing(cx, field);
        }
        entry
    }

    /// Reports that a field is missing, unless there is an unknown one, which may be meant.
    pub fn missing(&self, cx: &mut Context, field: &'static str) {
        if !self.has_unknown {
            cx.report(Problem::MissingField { field, owner: self.owner }, self.head());
        }
    }

    /// Reports whether a field is misspelt, and therefore not missing.
    pub fn is_misspelt(&self, field: &str) -> bool {
        self.misspelt.iter().any(|misspelt| misspelt == field)
    }

    /// Returns one of two fields that exclude each other, and reports the mistake if both are set.
    pub fn either(&self, cx: &mut Context, field: &'static str, other: &'static str) -> Option<&'n Entry<'n>> {
        let (one, two) = (self.get(field), self.get(other));
        if let (Some(one), Some(two)) = (one, two) {
            let problem = Problem::Conflict { field, other };
            cx.add(Diagnostic::new(problem, two.key.loc).related(Role::First, one.key.loc));
        }
        one.or(two)
    }

    /// Returns the place that stands for the mapping: its first key, or all of it if it is empty.
    pub fn head(&self) -> Loc {
        self.entries.first().map_or(self.loc, |entry| entry.key.loc)
    }
}

/// Explains an entry without a value inside `{...}`: there is a comma in a value, or a colon without a space.
pub fn stray(text: &str, key: &Located<Cow<str>>) -> Option<&'static str> {
    if !text[key.loc.end as usize..].trim_start().starts_with([',', '}']) {
        None
    } else if key.value.contains(':') {
        Some("a space belongs behind the colon: `{200: 95}`")
    } else {
        Some("inside {...} a comma ends the value before it: quote that value if the comma belongs to it")
    }
}

/// Describes a node in words.
pub fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Sequence(_) => "a list".into(),
        Kind::Mapping(_) => "a mapping".into(),
        Kind::Broken => "nothing readable".into(),
        Kind::Scalar { text, style: Style::Plain } => match core(text) {
            Core::Null => "nothing".into(),
            Core::Bool(value) => format!("the boolean `{value}`"),
            Core::Int(_) | Core::Double(_) | Core::OutOfRange => format!("the number `{}`", short(text)),
            Core::Text => format!("the text `{}`", short(text)),
        },
        Kind::Scalar { text, .. } => format!("the text `{}`", short(text)),
    }
}
