//! The lab: a real domain on loopback, the real tenant and the real phs, and hands to work them.
//! Shared by the end-to-end tests, `make demo` and the benchmarks. Needs root and Samba; it never skips.
//! It changes nothing outside `target/lab/` and its own folders under the temporary folder.

pub mod address;
mod certificates;
pub mod domain;
pub mod edits;
mod error;
pub mod population;
pub mod program;
mod recipe;
mod watchdog;

pub use domain::Domain;
pub use error::LabError;
pub use population::{Person, Population, person};
