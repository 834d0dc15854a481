//! The schema of a new database, and its version. [`super::upgrade`] has the steps from older versions.

/// The statements that make an empty database.
pub(crate) const SCHEMA: &str = include_str!("schema/schema.sql");

/// The version of the schema that this build reads and writes (`PRAGMA user_version`).
pub const SCHEMA_VERSION: i64 = 5;
