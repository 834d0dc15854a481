#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use landbridge_wire::described::DescribedName;

fn stamp(version: u32, time: u64, invocation: u128) -> Stamp {
    Stamp { version, time, invocation_id: Uuid::from_u128(invocation) }
}

/// Every name that has a place, and one that has none, with every kind of value.
fn entries() -> Vec<Entry<'static>> {
    let values = |n: usize| match n % 12 {
        0 => None,
        1 => Some(Value::Text("".into())),
        2 => Some(Value::Text("née Прохор".into())),
        3 => Some(Value::Text("x".repeat(130).into())),
        4 => Some(Value::Integer(0)),
        5 => Some(Value::Integer(-1)),
        6 => Some(Value::Integer(i64::MIN)),
        7 => Some(Value::Integer(i64::MAX)),
        8 => Some(Value::Octets(vec![0xff; 21].into())),
        9 => Some(Value::Octets(Vec::new().into())),
        10 => Some(Value::Elsewhere(0)),
        _ => Some(Value::Elsewhere(102_400)),
    };
    let stamps = |n: usize| match n % 4 {
        0 => stamp(0, 0, 0),
        1 => stamp(u32::MAX, u64::MAX, u128::MAX),
        2 => stamp(127, 13_400_000_000, 7),
        _ => stamp(128, 128, 7),
    };
    let names = NAMES.into_iter().chain(["anAttributeOfALaterBuild", ""]);
    names.enumerate().map(|(n, name)| Entry { name, stamp: stamps(n), value: values(n) }).collect()
}

#[test]
fn every_attribute_comes_back_as_it_was_packed() {
    for some in [&entries()[..], &entries()[..1], &[]] {
        assert_eq!(unpack(&pack(some)).unwrap(), some);
    }
    for number in
        (0..64).flat_map(|bit| [1_i64 << bit, (1_i64 << bit).wrapping_sub(1), -(1_i64 << (bit % 63))])
    {
        let one = [Entry {
            name: "mail",
            stamp: stamp(1, number.unsigned_abs(), 1),
            value: Some(Value::Integer(number)),
        }];
        assert_eq!(unpack(&pack(&one)).unwrap(), one, "{number}");
    }
}

#[test]
fn every_attribute_of_the_wires_table_has_a_place_and_no_place_is_there_twice() {
    for name in DescribedName::all() {
        assert!(NAMES.contains(&name.row().name), "append {} to NAMES", name.row().name);
    }
    for (place, name) in NAMES.iter().enumerate() {
        assert_eq!(NAMES.iter().position(|other| other == name), Some(place), "{name}");
    }
}

/// Stored octets have these places: this fails when one was changed.
#[test]
fn the_form_stays_what_it_was() {
    let some = [
        Entry { name: "mail", stamp: stamp(3, 300, 5), value: Some(Value::Text("a@b".into())) },
        Entry { name: "whenCreated", stamp: stamp(1, 2, 5), value: Some(Value::Integer(-2)) },
        Entry { name: "new", stamp: stamp(1, 2, 6), value: None },
    ];
    let mut expected = vec![1, 2];
    expected.extend([5, 6].map(|id: u128| id.to_be_bytes()).concat());
    expected.extend([3, 11, 0, 3, 0xac, 2, 1, 3, b'a', b'@', b'b', 71, 0, 1, 2, 2, 3]);
    expected.extend([127, 3, b'n', b'e', b'w', 1, 1, 2, 0]);
    assert_eq!(pack(&some), expected);
}

#[test]
fn octets_that_are_cut_off_or_followed_by_others_are_foreign() {
    let packed = pack(&entries());
    for length in 0..packed.len() {
        assert!(unpack(&packed[..length]).is_err(), "{length}");
    }
    assert!(unpack(&[&packed[..], &[0]].concat()).is_err());
}

#[test]
fn an_altered_octet_is_foreign_or_another_value_and_never_a_panic() {
    let all = entries();
    let mut packed = pack(&all);
    let mut foreign = 0_usize;
    for at in 0..packed.len() {
        let before = packed[at];
        for bit in 0..8 {
            packed[at] = before ^ (1 << bit);
            match unpack(&packed) {
                Ok(other) => assert_ne!(other, all, "octet {at}, bit {bit}"),
                Err(error) => {
                    assert!(matches!(error, StoreError::Foreign { what: "attribute" }));
                    foreign += 1;
                }
            }
        }
        packed[at] = before;
    }
    assert!(foreign > 1000, "{foreign}");
}

#[test]
fn lengths_and_counts_that_are_larger_than_what_follows_are_foreign() {
    let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    let with = |head: &[u8]| [head, &largest, &[0; 64]].concat();
    // The number of ids, the number of attributes, the length of a name, the place of an id, the length of a text.
    let id = [[1, 1].as_slice(), &[0; 16]].concat();
    let deeper = |more: &[u8]| [&id[..], more].concat();
    for head in [vec![1], deeper(&[]), deeper(&[1, 127]), deeper(&[1, 0]), deeper(&[1, 0, 0, 1, 1, 1])] {
        assert!(unpack(&with(&head)).is_err(), "{head:?}");
    }
    // A number of 65 bits, and one that is not in its shortest form.
    assert!(unpack(&deeper(&[&[1, 0, 0, 1][..], &[0xff; 9], &[2, 0]].concat())).is_err());
    assert!(unpack(&deeper(&[1, 0, 0, 1, 0x81, 0, 0])).is_err());
    assert!(unpack(&deeper(&[1, 0, 0, 1, 1, 0])).is_ok());
}
