//! The tenant's logic. A door names this crate and none below it, and receives only the handles that it needs, as values:
//! [`sign_ins::SignIns`], [`directory::Directory`], [`administration::Administration`], [`agents::Agents`],
//! [`applications::Applications`], [`numbers::Snapshot`]. `program` creates all of them with [`Handles::new`].

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
use agents::relay_driver::{RaisedAlarm, RelayDriver};
use applications::{Applications, Rates};
use audit::Recorder;
use directory::Directory;
use landbridge_tenant_store::Store;
use numbers::{Numbers, Snapshot};
use sign_ins::{Settings, SignIns, Signin, Unready};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The handles on one tenant. `program` passes each door those that it needs.
#[derive(Debug)]
pub struct Handles {
    /// Sign-ins.
    pub sign_ins: SignIns,
    /// Reading the directory.
    pub directory: Directory,
    /// Requests of administrators.
    pub administration: Administration,
    /// Agents.
    pub agents: Agents,
    /// Applications.
    pub applications: Applications,
    /// Numbers for monitoring.
    pub snapshot: Snapshot,
    /// Alarms about agents, for [`Agents::run`].
    pub alarms: mpsc::Receiver<RaisedAlarm>,
}

/// Why the handles cannot be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssemblyError {
    /// The system gives no threads or no randomness.
    #[error(transparent)]
    Unready(#[from] Unready),
}

impl Handles {
    /// Creates the handles. Agents connect to `url`. A refused sign-in is answered at a multiple of `grid` after its arrival.
    pub fn new(
        store: &Arc<Store>,
        authority: &Arc<Authority>,
        url: &str,
        settings: Settings,
        grid: Duration,
    ) -> Result<Self, AssemblyError> {
        let numbers = Arc::new(Numbers::default());
        let (open, rates) = (Arc::new(OpenConnections::default()), Arc::new(Rates::default()));
        let (relay, alarms) = RelayDriver::new(authority.tenant(), url, numbers.clone());
        let signin = Signin::new(store.clone(), numbers.counts.clone(), settings)?;
        let recorder = Recorder::start(store.clone()).map_err(|_| Unready::NoThreads)?;
        let inner =
            sign_ins::Inner { signin, relay: relay.clone(), recorder, numbers: numbers.clone(), grid };
        let sign_ins = SignIns::new(inner);
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
