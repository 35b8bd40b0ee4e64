//! A source file beside the plan listing of one of its scenarios. Lines that belong together share a group.

use crate::language::source::Loc;
use crate::plan::{Place, Plan, ScenarioId};
use crate::web::highlight::{self, Line};
use crate::web::library::Edition;
use std::collections::BTreeMap;

pub struct Pair<'a> {
    /// The source; `None` if the scenario came in a plan file.
    pub source: Option<Source<'a>>,
    pub listing: Vec<Row<'a>>,
}

pub struct Source<'a> {
    pub file: &'a str,
    pub lines: Vec<Row<'a>>,
}

/// A line of the source or of the listing.
pub struct Row<'a> {
    pub group: Option<usize>,
    pub pieces: Line<'a>,
}

/// The first and the last line of a place, from 0.
type Lines = (usize, usize);

/// Pairs source and listing. `texts` is the scenario's listing.
pub fn pair<'a>(edition: &'a Edition, scenario: ScenarioId, texts: &'a [(Place, String)]) -> Pair<'a> {
    let written = edition.file_of(scenario);
    let index = written.map(|(_, file)| LineIndex::new(&file.text));
    let lines_of = |place: Place| -> Option<Lines> {
        let (id, file) = written?;
        let at = edition.map.find(place).filter(|at| at.file == id)?;
        Some(index.as_ref()?.lines(&file.text, at))
    };
    let places: Vec<Option<Lines>> = texts.iter().map(|(place, _)| lines_of(*place)).collect();
    let mut groups: BTreeMap<Lines, usize> = BTreeMap::new();
    for lines in places.iter().flatten() {
        let next = groups.len();
        groups.entry(*lines).or_insert(next);
    }
    let listing = texts.iter().zip(&places).map(|((place, text), lines)| Row {
        group: lines.filter(|_| !is_end(&edition.plan, *place)).map(|lines| groups[&lines]),
        pieces: highlight::listing(text),
    });
    let source = written.map(|(_, file)| Source { file: &file.name, lines: source_lines(&file.text, &groups) });
    Pair { source, listing: listing.collect() }
}

/// Reports whether the instruction is `end`, which has no source.
fn is_end(plan: &Plan, place: Place) -> bool {
    matches!(place, Place::Instruction(block, pc) if pc + 1 == plan.block(block).code.len())
}

/// Assigns each line to the smallest place that contains it.
fn source_lines<'a>(text: &'a str, groups: &BTreeMap<Lines, usize>) -> Vec<Row<'a>> {
    let mut lines = highlight::yaml(text, &[]);
    // A last line without content does not count.
    if lines.len() > 1 && lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let mut of: Vec<Option<usize>> = vec![None; lines.len()];
    let mut smallest_last: Vec<(&Lines, &usize)> = groups.iter().collect();
    smallest_last.sort_by_key(|((first, last), _)| std::cmp::Reverse(last - first));
    for ((first, last), group) in smallest_last {
        of.iter_mut().take(last + 1).skip(*first).for_each(|line| *line = Some(*group));
    }
    let rows = lines.into_iter().zip(of).map(|(pieces, group)| {
        // Empty lines and comments have no instructions.
        let says = pieces.iter().any(|piece| piece.class != "c" && !piece.text.trim().is_empty());
        Row { group: group.filter(|_| says), pieces }
    });
    rows.collect()
}

/// The offset at which each line begins.
struct LineIndex(Vec<usize>);

impl LineIndex {
    fn new(text: &str) -> LineIndex {
        LineIndex(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at) - 1
    }

    /// Returns the lines of a place. A mapping's place extends to what follows it, so empty lines at its end are left out.
    fn lines(&self, text: &str, at: Loc) -> Lines {
        let range = at.range();
        let end = range.start + text[range.clone()].trim_end().len();
        (self.line(range.start), self.line(end.saturating_sub(1).max(range.start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compiler, language};
    use std::sync::Arc;

    #[test]
    fn lines_and_instructions_are_paired() {
        let text = "name: a
weight: 2
vars:
  id: <<random.uuid>>

root_span:
  service: s
  operation: o
  delay_ms: [1, 2]
  attributes: {k: v, id: <<id>>}
  calls:
    # the other
    - service: s
      operation: p
      error_conditions:
        - probability: 5
          type: Late
";
        let (sources, compiled) = compiler::compile_loaded(language::load_texts(vec![("a.yaml".into(), text.into())]));
        let edition = Edition {
            sources: Some(Arc::new(sources)),
            plan: Arc::new(compiled.plan.unwrap()),
            map: Arc::new(compiled.map),
            warnings: Arc::default(),
        };
        let listing = edition.plan.scenario_listing(ScenarioId(0));
        let texts: Vec<_> = listing.into_iter().map(|line| (line.place, line.text)).collect();
        let pair = pair(&edition, ScenarioId(0), &texts);
        let source = pair.source.unwrap();
        assert_eq!(source.lines.len(), text.lines().count());
        // The lines, counted from 1, that a line of the listing highlights.
        let lit = |start: &str| {
            let at = texts.iter().position(|(_, t)| t.trim_start().starts_with(start)).unwrap();
            let group = pair.listing[at].group;
            let lines = source.lines.iter().enumerate().filter(|(_, row)| group.is_some() && row.group == group);
            lines.map(|(i, _)| i + 1).collect::<Vec<_>>()
        };
        assert_eq!(lit("scenario0"), [1, 2, 3, 6]);
        assert_eq!(lit("slot0"), [4]);
        assert_eq!(lit("block0"), [7, 8, 11]);
        assert_eq!(lit("1  delay"), [9]);
        assert_eq!(lit("const"), [10]);
        assert_eq!(lit("0  attr"), [10]);
        assert_eq!(lit("2  call"), [13, 14, 15]);
        assert_eq!(lit("block1"), [13, 14, 15]);
        assert_eq!(lit("1  fail"), [16, 17]);
        assert!(lit("3  end").is_empty());
    }
}
