//! The kinds of changes, as they are written.

use super::given::{Form, Given};
use crate::language::source::{Loc, Located};

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Set,
    Delete,
    Rename,
    Move,
    Sha256,
    Sha1,
    Md5,
    Mask,
    Replace,
    Truncate,
    Limit,
    KeepKeys,
    DropEvents,
    DropSpans,
    Any,
}

impl Kind {
    pub const ALL: [Kind; 15] = [
        Kind::Set,
        Kind::Delete,
        Kind::Rename,
        Kind::Move,
        Kind::Sha256,
        Kind::Sha1,
        Kind::Md5,
        Kind::Mask,
        Kind::Replace,
        Kind::Truncate,
        Kind::Limit,
        Kind::KeepKeys,
        Kind::DropEvents,
        Kind::DropSpans,
        Kind::Any,
    ];

    /// Returns the word for the kind, how it is used in a file, and how in a flag.
    fn written(self) -> [&'static str; 3] {
        match self {
            Kind::Set => ["set", "set: {resource.env: staging}", "set(resource.env, 'staging')"],
            Kind::Delete => ["delete", "delete: user.email", "delete(user.email)"],
            Kind::Rename => ["rename", "rename: {user.mail: user.email}", "rename(user.mail, user.email)"],
            Kind::Move => ["move", "move: {host.name: resource.host.name}", "move(host.name, resource.host.name)"],
            Kind::Sha256 => ["sha256", "sha256: user.email", "sha256(user.email)"],
            Kind::Sha1 => ["sha1", "sha1: user.email", "sha1(user.email)"],
            Kind::Md5 => ["hash_md5", "hash_md5: user.email", "hash_md5(user.email)"],
            Kind::Mask => ["mask", "mask: user.email", "mask(user.email)"],
            Kind::Replace => ["replace", r"replace: {name: ['\d+', '{id}']}", r"replace(name, '\\d+', '{id}')"],
            Kind::Truncate => ["truncate", "truncate: {attributes: 32}", "truncate(attributes, 32)"],
            Kind::Limit => ["limit", "limit: {attributes: 8}", "limit(attributes, 8)"],
            Kind::KeepKeys => ["keep_keys", "keep_keys: {attributes: [user.id]}", "keep_keys(attributes, user.id)"],
            Kind::DropEvents => ["drop_events", "drop_events: name == 'retry'", "drop_events(name == 'retry')"],
            Kind::DropSpans => ["drop_spans", "drop_spans: kind == 'CLIENT'", "drop_spans(kind == 'CLIENT')"],
            Kind::Any => ["any", "any: resource.k8s.pod.name", "any(resource.k8s.pod.name)"],
        }
    }

    /// Returns the kind with this word.
    pub fn named(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.word() == word)
    }

    pub fn word(self) -> &'static str {
        self.written()[0]
    }

    /// Returns an example of it, in a flag or in a file.
    pub fn example(self, is_flag: bool) -> &'static str {
        self.written()[1 + usize::from(is_flag)]
    }

    /// Returns what it takes.
    pub fn takes(self) -> &'static str {
        match self {
            Kind::Set => "fields with their values",
            Kind::Delete | Kind::Sha256 | Kind::Sha1 | Kind::Md5 | Kind::Any => "the name of a field, or several",
            Kind::Rename | Kind::Move => "attributes, each with the field that gets its value",
            Kind::Mask => "the name of a field, or fields with a regular expression each",
            Kind::Replace => "fields, each with a regular expression and what replaces it",
            Kind::Truncate => "fields with a number of bytes each",
            Kind::Limit => "`attributes`, `resource` or `events.attributes` with a number, and keys to keep first",
            Kind::KeepKeys => "`attributes`, `resource` or `events.attributes` with the keys to keep",
            Kind::DropEvents | Kind::DropSpans => "a condition",
        }
    }

    /// Brings the arguments of a call into the form that they have in a file. Returns `None` if there are too few or too many.
    pub fn positional(self, mut arguments: Vec<Given>, loc: Loc) -> Option<Given> {
        let takes_names = matches!(self, Kind::Delete | Kind::Sha256 | Kind::Sha1 | Kind::Md5 | Kind::Any);
        match (self, arguments.len()) {
            (_, 0) => None,
            (Kind::DropEvents | Kind::DropSpans, n) => arguments.pop().filter(|_| n == 1),
            (Kind::Mask, 1) => Some(Given { loc, form: Form::List(arguments) }),
            _ if takes_names => Some(Given { loc, form: Form::List(arguments) }),
            (_, 1) => None,
            _ => {
                let field = arguments.remove(0);
                let field = Located::new(field.name()?.to_string(), field.loc);
                let value = match arguments.len() {
                    1 => arguments.remove(0),
                    _ => Given { loc, form: Form::List(arguments) },
                };
                Some(Given { loc, form: Form::Map(vec![(field, value)]) })
            }
        }
    }
}
