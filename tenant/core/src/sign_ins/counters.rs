//! The counters of the smart lockout and of AD's budget. All are rows of the database: those of accounts, and those of
//! names that no account has, so that an unknown name reads and writes what an account does. Memory counts only while
//! the database cannot be written.
//! Neighbours: [`landbridge_tenant_rules::lockout`] computes, [`lockouts`] stores, [`super::pass`] settles every
//! sign-in here.

use super::attempt::Unready;
use crate::clock::unix_now;
use crate::lock::lock;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::lockout::{
    BUDGET_MEMORY, RefusedAt, Remembered, Rules, Spent, Standing, Tries, must_be_noted,
};
use landbridge_tenant_rules::sign_in::{
    About, Charge, Facts, QUESTION_SECONDS, Reservation, Reserving, Settle, SourceFacts, Subject, reserving,
};
use landbridge_tenant_store::facts::Origin;
use landbridge_tenant_store::tables::{ad_budget, known_sources, lockouts};
use landbridge_tenant_store::{Store, StoreError, Writing};
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tracing::debug;
use uuid::Uuid;

/// Limit on the counters in memory. The oldest is forgotten first. A counter is about 100 bytes, so all are about 1 MB.
const IN_MEMORY: usize = 10_000;
/// Limit on the accounts whose charges wait in memory until the database can be written. At the limit no agent is asked. The
/// 4,096 sign-ins that agents have at most by then fit below [`IN_MEMORY`].
const UNWRITTEN: usize = 5_000;
/// Writes between two deletions of old counters.
const PRUNE_EVERY: u64 = 1000;

/// Values in memory by key. Over [`IN_MEMORY`] of them the oldest is forgotten.
pub(super) struct Bounded<K, V> {
    values: HashMap<K, V>,
    order: VecDeque<K>,
}

impl<K, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), order: VecDeque::new() }
    }
}

impl<K: Clone + Eq + std::hash::Hash, V: Copy> Bounded<K, V> {
    fn find(&self, key: &K) -> Option<V> {
        self.values.get(key).copied()
    }

    pub(super) fn put(&mut self, key: K, value: V) {
        if self.values.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > IN_MEMORY {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, key: &K) {
        if self.values.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// What was counted while the database could not be written.
#[derive(Default)]
struct Unwritten {
    /// Wrong passwords, by subject and source of the counter.
    tries: Bounded<(Uuid, String), Tries>,
    /// What AD may have counted. It was made from what is stored, and is newer.
    spent: Bounded<Uuid, Spent>,
}

/// All counters, and what is remembered of wrong passwords.
pub(super) struct Counters {
    store: Arc<Store>,
    counts: Arc<Counts>,
    rules: Rules,
    remembered: Mutex<Remembered>,
    unwritten_of_accounts: Mutex<Unwritten>,
    /// Those of names that no account has, apart, so that made-up names push out nothing of an account.
    unwritten_of_names: Mutex<Unwritten>,
    /// Transactions that wrote counters, in this process.
    writes: AtomicU64,
}

/// A sign-in whose counters are settled.
pub(super) struct Settled<'a> {
    pub(super) subject: Subject,
    /// What was known of its source when the facts were read.
    pub(super) source: &'a SourceFacts,
    /// The bad passwords that may have reached AD, when the facts were read.
    pub(super) spent: Option<Spent>,
    pub(super) origin: Origin<'a>,
    pub(super) password: &'a Password,
    /// What was reserved in AD's budget.
    pub(super) reserved: Option<Reserved>,
    /// The time, in seconds since 1970.
    pub(super) now: i64,
}

/// What is reserved in AD's budget for a question to an agent. It is not given back when this is dropped: then it is
/// charged, as if the node had died.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reserved {
    pub(super) reservation: Reservation,
    /// When it was made, by this machine's clock.
    made_at: i64,
}

impl Reserved {
    /// Whether the question has ended by now, or is about to: then other nodes count what is reserved as charged, and
    /// nothing is given back. Clocks of nodes differ by at most 2 s.
    fn has_ended(&self) -> bool {
        unix_now().saturating_sub(self.made_at) >= QUESTION_SECONDS - 2
    }
}

impl Counters {
    pub(super) fn new(store: Arc<Store>, counts: Arc<Counts>, rules: Rules) -> Result<Self, Unready> {
        Ok(Self {
            store,
            counts,
            rules,
            remembered: Mutex::new(Remembered::new().ok_or(Unready::NoRandomness)?),
            unwritten_of_accounts: Mutex::default(),
            unwritten_of_names: Mutex::default(),
            writes: AtomicU64::new(0),
        })
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Forgets the passwords that were refused for an account.
    pub(super) fn forget_refused(&self, object: Uuid) {
        lock(&self.remembered).forget(object);
    }

    /// Adds what could not be written to the facts of the database.
    pub(super) fn complete(&self, facts: &mut Facts, origin: &Origin<'_>) {
        let id = facts.subject.id();
        let counter = (id, origin.counter(facts.source.standing));
        let unwritten = lock(self.unwritten(facts.subject));
        facts.source.in_memory = unwritten.tries.find(&counter);
        facts.spent = unwritten.spent.find(&id).or(facts.spent);
    }

    fn unwritten(&self, subject: Subject) -> &Mutex<Unwritten> {
        match subject {
            Subject::Account(_) => &self.unwritten_of_accounts,
            Subject::Stranger(_) => &self.unwritten_of_names,
        }
    }

    /// Whether no more charges may wait in memory.
    pub(super) fn too_many_unwritten(&self) -> bool {
        lock(&self.unwritten_of_accounts).spent.len() >= UNWRITTEN
    }

    /// Whether the directory refused this password of the account lately, and the account's password has not changed
    /// since.
    pub(super) fn refused_before(&self, id: Uuid, password: &Password, now: RefusedAt) -> bool {
        let remembered = lock(&self.remembered);
        let mark = remembered.mark(id, password);
        remembered.refused_before(id, &mark, now)
    }

    /// Reserves binds in AD's budget before an agent is asked, where other nodes may serve the same database. On a file the
    /// turn of the account suffices. The question begins now, or at `now` if that is later: a caller may have waited.
    pub(super) fn reserve(
        &self,
        facts: &Facts,
        about: About,
        now: i64,
    ) -> Result<(Reserving, Option<Reserved>), StoreError> {
        let made_at = unix_now();
        let now = now.max(made_at);
        let is_needed = self.store.is_shared() && reserving(facts, None, about, now) != Reserving::NotNeeded;
        if !is_needed {
            return Ok((Reserving::NotNeeded, None));
        }
        let outcome = self.store.write_short("sign-in-reserve", |writing| {
            let stored = ad_budget::find(writing, facts.subject.id())?;
            let outcome = reserving(facts, stored.as_ref(), about, now);
            if let Reserving::Possible(Reservation { budget, standing, binds, until }) = outcome {
                let after = budget.reserve(stored.as_ref(), (standing, binds), now, until);
                ad_budget::replace(writing, facts.subject, stored.as_ref(), after.as_ref())?;
            }
            Ok(outcome)
        })?;
        let reserved = match outcome {
            Reserving::Possible(reservation) => Some(Reserved { reservation, made_at }),
            Reserving::NotNeeded | Reserving::NoRoom { .. } => None,
        };
        Ok((outcome, reserved))
    }

    /// Writes what came of a sign-in, in one transaction. Where that fails, memory counts instead: a full disk must
    /// give nobody more tries, and let no more guesses through to AD.
    pub(super) fn settle(&self, of: &Settled<'_>, settle: Settle, charge: Charge) -> Result<(), StoreError> {
        let id = of.subject.id();
        let counter = of.origin.counter(of.source.standing);
        // 1. A wrong password is counted once, however often it is repeated.
        let wrong = match settle {
            Settle::Wrong(seen) => {
                let mut remembered = lock(&self.remembered);
                let mark = remembered.mark(id, of.password);
                (!remembered.note_wrong(id, mark, seen)).then_some(seen.at)
            }
            Settle::Right | Settle::LetIn(_) | Settle::Nothing => None,
        };
        // 2. What else there is to write. A right password clears the counter of a known source alone: any other is
        //    shared with guessers, who would have as many tries again.
        let forgives = matches!(settle, Settle::Right | Settle::LetIn(_))
            && of.source.counter.is_some()
            && of.source.standing == Standing::Known;
        let let_in = match settle {
            Settle::LetIn(at) => must_be_noted(of.source.seen_at, at).then(|| (of.origin.hashes(id), at)),
            Settle::Right | Settle::Wrong(_) | Settle::Nothing => None,
        };
        let let_in = let_in.filter(|(hashes, _)| !hashes.is_empty());
        let charges = charge != Charge::Nothing || of.reserved.is_some();
        if wrong.is_none() && !forgives && let_in.is_none() && !charges {
            return Ok(());
        }
        // 3. One transaction for all of it.
        let subject = of.subject;
        let written = self.store.write_short("sign-in", |writing| {
            if charges {
                self.charge(writing, of, charge)?;
            }
            if forgives && let Some(own) = lockouts::find(writing, id, &counter)? {
                lockouts::remove(writing, id, &counter, &own)?;
            }
            if let Some((hashes, at)) = &let_in {
                known_sources::note(writing, id, (hashes, of.source.seen_at.is_none()), *at)?;
            }
            wrong.map_or(Ok(0), |now| self.count(writing, subject, &counter, now))
        });
        // 4. What could not be written is kept in memory.
        {
            let mut unwritten = lock(self.unwritten(subject));
            match (charge, &written) {
                (Charge::Nothing, _) | (Charge::Accepted { .. }, Err(_)) => {}
                (Charge::Accepted { .. } | Charge::Add { .. }, Ok(_)) => unwritten.spent.remove(&id),
                // What is reserved stays charged.
                (Charge::Add { .. }, Err(_)) if of.reserved.is_some() => {}
                (Charge::Add { .. }, Err(_)) => {
                    if let Some(spent) = charged(charge, of.spent.as_ref()) {
                        unwritten.spent.put(id, spent);
                    }
                }
            }
            if let (Some(now), Err(_)) = (wrong, &written) {
                let key = (id, counter.clone());
                let tries = self.rules.failed(unwritten.tries.find(&key), now);
                unwritten.tries.put(key, tries);
            }
        }
        let locked = written?;
        // 5. The numbers, and old counters now and then.
        if wrong.is_some() {
            self.counts.signin_failures.one();
        }
        if locked > 0 {
            self.counts.locks_set.add(locked);
            debug!(locks = locked, "the smart lockout locked an account");
        }
        if wrong.is_some() || charges {
            self.prune(of.now)?;
        }
        Ok(())
    }

    /// Stores what AD may have counted, and gives back what was reserved. What another node has charged or reserved since
    /// the facts were read is kept.
    fn charge(&self, writing: &Writing<'_>, of: &Settled<'_>, charge: Charge) -> Result<(), StoreError> {
        let id = of.subject.id();
        let stored = ad_budget::find(writing, id)?;
        let mut spent = lock(self.unwritten(of.subject)).spent.find(&id).or(stored);
        if let Some(Reserved { reservation, .. }) = of.reserved.filter(|reserved| !reserved.has_ended()) {
            let Reservation { budget, standing, binds, .. } = reservation;
            spent = budget.give_back(spent.as_ref(), (standing, binds), of.now);
        }
        let after = match charge {
            Charge::Nothing => spent,
            Charge::Accepted { budget, at } => budget.after_success(spent.as_ref(), at),
            Charge::Add { .. } => charged(charge, spent.as_ref()).or(spent),
        };
        ad_budget::replace(writing, of.subject, stored.as_ref(), after.as_ref())
    }

    /// Counts a wrong password. Returns the number of locks that hold now.
    fn count(
        &self,
        writing: &Writing<'_>,
        subject: Subject,
        counter: &str,
        now: i64,
    ) -> Result<u64, StoreError> {
        let before = lockouts::find(writing, subject.id(), counter)?;
        let tries = self.rules.failed(before, now);
        lockouts::replace(writing, subject, counter, before.as_ref(), &tries)?;
        Ok(u64::from(self.rules.locked(Some(&tries), now)))
    }

    /// Deletes old counters, and those of made-up names over their limit: with the first write of a process, and with
    /// each thousandth one.
    fn prune(&self, now: i64) -> Result<(), StoreError> {
        if !self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(PRUNE_EVERY) {
            return Ok(());
        }
        let (before, long_ago) = (now.saturating_sub(self.rules.memory()), now.saturating_sub(BUDGET_MEMORY));
        self.store.write("lockout-prune", |writing| {
            lockouts::prune(writing, before)?;
            lockouts::prune_unknown_names(writing)?;
            ad_budget::prune(writing, long_ago)?;
            ad_budget::prune_unknown_names(writing)
        })?;
        Ok(())
    }
}

/// What AD may have counted after this charge; none: the charge changes nothing, or clears it.
fn charged(charge: Charge, spent: Option<&Spent>) -> Option<Spent> {
    match charge {
        Charge::Add { budget, standing, more, at } => budget.charge(spent, standing, more, at),
        Charge::Nothing | Charge::Accepted { .. } => None,
    }
}
