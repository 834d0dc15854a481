//! The people of a lab's domain and their passwords, computed from an index.
//! No file holds the passwords. `recipe` makes a domain of these people.

use serde_json::{Value, json};

/// The names of a lab's domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Names {
    /// The DNS name.
    pub dns: &'static str,
    /// The NetBIOS name.
    pub netbios: &'static str,
    /// The DNS name of the first DC.
    pub controller: &'static str,
}

/// The usual ones.
pub const NAMES: Names = Names { dns: DOMAIN, netbios: NETBIOS, controller: "dc1.corp.example.com" };
/// Names that AD takes and that are in no textbook: an underscore, and a sign that shells and HTML read.
pub const ODD_NAMES: Names =
    Names { dns: "my_corp.example.com", netbios: "AT&T", controller: "dc1.my_corp.example.com" };

/// The usual DNS name.
pub const DOMAIN: &str = "corp.example.com";
/// The usual NetBIOS name.
pub const NETBIOS: &str = "CORP";
/// The delegated account, which holds the two replication rights and no other.
pub const ACCOUNT: &str = "svc-landbridge";
/// The password of the delegated account.
pub const ACCOUNT_PASSWORD: &str = "Lab: replicate, and nothing else (1)";
/// The domain's administrator, who is never synchronised.
pub const ADMINISTRATOR_PASSWORD: &str = "Lab: the Administrator's own (2)";

/// Users, numbered from 0, and groups of them, in a domain with these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Population {
    /// How many.
    pub users: u32,
    /// How many groups, besides those that every domain has.
    pub groups: u32,
    /// The names of the domain.
    pub names: Names,
}

impl Population {
    /// This many users, besides those that every domain has.
    pub fn of(users: u32) -> Self {
        Self { users, groups: 0, names: NAMES }
    }

    /// The same in groups of equal size, of which every tenth holds the next one too.
    pub fn in_groups(users: u32, groups: u32) -> Self {
        Self { users, groups, names: NAMES }
    }

    /// The same people in a domain with other names.
    #[must_use]
    pub fn named(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// All of them, in the order of their numbers.
    pub fn people(self) -> impl Iterator<Item = Person> {
        (0..self.users).map(move |index| person_of(index, self.names.dns))
    }

    /// As the scripts read it: the users, the groups.
    pub(crate) fn to_json(self) -> (Value, Value) {
        let users = self
            .people()
            .map(|p| json!({"sam": p.sam, "upn": p.upn, "display": p.display, "password": p.password}));
        let groups = (0..self.groups).map(|group| {
            let mut members: Vec<String> =
                self.people().filter(|p| p.index % self.groups == group).map(|p| p.sam).collect();
            if group % 10 == 0 && group + 1 < self.groups {
                members.push(format!("group{:03}", group + 1));
            }
            json!({"sam": format!("group{group:03}"), "members": members})
        });
        (users.collect(), groups.collect())
    }
}

/// One user.
#[derive(Debug, Clone)]
pub struct Person {
    /// The number.
    pub index: u32,
    /// sAMAccountName.
    pub sam: String,
    /// userPrincipalName.
    pub upn: String,
    /// displayName.
    pub display: String,
    /// The password as it is at the start.
    pub password: String,
}

impl Person {
    /// A password that is not this user's, yet near to it.
    pub fn wrong_password(&self) -> String {
        let mut wrong = self.password.clone();
        match self.index % 4 {
            0 => wrong.push('.'),
            1 => drop(wrong.pop()),
            2 => wrong.insert(0, ' '),
            _ => wrong = person(self.index + 1).password,
        }
        wrong
    }
}

/// The user with this number in a domain with the usual names.
pub fn person(index: u32) -> Person {
    person_of(index, DOMAIN)
}

fn person_of(index: u32, domain: &str) -> Person {
    let sam = match index % 50 {
        7 => format!("zoë.{index:05}"),
        23 => format!("o'neil {index:05}"),
        _ => format!("user{index:05}"),
    };
    let local = sam.replace(['\'', ' '], "-");
    Person {
        index,
        upn: format!("{local}@{domain}"),
        display: format!("Person {index}, née Прохор"),
        password: password(index),
        sam,
    }
}

/// Every kind of password that has ever broken a program, each with its number in it.
fn password(index: u32) -> String {
    match index % 10 {
        0 => format!("Tern-Harbour-{index:05}"),
        1 => format!("  two  spaces, each side {index:05}  "),
        2 => format!("\"it's\" \\{index:05}\\ <&amp;> ; -- \u{7f}"),
        3 => format!("Grüße-aus-Köln-{index:05}-ß"),
        4 => format!("合言葉{index:05}ことばことば"),
        5 => format!("🔑🦀-{index:05}-𝔘𝔫𝔦"),
        6 => format!("{index:05}:{}", "a long one, ".repeat(16)),
        7 => format!("e\u{301}te\u{301} שלום {index:05}"),
        8 => format!("$(reboot) `{index:05}` %s %n ${{HOME}}"),
        _ => format!("#{index:07}Aa"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_people_share_a_name_or_a_password_and_ad_takes_every_one() {
        let people: Vec<Person> = Population::of(2000).people().collect();
        for of in [|p: &Person| p.sam.clone(), |p: &Person| p.upn.clone(), |p: &Person| p.password.clone()] {
            assert_eq!(people.iter().map(of).collect::<HashSet<_>>().len(), people.len());
        }
        for p in &people {
            assert!(p.sam.encode_utf16().count() <= 20, "{}", p.sam);
            assert!(p.password.encode_utf16().count() <= 256);
            assert_ne!(p.password, p.wrong_password());
        }
    }
}
