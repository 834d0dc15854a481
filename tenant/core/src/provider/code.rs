//! Authorization codes: the id of a grant that is to be, and what the grant is made of, sealed under a key of the code's own.
//! So a code needs no row until it is redeemed, and each node of a tenant can open it. A code says nothing to who holds it.
//!
//! The text before it is sealed: a version, the scopes as bits, the application, the mark of its registration, the session,
//! the end in seconds since 1970, SHA-256 of the redirect URI; then, each behind its length, the challenge and the address;
//! then whether there is a nonce, and the nonce. Numbers are big-endian.
//! Neighbours: `grants.rs` makes and redeems codes.

use super::claims::SCOPES;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landbridge_crypto::seal::{SealKeys, TEXT_OVERHEAD};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use uuid::Uuid;
use zeroize::Zeroizing;

/// The version of the text. Another version of this program may write another one.
const VERSION: u8 = 1;
/// What codes are sealed for.
const PURPOSE: &str = "authorization code";
/// Bytes of an id.
const ID: usize = 16;
/// Limit on the bytes of a nonce. It is a part of the code, which is a part of a URL: with the longest `state`, and each byte
/// of that as three, the URL stays below 8 KiB, the limit of many servers.
pub const MAX_NONCE: usize = 512;
/// Limit on the bytes of a challenge.
const MAX_CHALLENGE: usize = 43;
/// Limit on the bytes of a code before it is base64url: the id, the fixed part, challenge, address and nonce.
const MAX_OCTETS: usize =
    ID + 2 + 2 * ID + 16 + 32 + (1 + MAX_CHALLENGE) + (1 + 16) + (1 + MAX_NONCE) + TEXT_OVERHEAD;

/// What a code says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The id of the grant that it is redeemed for.
    pub id: Uuid,
    /// The application.
    pub app: Uuid,
    /// The mark of the application's registration: one that was off meanwhile has another mark.
    pub registration: [u8; 8],
    /// The session that it was made in.
    pub session: Uuid,
    /// Until when it can be redeemed, in seconds since 1970.
    pub until: i64,
    /// The scopes, with a blank between, in the order of [`SCOPES`].
    pub scopes: String,
    /// SHA-256 of `redirect_uri` of the request.
    pub redirect: [u8; 32],
    /// SHA-256 of the verifier, as base64url (RFC 7636).
    pub challenge: Option<String>,
    /// The person's address, if the session stood for the password.
    pub by_session_from: Option<IpAddr>,
    /// `nonce` of the request.
    pub nonce: Option<String>,
}

impl Code {
    /// The code as text. None: there is no key to seal it with, or a part is over its limit.
    pub(super) fn seal(&self, keys: &SealKeys) -> Option<Zeroizing<String>> {
        let plain = self.to_octets()?;
        let sealed = keys.seal_text(PURPOSE, self.id.as_bytes(), &plain).ok()?;
        Some(Zeroizing::new(URL_SAFE_NO_PAD.encode([self.id.as_bytes().as_slice(), &sealed].concat())))
    }

    /// Opens a code that was made here. None: it is none, or was changed.
    pub(super) fn open(keys: &SealKeys, text: &str) -> Option<Self> {
        if text.len() > (4 * MAX_OCTETS).div_ceil(3) {
            return None;
        }
        let octets = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, sealed) = octets.split_first_chunk::<ID>()?;
        let plain = keys.open_text(PURPOSE, id, sealed)?;
        Self::parse(Uuid::from_bytes(*id), &plain)
    }

    /// The text before it is sealed. None: a part is over its limit.
    pub fn to_octets(&self) -> Option<Zeroizing<Vec<u8>>> {
        let mut octets = Zeroizing::new(Vec::with_capacity(MAX_OCTETS));
        let has = |scope: &str| self.scopes.split(' ').any(|one| one == scope);
        let bits = SCOPES.iter().enumerate().map(|(nth, scope)| u8::from(has(scope)) << nth);
        octets.extend([VERSION, bits.fold(0, |all, bit| all | bit)]);
        octets.extend(self.app.as_bytes());
        octets.extend(self.registration);
        octets.extend(self.session.as_bytes());
        octets.extend(self.until.to_be_bytes());
        octets.extend(self.redirect);
        let address = match self.by_session_from {
            None => Vec::new(),
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().to_vec(),
        };
        for (part, most) in
            [(self.challenge.as_deref().unwrap_or_default().as_bytes(), MAX_CHALLENGE), (&address, 16)]
        {
            octets.push(u8::try_from(part.len()).ok().filter(|_| part.len() <= most)?);
            octets.extend(part);
        }
        octets.push(u8::from(self.nonce.is_some()));
        octets.extend(self.nonce.as_deref().unwrap_or_default().as_bytes());
        let fits = self.nonce.as_ref().is_none_or(|nonce| nonce.len() <= MAX_NONCE);
        fits.then_some(octets)
    }

    /// Reads what [`Self::to_octets`] writes, and nothing else.
    pub fn parse(id: Uuid, octets: &[u8]) -> Option<Self> {
        // 1. The fixed part.
        let ([version, bits], rest) = octets.split_first_chunk()?;
        let (app, rest) = rest.split_first_chunk::<ID>()?;
        let (registration, rest) = rest.split_first_chunk()?;
        let (session, rest) = rest.split_first_chunk::<ID>()?;
        let (until, rest) = rest.split_first_chunk()?;
        let (redirect, rest) = rest.split_first_chunk()?;
        if *version != VERSION || usize::from(*bits) >> SCOPES.len() != 0 {
            return None;
        }
        let given = SCOPES.iter().enumerate().filter(|(nth, _)| bits & (1 << nth) != 0);
        let scopes: Vec<&str> = given.map(|(_, scope)| *scope).collect();
        // 2. Challenge and address.
        let (challenge, rest) = behind_length(rest)?;
        let (address, rest) = behind_length(rest)?;
        let challenge = std::str::from_utf8(challenge).ok().filter(|text| text.len() <= MAX_CHALLENGE)?;
        let by_session_from = match address.len() {
            0 => None,
            4 => Some(IpAddr::V4(Ipv4Addr::from(address.first_chunk().copied()?))),
            16 => Some(IpAddr::V6(Ipv6Addr::from(address.first_chunk().copied()?))),
            _ => return None,
        };
        // 3. The nonce.
        let (has_nonce, nonce) = rest.split_first()?;
        let nonce = match (has_nonce, std::str::from_utf8(nonce).ok()?) {
            (0, "") => None,
            (1, nonce) if nonce.len() <= MAX_NONCE => Some(nonce.to_owned()),
            _ => return None,
        };
        Some(Self {
            id,
            app: Uuid::from_bytes(*app),
            registration: *registration,
            session: Uuid::from_bytes(*session),
            until: i64::from_be_bytes(*until),
            scopes: scopes.join(" "),
            redirect: *redirect,
            challenge: Some(challenge.to_owned()).filter(|challenge| !challenge.is_empty()),
            by_session_from,
            nonce,
        })
    }
}

/// What is behind its length, and the rest.
fn behind_length(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = octets.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use landbridge_crypto::seal::SealKey;
    use landbridge_crypto::sha_256::sha_256;

    fn keys(ids: &[u8]) -> SealKeys {
        SealKeys::new(ids.iter().map(|id| SealKey::from_bytes(u32::from(*id), [*id; 32])).collect())
    }

    fn code() -> Code {
        Code {
            id: Uuid::from_u128(7),
            app: Uuid::from_u128(8),
            registration: *b"register",
            session: Uuid::from_u128(9),
            until: 1_795_996_860,
            scopes: "openid profile offline_access".to_owned(),
            redirect: sha_256(b"https://wiki.example.com/callback"),
            challenge: Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned()),
            by_session_from: Some("192.0.2.7".parse().unwrap()),
            nonce: Some("a nonce".to_owned()),
        }
    }

    #[test]
    fn a_code_comes_back_under_each_key_that_is_there_with_and_without_its_parts() {
        let bare = Code {
            scopes: "openid".to_owned(),
            challenge: None,
            by_session_from: None,
            nonce: None,
            ..code()
        };
        let long = Code {
            scopes: SCOPES.join(" "),
            by_session_from: Some("2001:db8::7".parse().unwrap()),
            nonce: Some("n".repeat(MAX_NONCE)),
            ..code()
        };
        for code in [code(), bare, long.clone()] {
            let text = code.seal(&keys(&[1])).unwrap();
            assert_eq!(Code::open(&keys(&[1]), &text).as_ref(), Some(&code));
            assert_eq!(Code::open(&keys(&[2, 1]), &text).as_ref(), Some(&code), "a key was added");
            assert_eq!(Code::open(&keys(&[2]), &text), None, "its key is gone");
        }
        assert_eq!(
            long.seal(&keys(&[1])).unwrap().len(),
            (4 * MAX_OCTETS).div_ceil(3),
            "as long as it can be"
        );
        let over = Code { nonce: Some("n".repeat(MAX_NONCE + 1)), ..code() };
        assert_eq!(over.seal(&keys(&[1])), None);
    }

    #[test]
    fn no_other_text_is_a_code() {
        let (keys, code) = (keys(&[1]), code());
        let text = code.seal(&keys).unwrap();
        let octets = URL_SAFE_NO_PAD.decode(text.as_str()).unwrap();
        for bit in 0..octets.len() * 8 {
            let mut forged = octets.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Code::open(&keys, &URL_SAFE_NO_PAD.encode(&forged)), None, "bit {bit}");
        }
        for forged in [
            String::new(),
            format!("{}=", text.as_str()),
            format!(" {}", text.as_str()),
            text[..text.len() - 1].to_owned(),
            format!("{}A", text.as_str()),
            URL_SAFE_NO_PAD.encode(&octets[..ID]),
            URL_SAFE_NO_PAD.encode([&octets[..], &[0]].concat()),
            "a".repeat(100_000),
        ] {
            assert_eq!(Code::open(&keys, &forged), None, "{} bytes", forged.len());
        }
        // What is sealed for something else is none.
        let plain = code.to_octets().unwrap();
        let other = keys.seal_text("something else", code.id.as_bytes(), &plain).unwrap();
        let forged = URL_SAFE_NO_PAD.encode([code.id.as_bytes().as_slice(), &other].concat());
        assert_eq!(Code::open(&keys, &forged), None);
    }

    #[test]
    fn a_text_of_another_version_or_with_something_unknown_is_not_read() {
        let (id, plain) = (code().id, code().to_octets().unwrap());
        assert_eq!(Code::parse(id, &plain), Some(code()));
        let challenge = 2 + 16 + 8 + 16 + 8 + 32;
        let address = challenge + 1 + 43;
        let nonce = address + 1 + 4;
        for (at, value) in
            [(0, 2), (1, 0x41), (1, 0x81), (challenge, 44), (address, 5), (nonce, 0), (nonce, 2)]
        {
            let mut other = plain.to_vec();
            other[at] = value;
            assert_eq!(Code::parse(id, &other), None, "{value} at {at}");
        }
        for length in 0..=nonce {
            assert_eq!(Code::parse(id, &plain[..length]), None, "{length} bytes");
        }
    }
}
