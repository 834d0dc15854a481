//! A database of a PostgreSQL server: connections that are lent, snapshots and transactions on them.
//!
//! All tables are in the schema `landbridge`. Transactions are serializable: what is right for one writer, as on SQLite, is
//! right for many, and one that lost to another runs again.
//! Neighbours: [`crate::Store`] reads and writes by this; [`super::Session`] runs the statements.

use super::address::ServerAddress;
use super::node::Held;
use super::upgrade::{self, KNOWN, Known, LOCKED, NOTING, Versions, has_tables, versions};
use super::{Asking, Session};
use crate::engine::Connection;
use crate::error::{ServerTrouble, StoreError};
use crate::schema::{SCHEMA, tables};
use crate::tables::tenant;
use crate::{Reading, Tenant, Writing};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;
use uuid::Uuid;

/// The oldest supported server, as `server_version_num` has it.
const OLDEST_SERVER: i64 = 130_000;
/// How long a caller waits for a connection that is lent to others.
const WAIT: Duration = Duration::from_secs(5);
/// How long a short transaction or a snapshot waits for a result.
const SHORT: Duration = Duration::from_secs(5);
/// How long an upload, an upgrade or a list for an administrator waits for a result.
const LONG: Duration = Duration::from_secs(120);
/// How long after an answer a connection is lent without asking whether the server still answers on it, if it is open. A
/// transaction that finds it lost runs again, but a snapshot does not.
const FRESH: Duration = Duration::from_secs(1);
/// How long one server may take until a connection to it is open, and it has said whether it takes changes.
const OPENING: Duration = Duration::from_secs(4);
/// How often an upgrade is tried while others use the tables, and the pause between: they have the longest transaction's time.
const UPGRADES: u32 = 60;
const UPGRADE_PAUSE: Duration = Duration::from_secs(2);

/// What each connection sets. No statement is compiled: that takes longer than all of them. A transaction that is left open, by a process that froze say, ends by itself; and the server
/// notices within seconds that a machine is gone, so that its locks end. Over a Unix socket those three have no meaning.
const SETTINGS: &str = "SET search_path = landbridge; SET TimeZone = 'UTC'; SET lock_timeout = 0; SET jit = off; \
    SET idle_in_transaction_session_timeout = '30s'; SET synchronous_commit = on; \
    SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 5";
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
const TRANSACTION: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
/// A long transaction excludes other long ones, on all nodes. The lock is the first statement, because the snapshot of a
/// transaction is taken by the first statement that reads: it is of after the wait.
const ALONE: &str = "LOCK TABLE tenant IN SHARE ROW EXCLUSIVE MODE";

/// The database, and the connections to it.
pub(crate) struct ServerDatabase {
    address: ServerAddress,
    sessions: Mutex<Sessions>,
    returned: Condvar,
    /// The server, by its place in the URL, that a connection was opened to last: it is tried first.
    preferred: AtomicUsize,
    /// What this process holds while it serves.
    held: Mutex<Option<Held>>,
    /// The version of the tables that this program reads and writes, and the steps to it.
    known: Known,
    /// How often a result was waited for.
    waits: Arc<AtomicU64>,
}

/// The end of a connection that receives and sends.
type Channel = tokio_postgres::Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

#[derive(Default)]
struct Sessions {
    idle: Vec<Session>,
    /// Those that are lent, and those that are being opened.
    lent: usize,
}

impl ServerDatabase {
    /// Makes the tables, in one transaction. Refused if there is a tenant already.
    pub(crate) fn create(address: &ServerAddress, id: Uuid, now: i64) -> Result<(), StoreError> {
        let database = Self::unchecked(address.clone(), KNOWN);
        let trouble = database.transaction(TRANSACTION, LONG, |connection| {
            let writing = Writing::of(connection);
            if versions(&writing)?.is_some() {
                return Ok(Some(ServerTrouble::AlreadyThere));
            }
            if has_tables(&writing)? {
                return Ok(Some(ServerTrouble::OtherTransfer));
            }
            make_tables(&writing, None)?;
            upgrade::set(&writing, KNOWN.version)?;
            tenant::insert(&writing, id, now)?;
            Ok(None)
        })?;
        trouble.map_or(Ok(()), |trouble| Err(database.trouble(trouble)))
    }

    /// Opens the database of a tenant. Adds to tables of an older version what this program needs.
    pub(crate) fn open(address: ServerAddress) -> Result<Self, StoreError> {
        Self::open_as(address, KNOWN)
    }

    /// The same for a program that knows these versions.
    pub(super) fn open_as(address: ServerAddress, known: Known) -> Result<Self, StoreError> {
        let database = Self::unchecked(address, known);
        let found = database.read(|connection| versions(&Reading::of(connection)))?;
        let found = found.ok_or_else(|| database.trouble(ServerTrouble::Missing))?;
        database.check(found)?;
        if found.tables < known.version {
            let begin = format!("{TRANSACTION}; {LOCKED}");
            if database.patiently(&begin, |connection| upgrade::add(&Writing::of(connection), known))? {
                tracing::info!(from = found.tables, to = known.version, "the tables were upgraded");
            }
        }
        Ok(database)
    }

    /// Whether this program can use the tables. They may be of a newer version: older programs can use those as long as nothing
    /// was taken away.
    fn check(&self, found: Versions) -> Result<(), StoreError> {
        let known = self.known.version;
        if found.oldest <= known {
            return Ok(());
        }
        Err(self.trouble(ServerTrouble::Newer { found: found.tables, known }))
    }

    /// Runs an upgrade. Others may use the tables meanwhile, so it tries again while one of them keeps it waiting.
    fn patiently<T>(
        &self,
        begin: &str,
        change: impl Fn(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        for _ in 1..UPGRADES {
            match self.transaction(begin, LONG, &change) {
                Err(StoreError::Conflict) => {}
                Err(StoreError::Server { trouble: ServerTrouble::Slow, .. }) => {
                    tracing::info!("others use the tables: it is tried again");
                }
                outcome => return outcome,
            }
            std::thread::sleep(UPGRADE_PAUSE);
        }
        self.transaction(begin, LONG, change)
    }

    /// Takes away what only programs of an older version use, when no node of one is left. Returns whether it did.
    pub(crate) fn finish_upgrade(&self) -> Result<bool, StoreError> {
        let known = self.known;
        let from = self.read(|connection| upgrade::to_take_away_from(&Reading::of(connection), known))?;
        if from.is_none() {
            return Ok(false);
        }
        let begin = format!("{TRANSACTION}; {LOCKED}");
        let done =
            self.transaction(&begin, LONG, |connection| upgrade::take_away(&Writing::of(connection), known))?;
        if done {
            tracing::info!(
                version = known.version,
                "no node of an older version is left: the upgrade of the tables is done"
            );
        }
        Ok(done)
    }

    /// Makes the tables for a transfer of this tenant, or goes on with one. Until it has ended there is no tenant.
    pub(crate) fn begin_transfer(address: &ServerAddress, source: Tenant) -> Result<Self, StoreError> {
        let database = Self::unchecked(address.clone(), KNOWN);
        let trouble = database.transaction(TRANSACTION, LONG, |connection| {
            let writing = Writing::of(connection);
            if versions(&writing)?.is_some() {
                return Ok(Some(ServerTrouble::AlreadyThere));
            }
            if !has_tables(&writing)? {
                make_tables(&writing, Some(source))?;
                return Ok(None);
            }
            let sql = "SELECT source_tenant, source_generation FROM schema_version";
            let begun: (Option<Uuid>, Option<Uuid>) =
                writing.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
            let is_this = begun == (Some(source.id), Some(source.generation));
            Ok((!is_this).then_some(ServerTrouble::OtherTransfer))
        })?;
        match trouble {
            None => Ok(database),
            Some(trouble) => Err(database.trouble(trouble)),
        }
    }

    /// Ends a transfer: runs `finish`, and makes the database a tenant's.
    pub(crate) fn end_transfer(
        &self,
        finish: impl Fn(&Writing<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.transaction(TRANSACTION, LONG, |connection| {
            let writing = Writing::of(connection);
            // Rows came with their numbers. The next one is numbered behind them.
            for (table, column) in
                tables().into_iter().filter_map(|table| Some((table.name, table.numbered?)))
            {
                let sql = format!(
                    "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 1),
                         max({column}) IS NOT NULL) FROM {table}"
                );
                writing.query_row(&sql, (), |row| row.get::<i64>(0))?;
            }
            finish(&writing)?;
            upgrade::set(&writing, KNOWN.version)
        })
    }

    /// Makes the database no tenant's any more, and leaves its rows.
    pub(crate) fn retire(&self) -> Result<(), StoreError> {
        let retire = "UPDATE schema_version SET version = NULL";
        self.transaction(TRANSACTION, LONG, |connection| Writing::of(connection).send(retire, ()))
    }

    /// Holds the lock of this node, and notes its version. Another process that serves as the same node has the lock:
    /// [`ServerTrouble::Served`].
    pub(crate) fn hold(&self, node: Uuid) -> Result<(), StoreError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.as_ref().is_some_and(|held| held.is_for(node)) {
            return Ok(());
        }
        // The connection of before ends, and its locks with it.
        *held = None;
        *held = Held::new(self.opened()?, node)?;
        if held.is_none() {
            return Err(self.trouble(ServerTrouble::Served));
        }
        let begin = format!("{TRANSACTION}; {NOTING}");
        let noted =
            self.patiently(&begin, |connection| upgrade::note(&Writing::of(connection), node, self.known));
        let fits = noted.and_then(|found| match found {
            Some(found) => self.check(found),
            None => Err(self.trouble(ServerTrouble::Missing)),
        });
        if fits.is_err() {
            *held = None;
        }
        fits
    }

    /// Gives up what [`Self::hold`] holds, so that the next process of this node need not wait until the server notices.
    pub(crate) fn release(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether this process does the chores of all nodes.
    pub(crate) fn does_chores(&self) -> Result<bool, StoreError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_mut().map_or(Ok(false), Held::does_chores)
    }

    /// Waits until another process has changed what is kept in memory, for at most this long. Where no connection receives
    /// notices, it waits that long.
    pub(crate) fn wait_for_notice(&self, limit: Duration) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.as_ref().is_some_and(|held| held.wait_for_notice(limit)) {
            drop(held);
            std::thread::sleep(limit);
        }
    }

    /// The clock of this machine less that of the server, in milliseconds.
    pub(crate) fn clock_difference(&self) -> Result<i64, StoreError> {
        self.read(|connection| {
            let reading = Reading::of(connection);
            // The snapshot begins before the clock is read.
            reading.query_row("SELECT count(*) FROM tenant", (), |row| row.get::<i64>(0))?;
            let (asked, began) = (SystemTime::now(), Instant::now());
            let sql = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
            let there: i64 = reading.query_row(sql, (), |row| row.get(0))?;
            let here = asked.duration_since(UNIX_EPOCH).unwrap_or_default() + began.elapsed() / 2;
            Ok(i64::try_from(here.as_millis()).unwrap_or(i64::MAX).saturating_sub(there))
        })
    }

    fn unchecked(address: ServerAddress, known: Known) -> Self {
        Self {
            address,
            sessions: Mutex::default(),
            returned: Condvar::new(),
            preferred: AtomicUsize::new(0),
            held: Mutex::default(),
            known,
            waits: Arc::default(),
        }
    }

    /// Runs `ask` on one snapshot.
    pub(crate) fn read<T>(
        &self,
        ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.snapshot(SHORT, ask)
    }

    /// The same for what may read much.
    pub(crate) fn look<T>(
        &self,
        ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.snapshot(LONG, ask)
    }

    fn snapshot<T>(
        &self,
        limit: Duration,
        ask: impl FnOnce(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let session = self.lend()?;
        session.begin(SNAPSHOT, limit)?;
        let answer = ask(Connection::Postgres(&session));
        session.roll_back();
        answer
    }

    /// Runs `change` in one transaction that excludes other long ones, and commits it.
    pub(crate) fn write<T>(
        &self,
        change: impl Fn(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction(&format!("{TRANSACTION}; {ALONE}"), LONG, change)
    }

    /// Runs `change`, which reads and writes a few rows, in one transaction, and commits it.
    pub(crate) fn write_short<T>(
        &self,
        change: impl Fn(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transaction(TRANSACTION, SHORT, change)
    }

    fn transaction<T>(
        &self,
        begin: &str,
        limit: Duration,
        change: impl Fn(Connection<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let session = self.lend()?;
        session.begin(begin, limit)?;
        match change(Connection::Postgres(&session)) {
            Ok(answer) => session.commit().map(|()| answer),
            Err(error) => {
                session.roll_back();
                Err(error)
            }
        }
    }

    /// How often a result was waited for: the round trips.
    #[cfg(feature = "raw")]
    pub(crate) fn round_trips(&self) -> u64 {
        self.waits.load(Ordering::Relaxed)
    }

    /// The servers and the database, as logs name them.
    pub(crate) fn name(&self) -> &str {
        &self.address.name
    }

    fn trouble(&self, trouble: ServerTrouble) -> StoreError {
        StoreError::Server { server: self.address.name.to_string(), trouble }
    }

    /// A connection that works: one that has not answered lately is asked. The one that was used last comes first, so that few
    /// are in use when little is done.
    fn lend(&self) -> Result<Lent<'_>, StoreError> {
        let until = Instant::now() + WAIT;
        let mut sessions = self.sessions();
        loop {
            if let Some(session) = sessions.idle.pop() {
                sessions.lent += 1;
                drop(sessions);
                let lent = Lent { database: self, session: Some(session) };
                if lent.is_open() && (lent.answered_at.get().elapsed() < FRESH || lent.answers()) {
                    return Ok(lent);
                }
                drop(lent);
                // The others are to the same server: one that is silent would be waited for again with each.
                let others = std::mem::take(&mut self.sessions().idle);
                drop(others);
                sessions = self.sessions();
                continue;
            }
            if sessions.lent < self.address.connections {
                sessions.lent += 1;
                drop(sessions);
                // The place is given back if the connection fails.
                let mut lent = Lent { database: self, session: None };
                lent.session = Some(self.opened()?);
                return Ok(lent);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.trouble(ServerTrouble::Busy));
            }
            (sessions, _) =
                self.returned.wait_timeout(sessions, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects to the first server that takes changes. Returns why the last one does not.
    async fn connect(&self) -> Result<(Client, Channel), ServerTrouble> {
        let ServerAddress { servers, tls, .. } = &self.address;
        let preferred = self.preferred.load(Ordering::Relaxed);
        let mut trouble = ServerTrouble::Unreachable("no server is named".to_owned());
        let in_order = servers.iter().enumerate().cycle().skip(preferred).take(servers.len());
        for (at, server) in in_order {
            trouble = match tokio::time::timeout(OPENING, server.connect(tls.clone())).await {
                Ok(Ok(both)) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return Ok(both);
                }
                Ok(Err(error)) => unconnected(&error),
                Err(_) => ServerTrouble::Unreachable("no answer in time".to_owned()),
            };
        }
        Err(trouble)
    }

    /// Opens a connection, and checks that the server and the role are fit.
    fn opened(&self) -> Result<Session, StoreError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| self.trouble(ServerTrouble::Unreachable(why.kind().to_string())))?;
        // 1. The connection. Its task runs whenever the runtime does.
        let name = &self.address.name;
        let noticed = Arc::new(Notify::new());
        let notices = noticed.clone();
        let connecting = async {
            let (client, mut connection) = self.connect().await.map_err(|trouble| self.trouble(trouble))?;
            tokio::spawn(async move {
                // Why it ended is in the result of the request that was under way.
                while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                    if let AsyncMessage::Notification(_) = message {
                        notices.notify_one();
                    }
                }
            });
            Ok::<_, StoreError>(client)
        };
        let client = super::block_on(&runtime, connecting)?;
        let session = Session {
            runtime: Some(runtime),
            client: Arc::new(client),
            noticed,
            statements: RefCell::new(HashMap::new()),
            under_way: RefCell::default(),
            of_many: RefCell::default(),
            ahead: RefCell::default(),
            gathered: RefCell::default(),
            plans_for_many: Cell::new(false),
            asking: Cell::new(Asking::No),
            limit: Cell::new(SHORT),
            broken: Cell::new(false),
            answered_at: Cell::new(Instant::now()),
            cursors: Cell::new(0),
            in_transaction: Cell::new(false),
            server: name.clone(),
            waits: self.waits.clone(),
        };
        // 2. Its settings, and what the server and the role are.
        session.send_command(SETTINGS.to_owned())?;
        let connection = Connection::Postgres(&session);
        let sql = "SELECT current_setting('server_version_num'), rolsuper FROM pg_roles WHERE rolname = current_user";
        let (number, is_superuser): (String, bool) =
            Reading::of(connection).query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let number: i64 = number.parse().unwrap_or_default();
        if number < OLDEST_SERVER {
            return Err(self.trouble(ServerTrouble::TooOld(number / 10_000)));
        }
        if is_superuser {
            return Err(self.trouble(ServerTrouble::Superuser));
        }
        Ok(session)
    }
}

/// Makes the tables. `source`: the tenant that is being transferred into them.
fn make_tables(writing: &Writing<'_>, source: Option<Tenant>) -> Result<(), StoreError> {
    writing.run_commands(
        "CREATE SCHEMA IF NOT EXISTS landbridge;
         CREATE TABLE schema_version (
             only_row          INTEGER NOT NULL UNIQUE CHECK (only_row = 1),
             version           INTEGER,
             oldest            INTEGER,
             source_tenant     BLOB,
             source_generation BLOB
         )",
    )?;
    writing.run_commands(SCHEMA)?;
    let sql = "INSERT INTO schema_version (only_row, source_tenant, source_generation) VALUES (1, ?1, ?2)";
    writing.send(sql, (source.map(|tenant| tenant.id), source.map(|tenant| tenant.generation)))
}

/// Why no connection was made.
fn unconnected(error: &tokio_postgres::Error) -> ServerTrouble {
    if error.code().is_some() {
        return super::failure::Failure::of(error).trouble().unwrap_or_else(|| {
            ServerTrouble::Unreachable("the server refused in an unknown way".to_owned())
        });
    }
    let mut why: &dyn std::error::Error = error;
    while let Some(source) = why.source() {
        why = source;
    }
    let text = why.to_string();
    if text.contains("certificate") {
        ServerTrouble::Certificate(text)
    } else if text.contains("password") {
        ServerTrouble::Refused
    } else {
        ServerTrouble::Unreachable(text)
    }
}

/// A connection that one caller has.
struct Lent<'a> {
    database: &'a ServerDatabase,
    /// None: it is not open yet.
    session: Option<Session>,
}

impl Deref for Lent<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        // It is lent only when it is open.
        #[allow(clippy::unwrap_used, reason = "opened before it is lent")]
        self.session.as_ref().unwrap()
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut sessions = self.database.sessions();
        sessions.lent = sessions.lent.saturating_sub(1);
        // One in whose transaction a caller panicked is closed, which undoes the transaction.
        if let Some(session) = self.session.take()
            && !session.broken.get()
            && !session.in_transaction.get()
        {
            sessions.idle.push(session);
        }
        drop(sessions);
        self.database.returned.notify_one();
    }
}
