//! Each program: its size, how soon it says its version, and the memory that it keeps when it is idle and needs at
//! work.

use crate::proc::memory;
use crate::pta::{AT_ONCE, through_an_agent};
use crate::report::Comparison;
use crate::signins::{accepted, people, tries};
use crate::sync::joined;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::program::built;
use landbridge_tests::lab::{Application, Domain, LabError, Population, RunningTenant};
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 15;
/// Of those that need a domain.
const MEMORY_ROUNDS: usize = 3;
const PROGRAMS: [&str; 3] = ["landbridge-phs", "landbridge-pta-agent", "landbridge-tenant"];
/// Whom phs synchronises, and who signs in.
const USERS: (u32, u32) = (5_000, 50);
const SIGN_INS_AT_ONCE: usize = 32;

/// No peer but each other.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let mut sizes = Comparison::new("Size of each program", "MiB", "", &PROGRAMS);
    let mut starts = Comparison::new("From the start to the version", "ms", "", &PROGRAMS);
    let mut mib = Vec::new();
    for name in PROGRAMS {
        let metadata = std::fs::metadata(built(name)?);
        let size = metadata.map_err(|why| LabError::said("a program's size", &why))?.len();
        mib.push(size as f64 / 1_048_576.0);
    }
    sizes.round(&mib);
    for _ in 0..ROUNDS {
        let mut times = Vec::new();
        for name in PROGRAMS {
            let began = Instant::now();
            let ran = Command::new(built(name)?).arg("--version").stdout(Stdio::null()).status();
            ran.map_err(|why| LabError::said("a program's version", &why))?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        starts.round(&times);
    }
    let large = Domain::start(Population::of(USERS.0))?;
    let sides = ["daemon, idle", "at the peak of a whole sync, entra"];
    let mut phs = Comparison::new(format!("Memory of phs, {} accounts", USERS.0), "MiB", "", &sides);
    for _ in 0..MEMORY_ROUNDS {
        phs.round(&synchronising(&large)?);
    }
    drop(large);
    let small = Domain::start(Population::of(USERS.1))?;
    let sides = ["idle", "32 sign-ins at once, entra", "32 sign-ins at once, strong"];
    let mut tenant =
        Comparison::new(format!("Memory of the tenant, {} accounts", USERS.1), "MiB", "", &sides);
    let sides = ["idle", &format!("{AT_ONCE} sign-ins at once")];
    let mut agent = Comparison::new("Memory of the pta-agent", "MiB", "", &sides);
    for _ in 0..MEMORY_ROUNDS {
        let [idle, entra] = signing_in(&small, Profile::Entra, 4_000)?;
        let [_, strong] = signing_in(&small, Profile::Strong, 160)?;
        tenant.round(&[idle, entra, strong]);
        agent.round(&through_agents(&small)?);
    }
    Ok(vec![sizes, starts, phs, tenant, agent])
}

/// The daemon's memory when it has nothing to do, and that of a whole sync at its peak.
fn synchronising(domain: &Domain) -> Result<[f64; 2], LabError> {
    let (_tenant, phs) = joined(domain, Profile::Entra)?;
    let summary = phs.once(&[])?.expect_code(0).json();
    let peak = summary["peak_memory_kib"].as_f64().unwrap_or(f64::NAN) / 1024.0;
    let daemon = phs.run_daemon()?;
    Ok([memory(daemon.id()).0, peak])
}

/// The tenant's memory before some seconds of sign-ins by digest, and at the peak.
fn signing_in(domain: &Domain, profile: Profile, tries: usize) -> Result<[f64; 2], LabError> {
    let (tenant, phs) = joined(domain, profile)?;
    phs.once(&[])?.expect_code(0);
    let of = || tenant.process().map_or((f64::NAN, f64::NAN), memory);
    let idle = of().0;
    sign_in(&tenant, tries, SIGN_INS_AT_ONCE)?;
    Ok([idle, of().1])
}

/// The same of an agent.
fn through_agents(domain: &Domain) -> Result<[f64; 2], LabError> {
    let (tenant, agent) = through_an_agent(domain)?;
    let of = || agent.process().map_or((f64::NAN, f64::NAN), memory);
    let idle = of().0;
    sign_in(&tenant, 1_000, AT_ONCE)?;
    Ok([idle, of().1])
}

fn sign_in(tenant: &RunningTenant, count: usize, at_once: usize) -> Result<(), LabError> {
    let tries = tries(&people(USERS.1), count);
    accepted(&Application::of(tenant, "bench")?.sign_all_in(&tries, at_once)?).map(|_| ())
}
