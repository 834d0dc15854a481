//! What both agents share on their way to the tenant: key files, TLS, enrolment, renewal, back-off, logging, status;
//! and how they find domain controllers by DNS.
//!
//! What is absent: anything that talks to a domain controller or knows a password or a digest, and any place that
//! trusts a certificate authority other than the tenant's own.

pub mod backoff;
pub mod config;
pub mod dial;
pub mod discover;
pub mod enroll;
pub mod error;
pub mod http;
pub mod identity;
pub mod key;
pub mod log;
pub mod renew;
pub mod status;
pub mod tls;
pub mod token;

pub use error::AgentError;
pub use identity::Identity;
