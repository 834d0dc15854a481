//! The domain controllers: those that the configuration names, or those that DNS names.
//! DNS is queried for each new connection; a kept connection needs no query.
//! Neighbours: `landbridge_agent::discover` queries DNS; `session`, `watch` and `check` use the list.

use crate::config::DirectoryConfig;
use crate::read::pull::{Controller, PullError};
use landbridge_agent::discover::{self, DiscoverError};
use tracing::warn;

/// The DCs in the order in which they are tried; at least one. Blocking: not for a thread of an async runtime.
pub fn controllers(config: &DirectoryConfig) -> Result<Vec<Controller>, PullError> {
    if !config.controllers.is_empty() {
        return Ok(config.controllers.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| DiscoverError::Unusable(why.to_string()))?;
    let names = runtime.block_on(discover::controllers(&config.domain))?;
    Ok(names.into_iter().map(|name| Controller { name, address: None, port: None }).collect())
}

/// The same, without names of DNS that no domain controller of the directory has. `known` are the names that the
/// directory has, in lower case; with none, which is the first contact, the names of DNS are taken as they are.
///
/// A host that DNS names could have been given the service name of a DC by a delegate who may write it. It cannot be
/// given the computer account of a DC.
pub fn confirmed(config: &DirectoryConfig, known: &[String]) -> Result<Vec<Controller>, PullError> {
    let found = controllers(config)?;
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
