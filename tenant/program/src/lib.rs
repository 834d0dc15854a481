//! The cloud end of Landbridge.
//!
//! # Files
//!
//! - `main.rs`: the program: a command line in, an exit status out
//! - `lib.rs`: this list
//! - `command/mod.rs`: what can be said on the command line
//! - `command/init.rs`: makes a tenant, all of it or nothing
//! - `command/place.rs`: directories in the making, put in their place whole or not at all
//! - `command/backup.rs`: the database, the CA's certificate and, apart from them, the keys into directories
//! - `command/restore.rs`: the way back: proved first, a new generation
//! - `command/ask.rs`: the commands that ask the running tenant
//! - `command/table.rs`: lists for people
//! - `command/log.rs`: the log on standard error
//! - `config.rs`: the configuration, checked whole
//! - `key_file.rs`: key files 0600, or a systemd credential
//! - `keys.rs`: the tenant's keys, checked against one another and against what they opened
//! - `error.rs`: what stops the program, who must act, the exit status
//! - `serve.rs`: puts the running tenant together and takes it apart
//! - `authority.rs`: the tenant's own CA
//! - `accept/mod.rs`: the TLS door: everything about a connection is bounded here
//! - `accept/applications.rs`: the applications' own address: a certificate that the administrator brings and
//!   renews
//! - `accept/share.rs`: so many connections for one address
//! - `accept/client_certificate.rs`: proves a client's chain; an ended one may renew and nothing else
//! - `accept/pace.rs`: holds a peer to a pace
//! - `accept/live.rs`: the open connections, so that a revocation can cut them
//! - `peer.rs`: the names in an agent's certificate
//! - `admit.rs`: whether that agent may, decided anew at every request
//! - `routes/mod.rs`: paths, methods, bodies within their bounds
//! - `routes/agents.rs`: what agents ask: frames in, frames out
//! - `routes/signin.rs`: `POST /v1/signin`: refusals leave on the time grid
//! - `enroll.rs`: an identity for a one-time token, the next certificate for the present one
//! - `ingest.rs`: an upload into the store: an ordered upsert in one transaction
//! - `ingest/writer.rs`: one phs writes for a domain
//! - `ingest/offer.rs`: which passwords are wanted
//! - `ingest/record.rs`: one record: presence, attributes, digest, names
//! - `ingest/link.rs`: one link
//! - `ingest/privileged.rs`: whom the tenant takes no digest for, whatever phs says
//! - `apps.rs`: the applications' credentials, proof and rate
//! - `signin.rs`: decides: cheap checks, name, lockout, derivation, account state
//! - `instances.rs`: one identity is one process: two at once are an alarm (pure)
//! - `relay.rs`: which agent answers a sign-in, and what when it does not (pure)
//! - `relay/terms.rs`: the words between the relay and its caller
//! - `relay/chance.rs`: choices from a seed
//! - `relay/line.rs`: one link: its clock, its life, what is in its hand
//! - `relay/deliver.rs`: a sign-in's way to an agent and back, and the one repetition
//! - `relay/canary.rs`: trials of the agents with passwords that are nobody's
//! - `attend.rs`: the agents' connections, and the clock and the sockets under the relay
//! - `attend/link.rs`: one agent's WebSocket
//! - `attend/alarm.rs`: an agent into quarantine, and why it is there
//! - `directory.rs`: a name to one objectGUID, or to nobody
//! - `directory/resultant.rs`: whose password policy and whose sign-in policy holds for an account
//! - `directory/groups.rs`: groups for people who look
//! - `directory/describe.rs`: everything known behind a name, for the administrator
//! - `lockout.rs`: the smart lockout (pure)
//! - `lockout/budget.rs`: how many bad passwords the outside may add to AD's own count (pure)
//! - `lockout/remembered.rs`: a repeated wrong password counts once; nothing of it is stored
//! - `signin/counters.rs`: asks and tells the lockout, in the database or in bounded memory
//! - `decide.rs`: one sign-in from the name to the verdict, by digest or by agent
//! - `signin/agents.rs`: a sign-in that agents decide: what is before and after they are asked
//! - `signin/turns.rs`: one sign-in of an account at a time while agents are asked
//! - `signin/pause.rs`: a refusal that derived nothing takes as long as one that did
//! - `signin/gate.rs`: so many sign-ins verify at once, one at a time for an account, first come first served
//! - `signin/verifiers.rs`: the threads that verify passwords, many side by side
//! - `signin/judge.rs`: the derivation, and what AD would say after it
//! - `account_state.rs`: whether AD would let the account in now (pure)
//! - `store/mod.rs`: the one database: SQLite, one file
//! - `store/schema.sql`: its tables
//! - `store/schema_1.sql`: those of version 1, for the tests of restore
//! - `store/schema_2.sql`: those of version 2, for the test of the upgrade
//! - `store/file.rs`: makes and opens the file: whose, which version, whole or not
//! - `store/error.rs`: what can be wrong with it, and who must act
//! - `store/upgrade.rs`: from an older version's schema to the present one
//! - `store/backup.rs`: a copy while the database is in use, and what it becomes when it is put back
//! - `store/stamps.rs`: stamps as blobs that sort as replication does
//! - `store/domains.rs`: the domains, their policy, their writer, their cursor
//! - `store/objects.rs`: accounts, groups, contacts, password settings objects: a row each
//! - `store/attributes.rs`: what is known of each, value by value
//! - `store/names.rs`: the names that accounts sign in with
//! - `store/links.rs`: who is in which group, who leads whom, whom a policy is for; by stamp
//! - `store/digests.rs`: the digests, sealed
//! - `store/members.rs`: who is in which group, through however many between
//! - `store/group_policies.rs`: how the members of a group sign in
//! - `store/erase.rs`: erases objects, and what SQLite leaves of them in the file
//! - `store/lockouts.rs`: the lockout's counters
//! - `store/agents.rs`: the agents and their states
//! - `store/tokens.rs`: one-time tokens, spent once
//! - `store/apps.rs`: the applications
//! - `store/canaries.rs`: accounts that agents are tried with
//! - `store/audit.rs`: who did what to whom
//! - `audit.rs`: sign-ins into the audit log, many in one transaction
//! - `admin/mod.rs`: administration over the local socket: questions and answers
//! - `admin/listen.rs`: the socket, for root and our own uid
//! - `admin/call.rs`: the other end of it
//! - `admin/act.rs`: does it, and writes down who it was
//! - `admin/domain.rs`: a domain's sign-in policy and its canaries
//! - `admin/group_policy.rs`: how the members of a group sign in, as an administrator says it
//! - `admin/people.rs`: what an administrator does to what is known of people
//! - `admin/trial.rs`: an administrator's own try at a sign-in
//! - `tally.rs`: what the tenant counts
//! - `observe.rs`: `/healthz` and `/metrics` on a loopback address
//! - `fixture.rs`: a small tenant on a temporary disk, for the tests of this crate alone

pub mod accept;
pub mod admin;
pub mod admit;
pub mod apps;
pub mod attend;
pub mod audit;
pub mod authority;
pub mod clock;
pub mod command;
pub mod config;
pub mod decide;
pub mod directory;
pub mod enroll;
pub mod error;
pub mod ingest;
pub mod key_file;
pub mod keys;
pub mod observe;
pub mod peer;
pub mod routes;
pub mod serve;
pub mod signin;
