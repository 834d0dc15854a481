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
        measure(policy);
    }
}

fn measure(policy: &str) {
    let (seed, each) = (seed(), size(1_000, 10_000));
    let agents = if policy == "pta" { 2 } else { 0 };
    let users = 500;
    let disabled = 400..450;
    let locked = 450..500;
    let stage = Stage::prepared(users, agents, policy, |domain| {
        for n in disabled.clone() {
            domain.set_enabled(&person(n).sam, false).unwrap();
        }
    });
    // Before that an agent lets one wrong password for each account through.
    stage.teach_policy(0..10);
    // The smart lockout of the locked ones is full for the source that they will be tried from.
    let full: Vec<Try> = locked
        .clone()
        .flat_map(|n| (0..10).map(move |k| Try::from(0xffff00, &person(n).upn, &format!("wrong {k}"))))
        .collect();
    stage.app.sign_all_in(&full, AT_ONCE).unwrap();
    let before = stage.reasons();
    let mut draw = Draw::new(seed);
    let mut order: Vec<usize> = (0..4 * each).map(|n| n % 4).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, draw.below(at + 1));
    }
    let tries: Vec<Try> = order
        .iter()
        .enumerate()
        .map(|(n, kind)| {
            let n = u32::try_from(n).unwrap();
            let pick = |from: u32, to: u32| person(from + n % (to - from));
            let (who, source, password) = match kind {
                0 => (
                    Person { upn: format!("nobody{n}@corp.example.com"), ..person(0) },
                    n,
                    format!("guess {n}"),
                ),
                // Each from a source of its own: the all-sources bound is five times the threshold.
                1 => (pick(0, 400), n, format!("guess {n}")),
                2 => (pick(disabled.start, disabled.end), n, pick(disabled.start, disabled.end).password),
                _ => (pick(locked.start, locked.end), 0xffff00, format!("guess {n}")),
            };
            Try::from(source, &who.upn, &password)
        })
        .collect();
    let answers = stage.app.sign_all_in(&tries, AT_ONCE).unwrap();
    let first = &answers[0].raw;
    assert!(answers.iter().all(|answer| answer.status == 403 && answer.raw == *first), "one answer for all");
    // Each was refused for what it stands for, as the audit log has it.
    let reasons = stage.reasons();
    for why in ["unknown-name", "wrong-password", "disabled", "locked-out"] {
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

fn spread(of: &[f64]) -> (f64, f64) {
    let n = of.len() as f64;
    let mean = of.iter().sum::<f64>() / n;
    (mean, (of.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt())
}

pub(crate) fn welch(a: &[f64], b: &[f64]) -> f64 {
    let ((ma, sa), (mb, sb)) = (spread(a), spread(b));
    ((ma - mb) / (sa * sa / a.len() as f64 + sb * sb / b.len() as f64).sqrt()).abs()
}
