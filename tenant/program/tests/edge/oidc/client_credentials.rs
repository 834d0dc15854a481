//! Tokens of a client itself (RFC 6749 4.4): for confidential clients that may, and of no person.

use super::rfc9700::second_client;
use super::writes::{committed, since};
use super::*;
use landbridge_tenant_core::administration::request::AppSettings;

const GRANT: [(&str, &str); 1] = [("grant_type", "client_credentials")];

/// Settings of a client without sign-ins of people.
fn machine() -> OidcSettings {
    OidcSettings { client_credentials: true, ..OidcSettings::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_may_gets_a_token_of_its_own_that_says_nothing_of_a_person() {
    let (edge, _, mut browser, wiki) = served(|_| ()).await;
    let settings = AppSettings { oidc: Some(machine()), ..AppSettings::named("backup") };
    let secret = create(&edge, settings).await;
    let before = committed(&edge).await;
    let (status, first) = browser.token("backup", &secret, &GRANT).await;
    assert_eq!((status, &first["expires_in"]), (StatusCode::OK, &300.into()));
    let names: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(names, ["access_token", "expires_in", "token_type"]);
    // 1. Each is another one, and none has a row of its own.
    let (_, second) = browser.token("backup", &secret, &GRANT).await;
    assert_ne!(text(&first, "access_token"), text(&second, "access_token"));
    let mut written = since(&edge, &before);
    // On a server its rate is leased from a row.
    written.retain(|(name, _)| *name != "rate-lease");
    assert_eq!(written, [("application-used", 1)], "the day of the secret's first use is noted");
    // 2. It opens nothing of a person's.
    assert_eq!(browser.userinfo(text(&first, "access_token")).await.0, StatusCode::UNAUTHORIZED);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&first, "access_token"))];
    assert_eq!(browser.token("backup", &secret, &fields).await.0, StatusCode::BAD_REQUEST);
    // 3. No scope fits it.
    for scope in ["openid", "profile", "x"] {
        let fields = [("grant_type", "client_credentials"), ("scope", scope)];
        let (status, refused) = browser.token("backup", &secret, &fields).await;
        assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_scope"), "{scope}");
    }
    // 4. A client gets none unless it may, and none without its own secret.
    let (status, refused) = browser.token("wiki", &wiki, &GRANT).await;
    assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "unauthorized_client"));
    for wrong in ["", "lba1.wrong", &wiki] {
        let (status, refused) = browser.token("backup", wrong, &GRANT).await;
        assert_eq!((status, text(&refused, "error")), (StatusCode::UNAUTHORIZED, "invalid_client"));
    }
    // 5. People cannot sign in there: it has no redirect URI.
    let request = query("openid").replace("client_id=wiki", "client_id=backup");
    let page = browser.get(&format!("/authorize?{request}")).await;
    assert_eq!((page.status, page.redirect()), (StatusCode::BAD_REQUEST, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_client_gets_no_token_of_its_own() {
    let (edge, _, mut browser, _) = served(|_| ()).await;
    second_client(&edge, "native", |oidc| oidc.kind = "public".to_owned()).await;
    let (status, refused) = browser.token("native", "", &GRANT).await;
    assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "unauthorized_client"));
    for change in [
        ("native", OidcChange { client_credentials: Some(true), ..OidcChange::default() }),
        (
            "wiki",
            OidcChange {
                kind: Some("public".to_owned()),
                client_credentials: Some(true),
                ..OidcChange::default()
            },
        ),
    ] {
        let (name, change) = (change.0.to_owned(), Some(change.1));
        let said = says(&edge, AdminRequest::AppsOidc { name, change }).await;
        assert!(said.starts_with("refused: a public client"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_clients_own_is_charged_to_its_rate_and_held_to_its_networks() {
    let (edge, _, mut browser, _) = served(|_| ()).await;
    let machine = |name: &str| AppSettings { oidc: Some(machine()), ..AppSettings::named(name) };
    let slow = create(&edge, AppSettings { rate: 1, ..machine("slow") }).await;
    assert_eq!(browser.token("slow", &slow, &GRANT).await.0, StatusCode::OK);
    assert_eq!(browser.token("slow", &slow, &GRANT).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let networks = vec!["192.0.2.0/24".to_owned()];
    let far = create(&edge, AppSettings { networks, ..machine("far") }).await;
    assert_eq!(browser.token("far", &far, &GRANT).await.0, StatusCode::UNAUTHORIZED);
}
