//! The door for agents, and the client of a connection.
//! Neighbours: `lib.rs` has the paths; `requests.rs` and `websocket.rs` serve them.

use landbridge_door_listen::listener::Client;
use landbridge_tenant_core::agents::Agents;
use landbridge_tenant_core::agents::certificate_names::Shown;
use landbridge_tenant_core::agents::open_connections::OpenConnection;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Limit on uploads held in memory. Each is at most 8 MiB, so 4 cost 32 MiB.
const UPLOADS: usize = 4;

/// The door.
#[derive(Debug)]
pub struct AgentsDoor {
    pub(crate) agents: Agents,
    /// Permits for uploads that are held in memory.
    pub(crate) uploads: Semaphore,
    /// The time for a request's body.
    pub(crate) body_time: Duration,
}

/// The client of a connection: the names in its certificate, and its entry among the open connections.
#[derive(Debug)]
pub struct AgentClient {
    /// Its certificate, whose chain is verified; none: it sent none, or one without an agent's names.
    pub shown: Option<Shown>,
    open: Option<OpenConnection>,
}

impl Client for AgentClient {
    async fn cut(&self) {
        match &self.open {
            Some(open) => open.cut().await,
            None => std::future::pending().await,
        }
    }

    fn has_certificate(&self) -> bool {
        self.shown.is_some()
    }
}

impl AgentsDoor {
    /// Creates the door. The body of a request must arrive within `body_time`.
    pub fn new(agents: Agents, body_time: Duration) -> Self {
        Self { agents, uploads: Semaphore::new(UPLOADS), body_time }
    }

    /// The client of a new connection, from its certificate in DER.
    pub fn identify(&self, certificate: Option<&[u8]>) -> AgentClient {
        let shown = certificate.and_then(Shown::read);
        let open = shown.as_ref().map(|shown| self.agents.enter(shown.name.agent));
        AgentClient { shown, open }
    }
}
