//! A real `landbridge-pta-agent` with a folder and a configuration of its own.
//! Driven by its own command line. Connects to `tenant`, binds at `domain`.

use super::domain::Domain;
use super::error::{Doing as _, LabError, failed};
use super::program::{Finished, ProgramFolder, Running, wait_until};
use super::tenant::RunningTenant;
use super::{view, watchdog};
use landbridge_pta_agent::status::Status;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// How an agent is set up where it matters to a test.
#[derive(Debug, Clone)]
pub struct PtaSettings {
    /// `[directory] domain`.
    pub domain: &'static str,
    /// The CA that the certificates of domain controllers must come from.
    pub ca: Option<PathBuf>,
    /// Certificates of domain controllers that are accepted: SHA-256, hexadecimal.
    pub pins: Vec<String>,
    /// The domain controllers: names, addresses, ports.
    pub controllers: Vec<(String, IpAddr, u16)>,
    /// `[directory] connections`.
    pub kept: u16,
    /// `[tenant] connections`.
    pub connections: usize,
    /// `[log] level`.
    pub level: &'static str,
    /// More lines for `[directory]`.
    pub directory: String,
    /// More lines for `[tenant]`.
    pub tenant: String,
    /// Lines of `[defence]`.
    pub defence: String,
}

impl PtaSettings {
    /// As the lab's domain expects it.
    pub fn for_domain(domain: &Domain) -> Self {
        Self {
            domain: domain.name(),
            ca: Some(domain.ca()),
            pins: Vec::new(),
            controllers: vec![(domain.names().controller.to_owned(), domain.address(), 636)],
            kept: 4,
            connections: 2,
            level: "info",
            directory: String::new(),
            tenant: String::new(),
            defence: String::new(),
        }
    }
}

/// An installation of the agent. Stopped and removed when dropped.
#[derive(Debug)]
pub struct PtaAgent {
    /// The programs that it runs.
    pub programs: ProgramFolder,
    running: Mutex<Option<Running>>,
    folder: TempDir,
}

impl PtaAgent {
    /// Writes the configuration.
    pub fn install(settings: &PtaSettings) -> Result<Self, LabError> {
        let folder = watchdog::folder("landbridge-pta-")?;
        let agent = Self { programs: ProgramFolder::default(), running: Mutex::new(None), folder };
        agent.configure(settings)?;
        Ok(agent)
    }

    /// Writes the configuration again; the state stays.
    pub fn configure(&self, settings: &PtaSettings) -> Result<(), LabError> {
        let PtaSettings {
            domain,
            ca,
            pins,
            controllers,
            kept,
            connections,
            level,
            directory,
            tenant,
            defence,
        } = settings;
        let mut text = format!(
            "state_directory = \"{}\"\n[directory]\ndomain = \"{domain}\"\npins = {pins:?}\nconnections = {kept}\n\
             {directory}\n",
            self.state().display(),
        );
        if let Some(ca) = ca {
            text.push_str(&format!("ca_file = \"{}\"\n", ca.display()));
        }
        for (name, address, port) in controllers {
            text.push_str(&format!(
                "[[directory.controllers]]\nname = \"{name}\"\naddress = \"{address}\"\nport = {port}\n"
            ));
        }
        text.push_str(&format!(
            "[tenant]\nconnections = {connections}\n{tenant}\n[defence]\n{defence}\n[log]\nlevel = \"{level}\"\n"
        ));
        fs::write(self.config(), text).doing("write pta-agent.toml")
    }

    /// Installs, joins this tenant, and runs.
    ///
    /// # Panics
    /// When the enrolment fails.
    pub fn start(settings: &PtaSettings, tenant: &RunningTenant) -> Result<Self, LabError> {
        let agent = Self::install(settings)?;
        agent.join(tenant)?;
        agent.run()?;
        Ok(agent)
    }

    /// Enrols with a new token of this tenant's, also in the place of another identity, and the administrator approves
    /// it.
    ///
    /// # Panics
    /// When the enrolment fails.
    pub fn join(&self, tenant: &RunningTenant) -> Result<(), LabError> {
        let token = tenant.token_for("pta")?;
        self.run_to_end(&["enroll", "--replace"], Some(token.as_bytes()))?.expect_code(0);
        tenant.approve_all()
    }

    /// A command line of this agent, to be run by the caller.
    pub fn command(&self, arguments: &[&str]) -> Result<Command, LabError> {
        let mut command = view::command(self.programs.program("landbridge-pta-agent")?)?;
        command.arg("--config").arg(self.config()).args(arguments);
        command.env("TMPDIR", self.folder.path());
        Ok(command)
    }

    /// Runs a command to its end, whatever that is.
    pub fn run_to_end(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Finished, LabError> {
        Running::start(self.command(arguments)?, input, &self.output())?.finish(60)
    }

    /// `enroll`, with the token on standard input.
    pub fn enroll(&self, token: &str) -> Result<Finished, LabError> {
        self.run_to_end(&["enroll"], Some(format!("{token}\n").as_bytes()))
    }

    /// `run`, until it is killed or stopped. A process that runs already is killed first.
    pub fn run(&self) -> Result<(), LabError> {
        let mut running = self.running();
        drop(running.take());
        *running = Some(Running::start(self.command(&["run"])?, None, &self.output())?);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill(&self) {
        drop(self.running().take());
    }

    /// SIGSTOP or SIGCONT.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        if let Some(running) = self.running().as_mut() {
            running.signal(signal);
        }
    }

    /// SIGTERM, and waits for the end.
    pub fn stop(&self) -> Result<Finished, LabError> {
        match self.running().take() {
            Some(mut running) => {
                running.signal(rustix::process::Signal::TERM);
                running.finish(30)
            }
            None => Err(failed("stopping the agent", "it does not run")),
        }
    }

    /// The running process.
    pub fn process(&self) -> Option<u32> {
        self.running().as_ref().map(Running::id)
    }

    /// The agent's id, by its own identity.
    pub fn id(&self) -> Result<String, LabError> {
        let identity = landbridge_agent::Identity::load(&self.state());
        identity.map(|identity| identity.agent.to_string()).map_err(|why| failed("reading an identity", why))
    }

    /// Its status, as it has written it last; none: it has written none.
    pub fn status(&self) -> Option<Status> {
        landbridge_agent::status::read(&self.state())
    }

    /// Waits until it is connected to this many nodes.
    pub fn wait_for_nodes(&self, wanted: usize) -> Result<(), LabError> {
        let connected = || {
            let nodes = self.status().map(|status| status.nodes).unwrap_or_default();
            nodes.values().filter(|node| node.connected).count()
        };
        let said = || format!("{} of {wanted}", connected());
        wait_until("an agent to be connected to the nodes", 60, || connected() == wanted, said)
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("pta-agent.toml")
    }

    /// The outputs of its runs, a file each.
    pub fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The folder with all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Domain {
    /// badPwdCount, by the DC itself.
    pub fn bad_passwords(&self, sam: &str) -> Result<u32, LabError> {
        u32::try_from(self.number_of(sam, "badPwdCount")?).map_err(|why| failed("reading badPwdCount", why))
    }

    /// lockoutTime, by the DC itself; 0 when it is not locked.
    pub fn locked_at(&self, sam: &str) -> Result<i64, LabError> {
        self.number_of(sam, "lockoutTime")
    }

    /// A number of an account in the DC's database; 0 when it has none.
    fn number_of(&self, sam: &str, attribute: &str) -> Result<i64, LabError> {
        let database = self.folder().join("private/sam.ldb");
        let found = view::command("ldbsearch")?
            .arg("-H")
            .arg(&database)
            .args([&format!("(sAMAccountName={sam})"), attribute])
            .output()
            .doing("run ldbsearch")?;
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        let count = text.lines().find_map(|line| line.strip_prefix(&format!("{attribute}: ")));
        Ok(count.and_then(|count| count.trim().parse().ok()).unwrap_or(0))
    }

    /// The DC's answer to a bind by `ldapsearch`: none for success, and the sub-code in AD's error text otherwise.
    ///
    /// # Panics
    /// When the DC gives any other answer.
    pub fn bare_bind(&self, upn: &str, password: &str) -> Result<Option<String>, LabError> {
        let bind = view::command("ldapsearch")?
            .args(["-x", "-LLL", "-H", &format!("ldaps://{}", self.address()), "-D", upn, "-w", password])
            .args(["-s", "base", "-b", "", "1.1"])
            .env("LDAPTLS_CACERT", self.ca())
            .output()
            .doing("run ldapsearch")?;
        if bind.status.success() {
            return Ok(None);
        }
        let said = String::from_utf8_lossy(&bind.stderr).into_owned();
        let code = said.split("data ").nth(1).and_then(|rest| rest.split(',').next()).map(str::to_owned);
        code.map(Some).ok_or_else(|| failed("a bare bind", said))
    }
}

impl RunningTenant {
    /// A one-time token for an agent of this role in the lab's domain.
    pub fn token_for(&self, role: &str) -> Result<String, LabError> {
        let finished = self.run(&["token", "create", "--role", role, "--domain", self.names.dns], None)?;
        if finished.code == Some(0) {
            Ok(finished.word("lbt1."))
        } else {
            Err(failed("token create", finished))
        }
    }

    /// `domains policy`.
    pub fn set_policy(&self, policy: &str) -> Result<Finished, LabError> {
        self.run(&["domains", "policy", self.names.dns, policy], None)
    }

    /// How many connections of agents are open, by `agents list`.
    pub fn connections(&self) -> Result<u64, LabError> {
        Ok(self.agents()?.iter().filter_map(|agent| agent["connections"].as_u64()).sum())
    }

    /// Waits until this many connections of agents are open.
    pub fn wait_for_connections(&self, wanted: u64, seconds: u64) -> Result<(), LabError> {
        let what = format!("{wanted} connections of agents");
        let said = || self.agents().map_or_else(|why| why.to_string(), |agents| format!("{agents:?}"));
        wait_until(&what, seconds, || self.connections().is_ok_and(|now| now == wanted), said)
    }
}
