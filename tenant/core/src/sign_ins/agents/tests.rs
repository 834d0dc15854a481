//! Sign-ins that agents decide, without agents.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::wildcard_enum_match_arm)]

use crate::sign_ins::Settings;
use crate::sign_ins::agents::*;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::lockout::Rules;
use landbridge_wire::upload::AttributeValue;
use std::sync::Arc;

const HOME: &str = "203.0.113.7";

/// A domain with this policy and lockout threshold.
fn domain(policy: SigninPolicy, threshold: i64) -> Tenant {
    let tenant = Tenant::new();
    tenant.sends((1..=3).map(|n| user(n, &format!("right{n}"))).collect());
    tenant
        .store
        .write("test", |tx| {
            let id = domains::all(tx)?[0].id;
            domains::set_signin(tx, id, policy, false)?;
            let set = "UPDATE domains SET lockout_threshold = ?2, lockout_observation_window = -18000000000 WHERE id = ?1";
            Ok(tx.raw().execute(set, (id, threshold))?)
        })
        .unwrap();
    tenant
}

fn signin(tenant: &Tenant) -> Signin {
    Signin::new(
        Arc::clone(&tenant.store),
        Arc::clone(&tenant.counts),
        Settings::for_cores(2, Rules::new(10, 60)),
    )
    .unwrap()
}

fn candidate(signin: &Signin, name: &str) -> Candidate {
    match signin.road(name, HOME, None).unwrap() {
        Road::Agent(candidate) => candidate,
        other => panic!("{other:?}"),
    }
}

fn stranger(signin: &Signin) -> Stranger {
    match signin.road("CORP\\nobody", HOME, None).unwrap() {
        Road::Nobody(stranger) => stranger,
        other => panic!("{other:?}"),
    }
}

fn asked(outcome: Result<wire::Verdict, NoAnswer>, tried: u32) -> AgentAnswer {
    AgentAnswer { outcome, agent: None, tried }
}

/// Before and after, as `decide` does it; the directory says this. None: it was not asked.
fn tries(signin: &Signin, text: &str, says: AgentAnswer, now: i64) -> (Option<Before>, Before) {
    let candidate = candidate(signin, "CORP\\user1");
    match signin.before(&candidate, &password(text), now) {
        Before::Ask => (Some(Before::Ask), signin.after(&candidate, &password(text), says, now)),
        decided => (None, decided),
    }
}

fn why(before: &Before) -> Why {
    match before {
        Before::Decided(Verdict::Refused { why, .. }) => *why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_policy_of_a_domain_chooses_the_road_and_strangers_go_it_too() {
    let phs = domain(SigninPolicy::Phs, 10);
    assert!(matches!(signin(&phs).road("CORP\\user1", HOME, None), Ok(Road::Digest { .. })));
    let pta = domain(SigninPolicy::Pta, 10);
    let signin = signin(&pta);
    assert_eq!(candidate(&signin, "user1@corp.example.com").object, object(1));
    assert!(matches!(signin.road("CORP\\nobody", HOME, None), Ok(Road::Nobody { .. })));
    let derived = pta.counts.derivations.now();
    let decided = signin.nobody(&stranger(&signin), None, &password("x"), NOW);
    assert_eq!(why(&decided), Why::UnknownName);
    assert_eq!(pta.counts.derivations.now(), derived, "nothing is derived for a stranger");
}

#[test]
fn less_than_half_of_ads_threshold_reaches_it_and_a_restart_forgets_nothing() {
    for (threshold, most) in [(3, 1), (5, 2), (10, 4)] {
        let tenant = domain(SigninPolicy::Pta, threshold);
        let first = signin(&tenant);
        for n in 0..most {
            let (reached, after) =
                tries(&first, &format!("guess {n}"), asked(Ok(wire::Verdict::Wrong), 1), NOW);
            assert!(reached.is_some());
            assert_eq!(why(&after), Why::WrongPassword);
        }
        let tenant = {
            drop(first);
            tenant.restarted()
        };
        let again = signin(&tenant);
        let (reached, after) =
            tries(&again, "another guess", asked(Ok(wire::Verdict::Wrong), 1), NOW + 1_700);
        assert!(reached.is_none(), "{threshold}");
        assert_eq!(why(&after), Why::HeldBack);
        let (reached, _) = tries(&again, "much later", asked(Ok(wire::Verdict::Wrong), 1), NOW + 1_861);
        assert!(reached.is_some(), "a whole window and a minute have passed");
    }
}

#[test]
fn what_may_have_reached_ad_counts_and_a_right_password_clears_it() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    // Two deliveries were lost: both may have been counted. No verdict, so nothing is said of the password.
    let (_, after) = tries(&signin, "right1", asked(Err(NoAnswer::Lost), 2), NOW);
    assert!(matches!(after, Before::Decided(Verdict::Unavailable(Unavailable::NoAnswer(NoAnswer::Lost)))));
    let (_, _) = tries(&signin, "guess", asked(Ok(wire::Verdict::Wrong), 2), NOW);
    assert_eq!(why(&tries(&signin, "right1", asked(Ok(wire::Verdict::Valid), 1), NOW).1), Why::HeldBack);
    let other = candidate(&signin, "CORP\\user2");
    signin.after(&other, &password("guess"), asked(Ok(wire::Verdict::Wrong), 1), NOW);
    let yes = signin.after(&other, &password("right2"), asked(Ok(wire::Verdict::Valid), 1), NOW);
    assert!(matches!(yes, Before::Decided(Verdict::Accepted(_))));
    let spent = tenant.store.read(|conn| lockouts::find(conn, object(2), lockouts::DIRECTORY)).unwrap();
    assert_eq!(spent, None);
}

#[test]
fn the_digest_decides_while_there_is_no_verdict_and_never_after_one() {
    let tenant = domain(SigninPolicy::PtaThenPhs, 10);
    let signin = signin(&tenant);
    for none in [NoAnswer::NoAgent, NoAnswer::Busy, NoAnswer::NoDirectory, NoAnswer::Lost, NoAnswer::TooLate]
    {
        let (_, after) = tries(&signin, "right1", asked(Err(none), 0), NOW);
        assert!(matches!(after, Before::Digest), "{none:?}");
    }
    for said in [
        wire::Verdict::Wrong,
        wire::Verdict::Locked,
        wire::Verdict::Disabled,
        wire::Verdict::LogonHours,
        wire::Verdict::Workstation,
        wire::Verdict::Restricted,
        wire::Verdict::MustChange,
        wire::Verdict::Unknown(7),
    ] {
        let candidate = candidate(&signin, "CORP\\user3");
        let after = signin.after(&candidate, &password("right3"), asked(Ok(said), 1), NOW);
        assert!(matches!(after, Before::Decided(Verdict::Refused { .. })), "{said:?}: {after:?}");
    }
}

#[test]
fn a_password_that_ad_refused_is_not_asked_again_until_it_may_be_the_right_one() {
    let tenant = domain(SigninPolicy::Pta, 0);
    tenant.sends(vec![with(1, vec![written(2, AttributeValue::PwdLastSet(Some(130_000_000_000_000_000)))])]);
    let signin = signin(&tenant);
    let wrong = || asked(Ok(wire::Verdict::Wrong), 1);
    assert!(tries(&signin, "old", wrong(), NOW).0.is_some());
    let (reached, after) = tries(&signin, "old", wrong(), NOW + 60);
    assert!(reached.is_none());
    assert_eq!(why(&after), Why::RefusedBefore);
    assert!(tries(&signin, "other", wrong(), NOW + 60).0.is_some());
    assert!(tries(&signin, "old", wrong(), NOW + 3_601).0.is_some(), "an hour later");
    tenant.sends(vec![with(1, vec![written(3, AttributeValue::PwdLastSet(Some(130_000_000_000_000_001)))])]);
    assert!(tries(&signin, "old", wrong(), NOW + 3_700).0.is_some(), "the password was changed");
}

#[test]
fn a_threshold_that_sinks_later_leaves_nobody_in_by_agents() {
    let pta = domain(SigninPolicy::Pta, 2);
    let (_, after) = tries(&signin(&pta), "right1", asked(Ok(wire::Verdict::Valid), 1), NOW);
    assert!(matches!(after, Before::Decided(Verdict::Unavailable(Unavailable::NoRoomInDirectory))));
    let both = domain(SigninPolicy::PtaThenPhs, 1);
    assert!(matches!(
        tries(&signin(&both), "right1", asked(Ok(wire::Verdict::Valid), 1), NOW).1,
        Before::Digest
    ));
}

#[test]
fn nobody_signs_in_as_a_canary_with_an_empty_password_or_while_locked_out() {
    let tenant = domain(SigninPolicy::Pta, 0);
    let signin = signin(&tenant);
    let valid = || asked(Ok(wire::Verdict::Valid), 1);
    assert_eq!(why(&tries(&signin, "", valid(), NOW).1), Why::BadPassword);
    for n in 0..10 {
        tries(&signin, &format!("guess {n}"), asked(Ok(wire::Verdict::Wrong), 1), NOW);
    }
    assert_eq!(why(&tries(&signin, "right1", valid(), NOW).1), Why::LockedOut);
    let domain = candidate(&signin, "CORP\\user2").domain;
    tenant.store.write("test", |tx| canaries::add(tx, domain, object(2), NOW)).unwrap();
    let canary = candidate(&signin, "CORP\\user2");
    assert_eq!(why(&signin.before(&canary, &password("right2"), NOW)), Why::Canary);
}

#[tokio::test]
async fn one_account_has_one_turn_and_a_bounded_line() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = Arc::new(signin(&tenant));
    let who = Arc::new(candidate(&signin, "CORP\\user1"));
    let first = signin.turn(who.object).await.unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (signin, who) = (signin.clone(), who.clone());
        waiting.spawn(async move { signin.turn(who.object).await.is_some() });
    }
    // Those over the line's end are told at once; the others go one after the other.
    tokio::task::yield_now().await;
    drop(first);
    let outcomes = waiting.join_all().await;
    assert_eq!(outcomes.iter().filter(|got| **got).count(), 15);
    assert!(signin.turns.is_idle());
}

#[test]
fn a_database_that_cannot_be_written_lets_no_more_guesses_through_to_ad() {
    let tenant = domain(SigninPolicy::Pta, 5);
    let signin = signin(&tenant);
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON lockouts BEGIN SELECT RAISE(ABORT, 'no'); END";
    tenant.store.write("test", |tx| Ok(tx.raw().execute_batch(broken)?)).unwrap();
    let reached = (0..20)
        .filter(|n| {
            tries(&signin, &format!("guess {n}"), asked(Ok(wire::Verdict::Wrong), 1), NOW).0.is_some()
        })
        .count();
    assert_eq!(reached, 2, "as many as with a database");
}

#[test]
fn a_right_password_that_ad_would_not_let_in_uses_nothing_up() {
    for said in [
        wire::Verdict::PasswordExpired,
        wire::Verdict::MustChange,
        wire::Verdict::AccountExpired,
        wire::Verdict::Disabled,
        wire::Verdict::LogonHours,
        wire::Verdict::Workstation,
    ] {
        let tenant = domain(SigninPolicy::Pta, 3);
        let signin = signin(&tenant);
        for _ in 0..5 {
            assert!(tries(&signin, "right1", asked(Ok(said), 1), NOW).0.is_some(), "{said:?}");
        }
        // It was changed in AD, and is good at once.
        let (_, after) = tries(&signin, "new", asked(Ok(wire::Verdict::Valid), 1), NOW + 1);
        assert!(matches!(after, Before::Decided(Verdict::Accepted(_))), "{said:?}: {after:?}");
    }
}

#[test]
fn a_code_that_is_not_known_counts_as_a_wrong_password() {
    let tenant = domain(SigninPolicy::Pta, 0);
    let signin = signin(&tenant);
    let reached = (0..30)
        .filter(|n| {
            tries(&signin, &format!("guess {n}"), asked(Ok(wire::Verdict::Unknown(49)), 1), NOW).0.is_some()
        })
        .count();
    assert_eq!(reached, 10, "a directory that gives no sub-code is not guessed at for ever");
}

#[test]
fn a_password_that_became_right_while_it_was_refused_is_asked_again() {
    let tenant = domain(SigninPolicy::Pta, 0);
    let signin = signin(&tenant);
    let who = candidate(&signin, "CORP\\user1");
    assert!(matches!(signin.before(&who, &password("new"), NOW), Before::Ask));
    // AD says no; then the password is set, and phs brings it, before the no is written down.
    let set = landbridge_tenant_rules::account_state::filetime(NOW - 7_200).unwrap();
    tenant.sends(vec![with(1, vec![written(2, AttributeValue::PwdLastSet(Some(set)))])]);
    signin.after(&who, &password("new"), asked(Ok(wire::Verdict::Wrong), 1), NOW);
    assert!(matches!(signin.before(&who, &password("new"), NOW + 1), Before::Ask));
}

#[test]
fn a_name_that_nobody_has_ends_as_an_accounts_would_where_there_is_no_verdict() {
    let pta = domain(SigninPolicy::Pta, 10);
    let signin_pta = signin(&pta);
    for none in [NoAnswer::NoAgent, NoAnswer::Busy, NoAnswer::NoDirectory, NoAnswer::Lost, NoAnswer::TooLate]
    {
        let (_, known) = tries(&signin_pta, "guess", asked(Err(none), 0), NOW);
        let unknown = signin_pta.nobody(&stranger(&signin_pta), Some(none), &password("guess"), NOW);
        assert_eq!(format!("{known:?}"), format!("{unknown:?}"));
    }
    let sunk = domain(SigninPolicy::Pta, 2);
    let signin_sunk = signin(&sunk);
    let (_, known) = tries(&signin_sunk, "guess", asked(Ok(wire::Verdict::Wrong), 1), NOW);
    let unknown = signin_sunk.nobody(&stranger(&signin_sunk), None, &password("guess"), NOW);
    assert_eq!(format!("{known:?}"), format!("{unknown:?}"));
    let both = domain(SigninPolicy::PtaThenPhs, 10);
    let signin_both = signin(&both);
    let none = Some(NoAnswer::NoAgent);
    let unknown = signin_both.nobody(&stranger(&signin_both), none, &password("guess"), NOW);
    assert!(matches!(unknown, Before::Digest), "{unknown:?}");
}

#[test]
fn agents_that_had_no_answer_are_remembered_until_one_has() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    let took = Duration::from_secs(1);
    signin.heard(tenant.domain, &Err(NoAnswer::Busy), took);
    assert!(signin.silence(tenant.domain).is_none(), "whether they are busy now is seen by looking");
    signin.heard(tenant.domain, &Err(NoAnswer::NoDirectory), took);
    assert_eq!(signin.silence(tenant.domain).map(|silence| silence.took), Some(took));
    assert!(signin.silence(tenant.domain + 1).is_none());
    signin.heard(tenant.domain, &Ok(wire::Verdict::Wrong), took);
    assert!(signin.silence(tenant.domain).is_none());
}

#[test]
fn an_account_under_a_stricter_policy_of_its_own_is_protected_by_that_one() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let applies = |settings, to| link(landbridge_wire::upload::LinkKind::AppliesTo, settings, to, 1);
    let records = vec![settings_object(50, 1, 3, 42), settings_object(51, 1, 2, 42)];
    let upload = landbridge_tenant_fixture::linked(
        landbridge_wire::upload::Upload { policy: None, ..page(records) },
        vec![applies(50, 1), applies(51, 2)],
    );
    tenant.send(&upload);
    let signin = signin(&tenant);
    let wrong = || asked(Ok(wire::Verdict::Wrong), 1);
    let (reached, _) = tries(&signin, "first guess", wrong(), NOW);
    assert!(reached.is_some());
    let (reached, after) = tries(&signin, "second guess", wrong(), NOW);
    assert!(reached.is_none());
    assert_eq!(why(&after), Why::HeldBack, "of a threshold of three one is left to the outside");
    // One whose policy leaves no room is refused, and nobody else.
    let second = candidate(&signin, "CORP\\user2");
    assert_eq!(why(&signin.before(&second, &password("right2"), NOW)), Why::NoRoom);
    let third = candidate(&signin, "CORP\\user3");
    assert!(matches!(signin.before(&third, &password("right3"), NOW), Before::Ask));
    assert!(matches!(
        signin.nobody(&stranger(&signin), None, &password("x"), NOW),
        Before::Decided(Verdict::Refused { .. })
    ));
    // So is one of whom it cannot be told which policy holds.
    tenant.send(&landbridge_tenant_fixture::linked(
        landbridge_wire::upload::Upload { policy: None, ..page(vec![]) },
        vec![applies(59, 3)],
    ));
    let third = candidate(&signin, "CORP\\user3");
    assert_eq!(why(&signin.before(&third, &password("right3"), NOW)), Why::NoRoom);
}

#[test]
fn where_a_domain_has_several_policies_each_goes_the_road_of_its_group() {
    let tenant = domain(SigninPolicy::Refuse, 10);
    let upload = landbridge_wire::upload::Upload { policy: None, ..page(vec![group(10), group(11)]) };
    tenant.send(&landbridge_tenant_fixture::linked(upload, vec![member(10, 1), member(11, 2)]));
    let policies = [(10, SigninPolicy::Phs), (11, SigninPolicy::Pta)].map(|(n, policy)| {
        landbridge_tenant_rules::model::GroupPolicy { group: object(n), policy, name: String::new() }
    });
    tenant
        .store
        .write("test", |tx| {
            landbridge_tenant_store::tables::group_policies::set(tx, tenant.domain, &policies)
        })
        .unwrap();
    let signin = signin(&tenant);
    for name in ["CORP\\user1", "CORP\\user3"] {
        assert!(matches!(signin.road(name, HOME, None), Ok(Road::Digest { .. })), "{name}");
    }
    assert_eq!(candidate(&signin, "CORP\\user2").object, object(2));
    let decide = |n: u128, now| {
        signin.decide(&format!("CORP\\user{n}"), &password(&format!("right{n}")), HOME, None, now)
    };
    assert!(matches!(decide(1, NOW), Verdict::Accepted(_)));
    let derived = tenant.counts.derivations.now();
    assert!(matches!(decide(3, NOW), Verdict::Refused { why: Why::NotAdmitted, told: None, .. }));
    assert_eq!(tenant.counts.derivations.now(), derived + 1, "it costs what any other costs");
    let roads: Vec<bool> = (0..40)
        .map(|n| matches!(signin.road(&format!("CORP\\nobody{n}"), HOME, None), Ok(Road::Nobody(_))))
        .collect();
    assert!(roads.contains(&true) && roads.contains(&false), "nobody's names go every road");
}
