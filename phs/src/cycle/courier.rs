//! Takes a batch to the tenant: asks what is wanted, has only that derived, uploads, and writes down what the
//! receipt says. One portion is derived while the one before it is uploaded.
//! Neighbours: `super` hands batches over, `rehash` derives, `send` has the sockets.

use super::counts::{Counts, Difference, NAMED, Sign};
use super::order::Order;
use super::settled::Settled;
use crate::cycle::rehash::{Derivers, Work};
use crate::cycle::send::UploadApi;
use crate::error::PhsError;
use crate::mirror::{Mirror, Named, Sent};
use crate::progress::Witness;
use crate::qualify::translate;
use crate::qualify::{Batch, Draft};
use landbridge_drsr::drs::sid::Sid;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::described::DescribedValue;
use landbridge_wire::upload::{
    Attribute, AttributeValue, CursorName, DomainPolicy, ITERATIONS_FROM, Kind, Link, MAX_LINKS,
    MAX_RESERVED, Mode, Offer, Password, Presence, RESERVED_FROM, Receipt, Record, ReservedName, TREE_FROM,
    Upload,
};
use std::collections::{HashMap, HashSet, VecDeque};
use tracing::{debug, warn};
use uuid::Uuid;

/// Limit on records in one upload.
const PORTION: usize = 250;
/// Limit on bytes of texts and photos in one upload. With all else of 250 records (2.6 MB) that fits a frame of 4 MiB. A
/// record that has more is sent alone: 3.6 MB at most, in addresses and in texts of control characters for the most part.
const BYTES: usize = 768 << 10;
/// Portions whose passwords are derived while an earlier one is sent. One is enough that no core waits for the tenant.
const AHEAD: usize = 1;

pub(super) struct Courier<'a, 'scope> {
    pub(super) order: &'a Order,
    pub(super) mirror: &'a Mirror,
    /// None in a dry run: then nothing is sent, only counted.
    pub(super) tenant: Option<&'a mut dyn UploadApi>,
    pub(super) witness: &'a dyn Witness,
    pub(super) derivers: Derivers<'scope, 'a>,
    /// Uploads whose passwords are being derived, the oldest first.
    pub(super) on_the_way: VecDeque<Load>,
    pub(super) mode: Mode,
    /// The tenant's generation at the hello, and what it accepts.
    pub(super) settled: &'a Settled,
    /// At the end of a full compare: limit on accounts that the tenant may remove because they were not found.
    pub(super) most_swept: Option<u64>,
    /// Objects that an earlier run sent without writing it down; the sweep takes them.
    pub(super) left: Vec<Uuid>,
    /// Objects are noted as on their way.
    pub(super) noted: bool,
    pub(super) counts: Counts,
}

/// The content of one upload.
#[derive(Default)]
pub(super) struct Load {
    drafts: Vec<Draft>,
    reserved: Vec<ReservedName>,
    links: Vec<Link>,
    policy: Option<DomainPolicy>,
    commit: Option<CursorName>,
}

impl Courier<'_, '_> {
    /// Whether nothing was sent in this cycle, and nothing is on the way.
    pub(super) fn is_idle(&self) -> bool {
        !self.counts.has_sent() && self.on_the_way.is_empty()
    }

    /// Hands over a batch: objects first, then reserved names, then links. With `commit` the last upload closes the
    /// cycle; without it, an empty batch sends nothing. Everything has arrived after [`Self::settle`].
    pub(super) fn deliver(&mut self, batch: Batch, commit: Option<&CursorName>) -> Result<(), PhsError> {
        let Batch { mut drafts, reserved, mut links, mut entered, mut policy, .. } = batch;
        // A tenant of level 0 accepts accounts alone, and refuses what it does not know.
        if self.settled.level == 0 {
            drafts.retain(|draft| draft.kind == Kind::Account);
            links.clear();
            entered.clear();
        }
        if self.settled.level < TREE_FROM {
            drafts.retain(|draft| draft.kind != Kind::Container);
        }
        for draft in &mut drafts {
            draft.attributes.retain(|attribute| attribute.is.level() <= self.settled.level);
            draft.attributes.iter_mut().for_each(|attribute| attribute.is.fit(self.settled.level));
        }
        if let Some(sent) = &mut policy {
            sent.fit(self.settled.level);
        }
        policy = policy.filter(|sent| !sent.is_empty());
        let enters: HashSet<Uuid> = entered.iter().copied().collect();
        // Links to an object that enters are sent together with that object.
        links.retain(|link| !(link.present && enters.contains(&link.to)));
        self.counts.in_scope += batch.in_scope;
        self.counts.privileged += batch.privileged;
        self.counts.never += batch.never;
        self.counts.removed += batch.removed;
        self.counts.quarantined += batch.quarantined;
        self.counts.left_out += batch.left_out;
        self.name(batch.held.into_iter().map(|(name, what)| Difference {
            sign: Sign::Held,
            name,
            what: what.to_owned(),
        }));
        let commit = commit.cloned();
        let mut drafts = drafts.into_iter().peekable();
        let mut reserved = reserved.into_iter().peekable();
        while drafts.peek().is_some() {
            let load = Load { drafts: portion(&mut drafts), policy: policy.take(), ..Load::default() };
            // The last upload of records commits only if nothing follows.
            let follows = reserved.peek().is_some() || !links.is_empty() || !entered.is_empty();
            if drafts.peek().is_none() && !follows {
                return self.upload(Load { commit, ..load });
            }
            self.upload(load)?;
        }
        while reserved.peek().is_some() {
            let some = reserved.by_ref().take(MAX_RESERVED).collect();
            self.upload(Load { reserved: some, policy: policy.take(), ..Load::default() })?;
        }
        let mut links = links.into_iter().peekable();
        while links.peek().is_some() {
            let some = links.by_ref().take(MAX_LINKS).collect();
            self.upload(Load { links: some, policy: policy.take(), ..Load::default() })?;
        }
        self.all_links(&entered)?;
        if commit.is_some() || policy.is_some() {
            return self.upload(Load { policy, commit, ..Load::default() });
        }
        Ok(())
    }

    /// Waits until everything on the way has arrived. Returns the last receipt, if there is one.
    pub(super) fn settle(&mut self) -> Result<Option<Receipt>, PhsError> {
        self.send_but(0)
    }

    /// Sends all links of objects that entered, and all links of others to them. The tenant holds none for an object
    /// that it erased.
    fn all_links(&mut self, entered: &[Uuid]) -> Result<(), PhsError> {
        let among: HashSet<Uuid> = entered.iter().copied().collect();
        let mut waiting = Vec::new();
        for object in entered {
            let mut after = None;
            loop {
                let some = self.mirror.links_after(*object, after, MAX_LINKS)?;
                let Some((what, target, _)) = some.last() else { break };
                after = Some((*what, *target));
                waiting.extend(some.into_iter().filter_map(|link| translate::wire_link(*object, link, true)));
                self.links(&mut waiting, MAX_LINKS)?;
            }
            for (from, what, at) in self.mirror.present_links_to(*object)? {
                if !among.contains(&from) {
                    waiting.extend(translate::wire_link(from, (what, *object, at), true));
                }
            }
            self.links(&mut waiting, MAX_LINKS)?;
        }
        self.links(&mut waiting, 1)
    }

    /// Sends links while at least `enough` wait.
    fn links(&mut self, waiting: &mut Vec<Link>, enough: usize) -> Result<(), PhsError> {
        while waiting.len() >= enough {
            let links = waiting.drain(..waiting.len().min(MAX_LINKS)).collect();
            self.upload(Load { links, ..Load::default() })?;
        }
        Ok(())
    }

    fn upload(&mut self, mut load: Load) -> Result<(), PhsError> {
        let work = self.wanted(&mut load.drafts)?;
        self.derivers.begin(work)?;
        self.on_the_way.push_back(load);
        self.send_but(AHEAD).map(|_| ())
    }

    /// Sends the oldest uploads until `ahead` are left on the way.
    fn send_but(&mut self, ahead: usize) -> Result<Option<Receipt>, PhsError> {
        let mut last = None;
        while self.on_the_way.len() > ahead {
            let Some(load) = self.on_the_way.pop_front() else { break };
            last = self.send(load)?;
        }
        Ok(last)
    }

    fn send(&mut self, load: Load) -> Result<Option<Receipt>, PhsError> {
        let Load { mut drafts, reserved, links, policy, commit } = load;
        let mut digests = self.derived(&mut drafts)?;
        // A tenant of level 0 cannot erase a password alone, so the account leaves it, and enters whole at its next
        // change.
        if self.settled.level == 0 {
            for draft in drafts.iter_mut().filter(|draft| draft.erase_password) {
                self.unsure(draft.object)?;
                (draft.erase_password, draft.presence) = (false, Presence::OutOfScope);
                digests.remove(&draft.object);
            }
        }
        let Some(tenant) = self.tenant.as_deref_mut() else {
            self.count(&drafts, &links, policy.is_some());
            return Ok(None);
        };
        // In a full compare the tenant removes what it is not sent again.
        let entering = drafts.iter().filter(|draft| draft.enters && draft.kind != Kind::Container);
        let enters: Vec<Uuid> = entering.map(|draft| draft.object).collect();
        if self.mode == Mode::Incremental && !enters.is_empty() {
            self.mirror.note_sending(&enters)?;
            self.noted = true;
        }
        let with_digest = count(digests.len());
        let records = records(drafts, digests)?;
        let (number, linked, names) = (count(records.len()), count(links.len()), count(reserved.len()));
        let carries = number > 0 || linked > 0 || names > 0 || policy.is_some();
        let level = self.settled.level;
        let upload = Upload {
            instance: self.order.instance,
            domain_sid: Text::cut(&self.order.domain.to_string()),
            cycle: self.order.cycle,
            mode: self.mode,
            policy,
            records: List::new(records).map_err(|_| PhsError::Defect("an upload of too many records"))?,
            reserved: List::new(reserved)
                .map_err(|_| PhsError::Defect("an upload of too many reserved names"))?,
            links: List::new(links).map_err(|_| PhsError::Defect("an upload of too many links"))?,
            most_swept: self.most_swept.filter(|_| commit.is_some() && level > 0),
            level: if commit.is_some() && level >= RESERVED_FROM { level } else { 0 },
            commit,
        };
        let receipt = tenant.upload(&upload)?;
        self.counts.policy_sent |= upload.policy.is_some();
        drop(upload);
        if receipt.generation != self.settled.generation {
            return Err(PhsError::TenantReplaced);
        }
        self.counts.uploads += u64::from(carries);
        self.counts.records_sent += number;
        self.counts.links_sent += linked;
        self.counts.reserved_sent += names;
        self.counts.digests_sent += with_digest;
        self.counts.unchanged += u64::from(receipt.unchanged);
        self.witness.sent(number);
        self.refused(&receipt)?;
        Ok(Some(receipt))
    }

    /// Counts what would be sent.
    fn count(&mut self, drafts: &[Draft], links: &[Link], policy: bool) {
        let passwords = drafts.iter().filter(|draft| draft.password.is_some()).count();
        self.counts.records_sent += count(drafts.len());
        self.counts.links_sent += count(links.len());
        self.counts.digests_sent += count(passwords);
        self.counts.policy_sent |= policy;
        self.name(drafts.iter().map(difference));
    }

    fn name(&mut self, differences: impl Iterator<Item = Difference>) {
        let room = NAMED.saturating_sub(self.counts.differences.len());
        self.counts.differences.extend(differences.take(room));
    }

    /// Offers the passwords; returns those that the tenant lacks, and of those that it holds with fewer iterations as
    /// many as one cycle derives again. The others are dropped unopened.
    fn wanted(&mut self, drafts: &mut [Draft]) -> Result<Vec<Work>, PhsError> {
        let offered: Vec<_> = drafts
            .iter()
            .filter_map(|draft| Some((draft.object, translate::stamp(draft.password.as_ref()?.hash.stamp))))
            .collect();
        let Some(tenant) = self.tenant.as_deref_mut().filter(|_| !offered.is_empty()) else {
            return Ok(Vec::new());
        };
        let passwords = List::new(offered).map_err(|_| PhsError::Defect("an offer of too many passwords"))?;
        let iterations = (self.settled.level >= ITERATIONS_FROM).then(|| self.order.profile.iterations());
        let wanted = tenant.offer(&Offer { instance: self.order.instance, passwords, iterations })?;
        let again = wanted.again.into_vec();
        let room = self.order.again_at_most.saturating_sub(self.counts.digests_again);
        let now = again.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        self.counts.digests_again += count(now);
        self.counts.digests_left += count(again.len() - now);
        let wanted: HashSet<Uuid> =
            wanted.objects.into_vec().into_iter().chain(again.into_iter().take(now)).collect();
        let mut work = Vec::with_capacity(wanted.len());
        for draft in drafts.iter_mut().filter(|draft| wanted.contains(&draft.object)) {
            let Some(rid) = draft.sid.as_ref().map(Sid::rid) else { continue };
            work.extend(draft.password.take().map(|sealed| Work { object: draft.object, rid, sealed }));
        }
        Ok(work)
    }

    /// Waits for the digests of the oldest portion.
    fn derived(&mut self, drafts: &mut [Draft]) -> Result<HashMap<Uuid, Password>, PhsError> {
        let derived = self.derivers.finish()?;
        let mut digests = HashMap::with_capacity(derived.len());
        for one in derived {
            match one.digest {
                Ok(digest) => {
                    let stamp = translate::stamp(one.stamp);
                    digests.insert(one.object, Password { stamp, digest });
                }
                Err(why) => {
                    debug!(object = %one.object, %why, "to quarantine");
                    self.counts.quarantined += 1;
                    let dn =
                        drafts.iter().find(|draft| draft.object == one.object).map(|draft| draft.dn.clone());
                    let named = Named { dn: dn.as_deref().unwrap_or_default(), ..Named::default() };
                    let why = format!("cannot be opened: {why}");
                    self.mirror.quarantine(one.object, named, "unicodePwd", &why, self.order.now)?;
                    self.unsure(one.object)?;
                    // The digest at the tenant is no longer of the account's password.
                    for draft in drafts.iter_mut().filter(|draft| draft.object == one.object) {
                        draft.erase_password = true;
                    }
                }
            }
        }
        self.counts.digests_derived += count(digests.len());
        Ok(digests)
    }

    fn refused(&mut self, receipt: &Receipt) -> Result<(), PhsError> {
        let refused = receipt.refused.as_slice();
        if refused.is_empty() {
            return Ok(());
        }
        for refusal in refused {
            debug!(object = %refusal.object, why = ?refusal.why, "refused by the tenant");
            self.unsure(refusal.object)?;
        }
        self.counts.refused += count(refused.len());
        warn!(records = refused.len(), first = ?refused.first().map(|r| r.why), "the tenant refused records");
        Ok(())
    }

    /// The tenant does not hold all of this object: mark it, so that its next change sends it whole.
    fn unsure(&self, guid: Uuid) -> Result<(), PhsError> {
        if let Some(mut object) = self.mirror.object(guid)? {
            object.sent = (object.sent != Some(Sent::Container)).then_some(Sent::Unsure);
            (object.password, object.password_at) = (None, None);
            self.mirror.put(&object)?;
        }
        Ok(())
    }
}

/// As many drafts as fit into one upload, at least one.
fn portion(drafts: &mut std::iter::Peekable<impl Iterator<Item = Draft>>) -> Vec<Draft> {
    let (mut some, mut bytes) = (Vec::new(), 0);
    let mut fits = |draft: &Draft, is_first: bool| {
        bytes += draft.attributes.iter().map(size).sum::<usize>();
        is_first || bytes <= BYTES
    };
    while some.len() < PORTION {
        let Some(draft) = drafts.next_if(|draft| fits(draft, some.is_empty())) else { break };
        some.push(draft);
    }
    some
}

/// The size of an attribute's texts or octets in an upload, in JSON.
fn size(attribute: &Attribute) -> usize {
    let escaped = |byte: u8| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    let text = |text: &str| text.bytes().map(escaped).sum::<usize>();
    match &attribute.is {
        AttributeValue::ProxyAddresses(all) => all.as_slice().iter().map(|one| text(one.as_str())).sum(),
        AttributeValue::UserPrincipalName(one)
        | AttributeValue::AlternateLogin(one)
        | AttributeValue::Mail(one) => one.as_ref().map_or(0, |one| text(one.as_str())),
        AttributeValue::Description(one) => one.as_ref().map_or(0, |one| text(one.as_str())),
        AttributeValue::SamAccountName(one)
        | AttributeValue::DisplayName(one)
        | AttributeValue::GivenName(one)
        | AttributeValue::Surname(one)
        | AttributeValue::Department(one)
        | AttributeValue::Title(one)
        | AttributeValue::TelephoneNumber(one)
        | AttributeValue::Mobile(one)
        | AttributeValue::Name(one) => one.as_ref().map_or(0, |one| text(one.as_str())),
        AttributeValue::UserAccountControl(_)
        | AttributeValue::AccountExpires(_)
        | AttributeValue::PwdLastSet(_)
        | AttributeValue::LockoutTime(_)
        | AttributeValue::LogonHours(_)
        | AttributeValue::PrimaryGroupId(_)
        | AttributeValue::AdminCount(_)
        | AttributeValue::GroupType(_)
        | AttributeValue::Precedence(_)
        | AttributeValue::MaximumPasswordAge(_)
        | AttributeValue::LockoutDuration(_)
        | AttributeValue::LockoutObservationWindow(_)
        | AttributeValue::LockoutThreshold(_)
        | AttributeValue::MinimumPasswordAge(_)
        | AttributeValue::MinimumPasswordLength(_)
        | AttributeValue::PasswordHistoryLength(_)
        | AttributeValue::PasswordComplexity(_)
        | AttributeValue::Parent(_) => 0,
        AttributeValue::Rdn(one) => one.as_ref().map_or(0, |one| text(one.as_str())),
        AttributeValue::Described(one) => match &one.value {
            Some(DescribedValue::Text(one)) => text(one.as_str()),
            Some(DescribedValue::Octets(one)) => one.as_bytes().len().div_ceil(3) * 4,
            Some(DescribedValue::Integer(_)) | None => 0,
        },
    }
}

fn difference(draft: &Draft) -> Difference {
    let sign = match draft.presence {
        Presence::Present if draft.enters => Sign::Enters,
        Presence::Present => Sign::Changes,
        Presence::Deleted | Presence::Privileged | Presence::OutOfScope => Sign::Leaves,
    };
    let mut what: Vec<&str> = match draft.presence {
        Presence::Deleted => vec!["deleted"],
        Presence::Privileged => vec!["privileged"],
        Presence::OutOfScope => vec!["outside the scope"],
        Presence::Present => draft.attributes.iter().map(|attribute| attribute.is.name()).collect(),
    };
    if draft.protected_user == Some(true) {
        what.push("Protected Users");
    }
    if draft.password.is_some() {
        what.push("password");
    }
    if draft.erase_password && draft.presence == Presence::Present {
        what.push("no password");
    }
    Difference { sign, name: draft.name.clone(), what: what.join(", ") }
}

fn records(drafts: Vec<Draft>, mut digests: HashMap<Uuid, Password>) -> Result<Vec<Record>, PhsError> {
    let record = |draft: Draft| {
        Ok(Record {
            object: draft.object,
            kind: draft.kind,
            sid: draft.sid.map(|sid| Text::cut(&sid.to_string())),
            presence: draft.presence,
            privileged: draft.privileged,
            protected_user: draft.protected_user,
            attributes: List::new(draft.attributes)
                .map_err(|_| PhsError::Defect("a record of too many attributes"))?,
            // Of several records of one object, the first one carries the password.
            password: if draft.erase_password { None } else { digests.remove(&draft.object) },
            erase_password: draft.erase_password,
        })
    };
    drafts.into_iter().map(record).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
