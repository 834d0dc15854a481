//! Checks at a domain controller whether a password is an account's: an LDAP simple bind (RFC 4513, section 5.1.3) as
//! `<GUID=…>` over TLS, on connections that are kept.
//!
//! A bind is sent once. Before it is sent, another domain controller may be tried. Afterwards none is, because the
//! domain controller may have counted a bad password; the tenant decides whether to try again. Not protected against:
//! the password is in buffers of the LDAP and TLS libraries for a moment, and they do not wipe them.
//! Before it on the road: `unseal`. After it: `session` returns the verdict.

use super::check::{self, Finding};
use super::config::DirectoryConfig;
use super::controller::ControllerHealth;
use super::discover::Controllers;
use super::trust::{self, TrustError};
use super::verdict::NoVerdict;
use landbridge_crypto::secret::Password;
use landbridge_wire::signin::{Decline, DirectoryVerdict};
use std::time::Instant;
use uuid::Uuid;

/// Limit on a password's bytes. AD accepts 256 characters, at most 4 bytes each in UTF-8.
const MAX_PASSWORD: usize = 1024;

/// Validates passwords at the domain controllers.
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

    /// Whether this is the account's password. Returns by `by`.
    pub async fn validate(
        &self,
        object: Uuid,
        password: &Password,
        by: Instant,
    ) -> Result<DirectoryVerdict, NoVerdict> {
        // A simple bind without a password is an anonymous one, and succeeds (RFC 4513, section 5.1.2).
        if password.is_empty() || password.lend(|text| text.len() > MAX_PASSWORD || text.contains('\0')) {
            return Ok(DirectoryVerdict::Wrong);
        }
        let late = |tried| NoVerdict { why: Decline::TooLate, tried };
        let mut failed = Vec::new();
        loop {
            let next = tokio::time::timeout_at(by.into(), self.controllers.next(&failed)).await;
            let Some(controller) = next.map_err(|_| late(false))? else {
                return Err(NoVerdict { why: Decline::NoDirectory, tried: false });
            };
            let connection = match tokio::time::timeout_at(by.into(), controller.connection()).await {
                Err(_) => return Err(late(false)),
                Ok(Ok(connection)) => connection,
                Ok(Err(why)) => {
                    tracing::debug!(controller = controller.name(), %why, "a domain controller cannot be used");
                    failed.push(controller);
                    continue;
                }
            };
            return connection.bind(object, password, by).await;
        }
    }

    /// The health of the domain controllers.
    pub fn controllers(&self) -> Vec<ControllerHealth> {
        self.controllers.health()
    }

    /// Checks every prerequisite.
    pub async fn check(&self) -> Vec<Finding> {
        check::check(&self.domain, &self.controllers).await
    }
}
