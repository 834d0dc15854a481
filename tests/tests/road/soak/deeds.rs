//! What an administrator does all day, drawn from a seed: about ten deeds a second, of every kind that a sync must
//! follow. Keeps a book of names and of every password that was ever set, to draw from; what is true is asked of the
//! DC (`agreement`), not of the book.

use landbridge_tests::lab::LabError;
use landbridge_tests::lab::edits::NORMAL;
use landbridge_tests::lab::trial::Draw;
use landbridge_tests::lab::{Domain, person};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Where people are moved between.
const UNITS: [&str; 4] = ["OU=People", "OU=North", "OU=South", "OU=Inner,OU=South"];
/// What people are put into and taken out of. The first two are protected; so are the next two while they are nested.
const GROUPS: [&str; 6] =
    ["Domain Admins", "Account Operators", "helpdesk", "helpdesk inner", "Protected Users", "canteen"];
/// Groups within groups: the upper one, the lower one.
const NESTED: [(&str, &str); 3] =
    [("Domain Admins", "helpdesk"), ("helpdesk", "helpdesk inner"), ("Protected Users", "helpdesk inner")];
/// More are taken out again first, so that most people stay ordinary ones.
const CROWD: usize = 6;

/// A person that there was, or is.
pub(crate) struct Someone {
    pub(crate) guid: Uuid,
    pub(crate) sam: String,
    /// Every password that was ever set, or tried to be, the latest last.
    pub(crate) passwords: Vec<String>,
    enabled: bool,
    gone: bool,
}

/// All of them, and what was done.
pub(crate) struct Book<'a> {
    domain: &'a Domain,
    draw: Draw,
    pub(crate) people: Vec<Someone>,
    /// Who is in which group: the group, and a person's GUID or a group's name.
    links: BTreeSet<(&'static str, String)>,
    /// Names that somebody had, and others may have now.
    free: Vec<String>,
    number: u32,
    pub(crate) done: BTreeMap<&'static str, u32>,
    pub(crate) failed: Vec<String>,
}

impl<'a> Book<'a> {
    /// The domain's people as they are at the start; makes the units and groups.
    pub(crate) fn open(domain: &'a Domain, draw: Draw) -> Self {
        for name in ["North", "South"] {
            domain.create_unit(name).unwrap();
        }
        domain.create_unit("Inner").unwrap();
        domain.rename_container("OU=Inner", UNITS[3]).unwrap();
        for name in [GROUPS[2], GROUPS[3], GROUPS[5]] {
            domain.create_group(name).unwrap();
        }
        let guids: BTreeMap<String, Uuid> =
            domain.people_now().unwrap().into_iter().map(|one| (one.sam, one.guid)).collect();
        let someone = |index| {
            let person = person(index);
            let guid = guids[&person.sam];
            Someone { guid, sam: person.sam, passwords: vec![person.password], enabled: true, gone: false }
        };
        let people = (0..domain.population().users).map(someone).collect();
        Self {
            domain,
            draw,
            people,
            links: BTreeSet::new(),
            free: Vec::new(),
            number: 0,
            done: BTreeMap::new(),
            failed: Vec::new(),
        }
    }

    /// One deed. A DC that is killed in the middle of one may fail it: then the book asks what came of it.
    pub(crate) fn do_something(&mut self) {
        let at = self.someone(false);
        let (what, how) = match self.draw.below(100) {
            0..30 => ("passwords", self.password(at)),
            30..42 => ("disabled or enabled", self.switch(at)),
            42..54 => ("moves", self.domain.move_to(&self.people[at].sam, UNITS[self.draw.below(4)])),
            54..62 => ("renames", self.rename(at)),
            62..66 => ("RDNs", self.rdn(at)),
            66..70 => ("display names", self.display(at)),
            70..74 => ("must change", self.domain.must_change(&self.people[at].sam)),
            74..78 => ("ends", self.end(at)),
            78..83 => ("deletes", self.delete(at)),
            83..88 => ("creates", self.create()),
            88..91 => ("re-animations", self.reanimate()),
            91..98 => ("memberships", self.member(at)),
            _ => ("nested groups", self.nest()),
        };
        *self.done.entry(what).or_default() += 1;
        if let Err(why) = how {
            self.failed.push(format!("{what}: {why}"));
            self.look();
        }
    }

    /// What is true of the names, after a deed of which that is not known.
    fn look(&mut self) {
        let now: BTreeMap<Uuid, String> =
            self.domain.people_now().unwrap().into_iter().map(|one| (one.guid, one.sam)).collect();
        for someone in &mut self.people {
            someone.gone = !now.contains_key(&someone.guid);
            if let Some(sam) = now.get(&someone.guid) {
                someone.sam.clone_from(sam);
            }
        }
    }

    /// Somebody who is gone, or is not. There always is somebody who is not.
    fn someone(&mut self, gone: bool) -> usize {
        let those: Vec<usize> = (0..self.people.len()).filter(|at| self.people[*at].gone == gone).collect();
        those[self.draw.below(those.len())]
    }

    fn fresh(&mut self, what: &str) -> String {
        self.number += 1;
        format!("{what}{:05}", self.number)
    }

    /// A name that is new, or one that somebody else had.
    fn name(&mut self) -> String {
        if !self.free.is_empty() && self.draw.below(2) == 0 {
            let at = self.draw.below(self.free.len());
            return self.free.swap_remove(at);
        }
        self.fresh("soak")
    }

    fn password(&mut self, at: usize) -> Result<(), LabError> {
        let password = self.fresh("Set while it burns ");
        self.people[at].passwords.push(password.clone());
        self.domain.set_password(&self.people[at].sam, &password)
    }

    fn switch(&mut self, at: usize) -> Result<(), LabError> {
        let someone = &mut self.people[at];
        someone.enabled = !someone.enabled;
        self.domain.set_enabled(&someone.sam, someone.enabled)
    }

    fn rename(&mut self, at: usize) -> Result<(), LabError> {
        let to = self.name();
        let before = std::mem::replace(&mut self.people[at].sam, to.clone());
        self.domain.rename(&before, &to)?;
        self.free.push(before);
        Ok(())
    }

    fn rdn(&mut self, at: usize) -> Result<(), LabError> {
        let to = self.fresh("rdn ");
        self.domain.rename_rdn(&self.people[at].sam, &to)
    }

    fn display(&mut self, at: usize) -> Result<(), LabError> {
        let name = self.fresh("Née Прохор ");
        let value = if self.draw.below(4) == 0 { json!(null) } else { json!(name) };
        self.domain.set_attributes(&self.people[at].sam, json!({"displayName": value}))
    }

    fn end(&mut self, at: usize) -> Result<(), LabError> {
        let sam = &self.people[at].sam;
        match self.draw.below(3) {
            0 => self.domain.account_ends_in(sam, -60),
            1 => self.domain.set_attributes(sam, json!({"accountExpires": 0})),
            _ => self.domain.set_attributes(sam, json!({"accountExpires": i64::MAX})),
        }
    }

    fn delete(&mut self, at: usize) -> Result<(), LabError> {
        let guid = self.people[at].guid.to_string();
        self.domain.delete(&self.people[at].sam)?;
        self.people[at].gone = true;
        self.free.push(self.people[at].sam.clone());
        self.links.retain(|(_, member)| *member != guid);
        Ok(())
    }

    fn create(&mut self) -> Result<(), LabError> {
        let (sam, password) = (self.name(), self.fresh("Made while it burns "));
        let unit = UNITS[self.draw.below(4)];
        let made = self.domain.create(&sam, &password, NORMAL, unit)?;
        let passwords = vec![password];
        self.people.push(Someone { guid: made.guid, sam, passwords, enabled: true, gone: false });
        Ok(())
    }

    /// Back under a new name and without a password, as AD does it; mostly given one soon.
    fn reanimate(&mut self) -> Result<(), LabError> {
        if self.people.iter().all(|someone| !someone.gone) {
            return Ok(());
        }
        let (at, sam) = (self.someone(true), self.fresh("again"));
        self.domain.reanimate(self.people[at].guid, &sam, UNITS[self.draw.below(4)])?;
        let someone = &mut self.people[at];
        (someone.sam, someone.gone, someone.enabled) = (sam, false, false);
        if self.draw.below(4) > 0 {
            self.password(at)?;
            self.switch(at)?;
        }
        Ok(())
    }

    fn member(&mut self, at: usize) -> Result<(), LabError> {
        let group = GROUPS[self.draw.below(GROUPS.len())];
        let inside: Vec<usize> = (0..self.people.len())
            .filter(|at| self.links.contains(&(group, self.people[*at].guid.to_string())))
            .collect();
        let crowded = inside.len() > CROWD;
        let at = if crowded { inside[self.draw.below(inside.len())] } else { at };
        let link = (group, self.people[at].guid.to_string());
        let present = !self.links.contains(&link);
        self.domain.set_member(group, &self.people[at].sam, present)?;
        if present {
            self.links.insert(link)
        } else {
            self.links.remove(&link)
        };
        Ok(())
    }

    fn nest(&mut self) -> Result<(), LabError> {
        let (upper, lower) = NESTED[self.draw.below(NESTED.len())];
        let link = (upper, lower.to_owned());
        let present = !self.links.contains(&link);
        self.domain.set_member(upper, lower, present)?;
        if present {
            self.links.insert(link)
        } else {
            self.links.remove(&link)
        };
        Ok(())
    }
}
