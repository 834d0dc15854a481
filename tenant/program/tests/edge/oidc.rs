//! OpenID Connect: the way from an application to the page and back, and what breaks off on it.

mod back_channel;
mod browser;
mod client_assertion;
mod client_credentials;
mod conformance;
mod device_codes;
mod introspection;
mod keys;
mod own_page;
mod pages;
mod pushed_requests;
mod rfc9700;
mod tokens;
mod writes;

use crate::applications::{RIGHT, stamp, user};
use crate::assignment::create;
use crate::directory::{member, says, send, staff};
use crate::harness::{Edge, Identity};
use browser::{Browser, ISSUER, Page, configured, form};
use hyper::StatusCode;
use landbridge_tenant_core::administration::request::{
    AdminRequest, AppSettings, GroupSetting, OidcChange, OidcSettings,
};
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_wire::bounded::List;
use landbridge_wire::upload::{Attribute, AttributeValue, Record, Stamp};
use serde_json::Value;
use std::path::PathBuf;

const CALLBACK: &str = "https://wiki.example.com/callback";
/// A verifier and its challenge (RFC 7636 appendix B).
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A tenant with alice in Pilot and bob in none, and the secret of a client to which Pilot is assigned.
async fn served(change: impl FnOnce(&mut OidcSettings)) -> (Edge, Identity, Browser, String) {
    served_by(configured().await, change).await
}

/// The same with this tenant.
async fn served_by(
    (edge, certificate): (Edge, PathBuf),
    change: impl FnOnce(&mut OidcSettings),
) -> (Edge, Identity, Browser, String) {
    let (edge, phs) = staff(edge).await;
    let pilot = GroupSetting { object: None, name: Some("CORP\\Pilot".to_owned()) };
    let mut oidc = OidcSettings {
        redirect_uris: vec![CALLBACK.to_owned()],
        signed_out_uris: vec!["https://wiki.example.com/bye".to_owned()],
        ..OidcSettings::default()
    };
    change(&mut oidc);
    let settings = AppSettings { groups: Some(vec![pilot]), oidc: Some(oidc), ..AppSettings::named("wiki") };
    let secret = create(&edge, settings).await;
    let browser = Browser::new(&edge, &certificate);
    (edge, phs, browser, secret)
}

/// The query of a request.
fn query(scope: &str) -> String {
    form(&[
        ("client_id", "wiki"),
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("scope", scope),
        ("state", "the state"),
        ("nonce", "the nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ])
}

/// Asks for a code and types name and password. Returns what the browser got at last.
async fn signed_in(browser: &mut Browser, scope: &str, user: &str, password: &str) -> Page {
    let page = browser.get(&format!("/authorize?{}", query(scope))).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    browser.submit(&page, "/sign-in", &[("name", user), ("password", password)]).await
}

/// The code in the redirect of a page.
fn code(page: &Page) -> String {
    let url = page.location();
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    assert_eq!(page.parameter("state").as_deref(), Some("the state"));
    assert_eq!(page.parameter("iss").as_deref(), Some(ISSUER));
    page.parameter("code").unwrap_or_else(|| panic!("{url}"))
}

async fn redeem(browser: &mut Browser, secret: &str, code: &str) -> (StatusCode, Value) {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    browser.token("wiki", secret, &fields).await
}

async fn refresh(browser: &mut Browser, secret: &str, token: &str) -> (StatusCode, Value) {
    browser.token("wiki", secret, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is missing"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_once_and_the_application_learns_who_it_is() {
    let (_edge, _phs, mut browser, secret) = served(|_| ()).await;
    // 1. Discovery and keys.
    let document = browser.json("/.well-known/openid-configuration").await;
    assert_eq!(text(&document, "issuer"), ISSUER);
    let keys = browser.json("/jwks").await;
    assert_eq!(
        keys["keys"].as_array().unwrap().len(),
        4,
        "two algorithms, of each one that signs and one that comes next"
    );
    // 2. The page, the password, the code.
    let page = signed_in(&mut browser, "openid profile email groups", "alice@corp.example.com", RIGHT).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    let code = code(&page);
    // 3. The tokens.
    let (status, tokens) = redeem(&mut browser, &secret, &code).await;
    assert_eq!(status, StatusCode::OK, "{}", tokens["error"]);
    assert!(tokens.get("refresh_token").is_none(), "without offline_access there is none");
    let id = browser.verified(text(&tokens, "id_token"), "RS256").await;
    assert_eq!(
        (text(&id, "iss"), text(&id, "aud"), text(&id, "nonce"), text(&id, "preferred_username")),
        (ISSUER, "wiki", "the nonce", "alice")
    );
    assert_eq!(id["groups"], serde_json::json!(["Pilot"]), "Inner is not one that it may see");
    assert_eq!(document["acr_values_supported"], serde_json::json!([text(&id, "acr")]));
    assert_eq!(id["amr"], serde_json::json!(["pwd"]));
    // 4. Who it is, once more.
    let (status, who) = browser.userinfo(text(&tokens, "access_token")).await;
    assert_eq!((status, &who["sub"]), (StatusCode::OK, &id["sub"]));
    assert_eq!(browser.userinfo(text(&tokens, "id_token")).await.0, StatusCode::UNAUTHORIZED);
    // 5. No password a second time; one is asked for where the application wants it.
    let again = browser.get(&format!("/authorize?{}", query("openid"))).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    for more in ["&prompt=login", "&max_age=0"] {
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
        let page = browser.get(&format!("/authorize?{}{more}", query("openid"))).await;
        assert_eq!(page.status, StatusCode::OK, "{more}");
    }
    let silent = browser.get(&format!("/authorize?{}&prompt=none", query("openid"))).await;
    assert!(silent.parameter("code").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_and_a_refresh_token_are_good_once_and_a_second_use_ends_all() {
    let (_edge, _phs, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid offline_access", "alice@corp.example.com", RIGHT).await;
    let first = code(&page);
    let (status, tokens) = redeem(&mut browser, &secret, &first).await;
    assert_eq!(status, StatusCode::OK);
    // 1. A chain of refresh tokens.
    let mut token = text(&tokens, "refresh_token").to_owned();
    let mut before = String::new();
    let mut access = String::new();
    for _ in 0..3 {
        let (status, tokens) = refresh(&mut browser, &secret, &token).await;
        assert_eq!(status, StatusCode::OK);
        before = std::mem::replace(&mut token, text(&tokens, "refresh_token").to_owned());
        access = text(&tokens, "access_token").to_owned();
    }
    assert_eq!(browser.userinfo(&access).await.0, StatusCode::OK);
    // 2. One that was used: the whole chain ends, and the access tokens with it.
    let (status, refused) = refresh(&mut browser, &secret, &before).await;
    assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_grant"));
    assert_eq!(refresh(&mut browser, &secret, &token).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(browser.userinfo(&access).await.0, StatusCode::UNAUTHORIZED);
    // 3. A code twice.
    let second = code(&browser.get(&format!("/authorize?{}", query("openid"))).await);
    let (status, tokens) = redeem(&mut browser, &secret, &second).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(redeem(&mut browser, &secret, &second).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(browser.userinfo(text(&tokens, "access_token")).await.0, StatusCode::UNAUTHORIZED);
    // 4. Another verifier, another redirect, another client's secret, none.
    for (verifier, redirect, secret, expected) in [
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXx", CALLBACK, secret.as_str(), StatusCode::BAD_REQUEST),
        (VERIFIER, "https://wiki.example.com/other", &secret, StatusCode::BAD_REQUEST),
        ("", CALLBACK, &secret, StatusCode::BAD_REQUEST),
        (VERIFIER, CALLBACK, "lba1.wrong", StatusCode::UNAUTHORIZED),
        (VERIFIER, CALLBACK, "", StatusCode::UNAUTHORIZED),
    ] {
        let code = code(&browser.get(&format!("/authorize?{}", query("openid"))).await);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let (status, _) = browser.token("wiki", secret, &fields).await;
        assert_eq!(status, expected, "{verifier} {redirect}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_what_is_wrong_and_nobody_returns_who_may_not() {
    let (edge, phs, mut browser, _) = served(|_| ()).await;
    let alice = "alice@corp.example.com";
    // 1. A wrong password, and the right one of somebody who is not assigned.
    let wrong = signed_in(&mut browser, "openid", alice, "no").await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    assert!(wrong.text.contains("alice@corp.example.com") && !wrong.text.contains("value=\"no\""));
    let unknown = signed_in(&mut browser, "openid", "nobody@corp.example.com", "no").await;
    assert_eq!(
        wrong.text_without_names(&["alice@corp.example.com"]),
        unknown.text_without_names(&["nobody@corp.example.com"])
    );
    let stranger = signed_in(&mut browser, "openid", "bob@corp.example.com", RIGHT).await;
    assert_eq!((stranger.status, stranger.set_cookie("__Host-landbridge=")), (StatusCode::FORBIDDEN, None));
    assert!(edge.audit().await.iter().any(|entry| entry.detail.starts_with("not-assigned")));
    // 2. A form that this browser was not given.
    let mut other = browser.another();
    let page = browser.get(&format!("/authorize?{}", query("openid"))).await;
    let forged = other.submit(&page, "/sign-in", &[("name", alice), ("password", RIGHT)]).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    // 3. A session ends with the account, and so does what was granted in it.
    let page = signed_in(&mut browser, "openid", alice, RIGHT).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    says(&edge, AdminRequest::UsersBlock { name: "CORP\\alice".to_owned() }).await;
    let page = browser.get(&format!("/authorize?{}", query("openid"))).await;
    assert_eq!(page.status, StatusCode::OK, "the page asks for the password");
    says(&edge, AdminRequest::UsersUnblock { name: "CORP\\alice".to_owned() }).await;
    let page = browser.get(&format!("/authorize?{}", query("openid"))).await;
    assert_eq!(page.status, StatusCode::OK, "an ended session stays so");
    // 4. Who is assigned later needs no new session.
    assert_eq!(signed_in(&mut browser, "openid", alice, RIGHT).await.status, StatusCode::SEE_OTHER);
    send(&edge, &phs, vec![], vec![member(10, 2)]).await;
    assert_eq!(
        signed_in(&mut other, "openid", "bob@corp.example.com", RIGHT).await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_password_that_it_was_made_under() {
    let (edge, phs, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid offline_access", "alice@corp.example.com", RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    let set = AttributeValue::PwdLastSet(Some(filetime(unix_now()).unwrap()));
    let changed = Attribute { stamp: Stamp { version: 9, ..stamp() }, is: set };
    let record = Record {
        attributes: List::new(vec![changed]).unwrap(),
        password: None,
        ..user(1, "alice", 0x200, 0)
    };
    send(&edge, &phs, vec![record], vec![]).await;
    assert_eq!(browser.userinfo(text(&tokens, "access_token")).await.0, StatusCode::UNAUTHORIZED);
    let (status, refused) = refresh(&mut browser, &secret, text(&tokens, "refresh_token")).await;
    assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_grant"));
    let page = browser.get(&format!("/authorize?{}", query("openid"))).await;
    assert_eq!(page.status, StatusCode::OK, "the page asks for the password");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_goes_back_only_where_people_may_be_sent() {
    let (edge, _, mut browser, _) = served(|_| ()).await;
    // 1. The person reads it: nobody is sent to what is not registered.
    for (name, value) in [
        ("redirect_uri", "https://evil.example.com/callback"),
        ("redirect_uri", "https://wiki.example.com/callback/"),
        ("redirect_uri", "https://wiki.example.com/callback?x=1"),
        ("redirect_uri", ""),
        ("client_id", "nosuch"),
        ("response_mode", "fragment"),
    ] {
        let page = browser.get(&format!("/authorize?{}", changed(name, value))).await;
        assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "{name}={value}");
    }
    let twice = browser.get(&format!("/authorize?{}&state=other", query("openid"))).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    // 2. The application reads it.
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "profile", "invalid_scope"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "none", "login_required"),
        ("max_age", "-1", "invalid_request"),
        ("request", "eyJ.x.y", "request_not_supported"),
        ("request_uri", "https://wiki.example.com/request", "request_uri_not_supported"),
    ] {
        let page = browser.get(&format!("/authorize?{}", changed(name, value))).await;
        let parameters = (page.parameter("error"), page.parameter("state"), page.parameter("iss"));
        let expected = (Some(error.to_owned()), Some("the state".to_owned()), Some(ISSUER.to_owned()));
        assert_eq!(parameters, expected, "{name}={value}");
    }
    // 3. A client that cannot, and one that must not go without PKCE.
    let change = |change| AdminRequest::AppsOidc { name: "wiki".to_owned(), change: Some(change) };
    let said = says(&edge, change(OidcChange { pkce: Some(false), ..OidcChange::default() })).await;
    assert!(said.contains("without PKCE"), "{said}");
    let page =
        browser.get(&format!("/authorize?{}", without(&["code_challenge", "code_challenge_method"]))).await;
    assert_eq!(page.status, StatusCode::OK);
    let public = OidcChange { kind: Some("public".to_owned()), ..OidcChange::default() };
    assert!(says(&edge, change(public)).await.starts_with("refused: a public client"));
    // 4. Another host is not the issuer.
    let page = browser.get_as("evil.example.com", &format!("/authorize?{}", query("openid"))).await;
    assert_eq!(page.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_by_the_applications_wish_with_its_token_and_else_after_a_question() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid", "alice@corp.example.com", RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    // 1. No token: a question, and the session goes on.
    let question = browser.get("/sign-out").await;
    assert_eq!(question.status, StatusCode::OK);
    assert_eq!(browser.get(&format!("/authorize?{}", query("openid"))).await.status, StatusCode::SEE_OTHER);
    // 2. A place that is not registered.
    let hint = text(&tokens, "id_token").to_owned();
    let to = |uri: &str| {
        format!(
            "/sign-out?{}",
            form(&[("id_token_hint", &hint), ("post_logout_redirect_uri", uri), ("state", "s")])
        )
    };
    assert_eq!(browser.get(&to("https://evil.example.com/")).await.status, StatusCode::BAD_REQUEST);
    // 3. The token of the session.
    let page = browser.get(&to("https://wiki.example.com/bye")).await;
    assert_eq!(page.location().as_str(), "https://wiki.example.com/bye?state=s");
    assert_eq!(browser.get(&format!("/authorize?{}", query("openid"))).await.status, StatusCode::OK);
    assert_eq!(browser.userinfo(text(&tokens, "access_token")).await.0, StatusCode::UNAUTHORIZED);
    // 4. The question, answered.
    assert_eq!(
        signed_in(&mut browser, "openid", "alice@corp.example.com", RIGHT).await.status,
        StatusCode::SEE_OTHER
    );
    let question = browser.get("/sign-out").await;
    let done = browser.submit(&question, "/sign-out", &[]).await;
    assert_eq!(done.status, StatusCode::OK);
    assert_eq!(browser.get(&format!("/authorize?{}", query("openid"))).await.status, StatusCode::OK);
}

/// The query with one parameter changed or added.
fn changed(name: &str, value: &str) -> String {
    let mut pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query("openid").as_bytes()).into_owned().collect();
    match pairs.iter_mut().find(|(own, _)| own == name) {
        Some(pair) => value.clone_into(&mut pair.1),
        None => pairs.push((name.to_owned(), value.to_owned())),
    }
    form(&pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}

/// The query without some parameters.
fn without(names: &[&str]) -> String {
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query("openid").as_bytes()).into_owned().collect();
    let kept = pairs.iter().filter(|(name, _)| !names.contains(&name.as_str()));
    form(&kept.map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>())
}
