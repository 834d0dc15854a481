//! The LDAP request for attributes of the rootDSE (MS-ADTS 3.1.1.3.2), and its response. The daemon reads which
//! update sequence number a DC has reached; `check` reads the DC's clock and kind. The request is unbound and not
//! encrypted, so a response may be forged. A forged one can make phs pull, or wait for its timer, or make `check`
//! report something wrong, and no more.
//!
//! Pure and bounded: bytes in, texts out. Neighbours: [`super::ldap`] has the messages, [`super::watch`] the socket.

use super::ldap::{self, Depth, LdapError, any, search};
use std::collections::BTreeMap;

/// Limit on the bytes of one message. A real response has some hundreds.
pub const MAX_MESSAGE: usize = 4096;

/// Attributes of the rootDSE: names in lower case, values as text. An attribute that the DC does not have is missing.
pub type Attributes = BTreeMap<String, Vec<String>>;

/// The attribute whose value grows with every change.
pub const HIGHEST_USN: &str = "highestCommittedUSN";

/// The search request for these attributes of the rootDSE. `id`: 1 to 127.
pub fn question(id: u8, wanted: &[&str]) -> Vec<u8> {
    search(id, "", Depth::Base, &any(), wanted)
}

/// The update sequence number among the attributes.
pub fn highest_usn(root: &Attributes) -> Result<i64, LdapError> {
    let value = root.get("highestcommittedusn").and_then(|values| values.first());
    let value = value.ok_or(LdapError::Unreadable("the attribute is not there"))?;
    value.parse().map_err(|_| LdapError::Unreadable("the value is no number"))
}

/// The response to one request, collected as its bytes arrive.
#[derive(Debug)]
pub struct Answer(ldap::Answer);

impl Answer {
    /// An empty response to the request with this id.
    pub fn to(id: u8) -> Self {
        Self(ldap::Answer::to(id, MAX_MESSAGE, 1))
    }

    /// Adds received bytes. Returns the attributes once the response is complete.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Option<Attributes>, LdapError> {
        let Some(entries) = self.0.add(bytes)? else { return Ok(None) };
        let root = entries.into_iter().next().ok_or(LdapError::Unreadable("the rootDSE is not there"))?;
        let text = |value| String::from_utf8(value).map_err(|_| LdapError::Unreadable("a value is no text"));
        let texts = |values: Vec<Vec<u8>>| values.into_iter().map(text).collect::<Result<Vec<_>, _>>();
        let all = root.into_iter().map(|(name, values)| Ok((name, texts(values)?)));
        all.collect::<Result<Attributes, _>>().map(Some)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// As Samba 4.17 answers.
    fn answer(id: u8) -> Vec<u8> {
        let mut entry =
            vec![0x30, 0x2b, 0x02, 1, id, 0x64, 0x26, 0x04, 0, 0x30, 0x22, 0x30, 0x20, 0x04, 0x13];
        entry.extend_from_slice(b"highestCommittedUSN");
        entry.extend_from_slice(b"\x31\x09\x04\x07");
        entry.extend_from_slice(b"0012345");
        entry.extend_from_slice(&[0x30, 0x0c, 0x02, 1, id, 0x65, 0x07, 0x0a, 1, 0, 0x04, 0, 0x04, 0]);
        entry
    }

    fn usn(answer: &mut Answer, bytes: &[u8]) -> Option<i64> {
        answer.add(bytes).unwrap().map(|root| highest_usn(&root).unwrap())
    }

    #[test]
    fn the_number_comes_out_however_the_bytes_come() {
        let bytes = answer(5);
        assert_eq!(usn(&mut Answer::to(5), &bytes), Some(12_345));
        let mut slowly = Answer::to(5);
        for (at, byte) in bytes.iter().enumerate() {
            let expected = (at + 1 == bytes.len()).then_some(12_345);
            assert_eq!(usn(&mut slowly, &[*byte]), expected, "byte {at}");
        }
        // Four bytes of length, as Windows writes them.
        let mut long = vec![0x30, 0x84, 0, 0, 0, 0x2b];
        long.extend_from_slice(&bytes[2..]);
        assert_eq!(usn(&mut Answer::to(5), &long), Some(12_345));
    }

    #[test]
    fn what_is_no_answer_is_refused_and_never_kept_without_bound() {
        assert!(Answer::to(6).add(&answer(5)).is_err(), "about another question");
        let done_alone = &answer(5)[0x2d..];
        assert!(Answer::to(5).add(done_alone).is_err(), "without the attribute");
        let twice = [&answer(5)[..0x2d], &answer(5)].concat();
        assert!(Answer::to(5).add(&twice).is_err(), "there is one rootDSE");
        assert!(Answer::to(5).add(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        assert!(Answer::to(5).add(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]).is_err());
        assert!(Answer::to(5).add(&[0x30, 0x80]).is_err(), "no indefinite lengths");
        let mut endless = Answer::to(5);
        let zeros = [0x30, 0x82, 0x0f, 0xff].iter().copied().chain(std::iter::repeat_n(0, 10_000));
        let accepted = zeros.into_iter().take_while(|byte| endless.add(&[*byte]).is_ok()).count();
        assert!(accepted <= MAX_MESSAGE + 8, "{accepted} bytes are kept");
    }

    #[test]
    fn every_cut_and_every_changed_byte_ends_without_a_panic() {
        let bytes = answer(5);
        for cut in 0..bytes.len() {
            assert_eq!(Answer::to(5).add(&bytes[..cut]), Ok(None), "{cut}");
        }
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = Answer::to(5).add(&changed);
            }
        }
    }
}
