//! The tenant's database, and nothing else: SQLite, one file, nothing to install. All SQL of the tenant is here.
//!
//! A caller reads in a [`Reading`], which is one snapshot, and writes in a [`Writing`], which is one transaction.
//! Both hide the connection. When [`Store::write`] returns, its changes are on the disk (WAL, `synchronous = FULL`):
//! an acknowledged upload survives `kill -9` and power loss. Digests are stored sealed, and the keys are not in the
//! database. The clock and the time come from the caller, and every decision is made in the crates `rules` and
//! `core`.
//!
//! # Files
//!
//! - `lib.rs`: this list, the open database, its reads and its transactions
//! - `error.rs`: what can be wrong with the database, and who must act
//! - `schema.rs`: the schema of a new database, and its version
//! - `schema/schema.sql`: the present schema
//! - `schema/version_1.sql`: the schema of version 1, for the test of the upgrade
//! - `schema/version_2.sql`: the schema of version 2, for the test of the upgrade
//! - `schema/version_4.sql`: the schema of version 4, for the test of the upgrade
//! - `upgrade.rs`: the steps from older versions to the present one
//! - `upgrade/attributes_before.rs`: packs the attributes that older versions have in a row each
//! - `name_key.rs`: the key under which names are hashed: made once, kept sealed
//! - `transaction.rs`: what a caller holds: a snapshot to read, or a transaction to write
//! - `engine.rs`: what the tables need of a database: statements with parameters, rows and columns
//! - `engine/parameter.rs`: values that statements are given
//! - `engine/column.rs`: values that statements return
//! - `engine/sqlite.rs`: statements on SQLite
//! - `engine/sqlite/file.rs`: makes and opens the file; checks its permissions, owner, version and integrity
//! - `engine/sqlite/writer.rs`: the connection that writes, and the batches that share a commit
//! - `stamps.rs`: stamps and GUIDs as bytes in columns
//! - `tables.rs`: the statements, a file for each table
//! - `tables/domains.rs`: the domains: names, SID, policies, writer, cursor
//! - `tables/objects.rs`: accounts, groups, contacts, password settings objects and containers
//! - `tables/numbers.rs`: the numbers of objects, by which their data is found
//! - `tables/changes.rs`: the numbers of changes
//! - `tables/changed_objects.rs`: what has changed since a number
//! - `tables/attributes.rs`: the attributes of an object, in one row
//! - `tables/attributes/packed.rs`: names, stamps and values of attributes as the octets of one column
//! - `tables/homes.rs`: the domain that an objectGUID belongs to for ever, also when its object was erased
//! - `tables/refused_objects.rs`: objects that a domain uploaded although they belong to another one
//! - `tables/names.rs`: the sign-in names of accounts, for the lookup
//! - `tables/suffixes.rs`: which domain declares which UPN suffix
//! - `tables/reserved_names.rs`: names of accounts that are not carried, as keyed hashes
//! - `tables/links.rs`: the values of linked attributes, each with its stamp
//! - `tables/members.rs`: who is in which group, by links and by primary group
//! - `tables/digests.rs`: the digests, sealed
//! - `tables/group_policies.rs`: the sign-in policies of groups, in their order
//! - `tables/refused_members.rs`: the last members of groups that have left and refuse
//! - `tables/lockouts.rs`: the counters of the smart lockout
//! - `tables/blocks.rs`: accounts that an administrator blocked
//! - `tables/password_changes.rs`: passwords that were changed by way of the tenant
//! - `tables/known_sources.rs`: where an account was let in from, as keyed hashes
//! - `tables/ad_budget.rs`: the bad passwords that may have reached AD
//! - `tables/canaries.rs`: accounts that nobody uses, for trials of the agents
//! - `tables/agents.rs`: the enrolled agents
//! - `tables/tokens.rs`: one-time tokens for enrolments, hashed
//! - `tables/apps.rs`: the applications
//! - `tables/app_domains.rs`: the domains that they serve
//! - `tables/app_groups.rs`: the groups whose members are assigned to them
//! - `tables/app_ldap.rs`: how they read the directory by LDAP
//! - `tables/app_oidc.rs`: how they sign people in by OpenID Connect
//! - `tables/app_networks.rs`: the networks that they may send from
//! - `tables/app_secrets.rs`: the hashes of their secrets
//! - `tables/logout_notices.rs`: clients of sessions, and the notices of sessions that ended
//! - `tables/pushed_requests.rs`: authorization requests that clients have pushed, sealed
//! - `tables/device_requests.rs`: devices without a browser that wait for a person
//! - `tables/device_guesses.rs`: wrong codes of devices, by account and address
//! - `tables/spent.rs`: what a client may use once, and has used
//! - `tables/signing_keys.rs`: the keys that sign tokens, sealed
//! - `tables/web_sessions.rs`: people who are signed in at the pages
//! - `tables/grants.rs`: codes and refresh tokens
//! - `tables/audit.rs`: the audit log
//! - `tree.rs`: the distinguished names of objects, composed from the containers above them
//! - `facts.rs`: all facts of a sign-in, in one snapshot
//! - `policies.rs`: reads the policies that may hold for an account, and picks one by the rules
//! - `erase.rs`: erases objects to the last byte
//! - `backup.rs`: copies the database while it is in use, and makes a database from a copy

pub mod backup;
mod engine;
pub mod erase;
pub mod error;
pub mod facts;
mod name_key;
pub mod policies;
mod schema;
pub mod stamps;
pub mod tables;
mod transaction;
pub mod tree;
mod upgrade;

pub use engine::sqlite::file::Tenant;
pub use error::{StoreError, Trouble};
pub use schema::SCHEMA_VERSION;
pub use transaction::{Reading, TransactionCounts, Writing};

use engine::sqlite::file;
use engine::sqlite::writer::Writer;
use landbridge_crypto::seal::SealKeys;
use landbridge_wire::reserved::NameKey;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use transaction::Transactions;
use uuid::Uuid;

/// How long taking in the log waits for those who read an earlier state.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(1);

/// The open database. Its calls block: async callers go through `spawn_blocking`.
pub struct Store {
    path: PathBuf,
    tenant: Tenant,
    keys: SealKeys,
    name_key: NameKey,
    writer: Writer,
    reading: Mutex<Connection>,
    looking: Mutex<Connection>,
    /// Something was erased that the write-ahead log has still.
    uncheckpointed: AtomicBool,
    /// The last number of a change, see [`tables::changes`].
    last_change: AtomicI64,
    transactions: Transactions,
}

impl Store {
    /// Makes the database anew and opens it. Nothing that exists is touched; a crash on the way leaves nothing
    /// that could be taken for a database. `now` is in seconds since 1970.
    pub fn create(path: &Path, keys: SealKeys, tenant: Uuid, now: i64) -> Result<Self, StoreError> {
        file::create(path, tenant, now)?;
        Self::open(path, keys)
    }

    /// Opens the database. Refused: a missing or loose file, another program's, a damaged one, and one that a
    /// newer build has written.
    pub fn open(path: &Path, keys: SealKeys) -> Result<Self, StoreError> {
        let [mut writing, reading, looking] = file::open(path)?;
        let name_key = name_key::open(&mut writing, &keys).map_err(|e| e.at(path))?;
        let tenant = file::tenant(&writing).map_err(|e| e.at(path))?;
        let last_change = tables::changes::last(&Reading::of(&writing)).map_err(|e| e.at(path))?;
        Ok(Self {
            path: path.to_owned(),
            tenant,
            keys,
            name_key,
            writer: Writer::new(writing),
            reading: Mutex::new(reading),
            looking: Mutex::new(looking),
            uncheckpointed: AtomicBool::new(false),
            last_change: AtomicI64::new(last_change.any),
            transactions: Transactions::default(),
        })
    }

    /// Runs `ask` on one snapshot of the database; it cannot write. For what is short: others wait for it.
    pub fn read<T>(&self, ask: impl FnOnce(&Reading<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.snapshot(&self.reading, ask)
    }

    /// The same for people and their monitoring, who may ask for much: no sign-in waits for it.
    pub fn look<T>(&self, ask: impl FnOnce(&Reading<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.snapshot(&self.looking, ask)
    }

    fn snapshot<T>(
        &self,
        on: &Mutex<Connection>,
        ask: impl FnOnce(&Reading<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = held(on);
        let answer = Snapshot::of(&connection).and_then(|snapshot| ask(&Reading::of(snapshot.0)));
        answer.map_err(|e| e.at(&self.path))
    }

    /// Runs `change` in one transaction, alone, and counts it under `name`. `Ok` commits: when this returns, what was
    /// done is on the disk. `Err` undoes all of it. A refusal that must leave a trace is therefore an `Ok` that holds
    /// the refusal.
    ///
    /// `change` may run more than once: a conditional statement that found its row changed by another writer ends it
    /// with [`StoreError::Conflict`], and it runs again on the new state. So it returns what it counted instead of
    /// counting inside.
    pub fn write<T>(
        &self,
        name: &'static str,
        change: impl Fn(&Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transact(name, change, |run| self.writer.alone(run))
    }

    /// The same for a transaction that reads and writes a few rows: those that wait at the same time share one commit, and
    /// so one wait for the disk.
    pub fn write_short<T>(
        &self,
        name: &'static str,
        change: impl Fn(&Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transact(name, change, |run| match self.writer.in_batch(run)? {
            Some(done) => Ok(done),
            None => self.writer.alone(run),
        })
    }

    /// Runs `change` by `commit`, which gives it a connection and commits what it did there.
    fn transact<T>(
        &self,
        name: &'static str,
        change: impl Fn(&Writing<'_>) -> Result<T, StoreError>,
        commit: impl Fn(&dyn Fn(&Connection) -> Result<Done<T>, StoreError>) -> Result<Done<T>, StoreError>,
    ) -> Result<T, StoreError> {
        let run = |connection: &Connection| {
            let writing = Writing::of(connection);
            let answer = change(&writing)?;
            Ok((answer, writing.change()))
        };
        let attempt = || {
            let (answer, number) = commit(&run)?;
            self.note_change(number);
            Ok(answer)
        };
        self.transactions.run(name, attempt).map_err(|e: StoreError| e.at(&self.path))
    }

    /// The number of the last change of the directory or of an application that was committed.
    pub fn last_change(&self) -> i64 {
        self.last_change.load(Ordering::Acquire)
    }

    /// Notes the number of a transaction that was committed.
    fn note_change(&self, number: Option<i64>) {
        if let Some(number) = number {
            self.last_change.fetch_max(number, Ordering::AcqRel);
        }
    }

    /// The transactions that ran since the start, by name.
    pub fn transactions(&self) -> Vec<(&'static str, TransactionCounts)> {
        self.transactions.snapshot()
    }

    /// Takes the write-ahead log into the file, so that after a stop the file alone is the database, and nothing of
    /// what was erased is in the log. Not while somebody reads an earlier state ([`Trouble::BeingRead`]): a backup,
    /// say.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        let checkpoint = |connection: &Connection| {
            // Writers wait meanwhile, and a backup takes long.
            connection.busy_timeout(CHECKPOINT_WAIT)?;
            let busy =
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
            connection.busy_timeout(file::BUSY)?;
            if busy? { Err(StoreError::file(&self.path, Trouble::BeingRead)) } else { Ok(()) }
        };
        checkpoint(&self.writer.connection()).map_err(|e: StoreError| e.at(&self.path))?;
        self.uncheckpointed.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Whether the log has something still that was erased.
    pub fn needs_checkpoint(&self) -> bool {
        self.uncheckpointed.load(Ordering::SeqCst)
    }

    /// Whose database it is.
    pub fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The keys under which digests are sealed.
    pub fn seal_keys(&self) -> &SealKeys {
        &self.keys
    }

    /// The key under which names are hashed.
    pub fn name_key(&self) -> &NameKey {
        &self.name_key
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// What a transaction returned, and the number of its change.
type Done<T> = (T, Option<i64>);

/// One state of the database, until it is dropped. Like [`rusqlite::Transaction`], but with statements that are kept:
/// a sign-in reads several times, and reads little.
struct Snapshot<'a>(&'a Connection);

impl<'a> Snapshot<'a> {
    fn of(connection: &'a Connection) -> Result<Self, StoreError> {
        connection.prepare_cached("BEGIN DEFERRED")?.execute([])?;
        Ok(Self(connection))
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        // Nothing was written. If this fails, so does the next BEGIN, and says so.
        let _ = self.0.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
    }
}

/// A closure that panicked left no half transaction behind (dropping one rolls it back), so the connection
/// goes on being used.
fn held(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
