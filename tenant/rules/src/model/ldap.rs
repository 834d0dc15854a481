//! How an application reads the directory by LDAP.

use super::application::AppGroup;
use super::texts::texts;

/// What an application sees by LDAP, and under which names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapAccess {
    /// The classes and attributes of entries.
    pub view: LdapView,
    /// Where entries stand.
    pub tree: LdapTree,
    /// What `memberOf` lists.
    pub member_of: LdapMemberOf,
    /// Whether its people connect themselves: then the address of a connection is the person's.
    pub people_connect: bool,
    /// The groups that it sees, beside those that are assigned to it; none: all groups of its domains.
    pub groups: Option<Vec<AppGroup>>,
    /// The attributes that it sees beside the usual ones; none: all.
    pub attributes: Option<Vec<String>>,
}

impl Default for LdapAccess {
    fn default() -> Self {
        Self {
            view: LdapView::Rfc2307bis,
            tree: LdapTree::Flat,
            member_of: LdapMemberOf::Direct,
            people_connect: false,
            groups: Some(Vec::new()),
            attributes: Some(Vec::new()),
        }
    }
}

/// The classes and attributes of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdapView {
    /// inetOrgPerson, posixAccount, groupOfNames with posixGroup; members are entries (RFC 2307bis).
    Rfc2307bis,
    /// inetOrgPerson, posixAccount, posixGroup; members are names (RFC 2307).
    Rfc2307,
    /// user and group, as in AD.
    ActiveDirectory,
}

/// Where entries stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdapTree {
    /// Below `ou=people`, `ou=groups` and `ou=contacts` of their domain.
    Flat,
    /// In the organizational units of AD.
    ActiveDirectory,
}

/// What `memberOf` lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdapMemberOf {
    /// The groups of which an entry is a member itself, as in AD.
    Direct,
    /// Also those that it is in through other groups, and its primary group.
    Effective,
}

texts!(LdapView, Rfc2307bis = "rfc2307bis", Rfc2307 = "rfc2307", ActiveDirectory = "ad");
texts!(LdapTree, Flat = "flat", ActiveDirectory = "ad");
texts!(LdapMemberOf, Direct = "direct", Effective = "effective");
