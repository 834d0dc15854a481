//! Attributes of the wire's table: each comes back as it was sent, and octets only on request.

use landbridge_tenant_fixture::*;
use landbridge_tenant_store::RawValue;
use landbridge_tenant_store::tables::attributes;
use landbridge_tenant_store::tables::attributes::packed::{Entry, Value, pack};
use landbridge_wire::bounded::{Blob, Text};
use landbridge_wire::described::{Described, DescribedName, DescribedValue, Syntax};
use landbridge_wire::upload::{Attribute, AttributeValue, Mode, Upload};
use uuid::Uuid;

fn value(name: DescribedName) -> DescribedValue {
    match name.row().syntax {
        Syntax::Text | Syntax::Ascii => DescribedValue::Text(Text::cut(name.row().name)),
        Syntax::Integer | Syntax::Time => DescribedValue::Integer(-7),
        Syntax::Octets => DescribedValue::Octets(Blob::new(vec![0xff; 102_400]).unwrap()),
    }
}

fn attribute(version: u32, name: DescribedName, value: Option<DescribedValue>) -> Attribute {
    written(version, AttributeValue::Described(Described { name, value }))
}

#[test]
fn each_attribute_of_the_table_is_read_as_it_was_sent_and_octets_as_their_size() {
    let tenant = Tenant::new();
    let all = DescribedName::all().map(|name| attribute(1, name, Some(value(name)))).collect();
    tenant.sends(vec![with(1, all)]);
    let read = || tenant.store.read(|c| attributes::of(c, object(1))).unwrap();
    let octets = |name| tenant.store.read(|c| attributes::octets(c, object(1), name)).unwrap();
    let known = read();
    for name in DescribedName::all() {
        match value(name) {
            DescribedValue::Octets(sent) => {
                assert_eq!(known.octets.get(&name), Some(&102_400), "{name:?}");
                assert_eq!(octets(name).as_deref(), Some(sent.as_bytes()), "{name:?}");
            }
            sent @ (DescribedValue::Text(_) | DescribedValue::Integer(_)) => {
                assert_eq!(known.described.get(&name), Some(&sent), "{name:?}");
                assert_eq!(octets(name), None, "{name:?}");
            }
        }
    }
    assert_eq!(known.described.len() + known.octets.len(), DescribedName::all().count());
    // The statement that leaves octets out knows them by name.
    let names: Vec<&str> = known.octets.keys().map(|name| name.row().name).collect();
    assert_eq!(names, ["thumbnailPhoto"]);
    // Removed again.
    let none = DescribedName::all().map(|name| attribute(2, name, None)).collect();
    tenant.sends(vec![with(1, none)]);
    assert!(read().described.is_empty() && read().octets.is_empty());
    assert!(DescribedName::all().all(|name| octets(name).is_none()));
}

#[test]
fn an_empty_photo_is_a_value_and_a_value_of_another_type_is_no_attribute() {
    let tenant = Tenant::new();
    let photo = DescribedName::named("thumbnailPhoto").unwrap();
    let empty = DescribedValue::Octets(Blob::default());
    tenant.sends(vec![with(1, vec![attribute(1, photo, Some(empty))])]);
    let known = tenant.store.read(|c| attributes::of(c, object(1))).unwrap();
    assert_eq!(known.octets.get(&photo), Some(&0));
    for (name, foreign) in [
        ("company", Value::Integer(7)),
        ("company", Value::Octets(vec![7].into())),
        ("company", Value::Elsewhere(7)),
        ("uidNumber", Value::Text("7".into())),
        ("thumbnailPhoto", Value::Octets(vec![7].into())),
        ("nothing", Value::Text("x".into())),
        ("mail", Value::Elsewhere(7)),
    ] {
        let tenant = Tenant::new();
        tenant.sends(vec![user(1, "one")]);
        let packed = pack(&[Entry { name, stamp: stamp(1), value: Some(foreign.clone()) }]);
        let update = "UPDATE attributes SET packed = ?1";
        assert_eq!(
            tenant
                .store
                .write("test", |t| t.raw_execute(update, &[RawValue::Octets(packed.clone())]))
                .unwrap(),
            1
        );
        assert!(tenant.store.read(|c| attributes::of(c, object(1))).is_err(), "{name} {foreign:?}");
    }
}

#[test]
fn a_photo_that_changes_or_leaves_is_the_only_one_and_leaves_no_octets() {
    let tenant = Tenant::new();
    let photo = DescribedName::named("thumbnailPhoto").unwrap();
    let octets = |byte: u8| Some(DescribedValue::Octets(Blob::new(vec![byte; 5000]).unwrap()));
    let held = || tenant.store.read(|c| attributes::octets(c, object(1), photo)).unwrap();
    let count = || -> i64 {
        let rows = "SELECT count(*) FROM octets";
        let found = tenant.store.read(|c| c.raw_rows(rows, &[])).unwrap();
        if let RawValue::Integer(count) = found[0][0] { count } else { panic!("{found:?}") }
    };
    let send = |full: bool, version: u32, value| {
        let upload = page(vec![with(1, vec![attribute(version, photo, value)])]);
        let mode = if full { Mode::FullCompare } else { Mode::Incremental };
        tenant.send(&Upload { mode, ..upload }).applied
    };
    assert_eq!(send(false, 2, octets(2)), 1);
    assert_eq!(send(false, 1, octets(1)), 0, "an older one");
    assert_eq!(held(), Some(vec![2; 5000]));
    assert_eq!(send(false, 3, octets(3)), 1);
    assert_eq!((held(), count()), (Some(vec![3; 5000]), 1));
    // A full compare replaces it whatever its stamp, and also if only the octets differ.
    assert_eq!(send(true, 3, octets(4)), 1);
    assert_eq!(held(), Some(vec![4; 5000]));
    // Removed in AD; then it comes back; then a full compare does not bring it.
    assert_eq!(send(false, 5, None), 1);
    assert_eq!((held(), count()), (None, 0));
    assert_eq!(send(false, 6, octets(6)), 1);
    let none = Upload { mode: Mode::FullCompare, cycle: Uuid::from_u128(77), ..page(vec![bare(1)]) };
    assert_eq!(tenant.send(&none).applied, 1);
    assert_eq!((held(), count()), (None, 0));
}
