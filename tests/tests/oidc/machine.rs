//! What clients call without a browser: tokens of their own, keys in place of secrets, introspection, revocation,
//! and requests that are pushed.

use crate::stage::{Stage, client};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landbridge_crypto::signature::{Algorithm, SigningKey};
use serde_json::{Value, json};

/// The number of this test's people.
const CAST: u32 = 8;

/// Gives a client a key of this algorithm beside its secret. Returns the private key as the client for Node.js reads it.
pub(crate) fn add_key(stage: &Stage, name: &str, algorithm: &str) -> Value {
    let kind = if algorithm == "ES256" { Algorithm::Es256 } else { Algorithm::Rs256 };
    let (key, private) = SigningKey::generate(kind).unwrap();
    let mut public = json!({ "kid": "the key" });
    key.public().members().iter().for_each(|(name, value)| public[*name] = json!(value));
    let set = json!({ "keys": [public] }).to_string();
    let said = stage.tenant.run(&["apps", "oidc", name, "--jwks", "-"], Some(set.as_bytes())).unwrap();
    let said = said.expect_code(0).stdout;
    assert!(said.contains("key the key"), "{said}");
    json!({ "alg": algorithm, "kid": "the key", "pkcs8": STANDARD.encode(private.as_slice()) })
}

#[test]
fn openid_client_and_authlib_act_for_themselves_introspect_and_revoke_by_a_secret_and_by_a_key() {
    let stage = Stage::shared();
    let who = stage.cast(CAST).direct;
    let api = stage.register("api", &["--rate", "100000"], &["--introspect-others", "yes"]);
    for algorithm in ["ES256", "RS256"] {
        let name = format!("machine-{algorithm}");
        let machine = stage.application(&name, &["--client-credentials", "yes", "--par", "allowed"]);
        let key = add_key(stage, &name, algorithm);
        let further = json!({ "api": { "client": "api", "secret": api.secret }, "key": key });
        let who = client(&who.sam, &who.upn, &who.password);
        let said = stage.runs_with("machine", &machine, (&who, &further));
        assert_eq!(
            said["steps"], "own tokens, introspected, refreshed by a key, revoked, pushed",
            "{algorithm}"
        );
        let said: Value = stage.runs_authlib_machine(&machine, &further);
        assert_eq!(said["steps"], "by_secret, by_key", "{algorithm}");
    }
}
