//! The policies that apply to an account: its password and lockout policy (MS-ADTS 3.1.1.4.5.36), and its sign-in
//! policy.
//! Neighbours: the crate `store` chooses them from its rows; [`crate::account_state`] and the sign-in use the result.

use crate::model::{Policy, SigninPolicy};
use uuid::Uuid;

/// The password and lockout policy that applies to an account, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resultant {
    /// The policy.
    pub policy: Policy,
    /// Where it comes from.
    pub owner: PolicyOwner,
}

/// The object that a policy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOwner {
    /// The domain.
    Domain,
    /// This password settings object.
    Settings(Uuid),
    /// The facts do not suffice to decide. The policy is then empty.
    Unclear,
}

/// The sign-in policy that applies to an account, and the group that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// The policy.
    pub policy: SigninPolicy,
    /// objectGUID of the group. None: the policy is the domain's.
    pub group: Option<Uuid>,
}
