//! NDR 2.0 in little-endian (C706 chapter 14): a reader that never goes past its end and never believes a
//! count, and a writer. Pointers to pointers are the business of who reads: see `drs::reply`.
//! Before it: stubs from `association`. After it: `epm`, `drs::*`.

use crate::error::Error;
use uuid::Uuid;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} of a reply")]
pub struct Malformed {
    /// Offset in the stub.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Protocol(malformed.to_string())
    }
}

/// Reads a stub from its start; alignment is relative to it.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// An error that names this place.
    pub fn malformed(&self, what: &'static str) -> Malformed {
        Malformed { at: self.at, what }
    }

    /// Skips padding, whatever it holds.
    pub fn align(&mut self, to: usize) {
        self.at = self.at.next_multiple_of(to);
    }

    /// So many bytes as they are.
    pub fn raw(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count);
        let taken =
            end.and_then(|end| self.bytes.get(self.at..end)).ok_or_else(|| self.malformed("an early end"))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, alignment: usize) -> Result<[u8; N], Malformed> {
        self.align(alignment);
        let early = self.malformed("an early end");
        self.raw(N)?.first_chunk::<N>().copied().ok_or(early)
    }

    /// `unsigned short`
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array(2).map(u16::from_le_bytes)
    }

    /// `unsigned long`
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array(4).map(u32::from_le_bytes)
    }

    /// `unsigned hyper`
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array(8).map(u64::from_le_bytes)
    }

    /// `uuid_t`
    pub fn uuid(&mut self) -> Result<Uuid, Malformed> {
        self.array(4).map(Uuid::from_bytes_le)
    }

    /// Whether a pointer points to something.
    pub fn pointer(&mut self) -> Result<bool, Malformed> {
        Ok(self.u32()? != 0)
    }

    /// A count of elements that follow, of at least `smallest` bytes each: one that the rest cannot hold is
    /// refused before anything is allocated for it.
    pub fn count(&mut self, smallest: usize) -> Result<usize, Malformed> {
        let wrong = Malformed { at: self.at, what: "a count that is larger than the rest" };
        let count = usize::try_from(self.u32()?).map_err(|_| wrong)?;
        let needed = count.checked_mul(smallest.max(1)).ok_or(wrong)?;
        if needed > self.remaining() { Err(wrong) } else { Ok(count) }
    }

    /// A count that was announced before, and must be the same again.
    pub fn same_count(&mut self, announced: u32, smallest: usize) -> Result<usize, Malformed> {
        let at = self.at;
        let count = self.count(smallest)?;
        if u32::try_from(count) == Ok(announced) {
            Ok(count)
        } else {
            Err(Malformed { at, what: "a count that differs from the one announced" })
        }
    }

    /// The bytes that are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Malformed> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.malformed("bytes after the end")) }
    }
}

/// Writes a stub.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    pointers: u32,
}

impl Writer {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Pads with zeros.
    pub fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// `unsigned short`
    pub fn u16(&mut self, value: u16) {
        self.align(2);
        self.raw(&value.to_le_bytes());
    }

    /// `unsigned long`
    pub fn u32(&mut self, value: u32) {
        self.align(4);
        self.raw(&value.to_le_bytes());
    }

    /// `unsigned hyper`
    pub fn u64(&mut self, value: u64) {
        self.align(8);
        self.raw(&value.to_le_bytes());
    }

    /// `uuid_t`
    pub fn uuid(&mut self, value: Uuid) {
        self.align(4);
        self.raw(&value.to_bytes_le());
    }

    /// A length or count. Ours are bounded far below 2³².
    pub fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// A pointer: to something that the caller writes later, or to nothing.
    pub fn pointer(&mut self, present: bool) {
        if present {
            self.pointers += 1;
            self.u32(0x0002_0000 + 4 * self.pointers);
        } else {
            self.u32(0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hostile_count_is_refused_before_it_is_believed() {
        for count in [3u32, 0x4000_0000, u32::MAX] {
            let mut writer = Writer::new();
            writer.u32(count);
            writer.u64(0);
            let bytes = writer.into_bytes();
            assert!(Reader::new(&bytes).count(8).is_err(), "{count}");
        }
    }

    #[test]
    fn values_are_aligned_and_read_back() {
        let mut writer = Writer::new();
        writer.raw(&[1]);
        writer.u16(2);
        writer.u64(3);
        writer.pointer(false);
        writer.pointer(true);
        writer.uuid(Uuid::from_u128(7));
        let bytes = writer.into_bytes();
        assert_eq!(bytes.len(), 1 + 1 + 2 + 4 + 8 + 4 + 4 + 16);
        let mut reader = Reader::new(&bytes);
        reader.raw(1).unwrap();
        assert_eq!((reader.u16().unwrap(), reader.u64().unwrap()), (2, 3));
        assert_eq!((reader.pointer().unwrap(), reader.pointer().unwrap()), (false, true));
        assert_eq!(reader.uuid().unwrap(), Uuid::from_u128(7));
        assert!(reader.end().is_ok() && reader.clone().u32().is_err());
    }
}
