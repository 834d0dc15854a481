//! People change their own passwords by LDAP: whose password it is, what is answered, and what a connection keeps.

use super::changing_agent::{ChangingAgent, Deed};
use super::client::Client;
use super::raw::{Answer, Raw, bind, control, element, extended, present, search};
use super::served;
use crate::applications::{RIGHT, stamp, user};
use crate::directory::{member, says, send, upload};
use crate::harness::{DOMAIN, Edge, Identity};
use landbridge_crypto::nt_hash::NtHash;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_tenant_core::administration::request::AdminRequest;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_rules::model::ChangePolicy;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::change::{ChangeOutcome, NewRefused, PasswordRules};
use landbridge_wire::signin::Decline;
use landbridge_wire::upload::{Attribute, DomainPolicy, Password as Sent, Receipt, Record, Stamp, Upload};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

const ALICE: &str = "uid=alice,ou=people,dc=corp,dc=example,dc=com";
const BOB: &str = "uid=bob,ou=people,dc=corp,dc=example,dc=com";
const NEW: &str = "Another harbour 2!";
const MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
const POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
const DAY: i64 = 86_400;

/// The values of `error` in the password policy's control.
const EXPIRED: u8 = 0;
const NOT_ALLOWED: u8 = 3;
const NEEDS_OLD: u8 = 4;
const TOO_SIMPLE: u8 = 5;
const TOO_SHORT: u8 = 6;
const TOO_YOUNG: u8 = 7;
const IN_HISTORY: u8 = 8;

type Connection = Raw<TlsStream<TcpStream>>;

/// A request to change a password.
fn modify(user: Option<&str>, old: Option<&str>, new: Option<&str>) -> Vec<u8> {
    let parts = (0x80..).zip([user, old, new]);
    let parts: Vec<u8> =
        parts.filter_map(|(tag, part)| Some(element(tag, part?.as_bytes()))).flatten().collect();
    let value = element(0x81, &element(0x30, &parts));
    element(0x77, &[element(0x80, MODIFY.as_bytes()), value].concat())
}

/// Asks with the control of the password policy, critical or not.
async fn ask(raw: &mut Connection, operation: &[u8], critical: bool) -> Answer {
    raw.ask(7, operation, &[control(POLICY, critical, None)]).await.1
}

/// The value of the answer's password policy control.
fn policy_value(answer: &Answer) -> Option<&[u8]> {
    let at = answer.bytes.windows(POLICY.len()).position(|part| part == POLICY.as_bytes())?;
    // The value's tag and length, then the value.
    answer.bytes.get(at + POLICY.len() + 2..)
}

/// The error in it.
fn error(answer: &Answer) -> Option<u8> {
    match policy_value(answer).expect("the control is missing") {
        [0x30, 3, 0x81, 1, error] => Some(*error),
        [0x30, 0] => None,
        other => panic!("{other:x?}"),
    }
}

/// The seconds in it.
fn seconds(answer: &Answer) -> Option<u64> {
    match policy_value(answer).expect("the control is missing") {
        [0x30, _, 0xa0, _, 0x80, _, digits @ ..] => {
            Some(digits.iter().fold(0, |all, digit| all << 8 | u64::from(*digit)))
        }
        [0x30, 0] => None,
        other => panic!("{other:x?}"),
    }
}

async fn allow(edge: &Edge, policy: ChangePolicy) {
    let ask = AdminRequest::DomainsPolicy {
        name: DOMAIN.to_owned(),
        policy: None,
        approve_agents: None,
        change_passwords: Some(policy),
    };
    says(edge, ask).await;
}

/// A tenant whose people change their passwords, and the agent that does it.
async fn changing() -> (Edge, Identity, Client, ChangingAgent) {
    let (edge, phs, client) = served(|_| ()).await;
    allow(&edge, ChangePolicy::On).await;
    let agent = ChangingAgent::start(&edge).await;
    (edge, phs, client, agent)
}

/// A connection on which somebody has signed in, after the application has.
async fn signed_in(client: &Client, name: &str, password: &str) -> Connection {
    let mut raw = Raw::connect(client).await;
    raw.bind(client).await;
    assert_eq!(raw.code(2, &bind(name.as_bytes(), password.as_bytes())).await, 0);
    raw
}

async fn who_am_i(raw: &mut Connection) -> String {
    let (_, answer) = raw.ask(3, &extended(WHO_AM_I), &[]).await;
    let text = String::from_utf8_lossy(&answer.bytes).into_owned();
    text.split_once("dn:").map(|(_, name)| name.to_owned()).unwrap_or_default()
}

/// An account as phs sends it after its password was set at this FILETIME, for the time of this number.
fn set_again(number: u128, name: &str, password: &str, set_at: i64, version: u32) -> Record {
    let time = u64::try_from(set_at / 10_000_000).unwrap() + u64::from(version);
    let stamp = Stamp { version, time, ..stamp() };
    let changed = user(number, name, 0x200, set_at);
    let attributes =
        changed.attributes.as_slice().iter().cloned().map(|one| Attribute { stamp, ..one }).collect();
    let hash = NtHash::of_password(&Password::new(password.to_owned()));
    let digest = SaltedDigest::derive(hash, Profile::Entra);
    Record { attributes: List::new(attributes).unwrap(), password: Some(Sent { stamp, digest }), ..changed }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_change_their_own_password_by_every_name_of_theirs_and_no_other() {
    let (edge, phs, client, agent) = changing().await;
    // bob has the same password.
    send(&edge, &phs, vec![], vec![member(10, 2)]).await;
    agent.will(Deed::Answer(ChangeOutcome::NewRefused(NewRefused::TooShort { minimum: 12 })));
    let mut raw = signed_in(&client, ALICE, RIGHT).await;
    for name in [
        None,
        Some(ALICE),
        Some("UID=Alice, OU=People, DC=corp,DC=example,DC=com"),
        Some("alice"),
        Some("CORP\\alice"),
        Some("ALICE@corp.example.com"),
    ] {
        let answer = ask(&mut raw, &modify(name, Some(RIGHT), Some("short")), true).await;
        assert_eq!((answer.code, error(&answer)), (19, Some(TOO_SHORT)), "{name:?}: {answer:?}");
        assert!(answer.holds("it needs 12 characters"), "{answer:?}");
        assert_eq!(agent.received(), [("alice".into(), RIGHT.into(), "short".into())], "{name:?}");
    }
    for name in
        [BOB, "bob", "CORP\\bob", "bob@corp.example.com", "nobody", "cn=wiki,ou=applications", "dc=corp"]
    {
        let answer = ask(&mut raw, &modify(Some(name), Some(RIGHT), Some(NEW)), false).await;
        assert_eq!((answer.code, error(&answer)), (50, Some(NOT_ALLOWED)), "{name}: {answer:?}");
    }
    // An application changes nobody's, by whatever it knows.
    let mut application = Raw::connect(&client).await;
    application.bind(&client).await;
    for name in [None, Some(ALICE)] {
        let answer = ask(&mut application, &modify(name, Some(RIGHT), Some(NEW)), false).await;
        assert_eq!((answer.code, error(&answer)), (50, Some(NOT_ALLOWED)), "{name:?}: {answer:?}");
        assert!(answer.holds("an application changes no passwords"));
    }
    assert!(agent.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_that_changed_the_password_goes_on_and_others_lose_their_rights() {
    let (edge, phs, client, agent) = changing().await;
    let own = present("objectClass");
    let mut raw = signed_in(&client, ALICE, RIGHT).await;
    let mut other = signed_in(&client, ALICE, RIGHT).await;
    let set_at = filetime(unix_now()).unwrap() + 1_234_567;
    agent.will(Deed::Answer(ChangeOutcome::Changed { password_set: Some(set_at) }));
    let answer = ask(&mut raw, &modify(None, Some(RIGHT), Some(NEW)), false).await;
    assert_eq!((answer.code, error(&answer)), (0, None), "{answer:?}");
    assert_eq!(agent.received(), [("alice".into(), RIGHT.into(), NEW.into())]);
    assert!(edge.audit().await.iter().any(|entry| entry.action == "password-changed"));
    assert_eq!((who_am_i(&mut raw).await, who_am_i(&mut other).await), (ALICE.to_owned(), String::new()));
    // The old password is over at once, and the new one is in force with the next cycle of phs.
    let mut third = Raw::connect(&client).await;
    third.bind(&client).await;
    assert_eq!(third.code(2, &bind(ALICE.as_bytes(), RIGHT.as_bytes())).await, 49);
    send(&edge, &phs, vec![set_again(1, "alice", NEW, set_at, 2)], vec![]).await;
    assert_eq!(third.code(3, &bind(ALICE.as_bytes(), NEW.as_bytes())).await, 0);
    assert_eq!((who_am_i(&mut raw).await, who_am_i(&mut other).await), (ALICE.to_owned(), String::new()));
    assert_eq!(raw.code(4, &search(ALICE.as_bytes(), &own)).await, 0);
    assert_eq!(other.code(4, &search(ALICE.as_bytes(), &own)).await, 50);
    // A change that comes from elsewhere ends the rights here too.
    send(&edge, &phs, vec![set_again(1, "alice", RIGHT, set_at + 1, 3)], vec![]).await;
    assert_eq!(who_am_i(&mut raw).await, "");
    // Without the time of the change the connection would not survive the next cycle: it ends at once.
    let mut raw = signed_in(&client, ALICE, RIGHT).await;
    agent.will(Deed::Answer(ChangeOutcome::Changed { password_set: None }));
    assert_eq!(raw.code(5, &modify(None, Some(RIGHT), Some(NEW))).await, 0);
    assert_eq!(who_am_i(&mut raw).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_must_change_the_password_does_so_on_the_connection_whose_bind_was_refused() {
    let (edge, phs, client, agent) = changing().await;
    allow(&edge, ChangePolicy::WhenRequired).await;
    let new = |user, old| modify(user, old, Some(NEW));
    // 1. Not while it need not be.
    let mut raw = Raw::connect(&client).await;
    let answer = ask(&mut raw, &new(Some(ALICE), Some(RIGHT)), false).await;
    assert_eq!((answer.code, error(&answer)), (53, Some(NOT_ALLOWED)), "{answer:?}");
    assert!(answer.holds("ask its administrator"), "{answer:?}");
    // 2. The bind says that it must be changed, to those who know it alone.
    send(&edge, &phs, vec![set_again(1, "alice", RIGHT, 0, 2)], vec![]).await;
    let answer = ask(&mut raw, &bind(ALICE.as_bytes(), RIGHT.as_bytes()), true).await;
    assert_eq!((answer.code, error(&answer)), (49, Some(EXPIRED)), "{answer:?}");
    assert!(answer.holds("data 773"));
    let wrong = ask(&mut raw, &bind(ALICE.as_bytes(), b"wrong"), true).await;
    assert_eq!((wrong.code, error(&wrong)), (49, None), "{wrong:?}");
    // 3. Nobody is signed in, so the request names the person and proves it.
    let answer = ask(&mut raw, &new(None, Some(RIGHT)), false).await;
    assert_eq!((answer.code, error(&answer)), (50, None), "{answer:?}");
    let answer = ask(&mut raw, &new(Some(ALICE), None), false).await;
    assert_eq!((answer.code, error(&answer)), (53, Some(NEEDS_OLD)), "{answer:?}");
    let refused = ask(&mut raw, &new(Some(ALICE), Some("wrong")), true).await;
    let same = |text: &str| wrong.holds(text) && refused.holds(text);
    assert!(same("the name or the password is wrong, or the account may not sign in"), "{refused:?}");
    assert_eq!((refused.code, error(&refused)), (49, None));
    assert!(agent.received().is_empty());
    // 4. It is changed, and nobody is signed in for that.
    let set_at = filetime(unix_now()).unwrap();
    agent.will(Deed::Answer(ChangeOutcome::Changed { password_set: Some(set_at) }));
    let answer = ask(&mut raw, &new(Some("CORP\\alice"), Some(RIGHT)), false).await;
    assert_eq!((answer.code, error(&answer)), (0, None), "{answer:?}");
    assert_eq!(who_am_i(&mut raw).await, "");
    send(&edge, &phs, vec![set_again(1, "alice", NEW, set_at, 3)], vec![]).await;
    assert_eq!(raw.code(9, &bind(ALICE.as_bytes(), NEW.as_bytes())).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_outcome_has_its_code_and_says_what_to_do() {
    let (edge, _, client) = served(|_| ()).await;
    let mut raw = signed_in(&client, ALICE, RIGHT).await;
    let change = modify(None, Some(RIGHT), Some(NEW));
    let mut outcome = async |operation: &[u8]| {
        let answer = ask(&mut raw, operation, false).await;
        (answer.code, error(&answer), String::from_utf8_lossy(&answer.bytes).into_owned())
    };
    // 1. Nobody who could: the policy, then the lack of an agent.
    for words in ["by the policy of the domain", "no agent of the domain changes passwords"] {
        let (code, error, text) = outcome(&change).await;
        assert_eq!((code, error), (53, Some(NOT_ALLOWED)), "{text}");
        assert!(text.contains(words) && text.contains("ask its administrator"), "{text}");
        allow(&edge, ChangePolicy::On).await;
    }
    // 2. What is no request for a change.
    let agent = ChangingAgent::start(&edge).await;
    let long = "x".repeat(257);
    for (operation, code, error) in [
        (modify(None, None, Some(NEW)), 53, Some(NEEDS_OLD)),
        (modify(None, Some(""), Some(NEW)), 53, Some(NEEDS_OLD)),
        (modify(None, Some(RIGHT), None), 53, None),
        (modify(None, Some(RIGHT), Some("")), 53, None),
        (modify(None, Some(RIGHT), Some(&long)), 19, Some(TOO_SIMPLE)),
        (extended(MODIFY), 53, Some(NEEDS_OLD)),
        (modify(Some("a\0b"), Some(RIGHT), Some(NEW)), 34, None),
        (element(0x77, &[element(0x80, MODIFY.as_bytes()), element(0x81, b"x")].concat()), 2, None),
    ] {
        let (is, policy, text) = outcome(&operation).await;
        assert_eq!((is, policy), (code, error), "{text}");
    }
    assert!(agent.received().is_empty());
    // 3. The directory's reasons.
    let rules = PasswordRules { minimum_length: 9, history: 4, complex: true, minimum_age: 7_200 };
    for (why, error, words) in [
        (NewRefused::InHistory { remembered: 24 }, IN_HISTORY, "one of the last 24 passwords"),
        (NewRefused::NotComplex, TOO_SIMPLE, "too simple"),
        (NewRefused::NotPermitted, TOO_YOUNG, "not so soon after the last change"),
        (NewRefused::Rules(rules), TOO_SIMPLE, "at least 9 characters; three of capital"),
        (NewRefused::Rules(rules), TOO_SIMPLE, "the last 4 passwords; not within 2 hours"),
        (NewRefused::Other(Text::new("Not on a Monday").unwrap()), TOO_SIMPLE, "Not on a Monday"),
    ] {
        agent.will(Deed::Answer(ChangeOutcome::NewRefused(why)));
        let (code, policy, text) = outcome(&change).await;
        assert_eq!((code, policy), (19, Some(error)), "{text}");
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(agent.received().len(), 6);
    // 4. Nothing was changed, or it is not known.
    for (deed, code, words) in [
        (Deed::Decline(Decline::Overloaded), 51, "the password was not changed"),
        (Deed::Decline(Decline::TooLate), 52, "the password was not changed"),
        (Deed::Answer(ChangeOutcome::NotKnown), 80, "it is not known whether"),
    ] {
        agent.will(deed);
        let (is, _, text) = outcome(&change).await;
        assert!(is == code && text.contains(words), "{is}: {text}");
        assert_eq!(agent.received().len(), 1, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_leaves_half_way_leaves_the_outcome_unknown() {
    let (_edge, _, client, agent) = changing().await;
    let mut raw = signed_in(&client, ALICE, RIGHT).await;
    agent.will(Deed::Leave);
    let answer = ask(&mut raw, &modify(None, Some(RIGHT), Some(NEW)), false).await;
    assert!(answer.code == 80 && answer.holds("it is not known whether"), "{answer:?}");
    assert_eq!(agent.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_by_way_of_changes_lock_the_account_as_binds_do() {
    let (_edge, _, client, agent) = changing().await;
    let mut raw = Raw::connect(&client).await;
    for guess in 0..10 {
        let guess = format!("guess {guess}");
        assert_eq!(raw.code(2, &modify(Some(ALICE), Some(&guess), Some(NEW))).await, 49);
    }
    let answer = ask(&mut raw, &modify(Some(ALICE), Some(RIGHT), Some(NEW)), false).await;
    assert_eq!((answer.code, error(&answer)), (49, None), "the lock is not shown");
    let answer = ask(&mut raw, &bind(ALICE.as_bytes(), RIGHT.as_bytes()), false).await;
    assert_eq!((answer.code, error(&answer)), (49, None), "the lock is not shown");
    assert!(agent.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_changed_in_tls_alone() {
    let (_edge, _, client, agent) = changing().await;
    let mut plain = Raw(TcpStream::connect(client.start_tls).await.unwrap());
    assert_eq!(plain.code(1, &modify(Some(ALICE), Some(RIGHT), Some(NEW))).await, 13);
    assert!(agent.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bind_warns_of_a_password_that_expires_within_fourteen_days() {
    let (edge, phs, client) = served(|_| ()).await;
    let days = |days: i64| days * DAY * 10_000_000;
    let newer = Stamp { version: 2, ..stamp() };
    let policy = Some(DomainPolicy { max_pwd_age: Some((newer, -days(30))), ..DomainPolicy::default() });
    let mut version = 1;
    let mut set = async |ago: i64| {
        version += 1;
        let set_at = filetime(unix_now()).unwrap() - days(ago) + days(1) / 24;
        let mut record = set_again(1, "alice", RIGHT, set_at, version);
        let of_now = Stamp { version, time: 13_500_000_000, ..stamp() };
        record.password.as_mut().unwrap().stamp = of_now;
        let upload = Upload { policy: policy.clone(), ..upload(&phs, vec![record], vec![]) };
        let receipt: Receipt = edge.post(Some(&phs), "/v1/upload", &upload).await.unwrap();
        assert!(receipt.refused.as_slice().is_empty(), "{receipt:?}");
        let mut raw = Raw::connect(&client).await;
        raw.bind(&client).await;
        let answer = ask(&mut raw, &bind(ALICE.as_bytes(), RIGHT.as_bytes()), true).await;
        // Only who wants the control gets it.
        let (_, bare) = raw.ask(8, &bind(ALICE.as_bytes(), RIGHT.as_bytes()), &[]).await;
        assert_eq!((bare.code, policy_value(&bare)), (answer.code, None));
        answer
    };
    let answer = set(20).await;
    let left = seconds(&answer).unwrap();
    let day = u64::try_from(DAY).unwrap();
    assert!(answer.code == 0 && left > 10 * day && left <= 10 * day + day / 24, "{left}: {answer:?}");
    assert_eq!((set(10).await.code, seconds(&set(10).await)), (0, None), "20 days before it expires");
    let expired = set(40).await;
    assert_eq!((expired.code, error(&expired)), (49, Some(EXPIRED)));
    assert!(expired.holds("data 532"));
}
