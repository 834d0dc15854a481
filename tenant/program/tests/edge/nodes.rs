//! Two nodes of one tenant on one PostgreSQL: how a node joins, what it notices of the other, and how it says that it is unfit.

use crate::administration::scrape;
use crate::harness::{DEADLINE, Edge, Identity, Process, hello, request, until};
use crate::websocket::{honest, links_of};
use hyper::StatusCode;
use landbridge_door_listen::limits::Limits;
use landbridge_tenant::command::Nodes;
use landbridge_tenant::command::nodes::run;
use landbridge_tenant::config::{Config, template};
use landbridge_tenant::error::TenantError;
use landbridge_tenant::serve::Ready;
use landbridge_tenant_core::administration::request::AdminRequest;
use landbridge_tenant_rules::model::AgentState;
use landbridge_tenant_store::tables::{agents, nodes};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::upload::Receipt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SECOND: &str = "https://tenant.example.com:8444";

/// The machine of a new node: its configuration, and no data.
struct Machine {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Machine {
    fn new(edge: &Edge) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (file, data) = (folder.path().join("tenant.toml"), folder.path().join("data"));
        let address = "127.0.0.1:0".parse().unwrap();
        let database = edge.config.database.as_ref().unwrap();
        let text = template(SECOND, address, address, &data);
        std::fs::write(&file, format!("{text}\n[database]\nurl = \"{}\"\n", database.url)).unwrap();
        Self { folder, file }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a key. Returns its public half.
    fn make_key(&self) -> String {
        let told = run(&self.file, &Nodes::Key { file: self.path("node.key") }).unwrap();
        told.lines().find_map(|line| line.trim().strip_prefix("public key")).unwrap().trim().to_owned()
    }

    fn join(&self) -> Result<String, TenantError> {
        let (bundle, key) = (self.path("node.bundle"), self.path("node.key"));
        run(&self.file, &Nodes::Join { bundle, key })
    }

    async fn serve(self) -> Edge {
        let config = Config::load(&self.file).unwrap();
        Edge::serve(self.folder, config, Limits::default()).await
    }
}

fn file_of(edge: &Edge) -> PathBuf {
    edge.folder.path().join("tenant.toml")
}

fn add(edge: &Edge, key: &str, bundle: &Path) -> Result<String, TenantError> {
    let (name, url) = ("second".to_owned(), SECOND.to_owned());
    run(&file_of(edge), &Nodes::Add { name, url, key: key.to_owned(), bundle: bundle.to_owned() })
}

/// Two nodes that serve.
async fn two() -> (Edge, Edge) {
    let edge = Edge::on_server().await;
    let machine = Machine::new(&edge);
    add(&edge, &machine.make_key(), &machine.path("node.bundle")).unwrap();
    machine.join().unwrap();
    (edge, machine.serve().await)
}

/// Whether the operator reads that it is ready.
async fn is_ready(edge: &Edge) -> bool {
    scrape(edge, "/readyz").await.starts_with("HTTP/1.1 200")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_once_with_its_own_key_and_both_serve() {
    let edge = Edge::on_server().await;
    let machine = Machine::new(&edge);
    let (key, bundle) = (machine.make_key(), machine.path("node.bundle"));
    // 1. A directory of no node does not serve beside the first one, and nothing is made by it.
    let stranger = Config::load(&machine.file).unwrap();
    assert!(Ready::new(&stranger, Limits::default()).await.is_err());
    // 2. Both sides show the same fingerprint. Names and URLs are of one node each.
    let told = add(&edge, &key, &bundle).unwrap();
    let text = std::fs::read_to_string(&bundle).unwrap();
    let fingerprint = |told: &str| {
        let line = told.lines().find_map(|line| line.trim().strip_prefix("fingerprint"));
        line.map(str::trim).map(str::to_owned)
    };
    assert!(fingerprint(&told).is_some_and(|shown| shown.len() == 39), "{told}");
    let ca_key = edge.config.ca_key.read().unwrap();
    assert!(!text.contains(ca_key.trim()) && text.starts_with("lbnb1."));
    let strange = Nodes::Add {
        name: "other".to_owned(),
        url: "https://elsewhere.example.com".to_owned(),
        key: key.clone(),
        bundle: machine.path("other.bundle"),
    };
    let refused = run(&file_of(&edge), &strange).unwrap_err().to_string();
    assert!(refused.contains("cannot sign for elsewhere.example.com"), "{refused}");
    // 3. A bundle that was changed, or whose invitation was replaced, is refused and leaves nothing.
    let mut changed = text.clone().into_bytes();
    changed[40] ^= 1;
    std::fs::write(&bundle, &changed).unwrap();
    machine.join().unwrap_err();
    std::fs::remove_file(&bundle).unwrap();
    add(&edge, &key, &bundle).unwrap();
    let newer = std::fs::read_to_string(&bundle).unwrap();
    std::fs::write(&bundle, &text).unwrap();
    machine.join().unwrap_err();
    assert!(!machine.path("data").exists());
    // 4. The right one joins, once.
    std::fs::write(&bundle, &newer).unwrap();
    let key_text = std::fs::read(machine.path("node.key")).unwrap();
    machine.join().unwrap();
    assert!(!bundle.exists() && !machine.path("node.key").exists());
    let again = Machine::new(&edge);
    std::fs::write(again.path("node.bundle"), &newer).unwrap();
    landbridge_host::key_file::create(&again.path("node.key"), &key_text).unwrap();
    again.join().unwrap_err();
    let other = machine.serve().await;
    assert_eq!(edge.tenant.store.read(nodes::urls).unwrap().len(), 2);
    assert!(is_ready(&edge).await && is_ready(&other).await);
    let listed =
        run(&file_of(&edge), &Nodes::List(landbridge_tenant::command::Listing { json: false })).unwrap();
    assert_eq!(listed.lines().filter(|line| line.contains("  serves  ")).count(), 2, "{listed}");
    // 5. What was done is on record.
    let actions: Vec<String> = edge.audit().await.into_iter().map(|entry| entry.action).collect();
    let count = |action: &str| actions.iter().filter(|one| *one == action).count();
    assert_eq!((count("node-added"), count("node-joined")), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_at_one_node_ends_at_the_other() {
    let (edge, other) = two().await;
    let agent = edge.pta().await;
    let joined = honest(&other, &agent, other.connect(Some(&agent)).await.unwrap());
    until("the agent is connected to the other node", async || links_of(&other, &agent) == 1).await;
    edge.ask(AdminRequest::AgentsRevoke { agent: agent.agent }).await;
    // The connection ends, although the other node has received no request.
    tokio::time::timeout(DEADLINE, joined).await.unwrap().unwrap();
    assert_eq!(links_of(&other, &agent), 0);
    let refused = edge.tenant.store.read(|reading| agents::refused(reading, 10)).unwrap();
    assert_eq!(refused, [agent.agent]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_phs_that_uses_another_node_is_noticed() {
    let (edge, other) = two().await;
    let phs = edge.phs().await;
    let _: Receipt = edge.post(Some(&phs), "/v1/upload/hello", &hello(Some(&phs))).await.unwrap();
    // A new process is a restart, at whatever node.
    let copy = phs.copied(Some(Process::new()));
    let _: Receipt = other.post(Some(&copy), "/v1/upload/hello", &hello(Some(&copy))).await.unwrap();
    // The first one is alive still: two processes have the identity. The connection is cut when the quarantine is stored,
    // at the other node within a second, so a request may be cut before it is answered.
    let is_refused = async |node: &Edge, process: &Identity| {
        let body = frame::encode(&hello(Some(process))).unwrap();
        let sent = node.send(Some(process), request("POST", "/v1/upload/hello", &body)).await;
        let problem = sent.ok().and_then(|(_, _, body)| frame::decode::<Problem>(&body).ok());
        problem.is_some_and(|problem| problem.code == ProblemCode::AgentNotApproved)
    };
    until("the first process is refused", async || is_refused(&edge, &phs).await).await;
    let state = || edge.tenant.store.read(|reading| agents::find(reading, phs.agent)).unwrap().unwrap().state;
    until("the agent is in quarantine", async || state() == AgentState::Quarantined).await;
    until("at the other node as well", async || is_refused(&other, &copy).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_removed_stops_and_the_last_one_cannot_be() {
    let (edge, other) = two().await;
    let (folder, config) = (other.folder.path().to_owned(), other.config.clone());
    assert!(folder.exists());
    run(&file_of(&edge), &Nodes::Remove { name: "second".to_owned() }).unwrap();
    assert!(!other.ended().await, "it says that it was removed");
    assert!(Ready::new(&config, Limits::default()).await.is_err(), "and does not serve again");
    let first = edge.tenant.store.read(nodes::all).unwrap().remove(0).name;
    run(&file_of(&edge), &Nodes::Remove { name: first }).unwrap_err();
    run(&file_of(&edge), &Nodes::Remove { name: "second".to_owned() }).unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_says_so_at_each_address_and_serves_on_meanwhile() {
    let edge = Edge::configured(Limits::default(), |config| config.drain = Duration::from_secs(3)).await;
    let asked = || edge.send(None, request("GET", "/readyz", b""));
    assert_eq!(asked().await.unwrap().0, StatusCode::OK);
    edge.tell_to_stop();
    until("it says that it stops", async || !is_ready(&edge).await).await;
    let (status, _, body) = asked().await.unwrap();
    assert_eq!((status, body.as_slice()), (StatusCode::SERVICE_UNAVAILABLE, &b"not ready\n"[..]));
    assert!(scrape(&edge, "/readyz").await.ends_with("it is stopping\n"));
    // Other requests are answered until the time is over.
    assert_eq!(
        edge.send(None, request("GET", "/v1/signin", b"")).await.unwrap().0,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert!(edge.ended().await);
}
