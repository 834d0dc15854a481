//! One sign-in from the name to the verdict, whichever road it takes. Goes on when whoever asked has gone: a wrong
//! password counts all the same.
//! Before it: `routes::signin`, `admin`. After it: [`crate::signin`] for what the tenant knows, [`crate::attend`] for
//! what a domain controller says.

use crate::serve::Tenant;
use crate::signin::{Before, Candidate, Road, Stranger, Unavailable, Verdict};
use landbridge_crypto::secret::Password;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::spawn_blocking;

/// A refusal that asked no agent takes this long while none is known to have asked one.
const USUAL: Duration = Duration::from_millis(5);

/// A sign-in to be decided.
#[derive(Debug)]
pub struct Wish {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Arc<Password>,
    /// Where the person sits, as the application says.
    pub from: String,
    /// The only domain that the application serves, if it is limited.
    pub limit: Option<i64>,
    /// Seconds since 1970.
    pub now: i64,
}

/// What decided, for the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The tenant, by digest or before anybody was asked.
    Tenant,
    /// A domain controller, asked by an agent.
    Agent,
    /// The tenant, because no agent could be asked.
    DigestInstead,
}

impl By {
    /// Beside the outcome, in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "",
            Self::Agent => ", by agent",
            Self::DigestInstead => ", by digest for want of an agent",
        }
    }
}

/// Decides.
pub async fn decide(tenant: &Arc<Tenant>, wish: Wish) -> (Verdict, By) {
    let tenant = tenant.clone();
    let deciding = tokio::spawn(async move { decided(&tenant, Arc::new(wish)).await });
    deciding.await.unwrap_or((Verdict::Unavailable(Unavailable::Storage), By::Tenant))
}

async fn decided(tenant: &Arc<Tenant>, wish: Arc<Wish>) -> (Verdict, By) {
    let road = step(tenant, &wish, |tenant, wish| tenant.signin.road(&wish.user, &wish.from, wish.limit));
    match road.await {
        None => (Verdict::Unavailable(Unavailable::Storage), By::Tenant),
        Some(Err(why)) => (Verdict::Unavailable(why), By::Tenant),
        Some(Ok(Road::Digest { domain })) => (by_digest(tenant, &wish, domain).await, By::Tenant),
        Some(Ok(Road::Nobody(stranger))) => by_nobody(tenant, &wish, stranger).await,
        Some(Ok(Road::Agent(candidate))) => by_agent(tenant, &wish, Arc::new(candidate)).await,
    }
}

/// A lock is found out without a derivation, but not told sooner than a wrong password: the difference is waited for,
/// which costs no core.
async fn by_digest(tenant: &Arc<Tenant>, wish: &Arc<Wish>, domain: Option<i64>) -> Verdict {
    let since = Instant::now();
    let decided = step(tenant, wish, |tenant, wish| {
        tenant.signin.decide(&wish.user, &wish.password, &wish.from, wish.limit, wish.now)
    });
    let verdict = decided.await.unwrap_or(Verdict::Unavailable(Unavailable::Storage));
    let wait = tenant.signin.as_slow_as_a_derivation(domain, &verdict, since.elapsed());
    tokio::time::sleep(wait).await;
    verdict
}

async fn by_agent(tenant: &Arc<Tenant>, wish: &Arc<Wish>, candidate: Arc<Candidate>) -> (Verdict, By) {
    let Some(turn) = tenant.signin.turn(candidate.object).await else {
        return (tenant.signin.counted(Verdict::Unavailable(Unavailable::Overloaded)), By::Tenant);
    };
    let looking = candidate.clone();
    let before =
        step(tenant, wish, move |tenant, wish| tenant.signin.before(&looking, &wish.password, wish.now));
    let before = before.await;
    let by = if matches!(before, Some(Before::Ask)) { By::Agent } else { By::Tenant };
    let after = match before {
        Some(Before::Ask) => {
            let Candidate { domain, object, .. } = *candidate;
            let since = Instant::now();
            let asked = tenant.attend.ask(domain, object, wish.password.clone()).await;
            tenant.signin.heard(domain, &asked.outcome, since.elapsed());
            let concluding = candidate.clone();
            let after = step(tenant, wish, move |tenant, wish| {
                tenant.signin.after(
                    &concluding,
                    &wish.password,
                    asked,
                    crate::serve::unix_now().max(wish.now),
                )
            });
            after.await
        }
        Some(decided @ Before::Decided(_)) => {
            as_slow_as_an_agent(tenant, candidate.domain).await;
            Some(decided)
        }
        other => other,
    };
    drop(turn);
    concluded(tenant, wish, candidate.domain, after, by).await
}

/// The same steps in the same order as an account's, turn and waiting included, but nobody is asked.
async fn by_nobody(tenant: &Arc<Tenant>, wish: &Arc<Wish>, stranger: Stranger) -> (Verdict, By) {
    let Some(turn) = tenant.signin.turn(stranger.id).await else {
        return (tenant.signin.counted(Verdict::Unavailable(Unavailable::Overloaded)), By::Tenant);
    };
    let domain = stranger.domain;
    let (unable, silence) = (tenant.attend.unable(domain), tenant.signin.silence(domain));
    let why = unable.or(silence.map(|silence| silence.why));
    let decided = step(tenant, wish, move |tenant, wish| {
        tenant.signin.nobody(&stranger, why, &wish.password, wish.now)
    });
    let decided = decided.await;
    let no_answer = match &decided {
        Some(Before::Digest | Before::Decided(Verdict::Unavailable(Unavailable::NoAnswer(_)))) => true,
        Some(Before::Decided(_) | Before::Ask) | None => false,
    };
    match silence {
        Some(silence) if no_answer && unable.is_none() => tokio::time::sleep(silence.took).await,
        // For an account's that is known at once, too.
        _ if no_answer => {}
        _ => as_slow_as_an_agent(tenant, domain).await,
    }
    drop(turn);
    concluded(tenant, wish, domain, decided, By::Tenant).await
}

async fn concluded(
    tenant: &Arc<Tenant>,
    wish: &Arc<Wish>,
    domain: i64,
    step: Option<Before>,
    by: By,
) -> (Verdict, By) {
    match step {
        Some(Before::Decided(verdict)) => (tenant.signin.counted(verdict), by),
        Some(Before::Digest) => (by_digest(tenant, wish, Some(domain)).await, By::DigestInstead),
        Some(Before::Ask) | None => (Verdict::Unavailable(Unavailable::Storage), By::Tenant),
    }
}

/// Waits as long as one of the last refusals of the domain took: whoever measures learns nothing from an answer that
/// needed no agent.
async fn as_slow_as_an_agent(tenant: &Tenant, domain: i64) {
    tokio::time::sleep(tenant.attend.usual(domain).unwrap_or(USUAL)).await;
}

async fn step<R: Send + 'static>(
    tenant: &Arc<Tenant>,
    wish: &Arc<Wish>,
    work: impl FnOnce(&Tenant, &Wish) -> R + Send + 'static,
) -> Option<R> {
    let (tenant, wish) = (tenant.clone(), wish.clone());
    spawn_blocking(move || work(&tenant, &wish)).await.ok()
}
