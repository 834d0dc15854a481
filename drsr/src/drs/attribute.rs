//! The attributes that are asked for: their OIDs, their types, their values.
//! An attribute that is not named here is never requested, so it never crosses the wire.
//! Before it: `prefix_table` (which attid is which OID). After it: `change`.

use crate::drs::dsname::Dsname;
use crate::drs::sid::Sid;
use std::collections::BTreeMap;

/// An attribute that phs uses. Secrets and links are not here: see `Change::nt_hash` and `Link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// The classes of the object, all of its chain; the order is the DC's.
    ObjectClass,
    /// Pre-Windows 2000 logon name.
    SamAccountName,
    /// `user@domain`.
    UserPrincipalName,
    /// The name shown to people.
    DisplayName,
    /// ADS_UF flags (MS-ADTS 2.2.16).
    UserAccountControl,
    /// FILETIME after which the account is over; 0 and `i64::MAX` mean never.
    AccountExpires,
    /// FILETIME of the last password change; 0 means it must be changed.
    PwdLastSet,
    /// FILETIME of the lock; 0 means none.
    LockoutTime,
    /// 168 bits: the hours of the week in which sign-in is allowed.
    LogonHours,
    /// The computers that the account may log on to, by NetBIOS name and with commas; none: all.
    UserWorkstations,
    /// RID of the primary group, which has no `member` link for this account.
    PrimaryGroupId,
    /// 1 once AdminSDHolder protected the object.
    AdminCount,
    /// The directory itself needs the object.
    IsCriticalSystemObject,
    /// The number of a read-only DC, on the ticket-granting account of that DC.
    SecondaryKrbTgtNumber,
    /// The object is a tombstone.
    IsDeleted,
    /// The tombstone is past re-animation.
    IsRecycled,
    /// The RDN's value.
    Name,
    /// A computer's full DNS name.
    DnsHostName,
    /// Domain head: negative count of 100 ns.
    MaxPwdAge,
    /// Domain head: negative count of 100 ns.
    LockoutDuration,
    /// Domain head: negative count of 100 ns.
    LockoutObservationWindow,
    /// Domain head: bad passwords before a lock; 0 means never.
    LockoutThreshold,
    /// Domain head: negative count of 100 ns for which a password is kept.
    MinPwdAge,
    /// Domain head: fewest characters of a password.
    MinPwdLength,
    /// Domain head: number of former passwords that are remembered.
    PwdHistoryLength,
    /// Domain head: flags (MS-SAMR 2.2.1.15).
    PwdProperties,
    /// Mail address.
    Mail,
    /// Further addresses, `SMTP:` before the primary one.
    ProxyAddresses,
    /// First name.
    GivenName,
    /// Family name.
    Surname,
    /// Department.
    Department,
    /// Job title.
    Title,
    /// Phone on the desk.
    TelephoneNumber,
    /// Phone in the pocket.
    Mobile,
    /// What it is for, in words.
    Description,
    /// Flags of a group (MS-ADTS 2.2.12).
    GroupType,
    /// Password settings object: of several the smallest holds.
    Precedence,
    /// Password settings object: negative count of 100 ns.
    PsoMaxPwdAge,
    /// Password settings object: negative count of 100 ns.
    PsoLockoutDuration,
    /// Password settings object: negative count of 100 ns.
    PsoLockoutObservationWindow,
    /// Password settings object: bad passwords before a lock; 0 means never.
    PsoLockoutThreshold,
    /// Password settings object: negative count of 100 ns.
    PsoMinPwdAge,
    /// Password settings object: fewest characters of a password.
    PsoMinPwdLength,
    /// Password settings object: number of former passwords that are remembered.
    PsoPwdHistoryLength,
    /// Password settings object: whether a password must be complex.
    PsoComplexity,
    /// Free for administrators; Entra Connect's filters used it. On request, as all that follow.
    AdminDescription,
    /// Who may do what with the object (SECURITY_DESCRIPTOR, MS-DTYP 2.4.6).
    SecurityDescriptor,
    /// Exchange's extensionAttribute1 to 15, where the schema has them.
    Extension(u8),
    /// Any other of every forest's schema that describes an object for people, as its requester defines it.
    Described(&'static Described),
}

/// An attribute of every forest's schema that describes an object for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Described {
    /// lDAPDisplayName.
    pub name: &'static str,
    /// attributeID.
    pub oid: &'static str,
    /// attributeSyntax.
    pub syntax: DescribedSyntax,
}

/// One of them, for tests.
#[cfg(test)]
pub(crate) static COMPANY: Described =
    Described { name: "company", oid: "1.2.840.113556.1.2.146", syntax: DescribedSyntax::Text };

/// How the value of such an attribute is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DescribedSyntax {
    /// String(Unicode): [`Value::Text`].
    Text,
    /// String(IA5): [`Value::Text`].
    Ascii,
    /// Integer: [`Value::Integer`].
    Integer,
    /// String(Generalized-Time), seconds since 1601: [`Value::LargeInteger`].
    Time,
    /// String(Octet): [`Value::Bytes`].
    Octets,
}

impl Attribute {
    /// Whether the attribute decides: whether its object may sign in, under which names, and what the object is. Without
    /// such a value an object must not be carried, so an unreadable one holds the whole object back. All others describe
    /// an object for people, and are left out alone. The one table of both kinds: a new attribute needs its row.
    pub fn decides(self) -> bool {
        match self {
            // What the object is, and whether it is there.
            Self::ObjectClass
            | Self::IsDeleted
            | Self::IsCriticalSystemObject
            | Self::SecondaryKrbTgtNumber => true,
            // The names to sign in with.
            Self::SamAccountName | Self::UserPrincipalName => true,
            // Whether, when and from where the account may sign in.
            Self::UserAccountControl
            | Self::AccountExpires
            | Self::PwdLastSet
            | Self::LockoutTime
            | Self::LogonHours
            | Self::UserWorkstations => true,
            // Privileged or not, and to whom policies apply.
            Self::PrimaryGroupId | Self::AdminCount | Self::GroupType | Self::SecurityDescriptor => true,
            // The policies.
            Self::MaxPwdAge
            | Self::LockoutDuration
            | Self::LockoutObservationWindow
            | Self::LockoutThreshold
            | Self::MinPwdAge
            | Self::MinPwdLength
            | Self::PwdHistoryLength
            | Self::PwdProperties
            | Self::Precedence
            | Self::PsoMaxPwdAge
            | Self::PsoLockoutDuration
            | Self::PsoLockoutObservationWindow
            | Self::PsoLockoutThreshold
            | Self::PsoMinPwdAge
            | Self::PsoMinPwdLength
            | Self::PsoPwdHistoryLength
            | Self::PsoComplexity => true,
            // For people.
            Self::Name
            | Self::DisplayName
            | Self::Mail
            | Self::ProxyAddresses
            | Self::GivenName
            | Self::Surname
            | Self::Department
            | Self::Title
            | Self::TelephoneNumber
            | Self::Mobile
            | Self::Description
            | Self::AdminDescription
            | Self::Extension(_)
            | Self::Described(_) => false,
            // A computer without a readable DNS name is taken for no domain controller.
            Self::DnsHostName => false,
            // phs goes by isDeleted.
            Self::IsRecycled => false,
        }
    }

    /// Its lDAPDisplayName.
    pub fn name(self) -> &'static str {
        match self {
            Self::ObjectClass => "objectClass",
            Self::SamAccountName => "sAMAccountName",
            Self::UserPrincipalName => "userPrincipalName",
            Self::DisplayName => "displayName",
            Self::UserAccountControl => "userAccountControl",
            Self::AccountExpires => "accountExpires",
            Self::PwdLastSet => "pwdLastSet",
            Self::LockoutTime => "lockoutTime",
            Self::LogonHours => "logonHours",
            Self::UserWorkstations => "userWorkstations",
            Self::PrimaryGroupId => "primaryGroupID",
            Self::AdminCount => "adminCount",
            Self::IsCriticalSystemObject => "isCriticalSystemObject",
            Self::SecondaryKrbTgtNumber => "msDS-SecondaryKrbTgtNumber",
            Self::IsDeleted => "isDeleted",
            Self::IsRecycled => "isRecycled",
            Self::Name => "name",
            Self::DnsHostName => "dNSHostName",
            Self::MaxPwdAge => "maxPwdAge",
            Self::LockoutDuration => "lockoutDuration",
            Self::LockoutObservationWindow => "lockOutObservationWindow",
            Self::LockoutThreshold => "lockoutThreshold",
            Self::MinPwdAge => "minPwdAge",
            Self::MinPwdLength => "minPwdLength",
            Self::PwdHistoryLength => "pwdHistoryLength",
            Self::PwdProperties => "pwdProperties",
            Self::Mail => "mail",
            Self::ProxyAddresses => "proxyAddresses",
            Self::GivenName => "givenName",
            Self::Surname => "sn",
            Self::Department => "department",
            Self::Title => "title",
            Self::TelephoneNumber => "telephoneNumber",
            Self::Mobile => "mobile",
            Self::Description => "description",
            Self::GroupType => "groupType",
            Self::Precedence => "msDS-PasswordSettingsPrecedence",
            Self::PsoMaxPwdAge => "msDS-MaximumPasswordAge",
            Self::PsoLockoutDuration => "msDS-LockoutDuration",
            Self::PsoLockoutObservationWindow => "msDS-LockoutObservationWindow",
            Self::PsoLockoutThreshold => "msDS-LockoutThreshold",
            Self::PsoMinPwdAge => "msDS-MinimumPasswordAge",
            Self::PsoMinPwdLength => "msDS-MinimumPasswordLength",
            Self::PsoPwdHistoryLength => "msDS-PasswordHistoryLength",
            Self::PsoComplexity => "msDS-PasswordComplexityEnabled",
            Self::AdminDescription => "adminDescription",
            Self::SecurityDescriptor => "nTSecurityDescriptor",
            Self::Extension(number) => {
                let at = usize::from(number).checked_sub(1);
                at.and_then(|at| EXTENSIONS.get(at)).copied().unwrap_or("extensionAttribute")
            }
            Self::Described(described) => described.name,
        }
    }
}

const EXTENSIONS: [&str; 15] = [
    "extensionAttribute1",
    "extensionAttribute2",
    "extensionAttribute3",
    "extensionAttribute4",
    "extensionAttribute5",
    "extensionAttribute6",
    "extensionAttribute7",
    "extensionAttribute8",
    "extensionAttribute9",
    "extensionAttribute10",
    "extensionAttribute11",
    "extensionAttribute12",
    "extensionAttribute13",
    "extensionAttribute14",
    "extensionAttribute15",
];

/// How an attribute's values are written (MS-DRSR 5.16.1, MS-ADTS 3.1.1.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Integer,
    LargeInteger,
    Boolean,
    Text,
    /// One byte a character.
    Ascii,
    /// Of several values.
    Texts,
    Bytes,
    Classes,
}

/// A decoded value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// 32-bit integer or flags.
    Integer(i32),
    /// 64-bit integer, interval or FILETIME: odd values are passed on as they are.
    LargeInteger(i64),
    /// Yes or no.
    Boolean(bool),
    /// Unicode text.
    Text(String),
    /// Several of them, in the DC's order.
    Texts(Vec<String>),
    /// Octets.
    Bytes(Vec<u8>),
    /// Object classes.
    Classes(Vec<Class>),
    /// A security identifier.
    Sid(Sid),
    /// The name of another object.
    Name(Dsname),
}

/// An object class, as far as qualifying an account needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `top`
    Top,
    /// `person`
    Person,
    /// `organizationalPerson`
    OrganizationalPerson,
    /// `user`
    User,
    /// `inetOrgPerson`
    InetOrgPerson,
    /// `computer`
    Computer,
    /// `group`
    Group,
    /// `contact`
    Contact,
    /// `msDS-ManagedServiceAccount`
    ManagedServiceAccount,
    /// `msDS-GroupManagedServiceAccount`
    GroupManagedServiceAccount,
    /// `trustedDomain`
    TrustedDomain,
    /// `foreignSecurityPrincipal`
    ForeignSecurityPrincipal,
    /// `domainDNS`
    DomainDns,
    /// `organizationalUnit`
    OrganizationalUnit,
    /// `container`
    Container,
    /// `msDS-PasswordSettings`
    PasswordSettings,
    /// Any other, by the attid that the reply gave it.
    Other(u32),
}

/// The most classes of one object: the longest chain of the schema, several times over.
const MAX_CLASSES: usize = 64;
/// Limit on the values of an attribute. Where values stand in the object, AD stores about 1,300 of them, and about 3,200
/// with the database pages of 32 KiB of Windows Server 2025.
const MAX_TEXTS: usize = 5_000;

/// Why bytes are no value of an attribute; completes a sentence that begins with the attribute's name.
const WRONG_LENGTH: &str = "has a value of the wrong length";
const HALF_A_CHARACTER: &str = "has a text with half a character (an unpaired surrogate)";
const HALF_A_UNIT: &str = "has a text with an odd number of bytes";
const NOT_ASCII: &str = "has a text that is not ASCII";
const SOME_TEXTS: &str = "has values that are no sound text, which are left out";
const MANY_TEXTS: &str = "has more than 5000 values; the others are left out";
pub(crate) const SEVERAL: &str = "has several values, and AD allows one";

/// Reads a single value; or why its bytes are none of that type.
pub(crate) fn value(syntax: Syntax, bytes: &[u8]) -> Result<Value, &'static str> {
    let read = match syntax {
        Syntax::Integer => bytes.try_into().map(|four| Value::Integer(i32::from_le_bytes(four))),
        Syntax::LargeInteger => bytes.try_into().map(|eight| Value::LargeInteger(i64::from_le_bytes(eight))),
        Syntax::Boolean => bytes.try_into().map(|four| Value::Boolean(u32::from_le_bytes(four) != 0)),
        Syntax::Bytes => Ok(Value::Bytes(bytes.to_vec())),
        Syntax::Text => return text(bytes).map(Value::Text),
        Syntax::Ascii if bytes.is_ascii() => {
            return Ok(Value::Text(String::from_utf8_lossy(bytes).into_owned()));
        }
        Syntax::Ascii => return Err(NOT_ASCII),
        Syntax::Texts | Syntax::Classes => return Err(SEVERAL),
    };
    read.map_err(|_: std::array::TryFromSliceError| WRONG_LENGTH)
}

fn text(bytes: &[u8]) -> Result<String, &'static str> {
    let (units, odd) = bytes.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(HALF_A_UNIT);
    }
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units).collect::<Result<String, _>>().map_err(|_| HALF_A_CHARACTER)
}

/// Reads the values that are texts, up to a limit; and what is wrong with the others.
pub(crate) fn texts(values: &[&[u8]]) -> (Value, Option<&'static str>) {
    let some = values.get(..MAX_TEXTS).unwrap_or(values);
    let sound: Vec<String> = some.iter().filter_map(|bytes| text(bytes).ok()).collect();
    let why = if sound.len() < some.len() {
        Some(SOME_TEXTS)
    } else {
        (some.len() < values.len()).then_some(MANY_TEXTS)
    };
    (Value::Texts(sound), why)
}

/// Reads the values of `objectClass`: attids, through the reply's own table.
pub(crate) fn classes(values: &[&[u8]], known: &BTreeMap<u32, Class>) -> Result<Value, &'static str> {
    if values.len() > MAX_CLASSES {
        return Err("has too many classes");
    }
    let class = |bytes: &&[u8]| {
        let attid = u32::from_le_bytes(<[u8; 4]>::try_from(*bytes).map_err(|_| WRONG_LENGTH)?);
        Ok(known.get(&attid).copied().unwrap_or(Class::Other(attid)))
    };
    values.iter().map(class).collect::<Result<Vec<_>, _>>().map(Value::Classes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;

    #[test]
    fn values_of_the_wrong_length_are_refused() {
        assert_eq!(value(Syntax::Integer, &[1, 0, 0, 0]), Ok(Value::Integer(1)));
        assert_eq!(value(Syntax::LargeInteger, &[0xff; 8]), Ok(Value::LargeInteger(-1)));
        assert_eq!(value(Syntax::Boolean, &[0xff; 4]), Ok(Value::Boolean(true)));
        assert_eq!(value(Syntax::Text, &[0x41, 0, 0xeb, 0]), Ok(Value::Text("Aë".to_owned())));
        assert_eq!(value(Syntax::Text, &[]), Ok(Value::Text(String::new())));
        assert_eq!(value(Syntax::Ascii, b"/bin/sh"), Ok(Value::Text("/bin/sh".to_owned())));
        for (syntax, bytes, why) in [
            (Syntax::Integer, &[1u8, 0, 0][..], WRONG_LENGTH),
            (Syntax::Integer, &[1, 0, 0, 0, 0], WRONG_LENGTH),
            (Syntax::Integer, &[], WRONG_LENGTH),
            (Syntax::LargeInteger, &[0; 4], WRONG_LENGTH),
            (Syntax::Boolean, &[1], WRONG_LENGTH),
            (Syntax::Ascii, &[0x2f, 0xe4], NOT_ASCII),
            (Syntax::Text, &[0x41], HALF_A_UNIT),
            (Syntax::Text, &[0, 0xd8], HALF_A_CHARACTER),
            (Syntax::Text, &[0, 0xdc, 0, 0xd8], HALF_A_CHARACTER),
        ] {
            assert_eq!(value(syntax, bytes), Err(why), "{syntax:?} {bytes:?}");
        }
        assert!(classes(&[&[0, 0, 1]], &BTreeMap::new()).is_err());
    }

    #[test]
    fn as_many_values_are_read_as_a_database_with_large_pages_stores() {
        let one: &[u8] = &[0x41, 0];
        for count in [1_300, 3_200, MAX_TEXTS] {
            let (Value::Texts(all), None) = texts(&vec![one; count]) else { panic!("{count}") };
            assert_eq!(all.len(), count);
        }
        assert!(MANY_TEXTS.contains(&MAX_TEXTS.to_string()));
    }

    #[test]
    fn controls_nul_and_noncharacters_are_text_as_in_the_directory() {
        let units: Vec<u8> =
            [0x41u16, 0, 7, 0xfffe, 0xd83d, 0xde00].into_iter().flat_map(u16::to_le_bytes).collect();
        let expected = Value::Text("A\u{0}\u{7}\u{fffe}\u{1f600}".to_owned());
        assert_eq!(value(Syntax::Text, &units), Ok(expected));
    }

    #[test]
    fn of_several_texts_the_sound_ones_are_read_up_to_a_limit() {
        let (a, half): (&[u8], &[u8]) = (&[0x41, 0], &[0x41, 0, 0, 0xd8]);
        let read = |values: &[&[u8]]| match texts(values) {
            (Value::Texts(texts), why) => (texts.len(), why),
            other => panic!("{other:?}"),
        };
        assert_eq!(read(&[a, a]), (2, None));
        assert_eq!(read(&[a, half, a]), (2, Some(SOME_TEXTS)));
        assert_eq!(read(&[half]), (0, Some(SOME_TEXTS)));
        assert_eq!(read(&vec![a; MAX_TEXTS]), (MAX_TEXTS, None));
        assert_eq!(read(&vec![a; MAX_TEXTS + 7]), (MAX_TEXTS, Some(MANY_TEXTS)));
    }
}
