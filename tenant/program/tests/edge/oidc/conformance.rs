//! What the modules of the OpenID Foundation's plans *Basic OP* and *Config OP* look at, where no other test holds it.
//! `docs/oidc/conformance.md` has each module beside its test.

use super::rfc9700::second_client;
use super::tokens::claims_of;
use super::*;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};

const ALICE: &str = "alice@corp.example.com";

/// The claims of the ID token of a request in a browser that is signed in.
async fn id_token(browser: &mut Browser, secret: &str, request: &str) -> Value {
    let page = browser.get(&format!("/authorize?{request}")).await;
    let code = page.parameter("code").unwrap_or_else(|| panic!("{request}: {page:?}"));
    let (status, tokens) = redeem(browser, secret, &code).await;
    assert_eq!(status, StatusCode::OK, "{request}: {}", tokens["error"]);
    claims_of(text(&tokens, "id_token"))
}

/// The query with further parameters.
fn with(more: &[(&str, &str)]) -> String {
    format!("{}&{}", query("openid"), form(more))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_is_taken_from_the_form_as_well() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    let code = code(&page);
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_id", "wiki"),
        ("client_secret", secret.as_str()),
    ];
    let page = browser.another().post("/token", &fields, None).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert_eq!(page.headers["content-type"], "application/json");
    let tokens: Value = serde_json::from_str(&page.text).unwrap();
    assert_eq!((text(&tokens, "token_type"), tokens["expires_in"].as_i64()), ("Bearer", Some(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn userinfo_answers_get_and_post_with_the_token_in_the_header_and_not_in_the_form() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid profile email", ALICE, RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    let access = text(&tokens, "access_token");
    let sub = claims_of(text(&tokens, "id_token"))["sub"].clone();
    let (status, who) = browser.userinfo(access).await;
    assert_eq!((status, &who["sub"]), (StatusCode::OK, &sub));
    for body in ["", "x=1"] {
        let request = Request::post("/userinfo")
            .header(HOST, browser::HOST_NAME)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(AUTHORIZATION, format!("Bearer {access}"))
            .body(Full::from(body))
            .unwrap();
        let page = browser.another().send(request).await;
        let said: Value = serde_json::from_str(&page.text).unwrap();
        assert_eq!((page.status, &said["sub"]), (StatusCode::OK, &sub));
    }
    let page = browser.another().post("/userinfo", &[("access_token", access)], None).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "RFC 6750 2.2 lets a server leave it out");
    assert!(page.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_optional_or_unknown_in_a_request_does_no_harm() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    assert_eq!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    for more in [
        [("display", "page")],
        [("display", "popup")],
        [("display", "touch")],
        [("ui_locales", "se fr de")],
        [("claims_locales", "se")],
        [("acr_values", "1 2")],
        [("extra", "foobar")],
        [("login_hint", "buffy@corp.example.com")],
        [("prompt", "consent")],
        [("claims", r#"{"userinfo":{"name":{"essential":true}}}"#)],
        [("max_age", "10000")],
    ] {
        let id = id_token(&mut browser, &secret, &with(&more)).await;
        assert_eq!(id["nonce"], "the nonce", "{more:?}");
    }
    // Neither a nonce nor a state is required in the code flow.
    let id = id_token(&mut browser, &secret, &without(&["nonce", "state"])).await;
    assert!(id.get("nonce").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_come_in_any_order_and_those_that_are_unknown_are_left_out() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    assert_eq!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    for (scope, granted) in [
        ("openid address", "openid"),
        ("openid phone", "openid"),
        ("openid profile email address phone", "openid profile email"),
        ("email openid", "openid email"),
        ("profile openid profile", "openid profile"),
        ("openid  email", "openid email"),
    ] {
        let code = code(&browser.get(&format!("/authorize?{}", query(scope))).await);
        let (status, tokens) = redeem(&mut browser, &secret, &code).await;
        assert_eq!((status, text(&tokens, "scope")), (StatusCode::OK, granted), "{scope}");
        let (_, who) = browser.userinfo(text(&tokens, "access_token")).await;
        assert_eq!(who.get("preferred_username").is_some(), scope.contains("profile"), "{scope}");
    }
    for scope in ["profile", "OPENID", "openidx", ""] {
        let page = browser.get(&format!("/authorize?{}", query(scope))).await;
        assert_eq!(page.parameter("error").as_deref(), Some("invalid_scope"), "{scope}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_the_sign_in_stays_until_the_password_is_typed_again() {
    let (edge, _, mut browser, secret) = served(|_| ()).await;
    assert_eq!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    // The password was typed 100 seconds ago.
    edge.database().execute("UPDATE web_sessions SET made_at = made_at - 100", []).unwrap();
    let first = id_token(&mut browser, &secret, &query("openid")).await;
    let at = |id: &Value| id["auth_time"].as_i64().unwrap();
    assert!(at(&first) <= unix_now() - 100);
    // 1. It is the same in silence, and with a max_age that has not passed.
    for more in [[("prompt", "none")], [("max_age", "10000")]] {
        let again = id_token(&mut browser, &secret, &with(&more)).await;
        assert_eq!((at(&again), &again["sub"]), (at(&first), &first["sub"]), "{more:?}");
    }
    // 2. It is another one after a page that the request demanded.
    for more in [[("max_age", "1")], [("prompt", "login")], [("prompt", "select_account")]] {
        let page = browser.get(&format!("/authorize?{}", with(&more))).await;
        assert_eq!(page.status, StatusCode::OK, "{more:?}: the page");
        let page = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
        let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
        let again = claims_of(text(&tokens, "id_token"));
        assert!(at(&again) > at(&first) + 50, "{more:?}");
        assert_eq!(again["sub"], first["sub"]);
        edge.database().execute("UPDATE web_sessions SET made_at = made_at - 100", []).unwrap();
    }
    // 3. In silence a max_age that has passed is an error.
    let page = browser.get(&format!("/authorize?{}", with(&[("max_age", "1"), ("prompt", "none")]))).await;
    assert_eq!(page.parameter("error").as_deref(), Some("login_required"));
}

#[tokio::test(flavor = "multi_thread")]
async fn prompt_none_beside_another_value_is_refused() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    assert_eq!(signed_in(&mut browser, "openid", ALICE, RIGHT).await.status, StatusCode::SEE_OTHER);
    for prompt in
        ["none login", "login none", "none consent", "consent none", "none select_account", "none nosuch"]
    {
        let page = browser.get(&format!("/authorize?{}", with(&[("prompt", prompt)]))).await;
        assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"), "{prompt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_hint_of_this_person_goes_on_and_one_of_another_person_does_not() {
    let (edge, phs, mut browser, secret) = served(|_| ()).await;
    send(&edge, &phs, vec![], vec![member(10, 2)]).await;
    let mut hints = Vec::new();
    for name in ["bob@corp.example.com", ALICE] {
        let mut one = browser.another();
        let page = signed_in(&mut one, "openid", name, RIGHT).await;
        let (_, tokens) = redeem(&mut one, &secret, &code(&page)).await;
        hints.push(text(&tokens, "id_token").to_owned());
        browser = one;
    }
    let (bob, alice) = (hints[0].as_str(), hints[1].as_str());
    // 1. In silence.
    let page =
        browser.get(&format!("/authorize?{}", with(&[("id_token_hint", alice), ("prompt", "none")]))).await;
    assert!(page.parameter("code").is_some(), "{page:?}");
    let page =
        browser.get(&format!("/authorize?{}", with(&[("id_token_hint", bob), ("prompt", "none")]))).await;
    assert_eq!(
        page.parameter("error").as_deref(),
        Some("login_required"),
        "never the code of another person"
    );
    // 2. With a page: whoever signs in there must be the one of the hint.
    let page = browser.get(&format!("/authorize?{}", with(&[("id_token_hint", bob)]))).await;
    assert_eq!(page.status, StatusCode::OK, "the page asks for a password");
    let as_alice = browser.clone().submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!(
        (as_alice.parameter("code"), as_alice.parameter("error").as_deref()),
        (None, Some("login_required"))
    );
    let as_bob =
        browser.submit(&page, "/sign-in", &[("name", "bob@corp.example.com"), ("password", RIGHT)]).await;
    assert!(as_bob.parameter("code").is_some());
    // 3. A hint that is none of ours, or not this client's: nobody's silence is broken, and nobody is kept out.
    second_client(&edge, "mail", |oidc| oidc.redirect_uris = vec![CALLBACK.to_owned()]).await;
    for (hint, client) in [("x.y.z", "wiki"), (bob, "mail")] {
        let request =
            with(&[("id_token_hint", hint)]).replace("client_id=wiki", &format!("client_id={client}"));
        let page = browser.get(&format!("/authorize?{request}&prompt=none")).await;
        assert_eq!(page.parameter("error").as_deref(), Some("login_required"), "{client}");
        let page = browser.get(&format!("/authorize?{request}")).await;
        assert_eq!(page.status, StatusCode::OK, "{client}");
        let page = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
        assert!(page.parameter("code").is_some(), "{client}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_of_a_name_fills_it_in() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    let page = browser.get(&format!("/authorize?{}", with(&[("login_hint", ALICE)]))).await;
    assert!(page.text.contains(&format!("value=\"{ALICE}\"")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_may_be_posted() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    let pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query("openid").as_bytes()).into_owned().collect();
    let fields: Vec<(&str, &str)> =
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let page = browser.post("/authorize", &fields, None).await;
    assert_eq!(page.status, StatusCode::OK);
    let page = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!(redeem(&mut browser, &secret, &code(&page)).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_a_response_type_or_with_a_request_object_goes_back_with_an_error() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    // A request object without a signature that has another redirect URI than the request.
    let object = "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZS5jb20vIn0.";
    for (request, error) in [
        (without(&["response_type"]), "invalid_request"),
        (with(&[("request", object)]), "request_not_supported"),
        (with(&[("request_uri", "https://wiki.example.com/request.jwt")]), "request_uri_not_supported"),
        (with(&[("registration", "{}")]), "registration_not_supported"),
    ] {
        let page = browser.get(&format!("/authorize?{request}")).await;
        assert_eq!(page.parameter("error").as_deref(), Some(error));
        assert_eq!(page.parameter("state").as_deref(), Some("the state"));
        assert_eq!(page.location().host_str(), Some("wiki.example.com"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_and_keys_have_what_the_standards_want_and_what_the_door_does() {
    let (_edge, _, mut browser, _) = served(|_| ()).await;
    let page = browser.get("/.well-known/openid-configuration").await;
    assert_eq!(
        (page.status, &page.headers["content-type"]),
        (StatusCode::OK, &"application/json".parse().unwrap())
    );
    let document: Value = serde_json::from_str(&page.text).unwrap();
    // 1. Addresses: all with TLS, on the issuer, and served.
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "end_session_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
    ] {
        let path = text(&document, name).strip_prefix(ISSUER).unwrap();
        assert_ne!(browser.get(path).await.status, StatusCode::NOT_FOUND, "{name}");
    }
    // 2. Lists, with what must be in them.
    for (name, values) in [
        ("scopes_supported", vec!["openid", "profile", "email", "groups", "roles", "offline_access"]),
        ("response_types_supported", vec!["code"]),
        ("response_modes_supported", vec!["query", "form_post"]),
        (
            "grant_types_supported",
            vec![
                "authorization_code",
                "refresh_token",
                "client_credentials",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
        ),
        ("subject_types_supported", vec!["public", "pairwise"]),
        ("id_token_signing_alg_values_supported", vec!["RS256", "ES256"]),
        (
            "token_endpoint_auth_methods_supported",
            vec!["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        ),
        (
            "introspection_endpoint_auth_methods_supported",
            vec!["client_secret_basic", "client_secret_post", "private_key_jwt"],
        ),
        (
            "revocation_endpoint_auth_methods_supported",
            vec!["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
        ),
        ("token_endpoint_auth_signing_alg_values_supported", vec!["RS256", "ES256"]),
        ("code_challenge_methods_supported", vec!["S256"]),
    ] {
        assert_eq!(document[name], serde_json::json!(values), "{name}");
    }
    for name in [
        "claims_parameter_supported",
        "request_parameter_supported",
        "request_uri_parameter_supported",
        "require_pushed_authorization_requests",
    ] {
        assert_eq!(document[name], false, "the default of one of them is true");
    }
    assert!(document["claims_supported"].as_array().unwrap().contains(&"sub".into()));
    // 3. Keys: named, for signatures, and public.
    let keys = browser.json("/jwks").await;
    let keys = keys["keys"].as_array().unwrap();
    let names: std::collections::BTreeSet<&str> = keys.iter().map(|key| text(key, "kid")).collect();
    assert_eq!(names.len(), keys.len());
    for key in keys {
        assert_eq!(key["use"], "sig");
        for secret in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(secret).is_none(), "{secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refreshed_id_token_is_of_the_same_person_client_and_sign_in() {
    let (_edge, _, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid offline_access", ALICE, RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    let first = claims_of(text(&tokens, "id_token"));
    let token = text(&tokens, "refresh_token").to_owned();
    assert!(token.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "RFC 6749 A.17");
    let (status, again) = refresh(&mut browser, &secret, &token).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(text(&again, "access_token"), text(&tokens, "access_token"));
    assert_ne!(text(&again, "refresh_token"), token);
    let second = claims_of(text(&again, "id_token"));
    for name in ["iss", "sub", "aud", "auth_time", "nonce"] {
        assert_eq!(second[name], first[name], "{name}");
    }
    assert!(second["iat"].as_i64() >= first["iat"].as_i64());
}
