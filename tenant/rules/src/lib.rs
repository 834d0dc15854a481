//! The rules of the tenant: what follows from known facts.
//!
//! No IO, no clock, no SQL, no runtime. Each rule receives its facts and the time as arguments, so it is tested without a
//! disk and runs in simulated time.

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
