//! Pass-through authentication. The agent dials the tenant and receives a sign-in over that connection, opens its
//! envelope, tries the password at a domain controller, and returns the verdict.
//!
//! In the order of the data: [`link`] carries, [`session`] correlates, [`unseal`] opens, [`directory`] tries.
//! Absent on purpose: a listening socket, a store of passwords, and any way to reach the replication client.
//!
//! # Files
//!
//! - `main.rs`: the command line: the only clock, the stop signal, results on standard output
//! - `lib.rs`: this list
//! - `config.rs`: the configuration, checked as a whole
//! - `error.rs`: what stops the agent, who must act, the exit status
//! - `link.rs`: the connections to the tenant's nodes: dialled, kept, drained
//! - `link/known_nodes.rs`: which nodes the agent connects to (pure)
//! - `link/converse.rs`: one connection, from the first packet to the last
//! - `session.rs`: the messages of one connection: correlates, expires, opens an id once (pure)
//! - `session/seen.rs`: which deliveries were opened before
//! - `unseal.rs`: the only user of the private envelope key
//! - `directory.rs`: the directory; the only folder that connects to domain controllers
//! - `directory/requested.rs`: the account that a request names, and the name of a bind as it (pure)
//! - `directory/bind.rs`: whether a password is the account's: one LDAP bind, within the agent's own bounds
//! - `directory/change_password.rs`: the change of a password with the old one alone
//! - `directory/change_switch.rs`: whether this process changes passwords, and why it stopped
//! - `directory/kerberos_port.rs`: one request to a Kerberos port of a domain controller, and its reply
//! - `directory/config.rs`: the sections `[directory]` and `[defence]`
//! - `directory/trust.rs`: which certificates of domain controllers are trusted
//! - `directory/discover.rs`: the domain controllers: named in the configuration, or found by DNS
//! - `directory/controller.rs`: one domain controller: kept connections, one bind at a time on each
//! - `directory/failed_binds.rs`: how many failed binds the agent adds to AD's own count (pure)
//! - `directory/account.rs`: whose a good bind was, and which accounts are protected, by what they read (pure)
//! - `directory/verdict.rs`: what an answer to a bind means (pure)
//! - `directory/check.rs`: the preflight of the directory
//! - `directory/check_account.rs`: whether a domain controller accepts one account's password
//! - `status.rs`: the status of the running agent
//! - `command.rs`: what each command does

pub mod command;
pub mod config;
pub mod directory;
pub mod error;
pub mod link;
pub mod session;
pub mod status;
pub mod unseal;
