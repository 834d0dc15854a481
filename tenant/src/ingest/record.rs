//! Takes one record: presence, attributes, digest, names; in that order, because each depends on the ones before.
//! Neighbours: [`super::take`] calls it for each record of a page, inside the page's transaction.

use super::Outcome;
use super::privileged::is_privileged;
use crate::directory::names_of;
use crate::store::accounts::{self, Account, Take};
use crate::store::domains::{Domain, sub_authority};
use crate::store::{Store, StoreError, audit, digests};
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_wire::upload::{Password, Presence, Record, Refusal, RefusalReason};
use rusqlite::Transaction;
use uuid::Uuid;

/// Entra's salt is the shortest that is taken, in bytes.
const MIN_SALT: usize = 10;

/// The page that the records stand on.
pub(super) struct Page<'a> {
    pub(super) store: &'a Store,
    pub(super) transaction: &'a Transaction<'a>,
    pub(super) domain: &'a Domain,
    pub(super) actor: &'a str,
    /// The cycle, if it is a full compare.
    pub(super) full_compare: Option<Uuid>,
    pub(super) now: i64,
}

/// What became of a record's digest.
enum Digest {
    None,
    Stored,
    NotNewer,
    Refused(RefusalReason),
}

impl Page<'_> {
    /// Takes the record, or says in the outcome why not. Every record is counted once: as applied, unchanged or
    /// refused; of one that is refused for its digest, all else is taken.
    pub(super) fn take(&self, record: &Record, outcome: &mut Outcome) -> Result<(), StoreError> {
        let Some(rid) = record.sid.as_ref().and_then(|sid| rid_of(sid.as_str(), &self.domain.sid)) else {
            return refuse(outcome, record.object, RefusalReason::ForeignSid);
        };
        let mut held = accounts::find(self.transaction, record.object)?;
        if let Some(other) = held.as_ref().filter(|held| held.domain != self.domain.id) {
            // An objectGUID stays with an account that moves to another domain of the forest: the old domain lets
            // go first. Otherwise one domain's phs would write another's accounts.
            if other.presence == Presence::Present {
                return refuse(outcome, record.object, RefusalReason::ForeignSid);
            }
            accounts::forget(self.transaction, record.object)?;
            held = None;
        }
        // Nothing is remembered of somebody who never was here: phs tells of every tombstone that it cannot place.
        if held.is_none() && matches!(record.presence, Presence::Deleted | Presence::OutOfScope) {
            outcome.unchanged += 1;
            return Ok(());
        }
        let replace = self.full_compare.is_some() && held.as_ref().and_then(|h| h.cycle) != self.full_compare;
        let mut changed = self.account(record, held.as_ref())?;
        let attributes_changed = self.attributes(record, replace)?;
        let entered = held.as_ref().is_none_or(|h| h.presence != record.presence);
        changed |= attributes_changed;
        let digest = self.digest(record, rid, replace, outcome)?;
        if attributes_changed || entered {
            self.names(record, outcome)?;
        }
        match digest {
            Digest::Refused(why) => return refuse(outcome, record.object, why),
            Digest::Stored => changed = true,
            Digest::None | Digest::NotNewer => {}
        }
        if changed {
            outcome.applied += 1;
        } else {
            outcome.unchanged += 1;
        }
        Ok(())
    }

    fn account(&self, record: &Record, held: Option<&Account>) -> Result<bool, StoreError> {
        let mut account = Account {
            object: record.object,
            domain: self.domain.id,
            sid: record.sid.as_ref().map(|sid| sid.as_str().to_owned()).unwrap_or_default(),
            presence: record.presence,
            protected_user: record.protected_user.or(held.map(|h| h.protected_user)).unwrap_or(false),
            cycle: self.full_compare.or(held.and_then(|h| h.cycle)),
            changed_at: held.map_or(self.now, |h| h.changed_at),
        };
        let unmarked = held.map(|h| Account { cycle: account.cycle, ..h.clone() });
        let changed = unmarked.as_ref() != Some(&account);
        if changed {
            account.changed_at = self.now;
        }
        if held != Some(&account) {
            accounts::put(self.transaction, &account)?;
        }
        Ok(changed)
    }

    fn attributes(&self, record: &Record, replace: bool) -> Result<bool, StoreError> {
        let take = if replace { Take::Whatever } else { Take::Greater };
        let sent = record.attributes.as_slice();
        let mut changed = false;
        // Those who left are told with little or nothing; what was known of them stays for whoever asks why.
        if replace && record.presence == Presence::Present {
            changed |= accounts::keep_only(self.transaction, record.object, sent)?;
        }
        for attribute in sent {
            changed |= accounts::put_attribute(self.transaction, record.object, attribute, take)?;
        }
        Ok(changed)
    }

    fn digest(
        &self,
        record: &Record,
        rid: u32,
        replace: bool,
        outcome: &mut Outcome,
    ) -> Result<Digest, StoreError> {
        if record.presence != Presence::Present {
            self.erase(record.object, "no longer present", outcome)?;
            return Ok(Digest::None);
        }
        // Asked for every record: an adminCount that arrives alone erases what was taken before.
        if !self.domain.allow_privileged {
            let known = accounts::attributes(self.transaction, record.object)?;
            if record.privileged || is_privileged(rid, &known) {
                self.erase(record.object, "became privileged", outcome)?;
                let offered = record.password.is_some();
                return Ok(if offered { Digest::Refused(RefusalReason::Privileged) } else { Digest::None });
            }
        }
        match &record.password {
            Some(password) => self.password(record.object, password, replace, outcome),
            None => Ok(Digest::None),
        }
    }

    fn password(
        &self,
        object: Uuid,
        password: &Password,
        replace: bool,
        outcome: &mut Outcome,
    ) -> Result<Digest, StoreError> {
        if !is_strong(&password.digest, self.domain) {
            return Ok(Digest::Refused(RefusalReason::WeakDigest));
        }
        let held = digests::find(self.transaction, object)?;
        if let Some(held) = &held {
            let sound = held.open(self.store.seal_keys(), object).is_ok_and(|d| is_strong(&d, self.domain));
            let same = held.stamp == password.stamp;
            if same && sound {
                outcome.repeated += 1;
            }
            let newer = password.stamp > held.stamp || (replace && !same) || (same && !sound);
            if !newer {
                return Ok(Digest::NotNewer);
            }
        }
        digests::put(
            self.transaction,
            self.store.seal_keys(),
            object,
            &password.stamp,
            &password.digest,
            self.now,
        )?;
        match held {
            None => outcome.set += 1,
            Some(_) => {
                outcome.replaced += 1;
                self.on_record("digest-replaced", object, "another password's digest arrived")?;
            }
        }
        Ok(Digest::Stored)
    }

    fn erase(&self, object: Uuid, why: &str, outcome: &mut Outcome) -> Result<(), StoreError> {
        if digests::erase(self.transaction, object)? {
            outcome.erased += 1;
            self.on_record("digest-erased", object, why)?;
        }
        Ok(())
    }

    fn on_record(&self, action: &str, object: Uuid, detail: &str) -> Result<(), StoreError> {
        audit::append(self.transaction, self.now, self.actor, action, &object.to_string(), detail)
    }

    /// Derives the names anew. One that another account holds already is put on the record when it arrives: from
    /// then on it signs neither in.
    fn names(&self, record: &Record, outcome: &mut Outcome) -> Result<(), StoreError> {
        let names = match record.presence {
            Presence::Present => {
                let known = accounts::attributes(self.transaction, record.object)?;
                let (sam, upn) = (known.sam_account_name.as_deref(), known.user_principal_name.as_deref());
                names_of(self.domain, sam, upn)
            }
            Presence::Deleted | Presence::Privileged | Presence::OutOfScope => Vec::new(),
        };
        let before = accounts::names(self.transaction, record.object)?;
        if before == names {
            return Ok(());
        }
        accounts::set_names(self.transaction, record.object, &names)?;
        for name in names.iter().filter(|name| !before.contains(name)) {
            let other = accounts::holders(self.transaction, name)?.into_iter().find(|o| *o != record.object);
            if let Some(other) = other {
                outcome.shared += 1;
                let detail = format!("{name} is also {other}'s: it signs neither in");
                self.on_record("name-ambiguous", record.object, &detail)?;
            }
        }
        Ok(())
    }
}

fn refuse(outcome: &mut Outcome, object: Uuid, why: RefusalReason) -> Result<(), StoreError> {
    outcome.refused.push(Refusal { object, why });
    Ok(())
}

/// The RID, if the SID is of the domain and spelled as SIDs are.
pub(super) fn rid_of(sid: &str, domain_sid: &str) -> Option<u32> {
    sub_authority(sid.strip_prefix(domain_sid)?.strip_prefix('-')?)
}

/// Whether the domain takes so cheap a digest.
pub(super) fn is_strong(digest: &SaltedDigest, domain: &Domain) -> bool {
    digest.iterations() >= domain.min_iterations && digest.salt_len() >= MIN_SALT
}
