//! The LDAP messages that phs needs (RFC 4511): a search and its entries, a bind by SASL and its answer.
//!
//! Pure and bounded: bytes in, attributes out. Written by hand because the LDAP libraries accept a message of any
//! length, and what is not sealed may come from anybody on the network path. Neighbours: [`super::root_dse`] searches
//! without a bind, [`super::schema`] with one.

use std::collections::BTreeMap;

/// LDAP without TLS.
pub const PORT: u16 = 389;
/// Limit on the entries of one answer, in the request and in what is accepted.
pub const MAX_ENTRIES: usize = 100;
/// Limit on a bind's answer: what a service proves itself with has some hundred bytes.
pub const MAX_BIND_ANSWER: usize = 16 * 1024;

/// An answer that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LdapError {
    /// Bytes that are no answer to the request.
    #[error("the answer by LDAP cannot be read: {0}")]
    Unreadable(&'static str),
    /// The server refused.
    #[error("the LDAP server refused with result code {code} (RFC 4511 4.1.9)")]
    Refused {
        /// `resultCode`
        code: u8,
    },
}

/// Attributes of an entry: names in lower case, values as they came. An attribute that the entry lacks is missing.
pub type Attributes = BTreeMap<String, Vec<Vec<u8>>>;

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_RESULT_ENTRY: u8 = 0x64;
const SEARCH_RESULT_DONE: u8 = 0x65;
/// `sasl` of a bind request, and `serverSaslCreds` of its answer.
const SASL: u8 = 0xa3;
const SASL_ANSWER: u8 = 0x87;
/// Filters.
const OR: u8 = 0xa1;
const EQUALITY: u8 = 0xa3;
const PRESENT: u8 = 0x87;
/// Result codes.
const SUCCESS: u8 = 0;
const BIND_IN_PROGRESS: u8 = 14;

/// How deep a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The entry itself.
    Base,
    /// The entries right under it.
    OneLevel,
}

/// The filter `(objectClass=*)`.
pub fn any() -> Vec<u8> {
    written(PRESENT, b"objectClass")
}

/// The filter that an entry passes if the attribute has one of these values.
pub fn one_of(attribute: &str, values: &[&str]) -> Vec<u8> {
    let equality = |value: &&str| {
        let both = [written(STRING, attribute.as_bytes()), written(STRING, value.as_bytes())].concat();
        written(EQUALITY, &both)
    };
    written(OR, &values.iter().flat_map(equality).collect::<Vec<u8>>())
}

/// The request for these attributes of the entries that pass the filter. `id`: 1 to 127.
pub fn search(id: u8, base: &str, depth: Depth, filter: &[u8], wanted: &[&str]) -> Vec<u8> {
    let most = u8::try_from(MAX_ENTRIES).unwrap_or(u8::MAX);
    let depth = match depth {
        Depth::Base => 0,
        Depth::OneLevel => 1,
    };
    let mut search = written(STRING, base.as_bytes());
    // The depth; aliases are never followed; limits on entries and time (none); values too.
    search.extend([ENUMERATED, 1, depth, ENUMERATED, 1, 0, INTEGER, 1, most, INTEGER, 1, 0, BOOLEAN, 1, 0]);
    search.extend(filter);
    let names: Vec<u8> = wanted.iter().flat_map(|name| written(STRING, name.as_bytes())).collect();
    search.extend(written(SEQUENCE, &names));
    message(id, SEARCH_REQUEST, &search)
}

/// One step of a bind with a SASL mechanism. `id`: 1 to 127.
pub fn bind(id: u8, mechanism: &str, credentials: &[u8]) -> Vec<u8> {
    let sasl = [written(STRING, mechanism.as_bytes()), written(STRING, credentials)].concat();
    // Version 3, and no name: the mechanism tells it.
    let bind = [&[INTEGER, 1, 3, STRING, 0][..], &written(SASL, &sasl)].concat();
    message(id, BIND_REQUEST, &bind)
}

fn message(id: u8, operation: u8, content: &[u8]) -> Vec<u8> {
    let content = [&[INTEGER, 1, id][..], &written(operation, content)].concat();
    written(SEQUENCE, &content)
}

fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => vec![tag, short],
        _ => {
            let [a, b, c, d] = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
            vec![tag, 0x84, a, b, c, d]
        }
    };
    bytes.extend_from_slice(content);
    bytes
}

/// The server's part of a bind, when one step of it succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BindStep {
    /// Whether the bind is complete.
    pub done: bool,
    /// What the mechanism answered.
    pub credentials: Vec<u8>,
}

/// The answer to a step of a bind: one whole message, no longer than [`MAX_BIND_ANSWER`].
pub fn bind_answer(id: u8, bytes: &[u8]) -> Result<BindStep, LdapError> {
    let message = element(bytes, MAX_BIND_ANSWER)?.ok_or(CUT)?;
    let (operation, after) = operation(&message, id)?;
    if message.tag != SEQUENCE
        || operation.tag != BIND_RESPONSE
        || !after.is_empty()
        || !message.after.is_empty()
    {
        return Err(LdapError::Unreadable("it is no answer to a bind"));
    }
    let (code, mut rest) = result(operation.content)?;
    if code != SUCCESS && code != BIND_IN_PROGRESS {
        return Err(LdapError::Refused { code });
    }
    let mut credentials = Vec::new();
    while !rest.is_empty() {
        let part = element(rest, MAX_BIND_ANSWER)?.ok_or(CUT)?;
        if part.tag == SASL_ANSWER {
            credentials = part.content.to_vec();
        }
        rest = part.after;
    }
    Ok(BindStep { done: code == SUCCESS, credentials })
}

/// How many more bytes must be read before `bytes` hold one whole message, or its length: none when it is whole.
pub fn missing(bytes: &[u8], most: usize) -> Result<usize, LdapError> {
    let [_, first, rest @ ..] = bytes else { return Ok(2 - bytes.len()) };
    let digits = if first & 0x80 == 0 { 0 } else { usize::from(first & 0x7f) };
    if digits > MAX_DIGITS {
        return Err(BAD_LENGTH);
    }
    let Some((length, head)) = length(bytes)? else { return Ok(digits - rest.len()) };
    if length > most {
        return Err(TOO_LONG);
    }
    Ok((length + head).saturating_sub(bytes.len()))
}

/// The entries that answer one search, collected as their bytes arrive.
#[derive(Debug)]
pub struct Answer {
    id: u8,
    most_bytes: usize,
    most_entries: usize,
    bytes: Vec<u8>,
    entries: Vec<Attributes>,
}

impl Answer {
    /// An empty answer to the request with this id, of at most this many bytes a message and this many entries.
    pub fn to(id: u8, most_bytes: usize, most_entries: usize) -> Self {
        Self { id, most_bytes, most_entries, bytes: Vec::new(), entries: Vec::new() }
    }

    /// Adds received bytes. Returns the entries once the answer is complete; what is left then is none of it.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Option<Vec<Attributes>>, LdapError> {
        self.bytes.extend_from_slice(bytes);
        loop {
            if self.bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
                return Err(LdapError::Unreadable("it is no LDAP message"));
            }
            // What is not whole yet is no longer than its length says, which is checked.
            let Some(message) = element(&self.bytes, self.most_bytes)? else { return Ok(None) };
            let (operation, _) = operation(&message, self.id)?;
            let done = match operation.tag {
                SEARCH_RESULT_ENTRY if self.entries.len() >= self.most_entries => {
                    return Err(LdapError::Unreadable("it has too many entries"));
                }
                SEARCH_RESULT_ENTRY => {
                    self.entries.push(attributes(operation.content)?);
                    false
                }
                SEARCH_RESULT_DONE => match result(operation.content)?.0 {
                    SUCCESS => true,
                    code => return Err(LdapError::Refused { code }),
                },
                _ => return Err(LdapError::Unreadable("it is no search's")),
            };
            let rest = message.after.to_vec();
            self.bytes = rest;
            if done {
                return Ok(Some(std::mem::take(&mut self.entries)));
            }
        }
    }
}

/// The operation in a message with this id, and what stands behind it there.
fn operation<'a>(message: &Element<'a>, id: u8) -> Result<(Element<'a>, &'a [u8]), LdapError> {
    let number = within(message.content, INTEGER)?;
    if number.content != [id] {
        return Err(LdapError::Unreadable("it is about another request"));
    }
    let operation = element(number.after, usize::MAX)?.ok_or(CUT)?;
    let after = operation.after;
    Ok((operation, after))
}

/// The code of an LDAPResult (RFC 4511 4.1.9), and what stands behind its texts.
fn result(content: &[u8]) -> Result<(u8, &[u8]), LdapError> {
    let code = within(content, ENUMERATED)?;
    let [number] = code.content else { return Err(OTHERWISE) };
    let name = within(code.after, STRING)?;
    let text = within(name.after, STRING)?;
    Ok((*number, text.after))
}

/// All attributes of an entry. Each element takes at least two bytes, so a message limits their number.
fn attributes(entry: &[u8]) -> Result<Attributes, LdapError> {
    let name = within(entry, STRING)?;
    let mut rest = within(name.after, SEQUENCE)?.content;
    let mut all = Attributes::new();
    while !rest.is_empty() {
        let attribute = within(rest, SEQUENCE)?;
        let kind = within(attribute.content, STRING)?;
        let mut values = Vec::new();
        let mut left = within(kind.after, SET)?.content;
        while !left.is_empty() {
            let value = within(left, STRING)?;
            values.push(value.content.to_vec());
            left = value.after;
        }
        let name = std::str::from_utf8(kind.content);
        let name = name.map_err(|_| LdapError::Unreadable("the name of an attribute is no text"))?;
        all.insert(name.to_ascii_lowercase(), values);
        rest = attribute.after;
    }
    Ok(all)
}

const CUT: LdapError = LdapError::Unreadable("it is cut");
const TOO_LONG: LdapError = LdapError::Unreadable("it is too long");
const BAD_LENGTH: LdapError = LdapError::Unreadable("a length that LDAP does not have");
const OTHERWISE: LdapError = LdapError::Unreadable("it is put together in another way");

/// Most bytes of a length.
const MAX_DIGITS: usize = 4;

/// One element in BER (X.690, section 8.1) with a definite length, and what follows it.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    after: &'a [u8],
}

/// The element inside another one, which is all there.
fn within(bytes: &[u8], tag: u8) -> Result<Element<'_>, LdapError> {
    let element = element(bytes, usize::MAX)?.ok_or(CUT)?;
    if element.tag == tag { Ok(element) } else { Err(OTHERWISE) }
}

/// None: more is to come.
fn element(bytes: &[u8], most: usize) -> Result<Option<Element<'_>>, LdapError> {
    let Some((length, head)) = length(bytes)? else { return Ok(None) };
    if length > most {
        return Err(TOO_LONG);
    }
    let Some((tag, _)) = bytes.split_first() else { return Ok(None) };
    let parts = bytes.get(head..).and_then(|rest| rest.split_at_checked(length));
    Ok(parts.map(|(content, after)| Element { tag: *tag, content, after }))
}

/// The length of an element's content, and the bytes of tag and length before it. None: more is to come.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, LdapError> {
    let Some(([_, first], rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
    if first & 0x80 == 0 {
        return Ok(Some((usize::from(*first), 2)));
    }
    // Windows writes four bytes of length whatever the length is.
    let count = usize::from(first & 0x7f);
    if !(1..=MAX_DIGITS).contains(&count) {
        return Err(BAD_LENGTH);
    }
    let Some(digits) = rest.get(..count) else { return Ok(None) };
    let length = digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit));
    Ok(Some((length, 2 + count)))
}

#[cfg(test)]
mod tests;
