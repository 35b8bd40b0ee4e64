//! The program under construction: tables in which equal texts and expressions share an id.
//!
//! A short file can name a long text or list again and again, so what is copied is counted while it is made, and held to the
//! limits that the verifier has for the whole.

use crate::plan::{
    CallSpec, CallSpecId, Constant, Dist, DistId, Expr, ExprId, Fault, Program, SEMANTICS, Scope, ScopeId, TextId,
    limits,
};
use foldhash::{HashMap, HashMapExt};
use std::borrow::Cow;

pub struct Tables {
    pub program: Program,
    texts: HashMap<String, TextId>,
    /// By their JSON: expressions hold doubles, which have no hash of their own.
    exprs: HashMap<Vec<u8>, ExprId>,
    key: Vec<u8>,
    /// By their JSON.
    dists: HashMap<Vec<u8>, DistId>,
    /// The commonest expressions, found without their JSON.
    text_constants: HashMap<TextId, ExprId>,
    specs: HashMap<CallSpec, CallSpecId>,
    scopes: HashMap<Scope, ScopeId>,
    /// Bytes of text that were joined already.
    joined: usize,
    /// Values that were named again already.
    repeated: u64,
}

impl Tables {
    pub fn new() -> Tables {
        Tables {
            program: Program { semantics: SEMANTICS, ..Program::default() },
            texts: HashMap::new(),
            exprs: HashMap::new(),
            key: Vec::new(),
            dists: HashMap::new(),
            text_constants: HashMap::new(),
            specs: HashMap::new(),
            scopes: HashMap::new(),
            joined: 0,
            repeated: 0,
        }
    }

    /// Counts bytes that are joined to a text now, before any trace is made.
    ///
    /// # Errors
    ///
    /// They are more, with those before, than all texts of a plan may have.
    pub fn join(&mut self, bytes: usize) -> Result<(), Fault> {
        self.joined = self.joined.saturating_add(bytes);
        at_most("bytes of text", self.joined as u64, limits::TEXTS_BYTES as u64)
    }

    /// Counts values that were written once and are named again: the elements of a known list, the attributes of one more
    /// instance.
    ///
    /// # Errors
    ///
    /// They are more, with those before, than a plan may evaluate.
    pub fn repeat(&mut self, values: usize) -> Result<(), Fault> {
        self.repeated = self.repeated.saturating_add(values as u64);
        at_most("expressions to evaluate", self.repeated, limits::EVALUATIONS)
    }

    pub fn text(&mut self, text: &str) -> TextId {
        if let Some(&id) = self.texts.get(text) {
            return id;
        }
        let id = TextId(self.program.texts.len() as u32);
        self.program.texts.push(text.to_owned());
        self.texts.insert(text.to_owned(), id);
        id
    }

    pub fn expr(&mut self, expr: Expr) -> ExprId {
        self.key.clear();
        // Writing numbers, texts and ids to memory can't fail.
        let written = serde_json::to_writer(&mut self.key, &expr);
        debug_assert!(written.is_ok());
        if let Some(&id) = self.exprs.get(&self.key) {
            return id;
        }
        let id = ExprId(self.program.exprs.len() as u32);
        self.program.exprs.push(expr);
        self.exprs.insert(self.key.clone(), id);
        id
    }

    pub fn dist(&mut self, dist: Dist) -> DistId {
        self.key.clear();
        // Writing numbers and ids to memory can't fail.
        let written = serde_json::to_writer(&mut self.key, &dist);
        debug_assert!(written.is_ok());
        if let Some(&id) = self.dists.get(&self.key) {
            return id;
        }
        let id = DistId(self.program.dists.len() as u32);
        self.program.dists.push(dist);
        self.dists.insert(self.key.clone(), id);
        id
    }

    pub fn constant(&mut self, value: Constant) -> ExprId {
        self.expr(Expr::Const { value })
    }

    pub fn text_constant(&mut self, text: &str) -> ExprId {
        let text = self.text(text);
        if let Some(&id) = self.text_constants.get(&text) {
            return id;
        }
        let id = self.constant(Constant::Text(text));
        self.text_constants.insert(text, id);
        id
    }

    pub fn spec(&mut self, spec: CallSpec) -> CallSpecId {
        let specs = &mut self.program.specs;
        *self.specs.entry(spec).or_insert_with(|| {
            specs.push(spec);
            CallSpecId(specs.len() as u32 - 1)
        })
    }

    pub fn scope(&mut self, scope: Scope) -> ScopeId {
        let scopes = &mut self.program.scopes;
        *self.scopes.entry(scope).or_insert_with(|| {
            scopes.push(scope);
            ScopeId(scopes.len() as u32 - 1)
        })
    }

    pub fn text_of(&self, id: TextId) -> &str {
        &self.program.texts[id.index()]
    }

    /// The value, if it is known now.
    pub fn constant_of(&self, id: ExprId) -> Option<&Constant> {
        match &self.program.exprs[id.index()] {
            Expr::Const { value } => Some(value),
            _ => None,
        }
    }

    /// How many elements the value has: those of a list that is known now, else none.
    pub fn elements(&self, id: ExprId) -> usize {
        self.constant_of(id).map_or(0, Constant::size)
    }

    /// A constant as it stands in a text. Doubles are left to the interpreter, the one place that prints them.
    pub fn constant_text(&self, id: ExprId) -> Option<Cow<'_, str>> {
        match self.constant_of(id)? {
            Constant::Bool(value) => Some(value.to_string().into()),
            Constant::Int(value) => Some(value.to_string().into()),
            Constant::Text(text) => Some(self.text_of(*text).into()),
            Constant::Double(_) | Constant::Bytes(_) | Constant::List(_) | Constant::Map(_) => None,
        }
    }
}

/// The fault of a count beyond its limit, worded as the verifier's.
pub fn at_most(what: &'static str, count: u64, max: u64) -> Result<(), Fault> {
    if count > max { Err(Fault::TooMany { what, count, max }) } else { Ok(()) }
}
