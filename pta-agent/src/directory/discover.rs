//! The domain controllers, and the order in which they are tried: those in the configuration, or those that DNS names
//! ([`landbridge_agent::discover`]).

use super::config::{ControllerConfig, DirectoryConfig};
use super::controller::{Controller, ControllerHealth, Shared};
use landbridge_agent::discover::{self, Discovered, Search};
use rustls::ClientConfig;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// Time for which names from DNS are used, whatever their TTL, so that not every sign-in queries DNS.
const FRESH: Duration = Duration::from_secs(60);
/// Time after a failed query until the next one.
const AGAIN: Duration = Duration::from_secs(2);
/// The port of LDAP over TLS. DNS names the port of plain LDAP.
const LDAPS: u16 = 636;

#[derive(Debug)]
pub(super) struct Controllers {
    domain: String,
    site: Option<String>,
    suffixes: Vec<String>,
    /// Decides the order of equal records: chosen at random, so that several agents use several domain controllers, and
    /// kept, so that one agent keeps its connections.
    seed: Uuid,
    connections: u16,
    tls: Arc<ClientConfig>,
    /// Whether DNS names them.
    found: bool,
    known: Mutex<Known>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    controllers: Vec<Shared>,
    until: Option<Instant>,
    why: Option<String>,
    /// What the administrator should know of the last answer of DNS.
    notes: Vec<String>,
}

impl Controllers {
    pub(super) fn new(config: &DirectoryConfig, tls: Arc<ClientConfig>) -> Self {
        let named = config.controllers.iter();
        let controllers =
            named.map(|one| Controller::new(one.clone(), config.connections, tls.clone())).collect();
        Self {
            domain: config.domain.clone(),
            site: config.site.clone(),
            suffixes: config.suffixes.clone(),
            seed: Uuid::new_v4(),
            connections: config.connections,
            tls,
            found: config.controllers.is_empty(),
            known: Mutex::new(Known { controllers, ..Known::default() }),
            asking: tokio::sync::Mutex::new(()),
        }
    }

    /// The next domain controller to try that is not in `other_than`: the first that has not failed recently. If all
    /// have failed, the first.
    pub(super) async fn next(&self, other_than: &[Shared]) -> Option<Shared> {
        let left = self.all().await;
        let left = left.into_iter().filter(|one| !other_than.iter().any(|asked| Arc::ptr_eq(asked, one)));
        let left: Vec<Shared> = left.collect();
        let now = Instant::now();
        left.iter().find(|one| !one.is_aside(now)).or(left.first()).cloned()
    }

    /// All domain controllers that are known now; queries DNS if the names are too old.
    pub(super) async fn all(&self) -> Vec<Shared> {
        if let Some(known) = self.fresh() {
            return known;
        }
        // One query at a time. A sign-in during a query uses the domain controllers that are known, if there are any.
        let _asking = match self.asking.try_lock() {
            Ok(asking) => asking,
            Err(_) => {
                let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).controllers.clone();
                if !known.is_empty() {
                    return known;
                }
                self.asking.lock().await
            }
        };
        if let Some(known) = self.fresh() {
            return known;
        }
        let found = self.query().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(Discovered { names, notes }) => {
                // The connections of domain controllers that DNS still names are kept.
                let old = std::mem::take(&mut known.controllers);
                let one = |config: ControllerConfig| {
                    let same = old.iter().find(|old| *old.config() == config).cloned();
                    same.unwrap_or_else(|| Controller::new(config, self.connections, self.tls.clone()))
                };
                let found = |name| ControllerConfig { name, address: None, port: LDAPS };
                known.controllers = names.into_iter().map(|name| one(found(name))).collect();
                known.notes = notes;
                known.until = Some(Instant::now() + FRESH);
                known.why = None;
            }
            Err(why) => {
                tracing::warn!(why, "DNS does not tell the domain controllers; those that are known go on");
                known.until = Some(Instant::now() + AGAIN);
                known.why = Some(why);
            }
        }
        known.controllers.clone()
    }

    /// The reason why the last query of DNS failed. None: it did not.
    pub(super) fn trouble(&self) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).why.clone()
    }

    /// What the administrator should know of the last answer of DNS.
    pub(super) fn notes(&self) -> Vec<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).notes.clone()
    }

    /// Whether DNS names them. Then a domain controller that cannot be used is no mistake in the configuration.
    pub(super) fn are_found(&self) -> bool {
        self.found
    }

    pub(super) fn health(&self) -> Vec<ControllerHealth> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.controllers.iter().map(|one| one.health()).collect()
    }

    fn fresh(&self) -> Option<Vec<Shared>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = !self.found || known.until.is_some_and(|until| Instant::now() < until);
        fresh.then(|| known.controllers.clone())
    }

    async fn query(&self) -> Result<Discovered, String> {
        let (site, seed) = (self.site.as_deref(), self.seed.as_bytes());
        let search = Search { domain: &self.domain, site, suffixes: &self.suffixes, seed };
        discover::controllers(search).await.map_err(|why| why.to_string())
    }
}
