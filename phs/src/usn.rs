//! The one question that phs asks by LDAP: which update sequence number a DC has reached (`highestCommittedUSN` in the
//! rootDSE, MS-ADTS 3.1.1.3.2.21). Asked unbound and in the clear, and believed no further than that a pull is worth
//! while: whoever forges the answer makes phs pull, or wait for its timer.
//!
//! Pure and bounded: bytes in, a number out. By hand because every LDAP library at hand takes a message of any length,
//! and here anybody on the way may write it. Neighbour: [`super::watch`] has the socket.

/// The most bytes of one message; the answer has about a hundred.
pub const MAX_MESSAGE: usize = 4096;

/// What a DC said is no answer to the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer to a question about the rootDSE: {0}")]
pub struct NoAnswer(&'static str);

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const STRING: u8 = 0x04;
const SEARCH_RESULT_ENTRY: u8 = 0x64;
const SEARCH_RESULT_DONE: u8 = 0x65;

/// A search (RFC 4511, section 4.5.1) of the rootDSE for this one attribute. `id`: 1 to 127.
pub fn question(id: u8) -> Vec<u8> {
    let mut bytes = vec![SEQUENCE, 0x3a, INTEGER, 1, id];
    bytes.extend_from_slice(&[0x63, 0x35]);
    // Base object "", scope base, never dereference, no limits, values too.
    bytes.extend_from_slice(&[STRING, 0, 0x0a, 1, 0, 0x0a, 1, 0, INTEGER, 1, 0, INTEGER, 1, 0, 0x01, 1, 0]);
    bytes.extend_from_slice(b"\x87\x0bobjectClass");
    bytes.extend_from_slice(b"\x30\x15\x04\x13highestCommittedUSN");
    bytes
}

/// The answer to one question, as it comes.
#[derive(Debug)]
pub struct Answer {
    id: u8,
    bytes: Vec<u8>,
    usn: Option<i64>,
}

impl Answer {
    /// Nothing came yet.
    pub fn to(id: u8) -> Self {
        Self { id, bytes: Vec::new(), usn: None }
    }

    /// Takes what came; the number, once all of it has.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<i64>, NoAnswer> {
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
                SEARCH_RESULT_ENTRY if self.usn.is_some() => return Err(NoAnswer("there is one rootDSE")),
                SEARCH_RESULT_ENTRY => {
                    self.usn = Some(usn(operation.content)?);
                    false
                }
                SEARCH_RESULT_DONE => true,
                _ => return Err(NoAnswer("it is no search's")),
            };
            let rest = message.after.to_vec();
            self.bytes = rest;
            if done {
                return self.usn.map(Some).ok_or(NoAnswer("the attribute is not there"));
            }
        }
    }
}

/// The value of the one attribute of an entry.
fn usn(entry: &[u8]) -> Result<i64, NoAnswer> {
    let name = within(entry, STRING)?;
    let attributes = within(name.after, SEQUENCE)?;
    let attribute = within(attributes.content, SEQUENCE)?;
    let kind = within(attribute.content, STRING)?;
    if !kind.content.eq_ignore_ascii_case(b"highestCommittedUSN") {
        return Err(NoAnswer("it is about another attribute"));
    }
    let values = within(kind.after, SET)?;
    let value = within(values.content, STRING)?;
    let number = std::str::from_utf8(value.content).ok().and_then(|text| text.parse().ok());
    number.ok_or(NoAnswer("the value is no number"))
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
        let bytes = question(7);
        assert_eq!(bytes.len(), 2 + 0x3a);
        let message = element(&bytes).unwrap().unwrap();
        assert!(message.after.is_empty());
        let id = within(message.content, INTEGER).unwrap();
        let search = within(id.after, 0x63).unwrap();
        assert!(search.after.is_empty() && search.content.ends_with(b"highestCommittedUSN"));
    }

    #[test]
    fn the_number_comes_out_however_the_bytes_come() {
        let bytes = answer(5);
        assert_eq!(Answer::to(5).take(&bytes), Ok(Some(12_345)));
        let mut slowly = Answer::to(5);
        for (at, byte) in bytes.iter().enumerate() {
            let expected = (at + 1 == bytes.len()).then_some(12_345);
            assert_eq!(slowly.take(&[*byte]), Ok(expected), "byte {at}");
        }
        // Four bytes of length, as Windows writes them.
        let mut long = vec![0x30, 0x84, 0, 0, 0, 0x2b];
        long.extend_from_slice(&bytes[2..]);
        assert_eq!(Answer::to(5).take(&long), Ok(Some(12_345)));
    }

    #[test]
    fn what_is_no_answer_is_refused_and_never_kept_without_bound() {
        assert!(Answer::to(6).take(&answer(5)).is_err(), "about another question");
        let done_alone = &answer(5)[0x2d..];
        assert!(Answer::to(5).take(done_alone).is_err(), "without the attribute");
        assert!(Answer::to(5).take(b"HTTP/1.1 400 Bad Request\r\n").is_err());
        assert!(Answer::to(5).take(&[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]).is_err());
        assert!(Answer::to(5).take(&[0x30, 0x80]).is_err(), "no indefinite lengths");
        let mut endless = Answer::to(5);
        let zeros = [0x30, 0x82, 0x0f, 0xff].iter().copied().chain(std::iter::repeat_n(0, 10_000));
        let mut refused = false;
        for byte in zeros {
            refused |= endless.take(&[byte]).is_err();
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
            assert_eq!(Answer::to(5).take(&bytes[..cut]), Ok(None), "{cut}");
        }
        for at in 0..bytes.len() {
            for value in 0..=255 {
                let mut changed = bytes.clone();
                changed[at] = value;
                let _ = Answer::to(5).take(&changed);
            }
        }
    }
}
