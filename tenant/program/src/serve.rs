//! Starts the tenant (keys, database, handles, doors, sockets, signals), runs it, and stops it.
//! Before it: [`crate::config`]. After it: the doors.

use crate::chores::Chores;
use crate::config::Config;
use crate::error::TenantError;
use crate::server_certificate::ServerCertificate;
use crate::{keys, node};
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use landbridge_door_agents::{AgentClient, AgentsDoor, is_for_agents};
use landbridge_door_applications::{ApplicationsDoor, PATH};
use landbridge_door_ldap::connection::{Ldaps, StartTls};
use landbridge_door_ldap::door::{LdapDoor, Settings as LdapSettings};
use landbridge_door_listen::body::Answer;
use landbridge_door_listen::client_certificate::server_config;
use landbridge_door_listen::limits::Limits;
use landbridge_door_listen::listener::{AnonymousClient, Connection, Listener, Serve};
use landbridge_door_listen::operator_certificate::{self, OperatorCertificate};
use landbridge_door_listen::proxy_protocol::Balancers;
use landbridge_door_oidc::back_channel::BackChannel;
use landbridge_door_oidc::door::OidcDoor;
use landbridge_door_operator::listen;
use landbridge_door_operator::observe::{self, CertificateLife, Observed};
use landbridge_door_pages::branding::Branding;
use landbridge_door_pages::logo::{Logo, MAX_LOGO};
use landbridge_host::key_file::own_uid;
use landbridge_host::signals;
use landbridge_tenant_core::Handles;
use landbridge_tenant_core::agents::authority::Authority;
use landbridge_tenant_core::applications::Applications;
use landbridge_tenant_core::clock::{stopped, unix_now};
use landbridge_tenant_core::directory::Directory;
use landbridge_tenant_core::nodes::Nodes;
use landbridge_tenant_core::passwords::Passwords;
use landbridge_tenant_core::sign_ins::{Settings, SignIns};
use landbridge_tenant_rules::lockout::Rules;
use landbridge_tenant_rules::model::Network;
use landbridge_tenant_store::tables::{digests, domains};
use landbridge_tenant_store::{ServerTrouble, Store, StoreError};
use rustls::ServerConnection;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// What the list of nodes shows as the version of this one.
const SOFTWARE: &str = env!("CARGO_PKG_VERSION");

/// How long the lock of a process that has ended is waited for: a machine that is gone is noticed within ten seconds.
const HOLDING: Duration = Duration::from_secs(15);

/// Time between two signs of life to systemd. The unit expects one every 20 s, so three may be lost.
const WATCHDOG: Duration = Duration::from_secs(5);

/// The address for agents. Applications may use it too. The applications' door answers what is not an agent's request:
/// an agent's path, or a path other than that of sign-ins from a client with an agent's certificate.
struct MainDoor {
    nodes: Nodes,
    agents: Arc<AgentsDoor>,
    applications: Arc<ApplicationsDoor>,
}

impl Serve for MainDoor {
    type Client = AgentClient;

    fn identify(&self, session: &ServerConnection) -> AgentClient {
        self.agents.identify(session)
    }

    async fn serve(
        self: Arc<Self>,
        connection: Arc<Connection<AgentClient>>,
        request: Request<Incoming>,
    ) -> Answer {
        let path = request.uri().path();
        if path == READY {
            return ready(&self.nodes);
        }
        let is_agents = is_for_agents(path) || (connection.client.shown.is_some() && path != PATH);
        if is_agents {
            return self.agents.clone().serve(connection, request).await;
        }
        self.applications.serve(request, connection.address.ip(), Instant::now()).await
    }
}

/// The applications' own address: sign-ins, and nothing else.
struct OwnDoor(Nodes, Arc<ApplicationsDoor>);

impl Serve for OwnDoor {
    type Client = AnonymousClient;

    fn identify(&self, _: &ServerConnection) -> AnonymousClient {
        AnonymousClient
    }

    async fn serve(
        self: Arc<Self>,
        connection: Arc<Connection<AnonymousClient>>,
        request: Request<Incoming>,
    ) -> Answer {
        if request.uri().path() == READY {
            return ready(&self.0);
        }
        self.1.serve(request, connection.address.ip(), Instant::now()).await
    }
}

/// The path at which each HTTPS address says whether this node takes new connections, for balancers.
const READY: &str = "/readyz";

/// Whether this node takes new connections. Why not is for the operator: `observe` has it.
fn ready(nodes: &Nodes) -> Answer {
    let is_ready = nodes.is_ready();
    let mut answer = Answer::new(if is_ready { "ready\n" } else { "not ready\n" }.into());
    if !is_ready {
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    answer
}

/// A tenant whose sockets are bound and that does not serve yet.
pub struct Ready {
    store: Arc<Store>,
    node: Uuid,
    drain: Duration,
    authority: Arc<Authority>,
    handles: Handles,
    chores: Arc<Chores>,
    main: Listener,
    applications: Option<Listener>,
    ldap: Option<LdapListeners>,
    issuer: Option<(Listener, Arc<OidcDoor>, BackChannel)>,
    observe: TcpListener,
    admin: UnixListener,
    limits: Limits,
    _lock: File,
}

impl std::fmt::Debug for Ready {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}

impl Ready {
    /// Reads the keys, opens the database and binds the sockets.
    pub async fn new(config: &Config, limits: Limits) -> Result<Self, TenantError> {
        // 1. One tenant on one data directory.
        let lock = lock(config)?;
        // 2. The database and the keys.
        let store = Arc::new(open(config)?);
        let node = node::become_node(config, &store, unix_now())?;
        hold(&store, node).await?;
        let root = config.root_certificate();
        let authority = keys::authority(store.tenant().id, (&config.ca_key, own_uid()), &root, unix_now())?;
        let authority = Arc::new(authority);
        // 3. The certificates and TLS.
        let server = Arc::new(ServerCertificate::new(&authority, &root, &config.url, unix_now())?);
        let no_tls = |e: rustls::Error| TenantError::Defect(format!("TLS cannot be set up: {e}"));
        let tls = server_config(authority.root().clone(), server.clone()).map_err(no_tls)?;
        let read = |own: &crate::config::Applications| {
            OperatorCertificate::read("applications", &own.certificate, &own.key)
        };
        let provided = config.applications.as_ref().map(read).transpose()?.map(Arc::new);
        let read = |own: &crate::config::Ldap| OperatorCertificate::read("ldap", &own.certificate, &own.key);
        let of_ldap = config.ldap.as_ref().map(read).transpose()?.map(Arc::new);
        let read = |own: &crate::config::Oidc| OperatorCertificate::read("oidc", &own.certificate, &own.key);
        let of_oidc = config.oidc.as_ref().map(read).transpose()?.map(Arc::new);
        // 4. The handles.
        let rules = Rules::new(config.lockout.threshold, config.lockout.seconds);
        let settings = Settings::for_cores(cores(), rules, config.signin.grid);
        let lives = config.oidc.as_ref().map(|oidc| oidc.lives).unwrap_or_default();
        let handles = Handles::new(&store, &authority, config.url.as_str(), settings, lives)
            .map_err(|e| TenantError::Defect(e.to_string()))?;
        handles.administration.set_canaries()?;
        let chores = Arc::new(Chores {
            store: store.clone(),
            authority: authority.clone(),
            url: config.url.clone(),
            server,
            applications: provided.clone(),
            ldap: of_ldap.clone(),
            oidc: of_oidc.clone(),
            provider: of_oidc.is_some().then(|| handles.provider.clone()),
            administration: handles.administration.clone(),
            counts: handles.snapshot.numbers().counts.clone(),
            audit_kept: config.audit_kept,
            grace_days: config.grace_days,
            scrubbed: Mutex::default(),
        });
        // 5. The sockets.
        let applications = match config.applications.as_ref().zip(provided) {
            Some((own, certificate)) => {
                let tls = operator_certificate::server_config(certificate).map_err(no_tls)?;
                let balancers = balancers(own.balancers.as_deref());
                Some(Listener { socket: bind(own.listen).await?, tls: Arc::new(tls), limits, balancers })
            }
            None => None,
        };
        let ldap = match config.ldap.as_ref().zip(of_ldap) {
            Some((ldap, certificate)) => Some(LdapListeners::bind(ldap, certificate, limits).await?),
            None => None,
        };
        let issuer = match config.oidc.as_ref().zip(of_oidc) {
            Some((oidc, certificate)) => {
                let tls = operator_certificate::server_config(certificate).map_err(no_tls)?;
                let balancers = balancers(oidc.balancers.as_deref());
                let listener =
                    Listener { socket: bind(oidc.listen).await?, tls: Arc::new(tls), limits, balancers };
                let door = Arc::new(oidc_door(oidc, &handles, &store, limits)?);
                Some((listener, door, back_channel(oidc, &handles)))
            }
            None => None,
        };
        let observe = bind(config.observe).await?;
        let socket = config.admin_socket();
        let admin = listen::bind(&socket)
            .map_err(|e| TenantError::Listen { address: socket.display().to_string(), why: e.to_string() })?;
        // The main address comes last: a program that waits until it accepts connections finds the others bound.
        let (tls, balancers) = (Arc::new(tls), balancers(config.balancers.as_deref()));
        let main = Listener { socket: bind(config.listen).await?, tls, limits, balancers };
        Ok(Self {
            store,
            node,
            drain: config.drain,
            authority,
            handles,
            chores,
            main,
            applications,
            ldap,
            issuer,
            observe,
            admin,
            limits,
            _lock: lock,
        })
    }

    /// The handles that the doors receive.
    pub fn handles(&self) -> &Handles {
        &self.handles
    }

    /// The database.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The CA.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// The chores, which a SIGHUP wakes in part.
    pub fn chores(&self) -> &Arc<Chores> {
        &self.chores
    }

    /// The bound address for agents and applications, with the real port if 0 is configured.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.main.socket.local_addr()
    }

    /// The bound address of the issuer, if there is one.
    pub fn issuer_address(&self) -> Option<std::io::Result<SocketAddr>> {
        self.issuer.as_ref().map(|(listener, ..)| listener.socket.local_addr())
    }

    /// The bound address for applications alone, if one is configured.
    pub fn applications_address(&self) -> Option<std::io::Result<SocketAddr>> {
        self.applications.as_ref().map(|listener| listener.socket.local_addr())
    }

    /// The bound address for LDAP with TLS from the first byte, if one is configured.
    pub fn ldaps_address(&self) -> Option<std::io::Result<SocketAddr>> {
        self.ldap.as_ref()?.tls_first.as_ref().map(|listener| listener.socket.local_addr())
    }

    /// The bound address for LDAP with StartTLS, if one is configured.
    pub fn start_tls_address(&self) -> Option<std::io::Result<SocketAddr>> {
        self.ldap.as_ref()?.start_tls.as_ref().map(|listener| listener.socket.local_addr())
    }

    /// The bound address of the metrics.
    pub fn observe_address(&self) -> std::io::Result<SocketAddr> {
        self.observe.local_addr()
    }

    /// Serves until `stop` is set and the time for draining is over, then finishes the requests that are being answered.
    /// False: it stopped because this node was removed.
    pub async fn run(self, stopping: watch::Receiver<bool>) -> bool {
        let (stop, ended) =
            stop_in_time(self.handles.nodes.clone(), (&self.store, self.node), self.drain, stopping);
        let Handles {
            sign_ins,
            directory,
            administration,
            agents,
            applications,
            snapshot,
            alarms,
            provider: _,
            passwords,
            nodes,
        } = self.handles;
        let observed = Observed {
            snapshot,
            nodes: nodes.clone(),
            limits: self.limits,
            certificates: lives(&self.chores),
        };
        let side = [
            tokio::spawn(listen::run(self.admin, administration, stop.clone())),
            tokio::spawn(observe::run(self.observe, Arc::new(observed), stop.clone())),
            tokio::spawn(self.chores.run(stop.clone())),
            tokio::spawn(agents.clone().run(alarms, stop.clone())),
            tokio::spawn(sign_ins.clone().watch_agents(stop.clone())),
        ];
        let people = (sign_ins.clone(), passwords);
        let ldap =
            self.ldap.map(|listeners| listeners.run(people, applications.clone(), directory, stop.clone()));
        let applications = Arc::new(ApplicationsDoor::new(sign_ins, applications, self.limits.body));
        let agents = Arc::new(AgentsDoor::new(agents, self.limits.body));
        let own = async {
            if let Some(listener) = self.applications {
                listener.run(Arc::new(OwnDoor(nodes.clone(), applications.clone())), stop.clone()).await;
            }
        };
        let main = Arc::new(MainDoor { nodes: nodes.clone(), agents, applications: applications.clone() });
        let ldap = async {
            if let Some(ldap) = ldap {
                ldap.await;
            }
        };
        let issuer = async {
            if let Some((listener, door, back_channel)) = self.issuer {
                let serve = listener.run(Arc::new(IssuersDoor(nodes.clone(), door)), stop.clone());
                tokio::join!(serve, back_channel.run(stop.clone()));
            }
        };
        tokio::join!(self.main.run(main, stop.clone()), own, ldap, issuer);
        for task in side {
            task.abort();
        }
        if let Err(why) = self.store.checkpoint() {
            tracing::warn!(error = %why, "the write-ahead log remains beside the database; the next start applies it");
        }
        self.store.release();
        ended.await.unwrap_or(true)
    }
}

/// Holds the database for this node. The server may not have noticed yet that the process before this one has ended: its lock
/// is waited for.
async fn hold(store: &Store, node: Uuid) -> Result<(), TenantError> {
    let until = Instant::now() + HOLDING;
    loop {
        match store.hold(node) {
            Err(StoreError::Server { trouble: ServerTrouble::Served, .. }) if Instant::now() < until => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            held => return Ok(held?),
        }
    }
}

/// Passes on `stopping` after the time for draining, or stops at once when this node is removed. The task returns false if it
/// was removed.
fn stop_in_time(
    nodes: Nodes,
    (store, node): (&Store, Uuid),
    drain: Duration,
    mut stopping: watch::Receiver<bool>,
) -> (watch::Receiver<bool>, JoinHandle<bool>) {
    let (stopper, stop) = watch::channel(false);
    let (removed, was_removed) = oneshot::channel();
    // A file has one node, and no other process changes it.
    if store.is_shared() {
        let (nodes, stop) = (nodes.clone(), stop.clone());
        // A thread of its own, for which a stop does not wait.
        std::thread::spawn(move || {
            nodes.watch(node, SOFTWARE, &stop);
            let _ = removed.send(());
        });
    }
    let ended = tokio::spawn(async move {
        let was_told = tokio::select! {
            () = stopped(&mut stopping) => true,
            Ok(()) = was_removed => false,
        };
        if was_told {
            nodes.drain();
            tokio::time::sleep(drain).await;
        }
        stopper.send_replace(true);
        was_told
    });
    (stop, ended)
}

/// The issuer's own address.
struct IssuersDoor(Nodes, Arc<OidcDoor>);

impl Serve for IssuersDoor {
    type Client = AnonymousClient;

    fn identify(&self, _: &ServerConnection) -> AnonymousClient {
        AnonymousClient
    }

    async fn serve(
        self: Arc<Self>,
        connection: Arc<Connection<AnonymousClient>>,
        request: Request<Incoming>,
    ) -> Answer {
        // With a wrong clock nothing is issued, and what was issued cannot be judged.
        if request.uri().path() == READY || !self.0.may_issue() {
            return ready(&self.0);
        }
        self.1.serve(request, connection.address.ip(), Instant::now()).await
    }
}

/// The door of the issuer, with keys that sign.
fn oidc_door(
    oidc: &crate::config::Oidc,
    handles: &Handles,
    store: &Store,
    limits: Limits,
) -> Result<OidcDoor, TenantError> {
    let branding = Branding {
        name: oidc.name.as_str().into(),
        colour: oidc.colour,
        logo: oidc.logo.as_deref().map(logo).transpose()?,
        help: oidc.help.clone(),
    };
    handles.provider.tend(unix_now()).map_err(|why| TenantError::Defect(why.to_string()))?;
    // All nodes of a tenant have the same seal keys.
    let form_key = store.seal_keys().hashes("forms of pages", &[]).first().copied();
    let form_key = form_key.ok_or_else(|| TenantError::Defect("there is no seal key".to_owned()))?;
    let parts = (
        handles.provider.clone(),
        handles.sign_ins.clone(),
        handles.passwords.clone(),
        handles.applications.clone(),
    );
    let issuer = (&oidc.issuer, oidc.domain.clone());
    Ok(OidcDoor::new(parts, issuer, branding, &form_key, limits.body))
}

/// What notifies applications of ended sessions.
fn back_channel(oidc: &crate::config::Oidc, handles: &Handles) -> BackChannel {
    let networks = oidc.back_channel_networks.clone();
    let allowed = move |address| networks.iter().any(|network| network.contains(address));
    BackChannel::new(handles.provider.clone(), &oidc.issuer, oidc.back_channel_roots.clone(), allowed)
}

/// Reads the logo of the pages.
fn logo(path: &Path) -> Result<Logo, TenantError> {
    use std::io::Read as _;
    const TODO: &str = "name a PNG or SVG image in `[oidc] logo`, or leave it out";
    let unreadable = |e: std::io::Error| TenantError::file(path, format_args!("cannot be read: {e}"), TODO);
    let mut content = Vec::new();
    let most = u64::try_from(MAX_LOGO).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(unreadable)?.take(most).read_to_end(&mut content).map_err(unreadable)?;
    Logo::new(content).map_err(|why| TenantError::file(path, why, TODO))
}

/// The addresses for LDAP.
struct LdapListeners {
    tls_first: Option<Listener>,
    start_tls: Option<Listener>,
    settings: LdapSettings,
    /// Authenticates paging cookies for as long as the program runs.
    key: [u8; 32],
}

impl LdapListeners {
    async fn bind(
        ldap: &crate::config::Ldap,
        certificate: Arc<OperatorCertificate>,
        limits: Limits,
    ) -> Result<Self, TenantError> {
        let no_tls = |e: rustls::Error| TenantError::Defect(format!("TLS cannot be set up: {e}"));
        let tls = Arc::new(operator_certificate::server_config(certificate).map_err(no_tls)?);
        let listener = async |address: Option<SocketAddr>| {
            let Some(address) = address else { return Ok::<_, TenantError>(None) };
            let (socket, tls) = (bind(address).await?, tls.clone());
            let balancers = balancers(ldap.balancers.as_deref());
            Ok(Some(Listener { socket, tls, limits: ldap.connections.within(limits), balancers }))
        };
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key)
            .map_err(|_| TenantError::Defect("the system gives no randomness".to_owned()))?;
        Ok(Self {
            tls_first: listener(ldap.listen).await?,
            start_tls: listener(ldap.start_tls).await?,
            settings: LdapSettings { entries: ldap.entries, idle: ldap.idle },
            key,
        })
    }

    /// Serves until `stop` is set.
    async fn run(
        self,
        people: (SignIns, Passwords),
        applications: Applications,
        directory: Directory,
        stop: watch::Receiver<bool>,
    ) {
        // Loaded before the first search, which would wait for it.
        let loaded = directory.clone();
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = loaded.follow() {
                tracing::error!(%error, "the directory cannot be read for LDAP");
            }
        }));
        let door = Arc::new(LdapDoor::new(people, applications, directory, &self.key, self.settings));
        let tls_first = async {
            if let Some(listener) = self.tls_first {
                listener.speak(Arc::new(Ldaps(door.clone())), stop.clone()).await;
            }
        };
        let start_tls = async {
            if let Some(listener) = self.start_tls {
                listener.speak(Arc::new(StartTls(door.clone())), stop.clone()).await;
            }
        };
        tokio::join!(tls_first, start_tls);
    }
}

/// The certificates of the tenant's addresses, for the metrics.
fn lives(chores: &Chores) -> Vec<CertificateLife> {
    let server = chores.server.clone();
    let mut lives: Vec<CertificateLife> = vec![(
        "server_certificate_seconds_left",
        "Life of the server's certificate",
        Box::new(move || server.ends()),
    )];
    if let Some(certificate) = chores.applications.clone() {
        lives.push((
            "applications_certificate_seconds_left",
            "Life of the certificate that applications see at their own address",
            Box::new(move || certificate.ends()),
        ));
    }
    if let Some(certificate) = chores.ldap.clone() {
        lives.push((
            "ldap_certificate_seconds_left",
            "Life of the certificate that clients see at the addresses for LDAP",
            Box::new(move || certificate.ends()),
        ));
    }
    if let Some(certificate) = chores.oidc.clone() {
        lives.push((
            "oidc_certificate_seconds_left",
            "Life of the certificate of the OpenID Connect issuer",
            Box::new(move || certificate.ends()),
        ));
    }
    lives
}

/// The cores of this machine that the program may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Serves until SIGTERM or SIGINT.
pub async fn serve(config: &Config) -> Result<(), TenantError> {
    let ready = Ready::new(config, config.connections.limits()).await?;
    let (stopper, stop) = watch::channel(false);
    let no_signals = |e: std::io::Error| TenantError::Defect(format!("signals cannot be caught: {e}"));
    let stopped = signals::stop().map_err(no_signals)?;
    tokio::spawn(async move {
        stopped.await;
        tracing::info!("stopping: requests in hand are finished first");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let _ = stopper.send(true);
    });
    let hangup = tokio::spawn(hangups(ready.chores.clone()).map_err(no_signals)?);
    if let Some(applications) = &config.applications {
        tracing::info!(listen = %applications.listen, "applications have an address of their own");
    }
    for (address, how) in
        config.ldap.iter().flat_map(|ldap| [(ldap.listen, "TLS"), (ldap.start_tls, "StartTLS")])
    {
        if let Some(listen) = address {
            tracing::info!(%listen, how, "LDAP is served");
        }
    }
    if let Some(oidc) = &config.oidc {
        tracing::info!(listen = %oidc.listen, issuer = %oidc.issuer, "OpenID Connect is served");
    }
    tracing::info!(
        tenant = %ready.authority.tenant(),
        url = config.url.as_str(),
        listen = %config.listen,
        observe = %config.observe,
        ca_sha256 = ready.authority.fingerprint(),
        "serving"
    );
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    // From the runtime that serves: if that hangs, systemd receives nothing and starts the tenant again.
    let alive = tokio::spawn(async {
        loop {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            tokio::time::sleep(WATCHDOG).await;
        }
    });
    let was_told = ready.run(stop).await;
    alive.abort();
    hangup.abort();
    if !was_told {
        let todo = "add it again with `landbridge-tenant nodes add` on another node, if it was a mistake";
        let what = "this node was removed from the tenant, and serves no more";
        return Err(TenantError::file(&config.data_directory, what, todo));
    }
    tracing::info!("stopped");
    Ok(())
}

/// At every SIGHUP the administrator's certificates are read again.
fn hangups(chores: Arc<Chores>) -> std::io::Result<impl Future<Output = ()>> {
    let mut hangup = signals::hangups()?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: certificates are read again");
            chores.reread_certificates(unix_now()).await;
        }
    })
}

/// Locks the data directory for one tenant. The lock ends with the process.
pub(crate) fn lock(config: &Config) -> Result<File, TenantError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = config.data_directory.join("serve.lock");
    let file =
        File::options().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(|e| {
            let todo =
                "make the data directory with `landbridge-tenant init`, and serve as the user that owns it";
            TenantError::file(&path, format_args!("cannot be opened: {e}"), todo)
        })?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let todo = "stop the other one, or configure another data_directory";
        TenantError::file(&config.data_directory, "another tenant serves from this data directory", todo)
    })?;
    Ok(file)
}

fn open(config: &Config) -> Result<Store, TenantError> {
    let store = Store::open(config.location()?, keys::seal_keys(&config.seal_keys, own_uid())?)?;
    let unreadable = store.read(|reading| {
        for domain in domains::all(reading)? {
            if let Some((object, held)) = digests::any_of(reading, domain.id)?
                && held.open(store.seal_keys(), object).is_err()
            {
                return Ok(Some(domain.dns_name));
            }
        }
        Ok(None)
    })?;
    if let Some(domain) = unreadable {
        tracing::error!(
            domain,
            "stored digests do not open: name the key that they were sealed with in seal_keys"
        );
    }
    Ok(store)
}

/// The balancers in these networks; none: clients connect themselves.
fn balancers(networks: Option<&[Network]>) -> Option<Balancers> {
    let networks = networks?.to_vec();
    Some(Balancers::new(move |address| networks.iter().any(|network| network.contains(address))))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, TenantError> {
    TcpListener::bind(address)
        .await
        .map_err(|e| TenantError::Listen { address: address.to_string(), why: e.to_string() })
}
