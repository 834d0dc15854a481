//! The limits on the connections of a listener, and their usual values.
//! Neighbours: [`super::listener`] and [`super::pace`] hold connections to them.

use std::time::Duration;

/// The limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time. More wait in the kernel's queue.
    pub connections: u32,
    /// Connections from one address at the same time. More are closed at once.
    pub connections_per_address: u32,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time from the first byte of a request to the end of its head.
    pub head: Duration,
    /// Time between two requests.
    pub idle: Duration,
    /// Time for the body of a request.
    pub body: Duration,
    /// Time for the peer to read what is written to it.
    pub write: Duration,
    /// Time for requests in hand when the program stops.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(180),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            stop: Duration::from_secs(20),
        }
    }
}
