//! Introspection (RFC 7662): whether a token is good at this moment, and whose it is. Revocation (RFC 7009): a client
//! ends a token of its own.
//!
//! A client may introspect its own access tokens and refresh tokens. A client that is registered as an API may also
//! introspect access tokens of other clients, for people of the domains that it serves. The answer for every other
//! token is that of a token that does not exist.
//! Neighbours: [`super::grants`] has refresh tokens.

use super::access_token::{self, Subject};
use super::grants::{is_offline, parse};
use super::sessions::Standing;
use super::{Client, OidcKind, Provider, TOKEN, codes_known_until};
use landbridge_crypto::bearer::same;
use landbridge_crypto::sha_256::sha_256;
use landbridge_tenant_store::tables::grants::{self, Grant};
use landbridge_tenant_store::tables::{audit, spent, web_sessions};
use landbridge_tenant_store::{Reading, StoreError};
use uuid::Uuid;

/// A token that is good at this moment. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveToken {
    /// `client_id` of the client that it was issued to.
    pub client: String,
    /// Whether it is a refresh token.
    pub is_refresh: bool,
    /// The person. None: the token is the client's own, by its own credential.
    pub person: Option<ActivePerson>,
    /// When it was issued. None: it is a refresh token, of which that time is not stored.
    pub issued_at: Option<i64>,
    /// When it ends.
    pub ends_at: i64,
}

/// The person of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivePerson {
    /// `sub` of the person for the client that sent the request.
    pub sub: String,
    /// The scopes, separated by blanks.
    pub scopes: String,
}

impl Provider {
    /// A token, if it is good now and the client `by` may introspect it. Session, account, assignment and application
    /// are read again. Blocks.
    pub fn introspect(&self, by: &Client, token: &str, now: i64) -> Result<Option<ActiveToken>, StoreError> {
        match access_token::read(self.store.seal_keys(), token, now) {
            Some((Subject::App(app), ends_at)) => {
                self.store.read(|reading| self.own_token(reading, by, (app, token), ends_at))
            }
            Some((Subject::Grant(grant), ends_at)) => self.store.read(|reading| {
                let Some(grant) = grants::find(reading, grant)? else { return Ok(None) };
                self.token_of(reading, by, &grant, (Some(ends_at - TOKEN), ends_at), now)
            }),
            None => {
                let Some((id, secret)) = parse(token) else { return Ok(None) };
                self.store.read(|reading| {
                    let Some(grant) = grants::find(reading, id)? else { return Ok(None) };
                    let is_refresh_token = grant.app == by.app.id
                        && same(&grant.hash, &secret.hash())
                        && now < grant.ends_at
                        && is_offline(&grant.scopes);
                    let found = is_refresh_token
                        .then(|| self.token_of(reading, by, &grant, (None, grant.ends_at), now));
                    Ok(found.transpose()?.flatten())
                })
            }
        }
    }

    /// An access token of an application itself.
    fn own_token(
        &self,
        reading: &Reading<'_>,
        by: &Client,
        (app, token): (Uuid, &str),
        ends_at: i64,
    ) -> Result<Option<ActiveToken>, StoreError> {
        if !may_know(by, app) {
            return Ok(None);
        }
        let client = self
            .clients
            .with_id(reading, app)?
            .filter(|client| client.oidc.kind == OidcKind::Confidential && client.oidc.client_credentials);
        let Some(client) = client else { return Ok(None) };
        let is_over = spent::is_spent(reading, app, &sha_256(token.as_bytes()))?;
        Ok((!is_over).then(|| ActiveToken {
            client: client.app.name.clone(),
            is_refresh: false,
            person: None,
            issued_at: Some(ends_at - TOKEN),
            ends_at,
        }))
    }

    /// A token of a grant, with the times at which it was issued and at which it ends.
    fn token_of(
        &self,
        reading: &Reading<'_>,
        by: &Client,
        grant: &Grant,
        (issued_at, ends_at): (Option<i64>, i64),
        now: i64,
    ) -> Result<Option<ActiveToken>, StoreError> {
        // 1. The client of the grant, and whether `by` may introspect its tokens.
        if !may_know(by, grant.app) {
            return Ok(None);
        }
        let Some(client) = self.clients.with_id(reading, grant.app)? else { return Ok(None) };
        // 2. The person, who may still use the client, and is of a domain that `by` serves.
        let Some(session) = web_sessions::named(reading, grant.session)? else { return Ok(None) };
        let Standing::Good(person) = self.standing_in(reading, &session, Some(&client), now)? else {
            return Ok(None);
        };
        if by.app.domain_rows().is_some_and(|rows| !rows.contains(&person.domain.id)) {
            return Ok(None);
        }
        let sub = self.subject(by, grant.object);
        Ok(Some(ActiveToken {
            client: client.app.name.clone(),
            is_refresh: issued_at.is_none(),
            person: Some(ActivePerson { sub, scopes: grant.scopes.clone() }),
            issued_at,
            ends_at: ends_at.min(session.ends_at),
        }))
    }

    /// Revokes a token of this client. A person's token ends with its grant and all tokens of that grant; the client's
    /// own access token ends alone. Any other text changes nothing. Blocks.
    pub fn revoke(&self, client: &Client, token: &str, now: i64) -> Result<(), StoreError> {
        let app = client.app.id;
        let grant = match access_token::read(self.store.seal_keys(), token, now) {
            Some((Subject::App(own), ends_at)) if own == app => {
                let hash = sha_256(token.as_bytes());
                return self.store.write_short("token-revoke", |writing| {
                    spent::redeem(writing, (app, &hash), ends_at).map(drop)
                });
            }
            Some((Subject::App(_), _)) => return Ok(()),
            Some((Subject::Grant(grant), _)) => Some(grant),
            None => parse(token).map(|(grant, _)| grant),
        };
        let Some(id) = grant else { return Ok(()) };
        // A token of another client, or of a grant that has ended, costs no write.
        let of_client = |grant: &Grant| grant.app == app;
        if self.store.read(|reading| Ok(grants::find(reading, id)?.filter(of_client)))?.is_none() {
            return Ok(());
        }
        let actor = format!("app {}", client.app.name);
        self.store.write_short("grant-revoke", |writing| {
            let Some(grant) = grants::find(writing, id)?.filter(of_client) else { return Ok(()) };
            grants::end(writing, id, codes_known_until(now))?;
            let why = "revoked by the application";
            audit::append(writing, now, &actor, "grant-ended", &grant.object.to_string(), why)
        })
    }
}

/// Whether a client may introspect the access tokens of an application.
fn may_know(by: &Client, app: Uuid) -> bool {
    by.app.id == app || by.oidc.introspects_others
}
