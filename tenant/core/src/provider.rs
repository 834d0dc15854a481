//! The handle on OpenID Connect: clients, sessions of people, codes and refresh tokens.
//!
//! No person is decided upon from memory: each step reads the account, the assignment and the session again, in the
//! transaction that writes what follows from them. A session ends with the password version that it was made under, and
//! with it all that was granted in it.
//! Neighbours: [`crate::issuer`] signs tokens, [`crate::sign_ins`] decides about passwords; the OpenID Connect door speaks
//! the protocol.

mod access_token;
pub mod claims;
pub mod client_assertion;
mod clients;
pub mod code;
pub mod device_requests;
mod grants;
mod introspection;
pub mod logout_notices;
pub mod own_page;
pub mod pushed_requests;
mod sessions;
pub mod user_code;

use crate::issuer::{Issuer, NotSigned};
use access_token::Subject;
pub use clients::Client;
use clients::Clients;
pub use grants::{Granted, NewGrant, NoCode, NoGrant};
pub use introspection::{ActivePerson, ActiveToken};
pub use landbridge_tenant_rules::model::{
    ClientKey, OidcClient, OidcKind, RedirectUri, SigningAlgorithm, SubjectKind,
};
use landbridge_tenant_store::Store;
pub use landbridge_tenant_store::StoreError;
pub use landbridge_tenant_store::tables::web_sessions::WebSession;
pub use sessions::{BegunSession, Ending, NamedAccount, NewSession, OpenSession};
pub(crate) use sessions::{end_all_of, end_one, end_others_after_change, end_those_of_another_password};
use std::sync::Arc;
use zeroize::Zeroizing;

/// How long things last, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// A session that is not used.
    pub idle: i64,
    /// A session in any case.
    pub session: i64,
    /// A grant with refresh tokens that is not used.
    pub refresh: i64,
    /// A key that signs.
    pub key: i64,
}

impl Default for Lives {
    fn default() -> Self {
        Self { idle: 8 * 3600, session: 7 * 86_400, refresh: 30 * 86_400, key: 90 * 86_400 }
    }
}

/// Seconds in which a code is redeemed.
pub const CODE: i64 = 60;
/// Seconds for which a code that was used is known after its end, so that a clock that is set back by less than an hour makes
/// none good again.
const KNOWN: i64 = 3600;
/// Seconds for which access tokens and ID tokens are good.
pub const TOKEN: i64 = 300;

/// Until when a code that was made by now is known, if it is shown again: seconds since 1970.
pub(crate) fn codes_known_until(now: i64) -> i64 {
    now.saturating_add(CODE + KNOWN)
}

/// The handle.
#[derive(Debug, Clone)]
pub struct Provider {
    store: Arc<Store>,
    issuer: Issuer,
    lives: Lives,
    clients: Arc<Clients>,
}

impl Provider {
    pub(crate) fn new(store: Arc<Store>, issuer: Issuer, lives: Lives) -> Self {
        Self { store, issuer, lives, clients: Arc::default() }
    }

    /// The keys.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The client with this `client_id`, if it is not revoked. Blocks.
    pub fn client(&self, id: &str) -> Result<Option<Arc<Client>>, StoreError> {
        self.store.read(|reading| self.clients.named(reading, id))
    }

    /// An access token of a client itself, which is of no person (RFC 6749 4.4). No row is written for it.
    pub fn client_token(&self, client: &Client, now: i64) -> Zeroizing<String> {
        access_token::write(self.store.seal_keys(), Subject::App(client.app.id), now.saturating_add(TOKEN))
    }

    /// Does what is due: keys are rotated, and what has ended is deleted. Blocks.
    pub fn tend(&self, now: i64) -> Result<(), NotSigned> {
        self.issuer.tend(now, self.lives.key)?;
        self.sweep(now)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
