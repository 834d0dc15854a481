//! Erases objects for good: their rows, and the copies of these that SQLite leaves where no row points to.
//!
//! `secure_delete` overwrites a row that is deleted and a page that is freed. What it does not reach: when a page of a
//! table is full its rows are divided among two pages, and what went to the other one stays behind in the gap between
//! the rows, for nobody to see but whoever reads the file. So the tables are written anew, which frees every page that
//! they had. `VACUUM` would do the same for the whole file, the audit log of a year included. At last the write-ahead
//! log, which has the pages as they were, is taken into the file and cut to nothing.
//! What is not reached: backups, and blocks that the file system or the disk gave up by themselves.
//! Neighbours: `serve` calls it for those whose grace time is over, `admin` for `users purge`.

use super::tables::objects;
use super::{Store, StoreError, Trouble, Writing, held};
use rusqlite::TransactionBehavior;
use std::sync::atomic::Ordering;
use uuid::Uuid;

/// Whatever holds something of an object: table, and columns in the order of its key.
pub const TABLES: [(&str, &str); 6] = [
    ("objects", "object, domain, sid, presence, protected_user, cycle, changed_at, kind, removed_at"),
    ("attributes", "object, name, stamp, value"),
    ("signin_names", "name, object"),
    ("digests", DIGEST_COLUMNS),
    ("lockouts", "object, source, failures, first_at, last_at, locked_until, locks"),
    ("links", "source, what, target, domain, stamp, present, cycle"),
];
const DIGEST_COLUMNS: &str = "object, stamp, sealed, set_at";

const DAY: i64 = 86_400;

/// Who was removed before this has had its grace time, at `now` in seconds since 1970. Counted in whole days of UTC, so
/// that the tables are written anew once a day at most; without a grace time whoever was removed has had it.
pub fn due_before(now: i64, grace_days: i64) -> i64 {
    if grace_days == 0 {
        return now.saturating_add(1);
    }
    now.div_euclid(DAY).saturating_sub(grace_days).saturating_mul(DAY)
}

impl Store {
    /// Erases the objects that `pick` names, in the transaction that picks them. Returns what `pick` counted. While a reader has
    /// an earlier state open, the log keeps that state: [`Store::is_to_fold`].
    pub fn erase<T>(
        &self,
        name: &'static str,
        pick: impl Fn(&Writing<'_>) -> Result<(T, Vec<Uuid>), StoreError>,
    ) -> Result<T, StoreError> {
        let (answer, count) = self.anew(name, &TABLES, |transaction| {
            let (answer, objects) = pick(transaction)?;
            for object in &objects {
                objects::forget(transaction, *object)?;
            }
            Ok((answer, objects.len()))
        })?;
        if count > 0 {
            self.checkpoint_erased()?;
        }
        Ok(answer)
    }

    /// Leaves nothing of digests that were erased or replaced.
    pub fn scrub_digests(&self) -> Result<(), StoreError> {
        self.anew("scrub-digests", &[("digests", DIGEST_COLUMNS)], |_| Ok(((), 1)))?;
        self.checkpoint_erased()
    }

    /// Takes the log in, now or later.
    pub fn checkpoint_erased(&self) -> Result<(), StoreError> {
        self.to_fold.store(true, Ordering::SeqCst);
        match self.fold() {
            Err(error) if error.trouble() == Some(&Trouble::BeingRead) => Ok(()),
            other => other,
        }
    }

    /// Runs `change`, and writes the tables anew if it counted anything; all of it or nothing.
    fn anew<T>(
        &self,
        name: &'static str,
        tables: &[(&str, &str)],
        change: impl Fn(&Writing<'_>) -> Result<(T, usize), StoreError>,
    ) -> Result<(T, usize), StoreError> {
        let mut connection = held(&self.writing);
        let attempt = || {
            // In the order of their keys, so that nothing has to be sorted. Rows go and come back whole, so no key breaks; and a table that keys refer to is not emptied at once.
            connection.pragma_update(None, "foreign_keys", false)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let (answer, count) = change(&Writing::of(&transaction))?;
            if count > 0 {
                for (table, columns) in tables {
                    transaction.execute_batch(&format!(
                        "CREATE TABLE anew ({columns});
                         INSERT INTO anew SELECT {columns} FROM {table} ORDER BY 1, 2;
                         DELETE FROM {table};
                         INSERT INTO {table} ({columns}) SELECT {columns} FROM anew;
                         DROP TABLE anew;"
                    ))?;
                }
            }
            transaction.commit()?;
            Ok((answer, count))
        };
        let outcome = self.transactions.run(name, attempt);
        let restored = connection.pragma_update(None, "foreign_keys", true).map_err(StoreError::from);
        outcome.and_then(|done| restored.map(|()| done)).map_err(|e: StoreError| e.at(&self.path))
    }
}
