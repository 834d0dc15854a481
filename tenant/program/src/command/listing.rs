//! The flag that all lists have.

use clap::Args;

/// The format of a list.
#[derive(Debug, Args)]
pub struct Listing {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}
