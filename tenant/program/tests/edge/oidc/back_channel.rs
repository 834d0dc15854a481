//! Notices of ended sessions, at an application's own server with TLS (OpenID Connect Back-Channel Logout 1.0).

use super::browser::{configured_with, form};
use super::rfc9700::second_client;
use super::*;
use crate::administration::scrape;
use crate::harness::until;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, LOCATION};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use landbridge_tenant_rules::model::Network;
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const ALICE: &str = "alice@corp.example.com";

/// Answers that wait: a status, and where it redirects to.
type Answers = VecDeque<(StatusCode, Option<String>)>;

/// The server of an application: it keeps what arrives, and answers with what a test gives it, then with 200.
struct Server {
    folder: TempDir,
    address: SocketAddr,
    arrived: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Answers>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let made = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(folder.path().join("roots.pem"), made.pem()).unwrap();
        let (leaf, key) =
            (CertificateDer::from(made), PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_no_client_auth().with_single_cert(vec![leaf], key.unwrap()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self {
            folder,
            address,
            arrived: Arc::default(),
            answers: Arc::default(),
            connections: Arc::default(),
        };
        let (arrived, answers) = (server.arrived.clone(), server.answers.clone());
        let connections = server.connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                let (acceptor, arrived, answers) = (acceptor.clone(), arrived.clone(), answers.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let answer = |request: Request<Incoming>| {
                        let (arrived, answers) = (arrived.clone(), answers.clone());
                        async move {
                            assert_eq!(
                                (request.method(), request.uri().to_string()),
                                (&Method::POST, "/out?of=wiki".to_owned())
                            );
                            assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
                            let body = request.into_body().collect().await.unwrap().to_bytes();
                            arrived.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
                            let (status, location) =
                                answers.lock().unwrap().pop_front().unwrap_or((StatusCode::OK, None));
                            let mut answer = Response::builder().status(status);
                            if let Some(location) = location {
                                answer = answer.header(LOCATION, location);
                            }
                            answer.body(Full::new(Bytes::from_static(b"as you like")))
                        }
                    };
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer))
                        .await;
                });
            }
        });
        server
    }

    fn uri(&self) -> String {
        format!("https://{}/out?of=wiki", self.address)
    }

    fn answers_with(&self, answers: Vec<(StatusCode, Option<String>)>) {
        self.answers.lock().unwrap().extend(answers);
    }

    fn count(&self) -> usize {
        self.arrived.lock().unwrap().len()
    }

    /// The claims of the newest token that arrived, verified, and the head of the token.
    async fn newest(&self, browser: &mut Browser) -> (Value, Value) {
        let body = self.arrived.lock().unwrap().last().cloned().unwrap();
        let token = body.strip_prefix("logout_token=").unwrap().to_owned();
        (browser.verified(&token, "RS256").await, tokens::head_of(&token))
    }
}

/// A tenant whose client `wiki` is notified at this server.
async fn notifying(server: &Server, networks: &[&str]) -> (Edge, Identity, Browser, String) {
    let configured = configured_with(|oidc| {
        oidc.back_channel_roots = server.folder.path().join("roots.pem");
        oidc.back_channel_networks = networks.iter().map(|text| Network::parse(text).unwrap()).collect();
    });
    let settings = |oidc: &mut OidcSettings| oidc.back_channel_logout = Some(server.uri());
    served_by(configured.await, settings).await
}

/// Signs alice in at `wiki`. Returns the claims of the ID token.
async fn alice_in(browser: &mut Browser, secret: &str) -> Value {
    let page = signed_in(browser, "openid", ALICE, RIGHT).await;
    let (_, tokens) = redeem(browser, secret, &code(&page)).await;
    browser.verified(text(&tokens, "id_token"), "RS256").await
}

async fn metric(edge: &Edge, outcome: &str) -> u32 {
    let name = format!("landbridge_logout_notices_total{{outcome=\"{outcome}\"}} ");
    let metrics = scrape(edge, "/metrics").await;
    metrics.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

async fn details(edge: &Edge, action: &str) -> Vec<String> {
    edge.audit().await.into_iter().filter(|entry| entry.action == action).map(|entry| entry.detail).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_notified_of_the_end_of_its_session_by_a_token_that_it_can_verify() {
    let server = Server::start().await;
    let (edge, phs, mut browser, secret) = notifying(&server, &["127.0.0.0/8"]).await;
    second_client(&edge, "mail", |_| ()).await;
    let document = browser.json("/.well-known/openid-configuration").await;
    assert_eq!(document["backchannel_logout_supported"], true);
    assert_eq!(document["backchannel_logout_session_supported"], true);
    // 1. An administrator ends the sessions; the account is disabled; the person signs out.
    let mut names = Vec::new();
    for way in ["administrator", "disabled", "enabled", "signed out"] {
        if way == "enabled" {
            let record = own_page::with_flags(1, "alice", 0x200, 8);
            send(&edge, &phs, vec![record], vec![]).await;
            continue;
        }
        let mut browser = browser.another();
        let id = alice_in(&mut browser, &secret).await;
        let before = server.count();
        match way {
            "administrator" => {
                drop(says(&edge, AdminRequest::SessionsEndOf { user: "CORP\\alice".to_owned() }).await);
            }
            "disabled" => send(&edge, &phs, vec![own_page::with_flags(1, "alice", 0x202, 7)], vec![]).await,
            _ => {
                let page = browser.get("/sign-out").await;
                browser.submit(&page, "/sign-out", &[]).await;
            }
        }
        until("a notice arrives", async || server.count() > before).await;
        // 2. The token.
        let (claims, head) = server.newest(&mut browser).await;
        assert_eq!(head["typ"], "logout+jwt", "{way}");
        for name in ["iss", "aud", "sub", "sid"] {
            assert_eq!(claims[name], id[name], "{way}: {name}");
        }
        assert_eq!(
            claims["events"],
            serde_json::json!({ "http://schemas.openid.net/event/backchannel-logout": {} })
        );
        assert!(claims.get("nonce").is_none(), "it must not look like an ID token");
        let lasts = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        assert_eq!(lasts, 120);
        names.push(text(&claims, "jti").to_owned());
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3, "each has a name of its own");
    // 3. Each is in the audit log, once.
    until("all are in the audit log", async || details(&edge, "logout-notified").await.len() == 3).await;
    let audited = details(&edge, "logout-notified").await;
    assert!(
        audited.iter().all(|detail| detail.ends_with(": app wiki confirmed with 200, try 1")),
        "{audited:?}"
    );
    assert_eq!((metric(&edge, "delivered").await, server.count()), (3, 3));
    assert_eq!(details(&edge, "logout-not-notified").await, [""; 0]);
    // 4. A logout token is not a hint of who is signing out, and no access token.
    let token = server.arrived.lock().unwrap().last().cloned().unwrap();
    let token = token.strip_prefix("logout_token=").unwrap().to_owned();
    let mut browser = browser.another();
    alice_in(&mut browser, &secret).await;
    let page = browser.get(&format!("/sign-out?{}", form(&[("id_token_hint", &token)]))).await;
    assert!(page.text.contains("<form"), "it asks the person: {page:?}");
    assert_eq!(browser.userinfo(&token).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_is_sent_again_until_it_is_confirmed_and_no_redirect_is_followed() {
    let (server, elsewhere) = (Server::start().await, Server::start().await);
    let (edge, _, mut browser, secret) = notifying(&server, &["127.0.0.0/8"]).await;
    alice_in(&mut browser, &secret).await;
    server.answers_with(vec![
        (StatusCode::TEMPORARY_REDIRECT, Some(elsewhere.uri())),
        (StatusCode::INTERNAL_SERVER_ERROR, None),
        (StatusCode::NO_CONTENT, None),
    ]);
    says(&edge, AdminRequest::SessionsEndOf { user: "CORP\\alice".to_owned() }).await;
    // A restart loses nothing.
    until("the first try has failed", async || metric(&edge, "failed").await == 1).await;
    let edge = edge.restart().await;
    until("the second try arrives", async || server.count() >= 2).await;
    until("the third one arrives", async || server.count() == 3).await;
    until("it is confirmed", async || metric(&edge, "delivered").await == 1).await;
    assert_eq!((server.count(), *elsewhere.connections.lock().unwrap()), (3, 0));
    let audited = details(&edge, "logout-notified").await;
    assert!(
        audited.len() == 1 && audited[0].ends_with(": app wiki confirmed with 204, try 3"),
        "{audited:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_to_this_machine_unless_allowed_nor_to_a_certificate_of_another_ca() {
    for (networks, connects) in [(&[][..], false), (&["127.0.0.0/8"][..], true)] {
        let server = Server::start().await;
        let (edge, _, mut browser, secret) = notifying(&server, networks).await;
        // With an allowed address the certificate is of another CA.
        let other = Server::start().await;
        if connects {
            let roots = other.folder.path().join("roots.pem");
            std::fs::copy(roots, server.folder.path().join("roots.pem")).unwrap();
        }
        alice_in(&mut browser, &secret).await;
        says(&edge, AdminRequest::SessionsEndOf { user: "CORP\\alice".to_owned() }).await;
        until("a try has failed", async || metric(&edge, "failed").await > 0).await;
        assert_eq!((*server.connections.lock().unwrap() > 0, server.count()), (connects, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_uri_that_is_not_https_or_has_a_name_or_a_fragment_is_not_registered() {
    let (edge, _, _, _) = served(|_| ()).await;
    for bad in [
        "http://wiki.example.com/logout",
        "https://user:word@wiki.example.com/",
        "https://wiki.example.com/#x",
        "wiki.example.com",
        "file:///etc/passwd",
    ] {
        let change = OidcChange { back_channel_logout: Some(bad.to_owned()), ..OidcChange::default() };
        let answer = edge.ask(AdminRequest::AppsOidc { name: "wiki".to_owned(), change: Some(change) }).await;
        assert!(format!("{answer:?}").contains("no https URI"), "{bad}: {answer:?}");
    }
}
