//! SCHEMA_PREFIX_TABLE (MS-DRSR 5.178, 5.16.4): attids are OIDs, shortened by a table that each message
//! brings along. A reply's attids are read through the reply's own table, never through a known one.
//! Before it: `reply`. After it: `page`.

use crate::drs::attribute::{Attribute, Class, Syntax};
use crate::drs::change::{Linked, SCHEMA_INFO};
use crate::drs::further::{Further, INT_IDS};
use crate::rpc::ndr::{Malformed, Reader, Writer};
use std::collections::BTreeMap;

/// The most entries of a table: a schema extended by dozens of vendors has some hundreds.
pub const MAX_ENTRIES: usize = 10_000;
/// The most bytes of an OID's prefix.
const MAX_PREFIX: usize = 128;

/// The BER forms of the prefixes that are used here.
const X500_ATTRIBUTE: &[u8] = &[0x55, 0x04];
const RFC_1274_ATTRIBUTE: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01];
const X500_CLASS: &[u8] = &[0x55, 0x06];
const MS_ATTRIBUTE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x04];
const MS_OLD_ATTRIBUTE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x02];
const MS_OLD_CLASS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x03];
const MS_CLASS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x14, 0x01, 0x05];
const NETSCAPE_CLASS: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x03, 0x02];
const NO_INFO: &[u8] = &[0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The entries that every request has.
const OURS: [(u32, &[u8]); 4] =
    [(0, X500_ATTRIBUTE), (2, MS_OLD_ATTRIBUTE), (9, MS_ATTRIBUTE), (21, RFC_1274_ATTRIBUTE)];
/// The index of the first entry for another prefix: above all of [`OURS`].
const FIRST_FURTHER: u32 = 100;

/// What an attid stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// A typed attribute.
    Plain(Attribute),
    /// `unicodePwd`
    NtHash,
    /// A linked attribute.
    Linked(Linked),
}

/// What is always asked for: meaning, attid in [`OURS`], syntax.
pub(crate) const WANTED: [(Known, u32, Syntax); 51] = [
    (Known::Plain(Attribute::ObjectClass), 0x0000_0000, Syntax::Classes),
    (Known::Plain(Attribute::Surname), 0x0000_0004, Syntax::Text),
    (Known::Plain(Attribute::Title), 0x0000_000c, Syntax::Text),
    (Known::Plain(Attribute::Description), 0x0000_000d, Syntax::Texts),
    (Known::Plain(Attribute::TelephoneNumber), 0x0000_0014, Syntax::Text),
    (Known::Linked(Linked::Member), 0x0000_001f, Syntax::Bytes),
    (Known::Plain(Attribute::GivenName), 0x0000_002a, Syntax::Text),
    (Known::Plain(Attribute::DisplayName), 0x0002_000d, Syntax::Text),
    (Known::Plain(Attribute::IsDeleted), 0x0002_0030, Syntax::Boolean),
    (Known::Plain(Attribute::Department), 0x0002_008d, Syntax::Text),
    (Known::Plain(Attribute::ProxyAddresses), 0x0002_00d2, Syntax::Texts),
    (Known::Plain(Attribute::Name), 0x0009_0001, Syntax::Text),
    (Known::Plain(Attribute::UserAccountControl), 0x0009_0008, Syntax::Integer),
    (Known::Plain(Attribute::LockoutDuration), 0x0009_003c, Syntax::LargeInteger),
    (Known::Plain(Attribute::LockoutObservationWindow), 0x0009_003d, Syntax::LargeInteger),
    (Known::Plain(Attribute::LogonHours), 0x0009_0040, Syntax::Bytes),
    (Known::Plain(Attribute::LockoutThreshold), 0x0009_0049, Syntax::Integer),
    (Known::Plain(Attribute::MaxPwdAge), 0x0009_004a, Syntax::LargeInteger),
    (Known::Plain(Attribute::MinPwdAge), 0x0009_004e, Syntax::LargeInteger),
    (Known::Plain(Attribute::MinPwdLength), 0x0009_004f, Syntax::Integer),
    (Known::Plain(Attribute::UserWorkstations), 0x0009_0056, Syntax::Text),
    (Known::NtHash, 0x0009_005a, Syntax::Bytes),
    (Known::Plain(Attribute::PwdProperties), 0x0009_005d, Syntax::Integer),
    (Known::Plain(Attribute::PwdHistoryLength), 0x0009_005f, Syntax::Integer),
    (Known::Plain(Attribute::PwdLastSet), 0x0009_0060, Syntax::LargeInteger),
    (Known::Plain(Attribute::PrimaryGroupId), 0x0009_0062, Syntax::Integer),
    (Known::Plain(Attribute::AdminCount), 0x0009_0096, Syntax::Integer),
    (Known::Plain(Attribute::AccountExpires), 0x0009_009f, Syntax::LargeInteger),
    (Known::Plain(Attribute::SamAccountName), 0x0009_00dd, Syntax::Text),
    (Known::Plain(Attribute::DnsHostName), 0x0009_026b, Syntax::Text),
    (Known::Plain(Attribute::UserPrincipalName), 0x0009_0290, Syntax::Text),
    (Known::Plain(Attribute::LockoutTime), 0x0009_0296, Syntax::LargeInteger),
    (Known::Plain(Attribute::GroupType), 0x0009_02ee, Syntax::Integer),
    (Known::Plain(Attribute::IsCriticalSystemObject), 0x0009_0364, Syntax::Boolean),
    (Known::Plain(Attribute::SecondaryKrbTgtNumber), 0x0009_0789, Syntax::Integer),
    (Known::Plain(Attribute::PsoMaxPwdAge), 0x0009_07db, Syntax::LargeInteger),
    (Known::Plain(Attribute::PsoMinPwdAge), 0x0009_07dc, Syntax::LargeInteger),
    (Known::Plain(Attribute::PsoMinPwdLength), 0x0009_07dd, Syntax::Integer),
    (Known::Plain(Attribute::PsoPwdHistoryLength), 0x0009_07de, Syntax::Integer),
    (Known::Plain(Attribute::PsoComplexity), 0x0009_07df, Syntax::Boolean),
    (Known::Plain(Attribute::PsoLockoutObservationWindow), 0x0009_07e1, Syntax::LargeInteger),
    (Known::Plain(Attribute::PsoLockoutDuration), 0x0009_07e2, Syntax::LargeInteger),
    (Known::Plain(Attribute::PsoLockoutThreshold), 0x0009_07e3, Syntax::Integer),
    (Known::Linked(Linked::AppliesTo), 0x0009_07e4, Syntax::Bytes),
    (Known::Plain(Attribute::Precedence), 0x0009_07e7, Syntax::Integer),
    (Known::Plain(Attribute::IsRecycled), 0x0009_080a, Syntax::Boolean),
    (Known::Linked(Linked::AuthenticationPolicy), 0x0009_08ed, Syntax::Bytes),
    (Known::Linked(Linked::AuthenticationPolicy), 0x0009_08f7, Syntax::Bytes),
    (Known::Plain(Attribute::Mail), 0x0015_0003, Syntax::Text),
    (Known::Linked(Linked::Manager), 0x0015_000a, Syntax::Bytes),
    (Known::Plain(Attribute::Mobile), 0x0015_0029, Syntax::Text),
];

/// The classes that are told apart: meaning, prefix, last part of the OID.
const CLASSES: [(Class, &[u8], u16); 16] = [
    (Class::Top, X500_CLASS, 0),
    (Class::OrganizationalUnit, X500_CLASS, 5),
    (Class::Person, X500_CLASS, 6),
    (Class::OrganizationalPerson, X500_CLASS, 7),
    (Class::Container, MS_OLD_CLASS, 23),
    (Class::Computer, MS_OLD_CLASS, 30),
    (Class::Group, MS_CLASS, 8),
    (Class::User, MS_CLASS, 9),
    (Class::Contact, MS_CLASS, 15),
    (Class::TrustedDomain, MS_CLASS, 34),
    (Class::DomainDns, MS_CLASS, 67),
    (Class::ForeignSecurityPrincipal, MS_CLASS, 76),
    (Class::PasswordSettings, MS_CLASS, 255),
    (Class::ManagedServiceAccount, MS_CLASS, 264),
    (Class::GroupManagedServiceAccount, MS_CLASS, 282),
    (Class::InetOrgPerson, NETSCAPE_CLASS, 2),
];

/// A reply's table, as it came.
#[derive(Debug, Clone, Default)]
pub struct PrefixTable<'a> {
    entries: Vec<(u32, &'a [u8])>,
    schema: Option<[u8; SCHEMA_INFO]>,
}

impl<'a> PrefixTable<'a> {
    /// Reads the array that `pPrefixEntry` points to, by itself.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let announced = Reader::new(bytes).u32()?;
        Self::read(&mut Reader::new(bytes), announced)
    }

    /// Reads the array that `pPrefixEntry` points to.
    pub(crate) fn read(reader: &mut Reader<'a>, announced: u32) -> Result<Self, Malformed> {
        let count = reader.same_count(announced, 4 /* ndx */ + 4 /* length */ + 4 /* pointer */)?;
        if count > MAX_ENTRIES {
            return Err(reader.malformed("a prefix table that is too long"));
        }
        let heads = (0..count)
            .map(|_| Ok((reader.u32()?, reader.u32()?, reader.pointer()?)))
            .collect::<Result<Vec<_>, Malformed>>()?;
        let mut entries = Vec::with_capacity(count);
        for (index, length, present) in heads {
            let bytes = if present {
                let length = reader.same_count(length, 1)?;
                reader.raw(length)?
            } else {
                &[]
            };
            if bytes.len() > MAX_PREFIX {
                return Err(reader.malformed("a prefix that is too long"));
            }
            entries.push((index, bytes));
        }
        // The last entry may be the schema's version instead (MS-DRSR 4.1.10.5.12).
        let last = entries.last().and_then(|(_, bytes)| <[u8; SCHEMA_INFO]>::try_from(*bytes).ok());
        let schema = last.filter(|info| info.starts_with(&[0xff]));
        if schema.is_some() {
            entries.pop();
        }
        let mut seen = BTreeMap::new();
        for (index, bytes) in &entries {
            if *index > 0xffff || seen.insert(*index, *bytes).is_some_and(|before| before != *bytes) {
                return Err(reader.malformed("a prefix table that contradicts itself"));
            }
        }
        Ok(Self { entries, schema })
    }

    /// The version of the schema (schemaInfo) that the DC sent with the table.
    pub fn schema(&self) -> Option<[u8; SCHEMA_INFO]> {
        self.schema
    }

    /// What each attid of the reply stands for, as far as it was requested. `further` are the attributes that were
    /// requested beside the usual ones: the DC sends each under its `msDS-IntId`, if it has one, and under no other.
    pub(crate) fn attributes(&self, further: &[Further]) -> BTreeMap<u32, (Known, Syntax)> {
        let ours =
            |attid: u32| OURS.iter().find(|(index, _)| *index == attid >> 16).map(|(_, prefix)| *prefix);
        let mut attids = BTreeMap::new();
        for (known, attid, syntax) in &WANTED {
            for index in ours(*attid).into_iter().flat_map(|prefix| self.indexes(prefix)) {
                attids.insert(index << 16 | (*attid & 0xffff), (*known, *syntax));
            }
        }
        for one in further {
            let meaning = (Known::Plain(one.attribute()), one.syntax());
            if let Some(number) = one.id().int_id {
                attids.insert(number, meaning);
                continue;
            }
            let oid = &one.id().oid;
            for index in self.indexes(&oid.prefix) {
                attids.insert(index << 16 | u32::from(oid.last), meaning);
            }
        }
        attids
    }

    /// What each attid of the reply stands for as a class.
    pub fn classes(&self) -> BTreeMap<u32, Class> {
        let mut attids = BTreeMap::new();
        for (class, prefix, last) in &CLASSES {
            for index in self.indexes(prefix) {
                attids.insert(index << 16 | u32::from(*last), *class);
            }
        }
        attids
    }

    /// The indexes of a prefix. An index that would make attids of the kind of `msDS-IntId` stands for no prefix.
    fn indexes(&self, prefix: &[u8]) -> impl Iterator<Item = u32> {
        let of_prefix =
            move |(index, bytes): &&(u32, &[u8])| *bytes == prefix && *index < INT_IDS.start() >> 16;
        self.entries.iter().filter(of_prefix).map(|(index, _)| *index)
    }
}

/// The table of a request.
pub(crate) struct RequestTable<'a>(Vec<(u32, &'a [u8])>);

impl<'a> RequestTable<'a> {
    /// With a prefix for each of these attributes.
    pub(crate) fn of(further: &'a [Further]) -> Self {
        let mut entries: Vec<(u32, &[u8])> = OURS.to_vec();
        for (one, index) in further.iter().zip(FIRST_FURTHER..) {
            let prefix = &one.id().oid.prefix;
            if !entries.iter().any(|(_, known)| *known == *prefix) {
                entries.push((index, prefix));
            }
        }
        // Without the schema's version at its end Samba refuses a partial attribute set.
        entries.push((0, NO_INFO));
        Self(entries)
    }

    /// The attids of an attribute: by its OID under this table, and its `msDS-IntId`, if it has one.
    pub(crate) fn attids(&self, one: &Further) -> impl Iterator<Item = u32> {
        let oid = &one.id().oid;
        let index = self.0.iter().find(|(_, prefix)| *prefix == oid.prefix).map(|(index, _)| *index);
        index.map(|index| index << 16 | u32::from(oid.last)).into_iter().chain(one.id().int_id)
    }

    /// The number of entries.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Writes the array that `pPrefixEntry` points to.
    pub(crate) fn write(&self, stub: &mut Writer) {
        write_entries(stub, &self.0);
    }
}

fn write_entries(stub: &mut Writer, entries: &[(u32, &[u8])]) {
    stub.count(entries.len());
    for (index, prefix) in entries {
        stub.u32(*index);
        stub.count(prefix.len());
        stub.pointer(true);
    }
    for (_, prefix) in entries {
        stub.count(prefix.len());
        stub.raw(prefix);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::drs::attribute::COMPANY;
    use crate::drs::further::SchemaId;

    fn table(entries: &[(u32, &[u8])]) -> Vec<u8> {
        let mut stub = Writer::new();
        write_entries(&mut stub, entries);
        stub.into_bytes()
    }

    fn extension(number: u8, int_id: Option<&str>, oid: &str) -> Further {
        Further::of_this_schema(Attribute::Extension(number), SchemaId::parse(int_id, oid).unwrap())
    }

    /// The OIDs that Exchange gives to two of them, and one of somebody else's.
    const FIRST: &str = "1.2.840.113556.1.2.423";
    const SECOND: &str = "1.2.840.113556.1.2.424";
    const OTHER: &str = "1.3.6.1.4.1.99999.7.3";

    #[test]
    fn our_own_table_gives_back_our_own_attids() {
        let company = Further::of_every_schema(Attribute::Described(&COMPANY)).unwrap();
        let further = [
            company,
            extension(1, Some("-1707123711"), FIRST),
            extension(2, None, SECOND),
            extension(3, None, OTHER),
            extension(4, None, "1.3.6.1.4.1.99999.7.4"),
        ];
        let request = RequestTable::of(&further);
        assert_eq!(request.count(), OURS.len() + 2, "one prefix more, and the schema's version");
        let attids: Vec<Vec<u32>> = further.iter().map(|one| request.attids(one).collect()).collect();
        let by_oid = [0x0002_0092, 0x0002_01a7, 0x0002_01a8, 103 << 16 | 3, 103 << 16 | 4];
        let due: Vec<Vec<u32>> = by_oid.into_iter().map(|attid| vec![attid]).collect();
        assert_eq!(attids[1], [0x0002_01a7, 0x9a3f_5c01], "by both");
        assert_eq!((&attids[..1], &attids[2..]), (&due[..1], &due[2..]));
        let mut stub = Writer::new();
        request.write(&mut stub);
        let bytes = stub.into_bytes();
        let attributes = PrefixTable::decode(&bytes).unwrap().attributes(&further);
        assert_eq!(attributes.len(), WANTED.len() + further.len());
        for (known, attid, syntax) in WANTED {
            assert_eq!(attributes.get(&attid), Some(&(known, syntax)));
        }
        for (one, attid) in further.iter().zip(attids.iter().filter_map(|all| all.last())) {
            assert_eq!(attributes.get(attid), Some(&(Known::Plain(one.attribute()), Syntax::Text)), "{one}");
        }
    }

    #[test]
    fn a_number_of_the_forests_own_is_never_made_of_a_prefix_nor_cut_into_one() {
        let first = [extension(1, Some("-1707123711"), FIRST)];
        // The reply's table has the prefix of the OID, and an index that is the upper half of the number.
        let bytes = table(&[(2, MS_OLD_ATTRIBUTE), (0x9a3f, MS_ATTRIBUTE), (0x9a40, MS_CLASS)]);
        let reply = PrefixTable::decode(&bytes).unwrap();
        let attributes = reply.attributes(&first);
        let known = |attid: u32| attributes.get(&attid).map(|(known, _)| *known);
        assert_eq!(known(0x9a3f_5c01), Some(Known::Plain(Attribute::Extension(1))));
        assert_eq!(known(0x0002_01a7), None, "the DC never sends it under its OID");
        assert_eq!(known(0x0002_000d), Some(Known::Plain(Attribute::DisplayName)));
        let own: Vec<u32> = attributes.into_keys().filter(|attid| *attid >= 0x8000_0000).collect();
        assert_eq!(own, [0x9a3f_5c01], "userAccountControl would be 0x9a3f0008");
        assert_eq!(reply.classes(), BTreeMap::new());
        // Without the request it means nothing.
        assert!(reply.attributes(&[]).keys().all(|attid| *attid < 0x8000_0000));
    }

    #[test]
    fn a_prefix_of_somebody_elses_is_found_under_the_index_that_the_reply_gives_it() {
        let third = [extension(3, None, OTHER)];
        let prefix: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x86, 0x8d, 0x1f, 0x07];
        let bytes = table(&[(9, MS_ATTRIBUTE), (4711, prefix)]);
        let attributes = PrefixTable::decode(&bytes).unwrap().attributes(&third);
        let meaning = (Known::Plain(Attribute::Extension(3)), Syntax::Text);
        assert_eq!(attributes.get(&(4711 << 16 | 3)), Some(&meaning));
        assert_eq!(attributes.get(&(100 << 16 | 3)), None);
    }

    #[test]
    fn the_schemas_version_is_the_last_entry_and_no_prefix() {
        let info: &[u8] = &[0xff, 0, 0, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];
        let with = table(&[(2, MS_OLD_ATTRIBUTE), (0, info)]);
        let read = PrefixTable::decode(&with).unwrap();
        assert_eq!(read.schema().unwrap(), info);
        assert_eq!(read.indexes(info).count(), 0);
        assert_eq!(PrefixTable::decode(&table(&[(2, MS_OLD_ATTRIBUTE)])).unwrap().schema(), None);
        assert_eq!(PrefixTable::decode(&table(&[])).unwrap().schema(), None);
    }

    #[test]
    fn attids_follow_the_replys_table_and_not_ours() {
        let bytes = table(&[(4711, MS_ATTRIBUTE), (9, MS_OLD_ATTRIBUTE), (12, MS_CLASS)]);
        let table = PrefixTable::decode(&bytes).unwrap();
        let attributes = table.attributes(&[]);
        assert_eq!(attributes.get(&(4711 << 16 | 8)).unwrap().0, Known::Plain(Attribute::UserAccountControl));
        assert_eq!(attributes.get(&(9 << 16 | 13)).unwrap().0, Known::Plain(Attribute::DisplayName));
        assert_eq!(attributes.get(&0x0009_0008), None);
        assert_eq!(table.classes().get(&(12 << 16 | 9)), Some(&Class::User));
    }

    #[test]
    fn a_table_that_contradicts_itself_or_lies_about_its_length_is_refused() {
        assert!(PrefixTable::decode(&table(&[(1, MS_CLASS), (1, MS_ATTRIBUTE)])).is_err());
        assert!(PrefixTable::decode(&table(&[(0x1_0000, MS_CLASS)])).is_err());
        assert!(PrefixTable::decode(&table(&[(1, &[1; MAX_PREFIX + 1])])).is_err());
        assert!(PrefixTable::decode(&u32::MAX.to_le_bytes()).is_err());
        assert!(PrefixTable::decode(&[]).is_err());
    }
}
