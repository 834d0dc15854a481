//! The list of the agents' open connections, so that a revocation can cut them.
//! Neighbours: the agents' door enters connections; [`crate::administration`] and [`super::quarantine`] cut them.

use crate::lock::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;
use uuid::Uuid;

/// The open connections, by agent.
#[derive(Debug, Default)]
pub struct OpenConnections(Mutex<HashMap<Uuid, Vec<Arc<Notify>>>>);

/// The entry of one open connection. Dropping it removes the connection from the list.
#[derive(Debug)]
pub struct OpenConnection {
    all: Arc<OpenConnections>,
    agent: Uuid,
    cut: Arc<Notify>,
}

impl OpenConnections {
    /// Enters a connection of this agent.
    pub fn enter(self: &Arc<Self>, agent: Uuid) -> OpenConnection {
        let cut = Arc::new(Notify::new());
        self.lock().entry(agent).or_default().push(cut.clone());
        OpenConnection { all: self.clone(), agent, cut }
    }

    /// Signals every connection of this agent to end.
    pub fn cut(&self, agent: Uuid) {
        for cut in self.lock().get(&agent).into_iter().flatten() {
            cut.notify_one();
        }
    }

    /// Number of agents that have a connection.
    pub fn agents(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<Arc<Notify>>>> {
        lock(&self.0)
    }
}

impl OpenConnection {
    /// Returns when the connection must be cut.
    pub async fn cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        if let Some(entries) = all.get_mut(&self.agent) {
            entries.retain(|entry| !Arc::ptr_eq(entry, &self.cut));
            if entries.is_empty() {
                all.remove(&self.agent);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::agents::open_connections::*;

    #[tokio::test]
    async fn a_cut_reaches_every_connection_of_the_agent_and_no_other() {
        let connections = Arc::new(OpenConnections::default());
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let (first, second, other) = (connections.enter(a), connections.enter(a), connections.enter(b));
        connections.cut(a);
        first.cut().await;
        second.cut().await;
        let waited = tokio::time::timeout(std::time::Duration::from_millis(20), other.cut()).await;
        assert!(waited.is_err());
        drop((first, second));
        assert_eq!(connections.agents(), 1);
    }
}
