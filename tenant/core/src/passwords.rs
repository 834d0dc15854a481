//! Changes of password: a person's own, with the old password, by way of a pta-agent.
//!
//! [`SignIns::sign_in`] decides about the old password first, so every guarantee of a sign-in holds for a change as
//! well: lockout, AD's budget, equal delay, the audit entry. Only then the request goes to an agent. A change that AD
//! made is never undone: the digest of the old password is dropped, no digest of that password or an older one is
//! stored again, and the person's other sessions end. If it is not known whether AD made the change, the digest is
//! dropped as well, and phs sends the digest of the password that AD has.
//! Neighbours: the doors show forms; [`landbridge_tenant_rules::relay`] carries both passwords to an agent.

use crate::clock::unix_now;
use crate::provider::end_others_after_change;
use crate::sign_ins::{
    AskAgents, Attempt, Caller, Disclosable, Reserved, SignIns, Unavailable, Verdict, Why,
};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::{Account, TICKS_A_SECOND, password_expires_at, unix_seconds};
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::model::{Attributes, NewPasswords, Policy, Principal};
use landbridge_tenant_rules::names::Whose;
use landbridge_tenant_rules::privileged::{is_privileged, rid_of};
use landbridge_tenant_rules::relay::{AgentAnswer, NoAnswer, PasswordPair};
use landbridge_tenant_rules::sign_in::{Facts, effects_of_change};
use landbridge_tenant_store::facts::{self, KnownAccount};
use landbridge_tenant_store::policies::password_policy;
use landbridge_tenant_store::tables::{audit, changes, digests, names, password_changes};
use landbridge_tenant_store::{Store, StoreError, Writing};
use landbridge_wire::change::ChangeOutcome;
pub use landbridge_wire::change::{NewRefused, PasswordRules};
use landbridge_wire::upload::Stamp;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use uuid::Uuid;

/// Limit on the seconds between a pwdLastSet that an agent sends and this machine's clock: twice the difference that
/// Kerberos allows. A pwdLastSet far in the future would keep the digest of the new password out.
const MOST_SKEW: i64 = 600;
/// Seconds after which it is noted that phs has not brought the digest of a password that was changed. It needs one.
const CONFIRMED: i64 = 3600;

/// Pauses before each try to write down what an agent answered: the database may be busy.
const WRITES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(3)];

/// The handle on changes of password.
#[derive(Clone)]
pub struct Passwords {
    store: Arc<Store>,
    sign_ins: SignIns,
    agents: Arc<dyn AskAgents>,
    counts: Arc<Counts>,
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

/// Whether a person may change the password through the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Yes.
    Possible,
    /// No: the domain's policy does not allow it.
    Off,
    /// No: no agent that changes passwords is connected for the domain.
    NoAgent,
}

/// A change of password that a person requests.
#[derive(Debug)]
pub struct Change {
    /// The name and the old password.
    pub attempt: Attempt,
    /// The new password.
    pub new: Arc<Password>,
    /// The caller of the sign-in with the old password.
    pub caller: Caller,
    /// The session in which the person made the request. It continues after the change. None: there is none.
    pub session: Option<Uuid>,
}

/// The outcome of a change of password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The password was changed.
    Done {
        /// The account: objectGUID.
        object: Uuid,
        /// Whether the session in which the person asked goes on.
        session_goes_on: bool,
        /// The new pwdLastSet, a FILETIME. None: it is not known, and all sessions have ended.
        password_set: Option<i64>,
    },
    /// The old password was not accepted, or could not be checked. Nothing was changed.
    NotSignedIn(Verdict),
    /// The domain's policy does not allow it. Nothing was changed.
    Off,
    /// The directory refused the new password. Nothing was changed.
    Refused(NewRefused),
    /// No agent received the request, or none reached the directory. Nothing was changed.
    NoAnswer(NoAnswer),
    /// It is not known whether the password was changed.
    NotKnown,
}

/// An account whose old password was accepted, ready to be sent to an agent.
struct Ready {
    object: Uuid,
    domain: i64,
    account: Principal,
    name: String,
    /// The stamp of the digest of the old password. None: there is none.
    digest: Option<Stamp>,
    facts: Facts,
}

impl Passwords {
    pub(crate) fn new(
        store: Arc<Store>,
        sign_ins: SignIns,
        agents: Arc<dyn AskAgents>,
        counts: Arc<Counts>,
    ) -> Self {
        Self { store, sign_ins, agents, counts }
    }

    /// Whether the person of this account may change the password through the tenant now. `required`: the password has
    /// expired or must be changed. Blocks.
    pub fn offer(&self, object: Uuid, required: bool) -> Result<Offer, StoreError> {
        let known = self.store.read(|reading| facts::known_account(reading, object, None))?;
        Ok(known.map_or(Offer::Off, |known| self.offer_of(&known, required)))
    }

    /// The rules of AD for a new password of this account, as far as they are known; AD decides. Only the person of the
    /// account may see them. Blocks.
    pub fn rules(&self, object: Uuid) -> Result<PasswordRules, StoreError> {
        let demanded = self.of_account(object, |_, policy| policy.new_passwords)?.unwrap_or_default();
        let NewPasswords { minimum_age, minimum_length, history, complex } = demanded;
        let number = |value: Option<i64>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
        Ok(PasswordRules {
            minimum_length: number(minimum_length),
            history: number(history),
            complex: complex.unwrap_or(false),
            minimum_age: minimum_age
                .filter(|age| *age != i64::MIN)
                .map_or(0, |age| age.unsigned_abs() / TICKS_A_SECOND.unsigned_abs()),
        })
    }

    /// The time at which the password of this account expires, in seconds since 1970. None: it never expires, or the
    /// time is not known. Blocks.
    pub fn expires_at(&self, object: Uuid) -> Result<Option<i64>, StoreError> {
        let expires_at =
            |known: &Attributes, policy: &Policy| password_expires_at(&Account::known(known, policy, false));
        self.of_account(object, expires_at).map(Option::flatten)
    }

    /// What follows from the attributes of an account and the password policy that applies to it. None: there is no
    /// such account.
    fn of_account<T>(
        &self,
        object: Uuid,
        follows: impl Fn(&Attributes, &Policy) -> T,
    ) -> Result<Option<T>, StoreError> {
        self.store.read(|reading| {
            let Some(known) = facts::known_account(reading, object, None)? else { return Ok(None) };
            let policy = password_policy(reading, &known.domain, object, &known.attributes)?.policy;
            Ok(Some(follows(&known.attributes, &policy)))
        })
    }

    /// Whether this name, as a person types it, signs in this account and no other one. Blocks.
    pub fn is_name_of(&self, name: &str, object: Uuid) -> Result<bool, StoreError> {
        self.store.read(|reading| Ok(names::whose(reading, name)? == Whose::One(object)))
    }

    fn offer_of(&self, known: &KnownAccount, required: bool) -> Offer {
        let KnownAccount { object, domain, attributes, .. } = known;
        // Privileged accounts are out of reach even if the domain permits their digests.
        let rid = object.sid.as_ref().and_then(|sid| rid_of(sid, &domain.sid));
        let is_out_of_reach = object.privileged || rid.is_none_or(|rid| is_privileged(rid, attributes));
        if is_out_of_reach || !domain.change_passwords.allows(required) {
            Offer::Off
        } else if self.agents.changes_passwords(domain.id) {
            Offer::Possible
        } else {
            Offer::NoAgent
        }
    }

    /// Changes a password. `admit` admits the caller, and runs before the name or a password is looked at. It may
    /// block.
    pub async fn change<E: Send + 'static>(
        &self,
        change: Change,
        admit: impl FnOnce() -> Result<(), E> + Send + 'static,
    ) -> Result<Changed, E> {
        let Change { attempt, new, caller, session } = change;
        // 1. The old password, as a sign-in.
        let old = attempt.password.clone();
        let prove = {
            let caller = caller.clone();
            move || admit().map(|()| caller)
        };
        let verdict = self.sign_ins.sign_in(attempt, prove).await?;
        let (object, required) = match &verdict {
            Verdict::Accepted(person) => (person.object, false),
            Verdict::Refused {
                disclosed: Some(Disclosable::MustChangePassword | Disclosable::PasswordExpired),
                object: Some(object),
                ..
            } => (*object, true),
            Verdict::Refused { .. } | Verdict::Unavailable(_) => return Ok(Changed::NotSignedIn(verdict)),
        };
        // 2. The rest is a task of its own: it continues if the caller has gone, so AD's outcome is always written
        //    down.
        let changing = self.clone();
        let rest = tokio::spawn(async move {
            changing.change_accepted((object, required), (old, new), caller, session).await
        });
        Ok(rest.await.unwrap_or(Changed::NotKnown))
    }

    /// Changes the password of an account whose old password was accepted.
    async fn change_accepted(
        &self,
        (object, required): (Uuid, bool),
        (old, new): (Arc<Password>, Arc<Password>),
        caller: Caller,
        session: Option<Uuid>,
    ) -> Changed {
        let storage = || Changed::NotSignedIn(Verdict::Unavailable(Unavailable::Storage));
        // 1. The account as it is now. Requests for protected, blocked and privileged ones never reach an agent.
        let (of, asks) = (self.clone(), caller.clone());
        let ready = spawn_blocking(move || of.ready(object, required, &asks)).await;
        let ready = match ready {
            Ok(Ok(Ok(ready))) => ready,
            Ok(Ok(Err(refused))) => return refused,
            Ok(Err(_)) | Err(_) => return storage(),
        };
        // 2. One change at a time for an account.
        let Some(turn) = self.sign_ins.turn(object, ready.facts.source.standing).await else {
            return Changed::NotSignedIn(Verdict::Unavailable(Unavailable::Overloaded));
        };
        // 3. A bind of AD's budget, where other nodes may use it too.
        let reserved = match self.sign_ins.reserve(&ready.facts, unix_now()).await {
            Ok(reserved) => reserved,
            Err(error) => {
                tracing::error!(%object, %error, "a change of password cannot be charged: no agent is asked");
                return storage();
            }
        };
        // 4. The agent.
        let (answer, reserved) = match reserved {
            Ok(reserved) => {
                let pair = PasswordPair { account: ready.name.clone(), old: old.clone(), new };
                (self.agents.clone().change(ready.domain, ready.account, pair).await, reserved)
            }
            Err(why) => (AgentAnswer { outcome: Err(why), agent: None, tried: 0 }, None),
        };
        // 5. What follows is written down.
        let parts = Arc::new((ready, caller, old, (answer, reserved)));
        for pause in WRITES {
            tokio::time::sleep(pause).await;
            let (of, parts) = (self.clone(), parts.clone());
            let concluded = spawn_blocking(move || {
                let (ready, caller, old, (answer, reserved)) = parts.as_ref();
                of.conclude(ready, caller, (old, session), (answer, *reserved))
            });
            match concluded.await {
                Ok(Ok(changed)) => return changed,
                Ok(Err(error)) => {
                    tracing::error!(%object, %error, "the answer to a change of password cannot be written down");
                }
                Err(_) => break,
            }
        }
        drop(turn);
        // AD may have made the change, so no other answer is true.
        Changed::NotKnown
    }

    /// Reads the account. The inner error is the answer to the person. Blocks.
    fn ready(
        &self,
        object: Uuid,
        required: bool,
        caller: &Caller,
    ) -> Result<Result<Ready, Changed>, StoreError> {
        let now = unix_now();
        let refused = |why| {
            Ok(Err(Changed::NotSignedIn(Verdict::Refused { disclosed: None, why, object: Some(object) })))
        };
        let Some(facts) = self.sign_ins.facts(object, caller, now)? else { return refused(Why::UnknownName) };
        let Some(account) = &facts.account else { return refused(Why::UnknownName) };
        if let Some(why) = account.never_asked_about() {
            return refused(why);
        }
        let (Some(rid), Some(name)) = (account.rid, account.attributes.sam_account_name.clone()) else {
            return refused(Why::NoSid);
        };
        let (known, digest) = self.store.read(|reading| {
            Ok((facts::known_account(reading, object, None)?, digests::find(reading, object)?))
        })?;
        let Some(known) = known else { return refused(Why::UnknownName) };
        match self.offer_of(&known, required) {
            Offer::Possible => {}
            Offer::Off => return Ok(Err(Changed::Off)),
            Offer::NoAgent => return Ok(Err(Changed::NoAnswer(NoAnswer::NoAgent))),
        }
        let account = Principal { object, rid };
        let digest = digest.map(|digest| digest.stamp);
        Ok(Ok(Ready { object, domain: known.domain.id, account, name, digest, facts }))
    }

    /// Writes down the answer of an agent. Blocks.
    fn conclude(
        &self,
        ready: &Ready,
        caller: &Caller,
        (old, session): (&Password, Option<Uuid>),
        (answer, reserved): (&AgentAnswer<ChangeOutcome>, Option<Reserved>),
    ) -> Result<Changed, StoreError> {
        let now = unix_now();
        let object = ready.object;
        // 1. The digest, the sessions and the audit entry, in one transaction.
        let by = answer.agent.map(|agent| format!(", by agent {agent}")).unwrap_or_default();
        let changed = match &answer.outcome {
            Ok(ChangeOutcome::Changed { password_set }) => {
                let password_set = password_set.filter(|at| is_about_now(*at, now));
                let session_goes_on = Cell::new(false);
                let entry = ("password-changed", password_set);
                self.note_change(entry, ready, caller, now, |writing, dropped| {
                    if digests::find(writing, object)?.is_none() {
                        let dropped = dropped.or(ready.digest.as_ref());
                        password_changes::note(writing, object, dropped, password_set, now)?;
                    }
                    let (goes_on, ended) =
                        end_others_after_change(writing, (object, session), password_set, now)?;
                    session_goes_on.set(goes_on);
                    Ok(format!("sessions ended: {ended}{by}"))
                })?;
                // The new password may have been tried before, and AD has refused it then.
                self.sign_ins.forget_refused(object);
                Changed::Done { object, session_goes_on: session_goes_on.get(), password_set }
            }
            Ok(ChangeOutcome::NotKnown) => {
                let entry = ("password-change-not-known", None);
                self.note_change(entry, ready, caller, now, |writing, dropped| {
                    if dropped.is_some() {
                        password_changes::want(writing, object, now)?;
                    }
                    Ok(by.trim_start_matches(", ").to_owned())
                })?;
                Changed::NotKnown
            }
            Ok(ChangeOutcome::NewRefused(why)) => {
                self.note_unchanged(object, caller, &format!("{}{by}", reason(why)), now)?;
                Changed::Refused(why.clone())
            }
            Ok(ChangeOutcome::OldRefused(verdict)) => {
                self.note_unchanged(object, caller, &format!("the old password: {verdict:?}{by}"), now)?;
                let why = Why::WrongPassword;
                Changed::NotSignedIn(Verdict::Refused { disclosed: None, why, object: Some(object) })
            }
            Err(why) => {
                self.note_unchanged(object, caller, &format!("{}{by}", why.as_str()), now)?;
                Changed::NoAnswer(*why)
            }
        };
        // 2. The counters.
        let effects = effects_of_change(&ready.facts, answer, now);
        if let Err(error) = self.sign_ins.settle(&ready.facts, (caller, old), effects, reserved, now) {
            // What AD did stands, and the answer with it.
            tracing::error!(%object, %error, "the counters after a change of password cannot be written");
        }
        Ok(changed)
    }

    /// Writes down, in one transaction, a change that AD made or may have made: drops the digest of the old password,
    /// and appends the audit entry `action`. `password_set` is the new pwdLastSet, if it is known. `rest` writes what else
    /// follows, receives the stamp of the digest that was dropped, and returns the detail of the entry.
    fn note_change(
        &self,
        (action, password_set): (&'static str, Option<i64>),
        ready: &Ready,
        caller: &Caller,
        now: i64,
        rest: impl Fn(&Writing<'_>, Option<&Stamp>) -> Result<String, StoreError>,
    ) -> Result<(), StoreError> {
        let erased = self.store.write(action, |writing| {
            let dropped = drop_digest(writing, ready, password_set)?;
            let detail = rest(writing, dropped.as_ref())?;
            changes::note_object(writing, ready.object, now)?;
            audit::append(writing, now, &caller.actor, action, &ready.object.to_string(), &detail)?;
            Ok(dropped.is_some())
        })?;
        self.counts.digests_erased.add(u64::from(erased));
        Ok(())
    }

    fn note_unchanged(
        &self,
        object: Uuid,
        caller: &Caller,
        detail: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let subject = object.to_string();
        self.store.write_short("password-not-changed", |writing| {
            audit::append(writing, now, &caller.actor, "password-not-changed", &subject, detail)
        })
    }
}

/// Doubts the changes of password that an agent reported, and of which phs has brought nothing. After an hour the audit log
/// says so: phs does not run, domain controllers replicate slowly, or the agent did not say the truth. After a day the digest
/// that holds is requested. Returns the number of doubted changes. Blocks.
pub fn doubt_unconfirmed(store: &Store, now: i64) -> Result<usize, StoreError> {
    store.write("password-changes-doubt", |writing| {
        let doubted = password_changes::doubt(writing, now.saturating_sub(CONFIRMED))?;
        let disbelieved = password_changes::disbelieve(writing, now)?;
        for (objects, detail) in [
            (&doubted, "phs has brought no digest of the new password within an hour"),
            (&disbelieved, "phs has brought no digest of the new password within a day: the digest that holds is requested"),
        ] {
            for object in objects {
                let subject = object.to_string();
                audit::append(writing, now, "tenant", "password-change-unconfirmed", &subject, detail)?;
            }
        }
        Ok(doubted.len())
    })
}

/// Drops the digest of the old password, and returns its stamp. None: there is none, or phs has sent that of the new one
/// since the request went to the agent. `password_set` is the new pwdLastSet, if it is known.
fn drop_digest(
    writing: &Writing<'_>,
    ready: &Ready,
    password_set: Option<i64>,
) -> Result<Option<Stamp>, StoreError> {
    let Some(held) = digests::find(writing, ready.object)?.map(|digest| digest.stamp) else {
        return Ok(None);
    };
    let written = i64::try_from(held.time).unwrap_or(i64::MAX);
    let is_of_before = ready.digest.as_ref() == Some(&held)
        || password_set.is_some_and(|set| written < set / TICKS_A_SECOND);
    Ok(if is_of_before && digests::erase(writing, ready.object)? { Some(held) } else { None })
}

/// Whether a FILETIME is within [`MOST_SKEW`] seconds of `now`, which is in seconds since 1970.
fn is_about_now(filetime: i64, now: i64) -> bool {
    unix_seconds(filetime).abs_diff(now) <= MOST_SKEW.unsigned_abs()
}

/// A directory's reason to refuse a new password, for the audit log.
fn reason(why: &NewRefused) -> String {
    match why {
        NewRefused::TooShort { minimum } => format!("shorter than {minimum} characters"),
        NewRefused::InHistory { remembered } => format!("one of the last {remembered} passwords"),
        NewRefused::NotComplex => "not complex".to_owned(),
        NewRefused::NotPermitted => "not permitted, or too soon after the last change".to_owned(),
        NewRefused::Rules(rules) => format!(
            "against the rules: {} characters, {} passwords remembered, complex: {}, kept for {} s",
            rules.minimum_length, rules.history, rules.complex, rules.minimum_age
        ),
        NewRefused::Other(words) => {
            format!("the directory: {}", landbridge_wire::printable::one_line(words.as_str()))
        }
    }
}

#[cfg(test)]
mod tests;
