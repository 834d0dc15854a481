//! A one-time token that an agent enrols with.

/// A stored token. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolmentToken {
    /// The role that the agent gets, as text.
    pub role: String,
    /// The row of the domain that the agent may serve.
    pub domain: i64,
    /// The last second in which the token is accepted.
    pub expires_at: i64,
    /// When it was redeemed.
    pub spent_at: Option<i64>,
}
