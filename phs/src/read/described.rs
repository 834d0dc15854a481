//! The attributes of the wire's table, as replication requests them: those of Microsoft's schema by their OIDs, which are
//! the same in every forest, and those of Exchange's by the ids that the forest's schema gives them.
//! Neighbours: the configuration adds them to what a session requests; `qualify::translate` makes messages of their values.

use landbridge_drsr::drs::attribute::{Attribute, Described, DescribedSyntax};
use landbridge_wire::described::{Row, Schema, Syntax, TABLE};
use std::sync::LazyLock;

static DESCRIBED: LazyLock<Vec<Described>> = LazyLock::new(|| rows(Schema::Base).map(described).collect());

fn rows(of: Schema) -> impl Iterator<Item = &'static Row> {
    TABLE.iter().filter(move |row| row.schema == of)
}

fn described(row: &Row) -> Described {
    let syntax = match row.syntax {
        Syntax::Text => DescribedSyntax::Text,
        Syntax::Ascii => DescribedSyntax::Ascii,
        Syntax::Integer => DescribedSyntax::Integer,
        Syntax::Time => DescribedSyntax::Time,
        Syntax::Octets => DescribedSyntax::Octets,
    };
    Described { name: row.name, oid: row.oid, syntax }
}

/// Those of Microsoft's schema. `photos`: also those that are octets.
pub fn attributes(photos: bool) -> impl Iterator<Item = Attribute> {
    let requested = move |one: &&Described| photos || one.syntax != DescribedSyntax::Octets;
    DESCRIBED.iter().filter(requested).map(Attribute::Described)
}

/// Those of Exchange's schema, which the schema of a forest may lack: extensionAttribute1 to 15.
pub fn extensions() -> impl Iterator<Item = Attribute> {
    (1..=15).map(Attribute::Extension)
}

/// The one of Microsoft's schema with this lDAPDisplayName, in any case.
pub fn named(name: &str) -> Option<Attribute> {
    attributes(true).find(|attribute| attribute.name().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use landbridge_drsr::drs::further::Further;

    #[test]
    fn each_attribute_of_the_table_is_requested_by_its_own_oid_and_under_its_own_name() {
        for (row, attribute) in rows(Schema::Base).zip(attributes(true)) {
            let further = Further::of_every_schema(attribute).unwrap();
            assert_eq!((attribute.name(), further.id().to_string().as_str()), (row.name, row.oid));
            assert!(!attribute.decides(), "{}", row.name);
        }
    }

    #[test]
    fn those_of_exchange_are_the_extension_attributes_and_no_oid_is_assumed_for_them() {
        let names: Vec<&str> = extensions().map(Attribute::name).collect();
        let mut rows: Vec<&str> = rows(Schema::Exchange).map(|row| row.name).collect();
        rows.sort_by_key(|name| names.iter().position(|known| known == name));
        assert_eq!(rows, names);
        for attribute in extensions() {
            assert!(Further::of_every_schema(attribute).is_none() && !attribute.decides(), "{attribute:?}");
        }
    }

    #[test]
    fn photos_are_requested_only_on_demand() {
        let photos: Vec<&str> = attributes(true)
            .filter(|attribute| !attributes(false).any(|one| one == *attribute))
            .map(Attribute::name)
            .collect();
        assert_eq!(photos, ["thumbnailPhoto"]);
    }
}
