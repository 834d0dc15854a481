//! `make bench`: what a user would otherwise run beside what we do, in turns in one run, as ratios; the machine is
//! shared. Prints tables, and leaves `report.md` and `chart.svg` in `target/bench`. With words after it, only those
//! parts: see [`PARTS`] and [`NAMED_PARTS`]. docs/performance.md says what the figures mean.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is all for a person to read")]
#![allow(clippy::indexing_slicing, clippy::cast_precision_loss, reason = "a benchmark's arithmetic")]

mod changes;
mod derivations;
mod ingest;
mod ldap;
mod million;
mod nodes;
mod oidc;
mod peak;
mod population;
mod proc;
mod programs;
mod pta;
mod report;
mod signins;
mod strong;
mod sync;

use landbridge_tests::lab::LabError;
use landbridge_tests::lab::program::build_folder;
use report::Comparison;
use std::process::ExitCode;

/// A name for the command line, and what measures it.
type Part = (&'static str, fn() -> Result<Vec<Comparison>, LabError>);

/// The parts of a plain `make bench`.
const PARTS: [Part; 13] = [
    ("derivations", derivations::measure),
    ("signins", signins::measure),
    ("pta", pta::measure),
    ("ingest", ingest::measure),
    ("sync", sync::measure),
    ("strong", strong::measure),
    ("changes", changes::measure),
    ("programs", programs::measure),
    ("ldap", ldap::measure),
    ("oidc", oidc::measure),
    ("change", oidc::change::measure),
    ("nodes", nodes::measure),
    ("peak", peak::measure),
];

/// Parts that run only when they are named, since they would make a plain `make bench` much longer.
const NAMED_PARTS: [Part; 1] = [("million", million::measure)];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), LabError> {
    // 1. The parts: those that are named, or all but those that must be named.
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let parts = [&PARTS[..], &NAMED_PARTS[..]].concat();
    let is_part = |one: &&String| parts.iter().any(|(part, _)| one == part);
    if let Some(unknown) = wanted.iter().find(|one| !is_part(one)) {
        let known = parts.iter().map(|(part, _)| *part).collect::<Vec<_>>().join(", ");
        return Err(LabError::said("choosing a part", &format!("{unknown} is none of {known}")));
    }
    let is_wanted = |(part, _): &Part| wanted.iter().any(|one| one == part);
    let parts =
        if wanted.is_empty() { PARTS.to_vec() } else { parts.into_iter().filter(is_wanted).collect() };
    // 2. Their figures. After every part they are written: if the next part fails, they stay.
    let folder = build_folder()?.join("bench");
    let machine = machine();
    println!("\n  {machine}");
    let mut all = Vec::new();
    for (_, measure) in parts {
        let some = measure()?;
        some.iter().for_each(Comparison::print);
        all.extend(some);
        report::write(&folder, &machine, &all)?;
    }
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
