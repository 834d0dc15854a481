//! The maps: `ARCHITECTURE.md` has a paragraph for every crate; each crate's `lib.rs` lists its files.

use crate::{arrows, files_under, folder, root};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The files that the module documentation of a `lib.rs` lists: its lines of the form
/// ``//! - `path/file.rs`: what it is``.
fn listed(lib: &str) -> Vec<&str> {
    let lines = lib.lines().take_while(|line| line.starts_with("//!"));
    lines.filter_map(|line| line.strip_prefix("//! - `")?.split_once("`: ")).map(|(file, _)| file).collect()
}

/// What is wrong with one list, as sentences. The paths in the list are relative to `base`.
fn wrong_list(lib: &Path, base: &Path, files: &[PathBuf]) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(lib)).unwrap();
    let listed = listed(&text);
    let files: BTreeSet<String> =
        files.iter().map(|file| file.strip_prefix(base).unwrap().display().to_string()).collect();
    let mut wrong = Vec::new();
    for file in &files {
        match listed.iter().filter(|entry| *entry == file).count() {
            1 => {}
            0 => wrong.push(format!("{} does not list {file}", lib.display())),
            _ => wrong.push(format!("{} lists {file} twice", lib.display())),
        }
    }
    let gone = listed.iter().filter(|entry| !files.contains(**entry));
    wrong.extend(gone.map(|entry| format!("{} lists {entry}, which does not exist", lib.display())));
    wrong
}

#[test]
fn every_source_file_has_its_line_in_the_lib_rs_of_its_crate() {
    let metadata = arrows::metadata();
    let mut wrong = Vec::new();
    let listed = arrows::ARROWS.iter().map(|(name, _, _)| *name).chain(["tenant-fixture"]);
    for name in listed {
        let base = folder(&metadata, name).join("src");
        // A program without a library keeps its list in main.rs.
        let lib = ["lib.rs", "main.rs"].map(|file| base.join(file));
        let lib = lib.iter().find(|file| root().join(file).exists()).unwrap();
        wrong.extend(wrong_list(lib, &base, &files_under(&base)));
    }
    let tests = ["tests/src", "tests/tests", "tests/ring/src"];
    let tests: Vec<PathBuf> = tests.iter().flat_map(|folder| files_under(Path::new(folder))).collect();
    wrong.extend(wrong_list(Path::new("tests/src/lib.rs"), Path::new("tests"), &tests));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_list_with_a_gap_or_a_stale_line_would_be_seen() {
    let lib = Path::new("wire/src/lib.rs");
    let base = Path::new("wire/src");
    let mut files = files_under(base);
    files.retain(|file| !file.ends_with("frame.rs"));
    files.push(base.join("new.rs"));
    let wrong = wrong_list(lib, base, &files);
    let expected = ["does not list new.rs", "lists frame.rs, which does not exist"];
    assert_eq!(wrong, expected.map(|sentence| format!("wire/src/lib.rs {sentence}")));
}

#[test]
fn the_map_has_a_paragraph_for_every_crate() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let paragraph = |name: &str| -> String {
        let lines = map.lines().skip_while(|line| *line != format!("## {name}")).skip(1);
        lines.take_while(|line| !line.starts_with('#')).collect()
    };
    let crates = arrows::ARROWS.iter().map(|(name, _, _)| *name).chain(["tests", "fuzz"]);
    let missing: Vec<&str> = crates.filter(|name| paragraph(name).trim().is_empty()).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md has no paragraph under \"## crate\" for {missing:?}");
}
