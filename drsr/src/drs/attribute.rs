//! The attributes that are asked for: their OIDs, their types, their values.
//! An attribute that is not named here is never requested, so it never crosses the wire.
//! Before it: `prefix_table` (which attid is which OID). After it: `change`.

use crate::drs::change::{Dsname, Sid};

/// An attribute that phs uses. Secrets and links are not here: see `Change::nt_hash` and `Link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attribute {
    /// The classes of the object, most general first.
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
    /// RID of the primary group, which has no `member` link for this account.
    PrimaryGroupId,
    /// 1 once AdminSDHolder protected the object.
    AdminCount,
    /// The object is a tombstone.
    IsDeleted,
    /// The tombstone is past re-animation.
    IsRecycled,
    /// The RDN's value.
    Name,
    /// Domain head: negative count of 100 ns.
    MaxPwdAge,
    /// Domain head: negative count of 100 ns.
    LockoutDuration,
    /// Domain head: negative count of 100 ns.
    LockoutObservationWindow,
    /// Domain head: bad passwords before a lock; 0 means never.
    LockoutThreshold,
}

/// How an attribute's single value is written (MS-DRSR 5.16.1, MS-ADTS 3.1.1.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Integer,
    LargeInteger,
    Boolean,
    Text,
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
    /// Any other, by the attid that the reply gave it.
    Other(u32),
}
