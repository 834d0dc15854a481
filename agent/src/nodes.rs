//! The nodes of the tenant that this agent has learned, in the file `nodes` beside its identity. With it an agent that
//! starts finds its tenant although the node at which it enrolled is gone.
//!
//! The file holds names and no trust: each node proves a certificate of the tenant's own CA for its host, so a false
//! name leads nowhere. A file that is damaged, or of another identity, counts as an empty list.
//! Neighbours: `enroll` and `renew` write what the tenant answers, pta-agent what its connections receive, and phs what
//! a cycle's hello answers; `node_choice` chooses among them.

use crate::dial::Address;
use crate::error::AgentError;
use crate::identity::{FOLDER, Identity};
use crate::key::{self, FileError};
use landbridge_wire::nodes::{MAX_NODE_URL, MAX_NODES, NodeUrls, node_urls, texts};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tracing::{debug, info, warn};
use uuid::Uuid;

const FILE: &str = "nodes";
const DRAFT: &str = "nodes.new";
/// Limit on the bytes of the file: 16 URLs of 512 bytes, and the JSON around them.
const MAX_FILE: usize = 16 * 1024;

/// One thread of this process writes the file at a time.
static WRITING: Mutex<()> = Mutex::new(());

/// What is in the file.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// Whose nodes these are. After an enrolment with another tenant the ids differ.
    agent: Uuid,
    nodes: NodeUrls,
}

/// The URLs among these that an agent can use, each written as `https://host:port`: of one host and port the first, and
/// 16 at most.
pub fn usable<'a>(urls: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut usable: Vec<String> = Vec::new();
    for url in urls.into_iter().filter(|url| url.len() <= MAX_NODE_URL) {
        match Address::parse(url).map(|address| address.url()) {
            Ok(url) if usable.contains(&url) => {}
            Ok(url) => usable.push(url),
            Err(why) => debug!(%why, "a node without a usable URL is left out"),
        }
    }
    usable.truncate(MAX_NODES);
    usable
}

/// The stored nodes of this identity; empty if none are known. A damaged file is logged and counts as empty.
pub fn load(state_directory: &Path, identity: &Identity) -> Vec<String> {
    match read(state_directory, identity.agent) {
        Ok(nodes) => nodes,
        Err(why) => {
            warn!(%why, "the list of the tenant's nodes is ignored: the URL of the enrolment is used");
            Vec::new()
        }
    }
}

/// Stores the nodes of this agent if they differ from what is stored, and returns those that can be used. An empty list
/// changes nothing. Without the file an agent works on, so a failure is logged only.
pub fn learn<'a>(
    state_directory: &Path,
    agent: Uuid,
    urls: impl IntoIterator<Item = &'a str>,
) -> Vec<String> {
    let nodes = usable(urls);
    if nodes.is_empty() {
        return nodes;
    }
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    if read(state_directory, agent).is_ok_and(|stored| stored == nodes) {
        return nodes;
    }
    match write(state_directory, agent, nodes.clone()) {
        Ok(()) => info!(nodes = nodes.join(" "), "the tenant's nodes are stored"),
        Err(why) => warn!(%why, "the list of the tenant's nodes cannot be stored"),
    }
    nodes
}

fn read(state_directory: &Path, agent: Uuid) -> Result<Vec<String>, AgentError> {
    let path = state_directory.join(FOLDER).join(FILE);
    let damaged = |why: &str| FileError::Content { path: path.clone(), why: why.to_owned() };
    if !path.try_exists().map_err(FileError::io(&path, "look at"))? {
        return Ok(Vec::new());
    }
    let json = key::read_secret(&path, MAX_FILE)?;
    let stored: Stored = serde_json::from_slice(&json).map_err(|_| damaged("it is no list of nodes"))?;
    if stored.version != 1 {
        return Err(damaged("it is of a newer program").into());
    }
    if stored.agent != agent {
        return Ok(Vec::new());
    }
    let urls: Vec<&str> = texts(&stored.nodes).collect();
    let nodes = usable(urls.iter().copied());
    if nodes != urls {
        return Err(damaged("it holds a URL that no agent writes").into());
    }
    Ok(nodes)
}

/// Replaces the file: all of it, or nothing.
fn write(state_directory: &Path, agent: Uuid, nodes: Vec<String>) -> Result<(), FileError> {
    let folder = state_directory.join(FOLDER);
    key::check_private_directory(&folder)?;
    let (path, draft) = (folder.join(FILE), folder.join(DRAFT));
    let json = serde_json::to_vec_pretty(&Stored { version: 1, agent, nodes: node_urls(nodes) });
    let json = json.map_err(|why| FileError::Content { path: path.clone(), why: why.to_string() })?;
    // A draft is left behind when the process ends while it writes.
    match std::fs::remove_file(&draft) {
        Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
            return Err(FileError::io(&draft, "remove")(why));
        }
        Ok(()) | Err(_) => {}
    }
    key::write_secret(&draft, &json)?;
    std::fs::rename(&draft, &path).map_err(FileError::io(&path, "replace"))?;
    key::sync_directory(&folder)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};

    const AGENT: Uuid = Uuid::from_u128(7);

    /// A state directory with an identity's folder.
    fn state() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::DirBuilder::new().mode(0o700).create(directory.path().join(FOLDER)).unwrap();
        directory
    }

    fn file(state: &tempfile::TempDir) -> std::path::PathBuf {
        state.path().join(FOLDER).join(FILE)
    }

    fn read_again(state: &tempfile::TempDir) -> Vec<String> {
        read(state.path(), AGENT).unwrap()
    }

    #[test]
    fn nodes_are_stored_for_their_owner_alone_and_written_only_when_they_change() {
        let state = state();
        assert_eq!(read_again(&state), Vec::<String>::new());
        let two = ["https://one.test:8443", "https://two.test:8443"];
        assert_eq!(learn(state.path(), AGENT, two), two);
        let metadata = std::fs::metadata(file(&state)).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600);
        // The same list, and an empty one, leave the file as it is: another file would have another number.
        learn(state.path(), AGENT, two);
        learn(state.path(), AGENT, []);
        assert_eq!(std::fs::metadata(file(&state)).unwrap().ino(), metadata.ino());
        assert_eq!(read_again(&state), two);
        learn(state.path(), AGENT, ["https://two.test:8443"]);
        assert_eq!(read_again(&state), ["https://two.test:8443"]);
        assert_eq!(std::fs::read_dir(state.path().join(FOLDER)).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_draft_of_a_process_that_was_killed_is_replaced() {
        let state = state();
        std::fs::write(state.path().join(FOLDER).join(DRAFT), "half of a li").unwrap();
        learn(state.path(), AGENT, ["https://one.test:1"]);
        assert_eq!(read_again(&state), ["https://one.test:1"]);
    }

    #[test]
    fn the_nodes_of_another_identity_are_not_used_and_are_replaced() {
        let state = state();
        learn(state.path(), Uuid::from_u128(8), ["https://other.test:1"]);
        assert_eq!(read_again(&state), Vec::<String>::new());
        learn(state.path(), AGENT, ["https://one.test:1"]);
        assert_eq!(read_again(&state), ["https://one.test:1"]);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_is_replaced_by_the_next_list() {
        let state = state();
        let list = |nodes: &str| format!("{{\"version\":1,\"agent\":\"{AGENT}\",\"nodes\":{nodes}}}");
        let long = format!("[\"https://{}.test:1\"]", "a".repeat(600));
        let many: Vec<String> = (0..17).map(|number| format!("\"https://n{number}.test:1\"")).collect();
        for damaged in [
            "".to_owned(),
            "{".to_owned(),
            list("\"https://one.test:1\""),
            list("[\"http://one.test:1\"]"),
            list("[\"https://one.test:1/path\"]"),
            list("[\"https://one.test:1\",\"https://one.test:1\"]"),
            list(&long),
            list(&format!("[{}]", many.join(","))),
            list("[]").replace("\"version\":1", "\"version\":2"),
            " ".repeat(MAX_FILE + 1),
        ] {
            let _ = std::fs::remove_file(file(&state));
            key::write_secret(&file(&state), damaged.as_bytes()).unwrap();
            assert!(read(state.path(), AGENT).is_err(), "{damaged:.80}");
        }
        learn(state.path(), AGENT, ["https://one.test:1"]);
        assert_eq!(read_again(&state), ["https://one.test:1"]);
    }

    #[test]
    fn a_file_that_others_can_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt as _;
        let state = state();
        learn(state.path(), AGENT, ["https://one.test:1"]);
        std::fs::set_permissions(file(&state), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(read(state.path(), AGENT).is_err());
    }

    #[test]
    fn only_https_urls_are_usable_each_host_and_port_once_and_16_at_most() {
        let urls = [
            "https://One.test",
            "https://one.test:443/",
            "http://two.test:8443",
            "https://user@three.test",
            "https://four.test/path",
            "https://[::1]:8443",
            "nonsense",
            "",
        ];
        assert_eq!(usable(urls), ["https://one.test:443", "https://[::1]:8443"]);
        let long = format!("https://{}.test", "a".repeat(MAX_NODE_URL));
        assert_eq!(usable([long.as_str()]), Vec::<String>::new());
        let many: Vec<String> = (0..20).map(|number| format!("https://n{number}.test:1")).collect();
        assert_eq!(usable(many.iter().map(String::as_str)), many[..16]);
    }
}
