//! The program under construction: tables in which equal texts and expressions share an id.
//!
//! A short file can use a long text or list again and again. Copies are therefore counted while they are made, and limited
//! as the verifier limits the whole program.

use crate::plan::{
    CallSpec, CallSpecId, Constant, Dist, DistId, Expr, ExprId, Fault, Program, SEMANTICS, Scope, ScopeId, TextId,
    limits,
};
use foldhash::{HashMap, HashMapExt};
use std::borrow::Cow;

pub struct Tables {
    pub program: Program,
    texts: HashMap<String, TextId>,
    /// The expressions by their JSON, because they hold doubles, which can't be hashed.
    exprs: HashMap<Vec<u8>, ExprId>,
    key: Vec<u8>,
    /// The distributions by their JSON.
    dists: HashMap<Vec<u8>, DistId>,
    /// The most frequent expressions, which are found without their JSON.
    text_constants: HashMap<TextId, ExprId>,
    specs: HashMap<CallSpec, CallSpecId>,
    scopes: HashMap<Scope, ScopeId>,
    /// The number of bytes of text that have been joined.
    joined: usize,
    /// The number of values that have been used again.
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

    /// Counts bytes of text that are joined when compiling.
    ///
    /// # Errors
    /// Together with those before, they exceed the limit on the texts of a plan.
    pub fn join(&mut self, bytes: usize) -> Result<(), Fault> {
        self.joined = self.joined.saturating_add(bytes);
        at_most("bytes of text", self.joined as u64, limits::TEXTS_BYTES as u64)
    }

    /// Counts values that are written once and used again: the elements of a known list, the attributes of another
    /// instance.
    ///
    /// # Errors
    /// Together with those before, they exceed the limit on evaluations of a plan.
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
        // Writing numbers, texts and ids to memory never fails.
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
        // Writing numbers and ids to memory never fails.
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

    /// Returns the value if it is known when compiling.
    pub fn constant_of(&self, id: ExprId) -> Option<&Constant> {
        match &self.program.exprs[id.index()] {
            Expr::Const { value } => Some(value),
            _ => None,
        }
    }

    /// Returns the number of elements of a list that is known when compiling, or 0 for other values.
    pub fn elements(&self, id: ExprId) -> usize {
        self.constant_of(id).map_or(0, Constant::size)
    }

    /// Returns the text of a constant. Doubles are left to the interpreter, which is the only place that formats them.
    pub fn constant_text(&self, id: ExprId) -> Option<Cow<'_, str>> {
        match self.constant_of(id)? {
            Constant::Bool(value) => Some(value.to_string().into()),
            Constant::Int(value) => Some(value.to_string().into()),
            Constant::Text(text) => Some(self.text_of(*text).into()),
            Constant::Double(_) | Constant::Bytes(_) | Constant::List(_) | Constant::Map(_) => None,
        }
    }
}

/// Fails if a count exceeds its limit, with the fault that the verifier would report.
pub fn at_most(subject: &'static str, count: u64, max: u64) -> Result<(), Fault> {
    if count > max { Err(Fault::TooMany { subject, count, max }) } else { Ok(()) }
}
