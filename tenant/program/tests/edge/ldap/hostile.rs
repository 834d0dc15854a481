//! What hostile and broken clients do, and how each ends: bounded, refused, closed, and others go on.

use super::raw::{
    ABANDON, BIND, DONE, ENTRY, EXTENDED, Raw, START_TLS, bind, bind_as, control, element, equal, extended,
    message, page, present, search, search_in,
};
use super::{client, served, served_with};
use crate::applications::RIGHT;
use crate::balancers::header;
use crate::directory::{member, says, send};
use crate::harness::{DEADLINE, GRID, until};
use landbridge_tenant_core::administration::request::AdminRequest;
use landbridge_tenant_rules::model::Network;
use std::time::Instant;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const BASE: &[u8] = b"dc=corp,dc=example,dc=com";
const ALICE: &[u8] = b"uid=alice,ou=people,dc=corp,dc=example,dc=com";
/// The filter that every entry fulfils.
const ALL: &str = "objectClass";

#[tokio::test(flavor = "multi_thread")]
async fn a_length_of_four_gigabytes_a_deep_filter_and_other_protocols_end_the_connection_or_the_request() {
    let (_edge, _, client) = served(|_| ()).await;
    // 1. What is no message: a notice with the number 0, then the end.
    for garbage in [
        &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..],
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0x30, 0x80],
        b"GET / HTTP/1.1\r\n\r\n",
        &element(0x30, b"\x02\x01\x00\x42\x00"),
        // No stranger sends so much: 16 KiB and a byte.
        &element(0x30, &[0; 16 * 1024]),
    ] {
        let mut raw = Raw::connect(&client).await;
        raw.send(garbage).await;
        let notice = raw.answer().await.expect("a notice of disconnection");
        assert_eq!((notice.id, notice.tag, notice.code), (0, EXTENDED, 2), "{garbage:x?}");
        assert!(raw.answer().await.is_none(), "{garbage:x?}");
    }
    // 2. A filter that is nested 10,000 deep, and one that is wide: the request is refused, the connection goes on.
    let mut raw = Raw::connect(&client).await;
    raw.bind(&client).await;
    let deep = (0..10_000).fold(present(ALL), |inner, _| element(0xa2, &inner));
    assert_eq!(raw.code(2, &search(BASE, &deep)).await, 11);
    let wide = element(0xa0, &present(ALL).repeat(1_001));
    assert_eq!(raw.code(3, &search(BASE, &wide)).await, 11);
    assert_eq!(raw.code(4, &search(BASE, &present(ALL))).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_message_and_silence_are_closed_and_a_slow_sender_keeps_nobody_else_out() {
    let (_edge, _, client) = served(|_| ()).await;
    // The limits of the tests' tenant are short.
    let half = message(1, &bind(ALICE, b"x"), &[]);
    let mut slow = Raw::connect(&client).await;
    slow.send(&half[..10]).await;
    let mut silent = Raw::connect(&client).await;
    let mut other = Raw::connect(&client).await;
    other.bind(&client).await;
    assert_eq!(other.code(2, &search(BASE, &present(ALL))).await, 0);
    for raw in [&mut slow, &mut silent] {
        let notice = raw.answer().await.expect("a notice of disconnection");
        assert_eq!((notice.id, notice.code), (0, 52));
        assert!(raw.answer().await.is_none());
    }
    assert_eq!(
        other.code(3, &search(BASE, &present(ALL))).await,
        0,
        "who is signed in may be silent for longer"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_signed_in_may_be_silent_right_after_the_bind() {
    let (_edge, _, client) = served(|_| ()).await;
    let mut signed_in = Raw::connect(&client).await;
    signed_in.bind(&client).await;
    // One that came later and did not sign in is closed: so long has the other one been silent.
    let mut silent = Raw::connect(&client).await;
    assert_eq!(silent.answer().await.expect("a notice of disconnection").code, 52);
    assert_eq!(signed_in.code(2, &search(BASE, &present(ALL))).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_no_text_and_binds_that_are_no_sign_in_are_refused() {
    let (edge, _, client) = served(|_| ()).await;
    let mut raw = Raw::connect(&client).await;
    for (operation, code) in [
        (bind(b"cn=a\0b,dc=corp", b"x"), 34),
        (bind(b"cn=\xff\xfe", b"x"), 34),
        (bind(ALICE, b""), 53),
        (bind(b"", b"x"), 49),
        (bind_as(2, ALICE, 0x80, b"x"), 2),
        (bind_as(3, ALICE, 0xa3, &element(4, b"PLAIN")), 7),
        (bind(ALICE, b"\xff\xfe\xfd"), 49),
        (bind(b"cn=wiki,ou=applications", b"lba1.wrong"), 49),
        (bind(b"cn=nosuch,ou=applications", b"lba1.wrong"), 49),
    ] {
        assert_eq!(raw.code(7, &operation).await, code, "{operation:x?}");
    }
    // An anonymous bind is no sign-in: it opens nothing but what everybody may read.
    assert_eq!(raw.code(8, &bind(b"", b"")).await, 0);
    assert_eq!(raw.code(9, &search(BASE, &present(ALL))).await, 50);
    assert_eq!(raw.code(10, &search_in(b"", 0, &present(ALL), &["+"])).await, 0);
    assert_eq!(raw.code(11, &search_in(b"cn=subschema", 0, &present(ALL), &["+"])).await, 0);
    // Names of entries in a search.
    raw.bind(&client).await;
    for (base, code) in [(&b"no name"[..], 34), (b"cn=\xff", 34), (b"dc=other,dc=com", 32), (b"", 32)] {
        assert_eq!(raw.code(12, &search(base, &present(ALL))).await, code, "{base:x?}");
    }
    // Every write is refused, in words.
    let (_, refused) = raw.ask(13, &element(0x4a, ALICE), &[]).await;
    assert!(refused.code == 53 && refused.holds("read only"), "{refused:?}");
    drop(edge);
}

#[tokio::test(flavor = "multi_thread")]
async fn controls_and_attributes_that_are_unknown() {
    let (_edge, _, client) = served(|_| ()).await;
    let mut raw = Raw::connect(&client).await;
    raw.bind(&client).await;
    let by_name = search(BASE, &equal("uid", b"alice"));
    let (_, done) = raw.ask(2, &by_name, &[control("1.2.3.4", true, None)]).await;
    assert_eq!((done.tag, done.code), (DONE, 12));
    let (found, done) = raw.ask(3, &by_name, &[control("1.2.3.4", false, None)]).await;
    assert_eq!((found.len(), done.code), (1, 0));
    // Undefined is neither true nor false, and no error.
    for (filter, count) in [
        (equal("nosuch", b"x"), 0),
        (element(0xa2, &equal("nosuch", b"x")), 0),
        (element(0xa1, &[equal("nosuch", b"x"), equal("uid", b"alice")].concat()), 1),
        (element(0xa0, &[equal("nosuch", b"x"), equal("uid", b"alice")].concat()), 0),
        (equal("uidNumber", b"no number"), 0),
        (element(0xa0, b""), 6),
        (element(0xa1, b""), 0),
    ] {
        let (found, done) = raw.ask(4, &search(BASE, &filter), &[]).await;
        assert_eq!((found.len(), done.code), (count, 0), "{filter:x?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_that_was_changed_or_is_of_another_search_connection_or_identity_is_refused() {
    let (_edge, _, client) = served(|settings| settings.groups = None).await;
    let mut raw = Raw::connect(&client).await;
    raw.bind(&client).await;
    let all = search(BASE, &present(ALL));
    let (found, done) = raw.ask(2, &all, &[page(2, b"")]).await;
    let cookie = done.cookie();
    assert!(found.len() == 2 && !cookie.is_empty(), "{done:?}");
    // 1. The same search goes on, also more than once: a client that lost an answer asks again.
    for _ in 0..2 {
        let (found, done) = raw.ask(3, &all, &[page(2, &cookie)]).await;
        assert_eq!((found.len(), done.code), (2, 0));
    }
    // 2. Others do not.
    let mut changed = cookie.clone();
    changed[0] ^= 1;
    let other = search(BASE, &present("uid"));
    for (operation, cookie) in [(&all, &changed), (&all, &cookie[1..].to_vec()), (&other, &cookie)] {
        let (found, done) = raw.ask(4, operation, &[page(2, cookie)]).await;
        assert_eq!((found.len(), done.code), (0, 53));
    }
    let mut second = Raw::connect(&client).await;
    second.bind(&client).await;
    assert_eq!(second.ask(5, &all, &[page(2, &cookie)]).await.1.code, 53, "another connection");
    assert_eq!(raw.code(6, &bind(ALICE, RIGHT.as_bytes())).await, 0);
    assert_eq!(raw.ask(7, &all, &[page(2, &cookie)]).await.1.code, 53, "another identity");
    // 3. Page by page, with any size: each entry once.
    for size in [1, 3, 1000] {
        let mut raw = Raw::connect(&client).await;
        raw.bind(&client).await;
        let (mut seen, mut cookie) = (Vec::new(), Vec::new());
        loop {
            let (found, done) = raw.ask(8, &all, &[page(size, &cookie)]).await;
            assert!(found.len() <= usize::try_from(size).unwrap() && done.code == 0);
            seen.extend(found.into_iter().map(|entry| entry.bytes));
            cookie = done.cookie();
            if cookie.is_empty() {
                break;
            }
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!((seen.len(), count), (6, 6), "pages of {size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_before_tls_and_bytes_behind_start_tls_count_for_nothing() {
    let (_edge, _, client) = served(|_| ()).await;
    // 1. Nothing but the root DSE, the subschema and StartTLS.
    let mut plain = Raw(TcpStream::connect(client.start_tls).await.unwrap());
    let (name, password) = client.account();
    for operation in [
        bind(name.as_bytes(), password.as_bytes()),
        search(BASE, &present(ALL)),
        extended("1.3.6.1.4.1.4203.1.11.3"),
    ] {
        assert_eq!(plain.code(1, &operation).await, 13);
    }
    let (dse, done) = plain.ask(2, &search_in(b"", 0, &present(ALL), &["*", "+"]), &[]).await;
    assert!(dse.len() == 1 && done.code == 0 && dse[0].holds(START_TLS));
    // 2. StartTLS, and a search behind it in the same packet: it is not answered, in TLS or before.
    let injected =
        [message(3, &extended(START_TLS), &[]), message(4, &search_in(b"", 0, &present(ALL), &["*"]), &[])]
            .concat();
    plain.send(&injected).await;
    let notice = plain.answer().await.expect("a notice of disconnection");
    assert_eq!((notice.id, notice.code), (0, 2));
    assert!(plain.answer().await.is_none());
    // 3. The right way; and not twice.
    let mut plain = Raw(TcpStream::connect(client.start_tls).await.unwrap());
    let (_, done) = plain.ask(1, &extended(START_TLS), &[]).await;
    assert_eq!((done.tag, done.code), (EXTENDED, 0));
    let mut raw = Raw::over(&client, plain.0).await;
    raw.bind(&client).await;
    assert_eq!(raw.code(2, &extended(START_TLS)).await, 1);
    // 4. LDAP without TLS at the address of LDAPS, and TLS at the other one.
    let mut wrong = TcpStream::connect(client.ldaps).await.unwrap();
    wrong.write_all(&message(1, &bind(ALICE, b"x"), &[])).await.unwrap();
    let mut left = Vec::new();
    let _ = timeout(DEADLINE, wrong.read_to_end(&mut left)).await.unwrap();
    assert!(!left.windows(2).any(|two| two == [0x30, 0x0c]), "no LDAP in the clear: {left:x?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bind_behind_other_requests_waits_for_them_and_what_is_behind_a_bind_is_abandoned_in_time() {
    let (_edge, _, client) = served(|_| ()).await;
    let mut raw = Raw::connect(&client).await;
    raw.bind(&client).await;
    // 1. In one packet: a search as the application, a person's bind, and a search as that person.
    let all = search(BASE, &present("uid"));
    let both = [
        message(2, &all, &[]),
        message(3, &bind(ALICE, RIGHT.as_bytes()), &[]),
        message(4, &all, &[]),
        message(5, &search(BASE, &present("member")), &[]),
    ];
    raw.send(&both.concat()).await;
    let mut order = Vec::new();
    while order.last() != Some(&(5, DONE)) {
        let answer = raw.answer().await.unwrap();
        order.push((answer.id, answer.tag));
    }
    // A person reads the own entry, and no group.
    assert_eq!(order, [(2, ENTRY), (2, DONE), (3, BIND), (4, ENTRY), (4, DONE), (5, DONE)]);
    // 2. A bind takes a derivation and the grid; the search behind it is given up meanwhile, and the one after it is not.
    let abandon = element(ABANDON, &[7]);
    let three = [
        message(6, &bind(ALICE, b"wrong"), &[]),
        message(7, &search_in(b"", 0, &present(ALL), &[]), &[]),
        message(8, &abandon, &[]),
        message(9, &search_in(b"", 0, &present(ALL), &[]), &[]),
    ];
    raw.send(&three.concat()).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&9) || seen.iter().filter(|id| **id == 9).count() < 2 {
        seen.push(raw.answer().await.unwrap().id);
    }
    assert_eq!(seen, [6, 9, 9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_end_with_what_they_stand_on() {
    let (edge, phs, client) = served(|settings| settings.networks = vec!["127.0.0.1".to_owned()]).await;
    let own = search(BASE, &equal("uid", b"alice"));
    let signed_in = async || {
        let mut raw = Raw::connect(&client).await;
        assert_eq!(raw.code(1, &bind(ALICE, RIGHT.as_bytes())).await, 0);
        let (found, done) = raw.ask(2, &own, &[]).await;
        assert_eq!((found.len(), done.code), (1, 0));
        raw
    };
    // 1. Blocked, and let in again: the connection of before stays without rights.
    let mut raw = signed_in().await;
    says(&edge, AdminRequest::UsersBlock { name: "alice@corp.example.com".to_owned() }).await;
    assert_eq!(raw.code(3, &own).await, 50);
    says(&edge, AdminRequest::UsersUnblock { name: "alice@corp.example.com".to_owned() }).await;
    // 2. Not assigned any more.
    let mut raw = signed_in().await;
    let gone = landbridge_wire::upload::Link { present: false, created: 6, ..member(11, 1) };
    send(&edge, &phs, vec![], vec![gone]).await;
    assert_eq!(raw.code(3, &own).await, 50);
    assert_eq!(raw.code(4, &bind(ALICE, RIGHT.as_bytes())).await, 49);
    let again = landbridge_wire::upload::Link { created: 7, ..member(11, 1) };
    send(&edge, &phs, vec![], vec![again]).await;
    // 3. The password was changed.
    let mut raw = signed_in().await;
    send(&edge, &phs, vec![client::with_new_password(1, "alice", "Another horse 2!")], vec![]).await;
    assert_eq!(raw.code(3, &own).await, 50);
    assert_eq!(raw.code(4, &bind(ALICE, RIGHT.as_bytes())).await, 49, "the old one");
    assert_eq!(raw.code(5, &bind(ALICE, b"Another horse 2!")).await, 0);
    // 4. An application whose secret ended, and one that is revoked.
    let mut app = Raw::connect(&client).await;
    app.bind(&client).await;
    assert_eq!(app.code(2, &own).await, 0);
    says(&edge, AdminRequest::AppsSecretRemove { name: "wiki".to_owned(), number: 1 }).await;
    assert_eq!(app.code(3, &own).await, 50);
    assert_eq!(raw.code(6, &own).await, 0, "a person who signed in through it stays");
    says(&edge, AdminRequest::AppsRevoke { name: "wiki".to_owned() }).await;
    assert_eq!(raw.code(7, &own).await, 50);
    let (_, refused) = raw.ask(8, &bind(ALICE, b"Another horse 2!"), &[]).await;
    assert!(refused.code == 53 && refused.holds("no application is known"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_every_kind_leave_on_the_grid_and_look_alike() {
    let (edge, _, client) = served(|settings| settings.networks = vec!["127.0.0.1".to_owned()]).await;
    says(&edge, AdminRequest::UsersBlock { name: "bob@corp.example.com".to_owned() }).await;
    let mut raw = Raw::connect(&client).await;
    let mut answers = Vec::new();
    for (name, password, what) in [
        (ALICE, "wrong", "wrong"),
        (b"uid=nobody,ou=people,dc=corp,dc=example,dc=com", RIGHT, "unknown"),
        (b"uid=bob,ou=people,dc=corp,dc=example,dc=com", RIGHT, "not assigned, and blocked"),
        (b"cn=Pilot,ou=groups,dc=corp,dc=example,dc=com", RIGHT, "a group"),
        (b"dc=corp,dc=example,dc=com", RIGHT, "no account"),
        (b"alice", "wrong", "a bare name"),
        (b"CORP\\nobody", "wrong", "unknown"),
    ] {
        let begun = Instant::now();
        let (_, answer) = raw.ask(3, &bind(name, password.as_bytes()), &[]).await;
        let took = begun.elapsed();
        assert!(answer.code == 49 && took >= GRID, "{what}: {answer:?} after {took:?}");
        answers.push(answer.bytes);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "they differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_over_names_and_connections_lock_people_out_of_this_application_alone() {
    let (edge, _, client) = served(|settings| settings.networks = vec!["127.0.0.1".to_owned()]).await;
    let api = edge.credential("api", 6_000).await;
    let mut guesses = Vec::new();
    for n in 0..12 {
        let mut raw = Raw::connect(&client).await;
        let names: [&[u8]; 3] = [ALICE, b"alice@corp.example.com", b"CORP\\ALICE"];
        let name = names[n % 3].to_vec();
        guesses.push(tokio::spawn(async move {
            raw.code(1, &bind(&name, format!("guess {n}").as_bytes())).await
        }));
    }
    for guess in guesses {
        assert_eq!(guess.await.unwrap(), 49);
    }
    let mut raw = Raw::connect(&client).await;
    assert_eq!(raw.code(1, &bind(ALICE, RIGHT.as_bytes())).await, 49, "locked");
    let (status, _, _) = crate::applications::sign_in(&edge, &api, "alice@corp.example.com", RIGHT).await;
    assert_eq!(status, hyper::StatusCode::OK, "another application is open");
    let entries = edge.audit().await;
    assert!(entries.iter().any(|entry| entry.detail.contains("the application's address")), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_finishes_what_was_requested_and_says_goodbye() {
    let (edge, _, client) = served(|settings| settings.networks = vec!["127.0.0.1".to_owned()]).await;
    let mut idle = Raw::connect(&client).await;
    idle.bind(&client).await;
    let mut busy = Raw::connect(&client).await;
    busy.send(&message(5, &bind(ALICE, b"wrong"), &[])).await;
    // It is decided, and its answer waits for the grid.
    until("the bind is decided", async || {
        edge.audit()
            .await
            .iter()
            .any(|entry| entry.action == "signin-refused" || entry.detail.contains("wrong-password"))
    })
    .await;
    let stopping = tokio::spawn(edge.stop());
    let refusal = busy.answer().await.unwrap();
    assert_eq!((refusal.id, refusal.tag, refusal.code), (5, BIND, 49));
    for raw in [&mut idle, &mut busy] {
        let notice = raw.answer().await.expect("a notice of disconnection");
        assert_eq!((notice.id, notice.code), (0, 52));
        assert!(raw.answer().await.is_none());
    }
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_balancer_the_client_is_whom_its_header_names_and_nobody_comes_without_one() {
    let balancers = vec![Network::parse("127.0.0.0/8").unwrap()];
    let (_edge, _, client) = served_with(
        |ldap| ldap.balancers = Some(balancers),
        |settings| settings.networks = vec!["203.0.113.0/24".to_owned()],
    )
    .await;
    let (name, password) = client.account();
    for (from, code) in [([203, 0, 113, 9], 0), ([198, 51, 100, 9], 49)] {
        // 1. TLS first.
        let mut stream = TcpStream::connect(client.ldaps).await.unwrap();
        stream.write_all(&header(from.into())).await.unwrap();
        let mut raw = Raw::over(&client, stream).await;
        assert_eq!(raw.code(1, &bind(name.as_bytes(), password.as_bytes())).await, code, "{from:?}");
        // 2. StartTLS: the header comes before the first request.
        let mut stream = TcpStream::connect(client.start_tls).await.unwrap();
        stream.write_all(&header(from.into())).await.unwrap();
        let mut plain = Raw(stream);
        assert_eq!(plain.ask(1, &extended(START_TLS), &[]).await.1.code, 0);
        let mut raw = Raw::over(&client, plain.0).await;
        assert_eq!(raw.code(2, &bind(name.as_bytes(), password.as_bytes())).await, code, "{from:?}");
    }
    let mut plain = Raw(TcpStream::connect(client.start_tls).await.unwrap());
    plain.send(&message(1, &extended(START_TLS), &[])).await;
    assert!(plain.answer().await.is_none(), "no header, no answer");
}
