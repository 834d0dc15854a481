//! Compares answers of agents with digests, beside the sign-ins, and raises the alarm `agent-contradicts-digest`.
//!
//! An agent's answer and the account's digest can differ without a fault: a password was changed, and phs has not
//! brought it yet; or AD accepts the old password for a while after a change. So a difference is noted, and judged
//! later. It is certain in both directions (the agent refuses a password that the digest matches, or accepts one that
//! it does not match) when
//!
//! - the password was at least [`SETTLED`] old when the agent answered,
//! - two cycles of phs are complete since: the second one began after the answer, and
//! - pwdLastSet is still the same, so digest and answer are about the same version of the password.
//!
//! A refusal proves nothing for a privileged account, whose right password an agent withholds.
//! Neighbours: [`super::SignIns`] submits answers; [`super::verifiers`] derives.

use super::verifiers::Verifiers;
use crate::lock::lock;
use crate::numbers::Numbers;
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::account_state::unix_seconds;
use landbridge_tenant_rules::privileged::lacks_permission;
use landbridge_tenant_store::tables::{attributes, audit, domains, objects};
use landbridge_tenant_store::{Reading, Store, StoreError};
use landbridge_wire::upload::Presence;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Seconds after a change of password in which AD may accept the old one, or its domain controllers may differ. AD's
/// own period for the old password is an hour.
const SETTLED: i64 = 2 * 3600;
/// Seconds after which a noted difference is given up: no phs has completed two cycles.
const GIVEN_UP: i64 = 24 * 3600;
/// Limit on differences that wait for phs. More are dropped: these are enough to raise the alarm.
const NOTED: usize = 256;
/// After a comparison the next one waits for this many times its duration, so that comparisons take a tenth of one core
/// at most.
const REST: u32 = 9;
/// An answer of an agent that may be compared.
pub(super) struct Answer {
    pub(super) agent: Uuid,
    pub(super) object: Uuid,
    /// The row of the domain.
    pub(super) domain: i64,
    /// Whether the agent accepted the password.
    pub(super) accepted: bool,
    pub(super) password: Arc<Password>,
    pub(super) digest: Arc<SaltedDigest>,
    /// pwdLastSet of the digest's password.
    pub(super) password_set: i64,
    /// Seconds since 1970.
    pub(super) at: i64,
}

/// An answer that the digest contradicts.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Noted {
    agent: Uuid,
    object: Uuid,
    domain: i64,
    accepted: bool,
    password_set: i64,
    at: i64,
    /// The cursor of the last complete cycle that was seen.
    cursor: Option<String>,
    /// Cycles that were completed since the answer.
    cycles: u32,
}

/// What becomes of a noted difference.
#[derive(Debug, PartialEq, Eq)]
enum Reviewed {
    /// It waits for phs.
    Waits(Noted),
    /// Something else explains it, or phs does not come.
    Explained,
    /// The alarm, with the domain's name.
    Certain(Noted, String),
}

/// The comparisons and the noted differences.
pub(super) struct Contradictions {
    store: Arc<Store>,
    numbers: Arc<Numbers>,
    /// When each kind of answer may be compared again; none: one is compared now. Two kinds, so that outsiders' wrong
    /// passwords do not keep accepted ones from being compared.
    next: Mutex<[Option<Instant>; 2]>,
    noted: Mutex<Vec<Noted>>,
}

impl Contradictions {
    pub(super) fn new(store: Arc<Store>, numbers: Arc<Numbers>) -> Self {
        let next = Mutex::new([Some(Instant::now()); 2]);
        Self { store, numbers, next, noted: Mutex::default() }
    }

    /// Whether this answer may be compared now. If so, [`Self::compare`] must follow. It may not while a comparison of
    /// its kind is under way or rests, nor for a password that was changed lately.
    pub(super) fn begin(&self, answer: &Answer) -> bool {
        if answer.at.saturating_sub(unix_seconds(answer.password_set)) < SETTLED {
            return false;
        }
        let accepted = answer.accepted;
        let mut next = lock(&self.next);
        let [refusals, acceptances] = &mut *next;
        let next = if accepted { acceptances } else { refusals };
        next.take_if(|at| *at <= Instant::now()).is_some()
    }

    /// Compares an answer with the digest. Blocks for one derivation.
    pub(super) fn compare(&self, verifiers: &Verifiers, answer: Answer) {
        let Answer { agent, object, domain, accepted, password, digest, password_set, at } = answer;
        let began = Instant::now();
        let same = verifiers.fits(digest, &password) == accepted;
        drop(password);
        let took = began.elapsed();
        let outcome = if same { "same" } else { "different" };
        self.numbers
            .metrics
            .agent_answers_compared
            .get_or_create(&vec![("outcome", outcome.to_owned())])
            .inc();
        let cursor =
            self.store.read(|reading| Ok(domains::by_id(reading, domain)?.and_then(|d| d.acknowledged)));
        if let (false, Ok(cursor)) = (same, cursor) {
            let mut noted = lock(&self.noted);
            if noted.len() < NOTED {
                noted.push(Noted { agent, object, domain, accepted, password_set, at, cursor, cycles: 0 });
            }
        }
        self.end(accepted, took);
    }

    /// Reviews each noted difference, and raises the alarm for those that are certain. `now` is in seconds since 1970.
    /// Blocks.
    pub(super) fn review(&self, now: i64) {
        let noted = std::mem::take(&mut *lock(&self.noted));
        for difference in noted {
            match self.store.read(|reading| reviewed(reading, difference.clone(), now)) {
                Ok(Reviewed::Explained) => {}
                Ok(Reviewed::Waits(difference)) => lock(&self.noted).push(difference),
                Ok(Reviewed::Certain(difference, domain)) => self.raise(&difference, &domain, now),
                Err(error) => {
                    tracing::warn!(%error, "an agent's answer could not be reviewed yet: the database fails");
                    lock(&self.noted).push(difference);
                }
            }
        }
    }

    fn raise(&self, noted: &Noted, domain: &str, now: i64) {
        let Noted { agent, object, accepted, .. } = noted;
        let (said, digest) = if *accepted { ("accepted", "does not match") } else { ("refused", "matches") };
        tracing::error!(
            %agent, domain, said, digest,
            "an agent contradicts the digest of the same password version: find out whether agent or domain controller lies"
        );
        let metric = &self.numbers.metrics.agents_contradicting;
        metric.get_or_create(&vec![("said", said.to_owned())]).inc();
        let detail = format!(
            "{said} a password of {object} that the digest of the same version {digest}; domain {domain}"
        );
        let written = self.store.write("agent-contradicts-digest", |writing| {
            audit::append(writing, now, "tenant", "agent-contradicts-digest", &agent.to_string(), &detail)
        });
        if let Err(error) = written {
            tracing::error!(%agent, %error, "the alarm could not be stored");
            self.numbers.metrics.storage_errors.inc();
        }
    }

    /// Whether an answer is compared now.
    #[cfg(test)]
    pub(super) fn is_comparing(&self) -> bool {
        lock(&self.next).contains(&None)
    }

    /// How many differences wait for phs.
    #[cfg(test)]
    pub(super) fn noted(&self) -> usize {
        lock(&self.noted).len()
    }

    fn end(&self, accepted: bool, took: Duration) {
        let again = Instant::now() + took.saturating_mul(REST);
        let mut next = lock(&self.next);
        let [refusals, acceptances] = &mut *next;
        *(if accepted { acceptances } else { refusals }) = Some(again);
    }
}

fn reviewed(reading: &Reading<'_>, mut noted: Noted, now: i64) -> Result<Reviewed, StoreError> {
    // 1. What phs has brought since. A change of the password explains the difference.
    let (Some(account), Some(domain)) =
        (objects::find(reading, noted.object)?, domains::by_id(reading, noted.domain)?)
    else {
        return Ok(Reviewed::Explained);
    };
    let known = attributes::of(reading, noted.object)?;
    let may_be_withheld = account.protected_user
        || domain.allow_privileged
        || lacks_permission(account.sid.as_deref(), account.privileged, &domain, &known);
    if account.presence != Presence::Present
        || known.pwd_last_set != Some(noted.password_set)
        || (!noted.accepted && may_be_withheld)
        || now.saturating_sub(noted.at) >= GIVEN_UP
    {
        return Ok(Reviewed::Explained);
    }
    // 2. A cycle that was under way at the answer may have read the account before. The next one has not.
    if domain.acknowledged != noted.cursor {
        noted.cursor = domain.acknowledged;
        noted.cycles += 1;
    }
    Ok(if noted.cycles >= 2 { Reviewed::Certain(noted, domain.dns_name) } else { Reviewed::Waits(noted) })
}
