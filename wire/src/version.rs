//! The version of the conversation between agents and tenant.

/// The version that this build speaks; it stands in the head of every [`crate::frame`].
pub const VERSION: u8 = 1;
