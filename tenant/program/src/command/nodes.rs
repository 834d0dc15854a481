//! The commands for nodes: a new one makes a key, a node of the tenant seals the tenant's keys to it, and it joins with them.
//!
//! The commands use the database themselves, so that they work while the tenant does not run here, and while a node that is
//! to be removed is gone.
//! Neighbours: [`crate::node`] has the id of the data directory; `tables::nodes` in the store has the rows.

use super::Nodes;
use super::backup::actor;
use super::new_directory::NewDirectory;
use super::table::aligned;
use crate::config::{Config, TenantUrl};
use crate::error::TenantError;
use crate::{keys, node};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::envelope::bundle::{BundleKey, BundlePublic, MAX_BUNDLE};
use landbridge_crypto::fingerprint::of_public_key;
use landbridge_crypto::seal::{SealKey, SealKeys};
use landbridge_crypto::sha_256::sha_256;
use landbridge_host::clock_text::utc;
use landbridge_host::key_file;
use landbridge_host::key_file::{KeySource, own_uid};
use landbridge_tenant_core::applications::is_valid_name;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_store::tables::audit;
use landbridge_tenant_store::tables::nodes::{self, Node};
use landbridge_tenant_store::{Location, Store, Writing};
use landbridge_wire::nodes::MAX_NODES;
use serde::{Deserialize, Serialize};
use std::io::Read as _;
use std::path::Path;
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Seconds in which a node joins after it was added.
const INVITATION: i64 = 600;
/// A node that was seen in the last so many seconds serves: it is noted every 30 s.
const SERVES: i64 = 90;
/// Start of the text of a private key, of a public key, and of a bundle.
const PRIVATE: &str = "lbnk1.";
const PUBLIC: &str = "lbnp1.";
const BUNDLE: &str = "lbnb1.";
/// Limit on the bytes of a file that is read here.
const MAX_FILE: u64 = 2 * MAX_BUNDLE as u64;

/// What a bundle holds. Wiped on drop.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Contents {
    #[zeroize(skip)]
    tenant: Uuid,
    name: String,
    url: String,
    root: String,
    ca_key: String,
    seal_keys: Vec<String>,
}

/// A row of `nodes list --json`.
#[derive(Serialize)]
struct Shown<'a> {
    id: Uuid,
    name: &'a str,
    url: &'a str,
    state: &'static str,
    added_at: i64,
    seen_at: Option<i64>,
    software: &'a str,
}

/// Executes a command. Returns what it prints.
pub fn run(config_file: &Path, command: &Nodes) -> Result<String, TenantError> {
    match command {
        Nodes::List(listing) => list(&Config::load(config_file)?, listing.json),
        Nodes::Key { file } => make_key(file),
        Nodes::Add { name, url, key, bundle } => add(&Config::load(config_file)?, (name, url), key, bundle),
        Nodes::Join { bundle, key } => join(config_file, bundle, key),
        Nodes::Remove { name } => remove(&Config::load(config_file)?, name),
    }
}

fn list(config: &Config, json: bool) -> Result<String, TenantError> {
    let (all, now) = (open(config)?.read(nodes::all)?, unix_now());
    if json {
        let rows: Vec<Shown<'_>> = all.iter().map(|node| shown(node, now)).collect();
        let text = serde_json::to_string_pretty(&rows);
        return Ok(text.map_err(|e| TenantError::Defect(e.to_string()))? + "\n");
    }
    let cells = |node: &Node| {
        let Shown { state, seen_at, software, .. } = shown(node, now);
        let seen = seen_at.map_or_else(|| "-".to_owned(), utc);
        let software = if software.is_empty() { "-" } else { software };
        vec![node.name.clone(), node.url.clone(), state.to_owned(), seen, software.to_owned()]
    };
    let rows: Vec<Vec<String>> = all.iter().map(cells).collect();
    let mut text = aligned(&["NAME", "URL FOR AGENTS", "STATE", "SEEN", "VERSION"], &rows);
    let newest = all.iter().filter_map(|node| node.schema).max();
    let old: Vec<&str> = all
        .iter()
        .filter(|node| node.schema.is_some_and(|schema| Some(schema) < newest))
        .map(|node| node.name.as_str())
        .collect();
    if !old.is_empty() {
        let names = old.join(", ");
        text += &format!("\nThe upgrade of the tables waits for nodes of an older version: {names}\n");
    }
    Ok(text)
}

fn shown(node: &Node, now: i64) -> Shown<'_> {
    let state = match (node.invited_until, node.seen_at) {
        (Some(until), _) if until < now => "invitation over",
        (Some(_), _) => "invited",
        (None, Some(seen)) if now.saturating_sub(seen) <= SERVES => "serves",
        (None, Some(_)) => "silent",
        (None, None) => "never served",
    };
    let Node { id, name, url, added_at, seen_at, software, .. } = node;
    Shown { id: *id, name, url, state, added_at: *added_at, seen_at: *seen_at, software }
}

fn make_key(file: &Path) -> Result<String, TenantError> {
    let key = BundleKey::generate();
    let mut text = Zeroizing::new(String::with_capacity(64));
    text.push_str(PRIVATE);
    key.lend(|bytes| URL_SAFE_NO_PAD.encode_string(bytes, &mut text));
    text.push('\n');
    key_file::create(file, text.as_bytes())?;
    let public = key.public().to_bytes();
    Ok(format!(
        "The key is in {file}.\n\
         \x20 public key   {PUBLIC}{key}\n\
         \x20 fingerprint  {fingerprint}\n\
         \n\
         Next, on a node of the tenant:\n\
         \x20 landbridge-tenant nodes add NAME --url https://THIS-NODE:8443 --key {PUBLIC}{key} node.bundle\n\
         and here, within ten minutes:\n\
         \x20 landbridge-tenant nodes join node.bundle --key {file}\n",
        file = file.display(),
        key = URL_SAFE_NO_PAD.encode(public),
        fingerprint = of_public_key(&public),
    ))
}

fn add(config: &Config, (name, url): (&str, &str), key: &str, file: &Path) -> Result<String, TenantError> {
    // 1. What was typed.
    if !is_valid_name(name) {
        let what = "a node's name is 1 to 64 letters, digits, `-`, `_` and `.`".to_owned();
        return Err(TenantError::Usage(what));
    }
    let url = TenantUrl::parse(url).map_err(|why| TenantError::Usage(format!("--url: {why}")))?;
    let public = public_key(key).ok_or_else(|| {
        TenantError::Usage("--key: this is not a public key that `nodes key` printed".to_owned())
    })?;
    if config.database.is_none() {
        let what = "the tenant's database is a file, which serves one node";
        let todo = "move it to a PostgreSQL server first: `landbridge-tenant migrate`";
        return Err(TenantError::file(&config.database_file(), what, todo));
    }
    // 2. The tenant's keys, checked against its database.
    let store = open(config)?;
    let root = config.root_certificate();
    let authority = keys::authority(store.tenant().id, (&config.ca_key, own_uid()), &root, unix_now())?;
    if let Err(why) = authority.server_certificate(url.host(), unix_now()) {
        let what = format!("--url: {why}: name that host with another port, or a name below it");
        return Err(TenantError::Usage(what));
    }
    let root = std::fs::read_to_string(&root).map_err(|e| unreadable(&root, &e))?;
    let seal_keys = config.seal_keys.iter().map(|key| key.read_of(own_uid()).map(|text| text.to_string()));
    let contents = Contents {
        tenant: store.tenant().id,
        name: name.to_owned(),
        url: url.as_str().to_owned(),
        root,
        ca_key: config.ca_key.read_of(own_uid())?.to_string(),
        seal_keys: seal_keys.collect::<Result<_, _>>()?,
    };
    // 3. The bundle.
    let (id, now) = (Uuid::new_v4(), unix_now());
    let plain = serde_json::to_vec(&contents).map_err(|e| TenantError::Defect(e.to_string()))?;
    let sealed = public.seal(id.as_bytes(), &Zeroizing::new(plain));
    let sealed = sealed.map_err(|e| TenantError::Defect(e.to_string()))?;
    let bundle = [id.as_bytes().as_slice(), &sealed].concat();
    let text = format!("{BUNDLE}{}\n", URL_SAFE_NO_PAD.encode(&bundle));
    key_file::create(file, text.as_bytes())?;
    // 4. The invitation. Without it the bundle is of no use.
    let fingerprint = of_public_key(&public.to_bytes());
    let invited = store.write("node-add", |writing: &Writing<'_>| {
        let others: Vec<Node> = nodes::all(writing)?
            .into_iter()
            .filter(|node| node.name != name || node.invited_until.is_none())
            .collect();
        if others.len() >= MAX_NODES {
            return Ok(Err(format!("the tenant has {MAX_NODES} nodes, and can have no more")));
        }
        if others.iter().any(|node| node.name == name || node.url == url.as_str()) {
            return Ok(Err("a node has this name or this URL already".to_owned()));
        }
        nodes::invite(writing, id, (name, url.as_str()), (&sha_256(&bundle), now + INVITATION), now)?;
        let detail = format!("{}, key {fingerprint}", url.as_str());
        audit::append(writing, now, &actor(), "node-added", name, &detail)?;
        Ok(Ok(()))
    });
    if let Err(what) = invited.inspect_err(|_| drop(std::fs::remove_file(file)))? {
        let _ = std::fs::remove_file(file);
        let todo = "name another, or remove that one with `landbridge-tenant nodes remove`".to_owned();
        return Err(TenantError::Refused { what, todo });
    }
    Ok(format!(
        "The bundle for {name} is in {file}.\n\
         \x20 fingerprint  {fingerprint}\n\
         \x20 good until   {until}, once\n\
         \n\
         Compare the fingerprint with the one on the new node. Only its key opens the bundle.\n\
         Next, on the new node: landbridge-tenant nodes join {file} --key FILE\n",
        file = file.display(),
        until = utc(now + INVITATION),
    ))
}

fn join(config_file: &Path, file: &Path, key_file: &Path) -> Result<String, TenantError> {
    let config = Config::load(config_file)?;
    let Some(server) = config.server_address()? else {
        let what = "it has no section [database], so this node would have no part in the tenant's database";
        let todo = "write the section of the other nodes into it";
        return Err(TenantError::file(config_file, what, todo));
    };
    // 1. The bundle, opened.
    let damaged = || {
        let todo = "add the node again with the key that `nodes key` prints here";
        TenantError::file(file, "this bundle is damaged, or was sealed to another key", todo)
    };
    let key = private_key(key_file)?;
    let text = read(file)?;
    let bundle = text.trim().strip_prefix(BUNDLE).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let bundle = bundle.ok_or_else(damaged)?;
    let (id, sealed) = bundle.split_first_chunk::<16>().ok_or_else(damaged)?;
    let plain = key.open(id, sealed).map_err(|_| damaged())?;
    let contents: Contents = serde_json::from_slice(&plain).map_err(|_| damaged())?;
    let id = Uuid::from_bytes(*id);
    // 2. It fits the configuration.
    let unfit = |what: String, todo: &str| Err(TenantError::file(config_file, what, todo));
    if contents.url != config.url.as_str() {
        let what =
            format!("it has url = \"{}\", and the node was added with {}", config.url.as_str(), contents.url);
        return unfit(what, "write the same url, or add the node again");
    }
    if contents.seal_keys.len() != config.seal_keys.len() {
        let what = format!(
            "it names {} seal keys, and the tenant has {}",
            config.seal_keys.len(),
            contents.seal_keys.len()
        );
        return unfit(what, "configure as many seal_keys as the other nodes");
    }
    // 3. The data directory, which appears when the node has joined.
    let mut directory = NewDirectory::begin_data_directory(&config)?;
    let root = directory.path().join("tls").join("root.pem");
    key_file::create_with_mode(&root, contents.root.as_bytes(), 0o644)?;
    key_file::create(&directory.path().join("node"), format!("{id}\n").as_bytes())?;
    directory.write_key(&config.ca_key, &contents.ca_key)?;
    let mut opening = Vec::new();
    for (source, text) in config.seal_keys.iter().zip(&contents.seal_keys) {
        directory.write_key(source, text)?;
        opening.push(SealKey::parse(text).map_err(|_| damaged())?);
    }
    // 4. The database is that of the bundle, and expects this node.
    let store = Store::open(Location::Server(Box::new(server)), SealKeys::new(opening))?;
    if store.tenant().id != contents.tenant {
        return unfit("its database is of another tenant".to_owned(), "name the database of the other nodes");
    }
    let now = unix_now();
    let joined = store.write("node-join", |writing: &Writing<'_>| {
        let joined = nodes::join(writing, id, &sha_256(&bundle), now)?;
        if joined {
            audit::append(writing, now, &actor(), "node-joined", &contents.name, &contents.url)?;
        }
        Ok(joined)
    })?;
    if !joined {
        let what = "the invitation is over, was used before, or was replaced".to_owned();
        return Err(TenantError::Refused { what, todo: "add the node again with `nodes add`".to_owned() });
    }
    directory.finish()?;
    let mut left = String::new();
    for used in [file, key_file] {
        if let Err(e) = std::fs::remove_file(used) {
            left.push_str(&format!("\nRemove {} by hand: {e}\n", used.display()));
        }
    }
    Ok(format!(
        "This machine is the node {} of the tenant.\n\
         \x20 data directory  {}\n\
         \n\
         Next: landbridge-tenant serve\n\
         Agents connect to it as soon as it serves.\n{left}",
        contents.name,
        config.data_directory.display(),
    ))
}

fn remove(config: &Config, name: &str) -> Result<String, TenantError> {
    let (store, now, own) = (open(config)?, unix_now(), node::id(config)?);
    let removed = store.write("node-remove", |writing: &Writing<'_>| {
        let all = nodes::all(writing)?;
        let Some(node) = all.iter().find(|node| node.name == name) else {
            return Ok(Err("there is no such node"));
        };
        if all.iter().filter(|node| node.invited_until.is_none()).all(|other| other.id == node.id) {
            return Ok(Err("it is the only node of the tenant"));
        }
        nodes::remove(writing, node.id)?;
        audit::append(writing, now, &actor(), "node-removed", &node.name, &node.url)?;
        Ok(Ok(Some(node.id) == own))
    })?;
    let is_own = removed.map_err(|what| TenantError::Refused {
        what: what.to_owned(),
        todo: "see `landbridge-tenant nodes list`".to_owned(),
    })?;
    let which = if is_own { "This node" } else { "The node" };
    Ok(format!(
        "{which} {name} is removed, and stops within a second if it runs.\n\
         \n\
         Its data directory still holds the tenant's keys: delete it. If others may have copied it, see\n\
         docs/operations.md, \"A node was stolen\".\n"
    ))
}

/// The database, opened with the keys of the configuration.
fn open(config: &Config) -> Result<Store, TenantError> {
    Ok(Store::open(config.location()?, keys::seal_keys(&config.seal_keys, own_uid())?)?)
}

fn public_key(text: &str) -> Option<BundlePublic> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim().strip_prefix(PUBLIC)?).ok()?;
    BundlePublic::from_bytes(&bytes).ok()
}

fn private_key(file: &Path) -> Result<BundleKey, TenantError> {
    let source = KeySource::File(file.to_owned());
    let text = source.read()?;
    let bytes = text.trim().strip_prefix(PRIVATE).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let key = bytes.map(Zeroizing::new).and_then(|bytes| BundleKey::from_bytes(&bytes).ok());
    let todo = "name the file that `landbridge-tenant nodes key` made";
    key.ok_or_else(|| TenantError::file(file, "it holds no key of a node", todo))
}

fn read(file: &Path) -> Result<String, TenantError> {
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|e| unreadable(file, &e))?;
    opened.take(MAX_FILE).read_to_string(&mut text).map_err(|e| unreadable(file, &e))?;
    Ok(text)
}

fn unreadable(file: &Path, error: &std::io::Error) -> TenantError {
    TenantError::file(file, format_args!("cannot be read: {error}"), "run this as a user who may read it")
}
