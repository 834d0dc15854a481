//! An application that may request sign-ins: whom it may sign in, from where, and by which secrets.

use super::network::Network;
use std::net::IpAddr;
use uuid::Uuid;

/// An application. Times are in seconds since 1970.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its id. It is a part of its credential.
    pub id: Uuid,
    /// Its name: unique among all applications that ever were.
    pub name: String,
    /// The domains whose people it may sign in; none: every domain.
    pub domains: Option<Vec<AppDomain>>,
    /// Whether everybody of its domains is assigned to it. If not, the members of its groups are.
    pub everybody: bool,
    /// The networks that its requests may come from. Empty: all.
    pub networks: Vec<Network>,
    /// Limit on its sign-ins in a minute.
    pub rate_per_minute: u32,
    /// When it was created.
    pub created_at: i64,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

impl Application {
    /// Whether its requests may come from this address.
    pub fn is_near(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address))
    }

    /// The rows of its domains; none: every domain.
    pub fn domain_rows(&self) -> Option<Vec<i64>> {
        let domains = self.domains.as_ref()?;
        Some(domains.iter().map(|domain| domain.row).collect())
    }
}

/// A domain of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppDomain {
    /// Its row.
    pub row: i64,
    /// Its DNS name.
    pub dns_name: String,
}

/// A group whose members are assigned to an application, also through other groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppGroup {
    /// Row of its domain.
    pub domain: i64,
    /// DNS name of its domain.
    pub domain_name: String,
    /// objectGUID.
    pub group: Uuid,
    /// Its name when it was assigned.
    pub name: String,
}

/// A secret of an application. Times are in seconds since 1970.
#[derive(Debug, Clone)]
pub struct AppSecret {
    /// 1 or 2: an application has at most two, so that one can be replaced while the other is in use.
    pub number: u8,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: i64,
    /// When it ends; none: it does not end by itself.
    pub ends_at: Option<i64>,
    /// A day on which it was last used, as its first second in UTC; none: never.
    pub used_at: Option<i64>,
}

impl AppSecret {
    /// Whether it is in force at this time.
    pub fn is_good(&self, now: i64) -> bool {
        self.ends_at.is_none_or(|ends| now < ends)
    }
}
