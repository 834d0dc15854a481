//! An entry of the audit log.

/// One entry: an actor, an action, its subject and a detail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Time of the action, in seconds since 1970.
    pub at: i64,
    /// The actor: `uid 0`, `agent <id>`, `app <name>`, `tenant`.
    pub actor: String,
    /// The action: `agent-approved`, `signin-refused`, …
    pub action: String,
    /// The object of the action: an agent, an account, a domain.
    pub subject: String,
    /// How it was done, or the reason.
    pub detail: String,
}
