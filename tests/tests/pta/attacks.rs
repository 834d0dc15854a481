//! Identities used twice, agents revoked, controllers that nobody should believe.

use crate::stage::Stage;
use landbridge_tests::lab::lying_agent::{Lie, lie};
use landbridge_tests::lab::{PtaAgent, PtaSettings, person};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_revoked_agent_is_gone_at_once_and_its_sign_ins_go_elsewhere() {
    let stage = Stage::new(50, 2);
    let id = stage.agents[0].id().unwrap();
    let since = Instant::now();
    stage.tenant.run(&["agents", "revoke", &id], None).unwrap().expect_code(0);
    stage.tenant.wait_for_connections(2, 30).unwrap();
    println!("revoked and gone after {:?}, the commands included", since.elapsed());
    let who = person(1);
    assert!(stage.sign_in(&who, &who.password).accepted());
}

#[test]
fn a_stolen_identity_that_runs_twice_is_quarantined_and_an_administrator_brings_it_back() {
    let stage = Stage::new(50, 2);
    let honest = &stage.agents[0];
    let id = honest.id().unwrap();
    let thief = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    let copied = Command::new("cp").arg("-a").arg(honest.state()).arg(thief.state()).status().unwrap();
    assert!(copied.success());
    thief.run().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while stage.tenant.state_of_agent(&id).unwrap() != "quarantined" {
        assert!(Instant::now() < until, "{}", stage.tenant.state_of_agent(&id).unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
    stage.tenant.wait_for_connections(2, 30).unwrap();
    let who = person(2);
    assert!(stage.sign_in(&who, &who.password).accepted(), "the other agent answers");
    thief.kill();
    stage.tenant.approve(&id).unwrap();
    stage.tenant.wait_for_connections(4, 30).unwrap();
    assert_eq!(stage.tenant.state_of_agent(&id).unwrap(), "approved");
}

#[test]
fn a_controller_with_a_certificate_of_its_own_making_is_never_believed() {
    let stage = Stage::new(50, 0);
    let other = Stage::new(50, 0);
    let settings = PtaSettings { ca: Some(other.domain.ca()), ..PtaSettings::for_domain(&stage.domain) };
    let agent = PtaAgent::start(&settings, &stage.tenant).unwrap();
    stage.tenant.wait_for_connections(2, 10).unwrap();
    let who = person(1);
    let answer = stage.sign_in(&who, &who.password);
    assert_eq!(answer.status, 503, "{answer:?}");
    let checked = agent.run_to_end(&["check"], None).unwrap();
    assert_eq!(checked.code, Some(5), "{checked:?}");
}

#[test]
fn an_agent_that_says_yes_to_everything_is_found_by_its_first_canary() {
    let stage = Stage::new(50, 0);
    let honest = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    honest.join(&stage.tenant).unwrap();
    let since = Instant::now();
    let lies = lie(&honest, Lie::Yes).unwrap();
    let id = honest.id().unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while stage.tenant.state_of_agent(&id).unwrap() != "quarantined" {
        assert!(Instant::now() < until, "{}", stage.tenant.state_of_agent(&id).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("quarantined {:?} after it connected, {lies} lies told", since.elapsed());
    assert_eq!(lies, 1, "it was asked nothing else");
}

#[test]
fn a_yes_with_a_forged_tag_or_for_another_request_lets_nobody_in() {
    let stage = Stage::new(50, 0);
    let honest = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    honest.join(&stage.tenant).unwrap();
    for how in [Lie::YesWithTheTagOfANo, Lie::YesForAnother] {
        std::thread::scope(|scope| {
            let liar = scope.spawn(|| lie(&honest, how).unwrap());
            stage.tenant.wait_for_connections(1, 10).unwrap();
            // The first ask that the liar gets is its canary.
            let who = person(3);
            let answer = stage.sign_in(&who, "not the password");
            println!("{how:?}: HTTP {} after {:?}", answer.status, answer.took);
            assert!(!answer.accepted(), "{how:?}: {answer:?}");
            stage.tenant.run(&["agents", "revoke", &honest.id().unwrap()], None).unwrap();
            assert!(liar.join().unwrap() >= 1);
        });
        honest.join(&stage.tenant).unwrap();
    }
}

#[test]
fn an_agent_of_another_domain_is_never_asked_for_this_one() {
    let stage = Stage::new(50, 0);
    let other = "other.example.com";
    let add = ["domains", "add", "--name", other, "--netbios", "OTHER", "--sid", "S-1-5-21-7-7-7"];
    stage.tenant.run(&add, None).unwrap().expect_code(0);
    let create = ["token", "create", "--role", "pta", "--domain", other];
    let token = stage.tenant.run(&create, None).unwrap().expect_code(0).word("lbt1.");
    let stranger = PtaAgent::install(&PtaSettings::for_domain(&stage.domain)).unwrap();
    stranger.enroll(&token).unwrap().expect_code(0);
    stage.tenant.approve_all().unwrap();
    std::thread::scope(|scope| {
        // It says no to its canary, and yes to all that would follow.
        let liar = scope.spawn(|| lie(&stranger, Lie::YesWithTheTagOfANo).unwrap());
        stage.tenant.wait_for_connections(1, 10).unwrap();
        let who = person(3);
        for password in [who.password.as_str(), "not the password"] {
            let answer = stage.sign_in(&who, password);
            assert_eq!(answer.status, 503, "{answer:?}");
        }
        stage.tenant.run(&["agents", "revoke", &stranger.id().unwrap()], None).unwrap().expect_code(0);
        assert_eq!(liar.join().unwrap(), 0, "it was asked for a domain that is not its own");
    });
}
