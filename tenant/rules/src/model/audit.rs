//! An entry of the audit log.

/// One entry: who did what to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Who: `uid 0`, `agent <id>`, `app <name>`, `tenant`.
    pub actor: String,
    /// What was done: `agent-approved`, `signin-refused`, …
    pub action: String,
    /// To whom.
    pub subject: String,
    /// How, or why.
    pub detail: String,
}
