//! Sign-ins at the tenant by digest, beside the bare derivations that every one of them needs.

use crate::report::Comparison;
use crate::sync::joined;
use landbridge_crypto::nt_hash::NtHash;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_tests::lab::{Answer, Application, Domain, LabError, Person, Population, Try, person};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

const USERS: u32 = 50;
const AT_ONCE: usize = 32;
const ROUNDS: usize = 12;
/// Before a sign-in that is alone.
const ALONE: Duration = Duration::from_millis(5);

/// Both profiles.
pub(crate) fn measure() -> Result<Vec<Comparison>, LabError> {
    let domain = Domain::start(Population::of(USERS))?;
    let mut all = of(&domain, Profile::Strong, 64)?;
    all.extend(of(&domain, Profile::Entra, 960)?);
    Ok(all)
}

fn of(domain: &Domain, profile: Profile, each: usize) -> Result<Vec<Comparison>, LabError> {
    let (tenant, phs) = joined(domain, profile)?;
    phs.once(&[])?.expect_code(0);
    let app = Application::of(&tenant, "bench")?;
    let people = people(USERS);
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let tries = |count| tries(&people, count);
    let one = format!("bare derivations, one on each of {cores} cores");
    let through = format!("sign-ins, {AT_ONCE} at once");
    let what = format!("Sign-ins by digest, profile {profile}");
    let aim = if profile == Profile::Strong { "3×" } else { "" };
    let mut rates = Comparison::new(what.clone(), "/s", aim, &[&one, &through]);
    let names = ["bare derivation", "sign-in alone, p50", "sign-in alone, p99"];
    let mut alone = Comparison::new(format!("{what}, alone"), "ms", "1.1×", &names);
    for _ in 0..ROUNDS {
        let bare = bare(profile, cores, each / 4);
        let began = Instant::now();
        accepted(&app.sign_all_in(&tries(each), AT_ONCE)?)?;
        rates.round(&[bare, each as f64 / began.elapsed().as_secs_f64()]);
        let lone = single(profile);
        let mut times = accepted(&app.sign_in_one_by_one(&tries(each / 4), ALONE)?)?;
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        alone.round(&[lone, at(0.5), at(0.99)]);
    }
    Ok(vec![rates, alone])
}

fn hash() -> NtHash {
    NtHash::of_password(&Password::new("any password".to_owned()))
}

/// Derivations a second with one on each core at a time.
fn bare(profile: Profile, cores: usize, each: usize) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| (0..each).for_each(|_| drop(SaltedDigest::derive(hash(), profile))));
        }
    });
    (cores * each) as f64 / began.elapsed().as_secs_f64()
}

/// Milliseconds of one derivation, the median of some.
fn single(profile: Profile) -> f64 {
    let mut times: Vec<f64> = (0..9)
        .map(|_| {
            std::thread::sleep(ALONE);
            let began = Instant::now();
            drop(SaltedDigest::derive(hash(), profile));
            began.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Those of so many accounts that may sign in.
pub(crate) fn people(count: u32) -> Vec<Person> {
    (0..count).map(person).filter(|p| p.index % 10 != 6).collect()
}

/// So many sign-ins of them, one after the other and again from the first.
pub(crate) fn tries(people: &[Person], count: usize) -> Vec<Try> {
    let people = people.iter().cycle().take(count);
    people.map(|who| Try::from(who.index, &who.upn, &who.password)).collect()
}

/// How long each took, in milliseconds, if all were accepted.
pub(crate) fn accepted(answers: &[Answer]) -> Result<Vec<f64>, LabError> {
    if let Some(amiss) = answers.iter().find(|answer| !answer.accepted()) {
        let said = format!("{} {}", amiss.status, amiss.body);
        return Err(LabError::Step { step: "a sign-in".to_owned(), said });
    }
    Ok(answers.iter().map(|answer| answer.took.as_secs_f64() * 1e3).collect())
}
