//! Which objects are carried to the tenant, and with what. No socket, no clock; single objects are read through
//! `Singles`.
//!
//! Carried: users and inetOrgPersons, groups, contacts, and the fine-grained password policies. Never carried:
//! computers, trust accounts, the KDC's own accounts, groups that AdminSDHolder protects. The tenant learns of
//! privileged accounts without their password, which stays sealed, unless the administrator named them. An account
//! that left the scope stays as it is until the end of the cycle, where the guard decides about all of them. What a
//! change leaves out is known from the mirror. An object that the mirror does not know, or that enters the tenant, is
//! read alone and whole.
//! Before it on the road: `read`. After it: `cycle`.

mod containers;
pub(crate) mod descriptor;
mod flaws;
pub mod holders;
mod links;
pub mod privileged;
mod reserved;
mod rules;
mod standing;
pub mod translate;

pub use containers::{look_up, send as container, unfit_entry};
pub use rules::Rules;
pub use standing::{Outside, Standing, kind_of, learn_whole, standing, undecided};

use crate::error::PhsError;
use crate::mirror::{Kind, Mirror, Named, Object, Position, Sent};
use crate::read::pull::ObjectId;
use crate::read::session::Singles;
use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_drsr::drs::attribute::{Attribute, Value};
use landbridge_drsr::drs::change::{Change, Page, SealedNtHash};
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::upload::{self, DomainPolicy, Presence, ReservedName};
use standing::learn;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

/// One object to be sent to the tenant.
#[derive(Debug)]
pub struct Draft {
    /// objectGUID.
    pub object: Uuid,
    /// Account, group, contact or policy.
    pub kind: upload::Kind,
    /// objectSid, if it has one.
    pub sid: Option<Sid>,
    /// Whether the tenant is to have it.
    pub presence: Presence,
    /// Whether it is privileged, and carried because the administrator named it.
    pub privileged: bool,
    /// Whether it is in Protected Users; none if that has not changed.
    pub protected_user: Option<bool>,
    /// Its attributes.
    pub attributes: Vec<upload::Attribute>,
    /// Its password, still sealed.
    pub password: Option<Sealed>,
    /// The tenant is to erase its password.
    pub erase_password: bool,
    /// A name that a person recognises, for a dry run.
    pub name: String,
    /// Its distinguished name, if a change brought it; else empty.
    pub dn: String,
    /// The tenant did not have it before.
    pub enters: bool,
}

/// A sealed password, and the keys that open it.
#[derive(Debug)]
pub struct Sealed {
    /// As the DC sent it.
    pub hash: SealedNtHash,
    /// The keys of the connection over which it came.
    pub keys: Arc<SessionKeys>,
}

/// What a page yields for the tenant.
#[derive(Debug, Default)]
pub struct Batch {
    /// Objects.
    pub drafts: Vec<Draft>,
    /// Names of accounts that are not carried.
    pub reserved: Vec<ReservedName>,
    /// Links that changed.
    pub links: Vec<upload::Link>,
    /// Objects that entered: all of their links must be sent.
    pub entered: Vec<Uuid>,
    /// The changed part of the domain's policy.
    pub policy: Option<DomainPolicy>,
    /// Accounts that are carried.
    pub in_scope: u64,
    /// Accounts that are held back because they are privileged.
    pub privileged: u64,
    /// Accounts that are never carried: they can read or set every password, or AD itself needs them.
    pub never: u64,
    /// Objects that left the tenant.
    pub removed: u64,
    /// Objects that could not be carried.
    pub quarantined: u64,
    /// Attributes and links that were left out of objects that are carried.
    pub left_out: u64,
    /// In a dry run: objects that are held back, by name, and with what.
    pub held: Vec<(String, &'static str)>,
    /// Something changed that other objects depend on: all objects must be compared with what was sent.
    pub unsettled: bool,
}

/// Qualifies a page, and stores it in the mirror: first what other objects depend on (containers, groups, policies,
/// links), then every object.
pub fn page(
    page: Page,
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
) -> Result<Batch, PhsError> {
    let mut at = Desk::new(mirror, singles, rules, false);
    let Page { keys, quarantined, changes, links, rewritten, .. } = page;
    // 1. Objects that could not be read.
    for quarantined in &quarantined {
        at.unreadable(quarantined)?;
    }
    // 2. What other objects depend on, and from it the position of every object.
    for change in &changes {
        at.apply_container(change)?;
    }
    let links = links::with_removals(links, &rewritten, mirror)?;
    for link in &links {
        mirror.apply_link(link)?;
    }
    at.batch.unsettled |= !links.is_empty();
    if at.batch.unsettled {
        at.look_up_deleted_entries()?;
    }
    mirror.resolve(&rules.bounds)?;
    // 3. A group whose members are held back must be readable, and all of its links.
    let mut guarding = Vec::new();
    for one in quarantined {
        let Some(guid) = one.object else { continue };
        let position = mirror.position(&Object::unknown(guid))?;
        if position.protected || position.protected_user || position.holder {
            guarding.push(one);
        }
    }
    privileged::may_be_a_group(mirror, &guarding)?;
    // 4. Every object.
    for change in changes {
        let guid = change.object.guid;
        at.quarantined.remove(&guid);
        at.change(change, &keys)?;
        if !at.quarantined.contains(&guid) {
            mirror.release(guid)?;
        }
        if !at.odd_links.contains(&guid) {
            mirror.clear_attribute(guid, "")?;
        }
    }
    // 5. Links of objects that the tenant has. Which those are is known only now. In a full compare an object may come
    //    after its links, as Windows sends them: then all of its links are sent with it.
    let mut last = None;
    for link in &links {
        let from = link.from.guid;
        let sent = match last {
            Some((guid, sent)) if guid == from => sent,
            // All links of an object that entered are sent anyway, these among them.
            Some(_) | None if at.batch.entered.contains(&from) => false,
            Some(_) | None => {
                let sent = mirror.object(from)?.is_some_and(|object| object.sent == Some(Sent::Present));
                if rules.full && !sent {
                    mirror.note_early_link(from)?;
                }
                sent
            }
        };
        last = Some((from, sent));
        if sent {
            at.batch.links.extend(translate::link(link));
        }
    }
    Ok(at.batch)
}

/// Drafts what corrects one object whose state at the tenant no longer fits. With `hold`, an account stays as it is
/// if it left the scope or the groups whose passwords are carried.
pub fn mend(
    object: Object,
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
    hold: bool,
) -> Result<Batch, PhsError> {
    let mut at = Desk::new(mirror, singles, rules, true);
    at.mend(object, hold)?;
    Ok(at.batch)
}

/// Drafts that an object leaves which the tenant may have although the mirror does not know it: it was sent just before
/// phs was killed, and it is no longer carried.
pub fn mend_left(
    mut object: Object,
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
) -> Result<Batch, PhsError> {
    let mut at = Desk::new(mirror, singles, rules, true);
    let position = mirror.position(&object)?;
    if object.sent.is_none() && standing(&object, &position, rules) != Standing::Present {
        at.batch.removed += 1;
        at.leave(&mut object, Presence::OutOfScope, Sent::OutOfScope)?;
        mirror.put(&object)?;
    }
    Ok(at.batch)
}

/// What qualifying works with, and the batch that it fills.
struct Desk<'a, 'r> {
    mirror: &'a Mirror,
    singles: &'a mut dyn Singles,
    rules: &'a Rules<'r>,
    /// The last page was read: objects are compared now.
    sweeps: bool,
    /// Objects that went to quarantine.
    quarantined: HashSet<Uuid>,
    /// Objects with a link that cannot be read.
    odd_links: HashSet<Uuid>,
    /// Containers that are drafted, each as it is after the whole page.
    containers: HashSet<Uuid>,
    batch: Batch,
}

impl<'a, 'r> Desk<'a, 'r> {
    fn new(mirror: &'a Mirror, singles: &'a mut dyn Singles, rules: &'a Rules<'r>, sweeps: bool) -> Self {
        Self {
            mirror,
            singles,
            rules,
            sweeps,
            quarantined: HashSet::new(),
            odd_links: HashSet::new(),
            containers: HashSet::new(),
            batch: Batch::default(),
        }
    }

    /// Updates an object from a change. In a full compare a missing attribute has no value; otherwise it is unchanged.
    /// An object may come twice in a full compare, if it was changed meanwhile: the second time with its changes.
    fn learn(&self, object: &mut Object, change: &Change) {
        let learn = if self.rules.full && !self.has_come(object) { learn_whole } else { learn };
        learn(object, change, self.rules.scope());
    }

    /// Whether this full compare has sent the object before.
    fn has_come(&self, object: &Object) -> bool {
        self.rules.full && object.cycle == Some(self.rules.cycle)
    }

    /// Whether a change holds all of its object, which was then created since. A class may change alone, and so may a
    /// name.
    fn is_whole(&self, change: &Change) -> bool {
        let has = |what| change.attributes.iter().any(|a| a.attribute == what && a.value.is_some());
        let has_odd = |what| change.unreadable.iter().any(|odd| odd.attribute == what);
        has(Attribute::ObjectClass) && (self.rules.full || has(Attribute::Name) || has_odd(Attribute::Name))
    }

    fn change(&mut self, change: Change, keys: &Arc<SessionKeys>) -> Result<(), PhsError> {
        let guid = change.object.guid;
        if change.domain_head {
            match translate::policy(&change.attributes) {
                Ok(Some(policy)) => self.batch.policy = Some(policy),
                Ok(None) => {}
                Err(odd) => {
                    let named = Named { dn: &change.object.dn, ..Named::default() };
                    self.quarantine(guid, named, odd.attribute.name(), odd.why)?;
                }
            }
        }
        // An object that is read alone, because the mirror does not know it.
        let mut read = None;
        let mut object = match self.mirror.object(guid)? {
            Some(known) => known,
            None if self.is_whole(&change) => Object::unknown(guid),
            None if is_tombstone(&change) => {
                self.unknown_deleted(&change);
                return Ok(());
            }
            None => {
                // Its class and flags decide, so they are read first, without its password.
                let Some((alone, _)) = self.alone(guid, false)? else { return Ok(()) };
                let mut object = Object::unknown(guid);
                learn_whole(&mut object, &alone, self.rules.scope());
                read = Some(alone);
                object
            }
        };
        let was_deleted = object.deleted;
        let again = self.has_come(&object);
        self.learn(&mut object, &change);
        let back = was_deleted && !object.deleted;
        if back && object.sent == Some(Sent::Deleted) {
            // Its next deletion is sent again.
            object.sent = None;
        }
        if self.rules.full {
            object.cycle = Some(self.rules.cycle);
        }
        let position = self.mirror.position(&object)?;
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        let standing = standing(&object, &position, self.rules);
        // Whether the filter leaves it out is unknown where an attribute of the filter cannot be read.
        if matches!(standing, Standing::Present | Standing::Outside(Outside::Filter))
            && let Some(odd) = undecided(&change, object.kind, self.rules.scope())
        {
            self.mirror.put(&object)?;
            return self.unreadable(&odd);
        }
        match standing {
            Standing::Outside(_) if there => {
                // Until the guard has decided, the object stays carried.
                self.batch.unsettled = true;
                self.batch.in_scope += u64::from(object.kind == Kind::Person && !again);
                return self.carry(object, position, change, keys);
            }
            Standing::Present => {
                self.batch.in_scope += u64::from(object.kind == Kind::Person && !again);
                return self.carry(object, position, change, keys);
            }
            Standing::Privileged => {
                self.batch.privileged += u64::from(!again);
                if self.rules.full || object.sent != Some(Sent::Privileged) {
                    self.leave(&mut object, Presence::Privileged, Sent::Privileged)?;
                }
            }
            Standing::Never => {
                self.batch.never += u64::from(!again);
                self.never(&mut object)?;
            }
            // In a full compare the tenant removes objects that are not sent. So a deletion is sent only for an
            // object that is known to have been sent.
            Standing::Deleted if self.rules.full && object.sent.is_none() => {}
            Standing::Deleted => {
                if object.sent != Some(Sent::Deleted) {
                    self.batch.removed += 1;
                    self.leave(&mut object, Presence::Deleted, Sent::Deleted)?;
                }
            }
            Standing::Outside(_) => {}
            Standing::Nothing if object.sent == Some(Sent::Container) => {
                self.change_container(&mut object, &change)?;
            }
            Standing::Nothing => {
                let had = matches!(object.sent, Some(Sent::Present | Sent::Privileged | Sent::Unsure));
                self.batch.removed += u64::from(had);
                if object.deleted && (had || self.frees_names(&object)) {
                    self.leave(&mut object, Presence::Deleted, Sent::Deleted)?;
                } else if had {
                    self.leave(&mut object, Presence::OutOfScope, Sent::OutOfScope)?;
                }
            }
        }
        self.leave_out(&object, &change, read, back)?;
        self.mirror.put(&object)?;
        Ok(())
    }

    /// Drafts an object that the tenant has, or that enters it.
    fn carry(
        &mut self,
        object: Object,
        position: Position,
        change: Change,
        keys: &Arc<SessionKeys>,
    ) -> Result<(), PhsError> {
        let person = object.kind == Kind::Person;
        // The DC sends no change for a password that was not carried before: it must be read.
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
            // Read it alone, with the password that was not carried before.
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
                self.leave(&mut object, Presence::Privileged, Sent::Privileged)?;
            }
            Standing::Never => {
                self.batch.never += 1;
                self.never(&mut object)?;
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
                self.leave(&mut object, Presence::OutOfScope, Sent::OutOfScope)?;
            }
            Standing::Outside(_) | Standing::Nothing | Standing::Deleted => return Ok(()),
        }
        self.mirror.put(&object)?;
        Ok(())
    }

    /// Drafts that an account leaves which is never carried. The guard holds none of them. The tenant learns nothing of
    /// one that it does not have.
    fn never(&mut self, object: &mut Object) -> Result<(), PhsError> {
        if matches!(object.sent, Some(Sent::Present | Sent::Privileged | Sent::Unsure)) {
            self.batch.removed += 1;
            object.left_at = Some(self.rules.now);
            self.leave(object, Presence::OutOfScope, Sent::OutOfScope)?;
        }
        Ok(())
    }

    fn held(&mut self, object: &Object, what: &'static str) {
        if !self.rules.secrets {
            self.batch.held.push((object.label(), what));
        }
    }

    /// Drafts an account that stays: whether it is in Protected Users, and that its password is no longer carried.
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
        let privileged = standing::is_privileged(object, position);
        let draft =
            Draft { privileged, protected_user, erase_password, ..self.bare(object, Presence::Present) };
        object.told_at = Some(self.rules.now);
        self.batch.drafts.push(draft);
    }

    /// The same position, except that a password that was carried stays carried: until the guard has decided about all
    /// accounts that lose their password through a group, for example because the group was deleted. The password of an
    /// account that is restricted leaves at once.
    fn until_decided(&self, object: &Object, position: Position, undecided: bool) -> Position {
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        let kept =
            undecided && there && object.carries && self.rules.scope().passwords && !position.restricted;
        Position { carries: position.carries || kept, ..position }
    }

    /// Drafts a change of an object that the tenant holds whole, or a change that is whole.
    fn present(
        &mut self,
        mut object: Object,
        position: Position,
        change: Change,
        keys: Arc<SessionKeys>,
    ) -> Result<(), PhsError> {
        let whole = self.is_whole(&change);
        let changed: Vec<Attribute> = change.attributes.iter().map(|changed| changed.attribute).collect();
        let place = translate::PlaceInTree { dn: &change.object.dn, parent: object.parent };
        let carried =
            translate::attributes(change.attributes, object.kind, place, self.rules.alternate_login);
        let translate::Carried { attributes, mut left_out } = match carried {
            Ok(carried) => carried,
            Err(odd) => {
                self.mirror.put(&object)?;
                let named = Named { dn: &change.object.dn, ..Named::default() };
                return self.quarantine(object.guid, named, odd.attribute.name(), odd.why);
            }
        };
        left_out.extend(change.unreadable.iter().filter_map(|odd| {
            let shown = translate::is_carried(odd.attribute, object.kind, self.rules.alternate_login);
            shown.then_some((odd.attribute, odd.why))
        }));
        self.note_left_out(&change.object, &changed, &left_out, whole)?;
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
            // A dry run offers nothing to the tenant, so a password that the tenant holds is left out here.
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
        // In a full compare all links come in the stream, except for objects that enter after the last page. Those that
        // came before their object were not sent yet.
        if new && (self.sweeps || !self.rules.full || self.mirror.has_early_link(object.guid)?) {
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
                dn: change.object.dn,
                enters,
                ..self.bare(&object, Presence::Present)
            };
            self.batch.drafts.push(draft);
        }
        self.mirror.put(&object)?;
        // The containers of an object that left the scope are sent by the sweep, if the guard holds the object back.
        let stays = standing(&object, &position, self.rules) == Standing::Present;
        if stays && translate::has_place(object.kind) {
            self.send_containers_above(object.parent)?;
        }
        Ok(())
    }

    /// Drafts an object that the tenant does not hold whole. It is read alone, an account with its password.
    fn enter(&mut self, mut object: Object) -> Result<(), PhsError> {
        let secrets = self.rules.secrets && object.kind == Kind::Person;
        let Some((alone, keys)) = self.alone(object.guid, secrets)? else {
            // Gone meanwhile, or unreadable: its next change corrects this.
            object.sent = Some(Sent::Unsure);
            (object.password, object.password_at) = (None, None);
            self.mirror.put(&object)?;
            return Ok(());
        };
        learn_whole(&mut object, &alone, self.rules.scope());
        let position = self.mirror.position(&object)?;
        let there = matches!(object.sent, Some(Sent::Present | Sent::Unsure));
        let standing = standing(&object, &position, self.rules);
        // An account that left the scope is kept up to date until the guard has decided.
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
                self.leave(&mut object, Presence::Privileged, Sent::Privileged)?;
            }
            Standing::Never => {
                self.batch.never += 1;
                self.never(&mut object)?;
            }
            // It changed between the page and this read: the next page has the change.
            Standing::Outside(_) | Standing::Deleted | Standing::Nothing => {}
        }
        self.mirror.put(&object)?;
        Ok(())
    }

    /// Drafts an object that leaves. It is sent even if the mirror does not know that the tenant has the object: phs
    /// may have been killed between sending it and storing that.
    fn leave(&mut self, object: &mut Object, presence: Presence, sent: Sent) -> Result<(), PhsError> {
        object.sent = Some(sent);
        (object.password, object.password_at) = (None, None);
        object.told_at = Some(self.rules.now);
        let draft = self.bare(object, presence);
        self.batch.drafts.push(draft);
        Ok(self.mirror.clear_left_out(object.guid)?)
    }

    /// Drafts a deletion for a tombstone of an unknown object. The tenant must learn of it if it was an account that
    /// was sent just before phs was killed; otherwise it does no harm.
    fn unknown_deleted(&mut self, change: &Change) {
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
            dn: String::new(),
            enters: false,
        }
    }

    /// Reads one object alone; none if it is gone or went to quarantine.
    fn alone(&mut self, guid: Uuid, secrets: bool) -> Result<Option<(Change, Arc<SessionKeys>)>, PhsError> {
        let Some(page) = self.singles.object(ObjectId::Guid(guid), secrets)? else { return Ok(None) };
        let Page { keys, changes, links, mut quarantined, .. } = page;
        let change = changes.into_iter().find(|change| change.object.guid == guid);
        quarantined
            .extend(change.as_ref().and_then(|whole| undecided(whole, kind_of(whole), self.rules.scope())));
        for quarantined in quarantined.iter().filter(|q| q.object == Some(guid)) {
            self.unreadable(quarantined)?;
            if !quarantined.link {
                return Ok(None);
            }
        }
        // An object that is read alone comes with all of its links.
        self.mirror.clear_links(guid)?;
        for link in links.iter().filter(|link| link.present && link.from.guid == guid) {
            self.mirror.apply_link(link)?;
            self.batch.unsettled = true;
        }
        Ok(change.map(|change| (change, keys)))
    }
}

/// Whether a change deletes its object.
pub fn is_tombstone(change: &Change) -> bool {
    change
        .attributes
        .iter()
        .any(|a| a.attribute == Attribute::IsDeleted && a.value == Some(Value::Boolean(true)))
}

#[cfg(test)]
mod tests;
