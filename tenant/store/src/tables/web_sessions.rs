//! The table `web_sessions`: people who are signed in at the pages. The cookie's secret is stored as its hash.
//! Neighbours: [`super::grants`] end with the session that they were made in; [`super::logout_notices`] are written when a
//! session ends.

use super::logout_notices::session_ends;
use crate::engine::{OptionalRow as _, Parameters, Row, params};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::account_state::filetime;
use uuid::Uuid;

/// Limit on the sessions of one account. The one that was used longest ago ends when another begins.
pub const MOST: u32 = 64;

/// A session. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSession {
    /// What lists and grants name it by.
    pub id: Uuid,
    /// The account: objectGUID.
    pub object: Uuid,
    /// pwdLastSet at the sign-in, or after the change of password that was made in it. Another one ends the session.
    pub password_set: Option<i64>,
    /// After such a change: until when the session goes on while phs has not brought the new pwdLastSet.
    pub awaits_until: Option<i64>,
    /// When the person signed in.
    pub made_at: i64,
    /// The last use, to a minute.
    pub seen_at: i64,
    /// When it ends in any case.
    pub ends_at: i64,
    /// Browser and system, as the browser says.
    pub device: String,
    /// The address that the person signed in from.
    pub address: String,
}

const COLUMNS: &str = "id, object, password_set, made_at, seen_at, ends_at, device, address, awaits_until";

fn read(row: &Row<'_>) -> Result<WebSession, StoreError> {
    Ok(WebSession {
        id: stamps::guid(row, 0)?,
        object: stamps::guid(row, 1)?,
        password_set: row.get(2)?,
        made_at: row.get(3)?,
        seen_at: row.get(4)?,
        ends_at: row.get(5)?,
        device: row.get(6)?,
        address: row.get(7)?,
        awaits_until: row.get(8)?,
    })
}

/// The session whose cookie has a secret with this hash.
pub fn find(reading: &Reading<'_>, hash: &[u8; 32]) -> Result<Option<WebSession>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM web_sessions WHERE hash = ?1");
    reading.prepare_cached(&sql)?.query_row([hash.as_slice()], read).optional()
}

/// The session with this id.
pub fn named(reading: &Reading<'_>, id: Uuid) -> Result<Option<WebSession>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM web_sessions WHERE id = ?1");
    reading.prepare_cached(&sql)?.query_row([id.as_bytes().as_slice()], read).optional()
}

/// Stores a new session, and ends the account's oldest ones over the limit. Returns those that ended.
pub fn insert(writing: &Writing<'_>, session: &WebSession, hash: &[u8; 32]) -> Result<Vec<Uuid>, StoreError> {
    let WebSession { id, object, password_set, made_at, seen_at, ends_at, device, address, awaits_until } =
        session;
    writing.send(
        "INSERT INTO web_sessions (id, hash, object, password_set, made_at, seen_at, ends_at, device, address, awaits_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            id.as_bytes(),
            hash,
            object.as_bytes(),
            password_set,
            made_at,
            seen_at,
            ends_at,
            device,
            address,
            awaits_until
        ],
    )?;
    let sql = "SELECT id FROM web_sessions WHERE object = ?1 ORDER BY id = ?2 DESC, seen_at DESC LIMIT 1000 OFFSET ?3";
    let over = ids(writing, sql, params![object.as_bytes(), id.as_bytes(), MOST])?;
    over.iter().try_for_each(|id| end(writing, *id, *made_at).map(drop))?;
    Ok(over)
}

/// The sessions of an account, or of all accounts; the last used first.
pub fn list(reading: &Reading<'_>, object: Option<Uuid>, limit: u32) -> Result<Vec<WebSession>, StoreError> {
    let whose = if object.is_some() { "WHERE object = ?2" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM web_sessions {whose} ORDER BY seen_at DESC, id LIMIT ?1");
    let mut statement = reading.prepare_cached(&sql)?;
    let rows = match object {
        Some(object) => statement.query_map(params![limit, object], read)?,
        None => statement.query_map([limit], read)?,
    };
    rows.collect::<Result<_, _>>()
}

/// Number of all sessions.
pub fn count(reading: &Reading<'_>) -> Result<u64, StoreError> {
    let count: i64 = reading.query_row("SELECT count(*) FROM web_sessions", (), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Ends the sessions of an account at `now`, but for one, and all that was granted in them. Returns those that ended.
pub fn end_of(
    writing: &Writing<'_>,
    object: Uuid,
    except: Option<Uuid>,
    now: i64,
) -> Result<Vec<Uuid>, StoreError> {
    let of = ids(writing, "SELECT id FROM web_sessions WHERE object = ?1", [object.as_bytes().as_slice()])?;
    let ended: Vec<Uuid> = of.into_iter().filter(|id| Some(*id) != except).collect();
    ended.iter().try_for_each(|id| end(writing, *id, now).map(drop))?;
    Ok(ended)
}

/// Ends all sessions at `now`, and all grants. Returns the number of sessions.
pub fn end_all(writing: &Writing<'_>, now: i64) -> Result<usize, StoreError> {
    let with_clients = "SELECT DISTINCT session FROM session_clients";
    ids(writing, with_clients, ())?.into_iter().try_for_each(|id| session_ends(writing, id, now))?;
    writing.send("DELETE FROM grants", ())?;
    writing.execute("DELETE FROM web_sessions", ())
}

/// Notes that a session was used.
pub fn note_use(writing: &Writing<'_>, id: Uuid, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE web_sessions SET seen_at = ?2 WHERE id = ?1 AND seen_at < ?2";
    writing.send(sql, params![id.as_bytes(), now])?;
    Ok(())
}

/// The password of this account was changed in this session: it goes on with the new pwdLastSet, which phs has to bring
/// before `until`. False: the account has no such session any more.
pub fn note_change(
    writing: &Writing<'_>,
    (object, id): (Uuid, Uuid),
    password_set: i64,
    until: i64,
) -> Result<bool, StoreError> {
    let sql = "UPDATE web_sessions SET password_set = ?3, awaits_until = ?4 WHERE id = ?1 AND object = ?2";
    Ok(writing.execute(sql, params![id.as_bytes(), object.as_bytes(), password_set, until])? > 0)
}

/// A pwdLastSet that was written at this time, in seconds since 1601, has arrived: the account's sessions that awaited it
/// or an earlier one await nothing any more.
pub fn password_arrived(writing: &Writing<'_>, object: Uuid, written: i64) -> Result<(), StoreError> {
    let sql = "UPDATE web_sessions SET awaits_until = NULL
               WHERE object = ?1 AND awaits_until IS NOT NULL AND password_set / 10000000 <= ?2";
    writing.send(sql, params![object.as_bytes(), written])?;
    Ok(())
}

/// Ends a session at `now`, and all that was granted in it. False: there is none.
pub fn end(writing: &Writing<'_>, id: Uuid, now: i64) -> Result<bool, StoreError> {
    session_ends(writing, id, now)?;
    writing.send("DELETE FROM grants WHERE session = ?1", [id.as_bytes().as_slice()])?;
    Ok(writing.execute("DELETE FROM web_sessions WHERE id = ?1", [id.as_bytes().as_slice()])? > 0)
}

/// The sessions of the accounts of a domain.
pub fn of_domain(reading: &Reading<'_>, domain: i64) -> Result<Vec<Uuid>, StoreError> {
    let sql = "SELECT s.id FROM web_sessions s JOIN objects o ON o.object = s.object WHERE o.domain = ?1";
    ids(reading, sql, [domain])
}

/// Accounts with sessions whose accountExpires is over at `now`.
pub fn of_expired_accounts(reading: &Reading<'_>, now: i64) -> Result<Vec<Uuid>, StoreError> {
    let Some(now) = filetime(now) else { return Ok(Vec::new()) };
    let sql = "SELECT DISTINCT s.object FROM web_sessions s JOIN objects o ON o.object = s.object
               JOIN attributes a ON a.number = o.number
               WHERE a.account_expires > 0 AND a.account_expires <= ?1";
    ids(reading, sql, [now])
}

/// Deletes the sessions that have ended at `now`, since they were made or used too long ago, and their grants.
pub fn sweep(writing: &Writing<'_>, now: i64, idle: i64) -> Result<usize, StoreError> {
    let over = ids(
        writing,
        "SELECT id FROM web_sessions WHERE ends_at <= ?1 OR seen_at <= ?2",
        params![now, now.saturating_sub(idle)],
    )?;
    over.iter().try_for_each(|id| end(writing, *id, now).map(drop))?;
    Ok(over.len())
}

fn ids(reading: &Reading<'_>, sql: &str, parameters: impl Parameters) -> Result<Vec<Uuid>, StoreError> {
    let mut select = reading.prepare_cached(sql)?;
    let rows = select.query_map(parameters, |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}
