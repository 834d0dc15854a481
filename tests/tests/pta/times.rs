//! Unknown, wrong, disabled and locked are not told apart, in bytes or in time: Welch's t over answers of each kind,
//! asked in random order, at a PHS and at a PTA domain.

use crate::stage::Stage;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{Person, Try, person};

/// More than this by chance: once in some 150,000 comparisons.
pub(crate) const LIMIT: f64 = 4.5;
const AT_ONCE: usize = 24;
const KINDS: [&str; 4] = ["unknown", "wrong", "disabled", "locked"];

#[test]
fn refusals_of_every_kind_take_the_same_time_and_look_the_same() {
    for policy in ["phs", "pta"] {
        measure(policy, false);
    }
}

#[test]
fn refusals_take_the_same_time_while_ads_budget_is_spent_and_digests_stand_in_for_it() {
    measure("pta", true);
}

/// With `spent`, AD locks at 3, and every account and every name has used up the one try that reaches it.
fn measure(policy: &str, spent: bool) {
    let (seed, each) = (seed(), size(1_000, 10_000));
    let agents = if policy == "pta" { 2 } else { 0 };
    // Unknown sources share one counter, so wrong passwords are spread: less than ten for each account. A disabled one
    // is counted as a name that nobody has where agents decide.
    let wrong = size(400, 1_300);
    let disabled = wrong..wrong + size(200, 1_300);
    let locked = disabled.end..disabled.end + 50;
    let users = locked.end;
    let stage = Stage::prepared(users, agents, policy, |domain| {
        if spent {
            domain.set_policy(serde_json::json!({ "lockoutThreshold": "3" })).unwrap();
        }
        for n in disabled.clone() {
            domain.set_enabled(&person(n).sam, false).unwrap();
        }
    });
    let nobody = |n: u32| Person { upn: format!("nobody{n}@corp.example.com"), ..person(0) };
    // Before that an agent lets one wrong password for each account through.
    stage.teach_policy(0..10);
    // The smart lockout of the locked ones is full.
    let mut before: Vec<Try> = locked
        .clone()
        .flat_map(|n| (0..10).map(move |k| Try::from(0xffff00, &person(n).upn, &format!("wrong {k}"))))
        .collect();
    if spent {
        let all = (0..disabled.end).map(person).chain((0..wrong).map(nobody));
        before.extend(all.map(|who| Try::from(0xffff01, &who.upn, "the one that reaches AD")));
    }
    stage.app.sign_all_in(&before, AT_ONCE).unwrap();
    // So many wrong passwords at once keep a domain controller busy for longer than what follows. The samples of its
    // delays are of the last refusals: let them be of such as are measured.
    let refused_now: Vec<Try> =
        (0..80).map(person).map(|who| Try::from(0xffff02, &who.upn, "one more wrong one")).collect();
    stage.app.sign_all_in(&refused_now, AT_ONCE).unwrap();
    let before = stage.reasons();
    let mut draw = Draw::new(seed);
    let mut order: Vec<usize> = (0..4 * each).map(|n| n % 4).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, draw.below(at + 1));
    }
    // The people of a kind take turns, so that none is tried more often than another.
    let mut turns = [0u32; 4];
    let tries: Vec<Try> = order
        .iter()
        .enumerate()
        .map(|(n, kind)| {
            let n = u32::try_from(n).unwrap();
            let turn = turns[*kind];
            turns[*kind] += 1;
            let pick = |of: &std::ops::Range<u32>| person(of.start + turn % (of.end - of.start));
            let (who, source, password) = match kind {
                0 => (nobody(if spent { turn % wrong } else { turn }), n, format!("guess {n}")),
                1 => (pick(&(0..wrong)), n, format!("guess {n}")),
                2 => (pick(&disabled), n, pick(&disabled).password),
                _ => (pick(&locked), 0xffff00, format!("guess {n}")),
            };
            Try::from(source, &who.upn, &password)
        })
        .collect();
    let answers = stage.app.sign_all_in(&tries, AT_ONCE).unwrap();
    let first = &answers[0].raw;
    assert!(answers.iter().all(|answer| answer.status == 403 && answer.raw == *first), "one answer for all");
    // Each was refused for what it stands for, as the audit log has it.
    let reasons = stage.reasons();
    let wrong = if spent { "digest-differs" } else { "wrong-password" };
    for why in ["unknown-name", wrong, "disabled", "unknown-sources-locked"] {
        let count = |of: &std::collections::BTreeMap<String, usize>| of.get(why).copied().unwrap_or(0);
        assert_eq!(count(&reasons) - count(&before), each, "{policy}: {why} in {reasons:?}");
    }
    let times: [Vec<f64>; 4] = std::array::from_fn(|kind| {
        let of = order.iter().zip(&answers).filter(|(k, _)| **k == kind);
        of.map(|(_, answer)| answer.took.as_secs_f64() * 1e3).collect()
    });
    let mut worst: f64 = 0.0;
    for a in 0..4 {
        let (even, odd): (Vec<_>, Vec<_>) = times[a].iter().enumerate().partition(|(at, _)| at % 2 == 0);
        let floor = welch(
            &even.into_iter().map(|p| *p.1).collect::<Vec<_>>(),
            &odd.into_iter().map(|p| *p.1).collect::<Vec<_>>(),
        );
        let (mean, deviation) = spread(&times[a]);
        println!(
            "{policy}: {:8} N {each}, mean {mean:.3} ms, deviation {deviation:.3} ms, its two halves |t| {floor:.2}",
            KINDS[a]
        );
        for b in a + 1..4 {
            let t = welch(&times[a], &times[b]);
            println!("{policy}: {} and {}: |t| {t:.2}", KINDS[a], KINDS[b]);
            worst = worst.max(t);
        }
    }
    println!("{policy}: seed {seed}, the largest |t| is {worst:.2}");
    assert!(worst < LIMIT, "{policy}: {worst}");
}

pub(crate) fn spread(of: &[f64]) -> (f64, f64) {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    (mean, (of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

pub(crate) fn welch(a: &[f64], b: &[f64]) -> f64 {
    let ((ma, sa), (mb, sb)) = (spread(a), spread(b));
    ((ma - mb) / (sa * sa / a.len() as f64 + sb * sb / b.len() as f64).sqrt()).abs()
}
