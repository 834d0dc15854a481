//! The connection that writes. A transaction on it is committed alone, or in a batch: short transactions that wait for the
//! connection at the same time share one commit, and so one wait for the disk.
//!
//! A member of a batch runs in a savepoint, so an error undoes that member only. The last one that waits commits. Until then
//! no other connection sees anything of the batch, so what can be read is on the disk, as with transactions alone. If the
//! commit fails, all of the batch is undone, and each member runs again alone and gets the error that is its own.
//! Neighbours: [`crate::Store`] counts the transactions by name and runs them again after a conflict.

use crate::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Limit on the transactions of one batch: the first of them waits for all others.
const MOST: usize = 64;

/// The connection, and the batch that is open on it.
pub(crate) struct Writer {
    held: Mutex<Held>,
    /// Short transactions that wait for the connection.
    waiting: AtomicUsize,
}

struct Held {
    connection: Connection,
    /// The batch whose transaction is open. Its members wait for the commit.
    batch: Option<Arc<Batch>>,
    /// Members of that batch whose changes stand.
    members: usize,
}

/// What the members of a batch wait for.
#[derive(Default)]
struct Batch {
    /// Whether it was committed; none: it is open.
    committed: Mutex<Option<bool>>,
    ended: Condvar,
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Self {
        let held = Held { connection, batch: None, members: 0 };
        Self { held: Mutex::new(held), waiting: AtomicUsize::new(0) }
    }

    /// The connection without an open transaction. A batch that is open is committed first.
    pub(crate) fn connection(&self) -> Idle<'_> {
        let mut held = self.locked();
        held.end(true);
        Idle(held)
    }

    /// Runs `change` in one transaction and commits it.
    pub(crate) fn alone<T>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let answer = change(&transaction)?;
        transaction.commit()?;
        Ok(answer)
    }

    /// Runs `change` as a member of a batch, and waits for the commit. None: the batch was undone, for a reason that need
    /// not be this member's.
    pub(crate) fn in_batch<T>(
        &self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        // 1. The connection. Who waits for it is counted, so that the one before leaves the batch open.
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut held = self.locked();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        // 2. The batch that is open, or a new one.
        let batch = match &held.batch {
            Some(batch) => batch.clone(),
            None => held.begin()?,
        };
        // 3. The change.
        let mut turn = Turn { held, is_over: false };
        let outcome = turn.held.member(change);
        // 4. The next one takes over, or all is committed.
        if self.waiting.load(Ordering::SeqCst) == 0 || turn.held.members >= MOST {
            turn.held.end(true);
        }
        turn.is_over = true;
        drop(turn);
        let answer = outcome?;
        Ok(batch.wait().then_some(answer))
    }

    fn locked(&self) -> MutexGuard<'_, Held> {
        // A change that panicked has ended its transaction: the connection is sound.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn begin(&mut self) -> Result<Arc<Batch>, StoreError> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let batch = Arc::new(Batch::default());
        self.batch = Some(batch.clone());
        self.members = 0;
        Ok(batch)
    }

    /// Runs the change of one member. If it fails, it is undone; if that fails too, the whole batch is.
    fn member<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let run = |sql: &str| self.connection.prepare_cached(sql)?.execute([]);
        run("SAVEPOINT member")?;
        let outcome = change(&self.connection);
        let is_undone = outcome.is_ok() || run("ROLLBACK TO member").is_ok();
        if !is_undone || run("RELEASE member").is_err() {
            self.end(false);
        } else if outcome.is_ok() {
            self.members += 1;
        }
        outcome
    }

    /// Ends the batch that is open, if one is, and lets its members go on.
    fn end(&mut self, commit: bool) {
        let Some(batch) = self.batch.take() else { return };
        let run = |sql: &str| self.connection.prepare_cached(sql).and_then(|mut end| end.execute([]));
        let committed = commit && run("COMMIT").is_ok();
        // SQLite has ended the transaction itself after some errors.
        if !committed && !self.connection.is_autocommit() {
            // If this fails, so does the next BEGIN, and says so.
            let _ = run("ROLLBACK");
        }
        batch.end(committed);
    }
}

impl Batch {
    fn end(&self, committed: bool) {
        *self.committed.lock().unwrap_or_else(PoisonError::into_inner) = Some(committed);
        self.ended.notify_all();
    }

    /// Waits for the end. False: it was undone.
    fn wait(&self) -> bool {
        let mut committed = self.committed.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match *committed {
                Some(committed) => return committed,
                None => committed = self.ended.wait(committed).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// The connection while a member of a batch has it. A panic undoes the batch, or its members would wait for ever.
struct Turn<'a> {
    held: MutexGuard<'a, Held>,
    is_over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.held.end(false);
        }
    }
}

/// The connection without an open transaction.
pub(crate) struct Idle<'a>(MutexGuard<'a, Held>);

impl Deref for Idle<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0.connection
    }
}

impl DerefMut for Idle<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0.connection
    }
}

#[cfg(test)]
mod tests;
