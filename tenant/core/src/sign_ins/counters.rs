//! Asks the smart lockout before a derivation, and tells it what came of it. Counters of accounts are in the
//! database; those of names that nobody has are in bounded memory, so that names which are made up push no account's
//! counter out. Accounts are counted there too while the database cannot be written.
//! Neighbours: [`landbridge_tenant_rules::lockout`] computes, [`landbridge_tenant_store::tables::lockouts`] stores.

use crate::sign_ins::{Signin, Subject, held};
use landbridge_crypto::secret::Password;
use landbridge_tenant_rules::lockout::{BUDGET_MEMORY, RefusedAt, Rules, Tries, forgiven};
use landbridge_tenant_rules::verdict::{Verdict, Why};
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::StoreError;
use landbridge_tenant_store::tables::lockouts;
use std::collections::{HashMap, VecDeque};
use tracing::debug;
use uuid::Uuid;

/// How many made-up names are counted; the oldest is forgotten first.
const STRANGERS: usize = 10_000;
/// How many failures between two sweeps of the table.
const PRUNE_EVERY: u64 = 1000;

/// Counters of names that nobody has, by pseudonym and source.
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

impl Signin {
    /// Whether nobody is listened to, from here or from anywhere.
    pub(super) fn is_locked(
        &self,
        connection: &Reading<'_>,
        subject: Subject,
        source: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let rules = &self.settings.lockout;
        let id = subject.id();
        let remembered = {
            let strangers = held(&self.strangers);
            [strangers.find(id, source), strangers.find(id, lockouts::ALL_SOURCES)]
        };
        let stored = match subject {
            Subject::Account(object) => [
                lockouts::find(connection, object, source)?,
                lockouts::find(connection, object, lockouts::ALL_SOURCES)?,
            ],
            Subject::Stranger(_) => [None, None],
        };
        Ok(remembered.iter().chain(&stored).any(|tries| rules.locked(tries.as_ref(), now)))
    }

    /// Counts a wrong password, unless it is one of the last wrong ones again; forgives after a right one.
    pub(super) fn settle(
        &self,
        subject: Subject,
        source: &str,
        password: &Password,
        verdict: &Verdict,
        now: i64,
    ) -> Result<(), StoreError> {
        let wrong = match verdict {
            Verdict::Accepted(_) | Verdict::Refused { told: Some(_), .. } => false,
            Verdict::Refused { why, .. } => match why {
                Why::WrongPassword
                | Why::NoDigest
                | Why::NotAdmitted
                | Why::UnknownName
                | Why::AmbiguousName
                | Why::OtherDomain
                // A directory that does not say why may mean a wrong password, every time.
                | Why::UnknownCode(_) => true,
                // The password was right, or could not be tried: neither a failure nor a success.
                Why::State(_) | Why::DigestUnreadable => return Ok(()),
                Why::BadName
                | Why::BadPassword
                | Why::LockedOut
                | Why::HeldBack
                | Why::NoRoom
                | Why::RefusedBefore
                | Why::Canary
                | Why::Workstation
                | Why::Restricted => return Ok(()),
            },
            Verdict::Unavailable(_) => return Ok(()),
        };
        if wrong {
            return self.wrong(subject, source, password, RefusedAt { at: now, password_set: None });
        }
        match subject {
            Subject::Account(object) => self.forgive(object, source),
            Subject::Stranger(_) => Ok(()),
        }
    }

    /// Counts a password that the directory refused, and remembers it: it is not asked for it again.
    pub(super) fn settle_seen(
        &self,
        object: Uuid,
        source: &str,
        password: &Password,
        seen: RefusedAt,
    ) -> Result<(), StoreError> {
        self.wrong(Subject::Account(object), source, password, seen)
    }

    fn wrong(
        &self,
        subject: Subject,
        source: &str,
        password: &Password,
        seen: RefusedAt,
    ) -> Result<(), StoreError> {
        let again = {
            let mut remembered = held(&self.remembered);
            let mark = remembered.mark(subject.id(), password);
            remembered.note_wrong(subject.id(), mark, seen)
        };
        if again { Ok(()) } else { self.failed(subject, source, seen.at) }
    }

    fn failed(&self, subject: Subject, source: &str, now: i64) -> Result<(), StoreError> {
        let rules = self.settings.lockout;
        let locked = match subject {
            Subject::Stranger(id) => {
                self.count_in_memory(id, source, now);
                self.write_as_much(id, source, now)?;
                0
            }
            Subject::Account(object) => self
                .count_in_store(object, source, now)
                // A full disk must not give anybody more tries.
                .inspect_err(|_| self.count_in_memory(object, source, now))?,
        };
        let tally = &self.counts;
        tally.signin_failures.one();
        if locked > 0 {
            tally.locks_set.add(locked);
            debug!(locks = locked, "the smart lockout locked an account");
        }
        if tally.signin_failures.now().is_multiple_of(PRUNE_EVERY) {
            let before = now.saturating_sub(rules.memory());
            let long_ago = now.saturating_sub(BUDGET_MEMORY);
            self.store.write("lockout", |transaction| {
                lockouts::prune(transaction, before)?;
                lockouts::prune_directory(transaction, long_ago)
            })?;
        }
        Ok(())
    }

    fn count_in_memory(&self, id: Uuid, source: &str, now: i64) {
        let rules = self.settings.lockout;
        let mut strangers = held(&self.strangers);
        for (source, threshold) in counted(&rules, source) {
            let tries = rules.failed(strangers.find(id, source), threshold, now);
            strangers.put(id, source, tries);
        }
    }

    /// Says how many locks hold now.
    fn count_in_store(&self, object: Uuid, source: &str, now: i64) -> Result<u64, StoreError> {
        let rules = self.settings.lockout;
        self.store.write("lockout", |transaction| {
            let mut locked = 0;
            for (source, threshold) in counted(&rules, source) {
                let before = lockouts::find(transaction, object, source)?;
                let tries = rules.failed(before, threshold, now);
                locked += u64::from(rules.locked(Some(&tries), now));
                lockouts::replace(transaction, object, source, before.as_ref(), &tries)?;
            }
            Ok(locked)
        })
    }

    /// A transaction of the same weight as an account's, which leaves nothing: otherwise the disk's time would tell
    /// which names exist.
    fn write_as_much(&self, id: Uuid, source: &str, now: i64) -> Result<(), StoreError> {
        let rules = self.settings.lockout;
        self.store.write("lockout", |transaction| {
            for (source, threshold) in counted(&rules, source) {
                let tries = rules.failed(None, threshold, now);
                lockouts::replace(transaction, id, source, None, &tries)?;
                lockouts::remove(transaction, id, source, &tries)?;
            }
            Ok(())
        })
    }

    fn forgive(&self, object: Uuid, source: &str) -> Result<(), StoreError> {
        let counted = self.store.read(|connection| lockouts::find(connection, object, source))?;
        if counted.is_none() {
            return Ok(());
        }
        self.store.write("lockout", |transaction| {
            let Some(own) = lockouts::find(transaction, object, source)? else { return Ok(()) };
            lockouts::remove(transaction, object, source, &own)?;
            let Some(all) = lockouts::find(transaction, object, lockouts::ALL_SOURCES)? else {
                return Ok(());
            };
            match forgiven(all, &own) {
                Some(left) => {
                    lockouts::replace(transaction, object, lockouts::ALL_SOURCES, Some(&all), &left)
                }
                None => lockouts::remove(transaction, object, lockouts::ALL_SOURCES, &all),
            }
        })
    }
}

fn counted<'a>(rules: &Rules, source: &'a str) -> [(&'a str, u32); 2] {
    [(source, rules.threshold), (lockouts::ALL_SOURCES, rules.threshold_all_sources)]
}
