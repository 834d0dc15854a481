//! What one upload did: counted for the receipt, the audit log and the metrics.

use landbridge_tenant_rules::counts::Counts;
use landbridge_wire::upload::Refusal;

/// What one upload did. Counted for `/metrics` only once it is on the disk.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) applied: u32,
    pub(super) unchanged: u32,
    pub(super) swept: u32,
    pub(super) links: u32,
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
    }

    pub(super) fn changes_something(&self) -> bool {
        let links = self.links > 0 || self.links_refused > 0;
        links || self.applied > 0 || self.swept > 0 || self.policy || !self.refused.is_empty()
    }
}
