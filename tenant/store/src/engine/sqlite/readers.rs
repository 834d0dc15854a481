//! The connections that read: as many snapshots at once as the machine can work on.
//! Neighbours: [`super::database`] takes one for each snapshot of a sign-in.

use rusqlite::Connection;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

/// Limits on the connections. Each has a page cache of 2 MiB, and prepared statements of its own.
const LEAST: usize = 4;
const MOST: usize = 16;

/// The connections, and which of them are free.
pub(crate) struct Readers {
    /// The one that was given back last is lent first: what it has in its cache is the newest.
    free: Mutex<Vec<Arc<Mutex<Connection>>>>,
    given_back: Condvar,
}

impl Readers {
    /// Number of connections to open: two for each processor, so that a request seldom waits for one whose thread the system
    /// has stopped.
    pub(crate) fn count() -> usize {
        available_parallelism().map_or(LEAST, |processors| (2 * processors.get()).clamp(LEAST, MOST))
    }

    pub(crate) fn new(connections: impl Iterator<Item = Connection>) -> Self {
        let free = connections.map(|connection| Arc::new(Mutex::new(connection))).collect();
        Self { free: Mutex::new(free), given_back: Condvar::new() }
    }

    /// Waits for a connection that is free.
    pub(crate) fn lend(&self) -> Lent<'_> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = free.pop() {
                return Lent { readers: self, connection };
            }
            free = self.given_back.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A connection that is lent to one reader. It is given back when this is dropped.
pub(crate) struct Lent<'a> {
    readers: &'a Readers,
    pub(crate) connection: Arc<Mutex<Connection>>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut free = self.readers.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push(self.connection.clone());
        drop(free);
        self.readers.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    #[test]
    fn as_many_read_at_once_as_there_are_connections_and_the_next_waits_for_one() {
        let open = |_| Connection::open_in_memory().unwrap();
        let readers = Readers::new((0..2).map(open));
        let (first, second) = (readers.lend(), readers.lend());
        assert!(!Arc::ptr_eq(&first.connection, &second.connection));
        let given_back = second.connection.clone();
        let (sender, receiver) = channel();
        std::thread::scope(|scope| {
            scope.spawn(|| sender.send(readers.lend().connection.clone()).unwrap());
            let waits = receiver.recv_timeout(Duration::from_millis(100));
            assert_eq!(waits.map(drop), Err(RecvTimeoutError::Timeout));
            drop(second);
            assert!(Arc::ptr_eq(&receiver.recv().unwrap(), &given_back));
        });
        drop(first);
        assert!(!Arc::ptr_eq(&readers.lend().connection, &given_back), "the one of last is the next");
    }

    #[test]
    fn a_connection_comes_back_from_a_reader_that_panics() {
        let readers = Readers::new(Connection::open_in_memory().into_iter());
        let reader = || {
            let lent = readers.lend();
            let _held = lent.connection.lock();
            panic!("a reader");
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(reader)).is_err());
        drop(readers.lend());
    }
}
