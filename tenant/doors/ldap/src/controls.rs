//! Controls of requests (RFC 4511 4.1.11), each kind at most once, and how the answers' controls are written.
//!
//! A control that is known and malformed is a protocol error, critical or not. A control that is unknown is kept by its
//! OID and criticality: the caller refuses a critical one with `unavailableCriticalExtension`, and ignores the others.
//! Neighbours: [`super::message`] decodes the controls of a request, [`super::response`] encodes a [`ResponseControl`].

use super::framing::{Element, split};
use rasn::{AsnType, Decode, Encode, prelude::*};

/// Paged results (RFC 2696), in requests and answers.
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// Server-side sort, request (RFC 2891).
pub const SORT_REQUEST: &str = "1.2.840.113556.1.4.473";
/// Server-side sort, answer (RFC 2891).
pub const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474";
/// ManageDsaIT (RFC 3296). There are no referrals here, so it changes nothing.
pub const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// Password policy, in requests and answers (draft-behera-ldap-password-policy).
pub const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// Limit on the bytes of a control's OID, and of an attribute's name in a sort key.
const MAX_OID: usize = 128;
/// Limit on the bytes of a paging cookie: those of this server are shorter.
const MAX_COOKIE: usize = 256;
/// Limit on sort keys. Clients send one or two.
const MAX_SORT_KEYS: usize = 8;

/// The controls of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Controls {
    /// Paged results.
    pub paged: Option<Paged>,
    /// Server-side sort.
    pub sort: Option<Sort>,
    /// Whether the request has ManageDsaIT.
    pub manage_dsa_it: bool,
    /// Whether the client wants the answer's password policy control.
    pub password_policy: bool,
    /// Controls that this server does not know.
    pub unknown: Vec<UnknownControl>,
}

/// The request for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged {
    /// The most entries of the page. 0 with a cookie: the client ends the search.
    pub size: u32,
    /// Empty for the first page; else what the answer before had.
    pub cookie: Vec<u8>,
}

/// The order that the client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The keys, the most significant first; at least one.
    pub keys: Vec<SortKey>,
    /// Whether the search must fail if it cannot be sorted so.
    pub critical: bool,
}

/// One key of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    /// The attribute's name as the client sent it.
    pub attribute: String,
    /// The ordering rule as the client sent it. None: the attribute's own.
    pub rule: Option<String>,
    /// Whether the greatest value comes first.
    pub reverse: bool,
}

/// A control that this server does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownControl {
    /// Its OID.
    pub oid: String,
    /// Whether the request must fail because of it.
    pub critical: bool,
}

/// RFC 2696 2: `realSearchControlValue`
#[derive(AsnType, Decode, Encode)]
struct PagedValue {
    size: u32,
    cookie: OctetString,
}

/// RFC 2891 1.1: one of `SortKeyList`
#[derive(AsnType, Decode)]
struct SortKeyValue {
    attribute_type: OctetString,
    #[rasn(tag(0))]
    ordering_rule: Option<OctetString>,
    #[rasn(tag(1), default)]
    reverse_order: bool,
}

impl Controls {
    /// Decodes the content of `controls`. At most `limit` controls.
    pub(crate) fn decode(mut content: &[u8], limit: usize) -> Result<Self, &'static str> {
        const TWICE: &str = "two controls of one kind";
        let mut controls = Self::default();
        let mut count = 0;
        while !content.is_empty() {
            let (element, after) = split(content)?;
            content = after;
            count += 1;
            if count > limit {
                return Err("too many controls");
            }
            let control = control(element)?;
            let value = control.control_value.as_deref();
            // Some clients write an empty value where there must be none.
            let has_content = value.is_some_and(|value| !value.is_empty());
            let twice = match control.oid.as_str() {
                PAGED_RESULTS => controls.paged.replace(paged(value)?).is_some(),
                SORT_REQUEST => controls.sort.replace(sort(value, control.critical)?).is_some(),
                MANAGE_DSA_IT if has_content => return Err("ManageDsaIT with a value"),
                MANAGE_DSA_IT => std::mem::replace(&mut controls.manage_dsa_it, true),
                PASSWORD_POLICY if has_content => {
                    return Err("the request for password policy has a value");
                }
                PASSWORD_POLICY => std::mem::replace(&mut controls.password_policy, true),
                _ => {
                    let twice = controls.unknown.iter().any(|other| other.oid == control.oid);
                    controls.unknown.push(UnknownControl { oid: control.oid, critical: control.critical });
                    twice
                }
            };
            if twice {
                return Err(TWICE);
            }
        }
        Ok(controls)
    }

    /// The OID of a control that is critical and unknown, if there is one.
    pub fn unknown_critical(&self) -> Option<&str> {
        self.unknown.iter().find(|control| control.critical).map(|control| control.oid.as_str())
    }
}

/// One control with its OID as a text.
struct DecodedControl {
    oid: String,
    critical: bool,
    control_value: Option<OctetString>,
}

fn control(element: Element<'_>) -> Result<DecodedControl, &'static str> {
    let control: rasn_ldap::Control =
        rasn::ber::decode(element.whole).map_err(|_| "a control is malformed")?;
    let oid = oid(&control.control_type).ok_or("a control without a sound OID")?;
    Ok(DecodedControl { oid, critical: control.criticality, control_value: control.control_value })
}

/// The text of an LDAPOID: numbers joined by dots.
pub(crate) fn oid(bytes: &[u8]) -> Option<String> {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_OID)?;
    (text.contains('.') && text.split('.').all(number)).then(|| text.to_owned())
}

fn paged(value: Option<&[u8]>) -> Result<Paged, &'static str> {
    const WRONG: &str = "the control for paged results is malformed";
    let value: PagedValue = value.and_then(decoded).ok_or(WRONG)?;
    let size = i32::try_from(value.size).map_err(|_| WRONG).map(i32::unsigned_abs)?;
    let cookie = value.cookie.to_vec();
    if cookie.len() > MAX_COOKIE {
        return Err("the cookie for paged results is longer than any of this server");
    }
    Ok(Paged { size, cookie })
}

fn sort(value: Option<&[u8]>, critical: bool) -> Result<Sort, &'static str> {
    const WRONG: &str = "the control for sorting is malformed";
    let text = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok();
        text.filter(|text| (1..=MAX_OID).contains(&text.len())).map(str::to_owned).ok_or(WRONG)
    };
    let (list, after) = split(value.unwrap_or_default()).map_err(|_| WRONG)?;
    if list.tag != 0x30 || !after.is_empty() {
        return Err(WRONG);
    }
    let mut content = list.content;
    let mut keys = Vec::new();
    while !content.is_empty() {
        let (element, after) = split(content).map_err(|_| WRONG)?;
        content = after;
        let key: SortKeyValue = decoded(element.whole).ok_or(WRONG)?;
        if keys.len() == MAX_SORT_KEYS {
            return Err("too many sort keys");
        }
        keys.push(SortKey {
            attribute: text(&key.attribute_type)?,
            rule: key.ordering_rule.as_deref().map(text).transpose()?,
            reverse: key.reverse_order,
        });
    }
    if keys.is_empty() { Err(WRONG) } else { Ok(Sort { keys, critical }) }
}

/// The value that all of the bytes are. None: they are not.
fn decoded<T: Decode>(bytes: &[u8]) -> Option<T> {
    let (value, after) = rasn::ber::decode_with_remainder(bytes).ok()?;
    after.is_empty().then_some(value)
}

/// A control of an answer. None of them is critical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseControl {
    /// Paged results (RFC 2696).
    Paged {
        /// How many entries the whole search has. 0: unknown.
        estimate: u32,
        /// What the client sends for the next page. Empty: this was the last one.
        cookie: Vec<u8>,
    },
    /// Whether the entries are sorted (RFC 2891).
    Sorted(SortResult),
    /// The account's state for its password (draft-behera-ldap-password-policy 6.2).
    PasswordPolicy {
        /// Seconds until the password expires.
        expires_in: Option<u32>,
        /// What is wrong with the password.
        error: Option<PasswordPolicyError>,
    },
}

/// `sortResult` of RFC 2891 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortResult {
    /// The entries are sorted.
    Success,
    /// An attribute in a key is unknown.
    NoSuchAttribute,
    /// An attribute in a key has no such ordering rule.
    InappropriateMatching,
    /// The server does not sort that many entries, or not by that many keys.
    UnwillingToPerform,
}

/// `error` of the password policy's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordPolicyError {
    /// The password has expired.
    PasswordExpired,
    /// The account is locked, or disabled.
    AccountLocked,
    /// The password must be changed before anything else.
    ChangeAfterReset,
    /// The person may not change the password.
    PasswordModNotAllowed,
    /// The change needs the old password as well.
    MustSupplyOldPassword,
    /// The new password is too simple.
    InsufficientPasswordQuality,
    /// The new password is too short.
    PasswordTooShort,
    /// The password was changed a short time ago.
    PasswordTooYoung,
    /// The new password was used before.
    PasswordInHistory,
}

/// RFC 2891 1.2: `SortResult`
#[derive(AsnType, Encode)]
struct SortResultValue {
    sort_result: rasn_ldap::ResultCode,
}

/// draft-behera-ldap-password-policy 6.2: `PasswordPolicyResponseValue`, of whose warnings one is written.
#[derive(AsnType, Encode)]
struct PasswordPolicyValue {
    #[rasn(tag(explicit(0)))]
    warning: Option<PasswordPolicyWarning>,
    #[rasn(tag(1))]
    error: Option<PasswordPolicyErrorValue>,
}

#[derive(AsnType, Encode)]
#[rasn(choice)]
enum PasswordPolicyWarning {
    #[rasn(tag(0))]
    TimeBeforeExpiration(u32),
}

#[derive(AsnType, Encode, Debug, Clone, Copy, PartialEq, Eq)]
#[rasn(enumerated)]
enum PasswordPolicyErrorValue {
    PasswordExpired = 0,
    AccountLocked = 1,
    ChangeAfterReset = 2,
    PasswordModNotAllowed = 3,
    MustSupplyOldPassword = 4,
    InsufficientPasswordQuality = 5,
    PasswordTooShort = 6,
    PasswordTooYoung = 7,
    PasswordInHistory = 8,
}

impl ResponseControl {
    /// The control as the codec writes it. None: its value cannot be written.
    pub(crate) fn to_control(&self) -> Option<rasn_ldap::Control> {
        let (oid, value) = match self {
            Self::Paged { estimate, cookie } => {
                let size = (*estimate).min(i32::MAX.unsigned_abs());
                let value = PagedValue { size, cookie: OctetString::from(cookie.as_slice()) };
                (PAGED_RESULTS, rasn::ber::encode(&value))
            }
            Self::Sorted(result) => {
                let sort_result = match result {
                    SortResult::Success => rasn_ldap::ResultCode::Success,
                    SortResult::NoSuchAttribute => rasn_ldap::ResultCode::NoSuchAttribute,
                    SortResult::InappropriateMatching => rasn_ldap::ResultCode::InappropriateMatching,
                    SortResult::UnwillingToPerform => rasn_ldap::ResultCode::UnwillingToPerform,
                };
                (SORT_RESPONSE, rasn::ber::encode(&SortResultValue { sort_result }))
            }
            Self::PasswordPolicy { expires_in, error } => {
                let seconds = |seconds: u32| seconds.min(i32::MAX.unsigned_abs());
                let value = PasswordPolicyValue {
                    warning: expires_in.map(seconds).map(PasswordPolicyWarning::TimeBeforeExpiration),
                    error: error.map(written_error),
                };
                (PASSWORD_POLICY, rasn::ber::encode(&value))
            }
        };
        let value = OctetString::from(value.ok()?);
        Some(rasn_ldap::Control::new(OctetString::from(oid.as_bytes()), false, Some(value)))
    }
}

fn written_error(error: PasswordPolicyError) -> PasswordPolicyErrorValue {
    match error {
        PasswordPolicyError::PasswordExpired => PasswordPolicyErrorValue::PasswordExpired,
        PasswordPolicyError::AccountLocked => PasswordPolicyErrorValue::AccountLocked,
        PasswordPolicyError::ChangeAfterReset => PasswordPolicyErrorValue::ChangeAfterReset,
        PasswordPolicyError::PasswordModNotAllowed => PasswordPolicyErrorValue::PasswordModNotAllowed,
        PasswordPolicyError::MustSupplyOldPassword => PasswordPolicyErrorValue::MustSupplyOldPassword,
        PasswordPolicyError::InsufficientPasswordQuality => {
            PasswordPolicyErrorValue::InsufficientPasswordQuality
        }
        PasswordPolicyError::PasswordTooShort => PasswordPolicyErrorValue::PasswordTooShort,
        PasswordPolicyError::PasswordTooYoung => PasswordPolicyErrorValue::PasswordTooYoung,
        PasswordPolicyError::PasswordInHistory => PasswordPolicyErrorValue::PasswordInHistory,
    }
}
