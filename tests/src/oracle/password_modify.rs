//! What a client may send as the value of a request to change a password: it is decoded in the same way each time, the name
//! is within its limit, and parts that were decoded are decoded again from a value that is built of them.

use landbridge_door_ldap::message::Limits;
use landbridge_door_ldap::password_modify::{PasswordModify, SentPassword, decode};

/// A limit small enough to be reached.
const LIMITS: Limits = Limits { name: 40, ..Limits::DEFAULT };

/// The data is the value.
pub fn password_modify(data: &[u8]) {
    let first = decode(Some(data), &LIMITS).map(parts);
    assert_eq!(first, decode(Some(data), &LIMITS).map(parts));
    let Ok(parts) = first else { return };
    let [user, old, new] = &parts;
    if let Some(user) = user {
        assert!((1..=LIMITS.name).contains(&user.len()) && !user.contains(&0));
    }
    let all = [user, old, new].into_iter().flatten();
    assert!(all.map(Vec::len).sum::<usize>() < data.len(), "the parts are longer than the value");
    assert_eq!(decode(Some(&built(&parts)), &LIMITS).map(self::parts), Ok(parts));
}

/// The octets of the parts. Octets that are no text are not kept: one such octet represents them.
fn parts(request: PasswordModify) -> [Option<Vec<u8>>; 3] {
    let octets = |password| match password {
        SentPassword::Text(password) => password.lend(|text| text.as_bytes().to_vec()),
        SentPassword::NotText => vec![0xff],
    };
    [request.user.map(String::into_bytes), request.old.map(octets), request.new.map(octets)]
}

fn built(parts: &[Option<Vec<u8>>; 3]) -> Vec<u8> {
    let mut content = Vec::new();
    for (tag, part) in (0x80..).zip(parts) {
        if let Some(part) = part {
            content.extend(element(tag, part));
        }
    }
    element(0x30, &content)
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag, 0x84], &length[..], content].concat()
}
