//! Changes how an application reads the directory by LDAP.
//! Before it: [`super::act`]. Neighbours: [`super::app_settings`] checks what an administrator sets.

use crate::administration::app_settings::{ldap_settings, ldap_text, read_ldap};
use crate::administration::apps;
use crate::administration::domain::Actor;
use crate::administration::request::{AdminResponse, LdapChange};
use landbridge_tenant_store::tables::app_ldap;
use landbridge_tenant_store::{StoreError, Writing};

impl Actor<'_> {
    /// Changes how an application reads the directory by LDAP; with no change it does not read it any more.
    pub(super) fn app_ldap(
        &self,
        writing: &Writing<'_>,
        name: &str,
        change: Option<&LdapChange>,
    ) -> Result<AdminResponse, StoreError> {
        let app = match apps::active(writing, name)? {
            Ok(app) => app,
            Err(refused) => return Ok(refused),
        };
        let Some(change) = change else {
            app_ldap::set(writing, app.id, None)?;
            self.audit(writing, "app-ldap", name, "off")?;
            return Ok(AdminResponse::Done(format!("{name} does not read the directory by LDAP")));
        };
        let before = app_ldap::of(writing, app.id)?.map(ldap_settings).unwrap_or_default();
        let access = match read_ldap(writing, app.domain_rows().as_deref(), &before.changed(change.clone()))?
        {
            Ok(access) => access,
            Err(refused) => return Ok(refused),
        };
        app_ldap::set(writing, app.id, Some(&access))?;
        let text = ldap_text(&access);
        self.audit(writing, "app-ldap", name, &text)?;
        Ok(AdminResponse::Done(format!("{name}: {text}")))
    }
}
