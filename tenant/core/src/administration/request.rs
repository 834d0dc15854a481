//! What an administrator can request over the local socket, and what is answered: one request and one answer a connection,
//! each one line of JSON, bounded.

use crate::directory::Description;
use crate::directory::describe::Named;
use crate::directory::groups::{GroupDescribed, GroupRow};
use landbridge_tenant_rules::model::SigninPolicy;
use landbridge_tenant_rules::verdict;
use landbridge_wire::enroll::Role;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The most bytes of a request.
pub const MAX_REQUEST: usize = 64 * 1024;
/// The most bytes of an answer.
pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;
/// The most rows that a list shows.
pub const MAX_ROWS: u32 = 10_000;
/// A token lives at most so many minutes.
pub const MAX_TOKEN_MINUTES: u32 = 10;

/// A secret on its way over the local socket: the one kind here that is serialised, and nowhere else.
///
/// Wiped on drop; `Debug` shows nothing. Absent on purpose: `Clone`, `Display`, `==`.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
pub struct Confidential(String);

impl Confidential {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Lends the text.
    pub fn lend<R>(&self, to: impl FnOnce(&str) -> R) -> R {
        to(&self.0)
    }
}

impl std::fmt::Debug for Confidential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confidential(..)")
    }
}

/// What an administrator asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case", deny_unknown_fields)]
pub enum AdminRequest {
    /// Serve a domain.
    DomainsAdd {
        /// DNS name.
        name: String,
        /// NetBIOS name.
        netbios: String,
        /// SID.
        sid: String,
        /// Take digests of privileged accounts.
        allow_privileged: bool,
    },
    /// The domains.
    DomainsList,
    /// How a domain's people sign in; shown, when nothing is to be set.
    DomainsPolicy {
        /// DNS or NetBIOS name.
        name: String,
        /// What decides.
        policy: Option<SigninPolicy>,
        /// Whether new pta-agents wait for a yes.
        approve_agents: Option<bool>,
    },
    /// How the members of a group sign in.
    GroupPolicy {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The group: its name, SID or objectGUID.
        group: String,
        /// What decides; none: as for others.
        policy: Option<SigninPolicy>,
        /// Before which of the others: from 1 on; none: where it was, or last.
        place: Option<u32>,
    },
    /// An account that agents are tried with.
    CanaryAdd {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// Its sign-in name.
        user: String,
    },
    /// An account that they are no longer tried with.
    CanaryRemove {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// Its sign-in name.
        user: String,
    },
    /// The accounts that agents are tried with.
    CanaryList {
        /// The domain: DNS or NetBIOS name.
        name: String,
    },
    /// A one-time token.
    TokenCreate {
        /// For which role.
        role: Role,
        /// For which domain: DNS or NetBIOS name.
        domain: String,
        /// For how many minutes.
        minutes: u32,
    },
    /// The agents.
    AgentsList,
    /// Let an agent work.
    AgentsApprove {
        /// Which.
        agent: Uuid,
    },
    /// Stop an agent for good, at once.
    AgentsRevoke {
        /// Which.
        agent: Uuid,
    },
    /// A credential for an application.
    AppsCreate {
        /// Its name.
        name: String,
        /// The only domain whose people it may ask for.
        domain: Option<String>,
        /// Sign-ins a minute.
        rate: u32,
    },
    /// The applications.
    AppsList,
    /// A new secret for an application; the old one ends.
    AppsRotate {
        /// Its name.
        name: String,
    },
    /// No more sign-ins for an application.
    AppsRevoke {
        /// Its name.
        name: String,
    },
    /// What is known of an account.
    UsersShow {
        /// A sign-in name or an objectGUID.
        name: String,
    },
    /// The sign-in names that more than one account holds.
    UsersAmbiguous,
    /// The groups.
    GroupsList,
    /// What is known of a group.
    GroupsShow {
        /// Its name, SID or objectGUID.
        name: String,
    },
    /// Erase now what is known of an account that is gone.
    UsersPurge {
        /// A name that it had, or its objectGUID.
        name: String,
    },
    /// Try a sign-in, as an application would.
    SignIn {
        /// A sign-in name.
        user: String,
        /// The password.
        password: Confidential,
        /// Where it is said to come from.
        source: String,
    },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", content = "is", rename_all = "kebab-case")]
pub enum AdminResponse {
    /// It was done; what, in a sentence.
    Done(String),
    /// The domains.
    Domains(Vec<DomainRow>),
    /// The text of a new token.
    Token(Confidential),
    /// The agents.
    Agents(Vec<AgentRow>),
    /// The text of a new credential.
    Credential(Confidential),
    /// The applications.
    Apps(Vec<AppRow>),
    /// The accounts with that name.
    Users(Description),
    /// The names that sign nobody in.
    Ambiguous(Vec<AmbiguousRow>),
    /// The groups.
    Groups(Vec<GroupRow>),
    /// The groups with that name.
    Group(Vec<GroupDescribed>),
    /// The sign-in succeeded.
    Accepted(Person),
    /// The sign-in was refused.
    SignInRefused {
        /// What the application would be told beyond "refused".
        told: Option<String>,
        /// The true reason.
        why: String,
    },
    /// Nobody could say.
    Unavailable(String),
    /// The tenant said no.
    Refused {
        /// Why.
        what: String,
        /// What to do.
        todo: String,
    },
    /// The tenant's database fails.
    StorageFailed(String),
    /// The tenant failed in a way it should not.
    Defect(String),
}

/// Who signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    /// objectGUID.
    pub object: Uuid,
    /// userPrincipalName.
    pub user: Option<String>,
    /// sAMAccountName.
    pub sam: Option<String>,
    /// DNS name of the domain.
    pub domain: String,
}

impl Person {
    /// The person behind an accepted sign-in, as administrators and applications see one.
    pub fn of(person: verdict::Person) -> Self {
        let verdict::Person { object, user, sam, domain, display_name: _ } = person;
        Self { object, user, sam, domain }
    }
}

/// A name that more than one account holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AmbiguousRow {
    /// The name, folded.
    pub name: String,
    /// How many hold it.
    pub count: i64,
    /// Some of them.
    pub holders: Vec<Named>,
}

/// A domain, as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DomainRow {
    /// DNS name.
    pub name: String,
    /// NetBIOS name.
    pub netbios: String,
    /// SID.
    pub sid: String,
    /// Whether digests of privileged accounts are taken.
    pub allow_privileged: bool,
    /// How its people sign in.
    pub signin: SigninPolicy,
    /// How many groups sign in otherwise.
    pub group_policies: usize,
    /// Accounts that are present.
    pub accounts: i64,
    /// The phs that writes.
    pub writer: Option<Uuid>,
    /// Whether a cycle was ever complete.
    pub synchronized: bool,
    /// Seconds since 1970.
    pub added_at: i64,
}

/// An agent, as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AgentRow {
    /// Its id.
    pub id: Uuid,
    /// Its role.
    pub role: String,
    /// Its domain.
    pub domain: String,
    /// pending, approved, revoked or quarantined.
    pub state: String,
    /// Its host, as it named itself.
    pub host: String,
    /// Program and version, as it named itself.
    pub software: String,
    /// Its open connections that answer sign-ins.
    pub connections: usize,
    /// When its newest certificate is over: seconds since 1970.
    pub not_after: i64,
    /// When it was last heard of: seconds since 1970.
    pub seen_at: Option<i64>,
    /// Seconds since 1970.
    pub enrolled_at: i64,
}

/// An application, as it is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The only domain whose people it may ask for.
    pub domain: Option<String>,
    /// Sign-ins a minute.
    pub rate: u32,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970.
    pub rotated_at: Option<i64>,
    /// Seconds since 1970.
    pub revoked_at: Option<i64>,
}

/// A no, and what to do.
pub(crate) fn refusal(what: &str, todo: &str) -> AdminResponse {
    AdminResponse::Refused { what: what.to_owned(), todo: todo.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::administration::request::*;

    #[test]
    fn a_request_with_a_password_shows_nothing_in_debug() {
        let ask = AdminRequest::SignIn {
            user: "u".to_owned(),
            password: Confidential::new("Hunter2!".to_owned()),
            source: "admin".to_owned(),
        };
        assert!(!format!("{ask:?}").contains("Hunter2!"));
    }

    #[test]
    fn an_unknown_request_or_field_is_not_read() {
        assert!(serde_json::from_str::<AdminRequest>(r#"{"ask":"apps-list"}"#).is_ok());
        assert!(serde_json::from_str::<AdminRequest>(r#"{"ask":"apps-delete"}"#).is_err());
        assert!(
            serde_json::from_str::<AdminRequest>(r#"{"ask":"apps-revoke","name":"a","force":true}"#).is_err()
        );
    }
}
