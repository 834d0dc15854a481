//! Attributes of the wire's table: each comes back as it was sent, and octets only on request.

use landbridge_tenant_fixture::*;
use landbridge_tenant_store::tables::attributes;
use landbridge_wire::bounded::{Blob, Text};
use landbridge_wire::described::{Described, DescribedName, DescribedValue, Syntax};
use landbridge_wire::upload::{Attribute, AttributeValue};

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
    for (name, foreign) in [("company", "7"), ("uidNumber", "'7'"), ("company", "x'07'"), ("nothing", "'x'")]
    {
        let tenant = Tenant::new();
        tenant.sends(vec![user(1, "one")]);
        let insert = format!(
            "INSERT INTO attributes SELECT object, '{name}', stamp, {foreign} FROM attributes LIMIT 1"
        );
        tenant.store.write("test", |t| Ok(t.raw().execute(&insert, [])?)).unwrap();
        assert!(tenant.store.read(|c| attributes::of(c, object(1))).is_err(), "{name} {foreign}");
    }
}
