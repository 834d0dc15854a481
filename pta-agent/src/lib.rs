//! Pass-through authentication: a sign-in comes from the tenant over a connection that was dialled from inside, is
//! opened, tried at a domain controller, and its verdict goes back.
//!
//! The order of the road: [`link`] carries, [`session`] correlates, [`unseal`] opens, [`validate`] asks the directory.
//! What is absent: a listening socket, a store of passwords, and any way to reach the replication client.

pub mod config;
pub mod error;
pub mod link;
pub mod session;
pub mod status;
pub mod unseal;
pub mod validate;
