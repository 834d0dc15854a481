//! Codes and refresh tokens: each is good once, for one client, one redirect and one verifier, and for its time.

use super::*;
use std::sync::Barrier;

#[test]
fn a_code_is_good_for_60_seconds() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let in_time = bench.code(&session, &client, "openid", NOW);
    let late = bench.code(&session, &client, "openid", NOW);
    assert!(bench.redeem(&client, &in_time, NOW + 59).is_ok());
    assert!(is_not_good(bench.redeem(&client, &late, NOW + 60)));
    assert!(!bench.has_grant(Bench::named(&late)));
    assert!(is_not_good(bench.redeem(&client, &late, NOW)), "a clock that is set back does not revive it");
}

#[test]
fn a_code_with_another_verifier_redirect_or_client_is_refused_and_ends() {
    let bench = Bench::new();
    let (client, other) = (bench.client("wiki"), bench.client("mail"));
    let (session, _) = bench.session(1, NOW);
    let longer = format!("{VERIFIER}x");
    let with_blank = format!("{} ", &VERIFIER[..42]);
    for (what, by, redirect, verifier) in [
        ("another verifier", &client, CALLBACK, Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXx")),
        ("a longer verifier", &client, CALLBACK, Some(longer.as_str())),
        ("a short verifier", &client, CALLBACK, Some(&VERIFIER[..42])),
        ("a verifier with a blank", &client, CALLBACK, Some(&with_blank)),
        ("the challenge as verifier", &client, CALLBACK, Some(CHALLENGE)),
        ("an empty verifier", &client, CALLBACK, Some("")),
        ("no verifier", &client, CALLBACK, None),
        ("another redirect", &client, "https://wiki.example.com/other", Some(VERIFIER)),
        ("a redirect with a slash more", &client, "https://wiki.example.com/callback/", Some(VERIFIER)),
        ("no redirect", &client, "", Some(VERIFIER)),
        ("another client", &other, CALLBACK, Some(VERIFIER)),
    ] {
        let code = bench.code(&session, &client, "openid", NOW);
        assert!(is_not_good(bench.provider.redeem(by, &code, redirect, verifier, NOW)), "{what}");
        assert!(!bench.has_grant(Bench::named(&code)), "{what}");
        assert!(is_not_good(bench.redeem(&client, &code, NOW)), "{what}: there is no second try");
    }
}

#[test]
fn a_verifier_for_a_code_without_a_challenge_is_a_downgrade_and_is_refused() {
    let bench = Bench::new();
    let client = bench.changed_client("wiki", true, |oidc| oidc.pkce = false);
    let (session, _) = bench.session(1, NOW);
    let new = NewGrant { challenge: None, ..new_grant("openid") };
    let code = bench.provider.make_code(&session, &client, new.clone(), NOW).unwrap();
    assert!(is_not_good(bench.redeem(&client, &code, NOW)));
    let code = bench.provider.make_code(&session, &client, new, NOW).unwrap();
    assert!(bench.provider.redeem(&client, &code, CALLBACK, None, NOW).is_ok());
}

#[test]
fn a_code_twice_ends_all_that_came_of_its_grant() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid offline_access", NOW);
    let unrelated = bench.code(&session, &client, "openid", NOW);
    let granted = bench.redeem(&client, &code, NOW).unwrap();
    let token = granted.refresh.unwrap();
    let refreshed = bench.provider.refresh(&client, &token, NOW + 1).unwrap();
    assert!(is_not_good(bench.redeem(&client, &code, NOW + 2)));
    assert!(is_not_good(bench.userinfo(granted.grant.id, NOW + 2)), "its access tokens");
    assert!(is_not_good(bench.provider.refresh(&client, &refreshed.refresh.unwrap(), NOW + 2)));
    assert!(bench.has_session(session.id), "the person stays signed in");
    assert!(bench.redeem(&client, &unrelated, NOW + 2).is_ok(), "another grant goes on");
}

#[test]
fn each_refresh_token_of_a_chain_that_is_shown_again_ends_the_chain() {
    for shown in 0..4 {
        let bench = Bench::new();
        let client = bench.client("wiki");
        let (_, granted, first) = bench.refresh_token(&client, NOW);
        let mut chain = vec![first];
        for n in 1..5 {
            let next = bench.provider.refresh(&client, &chain[n - 1], NOW).unwrap();
            assert_eq!(next.grant.id, granted.grant.id);
            chain.push(next.refresh.unwrap());
        }
        assert!(is_not_good(bench.provider.refresh(&client, &chain[shown], NOW)), "number {shown}");
        assert!(
            is_not_good(bench.provider.refresh(&client, &chain[4], NOW)),
            "the newest, after number {shown}"
        );
        assert!(is_not_good(bench.userinfo(granted.grant.id, NOW)));
    }
}

#[test]
fn a_refresh_token_of_another_client_is_refused_and_ends() {
    let bench = Bench::new();
    let (client, other) = (bench.client("wiki"), bench.client("mail"));
    let (_, _, token) = bench.refresh_token(&client, NOW);
    assert!(is_not_good(bench.provider.refresh(&other, &token, NOW)));
    assert!(is_not_good(bench.provider.refresh(&client, &token, NOW)));
}

#[test]
fn a_refresh_token_ends_when_it_is_not_used_and_each_use_gives_it_its_time_again() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (_, _, mut token) = bench.refresh_token(&client, NOW);
    let mut now = NOW;
    for _ in 0..5 {
        now += LIVES.refresh - 1;
        token = bench.provider.refresh(&client, &token, now).unwrap().refresh.unwrap();
    }
    assert!(is_not_good(bench.provider.refresh(&client, &token, now + LIVES.refresh)));
    assert!(is_not_good(bench.provider.refresh(&client, &token, now)), "it is deleted");
}

#[test]
fn a_refresh_is_a_use_of_the_session_and_does_not_outlive_it() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _, mut token) = bench.refresh_token(&client, NOW);
    let end = NOW + LIVES.session;
    let mut now = NOW;
    while now + 1700 < end {
        now += 1700;
        let granted = bench.provider.refresh(&client, &token, now).unwrap();
        token = granted.refresh.unwrap();
        let row = bench.tenant.store.read(|reading| grant_rows::find(reading, granted.grant.id)).unwrap();
        assert_eq!(row.unwrap().ends_at, (now + LIVES.refresh).min(end));
    }
    assert!(now > NOW + LIVES.idle, "the session would have been idle too long");
    assert!(bench.provider.refresh(&client, &token, end).is_err());
    assert!(bench.userinfo(Bench::named(&token), end).is_err());
    assert!(bench.has_session(session.id), "the sweep deletes it");
}

#[test]
fn without_offline_access_there_is_no_refresh_token() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    for (scopes, expected) in [
        ("openid", false),
        ("openid profile", false),
        ("openid xoffline_access", false),
        ("openid offline_access", true),
    ] {
        let code = bench.code(&session, &client, scopes, NOW);
        let granted = bench.redeem(&client, &code, NOW).unwrap();
        assert_eq!(granted.refresh.is_some(), expected, "{scopes}");
    }
}

#[test]
fn a_code_is_no_refresh_token_and_a_refresh_token_no_code() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid offline_access", NOW);
    assert!(is_not_good(bench.provider.refresh(&client, &code, NOW)));
    assert!(is_not_good(bench.redeem(&client, &code, NOW)), "it is used up");
    let (_, granted, token) = bench.refresh_token(&client, NOW);
    assert!(is_not_good(bench.redeem(&client, &token, NOW)));
    assert!(!bench.has_grant(granted.grant.id));
}

#[test]
fn a_text_that_is_neither_code_nor_refresh_token_is_refused_and_ends_nothing() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _, token) = bench.refresh_token(&client, NOW);
    let code = bench.code(&session, &client, "openid", NOW);
    let (grant, secret) = token.split_once('.').unwrap();
    let hyphens = Uuid::parse_str(grant).unwrap().to_string();
    for text in [
        String::new(),
        ".".to_owned(),
        grant.to_owned(),
        format!("{grant}."),
        format!(".{secret}"),
        format!("{grant}{secret}"),
        format!("{hyphens}.{secret}"),
        format!("{}.{secret}", grant.to_uppercase()),
        format!("{grant}.{secret}="),
        format!("{grant}.{secret}."),
        format!(" {grant}.{secret}"),
        format!("{{{grant}}}.{secret}"),
        format!("{grant}.{}", *code),
        format!("{}.{secret}", *code),
        format!(" {}", *code),
        format!("{}=", *code),
        format!("{}A", *code),
        code[..code.len() - 1].to_owned(),
        code.to_lowercase(),
        "\u{0}".repeat(76),
        "x".repeat(100_000),
    ] {
        // An id in capital letters names the grant of no text that was ever given out.
        assert!(is_not_good(bench.redeem(&client, &text, NOW)), "{} bytes", text.len());
        assert!(is_not_good(bench.provider.refresh(&client, &text, NOW)));
    }
    assert!(bench.redeem(&client, &code, NOW).is_ok());
    assert!(bench.provider.refresh(&client, &token, NOW).is_ok());
}

#[test]
fn of_two_requests_at_once_with_one_code_one_wins_and_the_grant_ends() {
    race(
        |bench, client, session| bench.code(session, client, "openid offline_access", NOW),
        |bench, client, code| bench.redeem(client, code, NOW),
    );
}

#[test]
fn of_two_requests_at_once_with_one_refresh_token_one_wins_and_the_chain_ends() {
    let first = |bench: &Bench, client: &Client, session: &WebSession| {
        let code = bench.code(session, client, "openid offline_access", NOW);
        bench.redeem(client, &code, NOW).unwrap().refresh.unwrap()
    };
    race(first, |bench, client, token| bench.provider.refresh(client, token, NOW));
}

/// 200 races of two threads with one secret each.
fn race(
    secret: impl Fn(&Bench, &Client, &WebSession) -> Zeroizing<String>,
    uses: impl Fn(&Bench, &Client, &str) -> Result<Granted, NoGrant> + Sync,
) {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, _) = bench.session(1, NOW);
    for round in 0..200 {
        let secret = secret(&bench, &client, &session);
        let barrier = Barrier::new(2);
        let outcomes: Vec<Result<Granted, NoGrant>> = std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| {
                scope.spawn(|| {
                    barrier.wait();
                    uses(&bench, &client, &secret)
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut won = Vec::new();
        for outcome in outcomes {
            match outcome {
                Ok(granted) => won.push(granted),
                Err(NoGrant::NotGood) => {}
                Err(other) => panic!("round {round}: {other}"),
            }
        }
        assert_eq!(won.len(), 1, "round {round}");
        let next = won[0].refresh.as_ref().unwrap();
        assert!(is_not_good(bench.provider.refresh(&client, next, NOW)), "round {round}: the grant goes on");
        assert!(!bench.has_grant(won[0].grant.id));
    }
}

#[test]
fn the_end_of_a_session_ends_its_grants_and_no_other() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, granted, token) = bench.refresh_token(&client, NOW);
    let (_, elsewhere, other) = bench.refresh_token(&client, NOW);
    assert!(bench.provider.end(&session, Ending::SignedOut, NOW).unwrap());
    assert!(!bench.provider.end(&session, Ending::SignedOut, NOW).unwrap(), "there is none any more");
    assert!(is_not_good(bench.provider.refresh(&client, &token, NOW)));
    assert!(!bench.has_grant(granted.grant.id) && bench.has_grant(elsewhere.grant.id));
    assert!(bench.provider.refresh(&client, &other, NOW).is_ok(), "the same person in another browser");
}

#[test]
fn a_revoked_application_is_no_client() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    bench.tenant.store.write("test", |writing| apps::revoke(writing, client.app.id, NOW).map(drop)).unwrap();
    assert!(bench.provider.client("wiki").unwrap().is_none());
    for name in ["", "WIKI", "wiki ", "wiki\0", "' OR 1=1 --"] {
        assert!(bench.provider.client(name).unwrap().is_none(), "{name:?}");
    }
}

#[test]
fn no_file_of_the_database_holds_a_code_a_refresh_token_or_a_cookie() {
    let bench = Bench::new();
    let client = bench.client("wiki");
    let (session, cookie) = bench.session(1, NOW);
    let code = bench.code(&session, &client, "openid offline_access", NOW);
    let token = bench.redeem(&client, &code, NOW).unwrap().refresh.unwrap();
    let waiting = bench.code(&session, &client, "openid", NOW);
    let mut files = 0;
    for entry in std::fs::read_dir(bench.tenant.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        files += usize::from(holds(session.id.as_bytes()));
        for text in [&cookie, &code, &token, &waiting] {
            let secret = text.rsplit('.').next().unwrap();
            let octets = URL_SAFE_NO_PAD.decode(secret).unwrap();
            assert!(!holds(secret.as_bytes()) && !holds(&octets));
        }
    }
    assert!(files > 0, "what was written is found");
}

#[test]
fn refreshes_of_different_grants_at_once_rarely_undo_each_other() {
    let bench = Bench::on_server();
    let client = bench.client("wiki");
    let tokens: Vec<_> = (0..64).map(|_| bench.refresh_token(&client, NOW).2).collect();
    std::thread::scope(|scope| {
        let refresh = |tokens: &[Zeroizing<String>]| {
            for token in tokens {
                let mut token = token.clone();
                for n in 1..=4 {
                    token = bench.provider.refresh(&client, &token, NOW + n).unwrap().refresh.unwrap();
                }
            }
        };
        for some in tokens.chunks(8) {
            scope.spawn(move || refresh(some));
        }
    });
    let counts = bench.tenant.store.transactions();
    let counts = counts.iter().find(|(name, _)| *name == "grant-turn").unwrap().1;
    assert_eq!(counts.committed, 256);
    // With an index on a column that each refresh changes, nearly each is repeated.
    assert!(counts.repeated < 64, "{counts:?}");
}
