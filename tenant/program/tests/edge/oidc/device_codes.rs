//! Devices without a browser (RFC 8628): the endpoint, the page, and the codes for tokens.

use super::*;
use crate::harness::Edge;
use landbridge_door_pages::headers::HEADERS;
use landbridge_tenant_core::administration::request::AdminResponse;
use serde_json::json;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const ALICE: &str = "alice@corp.example.com";
const BOB: &str = "bob@corp.example.com";

/// The tenant of these tests, whose client `wiki` signs people in on devices.
async fn with_devices() -> (Edge, Identity, Browser, String) {
    served(|oidc| oidc.device_code = true).await
}

/// Asks for the codes of a device. An empty secret: the client is public.
async fn begin(browser: &mut Browser, client: &str, secret: &str) -> Value {
    let fields = [("scope", "openid offline_access unknown")];
    let page = browser.endpoint("/device_authorization", client, secret, &fields).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    serde_json::from_str(&page.text).unwrap()
}

async fn poll(browser: &mut Browser, client: &str, secret: &str, code: &str) -> (StatusCode, Value) {
    browser.token(client, secret, &[("grant_type", GRANT), ("device_code", code)]).await
}

/// The error that a device is answered with.
async fn error(browser: &mut Browser, secret: &str, codes: &Value) -> String {
    let (status, said) = poll(browser, "wiki", secret, text(codes, "device_code")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
    text(&said, "error").to_owned()
}

/// The device waits as long as it must.
fn waits(edge: &Edge) {
    let sql = "UPDATE device_requests SET polled_at = polled_at - wait_seconds";
    edge.database().execute(sql, []).unwrap();
}

/// Signs in on the way to the page.
async fn at_page(browser: &mut Browser, user: &str) -> Page {
    let page = browser.get("/device").await;
    assert_eq!((page.status, page.hidden("request").as_str()), (StatusCode::OK, "device"));
    let answer = browser.submit(&page, "/sign-in", &[("name", user), ("password", RIGHT)]).await;
    assert_eq!((answer.status, answer.path().as_deref()), (StatusCode::SEE_OTHER, Some("/device")));
    browser.get("/device").await
}

/// The proof of one of the two forms of the question.
fn proof(question: &Page, action: &str) -> String {
    let form = question.text.split_once(&format!("action=\"{action}\"")).unwrap().1;
    let value = form.split_once("name=\"csrf\" value=\"").unwrap().1;
    value.split_once('"').unwrap().0.to_owned()
}

/// Selects one of the two buttons of the question.
async fn answers(browser: &mut Browser, question: &Page, action: &str) -> Page {
    let (csrf, code) = (proof(question, action), question.hidden("request"));
    browser.post(action, &[("csrf", &csrf), ("request", &code)], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_types_the_code_of_a_device_and_allows_it_to_sign_in() {
    let (edge, _phs, mut browser, secret) = with_devices().await;
    // 1. The device gets its codes.
    let codes = begin(&mut browser, "wiki", &secret).await;
    assert_eq!(codes["verification_uri"], format!("{ISSUER}/device"));
    assert_eq!((&codes["expires_in"], &codes["interval"]), (&json!(600), &json!(5)));
    assert_eq!(codes.as_object().unwrap().len(), 5, "there is no verification_uri_complete");
    let code = text(&codes, "user_code");
    assert_eq!(error(&mut browser, &secret, &codes).await, "authorization_pending");
    assert_eq!(error(&mut browser, &secret, &codes).await, "slow_down");
    waits(&edge);
    assert_eq!(error(&mut browser, &secret, &codes).await, "authorization_pending");
    // 2. A code in an address is ignored, and the person signs in first.
    let mut person = browser.another();
    let page = person.get(&format!("/device?user_code={code}&code={code}")).await;
    assert!(page.status == StatusCode::OK && !page.text.contains(code));
    let page = at_page(&mut person, ALICE).await;
    let page_with_code = person.get(&format!("/device?user_code={code}&code={code}")).await;
    assert!(!page_with_code.text.contains(code) && page_with_code.text.contains("name=\"code\""));
    // 3. The question names application, place and time.
    let typed = code.to_lowercase().replace('-', " ");
    let question = person.submit(&page, "/device", &[("code", &typed)]).await;
    assert_eq!(question.status, StatusCode::OK);
    for part in ["<bdi>wiki</bdi>", code, "127.0.0.1", "<time datetime=\"", ALICE, "in front of you"] {
        assert!(question.text.contains(part), "{part}: {}", question.text);
    }
    for (name, value) in HEADERS {
        assert_eq!(question.headers.get(*name).unwrap(), value, "{name}");
    }
    waits(&edge);
    assert_eq!(error(&mut browser, &secret, &codes).await, "authorization_pending");
    // 4. The answer, and the tokens.
    let answer = answers(&mut person, &question, "/allow-device").await;
    assert!(answer.status == StatusCode::OK && answer.text.contains("may sign in to <bdi>wiki</bdi>"));
    waits(&edge);
    let (status, tokens) = poll(&mut browser, "wiki", &secret, text(&codes, "device_code")).await;
    assert_eq!((status, &tokens["scope"]), (StatusCode::OK, &json!("openid offline_access")));
    let id = browser.verified(text(&tokens, "id_token"), "RS256").await;
    assert_eq!((text(&id, "aud"), text(&id, "iss"), id.get("nonce")), ("wiki", ISSUER, None));
    let (_, who) = browser.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(who["sub"], id["sub"]);
    let (_, next) = refresh(&mut browser, &secret, text(&tokens, "refresh_token")).await;
    let page =
        browser.endpoint("/introspect", "wiki", &secret, &[("token", text(&next, "access_token"))]).await;
    assert!(page.text.contains("\"active\":true"), "{}", page.text);
    // 5. Lists and the audit log have it.
    match edge.ask(AdminRequest::SessionsList { user: None }).await {
        AdminResponse::Sessions(rows) => assert_eq!(rows[0].applications, ["wiki"]),
        other => panic!("{other:?}"),
    }
    let actions: Vec<String> = edge.audit().await.into_iter().map(|entry| entry.action).collect();
    assert!(
        actions.contains(&"device-allowed".to_owned()) && actions.contains(&"signin-by-session".to_owned())
    );
    // 6. The code is good once, and a second use ends all.
    assert_eq!(error(&mut browser, &secret, &codes).await, "invalid_grant");
    let (status, _) = refresh(&mut browser, &secret, text(&next, "refresh_token")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let again = person.submit(&page, "/device", &[("code", code)]).await;
    assert_eq!(again.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_allowed_without_the_question_of_this_browser_in_this_session() {
    let (edge, _phs, mut browser, secret) = with_devices().await;
    let codes = begin(&mut browser, "wiki", &secret).await;
    let code = text(&codes, "user_code");
    let mut person = browser.another();
    let page = at_page(&mut person, ALICE).await;
    let question = person.submit(&page, "/device", &[("code", code)]).await;
    let csrf = proof(&question, "/allow-device");
    // 1. No GET does anything.
    for path in ["/allow-device", "/refuse-device"] {
        let page = person.get(&format!("{path}?csrf={csrf}&request={code}")).await;
        assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    // 2. The proof is of one answer, one code, one session and one browser.
    let (of_page, of_refusal) = (page.hidden("csrf"), proof(&question, "/refuse-device"));
    let other_codes = begin(&mut browser, "wiki", &secret).await;
    for (csrf, code) in [
        ("", code),
        (&of_page, code),
        (&of_refusal, code),
        (&csrf, text(&other_codes, "user_code")),
        (&csrf, ""),
    ] {
        let page = person.post("/allow-device", &[("csrf", csrf), ("request", code)], None).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{code}");
    }
    let mut bob = browser.another();
    at_page(&mut bob, BOB).await;
    let session = bob.cookies["__Host-landbridge"].clone();
    let mut mixed = person.clone();
    mixed.cookies.insert("__Host-landbridge".to_owned(), session);
    for other in [&mut bob, &mut mixed] {
        let page = other.post("/allow-device", &[("csrf", &csrf), ("request", code)], None).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
    }
    let mut signed_out = browser.another();
    let page = signed_out.post("/allow-device", &[("csrf", &csrf), ("request", code)], None).await;
    assert_eq!(
        (page.status, page.hidden("request").as_str()),
        (StatusCode::OK, "device"),
        "the sign-in page"
    );
    let forged = person.post("/device", &[("code", code)], None).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert_eq!(error(&mut browser, &secret, &codes).await, "authorization_pending");
    // 3. A session that has ended allows nothing.
    says(&edge, AdminRequest::UsersBlock { name: "CORP\\alice".to_owned() }).await;
    let page = answers(&mut person, &question, "/allow-device").await;
    assert_eq!(
        (page.status, page.hidden("request").as_str()),
        (StatusCode::OK, "device"),
        "the sign-in page"
    );
    waits(&edge);
    assert_eq!(error(&mut browser, &secret, &codes).await, "authorization_pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_refuses_a_device_and_one_without_the_application_reads_so() {
    let (edge, _phs, mut browser, secret) = with_devices().await;
    let codes = begin(&mut browser, "wiki", &secret).await;
    let code = text(&codes, "user_code");
    // 1. Bob has no access.
    let mut bob = browser.another();
    let page = at_page(&mut bob, BOB).await;
    let refused = bob.submit(&page, "/device", &[("code", code)]).await;
    assert!(refused.status == StatusCode::FORBIDDEN && refused.text.contains("not assigned to you"));
    assert!(edge.audit().await.iter().any(|entry| entry.detail.starts_with("not-assigned, by session")));
    // 2. Alice refuses.
    let mut alice = browser.another();
    let page = at_page(&mut alice, ALICE).await;
    let question = alice.submit(&page, "/device", &[("code", code)]).await;
    let answer = answers(&mut alice, &question, "/refuse-device").await;
    assert!(answer.status == StatusCode::OK && answer.text.contains("may not sign in to <bdi>wiki</bdi>"));
    let again = answers(&mut alice, &question, "/allow-device").await;
    assert!(again.status == StatusCode::FORBIDDEN && again.text.contains("its time is over"));
    assert_eq!(error(&mut browser, &secret, &codes).await, "access_denied");
    assert!(edge.audit().await.iter().any(|entry| entry.action == "device-refused"));
    // 3. One that is late.
    let late = begin(&mut browser, "wiki", &secret).await;
    edge.database().execute("UPDATE device_requests SET ends_at = ends_at - 600", []).unwrap();
    assert_eq!(error(&mut browser, &secret, &late).await, "expired_token");
    let late = alice.submit(&page, "/device", &[("code", text(&late, "user_code"))]).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_are_guessed_a_limited_number_of_times_in_whatever_session() {
    let (edge, _phs, mut browser, secret) = with_devices().await;
    let codes = begin(&mut browser, "wiki", &secret).await;
    let mut people = [browser.another(), browser.another()];
    let mut page = at_page(&mut people[0], ALICE).await;
    let pages = [page.hidden("csrf"), at_page(&mut people[1], BOB).await.hidden("csrf")];
    for n in 0..10 {
        let fields = [("csrf", pages[0].as_str()), ("code", "BCDF-GHJK")];
        page = people[0].post("/device", &fields, None).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{n}");
        assert!(!page.text.contains("BCDF"), "a code is not sent back");
    }
    let code = text(&codes, "user_code");
    let page = people[0].post("/device", &[("csrf", &pages[0]), ("code", code)], None).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    let page = people[1].post("/device", &[("csrf", &pages[1]), ("code", code)], None).await;
    assert!(page.text.contains("No access to wiki"), "another person's code is looked up: {}", page.status);
    edge.database().execute("UPDATE device_guesses SET ends_at = ends_at - 600", []).unwrap();
    let page = people[0].post("/device", &[("csrf", &pages[0]), ("code", code)], None).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_must_be_registered_for_devices_and_prove_itself_and_its_codes_are_its_own() {
    let (edge, _phs, mut browser, secret) = served(|_| ()).await;
    let fields = [("scope", "openid")];
    // 1. Off by default, at both endpoints.
    let page = browser.endpoint("/device_authorization", "wiki", &secret, &fields).await;
    assert!(page.status == StatusCode::BAD_REQUEST && page.text.contains("unauthorized_client"));
    let (_, said) = poll(&mut browser, "wiki", &secret, "x").await;
    assert_eq!(said["error"], "unauthorized_client");
    // 2. A public client needs no redirect URI for it.
    let change = OidcChange { device_code: Some(true), ..OidcChange::default() };
    let said = says(&edge, AdminRequest::AppsOidc { name: "wiki".to_owned(), change: Some(change) }).await;
    assert!(said.contains("signs in on devices"), "{said}");
    let native = OidcSettings { kind: "public".to_owned(), device_code: true, ..OidcSettings::default() };
    create(&edge, AppSettings { oidc: Some(native), ..AppSettings::named("native") }).await;
    let of_native = begin(&mut browser, "native", "").await;
    // 3. Who proves nothing or asks for nothing.
    let page = browser.endpoint("/device_authorization", "wiki", "", &fields).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    for scope in ["", "profile"] {
        let page = browser.endpoint("/device_authorization", "wiki", &secret, &[("scope", scope)]).await;
        assert!(page.text.contains("invalid_scope"), "{scope}");
    }
    assert_eq!(browser.another().get("/device_authorization").await.status, StatusCode::METHOD_NOT_ALLOWED);
    // 4. Another client's code, and none.
    let (_, said) = poll(&mut browser, "wiki", &secret, text(&of_native, "device_code")).await;
    assert_eq!(said["error"], "invalid_grant");
    let (_, said) = browser.token("wiki", &secret, &[("grant_type", GRANT)]).await;
    assert_eq!(said["error"], "invalid_request");
    let (_, said) = poll(&mut browser, "native", "", text(&of_native, "device_code")).await;
    assert_eq!(said["error"], "authorization_pending");
    // 5. Off again: what waits is of no use.
    let off = OidcChange { device_code: Some(false), ..OidcChange::default() };
    says(&edge, AdminRequest::AppsOidc { name: "wiki".to_owned(), change: Some(off) }).await;
    let page = browser.endpoint("/device_authorization", "wiki", &secret, &fields).await;
    assert!(page.text.contains("unauthorized_client"));
}
