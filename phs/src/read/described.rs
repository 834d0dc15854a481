//! The attributes of the wire's table, as replication requests them: each by its OID, which is the same in every forest.
//! Neighbours: the configuration adds them to what a session requests; `qualify::translate` makes messages of their values.

use landbridge_drsr::drs::attribute::{Attribute, Described, DescribedSyntax};
use landbridge_wire::described::{Row, Syntax, TABLE};
use std::sync::LazyLock;

static DESCRIBED: LazyLock<Vec<Described>> = LazyLock::new(|| TABLE.iter().map(described).collect());

fn described(row: &Row) -> Described {
    let syntax = match row.syntax {
        Syntax::Text => DescribedSyntax::Text,
        Syntax::Ascii => DescribedSyntax::Ascii,
        Syntax::Integer => DescribedSyntax::Integer,
        Syntax::Time => DescribedSyntax::Time,
    };
    Described { name: row.name, oid: row.oid, syntax }
}

/// All of them.
pub fn attributes() -> impl Iterator<Item = Attribute> {
    DESCRIBED.iter().map(Attribute::Described)
}

/// The one with this lDAPDisplayName, in any case.
pub fn named(name: &str) -> Option<Attribute> {
    attributes().find(|attribute| attribute.name().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use landbridge_drsr::drs::further::Further;

    #[test]
    fn each_attribute_of_the_table_is_requested_by_its_own_oid_and_under_its_own_name() {
        for (row, attribute) in TABLE.iter().zip(attributes()) {
            let further = Further::of_every_schema(attribute).unwrap();
            assert_eq!((attribute.name(), further.id().to_string().as_str()), (row.name, row.oid));
            assert!(!attribute.decides(), "{}", row.name);
        }
    }
}
