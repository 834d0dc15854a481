//! What follows from what is known: the rules of the tenant.
//!
//! No IO, no clock, no SQL, no runtime: whatever decides here receives the facts and the time as arguments. So every rule
//! is tested without a disk, and can be run again in simulated time.

pub mod account_state;
pub mod counts;
pub mod instances;
pub mod lockout;
pub mod model;
pub mod names;
pub mod policies;
pub mod privileged;
pub mod relay;
pub mod sign_in;
pub mod verdict;
