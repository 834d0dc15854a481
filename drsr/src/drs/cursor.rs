//! How far replication came: the DC's cookie and its up-to-dateness vector.
//! The cookie is opaque, goes back byte for byte, and means something only to the database that made it;
//! the vector means the same to every DC of the domain.
//! Before it: the last page of `reply`. After it: `request`, maybe months later.

use uuid::Uuid;

/// The position after a complete cycle. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    dsa: Uuid,
    invocation_id: Uuid,
    cookie: [u8; COOKIE],
    vector: Vec<VectorEntry>,
}

/// Up to which of its own writes a database is known (UPTODATE_CURSOR, MS-DRSR 5.202).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VectorEntry {
    /// The database.
    pub invocation_id: Uuid,
    /// Its last write that is known.
    pub usn: u64,
}

/// The bytes of USN_VECTOR (MS-DRSR 5.208).
pub const COOKIE: usize = 8 /* usnHighObjUpdate */ + 8 /* usnReserved */ + 8 /* usnHighPropUpdate */;

/// The most entries of a vector: one per database that ever wrote to the domain.
pub const MAX_VECTOR: usize = 10_000;

const VERSION: u8 = 1;
const HEAD: usize = 1 /* version */ + 16 /* dsa */ + 16 /* invocation id */ + COOKIE + 4 /* entries */;
const ENTRY: usize = 16 /* invocation id */ + 8 /* usn */;

/// Stored bytes that are not a cursor. The operator restores the state file or runs a full cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored replication cursor is damaged or of another version")]
pub struct NotACursor;

impl Cursor {
    /// What a last page says.
    pub fn new(dsa: Uuid, invocation_id: Uuid, cookie: [u8; COOKIE], vector: Vec<VectorEntry>) -> Self {
        Self { dsa, invocation_id, cookie, vector }
    }

    /// Adds what was known at an earlier position: whoever stood there has it still (MS-DRSR 5.202, as DCs do among
    /// themselves). So a DC that is read in between does not make us forget how far another one was.
    pub fn remember(&mut self, earlier: &Self) {
        let itself = VectorEntry { invocation_id: earlier.invocation_id, usn: earlier.usn() };
        for before in earlier.vector.iter().chain([&itself]) {
            let has_room = self.vector.len() < MAX_VECTOR;
            match self.vector.iter_mut().find(|entry| entry.invocation_id == before.invocation_id) {
                Some(entry) => entry.usn = entry.usn.max(before.usn),
                None if has_room => self.vector.push(*before),
                None => {}
            }
        }
    }

    /// The DC that gave it.
    pub fn dsa(&self) -> Uuid {
        self.dsa
    }

    /// The database that gave it, and the only one that understands its cookie.
    pub fn invocation_id(&self) -> Uuid {
        self.invocation_id
    }

    /// The DC's update sequence number that it stands at, for people.
    pub fn usn(&self) -> u64 {
        let (first, _) = self.cookie.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        u64::from_le_bytes(*first)
    }

    /// What goes back to the DC.
    pub fn cookie(&self) -> &[u8; COOKIE] {
        &self.cookie
    }

    /// What is known of each database.
    pub fn vector(&self) -> &[VectorEntry] {
        &self.vector
    }

    /// For the state file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + ENTRY * self.vector.len());
        bytes.push(VERSION);
        bytes.extend(self.dsa.as_bytes());
        bytes.extend(self.invocation_id.as_bytes());
        bytes.extend(self.cookie);
        bytes.extend(u32::try_from(self.vector.len()).unwrap_or(u32::MAX).to_le_bytes());
        for entry in &self.vector {
            bytes.extend(entry.invocation_id.as_bytes());
            bytes.extend(entry.usn.to_le_bytes());
        }
        bytes
    }

    /// From the state file. Anything but exactly what [`Cursor::to_bytes`] wrote is refused.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotACursor> {
        let (version, rest) = bytes.split_first().ok_or(NotACursor)?;
        let (dsa, rest) = rest.split_first_chunk::<16>().ok_or(NotACursor)?;
        let (invocation_id, rest) = rest.split_first_chunk::<16>().ok_or(NotACursor)?;
        let (cookie, rest) = rest.split_first_chunk::<COOKIE>().ok_or(NotACursor)?;
        let (count, rest) = rest.split_first_chunk::<4>().ok_or(NotACursor)?;
        let count = usize::try_from(u32::from_le_bytes(*count)).map_err(|_| NotACursor)?;
        let (entries, surplus) = rest.as_chunks::<ENTRY>();
        if *version != VERSION || count > MAX_VECTOR || entries.len() != count || !surplus.is_empty() {
            return Err(NotACursor);
        }
        let vector = entries
            .iter()
            .map(|entry| {
                let (id, usn) = entry.split_first_chunk::<16>().ok_or(NotACursor)?;
                let usn = u64::from_le_bytes(usn.try_into().map_err(|_| NotACursor)?);
                Ok(VectorEntry { invocation_id: Uuid::from_bytes(*id), usn })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            dsa: Uuid::from_bytes(*dsa),
            invocation_id: Uuid::from_bytes(*invocation_id),
            cookie: *cookie,
            vector,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_position_at_another_dc_does_not_forget_how_far_the_first_one_was() {
        let id = Uuid::from_u128;
        let entry = |n, usn| VectorEntry { invocation_id: id(n), usn };
        let mut cookie = [0; COOKIE];
        cookie[..8].copy_from_slice(&70_u64.to_le_bytes());
        let first = Cursor::new(id(10), id(1), cookie, vec![entry(1, 60), entry(2, 30)]);
        let mut second = Cursor::new(id(20), id(2), [0; COOKIE], vec![entry(2, 40), entry(1, 50)]);
        second.remember(&first);
        assert_eq!(second.vector(), [entry(2, 40), entry(1, 70)]);
        let mut third = Cursor::new(id(30), id(3), [0; COOKIE], vec![entry(3, 5)]);
        third.remember(&second);
        assert_eq!(third.vector(), [entry(3, 5), entry(2, 40), entry(1, 70)]);
    }

    fn cursor() -> Cursor {
        let entry = |id, usn| VectorEntry { invocation_id: Uuid::from_u128(id), usn };
        let mut cookie = [7; COOKIE];
        cookie[..8].copy_from_slice(&4711u64.to_le_bytes());
        Cursor::new(Uuid::from_u128(1), Uuid::from_u128(2), cookie, vec![entry(2, 4711), entry(3, 9)])
    }

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        let cursor = cursor();
        assert_eq!(Cursor::from_bytes(&cursor.to_bytes()).unwrap(), cursor);
        assert_eq!(cursor.usn(), 4711);
    }

    #[test]
    fn a_cut_or_padded_or_newer_cursor_is_refused() {
        let bytes = cursor().to_bytes();
        for end in 0..bytes.len() {
            assert_eq!(Cursor::from_bytes(&bytes[..end]), Err(NotACursor), "{end}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(Cursor::from_bytes(&longer), Err(NotACursor));
        let mut newer = bytes;
        newer[0] = 2;
        assert_eq!(Cursor::from_bytes(&newer), Err(NotACursor));
    }
}
