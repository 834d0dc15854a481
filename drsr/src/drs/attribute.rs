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
    /// Free for administrators; Entra Connect's filters used it. On request, as all that follow.
    AdminDescription,
    /// Who may do what with the object (SECURITY_DESCRIPTOR, MS-DTYP 2.4.6).
    SecurityDescriptor,
    /// Company.
    Company,
    /// Division.
    Division,
    /// Number of an employee.
    EmployeeId,
    /// Number of an employee, again.
    EmployeeNumber,
    /// What kind of an employee.
    EmployeeType,
    /// Notes.
    Info,
    /// Town.
    Locality,
    /// Office.
    Office,
    /// Exchange's extensionAttribute1 to 15, where the schema has them.
    Extension(u8),
}

impl Attribute {
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
            Self::AdminDescription => "adminDescription",
            Self::SecurityDescriptor => "nTSecurityDescriptor",
            Self::Company => "company",
            Self::Division => "division",
            Self::EmployeeId => "employeeID",
            Self::EmployeeNumber => "employeeNumber",
            Self::EmployeeType => "employeeType",
            Self::Info => "info",
            Self::Locality => "l",
            Self::Office => "physicalDeliveryOfficeName",
            Self::Extension(number) => {
                let at = usize::from(number).checked_sub(1);
                at.and_then(|at| EXTENSIONS.get(at)).copied().unwrap_or("extensionAttribute")
            }
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

/// Reads a single value; `None` when its bytes are not of that type.
pub(crate) fn value(syntax: Syntax, bytes: &[u8]) -> Option<Value> {
    let whole = |value: Value, length: usize| (bytes.len() == length).then_some(value);
    match syntax {
        Syntax::Integer => whole(Value::Integer(i32::from_le_bytes(*bytes.first_chunk()?)), 4),
        Syntax::LargeInteger => whole(Value::LargeInteger(i64::from_le_bytes(*bytes.first_chunk()?)), 8),
        Syntax::Boolean => whole(Value::Boolean(u32::from_le_bytes(*bytes.first_chunk()?) != 0), 4),
        Syntax::Text => text(bytes).map(Value::Text),
        Syntax::Bytes => Some(Value::Bytes(bytes.to_vec())),
        Syntax::Texts | Syntax::Classes => None,
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    let (units, odd) = bytes.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    let text = char::decode_utf16(units).collect::<Result<String, _>>().ok()?;
    odd.is_empty().then_some(text)
}

/// Reads all values; `None` when there are too many, or the bytes of one are no text.
pub(crate) fn texts(values: &[&[u8]]) -> Option<Value> {
    if values.len() > MAX_TEXTS {
        return None;
    }
    values.iter().map(|bytes| text(bytes)).collect::<Option<Vec<_>>>().map(Value::Texts)
}

/// Reads the values of `objectClass`: attids, through the reply's own table.
pub(crate) fn classes(values: &[&[u8]], known: &BTreeMap<u32, Class>) -> Result<Value, &'static str> {
    if values.len() > MAX_CLASSES {
        return Err("it has too many classes");
    }
    let class = |bytes: &&[u8]| {
        let attid =
            u32::from_le_bytes(<[u8; 4]>::try_from(*bytes).map_err(|_| "objectClass is of the wrong type")?);
        Ok(known.get(&attid).copied().unwrap_or(Class::Other(attid)))
    };
    values.iter().map(class).collect::<Result<Vec<_>, _>>().map(Value::Classes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_wrong_length_are_refused() {
        assert_eq!(value(Syntax::Integer, &[1, 0, 0, 0]), Some(Value::Integer(1)));
        assert_eq!(value(Syntax::LargeInteger, &[0xff; 8]), Some(Value::LargeInteger(-1)));
        assert_eq!(value(Syntax::Boolean, &[0xff; 4]), Some(Value::Boolean(true)));
        assert_eq!(value(Syntax::Text, &[0x41, 0, 0xeb, 0]), Some(Value::Text("Aë".to_owned())));
        for (syntax, bytes) in [
            (Syntax::Integer, &[1u8, 0, 0][..]),
            (Syntax::Integer, &[1, 0, 0, 0, 0]),
            (Syntax::LargeInteger, &[0; 4]),
            (Syntax::Boolean, &[1]),
            (Syntax::Text, &[0x41]),
            (Syntax::Text, &[0, 0xd8]),
        ] {
            assert_eq!(value(syntax, bytes), None, "{syntax:?} {bytes:?}");
        }
        assert!(classes(&[&[0, 0, 1]], &BTreeMap::new()).is_err());
    }

    #[test]
    fn as_many_values_are_read_as_a_database_with_large_pages_stores() {
        let one: &[u8] = &[0x41, 0];
        for count in [1_300, 3_200, MAX_TEXTS] {
            let Some(Value::Texts(all)) = texts(&vec![one; count]) else { panic!("{count}") };
            assert_eq!(all.len(), count);
        }
        assert_eq!(texts(&vec![one; MAX_TEXTS + 1]), None);
    }
}
