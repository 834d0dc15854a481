//! The table `agents`: enrolled agents, their states and their certificates.
//! Neighbours: in the tenant's core `agents::enrolment` inserts, `agents::admission` reads and decides what an agent
//! may do.

use crate::engine::{OptionalRow as _, Row, params};
use crate::tables::changes;
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::{Agent, AgentState, HeardProcess, NewAgent, role_from};
use uuid::Uuid;

/// Reads an agent with the names of its domain.
const SELECT: &str = "SELECT a.id, a.domain, d.dns_name, d.sid, a.role, a.state, a.software, a.host, a.not_after, \
                      a.seen_at, a.enrolled_at, a.serial, a.serial_before, a.enrolled_from, a.key_fingerprint, \
                      a.proved_at, a.instance, a.alive_at FROM agents a JOIN domains d ON d.id = a.domain";

/// Stores a new agent.
pub fn insert(writing: &Writing<'_>, agent: &NewAgent<'_>, now: i64) -> Result<(), StoreError> {
    writing.send(
        "INSERT INTO agents (id, domain, role, state, software, host, serial, not_after, enrolled_at, enrolled_from, \
         key_fingerprint) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            agent.id.as_bytes(),
            agent.domain,
            agent.role.to_string(),
            agent.state.as_str(),
            agent.software,
            agent.host,
            agent.serial,
            agent.not_after,
            now,
            agent.enrolled_from,
            agent.key_fingerprint,
        ],
    )?;
    Ok(())
}

/// The agent with this id.
pub fn find(reading: &Reading<'_>, id: Uuid) -> Result<Option<Agent>, StoreError> {
    let mut select = reading.prepare_cached(&format!("{SELECT} WHERE a.id = ?1"))?;
    select.query_row([id.as_bytes().as_slice()], agent).optional()
}

/// All agents, in the order of their enrolment.
pub fn list(reading: &Reading<'_>, limit: u32) -> Result<Vec<Agent>, StoreError> {
    let mut select = reading.prepare_cached(&format!("{SELECT} ORDER BY a.enrolled_at, a.id LIMIT ?1"))?;
    let agents = select.query_map([limit], agent)?;
    agents.collect::<Result<_, _>>()
}

/// The agents that may not connect: those that are revoked or in quarantine, at most `limit`.
pub fn refused(reading: &Reading<'_>, limit: u32) -> Result<Vec<Uuid>, StoreError> {
    let sql =
        "SELECT id FROM agents WHERE state IN ('revoked', 'quarantined') ORDER BY enrolled_at DESC LIMIT ?1";
    let mut statement = reading.prepare_cached(sql)?;
    let rows = statement.query_map([limit], |row| stamps::guid(row, 0))?;
    rows.collect::<Result<_, _>>()
}

/// Changes an agent's state, of which other nodes are notified. False: there is no such agent, or its state is not `from`
/// any more.
pub fn change_state(
    writing: &Writing<'_>,
    id: Uuid,
    from: AgentState,
    to: AgentState,
) -> Result<bool, StoreError> {
    let changed = writing.execute(
        "UPDATE agents SET state = ?3 WHERE id = ?1 AND state = ?2",
        params![id.as_bytes(), from.as_str(), to.as_str()],
    )?;
    changes::note_settings(writing)?;
    Ok(changed == 1)
}

/// An agent's newest certificate, as it is stored at a renewal.
#[derive(Debug)]
pub struct Renewal<'a> {
    /// The state that the agent was in when it was admitted.
    pub state: AgentState,
    /// Serial number of the certificate with which the new one was requested.
    pub before: &'a [u8],
    /// Serial number of the new one.
    pub serial: &'a [u8],
    /// The end of the new one: seconds since 1970.
    pub not_after: i64,
    /// Fingerprint of the key in the new one.
    pub key_fingerprint: &'a str,
}

/// Stores an agent's newest certificate. False: the agent's state has changed since it was admitted, for example by a
/// revocation.
pub fn renew(writing: &Writing<'_>, id: Uuid, renewal: &Renewal<'_>, now: i64) -> Result<bool, StoreError> {
    let changed = writing.execute(
        "UPDATE agents SET serial_before = ?3, serial = ?4, not_after = ?5, seen_at = ?6, key_fingerprint = ?7 \
         WHERE id = ?1 AND state = ?2",
        params![
            id.as_bytes(),
            renewal.state.as_str(),
            renewal.before,
            renewal.serial,
            renewal.not_after,
            now,
            renewal.key_fingerprint,
        ],
    )?;
    Ok(changed == 1)
}

/// Notes that a process of the agent has proved a key of its own, unless that was noted before.
pub fn note_proof(writing: &Writing<'_>, id: Uuid, now: i64) -> Result<(), StoreError> {
    let first = "UPDATE agents SET proved_at = ?2 WHERE id = ?1 AND proved_at IS NULL";
    writing.send(first, params![id.as_bytes(), now])?;
    Ok(())
}

/// Notes when an agent was heard, and its process if the message names one. A process that was alive before the stored
/// one was is older, and does not replace it: its message, or this write, was under way for longer.
pub fn seen(
    writing: &Writing<'_>,
    id: Uuid,
    process: Option<&HeardProcess>,
    now: i64,
) -> Result<(), StoreError> {
    let seen = "UPDATE agents SET seen_at = ?2 WHERE id = ?1";
    writing.prepare_cached(seen)?.send(params![id.as_bytes(), now])?;
    if let Some(HeardProcess { name, alive_at }) = process {
        let newest = "UPDATE agents SET instance = ?2, alive_at = ?3 WHERE id = ?1 \
                      AND (alive_at IS NULL OR alive_at <= ?3)";
        writing.prepare_cached(newest)?.send(params![id.as_bytes(), name.as_bytes(), alive_at])?;
    }
    Ok(())
}

fn agent(row: &Row<'_>) -> Result<Agent, StoreError> {
    let unreadable = || StoreError::Foreign { what: "role or state of an agent" };
    let (role, state): (String, String) = (row.get(4)?, row.get(5)?);
    Ok(Agent {
        id: Uuid::from_bytes(row.get(0)?),
        domain: row.get(1)?,
        domain_name: row.get(2)?,
        domain_sid: row.get(3)?,
        role: role_from(&role).ok_or_else(unreadable)?,
        state: AgentState::parse(&state).ok_or_else(unreadable)?,
        software: row.get(6)?,
        host: row.get(7)?,
        not_after: row.get(8)?,
        seen_at: row.get(9)?,
        enrolled_at: row.get(10)?,
        serial: row.get(11)?,
        serial_before: row.get(12)?,
        enrolled_from: row.get(13)?,
        key_fingerprint: row.get(14)?,
        proved_at: row.get(15)?,
        heard: row
            .get::<Option<[u8; 16]>>(16)?
            .zip(row.get(17)?)
            .map(|(name, alive_at)| HeardProcess { name: Uuid::from_bytes(name), alive_at }),
    })
}
