//! Accepts TLS connections for the doors of the tenant and enforces the limits of every connection. It knows nothing
//! of a tenant: a door receives a request, and the client that the door itself made of the client certificate.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `listener.rs`: a socket, its TLS, its limits, and the connections on it
//! - `limits.rs`: the limits on connections, and their usual values
//! - `proxy_protocol.rs`: the header by which a balancer says whose connection it passes on
//! - `places.rs`: the places of a listener: how many in all and of one network, and who makes room
//! - `pace.rs`: the limits on the time that a client may take
//! - `client_certificate.rs`: proves the chain of a client certificate; one that has ended may still renew
//! - `operator_certificate.rs`: a server certificate that the administrator provides, read again while it serves
//! - `body.rs`: reads a body within its limits, and discards one before a refusal

pub mod body;
pub mod client_certificate;
pub mod limits;
pub mod listener;
pub mod operator_certificate;
pub mod pace;
pub mod places;
pub mod proxy_protocol;
