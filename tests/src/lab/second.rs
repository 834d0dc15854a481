//! A second DC of the lab's domain, joined to the first and replicating from it on demand only: a DC that lags
//! for as long as a test needs. Its programs see both DCs' names (`view`).

use super::address::Address;
use super::domain::{CONTROLLER, Domain, wait_for};
use super::edits::Editor;
use super::error::{LabError, failed};
use super::population::{ADMINISTRATOR_PASSWORD, DOMAIN, NETBIOS};
use super::program::{Finished, Running};
use super::view::View;
use super::{certificates, recipe};
use serde_json::{Value, json};
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its host name.
pub const SECOND: &str = "dc2.corp.example.com";

/// Adds the service name that Samba registers some seconds after a first start, in a service that the lab
/// leaves out.
const ADD_SERVICE_NAME: &str = "
import ldb, sys
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
lp = LoadParm(); lp.load(sys.argv[1])
sam = SamDB(url=lp.private_path('sam.ldb'), session_info=system_session(), lp=lp)
change = ldb.Message(ldb.Dn(sam, 'CN=DC2,OU=Domain Controllers,' + str(sam.domain_dn())))
name = 'ldap/dc2.' + sam.domain_dns_name()
names = [name, name + '/' + sam.domain_dns_name()]
change['spn'] = ldb.MessageElement(names, ldb.FLAG_MOD_ADD, 'servicePrincipalName')
sam.modify(change)
";

/// The second DC. Stopped when dropped; its files go with the domain's.
#[derive(Debug)]
pub struct SecondController {
    _samba: Running,
    address: Address,
    folder: PathBuf,
    view: View,
    krb5: PathBuf,
}

impl Domain {
    /// Joins a second DC, starts it and waits until it serves.
    pub fn join_second(&self) -> Result<SecondController, LabError> {
        self.join("DC")
    }

    /// The same, read-only.
    pub fn join_read_only(&self) -> Result<SecondController, LabError> {
        self.join("RODC")
    }

    fn join(&self, role: &str) -> Result<SecondController, LabError> {
        let address = Address::claim()?;
        let folder = self.folder().join("dc2");
        certificates::write(&folder.join("tls"), SECOND, address.ip())?;
        let hosts = [(self.address(), CONTROLLER), (address.ip(), SECOND)];
        let view = View::with_hosts(self.folder().join("dc2-view"), &hosts)?;
        let krb5 = self.folder().join("krb5.conf");
        let inside = |program: &str| inside(&view, &krb5, program);

        let mut join = inside(recipe::PYTHON)?;
        join.args(["/usr/bin/samba-tool", "domain", "join", DOMAIN, role, "--dns-backend=NONE"])
            .arg(format!("--server={CONTROLLER}"))
            .arg(format!("--targetdir={}", folder.display()))
            .arg(format!("-U{NETBIOS}\\Administrator"))
            .arg(format!("--password={ADMINISTRATOR_PASSWORD}"))
            .arg("--option=netbios name=DC2");
        for (name, value) in recipe::options(&folder, address.ip()) {
            join.arg(format!("--option={name}={value}"));
        }
        let output = self.folder().join("output");
        must("joining a second DC", Running::start(join, None, &output)?.finish(60)?)?;
        let conf = folder.join("etc/smb.conf");
        if role == "DC" {
            let mut name = inside(recipe::PYTHON)?;
            name.args(["-c", ADD_SERVICE_NAME]).arg(&conf);
            must("naming the second DC's service", Running::start(name, None, &output)?.finish(30)?)?;
        } else {
            // A read-only DC does not write its own service names, so they are written at the first.
            let ldap = format!("ldap/{SECOND}");
            let names = [format!("HOST/{SECOND}"), "HOST/DC2".to_owned(), format!("{ldap}/{DOMAIN}"), ldap];
            self.set_attributes("DC2$", json!({"servicePrincipalName": names}))?;
        }

        let mut serve = inside(recipe::SAMBA)?;
        serve.args(["-F", "--no-process-group", "-s"]).arg(&conf);
        let mut samba = Running::start(serve, None, &output)?;
        let log = folder.join("log.samba");
        wait_for(address.ip(), &mut samba, || fs::read_to_string(log).unwrap_or_default())?;
        Ok(SecondController { _samba: samba, address, folder, view, krb5 })
    }
}

impl SecondController {
    /// Its address.
    pub fn address(&self) -> IpAddr {
        self.address.ip()
    }

    /// Renames an account here: RDN, sAMAccountName and userPrincipalName.
    pub fn rename(&self, sam: &str, to: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "rename", "sam_name": sam, "to": to}))
    }

    /// A reset by an administrator here.
    pub fn set_password(&self, sam: &str, password: &str) -> Result<(), LabError> {
        self.edit(&json!({"do": "set_password", "sam_name": sam, "password": password}))
    }

    fn edit(&self, request: &Value) -> Result<(), LabError> {
        let mut editor = Editor::start(&self.folder.join("etc/smb.conf"), &self.folder.join("log.editor"))?;
        editor.send(request).map(drop)
    }

    /// Replicates to it what the first DC has.
    pub fn replicate(&self) -> Result<(), LabError> {
        let head: Vec<String> = DOMAIN.split('.').map(|label| format!("DC={label}")).collect();
        let mut pull = inside(&self.view, &self.krb5, recipe::PYTHON)?;
        pull.args(["/usr/bin/samba-tool", "drs", "replicate", "DC2", CONTROLLER, &head.join(","), "--local"])
            .arg("-s")
            .arg(self.folder.join("etc/smb.conf"))
            .arg(format!("-U{NETBIOS}\\Administrator"))
            .arg(format!("--password={ADMINISTRATOR_PASSWORD}"));
        must(
            "replicating to the second DC",
            Running::start(pull, None, &self.folder.join("output"))?.finish(60)?,
        )
    }
}

/// A program that finds both DCs by name, and the KDC.
fn inside(view: &View, krb5: &Path, program: &str) -> Result<Command, LabError> {
    let mut command = view.command(program)?;
    command.env("KRB5_CONFIG", krb5);
    Ok(command)
}

fn must(step: &str, finished: Finished) -> Result<(), LabError> {
    if finished.code == Some(0) { Ok(()) } else { Err(failed(step, finished)) }
}
