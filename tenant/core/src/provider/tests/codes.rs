//! Codes that wait: nothing is written for one, and what changes until it is redeemed counts.

use super::*;
use crate::provider::introspection::ActiveToken;
use landbridge_tenant_store::tables::{blocks, spent};
use landbridge_tenant_store::{Location, Store, backup};

fn count(bench: &Bench, table: &str) -> i64 {
    let read = |reading: &landbridge_tenant_store::Reading<'_>| {
        reading.raw_rows(&format!("SELECT count(*) FROM {table}"), &[])
    };
    let rows = bench.tenant.store.read(read).unwrap();
    let RawValue::Integer(count) = rows[0][0] else { panic!("{rows:?}") };
    count
}

fn committed(bench: &Bench) -> u64 {
    bench.tenant.store.transactions().iter().map(|(_, counts)| counts.committed).sum()
}

/// A handle of another process over the same database, with another store.
fn provider_over(location: &Location) -> Provider {
    let store = Arc::new(Store::open(location.clone(), keys()).unwrap());
    Provider::new(store.clone(), Issuer::new(store, Arc::new(Numbers::default())), LIVES)
}

#[test]
fn a_code_is_written_down_when_it_is_redeemed_and_not_before() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let before = committed(&bench);
    let new = NewGrant { by_session_from: Some("::ffff:192.0.2.9".parse().unwrap()), ..new_grant("openid") };
    let code = bench.provider.make_code(&session, &client, new, NOW).unwrap();
    assert_eq!(committed(&bench), before, "a code costs no write");
    assert!(!code.contains('.') && code.len() < 350, "{} characters", code.len());
    assert_eq!((count(&bench, "grants"), count(&bench, "spent")), (0, 0));
    assert!(bench.audited("signin-by-session").is_empty(), "the application has not let the person in yet");
    let granted = bench.redeem(&client, &code, NOW + 1).unwrap();
    assert_eq!(committed(&bench), before + 1);
    assert_eq!(
        (count(&bench, "grants"), count(&bench, "spent")),
        (1, 0),
        "the grant tells that its code was used"
    );
    assert_eq!(granted.grant.nonce.as_deref(), Some("a nonce"));
    assert_eq!((granted.grant.signed_in_at, granted.grant.ends_at), (NOW, NOW + 1 + TOKEN));
    let expected = format!("app wiki: accepted by session {}, from 192.0.2.9", session.id);
    assert_eq!(bench.audited("signin-by-session"), [expected]);
    // Without an address the password was typed for it, and the sign-in has its entry.
    let code = bench.code(&session, &client, "openid", NOW);
    bench.redeem(&client, &code, NOW).unwrap();
    assert_eq!(bench.audited("signin-by-session").len(), 1);
}

#[test]
fn a_code_stays_used_after_its_second_use_has_ended_its_grant() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid offline_access", NOW);
    let granted = bench.redeem(&client, &code, NOW).unwrap();
    for nth in 2..5 {
        assert!(is_not_good(bench.redeem(&client, &code, NOW + nth)), "use {nth}");
        assert!(!bench.has_grant(granted.grant.id), "use {nth}");
    }
    let ended = bench.audited("grant-ended");
    assert_eq!(ended, ["app wiki: its code or refresh token was used a second time"]);
    // Nor does the end of all grants of its application, or of a key, make one good again.
    for of_key in [false, true] {
        let code = bench.code(&session, &client, "openid", NOW);
        bench.redeem(&client, &code, NOW).unwrap();
        let end = |writing: &landbridge_tenant_store::Writing<'_>| match of_key {
            false => grant_rows::end_of_app(writing, client.app.id, NOW + 3660),
            true => grant_rows::end_signed_with(writing, SigningAlgorithm::Es256, NOW + 3660),
        };
        assert_eq!(bench.tenant.store.write("test", end).unwrap(), 1);
        assert!(is_not_good(bench.redeem(&client, &code, NOW + 1)));
    }
    // Nor does its own end, after which it is swept.
    let code = bench.code(&session, &client, "openid", NOW);
    bench.redeem(&client, &code, NOW).unwrap();
    bench.provider.sweep(NOW + TOKEN).unwrap();
    assert!(is_not_good(bench.redeem(&client, &code, NOW + 1)), "the clock was set back");
    // A revocation, a sweep and a clock that is set back make none good again.
    let code = bench.code(&session, &client, "openid offline_access", NOW);
    let token = bench.redeem(&client, &code, NOW).unwrap().refresh.unwrap();
    bench.provider.revoke(&client, &token, NOW).unwrap();
    for now in [NOW, NOW + CODE, NOW + 3600, NOW - 600] {
        bench.provider.sweep(now).unwrap();
        assert!(is_not_good(bench.redeem(&client, &code, now)), "after {} s", now - NOW);
    }
}

#[test]
fn a_code_that_is_shown_again_long_after_ends_its_grant_still() {
    let bench = Bench::with(Lives { session: 10 * 86_400, idle: 10 * 86_400, refresh: 9 * 86_400, ..LIVES });
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid offline_access", NOW);
    let granted = bench.redeem(&client, &code, NOW).unwrap();
    let later = NOW + 86_400;
    bench.provider.sweep(later).unwrap();
    assert_eq!(count(&bench, "spent"), 0, "its grant tells of its use");
    assert!(bench.has_grant(granted.grant.id));
    for _ in 0..2 {
        assert!(is_not_good(bench.redeem(&client, &code, later)));
    }
    assert!(!bench.has_grant(granted.grant.id));
    assert_eq!(bench.audited("grant-ended").len(), 1);
}

#[test]
fn a_code_that_is_used_up_before_its_redemption_has_one_entry_and_no_grant() {
    let bench = Bench::new();
    let (client, other) = (bench.client("wiki"), bench.client("mail"));
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    assert!(is_not_good(bench.redeem(&other, &code, NOW)));
    for _ in 0..3 {
        assert!(is_not_good(bench.redeem(&client, &code, NOW)));
        assert!(is_not_good(bench.redeem(&other, &code, NOW)));
    }
    let ended = bench.audited("grant-ended");
    assert_eq!(ended, ["app mail: its code or refresh token was shown by another application"]);
    let is_noted = |app| {
        bench
            .tenant
            .store
            .read(|reading| spent::is_spent(reading, app, Bench::named(&code).as_bytes()))
            .unwrap()
    };
    assert!(is_noted(client.app.id) && !is_noted(other.app.id), "under its own application");
}

#[test]
fn what_ends_between_a_code_and_its_redemption_counts() {
    type Change = fn(&Bench, &WebSession, &Client);
    let block = |bench: &Bench| {
        let add = |writing: &landbridge_tenant_store::Writing<'_>| {
            blocks::add(writing, bench.tenant.domain, object(1), NOW)
        };
        bench.tenant.store.write("test", add).unwrap()
    };
    let cases: [(&str, bool, Change); 6] = [
        ("the session ends", false, |bench, session, _| {
            assert!(bench.provider.end(session, Ending::SignedOut, NOW).unwrap());
        }),
        ("the account is disabled", false, |bench, _, _| {
            let disabled = AttributeValue::UserAccountControl(Some(0x202));
            bench.tenant.sends(vec![with(1, vec![written(2, disabled)])]);
        }),
        ("the application is not assigned any more", true, |bench, _, client| {
            let unassign = |writing: &landbridge_tenant_store::Writing<'_>| {
                apps::set_everybody(writing, client.app.id, false)
            };
            bench.tenant.store.write("test", unassign).unwrap();
        }),
        ("the redirect URI is another one", false, |bench, _, client| {
            let uri = RedirectUri::parse("https://wiki.example.com/other").unwrap();
            bench.set(client.app.id, &OidcClient { redirect_uris: vec![uri], ..client.oidc.clone() });
        }),
        ("OpenID Connect is off for the application, and on again", false, |bench, _, client| {
            let off = |writing: &landbridge_tenant_store::Writing<'_>| {
                app_oidc::set(writing, client.app.id, None, &[0; 32])
            };
            bench.tenant.store.write("test", off).unwrap();
            bench.set(client.app.id, &client.oidc);
        }),
        ("other settings, and the same redirect URI", false, |bench, _, client| {
            bench.set(client.app.id, &OidcClient { groups: None, ..client.oidc.clone() });
        }),
    ];
    for (what, is_over_then, change) in cases {
        let bench = Bench::new();
        let client = bench.client("wiki");
        let (session, _) = bench.session(1, NOW);
        let code = bench.code(&session, &client, "openid", NOW);
        change(&bench, &session, &client);
        let client = bench.provider.client("wiki").unwrap().unwrap();
        let outcome = bench.redeem(&client, &code, NOW);
        if what.starts_with("other settings") {
            assert!(outcome.is_ok(), "{what}");
            continue;
        }
        assert_eq!(is_over(outcome), is_over_then, "{what}");
        assert_eq!(count(&bench, "grants"), 0, "{what}");
        assert!(is_not_good(bench.redeem(&client, &code, NOW)), "{what}: there is no second try");
    }
    // Blocked, and free again: the session has not ended, but the code is used up.
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    assert!(block(&bench));
    assert!(is_over(bench.redeem(&client, &code, NOW)));
    assert_eq!(bench.audited("grant-ended"), ["app wiki: the person may not go on"]);
    let free = |writing: &landbridge_tenant_store::Writing<'_>| blocks::remove(writing, object(1), NOW);
    assert!(bench.tenant.store.write("test", free).unwrap());
    assert!(is_not_good(bench.redeem(&client, &code, NOW)));
}

/// The redemption reads the person before its transaction, which waits for the other writer here: SQLite has one writer at a
/// time, and a server makes it wait for the row of the session.
#[test]
fn what_is_changed_while_a_redemption_waits_for_another_writer_counts() {
    type Change = fn(&landbridge_tenant_store::Writing<'_>, i64, &Client) -> Result<(), StoreError>;
    let cases: [(&str, Change); 3] = [
        ("the account is blocked", |writing, domain, _| {
            blocks::add(writing, domain, object(1), NOW).map(drop)
        }),
        ("the application is not assigned any more", |writing, _, client| {
            apps::set_everybody(writing, client.app.id, false)
        }),
        ("the session belongs to another password", |writing, _, _| {
            let sql = "UPDATE web_sessions SET password_set = 1";
            writing.raw_execute(sql, &[]).map(drop)
        }),
    ];
    for (what, change) in cases {
        let bench = Bench::new();
        let client = bench.client("wiki");
        // So long ago that the redemption notes the use of the session.
        let (session, _) = bench.session(1, NOW - 600);
        let code = bench.code(&session, &client, "openid", NOW);
        let (begun, has_begun) = std::sync::mpsc::channel();
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                let changes = |writing: &landbridge_tenant_store::Writing<'_>| {
                    writing.raw_execute("UPDATE web_sessions SET password_set = password_set", &[])?;
                    begun.send(()).unwrap();
                    // Time for the redemption to read what is before.
                    std::thread::sleep(std::time::Duration::from_millis(300));
                    change(writing, bench.tenant.domain, &client)
                };
                bench.tenant.store.write("test", changes).unwrap();
            });
            has_begun.recv().unwrap();
            bench.redeem(&client, &code, NOW)
        });
        assert!(is_over(outcome), "{what}");
        assert_eq!(count(&bench, "grants"), 0, "{what}");
    }
}

#[test]
fn a_code_is_redeemed_at_another_process_over_the_same_database_and_at_one_of_them_alone() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    // The process that made it has ended: a key of the tenant opens the code, and the session is a row.
    let Bench { tenant, provider } = bench;
    drop(provider);
    let Tenant { directory: _directory, location, store, .. } = tenant;
    drop(store);
    let other = provider_over(&location);
    assert!(other.redeem(&client, &code, CALLBACK, Some(VERIFIER), NOW).is_ok());
    let third = provider_over(&location);
    assert!(is_not_good(third.redeem(&client, &code, CALLBACK, Some(VERIFIER), NOW)));
}

#[test]
fn a_database_that_is_put_back_from_a_copy_redeems_no_code_of_before() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    bench.tenant.store.write("test", |writing| backup::put_back(writing, "test", NOW)).unwrap();
    assert!(is_not_good(bench.redeem(&client, &code, NOW)));
}

#[test]
fn a_code_outlives_the_key_that_signs_and_no_use_of_a_code_is_introspection_or_revocation() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    let introspected: Option<ActiveToken> = bench.provider.introspect(&client, &code, NOW).unwrap();
    assert_eq!(introspected, None);
    bench.provider.revoke(&client, &code, NOW).unwrap();
    let end = |writing: &landbridge_tenant_store::Writing<'_>| {
        grant_rows::end_signed_with(writing, SigningAlgorithm::Es256, NOW + 3660)
    };
    assert_eq!(bench.tenant.store.write("test", end).unwrap(), 0);
    assert!(bench.redeem(&client, &code, NOW).is_ok(), "no key has signed it");
}

#[test]
fn a_code_notes_the_use_of_a_session_only_if_that_would_be_idle_for_too_long_before_the_redemption() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let seen_at = || {
        bench.tenant.store.read(|reading| web_sessions::named(reading, session.id)).unwrap().unwrap().seen_at
    };
    bench.code(&session, &client, "openid", NOW + LIVES.idle - CODE - 1);
    assert_eq!(seen_at(), NOW, "the redemption will note it");
    let at = NOW + LIVES.idle - CODE;
    let code = bench.code(&session, &client, "openid", at);
    assert_eq!(seen_at(), at);
    assert!(
        bench.redeem(&client, &code, at + CODE - 1).is_ok(),
        "no session ends on the way to the application"
    );
}

#[test]
fn codes_of_different_sessions_are_redeemed_at_once_without_meeting_each_other() {
    const THREADS: usize = 8;
    const CODES: usize = 40;
    let bench = Bench::new();
    let client = bench.client("wiki");
    let codes: Vec<Vec<Zeroizing<String>>> = (0..THREADS)
        .map(|thread| {
            let sessions: Vec<WebSession> =
                (0..10).map(|_| bench.session(if thread % 2 == 0 { 1 } else { 2 }, NOW).0).collect();
            let code = |nth: usize| bench.code(&sessions[nth % sessions.len()], &client, "openid", NOW);
            (0..CODES).map(code).collect()
        })
        .collect();
    std::thread::scope(|scope| {
        for own in &codes {
            scope.spawn(|| own.iter().for_each(|code| drop(bench.redeem(&client, code, NOW).unwrap())));
        }
    });
    let all = bench.tenant.store.transactions();
    let (_, counts) = all.iter().find(|(name, _)| *name == "grant").unwrap();
    assert_eq!(counts.committed, (THREADS * CODES) as u64);
    // On a server, a statement that reads an index in which others write would let every third one run again.
    assert!(counts.repeated < counts.committed / 10, "{counts:?}");
}
