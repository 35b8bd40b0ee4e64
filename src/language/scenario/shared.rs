//! Shared spans: what a file or a directory defines once, for all places that use it.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Span, Value, Var};
use crate::language::source::Located;

/// The shared spans that a file may use: its own, and those of its directory.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The directory's.
    base: Option<Arc<Library>>,
    own: Vec<Definition>,
    places: HashMap<String, usize>,
    /// Whether some may be missing for a mistake that was reported.
    is_short: bool,
}

/// A shared span.
#[derive(Clone, Debug)]
pub struct Definition {
    pub name: Located<String>,
    pub parameters: Vec<Parameter>,
    /// What it says of the spans that use it. It may be without anything that a span must have.
    pub span: Span,
    /// Whether parameters or attributes may be missing for a mistake that was reported.
    pub lacks_names: bool,
    /// How much there is to compile in it: its values, with what aliases repeat; a long text counts as several.
    pub weight: usize,
}

/// What a use of a shared span may give it, or must, if there is no default.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: Located<String>,
    pub default: Option<Value>,
}

/// That a span is made from a shared one.
#[derive(Clone, Debug)]
pub struct Use {
    pub name: Located<String>,
    /// The values of parameters.
    pub with: Vec<Var>,
}

impl Library {
    /// The shared span of this name, and the library that the names in it are looked up in.
    pub fn get(&self, name: &str) -> Option<(&Library, &Definition)> {
        match self.places.get(name) {
            Some(&place) => Some((self, &self.own[place])),
            None => self.base()?.get(name),
        }
    }

    /// The shared spans that the file itself defines.
    pub fn own(&self) -> &[Definition] {
        &self.own
    }

    /// The shared spans of the directory.
    pub fn base(&self) -> Option<&Library> {
        self.base.as_deref()
    }

    /// Whether one that it lacks may be missing for a mistake that was reported.
    pub fn is_short(&self) -> bool {
        self.is_short || self.base().is_some_and(Library::is_short)
    }

    pub(super) fn mark_short(&mut self) {
        self.is_short = true;
    }

    /// Puts the shared spans of the directory below these.
    pub(super) fn put_above(&mut self, base: &Arc<Library>) {
        self.base = Some(base.clone());
    }

    /// Adds a shared span. Returns the one that has its name already.
    pub(super) fn add(&mut self, definition: Definition) -> Option<&Definition> {
        if let Some(&first) = self.places.get(&definition.name.value) {
            return Some(&self.own[first]);
        }
        self.places.insert(definition.name.value.clone(), self.own.len());
        self.own.push(definition);
        None
    }
}
