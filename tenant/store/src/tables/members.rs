//! Group memberships: by links of the domain, through any number of nested groups, and by primaryGroupID.
//!
//! Only links that the domain's own phs sent count. A group that has not arrived counts, because its links have. An
//! object that is gone, or is not a group, does not count. Each function runs one statement over indexes. The
//! statement is bounded, and groups that contain each other do not make it endless.
//! Neighbours: [`super::links`] stores the links; [`crate::policies`] needs the groups of an account at each sign-in,
//! and the directory shows members.

use super::objects;
use crate::{Reading, StoreError, stamps};
use landbridge_tenant_rules::model::Domain;
use landbridge_tenant_rules::model::sub_authority;
use uuid::Uuid;

/// Limit on the groups of an account. AD itself refuses an account in more than 1,015 groups.
pub const MOST_GROUPS: usize = 1024;

/// The groups that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All groups.
    All,
    /// Global security groups, and groups whose type has not arrived. A password settings object applies to no others
    /// (MS-ADTS 3.1.1.4.5.36).
    GlobalSecurity,
}

/// Selects the groups of object ?1 of domain ?2: the group with the SID ?3, and by links; at most ?4. The conditions are
/// for a group `g` and for the start of a link `l`. A SID has few rows, so the index on it is the right one: the sum keeps
/// the index on the domain away.
macro_rules! groups_sql {
    ($of_group:expr, $of_link:expr) => {
        concat!(
            "WITH RECURSIVE held(object) AS (
                 SELECT ?1
                 UNION
                 SELECT g.object FROM objects g
                 WHERE g.sid = ?3 AND g.domain + 0 = ?2 AND g.kind = 'group' AND g.presence = 'present' ",
            $of_group,
            " UNION
                 SELECT l.source FROM held h
                 JOIN links l ON l.target = h.object AND l.what = 'member' AND l.domain = ?2 AND l.present = 1
                 WHERE NOT EXISTS (SELECT 1 FROM objects o WHERE o.object = l.source
                                   AND (o.domain <> ?2 OR o.kind <> 'group' OR o.presence <> 'present')) ",
            $of_link,
            ")
             SELECT object FROM held WHERE object <> ?1 LIMIT ?4"
        )
    };
}

pub(super) const ALL_GROUPS: &str = groups_sql!("", "");

/// groupType has its topmost bit set in security groups, and 2 in global ones (MS-ADTS 2.2.12): 0x80000002.
pub(super) const GLOBAL_SECURITY_GROUPS: &str = groups_sql!(
    "AND NOT EXISTS (SELECT 1 FROM attributes a
                     WHERE a.number = g.number AND a.group_type & 2147483650 <> 2147483650)",
    "AND NOT EXISTS (SELECT 1 FROM objects o JOIN attributes a ON a.number = o.number
                     WHERE o.object = l.source AND a.group_type & 2147483650 <> 2147483650)"
);

/// The groups that an object is in, directly or through other groups. None: more than [`MOST_GROUPS`].
pub fn groups_of(
    reading: &Reading<'_>,
    domain: &Domain,
    object: Uuid,
    primary_group: Option<i64>,
    which: Which,
) -> Result<Option<Vec<Uuid>>, StoreError> {
    let mut statement = reading.prepare_cached(match which {
        Which::All => ALL_GROUPS,
        Which::GlobalSecurity => GLOBAL_SECURITY_GROUPS,
    })?;
    let primary = primary_group.map(|rid| format!("{}-{rid}", domain.sid));
    let limit = i64::try_from(MOST_GROUPS + 1).unwrap_or(i64::MAX);
    let rows =
        statement.query_map((object.as_bytes(), domain.id, primary, limit), |row| stamps::guid(row, 0))?;
    let groups = rows.collect::<Result<Vec<Uuid>, _>>()?;
    Ok((groups.len() <= MOST_GROUPS).then_some(groups))
}

/// Selects the objects in group ?1 of domain ?2, by link or by the group's RID ?3. As above, the sum keeps the index on the
/// domain away, which has every account.
pub(super) const MEMBERS: &str =
    "SELECT target FROM links WHERE source = ?1 AND what = 'member' AND domain = ?2 AND present = 1
         UNION
         SELECT o.object FROM attributes a JOIN objects o ON o.number = a.number
         WHERE a.primary_group_id = ?3 AND o.domain + 0 = ?2 AND o.presence = 'present'";

/// Number of objects in a group: its members, and those whose primary group it is.
pub fn count_in(reading: &Reading<'_>, domain: &Domain, group: Uuid) -> Result<usize, StoreError> {
    let mut statement = reading.prepare_cached(&format!("SELECT count(*) FROM ({MEMBERS}) members"))?;
    let rid = rid_of(reading, domain, group)?;
    let count: i64 = statement.query_row((group.as_bytes(), domain.id, rid), |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// The objects in a group: its members, and those whose primary group it is; at most `limit`.
pub fn members_of(
    reading: &Reading<'_>,
    domain: &Domain,
    group: Uuid,
    limit: usize,
) -> Result<Vec<Uuid>, StoreError> {
    let mut statement = reading.prepare_cached(&format!("{MEMBERS} LIMIT ?4"))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rid = rid_of(reading, domain, group)?;
    let rows = statement.query_map((group.as_bytes(), domain.id, rid, limit), |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// The RID of a group, if its SID is one of the domain.
fn rid_of(reading: &Reading<'_>, domain: &Domain, group: Uuid) -> Result<Option<u32>, StoreError> {
    let sid = objects::find(reading, group)?.and_then(|found| found.sid);
    let rid = sid.as_deref().and_then(|sid| sid.strip_prefix(&domain.sid)?.strip_prefix('-'));
    Ok(rid.and_then(sub_authority))
}
