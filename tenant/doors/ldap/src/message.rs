//! Requests (RFC 4511): one whole message in, a small type of our own out.
//!
//! Before anything is decoded, all elements are walked through and bounded, by [`super::framing`]. Then `rasn-ldap`
//! decodes what has structure: searches, compares, controls. A bind and an extended request are taken from the walked
//! elements instead, because `rasn` keeps octets in a shared buffer that cannot be wiped: so the password, and the value
//! of an extended request, which may hold passwords, exist once outside the bytes of the message. The values of writes
//! are never read. The caller owns the message's bytes and wipes them.
//! Neighbours: [`super::filter`] has the filter of a search, [`super::response`] the answers.

use super::controls::{Controls, Sort, oid};
use super::filter::Filter;
use super::framing::{Element, Unfit, split, walk};
use super::response::{Operation, ResultCode};
use landbridge_crypto::secret::Password;
use std::fmt;
use zeroize::Zeroizing;

/// Limits on one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Elements of BER in all.
    pub elements: usize,
    /// Terms of a filter: every comparison, and every `&`, `|` and `!`.
    pub filter_terms: usize,
    /// Depth of a filter; a filter of one comparison has 1.
    pub filter_depth: usize,
    /// Attributes that a search requests.
    pub attributes: usize,
    /// Controls.
    pub controls: usize,
    /// Bytes of a name of an entry.
    pub name: usize,
}

impl Limits {
    /// Limits far above what known clients send. A filter with the most terms costs 160 KiB of memory beside the bytes of
    /// its values while it is decoded, and 70 KiB afterwards.
    pub const DEFAULT: Self = Self {
        elements: 8192,
        filter_terms: 1000,
        filter_depth: 32,
        attributes: 256,
        controls: 16,
        name: 8192,
    };
}

/// Limit on the bytes of an attribute's name with its options, and of a rule's name.
const MAX_DESCRIPTION: usize = 256;

/// The greatest message id (RFC 4511 4.1.1.1).
const MAX_ID: u32 = 0x7fff_ffff;

/// One request.
#[derive(Debug)]
pub struct Message {
    /// The number that the client gave the request: 1 to 2³¹ − 1. Its answers repeat it.
    pub id: u32,
    /// What is requested.
    pub request: Request,
    /// The controls.
    pub controls: Controls,
}

/// What is requested.
#[derive(Debug)]
pub enum Request {
    /// Sign in.
    Bind(Bind),
    /// Close the connection.
    Unbind,
    /// Search.
    Search(Box<Search>),
    /// Compare one value of an entry.
    Compare(Compare),
    /// An operation by its OID.
    Extended(Extended),
    /// Give up the request with this number.
    Abandon(u32),
    /// A change of the directory, which this server refuses: its content is not read.
    Write(Operation),
}

/// A sign-in.
#[derive(Debug)]
pub struct Bind {
    /// The version of LDAP. This server has 3.
    pub version: u8,
    /// The name as the client sent it: a distinguished name, or another form of a name.
    pub name: String,
    /// The proof.
    pub credentials: Credentials,
}

/// The proof of a bind.
#[derive(Debug)]
pub enum Credentials {
    /// A password. It may be empty.
    Simple(Password),
    /// Octets that are no UTF-8. No account has such a password.
    NotText,
    /// A SASL mechanism by its name. Its credentials are not read.
    Sasl(String),
    /// Another method.
    Other,
}

/// A search.
#[derive(Debug, PartialEq)]
pub struct Search {
    /// The name of the entry where the search begins, as the client sent it.
    pub base: String,
    /// How far it goes.
    pub scope: Scope,
    /// The most entries. 0: no limit of the client's.
    pub size_limit: u32,
    /// The most seconds. 0: no limit of the client's.
    pub time_limit: u32,
    /// Whether attributes are returned without values.
    pub types_only: bool,
    /// What an entry must fulfil.
    pub filter: Filter,
    /// The attributes to return, as the client sent them.
    pub attributes: Vec<String>,
    /// SHA-256 of the request without its number, and of the order that it wants. It binds a paging cookie to the search.
    pub hash: [u8; 32],
}

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The base alone.
    Base,
    /// The entries right below the base.
    OneLevel,
    /// The base and all below it.
    Subtree,
}

/// A comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compare {
    /// The name of the entry, as the client sent it.
    pub entry: String,
    /// The attribute's name, as the client sent it.
    pub attribute: String,
    /// The value to compare with.
    pub value: Vec<u8>,
}

/// An operation by its OID.
pub struct Extended {
    /// The OID.
    pub oid: String,
    /// The value, which may hold passwords. It is wiped on drop.
    pub value: Option<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extended").field("oid", &self.oid).finish_non_exhaustive()
    }
}

/// Why a message is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the LDAP request is refused: {what}")]
pub struct Refusal {
    /// What is wrong. No text of the client is in it.
    pub what: &'static str,
    /// The code for the answer.
    pub code: ResultCode,
    /// The number and kind of the request, if so much could be read. None: only the notice of disconnection is possible.
    pub answer: Option<(u32, Operation)>,
}

/// Why a part is refused.
type Refused = (ResultCode, &'static str);

fn malformed(what: &'static str) -> Refused {
    (ResultCode::ProtocolError, what)
}

fn excess(what: &'static str) -> Refused {
    (ResultCode::AdminLimitExceeded, what)
}

const MESSAGE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const CONTROLS: u8 = 0xa0;
/// `simple` and `sasl` of a bind; the name and the value of an extended request.
const SIMPLE: u8 = 0x80;
const SASL: u8 = 0xa3;
const REQUEST_NAME: u8 = 0x80;
const REQUEST_VALUE: u8 = 0x81;

/// Decodes one request. The bytes are one whole message, as [`super::framing::message_length`] measured it.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Message, Refusal> {
    // 1. The number and the kind of the request, by which a refusal can be answered.
    let unanswerable = |what| Refusal { what, code: ResultCode::ProtocolError, answer: None };
    let (message, after) = split(bytes).map_err(unanswerable)?;
    if message.tag != MESSAGE || !after.is_empty() {
        return Err(unanswerable("the bytes are not one LDAP message"));
    }
    let (number, rest) = split(message.content).map_err(unanswerable)?;
    let id: Option<u32> = (number.tag == INTEGER).then(|| rasn::ber::decode(number.whole).ok()).flatten();
    let id = id.filter(|id| (1..=MAX_ID).contains(id)).ok_or(unanswerable("the message has no number"))?;
    let (body, rest) = split(rest).map_err(unanswerable)?;
    let operation = operation(body.tag).ok_or(unanswerable("the message is no request of LDAP"))?;
    let refusal = |(code, what): Refused| Refusal { what, code, answer: Some((id, operation)) };
    // 2. All elements, before anything is decoded.
    let mut budget = limits.elements;
    walk(message.content, 1, &mut budget).map_err(|unfit| match unfit {
        Unfit::Malformed(what) => refusal(malformed(what)),
        Unfit::Excess(what) => refusal(excess(what)),
    })?;
    // 3. The controls.
    let controls = if rest.is_empty() {
        Controls::default()
    } else {
        let (controls, after) = split(rest).map_err(|what| refusal(malformed(what)))?;
        if controls.tag != CONTROLS || !after.is_empty() {
            return Err(refusal(malformed("something follows the request that is no control")));
        }
        Controls::decode(controls.content, limits.controls).map_err(|what| refusal(malformed(what)))?
    };
    // 4. The request.
    let request = match operation {
        Operation::Bind => bind(body.content, limits).map(Request::Bind),
        Operation::Unbind => {
            if body.content.is_empty() {
                Ok(Request::Unbind)
            } else {
                Err(malformed("Unbind has content"))
            }
        }
        Operation::Search => {
            search(body, controls.sort.as_ref(), limits).map(|search| Request::Search(Box::new(search)))
        }
        Operation::Compare => compare(body, limits).map(Request::Compare),
        Operation::Extended => extended(body.content).map(Request::Extended),
        Operation::Abandon => rasn::ber::decode(body.whole)
            .map(|abandon: rasn_ldap::AbandonRequest| Request::Abandon(abandon.0))
            .map_err(|_| malformed("Abandon has no number")),
        Operation::Modify | Operation::Add | Operation::Delete | Operation::ModifyDn => {
            Ok(Request::Write(operation))
        }
    };
    Ok(Message { id, request: request.map_err(refusal)?, controls })
}

fn operation(tag: u8) -> Option<Operation> {
    match tag {
        0x60 => Some(Operation::Bind),
        0x42 => Some(Operation::Unbind),
        0x63 => Some(Operation::Search),
        0x66 => Some(Operation::Modify),
        0x68 => Some(Operation::Add),
        0x4a => Some(Operation::Delete),
        0x6c => Some(Operation::ModifyDn),
        0x6e => Some(Operation::Compare),
        0x50 => Some(Operation::Abandon),
        0x77 => Some(Operation::Extended),
        _ => None,
    }
}

fn bind(content: &[u8], limits: &Limits) -> Result<Bind, Refused> {
    let (version, rest) = part(content, INTEGER)?;
    let version: u8 = rasn::ber::decode(version.whole).map_err(|_| malformed("the version is no number"))?;
    let (name, rest) = part(rest, OCTET_STRING)?;
    let name = entry_name(name.content, limits)?;
    let (proof, rest) = split(rest).map_err(malformed)?;
    if !rest.is_empty() {
        return Err(malformed("something follows the proof of the bind"));
    }
    let credentials = match proof.tag {
        // The one copy of the password. It is made with the right size, so that none is left behind where it grew.
        SIMPLE => match String::from_utf8(proof.content.to_vec()) {
            Ok(password) => Credentials::Simple(Password::new(password)),
            Err(other) => {
                drop(Zeroizing::new(other.into_bytes()));
                Credentials::NotText
            }
        },
        SASL => {
            let (mechanism, _) = part(proof.content, OCTET_STRING)?;
            Credentials::Sasl(description(mechanism.content)?)
        }
        _ => Credentials::Other,
    };
    Ok(Bind { version, name, credentials })
}

fn search(body: Element<'_>, order: Option<&Sort>, limits: &Limits) -> Result<Search, Refused> {
    const WRONG: Refused = (ResultCode::ProtocolError, "the search is malformed");
    // 1. Names and counts, before memory is given to them: the name of the base, five numbers, the filter, the list.
    let (base, mut rest) = part(body.content, OCTET_STRING)?;
    let base = entry_name(base.content, limits)?;
    for _ in 0..5 {
        (_, rest) = split(rest).map_err(malformed)?;
    }
    let (filter, rest) = split(rest).map_err(malformed)?;
    let mut terms = limits.filter_terms;
    bound_filter(filter, limits.filter_depth, &mut terms)?;
    let (list, _) = part(rest, SEQUENCE)?;
    let mut names = list.content;
    let mut count = 0;
    while !names.is_empty() {
        let (name, after) = part(names, OCTET_STRING)?;
        if name.content.len() > MAX_DESCRIPTION {
            return Err(excess("the name of an attribute is too long"));
        }
        count += 1;
        if count > limits.attributes {
            return Err(excess("too many attributes are requested"));
        }
        names = after;
    }
    // 2. The search.
    let search: rasn_ldap::SearchRequest = rasn::ber::decode(body.whole).map_err(|_| WRONG)?;
    let scope = match search.scope {
        rasn_ldap::SearchRequestScope::BaseObject => Scope::Base,
        rasn_ldap::SearchRequestScope::SingleLevel => Scope::OneLevel,
        rasn_ldap::SearchRequestScope::WholeSubtree => Scope::Subtree,
        _ => return Err(WRONG),
    };
    if search.size_limit > MAX_ID || search.time_limit > MAX_ID {
        return Err(WRONG);
    }
    let mut hash = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    hash.update(body.whole);
    for key in order.iter().flat_map(|sort| &sort.keys) {
        let rule = key.rule.as_deref().unwrap_or_default();
        hash.update(format!("{}\0{rule}\0{}\0", key.attribute, key.reverse).as_bytes());
    }
    Ok(Search {
        base,
        scope,
        size_limit: search.size_limit,
        time_limit: search.time_limit,
        types_only: search.types_only,
        filter: Filter::resolve(search.filter),
        attributes: search.attributes.into_iter().map(|name| name.0).collect(),
        hash: hash.finish().as_ref().try_into().map_err(|_| WRONG)?,
    })
}

/// Counts the terms of a filter and their depth, and bounds the names in them.
fn bound_filter(filter: Element<'_>, depth: usize, terms: &mut usize) -> Result<(), Refused> {
    let depth = depth.checked_sub(1).ok_or(excess("the filter is nested too deep"))?;
    *terms = terms.checked_sub(1).ok_or(excess("the filter has too many terms"))?;
    match filter.tag {
        // and, or, not
        0xa0..=0xa2 => {
            let mut content = filter.content;
            while !content.is_empty() {
                let (inner, after) = split(content).map_err(malformed)?;
                bound_filter(inner, depth, terms)?;
                content = after;
            }
            Ok(())
        }
        // equality, substrings, ≥, ≤, approx: the attribute's name comes first.
        0xa3..=0xa6 | 0xa8 => {
            let (name, rest) = part(filter.content, OCTET_STRING)?;
            // Each part of a substring costs as much as a term.
            if filter.tag == 0xa4 {
                let (parts, _) = part(rest, SEQUENCE)?;
                let mut content = parts.content;
                while !content.is_empty() {
                    *terms = terms.checked_sub(1).ok_or(excess("the filter has too many terms"))?;
                    (_, content) = split(content).map_err(malformed)?;
                }
            }
            bound_description(name.content)
        }
        // present
        0x87 => bound_description(filter.content),
        // extensible: rule and attribute are optional, and short; the value has any length.
        0xa9 => {
            let mut content = filter.content;
            while !content.is_empty() {
                let (inner, after) = split(content).map_err(malformed)?;
                if matches!(inner.tag, 0x81 | 0x82) {
                    bound_description(inner.content)?;
                }
                content = after;
            }
            Ok(())
        }
        _ => Err(malformed("the filter has a term that LDAP does not have")),
    }
}

fn bound_description(name: &[u8]) -> Result<(), Refused> {
    if name.len() > MAX_DESCRIPTION { Err(excess("the name of an attribute is too long")) } else { Ok(()) }
}

fn compare(body: Element<'_>, limits: &Limits) -> Result<Compare, Refused> {
    let (entry, _) = part(body.content, OCTET_STRING)?;
    let entry = entry_name(entry.content, limits)?;
    let request: rasn_ldap::CompareRequest =
        rasn::ber::decode(body.whole).map_err(|_| malformed("the comparison is malformed"))?;
    let attribute = request.ava.attribute_desc.0;
    bound_description(attribute.as_bytes())?;
    Ok(Compare { entry, attribute, value: request.ava.assertion_value.to_vec() })
}

fn extended(content: &[u8]) -> Result<Extended, Refused> {
    let (name, rest) = part(content, REQUEST_NAME)?;
    let oid = oid(name.content).ok_or(malformed("the extended request has no OID"))?;
    if rest.is_empty() {
        return Ok(Extended { oid, value: None });
    }
    let (value, after) = part(rest, REQUEST_VALUE)?;
    if !after.is_empty() {
        return Err(malformed("something follows the value of the extended request"));
    }
    Ok(Extended { oid, value: Some(Zeroizing::new(value.content.to_vec())) })
}

/// The first element, which has this tag, and what follows.
fn part(content: &[u8], tag: u8) -> Result<(Element<'_>, &[u8]), Refused> {
    let (element, after) = split(content).map_err(malformed)?;
    if element.tag == tag {
        Ok((element, after))
    } else {
        Err(malformed("a part of another kind is expected"))
    }
}

/// The text of an entry's name.
pub(crate) fn entry_name(content: &[u8], limits: &Limits) -> Result<String, Refused> {
    const WRONG: Refused = (ResultCode::InvalidDnSyntax, "the name is no text");
    if content.len() > limits.name {
        return Err(excess("the name of an entry is too long"));
    }
    let name = std::str::from_utf8(content).map_err(|_| WRONG)?;
    if name.contains('\0') { Err(WRONG) } else { Ok(name.to_owned()) }
}

/// The text of an attribute's name, or of a mechanism's.
fn description(content: &[u8]) -> Result<String, Refused> {
    bound_description(content)?;
    let text = std::str::from_utf8(content).map_err(|_| malformed("a name is no text"))?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
