//! Which crate may name which, and what it never reaches, even through others.

use crate::root;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// One row a crate: its name, the workspace crates it may name, and what it never reaches, even through others.
pub(crate) const ARROWS: &[(&str, &[&str], &[&str])] = &[
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

pub(crate) fn metadata() -> Metadata {
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
