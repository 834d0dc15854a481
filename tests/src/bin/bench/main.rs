//! `make bench`: what a user would otherwise run beside what we do, in turns in one run, as ratios; the machine is shared.
//! Prints a table, and leaves `report.md` and `chart.svg` in `target/bench`. With words after it, only those parts:
//! `derivations`, `signins`, `ingest`, `sync`, `programs`. docs/performance.md says what the figures mean.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is all for a person to read")]
#![allow(clippy::indexing_slicing, clippy::cast_precision_loss, reason = "a benchmark's arithmetic")]

mod derivations;
mod ingest;
mod proc;
mod programs;
mod report;
mod signins;
mod sync;

use landbridge_tests::lab::LabError;
use landbridge_tests::lab::program::build_folder;

fn main() -> Result<(), LabError> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|one| one == part);
    let machine = machine();
    println!("\n  {machine}");
    let mut all = Vec::new();
    let mut take = |some: Vec<report::Comparison>| {
        some.iter().for_each(report::Comparison::print);
        all.extend(some);
    };
    if is_wanted("derivations") {
        take(derivations::measure()?);
    }
    if is_wanted("signins") {
        take(signins::measure()?);
    }
    if is_wanted("ingest") {
        take(ingest::measure()?);
    }
    if is_wanted("sync") {
        take(sync::measure()?);
    }
    if is_wanted("programs") {
        take(programs::measure()?);
    }
    let folder = build_folder()?.join("bench");
    report::write(&folder, &machine, &all)?;
    println!("\n  {}\n", folder.join("report.md").display());
    Ok(())
}

/// The processor, as it names itself, what it can, and how many cores of it are ours.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_once(": ").map(|(_, value)| value.to_owned())
    };
    let flags = value("flags").unwrap_or_default();
    let has: Vec<&str> =
        flags.split_whitespace().filter(|flag| ["avx2", "avx512f", "sha_ni"].contains(flag)).collect();
    let cores = text.lines().filter(|line| line.starts_with("processor")).count();
    let model = value("model name").unwrap_or_else(|| "an unknown processor".to_owned());
    format!(
        "{model}, {cores} cores, {}; {}",
        has.join(" "),
        if cfg!(debug_assertions) { "debug build" } else { "release build" }
    )
}
