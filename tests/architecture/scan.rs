//! The paths that one source file uses: of imports, of code, and of the tokens of macros.
//!
//! Code for tests only (`#[cfg(test)]`) is left out.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;

/// The names of the crates that a path can start with.
pub(crate) struct Crates(BTreeSet<String>);

impl Crates {
    /// The crates that the text of a `Cargo.toml` declares, and those that come with the compiler or with others.
    pub(crate) fn declared(manifest: &str) -> Self {
        let mut section = "";
        let mut names: BTreeSet<String> = ["alloc", "core", "getrandom", "rand", "rand_core", "std"]
            .map(String::from)
            .into();
        for line in manifest.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section == "[dependencies]"
                && let Some((name, _)) = line.split_once(" = ")
            {
                // The one crate whose library has another name.
                let name = if name == "md-5" { "md5" } else { name };
                names.insert(name.replace('-', "_"));
            }
        }
        Self(names)
    }
}

/// All paths that the code of `module` uses, resolved as far as its own imports allow: paths of the crate with `crate` in
/// front, paths of other crates with their name.
pub(crate) fn paths(crates: &Crates, module: &[String], file: &syn::File) -> BTreeSet<Vec<String>> {
    let mut scan = Scan {
        crates,
        module: module.to_vec(),
        aliases: BTreeMap::new(),
        found: BTreeSet::new(),
    };
    // Imports first: a path may come before the import that explains it.
    for item in &file.items {
        if let syn::Item::Use(item) = item {
            scan.visit_item_use(item);
        }
    }
    scan.visit_file(file);
    scan.found
}

struct Scan<'a> {
    crates: &'a Crates,
    /// The module that the code is in, from the crate's root.
    module: Vec<String>,
    /// What the file's imports call things.
    aliases: BTreeMap<String, Vec<String>>,
    found: BTreeSet<Vec<String>>,
}

impl Scan<'_> {
    /// The path from the crate's root or from a crate's name; `None` for local names.
    fn resolve(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let mut resolved = vec!["crate".to_owned()];
        match first.as_str() {
            "crate" => return Some(path.to_vec()),
            "self" => resolved.extend(self.module.iter().chain(rest).cloned()),
            "super" => {
                let supers = path.iter().take_while(|segment| *segment == "super").count();
                let kept = self.module.len().saturating_sub(supers);
                resolved.extend(self.module[..kept].iter().chain(&path[supers..]).cloned());
            }
            name if self.crates.0.contains(name) => return Some(path.to_vec()),
            name => {
                let mut known = self.aliases.get(name)?.clone();
                known.extend_from_slice(rest);
                return Some(known);
            }
        }
        Some(resolved)
    }

    /// Records an import and what it calls things.
    fn import(&mut self, tree: &syn::UseTree, prefix: &[String]) {
        let join = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &join(&path.ident)),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.import(item, prefix)),
            syn::UseTree::Glob(_) => self.found.extend(self.resolve(prefix)),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.name(prefix.last().cloned().unwrap_or_default(), prefix);
            }
            syn::UseTree::Name(name) => self.name(name.ident.to_string(), &join(&name.ident)),
            syn::UseTree::Rename(rename) if rename.ident == "self" => self.name(rename.rename.to_string(), prefix),
            syn::UseTree::Rename(rename) => self.name(rename.rename.to_string(), &join(&rename.ident)),
        }
    }

    fn name(&mut self, alias: String, path: &[String]) {
        if let Some(resolved) = self.resolve(path) {
            self.found.insert(resolved.clone());
            self.aliases.insert(alias, resolved);
        }
    }

    /// Records a path in code. A single name is a local one unless an import explains it.
    fn used(&mut self, path: &[String]) {
        if path.len() > 1 || path.first().is_some_and(|name| self.aliases.contains_key(name)) {
            self.found.extend(self.resolve(path));
        }
    }

    /// Records every chain `a::b::c` in the tokens of a macro.
    fn tokens(&mut self, tokens: &str) {
        let mut chain: Vec<String> = Vec::new();
        let mut joined = false;
        for word in words(tokens) {
            let identifier = word.starts_with(|c: char| c.is_alphabetic() || c == '_');
            if word != "::" && !(identifier && joined) {
                self.used(&std::mem::take(&mut chain));
            }
            if identifier {
                chain.push(word.to_owned());
            }
            joined = word == "::";
        }
        self.used(&chain);
    }
}

/// The text cut into names, `::` and single other characters, without spaces.
fn words(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after.trim_start();
    }
    parts
}

/// Whether an item is compiled for tests only.
fn for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|condition| condition == "test")
    })
}

impl<'ast> Visit<'ast> for Scan<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !for_tests(&item.attrs) {
            self.import(&item.tree, &[]);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !for_tests(&item.attrs) {
            self.module.push(item.ident.to_string());
            syn::visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !for_tests(&item.attrs) {
            syn::visit::visit_item_fn(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !for_tests(&item.attrs) {
            syn::visit::visit_item_impl(self, item);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.used(&segments);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(&item.tokens.to_string());
        syn::visit::visit_macro(self, item);
    }
}
