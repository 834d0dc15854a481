//! The tenant's logic. The doors name this crate and nothing under it; each holds only the handles that it needs, as
//! values: [`sign_ins::SignIns`], [`directory::Directory`], [`administration::Administration`], [`agents::Agents`],
//! [`applications::Applications`], [`numbers::Snapshot`].

pub mod administration;
pub mod agents;
pub mod applications;
pub mod audit;
pub mod clock;
pub mod directory;
pub mod ingest;
pub mod numbers;
pub mod sign_ins;
pub mod text;

use administration::Administration;
use agents::Agents;
use agents::authority::Authority;
use agents::open_connections::OpenConnections;
use agents::relay_driver::{Raised, RelayDriver};
use applications::{Applications, Rates};
use directory::Directory;
use landbridge_tenant_store::Store;
use numbers::{Numbers, Snapshot};
use sign_ins::{Settings, SignIns, Unready};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The handles over one database, ready to be given to the doors.
#[derive(Debug)]
pub struct Handles {
    /// Sign-ins.
    pub sign_ins: SignIns,
    /// Reading the directory.
    pub directory: Directory,
    /// What administrators do.
    pub administration: Administration,
    /// Agents.
    pub agents: Agents,
    /// Applications.
    pub applications: Applications,
    /// Numbers for monitoring.
    pub snapshot: Snapshot,
    /// Alarms about agents, for [`Agents::run`].
    pub alarms: mpsc::Receiver<Raised>,
}

impl Handles {
    /// Makes the handles. `url` is how agents reach the tenant.
    pub fn new(
        store: &Arc<Store>,
        authority: &Arc<Authority>,
        url: &str,
        settings: Settings,
    ) -> Result<Self, Unready> {
        let numbers = Arc::new(Numbers::default());
        let (open, rates) = (Arc::new(OpenConnections::default()), Arc::new(Rates::default()));
        let (relay, alarms) = RelayDriver::new(authority.tenant(), url, numbers.clone());
        let sign_ins = SignIns::new(store, &numbers, relay.clone(), settings)?;
        let parts = || agents::Parts {
            store: store.clone(),
            authority: authority.clone(),
            relay: relay.clone(),
            open: open.clone(),
            numbers: numbers.clone(),
        };
        let directory = Directory::new(store.clone());
        let administration = Administration::new(administration::Inner {
            store: store.clone(),
            agents: Arc::new(parts()),
            rates: rates.clone(),
            directory: directory.clone(),
            sign_ins: sign_ins.clone(),
            numbers: numbers.clone(),
            url: url.to_owned(),
        });
        let applications = Applications::new(store.clone(), rates, numbers.clone());
        let agents = Agents::new(parts());
        let snapshot = Snapshot::new(store.clone(), numbers, open, authority.life().1);
        Ok(Self { sign_ins, directory, administration, agents, applications, snapshot, alarms })
    }
}
