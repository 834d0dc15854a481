//! The handle on the keys that sign tokens: made, rotated, published, and used.
//!
//! Each algorithm has a key that signs and one that comes next, and both are published, so that clients know a key before it
//! signs. A key that has signed stays published for a day.
//! Neighbours: the OpenID Connect door signs with it; `tables::signing_keys` in the store keeps the keys, sealed.

use crate::numbers::Numbers;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::signature::{NoKey, PublicKey, SigningKey};
pub use landbridge_tenant_rules::model::SigningAlgorithm;
use landbridge_tenant_store::tables::signing_keys::{self, SigningKey as Stored};
use landbridge_tenant_store::{Store, StoreError, Writing};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// The algorithms of which there are keys.
const ALGORITHMS: [SigningAlgorithm; 2] = [SigningAlgorithm::Es256, SigningAlgorithm::Rs256];
/// Seconds for which a key is published after it has signed last. No token lives as long.
pub(crate) const KEPT: i64 = 86_400;
/// Limit on the bytes of a token that is verified.
const MAX_TOKEN: usize = 8 * 1024;

/// The handle on the keys.
#[derive(Clone)]
pub struct Issuer {
    store: Arc<Store>,
    numbers: Arc<Numbers>,
    keys: Arc<RwLock<Keys>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").finish_non_exhaustive()
    }
}

/// The keys, opened.
#[derive(Default)]
struct Keys {
    /// The one that signs, by algorithm.
    signing: HashMap<SigningAlgorithm, (String, Arc<SigningKey>)>,
    /// All that are published, by name.
    published: HashMap<String, PublicKey>,
    /// The JWK set (RFC 7517 5).
    jwks: String,
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum NotSigned {
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A key does not open: a seal key is missing, or the database was tampered with.
    #[error(transparent)]
    Unreadable(#[from] signing_keys::Unreadable),
    /// A key cannot be made or used.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// There is no key for the algorithm.
    #[error("there is no key that signs")]
    None,
}

impl Issuer {
    pub(crate) fn new(store: Arc<Store>, numbers: Arc<Numbers>) -> Self {
        Self { store, numbers, keys: Arc::default() }
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }

    /// Makes the keys that are missing, lets the next one sign where the present one has signed for `life` seconds, deletes
    /// what needs no publication any more, and reads all keys again. Blocks, also for the making of RSA keys.
    pub fn tend(&self, now: i64, life: i64) -> Result<(), NotSigned> {
        for algorithm in ALGORITHMS {
            let is_over = |key: &Stored| key.signs_at.is_none_or(|since| now.saturating_sub(since) >= life);
            self.renew(algorithm, None, is_over, now, |_, _| Ok(()))?;
        }
        self.read()
    }

    /// Lets the next key of each algorithm sign from now on. `note` writes the audit entry, with the names of the keys that
    /// sign. Returns these names. Blocks.
    pub(crate) fn rotate(
        &self,
        now: i64,
        note: impl Fn(&Writing<'_>, &str) -> Result<(), StoreError>,
    ) -> Result<Vec<String>, NotSigned> {
        let mut signing = Vec::new();
        for algorithm in ALGORITHMS {
            signing.push(self.renew(algorithm, None, |_| true, now, &note)?);
        }
        self.read()?;
        Ok(signing)
    }

    /// Deletes a key, so that nothing that it signed is accepted any more. If it signed, the next one does from now on.
    /// `note` writes the audit entry, with the name of the key that signs. Blocks.
    pub(crate) fn revoke(
        &self,
        revoked: (&str, SigningAlgorithm),
        now: i64,
        note: impl Fn(&Writing<'_>, &str) -> Result<(), StoreError>,
    ) -> Result<String, NotSigned> {
        let signing = self.renew(revoked.1, Some(revoked.0), |_| false, now, note)?;
        self.read()?;
        Ok(signing)
    }

    /// Deletes the key `revoked`, and gives an algorithm a key that signs and one that comes next. The next one takes the
    /// place of the one that signs if that is missing or `is_over`. Returns the name of the key that signs.
    fn renew(
        &self,
        algorithm: SigningAlgorithm,
        revoked: Option<&str>,
        is_over: impl Fn(&Stored) -> bool,
        now: i64,
        note: impl Fn(&Writing<'_>, &str) -> Result<(), StoreError>,
    ) -> Result<String, NotSigned> {
        // 1. What there is, and keys for what there is not. Making an RSA key takes long, and no transaction waits for it.
        let all = self.store.read(signing_keys::all)?;
        let of = || all.iter().filter(|key| key.algorithm == algorithm && Some(key.kid.as_str()) != revoked);
        let present = of().find(|key| key.signs_at.is_some() && key.retired_at.is_none());
        let next = of().find(|key| key.signs_at.is_none());
        let turns = present.is_none_or(is_over);
        let mut made = Vec::new();
        for _ in 0..usize::from(next.is_none()) + usize::from(turns) {
            made.push(SigningKey::generate(algorithm.in_crypto())?);
        }
        // 2. Stored. Another process may have done the same meanwhile: then there is one key more to come, which harms
        //    nothing.
        let names: Vec<String> = made.iter().map(|(key, _)| key.public().thumbprint()).collect();
        let next = next.map(|key| &key.kid).or(names.first());
        let signing = if turns { next } else { present.map(|key| &key.kid) }.ok_or(NotSigned::None)?;
        self.store.write("signing-keys", |writing: &Writing<'_>| {
            for ((_, private), kid) in made.iter().zip(&names) {
                signing_keys::insert(writing, self.store.seal_keys(), (kid, algorithm), private, now)?;
            }
            if turns {
                signing_keys::sign_with(writing, signing, algorithm, now)?;
            }
            if let Some(kid) = revoked {
                signing_keys::delete(writing, kid)?;
            }
            signing_keys::forget(writing, now.saturating_sub(KEPT))?;
            note(writing, signing)
        })?;
        Ok(signing.clone())
    }

    /// Reads all keys again. Blocks.
    pub fn read(&self) -> Result<(), NotSigned> {
        let mut keys = Keys::default();
        let mut published = Vec::new();
        for stored in self.store.read(signing_keys::all)? {
            let key =
                SigningKey::from_pkcs8(stored.algorithm.in_crypto(), &stored.open(self.store.seal_keys())?)?;
            // The name is computed: a row with another one is not taken.
            let kid = key.public().thumbprint();
            published.push(jwk(key.public(), &kid));
            keys.published.insert(kid.clone(), key.public().clone());
            if stored.signs_at.is_some() && stored.retired_at.is_none() {
                keys.signing.insert(stored.algorithm, (kid, Arc::new(key)));
            }
        }
        keys.jwks = json!({ "keys": published }).to_string();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    /// The JWK set, as JSON.
    pub fn jwks(&self) -> String {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).jwks.clone()
    }

    /// A token with these claims. `kind` is its `typ` (RFC 7519 5.1).
    pub fn sign(
        &self,
        algorithm: SigningAlgorithm,
        kind: &str,
        claims: &Map<String, Value>,
    ) -> Result<String, NotSigned> {
        let (kid, key) = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.signing.get(&algorithm).cloned().ok_or(NotSigned::None)?
        };
        let head = json!({ "alg": algorithm.as_str(), "kid": kid, "typ": kind });
        let part = |value: String| URL_SAFE_NO_PAD.encode(value);
        let mut token = part(head.to_string()) + "." + &part(Value::Object(claims.clone()).to_string());
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        self.numbers.metrics.tokens_signed.inc();
        Ok(token)
    }

    /// The claims of a token of this kind that one of the published keys signed; none: it is none. Times, audience and
    /// everything else are for the caller to check.
    pub fn verified(&self, kind: &str, token: &str) -> Option<Map<String, Value>> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        // 1. Its parts.
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, claims) = signed.split_once('.')?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        let head: Map<String, Value> = serde_json::from_slice(&decoded(head)?).ok()?;
        let text = |name: &str| head.get(name).and_then(Value::as_str);
        // 2. The key decides by what it is verified, and not the token: `none` and a key of another kind are refused.
        let key = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.published.get(text("kid")?)?.clone()
        };
        let is_ours = text("typ") == Some(kind)
            && SigningAlgorithm::parse(text("alg")?) == Some(SigningAlgorithm::of(&key))
            && !head.contains_key("crit");
        if !is_ours || !key.verifies(signed.as_bytes(), &decoded(signature)?) {
            return None;
        }
        serde_json::from_slice(&decoded(claims)?).ok()
    }
}

/// A public key as JSON (RFC 7517 4).
pub(crate) fn jwk(key: &PublicKey, kid: &str) -> Value {
    let algorithm = SigningAlgorithm::of(key).as_str();
    let mut members = Map::new();
    for (name, value) in key.members() {
        members.insert((*name).to_owned(), Value::String(value.clone()));
    }
    for (name, value) in [("use", "sig"), ("alg", algorithm), ("kid", kid)] {
        members.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests;
