//! A session: which DC is read, single objects of it, and the thread that pulls pages.
//!
//! The DC is chosen when a session is opened, so that pages and single objects come from the same database. Single
//! objects use a connection of their own: on the connection of the pages they would make the DC start from the
//! beginning. Both connections are kept from cycle to cycle.
//! Neighbours: `pull` has the sockets; `qualify` reads single objects.

use crate::config::DirectoryConfig;
use crate::error::PhsError;
use crate::read::discover::confirmed;
use crate::read::distrust::Distrusted;
use crate::read::pull::{Connection, Controller, Directory, From, ObjectId, PullError, Reading, reach};
use crate::read::schema::{self, Found};
use crate::scope::Scope;
use landbridge_drsr::Error;
use landbridge_drsr::drs::attribute::Attribute;
use landbridge_drsr::drs::change::{Page, Progress, SCHEMA_INFO};
use landbridge_drsr::drs::cursor::Cursor;
use landbridge_drsr::drs::sid::Sid;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};
use uuid::Uuid;

/// Reads single objects.
pub trait Singles {
    /// One object alone, whole, with its links; none if the DC does not hold it.
    fn object(&mut self, which: ObjectId, secrets: bool) -> Result<Option<Page>, PhsError>;

    /// One account alone by its sAMAccountName, whole and without secrets; none if the DC does not hold it.
    fn account(&mut self, sam: &str) -> Result<Option<Page>, PhsError>;
}

/// Age limit of a session. After an hour the DCs are tried in their order again, so that a preferred DC that was away
/// is used again.
const KEPT: Duration = Duration::from_secs(3600);

/// A DC, and the connections to it.
pub struct Session {
    directory: Arc<Directory>,
    /// The same, with the security descriptor among the attributes: no page needs it, and the domain's head does.
    with_descriptor: Directory,
    invocation_id: Uuid,
    /// The attributes whose ids the forest's schema tells.
    in_schema: Found,
    /// The version of the schema when they were read, if the DC sends it; and whether it has sent another one since.
    schema: Option<[u8; SCHEMA_INFO]>,
    other_schema: Arc<AtomicBool>,
    opened: Instant,
    alone: Option<Connection>,
    /// None while a thread pulls pages.
    paging: Arc<Mutex<Option<Connection>>>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("controller", &self.directory.controller).finish_non_exhaustive()
    }
}

impl Session {
    /// Connects to the first DC of the list that serves: it accepts the account, replicates, and holds the domain with
    /// this SID. `scope` names further attributes to request; DCs in `distrusted` are skipped; the DC named `last` is
    /// tried after all others. A name from DNS must be one of `known`, unless that is empty. `ids` is a text of
    /// [`Found::to_text`]: where the schema cannot be read, and the configuration names no attribute of it, that counts.
    pub fn open(
        config: &DirectoryConfig,
        scope: &Scope,
        domain: &Sid,
        distrusted: &[Distrusted],
        known: &[String],
        last: Option<&str>,
        ids: &str,
    ) -> Result<Self, PhsError> {
        let mut controllers = confirmed(config, known)?;
        controllers.sort_by_key(|controller| Some(controller.name.as_str()) == last);
        let mut failed = None;
        for controller in controllers {
            let mut directory = config.open(&controller, Some(scope))?;
            let opened = schema::read(&directory, config.alternate_login).and_then(|mut in_schema| {
                if in_schema.unread.is_some() {
                    in_schema.attributes = schema::from_text(ids, &directory.extensions);
                }
                directory.ids = in_schema.attributes.iter().map(|one| one.further.clone()).collect();
                let (connection, head) = open(&directory, domain)?;
                if distrusted.iter().any(|one| one.invocation_id == head.source.invocation_id) {
                    return Err(PullError::Distrusted { controller: controller.name.clone() });
                }
                Ok((connection, head, in_schema))
            });
            match opened {
                Ok((connection, head, in_schema)) => {
                    if let Some(why) = &in_schema.unread {
                        warn!(
                            %why,
                            carried = in_schema.attributes.len(),
                            "the forest's schema cannot be read by LDAP: extension attributes are carried as it had them when it was last read"
                        );
                    }
                    let mut with_descriptor = directory.clone();
                    with_descriptor.further.push(Attribute::SecurityDescriptor);
                    return Ok(Self {
                        directory: Arc::new(directory),
                        with_descriptor,
                        invocation_id: head.source.invocation_id,
                        in_schema,
                        schema: head.schema,
                        other_schema: Arc::default(),
                        opened: Instant::now(),
                        alone: None,
                        paging: Arc::new(Mutex::new(Some(connection))),
                    });
                }
                Err(why) if is_unknown_object(&why) => {
                    return Err(PhsError::OtherSid { sid: domain.to_string() });
                }
                Err(why) if another_may_serve(&why) => {
                    warn!(controller = controller.name, %why, "this domain controller does not serve");
                    failed = Some(why);
                }
                Err(why) => return Err(why.into()),
            }
        }
        Err(failed.map_or(PhsError::Defect("no domain controller is known"), PhsError::from))
    }

    /// The invocation id of the DC's database.
    pub fn invocation_id(&self) -> Uuid {
        self.invocation_id
    }

    /// The DC that is read.
    pub fn controller(&self) -> &Controller {
        &self.directory.controller
    }

    /// The attributes whose ids the forest's schema tells.
    pub fn in_schema(&self) -> &Found {
        &self.in_schema
    }

    /// Whether another cycle may use these connections: they are young enough, the DC's machine answers, and the ids of
    /// attributes are those of the present schema.
    pub fn is_good(&self) -> bool {
        let same_ids = !self.other_schema.load(Ordering::Relaxed);
        if !same_ids {
            info!(
                controller = self.controller().name,
                "the schema was changed: the ids of attributes are read again"
            );
        }
        same_ids && self.opened.elapsed() < KEPT && reach(self.controller()).is_ok()
    }

    fn read(&mut self, read: Read<'_>) -> Result<Page, PhsError> {
        let mut connection = match self.alone.take() {
            Some(kept) => kept,
            None => Connection::open(&self.with_descriptor)?,
        };
        let page = read(&mut connection);
        // After any other error the connection is over.
        if page.is_ok() || page.as_ref().is_err_and(is_unknown_object) {
            self.alone = Some(connection);
        }
        Ok(page?)
    }

    /// Pulls pages on a thread of its own. At most three are in memory: one being read, one waiting, one in use. The
    /// thread ends with the last page, with an error, or when the receiver is dropped.
    pub fn pages(&self) -> Pages {
        Pages {
            directory: self.directory.clone(),
            paging: self.paging.clone(),
            schema: self.schema,
            other_schema: self.other_schema.clone(),
        }
    }
}

/// Reads something over a connection.
type Read<'a> = &'a dyn Fn(&mut Connection) -> Result<Page, PullError>;

impl Session {
    fn find(&mut self, read: Read<'_>) -> Result<Option<Page>, PhsError> {
        let kept = self.alone.is_some();
        let answer = match self.read(read) {
            // The DC, or a firewall, may have given up a kept connection meanwhile.
            Err(PhsError::Pull(error)) if kept && needs_another(&error) => {
                debug!(why = %error, "the kept connection was dead");
                self.read(read)
            }
            other => other,
        };
        match answer {
            Ok(page) => Ok(Some(page)),
            Err(PhsError::Pull(error)) if is_unknown_object(&error) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

impl Singles for Session {
    fn object(&mut self, which: ObjectId, secrets: bool) -> Result<Option<Page>, PhsError> {
        self.find(&|connection| connection.object(which.clone(), secrets))
    }

    fn account(&mut self, sam: &str) -> Result<Option<Page>, PhsError> {
        self.find(&|connection| connection.account(sam))
    }
}

/// Where pages come from.
#[derive(Clone)]
pub struct Pages {
    directory: Arc<Directory>,
    paging: Arc<Mutex<Option<Connection>>>,
    /// As in [`Session`].
    schema: Option<[u8; SCHEMA_INFO]>,
    other_schema: Arc<AtomicBool>,
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    /// Pages from `start` to the last one.
    pub fn from(
        &self,
        start: Option<Cursor>,
        what: Reading,
    ) -> Result<Receiver<Result<Page, PullError>>, PhsError> {
        let Self { directory, paging, schema, other_schema } = self.clone();
        let (sender, receiver) = sync_channel(1);
        let pull = move || {
            let mut connection = None;
            let mut page = first(&directory, held(&paging).take(), start.as_ref(), what, &mut connection);
            loop {
                let sent = page.as_ref().ok().and_then(|page| page.schema);
                if sent.is_some_and(|now| schema.is_some_and(|then| then != now)) {
                    other_schema.store(true, Ordering::Relaxed);
                }
                let more = matches!(&page, Ok(page) if matches!(page.progress, Progress::More));
                if !more && page.is_ok() {
                    *held(&paging) = connection.take();
                }
                if sender.send(page).is_err() {
                    return debug!("the receiver of pages is gone");
                }
                let Some(connection) = connection.as_mut().filter(|_| more) else { return };
                page = connection.page(From::NextPage, what);
            }
        };
        std::thread::Builder::new()
            .name("pull".to_owned())
            .spawn(pull)
            .map_err(|_| PhsError::Defect("the system gives no thread to pull with"))?;
        Ok(receiver)
    }
}

/// The first page, over the kept connection if it still works.
fn first(
    directory: &Directory,
    kept: Option<Connection>,
    start: Option<&Cursor>,
    what: Reading,
    used: &mut Option<Connection>,
) -> Result<Page, PullError> {
    let from = || start.map_or(From::Beginning, From::Cursor);
    if let Some(mut kept) = kept {
        match kept.page(from(), what) {
            Err(why) if needs_another(&why) => debug!(%why, "the kept connection was dead"),
            page => {
                *used = Some(kept);
                return page;
            }
        }
    }
    used.insert(Connection::open(directory)?).page(from(), what)
}

fn held<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the error is about a connection that was kept, and a new one may work: the DC or a firewall gave it up, or
/// the DC no longer knows the session. A domain that was renamed meanwhile has another epoch, which a new one learns.
fn needs_another(error: &PullError) -> bool {
    match error {
        PullError::Closed { .. } | PullError::Lost { .. } | PullError::Over { .. } => true,
        PullError::Directory { error, .. } => matches!(error, Error::Stale { .. } | Error::OtherEpoch { .. }),
        PullError::SchemaUnread { .. }
        | PullError::UnusableAttribute { .. }
        | PullError::ClockSkew { .. }
        | PullError::Distrusted { .. }
        | PullError::UnknownController { .. }
        | PullError::Undiscovered(_)
        | PullError::Unconfirmed { .. }
        | PullError::Unreachable { .. }
        | PullError::Silent { .. } => false,
    }
}

fn is_unknown_object(error: &PullError) -> bool {
    matches!(error, PullError::Directory { error: Error::UnknownObject { .. }, .. })
}

/// The invocation id of a DC's database.
pub fn invocation_id(
    config: &DirectoryConfig,
    controller: &Controller,
    domain: &Sid,
) -> Result<Uuid, PhsError> {
    Ok(open(&config.open(controller, None)?, domain)?.1.source.invocation_id)
}

/// Opens a connection and reads the domain's head: a DC refuses replication with the first read, not with the bind.
fn open(directory: &Directory, domain: &Sid) -> Result<(Connection, Page), PullError> {
    let mut connection = Connection::open(directory)?;
    let head = connection.object(ObjectId::Sid(domain.clone()), false)?;
    Ok((connection, head))
}

/// Whether to try another DC: the error is about this DC. An error about the account is not, since each attempt may
/// count as a bad password.
pub fn another_may_serve(error: &PullError) -> bool {
    match error {
        PullError::ClockSkew { .. } | PullError::Distrusted { .. } => true,
        PullError::SchemaUnread { why, .. } => another_may_serve(why),
        PullError::UnusableAttribute { .. } => false,
        PullError::Directory { error, .. } => matches!(
            error,
            Error::Unfit { .. }
                | Error::Busy { .. }
                | Error::Stale { .. }
                | Error::OtherEpoch { .. }
                | Error::SchemaMismatch { .. }
                | Error::Ambiguous { .. }
                | Error::Extended { .. }
                | Error::NotAdmitted { .. }
                | Error::MapperClosed
                | Error::NotAController
                | Error::Fault { .. }
                | Error::Refused { .. }
                | Error::Unsupported(_)
                | Error::Protocol(_)
                | Error::TooLarge(_)
                | Error::Kerberos(landbridge_kerberos::Error::Protocol(_))
        ),
        PullError::UnknownController { .. }
        | PullError::Undiscovered(_)
        | PullError::Unconfirmed { .. }
        | PullError::Unreachable { .. }
        | PullError::Silent { .. }
        | PullError::Lost { .. }
        | PullError::Closed { .. }
        | PullError::Over { .. } => error.is_unreachable(),
    }
}
