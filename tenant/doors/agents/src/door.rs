//! The door for agents, and what it knows of the peer of a connection.
//! Neighbours: `lib.rs` has the paths; `requests.rs` and `websocket.rs` serve them.

use landbridge_door_listen::listener::Peer;
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
    /// Places for uploads in memory.
    pub(crate) uploads: Semaphore,
    /// The time for a request's body.
    pub(crate) body_time: Duration,
}

/// What is known of a peer: the certificate that it showed, and its entry among the open connections.
#[derive(Debug)]
pub struct AgentPeer {
    /// The certificate, its chain proved; none: the peer showed none, or one without an agent's names.
    pub shown: Option<Shown>,
    open: Option<OpenConnection>,
}

impl Peer for AgentPeer {
    async fn cut(&self) {
        match &self.open {
            Some(open) => open.cut().await,
            None => std::future::pending().await,
        }
    }
}

impl AgentsDoor {
    /// A door whose requests bring their bodies within this time.
    pub fn new(agents: Agents, body_time: Duration) -> Self {
        Self { agents, uploads: Semaphore::new(UPLOADS), body_time }
    }

    /// What is known of a peer that showed this certificate.
    pub fn peer(&self, certificate: Option<&[u8]>) -> AgentPeer {
        let shown = certificate.and_then(Shown::read);
        let open = shown.as_ref().map(|shown| self.agents.enter(shown.name.agent));
        AgentPeer { shown, open }
    }
}
