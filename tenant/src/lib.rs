//! The cloud end of Landbridge.

pub mod lockout;
pub mod store;
pub mod tally;
