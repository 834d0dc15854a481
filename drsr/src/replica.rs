//! One session with one DC: find the port, authenticate, bind, then pages of changes and single objects.
//! A machine: it asks, the caller acts and answers; it opens no socket and waits for nothing.
//! Before it: `rpc::association`, `drs::*`. After it: `phs::pull`.

use crate::error::Error;
use crate::rpc::line::Machine;
use crate::rpc::security::{Authentication, Credential};

pub use crate::drs::request::{ObjectId, Order, Start};
pub use crate::rpc::line::{Answer, Ask, MAX_KDC_REPLY};

/// Whom to replicate from, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// DNS name of the domain, `corp.example.com`.
    pub domain: String,
    /// Full DNS name of the DC, `dc1.corp.example.com`: it is in the service principal name.
    pub controller: String,
    /// sAMAccountName of the delegated account.
    pub account: String,
    /// How it proves itself.
    pub authentication: Authentication,
    /// The most objects in one page, 1 to 1000.
    pub page_objects: u32,
}

/// A session with a DC.
pub struct Replica {
    machine: Machine,
}

impl Replica {
    /// Prepares a session. Nothing happens before the first [`Replica::ask`].
    pub fn new(target: Target, credential: &Credential) -> Result<Self, Error> {
        let _ = (target, credential);
        let machine = Machine::new(|line| async move {
            line.connect(135).await?;
            Err(Error::Unsupported("replication, in this build"))
        });
        Ok(Self { machine })
    }

    /// What is to be done next. After an error, or [`Ask::Finished`], the session is over.
    pub fn ask(&mut self) -> Result<Ask, Error> {
        self.machine.ask()
    }

    /// What was done about the last ask.
    pub fn answer(&mut self, answer: Answer) {
        self.machine.answer(answer);
    }
}
