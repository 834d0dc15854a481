//! Every verdict that the lab's domain can produce, through tenant and agent, beside a bare bind in the same test.

use crate::stage::Stage;
use landbridge_tests::lab::edits::SMART_CARD;
use landbridge_tests::lab::{Person, person};

/// What a bare bind is answered: the AD sub-code, or "" for a yes.
fn bare(stage: &Stage, who: &Person, password: &str) -> String {
    stage.domain.bare_bind(&who.upn, password).unwrap().unwrap_or_default()
}

#[test]
fn every_verdict_of_a_controller_reaches_the_application_as_it_must() {
    let cast: Vec<Person> = (10..20).map(person).collect();
    let [right, disabled, expired, must, aged, locked, hours] =
        [0, 1, 2, 3, 4, 5, 6].map(|n| cast[n].clone());
    let stage = Stage::prepared(50, 2, "pta", |domain| {
        domain.set_enabled(&disabled.sam, false).unwrap();
        domain.account_ends_in(&expired.sam, -3600).unwrap();
        domain.must_change(&must.sam).unwrap();
        domain.age_password(&aged.sam, 400).unwrap();
        let never = "\0".repeat(21);
        domain.force_attribute(&hours.sam, "logonHours", &never).unwrap();
    });
    let refused = "refused";
    for (who, password, code, must_be, why) in [
        (&right, right.password.clone(), "", "accepted", "accepted"),
        (&right, right.wrong_password(), "52e", refused, "wrong-password"),
        // These two are known before AD is asked.
        (&disabled, disabled.password.clone(), "533", refused, "disabled"),
        (&disabled, disabled.wrong_password(), "52e", refused, "disabled"),
        (&expired, expired.password.clone(), "701", refused, "account-expired"),
        (&expired, expired.wrong_password(), "52e", refused, "account-expired"),
        (&must, must.password.clone(), "773", "must-change-password", "must-change"),
        (&must, must.wrong_password(), "52e", refused, "wrong-password"),
        (&aged, aged.password.clone(), "532", "password-expired", "password-expired"),
        (&hours, hours.password.clone(), "530", refused, "outside-logon-hours"),
        (&hours, hours.wrong_password(), "52e", refused, "wrong-password"),
    ] {
        let answer = stage.sign_in(who, &password);
        let said = bare(&stage, who, &password);
        println!(
            "{}: bare bind {said:?}, tenant {} {}, audit {:?}",
            who.sam,
            answer.status,
            answer.body,
            stage.why()
        );
        assert_eq!(said, code, "{}", who.sam);
        match must_be {
            "accepted" => assert!(answer.accepted(), "{answer:?}"),
            "refused" => assert!(answer.refused(), "{answer:?}"),
            reason => assert!(answer.refused_for(reason), "{answer:?}"),
        }
        assert!(stage.said_why(why), "{}: {} and not {why}", who.sam, stage.why());
    }
    // AD says "locked" to any password, so that one is not told apart from a wrong one outside.
    stage.domain.set_policy(serde_json::json!({"lockoutThreshold": "4"})).unwrap();
    stage.domain.try_wrong_passwords(&locked.upn, 5).unwrap();
    assert_eq!(bare(&stage, &locked, &locked.password), "775");
    let answer = stage.sign_in(&locked, &locked.password);
    assert!(answer.refused(), "{answer:?}");
    assert!(stage.why().contains("locked"), "{}", stage.why());
    let unknown = Person { upn: "nobody@corp.example.com".into(), ..person(1) };
    assert!(stage.sign_in(&unknown, "whatever").refused());
    let renewed = stage.sign_in(&right, &right.password);
    assert!(renewed.accepted(), "{renewed:?}");
}

#[test]
fn no_agent_is_asked_about_an_account_that_is_shut_out() {
    let [disabled, expired, card, guarded, included, right] = [30, 31, 32, 33, 34, 35].map(person);
    let stage = Stage::including(&included, |domain| {
        // A domain that locks nobody counts nothing.
        domain.set_policy(serde_json::json!({"lockoutThreshold": "10"})).unwrap();
        domain.set_enabled(&disabled.sam, false).unwrap();
        domain.account_ends_in(&expired.sam, -3600).unwrap();
        domain.change_flags(&card.sam, SMART_CARD, 0).unwrap();
        domain.set_member("Protected Users", &guarded.sam, true).unwrap();
        domain.set_member("Backup Operators", &included.sam, true).unwrap();
    });
    let answer = stage.sign_in(&right, &right.password);
    assert!(answer.accepted(), "{answer:?}");
    for (who, why) in [
        (&disabled, "disabled"),
        (&expired, "account-expired"),
        (&card, "smartcard-required"),
        (&guarded, "protected-user"),
        // phs includes it, and the domain was added without --allow-privileged.
        (&included, "privileged"),
    ] {
        for password in [who.wrong_password(), who.password.clone()] {
            let answer = stage.sign_in(who, &password);
            assert!(answer.refused(), "{}: {answer:?}", who.sam);
            assert!(stage.said_why(why), "{}: {} and not {why}", who.sam, stage.why());
        }
        // A bind with the wrong password would have been counted.
        assert_eq!(stage.domain.bad_passwords(&who.sam).unwrap(), 0, "{}", who.sam);
    }
    assert!(stage.sign_in(&right, &right.wrong_password()).refused());
    assert_eq!(stage.domain.bad_passwords(&right.sam).unwrap(), 1, "an agent was asked");
}
