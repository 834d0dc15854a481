//! A domain read and synchronised whole, beside Samba's own replication client that only reads it.

use crate::report::Comparison;
use landbridge_tests::lab::population::ACCOUNT_PASSWORD;
use landbridge_tests::lab::{Domain, LabError, Phs, PhsSettings, Population, Tenant, TenantSettings};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Reads the domain once as Samba's own client does, and says how long it took; the password comes by standard input.
const SAMBA: &str = include_str!("samba.py");

/// For each number of accounts: in turns, and at the end what a change costs.
pub(crate) fn measure(sizes: &[(u32, u32, usize)]) -> Result<Vec<Comparison>, LabError> {
    sizes.iter().map(|(users, groups, rounds)| of(*users, *groups, *rounds)).collect()
}

fn of(users: u32, groups: u32, rounds: usize) -> Result<Comparison, LabError> {
    let domain = Domain::start(Population::in_groups(users, groups))?;
    let sides = [
        "Samba's client, read only",
        "phs, read only",
        "phs, whole, entra",
        "phs, idle, connections made anew",
    ];
    let mut all = Comparison::new(
        format!("{users} accounts, from the first read to the last receipt"),
        "s",
        "read only 0.6×, whole 0.8×",
        &sides,
    );
    for round in 0..rounds {
        let samba = samba(&domain)?;
        let [read, whole, idle] = ours(&domain)?;
        all.round(&[samba, read, whole, idle]);
        eprintln!("    {users} accounts: round {} of {rounds}", round + 1);
    }
    Ok(all)
}

fn ours(domain: &Domain) -> Result<[f64; 3], LabError> {
    let tenant = Tenant::start_for(domain, &TenantSettings { level: "warn", ..TenantSettings::default() })?;
    let phs = Phs::install(&PhsSettings { level: "warn", ..PhsSettings::for_domain(domain, "entra") })?;
    phs.join(&tenant)?;
    let seconds = |more: &[&str]| {
        let summary = phs.once(more)?.expect_code(0).json();
        summary["seconds"].as_f64().ok_or_else(|| step("a cycle", &summary))
    };
    Ok([seconds(&["--dry-run"])?, seconds(&[])?, seconds(&[])?])
}

fn samba(domain: &Domain) -> Result<f64, LabError> {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", SAMBA]).arg(domain.folder().join("etc/smb.conf")).arg(domain.address().to_string());
    command.env("KRB5_CONFIG", domain.folder().join("krb5.conf"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().map_err(|why| step("Samba's client", why))?;
    if let Some(mut input) = running.stdin.take() {
        let _ = writeln!(input, "{ACCOUNT_PASSWORD}");
    }
    let ended = running.wait_with_output().map_err(|why| step("Samba's client", why))?;
    let text = String::from_utf8_lossy(&ended.stdout);
    let failed = || step("Samba's client", String::from_utf8_lossy(&ended.stderr));
    text.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).ok_or_else(failed)
}

fn step(what: &str, why: impl std::fmt::Display) -> LabError {
    LabError::Step { step: what.to_owned(), said: why.to_string() }
}
