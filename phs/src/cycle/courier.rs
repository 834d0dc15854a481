//! Takes a batch to the tenant: asks what is wanted, has only that derived, uploads, and writes down what the
//! receipt says.
//! Neighbours: `super` hands batches over, `rehash` derives, `send` has the sockets.

use super::{Order, Tally};
use crate::error::PhsError;
use crate::mirror::{Mirror, Sent};
use crate::progress::Witness;
use crate::qualify::{Batch, Draft};
use crate::rehash::{Work, rehash};
use crate::send::Tenant;
use crate::stop::Stop;
use crate::translate;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::upload::{
    CursorName, DomainPolicy, Kind, Mode, Offer, Password, Receipt, Record, Upload,
};
use std::collections::{HashMap, HashSet};
use tracing::{debug, warn};
use uuid::Uuid;

/// Records in one upload: the longest names, escaped, stay within a frame.
const PORTION: usize = 250;

pub(super) struct Courier<'a> {
    pub(super) order: &'a Order,
    pub(super) mirror: &'a Mirror,
    /// None in a dry run: then it only counts.
    pub(super) tenant: Option<&'a mut dyn Tenant>,
    pub(super) witness: &'a dyn Witness,
    pub(super) stop: &'a Stop,
    pub(super) mode: Mode,
    /// The tenant's, at the hello.
    pub(super) generation: Uuid,
    pub(super) tally: Tally,
}

impl Courier<'_> {
    /// Whether nothing was sent in this cycle.
    pub(super) fn is_idle(&self) -> bool {
        self.tally.records_sent == 0 && !self.tally.policy_sent
    }

    /// Delivers a batch. With `commit` the last upload says that the cycle is complete, and its receipt is
    /// given back; without, nothing is sent for an empty batch.
    pub(super) fn deliver(
        &mut self,
        batch: Batch,
        commit: Option<&CursorName>,
    ) -> Result<Option<Receipt>, PhsError> {
        let Batch { drafts, mut policy, in_scope, privileged, removed, quarantined } = batch;
        self.tally.in_scope += in_scope;
        self.tally.privileged += privileged;
        self.tally.removed += removed;
        self.tally.quarantined += quarantined;
        let mut drafts = drafts.into_iter().peekable();
        loop {
            let portion: Vec<_> = drafts.by_ref().take(PORTION).collect();
            let last = drafts.peek().is_none();
            let commit = commit.filter(|_| last);
            let mut receipt = None;
            if !portion.is_empty() || policy.is_some() || commit.is_some() {
                receipt = self.upload(portion, policy.take(), commit)?;
            }
            if last {
                return Ok(receipt);
            }
        }
    }

    fn upload(
        &mut self,
        mut drafts: Vec<Draft>,
        policy: Option<DomainPolicy>,
        commit: Option<&CursorName>,
    ) -> Result<Option<Receipt>, PhsError> {
        let digests = self.derive(&mut drafts)?;
        let Some(tenant) = self.tenant.as_deref_mut() else {
            let passwords = drafts.iter().filter(|draft| draft.password.is_some()).count();
            self.tally.records_sent += count(drafts.len());
            self.tally.digests_sent += count(passwords);
            self.tally.policy_sent |= policy.is_some();
            return Ok(None);
        };
        let with_digest = count(digests.len());
        let records = records(drafts, digests)?;
        let number = count(records.len());
        let carries = number > 0 || policy.is_some();
        let upload = Upload {
            instance: self.order.instance,
            domain_sid: Text::cut(&self.order.domain.to_string()),
            cycle: self.order.cycle,
            mode: self.mode,
            policy,
            records: List::new(records).map_err(|_| PhsError::Defect("an upload of too many records"))?,
            links: List::default(),
            commit: commit.cloned(),
        };
        let receipt = tenant.upload(&upload)?;
        self.tally.policy_sent |= upload.policy.is_some();
        drop(upload);
        if receipt.generation != self.generation {
            return Err(PhsError::TenantReplaced);
        }
        self.tally.uploads += u64::from(carries);
        self.tally.records_sent += number;
        self.tally.digests_sent += with_digest;
        self.tally.unchanged += u64::from(receipt.unchanged);
        self.witness.sent(number);
        self.refused(&receipt)?;
        Ok(Some(receipt))
    }

    /// Has those passwords derived that the tenant lacks; the others are let go unopened.
    fn derive(&mut self, drafts: &mut [Draft]) -> Result<HashMap<Uuid, Password>, PhsError> {
        let offered: Vec<_> = drafts
            .iter()
            .filter_map(|draft| Some((draft.object, translate::stamp(draft.password.as_ref()?.hash.stamp))))
            .collect();
        let Some(tenant) = self.tenant.as_deref_mut().filter(|_| !offered.is_empty()) else {
            return Ok(HashMap::new());
        };
        let passwords = List::new(offered).map_err(|_| PhsError::Defect("an offer of too many passwords"))?;
        let wanted = tenant.offer(&Offer { instance: self.order.instance, passwords })?;
        let wanted: HashSet<Uuid> = wanted.objects.into_vec().into_iter().collect();
        let mut work = Vec::with_capacity(wanted.len());
        for draft in drafts.iter_mut().filter(|draft| wanted.contains(&draft.object)) {
            let rid = draft.sid.rid();
            work.extend(draft.password.take().map(|sealed| Work { object: draft.object, rid, sealed }));
        }
        let (due, witness) = (work.len(), self.witness);
        let derived = rehash(work, self.order.profile, self.stop, &|| witness.derived());
        if self.stop.is_raised() {
            return Err(PhsError::Interrupted);
        }
        if derived.len() != due {
            return Err(PhsError::Defect("a deriving thread ended early"));
        }
        let mut digests = HashMap::with_capacity(due);
        for one in derived {
            match one.digest {
                Ok(digest) => {
                    let stamp = translate::stamp(one.stamp);
                    digests.insert(one.object, Password { stamp, digest });
                }
                Err(why) => {
                    debug!(object = %one.object, %why, "to quarantine");
                    self.tally.quarantined += 1;
                    self.mirror.quarantine(one.object, &why.to_string(), self.order.now)?;
                    self.unsure(one.object)?;
                }
            }
        }
        self.tally.digests_derived += count(digests.len());
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
        self.tally.refused += count(refused.len());
        warn!(records = refused.len(), first = ?refused.first().map(|r| r.why), "the tenant refused records");
        Ok(())
    }

    /// The tenant does not hold all of this account: its next change sends it whole.
    fn unsure(&self, guid: Uuid) -> Result<(), PhsError> {
        if let Some(mut object) = self.mirror.object(guid)? {
            object.sent = Some(Sent::Unsure);
            object.password = None;
            self.mirror.put(&object)?;
        }
        Ok(())
    }
}

fn records(drafts: Vec<Draft>, mut digests: HashMap<Uuid, Password>) -> Result<Vec<Record>, PhsError> {
    let record = |draft: Draft| {
        Ok(Record {
            object: draft.object,
            kind: Kind::Account,
            sid: Some(Text::cut(&draft.sid.to_string())),
            presence: draft.presence,
            privileged: draft.privileged,
            protected_user: draft.protected_user,
            attributes: List::new(draft.attributes)
                .map_err(|_| PhsError::Defect("a record of too many attributes"))?,
            password: digests.remove(&draft.object),
            erase_password: false,
        })
    };
    drafts.into_iter().map(record).collect()
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
