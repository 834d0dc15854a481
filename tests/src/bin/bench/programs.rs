//! Each program: its size, how soon it says its version, and the memory that it keeps when it is idle.

use crate::report::Comparison;
use landbridge_tests::lab::program::built;
use landbridge_tests::lab::{Domain, LabError, Phs, PhsSettings, Population, Tenant, TenantSettings};
use std::process::{Command, Stdio};
use std::time::Instant;

const ROUNDS: usize = 15;
const PROGRAMS: [&str; 3] = ["landbridge-phs", "landbridge-pta-agent", "landbridge-tenant"];

/// No peer but each other.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let mut sizes = Comparison::new("Size of each program", "MiB", "", &PROGRAMS);
    let mut starts = Comparison::new("From the start to the version", "ms", "", &PROGRAMS);
    let mut mib = Vec::new();
    for name in PROGRAMS {
        let size = std::fs::metadata(built(name)?).map_err(|why| step("a program's size", why))?.len();
        mib.push(size as f64 / 1_048_576.0);
    }
    sizes.round(&mib);
    for _ in 0..ROUNDS {
        let mut times = Vec::new();
        for name in PROGRAMS {
            let began = Instant::now();
            let ran = Command::new(built(name)?).arg("--version").stdout(Stdio::null()).status();
            ran.map_err(|why| step("a program's version", why))?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        starts.round(&times);
    }
    let mut memory =
        Comparison::new("Resident memory when idle, 500 accounts", "MiB", "", &["phs", "tenant"]);
    let domain = Domain::start(Population::of(500))?;
    for _ in 0..3 {
        let tenant = Tenant::start_for(&domain, &TenantSettings::default())?;
        let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra"))?;
        phs.join(&tenant)?;
        let daemon = phs.run_daemon()?;
        let of = |process: Option<u32>| process.and_then(resident).unwrap_or(f64::NAN);
        memory.round(&[of(Some(daemon.id())), of(tenant.process())]);
    }
    Ok(vec![sizes, starts, memory])
}

/// In MiB (proc(5), VmRSS).
fn resident(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn step(what: &str, why: impl std::fmt::Display) -> LabError {
    LabError::Step { step: what.to_owned(), said: why.to_string() }
}
