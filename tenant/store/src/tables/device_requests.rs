//! The table `device_requests`: devices without a browser that wait for a person (RFC 8628). A row has the hash of the
//! device's code and a keyed hash of the code that the person types.
//!
//! A row stays for a while after its end, so that a device that comes late is answered with what happened.
//! Neighbours: [`super::grants`] gets a row when the device redeems its code; [`super::device_guesses`] counts guesses.

use crate::engine::{OptionalRow as _, Row, params};
use crate::{Reading, StoreError, Writing, stamps};
use uuid::Uuid;

/// Limit on the requests of an application that wait.
pub const MOST_OF_APP: u32 = 1000;
/// Limit on the requests that wait in all. A guess finds one of them, so with 20⁸ codes it is one in 2,560,000.
pub const MOST: u32 = 10_000;
/// Seconds for which a row stays after its end: the time that a request waits once more.
pub const KEPT: i64 = 600;

/// A request. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    /// Its id. It is a part of the device's code, and later the id of the grant.
    pub id: Uuid,
    /// SHA-256 of the secret of the device's code.
    pub hash: [u8; 32],
    /// The application.
    pub app: Uuid,
    /// The scopes, with a blank between.
    pub scopes: String,
    /// The address that the request came from.
    pub address: String,
    /// When it came.
    pub made_at: i64,
    /// Until when a person can answer it and the device can redeem its code.
    pub ends_at: i64,
    /// When the device last asked for its tokens and was not too early; none: never.
    pub polled_at: Option<i64>,
    /// Seconds that the device must wait between two times.
    pub wait_seconds: i64,
    /// What a person said; none: nothing yet.
    pub answer: Option<DeviceAnswer>,
}

/// What a person said to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceAnswer {
    /// The device may sign in.
    Allowed {
        /// The account: objectGUID.
        object: Uuid,
        /// The session in which the person said so.
        session: Uuid,
    },
    /// The device may not.
    Refused,
}

const COLUMNS: &str =
    "id, hash, app, scopes, address, made_at, ends_at, polled_at, wait_seconds, answer, object, session";

fn read(row: &Row<'_>) -> Result<DeviceRequest, StoreError> {
    let answer: Option<String> = row.get(9)?;
    let answer = match answer.as_deref() {
        None => None,
        Some("allowed") => {
            Some(DeviceAnswer::Allowed { object: stamps::guid(row, 10)?, session: stamps::guid(row, 11)? })
        }
        // A word of another program allows nothing.
        Some(_) => Some(DeviceAnswer::Refused),
    };
    Ok(DeviceRequest {
        id: stamps::guid(row, 0)?,
        hash: row.get(1)?,
        app: stamps::guid(row, 2)?,
        scopes: row.get(3)?,
        address: row.get(4)?,
        made_at: row.get(5)?,
        ends_at: row.get(6)?,
        polled_at: row.get(7)?,
        wait_seconds: row.get(8)?,
        answer,
    })
}

/// Stores a new request, whose user code has this hash, and deletes what ended long before `now`. False: too many wait, or
/// one with the same user code does.
pub fn insert(
    writing: &Writing<'_>,
    request: &DeviceRequest,
    user_hash: &[u8; 32],
    now: i64,
) -> Result<bool, StoreError> {
    sweep(writing, now)?;
    let of_app = "SELECT count(*) FROM device_requests WHERE ends_at > ?1 AND app = ?2";
    let of_app: u32 = writing.query_row(of_app, (now, request.app), |row| row.get(0))?;
    let all = "SELECT count(*) FROM device_requests WHERE ends_at > ?1";
    let all: u32 = writing.query_row(all, [now], |row| row.get(0))?;
    if of_app >= MOST_OF_APP || all >= MOST {
        return Ok(false);
    }
    let DeviceRequest { id, hash, app, scopes, address, made_at, ends_at, polled_at, wait_seconds, .. } =
        request;
    let stored = writing.execute(
        "INSERT INTO device_requests (id, hash, user_hash, app, scopes, address, made_at, ends_at, polled_at, wait_seconds)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING",
        params![
            id.as_bytes(),
            hash,
            user_hash,
            app.as_bytes(),
            scopes,
            address,
            made_at,
            ends_at,
            polled_at,
            wait_seconds
        ],
    )?;
    Ok(stored == 1)
}

/// The request with this id.
pub fn find(reading: &Reading<'_>, id: Uuid) -> Result<Option<DeviceRequest>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM device_requests WHERE id = ?1");
    reading.prepare_cached(&sql)?.query_row([id.as_bytes().as_slice()], read).optional()
}

/// The request that waits for an answer at `now` and whose user code has one of these hashes: one under each seal key.
pub fn waiting(
    reading: &Reading<'_>,
    user_hashes: &[[u8; 32]],
    now: i64,
) -> Result<Option<DeviceRequest>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM device_requests WHERE user_hash = ?1 AND ends_at > ?2 AND answer IS NULL"
    );
    let mut statement = reading.prepare_cached(&sql)?;
    for hash in user_hashes {
        if let Some(found) = statement.query_row(params![hash, now], read).optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Stores the answer to a request that has none. [`StoreError::Conflict`]: it has one.
pub fn answer(writing: &Writing<'_>, id: Uuid, answer: DeviceAnswer) -> Result<(), StoreError> {
    let (word, object, session) = match answer {
        DeviceAnswer::Allowed { object, session } => ("allowed", Some(object), Some(session)),
        DeviceAnswer::Refused => ("refused", None, None),
    };
    let octets = |id: Option<Uuid>| id.map(|id| id.as_bytes().to_vec());
    let sql =
        "UPDATE device_requests SET answer = ?2, object = ?3, session = ?4 WHERE id = ?1 AND answer IS NULL";
    let changed = writing.execute(sql, params![id.as_bytes(), word, octets(object), octets(session)])?;
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Notes that the device has asked for its tokens.
pub fn note_poll(writing: &Writing<'_>, id: Uuid, now: i64) -> Result<(), StoreError> {
    let sql = "UPDATE device_requests SET polled_at = ?2 WHERE id = ?1";
    writing.send(sql, params![id.as_bytes(), now])?;
    Ok(())
}

/// Notes how long the device must wait between two times from now on.
pub fn note_wait(writing: &Writing<'_>, id: Uuid, wait_seconds: i64) -> Result<(), StoreError> {
    let sql = "UPDATE device_requests SET wait_seconds = ?2 WHERE id = ?1";
    writing.send(sql, params![id.as_bytes(), wait_seconds])?;
    Ok(())
}

/// Deletes a request. [`StoreError::Conflict`]: another writer did.
pub fn end(writing: &Writing<'_>, id: Uuid) -> Result<(), StoreError> {
    let sql = "DELETE FROM device_requests WHERE id = ?1";
    let ended = writing.execute(sql, [id.as_bytes().as_slice()])?;
    if ended == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Deletes all requests of an application.
pub fn end_of_app(writing: &Writing<'_>, app: Uuid) -> Result<usize, StoreError> {
    writing.execute("DELETE FROM device_requests WHERE app = ?1", [app.as_bytes().as_slice()])
}

/// Deletes what ended long before `now`.
pub fn sweep(writing: &Writing<'_>, now: i64) -> Result<usize, StoreError> {
    let before = now.saturating_sub(KEPT);
    writing.execute("DELETE FROM device_requests WHERE ends_at <= ?1", [before])
}
