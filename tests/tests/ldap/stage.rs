//! Two tenants that serve LDAP, each for a domain of its own: one decides by digest, the other by agents. In both an agent
//! changes passwords, which may be changed again at once. All tests of this binary share them, and each has people of its own.

use landbridge_tests::lab::program::{Finished, Running};
use landbridge_tests::lab::{
    Domain, LdapServer, Person, Phs, PhsSettings, Population, PtaAgent, PtaSettings, RunningTenant,
    TenantSettings, person,
};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tempfile::TempDir;

/// Where the domain's entries stand.
pub(crate) const BASE: &str = "dc=corp,dc=example,dc=com";
/// The group whose members are assigned to applications, directly and through [`TEAM`].
pub(crate) const STAFF: &str = "Staff";
/// A member of [`STAFF`].
pub(crate) const TEAM: &str = "Team";
/// People of a test: enough for each of its kinds.
pub(crate) const PEOPLE: u32 = 10;
/// Tests that have people of their own.
const TESTS: u32 = 12;

/// How a tenant decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Road {
    Digest,
    Agents,
}

/// A tenant that serves LDAP, with its domain.
pub(crate) struct Stage {
    pub(crate) road: Road,
    pub(crate) domain: Domain,
    pub(crate) tenant: RunningTenant,
    pub(crate) server: LdapServer,
    phs: Phs,
    _agent: PtaAgent,
    syncing: Mutex<()>,
    /// Held by the test whose application has this machine's address.
    address: Mutex<()>,
}

/// See [`Stage::address_of`].
pub(crate) struct Address<'a> {
    stage: &'a Stage,
    name: String,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Address<'_> {
    fn drop(&mut self) {
        self.stage.networks(&self.name, "--remove");
    }
}

/// Both.
pub(crate) fn stages() -> [&'static Stage; 2] {
    static DIGEST: OnceLock<Stage> = OnceLock::new();
    static AGENTS: OnceLock<Stage> = OnceLock::new();
    [DIGEST.get_or_init(|| Stage::start(Road::Digest)), AGENTS.get_or_init(|| Stage::start(Road::Agents))]
}

impl Stage {
    fn start(road: Road) -> Self {
        let domain = Domain::start(Population::of(TESTS * PEOPLE)).unwrap();
        for group in [STAFF, TEAM] {
            domain.create_group(group).unwrap();
        }
        domain.set_member(STAFF, TEAM, true).unwrap();
        domain.set_policy(json!({ "minPwdAge": "0", "minPwdLength": "12" })).unwrap();
        let tenant = RunningTenant::start_for(&domain, &TenantSettings::default()).unwrap();
        let server = tenant.serve_ldap().unwrap();
        let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
        phs.join(&tenant).unwrap();
        let settings = PtaSettings {
            directory: "change_passwords = true".to_owned(),
            ..PtaSettings::for_domain(&domain)
        };
        let agent = PtaAgent::start(&settings, &tenant).unwrap();
        tenant.wait_for_connections(2, 30).unwrap();
        let policy = ["domains", "policy", domain.name(), "--change-passwords", "on"];
        tenant.run(&policy, None).unwrap().expect_code(0);
        let stage = Self {
            road,
            domain,
            tenant,
            server,
            phs,
            _agent: agent,
            syncing: Mutex::default(),
            address: Mutex::default(),
        };
        stage.sync();
        if road == Road::Agents {
            stage.tenant.set_policy("pta").unwrap().expect_code(0);
        }
        stage
    }

    /// A cycle of phs, which must succeed: what was changed in AD is in the tenant afterwards.
    #[track_caller]
    pub(crate) fn sync(&self) {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.phs.once(&[]).unwrap().expect_code(0);
    }

    /// How many wrong passwords the audit log has for somebody.
    pub(crate) fn wrong_passwords(&self, who: &Person) -> u32 {
        let object = self.domain.identity(&who.sam).unwrap().guid.to_string();
        let database = self.tenant.open_database().unwrap();
        let ask = "SELECT count(*) FROM audit WHERE subject = ?1 AND detail LIKE 'wrong-password%'";
        database.query_row(ask, [object], |row| row.get(0)).unwrap()
    }

    /// The people of a test, by its number. Numbers are given once in this binary: see each test's `CAST`.
    pub(crate) fn cast(&self, number: u32) -> Cast {
        assert!(number < TESTS, "raise TESTS");
        let who = |place: u32| person(number * PEOPLE + place);
        Cast {
            direct: who(1),
            nested: who(2),
            stranger: who(3),
            disabled: who(4),
            expired: who(5),
            locked: who(6),
            changed: who(7),
        }
    }

    /// Makes the people of a test what they are called, in AD. The caller syncs.
    pub(crate) fn prepare(&self, cast: &Cast) {
        let staff: Vec<String> = [&cast.direct, &cast.disabled, &cast.expired, &cast.locked, &cast.changed]
            .map(|person| person.sam.clone())
            .into();
        self.domain.set_members(STAFF, &staff, true).unwrap();
        self.domain.set_member(TEAM, &cast.nested.sam, true).unwrap();
        self.domain.set_enabled(&cast.disabled.sam, false).unwrap();
        self.domain.account_ends_in(&cast.expired.sam, -86_400).unwrap();
    }

    /// A new application that reads by LDAP and to which [`STAFF`] is assigned.
    pub(crate) fn application(&self, name: &str, flags: &[&str]) -> Credential {
        let staff = format!("CORP\\{STAFF}");
        let text =
            self.tenant.ldap_application(name, &["--domain", "corp.example.com", "--group", &staff]).unwrap();
        if !flags.is_empty() {
            let change = [&["apps", "ldap", name], flags].concat();
            self.tenant.run(&change, None).unwrap().expect_code(0);
        }
        Credential::of(name, &text)
    }

    /// A new application that reads by LDAP, to which everybody is assigned, and which sees all groups: what it finds
    /// does not change while other tests change members.
    pub(crate) fn application_for_everybody(&self, name: &str) -> Credential {
        self.application_seeing(name, &["--all-groups"])
    }

    /// The same; the flags say which groups and attributes it sees.
    pub(crate) fn application_seeing(&self, name: &str, flags: &[&str]) -> Credential {
        let assigned = ["--domain", "corp.example.com", "--everybody"];
        let text = self.tenant.ldap_application(name, &assigned).unwrap();
        let change = [&["apps", "ldap", name], flags].concat();
        self.tenant.run(&change, None).unwrap().expect_code(0);
        Credential::of(name, &text)
    }

    /// Gives an application this machine's address: connections that begin with a person's bind are its own until this is
    /// dropped. Tests take turns.
    pub(crate) fn address_of(&self, name: &str) -> Address<'_> {
        let turn = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        self.networks(name, "--add");
        Address { stage: self, name: name.to_owned(), _turn: turn }
    }

    fn networks(&self, name: &str, change: &str) {
        self.tenant.run(&["apps", "networks", name, change, "127.0.0.1"], None).unwrap().expect_code(0);
    }

    /// `ldaps://` and the address.
    pub(crate) fn ldaps(&self) -> String {
        format!("ldaps://{}", self.server.ip)
    }

    /// `ldap://` and the address, for StartTLS.
    pub(crate) fn start_tls(&self) -> String {
        format!("ldap://{}", self.server.ip)
    }
}

/// The people of one test.
pub(crate) struct Cast {
    /// A member of [`STAFF`].
    pub(crate) direct: Person,
    /// A member of [`TEAM`].
    pub(crate) nested: Person,
    /// In none of them: not assigned.
    pub(crate) stranger: Person,
    pub(crate) disabled: Person,
    /// The account has expired.
    pub(crate) expired: Person,
    /// For too many wrong passwords.
    pub(crate) locked: Person,
    /// Whose password changes.
    pub(crate) changed: Person,
}

/// What an application binds with.
pub(crate) struct Credential {
    pub(crate) name: String,
    pub(crate) secret: Secret,
}

impl Credential {
    fn of(name: &str, text: &str) -> Self {
        Self { name: format!("cn={name},ou=applications"), secret: Secret::new(text) }
    }
}

/// A password in a file that its owner alone reads.
pub(crate) struct Secret {
    file: PathBuf,
    _folder: TempDir,
}

impl Secret {
    pub(crate) fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        write_secret(&file, text);
        Self { file, _folder: folder }
    }

    /// The file.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }
}

/// Writes a file with secrets.
pub(crate) fn write_secret(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a program to its end, whatever that is.
#[track_caller]
pub(crate) fn run(command: Command) -> Finished {
    run_with(command, None)
}

/// The same, with this on its standard input.
#[track_caller]
pub(crate) fn run_with(command: Command, input: Option<&[u8]>) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    Running::start(command, input, folder.path()).unwrap().finish(60).unwrap()
}
