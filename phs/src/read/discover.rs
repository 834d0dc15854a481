//! The domain controllers: those that the configuration names, or those that DNS names.
//! DNS is queried for each new connection; a kept connection needs no query.
//! Neighbours: `landbridge_agent::discover` queries DNS; `session`, `watch` and `check` use the list.

use crate::config::DirectoryConfig;
use crate::read::pull::{Controller, PullError};
use landbridge_agent::discover::{self, DiscoverError, Discovered, Search};
use landbridge_host::system_error;
use tracing::warn;

/// The DCs, at least one, in the order in which they are tried.
#[derive(Debug)]
pub struct Found {
    /// The DCs.
    pub controllers: Vec<Controller>,
    /// What the administrator should know of the answer of DNS, as sentences.
    pub notes: Vec<String>,
}

/// The DCs that the configuration names, or those that DNS names. Records of equal priority come in an order that this
/// machine's name and their weights decide, so that several machines read several DCs, and each one always the same.
/// Blocking: not for a thread of an async runtime.
pub fn controllers(config: &DirectoryConfig) -> Result<Found, PullError> {
    if !config.controllers.is_empty() {
        return Ok(Found { controllers: config.controllers.clone(), notes: Vec::new() });
    }
    let host = rustix::system::uname();
    let search = Search {
        domain: &config.domain,
        site: config.site.as_deref(),
        suffixes: &config.suffixes,
        seed: host.nodename().to_bytes(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| DiscoverError::Unusable(system_error::sentence(&why)))?;
    let Discovered { names, notes } = runtime.block_on(discover::controllers(search))?;
    let controllers = names.into_iter().map(|name| Controller { name, address: None, port: None }).collect();
    Ok(Found { controllers, notes })
}

/// The same, without names of DNS that no domain controller of the directory has. `known` are the names that the
/// directory has, in lower case; with none, which is the first contact, the names of DNS are taken as they are.
///
/// A host that DNS names could have been given the service name of a DC by a delegate who may write it. It cannot be
/// given the computer account of a DC.
pub fn confirmed(config: &DirectoryConfig, known: &[String]) -> Result<Vec<Controller>, PullError> {
    let found = controllers(config)?.controllers;
    if !config.controllers.is_empty() || known.is_empty() {
        return Ok(found);
    }
    let (confirmed, others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|controller| known.contains(&controller.name.to_lowercase()));
    for other in &others {
        warn!(controller = other.name, "DNS names a domain controller that the directory does not have");
    }
    if confirmed.is_empty() {
        let names = others.into_iter().map(|other| other.name).collect::<Vec<_>>().join(", ");
        return Err(PullError::Unconfirmed { names });
    }
    Ok(confirmed)
}
