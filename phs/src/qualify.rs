//! Who is carried, and with what. No socket, no clock; single objects are asked for through `Singles`.
//!
//! Carried: users and inetOrgPersons, groups, contacts, and the fine-grained password policies. Never: computers, trust
//! accounts, the KDC's own accounts, groups that AdminSDHolder protects. Privileged accounts leave here without their
//! password, which nobody has opened, unless the administrator named them. Who left the scope stays as he is until the
//! end of the cycle, where the guard decides about all of them.
//! What a change leaves out is known from the mirror; an object that the mirror does not know, or that enters the
//! cloud, is read alone and whole.
//! Before it on the road: `directory`. After it: `rehash`, `send`.

mod containers;
pub mod privileged;
mod rules;
mod standing;
pub mod translate;

pub use containers::look_up;
pub use rules::Rules;
pub use standing::{Outside, Standing, learn_whole, standing};

use self::translate::Odd;
use crate::error::PhsError;
use crate::mirror::{Kind, Mirror, Object, Position, Sent};
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_drsr::drs::attribute::{Attribute, Value};
use landbridge_drsr::drs::change::{Change, Page, SealedNtHash};
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::upload::{self, DomainPolicy, Presence};
use standing::learn;
use std::collections::HashSet;
use std::sync::Arc;
use tracing::debug;
use uuid::Uuid;

/// One object on its way to the tenant.
#[derive(Debug)]
pub struct Draft {
    /// objectGUID.
    pub object: Uuid,
    /// What it is.
    pub kind: upload::Kind,
    /// objectSid, if it has one.
    pub sid: Option<Sid>,
    /// Whether it is in the cloud.
    pub presence: Presence,
    /// Whether it is privileged, and carried because it was named.
    pub privileged: bool,
    /// Whether it is in Protected Users, when that is to be told.
    pub protected_user: Option<bool>,
    /// Its attributes.
    pub attributes: Vec<upload::Attribute>,
    /// Its password, still sealed.
    pub password: Option<Sealed>,
    /// The tenant is to have no password of it.
    pub erase_password: bool,
    /// How a person knows it; for a dry run.
    pub name: String,
    /// The tenant did not have it.
    pub enters: bool,
}

/// A password, and what opens it.
#[derive(Debug)]
pub struct Sealed {
    /// As the DC sent it.
    pub hash: SealedNtHash,
    /// The keys of the connection that it came by.
    pub keys: Arc<SessionKeys>,
}

/// What a page holds for the tenant.
#[derive(Debug, Default)]
pub struct Batch {
    /// Objects.
    pub drafts: Vec<Draft>,
    /// Links that changed.
    pub links: Vec<upload::Link>,
    /// Objects that entered: all of their links are to be told.
    pub entered: Vec<Uuid>,
    /// The domain's policy, if some of it changed.
    pub policy: Option<DomainPolicy>,
    /// Accounts that are in the cloud.
    pub in_scope: u64,
    /// Accounts that are held back for being privileged.
    pub privileged: u64,
    /// Objects that left.
    pub removed: u64,
    /// Objects that could not be carried.
    pub quarantined: u64,
    /// Who is held back, by name, and in what: for a run that only looks.
    pub held: Vec<(String, &'static str)>,
    /// Something changed that others hang on: all objects are to be compared with what was told.
    pub unsettled: bool,
}

/// Qualifies a page, and remembers in the mirror what it says: first what others hang on (containers, groups,
/// policies, links), then everybody.
pub fn page(
    page: Page,
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
) -> Result<Batch, PhsError> {
    let mut at = Desk { mirror, singles, rules, sweeps: false, batch: Batch::default() };
    let Page { keys, quarantined, changes, links, .. } = page;
    for quarantined in &quarantined {
        match quarantined.object {
            Some(guid) if quarantined.link => at.odd_link(guid, &quarantined.why)?,
            Some(guid) => at.quarantine(guid, &quarantined.why)?,
            None => at.batch.quarantined += 1,
        }
    }
    for change in &changes {
        at.apply_container(change)?;
    }
    for link in &links {
        let present = link.present.then_some(link.stamp);
        mirror.set_link(link.what, link.from.guid, link.to.guid, present)?;
    }
    at.batch.unsettled |= !links.is_empty();
    if at.batch.unsettled {
        at.look_up_deleted_entries()?;
    }
    mirror.resolve(&rules.bounds)?;
    let odd: HashSet<Uuid> = quarantined.iter().filter(|q| q.link).filter_map(|q| q.object).collect();
    for change in changes {
        // What is odd about one of its links this page says itself.
        if !odd.contains(&change.object.guid) {
            mirror.release(change.object.guid)?;
        }
        at.change(change, &keys)?;
    }
    // Only now is it known whose links are told.
    let mut last = None;
    for link in &links {
        let from = link.from.guid;
        let told = match last {
            Some((guid, told)) if guid == from => told,
            // All links of whoever entered are told anyway, these among them.
            Some(_) | None if at.batch.entered.contains(&from) => false,
            Some(_) | None => mirror.object(from)?.is_some_and(|object| object.sent == Some(Sent::Present)),
        };
        last = Some((from, told));
        if told {
            at.batch.links.push(translate::link(link));
        }
    }
    Ok(at.batch)
}

/// Does something about one object of which the tenant was told what no longer fits. `hold`: who left the scope, or a group
/// whose passwords are carried, is left alone.
pub fn mend(
    object: Object,
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
    hold: bool,
) -> Result<Batch, PhsError> {
    let mut at = Desk { mirror, singles, rules, sweeps: true, batch: Batch::default() };
    at.mend(object, hold)?;
    Ok(at.batch)
}

struct Desk<'a, 'r> {
    mirror: &'a Mirror,
    singles: &'a mut dyn Singles,
    rules: &'a Rules<'r>,
    /// All pages are through.
    sweeps: bool,
    batch: Batch,
}

impl Desk<'_, '_> {
    /// In a full compare every object comes whole; otherwise what is not told is as it was.
    fn learn(&self, object: &mut Object, change: &Change) {
        let learn = if self.rules.full { learn_whole } else { learn };
        learn(object, change, self.rules.scope());
    }

    /// A change that tells all of its object: one that was made since. A class may change alone, and so may a name.
    fn is_whole(&self, change: &Change) -> bool {
        let tells = |what| change.attributes.iter().any(|a| a.attribute == what && a.value.is_some());
        tells(Attribute::ObjectClass) && (self.rules.full || tells(Attribute::Name))
    }

    fn change(&mut self, change: Change, keys: &Arc<SessionKeys>) -> Result<(), PhsError> {
        let guid = change.object.guid;
        if change.domain_head {
            match translate::policy(&change.attributes) {
                Ok(Some(policy)) => self.batch.policy = Some(policy),
                Ok(None) => {}
                Err(odd) => self.quarantine(guid, &odd.to_string())?,
            }
        }
        let mut object = match self.mirror.object(guid)? {
            Some(known) => known,
            None if self.is_whole(&change) => Object::unknown(guid),
            None if is_tombstone(&change) => {
                self.stranger_deleted(&change);
                return Ok(());
            }
            None => {
                // Its class and flags decide, so they are read before anything of its password is.
                let Some((alone, _)) = self.alone(guid, false)? else { return Ok(()) };
                let mut object = Object::unknown(guid);
                learn_whole(&mut object, &alone, self.rules.scope());
                object
            }
        };
        self.learn(&mut object, &change);
        if self.rules.full {
            object.cycle = Some(self.rules.cycle);
        }
        let position = self.mirror.position(&object)?;
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        match standing(&object, &position, self.rules) {
            Standing::Outside(_) if there => {
                // Until the guard has decided he is one of those in the cloud.
                self.batch.unsettled = true;
                return self.carry(object, position, change, keys);
            }
            Standing::Present => return self.carry(object, position, change, keys),
            Standing::Privileged => {
                self.batch.privileged += 1;
                if self.rules.full || object.sent != Some(Sent::Privileged) {
                    self.leave(&mut object, Presence::Privileged, Sent::Privileged);
                }
            }
            // In a full compare whoever is not told is gone, so only what is known to have been there is told.
            Standing::Deleted if self.rules.full && object.sent.is_none() => {}
            Standing::Deleted => {
                if object.sent != Some(Sent::Deleted) {
                    self.batch.removed += 1;
                    self.leave(&mut object, Presence::Deleted, Sent::Deleted);
                }
            }
            Standing::Outside(_) => {}
            Standing::Nothing => {
                if matches!(object.sent, Some(Sent::Present | Sent::Privileged | Sent::Unsure)) {
                    self.batch.removed += 1;
                    self.leave(&mut object, Presence::OutOfScope, Sent::OutOfScope);
                }
            }
        }
        self.mirror.put(&object)?;
        Ok(())
    }

    /// An object that is in the cloud, or comes there.
    fn carry(
        &mut self,
        object: Object,
        position: Position,
        change: Change,
        keys: &Arc<SessionKeys>,
    ) -> Result<(), PhsError> {
        let person = object.kind == Kind::Person;
        self.batch.in_scope += u64::from(person);
        // A password that was not carried comes with no change: it is there already.
        let lacks_password = person && position.carries && !object.carries && change.nt_hash.is_none();
        if self.is_whole(&change) || (object.sent == Some(Sent::Present) && !lacks_password) {
            return self.present(object, position, change, keys.clone());
        }
        self.enter(object)
    }

    fn mend(&mut self, mut object: Object, hold: bool) -> Result<(), PhsError> {
        let position = self.mirror.position(&object)?;
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        match standing(&object, &position, self.rules) {
            // A password that was not carried is with it.
            Standing::Present if !there || (position.carries && !object.carries) => {
                return self.enter(object);
            }
            Standing::Present => {
                let (decided, position) = (position.carries, self.until_decided(&object, position, hold));
                if position.carries != decided {
                    self.held(&object, "no password");
                }
                self.marked(&mut object, &position);
            }
            Standing::Privileged => {
                self.batch.privileged += 1;
                self.leave(&mut object, Presence::Privileged, Sent::Privileged);
            }
            Standing::Outside(_) if hold => {
                if there {
                    self.held(&object, "outside the scope");
                }
                return Ok(());
            }
            Standing::Outside(_) | Standing::Nothing if there => {
                self.batch.removed += 1;
                object.left_at = Some(self.rules.now);
                self.leave(&mut object, Presence::OutOfScope, Sent::OutOfScope);
            }
            Standing::Outside(_) | Standing::Nothing | Standing::Deleted => return Ok(()),
        }
        self.mirror.put(&object)?;
        Ok(())
    }

    fn held(&mut self, object: &Object, what: &'static str) {
        if !self.rules.secrets {
            self.batch.held.push((object.label(), what));
        }
    }

    /// Tells of an account that stays: whether it is in Protected Users, and that its password is no longer carried.
    fn marked(&mut self, object: &mut Object, position: &Position) {
        let protected_user =
            (position.protected_user != object.protected_user).then_some(position.protected_user);
        let erase_password = object.carries && !position.carries;
        (object.protected_user, object.carries) = (position.protected_user, position.carries);
        if erase_password {
            (object.password, object.password_at) = (None, None);
        }
        if protected_user.is_none() && !erase_password {
            return;
        }
        let draft = Draft { protected_user, erase_password, ..self.bare(object, Presence::Present) };
        object.told_at = Some(self.rules.now);
        self.batch.drafts.push(draft);
    }

    /// The same place, but that a password that was carried still is: while the guard has not decided about all that lose
    /// theirs by a group, as when that was deleted.
    fn until_decided(&self, object: &Object, position: Position, undecided: bool) -> Position {
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        let kept = undecided && there && object.carries && self.rules.scope().passwords;
        Position { carries: position.carries || kept, ..position }
    }

    /// An object that the tenant holds whole, or a change that is whole.
    fn present(
        &mut self,
        mut object: Object,
        position: Position,
        change: Change,
        keys: Arc<SessionKeys>,
    ) -> Result<(), PhsError> {
        let attributes = translate::attributes(change.attributes, object.kind, self.rules.alternate_login);
        let attributes = match attributes {
            Ok(attributes) => attributes,
            Err(odd) => return self.odd(object, &odd),
        };
        let decided = position.carries;
        let position = self.until_decided(&object, position, true);
        self.batch.unsettled |= position.carries != decided;
        let person = object.kind == Kind::Person;
        let privileged = person && standing::is_privileged(&object, &position);
        let new = object.sent != Some(Sent::Present);
        let tell = person && (new || self.rules.full || position.protected_user != object.protected_user);
        let protected_user = tell.then_some(position.protected_user);
        let hash = change.nt_hash.filter(|_| person);
        let absent = hash.as_ref().is_some_and(SealedNtHash::is_absent);
        let erase_password =
            person && (absent || (!position.carries && (object.carries || new || self.rules.full)));
        let hash = hash.filter(|hash| !hash.is_absent() && position.carries);
        let hash = if self.rules.secrets {
            hash.filter(|hash| !hash.is_withheld())
        } else {
            // Nothing is offered in a dry run, so what the tenant holds is left out here.
            hash.filter(|hash| object.password != Some(hash.stamp))
        };
        let password = hash.map(|hash| Sealed { hash, keys });
        let enters = !matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        (object.sent, object.left_at) = (Some(Sent::Present), None);
        (object.protected_user, object.carries) = (position.protected_user, position.carries && person);
        if let Some(password) = &password {
            object.password = Some(password.hash.stamp);
            object.password_at = Some(self.rules.now);
        } else if erase_password {
            (object.password, object.password_at) = (None, None);
        }
        // In a full compare all links come by themselves, but to those who enter after the last page.
        if new && (self.sweeps || !self.rules.full) {
            self.batch.entered.push(object.guid);
        }
        let says = protected_user.is_some() || password.is_some() || erase_password || !attributes.is_empty();
        if new || self.rules.full || says {
            object.told_at = Some(self.rules.now);
            let draft = Draft {
                privileged,
                protected_user,
                attributes,
                password,
                erase_password,
                enters,
                ..self.bare(&object, Presence::Present)
            };
            self.batch.drafts.push(draft);
        }
        self.mirror.put(&object)?;
        Ok(())
    }

    /// An object that the tenant does not hold whole: read alone, an account with its password.
    fn enter(&mut self, mut object: Object) -> Result<(), PhsError> {
        let secrets = self.rules.secrets && object.kind == Kind::Person;
        let Some((alone, keys)) = self.alone(object.guid, secrets)? else {
            // Gone meanwhile, or unreadable: its next change tells.
            object.sent = Some(Sent::Unsure);
            (object.password, object.password_at) = (None, None);
            self.mirror.put(&object)?;
            return Ok(());
        };
        learn_whole(&mut object, &alone, self.rules.scope());
        let position = self.mirror.position(&object)?;
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        let standing = standing(&object, &position, self.rules);
        // Whoever left the scope stays as he is, and is kept up to date, until the guard has decided.
        let undecided = there && matches!(standing, Standing::Outside(_));
        self.batch.unsettled |= undecided;
        match standing {
            Standing::Outside(_) if undecided => return self.present(object, position, alone, keys),
            Standing::Present => {
                object.carries &= object.sent == Some(Sent::Present);
                return self.present(object, position, alone, keys);
            }
            Standing::Privileged => {
                self.batch.privileged += 1;
                self.leave(&mut object, Presence::Privileged, Sent::Privileged);
            }
            // Changed between the page and this look: the next page tells.
            Standing::Outside(_) | Standing::Deleted | Standing::Nothing => {}
        }
        self.mirror.put(&object)?;
        Ok(())
    }

    /// An object that has no business in the cloud. Told even if it never was there as far as we know: we may
    /// have died between telling it and remembering that.
    fn leave(&mut self, object: &mut Object, presence: Presence, sent: Sent) {
        object.sent = Some(sent);
        (object.password, object.password_at) = (None, None);
        object.told_at = Some(self.rules.now);
        let draft = self.bare(object, presence);
        self.batch.drafts.push(draft);
    }

    /// A tombstone of something that was never seen alive. If it was an account that we told before we died, the
    /// tenant must know; to whom it means nothing, it does no harm.
    fn stranger_deleted(&mut self, change: &Change) {
        let sid = change.object.sid.clone();
        let sid = sid.filter(|sid| sid.domain().as_ref() == Some(self.rules.bounds.domain));
        if let (Some(sid), false) = (sid, self.rules.full) {
            let object = Object { kind: Kind::Person, sid: Some(sid), ..Object::unknown(change.object.guid) };
            let draft = self.bare(&object, Presence::Deleted);
            self.batch.drafts.push(draft);
            self.batch.removed += 1;
        }
    }

    fn bare(&self, object: &Object, presence: Presence) -> Draft {
        Draft {
            object: object.guid,
            kind: translate::kind(object.kind),
            sid: object.sid.clone(),
            presence,
            privileged: false,
            protected_user: None,
            attributes: Vec::new(),
            password: None,
            erase_password: false,
            name: object.label(),
            enters: false,
        }
    }

    /// One object read alone; none if it is gone or went to quarantine.
    fn alone(&mut self, guid: Uuid, secrets: bool) -> Result<Option<(Change, Arc<SessionKeys>)>, PhsError> {
        let Some(page) = self.singles.object(ObjectId::Guid(guid), secrets)? else { return Ok(None) };
        for quarantined in page.quarantined.iter().filter(|q| q.object == Some(guid)) {
            if !quarantined.link {
                self.quarantine(guid, &quarantined.why)?;
                return Ok(None);
            }
            self.odd_link(guid, &quarantined.why)?;
        }
        let Page { keys, changes, links, .. } = page;
        // All of its links come with it.
        self.mirror.clear_links(guid)?;
        for link in links.iter().filter(|link| link.present && link.from.guid == guid) {
            self.mirror.set_link(link.what, guid, link.to.guid, Some(link.stamp))?;
            self.batch.unsettled = true;
        }
        Ok(changes.into_iter().find(|change| change.object.guid == guid).map(|change| (change, keys)))
    }

    fn odd(&mut self, object: Object, odd: &Odd) -> Result<(), PhsError> {
        self.mirror.put(&object)?;
        self.quarantine(object.guid, &odd.to_string())
    }

    /// One link of an object cannot be read: that is put on record, and all else of it goes on.
    fn odd_link(&mut self, guid: Uuid, why: &str) -> Result<(), PhsError> {
        debug!(%guid, why, "a link to quarantine");
        self.batch.quarantined += 1;
        Ok(self.mirror.quarantine(guid, why, self.rules.now)?)
    }

    /// An object of which not all is known. Nobody signs in with what the tenant has of it.
    fn quarantine(&mut self, guid: Uuid, why: &str) -> Result<(), PhsError> {
        debug!(%guid, why, "to quarantine");
        self.batch.quarantined += 1;
        self.mirror.quarantine(guid, why, self.rules.now)?;
        let Some(mut object) = self.mirror.object(guid)? else { return Ok(()) };
        if !matches!(object.sent, Some(Sent::Present | Sent::Unsure)) {
            return Ok(());
        }
        // What the tenant has of it is not all by now: it may be another password, or that it was disabled. In a full compare
        // whoever is not told is let go.
        object.sent = Some(Sent::Unsure);
        (object.password, object.password_at) = (None, None);
        self.mirror.put(&object)?;
        if object.kind == Kind::Person && (self.sweeps || !self.rules.full) {
            let draft = Draft { erase_password: true, ..self.bare(&object, Presence::Present) };
            self.batch.drafts.push(draft);
        }
        Ok(())
    }
}

/// A change that says that its object was deleted.
pub fn is_tombstone(change: &Change) -> bool {
    change
        .attributes
        .iter()
        .any(|a| a.attribute == Attribute::IsDeleted && a.value == Some(Value::Boolean(true)))
}

#[cfg(test)]
mod tests;
