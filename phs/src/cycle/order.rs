//! What a cycle is to do. Neighbours: `job` fills it in, `super` runs by it.

use super::guard::Guard;
use crate::scope::Scope;
use landbridge_crypto::salted_digest::Profile;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::sid::Sid;
use uuid::Uuid;

/// What a cycle is to do.
#[derive(Debug, Clone)]
pub struct Order {
    /// Compare everything.
    pub full: bool,
    /// SID of the domain.
    pub domain: Sid,
    /// Privileged accounts that are carried although they are privileged.
    pub include: Vec<Sid>,
    /// Further accounts and groups that are never carried, nor their members.
    pub also: Vec<Sid>,
    /// sAMAccountName of the account that phs reads with.
    pub account: String,
    /// Which objects are carried.
    pub scope: Scope,
    /// The attribute that is a further sign-in name.
    pub alternate_login: Option<Attribute>,
    /// What is requested beside what every configuration requests, as text: attributes with their ids in the forest's
    /// schema, and photos. If it changes, all objects are compared.
    pub requested: String,
    /// Limits on accounts that leave.
    pub guard: Guard,
    /// How many accounts may leave, as an administrator has confirmed.
    pub confirmed: Option<u64>,
    /// The parameters of a digest.
    pub profile: Profile,
    /// Limit on passwords that are derived again in one cycle, because the tenant holds them with fewer iterations.
    pub again_at_most: u64,
    /// The name of this process.
    pub instance: Uuid,
    /// Random name of this cycle.
    pub cycle: Uuid,
    /// Seconds since 1970.
    pub now: i64,
}
