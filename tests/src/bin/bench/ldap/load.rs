//! Searches that many connections send to one server: as fast as it answers, or at a given rate.

use super::client::{Connection, Scope, Search, Target, equality};
use super::failed;
use crate::population::{BASE, GROUPS_OF_A_PERSON, PEOPLE, dn, mail, uid, uid_number};
use crate::proc;
use landbridge_tests::lab::LabError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What a search looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Uid,
    Mail,
    Member,
    UidNumber,
}

impl By {
    pub(crate) const ALL: [Self; 4] = [Self::Uid, Self::Mail, Self::Member, Self::UidNumber];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Uid => "uid",
            Self::Mail => "mail",
            Self::Member => "member",
            Self::UidNumber => "uidNumber",
        }
    }

    pub(super) fn search(self, person: u32) -> Search {
        const OF_PEOPLE: [&str; 10] = [
            "uid",
            "cn",
            "sn",
            "givenName",
            "displayName",
            "mail",
            "uidNumber",
            "gidNumber",
            "homeDirectory",
            "loginShell",
        ];
        let value = match self {
            Self::Uid => uid(person),
            Self::Mail => mail(person),
            Self::Member => dn(person),
            Self::UidNumber => uid_number(person).to_string(),
        };
        let attributes: &[&str] = if self == Self::Member { &["cn", "gidNumber"] } else { &OF_PEOPLE };
        Search::new(BASE, Scope::Subtree, &equality(self.name(), &value), attributes)
    }

    fn expected(self) -> u64 {
        if self == Self::Member { GROUPS_OF_A_PERSON.into() } else { 1 }
    }
}

/// Numbers that are random enough for choosing people, and cost nothing (xorshift).
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        static SEED: AtomicU64 = AtomicU64::new(1);
        Self(SEED.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Anybody but person 0, who is in other groups than all others.
    fn person(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 + (self.0 % u64::from(PEOPLE - 1)) as u32
    }
}

/// What a load came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Searches a second.
    pub(crate) rate: f64,
    /// Milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// CPU of the server and of this program for one search, in µs.
    pub(crate) server: f64,
    pub(crate) client: f64,
    /// Bytes of one answer.
    pub(crate) bytes: f64,
}

/// A server with connections to it.
pub(crate) struct Side {
    pub(crate) process: u32,
    connections: Vec<Connection>,
}

/// What a task brings back: its connection, milliseconds of each search, and the bytes of all answers.
type Done = Result<(Connection, Vec<f64>, u64), LabError>;

impl Side {
    pub(crate) async fn new(target: &Target, process: u32, connections: usize) -> Result<Self, LabError> {
        let mut side = Self { process, connections: Vec::new() };
        for _ in 0..connections {
            side.connections.push(Connection::open(target).await?);
        }
        Ok(side)
    }

    /// Each of some connections sends a search as soon as the one before is answered.
    pub(crate) async fn at_full_load(
        &mut self,
        by: By,
        connections: usize,
        time: Duration,
    ) -> Result<Run, LabError> {
        let (cpu, began) = (self.cpu(), Instant::now());
        let kept = self.connections.split_off(connections.min(self.connections.len()));
        let task = |mut connection: Connection| {
            tokio::spawn(async move {
                let (mut dice, mut times, mut bytes) = (Dice::new(), Vec::new(), 0);
                while began.elapsed() < time {
                    let sent = Instant::now();
                    bytes += one(&mut connection, by, &mut dice).await?;
                    times.push(sent.elapsed().as_secs_f64() * 1e3);
                }
                Ok((connection, times, bytes))
            })
        };
        let tasks = self.connections.drain(..).map(task).collect();
        self.finish(tasks, kept, cpu, began).await
    }

    /// All connections in turns, at this rate. A search's time is counted from when it was due, so that one that waits
    /// for a slow one before it counts as slow as well.
    pub(crate) async fn at_rate(&mut self, by: By, rate: f64, time: Duration) -> Result<Run, LabError> {
        let (mut queues, mut tasks) = (Vec::new(), Vec::new());
        let (cpu, began) = (self.cpu(), Instant::now());
        for mut connection in self.connections.drain(..) {
            let (queue, mut due) = mpsc::unbounded_channel::<Instant>();
            queues.push(queue);
            tasks.push(tokio::spawn(async move {
                let (mut dice, mut times, mut bytes) = (Dice::new(), Vec::new(), 0);
                while let Some(due) = due.recv().await {
                    bytes += one(&mut connection, by, &mut dice).await?;
                    times.push(due.elapsed().as_secs_f64() * 1e3);
                }
                Ok((connection, times, bytes))
            }));
        }
        // A thread's sleep is precise to a tenth of a millisecond, a timer of tokio's to one.
        let paced = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let count = (time.as_secs_f64() * rate) as u32;
            for nth in 0..count {
                let due = began + Duration::from_secs_f64(f64::from(nth) / rate);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let _ = queues[nth as usize % queues.len()].send(due);
            }
        });
        paced.await.map_err(|why| failed("pacing searches", &why))?;
        self.finish(tasks, Vec::new(), cpu, began).await
    }

    fn cpu(&self) -> [f64; 2] {
        [self.process, std::process::id()].map(proc::cpu)
    }

    async fn finish(
        &mut self,
        tasks: Vec<tokio::task::JoinHandle<Done>>,
        kept: Vec<Connection>,
        before: [f64; 2],
        began: Instant,
    ) -> Result<Run, LabError> {
        let (mut times, mut bytes) = (Vec::new(), 0);
        for task in tasks {
            let (connection, some, received) = task.await.map_err(|why| failed("searching", &why))??;
            self.connections.push(connection);
            times.extend(some);
            bytes += received;
        }
        self.connections.extend(kept);
        let (took, cpu) = (began.elapsed(), self.cpu());
        times.sort_by(f64::total_cmp);
        let count = times.len() as f64;
        let at = |share: f64| times.get((count * share) as usize).copied().unwrap_or(f64::NAN);
        let [server, client] = [0, 1].map(|of| (cpu[of] - before[of]) / count * 1e6);
        Ok(Run {
            rate: count / took.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            server,
            client,
            bytes: bytes as f64 / count,
        })
    }
}

/// One search for somebody. Returns the bytes of the answer.
async fn one(connection: &mut Connection, by: By, dice: &mut Dice) -> Result<u64, LabError> {
    let person = dice.person();
    let found = connection.search(&by.search(person), false).await?;
    if found.entries == by.expected() {
        Ok(found.bytes)
    } else {
        Err(failed("a search", &format!("{} entries by {by:?} of person {person}", found.entries)))
    }
}
