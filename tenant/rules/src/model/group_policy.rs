//! The sign-in policy of a group.

use super::SigninPolicy;
use uuid::Uuid;

/// How the members of one group sign in, where that differs from their domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPolicy {
    /// objectGUID of the group.
    pub group: Uuid,
    /// The policy of its members.
    pub policy: SigninPolicy,
    /// The group's name when the policy was set. It is shown when the group is gone.
    pub name: String,
}
