//! Sign-ins that the digest decides.

use super::*;
use crate::sign_ins::queue::Entry;
use landbridge_tenant_fixture::*;
use landbridge_tenant_rules::account_state::{State, filetime};
use landbridge_tenant_rules::lockout::{Spent, Standing, Tries};
use landbridge_tenant_rules::sign_in::Subject;
use landbridge_tenant_store::tables::{ad_budget, known_sources, lockouts, objects};
use landbridge_tenant_store::{RawValue, facts};
use landbridge_wire::bounded::List;
use landbridge_wire::reserved::ReservedAttribute;
use landbridge_wire::upload::{AttributeValue, Presence, Record, Upload};
use std::sync::Barrier;

#[test]
fn the_right_password_is_accepted_under_every_name_and_says_who_it_is() {
    let tenant = three();
    let signin = signin(&tenant);
    for name in ["user1@corp.example.com", "CORP\\user1", "corp.example.com\\USER1"] {
        let Verdict::Accepted(person) = tries(&signin, name, "right1") else { panic!("{name}") };
        assert_eq!(person.object, object(1));
        assert_eq!(person.user.as_deref(), Some("User1@Corp.Example.Com"));
        assert_eq!(person.sam.as_deref(), Some("user1"));
        assert_eq!(person.domain, "corp.example.com");
    }
}

#[test]
fn wrong_passwords_and_other_peoples_passwords_are_refused() {
    let signin = signin(&three());
    for wrong in ["right2", "Right1", "right1 ", " right1", "right1\0", "x"] {
        let verdict = tries(&signin, "CORP\\user1", wrong);
        assert_eq!((why(&verdict), disclosed(&verdict)), (Why::WrongPassword, None), "{wrong:?}");
    }
}

#[test]
fn empty_and_oversized_passwords_and_names_cost_no_derivation() {
    let tenant = three();
    let signin = signin(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "")), Why::BadPassword);
    assert_eq!(why(&tries(&signin, "CORP\\user1", &"x".repeat(MAX_PASSWORD + 1))), Why::BadPassword);
    for name in ["", "user1", &"x@".repeat(5000), "a\0@b"] {
        assert_eq!(why(&tries(&signin, name, "right1")), Why::BadName, "{name:?}");
    }
    assert_eq!(derivations(&tenant), 0);
}

#[test]
fn an_empty_password_is_refused_although_the_digest_is_of_the_empty_one() {
    let tenant = Tenant::new();
    tenant.sends(vec![user(1, "")]);
    tenant.sends(vec![with(1, vec![written(2, AttributeValue::UserAccountControl(Some(0x220)))])]);
    assert_eq!(why(&tries(&signin(&tenant), "CORP\\user1", "")), Why::BadPassword);
}

#[test]
fn an_unknown_name_costs_one_derivation_as_a_known_one_does() {
    let tenant = three();
    let signin = signin(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\nobody", "x")), Why::UnknownName);
    assert_eq!(derivations(&tenant), 1);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "x")), Why::WrongPassword);
    assert_eq!(derivations(&tenant), 2);
}

/// The iterations of the decoy that this name is verified against.
fn decoy_for(signin: &Bench, name: &str) -> u32 {
    let inner = signin.inner();
    let source = Source::parse(HOME).unwrap();
    let keys = inner.store.seal_keys();
    let (application, domains) = (None, None);
    let origin = facts::Origin { caller: "app test", application, domains, source: &source, now: NOW, keys };
    let stored = inner.store.read(|reading| facts::of_name(reading, name, &origin)).unwrap();
    inner.decoys.of(&inner.store, stored.facts.domain.map(|domain| domain.id)).unwrap().iterations()
}

#[test]
fn a_decoy_costs_what_the_domains_digests_cost() {
    let tenant = three();
    let signin = signin(&tenant);
    assert_eq!(decoy_for(&signin, "corp\\nobody"), 1000);
    assert_eq!(decoy_for(&signin, "nobody@corp.example.com"), 1000);
    assert_eq!(decoy_for(&signin, "nobody@elsewhere"), 1000, "the first domain stands for all");
    let empty = Tenant::new();
    let signin = with_settings(&empty, settings());
    assert_eq!(decoy_for(&signin, "corp\\nobody"), 600_000);
}

#[test]
fn an_ambiguous_name_signs_nobody_in_with_either_password() {
    let tenant = three();
    tenant.sends(vec![
        with(1, vec![written(2, upn("same@example.com"))]),
        with(2, vec![written(2, upn("same@example.com"))]),
    ]);
    let signin = signin(&tenant);
    for secret in ["right1", "right2"] {
        assert_eq!(why(&tries(&signin, "same@example.com", secret)), Why::AmbiguousName);
    }
    assert_eq!(tenant.counts.names_ambiguous.now(), 2);
    assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")));
}

#[test]
fn a_name_of_an_account_that_is_not_carried_signs_nobody_in_and_looks_like_any_ambiguous_name() {
    let tenant = three();
    let taken = || with(1, vec![written(2, upn("administrator@corp.example.com"))]);
    tenant.sends(vec![taken()]);
    let signin = signin(&tenant);
    let administrator = "Administrator@corp.example.com";
    assert!(is_accepted(&tries(&signin, administrator, "right1")), "no phs has sent such names yet");
    let name = reserved(&tenant, 500, ReservedAttribute::SamAccountName, 1, "Administrator");
    let all = Upload { level: 2, reserved: List::new(vec![name]).unwrap(), ..full(40, vec![], Some("c")) };
    // The people of a full compare come whole.
    let people = (1..=3).map(|n| user(n, &format!("right{n}")));
    tenant.send(&full(40, people.chain([taken()]).collect(), None));
    tenant.send(&all);
    let before = derivations(&tenant);
    let verdict = tries(&signin, administrator, "right1");
    assert_eq!((why(&verdict), disclosed(&verdict)), (Why::AmbiguousName, None));
    assert_eq!(tenant.counts.names_ambiguous.now(), 1);
    assert_eq!(derivations(&tenant), before + 1, "in time it looks like any other");
    assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")), "under another name of hers");
    // The administrator is deleted, or renamed.
    tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(500) }]);
    assert!(is_accepted(&tries(&signin, administrator, "right1")));
}

#[test]
fn an_application_of_one_domain_signs_in_nobody_of_another() {
    let tenant = three();
    let other = tenant.other_domain();
    let signin = signin(&tenant);
    let right = password("right1");
    for n in 0..20 {
        let verdict = signin.decide("CORP\\user1", &right, HOME, Some(other.domain), NOW + n);
        assert!(matches!(why(&verdict), Why::OtherDomain | Why::UnknownSourcesLocked), "{verdict:?}");
    }
    assert!(is_accepted(&signin.decide("CORP\\user1", &right, HOME, Some(tenant.domain), NOW)));
}

#[test]
fn who_left_the_scope_or_has_no_digest_is_refused() {
    let tenant = three();
    tenant.sends(vec![
        Record { presence: Presence::OutOfScope, ..bare(1) },
        with(4, vec![written(1, sam("user4"))]),
    ]);
    let signin = signin(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "right1")), Why::UnknownName);
    assert_eq!(why(&tries(&signin, "CORP\\user4", "right1")), Why::NoDigest);
    assert_eq!(derivations(&tenant), 2);
}

#[test]
fn a_name_that_outlived_its_account_signs_nobody_in() {
    let tenant = three();
    tenant.store.write("test", |t| objects::set_presence(t, object(1), Presence::Deleted, NOW)).unwrap();
    assert_eq!(why(&tries(&signin(&tenant), "CORP\\user1", "right1")), Why::NoDigest);
}

#[test]
fn the_account_state_is_told_only_after_the_right_password_and_only_what_a_person_can_mend() {
    let set = |version, is| with(1, vec![written(version, is)]);
    let month = filetime(NOW - 90 * 86_400).unwrap();
    let cases = [
        (AttributeValue::UserAccountControl(Some(0x202)), State::Disabled, None),
        (AttributeValue::UserAccountControl(Some(0x4_0200)), State::SmartcardRequired, None),
        (AttributeValue::LockoutTime(Some(filetime(NOW - 60).unwrap())), State::Locked, None),
        (
            AttributeValue::LogonHours(Some(landbridge_wire::bounded::Blob::new([0; 21]).unwrap())),
            State::OutsideLogonHours,
            None,
        ),
        (
            AttributeValue::UserAccountControl(None),
            State::Unknown(landbridge_tenant_rules::account_state::Odd::NoUserAccountControl),
            None,
        ),
        (AttributeValue::PwdLastSet(Some(0)), State::MustChange, Some(Disclosable::MustChangePassword)),
        (AttributeValue::PwdLastSet(Some(month)), State::PasswordExpired, Some(Disclosable::PasswordExpired)),
        (
            AttributeValue::AccountExpires(Some(month)),
            State::AccountExpired,
            Some(Disclosable::AccountExpired),
        ),
    ];
    for (is, state, say) in cases {
        let tenant = three();
        tenant.sends(vec![set(2, is)]);
        let signin = signin(&tenant);
        let wrong = tries(&signin, "CORP\\user1", "wrong");
        assert_eq!((why(&wrong), disclosed(&wrong)), (Why::WrongPassword, None), "{state}");
        let right = tries(&signin, "CORP\\user1", "right1");
        assert_eq!((why(&right), disclosed(&right)), (Why::State(state), say), "{state}");
    }
}

#[test]
fn a_protected_user_is_refused_and_what_is_unknown_is_counted() {
    let tenant = three();
    tenant.sends(vec![
        Record { protected_user: Some(true), ..bare(1) },
        with(2, vec![written(2, AttributeValue::PwdLastSet(None))]),
    ]);
    let signin = signin(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "right1")), Why::State(State::ProtectedUser));
    assert!(matches!(why(&tries(&signin, "CORP\\user2", "right2")), Why::State(State::Unknown(_))));
    assert_eq!(tenant.counts.states_unknown.now(), 1);
}

#[test]
fn without_the_domains_policy_nobody_signs_in() {
    let tenant = Tenant::new();
    tenant.send(&landbridge_wire::upload::Upload { policy: None, ..page(vec![user(1, "right1")]) });
    let verdict = tries(&signin(&tenant), "CORP\\user1", "right1");
    assert_eq!(
        why(&verdict),
        Why::State(State::Unknown(landbridge_tenant_rules::account_state::Odd::NoMaxPwdAge))
    );
}

#[test]
fn a_changed_password_is_accepted_and_the_old_one_refused() {
    let tenant = three();
    let signin = signin(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "changed")), Why::WrongPassword);
    tenant.sends(vec![Record { password: sent(2, "changed"), ..bare(1) }]);
    assert!(
        is_accepted(&tries(&signin, "CORP\\user1", "changed")),
        "although it was remembered as a wrong one"
    );
    assert_eq!(why(&tries(&signin, "CORP\\user1", "right1")), Why::WrongPassword);
}

#[test]
fn a_digest_moved_into_another_accounts_row_signs_nobody_in_and_raises_an_alarm() {
    let tenant = three();
    let swap = "UPDATE digests SET sealed = (SELECT sealed FROM digests JOIN objects USING (number) WHERE object = ?1)
                WHERE number = (SELECT number FROM objects WHERE object = ?2)";
    tenant
        .store
        .write("test", |t| Ok(t.raw().execute(swap, (object(1).as_bytes(), object(2).as_bytes()))?))
        .unwrap();
    let signin = signin(&tenant);
    for secret in ["right1", "right2"] {
        assert_eq!(why(&tries(&signin, "CORP\\user2", secret)), Why::DigestUnreadable);
    }
    assert_eq!(tenant.counts.digests_unreadable.now(), 2);
    assert_eq!(derivations(&tenant), 2, "in time it looks like any other");
    assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")));
}

#[test]
fn a_name_moved_to_another_account_in_the_database_takes_that_accounts_password_only() {
    let tenant = three();
    let steal = "UPDATE signin_names SET number = (SELECT number FROM objects WHERE object = ?2) WHERE name = 'corp\\user1'";
    tenant
        .store
        .write("test", |t| Ok(t.raw().execute(&steal.replace("?2", "?1"), [object(2).as_bytes()])?))
        .unwrap();
    let signin = signin(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "right1")), Why::WrongPassword);
    let Verdict::Accepted(person) = tries(&signin, "CORP\\user1", "right2") else { panic!() };
    assert_eq!(
        person.object,
        object(2),
        "the answer names the objectGUID, and never the name that was typed"
    );
}

#[test]
fn ten_wrong_passwords_lock_the_account_for_unknown_sources_before_any_derivation() {
    let tenant = three();
    let signin = signin(&tenant);
    for n in 0..10 {
        assert_eq!(why(&tries(&signin, "CORP\\user1", &format!("wrong{n}"))), Why::WrongPassword);
    }
    let spent = derivations(&tenant);
    let names = ["CORP\\user1", "user1@corp.example.com"];
    for name in names {
        assert_eq!(why(&tries(&signin, name, "right1")), Why::UnknownSourcesLocked);
    }
    assert_eq!(derivations(&tenant), spent);
    assert_eq!(tenant.counts.signins_locked_out.now(), 2);
    assert_eq!(tenant.counts.signins_unknown_sources_locked.now(), 2);
    assert_eq!(tenant.counts.locks_set.now(), 1);
    assert_eq!(
        why(&signin.decide("CORP\\user1", &password("right1"), "198.51.100.9", None, NOW)),
        Why::UnknownSourcesLocked,
        "from elsewhere as well"
    );
    assert!(is_accepted(&tries(&signin, "CORP\\user2", "right2")), "another account");
    assert!(
        is_accepted(&signin.decide("CORP\\user1", &password("right1"), HOME, None, NOW + 60)),
        "afterwards"
    );
}

#[test]
fn a_restart_unlocks_nobody_and_forgets_no_try() {
    let tenant = three();
    let first = signin(&tenant);
    for n in 0..10 {
        tries(&first, "CORP\\user1", &format!("wrong{n}"));
    }
    for n in 0..9 {
        tries(&first, "CORP\\user2", &format!("wrong{n}"));
    }
    drop(first);
    let tenant = tenant.restarted();
    let second = signin(&tenant);
    assert_eq!(why(&tries(&second, "CORP\\user1", "right1")), Why::UnknownSourcesLocked);
    assert_eq!(why(&tries(&second, "CORP\\user2", "wrong9")), Why::WrongPassword);
    assert_eq!(why(&tries(&second, "CORP\\user2", "right2")), Why::UnknownSourcesLocked);
}

#[test]
fn the_same_wrong_password_counts_once_however_often_it_is_repeated() {
    let tenant = three();
    let signin = signin(&tenant);
    for _ in 0..100 {
        assert_eq!(why(&tries(&signin, "CORP\\user1", "last years")), Why::WrongPassword);
    }
    assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")));
}

#[test]
fn a_success_clears_what_its_known_source_had_tried() {
    let tenant = three();
    let signin = signin(&tenant);
    assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")));
    for round in 0..5 {
        for n in 0..9 {
            tries(&signin, "CORP\\user1", &format!("wrong{round}-{n}"));
        }
        assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")), "round {round}");
    }
    assert!(tenant.store.read(|c| lockouts::of(c, object(1))).unwrap().is_empty());
}

#[test]
fn a_success_from_an_unknown_source_clears_nothing_that_others_have_tried() {
    let tenant = three();
    let signin = signin(&tenant);
    for n in 0..9 {
        signin.decide("CORP\\user1", &password(&format!("wrong{n}")), "10.0.0.1", None, NOW);
    }
    assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")));
    let from = |address| signin.decide("CORP\\user1", &password("wrong9"), address, None, NOW);
    assert_eq!(why(&from("10.0.0.2")), Why::WrongPassword);
    assert_eq!(why(&from("10.0.0.3")), Why::UnknownSourcesLocked);
}

#[test]
fn a_right_password_that_ad_would_not_let_in_neither_counts_nor_clears() {
    let tenant = three();
    let signin = signin(&tenant);
    for n in 0..9 {
        tries(&signin, "CORP\\user1", &format!("wrong{n}"));
    }
    tenant.sends(vec![with(1, vec![written(2, AttributeValue::UserAccountControl(Some(0x202)))])]);
    for _ in 0..20 {
        assert_eq!(why(&tries(&signin, "CORP\\user1", "right1")), Why::State(State::Disabled));
    }
    assert_eq!(why(&tries(&signin, "CORP\\user1", "wrong9")), Why::WrongPassword);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "right1")), Why::UnknownSourcesLocked);
}

#[test]
fn rotating_sources_get_no_more_tries_than_one() {
    let tenant = three();
    let signin = signin(&tenant);
    let mut tried = 0;
    for n in 0..200_u32 {
        let from = std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string();
        let verdict = signin.decide("CORP\\user1", &password(&format!("wrong{n}")), &from, None, NOW);
        tried += u32::from(why(&verdict) == Why::WrongPassword);
    }
    assert_eq!(tried, 10);
    let rows = tenant.store.read(|c| lockouts::of(c, object(1))).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].0, lockouts::UNKNOWN_SOURCES);
}

#[test]
fn the_counters_of_known_sources_are_bounded_for_each_account() {
    let tenant = three();
    let signin = signin(&tenant);
    for n in 0..40_u32 {
        let from = std::net::Ipv4Addr::from(0x0a00_0000 + n).to_string();
        let at = NOW + i64::from(n);
        assert!(is_accepted(&signin.decide("CORP\\user1", &password("right1"), &from, None, at)));
        signin.decide("CORP\\user1", &password(&format!("wrong{n}")), &from, None, at);
    }
    let rows = tenant.store.read(|c| lockouts::of(c, object(1))).unwrap();
    assert_eq!(rows.len(), 16);
    assert_eq!(tenant.store.read(|c| known_sources::count(c, object(1), NOW - 1)).unwrap(), 16);
}

#[test]
fn a_name_that_nobody_has_locks_like_one_that_somebody_has() {
    let tenant = three();
    let signin = signin(&tenant);
    for n in 0..10 {
        assert_eq!(why(&tries(&signin, "CORP\\nobody", &format!("wrong{n}"))), Why::UnknownName);
    }
    let spent = derivations(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\nobody", "another")), Why::UnknownSourcesLocked);
    assert_eq!(derivations(&tenant), spent);
    drop(signin);
    let signin = super::signin(&tenant);
    assert_eq!(why(&tries(&signin, "CORP\\nobody", "another")), Why::UnknownSourcesLocked, "after a restart");
    assert_eq!(why(&tries(&signin, "CORP\\nobody2", "another")), Why::UnknownName, "another name");
}

#[test]
fn a_wrong_password_and_an_unknown_name_both_wait_for_the_disk() {
    let tenant = three();
    let signin = signin(&tenant);
    let version = || {
        let ask = "SELECT data_version FROM pragma_data_version";
        tenant.store.read(|c| Ok(c.raw().query_row(ask, [], |row| row.get::<_, i64>(0))?)).unwrap()
    };
    for name in ["CORP\\user1", "CORP\\nobody", "CORP\\user1", "nobody@example.com"] {
        for secret in ["one", "two"] {
            let before = version();
            tries(&signin, name, &format!("{secret} {}", derivations(&tenant)));
            assert_ne!(version(), before, "{name}");
        }
    }
}

#[test]
fn made_up_names_fill_neither_memory_nor_the_database_and_push_out_no_accounts_counter() {
    // 1. Memory, while the database cannot be written.
    let mut in_memory = counters::Bounded::default();
    for n in 0..20_500_u128 {
        in_memory.put(Uuid::from_u128(n), Tries::default());
    }
    assert_eq!(in_memory.len(), 10_000);
    // 2. The database: the newest names are kept, and every account.
    let tenant = three();
    let tries = |last_at| Tries { failures: 1, first_at: NOW, last_at, ..Tries::default() };
    let spent = |last_at| Spent { unknown: 1, last_at, ..Spent::default() };
    tenant
        .store
        .write("test", |writing| {
            let put = |subject, at| {
                lockouts::replace(writing, subject, lockouts::UNKNOWN_SOURCES, None, &tries(at))?;
                ad_budget::replace(writing, subject, None, Some(&spent(at)))
            };
            put(Subject::Account(object(1)), NOW - 1_000)?;
            (0..10_005)
                .try_for_each(|n| put(Subject::Stranger(Uuid::from_u128(n)), NOW - 100 + i64::from(n > 2)))
        })
        .unwrap();
    assert_eq!(why(&super::tries(&signin(&tenant), "CORP\\nobody", "x")), Why::UnknownName);
    let number = |sql: &str| {
        let rows = tenant.store.read(|reading| reading.raw_rows(sql, &[])).unwrap();
        rows[0][0].clone()
    };
    for table in ["lockouts", "ad_budget"] {
        let count = |which: &str| number(&format!("SELECT count(*) FROM {table} WHERE {which}"));
        assert_eq!(count("unknown_name = 1"), RawValue::Integer(10_000), "{table}");
        assert_eq!(count("unknown_name = 0"), RawValue::Integer(1), "{table}");
        assert_eq!(count(&format!("unknown_name = 1 AND last_at = {}", NOW - 100)), RawValue::Integer(0));
    }
}

#[test]
fn an_unknown_name_writes_the_rows_that_an_account_writes() {
    let tenant = three();
    let signin = signin(&tenant);
    for n in 0..3 {
        for name in ["CORP\\user1", "CORP\\nobody"] {
            tries(&signin, name, &format!("wrong{n}"));
        }
    }
    let sql =
        "SELECT source, failures, first_at, last_at, locked_until, locks FROM lockouts ORDER BY unknown_name";
    let rows = tenant.store.read(|reading| reading.raw_rows(sql, &[])).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0], rows[1]);
}

#[test]
fn many_tries_at_once_get_no_more_derivations_than_the_lockout_allows() {
    let tenant = three();
    let signin = with_settings(&tenant, Settings::for_cores(8, Rules::new(10, 60), Duration::ZERO));
    let all = Barrier::new(40);
    let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
        let (signin, all) = (&signin, &all);
        let threads: Vec<_> = (0..40)
            .map(|n| {
                scope.spawn(move || {
                    all.wait();
                    tries(signin, "CORP\\user1", &format!("wrong{n}"))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let heard =
        verdicts.iter().filter(|v| matches!(v, Verdict::Refused { why: Why::WrongPassword, .. })).count();
    assert!(heard <= 10, "{heard}");
    assert_eq!(derivations(&tenant), u64::try_from(heard).unwrap());
    assert!(signin.inner().queue.is_idle());
}

#[test]
fn over_its_bound_the_line_says_so_at_once_and_frees_itself() {
    let queue = Queue::new(1, 2, Duration::from_secs(30));
    let id = |n| (Uuid::from_u128(n), Standing::Unknown);
    let Entry::Go(first, _) = queue.enter(id(1), Instant::now()) else { panic!() };
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (2..4)
            .map(|n| {
                let queue = &queue;
                scope.spawn(move || matches!(queue.enter(id(n), Instant::now()), Entry::Go(..)))
            })
            .collect();
        let deadline = Instant::now() + Duration::from_secs(10);
        while queue.waiting() < 2 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert!(matches!(queue.enter(id(4), Instant::now()), Entry::Full));
        drop(first);
        for waiter in waiters {
            assert!(waiter.join().unwrap());
        }
    });
    assert!(queue.is_idle());
}

#[test]
fn a_flood_for_one_account_leaves_the_line_to_the_others() {
    let queue = Queue::new(4, 1000, Duration::from_secs(30));
    let id = |n, standing| (Uuid::from_u128(n), standing);
    let (flooded, other) = (id(1, Standing::Unknown), id(2, Standing::Unknown));
    let Entry::Go(first, _) = queue.enter(flooded, Instant::now()) else { panic!() };
    std::thread::scope(|scope| {
        let waiters: Vec<_> = (0..16)
            .map(|_| {
                let queue = &queue;
                scope.spawn(move || matches!(queue.enter(flooded, Instant::now()), Entry::Go(..)))
            })
            .collect();
        let deadline = Instant::now() + Duration::from_secs(10);
        while queue.waiting() < 16 {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert!(matches!(queue.enter(flooded, Instant::now()), Entry::Full));
        assert!(matches!(queue.enter(other, Instant::now()), Entry::Go(..)));
        assert!(
            matches!(queue.enter(id(1, Standing::Known), Instant::now()), Entry::Go(..)),
            "the owner at a known place"
        );
        drop(first);
        for waiter in waiters {
            assert!(waiter.join().unwrap());
        }
    });
    assert!(queue.is_idle());
}

#[test]
fn patience_ends_and_leaves_nothing_behind() {
    let queue = Queue::new(1, 8, Duration::from_millis(20));
    let Entry::Go(first, _) = queue.enter((Uuid::from_u128(1), Standing::Unknown), Instant::now()) else {
        panic!()
    };
    assert!(matches!(queue.enter((Uuid::from_u128(2), Standing::Unknown), Instant::now()), Entry::Full));
    assert!(matches!(queue.enter((Uuid::from_u128(1), Standing::Unknown), Instant::now()), Entry::Full));
    drop(first);
    assert!(queue.is_idle());
}

#[test]
fn a_tenant_that_is_full_says_so_and_counts_it() {
    let tenant = three();
    let settings = Settings { derivations: 1, queue: 0, ..settings() };
    let signin = with_settings(&tenant, settings);
    let Entry::Go(_turn, _) = signin.inner().queue.enter((object(9), Standing::Unknown), Instant::now())
    else {
        panic!()
    };
    assert_eq!(tries(&signin, "CORP\\user1", "right1"), Verdict::Unavailable(Unavailable::Overloaded));
    assert_eq!(tenant.counts.signins_overloaded.now(), 1);
}

#[test]
fn a_database_that_fails_signs_nobody_in() {
    let tenant = three();
    let signin = signin(&tenant);
    tenant.store.write("test", |t| Ok(t.raw().execute_batch("DROP TABLE digests")?)).unwrap();
    assert_eq!(tries(&signin, "CORP\\user1", "right1"), Verdict::Unavailable(Unavailable::Storage));
}

#[test]
fn a_database_that_cannot_be_written_gives_nobody_more_tries() {
    let tenant = three();
    let signin = signin(&tenant);
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON lockouts BEGIN SELECT RAISE(ABORT, 'no'); END";
    tenant.store.write("test", |t| Ok(t.raw().execute_batch(broken)?)).unwrap();
    for n in 0..10 {
        let verdict = tries(&signin, "CORP\\user1", &format!("wrong{n}"));
        assert_eq!(verdict, Verdict::Unavailable(Unavailable::Storage));
    }
    assert_eq!(derivations(&tenant), 10);
    assert_eq!(why(&tries(&signin, "CORP\\user1", "wrong10")), Why::UnknownSourcesLocked);
    assert_eq!(derivations(&tenant), 10);
    assert!(is_accepted(&tries(&signin, "CORP\\user2", "right2")), "who is right needs no counter");
}

#[test]
fn a_sign_in_whose_audit_entry_cannot_be_written_is_unavailable_for_a_right_and_a_wrong_password() {
    let tenant = three();
    let signin = signin(&tenant);
    tenant.store.write("test", |t| Ok(t.raw().execute_batch(NO_AUDIT)?)).unwrap();
    for (name, password) in [("user1", "right1"), ("user2", "wrong"), ("nobody", "x")] {
        let verdict = tries(&signin, &format!("CORP\\{name}"), password);
        assert_eq!(verdict, Verdict::Unavailable(Unavailable::Storage), "{name}");
    }
    assert_eq!(signed_in(&signin, "audit-not-written"), 3);
    assert!(leaves_on_the_grid(&Verdict::Unavailable(Unavailable::Storage)), "its time tells nothing either");
    assert_eq!(signed_in(&signin, "accepted"), 0);
    assert_eq!(signin.inner().numbers.metrics.storage_errors.get(), 3);
    tenant.store.write("test", |t| Ok(t.raw().execute_batch("DROP TRIGGER no_audit")?)).unwrap();
    assert!(is_accepted(&tries(&signin, "CORP\\user1", "right1")));
    assert_eq!(signed_in(&signin, "accepted"), 1);
}

#[test]
fn refusals_leave_on_the_grid_and_never_at_once() {
    let grid = Duration::from_millis(250);
    let ms = Duration::from_millis;
    assert_eq!(departure(Duration::ZERO, grid), ms(250));
    assert_eq!(departure(ms(1), grid), ms(249));
    assert_eq!(departure(ms(249), grid), ms(1));
    assert_eq!(departure(ms(250), grid), ms(250));
    assert_eq!(departure(ms(260), grid), ms(240));
    assert_eq!(departure(Duration::from_nanos(249_999_999), grid), Duration::from_nanos(1));
    assert_eq!(departure(ms(7), Duration::ZERO), Duration::ZERO);
    assert_eq!(departure(Duration::MAX, grid) + Duration::ZERO, departure(Duration::MAX, grid));
}

#[test]
fn nothing_that_a_verdict_shows_holds_the_password() {
    let signin = signin(&three());
    let shown = format!(
        "{:?} {:?}",
        tries(&signin, "CORP\\user1", "s3cret-wrong"),
        tries(&signin, "CORP\\user1", "right1")
    );
    assert!(!shown.contains("s3cret-wrong") && !shown.contains("right1"));
}

#[test]
fn a_password_is_as_old_as_the_accounts_own_policy_lets_it_be() {
    use landbridge_wire::upload::LinkKind;
    let tenant = three();
    // Passwords here are a day old.
    let applies = vec![link(LinkKind::AppliesTo, 50, 1, 1), link(LinkKind::AppliesTo, 59, 2, 1)];
    tenant.send(&linked(page(vec![settings_object(50, 1, 5, 1)]), applies));
    let signin = signin(&tenant);
    assert_eq!(disclosed(&tries(&signin, "CORP\\user1", "right1")), Some(Disclosable::PasswordExpired));
    let unclear = tries(&signin, "CORP\\user2", "right2");
    assert!(matches!(why(&unclear), Why::State(State::Unknown(_))), "{unclear:?}");
    assert!(is_accepted(&tries(&signin, "CORP\\user3", "right3")));
}
