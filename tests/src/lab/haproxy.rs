//! A real HAProxy before a tenant: it passes connections on as they come, TLS unread, with a PROXY header of version 2.

use super::address::{Address, ISSUER, LDAPS, TENANT};
use super::error::{Doing as _, LabError};
use super::program::{Running, wait_until};
use super::tenant::RunningTenant;
use super::{view, watchdog};
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use tempfile::TempDir;

const HAPROXY: &str = "/usr/sbin/haproxy";
/// Asks a node whether it is ready, and how that connection is made.
const READY: &str =
    "    option httpchk\n    http-check send meth GET uri /readyz ver HTTP/1.1 hdr host tenant.example.com\n";
const READY_BY: &str = "check-ssl verify none check-send-proxy";

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
        self.start_before(&[tenant.bound()], ("", ""), "")
    }

    /// Starts it before the nodes of a tenant, each at one of these addresses for applications, and asks each for `/readyz`. A
    /// connection that a node does not accept goes to another one.
    pub fn start_before_nodes(&self, nodes: &[SocketAddr]) -> Result<(), LabError> {
        self.start_before(nodes, (READY, READY_BY), "")
    }

    /// The same, and it passes on LDAP and the issuer, at their usual ports of the nodes.
    pub fn start_before_doors(&self, nodes: &[SocketAddr]) -> Result<(), LabError> {
        let further: String = [LDAPS, ISSUER]
            .into_iter()
            .map(|port| {
                let doors: Vec<_> = nodes.iter().map(|node| SocketAddr::new(node.ip(), port)).collect();
                // A node says at its address for applications whether it is ready.
                let check = nodes.first().map_or(0, SocketAddr::port);
                self.section(&port.to_string(), port, &doors, (READY, &format!("port {check} {READY_BY}")))
            })
            .collect();
        self.start_before(nodes, (READY, READY_BY), &further)
    }

    /// A frontend at a port, and the servers behind it. `asks`: what a health check asks for beyond a connection, as lines of
    /// the configuration. `by`: how it connects.
    fn section(&self, name: &str, port: u16, nodes: &[SocketAddr], (asks, by): (&str, &str)) -> String {
        let ip = self.ip();
        let servers = nodes.iter().enumerate().map(|(at, node)| {
            format!(
                "    server node{at} {node} source {ip} send-proxy-v2 check inter 200ms rise 1 fall 1 {by}\n"
            )
        });
        let servers: String = servers.collect();
        format!(
            "frontend of_{name}\n    bind {ip}:{port}\n    default_backend {name}\n\
             backend {name}\n    balance roundrobin\n    retries 3\n    option redispatch 1\n{asks}{servers}"
        )
    }

    /// Starts it before these addresses for applications, and waits until the health check finds all of them. `further`:
    /// more sections of the configuration.
    fn start_before(
        &self,
        nodes: &[SocketAddr],
        (asks, by): (&str, &str),
        further: &str,
    ) -> Result<(), LabError> {
        let folder = self.folder.path();
        let state = folder.join("state");
        let config = format!(
            "global\n    maxconn 500\n    stats socket {socket} mode 600 level admin\n\
             defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 5m\n    timeout server 5m\n\
             {tenants}{further}",
            socket = state.display(),
            tenants = self.section("tenants", TENANT, nodes, (asks, by)),
        );
        let file = folder.join("haproxy.cfg");
        fs::write(&file, config).doing("write haproxy.cfg")?;
        let mut command = view::command(HAPROXY)?;
        command.arg("-db").arg("-f").arg(&file);
        let running = Running::start(command, None, &folder.join("output"))?;
        let said = running.said_in();
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        let log = || fs::read_to_string(&said).unwrap_or_default();
        wait_until("the balancer to find the tenant", 30, || self.up(&state) == nodes.len(), log)
    }

    /// The number of nodes that the health check finds, as the balancer's own socket says.
    fn up(&self, socket: &std::path::Path) -> usize {
        use std::io::{Read as _, Write as _};
        let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) else { return 0 };
        let mut answer = String::new();
        let asked = stream
            .write_all(b"show servers state tenants\n")
            .and_then(|()| stream.read_to_string(&mut answer));
        if asked.is_err() {
            return 0;
        }
        // Columns 4 to 6: the name, the address, and 2 for a server that is up.
        let is_up = |line: &str| {
            let columns: Vec<&str> = line.split(' ').collect();
            columns.get(3).is_some_and(|name| name.starts_with("node")) && columns.get(5) == Some(&"2")
        };
        answer.lines().filter(|line| is_up(line)).count()
    }

    /// Whether the health check finds the tenant.
    pub fn finds_the_tenant(&self) -> bool {
        self.up(&self.folder.path().join("state")) > 0
    }

    /// The number of nodes that the health check finds.
    pub fn nodes_up(&self) -> usize {
        self.up(&self.folder.path().join("state"))
    }

    /// SIGKILL.
    pub fn kill(&self) {
        drop(self.running.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}
