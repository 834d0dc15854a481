//! A real `landbridge-tenant` in a folder and at an address of its own, driven by its own command line.

use super::address::{APPLICATIONS, Address, ISSUER, LDAP, LDAPS, OBSERVE, TENANT};
use super::certificates;
use super::domain::Domain;
use super::error::{Doing as _, LabError, failed};
use super::population::{NAMES, Names};
use super::program::{Finished, ProgramFolder, Running, wait_until};
use super::{view, watchdog};
use landbridge_tenant_store::tables::attributes::packed::{Entry, Value as Packed, unpack};
use rusqlite::OptionalExtension as _;
use rusqlite::types::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// How long the smart lockout's first lock lasts: longer than any test runs.
const LOCK_SECONDS: u32 = 3600;

/// How a tenant is set up where it matters to a test.
#[derive(Debug, Clone)]
pub struct TenantSettings {
    /// `[log] level`.
    pub level: &'static str,
    /// `[lockout] threshold`.
    pub lockout_threshold: u32,
    /// Where to serve agents and applications; an address of its own when none.
    pub listen: Option<SocketAddr>,
    /// The balancer that all connections come through, if there is one.
    pub balancer: Option<SocketAddr>,
    /// Where agents connect, if that is not the address that it serves at: a forwarder.
    pub forwarder: Option<SocketAddr>,
    /// The URL of a database on a server; none: the database is a file.
    pub database: Option<String>,
    /// How the server is reached by TLS: the CA of its certificate (PEM), and the password. None: by a socket.
    pub database_by_tls: Option<(String, &'static str)>,
    /// Where the data goes; a folder of its own when none.
    pub data_directory: Option<PathBuf>,
    /// More flags for `domains add`.
    pub domain_flags: &'static [&'static str],
    /// The folder of another version's programs; none: those of this build.
    pub programs: Option<PathBuf>,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            level: "info",
            lockout_threshold: 10,
            listen: None,
            balancer: None,
            forwarder: None,
            database: None,
            database_by_tls: None,
            data_directory: None,
            domain_flags: &[],
            programs: None,
        }
    }
}

/// Where a tenant serves LDAP.
#[derive(Debug, Clone)]
pub struct LdapServer {
    /// Its address. LDAPS is at port 636, StartTLS at 389.
    pub ip: IpAddr,
    /// The file of the CA that its certificate is of.
    pub ca: PathBuf,
}

/// A tenant. Stopped and removed when dropped.
#[derive(Debug)]
pub struct RunningTenant {
    /// The programs that it runs.
    pub programs: ProgramFolder,
    serving: Mutex<Option<Running>>,
    /// The address that it has bound.
    bound: SocketAddr,
    /// Where its clients connect.
    listen: SocketAddr,
    observe: SocketAddr,
    address: Address,
    data: PathBuf,
    folder: TempDir,
    /// Of the domain that it serves.
    pub(super) names: Names,
}

impl RunningTenant {
    /// Makes a tenant and serves it; its domain will have the usual names.
    pub fn start(settings: &TenantSettings) -> Result<Self, LabError> {
        Self::start_with(NAMES, settings)
    }

    fn start_with(names: Names, settings: &TenantSettings) -> Result<Self, LabError> {
        let tenant = Self::configured(names, settings)?;
        let (data, url) = (tenant.data_directory().display().to_string(), tenant.url());
        let bound = tenant.bound.to_string();
        tenant.do_run(&["init", "--url", &url, "--listen", &bound, "--data-directory", &data])?;
        tenant.serve()?;
        Ok(tenant)
    }

    /// Makes a further node of this tenant, whose database is on a server, and serves it.
    pub fn start_node(&self, name: &str, settings: &TenantSettings) -> Result<Self, LabError> {
        let node = Self::configured(self.names, settings)?;
        let file = |name: &str| node.folder.path().join(name).display().to_string();
        let (key, bundle) = (file("node.key"), file("node.bundle"));
        let public = node.do_run(&["nodes", "key", &key])?.word("lbnp1.");
        self.do_run(&["nodes", "add", name, "--url", &node.url(), "--key", &public, &bundle])?;
        node.do_run(&["nodes", "join", &bundle, "--key", &key])?;
        node.serve()?;
        Ok(node)
    }

    /// Where a second node can serve agents: the tenant's CA signs for the host of the first one.
    pub fn address_of_second(&self) -> SocketAddr {
        SocketAddr::new(self.bound.ip(), self.bound.port() + 100)
    }

    /// A folder, an address and a configuration, and no data.
    fn configured(names: Names, settings: &TenantSettings) -> Result<Self, LabError> {
        let folder = watchdog::folder("landbridge-tenant-")?;
        let address = Address::claim()?;
        let observe = SocketAddr::new(address.ip(), OBSERVE);
        let bound = settings.listen.unwrap_or(SocketAddr::new(address.ip(), TENANT));
        let data = settings.data_directory.clone().unwrap_or_else(|| folder.path().join("data"));
        let programs = ProgramFolder::default();
        programs.set(settings.programs.as_deref());
        let serving = Mutex::new(None);
        let listen = settings.balancer.or(settings.forwarder).unwrap_or(bound);
        let tenant = Self { programs, serving, bound, listen, observe, address, data, folder, names };
        let TenantSettings { level, lockout_threshold, .. } = settings;
        let balancers = settings
            .balancer
            .map(|balancer| format!("balancers = [\"{}\"]\n", balancer.ip()))
            .unwrap_or_default();
        let database = tenant.database_section(settings)?;
        let config = format!(
            "url = \"https://{listen}\"\nlisten = \"{bound}\"\n{balancers}observe = \"{observe}\"\ndata_directory = \"{}\"\n\
             {database}[signin]\ngrid_milliseconds = 250\n[lockout]\nthreshold = {lockout_threshold}\nseconds = {LOCK_SECONDS}\n\
             [log]\nlevel = \"{level}\"\n",
            tenant.data_directory().display()
        );
        fs::write(tenant.config(), config).doing("write tenant.toml")?;
        Ok(tenant)
    }

    /// `[database]`, and the files that it names.
    fn database_section(&self, settings: &TenantSettings) -> Result<String, LabError> {
        let Some(url) = &settings.database else { return Ok(String::new()) };
        let mut section = format!("[database]\nurl = \"{url}\"\n");
        if let Some((ca, password)) = &settings.database_by_tls {
            for (key, content) in [("roots", ca.as_str()), ("password_file", password)] {
                let file = self.folder.path().join(format!("database.{key}"));
                fs::write(&file, content).doing("write what the database needs")?;
                fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).doing("set a mode")?;
                section.push_str(&format!("{key} = \"{}\"\n", file.display()));
            }
        }
        Ok(section)
    }

    /// The same, and it serves this domain already.
    pub fn start_for(domain: &Domain, settings: &TenantSettings) -> Result<Self, LabError> {
        let tenant = Self::start_with(domain.names(), settings)?;
        tenant.add_domain(domain.sid(), settings.domain_flags)?;
        Ok(tenant)
    }

    /// `domains add` with the lab's names, this SID and maybe more flags.
    pub fn add_domain(&self, sid: &str, more: &[&str]) -> Result<(), LabError> {
        let Names { dns, netbios, .. } = self.names;
        let add = ["domains", "add", "--name", dns, "--netbios", netbios, "--sid", sid];
        self.do_run(&[&add, more].concat()).map(drop)
    }

    /// Serves, and waits until it does. A process that serves already is killed first.
    pub fn serve(&self) -> Result<(), LabError> {
        let mut serving = self.serving();
        drop(serving.take());
        let command = self.command(&["serve"])?;
        let running = serving.insert(Running::start(command, None, &self.output())?);
        let mut ended = false;
        let log = running.said_in();
        let serves = || {
            ended = running.has_ended();
            ended || (self.health().is_some() && TcpStream::connect(self.bound).is_ok())
        };
        let said = || fs::read_to_string(&log).unwrap_or_default();
        wait_until("the tenant to serve", 30, serves, said)?;
        if ended { Err(failed("landbridge-tenant serve", said())) } else { Ok(()) }
    }

    /// Serves again, and applications on a port of their own too, with a certificate of another CA. Returns that
    /// port's address, and the file of that CA.
    pub fn serve_applications(&self) -> Result<(SocketAddr, PathBuf), LabError> {
        let address = SocketAddr::new(self.address.ip(), APPLICATIONS);
        let ca = self.serve_also("applications", &format!("listen = \"{address}\""))?;
        Ok((address, ca))
    }

    /// Serves again, and applications on a port of their own too, which this balancer alone may use. The certificate is that
    /// in `folder`, made at the first call. Returns the port's address.
    pub fn serve_applications_behind(&self, balancer: IpAddr, folder: &Path) -> Result<SocketAddr, LabError> {
        let address = SocketAddr::new(self.address.ip(), APPLICATIONS);
        if !folder.exists() {
            certificates::write(folder, "tenant.example.com", balancer)?;
        }
        let lines = format!("listen = \"{address}\"\nbalancers = [\"{balancer}\"]");
        self.serve_with("applications", &lines, folder)?;
        Ok(address)
    }

    /// Serves again, and LDAP and an issuer too, each by TLS at its usual port, which this balancer alone may use. The issuer is
    /// the address of the balancer, and the certificate that in `folder`.
    pub fn serve_doors_behind(&self, balancer: IpAddr, folder: &Path) -> Result<(), LabError> {
        let (ip, balancers) = (self.address.ip(), format!("balancers = [\"{balancer}\"]"));
        self.serve_with("ldap", &format!("listen = \"{ip}:{LDAPS}\"\n{balancers}"), folder)?;
        let issuer = format!("issuer = \"https://{balancer}\"\nlisten = \"{ip}:{ISSUER}\"\n{balancers}");
        self.serve_with("oidc", &issuer, folder)
    }

    /// Serves again, and LDAP too, at the usual ports of the tenant's address, with a certificate of another CA. Programs
    /// find it under the address.
    pub fn serve_ldap(&self) -> Result<LdapServer, LabError> {
        let ip = self.address.ip();
        let addresses = format!("listen = \"{ip}:{LDAPS}\"\nstart_tls = \"{ip}:{LDAP}\"");
        Ok(LdapServer { ip, ca: self.serve_also("ldap", &addresses)? })
    }

    /// Serves again, and an issuer of OpenID Connect too, at the usual port of the tenant's address, which is its name as
    /// well, with a certificate of another CA. Returns the issuer and the file of the CA.
    pub fn serve_oidc(&self) -> Result<(String, PathBuf), LabError> {
        let ip = self.address.ip();
        let issuer = format!("https://{ip}");
        // Applications of tests are on loopback, each with a CA of its own.
        fs::write(self.application_cas(), "").doing("write the CAs of applications")?;
        let lines = format!(
            "issuer = \"{issuer}\"\nlisten = \"{ip}:{ISSUER}\"\nback_channel_roots = \"{}\"\n\
             back_channel_networks = [\"127.0.0.0/8\"]",
            self.application_cas().display()
        );
        Ok((issuer, self.serve_also("oidc", &lines)?))
    }

    fn application_cas(&self) -> PathBuf {
        self.folder.path().join("application_cas.pem")
    }

    /// Trusts a further CA when it notifies applications of the end of sessions.
    pub fn trust(&self, ca: &Path) -> Result<(), LabError> {
        let known = fs::read_to_string(self.application_cas()).doing("read the CAs of applications")?;
        let further = fs::read_to_string(ca).doing("read the CA of an application")?;
        fs::write(self.application_cas(), known + &further).doing("write the CAs of applications")
    }

    /// Serves again with a further section of the configuration, and a certificate of another CA for it. Returns the file
    /// of that CA.
    fn serve_also(&self, section: &str, lines: &str) -> Result<PathBuf, LabError> {
        let folder = self.folder.path().join(section);
        certificates::write(&folder, "tenant.example.com", self.address.ip())?;
        self.serve_with(section, lines, &folder)?;
        Ok(folder.join("ca.pem"))
    }

    /// Serves again with a further section of the configuration, and the certificate in `folder` for it.
    pub fn serve_with(&self, section: &str, lines: &str, folder: &Path) -> Result<(), LabError> {
        let mut config = fs::read_to_string(self.config()).doing("read tenant.toml")?;
        let file = |name: &str| folder.join(name).display().to_string();
        config.push_str(&format!(
            "[{section}]\n{lines}\ncertificate = \"{}\"\nkey = \"{}\"\n",
            file("dc.pem"),
            file("dc.key")
        ));
        fs::write(self.config(), config).doing("write tenant.toml")?;
        self.stop()?;
        self.serve()
    }

    /// A credential for a new application that reads by LDAP; the flags say who is assigned and what it sees.
    pub fn ldap_application(&self, name: &str, flags: &[&str]) -> Result<String, LabError> {
        let create = ["apps", "create", "--name", name, "--ldap", "--rate", "1000000"];
        Ok(self.do_run(&[&create, flags].concat())?.word("lba1."))
    }

    /// SIGKILL.
    pub fn kill(&self) {
        drop(self.serving().take());
    }

    /// SIGSTOP or SIGCONT.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        if let Some(running) = self.serving().as_mut() {
            running.signal(signal);
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&self) -> Result<Finished, LabError> {
        match self.serving().take() {
            Some(mut running) => {
                running.signal(rustix::process::Signal::TERM);
                running.finish(30)
            }
            None => Err(failed("stopping the tenant", "it does not run")),
        }
    }

    /// The running process.
    pub fn process(&self) -> Option<u32> {
        self.serving().as_ref().map(Running::id)
    }

    fn serving(&self) -> MutexGuard<'_, Option<Running>> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A command line of this tenant, to be run by the caller.
    pub fn command(&self, arguments: &[&str]) -> Result<Command, LabError> {
        let mut command = view::command(self.programs.program("landbridge-tenant")?)?;
        command.arg("--config").arg(self.config()).args(arguments);
        // So that a search of the folder sees what would go to /tmp.
        command.env("TMPDIR", self.folder.path()).env("SQLITE_TMPDIR", self.folder.path());
        Ok(command)
    }

    /// Runs a command of this tenant to its end, whatever that is.
    pub fn run(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Finished, LabError> {
        Running::start(self.command(arguments)?, input, &self.output())?.finish(60)
    }

    /// Runs a command of this tenant, which must succeed.
    fn do_run(&self, arguments: &[&str]) -> Result<Finished, LabError> {
        let finished = self.run(arguments, None)?;
        if finished.code == Some(0) {
            Ok(finished)
        } else {
            Err(failed("a command of the tenant's", finished))
        }
    }

    /// A one-time token for a phs of the lab's domain.
    pub fn token(&self) -> Result<String, LabError> {
        self.token_for("phs")
    }

    /// A credential for a new application, with a rate that no test reaches.
    pub fn credential(&self, name: &str) -> Result<String, LabError> {
        Ok(self.do_run(&["apps", "create", "--name", name, "--rate", "1000000"])?.word("lba1."))
    }

    /// Whether it holds a digest for this account, by its own database.
    pub fn holds_digest(&self, object: uuid::Uuid) -> Result<bool, LabError> {
        self.digest_stamp(object).map(|stamp| stamp.is_some())
    }

    /// The stamp of the digest that its database has of this account: another one after each change of the password.
    /// None: it has no digest.
    pub fn digest_stamp(&self, object: uuid::Uuid) -> Result<Option<Vec<u8>>, LabError> {
        let ask = "SELECT max(stamp) FROM digests JOIN objects USING (number) WHERE object = ?1";
        let stamp = self.open_database()?.query_row(ask, [object.as_bytes()], |row| row.get(0));
        stamp.map_err(|why| failed("reading the tenant's database", why))
    }

    /// What its database has of an object, by the tenant's own names of attributes; NULL: it was removed.
    pub fn attributes(&self, object: uuid::Uuid) -> Result<BTreeMap<String, Value>, LabError> {
        let database = self.open_database()?;
        let packed: Option<Vec<u8>> = database
            .query_row(
                "SELECT packed FROM attributes JOIN objects USING (number) WHERE object = ?1",
                [object.as_bytes()],
                |row| row.get(0),
            )
            .optional()
            .map_err(|why| failed("reading the tenant's database", why))?;
        let packed = packed.unwrap_or_default();
        if packed.is_empty() {
            return Ok(BTreeMap::new());
        }
        let entries = unpack(&packed).map_err(|why| failed("reading packed attributes", why))?;
        let read = |entry: Entry<'_>| {
            let octets =
                "SELECT value FROM octets JOIN objects USING (number) WHERE object = ?1 AND name = ?2";
            let value = match entry.value {
                None => Value::Null,
                Some(Packed::Text(text)) => Value::Text(text.into_owned()),
                Some(Packed::Integer(number)) => Value::Integer(number),
                Some(Packed::Octets(octets)) => Value::Blob(octets.into_owned()),
                Some(Packed::Elsewhere(_)) => {
                    let row = database.query_row(octets, (object.as_bytes(), entry.name), |row| row.get(0));
                    Value::Blob(row.map_err(|why| failed("reading the tenant's database", why))?)
                }
            };
            Ok((entry.name.to_owned(), value))
        };
        entries.into_iter().map(read).collect()
    }

    /// The objects that its database has.
    pub fn objects(&self) -> Result<Vec<uuid::Uuid>, LabError> {
        let database = self.open_database()?;
        let read = || {
            let mut ask = database.prepare("SELECT object FROM objects")?;
            let rows = ask.query_map([], |row| Ok(uuid::Uuid::from_bytes(row.get(0)?)))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|why| failed("reading the tenant's database", why))
    }

    /// Its database, for reading.
    pub fn open_database(&self) -> Result<rusqlite::Connection, LabError> {
        let read_only = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let open = rusqlite::Connection::open_with_flags(self.database(), read_only);
        open.map_err(|why| failed("opening the tenant's database", why))
    }

    /// The agents, as `agents list --json` shows them.
    pub fn agents(&self) -> Result<Vec<serde_json::Value>, LabError> {
        let listed = self.do_run(&["agents", "list", "--json"])?;
        listed.json().as_array().cloned().ok_or_else(|| failed("agents list --json", listed))
    }

    /// The state of the agent with this id, as `agents list` shows it.
    ///
    /// # Panics
    /// When the tenant does not know the agent.
    #[track_caller]
    pub fn state_of_agent(&self, id: &str) -> Result<String, LabError> {
        let agents = self.agents()?;
        let state = agents.iter().find(|agent| agent["id"] == id).and_then(|agent| agent["state"].as_str());
        Ok(state.unwrap_or_else(|| panic!("no agent {id}")).to_owned())
    }

    /// Approves every agent that waits for it.
    pub fn approve_all(&self) -> Result<(), LabError> {
        for agent in self.agents()? {
            if agent["state"] == "pending" {
                self.approve(agent["id"].as_str().unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Approves an agent, also to end its quarantine, without a question.
    pub fn approve(&self, agent: &str) -> Result<(), LabError> {
        // Version 0.1 does not ask.
        let asks = self.do_run(&["agents", "approve", "--help"])?.stdout.contains("--yes");
        let yes: &[&str] = if asks { &["--yes"] } else { &[] };
        self.do_run(&[&["agents", "approve", agent], yes].concat()).map(drop)
    }

    /// A counter or gauge of `/metrics`, the sum over its labels; none when it is not there.
    pub fn metric(&self, name: &str) -> Result<Option<f64>, LabError> {
        let text = self.observed("/metrics").doing("read the tenant's metrics")?;
        let of = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let same = series.split('{').next() == Some(name);
            same.then(|| value.parse::<f64>().ok()).flatten()
        };
        let found: Vec<f64> = text.lines().filter_map(of).collect();
        Ok(if found.is_empty() { None } else { Some(found.iter().sum()) })
    }

    /// The lines of `/metrics` of these counters, with their labels.
    pub fn metrics_of(&self, names: &[String]) -> Result<Vec<String>, LabError> {
        let text = self.observed("/metrics").doing("read the tenant's metrics")?;
        let of = |line: &&str| names.iter().any(|name| line.split(['{', ' ']).next() == Some(name));
        Ok(text.lines().filter(of).map(str::to_owned).collect())
    }

    /// Whether it is ready, and why it is not, as it says to its administrator.
    pub fn readiness(&self) -> Result<(bool, String), LabError> {
        let answer = self.observed("/readyz").doing("read whether the tenant is ready")?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((answer.starts_with("HTTP/1.1 200"), body.to_owned()))
    }

    fn health(&self) -> Option<String> {
        self.observed("/healthz").ok().filter(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// The whole answer to a GET of the observation port.
    fn observed(&self, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.observe)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.observe)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Where agents and applications connect: at its balancer, if it has one.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// The address that it has bound.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// As agents name it.
    pub fn url(&self) -> String {
        format!("https://{}", self.listen)
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("tenant.toml")
    }

    /// Its data directory.
    pub fn data_directory(&self) -> PathBuf {
        self.data.clone()
    }

    /// Its root certificate, PEM.
    pub fn root_certificate(&self) -> PathBuf {
        self.data_directory().join("tls/root.pem")
    }

    /// Its database.
    pub fn database(&self) -> PathBuf {
        self.data_directory().join("tenant.db")
    }

    /// The outputs of its programs, a file each.
    pub fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The folder with all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
