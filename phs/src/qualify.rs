//! Who is carried, and with what. No socket, no clock; single objects are asked for through `Singles`.
//!
//! Carried: user and inetOrgPerson. Never: computers, trust accounts, the KDC's own accounts. Privileged accounts
//! leave here without their password, which nobody has opened, unless the administrator named them.
//! What a change leaves out is known from the mirror; an object that the mirror does not know, or that enters the
//! cloud, is read alone and whole.
//! Before it on the road: `directory`. After it: `rehash`, `send`.

use crate::directory::Singles;
use crate::error::PhsError;
use crate::mirror::{Doubt, Kind, Mirror, Object, Sent};
use crate::pull::ObjectId;
use crate::translate::{self, Odd};
use landbridge_crypto::drs_secret::SessionKeys;
use landbridge_drsr::drs::attribute::{Attribute, Class, Value};
use landbridge_drsr::drs::change::{Change, Linked, Page, SealedNtHash, Sid};
use landbridge_wire::upload::{self, DomainPolicy, Presence};
use std::sync::Arc;
use tracing::debug;
use uuid::Uuid;

const INTERDOMAIN_TRUST: i32 = 0x0800;
const WORKSTATION_TRUST: i32 = 0x1000;
const SERVER_TRUST: i32 = 0x2000;
const ADMINISTRATOR: u32 = 500;
const KRBTGT: u32 = 502;

/// What qualifying goes by, the same for a whole cycle.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// SID of the domain.
    pub domain: &'a Sid,
    /// Privileged accounts that are carried all the same.
    pub include: &'a [Sid],
    /// All is compared: every object comes whole, and what does not come is gone.
    pub full: bool,
    /// Passwords are read.
    pub secrets: bool,
    /// The cycle.
    pub cycle: Uuid,
    /// Seconds since 1970.
    pub now: i64,
}

/// One account on its way to the tenant.
#[derive(Debug)]
pub struct Draft {
    /// objectGUID.
    pub object: Uuid,
    /// objectSid.
    pub sid: Sid,
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
    /// Accounts.
    pub drafts: Vec<Draft>,
    /// The domain's policy, if some of it changed.
    pub policy: Option<DomainPolicy>,
    /// Accounts that are in the cloud.
    pub in_scope: u64,
    /// Accounts that are held back for being privileged.
    pub privileged: u64,
    /// Accounts that left.
    pub removed: u64,
    /// Objects that could not be carried.
    pub quarantined: u64,
}

/// What an account is to the cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It belongs there.
    Present,
    /// It is held back.
    Privileged,
    /// It was deleted.
    Deleted,
    /// It is no person's account.
    NoAccount,
}

/// What an object is to the cloud. `protected`: it is in a protected group.
pub fn standing(object: &Object, protected: bool, rules: &Rules<'_>) -> Standing {
    let Some(sid) = object.sid.as_ref().filter(|sid| sid.domain().as_ref() == Some(rules.domain)) else {
        return Standing::NoAccount;
    };
    let machine = object.uac & (INTERDOMAIN_TRUST | WORKSTATION_TRUST | SERVER_TRUST) != 0;
    if object.kind != Kind::Person || machine || object.krbtgt || sid.rid() == KRBTGT {
        return Standing::NoAccount;
    }
    if object.deleted {
        return Standing::Deleted;
    }
    if is_privileged(object, sid, protected) && !rules.include.contains(sid) {
        return Standing::Privileged;
    }
    Standing::Present
}

/// The same rule as `mirror::groups::doubts`, for one account.
fn is_privileged(object: &Object, sid: &Sid, protected: bool) -> bool {
    protected || object.admin_count != 0 || sid.rid() == ADMINISTRATOR
}

/// Takes over into an object what a change says of it.
pub fn learn(object: &mut Object, change: &Change) {
    object.sid = change.object.sid.clone().or(object.sid.take());
    object.parent = change.parent.or(object.parent);
    for attribute in &change.attributes {
        let number = match attribute.value {
            Some(Value::Integer(number)) => number,
            Some(_) | None => 0,
        };
        match attribute.attribute {
            Attribute::ObjectClass => object.kind = kind(attribute.value.as_ref()),
            Attribute::UserAccountControl => object.uac = number,
            Attribute::AdminCount => object.admin_count = number,
            Attribute::PrimaryGroupId => object.primary_group = number,
            Attribute::IsDeleted => object.deleted = attribute.value == Some(Value::Boolean(true)),
            Attribute::SamAccountName => {
                object.krbtgt = matches!(&attribute.value, Some(Value::Text(name)) if is_krbtgt(name));
            }
            Attribute::Name => {
                object.rdn =
                    if let Some(Value::Text(name)) = &attribute.value { Some(name.clone()) } else { None };
            }
            Attribute::UserPrincipalName
            | Attribute::DisplayName
            | Attribute::AccountExpires
            | Attribute::PwdLastSet
            | Attribute::LockoutTime
            | Attribute::LogonHours
            | Attribute::IsRecycled
            | Attribute::MaxPwdAge
            | Attribute::LockoutDuration
            | Attribute::LockoutObservationWindow
            | Attribute::LockoutThreshold
            | Attribute::Mail
            | Attribute::ProxyAddresses
            | Attribute::GivenName
            | Attribute::Surname
            | Attribute::Department
            | Attribute::Title
            | Attribute::TelephoneNumber
            | Attribute::Mobile
            | Attribute::Description
            | Attribute::GroupType
            | Attribute::Precedence
            | Attribute::PsoMaxPwdAge
            | Attribute::PsoLockoutDuration
            | Attribute::PsoLockoutObservationWindow
            | Attribute::PsoLockoutThreshold
            | Attribute::AdminDescription
            | Attribute::Company
            | Attribute::Division
            | Attribute::EmployeeId
            | Attribute::EmployeeNumber
            | Attribute::EmployeeType
            | Attribute::Info
            | Attribute::Locality
            | Attribute::Office
            | Attribute::Extension(_) => {}
        }
    }
}

fn kind(classes: Option<&Value>) -> Kind {
    let Some(Value::Classes(classes)) = classes else { return Kind::Other };
    let is = |class| classes.contains(&class);
    if is(Class::Computer) || is(Class::ManagedServiceAccount) || is(Class::GroupManagedServiceAccount) {
        Kind::Computer
    } else if is(Class::User) || is(Class::InetOrgPerson) {
        Kind::Person
    } else if is(Class::Group) {
        Kind::Group
    } else {
        Kind::Other
    }
}

/// `krbtgt`, and `krbtgt_12345` of a read-only DC.
fn is_krbtgt(name: &str) -> bool {
    let Some(rest) = name.get(..6).filter(|head| head.eq_ignore_ascii_case("krbtgt")).and(name.get(6..))
    else {
        return false;
    };
    rest.is_empty()
        || rest.strip_prefix('_').is_some_and(|id| !id.is_empty() && id.bytes().all(|c| c.is_ascii_digit()))
}

/// A change that tells all of its object.
fn is_whole(change: &Change) -> bool {
    change.attributes.iter().any(|a| a.attribute == Attribute::ObjectClass && a.value.is_some())
}

fn is_tombstone(change: &Change) -> bool {
    change
        .attributes
        .iter()
        .any(|a| a.attribute == Attribute::IsDeleted && a.value == Some(Value::Boolean(true)))
}

/// Qualifies a page, and remembers in the mirror what it says.
pub fn page(
    page: Page,
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
) -> Result<Batch, PhsError> {
    let mut at = Desk { mirror, singles, rules, batch: Batch::default() };
    let keys = page.keys;
    for quarantined in page.quarantined {
        match quarantined.object {
            Some(guid) => at.quarantine(guid, &quarantined.why)?,
            None => at.batch.quarantined += 1,
        }
    }
    for change in page.changes {
        at.change(change, &keys)?;
    }
    for link in page.links.iter().filter(|link| link.what == Linked::Member) {
        mirror.set_link(link.from.guid, link.to.guid, link.present)?;
    }
    Ok(at.batch)
}

/// Mends, some at a time, what the tenant was told before the links of the last page were known.
pub fn doubts(
    mirror: &Mirror,
    singles: &mut dyn Singles,
    rules: &Rules<'_>,
    limit: u32,
) -> Result<Batch, PhsError> {
    let mut at = Desk { mirror, singles, rules, batch: Batch::default() };
    for doubt in mirror.doubts(limit)? {
        match doubt {
            Doubt::Promoted(mut object) => {
                at.batch.privileged += 1;
                at.leave(&mut object, Presence::Privileged, Sent::Privileged);
                mirror.put(&object)?;
            }
            Doubt::Demoted(object) => at.enter(object)?,
            Doubt::ProtectedUser(mut object, inside) => {
                object.protected_user = inside;
                if let Some(sid) = object.sid.clone() {
                    let draft =
                        Draft { protected_user: Some(inside), ..at.bare(&object, sid, Presence::Present) };
                    at.batch.drafts.push(draft);
                }
                mirror.put(&object)?;
            }
        }
    }
    Ok(at.batch)
}

struct Desk<'a, 'r> {
    mirror: &'a Mirror,
    singles: &'a mut dyn Singles,
    rules: &'a Rules<'r>,
    batch: Batch,
}

impl Desk<'_, '_> {
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
            None if is_whole(&change) => Object::unknown(guid),
            None if is_tombstone(&change) => {
                self.stranger_deleted(&change);
                return Ok(());
            }
            None => {
                // Its class and flags decide, so they are read before anything of its password is.
                let Some((alone, _)) = self.alone(guid, false)? else { return Ok(()) };
                let mut object = Object::unknown(guid);
                learn(&mut object, &alone);
                object
            }
        };
        learn(&mut object, &change);
        if self.rules.full {
            object.cycle = Some(self.rules.cycle);
        }
        self.mirror.release(guid)?;
        let protected = self.mirror.is_protected(guid, object.primary_group)?;
        match standing(&object, protected, self.rules) {
            Standing::Present => {
                self.batch.in_scope += 1;
                if is_whole(&change) || object.sent == Some(Sent::Present) {
                    return self.present(object, change, keys.clone());
                }
                return self.enter(object);
            }
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
            Standing::NoAccount => {
                if matches!(object.sent, Some(Sent::Present | Sent::Privileged | Sent::Unsure)) {
                    self.batch.removed += 1;
                    self.leave(&mut object, Presence::OutOfScope, Sent::OutOfScope);
                }
            }
        }
        self.mirror.put(&object)?;
        Ok(())
    }

    /// An account that the tenant holds whole, or a change that is whole.
    fn present(
        &mut self,
        mut object: Object,
        change: Change,
        keys: Arc<SessionKeys>,
    ) -> Result<(), PhsError> {
        let Some(sid) = object.sid.clone() else { return Ok(()) };
        let attributes = match translate::attributes(change.attributes) {
            Ok(attributes) => attributes,
            Err(odd) => return self.odd(object, &odd),
        };
        let protected = self.mirror.is_protected(object.guid, object.primary_group)?;
        let privileged = is_privileged(&object, &sid, protected);
        let inside = self.mirror.is_protected_user(object.guid)?;
        let new = object.sent != Some(Sent::Present);
        let protected_user = (new || self.rules.full || inside != object.protected_user).then_some(inside);
        let hash = change.nt_hash.filter(|hash| !hash.is_absent());
        let hash = if self.rules.secrets {
            hash.filter(|hash| !hash.is_withheld())
        } else {
            // Nothing is offered in a dry run, so what the tenant holds is left out here.
            hash.filter(|hash| object.password != Some(hash.stamp))
        };
        let password = hash.map(|hash| Sealed { hash, keys });
        object.sent = Some(Sent::Present);
        object.protected_user = inside;
        if let Some(password) = &password {
            object.password = Some(password.hash.stamp);
        }
        self.mirror.put(&object)?;
        if new || self.rules.full || protected_user.is_some() || password.is_some() || !attributes.is_empty()
        {
            let draft = Draft {
                privileged,
                protected_user,
                attributes,
                password,
                ..self.bare(&object, sid, Presence::Present)
            };
            self.batch.drafts.push(draft);
        }
        Ok(())
    }

    /// An account that the tenant does not hold whole: read alone, with its password.
    fn enter(&mut self, mut object: Object) -> Result<(), PhsError> {
        let Some((alone, keys)) = self.alone(object.guid, self.rules.secrets)? else {
            // Gone meanwhile, or unreadable: its next change tells.
            object.sent = Some(Sent::Unsure);
            self.mirror.put(&object)?;
            return Ok(());
        };
        learn(&mut object, &alone);
        let protected = self.mirror.is_protected(object.guid, object.primary_group)?;
        if standing(&object, protected, self.rules) == Standing::Present {
            return self.present(object, alone, keys);
        }
        self.batch.privileged += 1;
        self.leave(&mut object, Presence::Privileged, Sent::Privileged);
        self.mirror.put(&object)?;
        Ok(())
    }

    /// An account that has no business in the cloud. Told even if it never was there as far as we know: we may
    /// have died between telling it and remembering that.
    fn leave(&mut self, object: &mut Object, presence: Presence, sent: Sent) {
        object.sent = Some(sent);
        object.password = None;
        if let Some(sid) = object.sid.clone() {
            let draft = self.bare(object, sid, presence);
            self.batch.drafts.push(draft);
        }
    }

    /// A tombstone of something that was never seen alive. If it was an account that we told before we died, the
    /// tenant must know; to whom it means nothing, it does no harm.
    fn stranger_deleted(&mut self, change: &Change) {
        let sid = change.object.sid.clone().filter(|sid| sid.domain().as_ref() == Some(self.rules.domain));
        if let (Some(sid), false) = (sid, self.rules.full) {
            let object = Object::unknown(change.object.guid);
            let draft = self.bare(&object, sid, Presence::Deleted);
            self.batch.drafts.push(draft);
            self.batch.removed += 1;
        }
    }

    fn bare(&self, object: &Object, sid: Sid, presence: Presence) -> Draft {
        Draft {
            object: object.guid,
            sid,
            presence,
            privileged: false,
            protected_user: None,
            attributes: Vec::new(),
            password: None,
        }
    }

    /// One object read alone; none if it is gone or went to quarantine.
    fn alone(&mut self, guid: Uuid, secrets: bool) -> Result<Option<(Change, Arc<SessionKeys>)>, PhsError> {
        let Some(page) = self.singles.object(ObjectId::Guid(guid), secrets)? else { return Ok(None) };
        if let Some(quarantined) = page.quarantined.iter().find(|q| q.object == Some(guid)) {
            let why = quarantined.why.clone();
            self.quarantine(guid, &why)?;
            return Ok(None);
        }
        let keys = page.keys;
        Ok(page.changes.into_iter().find(|change| change.object.guid == guid).map(|change| (change, keys)))
    }

    fn odd(&mut self, object: Object, odd: &Odd) -> Result<(), PhsError> {
        self.mirror.put(&object)?;
        self.quarantine(object.guid, &odd.to_string())
    }

    fn quarantine(&mut self, guid: Uuid, why: &str) -> Result<(), PhsError> {
        debug!(%guid, why, "to quarantine");
        self.batch.quarantined += 1;
        self.mirror.quarantine(guid, why, self.rules.now)?;
        if let Some(object) = self.mirror.object(guid)? {
            // What the tenant has of it is not all by now.
            let sent = object.sent.map(|sent| if sent == Sent::Present { Sent::Unsure } else { sent });
            self.mirror.put(&Object { sent, ..object })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
