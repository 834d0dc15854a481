//! A domain read and synchronised whole, beside Samba's own replication client that only reads it: how long, and what
//! it costs. The bytes are all that went over loopback meanwhile, headers too: nothing else may run there.

use crate::proc;
use crate::report::Comparison;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::population::ACCOUNT_PASSWORD;
use landbridge_tests::lab::{Domain, LabError, Phs, PhsSettings, Population, RunningTenant, TenantSettings};
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// Reads the domain once as Samba's own client does, and says what that took; the password comes by standard input.
const SAMBA: &str = include_str!("samba.py");
const SIDES: [&str; 4] =
    ["Samba's client, read only", "phs, read only", "phs, whole, entra", "phs, idle, connections made anew"];
/// Accounts, groups that they are in, and how often.
const SIZES: [(u32, u32, usize); 4] = [(1_000, 0, 5), (5_000, 0, 5), (10_000, 0, 5), (20_000, 200, 3)];

/// What one run took.
struct Cost {
    seconds: f64,
    /// Of the program that ran.
    cpu: f64,
    /// Its peak, in MiB.
    memory: f64,
    /// In MiB.
    wire: f64,
}

/// For each number of accounts: in turns, and at the end what an idle cycle costs.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let mut all = Vec::new();
    for (users, groups, rounds) in SIZES {
        all.extend(of(users, groups, rounds)?);
    }
    Ok(all)
}

fn of(users: u32, groups: u32, rounds: usize) -> Result<[Comparison; 4], LabError> {
    let domain = Domain::start(Population::in_groups(users, groups))?;
    let [samba_reads, reads, whole, _] = SIDES;
    let aim = "read only 0.6×, whole 0.8×";
    let what = |what: &str| format!("{users} accounts, {what}");
    let mut seconds = Comparison::new(what("from the first read to the last receipt"), "s", aim, &SIDES);
    let mut cpu =
        Comparison::new(what("CPU"), "s", "", &[samba_reads, reads, whole, "the tenant, meanwhile"]);
    let mut memory = Comparison::new(what("memory at the peak"), "MiB", "", &[samba_reads, reads, whole]);
    let wire = format!("bytes on loopback, {whole} with those to the tenant");
    let mut wire = Comparison::new(what(&wire), "MiB", "", &[samba_reads, reads, whole]);
    for round in 0..rounds {
        let samba = samba(&domain)?;
        let ([read, whole, idle], tenant) = ours(&domain)?;
        seconds.round(&[samba.seconds, read.seconds, whole.seconds, idle.seconds]);
        cpu.round(&[samba.cpu, read.cpu, whole.cpu, tenant]);
        memory.round(&[samba.memory, read.memory, whole.memory]);
        wire.round(&[samba.wire, read.wire, whole.wire]);
        eprintln!("    {users} accounts: round {} of {rounds}", round + 1);
    }
    Ok([seconds, cpu, memory, wire])
}

/// phs reads, synchronises whole, and finds nothing new; and the tenant's CPU meanwhile.
fn ours(domain: &Domain) -> Result<([Cost; 3], f64), LabError> {
    let (tenant, phs) = joined(domain, Profile::Entra)?;
    let once = |more: &[&str]| {
        cost(|| {
            let summary = phs.once(more)?.expect_code(0).json();
            let number = |name: &str| {
                let number = summary[name].as_f64();
                number.ok_or_else(|| LabError::said("a cycle", &summary))
            };
            Ok((number("seconds")?, number("peak_memory_kib")?))
        })
    };
    let read = once(&["--dry-run"])?;
    let busy = || tenant.process().map_or(f64::NAN, proc::cpu);
    let before = busy();
    let whole = once(&[])?;
    let spent = busy() - before;
    Ok(([read, whole, once(&[])?], spent))
}

/// A tenant of this domain, and a phs that has not read anything yet.
pub(crate) fn joined(domain: &Domain, profile: Profile) -> Result<(RunningTenant, Phs), LabError> {
    joined_on(domain, profile, None)
}

/// The same with the database at this URL of a PostgreSQL server, or in a file.
pub(crate) fn joined_on(
    domain: &Domain,
    profile: Profile,
    database: Option<String>,
) -> Result<(RunningTenant, Phs), LabError> {
    let tenant = RunningTenant::start_for(domain, &settings(database, None))?;
    let settings = PhsSettings { level: "warn", ..PhsSettings::for_domain(domain, profile.as_str()) };
    let phs = Phs::install(&settings)?;
    phs.join(&tenant)?;
    Ok((tenant, phs))
}

/// How the tenants of benchmarks are set up.
pub(crate) fn settings(database: Option<String>, listen: Option<SocketAddr>) -> TenantSettings {
    TenantSettings { level: "warn", database, listen, ..TenantSettings::default() }
}

fn samba(domain: &Domain) -> Result<Cost, LabError> {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", SAMBA]).arg(domain.folder().join("etc/smb.conf")).arg(domain.address().to_string());
    command.env("KRB5_CONFIG", domain.folder().join("krb5.conf"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |why: &str| LabError::said("Samba's client", &why);
    cost(|| {
        let mut running = command.spawn().map_err(|why| failed(&why.to_string()))?;
        if let Some(mut input) = running.stdin.take() {
            let _ = writeln!(input, "{ACCOUNT_PASSWORD}");
        }
        let ended = running.wait_with_output().map_err(|why| failed(&why.to_string()))?;
        let text = String::from_utf8_lossy(&ended.stdout);
        let said: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match said[..] {
            [seconds, _, kib] => Ok((seconds, kib)),
            _ => Err(failed(&String::from_utf8_lossy(&ended.stderr))),
        }
    })
}

/// `run` has a child, and ends when that has: seconds, and KiB at the peak, both as it says itself.
fn cost(run: impl FnOnce() -> Result<(f64, f64), LabError>) -> Result<Cost, LabError> {
    let (cpu, wire) = (proc::cpu_of_the_ended(), proc::loopback());
    let (seconds, kib) = run()?;
    let (cpu, wire) = (proc::cpu_of_the_ended() - cpu, (proc::loopback() - wire) / 1_048_576.0);
    Ok(Cost { seconds, cpu, memory: kib / 1024.0, wire })
}
