//! The header by which a balancer says whose connection it passes on: PROXY protocol, version 2 (HAProxy's specification
//! of 2020-03-05, section 2.2). It comes before TLS. At an address where it is on, every connection must come from a
//! balancer and begin with it; at others its bytes are no TLS. Whether it is there is never guessed.
//! Neighbours: [`super::listener`] reads it before it gives a connection a place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How every header begins.
const SIGNATURE: [u8; 12] = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
/// Bytes before the addresses: the signature, version and command, family, length.
const HEAD: usize = 16;
/// Limit on the bytes behind them: the addresses take at most 36, and what balancers add about TLS some hundred.
const MAX_REST: usize = 2_048;
/// Version 2 in the upper half of the byte, the command in the lower half.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;
/// TCP over IPv4 and over IPv6.
const TCP_4: u8 = 0x11;
const TCP_6: u8 = 0x21;

/// Says whether an address is a balancer's.
#[derive(Clone)]
pub struct Balancers(Arc<dyn Fn(IpAddr) -> bool + Send + Sync>);

impl std::fmt::Debug for Balancers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Balancers(..)")
    }
}

impl Balancers {
    /// Those for which this says so.
    pub fn new(are: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(are))
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        (self.0)(address.to_canonical())
    }
}

/// Why a connection of a balancer cannot be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoHeader {
    /// It ended before the header did.
    #[error("it ended before its PROXY header did")]
    Ended,
    /// It begins with something else.
    #[error("it does not begin with a PROXY header of version 2: let the balancer send one (send-proxy-v2)")]
    NotThere,
    /// A version, command or family that no client of a tenant has.
    #[error("its PROXY header names no client of TCP")]
    NoTcp,
    /// The addresses are cut, or the header is longer than the limit.
    #[error("its PROXY header has a wrong length")]
    Length,
}

/// Reads a header to its end, and not a byte more. The client; none: the balancer itself opened the connection, as for a
/// health check. The caller limits the time.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, NoHeader> {
    let mut head = [0; HEAD];
    // The signature alone first: what is no header may be shorter than one.
    let (signature, rest) = head.split_at_mut(SIGNATURE.len());
    stream.read_exact(signature).await.map_err(|_| NoHeader::Ended)?;
    if *signature != SIGNATURE {
        return Err(NoHeader::NotThere);
    }
    stream.read_exact(rest).await.map_err(|_| NoHeader::Ended)?;
    let [.., command, family, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > MAX_REST {
        return Err(NoHeader::Length);
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await.map_err(|_| NoHeader::Ended)?;
    match (command, family) {
        (LOCAL, _) => Ok(None),
        // Source and destination addresses, then source and destination ports. What follows is about TLS or the like.
        (PROXY, TCP_4) => {
            let [a, b, c, d, _, _, _, _, high, low, ..] =
                *rest.first_chunk::<12>().ok_or(NoHeader::Length)?;
            Ok(Some((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])).into()))
        }
        (PROXY, TCP_6) => {
            let addresses = rest.first_chunk::<36>().ok_or(NoHeader::Length)?;
            let source = addresses.first_chunk::<16>().ok_or(NoHeader::Length)?;
            let [.., high, low, _, _] = *addresses;
            let address = IpAddr::V6(Ipv6Addr::from(*source)).to_canonical();
            Ok(Some((address, u16::from_be_bytes([high, low])).into()))
        }
        _ => Err(NoHeader::NoTcp),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    /// What is read of these bytes, and how many are left.
    fn read_of(bytes: &[u8]) -> (Result<Option<SocketAddr>, NoHeader>, usize) {
        let mut rest = bytes;
        let read = futures_util::FutureExt::now_or_never(read(&mut rest)).unwrap();
        (read, rest.len())
    }

    const OF_4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xc8, 0x22, 0x01, 0xbb];

    #[test]
    fn the_client_of_tcp_is_read_and_not_a_byte_of_what_follows() {
        let tls = b"\x16\x03\x01";
        let client = |bytes: &[u8]| read_of(&[bytes, tls].concat());
        assert_eq!(client(&header(PROXY, TCP_4, &OF_4)), (Ok(Some("192.0.2.7:51234".parse().unwrap())), 3));
        // With what a balancer adds.
        let longer = [&OF_4[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        assert_eq!(client(&header(PROXY, TCP_4, &longer)).1, 3);
        let of_6: Vec<u8> =
            [&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets()[..], &[0; 16], &[0xc8, 0x22, 0x01, 0xbb]]
                .concat();
        assert_eq!(
            client(&header(PROXY, TCP_6, &of_6)),
            (Ok(Some("[2001:db8::7]:51234".parse().unwrap())), 3)
        );
        let mapped: Vec<u8> =
            [&"::ffff:192.0.2.7".parse::<Ipv6Addr>().unwrap().octets()[..], &[0; 16], &[0xc8, 0x22, 0, 0]]
                .concat();
        assert_eq!(
            client(&header(PROXY, TCP_6, &mapped)).0,
            Ok(Some("192.0.2.7:51234".parse().unwrap())),
            "the IPv4 address inside"
        );
    }

    #[test]
    fn a_health_check_of_the_balancer_has_no_client() {
        for family in [0, TCP_4, 0x99] {
            assert_eq!(read_of(&header(LOCAL, family, &[])), (Ok(None), 0));
        }
        assert_eq!(read_of(&header(LOCAL, TCP_4, &OF_4)), (Ok(None), 0));
    }

    #[test]
    fn everything_else_is_refused() {
        let text = b"PROXY TCP4 192.0.2.7 198.51.100.1 51234 443\r\n";
        let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0x55, 0x55];
        for (bytes, why) in [
            (text.to_vec(), NoHeader::NotThere),
            (hello.to_vec(), NoHeader::NotThere),
            (Vec::new(), NoHeader::Ended),
            (SIGNATURE.to_vec(), NoHeader::Ended),
            (header(PROXY, TCP_4, &OF_4)[..27].to_vec(), NoHeader::Ended),
            (header(PROXY, TCP_4, &OF_4[..11]), NoHeader::Length),
            (header(PROXY, TCP_6, &OF_4), NoHeader::Length),
            (header(PROXY, TCP_4, &[7; MAX_REST + 1]), NoHeader::Length),
            // Version 1 and 3, an unknown command; no family, UDP, and a Unix socket.
            (header(0x11, TCP_4, &OF_4), NoHeader::NoTcp),
            (header(0x31, TCP_4, &OF_4), NoHeader::NoTcp),
            (header(0x22, TCP_4, &OF_4), NoHeader::NoTcp),
            (header(PROXY, 0x00, &OF_4), NoHeader::NoTcp),
            (header(PROXY, 0x12, &OF_4), NoHeader::NoTcp),
            (header(PROXY, 0x31, &[0; 216]), NoHeader::NoTcp),
        ] {
            assert_eq!(read_of(&bytes).0, Err(why), "{bytes:x?}");
        }
    }
}
