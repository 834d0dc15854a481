//! The local socket, the metrics, the start and the end of a tenant.

use crate::harness::{DEADLINE, DOMAIN, Edge, hello, request, until};
use landbridge_door_listen::limits::Limits;
use landbridge_door_operator::call::send_request;
use landbridge_tenant::command::{Init, init::init};
use landbridge_tenant::config::Config;
use landbridge_tenant::error::TenantError;
use landbridge_tenant::serve::Ready;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, MAX_REQUEST};
use landbridge_wire::enroll::Role;
use landbridge_wire::upload::Receipt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

async fn call(edge: &Edge, question: AdminRequest) -> Result<AdminResponse, TenantError> {
    let socket = edge.config.admin_socket();
    Ok(tokio::task::spawn_blocking(move || send_request(&socket, &question)).await.unwrap()?)
}

async fn raw(edge: &Edge, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(edge.config.admin_socket()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_answered_over_the_socket() {
    let edge = Edge::start().await;
    let AdminResponse::Domains(domains) = call(&edge, AdminRequest::DomainsList).await.unwrap() else {
        panic!()
    };
    assert_eq!(domains[0].name, DOMAIN);
    let nobody = call(&edge, AdminRequest::AgentsRevoke { agent: uuid::Uuid::new_v4() }).await.unwrap_err();
    assert_eq!(nobody.exit_code(), 4);
    assert!(nobody.todo().unwrap().contains("agents list"));
    for minutes in [0, 11] {
        let ask = AdminRequest::TokenCreate { role: Role::Phs, domain: DOMAIN.to_owned(), minutes };
        assert_eq!(call(&edge, ask).await.unwrap_err().exit_code(), 4);
    }
    let socket = edge.config.admin_socket();
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(socket.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    let mine = rustix::process::geteuid().as_raw();
    assert!(
        edge.audit().await.iter().any(|e| e.actor.starts_with("uid 0")),
        "who did it is written down: {mine}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_or_oversized_request_is_refused_without_repeating_it() {
    let edge = Edge::start().await;
    for bytes in [
        b"".as_slice(),
        b"{",
        b"GET / HTTP/1.1\r\n\r\n",
        br#"{"sign-in":{"password":"Hunter2!"}}"#,
        &[0xff; 64],
    ] {
        let answer = raw(&edge, bytes).await;
        assert!(answer.contains("\"refused\"") && !answer.contains("Hunter2!"), "{answer}");
    }
    assert!(raw(&edge, &vec![b' '; MAX_REQUEST + 1]).await.contains("too long"));
    call(&edge, AdminRequest::AppsList).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_uid_gets_no_answer_but_no() {
    assert!(rustix::process::geteuid().is_root(), "run the tests as root: this one becomes somebody else");
    let edge = Edge::start().await;
    // Even were the directory and the socket left open, the kernel says who calls.
    let socket = edge.config.admin_socket();
    for (path, mode) in
        [(edge.folder.path(), 0o755), (socket.parent().unwrap(), 0o755), (socket.as_path(), 0o666)]
    {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let script = format!(
        "import socket; s = socket.socket(socket.AF_UNIX); s.connect('{}'); s.sendall(b'\"apps-list\"\\n'); \
         s.shutdown(socket.SHUT_WR); print(s.makefile().read())",
        socket.display()
    );
    let run = move |uid: &'static str| {
        let script = script.clone();
        tokio::task::spawn_blocking(move || {
            let ids = ["--reuid", uid, "--regid", uid, "--clear-groups", "--", "/usr/bin/python3", "-c"];
            Command::new("setpriv").args(ids).arg(&script).output().unwrap()
        })
    };
    let nobody = run("65534").await.unwrap();
    let answer = String::from_utf8_lossy(&nobody.stdout).into_owned();
    assert!(answer.contains("\"refused\"") && answer.contains("only root"), "{answer} {:?}", nobody.stderr);
    let refused = async || edge.audit().await.into_iter().find(|entry| entry.action == "socket-refused");
    until("the refused user is in the audit log", async || refused().await.is_some()).await;
    let actor = refused().await.unwrap().actor;
    assert!(actor.starts_with("uid 65534 (nobody)"), "{actor}");
    let root = run("0").await.unwrap();
    assert!(String::from_utf8_lossy(&root.stdout).contains("\"apps\""));
}

pub(crate) async fn scrape(edge: &Edge, path: &str) -> String {
    let mut stream = TcpStream::connect(edge.observe).await.unwrap();
    stream
        .write_all(format!("GET {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_are_there_for_the_operator() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let _: Receipt = edge.post(Some(&phs), "/v1/upload/hello", &hello(Some(&phs))).await.unwrap();
    edge.send(None, request("POST", "/v1/signin", b"")).await.unwrap();
    assert!(scrape(&edge, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(scrape(&edge, "/else").await.starts_with("HTTP/1.1 404"));
    let metrics = scrape(&edge, "/metrics").await;
    for line in [
        "landbridge_uploads_total{outcome=\"ok\"} 1",
        "landbridge_enrollments_total{outcome=\"ok\"} 1",
        "landbridge_signins_not_asked_total{why=\"credential\"} 1",
        "landbridge_agents{state=\"approved\"} 1",
        "landbridge_accounts{domain=\"corp.example.com\"} 0",
        "landbridge_objects{domain=\"corp.example.com\",kind=\"group\"} 0",
        "landbridge_objects_removed{domain=\"corp.example.com\"} 0",
        "landbridge_links{domain=\"corp.example.com\",kind=\"member\"} 0",
        "landbridge_ambiguous_names 0",
        "landbridge_links_applied_total 0",
        "landbridge_records_applied_total 0",
        "landbridge_digests_received_total 0",
        "landbridge_digests_repeated_total 0",
        "landbridge_storage_errors_total 0",
        "landbridge_transactions_total{name=\"domain-add\",outcome=\"committed\"} 1",
        "landbridge_agent_certificate_seconds_left{agent=",
        "landbridge_server_certificate_seconds_left 2",
        "landbridge_root_certificate_seconds_left 315",
        "# EOF",
    ] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tenant_serves_one_data_directory_and_a_dead_ones_socket_is_no_hindrance() {
    let edge = Edge::start().await;
    let second = Ready::new(&edge.config, Limits::default()).await.err().unwrap();
    assert!(second.to_string().contains("another tenant serves"), "{second}");
    let (folder, config) = edge.stop().await;
    assert!(config.admin_socket().exists(), "as a killed tenant leaves it");
    let none = TenantError::from(send_request(&config.admin_socket(), &AdminRequest::AppsList).unwrap_err());
    assert_eq!(none.exit_code(), 5);
    let again = Ready::new(&config, Limits::default()).await.unwrap();
    assert_eq!(again.store().path().unwrap(), folder.path().join("data/tenant.db"));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_everybody_is_known_as_before() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let app = edge.credential("mail", 600).await;
    let edge = edge.restart().await;
    let _: Receipt = edge.post(Some(&phs), "/v1/upload/hello", &hello(Some(&phs))).await.unwrap();
    let mut ask = request("POST", "/v1/signin", b"{}");
    let bearer = hyper::header::HeaderValue::from_str(&format!("Bearer {app}")).unwrap();
    ask.headers_mut().insert("authorization", bearer);
    assert_eq!(edge.send(None, ask).await.unwrap().0, 415, "the credential is taken, the body is not");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_seal_keys_of_one_number_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = made(folder.path());
    config.seal_keys.push(config.seal_keys[0].clone());
    let error = Ready::new(&config, Limits::default()).await.err().unwrap();
    assert!(error.to_string().contains("two seal keys"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_in_use_is_named() {
    let edge = Edge::start().await;
    let (address, _folder) = (edge.address, tempfile::tempdir().unwrap());
    let mut config = made(_folder.path());
    config.listen = address;
    let error = Ready::new(&config, Limits::default()).await.err().unwrap();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    assert_eq!(error.exit_code(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loose_key_file_stops_the_start_with_its_name_and_mode() {
    let folder = tempfile::tempdir().unwrap();
    let config = made(folder.path());
    for key in ["ca.key", "seal.key"] {
        let path = config.data_directory.join("secrets").join(key);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Ready::new(&config, Limits::default()).await.err().unwrap();
        let text = error.to_string();
        assert!(text.contains("0640") && text.contains(key) && error.exit_code() == 3, "{text}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    Ready::new(&config, Limits::default()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_hand_is_finished_before_the_end() {
    let edge = Edge::start().await;
    let mut tls = edge.connect(None).await.unwrap();
    let head = "POST /v1/enroll HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    tls.write_all(head.as_bytes()).await.unwrap();
    // With this the tenant says that it has begun to read the body.
    let mut begun = [0; 25];
    tokio::time::timeout(DEADLINE, tls.read_exact(&mut begun)).await.unwrap().unwrap();
    assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
    edge.tell_to_stop();
    tls.write_all(b"LBxx").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, tls.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&answer));
    let address = edge.address;
    edge.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_do_not_hold_up_the_end() {
    let edge = Edge::start().await;
    let phs = edge.phs().await;
    let mut held = vec![edge.connect(None).await.unwrap(), edge.connect(Some(&phs)).await.unwrap()];
    let mut kept = edge.connect(None).await.unwrap();
    kept.write_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(DEADLINE, kept.read_exact(&mut answer)).await.unwrap().unwrap();
    held.push(kept);
    until("the agent is connected", async || edge.tenant.snapshot.connected_agents() == 1).await;
    let told = std::time::Instant::now();
    edge.stop().await;
    assert!(told.elapsed() < std::time::Duration::from_secs(5), "{:?}", told.elapsed());
    drop(held);
}

fn flags(folder: &Path) -> Init {
    Init {
        url: Some("https://tenant.example.com:8443".to_owned()),
        listen: "127.0.0.1:0".parse().unwrap(),
        observe: "127.0.0.1:0".parse().unwrap(),
        data_directory: folder.join("data"),
    }
}

fn made(folder: &Path) -> Config {
    let file = folder.join("tenant.toml");
    init(&file, &flags(folder)).unwrap();
    let mut config = Config::load(&file).unwrap();
    config.observe = "127.0.0.1:0".parse().unwrap();
    config
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn init_makes_everything_closed_and_never_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = made(folder.path());
    assert_eq!(names(folder.path()), ["data", "tenant.toml"]);
    assert_eq!(names(&config.data_directory), ["secrets", "tenant.db", "tls"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&config.data_directory), 0o700);
    for file in ["secrets/ca.key", "secrets/seal.key", "tenant.db"] {
        assert_eq!(mode(&config.data_directory.join(file)), 0o600, "{file}");
    }
    let key = std::fs::read(config.data_directory.join("secrets/ca.key")).unwrap();
    let again = init(&folder.path().join("tenant.toml"), &flags(folder.path())).unwrap_err();
    assert_eq!(again.exit_code(), 3);
    assert_eq!(std::fs::read(config.data_directory.join("secrets/ca.key")).unwrap(), key);
}

#[test]
fn an_init_that_fails_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The second seal key cannot be written: its folder is not there.
    let text = format!(
        "url = \"https://t\"\ndata_directory = \"{0}/data\"\nca_key = \"{0}/ca.key\"\n\
         seal_keys = [\"{0}/one.key\", \"{0}/not/there.key\"]\n",
        folder.path().display()
    );
    let file = folder.path().join("tenant.toml");
    std::fs::write(&file, text).unwrap();
    let without_url = Init { url: None, ..flags(folder.path()) };
    assert_eq!(init(&file, &without_url).unwrap_err().exit_code(), 3);
    assert_eq!(names(folder.path()), ["tenant.toml"]);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(init(&file, &without_url).unwrap_err().exit_code(), 2);
    let open = Init { observe: "0.0.0.0:9464".parse().unwrap(), ..flags(folder.path()) };
    let refused = init(&file, &open).unwrap_err();
    assert!(refused.exit_code() == 2 && refused.to_string().contains("--observe"), "{refused}");
    let bad = Init { url: Some("http://t".to_owned()), ..flags(folder.path()) };
    assert_eq!(init(&file, &bad).unwrap_err().exit_code(), 2);
    assert!(names(folder.path()).is_empty());
}
