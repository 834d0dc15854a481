//! The attributes of an entry, in the view of the application.
//!
//! An attribute has the same values in every view; a view says which of them are returned without being named. What an
//! application may not see of an object has no values: neither in an answer nor for a filter.
//! Neighbours: [`super::tree`] has the entries, [`super::schema`] the attributes, [`super::search`] returns them.

use super::filter::Entry;
use super::matching::sid;
use super::root_dse::SUBSCHEMA;
use super::schema::attribute_type::AttributeType;
use super::schema::attributes::ATTRIBUTES;
use super::schema::classes::{Class, Kind as ClassKind, View, classes};
use super::tree::{Head, Node, Tree, first_part};
use super::unix_ids::unix_id;
use aws_lc_rs::digest::{SHA256, digest};
use landbridge_tenant_core::directory::image::seen::SeenObject;
use landbridge_tenant_core::directory::image::values::{Key, Value};
use landbridge_tenant_core::directory::{LdapMemberOf, LdapTree, LdapView};
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::upload::Kind;
use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// Seconds from 1601, where AD's times begin, to 1970.
const EPOCH: i64 = 11_644_473_600;
/// AD's units of 100 ns in a second.
const UNITS: i64 = 10_000_000;
/// Microseconds in a second.
const MICROS: i64 = 1_000_000;
/// The flag of userAccountControl that disables an account.
const DISABLED: i64 = 2;

/// Limit on the values of one entry that one request looks at, with those that it looks at again: a filter may ask for the
/// members of a large group in each of its terms.
const MAX_VALUES: usize = 1_000_000;

/// An entry as a filter and an answer see it.
pub(crate) struct Shown<'a> {
    pub(crate) tree: &'a Tree<'a>,
    pub(crate) node: Node<'a>,
    /// How many values were looked at.
    values: Cell<usize>,
    /// Its groups and its members with those in and around groups, once they were asked for.
    effective_groups: OnceCell<Vec<SeenObject<'a>>>,
    effective_members: OnceCell<Vec<SeenObject<'a>>>,
}

impl Entry for Shown<'_> {
    fn any_value(&self, attribute: &'static AttributeType, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut found = false;
        self.each_value(attribute, &mut |value| {
            found = found || test(value);
        });
        found
    }

    fn names(&self, attribute: &'static AttributeType, target: &DistinguishedName) -> Option<bool> {
        let own = self.node.object()?;
        if !matches!(attribute.name(), "memberOf" | "member") {
            return None;
        }
        let Some(Node::Object(_, target)) = self.tree.find(target) else { return Some(false) };
        let effective = self.is_effective();
        let (group, member) = if attribute.name() == "memberOf" { (&target, own) } else { (own, &target) };
        if group.kind() != Kind::Group {
            return Some(false);
        }
        Some(if attribute.name() == "memberOf" && effective {
            self.effective_groups(own).contains(group)
        } else if effective {
            member.effective_groups().any(|held| held == *group)
        } else {
            member.groups().any(|held| held == *group)
        })
    }

    fn in_chain(&self, attribute: &'static AttributeType, target: &DistinguishedName) -> bool {
        let Some(own) = self.node.object() else { return false };
        let Some(Node::Object(_, target)) = self.tree.find(target) else { return false };
        match attribute.name() {
            "memberOf" => own.is_in_chain_of(&target),
            "member" => target.is_in_chain_of(own),
            _ => false,
        }
    }
}

/// The object classes of an entry in a view, the most special last.
fn class_names(node: &Node<'_>, view: View) -> &'static [&'static str] {
    let ad = view == View::ActiveDirectory;
    match node {
        Node::Head(_) if ad => &["top", "domainDNS"],
        Node::Head(_) => &["top", "dcObject", "domain"],
        Node::Unit(..) => &["top", "organizationalUnit"],
        Node::Object(_, object) if object.kind() == Kind::Container => {
            if is_unit(object) {
                &["top", "organizationalUnit"]
            } else {
                &["top", "container"]
            }
        }
        Node::Object(_, object) => match (object.kind(), view) {
            (Kind::Account, View::ActiveDirectory) => {
                &["top", "person", "organizationalPerson", "posixAccount", "user"]
            }
            (Kind::Account, _) => &["top", "person", "organizationalPerson", "inetOrgPerson", "posixAccount"],
            (Kind::Group, View::ActiveDirectory) => &["top", "posixGroup", "group"],
            (Kind::Group, View::Rfc2307Bis) => &["top", "groupOfNames", "posixGroup"],
            (Kind::Group, View::Rfc2307) => &["top", "posixGroup"],
            (_, View::ActiveDirectory) => &["top", "person", "organizationalPerson", "contact"],
            (_, _) => &["top", "person", "organizationalPerson", "inetOrgPerson"],
        },
    }
}

/// The attributes that entries with these classes have, without their operational ones.
fn attributes_of(names: &[&str], view: View) -> Vec<&'static AttributeType> {
    let mut wanted: Vec<&str> = vec!["objectClass"];
    for name in names {
        let known: Vec<&Class> = classes(view).filter(|class| class.name == *name).collect();
        for class in known {
            wanted.extend(class.must.iter().chain(class.may));
        }
    }
    let in_it = |one: &&'static AttributeType| one.names.iter().any(|name| wanted.contains(name));
    ATTRIBUTES.iter().filter(in_it).collect()
}

/// What `*` and `+` stand for.
pub(crate) struct Attributes {
    view: View,
    known: HashMap<&'static [&'static str], Vec<&'static AttributeType>>,
    operational: Vec<&'static AttributeType>,
}

impl Attributes {
    pub(crate) fn of(view: View) -> Self {
        let operational = ATTRIBUTES
            .iter()
            .filter(|one| one.operational || (view != View::ActiveDirectory && one.name() == "memberOf"))
            .collect();
        Self { view, known: HashMap::new(), operational }
    }

    /// What `*` stands for in an entry.
    pub(crate) fn user(&mut self, node: &Node<'_>) -> &[&'static AttributeType] {
        let (names, view) = (class_names(node, self.view), self.view);
        self.known.entry(names).or_insert_with(|| attributes_of(names, view))
    }

    /// What `+` stands for.
    pub(crate) fn operational(&self) -> &[&'static AttributeType] {
        &self.operational
    }
}

/// The view of an application in this crate's words.
pub(crate) fn view(of: LdapView) -> View {
    match of {
        LdapView::Rfc2307bis => View::Rfc2307Bis,
        LdapView::Rfc2307 => View::Rfc2307,
        LdapView::ActiveDirectory => View::ActiveDirectory,
    }
}

impl<'a> Shown<'a> {
    pub(crate) fn new(tree: &'a Tree<'a>, node: Node<'a>) -> Self {
        let (effective_groups, effective_members) = (OnceCell::new(), OnceCell::new());
        Self { tree, node, values: Cell::new(0), effective_groups, effective_members }
    }

    /// Whether more values were asked for than one request may look at. What was found out of the entry is worth nothing
    /// then.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.values.get() > MAX_VALUES
    }

    fn is_effective(&self) -> bool {
        self.tree.app.access.member_of == LdapMemberOf::Effective
    }

    fn effective_groups(&self, own: &SeenObject<'a>) -> &[SeenObject<'a>] {
        self.effective_groups.get_or_init(|| own.effective_groups().collect())
    }

    fn effective_members(&self, own: &SeenObject<'a>) -> &[SeenObject<'a>] {
        self.effective_members
            .get_or_init(|| own.effective_members(usize::MAX).into_iter().flatten().collect())
    }

    /// Calls `each` with every value of an attribute, in LDAP's encoding, until [`Self::is_exhausted`].
    pub(crate) fn each_value(&self, attribute: &'static AttributeType, each: &mut dyn FnMut(&[u8])) {
        if !self.is_exhausted() {
            self.each_uncounted(attribute, &mut |value| {
                self.values.set(self.values.get() + 1);
                if !self.is_exhausted() {
                    each(value);
                }
            });
        }
    }

    fn each_uncounted(&self, attribute: &'static AttributeType, each: &mut dyn FnMut(&[u8])) {
        let name = attribute.name();
        let view = view(self.tree.app.access.view);
        // 1. What every entry has.
        match name {
            "objectClass" => {
                for class in class_names(&self.node, view) {
                    each(class.as_bytes());
                }
                return;
            }
            "structuralObjectClass" => return self.structural_class(view, each),
            "entryDN" | "distinguishedName" => return each(self.tree.name(&self.node).as_bytes()),
            "subschemaSubentry" => return each(SUBSCHEMA.as_bytes()),
            "hasSubordinates" => {
                let contains = self.node.object().is_none_or(|object| object.kind() == Kind::Container);
                return each(if contains { b"TRUE" } else { b"FALSE" });
            }
            _ => {}
        }
        match &self.node {
            Node::Head(head) if name == "entryUUID" => each(made_up_id(head, "").to_string().as_bytes()),
            Node::Unit(head, unit) if name == "entryUUID" => {
                each(made_up_id(head, unit.name()).to_string().as_bytes());
            }
            Node::Head(head) => match name {
                "dc" => each(head.dns_name.split('.').next().unwrap_or_default().as_bytes()),
                "name" => each(head.dns_name.split('.').next().unwrap_or_default().as_bytes()),
                "objectSid" => {
                    if let Some(octets) = sid(&head.sid) {
                        each(&octets);
                    }
                }
                _ => {}
            },
            Node::Unit(_, unit) => {
                if matches!(name, "ou" | "name") {
                    each(unit.name().as_bytes());
                }
            }
            Node::Object(head, object) if object.kind() == Kind::Container => {
                let named = if is_unit(object) { "ou" } else { "cn" };
                match name {
                    name if name == named || name == "name" => {
                        if let Some((_, value)) = own_part(object).as_ref().and_then(DistinguishedName::first)
                        {
                            each(value.as_bytes());
                        }
                    }
                    "entryUUID" | "objectGUID" | "whenCreated" | "createTimestamp" | "whenChanged"
                    | "uSNChanged" | "modifyTimestamp" => self.each_of_object(head, object, name, each),
                    _ => {}
                }
            }
            Node::Object(head, object) => self.each_of_object(head, object, name, each),
        }
    }

    fn structural_class(&self, view: View, each: &mut dyn FnMut(&[u8])) {
        let names = class_names(&self.node, view);
        let is_structural = |name: &str| {
            classes(view).any(|class| class.name == name && class.kind_in(view) == ClassKind::Structural)
        };
        // Of classes that are derived from each other, the last one stands for all.
        if let Some(last) = names.iter().rev().find(|name| is_structural(name)) {
            each(last.as_bytes());
        }
    }

    fn each_of_object(
        &self,
        head: &Head,
        object: &SeenObject<'a>,
        name: &'static str,
        each: &mut dyn FnMut(&[u8]),
    ) {
        let sees = |source: &str| self.tree.app.sees(source);
        let account = object.kind() == Kind::Account;
        let group = object.kind() == Kind::Group;
        let sam = || object.text("sAMAccountName");
        let integer = |name: &str| object.integer(name).filter(|_| sees(name));
        match name {
            // 1. Identity.
            "entryUUID" => each(object.id().to_string().as_bytes()),
            "objectGUID" => each(&object.id().to_bytes_le()),
            "objectSid" => {
                if let Some(octets) = object.sid().and_then(sid) {
                    each(&octets);
                }
            }
            "cn" | "name" => self.each_name(object, each),
            "uid" if account => {
                if let Some(name) = sam() {
                    each(name.as_bytes());
                }
            }
            "uid" => {}
            // A person must have one, and AD does not require it.
            "sn" if !group => each(object.text("sn").unwrap_or(&self.display_name(object)).as_bytes()),
            "objectCategory" => {
                let category = if group { "Group" } else { "Person" };
                each(format!("CN={category},CN=Schema,CN=Configuration,{}", head.text).as_bytes());
            }
            // 2. Times and numbers of changes.
            "createTimestamp" | "whenCreated" => {
                if let Some(text) = integer("whenCreated").and_then(|at| time_text(at.checked_sub(EPOCH)?)) {
                    each(text.as_bytes());
                }
            }
            "modifyTimestamp" | "whenChanged" => {
                if let Some(text) = time_text(object.change() / MICROS) {
                    each(text.as_bytes());
                }
            }
            "uSNChanged" => each(object.change().to_string().as_bytes()),
            "pwdChangedTime" => {
                let set = integer("pwdLastSet").filter(|at| *at > 0);
                if let Some(text) = set.and_then(|at| time_text(at / UNITS - EPOCH)) {
                    each(text.as_bytes());
                }
            }
            // 3. Groups.
            "member" | "uniqueMember" if group => self.each_member(object, &mut |member| {
                if let Some(name) = self.name_of(member) {
                    each(name.as_bytes());
                }
            }),
            "memberUid" if group => self.each_member(object, &mut |member| {
                if let Some(name) = member.text("sAMAccountName").filter(|_| member.kind() == Kind::Account) {
                    each(name.as_bytes());
                }
            }),
            "memberOf" => {
                let mut one = |group: &SeenObject<'_>| {
                    if let Some(name) = self.name_of(group) {
                        each(name.as_bytes());
                    }
                };
                if self.is_effective() {
                    self.effective_groups(object).iter().for_each(&mut one);
                } else {
                    object.groups().for_each(|group| one(&group));
                }
            }
            "manager" if sees("manager") => {
                if let Some(name) = object.manager().and_then(|manager| self.name_of(&manager)) {
                    each(name.as_bytes());
                }
            }
            "member" | "uniqueMember" | "memberUid" | "manager" => {}
            // 4. POSIX.
            "uidNumber" if account => {
                let computed = || object.rid().and_then(|rid| unix_id(&head.sid, rid)).map(i64::from);
                if let Some(number) = integer("uidNumber").or_else(computed) {
                    each(number.to_string().as_bytes());
                }
            }
            "gidNumber" if account || group => {
                if let Some(number) = self.gid_number(head, object) {
                    each(number.to_string().as_bytes());
                }
            }
            "uidNumber" | "gidNumber" => {}
            "homeDirectory" if account => match object.text("unixHomeDirectory") {
                Some(home) => each(home.as_bytes()),
                None => each(format!("/home/{}", sam().unwrap_or_default()).as_bytes()),
            },
            // 5. AD.
            "userAccountControl" => {
                let flags = integer("userAccountControl");
                if let Some(flags) = flags {
                    let flags = if object.is_blocked() { flags | DISABLED } else { flags };
                    each(flags.to_string().as_bytes());
                }
            }
            "sAMAccountType" => {
                if let Some(kind) = account_type(object) {
                    each(kind.to_string().as_bytes());
                }
            }
            "proxyAddresses" if sees(name) => {
                for address in object.text(name).unwrap_or_default().lines() {
                    each(address.as_bytes());
                }
            }
            "proxyAddresses" => {}
            // 6. Texts, numbers and octets as AD has them, a few under the name of an RFC.
            _ => {
                let source = match name {
                    "street" => "streetAddress",
                    "departmentNumber" => "department",
                    "jpegPhoto" => "thumbnailPhoto",
                    other => other,
                };
                let Some(key) = Key::named(source).filter(|_| sees(source)) else { return };
                match object.value(key) {
                    Some(Value::Text(text)) if !text.is_empty() => each(text.as_bytes()),
                    Some(Value::Integer(number)) => each(number.to_string().as_bytes()),
                    // A photo is not in memory.
                    Some(Value::Octets([])) => {
                        if let Some(octets) = (self.tree.photo)(object.id()) {
                            each(&octets);
                        }
                    }
                    Some(Value::Octets(octets)) => each(octets),
                    Some(Value::Text(_)) | None => {}
                }
            }
        }
    }

    /// Calls `each` with the members of a group: those of the link, or all that are in it.
    fn each_member(&self, group: &SeenObject<'a>, each: &mut dyn FnMut(&SeenObject<'_>)) {
        if self.is_effective() {
            self.effective_members(group).iter().for_each(each);
        } else {
            group.members().for_each(|member| each(&member));
        }
    }

    /// The names of an object: AD's, and the one that its entry is named by.
    fn each_name(&self, object: &SeenObject<'a>, each: &mut dyn FnMut(&[u8])) {
        let part = own_part(object);
        let named = part.as_ref().and_then(DistinguishedName::first).filter(|(kind, _)| *kind == "CN");
        let flat = self.tree.app.access.tree == LdapTree::Flat;
        let entrys = (flat && object.kind() == Kind::Group).then(|| first_part(object).1);
        if let Some(name) = &entrys {
            each(name.as_bytes());
        }
        match named {
            Some((_, name)) if entrys.as_deref() != Some(name) => each(name.as_bytes()),
            None if entrys.is_none() => each(self.display_name(object).as_bytes()),
            Some(_) | None => {}
        }
    }

    /// What people call it: its displayName, or its sAMAccountName.
    fn display_name(&self, object: &SeenObject<'a>) -> String {
        let named = object.text("displayName").or(object.text("cn")).filter(|name| !name.is_empty());
        named.map_or_else(|| first_part(object).1, str::to_owned)
    }

    /// The name of another object. Its own tree outlives this borrow.
    fn name_of(&self, object: &SeenObject<'_>) -> Option<String> {
        self.tree.name_of(object)
    }

    /// The number of an account's primary group, or of a group: AD's, or computed from the SID.
    fn gid_number(&self, head: &Head, object: &SeenObject<'a>) -> Option<i64> {
        if let Some(number) = object.integer("gidNumber") {
            return Some(number);
        }
        if object.kind() == Kind::Group {
            return unix_id(&head.sid, object.rid()?).map(i64::from);
        }
        // The group may have a number of AD's, whether the application sees the group or not.
        if let Some(number) = object.primary_gid_number() {
            return Some(number);
        }
        let rid = u32::try_from(object.integer("primaryGroupID")?).ok()?;
        unix_id(&head.sid, rid).map(i64::from)
    }
}

/// The entryUUID of what has no objectGUID: computed from the domain's SID, so it never changes (RFC 9562, version 8).
fn made_up_id(head: &Head, unit: &str) -> Uuid {
    let hash = digest(&SHA256, format!("landbridge LDAP entry {} {unit}", head.sid).as_bytes());
    let octets = hash.as_ref().first_chunk().copied().unwrap_or_default();
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}

/// The part of its name that an object has in AD; none: it has not arrived.
fn own_part(object: &SeenObject<'_>) -> Option<DistinguishedName> {
    DistinguishedName::parse(object.text("rdn")?).ok()
}

/// Whether a container is an organizational unit.
fn is_unit(object: &SeenObject<'_>) -> bool {
    own_part(object).as_ref().and_then(DistinguishedName::first).is_some_and(|(kind, _)| kind == "OU")
}

/// sAMAccountType (MS-SAMR 2.2.1.9), which AD computes.
fn account_type(object: &SeenObject<'_>) -> Option<u32> {
    const LOCAL: i64 = 4;
    const SECURITY: i64 = 0x8000_0000;
    match object.kind() {
        Kind::Account => Some(0x3000_0000),
        Kind::Group => {
            let kind = object.integer("groupType").unwrap_or(SECURITY | 2);
            let base = if kind & LOCAL == 0 { 0x1000_0000 } else { 0x2000_0000 };
            Some(if kind & SECURITY == 0 { base + 1 } else { base })
        }
        Kind::Contact | Kind::PasswordSettings | Kind::Container => None,
    }
}

/// A time as GeneralizedTime. `at` is in seconds since 1970. None: its year has not four digits.
fn time_text(at: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(at).ok().filter(|at| (0..=9999).contains(&at.year()))?;
    let (month, day) = (u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    Some(format!("{:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z", at.year()))
}
