//! A client that proves itself with its own key (`private_key_jwt`): what is accepted, once, and what is refused.

use super::rfc9700::second_client;
use super::writes::{committed, since};
use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use landbridge_crypto::signature::{Algorithm, PublicKey, SigningKey};
use landbridge_tenant_core::administration::request::AdminResponse;
use serde_json::json;

const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const OWN: (&str, &str) = ("grant_type", "client_credentials");

fn jwk(key: &PublicKey, kid: &str) -> String {
    let mut members = json!({ "kid": kid });
    key.members().iter().for_each(|(name, value)| members[*name] = json!(value));
    members.to_string()
}

/// Usual claims of the client `backup`, with a `jti` of their own.
fn claims() -> Value {
    let now = unix_now();
    let jti = uuid::Uuid::new_v4().to_string();
    json!({ "iss": "backup", "sub": "backup", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti })
}

fn with(name: &str, value: Value) -> Value {
    let mut all = claims();
    match value {
        Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
        value => all[name] = value,
    }
    all
}

fn signed(key: &SigningKey, head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(head), part(claims));
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).unwrap()))
}

/// What the token endpoint answers to an assertion.
async fn send(browser: &Browser, assertion: &str) -> (StatusCode, Value) {
    let fields = [OWN, ("client_assertion_type", KIND), ("client_assertion", assertion)];
    let page = browser.another().post("/token", &fields, None).await;
    (page.status, serde_json::from_str(&page.text).unwrap())
}

/// A tenant with the client `backup`, which has a key of each kind and no secret.
async fn keyed(change: impl FnOnce(&mut AppSettings)) -> (Edge, Browser, SigningKey, SigningKey) {
    let (edge, _, browser, _) = served(|_| ()).await;
    let (ec, rsa) = (
        SigningKey::generate(Algorithm::Es256).unwrap().0,
        SigningKey::generate(Algorithm::Rs256).unwrap().0,
    );
    let oidc = OidcSettings {
        client_credentials: true,
        keys: vec![jwk(ec.public(), "ec"), jwk(rsa.public(), "rsa")],
        ..OidcSettings::default()
    };
    let mut settings = AppSettings { oidc: Some(oidc), ..AppSettings::named("backup") };
    change(&mut settings);
    create(&edge, settings).await;
    says(&edge, AdminRequest::AppsSecretRemove { name: "backup".to_owned(), number: 1 }).await;
    (edge, browser, ec, rsa)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_with_its_key_and_each_assertion_is_good_once() {
    let (edge, mut browser, ec, rsa) = keyed(|_| ()).await;
    let es256 = json!({ "alg": "ES256", "kid": "ec" });
    // 1. Each kind of key, with and without its name, and each audience and type that is accepted.
    for (what, key, head, claims) in [
        ("ES256", &ec, es256.clone(), claims()),
        ("RS256", &rsa, json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT" }), claims()),
        ("no kid", &ec, json!({ "alg": "ES256" }), claims()),
        ("its own type", &ec, json!({ "alg": "ES256", "typ": "client-authentication+jwt" }), claims()),
        ("the token endpoint", &ec, es256.clone(), with("aud", json!(format!("{ISSUER}/token")))),
        ("one in a list", &ec, es256.clone(), with("aud", json!([ISSUER]))),
        ("no iat", &ec, es256.clone(), with("iat", Value::Null)),
        ("five minutes", &ec, es256.clone(), with("exp", json!(unix_now() + 300))),
        ("a fraction", &ec, es256.clone(), with("exp", json!(unix_now() as f64 + 60.5))),
        ("a slow clock", &ec, es256.clone(), with("exp", json!(unix_now() - 30))),
        ("a fast clock", &ec, es256.clone(), with("nbf", json!(unix_now() + 30))),
    ] {
        let (status, said) = send(&browser, &signed(key, &head, &claims)).await;
        assert_eq!(status, StatusCode::OK, "{what}: {}", said["error_description"]);
    }
    // 2. Once, at each endpoint; and one write.
    let before = committed(&edge).await;
    let one = signed(&ec, &es256, &claims());
    let (_, own) = send(&browser, &one).await;
    assert_eq!(since(&edge, &before), [("client-assertion", 1)]);
    let before = committed(&edge).await;
    for path in ["/token", "/introspect", "/revoke"] {
        let fields = [
            OWN,
            ("token", text(&own, "access_token")),
            ("client_assertion_type", KIND),
            ("client_assertion", &one),
        ];
        assert_eq!(browser.post(path, &fields, None).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert!(
        since(&edge, &before).iter().all(|(name, _)| *name != "client-assertion"),
        "a copy costs no such write"
    );
    // 3. At introspection as well.
    let fresh = signed(&ec, &es256, &claims());
    let fields = [
        ("token", text(&own, "access_token")),
        ("client_id", "backup"),
        ("client_assertion_type", KIND),
        ("client_assertion", &fresh),
    ];
    let page = browser.post("/introspect", &fields, None).await;
    let said: Value = serde_json::from_str(&page.text).unwrap();
    assert_eq!((page.status, &said["active"]), (StatusCode::OK, &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_that_is_not_the_clients_own_for_this_issuer_and_this_moment_is_refused() {
    let (edge, browser, ec, rsa) = keyed(|_| ()).await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap().0;
    let es256 = json!({ "alg": "ES256", "kid": "ec" });
    let headed = |name: &str, value: Value| {
        let mut head = es256.clone();
        head[name] = value;
        head
    };
    let none = |claims: &Value| {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({ "alg": "none" })), part(claims))
    };
    let members: Value = serde_json::from_str(&jwk(stranger.public(), "ec")).unwrap();
    let evil = json!("https://evil.example.com/jwks");
    let now = unix_now();
    let forged: Vec<(&str, String)> = vec![
        ("none", none(&claims())),
        ("HS256", signed(&ec, &headed("alg", json!("HS256")), &claims())),
        ("PS256", signed(&rsa, &json!({ "alg": "PS256", "kid": "rsa" }), &claims())),
        ("a stranger's key", signed(&stranger, &es256, &claims())),
        ("a stranger's key that comes along", signed(&stranger, &headed("jwk", members), &claims())),
        ("jku", signed(&stranger, &headed("jku", evil.clone()), &claims())),
        ("x5u", signed(&stranger, &headed("x5u", evil.clone()), &claims())),
        ("x5c", signed(&stranger, &headed("x5c", json!(["MIIB"])), &claims())),
        ("jwk beside a good signature", signed(&ec, &headed("jwk", json!({})), &claims())),
        ("jku beside a good signature", signed(&ec, &headed("jku", evil), &claims())),
        ("crit", signed(&ec, &headed("crit", json!(["x"])), &claims())),
        ("another type", signed(&ec, &headed("typ", json!("at+jwt")), &claims())),
        ("an unknown name", signed(&ec, &headed("kid", json!("nosuch")), &claims())),
        ("the name of the other key", signed(&ec, &headed("kid", json!("rsa")), &claims())),
        ("the other key", signed(&rsa, &es256, &claims())),
        ("another issuer", signed(&ec, &es256, &with("iss", json!("wiki")))),
        ("another client", signed(&ec, &es256, &with("sub", json!("wiki")))),
        ("no iss", signed(&ec, &es256, &with("iss", Value::Null))),
        ("no aud", signed(&ec, &es256, &with("aud", Value::Null))),
        ("another server", signed(&ec, &es256, &with("aud", json!("https://evil.example.com")))),
        (
            "another server beside",
            signed(&ec, &es256, &with("aud", json!([ISSUER, "https://evil.example.com"]))),
        ),
        ("both of ours", signed(&ec, &es256, &with("aud", json!([ISSUER, format!("{ISSUER}/token")])))),
        ("a slash more", signed(&ec, &es256, &with("aud", json!(format!("{ISSUER}/"))))),
        ("another endpoint", signed(&ec, &es256, &with("aud", json!(format!("{ISSUER}/introspect"))))),
        ("no exp", signed(&ec, &es256, &with("exp", Value::Null))),
        ("over", signed(&ec, &es256, &with("exp", json!(now - 61)))),
        ("for an hour", signed(&ec, &es256, &with("exp", json!(now + 3600)))),
        ("for ever", signed(&ec, &es256, &with("exp", json!(1e300)))),
        ("exp is a text", signed(&ec, &es256, &with("exp", json!((now + 60).to_string())))),
        ("not yet", signed(&ec, &es256, &with("nbf", json!(now + 120)))),
        ("made tomorrow", signed(&ec, &es256, &with("iat", json!(now + 86_400)))),
        ("no jti", signed(&ec, &es256, &with("jti", Value::Null))),
        ("an empty jti", signed(&ec, &es256, &with("jti", json!("")))),
        ("a long jti", signed(&ec, &es256, &with("jti", json!("x".repeat(257))))),
        ("long", signed(&ec, &es256, &with("x", json!("x".repeat(9000))))),
        ("no JWT", "x".to_owned()),
        ("dots", "..".to_owned()),
    ];
    let before = committed(&edge).await;
    for (what, assertion) in &forged {
        let (status, said) = send(&browser, assertion).await;
        assert_eq!((status, text(&said, "error")), (StatusCode::UNAUTHORIZED, "invalid_client"), "{what}");
    }
    assert!(
        since(&edge, &before).iter().all(|(name, _)| *name != "client-assertion"),
        "none is noted as used"
    );
    // Two ways at once, or another kind of assertion.
    let good = || signed(&ec, &es256, &claims());
    let basic = format!("Basic {}", STANDARD.encode("backup:lba1.x"));
    for (what, fields, authorization) in [
        ("a secret beside", vec![("client_secret", "x"), ("client_assertion_type", KIND)], None),
        ("a header beside", vec![("client_assertion_type", KIND)], Some(basic)),
        ("no type", vec![], None),
        (
            "another type",
            vec![("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")],
            None,
        ),
        ("another client_id", vec![("client_assertion_type", KIND), ("client_id", "wiki")], None),
        ("no assertion", vec![("client_assertion_type", KIND), ("client_assertion", "")], None),
    ] {
        let good = good();
        let mut all = vec![OWN];
        all.extend(fields);
        if what != "no assertion" {
            all.push(("client_assertion", &good));
        }
        let page = browser.another().post("/token", &all, authorization).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{what}");
    }
    assert_eq!(send(&browser, &good()).await.0, StatusCode::OK, "the forge works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_the_clients_own_and_is_held_to_its_networks_and_its_rate() {
    let (edge, browser, ec, _) = keyed(|settings| settings.rate = 3).await;
    let es256 = json!({ "alg": "ES256", "kid": "ec" });
    // 1. Each assertion is charged, and so is each token of its own.
    assert_eq!(send(&browser, &signed(&ec, &es256, &claims())).await.0, StatusCode::OK);
    let again = signed(&ec, &es256, &claims());
    assert_eq!(send(&browser, &again).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(send(&browser, &signed(&ec, &es256, &claims())).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // 2. Another client with the same key: the assertion names one of them.
    let other = second_client(&edge, "other", |oidc| {
        oidc.client_credentials = true;
        oidc.keys = vec![jwk(ec.public(), "ec")];
    })
    .await;
    let mut of_other = claims();
    of_other["iss"] = json!("other");
    of_other["sub"] = json!("other");
    assert_eq!(send(&browser, &signed(&ec, &es256, &of_other)).await.0, StatusCode::OK);
    let (status, _) = browser.another().token("other", &other, &[OWN]).await;
    assert_eq!(status, StatusCode::OK, "it has a secret as well");
    // 3. Its networks.
    let networks = AdminRequest::AppsNetworks {
        name: "other".to_owned(),
        add: vec!["192.0.2.0/24".to_owned()],
        remove: vec![],
    };
    says(&edge, networks).await;
    of_other["jti"] = json!("another one");
    assert_eq!(send(&browser, &signed(&ec, &es256, &of_other)).await.0, StatusCode::UNAUTHORIZED);
    // 4. Without its key.
    let change = OidcChange { keys: Some(Vec::new()), ..OidcChange::default() };
    says(&edge, AdminRequest::AppsOidc { name: "backup".to_owned(), change: Some(change) }).await;
    assert_eq!(send(&browser, &signed(&ec, &es256, &claims())).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_of_a_client_is_exported_and_is_the_same_when_it_is_applied() {
    let (edge, _, _, _) = keyed(|settings| {
        let oidc = settings.oidc.as_mut().unwrap();
        oidc.introspect_others = true;
        oidc.par_required = true;
        oidc.redirect_uris = vec![CALLBACK.to_owned()];
    })
    .await;
    let AdminResponse::AppSettings(all) = edge.ask(AdminRequest::AppsExport).await else {
        panic!("no settings")
    };
    let backup = all.iter().find(|one| one.name == "backup").unwrap();
    let oidc = backup.oidc.as_ref().unwrap();
    assert!(oidc.client_credentials && oidc.introspect_others && oidc.par_required);
    assert_eq!(oidc.keys.len(), 2);
    let apply = |apps| AdminRequest::AppsApply { apps, dry_run: false };
    assert_eq!(says(&edge, apply(all.clone())).await, "nothing differs");
    let mut fewer = all.clone();
    let changed = fewer.iter_mut().find(|one| one.name == "backup").unwrap();
    changed.oidc.as_mut().unwrap().keys.truncate(1);
    let said = says(&edge, apply(fewer)).await;
    assert!(
        said.contains("backup: changed to") && said.contains("key ec") && !said.contains("key rsa"),
        "{said}"
    );
    // A private key is refused, and not repeated.
    let private = json!({ "kty": "EC", "crv": "P-256", "x": "x", "y": "y", "d": "c2VjcmV0" }).to_string();
    let change = OidcChange { keys: Some(vec![private]), ..OidcChange::default() };
    let said = says(&edge, AdminRequest::AppsOidc { name: "backup".to_owned(), change: Some(change) }).await;
    assert!(
        said.starts_with("refused: key 1 of the set: it is a private") && !said.contains("c2VjcmV0"),
        "{said}"
    );
}
