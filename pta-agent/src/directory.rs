//! The directory: the only folder that opens connections to domain controllers.
//!
//! [`bind`] answers a sign-in, over connections that `controller` keeps. Which controllers there are is in `discover`,
//! which certificates are trusted in `trust`, what an answer means in `verdict`. `failed_binds` bounds what this agent
//! adds to AD's count of bad passwords, `account` tells whose a good bind was and which accounts are protected.
//! [`change_password`] changes a password, over `kerberos_port`, while `change_switch` is on. `requested` is the account that a request names. `check`
//! is the preflight, `check_account` tries one password.

mod account;
pub mod bind;
pub mod change_password;
mod change_switch;
mod check;
mod check_account;
mod config;
mod controller;
mod discover;
pub mod failed_binds;
mod kerberos_port;
mod requested;
mod trust;
mod verdict;

pub use change_switch::{AFTER_STOP, ChangeSwitch, ChangesStopped};
pub use check::{Checked, Finding, Usable};
pub use check_account::AccountName;
pub use config::{ControllerConfig, DefenceConfig, DirectoryConfig};
pub use controller::ControllerHealth;
pub use failed_binds::LockoutPolicy;
pub use requested::{AccountSid, RequestedAccount};
pub use trust::TrustError;
pub use verdict::NoVerdict;
