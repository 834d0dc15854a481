//! Security identifiers (MS-DTYP 2.4.2), as bytes and as text.

use std::fmt;
use std::str::FromStr;

/// A security identifier (MS-DTYP 2.4.2). Shown as `S-1-5-21-…`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: u64,
    parts: Vec<u32>,
}

/// The most sub-authorities of a SID.
const MAX_PARTS: usize = 15;

impl Sid {
    /// Reads the wire form; `None` when it is not one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let ([revision, count, authority @ ..], rest) = bytes.split_first_chunk::<8>()?;
        let count = usize::from(*count);
        if *revision != 1 || count > MAX_PARTS || rest.len() != 4 * count {
            return None;
        }
        let authority = authority.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        let parts = rest.as_chunks::<4>().0.iter().map(|part| u32::from_le_bytes(*part)).collect();
        Some(Self { authority, parts })
    }

    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![1, u8::try_from(self.parts.len()).unwrap_or(0)];
        bytes.extend(self.authority.to_be_bytes().into_iter().skip(2));
        bytes.extend(self.parts.iter().flat_map(|part| part.to_le_bytes()));
        bytes
    }

    /// The last part: the account within its domain. 0 when there is none.
    pub fn rid(&self) -> u32 {
        self.parts.last().copied().unwrap_or(0)
    }

    /// The SID without its last part, for a SID of the form S-1-5-21-a-b-c-rid.
    pub fn domain(&self) -> Option<Self> {
        let (_, domain) = self.parts.split_last()?;
        (self.authority == 5 && self.parts.first() == Some(&21) && self.parts.len() == 5)
            .then(|| Self { authority: self.authority, parts: domain.to_vec() })
    }

    /// The SID of an account of this domain.
    pub fn with_rid(&self, rid: u32) -> Self {
        let mut parts = self.parts.clone();
        parts.push(rid);
        Self { authority: self.authority, parts }
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S-1-{}", self.authority)?;
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Not a SID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SID of the form S-1-5-21-…")]
pub struct NotASid;

impl FromStr for Sid {
    type Err = NotASid;

    fn from_str(text: &str) -> Result<Self, NotASid> {
        fn number(part: &str) -> Result<&str, NotASid> {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then_some(part).ok_or(NotASid)
        }
        let mut rest = text.strip_prefix("S-1-").ok_or(NotASid)?.split('-');
        let authority: u64 = number(rest.next().ok_or(NotASid)?)?.parse().map_err(|_| NotASid)?;
        let parts: Vec<u32> = rest
            .take(MAX_PARTS + 1)
            .map(|part| number(part)?.parse().map_err(|_| NotASid))
            .collect::<Result<_, _>>()?;
        if authority >= 1 << 48 || parts.len() > MAX_PARTS {
            return Err(NotASid);
        }
        Ok(Self { authority, parts })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_sid_reads_back_as_it_was_written() {
        let text = "S-1-5-21-2000478354-1708537768-1957994488-1105";
        let sid: Sid = text.parse().unwrap();
        assert_eq!(sid.to_string(), text);
        assert_eq!(Sid::from_bytes(&sid.to_bytes()).unwrap(), sid);
        assert_eq!(sid.rid(), 1105);
        assert_eq!(sid.domain().unwrap().with_rid(1105), sid);
        assert_eq!("S-1-5-32-544".parse::<Sid>().unwrap().domain(), None);
    }

    #[test]
    fn what_is_no_sid_is_refused() {
        for text in ["", "S-1", "S-1-", "S-1-5-", "S-1-5-+1", "S-1-5-4294967296", "s-1-5-32", "S-2-5-32"] {
            assert_eq!(text.parse::<Sid>(), Err(NotASid), "{text}");
        }
        let long = format!("S-1-5{}", "-1".repeat(16));
        assert_eq!(long.parse::<Sid>(), Err(NotASid));
        assert!(Sid::from_bytes(&[1, 2, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0]).is_none());
        assert!(Sid::from_bytes(&[1, 200]).is_none());
    }
}
