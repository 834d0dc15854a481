//! What a cycle did, as numbers and, in a dry run, as differences by name.

/// So many differences of a dry run are kept.
pub(super) const NAMED: usize = 1_000;

/// What was done; the same names as in `once --json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// `incremental` or `full`.
    pub mode: &'static str,
    /// Objects that the DC sent.
    pub read: u64,
    /// Accounts among them that are in the cloud.
    pub in_scope: u64,
    /// Uploads that carried something.
    pub uploads: u64,
    /// Records sent; in a dry run, that would be.
    pub records_sent: u64,
    /// Links sent; in a dry run, that would be.
    pub links_sent: u64,
    /// Passwords hashed anew.
    pub digests_derived: u64,
    /// Digests sent; in a dry run, at most so many would be.
    pub digests_sent: u64,
    /// Records that changed nothing at the tenant.
    pub unchanged: u64,
    /// Accounts held back for being privileged.
    pub privileged: u64,
    /// Objects that left the cloud.
    pub removed: u64,
    /// Accounts that left the scope and stay in the cloud until somebody has looked.
    pub held: u64,
    /// Objects that could not be carried.
    pub quarantined: u64,
    /// Records that the tenant refused.
    pub refused: u64,
    /// The domain's policy was sent.
    pub policy_sent: bool,
    /// More objects enter than one cycle takes: the next one goes on with them.
    pub unfinished: bool,
    /// What would be sent, in a dry run: the first of it.
    pub differences: Vec<Difference>,
}

impl Counts {
    /// Adds what a further cycle did, which went on where this one ended.
    pub fn add(&mut self, further: Self) {
        for (sum, number) in [
            (&mut self.read, further.read),
            (&mut self.in_scope, further.in_scope),
            (&mut self.uploads, further.uploads),
            (&mut self.records_sent, further.records_sent),
            (&mut self.links_sent, further.links_sent),
            (&mut self.digests_derived, further.digests_derived),
            (&mut self.digests_sent, further.digests_sent),
            (&mut self.unchanged, further.unchanged),
            (&mut self.privileged, further.privileged),
            (&mut self.removed, further.removed),
            (&mut self.quarantined, further.quarantined),
            (&mut self.refused, further.refused),
        ] {
            *sum += number;
        }
        self.held = further.held;
        self.policy_sent |= further.policy_sent;
        self.unfinished = further.unfinished;
        let fresh = further.differences.into_iter().filter(|one| one.sign != Sign::Held);
        let room = NAMED.saturating_sub(self.differences.len());
        self.differences.extend(fresh.take(room));
    }
}

/// What would become of one object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// In which way.
    pub sign: Sign,
    /// How a person knows the object.
    pub name: String,
    /// What is told of it.
    pub what: String,
}

/// In which way an object would change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// It enters the cloud.
    Enters,
    /// It leaves the cloud.
    Leaves,
    /// It stays there.
    Changes,
    /// It would leave, or lose its password, and is held back until somebody has looked.
    Held,
}
