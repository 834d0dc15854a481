//! What one object is to the tenant, from its row in the mirror and its position. Pure.
//! Neighbours: `super` acts on it, `mirror::sweep` computes the same in SQL for all objects, `command::explain` says
//! why.

use super::rules::Rules;
use crate::mirror::{ADMINISTRATOR, KRBTGT, Kind, MACHINES, Object, Position};
use crate::scope::Scope;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{Change, Quarantined};
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::distinguished_name::DistinguishedName;

/// What an object is to the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is carried.
    Present,
    /// It is privileged, and held back.
    Privileged,
    /// It reads with phs, can read or set every password of the domain, or is one that AD itself needs. It is never
    /// carried, whatever the configuration includes.
    Never,
    /// It was deleted.
    Deleted,
    /// It is outside the scope.
    Outside(Outside),
    /// It is of a kind that is never carried.
    Nothing,
}

/// Which part of the scope excludes an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// The attribute filter.
    Filter,
    /// Its OU or container.
    Container,
    /// It is in none of the groups.
    Group,
}

/// Decides what an object is to the tenant.
pub fn standing(object: &Object, position: &Position, rules: &Rules<'_>) -> Standing {
    match object.kind {
        Kind::Person => person(object, position, rules),
        Kind::Group => {
            if sid_of(object, rules).is_none() || position.protected {
                return if object.deleted { Standing::Deleted } else { Standing::Nothing };
            }
            carried(object, outside(object, position).filter(|_| !position.policy_group))
        }
        Kind::Contact => carried(object, outside(object, position)),
        Kind::Policy => carried(object, None),
        Kind::Computer | Kind::Other => Standing::Nothing,
    }
}

fn person(object: &Object, position: &Position, rules: &Rules<'_>) -> Standing {
    let Some(sid) = sid_of(object, rules) else { return Standing::Nothing };
    if object.uac & MACHINES != 0 || object.krbtgt || object.kdc_number != 0 || sid.rid() == KRBTGT {
        return Standing::Nothing;
    }
    let never = is_never_carried(object, position);
    if !object.deleted && is_privileged(object, position) && (never || !rules.bounds.include.contains(sid)) {
        return Standing::Privileged;
    }
    if !object.deleted && never {
        return Standing::Never;
    }
    carried(object, outside(object, position))
}

fn carried(object: &Object, outside: Option<Outside>) -> Standing {
    match outside {
        _ if object.deleted => Standing::Deleted,
        Some(outside) => Standing::Outside(outside),
        None => Standing::Present,
    }
}

fn outside(object: &Object, position: &Position) -> Option<Outside> {
    if object.filtered {
        Some(Outside::Filter)
    } else if !position.inside {
        Some(Outside::Container)
    } else {
        (object.kind != Kind::Group && !position.member).then_some(Outside::Group)
    }
}

fn sid_of<'a>(object: &'a Object, rules: &Rules<'_>) -> Option<&'a Sid> {
    object.sid.as_ref().filter(|sid| sid.domain().as_ref() == Some(rules.bounds.domain))
}

/// Whether an account is privileged, named by the administrator or not.
pub(super) fn is_privileged(object: &Object, position: &Position) -> bool {
    let administrator = object.sid.as_ref().is_some_and(|sid| sid.rid() == ADMINISTRATOR);
    position.protected || object.admin_count != 0 || administrator
}

/// Whether an account is never carried, whatever the administrator names.
fn is_never_carried(object: &Object, position: &Position) -> bool {
    object.critical || position.holder
}

/// Updates an object's row from the object's complete attributes.
pub fn learn_whole(object: &mut Object, whole: &Change, scope: &Scope) {
    // A missing attribute has no value, and the stored bits may belong to another filter.
    object.terms = 0;
    learn(object, whole, scope);
}

/// Updates an object's row from a change.
#[expect(clippy::wildcard_enum_match_arm, reason = "other attributes are not stored")]
pub(super) fn learn(object: &mut Object, change: &Change, scope: &Scope) {
    object.sid = change.object.sid.clone().or(object.sid.take());
    object.parent = change.parent.or(object.parent).filter(|_| !change.domain_head);
    // A tombstone has lost its names. Keep the stored ones: the tenant knows the object by them.
    let gone = change.attributes.iter().any(|changed| {
        changed.attribute == Attribute::IsDeleted && changed.value == Some(Value::Boolean(true))
    });
    for changed in &change.attributes {
        let value = changed.value.as_ref();
        let number = match value {
            Some(Value::Integer(number)) => *number,
            Some(_) | None => 0,
        };
        let text = || if let Some(Value::Text(text)) = value { Some(text.clone()) } else { None };
        object.terms = scope.learn(object.terms, changed.attribute, value);
        match changed.attribute {
            Attribute::ObjectClass => object.kind = kind(value),
            Attribute::UserAccountControl => object.uac = number,
            Attribute::AdminCount => object.admin_count = number,
            Attribute::PrimaryGroupId => object.primary_group = number,
            Attribute::SecondaryKrbTgtNumber => object.kdc_number = number,
            Attribute::IsCriticalSystemObject => object.critical = value == Some(&Value::Boolean(true)),
            Attribute::UserWorkstations => {
                object.workstations = text().is_some_and(|names| !names.trim().is_empty());
            }
            Attribute::IsDeleted => object.deleted = value == Some(&Value::Boolean(true)),
            Attribute::SamAccountName => {
                object.sam = text();
                object.krbtgt = object.sam.as_deref().is_some_and(is_krbtgt);
            }
            Attribute::UserPrincipalName if !gone => object.upn = text(),
            Attribute::DnsHostName if !gone => object.host = text(),
            Attribute::Name => {
                object.rdn = text();
                object.rdn_type = DistinguishedName::first_type(&change.object.dn).map(str::to_owned);
                object.named = Some(changed.stamp);
            }
            _ => {}
        }
    }
    // All others are sent with each of their changes, and not from the mirror.
    if object.kind != Kind::Other {
        (object.rdn_type, object.named) = (None, None);
    }
    object.filtered = scope.keeps_out(object.terms, object.kind == Kind::Group).is_some();
}

/// The flaw of an object with an unreadable attribute that the filter uses: whether it belongs to the scope is unknown.
/// Objects of other kinds are carried or not whatever the filter says.
pub fn undecided(change: &Change, kind: Kind, scope: &Scope) -> Option<Quarantined> {
    match kind {
        Kind::Person | Kind::Group | Kind::Contact => {}
        Kind::Policy | Kind::Computer | Kind::Other => return None,
    }
    let odd = change.unreadable.iter().find(|odd| scope.attributes().any(|used| used == odd.attribute))?;
    let text = |attribute| match change.value(attribute) {
        Some(Value::Text(text)) => Some(text.clone()),
        Some(_) | None => None,
    };
    Some(Quarantined {
        object: Some(change.object.guid),
        link: false,
        dn: change.object.dn.clone(),
        sam: text(Attribute::SamAccountName),
        upn: text(Attribute::UserPrincipalName),
        attribute: Some(odd.attribute),
        why: format!("{}, and [scope] filters by it", odd.why),
    })
}

/// The kind of an object, from a change that has its class.
pub fn kind_of(change: &Change) -> Kind {
    kind(change.value(Attribute::ObjectClass))
}

fn kind(classes: Option<&Value>) -> Kind {
    let Some(Value::Classes(classes)) = classes else { return Kind::Other };
    let is = |class| classes.contains(&class);
    if is(Class::Computer) || is(Class::ManagedServiceAccount) || is(Class::GroupManagedServiceAccount) {
        Kind::Computer
    } else if is(Class::User) || is(Class::InetOrgPerson) {
        Kind::Person
    } else if is(Class::Group) {
        Kind::Group
    } else if is(Class::Contact) {
        Kind::Contact
    } else if is(Class::PasswordSettings) {
        Kind::Policy
    } else {
        Kind::Other
    }
}

/// `krbtgt`, `krbtgt_12345` of a read-only DC, and `krbtgt_AzureAD` of a DC that exists in the cloud alone.
fn is_krbtgt(name: &str) -> bool {
    let Some(rest) = name.get(..6).filter(|head| head.eq_ignore_ascii_case("krbtgt")).and(name.get(6..))
    else {
        return false;
    };
    rest.is_empty() || rest.starts_with('_')
}
