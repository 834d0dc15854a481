//! Devices without a browser: two codes, one answer, one redemption, and the limits of guessing.

use super::*;
use crate::provider::device_requests::{DEVICE, DeviceCodes, INTERVAL, NoDevice, NoDeviceGrant};
use landbridge_tenant_store::tables::device_guesses::{COUNTED, MOST, MOST_OF_ACCOUNT, MOST_OF_ADDRESS};
use landbridge_tenant_store::tables::device_requests::{KEPT, MOST as MOST_IN_ALL, MOST_OF_APP};
use std::net::IpAddr;
use std::sync::Barrier;

/// Where the device is, and where the person is.
const DEVICE_AT: &str = "198.51.100.9";
const PERSON_AT: &str = "192.0.2.7";
const SCOPES: &str = "openid offline_access";

fn at(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Bench {
    /// A client whose devices may sign people in.
    fn device_client(&self, name: &str) -> Arc<Client> {
        self.changed_client(name, true, |oidc| oidc.device_codes = true)
    }

    fn codes(&self, client: &Client, now: i64) -> DeviceCodes {
        self.provider.request_device(client, SCOPES, at(DEVICE_AT), now).unwrap().unwrap()
    }

    fn types(&self, session: &WebSession, typed: &str, now: i64) -> Result<String, NoDevice> {
        let question = self.provider.device_question(session, typed, at(PERSON_AT), now)?;
        Ok(format!("{} {} {}", question.client.app.name, question.address, question.made_at))
    }

    fn answers(
        &self,
        session: &WebSession,
        codes: &DeviceCodes,
        is_allowed: bool,
        now: i64,
    ) -> Result<(), NoDevice> {
        self.provider.answer_device(session, (&codes.user, is_allowed), at(PERSON_AT), now).map(drop)
    }

    fn polls(&self, client: &Client, codes: &DeviceCodes, now: i64) -> Result<Granted, NoDeviceGrant> {
        self.provider.redeem_device_code(client, &codes.device, now)
    }

    /// The sources of wrong codes.
    fn sources(&self) -> Vec<String> {
        let read = |reading: &landbridge_tenant_store::Reading<'_>| {
            let mut statement = reading.raw().prepare("SELECT source FROM device_guesses")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        self.tenant.store.read(read).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        let count = |reading: &landbridge_tenant_store::Reading<'_>| {
            Ok(reading.raw().query_row(&sql, [], |row| row.get(0))?)
        };
        self.tenant.store.read(count).unwrap()
    }
}

/// The word of a refusal.
fn word<T>(outcome: Result<T, NoDeviceGrant>) -> &'static str {
    match outcome {
        Ok(_) => "granted",
        Err(NoDeviceGrant::Pending) => "pending",
        Err(NoDeviceGrant::SlowDown) => "slow down",
        Err(NoDeviceGrant::Expired) => "expired",
        Err(NoDeviceGrant::Refused) => "refused",
        Err(NoDeviceGrant::NoGrant(NoGrant::NotGood)) => "not good",
        Err(NoDeviceGrant::NoGrant(NoGrant::Over)) => "over",
        Err(NoDeviceGrant::NoGrant(NoGrant::Store(why))) => panic!("{why}"),
    }
}

#[test]
fn a_device_waits_until_the_person_has_allowed_it_and_gets_a_grant_of_the_persons_session() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let codes = bench.codes(&client, NOW);
    assert_eq!(word(bench.polls(&client, &codes, NOW)), "pending");
    // 1. The person, who signed in before.
    let (session, _) = bench.session(1, NOW - 100);
    let typed = codes.user.to_text().to_lowercase().replace('-', " ");
    assert_eq!(bench.types(&session, &typed, NOW + 1).unwrap(), format!("screen {DEVICE_AT} {NOW}"));
    assert_eq!(word(bench.polls(&client, &codes, NOW + 5)), "pending", "a code that is typed allows nothing");
    bench.answers(&session, &codes, true, NOW + 6).unwrap();
    // 2. The device.
    let granted = bench.polls(&client, &codes, NOW + 10).unwrap();
    assert_eq!((granted.grant.session, granted.grant.object), (session.id, object(1)));
    assert_eq!((granted.grant.signed_in_at, granted.grant.scopes.as_str()), (NOW - 100, SCOPES));
    assert_eq!(granted.claims["sub"], object(1).to_string());
    let userinfo = bench.provider.userinfo(&granted.access, NOW + 10).unwrap();
    assert_eq!(userinfo["sub"], object(1).to_string());
    let next = bench.provider.refresh(&client, &granted.refresh.unwrap(), NOW + 20).unwrap();
    assert_eq!(bench.count("device_requests"), 0);
    // 3. What the audit log has.
    let person = format!("account {}", object(1));
    assert_eq!(
        bench.audited("device-allowed"),
        [format!("{person}: app screen, for a device at {DEVICE_AT}, from {PERSON_AT}")]
    );
    assert_eq!(
        bench.audited("signin-by-session"),
        [format!("app screen: accepted by session {}, from {PERSON_AT}", session.id)]
    );
    // 4. It ends with the session.
    bench.provider.end(&session, Ending::SignedOut, NOW + 30).unwrap();
    assert!(is_not_good(bench.provider.refresh(&client, &next.refresh.unwrap(), NOW + 30)));
    assert!(is_not_good(bench.provider.userinfo(&next.access, NOW + 30)));
}

#[test]
fn without_offline_access_a_device_gets_no_refresh_token() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let (session, _) = bench.session(1, NOW);
    let codes = bench.provider.request_device(&client, "openid", at(DEVICE_AT), NOW).unwrap().unwrap();
    bench.answers(&session, &codes, true, NOW).unwrap();
    let granted = bench.polls(&client, &codes, NOW).unwrap();
    assert!(granted.refresh.is_none());
    assert_eq!(granted.grant.ends_at, NOW + TOKEN);
}

#[test]
fn a_device_that_asks_too_early_must_wait_five_seconds_longer_each_time() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let codes = bench.codes(&client, NOW);
    // When it asks, what it is answered, and the seconds that are kept then.
    for (now, expected, wait_seconds) in [
        (NOW, "pending", 5),
        (NOW + 4, "slow down", 10),
        (NOW + 9, "slow down", 15),
        (NOW + 14, "slow down", 20),
        (NOW + 20, "pending", 20),
        (NOW + 39, "slow down", 25),
        (NOW + 45, "pending", 25),
    ] {
        assert_eq!(word(bench.polls(&client, &codes, now)), expected, "{}", now - NOW);
        let kept: i64 = bench
            .tenant
            .store
            .read(|reading| {
                Ok(reading
                    .raw()
                    .query_row("SELECT wait_seconds FROM device_requests", [], |row| row.get(0))?)
            })
            .unwrap();
        assert_eq!(kept, wait_seconds, "{}", now - NOW);
    }
    // These seconds have a limit, and an answer waits for its end.
    let (session, _) = bench.session(1, NOW);
    bench.answers(&session, &codes, true, NOW + 46).unwrap();
    for _ in 0..50 {
        assert_eq!(word(bench.polls(&client, &codes, NOW + 46)), "slow down");
    }
    assert_eq!(word(bench.polls(&client, &codes, NOW + 45 + 59)), "slow down");
    assert_eq!(word(bench.polls(&client, &codes, NOW + 45 + 60)), "granted");
    assert_eq!(INTERVAL, 5);
}

#[test]
fn a_refused_device_gets_nothing_and_an_answer_stays() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let codes = bench.codes(&client, NOW);
    let ((session, _), (other, _)) = (bench.session(1, NOW), bench.session(2, NOW));
    bench.answers(&session, &codes, false, NOW).unwrap();
    for by in [&session, &other] {
        assert!(matches!(bench.answers(by, &codes, true, NOW), Err(NoDevice::Wrong)));
        assert!(matches!(bench.types(by, &codes.user.to_text(), NOW), Err(NoDevice::Wrong)));
    }
    for now in [NOW, NOW + 5, NOW + DEVICE - 1] {
        assert_eq!(word(bench.polls(&client, &codes, now)), "refused");
    }
    assert_eq!(bench.count("grants"), 0);
    let person = format!("account {}", object(1));
    assert_eq!(
        bench.audited("device-refused"),
        [format!("{person}: app screen, for a device at {DEVICE_AT}, from {PERSON_AT}")]
    );
    assert!(bench.audited("device-allowed").is_empty() && bench.audited("signin-by-session").is_empty());
}

#[test]
fn a_request_is_good_for_ten_minutes_and_a_late_device_learns_that_it_is_over() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let (session, _) = bench.session(1, NOW);
    let (codes, allowed) = (bench.codes(&client, NOW), bench.codes(&client, NOW));
    bench.answers(&session, &allowed, true, NOW).unwrap();
    assert!(bench.types(&session, &codes.user.to_text(), NOW + DEVICE - 1).is_ok());
    let end = NOW + DEVICE;
    assert!(matches!(bench.types(&session, &codes.user.to_text(), end), Err(NoDevice::Wrong)));
    assert!(matches!(bench.answers(&session, &codes, true, end), Err(NoDevice::Wrong)));
    for codes in [&codes, &allowed] {
        assert_eq!(word(bench.polls(&client, codes, end)), "expired");
    }
    bench.provider.sweep(end + KEPT - 1).unwrap();
    assert_eq!((bench.count("device_requests"), bench.count("device_guesses")), (2, 3));
    bench.provider.sweep(end + KEPT).unwrap();
    assert_eq!((bench.count("device_requests"), bench.count("device_guesses")), (0, 0));
    assert_eq!(word(bench.polls(&client, &codes, end + KEPT)), "not good");
}

#[test]
fn a_code_of_another_client_or_another_secret_is_not_good_and_ends_nothing() {
    let bench = Bench::new();
    let (client, other) = (bench.device_client("screen"), bench.device_client("printer"));
    let (session, _) = bench.session(1, NOW);
    let (codes, others) = (bench.codes(&client, NOW), bench.codes(&client, NOW));
    bench.answers(&session, &codes, true, NOW).unwrap();
    assert_eq!(word(bench.polls(&other, &codes, NOW)), "not good");
    let (id, secret) = (codes.device.split_once('.').unwrap().0, others.device.split_once('.').unwrap().1);
    for text in ["", ".", id, &format!("{id}.{secret}"), &format!("{id}."), &codes.user.to_text()] {
        assert_eq!(word(bench.provider.redeem_device_code(&client, text, NOW)), "not good", "{text}");
    }
    assert!(is_not_good(bench.redeem(&client, &codes.device, NOW)), "it is no authorization code");
    assert!(is_not_good(bench.provider.refresh(&client, &codes.device, NOW)), "and no refresh token");
    assert_eq!(word(bench.polls(&client, &codes, NOW)), "granted");
}

#[test]
fn a_code_that_is_redeemed_again_ends_the_grant() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let (session, _) = bench.session(1, NOW);
    let codes = bench.codes(&client, NOW);
    bench.answers(&session, &codes, true, NOW).unwrap();
    let granted = bench.polls(&client, &codes, NOW).unwrap();
    assert!(bench.has_grant(granted.grant.id));
    assert_eq!(word(bench.polls(&client, &codes, NOW + 5)), "not good");
    assert!(!bench.has_grant(granted.grant.id) && bench.has_session(session.id));
    assert!(is_not_good(bench.provider.refresh(&client, &granted.refresh.unwrap(), NOW + 5)));
    assert_eq!(
        bench.audited("grant-ended"),
        ["app screen: its code or refresh token was used a second time"]
    );
}

#[test]
fn of_two_redemptions_at_once_one_wins_and_the_grant_ends() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let (session, _) = bench.session(1, NOW);
    for round in 0..200 {
        let codes = bench.codes(&client, NOW);
        bench.answers(&session, &codes, true, NOW).unwrap();
        let barrier = Barrier::new(2);
        let mut words: Vec<&str> = std::thread::scope(|scope| {
            let threads = [(); 2].map(|()| {
                scope.spawn(|| {
                    barrier.wait();
                    word(bench.polls(&client, &codes, NOW))
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        words.sort_unstable();
        assert_eq!(words, ["granted", "not good"], "round {round}");
        assert_eq!(bench.count("grants"), 0, "round {round}");
    }
}

#[test]
fn of_two_answers_at_once_one_wins() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let (session, _) = bench.session(1, NOW);
    for round in 0..200 {
        let codes = bench.codes(&client, NOW);
        let barrier = Barrier::new(2);
        let won: Vec<bool> = std::thread::scope(|scope| {
            let threads = [true, false].map(|is_allowed| {
                let (bench, session, codes, barrier) = (&bench, &session, &codes, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    bench.answers(session, codes, is_allowed, NOW).is_ok()
                })
            });
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let expected = if won == [true, false] { "granted" } else { "refused" };
        assert!(won[0] != won[1], "round {round}");
        assert_eq!(word(bench.polls(&client, &codes, NOW)), expected, "round {round}");
    }
}

#[test]
fn what_ends_between_the_answer_and_the_redemption_is_seen() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    type Change = fn(&Bench, &Client, &WebSession);
    let changes: [(&str, Change); 4] = [
        ("the session ends", |bench, _, session| {
            bench.provider.end(session, Ending::SignedOut, NOW).unwrap();
        }),
        ("the account is disabled", |bench, _, _| {
            let disabled = AttributeValue::UserAccountControl(Some(0x202));
            bench.tenant.sends(vec![with(1, vec![written(2, disabled)])]);
        }),
        ("the account is gone", |bench, _, _| {
            bench.tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(2) }]);
        }),
        ("the assignment ends", |bench, client, _| {
            let sql = "UPDATE apps SET everybody = 0 WHERE id = ?1";
            let change = |writing: &landbridge_tenant_store::Writing<'_>| {
                Ok(writing.raw().execute(sql, [client.app.id.as_bytes()])?)
            };
            bench.tenant.store.write("test", change).unwrap();
        }),
    ];
    for (n, (what, change)) in changes.into_iter().enumerate() {
        let person = [1, 1, 2, 3][n];
        bench.tenant.sends(vec![user(3, "right3")]);
        let (session, _) = bench.session(person, NOW);
        let codes = bench.codes(&client, NOW);
        bench.answers(&session, &codes, true, NOW).unwrap();
        change(&bench, &client, &session);
        assert_eq!(word(bench.polls(&client, &codes, NOW)), "over", "{what}");
        assert_eq!(word(bench.polls(&client, &codes, NOW + 5)), "not good", "{what}");
        assert_eq!(bench.count("grants"), 0, "{what}");
    }
    assert_eq!(bench.audited("grant-ended").len(), 4);
}

#[test]
fn who_is_not_assigned_reads_so_and_allows_nothing() {
    let bench = Bench::new();
    let client = bench.changed_client("screen", false, |oidc| oidc.device_codes = true);
    let (session, _) = bench.session(1, NOW);
    let codes = bench.codes(&client, NOW);
    let is_not_assigned = |outcome: Result<(), NoDevice>| matches!(outcome, Err(NoDevice::NotAssigned(client)) if client.app.name == "screen");
    assert!(is_not_assigned(bench.types(&session, &codes.user.to_text(), NOW).map(drop)));
    assert!(is_not_assigned(bench.answers(&session, &codes, true, NOW)));
    assert_eq!(word(bench.polls(&client, &codes, NOW)), "pending");
    let entry = format!("app screen: not-assigned, by session {}, from {PERSON_AT}", session.id);
    assert_eq!(bench.audited("signin-refused"), [entry.clone(), entry]);
    let shown = bench.provider.own_page(&session, NOW).unwrap().unwrap().sign_ins.remove(0);
    assert_eq!((shown.outcome.as_str(), shown.from.as_str()), ("not-assigned", PERSON_AT));
}

#[test]
fn the_codes_of_a_client_that_is_revoked_or_whose_devices_may_not_are_wrong() {
    let bench = Bench::new();
    let (revoked, changed) = (bench.device_client("screen"), bench.device_client("printer"));
    let (session, _) = bench.session(1, NOW);
    let (of_revoked, of_changed) = (bench.codes(&revoked, NOW), bench.codes(&changed, NOW));
    let revoke =
        |writing: &landbridge_tenant_store::Writing<'_>| apps::revoke(writing, revoked.app.id, NOW).map(drop);
    bench.tenant.store.write("test", revoke).unwrap();
    bench.set(changed.app.id, &OidcClient { device_codes: false, ..changed.oidc.clone() });
    for codes in [&of_revoked, &of_changed] {
        assert!(matches!(bench.types(&session, &codes.user.to_text(), NOW), Err(NoDevice::Wrong)));
        assert!(matches!(bench.answers(&session, codes, true, NOW), Err(NoDevice::Wrong)));
    }
}

#[test]
fn a_device_is_of_a_session_so_its_client_is_notified_of_the_end() {
    use landbridge_tenant_rules::model::LogoutUri;
    let bench = Bench::new();
    let uri = LogoutUri::parse("https://screen.example.com/logout").unwrap();
    let client = bench.changed_client("screen", true, |oidc| {
        (oidc.device_codes, oidc.back_channel) = (true, Some(uri));
    });
    let (session, _) = bench.session(1, NOW);
    let codes = bench.codes(&client, NOW);
    bench.answers(&session, &codes, true, NOW).unwrap();
    assert!(bench.polls(&client, &codes, NOW).is_ok());
    bench.provider.end(&session, Ending::SignedOut, NOW).unwrap();
    assert_eq!(bench.provider.due_notices(9, |_| 9, NOW).unwrap().len(), 1);
}

#[test]
fn wrong_codes_are_counted_by_account_by_address_and_in_all() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let (sessions, other) = ([bench.session(1, NOW).0, bench.session(1, NOW).0], bench.session(2, NOW).0);
    let codes = bench.codes(&client, NOW);
    let right = codes.user.to_text();
    let guess = |session: &WebSession, from: &str, typed: &str, now| {
        bench.provider.device_question(session, typed, at(from), now).map(drop)
    };
    let is_full = |outcome: Result<(), NoDevice>| matches!(outcome, Err(NoDevice::TooMany));
    // 1. One account, in two sessions and from many addresses; what is no code at all counts as well.
    for n in 0..MOST_OF_ACCOUNT {
        let typed = if n % 2 == 0 { "BBBB-BBBB" } else { "nonsense" };
        let from = format!("198.51.100.{n}");
        let session = if n % 2 == 0 { &sessions[0] } else { &sessions[1] };
        assert!(matches!(guess(session, &from, typed, NOW), Err(NoDevice::Wrong)), "{n}");
    }
    for session in &sessions {
        assert!(is_full(guess(session, "192.0.2.8", &right, NOW)), "the right one as well");
    }
    let limited = bench.audited("device-guesses-limited");
    let last =
        format!("account {0}: 10 wrong codes by session {1}, from 198.51.100.9", object(1), sessions[1].id);
    assert_eq!(limited, [last]);
    assert!(guess(&other, PERSON_AT, &right, NOW).is_ok(), "another account");
    assert!(is_full(guess(&sessions[0], PERSON_AT, &right, NOW + COUNTED - 1)));
    let fresh = bench.codes(&client, NOW + COUNTED);
    assert!(guess(&sessions[0], PERSON_AT, &fresh.user.to_text(), NOW + COUNTED).is_ok(), "its time is over");
    // 2. An address: of IPv6 the network of a household.
    let fill = |writing: &landbridge_tenant_store::Writing<'_>, source: &str, wrong: u32, now: i64| {
        let sql = "INSERT OR REPLACE INTO device_guesses (source, wrong, ends_at) VALUES (?1, ?2, ?3)";
        Ok(writing.raw().execute(sql, (source, wrong, now + COUNTED))?)
    };
    let later = NOW + 2 * COUNTED;
    let household = |n: u32| format!("2001:db8:7:7::{n:x}");
    assert!(matches!(guess(&other, &household(1), "BBBB-BBBB", later), Err(NoDevice::Wrong)));
    let places: Vec<String> = bench.sources();
    let place = places.iter().find(|place| place.contains("2001")).unwrap();
    let set = "UPDATE device_guesses SET wrong = ?2 WHERE source = ?1";
    let to = |wrong: u32| {
        let write = |writing: &landbridge_tenant_store::Writing<'_>| {
            Ok(writing.raw().execute(set, (place, wrong))?)
        };
        bench.tenant.store.write("test", write).unwrap();
    };
    let code = bench.codes(&client, later).user.to_text();
    to(MOST_OF_ADDRESS - 1);
    assert!(guess(&sessions[0], &household(2), &code, later).is_ok());
    to(MOST_OF_ADDRESS);
    assert!(is_full(guess(&sessions[0], &household(3), &code, later)));
    assert!(guess(&sessions[0], "2001:db8:7:8::1", &code, later).is_ok(), "the neighbours");
    // 3. In all.
    let last = NOW + 4 * COUNTED;
    bench.tenant.store.write("test", |writing| fill(writing, "all", MOST - 1, last)).unwrap();
    let code = bench.codes(&client, last).user.to_text();
    assert!(matches!(guess(&other, PERSON_AT, "BBBB-BBBB", last), Err(NoDevice::Wrong)));
    assert!(is_full(guess(&sessions[0], "192.0.2.99", &code, last)));
}

#[test]
fn guesses_that_come_at_once_are_all_counted() {
    let bench = Bench::new();
    let (session, _) = bench.session(1, NOW);
    let wrong: u32 = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| {
            scope.spawn(|| {
                let guess = || bench.types(&session, "BBBB-BBBB", NOW);
                u32::try_from((0..10).filter(|_| matches!(guess(), Err(NoDevice::Wrong))).count()).unwrap()
            })
        });
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(wrong, MOST_OF_ACCOUNT, "the other 70 were not looked up");
}

#[test]
fn a_limited_number_of_a_clients_requests_waits_and_a_limited_number_in_all() {
    let bench = Bench::new();
    let (client, other) = (bench.device_client("screen"), bench.device_client("printer"));
    let request = |client: &Client, now| {
        bench.provider.request_device(client, SCOPES, at(DEVICE_AT), now).unwrap().is_some()
    };
    for _ in 0..MOST_OF_APP {
        assert!(request(&client, NOW));
    }
    assert!(!request(&client, NOW + DEVICE - 1));
    assert!(request(&other, NOW + DEVICE - 1), "another client");
    assert!(request(&client, NOW + DEVICE));
    // Of many clients, as if they had 1,000 each.
    let fill = |writing: &landbridge_tenant_store::Writing<'_>| {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
                   INSERT INTO device_requests (id, hash, user_hash, app, scopes, address, made_at, ends_at, wait_seconds)
                   SELECT randomblob(16), zeroblob(32), randomblob(32), ?1, '', '', ?3, ?3 + 600, 5 FROM n";
        let now = NOW + 5 * DEVICE;
        Ok(writing.raw().execute(sql, (other.app.id.as_bytes(), MOST_IN_ALL, now))?)
    };
    bench.tenant.store.write("test", fill).unwrap();
    assert!(!request(&client, NOW + 5 * DEVICE));
    assert!(request(&client, NOW + 6 * DEVICE));
}

#[test]
fn no_file_of_the_database_holds_a_code_of_a_device_and_a_forgotten_account_leaves_no_answer() {
    let bench = Bench::new();
    let client = bench.device_client("screen");
    let (session, _) = bench.session(1, NOW);
    let codes = bench.codes(&client, NOW);
    bench.answers(&session, &codes, true, NOW).unwrap();
    let (secret, user) = (codes.device.split_once('.').unwrap().1, codes.user.to_text());
    for entry in std::fs::read_dir(bench.tenant.directory.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for needle in [secret, &user, &user.replace('-', "")] {
            assert!(!bytes.windows(needle.len()).any(|window| window == needle.as_bytes()));
        }
    }
    let forget = |writing: &landbridge_tenant_store::Writing<'_>| {
        landbridge_tenant_store::tables::objects::forget(writing, object(1))
    };
    bench.tenant.store.write("test", forget).unwrap();
    assert_eq!(bench.count("device_requests"), 0);
}
