//! Asks a domain controller whether a password is an account's: an LDAP simple bind (RFC 4513, section 5.1.3) as
//! `<GUID=…>` over TLS, on connections that are kept. The only file and folder here that talk to the directory.
//!
//! A bind is sent once. Before it is on its way another domain controller may be tried; afterwards never, because a
//! domain controller may have counted a bad password: then the tenant decides whether it is asked again.
//! What it does not protect against: the password is in buffers of the LDAP and TLS libraries for a moment, and they
//! do not wipe them.
//! Before it on the road: `unseal`. After it: the way back.

mod check;
mod config;
mod controller;
mod discover;
mod trust;
mod verdict;

pub use check::Finding;
pub use config::{ControllerConfig, DirectoryConfig};
pub use controller::ControllerHealth;
pub use trust::TrustError;

use controller::Controller;
use discover::Controllers;
use landbridge_crypto::secret::Password;
use landbridge_wire::signin::{Decline, Verdict};
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// AD takes 256 characters.
const MAX_PASSWORD: usize = 1024;

/// No verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoVerdict {
    /// Why.
    pub why: Decline,
    /// Whether the bind may have reached a domain controller.
    pub tried: bool,
}

/// Asks the directory.
#[derive(Debug)]
pub struct Validator {
    domain: String,
    controllers: Controllers,
}

impl Validator {
    /// Reads the CA file; opens no connection yet.
    pub fn new(config: &DirectoryConfig) -> Result<Self, TrustError> {
        let tls = trust::client(config)?;
        Ok(Self { domain: config.domain.clone(), controllers: Controllers::new(config, tls) })
    }

    /// Whether this is the account's password. Never answers after `by`.
    pub async fn validate(
        &self,
        object: Uuid,
        password: &Password,
        by: Instant,
    ) -> Result<Verdict, NoVerdict> {
        // A simple bind without a password is an anonymous one, and succeeds (RFC 4513, section 5.1.2).
        if password.is_empty() || password.lend(|text| text.len() > MAX_PASSWORD || text.contains('\0')) {
            return Ok(Verdict::Wrong);
        }
        let late = |tried| NoVerdict { why: Decline::TooLate, tried };
        let mut asked = Vec::new();
        loop {
            let next = tokio::time::timeout_at(by.into(), self.controllers.next(&asked)).await;
            let Some(controller) = next.map_err(|_| late(false))? else {
                return Err(NoVerdict { why: Decline::NoDirectory, tried: false });
            };
            let connection = match tokio::time::timeout_at(by.into(), controller.connection()).await {
                Err(_) => return Err(late(false)),
                Ok(Ok(connection)) => connection,
                Ok(Err(why)) => {
                    tracing::debug!(controller = controller.name(), %why, "a domain controller cannot be used");
                    asked.push(controller);
                    continue;
                }
            };
            return connection.bind(object, password, by).await;
        }
    }

    /// How the domain controllers are.
    pub fn controllers(&self) -> Vec<ControllerHealth> {
        self.controllers.health()
    }

    /// Looks at every prerequisite.
    pub async fn check(&self) -> Vec<Finding> {
        check::check(&self.domain, &self.controllers).await
    }
}

/// One domain controller, shared by all that ask it.
type Shared = Arc<Controller>;

/// A connection that was idle for longer is looked at before a password goes over it.
const STALE: Duration = Duration::from_secs(20);
