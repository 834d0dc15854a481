//! The statements of each table, a file a table. Every function takes a [`crate::Reading`] or a [`crate::Writing`].

pub mod agents;
pub mod apps;
pub mod attributes;
pub mod audit;
pub mod canaries;
pub mod digests;
pub mod domains;
pub mod group_policies;
pub mod links;
pub mod lockouts;
pub mod members;
pub mod names;
pub mod objects;
pub mod tokens;
