//! Attributes that are requested beside the usual ones, and the id of each in the forest's schema.
//!
//! An attribute of the base schema has the same OID in every forest, and its attid follows from a message's prefix
//! table. An attribute that was added later (by Exchange's setup, say) has a random number besides, `msDS-IntId`, if
//! the forest was at functional level 2003 or higher. That number is then its attid, and no prefix table has a part in
//! it (MS-DRSR 5.16.4, MS-ADTS 3.1.1.2.3). Only the schema of the forest tells it. Samba 4.17 sends the attribute under
//! that number, and finds it in a request by its OID alone: so requests have both, and replies are read by the number.
//! Before it: `attribute`. After it: `prefix_table`.

use crate::drs::attribute::{Attribute, DescribedSyntax, Syntax};
use std::fmt;

/// The attids that AD gives at random. Those below come from prefix tables; those above are never replicated.
pub const INT_IDS: std::ops::RangeInclusive<u32> = 0x8000_0000..=0xbfff_ffff;
/// Most characters of an OID in dots. The longest of the base schema has 30; OIDs that Microsoft's tool makes have 60.
const MAX_OID: usize = 256;

/// Attributes that every forest's schema has, and that are no [`Attribute::Described`].
const OF_EVERY_SCHEMA: [(Attribute, &str); 2] = [
    (Attribute::AdminDescription, "1.2.840.113556.1.2.226"),
    (Attribute::SecurityDescriptor, "1.2.840.113556.1.2.281"),
];

/// An attribute that is requested beside the usual ones: a single text, but for the security descriptor and some of
/// [`Attribute::Described`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Further {
    attribute: Attribute,
    id: SchemaId,
}

/// The id of an attribute in the forest's schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaId {
    /// `msDS-IntId`, one of [`INT_IDS`], if the attribute has one: then it is the attid itself.
    pub(crate) int_id: Option<u32>,
    /// `attributeID`
    pub(crate) oid: Oid,
}

/// An OID, cut as a prefix table needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Oid {
    dotted: String,
    /// The BER form without its last byte or its last two.
    pub(crate) prefix: Vec<u8>,
    /// The lower half of the attid.
    pub(crate) last: u16,
}

impl Further {
    /// An attribute that every forest's schema has. None: only the schema of the forest tells its id.
    pub fn of_every_schema(attribute: Attribute) -> Option<Self> {
        let of_table = || OF_EVERY_SCHEMA.iter().find(|(known, _)| *known == attribute).map(|(_, oid)| *oid);
        let oid = if let Attribute::Described(described) = attribute { described.oid } else { of_table()? };
        Some(Self { attribute, id: SchemaId::parse(None, oid)? })
    }

    /// An attribute with the id that the forest's schema gives it.
    pub fn of_this_schema(attribute: Attribute, id: SchemaId) -> Self {
        Self { attribute, id }
    }

    /// Which attribute.
    pub fn attribute(&self) -> Attribute {
        self.attribute
    }

    /// Its id.
    pub fn id(&self) -> &SchemaId {
        &self.id
    }

    pub(crate) fn syntax(&self) -> Syntax {
        let Attribute::Described(described) = self.attribute else {
            let is_descriptor = self.attribute == Attribute::SecurityDescriptor;
            return if is_descriptor { Syntax::Bytes } else { Syntax::Text };
        };
        match described.syntax {
            DescribedSyntax::Text => Syntax::Text,
            DescribedSyntax::Ascii => Syntax::Ascii,
            DescribedSyntax::Integer => Syntax::Integer,
            DescribedSyntax::Time => Syntax::LargeInteger,
            DescribedSyntax::Octets => Syntax::Bytes,
        }
    }
}

impl SchemaId {
    /// From the values of `msDS-IntId`, if the attribute has one, and `attributeID`, as LDAP gives them: the number is
    /// signed there. None: no id that replication could use.
    pub fn parse(int_id: Option<&str>, oid: &str) -> Option<Self> {
        let oid = Oid::parse(oid)?;
        let Some(number) = int_id else { return Some(Self { int_id: None, oid }) };
        let signed = number.parse::<i32>().map(i32::cast_unsigned);
        let number = signed.or_else(|_| number.parse::<u32>()).ok()?;
        INT_IDS.contains(&number).then_some(Self { int_id: Some(number), oid })
    }

    /// `msDS-IntId`, if the attribute has one.
    pub fn int_id(&self) -> Option<u32> {
        self.int_id
    }

    /// `attributeID`.
    pub fn oid(&self) -> &str {
        &self.oid.dotted
    }
}

impl Oid {
    /// Reads an OID in dots, `1.2.840.113556.1.2.423`, and cuts its BER form (X.690 8.19) as MS-DRSR 5.16.4 says.
    fn parse(dotted: &str) -> Option<Self> {
        if dotted.len() > MAX_OID || !dotted.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return None;
        }
        let arcs = dotted.split('.').map(str::parse).collect::<Result<Vec<u32>, _>>().ok()?;
        let [root @ 0..=2, second, middle @ .., last] = arcs.as_slice() else { return None };
        if *root < 2 && *second >= 40 {
            return None;
        }
        let first = u64::from(*root) * 40 + u64::from(*second);
        let mut prefix = base_128(first);
        prefix.extend(middle.iter().flat_map(|arc| base_128((*arc).into())));
        let mut end = base_128((*last).into());
        // Of a last number that takes more than two bytes, the first ones stay in the prefix.
        end.truncate(end.len().saturating_sub(2));
        prefix.extend(end);
        let beyond = if *last < 0x4000 { 0 } else { 0x8000 };
        let last = u16::try_from(*last & 0x3fff).ok()? | beyond;
        Some(Self { dotted: dotted.to_owned(), prefix, last })
    }
}

/// A number in groups of seven bits, the highest first; all but the last one have the highest bit set.
fn base_128(number: u64) -> Vec<u8> {
    let mut groups = Vec::new();
    let mut left = number;
    loop {
        let seven = u8::try_from(left & 0x7f).unwrap_or_default();
        groups.push(if groups.is_empty() { seven } else { seven | 0x80 });
        left >>= 7;
        if left == 0 {
            groups.reverse();
            return groups;
        }
    }
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.int_id {
            Some(number) => write!(f, "{number:#010x}"),
            None => f.write_str(&self.oid.dotted),
        }
    }
}

impl fmt::Display for Further {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.attribute.name(), self.id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_oid_is_cut_as_a_prefix_table_needs_it() {
        for (dotted, prefix, last) in [
            ("2.5.4.7", &[0x55, 0x04][..], 7),
            ("1.2.840.113556.1.2.423", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x02], 423),
            ("1.2.840.113556.1.4.127", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x04], 127),
            ("1.2.840.113556.1.4.128", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x04], 128),
            // 16383 is the last number of two bytes; of 16384 and of 2^21 the first bytes stay in the prefix.
            ("1.3.6.1.16383", &[0x2b, 0x06, 0x01], 16_383),
            ("1.3.6.1.16384", &[0x2b, 0x06, 0x01, 0x81], 0x8000),
            ("1.3.6.1.16389", &[0x2b, 0x06, 0x01, 0x81], 0x8005),
            ("1.3.6.1.2097152", &[0x2b, 0x06, 0x01, 0x81, 0x80], 0x8000),
            ("2.999.3", &[0x88, 0x37], 3),
        ] {
            let oid = Oid::parse(dotted).unwrap();
            assert_eq!((&oid.prefix[..], oid.last), (prefix, last), "{dotted}");
        }
        for wrong in
            ["", "1", "1.2", "3.1.1", "1.40.1", "1.2.", ".1.2", "1.2.+3", "1.2.4294967296", "1.2.x", "a.b.c"]
        {
            assert_eq!(Oid::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Oid::parse(&format!("1.2{}", ".1".repeat(200))), None);
    }

    #[test]
    fn a_number_of_the_forests_own_counts_before_the_oid_and_must_be_one() {
        let oid = "1.2.840.113556.1.2.423";
        let parsed = |number| SchemaId::parse(Some(number), oid)?.int_id();
        assert_eq!(parsed("-1707123711"), Some(0x9a3f_5c01));
        assert_eq!(parsed("2587843585"), Some(0x9a3f_5c01));
        assert_eq!(parsed("-2147483648"), Some(0x8000_0000));
        for wrong in ["0", "131495", "2147483647", "-1", "-1073741824", "4294967296", "x", ""] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
        assert_eq!(SchemaId::parse(Some("-5"), "1.2"), None, "requests have the OID too");
        assert_eq!(SchemaId::parse(None, oid).unwrap().to_string(), oid);
        assert_eq!(SchemaId::parse(Some("-1707123711"), oid).unwrap().to_string(), "0x9a3f5c01");
    }

    #[test]
    fn every_schema_has_ten_of_them_and_none_of_exchanges() {
        for (attribute, oid) in OF_EVERY_SCHEMA {
            let further = Further::of_every_schema(attribute).unwrap();
            assert_eq!(further.to_string(), format!("{} {oid}", attribute.name()));
        }
        assert!((1..=15).all(|number| Further::of_every_schema(Attribute::Extension(number)).is_none()));
    }
}
