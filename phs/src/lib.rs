//! Password hash synchronization: from a domain controller to the tenant.
//!
//! In the order of the data: `config`, `discover` (where the DCs are), `pull` (sockets to the DC), `directory` (which DC, and single objects),
//! `mirror` (what is remembered), `privileged` and `qualify` (who is carried), `rehash` (the last file that sees
//! an NT hash), `send` (sockets to the tenant), `watermark` (which cursor may be stored), `cycle` (all of it in turn).
//! Around it: `job` (one cycle with its sockets), `watch` and `schedule` (when the next one begins), `daemon` (one after
//! the other), `status` and `metrics` (what it says of itself).
//!
//! # Files
//!
//! - `main.rs`: the command line: the only clock, the stop signal, results on standard output
//! - `commands.rs`: what each command does
//! - `lib.rs`: this list
//! - `config.rs`: the configuration, checked as a whole; errors name file and line
//! - `error.rs`: what stops phs, who must act, the exit status
//! - `discover.rs`: the DCs: named in the configuration, or found by DNS
//! - `pull.rs`: the sockets under drsr's machine
//! - `directory.rs`: which DC is read, single objects, the thread that pulls
//! - `distrust.rs`: DCs that were turned back, remembered by their database
//! - `root_dse.rs`: the LDAP request for the rootDSE, and its answer (pure)
//! - `watch.rs`: checks twice a second whether a DC has committed a change
//! - `mirror.rs`: what phs remembers: one SQLite file without a secret in it
//! - `mirror/objects.rs`: a row of the mirror
//! - `mirror/links.rs`: values of linked attributes: members, managers, to whom a policy applies
//! - `mirror/scope.rs`: where objects are in the tree, and in which groups, directly or through other groups
//! - `mirror/sweep.rs`: compares all objects with what was sent to the tenant
//! - `schema.sql`: the mirror's tables
//! - `scope.rs`: the administrator's rules for which accounts are carried (pure)
//! - `privileged.rs`: the groups that AdminSDHolder protects, read before the first page
//! - `qualify.rs`: which objects are carried, and with what
//! - `qualify/place.rs`: objects that others depend on: containers, groups, policies, entries of the scope
//! - `qualify/standing.rs`: what one object is to the tenant (pure)
//! - `translate.rs`: the directory's attributes as messages of the wire
//! - `rehash.rs`: the only file of phs that sees an NT hash: opened and consumed in one step, on worker threads
//! - `send.rs`: hello, offer, upload, with a limited number of attempts
//! - `watermark.rs`: which cursor may be stored (pure)
//! - `guard.rs`: holds back removals that look like a mistake (pure)
//! - `confirm.rs`: an administrator's confirmation of held removals, left for the daemon
//! - `cycle.rs`: one cycle, page by page
//! - `cycle/entries.rs`: before the first page: resolves the names in the scope, and group members
//! - `cycle/courier.rs`: the way of a batch: offer, derive what is wanted, upload, write the receipt down
//! - `cycle/sweep.rs`: after the last page: sends corrections, a limited number at a time
//! - `job.rs`: one cycle with its sockets
//! - `schedule.rs`: when the next cycle begins (pure)
//! - `daemon.rs`: runs cycle after cycle, as the schedule says
//! - `stop.rs`: the request to stop, checked between pages
//! - `status.rs`: the status of the running daemon
//! - `metrics.rs`: the same status as numbers, for a scraper
//! - `progress.rs`: a progress bar on a terminal, plain lines elsewhere
//! - `check.rs`: the preflight: every prerequisite, and what to do about a missing one
//! - `check/controllers.rs`: each DC: name, ports, clock, kind, whether it accepts the account
//! - `check/account.rs`: whether the delegated account has more rights than it should
//! - `check/descriptor.rs`: who has more than read access, from a security descriptor (pure)
//! - `findings.rs`: names and addresses that will cause trouble at the tenant, for `check --objects`
//! - `explain.rs`: why an object is carried or is not
//! - `fixture.rs`: a domain in memory, for the tests of this crate alone

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
