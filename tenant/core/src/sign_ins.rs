//! Sign-ins: whether a name and a password are somebody's.
//!
//! [`SignIns::sign_in`] owns every guarantee: the cheap checks, the name, the lockout, one sign-in of an account at a time, equal
//! delay, the time grid, the audit entry. A door cannot forget one. To the outside every refusal is the same; the true reason is in
//! [`Why`], for the audit log.
//! Neighbours: [`landbridge_tenant_rules::sign_in`] decides; [`crate::agents::relay_driver`] asks agents; [`crate::audit`] writes.

mod counters;
mod decoys;
mod equal_delay;
mod pass;
mod queue;
mod turns;
mod verifiers;

pub use landbridge_tenant_rules::account_state::Disclosable;
pub use landbridge_tenant_rules::relay::NoAnswer;
pub use landbridge_tenant_rules::verdict::{MAX_PASSWORD, Person, Unavailable, Verdict, Why};

use crate::audit::Recorder;
use crate::clock::unix_now;
use crate::numbers::Numbers;
use counters::Counters;
use decoys::Decoys;
use equal_delay::EqualDelay;
use landbridge_crypto::lanes;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::lockout::Rules;
use landbridge_tenant_rules::relay::AgentAnswer;
use landbridge_tenant_store::Store;
use pass::{End, Halt, Pass};
use queue::Queue;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;
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
    /// Passwords that are verified at once: on each thread as many as the processor computes side by side.
    pub derivations: usize,
    /// Sign-ins that wait for a derivation. More are refused as overload.
    pub queue: usize,
    /// The longest wait for a derivation.
    pub patience: Duration,
    /// Refusals leave on multiples of this after their arrival. Zero: at once.
    pub grid: Duration,
}

impl Settings {
    /// The settings for a machine with that many cores.
    pub fn for_cores(cores: usize, lockout: Rules, grid: Duration) -> Self {
        let threads = cores.max(1);
        Self {
            lockout,
            threads,
            derivations: threads.saturating_mul(lanes::width()),
            queue: threads.saturating_mul(64),
            patience: Duration::from_secs(5),
            grid,
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

/// The caller of a sign-in, and the person's place as the caller names it.
#[derive(Debug)]
pub struct Caller {
    /// The door: `applications`, `operator`.
    pub door: &'static str,
    /// As the audit log names the caller.
    pub actor: String,
    /// Where the person is, as the caller names it: a network address, or a word.
    pub source: String,
    /// The only domain that the caller serves, if it is limited.
    pub domain: Option<i64>,
}

/// An answer of an agent, on its way.
pub(crate) type AnswerOnItsWay = Pin<Box<dyn Future<Output = AgentAnswer> + Send>>;

/// Asks agents. The relay does; tests have a directory in memory.
pub(crate) trait AskAgents: Send + Sync + 'static {
    /// Why no agent of this domain could be asked now; none: one could.
    fn unable(&self, domain: i64) -> Option<NoAnswer>;

    /// How long one of the last refusals of this domain took; none: there was none.
    fn typical_delay(&self, domain: i64) -> Option<Duration>;

    /// Asks an agent of the domain whether this is the account's password.
    fn ask(self: Arc<Self>, domain: i64, object: Uuid, password: Arc<Password>) -> AnswerOnItsWay;
}

/// What every sign-in passes through. Each part owns its state.
struct Inner {
    store: Arc<Store>,
    counts: Arc<Counts>,
    numbers: Arc<Numbers>,
    agents: Arc<dyn AskAgents>,
    recorder: Recorder,
    counters: Counters,
    decoys: Decoys,
    equal_delay: EqualDelay,
    queue: Queue,
    turns: Arc<Turns>,
    verifiers: Verifiers,
    grid: Duration,
}

/// The handle on sign-ins: the one way in which a door finds out whether a password is somebody's.
#[derive(Clone)]
pub struct SignIns(Arc<Inner>);

impl std::fmt::Debug for SignIns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIns").finish_non_exhaustive()
    }
}

impl SignIns {
    pub(crate) fn new(
        store: &Arc<Store>,
        numbers: &Arc<Numbers>,
        agents: Arc<dyn AskAgents>,
        settings: Settings,
    ) -> Result<Self, Unready> {
        let counts = numbers.counts.clone();
        Ok(Self(Arc::new(Inner {
            recorder: Recorder::start(store.clone()).map_err(|_| Unready::NoThreads)?,
            counters: Counters::new(store.clone(), counts.clone(), settings.lockout)?,
            decoys: Decoys::new(),
            equal_delay: EqualDelay::default(),
            queue: Queue::new(settings.derivations, settings.queue, settings.patience),
            turns: Arc::default(),
            verifiers: Verifiers::new(settings.threads)?,
            grid: settings.grid,
            store: store.clone(),
            numbers: numbers.clone(),
            agents,
            counts,
        })))
    }

    /// Decides whether the password is somebody's. `prove` proves the caller; it may block, and nothing is looked at before it
    /// returns one.
    pub async fn sign_in<E: Send + 'static>(
        &self,
        attempt: Attempt,
        prove: impl FnOnce() -> Result<Caller, E> + Send + 'static,
    ) -> Result<Verdict, E> {
        let (arrived, grid) = (attempt.arrived, self.0.grid);
        // 1. The decision is a task of its own: it goes on when the caller has gone, so a wrong password counts all the same and
        //    is written down.
        let deciding = tokio::spawn(decide(self.0.clone(), attempt, prove));
        let verdict = deciding.await.unwrap_or(Ok(Verdict::Unavailable(Unavailable::Storage)))?;
        // 2. A refusal leaves on the time grid, so that its time tells how busy the tenant is, and not what it looked at.
        let on_the_grid = match &verdict {
            Verdict::Refused { .. } => true,
            // What needs no agent for this answer is not told apart from what does.
            Verdict::Unavailable(Unavailable::NoAnswer(_) | Unavailable::NoRoomInDirectory) => true,
            Verdict::Unavailable(Unavailable::Overloaded | Unavailable::Storage) | Verdict::Accepted(_) => {
                false
            }
        };
        if on_the_grid {
            tokio::time::sleep(departure(arrived.elapsed(), grid)).await;
        }
        Ok(verdict)
    }
}

/// One sign-in, from the caller's proof to the audit entry.
async fn decide<E: Send + 'static>(
    inner: Arc<Inner>,
    attempt: Attempt,
    prove: impl FnOnce() -> Result<Caller, E> + Send + 'static,
) -> Result<Verdict, E> {
    // A thread that failed is a defect: nothing is decided.
    let defect = || Ok(Verdict::Unavailable(Unavailable::Storage));
    // 1. In one hop to a thread: the caller's proof, the facts, and all that can be decided by the tenant itself.
    let first = spawn_blocking(move || {
        let mut pass = Pass::new(inner, attempt, prove()?);
        let halt = pass.run();
        Ok((pass, halt))
    });
    let (mut pass, mut halt) = match first.await {
        Ok(Ok(first)) => first,
        Ok(Err(refused)) => return Err(refused),
        Err(_) => return defect(),
    };
    // 2. The account's turn, where agents decide. It is waited for without a thread.
    if let Halt::Turn(subject) = halt {
        pass.turn = pass.inner.turns.acquire(subject).await;
        halt = match pass.turn {
            None => Halt::End(pass.overloaded()),
            Some(_) => match spawn_blocking(move || {
                let halt = pass.run();
                (pass, halt)
            })
            .await
            {
                Ok((waited, halt)) => {
                    pass = waited;
                    halt
                }
                Err(_) => return defect(),
            },
        };
    }
    // 3. An agent, and what its answer means.
    if let Halt::Ask { domain, object } = halt {
        let since = Instant::now();
        let asked = pass.inner.agents.clone().ask(domain, object, pass.attempt.password.clone()).await;
        pass.inner.equal_delay.note_answer(domain, &asked.outcome, since.elapsed());
        let now = unix_now().max(pass.attempt.now);
        halt = match spawn_blocking(move || {
            let halt = pass.resume(&asked, now);
            (pass, halt)
        })
        .await
        {
            Ok((answered, halt)) => {
                pass = answered;
                halt
            }
            Err(_) => return defect(),
        };
    }
    let Halt::End(End { verdict, wait, written }) = halt else { return defect() };
    // 4. The wait that makes the verdict look like others. The runtime's clock ticks in milliseconds: no wait is no tick.
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    drop(pass.turn.take());
    // 5. The audit entry.
    if let Some(written) = written
        && written.wait().await.is_err()
    {
        pass.inner.numbers.metrics.storage_errors.inc();
    }
    Ok(verdict)
}

/// How long a refusal waits: to the next multiple of the grid after its arrival, never zero. A grid of zero does not wait.
fn departure(elapsed: Duration, grid: Duration) -> Duration {
    let grid = grid.as_nanos();
    if grid == 0 {
        return Duration::ZERO;
    }
    let wait = grid - elapsed.as_nanos() % grid;
    Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
