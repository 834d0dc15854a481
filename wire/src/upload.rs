//! What phs tells the tenant of a domain, and what the tenant says of having it.
//!
//! One cycle: `POST /v1/upload/hello` (a [`Hello`]: what does the tenant hold?), then for every page
//! `POST /v1/upload/offer` (an [`Offer`]: which passwords are wanted?) and `POST /v1/upload` (an
//! [`Upload`]); the last page's upload carries the commit. Only digests that are wanted are derived,
//! so a digest that the tenant holds is never derived again, whatever was killed in between.
//!
//! Repeats and late comers do no harm: per (object, attribute) and per link only a greater [`Stamp`] is applied,
//! except in a declared full compare, where what was sent replaces what was held.
//!
//! A phs sends what the tenant accepts by its [`Receipt::level`], see [`LEVEL`]. A tenant accepts the messages of every
//! lower level. What a phs does not need of a level it leaves out, so that its messages are those of level 0.
//!
//! While it runs, and also between cycles, a phs sends `POST /v1/upload/heartbeat` (a [`PhsHeartbeat`]). Level 2.

use crate::bounded::{Blob, List, Text};
use crate::described::{Described, DescribedName};
use crate::nodes::NodeUrls;
use crate::reserved::{NameHash, ReservedAttribute, Reserving};
use landbridge_crypto::salted_digest::SaltedDigest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::Duration;
use uuid::Uuid;

/// The most records in one upload, and offers in one question.
pub const MAX_RECORDS: usize = 1000;

/// Limit on the attributes of one record. Levels below 3 have at most 32, which all others but [`Described`] are.
pub const MAX_ATTRIBUTES: usize = 96;

/// The most links in one upload.
pub const MAX_LINKS: usize = 4000;

/// Limit on reserved names in one upload: with three hashes each, they take half a MiB.
pub const MAX_RESERVED: usize = 1000;

/// Limit on the accounts in one hello whose digest the tenant lacks. Those over it come with a later one.
pub const MAX_LACKING: usize = 100;

/// The level of this build: what its tenant accepts, and what its phs sends at most.
///
/// - 0: accounts, with the attributes of [`AttributeValue::level`] 0.
/// - 1 (version 0.1): also groups, contacts, password settings objects, links, all other attributes,
///   [`Record::erase_password`] and [`Upload::most_swept`].
/// - 2: also [`Upload::reserved`], [`Upload::level`], [`Mode::FullCompareByStamp`], [`Offer::iterations`] and a
///   [`PhsHeartbeat`]; texts of attributes as long as AD has them, see [`AttributeValue::fit`].
/// - 3: also [`AttributeValue::Described`], and more than 32 attributes of a record; [`Kind::Container`],
///   [`AttributeValue::Rdn`] and [`AttributeValue::Parent`].
/// - 4: also what a domain and a password settings object demand of a new password: [`DomainPolicy::min_pwd_length`] and
///   those below it, and the attributes of [`AttributeValue::level`] 4.
pub const LEVEL: u8 = 4;

/// The lowest level that has the rules for new passwords.
pub const PASSWORD_RULES_FROM: u8 = 4;

/// The lowest level that has [`AttributeValue::Described`].
pub const DESCRIBED_FROM: u8 = 3;

/// The lowest level that has [`Kind::Container`] and the place of an object in the directory's tree.
pub const TREE_FROM: u8 = 3;

/// The lowest level that has [`Mode::FullCompareByStamp`].
pub const BY_STAMP_FROM: u8 = 2;

/// The lowest level that has reserved names.
pub const RESERVED_FROM: u8 = 2;

/// The lowest level that has [`Offer::iterations`].
pub const ITERATIONS_FROM: u8 = 2;
/// The lowest level whose texts are bounded by AD's characters. Below it 256 characters of Greek were too long.
pub const LONG_TEXTS_FROM: u8 = 2;

/// The lowest level that has a [`PhsHeartbeat`].
pub const HEARTBEAT_FROM: u8 = 2;

/// Interval at which a phs sends a [`PhsHeartbeat`]. A copy of its identity is noticed at most 5 s and this later.
pub const HEARTBEAT: Duration = Duration::from_secs(3);

/// When and where a value was written: `PROPERTY_META_DATA_EXT` (MS-DRSR 4.1.10.2.7) without its USN.
/// Ordered as replication orders writes: version, then time, then originating invocation id
/// (MS-ADTS 3.1.1.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// How many times the value was written.
    pub version: u32,
    /// When it was written: seconds since 1601-01-01 (DSTIME).
    pub time: u64,
    /// The database in which it was written.
    pub invocation_id: Uuid,
}

/// Names a cursor without showing it: SHA-256 of its stored bytes, lower hex.
pub type CursorName = Text<64>;

/// The first question of a cycle; changes nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The process that asks; a new one at every start.
    pub instance: Uuid,
    /// The SID of the domain that the agent reads, as text.
    pub domain_sid: Text<192>,
}

/// This process of the phs runs. Sent to a tenant of level 2 at least, which returns it unchanged. Changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhsHeartbeat {
    /// The process.
    pub instance: Uuid,
}

/// Which of these passwords does the tenant lack?
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The process that asks.
    pub instance: Uuid,
    /// The accounts whose passwords are at hand, with the stamp of each.
    pub passwords: List<(Uuid, Stamp), MAX_RECORDS>,
    /// If the tenant's level is 2 or greater: the iterations of the digests that phs derives now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
}

/// The answer to an [`Offer`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Wanted {
    /// objectGUIDs of those to derive and send.
    pub objects: List<Uuid, MAX_RECORDS>,
    /// objectGUIDs of those whose digest the tenant holds with fewer iterations than the offer names. People sign in by
    /// it meanwhile, so these can wait.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub again: List<Uuid, MAX_RECORDS>,
}

/// How an upload is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Changes since the acknowledged cursor.
    Incremental,
    /// Everything in scope: values replace what is held, and what was not sent by the commit is gone.
    FullCompare,
    /// Everything in scope: a greater stamp wins, as in [`Mode::Incremental`], and what was not sent by the commit is
    /// gone. A phs that lost its state sends this, since the domain controller that it reads may lag behind what the
    /// tenant holds. Level 2.
    FullCompareByStamp,
}

impl Mode {
    /// Whether everything in scope is sent.
    pub fn is_full(self) -> bool {
        match self {
            Self::Incremental => false,
            Self::FullCompare | Self::FullCompareByStamp => true,
        }
    }
}

/// One page of a cycle.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The process that sends.
    pub instance: Uuid,
    /// The SID of the domain that the agent reads, as text.
    pub domain_sid: Text<192>,
    /// The cycle that this page belongs to.
    pub cycle: Uuid,
    /// Whether this is part of a full compare.
    pub mode: Mode,
    /// The domain's policy, if it changed or everything is compared.
    #[serde(default)]
    pub policy: Option<DomainPolicy>,
    /// The objects.
    pub records: List<Record, MAX_RECORDS>,
    /// Sign-in names of accounts that are not carried. In a full compare all of them; otherwise those that changed.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub reserved: List<ReservedName, MAX_RESERVED>,
    /// Links between objects. Either end may be an object that was not sent, or not yet.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub links: List<Link, MAX_LINKS>,
    /// On the last page: the cycle is complete, and this names the cursor that it ends at.
    #[serde(default)]
    pub commit: Option<CursorName>,
    /// With the commit of a full compare: limit on accounts that the tenant removes because they were not sent. None:
    /// no limit. Above the limit the compare is not closed:
    /// [`ProblemCode::RemovalsHeld`](crate::problem::ProblemCode).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_swept: Option<u64>,
    /// With the commit, if the tenant's level is 2 or greater: the level of the cycle. From 2 on a full compare has
    /// named all reserved names.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub level: u8,
}

/// What the tenant has.
#[derive(Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Changes when the tenant's database is created again or restored.
    pub generation: Uuid,
    /// The cursor of the last complete cycle.
    pub acknowledged: Option<CursorName>,
    /// The cursor of the complete cycle before that: an agent that was killed after the tenant's commit and before
    /// its own still has this one.
    pub acknowledged_before: Option<CursorName>,
    /// What the tenant accepts: see [`LEVEL`].
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub level: u8,
    /// In the answer to a hello: with what phs reserves names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserving: Option<Reserving>,
    /// In the answer to a hello: accounts whose digest the tenant has dropped, since it is not known whether their
    /// password was changed. phs sends the one that holds. A phs below level 4 ignores this.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub lacking: List<Uuid, MAX_LACKING>,
    /// With the commit of a full compare: number of accounts with a name that an account of this domain has that is not
    /// carried. Such a name signs nobody in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ambiguous: Option<u32>,
    /// In the answer to a hello: the tenant's nodes. A tenant of before this field sends none, and a phs of before it
    /// ignores the field.
    #[serde(default, skip_serializing_if = "List::is_empty")]
    pub nodes: NodeUrls,
    /// Records of this upload that changed something.
    pub applied: u32,
    /// Records of this upload that changed nothing.
    pub unchanged: u32,
    /// Objects gone because a full compare ended without them.
    pub swept: u32,
    /// Records that the tenant did not take, and why.
    pub refused: List<Refusal, MAX_RECORDS>,
}

/// A record that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Its objectGUID.
    pub object: Uuid,
    /// Why.
    pub why: RefusalReason,
}

/// Why a record was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalReason {
    /// A digest of a privileged account, and the domain was not added with `--allow-privileged`.
    Privileged,
    /// The digest's iterations or salt are below what the domain takes.
    WeakDigest,
    /// The SID is not of this domain, or the object belongs to another domain.
    ForeignSid,
}

/// One object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// objectGUID: the anchor, always.
    pub object: Uuid,
    /// What it is.
    #[serde(default, skip_serializing_if = "Kind::is_account")]
    pub kind: Kind,
    /// objectSid, as text; accounts and groups have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Text<192>>,
    /// Whether it is in the cloud at all.
    pub presence: Presence,
    /// Privileged in AD, and carried because phs's administrator named it: the tenant takes its digest only if
    /// its own administrator allowed that for the domain.
    #[serde(default)]
    pub privileged: bool,
    /// Member of Protected Users; absent when nothing is known to have changed.
    #[serde(default)]
    pub protected_user: Option<bool>,
    /// What changed.
    #[serde(default)]
    pub attributes: List<Attribute, MAX_ATTRIBUTES>,
    /// The password, when it is wanted.
    #[serde(default)]
    pub password: Option<Password>,
    /// It has no password now, or its password is not to be carried: the tenant erases the digest and nothing else.
    #[serde(default, skip_serializing_if = "is_false")]
    pub erase_password: bool,
}

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// user or inetOrgPerson: may sign in.
    #[default]
    Account,
    /// group.
    Group,
    /// contact.
    Contact,
    /// msDS-PasswordSettings: a fine-grained policy (MS-ADTS 3.1.1.4.5.36).
    PasswordSettings,
    /// What other objects are in: an OU, a container, or the domain's head, which has no [`AttributeValue::Parent`].
    Container,
}

impl Kind {
    fn is_account(&self) -> bool {
        *self == Self::Account
    }
}

/// One value of a linked attribute, added or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Of which attribute.
    pub what: LinkKind,
    /// objectGUID of the object that has the attribute.
    pub from: Uuid,
    /// objectGUID of the object that the value names.
    pub to: Uuid,
    /// Added, or removed.
    pub present: bool,
    /// When the value was first written: seconds since 1601-01-01. A value that was removed for good and is written
    /// again starts with a new creation, so this is compared before the stamp: the greater pair wins (MS-DRSR
    /// 4.1.10.6, `VALUE_META_DATA_EXT_V1`).
    pub created: u64,
    /// When and where it was written last.
    pub stamp: Stamp,
}

/// The names that one attribute of an account that is not carried yields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservedName {
    /// objectGUID of the account.
    pub object: Uuid,
    /// Which attribute.
    pub attribute: ReservedAttribute,
    /// When and where the attribute was written.
    pub stamp: Stamp,
    /// The hashes of its names; empty: it has no value any more, or one that yields no name.
    pub hashes: List<NameHash, 3>,
}

/// A linked attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// member: from a group to a member. A primary group has no such link, see
    /// [`AttributeValue::PrimaryGroupId`].
    Member,
    /// manager: from a person to the manager.
    Manager,
    /// msDS-PSOAppliesTo: from a password settings object to an account or a global security group.
    AppliesTo,
}

/// Whether an account is in the cloud, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// It is.
    Present,
    /// Deleted in AD: no sign-in; the digest is erased.
    Deleted,
    /// Privileged: no sign-in; the digest is erased.
    Privileged,
    /// Left the scope: no sign-in; the digest is erased.
    OutOfScope,
}

/// One attribute of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// When and where it was written.
    pub stamp: Stamp,
    /// Name and value.
    pub is: AttributeValue,
}

/// Limit in bytes of the first part of a distinguished name. AD's have a type and 255 characters, of which each may take
/// three bytes, escaped or not.
pub const MAX_RDN: usize = 1024;

/// Limit in bytes of a text of which AD accepts this many characters (rangeUpper of the attribute in Microsoft's schema,
/// MS-ADA1 to MS-ADA3). AD counts UTF-16 units, and a unit takes at most three bytes of UTF-8.
const fn characters(units: usize) -> usize {
    3 * units
}

/// Name and value of an attribute; none: it was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeValue {
    /// sAMAccountName.
    SamAccountName(Option<Text<{ characters(256) }>>),
    /// userPrincipalName.
    UserPrincipalName(Option<Text<{ characters(1024) }>>),
    /// displayName.
    DisplayName(Option<Text<{ characters(256) }>>),
    /// userAccountControl, as stored in AD: without the computed bits (MS-ADTS 2.2.16).
    UserAccountControl(Option<i32>),
    /// accountExpires: FILETIME; 0 and `i64::MAX` mean never.
    AccountExpires(Option<i64>),
    /// pwdLastSet: FILETIME; 0 means must change at next logon.
    PwdLastSet(Option<i64>),
    /// lockoutTime: FILETIME; 0 means not locked.
    LockoutTime(Option<i64>),
    /// logonHours: 21 bytes, a bit an hour, from Sunday 00:00 UTC (MS-SAMR 2.2.6.5).
    LogonHours(Option<Blob<21>>),
    /// primaryGroupID: a RID.
    PrimaryGroupId(Option<i32>),
    /// adminCount.
    AdminCount(Option<i32>),
    /// The attribute that phs's administrator chose as a further sign-in name.
    AlternateLogin(Option<Text<{ characters(1024) }>>),
    /// mail.
    Mail(Option<Text<{ characters(1024) }>>),
    /// proxyAddresses, all of them; none: it was removed.
    ProxyAddresses(List<Text<{ characters(1123) }>, MAX_ADDRESSES>),
    /// givenName.
    GivenName(Option<Text<{ characters(256) }>>),
    /// sn.
    Surname(Option<Text<{ characters(256) }>>),
    /// department.
    Department(Option<Text<{ characters(256) }>>),
    /// title.
    Title(Option<Text<{ characters(256) }>>),
    /// telephoneNumber.
    TelephoneNumber(Option<Text<{ characters(256) }>>),
    /// mobile.
    Mobile(Option<Text<{ characters(256) }>>),
    /// description, its first value.
    Description(Option<Text<{ characters(1024) }>>),
    /// groupType: flags (MS-ADTS 2.2.12).
    GroupType(Option<i32>),
    /// cn, of what has no other name.
    Name(Option<Text<{ characters(256) }>>),
    /// msDS-PasswordSettingsPrecedence: of several the smallest holds.
    Precedence(Option<i32>),
    /// msDS-MaximumPasswordAge; units as in [`DomainPolicy`], here and below.
    MaximumPasswordAge(Option<i64>),
    /// msDS-LockoutDuration.
    LockoutDuration(Option<i64>),
    /// msDS-LockoutObservationWindow.
    LockoutObservationWindow(Option<i64>),
    /// msDS-LockoutThreshold.
    LockoutThreshold(Option<i32>),
    /// msDS-MinimumPasswordAge.
    MinimumPasswordAge(Option<i64>),
    /// msDS-MinimumPasswordLength.
    MinimumPasswordLength(Option<i32>),
    /// msDS-PasswordHistoryLength.
    PasswordHistoryLength(Option<i32>),
    /// msDS-PasswordComplexityEnabled.
    PasswordComplexity(Option<bool>),
    /// The first part of the distinguished name, in the spelling of RFC 4514: `OU=Sales`. Its stamp, and that of
    /// [`Self::Parent`], is the one of `name`, which AD writes when an object is renamed or moved.
    Rdn(Option<Text<MAX_RDN>>),
    /// objectGUID of the container that the object is in.
    Parent(Option<Uuid>),
    /// One of [`crate::described::TABLE`].
    Described(Described),
}

/// The names of all attributes that a record can have, as text. If it changes, phs compares all objects again.
pub fn carried() -> String {
    let described = DescribedName::all().map(|name| name.row().name);
    AttributeValue::NAMES.into_iter().chain(described).collect::<Vec<_>>().join(", ")
}

impl AttributeValue {
    /// The names of all but [`Self::Described`], in their order.
    pub const NAMES: [&'static str; 33] = [
        "sAMAccountName",
        "userPrincipalName",
        "displayName",
        "userAccountControl",
        "accountExpires",
        "pwdLastSet",
        "lockoutTime",
        "logonHours",
        "primaryGroupID",
        "adminCount",
        "alternate login",
        "mail",
        "proxyAddresses",
        "givenName",
        "sn",
        "department",
        "title",
        "telephoneNumber",
        "mobile",
        "description",
        "groupType",
        "cn",
        "msDS-PasswordSettingsPrecedence",
        "msDS-MaximumPasswordAge",
        "msDS-LockoutDuration",
        "msDS-LockoutObservationWindow",
        "msDS-LockoutThreshold",
        "msDS-MinimumPasswordAge",
        "msDS-MinimumPasswordLength",
        "msDS-PasswordHistoryLength",
        "msDS-PasswordComplexityEnabled",
        "RDN",
        "parentGUID",
    ];

    /// The lowest level of a tenant that accepts it: see [`LEVEL`].
    pub fn level(&self) -> u8 {
        match self {
            Self::SamAccountName(_)
            | Self::UserPrincipalName(_)
            | Self::DisplayName(_)
            | Self::UserAccountControl(_)
            | Self::AccountExpires(_)
            | Self::PwdLastSet(_)
            | Self::LockoutTime(_)
            | Self::LogonHours(_)
            | Self::PrimaryGroupId(_)
            | Self::AdminCount(_) => 0,
            Self::AlternateLogin(_)
            | Self::Mail(_)
            | Self::ProxyAddresses(_)
            | Self::GivenName(_)
            | Self::Surname(_)
            | Self::Department(_)
            | Self::Title(_)
            | Self::TelephoneNumber(_)
            | Self::Mobile(_)
            | Self::Description(_)
            | Self::GroupType(_)
            | Self::Name(_)
            | Self::Precedence(_)
            | Self::MaximumPasswordAge(_)
            | Self::LockoutDuration(_)
            | Self::LockoutObservationWindow(_)
            | Self::LockoutThreshold(_) => 1,
            Self::Rdn(_) | Self::Parent(_) => TREE_FROM,
            Self::MinimumPasswordAge(_)
            | Self::MinimumPasswordLength(_)
            | Self::PasswordHistoryLength(_)
            | Self::PasswordComplexity(_) => PASSWORD_RULES_FROM,
            Self::Described(_) => DESCRIBED_FROM,
        }
    }

    /// Shortens or removes what a tenant of this level refuses because it is too long there. A text for people is cut, a
    /// name to sign in with is removed, and of several addresses the others stay.
    pub fn fit(&mut self, level: u8) {
        if level >= LONG_TEXTS_FROM {
            return;
        }
        match self {
            Self::SamAccountName(name) => remove_longer(name, 256),
            Self::UserPrincipalName(name) | Self::AlternateLogin(name) | Self::Mail(name) => {
                remove_longer(name, 1024);
            }
            Self::DisplayName(text)
            | Self::GivenName(text)
            | Self::Surname(text)
            | Self::Department(text)
            | Self::Title(text)
            | Self::TelephoneNumber(text)
            | Self::Mobile(text)
            | Self::Name(text) => cut(text, 256),
            Self::Description(text) => cut(text, 1024),
            Self::ProxyAddresses(addresses) => addresses.retain(|address| address.as_str().len() <= 1123),
            Self::UserAccountControl(_)
            | Self::AccountExpires(_)
            | Self::PwdLastSet(_)
            | Self::LockoutTime(_)
            | Self::LogonHours(_)
            | Self::PrimaryGroupId(_)
            | Self::AdminCount(_)
            | Self::GroupType(_)
            | Self::Precedence(_)
            | Self::MaximumPasswordAge(_)
            | Self::LockoutDuration(_)
            | Self::LockoutObservationWindow(_)
            | Self::LockoutThreshold(_)
            | Self::MinimumPasswordAge(_)
            | Self::MinimumPasswordLength(_)
            | Self::PasswordHistoryLength(_)
            | Self::PasswordComplexity(_)
            | Self::Rdn(_)
            | Self::Parent(_)
            | Self::Described(_) => {}
        }
    }

    /// Its name in AD.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SamAccountName(_) => "sAMAccountName",
            Self::UserPrincipalName(_) => "userPrincipalName",
            Self::DisplayName(_) => "displayName",
            Self::UserAccountControl(_) => "userAccountControl",
            Self::AccountExpires(_) => "accountExpires",
            Self::PwdLastSet(_) => "pwdLastSet",
            Self::LockoutTime(_) => "lockoutTime",
            Self::LogonHours(_) => "logonHours",
            Self::PrimaryGroupId(_) => "primaryGroupID",
            Self::AdminCount(_) => "adminCount",
            Self::AlternateLogin(_) => "alternate login",
            Self::Mail(_) => "mail",
            Self::ProxyAddresses(_) => "proxyAddresses",
            Self::GivenName(_) => "givenName",
            Self::Surname(_) => "sn",
            Self::Department(_) => "department",
            Self::Title(_) => "title",
            Self::TelephoneNumber(_) => "telephoneNumber",
            Self::Mobile(_) => "mobile",
            Self::Description(_) => "description",
            Self::GroupType(_) => "groupType",
            Self::Name(_) => "cn",
            Self::Precedence(_) => "msDS-PasswordSettingsPrecedence",
            Self::MaximumPasswordAge(_) => "msDS-MaximumPasswordAge",
            Self::LockoutDuration(_) => "msDS-LockoutDuration",
            Self::LockoutObservationWindow(_) => "msDS-LockoutObservationWindow",
            Self::LockoutThreshold(_) => "msDS-LockoutThreshold",
            Self::MinimumPasswordAge(_) => "msDS-MinimumPasswordAge",
            Self::MinimumPasswordLength(_) => "msDS-MinimumPasswordLength",
            Self::PasswordHistoryLength(_) => "msDS-PasswordHistoryLength",
            Self::PasswordComplexity(_) => "msDS-PasswordComplexityEnabled",
            Self::Rdn(_) => "RDN",
            Self::Parent(_) => "parentGUID",
            Self::Described(described) => described.name.row().name,
        }
    }
}

fn remove_longer<const MAX: usize>(name: &mut Option<Text<MAX>>, bytes: usize) {
    if name.as_ref().is_some_and(|name| name.as_str().len() > bytes) {
        *name = None;
    }
}

fn cut<const MAX: usize>(text: &mut Option<Text<MAX>>, bytes: usize) {
    if let Some(text) = text {
        text.shorten(bytes);
    }
}

/// The most proxyAddresses of one object.
pub const MAX_ADDRESSES: usize = 300;

/// A password's digest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Password {
    /// When and where the password was set: the stamp of unicodePwd.
    pub stamp: Stamp,
    /// The digest, in its text form.
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    pub digest: SaltedDigest,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_nothing(level: &u8) -> bool {
    *level == 0
}

fn write_digest<S: Serializer>(digest: &SaltedDigest, into: S) -> Result<S::Ok, S::Error> {
    into.serialize_str(&digest.to_text())
}

fn read_digest<'de, D: Deserializer<'de>>(from: D) -> Result<SaltedDigest, D::Error> {
    struct Reader;
    impl serde::de::Visitor<'_> for Reader {
        type Value = SaltedDigest;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a salted digest")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SaltedDigest, E> {
            SaltedDigest::parse(text).map_err(E::custom)
        }
    }
    from.deserialize_str(Reader)
}

/// The password and lockout policy of the domain, from its head. Intervals are negative counts of
/// 100 ns (MS-ADA2 2.46, MS-ADA1 2.351); `i64::MIN` and 0 mean never.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DomainPolicy {
    /// maxPwdAge.
    #[serde(default)]
    pub max_pwd_age: Option<(Stamp, i64)>,
    /// lockoutDuration.
    #[serde(default)]
    pub lockout_duration: Option<(Stamp, i64)>,
    /// lockOutObservationWindow.
    #[serde(default)]
    pub lockout_observation_window: Option<(Stamp, i64)>,
    /// lockoutThreshold: bad passwords until a lock; 0 means no lock.
    #[serde(default)]
    pub lockout_threshold: Option<(Stamp, i32)>,
    /// minPwdAge: how long a password is kept before it may be changed. This and all below: level 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_pwd_age: Option<(Stamp, i64)>,
    /// minPwdLength: the fewest characters of a new password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_pwd_length: Option<(Stamp, i32)>,
    /// pwdHistoryLength: how many former passwords are not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pwd_history_length: Option<(Stamp, i32)>,
    /// pwdProperties: flags (MS-SAMR 2.2.1.15); 1 means that a password must be complex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pwd_properties: Option<(Stamp, i32)>,
}

impl DomainPolicy {
    /// Removes what a tenant of this level refuses.
    pub fn fit(&mut self, level: u8) {
        if level < PASSWORD_RULES_FROM {
            let Self { max_pwd_age, lockout_duration, lockout_observation_window, lockout_threshold, .. } =
                *self;
            *self = Self {
                max_pwd_age,
                lockout_duration,
                lockout_observation_window,
                lockout_threshold,
                ..Self::default()
            };
        }
    }

    /// Whether no value is there.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
