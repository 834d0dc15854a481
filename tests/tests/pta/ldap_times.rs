//! Refusals by LDAP: those of every kind take the same time and look the same, as those by the API do.

use crate::stage::Stage;
use crate::times::{LIMIT, spread, welch};
use landbridge_tests::lab::population::DOMAIN;
use landbridge_tests::lab::trial::{Draw, seed, size};
use landbridge_tests::lab::{Person, person, trusting};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Connections that bind at once.
const AT_ONCE: usize = 24;
/// What is tried, and the reason that the audit log has for it.
const KINDS: [(&str, &str); 5] = [
    ("unknown", "unknown-name"),
    ("wrong", "wrong-password"),
    ("disabled", "disabled"),
    ("not assigned", "not-assigned"),
    ("locked", "unknown-sources-locked"),
];

#[test]
fn refusals_by_ldap_of_every_kind_take_the_same_time_and_look_the_same() {
    for policy in ["phs", "pta"] {
        measure(policy);
    }
}

/// A name and a password.
type Try = (String, String);

fn measure(policy: &str) {
    // 1. People of each kind. An application that states no place has one counter for each account: less than ten wrong
    //    passwords for each.
    let (seed, each) = (seed(), size(500, 5_000));
    let wrong = 0..size(200, 800);
    let disabled = wrong.end..wrong.end + 100;
    let unassigned = disabled.end..disabled.end + 100;
    let locked = unassigned.end..unassigned.end + 50;
    let agents = if policy == "pta" { 2 } else { 0 };
    let stage = Stage::prepared(locked.end, agents, policy, |domain| {
        disabled.clone().for_each(|n| domain.set_enabled(&person(n).sam, false).unwrap());
        domain.create_group("Assigned").unwrap();
        let assigned = wrong.clone().chain(disabled.clone()).chain(locked.clone());
        let assigned: Vec<String> = assigned.map(|n| person(n).sam).collect();
        domain.set_members("Assigned", &assigned, true).unwrap();
    });
    stage.teach_policy(0..10);
    let server = stage.tenant.serve_ldap().unwrap();
    stage.wait_for_all();
    stage.tenant.ldap_application("times", &["--domain", DOMAIN, "--group", "CORP\\Assigned"]).unwrap();
    let runtime = Runtime::new().unwrap();
    let tls = trusting(&server.ca).unwrap();
    let bind_all = |tries: Vec<Try>| {
        runtime.block_on(async {
            let tries = Arc::new(tries);
            let next = Arc::new(AtomicUsize::new(0));
            let mut binding = Vec::new();
            for _ in 0..AT_ONCE {
                let settings = LdapConnSettings::new().set_config(tls.clone());
                let url = format!("ldaps://{}", server.ip);
                let (driver, ldap) = LdapConnAsync::with_settings(settings, &url).await.unwrap();
                tokio::spawn(driver.drive());
                binding.push(tokio::spawn(bind(ldap, tries.clone(), next.clone())));
            }
            let mut answers = BTreeMap::new();
            for one in binding {
                answers.extend(one.await.unwrap());
            }
            answers
        })
    };
    let fill = |n: u32| (0..10).map(move |k| (person(n).upn, format!("wrong {k}")));
    bind_all(locked.clone().flat_map(fill).collect());

    // 2. The tries, in an order that is drawn. The people of a kind take turns.
    let before = stage.reasons();
    let mut draw = Draw::new(seed);
    let mut order: Vec<usize> = (0..KINDS.len() * each).map(|n| n % KINDS.len()).collect();
    for at in (1..order.len()).rev() {
        order.swap(at, draw.below(at + 1));
    }
    let mut turns = [0_u32; KINDS.len()];
    let tries = order.iter().enumerate().map(|(n, kind)| {
        let turn = turns[*kind];
        turns[*kind] += 1;
        let pick = |of: &Range<u32>| person(of.start + turn % (of.end - of.start));
        let right = |who: Person| (who.upn, who.password);
        match KINDS[*kind].0 {
            "unknown" => (format!("nobody{turn}@{DOMAIN}"), format!("guess {n}")),
            "wrong" => (pick(&wrong).upn, format!("guess {n}")),
            "disabled" => right(pick(&disabled)),
            "not assigned" => right(pick(&unassigned)),
            _ => (pick(&locked).upn, format!("guess {n}")),
        }
    });
    let answers = bind_all(tries.collect());

    // 3. One answer for all, each for its own reason, and no pair of kinds that the times tell apart.
    for (nth, (answer, _)) in &answers {
        let LdapResult { rc, matched, text, refs, ctrls } = answer;
        let parts = (*rc, matched.as_str(), text.as_str(), refs.len(), ctrls.len());
        let (first, ..) = &answers[&0];
        assert_eq!(parts, (49, "", first.text.as_str(), 0, 0), "{policy}: {}", KINDS[order[*nth]].0);
    }
    let reasons = stage.reasons();
    for (kind, why) in KINDS {
        let count = |of: &BTreeMap<String, usize>| of.get(why).copied().unwrap_or(0);
        assert_eq!(count(&reasons) - count(&before), each, "{policy}: {kind}: {reasons:?}");
    }
    let times = [0, 1, 2, 3, 4].map(|kind| {
        let of = answers.iter().filter(|(nth, _)| order[**nth] == kind);
        of.map(|(_, (_, took))| took.as_secs_f64() * 1e3).collect::<Vec<f64>>()
    });
    let mut worst: f64 = 0.0;
    for (a, (kind, _)) in KINDS.iter().enumerate() {
        let (mean, deviation) = spread(&times[a]);
        println!("{policy}: {kind:12} N {each}, mean {mean:.3} ms, deviation {deviation:.3} ms");
        for (b, (other, _)) in KINDS.iter().enumerate().skip(a + 1) {
            let t = welch(&times[a], &times[b]);
            println!("{policy}: {kind} and {other}: |t| {t:.2}");
            worst = worst.max(t);
        }
    }
    println!("{policy}: seed {seed}, the largest |t| is {worst:.2}");
    assert!(worst < LIMIT, "{policy}: {worst}");
}

/// Binds with the next try until none is left. Returns the answers and their times by the numbers of the tries.
async fn bind(
    mut ldap: Ldap,
    tries: Arc<Vec<Try>>,
    next: Arc<AtomicUsize>,
) -> Vec<(usize, (LdapResult, Duration))> {
    let mut answers = Vec::new();
    loop {
        let nth = next.fetch_add(1, Ordering::Relaxed);
        let Some((name, password)) = tries.get(nth) else { return answers };
        let began = Instant::now();
        let answer = ldap.simple_bind(name, password).await.unwrap();
        answers.push((nth, (answer, began.elapsed())));
    }
}
