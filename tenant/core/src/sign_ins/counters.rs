//! The counters of the smart lockout and of AD's budget. Those of accounts are in the database; those of names that
//! nobody has are in bounded memory, so that made-up names push no account's counter out. Accounts are counted in
//! memory as well while the database cannot be written.
//! Neighbours: [`landbridge_tenant_rules::lockout`] computes, [`lockouts`] stores, [`super::pass`] settles every
//! sign-in here.

use super::attempt::Unready;
use crate::lock::lock;
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::lockout::{BUDGET_MEMORY, RefusedAt, Remembered, Rules, Tries, forgiven};
use landbridge_tenant_rules::sign_in::{Charge, Facts, Settle, Subject};
use landbridge_tenant_store::tables::lockouts;
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

/// Counters in memory, by subject and source.
#[derive(Default)]
pub(super) struct Strangers {
    tries: HashMap<(Uuid, String), Tries>,
    order: VecDeque<(Uuid, String)>,
}

impl Strangers {
    fn find(&self, id: Uuid, source: &str) -> Option<Tries> {
        self.tries.get(&(id, source.to_owned())).copied()
    }

    pub(super) fn put(&mut self, id: Uuid, source: &str, tries: Tries) {
        let key = (id, source.to_owned());
        if self.tries.insert(key.clone(), tries).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > STRANGERS {
            if let Some(oldest) = self.order.pop_front() {
                self.tries.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tries.len()
    }
}

/// All counters, and what is remembered of wrong passwords.
pub(super) struct Counters {
    store: Arc<Store>,
    counts: Arc<Counts>,
    rules: Rules,
    remembered: Mutex<Remembered>,
    strangers: Mutex<Strangers>,
    /// What AD may have counted while the database could not be written.
    unwritten: Mutex<HashMap<Uuid, Tries>>,
}

/// A sign-in whose counters are settled.
pub(super) struct Settled<'a> {
    pub(super) subject: Subject,
    /// Where it came from, as it is counted.
    pub(super) source: &'a str,
    pub(super) password: &'a Password,
    /// The source had a counter of its own when the facts were read.
    pub(super) has_counter: bool,
}

impl Counters {
    pub(super) fn new(store: Arc<Store>, counts: Arc<Counts>, rules: Rules) -> Result<Self, Unready> {
        Ok(Self {
            store,
            counts,
            rules,
            remembered: Mutex::new(Remembered::new().ok_or(Unready::NoRandomness)?),
            strangers: Mutex::default(),
            unwritten: Mutex::default(),
        })
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The pseudonym under which a name that nobody has is counted.
    pub(super) fn pseudonym(&self, folded: &str) -> Uuid {
        lock(&self.remembered).pseudonym(folded)
    }

    /// Adds what the process counts in memory to the facts of the database.
    pub(super) fn complete(&self, facts: &mut Facts, source: &str) {
        let id = facts.subject.id();
        {
            let strangers = lock(&self.strangers);
            let sources = [source, lockouts::ALL_SOURCES];
            facts.counters.in_memory.extend(sources.iter().filter_map(|source| strangers.find(id, source)));
        }
        // What waits to be written was made from what is stored, and is newer.
        if let Some(account) = &mut facts.account
            && let Some(spent) = lock(&self.unwritten).get(&id)
        {
            account.spent = Some(*spent);
        }
    }

    /// Whether no more charges may wait in memory.
    pub(super) fn too_many_unwritten(&self) -> bool {
        lock(&self.unwritten).len() >= UNWRITTEN
    }

    /// Whether the directory refused this password of the account lately, and the account's password has not changed
    /// since.
    pub(super) fn refused_before(&self, object: Uuid, password: &Password, now: RefusedAt) -> bool {
        let remembered = lock(&self.remembered);
        let mark = remembered.mark(object, password);
        remembered.refused_before(object, &mark, now)
    }

    /// Writes what came of a sign-in, in one transaction. Where that fails, memory counts instead: a full disk must
    /// give nobody more tries, and let no more guesses through to AD.
    pub(super) fn settle(&self, of: &Settled<'_>, settle: Settle, charge: Charge) -> Result<(), StoreError> {
        let id = of.subject.id();
        // 1. A wrong password is counted once, however often it is repeated.
        let wrong = match settle {
            Settle::Wrong(seen) => {
                let mut remembered = lock(&self.remembered);
                let mark = remembered.mark(id, of.password);
                (!remembered.note_wrong(id, mark, seen)).then_some(seen.at)
            }
            Settle::Right | Settle::Nothing => None,
        };
        let forgives = settle == Settle::Right && of.has_counter && of.subject.account().is_some();
        if wrong.is_none() && !forgives && charge == Charge::Nothing {
            return Ok(());
        }
        // 2. Names that nobody has are counted in memory. The disk is written all the same, or its time would tell
        //    which names exist.
        if let (Subject::Stranger(_), Some(now)) = (of.subject, wrong) {
            self.count_in_memory(id, of.source, now);
        }
        // 3. One transaction for all of it.
        let written = self.store.write("sign-in", |writing| {
            self.charge(writing, id, charge)?;
            match (of.subject, wrong) {
                (Subject::Account(object), Some(now)) => self.count(writing, object, of.source, now),
                (Subject::Stranger(_), Some(now)) => self.write_as_much(writing, id, of.source, now),
                (Subject::Account(object), None) if forgives => forgive(writing, object, of.source),
                (Subject::Account(_) | Subject::Stranger(_), None) => Ok(0),
            }
        });
        // 4. What could not be written is kept in memory.
        match (charge, &written) {
            (Charge::Nothing, _) | (Charge::Clear, Err(_)) => {}
            (Charge::Clear | Charge::Put(_), Ok(_)) => drop(lock(&self.unwritten).remove(&id)),
            (Charge::Put(tries), Err(_)) => drop(lock(&self.unwritten).insert(id, tries)),
        }
        if let (Subject::Account(_), Some(now), Err(_)) = (of.subject, wrong, &written) {
            self.count_in_memory(id, of.source, now);
        }
        let locked = written?;
        // 5. The numbers, and old counters now and then.
        if let Some(now) = wrong {
            self.note_failure(locked, now)?;
        }
        Ok(())
    }

    /// Stores what AD may have counted.
    fn charge(&self, writing: &Writing<'_>, object: Uuid, charge: Charge) -> Result<(), StoreError> {
        let held = match charge {
            Charge::Nothing => return Ok(()),
            Charge::Clear | Charge::Put(_) => lockouts::find(writing, object, lockouts::DIRECTORY)?,
        };
        match (charge, held) {
            (Charge::Put(tries), held) => {
                lockouts::replace(writing, object, lockouts::DIRECTORY, held.as_ref(), &tries)
            }
            (Charge::Clear, Some(held)) => lockouts::remove(writing, object, lockouts::DIRECTORY, &held),
            (Charge::Clear | Charge::Nothing, _) => Ok(()),
        }
    }

    /// Counts a wrong password of an account. Returns the number of locks that hold now.
    fn count(&self, writing: &Writing<'_>, object: Uuid, source: &str, now: i64) -> Result<u64, StoreError> {
        let mut locked = 0;
        for (source, threshold) in counted(&self.rules, source) {
            let before = lockouts::find(writing, object, source)?;
            let tries = self.rules.failed(before, threshold, now);
            locked += u64::from(self.rules.locked(Some(&tries), now));
            lockouts::replace(writing, object, source, before.as_ref(), &tries)?;
        }
        Ok(locked)
    }

    /// A write of the same weight as an account's, which leaves nothing.
    fn write_as_much(
        &self,
        writing: &Writing<'_>,
        id: Uuid,
        source: &str,
        now: i64,
    ) -> Result<u64, StoreError> {
        for (source, threshold) in counted(&self.rules, source) {
            let tries = self.rules.failed(None, threshold, now);
            lockouts::replace(writing, id, source, None, &tries)?;
            lockouts::remove(writing, id, source, &tries)?;
        }
        Ok(0)
    }

    fn count_in_memory(&self, id: Uuid, source: &str, now: i64) {
        let mut strangers = lock(&self.strangers);
        for (source, threshold) in counted(&self.rules, source) {
            let tries = self.rules.failed(strangers.find(id, source), threshold, now);
            strangers.put(id, source, tries);
        }
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
                lockouts::prune_directory(writing, long_ago)
            })?;
        }
        Ok(())
    }
}

/// Takes what a source had tried off the counter over all sources: others' wrong tries stay.
fn forgive(writing: &Writing<'_>, object: Uuid, source: &str) -> Result<u64, StoreError> {
    let Some(own) = lockouts::find(writing, object, source)? else { return Ok(0) };
    lockouts::remove(writing, object, source, &own)?;
    let Some(all) = lockouts::find(writing, object, lockouts::ALL_SOURCES)? else { return Ok(0) };
    match forgiven(all, &own) {
        Some(left) => lockouts::replace(writing, object, lockouts::ALL_SOURCES, Some(&all), &left)?,
        None => lockouts::remove(writing, object, lockouts::ALL_SOURCES, &all)?,
    }
    Ok(0)
}

fn counted<'a>(rules: &Rules, source: &'a str) -> [(&'a str, u32); 2] {
    [(source, rules.threshold), (lockouts::ALL_SOURCES, rules.threshold_all_sources)]
}
