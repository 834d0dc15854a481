//! Which DC is read, single objects from it, and the thread that pulls pages.
//!
//! The DC is chosen once per cycle, so that pages and single objects tell the same story. Single objects
//! go over a connection of their own: on the one that pages they would make the DC start anew.
//! Neighbours: `pull` has the sockets; `qualify` and `privileged` ask for single objects.

use crate::config::DirectoryConfig;
use crate::error::PhsError;
use crate::pull::{Connection, Controller, From, ObjectId, PullError};
use landbridge_drsr::Error;
use landbridge_drsr::drs::change::{Page, Progress, Sid};
use landbridge_drsr::drs::cursor::Cursor;
use std::sync::mpsc::{Receiver, sync_channel};
use tracing::{debug, warn};

/// Reads single objects.
pub trait Singles {
    /// One object alone, whole, with its links; none if the DC does not hold it.
    fn object(&mut self, which: ObjectId, secrets: bool) -> Result<Option<Page>, PhsError>;
}

/// A connection for single objects, to the DC that this cycle reads.
pub struct Alone<'a> {
    config: &'a DirectoryConfig,
    controller: Controller,
    connection: Option<Connection>,
}

impl<'a> Alone<'a> {
    /// Connects to the first DC of the list that serves.
    pub fn open(config: &'a DirectoryConfig) -> Result<Self, PhsError> {
        let mut last = None;
        for controller in &config.controllers {
            match Connection::open(&config.open(controller)?) {
                Ok(connection) => {
                    return Ok(Self { config, controller: controller.clone(), connection: Some(connection) });
                }
                Err(why) if another_may_serve(&why) => {
                    warn!(controller = controller.name, %why, "this domain controller does not serve");
                    last = Some(why);
                }
                Err(why) => return Err(why.into()),
            }
        }
        Err(last.map_or(PhsError::Defect("no domain controller is configured"), PhsError::from))
    }

    /// The DC that serves.
    pub fn controller(&self) -> &Controller {
        &self.controller
    }

    /// Whether the DC holds the domain with this SID.
    pub fn holds(&mut self, domain: &Sid) -> Result<bool, PhsError> {
        let head = self.object(ObjectId::Sid(domain.clone()), false)?;
        Ok(head
            .is_some_and(|page| page.changes.iter().any(|change| change.object.sid.as_ref() == Some(domain))))
    }

    fn ask(&mut self, which: &ObjectId, secrets: bool) -> Result<Page, PhsError> {
        let mut connection = match self.connection.take() {
            Some(kept) => kept,
            None => Connection::open(&self.config.open(&self.controller)?)?,
        };
        let page = connection.object(which.clone(), secrets);
        // After any other error the connection is over.
        if page.is_ok() || page.as_ref().is_err_and(is_unknown_object) {
            self.connection = Some(connection);
        }
        Ok(page?)
    }
}

impl Singles for Alone<'_> {
    fn object(&mut self, which: ObjectId, secrets: bool) -> Result<Option<Page>, PhsError> {
        let kept = self.connection.is_some();
        let answer = match self.ask(&which, secrets) {
            // A kept connection may have been closed by the DC meanwhile.
            Err(PhsError::Pull(PullError::Closed { .. } | PullError::Over { .. })) if kept => {
                self.ask(&which, secrets)
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

fn is_unknown_object(error: &PullError) -> bool {
    matches!(error, PullError::Directory { error: Error::UnknownObject { .. }, .. })
}

/// Whether it makes sense to try the next DC of the list.
fn another_may_serve(error: &PullError) -> bool {
    error.is_unreachable()
        || matches!(
            error,
            PullError::Directory {
                error: Error::Unfit { .. } | Error::Busy { .. } | Error::NotAController,
                ..
            }
        )
}

/// Pulls pages on a thread of its own: one is read while another is worked on, and more never live at once. The
/// thread ends with the last page, an error, or when nobody listens.
pub fn feed(
    config: &DirectoryConfig,
    controller: &Controller,
    start: Option<Cursor>,
    secrets: bool,
) -> Result<Receiver<Result<Page, PullError>>, PhsError> {
    let directory = config.open(controller)?;
    let (sender, receiver) = sync_channel(0);
    let pull = move || {
        let mut connection = match Connection::open(&directory) {
            Ok(connection) => connection,
            Err(why) => return drop(sender.send(Err(why))),
        };
        let mut page = connection.page(start.as_ref().map_or(From::Beginning, From::Cursor), secrets);
        loop {
            let more = matches!(&page, Ok(page) if matches!(page.progress, Progress::More));
            if sender.send(page).is_err() {
                return debug!("nobody listens any more");
            }
            if !more {
                break;
            }
            page = connection.page(From::NextPage, secrets);
        }
        if let Err(why) = connection.close() {
            debug!(%why, "the connection to the domain controller did not close in order");
        }
    };
    std::thread::Builder::new()
        .name("pull".to_owned())
        .spawn(pull)
        .map_err(|_| PhsError::Defect("the system gives no thread to pull with"))?;
    Ok(receiver)
}
