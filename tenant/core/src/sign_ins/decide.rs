//! One sign-in from the name to the verdict, whichever road it takes, and into the audit log. Goes on when whoever asked
//! has gone: a wrong password counts all the same, and is written down.
//!
//! What blocks is done in as few steps as there can be, one before an agent is asked and one after it: each is a hop to
//! a thread and back, and under load a hop costs more than the work.
//! Before it: `routes::signin`, `admin`. After it: [`crate::sign_ins`] for what the tenant knows, [`crate::agents::relay_driver`] for
//! what a domain controller says, [`crate::audit`] for the log.

use super::{Before, Candidate, Road, SignIns, Signin, Turn, departure};
use crate::agents::relay_driver::RelayDriver;
use crate::audit::{Recorder, Written};
use crate::clock::unix_now;
use crate::numbers::Numbers;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::model::AuditEntry;
use landbridge_tenant_rules::relay::AgentAnswer;
use landbridge_tenant_rules::verdict::{Unavailable, Verdict, Why};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// A refusal that asked no agent takes this long while none is known to have asked one.
const USUAL: Duration = Duration::from_millis(5);

/// What every sign-in passes through.
pub(crate) struct Inner {
    pub(crate) signin: Signin,
    pub(crate) relay: Arc<RelayDriver>,
    pub(crate) recorder: Recorder,
    pub(crate) numbers: Arc<Numbers>,
    /// Refusals leave on multiples of this after the arrival.
    pub(crate) grid: Duration,
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

/// Who wants the sign-in, and for whom.
#[derive(Debug)]
pub struct Caller {
    /// The door: `applications`, `operator`.
    pub door: &'static str,
    /// As the audit log names the caller.
    pub actor: String,
    /// Where the person sits, as the caller says: a network address, or a word.
    pub source: String,
    /// The only domain that the caller serves, if it is limited.
    pub domain: Option<i64>,
}

/// What decided, for the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// The tenant, by digest or before anybody was asked.
    Tenant,
    /// A domain controller, asked by an agent.
    Agent,
    /// The tenant, because no agent could be asked.
    DigestInstead,
}

impl By {
    /// Beside the outcome, in the audit log.
    fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "",
            Self::Agent => ", by agent",
            Self::DigestInstead => ", by digest for want of an agent",
        }
    }
}

impl SignIns {
    /// Decides. `prove` proves the caller; it may block, and nothing is looked at before it returns a caller. A refusal leaves
    /// on the time grid, so that its time tells how busy the tenant is, and not what it looked at.
    pub async fn sign_in<E: Send + 'static>(
        &self,
        attempt: Attempt,
        prove: impl FnOnce() -> Result<Caller, E> + Send + 'static,
    ) -> Result<Verdict, E> {
        let (arrived, grid) = (attempt.arrived, self.0.grid);
        let verdict = decide(&self.0, attempt, prove).await?;
        let on_the_grid = match &verdict {
            Verdict::Accepted(_) => false,
            Verdict::Refused { .. } => true,
            // What needs no agent for this answer is not told apart from what does.
            Verdict::Unavailable(Unavailable::NoAnswer(_) | Unavailable::NoRoomInDirectory) => true,
            Verdict::Unavailable(Unavailable::Overloaded | Unavailable::Storage) => false,
        };
        if on_the_grid {
            tokio::time::sleep(departure(arrived.elapsed(), grid)).await;
        }
        Ok(verdict)
    }
}

/// Decides, and goes on when the caller has gone: a wrong password counts all the same, and is written down.
async fn decide<E: Send + 'static>(
    tenant: &Arc<Inner>,
    wish: Attempt,
    asker: impl FnOnce() -> Result<Caller, E> + Send + 'static,
) -> Result<Verdict, E> {
    let tenant = tenant.clone();
    let deciding = tokio::spawn(async move {
        let mut end = match decided(&tenant, wish, asker).await {
            None => return Ok(Verdict::Unavailable(Unavailable::Storage)),
            Some(end) => end?,
        };
        // The runtime's clock ticks in milliseconds: no wait is no tick.
        if !end.wait.is_zero() {
            tokio::time::sleep(end.wait).await;
        }
        drop(end.turn.take());
        if let Some(written) = end.written
            && written.wait().await.is_err()
        {
            tenant.numbers.metrics.storage_errors.inc();
        }
        Ok(end.verdict)
    });
    deciding.await.unwrap_or(Ok(Verdict::Unavailable(Unavailable::Storage)))
}

/// A sign-in that is decided.
struct End {
    verdict: Verdict,
    /// The audit log's entry, on its way to the disk.
    written: Option<Written>,
    /// It is not told before.
    wait: Duration,
    /// The account's turn, kept until then.
    turn: Option<Turn>,
}

impl End {
    fn after(self, wait: Duration) -> Self {
        Self { wait: self.wait + wait, ..self }
    }
}

/// How a step ends.
enum Step {
    Ended(End),
    /// An agent is to be asked.
    Ask(Candidate, Turn),
    /// It is not the account's turn yet.
    Queue(Road),
}

/// A sign-in under way. What is done with it here blocks.
struct SignIn {
    tenant: Arc<Inner>,
    wish: Attempt,
    asker: Caller,
}

/// None: a defect.
async fn decided<E: Send + 'static>(
    tenant: &Arc<Inner>,
    wish: Attempt,
    asker: impl FnOnce() -> Result<Caller, E> + Send + 'static,
) -> Option<Result<End, E>> {
    let tenant = tenant.clone();
    let first = spawn_blocking(move || {
        let asker = asker()?;
        let sign_in = Arc::new(SignIn { tenant, wish, asker });
        let step = sign_in.first();
        Ok((sign_in, step))
    });
    let (sign_in, step) = match first.await.ok()? {
        Ok(first) => first,
        Err(refused) => return Some(Err(refused)),
    };
    let step = match step {
        Step::Queue(road) => sign_in.clone().queued(road).await?,
        Step::Ended(_) | Step::Ask(..) => step,
    };
    let end = match step {
        Step::Ended(end) => end,
        Step::Ask(candidate, turn) => sign_in.asked(candidate, turn).await?,
        Step::Queue(_) => return None,
    };
    Some(Ok(end))
}

impl SignIn {
    /// Which road, and on it as far as it goes at once.
    fn first(&self) -> Step {
        let signin = &self.tenant.signin;
        let road = match signin.road(&self.wish.user, &self.asker.source, self.asker.domain) {
            Ok(road) => road,
            Err(why) => return Step::Ended(self.end(Verdict::Unavailable(why), By::Tenant)),
        };
        match road.turn_of() {
            None => self.on(road, None),
            Some(account) => match signin.turn_at_once(account) {
                Some(turn) => self.on(road, Some(turn)),
                None => Step::Queue(road),
            },
        }
    }

    /// Waits for the turn, and goes on.
    async fn queued(self: Arc<Self>, road: Road) -> Option<Step> {
        let turn = match road.turn_of() {
            None => None,
            Some(account) => match self.tenant.signin.turn(account).await {
                Some(turn) => Some(turn),
                // Nothing of it goes into the log, so this does not block.
                None => {
                    let full = self.tenant.signin.counted(Verdict::Unavailable(Unavailable::Overloaded));
                    return Some(Step::Ended(self.end(full, By::Tenant)));
                }
            },
        };
        spawn_blocking(move || self.on(road, turn)).await.ok()
    }

    fn on(&self, road: Road, turn: Option<Turn>) -> Step {
        let Attempt { password, now, .. } = &self.wish;
        let signin = &self.tenant.signin;
        match (road, turn) {
            (Road::Digest { domain }, _) => Step::Ended(self.by_digest(domain, By::Tenant)),
            (Road::Agent(candidate), Some(turn)) => {
                let end = match signin.before(&candidate, password, *now) {
                    Before::Ask => return Step::Ask(candidate, turn),
                    Before::Digest => self.by_digest(Some(candidate.domain), By::DigestInstead),
                    Before::Decided(verdict) => {
                        self.end(signin.counted(verdict), By::Tenant).after(self.usual(candidate.domain))
                    }
                };
                Step::Ended(End { turn: Some(turn), ..end })
            }
            (Road::Nobody(stranger), Some(turn)) => {
                let domain = stranger.domain;
                let (unable, silence) = (self.tenant.relay.unable(domain), signin.silence(domain));
                let why = unable.or(silence.map(|silence| silence.why));
                let (end, no_answer) = match signin.nobody(&stranger, why, password, *now) {
                    Before::Digest => (self.by_digest(Some(domain), By::DigestInstead), true),
                    Before::Decided(verdict) => {
                        let none = matches!(verdict, Verdict::Unavailable(Unavailable::NoAnswer(_)));
                        (self.end(signin.counted(verdict), By::Tenant), none)
                    }
                    Before::Ask => (self.defect(), false),
                };
                let wait = match silence {
                    Some(silence) if no_answer && unable.is_none() => silence.took,
                    // For an account's that is known at once, too.
                    _ if no_answer => Duration::ZERO,
                    _ => self.usual(domain),
                };
                Step::Ended(End { turn: Some(turn), ..end.after(wait) })
            }
            (Road::Agent(_) | Road::Nobody(_), None) => Step::Ended(self.defect()),
        }
    }

    /// Asks an agent, and concludes.
    async fn asked(self: Arc<Self>, candidate: Candidate, turn: Turn) -> Option<End> {
        let Candidate { domain, object, .. } = candidate;
        let since = Instant::now();
        let asked = self.tenant.relay.ask(domain, object, self.wish.password.clone()).await;
        self.tenant.signin.heard(domain, &asked.outcome, since.elapsed());
        spawn_blocking(move || {
            let end = self.concluded(&candidate, asked);
            drop(turn);
            end
        })
        .await
        .ok()
    }

    fn concluded(&self, candidate: &Candidate, asked: AgentAnswer) -> End {
        let Attempt { password, now, .. } = &self.wish;
        match self.tenant.signin.after(candidate, password, asked, unix_now().max(*now)) {
            Before::Decided(verdict) => self.end(self.tenant.signin.counted(verdict), By::Agent),
            Before::Digest => self.by_digest(Some(candidate.domain), By::DigestInstead),
            Before::Ask => self.defect(),
        }
    }

    /// A lock is found out without a derivation, but not told sooner than a wrong password: the difference is waited for,
    /// which costs no core.
    fn by_digest(&self, domain: Option<i64>, by: By) -> End {
        let since = Instant::now();
        let (Attempt { user, password, now, .. }, Caller { source: from, domain: limit, .. }) =
            (&self.wish, &self.asker);
        let signin = &self.tenant.signin;
        let verdict = signin.decide(user, password, from, *limit, *now);
        let wait = signin.as_slow_as_a_derivation(domain, &verdict, since.elapsed());
        self.end(verdict, by).after(wait)
    }

    fn defect(&self) -> End {
        self.end(Verdict::Unavailable(Unavailable::Storage), By::Tenant)
    }

    /// As long as one of the last refusals of the domain took: whoever measures learns nothing from an answer that
    /// needed no agent.
    fn usual(&self, domain: i64) -> Duration {
        self.tenant.relay.typical_delay(domain).unwrap_or(USUAL)
    }

    /// Counts the verdict, and hands the audit log what it keeps of it: the true reason, for the operator.
    fn end(&self, verdict: Verdict, by: By) -> End {
        let (outcome, action, subject) = match &verdict {
            Verdict::Accepted(person) => ("accepted", Some("signin-accepted"), person.object.to_string()),
            Verdict::Refused { why, object, .. } => {
                // A name that is nobody's may be a password in the wrong field: it is never written down.
                let subject =
                    object.map_or_else(|| "a name of nobody".to_owned(), |object| object.to_string());
                (why.as_str(), Some("signin-refused"), subject)
            }
            Verdict::Unavailable(Unavailable::Overloaded) => ("overloaded", None, String::new()),
            Verdict::Unavailable(Unavailable::Storage) => ("storage-failed", None, String::new()),
            Verdict::Unavailable(Unavailable::NoAnswer(why)) => (why.as_str(), None, String::new()),
            Verdict::Unavailable(Unavailable::NoRoomInDirectory) => {
                ("no-room-in-directory", None, String::new())
            }
        };
        // Not in the metric: there are four billion.
        let code = match verdict {
            Verdict::Refused { why: Why::UnknownCode(code), .. } => format!(" {code:#x}"),
            Verdict::Refused { .. } | Verdict::Accepted(_) | Verdict::Unavailable(_) => String::new(),
        };
        self.tenant.numbers.metrics.signins.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
        let written = action.map(|action| {
            self.tenant.recorder.record(AuditEntry {
                at: self.wish.now,
                actor: self.asker.actor.clone(),
                action: action.to_owned(),
                subject,
                detail: format!("{outcome}{code}{}, from {}", by.as_str(), self.asker.source),
            })
        });
        End { verdict, written, wait: Duration::ZERO, turn: None }
    }
}
