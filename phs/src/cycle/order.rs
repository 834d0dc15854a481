//! What a cycle is to do. Neighbours: `job` fills it in, `super` runs by it.

use super::guard::Guard;
use crate::scope::Scope;
use landbridge_crypto::salted_digest::Profile;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::sid::Sid;
use uuid::Uuid;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    /// Compare all.
    pub full: bool,
    /// SID of the domain.
    pub domain: Sid,
    /// Privileged accounts that are carried all the same.
    pub include: Vec<Sid>,
    /// Who belongs in the cloud.
    pub scope: Scope,
    /// The attribute that is a further sign-in name.
    pub alternate_login: Option<Attribute>,
    /// How many may leave.
    pub guard: Guard,
    /// So many that leave an administrator has looked at.
    pub confirmed: Option<u64>,
    /// What a digest costs.
    pub profile: Profile,
    /// This process.
    pub instance: Uuid,
    /// This cycle.
    pub cycle: Uuid,
    /// Seconds since 1970.
    pub now: i64,
}
