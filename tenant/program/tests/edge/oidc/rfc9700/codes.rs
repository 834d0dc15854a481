//! RFC 9700: codes and tokens in other hands, and clients that are not who they say.

use super::*;
use crate::oidc::tokens::claims_of;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

#[tokio::test(flavor = "multi_thread")]
async fn authorization_code_injection_fails_at_the_verifier_and_shows_in_the_nonce() {
    let (_edge, _, mut browser, secret) = alice().await;
    // 1. The attacker's code was made for the attacker's challenge; the victim's client has the victim's verifier.
    let mut attacker = browser.another();
    let other = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN";
    let page = attacker.get(&format!("/authorize?{}", changed("code_challenge", other))).await;
    let page = attacker.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    let stolen = page.parameter("code").unwrap();
    let (status, refused) = redeem(&mut browser, &secret, &stolen).await;
    assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_grant"));
    // 2. The nonce of the request is in the ID token, and no other.
    let page = browser.get(&format!("/authorize?{}", changed("nonce", "another nonce"))).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    assert_eq!(claims_of(text(&tokens, "id_token"))["nonce"], "another nonce");
    let page = browser.get(&format!("/authorize?{}", changed("nonce", ""))).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    assert!(claims_of(text(&tokens, "id_token")).get("nonce").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn access_token_injection_finds_each_token_good_for_one_place_alone() {
    let (edge, _, mut browser, secret) = alice().await;
    let mail = second_client(&edge, "mail", |_| ()).await;
    let code = next_code(&mut browser, "openid offline_access").await;
    let (_, tokens) = redeem(&mut browser, &secret, &code).await;
    assert_eq!(claims_of(text(&tokens, "id_token"))["aud"], "wiki");
    assert!(!text(&tokens, "access_token").contains('.'), "an access token says nothing to who holds it");
    // 1. No token works in the place of another one.
    for (what, token) in [("an ID token", "id_token"), ("a refresh token", "refresh_token")] {
        assert_eq!(browser.userinfo(text(&tokens, token)).await.0, StatusCode::UNAUTHORIZED, "{what}");
    }
    for token in ["access_token", "id_token"] {
        assert_eq!(
            refresh(&mut browser, &secret, text(&tokens, token)).await.0,
            StatusCode::BAD_REQUEST,
            "{token}"
        );
    }
    let bye = form(&[
        ("id_token_hint", text(&tokens, "access_token")),
        ("post_logout_redirect_uri", "https://wiki.example.com/bye"),
    ]);
    let question = browser.get(&format!("/sign-out?{bye}")).await;
    assert_eq!((question.status, question.redirect()), (StatusCode::OK, None), "an access token is no hint");
    // 2. A client redeems and refreshes what is its own.
    let code = next_code(&mut browser, "openid").await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(browser.token("mail", &mail, &fields).await.0, StatusCode::BAD_REQUEST);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
    assert_eq!(browser.token("mail", &mail, &fields).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn pkce_downgrade_is_refused_at_both_ends() {
    let (edge, _, mut browser, secret) = alice().await;
    // 1. A client that uses PKCE cannot be made not to.
    for (what, text) in [
        ("no challenge", without(&["code_challenge", "code_challenge_method"])),
        ("no method, which is plain", without(&["code_challenge_method"])),
        ("plain", changed("code_challenge_method", "plain")),
        ("a method in small letters", changed("code_challenge_method", "s256")),
        ("a method without a challenge", changed("code_challenge", "")),
        ("a short challenge", changed("code_challenge", &CHALLENGE[1..])),
        ("a challenge with padding", changed("code_challenge", &format!("{}=", &CHALLENGE[1..]))),
        ("a long challenge", changed("code_challenge", &format!("{CHALLENGE}A"))),
    ] {
        let page = browser.get(&format!("/authorize?{text}")).await;
        let outcome = (page.parameter("error"), page.parameter("code"));
        assert_eq!(outcome, (Some("invalid_request".to_owned()), None), "{what}");
    }
    // 2. One that need not: a verifier for a request that had no challenge, and none for one that had.
    let change = OidcChange { pkce: Some(false), ..OidcChange::default() };
    says(&edge, AdminRequest::AppsOidc { name: "wiki".to_owned(), change: Some(change) }).await;
    let no_challenge = without(&["code_challenge", "code_challenge_method"]);
    for (request, verifier, expected) in [
        (&no_challenge, VERIFIER, StatusCode::BAD_REQUEST),
        (&no_challenge, "", StatusCode::OK),
        (&query("openid"), "", StatusCode::BAD_REQUEST),
        (&query("openid"), CHALLENGE, StatusCode::BAD_REQUEST),
        (&query("openid"), VERIFIER, StatusCode::OK),
    ] {
        let code = code(&browser.get(&format!("/authorize?{request}")).await);
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", verifier),
        ];
        assert_eq!(browser.token("wiki", &secret, &fields).await.0, expected, "{request} {verifier}");
    }
    // 3. A public client must.
    second_client(&edge, "native", |oidc| oidc.kind = "public".to_owned()).await;
    let request = no_challenge
        .replace("client_id=wiki", "client_id=native")
        .replace("wiki.example.com", "mail.example.com");
    let page = browser.get(&format!("/authorize?{request}")).await;
    assert_eq!(page.parameter("error").as_deref(), Some("invalid_request"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stolen_access_token_is_good_at_userinfo_alone_for_five_minutes_and_no_longer_than_its_grant() {
    let (edge, _, mut browser, secret) = alice().await;
    let code = next_code(&mut browser, "openid").await;
    let (_, tokens) = redeem(&mut browser, &secret, &code).await;
    let access = text(&tokens, "access_token").to_owned();
    assert_eq!(tokens["expires_in"], 300);
    // 1. Written with the tenant's own key: a token of another grant or after its time is refused.
    let octets = URL_SAFE_NO_PAD.decode(&access).unwrap();
    let (grant, random) = (&octets[..16], &octets[24..32]);
    let ends_at = i64::from_be_bytes(octets[16..24].try_into().unwrap());
    let now = unix_now();
    assert!((now + 290..=now + 300).contains(&ends_at), "it ends in {} s", ends_at - now);
    let written = |grant: &[u8], ends_at: i64| {
        let ends_at = ends_at.to_be_bytes();
        let hash = edge.tenant.store.seal_keys().hashes("access token", &[grant, &ends_at, random])[0];
        URL_SAFE_NO_PAD.encode([grant, &ends_at, random, &hash].concat())
    };
    assert_eq!(written(grant, ends_at), access, "the forge works");
    assert_eq!(browser.userinfo(&access).await.0, StatusCode::OK);
    for (what, forged) in [
        ("over", written(grant, now)),
        ("of no grant", written(uuid::Uuid::new_v4().as_bytes(), ends_at)),
        ("with a dot", format!("{access}.")),
        ("twice", format!("{access}{access}")),
        ("another letter", format!("{}{}", if access.starts_with('A') { "B" } else { "A" }, &access[1..])),
        ("empty", String::new()),
    ] {
        assert_eq!(browser.userinfo(&forged).await.0, StatusCode::UNAUTHORIZED, "{what}");
    }
    // 2. It is none at the token endpoint of its own client, nor of another one.
    let mail = second_client(&edge, "mail", |_| ()).await;
    for (client, secret) in [("wiki", &secret), ("mail", &mail)] {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", access.as_str())];
        let (status, refused) = browser.token(client, secret, &fields).await;
        assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, "invalid_grant"), "{client}");
    }
    // 3. It ends with the session.
    assert_eq!(browser.userinfo(&access).await.0, StatusCode::OK);
    let question = browser.get("/sign-out").await;
    browser.submit(&question, "/sign-out", &[]).await;
    assert_eq!(browser.userinfo(&access).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_token_theft_ends_the_chain_for_thief_and_owner() {
    let (edge, _, mut browser, secret) = alice().await;
    second_client(&edge, "native", |oidc| oidc.kind = "public".to_owned()).await;
    let mail = second_client(&edge, "mail", |_| ()).await;
    for (client, secret, uri) in
        [("wiki", secret.as_str(), CALLBACK), ("native", "", "https://mail.example.com/callback")]
    {
        let request = query("openid offline_access")
            .replace("client_id=wiki", &format!("client_id={client}"))
            .replace("wiki.example.com", uri.split('/').nth(2).unwrap());
        let mut chain = async || {
            let code = browser.get(&format!("/authorize?{request}")).await.parameter("code").unwrap();
            let fields = [
                ("grant_type", "authorization_code"),
                ("code", code.as_str()),
                ("redirect_uri", uri),
                ("code_verifier", VERIFIER),
            ];
            let (status, tokens) = browser.token(client, secret, &fields).await;
            assert_eq!(status, StatusCode::OK, "{client}");
            text(&tokens, "refresh_token").to_owned()
        };
        let tokens = [chain().await, chain().await, chain().await];
        let uses = async |by: &str, secret: &str, token: &str| {
            let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
            browser.another().token(by, secret, &fields).await
        };
        // 1. The thief is first: the owner's use ends what the thief has.
        let (status, thief) = uses(client, secret, &tokens[0]).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(uses(client, secret, &tokens[0]).await.0, StatusCode::BAD_REQUEST, "{client}: the owner");
        let next = text(&thief, "refresh_token");
        assert_eq!(uses(client, secret, next).await.0, StatusCode::BAD_REQUEST, "{client}: the thief");
        assert_eq!(
            browser.another().userinfo(text(&thief, "access_token")).await.0,
            StatusCode::UNAUTHORIZED
        );
        // 2. Another client has no use of it.
        assert_eq!(uses("mail", &mail, &tokens[1]).await.0, StatusCode::BAD_REQUEST, "{client}");
        // 3. A confidential client must prove itself, and a failed proof spends nothing.
        if !secret.is_empty() {
            assert_eq!(uses(client, "", &tokens[2]).await.0, StatusCode::UNAUTHORIZED);
            assert_eq!(uses(client, &mail, &tokens[2]).await.0, StatusCode::UNAUTHORIZED);
        }
        assert_eq!(
            uses(client, secret, &tokens[2]).await.0,
            StatusCode::OK,
            "{client}: another chain goes on"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_impersonating_resource_owner_gets_no_token_of_its_own() {
    // An application whose name is the objectGUID of alice, which is her `sub`.
    let (edge, _, mut browser, _) = alice().await;
    let her = uuid::Uuid::from_u128(1).to_string();
    let secret = second_client(&edge, &her, |_| ()).await;
    for (grant, error) in [
        ("client_credentials", "unauthorized_client"),
        ("password", "unsupported_grant_type"),
        ("urn:ietf:params:oauth:grant-type:jwt-bearer", "unsupported_grant_type"),
    ] {
        let fields = [("grant_type", grant), ("scope", "openid"), ("username", ALICE), ("password", RIGHT)];
        let (status, refused) = browser.token(&her, &secret, &fields).await;
        assert_eq!((status, text(&refused, "error")), (StatusCode::BAD_REQUEST, error), "{grant}");
    }
    // One of its own, where an administrator allows that, is not hers.
    let change = OidcChange { client_credentials: Some(true), ..OidcChange::default() };
    says(&edge, AdminRequest::AppsOidc { name: her.clone(), change: Some(change) }).await;
    let (status, own) = browser.token(&her, &secret, &[("grant_type", "client_credentials")]).await;
    assert_eq!((status, own.get("id_token")), (StatusCode::OK, None));
    assert_eq!(browser.userinfo(text(&own, "access_token")).await.0, StatusCode::UNAUTHORIZED);
    // Its tokens are of people, and say so.
    let request = query("openid")
        .replace("client_id=wiki", &format!("client_id={her}"))
        .replace("wiki.example.com", "mail.example.com");
    let mut bob = browser.another();
    let page = bob.get(&format!("/authorize?{request}")).await;
    let page = bob.submit(&page, "/sign-in", &[("name", "bob@corp.example.com"), ("password", RIGHT)]).await;
    let code = page.parameter("code").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", "https://mail.example.com/callback"),
        ("code_verifier", VERIFIER),
    ];
    let (_, tokens) = browser.token(&her, &secret, &fields).await;
    let id = claims_of(text(&tokens, "id_token"));
    let bob = uuid::Uuid::from_u128(2).to_string();
    assert_eq!((&id["sub"], &id["aud"]), (&bob.clone().into(), &her.into()));
    let (_, who) = browser.userinfo(text(&tokens, "access_token")).await;
    assert_eq!(who["sub"], bob);
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_that_rfc_9700_forbids_or_that_are_not_there_are_refused() {
    let (_edge, _, mut browser, secret) = alice().await;
    for kind in [
        "token",
        "id_token",
        "id_token token",
        "code token",
        "code id_token",
        "code id_token token",
        "none",
        "CODE",
        "code code",
    ] {
        let page = browser.get(&format!("/authorize?{}", changed("response_type", kind))).await;
        assert_eq!(page.parameter("error").as_deref(), Some("unsupported_response_type"), "{kind}");
        assert_eq!(page.location().fragment(), None);
    }
    for grant in
        ["password", "implicit", "CLIENT_CREDENTIALS", "", "authorization_code ", "AUTHORIZATION_CODE"]
    {
        let fields = [
            ("grant_type", grant),
            ("username", ALICE),
            ("password", RIGHT),
            ("code", "x"),
            ("refresh_token", "y"),
        ];
        let (status, refused) = browser.token("wiki", &secret, &fields).await;
        assert_eq!(
            (status, text(&refused, "error")),
            (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            "{grant}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_authentication_is_by_one_way_by_its_own_secret_and_spends_no_code_when_it_fails() {
    let (edge, _, mut browser, secret) = alice().await;
    let mail = second_client(&edge, "mail", |_| ()).await;
    second_client(&edge, "native", |oidc| oidc.kind = "public".to_owned()).await;
    let code = next_code(&mut browser, "openid").await;
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        fields.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let good = basic(&format!("wiki:{secret}"));
    /// What is wrong, the form, and the Authorization header.
    type Refused<'a> = (&'a str, Vec<(&'a str, String)>, Option<String>);
    let refused: Vec<Refused<'_>> = vec![
        ("nobody", with(&[]), None),
        ("no secret", with(&[("client_id", "wiki")]), None),
        ("an empty secret", with(&[("client_id", "wiki"), ("client_secret", "")]), None),
        ("another client's secret", with(&[("client_id", "wiki"), ("client_secret", &mail)]), None),
        ("a secret with more behind it", with(&[]), Some(basic(&format!("wiki:{secret}&x")))),
        ("a secret with a value behind it", with(&[]), Some(basic(&format!("wiki:{secret}=x")))),
        ("a name with more behind it", with(&[]), Some(basic(&format!("wiki&x:{secret}")))),
        ("an unknown client", with(&[("client_id", "nosuch"), ("client_secret", &secret)]), None),
        ("both ways", with(&[("client_id", "wiki"), ("client_secret", &secret)]), Some(good.clone())),
        ("another name in the form", with(&[("client_id", "mail")]), Some(good.clone())),
        ("another scheme", with(&[("client_id", "wiki")]), Some(format!("Bearer {secret}"))),
        ("no base64", with(&[]), Some("Basic %%%".to_owned())),
        ("no colon", with(&[]), Some(basic("wiki"))),
        ("a public client with a secret", with(&[("client_id", "native"), ("client_secret", &secret)]), None),
    ];
    for (what, fields, authorization) in &refused {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = browser.another().post("/token", &fields, authorization.clone()).await;
        let said: Value = serde_json::from_str(&page.text).unwrap();
        assert_eq!(
            (page.status, text(&said, "error")),
            (StatusCode::UNAUTHORIZED, "invalid_client"),
            "{what}"
        );
        assert_eq!(header(&page, "www-authenticate").is_some(), authorization.is_some(), "{what}");
        assert_eq!(header(&page, "cache-control"), Some("no-store"), "{what}");
    }
    // The name in the form may be that of the header.
    let fields = with(&[("client_id", "wiki")]);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let page = browser.another().post("/token", &fields, Some(good)).await;
    assert_eq!(page.status, StatusCode::OK, "the code was not spent: {}", page.text);
    assert_eq!(header(&page, "cache-control"), Some("no-store"));
}
