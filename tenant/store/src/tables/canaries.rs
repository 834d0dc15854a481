//! The table `canaries`: accounts that no person uses, chosen by the administrator. Agents are tried with wrong
//! passwords for them.
//! Neighbours: the administration adds and removes; the relay of sign-ins receives the list.

use super::{changes, objects};
use crate::engine::params;
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::{Domain, Principal};
use landbridge_tenant_rules::privileged::rid_of;
use uuid::Uuid;

/// Limit on the canaries of a domain. One is enough; several make a canary harder to tell from a sign-in.
pub const MOST: usize = 64;

/// The canaries of a domain.
pub fn of(reading: &Reading<'_>, domain: i64) -> Result<Vec<Uuid>, StoreError> {
    let mut select =
        reading.prepare_cached("SELECT object FROM canaries WHERE domain = ?1 ORDER BY object")?;
    let objects = select.query_map([domain], |row| stamps::guid(row, 0))?;
    objects.collect::<Result<_, _>>()
}

/// The canaries of a domain, by the two names that a request to an agent has. A canary whose SID is not known is left
/// out, because agents bind by the SID.
pub fn principals(reading: &Reading<'_>, domain: &Domain) -> Result<Vec<Principal>, StoreError> {
    let mut principals = Vec::new();
    for object in of(reading, domain.id)? {
        let sid = objects::find(reading, object)?.and_then(|found| found.sid);
        let rid = sid.and_then(|sid| rid_of(&sid, &domain.sid));
        principals.extend(rid.map(|rid| Principal { object, rid }));
    }
    Ok(principals)
}

/// Whether an account is a canary.
pub fn is_one(reading: &Reading<'_>, object: Uuid) -> Result<bool, StoreError> {
    let mut select = reading.prepare_cached("SELECT count(*) FROM canaries WHERE object = ?1")?;
    Ok(select.query_row([object.as_bytes()], |row| row.get::<i64>(0))? > 0)
}

/// Makes an account a canary. False: it was one before.
pub fn add(writing: &Writing<'_>, domain: i64, object: Uuid, now: i64) -> Result<bool, StoreError> {
    let insert = "INSERT INTO canaries (object, domain, added_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let added = writing.execute(insert, params![object.as_bytes(), domain, now])? > 0;
    changes::note_settings(writing)?;
    Ok(added)
}

/// Stops using an account as a canary. False: it was none.
pub fn remove(writing: &Writing<'_>, object: Uuid) -> Result<bool, StoreError> {
    let removed = writing.execute("DELETE FROM canaries WHERE object = ?1", [object.as_bytes()])? > 0;
    changes::note_settings(writing)?;
    Ok(removed)
}
