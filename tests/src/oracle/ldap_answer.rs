//! What a DC may answer by LDAP to a search of the schema and to a bind: it is the same however the bytes come, what is
//! read is in it, an attribute is found only with an id that replication can use, and it ends.

use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::further::INT_IDS;
use landbridge_phs::read::ldap::{Answer, MAX_BIND_ANSWER, bind_answer, missing};
use landbridge_phs::read::schema::identify;

/// Limits on a message and on entries, small enough to be reached.
const MAX_MESSAGE: usize = 8_192;
const MAX_ENTRIES: usize = 5;

/// Takes the first byte as the number of the request, and the others as the answer.
pub fn ldap_answer(data: &[u8]) {
    let Some((id, bytes)) = data.split_first() else { return };
    bind(*id, bytes);
    let whole = Answer::to(*id, MAX_MESSAGE, MAX_ENTRIES).add(bytes);
    let mut slowly = Answer::to(*id, MAX_MESSAGE, MAX_ENTRIES);
    let mut came = Ok(None);
    for byte in bytes {
        came = slowly.add(&[*byte]);
        if !matches!(came, Ok(None)) {
            break;
        }
    }
    assert_eq!(whole, came, "all at once, or byte by byte");
    let Ok(Some(entries)) = whole else {
        assert!(came.is_err() || bytes.len() <= (MAX_ENTRIES + 2) * MAX_MESSAGE, "it is kept without end");
        return;
    };
    assert!(entries.len() <= MAX_ENTRIES);
    let held: usize = entries.iter().flatten().map(|(name, values)| name.len() + values.concat().len()).sum();
    assert!(held <= bytes.len(), "more than came");
    for number in 1..=15 {
        let attribute = Attribute::Extension(number);
        if let Ok(found) = identify(&entries, attribute, None) {
            assert_eq!(found.further.attribute(), attribute);
            match found.further.id().int_id() {
                Some(number) => assert!(INT_IDS.contains(&number)),
                None => {
                    let oid = found.further.id().to_string();
                    assert!(
                        bytes.windows(oid.len()).any(|part| part == oid.as_bytes()),
                        "an OID out of nothing"
                    );
                }
            }
        }
    }
}

/// A bind's answer is read from one whole message alone, and its length is known before it is there.
fn bind(id: u8, bytes: &[u8]) {
    if let Ok(step) = bind_answer(id, bytes) {
        assert!(step.credentials.len() < bytes.len());
        assert_eq!(missing(bytes, MAX_BIND_ANSWER), Ok(0));
        let longer = [bytes, &[0]].concat();
        assert!(bind_answer(id, &longer).is_err(), "an answer has two lengths");
    }
    if let Ok(count) = missing(bytes, MAX_BIND_ANSWER) {
        assert!(count <= MAX_BIND_ANSWER + 6, "{count} more bytes");
    }
}
