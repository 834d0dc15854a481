//! The LDAP request for attributes of the rootDSE (MS-ADTS 3.1.1.3.2), and its response. The daemon reads which
//! update sequence number a DC has reached; `check` reads the DC's clock and kind. The request is unbound and not
//! encrypted, so a response may be forged. A forged one can make phs pull, or wait for its timer, or make `check`
//! report something wrong, and no more.
//!
//! Pure and bounded: bytes in, texts out. Written by hand because the LDAP libraries accept a message of any length,
//! and anybody on the network path may write one. Neighbour: [`super::watch`] has the socket.

use std::collections::BTreeMap;

/// Limit on the bytes of one message. A real response has some hundreds.
pub const MAX_MESSAGE: usize = 4096;

/// The response does not answer the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer to a question about the rootDSE: {0}")]
pub struct NoAnswer(&'static str);

/// Attributes of the rootDSE: names in lower case, values as text. An attribute that the DC does not have is missing.
pub type Attributes = BTreeMap<String, Vec<String>>;

/// The attribute whose value grows with every change.
pub const HIGHEST_USN: &str = "highestCommittedUSN";

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const STRING: u8 = 0x04;
const SEARCH_REQUEST: u8 = 0x63;
const SEARCH_RESULT_ENTRY: u8 = 0x64;
const SEARCH_RESULT_DONE: u8 = 0x65;

/// The search request (RFC 4511, section 4.5.1) for these attributes of the rootDSE. `id`: 1 to 127.
pub fn question(id: u8, wanted: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = wanted.iter().flat_map(|name| written(STRING, name.as_bytes())).collect();
    // Base object "", scope base, never dereference, no limits, values too.
    let mut search = vec![STRING, 0, 0x0a, 1, 0, 0x0a, 1, 0, INTEGER, 1, 0, INTEGER, 1, 0, 0x01, 1, 0];
    search.extend_from_slice(b"\x87\x0bobjectClass");
    search.extend(written(SEQUENCE, &names));
    let mut message = vec![INTEGER, 1, id];
    message.extend(written(SEARCH_REQUEST, &search));
    written(SEQUENCE, &message)
}

fn written(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => vec![tag, short],
        _ => {
            let [high, low] = u16::try_from(content.len()).unwrap_or(u16::MAX).to_be_bytes();
            vec![tag, 0x82, high, low]
        }
    };
    bytes.extend_from_slice(content);
    bytes
}

/// The update sequence number among the attributes.
pub fn highest_usn(root: &Attributes) -> Result<i64, NoAnswer> {
    let value = root.get("highestcommittedusn").and_then(|values| values.first());
    let value = value.ok_or(NoAnswer("the attribute is not there"))?;
    value.parse().map_err(|_| NoAnswer("the value is no number"))
}

/// The response to one request, collected as its bytes arrive.
#[derive(Debug)]
pub struct Answer {
    id: u8,
    bytes: Vec<u8>,
    root: Option<Attributes>,
}

impl Answer {
    /// An empty response to the request with this id.
    pub fn to(id: u8) -> Self {
        Self { id, bytes: Vec::new(), root: None }
    }

    /// Adds received bytes. Returns the attributes once the response is complete.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Option<Attributes>, NoAnswer> {
        self.bytes.extend_from_slice(bytes);
        loop {
            if self.bytes.first().is_some_and(|tag| *tag != SEQUENCE) {
                return Err(NoAnswer("it is no LDAP message"));
            }
            let Some(message) = element(&self.bytes)? else {
                let fits = self.bytes.len() <= MAX_MESSAGE;
                return if fits { Ok(None) } else { Err(NoAnswer("it is too long")) };
            };
            let id = within(message.content, INTEGER)?;
            if id.content != [self.id] {
                return Err(NoAnswer("it is about another question"));
            }
            let operation = element(id.after)?.ok_or(CUT)?;
            let done = match operation.tag {
                SEARCH_RESULT_ENTRY if self.root.is_some() => return Err(NoAnswer("there is one rootDSE")),
                SEARCH_RESULT_ENTRY => {
                    self.root = Some(attributes(operation.content)?);
                    false
                }
                SEARCH_RESULT_DONE => true,
                _ => return Err(NoAnswer("it is no search's")),
            };
            let rest = message.after.to_vec();
            self.bytes = rest;
            if done {
                return self.root.take().map(Some).ok_or(NoAnswer("the rootDSE is not there"));
            }
        }
    }
}

/// All attributes of an entry. Each element takes at least two bytes, so a message limits their number.
fn attributes(entry: &[u8]) -> Result<Attributes, NoAnswer> {
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
            values.push(text(value.content)?);
            left = value.after;
        }
        all.insert(text(kind.content)?.to_ascii_lowercase(), values);
        rest = attribute.after;
    }
    Ok(all)
}

fn text(bytes: &[u8]) -> Result<String, NoAnswer> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| NoAnswer("a value is no text"))
}

const CUT: NoAnswer = NoAnswer("it is cut");

/// One element in BER (X.690, section 8.1) with a definite length, and what follows it.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    after: &'a [u8],
}

/// The element inside another one, which is all there.
fn within(bytes: &[u8], tag: u8) -> Result<Element<'_>, NoAnswer> {
    let element = element(bytes)?.ok_or(CUT)?;
    if element.tag == tag { Ok(element) } else { Err(NoAnswer("it is put together in another way")) }
}

/// None: more is to come.
fn element(bytes: &[u8]) -> Result<Option<Element<'_>>, NoAnswer> {
    let Some(([tag, first], mut rest)) = bytes.split_first_chunk::<2>() else { return Ok(None) };
    let mut length = usize::from(*first);
    if first & 0x80 != 0 {
        // Windows writes four bytes of length whatever the length is.
        let count = usize::from(first & 0x7f);
        if !(1..=4).contains(&count) {
            return Err(NoAnswer("a length that LDAP does not have"));
        }
        let Some((digits, after)) = rest.split_at_checked(count) else { return Ok(None) };
        length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
        rest = after;
    }
    if length > MAX_MESSAGE {
        return Err(NoAnswer("it is too long"));
    }
    let parts = rest.split_at_checked(length);
    Ok(parts.map(|(content, after)| Element { tag: *tag, content, after }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    /// As Samba 4.17 answers.
    fn answer(id: u8) -> Vec<u8> {
        let mut entry =
            vec![0x30, 0x2b, 0x02, 1, id, 0x64, 0x26, 0x04, 0, 0x30, 0x22, 0x30, 0x20, 0x04, 0x13];
        entry.extend_from_slice(b"highestCommittedUSN");
        entry.extend_from_slice(b"\x31\x09\x04\x07");
        entry.extend_from_slice(b"0012345");
        entry.extend_from_slice(&[0x30, 0x0c, 0x02, 1, id, 0x65, 0x07, 0x0a, 1, 0, 0x04, 0, 0x04, 0]);
        entry
    }

    #[test]
    fn the_lengths_in_the_question_are_those_of_its_parts() {
        let many = ["highestCommittedUSN", "currentTime", "supportedCapabilities", "domainFunctionality"];
        let long = element(&question(7, &[many, many].concat())).unwrap().unwrap().content.len();
        assert!(long > 127, "a length of two bytes: {long}");
        let bytes = question(7, &[HIGHEST_USN]);
        assert_eq!(bytes.len(), 2 + 0x3a);
        let message = element(&bytes).unwrap().unwrap();
        assert!(message.after.is_empty());
        let id = within(message.content, INTEGER).unwrap();
        let search = within(id.after, 0x63).unwrap();
        assert!(search.after.is_empty() && search.content.ends_with(b"highestCommittedUSN"));
    }

    fn usn(answer: &mut Answer, bytes: &[u8]) -> Option<i64> {
        answer.add(bytes).unwrap().map(|root| highest_usn(&root).unwrap())
    }

    #[test]
    fn the_number_comes_out_however_the_bytes_come() {
        let bytes = answer(5);
        assert_eq!(usn(&mut Answer::to(5), &bytes), Some(12_345));
        let mut slowly = Answer::to(5);
        for (at, byte) in bytes.iter().enumerate() {
            let expected = (at + 1 == bytes.len()).then_some(12_345);
            assert_eq!(usn(&mut slowly, &[*byte]), expected, "byte {at}");
        }
        // Four bytes of length, as Windows writes them.
        let mut long = vec![0x30, 0x84, 0, 0, 0, 0x2b];
        long.extend_from_slice(&bytes[2..]);
        assert_eq!(usn(&mut Answer::to(5), &long), Some(12_345));
    }

    #[test]
    fn what_is_no_answer_is_refused_and_never_kept_without_bound() {
        assert!(Answer::to(6).add(&answer(5)).is_err(), "about another question");
        let done_alone = &answer(5)[0x2d..];
        assert!(Answer::to(5).add(done_alone).is_err(), "without the attribute");
        assert!(Answer::to(5).add(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        assert!(Answer::to(5).add(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]).is_err());
        assert!(Answer::to(5).add(&[0x30, 0x80]).is_err(), "no indefinite lengths");
        let mut endless = Answer::to(5);
        let zeros = [0x30, 0x82, 0x0f, 0xff].iter().copied().chain(std::iter::repeat_n(0, 10_000));
        let mut refused = false;
        for byte in zeros {
            refused |= endless.add(&[byte]).is_err();
            assert!(endless.bytes.len() <= MAX_MESSAGE + 8);
            if refused {
                break;
            }
        }
        assert!(refused);
    }

    #[test]
    fn every_cut_and_every_changed_byte_ends_without_a_panic() {
        let bytes = answer(5);
        for cut in 0..bytes.len() {
            assert_eq!(Answer::to(5).add(&bytes[..cut]), Ok(None), "{cut}");
        }
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = Answer::to(5).add(&changed);
            }
        }
    }
}
