//! The rules of the tenant: what follows from known facts.
//!
//! Nothing here has IO, a clock, SQL or a runtime. Facts and the time are arguments, so every rule is tested without a
//! disk and can run in simulated time. Read `model.rs` first: the other files decide by its types.
//!
//! # Files
//!
//! - `lib.rs`: this list
//! - `model.rs`: the data that the tenant keeps, as types
//! - `model/domain.rs`: a domain: names, SID, policies, state of its synchronisation
//! - `model/object.rs`: an object of the directory: account, group, contact, password settings object
//! - `model/attributes.rs`: the attributes of an object
//! - `model/group_policy.rs`: the sign-in policy of a group
//! - `model/agent.rs`: an enrolled agent
//! - `model/token.rs`: a one-time token for an enrolment
//! - `model/application.rs`: an application that may request sign-ins, its groups and secrets
//! - `model/ldap.rs`: how an application reads the directory by LDAP
//! - `model/oidc.rs`: how an application signs people in by OpenID Connect
//! - `model/texts.rs`: the texts of settings
//! - `model/network.rs`: a network that requests may come from
//! - `model/audit.rs`: an entry of the audit log
//! - `names.rs`: the names that an account signs in with
//! - `privileged.rs`: the accounts whose digests the tenant refuses to store
//! - `policies.rs`: the password, lockout and sign-in policy of an account
//! - `account_state.rs`: whether AD would let an account in at a given time
//! - `lockout.rs`: the smart lockout: when wrong passwords lock an account for a source
//! - `lockout/source.rs`: the source of a sign-in, and when it is known
//! - `lockout/remembered.rs`: recent wrong passwords, as keyed hashes, so that a repeated one counts once
//! - `lockout/budget.rs`: how many wrong passwords from outside may reach AD for an account
//! - `relay.rs`: the relay: which agent gets a sign-in, and what happens when it does not answer
//! - `relay/terms.rs`: the relay's inputs and outputs as types
//! - `relay/line.rs`: one connection of an agent: its age, its load, its heartbeats
//! - `relay/chance.rs`: random choices from a seed, so that a simulation can be repeated
//! - `relay/ticket.rs`: a sign-in that waits, and an envelope on its way, as data
//! - `relay/deliver.rs`: the way of one sign-in to an agent and back
//! - `relay/canary.rs`: the accounts for trials of the agents, and when each agent is due
//! - `relay/release.rs`: sends a random password, which every honest agent refuses
//! - `instances.rs`: finds an identity that two processes use at once
//! - `sign_in.rs`: a sign-in as a machine: facts in, next step out
//! - `sign_in/facts.rs`: what is known when a sign-in takes its next step
//! - `sign_in/reserve.rs`: what is reserved in AD's budget before an agent is asked
//! - `sign_in/step.rs`: what a sign-in does next, and what a decision leaves to be done
//! - `verdict.rs`: the outcomes of a sign-in, and the reasons of a refusal
//! - `counts.rs`: counters for the metrics

pub mod account_state;
pub mod counts;
pub mod instances;
pub mod lockout;
pub mod model;
pub mod names;
pub mod policies;
pub mod privileged;
pub mod relay;
pub mod sign_in;
pub mod verdict;
