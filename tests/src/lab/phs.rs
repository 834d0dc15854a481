//! A real `landbridge-phs` with a folder and a configuration of its own.
//! Driven by its own command line. Reads `domain`, sends to `tenant`.

use super::domain::Domain;
use super::error::{Doing as _, LabError};
use super::population::{ACCOUNT, ACCOUNT_PASSWORD};
use super::program::{Finished, ProgramFolder, Running, wait_until};
use super::tenant::RunningTenant;
use super::{view, watchdog};
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// How phs proves itself to the DC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Kerberos, with the keytab.
    Keytab,
    /// Kerberos, with the password.
    Password,
}

/// How a phs is set up where it matters to a test.
#[derive(Debug, Clone)]
pub struct PhsSettings {
    /// `[directory] domain`.
    pub domain: &'static str,
    /// `[passwords] profile`.
    pub profile: &'static str,
    /// How it proves itself.
    pub proof: Proof,
    /// `[directory] account`.
    pub account: String,
    /// What the password file holds.
    pub password: String,
    /// The keytab; the lab's own when none.
    pub keytab: Option<PathBuf>,
    /// DCs that are tried before the lab's own: names and addresses.
    pub before: Vec<(String, IpAddr)>,
    /// The DC's name; when empty, no DC is configured and DNS is queried.
    pub controller: String,
    /// The DC's address; the name is resolved when none.
    pub address: Option<IpAddr>,
    /// `[directory] page_objects`.
    pub page_objects: u32,
    /// `[privileged] also`.
    pub also: Vec<String>,
    /// `[privileged] include`.
    pub include: Vec<String>,
    /// `[directory] alternate_login`.
    pub alternate_login: Option<&'static str>,
    /// `[directory] photos`.
    pub photos: bool,
    /// Lines before the first section.
    pub top: &'static str,
    /// Further sections, as they stand in the file.
    pub further: String,
    /// Lines of `[schedule]`.
    pub schedule: &'static str,
    /// `[log] level`.
    pub level: &'static str,
    /// Where the state goes; a folder of its own when none.
    pub state: Option<PathBuf>,
}

impl PhsSettings {
    /// As the lab's domain expects it, with this profile.
    pub fn for_domain(domain: &Domain, profile: &'static str) -> Self {
        Self {
            domain: domain.name(),
            profile,
            proof: Proof::Keytab,
            account: ACCOUNT.to_owned(),
            password: ACCOUNT_PASSWORD.to_owned(),
            keytab: Some(domain.keytab()),
            before: Vec::new(),
            controller: domain.names().controller.to_owned(),
            address: Some(domain.address()),
            page_objects: 250,
            include: Vec::new(),
            also: Vec::new(),
            alternate_login: None,
            photos: false,
            top: "",
            further: String::new(),
            schedule: "",
            level: "info",
            state: None,
        }
    }

    /// Adds this DC after those that are configured.
    #[must_use]
    pub fn then(mut self, controller: &str, address: IpAddr) -> Self {
        let first = std::mem::replace(&mut self.controller, controller.to_owned());
        self.before.extend(self.address.replace(address).map(|address| (first, address)));
        self
    }
}

/// An installation of phs. Removed when dropped.
#[derive(Debug)]
pub struct Phs {
    /// The programs that it runs.
    pub programs: ProgramFolder,
    folder: TempDir,
    state: PathBuf,
}

impl Phs {
    /// Writes the configuration and the files that it names.
    pub fn install(settings: &PhsSettings) -> Result<Self, LabError> {
        let folder = watchdog::folder("landbridge-phs-")?;
        let state = settings.state.clone().unwrap_or_else(|| folder.path().join("state"));
        let phs = Self { programs: ProgramFolder::default(), folder, state };
        phs.configure(settings)?;
        Ok(phs)
    }

    /// Writes them again; the state stays.
    pub fn configure(&self, settings: &PhsSettings) -> Result<(), LabError> {
        let password = self.folder.path().join("password");
        write_private(&password, settings.password.as_bytes())?;
        let mut text = format!(
            "state_directory = \"{}\"\n{}\n[directory]\ndomain = \"{}\"\n",
            self.state.display(),
            settings.top,
            settings.domain
        );
        let mut line = |name: &str, value: &str| text.push_str(&format!("{name} = {value}\n"));
        let quoted = |path: &Path| format!("\"{}\"", path.display());
        line("account", &format!("\"{}\"", settings.account));
        let keytab = settings.keytab.clone().unwrap_or_else(|| self.folder.path().join("keytab"));
        match settings.proof {
            Proof::Keytab => line("keytab", &quoted(&keytab)),
            Proof::Password => line("password_file", &quoted(&password)),
        }
        if let Some(attribute) = settings.alternate_login {
            line("alternate_login", &format!("\"{attribute}\""));
        }
        if settings.photos {
            line("photos", "true");
        }
        line("page_objects", &settings.page_objects.to_string());
        for (name, address) in &settings.before {
            line("[[directory.controllers]]\nname", &format!("\"{name}\""));
            line("address", &format!("\"{address}\""));
        }
        if !settings.controller.is_empty() {
            line("[[directory.controllers]]\nname", &format!("\"{}\"", settings.controller));
            if let Some(address) = settings.address {
                line("address", &format!("\"{address}\""));
            }
        }
        line("[passwords]\nprofile", &format!("\"{}\"", settings.profile));
        line("[privileged]\ninclude", &format!("{:?}", settings.include));
        line("also", &format!("{:?}", settings.also));
        line("[log]\nlevel", &format!("\"{}\"", settings.level));
        text.push_str(&format!("[schedule]\n{}\n{}\n", settings.schedule, settings.further));
        fs::write(self.config(), text).doing("write phs.toml")
    }

    /// A command line of this phs, to be run by the caller.
    pub fn command(&self, arguments: &[&str]) -> Result<Command, LabError> {
        let mut command = view::command(self.programs.program("landbridge-phs")?)?;
        command.arg("--config").arg(self.config()).args(arguments);
        // So that a search of the folder sees what would go to /tmp.
        command.env("TMPDIR", self.folder.path()).env("SQLITE_TMPDIR", self.folder.path());
        Ok(command)
    }

    /// Starts a command, to be killed or finished by the caller.
    pub fn start(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Running, LabError> {
        Running::start(self.command(arguments)?, input, &self.output())
    }

    /// Runs a command to its end, whatever that is.
    pub fn run(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Finished, LabError> {
        self.start(arguments, input)?.finish(300)
    }

    /// Runs a command to its end, with its standard error (logs, progress) shown elsewhere.
    pub fn show(&self, command: Command, at: Stdio) -> Result<Finished, LabError> {
        Running::start_showing(command, None, &self.output(), Some(at))?.finish(600)
    }

    /// `enroll`, with the token on standard input.
    pub fn enroll(&self, token: &str) -> Result<Finished, LabError> {
        self.run(&["enroll"], Some(format!("{token}\n").as_bytes()))
    }

    /// Enrols with a new token of this tenant's, and the administrator approves it.
    ///
    /// # Panics
    /// When the enrolment fails.
    pub fn join(&self, tenant: &RunningTenant) -> Result<(), LabError> {
        self.enroll(&tenant.token()?)?.expect_code(0);
        tenant.approve_all()
    }

    /// `once --json` and more.
    pub fn once(&self, more: &[&str]) -> Result<Finished, LabError> {
        self.run(&[&["once", "--json"], more].concat(), None)
    }

    /// `run`, and waits until it has done a cycle.
    pub fn run_daemon(&self) -> Result<Running, LabError> {
        let daemon = self.start(&["run"], None)?;
        let serves = || {
            let status = self.run(&["status", "--json"], None);
            // 10: it runs, and an administrator should look at something.
            let runs = |code| matches!(code, Some(0 | 10));
            status.is_ok_and(|said| runs(said.code) && said.json()["cycles"].as_u64() > Some(0))
        };
        wait_until("the daemon's first cycle", 60, serves, || daemon.said())?;
        Ok(daemon)
    }

    /// Its configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("phs.toml")
    }

    /// Its state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Its state database.
    pub fn database(&self) -> PathBuf {
        self.state.join("state.db")
    }

    /// The outputs of its runs, a file each.
    pub fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The folder with all of it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// Writes a file that its owner alone can read.
pub fn write_private(path: &Path, content: &[u8]) -> Result<(), LabError> {
    fs::write(path, content).doing(format!("write {}", path.display()))?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))
        .doing(format!("set the mode of {}", path.display()))
}
