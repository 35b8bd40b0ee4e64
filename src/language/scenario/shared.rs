//! Shared spans, which a file or a directory defines once for all uses.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Span, Value, Var};
use crate::language::source::Located;

/// The shared spans that a file may use: its own, and those of its directory.
#[derive(Clone, Debug, Default)]
pub struct Library {
    /// The shared spans of the directory.
    base: Option<Arc<Library>>,
    own: Vec<Definition>,
    places: HashMap<String, usize>,
    /// Whether some may be missing because of a reported mistake.
    is_short: bool,
}

/// A shared span.
#[derive(Clone, Debug)]
pub struct Definition {
    pub name: Located<String>,
    pub parameters: Vec<Parameter>,
    /// The parts that it gives to the spans that use it. It need not have all that a span must have.
    pub span: Span,
    /// Whether parameters or attributes may be missing because of a reported mistake.
    pub lacks_names: bool,
    /// The amount that there is to compile in it: its values, including those repeated by aliases; a long text counts as
    /// several.
    pub weight: usize,
}

/// A parameter of a shared span. A use must give it a value if there is no default.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub name: Located<String>,
    pub default: Option<Value>,
}

/// The use of a shared span by a span.
#[derive(Clone, Debug)]
pub struct Use {
    pub name: Located<String>,
    /// The values of parameters.
    pub with: Vec<Var>,
}

impl Library {
    /// Returns the shared span of this name, and the library for the names in it.
    pub fn get(&self, name: &str) -> Option<(&Library, &Definition)> {
        match self.places.get(name) {
            Some(&place) => Some((self, &self.own[place])),
            None => self.base()?.get(name),
        }
    }

    /// Returns the shared spans that the file itself defines.
    pub fn own(&self) -> &[Definition] {
        &self.own
    }

    /// Returns the shared spans of the directory.
    pub fn base(&self) -> Option<&Library> {
        self.base.as_deref()
    }

    /// Reports whether shared spans may be missing because of a reported mistake.
    pub fn is_short(&self) -> bool {
        self.is_short || self.base().is_some_and(Library::is_short)
    }

    pub(super) fn mark_short(&mut self) {
        self.is_short = true;
    }

    /// Adds the shared spans of the directory below these.
    pub(super) fn put_above(&mut self, base: &Arc<Library>) {
        self.base = Some(base.clone());
    }

    /// Adds a shared span, or returns the one that already has its name.
    pub(super) fn add(&mut self, definition: Definition) -> Option<&Definition> {
        if let Some(&first) = self.places.get(&definition.name.value) {
            return Some(&self.own[first]);
        }
        self.places.insert(definition.name.value.clone(), self.own.len());
        self.own.push(definition);
        None
    }
}
