//! The program under construction: tables in which equal texts and expressions share an id.

use crate::plan::{Constant, Expr, ExprId, Program, SEMANTICS, TextId};
use foldhash::{HashMap, HashMapExt};

pub struct Tables {
    pub program: Program,
    texts: HashMap<String, TextId>,
    /// By their JSON: expressions hold doubles, which have no hash of their own.
    exprs: HashMap<Vec<u8>, ExprId>,
    key: Vec<u8>,
    /// The commonest expressions, found without their JSON.
    text_constants: HashMap<TextId, ExprId>,
}

impl Tables {
    pub fn new() -> Tables {
        Tables {
            program: Program { semantics: SEMANTICS, ..Program::default() },
            texts: HashMap::new(),
            exprs: HashMap::new(),
            key: Vec::new(),
            text_constants: HashMap::new(),
        }
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

    /// A constant as it stands in a text. Doubles are left to the interpreter, the one place that prints them.
    pub fn constant_text(&self, id: ExprId) -> Option<String> {
        match self.constant_of(id)? {
            Constant::Bool(value) => Some(value.to_string()),
            Constant::Int(value) => Some(value.to_string()),
            Constant::Text(text) => Some(self.text_of(*text).to_owned()),
            Constant::Double(_) | Constant::List(_) => None,
        }
    }
}
