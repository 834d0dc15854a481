//! The table `grants`: what a person allowed an application, from the redemption of the code on.
//!
//! Each refresh token names its grant and has a secret of its own. The row has the hash of the newest secret alone, so a
//! refresh token that is shown again is known as such: its grant ends. [`super::spent`] knows the codes that were redeemed.
//! Neighbours: [`super::web_sessions`] end with all their grants.

use crate::engine::{OptionalRow as _, params};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::SigningAlgorithm;
use uuid::Uuid;

/// A grant. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id. It is a part of its code and of its refresh tokens.
    pub id: Uuid,
    /// The application.
    pub app: Uuid,
    /// The account: objectGUID.
    pub object: Uuid,
    /// The session that it was made in.
    pub session: Uuid,
    /// The scopes, with a blank between.
    pub scopes: String,
    /// `nonce` of the request.
    pub nonce: Option<String>,
    /// When the person typed the password.
    pub signed_in_at: i64,
    /// SHA-256 of the secret of the newest refresh token.
    pub hash: [u8; 32],
    /// When it ends.
    pub ends_at: i64,
}

/// Stores a new grant. False: there is one with its id. It deletes none: on a server, two grants that are stored at once in different sessions would meet at a
/// page of the index of sessions. The sweep deletes those that have ended.
pub fn insert(writing: &Writing<'_>, grant: &Grant) -> Result<bool, StoreError> {
    let Grant { id, app, object, session, scopes, nonce, signed_in_at, hash, ends_at } = grant;
    let stored = writing.execute(
        "INSERT INTO grants (id, app, object, session, scopes, nonce, signed_in_at, hash, ends_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        params![
            id.as_bytes(),
            app.as_bytes(),
            object.as_bytes(),
            session.as_bytes(),
            scopes,
            nonce,
            signed_in_at,
            hash,
            ends_at
        ],
    )?;
    Ok(stored == 1)
}

/// The grant with this id.
pub fn find(reading: &Reading<'_>, id: Uuid) -> Result<Option<Grant>, StoreError> {
    let row = reading
        .prepare_cached(
            "SELECT id, app, object, session, scopes, nonce, signed_in_at, hash, ends_at FROM grants WHERE id = ?1",
        )?
        .query_row([id.as_bytes().as_slice()], |row| {
            Ok(Grant {
                id: stamps::guid(row, 0)?,
                app: stamps::guid(row, 1)?,
                object: stamps::guid(row, 2)?,
                session: stamps::guid(row, 3)?,
                scopes: row.get(4)?,
                nonce: row.get(5)?,
                signed_in_at: row.get(6)?,
                hash: row.get(7)?,
                ends_at: row.get(8)?,
            })
        })
        .optional()?;
    Ok(row)
}

/// Puts the next secret in the place of the newest one, `before`. [`StoreError::Conflict`]: another writer did.
pub fn turn(
    writing: &Writing<'_>,
    id: Uuid,
    (before, next): (&[u8; 32], &[u8; 32]),
    ends_at: i64,
) -> Result<(), StoreError> {
    let sql = "UPDATE grants SET hash = ?3, ends_at = ?4 WHERE id = ?1 AND hash = ?2";
    let turned = writing.execute(sql, params![id.as_bytes(), before, next, ends_at])?;
    if turned == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Notes in the table of what was used that the codes of some grants were: a grant that ends tells it no longer. A code is
/// known for so long (seconds since 1970), which is longer than it is good for.
fn note_codes(
    writing: &Writing<'_>,
    condition: &str,
    (of, known_until): (&[u8], i64),
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO spent (app, hash, ends_at) SELECT app, id, ?2 FROM grants WHERE {condition} ON CONFLICT DO NOTHING"
    );
    writing.send(&sql, params![of, known_until])
}

/// Ends a grant whose code may be shown again until then, in seconds since 1970. False: there is none.
pub fn end(writing: &Writing<'_>, id: Uuid, known_until: i64) -> Result<bool, StoreError> {
    note_codes(writing, "id = ?1", (id.as_bytes(), known_until))?;
    Ok(writing.execute("DELETE FROM grants WHERE id = ?1", [id.as_bytes().as_slice()])? > 0)
}

/// The grants that have ended by themselves, at most `limit`. Reads the whole table: an index by the end would be written at
/// each refresh.
pub fn ended(reading: &Reading<'_>, now: i64, limit: usize) -> Result<Vec<Uuid>, StoreError> {
    let mut select = reading.prepare_cached("SELECT id FROM grants WHERE ends_at <= ?1 LIMIT ?2")?;
    let rows = select.query_map(params![now, limit], |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// Deletes these grants, if they have ended.
pub fn sweep(writing: &Writing<'_>, ended: &[Uuid], now: i64) -> Result<(), StoreError> {
    for id in ended {
        writing.send("DELETE FROM grants WHERE id = ?1 AND ends_at <= ?2", params![id.as_bytes(), now])?;
    }
    Ok(())
}

/// Ends all grants of an application. Their codes may be shown again until then, in seconds since 1970.
pub fn end_of_app(writing: &Writing<'_>, app: Uuid, known_until: i64) -> Result<usize, StoreError> {
    note_codes(writing, "app = ?1", (app.as_bytes(), known_until))?;
    writing.execute("DELETE FROM grants WHERE app = ?1", [app.as_bytes().as_slice()])
}

/// Number of grants of the applications whose tokens are signed with an algorithm.
pub fn count_signed_with(reading: &Reading<'_>, algorithm: SigningAlgorithm) -> Result<u64, StoreError> {
    let sql = "SELECT count(*) FROM grants WHERE app IN (SELECT app FROM app_oidc WHERE algorithm = ?1)";
    let count: i64 = reading.query_row(sql, [algorithm.as_str()], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Ends all grants of the applications whose tokens are signed with an algorithm. Their codes may be shown again until then,
/// in seconds since 1970.
pub fn end_signed_with(
    writing: &Writing<'_>,
    algorithm: SigningAlgorithm,
    known_until: i64,
) -> Result<usize, StoreError> {
    let mut select = writing.prepare_cached("SELECT app FROM app_oidc WHERE algorithm = ?1")?;
    let apps: Vec<Uuid> =
        select.query_map([algorithm.as_str()], |row| stamps::guid(row, 0))?.collect::<Result<_, _>>()?;
    let mut ended = 0;
    for app in apps {
        ended += end_of_app(writing, app, known_until)?;
    }
    Ok(ended)
}

/// Names of the applications that have a grant in a session, in order.
pub fn apps_in(reading: &Reading<'_>, session: Uuid) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT DISTINCT apps.name FROM grants JOIN apps ON apps.id = grants.app
               WHERE grants.session = ?1 ORDER BY apps.name";
    let mut statement = reading.prepare_cached(sql)?;
    let rows = statement.query_map([session.as_bytes().as_slice()], |row| row.get(0))?;
    rows.collect::<Result<_, _>>()
}
