//! Sessions: people who have signed in at the pages, and whether they may go on.

use super::{Client, KNOWN, Provider};
use crate::sign_ins::Source;
use landbridge_crypto::bearer::BearerSecret;
use landbridge_tenant_rules::account_state::{Account, veto};
use landbridge_tenant_rules::lockout::Standing as SourceStanding;
use landbridge_tenant_rules::model::Policy;
use landbridge_tenant_rules::names::{Whose, folded};
use landbridge_tenant_store::facts::{self, KnownAccount, Origin};
use landbridge_tenant_store::tables::password_changes::BELIEVED;
use landbridge_tenant_store::tables::web_sessions::{self, WebSession};
use landbridge_tenant_store::tables::{
    attributes, audit, device_guesses, device_requests, grants, known_sources, names, pushed_requests, spent,
};
use landbridge_tenant_store::{Reading, StoreError, Writing};
use landbridge_wire::upload::Presence;
use std::net::IpAddr;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Seconds between two notes that a session was used.
const NOTED: i64 = 60;
/// Limit on what one transaction of the sweep deletes. Other writers wait for less than a second then.
const SWEPT_AT_ONCE: usize = 10_000;

/// Seconds for which a session in which the password was changed goes on while phs has not brought the change: as long as
/// the change is believed.
const AWAITED: i64 = BELIEVED;

/// What is read of the name in a form before the password is decided upon.
#[derive(Debug)]
pub struct NamedAccount {
    /// Where the person is: a browser that is known for the account, or the address.
    pub source: Source,
    version: Option<PasswordVersion>,
    device: Option<BearerSecret>,
}

/// The version of an account's password: its pwdLastSet; none: it has not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PasswordVersion {
    object: Uuid,
    set: Option<i64>,
}

/// A session that begins.
#[derive(Debug)]
pub struct NewSession {
    /// Where the password was typed, as the audit log names it: `app wiki`.
    pub actor: String,
    /// The account: objectGUID.
    pub object: Uuid,
    /// What was read before the password was decided upon: a password that changes meanwhile ends the session.
    pub named: NamedAccount,
    /// Browser and system, as the browser says.
    pub device: String,
    /// Where the person is.
    pub address: IpAddr,
    /// The person has just changed the password: the new pwdLastSet.
    pub changed: Option<i64>,
}

/// A session that has begun, with what the browser keeps.
#[derive(Debug)]
pub struct BegunSession {
    /// The session.
    pub session: WebSession,
    /// The value of the session's cookie.
    pub cookie: Zeroizing<String>,
    /// The value of the device cookie. The browser is known for the account from now on.
    pub device: Zeroizing<String>,
}

/// Why a session ends, for the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The person signed out.
    SignedOut,
    /// The person ended it on the person's own page.
    OnOwnPage,
    /// Another session began in the same browser.
    Replaced,
    /// The account has too many sessions.
    OverLimit,
    /// The account is gone, disabled, blocked or expired, or its password is another one.
    Account,
    /// The person changed the password, in another session or without one.
    PasswordChanged,
    /// An administrator ended it.
    Administrator,
}

impl Ending {
    fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed out",
            Self::OnOwnPage => "ended on the person's own page",
            Self::Replaced => "another one began in the same browser",
            Self::OverLimit => "too many sessions of the account",
            Self::Account => "the account may not go on with it",
            Self::PasswordChanged => "the person changed the password",
            Self::Administrator => "ended by an administrator",
        }
    }
}

/// Writes into the audit log that a session has ended.
fn note_end(
    writing: &Writing<'_>,
    (session, object): (Uuid, Uuid),
    (actor, why): (&str, Ending),
    now: i64,
) -> Result<(), StoreError> {
    let detail = format!("session {session}: {}", why.as_str());
    audit::append(writing, now, actor, "session-ended", &object.to_string(), &detail)
}

/// Ends the sessions of an account, but for one, and writes each into the audit log. Returns their number.
pub(crate) fn end_all_of(
    writing: &Writing<'_>,
    (object, except): (Uuid, Option<Uuid>),
    by: (&str, Ending),
    now: i64,
) -> Result<usize, StoreError> {
    let ended = web_sessions::end_of(writing, object, except, now)?;
    ended.iter().try_for_each(|session| note_end(writing, (*session, object), by, now))?;
    Ok(ended.len())
}

/// The person as the audit log names the one who acts.
pub(super) fn actor_of(object: Uuid) -> String {
    format!("account {object}")
}

/// A session that has not ended.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The session.
    pub session: WebSession,
    /// Names of the applications that it has grants for.
    pub applications: Vec<String>,
}

/// Whether the person of a session may go on at an application.
#[derive(Debug)]
pub(super) enum Standing {
    /// The person may, with this account.
    Good(Box<KnownAccount>),
    /// The session's time is over; or the account is gone, disabled, blocked or expired, or its password is another one.
    Over,
    /// Not at this application.
    NotAssigned,
}

impl Provider {
    /// Reads what is needed of the account with this name before its sign-in is decided: the version of its password, and
    /// whether it was let in before from the browser with this device cookie. Blocks.
    pub fn named_account(
        &self,
        name: &str,
        device: Option<&str>,
        address: IpAddr,
        now: i64,
    ) -> Result<NamedAccount, StoreError> {
        let device = device.and_then(BearerSecret::parse);
        let mut source = Source::Address(address);
        let version = self.store.read(|reading| {
            let Some(folded) = folded(name) else { return Ok(None) };
            let Whose::One(object) = names::whose(reading, &folded)? else { return Ok(None) };
            if let Some(secret) = &device {
                let device = Source::Device { mark: secret.hash(), address };
                let seen_at = known_sources::seen_at(reading, object, &self.hashes(object, &device))?;
                if SourceStanding::of(seen_at, now) == SourceStanding::Known {
                    source = device;
                }
            }
            Ok(Some(PasswordVersion { object, set: attributes::of(reading, object)?.pwd_last_set }))
        })?;
        Ok(NamedAccount { source, version, device })
    }

    fn hashes(&self, object: Uuid, source: &Source) -> Vec<[u8; 32]> {
        let keys = self.store.seal_keys();
        Origin { caller: "", application: None, domains: None, source, now: 0, keys }.hashes(object)
    }

    /// Begins a session after a sign-in that was accepted. It replaces the session of the cookie `before`. Blocks.
    pub fn begin(&self, new: NewSession, before: Option<&str>, now: i64) -> Result<BegunSession, StoreError> {
        let device_secret = new.named.device.unwrap_or_else(BearerSecret::generate);
        let secret = BearerSecret::generate();
        let before = before.and_then(BearerSecret::parse);
        let (id, actor) = (Uuid::new_v4(), actor_of(new.object));
        let session = self.store.write_short("web-session-begin", |writing| {
            // 1. The one of the same browser ends.
            if let Some(before) = &before
                && let Some(session) = web_sessions::find(writing, &before.hash())?
            {
                end_one(writing, &session, (&actor, Ending::Replaced), now)?;
            }
            // 2. The new one.
            let password_set = match new.named.version {
                _ if new.changed.is_some() => new.changed,
                Some(version) if version.object == new.object => version.set,
                // The name was another account's a moment before.
                Some(_) | None => attributes::of(writing, new.object)?.pwd_last_set,
            };
            let session = WebSession {
                id,
                object: new.object,
                password_set,
                awaits_until: new.changed.map(|_| now.saturating_add(AWAITED)),
                made_at: now,
                seen_at: now,
                ends_at: now.saturating_add(self.lives.session),
                device: new.device.clone(),
                address: new.address.to_canonical().to_string(),
            };
            for over in web_sessions::insert(writing, &session, &secret.hash())? {
                note_end(writing, (over, session.object), ("tenant", Ending::OverLimit), now)?;
            }
            // 3. The browser is known from now on.
            let device = Source::Device { mark: device_secret.hash(), address: new.address };
            known_sources::note(writing, new.object, (&self.hashes(new.object, &device), true), now)?;
            let detail = format!("session {id}, from {}", session.address);
            audit::append(writing, now, &new.actor, "session-begun", &session.object.to_string(), &detail)?;
            Ok(session)
        })?;
        Ok(BegunSession { session, cookie: secret.to_text(), device: device_secret.to_text() })
    }

    /// The session of a cookie, if it has not ended. [`Self::note_use`] notes its use. Blocks.
    pub fn session(&self, cookie: &str, now: i64) -> Result<Option<WebSession>, StoreError> {
        let Some(secret) = BearerSecret::parse(cookie) else { return Ok(None) };
        let found = self.store.read(|reading| {
            let found = web_sessions::find(reading, &secret.hash())?;
            let Some(session) = found else { return Ok(None) };
            let good = self.goes_on(reading, &session, now)?;
            Ok(Some((session, good)))
        })?;
        match found {
            None => Ok(None),
            Some((session, false)) => {
                self.end(&session, Ending::Account, now)?;
                Ok(None)
            }
            Some((session, true)) => Ok(Some(session)),
        }
    }

    /// The session of a cookie, if its time is not over, whether or not its account may go on:
    /// [`Self::make_code`] decides that. Blocks.
    pub fn timely_session(&self, cookie: &str, now: i64) -> Result<Option<WebSession>, StoreError> {
        let Some(secret) = BearerSecret::parse(cookie) else { return Ok(None) };
        let found = self.store.read(|reading| web_sessions::find(reading, &secret.hash()))?;
        Ok(found.filter(|session| self.is_alive(session, now)))
    }

    /// Notes that a session was used, unless that was noted in the minute before. Blocks.
    pub fn note_use(&self, session: &WebSession, now: i64) -> Result<(), StoreError> {
        if !must_note(session, now) {
            return Ok(());
        }
        self.store.write_short("web-session-used", |writing| web_sessions::note_use(writing, session.id, now))
    }

    /// Ends a session, and all that was granted in it. False: it has ended already. Blocks.
    pub fn end(&self, session: &WebSession, why: Ending, now: i64) -> Result<bool, StoreError> {
        let actor = match why {
            Ending::SignedOut | Ending::OnOwnPage | Ending::Replaced | Ending::PasswordChanged => {
                actor_of(session.object)
            }
            Ending::OverLimit | Ending::Account | Ending::Administrator => "tenant".to_owned(),
        };
        self.store.write_short("web-session-end", |writing| end_one(writing, session, (&actor, why), now))
    }

    /// Ends a session of the account that has the session `own`, which may be that one; none: all but that one. Returns their
    /// number. Blocks.
    pub fn end_own(&self, own: &WebSession, ended: Option<Uuid>, now: i64) -> Result<usize, StoreError> {
        let (object, actor) = (own.object, actor_of(own.object));
        let by = (actor.as_str(), Ending::OnOwnPage);
        self.store.write_short("web-session-end", |writing| {
            let Some(id) = ended else { return end_all_of(writing, (object, Some(own.id)), by, now) };
            let found = web_sessions::named(writing, id)?.filter(|found| found.object == object);
            found.map_or(Ok(0), |session| end_one(writing, &session, by, now).map(usize::from))
        })
    }

    /// The sessions of an account, or of all accounts, that have not ended; the last used first. Blocks.
    pub fn open_sessions(
        &self,
        reading: &Reading<'_>,
        object: Option<Uuid>,
        limit: u32,
        now: i64,
    ) -> Result<Vec<OpenSession>, StoreError> {
        let mut open = Vec::new();
        for session in web_sessions::list(reading, object, limit)? {
            if self.goes_on(reading, &session, now)? {
                let applications = grants::apps_in(reading, session.id)?;
                open.push(OpenSession { session, applications });
            }
        }
        Ok(open)
    }

    pub(super) fn sweep(&self, now: i64) -> Result<usize, StoreError> {
        // 1. Grants and what was used once. They are looked for where no writer waits. A grant that has ended still tells
        //    that its code was used.
        let long_ago = now.saturating_sub(KNOWN);
        while let ended = self.store.look(|reading| grants::ended(reading, long_ago, SWEPT_AT_ONCE))?
            && !ended.is_empty()
        {
            self.store.write("grants-sweep", |writing| grants::sweep(writing, &ended, long_ago))?;
        }
        while let ended = self.store.look(|reading| spent::ended(reading, now, SWEPT_AT_ONCE))?
            && !ended.is_empty()
        {
            self.store.write("spent-sweep", |writing| spent::sweep(writing, &ended, now))?;
        }
        // 2. Sessions, and what waits for an answer.
        let swept = self.store.write("web-sessions-sweep", |writing| {
            pushed_requests::sweep(writing, now)?;
            device_requests::sweep(writing, now)?;
            device_guesses::sweep(writing, now)?;
            for object in web_sessions::of_expired_accounts(writing, now)? {
                end_all_of(writing, (object, None), ("tenant", Ending::Account), now)?;
            }
            web_sessions::sweep(writing, now, self.lives.idle)
        })?;
        self.give_up_notices(now)?;
        Ok(swept)
    }

    /// Whether a session is not too old, and was used lately enough.
    pub(super) fn is_alive(&self, session: &WebSession, now: i64) -> bool {
        now < session.ends_at && now.saturating_sub(session.seen_at) < self.lives.idle
    }

    /// Whether a session has not ended, at whatever application.
    fn goes_on(&self, reading: &Reading<'_>, session: &WebSession, now: i64) -> Result<bool, StoreError> {
        Ok(!matches!(self.standing_in(reading, session, None, now)?, Standing::Over))
    }

    /// Whether the person of a session may go on at this application; without one: whether at any.
    pub(super) fn standing_in(
        &self,
        reading: &Reading<'_>,
        session: &WebSession,
        client: Option<&Client>,
        now: i64,
    ) -> Result<Standing, StoreError> {
        if !self.is_alive(session, now) {
            return Ok(Standing::Over);
        }
        let application = client.map(|client| client.app.id);
        let Some(known) = facts::known_account(reading, session.object, application)? else {
            return Ok(Standing::Over);
        };
        // The age of a password and a lock end no session, so the policy does not matter.
        let account = Account::known(&known.attributes, &Policy::default(), known.object.protected_user);
        let is_good = known.object.presence == Presence::Present
            && !known.blocked
            && !known.canary
            && is_of_password(session, known.attributes.pwd_last_set, now)
            && veto(&account, now).is_none();
        if !is_good {
            return Ok(Standing::Over);
        }
        let rows = client.and_then(|client| client.app.domain_rows());
        let is_served = rows.is_none_or(|rows| rows.contains(&known.domain.id));
        Ok(if is_served && known.assigned { Standing::Good(Box::new(known)) } else { Standing::NotAssigned })
    }
}

/// Notes that a session was used, unless that was noted in the minute before.
pub(super) fn note_use_in(writing: &Writing<'_>, session: &WebSession, now: i64) -> Result<(), StoreError> {
    if must_note(session, now) { web_sessions::note_use(writing, session.id, now) } else { Ok(()) }
}

/// Whether a session belongs to the password with this pwdLastSet. A change that was made in it may not have arrived yet.
fn is_of_password(session: &WebSession, password_set: Option<i64>, now: i64) -> bool {
    session.password_set == password_set || session.awaits_until.is_some_and(|until| now < until)
}

/// Ends the sessions of an account whose person has changed the password, but for the one in which that was done: it goes
/// on with the new pwdLastSet. Without a pwdLastSet, or if phs has brought it before and so ended that session, all end.
/// Returns whether that one goes on, and the number of those that ended.
pub(crate) fn end_others_after_change(
    writing: &Writing<'_>,
    (object, kept): (Uuid, Option<Uuid>),
    password_set: Option<i64>,
    now: i64,
) -> Result<(bool, usize), StoreError> {
    let goes_on = match kept.zip(password_set) {
        Some((session, password_set)) => {
            let until = now.saturating_add(AWAITED);
            web_sessions::note_change(writing, (object, session), password_set, until)?
        }
        None => false,
    };
    let by = (actor_of(object), Ending::PasswordChanged);
    let ended = end_all_of(writing, (object, kept.filter(|_| goes_on)), (&by.0, by.1), now)?;
    Ok((goes_on, ended))
}

/// The pwdLastSet of an account is this one now: ends its sessions that belong to another password.
pub(crate) fn end_those_of_another_password(
    writing: &Writing<'_>,
    (object, password_set): (Uuid, Option<i64>),
    actor: &str,
    now: i64,
) -> Result<(), StoreError> {
    for session in web_sessions::list(writing, Some(object), web_sessions::MOST)? {
        if !is_of_password(&session, password_set, now) {
            end_one(writing, &session, (actor, Ending::Account), now)?;
        }
    }
    Ok(())
}

/// Whether the use of a session is to be noted.
fn must_note(session: &WebSession, now: i64) -> bool {
    now.saturating_sub(session.seen_at) >= NOTED
}

/// Ends a session, and all that was granted in it, and writes that into the audit log. False: it has ended already.
pub(crate) fn end_one(
    writing: &Writing<'_>,
    session: &WebSession,
    by: (&str, Ending),
    now: i64,
) -> Result<bool, StoreError> {
    let ended = web_sessions::end(writing, session.id, now)?;
    if ended {
        note_end(writing, (session.id, session.object), by, now)?;
    }
    Ok(ended)
}
