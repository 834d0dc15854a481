//! Sign-ins that agents decide, with a directory in memory in their place.

use super::*;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::lockout::Standing;
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_store::RawValue;
use landbridge_tenant_store::tables::{ad_budget, canaries, domains, objects};
use landbridge_wire::signin as wire;
use landbridge_wire::upload::AttributeValue;

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
            tx.raw_execute(set, &[RawValue::Integer(id), RawValue::Integer(threshold)])
        })
        .unwrap();
    tenant
}

fn asked(outcome: Result<wire::DirectoryVerdict, NoAnswer>, tried: u32) -> AgentAnswer {
    AgentAnswer { outcome, agent: None, tried }
}

/// A sign-in of this account; the directory answers this, if it is asked. Returns whether it was, and the verdict.
fn tries_as(signin: &Bench, name: &str, text: &str, says: AgentAnswer, now: i64) -> (bool, Verdict) {
    let before = signin.reached();
    lock(&signin.directory.answers).clear();
    lock(&signin.directory.answers).push_back(says);
    let verdict = signin.decide(name, &password(text), HOME, None, now);
    (signin.reached() > before, verdict)
}

fn tries(signin: &Bench, text: &str, says: AgentAnswer, now: i64) -> (bool, Verdict) {
    tries_as(signin, "CORP\\user1", text, says, now)
}

/// A sign-in with a name that nobody has: no agent is ever asked.
fn tries_nobody(signin: &Bench, text: &str) -> Verdict {
    lock(&signin.directory.answers).clear();
    signin.decide("CORP\\nobody", &password(text), HOME, None, NOW)
}

fn detail_of_last(tenant: &Tenant) -> String {
    let newest = tenant.store.read(|c| landbridge_tenant_store::tables::audit::newest(c, 1)).unwrap();
    newest[0].detail.clone()
}

#[test]
fn the_policy_of_a_domain_chooses_the_road_and_strangers_go_it_too() {
    let phs = domain(SigninPolicy::Phs, 10);
    let (reached, verdict) = tries(&signin(&phs), "right1", asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW);
    assert!(!reached && is_accepted(&verdict));
    let pta = domain(SigninPolicy::Pta, 10);
    let signin = signin(&pta);
    let (reached, verdict) = tries_as(
        &signin,
        "user1@corp.example.com",
        "not the digest's",
        asked(Ok(wire::DirectoryVerdict::Valid), 1),
        NOW,
    );
    assert!(reached);
    let Verdict::Accepted(person) = verdict else { panic!("{verdict:?}") };
    assert_eq!(person.object, object(1));
    let derived = pta.counts.derivations.now();
    assert_eq!(why(&tries_nobody(&signin, "x")), Why::UnknownName);
    assert_eq!(pta.counts.derivations.now(), derived, "nothing is derived for a stranger");
}

#[test]
fn less_than_half_of_ads_threshold_reaches_it_and_a_restart_forgets_nothing() {
    for (threshold, most) in [(3, 1), (5, 2), (10, 4)] {
        let tenant = domain(SigninPolicy::Pta, threshold);
        let first = signin(&tenant);
        for n in 0..most {
            let (reached, after) =
                tries(&first, &format!("guess {n}"), asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW);
            assert!(reached);
            assert_eq!(why(&after), Why::WrongPassword);
        }
        let tenant = {
            drop(first);
            tenant.restarted()
        };
        let again = signin(&tenant);
        let (reached, after) =
            tries(&again, "another guess", asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW + 1_700);
        assert!(!reached, "{threshold}");
        assert_eq!(why(&after), Why::DigestDiffers);
        // A window and a minute for each failed bind that the other agent may still have, and one more.
        let forgotten = NOW + 1_860 * (most + 1);
        for (later, is_asked) in [(forgotten - 1, false), (forgotten, true)] {
            let wrong = asked(Ok(wire::DirectoryVerdict::Wrong), 1);
            assert_eq!(tries(&again, &format!("at {later}"), wrong, later).0, is_asked, "{threshold}");
        }
    }
}

#[test]
fn what_may_have_reached_ad_counts_and_after_a_right_password_as_of_unknown_sources() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    // Two deliveries were lost: both may have been counted. No verdict, so nothing is known of the password.
    let (_, after) = tries(&signin, "right1", asked(Err(NoAnswer::Lost), 2), NOW);
    assert_eq!(after, Verdict::Unavailable(Unavailable::NoAnswer(NoAnswer::Lost)));
    let (_, _) = tries(&signin, "guess", asked(Ok(wire::DirectoryVerdict::Wrong), 2), NOW);
    let (reached, after) = tries(&signin, "another guess", asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW);
    assert_eq!((reached, why(&after)), (false, Why::DigestDiffers));
    let second = "CORP\\user2";
    tries_as(&signin, second, "guess", asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW);
    let spent = || tenant.store.read(|c| ad_budget::find(c, object(2))).unwrap();
    assert_eq!(spent().map(|spent| (spent.known, spent.unknown)), Some((0, 1)));
    let (_, yes) = tries_as(&signin, second, "right2", asked(Ok(wire::DirectoryVerdict::Valid), 1), NOW);
    assert!(is_accepted(&yes));
    // The agent that was asked forgets; the other one does not.
    assert_eq!(spent().map(|spent| (spent.known, spent.unknown)), Some((0, 1)));
}

#[test]
fn the_digest_decides_while_there_is_no_verdict_and_never_after_one() {
    let tenant = domain(SigninPolicy::PtaThenPhs, 10);
    let signin = signin(&tenant);
    for none in [NoAnswer::NoAgent, NoAnswer::Busy, NoAnswer::NoDirectory, NoAnswer::Lost, NoAnswer::TooLate]
    {
        let (reached, after) = tries(&signin, "right1", asked(Err(none), 0), NOW);
        assert!(reached && is_accepted(&after), "{none:?}: {after:?}");
        let detail = detail_of_last(&tenant);
        assert!(detail.contains("accepted, by digest for want of an agent"), "{detail}");
        let (_, wrong) = tries(&signin, "wrong", asked(Err(none), 0), NOW);
        assert_eq!(why(&wrong), Why::WrongPassword);
    }
    for said in [
        wire::DirectoryVerdict::Wrong,
        wire::DirectoryVerdict::Locked,
        wire::DirectoryVerdict::Disabled,
        wire::DirectoryVerdict::LogonHours,
        wire::DirectoryVerdict::Workstation,
        wire::DirectoryVerdict::Restricted,
        wire::DirectoryVerdict::MustChange,
        wire::DirectoryVerdict::Unknown(7),
    ] {
        // Another account for each, so that no budget is used up.
        let tenant = domain(SigninPolicy::PtaThenPhs, 10);
        let signin = super::signin(&tenant);
        let (_, after) = tries_as(&signin, "CORP\\user3", "right3", asked(Ok(said), 1), NOW);
        assert!(matches!(after, Verdict::Refused { .. }), "{said:?}: {after:?}");
        assert!(detail_of_last(&tenant).contains(", by agent"));
    }
}

#[test]
fn a_password_that_ad_refused_is_not_asked_again_until_it_may_be_the_right_one() {
    let tenant = domain(SigninPolicy::Pta, 0);
    tenant.sends(vec![with(1, vec![written(2, AttributeValue::PwdLastSet(Some(130_000_000_000_000_000)))])]);
    let signin = signin(&tenant);
    let wrong = || asked(Ok(wire::DirectoryVerdict::Wrong), 1);
    assert!(tries(&signin, "old", wrong(), NOW).0);
    let (reached, after) = tries(&signin, "old", wrong(), NOW + 60);
    assert!(!reached);
    assert_eq!(why(&after), Why::RefusedBefore);
    assert!(tries(&signin, "other", wrong(), NOW + 60).0);
    assert!(tries(&signin, "old", wrong(), NOW + 3_601).0, "an hour later");
    tenant.sends(vec![with(1, vec![written(3, AttributeValue::PwdLastSet(Some(130_000_000_000_000_001)))])]);
    assert!(tries(&signin, "old", wrong(), NOW + 3_700).0, "the password was changed");
}

#[test]
fn a_threshold_that_sinks_later_leaves_nobody_in_by_agents() {
    let pta = domain(SigninPolicy::Pta, 2);
    let (reached, after) = tries(&signin(&pta), "right1", asked(Ok(wire::DirectoryVerdict::Valid), 1), NOW);
    assert_eq!((reached, after), (false, Verdict::Unavailable(Unavailable::NoRoomInDirectory)));
    let both = domain(SigninPolicy::PtaThenPhs, 1);
    let (reached, after) = tries(&signin(&both), "right1", asked(Ok(wire::DirectoryVerdict::Valid), 1), NOW);
    assert!(!reached && is_accepted(&after));
    assert!(detail_of_last(&both).contains("by digest for want of an agent"));
}

#[test]
fn nobody_signs_in_as_a_canary_with_an_empty_password_or_while_locked_out() {
    let tenant = domain(SigninPolicy::Pta, 0);
    let signin = signin(&tenant);
    let valid = || asked(Ok(wire::DirectoryVerdict::Valid), 1);
    assert_eq!(why(&tries(&signin, "", valid(), NOW).1), Why::BadPassword);
    for n in 0..10 {
        tries(&signin, &format!("guess {n}"), asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW);
    }
    assert_eq!(why(&tries(&signin, "right1", valid(), NOW).1), Why::UnknownSourcesLocked);
    tenant.store.write("test", |tx| canaries::add(tx, tenant.domain, object(2), NOW)).unwrap();
    let (reached, verdict) = tries_as(&signin, "CORP\\user2", "right2", valid(), NOW);
    assert_eq!((reached, why(&verdict)), (false, Why::Canary));
}

#[tokio::test]
async fn one_account_has_one_turn_and_a_bounded_queue() {
    let turns = Arc::new(turns::Turns::default());
    let first = turns.acquire(object(1), Standing::Unknown).await.unwrap();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let turns = turns.clone();
        waiting.spawn(async move { turns.acquire(object(1), Standing::Unknown).await.is_some() });
    }
    // Those over the queue's limit are refused at once; the others go one after the other. A known source has a place.
    tokio::task::yield_now().await;
    let owner = turns.clone();
    let owner = tokio::spawn(async move { owner.acquire(object(1), Standing::Known).await.is_some() });
    tokio::task::yield_now().await;
    drop(first);
    let outcomes = waiting.join_all().await;
    assert!(owner.await.unwrap());
    assert_eq!(outcomes.iter().filter(|got| **got).count(), 15);
    assert!(turns.is_idle());
}

#[test]
fn a_sign_in_that_waited_for_its_turn_is_decided_by_what_is_known_then() {
    let tenant = domain(SigninPolicy::Pta, 0);
    let signin = signin(&tenant);
    let turn = signin.runtime.block_on(signin.inner().turns.acquire(object(1), Standing::Unknown)).unwrap();
    let verdict = std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| tries(&signin, "right1", asked(Ok(wire::DirectoryVerdict::Valid), 1), NOW));
        // It waits for the turn by now, or comes after the account has left: either way it must not be accepted.
        std::thread::yield_now();
        tenant.sends(vec![landbridge_wire::upload::Record {
            presence: landbridge_wire::upload::Presence::OutOfScope,
            ..bare(1)
        }]);
        drop(turn);
        waiting.join().unwrap()
    });
    assert_eq!((verdict.0, why(&verdict.1)), (false, Why::UnknownName));
}

#[test]
fn a_database_that_cannot_be_written_lets_no_more_guesses_through_to_ad() {
    let tenant = domain(SigninPolicy::Pta, 5);
    let signin = signin(&tenant);
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON lockouts BEGIN SELECT RAISE(ABORT, 'no'); END";
    tenant.store.write("test", |tx| Ok(tx.raw().execute_batch(broken)?)).unwrap();
    let reached = (0..20)
        .filter(|n| tries(&signin, &format!("guess {n}"), asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW).0)
        .count();
    assert_eq!(reached, 2, "as many as with a database");
}

#[test]
fn an_answer_of_ad_whose_audit_entry_cannot_be_written_is_unavailable() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    tenant.store.write("test", |tx| Ok(tx.raw().execute_batch(NO_AUDIT)?)).unwrap();
    for said in [
        wire::DirectoryVerdict::Valid,
        wire::DirectoryVerdict::Wrong,
        wire::DirectoryVerdict::PasswordExpired,
    ] {
        let (reached, verdict) = tries(&signin, &format!("{said:?}"), asked(Ok(said), 1), NOW);
        assert!(reached, "{said:?}");
        assert_eq!(verdict, Verdict::Unavailable(Unavailable::Storage), "{said:?}");
    }
    assert_eq!(tries_nobody(&signin, "x"), Verdict::Unavailable(Unavailable::Storage));
    assert_eq!(signed_in(&signin, "audit-not-written"), 4);
}

#[test]
fn a_right_password_that_ad_would_not_let_in_uses_nothing_up() {
    for said in [
        wire::DirectoryVerdict::PasswordExpired,
        wire::DirectoryVerdict::MustChange,
        wire::DirectoryVerdict::AccountExpired,
        wire::DirectoryVerdict::Disabled,
        wire::DirectoryVerdict::LogonHours,
        wire::DirectoryVerdict::Workstation,
    ] {
        let tenant = domain(SigninPolicy::Pta, 3);
        let signin = signin(&tenant);
        for _ in 0..5 {
            assert!(tries(&signin, "right1", asked(Ok(said), 1), NOW).0, "{said:?}");
        }
        // It was changed in AD, and is good at once.
        let (_, after) = tries(&signin, "new", asked(Ok(wire::DirectoryVerdict::Valid), 1), NOW + 1);
        assert!(is_accepted(&after), "{said:?}: {after:?}");
    }
}

#[test]
fn a_code_that_is_not_known_counts_as_a_wrong_password() {
    let tenant = domain(SigninPolicy::Pta, 0);
    let signin = signin(&tenant);
    let reached = (0..30)
        .filter(|n| {
            tries(&signin, &format!("guess {n}"), asked(Ok(wire::DirectoryVerdict::Unknown(49)), 1), NOW).0
        })
        .count();
    assert_eq!(reached, 10, "a directory that gives no sub-code is not guessed at for ever");
}

#[test]
fn a_name_that_nobody_has_ends_as_an_accounts_would_where_there_is_no_verdict() {
    for none in [NoAnswer::NoAgent, NoAnswer::Busy, NoAnswer::NoDirectory, NoAnswer::Lost, NoAnswer::TooLate]
    {
        let pta = domain(SigninPolicy::Pta, 10);
        let signin = signin(&pta);
        let (_, known) = tries(&signin, "guess", asked(Err(none), 0), NOW);
        if matches!(none, NoAnswer::NoAgent | NoAnswer::Busy) {
            *lock(&signin.directory.unable) = Some(none);
        }
        assert_eq!(known, tries_nobody(&signin, "guess"));
        assert_eq!(known, Verdict::Unavailable(Unavailable::NoAnswer(none)));
    }
    let sunk = domain(SigninPolicy::Pta, 2);
    let signin_sunk = signin(&sunk);
    let (_, known) = tries(&signin_sunk, "guess", asked(Ok(wire::DirectoryVerdict::Wrong), 1), NOW);
    assert_eq!(known, tries_nobody(&signin_sunk, "guess"));
    let both = domain(SigninPolicy::PtaThenPhs, 10);
    let signin_both = signin(&both);
    *lock(&signin_both.directory.unable) = Some(NoAnswer::NoAgent);
    let derived = both.counts.derivations.now();
    assert_eq!(why(&tries_nobody(&signin_both, "guess")), Why::UnknownName);
    assert_eq!(both.counts.derivations.now(), derived + 1, "the digest decides, as for an account");
    assert!(detail_of_last(&both).contains("by digest for want of an agent"));
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
    let wrong = || asked(Ok(wire::DirectoryVerdict::Wrong), 1);
    let (reached, _) = tries(&signin, "first guess", wrong(), NOW);
    assert!(reached);
    let (reached, after) = tries(&signin, "second guess", wrong(), NOW);
    assert!(!reached);
    assert_eq!(why(&after), Why::DigestDiffers, "of a threshold of three one is left to unknown sources");
    // One whose policy leaves no room is refused, and nobody else.
    let (reached, second) = tries_as(&signin, "CORP\\user2", "right2", wrong(), NOW);
    assert_eq!((reached, why(&second)), (false, Why::NoRoom));
    assert!(tries_as(&signin, "CORP\\user3", "right3", wrong(), NOW).0);
    assert!(matches!(tries_nobody(&signin, "x"), Verdict::Refused { .. }));
    // So is one of whom it cannot be told which policy holds.
    tenant.send(&landbridge_tenant_fixture::linked(
        landbridge_wire::upload::Upload { policy: None, ..page(vec![]) },
        vec![applies(59, 3)],
    ));
    let (reached, third) = tries_as(&signin, "CORP\\user3", "another", wrong(), NOW);
    assert_eq!((reached, why(&third)), (false, Why::NoRoom));
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
    let valid = || asked(Ok(wire::DirectoryVerdict::Valid), 1);
    let (reached, first) = tries_as(&signin, "CORP\\user1", "right1", valid(), NOW);
    assert!(!reached && is_accepted(&first));
    assert!(tries_as(&signin, "CORP\\user2", "right2", valid(), NOW).0);
    let derived = tenant.counts.derivations.now();
    let (reached, third) = tries_as(&signin, "CORP\\user3", "right3", valid(), NOW);
    assert_eq!((reached, why(&third), disclosed(&third)), (false, Why::NotAdmitted, None));
    assert_eq!(tenant.counts.derivations.now(), derived + 1, "it costs what any other costs");
    let derives: Vec<bool> = (0..40)
        .map(|n| {
            let derived = tenant.counts.derivations.now();
            signin.decide(&format!("CORP\\nobody{n}"), &password("x"), HOME, None, NOW);
            tenant.counts.derivations.now() > derived
        })
        .collect();
    assert!(derives.contains(&true) && derives.contains(&false), "nobody's names go every road");
}

#[test]
fn an_agent_is_asked_about_an_account_by_its_objectguid_and_its_sid_and_not_at_all_without_a_sid() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    let valid = || asked(Ok(wire::DirectoryVerdict::Valid), 1);
    assert!(is_accepted(&tries(&signin, "right1", valid(), NOW).1));
    let sid = tenant.store.read(|c| objects::find(c, object(1))).unwrap().unwrap().sid.unwrap();
    let account = lock(&signin.directory.account).unwrap();
    assert_eq!((account.object, format!("{SID}-{}", account.rid)), (object(1), sid));
    // A row of before SIDs were required, and one of another domain.
    for sid in ["NULL", "'S-1-5-21-9-9-9-1105'", "'S-1-5-21'"] {
        let set = format!("UPDATE objects SET sid = {sid}");
        tenant.store.write("test", |tx| Ok(tx.raw().execute(&set, [])?)).unwrap();
        // Where privileged accounts are not allowed, an account without a SID may be one.
        let (reached, verdict) = tries_as(&signin, "CORP\\user2", "right2", valid(), NOW);
        assert_eq!((reached, why(&verdict)), (false, Why::Privileged), "{sid}");
        let allow = "UPDATE domains SET allow_privileged = 1";
        tenant.store.write("test", |tx| Ok(tx.raw().execute(allow, [])?)).unwrap();
        let (reached, verdict) = tries_as(&signin, "CORP\\user2", "right2", valid(), NOW);
        assert_eq!((reached, why(&verdict)), (false, Why::NoSid), "{sid}");
        let forbid = "UPDATE domains SET allow_privileged = 0";
        tenant.store.write("test", |tx| Ok(tx.raw().execute(forbid, [])?)).unwrap();
    }
}

#[test]
fn a_canary_is_named_by_its_objectguid_and_its_sid_and_without_a_sid_not_at_all() {
    let tenant = domain(SigninPolicy::Pta, 10);
    tenant.store.write("test", |tx| canaries::add(tx, tenant.domain, object(2), NOW)).unwrap();
    let named = || {
        tenant.store.read(|reading| {
            let domains = domains::all(reading)?;
            canaries::principals(reading, &domains[0])
        })
    };
    let sid = tenant.store.read(|c| objects::find(c, object(2))).unwrap().unwrap().sid.unwrap();
    let [Principal { object: guid, rid }] = named().unwrap()[..] else { panic!() };
    assert_eq!((guid, format!("{SID}-{rid}")), (object(2), sid));
    for sid in ["NULL", "'S-1-5-21-9-9-9-1105'"] {
        let set = format!("UPDATE objects SET sid = {sid}");
        tenant.store.write("test", |tx| Ok(tx.raw().execute(&set, [])?)).unwrap();
        assert_eq!(named().unwrap(), [], "{sid}");
    }
}

#[test]
fn an_account_that_an_agent_found_to_be_another_is_refused_and_others_are_not_silent() {
    for policy in [SigninPolicy::Pta, SigninPolicy::PtaThenPhs] {
        let tenant = domain(policy, 10);
        let signin = signin(&tenant);
        let (_, after) = tries(&signin, "right1", asked(Err(NoAnswer::OtherAccount), 1), NOW);
        assert_eq!((why(&after), disclosed(&after)), (Why::OtherAccount, None), "{policy:?}");
        assert!(detail_of_last(&tenant).contains("other-account, by agent"), "{}", detail_of_last(&tenant));
        assert!(matches!(tries_nobody(&signin, "right1"), Verdict::Refused { .. }));
    }
}

#[test]
fn when_all_agents_are_at_their_bounds_the_refusal_looks_like_any_other_and_nothing_counts() {
    for policy in [SigninPolicy::Pta, SigninPolicy::PtaThenPhs] {
        let tenant = domain(policy, 10);
        let signin = signin(&tenant);
        let derived = tenant.counts.derivations.now();
        let (_, after) = tries(&signin, "right1", asked(Err(NoAnswer::AtBound), 0), NOW);
        assert_eq!((why(&after), disclosed(&after)), (Why::HeldBack, None), "{policy:?}");
        assert!(detail_of_last(&tenant).contains("held-back, by agent"), "{}", detail_of_last(&tenant));
        assert_eq!(tenant.counts.derivations.now(), derived, "a name that nobody has derives nothing either");
        assert!(
            matches!(tries_nobody(&signin, "right1"), Verdict::Refused { .. }),
            "the domain is not silent"
        );
        let spent = tenant.store.read(|c| ad_budget::find(c, object(1))).unwrap();
        assert_eq!(spent, None, "no bind was sent");
        assert!(
            tries(&signin, "right1", asked(Ok(wire::DirectoryVerdict::Valid), 1), NOW).0,
            "it is asked again"
        );
    }
}
