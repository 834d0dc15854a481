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
