//! Which cursor a cycle may start from, and which one may be stored: only one that the tenant has acknowledged. Pure.
//! Neighbours: `mirror` keeps the cursor; `cycle` calls this before the first page and after the last.

use landbridge_wire::upload::{CursorName, Receipt};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Where the last complete cycle ended, as stored in the state database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The cursor's stored bytes.
    pub cursor: Vec<u8>,
    /// The tenant's generation that acknowledged it.
    pub generation: Uuid,
}

/// What a cycle reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Changes since the saved cursor.
    Incremental,
    /// Everything, from the beginning.
    Full(WhyFull),
}

/// Why a cycle compares everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyFull {
    /// `--full`.
    #[error("it was requested")]
    Asked,
    /// The attribute filter, the attribute of the further sign-in name, whether photos are carried, or the id of an
    /// attribute in the forest's schema has changed.
    #[error(
        "the attribute filter, the alternate login, `photos`, or the schema's id of an attribute has changed"
    )]
    OtherFilter,
    /// The tenant accepts more or less than at the last full compare, this program carries other attributes, or names
    /// are reserved under another key.
    #[error(
        "the tenant accepts other contents than at the last full compare, or this program carries others"
    )]
    OtherContents,
    /// `[passwords] profile` has more iterations than the digests that the tenant holds.
    #[error("the profile of passwords has more iterations than the digests that the tenant holds")]
    HigherProfile,
    /// First cycle, interrupted full compare, or lost state.
    #[error("there is no cursor yet")]
    NoCursor,
    /// The tenant was created again or restored.
    #[error("the tenant has another database")]
    OtherGeneration,
    /// The tenant has acknowledged another cursor than the saved one.
    #[error("the tenant has not acknowledged the cursor of the last cycle")]
    OtherCursor,
    /// The DC was restored: its new invocation id makes the cursor void.
    #[error("the domain controller was restored")]
    ControllerRestored,
}

/// The name under which a tenant knows a cursor: SHA-256, lower hex.
pub fn name(cursor: &[u8]) -> CursorName {
    let hex: String = Sha256::digest(cursor).iter().map(|byte| format!("{byte:02x}")).collect();
    CursorName::cut(&hex)
}

/// What a cycle reads, given the saved cursor and the tenant's answer to the hello.
pub fn plan(asked: Option<WhyFull>, saved: Option<&Saved>, hello: &Receipt) -> Plan {
    let saved = match plan_alone(asked, saved) {
        Plan::Full(why) => return Plan::Full(why),
        Plan::Incremental => saved,
    };
    let Some(saved) = saved else { return Plan::Full(WhyFull::NoCursor) };
    if saved.generation != hello.generation {
        return Plan::Full(WhyFull::OtherGeneration);
    }
    let ours = Some(name(&saved.cursor));
    // The tenant is one cycle ahead if phs was killed after the tenant's commit and before its own. Sending that cycle
    // again does no harm.
    if ours == hello.acknowledged || ours == hello.acknowledged_before {
        Plan::Incremental
    } else {
        Plan::Full(WhyFull::OtherCursor)
    }
}

/// The same for a dry run, which has no tenant.
pub fn plan_alone(asked: Option<WhyFull>, saved: Option<&Saved>) -> Plan {
    match (asked, saved) {
        (Some(why), _) => Plan::Full(why),
        (None, None) => Plan::Full(WhyFull::NoCursor),
        (None, Some(_)) => Plan::Incremental,
    }
}

/// Whether the receipt of the last page allows storing the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CursorDecision {
    /// Store the cursor.
    Store,
    /// Store nothing: the tenant's database was replaced since the hello.
    OtherGeneration,
    /// Store nothing: the tenant acknowledged another cursor.
    NotAcknowledged,
}

/// Whether a cursor may be stored.
pub fn may_store(cursor: &CursorName, generation: Uuid, last: &Receipt) -> CursorDecision {
    if last.generation != generation {
        CursorDecision::OtherGeneration
    } else if last.acknowledged.as_ref() == Some(cursor) {
        CursorDecision::Store
    } else {
        CursorDecision::NotAcknowledged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use landbridge_wire::bounded::List;
    use landbridge_wire::upload::LEVEL;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);

    fn receipt(generation: Uuid, acknowledged: Option<&[u8]>, before: Option<&[u8]>) -> Receipt {
        Receipt {
            level: LEVEL,
            generation,
            acknowledged: acknowledged.map(name),
            acknowledged_before: before.map(name),
            applied: 0,
            unchanged: 0,
            swept: 0,
            lacking: List::default(),
            reserving: None,
            ambiguous: None,
            nodes: List::default(),
            refused: List::default(),
        }
    }

    fn saved(cursor: &[u8]) -> Saved {
        Saved { cursor: cursor.to_vec(), generation: A }
    }

    #[test]
    fn a_cycle_goes_on_where_both_sides_left_it() {
        assert_eq!(plan(None, Some(&saved(b"5")), &receipt(A, Some(b"5"), Some(b"4"))), Plan::Incremental);
    }

    #[test]
    fn a_crash_after_the_tenants_commit_and_before_ours_sends_the_cycle_again() {
        assert_eq!(plan(None, Some(&saved(b"4")), &receipt(A, Some(b"5"), Some(b"4"))), Plan::Incremental);
    }

    #[test]
    fn a_lost_state_file_is_compared_in_full() {
        assert_eq!(plan(None, None, &receipt(A, Some(b"5"), None)), Plan::Full(WhyFull::NoCursor));
        assert_eq!(plan_alone(None, None), Plan::Full(WhyFull::NoCursor));
    }

    #[test]
    fn a_tenant_restored_from_backup_is_compared_in_full() {
        let why = |receipt| plan(None, Some(&saved(b"5")), &receipt);
        assert_eq!(why(receipt(B, Some(b"5"), Some(b"4"))), Plan::Full(WhyFull::OtherGeneration));
        assert_eq!(why(receipt(A, Some(b"4"), Some(b"3"))), Plan::Full(WhyFull::OtherCursor));
        assert_eq!(why(receipt(A, None, None)), Plan::Full(WhyFull::OtherCursor));
    }

    #[test]
    fn an_older_state_file_put_back_is_compared_in_full() {
        let why = plan(None, Some(&saved(b"3")), &receipt(A, Some(b"5"), Some(b"4")));
        assert_eq!(why, Plan::Full(WhyFull::OtherCursor));
    }

    #[test]
    fn what_the_administrator_asks_for_is_done() {
        assert_eq!(
            plan(Some(WhyFull::Asked), Some(&saved(b"5")), &receipt(A, Some(b"5"), None)),
            Plan::Full(WhyFull::Asked)
        );
        assert_eq!(plan_alone(Some(WhyFull::Asked), Some(&saved(b"5"))), Plan::Full(WhyFull::Asked));
    }

    #[test]
    fn a_cursor_is_stored_only_when_this_tenant_acknowledged_it() {
        assert_eq!(may_store(&name(b"6"), A, &receipt(A, Some(b"6"), Some(b"5"))), CursorDecision::Store);
        assert_eq!(may_store(&name(b"6"), A, &receipt(A, Some(b"5"), None)), CursorDecision::NotAcknowledged);
        assert_eq!(may_store(&name(b"6"), A, &receipt(A, None, None)), CursorDecision::NotAcknowledged);
        assert_eq!(may_store(&name(b"6"), A, &receipt(B, Some(b"6"), None)), CursorDecision::OtherGeneration);
    }

    #[test]
    fn a_cursor_is_named_by_its_sha256() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(name(b"").as_str(), empty);
    }
}
