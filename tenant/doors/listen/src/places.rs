//! The places of a listener: how many connections it holds, how many of one network, and who must go when it is full.
//!
//! A client is a stranger until it has shown a certificate or a right credential. Strangers never take the last places,
//! which are kept for the others. When they have no place left, a stranger of the network with the most of them makes
//! room, so that a flood from some networks closes the door for nobody else.
//! Neighbours: [`super::listener`] takes a place before it does anything else for a connection.

use crate::limits::Limits;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The open connections of a listener.
#[derive(Debug)]
pub struct Places {
    limits: Limits,
    open: Mutex<Open>,
    /// Notified when a connection has freed its place.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Open {
    /// Number of the next connection; they are numbered in the order in which they came.
    next: u64,
    connections: BTreeMap<u64, One>,
}

#[derive(Debug)]
struct One {
    address: IpAddr,
    stranger: bool,
    cut: Arc<Notify>,
}

/// The place of one connection. Dropping it frees the place.
#[derive(Debug)]
pub struct ConnectionPlace {
    places: Arc<Places>,
    number: u64,
    cut: Arc<Notify>,
}

impl Places {
    /// Places within these limits.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default(), freed: Notify::new() })
    }

    /// A place for a connection from this address; none: its network has its share, or the listener is full and no
    /// other network has more strangers.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<ConnectionPlace> {
        let address = address.to_canonical();
        let mut open = self.held();
        // 1. The shares of its networks.
        let limits = &self.limits;
        let shares = [
            (64, limits.connections_per_address),
            (56, limits.connections_per_56),
            (48, limits.connections_per_48),
        ];
        for (bits, most) in shares {
            let same =
                open.connections.values().filter(|one| network(one.address, bits) == network(address, bits));
            if same.count() >= usize::try_from(most).unwrap_or(usize::MAX) {
                return None;
            }
        }
        // 2. Room, if need be that of a stranger.
        let most = usize::try_from(limits.connections).unwrap_or(usize::MAX);
        let kept = usize::try_from(limits.kept).unwrap_or(usize::MAX);
        let strangers = open.connections.values().filter(|one| one.stranger).count();
        if strangers >= most.saturating_sub(kept) || open.connections.len() >= most {
            let goes = open.who_makes_room_for(address)?;
            if let Some(gone) = open.connections.remove(&goes) {
                tracing::debug!(address = %gone.address, "a connection makes room for another one");
                gone.cut.notify_one();
            }
        }
        // 3. The place.
        let (number, cut) = (open.next, Arc::new(Notify::new()));
        open.next += 1;
        open.connections.insert(number, One { address, stranger: true, cut: cut.clone() });
        drop(open);
        Some(ConnectionPlace { places: self.clone(), number, cut })
    }

    /// Returns when no connection has a place.
    pub async fn empty(&self) {
        loop {
            let freed = self.freed.notified();
            if self.held().connections.is_empty() {
                return;
            }
            freed.await;
        }
    }

    fn held(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// The oldest stranger of the network with the most strangers; none: that is the network of the new address, with
    /// it among them.
    fn who_makes_room_for(&self, address: IpAddr) -> Option<u64> {
        let own = network(address, 48);
        let mut strangers = HashMap::from([(own, (1, None))]);
        for (number, one) in self.connections.iter().filter(|(_, one)| one.stranger) {
            let (count, oldest) = strangers.entry(network(one.address, 48)).or_insert((0, None));
            *count += 1;
            oldest.get_or_insert(*number);
        }
        let of_own = strangers.remove(&own).map_or(0, |(count, _)| count);
        let (count, oldest) =
            strangers.into_values().max_by_key(|(count, oldest)| (*count, std::cmp::Reverse(*oldest)))?;
        oldest.filter(|_| count >= of_own)
    }
}

impl ConnectionPlace {
    /// The client has shown a certificate or a right credential, or sent a wrong one since.
    pub fn set_stranger(&self, stranger: bool) {
        if let Some(one) = self.places.held().connections.get_mut(&self.number) {
            one.stranger = stranger;
        }
    }

    /// Returns when the connection must make room for another one.
    pub async fn cut(&self) {
        self.cut.notified().await;
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.places.held().connections.remove(&self.number);
        self.places.freed.notify_waiters();
    }
}

/// The network of an address: of IPv6 the first `bits`, of IPv4 the whole address. A household owns a /64 at least.
fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) & !(u128::MAX >> bits)).into(),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::places::*;

    fn places(connections: u32, kept: u32) -> Arc<Places> {
        Places::new(Limits { connections, kept, ..Limits::default() })
    }

    fn six(network: u16, host: u16) -> IpAddr {
        Ipv6Addr::new(0x2001, 0xdb8, network, 0, host, 0, 0, 1).into()
    }

    fn four(last: u8) -> IpAddr {
        [203, 0, 113, last].into()
    }

    async fn is_cut(place: &ConnectionPlace) -> bool {
        tokio::time::timeout(std::time::Duration::from_millis(1), place.cut()).await.is_ok()
    }

    #[test]
    fn an_address_gets_its_share_and_no_more_until_it_gives_one_back() {
        let places = Places::new(Limits { connections_per_address: 2, ..Limits::default() });
        let (first, _second) = (places.enter(four(7)), places.enter(four(7)));
        assert!(first.is_some() && places.enter(four(7)).is_none());
        assert!(places.enter("::ffff:203.0.113.7".parse().unwrap()).is_none());
        assert!(places.enter(four(8)).is_some());
        drop(first);
        assert!(places.enter(four(7)).is_some());
    }

    #[test]
    fn networks_of_64_56_and_48_bits_have_a_share_each() {
        let limits = Limits {
            connections_per_address: 2,
            connections_per_56: 3,
            connections_per_48: 4,
            ..Limits::default()
        };
        let places = Places::new(limits);
        let at = |fourth: u16, host: u16| Ipv6Addr::new(0x2001, 0xdb8, 9, fourth, host, 0, 0, 1).into();
        let mut held = vec![places.enter(at(0x0100, 1)).unwrap(), places.enter(at(0x0100, 2)).unwrap()];
        assert!(places.enter(at(0x0100, 3)).is_none(), "the /64");
        held.push(places.enter(at(0x0101, 1)).unwrap());
        assert!(places.enter(at(0x0102, 1)).is_none(), "the /56");
        held.push(places.enter(at(0x0200, 1)).unwrap());
        assert!(places.enter(at(0x0300, 1)).is_none(), "the /48");
        assert!(places.enter(six(10, 1)).is_some());
        drop(held);
        assert!(places.held().connections.is_empty());
    }

    #[tokio::test]
    async fn four_networks_that_fill_the_door_keep_nobody_out() {
        let places = places(1024, 256);
        let mut flood = Vec::new();
        for host in 0..256 {
            for network in 0..4 {
                flood.extend(places.enter(six(network, host)));
            }
        }
        assert_eq!(places.held().connections.len(), 768, "the others are kept");
        // Whoever comes from elsewhere gets in at once, and one of the flood goes.
        let newcomers: Vec<_> = (0..100).map(|last| places.enter(four(last)).unwrap()).collect();
        let mut cut = 0;
        for one in &flood {
            cut += usize::from(is_cut(one).await);
        }
        assert_eq!(cut, 100);
        for one in &newcomers {
            assert!(!is_cut(one).await);
        }
        assert!(places.enter(six(0, 999)).is_none(), "one of the flood makes no room for itself");
    }

    #[tokio::test]
    async fn places_are_kept_for_those_with_a_certificate_or_a_credential() {
        let places = places(4, 2);
        let agents = [places.enter(four(1)).unwrap(), places.enter(four(1)).unwrap()];
        for agent in &agents {
            agent.set_stranger(false);
        }
        let strangers = [places.enter(four(2)).unwrap(), places.enter(four(3)).unwrap()];
        // Full: the oldest stranger goes, and no agent.
        let third = places.enter(four(4)).unwrap();
        assert!(is_cut(&strangers[0]).await && !is_cut(&strangers[1]).await);
        assert!(!is_cut(&agents[0]).await && !is_cut(&agents[1]).await);
        third.set_stranger(false);
        strangers[1].set_stranger(false);
        assert!(places.enter(four(5)).is_none(), "nobody here is a stranger");
        agents[1].set_stranger(true);
        assert!(places.enter(four(6)).is_some(), "one that is a stranger again");
        assert!(is_cut(&agents[1]).await);
    }

    #[tokio::test]
    async fn the_end_waits_for_the_last_connection() {
        let places = places(4, 0);
        let one = places.enter(four(1)).unwrap();
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.empty().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(one);
        waiting.await.unwrap();
    }
}
