//! Everything the tenant stores about the accounts behind a name, for an administrator who looks for the reason of a
//! refused sign-in. Presence, stamp and cost of the digest are returned; the digest itself never is.
//! Neighbours: [`super::groups`] finds the names of objects.

use crate::directory::groups;
pub use crate::directory::named::Named;
use landbridge_tenant_rules::account_state::{Account, State, state, veto};
use landbridge_tenant_rules::lockout::{AdBudget, KNOWN_SECONDS, Standing};
use landbridge_tenant_rules::model::Object;
use landbridge_tenant_rules::model::kind_text;
use landbridge_tenant_rules::model::presence_text;
use landbridge_tenant_rules::model::{Domain, SigninPolicy};
use landbridge_tenant_rules::names::{Whose, fold_case, names_of};
use landbridge_tenant_rules::policies::{Admission, PolicyOwner, Resultant};
use landbridge_tenant_rules::privileged::lacks_permission;
use landbridge_tenant_store::Reading;
use landbridge_tenant_store::policies::{password_policy, signin_policy};
use landbridge_tenant_store::tables::members;
use landbridge_tenant_store::tables::members::Which;
use landbridge_tenant_store::tables::names::whose;
use landbridge_tenant_store::tables::objects;
use landbridge_tenant_store::tables::suffixes::{RefusedName, divide};
use landbridge_tenant_store::tables::{
    ad_budget, attributes, blocks, digests, domains, known_sources, lockouts, names, reserved_names,
};
use landbridge_tenant_store::{Store, StoreError};
use landbridge_wire::described::{DescribedName, DescribedValue};
use landbridge_wire::upload::{Kind, Presence, Stamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Limit on accounts in one answer. A name rarely matches more than two or three.
const MAX_ACCOUNTS: usize = 20;
/// Limit on accounts that are not carried and share a name with the account.
const MAX_RESERVED: u32 = 20;

/// The accounts behind a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Whether more than one account holds the name, carried or not. None of them can then sign in with it.
    pub ambiguous: bool,
    /// The accounts. One that is not present is found by a name that it had.
    pub accounts: Vec<Described>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// objectGUID.
    pub object: Uuid,
    /// DNS name of its domain.
    pub domain: String,
    /// The agent id of the phs that writes for the domain; none: no phs has uploaded yet.
    pub source: Option<Uuid>,
    /// objectSid.
    pub sid: Option<String>,
    /// `account`, `group`, `contact`, `password-settings` or `container`.
    pub kind: String,
    /// `present`, `deleted`, `privileged` or `out-of-scope`.
    pub presence: String,
    /// When it was deleted or left the scope: seconds since 1970. It is erased when its grace time is over.
    pub removed_at: Option<i64>,
    /// When an administrator blocked it: seconds since 1970; none: it is not blocked.
    pub blocked_at: Option<i64>,
    /// The outcome of a sign-in with the right password.
    pub state: String,
    /// Member of Protected Users.
    pub protected_user: bool,
    /// sAMAccountName.
    pub sam_account_name: Option<String>,
    /// userPrincipalName.
    pub user_principal_name: Option<String>,
    /// displayName.
    pub display_name: Option<String>,
    /// A further sign-in name, from the attribute that the configuration of phs names.
    pub alternate_login: Option<String>,
    /// givenName.
    pub given_name: Option<String>,
    /// sn.
    pub surname: Option<String>,
    /// mail.
    pub mail: Option<String>,
    /// proxyAddresses.
    pub proxy_addresses: Vec<String>,
    /// department.
    pub department: Option<String>,
    /// title.
    pub title: Option<String>,
    /// telephoneNumber.
    pub telephone_number: Option<String>,
    /// mobile.
    pub mobile: Option<String>,
    /// description.
    pub description: Option<String>,
    /// Further attributes that describe it, by their names in AD.
    #[serde(default)]
    pub described: BTreeMap<String, FurtherValue>,
    /// manager.
    pub manager: Option<Named>,
    /// The groups that contain it: directly, through other groups, and its primary group. None: too many to visit.
    pub groups: Option<Vec<Named>>,
    /// Its sign-in policy, and the group that the policy comes from.
    pub signin_policy: String,
    /// The password and lockout policy that applies to it.
    pub password_policy: PolicyDescribed,
    /// The names that it signs in with, in folded case.
    pub names: Vec<String>,
    /// The names that it does not get, in folded case, each with the reason in words.
    #[serde(default)]
    pub refused_names: Vec<String>,
    /// Those of its names that an account has too that is not carried: they sign nobody in.
    #[serde(default)]
    pub reserved: Vec<ReservedBy>,
    /// The attributes that phs uploaded, with the stamp of each.
    pub stamps: Vec<(String, Stamp)>,
    /// Its digest; none: no digest is stored.
    pub digest: Option<DigestDescribed>,
    /// The counters of the smart lockout, and what of AD's budget is spent.
    pub lockouts: Vec<LockoutDescribed>,
    /// Number of sources that are known for it: a lock of unknown sources does not hold there.
    pub known_sources: i64,
    /// Time of its last change here: seconds since 1970.
    pub changed_at: i64,
}

/// A value of a further attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FurtherValue {
    /// A number; a time is in seconds since 1601, as in a stamp; of octets it is their size in bytes.
    Integer(i64),
    /// A text.
    Text(String),
}

/// A name that an account that is not carried has too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedBy {
    /// The name, in folded case.
    pub name: String,
    /// objectGUID of the account that is not carried.
    pub object: Uuid,
    /// DNS name of its domain.
    pub domain: String,
}

/// A password and lockout policy, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyDescribed {
    /// The owner of the policy: the domain or a password settings object.
    pub of: String,
    /// The greatest age of a password.
    pub max_pwd_age: String,
    /// Number of bad passwords at which AD locks an account; 0: never.
    pub lockout_threshold: Option<i64>,
    /// Time until AD forgets a bad password.
    pub lockout_observation_window: String,
    /// Time until AD ends a lock.
    pub lockout_duration: String,
}

/// The stamp, age and cost of a digest. The digest itself is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestDescribed {
    /// When the password was set, and by which domain controller.
    pub stamp: Stamp,
    /// When the digest was stored: seconds since 1970.
    pub set_at: i64,
    /// PBKDF2 iterations of one derivation; none: no seal key opens the digest.
    pub iterations: Option<u32>,
}

/// A counter of the smart lockout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockoutDescribed {
    /// Source of the sign-ins; none: all sources together.
    pub source: Option<String>,
    /// Number of wrong passwords.
    pub failures: u32,
    /// Number of locks in a row. Each lasts twice as long as the one before.
    pub locks: u32,
    /// End of the lock: seconds since 1970. A time in the past means not locked.
    pub locked_until: i64,
}

/// The accounts behind a name, at `now` in seconds since 1970. The name is a sign-in name; if no account signs in
/// with it, it may be an objectGUID, a bare sAMAccountName, a SID, or a name that an account had.
pub fn describe(store: &Store, name: &str, now: i64) -> Result<Description, StoreError> {
    store.look(|reading| {
        let found = whose(reading, name)?;
        let mut objects = match found {
            Whose::One(object) => vec![object],
            Whose::Nobody | Whose::Ambiguous => Vec::new(),
        };
        if objects.is_empty() {
            objects = find_by_scan(reading, name)?;
        }
        let described = objects.into_iter().map(|object| describe_account(store, reading, object, now));
        Ok(Description {
            ambiguous: found == Whose::Ambiguous,
            accounts: described.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        })
    })
}

/// The accounts that have or had that name. The name is an objectGUID, a SID, a bare sAMAccountName or a sign-in
/// name. Reads every account.
pub fn find_by_scan(reading: &Reading<'_>, name: &str) -> Result<Vec<Uuid>, StoreError> {
    if let Ok(object) = name.parse::<Uuid>() {
        return Ok(vec![object]);
    }
    let wanted = fold_case(name);
    let domains = domains::all(reading)?;
    objects::walk(reading, Kind::Account, MAX_ACCOUNTS, |account, known| {
        let named = domains
            .iter()
            .find(|d| d.id == account.domain)
            .is_some_and(|d| names_of(d, known).contains(&wanted));
        let sam = known.sam_account_name.as_deref().is_some_and(|sam| fold_case(sam) == wanted);
        named || sam || account.sid.as_deref() == Some(name)
    })
}

fn describe_account(
    store: &Store,
    reading: &Reading<'_>,
    object: Uuid,
    now: i64,
) -> Result<Option<Described>, StoreError> {
    let Some(account) = objects::find(reading, object)? else { return Ok(None) };
    let Some(domain) = domains::by_id(reading, account.domain)? else { return Ok(None) };
    // 1. Read the attributes, the digest, the policies and the groups.
    let attributes = attributes::of(reading, object)?;
    let digest = digests::find(reading, object)?.map(|held| DigestDescribed {
        stamp: held.stamp,
        set_at: held.set_at,
        iterations: held.open(store.seal_keys(), object).ok().map(|digest| digest.iterations()),
    });
    let resultant = password_policy(reading, &domain, object, &attributes)?;
    let account_facts = Account::known(&attributes, &resultant.policy, account.protected_user);
    let group_ids = members::groups_of(reading, &domain, object, attributes.primary_group_id, Which::All)?;
    let groups = group_ids.map(|group_ids| groups::with_names(reading, &domain, group_ids)).transpose()?;
    let admission = signin_policy(reading, &domain, object, &attributes)?;
    let signin_policy = describe_signin_policy(reading, &domain, admission)?;
    let blocked_at = blocks::since(reading, object)?;
    let refused_names = match (account.kind, account.presence) {
        (Kind::Account, Presence::Present) => divide(reading, &domain, names_of(&domain, &attributes))?.1,
        (_, _) => Vec::new(),
    };
    let refused_names = refused_names.into_iter().map(|RefusedName { name, other }| match other {
        Some(other) => format!("{name} (its suffix is of {other})"),
        None => format!("{name} (no domain declares its suffix: `domains suffix add`)"),
    });
    // 2. Put them into words. Texts are as they came; who prints them makes them safe.
    let counters = lockouts::of(reading, object)?.into_iter().map(|(source, tries)| LockoutDescribed {
        source: (source != lockouts::UNKNOWN_SOURCES).then_some(source),
        failures: tries.failures,
        locks: tries.locks,
        locked_until: tries.locked_until,
    });
    let spent = ad_budget::find(reading, object)?;
    let spent = AdBudget::of(&resultant.policy).counted(spent.as_ref(), now);
    let part = |standing| spent.part(standing);
    let reached = [("known", part(Standing::Known)), ("unknown", part(Standing::Unknown))].into_iter();
    let reached = reached.filter(|(_, failures)| *failures > 0).map(|(of, failures)| LockoutDescribed {
        source: Some(format!("(reached AD, from {of} sources)")),
        failures,
        locks: 0,
        locked_until: 0,
    });
    let lockouts = counters.chain(reached).collect();
    let known_sources = known_sources::count(reading, object, now.saturating_sub(KNOWN_SECONDS))?;
    Ok(Some(Described {
        object,
        source: domain.writer,
        blocked_at,
        state: first_obstacle(
            &account,
            blocked_at.is_some(),
            lacks_permission(account.sid.as_deref(), account.privileged, &domain, &attributes),
            admission.policy,
            digest.as_ref(),
            &account_facts,
            now,
        )
        .to_owned(),
        kind: kind_text(account.kind).to_owned(),
        removed_at: account.removed_at,
        alternate_login: attributes.alternate_login.clone(),
        given_name: attributes.given_name.clone(),
        surname: attributes.surname.clone(),
        mail: attributes.mail.clone(),
        proxy_addresses: attributes
            .proxy_addresses
            .iter()
            .flat_map(|all| all.lines())
            .map(str::to_owned)
            .collect(),
        department: attributes.department.clone(),
        title: attributes.title.clone(),
        telephone_number: attributes.telephone_number.clone(),
        mobile: attributes.mobile.clone(),
        description: attributes.description.clone(),
        described: attributes
            .described
            .iter()
            .map(further)
            .chain(attributes.octets.iter().map(size))
            .collect(),
        manager: groups::manager_of(reading, &domain, object)?,
        groups,
        signin_policy,
        password_policy: describe_password_policy(reading, &domain, &resultant)?,
        domain: domain.dns_name,
        presence: presence_text(account.presence).to_owned(),
        sid: account.sid,
        protected_user: account.protected_user,
        sam_account_name: attributes.sam_account_name.clone(),
        user_principal_name: attributes.user_principal_name.clone(),
        display_name: attributes.display_name.clone(),
        names: names::of(reading, object)?,
        refused_names: refused_names.collect(),
        reserved: reserved_names::of_holder(reading, object, MAX_RESERVED)?
            .into_iter()
            .map(|conflict| ReservedBy {
                name: conflict.name,
                object: conflict.reserved,
                domain: conflict.domain,
            })
            .collect(),
        stamps: attributes::stamps_of(reading, object)?,
        digest,
        lockouts,
        known_sources,
        changed_at: account.changed_at,
    }))
}

fn further((name, value): (&DescribedName, &DescribedValue)) -> (String, FurtherValue) {
    let value = match value {
        DescribedValue::Text(text) => FurtherValue::Text(text.as_str().to_owned()),
        DescribedValue::Integer(number) => FurtherValue::Integer(*number),
        DescribedValue::Octets(octets) => {
            FurtherValue::Integer(octets.as_bytes().len().try_into().unwrap_or(i64::MAX))
        }
    };
    (name.row().name.to_owned(), value)
}

fn size((name, bytes): (&DescribedName, &u64)) -> (String, FurtherValue) {
    (name.row().name.to_owned(), FurtherValue::Integer((*bytes).try_into().unwrap_or(i64::MAX)))
}

/// The sign-in policy of an account in words, with the group that it comes from.
fn describe_signin_policy(
    reading: &Reading<'_>,
    domain: &Domain,
    admission: Admission,
) -> Result<String, StoreError> {
    let by = match admission.group {
        Some(group) => format!(", by {}", groups::name_of(reading, domain, group)?),
        None => String::new(),
    };
    Ok(format!("{}{by}", admission.policy.as_str()))
}

fn describe_password_policy(
    reading: &Reading<'_>,
    domain: &Domain,
    resultant: &Resultant,
) -> Result<PolicyDescribed, StoreError> {
    let Resultant { policy, owner } = resultant;
    Ok(PolicyDescribed {
        of: match owner {
            PolicyOwner::Domain => "the domain".to_owned(),
            PolicyOwner::Settings(object) => {
                format!("password settings object {} ({object})", groups::name_of(reading, domain, *object)?)
            }
            PolicyOwner::Unclear => {
                "unknown: a password settings object has not arrived completely".to_owned()
            }
        },
        max_pwd_age: interval(policy.max_pwd_age),
        lockout_threshold: policy.lockout_threshold,
        lockout_observation_window: interval(policy.lockout_observation_window),
        lockout_duration: interval(policy.lockout_duration),
    })
}

/// An interval of AD in words: a negative number of 100 ns.
fn interval(value: Option<i64>) -> String {
    let Some(value) = value else { return "not known".to_owned() };
    if value == 0 || value == i64::MIN {
        return "without end".to_owned();
    }
    let minutes = value.unsigned_abs() / 600_000_000;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min")];
    let words: Vec<String> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n} {unit}")).collect();
    if words.is_empty() { "less than a minute".to_owned() } else { words.join(" ") }
}

/// The first reason that would refuse a sign-in; `state` if there is none before it.
fn first_obstacle(
    account: &Object,
    blocked: bool,
    lacks_permission: bool,
    policy: SigninPolicy,
    digest: Option<&DigestDescribed>,
    account_facts: &Account<'_>,
    now: i64,
) -> &'static str {
    match account.kind {
        Kind::Account => {}
        Kind::Group => return "a group: see `groups show`",
        Kind::Contact => return "a contact, which cannot sign in",
        Kind::PasswordSettings => return "a password settings object",
        Kind::Container => return "a container of other objects",
    }
    if blocked {
        return "blocked by an administrator";
    }
    match account.presence {
        Presence::Deleted => "deleted in AD",
        Presence::Privileged => "privileged: not synchronised",
        Presence::OutOfScope => "out of scope",
        Presence::Present if policy == SigninPolicy::Refuse => "refused by its sign-in policy",
        Presence::Present if lacks_permission => {
            "privileged, and its domain was added without --allow-privileged"
        }
        Presence::Present if policy.asks_agents() => {
            veto(account_facts, now).map_or("a domain controller decides", State::as_str)
        }
        Presence::Present => match digest {
            None => "no digest has arrived",
            Some(DigestDescribed { iterations: None, .. }) => {
                "no seal key opens its digest: is one missing in seal_keys?"
            }
            Some(DigestDescribed { iterations: Some(_), .. }) => state(account_facts, now).as_str(),
        },
    }
}
