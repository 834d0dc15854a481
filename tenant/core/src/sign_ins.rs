//! Decides whether a name and a password are somebody's: the tenant's answer on the road of password hash sync.
//!
//! In this order: what costs nothing (empty, oversized), the name (`directory`), the smart lockout, and only then a
//! derivation; an unknown name costs one too, of the kind that its domain usually costs. Sign-ins of one account are
//! decided one after the other, so that many at once get no more tries than the lockout allows. At last what AD
//! would say of the account (`account_state`), which is told only to whoever knows the password.
//!
//! To the outside every refusal is the same, and leaves on the grid of [`departure`]; the true reason is in
//! [`Why`], for the audit log. Blocking and hungry for CPU: async callers go through `spawn_blocking`.
//! Before it on the road: `apps` (who asks), `directory`. After it: the application.

mod agents;
mod counters;
mod decide;
mod gate;
mod judge;
mod pause;
mod turns;
mod verifiers;

pub(crate) use agents::{Before, Candidate, Road, Silence};
pub(crate) use decide::Inner;
pub use decide::{Attempt, Caller};
pub use landbridge_tenant_rules::account_state::Disclosable;
pub use landbridge_tenant_rules::relay::NoAnswer;
pub use landbridge_tenant_rules::verdict::{MAX_PASSWORD, Person, Unavailable, Verdict, Why};
pub(crate) use turns::Turn;

use counters::Strangers;
use gate::{Entry, Gate};
use landbridge_crypto::lanes;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::State;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::lockout::{Remembered, Rules, Tries, source};
use landbridge_tenant_rules::names::{Whose, folded};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::tables::names::whose;
use landbridge_tenant_store::{Store, StoreError};
use pause::Pauses;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::error;
use turns::Turns;
use uuid::Uuid;
use verifiers::Verifiers;

/// How sign-ins are decided.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The smart lockout.
    pub lockout: Rules,
    /// Threads that verify passwords: the number of cores.
    pub threads: usize,
    /// How many passwords are verified at once: on each thread as many as run side by side.
    pub derivations: usize,
    /// How many sign-ins wait for one; more are turned away.
    pub queue: usize,
    /// How long one waits before it is turned away.
    pub patience: Duration,
}

impl Settings {
    /// The settings for a machine with that many cores.
    pub fn for_cores(cores: usize, lockout: Rules) -> Self {
        let threads = cores.max(1);
        Self {
            lockout,
            threads,
            derivations: threads.saturating_mul(lanes::width()),
            queue: threads.saturating_mul(64),
            patience: Duration::from_secs(5),
        }
    }
}

/// How long a refusal waits until it leaves: to the next multiple of the grid after its arrival, never none. So its
/// time tells how busy the tenant is, and not what it looked at. A grid of zero does not wait.
pub fn departure(elapsed: Duration, grid: Duration) -> Duration {
    let grid = grid.as_nanos();
    if grid == 0 {
        return Duration::ZERO;
    }
    let wait = grid - elapsed.as_nanos() % grid;
    Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
}

/// The handle on sign-ins: the one way in which a door finds out whether a password is somebody's. Lockout, equal delay, the
/// time grid and the audit entry are behind it, so that no door can forget one.
#[derive(Clone)]
pub struct SignIns(Arc<Inner>);

impl std::fmt::Debug for SignIns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIns").finish_non_exhaustive()
    }
}

impl SignIns {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

/// Decides sign-ins; one for the whole tenant.
pub(crate) struct Signin {
    store: Arc<Store>,
    counts: Arc<Counts>,
    settings: Settings,
    gate: Gate,
    verifiers: Verifiers,
    turns: Arc<Turns>,
    /// The domains whose agents had no answer to the last sign-in.
    silent: Mutex<HashMap<i64, Silence>>,
    remembered: Mutex<Remembered>,
    strangers: Mutex<Strangers>,
    /// What AD may have counted while the database could not be written.
    unwritten: Mutex<HashMap<Uuid, Tries>>,
    /// What a digest of each domain usually costs.
    usual: Mutex<HashMap<i64, Profile>>,
    pauses: Mutex<Pauses>,
    strong: Arc<SaltedDigest>,
    entra: Arc<SaltedDigest>,
}

/// Whom a sign-in is counted for: an account, or a name that nobody has, under a pseudonym.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Account(Uuid),
    Stranger(Uuid),
}

impl Subject {
    fn id(self) -> Uuid {
        match self {
            Self::Account(id) | Self::Stranger(id) => id,
        }
    }

    fn account(self) -> Option<Uuid> {
        match self {
            Self::Account(id) => Some(id),
            Self::Stranger(_) => None,
        }
    }
}

/// What the system does not give: the operator acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// Pseudonyms of strangers need it.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// Passwords are verified on threads.
    #[error("the system gives no threads")]
    NoThreads,
}

impl Signin {
    /// Ready to decide.
    pub(crate) fn new(store: Arc<Store>, counts: Arc<Counts>, settings: Settings) -> Result<Self, Unready> {
        Ok(Self {
            gate: Gate::new(settings.derivations, settings.queue, settings.patience),
            verifiers: Verifiers::new(settings.threads)?,
            store,
            counts,
            settings,
            turns: Arc::default(),
            silent: Mutex::default(),
            remembered: Mutex::new(Remembered::new().ok_or(Unready::NoRandomness)?),
            strangers: Mutex::new(Strangers::default()),
            unwritten: Mutex::default(),
            usual: Mutex::new(HashMap::new()),
            pauses: Mutex::default(),
            strong: Arc::new(SaltedDigest::decoy(Profile::Strong)),
            entra: Arc::new(SaltedDigest::decoy(Profile::Entra)),
        })
    }

    /// Decides. `from` is where the person sits, as the application says; `domain_limit` the only domain that the
    /// application serves, if it is limited; `now` is in seconds since 1970.
    #[tracing::instrument(skip_all)]
    pub fn decide(
        &self,
        user: &str,
        password: &Password,
        from: &str,
        domain_limit: Option<i64>,
        now: i64,
    ) -> Verdict {
        let verdict = self.decided(user, password, &source(from), domain_limit, now).unwrap_or_else(|failed| {
            error!(database = %self.store.path().display(), error = %failed, "the database fails: nobody signs in");
            Verdict::Unavailable(Unavailable::Storage)
        });
        self.count(&verdict);
        verdict
    }

    fn decided(
        &self,
        user: &str,
        password: &Password,
        from: &str,
        domain_limit: Option<i64>,
        now: i64,
    ) -> Result<Verdict, StoreError> {
        let Some(name) = folded(user) else { return Ok(refused(Why::BadName, None)) };
        if password.is_empty() || password.lend(str::len) > MAX_PASSWORD {
            return Ok(refused(Why::BadPassword, None));
        }
        let (subject, because, locked) = self.store.read(|connection| {
            let (subject, because) = self.subject(connection, &name, domain_limit)?;
            Ok((subject, because, self.is_locked(connection, subject, from, now)?))
        })?;
        if locked {
            return Ok(refused(Why::LockedOut, subject.account()));
        }
        let _turn = match self.gate.enter(subject.id()) {
            Entry::Go(turn) => turn,
            Entry::Full => return Ok(Verdict::Unavailable(Unavailable::Overloaded)),
        };
        // Those before it in the line may have used up what was left.
        if self.store.read(|connection| self.is_locked(connection, subject, from, now))? {
            return Ok(refused(Why::LockedOut, subject.account()));
        }
        let verdict = match (subject, because) {
            (Subject::Account(object), None) => self.judge(object, password, now)?,
            (_, why) => {
                self.spend(self.decoy_for(&name)?, password);
                refused(why.unwrap_or(Why::UnknownName), subject.account())
            }
        };
        self.settle(subject, from, password, &verdict, now)?;
        Ok(verdict)
    }

    /// Whom the name means, and why it signs nobody in, if it does not.
    fn subject(
        &self,
        connection: &Reading<'_>,
        name: &str,
        domain_limit: Option<i64>,
    ) -> Result<(Subject, Option<Why>), StoreError> {
        let found = whose(connection, name)?;
        let domain = match found {
            Whose::One(object) => {
                landbridge_tenant_store::tables::objects::find(connection, object)?.map(|a| a.domain)
            }
            Whose::Nobody | Whose::Ambiguous => None,
        };
        let stranger = || Subject::Stranger(held(&self.remembered).pseudonym(name));
        Ok(match found {
            Whose::One(_) if domain_limit.is_some_and(|limit| domain != Some(limit)) => {
                // Counted as a stranger: an application of one domain locks nobody of another one out.
                (stranger(), Some(Why::OtherDomain))
            }
            Whose::One(object) => (Subject::Account(object), None),
            Whose::Nobody => (stranger(), Some(Why::UnknownName)),
            Whose::Ambiguous => (stranger(), Some(Why::AmbiguousName)),
        })
    }

    fn count(&self, verdict: &Verdict) {
        let tally = &self.counts;
        match verdict {
            Verdict::Accepted(_)
            | Verdict::Unavailable(
                Unavailable::Storage | Unavailable::NoAnswer(_) | Unavailable::NoRoomInDirectory,
            ) => {}
            Verdict::Unavailable(Unavailable::Overloaded) => tally.signins_overloaded.one(),
            Verdict::Refused { why, object, told: _ } => match why {
                Why::AmbiguousName => tally.names_ambiguous.one(),
                Why::LockedOut => tally.signins_locked_out.one(),
                Why::DigestUnreadable => {
                    tally.digests_unreadable.one();
                    error!(object = ?object, "a stored digest cannot be opened: a seal key is missing, or somebody wrote to the database");
                }
                Why::State(State::Unknown(_)) => tally.states_unknown.one(),
                Why::BadName
                | Why::BadPassword
                | Why::UnknownName
                | Why::OtherDomain
                | Why::NoDigest
                | Why::NotAdmitted
                | Why::NoRoom
                | Why::WrongPassword
                | Why::HeldBack
                | Why::RefusedBefore
                | Why::Canary
                | Why::Workstation
                | Why::Restricted
                | Why::State(_) => {}
                Why::UnknownCode(_) => tally.states_unknown.one(),
            },
        }
    }
}

fn refused(why: Why, object: Option<Uuid>) -> Verdict {
    Verdict::Refused { told: None, why, object }
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
