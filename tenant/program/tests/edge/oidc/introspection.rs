//! What a token is worth at this moment, for clients that may know it (RFC 7662); and its end by its client (RFC 7009).

use super::rfc9700::second_client;
use super::writes::{committed, since};
use super::*;
use serde_json::json;
use uuid::Uuid;

const ALICE: &str = "alice@corp.example.com";
const OWN: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// What the endpoint says of a token to a client.
async fn introspect(browser: &mut Browser, client: &str, secret: &str, token: &str) -> Value {
    let page = browser.endpoint("/introspect", client, secret, &[("token", token)]).await;
    assert_eq!((page.status, &page.headers["cache-control"]), (StatusCode::OK, &"no-store".parse().unwrap()));
    serde_json::from_str(&page.text).unwrap()
}

async fn revoke(browser: &mut Browser, client: &str, secret: &str, token: &str) -> StatusCode {
    let page = browser.endpoint("/revoke", client, secret, &[("token", token)]).await;
    assert_eq!((page.text.as_str(), &page.headers["cache-control"]), ("", &"no-store".parse().unwrap()));
    page.status
}

/// The tokens of alice at `wiki`, by a new code.
async fn tokens(browser: &mut Browser, secret: &str) -> (String, String) {
    let page = browser.get(&format!("/authorize?{}", query("openid email offline_access"))).await;
    let page = match page.status {
        StatusCode::OK => browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await,
        _ => page,
    };
    let (status, tokens) = redeem(browser, secret, &code(&page)).await;
    assert_eq!(status, StatusCode::OK);
    (text(&tokens, "access_token").to_owned(), text(&tokens, "refresh_token").to_owned())
}

fn nothing() -> Value {
    json!({ "active": false })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_knows_its_own_tokens_an_api_the_access_tokens_of_all_and_another_client_nothing() {
    let (edge, _, mut browser, wiki) = served(|oidc| oidc.client_credentials = true).await;
    let mail = second_client(&edge, "mail", |_| ()).await;
    let api = second_client(&edge, "api", |oidc| {
        oidc.introspect_others = true;
        oidc.redirect_uris = Vec::new();
    })
    .await;
    let (access, refresh) = tokens(&mut browser, &wiki).await;
    let (_, own) = browser.token("wiki", &wiki, &OWN).await;
    let own = text(&own, "access_token");
    let alice = Uuid::from_u128(1).to_string();
    // 1. The client itself. Nothing is written for it.
    let before = committed(&edge).await;
    let said = introspect(&mut browser, "wiki", &wiki, &access).await;
    let (exp, iat) = (said["exp"].as_i64().unwrap(), said["iat"].as_i64().unwrap());
    assert_eq!(exp - iat, 300);
    let expected = json!({
        "active": true, "iss": ISSUER, "client_id": "wiki", "token_type": "Bearer", "exp": exp, "iat": iat,
        "sub": alice, "scope": "openid email offline_access",
    });
    assert_eq!(said, expected);
    let said = introspect(&mut browser, "wiki", &wiki, &refresh).await;
    assert_eq!((&said["active"], &said["sub"], said.get("token_type")), (&json!(true), &json!(alice), None));
    let said = introspect(&mut browser, "wiki", &wiki, own).await;
    assert_eq!((&said["active"], said.get("sub"), said.get("scope")), (&json!(true), None, None));
    assert_eq!(since(&edge, &before), []);
    // 2. An API: access tokens of all, refresh tokens of none.
    for (token, is_active) in [(access.as_str(), true), (own, true), (&refresh, false)] {
        let said = introspect(&mut browser, "api", &api, token).await;
        assert_eq!(said["active"], is_active);
        assert!(is_active || said == nothing(), "{said}");
    }
    // 3. Another client nothing.
    for token in [&access, own, &refresh] {
        assert_eq!(introspect(&mut browser, "mail", &mail, token).await, nothing());
    }
    // 4. A client that must prove itself, and a request without a token.
    second_client(&edge, "native", |oidc| oidc.kind = "public".to_owned()).await;
    for (client, secret, status, error) in [
        ("wiki", "", StatusCode::UNAUTHORIZED, "invalid_client"),
        ("wiki", mail.as_str(), StatusCode::UNAUTHORIZED, "invalid_client"),
        ("native", "", StatusCode::BAD_REQUEST, "unauthorized_client"),
    ] {
        let page = browser.endpoint("/introspect", client, secret, &[("token", &access)]).await;
        let said: Value = serde_json::from_str(&page.text).unwrap();
        assert_eq!((page.status, text(&said, "error")), (status, error), "{client}");
    }
    for path in ["/introspect", "/revoke"] {
        let page = browser.endpoint(path, "wiki", &wiki, &[]).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(browser.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_active_as_long_as_session_account_assignment_and_application_go_on() {
    let (edge, _phs, mut browser, wiki) = served(|oidc| oidc.client_credentials = true).await;
    let (access, refresh) = tokens(&mut browser, &wiki).await;
    let is_active = async |browser: &mut Browser, token: &str| {
        let said = introspect(browser, "wiki", &wiki, token).await;
        assert!(said["active"] == true || said == nothing(), "{said}");
        said["active"] == true
    };
    // 1. What is no token, and a refresh token that was used: a look ends nothing.
    for strange in ["x", "..", &format!("{access}="), &refresh.to_uppercase(), &"x".repeat(10_000)] {
        assert!(!is_active(&mut browser, strange).await);
    }
    let (_, next) = super::refresh(&mut browser, &wiki, &refresh).await;
    assert!(!is_active(&mut browser, &refresh).await);
    let refresh = text(&next, "refresh_token").to_owned();
    assert!(is_active(&mut browser, &refresh).await && is_active(&mut browser, &access).await);
    let waiting = code(&browser.get(&format!("/authorize?{}", query("openid offline_access"))).await);
    assert!(!is_active(&mut browser, &waiting).await, "a code is none");
    assert_eq!(redeem(&mut browser, &wiki, &waiting).await.0, StatusCode::OK, "and is not spent by it");
    // 2. The assignment.
    let assign = |add: &[&str], remove: &[&str]| AdminRequest::AppsAssign {
        name: "wiki".to_owned(),
        everybody: false,
        add: add.iter().map(|name| (*name).to_owned()).collect(),
        remove: remove.iter().map(|name| (*name).to_owned()).collect(),
    };
    says(&edge, assign(&[], &["CORP\\Pilot"])).await;
    assert!(!is_active(&mut browser, &refresh).await && !is_active(&mut browser, &access).await);
    says(&edge, assign(&["CORP\\Pilot"], &[])).await;
    assert!(is_active(&mut browser, &refresh).await && is_active(&mut browser, &access).await);
    // 3. The account.
    says(&edge, AdminRequest::UsersBlock { name: "CORP\\alice".to_owned() }).await;
    assert!(!is_active(&mut browser, &refresh).await && !is_active(&mut browser, &access).await);
    says(&edge, AdminRequest::UsersUnblock { name: "CORP\\alice".to_owned() }).await;
    // 4. The application: what it may, and whether it is there.
    let (_, own) = browser.token("wiki", &wiki, &OWN).await;
    let own = text(&own, "access_token").to_owned();
    assert!(is_active(&mut browser, &own).await);
    let change = |may| AdminRequest::AppsOidc {
        name: "wiki".to_owned(),
        change: Some(OidcChange { client_credentials: Some(may), ..OidcChange::default() }),
    };
    says(&edge, change(false)).await;
    assert!(!is_active(&mut browser, &own).await);
    says(&edge, change(true)).await;
    let api = second_client(&edge, "api", |oidc| oidc.introspect_others = true).await;
    assert_eq!(introspect(&mut browser, "api", &api, &own).await["active"], true);
    says(&edge, AdminRequest::AppsRevoke { name: "wiki".to_owned() }).await;
    assert_eq!(introspect(&mut browser, "api", &api, &own).await, nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_that_asks_knows_people_by_its_own_subject_and_of_its_own_domains_alone() {
    let (edge, _, mut browser, wiki) = served(|_| ()).await;
    let pairwise = second_client(&edge, "pairwise", |oidc| {
        oidc.introspect_others = true;
        oidc.subject = "pairwise".to_owned();
    })
    .await;
    let elsewhere = AppSettings {
        domains: Some(Vec::new()),
        oidc: Some(OidcSettings { introspect_others: true, ..OidcSettings::default() }),
        ..AppSettings::named("elsewhere")
    };
    let elsewhere = create(&edge, elsewhere).await;
    let (access, _) = tokens(&mut browser, &wiki).await;
    let alice = json!(Uuid::from_u128(1).to_string());
    assert_eq!(introspect(&mut browser, "wiki", &wiki, &access).await["sub"], alice);
    let said = introspect(&mut browser, "pairwise", &pairwise, &access).await;
    assert!(said["active"] == true && said["sub"].is_string() && said["sub"] != alice, "{said}");
    assert_eq!(introspect(&mut browser, "elsewhere", &elsewhere, &access).await, nothing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_ends_its_own_tokens_with_all_that_came_of_them_and_no_other_ones() {
    let (edge, _, mut browser, wiki) = served(|oidc| oidc.client_credentials = true).await;
    let mail = second_client(&edge, "mail", |oidc| oidc.introspect_others = true).await;
    // 1. By either of them the grant ends. Another grant of the same session goes on.
    let (kept, kept_refresh) = tokens(&mut browser, &wiki).await;
    for by_refresh in [false, true] {
        let (access, refresh) = tokens(&mut browser, &wiki).await;
        let shown = if by_refresh { &refresh } else { &access };
        // Another client changes nothing, also one that may look.
        assert_eq!(revoke(&mut browser, "mail", &mail, shown).await, StatusCode::OK);
        assert_eq!(browser.userinfo(&access).await.0, StatusCode::OK);
        assert_eq!(revoke(&mut browser, "wiki", &wiki, shown).await, StatusCode::OK);
        assert_eq!(browser.userinfo(&access).await.0, StatusCode::UNAUTHORIZED);
        assert_eq!(super::refresh(&mut browser, &wiki, &refresh).await.0, StatusCode::BAD_REQUEST);
        assert_eq!(revoke(&mut browser, "wiki", &wiki, shown).await, StatusCode::OK, "a second time");
    }
    assert_eq!(browser.userinfo(&kept).await.0, StatusCode::OK);
    assert_eq!(super::refresh(&mut browser, &wiki, &kept_refresh).await.0, StatusCode::OK);
    let ended = edge.audit().await.into_iter().filter(|entry| entry.action == "grant-ended");
    let words: Vec<String> = ended.map(|entry| entry.detail).collect();
    assert_eq!(words, ["revoked by the application"; 2]);
    // 2. A client's own token.
    let (_, own) = browser.token("wiki", &wiki, &OWN).await;
    let own = text(&own, "access_token");
    revoke(&mut browser, "mail", &mail, own).await;
    assert_eq!(introspect(&mut browser, "mail", &mail, own).await["active"], true);
    revoke(&mut browser, "wiki", &wiki, own).await;
    assert_eq!(introspect(&mut browser, "mail", &mail, own).await, nothing());
    assert_eq!(introspect(&mut browser, "wiki", &wiki, own).await, nothing());
    // 3. What is no token costs no write, and has the same answer.
    let before = committed(&edge).await;
    for strange in ["x", "..", &format!("{}.{}", Uuid::new_v4().simple(), "A".repeat(43))] {
        assert_eq!(revoke(&mut browser, "wiki", &wiki, strange).await, StatusCode::OK);
    }
    assert_eq!(since(&edge, &before), []);
    // 4. A public client ends its own, and must name itself.
    second_client(&edge, "native", |oidc| oidc.kind = "public".to_owned()).await;
    let page = browser.endpoint("/revoke", "native", "", &[("token", &kept)]).await;
    assert_eq!((page.status, browser.userinfo(&kept).await.0), (StatusCode::OK, StatusCode::OK));
    let page = browser.endpoint("/revoke", "wiki", "", &[("token", &kept)]).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "a confidential client proves itself");
}
