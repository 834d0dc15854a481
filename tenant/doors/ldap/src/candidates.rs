//! The entries that can fulfil a filter, by what is indexed.
//! Neighbours: [`super::search`] looks at each of them, [`super::filter`] is the filter.

use super::cookie::EntryPlace;
use super::filter::Filter;
use super::matching::Normal;
use super::schema::attribute_type::AttributeType;
use super::schema::classes;
use super::tree::{Node, Tree};
use super::unix_ids::rids;
use landbridge_tenant_core::directory::image::index::{Lookup, is_indexed, looked_up};
use landbridge_tenant_core::directory::image::seen::SeenObject;
use landbridge_wire::distinguished_name::DistinguishedName;
use std::cell::Cell;
use uuid::Uuid;

/// Limit on the objects that are collected for one filter, seen by the application or not. Beyond it the search looks at all
/// entries, step by step: so it does from a quarter of all on, where a page costs less so.
const MAX_COLLECTED: usize = 200_000;
/// As many may be collected in any directory.
const ALWAYS_COLLECTED: usize = 5_000;
/// With so few candidates from the other terms of an `&`, the members of groups are not collected.
const FEW: usize = 100;

/// The places of the entries that can fulfil a filter, in their order. None: all have to be looked at. Entries that do not
/// fulfil it may be among them.
pub(crate) fn candidates<'a>(tree: &'a Tree<'a>, filter: &Filter) -> Option<Vec<EntryPlace>> {
    let most = (tree.seen.size() / 4).clamp(ALWAYS_COLLECTED, MAX_COLLECTED);
    let narrowing = Narrowing { tree, of: kinds(filter), left: Cell::new(most) };
    let found = narrowing.by(filter)?;
    let mut places: Vec<EntryPlace> = found.iter().filter_map(|node| tree.place(node)).collect();
    places.sort_unstable();
    places.dedup();
    Some(places)
}

struct Narrowing<'a> {
    tree: &'a Tree<'a>,
    of: Kinds,
    /// How many objects may still be collected.
    left: Cell<usize>,
}

impl<'a> Narrowing<'a> {
    fn by(&self, filter: &Filter) -> Option<Vec<Node<'a>>> {
        match filter {
            Filter::And(all) => {
                let (costly, cheap): (Vec<_>, Vec<_>) = all.iter().partition(|one| is_costly(one));
                let least =
                    |of: Vec<&Filter>| of.into_iter().filter_map(|one| self.by(one)).min_by_key(Vec::len);
                match least(cheap) {
                    Some(found) if found.len() <= FEW => Some(found),
                    found => found.into_iter().chain(least(costly)).min_by_key(Vec::len),
                }
            }
            Filter::Or(any) => {
                let mut found = Vec::new();
                for one in any {
                    found.extend(self.by(one)?);
                }
                Some(found)
            }
            Filter::Undefined => Some(Vec::new()),
            Filter::Equal(attribute, stated) => {
                self.looked_for(attribute, &stated.value, stated.name.as_deref())
            }
            Filter::InChain(attribute, target) => {
                let Some(Node::Object(_, target)) = self.tree.find(target) else { return Some(Vec::new()) };
                match attribute.name() {
                    "memberOf" => self.members(&target),
                    "member" => self.nodes(target.effective_groups()),
                    _ => None,
                }
            }
            Filter::Not(_)
            | Filter::Present(_)
            | Filter::Substrings(..)
            | Filter::AtLeast(..)
            | Filter::AtMost(..)
            | Filter::AllBits(..)
            | Filter::AnyBit(..) => None,
        }
    }

    /// The entries of objects. None: that would be too many. The iterator knows at most how many it has.
    fn nodes(&self, objects: impl Iterator<Item = SeenObject<'a>>) -> Option<Vec<Node<'a>>> {
        // Those that the application does not see cost as much.
        let (_, most) = objects.size_hint();
        self.left.set(self.left.get().checked_sub(most?)?);
        Some(objects.filter_map(|one| self.tree.node(one)).collect())
    }

    fn members(&self, group: &SeenObject<'a>) -> Option<Vec<Node<'a>>> {
        // In vain costs as much as one that fits.
        let left = self.left.replace(0);
        let members = group.effective_members(left)?;
        self.left.set(left);
        self.nodes(members)
    }

    fn looked_for(
        &self,
        attribute: &AttributeType,
        value: &Normal,
        name: Option<&DistinguishedName>,
    ) -> Option<Vec<Node<'a>>> {
        let (tree, seen) = (self.tree, self.tree.seen);
        let by_texts = |names: &[&'static str], text: &str| {
            let text = looked_up(text);
            let mut found = Vec::new();
            for name in names {
                found.extend(self.nodes(seen.find(Lookup::Text(name, &text)))?);
            }
            Some(found)
        };
        match (attribute.name(), value) {
            ("uid" | "sAMAccountName", Normal::Text(text)) => by_texts(&["sAMAccountName"], text),
            // A name that stands for the surname is looked up nowhere.
            ("cn" | "name", Normal::Text(text)) => {
                let mut found = by_texts(&["displayName", "cn", "sAMAccountName"], text)?;
                let made_up = tree.made_up().map(|(_, node)| node);
                found.extend(made_up.filter(|_| attribute.name() == "name"));
                Some(found)
            }
            (named, Normal::Text(text)) if is_indexed(named) => {
                let named: &'static str = AttributeType::name(super::schema::attribute(named)?.attribute);
                by_texts(&[named], text)
            }
            ("memberUid", Normal::Text(text)) => {
                let mut found = Vec::new();
                for account in seen.find(Lookup::Text("sAMAccountName", &looked_up(text))) {
                    found.extend(self.nodes(account.effective_groups())?);
                }
                Some(found)
            }
            ("member" | "uniqueMember", Normal::Text(key)) => {
                let parsed;
                let target = match name {
                    Some(name) => name,
                    None => {
                        parsed = DistinguishedName::parse(key).ok()?;
                        &parsed
                    }
                };
                let Some(Node::Object(_, member)) = tree.find(target) else { return Some(Vec::new()) };
                self.nodes(member.effective_groups())
            }
            ("memberOf", _) => {
                let Some(Node::Object(_, group)) = tree.find(name?) else { return Some(Vec::new()) };
                self.members(&group)
            }
            ("entryDN" | "distinguishedName", _) => Some(tree.find(name?).into_iter().collect()),
            ("uidNumber", Normal::Integer(number)) => {
                let stored = seen.find(Lookup::Number("uidNumber", i64::try_from(*number).ok()?));
                let mut found = self.nodes(stored)?;
                found.extend(self.by_computed(*number)?);
                Some(found)
            }
            ("gidNumber", Normal::Integer(number)) => {
                let wide = i64::try_from(*number).ok()?;
                let mut found = self.nodes(seen.find(Lookup::Number("gidNumber", wide)))?;
                found.extend(self.by_computed(*number)?);
                if self.of.accounts {
                    // The accounts whose primary group has the number.
                    for head in &tree.heads {
                        let computed =
                            u32::try_from(*number).into_iter().flat_map(|number| rids(&head.sid, number));
                        let stored = seen.groups_with_gid_number(wide);
                        let stored =
                            stored.into_iter().filter(|(row, _)| *row == head.row).map(|(_, rid)| rid);
                        for rid in computed.chain(stored) {
                            found.extend(self.nodes(seen.find(Lookup::PrimaryGroup(head.row, rid.into())))?);
                        }
                    }
                }
                Some(found)
            }
            ("primaryGroupID", Normal::Integer(rid)) => {
                let rid = i64::try_from(*rid).ok()?;
                let mut found = Vec::new();
                for head in &tree.heads {
                    found.extend(self.nodes(seen.find(Lookup::PrimaryGroup(head.row, rid)))?);
                }
                Some(found)
            }
            ("objectGUID", Normal::Octets(octets)) => {
                let id = Uuid::from_slice_le(octets).ok();
                self.nodes(id.and_then(|id| seen.by_id(id)).into_iter())
            }
            ("entryUUID", Normal::Octets(octets)) => {
                let id = Uuid::from_slice(octets).ok();
                let mut found = self.nodes(id.and_then(|id| seen.by_id(id)).into_iter())?;
                found.extend(tree.made_up().map(|(_, node)| node));
                Some(found)
            }
            ("objectSid", Normal::Octets(octets)) => {
                let text = sid_text(octets)?;
                let mut found = self.nodes(seen.find(Lookup::Sid(&text)))?;
                found.extend(tree.heads.iter().map(Node::Head));
                Some(found)
            }
            _ => None,
        }
    }

    /// The entries whose number is computed from their SIDs.
    fn by_computed(&self, number: i128) -> Option<Vec<Node<'a>>> {
        let mut found = Vec::new();
        let Ok(number) = u32::try_from(number) else { return Some(found) };
        for head in &self.tree.heads {
            for rid in rids(&head.sid, number) {
                let sid = format!("{}-{rid}", head.sid);
                found.extend(self.nodes(self.tree.seen.find(Lookup::Sid(&sid)))?);
            }
        }
        Some(found)
    }
}

/// Whether a term is narrowed by the members of groups, which may be everybody.
fn is_costly(filter: &Filter) -> bool {
    match filter {
        Filter::And(all) | Filter::Or(all) => all.iter().any(is_costly),
        Filter::Equal(attribute, _) => {
            matches!(attribute.name(), "memberOf" | "primaryGroupID" | "gidNumber")
        }
        Filter::InChain(..) => true,
        Filter::Not(_)
        | Filter::Present(_)
        | Filter::Substrings(..)
        | Filter::AtLeast(..)
        | Filter::AtMost(..)
        | Filter::AllBits(..)
        | Filter::AnyBit(..)
        | Filter::Undefined => false,
    }
}

/// The kinds of object that can fulfil a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kinds {
    accounts: bool,
    groups: bool,
}

const BOTH: Kinds = Kinds { accounts: true, groups: true };

fn kinds(filter: &Filter) -> Kinds {
    match filter {
        Filter::And(all) => all
            .iter()
            .map(kinds)
            .fold(BOTH, |a, b| Kinds { accounts: a.accounts && b.accounts, groups: a.groups && b.groups }),
        Filter::Equal(attribute, stated) if attribute.name() == "objectClass" => {
            let Normal::Text(class) = &stated.value else { return BOTH };
            let Some(class) = classes::class(class) else { return BOTH };
            match class.name {
                "posixGroup" | "group" | "groupOfNames" | "groupOfUniqueNames" => {
                    Kinds { accounts: false, groups: true }
                }
                "posixAccount" | "person" | "user" | "inetOrgPerson" | "organizationalPerson" => {
                    Kinds { accounts: true, groups: false }
                }
                _ => BOTH,
            }
        }
        Filter::Or(_)
        | Filter::Not(_)
        | Filter::Present(_)
        | Filter::Equal(..)
        | Filter::Substrings(..)
        | Filter::AtLeast(..)
        | Filter::AtMost(..)
        | Filter::AllBits(..)
        | Filter::AnyBit(..)
        | Filter::InChain(..)
        | Filter::Undefined => BOTH,
    }
}

/// A SID as text (MS-DTYP 2.4.2.1). None: the octets are none.
fn sid_text(octets: &[u8]) -> Option<String> {
    let (head, rest) = octets.split_first_chunk::<8>()?;
    let [revision, count, authority @ ..] = head;
    let authority = authority.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
    let (parts, rest) = rest.as_chunks::<4>();
    if *revision != 1 || parts.len() != usize::from(*count) || !rest.is_empty() {
        return None;
    }
    let mut text = format!("S-1-{authority}");
    for part in parts {
        text.push_str(&format!("-{}", u32::from_le_bytes(*part)));
    }
    Some(text)
}
