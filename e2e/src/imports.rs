//! Which files of a crate import which, and the cycles among them.
//!
//! A file imports another if it names an item that the other file defines, in a `use` or in place. Re-exports are
//! followed to the definition, and a re-export alone imports nothing, so a `mod.rs` may re-export the items of its
//! children. Tests are not looked at: a `mod tests` may use everything around it. Names inside macro calls are not
//! seen, except where a `use` brings them in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use syn::punctuated::Punctuated;
use syn::visit::Visit;
use syn::{Attribute, Item, Meta, Token, UseTree, Visibility};

/// The files of one crate, and what they import from each other.
#[derive(Debug, Default)]
pub struct Imports {
    modules: BTreeMap<Segments, Module>,
}

/// The path of a module or an item from the root of its crate.
type Segments = Vec<String>;

#[derive(Debug, Default)]
struct Module {
    /// From the crate's `src`.
    file: PathBuf,
    /// Names that a `use` brings in, with what they stand for, as written.
    aliases: BTreeMap<String, Segments>,
    /// Modules whose items a `use …::*` brings in, as written.
    globs: Vec<Segments>,
    /// Items that this file defines.
    items: BTreeSet<String>,
    /// Paths that the file names, as written, without re-exports.
    named: BTreeSet<Segments>,
}

impl Imports {
    /// Reads the crate whose root is this `lib.rs`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or parsed.
    pub fn read(root: &Path) -> Result<Self> {
        let mut imports = Self::default();
        let folder = root.parent().context("the root of a crate is in a folder")?;
        imports.read_module(folder, root, folder, Vec::new())?;
        Ok(imports)
    }

    fn read_module(&mut self, source: &Path, file: &Path, children: &Path, path: Segments) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let syntax = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        let mut module = Module { file: file.strip_prefix(source)?.to_owned(), ..Module::default() };
        for item in &syntax.items {
            if let Item::Mod(child) = item
                && child.content.is_none()
                && !is_test(&child.attrs)
            {
                let name = child.ident.to_string();
                let folder = children.join(&name);
                let flat = children.join(format!("{name}.rs"));
                let child_file = if flat.exists() { flat } else { folder.join("mod.rs") };
                self.read_module(source, &child_file, &folder, joined(&path, &[name]))?;
            }
        }
        Reader { module: &mut module }.visit_file(&syntax);
        self.modules.insert(path, module);
        Ok(())
    }

    /// Every import, as the importing file, the imported one, and a name that is imported.
    fn edges(&self) -> BTreeMap<&Path, BTreeMap<&Path, String>> {
        let mut edges: BTreeMap<&Path, BTreeMap<&Path, String>> = BTreeMap::new();
        for (path, module) in &self.modules {
            for named in &module.named {
                if let Some(definition) = self.resolve(path, named, 0)
                    && definition.file != module.file
                {
                    let name = named.join("::");
                    edges.entry(&module.file).or_default().entry(&definition.file).or_insert(name);
                }
            }
        }
        edges
    }

    /// The module that defines what `written` means in the module `at`. `None` for other crates, and for modules
    /// themselves: a module that is imported is used by the names after it.
    fn resolve(&self, at: &[String], written: &[String], depth: usize) -> Option<&Module> {
        // Deeper than any chain of re-exports: two globs that import each other.
        if depth > 16 {
            return None;
        }
        let (first, rest) = written.split_first()?;
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, depth),
            "self" => self.descend(at.to_vec(), rest, depth),
            "super" => self.resolve(at.split_last()?.1, &joined(&["self".to_owned()], rest), depth),
            _ => self.descend(at.to_vec(), written, depth),
        }
    }

    fn descend(&self, mut at: Segments, rest: &[String], depth: usize) -> Option<&Module> {
        let (first, rest) = rest.split_first()?;
        if first == "super" {
            at.pop()?;
            return self.descend(at, rest, depth);
        }
        let child = joined(&at, std::slice::from_ref(first));
        if self.modules.contains_key(&child) {
            return self.descend(child, rest, depth);
        }
        let module = self.modules.get(&at)?;
        if module.items.contains(first) {
            return Some(module);
        }
        if let Some(alias) = module.aliases.get(first) {
            // `use openssl;` stands for itself.
            return if alias.first() == Some(first) {
                None
            } else {
                self.resolve(&at, &joined(alias, rest), depth + 1)
            };
        }
        let mut globs = module.globs.iter();
        globs.find_map(|glob| self.resolve(&at, &joined(glob, std::slice::from_ref(first)), depth + 1))
    }

    /// A shortest cycle for each group of files that import each other in a loop, each line one import.
    pub fn cycles(&self) -> Vec<String> {
        let edges = self.edges();
        let mut seen = BTreeSet::new();
        let mut cycles = Vec::new();
        for start in edges.keys() {
            if seen.contains(start) {
                continue;
            }
            let Some(cycle) = shortest_cycle(&edges, start) else { continue };
            seen.extend(cycle.iter().copied());
            let next = cycle.iter().skip(1).chain([start]);
            let steps = cycle.iter().zip(next).map(|(from, to)| {
                let name = &edges[from][to];
                format!("{} imports `{name}` of {}", from.display(), to.display())
            });
            cycles.push(steps.collect::<Vec<_>>().join("\n"));
        }
        cycles
    }
}

/// The files of a shortest way from `start` back to it.
fn shortest_cycle<'a>(
    edges: &BTreeMap<&'a Path, BTreeMap<&'a Path, String>>,
    start: &'a Path,
) -> Option<Vec<&'a Path>> {
    let mut ways = vec![vec![start]];
    let mut visited = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in way.last().and_then(|last| edges.get(last)).into_iter().flat_map(BTreeMap::keys) {
                if *next == start {
                    return Some(way);
                }
                if visited.insert(*next) {
                    longer.push([way.as_slice(), &[*next]].concat());
                }
            }
        }
        ways = longer;
    }
    None
}

fn joined(path: &[String], rest: &[String]) -> Segments {
    [path, rest].concat()
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.path().is_ident("cfg").then(|| attribute.parse_args::<Meta>());
        attribute.path().is_ident("test")
            || condition.is_some_and(|condition| condition.is_ok_and(|it| names_test(&it)))
    })
}

/// Whether a condition is `test`, or has it among others. `not(test)` is no test.
fn names_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("all") || list.path.is_ident("any") => list
            .parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)
            .is_ok_and(|conditions| conditions.iter().any(names_test)),
        _ => false,
    }
}

/// Collects what a file defines, imports and names.
struct Reader<'a> {
    module: &'a mut Module,
}

impl Reader<'_> {
    fn import(&mut self, tree: &UseTree, mut path: Segments, is_export: bool) {
        match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                self.import(&part.tree, path, is_export);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), is_export);
                }
            }
            UseTree::Name(name) if name.ident == "self" => {
                let alias = path.last().cloned().unwrap_or_default();
                self.bring_in(alias, path, is_export);
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.bring_in(name.ident.to_string(), path, is_export);
            }
            UseTree::Rename(rename) => {
                if rename.ident != "self" {
                    path.push(rename.ident.to_string());
                }
                self.bring_in(rename.rename.to_string(), path, is_export);
            }
            UseTree::Glob(_) => self.module.globs.push(path),
        }
    }

    fn bring_in(&mut self, alias: String, path: Segments, is_export: bool) {
        if !is_export {
            self.module.named.insert(path.clone());
        }
        self.module.aliases.insert(alias, path);
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Mod(item) => (&item.attrs, item.content.is_some().then_some(&item.ident)),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Impl(item) => (&item.attrs, None),
            Item::Use(item) => (&item.attrs, None),
            _ => return syn::visit::visit_item(self, item),
        };
        if is_test(attributes) {
            return;
        }
        self.module.items.extend(name.map(ToString::to_string));
        syn::visit::visit_item(self, item);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_export = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, Vec::new(), is_export);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            syn::visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.module.named.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }
}
