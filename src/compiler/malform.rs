//! Malformations: the blocks that they select, and the attributes that they add.

use super::link::{Piece, can_match};
use super::names::Names;
use super::report::Report;
use super::tables::Tables;
use super::times::without_values;
use crate::language::diagnostic::Problem;
use crate::language::scenario::Model;
use crate::language::scenario::dist::Dist as Written;
use crate::language::scenario::malform::{Kind, Malform as Entry, Select};
use crate::language::source::Located;
use crate::plan::{BlockId, Chance, Constant, Dist, DistForm, DistId, Expr, ExprId, Malform, Malformation, limits};

/// The key of an oversized attribute.
const OVERSIZED: &str = "tracegen.oversized";
/// The key of an attribute that is not UTF-8.
const NOT_UTF8: &str = "tracegen.not_utf8";

/// An hour in ns.
const HOUR: u64 = 3_600 * 1_000_000_000;

/// Returns the keys of the attributes that malformations of a scope add to its spans.
pub fn keys(model: &Model, scope: usize) -> impl Iterator<Item = &'static str> {
    let has = move |is: fn(&Kind) -> bool| {
        model.scopes.get(scope).is_some_and(|scope| scope.malform.iter().any(|malform| is(&malform.kind)))
    };
    let oversized = has(|kind| matches!(kind, Kind::OversizedAttribute { .. })).then_some(OVERSIZED);
    let not_utf8 = has(|kind| matches!(kind, Kind::InvalidUtf8)).then_some(NOT_UTF8);
    oversized.into_iter().chain(not_utf8)
}

/// Adds the malformations of all files to the program. `roots` are the scenarios' first blocks.
pub fn lower(model: &Model, names: &[Names], roots: &[BlockId], tables: &mut Tables, report: &mut Report) {
    let mut all = vec![];
    for (at, scope) in model.scopes.iter().enumerate() {
        for malform in &scope.malform {
            let mut blocks = vec![];
            for (i, (names, root)) in names.iter().zip(roots).enumerate().filter(|(_, (n, _))| n.scenario.scope == at) {
                let end = roots.get(i + 1).map_or(tables.program.blocks.len() as u32, |next| next.0);
                let candidates = (root.0..end).map(BlockId);
                let is_root = |block: &BlockId| !matches!(malform.kind, Kind::MissingRoot) || block == root;
                let selected = |block: &BlockId| selects(&malform.select, &names.scenario.name.value, *block, tables);
                blocks.extend(candidates.filter(is_root).filter(selected));
            }
            if blocks.is_empty() {
                report.add(Problem::MalformsNothing, malform.loc);
                continue;
            }
            let Some(kind) = kind(malform, tables, report) else { continue };
            all.push(Malformation { kind, chance: Chance::from_percent(malform.probability.value), blocks });
        }
    }
    // The order in which they are made: one that adds a span, or takes one away, comes after those that change spans.
    all.sort_by_key(|malformation: &Malformation| rank(malformation.kind));
    tables.program.malformations = all;
}

fn rank(kind: Malform) -> usize {
    match kind {
        Malform::ClockSkew { .. } => 0,
        Malform::ZeroDuration => 1,
        Malform::NegativeDuration => 2,
        Malform::OversizedAttribute { .. } => 3,
        Malform::InvalidUtf8 { .. } => 4,
        Malform::Orphan => 5,
        Malform::DuplicateSpanId => 6,
        Malform::ZeroId => 7,
        Malform::MissingRoot => 8,
        Malform::Duplicate => 9,
        Malform::Late { .. } => 10,
    }
}

/// Reports whether a block makes spans that a selection wants. A name that is computed is wanted if the glob can match it.
fn selects(select: &Select, scenario: &str, block: BlockId, tables: &Tables) -> bool {
    let program = &tables.program;
    let block = &program.blocks[block.index()];
    let Some(form) = block.span() else { return false };
    let wants = |glob: &Option<Located<String>>, text: &[Piece]| {
        glob.as_ref().is_none_or(|glob| can_match(&glob.value, text, &mut 0))
    };
    let text = |text: &str| vec![Piece::Text(text.to_owned())];
    let service = program.services.get(form.service.index()).map_or(vec![], |one| text(tables.text_of(one.name)));
    let mut name = vec![];
    match (form.name, block.computed_name()) {
        (Some(constant), _) => name = text(tables.text_of(constant)),
        (None, Some(value)) => pieces(tables, value, &mut name),
        (None, None) => {}
    }
    wants(&select.scenario, &text(scenario)) && wants(&select.service, &service) && wants(&select.operation, &name)
}

/// Appends the parts of a text, as far as they are known.
fn pieces(tables: &Tables, text: ExprId, all: &mut Vec<Piece>) {
    match &tables.program.exprs[text.index()] {
        Expr::Const { value: Constant::Text(text) } => all.push(Piece::Text(tables.text_of(*text).to_owned())),
        Expr::Concat { parts } => parts.iter().for_each(|part| pieces(tables, *part, all)),
        _ => all.push(Piece::Any),
    }
}

fn kind(malform: &Entry, tables: &mut Tables, report: &mut Report) -> Option<Malform> {
    Some(match &malform.kind {
        Kind::Late { by } => Malform::Late { by: dist(by, tables, report)? },
        Kind::Duplicate => Malform::Duplicate,
        Kind::Orphan => Malform::Orphan,
        Kind::MissingRoot => Malform::MissingRoot,
        Kind::ClockSkew { by, behind, per_instance } => {
            Malform::ClockSkew { by: dist(by, tables, report)?, behind: *behind, per_instance: *per_instance }
        }
        Kind::ZeroDuration => Malform::ZeroDuration,
        Kind::NegativeDuration => Malform::NegativeDuration,
        Kind::OversizedAttribute { bytes } => {
            Malform::OversizedAttribute { key: tables.text(OVERSIZED), bytes: *bytes }
        }
        Kind::InvalidUtf8 => Malform::InvalidUtf8 { key: tables.text(NOT_UTF8) },
        Kind::DuplicateSpanId => Malform::DuplicateSpanId,
        Kind::ZeroId => Malform::ZeroId,
    })
}

/// Adds the distribution of a time to the program, or reports that it is too long.
fn dist(written: &Written, tables: &mut Tables, report: &mut Report) -> Option<DistId> {
    if written.longest() > limits::DELAY {
        report.add(Problem::DelayTooLong { limit: limits::DELAY / HOUR }, written.loc);
        return None;
    }
    let form = without_values(&written.form)?;
    let max = if let DistForm::Uniform { max, .. } = form { max } else { written.max };
    Some(tables.dist(Dist { form, max }))
}
