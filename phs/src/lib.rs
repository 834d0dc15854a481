//! Password hash synchronization: from a domain controller to the tenant.
//!
//! In the order of the data: `config`, `discover` (where the DCs are), `pull` (sockets to the DC), `directory` (which DC, and single objects),
//! `mirror` (what is remembered), `privileged` and `qualify` (who is carried), `rehash` (the last file that sees
//! an NT hash), `send` (sockets to the tenant), `watermark` (which cursor may be stored), `cycle` (all of it in turn).
//! Around it: `job` (one cycle with its sockets), `watch` and `schedule` (when the next one begins), `daemon` (one after
//! the other), `status` and `metrics` (what it says of itself).

pub mod check;
pub mod config;
pub mod confirm;
pub mod cycle;
pub mod daemon;
pub mod directory;
pub mod discover;
pub mod distrust;
pub mod error;
pub mod explain;
pub mod findings;
#[cfg(test)]
mod fixture;
pub mod guard;
pub mod job;
pub mod metrics;
pub mod mirror;
pub mod privileged;
pub mod progress;
pub mod pull;
pub mod qualify;
pub mod rehash;
pub mod root_dse;
pub mod schedule;
pub mod scope;
pub mod send;
pub mod status;
pub mod stop;
pub mod translate;
pub mod watch;
pub mod watermark;
