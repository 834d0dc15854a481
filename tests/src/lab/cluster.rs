//! A real PostgreSQL from Debian, alone or with a synchronous replica, for the demo and the benchmarks.
//!
//! The servers have a folder and sockets of their own and listen on no port. What concerns data and speed has PostgreSQL's
//! defaults, so a commit is on the disk before its answer. The tests have servers of their own in the crate `tenant-fixture`,
//! which no program may depend on: it opens the store to any statement.

use super::error::{LabError, failed};
use super::program::{Running, wait_until};
use super::{view, watchdog};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// Debian has the programs of each version in a folder below this one.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The user of Debian's package: PostgreSQL refuses to run as root.
const USER: &str = "postgres";
/// The role with which a data directory begins.
const SUPERUSER: &str = "postgres";
/// The role of the tenant. It owns its databases and has no other right.
const ROLE: &str = "landbridge";
/// The folders of the two servers. Each holds a data directory and the socket.
const SERVERS: [&str; 2] = ["first", "second"];
/// Seconds until a server must have started, or a command must have ended.
const PATIENCE: u64 = 60;

/// One server, or a primary and its replica. Stopped and removed when dropped.
pub struct Cluster {
    running: Mutex<[Option<Running>; 2]>,
    /// Which of them takes changes.
    primary: Mutex<usize>,
    has_replica: bool,
    databases: AtomicU32,
    programs: PathBuf,
    folder: TempDir,
}

impl Cluster {
    /// One server.
    pub fn alone() -> Result<Self, LabError> {
        let programs =
            programs().ok_or(LabError::Missing { program: "/usr/lib/postgresql/*/bin/postgres" })?;
        let folder = watchdog::folder("landbridge-postgres-")?;
        let cluster = Self {
            running: Mutex::default(),
            primary: Mutex::new(0),
            has_replica: false,
            databases: AtomicU32::new(0),
            programs,
            folder,
        };
        let mut own = view::command("chown")?;
        own.arg(USER).arg(cluster.folder.path());
        cluster.do_run(own)?;
        let mut make = cluster.program("initdb")?;
        make.args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--username", SUPERUSER]);
        make.arg("--pgdata").arg(cluster.data(0));
        cluster.do_run(make)?;
        cluster.serve(0)?;
        cluster.query("postgres", &format!("CREATE ROLE {ROLE} LOGIN"))?;
        Ok(cluster)
    }

    /// A primary whose commits wait until the replica has them on its disk.
    pub fn with_replica() -> Result<Self, LabError> {
        let mut cluster = Self::alone()?;
        cluster.has_replica = true;
        let mut copy = cluster.program("pg_basebackup")?;
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--username", SUPERUSER]);
        copy.arg("--host").arg(cluster.server(0)).arg("--pgdata").arg(cluster.data(1));
        cluster.do_run(copy)?;
        cluster.serve(1)?;
        // After the copy: the replica waits for no replica of its own when it takes changes.
        cluster.query("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'")?;
        cluster.query("postgres", "SELECT pg_reload_conf()")?;
        let state = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let is_synchronous = || cluster.query("postgres", state).is_ok_and(|count| count == "1");
        wait_until("a synchronous replica", PATIENCE, is_synchronous, || cluster.log(1))?;
        Ok(cluster)
    }

    /// Makes an empty database. Returns its URL, which names both servers if there are two.
    pub fn new_database(&self) -> Result<String, LabError> {
        let name = format!("tenant_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.query("postgres", &format!("CREATE DATABASE {name} OWNER {ROLE}"))?;
        let hosts: Vec<PathBuf> = (0..=usize::from(self.has_replica)).map(|at| self.server(at)).collect();
        Ok(url(&hosts, &name))
    }

    /// Kills the primary. Nothing takes changes until the replica is promoted.
    pub fn kill_primary(&self) {
        let segment = self.shared_memory();
        drop(self.running()[0].take());
        if let Some(segment) = segment {
            let _ = Command::new("ipcrm").args(["-m", &segment]).output();
        }
    }

    /// Lets the replica take changes.
    pub fn promote_replica(&self) -> Result<(), LabError> {
        let mut promote = self.program("pg_ctl")?;
        promote.args(["promote", "--wait", "--pgdata"]).arg(self.data(1));
        self.do_run(promote)?;
        *self.primary.lock().unwrap_or_else(PoisonError::into_inner) = 1;
        Ok(())
    }

    /// Runs a statement on the server that takes changes, as its superuser. Returns the rows, without decoration.
    pub fn query(&self, database: &str, sql: &str) -> Result<String, LabError> {
        let primary = *self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        let mut psql = self.program("psql")?;
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--username", SUPERUSER, "--dbname", database, "--command", sql, "--host"]);
        psql.arg(self.server(primary));
        self.do_run(psql)
    }

    /// The folder of the socket of the server that takes changes at the start.
    pub fn socket_folder(&self) -> PathBuf {
        self.server(0)
    }

    fn serve(&self, at: usize) -> Result<(), LabError> {
        let mut command = self.program("postgres")?;
        command.arg("-D").arg(self.data(at)).args(["-c", "listen_addresses=", "-c"]);
        command.arg(format!("unix_socket_directories={}", self.server(at).display()));
        // In its folder, so that nothing is left of a server that is killed.
        command.args(["-c", "dynamic_shared_memory_type=mmap"]);
        let running = Running::start(command, None, &self.output())?;
        self.running()[at] = Some(running);
        let mut ask = self.program("pg_isready")?;
        ask.args(["--quiet", "--host"]).arg(self.server(at));
        let mut ended = false;
        let answers = || {
            ended = self.running()[at].as_mut().is_none_or(Running::has_ended);
            ended || ask.status().is_ok_and(|status| status.success())
        };
        wait_until("PostgreSQL to serve", PATIENCE, answers, || self.log(at))?;
        if ended { Err(failed("starting PostgreSQL", self.log(at))) } else { Ok(()) }
    }

    /// A program of PostgreSQL's, to be run as its user.
    fn program(&self, name: &str) -> Result<Command, LabError> {
        let mut command = view::command("setpriv")?;
        // The programs look at the folder that they are started in, which their user may not read.
        command.current_dir("/");
        command
            .args(["--reuid", USER, "--regid", USER, "--clear-groups", "--"])
            .arg(self.programs.join(name));
        Ok(command)
    }

    /// Runs a command, which must succeed. Returns its standard output.
    fn do_run(&self, command: Command) -> Result<String, LabError> {
        let done = Running::start(command, None, &self.output())?.finish(PATIENCE)?;
        if done.code == Some(0) {
            Ok(done.stdout.trim().to_owned())
        } else {
            Err(failed("a command of PostgreSQL's", done))
        }
    }

    /// The number of the primary's segment of shared memory, which the kernel keeps when a server is killed.
    fn shared_memory(&self) -> Option<String> {
        let file = fs::read_to_string(self.data(0).join("postmaster.pid")).ok()?;
        file.lines().nth(6)?.split_whitespace().nth(1).map(str::to_owned)
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    fn server(&self, at: usize) -> PathBuf {
        self.folder.path().join(SERVERS.get(at).copied().unwrap_or_default())
    }

    fn data(&self, at: usize) -> PathBuf {
        self.server(at).join("data")
    }

    fn log(&self, at: usize) -> String {
        self.running()[at].as_ref().map(Running::said).unwrap_or_default()
    }

    fn running(&self) -> MutexGuard<'_, [Option<Running>; 2]> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A server that is killed would leave its shared memory to the kernel.
        for running in self.running().iter_mut() {
            if let Some(mut running) = running.take() {
                running.signal(rustix::process::Signal::QUIT);
                let _ = running.finish(10);
            }
        }
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The URL of a database, as a tenant's configuration names it, of servers with their sockets in these folders.
pub fn url(hosts: &[PathBuf], database: &str) -> String {
    let hosts: Vec<String> =
        hosts.iter().map(|host| host.display().to_string().replace('/', "%2F")).collect();
    format!("postgres://{ROLE}@{}/{database}", hosts.join(","))
}

/// The folder of the newest version's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let newest = versions.filter_map(|version| version.file_name().to_str()?.parse::<u32>().ok()).max()?;
    let folder = Path::new(VERSIONS).join(newest.to_string()).join("bin");
    folder.join("postgres").exists().then_some(folder)
}
