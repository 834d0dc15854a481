//! Password hash synchronization: from a domain controller to the tenant.
//!
//! The folders follow the road: [`read`] (sockets to the DC), [`mirror`] (what is remembered between cycles),
//! [`qualify`] (which objects are carried, and with what), [`cycle`] (one cycle, page by page, to the tenant),
//! [`daemon`] (cycle after cycle), [`command`] (the command line). Start at `cycle.rs`.
//!
//! Sockets: `read/`, `cycle/send.rs` and `daemon/heartbeat.rs`; `daemon/metrics.rs` listens. NT hashes:
//! `cycle/rehash.rs` alone.
//!
//! # Files
//!
//! - `main.rs`: the command line: the only clock, the stop signal, results on standard output
//! - `lib.rs`: this list
//! - `config.rs`: the configuration, checked as a whole; errors name file and line
//! - `scope.rs`: the administrator's rules for which accounts are carried (pure)
//! - `error.rs`: what stops phs, who must act, the exit status
//! - `stop.rs`: the request to stop, checked between pages
//! - `progress.rs`: a progress bar on a terminal, plain lines elsewhere
//! - `read.rs`: reads the directory; the only folder with sockets to domain controllers
//! - `read/described.rs`: the attributes that describe an object, as replication requests them
//! - `read/discover.rs`: the DCs: named in the configuration, or found by DNS
//! - `read/pull.rs`: the sockets under drsr's machine
//! - `read/session.rs`: which DC is read, single objects, the thread that pulls pages
//! - `read/distrust.rs`: DCs that were turned back, remembered by their database
//! - `read/ldap.rs`: the LDAP messages that are needed, and their answers (pure)
//! - `read/root_dse.rs`: the LDAP request for the rootDSE, and its answer (pure)
//! - `read/schema.rs`: the ids that the forest's schema gives to attributes of the configuration, by LDAP
//! - `read/watch.rs`: checks twice a second whether a DC has committed a change
//! - `mirror.rs`: what phs remembers: one SQLite file without a secret in it
//! - `mirror/schema.sql`: the mirror's tables
//! - `mirror/objects.rs`: a row of the mirror
//! - `mirror/flaws.rs`: the one list of what cannot be read or carried of the directory, for people
//! - `mirror/census.rs`: why no account is carried, and whose NT hash is missing
//! - `mirror/holders.rs`: who can read or set every password, and how many accounts that holds back
//! - `mirror/links.rs`: values of linked attributes: members, managers, to whom a policy applies
//! - `mirror/scope.rs`: where objects are in the tree, and in which groups, directly or through other groups
//! - `mirror/sending.rs`: objects that enter with an upload whose rows are not committed yet
//! - `mirror/sweep.rs`: compares all objects with what was sent to the tenant
//! - `mirror/watermark.rs`: which cursor may be stored (pure)
//! - `qualify.rs`: which objects are carried, and with what
//! - `qualify/rules.rs`: what qualifying goes by, the same for a whole cycle
//! - `qualify/privileged.rs`: the groups that AdminSDHolder protects, read before the first page
//! - `qualify/descriptor.rs`: who may do more than read, from a security descriptor (pure)
//! - `qualify/holders.rs`: who is never carried: phs's own account, and who can read or set every password
//! - `qualify/containers.rs`: objects that others depend on: containers, groups, policies, entries of the scope
//! - `qualify/links.rs`: what a linked attribute leaves out that came whole, as values from before 2003 do
//! - `qualify/standing.rs`: what one object is to the tenant (pure)
//! - `qualify/flaws.rs`: what cannot be read or carried of an object: quarantine, and attributes that are left out
//! - `qualify/reserved.rs`: names of accounts that are not carried, as keyed hashes
//! - `qualify/translate.rs`: the directory's attributes as messages of the wire
//! - `cycle.rs`: one cycle, page by page
//! - `cycle/job.rs`: one cycle with its sockets
//! - `cycle/order.rs`: what a cycle is to do
//! - `cycle/counts.rs`: what a cycle did, in numbers and by name
//! - `cycle/entries.rs`: before the first page: resolves the names in the scope, and group members
//! - `cycle/courier.rs`: the way of a batch: offer, derive what is wanted, upload, write the receipt down
//! - `cycle/rehash.rs`: the only file of phs that sees an NT hash: opened and consumed in one step, on worker
//!   threads
//! - `cycle/send.rs`: hello, offer, upload, with a limited number of attempts
//! - `cycle/settled.rs`: what the tenant's answer to the hello settles: generation and level (pure)
//! - `cycle/sweep.rs`: after the last page: sends corrections, a limited number at a time
//! - `cycle/warnings.rs`: what a complete cycle warns of, in words (pure)
//! - `cycle/guard.rs`: holds back removals that look like a mistake (pure)
//! - `daemon.rs`: runs cycle after cycle, as the schedule says
//! - `daemon/schedule.rs`: when the next cycle begins (pure)
//! - `daemon/requests.rs`: how many replication requests a day costs (pure)
//! - `daemon/wake.rs`: what wakes the daemon, from any thread
//! - `daemon/confirm.rs`: an administrator's confirmation of held removals, left for the daemon
//! - `daemon/heartbeat.rs`: every 3 s a message to the tenant that this process runs
//! - `daemon/status.rs`: the status of the running daemon
//! - `daemon/metrics.rs`: the same status as numbers, for a scraper
//! - `command.rs`: the list of commands
//! - `command/enroll.rs`: `enroll`
//! - `command/once.rs`: `once`: one cycle and its summary
//! - `command/run.rs`: `run`: the daemon
//! - `command/status.rs`: `status`, for people or as JSON
//! - `command/show.rs`: prints what `check`, `check --objects` and `explain` find
//! - `command/check.rs`: the preflight: every prerequisite, and what to do about a missing one
//! - `command/check/controllers.rs`: each DC: name, ports, clock, kind, whether it accepts the account
//! - `command/check/account.rs`: whether the delegated account has more rights than it should
//! - `command/check/held_back.rs`: who is never carried, and by which right
//! - `command/check/report.rs`: what developers need to know of a directory that they do not have, for `check --report`
//! - `command/findings.rs`: names and addresses that will cause trouble at the tenant, for `check --objects`
//! - `command/explain.rs`: why an object is carried or is not
//! - `command/process.rs`: threads, stop signal, clock and memory of a command's process
//! - `command/terminal.rs`: results on standard output
//! - `fixture.rs`: a domain in memory, for the tests of this crate alone

pub mod command;
pub mod config;
pub mod cycle;
pub mod daemon;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod mirror;
pub mod progress;
pub mod qualify;
pub mod read;
pub mod scope;
pub mod stop;
