//! Keytab files (MIT format 0x0502), read and never written: the long-term keys of the delegated account.
//! Opens no file; the caller reads it and has checked its mode.
//! After it: `security`, which picks one key.

use std::fmt;
use zeroize::Zeroizing;

/// The most bytes of a keytab: hundreds of entries, where one is used.
pub const MAX_KEYTAB: usize = 256 * 1024;

/// The keys of a keytab, wiped when dropped. Absent on purpose: `Clone`, `Debug` of the keys.
pub struct Keytab {
    entries: Vec<Entry>,
}

struct Entry {
    realm: String,
    name: String,
    version: u32,
    cipher: KeyCipher,
    key: Zeroizing<Vec<u8>>,
}

/// The ciphers that are used (RFC 3962); older ones are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyCipher {
    /// aes128-cts-hmac-sha1-96 (17)
    Aes128,
    /// aes256-cts-hmac-sha1-96 (18)
    Aes256,
}

/// A file that is not a keytab. The operator exports it anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeytabError {
    /// Not the format 0x0502.
    #[error("not a keytab of format 0x0502")]
    NotAKeytab,
    /// It ends in the middle of an entry.
    #[error("the keytab is damaged at byte {0}")]
    Damaged(usize),
    /// Over [`MAX_KEYTAB`].
    #[error("the keytab is over {MAX_KEYTAB} bytes")]
    TooLarge,
    /// No entry can be used at all.
    #[error("the keytab holds no AES key")]
    NoAesKey,
}

/// One key, lent.
pub struct Key<'a> {
    /// The key version number.
    pub version: u32,
    /// The cipher that it is for.
    pub cipher: KeyCipher,
    /// The key: as good as the password.
    pub bytes: &'a [u8],
}

impl Keytab {
    /// Reads a keytab. Entries with ciphers that are not used are skipped, holes too.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeytabError> {
        if bytes.len() > MAX_KEYTAB {
            return Err(KeytabError::TooLarge);
        }
        let mut rest = bytes.strip_prefix(&[5, 2]).ok_or(KeytabError::NotAKeytab)?;
        let mut entries = Vec::new();
        while !rest.is_empty() {
            let damaged = KeytabError::Damaged(bytes.len() - rest.len());
            let (size, after) = rest.split_first_chunk::<4>().ok_or_else(|| damaged.clone())?;
            let size = i32::from_be_bytes(*size);
            let length = usize::try_from(size.unsigned_abs()).map_err(|_| damaged.clone())?;
            let (record, after) = after.split_at_checked(length).ok_or_else(|| damaged.clone())?;
            // A negative size is a hole left by a deleted entry; a zero fills the end of the file.
            if size > 0 {
                entries.extend(Entry::parse(record).ok_or(damaged)?);
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

    /// The newest key of an account, the stronger cipher first. Names are compared without case, as AD does.
    pub fn newest(&self, account: &str, realm: &str) -> Option<Key<'_>> {
        self.entries
            .iter()
            .filter(|entry| {
                entry.name.eq_ignore_ascii_case(account) && entry.realm.eq_ignore_ascii_case(realm)
            })
            .max_by_key(|entry| (entry.version, entry.cipher))
            .map(|entry| Key { version: entry.version, cipher: entry.cipher, bytes: &entry.key })
    }
}

impl Entry {
    /// `None`: damaged. `Some(None)`: sound, and of a cipher that is not used.
    fn parse(record: &[u8]) -> Option<Option<Self>> {
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
        let cipher = record.u16()?;
        let key = record.counted()?;
        // Writers of 8-bit key versions may append the whole one.
        let version = match record.0.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)) {
            Some(version) if version != 0 => version,
            Some(_) | None => u32::from(short_version),
        };
        let (cipher, length) = match cipher {
            17 => (KeyCipher::Aes128, 16),
            18 => (KeyCipher::Aes256, 32),
            _ => return Some(None),
        };
        (key.len() == length)
            .then(|| Some(Self { realm, name, version, cipher, key: Zeroizing::new(key.to_vec()) }))
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

impl fmt::Debug for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("version", &self.version)
            .field("cipher", &self.cipher)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn record(name: &str, version: u8, long_version: Option<u32>, cipher: u16, key: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        let counted = |bytes: &[u8], record: &mut Vec<u8>| {
            record.extend(u16::try_from(bytes.len()).unwrap().to_be_bytes());
            record.extend(bytes);
        };
        record.extend(1u16.to_be_bytes());
        counted(b"CORP.EXAMPLE.COM", &mut record);
        counted(name.as_bytes(), &mut record);
        record.extend([0, 0, 0, 1, 0, 0, 0, 0, version]);
        record.extend(cipher.to_be_bytes());
        counted(key, &mut record);
        record.extend(long_version.iter().flat_map(|version| version.to_be_bytes()));
        let mut sized = u32::try_from(record.len()).unwrap().to_be_bytes().to_vec();
        sized.extend(record);
        sized
    }

    fn keytab(records: &[Vec<u8>]) -> Vec<u8> {
        [vec![5, 2], records.concat()].concat()
    }

    #[test]
    fn the_newest_key_wins_and_the_stronger_cipher_among_equals() {
        let bytes = keytab(&[
            record("svc", 2, None, 18, &[2; 32]),
            record("svc", 3, Some(3), 17, &[3; 16]),
            record("svc", 3, Some(3), 18, &[4; 32]),
            record("svc", 3, Some(3), 23, &[5; 16]),
            record("other", 1, Some(300), 18, &[6; 32]),
        ]);
        let keytab = Keytab::parse(&bytes).unwrap();
        let key = keytab.newest("SVC", "corp.example.com").unwrap();
        assert_eq!((key.version, key.cipher, key.bytes), (3, KeyCipher::Aes256, &[4; 32][..]));
        assert_eq!(keytab.newest("other", "CORP.EXAMPLE.COM").unwrap().version, 300);
        assert!(keytab.newest("svc", "ELSEWHERE").is_none());
        assert_eq!(keytab.principals(), ["other@CORP.EXAMPLE.COM", "svc@CORP.EXAMPLE.COM"]);
        assert!(!format!("{keytab:?} {key:?}").contains("4, 4"));
    }

    #[test]
    fn a_hole_is_skipped() {
        let mut hole = (-7i32).to_be_bytes().to_vec();
        hole.extend([0xaa; 7]);
        let bytes = keytab(&[hole, record("svc", 1, None, 18, &[1; 32])]);
        assert_eq!(Keytab::parse(&bytes).unwrap().newest("svc", "CORP.EXAMPLE.COM").unwrap().version, 1);
    }

    #[test]
    fn what_is_no_sound_keytab_is_refused() {
        let good = keytab(&[record("svc", 1, None, 18, &[1; 32])]);
        for end in 0..good.len() {
            assert!(Keytab::parse(&good[..end]).is_err(), "{end}");
        }
        assert_eq!(Keytab::parse(&[5, 1]).unwrap_err(), KeytabError::NotAKeytab);
        assert_eq!(
            Keytab::parse(&keytab(&[record("svc", 1, None, 23, &[1; 16])])).unwrap_err(),
            KeytabError::NoAesKey
        );
        assert!(Keytab::parse(&keytab(&[record("svc", 1, None, 18, &[1; 16])])).is_err());
        assert_eq!(Keytab::parse(&vec![5; MAX_KEYTAB + 1]).unwrap_err(), KeytabError::TooLarge);
        let hostile = [5, 2, 0x80, 0, 0, 0];
        assert_eq!(Keytab::parse(&hostile).unwrap_err(), KeytabError::Damaged(2));
    }
}
