//! Pushed authorization requests (RFC 9126): a client stores a request, and a browser brings its `request_uri`.
//! Neighbours: the door checks a request when the client sends it, and again when a browser brings its `request_uri`.

use super::{Client, Provider};
use landbridge_crypto::bearer::BearerSecret;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::pushed_requests;
use zeroize::Zeroizing;

/// Seconds for which a request is stored.
pub const PUSHED: i64 = 60;
/// The start of every `request_uri` (RFC 9126 2.2).
pub const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";

impl Provider {
    /// Stores a request of a client, and returns its `request_uri`. None: the client has reached its limit on stored
    /// requests. Blocks.
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

    /// Returns the query of a pushed request of this client, and deletes it. None: it does not exist, was used, has
    /// ended, or is another client's. Blocks.
    pub fn redeem_pushed(
        &self,
        client: &Client,
        request_uri: &str,
        now: i64,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let secret = request_uri.strip_prefix(REQUEST_URI).and_then(BearerSecret::parse);
        let Some(secret) = secret else { return Ok(None) };
        let (keys, hash) = (self.store.seal_keys(), secret.hash());
        // Anybody may bring a name: one that names nothing costs no write.
        if !self.store.read(|reading| pushed_requests::waits(reading, (&hash, client.app.id), now))? {
            return Ok(None);
        }
        self.store.write_short("pushed-request-used", |writing| {
            pushed_requests::redeem(writing, keys, (&hash, client.app.id), now)
        })
    }
}
