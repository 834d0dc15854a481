//! Known sources, unknown sources, and AD's budget: who is kept out by whom.

use super::*;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_store::RawValue;
use landbridge_tenant_store::tables::{ad_budget, domains, known_sources};
use landbridge_wire::signin::DirectoryVerdict;
use landbridge_wire::upload::{AttributeValue, Record};

const USER: &str = "CORP\\user1";
const DAY: i64 = 86_400;

/// Three accounts in a domain with this policy, and this lockout threshold in AD.
fn domain(policy: SigninPolicy, threshold: i64) -> Tenant {
    let tenant = three();
    let set = |tx: &landbridge_tenant_store::Writing<'_>| {
        let id = domains::all(tx)?[0].id;
        domains::set_signin(tx, id, policy, false)?;
        let set = "UPDATE domains SET lockout_threshold = ?2, lockout_observation_window = -18000000000 WHERE id = ?1";
        tx.raw_execute(set, &[RawValue::Integer(id), RawValue::Integer(threshold)])
    };
    tenant.store.write("test", set).unwrap();
    tenant
}

/// The same without a digest of the first account.
fn without_digest(policy: SigninPolicy, threshold: i64) -> Tenant {
    let tenant = domain(policy, threshold);
    tenant.sends(vec![Record { erase_password: true, ..bare(1) }]);
    tenant
}

fn stranger(n: u32) -> String {
    std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string()
}

/// A sign-in of the first account; AD says this, if it is asked. Returns whether it was, and the verdict.
fn tries_from(signin: &Bench, from: &str, secret: &str, says: DirectoryVerdict, now: i64) -> (bool, Verdict) {
    let before = signin.reached();
    lock(&signin.directory.answers).clear();
    let answer = AgentAnswer { outcome: Ok(says), agent: None, tried: 1 };
    lock(&signin.directory.answers).push_back(answer);
    let verdict = signin.decide(USER, &password(secret), from, None, now);
    (signin.reached() > before, verdict)
}

fn known(tenant: &Tenant) -> i64 {
    tenant.store.read(|reading| known_sources::count(reading, object(1), NOW - DAY)).unwrap()
}

#[test]
fn guesses_from_anywhere_keep_no_owner_at_a_known_source_out() {
    let tenant = three();
    let signin = signin(&tenant);
    let right = password("right1");
    assert!(is_accepted(&tries(&signin, USER, "right1")));
    for n in 0..500 {
        let now = NOW + i64::from(n) * 60;
        signin.decide(USER, &password(&format!("guess {n}")), &stranger(n), None, now);
        if n % 50 == 0 {
            assert!(is_accepted(&signin.decide(USER, &right, HOME, None, now)), "{n}");
        }
    }
    let now = NOW + 500 * 60;
    let elsewhere = signin.decide(USER, &right, "198.51.100.9", None, now);
    assert_eq!(why(&elsewhere), Why::UnknownSourcesLocked, "whatever the password is");
    let refused = tenant.counts.signins_unknown_sources_locked.now();
    assert!(refused > 300, "what remains open to outsiders is counted: {refused}");
    // The guesses end, and the person gets in from the new place, which is known from then on.
    let now = now + 3_600;
    assert!(is_accepted(&signin.decide(USER, &right, "198.51.100.9", None, now)));
    for n in 0..20 {
        signin.decide(USER, &password(&format!("late {n}")), &stranger(n), None, now);
    }
    assert!(is_accepted(&signin.decide(USER, &right, "198.51.100.9", None, now)));
}

#[test]
fn a_known_source_is_locked_by_its_own_wrong_passwords_and_by_no_others() {
    let tenant = three();
    let signin = signin(&tenant);
    let right = password("right1");
    let office = "198.51.100.9";
    for from in [HOME, office] {
        assert!(is_accepted(&signin.decide(USER, &right, from, None, NOW)));
    }
    for n in 0..10 {
        assert_eq!(why(&tries(&signin, USER, &format!("wrong{n}"))), Why::WrongPassword);
    }
    assert_eq!(why(&tries(&signin, USER, "right1")), Why::LockedOut);
    assert_eq!(tenant.counts.signins_unknown_sources_locked.now(), 0);
    assert!(is_accepted(&signin.decide(USER, &right, office, None, NOW)));
    assert!(is_accepted(&signin.decide(USER, &right, &stranger(1), None, NOW)));
}

#[test]
fn what_one_application_says_of_addresses_opens_and_closes_nothing_at_another() {
    let tenant = three();
    let signin = signin(&tenant);
    let right = password("right1");
    let at =
        |application, password: &Password| signin.decide_at(application, USER, password, HOME, None, NOW);
    assert!(is_accepted(&at("app mail", &right)));
    assert!(is_accepted(&at("app wiki", &right)));
    // One application says that wrong passwords come from there, and locks its own counter.
    for n in 0..10 {
        at("app wiki", &password(&format!("wrong{n}")));
    }
    assert_eq!(why(&at("app wiki", &right)), Why::LockedOut);
    assert!(is_accepted(&at("app mail", &right)));
    for n in 0..10 {
        signin.decide(USER, &password(&format!("guess {n}")), &stranger(n), None, NOW);
    }
    assert!(is_accepted(&at("app mail", &right)));
    assert_eq!(why(&at("app new", &right)), Why::UnknownSourcesLocked);
}

#[test]
fn guesses_through_an_application_that_states_no_place_lock_people_out_of_that_application_only() {
    let tenant = three();
    let signin = signin(&tenant);
    let right = password("right1");
    let at = |application: &str, from: &str, password: &Password, now| {
        signin.decide_at(application, USER, password, from, None, now)
    };
    // 1. A success makes no source known: all its sign-ins have one address.
    assert!(is_accepted(&at("app ldap", OF_APPLICATION, &right, NOW)));
    assert_eq!(known(&tenant), 0);
    // 2. Ten wrong passwords lock it, and a right one in between gives no more of them.
    for n in 0..10 {
        at("app ldap", OF_APPLICATION, &password(&format!("wrong{n}")), NOW);
        if n == 5 {
            assert!(is_accepted(&at("app ldap", OF_APPLICATION, &right, NOW)));
        }
    }
    assert_eq!(why(&at("app ldap", OF_APPLICATION, &right, NOW)), Why::UnknownSourcesLocked);
    // 3. No other application is closed: neither one of that kind, nor one that states places, at places it does not know.
    assert!(is_accepted(&at("app other", OF_APPLICATION, &right, NOW)));
    assert!(is_accepted(&at("app api", &stranger(1), &right, NOW)));
    // 4. Strangers elsewhere do not close it either.
    for n in 0..10 {
        at("app api", &stranger(100 + n), &password(&format!("guess{n}")), NOW);
    }
    assert_eq!(why(&at("app api", &stranger(2), &right, NOW)), Why::UnknownSourcesLocked);
    assert!(is_accepted(&at("app other", OF_APPLICATION, &right, NOW)));
    assert!(is_accepted(&at("app ldap", OF_APPLICATION, &right, NOW + 61)), "its lock ends");
}

#[test]
fn what_an_application_without_places_lets_through_to_ad_is_charged_as_strangers_guesses() {
    let tenant = without_digest(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    let wrong = DirectoryVerdict::Wrong;
    let mut reached = 0;
    for n in 0..20 {
        let secret = format!("wrong{n}");
        lock(&signin.directory.answers).clear();
        let answer = AgentAnswer { outcome: Ok(wrong), agent: None, tried: 1 };
        lock(&signin.directory.answers).push_back(answer);
        let before = signin.reached();
        let from = if n % 2 == 0 { "app ldap" } else { "app other" };
        signin.decide_at(from, USER, &password(&secret), OF_APPLICATION, None, NOW);
        reached += signin.reached() - before;
    }
    assert!((1..5).contains(&reached), "less than half of AD's threshold: {reached}");
}

#[test]
fn a_success_of_an_account_that_is_not_let_in_makes_nothing_known() {
    let month = landbridge_tenant_rules::account_state::filetime(NOW - 90 * DAY).unwrap();
    for is in [
        AttributeValue::UserAccountControl(Some(0x202)),
        AttributeValue::LockoutTime(landbridge_tenant_rules::account_state::filetime(NOW - 60)),
        AttributeValue::PwdLastSet(Some(0)),
        AttributeValue::PwdLastSet(Some(month)),
        AttributeValue::AccountExpires(Some(month)),
    ] {
        let tenant = three();
        tenant.sends(vec![with(1, vec![written(2, is.clone())])]);
        let verdict = tries(&signin(&tenant), USER, "right1");
        assert!(matches!(why(&verdict), Why::State(_)), "{is:?}: {verdict:?}");
        assert_eq!(known(&tenant), 0, "{is:?}");
    }
    let refused = domain(SigninPolicy::Refuse, 10);
    assert_eq!(why(&tries(&signin(&refused), USER, "right1")), Why::NotAdmitted);
    assert_eq!(known(&refused), 0);
    for said in [
        DirectoryVerdict::Disabled,
        DirectoryVerdict::MustChange,
        DirectoryVerdict::PasswordExpired,
        DirectoryVerdict::AccountExpired,
        DirectoryVerdict::LogonHours,
        DirectoryVerdict::Workstation,
        DirectoryVerdict::Restricted,
        DirectoryVerdict::Locked,
        DirectoryVerdict::Wrong,
    ] {
        let tenant = domain(SigninPolicy::Pta, 10);
        assert!(tries_from(&signin(&tenant), HOME, "right1", said, NOW).0);
        assert_eq!(known(&tenant), 0, "{said:?}");
    }
    let pta = domain(SigninPolicy::Pta, 10);
    assert!(is_accepted(&tries_from(&signin(&pta), HOME, "right1", DirectoryVerdict::Valid, NOW).1));
    assert_eq!(known(&pta), 1);
}

#[test]
fn a_caller_that_states_no_source_makes_none_known() {
    let tenant = three();
    let signin = signin(&tenant);
    assert!(is_accepted(&signin.decide(USER, &password("right1"), "", None, NOW)));
    assert_eq!(known(&tenant), 0);
}

#[test]
fn a_source_is_known_for_thirty_days_after_the_last_success_and_through_a_restart() {
    let tenant = three();
    let first = signin(&tenant);
    for (number, day) in [(1, 0), (1, 5), (2, 0)] {
        let (name, right) = (format!("CORP\\user{number}"), password(&format!("right{number}")));
        assert!(is_accepted(&first.decide(&name, &right, HOME, None, NOW + day * DAY)));
    }
    drop(first);
    let tenant = tenant.restarted();
    let signin = signin(&tenant);
    let under_guesses = |number: u32, now| {
        let name = format!("CORP\\user{number}");
        for n in 0..10 {
            signin.decide(&name, &password(&format!("guess {n}")), &stranger(n), None, now);
        }
        signin.decide(&name, &password(&format!("right{number}")), HOME, None, now)
    };
    assert!(is_accepted(&under_guesses(1, NOW + 34 * DAY)), "29 days after the last success");
    assert_eq!(why(&under_guesses(2, NOW + 30 * DAY)), Why::UnknownSourcesLocked);
}

#[test]
fn an_account_has_at_most_sixteen_known_sources_and_the_oldest_goes() {
    let tenant = three();
    let signin = signin(&tenant);
    let right = password("right1");
    for n in 0..17 {
        let now = NOW + i64::from(n);
        assert!(is_accepted(&signin.decide(USER, &right, &stranger(n), None, now)));
    }
    assert_eq!(known(&tenant), 16);
    for n in 0..10 {
        signin.decide(USER, &password(&format!("guess {n}")), &stranger(100 + n), None, NOW + 20);
    }
    for n in 0..17 {
        let verdict = signin.decide(USER, &right, &stranger(n), None, NOW + 20);
        assert_eq!(is_accepted(&verdict), n > 0, "{n}: {verdict:?}");
    }
}

#[test]
fn unknown_sources_spend_their_own_half_of_ads_budget_and_leave_the_other() {
    for (threshold, most) in [(3, 1), (5, 2), (10, 4)] {
        for tenant in [domain(SigninPolicy::Pta, threshold), without_digest(SigninPolicy::Pta, threshold)] {
            let signin = signin(&tenant);
            assert!(is_accepted(&tries_from(&signin, HOME, "right1", DirectoryVerdict::Valid, NOW).1));
            let wrong = DirectoryVerdict::Wrong;
            let reached =
                (0..40).filter(|n| tries_from(&signin, &stranger(*n), &format!("guess {n}"), wrong, NOW).0);
            assert_eq!(reached.count(), most, "of {threshold}");
            // The owner is asked about at a known source, with all of the other half for mistakes.
            for n in 1..most {
                assert!(tries_from(&signin, HOME, &format!("mistake {n}"), wrong, NOW).0);
            }
            let (reached, verdict) = tries_from(&signin, HOME, "right1", DirectoryVerdict::Valid, NOW);
            assert!(reached && is_accepted(&verdict), "{threshold}: {verdict:?}");
            let spent = tenant.store.read(|c| ad_budget::find(c, object(1))).unwrap();
            assert_eq!(
                spent.map(|spent| (spent.known, usize::try_from(spent.unknown).unwrap())),
                Some((0, most)),
                "an agent may remember them: the others get no more of it"
            );
            assert!(!tries_from(&signin, &stranger(99), "one more", wrong, NOW).0);
        }
    }
}

#[test]
fn both_halves_together_stay_below_ads_threshold() {
    for threshold in [3, 5, 10] {
        let tenant = without_digest(SigninPolicy::Pta, threshold);
        let signin = signin(&tenant);
        assert!(is_accepted(&tries_from(&signin, HOME, "right1", DirectoryVerdict::Valid, NOW).1));
        let reached = (0..60).filter(|n| {
            let from = if n % 2 == 0 { HOME.to_owned() } else { stranger(*n) };
            tries_from(&signin, &from, &format!("guess {n}"), DirectoryVerdict::Wrong, NOW).0
        });
        let reached = i64::try_from(reached.count()).unwrap();
        assert_eq!(reached, 2 * ((threshold - 1) / 2));
        assert!(reached < threshold);
    }
}

#[test]
fn with_the_budget_spent_the_digests_password_is_asked_about_and_lets_its_owner_in_from_anywhere() {
    for policy in [SigninPolicy::Pta, SigninPolicy::PtaThenPhs] {
        let tenant = domain(policy, 5);
        let signin = signin(&tenant);
        for n in 0..5 {
            tries_from(&signin, &stranger(n), &format!("guess {n}"), DirectoryVerdict::Wrong, NOW);
        }
        assert_eq!(signin.reached(), 2);
        let (reached, verdict) =
            tries_from(&signin, "198.51.100.9", "right1", DirectoryVerdict::Valid, NOW + 60);
        assert!(reached && is_accepted(&verdict), "{verdict:?}");
        assert_eq!(signin.directory.binds.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn no_more_passwords_are_compared_with_a_digest_than_the_counters_allow() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    let mut reasons = std::collections::BTreeMap::new();
    for n in 0..100 {
        let guess = format!("guess {n}");
        let (_, verdict) = tries_from(&signin, &stranger(n), &guess, DirectoryVerdict::Wrong, NOW);
        *reasons.entry(why(&verdict).as_str()).or_insert(0) += 1;
    }
    let expected =
        [("digest-differs", 6), ("unknown-sources-locked", 90), ("wrong-password", 4)].into_iter().collect();
    assert_eq!(reasons, expected);
    assert_eq!(derivations(&tenant), 6);
}

#[test]
fn a_match_that_ad_refuses_is_charged_and_not_asked_about_again() {
    let tenant = domain(SigninPolicy::Pta, 5);
    let signin = signin(&tenant);
    let wrong = DirectoryVerdict::Wrong;
    for n in 0..2 {
        assert!(tries_from(&signin, &stranger(n), &format!("guess {n}"), wrong, NOW).0);
    }
    // The password was changed in AD a moment ago, and phs has not brought it.
    let (reached, verdict) = tries_from(&signin, HOME, "right1", wrong, NOW);
    assert_eq!((reached, why(&verdict)), (true, Why::WrongPassword));
    let spent = tenant.store.read(|c| ad_budget::find(c, object(1))).unwrap().unwrap();
    assert_eq!((spent.known, spent.unknown), (0, 3));
    // Neither from here, nor after the process has forgotten the password.
    let (reached, verdict) = tries_from(&signin, HOME, "right1", wrong, NOW);
    assert_eq!((reached, why(&verdict)), (false, Why::HeldBack));
    drop(signin);
    let tenant = tenant.restarted();
    let signin = super::signin(&tenant);
    let (reached, verdict) = tries_from(&signin, HOME, "right1", wrong, NOW);
    assert_eq!((reached, why(&verdict)), (false, Why::HeldBack));
}

#[test]
fn a_change_that_phs_has_not_brought_is_not_refused_by_the_digest_while_there_is_budget() {
    let tenant = domain(SigninPolicy::Pta, 5);
    let signin = signin(&tenant);
    tries_from(&signin, &stranger(1), "guess", DirectoryVerdict::Wrong, NOW);
    for from in [HOME, &stranger(2)] {
        let (reached, verdict) = tries_from(&signin, from, "changed", DirectoryVerdict::Valid, NOW);
        assert!(reached && is_accepted(&verdict), "{from}: {verdict:?}");
    }
    assert_eq!(derivations(&tenant), 0);
}

#[test]
fn a_digest_that_is_older_than_the_newest_password_refuses_and_admits_nobody_in_ads_stead() {
    let tenant = domain(SigninPolicy::Pta, 3);
    // pwdLastSet arrived later than the digest.
    let later = landbridge_tenant_rules::account_state::filetime(NOW - 60);
    let mut set = written(2, AttributeValue::PwdLastSet(later));
    set.stamp.time += 60;
    tenant.sends(vec![with(1, vec![set])]);
    let signin = signin(&tenant);
    tries_from(&signin, &stranger(1), "guess", DirectoryVerdict::Wrong, NOW);
    for secret in ["right1", "changed"] {
        let (reached, verdict) = tries_from(&signin, HOME, secret, DirectoryVerdict::Valid, NOW);
        assert_eq!((reached, why(&verdict)), (false, Why::HeldBack), "{secret}");
    }
}

#[test]
fn a_name_that_nobody_has_derives_and_locks_when_an_account_would() {
    let tenant = domain(SigninPolicy::Pta, 10);
    let signin = signin(&tenant);
    let mut seen: [Vec<(bool, bool)>; 2] = Default::default();
    for (name, seen) in [USER, "CORP\\nobody"].into_iter().zip(&mut seen) {
        // A repeated password counts once for both.
        for guess in ["a", "a", "b", "c", "d", "e", "e", "f", "g", "h", "i", "j", "k", "l"] {
            let before = derivations(&tenant);
            let says = AgentAnswer { outcome: Ok(DirectoryVerdict::Wrong), agent: None, tried: 1 };
            lock(&signin.directory.answers).clear();
            lock(&signin.directory.answers).push_back(says);
            let verdict = signin.decide(name, &password(guess), HOME, None, NOW);
            seen.push((derivations(&tenant) > before, why(&verdict) == Why::UnknownSourcesLocked));
        }
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].iter().any(|(derived, _)| *derived) && seen[0].iter().any(|(_, locked)| *locked));
}

#[test]
fn a_source_that_cannot_be_noted_is_a_failing_database() {
    let tenant = three();
    let signin = signin(&tenant);
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON known_sources BEGIN SELECT RAISE(ABORT, 'no'); END";
    tenant.store.write("test", |t| Ok(t.raw().execute_batch(broken)?)).unwrap();
    assert_eq!(tries(&signin, USER, "right1"), Verdict::Unavailable(Unavailable::Storage));
}
