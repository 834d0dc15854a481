//! Grants: a code is made, redeemed once, and followed by refresh tokens, each of which is good once.
//!
//! A code is sealed, and nothing is written for it until it is redeemed: one transaction then notes that it was used, and
//! stores the grant.
//! Neighbours: [`super::code`] has the text of a code; `tables::spent` in the store knows the codes that were used.

use super::access_token::{self, Subject};
use super::code::Code;
use super::sessions::{Standing, note_use_in};
use super::{CODE, Client, Ending, KNOWN, Provider, TOKEN, codes_known_until};
use crate::clock::unix_now_millis;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::bearer::{BearerSecret, same};
use landbridge_crypto::sha_256::sha_256;
use landbridge_tenant_store::tables::grants::{self, Grant};
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tenant_store::tables::{audit, changes, logout_notices, spent};
use landbridge_tenant_store::{Reading, StoreError, Writing};
use serde_json::{Map, Value};
use std::net::IpAddr;
use uuid::{Builder, Uuid};
use zeroize::Zeroizing;

/// Limits on a verifier (RFC 7636 4.1).
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// Why a grant ends, for the audit log.
const OF_ANOTHER: &str = "its code or refresh token was shown by another application";
const SECOND_USE: &str = "its code or refresh token was used a second time";
const DOES_NOT_FIT: &str =
    "its code or refresh token was late, or came with another redirect URI or verifier";
pub(super) const MAY_NOT_GO_ON: &str = "the person may not go on";

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
    pub by_session_from: Option<IpAddr>,
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

/// What an application learns of a person, by name.
pub(super) type Claims = Map<String, Value>;

/// A grant, and the claims of its person for its scopes.
pub(super) type GrantWithClaims = (Grant, Claims);

/// What was read of a person who may go on, before the transaction that redeems the code.
struct PersonRead {
    /// The number of the last change of the directory and of the applications.
    change: i64,
    session: WebSession,
    claims: Claims,
}

/// What a new grant does not have of its client and session.
pub(super) struct NewRow {
    pub(super) id: Uuid,
    pub(super) scopes: String,
    pub(super) nonce: Option<String>,
    pub(super) hash: [u8; 32],
}

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

/// The id of a new grant: random, behind the time in milliseconds (RFC 9562 5.7). Grants of the same time are neighbours in
/// the table, so a batch of them touches few pages.
pub(super) fn new_id(now: i64) -> Uuid {
    let random = Uuid::new_v4().into_bytes().last_chunk().copied().unwrap_or_default();
    // The caller's time has seconds alone.
    let milliseconds = now.saturating_mul(1000).saturating_add(unix_now_millis() % 1000);
    let milliseconds = u64::try_from(milliseconds).unwrap_or(0);
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
    /// Makes a code in a session, if the person may go on at the application. Writes nothing, unless the session ends by that,
    /// or would be idle for too long before the code's time is over. Blocks.
    pub fn make_code(
        &self,
        session: &WebSession,
        client: &Client,
        new: NewGrant,
        now: i64,
    ) -> Result<Zeroizing<String>, NoCode> {
        // 1. The session and its person, as they are now.
        let found = self.store.read(|reading| {
            let Some(session) = web_sessions::named(reading, session.id)? else { return Ok(None) };
            let standing = self.standing_in(reading, &session, Some(client), now)?;
            Ok(Some((session, standing)))
        })?;
        let Some((session, standing)) = found else { return Err(NoCode::SessionEnded) };
        match standing {
            Standing::Good(_) => {}
            Standing::NotAssigned => return Err(NoCode::NotAssigned),
            Standing::Over => {
                self.end(&session, Ending::Account, now)?;
                return Err(NoCode::SessionEnded);
            }
        }
        let until = now.saturating_add(CODE);
        if !self.is_alive(&session, until) {
            self.note_use(&session, now)?;
        }
        // 2. The code.
        let code = Code {
            id: new_id(now),
            app: client.app.id,
            registration: client.registration(),
            session: session.id,
            until,
            scopes: new.scopes,
            redirect: sha_256(new.redirect_uri.as_bytes()),
            challenge: new.challenge,
            by_session_from: new.by_session_from.map(|from| from.to_canonical()),
            nonce: new.nonce,
        };
        let sealed = code.seal(self.store.seal_keys());
        sealed.ok_or(NoCode::Store(StoreError::Foreign { what: "seal key" }))
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
        self.first(client, code, now, |code| {
            let is_registered = client.oidc.redirect_uris.iter().any(|uri| uri.fits(redirect_uri));
            now < code.until
                && code.registration == client.registration()
                && is_registered
                && code.redirect == sha_256(redirect_uri.as_bytes())
                && match (&code.challenge, verifier) {
                    (Some(challenge), Some(verifier)) => verifies(challenge, verifier),
                    (None, None) => true,
                    // A verifier without a challenge: the request was tampered with (RFC 9700 2.1.1).
                    (Some(_), None) | (None, Some(_)) => false,
                }
        })
    }

    /// Takes a refresh token for the next one. Blocks.
    pub fn refresh(&self, client: &Client, token: &str, now: i64) -> Result<Granted, NoGrant> {
        if parse(token).is_none() {
            // A code in the place of a refresh token is used up.
            return self.first(client, token, now, |_| false);
        }
        self.next(client, token, now, |grant| now < grant.ends_at && is_offline(&grant.scopes))
    }

    /// The claims of the person of an access token, for the scopes of its grant. Blocks.
    pub fn userinfo(&self, token: &str, now: i64) -> Result<Map<String, Value>, NoGrant> {
        let read = access_token::read(self.store.seal_keys(), token, now);
        // A token of an application itself is of no person.
        let Some((Subject::Grant(grant), _)) = read else { return Err(NoGrant::NotGood) };
        self.store.read(|reading| {
            reading.ask_ahead(&[&|| grants::find(reading, grant).map(drop), &|| {
                changes::last(reading).map(drop)
            }])?;
            let Some(grant) = grants::find(reading, grant)? else { return Ok(Err(NoGrant::NotGood)) };
            let Some(client) = self.clients.with_id(reading, grant.app)? else {
                return Ok(Err(NoGrant::Over));
            };
            let found = self.session_with_claims(reading, &client, (grant.session, &grant.scopes), now)?;
            Ok(found.map(|(_, claims)| claims).ok_or(NoGrant::Over))
        })?
    }

    /// The claims of the person of a session for these scopes; none: the person may not go on at this client.
    fn claims_of(
        &self,
        reading: &Reading<'_>,
        client: &Client,
        (session, scopes): (&WebSession, &str),
        now: i64,
    ) -> Result<Option<Claims>, StoreError> {
        match self.standing_in(reading, session, Some(client), now)? {
            Standing::Good(person) => self.claims_in(reading, client, &person, scopes).map(Some),
            Standing::Over | Standing::NotAssigned => Ok(None),
        }
    }

    /// The session with this id and the claims of its person; none: the session has ended, or the person may not go on.
    pub(super) fn session_with_claims(
        &self,
        reading: &Reading<'_>,
        client: &Client,
        (session, scopes): (Uuid, &str),
        now: i64,
    ) -> Result<Option<(WebSession, Claims)>, StoreError> {
        let Some(session) = web_sessions::named(reading, session)? else { return Ok(None) };
        let claims = self.claims_of(reading, client, (&session, scopes), now)?;
        Ok(claims.map(|claims| (session, claims)))
    }

    /// The grant of the code that `shown` is, if the code is of this client, was not used before, and `fits`. All of it is one
    /// transaction.
    fn first(
        &self,
        client: &Client,
        shown: &str,
        now: i64,
        fits: impl FnOnce(&Code) -> bool,
    ) -> Result<Granted, NoGrant> {
        let Some(code) = Code::open(self.store.seal_keys(), shown) else {
            // A refresh token in the place of a code ends its grant.
            return self.next(client, shown, now, |_| false);
        };
        // What is decided and read here keeps no other writer waiting.
        let does_fit = code.app == client.app.id && fits(&code);
        let before = if does_fit { self.read_person(client, &code, now)? } else { None };
        let next = BearerSecret::generate();
        let actor = format!("app {}", client.app.name);
        let redeemed = self.store.write_short("grant", |writing| {
            // 1. The session. A code of one that has ended can never be redeemed.
            ask_ahead(writing, &code)?;
            let Some(session) = web_sessions::named(writing, code.session)? else {
                return Ok(Err(NoGrant::NotGood));
            };
            let change = changes::last(writing)?.any;
            let subject = session.object.to_string();
            let note_end = |why| audit::append(writing, now, &actor, "grant-ended", &subject, why);
            // 2. A code that is of another application, or does not fit, is used up. One that was used before ends its grant:
            //    there may be a copy in other hands. The grant tells of the use, and when that has ended a note.
            let known_until = code.until.saturating_add(KNOWN);
            let shown = (code.app, code.id.as_bytes().as_slice());
            let refuse = |why| {
                let is_first = now < known_until && spent::redeem(writing, shown, known_until)?;
                let has_grant = grants::end(writing, code.id, known_until)?;
                if has_grant || is_first {
                    let is_second = why != OF_ANOTHER && (has_grant || !is_first);
                    note_end(if is_second { SECOND_USE } else { why })?;
                }
                Ok(Err(if why == MAY_NOT_GO_ON && !has_grant { NoGrant::Over } else { NoGrant::NotGood }))
            };
            if !does_fit {
                return refuse(if code.app == client.app.id { DOES_NOT_FIT } else { OF_ANOTHER });
            }
            if spent::is_spent(writing, code.app, code.id.as_bytes())? {
                return Ok(Err(NoGrant::NotGood));
            }
            // 3. The person, as read before if nothing has changed since.
            let claims = match &before {
                Some(before) if before.session == session && before.change == change => {
                    Some(before.claims.clone())
                }
                Some(_) | None => self.claims_of(writing, client, (&session, &code.scopes), now)?,
            };
            let Some(claims) = claims else { return refuse(MAY_NOT_GO_ON) };
            // 4. The grant, whose row notes the use.
            let row = NewRow {
                id: code.id,
                scopes: code.scopes.clone(),
                nonce: code.nonce.clone(),
                hash: next.hash(),
            };
            let Some(grant) = self.begin_grant(writing, client, row, &session, now)? else {
                return refuse(SECOND_USE);
            };
            // 5. A session that stood for the password has an entry of its own.
            if let Some(from) = &code.by_session_from {
                let detail = format!("accepted by session {}, from {from}", session.id);
                audit::append(writing, now, &actor, "signin-by-session", &subject, &detail)?;
            }
            Ok(Ok((grant, claims)))
        })?;
        Ok(self.granted(redeemed?, &next, now))
    }

    /// Reads the person of a code; none: the session has ended, or the person may not go on.
    fn read_person(&self, client: &Client, code: &Code, now: i64) -> Result<Option<PersonRead>, StoreError> {
        self.store.read(|reading| {
            reading.ask_ahead(&[&|| changes::last(reading).map(drop), &|| {
                web_sessions::named(reading, code.session).map(drop)
            }])?;
            let change = changes::last(reading)?.any;
            let found = self.session_with_claims(reading, client, (code.session, &code.scopes), now)?;
            Ok(found.map(|(session, claims)| PersonRead { change, session, claims }))
        })
    }

    /// Stores a grant in the session of a person who may go on. None: there is one with this id. It is not looked for before:
    /// on a server that would conflict with every grant that is made at the same time.
    pub(super) fn begin_grant(
        &self,
        writing: &Writing<'_>,
        client: &Client,
        NewRow { id, scopes, nonce, hash }: NewRow,
        session: &WebSession,
        now: i64,
    ) -> Result<Option<Grant>, StoreError> {
        let ends_at = self.end_of(&scopes, session, now);
        let grant = Grant {
            id,
            app: client.app.id,
            object: session.object,
            session: session.id,
            scopes,
            nonce,
            signed_in_at: session.made_at,
            hash,
            ends_at,
        };
        if !grants::insert(writing, &grant)? {
            return Ok(None);
        }
        note_use_in(writing, session, now)?;
        // A client that receives an ID token learns of the session.
        if client.oidc.back_channel.is_some() {
            logout_notices::note_client(writing, session.id, client.app.id)?;
        }
        Ok(Some(grant))
    }

    /// When a grant ends that is made or used now.
    fn end_of(&self, scopes: &str, session: &WebSession, now: i64) -> i64 {
        let life = if is_offline(scopes) { self.lives.refresh } else { TOKEN };
        now.saturating_add(life).min(session.ends_at)
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
                grants::end(writing, id, codes_known_until(now))?;
                audit::append(writing, now, &actor, "grant-ended", &grant.object.to_string(), why)?;
                Ok(Err(answer))
            };
            if grant.app != client.app.id {
                return end(OF_ANOTHER, NoGrant::NotGood);
            }
            if !same(&grant.hash, &hash) {
                return end(SECOND_USE, NoGrant::NotGood);
            }
            if !fits(&grant) {
                return end(DOES_NOT_FIT, NoGrant::NotGood);
            }
            // 2. The person.
            let found = self.session_with_claims(writing, client, (grant.session, &grant.scopes), now)?;
            let Some((session, claims)) = found else {
                return end(MAY_NOT_GO_ON, NoGrant::Over);
            };
            // 3. The next secret replaces this one. An application that refreshes uses the session.
            note_use_in(writing, &session, now)?;
            grants::turn(writing, id, (&hash, &next.hash()), self.end_of(&grant.scopes, &session, now))?;
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

/// Sends what a redemption asks first ahead.
fn ask_ahead(reading: &Reading<'_>, code: &Code) -> Result<(), StoreError> {
    reading.ask_ahead(&[
        &|| web_sessions::named(reading, code.session).map(drop),
        &|| changes::last(reading).map(drop),
        &|| spent::is_spent(reading, code.app, code.id.as_bytes()).map(drop),
    ])
}

/// Whether refresh tokens follow a code with these scopes.
pub(super) fn is_offline(scopes: &str) -> bool {
    scopes.split(' ').any(|scope| scope == "offline_access")
}

/// Whether a verifier is that of a challenge (RFC 7636 4.6, S256).
fn verifies(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_one = VERIFIER.contains(&verifier.len()) && verifier.bytes().all(unreserved);
    is_one && URL_SAFE_NO_PAD.encode(sha_256(verifier.as_bytes())) == challenge
}
