//! What a process holds at the server while it serves: the lock of its node, the lock of the chores, and a connection that
//! receives notices of changes. All three end with the connection.
//! Neighbours: [`super::database`] opens the connection; the tables send the notices (`tables::changes`).

use super::{NOTICES, Session};
use crate::Reading;
use crate::engine::Connection;
use crate::error::StoreError;
use std::time::Duration;
use uuid::Uuid;

/// The number of the advisory lock of the process that does the chores of all: `LBTN`.
const CHORES: i64 = 0x4c42_544e;

/// What this process holds.
pub(super) struct Held {
    session: Session,
    node: Uuid,
    does_chores: bool,
}

impl Held {
    /// Holds the lock of this node, by a connection of its own. None: another process holds it.
    pub(super) fn new(session: Session, node: Uuid) -> Result<Option<Self>, StoreError> {
        // The number of the lock is the first half of the id, which is random.
        let number = i64::from_be_bytes(node.as_bytes().first_chunk().copied().unwrap_or_default());
        if !lock(&session, number)? {
            return Ok(None);
        }
        session.run_commands(&format!("LISTEN {NOTICES}"))?;
        Ok(Some(Self { session, node, does_chores: false }))
    }

    /// Whether the lock of this node is held still.
    pub(super) fn is_for(&self, node: Uuid) -> bool {
        self.node == node && self.session.answers()
    }

    /// Whether this process does the chores of all nodes: the first one that asks, until its connection ends.
    pub(super) fn does_chores(&mut self) -> Result<bool, StoreError> {
        self.does_chores = self.session.answers() && (self.does_chores || lock(&self.session, CHORES)?);
        Ok(self.does_chores)
    }

    /// Waits for a notice of another process, for at most this long. False: the connection receives none any more.
    pub(super) fn wait_for_notice(&self, limit: Duration) -> bool {
        if !self.session.broken.get() {
            self.session.wait_for_notice(limit);
        }
        !self.session.broken.get()
    }
}

/// Tries to hold an advisory lock until the connection ends.
fn lock(session: &Session, number: i64) -> Result<bool, StoreError> {
    let reading = Reading::of(Connection::Postgres(session));
    Ok(reading.query_row("SELECT pg_try_advisory_lock(?1)", [number], |row| row.get(0))?)
}
