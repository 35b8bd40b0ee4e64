//! The changes that an entry or a flag stands for.

use super::given::{Form, Given};
use super::kind::Kind;
use crate::condition::{Condition, EventValue, Vocabulary};
use crate::language::diagnostic::{Diagnostic, Problem, nearest};
use crate::language::source::{Loc, Located};
use crate::language::template::{Expr, Memo, Part, bare};
use crate::language::yaml::{Offsets, Style};
use crate::plan::SpanKind;
use crate::trace::Status;
use crate::verify::change::deed::{Deed, Piece, Setting};
use crate::verify::change::field::{Field, OTHERS, Place, Selector};
use crate::verify::change::hash::Hash;
use crate::verify::change::pattern::Pattern;

/// The maximum number of attributes, and of bytes of a text, that a change may keep.
const MOST: usize = 1 << 30;
/// The number of mistakes up to which it is looked up which key was meant, which takes longer than all else.
const MOST_LOOKED_UP: usize = 100;
/// The maximum number of keys that a message names.
const MOST_NAMED: usize = 8;

/// What is needed for reading a rule.
pub struct Reader<'r> {
    /// The text of the file or of the flag.
    pub source: &'r str,
    pub is_flag: bool,
    pub known: &'r mut Vocabulary,
    pub diagnostics: &'r mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Reports a mistake, and returns `None`.
    fn fail<T>(&mut self, problem: Problem, at: Loc) -> Option<T> {
        self.diagnostics.push(Diagnostic::new(problem, at));
        None
    }

    /// Reports that `subject` takes something else than what was found.
    pub fn mistyped<T>(
        &mut self,
        subject: &str,
        expected: &'static str,
        found: String,
        instead: Option<String>,
        at: Loc,
    ) -> Option<T> {
        self.fail(Problem::Mistyped { subject: subject.into(), expected, found, instead }, at)
    }

    /// Reports that a change was given something that it does not take.
    pub fn misused<T>(&mut self, kind: Kind, found: String, at: Loc) -> Option<T> {
        let (subject, instead) =
            (format!("`{}`", kind.word()), format!("for example `{}`", kind.example(self.is_flag)));
        self.mistyped(&subject, kind.takes(), found, Some(instead), at)
    }

    /// Reads what is written behind the word of a change, which stands at `at`.
    pub fn deeds(&mut self, kind: Kind, given: &Given, at: Loc) -> Option<Vec<Deed>> {
        if given.is_broken() {
            return None;
        }
        let deeds: Vec<Option<Deed>> = match (kind, &given.form) {
            (Kind::DropEvents, _) => vec![self.events(given)],
            (Kind::DropSpans, _) => match given.expression() {
                Some(_) => vec![self.condition(given).map(Deed::DropSpan)],
                None => vec![self.misused(kind, given.described(), given.loc)],
            },
            (Kind::Delete | Kind::Sha256 | Kind::Sha1 | Kind::Md5 | Kind::Any, Form::Map(_)) => {
                vec![self.misused(kind, given.described(), given.loc)]
            }
            (_, Form::Map(pairs)) => pairs.iter().map(|(field, value)| self.pair(kind, field, value)).collect(),
            (Kind::Delete | Kind::Sha256 | Kind::Sha1 | Kind::Md5 | Kind::Any | Kind::Mask, _) => {
                given.items().iter().map(|item| self.named(kind, item)).collect()
            }
            _ => vec![self.misused(kind, given.described(), given.loc)],
        };
        if deeds.is_empty() {
            return self.misused(kind, "nothing".into(), at);
        }
        let deeds: Vec<Deed> = deeds.into_iter().collect::<Option<_>>()?;
        deeds.iter().for_each(|deed| self.learn(deed));
        Some(deeds)
    }

    /// Adds the attributes that a change makes to the vocabulary, so that later conditions can read them.
    fn learn(&mut self, deed: &Deed) {
        let (Deed::Set(Setting::Attribute(place, key, _) | Setting::Computed(Field::Attribute(place, key), _))
        | Deed::Move { to: Field::Attribute(place, key), .. }) = deed
        else {
            return;
        };
        if !self.known.is_empty() {
            self.keys(*place).insert(key.clone());
        }
    }

    fn keys(&mut self, place: Place) -> &mut std::collections::BTreeSet<String> {
        match place {
            Place::Span => &mut self.known.attributes,
            Place::Resource => &mut self.known.resources,
            Place::Events => &mut self.known.events,
        }
    }

    /// Warns if no span of the run has an attribute.
    fn expect(&mut self, place: Place, key: &str, at: Loc) {
        if self.known.is_empty() || self.keys(place).contains(key) {
            return;
        }
        let subject = match place {
            Place::Span => "attribute",
            Place::Resource => "resource attribute",
            Place::Events => "attribute of an event",
        };
        let is_one_of_many = self.diagnostics.len() > MOST_LOOKED_UP;
        let keys = self.keys(place);
        let nearest = if is_one_of_many { None } else { nearest(key, keys.iter().map(String::as_str)) };
        let among = keys.iter().take(MOST_NAMED).cloned().collect();
        let problem = Problem::NeverThisValue { subject, value: key.into(), nearest, among };
        self.diagnostics.push(Diagnostic::new(problem, at));
    }

    fn not_a_field<T>(&mut self, kind: Kind, name: &str, instead: String, at: Loc) -> Option<T> {
        let subject = format!("`{}`", kind.word());
        let expected = if kind == Kind::Any { "the name of a field" } else { "a field that it can change" };
        self.mistyped(&subject, expected, format!("`{name}`"), Some(format!("it takes {instead}")), at)
    }

    fn selector(&mut self, kind: Kind, name: &str, at: Loc) -> Option<Selector> {
        match Selector::parse(name) {
            Ok(Selector::Text(_)) if kind == Kind::Delete => {
                let instead = format!("attributes; for an empty {name} write `{}`", self.emptied(name));
                self.not_a_field(kind, name, instead, at)
            }
            Ok(selector) => {
                if let Selector::Attribute(place, key) = &selector {
                    self.expect(*place, key, at);
                }
                Some(selector)
            }
            Err(instead) => self.not_a_field(kind, name, instead, at),
        }
    }

    fn emptied(&self, name: &str) -> String {
        if self.is_flag { format!("set({name}, '')") } else { format!("set: {{{name}: ''}}") }
    }

    fn field(&mut self, kind: Kind, name: &str, at: Loc) -> Option<Field> {
        Field::parse(name).map_or_else(|instead| self.not_a_field(kind, name, instead, at), Some)
    }

    /// Reads a change that is given by a name alone.
    fn named(&mut self, kind: Kind, given: &Given) -> Option<Deed> {
        let Some(name) = given.name() else { return self.misused(kind, given.described(), given.loc) };
        if kind == Kind::Any {
            let other = OTHERS.contains(&name);
            let name = if other { name.into() } else { self.field(kind, name, given.loc)?.to_string() };
            return Some(Deed::Any(name));
        }
        let selector = self.selector(kind, name, given.loc)?;
        Some(match kind {
            Kind::Delete => Deed::Delete(selector),
            Kind::Sha256 => Deed::Hash(selector, Hash::Sha256),
            Kind::Sha1 => Deed::Hash(selector, Hash::Sha1),
            Kind::Md5 => Deed::Hash(selector, Hash::Md5),
            _ => Deed::Mask(selector, None),
        })
    }

    /// Reads a change that is given by a field and a value.
    fn pair(&mut self, kind: Kind, field: &Located<String>, value: &Given) -> Option<Deed> {
        let (name, at) = (field.value.as_str(), field.loc);
        if value.is_broken() {
            return None;
        }
        match kind {
            Kind::Set => {
                let field = self.field(kind, name, at)?;
                self.setting(field, value).map(Deed::Set)
            }
            Kind::Rename | Kind::Move => self.shift(kind, name, at, value),
            Kind::Limit | Kind::KeepKeys => {
                let Some(place) = Place::ALL.into_iter().find(|place| place.name() == name) else {
                    return self.misused(kind, format!("`{name}`"), at);
                };
                self.reduction(kind, place, value)
            }
            _ => {
                let selector = self.selector(kind, name, at);
                self.edit(kind, selector, value)
            }
        }
    }

    fn setting(&mut self, field: Field, value: &Given) -> Option<Setting> {
        if let Some((text, style)) = value.template() {
            return self.computed(field, text, style, value.loc);
        }
        match (field, value.text(), value.datum()) {
            (Field::Attribute(place, key), _, Some(value)) => Some(Setting::Attribute(place, key, value)),
            (Field::Attribute(..), _, None) => {
                let instead = value.as_quoted();
                self.mistyped("`set`", "values that are written out", value.described(), instead, value.loc)
            }
            (Field::Text(field), Some(text), _) => Some(Setting::Text(field, text.into())),
            (Field::Kind, Some(name), _) => match SpanKind::ALL.into_iter().find(|kind| kind.name() == name) {
                Some(kind) => Some(Setting::Kind(kind)),
                None => {
                    let nearest = nearest(name, SpanKind::ALL.map(SpanKind::name));
                    self.fail(Problem::UnknownKind { kind: name.into(), nearest }, value.loc)
                }
            },
            (Field::Status, Some(text), _) => match text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b))) {
                ("unset", None) => Some(Setting::Status(Status::Unset)),
                ("ok", None) => Some(Setting::Status(Status::Ok)),
                ("error", message) => Some(Setting::Failed(message.map(|message| message.trim_start().into()))),
                _ => {
                    let expected = "`unset`, `ok`, `error`, or `error: MESSAGE`";
                    self.mistyped("the status", expected, value.described(), None, value.loc)
                }
            },
            (field, None, _) => {
                let instead = value.as_quoted();
                self.mistyped(&format!("`{field}`"), "a text", value.described(), instead, value.loc)
            }
        }
    }

    /// Reads a value with names of fields in `<<` and `>>`.
    fn computed(&mut self, to: Field, text: &str, style: Style, at: Loc) -> Option<Setting> {
        let before = self.diagnostics.len();
        let offsets = Offsets::new(self.source, at, style, text);
        let template = Memo::default().parse(text, at, &offsets, self.diagnostics);
        if self.diagnostics.len() > before {
            return None;
        }
        if matches!(to, Field::Kind | Field::Status) {
            let instead = "fields that are texts or attributes where it puts a value together".into();
            return self.not_a_field(Kind::Set, &to.to_string(), instead, at);
        }
        let pieces = template.parts.into_iter().map(|part| match part {
            Part::Text(text) => Some(Piece::Text(text)),
            Part::Expr(node) => {
                let Expr::Path(path) = &*node.value else {
                    let found = format!("`{}`", &self.source[node.loc.range()]);
                    return self.mistyped("a value", "only names of fields in `<<` and `>>`", found, None, node.loc);
                };
                let name = path.join(".");
                let from = self.field(Kind::Set, &name, node.loc)?;
                if matches!(from, Field::Kind | Field::Status) || from.is_of_events() && !to.is_of_events() {
                    let instead = "the values of texts and attributes, and those of events only for events".into();
                    return self.not_a_field(Kind::Set, &name, instead, node.loc);
                }
                if let Field::Attribute(place, key) = &from {
                    self.expect(*place, key, node.loc);
                }
                Some(Piece::Value(from))
            }
        });
        let pieces = Vec::from_iter(pieces);
        Some(Setting::Computed(to, pieces.into_iter().collect::<Option<_>>()?))
    }

    fn shift(&mut self, kind: Kind, name: &str, at: Loc, value: &Given) -> Option<Deed> {
        let from = self.field(kind, name, at);
        let to = match value.name() {
            Some(name) => self.field(kind, name, value.loc),
            None => self.misused(kind, value.described(), value.loc),
        };
        let Field::Attribute(place, key) = from? else {
            let instead = "attributes; `set` puts the value of any text into another field: `set: {was: <<name>>}`";
            return self.not_a_field(kind, name, instead.into(), at);
        };
        self.expect(place, &key, at);
        let to = to?;
        let refused = match &to {
            Field::Kind | Field::Status => "a text or an attribute as the field that gets the value",
            to if to.is_of_events() != (place == Place::Events) => "both fields of the span, or both of its events",
            Field::Attribute(other, same) if (*other, same) == (place, &key) => "two different fields",
            _ => return Some(Deed::Move { place, key, to }),
        };
        self.not_a_field(kind, &to.to_string(), refused.into(), value.loc)
    }

    fn reduction(&mut self, kind: Kind, place: Place, value: &Given) -> Option<Deed> {
        let items = value.items();
        let (most, keys) = match kind {
            Kind::Limit => (items.first().and_then(|first| first.number(MOST)), items.get(1..).unwrap_or_default()),
            _ => (Some(0), items),
        };
        let keys: Option<Vec<String>> = keys.iter().map(|key| key.name().map(String::from)).collect();
        match (kind, most, keys) {
            (Kind::Limit, Some(most), Some(first)) if first.len() <= most => Some(Deed::Limit { place, most, first }),
            (Kind::KeepKeys, _, Some(keys)) => Some(Deed::Keep(place, keys)),
            _ => self.misused(kind, value.described(), value.loc),
        }
    }

    /// Reads a change that edits texts.
    fn edit(&mut self, kind: Kind, selector: Option<Selector>, value: &Given) -> Option<Deed> {
        match (kind, value.items()) {
            (Kind::Truncate, [only]) if only.number(MOST).is_some() => {
                Some(Deed::Truncate(selector?, only.number(MOST)?))
            }
            (Kind::Replace, [pattern, by]) if pattern.text().is_some() && by.text().is_some() => {
                Some(Deed::Replace(selector?, self.pattern(pattern)?, by.text()?.into()))
            }
            (Kind::Mask, [pattern]) if pattern.text().is_some() => {
                Some(Deed::Mask(selector?, Some(self.pattern(pattern)?)))
            }
            _ => self.misused(kind, value.described(), value.loc),
        }
    }

    fn pattern(&mut self, given: &Given) -> Option<Pattern> {
        let pattern = Pattern::new(given.text()?);
        pattern.map_or_else(|reason| self.fail(Problem::BadRegex { reason }, given.loc), Some)
    }

    fn events(&mut self, given: &Given) -> Option<Deed> {
        let Some((text, style)) = given.expression() else {
            return self.misused(Kind::DropEvents, given.described(), given.loc);
        };
        let offsets = Offsets::new(self.source, given.loc, style, text);
        let template = bare(text, given.loc, &offsets, self.diagnostics);
        Condition::<EventValue>::compile(text, &template, self.known, self.diagnostics).map(Deed::DropEvents)
    }
}
