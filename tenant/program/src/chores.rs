//! The hourly tasks of a running tenant. Each node renews its server's certificate, reads the administrator's certificates
//! again and counts what the audit log left out. One node for all deletes old audit entries and known sources, rotates keys
//! that sign, and erases objects whose grace time is over.
//! Neighbours: [`crate::serve`] starts it.

use crate::config::TenantUrl;
use crate::server_certificate::ServerCertificate;
use landbridge_door_listen::operator_certificate::OperatorCertificate;
use landbridge_tenant_core::administration::Administration;
use landbridge_tenant_core::agents::authority::{Authority, SERVER_LIFE};
use landbridge_tenant_core::clock::{stopped, unix_now};
use landbridge_tenant_core::passwords;
use landbridge_tenant_core::provider::Provider;
use landbridge_tenant_rules::counts::Counts;
use landbridge_tenant_rules::lockout::KNOWN_SECONDS;
use landbridge_tenant_store::Store;
use landbridge_tenant_store::erase::due_before;
use landbridge_tenant_store::tables::{audit, known_sources, objects};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Time between two rounds. The server's certificate lives 30 days and grace times are days, so an hour does not
/// matter.
const INTERVAL: Duration = Duration::from_secs(3600);

/// Everything that the chores need.
pub struct Chores {
    /// The database.
    pub store: Arc<Store>,
    /// The CA.
    pub authority: Arc<Authority>,
    /// The URL that agents connect to.
    pub url: TenantUrl,
    /// The server certificate for agents.
    pub server: Arc<ServerCertificate>,
    /// The certificate at the applications' own address, if they have one.
    pub applications: Option<Arc<OperatorCertificate>>,
    /// The certificate at the addresses for LDAP, if there are any.
    pub ldap: Option<Arc<OperatorCertificate>>,
    /// The issuer's certificate, if there is an issuer.
    pub oidc: Option<Arc<OperatorCertificate>>,
    /// The issuer's keys, sessions and grants, if there is an issuer.
    pub provider: Option<Provider>,
    /// Sets the canaries again after an erasure.
    pub administration: Administration,
    /// The counters of uploads, which show whether digests were erased or replaced.
    pub counts: Arc<Counts>,
    /// Audit entries are kept this long, in seconds.
    pub audit_kept: i64,
    /// Days after which an object that was deleted or left the scope is erased.
    pub grace_days: i64,
    /// The number of digests that had been erased or replaced when the file was last scrubbed; none: this process has
    /// not done so yet.
    pub scrubbed: Mutex<Option<u64>>,
}

impl std::fmt::Debug for Chores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chores").finish_non_exhaustive()
    }
}

impl Chores {
    /// Runs a round now and one every hour, until `stop` is set.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let now = unix_now();
            if self.server.ends().saturating_sub(now) < SERVER_LIFE / 2 {
                self.server.replace(&self.authority, &self.url, now);
            }
            self.reread_certificates(now).await;
            let blocking = self.clone();
            let done = tokio::task::spawn_blocking(move || {
                blocking.administration.close_event_hours(now);
                // What is in the database is done by one node for all.
                match blocking.store.does_chores() {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        return tracing::error!(%error, "it is not known which node does the hourly tasks");
                    }
                }
                blocking.delete_old_audit_entries(now);
                blocking.forget_old_sources(now);
                blocking.doubt_unconfirmed_changes(now);
                blocking.erase_due_objects(now);
                blocking.tend_provider(now);
            });
            let _ = done.await;
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = tokio::time::sleep(INTERVAL) => {}
            }
        }
    }

    /// Reads the certificates again that the administrator provides.
    pub async fn reread_certificates(&self, now: i64) {
        for certificate in self.applications.iter().chain(&self.ldap).chain(&self.oidc) {
            let certificate = certificate.clone();
            let _ = tokio::task::spawn_blocking(move || certificate.reread_and_report(now)).await;
        }
    }

    /// Erases the objects whose grace time is over, and the remains of erased digests in the free space of the
    /// database file.
    fn erase_due_objects(&self, now: i64) {
        // 1. Erase the objects that are due, with an audit entry for each.
        let before = due_before(now, self.grace_days);
        let erased = self.store.erase("erase-due", |writing| {
            let due = objects::removed_before(writing, before)?;
            for object in &due {
                audit::append(
                    writing,
                    now,
                    "tenant",
                    "object-erased",
                    &object.to_string(),
                    "its grace time is over",
                )?;
            }
            Ok((due.len(), due))
        });
        // 2. Scrub the file if digests were erased or replaced since the last time. An erasure scrubs it as well.
        let counts = &self.counts;
        let gone = counts.digests_erased.now().saturating_add(counts.digests_replaced.now());
        let mut scrubbed = self.scrubbed.lock().unwrap_or_else(PoisonError::into_inner);
        let done = erased.and_then(|erased| {
            if erased > 0 {
                tracing::info!(objects = erased, "objects erased: their grace time is over");
                self.administration.set_canaries()?;
            } else if *scrubbed != Some(gone) {
                self.store.scrub_digests()?;
            } else if self.store.needs_checkpoint() {
                self.store.checkpoint_erased()?;
            }
            // 3. A running backup keeps erased bytes in the write-ahead log. The next round tries again.
            if self.store.needs_checkpoint() {
                tracing::warn!("erased rows are still in the write-ahead log, because a backup reads it: tried again within an hour");
            }
            *scrubbed = Some(gone);
            Ok(())
        });
        if let Err(error) = done {
            *scrubbed = None;
            tracing::error!(%error, "objects that are due may not be erased yet: tried again within an hour");
        }
    }

    /// Forgets the sources from which nobody was let in for 30 days.
    fn forget_old_sources(&self, now: i64) {
        let before = now.saturating_sub(KNOWN_SECONDS);
        if let Err(error) =
            self.store.write("sources-forget", |writing| known_sources::prune(writing, before))
        {
            tracing::error!(%error, "old known sources cannot be forgotten");
        }
    }

    /// Doubts the changes of password of which no digest has arrived.
    fn doubt_unconfirmed_changes(&self, now: i64) {
        match passwords::doubt_unconfirmed(&self.store, now) {
            Ok(0) => {}
            Ok(changes) => tracing::warn!(
                changes,
                "changes of password that an agent reported have not arrived by phs within an hour: see \
                 `password-change-unconfirmed` in the audit log"
            ),
            Err(error) => tracing::error!(%error, "unconfirmed changes of password cannot be read"),
        }
    }

    /// Rotates the keys that sign tokens, and deletes sessions and grants that have ended.
    fn tend_provider(&self, now: i64) {
        let tended = self.provider.as_ref().map_or(Ok(()), |provider| provider.tend(now));
        if let Err(error) = tended {
            tracing::error!(%error, "signing keys, sessions and grants cannot be tended");
        }
    }

    fn delete_old_audit_entries(&self, now: i64) {
        let before = now.saturating_sub(self.audit_kept);
        loop {
            match self.store.write("audit-forget", |writing| audit::forget(writing, before)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => return tracing::error!(%error, "old audit entries cannot be deleted"),
            }
        }
    }
}
