//! Checks at a domain controller whether a password is an account's: an LDAP simple bind (RFC 4513, section 5.1.3) by
//! the account's SID over TLS, on connections that are kept. After a good bind the connection and the entry show
//! whether the account is the requested one.
//!
//! A bind is sent once. Before it is sent, another domain controller may be tried. Afterwards none is, because the
//! domain controller may have counted a bad password; the tenant decides whether to try again. Not protected against:
//! the password is in buffers of the LDAP and TLS libraries for a moment, and they do not wipe them.
//!
//! The tenant is not trusted with AD: each bind needs a reservation in [`FailedBinds`]. For a protected account a right
//! password ends as a wrong one does: the same verdict, the same count, after as many requests of the domain
//! controller, and at the same time, since refusals leave on a grid of 100 ms.
//! Before it on the road: `unseal`. After it: `session` returns the verdict.

use super::account::{self, BindOwner, OF_DOMAIN, OF_SETTINGS, OwnEntry};
use super::change_switch::ChangeSwitch;
use super::check::{self, Checked, Finding, Usable};
use super::check_account::{self, AccountName};
use super::config::{DefenceConfig, DirectoryConfig};
use super::controller::{Connection, ControllerHealth, Shared};
use super::discover::Controllers;
use super::failed_binds::{self, BindKey, Counts, FailedBinds, LockoutPolicy, PolicyOf};
use super::requested::RequestedAccount;
use super::trust::{self, TrustError};
use super::verdict::{BindAnswer, NoVerdict};
use landbridge_crypto::secret::Password;
use landbridge_wire::signin::{Decline, DirectoryVerdict};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Limit on a password's bytes. AD accepts 256 characters, at most 4 bytes each in UTF-8.
const MAX_PASSWORD: usize = 1024;
/// Refusals leave on multiples of this after their arrival. A bind and the read after it need a few milliseconds, so
/// that both a wrong password and the right one of a protected account are done before the first multiple.
const GRID: Duration = Duration::from_millis(100);
/// Age at which the domain's policy is read again.
const POLICY_AGE: Duration = Duration::from_secs(60);

/// Validates passwords at the domain controllers.
#[derive(Debug)]
pub struct Validator {
    domain: String,
    controllers: Controllers,
    failed: Mutex<FailedBinds>,
    /// The time at which the domain's policy was last read.
    policy_read: Mutex<Option<Instant>>,
    /// Right passwords of protected accounts that were answered as wrong ones.
    withheld: AtomicU64,
    /// Binds whose name a domain controller knew no account for.
    unknown_names: AtomicU64,
    changes: ChangeSwitch,
    /// Held while a password is changed whose account's name only the tenant knows.
    pub(super) unshown: tokio::sync::Mutex<()>,
}

/// The result of a bind.
#[derive(Debug)]
pub(super) struct Tried {
    /// The verdict. The right password of a protected account has the verdict of a wrong one.
    pub(super) verdict: DirectoryVerdict,
    /// What the domain controller said.
    pub(super) said: DirectoryVerdict,
    /// The account's own entry, after a good bind of an ordinary account.
    pub(super) own: Option<OwnEntry>,
    /// The domain controller that answered.
    pub(super) controller: Shared,
}

/// The reservation of one bind. One that is dropped without [`Self::settle`] counts as failed.
struct Reservation<'a> {
    failed: &'a Mutex<FailedBinds>,
    key: BindKey,
    counts: Counts,
}

impl Reservation<'_> {
    fn settle(mut self, counts: Counts) {
        self.counts = counts;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        lock(self.failed).settle(self.key, self.counts, Instant::now());
    }
}

impl Validator {
    /// Reads the CA file; opens no connection yet.
    pub fn new(config: &DirectoryConfig, defence: DefenceConfig) -> Result<Self, TrustError> {
        let tls = trust::client(config)?;
        Ok(Self {
            domain: config.domain.clone(),
            controllers: Controllers::new(config, tls),
            failed: Mutex::new(FailedBinds::new(defence)),
            policy_read: Mutex::default(),
            withheld: AtomicU64::new(0),
            unknown_names: AtomicU64::new(0),
            changes: ChangeSwitch::new(config.change_passwords),
            unshown: tokio::sync::Mutex::default(),
        })
    }

    /// Tries one password of an account. Returns by `by`; a refusal on the next multiple of 100 ms after that.
    pub async fn validate(
        &self,
        requested: &RequestedAccount,
        password: &Password,
        by: Instant,
    ) -> Result<DirectoryVerdict, NoVerdict> {
        let arrived = Instant::now();
        if !may_be_tried(password) {
            return Ok(DirectoryVerdict::Wrong);
        }
        let Tried { verdict, .. } = self.try_password(requested, password, None, by).await?;
        // All refusals leave on the same grid.
        if verdict != DirectoryVerdict::Valid {
            tokio::time::sleep_until(departure(arrived, Instant::now()).into()).await;
        }
        Ok(verdict)
    }

    /// Binds once with this password, within the bounds of this agent: at the domain controller `at`, or without one at
    /// the first that can be used. Returns by `by`.
    pub(super) async fn try_password(
        &self,
        requested: &RequestedAccount,
        password: &Password,
        at: Option<&Shared>,
        by: Instant,
    ) -> Result<Tried, NoVerdict> {
        // 1. A reservation among the failed binds, or no bind at all.
        let key = requested.key();
        lock(&self.failed).reserve(key, Instant::now()).map_err(|why| NoVerdict { why, tried: false })?;
        let reservation = Reservation { failed: &self.failed, key, counts: Counts::Failed };
        // 2. The bind.
        let connection = match at {
            Some(controller) => match tokio::time::timeout_at(by.into(), controller.connection()).await {
                Ok(connection) => connection.map_err(|_| Decline::NoDirectory),
                Err(_) => Err(Decline::TooLate),
            },
            None => self.connection(by).await,
        };
        let connection = match connection {
            Ok(connection) => connection,
            Err(why) => {
                reservation.settle(Counts::Nothing);
                return Err(NoVerdict { why, tried: false });
            }
        };
        let controller = connection.controller().clone();
        let (answer, mut connection) = connection.bind(&requested.bind_name(), password, by).await?;
        if answer == BindAnswer::UnknownName {
            tracing::debug!(object = %requested.object, "a domain controller knows no account of this name (57)");
            self.unknown_names.fetch_add(1, Ordering::Relaxed);
        }
        let said = answer.verdict();
        // 3. The account of a good bind. That of a protected one is withheld.
        let own = if said == DirectoryVerdict::Valid {
            self.after_good_bind(requested, connection, by).await?
        } else {
            // As many requests as after the right password, so that a slow domain controller delays both alike.
            let _ = connection.root(by).await;
            let _ = connection.root(by).await;
            connection.keep();
            None
        };
        let is_protected = said == DirectoryVerdict::Valid && own.is_none();
        let is_withheld = is_protected || said == DirectoryVerdict::Restricted;
        self.withheld.fetch_add(u64::from(is_withheld), Ordering::Relaxed);
        let (verdict, counts) = failed_binds::outcome(said, is_protected);
        reservation.settle(counts);
        Ok(Tried { verdict, said, own, controller })
    }

    /// A connection to the first domain controller that can be used. The error: there is none by `by`, and why.
    async fn connection(&self, by: Instant) -> Result<Connection, Decline> {
        let mut failed = Vec::new();
        loop {
            let next = tokio::time::timeout_at(by.into(), self.controllers.next(&failed)).await;
            let controller = next.map_err(|_| Decline::TooLate)?.ok_or(Decline::NoDirectory)?;
            match tokio::time::timeout_at(by.into(), controller.connection()).await {
                Err(_) => return Err(Decline::TooLate),
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(why)) => {
                    tracing::debug!(controller = controller.name(), %why, "a domain controller cannot be used");
                    failed.push(controller);
                }
            }
        }
    }

    /// Reads the account's own entry over its own good bind. None: the account is protected. For an ordinary account
    /// the agent also reads AD's lockout policy. From a protected account it learns nothing, since a changed bound
    /// would show that the password was right. The error: the good bind was that of another account than the requested
    /// one.
    async fn after_good_bind(
        &self,
        requested: &RequestedAccount,
        mut connection: Connection,
        by: Instant,
    ) -> Result<Option<OwnEntry>, NoVerdict> {
        // 1. The account of the bind.
        let bound_as = connection.bound_as(by).await?;
        let entry = connection.own_entry(requested, by).await?;
        let own = match account::bind_owner(requested, &bound_as, entry) {
            BindOwner::Ordinary(own) => own,
            BindOwner::Protected => {
                connection.keep();
                return Ok(None);
            }
            BindOwner::Another => {
                connection.keep();
                tracing::error!(
                    object = %requested.object, name = requested.bind_name(),
                    "a right password was another account's: SID and objectGUID belong to two accounts, or another \
                     account has this name as its display name or UPN; no verdict was given"
                );
                return Err(NoVerdict { why: Decline::OtherAccount, tried: true });
            }
        };
        // 2. AD's lockout policy.
        if let Some(rid) = own.sid.rid() {
            lock(&self.failed).note_names(own.object, rid);
        }
        let due = lock(&self.policy_read).is_none_or(|read| read.elapsed() >= POLICY_AGE);
        if due && let Some(policy) = connection.lockout_policy(&head(&self.domain), OF_DOMAIN, by).await {
            *lock(&self.policy_read) = Some(Instant::now());
            lock(&self.failed).learn(policy);
        }
        let policy = match &own.settings {
            Some(dn) => match connection.lockout_policy(dn, OF_SETTINGS, by).await {
                Some(policy) => PolicyOf::Settings(policy),
                None => PolicyOf::Hidden,
            },
            None => PolicyOf::Domain,
        };
        lock(&self.failed).learn_own(requested.key(), policy);
        connection.keep();
        Ok(Some(own))
    }

    /// Whether this process changes passwords.
    pub fn changes(&self) -> &ChangeSwitch {
        &self.changes
    }

    /// The domain's DNS name.
    pub(super) fn domain(&self) -> &str {
        &self.domain
    }

    /// AD's lockout policy as it was last read. None: no ordinary account has signed in since the start.
    pub fn lockout_policy(&self) -> Option<LockoutPolicy> {
        lock(&self.failed).domain()
    }

    /// Number of right passwords of protected accounts that were answered as wrong ones.
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// Number of binds with a name for which a domain controller knew no account.
    pub fn unknown_names(&self) -> u64 {
        self.unknown_names.load(Ordering::Relaxed)
    }

    /// The health of the domain controllers.
    pub fn controllers(&self) -> Vec<ControllerHealth> {
        self.controllers.health()
    }

    /// Checks every prerequisite, and binds as no account. `domain_sid` is the domain's SID, where it is known.
    pub async fn check(&self, domain_sid: Option<&str>) -> Checked {
        check::check(&head(&self.domain), domain_sid, &self.controllers, self.changes.is_on()).await
    }

    /// Binds as an account at one domain controller, and after a success by its SID. Costs at most one bad password.
    pub async fn check_account(&self, at: &Usable, name: &AccountName, password: &Password) -> Finding {
        check_account::check(&head(&self.domain), at, name, password).await
    }
}

/// Whether a bind with this password may be sent. A simple bind without a password is an anonymous one, and succeeds
/// (RFC 4513, section 5.1.2).
pub(super) fn may_be_tried(password: &Password) -> bool {
    password.lend(|text| !text.is_empty() && text.len() <= MAX_PASSWORD && !text.contains('\0'))
}

/// The DN of the domain's head.
fn head(domain: &str) -> String {
    domain.split('.').map(|part| format!("DC={part}")).collect::<Vec<_>>().join(",")
}

/// The time at which a refusal leaves that is known at `now`: the first multiple of 100 ms after `arrived` that is not
/// before `now`.
pub fn departure(arrived: Instant, now: Instant) -> Instant {
    let grid = GRID.as_nanos();
    let steps = now.saturating_duration_since(arrived).as_nanos().div_ceil(grid).max(1);
    arrived + Duration::from_nanos(u64::try_from(steps * grid).unwrap_or(u64::MAX))
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_leave_on_the_grid_and_never_before_it() {
        let arrived = Instant::now();
        let ms = Duration::from_millis;
        for (done, leaves) in [(0, 100), (3, 100), (99, 100), (100, 100), (101, 200), (560, 600)] {
            assert_eq!(departure(arrived, arrived + ms(done)), arrived + ms(leaves), "{done}");
        }
    }
}
