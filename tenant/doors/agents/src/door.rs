//! The door for agents, and the client of a connection.
//! Neighbours: `lib.rs` has the paths; `requests.rs` and `websocket.rs` serve them.

use landbridge_door_listen::listener::Client;
use landbridge_tenant_core::agents::Agents;
use landbridge_tenant_core::agents::certificate_names::Shown;
use landbridge_tenant_core::agents::open_connections::OpenConnection;
use landbridge_tenant_core::agents::process::PeerProcess;
use landbridge_wire::process_proof::{EXPORTER_LABEL, Exporter};
use rustls::{ProtocolVersion, ServerConnection};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;
use tokio::sync::Semaphore;
use uuid::Uuid;

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

/// The client of a connection: the names in its certificate, its process, and its entry among the open connections.
#[derive(Debug)]
pub struct AgentClient {
    /// Its certificate, whose chain is verified; none: it sent none, or one without an agent's names.
    pub shown: Option<Shown>,
    pub(crate) process: PeerProcess,
    open: Option<OpenConnection>,
    agents: Agents,
    /// Set by the first request that is admitted: the agent, and the address of the connection.
    admitted: OnceLock<(Uuid, IpAddr)>,
}

impl AgentClient {
    /// Writes the connection into the audit log with its first admitted request.
    pub(crate) fn note_admitted(&self, agent: Uuid, from: IpAddr) {
        if self.admitted.set((agent, from)).is_ok() {
            self.agents.note_connected(agent, from);
        }
    }
}

impl Drop for AgentClient {
    fn drop(&mut self) {
        if let Some((agent, from)) = self.admitted.get() {
            self.agents.note_disconnected(*agent, *from);
        }
    }
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

    /// The client of a new connection, from its TLS session.
    pub fn identify(&self, session: &ServerConnection) -> AgentClient {
        let certificate = session.peer_certificates().and_then(|chain| chain.first());
        let shown = certificate.and_then(|certificate| Shown::read(certificate));
        let open = shown.as_ref().map(|shown| self.agents.enter(shown.name.agent));
        let exporter = (session.protocol_version() == Some(ProtocolVersion::TLSv1_3))
            .then(|| session.export_keying_material(Exporter::default(), EXPORTER_LABEL, None).ok());
        let process = PeerProcess::new(exporter.flatten());
        AgentClient { shown, process, open, agents: self.agents.clone(), admitted: OnceLock::new() }
    }
}
