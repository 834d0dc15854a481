//! The domain controllers: those that the configuration names, or those that DNS names.
//! DNS is queried for each new connection; a kept connection needs no query.
//! Neighbours: `landbridge_agent::discover` queries DNS; `session`, `watch` and `check` use the list.

use crate::config::DirectoryConfig;
use crate::read::pull::{Controller, PullError};
use landbridge_agent::discover::{self, DiscoverError};

/// The DCs in the order in which they are tried; at least one. Blocking: not for a thread of an async runtime.
pub fn controllers(config: &DirectoryConfig) -> Result<Vec<Controller>, PullError> {
    if !config.controllers.is_empty() {
        return Ok(config.controllers.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| DiscoverError::Unusable(why.to_string()))?;
    let names = runtime.block_on(discover::controllers(&config.domain))?;
    Ok(names.into_iter().map(|name| Controller { name, address: None }).collect())
}
