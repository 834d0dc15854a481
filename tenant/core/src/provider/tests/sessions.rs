//! Sessions: when they end, and by what.

use super::*;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_store::tables::{audit, blocks, canaries};

#[test]
fn a_session_ends_when_it_is_not_used_for_its_idle_time() {
    let bench = Bench::new();
    let (session, cookie) = bench.session(1, NOW);
    let mut now = NOW;
    for _ in 0..3 {
        now += LIVES.idle - 1;
        assert!(bench.uses(&cookie, now), "a use a second before");
    }
    assert!(bench.provider.session(&cookie, now + LIVES.idle).unwrap().is_none());
    assert!(!bench.has_session(session.id), "it is deleted");
    assert!(
        bench.provider.session(&cookie, now).unwrap().is_none(),
        "and stays so when the clock is set back"
    );
}

#[test]
fn a_session_ends_after_its_time_however_much_it_is_used() {
    let bench = Bench::new();
    let (session, cookie) = bench.session(1, NOW);
    for now in (NOW..NOW + LIVES.session).step_by(1800) {
        assert!(bench.uses(&cookie, now), "after {} s", now - NOW);
    }
    let last = NOW + LIVES.session;
    assert!(bench.provider.session(&cookie, last - 1).unwrap().is_some());
    assert!(bench.provider.session(&cookie, last).unwrap().is_none());
    assert!(!bench.has_session(session.id));
}

#[test]
fn a_use_is_written_once_a_minute() {
    let bench = Bench::new();
    let (session, cookie) = bench.session(1, NOW);
    let seen_at = || {
        let row = bench.tenant.store.read(|reading| web_sessions::named(reading, session.id)).unwrap();
        row.unwrap().seen_at - NOW
    };
    for (after, expected) in [(59, 0), (60, 60), (61, 60), (119, 60), (120, 120)] {
        assert!(bench.uses(&cookie, NOW + after));
        assert_eq!(seen_at(), expected, "after {after} s");
    }
}

#[test]
fn a_clock_that_is_set_back_ends_nothing() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, cookie) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    assert!(bench.provider.session(&cookie, NOW - 7200).unwrap().is_some());
    assert!(bench.redeem(&client, &code, NOW - 7200).is_ok());
}

#[test]
fn a_session_and_its_grants_end_with_each_state_that_ends_the_account() {
    let set = |flags| with(1, vec![written(2, AttributeValue::UserAccountControl(Some(flags)))]);
    let later = filetime(NOW - 60).unwrap();
    type Change = Box<dyn FnOnce(&Bench)>;
    let sends = |record: Record| -> Change { Box::new(move |bench| drop(bench.tenant.sends(vec![record]))) };
    let writes =
        |change: fn(&landbridge_tenant_store::Writing<'_>, i64) -> Result<bool, StoreError>| -> Change {
            Box::new(move |bench| {
                let changed =
                    bench.tenant.store.write("test", |writing| change(writing, bench.tenant.domain)).unwrap();
                assert!(changed);
            })
        };
    let changes: Vec<(&str, Change)> = vec![
        ("disabled", sends(set(0x202))),
        ("needs a smart card", sends(set(0x4_0200))),
        ("a protected user", sends(Record { protected_user: Some(true), ..bare(1) })),
        ("expired", sends(with(1, vec![written(2, AttributeValue::AccountExpires(Some(later)))]))),
        ("must change the password", sends(with(1, vec![written(2, AttributeValue::PwdLastSet(Some(0)))]))),
        ("another password", sends(with(1, vec![written(2, AttributeValue::PwdLastSet(Some(later)))]))),
        ("deleted", sends(Record { presence: Presence::Deleted, ..bare(1) })),
        ("out of the scope", sends(Record { presence: Presence::OutOfScope, ..bare(1) })),
        ("blocked", writes(|writing, domain| blocks::add(writing, domain, object(1), NOW))),
        ("a canary", writes(|writing, domain| canaries::add(writing, domain, object(1), NOW))),
    ];
    for (what, change) in changes {
        let bench = Bench::new();
        let client = bench.client("wiki");
        let (session, granted, token) = bench.refresh_token(&client, NOW);
        let (_, cookie) = bench.session(1, NOW);
        let (_, other) = bench.session(2, NOW);
        assert!(bench.userinfo(granted.grant.id, NOW).is_ok(), "{what}");
        change(&bench);
        assert!(matches!(bench.standing(&session, &client), Standing::Over), "{what}");
        // With the upload of an account that may not go on its sessions are deleted at once, in other cases when one is used.
        assert!(bench.userinfo(granted.grant.id, NOW).is_err(), "{what}");
        assert!(bench.provider.refresh(&client, &token, NOW).is_err(), "{what}");
        assert!(!bench.has_grant(granted.grant.id), "{what}: the grant is deleted");
        assert!(bench.provider.session(&cookie, NOW).unwrap().is_none(), "{what}");
        assert!(bench.provider.session(&other, NOW).unwrap().is_some(), "{what}: another person goes on");
    }
}

#[test]
fn neither_a_password_that_grows_too_old_nor_a_lock_of_the_account_ends_a_session() {
    let bench = Bench::with(Lives { session: 100 * 86_400, idle: 100 * 86_400, ..LIVES });
    let (_, cookie) = bench.session(1, NOW);
    // Guesses lock accounts, so a lock that ended sessions would let anybody end them.
    let locked = AttributeValue::LockoutTime(filetime(NOW));
    bench.tenant.sends(vec![with(1, vec![written(2, locked)])]);
    assert!(bench.provider.session(&cookie, NOW + 1).unwrap().is_some());
    // The password was set a day ago, and the domain lets it live 42 days. The next sign-in finds that out.
    assert!(bench.provider.session(&cookie, NOW + 50 * 86_400).unwrap().is_some());
}

#[test]
fn who_is_not_assigned_keeps_the_session_and_loses_the_grants_at_that_application() {
    let bench = Bench::new();
    bench.tenant.send(&linked(page(vec![group(10)]), vec![member(10, 1)]));
    let (wiki, mail) = (bench.changed_client("wiki", false, |_| ()), bench.client("mail"));
    bench.assign(&wiki, 10);
    let (session, granted, token) = bench.refresh_token(&wiki, NOW);
    let at_mail = bench.code(&session, &mail, "openid", NOW);
    let left = landbridge_wire::upload::Link {
        present: false,
        ..link(landbridge_wire::upload::LinkKind::Member, 10, 1, 2)
    };
    bench.tenant.send(&linked(page(Vec::new()), vec![left]));
    assert!(matches!(bench.standing(&session, &wiki), Standing::NotAssigned));
    assert!(is_over(bench.userinfo(granted.grant.id, NOW)));
    assert!(is_over(bench.provider.refresh(&wiki, &token, NOW)));
    assert!(!bench.has_grant(granted.grant.id));
    assert!(bench.has_session(session.id) && bench.redeem(&mail, &at_mail, NOW).is_ok());
}

#[test]
fn a_person_of_a_domain_that_the_application_does_not_serve_is_not_assigned() {
    let bench = Bench::new();
    let other = bench.tenant.other_domain();
    let mut client = Client::clone(&bench.client("wiki"));
    let (session, _) = bench.session(1, NOW);
    let row = |row| landbridge_tenant_rules::model::AppDomain { row, dns_name: String::new() };
    for (rows, is_served) in
        [(vec![row(bench.tenant.domain)], true), (vec![row(other.domain)], false), (Vec::new(), false)]
    {
        client.app.domains = Some(rows);
        match bench.standing(&session, &client) {
            Standing::Good(_) => assert!(is_served),
            Standing::NotAssigned => assert!(!is_served),
            Standing::Over => panic!("the session goes on"),
        }
    }
}

#[test]
fn a_sign_in_replaces_the_session_of_its_browser_whoever_that_was_of() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    for before_of in [1, 2] {
        let (before, fixed) = bench.session(before_of, NOW);
        let code = bench.code(&before, &client, "openid", NOW);
        let waiting = bench.code(&before, &client, "openid", NOW);
        bench.redeem(&client, &code, NOW).unwrap();
        let begun = bench.provider.begin(bench.new_session(1), Some(&fixed), NOW).unwrap();
        assert_ne!(*begun.cookie, *fixed, "a value that was there before is never that of the new session");
        assert_ne!(begun.session.id, before.id);
        assert!(!bench.has_session(before.id) && !bench.has_grant(Bench::named(&code)));
        assert!(is_not_good(bench.redeem(&client, &waiting, NOW)));
        assert!(bench.provider.session(&fixed, NOW).unwrap().is_none());
    }
    // A value that somebody made up does not become one.
    let made_up = BearerSecret::generate().to_text();
    let begun = bench.provider.begin(bench.new_session(1), Some(&made_up), NOW).unwrap();
    assert!(bench.provider.session(&made_up, NOW).unwrap().is_none());
    assert!(bench.provider.session(&begun.cookie, NOW).unwrap().is_some());
}

#[test]
fn a_cookie_that_is_none_or_is_altered_has_no_session_and_ends_none() {
    let bench = Bench::new();
    let (_, cookie) = bench.session(1, NOW);
    let cut = &cookie[..cookie.len() - 1];
    let other = if cookie.starts_with('A') { "B" } else { "A" };
    let turned = format!("{other}{}", &cookie[1..]);
    let longer = format!("{}A", *cookie);
    let padded = format!("{}=", *cookie);
    for text in ["", "x", cut, &turned, &longer, &padded, "\0", &"A".repeat(100_000)] {
        assert!(bench.provider.session(text, NOW).unwrap().is_none(), "{} bytes", text.len());
    }
    assert!(bench.provider.session(&cookie, NOW).unwrap().is_some());
}

#[test]
fn a_password_that_changes_while_it_is_decided_upon_ends_the_session_at_once() {
    let bench = Bench::new();
    let new = bench.new_session(1);
    let set = AttributeValue::PwdLastSet(Some(filetime(NOW - 60).unwrap()));
    bench.tenant.sends(vec![with(1, vec![written(2, set)])]);
    let begun = bench.provider.begin(new, None, NOW).unwrap();
    assert!(bench.provider.session(&begun.cookie, NOW).unwrap().is_none());
}

#[test]
fn an_account_has_64_sessions_and_a_further_one_ends_the_one_that_was_used_longest_ago() {
    let bench = Bench::new();
    let most = i64::from(web_sessions::MOST);
    let all: Vec<_> = (0..most).map(|n| bench.session(1, NOW + n)).collect();
    let (others, _) = bench.session(2, NOW);
    // The first one is used again, so the second one is the oldest.
    assert!(bench.uses(&all[0].1, NOW + 600));
    let (further, _) = bench.session(1, NOW + 601);
    assert!(!bench.has_session(all[1].0.id));
    for (session, _) in all.iter().take(1).chain(all.iter().skip(2)) {
        assert!(bench.has_session(session.id));
    }
    assert!(bench.has_session(further.id) && bench.has_session(others.id));
}

#[test]
fn a_sweep_deletes_what_has_ended_and_nothing_else() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (idle, _) = bench.session(1, NOW);
    let (used, cookie) = bench.session(2, NOW);
    let waits = bench.code(&idle, &client, "openid", NOW);
    bench.redeem(&client, &waits, NOW).unwrap();
    assert!(bench.uses(&cookie, NOW + 1800));
    let code = bench.code(&used, &client, "openid offline_access", NOW + 1800);
    bench.redeem(&client, &code, NOW + 1800).unwrap();
    assert_eq!(bench.provider.sweep(NOW + TOKEN - 1).unwrap(), 0);
    assert!(bench.has_grant(Bench::named(&waits)));
    assert_eq!(bench.provider.sweep(NOW + LIVES.idle).unwrap(), 1);
    assert!(!bench.has_session(idle.id) && bench.has_session(used.id));
    assert!(!bench.has_grant(Bench::named(&waits)) && bench.has_grant(Bench::named(&code)));
    assert_eq!(bench.provider.sweep(NOW + LIVES.session).unwrap(), 1);
    assert!(!bench.has_session(used.id) && !bench.has_grant(Bench::named(&code)));
}

#[test]
fn a_grant_that_has_ended_is_swept_an_hour_later_since_it_tells_that_its_code_was_used() {
    let bench = Bench::with(Lives { idle: 86_400, ..LIVES });
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    bench.redeem(&client, &code, NOW).unwrap();
    for (now, is_there) in [(NOW + TOKEN + 3599, true), (NOW + TOKEN + 3600, false)] {
        bench.provider.sweep(now).unwrap();
        assert_eq!(bench.has_grant(Bench::named(&code)), is_there);
    }
    assert!(bench.has_session(session.id));
}

#[test]
fn a_database_that_is_put_back_from_a_copy_has_neither_sessions_nor_grants() {
    use landbridge_tenant_store::{Store, backup};
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (_, _, token) = bench.refresh_token(&client, NOW);
    let (_, cookie) = bench.session(1, NOW);
    let copy = bench.tenant.directory.path().join("copy.db");
    backup::copy(&bench.tenant.location, &copy, "test", NOW, |_| {}).unwrap();
    let store = Arc::new(Store::open(&copy, keys()).unwrap());
    let provider =
        Provider::new(store.clone(), Issuer::new(store.clone(), Arc::new(Numbers::default())), LIVES);
    assert!(provider.session(&cookie, NOW).unwrap().is_some(), "the copy itself has them");
    store.write("test", |writing| backup::put_back(writing, "test", NOW)).unwrap();
    assert!(provider.session(&cookie, NOW).unwrap().is_none());
    assert!(is_not_good(provider.refresh(&client, &token, NOW)));
}

#[test]
fn a_session_that_has_ended_or_whose_account_may_not_go_on_gives_no_code() {
    let new = || new_grant("openid");
    let over = |bench: &Bench, session: &WebSession, client: &Client, now| {
        matches!(bench.provider.make_code(session, client, new(), now), Err(NoCode::SessionEnded))
    };
    let bench = Bench::new();
    let client = bench.client("wiki");
    let written = |bench: &Bench, action: &str| {
        let entries = bench.tenant.store.read(|reading| audit::newest(reading, 100)).unwrap();
        entries.iter().filter(|entry| entry.action == action).count()
    };
    // 1. Its time is over, or it was ended meanwhile.
    let (late, _) = bench.session(1, NOW);
    assert!(over(&bench, &late, &client, NOW + LIVES.idle) && !bench.has_session(late.id));
    assert!(over(&bench, &late, &client, NOW));
    assert_eq!(written(&bench, "session-ended"), 1);
    // 2. The account is blocked.
    let (session, cookie) = bench.session(1, NOW);
    bench
        .tenant
        .store
        .write("test", |writing| blocks::add(writing, bench.tenant.domain, object(1), NOW))
        .unwrap();
    assert!(bench.provider.timely_session(&cookie, NOW).unwrap().is_some(), "its time is not over");
    assert!(over(&bench, &session, &client, NOW) && !bench.has_session(session.id));
    assert!(bench.provider.timely_session(&cookie, NOW).unwrap().is_none());
    // 3. An application that is not assigned ends nothing.
    let (session, _) = bench.session(2, NOW);
    let assigned = bench.changed_client("mail", false, |_| ());
    let made = bench.provider.make_code(&session, &assigned, new(), NOW);
    assert!(matches!(made, Err(NoCode::NotAssigned)) && bench.has_session(session.id));
    // 4. What is good gives one.
    assert!(bench.provider.make_code(&session, &client, new(), NOW).is_ok());
    assert_eq!(written(&bench, "session-ended"), 2);
}
