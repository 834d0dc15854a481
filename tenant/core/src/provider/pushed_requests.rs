//! Authorization requests that a client sends itself, and of which a browser brings the name alone (RFC 9126).
//! Neighbours: the door checks them when they come, and again when the browser brings them.

use super::{Client, Provider};
use landbridge_crypto::bearer::BearerSecret;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::pushed_requests;
use zeroize::Zeroizing;

/// Seconds within which the browser brings the name of a request.
pub const PUSHED: i64 = 60;
/// What the name of a request begins with (RFC 9126 2.2).
pub const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

impl Provider {
    /// Stores a request of a client. Returns its `request_uri`; none: too many requests of the client wait. Blocks.
    pub fn push(
        &self,
        client: &Client,
        query: &str,
        now: i64,
    ) -> Result<Option<Zeroizing<String>>, StoreError> {
        let secret = BearerSecret::generate();
        let hash = secret.hash();
        let sealed = pushed_requests::seal(self.store.seal_keys(), &hash, query)?;
        let ends_at = now.saturating_add(PUSHED);
        let stored = self.store.write_short("pushed-request", |writing| {
            pushed_requests::insert(writing, (&hash, client.app.id), &sealed, ends_at, now)
        })?;
        Ok(stored.then(|| Zeroizing::new(format!("{REQUEST_URI}{}", *secret.to_text()))))
    }

    /// The query of a pushed request of this client, once. None: it is none, was used or is late, or is another client's.
    /// Blocks.
    pub fn redeem_pushed(
        &self,
        client: &Client,
        request_uri: &str,
        now: i64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let secret = request_uri.strip_prefix(REQUEST_URI).and_then(BearerSecret::parse);
        let Some(secret) = secret else { return Ok(None) };
        let (keys, hash) = (self.store.seal_keys(), secret.hash());
        self.store.write_short("pushed-request-used", |writing| {
            pushed_requests::redeem(writing, keys, (&hash, client.app.id), now)
        })
    }
}
