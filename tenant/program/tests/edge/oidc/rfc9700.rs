//! The attacks of RFC 9700 (Best Current Practice for OAuth 2.0 Security), each through the door.
//!
//! | section | attack | test |
//! |---|---|---|
//! | 4.1 | insufficient redirection URI validation | `insufficient_redirection_uri_validation_…` |
//! | 4.2 | credential leakage via Referer headers | `credential_leakage_via_referer_…` |
//! | 4.3 | credential leakage via browser history | `credential_leakage_via_browser_history_…` |
//! | 4.4 | mix-up | `mix_up_…` |
//! | 4.5 | authorization code injection | `authorization_code_injection_…` |
//! | 4.6 | access token injection | `access_token_injection_…` |
//! | 4.7 | cross-site request forgery | `cross_site_request_forgery_…` |
//! | 4.8 | PKCE downgrade | `pkce_downgrade_…` |
//! | 4.9, 4.10 | leaked and stolen access tokens | `stolen_access_token_…` |
//! | 4.11 | open redirection | `open_redirection_…` |
//! | 4.12 | 307 redirect | `redirect_307_…` |
//! | 4.13 | TLS terminating reverse proxies | `tls_terminating_reverse_proxy_…` |
//! | 4.14 | refresh token protection | `refresh_token_theft_…` |
//! | 4.15 | client impersonating resource owner | `client_impersonating_resource_owner_…` |
//! | 4.16 | clickjacking | `clickjacking_…` |
//! | 4.17 | in-browser communication flows | `in_browser_communication_…` |
//! | 2.1.2, 2.4 | implicit grant, password grant | `grants_that_rfc_9700_forbids_…` |
//! | 2.5 | client authentication | `client_authentication_…` |
//! | 2.6 | the authorization endpoint and CORS | `cross_origin_requests_…` |
//!
//! Sender-constrained access tokens (4.10.1) are not there: an access token is good for userinfo alone, and for 5 minutes.
//! Neighbours: `tenant/rules` tests the comparison of redirect URIs, `tenant/core` what ends codes and refresh tokens: forged
//! codes, a third use, and what changes until a code is redeemed are in its `provider/tests/codes.rs`.

mod browsers;
mod codes;
mod redirects;

use super::*;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HOST;

const ALICE: &str = "alice@corp.example.com";

/// Another client with its own redirect URI. Returns its secret.
pub(super) async fn second_client(edge: &Edge, name: &str, change: impl FnOnce(&mut OidcSettings)) -> String {
    let mut oidc = OidcSettings {
        redirect_uris: vec!["https://mail.example.com/callback".to_owned()],
        ..OidcSettings::default()
    };
    change(&mut oidc);
    create(edge, AppSettings { oidc: Some(oidc), ..AppSettings::named(name) }).await
}

/// A browser in which alice is signed in, with the secret of the client.
async fn alice() -> (Edge, Identity, Browser, String) {
    alice_at(|_| ()).await
}

async fn alice_at(change: impl FnOnce(&mut OidcSettings)) -> (Edge, Identity, Browser, String) {
    let (edge, phs, mut browser, secret) = served(change).await;
    let page = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    (edge, phs, browser, secret)
}

/// A new code in the browser's session.
async fn next_code(browser: &mut Browser, scope: &str) -> String {
    code(&browser.get(&format!("/authorize?{}", query(scope))).await)
}

fn header<'a>(page: &'a Page, name: &str) -> Option<&'a str> {
    page.headers.get(name).map(|value| value.to_str().unwrap())
}

/// Every kind of page that a person can see, by a name.
async fn each_page(edge: &Edge, browser: &Browser) -> Vec<(&'static str, Page)> {
    let authorize = |text: String| format!("/authorize?{text}");
    let mut fresh = browser.another();
    let sign_in = fresh.get(&authorize(query("openid"))).await;
    let wrong = fresh.submit(&sign_in, "/sign-in", &[("name", ALICE), ("password", "no")]).await;
    let stranger =
        fresh.submit(&sign_in, "/sign-in", &[("name", "bob@corp.example.com"), ("password", RIGHT)]).await;
    let mut signed = browser.clone();
    let forged = browser.another().submit(&sign_in, "/sign-in", &[]).await;
    let form_post = signed.get(&authorize(changed("response_mode", "form_post"))).await;
    let question = signed.get("/sign-out").await;
    let put = Request::put("/authorize").header(HOST, browser::HOST_NAME).body(Full::default()).unwrap();
    let large = signed.post("/sign-in", &[("name", &"x".repeat(100_000))], None).await;
    let pages = vec![
        ("sign-in", sign_in),
        ("wrong password", wrong),
        ("not assigned", stranger),
        ("forged form", forged),
        ("form_post", form_post),
        ("sign-out", question),
        ("signed out", fresh.get("/sign-out").await),
        ("unknown client", fresh.get(&authorize(changed("client_id", "nosuch"))).await),
        (
            "unregistered redirect",
            fresh.get(&authorize(changed("redirect_uri", "https://evil.example/"))).await,
        ),
        ("a parameter twice", fresh.get(&authorize(format!("{}&state=x", query("openid")))).await),
        ("no such path", fresh.get("/nosuch").await),
        ("another host", fresh.get_as("evil.example.com", "/").await),
        ("another method", fresh.send(put).await),
        ("too large", large),
    ];
    let expected = [200, 403, 403, 403, 200, 200, 200, 400, 400, 400, 404, 421, 405, 413];
    for ((what, page), status) in pages.iter().zip(expected) {
        assert_eq!(page.status.as_u16(), status, "{what}");
    }
    assert_eq!(edge.config.oidc.as_ref().unwrap().issuer.as_str().trim_end_matches('/'), ISSUER);
    pages
}
