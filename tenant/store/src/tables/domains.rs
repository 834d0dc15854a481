//! The table `domains`: the domains that the tenant serves, with their names, SID (fixed when added), policies, the
//! one phs that writes, and the cursor up to which it has written.
//! Neighbours: the administration adds, lists and removes; the ingest moves the cursor; the sign-in reads the policies.

use super::web_sessions;
use crate::engine::{OptionalRow as _, Row};
use crate::{Reading, StoreError, Writing, stamps};
use landbridge_tenant_rules::model::{
    ChangePolicy, Domain, DomainRefused, NewDomain, NewPasswords, Policy, SigninPolicy,
};
use landbridge_wire::names::{capitals, fold_case};
use landbridge_wire::upload::{DomainPolicy, Stamp};
use uuid::Uuid;

/// Adds a domain, whose new pta-agents wait for approval, and returns its row's number, or the reason of a refusal.
pub fn add(
    writing: &Writing<'_>,
    new: &NewDomain<'_>,
    now: i64,
) -> Result<Result<i64, DomainRefused>, StoreError> {
    super::changes::note_settings(writing)?;
    let dns_name = new.dns_name.to_ascii_lowercase();
    let netbios_name = capitals(new.netbios_name);
    if let Err(refused) = new.check(&dns_name, &netbios_name) {
        return Ok(Err(refused));
    }
    // `NAME\user` may have either name, so no name may belong to two domains, in either column.
    let taken: bool = writing.query_row(
        "SELECT EXISTS (SELECT 1 FROM domains WHERE sid = ?5 OR dns_name IN (?1, ?2) OR netbios_name IN (?3, ?4))",
        (&dns_name, fold_case(&netbios_name), capitals(&dns_name), &netbios_name, new.sid),
        |row| row.get(0),
    )?;
    if taken {
        return Ok(Err(DomainRefused::Taken));
    }
    let declared: bool = writing.query_row(
        "SELECT EXISTS (SELECT 1 FROM upn_suffixes WHERE suffix IN (?1, ?2))",
        (&dns_name, fold_case(&netbios_name)),
        |row| row.get(0),
    )?;
    if declared {
        return Ok(Err(DomainRefused::Suffix));
    }
    let id = writing.query_row(
        "INSERT INTO domains (dns_name, netbios_name, sid, allow_privileged, min_iterations, added_at, approve_agents)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1) RETURNING id",
        (&dns_name, &netbios_name, new.sid, new.allow_privileged, new.min_iterations, now),
        |row| row.get(0),
    )?;
    Ok(Ok(id))
}

/// The flag of pwdProperties that demands a complex password (MS-SAMR 2.2.1.15).
const PASSWORD_COMPLEX: i64 = 1;

/// The columns in the order of [`from_row`].
const COLUMNS: &str = "id, dns_name, netbios_name, sid, allow_privileged, min_iterations, max_pwd_age,
    lockout_duration, lockout_observation_window, lockout_threshold, acknowledged, acknowledged_before, writer, added_at,
    signin_policy, approve_agents, reserved_since, change_policy, min_pwd_age, min_pwd_length, pwd_history_length,
    pwd_properties";

fn from_row(row: &Row<'_>) -> Result<Domain, StoreError> {
    let (signin, change): (String, String) = (row.get(14)?, row.get(17)?);
    let unreadable = || StoreError::Foreign { what: "policy of a domain" };
    Ok(Domain {
        signin: SigninPolicy::parse(&signin).ok_or_else(unreadable)?,
        change_passwords: ChangePolicy::parse(&change).ok_or_else(unreadable)?,
        approve_agents: row.get(15)?,
        reserved_since: row.get(16)?,
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
            new_passwords: NewPasswords {
                minimum_age: row.get(18)?,
                minimum_length: row.get(19)?,
                history: row.get(20)?,
                complex: row.get::<Option<i64>>(21)?.map(|flags| flags & PASSWORD_COMPLEX != 0),
            },
        },
        acknowledged: row.get(10)?,
        acknowledged_before: row.get(11)?,
        writer: stamps::guid_or_none(row, 12)?,
        added_at: row.get(13)?,
    })
}

/// All domains, in the order of their names.
pub fn all(reading: &Reading<'_>) -> Result<Vec<Domain>, StoreError> {
    let mut statement =
        reading.prepare_cached(&format!("SELECT {COLUMNS} FROM domains ORDER BY dns_name"))?;
    let domains = statement.query_map((), from_row)?.collect::<Result<_, _>>()?;
    Ok(domains)
}

/// The domain with this row number.
pub fn by_id(reading: &Reading<'_>, id: i64) -> Result<Option<Domain>, StoreError> {
    let mut statement = reading.prepare_cached(&format!("SELECT {COLUMNS} FROM domains WHERE id = ?1"))?;
    statement.query_row([id], from_row).optional()
}

/// The domain of an object.
pub fn of_object(reading: &Reading<'_>, object: Uuid) -> Result<Option<Domain>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM domains WHERE id = (SELECT domain FROM objects WHERE object = ?1)");
    reading.prepare_cached(&sql)?.query_row([object.as_bytes()], from_row).optional()
}

/// The domain with this DNS or NetBIOS name, in upper or lower case.
pub fn by_name(reading: &Reading<'_>, name: &str) -> Result<Option<Domain>, StoreError> {
    let mut statement = reading
        .prepare_cached(&format!("SELECT {COLUMNS} FROM domains WHERE dns_name = ?1 OR netbios_name = ?2"))?;
    statement.query_row((name.to_ascii_lowercase(), capitals(name)), from_row).optional()
}

/// Sets the sign-in policy of a domain, and whether its new pta-agents wait for an approval.
pub fn set_signin(
    writing: &Writing<'_>,
    id: i64,
    policy: SigninPolicy,
    approve_agents: bool,
) -> Result<(), StoreError> {
    writing.send(
        "UPDATE domains SET signin_policy = ?2, approve_agents = ?3 WHERE id = ?1",
        (id, policy.as_str(), approve_agents),
    )?;
    Ok(())
}

/// Sets whether the domain's people may change their passwords here.
pub fn set_change_policy(writing: &Writing<'_>, id: i64, policy: ChangePolicy) -> Result<(), StoreError> {
    writing.send("UPDATE domains SET change_policy = ?2 WHERE id = ?1", (id, policy.as_str()))?;
    Ok(())
}

/// Sets the least iterations of a digest that the domain accepts.
pub fn set_min_iterations(writing: &Writing<'_>, id: i64, iterations: u32) -> Result<(), StoreError> {
    writing.send("UPDATE domains SET min_iterations = ?2 WHERE id = ?1", (id, iterations))?;
    Ok(())
}

/// The tables whose rows belong to an object, by its number.
const OF_NUMBERS: [&str; 4] = ["octets", "attributes", "signin_names", "digests"];
/// The tables whose rows belong to an object, by its objectGUID.
const OF_OBJECTS: [&str; 7] = [
    "lockouts",
    "known_sources",
    "ad_budget",
    "grants",
    "web_sessions",
    "password_changes",
    "device_requests",
];
/// The tables whose rows belong to a domain.
const OF_DOMAINS: [&str; 16] = [
    "app_domains",
    "app_groups",
    "app_ldap_groups",
    "app_oidc_groups",
    "app_roles",
    "canaries",
    "group_policies",
    "refused_members",
    "refused_objects",
    "reserved_names",
    "blocks",
    "homes",
    "upn_suffixes",
    "agents",
    "tokens",
    "objects",
];

/// Deletes a domain and all rows that belong to it. Applications that serve no
/// other are revoked for good, and keep their names.
/// Returns the number of deleted rows. For [`crate::Store::erase_rows`]. `now` is in seconds since 1970.
pub fn remove(writing: &Writing<'_>, id: i64, now: i64) -> Result<usize, StoreError> {
    let mut rows = 0;
    super::changes::note_forgetting(writing)?;
    super::apps::remove_domain(writing, id, now)?;
    for session in web_sessions::of_domain(writing, id)? {
        web_sessions::end(writing, session, now)?;
    }
    for table in OF_NUMBERS {
        let sql =
            format!("DELETE FROM {table} WHERE number IN (SELECT number FROM objects WHERE domain = ?1)");
        rows += writing.execute(&sql, [id])?;
    }
    for table in OF_OBJECTS {
        let sql =
            format!("DELETE FROM {table} WHERE object IN (SELECT object FROM objects WHERE domain = ?1)");
        rows += writing.execute(&sql, [id])?;
    }
    let links =
        "DELETE FROM links WHERE domain = ?1 OR target IN (SELECT object FROM objects WHERE domain = ?1)";
    rows += writing.execute(links, [id])?;
    for table in OF_DOMAINS {
        rows += writing.execute(&format!("DELETE FROM {table} WHERE domain = ?1"), [id])?;
    }
    rows += writing.execute("DELETE FROM domains WHERE id = ?1", [id])?;
    Ok(rows)
}

/// Makes this agent the domain's writer, if the domain has none. False: another agent is.
pub fn claim_writer(writing: &Writing<'_>, id: i64, agent: Uuid) -> Result<bool, StoreError> {
    let claimed = writing
        .prepare_cached("UPDATE domains SET writer = ?2 WHERE id = ?1 AND writer IS NULL")?
        .execute((id, agent.as_bytes()))?;
    Ok(claimed == 1)
}

/// Ends an agent's right to write, so that another phs of its domain may write. `agents revoke` does this in its own
/// transaction. False: the agent was not a writer.
pub fn release_writer(writing: &Writing<'_>, agent: Uuid) -> Result<bool, StoreError> {
    Ok(writing.execute("UPDATE domains SET writer = NULL WHERE writer = ?1", [agent.as_bytes()])? > 0)
}

/// Stores the cursor of a complete cycle, and keeps the one before. A repeated commit of the same cursor changes
/// nothing.
pub fn acknowledge(writing: &Writing<'_>, id: i64, cursor: &str) -> Result<(), StoreError> {
    writing
        .prepare_cached(
            "UPDATE domains SET acknowledged_before = acknowledged, acknowledged = ?2
             WHERE id = ?1 AND acknowledged IS DISTINCT FROM ?2",
        )?
        .send((id, cursor))?;
    Ok(())
}

/// Applies a received policy: each value if its stamp is greater, or always with `replace`. Returns whether any
/// changed.
pub fn apply_policy(
    writing: &Writing<'_>,
    id: i64,
    policy: &DomainPolicy,
    replace: bool,
) -> Result<bool, StoreError> {
    let wide = |value: Option<(Stamp, i32)>| value.map(|(stamp, n)| (stamp, i64::from(n)));
    let values: [(&str, Option<(Stamp, i64)>); 8] = [
        ("max_pwd_age", policy.max_pwd_age),
        ("lockout_duration", policy.lockout_duration),
        ("lockout_observation_window", policy.lockout_observation_window),
        ("lockout_threshold", wide(policy.lockout_threshold)),
        ("min_pwd_age", policy.min_pwd_age),
        ("min_pwd_length", wide(policy.min_pwd_length)),
        ("pwd_history_length", wide(policy.pwd_history_length)),
        ("pwd_properties", wide(policy.pwd_properties)),
    ];
    let mut changed = false;
    for (column, value) in values {
        let Some((stamp, value)) = value else { continue };
        let condition = if replace {
            format!("({column}_stamp IS DISTINCT FROM ?2 OR {column} IS DISTINCT FROM ?3)")
        } else {
            format!("({column}_stamp IS NULL OR {column}_stamp < ?2)")
        };
        let sql =
            format!("UPDATE domains SET {column}_stamp = ?2, {column} = ?3 WHERE id = ?1 AND {condition}");
        changed |= writing.execute(&sql, (id, stamps::to_bytes(&stamp), value))? > 0;
    }
    Ok(changed)
}
