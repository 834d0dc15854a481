//! From the directory's words to the wire's: attributes, stamps, the domain's policy.
//! Whether an account is carried at all is `qualify`'s business.

use landbridge_drsr::drs::attribute::{Attribute as Name, Value};
use landbridge_drsr::drs::change::{AttributeChange, Stamp};
use landbridge_wire::bounded::{Blob, Text};
use landbridge_wire::upload;
use landbridge_wire::upload::AttributeValue as Is;

/// An attribute that the wire cannot carry; its object goes to quarantine. Never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attribute} is {why}")]
pub struct Odd {
    attribute: &'static str,
    why: &'static str,
}

/// The stamp as the wire has it.
pub fn stamp(stamp: Stamp) -> upload::Stamp {
    upload::Stamp { version: stamp.version, time: stamp.time, invocation_id: stamp.invocation_id }
}

/// The attributes that a record carries; the others are left out.
pub fn attributes(changes: Vec<AttributeChange>) -> Result<Vec<upload::Attribute>, Odd> {
    let carried = changes.into_iter().filter_map(|change| {
        let at = stamp(change.stamp);
        value(change).transpose().map(|is| is.map(|is| upload::Attribute { stamp: at, is }))
    });
    carried.collect()
}

fn value(change: AttributeChange) -> Result<Option<Is>, Odd> {
    let value = change.value;
    Ok(Some(match change.attribute {
        Name::SamAccountName => Is::SamAccountName(text("sAMAccountName", value)?),
        Name::UserPrincipalName => Is::UserPrincipalName(text("userPrincipalName", value)?),
        // Only for people to read: cut, where a name to sign in with must be whole.
        Name::DisplayName => Is::DisplayName(match value {
            None => None,
            Some(Value::Text(text)) => Some(Text::cut(&text)),
            Some(_) => return Err(Odd { attribute: "displayName", why: "of the wrong type" }),
        }),
        Name::UserAccountControl => Is::UserAccountControl(integer("userAccountControl", value)?),
        Name::AccountExpires => Is::AccountExpires(large("accountExpires", value)?),
        Name::PwdLastSet => Is::PwdLastSet(large("pwdLastSet", value)?),
        Name::LockoutTime => Is::LockoutTime(large("lockoutTime", value)?),
        Name::LogonHours => Is::LogonHours(match value {
            None => None,
            Some(Value::Bytes(bytes)) => {
                Some(Blob::new(bytes).map_err(|_| Odd { attribute: "logonHours", why: "too long" })?)
            }
            Some(_) => return Err(Odd { attribute: "logonHours", why: "of the wrong type" }),
        }),
        Name::PrimaryGroupId => Is::PrimaryGroupId(integer("primaryGroupID", value)?),
        Name::AdminCount => Is::AdminCount(integer("adminCount", value)?),
        Name::ObjectClass
        | Name::IsDeleted
        | Name::IsRecycled
        | Name::Name
        | Name::MaxPwdAge
        | Name::LockoutDuration
        | Name::LockoutObservationWindow
        | Name::LockoutThreshold
        | Name::Mail
        | Name::ProxyAddresses
        | Name::GivenName
        | Name::Surname
        | Name::Department
        | Name::Title
        | Name::TelephoneNumber
        | Name::Mobile
        | Name::Description
        | Name::GroupType
        | Name::Precedence
        | Name::PsoMaxPwdAge
        | Name::PsoLockoutDuration
        | Name::PsoLockoutObservationWindow
        | Name::PsoLockoutThreshold
        | Name::AdminDescription
        | Name::Company
        | Name::Division
        | Name::EmployeeId
        | Name::EmployeeNumber
        | Name::EmployeeType
        | Name::Info
        | Name::Locality
        | Name::Office
        | Name::Extension(_) => return Ok(None),
    }))
}

/// What the domain head says of passwords and locks; none if none of it changed.
pub fn policy(changes: &[AttributeChange]) -> Result<Option<upload::DomainPolicy>, Odd> {
    let mut policy = upload::DomainPolicy::default();
    for change in changes {
        let at = stamp(change.stamp);
        let value = change.value.clone();
        // A removed value is never: 0 in all four.
        match change.attribute {
            Name::MaxPwdAge => policy.max_pwd_age = Some((at, large("maxPwdAge", value)?.unwrap_or(0))),
            Name::LockoutDuration => {
                policy.lockout_duration = Some((at, large("lockoutDuration", value)?.unwrap_or(0)));
            }
            Name::LockoutObservationWindow => {
                let window = large("lockOutObservationWindow", value)?.unwrap_or(0);
                policy.lockout_observation_window = Some((at, window));
            }
            Name::LockoutThreshold => {
                policy.lockout_threshold = Some((at, integer("lockoutThreshold", value)?.unwrap_or(0)));
            }
            Name::ObjectClass
            | Name::SamAccountName
            | Name::UserPrincipalName
            | Name::DisplayName
            | Name::UserAccountControl
            | Name::AccountExpires
            | Name::PwdLastSet
            | Name::LockoutTime
            | Name::LogonHours
            | Name::PrimaryGroupId
            | Name::AdminCount
            | Name::IsDeleted
            | Name::IsRecycled
            | Name::Name
            | Name::Mail
            | Name::ProxyAddresses
            | Name::GivenName
            | Name::Surname
            | Name::Department
            | Name::Title
            | Name::TelephoneNumber
            | Name::Mobile
            | Name::Description
            | Name::GroupType
            | Name::Precedence
            | Name::PsoMaxPwdAge
            | Name::PsoLockoutDuration
            | Name::PsoLockoutObservationWindow
            | Name::PsoLockoutThreshold
            | Name::AdminDescription
            | Name::Company
            | Name::Division
            | Name::EmployeeId
            | Name::EmployeeNumber
            | Name::EmployeeType
            | Name::Info
            | Name::Locality
            | Name::Office
            | Name::Extension(_) => {}
        }
    }
    Ok((policy != upload::DomainPolicy::default()).then_some(policy))
}

fn text<const MAX: usize>(attribute: &'static str, value: Option<Value>) -> Result<Option<Text<MAX>>, Odd> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Text::new(text).map(Some).map_err(|_| Odd { attribute, why: "too long" }),
        Some(_) => Err(Odd { attribute, why: "of the wrong type" }),
    }
}

fn integer(attribute: &'static str, value: Option<Value>) -> Result<Option<i32>, Odd> {
    match value {
        None => Ok(None),
        Some(Value::Integer(number)) => Ok(Some(number)),
        Some(_) => Err(Odd { attribute, why: "of the wrong type" }),
    }
}

fn large(attribute: &'static str, value: Option<Value>) -> Result<Option<i64>, Odd> {
    match value {
        None => Ok(None),
        Some(Value::LargeInteger(number)) => Ok(Some(number)),
        Some(_) => Err(Odd { attribute, why: "of the wrong type" }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use uuid::Uuid;

    fn change(attribute: Name, value: Option<Value>) -> AttributeChange {
        AttributeChange { attribute, stamp: Stamp { version: 1, time: 2, invocation_id: Uuid::nil() }, value }
    }

    #[test]
    fn odd_numbers_are_carried_as_they_are() {
        let odd =
            [0, -1, i64::MIN, i64::MAX].map(|n| change(Name::AccountExpires, Some(Value::LargeInteger(n))));
        assert_eq!(attributes(odd.into()).unwrap().len(), 4);
    }

    #[test]
    fn what_is_removed_is_carried_as_removed() {
        let carried = attributes(vec![change(Name::UserPrincipalName, None)]).unwrap();
        assert_eq!(carried.first().unwrap().is, Is::UserPrincipalName(None));
    }

    #[test]
    fn a_wrong_type_or_an_overlong_name_is_odd_and_not_repeated() {
        let wrong = change(Name::PwdLastSet, Some(Value::Text("hunter2".to_owned())));
        let long = change(Name::SamAccountName, Some(Value::Text("hunter2".repeat(99))));
        for odd in [wrong, long] {
            let text = attributes(vec![odd]).unwrap_err().to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
        let long = change(Name::DisplayName, Some(Value::Text("é".repeat(999))));
        assert_eq!(attributes(vec![long]).unwrap().len(), 1);
    }

    #[test]
    fn a_policy_is_told_only_when_some_of_it_changed() {
        assert_eq!(policy(&[change(Name::Name, None)]).unwrap(), None);
        let told = policy(&[change(Name::LockoutThreshold, Some(Value::Integer(5)))]).unwrap().unwrap();
        assert_eq!(told.lockout_threshold.unwrap().1, 5);
        assert_eq!(told.max_pwd_age, None);
    }
}
