//! A small tenant on a temporary disk for the sentences of this crate: one domain, made-up accounts.
//! Only the tests see it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use crate::ingest::{self, Writer};
use crate::store::agents::{self, AgentState, NewAgent};
use crate::store::domains::NewDomain;
use crate::store::{Store, domains};
use landbridge_crypto::nt_hash::NtHash;
use landbridge_crypto::salted_digest::{Profile, SaltedDigest};
use landbridge_crypto::seal::{CellAddress, SealKey, SealKeys};
use landbridge_crypto::secret::Password;
use landbridge_wire::bounded::{List, Text};
use landbridge_wire::enroll::Role;
use landbridge_wire::upload::{
    Attribute, AttributeValue, DomainPolicy, Kind, Link, LinkKind, Mode, Password as Sent, Presence, Receipt,
    Record, Stamp, Upload,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const SID: &str = "S-1-5-21-1-2-3";
pub(crate) const OTHER_SID: &str = "S-1-5-21-4-5-6";
/// 42 days.
pub(crate) const MAX_PWD_AGE: i64 = -42 * 86_400 * 10_000_000;
/// 30 minutes.
pub(crate) const LOCKOUT_DURATION: i64 = -1800 * 10_000_000;

pub(crate) struct Tenant {
    pub(crate) directory: TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) writer: Writer,
    pub(crate) domain: i64,
}

pub(crate) fn keys() -> SealKeys {
    SealKeys::new(vec![SealKey::from_bytes(1, [7; 32])])
}

impl Tenant {
    pub(crate) fn new() -> Self {
        Self::with(false)
    }

    pub(crate) fn with(allow_privileged: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store =
            Store::create(&directory.path().join("tenant.db"), keys(), Uuid::from_u128(9), NOW).unwrap();
        let new = NewDomain {
            dns_name: "corp.example.com",
            netbios_name: "CORP",
            sid: SID,
            allow_privileged,
            min_iterations: domains::MIN_ITERATIONS,
        };
        let domain = store.write(|t| domains::add(t, &new, NOW)).unwrap().unwrap();
        // A first cycle was complete: before it nothing of groups and policies counts.
        store.write(|t| domains::acknowledge(t, domain, "0")).unwrap();
        let writer = enrolled(&store, 77, domain);
        Self { directory, store: Arc::new(store), writer, domain }
    }

    /// A second domain with a writer of its own.
    pub(crate) fn other_domain(&self) -> Writer {
        let new = NewDomain {
            dns_name: "lab.example.net",
            netbios_name: "LAB",
            sid: OTHER_SID,
            allow_privileged: false,
            min_iterations: domains::MIN_ITERATIONS,
        };
        let domain = self.store.write(|t| domains::add(t, &new, NOW)).unwrap().unwrap();
        self.store.write(|t| domains::acknowledge(t, domain, "0")).unwrap();
        enrolled(&self.store, 78, domain)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("tenant.db")
    }

    /// Closes the database and opens it again, as a restart does.
    pub(crate) fn restarted(self) -> Self {
        let Self { directory, store, writer, domain } = self;
        assert!(Arc::try_unwrap(store).is_ok(), "somebody still holds the store");
        let store = Arc::new(Store::open(&directory.path().join("tenant.db"), keys()).unwrap());
        Self { directory, store, writer, domain }
    }

    pub(crate) fn send(&self, upload: &Upload) -> Receipt {
        ingest::upload(&self.store, &self.writer, upload, NOW).unwrap()
    }

    pub(crate) fn sends(&self, records: Vec<Record>) -> Receipt {
        self.send(&page(records))
    }

    /// Everything that an upload can change, as text, without what the hour or chance decides.
    pub(crate) fn dump(&self) -> Vec<String> {
        self.store
            .read(|connection| {
                let mut lines = Vec::new();
                for sql in [
                    "SELECT 'object', hex(object), domain, sid, presence, protected_user, kind FROM objects ORDER BY object",
                    "SELECT 'attribute', hex(object), name, hex(stamp), CASE typeof(value) WHEN 'blob' THEN hex(value) ELSE CAST(value AS TEXT) END, '', ''
                     FROM attributes ORDER BY object, name",
                    "SELECT 'link', hex(source), what, hex(target), domain, hex(stamp), present FROM links ORDER BY source, what, target, domain",
                    "SELECT 'name', hex(object), name, '', '', '', '' FROM signin_names ORDER BY name, object",
                    "SELECT 'policy', dns_name, max_pwd_age, hex(max_pwd_age_stamp), lockout_duration, hex(lockout_duration_stamp), lockout_threshold FROM domains ORDER BY id",
                ] {
                    let mut statement = connection.prepare(sql)?;
                    let mut rows = statement.query([])?;
                    while let Some(row) = rows.next()? {
                        let columns = (0..7).map(|n| row.get::<_, rusqlite::types::Value>(n)).collect::<Result<Vec<_>, _>>()?;
                        lines.push(format!("{columns:?}"));
                    }
                }
                let mut statement = connection.prepare("SELECT object FROM digests ORDER BY object")?;
                let objects: Vec<[u8; 16]> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
                for object in objects.into_iter().map(Uuid::from_bytes) {
                    let held = crate::store::digests::find(connection, object)?.unwrap();
                    let text = held.open(self.store.seal_keys(), object).unwrap().to_text();
                    lines.push(format!("digest {object} {:?} {}", held.stamp, text.as_str()));
                }
                Ok(lines)
            })
            .unwrap()
    }

    pub(crate) fn audit(&self) -> Vec<(String, String, String)> {
        self.store
            .read(|connection| {
                let mut statement =
                    connection.prepare("SELECT actor, action, subject FROM audit ORDER BY id")?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .unwrap()
    }

    pub(crate) fn has_digest(&self, object: Uuid) -> bool {
        self.store.read(|c| crate::store::digests::find(c, object)).unwrap().is_some()
    }
}

/// Puts a database of version 1 here, as its program left it: a domain, and an account with a digest.
pub(crate) fn as_version_1(path: &Path) {
    let _ = std::fs::remove_file(path);
    let (old, object) = (rusqlite::Connection::open(path).unwrap(), object(1));
    old.execute_batch(include_str!("store/schema_1.sql")).unwrap();
    let sealed = {
        let place = CellAddress { table: "digests", row: object.as_bytes(), column: "sealed" };
        keys().seal(&place, digest("of version 1").to_text().as_bytes()).unwrap()
    };
    old.execute("INSERT INTO tenant VALUES (1, ?1, ?1, 0)", [Uuid::from_u128(9).as_bytes()]).unwrap();
    old.execute(
        "INSERT INTO domains (id, dns_name, netbios_name, sid, min_iterations, added_at)
         VALUES (1, 'corp.example.com', 'CORP', ?1, 1000, 0)",
        [SID],
    )
    .unwrap();
    old.execute(
        "INSERT INTO accounts (object, domain, sid, presence, changed_at) VALUES (?1, 1, ?2, 'present', 0)",
        (object.as_bytes(), format!("{SID}-1101")),
    )
    .unwrap();
    let row = (object.as_bytes(), crate::store::stamps::to_bytes(&stamp(1)), sealed);
    old.execute("INSERT INTO digests VALUES (?1, ?2, ?3, 0)", row).unwrap();
    old.execute_batch("PRAGMA application_id = 0x4c42544e; PRAGMA user_version = 1;").unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// An approved phs of the domain.
pub(crate) fn enrolled(store: &Store, id: u128, domain: i64) -> Writer {
    let agent = NewAgent {
        id: Uuid::from_u128(id),
        domain,
        role: Role::Phs,
        state: AgentState::Approved,
        software: "test",
        host: "test",
        serial: &[1],
        not_after: i64::MAX,
    };
    store.write(|t| agents::insert(t, &agent, NOW)).unwrap();
    Writer { agent: agent.id, domain }
}

pub(crate) fn stamp(version: u32) -> Stamp {
    Stamp { version, time: 13_400_000_000 + u64::from(version), invocation_id: Uuid::from_u128(5) }
}

pub(crate) fn object(n: u128) -> Uuid {
    Uuid::from_u128(0xaaaa_0000 + n)
}

pub(crate) fn sam(name: &str) -> AttributeValue {
    AttributeValue::SamAccountName(Some(Text::new(name).unwrap()))
}

pub(crate) fn upn(name: &str) -> AttributeValue {
    AttributeValue::UserPrincipalName(Some(Text::new(name).unwrap()))
}

pub(crate) fn written(version: u32, is: AttributeValue) -> Attribute {
    Attribute { stamp: stamp(version), is }
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text.to_owned())
}

pub(crate) fn digest(text: &str) -> SaltedDigest {
    SaltedDigest::derive(NtHash::of_password(&password(text)), Profile::Entra)
}

pub(crate) fn sent(version: u32, text: &str) -> Option<Sent> {
    Some(Sent { stamp: stamp(version), digest: digest(text) })
}

/// An account that says nothing but that it is there.
pub(crate) fn bare(n: u128) -> Record {
    Record {
        object: object(n),
        kind: Kind::Account,
        sid: Some(Text::new(format!("{SID}-{}", 1100 + n)).unwrap()),
        presence: Presence::Present,
        privileged: false,
        protected_user: None,
        attributes: List::default(),
        password: None,
        erase_password: false,
    }
}

pub(crate) fn with(n: u128, attributes: Vec<Attribute>) -> Record {
    Record { attributes: List::new(attributes).unwrap(), ..bare(n) }
}

/// An ordinary user `user<n>` of whom all is known.
pub(crate) fn user(n: u128, secret: &str) -> Record {
    let set = crate::account_state::filetime(NOW - 86_400).unwrap();
    let attributes = vec![
        written(1, sam(&format!("user{n}"))),
        written(1, upn(&format!("User{n}@Corp.Example.Com"))),
        written(1, AttributeValue::UserAccountControl(Some(0x200))),
        written(1, AttributeValue::PwdLastSet(Some(set))),
        written(1, AttributeValue::AccountExpires(Some(i64::MAX))),
        written(1, AttributeValue::PrimaryGroupId(Some(513))),
    ];
    Record { password: sent(1, secret), ..with(n, attributes) }
}

/// A global security group `group<n>`, if `n` is not an account's.
pub(crate) fn group(n: u128) -> Record {
    let attributes = vec![
        written(1, sam(&format!("group{n}"))),
        written(1, AttributeValue::GroupType(Some(GLOBAL_SECURITY))),
    ];
    Record { kind: Kind::Group, ..with(n, attributes) }
}

/// groupType of a global security group.
pub(crate) const GLOBAL_SECURITY: i32 = -2_147_483_646;

/// A password settings object: minutes of lockout, days of a password's life.
pub(crate) fn settings_object(n: u128, precedence: i32, threshold: i32, days: i64) -> Record {
    let minutes = -30 * 60 * 10_000_000;
    let attributes = vec![
        written(1, AttributeValue::Precedence(Some(precedence))),
        written(1, AttributeValue::MaximumPasswordAge(Some(-days * 86_400 * 10_000_000))),
        written(1, AttributeValue::LockoutDuration(Some(minutes))),
        written(1, AttributeValue::LockoutObservationWindow(Some(minutes))),
        written(1, AttributeValue::LockoutThreshold(Some(threshold))),
        written(1, AttributeValue::Name(Some(Text::new(format!("pso{n}")).unwrap()))),
    ];
    Record { kind: Kind::PasswordSettings, sid: None, ..with(n, attributes) }
}

pub(crate) fn contact(n: u128, name: &str) -> Record {
    let name = AttributeValue::Name(Some(Text::new(name).unwrap()));
    Record { kind: Kind::Contact, sid: None, ..with(n, vec![written(1, name)]) }
}

pub(crate) fn link(what: LinkKind, from: u128, to: u128, version: u32) -> Link {
    Link { what, from: object(from), to: object(to), present: true, created: 5, stamp: stamp(version) }
}

pub(crate) fn member(of: u128, who: u128) -> Link {
    link(LinkKind::Member, of, who, 1)
}

pub(crate) fn linked(upload: Upload, links: Vec<Link>) -> Upload {
    Upload { links: List::new(links).unwrap(), ..upload }
}

pub(crate) fn policy() -> DomainPolicy {
    DomainPolicy {
        max_pwd_age: Some((stamp(1), MAX_PWD_AGE)),
        lockout_duration: Some((stamp(1), LOCKOUT_DURATION)),
        lockout_observation_window: Some((stamp(1), LOCKOUT_DURATION)),
        lockout_threshold: Some((stamp(1), 10)),
    }
}

pub(crate) fn page(records: Vec<Record>) -> Upload {
    Upload {
        instance: Uuid::from_u128(3),
        domain_sid: Text::new(SID).unwrap(),
        cycle: Uuid::from_u128(4),
        mode: Mode::Incremental,
        policy: Some(policy()),
        records: List::new(records).unwrap(),
        links: List::default(),
        commit: None,
        most_swept: None,
    }
}

pub(crate) fn full(cycle: u128, records: Vec<Record>, commit: Option<&str>) -> Upload {
    Upload {
        mode: Mode::FullCompare,
        cycle: Uuid::from_u128(cycle),
        commit: commit.map(|c| Text::new(c).unwrap()),
        most_swept: None,
        ..page(records)
    }
}

impl Tenant {
    pub(crate) fn sends_bare(&self, n: u128) {
        self.sends(vec![bare(n)]);
    }
}
