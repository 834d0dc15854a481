//! An honest KDC and an honest service as a server of tests needs them: with the time as an argument, and with the
//! service's end of the connection that begins. For tests only.
//! Neighbour: `memory` has both, with their lies.

use crate::key::Key;
use crate::memory::{MEMORY, Memory, SERVICE_SEQUENCE, keytab_file};
use crate::wrap;
use std::time::Duration;

/// An honest KDC of `CORP.EXAMPLE.COM` and an honest service, at this time since 1970-01-01 UTC, for servers of tests
/// that speak to programs. They believe whatever account and service they are asked about.
#[derive(Debug, Clone, Copy)]
pub struct HonestRealm {
    /// The clock of both.
    pub now: Duration,
}

impl HonestRealm {
    fn memory(self) -> Memory {
        Memory { now: self.now, ..MEMORY }
    }

    /// The content of a keytab with the key of the account.
    pub fn keytab(self, account: &str) -> Vec<u8> {
        keytab_file(&self.memory(), account)
    }

    /// The KDC's answer to a request over TCP, without the length in front.
    pub fn kdc(self, request: &[u8]) -> Vec<u8> {
        self.memory().kdc(request)
    }

    /// The service's answer to the first leg, and the connection that begins with it.
    pub fn service(self, first_leg: &[u8]) -> (Vec<u8>, HonestAcceptor) {
        let memory = self.memory();
        let (next_sent, next_received) = (SERVICE_SEQUENCE.into(), memory.sequence(first_leg).into());
        (memory.service(first_leg), HonestAcceptor { key: memory.subkey(), next_sent, next_received })
    }
}

/// The service's end of an authenticated connection.
pub struct HonestAcceptor {
    key: Key,
    next_sent: u64,
    next_received: u64,
}

impl HonestAcceptor {
    /// The key under which a DC seals the secrets in its replies.
    pub fn session_key(&self) -> Vec<u8> {
        self.key.lend(<[u8]>::to_vec)
    }

    /// Seals `body`, signs `before` and `after`; the sealed data and the token beside it.
    pub fn seal(&mut self, before: &[u8], body: &[u8], after: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let sealed = wrap::seal_as_acceptor(&self.key, self.next_sent, before, body, after);
        self.next_sent += 1;
        sealed
    }

    /// Opens what an initiator sealed; none if that was altered or is not the next.
    pub fn open(&mut self, before: &[u8], sealed: &[u8], after: &[u8], token: &[u8]) -> Option<Vec<u8>> {
        let opened = wrap::open_as_acceptor(&self.key, self.next_received, before, sealed, after, token)?;
        self.next_received += 1;
        Some(opened)
    }
}
