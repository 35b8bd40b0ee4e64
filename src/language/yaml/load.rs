//! Builds nodes from parser events, with an explicit stack.

use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;

use granit_parser::{ErrorKind, Event, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle};

use super::{Kind, MAX_ALIASED_NODES, MAX_NESTING, MAX_NODES, Node, Parsed, Style, hint, mapping, traps};
use crate::language::diagnostic::{Diagnostic, Problem, Role, nearest};
use crate::language::source::{FileId, Loc};
use crate::language::{Limits, MAX_FOUND};

/// The number of events between two checks of the budget, because reading the clock takes time.
const EVENTS_A_LOOK: usize = 256;

/// The number of syntax errors after which the remainder of a file is not read.
const MAX_SYNTAX_ERRORS: usize = 100;

pub struct Loader<'a, 'd> {
    file: FileId,
    text: &'a str,
    limits: Limits<'d>,
    diagnostics: &'d mut Vec<Diagnostic>,
    stack: Vec<Frame>,
    /// The children of all frames on the stack, in order. Keys and values alternate in a mapping.
    children: Vec<Rc<Node<'a>>>,
    root: Option<Rc<Node<'a>>>,
    /// The anchors by the parser's id, which is in file order.
    anchors: BTreeMap<usize, Anchor<'a>>,
    nodes: usize,
    aliased: usize,
}

struct Frame {
    start: usize,
    flow: bool,
    anchor: usize,
    mapping: bool,
    /// The position of its first child.
    first: usize,
}

struct Anchor<'a> {
    name: String,
    loc: Loc,
    used: bool,
    /// The node; `None` until its last event.
    node: Option<Rc<Node<'a>>>,
}

/// The reason for giving up a file.
enum Stop {
    Syntax(ScanError),
    TooManyNodes(Loc),
    /// The budget is spent, or there are too many mistakes.
    Enough,
}

impl<'a, 'd> Loader<'a, 'd> {
    pub fn new(file: FileId, text: &'a str, limits: Limits<'d>, diagnostics: &'d mut Vec<Diagnostic>) -> Self {
        let (stack, children, anchors) = (vec![], vec![], BTreeMap::new());
        Loader { file, text, limits, diagnostics, stack, children, root: None, anchors, nodes: 0, aliased: 0 }
    }

    pub fn run(mut self) -> Parsed<'a> {
        let options = granit_parser::options! {
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            flow_nesting_limit: MAX_NESTING,
            block_nesting_limit: MAX_NESTING,
        };
        let mut parser = Parser::new_from_str_with_options(self.text, options);
        let mut documents = vec![];
        let mut errors = 0;
        loop {
            match self.document(&mut parser, &mut documents) {
                Ok(()) => return Parsed { documents, complete: errors == 0 },
                Err(Stop::Enough) => return Parsed { documents, complete: false },
                Err(Stop::TooManyNodes(loc)) => {
                    self.diagnostics.push(Diagnostic::new(Problem::TooManyNodes { limit: MAX_NODES }, loc));
                    return Parsed { documents, complete: false };
                }
                Err(Stop::Syntax(error)) => {
                    errors += 1;
                    self.syntax_error(&error);
                    self.reset();
                    if errors >= MAX_SYNTAX_ERRORS || !matches!(parser.proceed_next_document(), Ok(true)) {
                        return Parsed { documents, complete: false };
                    }
                }
            }
        }
    }

    /// Reads up to the end of the stream, or the first syntax error.
    fn document(
        &mut self,
        parser: &mut Parser<'a, StrInput<'a>>,
        documents: &mut Vec<Rc<Node<'a>>>,
    ) -> Result<(), Stop> {
        for count in 1_usize.. {
            let is_spent = count.is_multiple_of(EVENTS_A_LOOK) && self.limits.budget.is_spent();
            if is_spent || self.diagnostics.len() >= MAX_FOUND {
                return Err(Stop::Enough);
            }
            let Some(next) = parser.next_event() else { break };
            let (event, span) = next.map_err(Stop::Syntax)?;
            match event {
                Event::DocumentStart(..) => self.reset(),
                Event::DocumentEnd => {
                    self.unused_anchors();
                    documents.extend(self.root.take());
                }
                Event::StreamEnd => return Ok(()),
                _ => self.node(event, span)?,
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.stack.clear();
        self.children.clear();
        self.anchors.clear();
        self.root = None;
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<(), Stop> {
        let loc = self.loc(&span);
        if let Some(tag) = event.tag() {
            let at = span.tag_span().map_or(loc, |span| self.loc(&span));
            self.diagnostics.push(Diagnostic::new(Problem::Tag { tag: tag.original() }, at));
        }
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::SingleQuoted,
                    ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let loc = if style == Style::Block { self.trimmed(loc) } else { loc };
                if style == Style::Plain {
                    traps::comment(self.text, loc, self.diagnostics);
                }
                let node = Rc::new(Node::new(loc, Kind::Scalar { text, style }));
                self.finished(node, anchor)
            }
            Event::SequenceStart(style, anchor, _) => self.open(loc, style, anchor, false),
            Event::MappingStart(style, anchor, _) => self.open(loc, style, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.stack.pop() else { return Ok(()) };
                let loc = self.trimmed(Loc { start: frame.start as u32, ..loc });
                let source = traps::Source { text: self.text, file: self.file };
                let children = self.children.drain(frame.first..).collect();
                let kind = if frame.mapping {
                    mapping::build(source, loc, frame.flow, children, self.diagnostics)
                } else {
                    Kind::Sequence(traps::sequence(source, frame.flow, children, self.diagnostics))
                };
                self.finished(Rc::new(Node::new(loc, kind)), frame.anchor)
            }
            Event::Anchor(id, name) => {
                // The anchor's node may be finished already (a scalar) or just opened.
                let node = self.anchors.remove(&id).and_then(|anchor| anchor.node);
                self.anchors.insert(id, Anchor { name: name.into(), loc, used: false, node });
                Ok(())
            }
            Event::Alias(id) => {
                let node = self.alias(id, loc);
                self.finished(node, 0)
            }
            Event::UnresolvedAlias(name) => {
                let problem = Problem::UnknownAlias { nearest: self.nearest_anchor(&name), name: name.into() };
                self.diagnostics.push(Diagnostic::new(problem, loc));
                self.finished(Rc::new(Node::new(loc, Kind::Broken)), 0)
            }
            _ => Ok(()),
        }
    }

    fn nearest_anchor(&self, name: &str) -> Option<String> {
        if self.diagnostics.len() >= self.limits.suggestions {
            return None;
        }
        nearest(name, self.anchors.values().map(|anchor| anchor.name.as_str()))
    }

    fn open(&mut self, loc: Loc, style: StructureStyle, anchor: usize, mapping: bool) -> Result<(), Stop> {
        self.count(loc)?;
        let flow = style == StructureStyle::Flow;
        self.stack.push(Frame { start: loc.start as usize, flow, anchor, mapping, first: self.children.len() });
        Ok(())
    }

    fn alias(&mut self, id: usize, loc: Loc) -> Rc<Node<'a>> {
        let broken = || Rc::new(Node::new(loc, Kind::Broken));
        let Some(anchor) = self.anchors.get_mut(&id) else { return broken() };
        anchor.used = true;
        let Some(node) = &anchor.node else {
            let problem = Problem::RecursiveAlias { name: anchor.name.clone() };
            self.diagnostics.push(Diagnostic::new(problem, loc).related(Role::Anchor, anchor.loc));
            return broken();
        };
        if self.aliased > MAX_ALIASED_NODES {
            return broken();
        }
        self.aliased = self.aliased.saturating_add(node.weight);
        if self.aliased > MAX_ALIASED_NODES {
            let problem = Problem::AliasBomb { limit: MAX_ALIASED_NODES };
            self.diagnostics.push(Diagnostic::new(problem, loc).related(Role::Anchor, anchor.loc));
            return broken();
        }
        node.clone()
    }

    /// Finishes a node after its last event.
    fn finished(&mut self, node: Rc<Node<'a>>, anchor: usize) -> Result<(), Stop> {
        if !matches!(node.kind, Kind::Sequence(_) | Kind::Mapping(_)) {
            self.count(node.loc)?;
        }
        if anchor != 0 {
            let entry = self.anchors.entry(anchor);
            entry.or_insert_with(|| Anchor { name: String::new(), loc: node.loc, used: false, node: None }).node =
                Some(node.clone());
        }
        if self.stack.is_empty() {
            self.root = Some(node);
        } else {
            self.children.push(node);
        }
        Ok(())
    }

    fn count(&mut self, loc: Loc) -> Result<(), Stop> {
        self.nodes += 1;
        if self.nodes > MAX_NODES { Err(Stop::TooManyNodes(loc)) } else { Ok(()) }
    }

    fn unused_anchors(&mut self) {
        for anchor in mem::take(&mut self.anchors).into_values().filter(|anchor| !anchor.used) {
            self.diagnostics.push(Diagnostic::new(Problem::UnusedAnchor { name: anchor.name }, anchor.loc));
        }
    }

    fn syntax_error(&mut self, error: &ScanError) {
        let at = self.clamp(error.marker().byte_offset().unwrap_or(self.text.len()));
        // In `{{id}}/orders` the braces are the mistake, which is reported; the text after them is only a consequence.
        if let Some(Diagnostic { problem: Problem::BracesAreMapping { .. }, at: braces, .. }) = self.diagnostics.last()
            && braces.end as usize == at
        {
            return;
        }
        let next = self.text[at..].chars().next();
        let end = at + next.filter(|c| !c.is_whitespace()).map_or(0, char::len_utf8);
        let loc = Loc { file: self.file, start: at as u32, end: end as u32 };
        let problem = match error.kind() {
            ErrorKind::RecursionLimitExceeded => Problem::NestedTooDeep { limit: MAX_NESTING },
            kind => Problem::Syntax { message: hint::message(kind), hint: hint::hint(self.text, at, kind) },
        };
        self.diagnostics.push(Diagnostic::new(problem, loc));
    }

    fn loc(&self, span: &Span) -> Loc {
        let range = span.byte_range().unwrap_or(0..0);
        let start = self.clamp(range.start);
        let end = self.clamp(range.end).max(start);
        Loc { file: self.file, start: start as u32, end: end as u32 }
    }

    /// Returns the last position at or before `offset` where a character begins.
    fn clamp(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    /// Removes the white space at the end of a place, which the parser includes.
    fn trimmed(&self, loc: Loc) -> Loc {
        let end = loc.end.max(loc.start);
        let text = self.text[loc.start as usize..end as usize].trim_end();
        Loc { end: loc.start + text.len() as u32, ..loc }
    }
}
