//! Reads changes from a DC: the sockets under `drsr`'s machine. Blocking, so it runs on a thread of its own. Every wait
//! has a limit: connecting, each read and write, and an order as a whole. What the changes mean is not known here.
//! Before it: the DC. After it: `mirror` and `qualify`.

use landbridge_agent::connect::{self, ConnectError};
use landbridge_agent::discover::DiscoverError;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::bind::Bound;
use landbridge_drsr::drs::change::Page;
use landbridge_drsr::drs::cursor::Cursor;
use landbridge_drsr::drs::further::Further;
use landbridge_drsr::replica::{Answer, MAX_KDC_REPLY, Order, Replica, Start, Step, Target};
use landbridge_drsr::rpc::epm;
use landbridge_host::system_error;
use rustix::net::sockopt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use landbridge_drsr::replica::{Attributes as Reading, ObjectId};
pub use landbridge_drsr::{Error, Responsible};
pub use landbridge_kerberos::client::{Client, Credential};
pub use landbridge_kerberos::keytab::{Keytab, KeytabError};
pub use landbridge_kerberos::principal::Principal;

/// Limits on waiting for a DC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Limit on connecting, for each address of the DC.
    connect: Duration,
    /// Limit on one read or write.
    silence: Duration,
    /// Limit on one order as a whole, however steadily bytes arrive.
    whole: Duration,
}

/// Limits until the session is bound. Each step takes a sound DC milliseconds, and another DC can be tried next.
pub(super) const OPENING: Limits = Limits {
    connect: Duration::from_secs(4),
    silence: Duration::from_secs(4),
    whole: Duration::from_secs(20),
};
/// Limits once the session is bound. For the first page of a large domain Samba works for tens of seconds before it
/// sends a byte.
const BOUND: Limits = Limits {
    connect: Duration::from_secs(5),
    silence: Duration::from_secs(120),
    whole: Duration::from_secs(900),
};
/// Limits for changes since a cursor. A busy DC may search for some seconds; one that hangs is replaced by another.
const CHANGES: Limits = Limits { silence: Duration::from_secs(30), ..BOUND };
/// Limit on the first byte of an answer over a connection that has answered before. A firewall may have dropped such a
/// connection silently; a new one costs less than waiting longer.
const FIRST_BYTE: Duration = Duration::from_secs(10);
/// An idle connection is probed this often, so that a firewall between this machine and the DC does not take it for
/// dead (most do after 5 to 60 minutes), and a DC that is gone is noticed.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// An unanswered probe is repeated after this time,
const KEEPALIVE_AGAIN: Duration = Duration::from_secs(10);
/// and the connection is given up after this number of them.
const KEEPALIVE_PROBES: u32 = 3;
/// Kerberos over TCP.
const KDC_PORT: u16 = 88;

/// Requests that this process has sent on bound sessions.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// How many replication requests this process has sent to domain controllers: for pages, for single objects, and to
/// resolve a name.
pub fn requests() -> u64 {
    REQUESTS.load(Ordering::Relaxed)
}

/// A domain, one of its DCs, and the account to read it with.
#[derive(Debug, Clone)]
pub struct Directory {
    /// DNS name of the domain.
    pub domain: String,
    /// The DC to read.
    pub controller: Controller,
    /// sAMAccountName of the delegated account.
    pub account: String,
    /// The account with its key or password.
    pub client: Arc<Client>,
    /// The most objects in one page, 1 to 1000.
    pub page_objects: u32,
    /// Attributes requested in addition to the usual ones: those that the scope uses.
    pub further: Vec<Attribute>,
    /// Attributes requested if `ids` has them: those that are carried where the schema of the forest has them.
    pub extensions: Vec<Attribute>,
    /// The ids of those among both that only the schema of the forest tells: see [`super::schema`].
    pub ids: Vec<Further>,
    /// Whether the DC sends containers before the objects in them.
    pub ancestors: bool,
}

/// A DC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its full DNS name.
    pub name: String,
    /// Its address, if the name is not to be resolved.
    pub address: Option<IpAddr>,
    /// Its port of directory replication, if the endpoint mapper is not to be asked for it.
    pub port: Option<u16>,
}

impl Controller {
    /// The port that a session connects to first.
    fn first_port(&self) -> u16 {
        self.port.unwrap_or(epm::PORT)
    }
}

/// Where a page starts.
#[derive(Debug, Clone, Copy)]
pub enum From<'a> {
    /// At the beginning: everything.
    Beginning,
    /// After this cursor: what changed since.
    Cursor(&'a Cursor),
    /// The page after the last one of this connection.
    NextPage,
}

/// What goes wrong while reading a DC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PullError {
    /// The DC or its KDC refused, or broke the protocol.
    #[error("{controller}: {error}")]
    Directory {
        /// The DC.
        controller: String,
        /// The refusal.
        error: Error,
    },
    /// The clocks differ by more than the five minutes that Kerberos accepts.
    #[error("the clock of {controller} is {} s {} this machine's: synchronise both", seconds.unsigned_abs(),
        if *seconds < 0 { "behind" } else { "ahead of" })]
    ClockSkew {
        /// The DC.
        controller: String,
        /// The DC's time minus ours, seconds.
        seconds: i64,
    },
    /// An earlier read found that the DC's database was turned back to an earlier state.
    #[error(
        "{controller} was turned back to an earlier state (USN rollback) and is not trusted: restore it by AD's \
        own means, which gives it a new invocation id, or take it out of service"
    )]
    Distrusted {
        /// The DC.
        controller: String,
    },
    /// The DC's name has no address.
    #[error("the name {controller} cannot be resolved: is it right, does DNS work?")]
    UnknownController {
        /// The DC.
        controller: String,
    },
    /// The configuration names no DC, and DNS names none either.
    #[error("{0}: name the domain controllers in [[directory.controllers]], or repair this machine's DNS")]
    Undiscovered(#[from] DiscoverError),
    /// DNS names hosts that are no domain controllers of the domain that was replicated.
    #[error(
        "DNS names {names}, and no domain controller of the directory has such a name: another host may want to be \
         taken for one. Repair DNS, or name the domain controllers in [[directory.controllers]]"
    )]
    Unconfirmed {
        /// The names.
        names: String,
    },
    /// The ids of attributes could not be read.
    #[error(
        "the configuration names {attributes}: AD gives such an attribute another number in each forest, which phs \
         reads from the schema by LDAP, and that failed: {why}. Open port 389 of the domain controllers to this \
         machine, or take {attributes} out of [scope] and [directory] alternate_login"
    )]
    SchemaUnread {
        /// The attributes.
        attributes: String,
        /// What failed.
        why: Box<PullError>,
    },
    /// An attribute of the configuration that this forest's schema lacks, or whose values phs cannot read.
    #[error(
        "the configuration names {attribute}, which {why}: take it out of [scope] and [directory] alternate_login, or \
         mend the schema"
    )]
    UnusableAttribute {
        /// The attribute.
        attribute: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The connection is refused, or there is no route.
    #[error("{controller} cannot be reached at port {port}: {why}")]
    Unreachable {
        /// The DC.
        controller: String,
        /// The port.
        port: u16,
        /// The system's error.
        why: String,
    },
    /// The DC stopped answering, or an order took too long.
    #[error("{controller} does not answer at port {port}: given up after {seconds} s")]
    Silent {
        /// The DC.
        controller: String,
        /// The port.
        port: u16,
        /// Seconds since the order began.
        seconds: u64,
    },
    /// Nothing arrives over a connection that answered before. A new one may work.
    #[error(
        "{controller} no longer answers over the connection to port {port}: a firewall may have dropped it"
    )]
    Lost {
        /// The DC.
        controller: String,
        /// The port.
        port: u16,
    },
    /// The DC closed the connection in the middle of an exchange, or asked for that.
    #[error("{controller} closed the connection at port {port}")]
    Closed {
        /// The DC.
        controller: String,
        /// The port.
        port: u16,
    },
    /// The connection is over after an earlier error.
    #[error("the connection to {controller} is over")]
    Over {
        /// The DC.
        controller: String,
    },
}

impl PullError {
    /// Who must act.
    pub fn who(&self) -> Responsible {
        match self {
            Self::Directory { error, .. } => error.who(),
            // The KDC of the same DC has just answered: a port that stays closed is a firewall's.
            Self::SchemaUnread { why, .. } if !why.is_unreachable() => why.who(),
            Self::SchemaUnread { .. }
            | Self::UnusableAttribute { .. }
            | Self::ClockSkew { .. }
            | Self::UnknownController { .. }
            | Self::Unconfirmed { .. } => Responsible::Operator,
            Self::Distrusted { .. } => Responsible::DirectoryOperator,
            Self::Undiscovered(why) if !why.passes_by_itself() => Responsible::Operator,
            Self::Undiscovered(_)
            | Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Lost { .. }
            | Self::Closed { .. } => Responsible::Nobody,
            Self::Over { .. } => Responsible::Developers,
        }
    }

    /// Whether the DC could not be reached, as opposed to having refused.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::SchemaUnread { why, .. } => why.is_unreachable(),
            Self::UnknownController { .. }
            | Self::Undiscovered(_)
            | Self::Unreachable { .. }
            | Self::Silent { .. }
            | Self::Lost { .. }
            | Self::Closed { .. } => true,
            Self::Directory { .. }
            | Self::ClockSkew { .. }
            | Self::Distrusted { .. }
            | Self::Unconfirmed { .. }
            | Self::UnusableAttribute { .. }
            | Self::Over { .. } => false,
        }
    }
}

/// A bound session with a DC.
pub struct Connection {
    replica: Replica,
    sockets: Sockets,
    /// PDUs sent for the present order.
    sent: u32,
    /// An order was answered over this connection.
    answered: bool,
    /// The DC's answer to the bind, once there is one.
    bound: Option<Bound>,
}

impl Connection {
    /// Finds the DC's port, authenticates and binds.
    #[tracing::instrument(level = "debug", skip_all, fields(controller = directory.controller.name))]
    pub fn open(directory: &Directory) -> Result<Self, PullError> {
        let sockets = Sockets::new(directory.controller.clone(), OPENING);
        // An attribute whose id is unknown would be left out of the request, and a filter by it would let everybody in.
        let of_schema = |attribute: &Attribute| {
            directory.ids.iter().find(|known| known.attribute() == *attribute).cloned()
        };
        let id =
            |attribute: &Attribute| of_schema(attribute).or_else(|| Further::of_every_schema(*attribute));
        let further = directory.further.iter().map(id).collect::<Option<Vec<_>>>();
        let unknown = || sockets.refused(Error::OutOfOrder("the id of an attribute was not read"));
        let mut further = further.ok_or_else(unknown)?;
        further.extend(directory.extensions.iter().filter_map(of_schema));
        let target = Target {
            domain: directory.domain.clone(),
            controller: directory.controller.name.clone(),
            port: directory.controller.port,
            account: directory.account.clone(),
            page_objects: directory.page_objects,
            further,
            ancestors: directory.ancestors,
        };
        let replica =
            Replica::new(target, Arc::clone(&directory.client)).map_err(|error| sockets.refused(error))?;
        let mut connection = Self { replica, sockets, sent: 0, answered: false, bound: None };
        match connection.run()? {
            Pause::Ready => {
                connection.done("bind");
                connection.sockets.limits = BOUND;
                Ok(connection)
            }
            Pause::Page(_) | Pause::Refused(_) | Pause::Finished => Err(connection.over()),
        }
    }

    /// The next page of changes. After an error the connection is over.
    pub fn page(&mut self, from: From<'_>, what: Reading) -> Result<Page, PullError> {
        self.sockets.limits = match from {
            From::Cursor(_) => CHANGES,
            From::Beginning | From::NextPage => BOUND,
        };
        let from = match from {
            From::Beginning => Start::Beginning,
            From::Cursor(cursor) => Start::Cursor(cursor.clone()),
            From::NextPage => Start::NextPage,
        };
        self.order(Order::Changes { from, what })
    }

    /// One object alone, whole, with its links. Use another connection than the one that pages.
    /// After [`Error::UnknownObject`] the connection goes on. A group of more members than the DC puts into one
    /// reply (Samba: 1499) costs a walk over all links of the domain; what comes is always all of it.
    pub fn object(&mut self, which: ObjectId, secrets: bool) -> Result<Page, PullError> {
        self.order(Order::Object { which, secrets })
    }

    /// One account alone, found by its sAMAccountName, whole and without secrets.
    pub fn account(&mut self, sam: &str) -> Result<Page, PullError> {
        self.order(Order::Account(sam.to_owned()))
    }

    /// The port at which the DC replicates.
    pub fn port(&self) -> Option<u16> {
        self.sockets.stream.as_ref().map(|(_, port)| *port)
    }

    /// What the DC answered to the bind.
    pub fn bound(&self) -> Option<&Bound> {
        self.bound.as_ref()
    }

    fn order(&mut self, order: Order) -> Result<Page, PullError> {
        let what = match order {
            Order::Changes { .. } => "changes",
            Order::Object { .. } => "an object",
            Order::Account(_) => "an account",
            Order::Finish => "unbind",
        };
        // The beginning of everything may take a DC longer, and the next page comes over a connection that works.
        let at_once =
            !matches!(order, Order::Changes { from: Start::Beginning | Start::NextPage, .. } | Order::Finish);
        self.sockets.first_byte = at_once && self.answered;
        self.replica.answer(Answer::Order(order));
        let paused = self.run();
        // One request is one PDU, unless a domain has had hundreds of databases.
        REQUESTS.fetch_add(self.sent.into(), Ordering::Relaxed);
        let outcome = match paused? {
            Pause::Page(mut page) => {
                page.end_links(seconds(now()));
                Ok(*page)
            }
            Pause::Refused(error) => Err(self.sockets.refused(error)),
            Pause::Ready | Pause::Finished => return Err(self.over()),
        };
        self.done(what);
        self.answered = true;
        self.replica.answer(Answer::Done);
        match self.run()? {
            Pause::Ready => outcome,
            Pause::Page(_) | Pause::Refused(_) | Pause::Finished => Err(self.over()),
        }
    }

    /// Performs the machine's steps until one is not IO.
    fn run(&mut self) -> Result<Pause, PullError> {
        self.sockets.begin();
        self.sent = 0;
        loop {
            let step = self.replica.next_step(now()).map_err(|error| self.sockets.refused(error))?;
            let answer = match step {
                Step::Connect { port } => self.sockets.connect(port).map(|()| Answer::Done)?,
                Step::Send(bytes) => {
                    self.sent += 1;
                    self.sockets.send(&bytes).map(|()| Answer::Done)?
                }
                Step::Receive(count) => self.sockets.receive(count).map(Answer::Bytes)?,
                Step::Kdc(request) => self.sockets.kdc(&request).map(Answer::Bytes)?,
                Step::Ready(bound) => {
                    self.bound = Some(bound);
                    return Ok(Pause::Ready);
                }
                Step::Page(page) => return Ok(Pause::Page(page)),
                Step::Refused(error) => return Ok(Pause::Refused(error)),
                Step::Finished => return Ok(Pause::Finished),
            };
            self.replica.answer(answer);
        }
    }

    /// Logs what a DC was asked, and how long it took.
    fn done(&self, what: &str) {
        let (controller, milliseconds) =
            (&self.sockets.controller.name, self.sockets.began.elapsed().as_millis());
        tracing::debug!(controller, what, sent = self.sent, milliseconds, "the domain controller was asked");
    }

    fn over(&self) -> PullError {
        PullError::Over { controller: self.sockets.controller.name.clone() }
    }
}

/// Where the machine stops: at a step that is not IO.
enum Pause {
    Ready,
    Page(Box<Page>),
    Refused(Error),
    Finished,
}

/// This machine's clock, since 1970-01-01 UTC.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn seconds(since_1970: Duration) -> i64 {
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
}

/// Connects to the endpoint mapper, or to the configured port of directory replication; returns the address that
/// answered.
pub fn reach(controller: &Controller) -> Result<IpAddr, PullError> {
    let (sockets, port) = (Sockets::new(controller.clone(), OPENING), controller.first_port());
    let stream = sockets.dial(port)?;
    let peer = stream.peer_addr().map_err(|error| sockets.failed(port, &error))?;
    Ok(peer.ip())
}

/// Connections to one DC, with limits on each wait.
pub(super) struct Sockets {
    controller: Controller,
    limits: Limits,
    began: Instant,
    stream: Option<(TcpStream, u16)>,
    /// The first byte of the present order's answer is due within [`FIRST_BYTE`].
    first_byte: bool,
}

impl Sockets {
    pub(super) fn new(controller: Controller, limits: Limits) -> Self {
        Self { controller, limits, began: Instant::now(), stream: None, first_byte: false }
    }

    /// Starts the clock of one order.
    fn begin(&mut self) {
        self.began = Instant::now();
    }

    pub(super) fn connect(&mut self, port: u16) -> Result<(), PullError> {
        self.stream = None;
        self.stream = Some((self.dial(port)?, port));
        Ok(())
    }

    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), PullError> {
        let (stream, port) = self.stream()?;
        self.write(stream, port, bytes)
    }

    pub(super) fn receive(&mut self, count: usize) -> Result<Vec<u8>, PullError> {
        let (stream, port) = self.stream()?;
        let bytes = self.read(stream, port, count)?;
        self.first_byte = false;
        Ok(bytes)
    }

    fn stream(&self) -> Result<(&TcpStream, u16), PullError> {
        let over = || PullError::Over { controller: self.controller.name.clone() };
        self.stream.as_ref().map(|(stream, port)| (stream, *port)).ok_or_else(over)
    }

    pub(super) fn kdc(&self, request: &[u8]) -> Result<Vec<u8>, PullError> {
        let stream = self.dial(KDC_PORT)?;
        let length = u32::try_from(request.len()).unwrap_or(u32::MAX);
        self.write(&stream, KDC_PORT, &[&length.to_be_bytes()[..], request].concat())?;
        let length = self.read(&stream, KDC_PORT, 4)?;
        let length = length.first_chunk::<4>().map_or(u32::MAX, |length| u32::from_be_bytes(*length));
        let count = usize::try_from(length).unwrap_or(usize::MAX);
        if count > MAX_KDC_REPLY {
            return Err(self.refused(Error::TooLarge("a reply of the KDC")));
        }
        self.read(&stream, KDC_PORT, count)
    }

    fn write(&self, mut stream: &TcpStream, port: u16, bytes: &[u8]) -> Result<(), PullError> {
        let limit = self.limit(port)?;
        let sent = stream.set_write_timeout(Some(limit)).and_then(|()| stream.write_all(bytes));
        sent.map_err(|error| self.failed(port, &error))
    }

    fn read(&self, mut stream: &TcpStream, port: u16, count: usize) -> Result<Vec<u8>, PullError> {
        let mut bytes = vec![0; count];
        let mut rest = bytes.as_mut_slice();
        while !rest.is_empty() {
            let limit = self.limit(port)?;
            let read = stream.set_read_timeout(Some(limit)).and_then(|()| stream.read(rest));
            rest = match read {
                Ok(0) => return Err(self.failed_at(stream, port, &io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => rest.get_mut(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.failed_at(stream, port, &error)),
            };
        }
        Ok(bytes)
    }

    /// Limit on the next read or write: what is left of the order, at most one silence.
    fn limit(&self, port: u16) -> Result<Duration, PullError> {
        let left = self.limits.whole.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(self.failed(port, &io::ErrorKind::TimedOut.into()));
        }
        let silence = self.limits.silence;
        Ok(left.min(if self.first_byte { silence.min(FIRST_BYTE) } else { silence }))
    }

    fn dial(&self, port: u16) -> Result<TcpStream, PullError> {
        let Controller { name, address, port: _ } = &self.controller;
        let connected = connect::blocking(name, *address, port, self.limits.connect).map_err(|why| {
            let controller = name.clone();
            match why {
                ConnectError::Unresolved(_) => PullError::UnknownController { controller },
                ConnectError::Refused(_) if why.is_silence() => {
                    PullError::Silent { controller, port, seconds: self.began.elapsed().as_secs() }
                }
                ConnectError::NoSocket(_) | ConnectError::Refused(_) => {
                    PullError::Unreachable { controller, port, why: why.to_string() }
                }
            }
        });
        let stream = connected?;
        keep_alive(&stream).map_err(|error| self.failed_at(&stream, port, &error))?;
        Ok(stream)
    }

    /// The error of an address that took the connection. The next connection begins at another one, if there is one.
    fn failed_at(&self, stream: &TcpStream, port: u16, error: &io::Error) -> PullError {
        if let Ok(address) = stream.peer_addr() {
            connect::failed(&self.controller.name, address.ip());
        }
        self.failed(port, error)
    }

    fn failed(&self, port: u16, error: &io::Error) -> PullError {
        let controller = self.controller.name.clone();
        #[expect(clippy::wildcard_enum_match_arm, reason = "io::ErrorKind is open-ended")]
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut if self.first_byte => {
                PullError::Lost { controller, port }
            }
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                PullError::Silent { controller, port, seconds: self.began.elapsed().as_secs() }
            }
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => PullError::Closed { controller, port },
            _ => PullError::Unreachable { controller, port, why: system_error::words(error) },
        }
    }

    /// Names the DC in an error.
    pub(super) fn refused(&self, error: Error) -> PullError {
        let controller = self.controller.name.clone();
        if error == Error::ShutDown {
            let port = self.stream.as_ref().map_or(self.controller.first_port(), |(_, port)| *port);
            return PullError::Closed { controller, port };
        }
        let Error::Kerberos(landbridge_kerberos::Error::ClockSkew { ours, theirs }) = error else {
            return PullError::Directory { controller, error };
        };
        PullError::ClockSkew { controller, seconds: seconds(theirs).saturating_sub(seconds(ours)) }
    }
}

/// Has the system probe this connection while it is idle.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE_AGAIN)?;
    sockopt::set_tcp_keepcnt(stream, KEEPALIVE_PROBES)?;
    Ok(())
}

#[cfg(test)]
mod tests;
