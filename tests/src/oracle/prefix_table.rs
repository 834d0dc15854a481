//! Prefix tables: a class that is known by an attid is known by its OID, and by nothing else. What each class's
//! OID is, is written here once more, in dots.

use landbridge_drsr::drs::attribute::Class;
use landbridge_drsr::drs::prefix_table::{MAX_ENTRIES, PrefixTable};

/// Takes the bytes as the array that `pPrefixEntry` points to.
pub fn prefix_table(data: &[u8]) {
    let Ok(table) = PrefixTable::decode(data) else { return };
    let announced = data.first_chunk().map_or(0, |count| u32::from_le_bytes(*count));
    let announced = usize::try_from(announced).unwrap_or(usize::MAX);
    assert!(announced <= MAX_ENTRIES && announced * 12 <= data.len(), "entries out of nothing");
    for (attid, class) in table.classes() {
        let (arc, last) = oid(class).expect("a class that was not asked for");
        assert_eq!(attid & 0xffff, last, "{class:?} by another OID");
        assert!(attid < 0x8000_0000, "{class:?} by a number that AD gives at random");
        let prefix = ber(arc);
        assert!(data.windows(prefix.len()).any(|bytes| bytes == prefix), "{class:?} out of nothing");
    }
    // A table stands on its own: what follows it changes nothing.
    let longer = [data, &[0; 4]].concat();
    let same = PrefixTable::decode(&longer).expect("more bytes do no harm");
    assert_eq!(same.classes(), table.classes());
    if let Some(schema) = table.schema() {
        assert!(data.windows(schema.len()).any(|bytes| bytes == schema), "a schema's version out of nothing");
    }
}

/// The governing OIDs of the classes (MS-ADSC), cut before the last number, and that number.
fn oid(class: Class) -> Option<(&'static [u32], u32)> {
    Some(match class {
        Class::Top => (&[2, 5, 6], 0),
        Class::OrganizationalUnit => (&[2, 5, 6], 5),
        Class::Person => (&[2, 5, 6], 6),
        Class::OrganizationalPerson => (&[2, 5, 6], 7),
        Class::Container => (&[1, 2, 840, 113_556, 1, 3], 23),
        Class::Computer => (&[1, 2, 840, 113_556, 1, 3], 30),
        Class::Group => (&[1, 2, 840, 113_556, 1, 5], 8),
        Class::User => (&[1, 2, 840, 113_556, 1, 5], 9),
        Class::Contact => (&[1, 2, 840, 113_556, 1, 5], 15),
        Class::TrustedDomain => (&[1, 2, 840, 113_556, 1, 5], 34),
        Class::DomainDns => (&[1, 2, 840, 113_556, 1, 5], 67),
        Class::ForeignSecurityPrincipal => (&[1, 2, 840, 113_556, 1, 5], 76),
        Class::PasswordSettings => (&[1, 2, 840, 113_556, 1, 5], 255),
        Class::ManagedServiceAccount => (&[1, 2, 840, 113_556, 1, 5], 264),
        Class::GroupManagedServiceAccount => (&[1, 2, 840, 113_556, 1, 5], 282),
        Class::InetOrgPerson => (&[2, 16, 840, 1, 113_730, 3, 2], 2),
        Class::Other(_) => return None,
    })
}

/// X.690 8.19.
fn ber(arcs: &[u32]) -> Vec<u8> {
    let Some((first, rest)) = arcs.split_first_chunk::<2>() else { return Vec::new() };
    let [one, two] = *first;
    let mut bytes = Vec::new();
    for number in std::iter::once(one * 40 + two).chain(rest.iter().copied()) {
        let groups = (32 - number.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let more = if group == 0 { 0 } else { 0x80 };
            bytes.extend(u8::try_from(number >> (7 * group) & 0x7f).map(|seven| seven | more));
        }
    }
    bytes
}
