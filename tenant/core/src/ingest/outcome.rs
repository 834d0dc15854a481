//! What one upload did: counted for the receipt, the audit log and the metrics.

use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_store::tables::suffixes::RefusedName;
use landbridge_wire::upload::Refusal;
use uuid::Uuid;

/// What one upload did. Counted for `/metrics` only once it is on the disk.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) applied: u32,
    pub(super) unchanged: u32,
    pub(super) swept: u32,
    pub(super) links: u32,
    /// Attributes of accounts that are not carried, whose names changed.
    pub(super) reserved: u32,
    /// After a full compare: accounts with a name that an account that is not carried also has.
    pub(super) ambiguous: Option<u32>,
    /// The reserved names of the domain hold from this upload on.
    pub(super) begins_to_hold: bool,
    pub(super) links_refused: u32,
    pub(super) policy: bool,
    pub(super) set: u32,
    pub(super) replaced: u32,
    pub(super) repeated: u32,
    pub(super) erased: u32,
    pub(super) shared: u32,
    pub(super) idle: u32,
    /// Those of them whose policy is to refuse, and whose last members stay refused.
    pub(super) kept: u32,
    pub(super) refused: Vec<Refusal>,
    /// Objects of other domains that were in the page, as records or as starts of links.
    pub(super) foreign: Vec<Uuid>,
    /// Names that arrived and that their accounts did not get, because of the suffix.
    pub(super) refused_names: Vec<(Uuid, RefusedName)>,
}

impl Outcome {
    pub(super) fn count(&self, counts: &Counts) {
        counts.records_applied.add(self.applied.into());
        counts.records_unchanged.add(self.unchanged.into());
        counts.records_refused.add(u64::try_from(self.refused.len()).unwrap_or(u64::MAX));
        counts.links_applied.add(self.links.into());
        counts.links_refused.add(self.links_refused.into());
        counts.digests_set.add(self.set.into());
        counts.digests_replaced.add(self.replaced.into());
        counts.digests_repeated.add(self.repeated.into());
        counts.digests_erased.add(self.erased.into());
        counts.accounts_swept.add(self.swept.into());
        counts.names_shared.add(self.shared.into());
        counts.names_of_other_domains.add(self.names_of_others());
        counts.names_undeclared.add(self.names_undeclared());
        counts.objects_of_other_domains.add(u64::try_from(self.foreign.len()).unwrap_or(u64::MAX));
    }

    /// Number of the refused names whose suffix another domain declares.
    pub(super) fn names_of_others(&self) -> u64 {
        let of_others = self.refused_names.iter().filter(|(_, one)| one.other.is_some()).count();
        u64::try_from(of_others).unwrap_or(u64::MAX)
    }

    /// Number of the refused names whose suffix no domain declares.
    pub(super) fn names_undeclared(&self) -> u64 {
        let all = u64::try_from(self.refused_names.len()).unwrap_or(u64::MAX);
        all.saturating_sub(self.names_of_others())
    }

    pub(super) fn changes_something(&self) -> bool {
        let links = self.links > 0 || self.links_refused > 0;
        links
            || self.reserved > 0
            || self.applied > 0
            || self.swept > 0
            || self.policy
            || !self.refused.is_empty()
    }
}
