//! Applies records: presence, attributes, digest, names, sessions. The order matters, because each step depends on those
//! before it; it is taken for many records before the next one is.
//! Neighbours: [`super::apply_page`] calls it for the records of a page, inside the page's transaction.

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
use std::collections::{HashMap, HashSet};
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

/// What is left to do once the row, the attributes and the digest of an account are stored: its names and its sessions.
struct Rest<'r> {
    record: &'r Record,
    known: Attributes,
    /// The account was not stored before, so it has neither.
    is_new: bool,
    /// What its names come from may have changed.
    has_other_names: bool,
    /// Whether its sessions end, because the account may not sign in any more.
    ends_sessions: bool,
    /// When the pwdLastSet that arrived was written: seconds since 1601.
    password_written: Option<i64>,
    /// Whether that pwdLastSet may be another one than before.
    has_other_password: bool,
}

/// The names of an account, before and now.
struct Renamed<'r> {
    record: &'r Record,
    before: Vec<String>,
    names: Vec<String>,
}

impl Renamed<'_> {
    fn added(&self) -> impl Iterator<Item = &String> {
        self.names.iter().filter(|name| !self.before.contains(name))
    }
}

impl Page<'_> {
    /// Applies records in their order. Those of different objects are applied together, so that a server is asked for all of
    /// them at once and gets their changes at once.
    pub(super) fn apply_records(
        &self,
        mut records: &[Record],
        outcome: &mut Outcome,
    ) -> Result<(), StoreError> {
        while !records.is_empty() {
            let mut seen = HashSet::new();
            let different = records.iter().take_while(|record| seen.insert(record.object)).count();
            let (first, others) = records.split_at_checked(different).unwrap_or((records, &[]));
            self.apply_together(first, outcome)?;
            records = others;
        }
        Ok(())
    }

    /// Applies records of different objects.
    fn apply_together(&self, records: &[Record], outcome: &mut Outcome) -> Result<(), StoreError> {
        // 1. What is stored of each.
        let held = self.held_of_each(records)?;
        // 2. Row, attributes and digest of each.
        let mut rest = Vec::new();
        self.writing.change_each(records.iter().zip(held), |(record, held)| {
            rest.extend(self.apply_record(record, held, outcome)?);
            Ok(())
        })?;
        // 3. Names and sessions of the accounts among them.
        self.update_names(&rest, outcome)?;
        self.update_sessions(&rest)
    }

    /// Reads what is stored of the objects of these records.
    fn held_of_each(&self, records: &[Record]) -> Result<Vec<Held>, StoreError> {
        // 1. The objects.
        self.writing.ask_of_each_ahead(records, |record| self.object_of(record).map(drop))?;
        let objects: Vec<_> =
            records.iter().map(|record| self.object_of(record)).collect::<Result<_, _>>()?;
        // 2. What belongs to those that are stored. Of a new object there is nothing more.
        let is_stored = |(_, (_, object)): &(&Record, &(Option<i64>, Option<Object>))| object.is_some();
        let stored: Vec<&Record> =
            records.iter().zip(&objects).filter(is_stored).map(|(record, _)| record).collect();
        self.writing.ask_of_each_ahead(&stored, |record| self.data_of(record).map(drop))?;
        let all = records.iter().zip(objects).map(|(record, (home, object))| {
            let (attributes, password) =
                if object.is_some() { self.data_of(record)? } else { Default::default() };
            Ok(Held { home, object, attributes, password })
        });
        all.collect()
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

    /// Applies the record, but for names and sessions, and counts it in the outcome once: as applied, unchanged or refused.
    /// When only its digest is refused, the rest is applied and the record counts as refused. Returns what is left to do.
    fn apply_record<'r>(
        &self,
        record: &'r Record,
        held: Held,
        outcome: &mut Outcome,
    ) -> Result<Option<Rest<'r>>, StoreError> {
        let Held { home, object: mut held, attributes: mut stored, mut password } = held;
        // 1. Refuse a SID or an objectGUID of another domain. Its old domain uploads that a moved object is gone: that is
        //    no attack, and changes nothing.
        if !has_fitting_sid(record, self.domain) {
            refuse(outcome, record.object, RefusalReason::ForeignSid);
            return Ok(None);
        }
        if home.is_some_and(|home| home != self.domain.id) {
            if is_removed(record.presence) {
                self.update_reserved(record, None, false)?;
                outcome.unchanged += 1;
                return Ok(None);
            }
            outcome.foreign.push(record.object);
            refuse(outcome, record.object, RefusalReason::ForeignSid);
            return Ok(None);
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
            return Ok(None);
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
        // 4. Store or erase the digest.
        let digest = self.update_digest(record, password, &known, replace, outcome)?;
        self.update_reserved(record, held.as_ref(), replace)?;
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
            refuse(outcome, record.object, why);
        } else if changed {
            outcome.applied += 1;
        } else {
            outcome.unchanged += 1;
        }
        // 7. Names and sessions are for later.
        if record.kind != Kind::Account {
            return Ok(None);
        }
        let ends_sessions = || {
            let account = Account::known(&known, &Policy::default(), record.protected_user == Some(true));
            record.presence != Presence::Present || veto(&account, self.now).is_some()
        };
        let has_other_names = attributes_changed || entered;
        let password_written = password_written(record);
        Ok(Some(Rest {
            record,
            is_new: held.is_none(),
            has_other_names,
            ends_sessions: has_other_names && ends_sessions(),
            password_written,
            has_other_password: attributes_changed && password_written.is_some(),
            known,
        }))
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

    /// Derives the sign-in names of accounts again. A new name that another account holds already gets an audit entry:
    /// neither account signs in with it from then on. So does a name that the account does not get, because of its suffix.
    fn update_names(&self, rest: &[Rest<'_>], outcome: &mut Outcome) -> Result<(), StoreError> {
        let (writing, key) = (self.writing, self.store.name_key());
        // 1. Their names now, and those that they had.
        let due: Vec<&Rest<'_>> = rest.iter().filter(|one| one.has_other_names).collect();
        let names_now = |one: &Rest<'_>| match one.record.presence {
            Presence::Present => names_of(self.domain, &one.known),
            Presence::Deleted | Presence::Privileged | Presence::OutOfScope => Vec::new(),
        };
        let had = |one: &Rest<'_>| {
            if one.is_new { Ok(Vec::new()) } else { names::of(writing, one.record.object) }
        };
        writing.ask_of_each_ahead(&due, |one| had(one).map(drop))?;
        let before: Vec<Vec<String>> = due.iter().map(|one| had(one)).collect::<Result<_, _>>()?;
        let mut renamed = Vec::new();
        for (one, before) in due.into_iter().zip(before) {
            let record = one.record;
            let (names, refused) = self.divide_names(names_now(one))?;
            let arrived = refused.into_iter().filter(|one| before != names || brings(record, &one.name));
            outcome.refused_names.extend(arrived.map(|one| (record.object, one)));
            if before != names {
                renamed.push(Renamed { record, before, names });
            }
        }
        // 2. Their rows.
        writing.change_each(&renamed, |one| {
            names::set(writing, key, one.record.object, &one.before, &one.names)
        })?;
        // 3. Those that others have too. Of several accounts of these records, each later one is named.
        let added = || renamed.iter().flat_map(|one| one.added().map(|name| (one.record.object, name)));
        let mut to_come: HashSet<(Uuid, &String)> = added().collect();
        let mut most: HashMap<&String, u32> = HashMap::new();
        for (_, name) in added() {
            *most.entry(name).or_insert(1) += 1;
        }
        // One more than are added here, so that one who had the name before is among them.
        let holders = |name: &String| {
            let limit = most.get(name).copied().unwrap_or(1);
            names::all_holders(writing, name, limit)
        };
        // While a first full compare is under way, none hold.
        let may_conflict = !renamed.is_empty() && reserved_names::any_hold(writing)?;
        let conflicts = |one: &Renamed<'_>| {
            if may_conflict {
                reserved_names::of_holder(writing, one.record.object, MAX_CONFLICTS)
            } else {
                Ok(Vec::new())
            }
        };
        writing.ask_of_each_ahead(&added().collect::<Vec<_>>(), |(_, name)| holders(name).map(drop))?;
        writing.ask_of_each_ahead(&renamed, |one| conflicts(one).map(drop))?;
        for one in &renamed {
            let object = one.record.object;
            for name in one.added() {
                to_come.remove(&(object, name));
                let mut holders = holders(name)?.into_iter();
                let other = holders.find(|other| *other != object && !to_come.contains(&(*other, name)));
                if let Some(other) = other {
                    outcome.shared += 1;
                    let detail =
                        format!("{other} also has the name {name}: neither account signs in with it");
                    self.audit("name-ambiguous", object, &detail)?;
                }
            }
            for conflict in conflicts(one)? {
                if !one.before.contains(&conflict.name) {
                    outcome.shared += 1;
                    self.audit_conflict(&conflict)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the sessions of accounts that may not sign in any more, and those of another password.
    fn update_sessions(&self, rest: &[Rest<'_>]) -> Result<(), StoreError> {
        let writing = self.writing;
        let had_sessions: Vec<&Rest<'_>> = rest.iter().filter(|one| !one.is_new).collect();
        // 1. What arrived is awaited no longer.
        writing.change_each(&had_sessions, |one| match one.password_written {
            Some(written) => web_sessions::password_arrived(writing, one.record.object, written),
            None => Ok(()),
        })?;
        // 2. The sessions. Most accounts have none.
        let sessions = |one: &Rest<'_>| {
            if one.ends_sessions || one.has_other_password {
                web_sessions::list(writing, Some(one.record.object), web_sessions::MOST)
            } else {
                Ok(Vec::new())
            }
        };
        writing.ask_of_each_ahead(&had_sessions, |one| sessions(one).map(drop))?;
        for one in had_sessions {
            if sessions(one)?.is_empty() {
                continue;
            }
            if one.ends_sessions {
                self.end_sessions(one.record.object)?;
            }
            if one.has_other_password {
                let password = (one.record.object, one.known.pwd_last_set);
                end_those_of_another_password(writing, password, self.actor, self.now)?;
            }
        }
        Ok(())
    }
}

fn refuse(outcome: &mut Outcome, object: Uuid, why: RefusalReason) {
    outcome.refused.push(Refusal { object, why });
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
