//! The domains that this tenant serves: their names, their SID (fixed when added), their policy, the one phs
//! that writes, and the cursor up to which it has written.
//! Neighbours: `admin` adds and lists, `ingest` moves the cursor, `signin` reads the policy.

use super::{StoreError, stamps};
use landbridge_wire::upload::{DomainPolicy, Stamp};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a domain takes unless told otherwise: the iterations of profile `entra`, the weaker one.
pub const MIN_ITERATIONS: u32 = 1000;

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its row.
    pub id: i64,
    /// Its DNS name, lower case.
    pub dns_name: String,
    /// Its NetBIOS name, upper case.
    pub netbios_name: String,
    /// Its SID, as text.
    pub sid: String,
    /// Whether digests of privileged accounts are taken.
    pub allow_privileged: bool,
    /// Digests with fewer iterations are refused.
    pub min_iterations: u32,
    /// How its people sign in.
    pub signin: SigninPolicy,
    /// Whether a new pta-agent waits for an administrator's yes.
    pub approve_agents: bool,
    /// What its head says.
    pub policy: Policy,
    /// The cursor of its last complete cycle.
    pub acknowledged: Option<String>,
    /// The cursor of the complete cycle before.
    pub acknowledged_before: Option<String>,
    /// The one phs that writes: its agent id.
    pub writer: Option<Uuid>,
    /// Seconds since 1970.
    pub added_at: i64,
}

impl Domain {
    /// Whether a cycle of its phs was ever complete. Before that it is not known who is in which group: links come last.
    pub fn is_known(&self) -> bool {
        self.acknowledged.is_some() || self.acknowledged_before.is_some()
    }
}

/// How a domain's people sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SigninPolicy {
    /// By the digest that the tenant holds.
    Phs,
    /// By an agent that asks a domain controller.
    Pta,
    /// By an agent; by the digest while no agent can answer.
    PtaThenPhs,
    /// Not at all: for a rollout in stages, where groups have policies of their own.
    Refuse,
}

impl SigninPolicy {
    const ALL: [Self; 4] = [Self::Phs, Self::Pta, Self::PtaThenPhs, Self::Refuse];

    /// From the form in which it is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == text)
    }

    /// Whether agents are asked.
    pub fn asks_agents(self) -> bool {
        match self {
            Self::Pta | Self::PtaThenPhs => true,
            Self::Phs | Self::Refuse => false,
        }
    }

    /// As it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phs => "phs",
            Self::Pta => "pta",
            Self::PtaThenPhs => "pta-then-phs",
            Self::Refuse => "refuse",
        }
    }
}

/// What the domain head says; none: not told yet. Intervals are negative counts of 100 ns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// maxPwdAge.
    pub max_pwd_age: Option<i64>,
    /// lockoutDuration.
    pub lockout_duration: Option<i64>,
    /// lockOutObservationWindow.
    pub lockout_observation_window: Option<i64>,
    /// lockoutThreshold.
    pub lockout_threshold: Option<i64>,
}

/// A domain to add.
#[derive(Debug, Clone, Copy)]
pub struct NewDomain<'a> {
    /// Its DNS name, in any case.
    pub dns_name: &'a str,
    /// Its NetBIOS name, in any case.
    pub netbios_name: &'a str,
    /// Its SID, `S-1-5-21-…` with three numbers.
    pub sid: &'a str,
    /// Whether digests of privileged accounts are taken.
    pub allow_privileged: bool,
    /// Digests with fewer iterations are refused.
    pub min_iterations: u32,
}

/// Why a domain was not added. The operator acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DomainRefused {
    /// Not a DNS name.
    #[error("the DNS name must be letters, digits, hyphens and dots, at most 253 of them")]
    DnsName,
    /// Not a NetBIOS name.
    #[error("the NetBIOS name must be 1 to 15 letters, digits, hyphens or underscores")]
    NetbiosName,
    /// Not a domain's SID.
    #[error(
        "the SID must read S-1-5-21-… with three numbers after the 21, as `samba-tool domain info` or `Get-ADDomain` shows it"
    )]
    Sid,
    /// No digest could be taken.
    #[error("the least number of iterations must be 1 to 10,000,000")]
    Iterations,
    /// A domain has that name or SID already.
    #[error("there is a domain with that DNS name, NetBIOS name or SID already")]
    Taken,
}

/// Adds a domain and says its row.
pub fn add(
    transaction: &Transaction<'_>,
    new: &NewDomain<'_>,
    now: i64,
) -> Result<Result<i64, DomainRefused>, StoreError> {
    let dns_name = new.dns_name.to_ascii_lowercase();
    let netbios_name = new.netbios_name.to_ascii_uppercase();
    if let Err(refused) = check(&dns_name, &netbios_name, new) {
        return Ok(Err(refused));
    }
    // `NAME\user` takes either name, so no name may belong to two domains, in whichever column.
    let taken: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM domains WHERE sid = ?3
             OR dns_name IN (?1, lower(?2)) OR netbios_name IN (upper(?1), ?2))",
        (&dns_name, &netbios_name, new.sid),
        |row| row.get(0),
    )?;
    if taken {
        return Ok(Err(DomainRefused::Taken));
    }
    transaction.execute(
        "INSERT INTO domains (dns_name, netbios_name, sid, allow_privileged, min_iterations, added_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (&dns_name, &netbios_name, new.sid, new.allow_privileged, new.min_iterations, now),
    )?;
    Ok(Ok(transaction.last_insert_rowid()))
}

fn check(dns_name: &str, netbios_name: &str, new: &NewDomain<'_>) -> Result<(), DomainRefused> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let labels_hold = dns_name.split('.').all(|l| !l.is_empty() && l.len() <= 63 && l.chars().all(plain));
    if dns_name.len() > 253 || !labels_hold {
        return Err(DomainRefused::DnsName);
    }
    let short = (1..=15).contains(&netbios_name.len());
    if !short || !netbios_name.chars().all(|c| plain(c) || c == '_') {
        return Err(DomainRefused::NetbiosName);
    }
    let numbers: Vec<&str> = match new.sid.strip_prefix("S-1-5-21-") {
        Some(rest) => rest.split('-').collect(),
        None => return Err(DomainRefused::Sid),
    };
    if numbers.len() != 3 || !numbers.iter().all(|n| sub_authority(n).is_some()) {
        return Err(DomainRefused::Sid);
    }
    if !(1..=10_000_000).contains(&new.min_iterations) {
        return Err(DomainRefused::Iterations);
    }
    Ok(())
}

/// Reads a number of a SID in its one true spelling: digits, no sign, no leading zero.
pub fn sub_authority(text: &str) -> Option<u32> {
    let spelled = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if spelled { text.parse().ok() } else { None }
}

const COLUMNS: &str = "id, dns_name, netbios_name, sid, allow_privileged, min_iterations, max_pwd_age,
    lockout_duration, lockout_observation_window, lockout_threshold, acknowledged, acknowledged_before, writer, added_at,
    signin_policy, approve_agents";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Domain> {
    let signin: String = row.get(14)?;
    let unreadable = || rusqlite::Error::InvalidColumnType(14, "signin_policy".to_owned(), Type::Text);
    Ok(Domain {
        signin: SigninPolicy::parse(&signin).ok_or_else(unreadable)?,
        approve_agents: row.get(15)?,
        id: row.get(0)?,
        dns_name: row.get(1)?,
        netbios_name: row.get(2)?,
        sid: row.get(3)?,
        allow_privileged: row.get(4)?,
        min_iterations: row.get(5)?,
        policy: Policy {
            max_pwd_age: row.get(6)?,
            lockout_duration: row.get(7)?,
            lockout_observation_window: row.get(8)?,
            lockout_threshold: row.get(9)?,
        },
        acknowledged: row.get(10)?,
        acknowledged_before: row.get(11)?,
        writer: stamps::guid_or_none(row, 12)?,
        added_at: row.get(13)?,
    })
}

/// All domains, in the order of their names.
pub fn all(connection: &Connection) -> Result<Vec<Domain>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM domains ORDER BY dns_name"))?;
    let domains = statement.query_map([], from_row)?.collect::<Result<_, _>>()?;
    Ok(domains)
}

/// The domain of that row.
pub fn by_id(connection: &Connection, id: i64) -> Result<Option<Domain>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM domains WHERE id = ?1"))?;
    Ok(statement.query_row([id], from_row).optional()?)
}

/// The domain of that DNS or NetBIOS name, in any case.
pub fn by_name(connection: &Connection, name: &str) -> Result<Option<Domain>, StoreError> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM domains WHERE dns_name = ?1 OR netbios_name = ?2"))?;
    Ok(statement.query_row((name.to_ascii_lowercase(), name.to_ascii_uppercase()), from_row).optional()?)
}

/// Sets how a domain's people sign in, and whether its new pta-agents wait for a yes.
pub fn set_signin(
    transaction: &Transaction<'_>,
    id: i64,
    policy: SigninPolicy,
    approve_agents: bool,
) -> Result<(), StoreError> {
    transaction.execute(
        "UPDATE domains SET signin_policy = ?2, approve_agents = ?3 WHERE id = ?1",
        (id, policy.as_str(), approve_agents),
    )?;
    Ok(())
}

/// Makes this agent the domain's writer, if it has none. Says who the writer is.
pub fn claim_writer(transaction: &Transaction<'_>, id: i64, agent: Uuid) -> Result<Uuid, StoreError> {
    transaction
        .prepare_cached("UPDATE domains SET writer = ?2 WHERE id = ?1 AND writer IS NULL")?
        .execute((id, agent.as_bytes()))?;
    Ok(transaction.query_row("SELECT writer FROM domains WHERE id = ?1", [id], |row| stamps::guid(row, 0))?)
}

/// The agent writes no more, in whatever domain: its successor may. For `agents revoke`, in the same
/// transaction. Says whether it was a writer.
pub fn release_writer(transaction: &Transaction<'_>, agent: Uuid) -> Result<bool, StoreError> {
    Ok(transaction.execute("UPDATE domains SET writer = NULL WHERE writer = ?1", [agent.as_bytes()])? > 0)
}

/// A cycle is complete: the cursor moves on, unless it stands there already (a repeated commit).
pub fn acknowledge(transaction: &Transaction<'_>, id: i64, cursor: &str) -> Result<(), StoreError> {
    transaction
        .prepare_cached(
            "UPDATE domains SET acknowledged_before = acknowledged, acknowledged = ?2
             WHERE id = ?1 AND acknowledged IS NOT ?2",
        )?
        .execute((id, cursor))?;
    Ok(())
}

/// Takes over the policy: each value by its stamp, or whatever was sent when `replace`. Says whether anything changed.
pub fn apply_policy(
    transaction: &Transaction<'_>,
    id: i64,
    policy: &DomainPolicy,
    replace: bool,
) -> Result<bool, StoreError> {
    let values: [(&str, Option<(Stamp, i64)>); 4] = [
        ("max_pwd_age", policy.max_pwd_age),
        ("lockout_duration", policy.lockout_duration),
        ("lockout_observation_window", policy.lockout_observation_window),
        ("lockout_threshold", policy.lockout_threshold.map(|(stamp, n)| (stamp, i64::from(n)))),
    ];
    let mut changed = false;
    for (column, value) in values {
        let Some((stamp, value)) = value else { continue };
        let condition = if replace {
            format!("({column}_stamp IS NOT ?2 OR {column} IS NOT ?3)")
        } else {
            format!("({column}_stamp IS NULL OR {column}_stamp < ?2)")
        };
        let sql =
            format!("UPDATE domains SET {column}_stamp = ?2, {column} = ?3 WHERE id = ?1 AND {condition}");
        changed |= transaction.execute(&sql, (id, stamps::to_bytes(&stamp), value))? > 0;
    }
    Ok(changed)
}
