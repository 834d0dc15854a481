//! Keytab files (MIT format 0x0502), read and never written: long-term keys of accounts.
//! Opens no file; the caller reads it and has checked its mode. Entries that are not understood are skipped, as MIT
//! does: a keytab is often shared, and written by several tools.
//! After it: [`super::as_exchange`], which uses the keys of one account.

use crate::enctype::Enctype;
use crate::key::Key;
use crate::limits::MAX_KEYTAB;
use crate::principal::Principal;
use std::fmt;

/// The AES keys of a keytab, wiped when dropped. Absent on purpose: `Clone`, `Debug` of the keys.
pub struct Keytab {
    entries: Vec<Entry>,
}

struct Entry {
    realm: String,
    name: String,
    version: u32,
    key: Key,
}

/// A file that is not a keytab. The operator exports it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeytabError {
    /// Not the format 0x0502.
    #[error(
        "not a keytab of format 0x0502: export it again, with ktpass on Windows or `samba-tool domain exportkeytab`"
    )]
    NotAKeytab,
    /// The older format, in the byte order of the machine that wrote it.
    #[error("a keytab of the old format 0x0501: export it again")]
    OldFormat,
    /// The tickets of `kinit`.
    #[error("a ticket cache, which holds tickets of `kinit` and no keys: name the keytab")]
    TicketCache,
    /// PEM.
    #[error("a certificate or a key in PEM, and not a keytab")]
    Pem,
    /// DER.
    #[error("a certificate, a key or a PFX file, and not a keytab")]
    Der,
    /// Text, as a password is.
    #[error("text, and not a keytab: a file with the account's password is named with `password_file`")]
    Text,
    /// An entry is longer than the file.
    #[error("the keytab is damaged at byte {0}")]
    Damaged(usize),
    /// Over [`MAX_KEYTAB`].
    #[error("the keytab is over {MAX_KEYTAB} bytes")]
    TooLarge,
    /// No entry can be used at all.
    #[error("the keytab holds no AES key")]
    NoAesKey,
}

impl Keytab {
    /// Reads a keytab. Holes, entries of other types, and entries that are not understood are skipped.
    ///
    /// # Errors
    /// See [`KeytabError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeytabError> {
        if bytes.len() > MAX_KEYTAB {
            return Err(KeytabError::TooLarge);
        }
        let mut rest = bytes.strip_prefix(&[5, 2]).ok_or_else(|| what_instead(bytes))?;
        let mut entries = Vec::new();
        // Fewer bytes than a size are the end, and so is a size of zero.
        while let Some((size, after)) = rest.split_first_chunk::<4>() {
            let size = i32::from_be_bytes(*size);
            if size == 0 {
                break;
            }
            let damaged = KeytabError::Damaged(bytes.len() - rest.len());
            let length = usize::try_from(size.unsigned_abs()).map_err(|_| damaged.clone())?;
            let (record, after) = after.split_at_checked(length).ok_or(damaged)?;
            // A negative size is a hole that a deleted entry left.
            if size > 0 {
                entries.extend(Entry::parse(record));
            }
            rest = after;
        }
        if entries.is_empty() { Err(KeytabError::NoAesKey) } else { Ok(Self { entries }) }
    }

    /// The principals that it has AES keys for, as `name@REALM`, for people.
    pub fn principals(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.entries.iter().map(|entry| format!("{}@{}", entry.name, entry.realm)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The key of this type among the newest keys of an account: older ones are the KDC's no more. Names are compared
    /// without case, as Active Directory does.
    pub fn newest(&self, account: &Principal, enctype: Enctype) -> Option<&Key> {
        let name = account.components().join("/").to_lowercase();
        let its = |entry: &&Entry| {
            entry.name.to_lowercase() == name && entry.realm.to_lowercase() == account.realm().to_lowercase()
        };
        let version = self.entries.iter().filter(its).map(|entry| entry.version).max()?;
        let newest = self.entries.iter().filter(its).filter(|entry| entry.version == version);
        newest.map(|entry| &entry.key).find(|key| key.enctype() == enctype)
    }
}

/// What a file is that is not a keytab, by its first bytes. Nothing of it is repeated.
fn what_instead(bytes: &[u8]) -> KeytabError {
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match bytes {
        [5, 1, ..] => KeytabError::OldFormat,
        [5, 3 | 4, ..] => KeytabError::TicketCache,
        // SEQUENCE with a length of two bytes.
        [0x30, 0x82, ..] => KeytabError::Der,
        _ if bytes.windows(11).any(|window| window == b"-----BEGIN ") => KeytabError::Pem,
        // The byte order marks of UTF-8 and UTF-16.
        [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => KeytabError::Text,
        [_, ..] if bytes.iter().all(printable) => KeytabError::Text,
        _ => KeytabError::NotAKeytab,
    }
}

impl Entry {
    /// None for an entry that is not understood, or of a type that is not used.
    fn parse(record: &[u8]) -> Option<Self> {
        let mut record = Record(record);
        let components = record.u16()?;
        let realm = record.text()?;
        let mut name = String::new();
        for index in 0..components {
            if index > 0 {
                name.push('/');
            }
            name.push_str(&record.text()?);
        }
        record.bytes(4 /* name type */ + 4 /* timestamp */)?;
        let [short_version] = *record.bytes(1)?.first_chunk::<1>()?;
        let enctype = Enctype::of_number(i32::from(record.u16()?))?;
        let key = Key::new(enctype, record.counted()?)?;
        // Writers of 8-bit key versions may append the whole one.
        let version = match record.0.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)) {
            Some(version) if version != 0 => version,
            Some(_) | None => u32::from(short_version),
        };
        Some(Self { realm, name, version, key })
    }
}

struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes(2)?.first_chunk::<2>().map(|bytes| u16::from_be_bytes(*bytes))
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let count = self.u16()?;
        self.bytes(usize::from(count))
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.counted()?.to_vec()).ok()
    }
}

impl fmt::Debug for Keytab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keytab").field("principals", &self.principals()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
