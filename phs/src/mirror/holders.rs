//! The accounts and groups that can read or set every password of the domain, by the security descriptor of its head;
//! and how many accounts they hold back.
//! Neighbours: `qualify::holders` reads the descriptor; [`super::scope`] finds who they are, directly and through groups.

use super::scope::{HOLDER, holds_everybody, primaries, walk_members};
use super::sweep::ordinary;
use super::{Mirror, StateError};
use landbridge_drsr::drs::sid::Sid;
use rusqlite::params;

/// How many accounts of the scope are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldBack {
    /// Accounts in the scope that are not privileged.
    pub scope: u64,
    /// Those among them that are held back.
    pub held: u64,
}

impl Mirror {
    /// The accounts and groups that can read or set every password, by SID, with their rights in words.
    pub fn holders(&self) -> Result<Vec<(Sid, String)>, StateError> {
        let stored = self.checked(|database| {
            let mut query = database.prepare_cached("SELECT sid, rights FROM holders ORDER BY sid")?;
            let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
            rows.collect::<Result<Vec<_>, _>>()
        })?;
        let parsed = stored.into_iter().map(|(sid, rights)| {
            let odd = |_| StateError::Corrupt { path: self.path.clone() };
            Ok((sid.parse().map_err(odd)?, rights))
        });
        parsed.collect()
    }

    /// Replaces them.
    pub fn set_holders(&self, holders: &[(Sid, String)]) -> Result<(), StateError> {
        self.unresolved.set(true);
        self.checked(|database| {
            database.execute("DELETE FROM holders", [])?;
            for (sid, rights) in holders {
                let sql = "INSERT OR REPLACE INTO holders (sid, rights) VALUES (?1, ?2)";
                database.prepare_cached(sql)?.execute(params![sid.to_string(), rights])?;
            }
            Ok(())
        })
    }

    /// How many accounts all holders together hold back. [`Mirror::resolve`] must have been called.
    pub fn held_by_holders(&self) -> Result<HeldBack, StateError> {
        self.held_where(HOLDER)
    }

    /// How many accounts this holder alone holds back. [`Mirror::resolve`] must have been called.
    pub fn held_by(&self, holder: &Sid, domain: &Sid) -> Result<HeldBack, StateError> {
        let everybody = holds_everybody("one", "one_sids");
        self.checked(|database| {
            database.execute_batch(
                "DELETE FROM temp.one; DELETE FROM temp.one_primary; DELETE FROM temp.one_sids;",
            )?;
            database.execute("INSERT INTO temp.one_sids VALUES (?1)", [holder.to_string()])?;
            walk_members(database, "one", holder, domain)?;
            primaries(database, "one", domain)
        })?;
        self.held_where(&format!(
            "({everybody} OR coalesce(o.sid IN (SELECT sid FROM temp.one_sids), 0) \
              OR o.guid IN (SELECT guid FROM temp.one) OR o.primary_group IN (SELECT rid FROM temp.one_primary))"
        ))
    }

    fn held_where(&self, holds: &str) -> Result<HeldBack, StateError> {
        let sql = format!(
            "SELECT count(*), coalesce(sum({holds}), 0) FROM objects o WHERE NOT o.deleted AND {}",
            ordinary()
        );
        self.checked(|database| {
            let (scope, held) = database
                .prepare_cached(&sql)?
                .query_row([], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?)))?;
            Ok(HeldBack { scope: scope.into(), held: held.into() })
        })
    }
}
