//! Loopback addresses for labs that run side by side, also of several checkouts and users.
//! An address is held by a listening socket on it, which ends with its holder and leaves nothing.

use super::error::LabError;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

const FIRST: u8 = 10;
const COUNT: usize = 64;
/// Nobody is served here.
const HOLD: u16 = 44_464;

/// An address that no other lab uses until this is dropped.
#[derive(Debug)]
pub struct Address {
    ip: IpAddr,
    _held: TcpListener,
}

impl Address {
    /// The first free one of 127.0.1.10 and its successors.
    pub fn take() -> Result<Self, LabError> {
        for last in (FIRST..).take(COUNT) {
            let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 1, last));
            let held = match TcpListener::bind((ip, HOLD)) {
                Ok(held) => held,
                Err(taken) if taken.kind() == ErrorKind::AddrInUse => continue,
                Err(source) => return Err(LabError::Io { what: format!("hold the address {ip}"), source }),
            };
            // Somebody's DC that asked nobody, or one that is still being killed.
            if TcpStream::connect_timeout(&SocketAddr::new(ip, 389), Duration::from_millis(200)).is_err() {
                return Ok(Self { ip, _held: held });
            }
        }
        Err(LabError::NoAddress(COUNT))
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        self.ip
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_labs_never_share_an_address() {
        let (one, other) = (Address::take().unwrap(), Address::take().unwrap());
        assert_ne!(one.ip(), other.ip());
    }
}
