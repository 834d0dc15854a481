//! The clients, as this process read them last.
//!
//! Each change of an application, by this process or another, gives the database a new number. The number is read in each
//! snapshot, and the clients in memory are used under their own number only.
//! Neighbours: `tables::changes` in the store has the numbers.

use crate::applications::Application;
use crate::lock::lock;
use landbridge_tenant_rules::model::OidcClient;
use landbridge_tenant_store::tables::{app_oidc, apps, changes};
use landbridge_tenant_store::{Reading, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// An application as a client of OpenID Connect.
#[derive(Debug, Clone)]
pub struct Client {
    /// The application. Its name is the `client_id`.
    pub app: Application,
    /// How it signs people in.
    pub oidc: OidcClient,
    /// What a pairwise `sub` is hashed with.
    pub(super) salt: [u8; 32],
}

impl Client {
    /// The mark of its registration. A client that was switched off and on again has another one.
    pub(super) fn registration(&self) -> [u8; 8] {
        // The salt is random, and as old as the registration.
        self.salt.first_chunk().copied().unwrap_or_default()
    }
}

/// The clients that were read.
#[derive(Debug, Default)]
pub(super) struct Clients(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    /// The number of the last change in the snapshot that they were read in.
    number: i64,
    by_name: HashMap<String, Arc<Client>>,
    by_id: HashMap<Uuid, Arc<Client>>,
}

impl Clients {
    /// The client with this `client_id`, if it is not revoked.
    pub(super) fn named(&self, reading: &Reading<'_>, name: &str) -> Result<Option<Arc<Client>>, StoreError> {
        self.find(reading, |read| read.by_name.get(name), || apps::named(reading, name))
    }

    /// The client with this id, if it is not revoked.
    pub(super) fn with_id(&self, reading: &Reading<'_>, id: Uuid) -> Result<Option<Arc<Client>>, StoreError> {
        self.find(reading, |read| read.by_id.get(&id), || apps::find(reading, id))
    }

    fn find(
        &self,
        reading: &Reading<'_>,
        kept: impl Fn(&Read) -> Option<&Arc<Client>>,
        stored: impl FnOnce() -> Result<Option<Application>, StoreError>,
    ) -> Result<Option<Arc<Client>>, StoreError> {
        // 1. As it was read last, if nothing has changed since.
        let number = changes::last(reading)?.any;
        {
            let read = lock(&self.0);
            if read.number == number
                && let Some(client) = kept(&read)
            {
                return Ok(Some(client.clone()));
            }
        }
        // 2. As it is stored.
        let Some(app) = stored()?.filter(|app| app.revoked_at.is_none()) else { return Ok(None) };
        let Some((oidc, salt)) = app_oidc::with_salt(reading, app.id)? else { return Ok(None) };
        let client = Arc::new(Client { app, oidc, salt });
        // 3. It is kept, unless another thread has read a later state.
        let mut read = lock(&self.0);
        if read.number < number {
            *read = Read { number, ..Read::default() };
        }
        if read.number == number {
            read.by_name.insert(client.app.name.clone(), client.clone());
            read.by_id.insert(client.app.id, client.clone());
        }
        Ok(Some(client))
    }
}
