//! The limit on the connections of one address, so that a single client cannot occupy every place.
//! Neighbours: [`super::listener`] acquires a share before it does anything else for a connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of open connections of each address.
#[derive(Debug)]
pub struct AddressShares {
    most: u32,
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// The share of one connection. Dropping it frees the place.
#[derive(Debug)]
pub struct Share {
    shares: Arc<AddressShares>,
    address: IpAddr,
}

impl AddressShares {
    /// Allows `most` connections for each address.
    pub fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    /// Acquires a place for this address; none: the address is at its limit. IPv6 addresses of one /64 share a limit,
    /// because one household owns all of them.
    pub fn acquire(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            four @ IpAddr::V4(_) => four,
        };
        let mut open = self.held();
        let count = open.entry(address).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Share { shares: self.clone(), address })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut open = self.shares.held();
        if let Some(count) = open.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::address_shares::*;

    #[test]
    fn an_address_gets_its_share_and_no_more_until_it_gives_one_back() {
        let shares = AddressShares::new(2);
        let one = IpAddr::from([203, 0, 113, 7]);
        let (first, _second) = (shares.acquire(one), shares.acquire(one));
        assert!(first.is_some() && shares.acquire(one).is_none());
        assert!(shares.acquire(IpAddr::from([203, 0, 113, 8])).is_some());
        drop(first);
        assert!(shares.acquire(one).is_some());
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_limit() {
        let shares = AddressShares::new(1);
        let held = shares.acquire(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, 1]));
        assert!(shares.acquire(IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9])).is_none());
        assert!(shares.acquire(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])).is_some());
        let four = shares.acquire(IpAddr::from([203, 0, 113, 7]));
        assert!(shares.acquire("::ffff:203.0.113.7".parse().unwrap_or(IpAddr::from([0; 4]))).is_none());
        drop((held, four));
        assert!(shares.held().is_empty());
    }
}
