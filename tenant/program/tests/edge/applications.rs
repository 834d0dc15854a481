//! `POST /v1/signin`: who may ask, how often, what is answered and when.

use crate::harness::{DEADLINE, DOMAIN, Edge, GRID, Identity, SID, request, until};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{HeaderMap, Request, StatusCode};
use landbridge_crypto::nt_hash::NtHash;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, AppSettings};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::upload::{
    Attribute, AttributeValue, DomainPolicy, Kind, Mode, Password as Sent, Presence, Receipt, Record, Stamp,
    Upload,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(crate) const RIGHT: &str = "Correct horse 1!";

pub(crate) fn stamp() -> Stamp {
    Stamp { version: 1, time: 13_400_000_000, invocation_id: Uuid::from_u128(5) }
}

pub(crate) fn user(number: u128, name: &str, flags: i32, pwd_last_set: i64) -> Record {
    let hash = NtHash::of_password(&Password::new(RIGHT.to_owned()));
    let attributes = [
        AttributeValue::SamAccountName(Some(Text::new(name).unwrap())),
        AttributeValue::UserPrincipalName(Some(Text::new(format!("{name}@{DOMAIN}")).unwrap())),
        AttributeValue::UserAccountControl(Some(flags)),
        AttributeValue::PwdLastSet(Some(pwd_last_set)),
        AttributeValue::PrimaryGroupId(Some(513)),
    ];
    let attributes = attributes.map(|is| Attribute { stamp: stamp(), is });
    Record {
        object: Uuid::from_u128(number),
        kind: Kind::Account,
        sid: Some(Text::new(format!("{SID}-{}", 1100 + number)).unwrap()),
        presence: Presence::Present,
        privileged: false,
        protected_user: Some(false),
        attributes: List::new(attributes.into()).unwrap(),
        password: Some(Sent { stamp: stamp(), digest: SaltedDigest::derive(hash, Profile::Entra) }),
        erase_password: false,
    }
}

/// A tenant to which a phs has uploaded three people, over the wire.
async fn peopled() -> Edge {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    upload_people(&edge, &phs).await;
    edge
}

/// Uploads three people.
pub(crate) async fn upload_people(edge: &Edge, phs: &Identity) {
    let yesterday = filetime(unix_now() - 86_400).unwrap();
    let interval = |value: i64| Some((stamp(), value));
    let upload = Upload {
        instance: phs.instance(),
        domain_sid: Text::new(SID).unwrap(),
        cycle: Uuid::new_v4(),
        mode: Mode::FullCompare,
        policy: Some(DomainPolicy {
            max_pwd_age: interval(i64::MIN),
            lockout_duration: interval(-18_000_000_000),
            lockout_observation_window: interval(-18_000_000_000),
            lockout_threshold: Some((stamp(), 0)),
            ..DomainPolicy::default()
        }),
        records: List::new(vec![
            user(1, "alice", 0x200, yesterday),
            user(2, "disabled", 0x202, yesterday),
            user(3, "mustchange", 0x200, 0),
        ])
        .unwrap(),
        links: List::default(),
        commit: Some(Text::new("a".repeat(64)).unwrap()),
        most_swept: None,
        reserved: List::default(),
        level: 0,
    };
    let receipt: Receipt = edge.post(Some(phs), "/v1/upload", &upload).await.unwrap();
    assert_eq!((receipt.applied, receipt.refused.as_slice().len()), (3, 0));
}

pub(crate) fn ask(credential: &str, body: &Value) -> Request<Full<Bytes>> {
    let mut request = request("POST", "/v1/signin", body.to_string().as_bytes());
    let bearer = HeaderValue::from_str(&format!("Bearer {credential}")).unwrap();
    request.headers_mut().insert("authorization", bearer);
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    request
}

pub(crate) async fn sign_in(
    edge: &Edge,
    credential: &str,
    user: &str,
    password: &str,
) -> (StatusCode, HeaderMap, Value) {
    let body = json!({ "user": user, "password": password, "source": "203.0.113.7" });
    let (status, headers, body) = edge.send(None, ask(credential, &body)).await.unwrap();
    (status, headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_is_accepted_and_the_person_named() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    for name in ["alice@corp.example.com", "CORP\\alice", "ALICE@CORP.EXAMPLE.COM"] {
        let (status, _, body) = sign_in(&edge, &app, name, RIGHT).await;
        assert_eq!(status, StatusCode::OK, "{name}: {body}");
        let object = Uuid::from_u128(1).to_string();
        let person = json!({ "outcome": "accepted", "object": object, "user": "alice@corp.example.com",
                             "sam": "alice", "domain": DOMAIN, "domain_sid": SID });
        assert_eq!(body, person);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_the_outside_all_refusals_look_the_same_and_leave_on_the_grid() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    let cases = [
        ("alice@corp.example.com", "wrong"),
        ("nobody@corp.example.com", RIGHT),
        ("disabled@corp.example.com", RIGHT),
        ("disabled@corp.example.com", "wrong"),
        ("mustchange@corp.example.com", "wrong"),
        ("alice@corp.example.com", ""),
        ("no name at all", RIGHT),
    ];
    for (name, password) in cases {
        let asked = Instant::now();
        let (status, _, body) = sign_in(&edge, &app, name, password).await;
        let waited = asked.elapsed();
        assert_eq!((status, body), (StatusCode::FORBIDDEN, json!({ "outcome": "refused" })), "{name}");
        // The client's clock starts before the tenant's, so it can only read more.
        assert!(waited >= GRID, "{name}: {waited:?}");
    }
    let (status, _, body) = sign_in(&edge, &app, "mustchange@corp.example.com", RIGHT).await;
    let said = json!({ "outcome": "refused", "reason": "must-change-password" });
    assert_eq!((status, body), (StatusCode::FORBIDDEN, said));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_true_reason_is_in_the_audit_log_and_a_name_without_account_is_not() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    sign_in(&edge, &app, "disabled@corp.example.com", RIGHT).await;
    sign_in(&edge, &app, "Pa$$w0rd-in-the-wrong-field@x", RIGHT).await;
    let entries = edge.audit().await;
    let disabled = Uuid::from_u128(2).to_string();
    assert!(
        entries
            .iter()
            .any(|e| e.actor == "app mail" && e.subject == disabled && e.detail.contains("disabled"))
    );
    assert!(entries.iter().any(|e| e.detail.contains("unknown-name")));
    assert!(!format!("{entries:?}").contains("wrong-field"));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_present_secret_of_an_application_that_is_not_revoked_may_ask() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    let other = edge.credential("other", 600).await;
    let (id, secret) = (app.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1);
    for wrong in [format!("{id}.{secret}"), format!("{id}.{}", "A".repeat(43)), "x".to_owned(), String::new()]
    {
        let (status, headers, body) = sign_in(&edge, &wrong, "alice@corp.example.com", RIGHT).await;
        assert_eq!((status, &body["error"]), (StatusCode::UNAUTHORIZED, &json!("credential")), "{wrong}");
        assert_eq!(headers["www-authenticate"], "Bearer");
    }
    let AdminResponse::Credential(next) =
        edge.ask(AdminRequest::AppsRotate { name: "mail".to_owned() }).await
    else {
        panic!()
    };
    let next = next.lend(str::to_owned);
    assert_eq!(sign_in(&edge, &app, "alice@corp.example.com", RIGHT).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&edge, &next, "alice@corp.example.com", RIGHT).await.0, StatusCode::OK);
    edge.ask(AdminRequest::AppsRevoke { name: "mail".to_owned() }).await;
    assert_eq!(sign_in(&edge, &next, "alice@corp.example.com", RIGHT).await.0, StatusCode::UNAUTHORIZED);
    let again = edge.ask(AdminRequest::AppsRotate { name: "mail".to_owned() }).await;
    assert!(matches!(again, AdminResponse::Refused { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_over_its_rate_receives_the_time_to_wait() {
    let edge = peopled().await;
    let app = edge.credential("slow", 3).await;
    for _ in 0..3 {
        assert_eq!(sign_in(&edge, &app, "alice@corp.example.com", RIGHT).await.0, StatusCode::OK);
    }
    let (status, headers, body) = sign_in(&edge, &app, "alice@corp.example.com", RIGHT).await;
    assert_eq!((status, &body["error"]), (StatusCode::TOO_MANY_REQUESTS, &json!("rate")));
    let seconds: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=21).contains(&seconds), "{seconds}");
    let unhurt = edge.credential("quick", 3).await;
    assert_eq!(sign_in(&edge, &unhurt, "alice@corp.example.com", RIGHT).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_of_another_domain_gets_a_refusal_without_a_reason() {
    let edge = peopled().await;
    edge.ask(AdminRequest::DomainsAdd {
        name: "other.example.com".to_owned(),
        netbios: "OTHER".to_owned(),
        sid: "S-1-5-21-4-5-6".to_owned(),
        allow_privileged: false,
    })
    .await;
    let limited = AdminRequest::AppsCreate {
        settings: Box::new(AppSettings {
            domains: Some(vec!["OTHER".to_owned()]),
            rate: 600,
            ..AppSettings::named("limited")
        }),
    };
    let AdminResponse::Credential(app) = edge.ask(limited).await else { panic!() };
    let app = app.lend(str::to_owned);
    let (status, _, body) = sign_in(&edge, &app, "alice@corp.example.com", RIGHT).await;
    assert_eq!((status, body), (StatusCode::FORBIDDEN, json!({ "outcome": "refused" })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_is_an_address_as_proxies_write_it_or_a_name_or_left_out() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    for source in [
        json!("203.0.113.7:51234"),
        json!("[2001:db8::1]:443"),
        json!("name:kiosk-3"),
        serde_json::Value::Null,
    ] {
        let body = json!({"user": format!("alice@{DOMAIN}"), "password": RIGHT, "source": source});
        let (status, _, answer) = edge.send(None, ask(&app, &body)).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{source}: {}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_not_as_documented_is_named_and_not_repeated() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    let long = "x".repeat(17_000);
    let cases = [
        (json!({ "user": "u" }), StatusCode::BAD_REQUEST),
        (json!({ "user": "u", "password": 5 }), StatusCode::BAD_REQUEST),
        (json!({ "user": "u", "password": "Hunter2!", "extra": 1 }), StatusCode::BAD_REQUEST),
        (json!({ "user": "u", "password": "Hunter2!", "source": "two words" }), StatusCode::BAD_REQUEST),
        (json!({ "user": "u", "password": "Hunter2!", "source": "kiosk" }), StatusCode::BAD_REQUEST),
        (
            json!({ "user": "u", "password": "Hunter2!", "source": "203.0.113.7, 10.0.0.1" }),
            StatusCode::BAD_REQUEST,
        ),
        (json!({ "user": "u", "password": "Hunter2!", "source": "203.0.113.256" }), StatusCode::BAD_REQUEST),
        (json!({ "user": "u", "password": "Hunter2!", "source": "fe80::1%eth0" }), StatusCode::BAD_REQUEST),
        (json!({ "user": "u", "password": "Hunter2!", "source": "" }), StatusCode::BAD_REQUEST),
        (json!({ "user": "u", "password": long }), StatusCode::PAYLOAD_TOO_LARGE),
        (json!("Hunter2!"), StatusCode::BAD_REQUEST),
    ];
    for (body, expected) in cases {
        let (status, _, answer) = edge.send(None, ask(&app, &body)).await.unwrap();
        assert_eq!(status, expected);
        assert!(!String::from_utf8_lossy(&answer).contains("Hunter2!"));
    }
    let mut form = ask(&app, &json!({ "user": "u", "password": "p" }));
    form.headers_mut().insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    assert_eq!(edge.send(None, form).await.unwrap().0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// Sends these bytes on a connection of their own, and returns the head of the answer and its body.
async fn raw(edge: &Edge, client: Option<&Identity>, bytes: &str) -> (String, String) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut tls = edge.connect(client).await.unwrap();
    tls.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, tls.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// Whether an answer is an error as the page for developers describes it.
fn is_error(head: &str, body: &str, status: u16, error: &str) -> bool {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let fields: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    head.split(' ').nth(1) == Some(&status.to_string())
        && head.contains("content-type: application/json")
        && head.contains("cache-control: no-store")
        && body["error"] == error
        && body["detail"].as_str().is_some_and(|detail| !detail.is_empty())
        && fields.iter().all(|field| ["error", "detail"].contains(field))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_path_and_method_is_answered_as_an_application_reads_it() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    let agent = edge.pta().await;
    let body = json!({ "user": "alice@corp.example.com", "password": RIGHT }).to_string();
    let head = format!(
        "host: tenant.example.com\r\nconnection: close\r\ncontent-type: application/json\r\nauthorization: Bearer {app}\r\n"
    );
    let post = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    let (missing, method) = ((404, "not-found"), (405, "method"));
    for (client, line, rest, (status, error)) in [
        (None, "POST /v1/signin/ HTTP/1.1", &post, missing),
        (None, "POST /v1/signin/alice HTTP/1.1", &post, missing),
        (None, "POST //v1/signin HTTP/1.1", &post, missing),
        (None, "POST /V1/SignIn HTTP/1.1", &post, missing),
        (None, "POST /v1/sign%69n HTTP/1.1", &post, missing),
        (None, "POST /v2/signin HTTP/1.1", &post, missing),
        (None, "POST / HTTP/1.0", &post, missing),
        (None, "GET / HTTP/1.1", &head, missing),
        (None, "GET /metrics HTTP/1.1", &head, missing),
        (None, "GET /v1 HTTP/1.1", &head, missing),
        (None, "OPTIONS * HTTP/1.1", &head, missing),
        (None, "CONNECT tenant.example.com:443 HTTP/1.1", &head, missing),
        (None, "GET /v1/signin HTTP/1.1", &head, method),
        (None, "GET /v1/signin HTTP/1.0", &head, method),
        (None, "OPTIONS /v1/signin HTTP/1.1", &head, method),
        (None, "PUT /v1/signin HTTP/1.1", &post, method),
        (None, "PATCH /v1/signin HTTP/1.1", &post, method),
        (None, "DELETE /v1/signin HTTP/1.1", &head, method),
        (None, "TRACE /v1/signin HTTP/1.1", &head, method),
        (None, "BREW /v1/signin HTTP/1.1", &head, method),
        // Sign-ins are an application's, whoever asks.
        (Some(&agent), "GET /v1/signin HTTP/1.1", &head, method),
    ] {
        let end = if rest.contains("\r\n\r\n") { "" } else { "\r\n" };
        let (head, body) = raw(&edge, client, &format!("{line}\r\n{rest}{end}")).await;
        assert!(is_error(&head, &body, status, error), "{line}: {head}\n{body}");
        assert_eq!(head.contains("allow: post"), status == 405, "{line}: {head}");
    }
    // HEAD is answered as GET, without the body.
    let (answer, body) = raw(&edge, None, &format!("HEAD /v1/signin HTTP/1.1\r\n{head}\r\n")).await;
    assert!(answer.starts_with("http/1.1 405") && answer.contains("application/json"), "{answer}");
    assert_eq!(body, "");
    // No password was looked at, and the right request signs in, also over HTTP/1.0 and in absolute form.
    assert_eq!(edge.tenant.snapshot.numbers().counts.derivations.now(), 0);
    for line in ["POST /v1/signin HTTP/1.0", "POST https://tenant.example.com/v1/signin?from=x HTTP/1.1"] {
        let (head, body) = raw(&edge, None, &format!("{line}\r\n{post}")).await;
        assert!(head.contains(" 200 ") && body.contains("accepted"), "{line}: {head}\n{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_header_and_body_is_answered_as_an_application_reads_it() {
    let edge = peopled().await;
    let app = edge.credential("mail", 600).await;
    let right = json!({ "user": "alice@corp.example.com", "password": RIGHT }).to_string();
    let (right, long) = (right.as_str(), "x".repeat(17_000));
    let (json, bearer) = ("content-type: application/json", format!("authorization: Bearer {app}"));
    let (media, credential, malformed) = ((415, "content-type"), (401, "credential"), (400, "malformed"));
    let cut = format!("{}\u{feff}", &right[..right.len() - 1]);
    for (headers, body, (status, error)) in [
        (bearer.clone(), right, media),
        (format!("{bearer}\r\ncontent-type: text/json"), right, media),
        (format!("{bearer}\r\ncontent-type: application/jsonx"), right, media),
        (format!("{bearer}\r\ncontent-type: multipart/form-data; boundary=x"), right, media),
        (format!("{bearer}\r\ncontent-type: \u{e4}"), right, media),
        (format!("{bearer}\r\n{json}\r\ncontent-encoding: gzip"), right, media),
        (json.to_owned(), right, credential),
        (format!("{json}\r\nauthorization: Basic YTpi"), right, credential),
        (format!("{json}\r\nauthorization: Bearer"), right, credential),
        (format!("{json}\r\nauthorization: Bearer \u{e4}"), right, credential),
        (format!("{json}\r\n{bearer}\r\n{bearer}"), right, credential),
        (format!("{json}\r\n{bearer}"), cut.as_str(), malformed),
        (format!("{json}\r\n{bearer}"), "", malformed),
        (format!("{json}\r\n{bearer}"), "[]", malformed),
        (format!("{json}\r\n{bearer}"), r#"{"user":"a@b.c","user":"a@b.c","password":"x"}"#, malformed),
        (format!("{json}\r\n{bearer}"), r#"{"user":"\ud83d","password":"x"}"#, malformed),
        (format!("{json}\r\n{bearer}"), long.as_str(), (413, "too-large")),
    ] {
        let request = format!(
            "POST /v1/signin HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{headers}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (head, answer) = raw(&edge, None, &request).await;
        assert!(is_error(&head, &answer, status, error), "{headers} {body}: {head}\n{answer}");
        assert_eq!(head.contains("www-authenticate: bearer"), status == 401, "{headers}: {head}");
    }
    assert_eq!(edge.tenant.snapshot.numbers().counts.derivations.now(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_try_tells_the_true_reason() {
    let edge = peopled().await;
    let wrong = |password: &str| AdminRequest::SignIn {
        user: "disabled@corp.example.com".to_owned(),
        password: landbridge_tenant_core::administration::request::Confidential::new(password.to_owned()),
        source: "name:admin".to_owned(),
    };
    let AdminResponse::SignInRefused { why, disclosed } = edge.ask(wrong(RIGHT)).await else { panic!() };
    assert_eq!((why.as_str(), disclosed), ("disabled", None));
    let AdminResponse::SignInRefused { why, .. } = edge.ask(wrong("no")).await else { panic!() };
    assert_eq!(why, "wrong-password");
}

#[tokio::test]
async fn while_no_agent_can_answer_an_unknown_name_is_answered_as_a_known_one() {
    let edge = peopled().await;
    let credential = edge.credential("mail", 6000).await;
    for (policy, status) in [
        (SigninPolicy::Pta, StatusCode::SERVICE_UNAVAILABLE),
        (SigninPolicy::PtaThenPhs, StatusCode::FORBIDDEN),
    ] {
        let set = AdminRequest::DomainsPolicy {
            name: DOMAIN.to_owned(),
            policy: Some(policy),
            approve_agents: None,
            change_passwords: None,
        };
        assert!(matches!(edge.ask(set).await, AdminResponse::Done(_)));
        let mut answers = Vec::new();
        for name in ["alice", "nobody"] {
            let derived = edge.tenant.snapshot.numbers().counts.derivations.now();
            let body =
                json!({"user": format!("{name}@{DOMAIN}"), "password": "guess", "source": "203.0.113.7"});
            let (status, headers, body) = edge.send(None, ask(&credential, &body)).await.unwrap();
            let derived = edge.tenant.snapshot.numbers().counts.derivations.now() - derived;
            answers.push((status, headers.get("retry-after").cloned(), body, derived));
        }
        assert_eq!(answers[0].0, status, "{policy:?}");
        assert_eq!(answers[0], answers[1], "{policy:?}");
    }
    assert!(edge.audit().await.iter().any(|e| e.detail.contains("by digest for want of an agent")));
}

#[tokio::test]
async fn a_canary_is_added_by_name_cannot_sign_in_and_is_removed_by_its_guid() {
    let edge = peopled().await;
    let credential = edge.credential("mail", 6000).await;
    let set = AdminRequest::DomainsPolicy {
        name: DOMAIN.to_owned(),
        policy: Some(SigninPolicy::Pta),
        approve_agents: None,
        change_passwords: None,
    };
    assert!(matches!(edge.ask(set).await, AdminResponse::Done(_)));
    let (name, user) = (DOMAIN.to_owned(), format!("alice@{DOMAIN}"));
    let guid = Uuid::from_u128(1).to_string();
    // By its GUID it is named only where it is listed: whoever adds one says who it is.
    let by_guid = AdminRequest::CanaryAdd { name: name.clone(), user: guid.clone() };
    assert!(matches!(edge.ask(by_guid).await, AdminResponse::Refused { .. }));
    let add = AdminRequest::CanaryAdd { name: name.clone(), user: user.clone() };
    assert!(matches!(edge.ask(add).await, AdminResponse::Done(_)));
    let body = json!({"user": user, "password": RIGHT, "source": "203.0.113.7"});
    let (status, _, _) = edge.send(None, ask(&credential, &body)).await.unwrap();
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(edge.audit().await.iter().any(|entry| entry.detail.contains("canary-account")));
    for said in ["is no longer a canary of corp.example.com", "no single account has the name"] {
        let remove = AdminRequest::CanaryRemove { name: name.clone(), user: guid.clone() };
        let answer = format!("{:?}", edge.ask(remove).await);
        assert!(answer.contains(said), "{answer}");
    }
}

#[tokio::test]
async fn a_sign_in_whose_client_disconnects_counts_and_is_in_the_audit_log() {
    use tokio::io::AsyncWriteExt as _;
    let edge = peopled().await;
    let credential = edge.credential("mail", 6000).await;
    // The first use of a secret on a day is written down before the password is looked at.
    assert_eq!(sign_in(&edge, &credential, &format!("alice@{DOMAIN}"), RIGHT).await.0, StatusCode::OK);
    let body =
        json!({"user": format!("alice@{DOMAIN}"), "password": "guess", "source": "203.0.113.7"}).to_string();
    let mut tls = edge.connect(None).await.unwrap();
    let head = format!(
        "POST /v1/signin HTTP/1.1\r\nhost: tenant.example.com\r\ncontent-type: application/json\r\n\
         authorization: Bearer {credential}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Nothing can be written while this holds, so the sign-in is not over when its asker goes.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let tenant = edge.tenant.clone();
    let holding = tokio::task::spawn_blocking(move || {
        tenant.store.write("test", |_| {
            let _ = held.recv();
            Ok(())
        })
    });
    tls.write_all(head.as_bytes()).await.unwrap();
    until("the password is looked at", async || edge.tenant.snapshot.numbers().counts.derivations.now() == 2)
        .await;
    drop(tls);
    // Time for the tenant to see that; without it the test proves less, and fails no sooner.
    tokio::time::sleep(Duration::from_millis(200)).await;
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
    until("it is written down", async || {
        edge.audit().await.iter().any(|entry| entry.detail.starts_with("wrong-password"))
    })
    .await;
    assert_eq!(edge.tenant.snapshot.numbers().counts.signin_failures.now(), 1);
}
