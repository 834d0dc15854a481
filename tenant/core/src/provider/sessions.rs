//! Sessions: people who have signed in at the pages, and whether they may go on.

use super::{Client, Provider};
use crate::sign_ins::Source;
use landbridge_crypto::bearer::BearerSecret;
use landbridge_tenant_rules::account_state::{Account, veto};
use landbridge_tenant_rules::names::Whose;
use landbridge_tenant_store::facts::{self, Origin};
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tenant_store::tables::{attributes, names};
use landbridge_tenant_store::{Reading, StoreError};
use uuid::Uuid;

/// Seconds between two notes that a session was used.
const NOTED: i64 = 60;

/// The version of an account's password: its pwdLastSet; none: it has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordVersion {
    object: Uuid,
    set: Option<i64>,
}

/// A session that begins.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The account: objectGUID.
    pub object: Uuid,
    /// The version of its password before it was decided upon: a password that changes meanwhile ends the session.
    pub version: Option<PasswordVersion>,
    /// Browser and system, as the browser says.
    pub device: String,
    /// Where the person is.
    pub address: String,
}

/// Whether a person may go on at an application without the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Good,
    /// The account is gone, disabled, blocked or expired, or its password is another one.
    Over,
    /// Not at this application.
    NotAssigned,
}

impl Provider {
    /// The version of the password of the account with this name, read before its sign-in is decided; none: no account has
    /// the name. Blocks.
    pub fn password_version(&self, name: &str) -> Result<Option<PasswordVersion>, StoreError> {
        self.store.read(|reading| {
            let Whose::One(object) = names::whose(reading, name)? else { return Ok(None) };
            Ok(Some(PasswordVersion { object, set: attributes::of(reading, object)?.pwd_last_set }))
        })
    }

    /// Begins a session after a sign-in that was accepted. It replaces the session of the cookie `before`. Returns it with
    /// the secret for the new cookie. Blocks.
    pub fn begin(
        &self,
        new: &NewSession,
        before: Option<&str>,
        now: i64,
    ) -> Result<(WebSession, BearerSecret), StoreError> {
        let secret = BearerSecret::generate();
        let before = before.and_then(BearerSecret::parse);
        let id = Uuid::new_v4();
        let session = self.store.write("web-session-begin", |writing| {
            if let Some(before) = &before
                && let Some(session) = web_sessions::find(writing, &before.hash())?
            {
                web_sessions::end(writing, session.id)?;
            }
            let password_set = match new.version {
                Some(version) if version.object == new.object => version.set,
                // The name was another account's a moment before.
                Some(_) | None => attributes::of(writing, new.object)?.pwd_last_set,
            };
            let session = WebSession {
                id,
                object: new.object,
                password_set,
                made_at: now,
                seen_at: now,
                ends_at: now.saturating_add(self.lives.session),
                device: new.device.clone(),
                address: new.address.clone(),
            };
            web_sessions::insert(writing, &session, &secret.hash())?;
            Ok(session)
        })?;
        Ok((session, secret))
    }

    /// The session of a cookie, if it has not ended. A grant in it notes its use, and [`Self::note_use`] does where nothing
    /// is granted. Blocks.
    pub fn session(&self, cookie: &str, now: i64) -> Result<Option<WebSession>, StoreError> {
        let Some(secret) = BearerSecret::parse(cookie) else { return Ok(None) };
        let found = self.store.read(|reading| {
            let found = web_sessions::find(reading, &secret.hash())?;
            let Some(session) = found else { return Ok(None) };
            let good = self.is_alive(&session, now)
                && self.standing_in(reading, &session, None, now)? != Standing::Over;
            Ok(Some((session, good)))
        })?;
        match found {
            None => Ok(None),
            Some((session, false)) => {
                self.store.write("web-session-end", |writing| web_sessions::end(writing, session.id))?;
                Ok(None)
            }
            Some((session, true)) => Ok(Some(session)),
        }
    }

    /// Notes that a session was used, unless that was noted in the minute before. Blocks.
    pub fn note_use(&self, session: &WebSession, now: i64) -> Result<(), StoreError> {
        if now.saturating_sub(session.seen_at) < NOTED {
            return Ok(());
        }
        self.store.write("web-session-used", |writing| web_sessions::note_use(writing, session.id, now))
    }

    /// Whether the person of a session may go on at an application. Blocks.
    pub fn standing(&self, session: &WebSession, client: &Client, now: i64) -> Result<Standing, StoreError> {
        self.store.read(|reading| self.standing_in(reading, session, Some(client), now))
    }

    /// Ends a session, and all that was granted in it. False: there is none. Blocks.
    pub fn end(&self, session: Uuid) -> Result<bool, StoreError> {
        self.store.write("web-session-end", |writing| web_sessions::end(writing, session))
    }

    pub(super) fn sweep(&self, now: i64) -> Result<usize, StoreError> {
        self.store.write("web-sessions-sweep", |writing| web_sessions::sweep(writing, now, self.lives.idle))
    }

    pub(super) fn is_alive(&self, session: &WebSession, now: i64) -> bool {
        now < session.ends_at && now.saturating_sub(session.seen_at) < self.lives.idle
    }

    /// The same in a snapshot. Without a client: whether the session goes on at all.
    pub(super) fn standing_in(
        &self,
        reading: &Reading<'_>,
        session: &WebSession,
        client: Option<&Client>,
        now: i64,
    ) -> Result<Standing, StoreError> {
        let rows = client.and_then(|client| client.app.domain_rows());
        let origin = Origin {
            caller: "",
            application: client.map(|client| client.app.id),
            domains: rows.as_deref(),
            source: &Source::Unstated,
            now,
            keys: self.store.seal_keys(),
        };
        let Some(stored) = facts::of_account(reading, session.object, &origin)? else {
            return Ok(Standing::Over);
        };
        let (Some(account), Some(domain)) = (stored.facts.account, stored.facts.domain) else {
            return Ok(Standing::Over);
        };
        let known = Account::known(&account.attributes, &account.password_policy, account.protected_user);
        let is_good = account.present
            && !account.blocked
            && !account.canary
            && account.attributes.pwd_last_set == session.password_set
            && veto(&known, now).is_none();
        if !is_good {
            return Ok(Standing::Over);
        }
        let is_served = rows.as_ref().is_none_or(|rows| rows.contains(&domain.id));
        Ok(if is_served && account.assigned { Standing::Good } else { Standing::NotAssigned })
    }
}
