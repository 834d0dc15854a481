//! The messages of the administration socket: one request and one response a connection, each one line of JSON of
//! bounded length. Neighbours: [`super::Administration::act`] makes a response of a request.

use crate::applications::DEFAULT_RATE;
use crate::directory::Description;
use crate::directory::groups::{GroupDescribed, GroupRow};
use crate::directory::named::Named;
use landbridge_tenant_rules::model::{
    ChangePolicy, LdapAccess, OidcKind, SigninPolicy, SigningAlgorithm, SubjectKind,
};
use landbridge_tenant_rules::verdict;
use landbridge_wire::enroll::Role;
use landbridge_wire::wiped_text::wiped_text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Limit on the bytes of a request. The longest holds the settings of many applications: some hundred bytes each.
pub const MAX_REQUEST: usize = 1024 * 1024;
/// Limit on the bytes of a response: 10,000 rows of about 1 KiB, with room.
pub const MAX_RESPONSE: usize = 16 * 1024 * 1024;
/// Limit on the rows of a list. A longer list would not be read by a person, and would not fit into a response.
pub const MAX_ROWS: u32 = 10_000;
/// Limit on the objects that one request moves: 1,000 objectGUIDs are about 40 KB of a request.
pub const MAX_MOVED: usize = 1000;
/// What to do when no account has a name.
pub const NO_SUCH_ACCOUNT: &str = "a name is user@domain, DOMAIN\\user, a bare sAMAccountName, a SID or an objectGUID; \
     `landbridge-phs explain` says whether an account is carried";
/// Limit on the life of a token, in minutes: time enough to carry it to another machine, and little for a thief.
pub const MAX_TOKEN_MINUTES: u32 = 10;

/// A secret that crosses the administration socket. It is the only secret type that can be serialised. It is read from
/// a slice or a `str` only, without a copy that stays in memory.
///
/// Wiped on drop; `Debug` shows nothing. Absent on purpose: `Clone`, `Display`, `==`.
pub struct Confidential(Zeroizing<String>);

impl Serialize for Confidential {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        into.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Confidential {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        wiped_text(from).map(Self)
    }
}

impl Confidential {
    /// Wraps the text.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
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

/// A request of an administrator. The name of a variant is the key of its content: a form with a tag inside would be
/// read through copies that nothing wipes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum AdminRequest {
    /// Serve a domain.
    DomainsAdd {
        /// DNS name.
        name: String,
        /// NetBIOS name.
        netbios: String,
        /// SID.
        sid: String,
        /// Whether the domain accepts digests of privileged accounts.
        allow_privileged: bool,
    },
    /// List the domains.
    DomainsList,
    /// Set the sign-in policy of a domain, or show it if nothing is set.
    DomainsPolicy {
        /// DNS or NetBIOS name.
        name: String,
        /// The policy to set.
        policy: Option<SigninPolicy>,
        /// Whether new pta-agents wait for `agents approve`.
        approve_agents: Option<bool>,
        /// Whether people may change their passwords here.
        change_passwords: Option<ChangePolicy>,
    },
    /// Set the least iterations of a digest that a domain accepts.
    MinIterations {
        /// DNS or NetBIOS name.
        name: String,
        /// The least iterations.
        iterations: u32,
        /// Number of accounts that may have a digest with fewer; none: nothing is done if there is one, and the number
        /// is returned.
        accounts: Option<u64>,
    },
    /// Stop serving a domain, and erase everything that is stored of it.
    DomainsRemove {
        /// DNS or NetBIOS name.
        name: String,
        /// Number of present accounts that may go; none: nothing is done, and the number is returned.
        accounts: Option<u64>,
    },
    /// Set or remove the sign-in policy of a group.
    GroupPolicy {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The group: its name, SID or objectGUID.
        group: String,
        /// The policy to set; none: remove the policy of the group.
        policy: Option<SigninPolicy>,
        /// Position among the group policies, from 1; none: its present position, or the last.
        place: Option<u32>,
    },
    /// Use an account as a canary.
    CanaryAdd {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// Sign-in name of the account.
        user: String,
    },
    /// Stop using an account as a canary.
    CanaryRemove {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// Sign-in name of the account.
        user: String,
    },
    /// List the canaries of a domain.
    CanaryList {
        /// The domain: DNS or NetBIOS name.
        name: String,
    },
    /// Declare a UPN suffix for a domain.
    SuffixAdd {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The suffix.
        suffix: String,
        /// Whether the suffix may be another domain's, so that both have it.
        shared: bool,
    },
    /// Take a UPN suffix from a domain.
    SuffixRemove {
        /// The domain: DNS or NetBIOS name.
        name: String,
        /// The suffix.
        suffix: String,
        /// Number of accounts that may lose a name; none: nothing is done, and the number is returned.
        accounts: Option<u64>,
    },
    /// List UPN suffixes.
    SuffixList {
        /// The domain: DNS or NetBIOS name; none: all domains.
        name: Option<String>,
    },
    /// List the objects of a domain that another domain uploaded.
    MovesList {
        /// The domain that the objects belong to.
        from: String,
        /// The domain that uploaded them.
        to: String,
    },
    /// Move objects from one domain to another.
    MoveObjects {
        /// The domain that the objects belong to.
        from: String,
        /// The domain that they will belong to.
        to: String,
        /// Their objectGUIDs, at most [`MAX_MOVED`].
        objects: Vec<Uuid>,
    },
    /// Create a one-time token.
    TokenCreate {
        /// Role of the agent that enrols with it.
        role: Role,
        /// Domain of that agent: DNS or NetBIOS name.
        domain: String,
        /// Life of the token in minutes.
        minutes: u32,
    },
    /// List the agents.
    AgentsList,
    /// Approve an agent.
    AgentsApprove {
        /// Id of the agent.
        agent: Uuid,
        /// Fingerprint of the key that the administrator was shown. The request is refused if the agent has another
        /// one by now; none: any key is approved.
        #[serde(default)]
        key: Option<String>,
    },
    /// Revoke an agent permanently and cut its connections.
    AgentsRevoke {
        /// Id of the agent.
        agent: Uuid,
    },
    /// Create an application and its first credential.
    AppsCreate {
        /// What it may do.
        settings: Box<AppSettings>,
    },
    /// List the applications.
    AppsList,
    /// Show an application.
    AppsShow {
        /// Its name.
        name: String,
    },
    /// Assign accounts to an application, or end an assignment.
    AppsAssign {
        /// Its name.
        name: String,
        /// Everybody of its domains; no groups are named then.
        everybody: bool,
        /// Groups whose members are assigned.
        add: Vec<String>,
        /// Groups whose members are not assigned any more.
        remove: Vec<String>,
    },
    /// Change the networks that an application may send from.
    AppsNetworks {
        /// Its name.
        name: String,
        /// Networks to add.
        add: Vec<String>,
        /// Networks to remove.
        remove: Vec<String>,
    },
    /// Change how an application reads the directory by LDAP.
    AppsLdap {
        /// Its name.
        name: String,
        /// What changes; none: it does not read it any more.
        change: Option<LdapChange>,
    },
    /// Let an application sign people in by OpenID Connect, or change how it does.
    AppsOidc {
        /// Its name.
        name: String,
        /// What changes; none: it does not any more.
        change: Option<OidcChange>,
    },
    /// Say whether a person may sign in through an application, and why.
    AppsExplain {
        /// Name of the application.
        name: String,
        /// A sign-in name, an objectGUID, a SID or a bare sAMAccountName.
        user: String,
    },
    /// Return the settings of all applications.
    AppsExport,
    /// Make the applications as they are given.
    AppsApply {
        /// The settings of each.
        apps: Vec<AppSettings>,
        /// Return what would be done, and do nothing.
        dry_run: bool,
    },
    /// Create a further credential for an application.
    AppsSecretAdd {
        /// Its name.
        name: String,
        /// Days until it ends; none: it does not end by itself.
        days: Option<u32>,
    },
    /// End a credential of an application.
    AppsSecretRemove {
        /// Its name.
        name: String,
        /// The number of its secret.
        number: u8,
    },
    /// Create a new credential for an application and end its old ones.
    AppsRotate {
        /// Its name.
        name: String,
    },
    /// Revoke an application permanently.
    AppsRevoke {
        /// Its name.
        name: String,
    },
    /// Show an account.
    UsersShow {
        /// A sign-in name or an objectGUID.
        name: String,
    },
    /// List the sign-in names that more than one account holds.
    UsersAmbiguous,
    /// Block an account: it signs in by no road.
    UsersBlock {
        /// A sign-in name, an objectGUID, a SID or a bare sAMAccountName.
        name: String,
    },
    /// End the block of an account.
    UsersUnblock {
        /// As for `UsersBlock`; the objectGUID of an erased account as well.
        name: String,
    },
    /// List the blocked accounts.
    UsersBlocked,
    /// List the groups.
    GroupsList,
    /// Show a group.
    GroupsShow {
        /// Its name, SID or objectGUID.
        name: String,
    },
    /// Erase an account that was deleted or left the scope.
    UsersPurge {
        /// A name that it had, or its objectGUID.
        name: String,
    },
    /// List the sessions of people at the pages.
    SessionsList {
        /// An account: as for `UsersBlock`; none: all accounts.
        user: Option<String>,
    },
    /// End one session.
    SessionsEnd {
        /// Its id.
        session: Uuid,
    },
    /// End all sessions of an account.
    SessionsEndOf {
        /// As for `UsersBlock`.
        user: String,
    },
    /// End all sessions of all accounts.
    SessionsEndAll {
        /// Number of sessions that may end; none: nothing is done, and the number is returned.
        sessions: Option<u64>,
    },
    /// List the keys that sign tokens.
    KeysList,
    /// Let the next key of each algorithm sign.
    KeysRotate,
    /// Delete a key, and end what it signed.
    KeysRevoke {
        /// Its name.
        kid: String,
        /// Number of grants that may end; none: nothing is done, and the number is returned.
        grants: Option<u64>,
    },
    /// Try a sign-in as an application would.
    SignIn {
        /// A sign-in name.
        user: String,
        /// The password.
        password: Confidential,
        /// Source of the sign-in, for the smart lockout: an address, or `name:` and a word.
        source: String,
    },
}

/// The response to a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", content = "is", rename_all = "kebab-case")]
pub enum AdminResponse {
    /// The request was carried out. A sentence about the result.
    Done(String),
    /// The domains.
    Domains(Vec<DomainRow>),
    /// UPN suffixes.
    Suffixes(Vec<SuffixRow>),
    /// Objects that may have moved to another domain.
    Moves(Vec<MoveRow>),
    /// Nothing was done: the administrator has to agree first.
    Confirm {
        /// What the request would do, as a sentence.
        what: String,
        /// Number of accounts that it is about, to be sent with the request.
        accounts: u64,
    },
    /// The text of a new token.
    Token(Confidential),
    /// The agents.
    Agents(Vec<AgentRow>),
    /// The text of a new credential.
    Credential(Confidential),
    /// The applications.
    Apps(Vec<AppRow>),
    /// One application.
    App(Box<AppRow>),
    /// The settings of applications.
    AppSettings(Vec<AppSettings>),
    /// The accounts with that name.
    Users(Description),
    /// The names that more than one account holds.
    Ambiguous(Vec<AmbiguousRow>),
    /// The blocked accounts.
    Blocked(Vec<BlockedRow>),
    /// The groups.
    Groups(Vec<GroupRow>),
    /// The groups with that name.
    Group(Vec<GroupDescribed>),
    /// Sessions.
    Sessions(Vec<SessionRow>),
    /// The keys that sign tokens.
    Keys(Vec<KeyRow>),
    /// The sign-in succeeded.
    Accepted(Person),
    /// The sign-in was refused.
    SignInRefused {
        /// The reason that an application receives; none: it receives only "refused".
        #[serde(rename = "told")]
        disclosed: Option<String>,
        /// The true reason.
        why: String,
    },
    /// The sign-in cannot be decided now.
    Unavailable(String),
    /// The request was refused.
    Refused {
        /// Why.
        what: String,
        /// What to do.
        todo: String,
    },
    /// The tenant's database fails.
    StorageFailed(String),
    /// The tenant failed because of a defect.
    Defect(String),
}

/// The account that signed in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    /// objectGUID.
    pub object: Uuid,
    /// userPrincipalName. For display only: the key of a person is the domain's SID with `object`.
    pub user: Option<String>,
    /// sAMAccountName.
    pub sam: Option<String>,
    /// DNS name of the domain.
    pub domain: String,
    /// SID of the domain.
    pub domain_sid: String,
}

impl Person {
    /// The part of an accepted account that administrators and applications receive.
    pub fn of(person: verdict::Person) -> Self {
        let verdict::Person { object, user, sam, domain, domain_sid, display_name: _ } = person;
        Self { object, user, sam, domain, domain_sid }
    }
}

/// A name that more than one account holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AmbiguousRow {
    /// The name, in folded case.
    pub name: String,
    /// Number of accounts that hold it, carried or not.
    pub count: i64,
    /// The first of these accounts. Of one that is not carried only the objectGUID and the domain are known.
    pub holders: Vec<Named>,
}

/// A blocked account in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BlockedRow {
    /// objectGUID.
    pub object: Uuid,
    /// userPrincipalName or sAMAccountName; none: the account was erased, or has neither.
    pub name: Option<String>,
    /// DNS name of the domain that it was in when it was blocked.
    pub domain: String,
    /// When it was blocked: seconds since 1970.
    pub blocked_at: i64,
}

/// A session of a person at the pages, in a list. Times are in seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionRow {
    /// Its id.
    pub id: Uuid,
    /// The account: objectGUID.
    pub object: Uuid,
    /// userPrincipalName or sAMAccountName.
    pub name: Option<String>,
    /// Browser and system, as the browser sends them.
    pub device: String,
    /// The address that the person signed in from.
    pub address: String,
    /// When the person typed the password.
    pub made_at: i64,
    /// The last use, to a minute.
    pub seen_at: i64,
    /// When it ends in any case.
    pub ends_at: i64,
    /// Names of the applications that it has grants for.
    pub applications: Vec<String>,
}

/// A key that signs tokens, in a list. Times are in seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyRow {
    /// Its name: its thumbprint (RFC 7638).
    pub kid: String,
    /// `ES256` or `RS256`.
    pub algorithm: String,
    /// `next`, `signs` or `retired`. All are published.
    pub state: String,
    /// When it was made.
    pub made_at: i64,
    /// Since when it signs; none: it comes next.
    pub signs_at: Option<i64>,
    /// Until when it is published at least; none: it has not retired.
    pub published_until: Option<i64>,
}

/// A domain in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DomainRow {
    /// DNS name.
    pub name: String,
    /// NetBIOS name.
    pub netbios: String,
    /// SID.
    pub sid: String,
    /// Whether the domain accepts digests of privileged accounts.
    pub allow_privileged: bool,
    /// Its sign-in policy.
    pub signin: SigninPolicy,
    /// Number of groups that have a sign-in policy of their own.
    pub group_policies: usize,
    /// Number of present accounts.
    pub accounts: i64,
    /// Agent id of the phs that writes for the domain; none: no phs has uploaded yet.
    pub writer: Option<Uuid>,
    /// Whether a cycle of its phs was ever complete.
    pub synchronized: bool,
    /// When it was added: seconds since 1970.
    pub added_at: i64,
    /// Number of names that its accounts do not get, because it does not declare their UPN suffix.
    #[serde(default)]
    pub refused_names: u64,
    /// Number of objects that its phs uploaded within 30 days and that belong to another domain.
    #[serde(default)]
    pub refused_objects: i64,
}

/// A UPN suffix in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SuffixRow {
    /// DNS name of the domain.
    pub domain: String,
    /// The suffix, folded.
    pub suffix: String,
    /// Whether the domain has it; if not, its accounts do not get names with it.
    pub declared: bool,
    /// DNS names of the other domains that have it.
    pub others: Vec<String>,
    /// Number of the domain's present accounts with a userPrincipalName or alternate login that ends in it.
    pub accounts: u64,
}

/// An object that may have moved to another domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MoveRow {
    /// objectGUID.
    pub object: Uuid,
    /// Its name in the domain that it belongs to; none: it was erased there, or has no name.
    pub name: Option<String>,
    /// `present`, `privileged`, `deleted`, `out-of-scope` or `erased`, in the domain that it belongs to.
    pub presence: String,
    /// Whether it can be moved: not while it is still in its domain.
    pub movable: bool,
    /// When the other domain first uploaded it: seconds since 1970.
    pub first_at: i64,
    /// When the other domain last uploaded it: seconds since 1970.
    pub last_at: i64,
}

/// An agent in a list.
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
    /// The host name that it sent at its enrolment.
    pub host: String,
    /// The program and version that it sent at its enrolment.
    pub software: String,
    /// Number of its open connections that answer sign-ins.
    pub connections: usize,
    /// End of its newest certificate: seconds since 1970.
    pub not_after: i64,
    /// When it last connected: seconds since 1970.
    pub seen_at: Option<i64>,
    /// When it enrolled: seconds since 1970.
    pub enrolled_at: i64,
    /// The network address that it enrolled from; none: it enrolled at a tenant of version 0.1.
    pub enrolled_from: Option<String>,
    /// Fingerprint of its newest certificate's key; none: it has not renewed since version 0.1.
    pub key: Option<String>,
    /// When one of its processes first proved a key of its own: seconds since 1970; none: never, as with an agent of
    /// version 0.1, which has to be upgraded before its next renewal.
    pub proved_at: Option<i64>,
}

/// What an administrator sets of an application. `apps export` writes it, and `apps apply` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppSettings {
    /// Its name: 1 to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Names of the domains whose accounts it may sign in; none: every domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domains: Option<Vec<String>>,
    /// Networks that its requests may come from. Empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Limit on its sign-ins in a minute.
    #[serde(default = "default_rate")]
    pub rate: u32,
    /// Groups whose members are assigned to it, also through other groups; none: everybody of its domains is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<GroupSetting>>,
    /// How it reads the directory by LDAP; none: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapSettings>,
    /// How it signs people in by OpenID Connect; none: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcSettings>,
}

/// How an application signs people in by OpenID Connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OidcSettings {
    /// `confidential` or `public`.
    pub kind: String,
    /// Whether each of its requests must have a code challenge.
    pub pkce: bool,
    /// `ES256` or `RS256`.
    pub algorithm: String,
    /// `objectguid` or `pairwise`.
    pub subject: String,
    /// Whether it gets access tokens of its own, which are of no person.
    #[serde(skip_serializing_if = "is_off")]
    pub client_credentials: bool,
    /// Whether it may introspect the access tokens of other clients.
    #[serde(skip_serializing_if = "is_off")]
    pub introspect_others: bool,
    /// Whether it must push its authorization requests.
    #[serde(skip_serializing_if = "is_off")]
    pub par_required: bool,
    /// Whether devices without a browser sign people in by codes.
    #[serde(skip_serializing_if = "is_off")]
    pub device_code: bool,
    /// Public keys by which it proves itself, each a JWK (RFC 7517) as text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Where people return with a code.
    pub redirect_uris: Vec<String>,
    /// Where people return after a sign-out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signed_out_uris: Vec<String>,
    /// Where it is notified of the end of a session; none: it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_channel_logout: Option<String>,
    /// Whether `groups` may name all groups of its domains.
    pub all_groups: bool,
    /// The groups that `groups` may name beside those that are assigned to it, unless it may name all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSetting>,
    /// The roles of the members of groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<RoleSetting>,
}

/// What is off by default is written where it is on.
fn is_off(setting: &bool) -> bool {
    !setting
}

/// A role, and the group that has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleSetting {
    /// Its name at the application.
    pub role: String,
    /// The group.
    pub group: GroupSetting,
}

impl Default for OidcSettings {
    fn default() -> Self {
        Self {
            kind: OidcKind::Confidential.to_string(),
            pkce: true,
            algorithm: SigningAlgorithm::Rs256.to_string(),
            subject: SubjectKind::ObjectGuid.to_string(),
            client_credentials: false,
            introspect_others: false,
            par_required: false,
            device_code: false,
            keys: Vec::new(),
            redirect_uris: Vec::new(),
            signed_out_uris: Vec::new(),
            back_channel_logout: None,
            all_groups: false,
            groups: Vec::new(),
            roles: Vec::new(),
        }
    }
}

/// A change of [`OidcSettings`]. What is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of OidcSettings")]
pub struct OidcChange {
    pub kind: Option<String>,
    pub pkce: Option<bool>,
    pub algorithm: Option<String>,
    pub subject: Option<String>,
    pub client_credentials: Option<bool>,
    pub introspect_others: Option<bool>,
    pub par_required: Option<bool>,
    pub device_code: Option<bool>,
    pub keys: Option<Vec<String>>,
    pub redirect_uris: Option<Vec<String>>,
    pub signed_out_uris: Option<Vec<String>>,
    /// An empty text: it is not notified any more.
    pub back_channel_logout: Option<String>,
    pub all_groups: Option<bool>,
    pub groups: Option<Vec<GroupSetting>>,
    pub roles: Option<Vec<RoleSetting>>,
}

impl OidcSettings {
    /// The settings after a change. A list that is given replaces the one of before, and ends "all".
    pub fn changed(self, change: OidcChange) -> Self {
        let listed = change.groups.is_some();
        Self {
            kind: change.kind.unwrap_or(self.kind),
            pkce: change.pkce.unwrap_or(self.pkce),
            algorithm: change.algorithm.unwrap_or(self.algorithm),
            subject: change.subject.unwrap_or(self.subject),
            client_credentials: change.client_credentials.unwrap_or(self.client_credentials),
            introspect_others: change.introspect_others.unwrap_or(self.introspect_others),
            par_required: change.par_required.unwrap_or(self.par_required),
            device_code: change.device_code.unwrap_or(self.device_code),
            keys: change.keys.unwrap_or(self.keys),
            redirect_uris: change.redirect_uris.unwrap_or(self.redirect_uris),
            signed_out_uris: change.signed_out_uris.unwrap_or(self.signed_out_uris),
            back_channel_logout: match change.back_channel_logout {
                Some(uri) => Some(uri).filter(|uri| !uri.is_empty()),
                None => self.back_channel_logout,
            },
            all_groups: change.all_groups.unwrap_or(self.all_groups && !listed),
            groups: change.groups.unwrap_or(self.groups),
            roles: change.roles.unwrap_or(self.roles),
        }
    }
}

/// How an application reads the directory by LDAP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdapSettings {
    /// `rfc2307bis`, `rfc2307` or `ad`.
    pub view: String,
    /// `flat` or `ad`.
    pub tree: String,
    /// `direct` or `effective`.
    pub member_of: String,
    /// Whether its people connect themselves: then the address of a connection is the person's.
    pub people_connect: bool,
    /// Whether it sees all groups of its domains.
    pub all_groups: bool,
    /// The groups that it sees beside those that are assigned to it, unless it sees all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupSetting>,
    /// Whether it sees all attributes.
    pub all_attributes: bool,
    /// The attributes that it sees beside the usual ones, by their names in AD, unless it sees all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
}

impl Default for LdapSettings {
    fn default() -> Self {
        let LdapAccess { view, tree, member_of, people_connect, groups, attributes } = LdapAccess::default();
        Self {
            view: view.to_string(),
            tree: tree.to_string(),
            member_of: member_of.to_string(),
            people_connect,
            all_groups: groups.is_none(),
            groups: Vec::new(),
            all_attributes: attributes.is_none(),
            attributes: Vec::new(),
        }
    }
}

/// A change of [`LdapSettings`]. What is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields of LdapSettings")]
pub struct LdapChange {
    pub view: Option<String>,
    pub tree: Option<String>,
    pub member_of: Option<String>,
    pub people_connect: Option<bool>,
    pub all_groups: Option<bool>,
    pub groups: Option<Vec<GroupSetting>>,
    pub all_attributes: Option<bool>,
    pub attributes: Option<Vec<String>>,
}

impl LdapSettings {
    /// The settings after a change. A list that is given ends "all".
    pub fn changed(self, change: LdapChange) -> Self {
        let (groups, attributes) = (change.groups.is_some(), change.attributes.is_some());
        Self {
            view: change.view.unwrap_or(self.view),
            tree: change.tree.unwrap_or(self.tree),
            member_of: change.member_of.unwrap_or(self.member_of),
            people_connect: change.people_connect.unwrap_or(self.people_connect),
            all_groups: change.all_groups.unwrap_or(self.all_groups && !groups),
            groups: change.groups.unwrap_or(self.groups),
            all_attributes: change.all_attributes.unwrap_or(self.all_attributes && !attributes),
            attributes: change.attributes.unwrap_or(self.attributes),
        }
    }
}

impl AppSettings {
    /// Everybody of every domain, from everywhere, at the usual rate.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            domains: None,
            networks: Vec::new(),
            rate: DEFAULT_RATE,
            groups: None,
            ldap: None,
            oidc: None,
        }
    }
}

fn default_rate() -> u32 {
    DEFAULT_RATE
}

/// A group that is assigned to an application. One of both is required; `object` decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSetting {
    /// objectGUID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Uuid>,
    /// `DOMAIN\name`, a bare sAMAccountName or a SID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An application in a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppRow {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// DNS names of the domains whose accounts it may sign in; none: every domain.
    pub domains: Option<Vec<String>>,
    /// The groups whose members are assigned to it; none: everybody of its domains is.
    pub groups: Option<Vec<GroupSetting>>,
    /// The networks that it may send from. Empty: all.
    pub networks: Vec<String>,
    /// Sign-ins a minute.
    pub rate: u32,
    /// How it reads the directory by LDAP; none: it does not.
    #[serde(default)]
    pub ldap: Option<LdapSettings>,
    /// How it signs people in by OpenID Connect; none: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcSettings>,
    /// Its secrets.
    pub secrets: Vec<SecretRow>,
    /// When it was created: seconds since 1970.
    pub created_at: i64,
    /// When it was revoked: seconds since 1970; none: it is active.
    pub revoked_at: Option<i64>,
}

/// A secret of an application, without the secret. Times are in seconds since 1970.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecretRow {
    /// 1 or 2.
    pub number: u8,
    /// When it was made.
    pub created_at: i64,
    /// When it ends; none: it does not end by itself.
    pub ends_at: Option<i64>,
    /// The day on which it was last used, as its first second in UTC; none: never.
    pub used_at: Option<i64>,
}

/// A refusal, and what the administrator can do.
pub(crate) fn refusal(what: &str, todo: &str) -> AdminResponse {
    AdminResponse::Refused { what: what.to_owned(), todo: todo.to_owned() }
}

/// The refusal of a word that is none of those that are known.
pub(crate) fn not_one_of(what: &str, word: &str, known: &[&str]) -> AdminResponse {
    refusal(&format!("{word} is no {what}"), &format!("choose one of {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use crate::administration::request::*;

    #[test]
    fn a_request_with_a_password_shows_nothing_in_debug() {
        let request = AdminRequest::SignIn {
            user: "u".to_owned(),
            password: Confidential::new("Hunter2!".to_owned()),
            source: "name:admin".to_owned(),
        };
        assert!(!format!("{request:?}").contains("Hunter2!"));
    }

    #[test]
    fn an_unknown_request_or_field_is_not_read() {
        assert!(serde_json::from_str::<AdminRequest>(r#""apps-list""#).is_ok());
        assert!(serde_json::from_str::<AdminRequest>(r#""apps-delete""#).is_err());
        assert!(
            serde_json::from_str::<AdminRequest>(r#"{"apps-revoke":{"name":"a","force":true}}"#).is_err()
        );
    }
}
