//! The nodes of a tenant, as agents learn them: processes that serve one tenant, each at a URL of its own.
//! Neighbours: [`crate::enroll`], [`crate::upload`] and [`crate::signin`] carry the list.

use crate::bounded::{List, Text};

/// Limit on the nodes of a tenant. An agent that answers sign-ins holds a connection to each.
pub const MAX_NODES: usize = 16;
/// Limit on the URL of a node, in bytes.
pub const MAX_NODE_URL: usize = 512;

/// `https://host:port` of every node of a tenant. Empty: the tenant says nothing about its nodes.
pub type NodeUrls = List<Text<MAX_NODE_URL>, MAX_NODES>;

/// The URLs of a list, as texts.
pub fn texts(nodes: &NodeUrls) -> impl Iterator<Item = &str> {
    nodes.as_slice().iter().map(Text::as_str)
}

/// The list of these URLs. A URL that is too long is left out, and so are URLs over the limit.
pub fn node_urls(urls: Vec<String>) -> NodeUrls {
    let urls = urls.into_iter().filter_map(|url| Text::new(url).ok()).take(MAX_NODES).collect();
    List::new(urls).unwrap_or_default()
}
