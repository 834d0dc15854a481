//! The counters of the smart lockout and of AD's budget. Those of accounts are in the database; those of names that
//! nobody has are in bounded memory, so that made-up names push no account's counter out. Accounts are counted in
//! memory as well while the database cannot be written.
//! Neighbours: [`landbridge_tenant_rules::lockout`] computes, [`lockouts`] stores, [`super::pass`] settles every
//! sign-in here.

use super::attempt::Unready;
use crate::lock::lock;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::lockout::{
    BUDGET_MEMORY, RefusedAt, Remembered, Rules, Spent, Standing, Tries, must_be_noted,
};
use landbridge_tenant_rules::sign_in::{Charge, Facts, Settle, SourceFacts, Subject};
use landbridge_tenant_store::facts::Origin;
use landbridge_tenant_store::tables::{ad_budget, known_sources, lockouts};
use landbridge_tenant_store::{Store, StoreError, Writing};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use tracing::debug;
use uuid::Uuid;

/// Limit on the counters in memory. The oldest is forgotten first. A counter is about 100 bytes, so all are about 1 MB.
const STRANGERS: usize = 10_000;
/// Limit on the accounts whose charges wait in memory for a database that can be written.
const UNWRITTEN: usize = 10_000;
/// Failures between two deletions of old counters.
const PRUNE_EVERY: u64 = 1000;

/// Values in memory by key. Over [`STRANGERS`] of them the oldest is forgotten.
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
        while self.order.len() > STRANGERS {
            if let Some(oldest) = self.order.pop_front() {
                self.values.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }
}

/// All counters, and what is remembered of wrong passwords.
pub(super) struct Counters {
    store: Arc<Store>,
    counts: Arc<Counts>,
    rules: Rules,
    remembered: Mutex<Remembered>,
    /// By subject and source of the counter.
    strangers: Mutex<Bounded<(Uuid, String), Tries>>,
    /// What AD would have counted for names that nobody has, if they were accounts'.
    pretended: Mutex<Bounded<Uuid, Spent>>,
    /// What AD may have counted while the database could not be written.
    unwritten: Mutex<HashMap<Uuid, Spent>>,
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
}

impl Counters {
    pub(super) fn new(store: Arc<Store>, counts: Arc<Counts>, rules: Rules) -> Result<Self, Unready> {
        Ok(Self {
            store,
            counts,
            rules,
            remembered: Mutex::new(Remembered::new().ok_or(Unready::NoRandomness)?),
            strangers: Mutex::default(),
            pretended: Mutex::default(),
            unwritten: Mutex::default(),
        })
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Forgets the passwords that were refused for an account.
    pub(super) fn forget_refused(&self, object: Uuid) {
        lock(&self.remembered).forget(object);
    }

    /// Adds what the process counts in memory to the facts of the database.
    pub(super) fn complete(&self, facts: &mut Facts, origin: &Origin<'_>) {
        let id = facts.subject.id();
        let counter = (id, origin.counter(facts.source.standing));
        facts.source.in_memory = lock(&self.strangers).find(&counter);
        match facts.subject {
            Subject::Stranger(_) => facts.spent = lock(&self.pretended).find(&id),
            // What waits to be written was made from what is stored, and is newer.
            Subject::Account(_) => {
                facts.spent = lock(&self.unwritten).get(&id).copied().or(facts.spent);
            }
        }
    }

    /// Whether no more charges may wait in memory.
    pub(super) fn too_many_unwritten(&self) -> bool {
        lock(&self.unwritten).len() >= UNWRITTEN
    }

    /// Whether the directory refused this password of the account lately, and the account's password has not changed
    /// since.
    pub(super) fn refused_before(&self, id: Uuid, password: &Password, now: RefusedAt) -> bool {
        let remembered = lock(&self.remembered);
        let mark = remembered.mark(id, password);
        remembered.refused_before(id, &mark, now)
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
        if wrong.is_none() && !forgives && let_in.is_none() && charge == Charge::Nothing {
            return Ok(());
        }
        // 3. Names that nobody has are counted in memory. The disk is written all the same, or its time would tell
        //    which names exist.
        if let Subject::Stranger(_) = of.subject {
            if let Some(now) = wrong {
                self.count_in_memory(id, &counter, now);
            }
            if let Some(spent) = charged(charge, of.spent.as_ref()) {
                lock(&self.pretended).put(id, spent);
            }
        }
        // 4. One transaction for all of it.
        let written = self.store.write_short("sign-in", |writing| {
            if let Subject::Stranger(_) = of.subject {
                return self.write_as_much(writing, id, &counter, charge, wrong);
            }
            self.charge(writing, id, charge)?;
            if forgives && let Some(own) = lockouts::find(writing, id, &counter)? {
                lockouts::remove(writing, id, &counter, &own)?;
            }
            if let Some((hashes, at)) = &let_in {
                known_sources::note(writing, id, hashes, *at)?;
            }
            wrong.map_or(Ok(0), |now| self.count(writing, id, &counter, now))
        });
        // 5. What could not be written is kept in memory.
        if let Subject::Account(_) = of.subject {
            match (charge, &written) {
                (Charge::Nothing, _) | (Charge::Accepted { .. }, Err(_)) => {}
                (Charge::Accepted { .. } | Charge::Add { .. }, Ok(_)) => {
                    lock(&self.unwritten).remove(&id);
                }
                (Charge::Add { .. }, Err(_)) => {
                    if let Some(spent) = charged(charge, of.spent.as_ref()) {
                        lock(&self.unwritten).insert(id, spent);
                    }
                }
            }
            if let (Some(now), Err(_)) = (wrong, &written) {
                self.count_in_memory(id, &counter, now);
            }
        }
        let locked = written?;
        // 6. The numbers, and old counters now and then.
        if let Some(now) = wrong {
            self.note_failure(locked, now)?;
        }
        Ok(())
    }

    /// Stores what AD may have counted. What another node has charged since the facts were read is kept.
    fn charge(&self, writing: &Writing<'_>, object: Uuid, charge: Charge) -> Result<(), StoreError> {
        if charge == Charge::Nothing {
            return Ok(());
        }
        let stored = ad_budget::find(writing, object)?;
        let newest = lock(&self.unwritten).get(&object).copied().or(stored);
        match charge {
            Charge::Nothing => Ok(()),
            Charge::Accepted { budget, at } => {
                let left = budget.after_success(newest.as_ref(), at);
                ad_budget::replace(writing, object, stored.as_ref(), left.as_ref())
            }
            Charge::Add { .. } => match charged(charge, newest.as_ref()) {
                None => Ok(()),
                spent => ad_budget::replace(writing, object, stored.as_ref(), spent.as_ref()),
            },
        }
    }

    /// Counts a wrong password of an account. Returns the number of locks that hold now.
    fn count(&self, writing: &Writing<'_>, object: Uuid, counter: &str, now: i64) -> Result<u64, StoreError> {
        let before = lockouts::find(writing, object, counter)?;
        let tries = self.rules.failed(before, now);
        lockouts::replace(writing, object, counter, before.as_ref(), &tries)?;
        Ok(u64::from(self.rules.locked(Some(&tries), now)))
    }

    /// A write of the same weight as an account's, which leaves nothing.
    fn write_as_much(
        &self,
        writing: &Writing<'_>,
        id: Uuid,
        counter: &str,
        charge: Charge,
        wrong: Option<i64>,
    ) -> Result<u64, StoreError> {
        if let Some(spent) = charged(charge, None) {
            ad_budget::replace(writing, id, None, Some(&spent))?;
            ad_budget::replace(writing, id, Some(&spent), None)?;
        }
        if let Some(now) = wrong {
            let tries = self.rules.failed(None, now);
            lockouts::replace(writing, id, counter, None, &tries)?;
            lockouts::remove(writing, id, counter, &tries)?;
        }
        Ok(0)
    }

    fn count_in_memory(&self, id: Uuid, counter: &str, now: i64) {
        let mut strangers = lock(&self.strangers);
        let key = (id, counter.to_owned());
        let tries = self.rules.failed(strangers.find(&key), now);
        strangers.put(key, tries);
    }

    fn note_failure(&self, locked: u64, now: i64) -> Result<(), StoreError> {
        self.counts.signin_failures.one();
        if locked > 0 {
            self.counts.locks_set.add(locked);
            debug!(locks = locked, "the smart lockout locked an account");
        }
        if self.counts.signin_failures.now().is_multiple_of(PRUNE_EVERY) {
            let (before, long_ago) =
                (now.saturating_sub(self.rules.memory()), now.saturating_sub(BUDGET_MEMORY));
            self.store.write("lockout-prune", |writing| {
                lockouts::prune(writing, before)?;
                ad_budget::prune(writing, long_ago)
            })?;
        }
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
