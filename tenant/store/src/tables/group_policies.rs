//! The table `group_policies`: sign-in policies of groups, for a rollout in stages. They have an order that the
//! administrator sets; the first group that an account is in decides.
//! Neighbours: the administration writes; [`crate::policies`] chooses by them.

use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::{GroupPolicy, SigninPolicy};
use uuid::Uuid;

/// Limit on the group policies of a domain. Each sign-in reads all of them.
pub const MOST: usize = 64;

/// The group policies of a domain, in their order.
pub fn of(reading: &Reading<'_>, domain: i64) -> Result<Vec<GroupPolicy>, StoreError> {
    let mut statement = reading
        .prepare_cached("SELECT object, policy, name FROM group_policies WHERE domain = ?1 ORDER BY place")?;
    let rows = statement.query_map([domain], |row| {
        Ok((stamps::guid(row, 0)?, row.get::<String>(1)?, row.get::<String>(2)?))
    })?;
    rows.map(|row| {
        let (group, policy, name) = row?;
        let policy = SigninPolicy::parse(&policy).ok_or(StoreError::Foreign { what: "sign-in policy" })?;
        Ok(GroupPolicy { group, policy, name })
    })
    .collect()
}

/// The sign-in policies that groups of any domain have, each with its domain, in the order of the lists.
pub fn all(reading: &Reading<'_>) -> Result<Vec<(i64, SigninPolicy)>, StoreError> {
    let mut statement =
        reading.prepare_cached("SELECT domain, policy FROM group_policies ORDER BY domain, place")?;
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get::<String>(1)?)))?;
    rows.map(|row| {
        let (domain, policy) = row?;
        let policy = SigninPolicy::parse(&policy).ok_or(StoreError::Foreign { what: "sign-in policy" })?;
        Ok((domain, policy))
    })
    .collect()
}

/// Whether a group of the domain has a policy.
pub fn has(reading: &Reading<'_>, domain: i64, group: Uuid) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM group_policies WHERE domain = ?1 AND object = ?2)";
    Ok(reading.prepare_cached(sql)?.query_row((domain, group.as_bytes()), |row| row.get(0))?)
}

/// Number of a domain's group policies whose group is gone: they apply to no account, or to the last members alone.
pub fn idle(reading: &Reading<'_>, domain: i64) -> Result<i64, StoreError> {
    let sql = "SELECT count(*) FROM group_policies p WHERE domain = ?1 AND NOT EXISTS
               (SELECT 1 FROM objects o WHERE o.object = p.object AND o.kind = 'group' AND o.presence = 'present')";
    Ok(reading.prepare_cached(sql)?.query_row([domain], |row| row.get(0))?)
}

/// Replaces the group policies of a domain with these, in this order. The last members of a group that refuses no
/// more are forgotten.
pub fn set(writing: &Writing<'_>, domain: i64, policies: &[GroupPolicy]) -> Result<(), StoreError> {
    writing.send("DELETE FROM group_policies WHERE domain = ?1", [domain])?;
    for (place, one) in (1_i64..).zip(policies) {
        writing.send(
            "INSERT INTO group_policies (domain, object, place, policy, name) VALUES (?1, ?2, ?3, ?4, ?5)",
            (domain, one.group.as_bytes(), place, one.policy.as_str(), &one.name),
        )?;
    }
    writing.send(
        "DELETE FROM refused_members WHERE domain = ?1 AND policy_group NOT IN
             (SELECT object FROM group_policies WHERE domain = ?1 AND policy = 'refuse')",
        [domain],
    )?;
    Ok(())
}
