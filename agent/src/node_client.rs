//! Requests to a tenant of one node or more: each attempt goes to the node in use, on a connection that is kept.
//! Neighbours: `node_choice` says which node is in use, `http` is a client of one node; phs's `send` and `heartbeat`
//! decide with `failover` when another node is used.

use crate::error::AgentError;
use crate::http::Client;
use crate::identity::Identity;
use crate::node_choice::NodeChoice;
use crate::process_key::ProcessKey;
use crate::proxy::Proxy;
use crate::tls;
use rustls::ClientConfig;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use uuid::Uuid;

/// A client of one tenant.
pub struct NodeClient {
    nodes: Arc<NodeChoice>,
    config: Arc<ClientConfig>,
    proxy: Option<Proxy>,
    /// The process and the agent whose requests these are. None: no connection has a proof.
    process: Option<(Arc<ProcessKey>, Uuid)>,
    /// The node of the last attempt, and the client of it.
    last: Option<(String, Client)>,
}

impl std::fmt::Debug for NodeClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeClient").field("nodes", &self.nodes).finish_non_exhaustive()
    }
}

impl NodeClient {
    /// A client that shows this identity; connects at the first request.
    pub fn new(
        nodes: &Arc<NodeChoice>,
        identity: &Identity,
        proxy: Option<Proxy>,
    ) -> Result<Self, AgentError> {
        let (nodes, config) = (nodes.clone(), tls::enrolled(identity)?);
        Ok(Self { nodes, config, proxy, process: None, last: None })
    }

    /// Proves on each connection that it belongs to this process of the agent.
    #[must_use]
    pub fn proving(self, process: Arc<ProcessKey>, agent: Uuid) -> Self {
        Self { process: Some((process, agent)), last: None, ..self }
    }

    /// The nodes, and the one in use.
    pub fn nodes(&self) -> &NodeChoice {
        &self.nodes
    }

    /// Sends a request to the node in use, once, and reads the answer.
    pub async fn post<Q: Serialize, A: DeserializeOwned>(
        &mut self,
        path: &str,
        question: &Q,
    ) -> Result<A, AgentError> {
        let node = self.nodes.present();
        let client = match self.last.take().filter(|(last, _)| *last == node) {
            Some((_, client)) => client,
            None => self.client(&node)?,
        };
        let (_, client) = self.last.insert((node, client));
        client.post(path, question).await
    }

    /// Leaves the node of the last attempt for the next one, also for all other requests of the process.
    pub fn leave(&mut self) {
        if let Some((node, _)) = self.last.take() {
            self.nodes.leave(&node);
        }
    }

    fn client(&self, node: &str) -> Result<Client, AgentError> {
        let client = Client::through(node, self.config.clone(), self.proxy.clone())?;
        Ok(match &self.process {
            Some((process, agent)) => client.proving(process.clone(), *agent),
            None => client,
        })
    }
}
