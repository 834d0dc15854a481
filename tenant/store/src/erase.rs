//! Erases objects for good: their rows, and the copies of rows that SQLite leaves in unused parts of its pages.
//!
//! `secure_delete` overwrites a deleted row and a freed page. It does not overwrite the copies of a page split: when
//! a page of a table is full, some of its rows move to another page, and their bytes stay in the unused part of the
//! first one. A person who reads the file can find them. So the tables are rewritten, which frees all their pages.
//! `VACUUM` would do the same for the whole file, with the audit log of a year.
//!
//! Finally a checkpoint moves the write-ahead log, which holds the old pages, into the file and truncates the log.
//! Not erased: backups, and blocks that the file system or the disk has replaced itself.
//! Neighbours: the program's periodic tasks erase objects after their grace time; `users purge` erases one immediately.

use super::database::Database;
use super::engine::Connection;
use super::tables::objects;
use super::{Store, StoreError, Trouble, Writing};
use rusqlite::TransactionBehavior;
use uuid::Uuid;

/// The tables with data of objects, and their columns, those of the key first.
pub const TABLES: [(&str, &str); 16] = [
    (
        "objects",
        "number, object, domain, sid, presence, protected_user, cycle, changed_at, kind, removed_at, privileged, change",
    ),
    ("attributes", "number, primary_group_id, account_expires, group_type, packed"),
    ("octets", "number, name, value"),
    ("signin_names", "name, number, hash"),
    ("digests", DIGEST_COLUMNS),
    ("lockouts", "object, source, failures, first_at, last_at, locked_until, locks, unknown_name"),
    ("known_sources", "object, hash, seen_at"),
    ("ad_budget", "object, known, unknown, last_at, held_known, held_unknown, asked_until, unknown_name"),
    (
        "web_sessions",
        "id, hash, object, password_set, made_at, seen_at, ends_at, device, address, awaits_until",
    ),
    ("password_changes", "object, stamp, set_at, expected, doubted, wanted_at, changed_at"),
    ("grants", "id, app, object, session, scopes, nonce, signed_in_at, hash, ends_at"),
    ("logout_notices", "session, app, object, made_at, next_at, tries"),
    (
        "device_requests",
        "id, hash, user_hash, app, scopes, address, made_at, ends_at, polled_at, wait_seconds, answer, object, session",
    ),
    ("links", "source, what, target, domain, stamp, present, cycle"),
    ("refused_members", "domain, policy_group, object"),
    ("reserved_names", "domain, object, attribute, hash, stamp, cycle"),
];
/// The columns of `digests`, those of the key first.
const DIGEST_COLUMNS: &str = "number, stamp, sealed, set_at";

/// Seconds in a day.
const DAY: i64 = 86_400;

/// The time before which a removed object must be gone, at `now`; both in seconds since 1970. It is the start of a
/// day of UTC, so that the tables are rewritten at most once a day. With a grace time of 0 every removed object is
/// due.
pub fn due_before(now: i64, grace_days: i64) -> i64 {
    if grace_days == 0 {
        return now.saturating_add(1);
    }
    now.div_euclid(DAY).saturating_sub(grace_days).saturating_mul(DAY)
}

impl Store {
    /// Erases the objects that `pick` returns, in the transaction in which `pick` chooses them, and returns what `pick`
    /// counted. While a reader has an earlier state open, the log keeps that state: [`Store::needs_checkpoint`].
    pub fn erase<T>(
        &self,
        name: &'static str,
        pick: impl Fn(&Writing<'_>) -> Result<(T, Vec<Uuid>), StoreError>,
    ) -> Result<T, StoreError> {
        self.erase_rows(name, |transaction| {
            let (answer, objects) = pick(transaction)?;
            for object in &objects {
                objects::forget(transaction, *object)?;
            }
            Ok((answer, objects.len()))
        })
    }

    /// Runs `change`, which deletes rows of these tables, returns what it counted, and erases what the rows left behind
    /// unless the second count is 0. Foreign keys are not checked meanwhile: `change` leaves none that leads nowhere.
    pub fn erase_rows<T>(
        &self,
        name: &'static str,
        change: impl Fn(&Writing<'_>) -> Result<(T, usize), StoreError>,
    ) -> Result<T, StoreError> {
        let (answer, count) = self.rewrite_tables(name, &TABLES, change)?;
        if count > 0 {
            self.checkpoint_erased()?;
        }
        Ok(answer)
    }

    /// Rewrites the table of digests, so that no copy of an erased or replaced digest is left.
    pub fn scrub_digests(&self) -> Result<(), StoreError> {
        self.rewrite_tables("scrub-digests", &[("digests", DIGEST_COLUMNS)], |_| Ok(((), 1)))?;
        self.checkpoint_erased()
    }

    /// Moves the write-ahead log into the file. While a reader has an earlier state open, this is noted for later.
    pub fn checkpoint_erased(&self) -> Result<(), StoreError> {
        let Database::File(file) = &self.database else { return Ok(()) };
        file.note_erased();
        match self.checkpoint() {
            Err(error) if error.trouble() == Some(&Trouble::BeingRead) => Ok(()),
            other => other,
        }
    }

    /// Runs `change`, and rewrites the tables if it counted anything, in one transaction.
    fn rewrite_tables<T>(
        &self,
        name: &'static str,
        tables: &[(&str, &str)],
        change: impl Fn(&Writing<'_>) -> Result<(T, usize), StoreError>,
    ) -> Result<(T, usize), StoreError> {
        let Database::File(file) = &self.database else {
            return self.write(name, change);
        };
        let mut connection = file.idle();
        let attempt = || {
            // 1. Rows leave and return whole, so no foreign key breaks; but a table that keys refer to cannot be
            //    emptied while
            // they are checked.
            connection.pragma_update(None, "foreign_keys", false)?;
            // 2. The change itself.
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let writing = Writing::of(Connection::Sqlite(&transaction));
            let (answer, count) = change(&writing)?;
            let number = writing.change();
            // 3. Each table is copied, emptied and filled in the order of its key, so that filling needs no sorting.
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
            self.noting(Ok(((answer, count), number)))
        };
        let outcome = self.transactions.run(name, attempt);
        let restored = connection.pragma_update(None, "foreign_keys", true).map_err(StoreError::from);
        outcome.and_then(|done| restored.map(|()| done)).map_err(|e: StoreError| e.at(file.path()))
    }
}
