//! What pages say that Samba does not send: links from before 2003, links that end, links and objects in any order, and
//! attributes with odd bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::drs::made::{
    APPLIES_TO, CONTROL, DATABASE, MANAGER, MEMBER, MadeLink, MadeObject, MadeReply, POLICY, name,
};
use crate::drs::prefix_table::WANTED;
use crate::drs::reply;
use uuid::Uuid;

const CHANGES: Asked = Asked::Changes { secrets: true };

fn read(made: &MadeReply) -> Page {
    let bytes = made.bytes();
    let asked = if made.alone { Asked::Object { secrets: true } } else { CHANGES };
    super::read(&reply::decode(&bytes).unwrap(), asked, &[], Arc::default()).unwrap()
}

fn link(from: u128, to: u128) -> MadeLink {
    MadeLink { attid: MEMBER, from, to, present: true, created: 500, version: 1, expires: 0 }
}

fn object(id: u128, attributes: Vec<(u32, u32, Vec<Vec<u8>>)>) -> MadeObject {
    MadeObject { id, attributes }
}

/// Attribute, from, to, creation, version.
fn told(page: &Page) -> Vec<(Linked, u128, u128, u64, u32)> {
    let one = |link: &Link| {
        assert!(link.present);
        let LinkStamp { created, written } = link.stamp;
        assert_eq!(written.invocation_id, DATABASE);
        (link.what, link.from.guid.as_u128(), link.to.guid.as_u128(), created, written.version)
    };
    page.links.iter().map(one).collect()
}

fn rewritten(what: Linked, from: u128, version: u32) -> Rewritten {
    let stamp = Stamp { version, time: 1_000 + u64::from(version), invocation_id: DATABASE };
    Rewritten { what, from: Uuid::from_u128(from), stamp }
}

#[test]
fn members_from_before_2003_are_links_with_the_stamp_of_their_attribute_beside_newer_ones() {
    let old = object(10, vec![(CONTROL, 4, vec![vec![0, 2, 0, 0]]), (MEMBER, 7, vec![name(1), name(2)])]);
    let page = read(&MadeReply { objects: vec![old], links: vec![link(10, 3)], ..MadeReply::default() });
    let member = |to, created, version| (Linked::Member, 10, to, created, version);
    assert_eq!(told(&page), [member(1, 0, 7), member(2, 0, 7), member(3, 500, 1)]);
    assert_eq!(page.rewritten, [rewritten(Linked::Member, 10, 7)]);
    assert_eq!(page.quarantined, []);
    let [change] = page.changes.as_slice() else { panic!("{:?}", page.changes) };
    assert_eq!(change.value(Attribute::UserAccountControl), Some(&Value::Integer(0x200)));
}

#[test]
fn an_old_manager_and_an_old_policy_too_and_in_an_object_that_is_read_alone() {
    for alone in [false, true] {
        let person = object(20, vec![(MANAGER, 2, vec![name(21)])]);
        let policy = object(30, vec![(APPLIES_TO, 3, vec![name(10)])]);
        let objects = if alone { vec![person] } else { vec![person, policy] };
        let page = read(&MadeReply { objects, alone, ..MadeReply::default() });
        let manager = (Linked::Manager, 20, 21, 0, 2);
        let applies = (Linked::AppliesTo, 30, 10, 0, 3);
        assert_eq!(told(&page), if alone { vec![manager] } else { vec![manager, applies] });
        assert_eq!(page.rewritten.len(), page.changes.len());
    }
}

#[test]
fn an_attribute_without_values_says_that_no_old_value_is_left() {
    let page =
        read(&MadeReply { objects: vec![object(10, vec![(MEMBER, 8, vec![])])], ..MadeReply::default() });
    assert_eq!((told(&page), page.quarantined.len()), (vec![], 0));
    assert_eq!(page.rewritten, [rewritten(Linked::Member, 10, 8)]);
}

#[test]
fn an_old_value_that_is_no_name_is_odd_and_the_others_stay() {
    let long = [&name(3)[..], &[0; 9]].concat();
    let mut nameless = name(3);
    nameless[8..24].fill(0);
    for odd in [vec![], vec![1, 2, 3], long[..20].to_vec(), nameless] {
        let group = object(10, vec![(MEMBER, 7, vec![name(1), odd.clone(), name(2)])]);
        let page = read(&MadeReply { objects: vec![group], ..MadeReply::default() });
        assert_eq!(page.links.len(), 2, "{odd:?}");
        assert_eq!(page.rewritten, [], "which ones are gone is not known");
        let [quarantined] = page.quarantined.as_slice() else { panic!("{:?}", page.quarantined) };
        assert!(quarantined.link && quarantined.object == Some(Uuid::from_u128(10)));
        assert_eq!(page.changes.len(), 1, "the object itself is read");
    }
}

#[test]
fn a_policy_in_the_old_form_restricts_and_no_other_list_of_the_same_kind_lifts_it() {
    let page = read(&MadeReply {
        objects: vec![object(20, vec![(POLICY, 1, vec![name(40)])])],
        ..MadeReply::default()
    });
    assert_eq!(told(&page), [(Linked::AuthenticationPolicy, 20, 40, 0, 1)]);
    assert_eq!(page.rewritten, []);
}

#[test]
fn a_link_of_version_9_has_an_end_and_one_of_version_6_has_none() {
    // 2026-11-29 06:00:00 UTC
    let (end, seconds) = (13_440_405_600, 1_795_932_000);
    let ending = MadeLink { expires: end, ..link(10, 1) };
    for v9 in [true, false] {
        let links = vec![ending, link(10, 2)];
        let page = read(&MadeReply { v9, links, ..MadeReply::default() });
        let until: Vec<_> = page.links.iter().map(|link| link.until).collect();
        assert_eq!(until, [v9.then_some(seconds), None]);
        assert_eq!(told(&page), [(Linked::Member, 10, 1, 500, 1), (Linked::Member, 10, 2, 500, 1)]);
    }
    let never = MadeLink { expires: u64::MAX, ..link(10, 1) };
    let page = read(&MadeReply { v9: true, links: vec![never], ..MadeReply::default() });
    assert!(page.links[0].until.unwrap() > i64::MAX / 2);
}

#[test]
fn a_link_whose_time_is_over_is_a_removal_and_one_whose_time_comes_is_not() {
    let ending = |to, expires| MadeLink { expires, ..link(10, to) };
    let removed = MadeLink { present: false, ..ending(3, 1) };
    let links = vec![ending(1, 13_440_405_600), ending(2, 13_440_405_601), removed, link(10, 4)];
    let mut page = read(&MadeReply { v9: true, links, ..MadeReply::default() });
    let before: Vec<_> = page.links.iter().map(|link| link.stamp).collect();
    page.end_links(1_795_932_000);
    let present: Vec<_> = page.links.iter().map(|link| link.present).collect();
    assert_eq!(present, [false, true, false, true]);
    assert_eq!(page.links[0].stamp, before[0].next());
    assert!(page.links[1..].iter().zip(&before[1..]).all(|(link, before)| link.stamp == *before));
}

#[test]
fn links_that_come_before_their_object_and_an_object_that_comes_twice_are_read_as_they_come() {
    let first = MadeReply { links: vec![link(10, 1)], more: true, ..MadeReply::default() };
    let user = |control: u8| object(1, vec![(CONTROL, 1, vec![vec![control, 2, 0, 0]])]);
    let second = MadeReply { objects: vec![user(0), user(2)], ..MadeReply::default() };
    let page = read(&first);
    assert!(page.changes.is_empty() && matches!(page.progress, Progress::More));
    assert_eq!(told(&page), [(Linked::Member, 10, 1, 500, 1)]);
    let page = read(&second);
    let controls: Vec<_> =
        page.changes.iter().map(|change| change.value(Attribute::UserAccountControl).cloned()).collect();
    assert_eq!(controls, [Some(Value::Integer(0x200)), Some(Value::Integer(0x202))]);
}

#[test]
fn a_page_without_an_object_or_a_link_goes_on_or_ends_the_cycle() {
    let page = read(&MadeReply { more: true, ..MadeReply::default() });
    assert!(page.changes.is_empty() && matches!(page.progress, Progress::More));
    let page = read(&MadeReply::default());
    let Progress::Last(cursor) = page.progress else { panic!("{:?}", page.progress) };
    assert_eq!(cursor.vector().len(), 1);
}

#[test]
fn a_reply_of_version_9_that_is_cut_anywhere_is_refused() {
    let group = object(10, vec![(MEMBER, 7, vec![name(1)])]);
    let links = vec![MadeLink { expires: 5, ..link(10, 2) }];
    let bytes = MadeReply { v9: true, objects: vec![group], links, ..MadeReply::default() }.bytes();
    assert!(reply::decode(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(reply::decode(&bytes[..end]).is_err(), "{end}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(reply::decode(&longer).is_err());
}

/// An object with one attribute, read.
fn read_one(attid: u32, values: &[&[u8]]) -> Result<Change, Unfit> {
    let attributes = WANTED.into_iter().map(|(known, attid, syntax)| (attid, (known, syntax))).collect();
    let reading = Reading { attributes, classes: BTreeMap::new(), secrets: true };
    reading.change(&RawObject {
        name: Some(RawName { guid: Uuid::from_u128(1), sid: &[], text: &[] }),
        domain_head: false,
        parent: None,
        attributes: vec![RawAttribute { attid, values: values.to_vec() }],
        metadata: vec![RawStamp { version: 1, time: 1, invocation_id: Uuid::nil() }],
    })
}

#[test]
fn of_each_attribute_odd_bytes_and_several_values_end_as_its_row_in_the_table_says() {
    let odd: &[u8] = &[0x41, 0, 0x42];
    let one: &[&[u8]] = &[odd];
    let two: &[&[u8]] = &[odd, odd];
    let three: &[&[u8]] = &[&[], odd, odd];
    for (known, attid, syntax) in WANTED {
        let Known::Plain(attribute) = known else { continue };
        let spoiled = match syntax {
            // These bytes are ASCII.
            Syntax::Bytes | Syntax::Ascii => vec![two, three],
            Syntax::Texts | Syntax::Classes => vec![one],
            Syntax::Integer | Syntax::LargeInteger | Syntax::Boolean | Syntax::Text => {
                vec![one, two, three]
            }
        };
        for values in spoiled {
            match read_one(attid, values) {
                Err((at, _)) => assert!(attribute.decides() && at == Some(attribute), "{attribute:?}"),
                Ok(change) => {
                    assert!(!attribute.decides(), "{attribute:?}");
                    let [unreadable] = change.unreadable.as_slice() else { panic!("{attribute:?}") };
                    assert_eq!(unreadable.attribute, attribute);
                    assert_eq!(change.attributes.len(), 1, "its stamp is there");
                    let none = [None, Some(Value::Texts(Vec::new()))];
                    assert!(change.attributes.iter().all(|one| none.contains(&one.value)), "{attribute:?}");
                }
            }
        }
        let removed = read_one(attid, &[]);
        assert!(removed.is_ok_and(|change| change.unreadable.is_empty()), "{attribute:?}: no value is none");
    }
}
