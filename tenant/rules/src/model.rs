//! The types of the data that the tenant keeps: each is a row of a table or a part of one. No type here knows where
//! it is stored. Neighbours: the crate `store` reads and writes them; the rules beside this module receive them as
//! facts.

mod agent;
mod application;
mod attributes;
mod audit;
mod domain;
mod group_policy;
mod ldap;
mod network;
mod object;
mod oidc;
mod texts;
mod token;

pub use agent::{Agent, AgentState, HeardProcess, NewAgent, Writer, role_from};
pub use application::{AppDomain, AppGroup, AppSecret, Application};
pub use attributes::Attributes;
pub use audit::AuditEntry;
pub use domain::{
    ChangePolicy, Domain, DomainRefused, MIN_ITERATIONS, NewDomain, NewPasswords, Policy, SigninPolicy,
    sub_authority,
};
pub use group_policy::GroupPolicy;
pub use ldap::{LdapAccess, LdapMemberOf, LdapTree, LdapView};
pub use network::{Network, NoNetwork};
pub use object::{KINDS, Object, Principal, is_removed, kind_text, presence_text};
pub use oidc::{
    AppRole, ClientKey, LogoutUri, MAX_REDIRECT_URI, NoLogoutUri, NoRedirectUri, OidcClient, OidcKind,
    RedirectUri, SigningAlgorithm, SubjectKind,
};
pub use token::EnrolmentToken;
