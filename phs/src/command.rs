//! The commands: `main` parses the command line and calls one of them.

pub mod enroll;
pub mod once;
pub mod run;
pub mod show;
pub mod status;

// What `show` prints.
pub mod check;
pub mod explain;
pub mod findings;

mod process;
mod terminal;
