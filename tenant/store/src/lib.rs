//! The tenant's database, and nothing else. It is a file of SQLite, with nothing to install, or a database of a PostgreSQL
//! server that several nodes share. All SQL of the tenant is here, and there is one text of it for both.
//!
//! A caller reads in a [`Reading`], which is one snapshot, and writes in a [`Writing`], which is one transaction.
//! Both hide the connection. When [`Store::write`] returns, its changes are on the disk (of SQLite: WAL,
//! `synchronous = FULL`): an acknowledged upload survives `kill -9` and power loss. Digests are stored sealed, and the keys are not in the
//! database. The clock and the time come from the caller, and every decision is made in the crates `rules` and
//! `core`.
//!
//! # Files
//!
//! - `lib.rs`: this list, the open database, its reads and its transactions
//! - `error.rs`: what can be wrong with the database, and who must act
//! - `database.rs`: where the database is, and its reads and transactions on either engine
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
//! - `engine/question.rs`: what can be asked ahead of its answer
//! - `engine/value.rs`: values of columns that are read without knowing their type
//! - `engine/sqlite.rs`: statements on SQLite
//! - `engine/sqlite/database.rs`: a database in a file: its connections, snapshots and transactions
//! - `engine/sqlite/file.rs`: makes and opens the file; checks its permissions, owner, version and integrity
//! - `engine/sqlite/readers.rs`: the connections that read, each lent to one snapshot at a time
//! - `engine/sqlite/writer.rs`: the connection that writes, and the batches that share a commit
//! - `engine/postgres.rs`: statements on PostgreSQL
//! - `engine/postgres/address.rs`: where a server is, and how its connections are verified
//! - `engine/postgres/database.rs`: a database of a server: its connections, snapshots and transactions
//! - `engine/postgres/node.rs`: what a serving process holds at a server: locks, and notices of changes
//! - `engine/postgres/upgrade.rs`: upgrades of the tables on a server while nodes of an older version serve
//! - `engine/postgres/dialect.rs`: placeholders and types of columns, as PostgreSQL writes them
//! - `engine/postgres/failure.rs`: errors of PostgreSQL
//! - `stamps.rs`: stamps and GUIDs as bytes in columns
//! - `tables.rs`: the statements, a file for each table
//! - `tables/tenant.rs`: whose database it is
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
//! - `tables/nodes.rs`: the processes that serve the tenant
//! - `tables/agents.rs`: the enrolled agents
//! - `tables/tokens.rs`: one-time tokens for enrolments, hashed
//! - `tables/apps.rs`: the applications
//! - `tables/app_domains.rs`: the domains that they serve
//! - `tables/app_groups.rs`: the groups whose members are assigned to them
//! - `tables/app_ldap.rs`: how they read the directory by LDAP
//! - `tables/app_oidc.rs`: how they sign people in by OpenID Connect
//! - `tables/app_networks.rs`: the networks that they may send from
//! - `tables/app_rates.rs`: what applications have left of their rates
//! - `tables/app_secrets.rs`: the hashes of their secrets
//! - `tables/logout_notices.rs`: clients of sessions, and the notices of sessions that ended
//! - `tables/pushed_requests.rs`: authorization requests that clients have pushed, sealed
//! - `tables/device_requests.rs`: devices without a browser that wait for a person
//! - `tables/device_guesses.rs`: wrong codes of devices, by account and address
//! - `tables/spent.rs`: what a client may use once, and has used
//! - `tables/signing_keys.rs`: the keys that sign tokens, sealed
//! - `tables/web_sessions.rs`: people who are signed in at the pages
//! - `tables/grants.rs`: what codes were redeemed for, and refresh tokens
//! - `tables/audit.rs`: the audit log
//! - `tree.rs`: the distinguished names of objects, composed from the containers above them
//! - `facts.rs`: all facts of a sign-in, in one snapshot
//! - `policies.rs`: reads the policies that may hold for an account, and picks one by the rules
//! - `erase.rs`: erases objects to the last byte
//! - `transfer.rs`: moves a tenant between databases, with all rows counted and summed on both sides
//! - `backup.rs`: copies the database while it is in use, and makes a database from a copy

pub mod backup;
mod database;
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
pub mod transfer;
pub mod tree;
mod upgrade;

pub use database::Location;
pub use engine::Question;
#[cfg(feature = "raw")]
pub use engine::Value as RawValue;
pub use engine::postgres::address as server;
pub use engine::postgres::address::ServerAddress;
pub use error::{ServerTrouble, StoreError, Trouble};
pub use schema::SCHEMA_VERSION;
pub use tables::tenant::Tenant;
pub use transaction::{Reading, TransactionCounts, Writing};

use database::Database;
use landbridge_crypto::seal::SealKeys;
use landbridge_wire::reserved::NameKey;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use transaction::Transactions;
use uuid::Uuid;

/// The open database. Its calls block: async callers go through `spawn_blocking`.
pub struct Store {
    database: Database,
    tenant: Tenant,
    keys: SealKeys,
    name_key: NameKey,
    /// The last number of a change, see [`tables::changes`].
    last_change: AtomicI64,
    transactions: Transactions,
}

impl Store {
    /// Creates the database and opens it. Nothing that exists is changed; a crash on the way leaves nothing that could be
    /// taken for a database. `now` is in seconds since 1970.
    pub fn create(
        at: impl Into<Location>,
        keys: SealKeys,
        tenant: Uuid,
        now: i64,
    ) -> Result<Self, StoreError> {
        let at = at.into();
        Database::create(&at, tenant, now)?;
        Self::open(at, keys)
    }

    /// Opens the database. Refused: a missing or loose file, another program's, a damaged one, and one that a
    /// newer build has written; a server that does not prove its name, or is too old.
    pub fn open(at: impl Into<Location>, keys: SealKeys) -> Result<Self, StoreError> {
        let database = Database::open(at.into())?;
        let (tenant, last_change, name_key) = database.read(|connection| {
            let reading = Reading::of(connection);
            let name_key = name_key::open(&reading, &keys)?;
            Ok((tables::tenant::find(&reading)?, tables::changes::last(&reading)?, name_key))
        })?;
        let name_key = match name_key {
            Some(key) => key,
            None => database.write(|connection| name_key::make(&Writing::of(connection), &keys))?,
        };
        Ok(Self {
            database,
            tenant,
            keys,
            name_key,
            last_change: AtomicI64::new(last_change.any),
            transactions: Transactions::default(),
        })
    }

    /// Runs `ask` on one snapshot of the database; it cannot write. For what is short: others wait for it.
    pub fn read<T>(&self, ask: impl FnOnce(&Reading<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.database.read(|connection| ask(&Reading::of(connection)))
    }

    /// The same for people and their monitoring, who may ask for much: no sign-in waits for it.
    pub fn look<T>(&self, ask: impl FnOnce(&Reading<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.database.look(|connection| ask(&Reading::of(connection)))
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
        let attempt = || self.noting(self.database.write(|connection| run(connection, &change)));
        self.transactions.run(name, attempt)
    }

    /// The same for a transaction that reads and writes a few rows. On SQLite those that wait at the same time share one
    /// commit, and so one wait for the disk; on PostgreSQL they run beside each other.
    pub fn write_short<T>(
        &self,
        name: &'static str,
        change: impl Fn(&Writing<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let attempt = || self.noting(self.database.write_short(|connection| run(connection, &change)));
        self.transactions.run(name, attempt)
    }

    /// Notes the number of a transaction that was committed, and returns its answer.
    fn noting<T>(&self, done: Result<(T, Option<i64>), StoreError>) -> Result<T, StoreError> {
        let (answer, number) = done?;
        if let Some(number) = number {
            self.last_change.fetch_max(number, Ordering::AcqRel);
        }
        Ok(answer)
    }

    /// The number of the last change of the directory or of an application that was committed.
    pub fn last_change(&self) -> i64 {
        self.last_change.load(Ordering::Acquire)
    }

    /// The transactions that ran since the start, by name.
    pub fn transactions(&self) -> Vec<(&'static str, TransactionCounts)> {
        self.transactions.snapshot()
    }

    /// Whether several processes may serve from this database.
    pub fn is_shared(&self) -> bool {
        self.path().is_none()
    }

    /// Holds a database on a server for the node with this id, until this process ends; again, if the connection that held it
    /// was lost. [`ServerTrouble::Served`]: another process serves as this node.
    pub fn hold(&self, node: Uuid) -> Result<(), StoreError> {
        self.database.hold(node)
    }

    /// Ends an upgrade of the tables on a server: takes away what only programs of an older version use, when no node of one
    /// is left. Returns whether it did. Short if there is nothing to do.
    pub fn finish_upgrade(&self) -> Result<bool, StoreError> {
        self.database.finish_upgrade()
    }

    /// Gives up what [`Self::hold`] holds, when this process serves no more.
    pub fn release(&self) {
        self.database.release();
    }

    /// Whether this process does the chores that are done once for all nodes. It does from the first call on that finds no
    /// other doing them, until its connection is lost.
    pub fn does_chores(&self) -> Result<bool, StoreError> {
        self.database.does_chores()
    }

    /// Waits until another process has changed something that has a number ([`tables::changes`]), for at most this long.
    pub fn wait_for_notice(&self, limit: Duration) {
        self.database.wait_for_notice(limit);
    }

    /// The clock of this machine less that of the database server, in milliseconds. A file has no clock of its own: 0.
    pub fn clock_difference(&self) -> Result<i64, StoreError> {
        self.database.clock_difference()
    }

    /// How often this process has waited for results of a database server: its round trips.
    #[cfg(feature = "raw")]
    pub fn round_trips(&self) -> u64 {
        self.database.round_trips()
    }

    /// Reads the number of the last change, which another process may have made.
    pub fn read_last_change(&self) -> Result<i64, StoreError> {
        let last = self.read(tables::changes::last)?.any;
        Ok(self.last_change.fetch_max(last, Ordering::AcqRel).max(last))
    }

    /// Takes the write-ahead log of a file into it, so that after a stop the file alone is the database, and nothing of
    /// what was erased is in the log. Not while an earlier state is being read ([`Trouble::BeingRead`]), by a backup say.
    /// A server does this by itself.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        self.database.checkpoint()
    }

    /// Whether the log of a file has something still that was erased.
    pub fn needs_checkpoint(&self) -> bool {
        self.database.needs_checkpoint()
    }

    /// Whose database it is.
    pub fn tenant(&self) -> Tenant {
        self.tenant
    }

    /// The file, or the server, as logs name it.
    pub fn location(&self) -> String {
        self.database.location()
    }

    /// The file; none: the database is on a server.
    pub fn path(&self) -> Option<&Path> {
        self.database.path()
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

/// Runs `change`, and returns its answer and the number of its change.
fn run<T>(
    connection: engine::Connection<'_>,
    change: &impl Fn(&Writing<'_>) -> Result<T, StoreError>,
) -> Result<(T, Option<i64>), StoreError> {
    let writing = Writing::of(connection);
    let answer = change(&writing)?;
    Ok((answer, writing.change()))
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("location", &self.location())
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}
