//! Version 1 of every message, as it stands on the wire. These files are a promise to agents in the field:
//! a change that makes this test fail is a new version, not a new golden file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::change::{ChangeAnswer, ChangeOutcome, ChangeRequest, NewRefused, PasswordRules};
use landbridge_wire::described::{Described, DescribedName, DescribedValue, Row, Syntax};
use landbridge_wire::enroll::{
    EnrollRequest, EnrollResponse, RenewRequest, RenewResponse, Role, Token, TokenSecret,
};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::reserved::{NameKey, ReservedAttribute, Reserving};
use landbridge_wire::signin::{DirectoryVerdict, FromAgent, FromTenant};
use landbridge_wire::upload::{
    Attribute, AttributeValue, DomainPolicy, Hello, Kind, Link, LinkKind, Mode, Offer, Password,
    PhsHeartbeat, Presence, Receipt, Record, Refusal, RefusalReason, ReservedName, Stamp, Upload, Wanted,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

const DIGEST: &str =
    "v1;PPH1_MD4,317ee9d1dec6508fa510,1000,7eaea8e1628dffee62cf319f4e1fc05254da30a1d42ff755ff352f5b13497531;";
const SID: &str = "S-1-5-21-1004336348-1177238915-682003330";

fn id(n: u128) -> Uuid {
    Uuid::from_u128(0x1000_0000_0000_4000_8000_0000_0000_0000 + n)
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

fn stamp(version: u32) -> Stamp {
    Stamp { version, time: 13_408_243_200, invocation_id: id(0xd5a) }
}

/// The file is what this build writes for `message`, and this build reads the file and writes it again.
fn holds<T: Serialize + DeserializeOwned>(name: &str, message: &T) {
    let file = format!("{}/golden/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let golden: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let written = frame::encode(message).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written[frame::HEAD..]).unwrap(), golden, "{name}: written");

    let payload = serde_json::to_vec(&golden).unwrap();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let read: T = frame::decode(&[b"LB\x01\x00", &length[..], &payload].concat()).unwrap();
    let again = frame::encode(&read).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&again[frame::HEAD..]).unwrap(), golden, "{name}: read");
}

#[test]
fn enrolment_stands_as_in_version_1() {
    let secret = || TokenSecret::new("aHR0cHM6Ly9leGFtcGxlLmNvbS8tLW1hZGUtdXAtLQA".to_owned());
    let token = || Token {
        url: text("https://tenant.example.com:8443"),
        ca_sha256: text(&"5f".repeat(32)),
        secret: secret(),
    };
    holds("token", &token());
    holds(
        "enroll_request",
        &EnrollRequest {
            secret: secret(),
            role: Role::Phs,
            csr: Blob::new([0x30, 0x82, 0, 0xff]).unwrap(),
            envelope: None,
            software: text("landbridge-phs 0.1.0"),
            host: text("sync1.corp.example.com"),
        },
    );
    holds(
        "enroll_response",
        &EnrollResponse {
            agent: id(1),
            tenant: id(2),
            domain: text("corp.example.com"),
            domain_sid: text(SID),
            certificate: Blob::new([0x30, 1]).unwrap(),
            root: Blob::new([0x30, 2]).unwrap(),
            approved: false,
            nodes: List::default(),
        },
    );
    holds("renew_request", &RenewRequest { csr: Blob::new([0x30, 3]).unwrap(), envelope: None });
    holds(
        "renew_response",
        &RenewResponse {
            certificate: Blob::new([0x30, 4]).unwrap(),
            roots: List::new(vec![Blob::new([0x30, 2]).unwrap(), Blob::new([0x30, 5]).unwrap()]).unwrap(),
            nodes: List::default(),
        },
    );
}

#[test]
fn the_answers_by_which_agents_learn_the_nodes_stand_as_they_are_sent() {
    let nodes =
        || List::new(vec![text("https://one.example.com:8443"), text("https://two.example.com:8443")]);
    holds(
        "enroll_response_nodes",
        &EnrollResponse {
            agent: id(1),
            tenant: id(2),
            domain: text("corp.example.com"),
            domain_sid: text(SID),
            certificate: Blob::new([0x30, 1]).unwrap(),
            root: Blob::new([0x30, 2]).unwrap(),
            approved: true,
            nodes: nodes().unwrap(),
        },
    );
    holds(
        "renew_response_nodes",
        &RenewResponse {
            certificate: Blob::new([0x30, 4]).unwrap(),
            roots: List::new(vec![Blob::new([0x30, 2]).unwrap()]).unwrap(),
            nodes: nodes().unwrap(),
        },
    );
    holds(
        "receipt_nodes",
        &Receipt {
            level: 4,
            generation: id(7),
            acknowledged: None,
            acknowledged_before: None,
            lacking: List::default(),
            reserving: None,
            ambiguous: None,
            nodes: nodes().unwrap(),
            applied: 0,
            unchanged: 0,
            swept: 0,
            refused: List::default(),
        },
    );
}

#[test]
fn the_questions_of_a_cycle_stand_as_in_version_1() {
    holds("hello", &Hello { instance: id(3), domain_sid: text(SID) });
    holds("phs_heartbeat", &PhsHeartbeat { instance: id(3) });
    let offer = || Offer {
        instance: id(3),
        passwords: List::new(vec![(id(4), stamp(2)), (id(5), stamp(1))]).unwrap(),
        iterations: None,
    };
    holds("offer", &offer());
    holds("offer_iterations", &Offer { iterations: Some(600_000), ..offer() });
    let wanted = || Wanted { objects: List::new(vec![id(4)]).unwrap(), again: List::default() };
    holds("wanted", &wanted());
    holds("wanted_again", &Wanted { again: List::new(vec![id(5)]).unwrap(), ..wanted() });
}

#[test]
fn an_upload_stands_as_in_version_1() {
    let attribute = |version, is| Attribute { stamp: stamp(version), is };
    let everything = vec![
        attribute(1, AttributeValue::SamAccountName(Some(text("ada")))),
        attribute(2, AttributeValue::UserPrincipalName(Some(text("ada@corp.example.com")))),
        attribute(3, AttributeValue::DisplayName(None)),
        attribute(4, AttributeValue::UserAccountControl(Some(512))),
        attribute(5, AttributeValue::AccountExpires(Some(i64::MAX))),
        attribute(6, AttributeValue::PwdLastSet(Some(134_082_432_000_000_000))),
        attribute(7, AttributeValue::LockoutTime(Some(0))),
        attribute(8, AttributeValue::LogonHours(Some(Blob::new([0xff; 21]).unwrap()))),
        attribute(9, AttributeValue::PrimaryGroupId(Some(513))),
        attribute(10, AttributeValue::AdminCount(None)),
    ];
    let gone = |n, presence| Record {
        object: id(n),
        kind: Kind::Account,
        sid: Some(text(&format!("{SID}-{n}"))),
        presence,
        privileged: false,
        protected_user: None,
        attributes: List::default(),
        password: None,
        erase_password: false,
    };
    let records = vec![
        Record {
            object: id(4),
            kind: Kind::Account,
            sid: Some(text(&format!("{SID}-1105"))),
            presence: Presence::Present,
            privileged: false,
            protected_user: Some(false),
            attributes: List::new(everything).unwrap(),
            password: Some(Password { stamp: stamp(2), digest: SaltedDigest::parse(DIGEST).unwrap() }),
            erase_password: false,
        },
        gone(1106, Presence::Deleted),
        gone(1107, Presence::Privileged),
        gone(1108, Presence::OutOfScope),
    ];
    let policy = DomainPolicy {
        max_pwd_age: Some((stamp(1), -36_288_000_000_000)),
        lockout_duration: Some((stamp(1), -18_000_000_000)),
        lockout_observation_window: Some((stamp(1), i64::MIN)),
        lockout_threshold: Some((stamp(1), 0)),
        ..DomainPolicy::default()
    };
    holds(
        "upload",
        &Upload {
            instance: id(3),
            domain_sid: text(SID),
            cycle: id(6),
            mode: Mode::FullCompare,
            policy: Some(policy),
            records: List::new(records).unwrap(),
            links: List::default(),
            commit: Some(text(&"c0".repeat(32))),
            most_swept: None,
            reserved: List::default(),
            level: 0,
        },
    );
    holds("mode_full_compare_by_stamp", &Mode::FullCompareByStamp);
    holds(
        "upload_empty",
        &Upload {
            instance: id(3),
            domain_sid: text(SID),
            cycle: id(6),
            mode: Mode::Incremental,
            policy: None,
            records: List::default(),
            links: List::default(),
            commit: None,
            most_swept: None,
            reserved: List::default(),
            level: 0,
        },
    );
}

#[test]
fn a_directory_stands_as_in_level_1() {
    let attribute = |version, is| Attribute { stamp: stamp(version), is };
    let record = |n, kind, sid: Option<u32>, attributes: Vec<AttributeValue>| Record {
        object: id(n),
        kind,
        sid: sid.map(|rid| text(&format!("{SID}-{rid}"))),
        presence: Presence::Present,
        privileged: false,
        protected_user: None,
        attributes: List::new(attributes.into_iter().map(|is| attribute(1, is)).collect()).unwrap(),
        password: None,
        erase_password: kind == Kind::Account,
    };
    let addresses = List::new(vec![text("SMTP:ada@example.com"), text("smtp:a@example.com")]).unwrap();
    let records = vec![
        record(
            4,
            Kind::Account,
            Some(1105),
            vec![
                AttributeValue::AlternateLogin(Some(text("ada@example.com"))),
                AttributeValue::Mail(Some(text("ada@example.com"))),
                AttributeValue::ProxyAddresses(addresses),
                AttributeValue::GivenName(Some(text("Ada"))),
                AttributeValue::Surname(Some(text("Lovelace"))),
                AttributeValue::Department(Some(text("Engines"))),
                AttributeValue::Title(Some(text("Countess"))),
                AttributeValue::TelephoneNumber(Some(text("+44 20 7946 0000"))),
                AttributeValue::Mobile(None),
            ],
        ),
        record(
            5,
            Kind::Group,
            Some(1201),
            vec![
                AttributeValue::Description(Some(text("who may"))),
                AttributeValue::GroupType(Some(-2_147_483_646)),
            ],
        ),
        record(6, Kind::Contact, None, vec![AttributeValue::Name(Some(text("Charles")))]),
        record(
            7,
            Kind::PasswordSettings,
            None,
            vec![
                AttributeValue::Precedence(Some(10)),
                AttributeValue::MaximumPasswordAge(Some(i64::MIN)),
                AttributeValue::LockoutDuration(Some(-18_000_000_000)),
                AttributeValue::LockoutObservationWindow(Some(-18_000_000_000)),
                AttributeValue::LockoutThreshold(Some(3)),
            ],
        ),
    ];
    let link = |what, from, to, present| Link {
        what,
        from: id(from),
        to: id(to),
        present,
        created: 13_408_000_000,
        stamp: stamp(1),
    };
    let links = vec![
        link(LinkKind::Member, 5, 4, true),
        link(LinkKind::Manager, 4, 8, false),
        link(LinkKind::AppliesTo, 7, 5, true),
    ];
    holds(
        "upload_directory",
        &Upload {
            instance: id(3),
            domain_sid: text(SID),
            cycle: id(6),
            mode: Mode::Incremental,
            policy: None,
            records: List::new(records).unwrap(),
            links: List::new(links).unwrap(),
            commit: None,
            most_swept: None,
            reserved: List::default(),
            level: 0,
        },
    );
    holds(
        "receipt_directory",
        &Receipt {
            level: 1,
            generation: id(7),
            acknowledged: None,
            acknowledged_before: None,
            lacking: List::default(),
            reserving: None,
            ambiguous: None,
            nodes: List::default(),
            applied: 4,
            unchanged: 0,
            swept: 0,
            refused: List::default(),
        },
    );
}

#[test]
fn attributes_that_describe_an_object_stand_as_in_level_3() {
    let value = |row: &Row| match row.syntax {
        Syntax::Text => DescribedValue::Text(text(&format!("{} of a person", row.name))),
        Syntax::Ascii => DescribedValue::Text(text(&format!("/{}", row.name))),
        Syntax::Integer => DescribedValue::Integer(10_007),
        Syntax::Time => DescribedValue::Integer(13_408_243_200),
        Syntax::Octets => DescribedValue::Octets(Blob::new([0xff, 0xd8, 0xff, 0xe0]).unwrap()),
    };
    // One was removed.
    let value = |row: &Row| (row.name != "info").then(|| value(row));
    let attribute = |name: DescribedName| Attribute {
        stamp: stamp(3),
        is: AttributeValue::Described(Described { name, value: value(name.row()) }),
    };
    holds(
        "upload_described",
        &Upload {
            records: List::new(vec![Record {
                object: id(10),
                kind: Kind::Account,
                sid: Some(text(&format!("{SID}-1105"))),
                presence: Presence::Present,
                privileged: false,
                protected_user: Some(false),
                attributes: List::new(DescribedName::all().map(attribute).collect()).unwrap(),
                password: None,
                erase_password: false,
            }])
            .unwrap(),
            instance: id(3),
            domain_sid: text(SID),
            cycle: id(6),
            mode: Mode::Incremental,
            policy: None,
            links: List::default(),
            commit: None,
            most_swept: None,
            reserved: List::default(),
            level: 0,
        },
    );
}

#[test]
fn the_places_of_objects_stand_as_in_level_3() {
    let record = |object, rdn: &str, parent: Option<Uuid>| {
        let rdn = AttributeValue::Rdn(Some(text(rdn)));
        let place = [Some(rdn), parent.map(|parent| AttributeValue::Parent(Some(parent)))];
        let attributes = place.into_iter().flatten().map(|is| Attribute { stamp: stamp(2), is }).collect();
        Record {
            object,
            kind: Kind::Container,
            sid: None,
            presence: Presence::Present,
            privileged: false,
            protected_user: None,
            attributes: List::new(attributes).unwrap(),
            password: None,
            erase_password: false,
        }
    };
    let (head, ou, person) = (id(20), id(21), id(10));
    let account = Record {
        kind: Kind::Account,
        sid: Some(text(&format!("{SID}-1105"))),
        ..record(person, "CN=Ada Lovelace", Some(ou))
    };
    holds(
        "upload_tree",
        &Upload {
            records: List::new(vec![
                record(head, "DC=corp", None),
                record(ou, "OU=Sales\\, West", Some(head)),
                account,
            ])
            .unwrap(),
            instance: id(3),
            domain_sid: text(SID),
            cycle: id(6),
            mode: Mode::Incremental,
            policy: None,
            links: List::default(),
            commit: None,
            most_swept: None,
            reserved: List::default(),
            level: 0,
        },
    );
}

#[test]
fn the_rules_for_new_passwords_stand_as_in_level_4() {
    let attributes = [
        AttributeValue::MinimumPasswordAge(Some(-864_000_000_000)),
        AttributeValue::MinimumPasswordLength(Some(14)),
        AttributeValue::PasswordHistoryLength(Some(24)),
        AttributeValue::PasswordComplexity(Some(true)),
    ];
    let settings = Record {
        object: id(30),
        kind: Kind::PasswordSettings,
        sid: None,
        presence: Presence::Present,
        privileged: false,
        protected_user: None,
        attributes: List::new(attributes.map(|is| Attribute { stamp: stamp(2), is }).into()).unwrap(),
        password: None,
        erase_password: false,
    };
    let policy = DomainPolicy {
        min_pwd_age: Some((stamp(1), -864_000_000_000)),
        min_pwd_length: Some((stamp(1), 7)),
        pwd_history_length: Some((stamp(1), 24)),
        pwd_properties: Some((stamp(1), 1)),
        ..DomainPolicy::default()
    };
    let upload = |policy| Upload {
        records: List::new(vec![]).unwrap(),
        instance: id(3),
        domain_sid: text(SID),
        cycle: id(6),
        mode: Mode::Incremental,
        policy: Some(policy),
        links: List::default(),
        commit: None,
        most_swept: None,
        reserved: List::default(),
        level: 0,
    };
    let whole = Upload { records: List::new(vec![settings]).unwrap(), ..upload(policy.clone()) };
    holds("upload_password_rules", &whole);
    // A tenant of a lower level is sent none of it.
    let mut fitted = DomainPolicy { lockout_threshold: Some((stamp(1), 5)), ..policy };
    fitted.fit(3);
    let only = DomainPolicy { lockout_threshold: Some((stamp(1), 5)), ..DomainPolicy::default() };
    assert_eq!(fitted, only);
    assert!(DomainPolicy::default().is_empty() && !only.is_empty());
}

#[test]
fn a_change_of_password_stands_as_it_is_sent() {
    let request = ChangeRequest {
        request: id(1),
        object: id(2),
        sid: text(&format!("{SID}-1105")),
        account: text("ada"),
        due: 9_500,
        encapsulated: Blob::new([7; 32]).unwrap(),
        sealed: Blob::new(vec![8; 144]).unwrap(),
    };
    holds("change_request", &FromTenant::Change(Box::new(request)));
    let rules = PasswordRules { minimum_length: 7, history: 24, complex: true, minimum_age: 86_400 };
    for (name, outcome) in [
        ("changed", ChangeOutcome::Changed { password_set: Some(134_086_432_000_000_000) }),
        ("old_refused", ChangeOutcome::OldRefused(DirectoryVerdict::Wrong)),
        ("too_short", ChangeOutcome::NewRefused(NewRefused::TooShort { minimum: 7 })),
        ("in_history", ChangeOutcome::NewRefused(NewRefused::InHistory { remembered: 24 })),
        ("not_complex", ChangeOutcome::NewRefused(NewRefused::NotComplex)),
        ("not_permitted", ChangeOutcome::NewRefused(NewRefused::NotPermitted)),
        ("rules", ChangeOutcome::NewRefused(NewRefused::Rules(rules))),
        ("other", ChangeOutcome::NewRefused(NewRefused::Other(text("No.")))),
        ("not_known", ChangeOutcome::NotKnown),
    ] {
        let answer = ChangeAnswer { request: id(1), outcome, tag: Blob::new([9; 32]).unwrap() };
        holds(&format!("change_answer_{name}"), &FromAgent::Changed(Box::new(answer)));
    }
}

#[test]
fn reserved_names_stand_as_in_level_2() {
    let reserving = || Reserving {
        key: NameKey::from_bytes(&[0xab; 32]).unwrap(),
        dns_name: text("corp.example.com"),
        netbios_name: text("CORP"),
    };
    let name = |n, attribute, value: &str| ReservedName {
        object: id(n),
        attribute,
        stamp: stamp(1),
        hashes: List::new(reserving().hashes(attribute, value)).unwrap(),
    };
    let reserved = vec![
        name(8, ReservedAttribute::SamAccountName, "Administrator"),
        name(9, ReservedAttribute::UserPrincipalName, "administrator@corp.example.com"),
        name(9, ReservedAttribute::AlternateLogin, ""),
    ];
    holds(
        "upload_reserved",
        &Upload {
            instance: id(3),
            domain_sid: text(SID),
            cycle: id(6),
            mode: Mode::FullCompare,
            policy: None,
            records: List::default(),
            reserved: List::new(reserved).unwrap(),
            links: List::default(),
            commit: Some(text(&"c0".repeat(32))),
            most_swept: None,
            level: 2,
        },
    );
    let receipt = |reserving, ambiguous| Receipt {
        level: 2,
        generation: id(7),
        acknowledged: None,
        acknowledged_before: None,
        lacking: List::default(),
        reserving,
        ambiguous,
        nodes: List::default(),
        applied: 0,
        unchanged: 0,
        swept: 0,
        refused: List::default(),
    };
    holds("receipt_hello", &receipt(Some(reserving()), None));
    holds("receipt_ambiguous", &receipt(None, Some(3)));
}

#[test]
fn a_receipt_stands_as_in_version_1() {
    let refusal = |n, why| Refusal { object: id(n), why };
    holds(
        "receipt",
        &Receipt {
            level: 0,
            generation: id(7),
            acknowledged: Some(text(&"c0".repeat(32))),
            acknowledged_before: None,
            lacking: List::default(),
            reserving: None,
            ambiguous: None,
            nodes: List::default(),
            applied: 3,
            unchanged: 2,
            swept: 1,
            refused: List::new(vec![
                refusal(4, RefusalReason::Privileged),
                refusal(5, RefusalReason::WeakDigest),
                refusal(6, RefusalReason::ForeignSid),
            ])
            .unwrap(),
        },
    );
}

#[test]
fn a_refusal_stands_as_in_version_1() {
    let mut problem = Problem::new(ProblemCode::Overloaded, "the tenant takes 4 uploads at a time");
    problem.retry_after_seconds = Some(5);
    holds("problem", &problem);
    holds("problem_codes", &ALL_CODES[..19].to_vec());
}

/// In version 1 the first nineteen.
const ALL_CODES: [ProblemCode; 20] = [
    ProblemCode::TokenUnknown,
    ProblemCode::TokenExpired,
    ProblemCode::TokenUsed,
    ProblemCode::TokenWrongRole,
    ProblemCode::BadRequestForCertificate,
    ProblemCode::CertificateRequired,
    ProblemCode::CertificateExpired,
    ProblemCode::AgentRevoked,
    ProblemCode::AgentNotApproved,
    ProblemCode::WrongRole,
    ProblemCode::WrongDomain,
    ProblemCode::SecondWriter,
    ProblemCode::Malformed,
    ProblemCode::UnsupportedVersion,
    ProblemCode::TooLarge,
    ProblemCode::Overloaded,
    ProblemCode::StorageFailed,
    ProblemCode::Internal,
    ProblemCode::NotFound,
    ProblemCode::RemovalsHeld,
];

#[test]
fn every_refusal_prints_as_it_is_written_and_has_a_status() {
    for code in ALL_CODES {
        assert_eq!(format!("\"{code}\""), serde_json::to_string(&code).unwrap());
        assert!((400..600).contains(&code.http_status()));
    }
}

#[test]
fn a_sign_in_stands_as_in_version_1() {
    use landbridge_wire::signin::{
        AT_BOUND, Answer, BY_SID, Decline, Declined, DirectoryVerdict, FromAgent, FromTenant, Heartbeat,
        Hello as Introduction, NodesChanged, SignInRequest, Welcome,
    };
    let agent = |name: &str, message: FromAgent| holds(&format!("signin_agent_{name}"), &message);
    let tenant = |name: &str, message: FromTenant| holds(&format!("signin_tenant_{name}"), &message);
    let hello = |abilities| {
        FromAgent::Hello(Introduction {
            connection: id(11),
            instance: id(12),
            software: text("landbridge-pta-agent 0.1.0"),
            capacity: 64,
            abilities,
        })
    };
    agent("hello", hello(List::default()));
    agent("hello_abilities", hello(List::new(vec![text(BY_SID)]).unwrap()));
    let answer = |verdict| Answer { request: id(13), verdict, tag: Blob::new([0x7a; 32]).unwrap() };
    agent("answer", FromAgent::Answer(answer(DirectoryVerdict::Valid)));
    agent("answer_unknown", FromAgent::Answer(answer(DirectoryVerdict::Unknown(0x999))));
    let declined = Declined { request: id(13), why: Decline::NoDirectory, tried: true };
    agent("declined", FromAgent::Declined(declined));
    let other = Declined { why: Decline::OtherAccount, ..declined };
    agent("declined_other_account", FromAgent::Declined(other));
    agent("heartbeat", FromAgent::Heartbeat(Heartbeat { at: 12_000 }));
    agent("drain", FromAgent::Drain);
    let nodes = List::new(vec![text("https://tenant.example.com:8443")]).unwrap();
    let abilities = List::new(vec![text(AT_BOUND)]).unwrap();
    tenant("welcome_abilities", FromTenant::Welcome(Welcome { nodes: nodes.clone(), abilities }));
    tenant("welcome", FromTenant::Welcome(Welcome { nodes, abilities: List::default() }));
    let nodes = ["https://one.example.com:8443", "https://two.example.com:8443"].map(text).to_vec();
    tenant("nodes", FromTenant::Nodes(NodesChanged { nodes: List::new(nodes).unwrap() }));
    let ask = SignInRequest {
        request: id(13),
        object: id(14),
        sid: None,
        due: 22_000,
        encapsulated: Blob::new([1; 32]).unwrap(),
        sealed: Blob::new([2; 144]).unwrap(),
    };
    tenant("ask", FromTenant::SignIn(Box::new(ask.clone())));
    let sid = Some(text(&format!("{SID}-1105")));
    tenant("ask_sid", FromTenant::SignIn(Box::new(SignInRequest { sid, ..ask })));
    tenant("heartbeat", FromTenant::Heartbeat(Heartbeat { at: 12_000 }));
    tenant("drain", FromTenant::Drain);
}

#[test]
fn every_verdict_and_every_decline_has_its_word_and_its_number() {
    use landbridge_wire::signin::{Decline, DirectoryVerdict};
    let verdicts = [
        (DirectoryVerdict::Valid, "valid"),
        (DirectoryVerdict::Wrong, "wrong"),
        (DirectoryVerdict::LogonHours, "logon-hours"),
        (DirectoryVerdict::Workstation, "workstation"),
        (DirectoryVerdict::PasswordExpired, "password-expired"),
        (DirectoryVerdict::Disabled, "disabled"),
        (DirectoryVerdict::AccountExpired, "account-expired"),
        (DirectoryVerdict::MustChange, "must-change"),
        (DirectoryVerdict::Locked, "locked"),
        (DirectoryVerdict::Restricted, "restricted"),
    ];
    for (number, (verdict, word)) in verdicts.into_iter().enumerate() {
        assert_eq!(serde_json::to_value(verdict).unwrap(), word);
        let said = verdict.authenticated(id(1));
        assert_eq!(said[..16], *id(1).as_bytes());
        assert_eq!(said[16..], [0, 0, 0, u8::try_from(number + 1).unwrap(), 0, 0, 0, 0]);
    }
    assert_eq!(DirectoryVerdict::Unknown(0x52).authenticated(id(1))[16..], [0, 0, 0, 11, 0, 0, 0, 0x52]);
    for (decline, word) in [
        (Decline::NoDirectory, "no-directory"),
        (Decline::Overloaded, "overloaded"),
        (Decline::Draining, "draining"),
        (Decline::TooLate, "too-late"),
        (Decline::Unopened, "unopened"),
        (Decline::AtBound, "at-bound"),
        (Decline::OtherAccount, "other-account"),
        (Decline::ChangesNoPasswords, "changes-no-passwords"),
    ] {
        assert_eq!(serde_json::to_value(decline).unwrap(), word);
    }
}

#[test]
fn what_a_newer_peer_adds_to_the_conversation_is_passed_over_and_to_a_sign_in_is_refused() {
    use landbridge_wire::signin::{FromAgent, FromTenant};
    let agent = |json: &str| serde_json::from_str::<FromAgent>(json);
    let tenant = |json: &str| serde_json::from_str::<FromTenant>(json);
    let uuid = id(1).to_string();
    assert_eq!(agent(r#"{"say":"weather","is":{"it":["rains"]}}"#).unwrap(), FromAgent::Unknown);
    assert_eq!(tenant(r#"{"say":"weather","is":{"it":["rains"]}}"#).unwrap(), FromTenant::Unknown);
    agent(&format!(
        r#"{{"say":"hello","connection":"{uuid}","instance":"{uuid}","software":"s","capacity":1,"more":1}}"#
    ))
    .unwrap();
    tenant(r#"{"say":"welcome","nodes":[],"more":{"a":1}}"#).unwrap();
    tenant(r#"{"say":"heartbeat","at":1,"more":1}"#).unwrap();
    tenant(r#"{"say":"nodes","nodes":[],"more":1}"#).unwrap();
    let blob = "A".repeat(43) + "=";
    let ask = format!(
        r#"{{"say":"ask","request":"{uuid}","object":"{uuid}","due":1,"encapsulated":"{blob}","sealed":""}}"#
    );
    tenant(&ask).unwrap();
    assert!(tenant(&ask.replace(r#""due":1"#, r#""due":1,"unless":"it rains""#)).is_err());
    let answer = format!(r#"{{"say":"answer","request":"{uuid}","verdict":"valid","tag":"{blob}"}}"#);
    agent(&answer).unwrap();
    assert!(agent(&answer.replace(r#""tag""#, r#""but":1,"tag""#)).is_err());
    assert!(agent(&answer.replace(r#""valid""#, r#""perhaps""#)).is_err());
    let declined = format!(r#"{{"say":"declined","request":"{uuid}","why":"draining","tried":false}}"#);
    agent(&declined).unwrap();
    assert!(agent(&declined.replace(r#""why":"#, r#""because":1,"why":"#)).is_err());
}
