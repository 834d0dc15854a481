//! Translates attributes, links, stamps and the domain's policy from the directory's types to the wire's.
//! Whether an object is carried is decided in `qualify`.

use crate::mirror::{Kind, LinkTarget};
use landbridge_drsr::drs::attribute::{Attribute as Name, Value};
use landbridge_drsr::drs::change::{AttributeChange, Link, Linked, Stamp};
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::upload;
use landbridge_wire::upload::AttributeValue as Is;
use uuid::Uuid;

/// An attribute that the wire cannot carry; its object goes to quarantine. Never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{attribute} is {why}")]
pub struct Odd {
    attribute: &'static str,
    why: &'static str,
}

/// A stamp as a type of the wire.
pub fn stamp(stamp: Stamp) -> upload::Stamp {
    upload::Stamp { version: stamp.version, time: stamp.time, invocation_id: stamp.invocation_id }
}

/// An object's kind as a type of the wire. Computers and others are never carried.
pub fn kind(kind: Kind) -> upload::Kind {
    match kind {
        Kind::Group => upload::Kind::Group,
        Kind::Contact => upload::Kind::Contact,
        Kind::Policy => upload::Kind::PasswordSettings,
        Kind::Person | Kind::Computer | Kind::Other => upload::Kind::Account,
    }
}

/// A link of the directory as a type of the wire; none: the tenant does not receive such links.
pub fn link(link: &Link) -> Option<upload::Link> {
    wire_link(link.from.guid, (link.what, link.to.guid, link.stamp), link.present)
}

/// A link of the mirror as a type of the wire; none: the tenant does not receive such links.
pub fn wire_link(from: Uuid, (what, to, at): LinkTarget, present: bool) -> Option<upload::Link> {
    let what = match what {
        Linked::Member => upload::LinkKind::Member,
        Linked::Manager => upload::LinkKind::Manager,
        Linked::AppliesTo => upload::LinkKind::AppliesTo,
        Linked::AuthenticationPolicy => return None,
    };
    Some(upload::Link { what, from, to, present, created: at.created, stamp: stamp(at.written) })
}

/// The attributes that a record of this kind of object carries; others are left out. `alternate`: the attribute that
/// is a further sign-in name.
pub fn attributes(
    changes: Vec<AttributeChange>,
    kind: Kind,
    alternate: Option<Name>,
) -> Result<Vec<upload::Attribute>, Odd> {
    let mut carried = Vec::with_capacity(changes.len());
    for change in changes {
        let at = stamp(change.stamp);
        if kind == Kind::Person && Some(change.attribute) == alternate {
            let is = Is::AlternateLogin(text(change.attribute.name(), change.value.clone())?);
            carried.push(upload::Attribute { stamp: at, is });
        }
        if let Some(is) = value(change, kind)? {
            carried.push(upload::Attribute { stamp: at, is });
        }
    }
    Ok(carried)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is carried")]
fn value(change: AttributeChange, kind: Kind) -> Result<Option<Is>, Odd> {
    let (attribute, value) = (change.attribute, change.value);
    let name = attribute.name();
    let (person, group) = (kind == Kind::Person, kind == Kind::Group);
    let (contact, policy) = (kind == Kind::Contact, kind == Kind::Policy);
    Ok(Some(match attribute {
        Name::SamAccountName if person || group => Is::SamAccountName(text(name, value)?),
        Name::UserPrincipalName if person => Is::UserPrincipalName(text(name, value)?),
        Name::UserAccountControl if person => Is::UserAccountControl(integer(name, value)?),
        Name::AccountExpires if person => Is::AccountExpires(large(name, value)?),
        Name::PwdLastSet if person => Is::PwdLastSet(large(name, value)?),
        Name::LockoutTime if person => Is::LockoutTime(large(name, value)?),
        Name::LogonHours if person => Is::LogonHours(match value {
            None => None,
            Some(Value::Bytes(bytes)) => {
                Some(Blob::new(bytes).map_err(|_| Odd { attribute: name, why: "too long" })?)
            }
            Some(_) => return Err(Odd { attribute: name, why: "of the wrong type" }),
        }),
        Name::PrimaryGroupId if person => Is::PrimaryGroupId(integer(name, value)?),
        Name::AdminCount if person => Is::AdminCount(integer(name, value)?),
        Name::DisplayName if !policy => Is::DisplayName(cut(name, value)?),
        Name::Mail if !policy => Is::Mail(text(name, value)?),
        Name::ProxyAddresses if !policy => Is::ProxyAddresses(addresses(name, value)?),
        Name::GivenName if person || contact => Is::GivenName(cut(name, value)?),
        Name::Surname if person || contact => Is::Surname(cut(name, value)?),
        Name::Department if person || contact => Is::Department(cut(name, value)?),
        Name::Title if person || contact => Is::Title(cut(name, value)?),
        Name::TelephoneNumber if person || contact => Is::TelephoneNumber(cut(name, value)?),
        Name::Mobile if person || contact => Is::Mobile(cut(name, value)?),
        // Of groups only: a person's description is often confidential.
        Name::Description if group => Is::Description(first(name, value)?),
        Name::GroupType if group => Is::GroupType(integer(name, value)?),
        Name::Name if contact || policy => Is::Name(cut(name, value)?),
        Name::Precedence if policy => Is::Precedence(integer(name, value)?),
        Name::PsoMaxPwdAge if policy => Is::MaximumPasswordAge(large(name, value)?),
        Name::PsoLockoutDuration if policy => Is::LockoutDuration(large(name, value)?),
        Name::PsoLockoutObservationWindow if policy => Is::LockoutObservationWindow(large(name, value)?),
        Name::PsoLockoutThreshold if policy => Is::LockoutThreshold(integer(name, value)?),
        _ => return Ok(None),
    }))
}

/// A text that people read: cut to the limit. A name to sign in with is never cut.
fn cut<const MAX: usize>(attribute: &'static str, value: Option<Value>) -> Result<Option<Text<MAX>>, Odd> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(Text::cut(&text))),
        Some(_) => Err(Odd { attribute, why: "of the wrong type" }),
    }
}

fn first<const MAX: usize>(attribute: &'static str, value: Option<Value>) -> Result<Option<Text<MAX>>, Odd> {
    match value {
        None => Ok(None),
        Some(Value::Texts(texts)) => Ok(texts.first().map(|text| Text::cut(text))),
        Some(_) => Err(Odd { attribute, why: "of the wrong type" }),
    }
}

/// The values that can be addresses. `command::findings` reports the others.
fn addresses<const MAX: usize, const MOST: usize>(
    attribute: &'static str,
    value: Option<Value>,
) -> Result<List<Text<MAX>, MOST>, Odd> {
    let texts = match value {
        None => return Ok(List::default()),
        Some(Value::Texts(texts)) => texts,
        Some(_) => return Err(Odd { attribute, why: "of the wrong type" }),
    };
    let sound = texts.into_iter().filter(|text| !text.is_empty() && !text.contains(char::is_control));
    let sound = sound.filter_map(|text| Text::new(text).ok()).take(MOST).collect();
    List::new(sound).map_err(|_| Odd { attribute, why: "too long" })
}

/// The password and lockout policy in a change of the domain's head; none if none of it changed.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is the domain's policy")]
pub fn policy(changes: &[AttributeChange]) -> Result<Option<upload::DomainPolicy>, Odd> {
    let mut policy = upload::DomainPolicy::default();
    for change in changes {
        let at = stamp(change.stamp);
        let value = change.value.clone();
        // A removed value means never, which is 0 in all four.
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
            _ => {}
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

    fn change(attribute: Name, value: Option<Value>) -> AttributeChange {
        AttributeChange { attribute, stamp: Stamp { version: 1, time: 2, invocation_id: Uuid::nil() }, value }
    }

    #[test]
    fn odd_numbers_are_carried_as_they_are() {
        let odd =
            [0, -1, i64::MIN, i64::MAX].map(|n| change(Name::AccountExpires, Some(Value::LargeInteger(n))));
        assert_eq!(attributes(odd.into(), Kind::Person, None).unwrap().len(), 4);
    }

    #[test]
    fn what_is_removed_is_carried_as_removed() {
        let carried = attributes(vec![change(Name::UserPrincipalName, None)], Kind::Person, None).unwrap();
        assert_eq!(carried.first().unwrap().is, Is::UserPrincipalName(None));
    }

    #[test]
    fn a_wrong_type_or_an_overlong_name_is_odd_and_not_repeated() {
        let wrong = change(Name::PwdLastSet, Some(Value::Text("hunter2".to_owned())));
        let long = change(Name::SamAccountName, Some(Value::Text("hunter2".repeat(99))));
        for odd in [wrong, long] {
            let text = attributes(vec![odd], Kind::Person, None).unwrap_err().to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
        let long = change(Name::DisplayName, Some(Value::Text("é".repeat(999))));
        assert_eq!(attributes(vec![long], Kind::Person, None).unwrap().len(), 1);
    }

    #[test]
    fn each_kind_carries_what_is_its_own() {
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        let all = || {
            vec![
                change(Name::SamAccountName, text("ada")),
                change(Name::Mail, text("ada@example.com")),
                change(Name::Description, Some(Value::Texts(vec!["one".to_owned(), "two".to_owned()]))),
                change(Name::PsoLockoutThreshold, Some(Value::Integer(3))),
                change(Name::Name, text("Ada")),
                change(Name::EmployeeId, text("17")),
            ]
        };
        let carried = |kind, alternate| {
            let carried = attributes(all(), kind, alternate).unwrap();
            carried.into_iter().map(|attribute| attribute.is).collect::<Vec<_>>()
        };
        let sam = Is::SamAccountName(Some(Text::cut("ada")));
        let mail = Is::Mail(Some(Text::cut("ada@example.com")));
        let login = |login: &str| Is::AlternateLogin(Some(Text::cut(login)));
        assert_eq!(carried(Kind::Person, None), [sam.clone(), mail.clone()]);
        assert_eq!(
            carried(Kind::Person, Some(Name::Mail)),
            [sam.clone(), login("ada@example.com"), mail.clone()]
        );
        assert_eq!(carried(Kind::Person, Some(Name::EmployeeId)), [sam.clone(), mail.clone(), login("17")]);
        let description = Is::Description(Some(Text::cut("one")));
        assert_eq!(carried(Kind::Group, Some(Name::Mail)), [sam, mail.clone(), description]);
        let name = Is::Name(Some(Text::cut("Ada")));
        assert_eq!(carried(Kind::Contact, None), [mail, name.clone()]);
        assert_eq!(carried(Kind::Policy, None), [Is::LockoutThreshold(Some(3)), name]);
    }

    #[test]
    fn addresses_that_can_be_none_are_left_out_and_the_number_is_bounded() {
        let told = |texts: Vec<String>| {
            let texts = change(Name::ProxyAddresses, Some(Value::Texts(texts)));
            let told = attributes(vec![texts], Kind::Person, None).unwrap().remove(0).is;
            let Is::ProxyAddresses(list) = told else { panic!("{told:?}") };
            list.as_slice().len()
        };
        let odd = ["SMTP:a@example.com", "", "smtp:b@example.com\nsmtp:c@example.com", &"x".repeat(2_000)];
        assert_eq!(told(odd.map(str::to_owned).to_vec()), 1);
        assert_eq!(told(vec!["smtp:a@example.com".to_owned(); 400]), 300);
    }

    #[test]
    fn a_policy_is_told_only_when_some_of_it_changed() {
        assert_eq!(policy(&[change(Name::Name, None)]).unwrap(), None);
        let told = policy(&[change(Name::LockoutThreshold, Some(Value::Integer(5)))]).unwrap().unwrap();
        assert_eq!(told.lockout_threshold.unwrap().1, 5);
        assert_eq!(told.max_pwd_age, None);
    }
}
