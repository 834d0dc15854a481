//! Agents killed, frozen and stopped, the tenant and the DC gone and back: no sign-in is lost, none is answered wrongly.

use crate::stage::Stage;
use landbridge_tests::lab::{Application, Try, person};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Tries people one after the other until told to stop; how each ended.
fn keep_trying(app: &Application, first: u32, users: u32, stop: &AtomicBool) -> (u32, u32, Duration) {
    let (mut right, mut wrong, mut slowest) = (0, 0, Duration::ZERO);
    let mut index = first;
    while !stop.load(Ordering::Relaxed) {
        let who = person(index % users);
        let answer = app.sign_in(&Try::from(index, &who.upn, &who.password)).unwrap();
        assert!(answer.accepted(), "{}: {answer:?}", who.sam);
        slowest = slowest.max(answer.took);
        right += 1;
        if index.is_multiple_of(5) {
            let answer = app.sign_in(&Try::from(index, &who.upn, &who.wrong_password())).unwrap();
            assert!(answer.refused(), "{}: {answer:?}", who.sam);
            wrong += 1;
        }
        index += 7;
    }
    (right, wrong, slowest)
}

#[test]
fn an_agent_that_is_killed_frozen_or_stopped_with_sign_ins_in_hand_loses_none() {
    let stage = Stage::new(500, 3);
    let stop = AtomicBool::new(false);
    let (stage, stop) = (&stage, &stop);
    let ends = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..6).map(|n| scope.spawn(move || keep_trying(&stage.app, n * 83, 500, stop))).collect();
        for round in 0..3 {
            let agent = &stage.agents[round];
            agent.kill();
            stage.tenant.wait_for_connections(4, 5).unwrap();
            agent.run().unwrap();
            stage.wait_for_all();
            agent.freeze(true);
            stage.tenant.wait_for_connections(4, 5).unwrap();
            agent.freeze(false);
            stage.wait_for_all();
            agent.stop().unwrap().expect_code(0);
            agent.run().unwrap();
            stage.wait_for_all();
        }
        stop.store(true, Ordering::Relaxed);
        tries.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let (right, wrong): (u32, u32) = ends.iter().fold((0, 0), |(r, w), end| (r + end.0, w + end.1));
    let slowest = ends.iter().map(|end| end.2).max().unwrap();
    println!(
        "3 agents each killed, frozen and stopped: {right} right and {wrong} wrong sign-ins, slowest {slowest:?}"
    );
    assert!(right > 50 && slowest < Duration::from_secs(6), "{right} {slowest:?}");
}

#[test]
fn without_an_agent_pta_says_unavailable_and_pta_then_phs_takes_the_digest() {
    let stage = Stage::new(50, 1);
    let (who, other) = (person(1), person(2));
    assert!(stage.sign_in(&who, &who.password).accepted());
    stage.agents[0].kill();
    stage.tenant.wait_for_connections(0, 5).unwrap();
    let answer = stage.sign_in(&who, &who.password);
    assert_eq!(
        (answer.status, &answer.body["error"]),
        (503, &"unavailable".into()),
        "no yes is kept: {answer:?}"
    );
    stage.tenant.set_policy("pta-then-phs").unwrap().expect_code(0);
    assert!(stage.sign_in(&who, &who.password).accepted());
    assert!(stage.sign_in(&other, &other.wrong_password()).refused());
    // With an agent back, its word is the last: a password that was changed in AD since the digest came.
    stage.agents[0].run().unwrap();
    stage.wait_for_all();
    stage.domain.set_enabled(&who.sam, false).unwrap();
    let answer = stage.sign_in(&who, &who.password);
    assert!(answer.refused(), "the digest says yes, the directory says no: {answer:?}");
}

#[test]
fn a_tenant_that_is_killed_has_its_agents_back_in_five_seconds_and_a_dc_that_is_gone_is_said_to_be() {
    let stage = Stage::new(50, 2);
    let who = person(3);
    for round in 0..3 {
        stage.tenant.kill();
        stage.tenant.serve().unwrap();
        let since = Instant::now();
        stage.wait_for_all();
        let took = since.elapsed();
        println!("round {round}: both agents back {took:?} after the tenant serves");
        assert!(took < Duration::from_secs(5), "{took:?}");
        assert!(stage.sign_in(&who, &who.password).accepted());
    }
    stage.tenant.stop().unwrap().expect_code(0);
    stage.tenant.serve().unwrap();
    stage.wait_for_all();
    assert!(stage.sign_in(&who, &who.password).accepted());
    stage.domain.kill_controller().unwrap();
    let answer = stage.sign_in(&who, &who.password);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.took < Duration::from_secs(11), "{answer:?}");
    stage.domain.start_controller().unwrap();
    let until = Instant::now() + Duration::from_secs(40);
    while !stage.sign_in(&who, &who.password).accepted() {
        assert!(Instant::now() < until, "the DC is back and nobody signs in");
    }
}

#[test]
fn a_tenant_that_is_stopped_gives_each_sign_in_in_flight_one_clear_answer() {
    let stage = Stage::new(50, 2);
    let (stop, stage) = (AtomicBool::new(false), &stage);
    let stop = &stop;
    let ends = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..6_u32)
            .map(|n| {
                scope.spawn(move || {
                    let (mut accepted, mut unavailable, mut unreached) = (0, 0, 0);
                    while !stop.load(Ordering::Relaxed) {
                        let who = person(n);
                        match stage.app.sign_in(&Try::from(n, &who.upn, &who.password)) {
                            Ok(answer) if answer.accepted() => accepted += 1,
                            Ok(answer) if answer.status == 503 => unavailable += 1,
                            Ok(answer) => panic!("neither yes nor unavailable: {answer:?}"),
                            // The door is closed: nobody was asked.
                            Err(_) => unreached += 1,
                        }
                    }
                    (accepted, unavailable, unreached)
                })
            })
            .collect();
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(700));
            stage.tenant.stop().unwrap().expect_code(0);
            stage.tenant.serve().unwrap();
            stage.wait_for_all();
        }
        stop.store(true, Ordering::Relaxed);
        tries.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let sum = ends.iter().fold((0, 0, 0), |s, e| (s.0 + e.0, s.1 + e.1, s.2 + e.2));
    println!("3 stops: {} accepted, {} unavailable, {} found the door closed", sum.0, sum.1, sum.2);
    assert!(sum.0 > 30);
}
