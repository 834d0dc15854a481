//! Which DCs there are: those that the configuration names, or those that DNS knows.
//! Asked again whenever somebody connects; a connection that is kept asks nobody.
//! Neighbours: `landbridge_agent::discover` has the question; `directory`, `watch` and `check` go through the list.

use crate::config::DirectoryConfig;
use crate::read::pull::{Controller, PullError};
use landbridge_agent::discover::{self, DiscoverError};

/// The DCs in the order in which they are to be tried; never none. Blocking, and not for a thread of a runtime.
pub fn controllers(config: &DirectoryConfig) -> Result<Vec<Controller>, PullError> {
    if !config.controllers.is_empty() {
        return Ok(config.controllers.clone());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| DiscoverError::Unusable(why.to_string()))?;
    let names = runtime.block_on(discover::controllers(&config.domain))?;
    Ok(names.into_iter().map(|name| Controller { name, address: None }).collect())
}
