//! A whole sync with the profile that costs, beside the machine's own derivations: all else should hide behind them.

use crate::derivations::on_all_cores;
use crate::report::Comparison;
use crate::sync::joined;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::{Domain, LabError, Population};
use std::time::Instant;

const USERS: u32 = 2_000;
/// Bare derivations of a round: some seconds of them.
const BARE: usize = 240;
const ROUNDS: usize = 3;

/// Digests a second, from the first read to the last receipt.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let domain = Domain::start(Population::of(USERS))?;
    let what = format!("A whole sync of {USERS} accounts, profile strong");
    let mut all = Comparison::new(what, "/s", "0.95×", &["bare derivations, on all cores", "phs, whole"]);
    for round in 0..ROUNDS {
        let began = Instant::now();
        let bare = on_all_cores(Profile::Strong, BARE).len() as f64 / began.elapsed().as_secs_f64();
        let (_tenant, phs) = joined(&domain, Profile::Strong)?;
        let summary = phs.once(&[])?.expect_code(0).json();
        let number = |name: &str| summary[name].as_f64().unwrap_or(f64::NAN);
        all.round(&[bare, number("digests_derived") / number("seconds")]);
        eprintln!("    strong: round {} of {ROUNDS}", round + 1);
    }
    Ok(vec![all])
}
