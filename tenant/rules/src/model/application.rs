//! An application that may request sign-ins.

use uuid::Uuid;

/// An application. Times are in seconds since 1970.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its id. It is a part of its credential.
    pub id: Uuid,
    /// Its name: unique among all applications that ever were.
    pub name: String,
    /// SHA-256 of its secret.
    pub hash: [u8; 32],
    /// The only domain whose people it may sign in; none: every domain.
    pub domain: Option<i64>,
    /// DNS name of that domain.
    pub domain_name: Option<String>,
    /// Limit on its sign-ins in a minute.
    pub rate_per_minute: u32,
    /// When it was created.
    pub created_at: i64,
    /// When its secret was last replaced.
    pub rotated_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}
