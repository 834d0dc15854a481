//! Notices of ended sessions: who gets one, when it is tried, and how it ends.

use super::*;
use crate::provider::logout_notices::DueNotice;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_rules::model::LogoutUri;
use landbridge_tenant_store::tables::{domains, logout_notices as rows};

impl Bench {
    /// A client that is notified of the end of sessions.
    fn notified_client(&self, name: &str) -> Arc<Client> {
        let uri = format!("https://{name}.example.com/logout");
        self.changed_client(name, true, |oidc| oidc.back_channel = Some(LogoutUri::parse(&uri).unwrap()))
    }

    /// A session of `user<n>` in which these clients have redeemed a code.
    fn session_at(&self, n: u128, clients: &[&Client]) -> WebSession {
        let (session, _) = self.session(n, NOW);
        for client in clients {
            let code = self.code(&session, client, "openid", NOW);
            self.redeem(client, &code, NOW).unwrap();
        }
        session
    }

    /// The notices that are due, as applications and sessions.
    fn due(&self, now: i64) -> Vec<(Uuid, Uuid)> {
        self.claimed(now).iter().map(|due| (due.app(), due.notice.session)).collect()
    }

    fn claimed(&self, now: i64) -> Vec<DueNotice> {
        self.provider.due_notices(100, |_| 100, now).unwrap()
    }

    fn waiting(&self) -> u64 {
        self.tenant.store.read(rows::count).unwrap()
    }
}

#[test]
fn each_kind_of_end_notifies_the_clients_that_learned_of_the_session_and_no_other() {
    type End = fn(&Bench, &WebSession);
    let ends: [(&str, End); 10] = [
        ("signed out", |bench, session| {
            assert!(bench.provider.end(session, Ending::SignedOut, NOW).unwrap());
        }),
        ("on the own page", |bench, session| {
            assert_eq!(bench.provider.end_own(session, Some(session.id), NOW).unwrap(), 1);
        }),
        ("over the limit", |bench, _| {
            for _ in 0..web_sessions::MOST {
                bench.session(1, NOW + 1);
            }
        }),
        ("disabled", |bench, _| {
            let off = written(2, AttributeValue::UserAccountControl(Some(0x202)));
            bench.tenant.sends(vec![with(1, vec![off])]);
        }),
        ("another password", |bench, _| {
            let set = written(2, AttributeValue::PwdLastSet(Some(filetime(NOW - 5).unwrap())));
            bench.tenant.sends(vec![with(1, vec![set])]);
        }),
        ("removed", |bench, _| {
            bench.tenant.sends(vec![Record { presence: Presence::Deleted, ..bare(1) }]);
        }),
        ("not used", |bench, _| {
            bench.provider.sweep(NOW + LIVES.idle).unwrap();
        }),
        ("the account expires", |bench, _| {
            let soon = written(2, AttributeValue::AccountExpires(Some(filetime(NOW + 60).unwrap())));
            bench.tenant.sends(vec![with(1, vec![soon])]);
            bench.provider.sweep(NOW + 59).unwrap();
            assert_eq!(bench.waiting(), 0, "a second before");
            bench.provider.sweep(NOW + 60).unwrap();
        }),
        ("the domain is removed", |bench, _| {
            let remove = |writing: &landbridge_tenant_store::Writing<'_>| {
                domains::remove(writing, bench.tenant.domain, NOW).map(|rows| ((), rows))
            };
            bench.tenant.store.erase_rows("test", remove).unwrap();
        }),
        ("all sessions", |bench, _| {
            bench.tenant.store.write("test", |writing| web_sessions::end_all(writing, NOW)).unwrap();
        }),
    ];
    for (what, end) in ends {
        let bench = Bench::new();
        let (wiki, mail) = (bench.notified_client("wiki"), bench.notified_client("mail"));
        let (other, silent) = (bench.notified_client("other"), bench.client("silent"));
        let session = bench.session_at(1, &[&wiki, &wiki, &mail, &silent]);
        bench.session_at(2, &[&other]);
        bench.code(&session, &other, "openid", NOW);
        end(&bench, &session);
        let mut expected = [(wiki.app.id, session.id), (mail.app.id, session.id)];
        expected.sort();
        let mut due = bench.due(NOW + LIVES.idle);
        due.retain(|(app, _)| {
            *app != other.app.id || !["not used", "the domain is removed", "all sessions"].contains(&what)
        });
        due.sort();
        assert_eq!(due, expected, "{what}");
    }
}

#[test]
fn a_notice_is_claimed_once_and_tried_for_ten_minutes_at_growing_distances() {
    let bench = Bench::new();
    let client = bench.notified_client("wiki");
    let session = bench.session_at(1, &[&client]);
    bench.provider.end(&session, Ending::SignedOut, NOW).unwrap();
    // 1. While it is being sent, and after a process that stopped with it.
    let first = bench.claimed(NOW);
    assert_eq!(first.len(), 1);
    assert_eq!(bench.due(NOW + 29), [], "it is being sent");
    let failed = Err("answered with 500".to_owned());
    // 2. Each try fails.
    bench.provider.note_sending(&first[0], &failed, NOW).unwrap();
    let mut tries = vec![0];
    for now in NOW + 1..=NOW + 700 {
        for due in bench.claimed(now) {
            tries.push(now - NOW);
            bench.provider.note_sending(&due, &failed, now).unwrap();
        }
    }
    assert_eq!(tries, [0, 2, 6, 14, 30, 62, 126, 246, 366, 486]);
    assert_eq!(bench.waiting(), 0);
    let given_up = bench.audited("logout-not-notified");
    let detail = format!(
        "tenant: session {}: app wiki did not confirm, try 10 was the last one: answered with 500",
        session.id
    );
    assert_eq!(given_up, [detail]);
    assert_eq!(bench.audited("logout-notified"), [""; 0]);
}

#[test]
fn a_notice_whose_sender_stopped_is_tried_again_and_ends_when_it_is_confirmed() {
    let bench = Bench::new();
    let client = bench.notified_client("wiki");
    let session = bench.session_at(1, &[&client]);
    bench.provider.end(&session, Ending::SignedOut, NOW).unwrap();
    let lost = bench.claimed(NOW);
    let again = bench.claimed(NOW + 30);
    assert_eq!((lost.len(), again.len()), (1, 1));
    bench.provider.note_sending(&again[0], &Ok(204), NOW + 31).unwrap();
    // The other sender was only slow.
    bench.provider.note_sending(&lost[0], &Ok(200), NOW + 31).unwrap();
    let detail = format!("tenant: session {}: app wiki confirmed with 204, try 2", session.id);
    assert_eq!(bench.audited("logout-notified"), [detail], "one entry for one notice");
    assert_eq!(bench.due(NOW + 600), []);
}

#[test]
fn no_client_is_notified_that_was_revoked_or_has_taken_its_uri_back() {
    let bench = Bench::new();
    let (revoked, back) = (bench.notified_client("revoked"), bench.notified_client("back"));
    let session = bench.session_at(1, &[&revoked, &back]);
    bench.provider.end(&session, Ending::SignedOut, NOW).unwrap();
    bench.tenant.store.write("test", |writing| apps::revoke(writing, revoked.app.id, NOW)).unwrap();
    bench.set(back.app.id, &OidcClient { back_channel: None, ..back.oidc.clone() });
    assert_eq!(bench.due(NOW + 1), []);
    assert_eq!(bench.waiting(), 2);
    bench.provider.sweep(NOW + 600).unwrap();
    assert_eq!(bench.waiting(), 2);
    bench.provider.sweep(NOW + 601).unwrap();
    assert_eq!((bench.waiting(), bench.audited("logout-not-notified").len()), (0, 2));
}

#[test]
fn a_slow_client_has_as_many_notices_as_there_is_room_and_keeps_no_other_waiting() {
    let bench = Bench::new();
    let (slow, quick) = (bench.notified_client("slow"), bench.notified_client("quick"));
    for n in 0..10 {
        let clients: &[&Client] = if n < 8 { &[&slow] } else { &[&quick] };
        let session = bench.session_at(1, clients);
        bench.provider.end(&session, Ending::SignedOut, NOW + n).unwrap();
    }
    let of = |app: Uuid, free: usize, now: i64| {
        let due = bench.provider.due_notices(100, |_| free, now).unwrap();
        due.iter().filter(|due| due.app() == app).map(|due| due.notice.made_at - NOW).collect::<Vec<_>>()
    };
    assert_eq!(bench.provider.due_notices(100, |_| 0, NOW + 20).unwrap().len(), 0);
    let mut first = of(slow.app.id, 4, NOW + 20);
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2, 3], "those that are due first");
    assert_eq!(of(quick.app.id, 4, NOW + 20).len(), 0, "they were claimed beside them");
}

#[test]
fn no_more_notices_are_claimed_than_there_is_room_and_those_that_wait_longest_come_first() {
    let bench = Bench::new();
    let clients: Vec<_> = (0..10).map(|n| bench.notified_client(&format!("app{n}"))).collect();
    for (n, client) in (0..).zip(&clients) {
        for _ in 0..3 {
            let session = bench.session_at(1, &[client]);
            bench.provider.end(&session, Ending::SignedOut, NOW + n).unwrap();
        }
    }
    let due = bench.provider.due_notices(5, |_| 2, NOW + 20).unwrap();
    let apps: Vec<Uuid> = due.iter().map(|due| due.app()).collect();
    let expected = [0, 0, 1, 1, 2].map(|n: usize| clients[n].app.id);
    assert_eq!(apps, expected);
    assert_eq!(bench.provider.due_notices(0, |_| 2, NOW + 20).unwrap().len(), 0);
}

#[test]
fn pairwise_clients_cannot_compare_their_sessions() {
    let bench = Bench::new();
    let pairwise = |name: &str| bench.changed_client(name, true, |oidc| oidc.subject = SubjectKind::Pairwise);
    let (wiki, mail, plain) = (pairwise("wiki"), pairwise("mail"), bench.client("plain"));
    let (session, other) = (Uuid::new_v4(), Uuid::new_v4());
    let name = |client: &Client, session| bench.provider.session_name(client, session);
    assert_eq!(name(&plain, session), session.to_string());
    assert_ne!(name(&wiki, session), session.to_string());
    assert_ne!(name(&wiki, session), name(&mail, session));
    assert_ne!(name(&wiki, session), name(&wiki, other));
    assert_eq!(name(&wiki, session), name(&wiki, session));
}
