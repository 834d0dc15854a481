//! The clients, as this process read them last. They are good for one number of the last change only, which is read each time in
//! the same snapshot: whoever changes an application, in this process or another, gives it another number.
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
        let number = changes::last(reading)?.any;
        if let Some(found) = lock(&self.0).at(number).and_then(|read| read.by_name.get(name)) {
            return Ok(Some(found.clone()));
        }
        let app = apps::named(reading, name)?;
        self.complete(reading, number, app)
    }

    /// The client with this id, if it is not revoked.
    pub(super) fn with_id(&self, reading: &Reading<'_>, id: Uuid) -> Result<Option<Arc<Client>>, StoreError> {
        let number = changes::last(reading)?.any;
        if let Some(found) = lock(&self.0).at(number).and_then(|read| read.by_id.get(&id)) {
            return Ok(Some(found.clone()));
        }
        let app = apps::find(reading, id)?;
        self.complete(reading, number, app)
    }

    fn complete(
        &self,
        reading: &Reading<'_>,
        number: i64,
        app: Option<Application>,
    ) -> Result<Option<Arc<Client>>, StoreError> {
        let Some(app) = app.filter(|app| app.revoked_at.is_none()) else { return Ok(None) };
        let Some((oidc, salt)) = app_oidc::with_salt(reading, app.id)? else { return Ok(None) };
        let client = Arc::new(Client { app, oidc, salt });
        let mut read = lock(&self.0);
        // A snapshot that was taken before another one's change adds nothing.
        if read.number < number {
            *read = Read { number, ..Read::default() };
        }
        if let Some(read) = read.at_mut(number) {
            read.by_name.insert(client.app.name.clone(), client.clone());
            read.by_id.insert(client.app.id, client.clone());
        }
        Ok(Some(client))
    }
}

impl Read {
    fn at(&self, number: i64) -> Option<&Self> {
        (self.number == number).then_some(self)
    }

    fn at_mut(&mut self, number: i64) -> Option<&mut Self> {
        (self.number == number).then_some(self)
    }
}
