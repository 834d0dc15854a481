//! Searches that cost much: a group of thousands, sorted and paged by many at once, and filters that read it again and again.

use super::raw::{Raw, control, element, equal, page, search, search_in};
use super::served;
use super::views::{change, everything};
use crate::applications::user;
use crate::directory::{member, send};
use landbridge_tenant_core::administration::request::LdapChange;
use landbridge_wire::upload::Record;

const BASE: &[u8] = b"dc=corp,dc=example,dc=com";
const INNER: &[u8] = b"cn=Inner,ou=groups,dc=corp,dc=example,dc=com";
/// People who are in Inner beside alice. Some hundred terms or ranges read so many values of the group that it is too much.
const MANY: u128 = 4_000;

/// Sorted by uid, or by uid from the last one to the first.
fn sorted(reverse: bool) -> Vec<u8> {
    let key = [element(4, b"uid"), element(0x81, &[if reverse { 0xff } else { 0 }])].concat();
    control("1.2.840.113556.1.4.473", true, Some(&element(0x30, &element(0x30, &key))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_thousands_is_found_by_many_at_once_and_read_hundreds_of_times_by_none() {
    let (edge, phs, client) = served(|settings| settings.groups = None).await;
    let numbers: Vec<u128> = (100..100 + MANY).collect();
    for part in numbers.chunks(500) {
        let person =
            |number: &u128| Record { password: None, ..user(*number, &format!("p{number:04}"), 0x200, 0) };
        let links = part.iter().map(|number| member(11, *number)).collect();
        send(&edge, &phs, part.iter().map(person).collect(), links).await;
    }
    change(&edge, LdapChange { member_of: Some("effective".to_owned()), ..everything() }).await;
    let mut raw = Raw::connect(&client).await;
    raw.bind(&client).await;

    // 1. Ten connections at once, of which an application has few large searches at a time: each finds everybody once, in
    //    the order that it wants. The tenant of the tests returns 1,000 entries at a time.
    let in_inner = search_in(BASE, 2, &equal("memberOf", INNER), &["uid"]);
    let dump = async |nth: usize| {
        let mut raw = Raw::connect(&client).await;
        raw.bind(&client).await;
        let (mut names, mut cookie) = (Vec::new(), Vec::new());
        loop {
            let mut controls = vec![page(1_000, &cookie)];
            match nth % 3 {
                1 => controls.push(sorted(false)),
                2 => controls.push(sorted(true)),
                _ => {}
            }
            let (found, done) = raw.ask(2, &in_inner, &controls).await;
            assert_eq!(done.code, 0, "{nth}");
            names.extend(found.iter().map(|entry| entry.name()));
            cookie = done.cookie();
            if cookie.is_empty() {
                return names;
            }
        }
    };
    let mut everybody = vec!["alice".to_owned()];
    everybody.extend(numbers.iter().map(|number| format!("p{number:04}")));
    let everybody: Vec<String> =
        everybody.into_iter().map(|uid| format!("uid={uid},ou=people,dc=corp,dc=example,dc=com")).collect();
    let dumps = futures_util::future::join_all((0..10).map(dump)).await;
    for (nth, mut names) in dumps.into_iter().enumerate() {
        match nth % 3 {
            0 => names.sort(),
            2 => names.reverse(),
            _ => {}
        }
        assert!(names == everybody, "{nth}: {} names", names.len());
    }

    // 2. Terms that read the members of the group again and again, and attributes that do.
    let unlike = |nth: usize| {
        let part = element(0x82, format!("nobody{nth}").as_bytes());
        element(0xa4, &[element(4, b"memberUid"), element(0x30, &part)].concat())
    };
    let (few, many): (Vec<_>, Vec<_>) = ((0..3).map(unlike).collect(), (0..400).map(unlike).collect());
    let (found, done) = raw.ask(3, &search(BASE, &element(0xa1, &few.concat())), &[]).await;
    assert_eq!((found.len(), done.code), (0, 0));
    let (found, done) = raw.ask(4, &search(BASE, &element(0xa1, &many.concat())), &[]).await;
    assert!(found.is_empty() && done.code == 11 && done.holds("too many values"), "{done:?}");
    let ranges: Vec<String> = (0..256).map(|nth| format!("member;range={nth}-{nth}")).collect();
    let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
    let (found, done) = raw.ask(5, &search_in(INNER, 0, &equal("cn", b"Inner"), &ranges[..3]), &[]).await;
    assert_eq!((found.len(), done.code), (1, 0));
    let (found, done) = raw.ask(6, &search_in(INNER, 0, &equal("cn", b"Inner"), &ranges), &[]).await;
    assert!(found.is_empty() && done.code == 11 && done.holds("too many values"), "{done:?}");

    // 3. A name beside the group is found by the name, and groups beside groups by either.
    let alice = element(0xa0, &[equal("memberOf", INNER), equal("uid", b"alice")].concat());
    let others = element(0xa1, &equal("memberOf", INNER).repeat(100));
    for (filter, count) in [(alice, 1), (element(0xa0, &[others, equal("uid", b"p0100")].concat()), 1)] {
        let (found, done) = raw.ask(7, &search(BASE, &filter), &[]).await;
        assert_eq!((found.len(), done.code), (count, 0));
    }
    // One collects more than 200,000 candidates, and looks at everybody instead.
    let all = search(BASE, &element(0xa1, &equal("memberOf", INNER).repeat(100)));
    let (found, done) = raw.ask(8, &all, &[page(1_000, b"")]).await;
    assert_eq!((found.len(), done.code, done.cookie().is_empty()), (1_000, 0, false));
}
