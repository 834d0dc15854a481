//! SCHEMA_PREFIX_TABLE (MS-DRSR 5.178, 5.16.4): attids are OIDs, shortened by a table that each message
//! brings along. A reply's attids are read through the reply's own table, never through a known one.
//! Before it: `reply`. After it: `page`.

use crate::drs::attribute::{Attribute, Class, Syntax};
use crate::drs::change::Linked;
use crate::rpc::ndr::{Malformed, Reader, Writer};
use std::collections::BTreeMap;

/// The most entries of a table: a schema extended by dozens of vendors has some hundreds.
pub const MAX_ENTRIES: usize = 10_000;
/// The most bytes of an OID's prefix.
const MAX_PREFIX: usize = 128;
/// The last entry of a table may tell the schema's version instead (MS-DRSR 4.1.10.5.12): 0xFF, a revision and an
/// invocation id.
const SCHEMA_INFO: usize = 1 + 4 + 16;

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

/// The table of our requests. Without the last entry Samba refuses a partial attribute set.
pub(crate) const OURS: [(u32, &[u8]); 5] =
    [(0, X500_ATTRIBUTE), (2, MS_OLD_ATTRIBUTE), (9, MS_ATTRIBUTE), (21, RFC_1274_ATTRIBUTE), (0, NO_INFO)];

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
pub(crate) const WANTED: [(Known, u32, Syntax); 43] = [
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
    (Known::Plain(Attribute::UserWorkstations), 0x0009_0056, Syntax::Text),
    (Known::NtHash, 0x0009_005a, Syntax::Bytes),
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

/// What is asked for on request: single texts all of them, but for the security descriptor. What its schema lacks,
/// Samba leaves out; another DC may refuse the request.
pub(crate) const ON_REQUEST: [(Attribute, u32); 25] = [
    (Attribute::Locality, 0x0000_0007),
    (Attribute::Office, 0x0000_0013),
    (Attribute::Info, 0x0002_0051),
    (Attribute::Company, 0x0002_0092),
    (Attribute::AdminDescription, 0x0002_00e2),
    (Attribute::SecurityDescriptor, 0x0002_0119),
    (Attribute::Extension(1), 0x0002_01a7),
    (Attribute::Extension(2), 0x0002_01a8),
    (Attribute::Extension(3), 0x0002_01a9),
    (Attribute::Extension(4), 0x0002_01aa),
    (Attribute::Extension(5), 0x0002_01ab),
    (Attribute::Extension(6), 0x0002_01ac),
    (Attribute::Extension(7), 0x0002_01ad),
    (Attribute::Extension(8), 0x0002_01ae),
    (Attribute::Extension(9), 0x0002_01af),
    (Attribute::Extension(10), 0x0002_01b0),
    (Attribute::Extension(11), 0x0002_0257),
    (Attribute::Extension(12), 0x0002_0258),
    (Attribute::Extension(13), 0x0002_0259),
    (Attribute::Extension(14), 0x0002_025a),
    (Attribute::Extension(15), 0x0002_025b),
    (Attribute::EmployeeNumber, 0x0002_0262),
    (Attribute::EmployeeType, 0x0002_0265),
    (Attribute::EmployeeId, 0x0009_0023),
    (Attribute::Division, 0x0009_0105),
];

fn on_request(attribute: Attribute) -> Syntax {
    if attribute == Attribute::SecurityDescriptor { Syntax::Bytes } else { Syntax::Text }
}

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
        if entries.last().is_some_and(|(_, bytes)| bytes.len() == SCHEMA_INFO && bytes.first() == Some(&0xff))
        {
            entries.pop();
        }
        let mut seen = BTreeMap::new();
        for (index, bytes) in &entries {
            if *index > 0xffff || seen.insert(*index, *bytes).is_some_and(|before| before != *bytes) {
                return Err(reader.malformed("a prefix table that contradicts itself"));
            }
        }
        Ok(Self { entries })
    }

    /// What each attid of the reply stands for, as far as it was asked for.
    pub(crate) fn attributes(&self) -> BTreeMap<u32, (Known, Syntax)> {
        let ours =
            |attid: u32| OURS.iter().find(|(index, _)| *index == attid >> 16).map(|(_, prefix)| *prefix);
        let mut attids = BTreeMap::new();
        let on_request =
            ON_REQUEST.map(|(attribute, attid)| (Known::Plain(attribute), attid, on_request(attribute)));
        for (known, attid, syntax) in WANTED.iter().chain(&on_request) {
            for index in ours(*attid).into_iter().flat_map(|prefix| self.indexes(prefix)) {
                attids.insert(index << 16 | (*attid & 0xffff), (*known, *syntax));
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

    fn indexes(&self, prefix: &[u8]) -> impl Iterator<Item = u32> {
        self.entries.iter().filter(move |(_, bytes)| *bytes == prefix).map(|(index, _)| *index)
    }
}

/// Writes [`OURS`] as the array that `pPrefixEntry` points to.
pub(crate) fn write_ours(stub: &mut Writer) {
    stub.count(OURS.len());
    for (index, prefix) in &OURS {
        stub.u32(*index);
        stub.count(prefix.len());
        stub.pointer(true);
    }
    for (_, prefix) in &OURS {
        stub.count(prefix.len());
        stub.raw(prefix);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn table(entries: &[(u32, &[u8])]) -> Vec<u8> {
        let mut stub = Writer::new();
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
        stub.into_bytes()
    }

    #[test]
    fn our_own_table_gives_back_our_own_attids() {
        let mut stub = Writer::new();
        write_ours(&mut stub);
        let bytes = stub.into_bytes();
        let attributes = PrefixTable::decode(&bytes).unwrap().attributes();
        assert_eq!(attributes.len(), WANTED.len() + ON_REQUEST.len());
        for (known, attid, syntax) in WANTED {
            assert_eq!(attributes.get(&attid), Some(&(known, syntax)));
        }
        for (attribute, attid) in ON_REQUEST {
            assert_eq!(attributes.get(&attid), Some(&(Known::Plain(attribute), on_request(attribute))));
        }
    }

    #[test]
    fn attids_follow_the_replys_table_and_not_ours() {
        let bytes = table(&[(4711, MS_ATTRIBUTE), (9, MS_OLD_ATTRIBUTE), (12, MS_CLASS)]);
        let table = PrefixTable::decode(&bytes).unwrap();
        let attributes = table.attributes();
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
