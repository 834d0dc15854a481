//! Password hash synchronization: from a DC to the tenant.

pub mod pull;
