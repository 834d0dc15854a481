//! Keys that sign tokens (JWS, RFC 7515): ECDSA with P-256 and SHA-256 (ES256), RSA with SHA-256 (RS256).
//! Neighbours: the tenant keeps them sealed by [`super::seal`], and writes what is signed.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
    ParsedPublicKey, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use zeroize::Zeroizing;

/// Bits of an RSA key. Its tokens live for minutes.
const RSA: KeySize = KeySize::Rsa2048;
/// The first byte of a point that is not compressed (SEC 1 2.3.3).
const POINT: u8 = 4;
/// Bytes of a coordinate of P-256.
const COORDINATE: usize = 32;
/// Bits of an RSA key that verifies: less is too weak, and more takes too long to verify.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Bytes of an RSA exponent. A greater one makes a verification slow.
const MAX_EXPONENT: usize = 4;

/// What a key signs with (RFC 7518 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256; signatures of 64 bytes.
    Es256,
    /// RSA (PKCS #1 version 1.5) with SHA-256; keys of 2,048 bits.
    Rs256,
}

/// The bytes are no private key for the algorithm, or the system has no randomness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key cannot be used")]
pub struct NoKey;

/// A private key. Absent on purpose: `Clone`, `Display`, a way to read it; `Debug` shows the public key's thumbprint.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: Algorithm,
    /// As the library reads it: a point, or PKCS #1.
    octets: Vec<u8>,
    /// The members that define the key (RFC 7638 3.2), by name.
    members: Vec<(&'static str, String)>,
}

impl SigningKey {
    /// Makes a key. Also returns it as PKCS #8, for the seal.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Zeroizing<Vec<u8>>), NoKey> {
        let private = match algorithm {
            Algorithm::Es256 => {
                let made =
                    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
                Zeroizing::new(made.map_err(|_| NoKey)?.as_ref().to_vec())
            }
            Algorithm::Rs256 => {
                let made = RsaKeyPair::generate(RSA).and_then(|pair| pair.as_der());
                Zeroizing::new(made.map_err(|_| NoKey)?.as_ref().to_vec())
            }
        };
        Ok((Self::from_pkcs8(algorithm, &private)?, private))
    }

    /// Reads what [`Self::generate`] returned.
    pub fn from_pkcs8(algorithm: Algorithm, private: &[u8]) -> Result<Self, NoKey> {
        let pair = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private);
                Pair::Ec(pair.map_err(|_| NoKey)?)
            }
            Algorithm::Rs256 => Pair::Rsa(RsaKeyPair::from_pkcs8(private).map_err(|_| NoKey)?),
        };
        let octets = match &pair {
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.public_key().as_ref().to_vec(),
        };
        let public = PublicKey::from_octets(algorithm, &octets)?;
        Ok(Self { pair, public })
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of a message (RFC 7518 3.3 and 3.4).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, NoKey> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => {
                pair.sign(&random, message).map(|made| made.as_ref().to_vec()).map_err(|_| NoKey)
            }
            Pair::Rsa(pair) => {
                let mut made = vec![0; pair.public_modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut made).map_err(|_| NoKey)?;
                Ok(made)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public.thumbprint()).finish()
    }
}

impl PublicKey {
    /// What it verifies.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key of a point of P-256 (RFC 7518 6.2.1): two coordinates of 32 bytes.
    pub fn of_point(x: &[u8], y: &[u8]) -> Result<Self, NoKey> {
        if x.len() != COORDINATE || y.len() != COORDINATE {
            return Err(NoKey);
        }
        Self::from_octets(Algorithm::Es256, &[&[POINT], x, y].concat())
    }

    /// The key of a modulus of 2,048 to 8,192 bits and an exponent of at most 32 bits (RFC 7518 6.3.1), without zeros before
    /// them.
    pub fn of_modulus(n: &[u8], e: &[u8]) -> Result<Self, NoKey> {
        let is_number = |octets: &[u8]| octets.first().is_some_and(|first| *first != 0);
        if !is_number(n) || !is_number(e) {
            return Err(NoKey);
        }
        Self::from_octets(Algorithm::Rs256, &der(0x30, &[der_integer(n), der_integer(e)].concat()))
    }

    /// Reads what [`Self::octets`] returns.
    pub fn from_octets(algorithm: Algorithm, octets: &[u8]) -> Result<Self, NoKey> {
        let base64 = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let members = match algorithm {
            Algorithm::Es256 => {
                let (&POINT, coordinates) = octets.split_first().ok_or(NoKey)? else { return Err(NoKey) };
                let (x, y) = coordinates.split_at_checked(COORDINATE).ok_or(NoKey)?;
                let is_on_curve =
                    y.len() == COORDINATE && ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, octets).is_ok();
                if !is_on_curve {
                    return Err(NoKey);
                }
                vec![
                    ("crv", "P-256".to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", base64(x)),
                    ("y", base64(y)),
                ]
            }
            Algorithm::Rs256 => {
                let (n, e) = rsa_numbers(octets).ok_or(NoKey)?;
                let zeros = n.first().map_or(0, |first| first.leading_zeros() as usize);
                let is_odd = |octets: &[u8]| octets.last().is_some_and(|last| last % 2 == 1);
                let fits = RSA_BITS.contains(&(n.len() * 8 - zeros.min(n.len() * 8)))
                    && (1..=MAX_EXPONENT).contains(&e.len())
                    && e != [1]
                    && is_odd(n)
                    && is_odd(e);
                if !fits || ParsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, octets).is_err() {
                    return Err(NoKey);
                }
                vec![("e", base64(e)), ("kty", "RSA".to_owned()), ("n", base64(n))]
            }
        };
        Ok(Self { algorithm, octets: octets.to_vec(), members })
    }

    /// The key as bytes: a point that is not compressed, or PKCS #1.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The members of its JWK that define it, by name (RFC 7517; RFC 7638 3.2).
    pub fn members(&self) -> &[(&'static str, String)] {
        &self.members
    }

    /// Its thumbprint (RFC 7638): base64url of SHA-256.
    pub fn thumbprint(&self) -> String {
        // Neither names nor values have a character that JSON escapes.
        let member = |(name, value): &(&str, String)| format!("\"{name}\":\"{value}\"");
        let text = format!("{{{}}}", self.members.iter().map(member).collect::<Vec<_>>().join(","));
        URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
    }

    /// Whether a signature is that of a message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.algorithm {
            Algorithm::Es256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.octets).verify(message, signature)
            }
            Algorithm::Rs256 => UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, &self.octets)
                .verify(message, signature),
        };
        verified.is_ok()
    }
}

/// An element of DER (X.690 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits: Vec<u8> = length.into_iter().skip_while(|digit| *digit == 0).collect();
    let mut head = vec![tag];
    match digits.as_slice() {
        [] => head.push(0),
        [digit] if *digit < 0x80 => head.push(*digit),
        digits => {
            head.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            head.extend(digits);
        }
    }
    head.extend(content);
    head
}

/// A positive integer of DER. A zero before a great first digit keeps it positive.
fn der_integer(octets: &[u8]) -> Vec<u8> {
    let needs_zero = octets.first().is_some_and(|first| *first >= 0x80);
    if needs_zero { der(2, &[&[0], octets].concat()) } else { der(2, octets) }
}

/// Modulus and exponent of a public key of RSA, as the library writes it (RFC 8017 A.1.1): a sequence of two integers.
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let element = |tag: u8, bytes: &'_ [u8]| -> Option<(usize, usize)> {
        let (own, rest) = bytes.split_first()?;
        let (first, rest) = rest.split_first().filter(|_| *own == tag)?;
        let digits = if *first < 0x80 { 0 } else { usize::from(first & 0x7f) };
        let length = match digits {
            0 => usize::from(*first),
            1..=4 => rest.get(..digits)?.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)),
            _ => return None,
        };
        Some((2 + digits, length))
    };
    let content = |tag, bytes: &'_ [u8]| element(tag, bytes).map(|(head, length)| head..head + length);
    let sequence = der.get(content(0x30, der)?)?;
    let n = content(2, sequence)?;
    let rest = sequence.get(n.end..)?;
    let e = content(2, rest)?;
    // A leading zero keeps the number positive; JWK has none (RFC 7518 2).
    let number = |octets: &'_ [u8]| octets.iter().take_while(|octet| **octet == 0).count();
    let (n, e) = (sequence.get(n)?, rest.get(e)?);
    Some((n.get(number(n)..)?, e.get(number(e)..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_verified_by_its_own_key_and_no_other() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let (key, private) = SigningKey::generate(algorithm).unwrap();
            let again = SigningKey::from_pkcs8(algorithm, &private).unwrap();
            assert_eq!(again.public(), key.public());
            let (other, _) = SigningKey::generate(algorithm).unwrap();
            let mut signature = key.sign(b"message").unwrap();
            assert!(again.public().verifies(b"message", &signature));
            assert!(!other.public().verifies(b"message", &signature));
            assert!(!key.public().verifies(b"another", &signature));
            signature[7] ^= 1;
            assert!(!key.public().verifies(b"message", &signature));
            assert!(!key.public().verifies(b"message", b""));
            assert!(!format!("{key:?}").contains("pkcs"));
        }
        let (_, private) = SigningKey::generate(Algorithm::Es256).unwrap();
        assert!(SigningKey::from_pkcs8(Algorithm::Rs256, &private).is_err());
        assert!(SigningKey::from_pkcs8(Algorithm::Es256, b"").is_err());
    }

    #[test]
    fn a_public_key_is_read_from_its_numbers_and_from_its_bytes() {
        let decoded = |key: &PublicKey, name: &str| {
            let value = key.members().iter().find(|(own, _)| *own == name).unwrap();
            URL_SAFE_NO_PAD.decode(&value.1).unwrap()
        };
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let public = key.public();
            let member = |name| decoded(public, name);
            let again = match algorithm {
                Algorithm::Es256 => PublicKey::of_point(&member("x"), &member("y")),
                Algorithm::Rs256 => PublicKey::of_modulus(&member("n"), &member("e")),
            };
            assert_eq!(again.as_ref(), Ok(public));
            assert_eq!(PublicKey::from_octets(algorithm, public.octets()).as_ref(), Ok(public));
            assert!(again.unwrap().verifies(b"message", &key.sign(b"message").unwrap()));
            for wrong in [&b""[..], &public.octets()[1..], &[public.octets(), &[0]].concat(), &[0; 70]] {
                assert!(PublicKey::from_octets(algorithm, wrong).is_err(), "{} bytes", wrong.len());
            }
        }
    }

    #[test]
    fn a_weak_slow_or_impossible_key_is_none() {
        let modulus = |bits: usize| {
            let mut n = vec![0xff; bits / 8];
            n[0] = 0x80;
            n
        };
        let of = |bits: usize, e: &[u8]| PublicKey::of_modulus(&modulus(bits), e).is_ok();
        assert!(of(2048, &[1, 0, 1]) && of(8192, &[3]));
        for (bits, e) in [
            (2040, &[1, 0, 1][..]),
            (1024, &[1, 0, 1]),
            (8200, &[1, 0, 1]),
            (2048, &[1]),
            (2048, &[1, 0, 0]),
            (2048, &[0, 1, 0, 1]),
            (2048, &[1, 0, 0, 0, 1]),
            (2048, &[]),
        ] {
            assert!(!of(bits, e), "{bits} bits, {e:?}");
        }
        let mut less = modulus(2048);
        less[0] = 0x7f;
        assert!(PublicKey::of_modulus(&less, &[3]).is_err(), "2,047 bits");
        for (x, y) in [(32, 32), (31, 32), (32, 33), (0, 0)] {
            assert!(PublicKey::of_point(&vec![7; x], &vec![7; y]).is_err(), "not on the curve");
        }
    }

    #[test]
    fn a_thumbprint_is_that_of_rfc_7638() {
        // Its example, 3.1.
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
                 FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9\
                 c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1j\
                 F44-csFCur-kEgU8awapJzKnqDKgw";
        let members = vec![("e", "AQAB".to_owned()), ("kty", "RSA".to_owned()), ("n", n.to_owned())];
        let key = PublicKey { algorithm: Algorithm::Rs256, octets: Vec::new(), members };
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
