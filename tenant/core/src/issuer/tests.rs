//! Keys, by their sentences: made, rotated, published, and what their signatures are good for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use landbridge_tenant_fixture::{NOW, Tenant, keys};
use landbridge_tenant_store::backup;
use std::collections::BTreeSet;
use std::sync::Barrier;

const LIFE: i64 = 90 * 86_400;
const BOTH: [SigningAlgorithm; 2] = ALGORITHMS;

fn issuer(store: &Arc<Store>) -> Issuer {
    Issuer::new(store.clone(), Arc::new(Numbers::default()))
}

/// An issuer whose keys were made at [`NOW`].
fn with_keys(tenant: &Tenant) -> Issuer {
    let issuer = issuer(&tenant.store);
    issuer.tend(NOW, LIFE).unwrap();
    issuer
}

/// The names of the published keys.
fn published(issuer: &Issuer) -> BTreeSet<String> {
    let set: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn token(issuer: &Issuer, algorithm: SigningAlgorithm) -> String {
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), json!("alice"));
    issuer.sign(algorithm, "JWT", &claims).unwrap()
}

fn head(token: &str) -> Value {
    let head = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap()
}

fn kid(token: &str) -> String {
    head(token)["kid"].as_str().unwrap().to_owned()
}

/// The private key that signs for an algorithm, as the database has it.
fn private(tenant: &Tenant, algorithm: SigningAlgorithm) -> (String, SigningKey) {
    let all = tenant.store.read(signing_keys::all).unwrap();
    let signs =
        |key: &&Stored| key.algorithm == algorithm && key.signs_at.is_some() && key.retired_at.is_none();
    let stored = all.iter().find(signs).unwrap();
    let opened = stored.open(tenant.store.seal_keys()).unwrap();
    (stored.kid.clone(), SigningKey::from_pkcs8(algorithm.in_crypto(), &opened).unwrap())
}

/// A token with any head, signed by any key.
fn forged(head: &str, claims: &str, key: &SigningKey) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(key.sign(signed.as_bytes()).unwrap()))
}

#[test]
fn each_algorithm_has_a_key_that_signs_and_one_that_comes_next_and_no_private_part_is_published() {
    let tenant = Tenant::new();
    let issuer = with_keys(&tenant);
    let set: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    for key in set["keys"].as_array().unwrap() {
        let members: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = match key["kty"].as_str().unwrap() {
            "EC" => BTreeSet::from(["alg", "crv", "kid", "kty", "use", "x", "y"]),
            "RSA" => BTreeSet::from(["alg", "e", "kid", "kty", "n", "use"]),
            other => panic!("{other}"),
        };
        assert_eq!(members, expected);
    }
    assert_eq!(published(&issuer).len(), 4);
    for algorithm in BOTH {
        let token = token(&issuer, algorithm);
        assert_eq!(head(&token)["alg"], algorithm.as_str());
        assert!(published(&issuer).contains(&kid(&token)));
        assert_eq!(issuer.verified("JWT", &token).unwrap()["sub"], "alice");
    }
    // Another start makes none.
    issuer.tend(NOW + 1, LIFE).unwrap();
    assert_eq!(published(&issuer).len(), 4);
}

#[test]
fn a_key_signs_for_its_life_and_is_then_published_for_a_day_and_deleted() {
    let tenant = Tenant::new();
    let issuer = with_keys(&tenant);
    let first = BOTH.map(|algorithm| token(&issuer, algorithm));
    let at_first = published(&issuer);
    // 1. Until the last second.
    issuer.tend(NOW + LIFE - 1, LIFE).unwrap();
    assert_eq!(BOTH.map(|algorithm| kid(&token(&issuer, algorithm))), first.clone().map(|token| kid(&token)));
    // 2. The one that came next signs, and clients have known it all the time.
    let turned = NOW + LIFE;
    issuer.tend(turned, LIFE).unwrap();
    for (algorithm, old) in BOTH.into_iter().zip(&first) {
        let new = kid(&token(&issuer, algorithm));
        assert_ne!(new, kid(old));
        assert!(at_first.contains(&new), "{algorithm} signs with a key that nobody knew");
        assert!(issuer.verified("JWT", old).is_some());
    }
    assert_eq!(published(&issuer).len(), 6);
    // 3. A day later the old ones go.
    issuer.tend(turned + KEPT, LIFE).unwrap();
    assert!(first.iter().all(|old| issuer.verified("JWT", old).is_some()), "until a day has passed");
    issuer.tend(turned + KEPT + 1, LIFE).unwrap();
    assert!(first.iter().all(|old| issuer.verified("JWT", old).is_none()));
    assert_eq!(published(&issuer).len(), 4);
    // 4. A clock that is set back turns nothing.
    let now = BOTH.map(|algorithm| kid(&token(&issuer, algorithm)));
    issuer.tend(NOW, LIFE).unwrap();
    assert_eq!(BOTH.map(|algorithm| kid(&token(&issuer, algorithm))), now);
}

#[test]
fn a_token_that_was_signed_before_a_rotation_is_good_after_it_and_after_a_restart() {
    let tenant = Tenant::new();
    let old = token(&with_keys(&tenant), SigningAlgorithm::Rs256);
    let again = issuer(&tenant.store);
    assert!(again.verified("JWT", &old).is_none(), "no key is read yet");
    again.tend(NOW + LIFE, LIFE).unwrap();
    assert!(again.verified("JWT", &old).is_some());
}

#[test]
fn a_row_that_another_program_changed_is_refused_and_the_keys_in_memory_go_on() {
    let last = "substr(sealed, length(sealed))";
    for (what, sql) in [
        (
            "the last byte of a key",
            format!(
                "UPDATE signing_keys SET sealed = CAST(substr(sealed, 1, length(sealed) - 1)
                     || iif({last} = x'00', x'01', x'00') AS BLOB)"
            ),
        ),
        ("a key cut", "UPDATE signing_keys SET sealed = substr(sealed, 1, 20)".to_owned()),
        (
            "another name",
            "UPDATE signing_keys SET kid = 'x' WHERE kid = (SELECT min(kid) FROM signing_keys)".to_owned(),
        ),
        (
            "one key copied over another",
            "UPDATE signing_keys SET sealed = (SELECT sealed FROM signing_keys ORDER BY kid LIMIT 1)"
                .to_owned(),
        ),
        (
            "another algorithm",
            "UPDATE signing_keys SET algorithm = iif(algorithm = 'ES256', 'RS256', 'ES256')".to_owned(),
        ),
        ("an unknown algorithm", "UPDATE signing_keys SET algorithm = 'HS256'".to_owned()),
    ] {
        let tenant = Tenant::new();
        let issuer = with_keys(&tenant);
        let before = token(&issuer, SigningAlgorithm::Es256);
        tenant.store.write("test", |writing| Ok(writing.raw().execute(&sql, [])?)).unwrap();
        assert!(issuer.read().is_err(), "{what}");
        assert!(issuer.tend(NOW + 1, LIFE).is_err(), "{what}");
        assert!(self::issuer(&tenant.store).read().is_err(), "{what}: after a restart");
        assert!(issuer.verified("JWT", &before).is_some(), "{what}");
        assert_eq!(kid(&token(&issuer, SigningAlgorithm::Es256)), kid(&before), "{what}");
    }
}

#[test]
fn a_key_that_another_tenant_sealed_is_refused() {
    let tenant = Tenant::new();
    with_keys(&tenant);
    let copy = tenant.directory.path().join("copy.db");
    backup::copy(&tenant.location, &copy, "test", NOW, |_| {}).unwrap();
    let opened = |keys| Store::open(&copy, keys).map(Arc::new);
    assert!(issuer(&opened(keys()).unwrap()).read().is_ok());
    let foreign = landbridge_crypto::seal::SealKeys::new(vec![landbridge_crypto::seal::SealKey::from_bytes(
        1, [8; 32],
    )]);
    // The store itself may find it first.
    assert!(opened(foreign).map_or(true, |store| issuer(&store).read().is_err()));
}

#[test]
fn two_processes_that_make_or_turn_keys_at_once_agree_afterwards() {
    let tenant = Tenant::new();
    let both = [(); 2].map(|()| issuer(&tenant.store));
    for round in 0..4_i64 {
        let now = NOW + round * LIFE;
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            for issuer in &both {
                scope.spawn(|| {
                    barrier.wait();
                    issuer.tend(now, LIFE).unwrap();
                });
            }
        });
        // 1. Each accepts what the other signed, once it has read the keys.
        let signed = both.each_ref().map(|issuer| BOTH.map(|algorithm| token(issuer, algorithm)));
        both.iter().for_each(|issuer| issuer.read().unwrap());
        for issuer in &both {
            assert!(
                signed.iter().flatten().all(|token| issuer.verified("JWT", token).is_some()),
                "round {round}"
            );
        }
        // 2. One key of each algorithm signs.
        let all = tenant.store.read(signing_keys::all).unwrap();
        for algorithm in BOTH {
            let of = || all.iter().filter(|key| key.algorithm == algorithm);
            assert_eq!(of().filter(|key| key.signs_at.is_some() && key.retired_at.is_none()).count(), 1);
            // Each race leaves at most one key more to come.
            let next = of().filter(|key| key.signs_at.is_none()).count();
            assert!((1..=2 + usize::try_from(round).unwrap()).contains(&next), "round {round}: {next}");
            assert_eq!(kid(&token(&both[0], algorithm)), kid(&token(&both[1], algorithm)));
        }
    }
}

#[test]
fn a_token_is_good_by_the_key_that_its_name_has_and_by_nothing_that_it_says_itself() {
    let tenant = Tenant::new();
    let issuer = with_keys(&tenant);
    let strangers = BOTH.map(|algorithm| SigningKey::generate(algorithm.in_crypto()).unwrap().0);
    for (algorithm, stranger) in BOTH.into_iter().zip(&strangers) {
        let (kid, key) = private(&tenant, algorithm);
        let alg = algorithm.as_str();
        let members: Map<String, Value> = stranger
            .public()
            .members()
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let plain = json!({ "alg": alg, "kid": kid, "typ": "JWT" });
        let changed = |change: Value| {
            let mut head = plain.clone();
            for (name, value) in change.as_object().unwrap() {
                if value.is_null() {
                    head.as_object_mut().unwrap().remove(name);
                } else {
                    head[name] = value.clone();
                }
            }
            head.to_string()
        };
        let claims = r#"{"sub":"alice"}"#;
        // 1. The right key: the head is what is wrong.
        assert!(issuer.verified("JWT", &forged(&plain.to_string(), claims, &key)).is_some());
        for change in [
            json!({ "alg": "none" }),
            json!({ "alg": "None" }),
            json!({ "alg": "HS256" }),
            json!({ "alg": if alg == "ES256" { "RS256" } else { "ES256" } }),
            json!({ "alg": format!("{alg} ") }),
            json!({ "alg": alg.to_lowercase() }),
            json!({ "alg": null }),
            json!({ "alg": [alg] }),
            json!({ "typ": "at+jwt" }),
            json!({ "typ": null }),
            json!({ "typ": "jwt" }),
            json!({ "kid": null }),
            json!({ "kid": "" }),
            json!({ "kid": "../../../../dev/null" }),
            json!({ "kid": format!("{kid}' OR '1'='1") }),
            json!({ "kid": format!("{kid}\0") }),
            json!({ "kid": [kid] }),
            json!({ "crit": ["exp"], "exp": 1 }),
            json!({ "crit": [] }),
            json!({ "crit": ["b64"], "b64": false }),
        ] {
            let token = forged(&changed(change.clone()), claims, &key);
            assert!(issuer.verified("JWT", &token).is_none(), "{alg}: {change}");
        }
        // 2. A stranger's key, which the head brings along or leads to.
        for change in [
            json!({}),
            json!({ "jwk": members }),
            json!({ "jku": "https://evil.example.com/jwks" }),
            json!({ "x5u": "https://evil.example.com/certificate.pem" }),
            json!({ "x5c": ["MIIB"] }),
            json!({ "kid": stranger.public().thumbprint(), "jwk": members }),
        ] {
            let token = forged(&changed(change.clone()), claims, stranger);
            assert!(issuer.verified("JWT", &token).is_none(), "{alg}: {change}");
        }
        // 3. A head that leads elsewhere, behind the right signature: it is not followed.
        let led = changed(json!({ "jku": "https://evil.example.com/jwks", "jwk": members }));
        assert!(issuer.verified("JWT", &forged(&led, claims, &key)).is_some());
        // 4. The public key as the secret of an HMAC (RFC 8725 2.1).
        let set: Value = serde_json::from_str(&issuer.jwks()).unwrap();
        let public =
            set["keys"].as_array().unwrap().iter().find(|one| one["kid"] == json!(kid)).unwrap().to_string();
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(changed(json!({ "alg": "HS256" }))),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let mac = aws_lc_rs::hmac::sign(
            &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes()),
            signed.as_bytes(),
        );
        assert!(issuer.verified("JWT", &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))).is_none());
    }
}

#[test]
fn a_token_that_is_altered_cut_padded_or_too_long_is_none() {
    let tenant = Tenant::new();
    let issuer = with_keys(&tenant);
    for algorithm in BOTH {
        let good = token(&issuer, algorithm);
        let parts: Vec<&str> = good.split('.').collect();
        // 1. Each character, turned into another one.
        for at in 0..good.len() {
            let mut bent = good.clone().into_bytes();
            bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
            let bent = String::from_utf8(bent).unwrap();
            assert!(issuer.verified("JWT", &bent).is_none(), "{algorithm}: character {at}");
        }
        // 2. Each cut.
        for length in 0..good.len() {
            assert!(issuer.verified("JWT", &good[..length]).is_none(), "{algorithm}: {length} characters");
        }
        // 3. Other forms.
        for text in [
            format!("{good}="),
            format!(" {good}"),
            format!("{good}."),
            format!("{good}.{good}"),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}..{}", parts[0], parts[2]),
            format!("{}.{}", parts[0], parts[1]),
            good.replace('.', ".."),
            format!("{}.{}", good, "A".repeat(MAX_TOKEN)),
        ] {
            assert!(issuer.verified("JWT", &text).is_none(), "{algorithm}: {} characters", text.len());
        }
    }
    // 4. The limit on the length.
    let mut claims = Map::new();
    claims.insert("pad".to_owned(), json!("x".repeat(MAX_TOKEN)));
    let long = issuer.sign(SigningAlgorithm::Es256, "JWT", &claims).unwrap();
    assert!(issuer.verified("JWT", &long).is_none());
}
