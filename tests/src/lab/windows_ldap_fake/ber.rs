//! BER as far as LDAP needs it (RFC 4511, section 5.1). Lengths are written in four bytes, as Windows writes them.

/// An element: its tag and its content.
pub(super) type Element<'a> = (u8, &'a [u8]);

/// The first element, and what follows it. None: it is not whole yet, or has a length that this does not read.
pub(super) fn first(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=127 => (usize::from(short), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (length.iter().fold(0, |all, byte| all << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(((tag, content), rest))
}

/// The elements of a constructed one, up to the first that cannot be read.
pub(super) fn elements(mut content: &[u8]) -> Vec<Element<'_>> {
    let mut all = Vec::new();
    while let Some((element, rest)) = first(content) {
        all.push(element);
        content = rest;
    }
    all
}

/// An element with this content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag, 0x84][..], &length, content].concat()
}

/// A constructed element of these.
pub(super) fn constructed(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// An octet string.
pub(super) fn octets(bytes: &[u8]) -> Vec<u8> {
    element(0x04, bytes)
}
