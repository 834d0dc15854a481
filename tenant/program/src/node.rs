//! Which node of the tenant this data directory is: an id in the file `node`, whose row is in the database.
//! Neighbours: [`crate::serve`] starts as this node; [`crate::command::nodes`] makes the file of a further one.

use crate::config::Config;
use crate::error::TenantError;
use landbridge_host::key_file;
use landbridge_tenant_core::nodes::{NotANode, can_be_first, enter};
use landbridge_tenant_store::Store;
use std::io::ErrorKind;
use std::path::PathBuf;
use uuid::Uuid;

/// The path of the file.
pub fn file(config: &Config) -> PathBuf {
    config.data_directory.join("node")
}

/// The id in the data directory; none: there is none.
pub fn id(config: &Config) -> Result<Option<Uuid>, TenantError> {
    let path = file(config);
    let todo = "write the id that `landbridge-tenant nodes list` shows for this node, or remove the file if it is the only one";
    match std::fs::read_to_string(&path) {
        Ok(text) => match Uuid::try_parse(text.trim()) {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(TenantError::file(&path, "it holds no id of a node", todo)),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(TenantError::file(&path, format_args!("cannot be read: {e}"), todo)),
    }
}

/// The node that this process is from now on. The first process of a tenant is its first node.
pub fn become_node(config: &Config, store: &Store, now: i64) -> Result<Uuid, TenantError> {
    let refused = |why: NotANode| {
        let todo = match why {
            NotANode::Unknown | NotANode::Removed => {
                "add it on a machine of another node with `landbridge-tenant nodes add`, and join here with \
                 `landbridge-tenant nodes join`"
            }
            NotANode::NotJoined => "join with the bundle: `landbridge-tenant nodes join`",
            NotANode::SameUrl => "give each node a `url` of its own, under which agents reach it alone",
        };
        TenantError::file(&config.data_directory, why, todo)
    };
    let id = match id(config)? {
        Some(id) => id,
        None if can_be_first(store)? => {
            // The file is written first: a node without its id would not find itself again.
            let id = Uuid::new_v4();
            key_file::create(&file(config), format!("{id}\n").as_bytes())?;
            id
        }
        None => return Err(refused(NotANode::Unknown)),
    };
    let entered = enter(store, id, (&name(config), config.url.as_str()), now)?;
    entered.map_err(refused).map(|()| id)
}

/// The name of the first node: the host of its URL.
fn name(config: &Config) -> String {
    config.url.host().to_string()
}
