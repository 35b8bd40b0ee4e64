//! What users write: scenario files, as text, as located YAML nodes, as a model.
//!
//! `files` finds and reads them, `source` holds them, `yaml` makes located nodes of them, `template` parses what stands
//! between `<<` and `>>`, `scenario` turns nodes into the model. Every stage reports all it finds and goes on with the rest.
//!
//! Bounds, whatever the input: [`files::MAX_FILE_BYTES`] a file and [`files::MAX_TOTAL_BYTES`] together,
//! [`yaml::MAX_NODES`] nodes a file and [`yaml::MAX_ALIASED_NODES`] more by aliases, [`yaml::MAX_NESTING`] levels,
//! [`template::MAX_BYTES`] a text with expressions, [`template::MAX_DEPTH`] levels an expression.

pub mod budget;
pub mod diagnostic;
pub mod files;
pub mod parallel;
pub mod scenario;
pub mod source;
pub mod template;
pub mod yaml;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use budget::Budget;
use diagnostic::{Diagnostic, Problem};
use files::Input;
use scenario::Model;
use scenario::contents::{Contents, scope};
use scenario::read;
use scenario::table::Tables;
use source::{FileId, Loc, START, Sources};

/// Mistakes that are shown.
const MAX_DIAGNOSTICS: usize = 1_000;
/// Mistakes that are kept of one file, and by the compiler: enough for the first of them in file order to be among them.
pub const MAX_FOUND: usize = 10 * MAX_DIAGNOSTICS;
/// Mistakes, in all files together, up to which "did you mean" is looked up, which costs more than all the rest.
const MAX_SUGGESTIONS: usize = 1_000;
/// The least that is a file's share.
const MIN_SUGGESTIONS: usize = 20;
/// Bytes of text for which a thread is worth its start.
const BYTES_A_THREAD: usize = 64 * 1024;

/// How much work reading one file may be.
#[derive(Clone, Copy)]
struct Limits<'a> {
    /// Mistakes after which no more names are looked up for "did you mean".
    suggestions: usize,
    budget: &'a Budget,
    tables: Tables<'a>,
}

/// The files, what they say, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Loaded {
    pub sources: Sources,
    /// All that could be read. What was wrong and reported is left out or stands as [`template::Expr::Error`] or an empty
    /// name, so that nothing follows from it.
    pub model: Model,
    /// In the order of the files, then of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// What is left of the budget is for compiling. Where it is spent already, a diagnostic says so.
    pub budget: Budget,
}

/// Loads files, and directories with the files in them: `*.yaml` and `*.yml` in byte order of their names, without those
/// that begin with `_` or `.`. The `_base.yaml` of each directory goes with its files.
pub fn load(paths: &[PathBuf]) -> Loaded {
    load_within(paths, Budget::default())
}

/// As [`load`], in the time that the budget gives.
pub fn load_within(paths: &[PathBuf], budget: Budget) -> Loaded {
    assemble(files::read(paths), budget)
}

/// Loads files from memory, each a name and its text. A `_base.yaml` goes with the files of the same directory name.
pub fn load_texts(files: Vec<(String, String)>) -> Loaded {
    load_texts_within(files, Budget::default())
}

/// As [`load_texts`], in the time that the budget gives.
pub fn load_texts_within(files: Vec<(String, String)>, budget: Budget) -> Loaded {
    let split = |name: &str| name.rfind('/').map_or((String::new(), 0), |at| (name[..at].to_owned(), at + 1));
    let mut directories: Vec<String> = vec![];
    let mut inputs = vec![];
    let mut total = 0;
    for (name, text) in files {
        let (directory, file) = split(&name);
        let directory = directories.iter().position(|known| *known == directory).unwrap_or_else(|| {
            directories.push(directory);
            directories.len() - 1
        });
        let base = &name[file..] == files::BASE;
        let bytes = text.len() as u64;
        total += bytes;
        let input = if bytes > files::MAX_FILE_BYTES || total > files::MAX_TOTAL_BYTES {
            let all = bytes <= files::MAX_FILE_BYTES;
            let limit = if all { files::MAX_TOTAL_BYTES } else { files::MAX_FILE_BYTES };
            let problem = Problem::TooLarge { bytes: if all { total } else { bytes }, limit, all };
            Input { problem: Some((problem, 0, 0)), ..files::text(name, vec![]) }
        } else {
            files::text(name, text.into_bytes())
        };
        // Only those who have the directory know whether these are all of its files.
        let input = Input { base, is_partial: true, directory, ..input };
        inputs.push(input);
    }
    // A base comes before the files it is for.
    inputs.sort_by_key(|input| (input.directory, !input.base));
    assemble(inputs, budget)
}

fn assemble(inputs: Vec<Input>, budget: Budget) -> Loaded {
    let mut loaded = Loaded { budget, ..Loaded::default() };
    let budget = loaded.budget.clone();
    let mut bases: Vec<(usize, Contents)> = vec![];
    let bytes: usize = inputs.iter().map(|input| input.text.len()).sum();
    let suggestions = (MAX_SUGGESTIONS / inputs.len().max(1)).max(MIN_SUGGESTIONS);
    let tables = AtomicU64::new(0);
    let read = parallel::map(&inputs, bytes / BYTES_A_THREAD, |file, input| {
        let tables = Tables { folder: input.folder.as_deref(), bytes: &tables };
        let limits = Limits { suggestions, budget: &budget, tables };
        read_one(FileId(file as u32), input, limits)
    });
    for (input, (mut contents, mut diagnostics)) in inputs.into_iter().zip(read) {
        let Input { name, text, base, is_partial, directory, .. } = input;
        let file = loaded.sources.add(name, text);
        loaded.diagnostics.append(&mut diagnostics);
        if base {
            loaded.model.partial.extend(Some(file).filter(|_| is_partial));
            bases.push((directory, contents));
        } else if !contents.scenarios.is_empty() || !contents.shared.own().is_empty() {
            let base = bases.iter().find(|(of, _)| *of == directory).map(|(_, contents)| contents);
            contents.scenarios.iter_mut().for_each(|scenario| scenario.scope = loaded.model.scopes.len());
            loaded.model.scopes.push(scope(file, base, &mut contents, &mut loaded.diagnostics));
            loaded.model.scenarios.append(&mut contents.scenarios);
        }
    }
    if budget.is_spent() {
        // What was not read may be what others seem to lack: this is all that is known.
        loaded.diagnostics = vec![Diagnostic::new(Problem::Stopped { after: budget.overrun() }, START)];
        return loaded;
    }
    sort(&mut loaded.diagnostics);
    loaded
}

/// Brings diagnostics into the order of files and places, what an alias or a base file repeats only once, and leaves out those
/// that are too many to be read.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by_key(|diagnostic| (diagnostic.at.file, diagnostic.at.start));
    diagnostics.dedup();
    if diagnostics.len() > MAX_DIAGNOSTICS {
        let at = diagnostics[MAX_DIAGNOSTICS].at;
        diagnostics.truncate(MAX_DIAGNOSTICS);
        diagnostics.push(Diagnostic::new(Problem::TooManyMistakes { limit: MAX_DIAGNOSTICS }, at));
    }
}

fn read_one(file: FileId, input: &Input, limits: Limits) -> (Contents, Vec<Diagnostic>) {
    let mut diagnostics = vec![];
    let contents = match &input.problem {
        Some((problem, start, end)) => {
            let at = Loc { file, start: *start as u32, end: *end as u32 };
            diagnostics.push(Diagnostic::new(problem.clone(), at));
            let mut contents = Contents::default();
            contents.mark_short();
            contents
        }
        None => read::read(file, &input.text, input.base, limits, &mut diagnostics),
    };
    (contents, diagnostics)
}

#[cfg(test)]
mod tests;
