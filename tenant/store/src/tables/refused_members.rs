//! The table `refused_members`: the last members of groups that have left and have the sign-in policy `refuse`. They
//! stay refused until an administrator removes the policy, so that nobody gets in because somebody deleted a group.
//! Neighbours: the ingest writes it when a group leaves; [`super::group_policies`] removes what has no policy any more;
//! [`crate::policies`] reads it at a sign-in.

use crate::{Reading, StoreError, Writing};
use uuid::Uuid;

/// Replaces the last members of a group with these accounts.
pub fn set(writing: &Writing<'_>, domain: i64, group: Uuid, accounts: &[Uuid]) -> Result<(), StoreError> {
    writing.send(
        "DELETE FROM refused_members WHERE domain = ?1 AND policy_group = ?2",
        (domain, group.as_bytes()),
    )?;
    let insert = "INSERT INTO refused_members (domain, policy_group, object) VALUES (?1, ?2, ?3)";
    for account in accounts {
        writing.prepare_cached(insert)?.send((domain, group.as_bytes(), account.as_bytes()))?;
    }
    Ok(())
}

/// Whether an account is one of the last members of a group.
pub fn has(reading: &Reading<'_>, domain: i64, group: Uuid, account: Uuid) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM refused_members WHERE domain = ?1 AND policy_group = ?2 AND object = ?3)";
    let key = (domain, group.as_bytes(), account.as_bytes());
    Ok(reading.prepare_cached(sql)?.query_row(key, |row| row.get(0))?)
}

/// Number of the last members of a group.
pub fn count(reading: &Reading<'_>, domain: i64, group: Uuid) -> Result<usize, StoreError> {
    let sql = "SELECT count(*) FROM refused_members WHERE domain = ?1 AND policy_group = ?2";
    let count: i64 = reading.prepare_cached(sql)?.query_row((domain, group.as_bytes()), |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}
