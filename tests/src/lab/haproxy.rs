//! A real HAProxy before a tenant: it passes connections on as they come, TLS unread, with a PROXY header of version 2.

use super::address::{Address, TENANT};
use super::error::{Doing as _, LabError};
use super::program::{Running, wait_until};
use super::tenant::RunningTenant;
use super::{view, watchdog};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

const HAPROXY: &str = "/usr/sbin/haproxy";

/// A balancer. Stopped when dropped.
#[derive(Debug)]
pub struct Haproxy {
    address: Address,
    folder: TempDir,
    running: Mutex<Option<Running>>,
}

impl Haproxy {
    /// An address for a balancer, which does not run yet: the tenant has to know it first.
    pub fn claim() -> Result<Self, LabError> {
        let (address, folder) = (Address::claim()?, watchdog::folder("landbridge-haproxy-")?);
        Ok(Self { address, folder, running: Mutex::new(None) })
    }

    /// Where clients connect, and where its own connections come from.
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Where clients connect.
    pub fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.ip(), TENANT)
    }

    /// Starts it before this tenant, and waits until its health check has found the tenant.
    pub fn start(&self, tenant: &RunningTenant) -> Result<(), LabError> {
        let (ip, folder) = (self.ip(), self.folder.path());
        let state = folder.join("state");
        let config = format!(
            "global\n    maxconn 500\n    stats socket {socket} mode 600 level admin\n\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 5m\n    timeout server 5m\n\
             frontend clients\n    bind {listen}\n    default_backend tenants\n\
             backend tenants\n    server one {tenant} source {ip} send-proxy-v2 check inter 200ms rise 1 fall 1\n",
            socket = state.display(),
            listen = self.listen(),
            tenant = tenant.bound(),
        );
        let file = folder.join("haproxy.cfg");
        fs::write(&file, config).doing("write haproxy.cfg")?;
        let mut command = view::command(HAPROXY)?;
        command.arg("-db").arg("-f").arg(&file);
        let running = Running::start(command, None, &folder.join("output"))?;
        let said = running.said_in();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        let log = || fs::read_to_string(&said).unwrap_or_default();
        wait_until("the balancer to find the tenant", 30, || self.is_up(&state), log)
    }

    /// Whether the health check finds the tenant, as the balancer's own socket says.
    fn is_up(&self, socket: &std::path::Path) -> bool {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) else { return false };
        let mut answer = String::new();
        let asked = stream
            .write_all(b"show servers state tenants\n")
            .and_then(|()| stream.read_to_string(&mut answer));
        // Columns 4 to 6: the name, the address, and 2 for a server that is up.
        let is_up = |line: &str| {
            let columns: Vec<&str> = line.split(' ').collect();
            columns.get(3) == Some(&"one") && columns.get(5) == Some(&"2")
        };
        asked.is_ok() && answer.lines().any(is_up)
    }

    /// Whether the health check finds the tenant.
    pub fn finds_the_tenant(&self) -> bool {
        self.is_up(&self.folder.path().join("state"))
    }

    /// SIGKILL.
    pub fn kill(&self) {
        drop(self.running.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
