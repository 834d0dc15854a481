//! Grants: a code is made, redeemed once, and followed by refresh tokens, each of which is good once.

use super::{CODE, Client, Provider, Standing, TOKEN};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::bearer::{BearerSecret, same};
use landbridge_tenant_store::tables::audit;
use landbridge_tenant_store::tables::grants::{self, Grant};
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tenant_store::{Reading, StoreError};
use uuid::Uuid;
use zeroize::Zeroizing;

/// What the audit log says of a code or refresh token that was shown before.
const REUSED: &str = "its code or refresh token was used a second time";
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

/// A grant that was redeemed or refreshed.
#[derive(Debug)]
pub struct Granted {
    /// The grant.
    pub grant: Grant,
    /// The session in which it was made.
    pub session: WebSession,
    /// The next refresh token; none: the scopes have no `offline_access`.
    pub refresh: Option<Zeroizing<String>>,
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

/// A secret with the grant that it is of.
fn text(grant: Uuid, secret: &BearerSecret) -> Zeroizing<String> {
    Zeroizing::new(format!("{}.{}", grant.simple(), *secret.to_text()))
}

fn parse(text: &str) -> Option<(Uuid, BearerSecret)> {
    let (grant, secret) = text.split_once('.')?;
    let is_simple =
        grant.len() == 32 && grant.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    Some((Uuid::try_parse(grant).ok().filter(|_| is_simple)?, BearerSecret::parse(secret)?))
}

impl Provider {
    /// Makes a grant in a session, and notes that the session was used. Returns the grant's code. The caller has checked the
    /// person's standing. Blocks.
    pub fn grant(
        &self,
        session: &WebSession,
        client: &Client,
        new: &NewGrant,
        now: i64,
    ) -> Result<Zeroizing<String>, StoreError> {
        let secret = BearerSecret::generate();
        let NewGrant { scopes, nonce, redirect_uri, challenge, by_session_from } = new.clone();
        let grant = Grant {
            id: Uuid::new_v4(),
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
        self.store.write_short("grant", |writing| {
            web_sessions::note_use(writing, session.id, now)?;
            grants::insert(writing, &grant, now)?;
            let Some((actor, detail)) = &note else { return Ok(()) };
            let subject = session.object.to_string();
            audit::append(writing, now, actor, "signin-by-session", &subject, detail)
        })?;
        Ok(text(grant.id, &secret))
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

    /// The grant with this id, and its session, if the person may go on. Blocks.
    pub fn granted(&self, client: &Client, grant: Uuid, now: i64) -> Result<(Grant, WebSession), NoGrant> {
        match self.store.read(|reading| self.grant_in(reading, client, grant, now))? {
            Some((grant, _)) if grant.app != client.app.id => Err(NoGrant::NotGood),
            Some((grant, Some(session))) => Ok((grant, session)),
            Some((_, None)) => Err(NoGrant::Over),
            None => Err(NoGrant::NotGood),
        }
    }

    /// A grant, with its session if the person may go on at this client.
    fn grant_in(
        &self,
        reading: &Reading<'_>,
        client: &Client,
        grant: Uuid,
        now: i64,
    ) -> Result<Option<(Grant, Option<WebSession>)>, StoreError> {
        let Some(grant) = grants::find(reading, grant)? else { return Ok(None) };
        let Some(session) = web_sessions::named(reading, grant.session)? else {
            return Ok(Some((grant, None)));
        };
        let is_good = self.is_alive(&session, now)
            && self.standing_in(reading, &session, Some(client), now)? == Standing::Good;
        Ok(Some((grant, is_good.then_some(session))))
    }

    /// Ends a grant, and writes into the audit log why. Blocks.
    fn end_grant(&self, client: &Client, grant: &Grant, why: &str, now: i64) -> Result<(), StoreError> {
        let actor = format!("app {}", client.app.name);
        self.store.write_short("grant-end", |writing| {
            if grants::end(writing, grant.id)? {
                audit::append(writing, now, &actor, "grant-ended", &grant.object.to_string(), why)?;
            }
            Ok(())
        })
    }

    fn next(
        &self,
        client: &Client,
        shown: &str,
        now: i64,
        fits: impl Fn(&Grant) -> bool,
    ) -> Result<Granted, NoGrant> {
        // 1. The grant that is named. A code or token that does not fit ends it: there may be a copy in other hands.
        let (id, secret) = parse(shown).ok_or(NoGrant::NotGood)?;
        let hash = secret.hash();
        let found = self.store.read(|reading| self.grant_in(reading, client, id, now))?;
        let (grant, session) = found.ok_or(NoGrant::NotGood)?;
        let misfit = if grant.app != client.app.id {
            Some("its code or refresh token was shown by another application")
        } else if !same(&grant.hash, &hash) {
            Some(REUSED)
        } else if !fits(&grant) {
            Some("its code or refresh token was late, or came with another redirect URI or verifier")
        } else {
            None
        };
        if let Some(why) = misfit {
            self.end_grant(client, &grant, why, now)?;
            return Err(NoGrant::NotGood);
        }
        // 2. The person.
        let Some(session) = session else {
            self.end_grant(client, &grant, "the person may not go on", now)?;
            return Err(NoGrant::Over);
        };
        // 3. The next secret replaces this one, once. It leaves the server as a refresh token only.
        let next = BearerSecret::generate();
        let life = if is_offline(&grant.scopes) { self.lives.refresh } else { TOKEN };
        let ends_at = now.saturating_add(life).min(session.ends_at);
        let turned = self.store.write_short("grant-turn", |writing| {
            // An application that refreshes uses the session.
            web_sessions::note_use(writing, session.id, now)?;
            grants::turn(writing, id, &hash, &next.hash(), ends_at)
        })?;
        if !turned {
            self.end_grant(client, &grant, REUSED, now)?;
            return Err(NoGrant::NotGood);
        }
        let refresh = is_offline(&grant.scopes).then(|| text(id, &next));
        Ok(Granted { grant, session, refresh })
    }
}

fn is_offline(scopes: &str) -> bool {
    scopes.split(' ').any(|scope| scope == "offline_access")
}

/// Whether a verifier is that of a challenge (RFC 7636 4.6, S256).
fn verifies(challenge: &str, verifier: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_one = VERIFIER.contains(&verifier.len()) && verifier.bytes().all(unreserved);
    is_one && URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())) == challenge
}
