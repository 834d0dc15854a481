//! The table `tokens`: hashes of one-time enrolment tokens. A token is for one role and one domain and is redeemed
//! once.
//! Neighbours: [`landbridge_wire::enroll::Token`] is their text; `agents::enrolment` in the tenant's core checks and
//! redeems them.

use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing};
use landbridge_tenant_rules::model::EnrolmentToken;
use landbridge_wire::enroll::Role;

/// Seconds for which redeemed and expired tokens are kept, so that a later use is answered with the reason. A week
/// covers an enrolment that is tried again after a weekend.
const KEPT_FOR_SECONDS: i64 = 7 * 86_400;

/// Stores a new token by the hash of its secret, and deletes those that expired long ago.
pub fn insert(
    writing: &Writing<'_>,
    hash: &[u8; 32],
    role: Role,
    domain: i64,
    now: i64,
    expires_at: i64,
) -> Result<(), StoreError> {
    writing.send("DELETE FROM tokens WHERE expires_at < ?1", [now.saturating_sub(KEPT_FOR_SECONDS)])?;
    writing.send(
        "INSERT INTO tokens (hash, role, domain, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![hash, role.to_string(), domain, now, expires_at],
    )?;
    Ok(())
}

/// The token with this hash.
pub fn find(reading: &Reading<'_>, hash: &[u8; 32]) -> Result<Option<EnrolmentToken>, StoreError> {
    let token = reading
        .prepare_cached("SELECT role, domain, expires_at, spent_at FROM tokens WHERE hash = ?1")?
        .query_row([hash.as_slice()], |row| {
            Ok(EnrolmentToken {
                role: row.get(0)?,
                domain: row.get(1)?,
                expires_at: row.get(2)?,
                spent_at: row.get(3)?,
            })
        })
        .optional()?;
    Ok(token)
}

/// Redeems a token. False: it does not exist, was redeemed before, or has expired.
pub fn redeem(writing: &Writing<'_>, hash: &[u8; 32], now: i64) -> Result<bool, StoreError> {
    let spent = writing.execute(
        "UPDATE tokens SET spent_at = ?2 WHERE hash = ?1 AND spent_at IS NULL AND expires_at >= ?2",
        params![hash, now],
    )?;
    Ok(spent == 1)
}

/// Number of tokens that can be redeemed now.
pub fn open(reading: &Reading<'_>, now: i64) -> Result<u32, StoreError> {
    let count = "SELECT count(*) FROM tokens WHERE spent_at IS NULL AND expires_at >= ?1";
    Ok(reading.query_row(count, [now], |row| row.get(0))?)
}
