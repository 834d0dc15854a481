//! Loopback addresses that no other lab uses, so that labs of several checkouts and users run side by side.
//!
//! A claim is a listening socket on the address: the kernel gives it to one process of the machine only, and takes it
//! back when that process ends. Each server of a lab has an address of its own, so it listens on a fixed port, and no
//! port has to be found free, closed and bound again.

use super::error::LabError;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

/// The first address. Nothing else of this project, and no usual program, uses this part of 127.0.0.0/8.
const FIRST: u32 = u32::from_be_bytes([127, 44, 0, 1]);
/// Limit on addresses claimed at a time on one machine. A test binary holds about three for each test that runs.
const COUNT: u16 = 1_000;
/// The port of the claim. Below the ports that the kernel chooses for clients (from 16,000 or 32,768 on), so that no
/// program has it on every address by chance.
const CLAIM: u16 = 12_401;
/// Where the lab's servers listen: DNS, KDC, endpoint mapper, LDAP and LDAPS of a DC, then the tenant's ports.
const SERVED: [u16; 9] = [53, 88, 135, LDAP, LDAPS, ISSUER, TENANT, APPLICATIONS, OBSERVE];
/// The first of the IPv6 ports that go with the addresses, one for each.
const FIRST_IPV6: u16 = 13_000;

/// The port at which a tenant serves its agents and, unless they have a port of their own, its applications.
pub(crate) const TENANT: u16 = 12_443;
/// The port at which a tenant serves its applications where they have one of their own.
pub(crate) const APPLICATIONS: u16 = 12_444;
/// The ports of LDAP with StartTLS, and with TLS from the first byte: of a DC, and of a tenant.
pub(crate) const LDAP: u16 = 389;
pub(crate) const LDAPS: u16 = 636;
/// The port of an issuer.
pub(crate) const ISSUER: u16 = 443;
/// The port at which a tenant can be observed.
pub(crate) const OBSERVE: u16 = 12_464;

/// An address that no other lab uses until this is dropped.
#[derive(Debug)]
pub struct Address {
    index: u16,
    _claim: TcpListener,
}

impl Address {
    /// Claims the first address that is free and where no program listens: a server of a lab that was killed may
    /// listen for a moment longer than its claim lasts.
    pub fn claim() -> Result<Self, LabError> {
        for index in 0..COUNT {
            let ip = ip(index);
            match TcpListener::bind((ip, CLAIM)) {
                Ok(claim) if SERVED.into_iter().all(|port| is_free(ip, port)) => {
                    return Ok(Self { index, _claim: claim });
                }
                Ok(_) => {}
                Err(held) if held.kind() == ErrorKind::AddrInUse => {}
                Err(source) => return Err(LabError::Io { what: format!("claim the address {ip}"), source }),
            }
        }
        Err(LabError::NoAddress { count: COUNT, port: CLAIM })
    }

    /// The address.
    pub fn ip(&self) -> IpAddr {
        ip(self.index)
    }

    /// A port of `::1` that goes with this address. IPv6 has one loopback address only, so a port stands for a claim.
    pub fn ipv6(&self) -> SocketAddr {
        (Ipv6Addr::LOCALHOST, FIRST_IPV6 + self.index).into()
    }
}

fn ip(index: u16) -> IpAddr {
    Ipv4Addr::from(FIRST + u32::from(index)).into()
}

/// Whether no program listens there, by TCP or UDP. Without the right to bind this port, no server of the lab
/// listens.
fn is_free(ip: IpAddr, port: u16) -> bool {
    let in_use = |bound: std::io::Result<()>| bound.is_err_and(|why| why.kind() == ErrorKind::AddrInUse);
    let tcp = TcpListener::bind((ip, port)).map(drop);
    let udp = UdpSocket::bind((ip, port)).map(drop);
    !in_use(tcp) && !in_use(udp)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn two_labs_never_share_an_address() {
        let (one, other) = (Address::claim().unwrap(), Address::claim().unwrap());
        assert_ne!(one.ip(), other.ip());
        assert_ne!(one.ipv6(), other.ipv6());
    }

    #[test]
    fn an_address_where_a_program_still_listens_is_passed_over() {
        let first = Address::claim().unwrap();
        let server = TcpListener::bind((first.ip(), TENANT)).unwrap();
        let address = first.ip();
        drop(first);
        // Another test may hold the address meanwhile; this one never gets it.
        assert_ne!(Address::claim().unwrap().ip(), address);
        drop(server);
    }

    #[test]
    fn eight_threads_that_claim_at_once_get_eight_addresses() {
        let claims: Vec<Address> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Address::claim().unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let ips: std::collections::BTreeSet<IpAddr> = claims.iter().map(Address::ip).collect();
        assert_eq!(ips.len(), 8);
    }
}
