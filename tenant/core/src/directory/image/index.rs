//! Finds objects by the values of some attributes. It holds hashes of values alone, so an object that it returns may have
//! another value: the caller compares.
//! Neighbours: [`super`] keeps it in step with the objects.

use super::values::Key;
use landbridge_wire::names::fold_case;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};

/// The attributes whose texts can be looked up.
const TEXTS: [&str; 7] =
    ["sAMAccountName", "userPrincipalName", "mail", "displayName", "cn", "employeeID", "employeeNumber"];
/// The attributes whose numbers can be looked up.
const NUMBERS: [&str; 2] = ["uidNumber", "gidNumber"];

/// What is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lookup<'a> {
    /// The attribute with this lDAPDisplayName has this text, in the form of [`looked_up`].
    Text(&'static str, &'a str),
    /// The attribute with this lDAPDisplayName has this number.
    Number(&'static str, i64),
    /// objectSid, as text.
    Sid(&'a str),
    /// primaryGroupID, in the domain of this row.
    PrimaryGroup(i64, i64),
    /// The part of a name in the container with this number, in the form of
    /// [`landbridge_wire::distinguished_name::DistinguishedName::key`].
    Child(u32, &'a str),
}

/// A text as it is looked up: without case, and with one blank for all white space.
pub fn looked_up(text: &str) -> String {
    fold_case(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether an attribute's texts can be looked up.
pub fn is_indexed(name: &str) -> bool {
    TEXTS.contains(&name)
}

/// One object, or several.
#[derive(Debug)]
enum Found {
    One(u32),
    Several(Vec<u32>),
}

/// The index.
#[derive(Debug, Default)]
pub(super) struct Index {
    hasher: RandomState,
    found: HashMap<u64, Found>,
}

/// The attributes that are indexed, by their numbers in objects.
#[derive(Debug)]
pub(super) struct Indexed {
    pub(super) texts: Vec<(Key, &'static str)>,
    pub(super) numbers: Vec<(Key, &'static str)>,
}

impl Indexed {
    pub(super) fn new() -> Self {
        let keys = |names: &[&'static str]| {
            names.iter().filter_map(|name| Key::named(name).map(|key| (key, *name))).collect()
        };
        Self { texts: keys(&TEXTS), numbers: keys(&NUMBERS) }
    }
}

impl Index {
    pub(super) fn add(&mut self, lookup: Lookup<'_>, object: u32) {
        match self.found.entry(self.hasher.hash_one(lookup)) {
            std::collections::hash_map::Entry::Vacant(vacant) => drop(vacant.insert(Found::One(object))),
            std::collections::hash_map::Entry::Occupied(mut held) => match held.get_mut() {
                Found::One(other) => {
                    let both = vec![*other, object];
                    held.insert(Found::Several(both));
                }
                Found::Several(all) => all.push(object),
            },
        }
    }

    pub(super) fn remove(&mut self, lookup: Lookup<'_>, object: u32) {
        let hash = self.hasher.hash_one(lookup);
        let left = match self.found.get_mut(&hash) {
            None => return,
            Some(Found::One(other)) => usize::from(*other != object),
            Some(Found::Several(all)) => {
                if let Some(place) = all.iter().position(|other| *other == object) {
                    all.swap_remove(place);
                }
                all.len()
            }
        };
        if left == 0 {
            self.found.remove(&hash);
        }
    }

    /// The objects that may have the value.
    pub(super) fn find(&self, lookup: Lookup<'_>) -> &[u32] {
        match self.found.get(&self.hasher.hash_one(lookup)) {
            None => &[],
            Some(Found::One(object)) => std::slice::from_ref(object),
            Some(Found::Several(all)) => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_until_they_are_removed() {
        let mut index = Index::default();
        let mail = Lookup::Text("mail", "a@b");
        for object in [1, 2, 3] {
            index.add(mail, object);
        }
        index.add(Lookup::Number("uidNumber", 7), 1);
        index.remove(mail, 2);
        assert_eq!(index.find(mail), [1, 3]);
        assert_eq!(index.find(Lookup::Text("displayName", "a@b")), [] as [u32; 0]);
        for object in [1, 3, 4] {
            index.remove(mail, object);
        }
        assert!(index.find(mail).is_empty());
        index.remove(Lookup::Number("uidNumber", 7), 2);
        assert_eq!(index.find(Lookup::Number("uidNumber", 7)), [1]);
    }

    #[test]
    fn a_text_is_looked_up_without_case_and_double_blanks() {
        assert_eq!(looked_up("  Zoë  MÜLLER "), looked_up("zoë müller"));
    }
}
