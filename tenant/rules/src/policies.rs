//! The policies that hold for an account: its password and lockout policy (MS-ADTS 3.1.1.4.5.36), and its sign-in policy.
//! Neighbours: the crate `store` finds the candidates; [`crate::account_state`] and the sign-in use the result.

use crate::model::{Policy, SigninPolicy};
use uuid::Uuid;

/// A password and lockout policy, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resultant {
    /// What holds.
    pub policy: Policy,
    /// Whose it is.
    pub owner: PolicyOwner,
}

/// Whose policy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOwner {
    /// The domain's.
    Domain,
    /// This password settings object's.
    Settings(Uuid),
    /// It cannot be told, so nothing of it is known.
    Unclear,
}

/// A sign-in policy, and the group whose it is; none: the domain's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// What decides.
    pub policy: SigninPolicy,
    /// objectGUID of the group.
    pub group: Option<Uuid>,
}
