//! An application that reads the directory by LDAP.
//! Neighbours: [`super`] reads them with the objects; `seen` shows each what it may see.

use super::values::is_seen;
use crate::applications::SecretProof;
use landbridge_crypto::bearer::same;
use landbridge_tenant_rules::model::{AppSecret, Application, LdapAccess};
use std::net::IpAddr;
use uuid::Uuid;

/// An application that reads the directory.
#[derive(Debug)]
pub struct LdapApplication {
    /// The application.
    pub application: Application,
    /// How it reads the directory.
    pub access: LdapAccess,
    /// Rows of the domains that it serves; none: all.
    pub(crate) rows: Option<Vec<i64>>,
    /// The groups that are assigned to it: domain and objectGUID.
    pub(crate) groups: Vec<(i64, Uuid)>,
    /// The groups that it sees beside them; none: all.
    pub(crate) seen_groups: Option<Vec<(i64, Uuid)>>,
    pub(crate) secrets: Vec<AppSecret>,
}

impl LdapApplication {
    /// Whether it sees the attribute with this lDAPDisplayName.
    pub fn sees(&self, name: &str) -> bool {
        is_seen(name, self.access.attributes.as_deref())
    }

    /// Whether it still has the secret that it proved itself with, and may send from this address. `now` is in seconds
    /// since 1970.
    pub fn has_rights(&self, proof: &SecretProof, from: IpAddr, now: i64) -> bool {
        let good = |secret: &AppSecret| same(&secret.hash, &proof.hash) && secret.is_good(now);
        proof.application == self.application.id
            && self.application.is_near(from)
            && self.secrets.iter().any(good)
    }
}
