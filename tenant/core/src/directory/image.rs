//! The directory in memory, for doors that search it by any attribute: all present accounts, groups and contacts, and the
//! applications that may read them.
//!
//! It follows the database by the numbers of changes ([`landbridge_tenant_store::tables::changes`]): before a search it
//! reads what has changed since, so a search that begins after an upload was acknowledged finds what it brought. It is
//! never asked whether a password is right.
//!
//! An object has a number as long as the image lives. A reader holds the image for short steps, and none between them.
//! Neighbours: [`super::Directory`] holds it. [`values`] and [`index`] are its parts; [`seen`] is what an application sees.

pub mod application;
pub mod index;
mod object_set;
pub mod seen;
pub mod values;

use crate::lock::lock;
use application::LdapApplication;
use index::{Index, Indexed, Lookup, looked_up};
use landbridge_tenant_rules::model::{Domain, sub_authority};
use landbridge_tenant_store::tables::changed_objects::{self, ChangePlace, ChangedObject};
use landbridge_tenant_store::tables::changes::{self, LastChanges};
use landbridge_tenant_store::tables::{app_groups, app_ldap, app_secrets, apps, domains};
use landbridge_tenant_store::{Reading, Store, StoreError};
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::upload::{Kind, LinkKind};
use object_set::ObjectSet;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use uuid::Uuid;
use values::{Key, Value, Values};

/// Limit on the groups of an object that are followed, as in sign-ins: one that is in more is in none of them.
const MOST_GROUPS: usize = landbridge_tenant_store::tables::members::MOST_GROUPS;
/// Limit on the changes that are read and applied at once: searches wait while they are applied, for milliseconds. In tests
/// a history takes several steps.
const STEP: usize = if cfg!(test) { 2 } else { 1_000 };
/// Limit on the applications that read the directory.
const MOST_APPLICATIONS: u32 = 10_000;

/// The directory in memory.
#[derive(Debug)]
pub struct Image {
    last: LastChanges,
    /// The last change that was applied.
    place: ChangePlace,
    indexed: Arc<Indexed>,
    objects: Vec<Slot>,
    numbers: BTreeMap<Uuid, u32>,
    index: Index,
    /// The members of groups that have not arrived: memberships count all the same, in the group's domain.
    unknown_groups: HashMap<u32, (i64, Vec<u32>)>,
    /// The container that is the head of a domain, by the domain's row.
    heads: HashMap<i64, u32>,
    domains: Vec<Domain>,
    applications: HashMap<Uuid, Arc<LdapApplication>>,
    /// What each application sees, computed when it first searches in this state.
    visible: Mutex<HashMap<Uuid, Arc<ObjectSet>>>,
}

/// What is known of an objectGUID: the object, and the groups of which it is a member itself. A member may arrive after
/// its group.
#[derive(Debug)]
struct Slot {
    object: Uuid,
    entry: Option<Box<Entry>>,
    groups: Vec<u32>,
}

/// An object.
#[derive(Debug)]
pub(crate) struct Entry {
    kind: Kind,
    domain: i64,
    blocked: bool,
    change: i64,
    sid: Option<Box<str>>,
    /// lockoutTime, which no door shows.
    locked_at: Option<i64>,
    /// When the password was changed by way of the tenant, until the digest of the new one has arrived.
    password_changed: Option<i64>,
    manager: Option<u32>,
    /// The container that it is in, and its part of its name there, as names are compared.
    place: Option<(u32, Box<str>)>,
    members: Box<[u32]>,
    values: Values,
}

/// What is read beside the objects: it is little, and read whole.
#[derive(Debug)]
pub(crate) struct Settings {
    domains: Vec<Domain>,
    applications: HashMap<Uuid, Arc<LdapApplication>>,
}

/// Changes that were read, and are not applied yet.
#[derive(Debug)]
pub(crate) struct Changes {
    last: LastChanges,
    objects: Vec<ChangedObject>,
    /// None: more changes follow.
    settings: Option<Settings>,
}

impl Changes {
    /// Reads the changes after a place, at most [`STEP`].
    pub(crate) fn read(store: &Store, after: ChangePlace) -> Result<Self, StoreError> {
        store.look(|reading| {
            let last = changes::last(reading)?;
            let objects = changed_objects::after(reading, after, STEP)?;
            let settings = if objects.len() < STEP { Some(Settings::read(reading)?) } else { None };
            Ok(Self { last, objects, settings })
        })
    }

    /// Whether nothing follows.
    pub(crate) fn is_last(&self) -> bool {
        self.settings.is_some()
    }
}

impl Settings {
    fn read(reading: &Reading<'_>) -> Result<Self, StoreError> {
        let mut applications = HashMap::new();
        for application in apps::list(reading, MOST_APPLICATIONS)? {
            if application.revoked_at.is_some() {
                continue;
            }
            let Some(access) = app_ldap::of(reading, application.id)? else { continue };
            let pairs = |groups: &[landbridge_tenant_rules::model::AppGroup]| {
                groups.iter().map(|group| (group.domain, group.group)).collect::<Vec<_>>()
            };
            let read = LdapApplication {
                rows: application.domain_rows(),
                groups: pairs(&app_groups::of(reading, application.id)?),
                seen_groups: access.groups.as_deref().map(pairs),
                secrets: app_secrets::of(reading, application.id)?,
                access,
                application,
            };
            applications.insert(read.application.id, Arc::new(read));
        }
        Ok(Self { domains: domains::all(reading)?, applications })
    }
}

impl Image {
    /// Reads the whole directory.
    pub(crate) fn load(store: &Store) -> Result<Self, StoreError> {
        let mut image = Self {
            last: LastChanges { any: -1, forgetting: -1 },
            place: ChangePlace::default(),
            indexed: Arc::new(Indexed::new()),
            objects: Vec::new(),
            numbers: BTreeMap::new(),
            index: Index::default(),
            unknown_groups: HashMap::new(),
            heads: HashMap::new(),
            domains: Vec::new(),
            applications: HashMap::new(),
            visible: Mutex::default(),
        };
        store.look(|reading| {
            image.last = changes::last(reading)?;
            changed_objects::walk(reading, |object| {
                let place = ChangePlace { change: object.change, object: object.object };
                image.place = image.place.max(place);
                image.put(&object);
            })?;
            for (domain, group, member) in changed_objects::members_of_unknown_groups(reading)? {
                image.put_unknown(domain, group, member);
            }
            image.set(Settings::read(reading)?);
            Ok(())
        })?;
        Ok(image)
    }

    /// The number of the last change that it has. It rises, and is at least the microseconds since 1970 of that change.
    pub fn last_change(&self) -> i64 {
        self.last.any
    }

    /// The place after which changes are missing.
    pub(crate) fn place(&self) -> ChangePlace {
        self.place
    }

    /// Applies what was read. False: objects were taken away, and the image must be loaded again.
    pub(crate) fn apply(&mut self, read: Changes) -> bool {
        if read.last.forgetting > self.last.forgetting {
            return false;
        }
        for object in &read.objects {
            self.place = ChangePlace { change: object.change, object: object.object };
            self.put(object);
        }
        if let Some(settings) = read.settings {
            self.last = read.last;
            self.set(settings);
        }
        true
    }

    fn set(&mut self, Settings { domains, applications }: Settings) {
        (self.domains, self.applications) = (domains, applications);
        lock(&self.visible).clear();
    }

    /// Stores an object as it is now, in place of what was known of it.
    fn put(&mut self, changed: &ChangedObject) {
        let number = self.number_for(changed.object);
        // 1. What was known goes.
        self.unlink(number);
        // 2. The object, unless it is of no use here.
        if changed.kind == Kind::PasswordSettings || !changed.present {
            return;
        }
        let mut members = Vec::new();
        let mut manager = None;
        for (what, target) in &changed.links {
            match what {
                LinkKind::Member => members.push(self.number_for(*target)),
                LinkKind::Manager => manager = Some(self.number_for(*target)),
                LinkKind::AppliesTo => {}
            }
        }
        let parent = changed.guid("parent").map(|parent| self.number_for(parent));
        let part = changed.text("rdn").and_then(|part| DistinguishedName::parse(part).ok());
        for member in &members {
            if let Some(slot) = self.slot_mut(*member) {
                slot.groups.push(number);
            }
        }
        let entry = Entry {
            kind: changed.kind,
            domain: changed.domain,
            blocked: changed.blocked,
            change: changed.change,
            locked_at: changed.integer("lockout_time"),
            password_changed: changed.password_changed,
            sid: changed.sid.as_deref().map(Box::from),
            manager,
            place: parent.zip(part.map(|part| part.key().into_boxed_str())),
            members: members.into_boxed_slice(),
            values: Values::pack(&changed.attributes),
        };
        if entry.kind == Kind::Container && entry.place.is_none() {
            self.heads.insert(entry.domain, number);
        }
        let indexed = self.indexed.clone();
        let index = &mut self.index;
        each_lookup(&indexed, &entry, |lookup| index.add(lookup, number));
        if let Some(slot) = self.slot_mut(number) {
            slot.entry = Some(Box::new(entry));
        }
    }

    fn put_unknown(&mut self, domain: i64, group: Uuid, member: Uuid) {
        let (group, member) = (self.number_for(group), self.number_for(member));
        self.unknown_groups.entry(group).or_insert((domain, Vec::new())).1.push(member);
        if let Some(slot) = self.slot_mut(member) {
            slot.groups.push(group);
        }
    }

    /// Takes an object out of the index and of its members' groups.
    fn unlink(&mut self, number: u32) {
        for member in self.unknown_groups.remove(&number).map(|(_, members)| members).unwrap_or_default() {
            if let Some(slot) = self.slot_mut(member) {
                slot.groups.retain(|group| *group != number);
            }
        }
        let Some(entry) = self.slot_mut(number).and_then(|slot| slot.entry.take()) else { return };
        if self.heads.get(&entry.domain) == Some(&number) {
            self.heads.remove(&entry.domain);
        }
        let indexed = self.indexed.clone();
        let index = &mut self.index;
        each_lookup(&indexed, &entry, |lookup| index.remove(lookup, number));
        for member in &entry.members {
            if let Some(slot) = self.slot_mut(*member) {
                slot.groups.retain(|group| *group != number);
            }
        }
    }

    fn number_for(&mut self, object: Uuid) -> u32 {
        if let Some(number) = self.numbers.get(&object) {
            return *number;
        }
        // Far more objects than a tenant holds: each has a row in a database.
        let number = u32::try_from(self.objects.len()).unwrap_or(u32::MAX);
        self.objects.push(Slot { object, entry: None, groups: Vec::new() });
        self.numbers.insert(object, number);
        number
    }

    fn slot(&self, number: u32) -> Option<&Slot> {
        self.objects.get(usize::try_from(number).ok()?)
    }

    fn slot_mut(&mut self, number: u32) -> Option<&mut Slot> {
        self.objects.get_mut(usize::try_from(number).ok()?)
    }

    pub(crate) fn entry(&self, number: u32) -> Option<&Entry> {
        self.slot(number)?.entry.as_deref()
    }

    /// The number of an objectGUID.
    pub(crate) fn number(&self, object: Uuid) -> Option<u32> {
        self.numbers.get(&object).copied()
    }

    /// All objects, with their numbers.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, &Entry)> {
        (0..).zip(&self.objects).filter_map(|(number, slot)| Some((number, slot.entry.as_deref()?)))
    }

    /// The members of a group: by links, and those whose primary group it is.
    pub(crate) fn all_members(&self, group: u32) -> Vec<u32> {
        let Some(entry) = self.entry(group) else {
            return self.unknown_groups.get(&group).map(|(_, members)| members.clone()).unwrap_or_default();
        };
        let mut members = entry.members.to_vec();
        if let Some((domain, rid)) = self.domain_of(entry).zip(self.rid(entry)) {
            let found = self.index.find(Lookup::PrimaryGroup(domain.id, i64::from(rid)));
            let holds = |member: &u32| {
                self.entry(*member).is_some_and(|one| {
                    one.domain == domain.id && integer(one, "primaryGroupID") == Some(i64::from(rid))
                })
            };
            members.extend(found.iter().filter(|member| holds(member)));
        }
        members
    }

    fn domain_of(&self, entry: &Entry) -> Option<&Domain> {
        self.domains.iter().find(|domain| domain.id == entry.domain)
    }

    /// The relative id in the SID of an object, if its SID is one of its domain.
    fn rid(&self, entry: &Entry) -> Option<u32> {
        let domain = self.domain_of(entry)?;
        sub_authority(entry.sid.as_deref()?.strip_prefix(domain.sid.as_str())?.strip_prefix('-')?)
    }

    /// The group that is an object's primary one.
    fn primary_group(&self, entry: &Entry) -> Option<u32> {
        let domain = self.domain_of(entry)?;
        let sid = format!("{}-{}", domain.sid, integer(entry, "primaryGroupID")?);
        let found = self.index.find(Lookup::Sid(&sid)).iter().copied();
        found.into_iter().find(|number| {
            self.entry(*number).is_some_and(|group| {
                group.kind == Kind::Group && group.domain == domain.id && group.sid.as_deref() == Some(&*sid)
            })
        })
    }

    /// The groups that an object is in, directly, through other groups and by its primary group, as sign-ins count them.
    /// Empty: more than [`MOST_GROUPS`].
    fn effective_groups(&self, number: u32) -> Vec<u32> {
        let Some(entry) = self.entry(number) else { return Vec::new() };
        let mut seen = HashSet::from([number]);
        let mut found = Vec::new();
        let mut open = vec![number];
        let primary = self.primary_group(entry);
        if let Some(primary) = primary.filter(|primary| seen.insert(*primary)) {
            found.push(primary);
            open.push(primary);
        }
        while let Some(one) = open.pop() {
            for group in self.slot(one).map(|slot| &slot.groups[..]).unwrap_or_default() {
                let counts = self.is_group_of(*group, entry.domain);
                if counts && seen.insert(*group) {
                    if found.len() >= MOST_GROUPS {
                        return Vec::new();
                    }
                    found.push(*group);
                    open.push(*group);
                }
            }
        }
        found
    }

    /// Whether this is a group of the domain, or one of it that has not arrived.
    pub(crate) fn is_group_of(&self, group: u32, domain: i64) -> bool {
        match self.entry(group) {
            Some(entry) => entry.domain == domain && entry.kind == Kind::Group,
            None => self.unknown_groups.get(&group).is_some_and(|(of, _)| *of == domain),
        }
    }

    /// The objects that are in a group, directly, through other groups and by their primary group. None: more than `most`
    /// memberships lead to them.
    fn effective_members(&self, group: u32, most: usize) -> Option<Vec<u32>> {
        let mut seen = HashSet::from([group]);
        let mut found = Vec::new();
        let mut open = vec![group];
        let mut left = most;
        while let Some(one) = open.pop() {
            left = left.checked_sub(self.most_members(one))?;
            for member in self.all_members(one) {
                if seen.insert(member) {
                    found.push(member);
                    if self.entry(member).is_none_or(|entry| entry.kind == Kind::Group) {
                        open.push(member);
                    }
                }
            }
        }
        Some(found)
    }

    /// At most how many members a group has, without a look at any.
    fn most_members(&self, group: u32) -> usize {
        let Some(entry) = self.entry(group) else {
            return self.unknown_groups.get(&group).map_or(0, |(_, members)| members.len());
        };
        let primary = self
            .domain_of(entry)
            .zip(self.rid(entry))
            .map(|(domain, rid)| self.index.find(Lookup::PrimaryGroup(domain.id, i64::from(rid))).len());
        entry.members.len() + primary.unwrap_or_default()
    }

    /// The application with this id, if it reads the directory and is not revoked.
    pub fn application(&self, id: Uuid) -> Option<&Arc<LdapApplication>> {
        self.applications.get(&id)
    }

    /// The application that an address belongs to: the one with the smallest network that contains it. One without
    /// networks has all addresses. None: there is none, or several are equally near.
    pub fn application_at(&self, address: IpAddr) -> Option<&Arc<LdapApplication>> {
        let nearness = |app: &LdapApplication| {
            let networks = &app.application.networks;
            let near = networks.iter().filter(|network| network.contains(address));
            if networks.is_empty() {
                Some(0)
            } else {
                near.map(|network| 1 + u32::from(network.prefix())).max()
            }
        };
        let all = self.applications.values().filter_map(|app| Some((nearness(app)?, app)));
        let nearest = all.clone().map(|(nearness, _)| nearness).max()?;
        let mut found = all.filter(|(nearness, _)| *nearness == nearest);
        let (_, app) = found.next()?;
        found.next().is_none().then_some(app)
    }

    /// The domains that an application serves.
    pub fn domains(&self, app: &LdapApplication) -> impl Iterator<Item = &Domain> {
        let rows = app.rows.clone();
        self.domains.iter().filter(move |domain| rows.as_ref().is_none_or(|rows| rows.contains(&domain.id)))
    }
}

/// Calls `each` with all that an object is looked up by.
fn each_lookup(indexed: &Indexed, entry: &Entry, mut each: impl FnMut(Lookup<'_>)) {
    for (key, name) in &indexed.texts {
        if let Some(Value::Text(text)) = entry.values.get(*key) {
            each(Lookup::Text(name, &looked_up(text)));
        }
    }
    for (key, name) in &indexed.numbers {
        if let Some(Value::Integer(number)) = entry.values.get(*key) {
            each(Lookup::Number(name, number));
        }
    }
    if let Some(sid) = &entry.sid {
        each(Lookup::Sid(sid));
    }
    if let Some(rid) = integer(entry, "primaryGroupID") {
        each(Lookup::PrimaryGroup(entry.domain, rid));
    }
    if let Some((parent, part)) = &entry.place {
        each(Lookup::Child(*parent, part));
    }
    if let Some(Value::Text(part)) = Key::named("rdn").and_then(|key| entry.values.get(key))
        && let Ok(part) = DistinguishedName::parse(part)
        && let Some(("CN", name)) = part.first()
    {
        each(Lookup::Text("cn", &looked_up(name)));
    }
}

fn integer(entry: &Entry, name: &str) -> Option<i64> {
    match entry.values.get(Key::named(name)?)? {
        Value::Integer(number) => Some(number),
        Value::Text(_) | Value::Octets(_) => None,
    }
}

#[cfg(test)]
mod tests;
