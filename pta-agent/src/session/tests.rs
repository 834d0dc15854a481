//! Conversations, by their sentences. What happens when messages are lost, doubled and late is lived through in
//! `tests/tests/pta/joined.rs`.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

use super::*;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::nodes::node_urls;
use landbridge_wire::signin::{NodesChanged, Welcome};

fn hello(capacity: u16) -> Hello {
    let software = Text::new("test").unwrap();
    let (connection, instance) = (Uuid::from_u128(1), Uuid::from_u128(2));
    Hello { connection, instance, software, capacity, abilities: List::default() }
}

fn ask(request: u128, due: u64) -> FromTenant {
    FromTenant::SignIn(Box::new(SignInRequest {
        request: Uuid::from_u128(request),
        object: Uuid::from_u128(9),
        sid: None,
        due,
        encapsulated: Blob::new([0; 32]).unwrap(),
        sealed: Blob::new([0; 144]).unwrap(),
    }))
}

fn abilities(names: &[&str]) -> List<Text<32>, 16> {
    List::new(names.iter().map(|name| Text::new(*name).unwrap()).collect()).unwrap()
}

fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll_output()).collect()
}

/// Welcomed, and everything said until then is heard.
fn welcomed(capacity: u16, now: Instant) -> Session {
    let mut session = Session::new(hello(capacity), now);
    session.heard(FromTenant::Welcome(Welcome { nodes: List::default(), abilities: List::default() }), now);
    assert!(matches!(
        outputs(&mut session)[..],
        [Output::Send(FromAgent::Hello(_)), Output::Welcomed { .. }]
    ));
    session
}

const YES: Settled = Settled::Verdict { verdict: DirectoryVerdict::Valid, tag: [7; 32] };

#[test]
fn an_ask_is_handed_out_once_and_its_outcome_goes_back_once() {
    let now = Instant::now();
    let mut session = welcomed(8, now);
    session.heard(ask(1, 10_000), now);
    session.heard(ask(1, 10_000), now);
    let handed = outputs(&mut session);
    assert_eq!(handed.iter().filter(|o| matches!(o, Output::Validate { .. })).count(), 1, "{handed:?}");
    session.settled(Uuid::from_u128(1), YES, now);
    session.settled(Uuid::from_u128(1), YES, now);
    assert!(matches!(outputs(&mut session)[..], [Output::Send(FromAgent::Answer(_))]));
    session.heard(ask(1, 10_000), now);
    assert!(
        !outputs(&mut session).iter().any(|o| matches!(o, Output::Validate { .. })),
        "not a third time either"
    );
}

#[test]
fn an_outcome_after_the_deadline_goes_nowhere() {
    let now = Instant::now();
    let mut session = welcomed(8, now);
    session.heard(ask(1, 1_000), now);
    outputs(&mut session);
    session.settled(Uuid::from_u128(1), YES, now + Duration::from_millis(1_000));
    assert_eq!(outputs(&mut session), []);
    session.heard(ask(2, 1_000), now + Duration::from_millis(1_500));
    match &outputs(&mut session)[..] {
        [Output::Send(FromAgent::Declined(declined))] => {
            assert_eq!((declined.why, declined.tried), (Decline::TooLate, false));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn over_its_capacity_and_while_it_drains_it_declines_and_nothing_was_tried() {
    let now = Instant::now();
    let mut session = welcomed(1, now);
    session.heard(ask(1, 9_000), now);
    session.heard(ask(2, 9_000), now);
    session.drain(now);
    session.heard(ask(3, 9_000), now);
    let declined: Vec<Declined> = outputs(&mut session)
        .into_iter()
        .filter_map(|o| if let Output::Send(FromAgent::Declined(d)) = o { Some(d) } else { None })
        .collect();
    let whys: Vec<_> = declined.iter().map(|d| (d.why, d.tried)).collect();
    assert_eq!(whys, [(Decline::Overloaded, false), (Decline::Draining, false)]);
}

#[test]
fn silence_ends_it_and_every_heartbeat_is_sent_back() {
    let now = Instant::now();
    let mut session = welcomed(8, now);
    let beat = Heartbeat { at: 1_000 };
    session.heard(FromTenant::Heartbeat(beat), now + Duration::from_secs(1));
    assert_eq!(outputs(&mut session), [Output::Send(FromAgent::Heartbeat(beat))]);
    let dead = session.poll_timeout().unwrap();
    assert_eq!(dead, now + Duration::from_secs(1) + Duration::from_millis(SILENCE));
    session.timeout(dead);
    assert_eq!(outputs(&mut session), [Output::Close(Closing::Silent)]);
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn a_tenant_that_speaks_out_of_turn_or_of_a_far_deadline_breaks_the_protocol() {
    let now = Instant::now();
    let mut early = Session::new(hello(8), now);
    early.heard(ask(1, 1_000), now);
    assert!(matches!(outputs(&mut early).last(), Some(Output::Close(Closing::Breach(_)))));
    for message in [
        ask(1, u64::MAX),
        ask(1, 3_600_000),
        FromTenant::Welcome(Welcome { nodes: List::default(), abilities: List::default() }),
    ] {
        let mut session = welcomed(8, now);
        session.heard(message, now);
        assert!(matches!(outputs(&mut session)[..], [Output::Close(Closing::Breach(_))]));
    }
    let mut silent = Session::new(hello(8), now);
    silent.timeout(now + WELCOME);
    assert_eq!(outputs(&mut silent).last(), Some(&Output::Close(Closing::NotWelcomed)));
}

#[test]
fn what_was_seen_is_forgotten_in_time_and_never_too_early() {
    let now = Instant::now();
    let mut session = welcomed(256, now);
    for n in 0..1_000_u128 {
        session.heard(ask(n, 1_000), now);
        session.settled(Uuid::from_u128(n), YES, now);
    }
    assert_eq!(session.seen.len(), 1_000);
    outputs(&mut session);
    let mut later = now;
    for second in 1..200 {
        later = now + Duration::from_secs(second);
        session.heard(FromTenant::Heartbeat(Heartbeat { at: second * 1_000 }), later);
    }
    session.heard(ask(5_000, 205_000), later);
    assert!(session.seen.len() < 10, "{}", session.seen.len());
}

#[test]
fn an_agent_at_its_bound_says_so_to_a_tenant_that_knows_the_word_and_is_overloaded_to_an_older_one() {
    let now = Instant::now();
    for (names, word) in [
        (&[][..], Decline::Overloaded),
        (&["something newer"][..], Decline::Overloaded),
        (&["something newer", AT_BOUND][..], Decline::AtBound),
    ] {
        let mut session = Session::new(hello(8), now);
        let welcome = Welcome { nodes: List::default(), abilities: abilities(names) };
        session.heard(FromTenant::Welcome(welcome), now);
        session.heard(ask(1, 10_000), now);
        outputs(&mut session);
        let held = Settled::Declined { why: Decline::AtBound, tried: false };
        session.settled(Uuid::from_u128(1), held, now);
        let [Output::Send(FromAgent::Declined(declined))] = outputs(&mut session)[..] else {
            panic!("{names:?}")
        };
        assert_eq!((declined.why, declined.tried), (word, false), "{names:?}");
    }
}

#[test]
fn a_tenant_that_sends_sids_is_known_by_its_welcome_and_the_word_for_another_account_is_for_it_alone() {
    let now = Instant::now();
    for (names, by_sid, word) in [
        (&[][..], false, Decline::Unopened),
        (&[AT_BOUND, "something newer"][..], false, Decline::Unopened),
        (&[AT_BOUND, BY_SID][..], true, Decline::OtherAccount),
    ] {
        let mut session = Session::new(hello(8), now);
        let welcome = Welcome { nodes: List::default(), abilities: abilities(names) };
        session.heard(FromTenant::Welcome(welcome), now);
        let last = outputs(&mut session).pop();
        assert_eq!(last, Some(Output::Welcomed { nodes: vec![], by_sid }), "{names:?}");
        session.heard(ask(1, 10_000), now);
        outputs(&mut session);
        let other = Settled::Declined { why: Decline::OtherAccount, tried: true };
        session.settled(Uuid::from_u128(1), other, now);
        let [Output::Send(FromAgent::Declined(declined))] = outputs(&mut session)[..] else {
            panic!("{names:?}")
        };
        assert_eq!((declined.why, declined.tried), (word, true), "{names:?}");
    }
}

#[test]
fn other_nodes_are_passed_on_after_the_welcome_and_break_the_protocol_before_it() {
    let now = Instant::now();
    let urls = vec!["https://one.test:8443".to_owned(), "https://two.test:8443".to_owned()];
    let changed = || FromTenant::Nodes(NodesChanged { nodes: node_urls(urls.clone()) });
    let mut session = welcomed(8, now);
    session.heard(changed(), now);
    assert_eq!(outputs(&mut session), [Output::Nodes(urls.clone())]);
    let mut early = Session::new(hello(8), now);
    early.heard(changed(), now);
    assert!(matches!(outputs(&mut early).last(), Some(Output::Close(Closing::Breach(_)))));
}
