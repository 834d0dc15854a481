//! The sign-in policy of a group.

use super::SigninPolicy;
use uuid::Uuid;

/// How the members of one group sign in, where it is not as their domain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPolicy {
    /// objectGUID of the group.
    pub group: Uuid,
    /// What decides for its members.
    pub policy: SigninPolicy,
    /// The group's name when the policy was set. It is shown when the group is gone.
    pub name: String,
}
