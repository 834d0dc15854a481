//! The encryption types that this client uses (RFC 3962, RFC 8009): AES with HMAC. RC4 and DES have numbers and no
//! place here, so no exchange can come to use them.
//! After it: [`super::key`], which holds a key of such a type.

use std::fmt;

/// An encryption type of Kerberos, by its name in the IANA registry "Kerberos Encryption Type Numbers".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Enctype {
    /// aes128-cts-hmac-sha1-96 (17)
    Aes128Sha1,
    /// aes128-cts-hmac-sha256-128 (19)
    Aes128Sha256,
    /// aes256-cts-hmac-sha1-96 (18)
    Aes256Sha1,
    /// aes256-cts-hmac-sha384-192 (20)
    Aes256Sha384,
}

impl Enctype {
    /// All of them, the strongest first. A KDC takes the first one of a request that it can serve.
    pub const ALL: [Self; 4] = [Self::Aes256Sha384, Self::Aes256Sha1, Self::Aes128Sha256, Self::Aes128Sha1];

    /// The type of this number, or none: one that this client never uses.
    pub fn of_number(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.number() == number)
    }

    /// The number in messages and keytab files.
    pub fn number(self) -> i32 {
        match self {
            Self::Aes128Sha1 => 17,
            Self::Aes256Sha1 => 18,
            Self::Aes128Sha256 => 19,
            Self::Aes256Sha384 => 20,
        }
    }

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes128Sha1 => "aes128-cts-hmac-sha1-96",
            Self::Aes256Sha1 => "aes256-cts-hmac-sha1-96",
            Self::Aes128Sha256 => "aes128-cts-hmac-sha256-128",
            Self::Aes256Sha384 => "aes256-cts-hmac-sha384-192",
        }
    }

    /// The length of a key, in bytes.
    pub fn key_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes128Sha256 => 16,
            Self::Aes256Sha1 | Self::Aes256Sha384 => 32,
        }
    }

    /// The length of the truncated HMAC at the end of every sealed message, in bytes.
    pub fn mac_length(self) -> usize {
        match self {
            Self::Aes128Sha1 | Self::Aes256Sha1 => 12,
            Self::Aes128Sha256 => 16,
            Self::Aes256Sha384 => 24,
        }
    }

    /// The number of the checksum that is made with a key of this type (RFC 3962 7, RFC 8009 6).
    pub(crate) fn checksum_number(self) -> i32 {
        match self {
            Self::Aes128Sha1 => 15,
            Self::Aes256Sha1 => 16,
            Self::Aes128Sha256 => 19,
            Self::Aes256Sha384 => 20,
        }
    }
}

impl fmt::Display for Enctype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
