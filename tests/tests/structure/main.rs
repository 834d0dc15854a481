//! The shape of the workspace: which crate may name which, which file may hold what, that no files depend on one
//! another in a circle, that the maps are complete, which SQL is written, and which names are not used. Needs no lab.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod arrows;
mod circles;
mod contents;
mod map;
mod source;
mod sql;
mod words;

use cargo_metadata::Metadata;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The folder of a workspace crate, relative to the root; `name` is without the prefix `landbridge-`.
fn folder(metadata: &Metadata, name: &str) -> PathBuf {
    let package = metadata.packages.iter().find(|p| p.name.as_str() == format!("landbridge-{name}"));
    let package = package.unwrap_or_else(|| panic!("landbridge-{name} is not in the workspace"));
    let folder = package.manifest_path.parent().unwrap();
    folder.as_std_path().strip_prefix(root()).unwrap().to_path_buf()
}

/// The folders of the shipped crates, relative to the root.
fn shipped() -> Vec<PathBuf> {
    let metadata = arrows::metadata();
    arrows::ARROWS.iter().map(|(name, _, _)| folder(&metadata, name)).collect()
}

/// The source files of the shipped crates, relative to the root. Files named `tests.rs` stand beside the file
/// that they test and are not in the list.
fn sources() -> Vec<PathBuf> {
    shipped().iter().flat_map(|folder| files_under(&folder.join("src"))).collect()
}

/// The Rust and SQL files under a folder, relative to the root, in alphabetical order.
fn files_under(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(&root().join(folder), &mut files);
    files.sort();
    files.iter().map(|f| f.strip_prefix(root()).unwrap().to_path_buf()).collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // A folder `tests` beside `tests.rs` is the same.
            if !path.ends_with("tests") {
                walk(&path, into);
            }
        } else if path.extension().is_some_and(|e| e == "rs" || e == "sql") && !path.ends_with("tests.rs") {
            into.push(path);
        }
    }
}
