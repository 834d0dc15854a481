//! The shape of the workspace: which crate may know which, which file may hold what, and that the map
//! in ARCHITECTURE.md is whole. Needs no lab.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One row a crate: its name, the workspace crates it may name, and what it never reaches, even through others.
const ARROWS: &[(&str, &[&str], &[&str])] = &[
    ("crypto", &[], &["serde", "serde_json", "tokio", "tracing"]),
    ("drsr", &["crypto"], &["tokio", "landbridge-wire"]),
    ("wire", &["crypto"], &["tokio", "landbridge-drsr"]),
    ("agent", &["wire"], &["landbridge-drsr"]),
    ("phs", &["drsr", "crypto", "wire", "agent"], &["landbridge-tenant", "landbridge-pta-agent"]),
    ("pta-agent", &["crypto", "wire", "agent"], &["landbridge-drsr", "landbridge-phs", "landbridge-tenant"]),
    (
        "tenant",
        &["crypto", "wire"],
        &["landbridge-drsr", "landbridge-agent", "landbridge-phs", "landbridge-pta-agent"],
    ),
];

/// What is shipped runs here; a dependency of another platform is nobody's.
const TARGET: &str = "x86_64-unknown-linux-gnu";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Where a crate lies, from the root.
fn folder(name: &str) -> &str {
    if name == "tenant" { "tenant/program" } else { name }
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .other_options(["--locked", "--offline", "--filter-platform", TARGET].map(Into::into).to_vec())
        .exec()
        .unwrap()
}

/// The packages that each package names for its shipped code: build scripts and tests do not count.
fn named(metadata: &Metadata) -> BTreeMap<PackageId, Vec<PackageId>> {
    let resolve = metadata.resolve.as_ref().unwrap();
    resolve
        .nodes
        .iter()
        .map(|node| {
            let shipped =
                node.deps.iter().filter(|d| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal));
            (node.id.clone(), shipped.map(|d| d.pkg.clone()).collect())
        })
        .collect()
}

fn reached(from: &PackageId, named: &BTreeMap<PackageId, Vec<PackageId>>) -> BTreeSet<PackageId> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![from.clone()];
    while let Some(package) = todo.pop() {
        for next in named.get(&package).into_iter().flatten() {
            if seen.insert(next.clone()) {
                todo.push(next.clone());
            }
        }
    }
    seen
}

/// What is wrong with the arrows of one crate, as sentences.
fn wrong_arrows(
    metadata: &Metadata,
    named: &BTreeMap<PackageId, Vec<PackageId>>,
    (name, may, never): (&str, &[&str], &[&str]),
) -> Vec<String> {
    let package = metadata.packages.iter().find(|p| p.name.as_str() == format!("landbridge-{name}"));
    let package = package.unwrap_or_else(|| panic!("landbridge-{name} is not in the workspace"));
    let name_of = |id: &PackageId| metadata[id].name.to_string();
    let mut wrong = Vec::new();
    for other in named[&package.id].iter().map(name_of) {
        if let Some(crate_name) = other.strip_prefix("landbridge-")
            && !may.contains(&crate_name)
        {
            wrong.push(format!("{name} names {crate_name}"));
        }
    }
    for other in reached(&package.id, named).iter().map(name_of) {
        if never.contains(&other.as_str()) {
            wrong.push(format!("{name} reaches {other}"));
        }
    }
    wrong
}

#[test]
fn no_crate_names_or_reaches_what_it_must_not() {
    let metadata = metadata();
    let named = named(&metadata);
    let wrong: Vec<String> = ARROWS.iter().flat_map(|row| wrong_arrows(&metadata, &named, *row)).collect();
    assert!(wrong.is_empty(), "forbidden arrows: {wrong:#?}");
}

#[test]
fn a_forbidden_arrow_would_be_seen() {
    let metadata = metadata();
    let named = named(&metadata);
    // phs really names drsr and reaches serde: a rule against either must be found broken.
    let wrong = wrong_arrows(&metadata, &named, ("phs", &["crypto", "wire", "agent"], &["serde"]));
    assert!(wrong.contains(&"phs names drsr".to_owned()), "{wrong:?}");
    assert!(wrong.contains(&"phs reaches serde".to_owned()), "{wrong:?}");
}

/// The source files of the shipped crates, relative to the root.
fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (name, _, _) in ARROWS {
        walk(&root().join(folder(name)).join("src"), &mut files);
    }
    files.iter().map(|f| f.strip_prefix(root()).unwrap().to_path_buf()).collect()
}

fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "sql") && !path.ends_with("tests.rs") {
            into.push(path);
        }
    }
    into.sort();
}

#[test]
fn unsafe_stands_in_one_file() {
    let allows = |file: &PathBuf| {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        text.contains("unsafe_code") || text.lines().any(|line| line.trim_start().starts_with("unsafe "))
    };
    let found: Vec<PathBuf> = sources().into_iter().filter(allows).collect();
    assert_eq!(found, [PathBuf::from("crypto/src/derivation/processor.rs")]);
    let manifest = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    assert!(manifest("Cargo.toml").contains("unsafe_code = \"forbid\""));
    for (name, _, _) in ARROWS {
        let own = manifest(&format!("{}/Cargo.toml", folder(name)));
        let lints = if *name == "crypto" { "unsafe_code = \"deny\"" } else { "[lints]\nworkspace = true" };
        assert!(own.contains(lints), "{name}");
    }
}

#[test]
fn every_source_file_has_its_line_in_the_map() {
    let map = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let mut test_sources = Vec::new();
    walk(&root().join("tests/src"), &mut test_sources);
    walk(&root().join("tests/tests"), &mut test_sources);
    let test_sources = test_sources.iter().map(|f| f.strip_prefix(root()).unwrap().to_path_buf());
    let named = |file: &Path| map.lines().any(|line| line.contains(&format!("`{}`", file.display())));
    let missing: Vec<PathBuf> = sources().into_iter().chain(test_sources).filter(|f| !named(f)).collect();
    assert!(missing.is_empty(), "not in ARCHITECTURE.md: {missing:#?}");
    // And the other way round: the map names no file that is gone.
    let gone: Vec<&str> = map
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .filter(|file| file.contains('/') && !root().join(file).exists())
        .collect();
    assert!(gone.is_empty(), "in ARCHITECTURE.md, but not in the tree: {gone:#?}");
}

/// Files beside the shipped ones that only `cfg(test)` compiles.
const TEST_ONLY: &[&str] = &["fixture.rs"];

/// The shipped files whose code (not their comments, tests or fixtures) holds one of these words; a hash that is
/// still sealed is not one.
fn holders(words: &[&str]) -> BTreeSet<String> {
    let code = |text: &str| {
        text.lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(|line| !line.trim_start().starts_with("//"))
            .any(|line| words.iter().any(|word| line.replace("SealedNtHash", "").contains(word)))
    };
    sources()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "rs"))
        .filter(|file| !TEST_ONLY.iter().any(|name| file.ends_with(name)))
        .filter(|file| code(&std::fs::read_to_string(root().join(file)).unwrap()))
        .map(|file| file.display().to_string())
        .collect()
}

fn assert_only_in(words: &[&str], allowed: &[&str]) {
    let found = holders(words);
    assert!(!found.is_empty(), "nothing holds {words:?} any more: mend this test");
    let strangers: Vec<&String> =
        found.iter().filter(|f| !allowed.iter().any(|a| f.starts_with(a))).collect();
    assert!(strangers.is_empty(), "{words:?} stand outside {allowed:?}: {strangers:#?}");
}

#[test]
fn nt_hashes_end_in_rehash() {
    assert_only_in(&["NtHash", "nt_hash::"], &["crypto/src/", "drsr/src/drs/", "phs/src/rehash.rs"]);
    assert!(holders(&["NtHash", "nt_hash"]).iter().all(|file| !file.starts_with("tenant/")));
}

#[test]
fn the_ciphers_of_the_directory_stand_in_two_files() {
    let files = ["crypto/src/drs_secret.rs", "crypto/src/nt_hash.rs"];
    assert_only_in(&["rc4::", "des::", "md5::", "md4::"], &files);
}

#[test]
fn sockets_of_phs_are_opened_by_pull_send_and_watch_and_it_listens_in_metrics_alone() {
    let files = [
        "phs/src/pull.rs",
        "phs/src/send.rs",
        "phs/src/watch.rs",
        "phs/src/metrics.rs",
        "pta-agent/src/",
        "agent/src/",
        "tenant/program/src/",
    ];
    assert_only_in(&["TcpStream", "TcpListener", "UnixStream", "UnixListener"], &files);
    assert_only_in(&["TcpListener", "UnixListener"], &["phs/src/metrics.rs", "tenant/program/src/"]);
    assert_only_in(&["hickory_resolver"], &["agent/src/discover.rs"]);
}

#[test]
fn the_private_envelope_key_is_used_by_unseal_and_the_directory_by_validate_alone() {
    assert_only_in(&["EnvelopeKey"], &["crypto/src/envelope.rs", "pta-agent/src/unseal.rs"]);
    assert_only_in(&["ldap3"], &["pta-agent/src/validate/"]);
    // The agent dials; it listens on nothing.
    let listeners = holders(&["TcpListener", "UnixListener"]);
    assert!(listeners.iter().all(|file| !file.starts_with("pta-agent/") && !file.starts_with("agent/")));
}

/// Overall exposure of at most 1.5, by systemd's own reckoning.
#[test]
fn the_units_leave_the_programs_little_to_do_harm_with() {
    for unit in ["landbridge-tenant", "landbridge-pta-agent", "landbridge-phs"] {
        let file = root().join(format!("dist/systemd/{unit}.service"));
        let said = std::process::Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=15", "--no-pager"])
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.status.success(), "{unit}: {}", text.lines().last().unwrap_or_default());
        assert!(text.contains("Overall exposure level"), "{unit}: {text}");
    }
}
