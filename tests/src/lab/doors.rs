//! An application that signs people in by LDAP and by OpenID Connect, through a balancer before the nodes of a tenant.
//! `doors.py` does it: Debian's python-ldap, and a browser as far as it needs one.

use super::address::LDAPS;
use super::error::{Doing as _, LabError, failed};
use super::script::Script;
use super::tenant::RunningTenant;
use super::view;
use serde_json::json;
use std::fs::File;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Where people return. Nothing listens there.
const CALLBACK: &str = "https://wiki.example.com/callback";

/// A door by which a person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A simple bind.
    Ldap,
    /// A code flow.
    Oidc,
}

/// How a sign-in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The person is signed in, and the application has what it needs.
    Accepted,
    /// The tenant refused.
    Refused,
    /// There was no answer, or that no decision is possible now.
    Lost,
}

/// What a client of the doors needs.
#[derive(Debug, Clone)]
pub struct DoorSettings {
    name: String,
    secret: String,
    ip: IpAddr,
    ca: PathBuf,
}

/// A client: a process that signs in one person after the other.
#[derive(Debug)]
pub struct DoorClient(Script);

impl DoorSettings {
    /// A new application at a tenant whose nodes serve LDAP and an issuer behind the balancer at this address.
    pub fn of(tenant: &RunningTenant, name: &str, ip: IpAddr, ca: &Path) -> Result<Self, LabError> {
        let domain = ["--domain", tenant.names.dns, "--everybody"];
        let secret = tenant.ldap_application(name, &domain)?;
        let set = ["apps", "oidc", name, "--redirect-uri", CALLBACK];
        let done = tenant.run(&set, None)?;
        if done.code != Some(0) {
            return Err(failed("apps oidc", done));
        }
        Ok(Self { name: name.to_owned(), secret, ip, ca: ca.to_owned() })
    }
}

impl DoorClient {
    /// Starts a client. Its errors go to a file in `folder`.
    pub fn start(settings: &DoorSettings, folder: &Path) -> Result<Self, LabError> {
        let DoorSettings { name, secret, ip, ca } = settings;
        let errors = File::create(folder.join("doors.stderr")).doing("create a log file")?;
        let mut python = view::command(super::recipe::PYTHON)?;
        python.args(["-B", "-c", include_str!("doors.py")]);
        let mut script = Script::start(python, errors.into(), "a client of the doors")?;
        let settings = json!({
            "client": name,
            "secret": secret,
            "ldap": format!("ldaps://{ip}:{LDAPS}"),
            "issuer": format!("https://{ip}"),
            "authorize": "/authorize",
            "token": "/token",
            "callback": CALLBACK,
            "ca": ca,
        });
        script.send(&settings, "starting a client of the doors")?;
        Ok(Self(script))
    }

    /// Tries one sign-in.
    pub fn sign_in(&mut self, door: Door, user: &str, password: &str) -> Result<Ended, LabError> {
        let door = if door == Door::Ldap { "ldap" } else { "oidc" };
        let request = json!({ "door": door, "user": user, "password": password });
        let answer = self.0.send(&request, "signing in by LDAP or OpenID Connect")?;
        match answer.as_str() {
            Some("accepted") => Ok(Ended::Accepted),
            Some("refused") => Ok(Ended::Refused),
            Some("lost") => Ok(Ended::Lost),
            Some(_) | None => Err(failed("signing in by LDAP or OpenID Connect", answer)),
        }
    }
}
