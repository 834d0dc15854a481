//! The operator's door: the administration socket, and health and metrics on a loopback address. It holds
//! [`landbridge_tenant_core::administration::Administration`] and [`landbridge_tenant_core::numbers::Snapshot`].
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `listen.rs`: the administration socket, for root and the tenant's own user
//! - `socket_user.rs`: who is at the other end of that socket
//! - `call.rs`: the client's end of the socket, for the command line
//! - `line.rs`: a message as one line, without a copy that stays in memory
//! - `observe.rs`: `/healthz` and `/metrics`

pub mod call;
mod line;
pub mod listen;
pub mod observe;
mod socket_user;
