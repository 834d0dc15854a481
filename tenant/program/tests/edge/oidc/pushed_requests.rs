//! Pushed authorization requests (RFC 9126): checked at once, named by the browser once, and not changed on the way.

use super::rfc9700::second_client;
use super::writes::{committed, since};
use super::*;
use serde_json::json;

const ALICE: &str = "alice@corp.example.com";
const URN: &str = "urn:ietf:params:oauth:request_uri:";

/// The fields of a request.
fn fields(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

async fn push(browser: &mut Browser, client: &str, secret: &str, text: &str) -> (StatusCode, Value) {
    let fields = fields(text);
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .filter(|(name, _)| name != "client_id")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let page = browser.endpoint("/par", client, secret, &fields).await;
    assert_eq!(page.headers["cache-control"], "no-store");
    (page.status, serde_json::from_str(&page.text).unwrap())
}

fn named(client: &str, uri: &str) -> String {
    format!("/authorize?{}", form(&[("client_id", client), ("request_uri", uri)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_a_client_has_pushed_is_named_once_and_leads_through_the_page() {
    let (edge, _, mut browser, secret) = served(|oidc| oidc.par_required = true).await;
    // 1. Without a push nothing goes on.
    let page = browser.get(&format!("/authorize?{}", query("openid"))).await;
    assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"), "{page:?}");
    // 2. Through the page, with a wrong password on the way.
    let before = committed(&edge).await;
    let (status, said) = push(&mut browser, "wiki", &secret, &query("openid")).await;
    assert_eq!((status, &said["expires_in"]), (StatusCode::CREATED, &json!(60)));
    let uri = text(&said, "request_uri").to_owned();
    assert!(uri.starts_with(URN));
    let written: Vec<&str> = since(&edge, &before).into_iter().map(|(name, _)| name).collect();
    assert_eq!(written, ["application-used", "pushed-request"]);
    let page = browser.get(&named("wiki", &uri)).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let page = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", "no")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let done = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!(redeem(&mut browser, &secret, &code(&done)).await.0, StatusCode::OK);
    // 3. With a session, in a browser that has no cookie of a form: at once.
    browser.cookies.retain(|name, _| !name.ends_with("-form"));
    let (_, said) = push(&mut browser, "wiki", &secret, &query("openid")).await;
    let next = text(&said, "request_uri").to_owned();
    let silent = browser.get(&named("wiki", &next)).await;
    assert_eq!(redeem(&mut browser, &secret, &code(&silent)).await.0, StatusCode::OK);
    // 4. A second time, late, another client's, and none.
    let (_, said) = push(&mut browser, "wiki", &secret, &query("openid")).await;
    let late = text(&said, "request_uri").to_owned();
    let aged = "UPDATE pushed_requests SET ends_at = ends_at - 60";
    edge.tenant.store.write("test", |writing| Ok(writing.raw().execute(aged, [])?)).unwrap();
    second_client(&edge, "mail", |_| ()).await;
    let (_, said) = push(&mut browser, "wiki", &secret, &query("openid")).await;
    let good = text(&said, "request_uri").to_owned();
    for (what, client, uri) in [
        ("used at the page", "wiki", uri.as_str()),
        ("used in silence", "wiki", &next),
        ("late", "wiki", &late),
        ("another client's", "mail", &good),
        ("none", "wiki", "urn:ietf:params:oauth:request_uri:"),
        ("made up", "wiki", &format!("{URN}{}", "A".repeat(43))),
    ] {
        let page = browser.get(&named(client, uri)).await;
        assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None), "{what}");
    }
    // Another client has not used it up. What is beside the name does not count.
    let page = browser
        .get(&format!("{}&redirect_uri=https://evil.example.com/&scope=x", named("wiki", &good)))
        .await;
    assert!(!code(&page).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_is_not_changed_on_the_way_and_is_of_one_browser() {
    let (_edge, _, mut browser, secret) = served(|oidc| oidc.par_required = true).await;
    let (_, said) = push(&mut browser, "wiki", &secret, &query("openid")).await;
    let page = browser.get(&named("wiki", text(&said, "request_uri"))).await;
    let request = page.hidden("request");
    assert!(request.contains("pushed="), "{request}");
    let csrf = page.hidden("csrf");
    let send = async |browser: &mut Browser, request: &str| {
        let fields = [("csrf", csrf.as_str()), ("request", request), ("name", ALICE), ("password", RIGHT)];
        browser.post("/sign-in", &fields, None).await
    };
    // 1. Changed by the person, or without its proof.
    for (what, changed) in [
        ("a scope more", request.replace("scope=openid", "scope=openid+groups")),
        ("another nonce", request.replace("the+nonce", "other")),
        ("one more", format!("{request}&login_hint=x")),
        ("no proof", request.split("&pushed=").next().unwrap().to_owned()),
        ("another proof", request.replace("pushed=", "pushed=A")),
        ("an empty proof", format!("{}&pushed=", request.split("&pushed=").next().unwrap())),
    ] {
        assert_ne!(changed, request, "{what}");
        let page = send(&mut browser.clone(), &changed).await;
        assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"), "{what}: {page:?}");
        let page = browser.clone().get(&format!("/authorize?{changed}")).await;
        assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"), "{what}: {page:?}");
    }
    // 2. In another browser.
    let mut other = browser.another();
    let strange = other.get(&format!("/authorize?{request}")).await;
    assert_eq!(strange.parameter("error").as_deref(), Some("invalid_request"), "{strange:?}");
    // 3. Who is not assigned goes back to it with another name.
    let fields = [
        ("csrf", csrf.as_str()),
        ("request", &request),
        ("name", "bob@corp.example.com"),
        ("password", RIGHT),
    ];
    let page = browser.post("/sign-in", &fields, None).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let link = page.text.split("href=\"/not-you?").nth(1).unwrap().split('"').next().unwrap();
    let link = link.replace("&#38;", "&").replace("&amp;", "&");
    let page = browser.get(&format!("/not-you?{link}")).await;
    let page = browser.get(&page.path().unwrap()).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    let done = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!(redeem(&mut browser, &secret, &code(&done)).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_is_checked_at_once_and_its_client_proves_itself() {
    let (edge, _, mut browser, secret) = served(|_| ()).await;
    let rate = 1;
    let slow = AppSettings {
        rate,
        oidc: Some(OidcSettings { redirect_uris: vec![CALLBACK.to_owned()], ..OidcSettings::default() }),
        ..AppSettings::named("slow")
    };
    let slow = create(&edge, slow).await;
    second_client(&edge, "native", |oidc| {
        oidc.kind = "public".to_owned();
        oidc.redirect_uris = vec![CALLBACK.to_owned()];
    })
    .await;
    // 1. As at the authorization endpoint.
    for (name, value, error) in [
        ("redirect_uri", "https://evil.example.com/callback", "invalid_request"),
        ("redirect_uri", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "profile", "invalid_scope"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("request", "eyJ.x.y", "request_not_supported"),
        ("request_uri", "urn:ietf:params:oauth:request_uri:x", "invalid_request"),
        ("request_uri", "https://wiki.example.com/request", "invalid_request"),
        ("state", &"x".repeat(3000), "invalid_request"),
    ] {
        let (status, said) = push(&mut browser, "wiki", &secret, &changed(name, value)).await;
        assert_eq!((status, text(&said, "error")), (StatusCode::BAD_REQUEST, error), "{name}={value}");
    }
    // As long as a form may be, so that its proof finds no room in a query.
    let without_client = changed("x", "").len() - "client_id=wiki&".len();
    let long = changed("x", &"x".repeat(16 * 1024 - without_client));
    let (status, said) = push(&mut browser, "wiki", &secret, &long).await;
    assert_eq!(
        (status, text(&said, "error_description")),
        (StatusCode::BAD_REQUEST, "the request is too long")
    );
    // 2. The client.
    for wrong in ["", "lba1.wrong", &slow] {
        assert_eq!(push(&mut browser, "wiki", wrong, &query("openid")).await.0, StatusCode::UNAUTHORIZED);
    }
    let (status, said) = push(&mut browser, "native", "", &query("openid")).await;
    assert_eq!(status, StatusCode::CREATED, "a public client names itself alone");
    let page = browser.get(&named("native", text(&said, "request_uri"))).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    // 3. Its rate, and no other endpoint's method.
    assert_eq!(push(&mut browser, "slow", &slow, &query("openid")).await.0, StatusCode::CREATED);
    assert_eq!(push(&mut browser, "slow", &slow, &query("openid")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(browser.get("/par").await.status, StatusCode::METHOD_NOT_ALLOWED);
    // 4. A secret in the form is no part of what is stored and carried.
    let mut fields = fields(&query("openid"));
    fields.push(("client_secret".to_owned(), secret.clone()));
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let page = browser.another().post("/par", &fields, None).await;
    let said: Value = serde_json::from_str(&page.text).unwrap();
    let page = browser.get(&named("wiki", text(&said, "request_uri"))).await;
    assert!(
        page.status == StatusCode::OK && !page.text.contains("lba1") && !page.text.contains("client_secret")
    );
}
