//! Password hash synchronization: from a domain controller to the tenant.
//!
//! In the order of the data: `config`, `pull` (sockets to the DC), `directory` (which DC, and single objects),
//! `mirror` (what is remembered), `privileged` and `qualify` (who is carried), `rehash` (the last file that sees
//! an NT hash), `send` (sockets to the tenant), `watermark` (which cursor may be stored), `cycle` (all of it in turn).

pub mod check;
pub mod config;
pub mod cycle;
pub mod directory;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod mirror;
pub mod privileged;
pub mod progress;
pub mod pull;
pub mod qualify;
pub mod rehash;
pub mod send;
pub mod stop;
pub mod translate;
pub mod watermark;
