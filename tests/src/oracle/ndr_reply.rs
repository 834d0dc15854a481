//! What a DC answers, decrypted: whatever is read was there, once, and nothing of it is believed that the bytes
//! do not bear out.

use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::bind;
use landbridge_drsr::drs::change::{Page, Progress};
use landbridge_drsr::drs::cursor::Cursor;
use landbridge_drsr::drs::further::{Further, SchemaId};
use landbridge_drsr::drs::name::{self, Found};
use landbridge_drsr::drs::page::{self, Asked};
use landbridge_drsr::drs::reply::{self, MAX_OBJECTS, Reply};
use landbridge_drsr::rpc::epm;
use std::sync::Arc;

/// The first byte says what was asked: 0 changes, 1 changes without secrets, 2 one object, 3 to be bound, 5 for
/// a name, and anything else for a port.
pub fn ndr_reply(data: &[u8]) {
    let Some((which, stub)) = data.split_first() else { return };
    match which {
        0 => changes(stub, Asked::Changes { secrets: true }),
        1 => changes(stub, Asked::Changes { secrets: false }),
        2 => changes(stub, Asked::Object { secrets: true }),
        3 => {
            if bind::decode(stub).is_ok() {
                let longer = [stub, &[0]].concat();
                assert!(bind::decode(&longer).is_err(), "a bind has two lengths");
            }
        }
        5 => match name::decode(stub) {
            Ok(Found::One { guid, .. }) => assert!(!guid.is_nil(), "nobody's name"),
            Ok(Found::Several | Found::None) => {}
            Err(error) => assert!(error.to_string().len() < 1000, "an error that grows with its cause"),
        },
        _ => {
            if let Ok(port) = epm::decode(stub) {
                assert_ne!(port, 0, "no port at all");
            }
        }
    }
}

fn changes(stub: &[u8], asked: Asked) {
    let reply = match reply::decode(stub) {
        Ok(reply) => reply,
        Err(error) => return assert!(error.to_string().len() < 1000, "an error that grows with its cause"),
    };
    read_once(&reply, stub.len());
    let longer = [stub, &[0]].concat();
    let shorter = stub.split_last().map(|(_, shorter)| shorter).unwrap_or_default();
    assert!(reply::decode(&longer).is_err() && reply::decode(shorter).is_err(), "a reply has two lengths");
    if let Ok(mut page) = page::read(&reply, asked, &further(), Arc::new(SessionKeys::new())) {
        follows(&page, &reply, asked);
        page.end_links(i64::MAX);
        assert!(page.links.iter().all(|link| !link.present || link.until.is_none()), "a link without end");
    }
}

/// An attribute that has a number of the forest's own, and one that has none.
fn further() -> Vec<Further> {
    let ids = [(1, Some("-1707123711")), (2, None)].map(|(number, int_id)| {
        let id = SchemaId::parse(int_id, "1.3.6.1.4.1.99999.7.3")?;
        Some(Further::of_this_schema(Attribute::Extension(number), id))
    });
    ids.into_iter().flatten().collect()
}

/// Every part has its own bytes in the stub: none is read twice, so no reply grows in memory.
fn read_once(reply: &Reply<'_>, length: usize) {
    let objects = reply.objects.len();
    let attributes = || reply.objects.iter().flat_map(|object| &object.attributes);
    let values = || attributes().flat_map(|attribute| &attribute.values);
    let fixed = 28 * objects
        + 12 * attributes().count()
        + 8 * values().count()
        + 40 * reply.objects.iter().map(|object| object.metadata.len()).sum::<usize>()
        + 64 * reply.links.len()
        + 24 * reply.vector.as_ref().map_or(0, Vec::len);
    let names = reply.objects.iter().filter_map(|object| object.name);
    let linked = reply.links.iter().filter_map(|link| link.object);
    let texts = names.chain(linked).map(|name| name.text.len() + 56).sum::<usize>();
    let contents = values().map(|value| value.len()).sum::<usize>()
        + reply.links.iter().map(|link| link.value.len()).sum::<usize>();
    assert!(fixed + texts + contents <= length, "{length} bytes were read as {}", fixed + texts + contents);
    assert!(objects <= MAX_OBJECTS);
}

/// A page says of every object what it is or why not, and keeps no cursor that cannot be kept.
fn follows(page: &Page, reply: &Reply<'_>, asked: Asked) {
    let whole = page.quarantined.iter().filter(|quarantined| !quarantined.link).count();
    assert_eq!(page.changes.len() + whole, reply.objects.len(), "an object is lost, or comes twice");
    // A link from before 2003 is a value of its object.
    let values = reply.objects.iter().flat_map(|object| &object.attributes).map(|one| one.values.len());
    let links = page.links.len() + page.quarantined.len() - whole;
    assert!(links <= reply.links.len() + values.sum::<usize>(), "a link out of nothing");
    for rewritten in &page.rewritten {
        assert!(!rewritten.from.is_nil(), "an attribute of no object");
    }
    for change in &page.changes {
        assert!(!change.object.guid.is_nil(), "an object without its anchor");
        if let Some(sealed) = &change.nt_hash {
            assert!(sealed.open(&SessionKeys::new(), 1).is_err(), "a password that was never sealed");
        }
    }
    for quarantined in &page.quarantined {
        assert!(quarantined.why.len() < 200, "a reason that grows with its cause");
    }
    match (&page.progress, asked) {
        (Progress::More, Asked::Changes { .. }) => assert!(reply.more),
        (Progress::Last(cursor), Asked::Changes { .. }) => {
            assert!(!reply.more);
            let kept = Cursor::from_bytes(&cursor.to_bytes());
            assert_eq!(kept.as_ref(), Ok(cursor), "a cursor that is lost when it is kept");
        }
        (Progress::Object, Asked::Object { .. }) => {}
        (progress, asked) => panic!("{asked:?} ended in {progress:?}"),
    }
}
