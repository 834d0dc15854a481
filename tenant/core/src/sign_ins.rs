//! Sign-ins: whether a name and a password are somebody's.
//!
//! [`SignIns::sign_in`] owns every guarantee: the cheap checks, the name, the lockout, one sign-in at a time for each
//! counter of an account, equal delay, the time grid, the audit entry. A door cannot forget one. To the outside every
//! refusal is the same; the true reason is in [`Why`], for the audit log.
//! Neighbours: [`landbridge_tenant_rules::sign_in`] decides; [`crate::agents::relay_driver`] asks agents;
//! [`crate::audit`] writes.

mod attempt;
mod contradictions;
mod counters;
mod decoys;
mod equal_delay;
mod leavers;
mod parts;
mod pass;
mod queue;
mod turns;
mod verifiers;

pub use attempt::{Attempt, Caller, Settings, Unready};
pub use landbridge_tenant_rules::account_state::Disclosable;
pub use landbridge_tenant_rules::lockout::Source;
pub use landbridge_tenant_rules::relay::NoAnswer;
pub use landbridge_tenant_rules::verdict::{MAX_PASSWORD, Person, Unavailable, Verdict, Why};

pub(crate) use attempt::{AnswerOnItsWay, AskAgents};

use crate::audit::Recorder;
use crate::clock::{stopped, unix_now};
use crate::numbers::Numbers;
use contradictions::Contradictions;
pub(crate) use counters::Reserved;
use counters::{Counters, Settled};
use decoys::Decoys;
use equal_delay::EqualDelay;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::lockout::Standing;
use landbridge_tenant_rules::sign_in::{About, Charge, Facts, Question, Reserving, Settle};
use landbridge_tenant_store::facts;
use landbridge_tenant_store::{Store, StoreError};
use parts::Inner;
use pass::{End, Halt, Pass};
use queue::Queue;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use uuid::Uuid;
use verifiers::Verifiers;

/// The outcome of a sign-in that was decided and whose audit entry could not be written, in the metrics.
const NOT_WRITTEN: &str = "audit-not-written";
/// Time between two looks at a question of another node.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Time between two reviews of answers that digests contradict. phs completes a cycle no more often.
const REVIEW: Duration = Duration::from_secs(2);

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
            contradictions: Contradictions::new(store.clone(), numbers.clone()),
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

    /// The account's turn among the sign-ins that agents decide, for a source of this standing. Free again when it is
    /// dropped. None: too many wait.
    pub(crate) async fn turn(&self, account: Uuid, standing: Standing) -> Option<impl Sized + use<>> {
        self.0.turns.acquire(account, standing).await
    }

    /// Reads what a sign-in of this account would start from, for this caller. None: the account is gone. Blocks.
    pub(crate) fn facts(
        &self,
        account: Uuid,
        caller: &Caller,
        now: i64,
    ) -> Result<Option<Facts>, StoreError> {
        let origin = caller.origin(now, self.0.store.seal_keys());
        let stored = self.0.store.read(|reading| facts::of_account(reading, (account, None), &origin))?;
        Ok(stored.map(|stored| {
            let mut facts = stored.facts;
            self.0.counters.complete(&mut facts, &origin);
            facts
        }))
    }

    /// Reserves a bind in AD's budget for a password that the tenant takes for right, before an agent is asked about it.
    /// While a question of another node holds the last one, it is waited for like a turn.
    pub(crate) async fn reserve(
        &self,
        facts: &Facts,
        now: i64,
    ) -> Result<Result<Option<Reserved>, NoAnswer>, StoreError> {
        let until = Instant::now() + turns::PATIENCE;
        loop {
            let (inner, facts) = (self.0.clone(), facts.clone());
            let reserving =
                spawn_blocking(move || inner.counters.reserve(&facts, About::LikelyPassword, now)).await;
            match reserving.map_err(|_| StoreError::Defect("a reservation panicked".to_owned()))?? {
                (Reserving::NotNeeded | Reserving::Possible(_), reserved) => return Ok(Ok(reserved)),
                (Reserving::NoRoom { is_asked: true }, _) if Instant::now() < until => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                (Reserving::NoRoom { .. }, _) => return Ok(Err(NoAnswer::AtBound)),
            }
        }
    }

    /// Writes what an agent's answer about this password does to the counters, and gives back what was reserved. Blocks.
    pub(crate) fn settle(
        &self,
        facts: &Facts,
        (caller, password): (&Caller, &Password),
        (settle, charge): (Settle, Charge),
        reserved: Option<Reserved>,
        now: i64,
    ) -> Result<(), StoreError> {
        let settled = Settled {
            subject: facts.subject,
            source: &facts.source,
            spent: facts.spent,
            origin: caller.origin(now, self.0.store.seal_keys()),
            password,
            reserved,
            now,
        };
        self.0.counters.settle(&settled, settle, charge)
    }

    /// Forgets the passwords that AD refused for an account: it has another one now.
    pub(crate) fn forget_refused(&self, object: Uuid) {
        self.0.counters.forget_refused(object);
    }

    /// Raises the alarm about agents that contradict digests, until `stop` is set.
    pub async fn watch_agents(self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(REVIEW) => {}
            }
            let inner = self.0.clone();
            let _ = spawn_blocking(move || inner.contradictions.review(unix_now())).await;
        }
    }

    /// Decides whether the password is somebody's. `prove` proves the caller; it may block, and nothing is looked at
    /// before it returns one.
    pub async fn sign_in<E: Send + 'static>(
        &self,
        attempt: Attempt,
        prove: impl FnOnce() -> Result<Caller, E> + Send + 'static,
    ) -> Result<Verdict, E> {
        let (arrived, grid) = (attempt.arrived, self.0.grid);
        // 1. The decision is a task of its own: it goes on when the caller has gone, so a wrong password counts all
        //    the same and is written down.
        let deciding = tokio::spawn(one_sign_in(self.0.clone(), attempt, prove));
        let verdict = deciding.await.unwrap_or(Ok(Verdict::Unavailable(Unavailable::Storage)))?;
        // 2. A refusal leaves on the time grid, so that its time tells how busy the tenant is, and not what it looked
        //    at.
        if leaves_on_the_grid(&verdict) {
            tokio::time::sleep(departure(arrived.elapsed(), grid)).await;
        }
        Ok(verdict)
    }
}

/// One sign-in, from the caller's proof to the audit entry.
async fn one_sign_in<E: Send + 'static>(
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
    if let Halt::Turn(subject, standing) = halt {
        pass.turn = pass.inner.turns.acquire(subject, standing).await;
        halt = match pass.turn {
            None => Halt::End(pass.overloaded()),
            Some(_) => match on_a_thread(pass, Pass::run).await {
                Some((waited, halt)) => {
                    pass = waited;
                    halt
                }
                None => return defect(),
            },
        };
    }
    // 3. A question of another node that holds the last of AD's budget: waited for like a turn.
    let until = Instant::now() + turns::PATIENCE;
    while let Halt::Question = halt {
        tokio::time::sleep(LOOK_EVERY).await;
        pass.waited = Instant::now() >= until;
        match on_a_thread(pass, Pass::run).await {
            Some(waited) => (pass, halt) = waited,
            None => return defect(),
        }
    }
    // 4. What looks like a question.
    if let Halt::Pretend(pretended) = halt {
        tokio::time::sleep(pretended.wait).await;
        let now = unix_now().max(pass.attempt.now);
        match on_a_thread(pass, move |pass| pass.end_pretended(*pretended, now)).await {
            Some(ended) => (pass, halt) = ended,
            None => return defect(),
        }
    }
    // 5. An agent, and what its answer means.
    if let Halt::AskAgent(Question { domain, account, binds }) = halt {
        let since = Instant::now();
        let password = pass.attempt.password.clone();
        let asked = pass.inner.agents.clone().ask(domain, account, password, binds).await;
        pass.inner.equal_delay.note_answer(domain, &asked.outcome, since.elapsed());
        let now = unix_now().max(pass.attempt.now);
        match on_a_thread(pass, move |pass| pass.resume(&asked, now)).await {
            Some(answered) => (pass, halt) = answered,
            None => return defect(),
        }
        if let Some(answer) = pass.to_compare.take()
            && pass.inner.contradictions.begin(&answer)
        {
            let inner = pass.inner.clone();
            drop(spawn_blocking(move || inner.contradictions.compare(&inner.verifiers, answer)));
        }
    }
    let Halt::End(End { mut verdict, mut outcome, wait, written }) = halt else { return defect() };
    // 6. The wait that makes the verdict look like others. The runtime's clock ticks in milliseconds: no wait is no
    //    tick.
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    drop(pass.turn.take());
    // 7. The audit entry. Without it there is no answer, neither "yes" nor "no": if a refusal still left, a guesser
    //    could tell the right password by its "unavailable", and nothing would be on record.
    let metrics = &pass.inner.numbers.metrics;
    if let Some(written) = written
        && written.wait().await.is_err()
    {
        metrics.storage_errors.inc();
        (verdict, outcome) = (Verdict::Unavailable(Unavailable::Storage), NOT_WRITTEN);
    }
    metrics.signins.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
    Ok(verdict)
}

/// Does a step that blocks. None: the thread failed.
async fn on_a_thread(
    mut pass: Pass,
    step: impl FnOnce(&mut Pass) -> Halt + Send + 'static,
) -> Option<(Pass, Halt)> {
    let done = spawn_blocking(move || {
        let halt = step(&mut pass);
        (pass, halt)
    });
    done.await.ok()
}

/// Whether a verdict waits for the time grid.
fn leaves_on_the_grid(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Refused { .. } => true,
        // What needs no agent for this answer is not told apart from what does; nor is a right password whose audit
        // entry could not be written from a wrong one whose counter could not.
        Verdict::Unavailable(
            Unavailable::NoAnswer(_) | Unavailable::NoRoomInDirectory | Unavailable::Storage,
        ) => true,
        Verdict::Unavailable(Unavailable::Overloaded) | Verdict::Accepted(_) => false,
    }
}

/// How long a refusal waits: to the next multiple of the grid after its arrival, never zero. A grid of zero does not
/// wait.
fn departure(elapsed: Duration, grid: Duration) -> Duration {
    let grid = grid.as_nanos();
    if grid == 0 {
        return Duration::ZERO;
    }
    let wait = grid - elapsed.as_nanos() % grid;
    Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
