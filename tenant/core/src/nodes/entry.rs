//! Which node a process is, when it starts to serve.
//! Neighbours: the program keeps the id in its data directory.

use landbridge_tenant_store::tables::{audit, nodes};
use landbridge_tenant_store::{Store, StoreError, Writing};
use uuid::Uuid;

/// Why a process is no node of the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANode {
    /// Its data directory has no id, and there are nodes already.
    #[error("this data directory is not one of a node of the tenant")]
    Unknown,
    /// Its id is not in the database, and other nodes are.
    #[error("this node was removed from the tenant")]
    Removed,
    /// It was invited and has not joined.
    #[error("this node has not joined the tenant")]
    NotJoined,
    /// Another node has its URL.
    #[error("another node of the tenant has the same url")]
    SameUrl,
}

/// Whether a data directory without an id can be that of the first node. A file has one node, whatever was there before.
pub fn can_be_first(store: &Store) -> Result<bool, StoreError> {
    Ok(!store.is_shared() || store.read(nodes::all)?.is_empty())
}

/// Enters the process with this id that serves agents at `url`. Where there are no nodes, it is the first one, named `name`.
pub fn enter(
    store: &Store,
    id: Uuid,
    (name, url): (&str, &str),
    now: i64,
) -> Result<Result<(), NotANode>, StoreError> {
    store.write("node-enter", |writing: &Writing<'_>| {
        // 1. Of a file, the nodes of before are gone: it was moved here, or comes from a server.
        if !store.is_shared() {
            for other in nodes::all(writing)?.iter().filter(|node| node.id != id) {
                nodes::remove(writing, other.id)?;
            }
        }
        // 2. Its row.
        let all = nodes::all(writing)?;
        let Some(own) = all.iter().find(|node| node.id == id) else {
            if !all.is_empty() {
                return Ok(Err(NotANode::Removed));
            }
            nodes::insert(writing, id, (name, url), now)?;
            return Ok(Ok(()));
        };
        if own.invited_until.is_some() {
            return Ok(Err(NotANode::NotJoined));
        }
        if all.iter().any(|node| node.url == url && node.id != id) {
            return Ok(Err(NotANode::SameUrl));
        }
        // 3. Its URL, which the configuration may have changed.
        if own.url != url {
            nodes::move_to(writing, id, url)?;
            audit::append(writing, now, "tenant", "node-moved", &own.name, url)?;
        }
        Ok(Ok(()))
    })
}
