//! Forged ID tokens as the hint of a sign-out and at userinfo, and keys that are rotated while people sign in.
//! Neighbours: `tenant/core` tests signatures character by character.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::signature::{Algorithm, SigningKey};
use landbridge_tenant_store::tables::signing_keys;
use serde_json::{Map, json};

/// The claims of a token, whoever signed it.
pub(super) fn claims_of(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

pub(super) fn head_of(token: &str) -> Value {
    let head = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap()
}

/// A key, and the head of the tokens that it signs: the tenant's own one, or a stranger's under the same name.
pub(super) struct Forge {
    key: SigningKey,
    head: Map<String, Value>,
}

impl Forge {
    /// With the key that signs for an algorithm.
    pub(super) fn of(edge: &Edge, algorithm: &str) -> Self {
        let store = &edge.tenant.store;
        let all = store.read(signing_keys::all).unwrap();
        let signs = |key: &&signing_keys::SigningKey| {
            key.algorithm.as_str() == algorithm && key.signs_at.is_some() && key.retired_at.is_none()
        };
        let stored = all.iter().find(signs).unwrap();
        let key = SigningKey::from_pkcs8(kind(algorithm), &stored.open(store.seal_keys()).unwrap()).unwrap();
        Self { key, head: head(algorithm, &stored.kid) }
    }

    /// With a key of its own under the name of the tenant's one.
    fn stranger(&self, algorithm: &str) -> Self {
        let (key, _) = SigningKey::generate(kind(algorithm)).unwrap();
        Self { key, head: self.head.clone() }
    }

    fn signed(&self, head: &Map<String, Value>, claims: &Value) -> String {
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let signed =
            format!("{}.{}", part(Value::Object(head.clone()).to_string()), part(claims.to_string()));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()).unwrap()))
    }

    /// A token of this kind with a changed head.
    fn headed(&self, kind: &str, claims: &Value, change: &[(&str, Value)]) -> String {
        let mut head = self.head.clone();
        head.insert("typ".to_owned(), json!(kind));
        for (name, value) in change {
            head.insert((*name).to_owned(), value.clone());
        }
        self.signed(&head, claims)
    }
}

fn kind(algorithm: &str) -> Algorithm {
    if algorithm == "ES256" { Algorithm::Es256 } else { Algorithm::Rs256 }
}

fn head(algorithm: &str, kid: &str) -> Map<String, Value> {
    Map::from_iter([("alg".to_owned(), json!(algorithm)), ("kid".to_owned(), json!(kid))])
}

const ALICE: &str = "alice@corp.example.com";
const BYE: &str = "https://wiki.example.com/bye";

/// The path of a sign-out with this hint.
fn sign_out(hint: &str) -> String {
    format!(
        "/sign-out?{}",
        form(&[("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "s")])
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_key_of_its_name_did_not_sign_opens_nothing() {
    for algorithm in ["RS256", "ES256"] {
        let (edge, _, mut browser, secret) = served(|oidc| oidc.algorithm = algorithm.to_owned()).await;
        let page = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
        let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
        let id = text(&tokens, "id_token").to_owned();
        let own = Forge::of(&edge, algorithm);
        let stranger = own.stranger(algorithm);
        let members: Map<String, Value> = stranger
            .key
            .public()
            .members()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let other = if algorithm == "RS256" { "ES256" } else { "RS256" };
        let none = |token: &str| {
            let (_, claims) = token.split_once('.').unwrap();
            let claims = claims.split('.').next().unwrap();
            format!("{}.{claims}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#))
        };
        let (kind, claims) = ("JWT", claims_of(&id));
        let (signed, signature) = id.rsplit_once('.').unwrap();
        let forged: Vec<(&str, String)> = vec![
            ("no signature", format!("{signed}.")),
            ("`none`", none(&id)),
            ("`none` beside the name", own.headed(kind, &claims, &[("alg", json!("none"))])),
            ("a stranger's key under the name", stranger.headed(kind, &claims, &[])),
            ("a stranger's key that comes along", stranger.headed(kind, &claims, &[("jwk", json!(members))])),
            ("jku", stranger.headed(kind, &claims, &[("jku", json!("https://evil.example.com/jwks"))])),
            ("x5u", stranger.headed(kind, &claims, &[("x5u", json!("https://evil.example.com/x.pem"))])),
            ("a path for a name", stranger.headed(kind, &claims, &[("kid", json!("../../../dev/null"))])),
            (
                "an unknown name",
                own.headed(kind, &claims, &[("kid", json!(stranger.key.public().thumbprint()))]),
            ),
            ("another algorithm of ours", own.headed(kind, &claims, &[("alg", json!(other))])),
            (
                "the key of the other algorithm",
                Forge::of(&edge, other).stranger(other).headed(kind, &claims, &[]),
            ),
            ("HS256", own.headed(kind, &claims, &[("alg", json!("HS256"))])),
            ("crit", own.headed(kind, &claims, &[("crit", json!(["x"])), ("x", json!(1))])),
            ("another kind", own.headed("at+jwt", &claims, &[])),
            (
                "the signature of another token",
                format!("{}.{signature}", own.headed(kind, &json!({}), &[]).rsplit_once('.').unwrap().0),
            ),
            ("no token", "x".to_owned()),
            ("dots", "..".to_owned()),
        ];
        for (what, forged) in forged {
            let page = browser.get(&sign_out(&forged)).await;
            assert_eq!((page.status, page.redirect()), (StatusCode::OK, None), "{algorithm}: {what}");
            let silent = browser.get(&format!("/authorize?{}", changed("prompt", "none"))).await;
            assert!(silent.parameter("code").is_some(), "{algorithm}: {what}: the session goes on");
            assert_eq!(browser.userinfo(&forged).await.0, StatusCode::UNAUTHORIZED, "{algorithm}: {what}");
        }
        // No token that is signed is an access token.
        for kind in ["JWT", "at+jwt"] {
            let token = own.headed(kind, &claims, &[]);
            assert_eq!(browser.userinfo(&token).await.0, StatusCode::UNAUTHORIZED, "{algorithm}: {kind}");
        }
        // A hint of another issuer, client or session ends nothing.
        for (name, value) in [
            ("iss", json!("https://evil.example.com")),
            ("sid", json!(uuid::Uuid::new_v4().to_string())),
            ("sid", Value::Null),
        ] {
            let mut claims = claims_of(&id);
            claims[name] = value.clone();
            let page = browser.get(&sign_out(&own.headed("JWT", &claims, &[]))).await;
            assert_eq!((page.status, page.redirect()), (StatusCode::OK, None), "{name}: {value}");
        }
        // The forge itself works, so each refusal above is for its reason. A place in the head is not looked at.
        let elsewhere = [("jku", json!("https://evil.example.com/jwks"))];
        let page = browser.get(&sign_out(&own.headed("JWT", &claims_of(&id), &elsewhere))).await;
        assert_eq!(page.location().as_str(), format!("{BYE}?state=s"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_that_is_over_still_names_its_session() {
    let (edge, _, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid", ALICE, RIGHT).await;
    let (_, tokens) = redeem(&mut browser, &secret, &code(&page)).await;
    let mut claims = claims_of(text(&tokens, "id_token"));
    claims["exp"] = json!(unix_now() - 86_400);
    let old = Forge::of(&edge, "RS256").headed("JWT", &claims, &[]);
    assert_eq!(browser.get(&sign_out(&old)).await.location().as_str(), format!("{BYE}?state=s"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_rotated_in_the_middle_of_a_sign_in_disturb_nobody() {
    let (edge, _, mut browser, secret) = served(|_| ()).await;
    let page = signed_in(&mut browser, "openid offline_access", ALICE, RIGHT).await;
    let (_, before) = redeem(&mut browser, &secret, &code(&page)).await;
    let waiting = code(&browser.get(&format!("/authorize?{}", query("openid"))).await);
    let page = browser.get(&format!("/authorize?{}&prompt=login", query("openid"))).await;
    let name = |token: &str| head_of(token)["kid"].as_str().unwrap().to_owned();
    let known = browser.json("/jwks").await;
    // The key has signed for longer than its life, and the tenant is started again.
    edge.database().execute("UPDATE signing_keys SET signs_at = 0 WHERE signs_at IS NOT NULL", []).unwrap();
    let edge = edge.restart().await;
    browser.moved(&edge);
    // 1. A code from before is redeemed, and signed for by the next key, which clients have known.
    let (status, after) = redeem(&mut browser, &secret, &waiting).await;
    assert_eq!(status, StatusCode::OK, "{}", after["error"]);
    let new = name(text(&after, "id_token"));
    assert_ne!(new, name(text(&before, "id_token")));
    assert!(known["keys"].as_array().unwrap().iter().any(|key| key["kid"] == json!(new)));
    browser.verified(text(&after, "id_token"), "RS256").await;
    // 2. Tokens from before are good, and their key is published.
    browser.verified(text(&before, "id_token"), "RS256").await;
    assert_eq!(browser.userinfo(text(&before, "access_token")).await.0, StatusCode::OK);
    assert_eq!(refresh(&mut browser, &secret, text(&before, "refresh_token")).await.0, StatusCode::OK);
    // 3. A page from before can be sent.
    let sent = browser.submit(&page, "/sign-in", &[("name", ALICE), ("password", RIGHT)]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{sent:?}");
    // 4. An ID token from before ends its session, which the new sign-in has replaced: a question.
    let page = browser.get(&sign_out(text(&before, "id_token"))).await;
    assert_eq!((page.status, page.redirect()), (StatusCode::OK, None));
    let (_, tokens) = redeem(&mut browser, &secret, &code(&sent)).await;
    assert!(browser.get(&sign_out(text(&tokens, "id_token"))).await.redirect().is_some());
}
