#![allow(clippy::unwrap_used)]

use super::*;

const FIRST: Attribute = Attribute::Extension(1);
const NAME: &str = "extensionAttribute1";

/// An entry of a schema as Samba sends the attribute, after these changes; an empty value removes an attribute.
fn entry(changes: &[(&str, &str)]) -> Attributes {
    let usual = [
        ("lDAPDisplayName", NAME),
        ("attributeID", "1.2.840.113556.1.2.423"),
        ("msDS-IntId", "-1707123711"),
        ("attributeSyntax", "2.5.5.12"),
        ("isSingleValued", "TRUE"),
    ];
    let mut entry = Attributes::new();
    for (name, value) in usual.iter().chain(changes) {
        entry.insert(name.to_ascii_lowercase(), vec![value.as_bytes().to_vec()]);
    }
    entry.retain(|_, values| values.first().is_some_and(|value| !value.is_empty()));
    entry
}

fn found(changes: &[(&str, &str)]) -> Result<String, String> {
    let entries = [entry(&[("lDAPDisplayName", "extensionAttribute11")]), entry(changes)];
    identify(&entries, FIRST, None).map(|one| one.further.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_number_of_the_forests_own_is_the_id_and_without_one_the_oid_is() {
    assert_eq!(found(&[]).unwrap(), "extensionAttribute1 0x9a3f5c01");
    assert_eq!(found(&[("msDS-IntId", "")]).unwrap(), "extensionAttribute1 1.2.840.113556.1.2.423");
    assert_eq!(
        found(&[("lDAPDisplayName", "EXTENSIONATTRIBUTE1"), ("isDefunct", "FALSE")]).unwrap(),
        found(&[]).unwrap()
    );
    assert_eq!(found(&[("systemFlags", "16")]).unwrap(), found(&[]).unwrap());
}

#[test]
fn ids_come_back_from_their_text_and_what_is_none_is_left_out() {
    let ids = [
        (1, Some("-1707123711"), "1.2.840.113556.1.2.423"),
        (2, None, "1.3.6.1.4.1.99999.7.2"),
        (15, Some("2147483648"), "1.2.840.113556.1.2.603"),
    ];
    let attributes = ids
        .into_iter()
        .map(|(number, int_id, oid)| InSchema {
            further: Further::of_this_schema(
                Attribute::Extension(number),
                SchemaId::parse(int_id, oid).unwrap(),
            ),
            own: false,
            is_configured: false,
        })
        .collect();
    let found = Found { attributes, ..Found::default() };
    let text = found.to_text();
    let mut all: Vec<Attribute> = (1..=15).map(Attribute::Extension).collect();
    assert_eq!(from_text(&text, &all), found.attributes);
    // Those that another configuration requests in another way are not requested twice.
    let (others, known) = (all.split_off(1), found.attributes.clone().split_off(1));
    assert_eq!(from_text(&text, &others), known);
    for odd in
        ["", "extensionAttribute1", "extensionAttribute1 7 1.2.3", "extensionAttribute1 - x", "l - 2.5.4.7"]
    {
        assert_eq!(from_text(odd, &all), [], "{odd}");
    }
    assert_eq!(Found::default().to_text(), "");
}

#[test]
fn what_cannot_be_used_is_refused_in_words() {
    for (changes, says) in [
        (&[("lDAPDisplayName", "other")][..], "the schema of this forest lacks"),
        (&[("isDefunct", "TRUE")], "the schema of this forest lacks"),
        (&[("msDS-IntId", "1")], "no usable id"),
        (&[("msDS-IntId", "-1")], "no usable id"),
        (&[("attributeID", "")], "no usable id"),
        (&[("msDS-IntId", ""), ("attributeID", "")], "no usable id"),
        (&[("msDS-IntId", ""), ("attributeID", "1.2")], "no usable id"),
        (&[("attributeSyntax", "2.5.5.9")], "the syntax 2.5.5.9"),
        (&[("attributeSyntax", "2.5.5.4")], "the syntax 2.5.5.4"),
        (&[("attributeSyntax", "")], "the syntax "),
        (&[("isSingleValued", "FALSE")], "several values"),
        (&[("isSingleValued", "")], "several values"),
        (&[("systemFlags", "1")], "not replicated"),
        (&[("systemFlags", "20")], "not replicated"),
    ] {
        let said = found(changes).unwrap_err();
        assert!(said.contains(says) && said.contains("extensionAttribute1"), "{changes:?}: {said}");
        assert!(said.contains("take it out of [scope]"), "{said}");
    }
    let twice = [entry(&[]), entry(&[])];
    assert!(identify(&twice, FIRST, None).unwrap_err().to_string().contains("has twice"));
    assert!(identify(&[], FIRST, None).unwrap_err().to_string().contains("lacks"));
}

#[test]
fn what_people_write_in_their_own_account_is_seen_and_no_sign_in_name() {
    let mut entry = entry(&[]);
    let set = PERSONAL_INFORMATION.to_bytes_le().to_vec();
    entry.insert("attributesecurityguid".to_owned(), vec![set]);
    let entries = [entry];
    assert!(identify(&entries, FIRST, None).unwrap().own);
    assert!(identify(&entries, FIRST, Some(Attribute::Mail)).unwrap().own);
    let refused = identify(&entries, FIRST, Some(FIRST)).unwrap_err().to_string();
    assert!(refused.contains("people write in their own account"), "{refused}");
}
