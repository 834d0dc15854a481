//! The tables `session_clients` and `logout_notices`: which clients are notified of the end of a session, and the notices
//! that are to be sent (OpenID Connect Back-Channel Logout 1.0).
//!
//! The transaction that ends a session writes its notices, so none is lost with a process.
//! Neighbours: [`super::web_sessions`] ends sessions; [`super::app_oidc`] has the URIs of the clients.

use crate::engine::{Row, params};
use crate::{Reading, StoreError, Writing, stamps};
use uuid::Uuid;

/// Seconds for which a notice is tried.
pub const LIFE: i64 = 600;

/// A notice. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutNotice {
    /// The session that has ended.
    pub session: Uuid,
    /// The client that is to be notified.
    pub app: Uuid,
    /// The account: objectGUID.
    pub object: Uuid,
    /// When the session ended.
    pub made_at: i64,
    /// How often it was tried, this time included.
    pub tries: u32,
}

fn read(row: &Row<'_>) -> Result<LogoutNotice, StoreError> {
    Ok(LogoutNotice {
        session: stamps::guid(row, 0)?,
        app: stamps::guid(row, 1)?,
        object: stamps::guid(row, 2)?,
        made_at: row.get(3)?,
        tries: row.get(4)?,
    })
}

/// Notes that a client has learned of a session, if it has a URI for notices.
pub fn note_client(writing: &Writing<'_>, session: Uuid, app: Uuid) -> Result<(), StoreError> {
    writing.send(
        "INSERT INTO session_clients (session, app)
         SELECT ?1, app FROM app_uris WHERE app = ?2 AND what = 'back-channel' ON CONFLICT DO NOTHING",
        params![session.as_bytes(), app.as_bytes()],
    )?;
    Ok(())
}

/// A session ends: writes a notice for each of its clients.
pub(super) fn session_ends(writing: &Writing<'_>, session: Uuid, now: i64) -> Result<(), StoreError> {
    writing.prepare_cached(
        "INSERT INTO logout_notices (session, app, object, made_at, next_at, tries)
         SELECT c.session, c.app, s.object, ?2, ?2, 0 FROM session_clients c JOIN web_sessions s ON s.id = c.session
         WHERE c.session = ?1 ON CONFLICT DO NOTHING",
    )?
    .send(params![session.as_bytes(), now])?;
    writing
        .prepare_cached("DELETE FROM session_clients WHERE session = ?1")?
        .send([session.as_bytes().as_slice()])?;
    Ok(())
}

/// The clients for which a notice is due, those whose first one has waited longest first.
pub fn clients_due(reading: &Reading<'_>, now: i64) -> Result<Vec<Uuid>, StoreError> {
    // A look at the index for each client, however many notices wait.
    let sql = "SELECT app FROM
                   (SELECT u.app AS app, (SELECT min(n.next_at) FROM logout_notices n WHERE n.app = u.app) AS next_at
                    FROM app_uris u JOIN apps a ON a.id = u.app
                    WHERE u.what = 'back-channel' AND a.revoked_at IS NULL) due
               WHERE next_at <= ?1 ORDER BY next_at, app";
    let mut select = reading.prepare_cached(sql)?;
    let rows = select.query_map([now], |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// Claims the notices of a client that are due, at most `limit`, the first due first. They are not due before `until`.
pub fn claim(
    writing: &Writing<'_>,
    app: Uuid,
    limit: usize,
    (now, until): (i64, i64),
) -> Result<Vec<LogoutNotice>, StoreError> {
    let sql = "UPDATE logout_notices SET tries = tries + 1, next_at = ?3 WHERE app = ?1 AND session IN
                   (SELECT session FROM logout_notices WHERE app = ?1 AND next_at <= ?2 ORDER BY next_at LIMIT ?4)
               RETURNING session, app, object, made_at, tries";
    let mut update = writing.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = update.query_map(params![app.as_bytes(), now, until, limit], read)?;
    rows.collect::<Result<_, _>>()
}

/// A notice is to be tried again at `at`.
pub fn try_again(writing: &Writing<'_>, notice: &LogoutNotice, at: i64) -> Result<(), StoreError> {
    let sql = "UPDATE logout_notices SET next_at = ?3 WHERE session = ?1 AND app = ?2";
    writing.send(sql, params![notice.session.as_bytes(), notice.app.as_bytes(), at])?;
    Ok(())
}

/// Deletes a notice: it was delivered, or is given up. False: there is none.
pub fn delete(writing: &Writing<'_>, notice: &LogoutNotice) -> Result<bool, StoreError> {
    let sql = "DELETE FROM logout_notices WHERE session = ?1 AND app = ?2";
    Ok(writing.execute(sql, params![notice.session.as_bytes(), notice.app.as_bytes()])? > 0)
}

/// Number of notices that wait.
pub fn count(reading: &Reading<'_>) -> Result<u64, StoreError> {
    let count: i64 = reading.query_row("SELECT count(*) FROM logout_notices", (), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Deletes notices that were made before `before`, at most `limit`, and returns them.
pub fn expire(writing: &Writing<'_>, before: i64, limit: u32) -> Result<Vec<LogoutNotice>, StoreError> {
    let sql = "DELETE FROM logout_notices WHERE (session, app) IN
                   (SELECT session, app FROM logout_notices WHERE made_at < ?1 ORDER BY made_at LIMIT ?2)
               RETURNING session, app, object, made_at, tries";
    let mut select = writing.prepare_cached(sql)?;
    let rows = select.query_map(params![before, limit], read)?;
    rows.collect::<Result<_, _>>()
}
