//! The statements of the tables, one file for each table. Each function has a [`crate::Reading`] or a
//! [`crate::Writing`] as its first argument.

pub mod ad_budget;
pub mod agents;
pub mod app_domains;
pub mod app_groups;
pub mod app_ldap;
pub mod app_networks;
pub mod app_oidc;
pub mod app_rates;
pub mod app_secrets;
pub mod apps;
pub mod attributes;
pub mod audit;
pub mod blocks;
pub mod canaries;
pub mod changed_objects;
pub mod changes;
pub mod device_guesses;
pub mod device_requests;
pub mod digests;
pub mod domains;
pub mod grants;
pub mod group_policies;
pub mod homes;
pub mod known_sources;
pub mod links;
pub mod lockouts;
pub mod logout_notices;
pub mod members;
pub mod names;
pub mod nodes;
pub(crate) mod numbers;
pub mod objects;
pub mod password_changes;
pub mod pushed_requests;
pub mod refused_members;
pub mod refused_objects;
pub mod reserved_names;
pub mod signing_keys;
pub mod spent;
pub mod suffixes;
pub mod tenant;
pub mod tokens;
pub mod web_sessions;

#[cfg(test)]
mod tests;
