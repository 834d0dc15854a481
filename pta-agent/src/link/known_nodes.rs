//! Which nodes of the tenant the agent connects to, by what its connections receive. Pure: time is an argument.
//!
//! The nodes are those that any connected node names last. So a node that lags behind, or lies, takes no other node from
//! the agent while another one is connected; and a node that no connected node names any more is left. A false name
//! leads nowhere, since each node proves a certificate of the tenant's own CA for its host.
//! Neighbours: [`super::Links`] holds a connection to each, and stores the list; `converse.rs` reports what came.

use landbridge_agent::node_choice::in_order;
use landbridge_agent::nodes::usable;
use landbridge_wire::nodes::MAX_NODES;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long the agent is without a connection to a node of its list before it tries the URL of the enrolment as well:
/// all nodes of the list may be gone for good, and a tenant that restarts is back before.
const ALONE: Duration = Duration::from_secs(10);

/// The nodes as far as the agent knows them.
#[derive(Debug)]
pub struct KnownNodes {
    enrolled_at: String,
    /// The nodes in use, sorted. Empty: none were ever named.
    list: Vec<String>,
    /// The welcomed connections by their number.
    connected: BTreeMap<u64, Connected>,
    /// Since when no node of the list is connected.
    alone_since: Option<Instant>,
}

/// A welcomed connection: its node, and the nodes that it named last.
#[derive(Debug)]
struct Connected {
    node: String,
    named: Vec<String>,
}

impl KnownNodes {
    /// The stored nodes, and the URL of the enrolment, which is used when there are none.
    pub fn new(enrolled_at: &str, stored: Vec<String>, now: Instant) -> Self {
        let mut list = stored;
        list.sort_unstable();
        let enrolled_at = in_order(enrolled_at, &[]).concat();
        Self { enrolled_at, list, connected: BTreeMap::new(), alone_since: Some(now) }
    }

    /// The connection of this number, to this node, is welcomed or was sent other nodes: it names these.
    pub fn named(&mut self, number: u64, node: &str, nodes: &[String], now: Instant) {
        let named = usable(nodes.iter().map(String::as_str));
        self.connected.insert(number, Connected { node: node.to_owned(), named });
        self.apply(now);
    }

    /// A connection has ended. What it named no longer counts.
    pub fn ended(&mut self, number: u64, now: Instant) {
        self.connected.remove(&number);
        self.apply(now);
    }

    /// A renewal named these nodes. While a node is connected, what it names counts instead.
    pub fn renewed(&mut self, nodes: &[String], now: Instant) {
        let named = usable(nodes.iter().map(String::as_str));
        if self.connected.is_empty() && !named.is_empty() {
            self.list = named;
            self.list.sort_unstable();
            self.apply(now);
        }
    }

    /// The nodes that the tenant named. Empty: none were ever named.
    pub fn list(&self) -> &[String] {
        &self.list
    }

    /// The nodes to connect to at `now`: those of the list, or the URL of the enrolment if there are none. That URL as
    /// well after 10 s without a connection to a node of the list.
    pub fn wanted(&self, now: Instant) -> Vec<String> {
        let mut wanted = self.list.clone();
        let alone = self.alone_since.is_some_and(|since| now.saturating_duration_since(since) >= ALONE);
        if (alone || wanted.is_empty()) && !wanted.contains(&self.enrolled_at) {
            wanted.push(self.enrolled_at.clone());
        }
        wanted
    }

    /// The nodes at which a renewal is tried, in this order: connected ones first.
    pub fn to_renew_at(&self) -> Vec<String> {
        let mut nodes: Vec<String> = Vec::new();
        for node in
            self.connected.values().map(|one| &one.node).chain(&in_order(&self.enrolled_at, &self.list))
        {
            if !nodes.contains(node) {
                nodes.push(node.clone());
            }
        }
        nodes
    }

    /// Joins what the connected nodes name. Each in turn adds one node until 16 are found, so that a node with a long
    /// list of false names does not displace what another one names.
    fn apply(&mut self, now: Instant) {
        let mut list = BTreeSet::new();
        for at in 0..MAX_NODES {
            let next = self.connected.values().filter_map(|one| one.named.get(at));
            for node in next {
                if list.len() < MAX_NODES {
                    list.insert(node.clone());
                }
            }
        }
        if !list.is_empty() {
            self.list = list.into_iter().collect();
        }
        if self.connected.values().any(|one| self.list.contains(&one.node)) {
            self.alone_since = None;
        } else {
            self.alone_since.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "https://a.test:8443";
    const B: &str = "https://b.test:8443";
    const C: &str = "https://c.test:8443";
    const OLD: &str = "https://old.test:8443";

    fn urls(nodes: &[&str]) -> Vec<String> {
        nodes.iter().map(|node| (*node).to_owned()).collect()
    }

    /// The node at which the agent enrolled is OLD.
    fn known(stored: &[&str], now: Instant) -> KnownNodes {
        KnownNodes::new(OLD, urls(stored), now)
    }

    #[test]
    fn without_a_list_the_url_of_the_enrolment_is_used_until_its_node_names_others() {
        let now = Instant::now();
        let mut nodes = known(&[], now);
        assert_eq!(nodes.wanted(now), [OLD]);
        nodes.named(1, OLD, &urls(&[A, B, OLD]), now);
        assert_eq!(nodes.wanted(now), [A, B, OLD]);
        assert_eq!(nodes.list(), [A, B, OLD]);
    }

    #[test]
    fn an_older_tenant_that_names_no_node_is_used_at_the_url_of_the_enrolment() {
        let now = Instant::now();
        let mut nodes = known(&[], now);
        nodes.named(1, OLD, &[], now);
        assert_eq!(nodes.wanted(now + ALONE), [OLD]);
        assert_eq!(nodes.list(), Vec::<String>::new());
    }

    #[test]
    fn a_node_that_no_connected_node_names_is_left_and_one_that_is_added_is_used() {
        let now = Instant::now();
        let mut nodes = known(&[A, B], now);
        nodes.named(1, A, &urls(&[A, B]), now);
        nodes.named(2, B, &urls(&[A, B]), now);
        nodes.named(1, A, &urls(&[A, C]), now);
        assert_eq!(nodes.wanted(now), [A, B, C], "b still names itself: it may know better");
        nodes.named(2, B, &urls(&[A, C]), now);
        assert_eq!(nodes.wanted(now), [A, C]);
        nodes.ended(2, now);
        assert_eq!(nodes.wanted(now), [A, C]);
    }

    #[test]
    fn a_node_that_names_itself_alone_does_not_take_the_others_away_while_one_is_connected() {
        let now = Instant::now();
        let mut nodes = known(&[A, B], now);
        nodes.named(1, A, &urls(&[A, B]), now);
        nodes.named(2, B, &urls(&[B]), now);
        assert_eq!(nodes.wanted(now), [A, B]);
        // Alone with the agent it does.
        nodes.ended(1, now);
        assert_eq!(nodes.wanted(now), [B]);
        // And when it is gone, the agent comes back by the URL of the enrolment.
        nodes.ended(2, now);
        assert_eq!(nodes.wanted(now), [B]);
        assert_eq!(nodes.wanted(now + ALONE), [B, OLD]);
        nodes.named(3, OLD, &urls(&[A, OLD]), now + ALONE);
        assert_eq!(nodes.wanted(now + ALONE), [A, OLD]);
    }

    #[test]
    fn a_node_with_a_long_list_of_false_names_displaces_no_node_that_another_one_names() {
        let now = Instant::now();
        let mut nodes = known(&[], now);
        let false_names: Vec<String> = (0..16).map(|number| format!("https://x{number}.test:1")).collect();
        nodes.named(1, B, &false_names, now);
        nodes.named(2, A, &urls(&[A, B, C]), now);
        let wanted = nodes.wanted(now);
        assert_eq!(wanted.len(), MAX_NODES);
        assert!([A, B, C].iter().all(|node| wanted.iter().any(|one| one == node)), "{wanted:?}");
    }

    #[test]
    fn an_empty_or_useless_list_changes_nothing() {
        let now = Instant::now();
        let mut nodes = known(&[A, B], now);
        nodes.named(1, A, &[], now);
        nodes.named(1, A, &urls(&["http://c.test", "nonsense"]), now);
        assert_eq!(nodes.wanted(now), [A, B]);
    }

    #[test]
    fn the_url_of_the_enrolment_is_tried_after_ten_seconds_alone_and_left_when_a_node_of_the_list_is_back() {
        let now = Instant::now();
        let mut nodes = known(&[A], now);
        assert_eq!(nodes.wanted(now + ALONE - Duration::from_millis(1)), [A]);
        assert_eq!(nodes.wanted(now + ALONE), [A, OLD]);
        // Its node names only others, which cannot be reached: it stays in use.
        nodes.named(1, OLD, &urls(&[B]), now + ALONE);
        assert_eq!(nodes.wanted(now + ALONE), [B, OLD]);
        nodes.named(2, B, &urls(&[B]), now + ALONE);
        assert_eq!(nodes.wanted(now + ALONE), [B]);
    }

    #[test]
    fn a_renewal_counts_only_while_nothing_is_connected_and_is_tried_at_connected_nodes_first() {
        let now = Instant::now();
        let mut nodes = known(&[A, B], now);
        assert_eq!(nodes.to_renew_at(), [A, B, OLD]);
        nodes.named(1, B, &urls(&[A, B]), now);
        nodes.renewed(&urls(&[C]), now);
        assert_eq!(nodes.list(), [A, B]);
        assert_eq!(nodes.to_renew_at(), [B, A, OLD]);
        nodes.ended(1, now);
        nodes.renewed(&[], now);
        nodes.renewed(&urls(&[C]), now);
        assert_eq!(nodes.list(), [C]);
    }
}
