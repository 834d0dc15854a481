//! Grants: a code is made, redeemed once, and followed by refresh tokens, each of which is good once.

use super::access_token::{self, Subject};
use super::sessions::{Standing, end_one, note_use_in};
use super::{CODE, Client, Ending, Provider, TOKEN};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::bearer::{BearerSecret, same};
use landbridge_tenant_store::facts::KnownAccount;
use landbridge_tenant_store::tables::grants::{self, Grant};
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tenant_store::tables::{audit, logout_notices};
use landbridge_tenant_store::{Reading, StoreError};
use serde_json::{Map, Value};
use uuid::{Builder, Uuid};
use zeroize::Zeroizing;

/// Limits on a verifier (RFC 7636 4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// What a person allows an application.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// The scopes, with a blank between.
    pub scopes: String,
    /// `nonce`
    pub nonce: Option<String>,
    /// `redirect_uri`
    pub redirect_uri: String,
    /// `code_challenge`, of the method S256.
    pub challenge: Option<String>,
    /// The person's address, if the session stands for the password: then the audit log has an entry of its own.
    pub by_session_from: Option<String>,
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum NoCode {
    /// The session has ended.
    #[error("the session has ended")]
    SessionEnded,
    /// The application is not assigned to the person.
    #[error("the application is not assigned to the person")]
    NotAssigned,
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A grant that was redeemed or refreshed.
#[derive(Debug)]
pub struct Granted {
    /// The grant.
    pub grant: Grant,
    /// The claims of the person for its scopes.
    pub claims: Map<String, Value>,
    /// The access token.
    pub access: Zeroizing<String>,
    /// The next refresh token; none: the scopes have no `offline_access`.
    pub refresh: Option<Zeroizing<String>>,
}

/// A grant, and the claims of its person for its scopes.
pub(super) type GrantWithClaims = (Grant, Map<String, Value>);

/// Why a code or a refresh token is refused.
#[derive(Debug, thiserror::Error)]
pub enum NoGrant {
    /// It is none, was used before, is late, or belongs to another client, redirect or verifier. If it named a grant, that
    /// has ended.
    #[error("the code or the refresh token is not good")]
    NotGood,
    /// The person may not go on at this application.
    #[error("the person may not go on")]
    Over,
    /// The database fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The id of a new grant: random, behind the time (RFC 9562 5.7). Grants of the same time are neighbours in the table, so a
/// code and the refresh token that follows it soon touch the same pages.
pub(super) fn new_id(now: i64) -> Uuid {
    let random = Uuid::new_v4().into_bytes().last_chunk().copied().unwrap_or_default();
    let milliseconds = u64::try_from(now).unwrap_or(0).saturating_mul(1000);
    Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid()
}

/// A secret with the grant that it is of.
pub(super) fn text(grant: Uuid, secret: &BearerSecret) -> Zeroizing<String> {
    Zeroizing::new(format!("{}.{}", grant.simple(), *secret.to_text()))
}

/// The grant that a code or a refresh token names, and its secret.
pub(super) fn parse(text: &str) -> Option<(Uuid, BearerSecret)> {
    let (grant, secret) = text.split_once('.')?;
    let is_simple =
        grant.len() == 32 && grant.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    Some((Uuid::try_parse(grant).ok().filter(|_| is_simple)?, BearerSecret::parse(secret)?))
}

impl Provider {
    /// Makes a grant in a session, if the person may go on at the application, and notes that the session was used. Returns
    /// the grant's code. Blocks.
    pub fn grant(
        &self,
        session: &WebSession,
        client: &Client,
        new: &NewGrant,
        now: i64,
    ) -> Result<Zeroizing<String>, NoCode> {
        let secret = BearerSecret::generate();
        let NewGrant { scopes, nonce, redirect_uri, challenge, by_session_from } = new.clone();
        let grant = Grant {
            id: new_id(now),
            app: client.app.id,
            object: session.object,
            session: session.id,
            scopes,
            nonce,
            redirect_uri,
            challenge,
            signed_in_at: session.made_at,
            hash: secret.hash(),
            code_until: Some(now.saturating_add(CODE)),
            ends_at: now.saturating_add(CODE),
        };
        let note = by_session_from.map(|from| {
            let actor = format!("app {}", client.app.name);
            (actor, format!("accepted by session {}, from {from}", session.id))
        });
        let made = self.store.write_short("grant", |writing| {
            // 1. The session and its person, as they are now.
            let Some(session) = web_sessions::named(writing, session.id)? else {
                return Ok(Err(NoCode::SessionEnded));
            };
            match self.standing_in(writing, &session, Some(client), now)? {
                Standing::Good(_) => {}
                Standing::NotAssigned => return Ok(Err(NoCode::NotAssigned)),
                Standing::Over => {
                    end_one(writing, &session, ("tenant", Ending::Account), now)?;
                    return Ok(Err(NoCode::SessionEnded));
                }
            }
            // 2. The grant.
            note_use_in(writing, &session, now)?;
            grants::insert(writing, &grant, now)?;
            if let Some((actor, detail)) = &note {
                let subject = session.object.to_string();
                audit::append(writing, now, actor, "signin-by-session", &subject, detail)?;
            }
            Ok(Ok(()))
        })?;
        made.map(|()| text(grant.id, &secret))
    }

    /// Redeems a code. Blocks.
    pub fn redeem(
        &self,
        client: &Client,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: i64,
    ) -> Result<Granted, NoGrant> {
        self.next(client, code, now, |grant| {
            grant.code_until.is_some_and(|until| now < until)
                && grant.redirect_uri == redirect_uri
                && match (&grant.challenge, verifier) {
                    (Some(challenge), Some(verifier)) => verifies(challenge, verifier),
                    (None, None) => true,
                    // A verifier without a challenge: the request was tampered with (RFC 9700 2.1.1).
                    (Some(_), None) | (None, Some(_)) => false,
                }
        })
    }

    /// Takes a refresh token for the next one. Blocks.
    pub fn refresh(&self, client: &Client, token: &str, now: i64) -> Result<Granted, NoGrant> {
        self.next(client, token, now, |grant| {
            grant.code_until.is_none() && now < grant.ends_at && is_offline(&grant.scopes)
        })
    }

    /// The claims of the person of an access token, for the scopes of its grant. Blocks.
    pub fn userinfo(&self, token: &str, now: i64) -> Result<Map<String, Value>, NoGrant> {
        let read = access_token::read(self.store.seal_keys(), token, now);
        // A token of an application itself is of no person.
        let Some((Subject::Grant(grant), _)) = read else { return Err(NoGrant::NotGood) };
        self.store.read(|reading| {
            let Some(grant) = grants::find(reading, grant)? else { return Ok(Err(NoGrant::NotGood)) };
            let Some(client) = self.clients.with_id(reading, grant.app)? else {
                return Ok(Err(NoGrant::Over));
            };
            let Some((_, person)) = self.person_of(reading, &client, &grant, now)? else {
                return Ok(Err(NoGrant::Over));
            };
            self.claims_in(reading, &client, &person, &grant.scopes).map(Ok)
        })?
    }

    /// The session of a grant, and the account of the person, who may go on at this client; none: the person may not.
    pub(super) fn person_of(
        &self,
        reading: &Reading<'_>,
        client: &Client,
        grant: &Grant,
        now: i64,
    ) -> Result<Option<(WebSession, Box<KnownAccount>)>, StoreError> {
        let Some(session) = web_sessions::named(reading, grant.session)? else { return Ok(None) };
        Ok(match self.standing_in(reading, &session, Some(client), now)? {
            Standing::Good(person) => Some((session, person)),
            Standing::Over | Standing::NotAssigned => None,
        })
    }

    /// The next secret of the grant that `shown` names, if it is of this client and `fits`. All of it is one transaction.
    pub(super) fn next(
        &self,
        client: &Client,
        shown: &str,
        now: i64,
        fits: impl Fn(&Grant) -> bool,
    ) -> Result<Granted, NoGrant> {
        let (id, secret) = parse(shown).ok_or(NoGrant::NotGood)?;
        let (hash, next) = (secret.hash(), BearerSecret::generate());
        let actor = format!("app {}", client.app.name);
        let turned = self.store.write_short("grant-turn", |writing| {
            // 1. The grant that is named. A code or token that does not fit ends it: there may be a copy in other hands.
            let Some(grant) = grants::find(writing, id)? else { return Ok(Err(NoGrant::NotGood)) };
            let end = |why: &str, answer: NoGrant| {
                grants::end(writing, id)?;
                audit::append(writing, now, &actor, "grant-ended", &grant.object.to_string(), why)?;
                Ok(Err(answer))
            };
            if grant.app != client.app.id {
                return end("its code or refresh token was shown by another application", NoGrant::NotGood);
            }
            if !same(&grant.hash, &hash) {
                return end("its code or refresh token was used a second time", NoGrant::NotGood);
            }
            if !fits(&grant) {
                let why = "its code or refresh token was late, or came with another redirect URI or verifier";
                return end(why, NoGrant::NotGood);
            }
            // 2. The person.
            let Some((session, person)) = self.person_of(writing, client, &grant, now)? else {
                return end("the person may not go on", NoGrant::Over);
            };
            let claims = self.claims_in(writing, client, &person, &grant.scopes)?;
            // 3. A client that receives an ID token learns of the session.
            if grant.code_until.is_some() && client.oidc.back_channel.is_some() {
                logout_notices::note_client(writing, session.id, client.app.id)?;
            }
            // 4. The next secret replaces this one. An application that refreshes uses the session.
            note_use_in(writing, &session, now)?;
            let life = if is_offline(&grant.scopes) { self.lives.refresh } else { TOKEN };
            let ends_at = now.saturating_add(life).min(session.ends_at);
            grants::turn(writing, id, (&hash, &next.hash()), ends_at)?;
            Ok(Ok((grant, claims)))
        })?;
        Ok(self.granted(turned?, &next, now))
    }

    /// What a client gets of a grant whose newest secret is `next`.
    pub(super) fn granted(&self, (grant, claims): GrantWithClaims, next: &BearerSecret, now: i64) -> Granted {
        // It leaves the server as a refresh token only.
        let refresh = is_offline(&grant.scopes).then(|| text(grant.id, next));
        let access =
            access_token::write(self.store.seal_keys(), Subject::Grant(grant.id), now.saturating_add(TOKEN));
        Granted { grant, claims, access, refresh }
    }
}

/// Whether refresh tokens follow a code with these scopes.
pub(super) fn is_offline(scopes: &str) -> bool {
    scopes.split(' ').any(|scope| scope == "offline_access")
}

/// Whether a verifier is that of a challenge (RFC 7636 4.6, S256).
fn verifies(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_one = VERIFIER.contains(&verifier.len()) && verifier.bytes().all(unreserved);
    is_one && URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == challenge
}
