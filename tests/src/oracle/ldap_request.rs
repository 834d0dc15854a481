//! What a client may send to the LDAP door: how long a message is depends on its first bytes alone, a message that is
//! decoded is within the limits and the same each time, its filter has a value for an entry, its answers can be written,
//! and a paging cookie opens only where it was made.

use landbridge_door_ldap::cookie::{Binding, Cookies, Place, Position};
use landbridge_door_ldap::filter::{Entry, Filter, Truth};
use landbridge_door_ldap::framing::message_length;
use landbridge_door_ldap::message::{Limits, Request, decode};
use landbridge_door_ldap::response::{Operation, Outcome, ResultCode, outcome};
use landbridge_door_ldap::schema::attribute_type::AttributeType;
use landbridge_door_ldap::schema::{Description, Selection};
use landbridge_wire::distinguished_name::DistinguishedName;

/// Limits small enough to be reached.
const MAX_MESSAGE: usize = 4096;
const LIMITS: Limits =
    Limits { elements: 300, filter_terms: 40, filter_depth: 8, attributes: 20, controls: 5, name: 200 };

/// The data is what a client sent.
pub fn ldap_request(data: &[u8]) {
    // 1. The length is known from the first six bytes or not at all, and no more bytes change it.
    let length = message_length(data, MAX_MESSAGE);
    for count in 0..data.len().min(8) {
        let known = message_length(data.get(..count).unwrap_or_default(), MAX_MESSAGE);
        if known == Ok(None) {
            assert!(count < 6, "six bytes are not enough");
        } else {
            assert_eq!(known, length, "after {count} bytes");
        }
    }
    cookie(data);
    let Ok(Some(length)) = length else { return };
    assert!((2..=MAX_MESSAGE).contains(&length));
    // 2. A message is decoded only whole, and always in the same way.
    let Some(bytes) = data.get(..length) else {
        assert!(decode(data, &LIMITS).is_err(), "a cut message is decoded");
        return;
    };
    let message = match (decode(bytes, &LIMITS), decode(bytes, &LIMITS)) {
        (Ok(message), Ok(again)) => {
            assert_eq!(format!("{message:?}"), format!("{again:?}"));
            message
        }
        (Err(refusal), again) => {
            assert_eq!(again.err().as_ref(), Some(&refusal));
            if let Some((id, operation)) = refusal.answer {
                answered(id, operation);
            }
            return;
        }
        (Ok(_), Err(_)) => panic!("a message is decoded once and refused once"),
    };
    // 3. What is decoded is within the limits.
    assert!((1..=0x7fff_ffff).contains(&message.id));
    assert!(message.controls.unknown.len() <= LIMITS.controls);
    let operation = match message.request {
        Request::Bind(bind) => {
            assert!(bind.name.len() <= LIMITS.name && !bind.name.contains('\0'));
            Operation::Bind
        }
        Request::Search(search) => {
            assert!(search.base.len() <= LIMITS.name && search.attributes.len() <= LIMITS.attributes);
            assert!(Selection::of(&search.attributes).named.len() <= search.attributes.len());
            assert!(depth(&search.filter) <= LIMITS.filter_depth);
            evaluated(&search.filter);
            Operation::Search
        }
        Request::Compare(compare) => {
            assert!(compare.entry.len() <= LIMITS.name && compare.value.len() < bytes.len());
            let _ = Description::parse(&compare.attribute);
            Operation::Compare
        }
        Request::Extended(extended) => {
            assert!(extended.value.is_none_or(|value| value.len() < bytes.len()));
            Operation::Extended
        }
        Request::Write(operation) => operation,
        Request::Unbind => Operation::Unbind,
        Request::Abandon(_) => Operation::Abandon,
    };
    answered(message.id, operation);
}

fn answered(id: u32, operation: Operation) {
    let fine = Outcome::new(ResultCode::Success, "");
    let bytes = outcome(id, operation, &fine, &[]).expect("an answer can be written");
    let silent = matches!(operation, Operation::Unbind | Operation::Abandon);
    assert_eq!(bytes.is_none(), silent);
}

fn depth(filter: &Filter) -> usize {
    match filter {
        Filter::And(all) | Filter::Or(all) => 1 + all.iter().map(depth).max().unwrap_or_default(),
        Filter::Not(inner) => 1 + depth(inner),
        Filter::Present(_)
        | Filter::Equal(..)
        | Filter::Substrings(..)
        | Filter::AtLeast(..)
        | Filter::AtMost(..)
        | Filter::AllBits(..)
        | Filter::AnyBit(..)
        | Filter::InChain(..)
        | Filter::Undefined => 1,
    }
}

/// `!` turns True and False, and nothing else.
fn evaluated(filter: &Filter) {
    let truth = filter.evaluate(&Fixed);
    let negated = Filter::Not(Box::new(filter.clone())).evaluate(&Fixed);
    let expected = match truth {
        Truth::True => Truth::False,
        Truth::False => Truth::True,
        Truth::Undefined => Truth::Undefined,
    };
    assert_eq!(negated, expected);
}

/// An entry with values that fit and values that do not.
struct Fixed;

const VALUES: &[&[u8]] = &[
    b"alice",
    b"Alice Anna Smith",
    b"1000",
    b"-2147483646",
    b"TRUE",
    b"20240229120000.0Z",
    b"CN=Staff,OU=Groups,DC=corp,DC=example,DC=com",
    b"6f0d1e2a-3b4c-5d6e-7f80-91a2b3c4d5e6",
    b"+49 30 123-456",
    b"\x00\xff\xfe",
    b"",
];

impl Entry for Fixed {
    fn any_value(&self, _: &'static AttributeType, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        VALUES.iter().any(|value| test(value))
    }

    fn in_chain(&self, attribute: &'static AttributeType, target: &DistinguishedName) -> bool {
        attribute.name() == "memberOf" && target.to_string().len() > 10
    }
}

/// Only the bytes of a cookie itself open.
fn cookie(data: &[u8]) {
    let cookies = Cookies::new(&[1; 32]);
    let search = [2; 32];
    let binding = Binding { connection: 3, identity: "app wiki", search: &search };
    let position = Position { key: vec![7; 9], last: Place::Object(4), returned: 5 };
    let cookie = cookies.seal(&binding, &position);
    assert_eq!(cookies.open(&binding, &cookie), Some(position));
    if data != cookie {
        assert_eq!(cookies.open(&binding, data), None, "a made up cookie opens");
    }
    // The data turns bits of the cookie.
    let turned: Vec<u8> = cookie.iter().zip(data.iter().cycle()).map(|(own, turn)| own ^ turn).collect();
    if !data.is_empty() && turned != cookie {
        assert_eq!(cookies.open(&binding, &turned), None, "a changed cookie opens");
    }
    let identity = String::from_utf8_lossy(data);
    if identity != binding.identity {
        let other = Binding { identity: &identity, ..binding };
        assert_eq!(cookies.open(&other, &cookie), None, "a cookie of another identity opens");
    }
}
