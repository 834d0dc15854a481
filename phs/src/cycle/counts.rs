//! What a cycle did, as numbers and, in a dry run, as differences by name.

/// Limit on differences that a dry run keeps: enough to read, small in memory.
pub(super) const NAMED: usize = 1_000;

/// What a cycle did. The names are those of `once --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// `incremental` or `full`.
    pub mode: &'static str,
    /// Objects that the DC sent.
    pub read: u64,
    /// Accounts among them that are carried.
    pub in_scope: u64,
    /// Uploads that carried something.
    pub uploads: u64,
    /// Records sent; in a dry run, records that would be sent.
    pub records_sent: u64,
    /// Links sent; in a dry run, links that would be sent.
    pub links_sent: u64,
    /// Attributes of accounts that are not carried, whose names were sent as keyed hashes.
    pub reserved_sent: u64,
    /// Passwords derived into digests.
    pub digests_derived: u64,
    /// Passwords among them that the tenant held with fewer iterations.
    pub digests_again: u64,
    /// Passwords that the tenant still holds with fewer iterations. The next cycle continues.
    pub digests_left: u64,
    /// Digests sent; in a dry run, the most that would be sent.
    pub digests_sent: u64,
    /// Records that changed nothing at the tenant.
    pub unchanged: u64,
    /// Accounts held back for being privileged.
    pub privileged: u64,
    /// Accounts that are never carried: they can read or set every password, or AD itself needs them.
    pub never: u64,
    /// Objects that left the tenant.
    pub removed: u64,
    /// Accounts that left the scope and stay at the tenant until an administrator confirms.
    pub held: u64,
    /// Objects that could not be carried.
    pub quarantined: u64,
    /// Attributes and links that were left out of objects that are carried.
    pub left_out: u64,
    /// Enabled people in the cloud whose password is carried and of whom the directory has no NT hash, at the end of the
    /// cycle.
    pub without_hash: u64,
    /// The tenant has no account of a person at the end of the cycle.
    pub nobody: bool,
    /// What an administrator should look at, at the end of the cycle.
    pub warnings: Vec<String>,
    /// Records that the tenant refused.
    pub refused: u64,
    /// Accounts in the cloud with a name that an account that is not carried also has, at the end of the last full
    /// compare. Such a name signs nobody in.
    pub ambiguous: u64,
    /// The domain's policy was sent.
    pub policy_sent: bool,
    /// More objects enter, or more passwords are derived again, than one cycle carries; the next cycle continues.
    pub unfinished: bool,
    /// The DC sent an attribute, a password or a link.
    #[serde(skip)]
    pub changed: bool,
    /// In a dry run: the first objects that would change.
    pub differences: Vec<Difference>,
}

impl Counts {
    /// Whether something was sent to the tenant, or would have been.
    pub fn has_sent(&self) -> bool {
        self.records_sent > 0 || self.reserved_sent > 0 || self.links_sent > 0 || self.policy_sent
    }

    /// Adds the counts of a cycle that continued where this one ended.
    pub fn add(&mut self, further: Self) {
        for (sum, number) in [
            (&mut self.read, further.read),
            (&mut self.in_scope, further.in_scope),
            (&mut self.uploads, further.uploads),
            (&mut self.records_sent, further.records_sent),
            (&mut self.links_sent, further.links_sent),
            (&mut self.reserved_sent, further.reserved_sent),
            (&mut self.digests_derived, further.digests_derived),
            (&mut self.digests_again, further.digests_again),
            (&mut self.digests_sent, further.digests_sent),
            (&mut self.unchanged, further.unchanged),
            (&mut self.privileged, further.privileged),
            (&mut self.never, further.never),
            (&mut self.removed, further.removed),
            (&mut self.quarantined, further.quarantined),
            (&mut self.left_out, further.left_out),
            (&mut self.refused, further.refused),
        ] {
            *sum += number;
        }
        self.digests_left = further.digests_left;
        self.held = further.held;
        self.ambiguous = further.ambiguous;
        self.without_hash = further.without_hash;
        self.nobody = further.nobody;
        self.warnings = further.warnings;
        self.policy_sent |= further.policy_sent;
        self.unfinished = further.unfinished;
        self.changed |= further.changed;
        let fresh = further.differences.into_iter().filter(|one| one.sign != Sign::Held);
        let room = NAMED.saturating_sub(self.differences.len());
        self.differences.extend(fresh.take(room));
    }
}

/// How one object would change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The kind of change.
    pub sign: Sign,
    /// A name that a person recognises.
    pub name: String,
    /// What is sent of it.
    pub what: String,
}

/// The kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// The object enters the tenant.
    Enters,
    /// The object leaves the tenant.
    Leaves,
    /// The object stays, with changes.
    Changes,
    /// The object would leave, or lose its password, and is held back until an administrator confirms.
    Held,
}
