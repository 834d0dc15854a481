//! Which node of the tenant a process sends its requests to: one at a time, the last that worked. All requests of the
//! process share the choice, so that phs's heartbeats go where its uploads go.
//! Neighbours: `nodes` has the list, `node_client` sends requests by it, `failover` decides when another node is tried.

use crate::dial::Address;
use crate::identity::Identity;
use crate::nodes;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// The nodes, and the one in use.
#[derive(Debug)]
pub struct NodeChoice {
    state_directory: PathBuf,
    choice: Mutex<Choice>,
}

#[derive(Debug, Default)]
struct Choice {
    /// The agent whose nodes these are, and the URL of its enrolment.
    identity: Option<(Uuid, String)>,
    /// In the order of use. Empty only before the first identity.
    nodes: Vec<String>,
    /// The node in use: an index into `nodes`.
    at: usize,
}

impl NodeChoice {
    /// A choice that stores what it learns under this state directory. [`Self::follow`] comes before all else.
    pub fn new(state_directory: &Path) -> Self {
        Self { state_directory: state_directory.to_owned(), choice: Mutex::default() }
    }

    /// A choice of this node alone, for a preflight: it learns nothing.
    pub fn only(node: &str) -> Self {
        let choice = Choice { identity: None, nodes: vec![node.to_owned()], at: 0 };
        Self { state_directory: PathBuf::new(), choice: Mutex::new(choice) }
    }

    /// Reads the stored nodes if this is another identity than before.
    pub fn follow(&self, identity: &Identity) {
        let present = (identity.agent, identity.url.clone());
        let mut choice = self.lock();
        if choice.identity.as_ref() != Some(&present) {
            let stored = nodes::load(&self.state_directory, identity);
            *choice = Choice { nodes: in_order(&identity.url, &stored), identity: Some(present), at: 0 };
        }
    }

    /// The tenant sent its nodes. The node in use stays in use while it is among them. An empty list changes nothing.
    pub fn learn<'a>(&self, urls: impl IntoIterator<Item = &'a str>) {
        let mut choice = self.lock();
        let Some((agent, enrolled_at)) = choice.identity.clone() else { return };
        let learned = nodes::learn(&self.state_directory, agent, urls);
        if !learned.is_empty() {
            choice.replace(in_order(&enrolled_at, &learned));
        }
    }

    /// The URL of the node in use.
    pub fn present(&self) -> String {
        let choice = self.lock();
        choice.nodes.get(choice.at).cloned().unwrap_or_default()
    }

    /// Uses the node after this one, if this one is still in use: another request may have left it before.
    pub fn leave(&self, node: &str) {
        let mut choice = self.lock();
        if choice.nodes.get(choice.at).is_some_and(|present| present == node) {
            choice.at = (choice.at + 1) % choice.nodes.len();
        }
    }

    /// All nodes, in the order in which they are tried, beginning with the one in use.
    pub fn all(&self) -> Vec<String> {
        let choice = self.lock();
        let mut nodes = choice.nodes.clone();
        nodes.rotate_left(choice.at.min(choice.nodes.len()));
        nodes
    }

    fn lock(&self) -> MutexGuard<'_, Choice> {
        self.choice.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Choice {
    fn replace(&mut self, nodes: Vec<String>) {
        let present = self.nodes.get(self.at);
        self.at = nodes.iter().position(|node| Some(node) == present).unwrap_or(0);
        self.nodes = nodes;
    }
}

/// The nodes in the order of use: those that the tenant named, and after them the URL of the enrolment, so that an agent
/// whose list is of nodes that are gone still finds a tenant there.
pub fn in_order(enrolled_at: &str, learned: &[String]) -> Vec<String> {
    let enrolled_at = Address::parse(enrolled_at).map_or_else(|_| enrolled_at.to_owned(), |at| at.url());
    let mut nodes = learned.to_vec();
    if !nodes.contains(&enrolled_at) {
        nodes.push(enrolled_at);
    }
    nodes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn choice(enrolled_at: &str, learned: &[&str]) -> NodeChoice {
        let learned: Vec<String> = learned.iter().map(|url| (*url).to_owned()).collect();
        let nodes = in_order(enrolled_at, &learned);
        let identity = Some((Uuid::nil(), enrolled_at.to_owned()));
        // Nothing can be stored there, which changes nothing.
        let state_directory = PathBuf::from("/nowhere");
        NodeChoice { state_directory, choice: Mutex::new(Choice { identity, nodes, at: 0 }) }
    }

    #[test]
    fn nodes_are_used_in_their_order_round_and_the_enrolments_url_last() {
        let choice = choice("https://old.test:1", &["https://one.test:1", "https://two.test:1"]);
        assert_eq!(choice.all(), ["https://one.test:1", "https://two.test:1", "https://old.test:1"]);
        choice.leave("https://one.test:1");
        assert_eq!(choice.present(), "https://two.test:1");
        // A request that left the first node as well does not skip the second.
        choice.leave("https://one.test:1");
        assert_eq!(choice.all(), ["https://two.test:1", "https://old.test:1", "https://one.test:1"]);
        choice.leave("https://two.test:1");
        choice.leave("https://old.test:1");
        assert_eq!(choice.present(), "https://one.test:1");
    }

    #[test]
    fn the_node_in_use_stays_in_use_while_the_tenant_names_it() {
        let choice = choice("https://one.test:1", &["https://one.test:1", "https://two.test:1"]);
        choice.leave("https://one.test:1");
        choice.learn(["https://three.test:1", "https://two.test:1"]);
        assert_eq!(choice.present(), "https://two.test:1");
        choice.learn([]);
        choice.learn(["http://no.test"]);
        assert_eq!(choice.present(), "https://two.test:1");
        choice.learn(["https://three.test:1"]);
        assert_eq!(choice.all(), ["https://three.test:1", "https://one.test:1"]);
    }

    #[test]
    fn without_a_list_the_enrolments_url_is_the_only_node() {
        let choice = choice("https://one.test", &[]);
        assert_eq!(choice.all(), ["https://one.test:443"]);
        choice.leave("https://one.test:443");
        assert_eq!(choice.present(), "https://one.test:443");
    }
}
