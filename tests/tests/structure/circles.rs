//! No circle of files within a crate, and one form of modules.
//!
//! An arrow runs from file A to file B when the shipped code of A names something that B defines:
//!
//! - Every path counts, in `use` and elsewhere: `crate::b::X`, `super::X`, `self::X`, and `b::X` where A declares
//!   `mod b`. A name that a file only re-exports (`use other::X`) leads on to the file that defines it, so
//!   `use super::X` points at a sibling when the parent only says `pub use sibling::X`.
//! - `mod b;` is no arrow, and `pub use b::X` is one only when the code of A uses X as well: a file may declare and
//!   re-export its children, and the children may name what the parent defines. It is a circle when the parent's
//!   code uses the children's items and a child names the parent's.
//! - Comments, strings and whatever only `cfg(test)` compiles do not count. Method calls are not seen: they name no
//!   path.

#![allow(clippy::wildcard_enum_match_arm, reason = "of many tokens few matter at one place")]

use crate::source::{Token, shipped_tokens};
use crate::{files_under, root, shipped};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module's path from the root of its crate: `["rpc", "pdu"]`; the root is empty.
type Module = Vec<String>;

/// `use path as name;`, one for each leaf of the tree.
struct Import {
    path: Vec<String>,
    name: String,
    public: bool,
}

/// What one file names.
struct File {
    path: PathBuf,
    children: Vec<String>,
    imports: Vec<Import>,
    /// Paths in code outside `use`, each with two segments at least.
    paths: Vec<Vec<String>>,
    /// All other names in code outside `use`.
    names: BTreeSet<String>,
}

/// A library's or a program's files, from its root along the `mod` declarations.
struct Tree {
    files: BTreeMap<Module, File>,
}

impl Tree {
    fn read(root_file: &Path) -> Self {
        let mut files = BTreeMap::new();
        let folder = root_file.parent().unwrap();
        let mut open = vec![(Module::new(), root_file.to_path_buf())];
        while let Some((module, path)) = open.pop() {
            let text = std::fs::read_to_string(root().join(&path)).unwrap();
            let file = File::read(path, &shipped_tokens(&text));
            for child in &file.children {
                let mut inner = module.clone();
                inner.push(child.clone());
                let base = folder.join(inner.iter().collect::<PathBuf>());
                let forms = [base.with_extension("rs"), base.join("mod.rs")];
                let found = forms.into_iter().find(|form| root().join(form).exists());
                open.push((inner, found.unwrap_or_else(|| panic!("no file for {}", base.display()))));
            }
            files.insert(module, file);
        }
        Self { files }
    }

    /// The module in which the item at `path` is defined, as written in `from`. None outside the crate.
    fn definition(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        // Follows re-exports; no chain in this workspace is near as long.
        if depth > 8 {
            return None;
        }
        let mut at = from.clone();
        let mut rest = path;
        // 1. Where the path begins.
        match path.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = rest.get(1..)?;
            }
            "self" => rest = rest.get(1..)?,
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    at.pop()?;
                    rest = rest.get(1..)?;
                }
            }
            first => {
                let file = self.files.get(from)?;
                if !file.children.iter().any(|child| child == first) {
                    return None;
                }
            }
        }
        // 2. Along the modules.
        while let Some(next) = rest.first() {
            if !self.files.get(&at)?.children.contains(next) {
                break;
            }
            at.push(next.clone());
            rest = rest.get(1..)?;
        }
        // 3. Through a re-export to the file that defines the item.
        if let Some(item) = rest.first()
            && let Some(import) = self.files.get(&at)?.imports.iter().find(|import| import.name == *item)
        {
            let mut onward = import.path.clone();
            onward.extend_from_slice(rest.get(1..)?);
            return self.definition(&at, &onward, depth + 1);
        }
        Some(at)
    }

    fn arrows(&self) -> BTreeMap<&Module, BTreeSet<Module>> {
        let mut arrows: BTreeMap<&Module, BTreeSet<Module>> = BTreeMap::new();
        for (module, file) in &self.files {
            let used = |import: &&Import| !import.public || file.names.contains(&import.name);
            let imported = file.imports.iter().filter(used).map(|import| &import.path);
            for path in imported.chain(&file.paths) {
                if let Some(target) = self.definition(module, path, 0)
                    && target != *module
                {
                    arrows.entry(module).or_default().insert(target);
                }
            }
        }
        arrows
    }

    /// Sets of files, each of which reaches all others of its set.
    fn circles(&self) -> Vec<BTreeSet<String>> {
        let arrows = self.arrows();
        let reached = |from: &Module| -> BTreeSet<Module> {
            let mut seen = BTreeSet::new();
            let mut open = vec![from.clone()];
            while let Some(module) = open.pop() {
                for next in arrows.get(&module).into_iter().flatten() {
                    if seen.insert(next.clone()) {
                        open.push(next.clone());
                    }
                }
            }
            seen
        };
        let reach: BTreeMap<&Module, BTreeSet<Module>> = self.files.keys().map(|m| (m, reached(m))).collect();
        let mut circles = BTreeSet::new();
        for (module, there) in &reach {
            if there.contains(*module) {
                let circle = there.iter().filter(|other| reach[other].contains(*module));
                circles.insert(
                    circle.map(|m| self.files[m].path.display().to_string()).collect::<BTreeSet<_>>(),
                );
            }
        }
        circles.into_iter().collect()
    }
}

impl File {
    fn read(path: PathBuf, tokens: &[Token]) -> Self {
        let mut file = Self {
            path,
            children: Vec::new(),
            imports: Vec::new(),
            paths: Vec::new(),
            names: BTreeSet::new(),
        };
        let mut i = 0;
        while i < tokens.len() {
            let Some(name) = tokens[i].name() else {
                i += 1;
                continue;
            };
            let next = tokens.get(i + 1);
            match name {
                // `use` opens a declaration; in `impl Trait + use<>` it does not.
                "use" if !next.is_some_and(|t| t.is('<')) => {
                    let end = i + tokens[i..].iter().position(|t| t.is(';')).unwrap();
                    let before = i.checked_sub(1).map(|k| &tokens[k]);
                    let public = before.is_some_and(|t| t.name() == Some("pub") || t.is(')'));
                    file.imports.extend(leaves(&tokens[i + 1..end], &[], public));
                    i = end;
                }
                "mod" if tokens.get(i + 2).is_some_and(|t| t.is(';')) => {
                    file.children.extend(next.and_then(Token::name).map(str::to_owned));
                    i += 2;
                }
                _ => {
                    let mut path = vec![name.to_owned()];
                    while tokens.get(i + 1) == Some(&Token::PathSeparator)
                        && let Some(segment) = tokens.get(i + 2).and_then(Token::name)
                    {
                        path.push(segment.to_owned());
                        i += 2;
                    }
                    file.names.insert(path[0].clone());
                    if path.len() > 1 {
                        file.paths.push(path);
                    }
                    i += 1;
                }
            }
        }
        file
    }
}

/// The leaves of a `use` tree: `a::{b, c as d, e::{self, f}}`.
fn leaves(tokens: &[Token], prefix: &[String], public: bool) -> Vec<Import> {
    let mut path = prefix.to_vec();
    let mut i = 0;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Name(name) if name == "as" => {
                let name = tokens[i + 1].name().unwrap_or_default().to_owned();
                return vec![Import { path, name, public }];
            }
            Token::Name(name) if name == "self" && !prefix.is_empty() => {}
            Token::Name(name) => path.push(name.clone()),
            Token::Mark('*') => return vec![Import { path, name: "*".to_owned(), public }],
            Token::Mark('{') => {
                let inner = &tokens[i + 1..tokens.len() - 1];
                let mut depth = 0;
                let branches = inner.split(|token| {
                    match token {
                        Token::Mark('{') => depth += 1,
                        Token::Mark('}') => depth -= 1,
                        _ => {}
                    }
                    depth == 0 && token.is(',')
                });
                return branches.filter(|b| !b.is_empty()).flat_map(|b| leaves(b, &path, public)).collect();
            }
            _ => {}
        }
        i += 1;
    }
    let name = path.last().cloned().unwrap_or_default();
    vec![Import { path, name, public }]
}

#[test]
fn no_files_of_a_crate_stand_in_a_circle() {
    let mut wrong = Vec::new();
    for folder in shipped() {
        let roots = ["lib.rs", "main.rs"].map(|file| folder.join("src").join(file));
        let roots = roots.iter().filter(|file| root().join(file).exists());
        let circles: Vec<BTreeSet<String>> = roots.flat_map(|file| Tree::read(file).circles()).collect();
        let name = folder.display().to_string();
        if !circles.is_empty() {
            wrong.push(format!("{name}: files in circles: {circles:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_circle_would_be_seen() {
    let file = |text: &str| File::read(PathBuf::from("x.rs"), &shipped_tokens(text));
    let module = |text: &str| -> Module { text.split_terminator('/').map(str::to_owned).collect() };
    let arrows = |sources: &[(&str, &str)]| -> Vec<String> {
        let tree = Tree { files: sources.iter().map(|(name, text)| (module(name), file(text))).collect() };
        let arrows = tree.arrows();
        let lines = arrows.iter().flat_map(|(from, to)| to.iter().map(|to| (from.join("/"), to.join("/"))));
        lines.map(|(from, to)| format!("{from} > {to}")).collect()
    };
    let root = "pub mod a; mod b; pub use a::A;";
    // Two siblings; one of them through a group, the other by a path in code.
    let found = arrows(&[
        ("", root),
        ("a", "use crate::b::{self, B as C, inner::{D, E}}; pub struct A;"),
        ("b", "fn f() -> crate::a::A {}"),
    ]);
    assert_eq!(found, ["a > b", "b > a"]);
    // The root only re-exports: `crate::A` is defined in `a`.
    let found = arrows(&[("", root), ("a", "pub struct A;"), ("b", "use super::A;")]);
    assert_eq!(found, ["b > a"]);
    // A child names the parent, and the parent's code uses the child's item: a circle.
    let found = arrows(&[("", "mod a;"), ("a", "mod c; use c::C; pub struct A;"), ("a/c", "use super::A;")]);
    assert_eq!(found, ["a > a/c", "a/c > a"]);
    // The parent declares and re-exports, and no more: no circle.
    let found = arrows(&[("", "mod a;"), ("a", "mod c; pub use c::C; struct A;"), ("a/c", "use super::A;")]);
    assert_eq!(found, ["a/c > a"]);
}

/// One form of modules: `name.rs` beside `name/`. A test program has `main.rs` in its folder.
#[test]
fn no_module_is_named_mod_rs() {
    let folders = shipped().into_iter().map(|folder| folder.join("src"));
    let folders = folders.chain(["tests/src", "tests/tests"].map(PathBuf::from));
    let found: Vec<String> = folders
        .flat_map(|folder| files_under(&folder))
        .filter(|file| file.ends_with("mod.rs"))
        .map(|file| file.display().to_string())
        .collect();
    assert!(found.is_empty(), "name.rs beside name/ instead of {found:#?}");
}
