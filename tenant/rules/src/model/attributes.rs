//! The attributes of an object.

use landbridge_wire::described::{DescribedName, DescribedValue};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The known attributes of an object. None: the attribute never arrived, or was removed in AD. The units are those of
/// [`landbridge_wire::upload::AttributeValue`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// sAMAccountName.
    pub sam_account_name: Option<String>,
    /// userPrincipalName.
    pub user_principal_name: Option<String>,
    /// displayName.
    pub display_name: Option<String>,
    /// userAccountControl.
    pub user_account_control: Option<i64>,
    /// accountExpires.
    pub account_expires: Option<i64>,
    /// pwdLastSet.
    pub pwd_last_set: Option<i64>,
    /// lockoutTime.
    pub lockout_time: Option<i64>,
    /// logonHours.
    pub logon_hours: Option<Vec<u8>>,
    /// primaryGroupID.
    pub primary_group_id: Option<i64>,
    /// adminCount.
    pub admin_count: Option<i64>,
    /// The attribute that phs's administrator chose as a further sign-in name.
    pub alternate_login: Option<String>,
    /// mail.
    pub mail: Option<String>,
    /// proxyAddresses, one address on each line.
    pub proxy_addresses: Option<String>,
    /// givenName.
    pub given_name: Option<String>,
    /// sn.
    pub surname: Option<String>,
    /// department.
    pub department: Option<String>,
    /// title.
    pub title: Option<String>,
    /// telephoneNumber.
    pub telephone_number: Option<String>,
    /// mobile.
    pub mobile: Option<String>,
    /// description.
    pub description: Option<String>,
    /// groupType.
    pub group_type: Option<i64>,
    /// cn, for objects that have no other name.
    pub name: Option<String>,
    /// msDS-PasswordSettingsPrecedence.
    pub precedence: Option<i64>,
    /// msDS-MaximumPasswordAge.
    pub maximum_password_age: Option<i64>,
    /// msDS-LockoutDuration.
    pub lockout_duration: Option<i64>,
    /// msDS-LockoutObservationWindow.
    pub lockout_observation_window: Option<i64>,
    /// msDS-LockoutThreshold.
    pub lockout_threshold: Option<i64>,
    /// msDS-MinimumPasswordAge.
    pub minimum_password_age: Option<i64>,
    /// msDS-MinimumPasswordLength.
    pub minimum_password_length: Option<i64>,
    /// msDS-PasswordHistoryLength.
    pub password_history_length: Option<i64>,
    /// msDS-PasswordComplexityEnabled: 0 or 1.
    pub password_complexity: Option<i64>,
    /// The first part of its distinguished name: `OU=Sales`.
    pub rdn: Option<String>,
    /// objectGUID of the container that it is in; the domain's head has none.
    pub parent: Option<Uuid>,
    /// Those of the wire's table that have a value, without those of octets.
    pub described: BTreeMap<DescribedName, DescribedValue>,
    /// Those of octets that have a value, with its size in bytes. A photo may have 100 KiB, and no sign-in needs it: it is
    /// read alone, on request.
    pub octets: BTreeMap<DescribedName, u64>,
}
