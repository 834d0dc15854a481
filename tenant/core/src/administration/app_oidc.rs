//! Changes how an application signs people in by OpenID Connect.
//! Before it: [`super::act`]. Neighbours: [`super::oidc_settings`] checks what an administrator sets.

use crate::administration::apps;
use crate::administration::domain::Actor;
use crate::administration::oidc_settings::{oidc_settings, oidc_text, read_oidc, store};
use crate::administration::request::{AdminResponse, OidcChange};
use landbridge_tenant_rules::model::OidcClient;
use landbridge_tenant_store::tables::app_oidc;
use landbridge_tenant_store::{StoreError, Writing};

impl Actor<'_> {
    /// Changes how an application signs people in; with no change it does not any more, and what was granted ends.
    pub(super) fn app_oidc(
        &self,
        writing: &Writing<'_>,
        name: &str,
        change: Option<&OidcChange>,
    ) -> Result<AdminResponse, StoreError> {
        let app = match apps::active(writing, name)? {
            Ok(app) => app,
            Err(refused) => return Ok(refused),
        };
        let Some(change) = change else {
            store(writing, app.id, None)?;
            self.audit(writing, "app-oidc", name, "off")?;
            return Ok(AdminResponse::Done(format!(
                "{name}: OpenID Connect is off, and its grants have ended"
            )));
        };
        let before = app_oidc::of(writing, app.id)?.map(oidc_settings).unwrap_or_default();
        let client = match read_oidc(writing, app.domain_rows().as_deref(), &before.changed(change.clone()))?
        {
            Ok(client) => client,
            Err(refused) => return Ok(refused),
        };
        store(writing, app.id, Some(&client))?;
        let text = oidc_text(&client);
        self.audit(writing, "app-oidc", name, &text)?;
        let warning = match client {
            OidcClient { pkce: false, .. } => {
                "; without PKCE a stolen code is worth more: use it for clients that cannot"
            }
            _ => "",
        };
        Ok(AdminResponse::Done(format!("{name}: {text}{warning}")))
    }
}
