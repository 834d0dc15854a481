//! Which crate may name which, and what it never reaches, even through others.

use crate::{files_under, folder, root};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// One row a shipped crate: its name, the workspace crates it may name, and what it never reaches, even through
/// others. Names of the workspace's crates are without their prefix `landbridge-`.
pub(crate) const ARROWS: &[(&str, &[&str], &[&str])] = &[
    ("crypto", &[], &["serde", "serde_json", "tokio", "tracing"]),
    ("kerberos", &["crypto"], &["serde", "tokio", "tracing"]),
    ("drsr", &["crypto", "kerberos"], &["tokio", "landbridge-wire"]),
    ("wire", &["crypto"], &["tokio", "landbridge-drsr"]),
    ("host", &[], &["rusqlite", "clap"]),
    ("agent", &["wire", "host"], &["landbridge-drsr"]),
    (
        "phs",
        &["drsr", "kerberos", "crypto", "wire", "agent", "host"],
        &["landbridge-tenant-rules", "landbridge-pta-agent"],
    ),
    (
        "pta-agent",
        &["crypto", "kerberos", "wire", "agent", "host"],
        &["landbridge-drsr", "landbridge-phs", "landbridge-tenant-rules"],
    ),
    ("tenant-rules", &["crypto", "wire"], &["rusqlite", "postgres", "tokio", "hyper", "rustls"]),
    ("tenant-store", &["tenant-rules", "crypto", "wire"], &["hyper", "tungstenite", "tokio-tungstenite"]),
    (
        "tenant-core",
        &["tenant-rules", "tenant-store", "crypto", "wire"],
        &["tungstenite", "tokio-tungstenite", "clap"],
    ),
    (
        "door-listen",
        &["host"],
        &["landbridge-tenant-rules", "landbridge-tenant-store", "landbridge-tenant-core", "clap"],
    ),
    ("door-agents", &["door-listen", "tenant-core", "wire"], &["clap"]),
    (
        "door-applications",
        &["door-listen", "tenant-core", "crypto", "wire"],
        &["tungstenite", "tokio-tungstenite", "clap"],
    ),
    (
        "door-ldap",
        &["door-listen", "tenant-core", "crypto", "wire"],
        &["tungstenite", "tokio-tungstenite", "clap"],
    ),
    (
        "door-oidc",
        &["door-listen", "door-pages", "tenant-core", "crypto"],
        &["tungstenite", "tokio-tungstenite", "clap"],
    ),
    ("door-pages", &[], &["tokio", "hyper", "rustls", "rusqlite", "tracing"]),
    ("door-operator", &["door-listen", "tenant-core"], &["tungstenite", "tokio-tungstenite", "clap"]),
    (
        "tenant",
        &[
            "tenant-rules",
            "tenant-store",
            "tenant-core",
            "door-listen",
            "door-agents",
            "door-applications",
            "door-ldap",
            "door-oidc",
            "door-pages",
            "door-operator",
            "crypto",
            "wire",
            "host",
        ],
        &["landbridge-drsr", "landbridge-agent", "landbridge-phs", "landbridge-pta-agent"],
    ),
];

/// The crates of the workspace that are for tests: no shipped crate reaches one.
pub(crate) const FOR_TESTS: &[&str] = &["tenant-fixture", "tests"];

/// The start of the names of all doors.
const DOOR: &str = "door-";

/// What doors share: the listener, and the pages that people see in a browser.
const SHARED: &[&str] = &["door-listen", "door-pages"];

/// What a door may name of `crypto`: the type in which it hands a password on, and nothing else.
const CRYPTO_OF_DOORS: &str = "landbridge_crypto::secret::Password";

/// Shipped programs run here. Dependencies of other platforms do not count.
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
        if let Some(crate_name) = other.strip_prefix("landbridge-") {
            if FOR_TESTS.contains(&crate_name) {
                wrong.push(format!("{name} reaches {crate_name}, which is for tests"));
            }
            // The program joins the doors, and a door stands on `SHARED`. No other crate reaches a door.
            let wiring = name == "tenant" || (name.starts_with(DOOR) && SHARED.contains(&crate_name));
            if crate_name.starts_with(DOOR) && !wiring {
                wrong.push(format!("{name} reaches the door {crate_name}"));
            }
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
fn every_crate_of_the_workspace_has_a_row() {
    let metadata = metadata();
    let rows: BTreeSet<&str> =
        ARROWS.iter().map(|(name, _, _)| *name).chain(FOR_TESTS.iter().copied()).collect();
    let members: Vec<String> = metadata.workspace_packages().iter().map(|p| p.name.to_string()).collect();
    let members: BTreeSet<&str> =
        members.iter().map(|name| name.strip_prefix("landbridge-").unwrap_or(name)).collect();
    let without: Vec<_> = members.difference(&rows).collect();
    assert!(without.is_empty(), "these crates have no row in ARROWS or FOR_TESTS: {without:?}");
    let gone: Vec<_> = rows.difference(&members).collect();
    assert!(gone.is_empty(), "these rows have no crate: {gone:?}");
}

/// The feature `raw` of the store lends the connection under a transaction. It is for tests.
#[test]
fn no_shipped_crate_enables_the_raw_store() {
    let metadata = metadata();
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        let shipped = ARROWS.iter().any(|(name, _, _)| package.name.as_str() == format!("landbridge-{name}"));
        let raw = package.dependencies.iter().filter(|dependency| {
            dependency.name == "landbridge-tenant-store"
                && dependency.kind == DependencyKind::Normal
                && dependency.features.iter().any(|feature| feature == "raw")
        });
        // A crate could also enable it by a feature of its own.
        let forwarded = package.features.values().flatten().filter(|feature| feature.ends_with("store/raw"));
        if shipped && raw.count() + forwarded.count() > 0 {
            found.push(package.name.to_string());
        }
        if package.name.as_str() == "landbridge-tenant-store" {
            let raw = &package.features["raw"];
            assert!(raw.is_empty(), "raw enables {raw:?}");
            let default = package.features.get("default").is_some_and(|on| !on.is_empty());
            assert!(!default, "the store has default features");
        }
    }
    assert!(found.is_empty(), "these shipped crates enable the store's feature `raw`: {found:?}");
}

#[test]
fn a_door_names_nothing_of_crypto_but_the_password() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for (name, _, _) in ARROWS.iter().filter(|(name, _, _)| name.starts_with(DOOR)) {
        for file in files_under(&folder(&metadata, name).join("src")) {
            let text = std::fs::read_to_string(root().join(&file)).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let named: usize = code.clone().map(|line| line.matches("landbridge_crypto").count()).sum();
            let password: usize = code.map(|line| line.matches(CRYPTO_OF_DOORS).count()).sum();
            if named != password {
                wrong.push(file);
            }
        }
    }
    assert!(wrong.is_empty(), "doors name more of crypto than {CRYPTO_OF_DOORS}: {wrong:?}");
}

#[test]
fn a_forbidden_arrow_would_be_seen() {
    let metadata = metadata();
    let named = named(&metadata);
    // phs really names drsr and reaches serde: a rule against either must be found broken.
    let wrong = wrong_arrows(&metadata, &named, ("phs", &["crypto", "wire", "agent"], &["serde"]));
    assert!(wrong.contains(&"phs names drsr".to_owned()), "{wrong:?}");
    assert!(wrong.contains(&"phs reaches serde".to_owned()), "{wrong:?}");
    // The crate for tests names the fixture's neighbours and, through the program, each door.
    let wrong = wrong_arrows(&metadata, &named, ("tests", &[], &[]));
    assert!(wrong.contains(&"tests reaches the door door-agents".to_owned()), "{wrong:?}");
}
