//! So many connections for one address: a single client cannot take every place.
//! Neighbours: `accept` asks before it spends anything on a connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many places each address has taken.
#[derive(Debug)]
pub struct Shares {
    most: u32,
    taken: Mutex<HashMap<IpAddr, u32>>,
}

/// One place; given back when dropped.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    address: IpAddr,
}

impl Shares {
    /// So many for each.
    pub fn new(most: u32) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// A place for this address; none: it has its share. Whoever has an IPv6 address has the 2^64 beside it too.
    pub fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let address = match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            four @ IpAddr::V4(_) => four,
        };
        let mut taken = self.held();
        let count = taken.entry(address).or_insert(0);
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(taken);
        Some(Share { shares: self.clone(), address })
    }

    fn held(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.held();
        if let Some(count) = taken.get_mut(&self.address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_its_share_and_no_more_until_it_gives_one_back() {
        let shares = Shares::new(2);
        let one = IpAddr::from([203, 0, 113, 7]);
        let (first, _second) = (shares.take(one), shares.take(one));
        assert!(first.is_some() && shares.take(one).is_none());
        assert!(shares.take(IpAddr::from([203, 0, 113, 8])).is_some());
        drop(first);
        assert!(shares.take(one).is_some());
    }

    #[test]
    fn neighbours_in_one_ipv6_network_share() {
        let shares = Shares::new(1);
        let held = shares.take(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, 1]));
        assert!(shares.take(IpAddr::from([0x2001, 0xdb8, 0, 1, 9, 9, 9, 9])).is_none());
        assert!(shares.take(IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])).is_some());
        let four = shares.take(IpAddr::from([203, 0, 113, 7]));
        assert!(shares.take("::ffff:203.0.113.7".parse().unwrap_or(IpAddr::from([0; 4]))).is_none());
        drop((held, four));
        assert!(shares.held().is_empty());
    }
}
