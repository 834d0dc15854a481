//! Guesses from outside lock nobody inside, and keep nobody out who signs in from a known place.

use crate::stage::Stage;
use landbridge_tests::lab::trial::size;
use landbridge_tests::lab::{Answer, Person, Try, person};
use serde_json::json;

/// Wrong passwords until the counter of a source is full: the lab's tenant has the usual threshold.
const COUNTED: u32 = 10;

/// A stage whose domain locks at this threshold. Its digests are held, and its people sign in by agents.
fn stage(users: u32, threshold: u32) -> Stage {
    let policy = json!({
        "lockoutThreshold": threshold.to_string(),
        "lockOutObservationWindow": "-18000000000",
        "lockoutDuration": "-18000000000",
    });
    Stage::prepared(users, 2, "pta", |domain| domain.set_policy(policy).unwrap())
}

/// Where a person signs in from on other days. No guess comes from there.
fn at_home(who: &Person, password: &str) -> Try {
    Try::from(0x80_0000 + who.index, &who.upn, password)
}

#[test]
fn guesses_from_outside_under_any_name_lock_no_account_and_keep_no_owner_at_a_known_source_out() {
    for threshold in [3, 5, 10] {
        let (guesses, users) = size((300, 10), (20_000, 200));
        let stage = stage(users + 50, threshold);
        let everybody = |password: fn(&Person) -> String| -> Vec<Answer> {
            let tries: Vec<_> = (0..users).map(person).map(|who| at_home(&who, &password(&who))).collect();
            stage.app.sign_all_in(&tries, 16).unwrap()
        };
        let owners_get_in = || everybody(|who| who.password.clone()).iter().all(Answer::accepted);
        assert!(owners_get_in(), "before any guess");
        let mut tries = Vec::new();
        for n in 0..guesses {
            let who = person(n % users);
            let names = [
                who.upn.clone(),
                who.upn.to_uppercase(),
                format!("CORP\\{}", who.sam),
                format!("corp.example.com\\{}", who.sam),
                format!("{}@corp.example.com", who.sam),
                // AD takes these too in a bind; the tenant knows nobody by them.
                format!("CN={},CN=Users,DC=corp,DC=example,DC=com", who.sam),
                format!("corp.example.com/Users/{}", who.sam),
                format!("{}-{}", stage.domain.sid(), 1_000 + n % users),
                who.sam.clone(),
            ];
            // Every account under every name.
            let name = &names[((n / users + n) % 9) as usize];
            tries.push(Try::from(n, name, &format!("guess number {n}")));
        }
        let derivations = || stage.tenant.metric("landbridge_derivations_total").unwrap().unwrap_or(0.0);
        let before = derivations();
        let answers = stage.app.sign_all_in(&tries, 32).unwrap();
        assert!(answers.iter().all(|answer| answer.refused()), "every guess is refused and looks the same");
        // 1. AD has counted as many as unknown sources may cause, and the digests were tried with the rest of what
        //    their counter allows.
        let most = (threshold - 1) / 2;
        let counted = |n| stage.domain.bad_passwords(&person(n).sam).unwrap();
        let counts: Vec<u32> = (0..users).map(counted).collect();
        assert!(counts.iter().all(|count| *count == most), "{threshold}: {counts:?}");
        let compared = derivations() - before;
        assert_eq!(compared, f64::from(users * (COUNTED - most)), "passwords tried against digests");
        // 2. Elsewhere the right password waits like any other. At home it is accepted, after a mistake as well.
        let who = person(0);
        let elsewhere = Try::from(0x90_0000, &who.upn, &who.password);
        assert!(stage.app.sign_in(&elsewhere).unwrap().refused());
        let refused = stage.tenant.metric("landbridge_signins_unknown_sources_locked_total").unwrap();
        assert!(
            refused.is_some_and(|refused| refused >= 1.0),
            "what outsiders can do is counted: {refused:?}"
        );
        assert!(everybody(Person::wrong_password).iter().all(Answer::refused));
        assert!(owners_get_in(), "after {} guesses", tries.len());
        // 3. By the DC's own word nobody is locked, and whoever was not guessed at gets in from anywhere.
        for n in 0..users {
            let who = person(n);
            let bind = stage.domain.bare_bind(&who.upn, &who.password).unwrap();
            assert_eq!(bind, None, "{} with threshold {threshold}", who.sam);
        }
        for n in users..users + 10 {
            let who = person(n);
            let answer = stage.sign_in(&who, &who.password);
            assert!(answer.accepted(), "{}: {answer:?}", who.sam);
        }
        println!(
            "threshold {threshold}: {} wrong passwords over {users} accounts, {most} for each counted by AD, {compared} \
             compared with digests, none locked",
            tries.len()
        );
    }
}

#[test]
fn known_and_unknown_sources_together_lock_nobody_and_an_old_password_that_the_digest_accepts_is_asked_once()
{
    for threshold in [3, 5, 10] {
        let stage = stage(50, threshold);
        // Before that an agent lets one wrong password for each account through.
        stage.teach_policy(20..30);
        let who = person(7);
        let at_home = |password: &str| stage.app.sign_in(&at_home(&who, password)).unwrap();
        let elsewhere =
            |n: u32, password: &str| stage.app.sign_in(&Try::from(n, &who.upn, password)).unwrap();
        assert!(at_home(&who.password).accepted());
        // 1. Both spend all that they may, and go on.
        let most = (threshold - 1) / 2;
        for n in 0..=most {
            assert!(elsewhere(n, &format!("guess {n}")).refused());
            assert!(at_home(&format!("mistake {n}")).refused());
        }
        // One is kept for the digest's password.
        let together = 2 * most - 1;
        assert_eq!(stage.domain.bad_passwords(&who.sam).unwrap(), together, "of {threshold}");
        // 2. With all of it spent, the digest's password lets its owner in from anywhere, and AD begins to count anew.
        assert!(elsewhere(100, &who.password).accepted());
        assert_eq!(stage.domain.bad_passwords(&who.sam).unwrap(), 0);
        assert!(at_home(&who.password).accepted());
        for n in 0..most {
            assert!(elsewhere(200 + n, &format!("another guess {n}")).refused());
            assert!(at_home(&format!("another mistake {n}")).refused());
        }
        // 3. The password is changed, and phs has not brought it. The old one is asked about once, and counted by AD.
        stage.domain.set_password(&who.sam, "changed a moment ago 1!").unwrap();
        let reached = || stage.tenant.metrics_of(&["landbridge_agent_verdicts_total".to_owned()]).unwrap();
        assert!(at_home(&who.password).refused());
        assert!(stage.said_why("wrong-password, by agent"), "{}", stage.why());
        let asked = reached();
        for _ in 0..3 {
            assert!(at_home(&who.password).refused());
            assert!(elsewhere(300, &who.password).refused());
        }
        assert_eq!(reached(), asked, "no agent is asked about it again");
        let bind = stage.domain.bare_bind(&who.upn, "changed a moment ago 1!").unwrap();
        assert_eq!(bind, None, "not locked with threshold {threshold}");
    }
}

#[test]
fn a_password_that_phs_has_not_brought_yet_is_asked_about_while_there_is_budget() {
    let stage = stage(50, 5);
    let who = person(3);
    assert!(stage.app.sign_in(&at_home(&who, &who.password)).unwrap().accepted());
    for n in 0..20 {
        assert!(stage.app.sign_in(&Try::from(n, &who.upn, &format!("guess {n}"))).unwrap().refused());
    }
    let new = "set a moment ago 1!";
    stage.domain.set_password(&who.sam, new).unwrap();
    assert!(stage.app.sign_in(&at_home(&who, new)).unwrap().accepted(), "the digest is of the old one");
}

#[test]
fn whoever_is_under_a_stricter_policy_of_his_own_is_guessed_at_less_often_and_not_locked() {
    let policy = json!({
        "lockoutThreshold": "10",
        "lockOutObservationWindow": "-18000000000",
        "lockoutDuration": "-18000000000",
    });
    // Of these the first two by a group.
    let (strict, all) = (4, 8);
    let stage = Stage::prepared(50, 2, "pta", |domain| {
        domain.set_policy(policy).unwrap();
        domain.create_group("Vault").unwrap();
        domain.set_members("Vault", &[person(0).sam, person(1).sam], true).unwrap();
        let (third, fourth) = (person(2).sam, person(3).sam);
        domain.create_password_settings("Strict", 1, &["Vault", &third, &fourth]).unwrap();
    });
    let guesses: Vec<_> =
        (0..all * 12).map(|n| Try::from(n, &person(n % all).upn, &format!("guess number {n}"))).collect();
    let answers = stage.app.sign_all_in(&guesses, 16).unwrap();
    assert!(answers.iter().all(|answer| answer.refused()));
    let counted: Vec<i64> =
        (0..all).map(|n| i64::from(stage.domain.bad_passwords(&person(n).sam).unwrap())).collect();
    let (under, others) = counted.split_at(strict as usize);
    assert!(under.iter().all(|count| *count == 1), "one of three: {counted:?}");
    assert!(others.iter().all(|count| (2..5).contains(count)), "less than half of ten: {counted:?}");
    for n in 0..all {
        let who = person(n);
        assert_eq!(stage.domain.bare_bind(&who.upn, &who.password).unwrap(), None, "{}", who.sam);
    }
}

#[test]
fn a_domain_whose_threshold_leaves_no_room_is_refused_pta_with_the_reason() {
    let stage = Stage::prepared(50, 1, "phs", |domain| {
        domain.set_policy(json!({"lockoutThreshold": "2"})).unwrap();
    });
    let refused = stage.tenant.set_policy("pta").unwrap();
    assert_ne!(refused.code, Some(0));
    assert!(format!("{refused}").contains("bad passwords"), "{refused}");
    stage.domain.set_policy(json!({"lockoutThreshold": "10"})).unwrap();
    stage.phs.once(&[]).unwrap().expect_code(0);
    stage.tenant.set_policy("pta").unwrap().expect_code(0);
    let who = person(1);
    assert!(stage.sign_in(&who, &who.password).accepted());
    // It is lowered later: the tenant runs on, and says that nobody can say.
    stage.domain.set_policy(json!({"lockoutThreshold": "1"})).unwrap();
    stage.phs.once(&[]).unwrap().expect_code(0);
    let answer = stage.sign_in(&who, &who.password);
    assert_eq!(answer.status, 503, "{answer:?}");
    stage.tenant.set_policy("phs").unwrap().expect_code(0);
    assert!(stage.sign_in(&who, &who.password).accepted());
}
