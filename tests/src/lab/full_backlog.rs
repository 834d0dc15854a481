//! Addresses that take no connection: listening sockets whose queue is full, so that the kernel drops every SYN, as a
//! firewall does. A fake, because loopback has no address that is silent by itself.

use super::error::{Doing as _, LabError};
use rustix::net::{AddressFamily, SocketType};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

/// Takes no connection at its ports until it is dropped.
#[derive(Debug)]
pub struct FullBacklog {
    _held: Vec<(TcpListener, TcpStream)>,
}

impl FullBacklog {
    /// At these ports of this IPv4 address.
    pub fn at(ip: IpAddr, ports: &[u16]) -> Result<Self, LabError> {
        let full = |port: &u16| -> std::io::Result<(TcpListener, TcpStream)> {
            let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
            // A server that ended may have left connections that linger for a minute.
            rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
            rustix::net::bind(&socket, &SocketAddr::new(ip, *port))?;
            rustix::net::listen(&socket, 0)?;
            // One connection waits to be accepted; there is no place for a second one.
            Ok((TcpListener::from(socket), TcpStream::connect((ip, *port))?))
        };
        let held = ports.iter().map(full).collect::<std::io::Result<_>>();
        Ok(Self { _held: held.doing("listen without accepting")? })
    }
}
