//! How many bytes a message has, and its parts by tag and length (BER as far as RFC 4511 5.1 allows it). Pure.
//!
//! Nothing is copied here. Every length is compared with the bytes that are there before anything is read by it, and
//! depth and number of elements are bounded before a decoder sees the bytes.
//! Neighbours: [`super::message`] decodes what this has measured.

/// The first byte of every message: a SEQUENCE.
const SEQUENCE: u8 = 0x30;
/// The bit of a tag of which the content is elements again.
const CONSTRUCTED: u8 = 0x20;
/// The tag of an OCTET STRING that is cut into pieces, which LDAP forbids.
const OCTET_STRING_IN_PIECES: u8 = 0x24;
/// Tags whose number does not fit the first byte. LDAP has none.
const LONG_TAG: u8 = 0x1f;

/// Limit on the depth of elements in elements. A filter of depth 32 has 36: the message, the search, and two for an
/// assertion at the bottom.
pub(crate) const MAX_DEPTH: usize = 64;

/// Why the bytes cannot be the begin of a message. The connection cannot be used after it: where the next message
/// begins is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMessage {
    /// The first byte is not that of an LDAPMessage.
    #[error("the bytes are no LDAP message")]
    OtherProtocol,
    /// A length without a value, or one of more than four bytes.
    #[error("the length of the message has a form that LDAP does not allow")]
    Length,
    /// The message has more bytes than the limit.
    #[error("the message is longer than this server accepts")]
    TooLong,
}

/// The bytes that the message that begins with `prefix` has in all, tag and length included; at most `limit`. None: the
/// prefix is too short for an answer; six bytes are always enough.
pub fn message_length(prefix: &[u8], limit: usize) -> Result<Option<usize>, NoMessage> {
    match prefix.first() {
        None => return Ok(None),
        Some(&SEQUENCE) => {}
        Some(_) => return Err(NoMessage::OtherProtocol),
    }
    let Some(rest) = prefix.get(1..).filter(|rest| !rest.is_empty()) else { return Ok(None) };
    let Some((content, head)) = length(rest).map_err(|_| NoMessage::Length)? else { return Ok(None) };
    let whole = content.checked_add(1 + head).filter(|whole| *whole <= limit);
    whole.map(Some).ok_or(NoMessage::TooLong)
}

/// The value of the length that the bytes begin with, and how many bytes the length itself has. None: it is cut.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, &'static str> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let count = match first {
        0..=0x7f => return Ok(Some((usize::from(*first), 1))),
        0x81..=0x84 => usize::from(first & 0x7f),
        0x80 => return Err("an indefinite length"),
        0x85..=0xff => return Err("a length of more than four bytes"),
    };
    let Some(digits) = rest.get(..count) else { return Ok(None) };
    let value = digits.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    let value = usize::try_from(value).map_err(|_| "a length of more than this machine can address")?;
    Ok(Some((value, 1 + count)))
}

/// One element: its tag, its content, and all its bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    pub(crate) whole: &'a [u8],
}

/// The first element of the bytes, and what follows it.
pub(crate) fn split(bytes: &[u8]) -> Result<(Element<'_>, &[u8]), &'static str> {
    const CUT: &str = "an element is cut";
    let (tag, rest) = bytes.split_first().ok_or("an element is missing")?;
    if tag & LONG_TAG == LONG_TAG || *tag == 0 {
        return Err("a tag that LDAP does not have");
    }
    if *tag == OCTET_STRING_IN_PIECES {
        return Err("a string in pieces");
    }
    let (content, head) = length(rest)?.ok_or(CUT)?;
    let size = content.checked_add(1 + head).ok_or(CUT)?;
    let (whole, after) = bytes.split_at_checked(size).ok_or(CUT)?;
    let content = whole.get(1 + head..).ok_or(CUT)?;
    Ok((Element { tag: *tag, content, whole }, after))
}

/// Why [`walk`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// The bytes are not sound.
    Malformed(&'static str),
    /// The elements are sound as far as they were read, and too deep or too many.
    Excess(&'static str),
}

/// Walks through all elements in the content: each is whole, none is deeper than [`MAX_DEPTH`], and there are at most
/// `budget`, which is reduced by their number.
pub(crate) fn walk(mut content: &[u8], depth: usize, budget: &mut usize) -> Result<(), Unfit> {
    while !content.is_empty() {
        if depth > MAX_DEPTH {
            return Err(Unfit::Excess("elements are nested too deep"));
        }
        let (element, after) = split(content).map_err(Unfit::Malformed)?;
        *budget = budget.checked_sub(1).ok_or(Unfit::Excess("too many elements"))?;
        if element.tag & CONSTRUCTED != 0 {
            walk(element.content, depth + 1, budget)?;
        }
        content = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_known_from_at_most_six_bytes() {
        for (prefix, length) in [
            (&[][..], None),
            (&[0x30], None),
            (&[0x30, 0x05], Some(7)),
            (&[0x30, 0x81], None),
            (&[0x30, 0x81, 0x80], Some(0x83)),
            (&[0x30, 0x82, 0x01], None),
            (&[0x30, 0x82, 0x01, 0x00], Some(0x104)),
            (&[0x30, 0x84, 0, 0, 0], None),
            // OpenLDAP's library writes four bytes for a short length.
            (&[0x30, 0x84, 0, 0, 0, 5], Some(11)),
        ] {
            assert_eq!(message_length(prefix, 1 << 20), Ok(length), "{prefix:x?}");
        }
    }

    #[test]
    fn a_length_over_the_limit_an_indefinite_one_and_another_protocol_are_refused() {
        for (prefix, why) in [
            (&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], NoMessage::TooLong),
            (&[0x30, 0x84, 0x80, 0, 0, 0], NoMessage::TooLong),
            (&[0x30, 0x82, 0x04, 0x00], NoMessage::TooLong),
            (&[0x30, 0x80], NoMessage::Length),
            (&[0x30, 0x85], NoMessage::Length),
            (&[0x30, 0xff], NoMessage::Length),
            (b"GET / HTTP/1.1", NoMessage::OtherProtocol),
            (&[0x16, 3, 1], NoMessage::OtherProtocol),
        ] {
            assert_eq!(message_length(prefix, 1024), Err(why), "{prefix:x?}");
        }
        assert_eq!(message_length(&[0x30, 0x82, 0x03, 0xfc], 1024), Ok(Some(1024)));
    }

    #[test]
    fn depth_and_number_are_bounded_while_walking() {
        let nested = |depth: usize| (0..depth).fold(Vec::new(), |inner, _| element(0x30, &inner));
        let mut budget = 100_000;
        assert_eq!(walk(&nested(64), 1, &mut budget), Ok(()));
        assert_eq!(budget, 100_000 - 64);
        let deep = nested(10_000);
        assert!(matches!(walk(&deep, 1, &mut budget), Err(Unfit::Excess(_))));
        let many = element(0x04, &[]).repeat(11);
        assert_eq!(walk(&many, 1, &mut 11), Ok(()));
        assert_eq!(walk(&many, 1, &mut 10), Err(Unfit::Excess("too many elements")));
    }

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&[tag, 0x84], &length[..], content].concat()
    }
}
