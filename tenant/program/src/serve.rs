//! Puts the running tenant together, and takes it apart again: keys, database, sockets, signals.
//! Before it: `config`. After it: `accept`, `admin::listen`, `observe`.

use crate::accept::applications::{self, Brought};
use crate::accept::client_certificate::server_config;
use crate::accept::live::Live;
use crate::accept::{Door, Limits};
use crate::admin;
use crate::apps::Rates;
use crate::attend::{self, Attend, Raised};
use crate::audit::Recorder;
use crate::authority::{Authority, SERVER_LIFE};
use crate::clock::{stopped, unix_now};
use crate::config::{Config, TenantUrl};
use crate::error::TenantError;
use crate::key_file::us;
use crate::keys;
use crate::observe::{self, Metrics};
use crate::routes::Applications;
use crate::signin::{Settings, Signin};
use landbridge_tenant_rules::lockout::Rules;
use landbridge_tenant_store::erase::due_before;
use landbridge_tenant_store::tables::{audit, canaries, digests, domains, objects};
use landbridge_tenant_store::{Store, StoreError};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fs::File;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc, watch};

/// So many uploads in memory at a time.
const UPLOADS: usize = 4;
/// systemd hears this often that the tenant lives; the unit asks for it every 20 s.
const WATCHDOG: Duration = Duration::from_secs(5);
/// The server's certificate is looked at so often, and made anew in the last half of its life; as often the one for
/// applications is read anew, old audit entries are forgotten, and whoever left is erased.
const CHORES: Duration = Duration::from_secs(3600);

/// What all parts of the running tenant share.
pub struct Tenant {
    /// The database.
    pub store: Arc<Store>,
    /// The CA.
    pub authority: Authority,
    /// How agents reach us.
    pub url: TenantUrl,
    /// Who decides on sign-ins.
    pub signin: Signin,
    /// Refusals leave on multiples of this.
    pub grid: Duration,
    /// Who writes sign-ins into the audit log.
    pub recorder: Recorder,
    /// How fast each application asks.
    pub rates: Rates,
    /// The agents' connections.
    pub live: Arc<Live>,
    /// The agents that answer sign-ins.
    pub attend: Arc<Attend>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Places for uploads in memory.
    pub uploads: Semaphore,
    /// What a connection may take.
    pub limits: Limits,
    /// The certificate at the applications' own address, if they have one.
    pub brought: Option<Arc<Brought>>,
    certificate: Arc<OwnCertificate>,
    audit_kept: i64,
    grace_days: i64,
    /// How many digests had been erased or replaced when the file was last cleaned of them; none: not by this process.
    scrubbed: Mutex<Option<u64>>,
}

/// A tenant whose sockets are bound and who serves nobody yet.
pub struct Ready {
    tenant: Arc<Tenant>,
    door: Door,
    applications: Option<Door>,
    observe: TcpListener,
    admin: UnixListener,
    raised: mpsc::Receiver<Raised>,
    _lock: File,
}

impl Ready {
    /// Reads keys and database and binds everything, or says what stands in the way.
    pub async fn new(config: &Config, limits: Limits) -> Result<Self, TenantError> {
        let lock = lock(config)?;
        let store = Arc::new(open(config)?);
        let root = config.root_certificate();
        let authority = keys::authority(store.tenant().id, (&config.ca_key, us()), &root, unix_now())?;
        let certificate = Arc::new(OwnCertificate::new(&authority, &config.url, unix_now())?);
        let tls = server_config(&authority, certificate.clone())
            .map_err(|e| TenantError::Defect(format!("TLS cannot be set up: {e}")))?;
        let brought = config.applications.as_ref().map(Brought::read).transpose()?.map(Arc::new);
        let rules = Rules::new(config.lockout.threshold, config.lockout.seconds);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let signin = Signin::new(store.clone(), Settings::for_cores(cores, rules))
            .map_err(|e| TenantError::Defect(e.to_string()))?;
        let recorder = Recorder::start(store.clone())
            .map_err(|e| TenantError::Defect(format!("no thread for the audit log: {e}")))?;
        let live = Arc::new(Live::default());
        let metrics = Arc::new(Metrics::default());
        let (attend, raised) = Attend::new(authority.tenant(), config.url.as_str(), metrics.clone());
        let tenant = Arc::new(Tenant {
            signin,
            store,
            authority,
            url: config.url.clone(),
            grid: config.signin.grid,
            recorder,
            rates: Rates::default(),
            live: live.clone(),
            attend,
            metrics,
            uploads: Semaphore::new(UPLOADS),
            limits,
            brought: brought.clone(),
            certificate,
            audit_kept: config.audit_kept,
            grace_days: config.grace_days,
            scrubbed: Mutex::default(),
        });
        tenant.tell_canaries()?;
        let applications = match config.applications.as_ref().zip(brought) {
            Some((config, brought)) => {
                let tls = applications::server_config(brought)
                    .map_err(|e| TenantError::Defect(format!("TLS cannot be set up: {e}")))?;
                let (listener, live) = (bind(config.listen).await?, live.clone());
                Some(Door { listener, tls: Arc::new(tls), limits, live })
            }
            None => None,
        };
        let door = Door { listener: bind(config.listen).await?, tls: Arc::new(tls), limits, live };
        let observe = bind(config.observe).await?;
        let admin = admin::listen::bind(&config.admin_socket())?;
        Ok(Self { tenant, door, applications, observe, admin, raised, _lock: lock })
    }

    /// What the parts share.
    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// Where agents and applications are served: the port is known now, even if 0 was configured.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.door.listener.local_addr()
    }

    /// Where applications alone are served, if they are.
    pub fn applications_address(&self) -> Option<std::io::Result<SocketAddr>> {
        self.applications.as_ref().map(|door| door.listener.local_addr())
    }

    /// Where the metrics are served.
    pub fn observe_address(&self) -> std::io::Result<SocketAddr> {
        self.observe.local_addr()
    }

    /// Serves until `stop` says true, then finishes what is in hand.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let tenant = self.tenant;
        let side = [
            tokio::spawn(admin::listen::run(self.admin, tenant.clone(), stop.clone())),
            tokio::spawn(observe::run(self.observe, tenant.clone(), stop.clone())),
            tokio::spawn(chores(tenant.clone(), stop.clone())),
            tokio::spawn(attend::alarms(tenant.clone(), self.raised, stop.clone())),
        ];
        // Ends by itself when the agents have answered what is in their hand.
        tokio::spawn(tenant.attend.clone().run(stop.clone()));
        let (stopped, taker) = (stop.clone(), Arc::new(Applications(tenant.clone())));
        let applications = async {
            if let Some(door) = self.applications {
                door.run(taker, stopped).await;
            }
        };
        tokio::join!(self.door.run(tenant.clone(), stop), applications);
        for task in side {
            task.abort();
        }
        if let Err(why) = tenant.store.fold() {
            tracing::warn!(error = %why, "the database's log stays beside it; the next start takes it in");
        }
    }
}

/// Serves until SIGTERM or SIGINT.
pub async fn serve(config: &Config) -> Result<(), TenantError> {
    let ready = Ready::new(config, Limits::default()).await?;
    let (stopper, stop) = watch::channel(false);
    let signals = signals().map_err(|e| TenantError::Defect(format!("signals cannot be caught: {e}")))?;
    tokio::spawn(async move {
        signals.await;
        tracing::info!("stopping: requests in hand are finished first");
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        let _ = stopper.send(true);
    });
    let tenant = ready.tenant();
    let hangup =
        hangups(tenant.clone()).map_err(|e| TenantError::Defect(format!("signals cannot be caught: {e}")))?;
    let hangup = tokio::spawn(hangup);
    if let Some(applications) = &config.applications {
        tracing::info!(listen = %applications.listen, "applications have an address of their own");
    }
    tracing::info!(
        tenant = %tenant.authority.tenant(),
        url = tenant.url.as_str(),
        listen = %config.listen,
        observe = %config.observe,
        ca_sha256 = tenant.authority.fingerprint(),
        "serving"
    );
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    // From the runtime that serves: if that hangs, systemd hears nothing and starts the tenant anew.
    let alive = tokio::spawn(async {
        loop {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
            tokio::time::sleep(WATCHDOG).await;
        }
    });
    ready.run(stop).await;
    alive.abort();
    hangup.abort();
    tracing::info!("stopped");
    Ok(())
}

fn signals() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// At every SIGHUP the applications' certificate is read anew.
fn hangups(tenant: Arc<Tenant>) -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            tracing::info!("SIGHUP: the applications' certificate is read anew, if there is one");
            tenant.look_at_brought(unix_now()).await;
        }
    })
}

/// One tenant on one data directory: the lock ends with the process, however it ends.
fn lock(config: &Config) -> Result<File, TenantError> {
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
    let store = Store::open(&config.database(), keys::seal_keys(&config.seal_keys, us())?)?;
    let unreadable = store.read(|conn| {
        for domain in domains::all(conn)? {
            if let Some((object, held)) = digests::any_of(conn, domain.id)?
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

async fn bind(address: SocketAddr) -> Result<TcpListener, TenantError> {
    TcpListener::bind(address)
        .await
        .map_err(|e| TenantError::Listen { address: address.to_string(), why: e.to_string() })
}

/// The server's certificate, made anew in memory before it ends.
#[derive(Debug)]
struct OwnCertificate {
    present: RwLock<Arc<CertifiedKey>>,
    ends: AtomicI64,
}

impl OwnCertificate {
    fn new(authority: &Authority, url: &TenantUrl, now: i64) -> Result<Self, TenantError> {
        let made = authority
            .server_certificate(url.host(), now)
            .map_err(|e| TenantError::Defect(format!("the server's certificate: {e}")))?;
        Ok(Self {
            present: RwLock::new(Arc::new(made)),
            ends: AtomicI64::new(now.saturating_add(SERVER_LIFE)),
        })
    }

    fn replace(&self, authority: &Authority, url: &TenantUrl, now: i64) {
        match authority.server_certificate(url.host(), now) {
            Ok(made) => {
                *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
                self.ends.store(now.saturating_add(SERVER_LIFE), Ordering::Relaxed);
                tracing::info!("the server has a new certificate");
            }
            Err(error) => tracing::error!(%error, "the server's certificate could not be renewed"),
        }
    }
}

impl ResolvesServerCert for OwnCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.present.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn chores(tenant: Arc<Tenant>, mut stop: watch::Receiver<bool>) {
    loop {
        let now = unix_now();
        if tenant.certificate_ends().saturating_sub(now) < SERVER_LIFE / 2 {
            tenant.certificate.replace(&tenant.authority, &tenant.url, now);
        }
        tenant.look_at_brought(now).await;
        let forgetful = tenant.clone();
        let forgetting = tokio::task::spawn_blocking(move || {
            forgetful.forget(now);
            forgetful.erase(now);
        });
        let _ = forgetting.await;
        tokio::select! {
            () = stopped(&mut stop) => return,
            () = tokio::time::sleep(CHORES) => {}
        }
    }
}

impl Tenant {
    /// When the server's certificate is over: seconds since 1970.
    pub fn certificate_ends(&self) -> i64 {
        self.certificate.ends.load(Ordering::Relaxed)
    }

    /// Which accounts the agents are tried with.
    pub(crate) fn tell_canaries(&self) -> Result<(), StoreError> {
        for domain in self.store.read(domains::all)? {
            self.attend.canaries(domain.id, self.store.read(|conn| canaries::of(conn, domain.id))?);
        }
        Ok(())
    }

    /// Erases whoever left so long ago that its grace time is over, and what SQLite left of digests that are gone.
    fn erase(&self, now: i64) {
        let before = due_before(now, self.grace_days);
        let erased = self.store.erase(|tx| {
            let due = objects::removed_before(tx, before)?;
            for object in &due {
                audit::append(
                    tx,
                    now,
                    "tenant",
                    "object-erased",
                    &object.to_string(),
                    "its grace time is over",
                )?;
            }
            Ok(due)
        });
        let tally = self.store.tally();
        let gone = tally.digests_erased.now().saturating_add(tally.digests_replaced.now());
        let mut scrubbed = self.scrubbed.lock().unwrap_or_else(PoisonError::into_inner);
        let done = erased.and_then(|erased| {
            if erased > 0 {
                tracing::info!(objects = erased, "erased: their grace time is over");
                self.tell_canaries()?;
            } else if *scrubbed != Some(gone) {
                self.store.scrub_digests()?;
            } else if self.store.is_to_fold() {
                self.store.fold_erased()?;
            }
            if self.store.is_to_fold() {
                tracing::warn!("what was erased is in the database's log still: a backup reads it; tried again within the hour");
            }
            *scrubbed = Some(gone);
            Ok(())
        });
        if let Err(error) = done {
            *scrubbed = None;
            tracing::error!(%error, "what is due to be erased may still be there; tried again within the hour");
        }
    }

    async fn look_at_brought(&self, now: i64) {
        if let Some(brought) = self.brought.clone() {
            let _ = tokio::task::spawn_blocking(move || brought.look(now)).await;
        }
    }

    fn forget(&self, now: i64) {
        let before = now.saturating_sub(self.audit_kept);
        loop {
            match self.store.write(|tx| audit::forget(tx, before)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return tracing::error!(%error, "old audit entries cannot be forgotten"),
            }
        }
    }
}
