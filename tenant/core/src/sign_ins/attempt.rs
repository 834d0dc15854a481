//! What a sign-in starts from: the settings, the attempt, its caller, and who asks agents.
//! Neighbours: [`super::SignIns`] takes them.

use landbridge_crypto::lanes;
use landbridge_crypto::seal::SealKeys;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::lockout::{Rules, Source};
use landbridge_tenant_rules::model::Principal;
use landbridge_tenant_rules::relay::{AgentAnswer, NoAnswer, PasswordPair};
use landbridge_tenant_store::facts::Origin;
use landbridge_wire::change::ChangeOutcome;
use landbridge_wire::signin::DirectoryVerdict;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How sign-ins are decided.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The smart lockout.
    pub lockout: Rules,
    /// Threads that verify passwords: the number of cores.
    pub threads: usize,
    /// Passwords that are verified at once: on each thread as many as the processor computes side by side.
    pub derivations: usize,
    /// Sign-ins that wait for a derivation. More are refused as overload.
    pub queue: usize,
    /// The longest wait for a derivation.
    pub patience: Duration,
    /// Refusals leave on multiples of this after their arrival. Zero: at once.
    pub grid: Duration,
}

/// Sign-ins that wait for a derivation, for each core.
const QUEUE: usize = 64;

impl Settings {
    /// How many sign-ins derive or wait for it at most on a machine with that many cores. Each keeps a thread that may block.
    pub fn most_at_once(cores: usize) -> usize {
        cores.max(1).saturating_mul(lanes::width() + QUEUE)
    }

    /// The settings for a machine with that many cores.
    pub fn for_cores(cores: usize, lockout: Rules, grid: Duration) -> Self {
        let threads = cores.max(1);
        Self {
            lockout,
            threads,
            derivations: threads.saturating_mul(lanes::width()),
            queue: threads.saturating_mul(QUEUE),
            patience: Duration::from_secs(5),
            grid,
        }
    }
}

/// What the system does not give: the operator acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The key under which wrong passwords are remembered needs it.
    #[error("the system gives no randomness")]
    NoRandomness,
    /// Passwords are verified on threads.
    #[error("the system gives no threads")]
    NoThreads,
}

/// A name and a password that somebody typed.
#[derive(Debug)]
pub struct Attempt {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Arc<Password>,
    /// The time, in seconds since 1970.
    pub now: i64,
    /// When the request arrived: the time grid counts from here.
    pub arrived: Instant,
}

/// The caller of a sign-in, and the person's place as the caller states it.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The door: `applications`, `operator`.
    pub door: &'static str,
    /// As the audit log names the caller. What one caller says of sources counts for that caller alone, so two
    /// applications never share a name.
    pub actor: String,
    /// Where the person is, as the caller states it.
    pub source: Source,
    /// The network address of the application; none: the request came over the administration socket.
    pub address: Option<IpAddr>,
    /// The application; none: an administrator, to whom everybody is assigned.
    pub application: Option<Uuid>,
    /// Rows of the domains that the caller serves; none: every domain.
    pub domains: Option<Vec<i64>>,
}

impl Caller {
    /// Who requests the sign-in, where it comes from, and when, for the database.
    pub(crate) fn origin<'a>(&'a self, now: i64, keys: &'a SealKeys) -> Origin<'a> {
        let Self { actor, source, application, domains, .. } = self;
        Origin { caller: actor, application: *application, domains: domains.as_deref(), source, now, keys }
    }
}

/// An answer of an agent, on its way.
pub(crate) type AnswerOnItsWay<Outcome = DirectoryVerdict> =
    Pin<Box<dyn Future<Output = AgentAnswer<Outcome>> + Send>>;

/// Asks agents. The relay does; tests have a directory in memory.
pub(crate) trait AskAgents: Send + Sync + 'static {
    /// Why no agent of this domain could be asked now; none: one could.
    fn unable(&self, domain: i64) -> Option<NoAnswer>;

    /// How long one of the last refusals of this domain took; none: there was none.
    fn typical_delay(&self, domain: i64) -> Option<Duration>;

    /// Asks an agent of the domain whether this is the account's password. At most `binds` may reach a DC.
    fn ask(
        self: Arc<Self>,
        domain: i64,
        account: Principal,
        password: Arc<Password>,
        binds: u32,
    ) -> AnswerOnItsWay;

    /// Whether an agent of this domain is connected that changes passwords.
    fn changes_passwords(&self, domain: i64) -> bool;

    /// Has an agent of the domain change the account's password.
    fn change(
        self: Arc<Self>,
        domain: i64,
        account: Principal,
        change: PasswordPair,
    ) -> AnswerOnItsWay<ChangeOutcome>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_and_the_places_are_what_may_derive_or_wait_at_once() {
        for cores in [0, 1, 2, 8, 128] {
            let settings = Settings::for_cores(cores, Rules::new(10, 60), Duration::ZERO);
            assert_eq!(Settings::most_at_once(cores), settings.derivations + settings.queue);
        }
    }
}
