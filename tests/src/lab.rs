//! The lab: a real domain on loopback, the real tenant and the real phs, and hands to work them.
//! Shared by the end-to-end tests, `make demo` and the benchmarks. Needs root and Samba; it never skips.
//!
//! A lab changes nothing outside `target/lab/` and its own folders under the temporary folder, and does not depend on
//! how the machine is configured: its programs resolve names by files of the lab's (`view`), and its servers listen
//! at addresses that no other lab uses (`address`).

#![allow(clippy::indexing_slicing, reason = "of JSON values, which give null for what is not there")]

pub mod address;
pub mod application;
pub mod browser;
mod certificates;
pub mod cluster;
pub mod domain;
pub mod doors;
pub mod dovecot;
pub mod edits;
mod error;
pub mod fake_dns;
pub mod forwarder;
pub mod full_backlog;
pub mod haproxy;
pub mod lying_agent;
pub mod lying_tenant;
pub mod machine;
pub mod mit;
pub mod oidc_provider;
pub mod old_tenant;
pub mod openssl;
pub mod phs;
pub mod population;
pub mod program;
pub mod protected_site;
pub mod pta_agent;
mod recipe;
mod script;
pub mod second;
pub mod silence;
pub mod slapd;
pub mod small_disk;
pub mod tenant;
pub mod thief;
pub mod trial;
pub mod view;
mod watchdog;
pub mod windows_fake;
pub mod windows_ldap_fake;

pub use application::{Answer, Application, Try, trusting};
pub use browser::Browser;
pub use cluster::Cluster;
pub use domain::Domain;
pub use doors::{Door, DoorClient, DoorSettings, Ended};
pub use error::LabError;
pub use machine::Machine;
pub use oidc_provider::{OidcProvider, ProviderClient};
pub use phs::{Phs, PhsSettings, Proof};
pub use population::{Person, Population, person};
pub use protected_site::ProtectedSite;
pub use pta_agent::{PtaAgent, PtaSettings};
pub use slapd::Slapd;
pub use small_disk::SmallDisk;
pub use tenant::{LdapServer, RunningTenant, TenantSettings};
