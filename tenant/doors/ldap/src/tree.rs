//! The tree of entries: each domain has a head, `dc=corp,dc=example,dc=com`, and below it either `ou=people`, `ou=groups` and
//! `ou=contacts` with the objects that the application sees, or the containers of AD with them.
//!
//! Each entry has a place in one order, in which searches return entries and go on after a page: first what is made up here,
//! then the objects by objectGUID.
//! Neighbours: [`super::entry`] has the attributes of an entry, [`super::search`] walks through the tree.

use super::cookie::EntryPlace;
use super::message::Scope;
use landbridge_tenant_core::directory::LdapTree;
use landbridge_tenant_core::directory::image::Image;
use landbridge_tenant_core::directory::image::application::LdapApplication;
use landbridge_tenant_core::directory::image::index::{Lookup, looked_up};
use landbridge_tenant_core::directory::image::seen::{Seen, SeenObject};
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::upload::Kind;
use uuid::Uuid;

/// Limit on the containers above an entry. AD's own limit on a name allows fewer.
const MAX_DEPTH: usize = 256;

/// What stands below the head of a domain, where the tree is not AD's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    People,
    Groups,
    Contacts,
}

impl Unit {
    pub(crate) const ALL: [Self; 3] = [Self::People, Self::Groups, Self::Contacts];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Groups => "groups",
            Self::Contacts => "contacts",
        }
    }

    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Account => Some(Self::People),
            Kind::Group => Some(Self::Groups),
            Kind::Contact => Some(Self::Contacts),
            Kind::PasswordSettings | Kind::Container => None,
        }
    }
}

/// A domain that the application serves.
#[derive(Debug)]
pub(crate) struct Head {
    /// Its row.
    pub(crate) row: i64,
    pub(crate) dns_name: String,
    pub(crate) netbios_name: String,
    pub(crate) sid: String,
    pub(crate) name: DistinguishedName,
    /// Its name as text, and in the form in which names are compared.
    pub(crate) text: String,
    key: String,
}

/// The tree of one application.
pub(crate) struct Tree<'a> {
    pub(crate) seen: &'a Seen<'a>,
    pub(crate) app: &'a LdapApplication,
    /// Reads the photo of an object.
    pub(crate) photo: &'a (dyn Fn(Uuid) -> Option<Vec<u8>> + Sync),
    pub(crate) heads: Vec<Head>,
}

/// An entry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<'a> {
    Head(&'a Head),
    Unit(&'a Head, Unit),
    Object(&'a Head, SeenObject<'a>),
}

/// For what needs no photo.
pub(crate) fn no_photo(_: Uuid) -> Option<Vec<u8>> {
    None
}

impl<'a> Tree<'a> {
    /// The tree of an application, with the heads of the domains that it serves. `photo` reads the photo of an object.
    pub(crate) fn new(
        image: &Image,
        app: &'a LdapApplication,
        seen: &'a Seen<'a>,
        photo: &'a (dyn Fn(Uuid) -> Option<Vec<u8>> + Sync),
    ) -> Self {
        let heads = image.domains(app).map(|domain| {
            let name = DistinguishedName::of_domain(&domain.dns_name);
            let labels = domain.dns_name.split('.').map(|label| format!("dc={label}"));
            Head {
                row: domain.id,
                dns_name: domain.dns_name.clone(),
                netbios_name: domain.netbios_name.clone(),
                sid: domain.sid.clone(),
                key: name.key(),
                text: labels.collect::<Vec<_>>().join(","),
                name,
            }
        });
        Self { seen, app, photo, heads: heads.collect() }
    }

    pub(crate) fn head_of(&'a self, object: &SeenObject<'_>) -> Option<&'a Head> {
        let row = object.domain()?.id;
        self.heads.iter().find(|head| head.row == row)
    }

    /// Whether entries stand where they do in AD.
    fn is_ads(&self) -> bool {
        self.app.access.tree == LdapTree::ActiveDirectory
    }

    /// The entry of an object; none: its domain is not served, or it has none in this tree.
    pub(crate) fn node(&'a self, object: SeenObject<'a>) -> Option<Node<'a>> {
        let head = self.head_of(&object)?;
        match Unit::of(object.kind()) {
            Some(_) => Some(Node::Object(head, object)),
            // The head of a domain is made up here.
            None => (self.is_ads() && object.parent().is_some()).then_some(Node::Object(head, object)),
        }
    }

    /// The entry above another one.
    fn above(&'a self, node: &Node<'a>) -> Option<Node<'a>> {
        match node {
            Node::Head(_) => None,
            Node::Unit(head, _) => Some(Node::Head(head)),
            Node::Object(head, object) if self.is_ads() => {
                let container = object.parent().filter(|container| container.parent().is_some());
                Some(container.map_or(Node::Head(head), |container| Node::Object(head, container)))
            }
            Node::Object(head, object) => Unit::of(object.kind()).map(|unit| Node::Unit(head, unit)),
        }
    }

    /// The name of an entry.
    pub(crate) fn name(&self, node: &Node<'_>) -> String {
        match node {
            Node::Head(head) => head.text.clone(),
            Node::Unit(head, unit) => format!("ou={},{}", unit.name(), head.text),
            Node::Object(head, object) => self.object_name(head, object),
        }
    }

    /// The name of an object that another entry names; none: it has no entry.
    pub(crate) fn name_of(&'a self, object: &SeenObject<'a>) -> Option<String> {
        Some(self.object_name(self.node(*object)?.head(), object))
    }

    fn object_name(&self, head: &Head, object: &SeenObject<'_>) -> String {
        let mut text = String::new();
        if self.is_ads() {
            let mut one = Some(*object);
            for _ in 0..MAX_DEPTH {
                let Some(this) = one.filter(|this| text.is_empty() || this.parent().is_some()) else { break };
                text.push_str(&self.first_part_text(&this));
                text.push(',');
                one = this.parent();
            }
        } else {
            text.push_str(&self.first_part_text(object));
            text.push_str(",ou=");
            text.push_str(Unit::of(object.kind()).map_or("", Unit::name));
            text.push(',');
        }
        text.push_str(&head.text);
        text
    }

    fn first_part_text(&self, object: &SeenObject<'_>) -> String {
        if self.is_ads()
            && let Some(part) = object.text("rdn")
        {
            return part.to_owned();
        }
        let (kind, value) = first_part(object);
        let mut text = format!("{kind}=");
        escape(&value, &mut text);
        text
    }

    /// The entry with this name.
    pub(crate) fn find(&'a self, name: &DistinguishedName) -> Option<Node<'a>> {
        let key = name.key();
        let head = self.heads.iter().find(|head| name.is_within(&head.name))?;
        if key == head.key {
            return Some(Node::Head(head));
        }
        let is_it = |node: &Node<'a>| {
            DistinguishedName::parse(&self.name(node)).is_ok_and(|known| known.key() == key)
        };
        // 1. From the head of AD's tree downwards.
        if self.is_ads() {
            let parts = name.part_keys();
            let below = parts.len().checked_sub(head.name.part_keys().len())?;
            let mut found = self.seen.head(head.row);
            for part in parts.get(..below)?.iter().rev() {
                found = found.and_then(|container| self.seen.child(&container, part));
            }
            if let Some(node) = found.and_then(|found| self.node(found)).filter(&is_it) {
                return Some(node);
            }
        }
        // 2. What is made up here.
        let parent = name.parent()?;
        let (kind, value) = name.first()?;
        if parent.key() == head.key && !self.is_ads() {
            let unit = Unit::ALL.into_iter().find(|unit| unit.name().eq_ignore_ascii_case(value))?;
            return (kind == "OU").then_some(Node::Unit(head, unit));
        }
        // 3. By the name that is unique in a domain. In AD's tree: of an object whose place is not known.
        let found = match Uuid::try_parse(value) {
            Ok(object) => self.seen.by_id(object),
            Err(_) => None,
        };
        let text = looked_up(value);
        found
            .into_iter()
            .chain(self.seen.find(Lookup::Text("sAMAccountName", &text)))
            .filter_map(|object| self.node(object))
            .find(is_it)
    }

    /// The name of the nearest entry above a name that has none.
    pub(crate) fn nearest(&'a self, name: &DistinguishedName) -> String {
        let mut above = name.parent();
        while let Some(name) = above {
            if let Some(node) = self.find(&name) {
                return self.name(&node);
            }
            above = name.parent();
        }
        String::new()
    }

    /// What is made up here, each with its place in the order of entries.
    pub(crate) fn made_up(&'a self) -> impl Iterator<Item = (EntryPlace, Node<'a>)> {
        let units = if self.is_ads() { &[][..] } else { &Unit::ALL };
        let nodes = self.heads.iter().flat_map(move |head| {
            [Node::Head(head)].into_iter().chain(units.iter().map(move |unit| Node::Unit(head, *unit)))
        });
        (1..).map(EntryPlace::MadeUp).zip(nodes)
    }

    /// The place of an entry in the order of all; none: it is not of this tree.
    pub(crate) fn place(&'a self, node: &Node<'a>) -> Option<EntryPlace> {
        match node.object() {
            Some(object) => Some(EntryPlace::Object(object.id().as_u128())),
            None => self.made_up().find(|(_, other)| other.is(node)).map(|(place, _)| place),
        }
    }

    /// The entry at a place; none: it has left.
    pub(crate) fn at(&'a self, place: EntryPlace) -> Option<Node<'a>> {
        match place {
            EntryPlace::Object(id) => self.node(self.seen.by_id(Uuid::from_u128(id))?),
            EntryPlace::MadeUp(_) => {
                self.made_up().find(|(made_up, _)| *made_up == place).map(|(_, node)| node)
            }
        }
    }

    /// All places after one, in their order, and the entry at each.
    pub(crate) fn after(
        &'a self,
        after: Option<EntryPlace>,
    ) -> impl Iterator<Item = (EntryPlace, Option<Node<'a>>)> {
        let made_up = self.made_up().filter(move |(place, _)| after.is_none_or(|after| *place > after));
        let last = match after {
            Some(EntryPlace::Object(last)) => Some(Uuid::from_u128(last)),
            Some(EntryPlace::MadeUp(_)) | None => None,
        };
        let objects = self.seen.after(last).map(|(id, object)| {
            (EntryPlace::Object(id.as_u128()), object.and_then(|object| self.node(object)))
        });
        made_up.map(|(place, node)| (place, Some(node))).chain(objects)
    }

    /// Whether an entry is in the scope of a search that begins at `base`.
    pub(crate) fn is_in_scope(&'a self, node: &Node<'a>, base: &Node<'a>, scope: Scope) -> bool {
        if node.head().row != base.head().row {
            return false;
        }
        match scope {
            Scope::Base => node.is(base),
            Scope::OneLevel => self.above(node).is_some_and(|above| above.is(base)),
            Scope::Subtree if matches!(base, Node::Head(_)) => true,
            Scope::Subtree => {
                let mut one = Some(*node);
                for _ in 0..MAX_DEPTH {
                    match one {
                        None => return false,
                        Some(this) if this.is(base) => return true,
                        Some(this) => one = self.above(&this),
                    }
                }
                false
            }
        }
    }
}

impl<'a> Node<'a> {
    /// Whether both are one entry.
    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Node::Head(one), Node::Head(other)) => one.row == other.row,
            (Node::Unit(one, unit), Node::Unit(other, same)) => one.row == other.row && unit == same,
            (Node::Object(_, one), Node::Object(_, other)) => one.id() == other.id(),
            _ => false,
        }
    }

    pub(crate) fn head(&self) -> &'a Head {
        match self {
            Node::Head(head) | Node::Unit(head, _) | Node::Object(head, _) => head,
        }
    }

    /// The object; none: the entry is made up here.
    pub(crate) fn object(&self) -> Option<&SeenObject<'a>> {
        match self {
            Node::Object(_, object) => Some(object),
            Node::Head(_) | Node::Unit(..) => None,
        }
    }
}

/// Type and value of an object's own part of its name. sAMAccountName is unique in a domain; what has none is named by
/// its objectGUID.
pub(crate) fn first_part(object: &SeenObject<'_>) -> (&'static str, String) {
    let kind = if object.kind() == Kind::Group { "cn" } else { "uid" };
    match object.text("sAMAccountName") {
        Some(name) if !name.is_empty() => (kind, name.to_owned()),
        Some(_) | None => ("entryUUID", object.id().to_string()),
    }
}

/// Writes a value of a name (RFC 4514 2.4).
fn escape(value: &str, into: &mut String) {
    let last = value.len().saturating_sub(1);
    for (at, letter) in value.char_indices() {
        match letter {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' | '=' => {
                into.push('\\');
                into.push(letter);
            }
            '#' | ' ' if at == 0 => {
                into.push('\\');
                into.push(letter);
            }
            ' ' if at == last => into.push_str("\\ "),
            '\0'..' ' | '\u{7f}' => into.push_str(&format!("\\{:02X}", u32::from(letter))),
            _ => into.push(letter),
        }
    }
}
