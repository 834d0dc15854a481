//! The server certificate that agents receive, issued by the tenant's own CA.
//! Neighbours: [`crate::serve`] creates the first one, [`crate::chores`] the next ones.

use crate::config::TenantUrl;
use crate::error::TenantError;
use landbridge_tenant_core::agents::authority::{Authority, AuthorityError, SERVER_LIFE};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// The server certificate for agents. It exists in memory only and is replaced before it ends.
#[derive(Debug)]
pub struct ServerCertificate {
    present: RwLock<Arc<CertifiedKey>>,
    ends: AtomicI64,
}

impl ServerCertificate {
    /// Creates the first certificate. `root` is the file of the CA's root certificate, for errors.
    pub fn new(authority: &Authority, root: &Path, url: &TenantUrl, now: i64) -> Result<Self, TenantError> {
        let made = authority.server_certificate(url.host(), now).map_err(|error| {
            if matches!(error, AuthorityError::OtherHost { .. }) {
                return TenantError::file(root, &error, "set the url that `init` was run with");
            }
            TenantError::Defect(format!("the server's certificate: {error}"))
        })?;
        Ok(Self {
            present: RwLock::new(Arc::new(made)),
            ends: AtomicI64::new(now.saturating_add(SERVER_LIFE)),
        })
    }

    /// Creates the next certificate, for new connections. Open ones are not affected. After an error the present one
    /// stays in use.
    pub fn replace(&self, authority: &Authority, url: &TenantUrl, now: i64) {
        match authority.server_certificate(url.host(), now) {
            Ok(made) => {
                *self.present.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(made);
                self.ends.store(now.saturating_add(SERVER_LIFE), Ordering::Relaxed);
                tracing::info!("the server has a new certificate");
            }
            Err(error) => tracing::error!(%error, "the server's certificate could not be renewed"),
        }
    }

    /// Its last second, since 1970.
    pub fn ends(&self) -> i64 {
        self.ends.load(Ordering::Relaxed)
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.present.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
