//! A real Apache with a small web application behind mod_auth_openidc, as Debian installs them and with the settings of
//! docs/oidc/apache.md.

use super::address::Address;
use super::certificates;
use super::error::{Doing as _, LabError, failed};
use super::program::{Running, wait_until};
use super::tenant::RunningTenant;
use super::{view, watchdog};
use landbridge_crypto::bearer::BearerSecret;
use std::fs;
use std::net::{IpAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const APACHE: &str = "/usr/sbin/apache2";
/// What the site shows to a person who is signed in, and to everybody.
const HELLO: &str = "<h1>Hello <!--#echo var=\"OIDC_CLAIM_name\" --></h1>
<p>You are signed in as <b><!--#echo var=\"REMOTE_USER\" --></b>, groups: <!--#echo var=\"OIDC_CLAIM_groups\" -->.</p>
<p><a href=\"/callback?logout=\">Sign out</a></p>";
const BYE: &str = "<h1>Bye</h1>
<p>You are signed out here. <a href=\"/\">Sign in</a></p>";
/// Apache asks the issuer for new tokens with each request, because tokens live 300 s, and ends its own session when they
/// are refused. Without offline_access it would have no refresh token.
pub const ASK_EACH_TIME: &str = "OIDCScope \"openid profile email groups offline_access\"
OIDCRefreshAccessTokenBeforeExpiry 300 logout_on_error";

/// An issuer, as a site knows it.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its URL.
    pub url: String,
    /// The file of the authority that its certificate is of.
    pub ca: PathBuf,
}

/// A site. Stopped and removed when dropped.
#[derive(Debug)]
pub struct ProtectedSite {
    running: Running,
    folder: TempDir,
    address: Address,
}

impl ProtectedSite {
    /// Creates the application of this name at the tenant, with these flags of `apps create` and `apps oidc`, and starts its
    /// site. `further` lines are added to Apache's configuration.
    pub fn start(
        tenant: &RunningTenant,
        issuer: &Issuer,
        (name, create, oidc): (&str, &[&str], &[&str]),
        further: &str,
    ) -> Result<Self, LabError> {
        let (address, folder) = (Address::claim()?, watchdog::folder("landbridge-site-")?);
        let host = address.ip().to_string();
        // 1. The application, with its secret.
        let made = tenant.run(&[&["apps", "create", "--name", name], create].concat(), None)?;
        if made.code != Some(0) {
            return Err(failed("apps create", made));
        }
        let (callback, bye) = (format!("https://{host}/callback"), format!("https://{host}/bye.html"));
        let uris = ["apps", "oidc", name, "--redirect-uri", &callback, "--signed-out-uri", &bye];
        let set = tenant.run(&[&uris, oidc].concat(), None)?;
        if set.code != Some(0) {
            return Err(failed("apps oidc", set));
        }
        // 2. The files. Apache's workers are another user.
        let at = folder.path();
        certificates::write(at, "site.example.com", address.ip())?;
        let site = at.join("site");
        fs::create_dir(&site).doing("make the folder of a site")?;
        for (file, body) in [("index.html", HELLO), ("staff.html", HELLO), ("bye.html", BYE)] {
            let text = include_str!("protected_site.html").replace("@BODY@", body).replace("@NAME@", name);
            fs::write(site.join(file), text).doing("write a page of a site")?;
        }
        fs::set_permissions(at, fs::Permissions::from_mode(0o755)).doing("open the folder of a site")?;
        let file = |path: &Path| path.display().to_string();
        let secrets = at.join("secret.conf");
        fs::write(&secrets, "").doing("write the secrets of a site")?;
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600))
            .doing("close the secrets of a site")?;
        let (secret, passphrase) = (made.word("lba1."), BearerSecret::generate().to_text());
        let lines = format!("OIDCClientSecret {secret}\nOIDCCryptoPassphrase {}\n", passphrase.as_str());
        fs::write(&secrets, lines).doing("write the secrets of a site")?;
        let config = [
            ("FURTHER", further.to_owned()),
            ("FOLDER", file(at)),
            ("HOST", host),
            ("ISSUER", issuer.url.clone()),
            ("CA", file(&issuer.ca)),
            ("NAME", name.to_owned()),
        ]
        .into_iter()
        .fold(include_str!("protected_site.conf").to_owned(), |text, (word, value)| {
            text.replace(&format!("@{word}@"), &value)
        });
        let path = at.join("apache.conf");
        fs::write(&path, config).doing("write apache.conf")?;
        // 3. Apache.
        let mut command = view::command(APACHE)?;
        command.arg("-f").arg(&path).arg("-DFOREGROUND");
        let running = Running::start(command, None, &at.join("output"))?;
        let site = Self { running, folder, address };
        wait_until("Apache to serve", 30, || TcpStream::connect((site.ip(), 443)).is_ok(), || site.log())?;
        Ok(site)
    }

    /// Its address, which is its host as well.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.ip())
    }

    /// The authority that its certificate is of.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// What Apache has logged.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
        self.running.said() + &log
    }
}
