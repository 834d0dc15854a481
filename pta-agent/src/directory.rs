//! The directory: the only folder that opens connections to domain controllers.
//!
//! [`bind`] answers a sign-in, over connections that `controller` keeps. Which controllers there are is in `discover`,
//! which certificates are trusted in `trust`, what an answer means in `verdict`. `check` is the preflight.

pub mod bind;
mod check;
mod config;
mod controller;
mod discover;
mod trust;
mod verdict;

pub use check::Finding;
pub use config::{ControllerConfig, DirectoryConfig};
pub use controller::ControllerHealth;
pub use trust::TrustError;
pub use verdict::NoVerdict;
