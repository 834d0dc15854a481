//! The entries that can fulfil a filter, by what is indexed.
//! Neighbours: [`super::search`] looks at each of them, [`super::filter`] is the filter.

use super::filter::Filter;
use super::matching::Normal;
use super::schema::attribute_type::AttributeType;
use super::schema::classes;
use super::tree::{Node, Tree};
use super::unix_ids::rids;
use landbridge_tenant_core::directory::image::index::{Lookup, is_indexed, looked_up};
use landbridge_tenant_core::directory::image::seen::SeenObject;
use landbridge_wire::distinguished_name::DistinguishedName;
use uuid::Uuid;

/// The entries that can fulfil a filter, by what is indexed. None: all have to be looked at. Entries that do not fulfil it
/// may be among them.
pub(crate) fn candidates<'a>(tree: &'a Tree<'a>, filter: &Filter) -> Option<Vec<Node<'a>>> {
    narrowed(tree, filter, kinds(filter))
}

fn narrowed<'a>(tree: &'a Tree<'a>, filter: &Filter, of: Kinds) -> Option<Vec<Node<'a>>> {
    match filter {
        Filter::And(all) => all.iter().filter_map(|one| narrowed(tree, one, of)).min_by_key(Vec::len),
        Filter::Or(any) => {
            let mut found = Vec::new();
            for one in any {
                found.extend(narrowed(tree, one, of)?);
            }
            Some(found)
        }
        Filter::Undefined => Some(Vec::new()),
        Filter::Equal(attribute, stated) => {
            looked_for(tree, attribute, &stated.value, stated.name.as_deref(), of)
        }
        Filter::InChain(attribute, target) => {
            let Some(Node::Object(_, target)) = tree.find(target) else { return Some(Vec::new()) };
            let nodes =
                |objects: Vec<SeenObject<'a>>| objects.into_iter().filter_map(|one| tree.node(one)).collect();
            match attribute.name() {
                "memberOf" => Some(nodes(target.effective_members().collect())),
                "member" => Some(nodes(target.effective_groups().collect())),
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

fn looked_for<'a>(
    tree: &'a Tree<'a>,
    attribute: &AttributeType,
    value: &Normal,
    name: Option<&DistinguishedName>,
    of: Kinds,
) -> Option<Vec<Node<'a>>> {
    let seen = tree.seen;
    let nodes = |objects: Vec<SeenObject<'a>>| {
        objects.into_iter().filter_map(|one| tree.node(one)).collect::<Vec<_>>()
    };
    let by_texts = |names: &[&'static str], text: &str| {
        let text = looked_up(text);
        names.iter().flat_map(|name| seen.find(Lookup::Text(name, &text))).collect::<Vec<_>>()
    };
    match (attribute.name(), value) {
        ("uid" | "sAMAccountName", Normal::Text(text)) => Some(nodes(by_texts(&["sAMAccountName"], text))),
        // A name that stands for the surname is looked up nowhere.
        ("cn" | "name", Normal::Text(text)) => {
            let mut found = nodes(by_texts(&["displayName", "cn", "sAMAccountName"], text));
            let made_up = tree.made_up().map(|(_, node)| node);
            found.extend(made_up.filter(|_| attribute.name() == "name"));
            Some(found)
        }
        (named, Normal::Text(text)) if is_indexed(named) => {
            let named: &'static str = AttributeType::name(super::schema::attribute(named)?.attribute);
            Some(nodes(by_texts(&[named], text)))
        }
        ("memberUid", Normal::Text(text)) => {
            let mut found = Vec::new();
            for account in by_texts(&["sAMAccountName"], text) {
                found.extend(account.effective_groups());
            }
            Some(nodes(found))
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
            Some(nodes(member.effective_groups().collect()))
        }
        ("memberOf", _) => {
            let Some(Node::Object(_, group)) = tree.find(name?) else { return Some(Vec::new()) };
            Some(nodes(group.effective_members().collect()))
        }
        ("entryDN" | "distinguishedName", _) => Some(tree.find(name?).into_iter().collect()),
        ("uidNumber", Normal::Integer(number)) => {
            let mut found: Vec<_> =
                seen.find(Lookup::Number("uidNumber", i64::try_from(*number).ok()?)).collect();
            found.extend(by_computed(tree, *number));
            Some(nodes(found))
        }
        ("gidNumber", Normal::Integer(number)) => {
            let wide = i64::try_from(*number).ok()?;
            let mut found: Vec<_> = seen.find(Lookup::Number("gidNumber", wide)).collect();
            found.extend(by_computed(tree, *number));
            if of.accounts {
                // The accounts whose primary group has the number.
                for head in &tree.heads {
                    let computed =
                        u32::try_from(*number).into_iter().flat_map(|number| rids(&head.sid, number));
                    let stored = seen.groups_with_gid_number(wide);
                    let stored = stored.into_iter().filter(|(row, _)| *row == head.row).map(|(_, rid)| rid);
                    for rid in computed.chain(stored) {
                        found.extend(seen.find(Lookup::PrimaryGroup(head.row, rid.into())));
                    }
                }
            }
            Some(nodes(found))
        }
        ("primaryGroupID", Normal::Integer(rid)) => {
            let rid = i64::try_from(*rid).ok()?;
            let found = tree.heads.iter().flat_map(|head| seen.find(Lookup::PrimaryGroup(head.row, rid)));
            Some(nodes(found.collect()))
        }
        ("objectGUID", Normal::Octets(octets)) => {
            let id = Uuid::from_slice_le(octets).ok();
            Some(nodes(id.and_then(|id| seen.by_id(id)).into_iter().collect()))
        }
        ("entryUUID", Normal::Octets(octets)) => {
            let id = Uuid::from_slice(octets).ok();
            Some(nodes(id.and_then(|id| seen.by_id(id)).into_iter().collect()))
        }
        ("objectSid", Normal::Octets(octets)) => {
            let text = sid_text(octets)?;
            let mut found = nodes(seen.find(Lookup::Sid(&text)).collect());
            found.extend(tree.heads.iter().map(Node::Head));
            Some(found)
        }
        _ => None,
    }
}

/// The objects whose number is computed from their SIDs.
fn by_computed<'a>(tree: &'a Tree<'a>, number: i128) -> Vec<SeenObject<'a>> {
    let Ok(number) = u32::try_from(number) else { return Vec::new() };
    let sids =
        tree.heads.iter().flat_map(|head| rids(&head.sid, number).map(|rid| format!("{}-{rid}", head.sid)));
    sids.flat_map(|sid| tree.seen.find(Lookup::Sid(&sid)).collect::<Vec<_>>()).collect()
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
