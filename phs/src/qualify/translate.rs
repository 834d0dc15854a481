//! Translates attributes, links, stamps and the domain's policy from the directory's types to the wire's.
//! Whether an object is carried is decided in `qualify`.

use crate::mirror::{Kind, LinkTarget};
use landbridge_drsr::drs::attribute::{Attribute as Name, Value};
use landbridge_drsr::drs::change::{AttributeChange, Link, Linked, Stamp};
use landbridge_wire::bounded::{Blob, List, Text};
use landbridge_wire::described::{Described, DescribedName, DescribedValue, Of, Syntax};
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::upload;
use landbridge_wire::upload::AttributeValue as Is;
use uuid::Uuid;

/// An attribute that decides and cannot be carried: its object goes to quarantine. Never repeats the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} {why}", .attribute.name())]
pub struct Odd {
    /// Which.
    pub attribute: Name,
    /// Why; completes a sentence that begins with the attribute's name.
    pub why: &'static str,
}

/// The attributes of a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// What is sent.
    pub attributes: Vec<upload::Attribute>,
    /// What describes the object and is left out, shortened or sent in part, with the reason.
    pub left_out: Vec<(Name, &'static str)>,
}

/// Why a value is not carried as it is; completes a sentence that begins with the attribute's name.
const WRONG_TYPE: &str = "is of another type than in Microsoft's schema";
const NOT_A_WEEK: &str = "is not 21 bytes, a bit for each hour of a week";
/// The bytes of logonHours (MS-SAMR 2.2.6.5).
const HOURS: usize = 21;
const TOO_LONG: &str = "is longer than AD's schema allows";
const SHORTENED: &str = "is longer than AD's schema allows, and is shortened";
const ODD_ADDRESSES: &str =
    "has values that can be no addresses (empty, too long, or with a control character), which are left out";
const MANY_ADDRESSES: &str = "has more than 300 values; the others are left out";

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

/// Where an object is in the directory's tree.
#[derive(Debug, Clone, Copy)]
pub struct PlaceInTree<'a> {
    /// Its distinguished name as the DC wrote it. The type of its first part counts, and no more.
    pub dn: &'a str,
    /// objectGUID of the container that it is in; the domain's head has none.
    pub parent: Option<Uuid>,
}

/// The attributes that say where an object is in the tree. `kind` is the type of the first part of its distinguished
/// name, `name` the value. Of a name that is unknown or too long the tenant receives that there is none.
pub fn place(
    at: upload::Stamp,
    kind: Option<&str>,
    name: Option<&str>,
    parent: Option<Uuid>,
) -> impl Iterator<Item = upload::Attribute> {
    let part = kind.zip(name).map(|(kind, name)| DistinguishedName::part(kind, name));
    let rdn = Is::Rdn(part.and_then(|part| Text::new(part).ok()));
    let parent = parent.map(|parent| Is::Parent(Some(parent)));
    [Some(rdn), parent].into_iter().flatten().map(move |is| upload::Attribute { stamp: at, is })
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

/// The attributes that a record of this kind of object carries; others are not sent. `place`: where the object is in the
/// tree, which is sent with its name. `alternate`: the attribute that is a further sign-in name. Of an attribute that describes and cannot be carried, the tenant receives that it has no
/// value, so that it shows no old one.
///
/// # Errors
/// An attribute that decides cannot be carried ([`Name::decides`]).
pub fn attributes(
    changes: Vec<AttributeChange>,
    kind: Kind,
    place: PlaceInTree<'_>,
    alternate: Option<Name>,
) -> Result<Carried, Odd> {
    let mut carried = Carried { attributes: Vec::with_capacity(changes.len()), left_out: Vec::new() };
    for AttributeChange { attribute, stamp: at, value } in changes {
        let at = stamp(at);
        // 1. As a further sign-in name. If it is none, the account signs in with its others.
        if kind == Kind::Person && Some(attribute) == alternate {
            let name = text(value.clone()).unwrap_or_else(|why| {
                carried.left_out.push((attribute, why));
                None
            });
            carried.attributes.push(upload::Attribute { stamp: at, is: Is::AlternateLogin(name) });
        }
        // 2. As the first part of the distinguished name: AD writes the name when the object is renamed or moved.
        if attribute == Name::Name && has_place(kind) {
            let name = if let Some(Value::Text(name)) = &value { Some(name.as_str()) } else { None };
            let first_type = DistinguishedName::first_type(place.dn);
            carried.attributes.extend(self::place(at, first_type, name, place.parent));
        }
        // 3. As itself.
        let mut notes = Vec::new();
        let is = match wire_value(attribute, value, kind, &mut notes) {
            Ok(is) => is,
            Err(why) if attribute.decides() => return Err(Odd { attribute, why }),
            Err(why) => {
                notes.push(why);
                wire_value(attribute, None, kind, &mut Vec::new()).unwrap_or_default()
            }
        };
        carried.attributes.extend(is.map(|is| upload::Attribute { stamp: at, is }));
        carried.left_out.extend(notes.into_iter().map(|why| (attribute, why)));
    }
    Ok(carried)
}

/// Whether a record of this kind of object carries the attribute, as itself or as the further sign-in name.
pub fn is_carried(attribute: Name, kind: Kind, alternate: Option<Name>) -> bool {
    let itself = wire_value(attribute, None, kind, &mut Vec::new());
    let names_it = attribute == Name::Name && has_place(kind);
    itself.is_ok_and(|is| is.is_some()) || names_it || (kind == Kind::Person && Some(attribute) == alternate)
}

/// Whether a record of this kind of object says where the object is in the tree.
pub fn has_place(kind: Kind) -> bool {
    match kind {
        Kind::Person | Kind::Group | Kind::Contact => true,
        Kind::Policy | Kind::Computer | Kind::Other => false,
    }
}

/// The value as the wire has it; none: objects of this kind do not carry it. What is shortened or left out of it is
/// added to `notes`; an error says why nothing of it can be carried.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is carried")]
fn wire_value(
    attribute: Name,
    value: Option<Value>,
    kind: Kind,
    notes: &mut Vec<&'static str>,
) -> Result<Option<Is>, &'static str> {
    let (person, group) = (kind == Kind::Person, kind == Kind::Group);
    let (contact, policy) = (kind == Kind::Contact, kind == Kind::Policy);
    Ok(Some(match attribute {
        Name::SamAccountName if person || group => Is::SamAccountName(text(value)?),
        Name::UserPrincipalName if person => Is::UserPrincipalName(text(value)?),
        Name::UserAccountControl if person => Is::UserAccountControl(integer(value)?),
        Name::AccountExpires if person => Is::AccountExpires(time(value)?),
        Name::PwdLastSet if person => Is::PwdLastSet(time(value)?),
        Name::LockoutTime if person => Is::LockoutTime(time(value)?),
        Name::LogonHours if person => Is::LogonHours(match value {
            None => None,
            Some(Value::Bytes(bytes)) if bytes.len() != HOURS => return Err(NOT_A_WEEK),
            Some(Value::Bytes(bytes)) => Some(Blob::new(bytes).map_err(|_| NOT_A_WEEK)?),
            Some(_) => return Err(WRONG_TYPE),
        }),
        Name::PrimaryGroupId if person => Is::PrimaryGroupId(integer(value)?),
        Name::AdminCount if person => Is::AdminCount(integer(value)?),
        Name::DisplayName if !policy => Is::DisplayName(cut(value, notes)?),
        Name::Mail if !policy => Is::Mail(text(value)?),
        Name::ProxyAddresses if !policy => Is::ProxyAddresses(addresses(value, notes)?),
        Name::GivenName if person || contact => Is::GivenName(cut(value, notes)?),
        Name::Surname if person || contact => Is::Surname(cut(value, notes)?),
        Name::Department if person || contact => Is::Department(cut(value, notes)?),
        Name::Title if person || contact => Is::Title(cut(value, notes)?),
        Name::TelephoneNumber if person || contact => Is::TelephoneNumber(cut(value, notes)?),
        Name::Mobile if person || contact => Is::Mobile(cut(value, notes)?),
        // Of groups only: a person's description is often confidential.
        Name::Description if group => Is::Description(first(value, notes)?),
        Name::GroupType if group => Is::GroupType(integer(value)?),
        Name::Name if contact || policy => Is::Name(cut(value, notes)?),
        Name::Precedence if policy => Is::Precedence(integer(value)?),
        Name::PsoMaxPwdAge if policy => Is::MaximumPasswordAge(large(value)?),
        Name::PsoLockoutDuration if policy => Is::LockoutDuration(large(value)?),
        Name::PsoLockoutObservationWindow if policy => Is::LockoutObservationWindow(large(value)?),
        Name::PsoLockoutThreshold if policy => Is::LockoutThreshold(integer(value)?),
        Name::PsoMinPwdAge if policy => Is::MinimumPasswordAge(large(value)?),
        Name::PsoMinPwdLength if policy => Is::MinimumPasswordLength(integer(value)?),
        Name::PsoPwdHistoryLength if policy => Is::PasswordHistoryLength(integer(value)?),
        Name::PsoComplexity if policy => Is::PasswordComplexity(boolean(value)?),
        other => return described(other, value, kind, notes),
    }))
}

/// The same of an attribute of the wire's table.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is in the table")]
fn described(
    attribute: Name,
    value: Option<Value>,
    kind: Kind,
    notes: &mut Vec<&'static str>,
) -> Result<Option<Is>, &'static str> {
    let name = match attribute {
        Name::Described(_) | Name::Extension(_) => DescribedName::named(attribute.name()),
        _ => None,
    };
    let Some(name) = name else { return Ok(None) };
    let is_carried = match name.row().of {
        Of::Accounts => kind == Kind::Person,
        Of::AccountsAndGroups => matches!(kind, Kind::Person | Kind::Group),
        Of::AccountsAndContacts => matches!(kind, Kind::Person | Kind::Contact),
        Of::All => matches!(kind, Kind::Person | Kind::Group | Kind::Contact),
    };
    if !is_carried {
        return Ok(None);
    }
    let value = match (value, name.row().syntax) {
        (None, _) => None,
        (value @ Some(_), Syntax::Text) => cut(value, notes)?.map(DescribedValue::Text),
        // A part of a path is another path.
        (value @ Some(_), Syntax::Ascii) => text(value)?.map(DescribedValue::Text),
        (value @ Some(_), Syntax::Integer) => integer(value)?.map(i64::from).map(DescribedValue::Integer),
        (value @ Some(_), Syntax::Time) => large(value)?.map(DescribedValue::Integer),
        (Some(Value::Bytes(bytes)), Syntax::Octets) => {
            Some(DescribedValue::Octets(Blob::new(bytes).map_err(|_| TOO_LONG)?))
        }
        (Some(_), Syntax::Octets) => return Err(WRONG_TYPE),
    };
    Ok(Some(Is::Described(Described { name, value })))
}

/// A text that people read: cut to the limit. A name to sign in with is never cut.
fn cut<const MAX: usize>(
    value: Option<Value>,
    notes: &mut Vec<&'static str>,
) -> Result<Option<Text<MAX>>, &'static str> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => {
            if text.len() > MAX {
                notes.push(SHORTENED);
            }
            Ok(Some(Text::cut(&text)))
        }
        Some(_) => Err(WRONG_TYPE),
    }
}

fn first<const MAX: usize>(
    value: Option<Value>,
    notes: &mut Vec<&'static str>,
) -> Result<Option<Text<MAX>>, &'static str> {
    match value {
        None => Ok(None),
        Some(Value::Texts(texts)) => {
            let first = texts.into_iter().next();
            cut(first.map(Value::Text), notes)
        }
        Some(_) => Err(WRONG_TYPE),
    }
}

/// The values that can be addresses.
fn addresses<const MAX: usize, const MOST: usize>(
    value: Option<Value>,
    notes: &mut Vec<&'static str>,
) -> Result<List<Text<MAX>, MOST>, &'static str> {
    let texts = match value {
        None => return Ok(List::default()),
        Some(Value::Texts(texts)) => texts,
        Some(_) => return Err(WRONG_TYPE),
    };
    let number = texts.len();
    let sound = texts.into_iter().filter(|text| !text.is_empty() && !text.contains(char::is_control));
    let mut sound: Vec<Text<MAX>> = sound.filter_map(|text| Text::new(text).ok()).collect();
    if sound.len() < number {
        notes.push(ODD_ADDRESSES);
    }
    if sound.len() > MOST {
        notes.push(MANY_ADDRESSES);
        sound.truncate(MOST);
    }
    List::new(sound).map_err(|_| TOO_LONG)
}

/// The password and lockout policy in a change of the domain's head; none if none of it changed.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is the domain's policy")]
pub fn policy(changes: &[AttributeChange]) -> Result<Option<upload::DomainPolicy>, Odd> {
    let mut policy = upload::DomainPolicy::default();
    for change in changes {
        let at = stamp(change.stamp);
        let value = change.value.clone();
        let odd = |why| Odd { attribute: change.attribute, why };
        // A removed value means never or none, which is 0 in all of them.
        match change.attribute {
            Name::MaxPwdAge => policy.max_pwd_age = Some((at, large(value).map_err(odd)?.unwrap_or(0))),
            Name::LockoutDuration => {
                policy.lockout_duration = Some((at, large(value).map_err(odd)?.unwrap_or(0)));
            }
            Name::LockoutObservationWindow => {
                policy.lockout_observation_window = Some((at, large(value).map_err(odd)?.unwrap_or(0)));
            }
            Name::LockoutThreshold => {
                policy.lockout_threshold = Some((at, integer(value).map_err(odd)?.unwrap_or(0)));
            }
            Name::MinPwdAge => policy.min_pwd_age = Some((at, large(value).map_err(odd)?.unwrap_or(0))),
            Name::MinPwdLength => {
                policy.min_pwd_length = Some((at, integer(value).map_err(odd)?.unwrap_or(0)))
            }
            Name::PwdHistoryLength => {
                policy.pwd_history_length = Some((at, integer(value).map_err(odd)?.unwrap_or(0)));
            }
            Name::PwdProperties => {
                policy.pwd_properties = Some((at, integer(value).map_err(odd)?.unwrap_or(0)))
            }
            _ => {}
        }
    }
    Ok((!policy.is_empty()).then_some(policy))
}

/// A name to sign in with.
fn text<const MAX: usize>(value: Option<Value>) -> Result<Option<Text<MAX>>, &'static str> {
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Text::new(text).map(Some).map_err(|_| TOO_LONG),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn integer(value: Option<Value>) -> Result<Option<i32>, &'static str> {
    match value {
        None => Ok(None),
        Some(Value::Integer(number)) => Ok(Some(number)),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn boolean(value: Option<Value>) -> Result<Option<bool>, &'static str> {
    match value {
        None => Ok(None),
        Some(Value::Boolean(is)) => Ok(Some(is)),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn large(value: Option<Value>) -> Result<Option<i64>, &'static str> {
    match value {
        None => Ok(None),
        Some(Value::LargeInteger(number)) => Ok(Some(number)),
        Some(_) => Err(WRONG_TYPE),
    }
}

/// A FILETIME. Programs that compare it signed and unsigned disagree about a negative one.
fn time(value: Option<Value>) -> Result<Option<i64>, &'static str> {
    match large(value)? {
        Some(..0) => Err("is negative, which is no time"),
        time => Ok(time),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn change(attribute: Name, value: Option<Value>) -> AttributeChange {
        AttributeChange { attribute, stamp: Stamp { version: 1, time: 2, invocation_id: Uuid::nil() }, value }
    }

    const PLACE: PlaceInTree<'_> =
        PlaceInTree { dn: "CN=Ada,OU=Sales,DC=corp,DC=example,DC=com", parent: Some(Uuid::from_u128(9)) };

    fn attributes(
        changes: Vec<AttributeChange>,
        kind: Kind,
        alternate: Option<Name>,
    ) -> Result<Carried, Odd> {
        super::attributes(changes, kind, PLACE, alternate)
    }

    /// Attributes that are left out, and why.
    type LeftOut = Vec<(Name, &'static str)>;

    fn carried(attribute: Name, value: Value, kind: Kind) -> Result<(Is, LeftOut), Odd> {
        let Carried { mut attributes, left_out } =
            attributes(vec![change(attribute, Some(value))], kind, None)?;
        Ok((attributes.remove(0).is, left_out))
    }

    /// An attribute of the wire's table.
    fn named(name: &str) -> Name {
        crate::read::described::named(name).unwrap()
    }

    #[test]
    fn odd_numbers_are_carried_as_they_are_and_a_negative_time_is_none() {
        let odd = [0, 1, i64::MAX].map(|n| change(Name::AccountExpires, Some(Value::LargeInteger(n))));
        let carried = attributes(odd.into(), Kind::Person, None).unwrap();
        assert_eq!((carried.attributes.len(), carried.left_out), (3, vec![]));
        for time in [Name::AccountExpires, Name::PwdLastSet, Name::LockoutTime] {
            for n in [-1, i64::MIN] {
                let odd = attributes(vec![change(time, Some(Value::LargeInteger(n)))], Kind::Person, None);
                assert_eq!(odd.unwrap_err().attribute, time);
            }
        }
    }

    #[test]
    fn what_is_removed_is_carried_as_removed() {
        let carried = attributes(vec![change(Name::UserPrincipalName, None)], Kind::Person, None).unwrap();
        assert_eq!(carried.attributes.first().unwrap().is, Is::UserPrincipalName(None));
    }

    #[test]
    fn an_attribute_that_decides_and_cannot_be_carried_is_odd_and_its_value_is_not_repeated() {
        let text = |text: &str| Value::Text(text.to_owned());
        for (attribute, value) in [
            (Name::PwdLastSet, text("hunter2")),
            (Name::UserAccountControl, text("hunter2")),
            (Name::LogonHours, Value::Bytes(vec![7; 22])),
            (Name::LogonHours, Value::Bytes(vec![7; 20])),
            (Name::LogonHours, Value::Bytes(Vec::new())),
            (Name::SamAccountName, text(&"hunter2".repeat(110))),
            (Name::UserPrincipalName, text(&"hunter2".repeat(440))),
            (Name::UserPrincipalName, Value::Integer(7)),
        ] {
            let odd = carried(attribute, value, Kind::Person).unwrap_err();
            assert_eq!(odd.attribute, attribute);
            assert!(
                odd.to_string().starts_with(attribute.name()) && !odd.to_string().contains("hunter2"),
                "{odd}"
            );
        }
    }

    #[test]
    fn an_attribute_that_describes_and_cannot_be_carried_is_left_out_and_named_whatever_is_wrong_with_it() {
        let long = |length: usize| Value::Text("x".repeat(length));
        let describing = [
            (Name::DisplayName, Is::DisplayName(None)),
            (Name::Mail, Is::Mail(None)),
            (Name::GivenName, Is::GivenName(None)),
            (Name::Surname, Is::Surname(None)),
            (Name::Department, Is::Department(None)),
            (Name::Title, Is::Title(None)),
            (Name::TelephoneNumber, Is::TelephoneNumber(None)),
            (Name::Mobile, Is::Mobile(None)),
            (Name::ProxyAddresses, Is::ProxyAddresses(List::default())),
        ];
        for (attribute, none) in describing {
            for value in [Value::Integer(7), Value::Boolean(true), Value::Bytes(vec![1; 99_999])] {
                let expected = (none.clone(), vec![(attribute, WRONG_TYPE)]);
                assert_eq!(carried(attribute, value, Kind::Person), Ok(expected), "{attribute:?}");
            }
        }
        assert_eq!(
            carried(Name::Mail, long(4_000), Kind::Person),
            Ok((Is::Mail(None), vec![(Name::Mail, TOO_LONG)]))
        );
        let shortened = vec![(Name::Title, SHORTENED)];
        assert_eq!(
            carried(Name::Title, long(4_000), Kind::Person),
            Ok((Is::Title(Some(Text::cut(&"x".repeat(768)))), shortened))
        );
        let texts = Value::Texts(vec!["x".repeat(9_999), "two".to_owned()]);
        let (description, left_out) = carried(Name::Description, texts, Kind::Group).unwrap();
        assert!(matches!(description, Is::Description(Some(text)) if text.as_str().len() == 3_072));
        assert_eq!(left_out, [(Name::Description, SHORTENED)]);
        assert_eq!(
            carried(Name::Description, Value::Texts(vec![]), Kind::Group),
            Ok((Is::Description(None), vec![])),
            "an empty list is no value"
        );
    }

    #[test]
    fn texts_of_any_characters_are_carried_as_they_are() {
        for text in ["", " ", "a\u{0}b", "\u{7}\u{1b}[2J", "\u{fffe}\u{ffff}\u{202e}", "👩\u{200d}🚀"] {
            let (is, left_out) = carried(Name::Title, Value::Text(text.to_owned()), Kind::Person).unwrap();
            assert_eq!((is, left_out), (Is::Title(Some(Text::cut(text))), vec![]), "{text:?}");
        }
    }

    #[test]
    fn the_longest_names_of_ad_are_carried_in_any_script() {
        for letter in ["a", "я", "中"] {
            let sam = carried(Name::SamAccountName, Value::Text(letter.repeat(256)), Kind::Group).unwrap();
            assert_eq!(sam.1, []);
            let upn =
                carried(Name::UserPrincipalName, Value::Text(letter.repeat(1024)), Kind::Person).unwrap();
            assert_eq!(upn.1, []);
        }
    }

    #[test]
    fn a_further_sign_in_name_that_cannot_be_carried_is_left_out_and_the_account_stays() {
        let employee = change(named("employeeNumber"), Some(Value::Text("x".repeat(4_000))));
        let carried = attributes(vec![employee], Kind::Person, Some(named("employeeNumber"))).unwrap();
        let [login, described] = carried.attributes.as_slice() else { panic!("{carried:?}") };
        assert_eq!(login.is, Is::AlternateLogin(None));
        assert_eq!(described.is.name(), "employeeNumber", "as a text that people read it is carried");
        assert_eq!(carried.left_out, [(named("employeeNumber"), TOO_LONG)]);
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
                change(named("employeeID"), text("17")),
            ]
        };
        let carried = |kind, alternate| {
            let carried = attributes(all(), kind, alternate).unwrap().attributes;
            carried.into_iter().map(|attribute| attribute.is).collect::<Vec<_>>()
        };
        let sam = Is::SamAccountName(Some(Text::cut("ada")));
        let mail = Is::Mail(Some(Text::cut("ada@example.com")));
        let login = |login: &str| Is::AlternateLogin(Some(Text::cut(login)));
        let id = Is::Described(Described {
            name: DescribedName::named("employeeID").unwrap(),
            value: Some(DescribedValue::Text(Text::cut("17"))),
        });
        let [rdn, parent] = [Is::Rdn(Some(Text::cut("CN=Ada"))), Is::Parent(Some(Uuid::from_u128(9)))];
        let person = |login: &[Is], id: &[Is]| {
            [std::slice::from_ref(&sam), login, &[mail.clone(), rdn.clone(), parent.clone()], id].concat()
        };
        assert_eq!(carried(Kind::Person, None), person(&[], std::slice::from_ref(&id)));
        assert_eq!(
            carried(Kind::Person, Some(Name::Mail)),
            person(&[login("ada@example.com")], std::slice::from_ref(&id))
        );
        assert_eq!(carried(Kind::Person, Some(named("employeeID"))), person(&[], &[login("17"), id]));
        let description = Is::Description(Some(Text::cut("one")));
        assert_eq!(
            carried(Kind::Group, Some(Name::Mail)),
            [sam, mail.clone(), description, rdn.clone(), parent.clone()]
        );
        let name = Is::Name(Some(Text::cut("Ada")));
        assert_eq!(carried(Kind::Contact, None), [mail, rdn, parent, name.clone()]);
        assert_eq!(carried(Kind::Policy, None), [Is::LockoutThreshold(Some(3)), name]);
    }

    #[test]
    fn the_first_part_of_the_name_is_sent_escaped_and_with_the_names_stamp() {
        let part = |dn, name: Value| {
            let place = PlaceInTree { dn, parent: None };
            let change = change(Name::Name, Some(name));
            let Carried { attributes, left_out } =
                super::attributes(vec![change], Kind::Person, place, None).unwrap();
            let [one] = attributes.as_slice() else { panic!("{attributes:?}") };
            assert_eq!((one.stamp.version, left_out), (1, vec![]));
            let Is::Rdn(part) = &one.is else { panic!("{one:?}") };
            part.as_ref().map(|part| part.as_str().to_owned())
        };
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(
            part("CN=Lovelace\\, Ada,DC=b", text("Lovelace, Ada")).as_deref(),
            Some("CN=Lovelace\\, Ada")
        );
        assert_eq!(part("CN=a\\0ACNF:1,DC=b", text("a\nCNF:1")).as_deref(), Some("CN=a\\0ACNF:1"));
        let longest = "\u{1}".repeat(255);
        assert_eq!(part("CN=a,DC=b", text(&longest)).unwrap().len(), 3 + 3 * 255);
        // Without a name, a type or room there is none, so that no old one stays.
        assert_eq!(part("", text("Ada")), None);
        assert_eq!(part("CN=a,DC=b", Value::Integer(7)), None);
        assert_eq!(part("CN=a,DC=b", text(&"中".repeat(400))), None);
    }

    #[test]
    fn each_attribute_of_the_table_is_carried_by_its_kinds_in_its_syntax_and_removed_again() {
        let requested = crate::read::described::attributes(true).chain(crate::read::described::extensions());
        let requested: Vec<Name> = requested.collect();
        assert_eq!(requested.len(), DescribedName::all().count());
        for attribute in requested {
            let name = DescribedName::named(attribute.name()).unwrap();
            let (value, carried_as) = match name.row().syntax {
                Syntax::Text | Syntax::Ascii => {
                    (Value::Text("x".to_owned()), DescribedValue::Text(Text::cut("x")))
                }
                Syntax::Integer => (Value::Integer(-7), DescribedValue::Integer(-7)),
                Syntax::Time => {
                    (Value::LargeInteger(13_000_000_000), DescribedValue::Integer(13_000_000_000))
                }
                Syntax::Octets => {
                    (Value::Bytes(vec![0xff, 0xd8]), DescribedValue::Octets(Blob::new([0xff, 0xd8]).unwrap()))
                }
            };
            for kind in [Kind::Person, Kind::Group, Kind::Contact, Kind::Policy] {
                let told = |value| attributes(vec![change(attribute, value)], kind, None).unwrap().attributes;
                let is_its_own = match name.row().of {
                    Of::Accounts => kind == Kind::Person,
                    Of::AccountsAndGroups => [Kind::Person, Kind::Group].contains(&kind),
                    Of::AccountsAndContacts => [Kind::Person, Kind::Contact].contains(&kind),
                    Of::All => kind != Kind::Policy,
                };
                for (value, carried_as) in [(Some(value.clone()), Some(carried_as.clone())), (None, None)] {
                    let expected = Is::Described(Described { name, value: carried_as });
                    let expected = if is_its_own { vec![expected] } else { vec![] };
                    let told: Vec<Is> = told(value).into_iter().map(|one| one.is).collect();
                    assert_eq!(told, expected, "{} of {kind:?}", name.row().name);
                }
            }
        }
    }

    #[test]
    fn a_long_text_for_people_is_cut_and_a_long_path_left_out() {
        let long = || Value::Text("x".repeat(7_000));
        let (is, left_out) = carried(named("info"), long(), Kind::Person).unwrap();
        let Is::Described(info) = is else { panic!("{is:?}") };
        assert_eq!(info.value, Some(DescribedValue::Text(Text::cut(&"x".repeat(6_144)))));
        assert_eq!(left_out.len(), 1);
        let gecos = attributes(vec![change(named("gecos"), Some(long()))], Kind::Person, None).unwrap();
        assert_eq!(gecos.left_out, [(named("gecos"), TOO_LONG)]);
        let [one] = gecos.attributes.as_slice() else { panic!("{gecos:?}") };
        let name = DescribedName::named("gecos").unwrap();
        assert_eq!(one.is, Is::Described(Described { name, value: None }));
    }

    #[test]
    fn a_photo_is_carried_up_to_ads_limit_and_a_longer_one_left_out() {
        let photo =
            |bytes: usize| carried(named("thumbnailPhoto"), Value::Bytes(vec![7; bytes]), Kind::Person);
        let is =
            |value| Is::Described(Described { name: DescribedName::named("thumbnailPhoto").unwrap(), value });
        let longest = DescribedValue::Octets(Blob::new(vec![7; 102_400]).unwrap());
        assert_eq!(photo(102_400), Ok((is(Some(longest)), vec![])));
        assert_eq!(photo(102_401), Ok((is(None), vec![(named("thumbnailPhoto"), TOO_LONG)])));
        let odd = carried(named("thumbnailPhoto"), Value::Text("x".to_owned()), Kind::Person);
        assert_eq!(odd, Ok((is(None), vec![(named("thumbnailPhoto"), WRONG_TYPE)])));
    }

    #[test]
    fn addresses_that_can_be_none_are_left_out_and_the_number_is_bounded() {
        let told = |texts: Vec<String>| match carried(Name::ProxyAddresses, Value::Texts(texts), Kind::Person)
        {
            Ok((Is::ProxyAddresses(list), left_out)) => (list.as_slice().len(), left_out),
            other => panic!("{other:?}"),
        };
        let odd = ["SMTP:a@example.com", "", "smtp:b@example.com\nsmtp:c@example.com", &"x".repeat(4_000)];
        assert_eq!(told(odd.map(str::to_owned).to_vec()), (1, vec![(Name::ProxyAddresses, ODD_ADDRESSES)]));
        let many = vec!["smtp:a@example.com".to_owned(); 2_000];
        assert_eq!(told(many), (300, vec![(Name::ProxyAddresses, MANY_ADDRESSES)]));
        assert_eq!(told(vec!["中".repeat(1_123)]), (1, vec![]));
    }

    #[test]
    fn a_policy_is_told_only_when_some_of_it_changed() {
        assert_eq!(policy(&[change(Name::Name, None)]).unwrap(), None);
        let told = policy(&[change(Name::LockoutThreshold, Some(Value::Integer(5)))]).unwrap().unwrap();
        assert_eq!(told.lockout_threshold.unwrap().1, 5);
        assert_eq!(told.max_pwd_age, None);
    }
}
