//! Checks twice a second, on a kept connection, whether a DC has committed a change, and wakes the daemon if it has.
//! This only makes the next cycle begin earlier: what changed is read by replication, and without LDAP the daemon has
//! its timer.
//! Neighbours: [`super::root_dse`] has the request and the response; `daemon` is woken.

use crate::config::DirectoryConfig;
use crate::read::discover::controllers;
use crate::read::pull::Controller;
use crate::read::root_dse::{self, Answer, Attributes, HIGHEST_USN, question};
use crate::stop::Stop;
use landbridge_agent::connect;
use landbridge_host::system_error;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

/// LDAP without TLS: the answer is only a hint, so a forged one does no harm.
const PORT: u16 = 389;
/// Interval between two checks: a change takes effect within about a second.
const INTERVAL: Duration = Duration::from_millis(500);
/// Limit on connecting, and on one answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Wait between two rounds over the DCs when none answers; doubled each time,
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// up to this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What the watch found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// The DC committed a change, or may have done so before the watch began.
    Moved,
    /// This DC is watched.
    Watching(String),
    /// This DC was watched, and stopped answering.
    Lost(String),
    /// No DC answers; the error of the last one.
    Blind(String),
}

/// Watches a DC until `stop`: `read`, the one that is read, if it answers, or else the first that does. Blocking, for a
/// thread of its own.
pub fn watch(directory: &DirectoryConfig, read: Option<&str>, stop: &Stop, mut report: impl FnMut(Seen)) {
    let mut wait = FIRST_WAIT;
    let mut lost: Option<String> = None;
    'rounds: while !stop.is_raised() {
        let mut last = String::new();
        let mut known = controllers(directory).map(|found| found.controllers).unwrap_or_else(|why| {
            last = why.to_string();
            Vec::new()
        });
        // The one that is read comes first, the one that was lost last; the others keep their order.
        known.sort_by_key(|controller| {
            let name = Some(controller.name.as_str());
            (name == lost.as_deref(), name != read)
        });
        for controller in &known {
            match WatchConnection::open(controller).and_then(|mut open| open.usn().map(|_| open)) {
                Ok(mut connection) => {
                    info!(controller = controller.name, "watching for changes");
                    report(Seen::Watching(controller.name.clone()));
                    wait = FIRST_WAIT;
                    let why = connection.look(stop, &mut report);
                    if !stop.is_raised() {
                        warn!(
                            controller = controller.name,
                            why, "this domain controller tells of nothing any more"
                        );
                        lost = Some(controller.name.clone());
                        report(Seen::Lost(controller.name.clone()));
                        rest(INTERVAL, stop);
                    }
                    continue 'rounds;
                }
                Err(why) => last = format!("{}: {}", controller.name, system_error::words(&why)),
            }
        }
        warn!(why = last, "no domain controller tells of changes: the timer does");
        report(Seen::Blind(last));
        rest(wait, stop);
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Reads these attributes of the rootDSE once, for the preflight.
pub fn root_dse(controller: &Controller, wanted: &[&str]) -> io::Result<Attributes> {
    WatchConnection::open(controller)?.read(wanted)
}

/// A kept connection.
struct WatchConnection {
    stream: TcpStream,
    id: u8,
}

impl WatchConnection {
    fn open(controller: &Controller) -> io::Result<Self> {
        let connected = connect::blocking(&controller.name, controller.address, PORT, PATIENCE);
        let stream = connected.map_err(|why| io::Error::other(why.to_string()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, id: 0 })
    }

    /// Checks until the DC stops answering or `stop` is raised; returns why. Only a number that differs wakes the
    /// daemon.
    fn look(&mut self, stop: &Stop, report: &mut impl FnMut(Seen)) -> String {
        let mut known = None;
        while !stop.is_raised() {
            match self.usn() {
                Ok(usn) => {
                    if known != Some(usn) {
                        debug!(usn, "the domain controller has moved");
                        known = Some(usn);
                        report(Seen::Moved);
                    }
                }
                Err(why) => return system_error::words(&why),
            }
            rest(INTERVAL, stop);
        }
        "stopping".to_owned()
    }

    fn usn(&mut self) -> io::Result<i64> {
        let root = self.read(&[HIGHEST_USN])?;
        root_dse::highest_usn(&root).map_err(io::Error::other)
    }

    fn read(&mut self, wanted: &[&str]) -> io::Result<Attributes> {
        self.id = self.id % 127 + 1;
        self.stream.write_all(&question(self.id, wanted))?;
        let by = Instant::now() + PATIENCE;
        let mut answer = Answer::to(self.id);
        let mut some = [0; 512];
        loop {
            if Instant::now() >= by {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let read = self.stream.read(&mut some)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(root) = answer.add(some.get(..read).unwrap_or_default()).map_err(io::Error::other)? {
                return Ok(root);
            }
        }
    }
}

/// Sleeps, and wakes if `stop` is raised.
fn rest(how_long: Duration, stop: &Stop) {
    let until = Instant::now() + how_long;
    while !stop.is_raised() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(100).min(until.saturating_duration_since(Instant::now())));
    }
}
