//! The limits on the connections of a listener, and their usual values.
//! Neighbours: [`super::listener`] and [`super::pace`] hold connections to them.

use std::time::Duration;

/// The limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time. For one more a stranger makes room, or it is closed at once.
    pub connections: u32,
    /// Those among them that only clients with a certificate or a right credential may have.
    pub kept: u32,
    /// Connections from one IPv4 address, or from one IPv6 network of 64 bits. More are closed at once.
    pub connections_per_address: u32,
    /// Connections from one IPv6 network of 56 bits.
    pub connections_per_56: u32,
    /// Connections from one IPv6 network of 48 bits.
    pub connections_per_48: u32,
    /// Time for the TLS handshake.
    pub handshake: Duration,
    /// Time from the first byte of a request to the end of its head.
    pub head: Duration,
    /// Time between two requests.
    pub idle: Duration,
    /// The same for a client without a certificate whose last request had no right credential.
    pub stranger_idle: Duration,
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
            kept: 256,
            connections_per_address: 256,
            connections_per_56: 384,
            connections_per_48: 512,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(180),
            stranger_idle: Duration::from_secs(5),
            body: Duration::from_secs(30),
            write: Duration::from_secs(30),
            stop: Duration::from_secs(20),
        }
    }
}
