//! A network that requests of an application may come from: `192.0.2.0/24`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP network. An IPv4 network inside an IPv6 one (`::ffff:0:0/96`) is the IPv4 network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// The first address.
    first: IpAddr,
    /// Bits that all addresses share: 0 to 32, or 0 to 128.
    prefix: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoNetwork {
    /// It has another form.
    #[error("a network is an address with or without a length, as 192.0.2.0/24 or 2001:db8::/32")]
    Form,
    /// Bits behind the prefix are set: most likely the length is mistyped.
    #[error("the address has bits that are not in the network: its first address is {0}")]
    BitsBehind(Network),
}

impl Network {
    /// Reads a network. An address without a length is a network of one address.
    pub fn parse(text: &str) -> Result<Self, NoNetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NoNetwork::Form)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => bits,
            Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().filter(|prefix| *prefix <= bits).ok_or(NoNetwork::Form)?
            }
            Some(_) => return Err(NoNetwork::Form),
        };
        let first = masked(address, prefix);
        if first != address {
            return Err(NoNetwork::BitsBehind(Self { first, prefix }.canonical()));
        }
        Ok(Self { first, prefix }.canonical())
    }

    fn canonical(self) -> Self {
        match (self.first.to_canonical(), self.prefix) {
            (first @ IpAddr::V4(_), 96..) if self.first.is_ipv6() => Self { first, prefix: self.prefix - 96 },
            _ => self,
        }
    }

    /// Bits that all addresses share.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether the address is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.prefix) == self.first
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// The address with zeroes behind the prefix.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("192.0.2.0/24", "::ffff:192.0.2.9", "::ffff:192.0.3.9"),
            ("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.9"),
        ] {
            let parsed = Network::parse(network).unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(Network::parse(&parsed.to_string()), Ok(parsed), "{network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_a_mistyped_length_is_named() {
        for bad in
            ["", "example.com", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/+8", "192.0.2.0/24/8"]
        {
            assert_eq!(Network::parse(bad), Err(NoNetwork::Form), "{bad}");
        }
        let said = Network::parse("192.0.2.7/24").unwrap_err().to_string();
        assert!(said.ends_with("192.0.2.0/24"), "{said}");
    }
}
