//! The language in which users write scenario files: as text, as YAML nodes with places, and as a model.
//!
//! `files` finds and reads the files, `source` holds them, `yaml` parses them to nodes with places, `template` parses the
//! expressions in `<<` and `>>`, and `scenario` turns nodes into the model. Every stage reports all mistakes that it finds
//! and continues with the remainder.
//!
//! Limits for all inputs: [`files::MAX_FILE_BYTES`] for a file and [`files::MAX_TOTAL_BYTES`] for all together,
//! [`yaml::MAX_NODES`] nodes in a file and [`yaml::MAX_ALIASED_NODES`] more by aliases, [`yaml::MAX_NESTING`] levels,
//! [`template::MAX_BYTES`] for a text with expressions, [`template::MAX_DEPTH`] levels in an expression.

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
use scenario::fields::Context;
use scenario::read;
use scenario::table::Tables;
use source::{FileId, Loc, START, Sources};
use template::Memo;

/// The maximum number of diagnostics that are shown.
const MAX_DIAGNOSTICS: usize = 1_000;
/// The maximum number of diagnostics that are kept for a file, and by the compiler: enough to contain the first ones in
/// file order.
pub const MAX_FOUND: usize = 10 * MAX_DIAGNOSTICS;
/// The number of diagnostics, in all files together, up to which "did you mean" is looked up, which costs more than
/// everything else.
const MAX_SUGGESTIONS: usize = 1_000;
/// The minimum of that number for a single file.
const MIN_SUGGESTIONS: usize = 20;
/// The number of bytes of text for which it is worth starting a thread.
const BYTES_A_THREAD: usize = 64 * 1024;

/// The limits on the work for reading one file.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// The number of diagnostics after which no names are looked up for "did you mean".
    suggestions: usize,
    budget: &'a Budget,
    tables: Tables<'a>,
}

/// The contents of the files, and the mistakes in them.
#[derive(Debug, Default)]
pub struct Loaded {
    pub sources: Sources,
    /// The model of all that could be read. Parts that are wrong, which has been reported, are left out, or replaced by
    /// [`template::Expr::Error`] or an empty name, so that they cause no further diagnostics.
    pub model: Model,
    /// The diagnostics in the order of the files, then of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// The budget for compiling. If it is already spent, a diagnostic says so.
    pub budget: Budget,
}

/// Loads files, and directories with the files in them: `*.yaml` and `*.yml` in the byte order of their names, without
/// those that begin with `_` or `.`. The `_base.yaml` of each directory applies to its files.
pub fn load(paths: &[PathBuf]) -> Loaded {
    load_within(paths, Budget::default())
}

/// Does the same as [`load`] within a budget.
pub fn load_within(paths: &[PathBuf], budget: Budget) -> Loaded {
    assemble(files::read(paths), budget)
}

/// Does the same as [`load`] with a further file in memory, given by its name and text, that has neither a base nor a
/// directory.
pub fn load_with(paths: &[PathBuf], name: &str, text: String) -> Loaded {
    let mut inputs = files::read(paths);
    let directory = inputs.iter().map(|input| input.directory + 1).max().unwrap_or(0);
    inputs.push(Input { directory, ..files::text(name.into(), text.into_bytes()) });
    assemble(inputs, Budget::default())
}

/// Loads files from memory, given by their names and texts. A `_base.yaml` applies to the files with the same directory
/// name.
pub fn load_texts(files: Vec<(String, String)>) -> Loaded {
    load_texts_within(files, Budget::default())
}

/// Does the same as [`load_texts`] within a budget.
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
        // Only the caller knows whether these are all files of the directory.
        let input = Input { base, is_partial: true, directory, ..input };
        inputs.push(input);
    }
    // A base comes before the files to which it applies.
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
        loaded.model.incidents.append(&mut contents.incidents);
        loaded.model.loads.append(&mut contents.loads);
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
        // The part that was not read may be what others seem to lack, so this is all that is known.
        loaded.diagnostics = vec![Diagnostic::new(Problem::Stopped { after: budget.overrun() }, START)];
        return loaded;
    }
    sort(&mut loaded.diagnostics);
    loaded
}

/// Sorts diagnostics by files and places, removes repetitions that an alias or a base file causes, and cuts off those that
/// are too many to be read.
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

/// Reads a YAML file that holds settings and no scenarios, such as a policy. `read` makes something of its only document,
/// which it is not called for if the file is not YAML. The mistakes are added to `diagnostics`.
pub fn settings<T>(
    input: Input,
    subject: &str,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
    read: impl FnOnce(&mut Context<'_>, &yaml::Node<'_>) -> T,
) -> Option<T> {
    let file = sources.add(input.name, input.text);
    if let Some((problem, start, end)) = input.problem {
        let at = Loc { file, start: start as u32, end: end as u32 };
        diagnostics.push(Diagnostic::new(problem, at));
        return None;
    }
    let (text, budget, bytes) = (&*sources.file(file).text, Budget::default(), AtomicU64::new(0));
    let tables = Tables { folder: None, bytes: &bytes };
    let limits = Limits { suggestions: MAX_SUGGESTIONS, budget: &budget, tables };
    let parsed = yaml::parse(file, text, limits, diagnostics);
    let mut cx = Context { text, limits, templates: Memo::default(), misspelt_names: 0, diagnostics };
    if let Some(second) = parsed.documents.get(1) {
        cx.mistyped(subject, "one document", second, None);
    }
    match &parsed.documents[..] {
        [first, ..] => Some(read(&mut cx, first)),
        [] => {
            if parsed.complete {
                cx.report(Problem::Empty { subject: subject.into() }, Loc { file, start: 0, end: 0 });
            }
            None
        }
    }
}

#[cfg(test)]
mod tests;
