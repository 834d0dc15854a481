//! The cookie of paged results (RFC 2696): where the next page begins. The server keeps nothing for it.
//!
//! A cookie is authenticated with a key of this process and bound to one connection, one identity and one search. A cookie
//! that was changed, cut, or made for another of these does not open. Any number of paged searches can run at a time.
//! Neighbours: [`super::controls`] carries it, [`super::message`] makes the hash of a search.

use aws_lc_rs::hmac;
use std::fmt;

/// 17 bytes of position, 8 of count; the key of the order and 32 bytes of authentication follow.
const HEAD: usize = 25;
const TAG: usize = 32;
/// Limit on the bytes of the key of an order. Entries whose keys are equal so far are in the order of their objectGUIDs.
pub const MAX_KEY: usize = 160;

/// What is authenticated begins with this, so that no other use of the key fits.
const LABEL: &[u8] = b"landbridge LDAP paged results 1";

/// Makes and opens cookies.
pub struct Cookies {
    key: hmac::Key,
}

/// What a cookie is bound to.
#[derive(Debug, Clone, Copy)]
pub struct Binding<'a> {
    /// The number of the connection, which no other connection of this process has.
    pub connection: u64,
    /// The account that is signed in on the connection, by a name that no other account has.
    pub identity: &'a str,
    /// The hash of the search.
    pub search: &'a [u8; 32],
}

/// The place of an entry in the order of all entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// What the server makes up, by its number.
    MadeUp(u128),
    /// An object, by its objectGUID.
    Object(u128),
}

impl Default for Place {
    fn default() -> Self {
        Self::MadeUp(0)
    }
}

/// Where a search goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    /// The key of the last entry in the order that the client wants. Empty: it wants none. At most [`MAX_KEY`] bytes.
    pub key: Vec<u8>,
    /// The place of the last entry that was returned.
    pub last: Place,
    /// How many entries were returned before.
    pub returned: u64,
}

impl Cookies {
    /// With a random key that lives as long as the process.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// Makes the cookie for a position.
    pub fn seal(&self, binding: &Binding<'_>, position: &Position) -> Vec<u8> {
        let mut cookie = Vec::with_capacity(HEAD + position.key.len() + TAG);
        let (kind, number) = match position.last {
            Place::MadeUp(number) => (0, number),
            Place::Object(number) => (1, number),
        };
        cookie.push(kind);
        cookie.extend(number.to_be_bytes());
        cookie.extend(position.returned.to_be_bytes());
        cookie.extend(&position.key);
        let tag = hmac::sign(&self.key, &authenticated(binding, &cookie));
        cookie.extend(tag.as_ref());
        cookie
    }

    /// The position in a cookie, compared in constant time. None: it is not of this process, or not of this connection,
    /// identity and search.
    pub fn open(&self, binding: &Binding<'_>, cookie: &[u8]) -> Option<Position> {
        let (payload, tag) = cookie.split_at_checked(cookie.len().checked_sub(TAG)?)?;
        hmac::verify(&self.key, &authenticated(binding, payload), tag).ok()?;
        let (kind, rest) = payload.split_first()?;
        let (number, rest) = rest.split_first_chunk::<16>()?;
        let (returned, key) = rest.split_first_chunk::<8>()?;
        let number = u128::from_be_bytes(*number);
        let last = if *kind == 0 { Place::MadeUp(number) } else { Place::Object(number) };
        Some(Position { key: key.to_vec(), last, returned: u64::from_be_bytes(*returned) })
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies(..)")
    }
}

/// Every part has a fixed length but the payload, whose length is in it, and the identity, which is last.
fn authenticated(binding: &Binding<'_>, payload: &[u8]) -> Vec<u8> {
    // A payload is far shorter than 4 GiB.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let connection = binding.connection.to_be_bytes();
    [LABEL, &connection, binding.search, &length, payload, binding.identity.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const BINDING: Binding<'static> = Binding { connection: 7, identity: "app wiki", search: &[3; 32] };

    fn position() -> Position {
        Position { key: b"key".to_vec(), last: Place::Object(9), returned: 1500 }
    }

    #[test]
    fn a_cookie_opens_where_it_was_made() {
        let cookies = Cookies::new(&[1; 32]);
        let cookie = cookies.seal(&BINDING, &position());
        assert_eq!(cookie.len(), HEAD + 3 + TAG);
        assert_eq!(cookies.open(&BINDING, &cookie), Some(position()));
    }

    #[test]
    fn a_cookie_that_was_changed_or_cut_does_not_open() {
        let cookies = Cookies::new(&[1; 32]);
        let cookie = cookies.seal(&BINDING, &position());
        for bit in 0..8 * cookie.len() {
            let mut changed = cookie.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(cookies.open(&BINDING, &changed), None, "bit {bit}");
        }
        for length in 0..cookie.len() {
            assert_eq!(cookies.open(&BINDING, &cookie[..length]), None, "{length} bytes");
        }
        assert_eq!(cookies.open(&BINDING, &[&cookie[..], &[0]].concat()), None);
    }

    #[test]
    fn a_cookie_of_another_connection_identity_search_or_process_does_not_open() {
        let cookies = Cookies::new(&[1; 32]);
        let cookie = cookies.seal(&BINDING, &position());
        for other in [
            Binding { connection: 8, ..BINDING },
            Binding { identity: "app wik", ..BINDING },
            Binding { identity: "app wikis", ..BINDING },
            Binding { search: &[4; 32], ..BINDING },
        ] {
            assert_eq!(cookies.open(&other, &cookie), None, "{other:?}");
        }
        assert_eq!(Cookies::new(&[2; 32]).open(&BINDING, &cookie), None);
        assert_eq!(format!("{cookies:?}"), "Cookies(..)");
    }
}
