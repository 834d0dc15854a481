//! `landbridge-phs enroll`: from a one-time token to an identity.

use super::process::runtime;
use super::terminal::say;
use crate::config::Config;
use crate::cycle::job::means;
use crate::error::PhsError;
use clap::Args;
use landbridge_agent::{enroll, token};
use landbridge_wire::enroll::Role;
use std::path::PathBuf;

const SOFTWARE: &str = concat!("landbridge-phs ", env!("CARGO_PKG_VERSION"));

/// `enroll`
#[derive(Debug, Args)]
pub struct Enroll {
    /// Read the token from this file (0600) instead of standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Give up the present identity, if there is one
    #[arg(long)]
    replace: bool,
}

impl Enroll {
    /// Runs the command; returns the exit status.
    pub fn run(&self, config: &Config) -> Result<u8, PhsError> {
        let means = means(config)?;
        let token = token::read(self.token_file.as_deref())?;
        let (runtime, stop) = runtime()?;
        let enrolled = runtime.block_on(async {
            tokio::select! {
                enrolled = enroll::enroll(&config.state_directory, token, Role::Phs, SOFTWARE, self.replace, &means) => {
                    enrolled.map_err(PhsError::from)
                }
                () = stop.raised() => Err(PhsError::Interrupted),
            }
        })?;
        let identity = &enrolled.identity;
        say(&format!("enrolled as agent {} for {} at {}", identity.agent, identity.domain, identity.url))?;
        say(&format!("key {}", identity.key_fingerprint))?;
        if !enrolled.approved {
            say(&format!(
                "The tenant's administrator must approve it: landbridge-tenant agents approve {}",
                identity.agent
            ))?;
        }
        Ok(0)
    }
}
