//! The modules of a crate as its compiler sees them: in which file each name is defined, and which names each file uses.
//!
//! A `use` is followed through re-exports to the file that defines the name. Code under `#[cfg(test)]` is left out.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

/// The number of `use` declarations that are followed for one name before it is given up as a circle.
const LONGEST_CHAIN: usize = 32;

/// The names of the modules from the crate's root to a module, such as `["plan", "verify"]`; empty for the root itself.
pub type Module = Vec<String>;

/// The modules of a crate.
#[derive(Default)]
pub struct Modules {
    all: BTreeMap<Module, Contents>,
}

#[derive(Default)]
struct Contents {
    /// The file that contains the module, relative to `src/`.
    file: String,
    /// The names that are defined in the module: types, functions, constants, traits, macros.
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// The paths of two or more names that are written anywhere but in a `use`.
    paths: Vec<(usize, Vec<String>)>,
    /// The macros that are called, with their lines.
    macros: Vec<(usize, String)>,
}

/// A name that a `use` brings in.
#[derive(Clone)]
struct Import {
    line: usize,
    /// The import is `*`: all names of a module.
    name: String,
    path: Vec<String>,
    /// The import is visible outside the module.
    exported: bool,
}

/// A path that a file contains, resolved to the module that it leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mention {
    pub file: String,
    pub line: usize,
    /// The module that contains the path.
    pub from: Module,
    /// The module that the path names, or that defines what it names.
    pub to: Module,
    pub to_file: String,
    /// The path as it is written.
    pub path: String,
    /// The path names something in the module, and not the module alone.
    pub is_item: bool,
    /// The path is in a `use` that is visible outside its module.
    pub exported: bool,
}

/// The target of a path.
enum Place {
    Module(Module),
    Item(Module),
}

impl Modules {
    /// Reads the crate with the root `src/lib.rs`, and its binary.
    pub fn of_crate(src: &Path) -> Modules {
        let read = |file: &str| fs::read_to_string(src.join(file)).unwrap_or_else(|e| panic!("src/{file}: {e}"));
        let mut modules = Modules::default();
        modules.add(vec![], "lib.rs", &read("lib.rs"), &|module| {
            let file = format!("{}.rs", module.join("/"));
            let text = read(&file);
            (file, text)
        });
        modules.add(vec!["main".into()], "main.rs", &read("main.rs"), &|_| panic!("src/main.rs has no modules"));
        modules
    }

    /// Adds a module whose `text` is in `file`; `find` returns the file and the text of a module that is declared in it.
    pub fn add(&mut self, module: Module, file: &str, text: &str, find: &dyn Fn(&Module) -> (String, String)) {
        let parsed = syn::parse_file(text).unwrap_or_else(|e| panic!("src/{file}: {e}"));
        self.add_items(module, file, parsed.items, find);
    }

    fn add_items(&mut self, module: Module, file: &str, items: Vec<Item>, find: &dyn Fn(&Module) -> (String, String)) {
        let mut contents = Contents { file: file.into(), ..Contents::default() };
        for item in items {
            if is_for_tests(attributes(&item)) {
                continue;
            }
            contents.items.extend(name(&item));
            match item {
                Item::Use(item) => contents.imports.extend(imports(&item)),
                Item::Mod(item) => {
                    let inner = [module.clone(), vec![item.ident.to_string()]].concat();
                    match item.content {
                        Some((_, items)) => self.add_items(inner, file, items, find),
                        None => {
                            let (file, text) = find(&inner);
                            self.add(inner, &file, &text, find);
                        }
                    }
                }
                item => contents.scan(item.to_token_stream()),
            }
        }
        self.all.insert(module, contents);
    }

    /// Returns the files that contain the modules.
    pub fn files(&self) -> BTreeSet<&str> {
        self.all.values().map(|contents| &*contents.file).collect()
    }

    /// Returns the macros that are called: file, line, name.
    pub fn macro_calls(&self) -> impl Iterator<Item = (&str, usize, &str)> {
        self.all.values().flat_map(|it| it.macros.iter().map(|(line, name)| (&*it.file, *line, &**name)))
    }

    /// Returns all paths to names of the crate, including those within a file.
    pub fn mentions(&self) -> Vec<Mention> {
        let mut mentions = vec![];
        for (module, contents) in &self.all {
            let imported = contents.imports.iter().map(|import| (import.line, &import.path, import.exported));
            let written = contents.paths.iter().map(|(line, path)| (*line, path, false));
            for (line, path, exported) in imported.chain(written) {
                let (to, is_item) = match self.follow(module, path, 0) {
                    Some(Place::Module(module)) => (module, false),
                    Some(Place::Item(module)) => (module, true),
                    None => continue,
                };
                mentions.push(Mention {
                    file: contents.file.clone(),
                    line,
                    from: module.clone(),
                    to_file: self.all[&to].file.clone(),
                    to,
                    path: path.join("::"),
                    is_item,
                    exported,
                });
            }
        }
        mentions
    }

    /// Resolves a `path` written in `module`, or returns `None` if it leads to another crate or is not a path of modules.
    fn follow(&self, module: &Module, path: &[String], chain: usize) -> Option<Place> {
        let (head, mut rest) = path.split_first()?;
        let mut place = match head.as_str() {
            "crate" | "tracegen" => Place::Module(vec![]),
            "self" => Place::Module(module.clone()),
            "super" => Place::Module(module.split_last()?.1.to_vec()),
            _ => self.look_up(module, head, chain)?,
        };
        while let (Place::Module(inside), Some((name, after))) = (&place, rest.split_first()) {
            place = match name.as_str() {
                "super" => Place::Module(inside.split_last()?.1.to_vec()),
                "*" => return Some(place),
                "self" => return Some(place),
                _ => self.look_up(inside, name, chain)?,
            };
            rest = after;
        }
        Some(place)
    }

    /// Returns what `name` is in `module`.
    fn look_up(&self, module: &Module, name: &str, chain: usize) -> Option<Place> {
        if chain > LONGEST_CHAIN {
            return None;
        }
        let contents = self.all.get(module)?;
        let inner = [module.clone(), vec![name.to_string()]].concat();
        if self.all.contains_key(&inner) && inner != ["main"] {
            return Some(Place::Module(inner));
        }
        if contents.items.contains(name) {
            return Some(Place::Item(module.clone()));
        }
        let named = contents.imports.iter().filter(|import| import.name == name);
        let starred = contents.imports.iter().filter(|import| import.name == "*");
        named.map(|import| import.path.clone()).chain(starred.map(|import| with_name(&import.path, name))).find_map(
            // A path that begins with the name that it brings in leads to another crate.
            |path| {
                if path.first().is_some_and(|head| head == name) { None } else { self.follow(module, &path, chain + 1) }
            },
        )
    }
}

/// Returns `path` with its last name, a star, replaced.
fn with_name(path: &[String], name: &str) -> Vec<String> {
    [&path[..path.len() - 1], &[name.to_string()]].concat()
}

impl Contents {
    /// Collects the paths in code other than modules: bodies, signatures, and arguments of macros.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let ident = |at: usize| match tokens.get(at) {
            Some(TokenTree::Ident(ident)) => Some(ident),
            _ => None,
        };
        let is_mark =
            |at: usize, mark: char| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == mark);
        let joins = |at: usize| is_mark(at, ':') && is_mark(at + 1, ':');
        let mut at = 0;
        while at < tokens.len() {
            if let TokenTree::Group(group) = &tokens[at] {
                self.scan(group.stream());
            }
            let Some(first) = ident(at) else {
                at += 1;
                continue;
            };
            if first == "use" {
                let end = (at..tokens.len()).find(|at| is_mark(*at, ';')).unwrap_or(tokens.len() - 1);
                let item: TokenStream = tokens[at..=end].iter().cloned().collect();
                if let Ok(item) = syn::parse2::<ItemUse>(item) {
                    self.paths.extend(imports(&item).into_iter().map(|import| (import.line, import.path)));
                    at = end + 1;
                    continue;
                }
            }
            let line = first.span().start().line;
            let mut path = vec![first.to_string()];
            at += 1;
            while let (true, Some(next)) = (joins(at), ident(at + 2)) {
                path.push(next.to_string());
                at += 3;
            }
            if is_mark(at, '!') && !is_mark(at + 1, '=') {
                self.macros.extend(path.last().map(|name| (line, name.clone())));
            }
            if path.len() > 1 {
                self.paths.push((line, path));
            }
        }
    }
}

fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = vec![];
    let exported = !matches!(item.vis, Visibility::Inherited);
    gather(&item.tree, &mut vec![], exported, &mut found);
    found
}

fn gather(tree: &UseTree, path: &mut Vec<String>, exported: bool, found: &mut Vec<Import>) {
    let mut import = |line: usize, name: String, last: String| {
        let path = [path.as_slice(), &[last]].concat();
        found.push(Import { line, name, path, exported });
    };
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            gather(&step.tree, path, exported, found);
            path.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            let module = path.last().cloned().unwrap_or_default();
            import(name.ident.span().start().line, module, "self".into());
        }
        UseTree::Name(name) => {
            import(name.ident.span().start().line, name.ident.to_string(), name.ident.to_string());
        }
        UseTree::Rename(renamed) => {
            import(renamed.ident.span().start().line, renamed.rename.to_string(), renamed.ident.to_string());
        }
        UseTree::Glob(star) => import(star.star_token.spans[0].start().line, "*".into(), "*".into()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| gather(tree, path, exported, found)),
    }
}

/// Returns the name that an item defines; modules, imports and `impl` blocks define none.
fn name(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.to_token_stream().to_string().replace(' ', "") == "#[cfg(test)]")
}
