//! A tenant of its own for each test, on loopback, and clients that speak to it as agents and applications do.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use landbridge_door_listen::limits::Limits;
use landbridge_tenant::command::{Init, init::init};
use landbridge_tenant::config::{self, Config};
use landbridge_tenant::serve::Ready;
use landbridge_tenant_core::administration::Administration;
use landbridge_tenant_core::administration::operator::Operator;
use landbridge_tenant_core::administration::request::{AdminRequest, AdminResponse, AppSettings};
use landbridge_tenant_core::agents::Agents;
use landbridge_tenant_core::agents::authority::{Authority, RequestedKey};
use landbridge_tenant_core::agents::certificate_names::AgentName;
use landbridge_tenant_core::clock::unix_now;
use landbridge_tenant_core::numbers::Snapshot;
use landbridge_tenant_fixture::postgres;
use landbridge_tenant_store::Store;
use landbridge_wire::bounded::{Blob, Text};
use landbridge_wire::enroll::{EnrollRequest, EnrollResponse, Role, Token, TokenSecret};
use landbridge_wire::frame;
use landbridge_wire::problem::{Problem, ProblemCode};
use landbridge_wire::process_proof::{EXPORTER_LABEL, Exporter, HEADER, ProcessProof, name_of, signed_bytes};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

/// Nothing on loopback takes longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const DOMAIN: &str = "corp.example.com";
pub(crate) const SID: &str = "S-1-5-21-1-2-3";
/// What the tests' tenants are configured to.
pub(crate) const GRID: Duration = Duration::from_millis(200);

/// What a test sees inside a tenant.
#[derive(Clone)]
pub(crate) struct Inside {
    pub(crate) store: Arc<Store>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) administration: Administration,
    pub(crate) agents: Agents,
    pub(crate) snapshot: Snapshot,
}

impl Inside {
    pub(crate) fn of(ready: &Ready) -> Self {
        let handles = ready.handles();
        Self {
            store: ready.store().clone(),
            authority: ready.authority().clone(),
            administration: handles.administration.clone(),
            agents: handles.agents.clone(),
            snapshot: handles.snapshot.clone(),
        }
    }
}

/// A tenant that serves until it is dropped.
pub(crate) struct Edge {
    pub(crate) tenant: Inside,
    pub(crate) address: SocketAddr,
    pub(crate) observe: SocketAddr,
    /// The addresses for LDAP: TLS first, and StartTLS.
    pub(crate) ldap: (Option<SocketAddr>, Option<SocketAddr>),
    /// The address of the issuer.
    pub(crate) issuer: Option<SocketAddr>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: Config,
    stop: watch::Sender<bool>,
    /// Whether it was told to stop.
    served: tokio::task::JoinHandle<bool>,
}

/// An agent's identity, as it would keep it, and the process that uses it.
pub(crate) struct Identity {
    pub(crate) agent: Uuid,
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) approved: bool,
    /// None: a process of version 0.1, which proves nothing.
    pub(crate) process: Option<Process>,
}

/// A process, by its key.
#[derive(Clone)]
pub(crate) struct Process(Arc<Ed25519KeyPair>);

impl Process {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Ed25519KeyPair::generate().unwrap()))
    }

    fn key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    pub(crate) fn name(&self) -> Uuid {
        name_of(&self.key())
    }

    /// The header's value for this connection of the agent.
    pub(crate) fn prove(&self, agent: Uuid, tls: &Tls) -> String {
        let session = tls.get_ref().1;
        let exporter = session.export_keying_material(Exporter::default(), EXPORTER_LABEL, None).unwrap();
        let signature = self.0.sign(&signed_bytes(agent, &exporter));
        ProcessProof { key: self.key(), signature: signature.as_ref().try_into().unwrap() }.to_text()
    }
}

impl Identity {
    /// The name of its process in messages. One of version 0.1 made it up.
    pub(crate) fn instance(&self) -> Uuid {
        self.process.as_ref().map_or(Uuid::from_u128(1), Process::name)
    }

    /// The header of its process on this connection, as a line.
    pub(crate) fn header(&self, tls: &Tls) -> String {
        let proof = self.process.as_ref().map(|process| process.prove(self.agent, tls));
        proof.map_or(String::new(), |proof| format!("{HEADER}: {proof}\r\n"))
    }

    /// The same identity in another process: one that proves another key, or nothing.
    pub(crate) fn copied(&self, process: Option<Process>) -> Self {
        let (certificate, key) = (self.certificate.clone(), self.key.clone());
        Self { agent: self.agent, certificate, key, approved: self.approved, process }
    }
}

pub(crate) type Tls = TlsStream<TcpStream>;

impl Edge {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::configured(limits, |_| {}).await
    }

    /// With a configuration that the test has changed.
    pub(crate) async fn configured(limits: Limits, change: impl FnOnce(&mut Config)) -> Self {
        Self::made(limits, postgres::is_chosen(), change).await
    }

    /// With a database on a server, whatever the other tests have.
    pub(crate) async fn on_server() -> Self {
        Self::made(Limits::default(), true, |_| {}).await
    }

    async fn made(limits: Limits, on_server: bool, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tenant.toml");
        let data_directory = folder.path().join("data");
        let (url, address) = ("https://tenant.example.com:8443", "127.0.0.1:0".parse().unwrap());
        // The same tests run with a database on a server.
        if on_server {
            let text = config::template(url, address, address, &data_directory);
            let text = format!("{text}\n[database]\nurl = \"{}\"\n", postgres::database_url());
            std::fs::write(&file, text).unwrap();
        }
        let flags = Init { url: Some(url.to_owned()), listen: address, observe: address, data_directory };
        init(&file, &flags).unwrap();
        let mut config = Config::load(&file).unwrap();
        config.observe = "127.0.0.1:0".parse().unwrap();
        config.signin.grid = GRID;
        change(&mut config);
        let edge = Self::serve(folder, config, limits).await;
        edge.ask(AdminRequest::DomainsAdd {
            name: DOMAIN.to_owned(),
            netbios: "CORP".to_owned(),
            sid: SID.to_owned(),
            allow_privileged: false,
        })
        .await;
        edge
    }

    /// Serves the data in this folder.
    pub(crate) async fn serve(folder: tempfile::TempDir, config: Config, limits: Limits) -> Self {
        let ready = Ready::new(&config, limits).await.unwrap();
        let (address, observe) = (ready.address().unwrap(), ready.observe_address().unwrap());
        let tenant = Inside::of(&ready);
        let ldap = (ready.ldaps_address().map(Result::unwrap), ready.start_tls_address().map(Result::unwrap));
        let issuer = ready.issuer_address().map(Result::unwrap);
        let (stop, stopped) = watch::channel(false);
        let served = tokio::spawn(ready.run(stopped));
        Self { tenant, address, observe, ldap, issuer, folder, config, stop, served }
    }

    /// Waits until it stops by itself. False: its node was removed.
    pub(crate) async fn ended(self) -> bool {
        tokio::time::timeout(DEADLINE, self.served).await.unwrap().unwrap()
    }

    /// Stops it as SIGTERM does, and waits until it has.
    pub(crate) async fn stop(self) -> (tempfile::TempDir, Config) {
        let _ = self.stop.send(true);
        tokio::time::timeout(DEADLINE, self.served).await.unwrap().unwrap();
        (self.folder, self.config)
    }

    /// Stops it and serves the same data again.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(Limits::default(), |_| {}).await
    }

    /// The same with a configuration that the test has changed.
    pub(crate) async fn restart_with(self, limits: Limits, change: impl FnOnce(&mut Config)) -> Self {
        let (folder, mut config) = self.stop().await;
        change(&mut config);
        Self::serve(folder, config, limits).await
    }

    /// Tells it to stop and does not wait.
    pub(crate) fn tell_to_stop(&self) {
        self.stop.send(true).unwrap();
    }

    /// Asks as root would.
    pub(crate) async fn ask(&self, ask: AdminRequest) -> AdminResponse {
        let administration = self.tenant.administration.clone();
        tokio::task::spawn_blocking(move || administration.act(&Operator::of_uid(0), ask, unix_now()))
            .await
            .unwrap()
    }

    pub(crate) async fn token(&self, role: Role) -> Token {
        let ask = AdminRequest::TokenCreate { role, domain: DOMAIN.to_owned(), minutes: 10 };
        match self.ask(ask).await {
            AdminResponse::Token(token) => token.lend(|text| Token::parse(text).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn credential(&self, name: &str, rate: u32) -> String {
        let settings = AppSettings { rate, ..AppSettings::named(name) };
        let ask = AdminRequest::AppsCreate { settings: Box::new(settings) };
        match self.ask(ask).await {
            AdminResponse::Credential(credential) => credential.lend(str::to_owned),
            other => panic!("{other:?}"),
        }
    }

    /// Enrols over the wire.
    pub(crate) async fn enroll(&self, secret: TokenSecret, role: Role) -> Result<Identity, Problem> {
        let (key, csr) = key_and_request();
        let request = enroll_request(secret, role, csr);
        let made: EnrollResponse = self.post(None, "/v1/enroll", &request).await?;
        let certificate = made.certificate.as_bytes().to_vec();
        let process = Some(Process::new());
        Ok(Identity { agent: made.agent, certificate, key, approved: made.approved, process })
    }

    /// A phs that was enrolled and approved.
    pub(crate) async fn phs(&self) -> Identity {
        let identity = self.enroll(self.token(Role::Phs).await.secret, Role::Phs).await.unwrap();
        assert!(!identity.approved);
        self.ask(AdminRequest::AgentsApprove { agent: identity.agent, key: None }).await;
        identity
    }

    /// A pta-agent that was enrolled and approved.
    pub(crate) async fn pta(&self) -> Identity {
        let identity = self.enroll(self.token(Role::Pta).await.secret, Role::Pta).await.unwrap();
        assert!(!identity.approved);
        self.ask(AdminRequest::AgentsApprove { agent: identity.agent, key: None }).await;
        identity
    }

    /// The same agent's certificate as it would look had it been made then.
    pub(crate) fn certificate_of(&self, identity: &Identity, made_at: i64) -> Identity {
        self.certificate_for(identity, Role::Phs, made_at)
    }

    pub(crate) fn certificate_for(&self, identity: &Identity, role: Role, made_at: i64) -> Identity {
        let authority = &self.tenant.authority;
        let (key, csr) = key_and_request();
        let name = AgentName {
            tenant: authority.tenant(),
            role,
            domain: DOMAIN.to_owned(),
            domain_sid: SID.to_owned(),
            agent: identity.agent,
            envelope: (role == Role::Pta).then_some([9; 32]),
        };
        let issued = authority.agent_certificate(&RequestedKey::of(&csr).unwrap(), &name, made_at).unwrap();
        let newest = "UPDATE agents SET serial = ?2 WHERE id = ?1";
        let row = (identity.agent.as_bytes(), issued.serial.as_slice());
        self.database().execute(newest, row).unwrap();
        let (agent, process) = (identity.agent, identity.process.clone());
        Identity { agent, certificate: issued.certificate, key, approved: true, process }
    }

    pub(crate) async fn connect(&self, identity: Option<&Identity>) -> std::io::Result<Tls> {
        self.connect_with(identity, rustls::DEFAULT_VERSIONS).await
    }

    /// A connection from this loopback address.
    pub(crate) async fn connect_from(
        &self,
        from: [u8; 4],
        identity: Option<&Identity>,
    ) -> std::io::Result<Tls> {
        self.connect_as(from.into(), identity, &[&rustls::version::TLS13]).await
    }

    pub(crate) async fn connect_with(
        &self,
        identity: Option<&Identity>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<Tls> {
        self.connect_as(std::net::Ipv4Addr::LOCALHOST, identity, versions).await
    }

    async fn connect_as(
        &self,
        from: std::net::Ipv4Addr,
        identity: Option<&Identity>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<Tls> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((from, 0).into())?;
        self.tls_over(socket.connect(self.address).await?, identity, versions).await
    }

    /// TLS over a connection that is open.
    pub(crate) async fn tls_over(
        &self,
        stream: TcpStream,
        identity: Option<&Identity>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<Tls> {
        let mut roots = RootCertStore::empty();
        roots.add(self.tenant.authority.root().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots);
        let config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let chain = vec![CertificateDer::from(identity.certificate.clone())];
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.clone()));
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        let name = ServerName::try_from("tenant.example.com").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// One request on a connection of its own.
    pub(crate) async fn send(
        &self,
        identity: Option<&Identity>,
        mut request: Request<Full<Bytes>>,
    ) -> std::io::Result<(StatusCode, hyper::HeaderMap, Vec<u8>)> {
        let tls = self.connect(identity).await?;
        if let Some((agent, process)) = identity.and_then(|one| Some((one.agent, one.process.as_ref()?))) {
            request.headers_mut().insert(HEADER, process.prove(agent, &tls).parse().unwrap());
        }
        tokio::time::timeout(DEADLINE, exchange(tls, request)).await.unwrap()
    }

    pub(crate) async fn post<M: Serialize, R: DeserializeOwned>(
        &self,
        identity: Option<&Identity>,
        path: &str,
        message: &M,
    ) -> Result<R, Problem> {
        self.post_bytes(identity, path, &frame::encode(message).unwrap()).await
    }

    pub(crate) async fn post_bytes<R: DeserializeOwned>(
        &self,
        identity: Option<&Identity>,
        path: &str,
        body: &[u8],
    ) -> Result<R, Problem> {
        let (status, _, body) = self.send(identity, request("POST", path, body)).await.unwrap();
        if status == StatusCode::OK {
            return Ok(frame::decode(&body).unwrap());
        }
        let problem: Problem = frame::decode(&body).unwrap();
        assert!(status == problem.code.http_status() || status == StatusCode::METHOD_NOT_ALLOWED);
        Err(problem)
    }

    /// The tenant's database, opened by somebody else than the tenant.
    pub(crate) fn database(&self) -> rusqlite::Connection {
        let database = rusqlite::Connection::open(self.config.database_file()).unwrap();
        database.busy_timeout(DEADLINE).unwrap();
        database
    }

    pub(crate) async fn audit(&self) -> Vec<landbridge_tenant_rules::model::AuditEntry> {
        self.tenant.store.read(|conn| landbridge_tenant_store::tables::audit::newest(conn, 1000)).unwrap()
    }
}

pub(crate) async fn exchange(
    tls: Tls,
    request: Request<Full<Bytes>>,
) -> std::io::Result<(StatusCode, hyper::HeaderMap, Vec<u8>)> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.map_err(std::io::Error::other)?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes().to_vec();
        Ok((parts.status, parts.headers, body))
    };
    let answer = answer.await;
    driver.abort();
    answer
}

pub(crate) fn request(method: &str, path: &str, body: &[u8]) -> Request<Full<Bytes>> {
    let body = Full::new(Bytes::copy_from_slice(body));
    Request::builder().method(method).uri(path).header("host", "tenant.example.com").body(body).unwrap()
}

pub(crate) fn key_and_request() -> (Vec<u8>, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    (key.serialize_der(), request.der().to_vec())
}

pub(crate) fn enroll_request(secret: TokenSecret, role: Role, csr: Vec<u8>) -> EnrollRequest {
    EnrollRequest {
        envelope: envelope_of(role),
        secret,
        role,
        csr: Blob::new(csr).unwrap(),
        software: Text::new("landbridge-phs test").unwrap(),
        host: Text::new("host.example.com").unwrap(),
    }
}

/// What a request of this role has for an envelope key.
pub(crate) fn envelope_of(role: Role) -> Option<Blob<32>> {
    let key = || landbridge_crypto::envelope::EnvelopeKey::generate().public().to_bytes();
    (role == Role::Pta).then(|| Blob::new(key()).unwrap())
}

/// What a phs asks first.
pub(crate) fn hello(identity: Option<&Identity>) -> landbridge_wire::upload::Hello {
    let instance = identity.map_or(Uuid::from_u128(1), Identity::instance);
    landbridge_wire::upload::Hello { instance, domain_sid: Text::new(SID).unwrap() }
}

pub(crate) fn code<T>(outcome: Result<T, Problem>) -> ProblemCode {
    match outcome {
        Ok(_) => panic!("it was taken"),
        Err(problem) => problem.code,
    }
}

/// Polls until it holds.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let end = tokio::time::Instant::now() + DEADLINE;
    while !holds().await {
        assert!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Opens TLS to servers that have this certificate, or one of its issuer.
pub(crate) fn trusting(certificate: CertificateDer<'static>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// One request to a tenant that another process serves; the answer as it came.
pub(crate) async fn bare_post(
    to: SocketAddr,
    root: &[u8],
    path: &str,
    authorization: &str,
    body: &[u8],
) -> String {
    use rustls::pki_types::pem::PemObject as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let stream = TcpStream::connect(to).await.unwrap();
    let name = ServerName::from(to.ip());
    let connector = trusting(CertificateDer::from_pem_slice(root).unwrap());
    let mut tls = connector.connect(name, stream).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\nauthorization: {authorization}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    tls.write_all(head.as_bytes()).await.unwrap();
    tls.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, tls.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
