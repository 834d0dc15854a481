//! What a change costs: cycles after some passwords were reset, beside one that finds nothing.

use crate::report::Comparison;
use crate::sync::joined;
use landbridge_crypto::salted_digest::Profile;
use landbridge_tests::lab::{Domain, LabError, Person, Population, person};

const USERS: u32 = 5_000;
/// Passwords that are reset before a cycle.
const RESETS: [u32; 3] = [0, 1, 1_000];
const ROUNDS: usize = 5;

/// In turns, and always with connections made anew.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let domain = Domain::start(Population::of(USERS))?;
    let (_tenant, phs) = joined(&domain, Profile::Entra)?;
    phs.once(&[])?.expect_code(0);
    let sides = RESETS.map(|resets| format!("after {resets} password resets"));
    let what = format!("An incremental cycle, {USERS} accounts, entra");
    let mut all = Comparison::new(what, "s", "", &sides.each_ref().map(String::as_str));
    for round in 0..ROUNDS {
        let mut seconds = Vec::new();
        for resets in RESETS {
            for Person { sam, password, .. } in (0..resets).map(person) {
                domain.set_password(&sam, &format!("{password} {resets} {round}"))?;
            }
            let summary = phs.once(&[])?.expect_code(0).json();
            if summary["digests_sent"] != resets {
                return Err(LabError::said("a cycle after resets", &summary));
            }
            seconds.push(summary["seconds"].as_f64().unwrap_or(f64::NAN));
        }
        all.round(&seconds);
        eprintln!("    changes: round {} of {ROUNDS}", round + 1);
    }
    Ok(vec![all])
}
