//! Applies one record: presence, attributes, digest, names. The order matters, because each step depends on those
//! before it.
//! Neighbours: [`super::apply_page`] calls it for each record of a page, inside the page's transaction.

use crate::directory::groups::accounts_in;
use crate::ingest::outcome::Outcome;
use crate::provider::{Ending, end_all_of, end_those_of_another_password};
use landbridge_crypto::salted_digest::SaltedDigest;
use landbridge_tenant_rules::account_state::{Account, veto};
use landbridge_tenant_rules::model::Attributes;
use landbridge_tenant_rules::model::Object;
use landbridge_tenant_rules::model::is_removed;
use landbridge_tenant_rules::model::{Domain, Policy, SigninPolicy};
use landbridge_tenant_rules::names::names_of;
use landbridge_tenant_rules::privileged::{lacks_permission, rid_of};
use landbridge_tenant_store::Writing;
use landbridge_tenant_store::policies::is_group;
use landbridge_tenant_store::tables::attributes::Overwrite;
use landbridge_tenant_store::tables::digests::StoredDigest;
use landbridge_tenant_store::tables::password_changes::BELIEVED;
use landbridge_tenant_store::tables::{
    attributes, audit, changes, digests, group_policies, homes, links, names, objects, password_changes,
    refused_members, reserved_names, web_sessions,
};
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::bounded::Text;
use landbridge_wire::names::of_upn;
use landbridge_wire::upload::{
    Attribute, AttributeValue, Kind, Password, Presence, Record, Refusal, RefusalReason,
};
use std::collections::HashSet;
use uuid::Uuid;

/// Shortest accepted salt of a digest, in bytes: the length that Entra uses.
const MIN_SALT: usize = 10;

/// Limit on conflicts with reserved names that get an audit entry for one account.
const MAX_CONFLICTS: u32 = 100;

/// The page that is being applied.
pub(super) struct Page<'a> {
    pub(super) store: &'a Store,
    pub(super) writing: &'a Writing<'a>,
    pub(super) domain: &'a Domain,
    pub(super) actor: &'a str,
    /// The cycle id, if the cycle is a full compare.
    pub(super) full_compare: Option<Uuid>,
    /// Whether the first record and link of each object replaces what is stored, whatever its stamp.
    pub(super) replace: bool,
    pub(super) now: i64,
}

/// What is stored of the object of a record.
pub(super) struct Held {
    /// The domain that it belongs to.
    home: Option<i64>,
    object: Option<Object>,
    attributes: Option<attributes::Stored>,
    password: HeldPassword,
}

/// What is stored of an account's password. Read only for a record that brings one.
#[derive(Default)]
struct HeldPassword {
    digest: Option<StoredDigest>,
    /// Read only if there is no digest.
    change: Option<password_changes::Change>,
}

/// The effect of a record on the account's digest.
enum DigestOutcome {
    None,
    Stored,
    NotNewer,
    Erased,
    Refused(RefusalReason),
}

impl Page<'_> {
    /// Reads what is stored of the objects of these records, before any is applied, so that a server is asked for all of it
    /// at once. None: a record before it has the same object, so that it is to be read later.
    pub(super) fn held_of_each(&self, records: &[Record]) -> Result<Vec<Option<Held>>, StoreError> {
        // 1. The objects.
        let mut seen = HashSet::new();
        self.writing.ask_of_each_ahead(records, |record| self.object_of(record).map(drop))?;
        let first = |record: &Record| seen.insert(record.object).then(|| self.object_of(record)).transpose();
        let objects: Vec<_> = records.iter().map(first).collect::<Result<_, _>>()?;
        // 2. What belongs to those that are stored.
        let both = || records.iter().zip(&objects);
        let is_stored = |found: &Option<(_, Option<Object>)>| matches!(found, Some((_, Some(_))));
        let stored: Vec<&Record> = both().filter(|(_, found)| is_stored(found)).map(|(one, _)| one).collect();
        self.writing.ask_of_each_ahead(&stored, |record| self.data_of(record).map(drop))?;
        let all = records.iter().zip(objects);
        all.map(|(record, found)| found.map(|found| self.held_of(record, found)).transpose()).collect()
    }

    /// Reads what is stored of the object of a record.
    pub(super) fn held(&self, record: &Record) -> Result<Held, StoreError> {
        self.held_of(record, self.object_of(record)?)
    }

    fn held_of(
        &self,
        record: &Record,
        (home, object): (Option<i64>, Option<Object>),
    ) -> Result<Held, StoreError> {
        // Of a new object there is nothing more.
        let (attributes, password) =
            if object.is_some() { self.data_of(record)? } else { Default::default() };
        Ok(Held { home, object, attributes, password })
    }

    /// The domain that the object belongs to, and the object.
    fn object_of(&self, record: &Record) -> Result<(Option<i64>, Option<Object>), StoreError> {
        let home = || homes::find(self.writing, record.object);
        let object = || objects::find(self.writing, record.object);
        self.writing.ask_ahead(&[&|| home().map(drop), &|| object().map(drop)])?;
        Ok((home()?, object()?))
    }

    /// The attributes of the object, and what is stored of its password.
    fn data_of(&self, record: &Record) -> Result<(Option<attributes::Stored>, HeldPassword), StoreError> {
        let attributes = || attributes::stored(self.writing, record.object);
        let digest = || digests::find(self.writing, record.object);
        let change = || password_changes::find(self.writing, record.object);
        if record.password.is_none() {
            return Ok((attributes()?, HeldPassword::default()));
        }
        self.writing
            .ask_ahead(&[&|| attributes().map(drop), &|| digest().map(drop), &|| change().map(drop)])?;
        let (attributes, digest) = (attributes()?, digest()?);
        let change = if digest.is_none() { change()? } else { None };
        Ok((attributes, HeldPassword { digest, change }))
    }

    /// Applies the record and counts it in the outcome once: as applied, unchanged or refused. When only its digest is
    /// refused, the rest is applied and the record counts as refused.
    pub(super) fn apply_record(
        &self,
        record: &Record,
        held: Held,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        let Held { home, object: mut held, attributes: mut stored, mut password } = held;
        // 1. Refuse a SID or an objectGUID of another domain. Its old domain uploads that a moved object is gone: that is
        //    no attack, and changes nothing.
        if !has_fitting_sid(record, self.domain) {
            return refuse(outcome, record.object, RefusalReason::ForeignSid);
        }
        if home.is_some_and(|home| home != self.domain.id) {
            if is_removed(record.presence) {
                self.update_reserved(record, None, false)?;
                outcome.unchanged += 1;
                return Ok(());
            }
            outcome.foreign.push(record.object);
            return refuse(outcome, record.object, RefusalReason::ForeignSid);
        }
        // An object of AD never changes its kind, so the stored rows are of another object.
        if held.as_ref().is_some_and(|held| held.kind != record.kind) {
            self.erase_digest(record.object, "it is of another kind", outcome)?;
            objects::forget(self.writing, record.object)?;
            (held, stored, password) = Default::default();
        }
        // 2. Ignore an object that left and was never stored: phs uploads every tombstone that it cannot place. Any
        //    other new object belongs to this domain for ever, by its row.
        if held.is_none() && is_removed(record.presence) {
            self.update_reserved(record, None, false)?;
            outcome.unchanged += 1;
            return Ok(());
        }
        // 3. Store presence and attributes.
        let replace = self.replace && held.as_ref().and_then(|h| h.cycle) != self.full_compare;
        let mut changed = self.store_object(record, held.as_ref())?;
        let overwrite = match (replace, record.presence) {
            (false, _) => Overwrite::IfNewer,
            (true, Presence::Present) => Overwrite::ReplaceAll,
            // A record of an object that left has few attributes or none. The stored ones stay, so that `users show`
            // can show them until the object is erased.
            (true, _) => Overwrite::Always,
        };
        let (attributes_changed, known) = attributes::apply(
            self.writing,
            record.object,
            record.attributes.as_slice(),
            overwrite,
            stored.as_ref(),
        )?;
        let entered = held.as_ref().is_none_or(|h| h.presence != record.presence);
        changed |= attributes_changed;
        // 4. Store or erase the digest, and derive the sign-in names.
        let digest = self.update_digest(record, password, &known, replace, outcome)?;
        if record.kind == Kind::Account && (attributes_changed || entered) {
            self.update_names(record, &known, held.is_none(), outcome)?;
        }
        self.update_reserved(record, held.as_ref(), replace)?;
        if record.kind == Kind::Account && (attributes_changed || entered) {
            let account = Account::known(&known, &Policy::default(), record.protected_user == Some(true));
            if record.presence != Presence::Present || veto(&account, self.now).is_some() {
                self.end_sessions(record.object)?;
            }
        }
        if let Some(written) = password_written(record) {
            web_sessions::password_arrived(self.writing, record.object, written)?;
            // A new account has no sessions.
            if attributes_changed && held.is_some() {
                let password = (record.object, known.pwd_last_set);
                end_those_of_another_password(self.writing, password, self.actor, self.now)?;
            }
        }
        // 5. An object that is not present loses its links.
        if record.presence != Presence::Present {
            if entered {
                self.note_idle_policy(record.object, outcome)?;
            }
            links::drop_from(self.writing, self.domain.id, record.object)?;
        }
        // 6. Number the change, and count the record.
        changed |= matches!(digest, DigestOutcome::Stored | DigestOutcome::Erased);
        if changed {
            changes::note_stored(self.writing, record.object, self.now)?;
        }
        if let DigestOutcome::Refused(why) = digest {
            return refuse(outcome, record.object, why);
        }
        if changed {
            outcome.applied += 1;
        } else {
            outcome.unchanged += 1;
        }
        Ok(())
    }

    /// Writes the row of the object. True: a value that matters changed.
    fn store_object(&self, record: &Record, held: Option<&Object>) -> Result<bool, StoreError> {
        let removed = is_removed(record.presence);
        let mut object = Object {
            object: record.object,
            kind: record.kind,
            domain: self.domain.id,
            sid: record.sid.as_ref().map(|sid| sid.as_str().to_owned()),
            presence: record.presence,
            removed_at: removed.then(|| held.and_then(|h| h.removed_at).unwrap_or(self.now)),
            privileged: record.privileged,
            protected_user: record.protected_user.or(held.map(|h| h.protected_user)).unwrap_or(false),
            cycle: self.full_compare.or(held.and_then(|h| h.cycle)),
            changed_at: held.map_or(self.now, |h| h.changed_at),
        };
        let unmarked = held.map(|h| Object { cycle: object.cycle, ..h.clone() });
        let changed = unmarked.as_ref() != Some(&object);
        if changed {
            object.changed_at = self.now;
        }
        match held {
            None => objects::add(self.writing, &object)?,
            Some(held) if *held != object => objects::replace(self.writing, &object)?,
            Some(_) => {}
        }
        Ok(changed)
    }

    /// Stores or erases the digest of the account, as the record and the domain require.
    fn update_digest(
        &self,
        record: &Record,
        held: HeldPassword,
        known: &Attributes,
        replace: bool,
        outcome: &mut Outcome,
    ) -> Result<DigestOutcome, StoreError> {
        if record.presence != Presence::Present {
            self.erase_digest(record.object, "no longer present", outcome)?;
            return Ok(DigestOutcome::None);
        }
        let offered = record.password.is_some();
        let refused =
            if offered { DigestOutcome::Refused(RefusalReason::Privileged) } else { DigestOutcome::None };
        if record.kind != Kind::Account {
            return Ok(refused);
        }
        // Every record is checked, also one without a password: an adminCount that arrives alone erases the stored
        // digest.
        let sid = record.sid.as_ref().map(Text::as_str);
        if lacks_permission(sid, record.privileged, self.domain, known) {
            self.erase_digest(record.object, "became privileged", outcome)?;
            return Ok(refused);
        }
        if record.erase_password {
            let erased = self.erase_digest(record.object, "phs no longer sends its password", outcome)?;
            return Ok(if erased { DigestOutcome::Erased } else { DigestOutcome::None });
        }
        match &record.password {
            Some(password) => self.store_digest(record.object, (held, password), replace, outcome),
            None => Ok(DigestOutcome::None),
        }
    }

    /// Stores a digest, if it is strong enough, and newer than the stored one or of the same password with more
    /// iterations.
    fn store_digest(
        &self,
        object: Uuid,
        (HeldPassword { digest: held, change }, password): (HeldPassword, &Password),
        replace: bool,
        outcome: &mut Outcome,
    ) -> Result<DigestOutcome, StoreError> {
        if !is_strong(&password.digest, self.domain) {
            // The account has another password by now, so the stored digest must not let anybody in.
            if held.is_some_and(|held| held.stamp < password.stamp) {
                self.erase_digest(object, "the password changed, and the new digest is too weak", outcome)?;
            }
            return Ok(DigestOutcome::Refused(RefusalReason::WeakDigest));
        }
        let mut why = "another password's digest arrived";
        if let Some(held) = &held {
            if held.stamp == password.stamp {
                let opened = held.open(self.store.seal_keys(), object);
                let costs = |held: &SaltedDigest| held.iterations() >= password.digest.iterations();
                if opened.is_ok_and(|held| is_strong(&held, self.domain) && costs(&held)) {
                    outcome.repeated += 1;
                    return Ok(DigestOutcome::NotNewer);
                }
                why =
                    "a digest of the same password arrived that costs more, or the stored one does not open";
            } else if password.stamp < held.stamp && !replace {
                return Ok(DigestOutcome::NotNewer);
            }
        } else if let Some(change) = change {
            // The person changed the password here: what is of a password before that is not taken again. A full compare
            // brings what its domain controller has, which may be behind the agent's.
            let since = if replace { self.now.saturating_sub(BELIEVED) } else { i64::MIN };
            if change.keeps_out(&password.stamp, since) {
                return Ok(DigestOutcome::NotNewer);
            }
            password_changes::forget(self.writing, object)?;
        }
        digests::put(
            self.writing,
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
                self.audit("digest-replaced", object, why)?;
            }
        }
        Ok(DigestOutcome::Stored)
    }

    /// Erases the digest of an object. True: there was one.
    fn erase_digest(&self, object: Uuid, why: &str, outcome: &mut Outcome) -> Result<bool, StoreError> {
        let erased = digests::erase(self.writing, object)?;
        if erased {
            outcome.erased += 1;
            self.audit("digest-erased", object, why)?;
        }
        Ok(erased)
    }

    /// Ends the sessions of an account at the pages, for good: an account that comes back has to sign in again.
    pub(super) fn end_sessions(&self, object: Uuid) -> Result<(), StoreError> {
        end_all_of(self.writing, (object, None), (self.actor, Ending::Account), self.now).map(drop)
    }

    /// Writes an audit entry about an object.
    pub(super) fn audit(&self, action: &str, object: Uuid, detail: &str) -> Result<(), StoreError> {
        audit::append(self.writing, self.now, self.actor, action, &object.to_string(), detail)
    }

    /// Notes the members of the groups among `leaving` whose policy is to refuse: they stay refused. Called before any
    /// object of the page leaves, so that members through groups that leave with it are found.
    pub(super) fn keep_refused(&self, leaving: &[Uuid]) -> Result<(), StoreError> {
        if leaving.is_empty() {
            return Ok(());
        }
        for one in group_policies::of(self.writing, self.domain.id)? {
            if one.policy == SigninPolicy::Refuse
                && leaving.contains(&one.group)
                && is_group(self.writing, self.domain, one.group)?
            {
                let accounts = accounts_in(self.writing, self.domain, one.group)?;
                refused_members::set(self.writing, self.domain.id, one.group, &accounts)?;
            }
        }
        Ok(())
    }

    /// Writes an audit entry if a group with a sign-in policy leaves: the policy then applies to no account, or, if it
    /// is to refuse, to the last members.
    pub(super) fn note_idle_policy(&self, object: Uuid, outcome: &mut Outcome) -> Result<(), StoreError> {
        if group_policies::has(self.writing, self.domain.id, object)? {
            outcome.idle += 1;
            let kept = refused_members::count(self.writing, self.domain.id, object)?;
            outcome.kept += u32::from(kept > 0);
            let detail = format!(
                "the group has left: its sign-in policy applies to {}",
                if kept > 0 { format!("its last {kept} accounts") } else { "no account".to_owned() }
            );
            self.audit("group-policy-idle", object, &detail)?;
        }
        Ok(())
    }

    /// Derives the sign-in names of an account again. A new name that another account holds already gets an audit
    /// entry: neither account signs in with it from then on. So does a name that the account does not get, because of
    /// its suffix.
    fn update_names(
        &self,
        record: &Record,
        known: &Attributes,
        new: bool,
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        let names = match record.presence {
            Presence::Present => names_of(self.domain, known),
            Presence::Deleted | Presence::Privileged | Presence::OutOfScope => Vec::new(),
        };
        let (names, refused) = self.divide_names(names)?;
        let before = if new { Vec::new() } else { names::of(self.writing, record.object)? };
        let arrived = refused.into_iter().filter(|one| before != names || brings(record, &one.name));
        outcome.refused_names.extend(arrived.map(|one| (record.object, one)));
        if before == names {
            return Ok(());
        }
        names::set(self.writing, self.store.name_key(), record.object, &before, &names)?;
        let added: Vec<&String> = names.iter().filter(|name| !before.contains(name)).collect();
        let conflicts = || reserved_names::of_holder(self.writing, record.object, MAX_CONFLICTS);
        self.writing.ask_of_each_ahead(&added, |name| names::holders(self.writing, name).map(drop))?;
        self.writing.ask_ahead(&[&|| conflicts().map(drop)])?;
        for name in added {
            let other = names::holders(self.writing, name)?.into_iter().find(|o| *o != record.object);
            if let Some(other) = other {
                outcome.shared += 1;
                let detail = format!("{other} also has the name {name}: neither account signs in with it");
                self.audit("name-ambiguous", record.object, &detail)?;
            }
        }
        for conflict in conflicts()? {
            if !before.contains(&conflict.name) {
                outcome.shared += 1;
                self.audit_conflict(&conflict)?;
            }
        }
        Ok(())
    }
}

fn refuse(outcome: &mut Outcome, object: Uuid, why: RefusalReason) -> Result<(), StoreError> {
    outcome.refused.push(Refusal { object, why });
    Ok(())
}

/// Whether the SID fits the kind of the object: accounts and groups have a SID of this domain, other kinds have none.
fn has_fitting_sid(record: &Record, domain: &Domain) -> bool {
    match record.kind {
        Kind::Account | Kind::Group => {
            record.sid.as_ref().is_some_and(|sid| rid_of(sid.as_str(), &domain.sid).is_some())
        }
        Kind::Contact | Kind::PasswordSettings | Kind::Container => record.sid.is_none(),
    }
}

/// Whether the record has this folded name as its UPN or alternate login.
fn brings(record: &Record, name: &str) -> bool {
    record.attributes.as_slice().iter().any(|one| {
        if let AttributeValue::UserPrincipalName(Some(text)) | AttributeValue::AlternateLogin(Some(text)) =
            &one.is
        {
            of_upn(text.as_str()).as_deref() == Some(name)
        } else {
            false
        }
    })
}

/// Whether a digest is as costly to attack as the domain requires: iterations and length of the salt.
pub(super) fn is_strong(digest: &SaltedDigest, domain: &Domain) -> bool {
    digest.iterations() >= domain.min_iterations && digest.salt_len() >= MIN_SALT
}

/// When the pwdLastSet in a record was written: seconds since 1601. None: the record has none.
fn password_written(record: &Record) -> Option<i64> {
    let is_password_set = |one: &&Attribute| matches!(one.is, AttributeValue::PwdLastSet(_));
    let found = record.attributes.as_slice().iter().find(is_password_set)?;
    i64::try_from(found.stamp.time).ok()
}
