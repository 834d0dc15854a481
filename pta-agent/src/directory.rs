//! The directory: the only folder that opens connections to domain controllers.
//!
//! [`bind`] answers a sign-in, over connections that `controller` keeps. Which controllers there are is in `discover`,
//! which certificates are trusted in `trust`, what an answer means in `verdict`. `failed_binds` bounds what this agent
//! adds to AD's count of bad passwords, `account` tells which accounts are protected. `check` is the preflight.

mod account;
pub mod bind;
mod check;
mod config;
mod controller;
mod discover;
pub mod failed_binds;
mod trust;
mod verdict;

pub use check::Finding;
pub use config::{ControllerConfig, DefenceConfig, DirectoryConfig};
pub use controller::ControllerHealth;
pub use failed_binds::LockoutPolicy;
pub use trust::TrustError;
pub use verdict::NoVerdict;
