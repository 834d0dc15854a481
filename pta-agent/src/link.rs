//! The connections to the tenant's nodes.
