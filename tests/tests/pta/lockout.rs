//! Guesses from outside lock nobody inside.

use crate::stage::Stage;
use landbridge_tests::lab::trial::size;
use landbridge_tests::lab::{Try, person};
use serde_json::json;

#[test]
fn wrong_passwords_from_outside_under_any_name_lock_no_account_of_the_domain() {
    for threshold in [3, 5, 10] {
        let policy = json!({
            "lockoutThreshold": threshold.to_string(),
            "lockOutObservationWindow": "-18000000000",
            "lockoutDuration": "-18000000000",
        });
        let (guesses, users) = size((300, 10), (20_000, 200));
        let stage = Stage::prepared(users + 50, 2, "pta", |domain| domain.set_policy(policy).unwrap());
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
        let answers = stage.app.sign_all_in(&tries, 32).unwrap();
        assert!(answers.iter().all(|answer| answer.refused()), "every guess is refused and looks the same");
        // Whoever was not guessed at gets in, and by the DC's own word nobody is locked.
        for n in users..users + 10 {
            let who = person(n);
            let answer = stage.sign_in(&who, &who.password);
            assert!(answer.accepted(), "{}: {answer:?}", who.sam);
        }
        let most = (0..users).map(|n| stage.domain.bad_passwords(&person(n).sam).unwrap()).max().unwrap();
        assert!(most > 0, "no guess has reached AD: nothing was tried");
        for n in 0..users {
            let who = person(n);
            let bind = stage.domain.bare_bind(&who.upn, &who.password).unwrap();
            assert_eq!(bind, None, "{} with threshold {threshold}", who.sam);
        }
        println!(
            "threshold {threshold}: {} wrong passwords over {users} accounts, at most {most} counted by AD, none locked",
            tries.len()
        );
    }
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
