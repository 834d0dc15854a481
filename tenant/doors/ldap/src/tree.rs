//! The tree of entries: each domain has a head, `dc=corp,dc=example,dc=com`, and below it `ou=people`, `ou=groups` and
//! `ou=contacts` with the objects that the application sees.
//!
//! Each entry has a place in one order, in which searches return entries and go on after a page: first what is made up here,
//! then the objects by objectGUID.
//! Neighbours: [`super::entry`] has the attributes of an entry, [`super::search`] walks through the tree.

use super::cookie::EntryPlace;
use landbridge_tenant_core::directory::image::application::LdapApplication;
use landbridge_tenant_core::directory::image::index::{Lookup, looked_up};
use landbridge_tenant_core::directory::image::seen::{Seen, SeenObject};
use landbridge_wire::distinguished_name::DistinguishedName;
use landbridge_wire::upload::Kind;
use uuid::Uuid;

/// What stands below the head of a domain.
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
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    pub(crate) seen: &'a Seen<'a>,
    pub(crate) app: &'a LdapApplication,
    pub(crate) heads: Vec<Head>,
}

/// An entry.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Node<'a> {
    Head(&'a Head),
    Unit(&'a Head, Unit),
    Object(&'a Head, SeenObject<'a>),
}

/// The heads of the domains that an application serves.
pub(crate) fn heads<'a>(domains: impl Iterator<Item = (i64, &'a str, &'a str, &'a str)>) -> Vec<Head> {
    let head = |(row, dns_name, netbios_name, sid): (i64, &str, &str, &str)| {
        let name = DistinguishedName::of_domain(dns_name);
        let text = dns_name.split('.').map(|label| format!("dc={label}")).collect::<Vec<_>>().join(",");
        Head {
            row,
            dns_name: dns_name.to_owned(),
            netbios_name: netbios_name.to_owned(),
            sid: sid.to_owned(),
            key: name.key(),
            text,
            name,
        }
    };
    domains.map(head).collect()
}

impl<'a> Tree<'a> {
    pub(crate) fn head_of(&'a self, object: &SeenObject<'_>) -> Option<&'a Head> {
        let row = object.domain()?.id;
        self.heads.iter().find(|head| head.row == row)
    }

    /// The entry of an object; none: its domain is not served, or it has no name yet.
    pub(crate) fn node(&'a self, object: SeenObject<'a>) -> Option<Node<'a>> {
        Unit::of(object.kind())?;
        Some(Node::Object(self.head_of(&object)?, object))
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
        Unit::of(object.kind())?;
        Some(self.object_name(self.head_of(object)?, object))
    }

    fn object_name(&self, head: &Head, object: &SeenObject<'_>) -> String {
        let Some(unit) = Unit::of(object.kind()) else { return String::new() };
        let (kind, value) = first_part(object);
        let mut text = format!("{kind}=");
        escape(&value, &mut text);
        text.push_str(",ou=");
        text.push_str(unit.name());
        text.push(',');
        text.push_str(&head.text);
        text
    }

    /// The entry with this name.
    pub(crate) fn find(&'a self, name: &DistinguishedName) -> Option<Node<'a>> {
        let key = name.key();
        let head = self.heads.iter().find(|head| name.is_within(&head.name))?;
        if key == head.key {
            return Some(Node::Head(head));
        }
        let parent = name.parent()?;
        if parent.key() == head.key {
            let (kind, value) = name.first()?;
            let unit = Unit::ALL.into_iter().find(|unit| unit.name().eq_ignore_ascii_case(value))?;
            return (kind == "OU").then_some(Node::Unit(head, unit));
        }
        let (_, value) = name.first()?;
        let found = match Uuid::try_parse(value) {
            Ok(object) => self.seen.by_id(object),
            Err(_) => None,
        };
        let text = looked_up(value);
        found
            .into_iter()
            .chain(self.seen.find(Lookup::Text("sAMAccountName", &text)))
            .filter_map(|object| self.node(object))
            .find(|node| DistinguishedName::parse(&self.name(node)).is_ok_and(|known| known.key() == key))
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
        let nodes = self.heads.iter().flat_map(|head| {
            [Node::Head(head)].into_iter().chain(Unit::ALL.map(|unit| Node::Unit(head, unit)))
        });
        (1..).map(EntryPlace::MadeUp).zip(nodes)
    }
}

impl<'a> Node<'a> {
    /// Whether the entry is in the scope of a search that begins at `base`.
    pub(crate) fn is_below(&self, base: &Node<'_>, scope: super::message::Scope) -> bool {
        use super::message::Scope;
        let depth = |node: &Node<'_>| match node {
            Node::Head(_) => 0,
            Node::Unit(..) => 1,
            Node::Object(..) => 2,
        };
        let (own, begins) = (depth(self), depth(base));
        match scope {
            Scope::Base => own == begins && self.is_in(base),
            Scope::OneLevel => own == begins + 1 && self.is_in(base),
            Scope::Subtree => self.is_in(base),
        }
    }

    /// Whether the entry is `base`, or anywhere below it.
    fn is_in(&self, base: &Node<'_>) -> bool {
        if self.head().row != base.head().row {
            return false;
        }
        match base {
            Node::Head(_) => true,
            Node::Unit(_, unit) => self.unit() == Some(*unit),
            Node::Object(_, object) => matches!(self, Node::Object(_, own) if own.id() == object.id()),
        }
    }

    pub(crate) fn head(&self) -> &'a Head {
        match self {
            Node::Head(head) | Node::Unit(head, _) | Node::Object(head, _) => head,
        }
    }

    fn unit(&self) -> Option<Unit> {
        match self {
            Node::Head(_) => None,
            Node::Unit(_, unit) => Some(*unit),
            Node::Object(_, object) => Unit::of(object.kind()),
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
