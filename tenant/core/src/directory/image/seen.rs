//! The directory as an application sees it: the people and contacts that are assigned to it, and the groups that are
//! assigned to it or named for it.
//! Neighbours: [`super`] has the objects; the LDAP door reads them through this.

use super::application::LdapApplication;
use super::index::Lookup;
use super::object_set::ObjectSet;
use super::values::{Key, Value};
use super::{Entry, Image, MOST_GROUPS, Slot, integer};
use crate::lock::lock;
use landbridge_tenant_rules::account_state::filetime;
use landbridge_tenant_rules::model::{Domain, LdapTree};
use landbridge_wire::upload::Kind;
use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;
use uuid::Uuid;

/// What the rights of a person who has signed in stand on. They end when it changes.
#[derive(Debug, Clone, Copy)]
pub struct AccountMark {
    /// pwdLastSet.
    password_set: Option<i64>,
    /// The pwdLastSet that follows: of a password that the person has changed on the way that the mark is for.
    expected: Option<i64>,
    /// When the password was changed by way of the tenant, until the digest of the new one has arrived.
    password_changed: Option<i64>,
    locked_at: Option<i64>,
}

impl AccountMark {
    /// The mark for the one who has changed the password, to one that was set at this FILETIME and has not arrived yet.
    #[must_use]
    pub fn expecting(self, password_set: i64) -> Self {
        Self { expected: Some(password_set), ..self }
    }

    /// Whether the rights go on, now that the account has this mark.
    pub fn holds(&self, now: &Self) -> bool {
        let is_same_password = now.password_set == self.password_set
            || (now.password_set.is_some() && now.password_set == self.expected);
        let is_changed = now.password_changed.is_some() && now.password_changed != self.password_changed;
        is_same_password && !is_changed && now.locked_at == self.locked_at
    }
}

impl Image {
    /// All of it, for the name of somebody who signs in.
    pub fn whole(&self) -> Seen<'_> {
        Seen { image: self, visible: None }
    }

    /// What an application sees.
    pub fn seen_by(&self, app: &Arc<LdapApplication>) -> Seen<'_> {
        let visible = lock(&self.visible).get(&app.application.id).cloned();
        let visible = visible.unwrap_or_else(|| {
            let visible = Arc::new(self.visible_to(app));
            lock(&self.visible).insert(app.application.id, visible.clone());
            visible
        });
        Seen { image: self, visible: Some(visible) }
    }

    /// The objects that an application sees.
    fn visible_to(&self, app: &LdapApplication) -> ObjectSet {
        let image = self;
        let mut visible = ObjectSet::default();
        let served = |domain: i64| app.rows.as_ref().is_none_or(|rows| rows.contains(&domain));
        // 1. People and contacts: everybody of its domains, or all that are in one of its groups. What is assigned by
        //    sign-ins is found from the account upwards; this goes the other way.
        if app.application.everybody {
            for (number, entry) in image.entries() {
                if matches!(entry.kind, Kind::Account | Kind::Contact) && served(entry.domain) {
                    visible.insert(number);
                }
            }
        } else {
            let mut seen = HashSet::new();
            let mut open: Vec<u32> =
                app.groups.iter().filter_map(|(_, group)| image.number(*group)).collect();
            while let Some(group) = open.pop() {
                if !seen.insert(group) {
                    continue;
                }
                for member in image.all_members(group) {
                    let Some(entry) = image.entry(member) else {
                        open.push(member);
                        continue;
                    };
                    // A membership counts in the group's domain.
                    if !image.is_group_of(group, entry.domain) {
                        continue;
                    }
                    match entry.kind {
                        Kind::Group => open.push(member),
                        Kind::Account | Kind::Contact if served(entry.domain) => visible.insert(member),
                        Kind::Account | Kind::Contact | Kind::PasswordSettings | Kind::Container => {}
                    }
                }
            }
        }
        // 2. Groups.
        match &app.seen_groups {
            None => {
                for (number, entry) in image.entries() {
                    if entry.kind == Kind::Group && served(entry.domain) {
                        visible.insert(number);
                    }
                }
            }
            Some(named) => {
                for (_, group) in app.groups.iter().chain(named) {
                    if let Some(number) = image.number(*group)
                        && image.entry(number).is_some_and(|entry| entry.kind == Kind::Group)
                    {
                        visible.insert(number);
                    }
                }
            }
        }
        // 3. The containers above all of them.
        if app.access.tree == LdapTree::ActiveDirectory {
            let mut above: Vec<u32> = image
                .entries()
                .filter(|(number, _)| visible.has(*number))
                .filter_map(|(_, entry)| Some(entry.place.as_ref()?.0))
                .collect();
            while let Some(container) = above.pop() {
                let Some(entry) = image.entry(container).filter(|entry| entry.kind == Kind::Container) else {
                    continue;
                };
                if !visible.has(container) {
                    visible.insert(container);
                    above.extend(entry.place.as_ref().map(|(parent, _)| *parent));
                }
            }
        }
        visible
    }
}

/// The directory as an application sees it.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    image: &'a Image,
    /// None: all.
    visible: Option<Arc<ObjectSet>>,
}

/// An object that the application sees.
#[derive(Debug, Clone, Copy)]
pub struct SeenObject<'a> {
    seen: &'a Seen<'a>,
    number: u32,
    slot: &'a Slot,
    entry: &'a Entry,
}

impl PartialEq for SeenObject<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<'a> Seen<'a> {
    /// How many objects there may be, seen or not.
    pub fn size(&self) -> usize {
        self.image.objects.len()
    }

    fn object(&'a self, number: u32) -> Option<SeenObject<'a>> {
        let is_seen = self.visible.as_ref().is_none_or(|visible| visible.has(number));
        let slot = self.image.slot(number).filter(|_| is_seen)?;
        Some(SeenObject { seen: self, number, slot, entry: slot.entry.as_deref()? })
    }

    /// The object with this objectGUID.
    pub fn by_id(&'a self, object: Uuid) -> Option<SeenObject<'a>> {
        self.object(self.image.number(object)?)
    }

    /// The objects that may have the value.
    pub fn find(&'a self, lookup: Lookup<'_>) -> impl Iterator<Item = SeenObject<'a>> + use<'a> {
        self.image.index.find(lookup).iter().filter_map(|number| self.object(*number))
    }

    /// The object with this part of a name in a container, as names are compared.
    pub fn child(&'a self, container: &SeenObject<'a>, part: &str) -> Option<SeenObject<'a>> {
        let place = (container.number, part);
        let found = self.find(Lookup::Child(place.0, part));
        let is_there =
            |one: &SeenObject<'_>| one.entry.place.as_ref().is_some_and(|(of, own)| (*of, &**own) == place);
        found.into_iter().find(is_there)
    }

    /// The container that is the head of a domain, by the row of the domain.
    pub fn head(&'a self, domain: i64) -> Option<SeenObject<'a>> {
        self.object(*self.image.heads.get(&domain)?)
    }

    /// The objects in the order of their objectGUIDs, from the first one after `last` on.
    pub fn after(&'a self, last: Option<Uuid>) -> impl Iterator<Item = (Uuid, Option<SeenObject<'a>>)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.image.numbers.range((from, Bound::Unbounded));
        range.map(|(object, number)| (*object, self.object(*number)))
    }

    /// The groups with this gidNumber, whether the application sees them or not: row of the domain, and relative id.
    pub fn groups_with_gid_number(&self, number: i64) -> Vec<(i64, u32)> {
        let found = self.image.index.find(Lookup::Number("gidNumber", number)).iter();
        let entries = found.filter_map(|found| self.image.entry(*found));
        let groups = entries.filter(|entry| entry.kind == Kind::Group);
        groups.filter_map(|group| Some((group.domain, self.image.rid(group)?))).collect()
    }
}

impl<'a> SeenObject<'a> {
    /// objectGUID.
    pub fn id(&self) -> Uuid {
        self.slot.object
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.entry.kind
    }

    /// Its domain; none: the domain is being removed.
    pub fn domain(&self) -> Option<&'a Domain> {
        self.seen.image.domain_of(self.entry)
    }

    /// objectSid, as text.
    pub fn sid(&self) -> Option<&'a str> {
        self.entry.sid.as_deref()
    }

    /// The relative id in its SID, if its SID is one of its domain.
    pub fn rid(&self) -> Option<u32> {
        self.seen.image.rid(self.entry)
    }

    /// Whether an administrator blocked it.
    pub fn is_blocked(&self) -> bool {
        self.entry.blocked
    }

    /// Whether the account may act now, as far as the directory says: it is enabled, not blocked and not expired. `now` is
    /// in seconds since 1970. A sign-in looks at more than that.
    pub fn is_enabled(&self, now: i64) -> bool {
        const DISABLED: i64 = 2;
        let enabled = self.integer("userAccountControl").is_some_and(|flags| flags & DISABLED == 0);
        let expires = self.integer("accountExpires").filter(|at| !matches!(*at, 0 | i64::MAX));
        enabled && !self.entry.blocked && expires.is_none_or(|at| filetime(now).is_some_and(|now| now < at))
    }

    /// What a person's rights stand on.
    pub fn mark(&self) -> AccountMark {
        let Entry { locked_at, password_changed, .. } = *self.entry;
        let password_set = self.integer("pwdLastSet");
        AccountMark { password_set, expected: None, password_changed, locked_at }
    }

    /// The value of an attribute by its lDAPDisplayName, if it is a number.
    pub fn integer(&self, name: &str) -> Option<i64> {
        integer(self.entry, name)
    }

    /// The value of an attribute by its lDAPDisplayName, if it is a text.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        match self.entry.values.get(Key::named(name)?)? {
            Value::Text(text) => Some(text),
            Value::Integer(_) | Value::Octets(_) => None,
        }
    }

    /// The number of its last change. It rises, and is at least the microseconds since 1970 of that change.
    pub fn change(&self) -> i64 {
        self.entry.change
    }

    /// The value of an attribute.
    pub fn value(&self, key: Key) -> Option<Value<'a>> {
        self.entry.values.get(key)
    }

    /// The container that it is in; none: it is the head of its domain, or its place is not known.
    pub fn parent(&self) -> Option<Self> {
        let (parent, _) = self.entry.place.as_ref()?;
        self.seen.object(*parent)
    }

    /// The object that its `manager` names, if the application sees it.
    pub fn manager(&self) -> Option<Self> {
        self.seen.object(self.entry.manager?)
    }

    /// The objects that its `member` names and that the application sees.
    pub fn members(&self) -> impl Iterator<Item = Self> {
        self.entry.members.iter().filter_map(|number| self.seen.object(*number))
    }

    /// The same with those that are members through other groups, or because it is their primary group. None: more than
    /// `most` memberships lead to them, to objects that the application sees or not.
    pub fn effective_members(&self, most: usize) -> Option<impl Iterator<Item = Self>> {
        let found = self.seen.image.effective_members(self.number, most)?;
        Some(found.into_iter().filter_map(|number| self.seen.object(number)))
    }

    /// The groups of which it is a member itself, and that the application sees.
    pub fn groups(&self) -> impl Iterator<Item = Self> {
        self.slot.groups.iter().filter_map(|number| self.seen.object(*number))
    }

    /// The same with those that it is in through other groups, and its primary group.
    pub fn effective_groups(&self) -> impl Iterator<Item = Self> {
        self.seen
            .image
            .effective_groups(self.number)
            .into_iter()
            .filter_map(|number| self.seen.object(number))
    }

    /// gidNumber of its primary group, whether the application sees the group or not.
    pub fn primary_gid_number(&self) -> Option<i64> {
        let group = self.seen.image.primary_group(self.entry)?;
        integer(self.seen.image.entry(group)?, "gidNumber")
    }

    /// Whether it reaches a group by memberships, without the primary group, as AD's rule 1.2.840.113556.1.4.1941 does.
    pub fn is_in_chain_of(&self, group: &Self) -> bool {
        let mut seen = HashSet::from([self.number]);
        let mut open = vec![self.number];
        while let Some(one) = open.pop() {
            for held in self.seen.image.slot(one).map(|slot| &slot.groups[..]).unwrap_or_default() {
                if *held == group.number {
                    return true;
                }
                if seen.len() <= MOST_GROUPS && seen.insert(*held) {
                    open.push(*held);
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_end_with_a_password_that_another_way_has_changed() {
        let mark = |password_set, password_changed, locked_at| AccountMark {
            password_set: Some(password_set),
            expected: None,
            password_changed,
            locked_at,
        };
        let before = mark(1, None, None);
        let own = mark(1, Some(60), None).expecting(2);
        // What the account has: at first; changed here; the new pwdLastSet; the new digest as well.
        let (changed, arrived, complete) =
            (mark(1, Some(60), None), mark(2, Some(60), None), mark(2, None, None));
        assert!(before.holds(&before) && !before.holds(&changed));
        assert!(!before.holds(&arrived) && !before.holds(&complete));
        assert!(own.holds(&changed) && own.holds(&arrived) && own.holds(&complete));
        // Another change, here or in AD, and a lock.
        for other in
            [mark(2, Some(61), None), mark(3, None, None), mark(3, Some(60), None), mark(2, None, Some(1))]
        {
            assert!(!own.holds(&other), "{other:?}");
        }
        // An account without pwdLastSet has none that was expected.
        let nothing = AccountMark { password_set: None, ..before };
        assert!(nothing.holds(&nothing) && !before.holds(&nothing));
    }
}
